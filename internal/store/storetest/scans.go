package storetest

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/internal/store"
)

func (s *suite) queue(connection, cause string) (out store.Scan) {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = store.QueueScan(ctx, tx, connection, cause)
		return err
	})
	return out
}

func (s *suite) claim(connection, run string) (out store.Scan) {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = store.ClaimScan(ctx, tx, connection, "sync-"+connection, run)
		return err
	})
	return out
}

func (s *suite) finish(id, state string) {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.FinishScan(ctx, tx, id, state, "OB-2014", "a sentence")
	})
}

func (s *suite) scan(id string) store.Scan {
	s.Helper()
	return must[store.Scan](s)(store.GetScan(s.Context(), s.Read(), id))
}

func scanShared(s *suite) {
	ctx := s.Context()
	_, err := store.GetScan(ctx, s.Read(), "scn_none")
	s.notFound("GetScan", err)
	s.equal("nothing is open", false, must[bool](s)(store.HasOpenScan(ctx, s.Read(), "con_1")))
	first := s.queue("con_1", store.CauseRequest)
	if !strings.HasPrefix(first.ID, "scn_") {
		s.Errorf("id %q", first.ID)
	}
	s.equal("QueueScan", store.Scan{ID: first.ID, ConnectionID: "con_1", State: store.ScanQueued, Cause: store.CauseRequest, QueuedAt: stored, UpdatedAt: stored}, first)
	s.equal("QueueScan, read", first, s.scan(first.ID))
	s.equal("a second request", first.ID, s.queue("con_1", store.CauseSchedule).ID)
	if other := s.queue("con_2", store.CauseRequest); other.ID == first.ID {
		s.Error("two connections share a scan")
	}
	s.equal("one is open", true, must[bool](s)(store.HasOpenScan(ctx, s.Read(), "con_1")))
	running := s.claim("con_1", "run-1")
	s.equal("what was queued is claimed", first.ID, running.ID)
	if next := s.queue("con_1", store.CauseRequest); next.ID == first.ID {
		s.Error("a request after the start shares a scan that may have passed its place")
	}
}

func scanClaim(s *suite) {
	ctx := s.Context()
	made := s.claim("con_1", "run-1")
	s.equal("with nothing queued, one is made", []string{store.ScanRunning, store.CauseSchedule, "sync-con_1", "run-1"}, []string{made.State, made.Cause, made.WorkflowID, made.RunID})
	s.now = start.Add(time.Minute)
	queued := s.queue("con_1", store.CauseRequest)
	again := s.claim("con_1", "run-2")
	s.equal("the one that a dead workflow left running comes first", made.ID, again.ID)
	s.equal("it keeps its start", stored, again.StartedAt)
	s.equal("it has the new run", "run-2", s.scan(made.ID).RunID)
	s.equal("RunningScans", []store.Scan{s.scan(made.ID)}, must[[]store.Scan](s)(store.RunningScans(ctx, s.Read())))
	s.finish(made.ID, store.ScanSucceeded)
	s.equal("then the queued one", queued.ID, s.claim("con_1", "run-3").ID)
	s.finish(queued.ID, store.ScanFailed)
	s.equal("CountScans", map[string]int64{store.ScanSucceeded: 1, store.ScanFailed: 1}, must[map[string]int64](s)(store.CountScans(ctx, s.Read())))
	if last := s.claim("con_1", "run-4"); last.ID == made.ID || last.ID == queued.ID {
		s.Error("a scan that ended was claimed")
	}
}

func scanProgress(s *suite) {
	scan := s.claim("con_1", "run-1")
	for _, n := range [][4]int64{{3, 2, 1, 1}, {2, 1, 1, 0}} {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.AddProgress(ctx, tx, scan.ID, n[0], n[1], n[2], n[3])
		})
	}
	got := s.scan(scan.ID)
	s.equal("counts", []int64{5, 3, 2, 1}, []int64{got.ItemsRead, got.ItemsScanned, got.ItemsSkipped, got.FindingsNew})
	s.now = start.Add(time.Minute)
	s.finish(scan.ID, store.ScanPartial)
	ended := s.scan(scan.ID)
	s.equal("end", []string{store.ScanPartial, "OB-2014", "a sentence"}, []string{ended.State, ended.ErrorCode, ended.Error})
	s.equal("the time of the end", s.now.Truncate(time.Microsecond), ended.FinishedAt)
	s.now = start.Add(time.Hour)
	s.finish(scan.ID, store.ScanSucceeded)
	s.equal("finished again", ended, s.scan(scan.ID))
	queued := s.queue("con_1", store.CauseRequest)
	s.finish(queued.ID, store.ScanCancelled)
	s.equal("a queued one can be cancelled", store.ScanCancelled, s.scan(queued.ID).State)
}

