package extract

import (
	"bytes"
	"encoding/base64"
	"regexp"
	"strings"
)

// maxHeader is how much of one header is kept to be decoded, in bytes. What is longer comes out as it stands.
const maxHeader = 256 << 10

// mailHeader is what the headers of a mail or part tell about its body.
type mailHeader struct {
	media       string
	params      map[string]string
	encoding    string // of the transfer
	disposition string
	name        string // of a file
	subject     string
	location    string
	any         bool // there was a header
}

// header reads and gives out the headers up to the empty line behind them. Lines that are none stay within if a header follows, else the body begins there.
func (m *mailReader) header(num, media string) (mailHeader, error) {
	h := mailHeader{media: media}
	t := m.d.Text(Location{Part: PartHeader, Message: num})
	var cur []byte
	open := false
	flush := func() error {
		defer func() { cur, open = cur[:0], false }()
		if !open {
			return nil
		}
		return h.take(t, num, cur)
	}
	long := false // The line goes on.
	for {
		b, ok, err := m.next()
		if err != nil {
			return h, err
		}
		if !ok {
			return h, flush()
		}
		whole := b[len(b)-1] == '\n'
		line := bytes.TrimRight(b, "\r\n")
		switch {
		case long:
			cur = append(cur, line...)
		case len(line) == 0:
			return h, flush()
		case open && (line[0] == ' ' || line[0] == '\t'):
			if s := bytes.TrimLeft(line, " \t"); len(s) > 0 {
				cur = append(append(cur, ' '), s...)
			}
		default:
			_, is := headerName(line)
			if !is && !bytes.HasPrefix(line, []byte("From ")) && !bytes.HasPrefix(line, []byte(">From ")) {
				b = bytes.Clone(b) // Looking ahead moves it.
				line = bytes.TrimRight(b, "\r\n")
				ahead, _ := m.br.Peek(128)
				if next, ok := headerName(ahead); !ok || strings.ContainsAny(next, "\"<>/=@()[]{}") {
					m.back = b
					return h, flush()
				}
			}
			if err := flush(); err != nil {
				return h, err
			}
			cur, open = append(cur, line...), true
		}
		long = !whole
		if len(cur) > maxHeader {
			if err := flush(); err != nil {
				return h, err
			}
			open = true
		}
	}
}

// take gives out one header, and keeps what it tells about the body.
func (h *mailHeader) take(t *Text, num string, line []byte) error {
	name, ok := headerName(line)
	if !ok {
		at := Location{Part: PartHeader, Message: num}
		if bytes.HasPrefix(line, []byte("From ")) {
			at.Name = "From_"
		}
		t.At(at)
		return t.WriteString(string(decodeUTF8(line)) + "\n")
	}
	_, v, _ := bytes.Cut(line, []byte(":"))
	value := decodeWords(strings.TrimSpace(string(decodeUTF8(v))))
	low := strings.ToLower(name)
	switch low {
	case "content-type":
		media, params := headerParams(value)
		if h.params == nil || !strings.HasPrefix(h.media, "multipart/") && strings.HasPrefix(media, "multipart/") {
			if media != "" {
				h.media = media
			}
			h.params = params
			if h.name == "" {
				h.name = params["name"]
			}
		}
	case "content-transfer-encoding":
		if h.encoding == "" {
			h.encoding = strings.ToLower(strings.Trim(value, "\"'; \t"))
		}
	case "content-disposition":
		d, params := headerParams(value)
		h.disposition = d
		if params["filename"] != "" {
			h.name = params["filename"]
		}
	case "content-location":
		h.location = value
	case "subject":
		h.subject = value
	}
	h.any = true
	t.At(Location{Part: PartHeader, Message: num, Name: display(name)})
	return t.WriteString(name + ": " + value + "\n")
}

