package acme

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"strings"

	"github.com/outband/outband/connectors"
)

// walk is the place in the snapshot of members, in Slice.After: the list of teams is read a page at a time, and after each page the members of its teams.
// It holds the ids of one page of teams at most.
type walk struct {
	Teams  string   `json:"teams,omitempty"`  // the vendor's place in the list of teams
	More   bool     `json:"more,omitempty"`   // it goes on after the pending teams
	Team   []string `json:"team,omitempty"`   // teams whose members are to be read, the first one now
	Member string   `json:"member,omitempty"` // the vendor's place in the members of the first
}

// scopeTeams is the scope of the teams themselves; that of a member is its team.
const scopeTeams = "teams"

func (s *source) members(ctx context.Context, slice connectors.Slice, after connectors.Cursor) (connectors.Page, error) {
	var at walk
	if slice.After != "" && json.Unmarshal([]byte(slice.After), &at) != nil {
		return connectors.Page{}, &connectors.Error{Kind: connectors.KindCursorExpired, Message: "The stored place in the teams cannot be read; they are read again from the first."}
	}
	page := connectors.Page{Next: after}
	if len(at.Team) == 0 {
		got, err := s.get(ctx, "teams", 200, connectors.Slice{After: at.Teams})
		if err != nil {
			return connectors.Page{}, err
		}
		add(&page, got.Rows, func(raw []byte) (connectors.Item, bool) { return teamItem(raw) })
		for _, item := range page.Items {
			at.Team = append(at.Team, item.ID)
		}
		if got.Last != "" {
			at.Teams = got.Last
		}
		at.More = got.More
	} else {
		team := at.Team[0]
		got, err := s.get(ctx, "teams/"+url.PathEscape(team)+"/members", 200, connectors.Slice{After: at.Member})
		switch {
		case errors.Is(err, connectors.ErrGone):
			page.Missing = []string{team}
		case err != nil:
			return connectors.Page{}, err
		default:
			add(&page, got.Rows, func(raw []byte) (connectors.Item, bool) { return memberItem(raw, team) })
		}
		at.Member = got.Last
		if !got.More {
			at.Team, at.Member = at.Team[1:], ""
		}
	}
	page.More = len(at.Team) > 0 || at.More
	if page.More {
		b, err := json.Marshal(at)
		if err != nil {
			return connectors.Page{}, err // Texts can always be encoded.
		}
		slice.After = string(b)
		page.Next = slice.Cursor()
	}
	return page, nil
}

func teamItem(raw []byte) (connectors.Item, bool) {
	var t struct {
		ID     string `json:"id"`
		Open   bool   `json:"open"`
		Review string `json:"review"`
	}
	if json.Unmarshal(raw, &t) != nil || t.ID == "" {
		return connectors.Item{}, false
	}
	return record("team", t.ID, scopeTeams, connectors.Actor{}, "", map[string]any{"open": t.Open, "review": t.Review}), true
}

func memberItem(raw []byte, team string) (connectors.Item, bool) {
	var m struct {
		ID    string `json:"id"`
		Email string `json:"email"`
		Role  string `json:"role"`
		Since string `json:"since"`
	}
	if json.Unmarshal(raw, &m) != nil || m.ID == "" {
		return connectors.Item{}, false
	}
	_, domain, _ := strings.Cut(m.Email, "@")
	who := connectors.Actor{ID: m.ID, Email: m.Email, Type: "user"}
	return record("team_member", team+"/"+m.ID, team, who, m.Since, map[string]any{"team": team, "role": m.Role, "email_domain": domain}), true
}

func labelItem(raw []byte) (connectors.Item, bool) {
	var l struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if json.Unmarshal(raw, &l) != nil || l.ID == "" {
		return connectors.Item{}, false
	}
	return record("label", l.ID, "labels", connectors.Actor{}, "", map[string]any{"name": l.Name}), true
}

func record(kind, id, scope string, who connectors.Actor, at string, fields map[string]any) connectors.Item {
	it := connectors.Item{
		Kind: connectors.KindRecord, ID: id, Version: "1", Actor: who, Resource: connectors.Resource{Kind: kind, ID: id},
		Record: &connectors.Record{Kind: kind, ID: id, Scope: scope, Fields: fields},
	}
	if t, err := connectors.ParseTime(at); err == nil {
		it.At = t // A time that cannot be read is none; nothing hangs on it.
	}
	return it
}
