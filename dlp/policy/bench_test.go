package policy

import (
	"testing"

	"github.com/outband/outband/dlp"
)

// BenchmarkEvaluate measures one unit against one policy and against all that are built in. The target is 2 µs for one policy: on: is looked at
// first, so that a unit pays for those policies only that are about its kind.
func BenchmarkEvaluate(b *testing.B) {
	matches := []dlp.Match{
		match("contact.email", 0.9, "a"), match("financial.card", 0.9, "b"), match("financial.card", 0.9, "c"), match("secret.generic_api_key", 0.3, "d"),
	}
	message := Input{Item: Item{Kind: "message", At: testTime}, Resource: Resource{Kind: "chat", Visibility: "private"}, Actor: Actor{Role: "user"}, Now: testTime, Matches: matches}
	clean := message
	clean.Matches = nil
	role := Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "claude_user_role_updated", Fields: map[string]string{"current_role": "user", "previous_role": "user"}}}
	share := Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "claude_project_sharing_updated", Fields: map[string]string{"audience.0.type": "organization", "claude_project_id": "x"}}}
	all, err := Compile(builtin(b), nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	one := func(id string) *Set {
		for _, p := range builtin(b) {
			if p.ID == id {
				s, err := Compile([]*Policy{p}, nil, nil)
				if err != nil {
					b.Fatal(err)
				}
				return s
			}
		}
		b.Fatalf("no policy %s", id)
		return nil
	}
	nine := compiledSet(b, nil, file("content.nine", `items: ["*"]`,
		`kind == "message" && count("financial.card", 0.6) >= 2 && confidence("financial.*") > 0.5 && !(actor.role in ["owner", "admin"]) && connection.connector != "x" && resource.kind in ["chat", "project"] && (resource.visibility == "public" || distinct("contact.*") > 9 || file.size > 10)`))
	other := Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "claude_chat_viewed", Fields: map[string]string{"claude_chat_id": "x"}}}
	settings := Input{Item: Item{Kind: "activity"}, Activity: Activity{Type: "claude_organization_settings_updated", Fields: map[string]string{
		"updates.0.type": "name", "updates.0.previous_value": "a", "updates.0.current_value": "b", "updates.1.type": "web_search_enabled", "updates.1.current_value": "true",
	}}}
	setting := Input{Item: Item{Kind: "record"}, Now: testTime, Record: Record{Kind: "setting", Fields: map[string]any{"name": "web_search_enabled", "type": "boolean", "value": true, "is_null": false}}}
	user := Input{Item: Item{Kind: "record"}, Now: testTime, Record: Record{Kind: "user", Fields: map[string]any{"role": "user", "email_domain": "acme.example", "user_id": "user_a"}}}
	group := Input{Item: Item{Kind: "record"}, Now: testTime, Record: Record{Kind: "group_member", Fields: map[string]any{"user_id": "user_a"}}}
	for _, bc := range []struct {
		name string
		set  *Set
		in   Input
	}{
		{"one policy with a match", one("content.card_numbers"), message},
		{"one policy without matches", one("content.card_numbers"), clean},
		{"one policy of nine terms", nine, message},
		{"one activity policy", one("activity.role_raised_to_owner"), role},
		{"one activity policy with a loop", one("activity.project_shared_public"), share},
		{"all policies with a match", all, message},
		{"all policies without matches", all, clean},
		{"all policies on an activity that none names", all, other},
		{"all policies on an activity that one names", all, share},
		{"all policies on a change of settings", all, settings},
		{"all policies on a record that none names", all, group},
		{"all policies on a setting", all, setting},
		{"all policies on a user", all, user},
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bc.set.Evaluate(bc.in, Lookups{})
			}
		})
	}
}
