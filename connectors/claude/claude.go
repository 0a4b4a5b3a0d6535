// Package claude reads a Claude Enterprise organisation through Anthropic's Compliance API, and a Claude Console organisation through its Admin API: what
// people wrote, what happened, and how the organisation is set up. It only reads. An empty place in what it gives (no owner, no size) means that Anthropic
// did not say.
package claude

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/outband/outband/connectors"
)

//go:embed manifest.yaml
var manifest []byte

// Connector is listed once, in connectors/all.
var Connector = connectors.Connector{Manifest: manifest, Open: open, MapError: mapError}

// Roots of the two APIs.
const (
	root      = "v1/compliance/"
	adminRoot = "v1/organizations/"
)

// Ids of the streams.
const (
	streamChats          = "chats"
	streamActivities     = "activities"
	streamAPICalls       = "api_calls"
	streamProjects       = "projects"
	streamLocal          = "local_sessions"
	streamRemote         = "remote_sessions"
	streamCodeArtifacts  = "code_artifacts"
	streamPreferences    = "user_preferences"
	streamOrganizations  = "organizations"
	streamUsers          = "users"
	streamRoles          = "roles"
	streamGroups         = "groups"
	streamSettings       = "settings"
	streamProjectSharing = "project_sharing"
	streamMembers        = "admin_members"
	streamInvites        = "admin_invites"
	streamWorkspaces     = "admin_workspaces"
	streamAPIKeys        = "admin_api_keys"
)

type source struct {
	client   connectors.Client
	manifest *connectors.Manifest
	pageSize map[string]int
	now      func() time.Time
}

var (
	_ connectors.Fetcher   = (*source)(nil)
	_ connectors.Tester    = (*source)(nil)
	_ connectors.Estimator = (*source)(nil)
)

// parsed is the manifest, which a source only reads.
var parsed = sync.OnceValue(func() *connectors.Manifest {
	m, err := connectors.ParseManifest(manifest)
	if err != nil {
		panic(err) // The manifest is part of this program.
	}
	return m
})

func open(c connectors.Client) connectors.Source {
	m := parsed()
	s := &source{client: c, manifest: m, pageSize: map[string]int{}, now: time.Now}
	for _, stream := range m.Streams {
		s.pageSize[stream.ID] = stream.PageSize
	}
	return s
}

// Read implements connectors.Source.
func (s *source) Read(ctx context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
	page, err := s.read(ctx, stream, after)
	switch stream {
	case streamChats, streamActivities, streamAPICalls:
		// Every key that is of use reads one of them, so that the two words of a wrong key mean what they say.
		return page, err
	}
	if absent(err) {
		err = unavailable(err)
	}
	return page, err
}

func (s *source) read(ctx context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
	switch stream {
	case streamChats:
		return s.list(ctx, stream, list{path: root + "apps/chats", by: byCursor, query: url.Values{"order_by": {"updated_at"}},
			from: "updated_at.gte", to: "updated_at.lt", item: chatRow}, after)
	case streamActivities:
		// The calls of this program are activities too, and would soon be most of the feed.
		return s.list(ctx, stream, feed(url.Values{"exclude_activity_types[]": {apiCall}}), after)
	case streamAPICalls:
		return s.list(ctx, stream, feed(url.Values{"activity_types[]": {apiCall}}), after)
	case streamProjects:
		return s.list(ctx, stream, list{path: root + "apps/projects", by: byToken, query: url.Values{},
			from: "updated_at.gte", to: "updated_at.lt", item: projectRow}, after)
	case streamLocal:
		return s.localSessions(ctx, after)
	case streamRemote:
		return s.list(ctx, stream, list{path: root + "apps/sessions/remote", by: byToken, query: url.Values{},
			from: "created_at.gte", to: "created_at.lt", item: remoteRow}, after)
	case streamCodeArtifacts:
		return s.list(ctx, stream, list{path: root + "apps/code/artifacts", by: byToken, query: url.Values{}, item: codeArtifactRow}, after)
	}
	if levels := s.levels(stream); levels != nil {
		return s.walk(ctx, levels, after)
	}
	if stream == streamAPIKeys {
		return s.apiKeys(ctx, after)
	}
	return connectors.Page{}, malformed("there is no such stream")
}

// person is a user as rows name one.
type person struct {
	ID           string `json:"id"`
	EmailAddress string `json:"email_address"`
	Email        string `json:"email"`
}

func (p *person) actor() connectors.Actor {
	if p.ID == "" {
		return connectors.Actor{}
	}
	return connectors.Actor{ID: p.ID, Email: either(p.EmailAddress, p.Email), Type: "user"}
}

// chat is a chat of the list, and the head of a reply with its messages.
type chat struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
	DeletedAt string `json:"deleted_at"` // empty, null or missing: not deleted
	Href      string `json:"href"`
	ProjectID string `json:"project_id"`
	User      person `json:"user"` // null: the account is gone
}

func chatRow(raw []byte) (connectors.Item, bool) {
	var c chat
	if json.Unmarshal(raw, &c) != nil || c.ID == "" {
		return connectors.Item{}, false
	}
	return c.item(), true
}

func (c *chat) item() connectors.Item {
	it := connectors.Item{
		Kind: connectors.KindChat, ID: c.ID, Actor: c.User.actor(),
		Resource: connectors.Resource{Kind: connectors.KindChat, ID: c.ID, Name: c.Name, URL: link(c.Href), Owner: c.User.ID, Project: c.ProjectID},
	}
	changed(&it, c.CreatedAt, c.UpdatedAt, c.DeletedAt)
	return it
}

// changed sets time, version and deletion of an item from the times of its row. The same moment comes in several spellings, so the version is made from
// the moment.
func changed(it *connectors.Item, created, updated, deleted string) {
	if it.At = moment(updated); !it.At.IsZero() {
		it.Version = strconv.FormatInt(it.At.UnixMicro(), 10)
	} else {
		it.At, it.Version = moment(created), digest(updated)
	}
	if deleted != "" {
		it.Deleted = true
		it.Version += "-deleted"
		if at := moment(deleted); !at.IsZero() {
			it.At = at
		}
	}
}

// link returns a foreign link if it is one that may be shown.
func link(s string) string {
	if u, err := url.Parse(s); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
		return ""
	}
	return s
}

// either returns the first text that is not empty.
func either(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func malformed(why string) error {
	return &connectors.Error{
		Kind: connectors.KindMalformed, Code: connectors.CodeMalformed, Err: errors.New(why),
		Message: "Anthropic gave a reply that does not follow its documentation.",
	}
}

// segment writes a foreign id for use in a path.
func segment(id string) string { return url.PathEscape(id) }
