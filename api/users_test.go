package api

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

func TestPersonIsInvitedAndChanged(t *testing.T) {
	k := newKit(t, light)
	admin, s := k.person(RoleAdmin, goodPassword)
	made := k.do(s, "POST", "/api/v1/users", `{"email":"Bob@Example.com","name":"Bob","role":"viewer"}`).want(201)
	id, token := made.text("id"), made.text("token")
	if made.text("email") != "bob@example.com" || made.text("invited") != "true" || made.text("url") != "https://outband.example.com/sign-in#token="+token || made.text("expires_at") != "2026-03-17T12:00:00.000Z" {
		t.Errorf("made is %s", made.body)
	}
	for _, tc := range []struct {
		name, body string
		status     int
		code       string
	}{
		{"an address that another user has", `{"email":"BOB@example.com","name":"Other","role":"viewer"}`, 409, problem.CodeEmailTaken},
		{"no address", `{"email":"bob","name":"Bob","role":"viewer"}`, 422, problem.CodeInput},
		{"a name with a line break", `{"email":"b@example.com","name":"Bob\n","role":"viewer"}`, 422, problem.CodeInput},
		{"an unknown role", `{"email":"b@example.com","name":"Bob","role":"root"}`, 422, problem.CodeInput},
		{"a word of the table that is no role", `{"email":"b@example.com","name":"Bob","role":"person"}`, 422, problem.CodeInput},
	} {
		k.run(tc.name, func(*testing.T) { k.do(s, "POST", "/api/v1/users", tc.body).problem(tc.status, tc.code) })
	}
	users := k.do(s, "GET", "/api/v1/users?limit=1", "").want(200)
	rest := k.do(s, "GET", "/api/v1/users?limit=1&cursor="+users.text("next_cursor"), "").want(200)
	got := append(ids(users.items()), ids(rest.items())...)
	want := []string{admin.ID, id}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" || rest.text("next_cursor") != "" || strings.Contains(string(users.body)+string(rest.body), "argon2id") {
		t.Errorf("users (-want +got):\n%s\n%s", diff, users.body)
	}

	// The invitation asks for a password, keeps good over a bad one, and works once.
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+token+`"}`).problem(422, problem.CodePasswordNeeded)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+token+`","password":"bob"}`).problem(422, problem.CodePassword)
	bob := k.do("", "POST", "/api/v1/session/link", `{"token":"`+token+`","password":"`+goodPassword+`"}`).want(200)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+token+`","password":"`+goodPassword+`"}`).problem(422, problem.CodeLink)
	if got := k.do(bob.cookie(), "GET", "/api/v1/session", "").want(200); got.text("user.id") != id || got.text("demo") != "false" {
		t.Errorf("session is %s", got.body)
	}

	changed := k.do(s, "PATCH", "/api/v1/users/"+id, `{"role":"analyst","name":"Robert"}`).want(200)
	if changed.text("role") != RoleAnalyst || changed.text("name") != "Robert" || changed.text("invited") != "false" || changed.text("signed_in_at") == "<nil>" {
		t.Errorf("changed is %s", changed.body)
	}
	k.do(s, "PATCH", "/api/v1/users/"+id, `{"email":"other@example.com"}`).problem(422, problem.CodeInput)
	k.do(s, "PATCH", "/api/v1/users/usr_none", `{"name":"Other"}`).problem(404, problem.CodeNotFound)
	k.do(s, "POST", "/api/v1/users/usr_none/link", ``).problem(404, problem.CodeNotFound)

	// A new link voids the one before; disabling voids all.
	first := k.do(s, "POST", "/api/v1/users/"+id+"/link", "").want(201).text("token")
	second := k.do(s, "POST", "/api/v1/users/"+id+"/link", "").want(201).text("token")
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+first+`","password":"`+otherPassword+`"}`).problem(422, problem.CodeLink)
	k.do(s, "PATCH", "/api/v1/users/"+id, `{"disabled":true}`).want(200)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+second+`","password":"`+otherPassword+`"}`).problem(422, problem.CodeLink)
	k.do(s, "POST", "/api/v1/users/"+id+"/link", "").problem(409, problem.CodeUserDisabled)
	k.signIn("bob@example.com", goodPassword).problem(401, problem.CodeSignIn)

	for _, row := range []string{"user.create " + id, "link.create " + id, "user.password " + id, "user.update " + id, "link.refuse " + actorUnknown} {
		if !slices.Contains(k.audited(), row) {
			t.Errorf("%q is not in the audit log", row)
		}
	}
}

