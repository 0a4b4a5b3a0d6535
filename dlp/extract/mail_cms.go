package extract

import "bytes"

// The types of content of CMS (RFC 5652), as DER: 1.2.840.113549.1.7.1 to 6, and authEnvelopedData and compressedData of PKCS 9.
var cmsPrefix = []byte{0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07}

// isCMS tells a message that S/MIME signed or encrypted.
func isCMS(head []byte) bool {
	return len(head) > 16 && head[0] == 0x30 && bytes.Contains(head[2:min(len(head), 20)], cmsPrefix)
}

// readCMS reads what a signature encloses. What is encrypted is a gap.
func readCMS(d *Doc) error {
	d.Type = "application/pkcs7-mime"
	b, err := d.Bytes()
	if err != nil {
		return err
	}
	i := bytes.Index(b, cmsPrefix)
	if i < 0 || i+len(cmsPrefix) >= len(b) {
		return errMalformed
	}
	if b[i+len(cmsPrefix)] != 2 { // signedData
		return errEncrypted
	}
	// The content is behind the next of these identifiers: that of data.
	rest := b[i+len(cmsPrefix)+1:]
	j := bytes.Index(rest, append(bytes.Clone(cmsPrefix), 1))
	if j < 0 {
		return nil
	}
	rest = rest[j+len(cmsPrefix)+1:]
	if err := d.keep(int64(len(rest))); err != nil {
		return err
	}
	content := berOctets(rest)
	if len(content) == 0 {
		return nil // It signs what stands elsewhere.
	}
	return d.mailMember(Member{Body: bytes.NewReader(content), Inline: true})
}

// berOctets puts together the octet strings in an explicit tag [0], with lengths that are told or not.
func berOctets(b []byte) (out []byte) {
	if len(b) < 2 || b[0] != 0xA0 {
		return nil
	}
	b = berEnter(b)
	for range len(b) {
		if len(b) < 2 {
			break
		}
		switch b[0] {
		case 0x24: // Made of pieces.
			b = berEnter(b)
		case 0x04:
			n, head := berLength(b)
			end := min(head+n, len(b))
			out = append(out, b[head:end]...)
			b = b[end:]
		default:
			return out
		}
	}
	return out
}

// berEnter goes past the tag and the length of what holds others.
func berEnter(b []byte) []byte {
	_, head := berLength(b)
	return b[min(head, len(b)):]
}

// berLength reads a length, and says where what it counts begins. 0x80 tells none.
func berLength(b []byte) (n, head int) {
	if b[1] < 0x80 {
		return int(b[1]), 2
	}
	k := int(b[1] & 0x7F)
	if k > 4 || 2+k > len(b) {
		return len(b), 2
	}
	for _, c := range b[2 : 2+k] {
		n = n<<8 | int(c)
	}
	return n, 2 + k
}
