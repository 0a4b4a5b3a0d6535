// Package findings keeps what scans find. A finding is one policy broken by one resource; its instances are the places where. The package
// promises that ids are computed, so that scanning twice gives the same set (invariant 2), that CommitItem is the one way in, that every change
// is one row of the finding log, written in the transaction that made it (invariant 3), and that a scan never overwrites a person's choice.
package findings

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/outband/outband/dlp"
	documents "github.com/outband/outband/dlp/place"
	"github.com/outband/outband/internal/store"
)

// Severities, statuses and sources of findings; kinds are those of dlp/policy.
const (
	SourcePresent = "present"
	SourceDeleted = "deleted"
	SourceUnknown = "unknown" // the connection is gone

	StatusOpen          = "open"
	StatusAcknowledged  = "acknowledged"
	StatusInProgress    = "in_progress"
	StatusResolved      = "resolved"
	StatusAcceptedRisk  = "accepted_risk"
	StatusFalsePositive = "false_positive"
	StatusClosed        = "closed" // by a re-check only
)

// Types of log rows, and of the events that destinations get.
const (
	TypeCreated       = "finding.created"
	TypeUpdated       = "finding.updated"
	TypeTriaged       = "finding.triaged"
	TypeClosed        = "finding.closed"
	TypeReopened      = "finding.reopened"
	TypeSourceDeleted = "finding.source_deleted"
)

// Severities returns the severities, the worst first.
func Severities() []string { return []string{"critical", "high", "medium", "low", "info"} }

// Statuses returns the statuses in the order of a finding's life.
func Statuses() []string {
	return []string{StatusOpen, StatusAcknowledged, StatusInProgress, StatusResolved, StatusAcceptedRisk, StatusFalsePositive, StatusClosed}
}

// Kinds returns the kinds of findings.
func Kinds() []string { return []string{"content", "activity", "posture"} }

// Sources returns what may be known of the resource at its source.
func Sources() []string { return []string{SourcePresent, SourceDeleted, SourceUnknown} }

// Errors that callers act on. ErrNotFound is a store.ErrNotFound too.
var (
	ErrNotFound   = fmt.Errorf("finding: %w", store.ErrNotFound)
	ErrInvalid    = errors.New("detection refused")
	ErrStatus     = errors.New("no such status")
	ErrReason     = errors.New("a reason of at most 1000 bytes is required")
	ErrTransition = errors.New("status may not change so")
	ErrLocked     = errors.New("a finding of a locked policy cannot be dismissed")
	ErrTooMany    = errors.New("too many findings at once")
)

// Time is a time as the store keeps it: microseconds since 1970, UTC. As text it is RFC 3339 with milliseconds. The zero Time is no time.
type Time int64

// TimeOf converts t.
func TimeOf(t time.Time) Time { return Time(store.Micros(t)) }

// Time converts back.
func (t Time) Time() time.Time { return store.FromMicros(int64(t)) }

// String is the text form; no time is empty.
func (t Time) String() string {
	if t == 0 {
		return ""
	}
	return t.Time().Format("2006-01-02T15:04:05.000Z")
}

// MarshalText implements encoding.TextMarshaler.
func (t Time) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (t *Time) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*t = 0
		return nil
	}
	v, err := time.Parse(time.RFC3339Nano, string(b))
	if err != nil {
		return fmt.Errorf("decode a time of %d bytes: not RFC 3339", len(b))
	}
	*t = TimeOf(v)
	return nil
}

// Ref names a resource by the vendor's own id.
type Ref struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// Resource is what a finding is about.
type Resource struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	URL  string `json:"url"`
	Name string `json:"name"`
}

// Person is who made the resource. It is read from the actors table at the moment of rendering, so that erasing a person is one row.
type Person struct {
	ID    string `json:"id"`
	Email string `json:"email"`
}

// Finding is the public form of a finding: in lists (without Instances), in detail, in exports and in events.
type Finding struct {
	ID             string     `json:"id"`
	PolicyID       string     `json:"policy_id"`
	PolicyVersion  int        `json:"policy_version"`
	Kind           string     `json:"kind"`
	Severity       string     `json:"severity"`
	Status         string     `json:"status"`
	Source         string     `json:"source"`
	Title          string     `json:"title"`
	ConnectionID   string     `json:"connection_id"`
	Connector      string     `json:"connector"`
	Resource       Resource   `json:"resource"`
	Actor          Person     `json:"actor,omitzero"`
	FirstSeenAt    Time       `json:"first_seen_at"`
	LastSeenAt     Time       `json:"last_seen_at"`
	OccurredAt     Time       `json:"occurred_at"`
	LastOccurredAt Time       `json:"last_occurred_at"`
	Detectors      []string   `json:"detectors"`
	InstanceCount  int64      `json:"instance_count"`
	Sequence       int64      `json:"sequence"`       // grows with every logged change of this finding
	Link           string     `json:"link,omitempty"` // the finding's page; in events only
	Instances      []Instance `json:"instances,omitempty"`
	Why            *PolicyWhy `json:"why,omitempty"` // of a single finding only
}

