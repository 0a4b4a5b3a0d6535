// Package filter is the one meaning of a filter over findings: what lists, facets, exports and destinations take. A filter is an AND of fields;
// several values of one field are an OR.
//
// Its text has two spellings, which are read alike: `severity:critical,high status:open` and `severity=critical,high&status=open`. Fields are
// severity, status, kind, source, policy_id, connection_id, connector, detector, resource_kind and actor (the vendor's id or the e-mail). A
// value may be quoted and then holds any character but a quote: `resource_kind:"shared drive"`.
package filter

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/outband/outband/findings"
)

// ErrFilter is the kind of every error of this package; its text says what is wrong and quotes no more than a field's name.
var ErrFilter = errors.New("filter")

// Limits: bytes of a filter's text, values of one field, bytes of a value.
const (
	MaxText   = 4096
	MaxValues = 100
	MaxValue  = 512
)

// Filter selects findings. An empty field selects all.
type Filter struct {
	Severity     []string
	Status       []string
	Kind         []string
	Source       []string
	PolicyID     []string
	ConnectionID []string
	Connector    []string
	Detector     []string
	ResourceKind []string
	Actor        []string      // vendor id, or e-mail without regard to case
	From         findings.Time // first_seen_at, inclusive
	To           findings.Time // exclusive; 0: no end
	Query        string        // free text; see package token
}

// Fields returns the names of the fields with several values, in the order of Values.
func Fields() []string {
	return []string{"severity", "status", "kind", "source", "policy_id", "connection_id", "connector", "detector", "resource_kind", "actor"}
}

// Values returns the fields with several values, in the order of Fields.
func (f *Filter) Values() []*[]string {
	return []*[]string{&f.Severity, &f.Status, &f.Kind, &f.Source, &f.PolicyID, &f.ConnectionID, &f.Connector, &f.Detector, &f.ResourceKind, &f.Actor}
}

// Validate refuses unknown severities, statuses, kinds and sources, and what is over the limits.
func (f *Filter) Validate() error {
	for i, values := range f.Values() {
		name := Fields()[i]
		if len(*values) > MaxValues {
			return fmt.Errorf("%w: %s has over %d values", ErrFilter, name, MaxValues)
		}
		for _, v := range *values {
			if v == "" || len(v) > MaxValue || strings.Contains(v, `"`) {
				return fmt.Errorf("%w: a value of %s is empty, holds a quote or is over %d bytes", ErrFilter, name, MaxValue)
			}
		}
	}
	for _, c := range []struct {
		name    string
		have    []string
		allowed []string
	}{
		{"severity", f.Severity, findings.Severities()}, {"status", f.Status, findings.Statuses()},
		{"kind", f.Kind, findings.Kinds()}, {"source", f.Source, findings.Sources()},
	} {
		for _, v := range c.have {
			if !slices.Contains(c.allowed, v) {
				return fmt.Errorf("%w: %s is one of %s", ErrFilter, c.name, strings.Join(c.allowed, ", "))
			}
		}
	}
	if f.To != 0 && f.To <= f.From {
		return fmt.Errorf("%w: to is not after from", ErrFilter)
	}
	return nil
}

// Parse reads the text of a filter. The empty text selects all.
func Parse(text string) (Filter, error) {
	var f Filter
	if len(text) > MaxText {
		return f, fmt.Errorf("%w: it is over %d bytes", ErrFilter, MaxText)
	}
	var terms [][2]string
	var err error
	if isQuery(text) {
		terms, err = splitQuery(text)
	} else {
		terms, err = splitWords(text)
	}
	if err != nil {
		return f, err
	}
	for _, t := range terms {
		i := slices.Index(Fields(), t[0])
		if i < 0 {
			return Filter{}, fmt.Errorf("%w: no such field; the fields are %s", ErrFilter, strings.Join(Fields(), ", "))
		}
		field := f.Values()[i]
		values := []string{t[1]}
		if quoted, ok := strings.CutPrefix(t[1], `"`); ok {
			values[0] = strings.TrimSuffix(quoted, `"`)
		} else {
			values = strings.Split(t[1], ",")
		}
		for _, v := range values {
			if v != "" && !slices.Contains(*field, v) {
				*field = append(*field, v)
			}
		}
		if len(*field) == 0 {
			return Filter{}, fmt.Errorf("%w: %s has no value", ErrFilter, t[0])
		}
	}
	if err := f.Validate(); err != nil {
		return Filter{}, err
	}
	return f, nil
}

