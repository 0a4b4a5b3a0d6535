package claude

import (
	"encoding/json"

	"github.com/outband/outband/connectors"
)

type organizationRow struct {
	UUID      string `json:"uuid"`
	Name      string `json:"name"`
	CreatedAt string `json:"created_at"`
}

var organizationRecord = records(func(_ []string, r *organizationRow) (connectors.Item, string) {
	return record("organization", r.UUID, wholeTenant, r.Name, moment(r.CreatedAt), connectors.Actor{}, facts{"created_at": timeField(r.CreatedAt)}), ""
})

type userRow struct {
	person
	FullName  string `json:"full_name"`
	Role      string `json:"organization_role"`
	CreatedAt string `json:"created_at"`
}

var userRecord = records(func(ids []string, r *userRow) (connectors.Item, string) {
	who := r.actor()
	who.Name, who.Role = r.FullName, r.Role
	return record("user", joined(ids[0], r.ID), ids[0], "", moment(r.CreatedAt), who, facts{
		"organization": ids[0], "user_id": r.ID, "role": r.Role, "email_domain": domain(who.Email), "created_at": timeField(r.CreatedAt),
	}), ""
})

type roleRow struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt string `json:"created_at"`
	UpdatedAt string `json:"updated_at"`
}

var roleRecord = records(func(ids []string, r *roleRow) (connectors.Item, string) {
	return record("role", r.ID, ids[0], r.Name, moment(r.CreatedAt), connectors.Actor{}, facts{
		"organization": ids[0], "created_at": timeField(r.CreatedAt), "updated_at": timeField(r.UpdatedAt),
	}), r.ID
})

type permissionRow struct {
	Action       string `json:"action"`
	ResourceType string `json:"resource_type"`
	ResourceID   string `json:"resource_id"`
}

var permissionRecord = records(func(ids []string, r *permissionRow) (connectors.Item, string) {
	id := ""
	if r.Action != "" {
		id = joined(ids[1], r.ResourceType, r.ResourceID, r.Action)
	}
	it := record("role_permission", id, ids[0], "", moment(""), connectors.Actor{}, facts{
		"organization": ids[0], "role_id": ids[1], "action": r.Action, "resource_type": r.ResourceType, "resource_id": r.ResourceID,
	})
	return it, ""
})

type groupRow struct {
	ID         string   `json:"id"`
	Name       string   `json:"name"`
	SourceType string   `json:"source_type"`
	Roles      []string `json:"roles"`
	CreatedAt  string   `json:"created_at"`
	UpdatedAt  string   `json:"updated_at"`
}

var groupRecord = records(func(_ []string, r *groupRow) (connectors.Item, string) {
	return record("group", r.ID, wholeTenant, r.Name, moment(r.CreatedAt), connectors.Actor{}, facts{
		"source_type": r.SourceType, "roles": listOf(r.Roles), "created_at": timeField(r.CreatedAt), "updated_at": timeField(r.UpdatedAt),
	}), r.ID
})

type groupMemberRow struct {
	UserID       string `json:"user_id"`
	Email        string `json:"email"`
	EmailAddress string `json:"email_address"`
	CreatedAt    string `json:"created_at"`
}

var groupMemberRecord = records(func(ids []string, r *groupMemberRow) (connectors.Item, string) {
	who := person{ID: r.UserID, Email: r.Email, EmailAddress: r.EmailAddress}
	a := who.actor()
	return record("group_member", joined(ids[0], r.UserID), ids[0], "", moment(r.CreatedAt), a, facts{
		"group_id": ids[0], "user_id": r.UserID, "email_domain": domain(a.Email), "created_at": timeField(r.CreatedAt),
	}), ""
})

// settingsReply is the one object that holds the settings of an organisation.
type settingsReply struct {
	Settings []json.RawMessage `json:"settings"`
	APIKeys  []json.RawMessage `json:"api_keys"`
}

type settingRow struct {
	Name  string          `json:"name"`
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

type complianceKeyRow struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Scopes      []string `json:"scopes"`
	IsActive    bool     `json:"is_active"`
	CreatedAt   string   `json:"created_at"`
	CreatedByID string   `json:"created_by_id"`
	ExpiresAt   string   `json:"expires_at"`
}

// settingRecords reads the settings in force and the keys, which every organisation lists for the whole parent: they are records of no organisation.
func settingRecords(ids []string, raw json.RawMessage) row {
	var got settingsReply
	var out row
	if json.Unmarshal(raw, &got) != nil || got.Settings == nil {
		return row{not: true}
	}
	for _, raw := range got.Settings {
		add(&out, setting(ids, raw))
	}
	for _, raw := range got.APIKeys {
		add(&out, complianceKey(ids, raw))
	}
	return out
}

func add(to *row, r row) {
	to.items, to.bad = append(to.items, r.items...), to.bad+r.bad
}

var setting = records(func(ids []string, r *settingRow) (connectors.Item, string) {
	fields := facts{"organization": ids[0], "name": r.Name, "type": r.Type}
	var value any
	if json.Unmarshal(r.Value, &value) == nil {
		// Null is a value too, such as no limit of a session's length.
		fields["value"], fields["is_null"] = value, value == nil
	}
	it := record("setting", joined(ids[0], r.Name), ids[0], r.Name, moment(""), connectors.Actor{}, fields)
	return it, ""
})

var complianceKey = records(func(_ []string, r *complianceKeyRow) (connectors.Item, string) {
	var who connectors.Actor
	if r.CreatedByID != "" {
		who = connectors.Actor{ID: r.CreatedByID, Type: "user"}
	}
	return record("compliance_key", r.ID, wholeTenant, r.Name, moment(r.CreatedAt), who, facts{
		"scopes": listOf(r.Scopes), "is_active": r.IsActive, "created_at": timeField(r.CreatedAt), "created_by_id": r.CreatedByID, "expires_at": timeField(r.ExpiresAt),
	}), ""
})

type collaboratorRow struct {
	Type             string `json:"type"`
	Role             string `json:"role"`
	GrantedAt        string `json:"granted_at"`
	UserID           string `json:"user_id"`
	GroupID          string `json:"group_id"`
	OrganizationUUID string `json:"organization_uuid"`
	OrganizationRole string `json:"organization_role"`
}

// projectRecord shares its row with the stream of projects.
var projectRecord = records(func(_ []string, r *project) (connectors.Item, string) {
	it := record("project", r.ID, wholeTenant, r.Name, moment(r.CreatedAt), r.User.actor(), facts{
		"organization": r.OrganizationUUID, "is_private": r.IsPrivate, "deleted": r.DeletedAt != "", "created_at": timeField(r.CreatedAt),
	})
	below := r.ID
	if r.DeletedAt != "" {
		below = "" // It is shared with nobody any more.
	}
	return it, below
})

var collaboratorRecord = records(func(ids []string, r *collaboratorRow) (connectors.Item, string) {
	var who connectors.Actor
	if r.UserID != "" {
		who = connectors.Actor{ID: r.UserID, Type: "user"}
	}
	principal := either(r.UserID, r.GroupID, r.OrganizationUUID, r.OrganizationRole)
	// A user's id can be null: the account is gone, and the share stays.
	id := joined(ids[0], either(principal, timeField(r.GrantedAt)))
	return record("project_collaborator", id, ids[0], "", moment(r.GrantedAt), who, facts{
		"project_id": ids[0], "type": r.Type, "role": r.Role, "principal_id": principal, "granted_at": timeField(r.GrantedAt),
	}), ""
})
