// Package coverage says what was read of every stream of a connection, what was not, and whether an operator should look (invariant 5). It only reads
// the ledger, the intervals and the checkpoints that scans leave in the store, and compares them with what should have been read: the history that
// was asked for, and everything from then to the watermark. So a row that is missing shows, whoever lost it.
package coverage

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

// States of a stream.
const (
	Green = "green" // all that should be read is, up to the watermark
	Amber = "amber" // nothing is lost, but something is still to come or wants a look
	Red   = "red"   // something is not read that should be, or the stream stands still
	Grey  = "grey"  // not available to this tenant, or not readable with this key
)

// Codes of notices. The first five are alerts.
const (
	CodeHole           = "hole"
	CodeGap            = "gap"
	CodeLag            = "lag"
	CodeStopped        = "stopped"
	CodeSkips          = "skips_rising"
	CodeHistory        = "history_pending"
	CodeHistoryPaused  = "history_paused"
	CodePaused         = "paused"
	CodeNotRead        = "not_read_yet"
	CodeRetrying       = "retrying"
	CodeQuarantined    = "quarantined"
	CodePartial        = "snapshot_partial"
	CodeUnavailable    = "unavailable"
	CodeOtherKey       = "other_key"
	CodeOtherConnected = "other_connection"
)

// Alerts are the codes of the notices that are alerts.
func Alerts() []string { return []string{CodeHole, CodeGap, CodeLag, CodeStopped, CodeSkips} }

// ReasonHole is the reason of a gap that nothing explains: no interval says that it was read, none that it could not be.
const ReasonHole = "hole"

// Notice is one reason why a stream is not green.
type Notice struct {
	Code    string
	Message string // one or two sentences for an operator
}

// Tally is what became of units. Read is always the sum of the others, with every reason of Skipped.
type Tally struct {
	Read, Scanned, Failed, Deferred, Quarantined int64
	Skipped                                      map[string]int64 // by reason
}

func (t *Tally) add(outcome, reason string, n int64) {
	switch outcome {
	case store.OutcomeScanned:
		t.Scanned += n
	case store.OutcomeSkipped:
		if t.Skipped == nil {
			t.Skipped = map[string]int64{}
		}
		t.Skipped[reason] += n
	case store.OutcomeFailed:
		t.Failed += n
	case store.ItemDeferred:
		t.Deferred += n
	case store.ItemQuarantined:
		t.Quarantined += n
	default:
		return // Late and overlap are counted beside.
	}
	t.Read += n
}

// Gap is a span that should have been read and is not.
type Gap struct {
	Span
	Reason string // ReasonHole, or the code of the error
}

// Summary is the coverage of one stream of a connection.
type Summary struct {
	ConnectionID string
	Stream       connectors.Stream // only the id is set for one that the manifest does not name, such as files
	WatermarkAt  time.Time         // zero: nothing was read yet
	Lag          time.Duration     // from the watermark to now; 0 without a watermark
	Tally
	Units         map[string]*Tally // by unit
	Members       map[string]int64  // files inside of files that were not scanned, by reason; their files are counted in Tally
	Late, Overlap int64
	Gaps          []Gap
	Intervals     []Span          // read to their end, oldest first
	Pending       []Span          // history that is not read yet
	BackfillOpen  int             // slices of it
	Unavailable   bool            // the app does not give the stream to this tenant now
	Error         string          // code of what the live lane stumbled over last
	Snapshot      *store.Snapshot // of a stream that is read as a whole, nil: none ended yet
	State         string
	Reasons       []Notice // why it is not green, the alerts first
}

// Alerts are the reasons that are alerts.
func (s Summary) Alerts() []Notice {
	return slices.DeleteFunc(slices.Clone(s.Reasons), func(n Notice) bool { return !slices.Contains(Alerts(), n.Code) })
}