func scanPages(s *suite) {
	ctx := s.Context()
	var want []string
	for i := range 7 {
		if i%3 == 0 { // Several share a time, so that only the id tells them apart.
			s.now = s.now.Add(time.Second)
		}
		scan := s.queue("con_1", store.CauseSchedule)
		s.finish(scan.ID, store.ScanSucceeded)
		want = append(want, scan.ID)
	}
	other := s.queue("con_2", store.CauseSchedule)
	var got []string
	last := store.Scan{}
	for page := 0; page < 10; page++ {
		list := must[[]store.Scan](s)(store.ListScans(ctx, s.Read(), "con_1", last.QueuedAt, last.ID, 2))
		if len(list) == 0 {
			break
		}
		for _, scan := range list {
			if !last.QueuedAt.IsZero() && scan.QueuedAt.After(last.QueuedAt) {
				s.Errorf("%s is newer than the one before", scan.ID)
			}
			got, last = append(got, scan.ID), scan
		}
	}
	slices.Sort(want)
	slices.Sort(got)
	s.equal("all pages together", want, got)
	all := must[[]store.Scan](s)(store.ListScans(ctx, s.Read(), "", time.Time{}, "", 100))
	s.equal("scans of all connections", true, len(all) == 8 && slices.ContainsFunc(all, func(x store.Scan) bool { return x.ID == other.ID }))
}

func scanPurge(s *suite) {
	ctx := s.Context()
	ended := func(connection, cause, state string, read int64) string {
		s.now = s.now.Add(time.Minute)
		scan := s.queue(connection, cause)
		s.claim(connection, "run")
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.AddProgress(ctx, tx, scan.ID, read, read, 0, 0)
		})
		s.finish(scan.ID, state)
		return scan.ID
	}
	empty := ended("con_1", store.CauseSchedule, store.ScanSucceeded, 0)
	kept := []string{
		ended("con_1", store.CauseSchedule, store.ScanSucceeded, 2), ended("con_1", store.CauseRequest, store.ScanSucceeded, 0),
		ended("con_1", store.CauseSchedule, store.ScanFailed, 0), ended("con_1", store.CauseSchedule, store.ScanSucceeded, 0), // the last one
		ended("con_2", store.CauseSchedule, store.ScanSucceeded, 0), // the last one of another
	}
	purge := func(before time.Time) (n int64) {
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			n, err = store.PurgeScans(ctx, tx, before, 10)
			return err
		})
		return n
	}
	s.equal("none is old", int64(0), purge(stored))
	s.equal("old ones", int64(1), purge(s.now.Add(time.Hour)))
	_, err := store.GetScan(ctx, s.Read(), empty)
	s.notFound("the empty one", err)
	for _, id := range kept {
		s.scan(id)
	}
}

func scanPlaces(s *suite) {
	place := func(id string) int64 {
		s.Helper()
		n, err := store.ScanPlace(s.Context(), s.Read(), id)
		if err != nil {
			s.Fatal(err)
		}
		return n
	}
	first := s.queue("con_1", store.CauseFirst)
	s.now = s.now.Add(time.Second)
	second := s.queue("con_2", store.CauseRequest)
	s.now = s.now.Add(time.Second)
	third := s.queue("con_3", store.CauseRequest)
	s.equal("the first of the queue", int64(0), place(first.ID))
	s.equal("the third", int64(2), place(third.ID))
	s.claim("con_3", "run")
	s.equal("one that runs", int64(0), place(third.ID))
	s.equal("one behind a queued and a running one", int64(2), place(second.ID))
	s.finish(third.ID, store.ScanSucceeded)
	s.equal("one behind a queued one", int64(1), place(second.ID))
	s.equal("one that ended", int64(0), place(third.ID))
	s.equal("one that is none", int64(0), place("scn_none"))
}
