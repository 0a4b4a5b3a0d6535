package workflows

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// judges are the posture policies in force. Those of each are asked about a record when it is read; late ones count other records, and are asked when
// the snapshot has ended: in the middle of it, one owner of two looks like the only one.
type judges struct {
	*page
	each, late []policy.Effective
	byID       map[string]judged
}

type judged struct {
	policy.Effective
	late bool
}

func (p *page) judges() *judges {
	j := &judges{page: p, byID: map[string]judged{}}
	for _, e := range p.rules.Policies() {
		if e.Policy.Kind != policy.KindPosture || e.Mode == policy.ModeOff {
			continue
		}
		v := judged{Effective: e, late: len(e.Standing) > 0}
		if j.byID[e.Policy.ID] = v; v.late {
			j.late = append(j.late, e)
		} else {
			j.each = append(j.each, e)
		}
	}
	return j
}

// subject is a record that policies are asked about.
type subject struct {
	store.Record
	what   about
	fields map[string]any // as they were read, or masked where they are not at hand any more
	unit   *unit          // what the detectors found in them
	causes []findings.Cause
	stored bool // it was not read now
}

// ask asks the policies about one record and stores what follows. A finding is made at once; that one holds no longer is only noted, under the
// beginning of the run in which the record was read. A zero beginning notes nothing: nothing was read.
func (j *judges) ask(ctx context.Context, tx *store.Tx, s subject, late bool, began time.Time) error {
	before, err := store.RecordFields(s.Before)
	if err != nil {
		return err
	}
	at := s.At
	if at.IsZero() {
		at = s.From
	}
	what := s.what
	u := &unit{ref: s.unit.ref, at: at, matches: s.unit.matches, places: s.unit.places}
	in := j.input(tx, u, what)
	in.Item.Kind, in.Record = connectors.KindRecord, policy.Record{Kind: s.Kind, Fields: s.fields, Before: before}
	look := j.lookups(ctx, tx, u, what)
	if !late {
		look.Standing = nil // Whoever asks it is asked later.
	}
	decisions, failures := j.rules.Evaluate(in, look)
	unclear, broken := map[string]bool{}, map[string]bool{}
	for _, f := range failures {
		if v, ok := j.byID[f.PolicyID]; ok && v.late == late || !ok && !s.stored {
			unclear[f.PolicyID] = true
			j.Rules.failed([]policy.Failure{f})
		}
	}
	var found []findings.Detection
	for _, d := range decisions {
		v, ok := j.byID[d.PolicyID]
		posture := d.Kind == policy.KindPosture
		if d.Paused || posture && (!ok || v.late != late) || !posture && s.stored {
			continue
		}
		broken[d.PolicyID] = true
		f := findings.Detection{
			PolicyID: d.PolicyID, PolicyVersion: d.Version, Kind: d.Kind, Severity: d.Severity, Shadow: d.Shadow, Graded: d.Graded, Title: d.Title, OccurredAt: at, Actor: what.actor, Stream: s.Stream, Scope: s.Scope,
			Resource: findings.Resource{Kind: what.resource.Kind, ID: what.resource.ID, Name: j.mask(what.resource.Name), URL: what.resource.URL},
		}
		ref := findings.Ref{Kind: s.Kind, ID: s.ID}
		under := j.under(tx.Now(), f, d.Evidence, u.matches)
		found = append(found, under.withheld(f, ref)...)
		var still bool
		if d, still = j.without(under, d, in, look); !still {
			continue // What stands of it stays as it is: its cause is still there.
		}
		f.Severity, f.Asked = d.Severity, j.asked(d)
		if posture {
			path, shown, err := evidence(v.Fields, s.Record)
			if err != nil {
				return err
			}
			f.Instances = []findings.NewInstance{{Resource: ref, Part: connectors.PartRecord, Path: path, At: at, Match: dlp.Match{Masked: shown}}}
		}
		for _, i := range d.Evidence {
			if !posture {
				f.Instances = append(f.Instances, findings.NewInstance{Resource: ref, Part: s.unit.places[i].Part, Path: s.unit.places[i].Path, At: at, Match: s.unit.matches[i], Why: j.engine.Why(s.unit.matches[i]).Encode()})
			}
		}
		if len(f.Instances) > 0 {
			found = append(found, f)
		}
	}
	if err := j.found(ctx, tx, found); err != nil {
		return err
	}
	if began.IsZero() {
		return nil
	}
	for _, c := range s.causes {
		v, ok := j.byID[c.PolicyID]
		if !ok || v.late != late || v.Mode != policy.ModeOn || v.Paused || !slices.Contains(v.Policy.On.Records, s.Kind) || broken[c.PolicyID] || unclear[c.PolicyID] {
			continue // What is off, or has no answer, changes nothing.
		}
		if err := findings.MarkFine(ctx, tx, c, began); err != nil {
			return err
		}
	}
	return nil
}