func TestSignInLinkWorksOnceAndForADay(t *testing.T) {
	k := newKit(t, light)
	ana, _ := k.person(RoleAdmin, "")
	use := func(token string) reply {
		return k.do("", "POST", "/api/v1/session/link", `{"token":"`+token+`"}`)
	}
	token := k.link(store.LinkSignIn, ana.ID)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+token+`","password":"`+goodPassword+`"}`).problem(422, problem.CodeInput)
	var wg sync.WaitGroup
	statuses := make([]int, 4)
	for i := range statuses {
		wg.Go(func() {
			res, err := k.server.Client().Post(k.server.URL+"/api/v1/session/link", "application/json", strings.NewReader(`{"token":"`+token+`"}`))
			if err != nil {
				t.Error(err)
				return
			}
			statuses[i] = res.StatusCode
			res.Body.Close()
		})
	}
	wg.Wait()
	slices.Sort(statuses)
	if !slices.Equal(statuses, []int{200, 422, 422, 422}) {
		t.Errorf("the statuses of one link used at the same time are %v", statuses)
	}
	late := k.link(store.LinkSignIn, ana.ID)
	k.clock.add(time.Hour)
	use(late).problem(422, problem.CodeLink)
	use(k.link(store.LinkSignIn, ana.ID)).want(200)
}

func TestAnAdminStays(t *testing.T) {
	k := newKit(t, light)
	token := k.token(RoleAdmin)
	ana, s := k.person(RoleAdmin, goodPassword)
	invited := k.do(token, "POST", "/api/v1/users", `{"email":"bob@example.com","name":"Bob","role":"admin"}`).want(201)
	patch := func(credential, id, body string) reply {
		return k.do(credential, "PATCH", "/api/v1/users/"+id, body)
	}
	for _, body := range []string{`{"disabled":true}`, `{"role":"viewer"}`} {
		patch(token, ana.ID, body).problem(409, problem.CodeLastAdmin)
	}
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+invited.text("token")+`","password":"`+goodPassword+`"}`).want(200)
	for _, body := range []string{`{"disabled":true}`, `{"role":"viewer"}`} {
		patch(s, ana.ID, body).problem(409, problem.CodeOwnAccount)
	}
	k.do(s, "POST", "/api/v1/users/"+ana.ID+"/link", "").problem(409, problem.CodeOwnAccount)
	patch(s, ana.ID, `{"name":"Ana","role":"admin","disabled":false}`).want(200)
	patch(token, ana.ID, `{"disabled":true}`).want(200)
	patch(token, ana.ID, `{"role":"viewer"}`).want(200)
	patch(token, invited.text("id"), `{"role":"viewer"}`).problem(409, problem.CodeLastAdmin)
}

func TestSignInsAreLimited(t *testing.T) {
	cfg := light
	cfg.GuessesByAccount, cfg.GuessesByAddress = 3, 6
	k := newKit(t, cfg)
	ana, s := k.person(RoleAdmin, goodPassword)
	limited := func(r reply) {
		k.t.Helper()
		if got := r.problem(http.StatusTooManyRequests, problem.CodeTooMany).header.Get("Retry-After"); got != "600" {
			k.t.Errorf("Retry-After is %q", got)
		}
	}
	for range 3 {
		k.signIn(ana.Email, "wrong").want(401)
	}
	rows := len(k.audited())
	limited(k.signIn(strings.ToUpper(ana.Email), goodPassword))
	if got := len(k.audited()); got != rows {
		t.Errorf("a try that was not made is in the audit log: %d rows, want %d", got, rows)
	}
	k.signIn("other@example.com", "wrong").want(401)
	k.do("", "POST", "/api/v1/session/link", `{"token":"none"}`).want(422)
	for path, body := range map[string]string{
		"/api/v1/session": `{"email":"third@example.com","password":"x"}`, "/api/v1/session/link": `{"token":"none"}`, "/api/v1/setup": `{"token":"none","email":"a@example.com","name":"A","password":"x"}`,
	} {
		limited(k.do("", "POST", path, body))
	}
	limited(k.do(s, "POST", "/api/v1/session/password", `{"current":"wrong","password":"`+otherPassword+`"}`))
	k.do(s, "GET", "/api/v1/session", "").want(200)
}

