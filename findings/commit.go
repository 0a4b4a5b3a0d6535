package findings

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// Limits of what a commit takes; bytes, and instances.
const (
	maxID        = 512
	maxTitle     = 300
	maxName      = 512
	maxURL       = 2048
	maxDetectors = 100

	// MaxPath bounds NewInstance.Path.
	MaxPath = maxID

	// MaxInstances is how many instances are stored per (finding, instance.resource); the true number is counted beside them.
	MaxInstances = 1000
)

// Commit is what one item's scan found. All of it is stored in the item's transaction (invariant 1).
type Commit struct {
	ConnectionID string
	Connector    string
	Detections   []Detection
}

// Detection is one policy broken by one resource, with the instances that this item holds. Several of one finding are one change.
type Detection struct {
	PolicyID      string
	PolicyVersion int
	Kind          string // content, activity, posture
	Severity      string
	Shadow        bool // it makes no finding: see ShadowFinding
	Graded        bool // the severity is of this item alone: the worst that one version of the policy gave to the finding stays
	Title         string
	Resource      Resource // Name is masked by the caller
	Actor         Actor
	OccurredAt    time.Time      // the source's time, where an instance has none
	Instances     []NewInstance  // at least one
	Asked         []policy.Asked // what the policy's expression asked for; foreign words masked by the caller

	// Exception is the id of the exception that the detection falls under; empty: none. Such a one is counted there, and makes and changes nothing.
	Exception string

	// Stream and Scope say where the record of a posture finding is listed. Its one instance is a cause, for as long as the finding holds of it.
	Stream, Scope string
}

// NewInstance is one match in its place. An activity or a record is one instance with no value, its Resource being the activity or record. That of
// a record (Part "record") names a field in Path and shows it in Match.Masked; both may change, and it stays the same instance. The instances of
// one Resource come all in one commit, in the order of the text.
type NewInstance struct {
	Resource Ref
	Part     string
	Path     string
	At       time.Time
	Match    dlp.Match
	Why      string // dlp.Why, encoded; empty: there is no match, or nothing is known
}

// Result counts what a commit changed.
type Result struct {
	FindingsNew  int
	InstancesNew int // places that were not known, also those past MaxInstances
	LogRows      int
}

// CommitItem stores what an item's scan found: the one way in. What is known already changes nothing, so that scanning unchanged data again
// appends no row to the log; whether something is new is decided here, by the transaction. It returns ErrInvalid, and stores nothing, for a
// detection that breaks a limit or has no instance.
func CommitItem(ctx context.Context, tx *store.Tx, keys Keys, c Commit) (Result, error) {
	var res Result
	var order []string
	grouped := map[string][]Detection{}
	for _, d := range c.Detections {
		if err := check(c, d); err != nil {
			return Result{}, err
		}
		if d.Exception != "" {
			if err := store.CountSuppressed(ctx, tx, d.Exception, d.Instances[0].Resource.Kind, d.Instances[0].Resource.ID); err != nil {
				return Result{}, err
			}
			continue
		}
		id := keys.FindingID(c.ConnectionID, Ref{d.Resource.Kind, d.Resource.ID}, d.PolicyID)
		if d.Shadow {
			if err := commitShadow(ctx, tx, c.ConnectionID, id, d); err != nil {
				return Result{}, err
			}
			continue
		}
		if _, ok := grouped[id]; !ok {
			order = append(order, id)
		}
		grouped[id] = append(grouped[id], d)
	}
	actors := map[Actor]string{}
	for _, id := range order {
		if err := commitFinding(ctx, tx, keys, c, id, grouped[id], actors, &res); err != nil {
			return Result{}, err
		}
	}
	return res, nil
}

// check refuses what could not be stored in full: cutting an id would make two things one.
func check(c Commit, d Detection) error {
	switch {
	case c.ConnectionID == "" || d.PolicyID == "" || d.Resource.Kind == "" || d.Resource.ID == "":
		return fmt.Errorf("%w: it names no connection, policy or resource", ErrInvalid)
	case len(d.PolicyID) > maxID || len(d.Resource.ID) > maxID || len(d.Resource.Kind) > 64 || len(c.Connector) > 64:
		return fmt.Errorf("%w: policy %s: an id is over %d bytes", ErrInvalid, clean(d.PolicyID, 64), maxID)
	case !slices.Contains(Severities(), d.Severity) || !slices.Contains(Kinds(), d.Kind):
		return fmt.Errorf("%w: policy %s: no such severity or kind", ErrInvalid, d.PolicyID)
	case len(d.Instances) == 0:
		return fmt.Errorf("%w: policy %s: it has no instance", ErrInvalid, d.PolicyID)
	}
	for _, in := range d.Instances {
		if in.Resource.Kind == "" || in.Resource.ID == "" || len(in.Resource.Kind) > 64 || len(in.Resource.ID) > maxID || len(in.Path) > MaxPath || len(in.Part) > 64 {
			return fmt.Errorf("%w: policy %s: an instance has no place, or one over %d bytes", ErrInvalid, d.PolicyID, maxID)
		}
	}
	return nil
}

