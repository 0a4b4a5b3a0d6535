package extract

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

var messageKinds = []compoundKind{
	{id: "msg", media: "application/vnd.ms-outlook", is: func(s *storage) bool { return s.has("__properties_version1.0") }, read: readMSG},
}

// Numbers of the MAPI properties that have a place of their own, [MS-OXPROPS].
const (
	mapiSubject   = 0x0037
	mapiHeaders   = 0x007D
	mapiBody      = 0x1000
	mapiRTF       = 0x1009
	mapiHTML      = 0x1013
	mapiData      = 0x3701
	mapiFileName  = 0x3704
	mapiLongName  = 0x3707
	mapiMime      = 0x370E
	mapiRecipient = 0x0C15
	mapiCodepage  = 0x3FFD
	mapiInternet  = 0x3FDE
)

// mapiNames are the properties that a person reads as headers of a message.
var mapiNames = map[uint16]string{
	mapiSubject: "Subject", 0x0C1A: "From", 0x0C1F: "From", 0x5D01: "From", 0x0042: "Sender", 0x0065: "Sender", 0x5D02: "Sender", 0x0E04: "To", 0x0E03: "Cc",
	0x0E02: "Bcc", 0x0070: "Thread-Topic", 0x1035: "Message-ID", 0x1042: "In-Reply-To", 0x1039: "References", 0x0050: "Reply-To", 0x3001: "Name",
	0x3003: "Address", 0x39FE: "Address", 0x3A08: "Business phone", 0x3A09: "Home phone", 0x3A1C: "Mobile phone", 0x3A16: "Company", 0x3A17: "Title",
	0x3A06: "Given name", 0x3A11: "Surname",
}

// mapiProperty is one property of an object.
type mapiProperty struct {
	id, typ uint16
	value   []byte
	name    string // of a named one, or of what mapiNames says
}

// text is the value of a string or number; "" for all others.
func (p mapiProperty) text(page int) string {
	switch p.typ {
	case 0x001F:
		return strings.TrimRight(utf16String(p.value), "\x00")
	case 0x001E:
		return strings.TrimRight(decodeANSI(p.value, page), "\x00")
	case 0x0040:
		if len(p.value) >= 8 {
			return fileTime(binary.LittleEndian.Uint64(p.value))
		}
	}
	return ""
}

// mapiObject is a message, an attachment or a recipient.
type mapiObject struct {
	props []mapiProperty
	page  int
}

func (o *mapiObject) find(id uint16) *mapiProperty {
	for i := range o.props {
		if o.props[i].id == id && len(o.props[i].value) > 0 {
			return &o.props[i]
		}
	}
	return nil
}

func (o *mapiObject) string(ids ...uint16) string {
	for _, id := range ids {
		if p := o.find(id); p != nil {
			if s := p.text(o.page); s != "" {
				return s
			}
		}
	}
	return ""
}

func (o *mapiObject) number(id uint16) int {
	if p := o.find(id); p != nil && len(p.value) >= 4 {
		return int(binary.LittleEndian.Uint32(p.value))
	}
	return 0
}

