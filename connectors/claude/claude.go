// Package claude reads a Claude Enterprise organisation through Anthropic's Compliance API: chats with their messages and files, and the activity
// feed. It only reads. An empty place in what it gives (no owner, no size) means that Anthropic did not say.
package claude

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"time"

	"github.com/outband/outband/connectors"
)

//go:embed manifest.yaml
var manifest []byte

// Connector is listed once, in connectors/all.
var Connector = connectors.Connector{Manifest: manifest, Open: open, MapError: mapError}

const root = "v1/compliance/"

// Ids of the streams.
const (
	streamChats      = "chats"
	streamActivities = "activities"
)

type source struct {
	client   connectors.Client
	pageSize map[string]int
}

var (
	_ connectors.Fetcher = (*source)(nil)
	_ connectors.Tester  = (*source)(nil)
)

func open(c connectors.Client) connectors.Source {
	m, err := connectors.ParseManifest(manifest)
	if err != nil {
		panic(err) // The manifest is part of this program.
	}
	s := &source{client: c, pageSize: map[string]int{}}
	for _, stream := range m.Streams {
		s.pageSize[stream.ID] = stream.PageSize
	}
	return s
}

// Read implements connectors.Source.
func (s *source) Read(ctx context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
	switch stream {
	case streamChats:
		query := url.Values{"order_by": {"updated_at"}}
		return s.list(ctx, stream, "apps/chats", query, "updated_at", after, chatRow)
	case streamActivities:
		// The calls of this program are activities too, and would soon be most of the feed.
		query := url.Values{"order": {"asc"}, "exclude_activity_types[]": {"compliance_api_accessed"}}
		return s.list(ctx, stream, "activities", query, "created_at", after, activityRow)
	}
	return connectors.Page{}, malformed("there is no such stream")
}

// list reads one page of a list in the cursor scheme, oldest first. A vendor's cursor is bound to its query, so the bounds come from the slice and
// stay as they are during a walk.
func (s *source) list(ctx context.Context, stream, path string, query url.Values, by string, after connectors.Cursor, row func([]byte) (connectors.Item, bool)) (connectors.Page, error) {
	slice, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	query.Set("limit", strconv.Itoa(s.pageSize[stream]))
	if !slice.From.IsZero() {
		query.Set(by+".gte", timeText(slice.From))
	}
	if !slice.To.IsZero() {
		query.Set(by+".lt", timeText(slice.To))
	}
	if slice.After != "" {
		query.Set("after_id", slice.After)
	}
	var got struct {
		Data    []json.RawMessage `json:"data"`
		HasMore bool              `json:"has_more"`
		LastID  string            `json:"last_id"`
	}
	if err := s.client.GetJSON(ctx, root+path, query, &got); err != nil {
		return connectors.Page{}, err
	}
	if got.Data == nil {
		return connectors.Page{}, malformed("the reply has no list")
	}
	if got.HasMore && (got.LastID == "" || got.LastID == slice.After) {
		return connectors.Page{}, malformed("the list says that there is more and does not advance")
	}
	page := connectors.Page{Next: after, More: got.HasMore} // An empty page must not rewind the cursor.
	if got.LastID != "" && got.LastID != slice.After {
		slice.After = got.LastID
		page.Next = slice.Cursor()
	}
	for _, raw := range got.Data {
		item, ok := row(raw)
		if !ok {
			// Invariant 5: a row that cannot be used is counted, and its neighbours are kept.
			if page.Skipped == nil {
				page.Skipped = map[string]int{}
			}
			page.Skipped[connectors.SkipMalformed]++
			continue
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}

// chat is a chat of the list, and the head of a reply with its messages.
type chat struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
	DeletedAt string `json:"deleted_at"` // empty, null or missing: not deleted
	Href      string `json:"href"`
	ProjectID string `json:"project_id"`
	User      struct {
		ID           string `json:"id"`
		EmailAddress string `json:"email_address"`
		Email        string `json:"email"`
	} `json:"user"` // null: the account is gone
}

func chatRow(raw []byte) (connectors.Item, bool) {
	var c chat
	if json.Unmarshal(raw, &c) != nil || c.ID == "" {
		return connectors.Item{}, false
	}
	return c.item(), true
}

func (c *chat) item() connectors.Item {
	it := connectors.Item{
		Kind: connectors.KindChat, ID: c.ID, Deleted: c.DeletedAt != "",
		Resource: connectors.Resource{Kind: connectors.KindChat, ID: c.ID, Name: c.Name, URL: link(c.Href), Owner: c.User.ID, Project: c.ProjectID},
	}
	if c.User.ID != "" {
		it.Actor = connectors.Actor{ID: c.User.ID, Email: c.User.EmailAddress, Type: "user"}
		if it.Actor.Email == "" {
			it.Actor.Email = c.User.Email
		}
	}
	// The same moment comes in several spellings, so the version is made from the moment.
	it.Version = c.UpdatedAt
	if at, err := connectors.ParseTime(c.UpdatedAt); err == nil {
		it.At, it.Version = at, strconv.FormatInt(at.UnixMicro(), 10)
	} else if at, err := connectors.ParseTime(c.CreatedAt); err == nil {
		it.At = at
	}
	if it.Deleted {
		it.Version += "-deleted"
	}
	return it
}

// link returns a foreign link if it is one that may be shown.
func link(s string) string {
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return s
}

// timeText writes a bound; microseconds are the finest the API gives.
func timeText(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999999Z07:00") }

// moment reads a time of the API, zero if it cannot be read.
func moment(s string) time.Time {
	t, err := connectors.ParseTime(s)
	if err != nil {
		return time.Time{} // The time of a message is a help for people; no decision hangs on it.
	}
	return t
}

func malformed(why string) error {
	return &connectors.Error{
		Kind: connectors.KindMalformed, Code: connectors.CodeMalformed, Err: errors.New(why),
		Message: "Anthropic gave a reply that does not follow its documentation.",
	}
}

// segment writes a foreign id for use in a path.
func segment(id string) string { return url.PathEscape(id) }
