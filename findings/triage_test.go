package findings

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/store"
)

func trySet(t fataler, db *store.DB, c Change) (changed bool, err error) {
	t.Helper()
	werr := db.Write(context.Background(), func(tx *store.Tx) error {
		changed, err = SetStatus(context.Background(), tx, c)
		return err
	})
	if werr != err {
		t.Fatal(werr)
	}
	return changed, err
}

func set(t fataler, db *store.DB, c Change) {
	t.Helper()
	if changed, err := trySet(t, db, c); err != nil || !changed {
		t.Fatal("set", c.Status, changed, err)
	}
}

// TestTransitionTable tries every pair of statuses as a person would.
func TestTransitionTable(t *testing.T) {
	db := open(t)
	id := chatID("c1")
	commit(t, db, one(detection("c1", inMessage("m1", value(1, 10))...)))
	for _, from := range Statuses() {
		for _, to := range Statuses() {
			if err := db.Write(context.Background(), func(tx *store.Tx) error {
				_, err := tx.Exec(`UPDATE findings SET status = $1 WHERE id = $2`, from, id)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			decided := func(s string) bool { return s == StatusResolved || s == StatusAcceptedRisk || s == StatusFalsePositive }
			legal := from != StatusClosed && to != StatusClosed && !(decided(from) && to == StatusAcknowledged)
			typ := TypeTriaged
			switch {
			case decided(to):
				typ = TypeClosed
			case decided(from):
				typ = TypeReopened
			}
			changed, err := trySet(t, db, Change{FindingID: id, Status: to, Reason: "looked at it", Actor: "usr_1"})
			switch {
			case from == to:
				if changed || err != nil {
					t.Errorf("%s again: %v, %v", to, changed, err)
				}
			case legal:
				if err != nil || !changed || get(t, db, id).Status != to || lastType(t, db, id) != typ {
					t.Errorf("%s to %s: %v, %s", from, to, err, lastType(t, db, id))
				}
			default:
				var te *TransitionError
				if !errors.Is(err, ErrTransition) || !errors.As(err, &te) || te.From != from || te.To != to {
					t.Errorf("%s to %s: %v", from, to, err)
				}
			}
		}
	}
	for status, row := range transitions {
		for event, to := range row {
			if transitions[to] == nil || event == eventRecheck && done(status) || event == eventRecur && !done(status) {
				t.Errorf("%s: %s leads to %s", status, event, to)
			}
		}
	}
}

func TestReopening(t *testing.T) {
	for _, tc := range []struct {
		name   string
		decide string
		then   []NewInstance
		status string
		typ    string
	}{
		{"an old item read again", StatusResolved, inMessage("m1", value(1, 10)), StatusResolved, TypeClosed},
		{"a covered value in a new place", StatusAcceptedRisk, inMessage("m2", value(1, 10)), StatusAcceptedRisk, TypeUpdated},
		{"a new value", StatusResolved, inMessage("m2", value(2, 10)), StatusOpen, TypeReopened},
		{"a new value in an old place", StatusFalsePositive, inMessage("m1", value(1, 10), value(2, 30)), StatusOpen, TypeReopened},
		{"a new value while somebody works on it", StatusInProgress, inMessage("m2", value(2, 10)), StatusInProgress, TypeUpdated},
		{"a new value after it was seen", StatusAcknowledged, inMessage("m2", value(2, 10)), StatusAcknowledged, TypeUpdated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			db := open(t)
			commit(t, db, one(detection("c1", inMessage("m1", value(1, 10))...)))
			set(t, db, Change{FindingID: chatID("c1"), Status: tc.decide, Reason: "known test number", Actor: "usr_1"})
			commit(t, db, one(detection("c1", tc.then...)))
			if s := get(t, db, chatID("c1")); s.Status != tc.status || lastType(t, db, s.ID) != tc.typ {
				t.Errorf("%s, %s; want %s, %s", s.Status, lastType(t, db, s.ID), tc.status, tc.typ)
			}
			commit(t, db, one(detection("c1", tc.then...)))
			if s := get(t, db, chatID("c1")); s.Status != tc.status {
				t.Errorf("read again: %s", s.Status)
			}
		})
	}
}

func TestSetStatusRefuses(t *testing.T) {
	db := open(t)
	commit(t, db, one(detection("c1", inMessage("m1", value(1, 10))...)))
	for name, tc := range map[string]struct {
		c    Change
		want error
	}{
		"an unknown finding":        {Change{FindingID: "fnd_x", Status: StatusResolved}, ErrNotFound},
		"an unknown status":         {Change{FindingID: chatID("c1"), Status: "new"}, ErrStatus},
		"accepting without reason":  {Change{FindingID: chatID("c1"), Status: StatusAcceptedRisk}, ErrReason},
		"dismissing without reason": {Change{FindingID: chatID("c1"), Status: StatusFalsePositive}, ErrReason},
		"a reason without end":      {Change{FindingID: chatID("c1"), Status: StatusResolved, Reason: strings.Repeat("x", 1001)}, ErrReason},
		"closing by hand":           {Change{FindingID: chatID("c1"), Status: StatusClosed}, ErrTransition},
	} {
		if _, err := trySet(t, db, tc.c); !errors.Is(err, tc.want) || !Refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !errors.Is(ErrNotFound, store.ErrNotFound) {
		t.Error("ErrNotFound is not the store's")
	}
}

func TestFindingsOfALockedPolicyCannotBeDismissed(t *testing.T) {
	db := open(t)
	commit(t, db, one(detection("c1", inMessage("m1", value(1, 10))...)))
	locked := func(id string) bool { return id == "numbers" }
	for status, want := range map[string]error{StatusAcceptedRisk: ErrLocked, StatusFalsePositive: ErrLocked} {
		if _, err := trySet(t, db, Change{FindingID: chatID("c1"), Status: status, Reason: "it is fine", Locked: locked}); !errors.Is(err, want) || !Refused(err) {
			t.Errorf("%s: %v, want %v", status, err, want)
		}
	}
	if _, err := trySet(t, db, Change{FindingID: chatID("c1"), Status: StatusResolved, Locked: locked}); !errors.Is(err, ErrReason) {
		t.Errorf("resolving without a reason: %v", err)
	}
	set(t, db, Change{FindingID: chatID("c1"), Status: StatusAcknowledged, Locked: locked})
	set(t, db, Change{FindingID: chatID("c1"), Status: StatusResolved, Reason: "it was planned", Locked: locked})
	set(t, db, Change{FindingID: chatID("c1"), Status: StatusAcceptedRisk, Reason: "known", Locked: func(id string) bool { return id != "numbers" }})
}

func TestSetStatuses(t *testing.T) {
	db := open(t)
	commit(t, db, one(detection("c1", inMessage("m1", value(1, 10))...)))
	var got []Outcome
	err := db.Write(context.Background(), func(tx *store.Tx) (err error) {
		got, err = SetStatuses(context.Background(), tx, []Change{{FindingID: "fnd_x", Status: StatusResolved}, {FindingID: chatID("c1"), Status: StatusResolved}, {FindingID: chatID("c1"), Status: StatusResolved}})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !errors.Is(got[0].Err, ErrNotFound) || !got[1].Changed || got[2].Changed || got[2].Err != nil {
		t.Errorf("got %+v", got)
	}
	if err := db.Write(context.Background(), func(tx *store.Tx) error {
		_, err := SetStatuses(context.Background(), tx, make([]Change, MaxBulk+1))
		return err
	}); !errors.Is(err, ErrTooMany) {
		t.Error(err)
	}
}

func TestSource(t *testing.T) {
	db := open(t)
	ctx := context.Background()
	c := one(detection("c1", inMessage("m1", value(1, 10))...))
	commit(t, db, c)
	commit(t, db, one(detection("c2", inMessage("m2", value(1, 10))...)))
	set(t, db, Change{FindingID: chatID("c1"), Status: StatusAcknowledged})
	mark := func(source string) (n int) {
		t.Helper()
		if err := db.Write(ctx, func(tx *store.Tx) (err error) {
			n, err = MarkSource(ctx, tx, "con_a", Ref{"chat", "c1"}, source)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := mark(SourceDeleted); n != 1 || lastType(t, db, chatID("c1")) != TypeSourceDeleted {
		t.Errorf("marked %d", n)
	}
	if n := mark(SourceDeleted); n != 0 {
		t.Errorf("marked again %d", n)
	}
	commit(t, db, c)
	if s := get(t, db, chatID("c1")); s.Source != SourceDeleted || s.Status != StatusAcknowledged {
		t.Errorf("after a page from before the deletion: %s, %s", s.Source, s.Status)
	}
	if n := mark(SourcePresent); n != 1 || lastType(t, db, chatID("c1")) != TypeUpdated {
		t.Errorf("marked %d", n)
	}
	before := count(t, db, `SELECT COUNT(*) FROM finding_log`)
	n, err := MarkSourceUnknown(ctx, db, "con_a")
	if err != nil || n != 2 || count(t, db, `SELECT COUNT(*) FROM finding_log`) != before+2 {
		t.Errorf("unknown: %d, %v", n, err)
	}
	if n, err := MarkSourceUnknown(ctx, db, "con_a"); err != nil || n != 0 {
		t.Errorf("unknown again: %d, %v", n, err)
	}
	if res := commit(t, db, c); res.LogRows != 1 || get(t, db, chatID("c1")).Source != SourcePresent {
		t.Errorf("connected again: %+v", res)
	}
}

func TestLogIsDense(t *testing.T) {
	db := open(t)
	for _, chat := range []string{"c1", "c2"} {
		commit(t, db, one(detection(chat, inMessage("m1", value(1, 10))...)))
		set(t, db, Change{FindingID: chatID(chat), Status: StatusResolved, Actor: "usr_1", Reason: "rotated"})
	}
	rows, err := db.Read().QueryContext(context.Background(), `SELECT l.seq, l.finding_seq, l.epoch, l.actor, l.reason, l.snapshot FROM finding_log l ORDER BY l.seq`)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		Seq, FindingSeq, Epoch int64
		Actor, Reason, Status  string
	}
	var got []row
	if err := Each(rows, func() error {
		var r row
		var text string
		if err := rows.Scan(&r.Seq, &r.FindingSeq, &r.Epoch, &r.Actor, &r.Reason, &text); err != nil {
			return err
		}
		s, err := DecodeSnapshot(text)
		r.Status = s.Status
		got = append(got, r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	want := []row{{1, 1, 1, "", "", "open"}, {2, 2, 1, "usr_1", "rotated", "resolved"}, {3, 1, 1, "", "", "open"}, {4, 2, 1, "usr_1", "rotated", "resolved"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := count(t, db, `SELECT COUNT(*) FROM findings f JOIN finding_log l ON l.seq = f.last_seq AND l.finding_id = f.id AND l.finding_seq = f.finding_seq`); n != 2 {
		t.Error("a finding does not know its last row")
	}
}
