// Package dlp finds sensitive data in text. Bytes go in, matches come out: it does no I/O, keeps nothing, and what it returns holds masks and
// keyed digests, never a value (invariant 4). The pipeline is: literal prefilter, bounded local confirm, validator, confidence, overlap
// resolution, mask and keyed fingerprint.
package dlp

import (
	"path"

	"github.com/outband/outband/dlp/place"
)

// Keys are the two keys of an installation that matches are digested with.
type Keys struct {
	ID            []byte // idkey: instance ids are derived from Match.Value
	Fingerprint   []byte // fpkey: may rotate
	FingerprintID string // key id of Fingerprint, prefix of Match.Fingerprint
}

// Match is one place where a detector fired. Offsets are bytes in the text as it was given (before any decoding), end exclusive.
type Match struct {
	Detector    string   `json:"detector"`
	Start       int      `json:"start"`
	End         int      `json:"end"`
	Line        int      `json:"line"`   // from 1
	Column      int      `json:"column"` // in characters, from 1
	Confidence  float64  `json:"confidence"`
	Validated   bool     `json:"validated"` // a checksum or structure check passed
	Masked      string   `json:"masked"`    // at most min(4, length/4) characters of the match are shown
	Before      string   `json:"-"`         // up to 40 characters before, as shape: letters x, digits 0
	After       string   `json:"-"`
	Context     []string `json:"-"` // the detector's own context words that stood near
	Value       string   `json:"-"` // hex of HMAC-SHA256(idkey, detector-independent canonical value)[:16]
	Fingerprint string   `json:"-"` // key id + ":" + hex of HMAC-SHA256(fpkey, kind ‖ canonical value)[:16]
	Also        []string `json:"-"` // detectors that lost the overlap
	// Encoding names what was undone to read it, the outermost first: base64, hex, gzip, zlib, percent, html, quoted_printable. Start and End are
	// those of the encoded characters that hold the match; of compressed text, of all of it.
	Encoding []string `json:"encoding,omitempty"`
	// Where is the place in the document of a Placed text.
	Where  place.Location `json:"-"`
	Source bool           `json:"-"` // Start and End are bytes of the document's file
	Base   float64        `json:"-"` // confidence by the form alone; Engine.Why says what the rest is made of
	Marks  Marks          `json:"-"`
}

// Confidence bands.
const (
	ConfidenceLow      = 0.2
	ConfidenceMedium   = 0.4
	ConfidenceHigh     = 0.6
	ConfidenceVeryHigh = 0.85
)

// Band names the band of a confidence: very_low, low, medium, high, very_high.
func Band(confidence float64) string {
	switch {
	case confidence >= ConfidenceVeryHigh:
		return "very_high"
	case confidence >= ConfidenceHigh:
		return "high"
	case confidence >= ConfidenceMedium:
		return "medium"
	case confidence >= ConfidenceLow:
		return "low"
	}
	return "very_low"
}

// Glob reports whether a detector id matches a glob such as "secret.*" or "*". A star crosses no character but a slash, and ids have none.
func Glob(pattern, detector string) bool {
	ok, err := path.Match(pattern, detector)
	return err == nil && ok
}