// isQuery reports whether the text is spelled as a query string: its first field ends with an equals sign.
func isQuery(text string) bool {
	i := strings.IndexAny(text, ":=")
	return i >= 0 && text[i] == '='
}

func splitQuery(text string) (out [][2]string, err error) {
	for part := range strings.SplitSeq(text, "&") {
		name, value, ok := strings.Cut(part, "=")
		if !ok && part != "" {
			return nil, fmt.Errorf("%w: a field has no value", ErrFilter)
		}
		value, err := url.QueryUnescape(value)
		if err != nil {
			return nil, fmt.Errorf("%w: a value is not escaped as in a query string", ErrFilter)
		}
		if part != "" {
			out = append(out, [2]string{strings.TrimSpace(name), value})
		}
	}
	return out, nil
}

func splitWords(text string) (out [][2]string, err error) {
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		name, rest, ok := strings.Cut(text, ":")
		if !ok || strings.Contains(name, `"`) || strings.ContainsFunc(name, unicode.IsSpace) {
			return nil, fmt.Errorf("%w: each part is field:value", ErrFilter)
		}
		end := strings.IndexFunc(rest, unicode.IsSpace)
		if strings.HasPrefix(rest, `"`) {
			i := strings.IndexByte(rest[1:], '"')
			if i < 0 {
				return nil, fmt.Errorf("%w: a quote is not closed", ErrFilter)
			}
			end = i + 2
			if after := rest[end:]; after != "" && after == strings.TrimLeftFunc(after, unicode.IsSpace) {
				return nil, fmt.Errorf("%w: a quoted value ends at its quote", ErrFilter)
			}
		}
		if end < 0 {
			end = len(rest)
		}
		out = append(out, [2]string{name, rest[:end]})
		text = rest[end:]
	}
	return out, nil
}

// String spells the filter so that Parse reads it back, with one value a part where a value needs quotes. From, To and Query have no spelling.
func (f *Filter) String() string {
	var parts []string
	for i, values := range f.Values() {
		name := Fields()[i]
		var plain []string
		for _, v := range *values {
			if strings.Contains(v, ",") || strings.ContainsFunc(v, unicode.IsSpace) {
				parts = append(parts, name+`:"`+v+`"`)
			} else {
				plain = append(plain, v)
			}
		}
		if len(plain) > 0 {
			parts = append(parts, name+":"+strings.Join(plain, ","))
		}
	}
	return strings.Join(parts, " ")
}

// Match reports whether the filter selects a finding whose Actor is filled in. Query is not looked at.
func (f *Filter) Match(x *findings.Finding) bool {
	one := func(want []string, have string) bool { return len(want) == 0 || slices.Contains(want, have) }
	return one(f.Severity, x.Severity) && one(f.Status, x.Status) && one(f.Kind, x.Kind) && one(f.Source, x.Source) &&
		one(f.PolicyID, x.PolicyID) && one(f.ConnectionID, x.ConnectionID) && one(f.Connector, x.Connector) && one(f.ResourceKind, x.Resource.Kind) &&
		(len(f.Detector) == 0 || slices.ContainsFunc(f.Detector, func(d string) bool { return slices.Contains(x.Detectors, d) })) &&
		(len(f.Actor) == 0 || slices.ContainsFunc(f.Actor, func(a string) bool {
			return x.Actor.ID == a && a != "" || x.Actor.Email != "" && strings.EqualFold(x.Actor.Email, a)
		})) &&
		(f.From == 0 || x.FirstSeenAt >= f.From) && (f.To == 0 || x.FirstSeenAt < f.To)
}