func commitFinding(ctx context.Context, tx *store.Tx, keys Keys, c Commit, id string, detections []Detection, actors map[Actor]string, res *Result) error {
	rec, known, err := load(ctx, tx, id)
	if err != nil {
		return err
	}
	now := TimeOf(tx.Now())
	if !known {
		rec.Finding = Finding{
			ID: id, PolicyID: detections[0].PolicyID, PolicyVersion: detections[0].PolicyVersion, Kind: detections[0].Kind,
			Status: StatusOpen, Source: SourcePresent, ConnectionID: c.ConnectionID, Connector: c.Connector,
			Resource: Resource{Kind: detections[0].Resource.Kind, ID: detections[0].Resource.ID}, FirstSeenAt: now,
		}
	}
	before := rec
	var instances []NewInstance
	for _, d := range detections {
		if err := rec.apply(ctx, tx, keys, d, actors); err != nil {
			return err
		}
		for _, in := range d.Instances {
			if in.At.IsZero() {
				in.At = d.OccurredAt
			}
			instances = append(instances, in)
		}
	}
	fresh, added, renewed, err := storeInstances(ctx, tx, keys, id, instances)
	if err != nil {
		return err
	}
	rec.InstanceCount += added
	caused, err := storeCauses(ctx, tx, keys, rec.Finding, detections)
	if err != nil {
		return err
	}
	fresh = append(fresh, caused...)
	if added > 0 || len(caused) > 0 {
		rec.LastSeenAt = now
	}
	typ := TypeUpdated
	switch {
	case !known:
		typ = TypeCreated
		res.FindingsNew++
	case added > 0 || len(caused) > 0:
		if rec.Status, typ, err = recur(ctx, tx, rec, fresh); err != nil {
			return err
		}
	}
	res.InstancesNew += int(added)
	if known && !renewed && rec.visible() == before.visible() {
		if rec.bookkeeping() == before.bookkeeping() {
			return nil
		}
		if err := save(ctx, tx, rec); err != nil {
			return err
		}
	} else {
		res.LogRows++
		if err := record(ctx, tx, rec, typ, "", ""); err != nil {
			return err
		}
	}
	return explain(ctx, tx, id, detections[len(detections)-1])
}

// apply takes over what a detection says about the finding itself. What a person decided is not among it.
func (s *Snapshot) apply(ctx context.Context, tx *store.Tx, keys Keys, d Detection, actors map[Actor]string) error {
	key, ok := actors[d.Actor]
	if !ok {
		var err error
		if key, err = UpsertActor(ctx, tx, keys, s.ConnectionID, d.Actor); err != nil {
			return err
		}
		actors[d.Actor] = key
	}
	if s.ActorKey == "" {
		s.ActorKey = key
	}
	// A scan that still runs with an older version of the policy does not undo a newer one.
	if d.PolicyVersion >= s.PolicyVersion {
		severity := d.Severity
		// Or the severity would go up and down with the order in which the items are read.
		if d.Graded && d.PolicyVersion == s.PolicyVersion && s.Severity != "" && slices.Index(Severities(), s.Severity) < slices.Index(Severities(), severity) {
			severity = s.Severity
		}
		s.PolicyVersion, s.Severity, s.Title = d.PolicyVersion, severity, clean(d.Title, maxTitle)
	}
	if name := clean(d.Resource.Name, maxName); name != "" {
		s.Resource.Name = name
	}
	if url := clean(d.Resource.URL, maxURL); url != "" {
		s.Resource.URL = url
	}
	// The connection is back. A deletion stays: a page listed before it may be committed after it.
	if s.Source == SourceUnknown {
		s.Source = SourcePresent
	}
	detectors := slices.Clone(s.Detectors)
	for _, in := range d.Instances {
		if in.Match.Detector != "" && !slices.Contains(detectors, in.Match.Detector) && len(detectors) < maxDetectors {
			detectors = append(detectors, in.Match.Detector)
		}
		at := TimeOf(in.At)
		if at == 0 {
			at = TimeOf(d.OccurredAt)
		}
		if at != 0 && (s.OccurredAt == 0 || at < s.OccurredAt) {
			s.OccurredAt = at
		}
		s.LastOccurredAt = max(s.LastOccurredAt, at)
	}
	slices.Sort(detectors)
	s.Detectors = detectors
	return nil
}

// visible is what a change of writes a log row.
func (s Snapshot) visible() any {
	type fields struct {
		severity, status, source, title, name, url, actor, detectors string
		instances                                                    int64
	}
	return fields{s.Severity, s.Status, s.Source, s.Title, s.Resource.Name, s.Resource.URL, s.ActorKey, joinDetectors(s.Detectors), s.InstanceCount}
}

// bookkeeping is what is stored without a log row.
func (s Snapshot) bookkeeping() any {
	type fields struct {
		version                          int
		lastSeen, occurred, lastOccurred Time
	}
	return fields{s.PolicyVersion, s.LastSeenAt, s.OccurredAt, s.LastOccurredAt}
}