// facts is what the store knows of a connection.
type facts struct {
	connection  store.Connection
	thresholds  Thresholds
	now         time.Time
	counts      []store.Count
	days        []store.Count // of the days that the share of skipped units is compared over
	waiting     []store.Count
	gaps, read  []store.Interval
	checkpoints []store.Checkpoint
	snapshots   []store.Snapshot
	reads       map[string]bool // the streams that the connection reads
}

// Of returns the coverage of a connection, sorted by stream: of the streams of its connector, and of every other that was ever counted.
func Of(ctx context.Context, q store.Querier, c store.Connection, m *connectors.Manifest, t Thresholds, now time.Time) ([]Summary, error) {
	f := facts{connection: c, thresholds: t, now: now}
	if err := f.load(ctx, q, m); err != nil {
		return nil, fmt.Errorf("coverage of connection %s: %w", c.ID, err)
	}
	by := map[string]*Summary{}
	at := func(stream string) *Summary {
		if by[stream] == nil {
			by[stream] = &Summary{ConnectionID: c.ID, Stream: connectors.Stream{ID: stream}, Tally: Tally{Skipped: map[string]int64{}}, Units: map[string]*Tally{}}
		}
		return by[stream]
	}
	for _, s := range m.Streams {
		at(s.ID).Stream = s
	}
	for _, n := range f.counts {
		at(n.Stream).count(n)
	}
	for _, n := range f.waiting {
		if n.Outcome == store.ItemDeferred || n.Outcome == store.ItemQuarantined {
			at(n.Stream).count(n)
		}
	}
	out := make([]Summary, 0, len(by))
	for _, id := range slices.Sorted(maps.Keys(by)) {
		s := by[id]
		f.progress(s)
		f.spans(s)
		f.judge(s)
		out = append(out, *s)
	}
	return out, nil
}

func (f *facts) load(ctx context.Context, q store.Querier, m *connectors.Manifest) (err error) {
	id := f.connection.ID
	if f.counts, err = store.Counts(ctx, q, id); err != nil {
		return err
	}
	first := f.now.AddDate(0, 0, 1-f.thresholds.RecentDays-f.thresholds.BaseDays)
	if f.days, err = store.DayCounts(ctx, q, id, first, f.now); err != nil {
		return err
	}
	if f.waiting, err = store.CountItems(ctx, q, id); err != nil {
		return err
	}
	if f.snapshots, err = store.Snapshots(ctx, q, id); err != nil {
		return err
	}
	return f.loadTimes(ctx, q, m)
}

// loadTimes reads what tells which times were read.
func (f *facts) loadTimes(ctx context.Context, q store.Querier, m *connectors.Manifest) (err error) {
	id := f.connection.ID
	reads, err := workflows.Streams(ctx, q, f.connection, m)
	if err != nil {
		return err
	}
	f.reads = map[string]bool{}
	for _, s := range reads {
		f.reads[s.ID] = true
	}
	if f.gaps, err = store.Intervals(ctx, q, id, store.IntervalGap); err != nil {
		return err
	}
	if f.read, err = store.Intervals(ctx, q, id, store.IntervalRead); err != nil {
		return err
	}
	f.checkpoints, err = store.ListCheckpoints(ctx, q, id)
	return err
}

// count adds one line of the ledger, or items that wait.
func (s *Summary) count(n store.Count) {
	switch n.Outcome {
	case store.OutcomeLate:
		s.Late += n.N
		return
	case store.OutcomeOverlap:
		s.Overlap += n.N
		return
	case store.OutcomeMember:
		if s.Members == nil {
			s.Members = map[string]int64{}
		}
		s.Members[n.Reason] += n.N
		return
	}
	s.add(n.Outcome, n.Reason, n.N)
	if s.Units[n.Unit] == nil {
		s.Units[n.Unit] = &Tally{Skipped: map[string]int64{}}
	}
	s.Units[n.Unit].add(n.Outcome, n.Reason, n.N)
}
