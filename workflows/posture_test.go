package workflows

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// posturePolicy makes a policy over users.
func posturePolicy(id, when, more string) string {
	return fmt.Sprintf(`id: %s
version: 1
title: %s
severity: high
description: Made up.
guide: Open {resource.url} and look.
on: {records: [user]}
when: %s
%stests:
  - {name: none, input: {record: {kind: user, fields: {role: none}}}, want: false}
`, id, id, when, more)
}

const (
	lonelyOwner = "custom.lonely_owner" // counts other records
	isOwner     = "custom.owner"
	wasMember   = "custom.was_member" // looks at the version before
	oldMember   = "custom.old_member" // depends on the time
	cardInNote  = "custom.card_in_note"
)

// posture replaces the policies by some over users, and adds others.
func (b *bench) posture(more ...string) {
	b.t.Helper()
	dir := b.t.TempDir()
	for _, text := range append([]string{
		posturePolicy(isOwner, `text("role") == "owner"`, ""),
		posturePolicy(wasMember, `has(record.before.role) && record.before.role == "member" && record.fields.role == "admin"`, ""),
		posturePolicy(oldMember, `older("since", duration("24h"))`, ""),
		posturePolicy(cardInNote, `text("note") == "`+card+`"`, ""),
		posturePolicy(lonelyOwner, `text("role") == "owner" && standing("user", "", "") > 0 && standing("user", "role", "owner") < 2`, ""),
	}, more...) {
		id := strings.TrimPrefix(strings.SplitN(text, "\n", 2)[0], "id: ")
		check(b.t, os.WriteFile(filepath.Join(dir, id+".yaml"), []byte(text), 0o600))
	}
	rules, err := NewRules(b.t.Context(), b.DB, dir, nil)
	check(b.t, err)
	b.Rules = rules
}

// has puts these users into the snapshot: id, scope and fields by turns.
func (b *bench) users(rows ...[]any) {
	b.app.mu.Lock()
	defer b.app.mu.Unlock()
	b.app.rows = nil
	for _, r := range rows {
		id := r[0].(string)
		b.app.rows = append(b.app.rows, connectors.Item{
			Kind: connectors.KindRecord, ID: id, At: testDay.Add(-time.Hour), Actor: connectors.Actor{ID: id, Email: id + "@fake.example", Type: "user"},
			Resource: connectors.Resource{Kind: "user", ID: id, Name: "note " + card, URL: "https://fake.example/" + id},
			Record:   &connectors.Record{Kind: "user", ID: id, Scope: r[1].(string), Fields: r[2].(map[string]any)},
		})
	}
}

func user(id, role string) []any { return []any{id, "org", map[string]any{"role": role}} }

// snapshot reads one run to its end, six hours after the one before.
func (b *bench) snapshot() {
	b.t.Helper()
	b.now = b.now.Add(6 * time.Hour)
	check(b.t, b.read(liveUsers))
}

// log is the log of one policy's finding about a user: types and reasons.
func (b *bench) log(policyID, user string) (out []string) {
	b.t.Helper()
	id := b.Keys.Findings.FindingID(b.connection.ID, findings.Ref{Kind: "user", ID: user}, policyID)
	rows, err := b.DB.Read().QueryContext(b.t.Context(), `SELECT type, reason FROM finding_log WHERE finding_id = $1 ORDER BY seq`, id)
	check(b.t, err)
	check(b.t, findings.Each(rows, func() error {
		var typ, reason string
		err := rows.Scan(&typ, &reason)
		if typ = strings.TrimPrefix(typ, "finding."); reason != "" {
			typ += ": " + reason
		}
		out = append(out, typ)
		return err
	}))
	return out
}

