package claude

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
)

const makeKey = "Make a Compliance Access Key in claude.ai under Organization settings, API, and save it here."

// mapError tells what an error reply means. The status comes first; texts decide only where the vendor's documentation says that they do.
func mapError(r connectors.Reply) *connectors.Error {
	has := func(texts ...string) bool {
		return slices.ContainsFunc(texts, func(t string) bool { return strings.Contains(r.Message, t) })
	}
	switch {
	case r.Status == 400 && has("Compliance API is not enabled"):
		return &connectors.Error{Kind: connectors.KindDisabled, Code: connectors.CodeAPIOff,
			Message: "The Compliance API is switched off for this organisation. A primary owner can switch it on in claude.ai under Organization settings; nothing before that is recorded."}
	case r.Status == 400 && has("Invalid pagination cursor", "Invalid activity_id format", "not a valid cursor", "page cursor has expired"):
		return &connectors.Error{Kind: connectors.KindCursorExpired, Code: connectors.CodeCursorExpired,
			Message: "Anthropic no longer accepts the stored place in the list; it is read again from its start."}
	case (r.Status == 401 || r.Status == 403) && has("Missing required scopes"):
		return missingScope(r.Message)
	case r.Status == 401 && has("deactivated"):
		return &connectors.Error{Kind: connectors.KindAuth, Code: connectors.CodeKeyDeactivated,
			Message: "The key has been deactivated. Activate it in claude.ai under Organization settings, API, or make a new one and save it here."}
	case r.Status == 401 && has("expired"):
		return &connectors.Error{Kind: connectors.KindAuth, Code: connectors.CodeKeyExpired, Message: "The key has expired. " + makeKey}
	case r.Status == 401:
		return &connectors.Error{Kind: connectors.KindAuth, Code: connectors.CodeKeyRefused, Message: "Anthropic refused the key. " + makeKey}
	case r.Status == 403 && has("outside this API key's scope"):
		return &connectors.Error{Kind: connectors.KindForbidden, Code: connectors.CodeForbidden,
			Message: "The key belongs to one organisation and may not read another. Make a key for the parent organisation."}
	case r.Status == 404 && has("sessions are not available"):
		return notAvailable()
	case r.Status == 404 && r.Message == "Not found":
		// A missing key, a key of another kind, a path that the tenant does not have and a wrong path all get these two words; an object that is gone gets
		// more. Which of them it is, the caller knows: see Read and Test.
		return &connectors.Error{Kind: connectors.KindAuth, Code: connectors.CodeKeyKind,
			Message: "This key cannot be used for the Compliance API. " + makeKey + " If the key is right, check the base URL."}
	case r.Status == 404 && r.Type == "":
		return &connectors.Error{Kind: connectors.KindConfig, Code: connectors.CodeBaseURL, Message: "The base URL does not lead to Anthropic's API. Check it."}
	case r.Status == 409:
		return &connectors.Error{Kind: connectors.KindMalformed, Code: connectors.CodeRequestRefused, Message: "Anthropic says that the object is in use. Nothing that Outband reads should."}
	case r.Status == 503 && has("Try again later"):
		// It hangs on the data, so that trying again soon is of no use: the item waits. "Try again shortly" is what any 503 means.
		return &connectors.Error{Kind: connectors.KindTransient, Code: connectors.CodeServerError, RetryAfter: dataDependent,
			Message: "Anthropic cannot give this content for now. It is set aside and tried again."}
	}
	return nil
}

// dataDependent is how long content waits that the app says will not be there soon.
const dataDependent = time.Hour

func notAvailable() *connectors.Error {
	return &connectors.Error{Kind: connectors.KindUnavailable, Code: connectors.CodeUnavailable,
		Message: "Anthropic does not offer this to the organisation, or not yet. It is asked for again by itself."}
}

// absent reports whether the app says that a list or an object is not there for this key: it is gone, the tenant does not have it, or it belongs to an
// organisation outside of the key.
func absent(err error) bool {
	var e *connectors.Error
	if !errors.As(err, &e) {
		return false
	}
	return e.Kind == connectors.KindGone || e.Kind == connectors.KindUnavailable || e.Code == connectors.CodeKeyKind
}

// unavailable makes of an absence that the tenant does not have the stream.
func unavailable(err error) error {
	u := notAvailable()
	var e *connectors.Error
	if errors.As(err, &e) {
		u.Status, u.RequestID = e.Status, e.RequestID
	}
	return u
}

var (
	neededForm = regexp.MustCompile(`Needed(?: one of)?: \[([^\]]{0,1000})\]`)
	gotForm    = regexp.MustCompile(`Got: \[([^\]]{0,1000})\]`)
	scopeForm  = regexp.MustCompile(`[a-z]{1,20}:[a-z_]{1,60}`)
)

// allReads is the scope that covers every read.
const allReads = "read:org_audit"

func missingScope(message string) *connectors.Error {
	scopes := func(form *regexp.Regexp) []string {
		if m := form.FindStringSubmatch(message); m != nil {
			return scopeForm.FindAllString(m[1], 32)
		}
		return nil
	}
	got := scopes(gotForm)
	e := &connectors.Error{Kind: connectors.KindForbidden, Code: connectors.CodeScopeMissing, Scopes: got}
	for _, s := range scopes(neededForm) {
		if s != allReads && !slices.Contains(got, s) {
			e.Missing = append(e.Missing, s)
		}
	}
	what := "a scope"
	if len(e.Missing) > 0 {
		what = "the scope " + strings.Join(e.Missing, " or ")
	}
	e.Message = "The key lacks " + what + ". Scopes of a key cannot be changed: make a new key with it, or with " + allReads + ", which covers all reading."
	return e
}
