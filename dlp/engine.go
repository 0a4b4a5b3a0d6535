package dlp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outband/outband/dlp/view"
)

// Errors of a scan. Neither carries content. What was found until then is not returned: half a result would look like a clean one.
var (
	ErrBudget = errors.New("scan took longer than its budget")
	ErrPanic  = errors.New("detector panicked")
)

// Configuration bounds the work of an Engine.
type Configuration struct {
	BlockSize    int           // bytes that are scanned at once; the findings do not depend on it
	MaxMatches   int           // for each detector and text; more sets Result.Truncated
	BudgetPerMiB time.Duration // wall time for each MiB of text begun; 0 means none
	Optional     bool          // also use detectors marked optional
	Stock        Stock         // what detectors name that is not in their files
}

// DefaultConfiguration returns the bounds of the product.
func DefaultConfiguration() Configuration {
	return Configuration{BlockSize: 1 << 20, MaxMatches: 1000, BudgetPerMiB: 5 * time.Second}
}

// margin is how much text around its own part a block sees: more than the longest match and its context.
const margin = 20 << 10

// Engine is a compiled set of detectors. It is safe for concurrent use, and nothing about it changes but what it has counted and which test data it leaves
// out.
type Engine struct {
	cfg     Configuration
	rules   []*rule
	slots   int // rules and their parts
	wander  int // those of them whose keyword is not at a fixed place of a match
	byID    map[string]*rule
	filter  *prefilter
	numbers numberIndex
	runs    []*rule    // scanners that look at runs of digits
	wakes   wakes      // which of them look at which
	mails   []*rule    // scanners that look at every @
	lists   []*rule    // scanners over the matches of a whole text
	bases   []*rule    // scanners for addresses in base 58
	hidden  [5][]*rule // scanners for hidden text, by view.Kind
	codes   []*rule    // scanners for source code
	lines   lineIndex

	dictionaries []*rule
	tables       []*exactTable // with the rules that read them

	ruleset string
	states  sync.Pool
	scanned atomic.Int64

	published atomic.Pointer[published] // nil: nothing is left out
	usage     []usage                   // by rule
}

// Result is what a scan found, by place. Matches below low confidence are not in it.
type Result struct {
	Matches   []Match
	Truncated bool // a detector had more matches than the configuration keeps
	Undecoded bool // encoded text went over a limit, and the rest of it was not read
}

// New compiles detectors. The error is a *LintError with the place in the detector's file. Ids are unique.
func New(detectors []Detector, cfg Configuration) (*Engine, error) {
	def := DefaultConfiguration()
	if cfg.BlockSize <= 0 {
		cfg.BlockSize = def.BlockSize
	}
	cfg.BlockSize += cfg.BlockSize & 1 // Blocks of UTF-16 stay in step.
	if cfg.MaxMatches <= 0 {
		cfg.MaxMatches = def.MaxMatches
	}
	e := &Engine{cfg: cfg, byID: map[string]*rule{}, numbers: numberIndex{forms: map[string]*numberForm{}}}
	for _, d := range detectors {
		if d.Optional && !cfg.Optional {
			continue
		}
		r, err := compile(d, cfg.Stock)
		if err != nil {
			return nil, err
		}
		if e.byID[d.ID] != nil {
			return nil, d.fail("id", 0, "id is used twice")
		}
		r.index = len(e.rules)
		r.version = sync.OnceValue(r.digest)
		for _, x := range append([]*rule{r}, r.parts...) {
			x.slot = e.slots
			e.slots++
			if x.most > x.least {
				x.wanders = e.wander
				e.wander++
			}
		}
		e.byID[d.ID] = r
		e.rules = append(e.rules, r)
		e.numbers.add(r)
		switch {
		case d.Kind == KindDictionary:
			e.dictionaries = append(e.dictionaries, r)
		case d.Kind == KindExact:
			e.addExact(r)
		case d.Kind != KindScanner:
		case d.Scanner == "email":
			e.mails = append(e.mails, r)
		case d.Scanner == "email_list":
			e.lists = append(e.lists, r)
		case d.Scanner == "base58":
			e.bases = append(e.bases, r)
		case d.Scanner == "code":
			e.lines.add(r, len(e.codes))
			e.codes = append(e.codes, r)
		case hiddenKind(d.Scanner) != 0:
			k := hiddenKind(d.Scanner)
			e.hidden[k] = append(e.hidden[k], r)
		case r.scan != nil && len(d.Keywords) == 0:
			if len(e.runs) == maxRuns {
				return nil, d.fail("scanner", 0, "more than %d detectors look at every run of digits", maxRuns)
			}
			e.wakes.add(len(e.runs), r.runs)
			e.runs = append(e.runs, r)
		}
	}
	e.usage = make([]usage, len(e.rules))
	e.filter = newPrefilter(e.rules)
	sum, err := rulesetHash(e.rules)
	if err != nil {
		return nil, err
	}
	e.ruleset = sum
	e.states.New = func() any { return newState(e) }
	return e, nil
}

