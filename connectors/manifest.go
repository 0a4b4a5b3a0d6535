package connectors

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Manifest says all about a connector that is not code. The form in the UI, the permission text, the client and the schedules are made from it.
type Manifest struct {
	ID      string            `yaml:"id" json:"id"`         // lower-case letters, digits and underscores
	Name    string            `yaml:"name" json:"name"`     // of the app, as people know it
	Vendor  string            `yaml:"vendor" json:"vendor"` // who answers the API, used in messages
	Docs    string            `yaml:"docs" json:"docs"`     // where the vendor explains the API and how to make a key
	Hosts   []string          `yaml:"hosts" json:"hosts"`   // hosts that are called unless an admin names another in base_url
	Auth    Auth              `yaml:"auth" json:"-"`
	Headers []Header          `yaml:"headers" json:"-"`
	Replies Replies           `yaml:"replies" json:"-"`
	Limits  Limits            `yaml:"limits" json:"limits"`
	Secrets []Field           `yaml:"credentials" json:"credentials"`
	Keys    []KeyKind         `yaml:"key_kinds" json:"key_kinds"`
	Config  []Field           `yaml:"config" json:"config"`
	Scopes  []Scope           `yaml:"scopes" json:"scopes"`
	Streams []Stream          `yaml:"streams" json:"streams"`
	fields  map[string]*Field // of Config, by id
}

// Auth says how the credential is sent.
type Auth struct {
	Header string `yaml:"header"` // e.g. x-api-key
	Prefix string `yaml:"prefix"` // put before the secret, e.g. "Bearer "
}

// Header is sent with every request. Its value is fixed or that of a config field.
type Header struct {
	Name   string `yaml:"name"`
	Value  string `yaml:"value"`
	Config string `yaml:"config"`
}

// Replies says where the vendor puts what the client reads from every reply.
type Replies struct {
	RequestID    string `yaml:"request_id"`     // header
	Account      string `yaml:"account"`        // header that names the organisation behind the key; optional
	Limit        string `yaml:"rate_limit"`     // header: calls per window
	Remaining    string `yaml:"rate_remaining"` // header: calls left
	Reset        string `yaml:"rate_reset"`     // header: end of the window, RFC 3339 or seconds since 1970
	ErrorType    string `yaml:"error_type"`     // path in the body of an error, e.g. error.type
	ErrorMessage string `yaml:"error_message"`  // path in the body of an error
}

// Limits bound what one connection asks for and accepts.
type Limits struct {
	RequestsPerMinute       int   `yaml:"requests_per_minute" json:"requests_per_minute"`               // default; the config field of that name overrides it
	VendorRequestsPerMinute int   `yaml:"vendor_requests_per_minute" json:"vendor_requests_per_minute"` // documented by the vendor
	MaxResponseBytes        int64 `yaml:"max_response_bytes" json:"max_response_bytes"`                 // of a JSON reply, unpacked
	MaxFileBytes            int64 `yaml:"max_file_bytes" json:"max_file_bytes"`                         // of a download

	// Budgets are further budgets of calls in a minute, by name, for streams that the vendor counts apart. Their calls count in the main one too.
	Budgets map[string]int `yaml:"budgets" json:"budgets,omitempty"`
}

// Field is one input of the connection's form: a subset of JSON Schema.
type Field struct {
	ID          string   `yaml:"id" json:"id"`
	Title       string   `yaml:"title" json:"title"`
	Description string   `yaml:"description" json:"description,omitempty"`
	Type        string   `yaml:"type" json:"type"`               // string, integer or boolean
	Format      string   `yaml:"format" json:"format,omitempty"` // url, or empty
	Secret      bool     `yaml:"secret" json:"secret"`           // stored sealed, never shown
	Required    bool     `yaml:"required" json:"required"`
	Default     string   `yaml:"default" json:"default,omitempty"`
	Minimum     *int64   `yaml:"minimum" json:"minimum,omitempty"`
	Maximum     *int64   `yaml:"maximum" json:"maximum,omitempty"`
	MaxLength   int      `yaml:"max_length" json:"max_length,omitempty"` // bytes; 2048 if not set
	Pattern     string   `yaml:"pattern" json:"pattern,omitempty"`       // Go regular expression for the whole value
	Enum        []string `yaml:"enum" json:"enum,omitempty"`
}

// KeyKind is a documented prefix of a credential. It is a hint for messages; the app's answer decides.
type KeyKind struct {
	Prefix string `yaml:"prefix" json:"prefix"`
	Kind   string `yaml:"kind" json:"kind"`
	Title  string `yaml:"title" json:"title"`
	Usable bool   `yaml:"usable" json:"usable"` // false: this kind can read nothing here
}

