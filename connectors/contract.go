// Package connectors is the contract between Outband and the SaaS apps it reads. A connector is a manifest and a Source; the framework gives it
// a Client that does auth, limits, retries and the breaker, and takes pages of items from it. A connector holds no state, starts no goroutine,
// never sleeps, logs, stores or scans: all that is needed to resume is in the Cursor.
package connectors

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"
)

// Connector is one SaaS app. It is listed once, in connectors/all.
type Connector struct {
	Manifest []byte              // YAML, see ParseManifest
	Open     func(Client) Source // inert: no call is made
	// MapError, if set, tells what an error reply of the app means; nil from it means what the status says. The client adds status, request
	// id and RetryAfter. The error must not hold the reply's message.
	MapError func(Reply) *Error
}

// Source reads the streams of one connection.
type Source interface {
	// Read makes one list call and returns the page after the cursor. The framework starts a slice with Slice.Cursor.
	Read(ctx context.Context, stream string, after Cursor) (Page, error)
}

// Fetcher is implemented by a Source whose items have content apart from their list row.
type Fetcher interface {
	// Fetch yields the parts of an item. A part that is an item of its own (a file in a chat) comes with Child set. An item whose content is
	// gone at the source ends with ErrGone.
	Fetch(ctx context.Context, item Item) iter.Seq2[Part, error]
}

// Estimator is implemented by a Source that can say what reading a span of its history takes.
type Estimator interface {
	// Estimate makes a few list calls and returns about how many calls reading everything in [from, to) takes.
	Estimate(ctx context.Context, from, to time.Time) (Estimate, error)
}

// Estimate is about what a span of history holds.
type Estimate struct {
	Calls int64            // of all streams together
	Items map[string]int64 // by stream
	Since time.Time        // the oldest thing that the app has kept, zero: not known
	Exact bool             // everything was counted
}

// Tester is implemented by a Source that can check its own credential and base URL.
type Tester interface {
	// Test makes a few calls, reports each step as it ends, and returns the account behind the key. It stops at the first step without which
	// nothing works; a step that only narrows what can be read is reported and the test goes on.
	Test(ctx context.Context, report func(Step)) (Account, error)
}

// Cursor is an opaque place in a stream. Its text is stored as it is and given back unchanged.
type Cursor string

// Slice is what every cursor of a stream holds: the bounds of the slice being read and the vendor's own place in it. Bounds are part of the
// cursor so that a page read again after a crash is the same page.
type Slice struct {
	From  time.Time `json:"from,omitzero"` // inclusive; zero: from the oldest kept
	To    time.Time `json:"to,omitzero"`   // exclusive; zero: open, towards now
	After string    `json:"after,omitempty"`

	// History marks a slice of the past: a list that has no range for the time of change gives it by the time of creation.
	History bool `json:"history,omitempty"`
	// Missing are the scopes of a snapshot that the app did not give so far; the framework carries them along.
	Missing []string `json:"missing,omitempty"`
}

// Cursor encodes the slice.
func (s Slice) Cursor() Cursor {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // A struct of two times and a string: only a year beyond 9999 fails.
	}
	return Cursor(b)
}

// Slice decodes the cursor. An empty cursor is the zero slice.
func (c Cursor) Slice() (Slice, error) {
	var s Slice
	if c == "" {
		return s, nil
	}
	if err := json.Unmarshal([]byte(c), &s); err != nil {
		return s, &Error{Kind: KindCursorExpired, Message: "The stored place in the stream cannot be read; the slice is read again from its start.", Err: fmt.Errorf("decode cursor of %d bytes", len(c))}
	}
	return s, nil
}

// Page is the result of one list call.
type Page struct {
	Items []Item
	Next  Cursor // never rewinds: an empty page returns the cursor it was asked for
	More  bool   // false: the end of the slice as of now
	// Skipped counts the rows of the page that gave no item, by reason (SkipMalformed). The framework adds them to the coverage (invariant 5).
	Skipped map[string]int
	// Missing are scopes (Record.Scope) of a snapshot that the app does not give now, such as the settings of an organisation that answered 404. What
	// was known of them stays as it is: nothing is removed, nothing is closed.
	Missing []string
}

// SkipMalformed is the reason of a row that does not follow the spec, e.g. one without an id.
const SkipMalformed = "malformed"

// Kinds of items.
const (
	KindChat         = "chat"
	KindFile         = "file"
	KindProject      = "project"
	KindDocument     = "document"
	KindSession      = "session"
	KindCodeArtifact = "code_artifact"
	KindActivity     = "activity"
	KindRecord       = "record"
)

