package extract

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"crypto/rc4"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
)

// pdfCrypt decrypts what the standard security handler (7.6) encrypted with the empty user password: what every reader opens without asking.
type pdfCrypt struct {
	key      []byte
	perFile  bool // the key is that of each object, too: AES-256
	streams  pdfCipher
	texts    pdfCipher
	metadata bool // XMP is encrypted, too
}

type pdfCipher int

const (
	pdfPlain pdfCipher = iota
	pdfRC4
	pdfAES
)

// pdfPadding fills a password to 32 bytes (7.6.4.3.2).
const pdfPadding = "\x28\xBF\x4E\x5E\x4E\x75\x8A\x41\x64\x00\x4E\x56\xFF\xFA\x01\x08\x2E\x2E\x00\xB6\xD0\x68\x3E\x80\x2F\x0C\xA9\xFE\x64\x53\x69\x7A"

// unlock sets the decryption of the file, or returns errEncrypted.
func (p *pdfFile) unlock(encrypt any, trailer pdfDict) error {
	e := p.dict(encrypt)
	if !pdfIs(p.resolve(e["Filter"]), "Standard") {
		return errEncrypted
	}
	str := func(k pdfName) []byte { s, _ := p.resolve(e[k]).(pdfString); return []byte(s) }
	v, r, bits := pdfInt(p.resolve(e["V"]), 0), pdfInt(p.resolve(e["R"]), 0), pdfInt(p.resolve(e["Length"]), 40)
	c := &pdfCrypt{streams: pdfRC4, texts: pdfRC4, metadata: p.resolve(e["EncryptMetadata"]) != false}
	switch v {
	case 1:
		bits = 40
	case 2, 3:
	case 4, 5:
		bits = 128
		cf := p.dict(e["CF"])
		method := func(k pdfName) pdfCipher {
			name, _ := p.resolve(e[k]).(pdfName)
			f := p.dict(cf[name])
			if name == "" || name == "Identity" {
				return pdfPlain
			}
			switch m, _ := p.resolve(f["CFM"]).(pdfName); m {
			case "AESV2", "AESV3":
				return pdfAES
			case "V2":
				if n := pdfInt(p.resolve(f["Length"]), 16); n >= 5 && n <= 16 {
					bits = n * 8
				} else if n >= 40 && n <= 128 {
					bits = n
				}
				return pdfRC4
			}
			return pdfPlain
		}
		c.streams, c.texts = method("StmF"), method("StrF")
	default:
		return errEncrypted
	}
	if r >= 5 {
		c.perFile = true
		if c.key = pdfKey256(r, str("U"), str("UE")); c.key == nil {
			return errEncrypted
		}
	} else {
		ids := p.array(trailer["ID"])
		var id []byte
		if len(ids) > 0 {
			s, _ := p.resolve(ids[0]).(pdfString)
			id = []byte(s)
		}
		if bits < 40 || bits > 128 {
			bits = 40
		}
		if c.key = pdfKey128(r, bits/8, str("O"), str("U"), id, uint32(pdfInt(p.resolve(e["P"]), 0)), c.metadata); c.key == nil {
			return errEncrypted
		}
	}
	clear(p.cache)
	clear(p.packs)
	p.cached, p.packed = 0, 0
	p.crypt = c
	return nil
}

// pdfKey128 is Algorithms 2 and 6 of 7.6.4 with the empty password; nil: it is not the one.
func pdfKey128(r, n int, o, u, id []byte, perms uint32, metadata bool) []byte {
	if len(o) < 32 || len(u) < 32 {
		return nil
	}
	h := md5.New()
	h.Write([]byte(pdfPadding))
	h.Write(o[:32])
	h.Write(binary.LittleEndian.AppendUint32(nil, perms))
	h.Write(id)
	if r >= 4 && !metadata {
		h.Write([]byte{0xff, 0xff, 0xff, 0xff})
	}
	key := h.Sum(nil)
	if r < 3 {
		n = 5
	} else {
		for range 50 {
			s := md5.Sum(key[:n])
			key = s[:]
		}
	}
	key = key[:n]
	if r < 3 {
		if !bytes.Equal(pdfRC4Bytes(key, []byte(pdfPadding)), u[:32]) {
			return nil
		}
		return key
	}
	s := md5.Sum(append([]byte(pdfPadding), id...))
	check := s[:]
	for i := range 20 {
		k := bytes.Clone(key)
		for j := range k {
			k[j] ^= byte(i)
		}
		check = pdfRC4Bytes(k, check)
	}
	if !bytes.Equal(check, u[:16]) {
		return nil
	}
	return key
}

