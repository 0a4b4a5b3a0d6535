package connectors

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Config fields that every connector has.
const (
	ConfigBaseURL           = "base_url"
	ConfigRequestsPerMinute = "requests_per_minute"
)

var (
	idForm     = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
	headerForm = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
)

const (
	defaultMaxLength = 2048
	maxLimitBytes    = 1 << 30
)

// validate collects everything that is wrong.
func (m *Manifest) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !idForm.MatchString(m.ID) {
		bad("id: want lower-case letters, digits and underscores")
	}
	if m.Name == "" || m.Vendor == "" {
		bad("name and vendor are needed")
	}
	if u, err := url.Parse(m.Docs); err != nil || u.Scheme != "https" || u.Host == "" {
		bad("docs: want an https link")
	}
	if len(m.Hosts) == 0 {
		bad("hosts: at least one is needed")
	}
	if !headerForm.MatchString(m.Auth.Header) {
		bad("auth.header: want a header name")
	}
	if l := m.Limits; l.RequestsPerMinute < 1 || l.VendorRequestsPerMinute < l.RequestsPerMinute {
		bad("limits: requests_per_minute must be at least 1 and at most vendor_requests_per_minute")
	}
	for name, n := range map[string]int64{"max_response_bytes": m.Limits.MaxResponseBytes, "max_file_bytes": m.Limits.MaxFileBytes} {
		if n < 1<<10 || n > maxLimitBytes {
			bad("limits.%s: want between 1 KiB and 1 GiB", name)
		}
	}
	for name, n := range m.Limits.Budgets {
		if !idForm.MatchString(name) || n < 1 || n > m.Limits.VendorRequestsPerMinute {
			bad("limits.budgets.%s: want a name of lower-case letters and between 1 and vendor_requests_per_minute calls", name)
		}
	}
	errs = append(errs, m.validateFields()...)
	for i, h := range m.Headers {
		if !headerForm.MatchString(h.Name) || (h.Value == "") == (h.Config == "") {
			bad("headers[%d]: want a name and either a value or a config field", i)
		}
		if http.CanonicalHeaderKey(h.Name) == http.CanonicalHeaderKey(m.Auth.Header) {
			bad("headers[%d]: %s carries the credential", i, h.Name)
		}
		if h.Config != "" && m.fields[h.Config] == nil {
			bad("headers[%d]: no config field %q", i, h.Config)
		}
	}
	prefixes := map[string]bool{}
	for i, k := range m.Keys {
		if k.Prefix == "" || !idForm.MatchString(k.Kind) || k.Title == "" || prefixes[k.Prefix] {
			bad("key_kinds[%d]: want a prefix of its own, a kind and a title", i)
		}
		prefixes[k.Prefix] = true
	}
	errs = append(errs, m.validateStreams()...)
	for i, s := range m.Scopes {
		if s.ID == "" || s.Why == "" {
			bad("scopes[%d]: want an id and a why", i)
		}
		for _, id := range s.Streams {
			if _, ok := m.Stream(id); !ok {
				bad("scopes[%d]: no stream %q", i, id)
			}
		}
	}
	return errors.Join(errs...)
}

func (m *Manifest) validateStreams() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if len(m.Streams) == 0 {
		bad("streams: at least one is needed")
	}
	seen := map[string]bool{}
	for i, s := range m.Streams {
		if !idForm.MatchString(s.ID) || seen[s.ID] {
			bad("streams[%d].id: want a new id of lower-case letters, digits and underscores", i)
		}
		seen[s.ID] = true
		if s.Title == "" || s.Order == "" {
			bad("streams[%d]: title and order are needed", i)
		}
		if !slices.Contains([]string{StreamContent, StreamActivities, StreamRecords}, s.Kind) {
			bad("streams[%d].kind: want content, activities or records", i)
		}
		if s.PageSize < 1 || s.PageSize > 10000 {
			bad("streams[%d].page_size: want between 1 and 10000", i)
		}
		switch s.Cursor {
		case CursorWindow:
			if s.Lookback == 0 || s.Settle == 0 {
				bad("streams[%d]: a window stream needs lookback and settle", i)
			}
		case CursorOpen:
			if s.Settle != 0 {
				bad("streams[%d]: only a window stream has settle", i)
			}
		case CursorSnapshot:
			if s.Lookback != 0 || s.Settle != 0 {
				bad("streams[%d]: a snapshot has neither lookback nor settle", i)
			}
		default:
			bad("streams[%d].cursor: want cursor, window or snapshot", i)
		}
		if (s.Cursor == CursorSnapshot) != (s.Absent == AbsentGone || s.Absent == AbsentUnknown) || s.Cursor != CursorSnapshot && s.Absent != "" {
			bad("streams[%d].absent: a snapshot says gone or unknown, no other stream does", i)
		}
		for _, kind := range s.Records {
			if s.Cursor != CursorSnapshot || !idForm.MatchString(kind) {
				bad("streams[%d].records: only a snapshot has records; a kind is of lower-case letters, digits and underscores", i)
			}
		}
		if s.Cursor == CursorSnapshot && (s.Reread != 0 || s.History != 0) {
			bad("streams[%d]: a snapshot has no history, and is read again as a whole", i)
		}
		for _, k := range s.Keys {
			if !slices.ContainsFunc(m.Keys, func(kind KeyKind) bool { return kind.Kind == k && kind.Usable }) {
				bad("streams[%d].keys: no usable key kind %q", i, k)
			}
		}
		if _, ok := m.Limits.Budgets[s.Budget]; s.Budget != "" && !ok {
			bad("streams[%d].budget: no such budget in limits", i)
		}
		if (s.Reread == 0) != (s.Lateness == 0) {
			bad("streams[%d]: lateness and reread_every come together", i)
		}
	}
	return errs
}

