package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows/coverage"
)

// maxIntervals is how many intervals a coverage shows: an unbroken run of windows is one.
const maxIntervals = 100

// Coverage is what became of everything in one stream of a connection (invariant 5).
type Coverage struct {
	ConnectionID string   `json:"connection_id"`
	Stream       string   `json:"stream"`
	Title        string   `json:"title" doc:"Of the stream, for people; empty for one that the connector does not name."`
	State        string   `json:"state" enum:"green,amber,red,grey" doc:"green: all that should be read is, up to the watermark. amber: something is still to come or wants a look. red: something is not read that should be, or the stream stands still. grey: not available to this tenant, or not readable with this key."`
	Reasons      []Notice `json:"reasons" doc:"Why it is not green; the alerts first."`
	Alerts       []Notice `json:"alerts" doc:"Those of the reasons that somebody should act on."`
	WatermarkAt  *string  `json:"watermark_at" format:"date-time" doc:"Everything before it has been read; of a snapshot: when the last one began. null: nothing yet."`
	LagSeconds   *float64 `json:"lag_seconds" doc:"From the watermark to now."`
	Counts
	DeletedBeforeScan int64            `json:"deleted_before_scan" doc:"One of the reasons of skipped."`
	MembersSkipped    map[string]int64 `json:"members_skipped" doc:"Files inside of files, of archives and documents, that were not scanned, by reason. They are not part of read."`
	Late              int64            `json:"late" doc:"Appeared behind the watermark and were read all the same."`
	Overlap           int64            `json:"overlap" doc:"Listed again because windows overlap; they are not read again."`
	Units             []UnitCounts     `json:"units" doc:"The same by unit: message, chat, file, activity, …"`
	Gaps              []Gap            `json:"gaps" doc:"Spans that should have been read and are not, oldest first."`
	Intervals         []Interval       `json:"intervals" doc:"Spans that were read to their end, oldest first: the newest 100. Of a snapshot: from its begin to its end."`
	BackfillOpen      int              `json:"backfill_open" doc:"Slices of history that are not read to their end."`
	Snapshot          *Snapshot        `json:"snapshot,omitempty" doc:"Of a stream that is read as a whole: the last one that ended."`
	Error             string           `json:"error" doc:"Code of what the stream stumbled over last; empty otherwise."`
}

// Notice is one reason why a stream is not green.
type Notice struct {
	Code    string `json:"code" enum:"hole,gap,lag,stopped,skips_rising,history_pending,history_paused,paused,not_read_yet,retrying,quarantined,snapshot_partial,unavailable,other_key,other_connection" doc:"hole, gap, lag, stopped and skips_rising are alerts."`
	Message string `json:"message"`
}

// Counts are units by what became of them. Read is the sum of the others.
type Counts struct {
	Read        int64            `json:"read" doc:"scanned + skipped + failed + deferred + quarantined."`
	Scanned     int64            `json:"scanned"`
	Skipped     map[string]int64 `json:"skipped" doc:"By reason."`
	Failed      int64            `json:"failed" doc:"Given up after 72 hours of tries."`
	Deferred    int64            `json:"deferred" doc:"Wait for a worker of their own now."`
	Quarantined int64            `json:"quarantined" doc:"Could not be scanned and are tried again."`
}

// UnitCounts are the counts of one kind of unit.
type UnitCounts struct {
	Unit string `json:"unit" doc:"Empty: counted before units were told apart, or rows that gave no unit."`
	Counts
}

// Gap is a span that should have been read and is not.
type Gap struct {
	From   *string `json:"from" format:"date-time"`
	To     *string `json:"to" format:"date-time"`
	Reason string  `json:"reason" doc:"hole: nothing says that it was read; else the code of what its page answered."`
}

// Interval is a span that was read to its end.
type Interval struct {
	From *string `json:"from" format:"date-time"`
	To   *string `json:"to" format:"date-time"`
}

// Snapshot is the last snapshot of a stream that ended.
type Snapshot struct {
	State   string   `json:"state" enum:"whole,partial,unavailable"`
	EndedAt *string  `json:"ended_at" format:"date-time"`
	WholeAt *string  `json:"whole_at" format:"date-time" doc:"When the last one ended that was whole; null: none was."`
	Records int64    `json:"records" doc:"That stood at its end."`
	Missing []string `json:"missing" doc:"Parts that the app did not give."`
}

