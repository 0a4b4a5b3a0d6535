// Package problem holds the errors that callers of the API see: RFC 9457 problem details with a stable code, one sentence and what to do. They
// never hold content, a secret or anything else that the caller sent but a field's name, and words of a policy that is refused, which is no
// secret to its author.
package problem

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// Codes of the API's own errors; docs/api.md has a line for each. Errors of connectors keep their OB-2xxx.
const (
	CodeBody            = "OB-4001" // 400
	CodeInput           = "OB-4002" // 422
	CodeQuery           = "OB-4003" // 422
	CodeFormat          = "OB-4004" // 400
	CodeCursor          = "OB-4005" // 400
	CodeUnauthenticated = "OB-4010" // 401
	CodeSignIn          = "OB-4020" // 401
	CodeLink            = "OB-4021" // 422
	CodeSetUpDone       = "OB-4022" // 409
	CodeEmailTaken      = "OB-4023" // 409
	CodeLastAdmin       = "OB-4024" // 409
	CodeOwnAccount      = "OB-4025" // 409
	CodePassword        = "OB-4026" // 422
	CodePasswordNeeded  = "OB-4027" // 422
	CodeOldPassword     = "OB-4028" // 422
	CodeUserDisabled    = "OB-4029" // 409
	CodeForbidden       = "OB-4030" // 403
	CodeCrossOrigin     = "OB-4031" // 403
	CodePeopleOnly      = "OB-4032" // 403
	CodeNotFound        = "OB-4040" // 404
	CodeRoute           = "OB-4041" // 404
	CodeMethod          = "OB-4050" // 405
	CodeConnected       = "OB-4090" // 409
	CodeOtherAccount    = "OB-4091" // 409
	CodeTransition      = "OB-4092" // 409
	CodePaused          = "OB-4093" // 409
	CodeLocked          = "OB-4094" // 409
	CodePolicyChanged   = "OB-4095" // 409
	CodePolicyTaken     = "OB-4096" // 409
	CodePolicyReadOnly  = "OB-4097" // 409
	CodeRevoked         = "OB-4098" // 409
	CodeNotPaused       = "OB-4099" // 409
	CodeProfileChanged  = "OB-4100" // 409
	CodeProfileUsed     = "OB-4101" // 409
	CodeChanged         = "OB-4110" // 409
	CodeInUse           = "OB-4111" // 409
	CodeBuiltIn         = "OB-4112" // 409
	CodeFull            = "OB-4113" // 409
	CodeTooLarge        = "OB-4130" // 413
	CodeMediaType       = "OB-4150" // 415
	CodeTestFailed      = "OB-4220" // 422, where a failed test has no code of its own
	CodePolicy          = "OB-4221" // 422
	CodeProfile         = "OB-4225" // 422
	CodeDetector        = "OB-4230" // 422
	CodeWords           = "OB-4231" // 422
	CodeTable           = "OB-4232" // 422
	CodeTooMany         = "OB-4290" // 429
	CodeInternal        = "OB-5000" // 500
	CodeAudit           = "OB-5030" // 503
	CodeUnavailable     = "OB-5031" // 503
	CodeEngine          = "OB-5032" // 503
)

// Problem is the body of every error.
type Problem struct {
	Type      string  `json:"type" doc:"Always about:blank: the code says which problem it is."`
	Title     string  `json:"title" doc:"The text of the status."`
	Status    int     `json:"status" doc:"The HTTP status."`
	Code      string  `json:"code" pattern:"^OB-[0-9]{4}$" doc:"Stable; the documentation has a line for each."`
	Detail    string  `json:"detail" doc:"One sentence for a person, with what to do."`
	RequestID string  `json:"request_id" doc:"Also in the header X-Request-Id and in the log."`
	Errors    []Field `json:"errors,omitempty" doc:"The inputs that are wrong."`
	Issues    []Issue `json:"issues,omitempty" doc:"What is wrong with the text of a policy."`

	header http.Header
}

// Field is one input that is wrong.
type Field struct {
	Location string `json:"location" doc:"Where, for example body.config.base_url or query.limit."`
	Message  string `json:"message" doc:"What is wrong; does not repeat the input."`
}

// Issue is one thing that is wrong with the text of a policy. Its message may hold words of that text, which the caller is the author of.
type Issue struct {
	Name     string `json:"name,omitempty" doc:"The item of an import."`
	PolicyID string `json:"policy_id,omitempty" doc:"Absent where it cannot be read."`
	Line     int    `json:"line" doc:"From 1; 0: it has no place."`
	Column   int    `json:"column" doc:"In characters, from 1; 0: it is about the whole line."`
	Message  string `json:"message"`
}