// maxShown is how long the evidence of a posture finding may be; bytes.
const maxShown = 200

// evidence shows one field of a record, masked: the first that changed with the version that stands, those that the policy names before others; else
// the first that the policy names. What changed is shown as it was and as it is.
func evidence(named []string, r store.Record) (path, shown string, err error) {
	now, err := store.RecordFields(r.Fields)
	if err != nil {
		return "", "", err
	}
	before, err := store.RecordFields(r.Before)
	if err != nil {
		return "", "", err
	}
	if r.Before != "" {
		var all []string
		for name := range now {
			all = append(all, name)
		}
		for name := range before {
			all = append(all, name)
		}
		slices.Sort(all)
		for _, name := range slices.Concat(named, all) {
			was, is := shownValue(before, name), shownValue(now, name)
			if was != is {
				const arrow = " -> "
				half := (maxShown - len(arrow)) / 2
				return findings.Shorten(name, maxRecordID), findings.Shorten(was, half) + arrow + findings.Shorten(is, half), nil
			}
		}
	}
	for _, name := range named {
		if _, ok := policy.Field(now, name); ok {
			return name, findings.Shorten(shownValue(now, name), maxShown), nil
		}
	}
	return "", "", nil
}

// shownValue is a field as text; what there is not is a dash.
func shownValue(fields map[string]any, name string) string {
	v, ok := policy.Field(fields, name)
	if !ok || v == nil {
		return "–"
	}
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "–" // It was decoded from JSON.
	}
	return string(b)
}

// judgeStored asks policies about the records of a stream that stand, without a call to the app: their strings are masked. With the beginning of a
// run it notes what holds no longer of the records that the run has read.
func (p *page) judgeStored(ctx context.Context, judge *judges, stream string, policies []policy.Effective, began time.Time) error {
	for _, late := range []bool{false, true} {
		asked := *judge
		asked.byID = map[string]judged{}
		var kinds []string
		for _, e := range policies {
			if v := judge.byID[e.Policy.ID]; v.late == late {
				asked.byID[e.Policy.ID] = v
				kinds = append(kinds, e.Policy.On.Records...)
			}
		}
		slices.Sort(kinds)
		for _, kind := range slices.Compact(kinds) {
			if err := p.judgeKind(ctx, &asked, store.RecordQuery{ConnectionID: p.connection.ID, Stream: stream, Kind: kind, Limit: recordBatch}, late, began); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *page) judgeKind(ctx context.Context, judge *judges, query store.RecordQuery, late bool, began time.Time) error {
	for more := true; more; {
		err := p.write(ctx, func(tx *store.Tx) error {
			records, err := store.Records(ctx, tx, query)
			if err != nil {
				return err
			}
			more = len(records) == query.Limit
			ids := make([]string, len(records))
			for i, r := range records {
				ids[i], query.AfterKind, query.AfterID = r.ID, r.Kind, r.ID
			}
			causes, err := findings.Causes(ctx, tx, p.connection.ID, query.Kind, ids)
			if err != nil {
				return err
			}
			for _, r := range records {
				if err := judge.askStored(ctx, tx, r, causes[r.ID], late, began); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (j *judges) askStored(ctx context.Context, tx *store.Tx, r store.Record, causes []findings.Cause, late bool, began time.Time) error {
	what, err := aboutStored(ctx, tx, r)
	if err != nil {
		return err
	}
	fields, err := store.RecordFields(r.Fields)
	if err != nil {
		return err
	}
	if !r.SeenAt.Equal(began) {
		began = time.Time{} // The run has not read it.
	}
	u := &unit{ref: connectors.Ref{Kind: connectors.KindRecord, ID: r.ID}, at: r.At}
	if err := j.detectIn(u, "", fields); err != nil {
		return err
	}
	return j.ask(ctx, tx, subject{Record: r, what: what, fields: fields, unit: u, causes: causes, stored: true}, late, began)
}
