package api

import (
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/internal/store"
)

// light hashes in no time.
var light = Configuration{Argon2id: argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1}}

// Passwords of the tests, made up.
const (
	goodPassword  = "example canary pass 4711"
	otherPassword = "example canary pass 4712"
)

// link makes a one-time link.
func (k *kit) link(purpose, userID string) string {
	k.t.Helper()
	var text string
	k.write(func(tx *store.Tx) (err error) {
		text, err = store.NewLink(k.t.Context(), tx, purpose, userID, time.Hour)
		return err
	})
	return text
}

func (k *kit) signIn(email, password string) reply {
	k.t.Helper()
	return k.do("", "POST", "/api/v1/session", `{"email":"`+email+`","password":"`+password+`"}`)
}

func TestFirstAdminIsSetUpOnce(t *testing.T) {
	k := newKit(t, light)
	setUp := func(token, email, password string) reply {
		return k.do("", "POST", "/api/v1/setup", `{"token":"`+token+`","email":"`+email+`","name":"Ana","password":"`+password+`"}`)
	}
	if got := k.do("", "GET", "/api/v1/setup", "").want(200); got.text("needed") != "true" {
		t.Errorf("without a user: %s", got.body)
	}
	old := k.link(store.LinkSetup, "")
	token := k.link(store.LinkSetup, "")
	setUp(old, "ana@example.com", goodPassword).problem(422, problem.CodeLink)
	setUp(store.LinkPrefix+"none", "ana@example.com", goodPassword).problem(422, problem.CodeLink)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+token+`"}`).problem(422, problem.CodeLink)
	setUp(token, "ana", goodPassword).problem(422, problem.CodeInput)
	setUp(token, "ana@example.com", "short").problem(422, problem.CodePassword)

	made := setUp(token, " Ana@Example.com", goodPassword).want(200)
	if made.text("user.email") != "ana@example.com" || made.text("user.role") != RoleAdmin || made.text("expires_at") != "2026-03-17T12:00:00.000Z" {
		t.Errorf("made is %s", made.body)
	}
	if got := k.do(made.cookie(), "GET", "/api/v1/session", "").want(200); string(got.body) != string(made.body) {
		t.Errorf("session is %s, want %s", got.body, made.body)
	}
	if got := k.do("", "GET", "/api/v1/setup", "").want(200); got.text("needed") != "false" {
		t.Errorf("with a user: %s", got.body)
	}
	setUp(token, "eve@example.com", goodPassword).problem(409, problem.CodeSetUpDone)
	id := made.text("user.id")
	if got := k.audited(); !slices.Contains(got, "user.create "+id) || !slices.Contains(got, "link.refuse unknown") || slices.Contains(got, "link.refuse "+token) {
		t.Errorf("the audit log is %q", got)
	}
}

func TestSignInTellsNothingButYesOrNo(t *testing.T) {
	k := newKit(t, light)
	ana, before := k.person(RoleAnalyst, goodPassword)
	disabled, _ := k.person(RoleAnalyst, goodPassword)
	k.write(func(tx *store.Tx) error {
		yes := true
		_, err := store.UpdateUser(t.Context(), tx, disabled.ID, store.UserChange{Disabled: &yes})
		return err
	})
	invited, _ := k.person(RoleViewer, "")
	want := map[string]any{}
	for _, tc := range []struct{ name, email, password, object string }{
		{"a wrong password", ana.Email, otherPassword, ana.ID},
		{"an unknown address", "nobody@example.com", goodPassword, actorUnknown},
		{"no address", goodPassword, goodPassword, actorUnknown},
		{"a disabled user", disabled.Email, goodPassword, disabled.ID},
		{"a user without a password", invited.Email, goodPassword, invited.ID},
	} {
		k.run(tc.name, func(t *testing.T) {
			r := k.signIn(tc.email, tc.password).problem(401, problem.CodeSignIn)
			got := r.object()
			delete(got, "request_id")
			if len(want) == 0 {
				want = got
			}
			if diff := cmp.Diff(want, got); diff != "" || r.header.Get("Set-Cookie") != "" || r.header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("the answer differs (-want +got):\n%s", diff)
			}
			rows := k.audited()
			if got := rows[len(rows)-1]; got != "session.refuse "+tc.object {
				t.Errorf("the audit log ends with %q", got)
			}
		})
	}
	// Another spelling of the address, and of the same password in another normal form.
	first := k.signIn(strings.ToUpper(ana.Email), strings.ReplaceAll(goodPassword, "4", "４")).want(200)
	second := k.do(first.cookie(), "POST", "/api/v1/session", `{"email":"`+ana.Email+`","password":"`+goodPassword+`"}`).want(200)
	if first.cookie() == second.cookie() {
		t.Error("a sign-in goes on under the old id")
	}
	k.do(first.cookie(), "GET", "/api/v1/session", "").problem(401, problem.CodeUnauthenticated)
	for _, credential := range []string{before, second.cookie()} {
		k.do(credential, "GET", "/api/v1/session", "").want(200)
	}
}