// New makes a problem. The request id is filled in when it is sent.
func New(status int, code, detail string, fields ...Field) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Errors: fields}
}

// Error implements error.
func (p *Problem) Error() string { return p.Code + ": " + p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// With returns the problem with a header of its answer.
func (p *Problem) With(header, value string) *Problem {
	out := *p
	out.header = p.header.Clone()
	if out.header == nil {
		out.header = http.Header{}
	}
	out.header.Set(header, value)
	return &out
}

// GetHeaders implements huma.HeadersError.
func (p *Problem) GetHeaders() http.Header { return p.header }

// Invalid is the problem of inputs that are wrong.
func Invalid(fields ...Field) *Problem {
	return New(http.StatusUnprocessableEntity, CodeInput, "The request has inputs that are wrong. Correct those that are listed and send it again.", fields...)
}

// BadQuery is the problem of query parameters that are wrong.
func BadQuery(fields ...Field) *Problem {
	return New(http.StatusUnprocessableEntity, CodeQuery, "The query has parameters that are unknown or wrong. Correct those that are listed; the OpenAPI document has them all.", fields...)
}

// Unauthenticated is the one answer to a missing, malformed, unknown, expired or revoked token or session: it does not say which.
func Unauthenticated() *Problem {
	p := New(http.StatusUnauthorized, CodeUnauthenticated, "The request has no valid session or token. Sign in, or send a token made by `outband token create` in the header Authorization: Bearer.")
	return p.With("WWW-Authenticate", "Bearer")
}

// Forbidden is the answer to a role that may not do this.
func Forbidden() *Problem {
	return New(http.StatusForbidden, CodeForbidden, "Your role does not allow that. Ask an admin for another role, or for a token with another one.")
}

// NotFound says that there is no such object.
func NotFound() *Problem {
	return New(http.StatusNotFound, CodeNotFound, "There is no object with this id. Check the id; it may have been deleted.")
}

// Internal is the answer to a failure whose cause is in the log only.
func Internal() *Problem {
	return New(http.StatusInternalServerError, CodeInternal, "Outband could not do this. The cause is in its log under the request id.")
}

// FromHuma turns an error of the framework into a problem. Its details can repeat what was sent, a secret among it, so only places and fixed
// texts are kept.
func FromHuma(e *huma.ErrorModel) *Problem {
	var fields []Field
	for _, d := range e.Errors {
		if d != nil {
			fields = append(fields, Field{Location: Place(d.Location), Message: sentence(d.Message)})
		}
	}
	switch e.Status {
	case http.StatusBadRequest:
		return New(e.Status, CodeBody, "The body is missing, is not valid JSON or names a field twice. Send one JSON object.")
	case http.StatusRequestTimeout:
		return New(e.Status, CodeBody, "The body did not arrive in time. Send the request again.")
	case http.StatusRequestEntityTooLarge:
		return New(e.Status, CodeTooLarge, "The body is over the limit: 1 MiB, where the documentation of the operation names no other. Send less at once.")
	case http.StatusUnsupportedMediaType:
		return New(e.Status, CodeMediaType, "The body has another type than the operation takes: application/json, where its documentation names no other. Set the header Content-Type.")
	case http.StatusUnprocessableEntity:
		for _, f := range fields {
			if strings.HasPrefix(f.Location, "query.") {
				return BadQuery(fields...)
			}
		}
		return Invalid(fields...)
	}
	return Internal()
}

// known are the beginnings of the framework's messages that are made of the schema only.
var known = regexp.MustCompile(`^(expected |unexpected property|unknown query parameter|required \w+ parameter is missing|invalid (integer|boolean|float)$)`)

// sentence keeps a message that is made of the schema only; what stands behind a colon is the text of a parser, which can quote its input.
func sentence(message string) string {
	message, _, _ = strings.Cut(message, ": ")
	if known.MatchString(message) && len(message) <= 300 {
		return message
	}
	return "the value does not have the form that is described"
}

var plain = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}(\[[0-9]{1,6}\])?$`)

// Place keeps the segments of a location that look like names of fields: a name that was sent may be a secret in the wrong place.
func Place(location string) string {
	parts := strings.Split(location, ".")
	for i, part := range parts {
		if !plain.MatchString(part) {
			parts[i] = "?"
		}
	}
	if len(parts) > 8 {
		parts = parts[:8]
	}
	return strings.Join(parts, ".")
}
