package claude

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/outband/outband/connectors"
)

// maxDepth of nested fields is flattened; what lies deeper is kept as the JSON it is.
const maxDepth = 8

// objects are the fields that name what an activity is about, the most telling first.
var objects = []struct{ field, kind string }{
	{"claude_chat_id", "chat"}, {"claude_file_id", "file"}, {"claude_gen_file_id", "file"}, {"claude_project_id", "project"},
	{"claude_project_document_id", "document"}, {"claude_artifact_id", "artifact"}, {"claude_published_artifact_id", "artifact"},
	{"design_project_id", "design_project"}, {"session_id", "session"}, {"agent_id", "agent"}, {"mcp_server_id", "mcp_server"}, {"skill_id", "skill"},
	{"plugin_id", "plugin"}, {"integration_id", "integration"}, {"user_id", "user"}, {"service_account_id", "service_account"},
	{"group_id", "group"}, {"role_id", "role"}, {"api_key_id", "api_key"}, {"admin_api_key_id", "admin_api_key"}, {"workspace_id", "workspace"},
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
	return item, true
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
