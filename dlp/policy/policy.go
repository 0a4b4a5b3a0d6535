// Package policy decides, with CEL over matches and metadata, whether one unit (one instance.resource) breaks a policy. Text never reaches
// CEL: a policy sees counts, confidences and names of detectors, and the flat typed variables of Input.
package policy

import (
	"time"

	"github.com/outband/outband/dlp"
)

// Severities, the worst first.
const (
	SeverityCritical = "critical"
	SeverityHigh     = "high"
	SeverityMedium   = "medium"
	SeverityLow      = "low"
	SeverityInfo     = "info"
)

// Modes of a policy.
const (
	ModeOn     = "on"
	ModeShadow = "shadow" // evaluated, and what it finds is kept apart: it is listed and delivered nowhere
	ModeOff    = "off"    // not evaluated
)

// Kinds of policies and of the findings that they make.
const (
	KindContent  = "content"
	KindActivity = "activity"
	KindPosture  = "posture"
)

// Input is the unit that is evaluated and all that a policy may know of it.
type Input struct {
	Item       Item
	Resource   Resource
	Actor      Actor
	Connection Connection
	File       File
	Activity   Activity
	Record     Record
	Now        time.Time
	Matches    []dlp.Match
	Texts      []int // in which text of the unit each match stands; nil: all stand in one
}

// Item is the variable group item.*; Kind is also the variable kind.
type Item struct {
	Kind string // message, file, chat, activity, record: the kind of the unit's instance.resource
	At   time.Time
}

// Resource is the variable group resource.*.
type Resource struct{ Kind, ID, Name, Owner, Visibility, Project string }

// Actor is the variable group actor.*.
type Actor struct {
	ID, Email, Type, Role string
	Groups                []string
	External              bool
}

// Connection is the variable group connection.*.
type Connection struct{ ID, Name, Connector string }

// File is the variable group file.*.
type File struct {
	Name, Type string // as the source declares them
	Size       int64
	Content    string `json:",omitempty"` // media type by content; empty: not known
	Mismatch   bool   `json:",omitempty"` // Name or Type are those of another type than the content has
}

// Activity is the variable group activity.*.
type Activity struct {
	Type   string
	Fields map[string]string
}

// Record is the variable group record.*.
type Record struct {
	Kind   string
	Fields map[string]any
	Before map[string]any
}

// Lookups are the questions that a policy may ask the store. A nil func answers 0.
type Lookups struct {
	// Total counts the stored instances of this policy's finding about this resource whose detector matches the glob.
	Total func(policyID, glob string) (int64, error)
	// Recent counts stored activities of the type glob by the same actor, on the same resource or in the same connection within d before Item.At.
	Recent func(typeGlob, scope string, d time.Duration) (int64, error)
	// Standing counts the records of a kind in the same connection that stand now and whose field, as text, equals value. The field "id" is the
	// record's id; the field "" counts all records of the kind. A kind of which no whole snapshot was ever read answers 0, for a half-read list
	// would make everybody who is not in it look as if they had left: a policy that concludes from absence asks for the whole first.
	Standing func(kind, field, value string) (int64, error)
}

// Decision is one policy that the unit breaks.
type Decision struct {
	PolicyID string
	Version  int
	Kind     string
	Severity string
	Graded   bool // the severity is that of this unit alone: another one of the same finding may have another
	Title    string
	About    string  // as in Policy: AboutActor, or empty
	Asked    []Asked // what the expression asked for, in its order
	Evidence []int   // indices into Input.Matches that belong to the finding, those the expression's globs and profiles name
	Shadow   bool    // mode shadow: no finding
	Paused   bool    // the policy was paused by itself: counted, no finding
	Failed   bool    // the expression failed and, having a match, keeps the finding
}
