package findings

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

// databases runs a test on each database.
func databases(t *testing.T, f func(*testing.T, *store.DB)) {
	t.Run("SQLite", func(t *testing.T) { f(t, ticking(testserver.Open(t))) })
	t.Run("Postgres", func(t *testing.T) { f(t, ticking(testserver.OpenPostgres(t))) })
}

// TestTheLifeOfAFinding goes from new over triage and back to open, and ends with the same rows on each database.
func TestTheLifeOfAFinding(t *testing.T) {
	type row struct {
		Seq, FindingSeq         int64
		Type, Status, At, Actor string
		Instances               int64
	}
	var lives [][]row
	databases(t, func(t *testing.T, db *store.DB) {
		ctx := context.Background()
		first := one(detection("c1", inMessage("m1", value(1, 10), value(2, 20))...))
		if diff := cmp.Diff(Result{FindingsNew: 1, InstancesNew: 2, LogRows: 1}, commit(t, db, first)); diff != "" {
			t.Errorf("new (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Result{}, commit(t, db, first)); diff != "" {
			t.Errorf("again (-want +got):\n%s", diff)
		}
		commit(t, db, one(detection("c1", inMessage("m2", value(3, 10))...)))
		if err := db.Write(ctx, func(tx *store.Tx) error {
			_, err := SetStatus(ctx, tx, Change{FindingID: chatID("c1"), Status: StatusResolved, Reason: "the key is revoked", Actor: "usr_1"})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		commit(t, db, first) // Known values reopen nothing.
		commit(t, db, one(detection("c1", inMessage("m3", value(4, 10))...)))

		rows, err := db.Read().QueryContext(ctx, `SELECT seq, finding_seq, type, actor, snapshot FROM finding_log ORDER BY seq`)
		if err != nil {
			t.Fatal(err)
		}
		var life []row
		if err := Each(rows, func() error {
			var r row
			var text string
			if err := rows.Scan(&r.Seq, &r.FindingSeq, &r.Type, &r.Actor, &text); err != nil {
				return err
			}
			s, err := DecodeSnapshot(text)
			r.Status, r.At, r.Instances = s.Status, s.LastSeenAt.String(), s.InstanceCount
			life = append(life, r)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var types []string
		for _, r := range life {
			types = append(types, r.Type)
		}
		if diff := cmp.Diff([]string{TypeCreated, TypeUpdated, TypeClosed, TypeReopened}, types); diff != "" {
			t.Errorf("log (-want +got):\n%s", diff)
		}
		lives = append(lives, life)
	})
	if len(lives) == 2 {
		if diff := cmp.Diff(lives[0], lives[1]); diff != "" {
			t.Errorf("(-SQLite +Postgres):\n%s", diff)
		}
	}
}

// TestLogOfSeveralProcesses commits the same and other findings by eight writers of two processes: the log has no gap, no number is drawn twice,
// and a reader that follows it sees every row, although it reads while they write.
func TestLogOfSeveralProcesses(t *testing.T) {
	dsn := testserver.PostgresStore(t)
	processes := []*store.DB{testserver.Connect(t, dsn), testserver.Connect(t, dsn)}
	const writers, each = 8, 20
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				d := detection(fmt.Sprintf("c%d", i%5), inMessage(fmt.Sprintf("m%d", w), value(1000*w+i, i))...)
				if err := processes[w%2].Write(context.Background(), func(tx *store.Tx) error {
					_, err := CommitItem(context.Background(), tx, testKeys, one(d))
					return err
				}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	var followed int64
	for ended := false; !ended; {
		select {
		case <-done:
			ended = true
		default:
		}
		rows, err := processes[1].Read().QueryContext(context.Background(), `SELECT seq FROM finding_log WHERE workspace_id = $1 AND seq > $2 ORDER BY seq`, store.Workspace, followed)
		if err != nil {
			t.Fatal(err)
		}
		if err := Each(rows, func() error {
			var seq int64
			if err := rows.Scan(&seq); err != nil {
				return err
			}
			if seq != followed+1 {
				t.Errorf("after row %d came %d", followed, seq)
			}
			followed = seq
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if followed != writers*each {
		t.Errorf("%d rows, want %d", followed, writers*each)
	}
	if n := count(t, processes[0], `SELECT COUNT(*) FROM findings f WHERE finding_seq = (SELECT COUNT(*) FROM finding_log l WHERE l.finding_id = f.id)`); n != 5 {
		t.Errorf("the numbers of %d of 5 findings have no gap", n)
	}
}

// TestTextThatIsNone: a NUL and broken UTF-8 in whatever may come from outside are stored, found again and change nothing the second time.
func TestTextThatIsNone(t *testing.T) {
	databases(t, func(t *testing.T, db *store.DB) {
		const bad = "a\x00b\xff\xc3(\xed\xa0\x80c"
		m := value(1, 10)
		m.Masked, m.Before, m.After, m.Context, m.Fingerprint, m.Value = bad, bad, bad, []string{bad}, bad, bad
		d := detection(bad, NewInstance{Resource: Ref{bad, bad}, Part: bad, Path: bad, Match: m})
		d.PolicyID, d.Title, d.Resource, d.Actor = bad, bad, Resource{bad, bad, bad, bad}, Actor{bad, bad, bad, bad, bad}
		c := Commit{ConnectionID: bad, Connector: bad, Detections: []Detection{d}}
		if diff := cmp.Diff(Result{FindingsNew: 1, InstancesNew: 1, LogRows: 1}, commit(t, db, c)); diff != "" {
			t.Errorf("first (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(Result{}, commit(t, db, c)); diff != "" {
			t.Errorf("second (-want +got):\n%s", diff)
		}
		s := get(t, db, testKeys.FindingID(bad, Ref{bad, bad}, bad))
		if strings.ContainsRune(s.Title+s.Resource.Name, 0) || !strings.HasPrefix(s.Title, "a") {
			t.Errorf("title %q, name %q", s.Title, s.Resource.Name)
		}
		ctx := context.Background()
		key := store.ItemKey{ConnectionID: bad, Kind: bad, ID: bad}
		if err := db.Write(ctx, func(tx *store.Tx) error {
			if err := store.PutActivity(ctx, tx, store.Activity{ConnectionID: bad, ID: bad, Type: bad, ActorKey: bad, ResourceKind: bad, ResourceID: bad, Fields: bad}); err != nil {
				return err
			}
			if err := store.AddPlace(ctx, tx, key, store.Place{ResourceKind: bad, ResourceID: bad, ResourceName: bad, ResourceURL: bad}); err != nil {
				return err
			}
			if err := store.AppendAudit(ctx, tx, bad, bad, bad, map[string]string{bad: bad}); err != nil {
				return err
			}
			return store.PutItem(ctx, tx, store.Item{ItemKey: key, Stream: bad, Version: bad, State: store.ItemScanned, Result: bad})
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := store.GetItem(ctx, db.Read(), key); err != nil {
			t.Error(err)
		}
		if _, _, err := store.VerifyAudit(ctx, db.Read()); err != nil {
			t.Error(err)
		}
	})
}
