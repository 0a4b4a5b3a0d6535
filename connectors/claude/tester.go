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

// Kinds of keys, as the manifest names them.
const (
	keyCompliance = "compliance"
	keyAdmin      = "admin"
	keyAPI        = "api"
)

// probe is one call of a test.
type probe struct {
	name, title, path string
	query             url.Values
	ok                string // what a success means
	scope             string // that it shows the key to have
	streams           []string
	take              func(*tested, json.RawMessage) bool // false: the reply is not what is documented
}

// tested is what a test has found out.
type tested struct {
	account connectors.Account
	works   map[string]bool // probes that were answered, by name
	rowOrg  string          // the organisation that a row named
	got     []string        // scopes that the key has, as an error said
	scopes  []string        // and as the settings say
	refused error
}

// plan is the calls for a kind of key. The first one tells whether the API takes the key.
func plan(kind string) []probe {
	if kind == keyAdmin {
		return []probe{
			{name: "organization", title: "Console organisation", path: adminRoot + "me", ok: "The organisation of the Admin key can be read.", take: takeMe},
			{name: "activities", title: "Activity feed", path: root + "activities", query: url.Values{"limit": {"1"}, "order": {"asc"}},
				ok: "The activity feed can be read.", streams: []string{streamActivities, streamAPICalls}, take: takeActivity},
			{name: "members", title: "Members and invites", path: adminRoot + "users", query: url.Values{"limit": {"1"}},
				ok: "Members and invites can be read.", streams: []string{streamMembers, streamInvites}, take: takeList},
			{name: "api_keys", title: "API keys and workspaces", path: adminRoot + "api_keys", query: url.Values{"limit": {"1"}},
				ok: "API keys and workspaces can be read.", streams: []string{streamAPIKeys, streamWorkspaces}, take: takeList},
		}
	}
	return []probe{
		// The oldest row tells since when there is anything.
		{name: "activities", title: "Activity feed", path: root + "activities", query: url.Values{"limit": {"1"}, "order": {"asc"}},
			ok: "The activity feed can be read.", scope: "read:compliance_activities", take: takeActivity},
		{name: "organizations", title: "Organisations", path: root + "organizations", query: url.Values{"limit": {"1000"}},
			ok: "The organisations, roles and groups can be read.", scope: "read:compliance_org_data", take: takeOrganizations},
		{name: "chats", title: "Chats, projects and sessions", path: root + "apps/chats", query: url.Values{"limit": {"1"}},
			ok: "Chats, projects and sessions can be read, with their files.", scope: "read:compliance_user_data", take: takeChat},
		{name: streamSettings, title: "Settings in force", ok: "The settings in force can be read.", streams: []string{streamSettings}, take: takeSettings},
	}
}

// Test implements connectors.Tester. Its steps are the form of the key, the way to the API, whether the API takes the key, and one read for each of
// the probes; the first probe answers the step before it too, so that both show its time. The account is the first organisation of the list, which is
// the oldest; a key that may not list them gets the one that a reply's header or the rows name. Its ID is empty if nothing names one.
func (s *source) Test(ctx context.Context, report func(connectors.Step)) (connectors.Account, error) {
	kind := s.client.KeyHint()
	t := &tested{account: connectors.Account{KeyKind: kind}, works: map[string]bool{}}
	report(keyStep(kind))
	for i, p := range plan(kind) {
		if p.name == streamSettings {
			if len(t.account.Organizations) == 0 {
				continue // There is no organisation to ask for.
			}
			p.path = root + "organizations/" + segment(t.account.Organizations[0]) + "/settings"
		}
		took, ended, err := s.probe(ctx, p, t, i == 0, report)
		if ended {
			return t.account, err
		}
		var e *connectors.Error
		if errors.As(err, &e) && e.Code == connectors.CodeKeyKind && len(t.works) == 0 {
			e = &connectors.Error{Kind: e.Kind, Code: e.Code, Status: e.Status, RequestID: e.RequestID, Message: wrongKey(kind)}
			err = e
		}
		goesOn := err == nil || e != nil && t.narrows(e)
		if i == 0 && goesOn {
			report(connectors.Step{Name: stepAuth, Title: titleAuth, State: connectors.StepOK, MS: took, Message: "Anthropic takes the key."})
		}
		step := connectors.Step{Name: p.name, Title: p.title, State: connectors.StepOK, MS: took, Message: p.ok}
		switch {
		case err == nil:
			t.works[p.name] = true
		case goesOn:
			// The rest of the key works, so the test goes on.
			step.State = connectors.StepWarning
			step.Code, step.Message = narrowed(kind, p, e)
			t.account.MissingScopes = append(t.account.MissingScopes, e.Missing...)
			if len(e.Scopes) > 0 {
				t.got = e.Scopes
			}
			t.refused = err
		default:
			if i == 0 {
				step.Name, step.Title = stepAuth, titleAuth
			}
			step.State, step.Message = connectors.StepFailed, "The test was stopped."
			if e != nil {
				step.Code, step.Message = e.Code, e.Message
			}
			report(step)
			return t.account, err
		}
		report(step)
	}
	return s.concluded(t)
}

// The step that says whether the API takes the key.
const (
	stepAuth  = "auth"
	titleAuth = "Sign-in with the key"
)

