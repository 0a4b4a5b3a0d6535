package policy

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/outband/outband/dlp"
)

// list returns a literal list of n numbers.
func list(n int) string {
	return "[" + strings.TrimSuffix(strings.Repeat("1, ", n), ", ") + "]"
}

func TestHostileExpressionsAreStopped(t *testing.T) {
	large := Input{Item: Item{Kind: "message"}, Resource: Resource{Name: strings.Repeat("a", 8<<20)}, Matches: make([]dlp.Match, 50_000)}
	large.Activity.Fields = map[string]string{}
	for i := range 20_000 {
		large.Activity.Fields[fmt.Sprint("field.", i)] = "x"
	}
	calls := 0
	look := Lookups{Recent: func(string, string, time.Duration) (int64, error) { calls++; return 0, nil }}
	for _, tc := range []struct {
		name, when string
		kind       error
	}{
		{"loops that pass the estimate", list(30) + ".exists(a, " + list(30) + ".exists(b, " + list(30) + ".exists(c, a + b + c > 99)))", ErrCost},
		{"a loop over a large map", `activity.fields.exists(k, activity.fields[k] == "y" || k.startsWith("none"))`, ErrCost},
		{"a pattern over a large text", `resource.name.matches("^(a{1,9}b?){1,9}c$")`, ErrCost},
		{"many texts made of a large one", `(resource.name + resource.name + resource.name).contains("b")`, ErrCost},
		{"many counts over many matches", strings.Repeat(`count("x.y") + `, 40) + `count("x.y") > 0`, ErrCost},
		{"many questions to the store", list(150) + `.exists(a, recent("x", "actor", duration("1h")) == a)`, ErrCost},
	} {
		t.Run(tc.name, func(t *testing.T) {
			calls = 0
			s := compiledSet(t, nil, file("content.x", `items: ["*"]`, tc.when))
			start := time.Now()
			decisions, failures := s.Evaluate(large, look)
			took := time.Since(start)
			if len(decisions) > 0 || len(failures) != 1 || !(errors.Is(failures[0].Err, tc.kind) || errors.Is(failures[0].Err, ErrTime)) {
				t.Errorf("Evaluate gave %+v and %v, want %v", decisions, failures, tc.kind)
			}
			// The bound is generous: this machine may be busy. What matters is that it is far from what the expression asks for.
			if took > 2*time.Second {
				t.Errorf("Evaluate took %s", took)
			}
			if calls > CostLimit/lookupCost+1 {
				t.Errorf("the store was asked %d times", calls)
			}
		})
	}
}

func TestLimitsAreSetWhereTheyAreNeeded(t *testing.T) {
	for _, tc := range []struct {
		name, when string
		free       bool
	}{
		{"a small expression", `kind == "message" && count("x.y") > 0`, true},
		{"a pattern", `file.name.matches("[.]pem$")`, true},
		{"a loop", `actor.groups.exists(g, g == "ops")`, false},
		{"a field of a record", `record.fields.name == "x"`, true},
		{"a field of a record as text", `text("name") == "x"`, true},
		{"a loop over a list of a record", `entries("names").exists(n, n == "x")`, false},
		{"a record's time", `older("created_at", duration("1h"))`, true},
		{"twenty questions to the store", strings.Repeat(`total("x.y") + `, 19) + `total("x.y") > 0`, false},
	} {
		s := compiledSet(t, nil, file("content.x", `items: ["*"]`, tc.when))
		if free := s.active[0].free != nil; free != tc.free {
			t.Errorf("%s: runs without a limit: %v, want %v", tc.name, free, tc.free)
		}
	}
	long := strings.Repeat("a", hintText+1)
	for i, in := range []Input{
		{Resource: Resource{Name: long}}, {Actor: Actor{Groups: []string{long}}}, {Actor: Actor{Groups: make([]string, hintEntries+1)}},
		{Activity: Activity{Fields: map[string]string{"a": long}}}, {Activity: Activity{Fields: map[string]string{long: "a"}}}, {Matches: make([]dlp.Match, hintMatches+1)},
		{Record: Record{Fields: map[string]any{"a": long}}}, {Record: Record{Before: map[string]any{long: 1.0}}}, {Record: Record{Fields: map[string]any{"a": []any{"b", map[string]any{"c": long}}}}},
		{Record: Record{Fields: map[string]any{"a": make([]any, hintEntries)}}}, {Record: Record{Fields: map[string]any{"a": []string{long}}}},
		{Record: Record{Fields: map[string]any{"a": make([]any, hintEntries/2)}, Before: map[string]any{"a": make([]any, hintEntries/2)}}},
	} {
		if in.withinHints() {
			t.Errorf("input %d is within the hints", i)
		}
	}
	if in := (Input{Resource: Resource{Name: long[1:]}, Record: Record{Fields: map[string]any{"a": long[1:], "b": make([]any, hintEntries-10)}}}); !in.withinHints() {
		t.Error("an input of the size of the hint is beyond it")
	}
}