// CoverageInput narrows the coverage.
type CoverageInput struct {
	ListInput
	ConnectionID string `query:"connection_id" maxLength:"128" doc:"Absent: of all connections."`
}

func (a *API) coverage(ctx context.Context, in *CoverageInput) (*ListOutput[Coverage], error) {
	q := a.d.DB.Read()
	var all []store.Connection
	if in.ConnectionID != "" {
		c, err := store.GetConnection(ctx, q, in.ConnectionID)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	} else {
		var err error
		if all, err = store.ListConnections(ctx, q); err != nil {
			return nil, err
		}
	}
	type row struct {
		key string
		Coverage
	}
	var rows []row
	for _, c := range all {
		streams, err := coverage.Of(ctx, q, c, a.streams(c), coverage.DefaultThresholds(), a.d.DB.Now())
		if err != nil {
			return nil, err
		}
		for _, s := range streams {
			rows = append(rows, row{sortKey(c.CreatedAt, c.ID) + " " + s.Stream.ID, streamCoverage(s)})
		}
	}
	page, err := paginate("coverage "+in.ConnectionID, rows, func(r row) string { return r.key }, in.ListInput)
	if err != nil {
		return nil, err
	}
	out := make([]Coverage, 0, len(page.Body.Items))
	for _, r := range page.Body.Items {
		out = append(out, r.Coverage)
	}
	return listed(out, page.Body.NextCursor), nil
}

// streams is the manifest of a connection's connector; one that is not part of this program has no streams.
func (a *API) streams(c store.Connection) *connectors.Manifest {
	if m := a.manifest(c.Connector); m != nil {
		return m
	}
	return &connectors.Manifest{}
}

// byReason is an object also where there is nothing.
func byReason(in map[string]int64) map[string]int64 {
	if in == nil {
		return map[string]int64{}
	}
	return in
}

func streamCoverage(s coverage.Summary) Coverage {
	out := Coverage{
		ConnectionID: s.ConnectionID, Stream: s.Stream.ID, Title: s.Stream.Title, State: s.State, Reasons: notices(s.Reasons), Alerts: notices(s.Alerts()), Counts: counts(s.Tally),
		DeletedBeforeScan: s.Skipped[store.ReasonDeleted], MembersSkipped: byReason(s.Members), Late: s.Late, Overlap: s.Overlap, Units: []UnitCounts{}, Gaps: []Gap{}, Intervals: []Interval{}, BackfillOpen: s.BackfillOpen, Error: s.Error,
	}
	if !s.WatermarkAt.IsZero() {
		lag := s.Lag.Seconds()
		out.WatermarkAt, out.LagSeconds = stamp(s.WatermarkAt), &lag
	}
	for unit, t := range s.Units {
		out.Units = append(out.Units, UnitCounts{unit, counts(*t)})
	}
	slices.SortFunc(out.Units, func(x, y UnitCounts) int { return strings.Compare(x.Unit, y.Unit) })
	for _, g := range s.Gaps {
		out.Gaps = append(out.Gaps, Gap{stamp(g.From), stamp(g.To), g.Reason})
	}
	for _, i := range s.Intervals[max(len(s.Intervals)-maxIntervals, 0):] {
		out.Intervals = append(out.Intervals, Interval{stamp(i.From), stamp(i.To)})
	}
	if x := s.Snapshot; x != nil {
		out.Snapshot = &Snapshot{State: x.State, EndedAt: stamp(x.EndedAt), WholeAt: stamp(x.WholeAt), Records: x.Records, Missing: some(x.Missing)}
	}
	return out
}

func notices(in []coverage.Notice) []Notice {
	out := make([]Notice, 0, len(in))
	for _, n := range in {
		out = append(out, Notice(n))
	}
	return out
}

func counts(t coverage.Tally) Counts {
	return Counts{Read: t.Read, Scanned: t.Scanned, Skipped: byReason(t.Skipped), Failed: t.Failed, Deferred: t.Deferred, Quarantined: t.Quarantined}
}

// CalendarInput is a question for what was read of each day.
type CalendarInput struct {
	ConnectionID string `query:"connection_id" required:"true" maxLength:"128"`
	Stream       string `query:"stream" maxLength:"64" doc:"Absent: all."`
	From         string `query:"from" maxLength:"10" doc:"First day, 2026-01-31; absent: 89 days before the last."`
	To           string `query:"to" maxLength:"10" doc:"Last day; absent: today. At most 366 days."`
	TZ           string `query:"tz" maxLength:"64" doc:"Zone in which days begin, such as Europe/Berlin; absent: UTC. The counts are of UTC days all the same."`
}

