package workflows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
)

// caller makes the rows that the app's log shows of calls.
type caller struct {
	*bench
	n int
}

func newCaller(t *testing.T) *caller { return &caller{bench: newBench(t)} }

// log adds a row about a call, each with a time of its own.
func (c *caller) log(id, key, request, agent string) {
	c.now = c.now.Add(time.Millisecond)
	c.app.feed = append(c.app.feed, connectors.Item{
		Kind: connectors.KindActivity, ID: id, Version: "1", At: c.now, Actor: connectors.Actor{ID: "apikey_" + key, Type: "api_key"},
		Resource: connectors.Resource{Kind: "api_key", ID: "apikey_" + key},
		Activity: &connectors.Activity{Type: "compliance_api_accessed", Fields: map[string]string{"request_id": request, "actor.user_agent": agent}, Call: &connectors.Call{KeyID: key, RequestID: request, UserAgent: agent}},
	})
}

// sign makes a call of ours as the client does, and returns what the app sees of it and its request id.
func (c *caller) sign(connectionID string) (agent, request string) {
	c.t.Helper()
	l := c.Open.calls.of(connectionID)
	signature, err := l.Sign(c.t.Context())
	check(c.t, err)
	c.n++
	request = fmt.Sprintf("req_%d", c.n)
	l.Replied(request)
	return "Outband/test (" + signature + ")", request
}

// own makes a call of ours that the app's log shows.
func (c *caller) own() string {
	c.t.Helper()
	agent, request := c.sign(c.connection.ID)
	id := "own_" + request
	c.log(id, "K", request, agent)
	return id
}

// later moves the clock and reads what is new.
func (c *caller) later(d time.Duration) {
	c.t.Helper()
	c.now = c.now.Add(d)
	check(c.t, c.live("activities"))
}

// found returns the activities behind the findings about calls, by policy.
func (c *caller) found() map[string][]string {
	c.t.Helper()
	rows, err := c.DB.Read().QueryContext(c.t.Context(), `SELECT f.policy_id, f.severity, i.resource_id FROM findings f JOIN instances i ON i.finding_id = f.id ORDER BY i.resource_id`)
	check(c.t, err)
	defer func() { check(c.t, rows.Close()) }()
	out := map[string][]string{}
	for rows.Next() {
		var policy, severity, id string
		check(c.t, rows.Scan(&policy, &severity, &id))
		out[policy+" "+severity] = append(out[policy+" "+severity], id)
	}
	check(c.t, rows.Err())
	return out
}

