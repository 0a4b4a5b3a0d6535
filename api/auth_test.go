package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// The matrix as it is meant to be, written a second time: a change of routes.go must be made here too.
var (
	mAll      = "viewer analyst responder author admin auditor service"
	mEvidence = "analyst responder author admin auditor service"
	mTriage   = "analyst responder author admin"
	mAdmin    = "admin"
	mAudit    = "admin auditor"
	matrix    = map[string]string{
		"list-connectors": mAll, "list-connections": mAll, "create-connection": mAdmin, "test-connection": mAdmin, "get-connection": mAll, "update-connection": mAdmin,
		"delete-connection": mAdmin, "scan-connection": "responder admin service", "pause-connection": mAdmin, "resume-connection": mAdmin, "list-scans": mAll, "get-scan": mAll,
		"watch-scan": mAll, "get-coverage": mAll, "list-findings": mAll, "get-finding": mEvidence, "update-finding": mTriage, "list-instances": mEvidence,
		"list-finding-history": mEvidence, "update-findings": mTriage, "count-findings": mAll, "chart-findings": mAll, "export-findings": mEvidence,
		"list-destinations": mAll, "create-destination": mAdmin, "test-destination": mAdmin, "get-destination": mAll, "update-destination": mAdmin, "delete-destination": mAdmin,
		"list-deliveries": mEvidence, "replay-deliveries": mAdmin, "list-detectors": mAll, "list-policies": mAll, "update-policy": "author admin", "list-tokens": mAudit,
		"create-token": mAdmin, "delete-token": mAdmin, "list-audit": mAudit, "get-system": mAll,
	}
)

func TestEveryOperationIsForItsRolesOnly(t *testing.T) {
	k := newKit(t, Configuration{})
	tokens := map[string]string{}
	for _, role := range Roles() {
		tokens[role] = k.token(role)
	}
	expired := k.token(RoleAdmin)
	seen := 0
	for path, item := range k.doc.Paths.Map() {
		for method, op := range item.Operations() {
			allowed, ok := matrix[op.OperationID]
			if !ok {
				t.Errorf("%s %s (%s) has no row in the matrix", method, path, op.OperationID)
				continue
			}
			seen++
			url := strings.ReplaceAll(path, "{id}", "none")
			body := ""
			if method == http.MethodPost || method == http.MethodPatch {
				body = "{}"
			}
			k.do("", method, url, body).problem(http.StatusUnauthorized, problem.CodeUnauthenticated)
			for _, role := range Roles() {
				r := k.do(tokens[role], method, url, body)
				refused := r.status == http.StatusForbidden || r.status == http.StatusUnauthorized
				if want := !slices.Contains(strings.Fields(allowed), role); refused != want || r.status >= 500 {
					t.Errorf("%s as %s: status %d, want refused %t", op.OperationID, role, r.status, want)
				}
			}
		}
	}
	if seen != len(matrix) {
		t.Errorf("the matrix has %d rows for %d operations", len(matrix), seen)
	}
	k.clock.add(2 * time.Hour)
	for path, item := range k.doc.Paths.Map() {
		for method := range item.Operations() {
			k.do(expired, method, strings.ReplaceAll(path, "{id}", "none"), "").problem(http.StatusUnauthorized, problem.CodeUnauthenticated)
		}
	}
}

func TestOperationWithoutRolesIsRefusedToEverybody(t *testing.T) {
	k := newKit(t, Configuration{})
	huma.Register(k.api.huma, huma.Operation{OperationID: "forgotten", Method: http.MethodGet, Path: "/api/v1/forgotten"}, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	for _, role := range Roles() {
		k.do(k.token(role), "GET", "/api/v1/forgotten", "").problem(http.StatusForbidden, problem.CodeForbidden)
	}
}

func TestUnauthenticatedAnswerIsAlwaysTheSame(t *testing.T) {
	k := newKit(t, Configuration{})
	revoked, admin := k.token(RoleAdmin), k.token(RoleAdmin)
	id := ""
	k.write(func(tx *store.Tx) error {
		found, err := store.FindToken(t.Context(), tx, revoked, k.clock.now())
		id = found.ID
		return err
	})
	k.do(admin, "DELETE", "/api/v1/tokens/"+id, "").want(http.StatusNoContent)
	want := ""
	for name, header := range map[string]string{
		"no header": "", "another scheme": "Basic " + admin, "no token": "Bearer ", "an unknown token": "Bearer outband_unknown", "a revoked token": "Bearer " + revoked,
		"a token with more behind it": "Bearer " + admin + " " + admin, "a token with another letter": "Bearer " + admin[:len(admin)-1] + "_",
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", k.server.URL+"/api/v1/system", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", header)
		res, err := k.server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		r := reply{t: t, status: res.StatusCode, header: res.Header}
		buf := new(strings.Builder)
		if _, err := copyBody(buf, res); err != nil {
			t.Fatal(err)
		}
		r.body = []byte(buf.String())
		got := r.problem(http.StatusUnauthorized, problem.CodeUnauthenticated).object()
		delete(got, "request_id")
		text := cmp.Diff(nil, got)
		if want == "" {
			want = text
		}
		if text != want || r.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: the answer differs", name)
		}
	}
}

func TestUseOfATokenIsNotedOnceAMinute(t *testing.T) {
	k := newKit(t, Configuration{})
	admin := k.token(RoleAdmin)
	lastUsed := func() string {
		k.t.Helper()
		return k.do(admin, "GET", "/api/v1/tokens", "").want(200).items()[0].(map[string]any)["last_used_at"].(string)
	}
	first := lastUsed()
	k.clock.add(30 * time.Second)
	if got := lastUsed(); got != first {
		t.Errorf("after 30 s last_used_at is %s, want still %s", got, first)
	}
	k.clock.add(31 * time.Second)
	if got := lastUsed(); got == first {
		t.Errorf("after a minute last_used_at is still %s", got)
	}
}