// msgObject reads the properties of a storage: head is the length of what stands before those of fixed size.
func msgObject(s *storage, head int, names map[uint16]string) (*mapiObject, error) {
	o := &mapiObject{page: 1252}
	b, err := s.read("__properties_version1.0")
	if err != nil {
		return nil, err
	}
	for b = b[min(head, len(b)):]; len(b) >= 16; b = b[16:] {
		switch typ := binary.LittleEndian.Uint16(b); typ {
		case 0x0002, 0x0003, 0x0005, 0x000B, 0x0014, 0x0040:
			o.props = append(o.props, mapiProperty{id: binary.LittleEndian.Uint16(b[2:]), typ: typ, value: b[8:16]})
		}
		if len(o.props) > maxProperties {
			break
		}
	}
	if n := o.number(mapiCodepage); n != 0 {
		o.page = n
	} else if n := o.number(mapiInternet); n != 0 {
		o.page = n
	}
	for _, st := range s.streams {
		tag, ok := strings.CutPrefix(st.name, "__substg1.0_")
		if !ok || len(tag) < 8 {
			continue
		}
		v, err := strconv.ParseUint(tag[:8], 16, 32)
		if err != nil {
			continue
		}
		p := mapiProperty{id: uint16(v >> 16), typ: uint16(v)}
		p.name = names[p.id]
		p.typ &^= 0x1000 // One of several values has a stream of its own; the table of their lengths is no text.
		if len(tag) == 8 && v&0x1000 != 0 && (p.typ == 0x1E || p.typ == 0x1F) {
			st.used = true
			continue
		}
		if p.value, err = st.bytes(); err != nil {
			return nil, err
		}
		o.props = append(o.props, p)
	}
	return o, nil
}

// msgNames reads the names of properties of the sender's own, [MS-OXMSG] 2.2.3.
func msgNames(s *storage) (map[uint16]string, error) {
	out := map[uint16]string{}
	f := s.folder("__nameid_version1.0")
	if f == nil {
		return out, nil
	}
	entries, err := f.read("__substg1.0_00030102")
	if err != nil {
		return nil, err
	}
	names, err := f.read("__substg1.0_00040102")
	if err != nil {
		return nil, err
	}
	for _, st := range f.streams {
		st.used = true // Numbers, and the same names by their hash.
	}
	for e := entries; len(e) >= 8 && len(out) < maxProperties; e = e[8:] {
		off, kind, i := int64(binary.LittleEndian.Uint32(e)), binary.LittleEndian.Uint16(e[4:])&1, binary.LittleEndian.Uint16(e[6:])
		if kind == 0 || off+4 > int64(len(names)) {
			continue
		}
		n := int64(binary.LittleEndian.Uint32(names[off:]))
		if off+4+n > int64(len(names)) || n > 1024 {
			continue
		}
		out[0x8000+i] = display(utf16String(names[off+4 : off+4+n]))
	}
	return out, nil
}

func readMSG(d *Doc, s *storage) error {
	names, err := msgNames(s)
	if err != nil {
		return err
	}
	return readMessage(d, s, 32, names)
}

// readMessage reads a message that is a file or, with a shorter head of its properties, an attachment of another one.
func readMessage(d *Doc, s *storage, head int, names map[uint16]string) error {
	o, err := msgObject(s, head, names)
	if err != nil {
		return err
	}
	if err := d.mapiHeaders(o, Location{}); err != nil {
		return err
	}
	recipient, attachment := 0, 0
	for _, f := range s.folders {
		if !strings.HasPrefix(f.name, "__recip_version1.0") {
			continue
		}
		r, err := msgObject(f, 8, names)
		if err != nil {
			return err
		}
		recipient++
		if err := d.mapiRecipient(r); err != nil {
			return err
		}
	}
	if err := d.mapiBodies(o); err != nil {
		return err
	}
	for _, f := range s.folders {
		if !strings.HasPrefix(f.name, "__attach_version1.0") {
			continue
		}
		attachment++
		if err := msgAttachment(d, f, attachment, names); err != nil {
			return err
		}
	}
	return readProperties(d, s)
}

