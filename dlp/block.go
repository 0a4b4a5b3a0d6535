package dlp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/outband/outband/dlp/view"
	"github.com/outband/outband/internal/id"
)

// source gives the blocks of a text in order.
type source interface {
	// next returns the bytes of the next block with its margins, where they start in the text, and which part of them (relative) is the
	// block's own. io.EOF follows the last block.
	next(ctx context.Context, size int) (buf []byte, base, ownStart, ownEnd int, err error)
}

// memory is a text that is there as a whole.
type memory struct {
	text []byte
	at   int
}

func (m *memory) next(_ context.Context, size int) ([]byte, int, int, int, error) {
	if m.at >= len(m.text) {
		return nil, 0, 0, 0, io.EOF
	}
	start, end := m.at, min(m.at+size, len(m.text))
	m.at = end
	from := max(0, start-margin)
	from = calm(m.text, from)
	return m.text[from:min(end+margin, len(m.text))], from, start - from, end - from, nil
}

// calm moves a cut to the left until it is not in the middle of an escape or a character. A kilobyte without such a place is cut anyhow.
func calm(text []byte, at int) int {
	for i := at; i > 0 && at-i < 1024; i-- {
		if i%2 == 0 && text[i]&0xc0 != 0x80 && bytes.IndexByte(text[max(0, i-12):i], '\\') < 0 {
			return i
		}
	}
	return at &^ 1 // UTF-16 stays in step.
}

// candidate is a confirmed match in the view of one block.
type candidate struct {
	rule       *rule
	start, end int // in the view
	from, to   int // in the block
	confidence float64
	validated  bool
	formed     bool     // its form alone says what it may be, so that a word against it does not outweigh those for it
	words      [3]int16 // indices of context words + 1
	base       float64  // confidence before anything was added or taken away
	marks      Marks    // what was
	raw        []byte   // hidden characters, which are not in the view; else nil
}

// state is the working memory of one scan. A pool keeps it, so clean text allocates nothing.
type state struct {
	engine        *Engine
	keys          Keys
	byID          *id.Summer // of keys; nil: no key, or no match yet
	byFingerprint *id.Summer
	memory        memory
	decoder       view.Decoder
	view          view.View
	text          []byte // the view's text
	src           []byte // the block
	base          int    // where the view begins in the text; 0: at its beginning
	columns       []column
	line          openLine
	header        []byte // the column names of a table, in lower case; see readHeader
	names         [headerBytes]byte
	columnWords   wordList // of header
	near          nearby
	cands         []candidate
	order         []ordered // of cands, before matches are made
	passed        int       // those of order that end before the context of the match that is made
	covers        []span    // matches that touch the context of the one that is made
	found         []found
	contest       []int        // room for settle
	reached       int          // the end of the one that reaches furthest
	kept          []int        // matches kept so far, by rule
	forms         [][]codeLine // lines of code, by rule of engine.codes
	runs          []charRun    // by rule
	lastList      listRun
	judged        []judged // by rule
	verdicts      [verdicts]verdict
	lookouts      []lookout  // by rule.slot
	attempts      []attempts // by rule.wanders
	blocks        int        // number of the block, counted over all scans
	deadline      time.Time
	steps         int
	current       *rule
	over          bool
	cut           bool
	nested        nested
	published     *published         // what this scan leaves out; nil: nothing
	room          [maxPublished]byte // of published
	tried         []int64            // candidates that were looked at, by rule
	touched       []int              // rules that tried names
	exact         []*tableState
	placed        Placed     // of a document's text; else nil
	columnAt      charColumn // at the end of the last block's own part
}

// found is a match that left its block, with what overlap resolution needs.
type found struct {
	Match
	rule      *rule
	order     int    // its place in state.order, in its block
	canonical string // the value, until it is digested
	group     int    // not 0: it was compressed; those of one group have one place and do not overlap
	place     int    // among those of its group
	source    int64  // first byte in the document's file; -1: none
	sourceEnd int64
}

func newState(e *Engine) *state {
	n := len(e.rules)
	s := &state{
		engine: e, kept: make([]int, n), tried: make([]int64, n), runs: make([]charRun, n), judged: make([]judged, n), lookouts: make([]lookout, e.slots),
		attempts: make([]attempts, e.wander), forms: make([][]codeLine, len(e.codes)),
	}
	s.nested.root, s.nested.kept = s, make([]int, n)
	return s
}

// run scans a whole text, block by block. A panic in a detector ends this text only.
func (s *state) run(ctx context.Context, src source) (res Result, err error) {
	defer func() {
		// The value of a panic may quote the text, so it is dropped (invariant 4).
		if p := recover(); p != nil {
			id := "-"
			if r := s.working(); r != nil {
				id = r.ID
			}
			s.cands = s.cands[:0]
			res, err = Result{}, fmt.Errorf("scan with detector %s: %w", id, ErrPanic)
		}
	}()
	clear(s.kept)
	s.found, s.reached, s.over, s.cut, s.current, s.columns = s.found[:0], 0, false, false, nil, s.columns[:0]
	s.nested.begin()
	s.columnAt = charColumn{}
	var left time.Duration
	line, enc := 1, view.UTF8
	for first := true; ; first = false {
		buf, base, own, end, err := src.next(ctx, s.engine.cfg.BlockSize)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Result{}, err
		}
		skip := 0
		if first {
			enc, skip = view.Detect(buf)
			s.columnAt.char = -min(skip, 1) // A byte order mark stands in no column.
		}
		// Only the time spent scanning counts, not the time that reading takes.
		start := time.Now()
		left += s.engine.cfg.BudgetPerMiB * time.Duration((end-own)>>20+1)
		s.deadline = start.Add(left)
		had := len(s.found)
		line = s.block(buf, base, own, end, skip, enc, line)
		s.locate(buf, base, own, end, enc, had)
		left -= time.Since(start)
		if s.over {
			return Result{}, ErrBudget
		}
	}
	return s.finish(), nil
}

