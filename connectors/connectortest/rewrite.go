package connectortest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
)

// decode reads a JSON document and keeps numbers as they are written.
func decode(b []byte) (any, bool) {
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.UseNumber()
	var doc any
	err := dec.Decode(&doc)
	return doc, err == nil
}

func encode(doc any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(doc); err != nil {
		panic(err) // It was decoded before.
	}
	return bytes.TrimSpace(b.Bytes())
}

// without puts null in the place of a string, however its letters are written.
func without(doc any, s string) any {
	switch v := doc.(type) {
	case map[string]any:
		for k := range v {
			v[k] = without(v[k], s)
		}
	case []any:
		for i := range v {
			v[i] = without(v[i], s)
		}
	case string:
		if strings.EqualFold(v, s) {
			return nil
		}
	}
	return doc
}

// rewriting answers with the recordings, those of one file (or all, if it is empty) changed. Every JSON reply is written anew, so that one that is changed
// differs from one that is not by the change alone.
func rewriting(file string, change func(doc any) any) handler {
	return func(w http.ResponseWriter, _ *http.Request, recorded reply) {
		if doc, ok := decode(recorded.body); ok && recorded.json() {
			if change != nil && recorded.status < 300 && (file == "" || recorded.file == file) {
				doc = change(doc)
			}
			recorded.body = encode(doc)
		}
		recorded.send(w)
	}
}

// rowsOf returns the rows of a reply: its array of objects that is least deep, and of two in one depth the longer one; with none, an empty array. set
// puts other rows in their place and returns the document.
func rowsOf(doc any) (rows []any, set func([]any) any, ok bool) {
	if list, isList := doc.([]any); isList {
		return list, func(rows []any) any { return rows }, true
	}
	type place struct {
		in  map[string]any
		key string
	}
	var best place
	level := []map[string]any{}
	if m, isMap := doc.(map[string]any); isMap {
		level = append(level, m)
	}
	for depth := 0; depth < 3 && best.in == nil; depth++ {
		var next []map[string]any
		for _, m := range level {
			for key, value := range m {
				switch v := value.(type) {
				case map[string]any:
					next = append(next, v)
				case []any:
					if !objects(v) {
						continue
					}
					if best.in == nil {
						best = place{m, key}
					} else if held := best.in[best.key].([]any); len(v) > len(held) || len(v) == len(held) && key < best.key {
						best = place{m, key}
					}
				}
			}
		}
		level = next
	}
	if best.in == nil {
		return nil, nil, false
	}
	return best.in[best.key].([]any), func(rows []any) any {
		best.in[best.key] = rows
		return doc
	}, true
}

// objects reports whether a list holds nothing but objects.
func objects(list []any) bool {
	for _, e := range list {
		if _, ok := e.(map[string]any); !ok {
			return false
		}
	}
	return true
}

// mapStrings changes every string of a document, in place where it can. key is the field that holds it.
func mapStrings(doc any, key string, change func(key, value string) string) any {
	switch v := doc.(type) {
	case string:
		return change(key, v)
	case []any:
		for i, e := range v {
			v[i] = mapStrings(e, key, change)
		}
	case map[string]any:
		for k, e := range v {
			v[k] = mapStrings(e, k, change)
		}
	}
	return doc
}

// inRows changes every string in the rows of a reply.
func inRows(change func(key, value string) string) func(any) any {
	return func(doc any) any {
		rows, set, ok := rowsOf(doc)
		if !ok {
			return doc
		}
		mapStrings(rows, "", change)
		return set(rows)
	}
}

// cloned copies a document.
func cloned(doc any) any {
	out, _ := decode(encode(doc))
	return out
}
