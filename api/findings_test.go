package api

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

func ids(items []any) []string {
	var out []string
	for _, x := range items {
		out = append(out, x.(map[string]any)["id"].(string))
	}
	return out
}

func TestFindingsAreListedFilteredAndCounted(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, viewer := k.token(RoleAdmin), k.token(RoleViewer)
	con := k.connect(admin)
	found := k.find(con, 6)
	newest := slices.Clone(found)
	slices.Reverse(newest)
	for _, tc := range []struct {
		name, query string
		want        []string
	}{
		{"the newest first", "", newest},
		{"the oldest first", "sort=first_seen_at", found},
		{"one severity", "severity=high&sort=first_seen_at", []string{found[0], found[2], found[4]}},
		{"two values with a comma", "severity=high,low", newest},
		{"two values with two parameters", "severity=high&severity=low", newest},
		{"another connection", "connection_id=con_none", nil},
		{"a person", "actor=ANA@example.com&limit=2", newest[:2]},
		{"nobody", "actor=bob@example.com", nil},
		{"free text", "q=" + url.QueryEscape(`"example key"`), newest},
		{"free text that is not there", "q=unheard", nil},
		{"a quoted value with a comma", "detector=" + url.QueryEscape(`"a,b"`), nil},
		{"a time", "to=2026-03-10T12:00:02Z&sort=first_seen_at", found[:2]},
	} {
		k.run(tc.name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, ids(k.do(viewer, "GET", "/api/v1/findings?"+tc.query, "").want(200).items())); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
	var paged []string
	for next := ""; ; {
		r := k.do(viewer, "GET", "/api/v1/findings?limit=4&cursor="+next, "").want(200)
		paged = append(paged, ids(r.items())...)
		if next = r.text("next_cursor"); next == "" {
			break
		}
	}
	if diff := cmp.Diff(newest, paged); diff != "" {
		t.Errorf("pages (-want +got):\n%s", diff)
	}
	if strings.Contains(string(k.do(viewer, "GET", "/api/v1/findings", "").body), "masked") {
		t.Error("the list holds evidence")
	}
	facets := k.do(viewer, "GET", "/api/v1/findings/facets?severity=low", "").want(200)
	if facets.text("total") != "3" || facets.text("fields.severity") != "[map[count:3 value:high] map[count:3 value:low]]" {
		t.Errorf("facets are %s", facets.body)
	}
	buckets := k.do(viewer, "GET", "/api/v1/findings/timeline?interval=day&tz=Europe/Berlin&from=2026-03-09T00:00:00Z&to=2026-03-11T00:00:00Z", "").want(200).items()
	total := 0.0
	for _, b := range buckets {
		total += b.(map[string]any)["total"].(float64)
	}
	if total != 6 || buckets[0].(map[string]any)["at"] != "2026-03-08T23:00:00.000Z" {
		t.Errorf("timeline is %v", buckets)
	}
}

func TestEvidenceIsReadWithAnAuditRow(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, analyst := k.token(RoleAdmin), k.token(RoleAnalyst)
	found := k.find(k.connect(admin), 3)
	detail := k.do(analyst, "GET", "/api/v1/findings/"+found[0], "").want(200)
	if got := detail.object()["instances"].([]any); len(got) != 2 || detail.text("actor.email") != "ana@example.com" {
		t.Errorf("detail is %s", detail.body)
	}
	first := k.do(analyst, "GET", "/api/v1/findings/"+found[0]+"/instances?limit=1", "").want(200)
	second := k.do(analyst, "GET", "/api/v1/findings/"+found[0]+"/instances?limit=1&cursor="+first.text("next_cursor"), "").want(200)
	if a, b := ids(first.items())[0], ids(second.items())[0]; a == b || second.text("next_cursor") != "" {
		t.Errorf("pages of instances are %s and %s", first.body, second.body)
	}
	export := k.do(analyst, "GET", "/api/v1/findings/export?severity=high", "").want(200)
	lines := strings.Split(strings.TrimSpace(string(export.body)), "\n")
	if len(lines) != 2 || export.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("export is %s: %s", export.header.Get("Content-Type"), export.body)
	}
	for _, line := range lines {
		var x struct {
			ID        string
			Instances []json.RawMessage
		}
		if err := json.Unmarshal([]byte(line), &x); err != nil || len(x.Instances) != 2 {
			t.Errorf("line %s: %v", line, err)
		}
	}
	csv := k.do(analyst, "GET", "/api/v1/findings/export?format=csv", "").want(200)
	if got := strings.Count(string(csv.body), "\r\n"); got != 4 || !strings.HasPrefix(csv.header.Get("Content-Type"), "text/csv") {
		t.Errorf("csv has %d lines: %s", got, csv.body)
	}
	for _, row := range []string{"finding.read " + found[0], "finding.instances " + found[0], "finding.export findings"} {
		if !slices.Contains(k.audited(), row) {
			t.Errorf("%q is not in the audit log", row)
		}
	}
}