// block scans one block and keeps the matches that start in its own part. It returns the line at the end of that part.
func (s *state) block(buf []byte, base, own, end, skip int, enc view.Encoding, line int) int {
	s.src = buf[skip:]
	s.view = s.decoder.Decode(s.src, enc)
	s.text, s.base = s.view.Text, base
	s.blocks++
	if base == 0 && own == 0 {
		s.readHeader()
	}
	s.cands = s.cands[:0]
	s.near.forget()
	s.engine.filter.find(s)
	s.digits()
	s.ats()
	if len(s.columns) > 0 {
		s.columnRows()
	}
	s.unseen()
	s.code()
	if len(s.engine.dictionaries) > 0 {
		s.dictionaries()
	}
	if len(s.engine.tables) > 0 {
		s.tables()
	}
	had := len(s.found)
	s.encoded(base+skip, own-skip, end-skip, enc, line)
	for i := had; i < len(s.found); i++ {
		s.reached = max(s.reached, s.found[i].End)
	}
	if len(s.cands) > 0 {
		s.collect(base+skip, own-skip, end-skip, enc, line)
	}
	return line + countLines(buf[max(own, 0):end], enc)
}

// countLines counts line feeds.
func countLines(b []byte, enc view.Encoding) int {
	if enc == view.UTF8 {
		return bytes.Count(b, []byte{'\n'})
	}
	unit := []byte{'\n', 0}
	if enc == view.UTF16BE {
		unit = []byte{0, '\n'}
	}
	n := 0
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == unit[0] && b[i+1] == unit[1] {
			n++
		}
	}
	return n
}

// ordered is where a candidate stands in the order of the text. Its first two fields are what candidates are sorted by; all else of them stays where it is.
type ordered struct {
	place uint64 // start, then end
	rule  int32  // its index
	n     int32  // the candidate's place in state.cands
}

func (o ordered) start() int { return int(o.place >> 32) }
func (o ordered) end() int   { return int(uint32(o.place)) }

// sort puts the candidates in order: by place, and those of one rule at one place with the surest first.
func (s *state) sort() {
	s.order, s.passed = s.order[:0], 0
	for i := range s.cands {
		c := &s.cands[i]
		s.order = append(s.order, ordered{uint64(c.start)<<32 | uint64(c.end), int32(c.rule.index), int32(i)})
	}
	slices.SortFunc(s.order, func(a, b ordered) int {
		if a.place != b.place {
			return cmp.Compare(a.place, b.place)
		}
		if a.rule != b.rule {
			return cmp.Compare(a.rule, b.rule)
		}
		x, y := &s.cands[a.n], &s.cands[b.n]
		return cmp.Or(cmp.Compare(y.confidence, x.confidence), cmp.Compare(x.from, y.from), cmp.Compare(a.n, b.n))
	})
}

// collect turns the candidates of a block's own part into matches; those of the margins only hide their characters from the contexts.
func (s *state) collect(base, own, end int, enc view.Encoding, line int) {
	for i := range s.cands {
		c := &s.cands[i]
		if c.raw == nil {
			c.from, c.to = s.view.Start(c.start), s.view.End(c.end)
		}
	}
	s.sort()
	at, first, alone := max(own, 0), len(s.found), false
	for i, o := range s.order {
		c := &s.cands[o.n]
		if c.from < own || c.from >= end || i > 0 && s.order[i-1].place == o.place && s.order[i-1].rule == o.rule {
			continue
		}
		if s.kept[o.rule] >= s.engine.cfg.MaxMatches {
			s.cut = true
			continue
		}
		s.kept[o.rule]++
		if s.nested.outside(base+c.from, base+c.to) {
			continue
		}
		line += countLines(s.src[at:max(at, c.from)], enc)
		at = max(at, c.from)
		f := s.match(i, base, line)
		if f.Start >= s.reached || first == len(s.found) {
			s.settle(first, alone)
			first, alone = len(s.found), f.Start >= s.reached
		}
		s.found = append(s.found, f)
		s.reached = max(s.reached, f.End)
	}
	// What the next block begins with may overlap the last.
	s.settle(first, alone && s.reached <= base+end)
}

// overdue ends the work of a text that takes too long. It looks at the clock only now and then.
func (s *state) overdue() bool {
	if s.steps++; s.steps&255 == 0 && s.engine.cfg.BudgetPerMiB > 0 && time.Now().After(s.deadline) {
		s.over = true
	}
	return s.over
}