func (b *bench) equal(what string, want, got any) {
	b.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		b.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

var opened, closed, reopened = "created", "closed: no longer so", "reopened"

func TestAWholeSnapshotOpensAndClosesPosture(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "owner"), user("b", "member"), user("c", "owner"), user("d", "member"))
	b.snapshot()
	b.equal("new", []string{opened}, b.log(isOwner, "a"))
	b.equal("counted", map[string]int64{"users scanned": 4}, b.counts())
	log, state := b.count(`SELECT COUNT(*) FROM finding_log`), b.count(`SELECT COUNT(*) FROM findings`)
	b.snapshot()
	b.equal("unchanged", []int{log, state}, []int{b.count(`SELECT COUNT(*) FROM finding_log`), b.count(`SELECT COUNT(*) FROM findings`)})
	b.equal("counted", map[string]int64{"users scanned": 4, "users overlap": 4}, b.counts())

	b.users(user("a", "member"), user("b", "member"), user("c", "owner"), user("d", "owner"))
	b.snapshot()
	b.equal("the cause is gone", []string{opened, closed}, b.log(isOwner, "a"))
	b.equal("another is not", []string{opened}, b.log(isOwner, "c"))
	b.equal("a new one", []string{opened}, b.log(isOwner, "d"))
	b.snapshot()
	b.equal("closed once", []string{opened, closed}, b.log(isOwner, "a"))
	b.users(user("a", "owner"), user("b", "member"), user("c", "owner"), user("d", "owner"))
	b.snapshot()
	b.equal("true again", []string{opened, closed, reopened}, b.log(isOwner, "a"))
	b.equal("counted once per version", int64(7), b.counts()["users scanned"])
}

func TestASnapshotThatIsNotWholeClosesNothing(t *testing.T) {
	owners := func(b *bench) {
		b.users(user("a", "owner"), user("b", "member"), user("c", "member"), []any{"d", "org_b", map[string]any{"role": "owner"}})
		b.snapshot()
		b.users(user("a", "member"), user("b", "member"), user("c", "member"), []any{"d", "org_b", map[string]any{"role": "member"}})
	}
	begin := func(b *bench) {
		b.now = b.now.Add(6 * time.Hour)
		_, err := b.ScanPage(b.t.Context(), PageInput{b.connection.ID, b.scan.ID, liveUsers})
		check(b.t, err)
	}
	for _, tc := range []struct {
		name string
		run  func(*bench)
		also string // of these users the finding closes
	}{
		{"a page that fails", func(b *bench) {
			b.app.onRead = func(_ string, after connectors.Slice) error {
				if after.After != "" {
					return &connectors.Error{Kind: connectors.KindTransient, Status: 500}
				}
				return nil
			}
			b.now = b.now.Add(6 * time.Hour)
			if err := b.read(liveUsers); err == nil {
				b.t.Error("the page was read")
			}
		}, ""},
		{"a run that is cut after its first page", begin, ""},
		{"a run that is cut and begins again a day later, cut again", func(b *bench) {
			begin(b)
			b.now = b.now.Add(snapshotStale)
			begin(b)
		}, ""},
		{"a scope that is not given", func(b *bench) {
			b.app.missing = map[int][]string{3: {"org"}}
			b.snapshot()
		}, "d"},
		{"a row that is left out", func(b *bench) {
			b.users(user("b", "member"), user("c", "member"))
			b.snapshot()
		}, ""},
		{"a stream that is not available", func(b *bench) {
			check(b.t, b.DB.Write(b.t.Context(), func(tx *store.Tx) error {
				return (&page{Activities: b.Activities, connection: b.connection, ref: liveUsers}).snapshotUnavailable(b.t.Context(), tx)
			}))
		}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.posture()
			owners(b)
			tc.run(b)
			for _, id := range []string{"a", "d"} {
				want := []string{opened}
				if strings.Contains(tc.also, id) {
					want = append(want, closed)
				}
				b.equal("the finding about "+id, want, b.log(isOwner, id))
			}
		})
	}
}

func TestARunThatIsCutGoesOnAndCloses(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "owner"), user("b", "member"), user("c", "member"), user("d", "member"))
	b.snapshot()
	b.users(user("a", "member"), user("b", "member"), user("c", "member"), user("d", "member"))
	b.now = b.now.Add(6 * time.Hour)
	_, err := b.ScanPage(t.Context(), PageInput{b.connection.ID, b.scan.ID, liveUsers})
	check(t, err)
	b.equal("after the first page", []string{opened}, b.log(isOwner, "a"))
	b.now = b.now.Add(time.Hour)
	check(t, b.read(liveUsers))
	b.equal("after the last", []string{opened, closed}, b.log(isOwner, "a"))
}

