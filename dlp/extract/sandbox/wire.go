package sandbox

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/outband/outband/dlp/extract"
)

// To a child go frames: a kind, the length of the payload in four bytes (little endian), the payload.
const (
	frameSetup = 's' // JSON of setup, once
	frameFile  = 'f' // JSON of job
	frameBody  = 'b' // bytes of the file
	frameEnd   = 'e' // of the bytes
	frameGo    = 'g' // read what was spooled
	frameDrop  = 'd' // forget it
)

// frameHead and maxFrame are the bytes of a frame before its payload, and at most in it.
const (
	frameHead = 5
	maxFrame  = 64 << 10
)

// setup is what a child is told before it gives up its rights.
type setup struct {
	Memory       int64         `json:"memory"`
	OCR          bool          `json:"ocr"`
	Tesseract    string        `json:"tesseract,omitempty"`
	Data         string        `json:"data,omitempty"`
	Languages    string        `json:"languages,omitempty"`
	Recognize    time.Duration `json:"recognize,omitempty"`
	OpenFiles    uint64        `json:"open_files"`
	UserIsolated bool          `json:"user_isolated"` // it has a user namespace of its own
}

// job is a file to read.
type job struct {
	File    extract.File    `json:"file"`
	Options extract.Options `json:"options"`
	CPU     time.Duration   `json:"cpu"`
	Spool   bool            `json:"spool"` // take all bytes, and wait for a decision
}

func appendFrame(to []byte, kind byte, v any) ([]byte, error) {
	payload, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if len(payload) > maxFrame {
		return nil, fmt.Errorf("a frame of %d bytes", len(payload))
	}
	to = binary.LittleEndian.AppendUint32(append(to, kind), uint32(len(payload)))
	return append(to, payload...), nil
}

// readFrameHead returns the kind of the next frame and the length of its payload.
func readFrameHead(r io.Reader) (kind byte, n int, err error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, 0, err
	}
	size := binary.LittleEndian.Uint32(head[1:])
	if size > maxFrame {
		return 0, 0, errProtocol
	}
	return head[0], int(size), nil
}

// From a child come records: an operation and what it needs, without a length around it.
const (
	opHello  = 1 + iota // JSON of Guards, once
	opType              // media type and format of the file; at most once, before any text
	opBegin             // of a text: one byte, whether it is raw
	opMark              // a location, as what differs from the one before
	opSource            // the byte of the file that comes next
	opText              // bytes of text
	opGap               // path, reason, media type
	opDone              // the rest of the report
	opReady             // for the file that was told; its bytes may come
)

// Bounds of what comes from a child beside its texts, in bytes.
const (
	maxHello  = 4 << 10
	maxRecord = maxFrame // bytes of text in one record
	maxGaps   = 1000
	// What is no text may be so many bytes, and so many for each byte of text: a workbook has a mark for each cell.
	maxExtra      = 64 << 20
	maxExtraRatio = 64
)

// decoder reads what comes from a child, and believes none of it.
type decoder struct {
	r      *bufio.Reader
	n      int64 // bytes read of this file
	text   int64 // of them text
	limit  int64 // of text
	at     extract.Location
	typed  bool
	begun  bool
	report extract.Report
	held   int64 // bytes that the child holds, by its own account
}

// reset makes it ready for the next file.
func (d *decoder) reset(limit int64) { *d = decoder{r: d.r, limit: limit} }

func (d *decoder) ReadByte() (byte, error) {
	d.n++
	return d.r.ReadByte()
}

func (d *decoder) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.n += int64(n)
	return n, err
}

func (d *decoder) hello() (g Guards, err error) {
	op, err := d.ReadByte()
	if err != nil {
		return g, err
	}
	if op != opHello {
		return g, errProtocol
	}
	s, err := readString(d, maxHello)
	if err != nil {
		return g, err
	}
	if err := json.Unmarshal([]byte(s), &g); err != nil {
		return g, errProtocol
	}
	return g, nil
}

// record is one that next read. n is the length of a text, which follows; value the byte of the file.
type record struct {
	op    byte
	raw   bool
	n     int
	value int64
}

// next reads a record that a child may send at this point. What is a mark changes d.at, what belongs to the report d.report.
func (d *decoder) next() (rec record, err error) {
	if d.n-d.text > maxExtra+maxExtraRatio*d.text {
		return rec, errProtocol
	}
	if rec.op, err = d.ReadByte(); err != nil {
		return rec, err
	}
	if rec.op == opMark || rec.op == opSource || rec.op == opText {
		if !d.begun {
			return rec, errProtocol
		}
	}
	switch rec.op {
	case opType:
		if d.typed || d.begun {
			return rec, errProtocol
		}
		d.typed = true
		return rec, d.types()
	case opBegin:
		d.begun = true
		b, err := d.ReadByte()
		if b > 1 {
			return rec, errProtocol
		}
		rec.raw = b == 1
		return rec, err
	case opMark:
		return rec, readLocation(d, &d.at)
	case opSource:
		if rec.value, err = binary.ReadVarint(d); err != nil {
			return rec, err
		}
		if rec.value < -1 || rec.value > maxNumber {
			return rec, errProtocol
		}
		return rec, nil
	case opText:
		n, err := binary.ReadUvarint(d)
		if err != nil {
			return rec, err
		}
		if n == 0 || n > maxRecord || d.text+int64(n) > d.limit {
			return rec, errProtocol
		}
		d.text += int64(n)
		rec.n = int(n)
		return rec, nil
	case opGap:
		return rec, d.gap()
	case opDone:
		return rec, d.done()
	}
	return rec, errProtocol
}

func (d *decoder) types() (err error) {
	if d.report.Type, err = d.word(); err != nil {
		return err
	}
	d.report.Format, err = d.word()
	return err
}

// word reads a media type, an id of a format or a reason: at most 128 printable characters of ASCII.
func (d *decoder) word() (string, error) {
	s, err := readString(d, maxWord)
	if err != nil {
		return "", err
	}
	if !isWord(s) {
		return "", errProtocol
	}
	return s, nil
}

const maxWord = 128

func isWord(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) <= maxWord
}

func (d *decoder) gap() (err error) {
	var g extract.Gap
	if g.Path, err = readString(d, maxPath); err != nil {
		return err
	}
	if g.Reason, err = d.word(); err != nil {
		return err
	}
	if g.Type, err = d.word(); err != nil {
		return err
	}
	if g.Reason == "" || len(d.report.Gaps) >= maxGaps {
		return errProtocol
	}
	d.report.Gaps = append(d.report.Gaps, g)
	return nil
}

// maxNumber is the highest number that is believed of a child.
const maxNumber = 1 << 50

func (d *decoder) done() error {
	var v [5]int64
	for i := range v {
		n, err := binary.ReadUvarint(d)
		if err != nil {
			return err
		}
		if n > maxNumber {
			return errProtocol
		}
		v[i] = int64(n)
	}
	if v[0] > 1 {
		return errProtocol
	}
	d.report.Mismatch, d.report.Entries, d.report.Bytes, d.report.Cut, d.held = v[0] == 1, int(v[1]), v[2], int(v[3]), v[4]
	if err := d.types(); err != nil {
		return err
	}
	d.report.Text = d.text
	return nil
}

// broken reports whether an error says that the child sent what it must not, rather than that it ended.
func broken(err error) bool {
	return !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF)
}