// Scope is a permission to ask for.
type Scope struct {
	ID      string   `yaml:"id" json:"id"`
	Why     string   `yaml:"why" json:"why"`
	Streams []string `yaml:"streams" json:"streams"` // that need it; empty: optional
}

// Kinds of streams and of their cursors.
const (
	StreamContent    = "content"    // chats, files, documents: items with parts
	StreamActivities = "activities" // events
	StreamRecords    = "records"    // users, settings, shares: snapshots

	CursorOpen     = "cursor"   // open-ended: changed items come again after the cursor
	CursorWindow   = "window"   // read as closed windows of time
	CursorSnapshot = "snapshot" // read as a whole, again and again

	AbsentGone    = "gone"    // a record that two whole snapshots in a row do not hold is gone
	AbsentUnknown = "unknown" // a record that is not listed is one that nothing is known of
)

// Stream is one kind of record a connector reads.
type Stream struct {
	ID       string   `yaml:"id" json:"id"`
	Title    string   `yaml:"title" json:"title"`
	Kind     string   `yaml:"kind" json:"kind"`
	Cursor   string   `yaml:"cursor" json:"cursor"`
	Order    string   `yaml:"order" json:"order"`                         // of the list, for readers of the manifest: "updated_at asc"
	PageSize int      `yaml:"page_size" json:"page_size"`                 // rows asked for in one call
	Lookback Duration `yaml:"lookback" json:"lookback,omitempty"`         // how far before the end of the last read the next one begins; a cursor stream without it goes on from its cursor
	Settle   Duration `yaml:"settle" json:"settle,omitempty"`             // window: the end is this long before now
	Lateness Duration `yaml:"lateness" json:"lateness,omitempty"`         // how late a record can appear; a re-read covers this much
	History  Duration `yaml:"history" json:"history,omitempty"`           // how far back the vendor keeps records; 0: no limit
	Reread   Duration `yaml:"reread_every" json:"reread_every,omitempty"` // how often the lateness span is read again

	Every    Duration `yaml:"every" json:"every,omitempty"`       // least time between two live reads; 0: in every scan
	Keys     []string `yaml:"keys" json:"keys,omitempty"`         // kinds of keys that read it; the first of them that is connected for an organisation does. Empty: all
	Budget   string   `yaml:"budget" json:"budget,omitempty"`     // of limits.budgets
	Absent   string   `yaml:"absent" json:"absent,omitempty"`     // snapshot: what a record means that is no longer listed, gone or unknown
	Records  []string `yaml:"records" json:"records,omitempty"`   // snapshot: the kinds of records that it gives
	Optional bool     `yaml:"optional" json:"optional,omitempty"` // not every tenant has it: "not available" is no error
	Fields   []string `yaml:"fields" json:"fields,omitempty"`     // what is read of it, for people
	Unseen   string   `yaml:"unseen" json:"unseen,omitempty"`     // what of it cannot be seen, and why, for people
}

// Duration is a time.Duration that is written like "10m" in YAML and JSON.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil || v < 0 {
		return errors.New("not a duration like 10m")
	}
	*d = Duration(v)
	return nil
}

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

const maxManifestBytes = 256 << 10

// ParseManifest reads and validates a manifest. Unknown keys, a second document and everything that the client or the schedules could stumble over
// later are errors; all that are found are in the one that is returned.
func ParseManifest(b []byte) (*Manifest, error) {
	if len(b) > maxManifestBytes {
		return nil, fmt.Errorf("manifest of %d bytes is over %d", len(b), maxManifestBytes)
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	m := new(Manifest)
	if err := dec.Decode(m); err != nil {
		return nil, fmt.Errorf("parse manifest: %w", err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("parse manifest: it holds a second document")
	}
	if err := m.validate(); err != nil {
		return nil, fmt.Errorf("manifest %q: %w", m.ID, err)
	}
	return m, nil
}

// Stream returns the stream with the id.
func (m *Manifest) Stream(id string) (Stream, bool) {
	for _, s := range m.Streams {
		if s.ID == id {
			return s, true
		}
	}
	return Stream{}, false
}

// KeyKind returns the kind of key that the secret's prefix documents. It looks at the prefix only.
func (m *Manifest) KeyKind(secret string) (KeyKind, bool) {
	for _, k := range m.Keys {
		if strings.HasPrefix(secret, k.Prefix) {
			return k, true
		}
	}
	return KeyKind{}, false
}
