// Package place says where in a document a text stands. It is a leaf, so that what scans text need not know what reads documents.
package place

import (
	"fmt"
	"strings"
)

// Location is where in a document a text stands. Numbers count from 1; 0 means that the format has none.
type Location struct {
	// Path leads to a member: names from the outside in, joined by "!/", without the file's own. Foreign text: mask it before it is stored.
	Path      string `json:"path,omitempty"`
	Part      string `json:"part,omitempty"`
	Page      int    `json:"page,omitempty"`
	Slide     int    `json:"slide,omitempty"`
	Sheet     string `json:"sheet,omitempty"` // of a workbook, or table of a database; foreign text
	Cell      string `json:"cell,omitempty"`  // as in B4
	Row       int    `json:"row,omitempty"`   // of a table or a list of records
	Paragraph int    `json:"paragraph,omitempty"`
	Message   string `json:"message,omitempty"` // number of a mail in a mailbox and of its part, as in 3 or 3.1.2
	Name      string `json:"name,omitempty"`    // of a property, field, column, header; foreign text
	Hidden    bool   `json:"hidden,omitempty"`  // not shown to who opens the file
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"` // in characters
}

// String says it to a person: `b.docx, comment, paragraph 3`.
func (l Location) String() string {
	var out []string
	add := func(format string, v any, set bool) {
		if set {
			out = append(out, fmt.Sprintf(format, v))
		}
	}
	add("%s", l.Path, l.Path != "")
	add("%s", strings.ReplaceAll(l.Part, "_", " "), l.Part != "")
	add("page %d", l.Page, l.Page > 0)
	add("slide %d", l.Slide, l.Slide > 0)
	add("sheet %s", l.Sheet, l.Sheet != "")
	add("cell %s", l.Cell, l.Cell != "")
	add("row %d", l.Row, l.Row > 0)
	add("paragraph %d", l.Paragraph, l.Paragraph > 0)
	add("message %s", l.Message, l.Message != "")
	add("%s", l.Name, l.Name != "")
	add("line %d", l.Line, l.Line > 0)
	add("column %d", l.Column, l.Column > 0)
	add("%s", "hidden", l.Hidden)
	return strings.Join(out, ", ")
}

// Texts are the fields of l that are no numbers: Path, Part, Sheet, Cell, Message, Name. What a document names may stand in any of them.
func (l *Location) Texts() [6]*string {
	return [...]*string{&l.Path, &l.Part, &l.Sheet, &l.Cell, &l.Message, &l.Name}
}

// Masked is l with mask put on each of Texts (invariant 4).
func (l Location) Masked(mask func(string) string) Location {
	for _, s := range l.Texts() {
		*s = mask(*s)
	}
	return l
}
