package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

func TestADecisionTellsWhatItsExpressionAskedFor(t *testing.T) {
	at := time.Date(2026, time.March, 3, 10, 0, 0, 0, time.UTC)
	content := Input{
		Item: Item{Kind: "message", At: at}, Resource: Resource{Kind: "chat", ID: "c1", Name: "Offer to Dana", Visibility: "public"},
		Actor: Actor{ID: "u1", Email: "dana@acme.example", Role: "admin", Groups: []string{"ops", "sales"}}, Now: at,
		Matches: []dlp.Match{match("financial.card", 0.9, "a"), match("financial.card", 0.9, "b"), match("contact.email", 0.8, "c")},
	}
	activity := Input{Item: Item{Kind: itemActivity, At: at}, Activity: Activity{Type: "role_updated", Fields: map[string]string{
		"current_role": "owner", "user_name": "dana", "note": "Call me at home", "updates.0.type": "mode", "updates.0.previous_value": "strict", "updates.0.current_value": "Open 24/7",
	}}, Now: at}
	record := Input{Item: Item{Kind: itemRecord, At: at}, Record: Record{Kind: "key", Fields: map[string]any{"age": 91.0, "state": "active", "tags": []any{"a", "b"}, "made_at": "2020-01-01T00:00:00Z", "owner": map[string]any{"x": 1}}}, Now: at}
	look := Lookups{
		Total:    func(string, string) (int64, error) { return 7, nil },
		Recent:   func(string, string, time.Duration) (int64, error) { return 30, nil },
		Standing: func(string, string, string) (int64, error) { return 2, nil },
	}
	for _, tc := range []struct {
		name, on, when string
		in             Input
		want           []Asked
	}{
		{"counts, profiles and variables", `items: ["*"]`, `count("financial.card", 0.6) >= 2 && distinct("financial.*") == 2 && confidence("contact.*") > 0.5 && profile("pci") && resource.visibility == "public" && !actor.external`, content, []Asked{
			{`count("financial.card", 0.6)`, "2"}, {`distinct("financial.*")`, "2"}, {`confidence("contact.*")`, "0.8"}, {`profile("pci")`, "true"}, {"resource.visibility", "public"}, {"actor.external", "false"},
		}},
		{"who somebody is, and names", `items: ["*"]`, `actor.email.endsWith(".example") && resource.name != "" && size(actor.groups) == 2 && actor.role == "admin" && kind == "message"`, content, []Asked{
			{"actor.email", "text of 17 characters"}, {"resource.name", "text of 13 characters"}, {"actor.groups", "2 entries"}, {"actor.role", "admin"}, {"kind", "message"},
		}},
		{"the store, where it was asked", `items: ["*"]`, `total("financial.*") > 5 || total("contact.*") > 5`, content, []Asked{{`total("financial.*")`, "7"}, {`total("contact.*")`, "not asked"}}},
		{"an activity", "activities: [role_updated]", `field("current_role") == "owner" && activity.fields["user_name"] != "" && activity.fields.note != "" && updated("mode") && old_value("mode") == "strict" && new_value("mode") != "" && recent("role_*", "actor", duration("1h")) > 3`, activity, []Asked{
			{`field("current_role")`, "owner"}, {`activity.fields["user_name"]`, "text of 4 characters"}, {`activity.fields["note"]`, "text of 15 characters"}, {`updated("mode")`, "true"}, {`old_value("mode")`, "strict"},
			{`new_value("mode")`, "text of 9 characters"}, {`recent("role_*", "actor", 1h0m0s)`, "30"},
		}},
		{"a record", "records: [key]", `record.fields.age > 90.0 && text("state") == "active" && size(entries("tags")) == 2 && older("made_at", duration("2160h")) && has(record.fields.owner) && standing("user", "id", text("state")) == 2`, record, []Asked{
			{`record.fields["age"]`, "91"}, {`text("state")`, "active"}, {`entries("tags")`, "2 entries"}, {`older("made_at", 2160h0m0s)`, "true"}, {`standing("user", "id", …)`, "2"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			decisions, failures := compiledSet(t, nil, file("custom.x", tc.on, tc.when)).Evaluate(tc.in, look)
			if len(decisions) != 1 || len(failures) > 0 {
				t.Fatalf("%d decisions, failures %v", len(decisions), failures)
			}
			if diff := cmp.Diff(tc.want, decisions[0].Asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatADecisionTellsIsBounded(t *testing.T) {
	var terms []string
	for i := range 60 {
		terms = append(terms, `field("`+strings.Repeat("x", 20+i%30)+string(rune('a'+i%26))+`") == ""`)
	}
	decisions, _ := compiledSet(t, nil, file("custom.x", "activities: [made]", strings.Join(terms, " && "))).Evaluate(Input{Item: Item{Kind: itemActivity}, Activity: Activity{Type: "made"}}, Lookups{})
	if len(decisions) != 1 {
		t.Fatal("the policy is not broken")
	}
	n := 0
	for _, a := range decisions[0].Asked {
		n += len(a.Name) + len(a.Value)
	}
	if len(decisions[0].Asked) == 0 || len(decisions[0].Asked) > maxAsked || n > maxAskedBytes {
		t.Errorf("%d answers of %d bytes", len(decisions[0].Asked), n)
	}
}