func TestLimitsFollowTheAddressBehindATrustedProxy(t *testing.T) {
	cfg := light
	cfg.GuessesByAddress = 1
	guess := func(k *kit, from string) reply {
		return k.send("POST", "/api/v1/session/link", `{"token":"none"}`, func(h http.Header) { h.Set("X-Forwarded-For", from) })
	}
	k := newKit(t, cfg)
	guess(k, "192.0.2.1").want(422)
	guess(k, "192.0.2.2").want(429) // Nobody says that the peer is a proxy.

	cfg.TrustedProxies = prefixes("127.0.0.0/8")
	k = newKit(t, cfg)
	guess(k, "198.51.100.9, 192.0.2.1").want(422)
	guess(k, "192.0.2.2").want(422)
	guess(k, "198.51.100.10, 192.0.2.1").want(429)
}

func TestWithoutAnAuditLogNobodySignsIn(t *testing.T) {
	k := newKit(t, light)
	ana, s := k.person(RoleAdmin, goodPassword)
	bob, _ := k.person(RoleViewer, goodPassword)
	link, invitation := k.link(store.LinkSignIn, ana.ID), k.link(store.LinkInvite, bob.ID)
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `CREATE TRIGGER audit_full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk is full'); END`)
		return err
	})
	for _, tc := range []struct{ credential, method, path, body string }{
		{"", "POST", "/session", `{"email":"` + ana.Email + `","password":"` + goodPassword + `"}`},
		{"", "POST", "/session", `{"email":"` + ana.Email + `","password":"wrong"}`},
		{"", "POST", "/session", `{"email":"nobody@example.com","password":"wrong"}`},
		{"", "POST", "/session/link", `{"token":"` + link + `"}`},
		{"", "POST", "/session/link", `{"token":"` + invitation + `","password":"` + otherPassword + `"}`},
		{"", "POST", "/session/link", `{"token":"none"}`},
		{s, "POST", "/session/password", `{"current":"` + goodPassword + `","password":"` + otherPassword + `"}`},
		{s, "POST", "/session/password", `{"current":"wrong","password":"` + otherPassword + `"}`},
		{s, "DELETE", "/session", ""},
		{s, "POST", "/users", `{"email":"eve@example.com","name":"Eve","role":"viewer"}`},
		{s, "PATCH", "/users/" + bob.ID, `{"role":"admin"}`},
		{s, "POST", "/users/" + bob.ID + "/link", ""},
	} {
		if r := k.do(tc.credential, tc.method, "/api/v1"+tc.path, tc.body).problem(http.StatusServiceUnavailable, problem.CodeAudit); r.header.Get("Set-Cookie") != "" {
			t.Errorf("%s %s: somebody is signed in or out", tc.method, tc.path)
		}
	}
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DROP TRIGGER audit_full`)
		return err
	})
	// Nothing of it was done.
	if got := k.do(s, "GET", "/api/v1/users", "").want(200); len(got.items()) != 2 {
		t.Errorf("users are %s", got.body)
	}
	k.signIn(ana.Email, goodPassword).want(200)
	k.signIn(bob.Email, goodPassword).want(200)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+link+`"}`).want(200)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+invitation+`","password":"`+otherPassword+`"}`).want(200)
}

func TestSetUpWithoutAnAuditLogMakesNoUser(t *testing.T) {
	k := newKit(t, light)
	token := k.link(store.LinkSetup, "")
	k.write(func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `CREATE TRIGGER audit_full BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'disk is full'); END`)
		return err
	})
	k.do("", "POST", "/api/v1/setup", `{"token":"`+token+`","email":"ana@example.com","name":"Ana","password":"`+goodPassword+`"}`).problem(http.StatusServiceUnavailable, problem.CodeAudit)
	if got := k.do("", "GET", "/api/v1/setup", "").want(200); got.text("needed") != "true" {
		t.Error("a refused set-up was made")
	}
}
