package workflows

import (
	"testing"
	"time"

	"github.com/outband/outband/connectors"
)

// shared is an activity by which a project is shared with an audience.
func shared(id string, minute int, audience string) connectors.Item {
	return activityItem(id, testDay.Add(time.Duration(minute-30)*time.Minute), "claude_project_sharing_updated", map[string]string{"audience.0.type": audience})
}

func TestAShareThatIsTakenBackClosesItsFinding(t *testing.T) {
	for _, tc := range []struct {
		name   string
		feed   []connectors.Item // in the order in which they are read
		status string
		rows   int // of the finding's log
	}{
		{"shared", []connectors.Item{shared("a", 1, "public")}, "open", 1},
		{"shared and taken back", []connectors.Item{shared("a", 1, "public"), shared("b", 2, "organization")}, "closed", 2},
		{"shared again", []connectors.Item{shared("a", 1, "public"), shared("b", 2, "organization"), shared("c", 3, "public")}, "open", 3},
		{"deleted", []connectors.Item{shared("a", 1, "public"), activityItem("b", testDay.Add(-10*time.Minute), "claude_project_deleted", nil)}, "closed", 2},
		{"read after what took it back, as history is", []connectors.Item{shared("b", 2, "organization"), shared("a", 1, "public")}, "closed", 2},
		{"shared again, the first share read last", []connectors.Item{shared("b", 2, "organization"), shared("c", 3, "public"), shared("a", 1, "public")}, "open", 2},
		{"taken back before it was shared", []connectors.Item{shared("a", 1, "organization"), shared("b", 2, "public")}, "open", 1},
		{"another activity", []connectors.Item{shared("a", 1, "public"), activityItem("b", testDay.Add(-10*time.Minute), "claude_project_viewed", nil)}, "open", 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.app.feed = tc.feed
			check(t, b.live("activities"))
			where := ` WHERE policy_id = 'activity.project_shared_public'`
			if got := b.count(`SELECT COUNT(*) FROM findings` + where + ` AND status = '` + tc.status + `'`); got != 1 {
				t.Errorf("%d findings are %s, want 1", got, tc.status)
			}
			if got := b.count(`SELECT COUNT(*) FROM finding_log WHERE finding_id IN (SELECT id FROM findings` + where + `)`); got != tc.rows {
				t.Errorf("%d rows in the log, want %d", got, tc.rows)
			}
		})
	}
}

func TestAShareOfAnotherProjectTakesNothingBack(t *testing.T) {
	b := newBench(t)
	other := shared("b", 2, "organization")
	other.Resource.ID = "proj_2"
	b.app.feed = []connectors.Item{shared("a", 1, "public"), other}
	check(t, b.live("activities"))
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'activity.project_shared_public' AND status = 'open'`); got != 1 {
		t.Errorf("%d open findings, want 1", got)
	}
}

func TestWhatAPersonDecidedIsNotClosedByARevert(t *testing.T) {
	b := newBench(t)
	b.app.feed = []connectors.Item{shared("a", 1, "public")}
	check(t, b.live("activities"))
	b.exec(`UPDATE findings SET status = 'accepted_risk'`)
	b.app.feed = append(b.app.feed, shared("b", 2, "organization"))
	b.now = b.now.Add(5 * time.Minute)
	check(t, b.live("activities"))
	if got := b.count(`SELECT COUNT(*) FROM findings WHERE policy_id = 'activity.project_shared_public' AND status = 'accepted_risk'`); got != 1 {
		t.Errorf("%d findings are still accepted, want 1", got)
	}
}
