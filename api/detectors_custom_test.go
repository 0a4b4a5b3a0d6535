package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

const ticketDetector = `detectors:
  - id: custom.ticket
    title: Ticket of ours
    kind: pattern
    severity: medium
    confidence: 0.6
    pattern: 'ACME-(?P<value>[0-9]{6})'
    examples:
      match:
        - "see ACME-«123456»"
        - "ticket: ACME-«000001»"
        - '{"t":"ACME-«654321»"}'
        - "ACME-«111111», done"
        - "(ACME-«999999»)"
      no_match: ["ACME-12345", "ACME-1234567", "acme-123456", "ACME 123456", "ACME_123456"]
`

func body(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// upload is do with a body of another type than JSON.
func (k *kit) upload(token, method, path, contentType string, body []byte) reply {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.server.URL+path, bytes.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	identify(req, token)
	req.Header.Set("Content-Type", contentType)
	return k.answer(req, method, path)
}

func TestACustomDetectorIsSavedVersionedAndRemoved(t *testing.T) {
	k := newKit(t, Configuration{})
	author, viewer, analyst := k.token(RoleAuthor), k.token(RoleViewer), k.token(RoleAnalyst)
	const one = "/api/v1/detectors/custom.ticket"
	got := k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": ticketDetector})).want(http.StatusCreated).object()
	if got["id"] != "custom.ticket" || got["version"] != 1.0 || got["source"] != "custom" || got["on"] != true || got["failing"] != "" {
		t.Errorf("saved as %v", got)
	}
	k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": ticketDetector})).problem(http.StatusConflict, problem.CodeChanged)
	next := strings.Replace(ticketDetector, "severity: medium", "severity: high", 1)
	k.do(author, "PUT", one, body(t, map[string]any{"yaml": next, "expected_version": 2})).problem(http.StatusConflict, problem.CodeChanged)
	if got := k.do(author, "PUT", one, body(t, map[string]any{"yaml": next, "expected_version": 1})).want(200).object(); got["version"] != 2.0 || got["severity"] != "high" {
		t.Errorf("replaced by %v", got)
	}
	k.do(author, "PUT", "/api/v1/detectors/custom.other", body(t, map[string]any{"yaml": next, "expected_version": 1})).problem(http.StatusUnprocessableEntity, problem.CodeDetector)
	if got := k.do(analyst, "GET", one+"/source", "").want(200).object(); got["yaml"] != next || got["version"] != 2.0 {
		t.Errorf("source is %v", got)
	}
	first := k.do(analyst, "GET", one+"/versions?limit=1", "").want(200)
	rest := k.do(analyst, "GET", one+"/versions?cursor="+first.text("next_cursor"), "").want(200).items()
	if v := first.items()[0].(map[string]any); v["version"] != 2.0 || len(rest) != 1 || rest[0].(map[string]any)["yaml"] != ticketDetector {
		t.Errorf("versions are %v and %v", first.items(), rest)
	}
	if got := k.do(author, "PATCH", one, `{"mode":"off"}`).want(200).object(); got["on"] != false || got["mode"] != "off" {
		t.Errorf("switched off: %v", got)
	}
	k.do(author, "DELETE", one, "").want(http.StatusNoContent)
	k.do(viewer, "GET", one, "").problem(404, problem.CodeNotFound)
	k.do(author, "DELETE", one, "").problem(404, problem.CodeNotFound)
	if n := len(k.do(analyst, "GET", one+"/versions", "").want(200).items()); n != 3 {
		t.Errorf("%d versions after it was removed, want 3", n)
	}
	k.do(analyst, "GET", "/api/v1/detectors/custom.none/versions", "").problem(404, problem.CodeNotFound)
	if got := k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": ticketDetector})).want(http.StatusCreated).object(); got["version"] != 4.0 || got["on"] != true {
		t.Errorf("made again as %v", got)
	}
	want := []string{"detector.create custom.ticket", "detector.update custom.ticket", "detector.override custom.ticket", "detector.delete custom.ticket", "detector.create custom.ticket"}
	have := slices.DeleteFunc(k.audited(), func(s string) bool { return !strings.HasPrefix(s, "detector.") })
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("audit log (-want +got):\n%s", diff)
	}
}