func (m *Manifest) validateFields() (errs []error) {
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	m.fields = map[string]*Field{}
	seen := map[string]bool{}
	for _, group := range []struct {
		name   string
		secret bool
		fields []Field
	}{{"credentials", true, m.Secrets}, {"config", false, m.Config}} {
		for i := range group.fields {
			f := &group.fields[i]
			at := fmt.Sprintf("%s[%d]", group.name, i)
			if !idForm.MatchString(f.ID) || seen[f.ID] || f.Title == "" {
				bad("%s: want a new id and a title", at)
			}
			seen[f.ID] = true
			if f.Type != "string" && f.Type != "integer" && f.Type != "boolean" {
				bad("%s.type: want string, integer or boolean", at)
			}
			if f.Format != "" && (f.Format != "url" || f.Type != "string") {
				bad("%s.format: want url on a string", at)
			}
			if f.Type != "integer" && (f.Minimum != nil || f.Maximum != nil) {
				bad("%s: bounds are for integers", at)
			}
			if _, err := regexp.Compile(`^(?:` + f.Pattern + `)$`); err != nil {
				bad("%s.pattern: not a regular expression", at)
				continue
			}
			if group.secret {
				if f.Default != "" {
					bad("%s: a credential has no default", at)
				}
				continue
			}
			if f.Secret {
				bad("%s: a secret belongs to credentials", at)
			}
			m.fields[f.ID] = f
			if f.Default != "" {
				if _, problem := f.check(f.Default); problem != "" {
					bad("%s.default: %s", at, problem)
				}
			}
		}
	}
	if !slices.ContainsFunc(m.Secrets, func(f Field) bool { return f.Secret && f.Required }) {
		bad("credentials: one secret and required field is needed")
	}
	if f := m.fields[ConfigBaseURL]; f == nil || f.Format != "url" || f.Default == "" {
		bad("config: base_url with format url and a default is needed")
	} else if u, err := url.Parse(f.Default); err != nil || !slices.Contains(m.Hosts, u.Hostname()) {
		bad("hosts: the host of base_url's default is not in it")
	}
	if f := m.fields[ConfigRequestsPerMinute]; f == nil || f.Type != "integer" || f.Minimum == nil || f.Maximum == nil || *f.Minimum < 1 {
		bad("config: requests_per_minute as an integer with bounds is needed")
	}
	return errs
}

// FieldError is one input that is wrong.
type FieldError struct {
	Field   string
	Message string // one sentence; does not repeat the input
}

// Error implements error.
func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// CheckConfig returns the settings with defaults filled in and normalised. The error joins one *FieldError per wrong input; unknown keys are wrong.
func (m *Manifest) CheckConfig(in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(m.Config))
	var errs []error
	for _, f := range m.Config {
		v := strings.TrimSpace(in[f.ID])
		if v == "" {
			v = f.Default
		}
		if v == "" {
			if f.Required {
				errs = append(errs, &FieldError{f.ID, "A value is needed."})
			}
			continue
		}
		v, problem := f.check(v)
		if problem != "" {
			errs = append(errs, &FieldError{f.ID, problem})
			continue
		}
		out[f.ID] = v
	}
	for k := range in {
		if m.fields[k] == nil {
			errs = append(errs, &FieldError{k, "There is no such setting."})
		}
	}
	return out, errors.Join(errs...)
}

// check returns the normalised value, or a sentence for the form that says what is wrong and does not repeat the value.
func (f *Field) check(v string) (normal, problem string) {
	limit := f.MaxLength
	if limit == 0 {
		limit = defaultMaxLength
	}
	if len(v) > limit {
		return "", fmt.Sprintf("The value is longer than %d bytes.", limit)
	}
	switch f.Type {
	case "integer":
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil {
			return "", "The value is not a whole number."
		}
		if (f.Minimum != nil && n < *f.Minimum) || (f.Maximum != nil && n > *f.Maximum) {
			return "", f.bounds()
		}
		v = strconv.FormatInt(n, 10)
	case "boolean":
		if v != "true" && v != "false" {
			return "", "The value is neither true nor false."
		}
	}
	if f.Format == "url" {
		u, err := url.Parse(v)
		if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return "", "The value is not an address like https://host/path without user, query and fragment."
		}
		v = strings.TrimRight(v, "/")
	}
	if f.Pattern != "" && !regexp.MustCompile(`^(?:`+f.Pattern+`)$`).MatchString(v) {
		return "", "The value does not have the form that is described."
	}
	if len(f.Enum) > 0 && !slices.Contains(f.Enum, v) {
		return "", "The value is not one of the choices."
	}
	return v, ""
}

func (f *Field) bounds() string {
	switch {
	case f.Minimum != nil && f.Maximum != nil:
		return fmt.Sprintf("The value must be between %d and %d.", *f.Minimum, *f.Maximum)
	case f.Minimum != nil:
		return fmt.Sprintf("The value must be at least %d.", *f.Minimum)
	}
	return fmt.Sprintf("The value must be at most %d.", *f.Maximum)
}
