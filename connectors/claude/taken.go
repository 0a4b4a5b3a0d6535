package claude

import (
	"encoding/json"
	"slices"
)

// rowsOf decodes the list of a reply; nil if there is none.
func rowsOf(raw json.RawMessage) []json.RawMessage {
	var got reply
	if json.Unmarshal(raw, &got) != nil {
		return nil
	}
	return got.Data
}

func takeList(_ *tested, raw json.RawMessage) bool { return rowsOf(raw) != nil }

// takeActivity takes the oldest activity: the feed begins where it was switched on.
func takeActivity(t *tested, raw json.RawMessage) bool {
	rows := rowsOf(raw)
	if len(rows) > 0 {
		var r struct {
			CreatedAt string `json:"created_at"`
		}
		if json.Unmarshal(rows[0], &r) == nil {
			t.account.Since = moment(r.CreatedAt)
		}
		t.names(rows[0])
	}
	return rows != nil
}

func takeChat(t *tested, raw json.RawMessage) bool {
	rows := rowsOf(raw)
	if len(rows) > 0 {
		t.names(rows[0])
	}
	return rows != nil
}

// names takes the organisation that a row names. Chats come after activities and always have one.
func (t *tested) names(raw json.RawMessage) {
	var r struct {
		OrganizationUUID string `json:"organization_uuid"`
	}
	if json.Unmarshal(raw, &r) == nil && r.OrganizationUUID != "" {
		t.rowOrg = r.OrganizationUUID
	}
}

func takeOrganizations(t *tested, raw json.RawMessage) bool {
	rows := rowsOf(raw)
	for _, raw := range rows {
		var r organizationRow
		if json.Unmarshal(raw, &r) != nil || r.UUID == "" {
			continue // A row that cannot be read names nobody.
		}
		if t.account.ID == "" {
			t.account.ID, t.account.Name = r.UUID, r.Name
		}
		t.account.Organizations = append(t.account.Organizations, r.UUID)
	}
	return rows != nil
}

func takeMe(t *tested, raw json.RawMessage) bool {
	var me struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	if json.Unmarshal(raw, &me) != nil || me.ID == "" {
		return false
	}
	t.account.ID, t.account.Name, t.account.Organizations = me.ID, me.Name, []string{me.ID}
	return true
}

// takeSettings takes the scopes of the key, as far as they can be told: the list has every key of the parent and does not say which one asks. What all
// have that can have made the calls before this one, this one has.
func takeSettings(t *tested, raw json.RawMessage) bool {
	var got settingsReply
	if json.Unmarshal(raw, &got) != nil || got.Settings == nil {
		return false
	}
	first := true
	for _, raw := range got.APIKeys {
		var k complianceKeyRow
		if json.Unmarshal(raw, &k) != nil || !k.IsActive || !t.canBe(k.Scopes) {
			continue
		}
		if first {
			t.scopes, first = slices.Clone(k.Scopes), false
			continue
		}
		t.scopes = slices.DeleteFunc(t.scopes, func(s string) bool { return !slices.Contains(k.Scopes, s) })
	}
	return true
}

// canBe reports whether a key with these scopes gets the answers that were given.
func (t *tested) canBe(scopes []string) bool {
	for _, p := range plan(keyCompliance) {
		if p.scope != "" && t.works[p.name] != (slices.Contains(scopes, p.scope) || slices.Contains(scopes, allReads)) {
			return false
		}
	}
	return true
}
