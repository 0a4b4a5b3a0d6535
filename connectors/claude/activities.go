package claude

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/outband/outband/connectors"
)

// maxDepth of nested fields is flattened; what lies deeper is kept as the JSON it is.
const maxDepth = 8

// apiCall is the type of the calls of the Compliance API itself.
const apiCall = "compliance_api_accessed"

// feed is the activity feed with a filter of types.
func feed(query url.Values) list {
	query.Set("order", "asc")
	return list{path: root + "activities", by: byCursor, query: query, from: "created_at.gte", to: "created_at.lt", item: activityRow}
}

// objects are the fields that name what an activity is about, the most telling first.
var objects = []struct{ field, kind string }{
	// A share is an object of its own, with a life of its own: a chat may have several, and each is taken back apart.
	{"claude_chat_snapshot_id", "chat_snapshot"}, {"share_id", "session_share"},
	{"claude_chat_id", "chat"}, {"claude_file_id", "file"}, {"claude_gen_file_id", "file"}, {"claude_project_id", "project"},
	{"claude_project_document_id", "document"}, {"claude_artifact_id", "artifact"}, {"claude_published_artifact_id", "artifact"},
	{"design_project_id", "design_project"}, {"session_id", "session"},
	{"cowork_session_id", "session"}, {"agent_id", "agent"}, {"mcp_server_id", "mcp_server"}, {"mcp_directory_server_id", "mcp_server"},
	{"skill_id", "skill"}, {"plugin_id", "plugin"}, {"submission_id", "plugin_submission"}, {"marketplace_id", "marketplace"},
	{"extension_id", "extension"}, {"command_id", "command"}, {"guide_id", "guide"}, {"integration_id", "integration"},
	{"claude_chat_sync_source_id", "sync_source"}, {"claude_project_sync_source_id", "sync_source"}, {"ghe_configuration_id", "ghe_configuration"},
	{"scan_project_id", "scan_project"}, {"scan_id", "scan"}, {"webhook_id", "webhook"}, {"config_id", "review_repository"},
	{"runner_id", "runner"}, {"runner_pool_id", "runner_pool"}, {"deployment_id", "deployment"}, {"memory_store_id", "memory_store"}, {"memory_id", "memory"},
	{"tunnel_id", "tunnel"}, {"certificate_id", "certificate"}, {"tunnel_token_id", "tunnel_token"}, {"token_id", "tunnel_token"},
	{"credential_id", "credential"}, {"link_id", "provisioning_link"}, {"rule_id", "proxy_rule"}, {"destination_id", "proxy_destination"},
	{"profile_id", "proxy_profile"}, {"connection_id", "sso_connection"}, {"resync_uuid", "directory_resync"}, {"external_key_id", "external_key"},
	{"federation_issuer_id", "federation_issuer"}, {"federation_rule_id", "federation_rule"}, {"oauth_app_id", "oauth_app"},
	{"signing_key_id", "signing_key"}, {"new_signing_key_id", "signing_key"}, {"service_key_id", "service_key"}, {"lti_platform_id", "lti_platform"},
	{"spend_limit_id", "spend_limit"}, {"spend_limit_increase_request_id", "spend_limit_request"}, {"trusted_device_id", "trusted_device"},
	{"consent_id", "consent"}, {"verification_id", "verification"}, {"slack_team_id", "slack_workspace"}, {"file_id", "platform_file"},
	{"invite_id", "invite"}, {"new_owner_id", "user"}, {"deleted_user_id", "user"}, {"user_id", "user"}, {"service_account_id", "service_account"},
	{"group_id", "group"}, {"role_id", "role"}, {"target_id", "principal"}, {"principal_id", "principal"}, {"resource_id", "resource"},
	{"api_key_id", "api_key"}, {"admin_api_key_id", "admin_api_key"}, {"environment_id", "environment"}, {"conversation_id", "conversation"},
	{"requester_user_id", "user"}, {"abuse_session_id", "session"}, {"entity_id", "entity"}, {"workspace_id", "workspace"},
}

// actorIDs are the fields that identify an actor, by its type. A type that is not here passes through without an id.
var actorIDs = map[string]string{
	"user_actor":                "user_id",
	"api_actor":                 "api_key_id",
	"admin_api_key_actor":       "admin_api_key_id",
	"service_account_actor":     "service_account_id",
	"scim_directory_sync_actor": "directory_id",
	"federated_identity_actor":  "subject",
	"federated_actor":           "subject",
	"attested_device_actor":     "external_client_id",
	"system_actor":              "service",
}