// mapiHeaders gives out the properties of an object that are text, but for its bodies.
func (d *Doc) mapiHeaders(o *mapiObject, at Location) error {
	t := d.Text(Location{Part: PartHeader})
	for _, p := range o.props {
		if p.id == mapiBody || p.id == mapiHTML || p.id == mapiRTF || p.id == mapiData {
			continue
		}
		s := p.text(o.page)
		if s == "" && p.typ == 0x0102 && len(p.value) >= 2*scrapeLeast {
			loc := at
			loc.Part, loc.Name = PartMetadata, fmt.Sprintf("0x%04X", p.id)
			if err := scrape(d, loc, p.value, scrapeBoth); err != nil {
				return err
			}
			continue
		}
		if s == "" || p.typ == 0x40 {
			continue
		}
		loc := at
		if p.id == mapiHeaders {
			loc.Part, loc.Name = PartHeader, "Transport headers"
			if err := d.Text(loc).WriteString(s + "\n"); err != nil {
				return err
			}
			continue
		}
		if loc.Part, loc.Name = PartHeader, mapiNames[p.id]; loc.Name == "" {
			if loc.Part, loc.Name = PartProperty, p.name; loc.Name == "" {
				loc.Name = fmt.Sprintf("0x%04X", p.id)
			}
		}
		if err := t.Put(loc, loc.Name+": "+s); err != nil {
			return err
		}
	}
	return nil
}

// mapiRecipient gives out a recipient.
func (d *Doc) mapiRecipient(o *mapiObject) error {
	kind := [4]string{"From", "To", "Cc", "Bcc"}[o.number(mapiRecipient)&3]
	name, address := o.string(0x3001), o.string(0x39FE, 0x3003)
	s := kind + ": " + name
	if address != "" && address != name {
		s += " <" + address + ">"
	}
	at := Location{Part: PartHeader, Name: kind}
	if err := d.Text(at).WriteString(s + "\n"); err != nil {
		return err
	}
	o.props = slices.DeleteFunc(o.props, func(p mapiProperty) bool { return p.id == 0x3001 || p.id == 0x39FE })
	return d.mapiHeaders(o, Location{})
}

// mapiBodies gives out the bodies of a message: text, HTML, RTF. Each is read, since they need not say the same.
func (d *Doc) mapiBodies(o *mapiObject) error {
	if s := o.string(mapiBody); s != "" {
		if err := d.Text(Location{}).WriteString(s); err != nil {
			return err
		}
	}
	if p := o.find(mapiHTML); p != nil {
		b := p.value
		if p.typ != 0x0102 {
			b = []byte(p.text(o.page))
		} else if n := o.number(mapiInternet); n != 0 && n != 65001 {
			b = []byte(decodeANSI(b, n))
		}
		if err := d.Member(htmlBody(bytes.NewReader(b), Location{})); err != nil {
			return err
		}
	}
	if p := o.find(mapiRTF); p != nil {
		rtf, err := unpackRTF(p.value, d.w.opt.Limits)
		if len(rtf) > 0 {
			if err := d.Member(Member{Body: bytes.NewReader(rtf), As: "text/rtf", Inline: true}); err != nil {
				return err
			}
		}
		if err != nil {
			d.Gap(err.(gapError).reason)
		}
	}
	return nil
}

// msgAttachment reads an attachment: a file, a message, or an object of OLE.
func msgAttachment(d *Doc, s *storage, n int, names map[uint16]string) error {
	o, err := msgObject(s, 8, names)
	if err != nil {
		return err
	}
	at := Location{Message: strconv.Itoa(n)}
	if d.base.Message != "" {
		at.Message = d.base.Message + "." + at.Message
	}
	m := Member{Name: o.string(mapiLongName, mapiFileName, 0x3001), Type: o.string(mapiMime), At: at}
	if m.Name == "" {
		m.Name = fmt.Sprintf("attachment%d", n)
	}
	if err := d.mapiHeaders(o, at); err != nil {
		return err
	}
	if f := s.folder("__substg1.0_3701000D"); f != nil {
		return d.Inner(m, "msg", "application/vnd.ms-outlook", func(c *Doc) error {
			if f.has("__properties_version1.0") {
				return readMessage(c, f, 24, names)
			}
			return readStorage(c, f)
		})
	}
	if p := o.find(mapiData); p != nil {
		m.Size, m.Body = int64(len(p.value)), bytes.NewReader(p.value)
		return d.Member(m)
	}
	return nil
}
