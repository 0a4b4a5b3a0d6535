package findings

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/internal/store"
)

func TestTotalLeavesOutTheUnitThatIsJudged(t *testing.T) {
	db := open(t)
	commit(t, db, one(detection("c1", append(inMessage("m1", value(1, 0), value(2, 20)), inMessage("m2", value(3, 0))...)...)))
	detector := value(1, 0).Detector
	for _, tc := range []struct {
		glob    string
		without string
		want    int64
	}{{"*", "", 3}, {"*", "m1", 1}, {detector, "m2", 2}, {"nothing.*", "", 0}} {
		got, err := Total(t.Context(), db.Read(), chatID("c1"), tc.glob, Ref{"message", tc.without})
		if err != nil || got != tc.want {
			t.Errorf("total(%q) without %q: %d, %v, want %d", tc.glob, tc.without, got, err, tc.want)
		}
	}
}

func TestGetActor(t *testing.T) {
	db := open(t)
	want := Actor{ID: "user_1", Email: "dana@acme.example", Name: "Dana", Type: "user", Role: "owner"}
	var key string
	err := db.Write(t.Context(), func(tx *store.Tx) (err error) {
		key, err = UpsertActor(t.Context(), tx, testKeys, "con_a", want)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := GetActor(t.Context(), db.Read(), key); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := GetActor(t.Context(), db.Read(), ""); err != nil || got != (Actor{}) {
		t.Errorf("nobody: %+v, %v", got, err)
	}
	if got, err := GetActor(t.Context(), db.Read(), "act_erased"); err != nil || got != (Actor{}) {
		t.Errorf("someone who was erased: %+v, %v", got, err)
	}
}

func TestCount(t *testing.T) {
	db := open(t)
	commit(t, db, one(detection("c1", inMessage("m1", value(1, 0))...)))
	commit(t, db, one(detection("c2", inMessage("m2", value(1, 0))...)))
	low := detection("c3", inMessage("m3", value(1, 0))...)
	high := low.Severity
	low.Severity = "low"
	commit(t, db, one(low))
	got, err := Count(t.Context(), db.Read())
	if diff := cmp.Diff([]Tally{{high, "open", 2}, {"low", "open", 1}}, got); err != nil || diff != "" {
		t.Errorf("Count: %v (-want +got):\n%s", err, diff)
	}
}