func TestBuiltInDetectorsAreSwitchedAndCopiedNotChanged(t *testing.T) {
	k := newKit(t, Configuration{})
	author, analyst := k.token(RoleAuthor), k.token(RoleAnalyst)
	builtin, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	k.api.d.Detectors = k.detectors(k.deps.Vault, builtin)
	k.do(author, "DELETE", "/api/v1/detectors/financial.card", "").problem(http.StatusConflict, problem.CodeBuiltIn)
	k.do(author, "PUT", "/api/v1/detectors/financial.card", body(t, map[string]any{"yaml": strings.Replace(ticketDetector, "custom.ticket", "financial.card", 1), "expected_version": 1})).problem(http.StatusUnprocessableEntity, problem.CodeDetector)
	source := k.do(analyst, "GET", "/api/v1/detectors/secret.github_pat/source", "").want(200)
	all, err := dlp.Load("copy.yaml", []byte(source.text("yaml")))
	if err != nil || len(all) != 1 || all[0].ID != "secret.github_pat" {
		t.Errorf("the source is not that of the detector: %v", err)
	}
	for _, step := range []struct {
		id, body string
		on       bool
		mode     string
	}{{"source.go", `{"mode":"on"}`, true, "on"}, {"source.go", `{"mode":null}`, false, ""}, {"financial.card", `{"mode":"off"}`, false, "off"}, {"financial.card", `{"mode":null}`, true, ""}} {
		if got := k.do(author, "PATCH", "/api/v1/detectors/"+step.id, step.body).want(200).object(); got["on"] != step.on || got["mode"] != step.mode {
			t.Errorf("%s %s: on %v, mode %v", step.id, step.body, got["on"], got["mode"])
		}
	}
	k.do(author, "PATCH", "/api/v1/detectors/financial.card", `{"mode":"shadow"}`).problem(http.StatusUnprocessableEntity, problem.CodeInput)
	k.do(author, "PATCH", "/api/v1/detectors/none", `{"mode":"off"}`).problem(404, problem.CodeNotFound)
}

// hostile are patterns that would hold up a scan, drown it in matches, or have nothing to be found by.
func hostile() []string {
	out := []string{
		`.*`, `.+secret`, `[a-z]+`, `(a|b|c)*`, `x*`, `\w+@\w+`, `(?s).{0,1000}secret.{0,1000}`, `[0-9]{1,1000}`, `(a+)+b`, `((((a{1,30}){1,30}){1,30}){1,30})`, `secret.*`,
		`secret[\s\S]*end`, `(secret)+`, `secret(x|y){0,5000}`, `\d{16}`, `.`, ``, `(?:)`, `^`, `$`, `ab`, `(?i)k`, `[^a]`, `secret|.*`, `secret|[a-z]{3,}`, `(?P<other>secret)`, `(secret`,
		`secret\1`, `(?=secret)`, `secret[[:alpha:]]+`, `\x00*`, `(?i)[a-z]{50}`, `secret(.{0,30}){0,30}`, `(secret.{0,100}){10}`, `a{1000}`, `secret(a|aa){0,600}z`, `[a-f0-9]{32}`, `(.)(.)(.)`,
	}
	for n := 100; n <= 1000; n += 100 {
		out = append(out, fmt.Sprintf(`key(?:[a-z]{0,%d}[0-9]{0,%d}){0,%d}`, n, n, n), fmt.Sprintf(`(?:%sx)`, strings.Repeat("(?:", n)), fmt.Sprintf(`token.{%d,}`, n), fmt.Sprintf(`[\x{100}-\x{10ffff}]{1,%d}`, n))
	}
	return out
}

