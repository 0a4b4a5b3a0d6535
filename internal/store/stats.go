package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// PolicyStats is what a policy did, in an hour or in several.
type PolicyStats struct {
	PolicyID    string
	Since       time.Time // the hour that it begins with
	Evaluations int64     // units that it was asked about
	Decisions   int64     // of these, units that break it
	Shadow      int64     // decisions in mode shadow
	Held        int64     // decisions while it was paused
	Failures    int64     // evaluations without an answer
	Time        time.Duration
}

// DetectorStats is what a detector did, in an hour or in several: places where it looked closer, and matches by band of confidence.
type DetectorStats struct {
	DetectorID                  string
	Since                       time.Time
	Candidates                  int64
	Low, Medium, High, VeryHigh int64
}

// hourOf counts hours from 1970.
func hourOf(t time.Time) int64 { return t.Unix() / int64(time.Hour/time.Second) }

func fromHour(hour int64) time.Time {
	return time.Unix(hour*int64(time.Hour/time.Second), 0).UTC()
}

// AddPolicyStats adds to what policies did in the hour of the transaction; Since is not looked at.
func AddPolicyStats(ctx context.Context, tx *Tx, all ...PolicyStats) error {
	for _, s := range all {
		_, err := tx.ExecContext(ctx, `INSERT INTO policy_stats (workspace_id, policy_id, hour, evaluations, decisions, shadow, held, failures, nanos) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
			ON CONFLICT (workspace_id, policy_id, hour) DO UPDATE SET evaluations = policy_stats.evaluations + excluded.evaluations, decisions = policy_stats.decisions + excluded.decisions,
				shadow = policy_stats.shadow + excluded.shadow, held = policy_stats.held + excluded.held, failures = policy_stats.failures + excluded.failures, nanos = policy_stats.nanos + excluded.nanos`,
			Workspace, s.PolicyID, hourOf(tx.Now()), s.Evaluations, s.Decisions, s.Shadow, s.Held, s.Failures, int64(s.Time))
		if err != nil {
			return fmt.Errorf("count what policies did: %w", err)
		}
	}
	return nil
}

// PolicyStatsSince returns what policies did from the hour of a time on, by id.
func PolicyStatsSince(ctx context.Context, q Querier, since time.Time) ([]PolicyStats, error) {
	rows, err := q.QueryContext(ctx, `SELECT policy_id, MIN(hour), SUM(evaluations), SUM(decisions), SUM(shadow), SUM(held), SUM(failures), SUM(nanos) FROM policy_stats WHERE workspace_id = $1 AND hour >= $2
		GROUP BY policy_id ORDER BY policy_id`, Workspace, hourOf(since))
	if err != nil {
		return nil, fmt.Errorf("read what policies did: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (PolicyStats, error) {
		var s PolicyStats
		var hour, nanos int64
		if err := r.Scan(&s.PolicyID, &hour, &s.Evaluations, &s.Decisions, &s.Shadow, &s.Held, &s.Failures, &nanos); err != nil {
			return s, fmt.Errorf("read what policies did: %w", err)
		}
		s.Since, s.Time = fromHour(hour), time.Duration(nanos)
		return s, nil
	})
}

// AddDetectorStats adds to what detectors did in the hour of the transaction; Since is not looked at.
func AddDetectorStats(ctx context.Context, tx *Tx, all ...DetectorStats) error {
	for _, s := range all {
		_, err := tx.ExecContext(ctx, `INSERT INTO detector_stats (workspace_id, detector_id, hour, candidates, low, medium, high, very_high) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (workspace_id, detector_id, hour) DO UPDATE SET candidates = detector_stats.candidates + excluded.candidates, low = detector_stats.low + excluded.low,
				medium = detector_stats.medium + excluded.medium, high = detector_stats.high + excluded.high, very_high = detector_stats.very_high + excluded.very_high`,
			Workspace, s.DetectorID, hourOf(tx.Now()), s.Candidates, s.Low, s.Medium, s.High, s.VeryHigh)
		if err != nil {
			return fmt.Errorf("count what detectors did: %w", err)
		}
	}
	return nil
}

