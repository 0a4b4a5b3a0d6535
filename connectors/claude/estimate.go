package claude

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/outband/outband/connectors"
)

const (
	// sampleRows is the size of the pages of an estimate.
	sampleRows = 1000
	// samples is how many places of a span are looked at in one list.
	samples = 4
)

// historyStreams are read in slices of one day, so that each day takes one call of each at least.
var historyStreams = []string{streamChats, streamActivities, streamProjects, streamLocal, streamRemote}

// Estimate implements connectors.Estimator. It looks at a few pages of each list and extrapolates by how much time they span; a list that fits in one page
// is counted. Files are estimated from the uploads among the activities.
func (s *source) Estimate(ctx context.Context, from, to time.Time) (connectors.Estimate, error) {
	out := connectors.Estimate{Items: map[string]int64{}, Exact: true}
	var oldest struct {
		Data []struct {
			CreatedAt string `json:"created_at"`
		} `json:"data"`
	}
	err := s.client.GetJSON(ctx, root+"activities", url.Values{"limit": {"1"}, "order": {"asc"}}, &oldest)
	if err == nil && len(oldest.Data) > 0 {
		out.Since = moment(oldest.Data[0].CreatedAt)
	}
	if err != nil && !left(err) {
		return out, err
	}
	uploads := map[string]bool{"claude_file_uploaded": true, "claude_project_file_uploaded": true}
	lists := []sampled{
		{stream: streamActivities, path: "activities", by: byCursor, at: "created_at", rows: sampleRows, asc: true,
			query: url.Values{"order": {"asc"}, "exclude_activity_types[]": {apiCall}}, special: func(t string) bool { return uploads[t] }},
		{stream: streamChats, path: "apps/chats", by: byCursor, at: "updated_at", rows: sampleRows, asc: true, query: url.Values{"order_by": {"updated_at"}}},
		{stream: streamProjects, path: "apps/projects", by: byToken, at: "updated_at", rows: 100},
		{stream: streamLocal, path: "apps/sessions/local", by: byToken, at: "created_at", rows: 500, desc: true},
		{stream: streamRemote, path: "apps/sessions/remote", by: byToken, at: "created_at", rows: 500, desc: true},
	}
	kind := either(s.client.KeyHint(), keyCompliance)
	for _, l := range lists {
		if stream, ok := s.manifest.Stream(l.stream); !ok || !slices.Contains(stream.Keys, kind) {
			continue // This kind of key does not read it.
		}
		n, special, exact, err := s.sample(ctx, l, from, to)
		if left(err) {
			continue // What the key or the tenant does not have costs nothing.
		}
		if err != nil {
			return out, err
		}
		out.Items[l.stream] = n
		out.Exact = out.Exact && exact
		out.Calls += n/int64(s.pageSize[l.stream]) + special
		switch l.stream {
		case streamChats, streamLocal, streamRemote:
			out.Calls += n
		case streamProjects:
			out.Calls += 2 * n // The project and its attachments.
		}
	}
	days := int64(to.Sub(from)/day) + 1
	for _, stream := range historyStreams {
		if _, ok := out.Items[stream]; ok {
			out.Calls += days
		}
	}
	return out, nil
}

// left reports whether an error means that there is nothing to be read here.
func left(err error) bool {
	return absent(err) || connectors.KindOf(err) == connectors.KindForbidden && err != nil
}

// sampled is a list that an estimate looks at.
type sampled struct {
	stream, path string
	by           scheme
	at           string // the time that the bounds are on
	rows         int
	asc, desc    bool // by that time: a page of a bounded list spans the time to its last row. Neither: it tells nothing of the rest
	query        url.Values
	special      func(kind string) bool // rows that are counted apart
}

// sample returns about how many rows a list has in [from, to).
func (s *source) sample(ctx context.Context, l sampled, from, to time.Time) (n, special int64, exact bool, err error) {
	begin, span := from, to.Sub(from)
	for i := range samples {
		rows, kinds, first, last, more, err := s.sampleAt(ctx, l, begin, to)
		if err != nil {
			return 0, 0, false, err
		}
		part := to.Sub(begin) // of the span, that this sample speaks for
		if !more {
			return n + rows, special + kinds, i == 0, nil
		}
		if l.desc {
			return int64(float64(rows) * max(float64(span)/float64(max(to.Sub(first), time.Second)), 1)), 0, false, nil
		}
		if !l.asc {
			return 2 * rows, 0, false, nil // More than a page. How much more, a list in this order does not tell.
		}
		if i < samples-1 {
			part = min(part, span/samples)
		}
		seen := max(last.Sub(begin), time.Second)
		scale := max(float64(part)/float64(seen), 1)
		n, special = n+int64(float64(rows)*scale), special+int64(float64(kinds)*scale)
		if begin = begin.Add(max(part, seen)); !begin.Before(to) {
			break
		}
	}
	return n, special, false, nil
}

func (s *source) sampleAt(ctx context.Context, l sampled, from, to time.Time) (n, special int64, first, last time.Time, more bool, err error) {
	query := url.Values{"limit": {strconv.Itoa(l.rows)}, l.at + ".gte": {timeText(from)}, l.at + ".lt": {timeText(to)}}
	for k, v := range l.query {
		query[k] = v
	}
	var got reply
	if err := s.client.GetJSON(ctx, root+l.path, query, &got); err != nil {
		return 0, 0, first, last, false, err
	}
	if got.Data == nil {
		return 0, 0, first, last, false, malformed("the reply has no list")
	}
	for _, raw := range got.Data {
		var r struct {
			Type      string `json:"type"`
			CreatedAt string `json:"created_at"`
			UpdatedAt string `json:"updated_at"`
		}
		if json.Unmarshal(raw, &r) != nil {
			continue // An estimate has no use for a row that cannot be read.
		}
		if l.special != nil && l.special(r.Type) {
			special++
		}
		at := moment(r.CreatedAt)
		if l.at == "updated_at" {
			at = moment(r.UpdatedAt)
		}
		if at.After(last) {
			last = at
		}
		if first.IsZero() || at.Before(first) && !at.IsZero() {
			first = at
		}
	}
	next, err := got.next(l.by)
	return int64(len(got.Data)), special, first, last, next != "", err
}