// engineVersion is part of the ruleset: raise it when the engine finds other things with the same detectors.
const engineVersion = "3"

func rulesetHash(rules []*rule) (string, error) {
	sorted := slices.SortedFunc(slices.Values(rules), func(a, b *rule) int { return strings.Compare(a.ID, b.ID) })
	h := sha256.New()
	h.Write([]byte(engineVersion))
	for _, r := range sorted {
		b, err := r.decides()
		if err != nil {
			return "", fmt.Errorf("hash detector %s: %w", r.ID, err)
		}
		h.Write(b)
		h.Write([]byte(r.stored()))
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}

// decides is all of a detector by which it finds something.
func (r *rule) decides() ([]byte, error) {
	d := r.Detector
	d.Examples, d.Description, d.References = Examples{}, "", nil // They change nothing that is found.
	return json.Marshal(d)
}

// Ruleset names this set of detectors: two engines with the same name find the same in the same text. 16 hexadecimal digits.
func (e *Engine) Ruleset() string {
	if p := e.published.Load(); p != nil {
		return p.ruleset
	}
	return e.ruleset
}

// Detectors returns the detectors in use, in the order given.
func (e *Engine) Detectors() []Detector {
	out := make([]Detector, len(e.rules))
	for i, r := range e.rules {
		out[i] = r.Detector
	}
	return out
}

// Detector returns the detector with this id.
func (e *Engine) Detector(id string) (Detector, bool) {
	r, ok := e.byID[id]
	if !ok {
		return Detector{}, false
	}
	return r.Detector, true
}

// Scan finds all matches in text. Without keys, Match.Value and Match.Fingerprint stay empty. The error wraps ErrBudget or ErrPanic. Clean text
// costs no allocation.
func (e *Engine) Scan(text []byte, keys Keys) (Result, error) {
	s := e.acquire(keys)
	defer e.release(s)
	s.memory = memory{text: text}
	e.scanned.Add(int64(len(text)))
	return s.run(context.Background(), &s.memory)
}

// Scanned returns the bytes that were given to the engine so far.
func (e *Engine) Scanned() int64 { return e.scanned.Load() }

func (e *Engine) acquire(keys Keys) *state {
	// The pool holds nothing but *state.
	s := e.states.Get().(*state)
	s.keys, s.published = keys, e.published.Load()
	return s
}

// release clears what points at foreign text, so that the pool keeps none of it alive (invariant 4).
func (e *Engine) release(s *state) {
	s.clear()
	e.states.Put(s)
}

// maxFound is how many matches a state keeps room for.
const maxFound = 4 << 10

// clear hands over what was counted and forgets the text.
func (s *state) clear() {
	s.count()
	s.keys, s.memory = Keys{}, memory{}
	s.byID, s.byFingerprint = nil, nil
	s.text, s.src, s.view = nil, nil, view.View{}
	s.placed = nil
	s.near, s.current, s.room = nearby{}, nil, [maxPublished]byte{}
	clear(s.found)
	if s.found = s.found[:0]; cap(s.found) > maxFound {
		s.found = nil // One text full of matches must not hold its memory for ever.
	}
	clear(s.cands[:cap(s.cands)])
	for i, l := range s.forms {
		if cap(l) > 1<<14 {
			s.forms[i] = nil // One long file must not hold its memory for ever.
		}
	}
	for _, t := range s.exact {
		t.wipe()
	}
	s.decoder.Wipe()
	s.nested.wipe()
}
