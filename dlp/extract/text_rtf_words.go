package extract

import (
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// dest is where the text of a group goes.
type dest int8

const (
	destBody dest = iota
	destSkip
	destOutside // behind the document
	destUnknown // after \*, and nobody knows it
	destHidden  // entries of an index
	destCapture // the name of what follows
	destClass   // of an object
	destValue   // of an attribute of a shape
	destFonts   // names of fonts
	destNames   // of styles, bookmarks, files
	destHeader  // and all below: see destinationPlaces
	destFooter
	destNote
	destComment
	destTextBox
	destLink // instructions of fields
	destProperty
	destVariable
	destForm
)

// destinationPlaces say where text of a destination stands. hangs: on the paragraph; named: the state has its name.
var destinationPlaces = map[dest]struct {
	part                 string
	hangs, named, hidden bool
}{
	destFonts: {part: PartName, hidden: true}, destNames: {part: PartName, hidden: true},
	destHeader: {part: PartHeader}, destFooter: {part: PartFooter}, destNote: {part: PartNote, hangs: true}, destComment: {part: PartComment, hangs: true},
	destTextBox: {part: PartTextBox, hangs: true}, destLink: {part: PartLink, hangs: true}, destProperty: {part: PartProperty, named: true},
	destVariable: {part: PartProperty, named: true}, destForm: {part: PartField, hangs: true, named: true},
}

// destinations are control words that begin a group of a kind of its own.
var destinations = func() map[string]dest {
	m := map[string]dest{}
	for to, words := range map[dest]string{
		destSkip: `colortbl themedata colorschememapping datastore latentstyles listtable listoverridetable rsidtbl pgptbl pict mmathPr wgrffmtfilter panose
			pn pnseclvl blipuid atnref atndate atntime atnparent atnicn creatim revtim printim buptim objtime info defchp defpap xmlnstbl`,
		destHidden: "xe tc tcn rxe txe", destCapture: "propname sn ffname", destClass: "objclass", destValue: "sv", destFonts: "fonttbl falt fname",
		destNames: "stylesheet bkmkstart filetbl objname objalias objsect", destHeader: "header headerl headerr headerf", destFooter: "footer footerl footerr footerf",
		destNote: "footnote", destComment: "annotation atnid atnauthor", destTextBox: "shptxt dptxbxtext shprslt", destLink: "fldinst",
		destProperty: `title subject author manager company operator category keywords comment doccomm hlinkbase staticval linkval generator template passwordhash
			protusertbl revtbl userprops`,
		destVariable: "docvar", destForm: "ffdeftext ffhelptext ffstattext ffformat ffentrymcr ffexitmcr ffl",
	} {
		for _, w := range strings.Fields(words) {
			m[w] = to
		}
	}
	return m
}()

// passing are destinations behind \* whose text belongs to the group around them.
var passing = set("shppict shpinst picprop moMath moMathPara mmath cs ds ts background ud formfield objdata fldrslt result nesttableprops")

// characters are control words that stand for one.
var characters = map[string]string{
	"tab": "\t", "cell": "\t", "nestcell": "\t", "line": "\n", "softline": "\n", "page": "\n", "column": "\n", "emdash": "\u2014", "endash": "\u2013",
	"bullet": "\u2022", "lquote": "\u2018", "rquote": "\u2019", "ldblquote": "\u201c", "rdblquote": "\u201d", "emspace": "\u2003", "enspace": "\u2002",
	"qmspace": "\u2005", "zwj": "\u200d", "zwnj": "\u200c", "zwbo": "\u200b", "zwnbo": "\u2060",
}

// command does what a control word says.
func (p *rtf) command(word string, n int, has bool) error {
	st := &p.st
	star := st.star
	st.star = false
	if to, ok := destinations[word]; ok {
		if st.dest == destSkip && to != destProperty && to != destValue && to != destCapture {
			return nil // Within what is left out, all is, but for what is said of the document, and of a picture.
		}
		return p.enter(to, word)
	}
	if s, ok := characters[word]; ok {
		return p.out([]byte(s))
	}
	on := !has || n != 0
	switch word {
	case "u":
		return p.unicode(n)
	case "uc":
		st.uc = min(max(n, 0), 64)
	case "par", "row", "nestrow", "sect":
		if st.dest != destBody {
			return p.out([]byte("\n"))
		}
		if err := p.flow.end(); err != nil {
			return err
		}
		p.paragraph++
	case "v":
		st.hidden = on
	case "deleted":
		st.deleted = on
	case "plain":
		st.hidden, st.deleted = false, false
		st.cs = p.fontCharset(p.deff)
	case "ansi", "mac", "pc", "pca":
		p.page(map[string]int{"ansi": 1252, "mac": 10000, "pc": 437, "pca": 850}[word])
	case "ansicpg":
		p.page(n)
	case "deff":
		p.deff = n
	case "f":
		if st.dest == destFonts {
			p.font = n
		}
		st.cs = p.fontCharset(n)
	case "fcharset":
		if page, ok := fontPages[n]; ok {
			p.setFont(page)
		}
	case "cpg":
		p.setFont(n)
	case "upr":
		st.first, st.outer = true, st.dest
	case "ud":
		st.dest = st.outer
	case "objdata":
		return p.object()
	default:
		if star && !passing[word] && st.dest != destSkip {
			return p.enter(destUnknown, word)
		}
	}
	return nil
}

// enter begins a destination.
func (p *rtf) enter(to dest, word string) error {
	p.flow.close()
	p.st.dest, p.st.name = to, word
	switch word {
	case "propname", "sn", "ffname":
		p.name = p.name[:0]
	case "objclass":
		p.class = p.class[:0]
	case "sv":
		p.value = p.value[:0]
	case "staticval", "linkval", "ffdeftext", "ffl", "ffhelptext", "ffstattext":
		if len(p.name) > 0 {
			p.st.name = string(p.name)
		}
	case "comment":
		p.st.name = "comments"
	}
	return nil
}

// page sets the code page of the document.
func (p *rtf) page(n int) {
	if cs, ok := codePage(n); ok {
		p.ansi, p.st.cs = cs, cs
		for i := range p.stack {
			p.stack[i].cs = cs
		}
	}
}

func (p *rtf) setFont(page int) {
	if cs, ok := codePage(page); ok && p.st.dest == destFonts && len(p.fonts) < maxFonts {
		p.fonts[p.font] = cs
		p.st.cs = cs
	}
}

func (p *rtf) fontCharset(n int) charset {
	if cs, ok := p.fonts[n]; ok {
		return cs
	}
	return p.ansi
}

// fontPages are the code pages of the numbers that \fcharset has. Those of Windows' default and of symbols are that of the document.
var fontPages = map[int]int{
	77: 10000, 128: 932, 129: 949, 130: 949, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255, 178: 1256, 179: 1256, 180: 1256, 181: 1255,
	186: 1257, 204: 1251, 222: 874, 238: 1250, 254: 437, 255: 850,
}

// codePage returns the charset of a code page of Windows.
func codePage(n int) (charset, bool) {
	enc, ok := map[int]encoding.Encoding{
		437: charmap.CodePage437, 850: charmap.CodePage850, 852: charmap.CodePage852, 855: charmap.CodePage855, 858: charmap.CodePage858, 860: charmap.CodePage860,
		862: charmap.CodePage862, 863: charmap.CodePage863, 865: charmap.CodePage865, 866: charmap.CodePage866, 874: charmap.Windows874, 932: japanese.ShiftJIS,
		936: simplifiedchinese.GBK, 949: korean.EUCKR, 950: traditionalchinese.Big5, 1250: charmap.Windows1250, 1251: charmap.Windows1251,
		1252: charmap.Windows1252, 1253: charmap.Windows1253, 1254: charmap.Windows1254, 1255: charmap.Windows1255, 1256: charmap.Windows1256,
		1257: charmap.Windows1257, 1258: charmap.Windows1258, 10000: charmap.Macintosh, 10007: charmap.MacintoshCyrillic, 20866: charmap.KOI8R,
		54936: simplifiedchinese.GB18030,
	}[n]
	if !ok {
		return charset{}, false
	}
	return charsetIn(enc)
}
