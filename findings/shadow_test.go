package findings

import (
	"fmt"
	"testing"
	"time"

	"github.com/outband/outband/internal/store"
)

func TestAShadowFindingIsNoFinding(t *testing.T) {
	db := open(t)
	shadow := func(chat, severity string, version int) Result {
		d := detection(chat, inMessage("a", value(1, 0))...)
		d.Shadow, d.Severity, d.PolicyVersion = true, severity, version
		return commit(t, db, one(d))
	}
	list := func() (out []string) {
		t.Helper()
		var at time.Time
		for id := ""; ; {
			page, err := ListShadow(t.Context(), db.Read(), "numbers", at, id, 1)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				return out
			}
			f := page[0]
			at, id = f.FirstSeenAt, f.ID
			out = append(out, fmt.Sprintf("%s %s %d", f.Resource.ID, f.Severity, f.PolicyVersion))
			if f.ID != chatID(f.Resource.ID) || f.ConnectionID != "con_a" || f.LastSeenAt.Before(f.FirstSeenAt) {
				t.Errorf("shadow finding %+v", f)
			}
		}
	}
	same := func(want ...string) {
		t.Helper()
		if got := list(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("shadow findings %v, want %v", got, want)
		}
	}
	for range 2 {
		if res := shadow("one", "high", 1); res != (Result{}) {
			t.Errorf("a shadow finding is counted: %+v", res)
		}
	}
	shadow("two", "low", 1)
	same("two low 1", "one high 1")
	for _, table := range []string{"findings", "instances", "finding_log"} {
		if n := count(t, db, `SELECT COUNT(*) FROM `+table); n != 0 {
			t.Errorf("%d rows of %s are of a policy in shadow", n, table)
		}
	}
	shadow("one", "low", 2)
	same("one low 2") // What the version before found says nothing of this one.
	shadow("one", "high", 1)
	same("one low 2")
	counts, err := ShadowCounts(t.Context(), db.Read())
	if err != nil || len(counts) != 1 || counts["numbers"] != 1 {
		t.Errorf("counts %v, %v", counts, err)
	}
	if err := db.Write(t.Context(), func(tx *store.Tx) error { return DropShadow(t.Context(), tx, "numbers") }); err != nil {
		t.Fatal(err)
	}
	same()
}

func TestShadowFindingsAreBounded(t *testing.T) {
	db := open(t)
	c := one(detection("chat", inMessage("a", value(1, 0))...))
	d := c.Detections[0]
	c.Detections = nil
	for i := range MaxShadow + 5 {
		d.Shadow, d.Resource.ID = true, fmt.Sprint("chat-", i)
		c.Detections = append(c.Detections, d)
	}
	commit(t, db, c)
	if n := count(t, db, `SELECT COUNT(*) FROM shadow_findings`); n != MaxShadow {
		t.Errorf("%d shadow findings are kept, want %d", n, MaxShadow)
	}
}
