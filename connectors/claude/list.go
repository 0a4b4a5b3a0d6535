package claude

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
)

// scheme is one of the API's two ways to go on in a list. Lists of sessions are in the token scheme too: what tells the end of any of them is that there
// is no next page, and an empty page that names one is followed.
type scheme string

const (
	byCursor scheme = "after_id" // last_id and has_more
	byToken  scheme = "page"     // next_page
)

// reply is a page of a list in either scheme.
type reply struct {
	Data     []json.RawMessage `json:"data"`
	HasMore  bool              `json:"has_more"`
	LastID   string            `json:"last_id"`
	NextPage string            `json:"next_page"`
}

// next returns where the list goes on, "" at its end. In the cursor scheme the end has a cursor too, which end returns.
func (r *reply) next(by scheme) (string, error) {
	switch {
	case by == byToken && r.NextPage != "":
		return r.NextPage, nil
	case by == byCursor && r.HasMore && r.LastID != "":
		return r.LastID, nil
	case r.HasMore:
		return "", stuck()
	}
	return "", nil
}

func (r *reply) end(by scheme) string {
	if by == byCursor {
		return r.LastID
	}
	return ""
}

func stuck() error { return malformed("the list says that there is more and does not advance") }

// maxPages bounds one walk over a list: a vendor's mistake must not become a loop.
const maxPages = 200_000

// place is how far a walk over one list has come. It sees a list that goes in a circle of any length: Mark is the digest of the cursor at the last power of
// two of pages, and a cursor that comes back meets it.
type place struct {
	Page string `json:"page,omitempty"` // the vendor's cursor or token; empty: from the start
	Read int    `json:"read,omitempty"` // pages of this walk
	Mark string `json:"mark,omitempty"`
}

// advance moves to the next page.
func (p *place) advance(next string) error {
	mark := digest(next)
	if next == p.Page || mark == p.Mark || p.Read >= maxPages {
		return stuck()
	}
	p.Page, p.Read = next, p.Read+1
	if p.Read&(p.Read-1) == 0 {
		p.Mark = mark
	}
	return nil
}

// placeOf reads the connector's place in a slice. A text that is no object is a cursor of the vendor, as earlier versions stored it.
func placeOf(after string, into any, raw *place) error {
	if raw != nil && !strings.HasPrefix(after, "{") {
		raw.Page = after
		return nil
	}
	if after == "" {
		return nil
	}
	if json.Unmarshal([]byte(after), into) != nil {
		return &connectors.Error{Kind: connectors.KindCursorExpired, Code: connectors.CodeCursorExpired,
			Message: "The stored place in the list cannot be read; it is read again from its start.", Err: fmt.Errorf("decode a place of %d bytes", len(after))}
	}
	return nil
}

// placeText writes a place.
func placeText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // Strings, numbers and lists of them.
	}
	return string(b)
}

// digest tells cursors and ids apart in few bytes.
func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:6])
}

// list is how a stream is read that is one list.
type list struct {
	path  string
	by    scheme
	query url.Values
	from  string // parameters of the bounds; empty: the list has none
	to    string
	item  func(raw []byte) (connectors.Item, bool)
}

// page asks for one page of a list.
func (s *source) page(ctx context.Context, path string, by scheme, query url.Values, limit int, at string) (*reply, error) {
	query.Set("limit", strconv.Itoa(limit))
	if at != "" {
		query.Set(string(by), at)
	}
	got := new(reply)
	if err := s.client.GetJSON(ctx, path, query, got); err != nil {
		return nil, err
	}
	if got.Data == nil {
		return nil, malformed("the reply has no list")
	}
	return got, nil
}

// list reads one page of a list. A vendor's cursor is bound to its query, so the bounds come from the slice and stay as they are during a walk.
func (s *source) list(ctx context.Context, stream string, l list, after connectors.Cursor) (connectors.Page, error) {
	slice, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	var at place
	if err := placeOf(slice.After, &at, &at); err != nil {
		return connectors.Page{}, err
	}
	if !slice.From.IsZero() && l.from != "" {
		l.query.Set(l.from, timeText(slice.From))
	}
	if !slice.To.IsZero() && l.to != "" {
		l.query.Set(l.to, timeText(slice.To))
	}
	got, err := s.page(ctx, l.path, l.by, l.query, s.pageSize[stream], at.Page)
	if err != nil {
		return connectors.Page{}, err
	}
	next, err := got.next(l.by)
	if err != nil {
		return connectors.Page{}, err
	}
	page := connectors.Page{Next: after} // An empty page must not rewind the cursor.
	if next != "" {
		if err := at.advance(next); err != nil {
			return connectors.Page{}, err
		}
		slice.After, page.More = placeText(at), true
		page.Next = slice.Cursor()
	} else if end := got.end(l.by); end != "" && end != at.Page {
		slice.After = placeText(place{Page: end})
		page.Next = slice.Cursor()
	}
	for _, raw := range got.Data {
		if item, ok := l.item(raw); ok {
			page.Items = append(page.Items, item)
		} else {
			skip(&page, 1)
		}
	}
	return page, nil
}

// skip counts rows that cannot be used; their neighbours are kept (invariant 5).
func skip(page *connectors.Page, n int) {
	if n == 0 {
		return
	}
	if page.Skipped == nil {
		page.Skipped = map[string]int{}
	}
	page.Skipped[connectors.SkipMalformed] += n
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
