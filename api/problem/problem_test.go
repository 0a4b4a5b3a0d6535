package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
)

func TestFromHumaKeepsNothingThatWasSent(t *testing.T) {
	const sent = "Example-Secret-1"
	for _, tc := range []struct {
		name   string
		status int
		detail huma.ErrorDetail
		want   *Problem
		fields []Field
	}{
		{"a value", 422, huma.ErrorDetail{Location: "body.role", Message: "expected string", Value: sent}, Invalid(), []Field{{"body.role", "expected string"}}},
		{"a name", 422, huma.ErrorDetail{Location: "body." + sent, Message: "unexpected property"}, Invalid(), []Field{{"body.?", "unexpected property"}}},
		{"the text of a parser", 422, huma.ErrorDetail{Location: "body.url", Message: "expected string to be RFC 3986 uri: parse " + sent}, Invalid(), []Field{{"body.url", "expected string to be RFC 3986 uri"}}},
		{"a text that nobody knows", 422, huma.ErrorDetail{Location: "body.url", Message: sent + " is bad"}, Invalid(), []Field{{"body.url", "the value does not have the form that is described"}}},
		{"a parameter", 422, huma.ErrorDetail{Location: "query.limit", Message: "expected number <= 500", Value: sent}, BadQuery(), []Field{{"query.limit", "expected number <= 500"}}},
		{"a body", 400, huma.ErrorDetail{Location: "body", Message: "invalid character", Value: sent}, New(400, CodeBody, ""), nil},
		{"a status that nobody knows", 418, huma.ErrorDetail{Message: sent}, Internal(), nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := FromHuma(&huma.ErrorModel{Status: tc.status, Detail: sent, Errors: []*huma.ErrorDetail{&tc.detail, nil}})
			if got.Code != tc.want.Code || got.Status != tc.want.Status {
				t.Errorf("problem %s with %d, want %s with %d", got.Code, got.Status, tc.want.Code, tc.want.Status)
			}
			if diff := cmp.Diff(tc.fields, got.Errors); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			b, err := json.Marshal(got)
			if err != nil || strings.Contains(string(b), sent) {
				t.Errorf("the problem repeats what was sent: %s, %v", b, err)
			}
		})
	}
}

func TestProblemIsAnErrorWithAStatus(t *testing.T) {
	var err error = NotFound()
	var status huma.StatusError
	if !errors.As(err, &status) || status.GetStatus() != http.StatusNotFound || !strings.HasPrefix(err.Error(), CodeNotFound) {
		t.Errorf("%v is no error with status 404", err)
	}
}

func FuzzPlace(f *testing.F) {
	for _, seed := range []string{"body.config.base_url", "body.items[3].x", "query.Limit", "...", "body." + strings.Repeat("a.", 40)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		for _, part := range strings.Split(Place(location), ".") {
			if part != "?" && !plain.MatchString(part) {
				t.Errorf("Place(%q) keeps %q", location, part)
			}
		}
	})
}
