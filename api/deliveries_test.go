package api

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

func TestDeliveriesOfAFindingAreListed(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, analyst := k.token(RoleAdmin), k.token(RoleAnalyst)
	con := k.connect(admin)
	var destinations []string
	for _, name := range []string{"One", "Two"} {
		destinations = append(destinations, k.do(admin, "POST", "/api/v1/destinations", `{"name":"`+name+`","config":{"url":"https://siem.example.com"}}`).want(201).text("id"))
	}
	found := k.find(con, 2)
	k.write(func(tx *store.Tx) error {
		for _, d := range destinations {
			_, err := tx.ExecContext(t.Context(), `INSERT INTO deliveries (workspace_id, destination_id, event_id, seq, epoch, finding_id, finding_seq, type, state, tries, first_try_at, next_try_at, delivered_at, status, reason, created_at, updated_at)
				SELECT workspace_id, $1, 'evt_' || seq, seq, epoch, finding_id, finding_seq, type, 'queued', 0, 0, at, 0, 0, '', at, at FROM finding_log`, d)
			if err != nil {
				return err
			}
		}
		return nil
	})
	path := "/api/v1/findings/" + found[0] + "/deliveries"
	all := k.do(analyst, "GET", path, "").want(200)
	var got []string
	for _, x := range all.items() {
		m := x.(map[string]any)
		if m["finding_id"] != found[0] || m["state"] != "queued" || m["next_try_at"] == nil || m["delivered_at"] != nil {
			t.Errorf("delivery is %v", m)
		}
		got = append(got, m["destination"].(map[string]any)["id"].(string))
	}
	slices.Sort(destinations)
	if diff := cmp.Diff(destinations, got); diff != "" {
		t.Errorf("destinations (-want +got):\n%s", diff)
	}
	first := k.do(analyst, "GET", path+"?limit=1", "").want(200)
	second := k.do(analyst, "GET", path+"?limit=1&cursor="+first.text("next_cursor"), "").want(200)
	if diff := cmp.Diff(all.items(), append(first.items(), second.items()...)); diff != "" || second.text("next_cursor") != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	k.do(analyst, "GET", path+"?cursor=bm9uZQ", "").problem(400, problem.CodeCursor)
	k.do(analyst, "GET", "/api/v1/findings/"+found[1]+"/deliveries?cursor="+first.text("next_cursor"), "").problem(400, problem.CodeCursor)
	k.do(analyst, "GET", "/api/v1/findings/fnd_none/deliveries", "").problem(404, problem.CodeNotFound)
	k.do(k.token(RoleViewer), "GET", path, "").problem(403, problem.CodeForbidden)
}

// shown takes a preview apart, and fails the test unless its signature fits.
func shown(t *testing.T, r reply) (findings.Finding, Preview) {
	t.Helper()
	var p Preview
	if err := json.Unmarshal(r.body, &p); err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	for _, h := range p.Headers {
		header.Set(h.Name, h.Value)
	}
	verifier, err := standardwebhooks.NewWebhook(p.SigningKey)
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.VerifyIgnoringTimestamp([]byte(p.Body), header); err != nil {
		t.Error(err)
	}
	var event struct{ Data findings.Finding }
	if err := json.Unmarshal([]byte(p.Body), &event); err != nil {
		t.Fatal(err)
	}
	return event.Data, p
}

func TestDestinationIsPreviewed(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, auditor := k.token(RoleAdmin), k.token(RoleAuditor)
	con := k.connect(admin)
	const path, config = "/api/v1/destinations/preview", `{"config":{"url":"https://siem.example.com/hook"}`
	x, p := shown(t, k.do(auditor, "POST", path, config+`}`).want(200))
	if p.FindingID != "" || !strings.Contains(x.Title, "made up") || p.Method != "POST" || p.URL != "https://siem.example.com/hook" {
		t.Errorf("without findings the preview is %+v, want a made-up one", p)
	}
	if slices.ContainsFunc(k.audited(), func(row string) bool { return strings.HasPrefix(row, "destination.preview") }) {
		t.Error("a made-up example is in the audit log")
	}
	found := k.find(con, 3)
	for _, tc := range []struct{ name, filter, want string }{
		{"the newest", "", found[2]},
		{"the newest that the filter selects", "severity:low", found[1]},
		{"by a person", `actor:ana@example.com severity:high`, found[2]},
		{"none", "severity:critical", ""},
	} {
		k.run(tc.name, func(t *testing.T) {
			x, p := shown(t, k.do(auditor, "POST", path, config+`,"filter":"`+tc.filter+`"}`).want(200))
			if p.FindingID != tc.want || tc.want != "" && (x.ID != tc.want || len(x.Instances) != 2 || x.Actor.Email != "ana@example.com" || p.Event != findings.TypeCreated) {
				t.Errorf("the preview is of %q, event %s: %s; want %q", p.FindingID, p.Event, p.Body, tc.want)
			}
			if tc.want != "" && !slices.Contains(k.audited(), "destination.preview "+tc.want) {
				t.Error("the read is not in the audit log")
			}
		})
	}
	k.do(k.token(RoleViewer), "POST", path, config+`}`).problem(403, problem.CodeForbidden)
	for _, tc := range []struct{ name, body, location string }{
		{"an address that may not be called", `{"config":{"url":"https://10.0.0.8"}}`, "body.config.url"},
		{"a filter with an unknown field", config + `,"filter":"colour:red"}`, "body.filter"},
		{"another format", `{"config":{"url":"https://siem.example.com","format":"xml"}}`, "body.config.format"},
		{"a key, which is not asked for", config + `,"secrets":{"signing_key":"` + canarySigning + `"}}`, "body.secrets"},
	} {
		k.run(tc.name, func(t *testing.T) {
			r := k.do(admin, "POST", path, tc.body).problem(422, problem.CodeInput)
			if got := r.object()["errors"].([]any)[0].(map[string]any)["location"]; got != tc.location {
				t.Errorf("error at %v, want %s", got, tc.location)
			}
		})
	}
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `CREATE TRIGGER audit_full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk is full'); END`)
		return err
	})
	k.do(auditor, "POST", path, config+`}`).problem(http.StatusServiceUnavailable, problem.CodeAudit)
}

func TestDestinationSaysWhatItKnowsOfItsKey(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	made := k.do(admin, "POST", "/api/v1/destinations", `{"name":"d","config":{"url":"https://siem.example.com"},"secrets":{"signing_key":"`+canarySigning+`"}}`).want(201)
	if made.text("secrets.signing_key.set") != "true" || made.text("secrets.signing_key.rotated_at") != "2026-03-10T12:00:00.000Z" {
		t.Errorf("made is %s", made.body)
	}
	k.clock.add(60e9)
	path := "/api/v1/destinations/" + made.text("id")
	if got := k.do(admin, "PATCH", path, `{"name":"e"}`).want(200); got.text("secrets.signing_key.rotated_at") != "2026-03-10T12:00:00.000Z" {
		t.Errorf("renamed is %s", got.body)
	}
	if got := k.do(admin, "PATCH", path, `{"secrets":{"signing_key":"whsec_ZXhhbXBsZS1zZWNvbmQtc2lnbmluZy1rZXktMDAy"}}`).want(200); got.text("secrets.signing_key.rotated_at") != "2026-03-10T12:01:00.000Z" {
		t.Errorf("rotated is %s", got.body)
	}
}