func TestARecordThatTwoSnapshotsDoNotHoldEnds(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "owner"), user("b", "owner"))
	b.snapshot()
	b.users(user("b", "owner"))
	b.snapshot()
	b.equal("one without it", []string{opened}, b.log(isOwner, "a"))
	b.snapshot()
	b.equal("two without it", []string{opened, "closed: no longer listed"}, b.log(isOwner, "a"))
	b.equal("the other", []string{opened}, b.log(isOwner, "b"))
	b.users(user("a", "owner"), user("b", "owner"))
	b.snapshot()
	b.equal("it is back", []string{opened, "closed: no longer listed", reopened}, b.log(isOwner, "a"))
}

func TestPoliciesThatCountRecordsAreAskedAtTheEnd(t *testing.T) {
	b := newBench(t)
	b.posture()
	// The second owner stands on the second page.
	b.users(user("a", "owner"), user("b", "member"), user("c", "member"), user("d", "owner"))
	b.snapshot()
	b.equal("two owners", []string(nil), b.log(lonelyOwner, "a"))
	b.users(user("a", "owner"), user("b", "member"), user("c", "member"), user("d", "member"))
	b.snapshot()
	b.equal("one owner", []string{opened}, b.log(lonelyOwner, "a"))
	b.users(user("a", "owner"), user("b", "member"), user("c", "member"), user("d", "owner"))
	b.snapshot()
	b.equal("two again", []string{opened, closed}, b.log(lonelyOwner, "a"))
	b.equal("counted", int64(2), func() int64 {
		var n int64
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) (err error) {
			n, err = (&page{Activities: b.Activities, connection: b.connection}).standing(t.Context(), tx, "user", "role", "owner")
			return err
		}))
		return n
	}())
}

func TestPostureFollowsTheTimeAndTheVersionBefore(t *testing.T) {
	b := newBench(t)
	b.posture()
	since := map[string]any{"role": "member", "since": testDay.Format(time.RFC3339)}
	b.users([]any{"a", "org", since}, user("b", "member"))
	b.snapshot()
	b.equal("young", []string(nil), b.log(oldMember, "a"))
	for range 4 {
		b.snapshot()
	}
	b.equal("old, and nothing else has changed", []string{opened}, b.log(oldMember, "a"))

	b.users([]any{"a", "org", since}, user("b", "admin"))
	b.snapshot()
	b.snapshot()
	b.equal("what changed stays so until it changes again", []string{opened}, b.log(wasMember, "b"))
	if n := b.count(`SELECT COUNT(*) FROM instances WHERE path = 'role' AND masked = 'member -> admin' AND part = 'record' AND resource_kind = 'user' AND resource_id = 'b'`); n != 1 {
		t.Errorf("%d instances show before and after", n)
	}
	b.users([]any{"a", "org", since}, user("b", "owner"))
	b.snapshot()
	b.equal("changed again", []string{opened, closed}, b.log(wasMember, "b"))
}

func TestRecordsAreStoredMaskedAndJudgedAsTheyAre(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users([]any{"a", "org", map[string]any{"note": card, "deep": []any{map[string]any{card: "x " + card}}, "n": 7, "on": true}})
	b.snapshot()
	b.equal("judged", []string{opened}, b.log(cardInNote, "a"))
	for _, table := range []string{"records", "record_values", "findings", "finding_log", "instances", "snapshots"} {
		rows, err := b.DB.Read().QueryContext(t.Context(), `SELECT * FROM `+table)
		check(t, err)
		columns, err := rows.Columns()
		check(t, err)
		check(t, findings.Each(rows, func() error {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new(any)
			}
			err := rows.Scan(values...)
			for i, v := range values {
				if text := fmt.Sprint(*v.(*any)); strings.Contains(text, card) || strings.Contains(text, "fake.example") && columns[i] != "resource_url" && columns[i] != "about" && columns[i] != "snapshot" {
					t.Errorf("%s.%s holds %q", table, columns[i], text)
				}
			}
			return err
		}))
	}
	stored, err := store.RecordsByID(t.Context(), b.DB.Read(), b.connection.ID, "user", []string{"a"})
	check(t, err)
	if got := stored["a"].Fields; !strings.Contains(got, `"n":7,"note":"*`) || !strings.Contains(got, `"on":true`) || !strings.Contains(got, `"deep":[{"`) {
		t.Errorf("stored as %s", got)
	}
	// Another text under the same mask is another version.
	b.users([]any{"a", "org", map[string]any{"note": strings.Replace(card, " 1111 1111 ", " 1111-1111-", 1), "deep": []any{map[string]any{card: "x " + card}}, "n": 7, "on": true}})
	b.snapshot()
	if n := b.count(`SELECT COUNT(*) FROM records`); n != 2 {
		t.Errorf("%d versions", n)
	}
}