func TestSignInRenewsAHashMadeWithOtherParameters(t *testing.T) {
	k := newKit(t, light)
	ana, before := k.person(RoleAnalyst, goodPassword)
	k.api.passwords.params.Iterations = 2
	k.signIn(ana.Email, goodPassword).want(200)
	now, err := store.GetUser(t.Context(), k.db.Read(), ana.ID)
	if err != nil || !strings.Contains(now.PasswordHash, ",t=2,") {
		t.Errorf("the hash is %q, %v", now.PasswordHash, err)
	}
	k.signIn(ana.Email, goodPassword).want(200)
	k.do(before, "GET", "/api/v1/session", "").want(200)
}

func TestSessionEnds(t *testing.T) {
	k := newKit(t, light)
	admin := k.token(RoleAdmin)
	_, other := k.person(RoleAdmin, goodPassword)
	alive := func(credential string) bool {
		k.t.Helper()
		r := k.do(credential, "GET", "/api/v1/session", "")
		if r.status == 200 {
			return true
		}
		r.problem(401, problem.CodeUnauthenticated)
		if r.cookie() != "" {
			k.t.Error("a cookie that is no longer good stays in the browser")
		}
		return false
	}
	for _, tc := range []struct {
		name string
		end  func(u store.User, session string)
		ends bool
	}{
		{"not by a new name", func(u store.User, _ string) {
			k.do(admin, "PATCH", "/api/v1/users/"+u.ID, `{"name":"Other"}`).want(200)
		}, false},
		{"by a sign-out", func(_ store.User, s string) {
			if got := k.do(s, "DELETE", "/api/v1/session", "").want(204).cookie(); got != "" {
				t.Error("the browser keeps the session")
			}
		}, true},
		{"by a new role", func(u store.User, _ string) {
			k.do(admin, "PATCH", "/api/v1/users/"+u.ID, `{"role":"admin"}`).want(200)
		}, true},
		{"by disabling, and enabling does not bring it back", func(u store.User, _ string) {
			k.do(admin, "PATCH", "/api/v1/users/"+u.ID, `{"disabled":true}`).want(200)
			k.do(admin, "PATCH", "/api/v1/users/"+u.ID, `{"disabled":false}`).want(200)
		}, true},
		{"by a link that sets a new password", func(u store.User, _ string) {
			k.do("", "POST", "/api/v1/session/link", `{"token":"`+k.link(store.LinkInvite, u.ID)+`","password":"`+otherPassword+`"}`).want(200)
		}, true},
		{"by a new password, while this browser gets another", func(_ store.User, s string) {
			r := k.do(s, "POST", "/api/v1/session/password", `{"current":"`+goodPassword+`","password":"`+otherPassword+`"}`).want(200)
			if !alive(r.cookie()) {
				t.Error("the browser that changed the password is signed out")
			}
		}, true},
	} {
		k.run(tc.name, func(t *testing.T) {
			u, s := k.person(RoleViewer, goodPassword)
			tc.end(u, s)
			if alive(s) == tc.ends {
				t.Errorf("alive %t, want %t", !tc.ends, tc.ends)
			}
		})
	}
	if !alive(other) {
		t.Error("the session of another person ended")
	}
	if alive(sessionMark + "none") {
		t.Error("a session that never was is alive")
	}
}