// Calendar is what was read of each day.
type Calendar struct {
	ConnectionID string           `json:"connection_id"`
	TZ           string           `json:"tz"`
	From         string           `json:"from" format:"date"`
	To           string           `json:"to" format:"date" doc:"The last day."`
	Streams      []CalendarStream `json:"streams" doc:"Sorted by stream."`
}

// CalendarStream is one stream's days.
type CalendarStream struct {
	Stream string        `json:"stream"`
	Title  string        `json:"title"`
	Days   []CalendarDay `json:"days" doc:"Every day of the calendar, oldest first."`
}

// CalendarDay is one day of a stream.
type CalendarDay struct {
	Date              string `json:"date" format:"date"`
	State             string `json:"state" enum:"complete,partial,gap,pending,none" doc:"complete: all of it was read. partial: a part was; the rest is still to come or was not asked for. gap: something is not read that should be. pending: its history is not read yet. none: it need not be read."`
	Read              int64  `json:"read" doc:"Units whose own time is in the UTC day of this date, as in coverage but without what waits and what has no known time."`
	Scanned           int64  `json:"scanned"`
	Skipped           int64  `json:"skipped"`
	Failed            int64  `json:"failed"`
	DeletedBeforeScan int64  `json:"deleted_before_scan" doc:"Of skipped."`
}

func (a *API) coverageCalendar(ctx context.Context, in *CalendarInput) (*Output[Calendar], error) {
	c, err := store.GetConnection(ctx, a.d.DB.Read(), in.ConnectionID)
	if err != nil {
		return nil, err
	}
	now := a.d.DB.Now()
	days, err := in.days(now)
	if err != nil {
		return nil, err
	}
	streams := a.streams(c)
	lines, err := coverage.Calendar(ctx, a.d.DB.Read(), c, streams, days, now)
	if err != nil {
		return nil, err
	}
	titles := map[string]string{}
	for _, s := range streams.Streams {
		titles[s.ID] = s.Title
	}
	out := Calendar{
		ConnectionID: c.ID, TZ: days.From.Location().String(), From: days.From.Format(time.DateOnly), To: days.To.AddDate(0, 0, -1).Format(time.DateOnly), Streams: []CalendarStream{},
	}
	for _, line := range lines {
		if in.Stream != "" && line.Stream != in.Stream {
			continue
		}
		x := CalendarStream{Stream: line.Stream, Title: titles[line.Stream], Days: make([]CalendarDay, 0, len(line.Days))}
		for _, d := range line.Days {
			day := CalendarDay{Date: d.Date, State: d.State, Read: d.Read, Scanned: d.Scanned, Failed: d.Failed, DeletedBeforeScan: d.Skipped[store.ReasonDeleted]}
			for _, n := range d.Skipped {
				day.Skipped += n
			}
			x.Days = append(x.Days, day)
		}
		out.Streams = append(out.Streams, x)
	}
	return &Output[Calendar]{out}, nil
}

// days reads the range of a calendar.
func (in *CalendarInput) days(now time.Time) (r coverage.Range, err error) {
	zone, err := time.LoadLocation(in.TZ)
	if err != nil || in.TZ == "Local" {
		return r, problem.BadQuery(problem.Field{Location: "query.tz", Message: "The value is not a time zone such as Europe/Berlin."})
	}
	day := func(name, text string, absent time.Time) (time.Time, error) {
		if text == "" {
			return absent, nil
		}
		t, err := time.ParseInLocation(time.DateOnly, text, zone)
		if err != nil || t.Year() < 1970 || t.Year() > 9000 {
			return t, problem.BadQuery(problem.Field{Location: "query." + name, Message: "The value is not a day such as 2026-01-31."})
		}
		return t, nil
	}
	y, m, d := now.In(zone).Date()
	last, err := day("to", in.To, time.Date(y, m, d, 0, 0, 0, 0, zone))
	if err != nil {
		return r, err
	}
	if r.From, err = day("from", in.From, last.AddDate(0, 0, -89)); err != nil {
		return r, err
	}
	r.To = last.AddDate(0, 0, 1)
	if !r.From.Before(r.To) || r.From.AddDate(0, 0, coverage.MaxDays).Before(r.To) {
		return r, problem.BadQuery(problem.Field{Location: "query.from", Message: "The days are none or more than 366."})
	}
	return r, nil
}
