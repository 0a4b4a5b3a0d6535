// Package cursor makes the opaque places that paged lists give out. A cursor is bound to the question it belongs to, so that one of another
// list, filter or order is refused and not misread.
package cursor

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Err is the kind of every error of this package.
var Err = errors.New("the cursor belongs to another list; start again without it")

// Place is the place after a row: its key, a number or a text, and its id.
type Place struct {
	Bind   string `json:"b"`
	Number int64  `json:"n,omitempty"`
	Text   string `json:"t,omitempty"`
	ID     string `json:"i"`
}

// maxText bounds the text of a cursor; bytes.
const maxText = 4096

// Bind is a digest of a question without its limit and cursor: strings, numbers, and structs and slices of them.
func Bind(question ...any) string {
	b, err := json.Marshal(question)
	if err != nil {
		panic(err) // A programmer's mistake: the question holds something else.
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Encode returns the text of the place.
func (p Place) Encode() string {
	b, err := json.Marshal(p)
	if err != nil {
		panic(err) // Strings and a number only.
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// Decode reads the text of a place of the question with this binding, or returns Err.
func Decode(text, bind string) (Place, error) {
	var p Place
	if len(text) > maxText {
		return p, fmt.Errorf("%w: it is over %d bytes", Err, maxText)
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return p, fmt.Errorf("%w: it is not base64", Err)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return Place{}, fmt.Errorf("%w: it cannot be read", Err)
	}
	if _, err := dec.Token(); err != io.EOF || p.Bind != bind || p.ID == "" {
		return Place{}, Err
	}
	return p, nil
}
