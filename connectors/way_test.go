package connectors

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/safehttp"
)

func TestTheWayIsShownStepByStep(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{}`)
	})
	plain := serve(t, answer)
	encrypted := httptest.NewTLSServer(answer)
	t.Cleanup(encrypted.Close)
	broken := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	silent, err := net.Listen("tcp", "127.0.0.1:0") // Takes connections and says nothing.
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() }) // Nothing was written to it.
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(encrypted.Certificate())
	lost := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no resolver") }}

	for _, tc := range []struct {
		name, url string
		change    func(*safehttp.Config)
		want      string // "name state code" of each step
		ended     bool   // on the way
	}{
		{"an encrypted server", encrypted.URL, nil, "connect ok, tls ok", false},
		{"a plain server", plain.URL, nil, "connect ok", false},
		{"a server with a name", strings.Replace(plain.URL, "127.0.0.1", "localhost", 1), nil, "dns ok, connect ok", false},
		{"a server that answers with an error", broken.URL, nil, "connect ok", false},
		{"a name that is not found", "https://nowhere.example.com", func(c *safehttp.Config) { c.Resolver = lost }, "dns failed OB-2001", true},
		{"a port that is closed", "https://" + closed.Addr().String(), nil, "connect failed OB-2002", true},
		{"an address that may not be called", "https://10.1.2.3", nil, "connect failed OB-2012", true},
		{"a certificate that is not trusted", encrypted.URL, func(c *safehttp.Config) { c.RootCAs = x509.NewCertPool() }, "connect ok, tls failed OB-2009", true},
		{"a server that speaks no TLS", strings.Replace(plain.URL, "http:", "https:", 1), nil, "connect ok, tls failed OB-2009", true},
		{"a server that does not shake hands", "https://" + silent.Addr().String(), func(c *safehttp.Config) { c.DialTimeout = 50 * time.Millisecond }, "connect ok, tls failed OB-2015", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cfg := safehttp.Config{
				Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, RootCAs: trusted, RetryWaitMin: time.Millisecond, RetryWaitMax: time.Millisecond,
			}
			if tc.change != nil {
				tc.change(&cfg)
			}
			doer := safehttp.New(cfg)
			t.Cleanup(doer.HTTP().CloseIdleConnections)
			c := dial(t, tc.url, func(o *Options) { o.Doer = doer })
			// What is open already is a way too.
			for range 2 {
				var steps []string
				ctx, way := WatchWay(t.Context(), c.Config(ConfigBaseURL), func(s Step) {
					steps = append(steps, strings.TrimSpace(s.Name+" "+s.State+" "+s.Code))
					if s.Title == "" || s.Message == "" || s.MS < 0 {
						t.Errorf("step %+v says too little", s)
					}
				})
				var into struct{}
				err := c.GetJSON(ctx, "v1/chats", nil, &into)
				if ended := way.End(err); ended != tc.ended {
					t.Errorf("ended on the way: %t, want %t (%v)", ended, tc.ended, err)
				}
				if diff := cmp.Diff(tc.want, strings.Join(steps, ", ")); diff != "" {
					t.Errorf("steps (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestTheWayOfACallThatIsGivenUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	reported := 0
	ctx, way := WatchWay(ctx, "https://api.example.com", func(Step) { reported++ })
	err := dial(t, "https://api.example.com", nil).GetJSON(ctx, "v1/chats", nil, &struct{}{})
	if err == nil || way.End(err) || reported != 0 {
		t.Errorf("error %v, %d steps: want an error that is none of the way's", err, reported)
	}
	way.done(StepTLS, nil) // A connection that comes late.
	if reported != 0 {
		t.Error("a step was reported after the end")
	}
}