// probe makes one call and returns the milliseconds that it took. The first call reports the way to the API; ended is true if it did not get there, which
// is reported then.
func (s *source) probe(ctx context.Context, p probe, t *tested, first bool, report func(connectors.Step)) (ms int64, ended bool, err error) {
	var got json.RawMessage
	var way *connectors.Way
	if first {
		ctx, way = connectors.WatchWay(ctx, s.client.Config(connectors.ConfigBaseURL), report)
	}
	begun := time.Now()
	err = s.client.GetJSON(ctx, p.path, p.query, &got)
	ended = way != nil && way.End(err)
	if err == nil && !p.take(t, got) {
		err = malformed("the reply is not what was asked for")
	}
	return time.Since(begun).Milliseconds(), ended, err
}

// narrows reports whether an error only narrows what can be read: a missing scope, or the answer that a key of another kind gets once it has shown
// that it can read something.
func (t *tested) narrows(e *connectors.Error) bool {
	return e.Kind == connectors.KindForbidden || len(t.works) > 0 && absent(e)
}

// narrowed says what a step that only narrows means.
func narrowed(kind string, p probe, e *connectors.Error) (code, message string) {
	switch {
	case e.Kind == connectors.KindForbidden:
	case p.name == streamSettings:
		return connectors.CodeUnavailable, "Anthropic has not switched the settings endpoint on for this organisation, which it does on request. Until then what hangs on settings is shown as not available."
	case kind == keyAdmin && p.name == streamActivities:
		return e.Code, "The key does not reach the activity feed: an Admin key does only if the Compliance API was switched on when the key was made. Switch it on and make a new key, or read the feed with a Compliance Access Key."
	}
	return e.Code, e.Message
}

// concluded makes the account of what was found out.
func (s *source) concluded(t *tested) (connectors.Account, error) {
	a := &t.account
	if len(t.works) == 0 {
		a.MissingScopes = sorted(a.MissingScopes)
		return *a, t.refused
	}
	if a.KeyKind != keyAdmin {
		a.KeyKind = keyCompliance // The answers decide, whatever the key begins with.
	}
	for _, stream := range s.manifest.Streams {
		if slices.Contains(stream.Keys, a.KeyKind) && s.readable(t, stream.ID) {
			a.Streams = append(a.Streams, stream.ID)
		}
	}
	if hinter, ok := s.client.(connectors.AccountHinter); ok && a.ID == "" {
		a.ID = hinter.AccountHint()
	}
	a.ID = either(a.ID, t.rowOrg)
	if len(a.Organizations) == 0 && t.rowOrg != "" {
		a.Organizations = []string{t.rowOrg}
	}
	a.MissingScopes = sorted(a.MissingScopes)
	a.SurplusScopes = s.surplus(t)
	return *a, nil
}

// readable reports whether the probes show that a stream can be read: the probe that names it was answered, and those for every scope that it needs.
func (s *source) readable(t *tested, stream string) bool {
	for _, p := range plan(t.account.KeyKind) {
		needs := slices.Contains(p.streams, stream) || slices.ContainsFunc(s.manifest.Scopes, func(sc connectors.Scope) bool {
			return sc.ID == p.scope && slices.Contains(sc.Streams, stream)
		})
		if needs && !t.works[p.name] {
			return false
		}
	}
	return true
}

// surplus returns the scopes that the key has beyond what is asked for. Retired ones grant nothing.
func (s *source) surplus(t *tested) []string {
	has := t.got
	if len(has) == 0 {
		has = t.scopes
	}
	var out []string
	for _, scope := range has {
		asked := slices.ContainsFunc(s.manifest.Scopes, func(sc connectors.Scope) bool { return sc.ID == scope })
		if !asked && scope != "read:compliance_org_settings" && !(scope == "api:admin" && t.account.KeyKind == keyAdmin) {
			out = append(out, scope)
		}
	}
	return sorted(out)
}

func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Compact(list)
}

// keyStep judges the prefix. It is a hint: the answers to the calls decide.
func keyStep(kind string) connectors.Step {
	step := connectors.Step{Name: "key", Title: "Form of the key", State: connectors.StepWarning, Code: connectors.CodeKeyKind}
	switch kind {
	case keyCompliance:
		step.State, step.Code, step.Message = connectors.StepOK, "", "The key looks like a Compliance Access Key."
	case keyAdmin:
		step.State, step.Code = connectors.StepOK, ""
		step.Message = "This is an Admin API key: it reads members, invites, workspaces, API keys and the activity feed of a Console organisation. For chats, files and settings add a connection with a Compliance Access Key."
	case keyAPI:
		step.Message = wrongKey(kind)
	default:
		step.Code, step.Message = connectors.CodeKeyUnrecognized, "The key does not begin like one for the Compliance API (sk-ant-api01-). Check that it was copied whole."
	}
	return step
}

// wrongKey says which key to make in the place of one that cannot read here.
func wrongKey(kind string) string {
	switch kind {
	case keyAPI:
		return "This is an ordinary Claude API key, which calls models and cannot read compliance data. " + makeKey
	case keyAdmin:
		return "This Admin API key was refused. Make one in Claude Console under Settings, Admin keys, as an admin of the organisation; to scan chats and files, use a Compliance Access Key instead."
	}
	return "This key cannot be used for the Compliance API. " + makeKey + " If the key is right, check the base URL."
}