// Item is one record read from a stream.
type Item struct {
	Kind     string    // KindChat, …
	ID       string    // the vendor's id
	Version  string    // changes whenever the item must be read again
	At       time.Time // the source's time
	Deleted  bool      // the source says that it was deleted by its user, at At
	Resource Resource  // what a finding about this item points to
	Actor    Actor     // who made it
	Activity *Activity // for KindActivity
	File     *File     // for KindFile
	Record   *Record   // for KindRecord; with an item of content, its row in a snapshot

	// Parts is the whole content of an item whose list row holds it; Fetch is not called for it then.
	Parts []Part

	// Since is given to Fetch: the place that an earlier Fetch of this item ended with (a part of PartPlace). Only parts after it are wanted, unless
	// Again is set: then all are, and those up to Since come with Part.Again. A Source that cannot go on from a place gives all parts.
	Since string
	Again bool

	// Unsure says that the content may have changed though the version is equal: that of a file whose row has no digest. It is fetched whenever a page
	// lists it.
	Unsure bool `json:",omitempty"`
}

// Resource is the object in the SaaS app.
type Resource struct {
	Kind       string // chat, file, project, user, organization, …
	ID         string
	Name       string // foreign text: masked before it is stored
	URL        string
	Owner      string // vendor id of its owner
	Visibility string
	Project    string
}

// Actor is who did something. All of it is personal data: it is stored in one table only.
type Actor struct {
	ID       string
	Email    string
	Type     string // user, api_key, admin_api_key, system, …
	Name     string
	Role     string
	Groups   []string
	External bool
}

// Activity is one row of an audit feed.
type Activity struct {
	Type   string
	Fields map[string]string // every other field, flattened: "audience.0.type"

	// Touches are items (by Item.Kind and Item.ID) whose content this activity changed: they are read again, soon, though their list would not
	// show them.
	Touches []Ref
	// Call is set for a row of the app's own log of API calls.
	Call *Call
}

// Call is one request to the app's API as its log tells it.
type Call struct {
	KeyID     string // the vendor's id of the key, as far as it can be compared
	RequestID string
	UserAgent string
}

// Record is one row of a snapshot: a setting, a member, a key, who a project is shared with. Its values are facts, not texts of people; a person
// is named by Item.Actor and not in Fields (personal data has one place).
type Record struct {
	Kind   string         // setting, user, role, invite, api_key, …: what policies name in on.records
	ID     string         // unique within (connection, Kind)
	Scope  string         // the part of the snapshot that it is listed in, e.g. an organisation; it is whole or Missing as one
	Fields map[string]any // string, bool, float64, []any of these, or a map of them
}

// File is what is known of a file before its content is fetched.
type File struct {
	Name string // foreign text
	MIME string // as declared; never trusted
	Size int64  // bytes as declared; -1 unknown
	MD5  string // lower hex as declared; never trusted for skipping a scan
}

// Kinds of parts. A match's location names one.
const (
	PartUserText      = "user_text"
	PartAssistantText = "assistant_text"
	PartToolInput     = "tool_input"
	PartToolResult    = "tool_result"
	PartTitle         = "title"
	PartName          = "name"
	PartInstructions  = "instructions"
	PartFile          = "file"
	PartDocument      = "document"
	PartRecord        = "record"
	PartField         = "field" // one string of an activity

	// PartPlace is no content: the last part of a Fetch, whose Path is the Item.Since of the next Fetch of that item.
	PartPlace = "place"
)

// Ref names a resource.
type Ref struct{ Kind, ID string }

// Part is one text or file of an item.
type Part struct {
	Kind     string    // PartUserText, …
	Resource Ref       // the instance's resource: message, file, chat, …
	Path     string    // the place inside the resource, e.g. "content/2"; stable between reads
	Role     string    // user, assistant, …
	At       time.Time // the source's time of this part
	Name     string    // foreign text
	MIME     string
	Size     int64 // bytes; -1 unknown

	// Open gives the content, anew each time. It is never written down.
	Open func(context.Context) (io.ReadCloser, error) `json:"-"`

	Again   bool   // an earlier Fetch gave it; see Item.Since
	Skipped string // set: why the app has no content for it; its unit is counted as skipped for this reason, and Open is nil
	Child   *Item  // set: the part is an item of its own and has nothing else set but Kind and Resource
}

// States of a step.
const (
	StepOK      = "ok"
	StepWarning = "warning" // narrows what can be read; the test goes on
	StepFailed  = "failed"  // the last one: nothing works without it
)

// Step is one step of a connection test.
type Step struct {
	Name    string `json:"name" doc:"Stable. dns, connect, tls: the way to the app; key: the form of the key; auth: whether the app takes it; then one for each read, by the connector."`
	Title   string `json:"title"`
	State   string `json:"state" enum:"ok,warning,failed"`
	MS      int64  `json:"ms" doc:"Milliseconds that it took."`
	Code    string `json:"code" doc:"OB-2xxx when not ok, else empty."`
	Message string `json:"message" doc:"One or two sentences for the admin: what is so and, when not ok, what to do."`
}

// Account is the organisation behind a key.
type Account struct {
	ID            string
	Name          string
	KeyKind       string    // e.g. compliance, admin
	MissingScopes []string  // what cannot be read
	SurplusScopes []string  // what the key may do beyond what is asked for
	Streams       []string  // what can be read with this key
	Organizations []string  // ids of all organisations that the key reaches
	Since         time.Time // the oldest thing that can be read; zero: not known
}