// headerParams takes apart a value with parameters, and puts together those that are in pieces or encoded (RFC 2231). What is wrong in it is left out.
func headerParams(s string) (string, map[string]string) {
	value, rest, _ := strings.Cut(s, ";")
	params := map[string]string{}
	pieces := map[string]string{}
	charsets := map[string]string{}
	for n := 0; rest != "" && n < 200; n++ {
		rest = strings.TrimLeft(rest, "; \t\r\n")
		key, after, ok := strings.Cut(rest, "=")
		if !ok {
			break
		}
		if i := strings.IndexByte(key, ';'); i >= 0 {
			rest = rest[i+1:]
			continue
		}
		key = strings.ToLower(strings.TrimSpace(key))
		after = strings.TrimLeft(after, " \t")
		var v string
		if strings.HasPrefix(after, `"`) {
			v, rest = quotedString(after[1:])
		} else {
			v, rest, _ = strings.Cut(after, ";")
			v = strings.TrimSpace(v)
		}
		base, encoded := strings.CutSuffix(key, "*")
		name, index, split := strings.Cut(base, "*")
		if encoded {
			if !split || index == "0" {
				if p := strings.SplitN(v, "'", 3); len(p) == 3 {
					charsets[name], v = p[0], p[2]
				}
			}
			v = unescapePercent(v)
			v = string(decodeCharset(charsets[name], []byte(v)))
		}
		switch {
		case split:
			pieces[name] += v // They come in order, or are wrong.
		case params[name] == "" || encoded:
			params[name] = v
		}
	}
	for k, v := range pieces {
		if params[k] == "" {
			params[k] = v
		}
	}
	return strings.ToLower(strings.TrimSpace(value)), params
}

// quotedString reads up to the closing quote.
func quotedString(s string) (v, rest string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') { // Others are of a Windows path that was not escaped.
				i++
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

func unescapePercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, ok := hexByte(s[i+1], s[i+2]); ok {
				b.WriteByte(v)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func hexByte(a, b byte) (byte, bool) {
	hi, ok1 := hexValue(a)
	lo, ok2 := hexValue(b)
	return hi<<4 | lo, ok1 && ok2
}

func hexValue(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// encodedWord is one of RFC 2047, also with blanks in it, which some mail programs write.
var encodedWord = regexp.MustCompile(`=\?([A-Za-z0-9_.:*+-]{1,60})\?([bBqQ])\?([^?]*)\?=`)

// decodeWords decodes encoded words. Those that follow one another in the same charset are decoded as one, since a character may be split between them.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	var out strings.Builder
	var held []byte
	charset := ""
	flush := func() {
		if len(held) > 0 {
			out.Write(decodeCharset(charset, held))
		}
		held = held[:0]
	}
	at, words := 0, false
	for _, m := range encodedWord.FindAllStringSubmatchIndex(s, -1) {
		between := s[at:m[0]]
		if !words || strings.Trim(between, " \t") != "" {
			flush()
			out.WriteString(between)
		}
		cs, _, _ := strings.Cut(strings.ToLower(s[m[2]:m[3]]), "*") // A language may stand behind it.
		if cs != charset {
			flush()
			charset = cs
		}
		held = append(held, decodeWord(s[m[4]], s[m[6]:m[7]])...)
		at, words = m[1], true
	}
	flush()
	out.WriteString(s[at:])
	return out.String()
}

func decodeWord(kind byte, s string) []byte {
	if kind|0x20 == 'b' {
		s = strings.Map(func(r rune) rune {
			if r == '=' || r <= ' ' {
				return -1
			}
			return r
		}, s)
		b, err := base64.RawStdEncoding.DecodeString(s)
		if err != nil {
			b = append(b, s...) // What could not be decoded is not lost.
		}
		return b
	}
	var out []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '_':
			out = append(out, ' ')
		case s[i] == '=' && i+2 < len(s):
			if v, ok := hexByte(s[i+1], s[i+2]); ok {
				out = append(out, v)
				i += 2
				continue
			}
			out = append(out, '=')
		default:
			out = append(out, s[i])
		}
	}
	return out
}