func TestRecordsThatCannotBeStoredAreCounted(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "owner"), user("b\x00", "owner"), user(strings.Repeat("x", 600), "owner"), []any{"c", "org", map[string]any{"long": strings.Repeat("x", maxRecordBytes)}}, user("a", "member"))
	b.snapshot()
	b.equal("counted", map[string]int64{"users scanned": 2, "users skipped malformed": 2, "users skipped too_big": 1}, b.counts())
	b.users(user("a", "owner"), user("a", "member"))
	b.snapshot()
	b.equal("the one listed last stands", 1, b.count(`SELECT COUNT(*) FROM records WHERE valid_to = 0 AND fields = '{"role":"member"}'`))
}

func TestANewPolicyJudgesWhatStandsAtOnce(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "owner"), user("b", "guest"), user("c", "member"), user("d", "guest"))
	b.snapshot()
	reads := b.app.reads["users"]
	const isGuest, fewGuests = "custom.guest", "custom.few_guests"
	more := []string{posturePolicy(isGuest, `text("role") == "guest"`, ""), posturePolicy(fewGuests, `text("role") == "guest" && standing("user", "role", "guest") == 2`, "")}
	judge := func() {
		t.Helper()
		check(t, b.JudgePosture(t.Context()))
	}
	b.posture(more...)
	judge()
	b.equal("a new policy", []string{opened}, b.log(isGuest, "b"))
	b.equal("one that counts", []string{opened}, b.log(fewGuests, "d"))
	b.equal("one that judged before", []string{opened}, b.log(isOwner, "a"))
	if b.app.reads["users"] != reads {
		t.Error("the app was called")
	}
	// Severity, off and on.
	override := func(severity, mode string) {
		t.Helper()
		check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
			return store.PutOverride(t.Context(), tx, store.Override{Kind: "policy", ID: isGuest, Severity: severity, Mode: mode}, "usr_1")
		}))
		judge()
	}
	override(policy.SeverityLow, "")
	b.equal("another severity", []string{opened, "updated"}, b.log(isGuest, "b"))
	override(policy.SeverityLow, policy.ModeOff)
	b.users(user("a", "owner"), user("b", "member"), user("c", "guest"), user("d", "guest"))
	b.snapshot()
	b.equal("off: it stays as it is", []string{opened, "updated"}, b.log(isGuest, "b"))
	b.equal("off: nothing new", []string(nil), b.log(isGuest, "c"))
	override(policy.SeverityLow, "")
	b.equal("on again", []string{opened}, b.log(isGuest, "c"))
	b.equal("what stands closes nothing", []string{opened, "updated"}, b.log(isGuest, "b"))
	b.snapshot()
	b.equal("a snapshot does", []string{opened, "updated", closed}, b.log(isGuest, "b"))
	log := b.count(`SELECT COUNT(*) FROM finding_log`)
	judge()
	b.equal("nothing is left to judge", log, b.count(`SELECT COUNT(*) FROM finding_log`))
}

