package extract

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// headBytes is how much of a file is looked at to tell its type.
const headBytes = 16 << 10

// walker reads one item: a file and all that is in it.
type walker struct {
	ctx    context.Context
	opt    Options
	sink   Sink
	report Report
	held   int64 // bytes of files in memory
	file   *Held // the file itself, if it is in memory
	text   *Text // that was written last
	fatal  error // what ended the whole reading: that of the sink, of the source or of the context, or errStop
}

// stop notes what ends the whole reading. A format may lose or wrap the error on its way; the first one counts.
func (w *walker) stop(err error) error {
	if w.fatal == nil {
		w.fatal = err
	}
	return w.fatal
}

// Doc is one file or member that a format reads.
type Doc struct {
	Name   string // as it was told; never trusted
	Type   string // by content
	Size   int64  // declared; 0: unknown. Never trusted
	told   string // declared media type, which chooses between kinds of text and names a charset; nothing else
	w      *walker
	Quiet  bool // part of the look of a document: what it does not hold as text is no gap
	format string
	path   string
	depth  int
	free   int // of the levels in depth that do not count
	flat   bool
	base   Location // of the member, which its texts' locations take over where they say nothing
	r      *bufio.Reader
	data   []byte
	held   int64 // bytes beside data that count as held
	whole  bool
}

// Member is a file inside another one.
type Member struct {
	Name string
	Type string // declared
	Size int64  // declared; 0: unknown
	Body io.Reader
	In   func() int64 // compressed bytes that were taken so far to make those that Body gave; nil: it is not compressed
	At   Location     // where it hangs: the message part of an attachment, the slide of an embedded workbook
	// As is the media type that text is read as if its bytes show no type of their own: text/html of a mail's body.
	As string
	// Inline is a body of the document rather than a file in it: it has the path of the document and counts for no member.
	Inline bool
	// Quiet members are left out when nothing reads their type, without a gap: fonts and pictures that belong to the look of a document.
	Quiet bool
	// Flat says that the container holds this file alone, as gzip does: it counts as no level of depth, unless the container is such a file itself.
	Flat bool
}

// Context ends when nobody waits for the result any more. A format that works long without reading or writing looks at it.
func (d *Doc) Context() context.Context { return d.w.ctx }

// Options are those of the run.
func (d *Doc) Options() Options { return d.w.opt }

// Reader gives the bytes as they come, for formats that read them once, from the first to the last.
func (d *Doc) Reader() io.Reader { return d.r }

// Bytes reads the whole file into memory. The error is one to return.
func (d *Doc) Bytes() ([]byte, error) {
	if d.whole {
		return d.data, nil
	}
	if data, ok := d.spooled(); ok {
		d.data, d.whole = data, true
		d.w.held += int64(len(data))
		return data, nil
	}
	// Pieces are joined once, so that a large file takes twice its size for a moment, and no more.
	var pieces [][]byte
	size := int64(0)
	piece := make([]byte, 0, min(max(d.Size, leastPiece), mostPiece))
	for {
		if d.w.held+size+int64(len(piece)) > d.w.opt.Limits.Memory {
			return nil, errMemory
		}
		n, err := io.ReadFull(d.r, piece[len(piece):min(cap(piece), len(piece)+leastPiece)])
		if piece = piece[:len(piece)+n]; err != nil {
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				break
			}
			return nil, err
		}
		if len(piece) == cap(piece) {
			size += int64(len(piece))
			pieces = append(pieces, piece)
			piece = make([]byte, 0, min(size, mostPiece))
		}
	}
	d.data, d.whole = piece, true
	if len(pieces) > 0 {
		d.data = slices.Concat(append(pieces, piece)...)
	}
	d.w.held += int64(len(d.data))
	return d.data, nil
}

// A file that is held comes in pieces of so many bytes. What is declared is believed up to the first piece's size, and no further.
const (
	leastPiece = 16 << 10
	mostPiece  = 1 << 20
)

