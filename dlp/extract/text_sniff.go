package extract

import (
	"bytes"
	"mime"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/gabriel-vasile/mimetype"
)

// notebookType is that of a Jupyter notebook.
const notebookType = "application/x-ipynb+json"

// isCleanText reports whether bytes are UTF-8 without one control character that no text has. No image, sound or program begins with 16 KiB of that, but a
// text may begin with the letters that one begins with.
func isCleanText(head []byte) bool {
	for _, b := range head {
		if control(b) {
			return false
		}
	}
	return len(head) > 0 && validUTF8(head)
}

// control reports whether b is a control character that stands in no text: all but blanks, the bell, backspace, escape (of coloured logs), Control-Z (the
// end of a file of DOS) and the four separators.
func control(b byte) bool {
	return b < 0x07 || b > 0x0d && b < 0x1a || b == 0x7f
}

// validUTF8 reports whether b is UTF-8, but for a character that its end cuts.
func validUTF8(b []byte) bool {
	for n := 0; n < utf8.UTFMax && n <= len(b); n++ {
		if cut := b[len(b)-n:]; n > 0 && (!utf8.RuneStart(cut[0]) || utf8.FullRune(cut)) {
			continue
		}
		if utf8.Valid(b[:len(b)-n]) {
			return true
		}
	}
	return false
}

// isTextHead reports whether a file of no known type is text. The line between text and binary data:
//   - with the mark of UTF-8, UTF-16 or UTF-32, or in UTF-16, UTF-32 or EBCDIC without one: at least 9 of 10 characters are no control characters;
//   - valid UTF-8: control characters are at most one in 10 bytes that are not NUL, and a run of NULs counts as half a one, so that a log with a hole, a
//     list that find -print0 wrote, or an environment is text, and so is one with a byte of binary data here and there;
//   - other bytes: control characters and runs of NULs are at most one in 50 and a few more, and letters, digits and blanks of ASCII, or bytes beyond ASCII in a
//     charset that they are likely to be in, make up the rest. Random bytes have one in 10.
func isTextHead(head []byte) bool {
	if len(head) == 0 {
		return true
	}
	if cs := charsetOf(head, "", false); cs.wide {
		return printableShare(cs.decode(head)) >= 0.9
	}
	controls, holes, rest, nul := 0, 0, 0, false
	plain, ascii := make([]byte, 0, len(head)), 0
	for _, b := range head {
		if b == 0 {
			if !nul {
				holes++
			}
			nul = true
			continue
		}
		nul = false
		rest++
		if control(b) {
			controls++
			continue
		}
		plain = append(plain, b)
		if b == ' ' || b == '\n' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' {
			ascii++
		}
	}
	if validUTF8(plain) {
		return 10*controls+5*holes <= rest && rest > 0
	}
	if controls+holes > rest/50+min(damaged, rest/30) {
		return false
	}
	return 2*ascii > len(plain) || isEUC(head) || charsetOf(plain, "", false).enc != nil
}

// damaged is how many control characters and runs of NULs more a short text may have, of which a few bytes are broken.
const damaged = 6

// isEUC reports whether b is Chinese, Japanese or Korean in two bytes each above A0 (EUC), of which some may be broken: 9 of 10 bytes beyond ASCII are of
// such pairs, and 7 of 10 pairs begin as signs, kana or the common letters do. Of random bytes 5 of 10 are, and 3 of 10 do.
func isEUC(b []byte) bool {
	high, pairs, common := 0, 0, 0
	for len(b) > 0 {
		n := 0
		var begins [2]int // pairs that begin with what is common, if the run begins with one and if with half a one
		for ; n < len(b) && b[n] >= 0xa1; n++ {
			if lead := b[n]; lead == 0xa1 || lead >= 0xa3 && lead <= 0xa5 || lead >= 0xb0 && lead <= 0xd7 {
				begins[n%2]++
			}
		}
		high, pairs, common = high+n, pairs+n/2, common+min(max(begins[0], begins[1]), n/2)
		if n < len(b) && b[n] >= utf8.RuneSelf {
			high++
		}
		b = b[min(len(b), n+1):]
	}
	return pairs >= 8 && 20*pairs >= 9*high && 10*common >= 7*pairs
}

// printableShare is which part of the characters of a text in UTF-8 are no control characters and no damage.
func printableShare(text []byte) float64 {
	good, all := 0, 0
	for _, r := range string(text) {
		if all++; r != utf8.RuneError && (r >= utf8.RuneSelf || !control(byte(r))) {
			good++
		}
	}
	return float64(good) / float64(max(all, 1))
}

// kindOfText tells which kind of text begins with head. Where that may be of more than one kind, the name or the declared type chooses, and never anything
// but a kind of text.
func kindOfText(media string, head []byte, name, told string) string {
	cs := charsetOf(head, "", false)
	if cs.wide {
		head = cs.decode(head)
		media = mediaType(mimetype.Detect(head))
		if !isText(mimetype.Lookup(media)) {
			media = "text/plain"
		}
	}
	head = bytes.TrimPrefix(head, utf8Mark)
	start := bytes.TrimLeft(head, " \t\r\n")
	ending := strings.ToLower(path.Ext(name))
	told, _, err := mime.ParseMediaType(told)
	if err != nil {
		told = ""
	}
	switch {
	case !cs.wide && bytes.HasPrefix(start, []byte(`{\rt`)):
		return "text/rtf"
	case isNotebook(start):
		return notebookType
	case media == "text/html" || media == "application/xhtml+xml":
		if otherText(ending) && ending != ".csv" && ending != ".tsv" {
			return "text/plain" // Markdown and source code may begin with a tag.
		}
	case media == "text/plain" || media == "text/csv" || media == "text/tab-separated-values":
		switch {
		case ending == ".csv" || ending == ".psv" || told == "text/csv" || told == "application/csv":
			return "text/csv"
		case ending == ".tsv" || ending == ".tab" || told == "text/tab-separated-values":
			return "text/tab-separated-values"
		case htmlEndings[ending] || told == "text/html" || told == "application/xhtml+xml":
			return "text/html"
		case otherText(ending):
			return "text/plain"
		case media == "text/plain" && len(ending) == 0 && separator(head) != 0 && manyRows(head, separator(head)):
			return "text/csv"
		}
	}
	return media
}

var (
	utf8Mark    = []byte{0xef, 0xbb, 0xbf}
	htmlEndings = set(".html .htm .xhtml .shtml")
)

// otherText reports whether the ending of a name is that of a kind of text that is neither prose nor HTML.
func otherText(ending string) bool {
	return textEndings[ending] && !htmlEndings[ending] && ending != ".txt" && ending != ".text" && ending != ".log"
}

// isNotebook reports whether JSON that begins so is that of a Jupyter notebook: an object with cells or their format version among its first keys.
func isNotebook(start []byte) bool {
	if len(start) == 0 || start[0] != '{' {
		return false
	}
	key := bytes.TrimLeft(start[1:], " \t\r\n")
	for _, k := range []string{`"cells"`, `"metadata"`, `"nbformat"`, `"nbformat_minor"`, `"worksheets"`} {
		if bytes.HasPrefix(key, []byte(k)) {
			return bytes.Contains(start, []byte(`"cell_type"`)) || bytes.Contains(start, []byte(`"nbformat"`))
		}
	}
	return false
}
