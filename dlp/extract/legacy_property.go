package extract

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Names of the properties of [MS-OLEPS] 2.25 (SummaryInformation) and [MS-OSHARED] 2.3.3.2 (DocumentSummaryInformation).
var (
	summaryNames = map[uint32]string{2: "title", 3: "subject", 4: "author", 5: "keywords", 6: "comments", 7: "template", 8: "last author", 9: "revision",
		11: "last printed", 12: "created", 13: "saved", 18: "application"}
	documentNames = map[uint32]string{2: "category", 3: "presentation format", 13: "titles of parts", 14: "manager", 15: "company", 21: "hyperlinks",
		26: "content type", 27: "content status", 28: "language", 29: "version"}
)

// maxProperties bounds the properties of one set.
const maxProperties = 10_000

// readProperties gives out the property sets of a storage.
func readProperties(d *Doc, s *storage) error {
	for _, st := range s.streams {
		if !strings.HasPrefix(st.name, "\x05") {
			continue
		}
		names := map[uint32]string(nil)
		switch strings.ToLower(st.name[1:]) {
		case "summaryinformation":
			names = summaryNames
		case "documentsummaryinformation":
			names = documentNames
		}
		b, err := st.bytes()
		if err != nil {
			return err
		}
		if err := propertySets(d, b, names, st.path); err != nil {
			return err
		}
	}
	return nil
}

// propertySets reads [MS-OLEPS] 2.21. What is no property set is scraped.
func propertySets(d *Doc, b []byte, names map[uint32]string, stream string) error {
	if len(b) < 28 || b[0] != 0xFE || b[1] != 0xFF {
		return scrape(d, Location{Part: PartProperty, Name: stream}, b, scrapeBoth)
	}
	sets := min(binary.LittleEndian.Uint32(b[24:]), 16)
	for i := range sets {
		at := 28 + int(i)*20
		if at+20 > len(b) {
			break
		}
		off := binary.LittleEndian.Uint32(b[at+16:])
		if int64(off)+8 > int64(len(b)) {
			continue
		}
		if i > 0 {
			names = nil // Those of the user.
		}
		if err := propertySet(d, b[off:], names); err != nil {
			return err
		}
	}
	return nil
}

func propertySet(d *Doc, b []byte, names map[uint32]string) error {
	n := int(min(binary.LittleEndian.Uint32(b[4:]), maxProperties, uint32(len(b)/8-1)))
	value := func(i int) (id uint32, v []byte) {
		id, off := binary.LittleEndian.Uint32(b[8+8*i:]), binary.LittleEndian.Uint32(b[12+8*i:])
		if int64(off) >= int64(len(b)) {
			return id, nil
		}
		return id, b[off:]
	}
	page, dict := 1252, map[uint32]string{}
	for i := range n {
		if id, v := value(i); id == 1 && len(v) >= 6 {
			page = int(binary.LittleEndian.Uint16(v[4:]))
		}
	}
	for i := range n {
		if id, v := value(i); id == 0 {
			dict = propertyDictionary(v, page)
			break
		}
	}
	left := len(b) // Properties may not share their bytes many times over.
	t := d.Text(Location{Part: PartProperty})
	for i := range n {
		id, v := value(i)
		if id < 2 || id == 0x80000000 || len(v) < 4 {
			continue
		}
		name := names[id]
		if user, ok := dict[id]; ok {
			name = user
		}
		if name == "" {
			if names != nil && id < 32 { // Counts of pages and words, pictures.
				continue
			}
			name = fmt.Sprintf("property %d", id)
		}
		text, used := propertyValue(v, page)
		if left -= used; left < 0 {
			break
		}
		if text == "" {
			continue
		}
		if err := t.Put(Location{Part: PartProperty, Name: name}, name+": "+text); err != nil {
			return err
		}
	}
	return nil
}