func TestSessionEndsByTheClock(t *testing.T) {
	k := newKit(t, light)
	s := k.session(RoleViewer)
	k.clock.add(12*time.Hour - time.Second)
	k.do(s, "GET", "/api/v1/session", "").want(200)
	for range 14 {
		k.clock.add(11 * time.Hour)
		k.do(s, "GET", "/api/v1/session", "").want(200)
	}
	k.clock.add(11 * time.Hour) // 177 hours by now, of 168.
	k.do(s, "GET", "/api/v1/session", "").problem(401, problem.CodeUnauthenticated)

	idle := k.session(RoleViewer)
	k.clock.add(59 * time.Second)
	k.do(idle, "GET", "/api/v1/session", "").want(200) // Too soon to be noted.
	k.clock.add(12*time.Hour - 59*time.Second)
	k.do(idle, "GET", "/api/v1/session", "").problem(401, problem.CodeUnauthenticated)
}

func TestHeaderDecidesAndNotTheCookie(t *testing.T) {
	k := newKit(t, light)
	viewer, admin := k.token(RoleViewer), k.session(RoleAdmin)
	for _, tc := range []struct {
		name, header, cookie string
		status               int
		role                 string
	}{
		{"a token with less than the session", "Bearer " + viewer, admin, 200, RoleViewer},
		{"a token that is none", "Bearer none", admin, 401, ""},
		{"another scheme", "Basic bm9uZQ==", admin, 401, ""},
		{"an empty header", "", admin, 401, ""},
		{"two cookies", "-", admin + "; " + SessionCookie + "=" + strings.TrimPrefix(k.session(RoleViewer), sessionMark), 401, ""},
		{"the cookie alone", "-", admin, 200, RoleAdmin},
	} {
		k.run(tc.name, func(t *testing.T) {
			r := k.send("GET", "/api/v1/session", "", func(h http.Header) {
				h.Set("Cookie", SessionCookie+"="+strings.TrimPrefix(tc.cookie, sessionMark))
				if tc.header != "-" {
					h.Set("Authorization", tc.header)
				}
			}).want(tc.status)
			if !strings.Contains(string(r.body), `"role":"`+tc.role) && tc.role != "" {
				t.Errorf("the session is %s", r.body)
			}
			if cleared := r.header.Get("Set-Cookie") != ""; cleared != (tc.header == "-" && tc.status == 401) {
				t.Errorf("the cookie is cleared: %t", cleared)
			}
		})
	}
}

