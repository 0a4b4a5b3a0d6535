package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp/corpus"
	"github.com/outband/outband/fixtures/hostile"
)

// heavy are inputs as large as a unit can be, and one as small.
func heavy() []Input {
	long := strings.Repeat("a", hintText)
	large := Input{
		Item: Item{Kind: "message", At: testTime}, Now: testTime, Resource: Resource{Kind: "chat", ID: "c", Name: long, Owner: long},
		Actor: Actor{ID: "u", Email: long}, File: File{Name: long, Size: 1 << 40}, Activity: Activity{Type: "x", Fields: map[string]string{}},
		Record: Record{Kind: "key", Fields: map[string]any{"b": []any{1.0, "x"}}},
	}
	list := make([]any, hintEntries/2)
	for i := range hintEntries {
		large.Actor.Groups = append(large.Actor.Groups, fmt.Sprint("group ", i, strings.Repeat("a", 60)))
		large.Activity.Fields[fmt.Sprint("field.", i)] = "value"
	}
	for i := range list {
		list[i] = fmt.Sprint("entry ", i)
	}
	large.Record.Fields["a"] = list
	for i := range 20_000 {
		large.Matches = append(large.Matches, match(fmt.Sprintf("x.kind_%d", i%50), 0.9, fmt.Sprint(i)))
	}
	activity, record, small := large, large, large
	activity.Item.Kind, record.Item.Kind = itemActivity, itemRecord
	small.Resource.Name, small.Resource.Owner, small.Actor.Email, small.File.Name = "a", "a", "a", "a"
	small.Actor.Groups, small.Matches = nil, nil
	small.Activity.Fields, small.Record.Fields = map[string]string{"a": "b"}, map[string]any{"a": 1.0}
	return []Input{large, activity, record, small}
}

// TestHostilePolicies holds the gate to its promise: a custom policy is refused with its place, or no unit makes its evaluation long.
func TestHostilePolicies(t *testing.T) {
	cases, err := hostile.Policies()
	if err != nil {
		t.Fatal(err)
	}
	if detectors, err := hostile.Detectors(); err != nil || len(cases)+len(detectors) < 200 {
		t.Errorf("%d policies and %d detectors, %v; 200 are wanted", len(cases), len(detectors), err)
	}
	const (
		loading    = 3 * time.Second // of the process: to read and compile a hostile file, or to refuse it
		evaluating = time.Second     // TimeLimit stops loops after 50 ms; one large step may go on behind it
	)
	inputs := heavy()
	ran, refused := 0, 0
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			ran++
			start := corpus.CPUTime()
			p, err := Parse(c.Source)
			var s *Set
			if err == nil {
				s, err = Compile([]*Policy{p}, nil, nil)
			}
			if took := corpus.CPUTime() - start; took > loading {
				t.Errorf("loading took %s", took)
			}
			if err != nil {
				refused++
				var told *Error
				if !errors.As(err, &told) || !errors.Is(err, ErrInvalid) || told.Line < 1 || told.Column < 1 || told.Message == "" {
					t.Errorf("refused without a place: %v", err)
				}
				if len(err.Error()) > 50_000 {
					t.Errorf("the refusal has %d bytes", len(err.Error()))
				}
				return
			}
			asked := 0
			look := Lookups{
				Total:    func(string, string) (int64, error) { asked++; return 0, nil },
				Recent:   func(string, string, time.Duration) (int64, error) { asked++; return 0, nil },
				Standing: func(string, string, string) (int64, error) { asked++; return 0, nil },
			}
			for i, in := range inputs {
				asked = 0
				start := corpus.CPUTime()
				_, failures := s.Evaluate(in, look)
				if took := corpus.CPUTime() - start; took > evaluating {
					t.Errorf("input %d took %s", i, took)
				}
				if asked > CostLimit/lookupCost+1 {
					t.Errorf("input %d asked the store %d times", i, asked)
				}
				for _, f := range failures {
					if strings.Contains(f.Err.Error(), "internal") {
						t.Errorf("input %d ended in %v", i, f.Err)
					}
				}
			}
		})
	}
	if refused < ran/2 || ran > 1 && refused == ran {
		t.Errorf("%d of %d are refused", refused, ran)
	}
}