// keep counts n more bytes that the format keeps in memory until the file is read. The error is one to return.
func (d *Doc) keep(n int64) error {
	if err := d.hold(n); err != nil {
		return err
	}
	d.held += n
	return nil
}

// as says what the file is, more exactly than its first bytes told: a kind of document in a container.
func (d *Doc) as(id, media string) { d.format, d.Type = id, media }

// Gap notes that something of the file was not read; the reading goes on.
func (d *Doc) Gap(reason string) { d.w.gap(d.path, reason, d.Type) }

func (w *walker) gap(path, reason, media string) {
	if len(w.report.Gaps) >= maxGaps {
		w.report.Cut++
		return
	}
	w.report.Gaps = append(w.report.Gaps, Gap{path, reason, media})
}

// Text begins a text of the file; what is written to it is scanned together. Only one is open: writing to another one begins that again.
func (d *Doc) Text(at Location) *Text {
	return &Text{d: d, at: d.where(at), source: -1}
}

// RawText is the text of a file whose bytes are written as they are, all of them.
func (d *Doc) RawText(at Location) *Text {
	t := d.Text(at)
	t.raw = true
	return t
}

func (d *Doc) where(at Location) Location {
	at.Path = d.path
	b := d.base
	if at.Message == "" {
		at.Message = b.Message
	}
	if at.Page == 0 {
		at.Page = b.Page
	}
	if at.Slide == 0 {
		at.Slide = b.Slide
	}
	at.Hidden = at.Hidden || b.Hidden
	return at
}

// Text is written to in order. Its errors are those to return.
type Text struct {
	d      *Doc
	at     Location
	marked bool // at was told to the sink
	raw    bool
	source int64
	told   bool // source was told
}

// At says where what is written next stands.
func (t *Text) At(at Location) {
	if at = t.d.where(at); at != t.at {
		t.at, t.marked = at, false
	}
}

// Source says which byte of the file the next one written is; -1: none. It holds as long as each byte written is one of the file.
func (t *Text) Source(offset int64) { t.source, t.told = offset, false }

// Write gives out text.
func (t *Text) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	w := t.d.w
	if w.fatal != nil {
		return 0, w.fatal
	}
	if err := w.ctx.Err(); err != nil {
		return 0, w.stop(err)
	}
	if w.report.Text+int64(len(p)) > w.opt.Limits.Text {
		w.gap(t.d.path, ReasonText, t.d.Type)
		return 0, w.stop(errStop)
	}
	if err := t.give(p); err != nil {
		return 0, w.stop(err)
	}
	w.report.Text += int64(len(p))
	if t.source >= 0 {
		t.source += int64(len(p))
	}
	return len(p), nil
}

// give tells the sink what it does not know yet, and then p.
func (t *Text) give(p []byte) error {
	w := t.d.w
	if w.text != t {
		if err := w.sink.Begin(t.raw); err != nil {
			return err
		}
		w.text, t.marked, t.told = t, false, t.source < 0
	}
	if !t.marked {
		if err := w.sink.Mark(t.at); err != nil {
			return err
		}
		t.marked = true
	}
	if !t.told {
		if err := w.sink.Source(t.source); err != nil {
			return err
		}
		t.told = true
	}
	return w.sink.Write(p)
}

// WriteString gives out text.
func (t *Text) WriteString(s string) error {
	_, err := t.Write([]byte(s))
	return err
}

// Put gives out text that stands at a place, and a line end behind it: what follows is no part of the same word.
func (t *Text) Put(at Location, s string) error {
	if s == "" {
		return nil
	}
	t.At(at)
	return t.WriteString(s + "\n")
}

// top reads the file itself.
func (w *walker) top(f File, r io.Reader) error {
	d := &Doc{Name: f.Name, told: f.Type, w: w}
	err := d.member(Member{Body: r})
	w.report.Type, w.report.Format = d.Type, d.format
	w.report.Mismatch = Mismatch(f, d.Type)
	return err
}

