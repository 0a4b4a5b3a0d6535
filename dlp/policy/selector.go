package policy

import (
	"fmt"
	"strings"

	"github.com/outband/outband/dlp"
)

// maxTerms bounds the globs of one selector.
const maxTerms = 32

// selector chooses matches: those that one glob names, that no excluded glob names, and that are at least this sure.
type selector struct {
	terms      []term
	confidence float64
}

// term is one glob, prepared so that the usual shapes (an id, a prefix and a star) cost one comparison.
type term struct {
	glob    string
	exclude bool
	shape   shape
	text    string
}

type shape int

const (
	shapeExact shape = iota
	shapePrefix
	shapeAny
	shapeGlob
)

// parseSelector reads globs that are separated by spaces; one that starts with "!" excludes.
func parseSelector(text string, confidence float64) (selector, error) {
	s := selector{confidence: confidence}
	chosen := false
	for word := range strings.FieldsSeq(text) {
		glob, exclude := strings.CutPrefix(word, "!")
		if err := checkGlob(glob); err != nil {
			return selector{}, err
		}
		t := term{glob: glob, exclude: exclude, text: glob}
		prefix, starred := strings.CutSuffix(glob, "*")
		switch {
		case glob == "*":
			t.shape = shapeAny
		case starred && !strings.ContainsAny(prefix, "*?"):
			t.shape, t.text = shapePrefix, prefix
		case strings.ContainsAny(glob, "*?"):
			t.shape = shapeGlob
		}
		chosen = chosen || !exclude
		s.terms = append(s.terms, t)
	}
	if !chosen {
		return selector{}, fmt.Errorf("%q names no detector", text)
	}
	if len(s.terms) > maxTerms {
		return selector{}, fmt.Errorf("%d globs are more than the %d allowed", len(s.terms), maxTerms)
	}
	return s, nil
}

// checkGlob keeps globs to the characters of ids, "*" and "?", so that path.Match can never call one malformed.
func checkGlob(glob string) error {
	if glob == "" {
		return fmt.Errorf("a glob is empty")
	}
	for _, r := range glob {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("_.*?-", r) {
			return fmt.Errorf("glob %q holds %q; ids have a-z, 0-9, _, - and ., a glob also * and ?", glob, r)
		}
	}
	return nil
}

func (t *term) names(id string) bool {
	switch t.shape {
	case shapeAny:
		return true
	case shapeExact:
		return id == t.text
	case shapePrefix:
		return strings.HasPrefix(id, t.text)
	default:
		return dlp.Glob(t.glob, id)
	}
}

// chooses reports whether the match is one of the selector's.
func (s *selector) chooses(m *dlp.Match) bool {
	if m.Confidence < s.confidence {
		return false
	}
	named := false
	for i := range s.terms {
		t := &s.terms[i]
		if (t.exclude || !named) && t.names(m.Detector) {
			if t.exclude {
				return false
			}
			named = true
		}
	}
	return named
}

// unknown returns the globs that name none of the known detectors.
func (s *selector) unknown(known []string) []string {
	var out []string
next:
	for i := range s.terms {
		for _, id := range known {
			if s.terms[i].names(id) {
				continue next
			}
		}
		out = append(out, s.terms[i].glob)
	}
	return out
}