func TestWithoutAnAuditLogEvidenceAndChangesAreRefused(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	con := k.connect(admin)
	found := k.find(con, 1)
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `CREATE TRIGGER audit_full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk is full'); END`)
		return err
	})
	for _, tc := range []struct{ method, path, body string }{
		{"GET", "/api/v1/findings/" + found[0], ""},
		{"GET", "/api/v1/findings/" + found[0] + "/instances", ""},
		{"GET", "/api/v1/findings/export", ""},
		{"PATCH", "/api/v1/findings/" + found[0], `{"status":"acknowledged"}`},
		{"POST", "/api/v1/findings/bulk", `{"ids":["` + found[0] + `"],"status":"acknowledged"}`},
		{"PATCH", "/api/v1/connections/" + con, `{"name":"Other"}`},
		{"POST", "/api/v1/connections/" + con + "/pause", ""},
		{"POST", "/api/v1/connections/" + con + "/scan", ""},
		{"POST", "/api/v1/connections/test", `{"connector":"acme","secrets":{"api_key":"k"}}`},
		{"DELETE", "/api/v1/connections/" + con, ""},
		{"POST", "/api/v1/destinations", `{"name":"d","config":{"url":"https://siem.example.com"}}`},
		{"POST", "/api/v1/destinations/test", `{"config":{"url":"https://siem.example.com"}}`},
		{"PATCH", "/api/v1/policies/content.example", `{"mode":"off"}`},
		{"POST", "/api/v1/tokens", `{"name":"t","role":"viewer"}`},
	} {
		k.do(admin, tc.method, tc.path, tc.body).problem(http.StatusServiceUnavailable, problem.CodeAudit)
	}
	if got := k.do(admin, "GET", "/api/v1/connections/"+con, "").want(200); got.text("state") != "active" || got.text("name") == "Other" {
		t.Errorf("a refused change was made: %s", got.body)
	}
	if got := k.do(admin, "GET", "/api/v1/findings?status=acknowledged", "").want(200).items(); len(got) != 0 {
		t.Errorf("a refused change was made: %v", got)
	}
}

func TestStatusIsChanged(t *testing.T) {
	k := newKit(t, Configuration{})
	admin, analyst := k.token(RoleAdmin), k.token(RoleAnalyst)
	found := k.find(k.connect(admin), 3)
	path := "/api/v1/findings/" + found[0]
	if got := k.do(analyst, "PATCH", path, `{"status":"acknowledged"}`).want(200); got.text("status") != "acknowledged" || strings.Contains(string(got.body), "masked") {
		t.Errorf("finding is %s", got.body)
	}
	k.do(analyst, "PATCH", path, `{"status":"accepted_risk"}`).problem(422, problem.CodeInput)
	k.do(analyst, "PATCH", path, `{"status":"closed"}`).problem(422, problem.CodeInput)
	k.do(analyst, "PATCH", path, `{"status":"accepted_risk","reason":"Known test data."}`).want(200)
	k.do(analyst, "PATCH", path, `{"status":"acknowledged"}`).problem(409, problem.CodeTransition)
	k.do(analyst, "PATCH", "/api/v1/findings/fnd_none", `{"status":"acknowledged"}`).problem(404, problem.CodeNotFound)

	history := k.do(analyst, "GET", path+"/history", "").want(200).items()
	var types []string
	for _, e := range history {
		types = append(types, e.(map[string]any)["type"].(string))
	}
	if diff := cmp.Diff([]string{"finding.created", "finding.triaged", "finding.closed"}, types); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
	last := history[2].(map[string]any)
	if last["reason"] != "Known test data." || !strings.HasPrefix(last["actor"].(string), "tok_") {
		t.Errorf("the last change is %v", last)
	}

	bulk := k.do(analyst, "POST", "/api/v1/findings/bulk", fmt.Sprintf(`{"ids":["%s","%s","%s","fnd_none"],"status":"acknowledged"}`, found[0], found[1], found[2])).want(200).items()
	var got []string
	for _, o := range bulk {
		m := o.(map[string]any)
		got = append(got, fmt.Sprintf("%v %v", m["changed"], m["code"]))
	}
	if diff := cmp.Diff([]string{"false " + problem.CodeTransition, "true <nil>", "true <nil>", "false " + problem.CodeNotFound}, got); diff != "" {
		t.Errorf("bulk (-want +got):\n%s", diff)
	}
}

func TestExportThatFailsIsCutOff(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	k.find(k.connect(admin), 2)
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE instances SET context = 'broken'`)
		return err
	})
	req, err := http.NewRequestWithContext(t.Context(), "GET", k.server.URL+"/api/v1/findings/export", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+admin)
	res, err := k.server.Client().Do(req)
	if err == nil {
		_, err = copyBody(io.Discard, res)
	}
	if err == nil {
		t.Error("half an export looks like a whole one")
	}
}

func FuzzFilters(f *testing.F) {
	for _, seed := range []string{"severity=high", "severity=high,low&q=a", "actor=%22a,b%22", "detector=,&detector=x", "q=%22open", "status=&kind", "from=2026-01-01T00:00:00Z"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		values, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		in := FilterInput{
			Q: values.Get("q"), Severity: values["severity"], Status: values["status"], Kind: values["kind"], Source: values["source"], PolicyID: values["policy_id"],
			ConnectionID: values["connection_id"], Connector: values["connector"], Detector: values["detector"], ResourceKind: values["resource_kind"], Actor: values["actor"],
		}
		got, err := in.filter()
		if err == nil {
			if err := got.Validate(); err != nil {
				t.Errorf("%q gives a filter that is refused: %v", query, err)
			}
		}
		for _, list := range got.Values() {
			for _, v := range *list {
				if v == "" || strings.Contains(v, `"`) {
					t.Errorf("%q gives the value %q", query, v)
				}
			}
		}
	})
}
