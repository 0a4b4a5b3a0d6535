package findings

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testserver"
)

var testKeys = Keys{ID: []byte("0123456789abcdef0123456789abcdef")}

// open opens a new store whose clock moves by a second at each look.
func open(t testing.TB) *store.DB {
	t.Helper()
	return ticking(testserver.Open(t))
}

func ticking(db *store.DB) *store.DB {
	now := time.Date(2026, 11, 21, 18, 0, 0, 0, time.UTC)
	db.SetClock(func() time.Time { now = now.Add(time.Second); return now })
	return db
}

// fewerChecks keeps a property that writes to a database short under the race detector; -rapid.checks given by hand wins.
func fewerChecks(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue {
		if err := f.Value.Set("25"); err != nil {
			t.Fatal(err)
		}
	}
}

type fataler interface {
	Helper()
	Fatal(...any)
}

func commit(t fataler, db *store.DB, c Commit) Result {
	t.Helper()
	var res Result
	if err := db.Write(context.Background(), func(tx *store.Tx) (err error) {
		res, err = CommitItem(context.Background(), tx, testKeys, c)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return res
}

func count(t fataler, db *store.DB, query string, args ...any) int64 {
	t.Helper()
	var n int64
	if err := db.Read().QueryRowContext(context.Background(), query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func get(t fataler, db *store.DB, id string) Snapshot {
	t.Helper()
	s, known, err := load(context.Background(), db.Read(), id)
	if err != nil || !known {
		t.Fatal("load", id, known, err)
	}
	return s
}

// lastType returns the type of a finding's last log row.
func lastType(t fataler, db *store.DB, id string) string {
	t.Helper()
	var typ string
	if err := db.Read().QueryRowContext(context.Background(), `SELECT type FROM finding_log WHERE finding_id = $1 ORDER BY seq DESC LIMIT 1`, id).Scan(&typ); err != nil {
		t.Fatal(err)
	}
	return typ
}

func value(n int, start int) dlp.Match {
	return dlp.Match{
		Detector: "test.number", Start: start, End: start + 4, Line: 1, Confidence: 0.9, Validated: true, Masked: "1***",
		Value: fmt.Sprintf("%032x", n), Fingerprint: fmt.Sprintf("k1:%032x", n), Context: []string{"number"},
	}
}

func inMessage(message string, matches ...dlp.Match) []NewInstance {
	var out []NewInstance
	for _, m := range matches {
		out = append(out, NewInstance{Resource: Ref{"message", message}, Part: "user_text", Path: "content/0", At: time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC), Match: m})
	}
	return out
}

func detection(chat string, instances ...NewInstance) Detection {
	return Detection{
		PolicyID: "numbers", PolicyVersion: 1, Kind: "content", Severity: "high", Title: "Number in a chat",
		Resource: Resource{Kind: "chat", ID: chat, Name: "Planning", URL: "https://app.example/chat/" + chat},
		Actor:    Actor{ID: "user_1", Email: "Dana@corp.example", Type: "user"}, Instances: instances,
	}
}

func one(d Detection) Commit {
	return Commit{ConnectionID: "con_a", Connector: "claude", Detections: []Detection{d}}
}

func chatID(chat string) string { return testKeys.FindingID("con_a", Ref{"chat", chat}, "numbers") }

func TestScanningAgainAppendsNothing(t *testing.T) {
	db := open(t)
	c := one(detection("c1", inMessage("m1", value(1, 10), value(2, 20), value(1, 30))...))
	if diff := cmp.Diff(Result{FindingsNew: 1, InstancesNew: 2, LogRows: 1}, commit(t, db, c)); diff != "" {
		t.Errorf("first scan (-want +got):\n%s", diff)
	}
	before := dump(t, db, "con_a")
	if diff := cmp.Diff(Result{}, commit(t, db, c)); diff != "" {
		t.Errorf("second scan (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, dump(t, db, "con_a")); diff != "" {
		t.Errorf("second scan changed the store (-want +got):\n%s", diff)
	}
	if n := count(t, db, `SELECT count FROM instances WHERE start_at = 10`); n != 2 {
		t.Errorf("the value that stands twice in one place is counted %d times", n)
	}
}

// dump is all about a connection's findings that does not depend on when and in which order it was stored.
func dump(t fataler, db *store.DB, connectionID string) []string {
	t.Helper()
	out := []string{}
	for _, q := range []string{
		`SELECT f.id || ' ' || f.status || ' ' || f.severity || ' ' || f.title || ' ' || f.resource_name || ' ' || f.actor_key || ' ' || f.detectors || ' ' || f.instance_count || ' ' || f.occurred_at || ' ' || f.last_occurred_at
			FROM findings f WHERE f.connection_id = $1 ORDER BY f.id`,
		`SELECT i.id || ' ' || i.start_at || ' ' || i.detector || ' ' || i.count || ' ' || i.fingerprint FROM instances i JOIN findings f ON f.id = i.finding_id WHERE f.connection_id = $1 ORDER BY i.id`,
		`SELECT c.finding_id || ' ' || c.resource_id || ' ' || c.n FROM instance_counts c JOIN findings f ON f.id = c.finding_id WHERE f.connection_id = $1 ORDER BY c.finding_id, c.resource_id`,
	} {
		rows, err := db.Read().QueryContext(context.Background(), q, connectionID)
		if err != nil {
			t.Fatal(err)
		}
		if err := Each(rows, func() error {
			var s string
			err := rows.Scan(&s)
			out = append(out, s)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// TestAnyOrderGivesTheSameSet commits the units of a tenant in any order, some of them several times, and compares with one pass in order.
func TestAnyOrderGivesTheSameSet(t *testing.T) {
	straight, shuffled := open(t), open(t)
	check := 0
	fewerChecks(t)
	rapid.Check(t, func(t *rapid.T) {
		check++
		connection := fmt.Sprintf("con_%d", check)
		var units []Commit
		for u := range rapid.IntRange(1, 5).Draw(t, "units") {
			var ms []dlp.Match
			for range rapid.IntRange(1, 4).Draw(t, "matches") {
				m := value(rapid.IntRange(1, 3).Draw(t, "value"), rapid.IntRange(0, 50).Draw(t, "start"))
				m.Detector = rapid.SampledFrom([]string{"a.x", "b.y"}).Draw(t, "detector")
				ms = append(ms, m)
			}
			d := detection(fmt.Sprintf("chat%d", rapid.IntRange(0, 1).Draw(t, "chat")), inMessage(fmt.Sprintf("m%d", u), ms...)...)
			d.PolicyID = rapid.SampledFrom([]string{"numbers", "other"}).Draw(t, "policy")
			units = append(units, Commit{ConnectionID: connection, Connector: "claude", Detections: []Detection{d}})
		}
		for _, c := range units {
			commit(t, straight, c)
		}
		again := rapid.SliceOfN(rapid.SampledFrom(units), 0, 4).Draw(t, "again")
		for _, c := range rapid.Permutation(append(units, again...)).Draw(t, "order") {
			commit(t, shuffled, c)
		}
		if diff := cmp.Diff(dump(t, straight, connection), dump(t, shuffled, connection)); diff != "" {
			t.Fatal("another order gave another set (-in order +shuffled):\n" + diff)
		}
		before := count(t, shuffled, `SELECT COUNT(*) FROM finding_log`)
		for _, c := range units {
			commit(t, shuffled, c)
		}
		if after := count(t, shuffled, `SELECT COUNT(*) FROM finding_log`); after != before {
			t.Fatal("scanning again appended", after-before, "rows")
		}
	})
}

func TestCapPerResource(t *testing.T) {
	db := open(t)
	var ms []dlp.Match
	for i := range MaxInstances + 500 {
		ms = append(ms, value(i, i*10))
	}
	c := one(detection("c1", append(inMessage("m1", ms...), inMessage("m2", value(1, 0))...)...))
	if res := commit(t, db, c); res.InstancesNew != MaxInstances+501 {
		t.Errorf("%d new instances", res.InstancesNew)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM instances WHERE resource_id = 'm1'`); n != MaxInstances {
		t.Errorf("%d instances stored", n)
	}
	if s := get(t, db, chatID("c1")); s.InstanceCount != MaxInstances+501 {
		t.Errorf("the true count is %d", s.InstanceCount)
	}
	if diff := cmp.Diff(Result{}, commit(t, db, c)); diff != "" {
		t.Errorf("second scan (-want +got):\n%s", diff)
	}
	set(t, db, Change{FindingID: chatID("c1"), Status: StatusResolved, Actor: "usr_1"})
	if diff := cmp.Diff(Result{}, commit(t, db, c)); diff != "" {
		t.Errorf("reading the old item after it was resolved (-want +got):\n%s", diff)
	}
	ms = append(ms, value(9999, 1))
	if res := commit(t, db, one(detection("c1", inMessage("m1", ms...)...))); res.InstancesNew != 1 || get(t, db, chatID("c1")).Status != StatusOpen {
		t.Errorf("a new value past the cap: %+v, %s", res, get(t, db, chatID("c1")).Status)
	}
}

func TestWhatIsLogged(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Detection)
		rows   int
		typ    string
	}{
		{"the same again", func(*Detection) {}, 0, TypeCreated},
		{"a newer policy raises the severity", func(d *Detection) { d.PolicyVersion, d.Severity = 2, "critical" }, 1, TypeUpdated},
		{"an older policy changes nothing", func(d *Detection) { d.PolicyVersion, d.Severity = 0, "low" }, 0, TypeCreated},
		{"a new version that says the same is bookkeeping", func(d *Detection) { d.PolicyVersion = 2 }, 0, TypeCreated},
		{"the chat was renamed", func(d *Detection) { d.Resource.Name = "Plans" }, 1, TypeUpdated},
		{"an empty name does not erase one", func(d *Detection) { d.Resource.Name, d.Resource.URL = "", "" }, 0, TypeCreated},
		{"another person does not replace the first", func(d *Detection) { d.Actor.ID = "user_2" }, 0, TypeCreated},
		{"a known value in a new place", func(d *Detection) { d.Instances = inMessage("m2", value(1, 5)) }, 1, TypeUpdated},
		{"the value stands more often in its place", func(d *Detection) { d.Instances = inMessage("m1", value(1, 10), value(1, 50)) }, 0, TypeCreated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := open(t)
			d := detection("c1", inMessage("m1", value(1, 10))...)
			commit(t, db, one(d))
			tc.change(&d)
			if res := commit(t, db, one(d)); res.LogRows != tc.rows {
				t.Errorf("%d log rows, want %d", res.LogRows, tc.rows)
			}
			if got := lastType(t, db, chatID("c1")); got != tc.typ {
				t.Errorf("last row is %s, want %s", got, tc.typ)
			}
		})
	}
}

func TestSeveralDetectionsOfOneFindingAreOneRow(t *testing.T) {
	db := open(t)
	c := one(detection("c1", inMessage("m1", value(1, 10))...))
	c.Detections = append(c.Detections, detection("c1", inMessage("m2", value(2, 10))...), detection("c2", inMessage("m3", value(3, 1))...))
	if diff := cmp.Diff(Result{FindingsNew: 2, InstancesNew: 3, LogRows: 2}, commit(t, db, c)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAGradedFindingKeepsTheWorstOfItsVersion(t *testing.T) {
	db := open(t)
	grade := func(severity string, version int, graded bool, message string) Result {
		d := detection("chat", inMessage(message, value(1, 0))...)
		d.Severity, d.PolicyVersion, d.Graded = severity, version, graded
		return commit(t, db, one(d))
	}
	want := func(severity string) {
		t.Helper()
		if got := get(t, db, chatID("chat")).Severity; got != severity {
			t.Errorf("severity %s, want %s", got, severity)
		}
	}
	grade("medium", 1, true, "a")
	grade("critical", 1, true, "b")
	want("critical")
	if res := grade("medium", 1, true, "a"); res.LogRows != 0 {
		t.Errorf("scanning again wrote %d rows", res.LogRows)
	}
	want("critical")
	grade("medium", 2, true, "a")
	want("medium") // Another version judges anew.
	grade("high", 2, true, "b")
	want("high")
	grade("low", 2, false, "a")
	want("low") // An override is for all items.
}

func TestActivityIsItsOwnInstance(t *testing.T) {
	db := open(t)
	at := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	activity := func(id string) Commit {
		d := detection("c1", NewInstance{Resource: Ref{"activity", id}})
		d.Kind, d.OccurredAt = "activity", at
		return one(d)
	}
	commit(t, db, activity("a1"))
	commit(t, db, activity("a2"))
	set(t, db, Change{FindingID: chatID("c1"), Status: StatusResolved})
	if res := commit(t, db, activity("a1")); res.LogRows != 0 {
		t.Error("an old activity read again was logged")
	}
	commit(t, db, activity("a3"))
	s := get(t, db, chatID("c1"))
	if s.InstanceCount != 3 || s.Status != StatusOpen || s.OccurredAt.Time() != at {
		t.Errorf("got %+v", s.Finding)
	}
}

func TestActorsStandInOneTable(t *testing.T) {
	db := open(t)
	d := detection("c1", inMessage("m1", value(1, 10))...)
	commit(t, db, one(d))
	d.Actor = Actor{ID: "user_1", Name: "Dana Ruiz"}
	commit(t, db, one(d))
	var email, name string
	if err := db.Read().QueryRowContext(context.Background(), `SELECT email, name FROM actors`).Scan(&email, &name); err != nil {
		t.Fatal(err)
	}
	if email != "Dana@corp.example" || name != "Dana Ruiz" {
		t.Errorf("actor is %q, %q", email, name)
	}
	for _, q := range []string{`SELECT COUNT(*) FROM finding_log WHERE snapshot LIKE '%dana%' OR snapshot LIKE '%user_1%'`, `SELECT COUNT(*) FROM findings WHERE tokens LIKE '%dana%' OR actor_key LIKE '%user%'`} {
		if n := count(t, db, q); n != 0 {
			t.Errorf("%d rows hold the person: %s", n, q)
		}
	}
	a, b := testKeys.ActorKey("con_a", Actor{Email: "X@y.example", Type: "user"}), testKeys.ActorKey("con_a", Actor{Email: "x@Y.example", Type: "user"})
	if a != b || a == "" || testKeys.ActorKey("con_a", Actor{}) != "" {
		t.Error("without an id, the key is of type and e-mail, and nobody has none")
	}
}

func TestHostileInputIsBounded(t *testing.T) {
	db := open(t)
	long := strings.Repeat("\x01\"\\<é\xff", 1000)
	d := detection("c1", inMessage("m1", value(1, 10))...)
	d.Title, d.Resource.Name, d.Resource.URL, d.Actor.Email = long, long, long, long
	for i := range 200 {
		m := value(i, i)
		m.Detector = fmt.Sprintf("d%03d.%s", i, strings.Repeat("x", 50))
		d.Instances = append(d.Instances, inMessage("m1", m)...)
	}
	commit(t, db, one(d))
	if n := count(t, db, `SELECT OCTET_LENGTH(snapshot) FROM finding_log`); n > maxSnapshot {
		t.Errorf("a snapshot of %d bytes", n)
	}
	for name, breakIt := range map[string]func(*Commit){
		"no instance":       func(c *Commit) { c.Detections[0].Instances = nil },
		"no resource":       func(c *Commit) { c.Detections[0].Resource.ID = "" },
		"a long id":         func(c *Commit) { c.Detections[0].Resource.ID = strings.Repeat("x", maxID+1) },
		"a long path":       func(c *Commit) { c.Detections[0].Instances[0].Path = strings.Repeat("x", maxID+1) },
		"an unknown kind":   func(c *Commit) { c.Detections[0].Kind = "x" },
		"an unknown degree": func(c *Commit) { c.Detections[0].Severity = "x" },
	} {
		c := one(detection("c9", inMessage("m9", value(1, 1))...))
		breakIt(&c)
		err := db.Write(context.Background(), func(tx *store.Tx) error {
			_, err := CommitItem(context.Background(), tx, testKeys, c)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), ErrInvalid.Error()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTimeText(t *testing.T) {
	at := TimeOf(time.Date(2026, 11, 21, 19, 4, 11, 482_900_000, time.FixedZone("", 3600)))
	if got := at.String(); got != "2026-11-21T18:04:11.482Z" {
		t.Error(got)
	}
	var back Time
	if err := back.UnmarshalText([]byte("2026-11-21T19:04:11.4829+01:00")); err != nil || back != at {
		t.Error(back, err)
	}
	if err := back.UnmarshalText([]byte("yesterday")); err == nil {
		t.Error("no error")
	}
}

func BenchmarkCommitItem(b *testing.B) {
	db := open(b)
	for i := 0; b.Loop(); i++ {
		commit(b, db, one(detection(fmt.Sprintf("c%d", i), inMessage("m1", value(1, 10), value(2, 20), value(3, 30))...)))
	}
}
