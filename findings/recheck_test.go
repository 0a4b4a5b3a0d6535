package findings

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
)

// sharing is a posture finding about a project that is shared with somebody.
func sharing(project, person, shown string) Commit {
	return one(Detection{
		PolicyID: "shared", PolicyVersion: 1, Kind: "posture", Severity: "high", Title: "Shared with outsiders", Resource: Resource{Kind: "project", ID: project}, Stream: "sharing", Scope: project,
		Instances: []NewInstance{{Resource: Ref{"project_collaborator", person}, Part: "record", Path: "role", Match: dlp.Match{Masked: shown}}},
	})
}

func sharedID(project string) string {
	return testKeys.FindingID("con_a", Ref{"project", project}, "shared")
}

// posture is what re-checks are tried on: a run is a snapshot in which some records were found fine and others are no longer listed.
type posture struct {
	*testing.T
	db  *store.DB
	day int
}

func (p *posture) run(missing []string, fine, gone []string) (dropped, closed int) {
	p.Helper()
	ctx := context.Background()
	p.day++
	began := time.Date(2026, 11, p.day, 0, 0, 0, 0, time.UTC)
	r := Recheck{ConnectionID: "con_a", Stream: "sharing", BeganAt: began, Missing: missing}
	p.write(func(tx *store.Tx) error {
		causes, err := Causes(ctx, tx, "con_a", "project_collaborator", append([]string{"nobody"}, fine...))
		if err != nil {
			return err
		}
		for _, id := range fine {
			for _, c := range causes[id] {
				if err := MarkFine(ctx, tx, c, began); err != nil {
					return err
				}
			}
		}
		return MarkGone(ctx, tx, "con_a", "project_collaborator", gone)
	})
	for {
		var d, c int
		p.write(func(tx *store.Tx) (err error) { d, c, err = r.Close(ctx, tx); return err })
		dropped, closed = dropped+d, closed+c
		if d == 0 {
			return dropped, closed
		}
	}
}

func (p *posture) write(f func(*store.Tx) error) {
	p.Helper()
	if err := p.db.Write(context.Background(), f); err != nil {
		p.Fatal(err)
	}
}

// log is the types and reasons of a finding's log rows.
func (p *posture) log(id string) (out []string) {
	p.Helper()
	rows, err := p.db.Read().QueryContext(context.Background(), `SELECT type, reason, actor FROM finding_log WHERE finding_id = $1 ORDER BY seq`, id)
	if err != nil {
		p.Fatal(err)
	}
	if err := Each(rows, func() error {
		var typ, reason, actor string
		err := rows.Scan(&typ, &reason, &actor)
		if reason != "" {
			typ += ": " + reason
		}
		if actor != "" {
			typ += " by " + actor
		}
		out = append(out, typ)
		return err
	}); err != nil {
		p.Fatal(err)
	}
	return out
}

