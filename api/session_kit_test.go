package api

import (
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strings"

	"github.com/outband/outband/internal/store"
)

// sessionMark stands before the text of a session where otherwise the text of a token stands.
const sessionMark = "session "

// session signs in a new person of a role, and returns what to give to do.
func (k *kit) session(role string) string {
	k.t.Helper()
	_, credential := k.person(role, "")
	return credential
}

// person makes a user of a role with a password, or without one, and signs them in.
func (k *kit) person(role, password string) (store.User, string) {
	k.t.Helper()
	var hash, text string
	var u store.User
	if password != "" {
		var err error
		if hash, err = k.api.passwords.hash(k.t.Context(), password); err != nil {
			k.t.Fatal(err)
		}
	}
	k.write(func(tx *store.Tx) (err error) {
		email := strings.ToLower(rand.Text()) + "@example.com"
		if u, err = store.CreateUser(context.Background(), tx, store.User{Email: email, Name: "Example " + role, Role: role, PasswordHash: hash}); err != nil {
			return err
		}
		text, _, err = store.CreateSession(context.Background(), tx, u.ID, k.api.limits())
		return err
	})
	return u, sessionMark + text
}

// identify puts a token or session on a request; "" is none.
func identify(req *http.Request, credential string) {
	if text, ok := strings.CutPrefix(credential, sessionMark); ok {
		req.Header.Set("Cookie", SessionCookie+"="+text)
	} else if credential != "" {
		req.Header.Set("Authorization", "Bearer "+credential)
	}
}

// cookie is the session that an answer gives to the browser, to give to do; "" if it takes it away.
func (r reply) cookie() string {
	r.t.Helper()
	if len(r.header.Values("Set-Cookie")) != 1 {
		r.t.Fatalf("the cookies of the answer are %q, want one", r.header.Values("Set-Cookie"))
	}
	c, err := http.ParseSetCookie(r.header.Get("Set-Cookie"))
	if err != nil {
		r.t.Fatal(err)
	}
	if c.Name != SessionCookie || c.Path != "/" || c.Domain != "" || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode {
		r.t.Errorf("the cookie is %v", c)
	}
	if c.Value == "" {
		if c.MaxAge >= 0 {
			r.t.Errorf("the empty cookie stays: %v", c)
		}
		return ""
	}
	return sessionMark + c.Value
}

// send sends a request with headers of the test's own. body is JSON text, "" for none.
func (k *kit) send(method, path, body string, set func(http.Header)) reply {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), method, k.server.URL+path, strings.NewReader(body))
	if err != nil {
		k.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	set(req.Header)
	res, err := k.server.Client().Do(req)
	if err != nil {
		k.t.Fatal(err)
	}
	defer res.Body.Close()
	r := reply{t: k.t, status: res.StatusCode, header: res.Header}
	if r.body, err = io.ReadAll(res.Body); err != nil {
		k.t.Fatal(err)
	}
	k.conforms(method, path, r)
	return r
}