// pdfKey256 is Algorithm 2.A with the empty password.
func pdfKey256(r int, u, ue []byte) []byte {
	if len(u) < 48 || len(ue) < 32 {
		return nil
	}
	hash := func(salt []byte) []byte {
		if r == 5 {
			s := sha256.Sum256(salt)
			return s[:]
		}
		return pdfHash(salt)
	}
	if !bytes.Equal(hash(u[32:40]), u[:32]) {
		return nil
	}
	block, err := aes.NewCipher(hash(u[40:48]))
	if err != nil {
		return nil
	}
	key := make([]byte, 32)
	cipher.NewCBCDecrypter(block, make([]byte, 16)).CryptBlocks(key, ue[:32])
	return key
}

// pdfHash is Algorithm 2.B with the empty password. It ends: the chance to go on falls with each round, and 10,000 are the end.
func pdfHash(salt []byte) []byte {
	s := sha256.Sum256(salt)
	k := s[:]
	for i := 0; i < 10_000; i++ {
		k1 := bytes.Repeat(k, 64)
		block, err := aes.NewCipher(k[:16])
		if err != nil {
			return nil
		}
		cipher.NewCBCEncrypter(block, k[16:32]).CryptBlocks(k1, k1)
		mod := 0
		for _, c := range k1[:16] {
			mod += int(c)
		}
		switch mod % 3 {
		case 0:
			s := sha256.Sum256(k1)
			k = s[:]
		case 1:
			s := sha512.Sum384(k1)
			k = s[:]
		case 2:
			s := sha512.Sum512(k1)
			k = s[:]
		}
		if i >= 63 && int(k1[len(k1)-1]) <= i-31 {
			break
		}
	}
	return k[:32]
}

func pdfRC4Bytes(key, b []byte) []byte {
	out := make([]byte, len(b))
	if c, err := rc4.NewCipher(key); err == nil {
		c.XORKeyStream(out, b)
	}
	return out
}

func (c *pdfCrypt) bytes(how pdfCipher, b []byte, num, gen int) []byte {
	if how == pdfPlain || len(b) == 0 {
		return b
	}
	key := c.key
	if !c.perFile {
		k := append(bytes.Clone(key), byte(num), byte(num>>8), byte(num>>16), byte(gen), byte(gen>>8))
		if how == pdfAES {
			k = append(k, "sAlT"...)
		}
		s := md5.Sum(k)
		key = s[:min(len(key)+5, 16)]
	}
	if how == pdfRC4 {
		return pdfRC4Bytes(key, b)
	}
	block, err := aes.NewCipher(key)
	n := len(b) &^ 15
	if err != nil || n < 32 {
		return nil
	}
	out := make([]byte, n-16)
	cipher.NewCBCDecrypter(block, b[:16]).CryptBlocks(out, b[16:n])
	if pad := int(out[len(out)-1]); pad >= 1 && pad <= 16 && pad <= len(out) {
		out = out[:len(out)-pad]
	}
	return out
}

// stream decrypts the raw bytes of one.
func (c *pdfCrypt) stream(raw []byte, s *pdfStream) []byte {
	if s.num == 0 || pdfIs(s.dict["Type"], "XRef") || !c.metadata && pdfIs(s.dict["Type"], "Metadata") {
		return raw
	}
	return c.bytes(c.streams, raw, s.num, s.gen)
}

// strings decrypts those of an object.
func (c *pdfCrypt) strings(v any, num, gen int) any {
	switch v := v.(type) {
	case pdfString:
		return pdfString(c.bytes(c.texts, []byte(v), num, gen))
	case []any:
		for i := range v {
			v[i] = c.strings(v[i], num, gen)
		}
	case pdfDict:
		if pdfIs(v["Type"], "Sig") && v["ByteRange"] != nil {
			return v
		}
		for k := range v {
			v[k] = c.strings(v[k], num, gen)
		}
	}
	return v
}
