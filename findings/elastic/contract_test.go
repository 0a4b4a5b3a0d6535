package elastic

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/findings/search/searchtest"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/testserver"
)

// TestElasticsearch runs everything that needs a real server, one part after the other, on one.
func TestElasticsearch(t *testing.T) {
	s := testserver.Elasticsearch(t, testserver.ElasticsearchOptions{})
	t.Run("contract", func(t *testing.T) {
		w := newWorld(t, s)
		searchtest.Run(t, searchtest.Subject{DB: w.db, Keys: testKeys, Embedded: w.embedded, Engine: w.index, Settle: w.settle})
		w.equal()
		if err := w.index.Reindex(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		w.equal()
	})
	for name, f := range map[string]func(*testing.T, *world){
		"a step is done again without harm":            stepsAgain,
		"an older version is refused":                  olderVersion,
		"a document that the mapping refuses":          refusedDocument,
		"an index that was lost is built again":        lostIndex,
		"nothing was ever found":                       nothingFound,
		"health":                                       health,
		"a phrase whose prefix fits too many words":    manyWords,
		"a reindex while changes go on":                reindexWhileWriting,
		"a reindex that was cut short":                 reindexCutShort,
		"a reindex that died after the swap":           reindexDied,
		"two reindexes at once":                        reindexTwice,
		"the index of another program is left alone":   strangers,
		"a page leaves out what changed since":         pageIsPresent,
		"the server is away in the middle of the work": away,
	} {
		t.Run(name, func(t *testing.T) { f(t, newWorld(t, s)) })
	}
}

// TestElasticsearchWithSecurity runs a part with users, rights and a private authority.
func TestElasticsearchWithSecurity(t *testing.T) {
	s := testserver.Elasticsearch(t, testserver.ElasticsearchOptions{Security: true, TLS: true})
	t.Run("contract", func(t *testing.T) {
		w := newWorld(t, s)
		searchtest.RunSome(t, searchtest.Subject{DB: w.db, Keys: testKeys, Embedded: w.embedded, Engine: w.index, Settle: w.settle})
		if err := w.index.Reindex(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		w.equal()
		if h := w.index.Health(t.Context()); h.State != StateUp || h.Version == "" {
			t.Errorf("health: %+v", h)
		}
	})
	other := filepath.Join(t.TempDir(), "other.crt")
	if err := os.WriteFile(other, []byte(otherAuthority), 0o600); err != nil {
		t.Fatal(err)
	}
	good := config(s)
	for name, tc := range map[string]struct {
		change func(*Configuration)
		code   string
	}{
		"a wrong password":            {func(c *Configuration) { c.Password = secret.NewValue("not-a-secret-2") }, CodeRefused},
		"a user without the rights":   {func(c *Configuration) { c.Username = s.Outsider }, CodeRights},
		"another authority":           {func(c *Configuration) { c.CAFile = other }, CodeTLS},
		"no authority of its own":     {func(c *Configuration) { c.CAFile = "" }, CodeTLS},
		"plain http to a TLS port":    {func(c *Configuration) { c.URL = strings.Replace(c.URL, "https:", "http:", 1) }, CodeDown},
		"a port that nobody hears at": {func(c *Configuration) { c.URL, c.CAFile = "https://127.0.0.1:1", s.CAFile }, CodeDown},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, s)
			cfg := good
			tc.change(&cfg)
			x := w.open(cfg)
			w.add(1)
			_, err := x.Step(t.Context(), time.Minute)
			wantCode(t, "step", err, tc.code)
			wantCode(t, "reindex", x.Reindex(t.Context(), nil), tc.code)
			// The place has not moved, and questions are answered all the same.
			if lag, err := search.ReadLag(t.Context(), w.db); err != nil || lag.Offset != 0 {
				t.Errorf("the place moved: %+v, %v", lag, err)
			}
			_, err = x.Facets(t.Context(), filter.Filter{})
			wantCode(t, "facets", err, tc.code)
			page, err := search.NewSwitch(w.embedded, x).List(t.Context(), search.Query{})
			if err != nil || !page.Degraded || len(page.Items) != 1 {
				t.Errorf("list: %+v, %v", page, err)
			}
			if h := x.Health(t.Context()); h.State != StateDown || h.Code != tc.code {
				t.Errorf("health: %+v", h)
			}
		})
	}
}

func wantCode(t *testing.T, what string, err error, code string) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// otherAuthority is a certificate that signed nothing here, of a key that was thrown away.
const otherAuthority = `-----BEGIN CERTIFICATE-----
MIIBmTCCAT+gAwIBAgIUbeO4Ghti0AwmmFuHKJyzlh0nrd0wCgYIKoZIzj0EAwIw
ITEfMB0GA1UEAwwWQW5vdGhlciB0ZXN0IGF1dGhvcml0eTAgFw0yNjExMjQxMTA1
MTNaGA8yMTI2MTAzMTExMDUxM1owITEfMB0GA1UEAwwWQW5vdGhlciB0ZXN0IGF1
dGhvcml0eTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABDuxinLwklqKhxiILAWU
CfSMfZvFl2BUgHlvRWJ976kVLbx46hsgLirW+T1guXIwWepD84yIXK8gzGrkYEst
fx+jUzBRMB0GA1UdDgQWBBS2FLvnajodGmu2CWE1Ha9/BZPNTjAfBgNVHSMEGDAW
gBS2FLvnajodGmu2CWE1Ha9/BZPNTjAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49
BAMCA0gAMEUCIQDFQp6vYTiWb4P+1GsUGZbvtmT8Cj67yr5NG9bT7cTlSAIgedmq
nc56OsXMrefqF1bPrDptXnq47+ETZ9xGkpdUZ/M=
-----END CERTIFICATE-----
`

// stepsAgain goes back to the start of the log.
func stepsAgain(t *testing.T, w *world) {
	w.add(1, 2, 3)
	if p := w.step(); p.Indexed != 3 {
		t.Errorf("%+v", p)
	}
	w.equal()
	if p := w.step(); p.Indexed != 0 {
		t.Errorf("nothing is new, yet %+v", p)
	}
	if _, err := w.index.move(context.Background(), 3, 0, 0); err != nil {
		t.Fatal(err)
	}
	if p := w.step(); p.Indexed != 3 || p.Refused != 0 {
		t.Errorf("the second time: %+v", p)
	}
	w.equal()
}

// olderVersion writes a version of the future first: what the store has then is late.
func olderVersion(t *testing.T, w *world) {
	w.add(1)
	var id string
	var seen int64
	if err := w.db.Read().QueryRowContext(t.Context(), `SELECT id, first_seen_at FROM findings`).Scan(&id, &seen); err != nil {
		t.Fatal(err)
	}
	if err := w.index.prepare(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	newer := version(2, 1)
	doc, err := newWrite(month(findings.Time(seen)), newer, document{ID: id, Title: "newer", FirstSeenAt: findings.Time(seen), LastSeenAt: findings.Time(seen), OccurredAt: findings.Time(seen), LastOccurredAt: findings.Time(seen)})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := w.index.send(t.Context(), []write{doc}); n != 0 || err != nil {
		t.Fatal(n, err)
	}
	if p := w.step(); p.Refused != 0 {
		t.Errorf("%+v", p)
	}
	w.server.Must(http.MethodPost, "/outband-findings/_refresh", "")
	if got := string(w.server.Must(http.MethodGet, "/outband-findings/_search?filter_path=hits.hits._source.title", "")); !strings.Contains(got, "newer") {
		t.Errorf("a late write won: %s", got)
	}
}
