package workflows

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// switchedOff is the version under which a policy is noted that is in force no longer: when it comes back, it is asked again.
const switchedOff = "off"

// judgeFor is how long the beginning of a scan waits for posture policies that are new.
const judgeFor = 30 * time.Second

// giving returns the snapshots of a connection that give a kind of records. They are those of the streams whose manifest names the kind, or of
// those that hold records of it where none does.
func giving(ctx context.Context, q store.Querier, m *connectors.Manifest, connectionID, kind string) ([]store.Snapshot, error) {
	var streams []string
	for _, s := range m.Streams {
		if slices.Contains(s.Records, kind) {
			streams = append(streams, s.ID)
		}
	}
	if len(streams) == 0 {
		var err error
		if streams, err = store.RecordStreams(ctx, q, connectionID, kind); err != nil {
			return nil, err
		}
	}
	var out []store.Snapshot
	for _, stream := range streams {
		s, err := store.GetSnapshot(ctx, q, connectionID, stream)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// wasWhole reports whether all of a kind of records was read whole once, and whether the app still gives it.
func (p *page) wasWhole(ctx context.Context, q store.Querier, kind string) (whole, given bool, err error) {
	m, err := p.Open.Manifest(p.connection.Connector)
	if err != nil {
		return false, false, err
	}
	snapshots, err := giving(ctx, q, m, p.connection.ID, kind)
	whole, given = len(snapshots) > 0, true
	for _, s := range snapshots {
		whole = whole && !s.WholeAt.IsZero()
		given = given && s.State != store.SnapshotUnavailable
	}
	return whole, given, err
}

// standing is what a policy's standing() answers. Of a kind that was never read whole it is 0: in half a list most are missing. Values are compared
// as they are stored, masked.
func (p *page) standing(ctx context.Context, q store.Querier, kind, field, value string) (int64, error) {
	if whole, _, err := p.wasWhole(ctx, q, kind); err != nil || !whole {
		return 0, err
	}
	if field != "id" {
		value = p.mask(value)
	}
	return store.CountStanding(ctx, q, p.connection.ID, kind, field, value)
}

// answerable returns those of the policies whose standing() can be answered: all that it counts was read whole and is available.
func (p *page) answerable(ctx context.Context, q store.Querier, policies []policy.Effective) (out []policy.Effective, err error) {
	known := map[string]bool{}
	for _, e := range policies {
		answers := true
		for _, kind := range e.Standing {
			if _, asked := known[kind]; !asked {
				whole, given, err := p.wasWhole(ctx, q, kind)
				if err != nil {
					return nil, err
				}
				known[kind] = whole && given
			}
			answers = answers && known[kind]
		}
		if answers {
			out = append(out, e)
		}
	}
	return out, nil
}

// noteJudged stores that policies have judged the records of a stream, and which are in force no longer.
func (p *page) noteJudged(ctx context.Context, tx *store.Tx, judge *judges, stream string, policies []policy.Effective) error {
	done, err := store.PostureRuns(ctx, tx, p.connection.ID, stream)
	if err != nil {
		return err
	}
	for _, e := range policies {
		version, err := p.decides(e, tx.Now())
		if err != nil {
			return err
		}
		if done[e.Policy.ID] == version {
			continue
		}
		if err := store.PutPostureRun(ctx, tx, p.connection.ID, stream, e.Policy.ID, version); err != nil {
			return err
		}
	}
	for id, version := range done {
		if _, ok := judge.byID[id]; ok || version == switchedOff {
			continue
		}
		if err := store.PutPostureRun(ctx, tx, p.connection.ID, stream, id, switchedOff); err != nil {
			return err
		}
	}
	return nil
}

// pending returns, for a stream, those of the policies that have not judged its records as they are in force now, and whether one was judged that is
// in force no longer.
func (p *page) pending(ctx context.Context, q store.Querier, judge *judges, policies []policy.Effective, stream string) (out []policy.Effective, off bool, err error) {
	done, err := store.PostureRuns(ctx, q, p.connection.ID, stream)
	if err != nil {
		return nil, false, err
	}
	for _, e := range policies {
		version, err := p.decides(e, p.DB.Now())
		if err != nil {
			return nil, false, err
		}
		if done[e.Policy.ID] != version {
			out = append(out, e)
		}
	}
	for id, version := range done {
		if _, ok := judge.byID[id]; !ok && version != switchedOff {
			off = true
		}
	}
	return out, off, nil
}

// judgeNew asks the posture policies that are new, or were changed, about the records that stand, without a call to the app. It makes findings and closes
// none: only a snapshot that was read tells that a cause is gone. Being killed, it begins again with the stream that it was at. What it finds counts in
// the scan with this id, "" being none.
func (a *Activities) judgeNew(ctx context.Context, c store.Connection, scanID string) error {
	p := &page{Activities: a, connection: c, scanID: scanID, rules: a.Rules.Current(), engine: a.Detectors.Engine(), exceptions: a.Rules.exceptions.Load()}
	judge := p.judges()
	late, err := p.answerable(ctx, a.DB.Read(), judge.late)
	if err != nil {
		return err
	}
	inForce := slices.Concat(judge.each, late)
	snapshots, err := store.Snapshots(ctx, a.DB.Read(), c.ID)
	if err != nil {
		return err
	}
	for _, s := range snapshots {
		if s.State != store.SnapshotWhole && s.State != store.SnapshotPartial {
			continue // Nothing was read to its end, or it is not available: then its policies rest.
		}
		policies, off, err := p.pending(ctx, a.DB.Read(), judge, inForce, s.Stream)
		if err != nil {
			return err
		}
		if len(policies) == 0 && !off {
			continue
		}
		if err := p.judgeStream(ctx, judge, s.Stream, policies); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) judgeStream(ctx context.Context, judge *judges, stream string, policies []policy.Effective) (err error) {
	if ctx, p.lease, err = p.hold(ctx, store.LeasePrefix(p.connection.ID)+"posture/"+stream); err != nil {
		return err
	}
	defer p.end(ctx)
	if err := p.judgeStored(ctx, judge, stream, policies, time.Time{}); err != nil {
		return err
	}
	return p.last(ctx, func(tx *store.Tx) error { return p.noteJudged(ctx, tx, judge, stream, policies) })
}

// judgeBriefly is judgeNew at the beginning of a scan, which does not wait long for it and does not fail with it: what is left is done at the next.
func (a *Activities) judgeBriefly(ctx context.Context, c store.Connection, scanID string) {
	ctx, cancel := context.WithTimeout(ctx, judgeFor)
	defer cancel()
	err := a.Rules.Follow(ctx)
	if err == nil {
		err = a.judgeNew(ctx, c, scanID)
	}
	var held *store.LeaseHeldError
	if err != nil && !errors.As(err, &held) {
		a.Log.Warn("new posture policies could not be asked", "connection", c.ID, "code", "OB-3020", "err", err)
	}
}

// JudgeInput is empty: what is to be judged stands in the store.
type JudgeInput struct{}

// JudgePosture asks the posture policies that are new about the records of all connections.
func (a *Activities) JudgePosture(ctx context.Context) error {
	ctx, stop := working(ctx)
	defer stop()
	// Another process may have changed them just now.
	if err := a.Rules.Reload(ctx); err != nil {
		return ActivityError(err)
	}
	connections, err := store.ListConnections(ctx, a.DB.Read())
	if err != nil {
		return ActivityError(err)
	}
	for _, c := range connections {
		if err := a.judgeNew(ctx, c, ""); err != nil {
			return ActivityError(err)
		}
	}
	a.operate(ctx, true)
	return nil
}
