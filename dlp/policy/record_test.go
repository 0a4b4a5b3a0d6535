package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestRecordFunctions(t *testing.T) {
	now := time.Date(2026, time.March, 3, 10, 0, 0, 0, time.UTC)
	in := Input{
		Item: Item{Kind: "record"}, Now: now,
		Record: Record{Kind: "api_key", Fields: map[string]any{
			"name": "etl", "on": true, "off": false, "count": 30.0, "half": 1.5, "nothing": nil, "list": []any{"a", 2.0, nil, []any{"deep"}}, "texts": []string{"x"},
			"map": map[string]any{"a": "b", "deep": map[string]any{"at": "2025-01-01T00:00:00Z", "list": []any{"x"}}}, "flat.key": "y", "old": "2025-12-03T09:59:59Z", "exact": "2025-12-03T10:00:00.000Z", "offset": "2025-12-03T11:59:59.5+02:00",
			"bare": "2025-12-03T09:59:59.123456", "date": "2025-12-03", "word": "yesterday", "future": "2027-01-01T00:00:00Z",
		}},
	}
	look := Lookups{Standing: func(kind, field, value string) (int64, error) {
		switch kind + "/" + field + "/" + value {
		case "user//":
			return 200, nil
		case "user/organization_role/owner":
			return 7, nil
		case "user/id/etl":
			return 1, nil
		}
		return 0, nil
	}}
	for _, when := range []string{
		`text("name") == "etl" && text("on") == "true" && text("off") == "false" && text("count") == "30" && text("half") == "1.5"`,
		`text("none") == "" && text("nothing") == "" && text("list") == "" && text("map") == ""`,
		`text("map.a") == "b" && text("map.none") == "" && text("map.a.b") == "" && text("name.x") == "" && text("flat.key") == "y" && text("") == "" && text(".") == ""`,
		`entries("map.deep.list") == ["x"] && older("map.deep.at", duration("1h"))`,
		`entries("list") == ["a", "2"] && "x" in entries("texts") && entries("none") == [] && entries("name").size() == 0 && entries("map") == []`,
		`entries("list").exists(e, e.startsWith("a")) && !entries("none").exists(e, true)`,
		`older("old", duration("2160h")) && !older("exact", duration("2160h")) && older("exact", duration("2159h"))`,
		`older("offset", duration("2160h")) && older("bare", duration("2160h")) && !older("future", duration("0s"))`,
		`!older("none", duration("0s")) && !older("nothing", duration("0s")) && !older("word", duration("0s")) && !older("date", duration("0s")) && !older("count", duration("0s"))`,
		`standing("user", "", "") == 200 && standing("user", "organization_role", "owner") == 7 && standing("user", "id", text("name")) == 1 && standing("role", "id", "x") == 0`,
	} {
		t.Run(when, func(t *testing.T) {
			decisions, failures := compiledSet(t, nil, file("posture.case", "records: [api_key]", when)).Evaluate(in, look)
			if len(failures) > 0 {
				t.Fatal(failures[0].Err)
			}
			if len(decisions) != 1 {
				t.Error("the expression is false, want true")
			}
		})
	}
	s := compiledSet(t, nil, file("posture.case", "records: [api_key]", `text("name") == "" && entries("x").size() == 0 && standing("user", "", "") == 0`))
	if decisions, failures := s.Evaluate(Input{Item: Item{Kind: "record"}, Record: Record{Kind: "api_key"}}, Lookups{}); len(decisions) != 1 || len(failures) != 0 {
		t.Errorf("a record without fields gave %d decisions and %v", len(decisions), failures)
	}
}

func TestStandingTakesLiterals(t *testing.T) {
	for _, when := range []string{
		`standing(record.kind, "id", "x") == 0`, `standing("api key", "id", "x") == 0`, `standing("user", text("name"), "x") == 0`, `standing("user", "a'b", "x") == 0`,
		`standing("user", "a.b", "x") == 0`, `standing("user", "id", 3) == 0`,
	} {
		if _, err := Compile([]*Policy{parse(t, file("posture.case", "records: [user]", when))}, nil, nil); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", when, err)
		}
	}
}

func TestStandingThatFailsMakesNoFinding(t *testing.T) {
	broken := errors.New("the database is closed")
	look := Lookups{Standing: func(string, string, string) (int64, error) { return 0, broken }}
	s := compiledSet(t, nil, file("posture.case", "records: [user]", `standing("user", "id", "x") == 0`))
	decisions, failures := s.Evaluate(Input{Item: Item{Kind: "record"}, Record: Record{Kind: "user"}}, look)
	if len(decisions) != 0 || len(failures) != 1 || !errors.Is(failures[0].Err, ErrLookup) || !errors.Is(failures[0].Err, broken) {
		t.Errorf("Evaluate gave %v and %v", decisions, failures)
	}
}