func TestHostilePatternsAreRefusedAtSave(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	for _, p := range hostile() {
		quoted := "'" + strings.ReplaceAll(p, "'", "''") + "'"
		yaml := strings.Replace(ticketDetector, `'ACME-(?P<value>[0-9]{6})'`, quoted, 1)
		k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": yaml})).problem(http.StatusUnprocessableEntity, problem.CodeDetector)
	}
	for name, yaml := range map[string]string{
		"no YAML": "{", "nothing": "", "no detector": "detectors: []", "an unknown key": "detectors:\n  - id: custom.x\n    colour: red\n", "another id": strings.Replace(ticketDetector, "custom.ticket", "secret.ticket", 1),
		"two":                 ticketDetector + strings.Replace(strings.TrimPrefix(ticketDetector, "detectors:\n"), "custom.ticket", "custom.ticket2", 1),
		"aliases of aliases":  "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ndetectors: [*d,*d,*d,*d,*d,*d]\n",
		"no list of that id":  "detectors:\n  - {id: custom.x, title: X, kind: dictionary, severity: low, confidence: 0.5, list: none}\n",
		"no table of that id": "detectors:\n  - {id: custom.x, title: X, kind: exact, severity: low, confidence: 0.5, table: none}\n",
	} {
		k.run(name, func(*testing.T) {
			k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": yaml})).problem(http.StatusUnprocessableEntity, problem.CodeDetector)
		})
	}
	k.run("a red example, with its place", func(t *testing.T) {
		red := strings.Replace(ticketDetector, `"see ACME-«123456»"`, `"see ACME-«12345»"`, 1)
		r := k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": red})).problem(http.StatusUnprocessableEntity, problem.CodeDetector)
		if !strings.Contains(string(r.body), "line 10, column 12: is not found") {
			t.Errorf("no place in %s", r.body)
		}
	})
	if all, err := store.CustomDetectors(t.Context(), k.db.Read()); err != nil || len(all) != 0 {
		t.Errorf("saved all the same: %v, %v", all, err)
	}
}

func TestACheckSavesNothingAndShowsMasksOnly(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	r := k.do(author, "POST", "/api/v1/detectors/check", body(t, map[string]any{"yaml": ticketDetector, "sample": "one ACME-271828 and\ntwo ACME-314159"})).want(200)
	got := r.object()
	matches := got["matches"].([]any)
	if got["ok"] != true || got["id"] != "custom.ticket" || got["examples"] != 10.0 || len(matches) != 2 || got["note"] != "" {
		t.Fatalf("check says %v", got)
	}
	if m := matches[1].(map[string]any); m["masked"] != "*****9" || m["line"] != 2.0 || m["band"] != "high" {
		t.Errorf("match is %v", m)
	}
	if strings.Contains(string(r.body), "271828") || strings.Contains(k.logs.String(), "271828") {
		t.Error("the sample comes back or is logged")
	}
	if cost := got["cost"].(map[string]any); cost["rate"].(float64) <= 0 || cost["steps"].(float64) <= 0 || cost["limit"].(float64) < cost["steps"].(float64) {
		t.Errorf("cost is %v", cost)
	}
	red := strings.Replace(ticketDetector, `"ACME-12345"`, `"ACME-123456"`, 1)
	got = k.do(author, "POST", "/api/v1/detectors/check", body(t, map[string]any{"yaml": red, "sample": "ACME-271828"})).want(200).object()
	if got["ok"] != false || len(got["issues"].([]any)) != 1 || len(got["matches"].([]any)) != 1 {
		t.Errorf("a red example: %v", got)
	}
	got = k.do(author, "POST", "/api/v1/detectors/check", body(t, map[string]any{"yaml": "detectors:\n  - id: [", "sample": "x"})).want(200).object()
	if got["ok"] != false || got["note"] == "" || got["issues"].([]any)[0].(map[string]any)["line"] == 0.0 {
		t.Errorf("no YAML: %v", got)
	}
	k.do(author, "POST", "/api/v1/detectors/check", body(t, map[string]any{"yaml": "x", "sample": strings.Repeat("x", 65537)})).problem(http.StatusUnprocessableEntity, problem.CodeInput)
	if all, err := store.CustomDetectors(t.Context(), k.db.Read()); err != nil || len(all) != 0 {
		t.Errorf("a check saved %v, %v", all, err)
	}
}

func TestADetectorThatAPolicyNamesStays(t *testing.T) {
	k := newKit(t, Configuration{})
	author := k.token(RoleAuthor)
	k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": ticketDetector})).want(http.StatusCreated)
	p, err := policy.Parse([]byte(`id: custom.tickets
version: 1
title: Tickets
severity: low
description: Tickets of ours.
guide: Look.
on: {items: ["*"]}
when: count("custom.ticket") > 0
tests:
  - {name: one, input: {matches: [{detector: custom.ticket, confidence: 0.9}]}, want: true}
  - {name: none, input: {kind: message}, want: false}
`))
	if err != nil {
		t.Fatal(err)
	}
	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) { return []policy.Effective{{Policy: p}}, nil }
	r := k.do(author, "DELETE", "/api/v1/detectors/custom.ticket", "").problem(http.StatusConflict, problem.CodeInUse)
	if !strings.Contains(r.text("detail"), "custom.tickets") {
		t.Errorf("detail %s", r.text("detail"))
	}
	k.api.d.Policies = k.policies
	k.do(author, "DELETE", "/api/v1/detectors/custom.ticket", "").want(http.StatusNoContent)
}

