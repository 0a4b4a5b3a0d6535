// Package extract reads the text that documents hold: office files, PDF, mail, archives, databases and plain text in any usual encoding. The type is
// told by the content, never by a name. It runs inside a child process that may die (package sandbox), and counts every bound as bytes come out: what a
// header declares is believed nowhere. What cannot be read is a Gap with a reason of its own, never silence.
package extract

import (
	"context"
	"errors"
	"io"
)

// File is a document as its source describes it. Nothing of it is trusted: a name and a declared type serve to tell a mismatch, and a name as the
// first member of Location.Path.
type File struct {
	Name string `json:"name,omitempty"`
	Type string `json:"type,omitempty"` // declared media type
}

// Limits bound the reading of one file. Zero means that of DefaultLimits.
type Limits struct {
	File    int64 `json:"file,omitempty"`    // bytes of one file or member
	Item    int64 `json:"item,omitempty"`    // bytes of all members together, as they come out
	Text    int64 `json:"text,omitempty"`    // bytes of text that is given out
	Memory  int64 `json:"memory,omitempty"`  // bytes of files that are held at once
	Entries int   `json:"entries,omitempty"` // members of all containers together
	Depth   int   `json:"depth,omitempty"`   // containers in one another
	Ratio   int64 `json:"ratio,omitempty"`   // bytes that come out of one compressed byte, after the first MiB
	Pixels  int64 `json:"pixels,omitempty"`  // of an image that is decoded
}

// DefaultLimits are those of a server: 100 MiB a file, 500 MiB and 2,000 members an item, five containers deep, 200 bytes out of each one.
func DefaultLimits() Limits {
	return Limits{File: 100 << 20, Item: 500 << 20, Text: 500 << 20, Memory: 256 << 20, Entries: 2000, Depth: 5, Ratio: 200, Pixels: 50_000_000}
}

// ratioAfter is how much may come out before the ratio counts, in bytes: a short file of blanks is no bomb.
const ratioAfter = 1 << 20

// Reasons of gaps. Each limit has one of its own.
const (
	ReasonUnsupported = "unsupported_type"
	ReasonMedia       = "media_not_scanned" // audio and video, but for their metadata
	ReasonImage       = "image_without_ocr" // an image, but for its metadata
	ReasonEncrypted   = "encrypted"
	ReasonMalformed   = "malformed"
	ReasonFileSize    = "too_big"
	ReasonItemSize    = "item_too_big"
	ReasonText        = "too_much_text"
	ReasonEntries     = "too_many_entries"
	ReasonDepth       = "too_deep"
	ReasonRatio       = "compression_ratio"
	ReasonPixels      = "too_many_pixels"
	ReasonMemory      = "over_memory_limit"
	ReasonTime        = "over_time_limit"
	ReasonDied        = "extraction_failed" // the child that read it ended
)

// Gap is something of a file that was not read, or not to its end.
type Gap struct {
	Path   string `json:"path,omitempty"` // of the member, as in Location.Path; empty: the file itself
	Reason string `json:"reason"`
	Type   string `json:"type,omitempty"` // media type by content
}

// Report is what was learned of a file beside its text.
type Report struct {
	Type     string `json:"type"`               // media type by content
	Format   string `json:"format,omitempty"`   // id of the format that read it; empty: none
	Mismatch bool   `json:"mismatch,omitempty"` // name or declared type are those of another type
	Entries  int    `json:"entries,omitempty"`  // members that were read
	Bytes    int64  `json:"bytes"`              // of the file and of all members, as they came out
	Text     int64  `json:"text"`               // bytes given out
	Gaps     []Gap  `json:"gaps,omitempty"`     // at most maxGaps; Cut more
	Cut      int    `json:"cut,omitempty"`
}

// maxGaps bounds the gaps that a report names.
const maxGaps = 200

// Sink takes what a document holds, in order. An error of it ends the reading and is returned by Read.
type Sink interface {
	// Begin starts a text. What is written until the next Begin is scanned as one: a value is found across its marks. raw says that its bytes are
	// those of the file from the first to the last, so that offsets are the file's.
	Begin(raw bool) error
	// Mark says where what is written from here on stands.
	Mark(at Location) error
	// Source says that the next byte is that of the file at offset; it counts as long as one byte written is one byte of the file. -1: it is none.
	Source(offset int64) error
	Write(p []byte) error
}

// errStop ends the reading of a whole item, after its gap was noted.
var errStop = errors.New("stop reading the item")

// gapError ends the reading of one file or member with a reason.
type gapError struct{ reason string }

func (e gapError) Error() string { return e.reason }

// Errors that a format returns for a file that it cannot read to its end. What was given out before stays.
var (
	errEncrypted = gapError{ReasonEncrypted}
	errMalformed = gapError{ReasonMalformed}
	errTooDeep   = gapError{ReasonDepth}
	errPixels    = gapError{ReasonPixels}
	errMemory    = gapError{ReasonMemory}
	errTooBig    = gapError{ReasonFileSize}
	errRatio     = gapError{ReasonRatio}
)

// Options are what is off unless an admin turns it on.
type Options struct {
	Limits Limits `json:"limits"`
	OCR    bool   `json:"ocr,omitempty"` // read the text of images, with Recognizer
	// Recognizer is what reads images: Tesseract, in package sandbox. It cannot be told in JSON.
	Recognizer Recognizer `json:"-"`
}

// Read gives the text of a file to sink. The error is the sink's, or that of ctx, or that of reading r; what is wrong with the file itself is in the
// report.
func Read(ctx context.Context, f File, r io.Reader, opt Options, sink Sink) (Report, error) {
	w := &walker{ctx: ctx, opt: opt, sink: sink}
	w.opt.Limits = opt.Limits.orDefault()
	err := w.top(f, r)
	if errors.Is(err, errStop) {
		err = nil
	}
	return w.report, err
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, v := range []struct{ to, from *int64 }{{&l.File, &d.File}, {&l.Item, &d.Item}, {&l.Text, &d.Text}, {&l.Memory, &d.Memory}, {&l.Ratio, &d.Ratio}, {&l.Pixels, &d.Pixels}} {
		if *v.to <= 0 {
			*v.to = *v.from
		}
	}
	if l.Entries <= 0 {
		l.Entries = d.Entries
	}
	if l.Depth <= 0 {
		l.Depth = d.Depth
	}
	return l
}
