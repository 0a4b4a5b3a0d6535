package policy

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

// file returns the file of a small policy.
func file(id, on, when string) string {
	return fmt.Sprintf("id: %s\nversion: 3\ntitle: Title of %s\nseverity: high\nguide: Look at {resource.url}.\non: {%s}\nwhen: |\n  %s\n",
		id, id, on, strings.ReplaceAll(when, "\n", "\n  "))
}

func parse(t testing.TB, text string) *Policy {
	t.Helper()
	p, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compiledSet(t testing.TB, overrides []Override, texts ...string) *Set {
	t.Helper()
	var list []*Policy
	for _, text := range texts {
		list = append(list, parse(t, text))
	}
	s, err := Compile(list, overrides, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func match(detector string, confidence float64, value string) dlp.Match {
	return dlp.Match{Detector: detector, Confidence: confidence, Value: value}
}

func TestExpressions(t *testing.T) {
	at := time.Date(2026, time.March, 3, 10, 0, 0, 0, time.UTC)
	in := Input{
		Item:       Item{Kind: "message", At: at},
		Resource:   Resource{Kind: "chat", ID: "c1", Name: "Plan", Owner: "u1", Visibility: "public", Project: "p1"},
		Actor:      Actor{ID: "u1", Email: "dana@acme.example", Type: "user", Role: "admin", Groups: []string{"ops", "sales"}, External: true},
		Connection: Connection{ID: "con_1", Name: "Acme", Connector: "claude"},
		File:       File{Name: "a.txt", Type: "text/plain", Size: 12},
		Activity:   Activity{Type: "role_updated", Fields: map[string]string{"current_role": "owner", "audience.0.type": "public"}},
		Record:     Record{Kind: "key", Fields: map[string]any{"age": 91.0, "tags": []any{"old"}}, Before: map[string]any{"age": 90.0}},
		Now:        at.Add(time.Hour),
		Matches: []dlp.Match{
			match("contact.email", 0.8, "v1"), match("contact.email", 0.8, "v1"), match("contact.email", 0.5, "v2"),
			match("financial.card", 0.9, "v3"), match("secret.generic_api_key", 0.3, "v4"),
		},
	}
	look := Lookups{
		Total: func(id, glob string) (int64, error) {
			if id == "content.case" && glob == "financial.*" {
				return 7, nil
			}
			return 0, nil
		},
		Recent: func(glob, scope string, d time.Duration) (int64, error) {
			if glob == "file_*" && scope == "actor" && d == 90*time.Minute {
				return 5, nil
			}
			return 0, nil
		},
	}
	for _, when := range []string{
		`kind == "message" && item.kind == kind && item.at < now && now - item.at == duration("1h")`,
		`resource.kind + resource.id + resource.name + resource.owner + resource.visibility + resource.project == "chatc1Planu1publicp1"`,
		`actor.id == "u1" && actor.email.endsWith("@acme.example") && actor.type == "user" && actor.role == "admin" && actor.external`,
		`"ops" in actor.groups && actor.groups.size() == 2 && actor.groups.exists(g, g.startsWith("sal"))`,
		`connection.id == "con_1" && connection.name == "Acme" && connection.connector == "claude"`,
		`file.name.endsWith(".txt") && file.type == "text/plain" && file.size == 12`,
		`activity.type == "role_updated" && activity.fields["current_role"] == "owner"`,
		`field("current_role") == "owner" && field("audience.0.type") == "public" && field("none") == ""`,
		`has(activity.fields.current_role) && !has(activity.fields.none)`,
		`record.kind == "key" && record.fields.age > 90 && record.before.age == 90.0 && !has(record.fields.none) && "old" in record.fields.tags`,
		`count("contact.email") == 3 && count("contact.email", 0.6) == 2 && count("nothing.*") == 0 && count("*") == 5`,
		`distinct("contact.email") == 2 && distinct("contact.email", 0.6) == 1 && distinct("nothing.*") == 0`,
		`kinds("*") == 3 && kinds("contact.* financial.*") == 2 && kinds("* !contact.*", 0.6) == 1`,
		`confidence("contact.*") == 0.8 && confidence("nothing.*") == 0.0 && confidence("secret.*") < 0.4`,
		`count("c?ntact.e*l") == 3 && count("* !contact.email !secret.*") == 1`,
		`total("financial.*") == 7 && total("other.*") == 0`,
		`recent("file_*", "actor", duration("90m")) == 5 && recent("file_*", "resource", duration("90m")) == 0`,
		`resource.name.matches("^Pl[a-z]{1,9}$") && !matches(resource.name, "^x")`,
		`false || resource.visibility == "public" ? true : false`,
	} {
		t.Run(when, func(t *testing.T) {
			s := compiledSet(t, nil, file("content.case", "items: [message]", when))
			decisions, failures := s.Evaluate(in, look)
			if len(failures) > 0 {
				t.Fatal(failures[0].Err)
			}
			if len(decisions) != 1 {
				t.Error("the expression is false, want true")
			}
		})
	}
}

func TestMissingLookupsAnswerZero(t *testing.T) {
	s := compiledSet(t, nil, file("content.case", `items: ["*"]`, `total("x.y") == 0 && recent("x", "connection", duration("1h")) == 0`))
	if decisions, failures := s.Evaluate(Input{Item: Item{Kind: "message"}}, Lookups{}); len(decisions) != 1 || len(failures) != 0 {
		t.Errorf("Evaluate gave %d decisions and %d failures, want 1 and 0", len(decisions), len(failures))
	}
}

func TestOn(t *testing.T) {
	s := compiledSet(t, nil,
		file("content.messages", "items: [message, chat]", "true"),
		file("content.everything", `items: ["*"]`, "true"),
		file("content.texts_of_activities", "items: [activity]", "true"),
		file("activity.exact", "activities: [key_created, key_deleted]", "true"),
		file("activity.globs", `activities: ["key_*", "sso_*", "*_created"]`, "true"),
		file("posture.keys", "records: [key]", "true"),
	)
	for _, tc := range []struct {
		name string
		in   Input
		want []string
	}{
		{"a message", Input{Item: Item{Kind: "message"}}, []string{"content.everything", "content.messages"}},
		{"a chat", Input{Item: Item{Kind: "chat"}}, []string{"content.everything", "content.messages"}},
		{"a kind that no policy names", Input{Item: Item{Kind: "page"}}, []string{"content.everything"}},
		{"an activity that three entries name", Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "key_created"}},
			[]string{"activity.exact", "activity.globs", "content.texts_of_activities"}},
		{"an activity that a glob names", Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "sso_toggled"}},
			[]string{"activity.globs", "content.texts_of_activities"}},
		{"an activity that none names", Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "other"}}, []string{"content.texts_of_activities"}},
		{"a record", Input{Item: Item{Kind: "record"}, Record: Record{Kind: "key"}}, []string{"posture.keys"}},
		{"another record", Input{Item: Item{Kind: "record"}, Record: Record{Kind: "user"}}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			decisions, failures := s.Evaluate(tc.in, Lookups{})
			var got []string
			for _, d := range decisions {
				got = append(got, d.PolicyID)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(failures) > 0 {
				t.Errorf("Evaluate (-want +got):\n%s%v", diff, failures)
			}
			for _, c := range s.active {
				if admitted := c.policy.On.admits(&tc.in); admitted != strings.Contains(strings.Join(got, " "), c.policy.ID) {
					t.Errorf("admits says %v of %s, unlike Evaluate", admitted, c.policy.ID)
				}
			}
		})
	}
}