// Member reads a file inside d: its name, and its content by the format that it has. The error is nil unless the whole item cannot be read on.
func (d *Doc) Member(m Member) error {
	w := d.w
	if w.fatal != nil {
		return w.fatal
	}
	c, err := d.enter(m)
	if err != nil {
		return err
	}
	return c.member(m)
}

// Inner reads what hangs in d as a member does and whose format is known: a mail within a mail, or, without a Body, a storage of a compound file.
func (d *Doc) Inner(m Member, id, media string, read func(c *Doc) error) error {
	if d.w.fatal != nil {
		return d.w.fatal
	}
	c, err := d.enter(m)
	if err != nil {
		return err
	}
	c.as(id, media)
	if m.Body == nil {
		m.Body = strings.NewReader("")
	}
	c.start(m)
	if c.depth-c.free > c.w.opt.Limits.Depth {
		return c.done(errTooDeep)
	}
	return c.done(c.guarded(read))
}

// enter counts a member and gives out its name.
func (d *Doc) enter(m Member) (*Doc, error) {
	w, name := d.w, display(m.Name)
	c := &Doc{Name: name, Size: m.Size, told: m.Type, Quiet: m.Quiet, w: w, depth: d.depth + 1, free: d.free, base: d.where(m.At), path: name}
	if m.Flat && !d.flat {
		c.free, c.flat = d.free+1, true
	}
	if m.Inline {
		c.path = d.path
		return c, nil
	}
	if d.path != "" {
		c.path = d.path + "!/" + name
	}
	if w.report.Entries++; w.report.Entries > w.opt.Limits.Entries {
		w.report.Entries--
		w.gap(c.path, ReasonEntries, "")
		return nil, w.stop(errStop)
	}
	if name != "" {
		if err := c.Text(Location{Part: PartName}).WriteString(name + "\n"); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// member tells the type, lets the format read, and makes a gap of what is wrong with the file. The error is what ends the item.
func (d *Doc) member(m Member) error { return d.done(d.run(m)) }

// done ends the reading of a file: what it held is free, and its error is a gap unless it ends the item.
func (d *Doc) done(err error) error {
	d.w.held -= int64(len(d.data)) + d.held
	d.data, d.held = nil, 0
	var g gapError
	switch {
	case d.w.fatal != nil:
		return d.w.fatal
	case err == nil:
		return nil
	case errors.As(err, &g):
		d.Gap(g.reason)
	default:
		d.Gap(ReasonMalformed)
	}
	return nil
}

func (d *Doc) start(m Member) {
	d.r = bufio.NewReaderSize(&limited{r: m.Body, d: d, in: m.In}, headBytes)
}

func (d *Doc) run(m Member) error {
	if d.depth-d.free > d.w.opt.Limits.Depth {
		return errTooDeep
	}
	d.start(m)
	head, err := d.r.Peek(headBytes)
	if err != nil && !errors.Is(err, io.EOF) && len(head) == 0 {
		return err
	}
	if d.Type = detect(head); isText(mimetype.Lookup(d.Type)) {
		d.Type = kindOfText(d.Type, head, d.Name, cmp.Or(m.As, d.told))
	}
	f := formatOf(d.Type, head)
	if f == nil {
		if d.Quiet {
			return nil
		}
		return gapError{ReasonUnsupported}
	}
	d.format = f.id
	if err := d.tell(); err != nil {
		return err
	}
	return d.guarded(f.read)
}

// guarded calls a format. A panic in it is a malformed file: the value may quote its content, so it is dropped (invariant 4).
func (d *Doc) guarded(read func(d *Doc) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if testHookPanic != nil {
				testHookPanic(p, debug.Stack())
			}
			err = errMalformed
		}
	}()
	return read(d)
}

// testHookPanic lets a test see what a format panicked with.
var testHookPanic func(p any, stack []byte)

// display makes a member's name one line without control characters, of at most 1,024 bytes.
func display(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
	if len(name) > 1024 {
		name = strings.ToValidUTF8(name[:1024], "")
	}
	return name
}
