package connectortest

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

// line is one item of want.jsonl with its parts.
type line struct {
	Stream  string           `json:"stream"`
	Parent  string           `json:"parent,omitempty"` // the item whose part it is
	Item    *connectors.Item `json:"item,omitempty"`
	Parts   []part           `json:"parts,omitempty"`
	Error   connectors.Kind  `json:"error,omitempty"`   // what Fetch ended with
	Skipped map[string]int   `json:"skipped,omitempty"` // of a page, in a line of its own
	Missing []string         `json:"missing,omitempty"` // of a page, in the same line
}

// part is a connectors.Part with its content read.
type part struct {
	Kind     string         `json:"kind"`
	Resource connectors.Ref `json:"resource"`
	Path     string         `json:"path,omitempty"`
	Role     string         `json:"role,omitempty"`
	At       time.Time      `json:"at,omitzero"`
	Name     string         `json:"name,omitempty"`
	MIME     string         `json:"mime,omitempty"`
	Size     int64          `json:"size,omitempty"`
	Text     string         `json:"text,omitempty"`
	Skipped  string         `json:"skipped,omitempty"`
	Error    string         `json:"error,omitempty"` // what Open or reading ended with
	Child    string         `json:"child,omitempty"` // the id of the item that it is
}

// golden reads every stream with all parts and compares with want.jsonl.
func golden(r *run) {
	var lines []line
	for _, stream := range r.manifest.Streams {
		s := *r
		s.stream = stream
		for _, at := range s.whole() {
			if len(at.page.Skipped) > 0 || len(at.page.Missing) > 0 {
				lines = append(lines, line{Stream: stream.ID, Skipped: at.page.Skipped, Missing: at.page.Missing})
			}
			for _, item := range at.page.Items {
				lines = s.lineOf(lines, "", item, map[string]bool{})
			}
		}
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			r.Fatalf("%v", err)
		}
	}
	file := filepath.Join(r.folder, "want.jsonl")
	if r.update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			r.Fatalf("%v", err)
		}
	}
	split := func(b []byte) []string { return strings.Split(string(b), "\n") }
	if diff := cmp.Diff(split(readFile(r, file)), split(got.Bytes())); diff != "" {
		r.Errorf("items (-want +got; -update rewrites %s):\n%s", file, diff)
	}
}

// lineOf appends the line of an item and those of the items in it.
func (r *run) lineOf(lines []line, parent string, item connectors.Item, seen map[string]bool) []line {
	r.Helper()
	if seen[item.ID] {
		return lines
	}
	seen[item.ID] = true
	parts := item.Parts
	item.Parts = nil // They have their own place in the line.
	at := len(lines)
	lines = append(lines, line{Stream: r.stream.ID, Parent: parent, Item: &item})
	if parts == nil {
		fetcher, ok := r.fetcher()
		if !ok {
			return lines
		}
		var err error
		if parts, err = collect(fetcher.Fetch(r.Context(), item)); err != nil {
			lines[at].Error = connectors.KindOf(err)
			r.clean(describe(err))
		}
	}
	for _, p := range parts {
		out := part{Kind: p.Kind, Resource: p.Resource, Path: p.Path, Role: p.Role, At: p.At, Name: p.Name, MIME: p.MIME, Size: p.Size, Skipped: p.Skipped}
		switch {
		case p.Child != nil:
			out.Child = p.Child.ID
			lines = r.lineOf(lines, item.ID, *p.Child, seen)
		case p.Open != nil:
			text, err := readPart(r, p)
			if out.Text = text; err != nil {
				out.Error = string(connectors.KindOf(err))
				r.clean(describe(err))
			}
		}
		lines[at].Parts = append(lines[at].Parts, out)
	}
	return lines
}
