// Package corpus makes the reference corpus: texts of a seed with values planted in them, and the places of these and of decoys. The engine's speed
// is measured on it, and what each detector finds and wrongly finds. Every value is drawn when the corpus is made; no file holds one.
package corpus

import (
	"errors"
	"math/rand/v2"
	"slices"

	"github.com/outband/outband/dlp"
)

// Configuration says which corpus is made. The same configuration with the same detectors gives the same corpus.
type Configuration struct {
	Size  int    // bytes of all texts together, at least; the last document ends behind it
	Seed  uint64 // of everything that is drawn
	Clean bool   // nothing is planted, and there are no decoys
}

// MaxSize bounds a corpus, in bytes: it is held in memory.
const MaxSize = 1 << 30

// DefaultConfiguration is the corpus that is measured unless another is asked for.
func DefaultConfiguration() Configuration { return Configuration{Size: 64 << 20, Seed: 1} }

// Forms of documents.
const (
	FormChat  = "chat"  // a conversation as JSON, half of all bytes
	FormProse = "prose" // a fifth
	FormCode  = "code"  // several languages, a fifth
	FormLog   = "log"   // a tenth
)

// forms is in the proportion of their bytes; documents of all forms are of like sizes.
var forms = []string{FormChat, FormProse, FormChat, FormCode, FormChat, FormLog, FormChat, FormProse, FormChat, FormCode}

// share is one byte in so many that is planted.
const share = 100

// Place is a part of a document, in bytes, end exclusive.
type Place struct {
	Start, End int
	Name       string // of a planted value: the detector; of a decoy: what it is
	Wide       bool   // a match may cover a part of it only: source code, hidden text, lists
	From, To   int    // what else of an example stands around it, and may hold more of the kind; both 0: nothing
}

// Document is one text and what was put into it.
type Document struct {
	Form    string
	Text    []byte
	Planted []Place
	Decoys  []Place
}

// Corpus is a made corpus.
type Corpus struct {
	Documents []Document
	Size      int // bytes of all texts
	Sensitive int // bytes of all planted values
}

// New makes a corpus with values for these detectors, each as often as the others. The error names the detector whose values cannot be made.
func New(detectors []dlp.Detector, cfg Configuration) (*Corpus, error) {
	if cfg.Size <= 0 || cfg.Size > MaxSize {
		return nil, errors.New("size of a corpus is not between 1 byte and 1 GiB")
	}
	m := &maker{rng: rand.New(rand.NewPCG(cfg.Seed, 0x6f757462616e64)), clean: cfg.Clean}
	if !cfg.Clean {
		for _, d := range detectors {
			k, err := newKind(d)
			if err != nil {
				return nil, err
			}
			m.kinds = append(m.kinds, k)
		}
		m.decoys = decoys()
	}
	c := &Corpus{}
	for n := 0; m.total < cfg.Size; n++ {
		if err := m.document(forms[n%len(forms)], n); err != nil {
			return nil, err
		}
		c.Documents = append(c.Documents, m.doc)
	}
	c.Size, c.Sensitive = m.total, m.sensitive
	return c, nil
}

// Join returns all texts as one, with a line feed behind each.
func (c *Corpus) Join() []byte {
	out := make([]byte, 0, c.Size+len(c.Documents))
	for _, d := range c.Documents {
		out = append(append(out, d.Text...), '\n')
	}
	return out
}

// maker is the state of a corpus in the making.
type maker struct {
	rng       *rand.Rand
	clean     bool
	kinds     []*kind
	decoys    []decoy
	order     []int // kinds still to plant in this round
	ordered   []int // decoys still to put in this round
	total     int
	sensitive int

	doc    Document
	escape bool // what is written stands in a string of JSON
	dirty  bool // values are planted in this document
	dark   bool // decoys are put into this document
}

// document makes the next document.
func (m *maker) document(form string, n int) error {
	m.doc = Document{Form: form}
	m.dirty, m.dark = !m.clean && m.rng.IntN(3) == 0, !m.clean && m.rng.IntN(3) == 0
	size := 2<<10 + m.rng.IntN(14<<10)
	var err error
	switch form {
	case FormChat:
		err = m.chat(n, size)
	case FormProse:
		err = m.prose(size)
	case FormCode:
		err = m.code(size)
	default:
		err = m.log(size)
	}
	m.total += len(m.doc.Text)
	return err
}

// write appends text to the document, escaped where it stands in a string of JSON.
func (m *maker) write(text string) {
	if m.escape {
		m.doc.Text = appendEscaped(m.doc.Text, text)
		return
	}
	m.doc.Text = append(m.doc.Text, text...)
}

// fill is called between two paragraphs: it plants the next value when too few are planted, and puts the next decoy now and then.
func (m *maker) fill() error {
	if m.dirty && m.sensitive*share < m.total+len(m.doc.Text) {
		k := m.kinds[m.next(&m.order, len(m.kinds))]
		p, err := k.piece(m.rng, m.doc.Form)
		if err != nil {
			return err
		}
		from := len(m.doc.Text)
		m.write(p.before)
		at := Place{Start: len(m.doc.Text), Name: k.ID, Wide: k.wide}
		m.write(p.value)
		at.End = len(m.doc.Text)
		m.write(p.after)
		if p.kept {
			at.From, at.To = from, len(m.doc.Text)
		}
		m.doc.Planted = append(m.doc.Planted, at)
		m.sensitive += at.End - at.Start
		return nil
	}
	if m.dark && m.rng.IntN(4) == 0 {
		d := m.decoys[m.next(&m.ordered, len(m.decoys))]
		before, after := d.surroundings(m.rng)
		m.write(before)
		at := Place{Start: len(m.doc.Text), Name: d.name}
		m.write(d.value(m.rng))
		at.End = len(m.doc.Text)
		m.write(after)
		m.doc.Decoys = append(m.doc.Decoys, at)
	}
	return nil
}

// next draws from n things so that each comes once in a round.
func (m *maker) next(left *[]int, n int) int {
	if len(*left) == 0 {
		*left = m.rng.Perm(n)
	}
	i := (*left)[0]
	*left = slices.Delete(*left, 0, 1)
	return i
}

func one[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }
