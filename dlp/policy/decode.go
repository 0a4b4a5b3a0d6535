package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxErrors bounds the problems that are told at once.
const maxErrors = 20

// decoder reads YAML nodes by hand, because the library's own strict decoding names lines but no columns. It gathers the problems.
type decoder struct {
	errs []*Error
}

func (d *decoder) err() error {
	out := make([]error, 0, len(d.errs))
	for _, e := range d.errs {
		out = append(out, e)
	}
	return errors.Join(out...)
}

func (d *decoder) fail(n *yaml.Node, format string, args ...any) {
	if len(d.errs) < maxErrors {
		d.errs = append(d.errs, &Error{Line: n.Line, Column: n.Column, Message: fmt.Sprintf(format, args...), Err: ErrInvalid})
	}
}

// plain refuses what this format does not need. Invariant 9: a few aliases in one another would expand to gigabytes.
func (d *decoder) plain(n *yaml.Node) bool {
	if n.Kind == yaml.AliasNode || n.Anchor != "" {
		d.fail(n, "anchors and aliases are not allowed")
		return false
	}
	return true
}

// mapping calls the reader of each key. It returns the keys that it saw, nil if the node is no mapping.
func (d *decoder) mapping(n *yaml.Node, what string, keys map[string]func(*yaml.Node)) map[string]bool {
	if !d.plain(n) {
		return nil
	}
	if n.Kind != yaml.MappingNode {
		d.fail(n, "%s must be a mapping of keys to values", what)
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, known := keys[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || !known:
			d.fail(key, "unknown key %q in %s; the keys are %s", key.Value, what, names(keys))
		case seen[key.Value]:
			d.fail(key, "the key %q stands here twice", key.Value)
		default:
			seen[key.Value] = true
			read(value)
		}
	}
	return seen
}

func names(keys map[string]func(*yaml.Node)) string {
	out := make([]string, 0, len(keys))
	for k := range keys {
		out = append(out, k)
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (d *decoder) sequence(n *yaml.Node, limit int, read func(*yaml.Node)) {
	switch {
	case !d.plain(n):
	case n.Kind != yaml.SequenceNode:
		d.fail(n, "a list is expected here")
	case len(n.Content) > limit:
		d.fail(n, "the list has %d entries, more than the %d allowed", len(n.Content), limit)
	default:
		for _, child := range n.Content {
			read(child)
		}
	}
}

// list reads a list that has at least one entry and none twice.
func (d *decoder) list(n *yaml.Node, read func(*yaml.Node) string) []string {
	var out []string
	d.sequence(n, maxList, func(n *yaml.Node) {
		v := read(n)
		if slices.Contains(out, v) && v != "" {
			d.fail(n, "%q stands in the list twice", v)
		}
		out = append(out, v)
	})
	if n.Kind == yaml.SequenceNode && len(n.Content) == 0 {
		d.fail(n, "the list is empty")
	}
	return out
}

func (d *decoder) scalar(n *yaml.Node, tag, want string) bool {
	if !d.plain(n) {
		return false
	}
	if n.Kind != yaml.ScalarNode || n.ShortTag() != tag {
		d.fail(n, "%s is expected here", want)
		return false
	}
	return true
}

// text reads a text that is not empty, of at most limit characters; -1 is no limit.
func (d *decoder) text(n *yaml.Node, limit int) string {
	if !d.scalar(n, "!!str", "text (in quotes, if it looks like a number or a date)") {
		return ""
	}
	text := strings.TrimRight(n.Value, "\n")
	switch count := utf8.RuneCountInString(text); {
	case strings.TrimSpace(text) == "":
		d.fail(n, "the text is empty")
	case limit >= 0 && count > limit:
		d.fail(n, "the text has %d characters, more than the %d allowed", count, limit)
	}
	return text
}

func (d *decoder) form(n *yaml.Node, form *regexp.Regexp, want string) string {
	text := d.text(n, maxTitle)
	if text != "" && !form.MatchString(text) {
		d.fail(n, "%q is not %s", text, want)
		return ""
	}
	return text
}

func (d *decoder) oneOf(n *yaml.Node, words ...string) string {
	text := d.text(n, maxTitle)
	if text != "" && !slices.Contains(words, text) {
		d.fail(n, "%q is none of %s", text, strings.Join(words, ", "))
		return ""
	}
	return text
}

func (d *decoder) integer(n *yaml.Node, low, high int) int {
	if !d.scalar(n, "!!int", "a whole number") {
		return low
	}
	v, err := strconv.Atoi(n.Value)
	if err != nil || v < low || v > high {
		d.fail(n, "a whole number from %d to %d is expected here", low, high)
		return low
	}
	return v
}

func (d *decoder) boolean(n *yaml.Node) bool {
	return d.scalar(n, "!!bool", "true or false") && strings.EqualFold(n.Value, "true")
}

func (d *decoder) fraction(n *yaml.Node) float64 {
	v, err := strconv.ParseFloat(n.Value, 64)
	if !d.plain(n) || n.Kind != yaml.ScalarNode || err != nil || !(v >= 0 && v <= 1) {
		d.fail(n, "a number from 0 to 1 is expected here")
		return 0
	}
	return v
}

func (d *decoder) time(n *yaml.Node) time.Time {
	at, err := time.Parse(time.RFC3339, n.Value)
	if !d.plain(n) || n.Kind != yaml.ScalarNode || err != nil {
		d.fail(n, "a time such as 2026-01-15T12:00:00Z is expected here")
		return testTime
	}
	return at.UTC()
}

// str reads a value of a test's input, which may be empty.
func (d *decoder) str(n *yaml.Node) string {
	if !d.plain(n) {
		return ""
	}
	if n.Kind != yaml.ScalarNode {
		d.fail(n, "one value is expected here")
		return ""
	}
	return n.Value
}

// any reads a value of a record, of whatever shape.
func (d *decoder) any(n *yaml.Node, depth int) any {
	switch {
	case !d.plain(n):
	case depth > 8:
		d.fail(n, "the value is nested too deeply")
	case n.Kind == yaml.MappingNode:
		out := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out[d.str(n.Content[i])] = d.any(n.Content[i+1], depth+1)
		}
		return out
	case n.Kind == yaml.SequenceNode:
		out := make([]any, 0, len(n.Content))
		for _, child := range n.Content {
			out = append(out, d.any(child, depth+1))
		}
		return out
	default:
		return d.simple(n)
	}
	return nil
}

// simple reads a scalar as JSON would hold it: a number is a float64, for that is what a connector's records hold.
func (d *decoder) simple(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(n.Value, "true")
	case "!!int", "!!float":
		v, err := strconv.ParseFloat(n.Value, 64)
		if err != nil {
			d.fail(n, "a plain decimal number is expected here")
		}
		return v
	default:
		return n.Value
	}
}
