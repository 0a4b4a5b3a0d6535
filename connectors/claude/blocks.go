package claude

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
)

// block is one block of a message. Its type decides which fields it has.
type block struct {
	Type    string          `json:"type"`
	Text    string          `json:"text"`
	Name    string          `json:"name"`
	Input   json.RawMessage `json:"input"`
	Content json.RawMessage `json:"content"`
}

// blocks gives the texts of a message. Types may be added by the vendor at any time: of one that is not known the text is given, and if it has
// none, its JSON, so that nothing is passed over.
func (m *message) blocks(yield func(connectors.Part) bool) bool {
	kind := connectors.PartAssistantText
	if m.Role == "user" {
		kind = connectors.PartUserText
	}
	give := func(kind, path, name, text string) bool {
		if text == "" {
			return true
		}
		p := textPart(kind, connectors.Ref{Kind: "message", ID: m.ID}, path, text, moment(m.CreatedAt))
		p.Role, p.Name = m.Role, name
		return yield(p)
	}
	for i, raw := range elements(m.Content) {
		path := "content/" + strconv.Itoa(i)
		var b block
		if json.Unmarshal(raw, &b) != nil {
			if !give(kind, path, "", plain(raw)) {
				return false
			}
			continue
		}
		switch {
		case b.Type == "tool_use":
			if !give(connectors.PartToolInput, path, b.Name, plain(b.Input)) {
				return false
			}
		case b.Type == "tool_result":
			for j, inner := range elements(b.Content) {
				if !give(connectors.PartToolResult, path+"/"+strconv.Itoa(j), b.Name, innerText(inner)) {
					return false
				}
			}
		case b.Type == "text" || b.Text != "":
			if !give(kind, path, b.Name, b.Text) {
				return false
			}
		default:
			if !give(kind, path, b.Name, plain(raw)) {
				return false
			}
		}
	}
	return true
}

// elements returns the elements of a list; what is no list is its own only element.
func elements(raw json.RawMessage) []json.RawMessage {
	var list []json.RawMessage
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case json.Unmarshal(raw, &list) != nil:
		return []json.RawMessage{raw}
	}
	return list
}

// plain returns a JSON string's text, and the JSON of anything else; "" for null.
func plain(raw json.RawMessage) string {
	var s string
	if len(raw) == 0 || string(raw) == "null" || json.Unmarshal(raw, &s) == nil {
		return s
	}
	var compact bytes.Buffer
	if json.Compact(&compact, raw) != nil {
		return string(raw)
	}
	return compact.String()
}

func innerText(raw json.RawMessage) string {
	var b block
	if json.Unmarshal(raw, &b) == nil && b.Text != "" {
		return b.Text
	}
	if b.Type == "text" {
		return ""
	}
	return plain(raw)
}

func textPart(kind string, of connectors.Ref, path, text string, at time.Time) connectors.Part {
	mime := "text/plain"
	if kind == connectors.PartToolInput {
		mime = "application/json"
	}
	return connectors.Part{Kind: kind, Resource: of, Path: path, At: at, MIME: mime, Size: int64(len(text)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}