func activityRow(raw []byte) (connectors.Item, bool) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber() // A number is kept as it is written.
	var row map[string]any
	if dec.Decode(&row) != nil {
		return connectors.Item{}, false
	}
	text := func(key string) string {
		s, _ := row[key].(string)
		return s
	}
	id := text("id")
	if id == "" {
		return connectors.Item{}, false
	}
	who, _ := row["actor"].(map[string]any)
	item := connectors.Item{
		Kind: connectors.KindActivity, ID: id, Version: "1", At: moment(text("created_at")), Actor: actor(who),
		Activity: &connectors.Activity{Type: text("type"), Fields: map[string]string{}},
	}
	for key, value := range row {
		switch key {
		case "id", "created_at", "type":
		case "actor":
			for k, v := range who {
				// These are what Actor holds: personal data has one place.
				if k != "type" && k != actorIDs[typeOf(who)] && k != "email_address" && k != "unauthenticated_email_address" {
					flatten(item.Activity.Fields, "actor."+k, v, 2)
				}
			}
		default:
			flatten(item.Activity.Fields, key, value, 1)
		}
	}
	item.Resource = about(item)
	item.Activity.Touches = touches(item.Activity)
	if item.Activity.Type == apiCall {
		key := ""
		if t := typeOf(who); t == "api_actor" || t == "admin_api_key_actor" {
			key = keyID(item.Actor.ID)
		}
		item.Activity.Call = &connectors.Call{KeyID: key, RequestID: text("request_id"), UserAgent: item.Activity.Fields["actor.user_agent"]}
	}
	return item, true
}

// keyID makes ids of keys comparable: the same Admin key is admin_api_key_01X where it is made and apikey_01X where it is used, so that only what stands
// behind the prefix is kept. An id of another form is kept whole.
func keyID(id string) string {
	for _, prefix := range []string{"admin_api_key_", "apikey_"} {
		if rest, ok := strings.CutPrefix(id, prefix); ok && rest != "" {
			return rest
		}
	}
	return id
}

// touches names the items whose content an activity changed. The lists do not show it: attachments have no time of change.
func touches(a *connectors.Activity) []connectors.Ref {
	switch a.Type {
	case "claude_project_created", "claude_project_document_uploaded", "claude_project_document_updated", "claude_project_file_uploaded",
		"claude_project_sync_source_created", "claude_project_sync_source_updated":
	default:
		return nil
	}
	var out []connectors.Ref
	if id := a.Fields["claude_project_id"]; id != "" {
		out = append(out, connectors.Ref{Kind: connectors.KindProject, ID: id})
	}
	if id := a.Fields["claude_project_document_id"]; id != "" && a.Type == "claude_project_document_updated" {
		// The document's own row says nothing new, so that reading the project again is not enough.
		out = append(out, connectors.Ref{Kind: connectors.KindDocument, ID: id})
	}
	return out
}

func typeOf(who map[string]any) string {
	s, _ := who["type"].(string)
	return s
}

func actor(who map[string]any) connectors.Actor {
	kind := typeOf(who)
	text := func(key string) string {
		s, _ := who[key].(string)
		return s
	}
	if kind == "api_actor" {
		kind = "api_key_actor" // So that an actor and the object of an activity about a key are of one kind.
	}
	a := connectors.Actor{Type: strings.TrimSuffix(kind, "_actor"), ID: text(actorIDs[typeOf(who)]), Email: text("email_address")}
	if a.Email == "" {
		a.Email = text("unauthenticated_email_address")
	}
	return a
}

// about returns the object that the activity names, else its actor, else the organisation. An empty id means the connection's own account.
func about(item connectors.Item) connectors.Resource {
	fields := item.Activity.Fields
	for _, o := range objects {
		if id := fields[o.field]; id != "" {
			return connectors.Resource{Kind: o.kind, ID: id}
		}
	}
	if item.Actor.ID != "" {
		return connectors.Resource{Kind: item.Actor.Type, ID: item.Actor.ID}
	}
	id := fields["organization_uuid"]
	if id == "" {
		id = fields["organization_id"]
	}
	return connectors.Resource{Kind: "organization", ID: id}
}

// flatten writes a value as strings under dotted paths. Null gives none.
func flatten(into map[string]string, path string, value any, depth int) {
	switch v := value.(type) {
	case nil:
	case string:
		into[path] = v
	case json.Number:
		into[path] = v.String()
	case bool:
		into[path] = strconv.FormatBool(v)
	default:
		if depth >= maxDepth {
			if b, err := json.Marshal(v); err == nil { // What was decoded can be encoded.
				into[path] = string(b)
			}
			return
		}
		if list, ok := v.([]any); ok {
			for i, e := range list {
				flatten(into, path+"."+strconv.Itoa(i), e, depth+1)
			}
		}
		if m, ok := v.(map[string]any); ok {
			for k, e := range m {
				flatten(into, path+"."+k, e, depth+1)
			}
		}
	}
}
