package dlp

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
)

//go:embed testdata.yaml
var testDataFile []byte

// TestGroup is a group of values that are published for tests and documentation: they are no leak wherever they stand.
type TestGroup struct {
	ID          string   `yaml:"id"`
	Title       string   `yaml:"title"`
	Description string   `yaml:"description"`
	References  []string `yaml:"references"`
	Detectors   []string `yaml:"detectors"` // globs of the detectors whose matches are compared
	Mode        string   `yaml:"mode"`      // as shipped: TestDataOn (default) or TestDataOff
	Form        string   `yaml:"form"`      // in which a value is compared: digits, compact, lower or raw
	Values      []string `yaml:"values"`
	Domains     []string `yaml:"domains"`
	Networks    []string `yaml:"networks"`
	Patterns    []string `yaml:"patterns"`
}

// Modes of a group.
const (
	TestDataOn  = "on"
	TestDataOff = "off"
)

// maxPublished bounds the values that are compared, in bytes; a longer one is in no group.
const maxPublished = 256

var testData = sync.OnceValues(func() ([]TestGroup, error) {
	dec := yaml.NewDecoder(bytes.NewReader(testDataFile))
	dec.KnownFields(true)
	var doc struct {
		Groups []TestGroup `yaml:"groups"`
	}
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("read the test data: %w", err)
	}
	for i := range doc.Groups {
		if doc.Groups[i].Mode == "" {
			doc.Groups[i].Mode = TestDataOn
		}
	}
	return doc.Groups, nil
})

// TestData returns the groups that come with the program, in the order of their file.
func TestData() ([]TestGroup, error) {
	all, err := testData()
	return slices.Clone(all), err
}

// published are the groups that an engine leaves out, by rule.
type published struct {
	byRule  [][]*testGroup
	ruleset string
}

// testGroup is a compiled TestGroup.
type testGroup struct {
	form     func(to, v []byte) []byte
	values   map[string]bool
	domains  []string
	networks []netip.Prefix
	patterns []*regexp.Regexp
}

// LeaveOut makes the engine find no value of these groups from now on, and those of no other; scans that run go on as they began. It changes Ruleset.
// A new engine leaves nothing out. An error, and no change, is a group that cannot be used.
func (e *Engine) LeaveOut(groups []TestGroup) error {
	if len(groups) == 0 {
		e.published.Store(nil)
		return nil
	}
	p := &published{byRule: make([][]*testGroup, len(e.rules))}
	for _, g := range groups {
		c, err := g.compile()
		if err != nil {
			return fmt.Errorf("test data %s: %w", g.ID, err)
		}
		for i, r := range e.rules {
			if slices.ContainsFunc(g.Detectors, func(glob string) bool { return Glob(glob, r.ID) }) {
				p.byRule[i] = append(p.byRule[i], c)
			}
		}
	}
	text, err := json.Marshal(groups)
	if err != nil {
		return fmt.Errorf("hash the test data: %w", err)
	}
	sum := sha256.Sum256(append([]byte(e.ruleset), text...))
	p.ruleset = hex.EncodeToString(sum[:8])
	e.published.Store(p)
	return nil
}

func (g TestGroup) compile() (*testGroup, error) {
	c := &testGroup{form: forms[g.Form], values: map[string]bool{}, domains: g.Domains}
	if c.form == nil {
		return nil, errors.New("form is none of digits, compact, lower, raw")
	}
	for _, v := range g.Values {
		c.values[string(c.form(nil, []byte(v)))] = true
	}
	for _, n := range g.Networks {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return nil, fmt.Errorf("networks: %w", err)
		}
		c.networks = append(c.networks, p)
	}
	for _, p := range g.Patterns {
		re, err := regexp.Compile(`^(?:` + p + `)$`)
		if err != nil {
			return nil, fmt.Errorf("patterns: %w", err)
		}
		c.patterns = append(c.patterns, re)
	}
	return c, nil
}

// forms write a value, of at most maxPublished bytes, behind to.
var forms = map[string]func(to, v []byte) []byte{
	"digits": func(to, v []byte) []byte {
		for _, b := range v {
			if b >= '0' && b <= '9' {
				to = append(to, b)
			}
		}
		return to
	},
	"compact": func(to, v []byte) []byte {
		for _, b := range v {
			switch {
			case b == ' ' || b == '-' || b == '.' || b == '/' || b == '\n' || b == '\r':
			case b >= 'a' && b <= 'z':
				to = append(to, b-('a'-'A'))
			default:
				to = append(to, b)
			}
		}
		return to
	},
	"lower": func(to, v []byte) []byte {
		for _, b := range v {
			to = append(to, lower(b))
		}
		return to
	},
	"raw": func(to, v []byte) []byte { return append(to, v...) },
}

// has reports whether a value of a rule is one of those that are left out, with room to write it in. It allocates nothing but for an address.
func (p *published) has(rule int, v []byte, room *[maxPublished]byte) bool {
	if len(v) > maxPublished {
		return false
	}
	for _, g := range p.byRule[rule] {
		text := g.form(room[:0], v)
		if g.values[string(text)] {
			return true
		}
		for _, re := range g.patterns {
			if re.Match(text) {
				return true
			}
		}
		if len(g.domains) > 0 && g.domain(text[bytes.LastIndexByte(text, '@')+1:]) {
			return true
		}
		if len(g.networks) > 0 && g.network(string(text)) {
			return true
		}
	}
	return false
}

func (g *testGroup) domain(host []byte) bool {
	for _, d := range g.domains {
		if n := len(host) - len(d); n >= 0 && string(host[n:]) == d && (n == 0 || host[n-1] == '.') {
			return true
		}
	}
	return false
}

// network looks for an address, with or without a port behind it or a length of prefix.
func (g *testGroup) network(text string) bool {
	text, _, _ = strings.Cut(text, "/")
	a, err := netip.ParseAddr(text)
	if err != nil {
		port, perr := netip.ParseAddrPort(text)
		if perr != nil {
			return false
		}
		a = port.Addr()
	}
	return slices.ContainsFunc(g.networks, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) })
}
