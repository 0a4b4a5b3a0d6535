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
	mAuthor   = "author admin"
	mAdmin    = "admin"
	mAudit    = "admin auditor"
	matrix    = map[string]string{
		"list-connectors": mAll, "list-connections": mAll, "create-connection": mAdmin, "test-connection": mAdmin, "get-connection": mAll, "update-connection": mAdmin,
		"delete-connection": mAdmin, "scan-connection": "responder admin service", "pause-connection": mAdmin, "resume-connection": mAdmin, "list-scans": mAll, "get-scan": mAll,
		"watch-scan": mAll, "get-coverage": mAll, "get-coverage-calendar": mAll, "list-deleted": mEvidence, "get-backfill": mAll, "pause-backfill": mAdmin, "resume-backfill": mAdmin, "estimate-backfill": mAdmin,
		"list-findings": mAll, "get-finding": mEvidence, "update-finding": mTriage, "list-instances": mEvidence,
		"list-finding-history": mEvidence, "update-findings": mTriage, "count-findings": mAll, "count-people": mAll, "chart-findings": mAll, "export-findings": mEvidence,
		"list-destinations": mAll, "create-destination": mAdmin, "test-destination": mAdmin, "get-destination": mAll, "update-destination": mAdmin, "delete-destination": mAdmin,
		"list-deliveries": mEvidence, "list-finding-deliveries": mEvidence, "preview-destination": mEvidence, "replay-deliveries": mAdmin, "list-detectors": mAll, "list-policies": mAll, "get-policy": mAll, "get-detector": mAll, "update-policy": "author admin", "create-policy": mAuthor, "replace-policy": mAuthor, "delete-policy": mAuthor, "check-policy": mAuthor,
		"export-policies": mAuthor, "import-policies": mAuthor, "list-policy-versions": mAuthor, "list-shadow-findings": mEvidence, "get-policy-source": mAuthor, "list-tokens": mAudit,
		"create-token": mAdmin, "delete-token": mAdmin, "list-audit": mAudit, "get-system": mAll,
		"list-profiles": mAll, "get-profile": mAll, "list-profile-versions": mAll, "create-profile": "author admin", "check-profile": "author admin", "update-profile": "author admin", "delete-profile": "author admin",
		"get-setup": Public, "set-up": Public, "create-session": Public, "use-link": Public, "get-session": mAll, "delete-session": Person, "change-password": Person,
		"list-records": mEvidence, "list-record-history": mEvidence, "list-record-changes": mEvidence,
		"list-exceptions": mEvidence, "get-exception": mEvidence, "create-exception": "author admin", "update-exception": "author admin", "revoke-exception": "author admin",
		"get-policy-yield": mAll, "get-detector-yield": mAll, "resume-policy": "author admin",
		"get-allowlist": mAll, "update-allowlist": "author admin",
		"create-detector": mAuthor, "check-detector": mAuthor, "update-detector": mAuthor, "replace-detector": mAuthor, "delete-detector": mAuthor,
		"get-detector-source": mEvidence, "list-detector-versions": mEvidence, "list-dictionaries": mAll, "put-dictionary": mAuthor, "delete-dictionary": mAuthor,
		"list-exact-tables": mAll, "create-exact-table": mAuthor, "get-exact-table": mAll, "upload-exact-table": mAuthor, "delete-exact-table": mAuthor,
		"list-users": mAudit, "create-user": mAdmin, "update-user": mAdmin, "create-user-link": mAdmin,
	}
)

// TestEveryOperationIsForItsRolesOnly walks every operation × every role × {token, session}, and nobody.
func TestEveryOperationIsForItsRolesOnly(t *testing.T) {
	k := newKit(t, Configuration{})
	expired := []string{k.token(RoleAdmin), k.session(RoleAdmin)}
	tokens, sessions := map[string]string{}, map[string]string{}
	for _, role := range Roles() {
		tokens[role], sessions[role] = k.token(role), k.session(role)
	}
	seen, walked := 0, 0
	for path, item := range k.doc.Paths.Map() {
		for method, op := range item.Operations() {
			row, ok := matrix[op.OperationID]
			if !ok {
				t.Errorf("%s %s (%s) has no row in the matrix", method, path, op.OperationID)
				continue
			}
			seen++
			url := strings.ReplaceAll(path, "{id}", "none")
			body := ""
			if method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch {
				body = "{}"
			}
			if nobody := k.do("", method, url, body); row != Public {
				nobody.problem(http.StatusUnauthorized, problem.CodeUnauthenticated)
			} else if nobody.status == http.StatusUnauthorized || nobody.status == http.StatusForbidden || nobody.status >= 500 {
				t.Errorf("%s without a token: status %d", op.OperationID, nobody.status)
			}
			for _, role := range Roles() {
				session := sessions[role]
				if op.OperationID == "delete-session" {
					session = k.session(role) // It ends; the others are still needed.
				}
				for kind, credential := range map[string]string{"token": tokens[role], "session": session} {
					walked++
					allowed := row == Public || (row == Person && kind == "session") || slices.Contains(strings.Fields(row), role)
					r := k.do(credential, method, url, body)
					refused := r.status == http.StatusForbidden || r.status == http.StatusUnauthorized
					if refused == allowed || r.status >= 500 {
						t.Errorf("%s as %s by %s: status %d, want refused %t", op.OperationID, role, kind, r.status, !allowed)
					}
				}
			}
		}
	}
	if seen != len(matrix) || walked != seen*2*len(Roles()) {
		t.Errorf("the matrix has %d rows for %d operations, of which %d calls were made", len(matrix), seen, walked)
	}
	k.clock.add(13 * time.Hour)
	for path, item := range k.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for _, credential := range expired {
				if matrix[op.OperationID] != Public {
					k.do(credential, method, strings.ReplaceAll(path, "{id}", "none"), "").problem(http.StatusUnauthorized, problem.CodeUnauthenticated)
				}
			}
		}
	}
}

func TestOperationWithoutRolesIsRefusedToEverybody(t *testing.T) {
	k := newKit(t, Configuration{})
	huma.Register(k.api.huma, huma.Operation{OperationID: "forgotten", Method: http.MethodGet, Path: "/api/v1/forgotten"}, func(context.Context, *struct{}) (*struct{}, error) { return nil, nil })
	for _, role := range Roles() {
		for _, credential := range []string{k.token(role), k.session(role)} {
			k.do(credential, "GET", "/api/v1/forgotten", "").problem(http.StatusForbidden, problem.CodeForbidden)
		}
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
