package deliver

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// TestSignVector is a vector on which the Go and the npm reference libraries agree. Its key is the bytes 01 to 18 hex.
func TestSignVector(t *testing.T) {
	var raw []byte
	for i := range byte(24) {
		raw = append(raw, i+1)
	}
	key, err := decodeKey(secret.NewValue(keyPrefix + base64.StdEncoding.EncodeToString(raw)))
	if err != nil {
		t.Fatal(err)
	}
	at := time.Unix(1795284300, 0)
	body := []byte(`{"type":"finding.created","timestamp":"2026-11-21T18:05:00Z","data":{"id":"fnd_01J9ZK3T7Q"}}`)
	got := sign(key, "msg_01J9ZK3T7QEXAMPLE", at, body)
	if want := "v1,wI2osxmdWLm2TGNzpHHERpD/z0XtRHueTPA5kCVSpdI="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	lib, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		t.Fatal(err)
	}
	if want, err := lib.Sign("msg_01J9ZK3T7QEXAMPLE", at, body); err != nil || got != want {
		t.Errorf("got %s, the library says %s, %v", got, want, err)
	}
}

func TestSigningKeys(t *testing.T) {
	for name, tc := range map[string]struct {
		size   int
		prefix string
		ok     bool
	}{"24 bytes": {24, keyPrefix, true}, "64 bytes": {64, keyPrefix, true}, "short": {23, keyPrefix, false}, "long": {65, keyPrefix, false}, "no prefix": {32, "", false}} {
		_, err := decodeKey(secret.NewValue(tc.prefix + base64.StdEncoding.EncodeToString(make([]byte, tc.size))))
		if tc.ok != (err == nil) || err != nil && !errors.Is(err, ErrSigningKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestRenderStaysSmall(t *testing.T) {
	x := findings.Finding{ID: "fnd_a", Detectors: []string{}, Resource: findings.Resource{Name: "<b>&"}}
	for range 9 {
		x.Instances = append(x.Instances, findings.Instance{Masked: strings.Repeat("*", 6000)})
	}
	body, err := render(findings.TypeCreated, 0, x)
	if err != nil || len(body) > maxBody {
		t.Fatal(len(body), err)
	}
	var got struct{ Data findings.Finding }
	if err := json.Unmarshal(body, &got); err != nil || len(got.Data.Instances) != 3 || len(x.Instances) != 9 {
		t.Errorf("%d instances, %v", len(got.Data.Instances), err)
	}
	x.Resource.Name = strings.Repeat("x", maxBody)
	if _, err := render(findings.TypeCreated, 0, x); err == nil {
		t.Error("no error")
	}
}

func TestSendTest(t *testing.T) {
	w := newWorld(t, "")
	for name, tc := range map[string]struct {
		status int
		want   TestResult
	}{
		"taken":    {204, TestResult{true, 204, "The receiver took the test event and answered 204."}},
		"refused":  {401, TestResult{false, 401, "The receiver refused the test event with 401: check that it has the same signing key."}},
		"no path":  {404, TestResult{false, 404, "The receiver answered 404: check the path of the URL."}},
		"redirect": {302, TestResult{false, 302, "The test event was not taken: the receiver answered 302: redirects are not followed."}},
		"failing":  {500, TestResult{false, 500, "The test event was not taken: the receiver answered 500."}},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			rw.Header().Set("Location", w.url)
			rw.WriteHeader(tc.status)
		}))
		got, err := w.d.SendTest(context.Background(), srv.URL+"/?token=planted", w.key)
		if diff := cmp.Diff(tc.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
		w.d.client.CloseIdleConnections()
		srv.Close()
		got, err = w.d.SendTest(context.Background(), srv.URL+"/?token=planted", w.key)
		if err != nil || got.OK || got.Status != 0 || strings.Contains(got.Message, "planted") {
			t.Errorf("closed: %+v, %v", got, err)
		}
	}
	if len(w.calls) != 0 {
		t.Error("a redirect was followed")
	}
	if _, err := w.d.SendTest(context.Background(), w.url, secret.NewValue("x")); !errors.Is(err, ErrSigningKey) {
		t.Error(err)
	}
}

func TestDestinations(t *testing.T) {
	w := newWorld(t, "severity:high")
	ctx := context.Background()
	if !strings.HasPrefix(w.key.Reveal(), keyPrefix) || len(w.key.Reveal()) != len(keyPrefix)+44 {
		t.Error("the key that was made has another form")
	}
	if sealed, err := store.GetCredential(ctx, w.db.Read(), w.dst.ID, FieldSigningKey); err != nil || strings.Contains(sealed, w.key.Reveal()) {
		t.Error(sealed, err)
	}
	errURL := errors.New("that URL may not be called")
	strict := destinations()
	strict.CheckURL = func(u string) error {
		if strings.Contains(u, "169.254") {
			return errURL
		}
		return nil
	}
	good := Config{URL: "https://siem.example/hook"}
	for name, tc := range map[string]struct {
		spec Spec
		want error
	}{
		"no name":       {Spec{Config: good}, ErrInvalid},
		"another kind":  {Spec{Name: "x", Kind: "splunk", Config: good}, ErrInvalid},
		"no URL":        {Spec{Name: "x"}, ErrInvalid},
		"a refused URL": {Spec{Name: "x", Config: Config{URL: "https://169.254.169.254/"}}, errURL},
		"a bad filter":  {Spec{Name: "x", Config: good, Filter: "colour:red"}, filter.ErrFilter},
		"a bad key":     {Spec{Name: "x", Config: good, SigningKey: secret.NewValue("whsec_short")}, ErrSigningKey},
	} {
		err := w.db.Write(ctx, func(tx *store.Tx) error { _, _, err := strict.Create(ctx, tx, tc.spec); return err })
		if !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w.advance(time.Second)
	given := secret.NewValue(keyPrefix + base64.StdEncoding.EncodeToString(make([]byte, 32)))
	w.write(func(tx *store.Tx) error {
		x, made, err := strict.Create(ctx, tx, Spec{Name: "second", Config: good, SigningKey: given})
		if !made.IsZero() || x.Kind != "webhook" || x.Config.Format != "native" || x.Config.Auth != "standard_webhooks" {
			t.Errorf("got %+v", x)
		}
		return err
	})
	name, text := "renamed", ""
	w.write(func(tx *store.Tx) error {
		_, err := strict.Update(ctx, tx, w.dst.ID, Patch{Name: &name, Filter: &text, Config: &good, SigningKey: &given})
		return err
	})
	all, err := List(ctx, w.db.Read())
	if err != nil || len(all) != 2 || all[0].Name != name || all[0].Filter != "" || all[0].Config.URL != good.URL {
		t.Errorf("got %+v, %v", all, err)
	}
	w.write(func(tx *store.Tx) error { return Delete(ctx, tx, w.dst.ID) })
	if _, err := Get(ctx, w.db.Read(), w.dst.ID); !errors.Is(err, ErrNotFound) || !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
	if _, err := store.GetCredential(ctx, w.db.Read(), w.dst.ID, FieldSigningKey); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}
