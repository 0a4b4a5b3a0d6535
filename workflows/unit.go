package workflows

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	documents "github.com/outband/outband/dlp/place"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/store"
)

// unit is one instance.resource with its matches: what a policy is evaluated on.
type unit struct {
	ref      connectors.Ref
	at       time.Time
	file     policy.File
	matches  []dlp.Match
	places   []matchPlace     // of each match
	texts    int              // that were scanned
	given    int              // texts that matches were added of
	skipped  string           // why the app has no content for it, if it has none
	unread   string           // why its file was not scanned, though its name was
	members  map[string]int64 // files in its file that were not scanned, by reason
	contents []*content       // to be stored: scanned for the first time
	again    bool             // every part of it was given, and counted, before
}

// empty reports whether there was nothing to scan.
func (u *unit) empty() bool { return u.skipped != "" && u.texts == 0 }

type matchPlace struct {
	Part, Path string
	At         time.Time
	text       int // of the unit, from 1
}

func (u *unit) add(matches []dlp.Match, part, path string, at time.Time) {
	if u.at.IsZero() {
		u.at = at
	}
	u.given++
	for _, m := range matches {
		u.matches, u.places = append(u.matches, m), append(u.places, matchPlace{part, path, at, u.given})
	}
}

// textOf says in which text of the unit each match stands.
func (u *unit) textOf() []int {
	out := make([]int, len(u.places))
	for i := range u.places {
		out[i] = u.places[i].text
	}
	return out
}

// about is what a finding points to, with foreign strings masked.
type about struct {
	resource connectors.Resource
	actor    findings.Actor
	groups   []string
	external bool
	activity policy.Activity
	itemAt   time.Time
}

// mask replaces what the detectors find in a foreign string (invariant 4).
func (a *Activities) mask(s string) string { return a.Detectors.Engine().Mask(s, a.Keys.Matches) }

func (p *page) about(item connectors.Item) about {
	actor := item.Actor
	return about{
		resource: item.Resource,
		actor:    findings.Actor{ID: actor.ID, Email: actor.Email, Name: actor.Name, Type: actor.Type, Role: actor.Role},
		groups:   actor.Groups, external: actor.External, itemAt: item.At,
	}
}

// detect evaluates the policies on a unit and returns the detections that belong to what. It runs inside the item's transaction, so that a policy
// sees what is stored.
func (p *page) detect(ctx context.Context, tx *store.Tx, u *unit, what about) []findings.Detection {
	in, look := p.input(tx, u, what), p.lookups(ctx, tx, u, what)
	decisions, failures := p.rules.Evaluate(in, look)
	p.Rules.failed(failures)
	var out []findings.Detection
	for _, d := range decisions {
		if d.Paused {
			continue
		}
		f := findings.Detection{
			PolicyID: d.PolicyID, PolicyVersion: d.Version, Kind: d.Kind, Severity: d.Severity, Shadow: d.Shadow, Graded: d.Graded, Title: d.Title, OccurredAt: u.at, Actor: what.actor,
			Resource: findings.Resource{Kind: what.resource.Kind, ID: what.resource.ID, Name: p.mask(what.resource.Name), URL: what.resource.URL},
		}
		if d.About == policy.AboutActor && what.actor.ID != "" {
			f.Resource = findings.Resource{Kind: what.actor.Type, ID: what.actor.ID}
		}
		ref := findings.Ref{Kind: u.ref.Kind, ID: u.ref.ID}
		under := p.under(tx.Now(), f, d.Evidence, u.matches)
		out = append(out, under.withheld(f, ref)...)
		var still bool
		if d, still = p.without(under, d, in, look); !still {
			continue
		}
		f.Severity, f.Asked = d.Severity, p.asked(d)
		for _, i := range d.Evidence {
			f.Instances = append(f.Instances, findings.NewInstance{Resource: ref, Part: u.places[i].Part, Path: u.places[i].Path, At: u.places[i].At, Match: u.matches[i], Why: p.engine.Why(u.matches[i]).Encode()})
		}
		if len(f.Instances) == 0 {
			f.Instances = []findings.NewInstance{{Resource: ref, At: u.at}}
		}
		out = append(out, f)
	}
	return out
}

// asked is what the expression of a decision asked for, with the words of the source masked (invariant 4).
func (a *Activities) asked(d policy.Decision) []policy.Asked {
	out := slices.Clone(d.Asked)
	for i := range out {
		out[i].Value = a.mask(out[i].Value)
	}
	return out
}

// input is what policies may know of a unit.
func (p *page) input(tx *store.Tx, u *unit, what about) policy.Input {
	return policy.Input{
		Item:       policy.Item{Kind: u.ref.Kind, At: u.at},
		Resource:   policy.Resource{Kind: what.resource.Kind, ID: what.resource.ID, Name: what.resource.Name, Owner: what.resource.Owner, Visibility: what.resource.Visibility, Project: what.resource.Project},
		Actor:      policy.Actor{ID: what.actor.ID, Email: what.actor.Email, Type: what.actor.Type, Role: what.actor.Role, Groups: what.groups, External: what.external},
		Connection: policy.Connection{ID: p.connection.ID, Name: p.connection.Name, Connector: p.connection.Connector},
		File:       u.file, Activity: what.activity, Now: tx.Now(), Matches: u.matches, Texts: u.textOf(),
	}
}

