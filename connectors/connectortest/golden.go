package connectortest

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"iter"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

var update = flag.Bool("update", false, "rewrite testdata/want.jsonl")

type faultFunc = func(w http.ResponseWriter, recorded []byte)

// line is one item of want.jsonl with its parts.
type line struct {
	Stream  string           `json:"stream"`
	Parent  string           `json:"parent,omitempty"` // the item whose part it is
	Item    *connectors.Item `json:"item,omitempty"`
	Parts   []part           `json:"parts,omitempty"`
	Error   connectors.Kind  `json:"error,omitempty"`   // what Fetch ended with
	Skipped map[string]int   `json:"skipped,omitempty"` // of a page, in a line of its own
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
	Error    string         `json:"error,omitempty"` // what Open or reading ended with
	Child    string         `json:"child,omitempty"` // the id of the item that it is
}

// golden reads every stream with all parts and compares with want.jsonl.
func (s *suite) golden(t *testing.T) {
	s.server.set(nil, nil)
	var lines []line
	for _, stream := range s.manifest.Streams {
		for _, r := range s.whole(t, stream) {
			if len(r.page.Skipped) > 0 {
				lines = append(lines, line{Stream: stream.ID, Skipped: r.page.Skipped})
			}
			for _, item := range r.page.Items {
				if item.Kind == "" || item.ID == "" || item.Version == "" || item.Resource.Kind == "" {
					t.Errorf("an item of %s lacks kind, id, version or resource: %s %s", stream.ID, item.Kind, item.ID)
				}
				lines = s.fetch(t, lines, stream, "", item, map[string]bool{})
			}
		}
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	for _, l := range lines {
		if err := enc.Encode(l); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join("testdata", "want.jsonl")
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(readFile(t, file)), got.String()); diff != "" {
		t.Errorf("items (-want +got; -update rewrites %s):\n%s", file, diff)
	}
}

// fetch appends the line of an item and those of the items in it.
func (s *suite) fetch(t *testing.T, lines []line, stream connectors.Stream, parent string, item connectors.Item, seen map[string]bool) []line {
	t.Helper()
	if seen[item.ID] {
		return lines
	}
	seen[item.ID] = true
	l := line{Stream: stream.ID, Parent: parent, Item: &item}
	fetcher, ok := s.source(t).(connectors.Fetcher)
	if !ok || stream.Kind != connectors.StreamContent {
		return append(lines, l)
	}
	parts, err := collect(fetcher.Fetch(t.Context(), item))
	if err != nil {
		l.Error = connectors.KindOf(err)
		s.clean(t, err.Error())
	}
	at := len(lines)
	lines = append(lines, l)
	for _, p := range parts {
		if p.Kind == "" || p.Resource.Kind == "" || p.Resource.ID == "" || (p.Child == nil) != (p.Open != nil) {
			t.Errorf("a part of %s lacks kind, resource or content: kind %q", item.ID, p.Kind)
		}
		out := part{Kind: p.Kind, Resource: p.Resource, Path: p.Path, Role: p.Role, At: p.At, Name: p.Name, MIME: p.MIME, Size: p.Size}
		if p.Child != nil {
			out.Child = p.Child.ID
			lines = s.fetch(t, lines, stream, item.ID, *p.Child, seen)
		} else {
			out.Text, out.Error = s.text(t, p)
		}
		lines[at].Parts = append(lines[at].Parts, out)
	}
	return lines
}

// text reads a part.
func (s *suite) text(t *testing.T, p connectors.Part) (text, kind string) {
	t.Helper()
	body, err := p.Open(t.Context())
	if err != nil {
		s.clean(t, err.Error())
		return "", string(connectors.KindOf(err))
	}
	b, err := io.ReadAll(body)
	if err != nil {
		s.clean(t, err.Error())
		kind = string(connectors.KindOf(err))
	}
	if err := body.Close(); err != nil {
		t.Errorf("close a part: %v", err)
	}
	if len(b) >= 12 {
		s.content = append(s.content, string(b))
	}
	return string(b), kind
}

// collect reads an iterator to its end.
func collect(seq iter.Seq2[connectors.Part, error]) ([]connectors.Part, error) {
	var parts []connectors.Part
	for p, err := range seq {
		if err != nil {
			return parts, err
		}
		parts = append(parts, p)
	}
	return parts, nil
}
