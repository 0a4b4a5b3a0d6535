package policy

import (
	"testing"

	"github.com/outband/outband/dlp"
)

// BenchmarkEvaluate measures one document against one policy and against all that are built in. The target is 2 µs for one.
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
	} {
		b.Run(bc.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				bc.set.Evaluate(bc.in, Lookups{})
			}
		})
	}
}
