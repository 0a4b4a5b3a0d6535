package claude

import (
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
)

// levels returns the nested lists of a stream of records, nil if the stream is not read so.
func (s *source) levels(stream string) []level {
	size := s.pageSize[stream]
	organizations := level{path: fixed(root + "organizations"), by: byToken, limit: parentsAtOnce, row: parent(func(r *organizationRow) string { return r.UUID })}
	ofOrganization := func(rest string, row func([]string, json.RawMessage) row) level {
		return level{path: under(root+"organizations/", rest), by: byToken, limit: size, row: row, scope: outermost}
	}
	switch stream {
	case streamOrganizations:
		return []level{{path: fixed(root + "organizations"), by: byToken, limit: size, row: organizationRecord}}
	case streamUsers:
		return []level{organizations, ofOrganization("/users", userRecord)}
	case streamPreferences:
		return []level{organizations, ofOrganization("/user_preferences", preferencesRow)}
	case streamRoles:
		roles := ofOrganization("/roles", roleRecord)
		roles.limit = parentsAtOnce
		return []level{organizations, roles, {
			path: func(ids []string) string {
				return root + "organizations/" + segment(ids[0]) + "/roles/" + segment(ids[1]) + "/permissions"
			},
			by: byToken, limit: size, row: permissionRecord, scope: outermost,
		}}
	case streamSettings:
		return []level{organizations, {path: under(root+"organizations/", "/settings"), row: settingRecords, once: "compliance_key", scope: outermost}}
	case streamGroups:
		return []level{
			{path: fixed(root + "groups"), by: byToken, limit: parentsAtOnce, row: groupRecord},
			{path: under(root+"groups/", "/members"), by: byToken, limit: size, row: groupMemberRecord, scope: innermost},
		}
	case streamProjectSharing:
		return []level{
			{path: fixed(root + "apps/projects"), by: byToken, limit: parentsAtOnce, row: projectRecord},
			{path: under(root+"apps/projects/", "/collaborators"), by: byToken, limit: size, row: collaboratorRecord, scope: innermost},
		}
	case streamMembers:
		return []level{{path: fixed(adminRoot + "users"), by: byCursor, limit: size, row: memberRecord}}
	case streamInvites:
		return []level{{path: fixed(adminRoot + "invites"), by: byCursor, limit: size, row: inviteRecord}}
	case streamWorkspaces:
		return []level{
			{path: fixed(adminRoot + "workspaces"), by: byCursor, query: url.Values{"include_archived": {"true"}}, limit: parentsAtOnce, row: workspaceRecord},
			{path: under(adminRoot+"workspaces/", "/members"), by: byCursor, limit: size, row: workspaceMemberRecord, scope: innermost},
		}
	}
	return nil
}

// parent reads rows of which only the id is wanted.
func parent[T any](id func(*T) string) func([]string, json.RawMessage) row {
	return func(_ []string, raw json.RawMessage) row {
		var r T
		if json.Unmarshal(raw, &r) != nil || id(&r) == "" {
			return row{bad: 1}
		}
		return row{id: id(&r)}
	}
}

// records reads rows that are records: of makes the record of one, and its second result is the id of the list below. A row without a key is bad.
func records[T any](of func(ids []string, r *T) (connectors.Item, string)) func([]string, json.RawMessage) row {
	return func(ids []string, raw json.RawMessage) row {
		var r T
		if json.Unmarshal(raw, &r) != nil {
			return row{bad: 1}
		}
		item, below := of(ids, &r)
		if item.ID == "" {
			return row{bad: 1}
		}
		return row{items: []connectors.Item{item}, id: below}
	}
}

// wholeTenant is the scope of records whose list belongs to no other row.
const wholeTenant = "all"

// facts are the fields of a record. Empty texts and nil are left out: Anthropic did not say.
type facts map[string]any

// record makes the item of one record. What a finding points to is the record itself, so that one record has one finding of a policy: a person in two
// organisations is two records, and what is true of one need not be of the other.
func record(kind, id, scope, name string, at time.Time, who connectors.Actor, fields facts) connectors.Item {
	maps.DeleteFunc(fields, func(_ string, v any) bool { return v == nil || v == "" })
	it := connectors.Item{
		Kind: connectors.KindRecord, ID: id, At: at, Actor: who, Resource: connectors.Resource{Kind: kind, ID: id, Name: name, Owner: who.ID},
		Record: &connectors.Record{Kind: kind, ID: id, Scope: scope, Fields: fields},
	}
	it.Version = recordVersion(&it)
	return it
}

// recordVersion changes with everything that the record says.
func recordVersion(it *connectors.Item) string {
	b, err := json.Marshal([]any{it.Resource, it.Actor, it.Record})
	if err != nil {
		return "0" // Fields were decoded from JSON or are texts and bools.
	}
	return digest(string(b))
}

// joined makes an id that is unique in a connection of ids that are unique in each other. Without its own id a row has none.
func joined(ids ...string) string {
	if ids[len(ids)-1] == "" {
		return ""
	}
	return strings.Join(ids, "/")
}

// timeField writes a time of the API in one spelling, RFC 3339 in UTC, "" if it cannot be read.
func timeField(s string) string {
	at := moment(s)
	if at.IsZero() {
		return ""
	}
	return at.Format(time.RFC3339Nano)
}

// domain is the part of an e-mail address that names no person.
func domain(email string) string {
	i := strings.LastIndexByte(email, '@')
	if i < 0 {
		return ""
	}
	return strings.ToLower(email[i+1:])
}

// listOf makes a list of a record's fields.
func listOf(list []string) any {
	if list == nil {
		return nil
	}
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
