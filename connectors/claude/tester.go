package claude

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"github.com/outband/outband/connectors"
)

// probes are the calls of a test, each for one row.
var probes = []struct{ name, path, stream, ok string }{
	{"activities", "activities", streamActivities, "The activity feed can be read."},
	{"organizations", "organizations", "", "The organisation can be read."},
	{"chats", "apps/chats", streamChats, "Chats, messages and files can be read."},
}

// Test implements connectors.Tester. The account is the first organisation of the list, which is the oldest; a key that may not list them gets the one
// that a reply's header or the rows name. Its ID is empty if nothing names one.
func (s *source) Test(ctx context.Context, report func(connectors.Step)) (connectors.Account, error) {
	account := connectors.Account{KeyKind: s.client.KeyHint()}
	report(keyStep(account.KeyKind))
	var fromRows string
	var refused error
	for _, p := range probes {
		var got struct {
			Data []json.RawMessage `json:"data"`
		}
		err := s.client.GetJSON(ctx, root+p.path, url.Values{"limit": {"1"}}, &got)
		if err == nil && got.Data == nil {
			err = malformed("the reply has no list")
		}
		var e *connectors.Error
		switch {
		case err == nil:
			report(connectors.Step{Name: p.name, State: "ok", Message: p.ok})
			if p.stream != "" {
				account.Streams = append(account.Streams, p.stream)
			}
			row := organization(got.Data)
			if p.stream == "" {
				account.ID, account.Name = row.UUID, row.Name
			} else if row.OrganizationUUID != "" {
				fromRows = row.OrganizationUUID // Chats come last and always have one.
			}
		case errors.As(err, &e) && narrows(e, account.Streams):
			// The rest of the key works, so the test goes on.
			report(connectors.Step{Name: p.name, State: "warning", Code: e.Code, Message: e.Message})
			account.MissingScopes = append(account.MissingScopes, e.Missing...)
			if refused == nil || p.stream != "" {
				refused = err
			}
		default:
			step := connectors.Step{Name: p.name, State: "failed", Message: "The test was stopped."}
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
	step := connectors.Step{Name: "key", State: "warning", Code: connectors.CodeKeyKind}
	switch kind {
	case "compliance":
		return connectors.Step{Name: "key", State: "ok", Message: "The key looks like a Compliance Access Key."}
	case "admin":
		step.Message = "This is an Admin API key, which can read the activity feed only. To scan chats and files, use a Compliance Access Key."
	case "api":
		step.Message = "This is an ordinary Claude API key, which cannot read compliance data. " + makeKey
	default:
		step.Code, step.Message = connectors.CodeKeyUnrecognized, "The key does not begin like one for the Compliance API (sk-ant-api01-). Check that it was copied whole."
	}
	return step
}
