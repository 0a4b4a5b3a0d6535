package policy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestUpdateFunctions(t *testing.T) {
	in := Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "settings_updated", Fields: map[string]string{
		"updates.0.type": "name", "updates.0.previous_value": "a", "updates.0.current_value": "b",
		"updates.1.type": "session_seconds", "updates.1.previous_value": "3600", // and null now
		"updates.2.type": "retention", "updates.2.current_value.chat.duration": "30",
		"updates.4.type": "beyond_a_gap", "updates.4.current_value": "true",
	}}}
	for _, when := range []string{
		`updated("name") && old_value("name") == "a" && new_value("name") == "b"`,
		`updated("session_seconds") && old_value("session_seconds") == "3600" && new_value("session_seconds") == ""`,
		`updated("retention") && old_value("retention") == "" && new_value("retention") == ""`,
		`!updated("none") && old_value("none") == "" && new_value("none") == ""`,
		`!updated("beyond_a_gap") && !updated("") && !updated("b")`,
		`["name", "none"].exists(n, new_value(n) == "b")`,
	} {
		decisions, failures := compiledSet(t, nil, file("activity.case", "activities: [settings_updated]", when)).Evaluate(in, Lookups{})
		if len(failures) > 0 || len(decisions) != 1 {
			t.Errorf("%s: %d decisions, failures %v", when, len(decisions), failures)
		}
	}
	many := Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "settings_updated", Fields: map[string]string{}}}
	for i := range maxUpdates + 1 {
		many.Activity.Fields[fmt.Sprintf("updates.%d.type", i)] = fmt.Sprint("t", i)
	}
	s := compiledSet(t, nil, file("activity.case", "activities: [settings_updated]", fmt.Sprintf(`updated("t%d") && !updated("t%d")`, maxUpdates-1, maxUpdates)))
	if decisions, _ := s.Evaluate(many, Lookups{}); len(decisions) != 1 {
		t.Error("the list of updates is not looked through up to its bound")
	}
}

func TestAFindingMayBeAboutTheActor(t *testing.T) {
	text := file("activity.case", "activities: [a]", "true") + "about: actor\n"
	s := compiledSet(t, nil, text)
	decisions, _ := s.Evaluate(Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "a"}}, Lookups{})
	if len(decisions) != 1 || decisions[0].About != AboutActor {
		t.Errorf("decisions are %+v", decisions)
	}
	if s.Version() == compiledSet(t, nil, file("activity.case", "activities: [a]", "true")).Version() {
		t.Error("what a finding is about is not part of the version")
	}
	for name, bad := range map[string]string{
		"a content policy":     file("content.case", "items: [message]", "true") + "about: actor\n",
		"a posture policy":     file("posture.case", "records: [user]", "true") + "about: actor\n",
		"something else":       file("activity.case", "activities: [a]", "true") + "about: resource\n",
		"with total() in when": strings.Replace(text, "  true", `  total("a.b") > 1`, 1),
	} {
		p, err := Parse([]byte(bad))
		if err == nil {
			_, err = Compile([]*Policy{p}, nil, nil)
		}
		if !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