const wordsDetector = `detectors:
  - {id: custom.projects, title: Projects, kind: dictionary, severity: high, confidence: 0.7, list: projects}
`

func TestADictionaryIsSealedAndItsWordsNeverComeBack(t *testing.T) {
	k := newKit(t, Configuration{})
	author, viewer := k.token(RoleAuthor), k.token(RoleViewer)
	const path = "/api/v1/dictionaries?id=projects&title=Projects"
	got := k.upload(author, "POST", path, "text/plain", []byte("Zanzibar Falcon\nquetzal\n")).want(200).object()
	if got["entries"] != 2.0 || got["id"] != "projects" || len(got["used_by"].([]any)) != 0 {
		t.Errorf("saved as %v", got)
	}
	k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": wordsDetector})).want(http.StatusCreated)
	check := func(sample string) int {
		t.Helper()
		return len(k.do(author, "POST", "/api/v1/detectors/check", body(t, map[string]any{"yaml": wordsDetector, "sample": sample})).want(200).object()["matches"].([]any))
	}
	if n := check("about zanzibar  falcon and Quetzal"); n != 2 {
		t.Errorf("%d matches, want 2", n)
	}
	if l := k.do(viewer, "GET", "/api/v1/dictionaries", "").want(200).items(); len(l) != 1 || fmt.Sprint(l[0].(map[string]any)["used_by"]) != "[custom.projects]" {
		t.Errorf("dictionaries are %v", l)
	}
	k.do(author, "DELETE", "/api/v1/dictionaries/projects", "").problem(http.StatusConflict, problem.CodeInUse)
	k.upload(author, "POST", path, "text/plain", []byte("other words\n")).want(200)
	if n := check("zanzibar falcon, other words"); n != 1 {
		t.Errorf("%d matches of the new words, want 1", n)
	}
	bad := k.upload(author, "POST", path, "text/plain", []byte("fine\nxy\n")).problem(http.StatusUnprocessableEntity, problem.CodeWords)
	if !strings.Contains(string(bad.body), "line 2") {
		t.Errorf("no line in %s", bad.body)
	}
	k.upload(author, "POST", path, "text/plain", bytes.Repeat([]byte("word "), dlp.MaxWordList/5+1)).problem(http.StatusRequestEntityTooLarge, problem.CodeTooLarge)
	k.do(author, "DELETE", "/api/v1/detectors/custom.projects", "").want(http.StatusNoContent)
	k.do(author, "DELETE", "/api/v1/dictionaries/projects", "").want(http.StatusNoContent)
	k.do(author, "DELETE", "/api/v1/dictionaries/projects", "").problem(404, problem.CodeNotFound)
	for _, word := range []string{"anzibar", "quetzal"} {
		if strings.Contains(k.bodies.String(), word) || strings.Contains(k.logs.String(), word) {
			t.Errorf("%s came back or was logged", word)
		}
	}
}