// Location says where in its resource an instance is. Start and End are bytes in the part, or in the text of a document, end exclusive. Path leads to the
// member of a container, outermost first, joined by "!/". What a document names is masked.
type Location struct {
	Part      string `json:"part"`
	MessageID string `json:"message_id,omitempty"`
	FileID    string `json:"file_id,omitempty"`
	Path      string `json:"path"`
	DocumentPlace
	Line   int `json:"line,omitempty"`
	Column int `json:"column,omitempty" doc:"in characters, from 1"`
	Start  int `json:"start"`
	End    int `json:"end"`
}

// DocumentPlace is where in a document something stands; numbers count from 1, and what the format does not have is left out.
type DocumentPlace struct {
	Section   string `json:"section,omitempty" doc:"header, footer, note, comment, property, formula and the like; none: the body"`
	Page      int    `json:"page,omitempty"`
	Slide     int    `json:"slide,omitempty"`
	Sheet     string `json:"sheet,omitempty" doc:"of a workbook, or table of a database"`
	Cell      string `json:"cell,omitempty"`
	Row       int    `json:"row,omitempty"`
	Paragraph int    `json:"paragraph,omitempty"`
	MailPart  string `json:"mail_part,omitempty" doc:"number of a mail in a mailbox and of its part"`
	Name      string `json:"name,omitempty" doc:"of a property, field, column or header"`
	Hidden    bool   `json:"hidden,omitempty" doc:"not shown to who opens the file"`
}

// placeOf is the place of a match, without its path.
func placeOf(l documents.Location) DocumentPlace {
	return DocumentPlace{
		Section: l.Part, Page: l.Page, Slide: l.Slide, Sheet: l.Sheet, Cell: l.Cell, Row: l.Row, Paragraph: l.Paragraph, MailPart: l.Message, Name: l.Name, Hidden: l.Hidden,
	}
}

// encode is empty for no place at all.
func (p DocumentPlace) encode() (string, error) {
	if p == (DocumentPlace{}) {
		return "", nil
	}
	b, err := json.Marshal(p)
	if err != nil {
		return "", fmt.Errorf("encode a place: %w", err)
	}
	return string(b), nil
}

// Instance is one occurrence of a finding with its evidence: a mask, the detector's own words, and the neighbourhood as shape (invariant 4).
type Instance struct {
	ID          string   `json:"id"`
	Resource    Ref      `json:"resource"`
	Location    Location `json:"location"`
	Detector    string   `json:"detector"`
	Confidence  float64  `json:"confidence"`
	Validated   bool     `json:"validated"`
	Masked      string   `json:"masked"`
	Before      string   `json:"before,omitempty"`
	After       string   `json:"after,omitempty"`
	Context     []string `json:"context,omitempty"`
	Count       int64    `json:"count"`
	OccurredAt  Time     `json:"occurred_at"`
	FirstSeenAt Time     `json:"first_seen_at"`
	Why         *dlp.Why `json:"why,omitempty"` // of a single finding and of its instances only
}

// Snapshot is what a log row keeps: the public finding after the change, without instances, with the actor's key in place of the actor.
type Snapshot struct {
	Finding
	ActorKey string `json:"actor_key"`
}

// maxSnapshot bounds a snapshot; bytes.
const maxSnapshot = 8 << 10

func (s Snapshot) encode() ([]byte, error) {
	s.Actor, s.Instances, s.Link, s.Why = Person{}, nil, "", nil
	for _, shorten := range []func(){
		func() {},
		func() { s.Detectors = s.Detectors[:min(len(s.Detectors), 16)] },
		func() { s.Resource.Name, s.Title = Shorten(s.Resource.Name, 128), Shorten(s.Title, 128) },
		func() { s.Resource.URL = "" },
	} {
		shorten()
		b, err := encodeJSON(s)
		if err != nil || len(b) <= maxSnapshot {
			return b, err
		}
	}
	return nil, fmt.Errorf("finding %s: its snapshot is over %d bytes", s.ID, maxSnapshot)
}

func encodeJSON(v any) ([]byte, error) {
	var out strings.Builder
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false) // It only makes a snapshot longer: whoever renders HTML escapes for itself.
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("encode: %w", err)
	}
	return []byte(strings.TrimSuffix(out.String(), "\n")), nil
}

// Shorten cuts s to at most n bytes, at the border of a character, and marks the cut.
func Shorten(s string, n int) string {
	const mark = "…"
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:max(0, n-len(mark))], "") + mark
}

// clean makes foreign text storable: valid UTF-8 without control characters, at most n bytes.
func clean(s string, n int) string {
	return Shorten(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD")), n)
}