func (p *posture) equal(what string, want, got any) {
	p.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		p.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestAPostureFindingIsClosedByARecheckAndOpenedAgain(t *testing.T) {
	databases(t, func(t *testing.T, db *store.DB) {
		p := &posture{T: t, db: db}
		id := sharedID("p1")
		p.equal("new", Result{FindingsNew: 1, InstancesNew: 1, LogRows: 1}, commit(t, db, sharing("p1", "a", "editor")))
		p.equal("again", Result{}, commit(t, db, sharing("p1", "a", "editor")))
		p.equal("another record", Result{InstancesNew: 1, LogRows: 1}, commit(t, db, sharing("p1", "b", "editor")))
		p.run(nil, []string{"a"}, nil)
		p.equal("with one cause left", StatusOpen, get(t, db, id).Status)
		p.run(nil, []string{"a", "b"}, nil)
		p.equal("with none left", StatusClosed, get(t, db, id).Status)
		p.equal("true again", Result{LogRows: 1}, commit(t, db, sharing("p1", "a", "editor")))
		p.equal("then", StatusOpen, get(t, db, id).Status)
		p.equal("and again", Result{}, commit(t, db, sharing("p1", "a", "editor")))
		p.run(nil, nil, []string{"a"})
		p.equal("the log", []string{TypeCreated, TypeUpdated, TypeClosed + ": " + ReasonNoLongerSo, TypeReopened, TypeClosed + ": " + ReasonNoLongerListed}, p.log(id))
		dropped, closed := p.run(nil, []string{"a", "b"}, []string{"a", "b"})
		p.equal("once more", []int{0, 0}, []int{dropped, closed})
	})
}

func TestWhatClosesNothing(t *testing.T) {
	db := open(t)
	p := &posture{T: t, db: db}
	id := sharedID("p1")
	commit(t, db, sharing("p1", "a", "editor"))
	p.run([]string{"p1"}, []string{"a"}, nil)
	p.equal("its scope is missing", StatusOpen, get(t, db, id).Status)
	p.run(nil, nil, nil)
	p.equal("found fine in a snapshot before, which never ended whole", StatusOpen, get(t, db, id).Status)
	p.run([]string{"p2"}, []string{"a"}, nil)
	p.equal("another scope is missing", StatusClosed, get(t, db, id).Status)

	// Found fine on one page and at fault on a later one of the same snapshot.
	commit(t, db, sharing("p2", "a2", "editor"))
	ctx, began := context.Background(), time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	p.write(func(tx *store.Tx) error {
		causes, err := Causes(ctx, tx, "con_a", "project_collaborator", []string{"a2"})
		if err != nil {
			return err
		}
		return MarkFine(ctx, tx, causes["a2"][0], began)
	})
	commit(t, db, sharing("p2", "a2", "editor"))
	p.write(func(tx *store.Tx) error {
		_, closed, err := Recheck{ConnectionID: "con_a", Stream: "sharing", BeganAt: began}.Close(ctx, tx)
		p.equal("closed", 0, closed)
		return err
	})
}

func TestAPersonsDecisionOutlivesARecheck(t *testing.T) {
	for _, tc := range []struct {
		decided string
		still   string // after it was true again without ever having been otherwise
		back    string // after it was not so, and is true again
	}{
		{StatusAcknowledged, StatusAcknowledged, StatusOpen}, // closed in between
		{StatusResolved, StatusResolved, StatusOpen},
		{StatusAcceptedRisk, StatusAcceptedRisk, StatusAcceptedRisk},
		{StatusFalsePositive, StatusFalsePositive, StatusFalsePositive},
	} {
		t.Run(tc.decided, func(t *testing.T) {
			db := open(t)
			p := &posture{T: t, db: db}
			id := sharedID("p1")
			commit(t, db, sharing("p1", "a", "editor"))
			set(t, db, Change{FindingID: id, Status: tc.decided, Reason: "known", Actor: "usr_1"})
			p.equal("still true", Result{}, commit(t, db, sharing("p1", "a", "editor")))
			p.equal("still true", tc.still, get(t, db, id).Status)
			p.run(nil, []string{"a"}, nil)
			if got := get(t, db, id).Status; got != tc.decided && got != StatusClosed || got == StatusClosed && done(tc.decided) {
				t.Errorf("re-checked: %s", got)
			}
			commit(t, db, sharing("p1", "a", "editor"))
			p.equal("true again", tc.back, get(t, db, id).Status)
			commit(t, db, sharing("p1", "b", "editor"))
			p.equal("another record", StatusOpen, get(t, db, id).Status)
		})
	}
}

func TestTheInstanceOfARecordShowsWhatItIsNow(t *testing.T) {
	db := open(t)
	commit(t, db, sharing("p1", "a", "editor"))
	if diff := cmp.Diff(Result{LogRows: 1}, commit(t, db, sharing("p1", "a", "editor -> owner"))); diff != "" {
		t.Errorf("shown otherwise (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(Result{}, commit(t, db, sharing("p1", "a", "editor -> owner"))); diff != "" {
		t.Errorf("shown alike (-want +got):\n%s", diff)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM instances WHERE masked = 'editor -> owner' AND part = 'record' AND path = 'role'`); n != 1 {
		t.Errorf("%d instances show it", n)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM instances`); n != 1 {
		t.Errorf("%d instances", n)
	}
}

// TestManyCausesCloseInBatches has a finding whose causes stand on both sides of a batch's end.
func TestManyCausesCloseInBatches(t *testing.T) {
	db := open(t)
	p := &posture{T: t, db: db}
	var ids []string
	for i := range recheckBatch + 50 {
		ids = append(ids, fmt.Sprintf("person_%d", i))
		commit(t, db, sharing(fmt.Sprintf("p%d", i/25), ids[i], "editor"))
	}
	dropped, closed := p.run(nil, ids, nil)
	p.equal("closed", []int{len(ids), len(ids) / 25}, []int{dropped, closed})
}

func TestCloseReverted(t *testing.T) {
	shared := func(day int) Commit {
		return one(Detection{
			PolicyID: "share", PolicyVersion: 1, Kind: "activity", Severity: "high", Title: "Shared", Resource: Resource{Kind: "project", ID: "p1"},
			Instances: []NewInstance{{Resource: Ref{"activity", fmt.Sprint("act_", day)}, At: time.Date(2026, 11, day, 0, 0, 0, 0, time.UTC)}},
		})
	}
	id := testKeys.FindingID("con_a", Ref{"project", "p1"}, "share")
	for _, tc := range []struct {
		name   string
		status string // that a person sets first
		day    int    // on which it is taken back; it was shared on the 3rd and the 5th
		closed bool
		want   string
	}{
		{"later", "", 6, true, StatusClosed},
		{"at the same time", "", 5, true, StatusClosed},
		{"before the last share", "", 4, false, StatusOpen},
		{"somebody works on it", StatusInProgress, 6, true, StatusClosed},
		{"somebody accepted it", StatusAcceptedRisk, 6, false, StatusAcceptedRisk},
		{"somebody resolved it", StatusResolved, 6, false, StatusResolved},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := open(t)
			commit(t, db, shared(3))
			commit(t, db, shared(5))
			if tc.status != "" {
				set(t, db, Change{FindingID: id, Status: tc.status, Reason: "known", Actor: "usr_1"})
			}
			revert := func(id string) (closed bool) {
				t.Helper()
				err := db.Write(context.Background(), func(tx *store.Tx) (err error) {
					closed, err = CloseReverted(context.Background(), tx, id, time.Date(2026, 11, tc.day, 0, 0, 0, 0, time.UTC))
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				return closed
			}
			if revert("fnd_none") {
				t.Error("a finding that is not there was closed")
			}
			if closed := revert(id); closed != tc.closed || get(t, db, id).Status != tc.want || revert(id) {
				t.Errorf("closed %v and %s, want %v and %s, once", closed, get(t, db, id).Status, tc.closed, tc.want)
			}
			commit(t, db, shared(9))
			if got := get(t, db, id).Status; tc.want == StatusClosed && got != StatusOpen {
				t.Errorf("shared again: %s", got)
			}
		})
	}
}
