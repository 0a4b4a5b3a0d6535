package extract

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
)

// isTNEF tells winmail.dat, the form in which Outlook sends what other mail programs cannot read.
func isTNEF(head []byte) bool { return bytes.HasPrefix(head, []byte{0x78, 0x9F, 0x3E, 0x22}) }

// tnefFile is an attachment that is being put together.
type tnefFile struct {
	title string
	data  []byte
	props *mapiObject
}

// readTNEF reads the attributes of [MS-OXTNEF] 2.1.
func readTNEF(d *Doc) error {
	d.Type = "application/vnd.ms-tnef"
	b, err := d.Bytes()
	if err != nil {
		return err
	}
	if len(b) < 6 {
		return errMalformed
	}
	b = b[6:]
	page, n := 1252, 0
	var file *tnefFile
	give := func() error {
		if file == nil {
			return nil
		}
		n++
		err := d.tnefAttachment(file, n)
		file = nil
		return err
	}
	for len(b) >= 9 {
		id, size := binary.LittleEndian.Uint32(b[1:]), int64(binary.LittleEndian.Uint32(b[5:]))
		b = b[9:]
		v := b[:min(size, int64(len(b)))]
		cut := size+2 > int64(len(b))
		b = b[min(size+2, int64(len(b))):]
		switch id {
		case 0x00069007: // attOemCodepage
			if len(v) >= 4 {
				page = int(binary.LittleEndian.Uint32(v))
			}
		case 0x00069002: // attAttachRenddata begins the next attachment.
			if err := give(); err != nil {
				return err
			}
			file = &tnefFile{}
		case 0x00018010: // attAttachTitle
			if file != nil {
				file.title = strings.TrimRight(decodeANSI(v, page), "\x00")
			}
		case 0x0006800F: // attAttachData
			if file != nil {
				file.data = v
			}
		case 0x00069005: // attAttachment
			if file != nil {
				file.props = tnefProperties(v, page)
			}
		case 0x00069003: // attMsgProps
			o := tnefProperties(v, page)
			if err := d.mapiHeaders(o, Location{}); err != nil {
				return err
			}
			if err := d.mapiBodies(o); err != nil {
				return err
			}
		case 0x00018004: // attSubject
			if err := d.Text(Location{}).Put(Location{Part: PartHeader, Name: "Subject"}, "Subject: "+strings.TrimRight(decodeANSI(v, page), "\x00")); err != nil {
				return err
			}
		case 0x0002800C: // attBody
			if err := d.Text(Location{}).Put(Location{}, strings.TrimRight(decodeANSI(v, page), "\x00")); err != nil {
				return err
			}
		default:
			if err := scrape(d, Location{Part: PartMetadata, Name: fmt.Sprintf("0x%08X", id)}, v, scrapeBoth); err != nil {
				return err
			}
		}
		if cut {
			if err := give(); err != nil {
				return err
			}
			return errMalformed
		}
	}
	return give()
}

func (d *Doc) tnefAttachment(f *tnefFile, n int) error {
	at := Location{Message: strconv.Itoa(n)}
	if d.base.Message != "" {
		at.Message = d.base.Message + "." + at.Message
	}
	m := Member{Name: f.title, At: at}
	data := f.data
	if f.props != nil {
		if s := f.props.string(mapiLongName, mapiFileName); s != "" {
			m.Name = s
		}
		m.Type = f.props.string(mapiMime)
		if err := d.mapiHeaders(f.props, at); err != nil {
			return err
		}
		if p := f.props.find(mapiData); p != nil && (len(data) == 0 || p.typ == 0x0D) {
			data = p.value
			if len(data) > 16 && p.typ == 0x0D { // The id of an interface stands before it.
				data = data[16:]
			}
		}
	}
	if m.Name == "" {
		m.Name = fmt.Sprintf("attachment%d", n)
	}
	if len(data) == 0 {
		return nil
	}
	m.Body, m.Size = bytes.NewReader(data), int64(len(data))
	return d.Member(m)
}

// tnefProperties reads a list of MAPI properties, [MS-OXTNEF] 2.1.3.4.
func tnefProperties(b []byte, page int) *mapiObject {
	o := &mapiObject{page: page}
	u32 := func() uint32 {
		if len(b) < 4 {
			b = nil
			return 0
		}
		v := binary.LittleEndian.Uint32(b)
		b = b[4:]
		return v
	}
	take := func(n int64) []byte {
		n = min(n, int64(len(b)))
		v := b[:n]
		b = b[min((n+3)/4*4, int64(len(b))):]
		return v
	}
	for range min(u32(), maxProperties) {
		if len(b) < 4 {
			break
		}
		tag := u32()
		p := mapiProperty{id: uint16(tag >> 16), typ: uint16(tag)}
		if p.id >= 0x8000 && len(b) >= 20 { // Named: a GUID, and a number or a string.
			b = b[16:]
			if kind := u32(); kind == 1 {
				p.name = display(strings.TrimRight(utf16String(take(int64(u32()))), "\x00"))
			} else {
				u32()
			}
		}
		count := uint32(1)
		many := p.typ&0x1000 != 0
		p.typ &^= 0x1000
		switch p.typ {
		case 0x1E, 0x1F, 0x0102, 0x0D:
			count = u32()
			for range min(count, maxProperties) {
				if len(b) < 4 {
					break
				}
				p.value = take(int64(u32()))
				o.props = append(o.props, p)
			}
			continue
		}
		if many {
			count = u32()
		}
		size := int64(4)
		switch p.typ {
		case 0x05, 0x06, 0x07, 0x14, 0x40:
			size = 8
		case 0x48:
			size = 16
		}
		p.value = take(size * int64(min(count, maxProperties)))
		o.props = append(o.props, p)
	}
	return o
}