func TestSelectorAgreesWithGlob(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		glob := rapid.StringMatching(`[a-c.*?]{1,8}`).Draw(t, "glob")
		id := rapid.StringMatching(`[a-c.]{0,8}`).Draw(t, "id")
		s, err := parseSelector(glob, 0)
		if err != nil {
			t.Fatal(err)
		}
		want, err := path.Match(glob, id)
		if got := s.chooses(&dlp.Match{Detector: id}); err != nil || got != want || want != dlp.Glob(glob, id) {
			t.Errorf("selector %q chooses %q: %v, path.Match says %v", glob, id, got, want)
		}
	})
}

// drawInput draws an input in which every variable may be empty, foreign or extreme.
func drawInput(t *rapid.T) Input {
	text := rapid.OneOf(rapid.SampledFrom([]string{"", "message", "activity", "record", "public", "\xff\xfe", "owner"}), rapid.String())
	at := rapid.Custom(func(t *rapid.T) time.Time { return time.UnixMicro(rapid.Int64().Draw(t, "time")).UTC() })
	draw := func(name string) string { return text.Draw(t, name) }
	return Input{
		Item:       Item{Kind: draw("item.kind"), At: at.Draw(t, "at")},
		Resource:   Resource{draw("kind"), draw("id"), draw("name"), draw("owner"), draw("visibility"), draw("project")},
		Actor:      Actor{draw("id"), draw("email"), draw("type"), draw("role"), rapid.SliceOf(text).Draw(t, "groups"), rapid.Bool().Draw(t, "external")},
		Connection: Connection{draw("id"), draw("name"), draw("connector")},
		File:       File{draw("name"), draw("type"), rapid.Int64().Draw(t, "size"), draw("content"), rapid.Bool().Draw(t, "mismatch")},
		Activity:   Activity{draw("type"), rapid.MapOf(text, text).Draw(t, "fields")},
		Record:     Record{draw("kind"), drawFields(t, text), drawFields(t, text)},
		Now:        at.Draw(t, "now"),
		Matches: rapid.SliceOf(rapid.Custom(func(t *rapid.T) dlp.Match {
			return match(rapid.SampledFrom([]string{"contact.email", "financial.card", "secret.generic_api_key", ""}).Draw(t, "detector"),
				rapid.Float64().Draw(t, "confidence"), text.Draw(t, "value"))
		})).Draw(t, "matches"),
	}
}

func drawFields(t *rapid.T, text *rapid.Generator[string]) map[string]any {
	value := rapid.OneOf(
		rapid.Map(text, func(s string) any { return s }), rapid.Map(rapid.Float64(), func(f float64) any { return f }),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }), rapid.Just[any](nil), rapid.Just[any]([]any{"a", 1.0}),
		rapid.Just[any](map[string]any{"age": nil}), rapid.Just[any](struct{ unknown chan int }{}), rapid.Just[any](int64(7)),
	)
	return rapid.MapOf(rapid.SampledFrom([]string{"age", "name", ""}), value).Draw(t, "record")
}

