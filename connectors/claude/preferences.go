package claude

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/outband/outband/connectors"
)

const preferencesPrefix = "preferences/"

var (
	// The row's fields are not documented. These name ids, addresses, times and kinds in all other rows of the API.
	notText  = regexp.MustCompile(`(^|[._])(id|ids|uuid|uuids|email|email_address|type|object|at|language|locale|timezone)(\.\d+)?$`)
	mailForm = regexp.MustCompile(`^[^\s@]{1,128}@[^\s@]{1,255}$`)
)

// preferencesRow makes one item of a row, with every text in it as a part. A member of several organisations has the same text in each: it is one item.
func preferencesRow(_ []string, raw json.RawMessage) row {
	var fields map[string]any
	if json.Unmarshal(raw, &fields) != nil {
		return row{bad: 1}
	}
	var found []string // paths and texts, in turn
	eachText("", fields, 0, func(path, text string) { found = append(found, path, text) })
	first := func(paths ...string) string {
		for _, want := range paths {
			for i := 0; i < len(found); i += 2 {
				if found[i] == want && found[i+1] != "" {
					return found[i+1]
				}
			}
		}
		return ""
	}
	id := first("user_id", "user.id", "account_id", "id")
	if id == "" {
		return row{bad: 1}
	}
	it := connectors.Item{
		Kind: connectors.KindDocument, ID: preferencesPrefix + id, At: moment(first("updated_at", "created_at")),
		Actor:    connectors.Actor{ID: id, Type: "user", Email: first("user.email_address", "user.email", "email_address", "email")},
		Resource: connectors.Resource{Kind: "user", ID: id, Owner: id},
		Parts:    []connectors.Part{}, // Also of a row without a text: nothing is to be fetched.
	}
	of := connectors.Ref{Kind: connectors.KindDocument, ID: it.ID}
	var kept strings.Builder // What differs between the organisations of a member is not in it.
	for i := 0; i < len(found); i += 2 {
		path, text := found[i], found[i+1]
		if text != "" && !notText.MatchString(path) && !mailForm.MatchString(text) {
			kept.WriteString(path + "\x00" + text + "\x00")
			it.Parts = append(it.Parts, textPart(connectors.PartInstructions, of, path, text, it.At))
		}
	}
	it.Version = digest(kept.String())
	return row{items: []connectors.Item{it}}
}

// fetchPreferences looks for the row of an item in its list: there is no call for one. It is of use only where scanning what the list held failed.
func (s *source) fetchPreferences(ctx context.Context, item connectors.Item, yield func(connectors.Part) bool) error {
	for after := connectors.Cursor(""); ; {
		page, err := s.Read(ctx, streamPreferences, after)
		if err != nil {
			return err
		}
		for _, it := range page.Items {
			if it.ID != item.ID {
				continue
			}
			for _, p := range it.Parts {
				if !yield(p) {
					return errStopped
				}
			}
			return nil
		}
		if !page.More {
			return &connectors.Error{Kind: connectors.KindGone, Code: connectors.CodeGone, Message: "The saved instructions are no longer listed."}
		}
		after = page.Next
	}
}

// eachText visits every text in a decoded value, in the order of its paths.
func eachText(path string, value any, depth int, visit func(path, text string)) {
	below := func(key string, v any) {
		if depth > 0 {
			key = path + "." + key
		}
		if depth < maxDepth {
			eachText(key, v, depth+1, visit)
		}
	}
	switch v := value.(type) {
	case string:
		visit(path, v)
	case []any:
		for i, e := range v {
			below(strconv.Itoa(i), e)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			below(k, v[k])
		}
	}
}