// propertyDictionary reads the names of the properties of a user, [MS-OLEPS] 2.17.
func propertyDictionary(b []byte, page int) map[uint32]string {
	out := map[uint32]string{}
	if len(b) < 4 {
		return out
	}
	n := min(binary.LittleEndian.Uint32(b), maxProperties)
	b = b[4:]
	for range n {
		if len(b) < 8 {
			break
		}
		id, size := binary.LittleEndian.Uint32(b), int64(binary.LittleEndian.Uint32(b[4:]))
		if page == 1200 {
			size *= 2
		}
		b = b[8:]
		if size > int64(len(b)) {
			break
		}
		out[id] = display(strings.TrimRight(decodeANSI(b[:size], page), "\x00"))
		if page == 1200 {
			size = min((size+3)/4*4, int64(len(b)))
		}
		b = b[size:]
	}
	return out
}

// propertyValue reads a typed value, [MS-OLEPS] 2.15, and says how many bytes it took.
func propertyValue(b []byte, page int) (string, int) {
	if len(b) < 8 {
		return "", len(b)
	}
	typ, v := binary.LittleEndian.Uint16(b), b[4:]
	if typ&0x1000 != 0 {
		return propertyVector(typ&^0x1000, v, page)
	}
	s, n := propertyScalar(typ, v, page)
	return s, n + 4
}

func propertyVector(typ uint16, v []byte, page int) (string, int) {
	n, used := min(binary.LittleEndian.Uint32(v), maxProperties), 4
	var out []string
	for range n {
		if used+4 >= len(v) {
			break
		}
		var s string
		var took int
		if typ == 0x0C {
			s, took = propertyValue(v[used:], page)
		} else {
			s, took = propertyScalar(typ, v[used:], page)
		}
		if took == 0 {
			break
		}
		used += took
		if s != "" {
			out = append(out, s)
		}
	}
	return strings.Join(out, "\t"), used + 4
}

func propertyScalar(typ uint16, v []byte, page int) (string, int) {
	switch typ {
	case 0x08, 0x1E, 0x1F: // BSTR, LPSTR, LPWSTR
		if len(v) < 4 {
			return "", 0
		}
		n := int64(binary.LittleEndian.Uint32(v))
		wide := typ == 0x1F || page == 1200
		if typ == 0x1F {
			n *= 2
		}
		n = min(n, int64(len(v)-4))
		s := v[4 : 4+n]
		used := 4 + int(n)
		if wide {
			used = (used + 3) / 4 * 4
			return strings.TrimRight(utf16String(s), "\x00"), used
		}
		if typ == 0x1E {
			used = (used + 3) / 4 * 4
		}
		return strings.TrimRight(decodeANSI(s, page), "\x00"), used
	case 0x02, 0x12:
		if len(v) >= 2 {
			return strconv.Itoa(int(int16(binary.LittleEndian.Uint16(v)))), 4
		}
	case 0x03, 0x13, 0x16, 0x17:
		if len(v) >= 4 {
			return strconv.Itoa(int(int32(binary.LittleEndian.Uint32(v)))), 4
		}
	case 0x0B:
		if len(v) >= 2 {
			return strconv.FormatBool(v[0] != 0), 4
		}
	case 0x14, 0x15:
		if len(v) >= 8 {
			return strconv.FormatInt(int64(binary.LittleEndian.Uint64(v)), 10), 8
		}
	case 0x05:
		if len(v) >= 8 {
			return number(math.Float64frombits(binary.LittleEndian.Uint64(v))), 8
		}
	case 0x40:
		if len(v) >= 8 {
			return fileTime(binary.LittleEndian.Uint64(v)), 8
		}
	}
	return "", 0
}

// fileTime says a time of 100 ns since 1601; "" where there is none.
func fileTime(v uint64) string {
	if v < 100_000_000_000_000_000 || v > 200_000_000_000_000_000 { // 1917 to 2234
		return ""
	}
	return time.Unix(int64(v/10_000_000)-11644473600, 0).UTC().Format("2006-01-02 15:04:05")
}

// number says a number with all its digits.
func number(f float64) string {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return ""
	}
	if math.Abs(f) >= 1e21 || f != 0 && math.Abs(f) < 1e-9 {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}