// lookups answer a policy's questions to the store, as of the transaction.
func (p *page) lookups(ctx context.Context, tx *store.Tx, u *unit, what about) policy.Lookups {
	return policy.Lookups{
		Total: func(policyID, glob string) (int64, error) {
			id := p.Keys.Findings.FindingID(p.connection.ID, findings.Ref{Kind: what.resource.Kind, ID: what.resource.ID}, policyID)
			// Without this unit, which may be stored from an earlier scan: its matches are counted by the policy itself.
			return findings.Total(ctx, tx, id, glob, findings.Ref{Kind: u.ref.Kind, ID: u.ref.ID})
		},
		Recent: func(typeGlob, scope string, d time.Duration) (int64, error) {
			var actorKey, resourceID string
			switch scope {
			case "actor":
				if actorKey = p.Keys.Findings.ActorKey(p.connection.ID, what.actor); actorKey == "" {
					return 0, nil
				}
			case "resource":
				resourceID = what.resource.ID
			}
			return store.CountActivities(ctx, tx, p.connection.ID, typeGlob, actorKey, resourceID, u.at.Add(-d), u.at)
		},
		Standing: func(kind, field, value string) (int64, error) { return p.standing(ctx, tx, kind, field, value) },
	}
}

// scanText adds the matches of a text part to the unit of its resource.
func (p *page) scanText(ctx context.Context, part connectors.Part, u *unit) error {
	body, err := part.Open(ctx)
	if err != nil {
		return err
	}
	res, _, err := p.engine.ScanReader(ctx, body, p.Keys.Matches, maxTextBytes)
	if cerr := body.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	u.add(res.Matches, part.Kind, part.Path, part.At)
	return nil
}

// stored is what is kept of a scanned file, so that showing it in another chat needs no second fetch: masks and keyed digests only (invariant 4).
type stored struct {
	Ref     connectors.Ref `json:"ref"`
	File    policy.File    `json:"file"` // the name masked
	Matches []storedMatch  `json:"matches,omitempty"`
}

type storedMatch struct {
	Detector    string              `json:"d"`
	Start       int                 `json:"s"`
	End         int                 `json:"e"`
	Line        int                 `json:"l"`
	Confidence  float64             `json:"c"`
	Validated   bool                `json:"v,omitempty"`
	Masked      string              `json:"m"`
	Before      string              `json:"b,omitempty"`
	After       string              `json:"a,omitempty"`
	Context     []string            `json:"x,omitempty"`
	Value       string              `json:"k"`
	Fingerprint string              `json:"f"`
	Also        []string            `json:"o,omitempty"`
	Encoding    []string            `json:"n,omitempty"`
	Part        string              `json:"p"`
	Path        string              `json:"t,omitempty"`
	AtMicros    int64               `json:"u,omitempty"`
	Text        int                 `json:"y,omitempty"`
	Base        float64             `json:"q,omitempty"`
	Marks       int                 `json:"w,omitempty"`
	Column      int                 `json:"g,omitempty"`
	Source      bool                `json:"r,omitempty"`
	Where       *documents.Location `json:"z,omitempty"`
}

func storeMatch(m dlp.Match, at matchPlace) storedMatch {
	return storedMatch{
		m.Detector, m.Start, m.End, m.Line, m.Confidence, m.Validated, m.Masked, m.Before, m.After, m.Context, m.Value, m.Fingerprint, m.Also, m.Encoding, at.Part, at.Path, store.Micros(at.At), at.text, m.Base, int(m.Marks),
		m.Column, m.Source, whereOf(m.Where),
	}
}

func (m storedMatch) match() (dlp.Match, matchPlace) {
	out := dlp.Match{
		Detector: m.Detector, Start: m.Start, End: m.End, Line: m.Line, Column: m.Column, Confidence: m.Confidence, Validated: m.Validated, Masked: m.Masked, Before: m.Before, After: m.After,
		Context: m.Context, Value: m.Value, Fingerprint: m.Fingerprint, Also: m.Also, Encoding: m.Encoding, Base: m.Base, Marks: dlp.Marks(m.Marks), Source: m.Source,
	}
	if m.Where != nil {
		out.Where = *m.Where
	}
	return out, matchPlace{m.Part, m.Path, store.FromMicros(m.AtMicros), m.Text}
}

func (u *unit) encode(mask func(string) string) (string, error) {
	s := stored{Ref: u.ref, File: u.file}
	s.File.Name = mask(u.file.Name)
	for i, m := range u.matches {
		s.Matches = append(s.Matches, storeMatch(m, u.places[i]))
	}
	b, err := json.Marshal(s)
	if err != nil {
		return "", fmt.Errorf("encode the result of a file: %w", err)
	}
	return string(b), nil
}

func decodeUnit(at time.Time, result string) (*unit, error) {
	var s stored
	if err := json.Unmarshal([]byte(result), &s); err != nil {
		return nil, fmt.Errorf("decode the stored result of a file: %w", err)
	}
	u := &unit{ref: s.Ref, at: at, file: s.File}
	for _, m := range s.Matches {
		match, at := m.match()
		u.matches, u.places = append(u.matches, match), append(u.places, at)
		u.given = max(u.given, m.Text)
	}
	return u, nil
}