func (c *caller) want(foreign ...string) {
	c.t.Helper()
	want := map[string][]string{}
	if len(foreign) > 0 {
		want["activity.foreign_key_use critical"] = foreign
	}
	if diff := cmp.Diff(want, c.found()); diff != "" {
		c.t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// killed ends the process without a word, and begins another one.
func (c *caller) killed() { c.Open.calls = newCallLogs(c.DB, c.Open.vault.IDKey()) }

func TestOwnCallsAreCountedAndForeignOnesFound(t *testing.T) {
	c := newCaller(t)
	for i := range 20 {
		c.own()
		switch i {
		case 5:
			c.log("curl", "K", "req_x1", "curl/8.9.1")
		case 9:
			c.log("forged", "K", "req_x2", "Outband/test (abcdefghijklm.1.abcdefghijklmnopqrstuvwxyz)")
		case 12:
			c.log("others", "L", "req_x3", "Splunk/9")
		}
		c.now = c.now.Add(time.Second)
	}
	c.later(time.Minute)
	c.want("curl", "forged")
	if diff := cmp.Diff(map[string]int64{"activities scanned": 23}, c.counts()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if n := c.count(`SELECT COUNT(*) FROM activities`); n != 3 {
		t.Errorf("%d activities stored, want the three that are not ours", n)
	}
	c.later(time.Minute) // All of it is shown again.
	c.want("curl", "forged")
	if diff := cmp.Diff(map[string]int64{"activities scanned": 23, "activities overlap": 23}, c.counts()); diff != "" {
		t.Errorf("coverage after the overlap (-want +got):\n%s", diff)
	}
	s, err := store.GetScan(t.Context(), c.DB.Read(), c.scan.ID)
	check(t, err)
	if s.ItemsRead != 3 || s.ItemsScanned != 3 {
		t.Errorf("progress: read %d, scanned %d; want the three that are not ours", s.ItemsRead, s.ItemsScanned)
	}
}

func TestASignatureCountsOnce(t *testing.T) {
	c := newCaller(t)
	first := c.own()
	agent := c.app.feed[0].Activity.Call.UserAgent
	c.later(time.Minute)
	c.log("replayed", "K", "req_x", agent)
	c.later(time.Minute)
	c.want("replayed")

	// The thief was faster: what was held to be ours is found to be foreign as soon as ours is shown.
	agent, request := c.sign(c.connection.ID)
	c.log("stolen", "K", "req_y", agent)
	c.later(time.Minute)
	c.log("late", "K", request, agent)
	c.later(time.Minute)
	c.want("replayed", "stolen")
	if diff := cmp.Diff(map[string]int64{"activities scanned": 4, "activities overlap": 6}, c.counts()); diff != "" {
		t.Errorf("coverage of %s, late and two foreign ones (-want +got):\n%s", first, diff)
	}
	c.later(time.Minute)
	c.want("replayed", "stolen")

	// A signature that was never used, some time after its run.
	agent, _ = c.sign(c.connection.ID)
	check(t, c.Open.Stop(t.Context()))
	c.now = c.now.Add(time.Hour)
	c.log("after", "K", "req_z", agent)
	c.later(time.Minute)
	c.want("after", "replayed", "stolen")
}

func TestACallThatTheTransportSentTwiceIsOurs(t *testing.T) {
	c := newCaller(t)
	c.own()
	agent, request := c.sign(c.connection.ID)
	c.Open.calls.of(c.connection.ID).Again(strings.TrimSuffix(strings.TrimPrefix(agent, "Outband/test ("), ")"))
	c.log("lost", "K", "req_nobody_saw", agent)
	c.log("answered", "K", request, agent)
	c.later(time.Minute)
	c.later(time.Minute)
	c.want()
	if diff := cmp.Diff(map[string]int64{"activities scanned": 3, "activities overlap": 3}, c.counts()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func TestAProxyThatWritesTheUserAgent(t *testing.T) {
	c := newCaller(t)
	_, request := c.sign(c.connection.ID)
	c.log("own", "K", request, "proxy/1")
	c.log("foreign", "K", "req_x", "proxy/1")
	c.later(time.Minute)
	c.want("foreign")

	// What a kill has lost can be ours: the last call of this process, whose request was not stored any more.
	c.now = c.now.Add(time.Minute)
	c.sign(c.connection.ID)
	c.killed()
	c.log("lost", "K", "req_2", "proxy/1")
	c.now = c.now.Add(lostAfter + time.Minute)
	c.log("later", "K", "req_y", "proxy/1")
	c.later(time.Minute)
	want := map[string][]string{"activity.foreign_key_use critical": {"foreign", "later"}, "activity.unverified_key_use low": {"lost"}}
	if diff := cmp.Diff(want, c.found()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}

	// When the ids of requests are purged, what was ours stays ours.
	c.now = c.now.Add(60 * time.Hour)
	check(t, c.DB.Write(t.Context(), func(tx *store.Tx) error { return store.PurgeCalls(t.Context(), tx) }))
	if n := c.count(`SELECT COUNT(*) FROM call_requests`); n != 0 {
		t.Fatalf("%d requests are left", n)
	}
	from := testDay.Add(-time.Hour)
	check(t, c.read(SliceRef{"activities", laneReread, sliceName(laneReread, connectors.Slice{From: from, To: c.now})}))
	if diff := cmp.Diff(want, c.found()); diff != "" {
		t.Errorf("findings after everything was read again (-want +got):\n%s", diff)
	}
}

func TestAKillLosesNoProofWhereSignaturesGetThrough(t *testing.T) {
	c := newCaller(t)
	for range 3 {
		c.own()
		check(t, c.Open.calls.of(c.connection.ID).Flush(t.Context()))
		c.now = c.now.Add(10 * time.Second)
		agent, _ := c.sign(c.connection.ID)
		c.killed() // Its request is not stored, and the next process knows nothing of it.
		c.log("last_"+fmt.Sprint(c.n), "K", "req_lost_"+fmt.Sprint(c.n), agent)
		c.log("foreign_"+fmt.Sprint(c.n), "K", "req_x_"+fmt.Sprint(c.n), "curl/8")
		c.now = c.now.Add(10 * time.Second)
	}
	c.later(time.Minute)
	c.want("foreign_2", "foreign_4", "foreign_6")
}

func TestCallsBeforeTheKeyIsKnownAreJudgedWhenItIs(t *testing.T) {
	c := newCaller(t)
	c.log("foreign", "K", "req_x", "curl/8")
	c.log("others", "L", "req_y", "curl/8")
	c.later(time.Minute)
	c.want()
	c.own()
	c.later(time.Minute)
	c.want("foreign")
	if n := c.count(`SELECT COUNT(*) FROM activities WHERE id = 'foreign' AND fields LIKE '%"outband.call":"foreign"%'`); n != 1 {
		t.Error("the stored activity does not say whose call it was")
	}
	if n := c.count(`SELECT COUNT(*) FROM calls_undecided`); n != 1 {
		t.Errorf("%d calls are undecided, want that of the other key", n)
	}
}

func TestTestsOfAKeyAreOurs(t *testing.T) {
	c := newCaller(t)
	for range 3 {
		agent, request := c.sign("") // Before the connection was saved, or with a new key.
		c.log("test_"+request, "K", request, agent)
	}
	c.now = c.now.Add(time.Second)
	c.own()
	c.later(time.Minute)
	c.want()
	// The test of a key teaches no key: it may never be saved.
	agent, request := c.sign("")
	c.log("test_"+request, "M", request, agent)
	c.log("other", "M", "req_x", "curl/8")
	c.later(time.Minute)
	c.want()
}

func TestARunThatABackupDoesNotKnowIsOurs(t *testing.T) {
	c := newCaller(t)
	c.own()
	check(t, c.Open.calls.of(c.connection.ID).Flush(t.Context()))
	check(t, c.DB.Write(t.Context(), func(tx *store.Tx) error {
		_, err := tx.ExecContext(t.Context(), `DELETE FROM call_runs`)
		return err
	}))
	c.later(time.Minute)
	c.want()
}

func TestAForeignCallIsJudgedWhenItIsOldEnough(t *testing.T) {
	c := newCaller(t)
	c.own()
	c.later(time.Minute)
	c.log("foreign", "K", "req_x", "curl/8")
	c.later(time.Second)
	c.want()
	c.later(callYoung)
	c.want("foreign")
}

func TestARunLastsADay(t *testing.T) {
	c := newCaller(t)
	a, _ := c.sign(c.connection.ID)
	c.now = c.now.Add(runFor)
	b, _ := c.sign(c.connection.ID)
	if runA, _, _ := callOf(c.Keys.Findings.ID, a); strings.Contains(b, runA) {
		t.Error("a run is older than a day")
	}
	if n := c.count(`SELECT COUNT(*) FROM call_runs WHERE stopped_at > 0`); n != 1 {
		t.Errorf("%d runs ended in order, want 1", n)
	}
}

func TestNoCallWithoutAStore(t *testing.T) {
	c := newCaller(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if s, err := c.Open.calls.of(c.connection.ID).Sign(ctx); !errors.Is(err, context.Canceled) || s != "" {
		t.Errorf("signed %q (%v) though the run could not be stored", s, err)
	}
}

func FuzzCallOf(f *testing.F) {
	key := []byte("0123456789abcdef0123456789abcdef")
	good := signature(key, "abcdefghijklm", 12)
	for _, s := range []string{"Outband/1 (" + good + ")", good, "Outband/1 (" + good + ") via proxy", "Outband/1 (abcdefghijklm.012.x)", "(a.1.b)", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, agent string) {
		run, n, ok := callOf(key, agent)
		if ok != (run != "") || ok && !strings.Contains(agent, "("+signature(key, run, n)+")") {
			t.Errorf("%q: %q %d %v", agent, run, n, ok)
		}
		if ok && !strings.Contains(agent, good) {
			t.Errorf("%q has a signature that was not made", agent)
		}
	})
}
