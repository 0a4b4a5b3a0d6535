package elastic

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
)

// Codes of errors; docs/errors.md has a line for each, and a code never changes its meaning.
const (
	CodeDown       = "OB-6001" // no connection, or no answer in time
	CodeTLS        = "OB-6002" // no trusted TLS connection
	CodeRefused    = "OB-6003" // the user, the password or the API key
	CodeRights     = "OB-6004" // a right is missing, or the index is locked
	CodeProduct    = "OB-6005" // not Elasticsearch, or too old
	CodeOverloaded = "OB-6006" // it keeps refusing work
	CodeAnswer     = "OB-6007" // an answer that cannot be used
	CodeAddress    = "OB-6008" // the address in the settings
	CodeCA         = "OB-6009" // the file of certificate authorities
	CodeReindexing = "OB-6010" // another reindex is under way
	CodeDocuments  = "OB-6011" // documents were refused
	CodeMissing    = "OB-6012" // the index is not there
	CodeBehind     = "OB-6013" // the index is behind the store
)

// Error is what an admin sees. It holds no document, reply or credential.
type Error struct {
	Code    string
	Message string // what happened and what to do
	Status  int    // of the answer; 0: there was none
	Kind    string // of error, as Elasticsearch names it; may be empty
	err     error
}

func newError(code, message string, err error) *Error {
	return &Error{Code: code, Message: message, err: err}
}

// Error implements error.
func (e *Error) Error() string {
	s := e.Code + ": " + e.Message
	switch {
	case e.Kind != "":
		s += fmt.Sprintf(" (status %d, %s)", e.Status, e.Kind)
	case e.Status != 0:
		s += fmt.Sprintf(" (status %d)", e.Status)
	}
	return s
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.err }

var errProduct = newError(CodeProduct, "The server at elasticsearch.url is not Elasticsearch 8 or newer; OpenSearch and older versions are not supported. Check the address.", nil)

// callError says why a call got no answer.
func callError(err error) error {
	var (
		verify  *tls.CertificateVerificationError
		header  tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		alert   tls.AlertError
	)
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("call Elasticsearch: %w", err)
	case errors.As(err, &verify), errors.As(err, &header), errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &alert):
		return newError(CodeTLS, "No trusted TLS connection to Elasticsearch could be made. Check that elasticsearch.url has the name of the certificate, and elasticsearch.ca_file the authority that signed it.", err)
	}
	return newError(CodeDown, "Elasticsearch cannot be reached. Check that it runs, elasticsearch.url and the firewall; nothing is lost, the index catches up by itself.", err)
}

// statusError says what an answer with an error status means.
func statusError(status int, kind string) error {
	e := newError(CodeAnswer, "Elasticsearch gave an answer that Outband cannot use.", nil)
	switch status {
	case http.StatusUnauthorized:
		e = newError(CodeRefused, "Elasticsearch refused the user or the API key. Correct elasticsearch.username and its password, or make a new API key.", nil)
	case http.StatusForbidden:
		e = newError(CodeRights, "Elasticsearch does not let Outband do this: the user lacks a right, or the index is locked because the disk is full. The rights needed are in the operating guide.", nil)
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		e = newError(CodeOverloaded, "Elasticsearch is overloaded or not ready. Outband tries again by itself; give it more memory if this lasts.", nil)
	case http.StatusNotFound:
		e = newError(CodeMissing, "The index is not in Elasticsearch. It is made again from the store; run outband reindex if this lasts.", nil)
	}
	e.Status, e.Kind = status, kind
	return e
}

// again reports whether a status asks for the same once more.
func again(status int) bool {
	return status == http.StatusTooManyRequests || status >= http.StatusInternalServerError
}
