package policy

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Document is the file of one policy out of a file of several, which "---" lines separate.
type Document struct {
	Line int // of its first line in the whole file, from 1
	Data []byte
}

// Split takes a file of several policies apart. Documents that hold nothing but comments are left out.
func Split(data []byte) []Document {
	var out []Document
	var text []byte
	from, line := 1, 0
	end := func() {
		if holdsYAML(text) {
			out = append(out, Document{Line: from, Data: text})
		}
		text = nil
	}
	for raw := range bytes.Lines(data) {
		line++
		if rest, ok := strings.CutPrefix(string(raw), "---"); ok && (strings.TrimSpace(rest) == "" || strings.HasPrefix(strings.TrimSpace(rest), "#") && rest[0] == ' ') {
			end()
			from = line + 1
			continue
		}
		text = append(text, raw...)
	}
	end()
	return out
}

func holdsYAML(text []byte) bool {
	for raw := range bytes.Lines(text) {
		if trimmed := bytes.TrimSpace(raw); len(trimmed) > 0 && trimmed[0] != '#' {
			return true
		}
	}
	return false
}

// Join writes the files of policies as one, which Split takes apart again.
func Join(files [][]byte) []byte {
	var out bytes.Buffer
	for i, data := range files {
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(data)
		if len(data) > 0 && data[len(data)-1] != '\n' {
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}

// WithVersion returns the policy's file with another version number in it, and nothing else changed. It is an *Error of kind ErrInvalid where the
// number does not stand in the file as plain digits.
func (p *Policy) WithVersion(version int) ([]byte, error) {
	root, err := parseYAML(p.source)
	if err != nil {
		return nil, err
	}
	n := valueOf(root, "version")
	if n == nil {
		return nil, &Error{PolicyID: p.ID, Line: 1, Message: `the key "version" is missing`, Err: ErrInvalid}
	}
	lines := strings.Split(string(p.source), "\n")
	line := []rune(lines[min(n.Line, len(lines))-1])
	if n.Column-1 > len(line) || !strings.HasPrefix(string(line[n.Column-1:]), n.Value) {
		return nil, &Error{PolicyID: p.ID, Line: n.Line, Column: n.Column, Message: "write the version as a plain number, such as 3", Err: ErrInvalid}
	}
	before, after := string(line[:n.Column-1]), string(line[n.Column-1:])
	lines[n.Line-1] = before + strconv.Itoa(version) + strings.TrimPrefix(after, n.Value)
	out := []byte(strings.Join(lines, "\n"))
	if again, err := Parse(out); err != nil || again.Version != version {
		return nil, fmt.Errorf("write version %d into policy %s: %w", version, p.ID, ErrInvalid)
	}
	return out, nil
}

// Sketch is what can be read of a policy's file that is refused, so that it can be shown: what cannot be read is empty.
func Sketch(data []byte) *Policy {
	p := &Policy{source: bytes.Clone(data)}
	if root, err := parseYAML(data); err == nil {
		(&decoder{}).policy(root, p)
	}
	return p
}

// valueOf returns the value of a top-level key, nil if there is none.
func valueOf(root *yaml.Node, key string) *yaml.Node {
	for i := 0; root.Kind == yaml.MappingNode && i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == key {
			return root.Content[i+1]
		}
	}
	return nil
}