func TestStandingCostsLikeRecent(t *testing.T) {
	// A question to the store for each of many entries must not be admitted: 512 entries times 1,000 units, twice in one another.
	when := `entries("a").exists(x, entries("b").exists(y, standing("user", "id", x + y) > 0))`
	if _, err := Compile([]*Policy{parse(t, file("posture.case", "records: [user]", when))}, nil, nil); !errors.Is(err, ErrInvalid) {
		t.Errorf("Compile gave %v", err)
	}
	s := compiledSet(t, nil, file("posture.case", "records: [user]", `entries("a").exists(x, standing("user", "id", x) > 0)`))
	fields := map[string]any{"a": strings.Split(strings.Repeat("x ", 200), " ")}
	asked := 0
	look := Lookups{Standing: func(string, string, string) (int64, error) { asked++; return 0, nil }}
	_, failures := s.Evaluate(Input{Item: Item{Kind: "record"}, Record: Record{Kind: "user", Fields: fields}}, look)
	if len(failures) != 1 || !errors.Is(failures[0].Err, ErrCost) || asked > CostLimit/lookupCost+1 {
		t.Errorf("%d questions, failures %v", asked, failures)
	}
}

func TestAnswersOfStandingInTests(t *testing.T) {
	text := file("posture.case", "records: [user]", `standing("user", "organization_role", "owner") > 5 && standing("user", "", "") == 2`) + `tests:
  - {name: too many, input: {standing: {user/organization_role/owner: 7, user//: 2}}, want: true}
  - {name: every other question, input: {standing: {user/organization_role/owner: 7, "*": 2}}, want: true}
  - {name: one number for all, input: {standing: 7}, want: false}
  - {name: not told, input: {}, want: false}
`
	results, err := RunTests(parse(t, text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if !r.Passed {
			t.Errorf("%s: got %s, want %s", r.Name, r.Got, r.Want)
		}
	}
}

func TestALockedPolicyCannotBeMuted(t *testing.T) {
	locked := file("activity.case", "activities: [a]", "true") + "locked: true\n"
	for _, tc := range []struct {
		o    Override
		want error
	}{
		{Override{Mode: "off"}, ErrLocked},
		{Override{Mode: "shadow"}, ErrLocked},
		{Override{Severity: "medium"}, ErrLocked},
		{Override{Severity: "info", Mode: "on"}, ErrLocked},
		{Override{Severity: "high"}, nil},
		{Override{Severity: "critical", Mode: "on"}, nil},
		{Override{}, nil},
		{Override{Severity: "terrible"}, ErrInvalid},
		{Override{Mode: "asleep"}, ErrInvalid},
	} {
		t.Run(fmt.Sprintf("%+v", tc.o), func(t *testing.T) {
			p := parse(t, locked)
			if err := CheckOverride(p, tc.o); !errors.Is(err, tc.want) {
				t.Errorf("CheckOverride gave %v, want %v", err, tc.want)
			}
			tc.o.PolicyID = p.ID
			_, err := Compile([]*Policy{p}, []Override{tc.o}, nil)
			if !errors.Is(err, tc.want) || err != nil && !strings.Contains(err.Error(), "activity.case") {
				t.Errorf("Compile gave %v, want %v", err, tc.want)
			}
			if errors.Is(tc.want, ErrLocked) && CheckOverride(parse(t, file("activity.case", "activities: [a]", "true")), tc.o) != nil {
				t.Error("a policy that is not locked refuses the override too")
			}
		})
	}
	for _, mode := range []string{"off", "shadow"} {
		if _, err := Parse([]byte(locked + "mode: " + mode + "\n")); !errors.Is(err, ErrInvalid) {
			t.Errorf("locked and %s: %v", mode, err)
		}
	}
}

func FuzzMoment(f *testing.F) {
	for _, text := range []string{"2026-03-12T18:22:41.123456", "2026-03-12T18:22:41Z", "2026-03-12T18:22:41+02:00", "2026-02-30T00:00:00Z", "", "2026-03-12T18:22:41.1234567890123456789Z"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if at, ok := moment(text); ok != !at.IsZero() && text[:4] != "0001" {
			t.Errorf("moment gave %v and %v", at, ok)
		}
	})
}
