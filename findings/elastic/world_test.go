package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

var testKeys = findings.Keys{ID: []byte("0123456789abcdef0123456789abcdef")}

// world is a store, a server and an index.
type world struct {
	t        *testing.T
	db       *store.DB
	server   *testserver.ElasticsearchServer // nil: a fake
	embedded *search.Reader
	index    *Index
}

// newWorld makes a new store, and clears the server.
func newWorld(t *testing.T, s *testserver.ElasticsearchServer) *world {
	t.Helper()
	s.Clear()
	w := &world{t: t, db: testserver.OpenSQLite(t), server: s}
	w.embedded = search.New(w.db, testKeys)
	w.index = w.open(config(s))
	return w
}

func config(s *testserver.ElasticsearchServer) Configuration {
	return Configuration{URL: s.URL, Username: s.Username, Password: secret.NewValue(s.Password), CAFile: s.CAFile}
}

func (w *world) open(cfg Configuration) *Index {
	w.t.Helper()
	x, err := Open(cfg, Dependencies{DB: w.db, Embedded: w.embedded, Log: slog.New(slog.DiscardHandler), Rand: func() float64 { return 0 }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(x.Close)
	return x
}

// add stores findings about the numbered chats, in one transaction.
func (w *world) add(numbers ...int) {
	w.t.Helper()
	w.write(func(tx *store.Tx) error {
		for _, n := range numbers {
			if err := commit(tx, n, 0); err != nil {
				return err
			}
		}
		return nil
	})
}

// commit stores a finding about a chat, or adds an instance to it.
func commit(tx *store.Tx, n, instance int) error {
	d := findings.Detection{PolicyID: "secrets", PolicyVersion: 1, Kind: "content", Severity: findings.Severities()[n%5], Title: "Secret in a chat",
		Resource: findings.Resource{Kind: "chat", ID: fmt.Sprint("c", n), Name: fmt.Sprint("Chat ", n)}, Actor: findings.Actor{ID: fmt.Sprint("user_", n%3), Email: fmt.Sprint("u", n%3, "@corp.example")},
		OccurredAt: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		Instances: []findings.NewInstance{{Resource: findings.Ref{Kind: "message", ID: fmt.Sprint("m", n, "-", instance)}, Part: "user_text", Path: "content/0",
			Match: dlp.Match{Detector: "secret.aws", End: 1, Masked: "AKIA****", Value: fmt.Sprint(n, instance), Fingerprint: fmt.Sprint("k1:", n, instance)}}}}
	_, err := findings.CommitItem(context.Background(), tx, testKeys, findings.Commit{ConnectionID: "con_a", Connector: "claude", Detections: []findings.Detection{d}})
	return err
}

func (w *world) write(f func(*store.Tx) error) {
	w.t.Helper()
	if err := w.db.Write(context.Background(), f); err != nil {
		w.t.Fatal(err)
	}
}

// step brings the index up to date.
func (w *world) step() (p Progress) {
	w.t.Helper()
	p, err := w.index.Step(context.Background(), time.Minute)
	if err != nil || p.More {
		w.t.Fatal("step:", p, err)
	}
	return p
}

// settle makes all that was written visible.
func (w *world) settle() {
	w.t.Helper()
	w.step()
	w.server.Must(http.MethodPost, "/outband-findings*/_refresh", "")
}

// equal compares every document of the index, field by field, with the store.
func (w *world) equal() {
	w.t.Helper()
	w.server.Must(http.MethodPost, "/outband-findings*/_refresh", "")
	want := map[string]stored{}
	rows, err := w.db.Read().QueryContext(context.Background(), `SELECT `+documentSelect+` FROM findings f`)
	if err != nil {
		w.t.Fatal(err)
	}
	epoch, err := store.Epoch(context.Background(), w.db.Read())
	if err != nil {
		w.t.Fatal(err)
	}
	err = findings.Each(rows, func() error {
		var x stored
		var lastSeq int64
		var tokens string
		s, err := findings.ScanFinding(rows, &lastSeq, &tokens)
		x.Doc, x.Version = newDocument(s, tokens), epoch<<40|lastSeq
		x.Doc.FirstSeenAt, x.Doc.LastSeenAt = milliseconds(s.FirstSeenAt), milliseconds(s.LastSeenAt)
		x.Doc.OccurredAt, x.Doc.LastOccurredAt = milliseconds(s.OccurredAt), milliseconds(s.LastOccurredAt)
		want[s.ID] = x
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var answer struct {
		Hits struct {
			Hits []struct {
				ID      string   `json:"_id"`
				Version int64    `json:"_version"`
				Source  document `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	if err := json.Unmarshal(w.server.Must(http.MethodPost, "/outband-findings/_search", `{"size":10000,"version":true}`), &answer); err != nil {
		w.t.Fatal(err)
	}
	got := map[string]stored{}
	for _, h := range answer.Hits.Hits {
		if _, twice := got[h.ID]; twice {
			w.t.Error("two documents of one finding:", h.ID)
		}
		got[h.ID] = stored{h.Source, h.Version}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		w.t.Errorf("the index is not the store (-store +index):\n%s", diff)
	}
}

type stored struct {
	Doc     document
	Version int64
}

func milliseconds(t findings.Time) findings.Time { return t / 1000 * 1000 }