func TestTheWordsOfADictionaryAreNotInTheDatabase(t *testing.T) {
	k := newKit(t, Configuration{})
	k.upload(k.token(RoleAuthor), "POST", "/api/v1/dictionaries?id=projects&title=Projects", "text/plain", []byte("Zanzibar Falcon\n")).want(200)
	all, err := store.Dictionaries(t.Context(), k.db.Read())
	if err != nil {
		t.Fatal(err)
	}
	err = store.ReadChunks(t.Context(), k.db.Read(), all[0].Owner(), all[0].Version, func(data []byte) error {
		if bytes.Contains(data, []byte("anzibar")) || len(data) == 0 {
			t.Errorf("stored as %q", data)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

const staffCSV = "email,name\nana.souza@example.com,Ana Souza\nbo.larsen@example.com,Bo Larsen\n"

const staffDetector = `detectors:
  - {id: custom.staff, title: Staff, kind: exact, severity: high, confidence: 0.9, table: staff, columns: [email, name], least: 2}
`

func hashFile(t *testing.T, csv, id, key string, columns ...string) []byte {
	t.Helper()
	k, err := dlp.ParseTableKey(key)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := dlp.HashTable(&b, strings.NewReader(csv), id, columns, k); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestAnExactTableIsUploadedReplacedAndRemoved(t *testing.T) {
	k := newKit(t, Configuration{})
	author, viewer := k.token(RoleAuthor), k.token(RoleViewer)
	const file = "/api/v1/exact-tables/staff/file"
	made := k.do(author, "POST", "/api/v1/exact-tables", `{"id":"staff","title":"Staff"}`).want(http.StatusCreated)
	key := made.text("key")
	if again := k.do(viewer, "GET", "/api/v1/exact-tables/staff", "").want(200).object(); again["key"] != nil || again["ready"] != false {
		t.Errorf("the key is shown again, or the table is ready: %v", again)
	}
	k.do(author, "POST", "/api/v1/exact-tables", `{"id":"staff","title":"Staff"}`).problem(http.StatusConflict, problem.CodeChanged)
	k.do(author, "POST", "/api/v1/exact-tables", `{"id":"x","title":"X","key":"nonsense"}`).problem(http.StatusUnprocessableEntity, problem.CodeInput)
	k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": staffDetector})).problem(http.StatusUnprocessableEntity, problem.CodeDetector)

	good := hashFile(t, staffCSV, "staff", key, "email", "name")
	got := k.upload(author, "PUT", file, octets, good).want(200).object()
	if got["rows"] != 2.0 || got["cells"] != 4.0 || got["ready"] != true || fmt.Sprint(got["columns"]) != "[email name]" || got["memory"].(float64) <= 0 {
		t.Errorf("uploaded as %v", got)
	}
	k.do(author, "POST", "/api/v1/detectors", body(t, map[string]any{"yaml": staffDetector})).want(http.StatusCreated)
	check := func(sample string) int {
		t.Helper()
		return len(k.do(author, "POST", "/api/v1/detectors/check", body(t, map[string]any{"yaml": staffDetector, "sample": sample})).want(200).object()["matches"].([]any))
	}
	if one, two := check("Ana Souza alone"), check("Ana Souza, Ana.Souza@example.com"); one != 0 || two != 2 {
		t.Errorf("%d and %d matches, want 0 and 2", one, two)
	}
	for name, bad := range map[string][]byte{
		"another table": hashFile(t, staffCSV, "guests", key, "email", "name"), "another key": hashFile(t, staffCSV, "staff", dlp.NewTableKey().Text(), "email", "name"),
		"half a file": good[:len(good)/2], "the CSV itself": []byte(staffCSV), "nothing": nil, "a byte more": append(slices.Clone(good), 'x'),
	} {
		k.run(name, func(*testing.T) {
			k.upload(author, "PUT", file, octets, bad).problem(http.StatusUnprocessableEntity, problem.CodeTable)
		})
	}
	k.upload(author, "PUT", file, "text/csv", good).problem(http.StatusUnsupportedMediaType, problem.CodeMediaType)
	k.upload(author, "PUT", file, octets, hashFile(t, staffCSV, "staff", key, "email")).problem(http.StatusConflict, problem.CodeInUse)
	if n := check("Ana Souza, ana.souza@example.com"); n != 2 {
		t.Errorf("%d matches after uploads that were refused, want 2", n)
	}
	k.upload(author, "PUT", file, octets, hashFile(t, "email,name\nnew.person@example.com,New Person\n", "staff", key, "email", "name")).want(200)
	if old, young := check("Ana Souza, ana.souza@example.com"), check("New Person <new.person@example.com>"); old != 0 || young != 2 {
		t.Errorf("%d and %d matches after another file, want 0 and 2", old, young)
	}
	k.do(author, "DELETE", "/api/v1/exact-tables/staff", "").problem(http.StatusConflict, problem.CodeInUse)
	k.do(author, "DELETE", "/api/v1/detectors/custom.staff", "").want(http.StatusNoContent)
	k.do(author, "DELETE", "/api/v1/exact-tables/staff", "").want(http.StatusNoContent)
	k.upload(author, "PUT", file, octets, good).problem(404, problem.CodeNotFound)
	if n := strings.Count(k.bodies.String(), key); n != 1 {
		t.Errorf("the key was shown %d times, want once", n)
	}
	if strings.Contains(k.logs.String(), key) {
		t.Error("the key is in the log")
	}
	if got := k.do(author, "POST", "/api/v1/exact-tables", body(t, map[string]any{"id": "staff", "title": "Staff", "key": key})).want(http.StatusCreated).object(); got["key"] != nil {
		t.Errorf("a key that was given came back: %v", got)
	}
}
