package e2e

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/fixtures/claudesim"
)

// truthItems are what is planted in a tenant, as the truth file has it.
func (x *tenantServer) truthItems(t testing.TB, now time.Time) (out []truthItem) {
	t.Helper()
	b, err := json.Marshal(x.Truth(now).Items)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestWholeTenantWithFaults reads a whole tenant through a service of which every tenth answer is spoiled.
func TestWholeTenantWithFaults(t *testing.T) {
	t.Parallel()
	x := newTenant(t, claudesim.Options{Seed: 31, Epoch: orgEpoch, IndexLag: -1, Size: tenantSize(), FaultPercent: 10})
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	id := s.connect(x.url, claudesim.DemoKey, orgEpoch.Add(-orgBackfill))
	began := time.Now()
	scans := s.scanUntilDone(x, id)
	m := x.Metrics()
	t.Logf("done after %v and %d more scans; spoiled: %v", time.Since(began).Round(time.Second), scans, m.Spoiled)
	truth := x.truthItems(t, time.Now())
	found := s.instancesByPlace()
	t.Run("every planted value in a text is found", func(t *testing.T) { checkTexts(t, s, id, truth, found) })
	t.Run("no decoy counts", func(t *testing.T) { checkDecoys(t, truth, found) })
	t.Run("the ledger is what there is", func(t *testing.T) { checkLedger(t, s, x, id) })
}

// checkTexts wants every planted value of a text, and says of a place without any what the store has of it.
func checkTexts(t *testing.T, s *server, connectionID string, truth []truthItem, found map[string][]instanceRow) {
	t.Helper()
	texts := slices.DeleteFunc(slices.Clone(truth), func(i truthItem) bool { return i.Format != "text" })
	for _, x := range texts {
		if x.Planted && x.Scannable && len(found[x.place()]) == 0 {
			t.Logf("nothing at %s, where %q is; the store has %v", x.place(), x.Value, s.states(connectionID, []string{x.Resource.ID, x.Instance.ID}))
		}
	}
	checkPlanted(t, texts, found)
}

// states are the rows of items with one of the ids.
func (s *server) states(connectionID string, ids []string) (out []string) {
	s.t.Helper()
	for _, id := range ids {
		s.query(`SELECT kind || ' ' || stream || ' ' || version || ' ' || state || ' ' || reason || ' ' || place || ' ' || result || ' ' || updated_at FROM items WHERE connection_id = '`+connectionID+`' AND id = '`+id+`'`, func(r *sql.Rows) error {
			var row string
			err := r.Scan(&row)
			out = append(out, row)
			return err
		})
	}
	return out
}

// checkLedger compares the ledger with the tenant's own counts, unit by unit.
func checkLedger(t *testing.T, s *server, x *tenantServer, connectionID string) {
	t.Helper()
	type line struct{ Stream, Unit string }
	type sums struct{ Readable, Deleted, Unreadable int }
	got, want := map[line]sums{}, map[line]sums{}
	for u, n := range s.ledger(connectionID) {
		l := line{u.Stream, u.Unit}
		sum := got[l]
		switch {
		case u.Outcome == "late" || u.Outcome == "overlap":
			continue
		case u.Outcome == "scanned":
			sum.Readable += n
		case u.Reason == "deleted_before_scan":
			sum.Deleted += n
		default:
			sum.Unreadable += n
		}
		got[l] = sum
	}
	for u, n := range s.waiting(connectionID) {
		l := line{u.Stream, u.Unit}
		sum := got[l]
		sum.Unreadable += n
		got[l] = sum
	}
	for _, c := range x.Truth(time.Now()).Counts {
		sum := sums{Readable: c.Reachable, Deleted: c.Deleted}
		if c.Unit == "message" || c.Unit == "file" || c.Unit == "artifact" {
			sum.Deleted = 0 // They went with their chat, of which nobody can tell what was in it.
		}
		for reason, n := range c.Unreachable {
			// What a client gives again was scanned where it came first, a session that has not begun shows no messages, and nothing names the
			// versions before the one that is published.
			if !slices.Contains([]string{"client_asserted", "synthetic_marker", "older_version"}, reason) && (c.Unit != "message" || reason != "pending") {
				sum.Unreadable += n
			}
		}
		l := line{c.Stream, c.Unit}
		if c.Unit == "artifact" {
			l.Stream = "files" // As all that is downloaded.
		}
		sum.Readable, sum.Unreadable = sum.Readable+want[l].Readable, sum.Unreadable+want[l].Unreadable
		want[l] = sum
	}
	// The feed shows a key what belongs to its organisation.
	want[line{"activities", "activity"}] = sums{Readable: len(x.feed(t))}
	for l := range want {
		if strings.HasPrefix(l.Stream, "admin_") || l.Stream == "api_calls" {
			delete(want, l) // Another kind of key reads them; and calls go on while they are counted.
		}
	}
	for l := range got {
		if l.Stream == "api_calls" {
			delete(got, l)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("units (-there +counted):\n%s", diff)
	}
	for stream, c := range s.coverage(connectionID) {
		skipped := 0
		for _, n := range c.Skipped {
			skipped += n
		}
		if c.Read != c.Scanned+skipped+c.Failed+c.Deferred+c.Quarantined {
			t.Errorf("the coverage of %s does not add up: %+v", stream, c)
		}
	}
}

// missesNoneOf wants rows of the activity feed in the store.
func (s *server) missesNoneOf(t *testing.T, connectionID string, rows []feedRow) {
	t.Helper()
	stored := map[string]bool{}
	s.query(`SELECT id FROM activities WHERE connection_id = '`+connectionID+`'`, func(r *sql.Rows) error {
		var id string
		err := r.Scan(&id)
		stored[id] = true
		return err
	})
	var missed []string
	for _, a := range rows {
		if !stored[a.ID] {
			missed = append(missed, a.CreatedAt.Format(time.RFC3339Nano)+" "+a.Type+" "+a.ID)
		}
	}
	t.Logf("%d rows of the feed, %d missed", len(rows), len(missed))
	if len(missed) > 0 || len(rows) == 0 {
		t.Errorf("%d of %d rows of the feed were missed, such as %v", len(missed), len(rows), missed[:min(9, len(missed))])
	}
}

// itemState is the state of an item and its reason, "" for one that is not known.
func (s *server) itemState(connectionID, id string) (state string) {
	s.t.Helper()
	s.query(`SELECT state || ' ' || reason FROM items WHERE connection_id = '`+connectionID+`' AND id = '`+id+`'`, func(r *sql.Rows) error { return r.Scan(&state) })
	return state
}

// firstSeen is when each place of the export was found first.
func (s *server) firstSeen() map[string]time.Time {
	s.t.Helper()
	_, body := s.call("GET", "/findings/export?format=ndjson", nil)
	type ref struct{ Kind, ID string }
	out := map[string]time.Time{}
	for line := range strings.Lines(string(body)) {
		var f struct {
			Resource  ref
			Instances []struct {
				Resource  ref
				Location  struct{ Part, Path string }
				FirstSeen time.Time `json:"first_seen_at"`
			}
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			s.t.Fatalf("export: %v", err)
		}
		for _, i := range f.Instances {
			place := strings.Join([]string{f.Resource.Kind, f.Resource.ID, i.Resource.Kind, i.Resource.ID, i.Location.Part, i.Location.Path}, " ")
			if at, ok := out[place]; !ok || i.FirstSeen.Before(at) {
				out[place] = i.FirstSeen
			}
		}
	}
	return out
}

// TestWholeTenantIsReadOnce counts the calls of a first scan, and of the second one, on which nothing has changed.
func TestWholeTenantIsReadOnce(t *testing.T) {
	t.Parallel()
	x := newTenant(t, claudesim.Options{Seed: 31, Epoch: orgEpoch, IndexLag: -1, Size: tenantSize()})
	s := serve(t, bin(t), filepath.Join(t.TempDir(), "data"), "")
	id := s.connect(x.url, claudesim.DemoKey, orgEpoch.Add(-orgBackfill))
	scans := 1 + s.scanUntilDone(x, id)
	calls := x.calls()
	streams := len(s.coverage(id))
	least, by := leastCalls(calls)
	bound := 1.1 * float64(least+streams*scans)
	t.Logf("%d calls, %d at least (%v), %d streams, %d scans: %.3f of the bound", len(calls), least, by, streams, scans, float64(len(calls))/bound)
	if float64(len(calls)) > bound {
		t.Errorf("%d calls, want %.0f at most", len(calls), bound)
	}
	seen := map[string]int{}
	for _, a := range calls {
		if kind := kindOfCall(a.path); kind != callList {
			at := a.query
			at.Del("limit")
			seen[a.path+"?"+at.Encode()]++
		}
	}
	twice := []string{}
	for call, n := range seen {
		if n > 1 {
			twice = append(twice, fmt.Sprintf("%s: %d times", call, n))
		}
	}
	slices.Sort(twice)
	if len(twice) > 0 {
		t.Errorf("%d contents were read more than once, such as %v", len(twice), twice[:min(3, len(twice))])
	}

	var again scan
	s.must("POST", "/connections/"+id+"/scan", nil, &again)
	s.finished(again.ID, 5*time.Minute)
	var contents []string
	calls = x.calls()
	for _, a := range calls {
		if kindOfCall(a.path) != callList {
			contents = append(contents, a.path+"?"+url.Values(a.query).Encode())
		}
	}
	t.Logf("a scan of nothing new: %d calls", len(calls))
	if len(contents) > 0 {
		t.Errorf("a scan of nothing new reads %d contents, such as %s", len(contents), contents[0])
	}
	checkTexts(t, s, id, x.truthItems(t, time.Now()), s.instancesByPlace())
	s.missesNoneOf(t, id, x.feed(t))
	checkLedger(t, s, x, id)
}