// TestPostureIsTheSameWhereverItIsCut cuts two snapshots at each of their transactions, goes on, and compares with what was never cut.
func TestPostureIsTheSameWhereverItIsCut(t *testing.T) {
	var rules *policy.Set // Compiled once: it is most of the time that a run takes.
	run := func(cut int) (state string, steps int) {
		b := newBench(t)
		if rules == nil {
			b.posture()
			rules = b.Rules.Current()
		}
		b.Rules.current.Store(rules)
		first := [][]any{user("a", "owner"), user("b", "member"), user("c", "guest"), user("d", "owner"), user("e", "owner")}
		then := [][]any{user("a", "member"), user("b", "admin"), user("c", "guest"), user("e", "owner")}
		for _, rows := range [][][]any{first, then, then} {
			b.users(rows...)
			b.now = b.now.Add(6 * time.Hour)
			now := b.now
			ctx, cancel := context.WithCancel(t.Context())
			b.DB.SetClock(func() time.Time {
				if steps++; steps == cut {
					cancel()
				}
				return now
			})
			for done := false; !done; {
				r, err := b.ScanPage(ctx, PageInput{b.connection.ID, b.scan.ID, liveUsers})
				if err != nil && ctx.Err() == nil {
					t.Fatalf("cut %d: %v", cut, err)
				}
				if err != nil {
					ctx = t.Context() // The process begins again; the lease of the one that was killed is gone.
					check(t, b.DB.Write(ctx, func(tx *store.Tx) error { return store.DropLeases(ctx, tx, connectionPrefix) }))
				}
				done = r.Done
			}
			cancel()
		}
		var lines []string
		for _, q := range []string{
			`SELECT kind || id || fields || (valid_to > 0) || missed FROM records ORDER BY kind, id, valid_from`,
			`SELECT f.policy_id || f.resource_id || l.finding_seq || l.type || l.reason FROM finding_log l JOIN findings f ON f.id = l.finding_id ORDER BY 1`,
			`SELECT policy_id || kind || id || gone FROM posture_causes ORDER BY 1`,
			`SELECT field || value || id FROM record_values ORDER BY field, value, id`,
			`SELECT stream || unit || outcome || n FROM coverage_units ORDER BY unit, outcome`,
			`SELECT resource_id || path || masked || count FROM instances ORDER BY 1`,
			`SELECT policy_id || version FROM posture_runs ORDER BY policy_id`,
			`SELECT state || records FROM snapshots`,
		} {
			rows, err := b.DB.Read().QueryContext(t.Context(), q)
			check(t, err)
			check(t, findings.Each(rows, func() error {
				var line string
				err := rows.Scan(&line)
				lines = append(lines, line)
				return err
			}))
		}
		return strings.Join(lines, "\n"), steps
	}
	want, steps := run(-1)
	if strings.Count(want, "no longer") != 2 || steps < 40 {
		t.Fatalf("%d steps:\n%s", steps, want)
	}
	every := 3
	if testing.Short() {
		every = 7
	}
	for cut := 1; cut < steps; cut += every {
		got, _ := run(cut)
		if diff := cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")); diff != "" {
			t.Fatalf("cut at step %d of %d (-want +got):\n%s", cut, steps, diff)
		}
	}
}

func TestJudgeIsAWorkflow(t *testing.T) {
	b := newBench(t)
	b.posture()
	b.users(user("a", "guest"))
	b.snapshot()
	b.posture(posturePolicy("custom.guest", `text("role") == "guest"`, ""))
	e := newEnvironment()
	e.RegisterActivity(b.Activities)
	e.SetTestTimeout(time.Minute)
	e.ExecuteWorkflow(Judge, JudgeInput{})
	if err := e.GetWorkflowError(); err != nil {
		t.Fatal(err)
	}
	b.equal("judged", []string{opened}, b.log("custom.guest", "a"))
}

func TestTheEvidenceOfPostureIsOneField(t *testing.T) {
	long := strings.Repeat("é", 300)
	for _, tc := range []struct {
		name        string
		named       []string
		before, now string
		path, shown string
	}{
		{"what the policy names", []string{"role"}, "", `{"a":1,"role":"owner"}`, "role", "owner"},
		{"the first that is there", []string{"gone", "on"}, "", `{"on":true}`, "on", "true"},
		{"a field of a mapping", []string{"by.id"}, "", `{"by":{"id":"x"}}`, "by.id", "x"},
		{"what changed, of what the policy names", []string{"b"}, `{"a":1,"b":["x"]}`, `{"a":2,"b":[]}`, "b", `["x"] -> []`},
		{"what changed, if the policy names none of it", []string{"role"}, `{"role":"owner","a":null,"z":1}`, `{"role":"owner","a":false,"z":2}`, "a", "– -> false"},
		{"what is no longer there", []string{"role"}, `{"role":"owner"}`, `{}`, "role", "owner -> –"},
		{"nothing", nil, "", `{"a":1}`, "", ""},
		{"a long one", []string{"a"}, `{"a":"` + long + `"}`, `{"a":"x` + long + `"}`, "a", findings.Shorten(long, 98) + " -> " + findings.Shorten("x"+long, 98)},
	} {
		path, shown, err := evidence(tc.named, store.Record{Before: tc.before, Fields: tc.now})
		if err != nil || path != tc.path || shown != tc.shown || len(shown) > maxShown {
			t.Errorf("%s: %q shows %q, %v; want %q, %q", tc.name, path, shown, err, tc.path, tc.shown)
		}
	}
}
