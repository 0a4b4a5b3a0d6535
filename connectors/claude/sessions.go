package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
)

// session is a local or a remote session of the lists.
type session struct {
	ID               string `json:"id"`
	OrganizationUUID string `json:"organization_uuid"`
	User             person `json:"user"` // null: the session is an agent's, or the account is gone
	AgentID          string `json:"agent_id"`
	StartedByUser    person `json:"started_by_user"`
	Status           string `json:"status"` // of remote sessions
	ProductSurface   string `json:"product_surface"`
	ProjectID        string `json:"claude_project_id"`
	CreatedAt        string `json:"created_at"`
	UpdatedAt        string `json:"updated_at"`
}

// remotePrefix begins the ids of remote sessions.
const remotePrefix = "cse_"

// statusPending is the status of a remote session that has no transcript yet.
const statusPending = "pending"

// isRemote tells the kind of a session: by its version, which has the status, or by its id where there is no version.
func isRemote(item connectors.Item) bool {
	return strings.Contains(item.Version, "/") || item.Version == "" && strings.HasPrefix(item.ID, remotePrefix)
}

func sessionPath(item connectors.Item) string {
	kind := "local/"
	if isRemote(item) {
		kind = "remote/"
	}
	return root + "apps/sessions/" + kind + segment(item.ID) + "/messages"
}

// localSessions lists by the time of change, which has a lower bound only; slices of history go by the time of creation, which has both.
func (s *source) localSessions(ctx context.Context, after connectors.Cursor) (connectors.Page, error) {
	slice, err := after.Slice()
	if err != nil {
		return connectors.Page{}, err
	}
	l := list{path: root + "apps/sessions/local", by: byToken, query: url.Values{}, from: "updated_at.gte", item: localRow}
	if slice.History {
		l.from, l.to = "created_at.gte", "created_at.lt"
	}
	return s.list(ctx, streamLocal, l, after)
}

func localRow(raw []byte) (connectors.Item, bool)  { return sessionRow(raw, false) }
func remoteRow(raw []byte) (connectors.Item, bool) { return sessionRow(raw, true) }

func sessionRow(raw []byte, remote bool) (connectors.Item, bool) {
	var r session
	if json.Unmarshal(raw, &r) != nil || r.ID == "" {
		return connectors.Item{}, false
	}
	it := connectors.Item{
		Kind: connectors.KindSession, ID: r.ID, Actor: r.actor(),
		Resource: connectors.Resource{Kind: connectors.KindSession, ID: r.ID, Owner: either(r.User.ID, r.AgentID), Project: r.ProjectID},
	}
	changed(&it, r.CreatedAt, r.UpdatedAt, "")
	if remote {
		it.Version += "/" + r.Status // A session that begins has content, whatever its times say.
	}
	return it, true
}

func (r *session) actor() connectors.Actor {
	switch {
	case r.User.ID != "":
		return r.User.actor()
	case r.AgentID != "":
		return connectors.Actor{ID: r.AgentID, Type: "agent"}
	}
	return r.StartedByUser.actor()
}

// sessionMessage is a message of either kind of session.
type sessionMessage struct {
	message
	Provenance *struct {
		Type   string `json:"type"`
		Reason string `json:"reason"`
	} `json:"provenance"` // null: verified
	Unavailable bool `json:"content_unavailable"`
}

// Provenances of messages in local sessions.
const (
	clientAsserted  = "client_asserted"  // the client gives its own history again
	syntheticMarker = "synthetic_marker" // a text of the server, e.g. that a system prompt is not shown
	noContent       = "content_unavailable"
)

// unavailableReasons are documented; another one is counted under the general word, so that the number of reasons is bounded.
var unavailableReasons = []string{"not_captured", "client_aborted", "cmek_key_revoked", "retention_elapsed", "oversize"}

// replayed reports whether the message is not one of its own: what it repeats was scanned where it was captured.
func (m *sessionMessage) replayed() bool {
	return m.Provenance != nil && (m.Provenance.Type == clientAsserted || m.Provenance.Type == syntheticMarker)
}

// unavailable returns why there is no content, "" if there is.
func (m *sessionMessage) unavailable() string {
	switch {
	case m.Unavailable:
		return noContent
	case m.Provenance == nil || m.Provenance.Type != noContent:
		return ""
	case slices.Contains(unavailableReasons, m.Provenance.Reason):
		return m.Provenance.Reason
	}
	return noContent
}

func (m *sessionMessage) give(yield func(connectors.Part) bool) bool {
	if reason := m.unavailable(); reason != "" {
		kind := connectors.PartAssistantText
		if m.Role == roleUser {
			kind = connectors.PartUserText
		}
		return yield(connectors.Part{Kind: kind, Resource: connectors.Ref{Kind: "message", ID: m.ID}, Role: m.Role, At: moment(m.CreatedAt), Skipped: reason})
	}
	return m.blocks(yield)
}

// sessionSlack is how much later than its time a message can appear. Times in a session are those of the calls, which several messages share, and a
// remote session's may be inverted.
const sessionSlack = 10 * time.Minute

// fetchSession reads the messages of a session. The list has no filter by time, so an incremental read goes from the newest message back until it meets
// what is older than all that can be new: usually one call. Messages of one page come in their own order.
func (s *source) fetchSession(ctx context.Context, item connectors.Item, yield func(connectors.Part) bool) error {
	seen := readSeen(item.Since, sessionSlack, s.now())
	newestFirst := seen.known() && !item.Again
	query := func() url.Values {
		q := url.Values{"tool_use_input_max_bytes": {"-1"}, "tool_result_max_bytes": {"-1"}}
		if newestFirst {
			q.Set("order", "desc")
		}
		return q
	}
	path, bad, restarted := sessionPath(item), 0, false
	limit := messageLimit
	for at := (place{}); ; {
		got, err := s.page(ctx, path, byToken, query(), limit, at.Page)
		switch {
		case errors.Is(err, connectors.ErrTooBig) && limit > 1:
			limit /= 2
			continue
		case errors.Is(err, connectors.ErrCursorExpired) && !restarted:
			// A token lives for a day after the first page.
			at, restarted = place{}, true
			continue
		case err != nil:
			return sessionError(item, err)
		}
		if newestFirst {
			slices.Reverse(got.Data)
		}
		old := false
		for _, raw := range got.Data {
			var m sessionMessage
			if json.Unmarshal(raw, &m) != nil || m.ID == "" {
				bad++
				continue
			}
			when := moment(m.CreatedAt)
			isNew, twice := seen.add(m.ID, when)
			old = old || seen.before(when)
			if twice || m.replayed() || !isNew && !item.Again {
				continue
			}
			if !m.give(again(yield, !isNew)) {
				return errStopped
			}
		}
		next, err := got.next(byToken)
		if err != nil {
			return err
		}
		if next == "" || newestFirst && old {
			break
		}
		if err := at.advance(next); err != nil {
			return err
		}
	}
	if bad > 0 {
		return malformed(fmt.Sprintf("%d messages cannot be read", bad))
	}
	return seen.end(yield)
}

// sessionError tells a remote session that has not begun from one that is gone; both get the same answer.
func sessionError(item connectors.Item, err error) error {
	var e *connectors.Error
	if !errors.As(err, &e) || e.Kind != connectors.KindGone || !isRemote(item) {
		return err
	}
	_, status, known := strings.Cut(item.Version, "/")
	if known && status != statusPending {
		return err
	}
	later := *e
	later.Kind, later.Code, later.Message = connectors.KindTransient, connectors.CodeServerError, "The session has not begun yet; it is read once it has."
	return &later
}