func TestOtherSitesCannotUseASession(t *testing.T) {
	k := newKit(t, light)
	ana, admin := k.person(RoleAdmin, goodPassword)
	own := k.server.URL
	for _, tc := range []struct {
		name   string
		header map[string]string
		status int
	}{
		{"another site", map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example.com"}, 403},
		{"a site beside", map[string]string{"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.com"}, 403},
		{"an old browser on another site", map[string]string{"Origin": "https://evil.example.com"}, 403},
		{"a page without an origin", map[string]string{"Origin": "null"}, 403},
		{"a form of text", map[string]string{"Content-Type": "text/plain", "Sec-Fetch-Site": "same-origin"}, 415},
		{"a form", map[string]string{"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}, 415},
		{"Outband's own page", map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": own}, 200},
		{"an old browser on Outband's own page", map[string]string{"Origin": own}, 200},
	} {
		k.run(tc.name, func(t *testing.T) {
			for path, body := range map[string]string{
				"/api/v1/destinations/test": `{"config":{"url":"https://siem.example.com"}}`,
				"/api/v1/session":           `{"email":"` + ana.Email + `","password":"` + goodPassword + `"}`, // Signing a victim in as somebody else is an attack too.
			} {
				credential := admin
				if path == "/api/v1/session" {
					credential = ""
				}
				k.send("POST", path, body, func(h http.Header) {
					if credential != "" {
						h.Set("Cookie", SessionCookie+"="+strings.TrimPrefix(credential, sessionMark))
					}
					for name, value := range tc.header {
						h.Set(name, value)
					}
				}).want(tc.status)
			}
		})
	}
}

func TestOwnPasswordIsChanged(t *testing.T) {
	k := newKit(t, light)
	ana, s := k.person(RoleViewer, goodPassword)
	change := func(credential, current, password string) reply {
		return k.do(credential, "POST", "/api/v1/session/password", `{"current":"`+current+`","password":"`+password+`"}`)
	}
	change(s, "wrong", otherPassword).problem(422, problem.CodeOldPassword)
	change(s, "", otherPassword).problem(422, problem.CodeOldPassword)
	change(s, goodPassword, ana.Email).problem(422, problem.CodePassword)
	change(k.token(RoleAdmin), goodPassword, otherPassword).problem(403, problem.CodePeopleOnly)
	change(s, goodPassword, otherPassword).want(200)
	k.signIn(ana.Email, goodPassword).problem(401, problem.CodeSignIn)
	k.signIn(ana.Email, otherPassword).want(200)
	if got := k.audited(); !slices.Contains(got, "user.password "+ana.ID) || !slices.Contains(got, "user.password.refuse "+ana.ID) {
		t.Errorf("the audit log is %q", got)
	}
	// Who came by a link and has no password yet sets one.
	bob, _ := k.person(RoleViewer, "")
	by := k.do("", "POST", "/api/v1/session/link", `{"token":"`+k.link(store.LinkSignIn, bob.ID)+`"}`).want(200)
	change(by.cookie(), "", goodPassword).want(200)
	k.signIn(bob.Email, goodPassword).want(200)
}

// TestPasswordsSessionsAndLinksStayOut looks for what lets a person in in every answer that is not to hold it, in the log and in the database.
func TestPasswordsSessionsAndLinksStayOut(t *testing.T) {
	k := newKit(t, light)
	setUp := k.link(store.LinkSetup, "")
	first := k.do("", "POST", "/api/v1/setup", `{"token":"`+setUp+`","email":"ana@example.com","name":"Ana","password":"`+goodPassword+`"}`).want(200)
	made := k.do(first.cookie(), "POST", "/api/v1/users", `{"email":"bob@example.com","name":"Bob","role":"viewer"}`).want(201)
	k.signIn("ana@example.com", otherPassword).want(401)
	k.signIn(otherPassword, otherPassword).want(401)
	k.do("", "POST", "/api/v1/session/link", `{"token":"`+otherPassword+`","password":"`+otherPassword+`"}`).want(422)
	k.do(first.cookie(), "POST", "/api/v1/session/password", `{"current":"`+otherPassword+`","password":"`+otherPassword+`"}`).want(422)
	k.do(first.cookie(), "GET", "/api/v1/users", "").want(200)
	k.do(first.cookie(), "GET", "/api/v1/audit", "").want(200)

	places := map[string]string{"the log": k.logs.String(), "an answer": strings.ReplaceAll(strings.ReplaceAll(k.bodies.String(), made.text("token"), ""), strings.TrimPrefix(first.cookie(), sessionMark), "")}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(k.dbPath), "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		places[filepath.Base(f)] = string(b)
	}
	for place, text := range places {
		for name, secret := range map[string]string{
			"a password": goodPassword, "a wrong password": otherPassword, "the set-up token": setUp, "a link": made.text("token"), "a session": strings.TrimPrefix(first.cookie(), sessionMark),
		} {
			if strings.Contains(text, secret) {
				t.Errorf("%s holds %s", place, name)
			}
		}
	}
	if len(places) < 4 {
		t.Errorf("only %d places were searched", len(places))
	}
}
