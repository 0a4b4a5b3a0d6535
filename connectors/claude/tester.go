package claude

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
)

// probes are the calls of a test, each for one row.
var probes = []struct{ name, title, path, stream, ok string }{
	{"activities", "Activity feed", "activities", streamActivities, "The activity feed can be read."},
	{"organizations", "Organisation", "organizations", "", "The organisation can be read."},
	{"chats", "Chats and files", "apps/chats", streamChats, "Chats, messages and files can be read."},
}

// Test implements connectors.Tester. Its steps are the form of the key, the way to the API, whether the API takes the key, and one read for each of
// the probes; the first probe answers the step before it too, so that both show its time. The account is the first organisation of the list, which is
// the oldest; a key that may not list them gets the one that a reply's header or the rows name. Its ID is empty if nothing names one.
func (s *source) Test(ctx context.Context, report func(connectors.Step)) (connectors.Account, error) {
	account := connectors.Account{KeyKind: s.client.KeyHint()}
	report(keyStep(account.KeyKind))
	var fromRows string
	var refused error
	for i, p := range probes {
		rows, took, ended, err := s.probe(ctx, p.path, i == 0, report)
		if ended {
			return account, err
		}
		var e *connectors.Error
		step := connectors.Step{Name: p.name, Title: p.title, State: connectors.StepOK, MS: took, Message: p.ok}
		goesOn := err == nil || errors.As(err, &e) && narrows(e, account.Streams)
		if i == 0 && goesOn {
			report(connectors.Step{Name: stepAuth, Title: titleAuth, State: connectors.StepOK, MS: took, Message: "Anthropic takes the key."})
		}
		switch {
		case err == nil:
			report(step)
			if p.stream != "" {
				account.Streams = append(account.Streams, p.stream)
			}
			row := organization(rows)
			if p.stream == "" {
				account.ID, account.Name = row.UUID, row.Name
			} else if row.OrganizationUUID != "" {
				fromRows = row.OrganizationUUID // Chats come last and always have one.
			}
		case goesOn:
			// The rest of the key works, so the test goes on.
			step.State, step.Code, step.Message = connectors.StepWarning, e.Code, e.Message
			report(step)
			account.MissingScopes = append(account.MissingScopes, e.Missing...)
			if refused == nil || p.stream != "" {
				refused = err
			}
		default:
			if i == 0 {
				step.Name, step.Title = stepAuth, titleAuth
			}
			step.State, step.Message = connectors.StepFailed, "The test was stopped."
			if e != nil {
				step.Code, step.Message = e.Code, e.Message
			}
			report(step)
			return account, err
		}
	}
	if len(account.Streams) == 0 {
		return account, refused
	}
	if hinter, ok := s.client.(connectors.AccountHinter); ok && account.ID == "" {
		account.ID = hinter.AccountHint()
	}
	if account.ID == "" {
		account.ID = fromRows
	}
	slices.Sort(account.MissingScopes)
	account.MissingScopes = slices.Compact(account.MissingScopes)
	return account, nil
}

// The step that says whether the API takes the key.
const (
	stepAuth  = "auth"
	titleAuth = "Sign-in with the key"
)

// probe reads one row of a list and returns the milliseconds that it took. The first call reports the way to the API; ended is true if it did not get
// there, which is reported then.
func (s *source) probe(ctx context.Context, path string, first bool, report func(connectors.Step)) (rows []json.RawMessage, ms int64, ended bool, err error) {
	var got struct {
		Data []json.RawMessage `json:"data"`
	}
	var way *connectors.Way
	if first {
		ctx, way = connectors.WatchWay(ctx, s.client.Config(connectors.ConfigBaseURL), report)
	}
	begun := time.Now()
	err = s.client.GetJSON(ctx, root+path, url.Values{"limit": {"1"}}, &got)
	ended = way != nil && way.End(err)
	if err == nil && got.Data == nil {
		err = malformed("the reply has no list")
	}
	return got.Data, time.Since(begun).Milliseconds(), ended, err
}

// narrows reports whether an error only narrows what can be read: a missing scope, or the answer that a key of another kind gets once it has shown
// that it can read something.
func narrows(e *connectors.Error, readable []string) bool {
	return e.Kind == connectors.KindForbidden || (len(readable) > 0 && (e.Kind == connectors.KindGone || e.Code == connectors.CodeKeyKind))
}

// named is what names an organisation in the rows of the lists.
type named struct {
	UUID             string `json:"uuid"`
	Name             string `json:"name"`
	OrganizationUUID string `json:"organization_uuid"`
}

func organization(data []json.RawMessage) named {
	var r named
	if len(data) > 0 && json.Unmarshal(data[0], &r) != nil {
		return named{} // A row that cannot be read names nobody.
	}
	return r
}

// keyStep judges the prefix. It is a hint: the answers to the calls decide.
func keyStep(kind string) connectors.Step {
	step := connectors.Step{Name: "key", Title: "Form of the key", State: connectors.StepWarning, Code: connectors.CodeKeyKind}
	switch kind {
	case "compliance":
		step.State, step.Code, step.Message = connectors.StepOK, "", "The key looks like a Compliance Access Key."
	case "admin":
		step.Message = "This is an Admin API key, which can read the activity feed only. To scan chats and files, use a Compliance Access Key."
	case "api":
		step.Message = "This is an ordinary Claude API key, which cannot read compliance data. " + makeKey
	default:
		step.Code, step.Message = connectors.CodeKeyUnrecognized, "The key does not begin like one for the Compliance API (sk-ant-api01-). Check that it was copied whole."
	}
	return step
}
