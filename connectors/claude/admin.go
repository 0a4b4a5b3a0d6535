package claude

import (
	"github.com/outband/outband/connectors"
)

type memberRow struct {
	person
	Name    string `json:"name"`
	Role    string `json:"role"`
	AddedAt string `json:"added_at"`
}

var memberRecord = records(func(_ []string, r *memberRow) (connectors.Item, string) {
	who := r.actor()
	who.Name, who.Role = r.Name, r.Role
	return record("member", r.ID, wholeTenant, "", moment(r.AddedAt), who, facts{
		"user_id": r.ID, "role": r.Role, "email_domain": domain(who.Email), "added_at": timeField(r.AddedAt),
	}), ""
})

type inviteRow struct {
	person            // the id is the invite's
	Role       string `json:"role"`
	Status     string `json:"status"`
	InvitedAt  string `json:"invited_at"`
	ExpiresAt  string `json:"expires_at"`
	AcceptedAt string `json:"accepted_at"`
}

var inviteRecord = records(func(_ []string, r *inviteRow) (connectors.Item, string) {
	email := either(r.Email, r.EmailAddress)
	who := connectors.Actor{Email: email, Type: "user", Role: r.Role} // Who is invited has no id yet.
	return record("invite", r.ID, wholeTenant, "", moment(r.InvitedAt), who, facts{
		"role": r.Role, "status": r.Status, "email_domain": domain(email),
		"invited_at": timeField(r.InvitedAt), "expires_at": timeField(r.ExpiresAt), "accepted_at": timeField(r.AcceptedAt),
	}), ""
})

type workspaceRow struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	CreatedAt     string `json:"created_at"`
	ArchivedAt    string `json:"archived_at"`
	ExternalKeyID string `json:"external_key_id"`
	DataResidency struct {
		WorkspaceGeo        string `json:"workspace_geo"`
		DefaultInferenceGeo string `json:"default_inference_geo"`
	} `json:"data_residency"`
}

var workspaceRecord = records(func(_ []string, r *workspaceRow) (connectors.Item, string) {
	return record("workspace", r.ID, wholeTenant, r.Name, moment(r.CreatedAt), connectors.Actor{}, facts{
		"archived": r.ArchivedAt != "", "created_at": timeField(r.CreatedAt), "archived_at": timeField(r.ArchivedAt), "has_external_key": r.ExternalKeyID != "",
		"workspace_geo": r.DataResidency.WorkspaceGeo, "default_inference_geo": r.DataResidency.DefaultInferenceGeo,
	}), r.ID
})

type workspaceMemberRow struct {
	UserID string `json:"user_id"`
	Role   string `json:"workspace_role"`
}

var workspaceMemberRecord = records(func(ids []string, r *workspaceMemberRow) (connectors.Item, string) {
	who := person{ID: r.UserID}
	return record("workspace_member", joined(ids[0], r.UserID), ids[0], "", moment(""), who.actor(), facts{
		"workspace_id": ids[0], "user_id": r.UserID, "role": r.Role,
	}), ""
})
