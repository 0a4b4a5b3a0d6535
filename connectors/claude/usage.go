package claude

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/outband/outband/connectors"
)

const (
	// usageDays is how far back the use of API keys is looked at: one reply of the usage report, which has at most 31 days.
	usageDays = 30
	// maxUsed is how many used keys the place of a walk holds.
	maxUsed = 5000

	day = 24 * time.Hour
)

// keyWalk is the place in the reading of API keys: first the report of their use, then the keys.
type keyWalk struct {
	Keys  bool           `json:"keys,omitempty"`  // the report is read
	To    time.Time      `json:"to,omitzero"`     // the end of the report; zero: there is none
	Used  map[string]int `json:"used,omitempty"`  // by the digest of a key's id: days before the end, in which it was last used
	Short bool           `json:"short,omitempty"` // more keys were used than are kept
	At    place          `json:"at,omitzero"`
}

// usageBucket is one day of the report.
type usageBucket struct {
	EndingAt string `json:"ending_at"`
	Results  []struct {
		APIKeyID string `json:"api_key_id"`
	} `json:"results"`
}

type apiKeyRow struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Status    string `json:"status"`
	CreatedAt string `json:"created_at"`
	CreatedBy struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"created_by"`
	ExpiresAt string `json:"expires_at"`
	Principal struct {
		ID   string `json:"id"`
		Type string `json:"type"`
	} `json:"principal"`
	WorkspaceID string `json:"workspace_id"`
}

// apiKeys reads one page of the report or of the keys. Keys have no time of last use; a key that the report does not name was not used in its days.
func (s *source) apiKeys(ctx context.Context, after connectors.Cursor) (connectors.Page, error) {
	slice, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	var w keyWalk
	if err := placeOf(slice.After, &w, nil); err != nil {
		return connectors.Page{}, err
	}
	page := connectors.Page{Next: after}
	if w.Keys {
		err = s.keyPage(ctx, &w, &page)
	} else {
		err = s.usagePage(ctx, &w, &page)
	}
	if err != nil {
		return connectors.Page{}, err
	}
	if page.More {
		slice.After = placeText(w)
		page.Next = slice.Cursor()
	}
	return page, nil
}

func (s *source) usagePage(ctx context.Context, w *keyWalk, page *connectors.Page) error {
	page.More = true // The keys come after it.
	from := s.now().UTC().Truncate(day).Add(-usageDays * day)
	query := url.Values{"starting_at": {from.Format(time.RFC3339)}, "bucket_width": {"1d"}, "group_by[]": {"api_key_id"}}
	got, err := s.page(ctx, adminRoot+"usage_report/messages", byToken, query, usageDays+1, w.At.Page)
	if absent(err) {
		// The keys are there without it. What is known of them is not all that there was, so that nothing may be closed by it.
		*w = keyWalk{Keys: true}
		page.Missing = []string{wholeTenant}
		return nil
	}
	if err != nil {
		return err
	}
	for _, raw := range got.Data {
		var b usageBucket
		if json.Unmarshal(raw, &b) != nil || moment(b.EndingAt).IsZero() {
			skip(page, 1)
			continue
		}
		w.bucket(&b)
	}
	next, err := got.next(byToken)
	if err != nil {
		return err
	}
	if next == "" {
		w.Keys, w.At = true, place{}
		return nil
	}
	return w.At.advance(next)
}

// bucket notes the keys that were used on a day.
func (w *keyWalk) bucket(b *usageBucket) {
	end := moment(b.EndingAt)
	if end.After(w.To) {
		if !w.To.IsZero() {
			later := int(end.Sub(w.To) / day)
			for k := range w.Used {
				w.Used[k] += later
			}
		}
		w.To = end
	}
	ago := int(w.To.Sub(end) / day)
	for _, r := range b.Results {
		if r.APIKeyID != "" {
			w.use(digest(keyID(r.APIKeyID)), ago)
		}
	}
}

func (w *keyWalk) use(key string, ago int) {
	if w.Used == nil {
		w.Used = map[string]int{}
	}
	if old, ok := w.Used[key]; ok {
		ago = min(ago, old)
	} else if len(w.Used) >= maxUsed {
		w.Short = true
		return
	}
	w.Used[key] = ago
}

func (s *source) keyPage(ctx context.Context, w *keyWalk, page *connectors.Page) error {
	got, err := s.page(ctx, adminRoot+"api_keys", byCursor, url.Values{}, s.pageSize[streamAPIKeys], w.At.Page)
	if absent(err) {
		page.Missing = []string{wholeTenant}
		return nil
	}
	if err != nil {
		return err
	}
	for _, raw := range got.Data {
		var r apiKeyRow
		if json.Unmarshal(raw, &r) != nil || r.ID == "" {
			skip(page, 1)
			continue
		}
		page.Items = append(page.Items, r.record(w))
	}
	next, err := got.next(byCursor)
	if err != nil {
		return err
	}
	if page.More = next != ""; page.More {
		return w.At.advance(next)
	}
	return nil
}

// unusedSteps are the values of unused_days. In steps, a key in use does not change its record every day.
var unusedSteps = []int{30, 14, 7}

func (r *apiKeyRow) record(w *keyWalk) connectors.Item {
	var who connectors.Actor
	if r.CreatedBy.ID != "" {
		who = connectors.Actor{ID: r.CreatedBy.ID, Type: either(r.CreatedBy.Type, "user")}
	}
	fields := facts{
		"status": r.Status, "workspace_id": r.WorkspaceID, "created_at": timeField(r.CreatedAt), "created_by_id": r.CreatedBy.ID, "created_by_type": r.CreatedBy.Type,
		"expires_at": timeField(r.ExpiresAt), "principal_id": r.Principal.ID, "principal_type": r.Principal.Type, "usage_known": false,
	}
	ago, used := w.Used[digest(keyID(r.ID))]
	if !w.To.IsZero() && (used || !w.Short) {
		unused := usageDays
		if used {
			unused = ago
		}
		if made := moment(r.CreatedAt); !made.IsZero() {
			unused = min(unused, max(int(w.To.Sub(made)/day), 0))
		}
		fields["usage_known"], fields["unused_days"] = true, float64(0)
		for _, step := range unusedSteps {
			if unused >= step {
				fields["unused_days"] = float64(step)
				break
			}
		}
		if used && ago >= unusedSteps[len(unusedSteps)-1] {
			fields["last_used_at"] = w.To.Add(-time.Duration(ago+1) * day).Format(time.RFC3339)
		}
	}
	return record("api_key", r.ID, wholeTenant, r.Name, moment(r.CreatedAt), who, fields)
}