// DetectorStatsSince returns what detectors did from the hour of a time on, by id.
func DetectorStatsSince(ctx context.Context, q Querier, since time.Time) ([]DetectorStats, error) {
	rows, err := q.QueryContext(ctx, `SELECT detector_id, MIN(hour), SUM(candidates), SUM(low), SUM(medium), SUM(high), SUM(very_high) FROM detector_stats WHERE workspace_id = $1 AND hour >= $2
		GROUP BY detector_id ORDER BY detector_id`, Workspace, hourOf(since))
	if err != nil {
		return nil, fmt.Errorf("read what detectors did: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (DetectorStats, error) {
		var s DetectorStats
		var hour int64
		if err := r.Scan(&s.DetectorID, &hour, &s.Candidates, &s.Low, &s.Medium, &s.High, &s.VeryHigh); err != nil {
			return s, fmt.Errorf("read what detectors did: %w", err)
		}
		s.Since = fromHour(hour)
		return s, nil
	})
}

// PurgeStats forgets what policies and detectors did in hours before that of a time. There are some thousand rows for each day.
func PurgeStats(ctx context.Context, tx *Tx, before time.Time) error {
	for _, table := range []string{"policy_stats", "detector_stats"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE workspace_id = $1 AND hour < $2`, Workspace, hourOf(before)); err != nil {
			return fmt.Errorf("purge %s: %w", table, err)
		}
	}
	return nil
}

// Reasons of a pause.
const (
	PauseFlood = "flood" // it made too many new findings in an hour
	PauseCost  = "cost"  // an evaluation took too long on the average
)

// Pause is a policy that cost or found too much. It stands until somebody ends it.
type Pause struct {
	PolicyID        string
	Reason          string
	Measured, Bound int64 // findings, or nanoseconds
	Paused          bool  // false: it is only reported, and works on: a locked policy
	Held            int64 // decisions that were held back since
	At              time.Time
	EndedAt         time.Time // zero: it stands
	EndedBy         string
}

// Pauses returns the last pause of each policy, those that have ended too, by policy.
func Pauses(ctx context.Context, q Querier) ([]Pause, error) {
	rows, err := q.QueryContext(ctx, `SELECT policy_id, reason, measured, bound, paused, held, at, ended_at, ended_by FROM policy_pauses WHERE workspace_id = $1 ORDER BY policy_id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list pauses: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Pause, error) {
		var p Pause
		var paused, at, ended int64
		if err := r.Scan(&p.PolicyID, &p.Reason, &p.Measured, &p.Bound, &paused, &p.Held, &at, &ended, &p.EndedBy); err != nil {
			return p, fmt.Errorf("read pause: %w", err)
		}
		p.Paused, p.At, p.EndedAt = paused != 0, FromMicros(at), FromMicros(ended)
		return p, nil
	})
}

// BeginPause stores that a policy is paused, or reported, from now on. It reports false, and changes nothing, if a pause of the policy stands.
func BeginPause(ctx context.Context, tx *Tx, p Pause) (bool, error) {
	paused := 0
	if p.Paused {
		paused = 1
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO policy_pauses (workspace_id, policy_id, reason, measured, bound, paused, held, at, ended_at, ended_by) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, 0, '')
		ON CONFLICT (workspace_id, policy_id) DO UPDATE SET reason = excluded.reason, measured = excluded.measured, bound = excluded.bound, paused = excluded.paused, held = 0, at = excluded.at, ended_at = 0, ended_by = ''
		WHERE policy_pauses.ended_at <> 0`, Workspace, p.PolicyID, p.Reason, p.Measured, p.Bound, paused, Micros(tx.Now()))
	return changed(res, err, "pause policy "+p.PolicyID)
}

// EndPause ends the pause of a policy. It reports false if none stands.
func EndPause(ctx context.Context, tx *Tx, policyID, by string) (bool, error) {
	res, err := tx.ExecContext(ctx, `UPDATE policy_pauses SET ended_at = $1, ended_by = $2 WHERE workspace_id = $3 AND policy_id = $4 AND ended_at = 0`, Micros(tx.Now()), by, Workspace, policyID)
	return changed(res, err, "resume policy "+policyID)
}

// AddHeld counts decisions that the standing pause of a policy held back.
func AddHeld(ctx context.Context, tx *Tx, policyID string, n int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE policy_pauses SET held = held + $1 WHERE workspace_id = $2 AND policy_id = $3 AND ended_at = 0`, n, Workspace, policyID)
	if err != nil {
		return fmt.Errorf("count what a pause held back: %w", err)
	}
	return nil
}

// changed reports whether a statement changed a row.
func changed(res sql.Result, err error, what string) (bool, error) {
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return false, fmt.Errorf("%s: %w", what, err)
	}
	return n > 0, nil
}