func TestTypedVariablesNeverPanic(t *testing.T) {
	policies := builtin(t)
	for i, when := range []string{
		`item.at - now < duration("1h") || item.at.getFullYear() > 2000 || string(item.at) == ""`,
		`file.size * 2 > 5 || file.size + file.size < 0 || 10 / file.size == 1`,
		`record.fields.age > 5 || record.before["name"].contains("x") || record.fields == record.before`,
		`activity.fields.all(k, activity.fields[k].size() < 9) || actor.groups.map(g, g + g).size() > 1`,
		`int(resource.name) > 0 || timestamp(resource.name) < now || bytes(resource.name).size() > 3 || double(actor.email) < 1`,
		`distinct("*") > kinds("*") || confidence("* !contact.*") > 0.5 || total("*") > 1 || recent("*", "resource", duration("1s")) > 1`,
		`text("age") == text("name") || entries("age").size() > 1 || older("name", duration("1h")) || standing("user", "id", text("")) > 0`,
		`updated("age") || old_value(resource.name) == new_value("name")`,
	} {
		policies = append(policies, parse(t, file(fmt.Sprintf("content.case_%d", i), `items: ["*", activity, record]`, when)))
	}
	s, err := Compile(policies, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		in := drawInput(t)
		decisions, failures := s.Evaluate(in, Lookups{})
		for _, d := range decisions {
			last := -1
			for _, i := range d.Evidence {
				if i <= last || i >= len(in.Matches) {
					t.Errorf("evidence %v is out of order or out of range of %d matches", d.Evidence, len(in.Matches))
				}
				last = i
			}
		}
		for _, f := range failures {
			var told *Error
			if !errors.As(f.Err, &told) || told.PolicyID != f.PolicyID || strings.Contains(told.Message, "internal") {
				t.Errorf("policy %s failed with %v", f.PolicyID, f.Err)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, p := range builtin(f) {
		f.Add(p.Source())
	}
	f.Add([]byte(good))
	f.Add([]byte("a: &a [*a, *a]\nb: !!binary x\n? [c]\n: d"))
	f.Add([]byte("id: x.y\nwhen: |2\n   true\ntests: [{name: a, input: {matches: [{detector: a.b, count: 9}]}}]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("Parse gave %v, which is no ErrInvalid", err)
			}
			return
		}
		again, err := Parse(p.Source())
		if err != nil || again.ID != p.ID || again.Kind == "" {
			t.Errorf("Parse of its own source gave %v", err)
		}
	})
}

func FuzzExpression(f *testing.F) {
	for _, p := range builtin(f) {
		f.Add(p.When)
	}
	for _, seed := range []string{`count("a.*", 0.5) > 1`, `[1, 2].map(x, x * 2).exists(y, y == 4)`, `record.fields.a.b[0] == 1`, "`a`.b", `"é".matches("é{1,3}")`, `count(`, `{}[0]`, `entries("a").exists(x, standing("b", "id", x + text("c")) > 0) || older("a", duration("-1h"))`} {
		f.Add(seed)
	}
	in := Input{
		Item: Item{Kind: "message", At: testTime}, Now: testTime, Actor: Actor{Groups: []string{"a", "b"}}, Resource: Resource{Name: "name"},
		Activity: Activity{Fields: map[string]string{"a": "b"}}, Record: Record{Fields: map[string]any{"a": 1.0}},
		Matches: []dlp.Match{match("a.b", 0.9, "x"), match("a.c", 0.2, "y")},
	}
	f.Fuzz(func(t *testing.T, when string) {
		p := &Policy{ID: "content.x", Version: 1, Kind: KindContent, Severity: SeverityLow, Mode: ModeOn, On: On{Items: []string{AnyItem}}, When: when}
		s, err := Compile([]*Policy{p}, nil, nil)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Errorf("Compile gave %v, which is no ErrInvalid", err)
			}
			return
		}
		start := time.Now()
		s.Evaluate(in, Lookups{})
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("Evaluate took %s", took)
		}
	})
}
