package policy

import (
	"errors"
	"fmt"
	"slices"
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

func TestClosing(t *testing.T) {
	const closing = "closed_by:\n  activities: [share_revoked, share_updated]\n  when: |\n    activity.type == \"share_revoked\" || field(\"mode\") == \"private\"\n"
	text := file("activity.share", "activities: [share_made, share_updated]", `field("mode") == "public"`) + closing
	s := compiledSet(t, nil, text, file("activity.other", "activities: [share_made]", "true")+"closed_by: {activities: [share_revoked]}\n")
	activity := func(typ, mode string) Input {
		return Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: typ, Fields: map[string]string{"mode": mode}}}
	}
	for _, tc := range []struct {
		in   Input
		want []string
	}{
		{activity("share_revoked", ""), []string{"activity.other", "activity.share"}},
		{activity("share_updated", "private"), []string{"activity.share"}},
		{activity("share_updated", "public"), nil},
		{activity("share_made", "private"), nil},
	} {
		if got, failures := s.Closes(tc.in); !slices.Equal(got, tc.want) || len(failures) > 0 {
			t.Errorf("%s %s closes %v, want %v; failures %v", tc.in.Activity.Type, tc.in.Activity.Fields["mode"], got, tc.want, failures)
		}
	}
	if got := s.ClosedBy("activity.share"); !slices.Equal(got, []string{"share_revoked", "share_updated"}) || s.ClosedBy("activity.none") != nil {
		t.Errorf("ClosedBy gave %v", got)
	}
	off := compiledSet(t, []Override{{PolicyID: "activity.share", Mode: ModeOff}}, text)
	if got, _ := off.Closes(activity("share_revoked", "")); len(got) > 0 || off.ClosedBy("activity.share") != nil {
		t.Errorf("a policy that is off closes: %v", got)
	}
	failing := compiledSet(t, nil, file("activity.share", "activities: [a]", "true")+"closed_by: {activities: [b], when: 'activity.fields.none == \"x\"'}\n")
	if got, failures := failing.Closes(Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "b"}}); len(got) > 0 || len(failures) != 1 {
		t.Errorf("a failing expression closes %v, failures %v", got, failures)
	}
	for name, bad := range map[string]string{
		"a glob":                                 file("activity.x", "activities: [a]", "true") + "closed_by: {activities: ['b_*']}\n",
		"no activities":                          file("activity.x", "activities: [a]", "true") + "closed_by: {when: 'true'}\n",
		"a policy over records":                  file("posture.x", "records: [a]", "true") + "closed_by: {activities: [b]}\n",
		"a finding about a person":               file("activity.x", "activities: [a]", "true") + "about: actor\nclosed_by: {activities: [b]}\n",
		"a question to the store":                file("activity.x", "activities: [a]", "true") + "closed_by: {activities: [b], when: 'recent(\"a\", \"actor\", duration(\"1h\")) > 1'}\n",
		"an expression that is no test of truth": file("activity.x", "activities: [a]", "true") + "closed_by: {activities: [b], when: '1'}\n",
		"a test of both":                         text + "tests:\n  - {name: a, input: {}, want: true, closes: true}\n",
		"a red test":                             text + "tests:\n  - {name: a, input: {activity.type: share_made}, closes: true}\n",
	} {
		p, err := Parse([]byte(bad))
		if err == nil {
			_, err = Compile([]*Policy{p}, nil, nil)
		}
		if !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrRed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	results, err := RunTests(parse(t, text+"tests:\n  - {name: a, input: {activity.type: share_revoked}, closes: true}\n  - {name: b, input: {activity.type: share_made}, closes: false}\n"), nil)
	if err != nil || len(results) != 2 || !results[0].Passed || !results[1].Passed {
		t.Errorf("the tests gave %+v and %v", results, err)
	}
}