func TestDecision(t *testing.T) {
	in := Input{Item: Item{Kind: "message"}, Matches: []dlp.Match{
		match("contact.email", 0.9, "a"), match("secret.example_token", 0.3, "b"), match("secret.example_token", 0.7, "c"), match("secret.generic_api_key", 0.9, "d"),
	}}
	for _, tc := range []struct {
		name, on, when string
		overrides      []Override
		want           []Decision
	}{
		{"evidence is what the globs name", `items: ["*"]`, `count("secret.*") > 0`, nil,
			[]Decision{{Evidence: []int{1, 2, 3}, Severity: "high"}}},
		{"evidence keeps to the lowest confidence and to the excluded ids", `items: ["*"]`, `count("secret.* !secret.generic_*", 0.6) > 0`, nil,
			[]Decision{{Evidence: []int{2}, Severity: "high"}}},
		{"evidence is the union of the globs", `items: ["*"]`, `distinct("contact.*") > 5 || confidence("secret.generic_*") > 0.5 || total("secret.example_token") > 9`, nil,
			[]Decision{{Evidence: []int{0, 1, 2, 3}, Severity: "high"}}},
		{"an expression without globs has no evidence", `items: ["*"]`, `kind == "message"`, nil, []Decision{{Severity: "high"}}},
		{"no decision where the expression is false", `items: ["*"]`, `count("secret.*") > 9`, nil, nil},
		{"the severity is overridden", `items: ["*"]`, `true`, []Override{{PolicyID: "content.case", Severity: "low"}}, []Decision{{Severity: "low"}}},
		{"shadow makes a shadow decision", `items: ["*"]`, `true`, []Override{{PolicyID: "content.case", Mode: "shadow"}}, []Decision{{Severity: "high", Shadow: true}}},
		{"off is not evaluated", `items: ["*"]`, `true`, []Override{{PolicyID: "content.case", Mode: "off"}}, nil},
		{"an override of another policy has no effect", `items: ["*"]`, `true`, []Override{{PolicyID: "content.gone", Mode: "off"}}, []Decision{{Severity: "high"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for i := range tc.want {
				w := &tc.want[i]
				w.PolicyID, w.Version, w.Kind, w.Title = "content.case", 3, KindContent, "Title of content.case"
			}
			got, failures := compiledSet(t, tc.overrides, file("content.case", tc.on, tc.when)).Evaluate(in, Lookups{})
			for i := range got {
				got[i].Asked = nil // It has a test of its own.
			}
			if diff := cmp.Diff(tc.want, got); diff != "" || len(failures) > 0 {
				t.Errorf("Evaluate (-want +got):\n%s%v", diff, failures)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	broken := errors.New("the database is closed")
	look := Lookups{
		Total:  func(string, string) (int64, error) { return 0, broken },
		Recent: func(string, string, time.Duration) (int64, error) { return 0, broken },
	}
	foreign := "foreign text that no error may hold"
	matches := []dlp.Match{match("financial.card", 0.9, "a"), match("contact.email", 0.9, "b")}
	for _, tc := range []struct {
		name, id, on, when string
		matches            []dlp.Match
		kind               error
		message            string
		kept               []int
	}{
		{"a content policy with a match keeps the finding", "content.x", "items: [activity]", `count("financial.*") > 0 && activity.fields["none"] == ""`,
			matches, ErrEvaluation, "policy content.x: line 8, column 46: the evaluation failed: no such key", []int{0}},
		{"a content policy without a match makes none", "content.x", "items: [activity]", `count("financial.*") >= 0 && activity.fields["none"] == ""`,
			nil, ErrEvaluation, "policy content.x: line 8, column 47: the evaluation failed: no such key", nil},
		{"a match of another policy keeps nothing", "content.x", "items: [activity]", `count("secret.*") >= 0 && activity.fields["none"] == ""`,
			matches, ErrEvaluation, "policy content.x: line 8, column 44: the evaluation failed: no such key", nil},
		{"an activity policy makes none", "activity.x", "activities: [a]", `count("financial.*") > 0 && activity.fields["none"] == ""`,
			matches, ErrEvaluation, "policy activity.x: line 8, column 46: the evaluation failed: no such key", nil},
		{"no foreign key is in the error", "activity.x", "activities: [a]", `activity.fields[resource.name] == ""`,
			nil, ErrEvaluation, "policy activity.x: line 8, column 18: the evaluation failed: no such key", nil},
		{"no foreign text is in the error", "activity.x", "activities: [a]", `int(resource.name) == 1`,
			nil, ErrEvaluation, "policy activity.x: line 8, column 6: the evaluation failed: type conversion error", nil},
		{"the store is down for total", "content.x", "items: [activity]", `total("financial.*") > 0`,
			matches, ErrLookup, "policy content.x: line 8, column 3: the store did not answer: the database is closed", []int{0}},
		{"the store is down for recent", "activity.x", "activities: [a]", `recent("a", "actor", duration("1h")) > 0`,
			nil, broken, "policy activity.x: line 8, column 3: the store did not answer: the database is closed", nil},
		{"an error that the expression steps around is none", "activity.x", "activities: [a]", `activity.fields["none"] == "" && kind == "message"`, nil, nil, "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := compiledSet(t, nil, file(tc.id, tc.on, tc.when))
			in := Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "a"}, Resource: Resource{Name: foreign}, Matches: tc.matches}
			decisions, failures := s.Evaluate(in, look)
			if tc.kind == nil {
				if len(decisions) != 0 || len(failures) != 0 {
					t.Errorf("Evaluate gave %v and %v, want nothing", decisions, failures)
				}
				return
			}
			if len(failures) != 1 || failures[0].PolicyID != tc.id || !errors.Is(failures[0].Err, tc.kind) || failures[0].Err.Error() != tc.message {
				t.Errorf("failures are %v, want %q", failures, tc.message)
			}
			if tc.kept == nil && len(decisions) > 0 {
				t.Errorf("decisions are %+v, want none", decisions)
			}
			if tc.kept != nil && (len(decisions) != 1 || !decisions[0].Failed || cmp.Diff(tc.kept, decisions[0].Evidence) != "") {
				t.Errorf("decisions are %+v, want one that failed with evidence %v", decisions, tc.kept)
			}
		})
	}
}

func TestOverridesAndVersion(t *testing.T) {
	a, b := file("content.a", `items: ["*"]`, "true"), file("content.b", `items: ["*"]`, "false")
	plain := compiledSet(t, nil, a, b)
	if got := compiledSet(t, nil, b, a).Version(); got != plain.Version() || len(got) != 32 {
		t.Errorf("the version is %q and depends on the order", got)
	}
	if got := compiledSet(t, nil, strings.Replace(a, "Look at", "Look well at", 1), b).Version(); got != plain.Version() {
		t.Error("the version depends on the guide")
	}
	for name, other := range map[string]*Set{
		"the expression": compiledSet(t, nil, strings.Replace(a, "true", "1 == 1", 1), b),
		"the policies":   compiledSet(t, nil, a),
		"the severity":   compiledSet(t, []Override{{PolicyID: "content.a", Severity: "info"}}, a, b),
		"the mode":       compiledSet(t, []Override{{PolicyID: "content.a", Mode: "off"}}, a, b),
	} {
		if other.Version() == plain.Version() {
			t.Errorf("the version does not depend on %s", name)
		}
	}
	s := compiledSet(t, []Override{{PolicyID: "content.a", Mode: "off"}, {PolicyID: "content.b", Severity: "low", Mode: "shadow"}}, b, a)
	var got []string
	for _, e := range s.Policies() {
		got = append(got, e.Policy.ID+" "+e.Severity+" "+e.Mode)
	}
	if diff := cmp.Diff([]string{"content.a high off", "content.b low shadow"}, got); diff != "" {
		t.Errorf("Policies (-want +got):\n%s", diff)
	}
	if s := compiledSet(t, []Override{{PolicyID: "content.a", Mode: "on"}}, a+"mode: off\n"); s.Policies()[0].Mode != ModeOn {
		t.Error("an override does not turn on a policy whose file says off")
	}
	for _, o := range []Override{{PolicyID: "content.a", Severity: "urgent"}, {PolicyID: "content.a", Mode: "maybe"}} {
		if _, err := Compile([]*Policy{parse(t, a)}, []Override{o}, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("Compile with %+v gave %v, want ErrInvalid", o, err)
		}
	}
	if _, err := Compile([]*Policy{parse(t, a), parse(t, a)}, nil, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("Compile of one id twice gave %v, want ErrInvalid", err)
	}
}

func TestEvaluateFromManyGoroutines(t *testing.T) {
	s, err := Compile(builtin(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := Input{Item: Item{Kind: "message"}, Matches: []dlp.Match{match("financial.card", 0.9, "a"), match("secret.private_key", 0.9, "b")}}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 100 {
				if decisions, failures := s.Evaluate(in, Lookups{}); len(decisions) != 2 || len(failures) != 0 {
					t.Errorf("Evaluate gave %d decisions and %d failures, want 2 and 0", len(decisions), len(failures))
					return
				}
			}
		})
	}
	wait.Wait()
}

func TestThePoliciesOfASetSayWhatTheyCountAndByWhatTheyDecide(t *testing.T) {
	text := func(severity, when, guide string) *Policy {
		t.Helper()
		p, err := Parse([]byte(`id: custom.a
version: 1
title: A
severity: ` + severity + `
description: Made up.
guide: ` + guide + `
on: {records: [user]}
when: ` + when + `
tests:
  - {name: none, input: {record: {kind: user}}, want: false}
`))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	effective := func(p *Policy) Effective {
		t.Helper()
		s, err := Compile([]*Policy{p}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s.Policies()[0]
	}
	const counts = `text("a") == "b" && (standing("user", "", "") > 3 || standing("role", "id", text("b")) == 0 || standing("user", "role", "x") == 1)`
	e := effective(text("high", counts, "Look."))
	if diff := cmp.Diff([]string{"role", "user"}, e.Standing); diff != "" {
		t.Errorf("it counts (-want +got):\n%s", diff)
	}
	plain := effective(text("high", `text("a") == "b"`, "Look."))
	if len(plain.Standing) != 0 {
		t.Errorf("it counts %v", plain.Standing)
	}
	const names = `record.fields.a == 1 && has(record.before.b) && record.fields["c"] == text("d.e") && entries("f").exists(x, x == text("a")) && older("g", duration("1h"))`
	if diff := cmp.Diff([]string{"a", "b", "c", "d.e", "f", "g"}, effective(text("high", names, "Look.")).Fields); diff != "" {
		t.Errorf("it names (-want +got):\n%s", diff)
	}
	seen := map[string]bool{}
	for _, o := range []Effective{e, plain, effective(text("low", counts, "Look."))} {
		d, err := o.Decides()
		if err != nil || len(d) != 32 || seen[d] {
			t.Errorf("decides by %q, %v", d, err)
		}
		seen[d] = true
	}
	if d, err := effective(text("high", counts, "Look again.")).Decides(); err != nil || !seen[d] {
		t.Errorf("another guide decides otherwise: %q, %v", d, err)
	}
}
