// Package acme is a small connector for an app that does not exist. It passes the whole contract and shows, in little, each of its parts: chats with
// messages and files, an audit log that is read in windows, a snapshot that walks from teams to their members, and one that not every tenant has.
package acme

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

// Connector is what the checks are proved with: in its own state it passes all, and each of the mutants fails the check that it is made for.
var Connector = connectors.Connector{
	Manifest: manifest,
	Open:     func(c connectors.Client) connectors.Source { return &source{client: c} },
}

type source struct{ client connectors.Client }

var (
	_ connectors.Fetcher   = (*source)(nil)
	_ connectors.Tester    = (*source)(nil)
	_ connectors.Estimator = (*source)(nil)
)

// Read implements connectors.Source.
func (s *source) Read(ctx context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
	slice, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	switch stream {
	case "chats":
		return s.list(ctx, "chats", 50, slice, after, chatItem)
	case "events":
		return s.list(ctx, "events", 500, slice, after, eventItem)
	case "members":
		return s.members(ctx, slice, after)
	case "labels":
		page, err := s.list(ctx, "labels", 200, slice, after, labelItem)
		if errors.Is(err, connectors.ErrGone) {
			err = &connectors.Error{Kind: connectors.KindUnavailable, Code: connectors.CodeGone, Message: "This tenant has no labels."}
		}
		return page, err
	}
	return connectors.Page{}, malformed("there is no such stream")
}

// rows is the form of every list.
type rows struct {
	Rows []json.RawMessage `json:"rows"`
	More bool              `json:"more"`
	Last string            `json:"last"`
}

// get reads one page of a list.
func (s *source) get(ctx context.Context, path string, size int, slice connectors.Slice) (rows, error) {
	query := url.Values{"limit": {strconv.Itoa(size)}}
	if !slice.From.IsZero() {
		query.Set("from", slice.From.UTC().Format(time.RFC3339Nano))
	}
	if !slice.To.IsZero() {
		query.Set("to", slice.To.UTC().Format(time.RFC3339Nano))
	}
	if slice.After != "" {
		query.Set("after", slice.After)
	}
	var got rows
	if err := s.client.GetJSON(ctx, "v1/"+path, query, &got); err != nil {
		return got, err
	}
	if got.Rows == nil {
		return got, malformed("the reply has no list")
	}
	if got.More && (got.Last == "" || got.Last == slice.After) {
		return got, malformed("the list says that there is more and does not advance")
	}
	return got, nil
}

func (s *source) list(ctx context.Context, path string, size int, slice connectors.Slice, after connectors.Cursor, item func([]byte) (connectors.Item, bool)) (connectors.Page, error) {
	got, err := s.get(ctx, path, size, slice)
	if err != nil {
		return connectors.Page{}, err
	}
	page := connectors.Page{Next: after, More: got.More} // An empty page must not rewind the cursor.
	if got.Last != "" && got.Last != slice.After {
		slice.After = got.Last
		page.Next = slice.Cursor()
	}
	add(&page, got.Rows, item)
	return page, nil
}

// add puts the items of rows into a page. Invariant 5: a row that cannot be used is counted, and its neighbours are kept.
func add(page *connectors.Page, rows []json.RawMessage, item func([]byte) (connectors.Item, bool)) {
	for _, raw := range rows {
		it, ok := item(raw)
		if !ok {
			if page.Skipped == nil {
				page.Skipped = map[string]int{}
			}
			page.Skipped[connectors.SkipMalformed]++
			continue
		}
		page.Items = append(page.Items, it)
	}
}

type chat struct {
	ID        string `json:"id"`
	Title     string `json:"title"`
	UpdatedAt string `json:"updated_at"`
	DeletedAt string `json:"deleted_at"`
	Owner     struct {
		ID    string `json:"id"`
		Email string `json:"email"`
	} `json:"owner"`
}

func chatItem(raw []byte) (connectors.Item, bool) {
	var c chat
	if json.Unmarshal(raw, &c) != nil || c.ID == "" {
		return connectors.Item{}, false
	}
	at, err := connectors.ParseTime(c.UpdatedAt)
	if err != nil {
		return connectors.Item{}, false
	}
	it := connectors.Item{
		Kind: connectors.KindChat, ID: c.ID, Version: strconv.FormatInt(at.UnixMicro(), 10), At: at, Deleted: c.DeletedAt != "",
		Resource: connectors.Resource{Kind: connectors.KindChat, ID: c.ID, Name: c.Title, Owner: c.Owner.ID},
		Actor:    connectors.Actor{ID: c.Owner.ID, Email: c.Owner.Email, Type: "user"},
	}
	if it.Deleted {
		it.Version += "-deleted"
	}
	return it, true
}

func eventItem(raw []byte) (connectors.Item, bool) {
	var e struct {
		ID   string         `json:"id"`
		At   string         `json:"at"`
		Type string         `json:"type"`
		Who  string         `json:"who"`
		What map[string]any `json:"what"`
	}
	if json.Unmarshal(raw, &e) != nil || e.ID == "" {
		return connectors.Item{}, false
	}
	at, err := connectors.ParseTime(e.At)
	if err != nil {
		return connectors.Item{}, false
	}
	it := connectors.Item{
		Kind: connectors.KindActivity, ID: e.ID, Version: "1", At: at, Actor: connectors.Actor{ID: e.Who, Type: "user"},
		Resource: connectors.Resource{Kind: "user", ID: e.Who}, Activity: &connectors.Activity{Type: e.Type, Fields: map[string]string{}},
	}
	for k, v := range e.What {
		if text, ok := v.(string); ok {
			it.Activity.Fields[k] = text
		}
	}
	return it, true
}

// Estimate implements connectors.Estimator.
func (s *source) Estimate(ctx context.Context, from, to time.Time) (connectors.Estimate, error) {
	out := connectors.Estimate{Items: map[string]int64{}}
	for _, stream := range []string{"chats", "events"} {
		got, err := s.get(ctx, stream, 50, connectors.Slice{From: from, To: to})
		if err != nil {
			return connectors.Estimate{}, err
		}
		out.Items[stream] = int64(len(got.Rows))
		out.Calls += 1 + int64(len(got.Rows))
	}
	return out, nil
}

func malformed(why string) error {
	return &connectors.Error{
		Kind: connectors.KindMalformed, Code: connectors.CodeMalformed, Err: errors.New(why), Message: "Acme gave a reply that does not follow its documentation.",
	}
}
