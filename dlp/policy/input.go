package policy

import (
	"fmt"

	"go.yaml.in/yaml/v3"

	"github.com/outband/outband/dlp"
)

// input reads the input of a test. Keys may be flat ("resource.kind: chat") or nested ("resource: {kind: chat}").
func (d *decoder) input(n *yaml.Node, t *Test) {
	in := &t.input
	text := func(to *string) func(*yaml.Node) { return func(n *yaml.Node) { *to = d.str(n) } }
	flat := map[string]func(*yaml.Node){
		"kind":                 text(&in.Item.Kind),
		"item.kind":            text(&in.Item.Kind),
		"item.at":              func(n *yaml.Node) { in.Item.At = d.time(n) },
		"resource.kind":        text(&in.Resource.Kind),
		"resource.id":          text(&in.Resource.ID),
		"resource.name":        text(&in.Resource.Name),
		"resource.owner":       text(&in.Resource.Owner),
		"resource.visibility":  text(&in.Resource.Visibility),
		"resource.project":     text(&in.Resource.Project),
		"actor.id":             text(&in.Actor.ID),
		"actor.email":          text(&in.Actor.Email),
		"actor.type":           text(&in.Actor.Type),
		"actor.role":           text(&in.Actor.Role),
		"actor.groups":         func(n *yaml.Node) { in.Actor.Groups = d.list(n, d.str) },
		"actor.external":       func(n *yaml.Node) { in.Actor.External = d.boolean(n) },
		"connection.id":        text(&in.Connection.ID),
		"connection.name":      text(&in.Connection.Name),
		"connection.connector": text(&in.Connection.Connector),
		"file.name":            text(&in.File.Name),
		"file.type":            text(&in.File.Type),
		"file.size":            func(n *yaml.Node) { in.File.Size = int64(d.integer(n, -1, 1<<50)) },
		"file.content_type":    text(&in.File.Content),
		"file.mismatch":        func(n *yaml.Node) { in.File.Mismatch = d.boolean(n) },
		"activity.type":        text(&in.Activity.Type),
		"activity.fields":      func(n *yaml.Node) { in.Activity.Fields = d.fields(n) },
		"record.kind":          text(&in.Record.Kind),
		"record.fields":        func(n *yaml.Node) { in.Record.Fields = d.object(n) },
		"record.before":        func(n *yaml.Node) { in.Record.Before = d.object(n) },
		"now":                  func(n *yaml.Node) { in.Now = d.time(n) },
		"matches":              func(n *yaml.Node) { in.Matches = d.matches(n) },
		"total":                func(n *yaml.Node) { t.total = int64(d.integer(n, 0, 1_000_000_000)) },
		"recent":               func(n *yaml.Node) { t.recent = d.answers(n) },
		"standing":             func(n *yaml.Node) { t.standing = d.answers(n) },
	}
	for _, group := range []string{"item", "resource", "actor", "connection", "file", "activity", "record"} {
		nested := map[string]func(*yaml.Node){}
		for key, read := range flat {
			if len(key) > len(group) && key[:len(group)+1] == group+"." {
				nested[key[len(group)+1:]] = read
			}
		}
		flat[group] = func(n *yaml.Node) { d.mapping(n, group, nested) }
	}
	d.mapping(n, "the input", flat)
}

// fields reads the fields of an activity, which a connector gives as text, whatever they are at the source.
func (d *decoder) fields(n *yaml.Node) map[string]string {
	out := map[string]string{}
	if !d.plain(n) || n.Kind != yaml.MappingNode {
		d.fail(n, "fields are a mapping of names to values; a list is flat, as in audience.0.type")
		return out
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[d.str(n.Content[i])] = d.str(n.Content[i+1])
	}
	return out
}

func (d *decoder) object(n *yaml.Node) map[string]any {
	out, ok := d.any(n, 0).(map[string]any)
	if !ok {
		d.fail(n, "a mapping of names to values is expected here")
	}
	return out
}

// matches reads made-up matches, all of one text. Each entry stands for count different values, or for count times the same one if value is set.
func (d *decoder) matches(n *yaml.Node) []dlp.Match {
	var out []dlp.Match
	d.sequence(n, maxList, func(n *yaml.Node) {
		m := dlp.Match{Confidence: 0.9}
		count := 1
		seen := d.mapping(n, "a match", map[string]func(*yaml.Node){
			"detector":   func(n *yaml.Node) { m.Detector = d.form(n, idForm, "a detector's id") },
			"confidence": func(n *yaml.Node) { m.Confidence = d.fraction(n) },
			"count":      func(n *yaml.Node) { count = d.integer(n, 1, maxMatchesTest) },
			"value":      func(n *yaml.Node) { m.Value = "value " + d.str(n) },
			"start":      func(n *yaml.Node) { m.Start = d.integer(n, 0, 1<<30) },
		})
		if seen == nil {
			return
		}
		if !seen["detector"] {
			d.fail(n, "a match needs a detector")
		}
		if len(out)+count > maxMatchesTest {
			d.fail(n, "the test has more than %d matches", maxMatchesTest)
			return
		}
		m.End = m.Start + 1
		for range count {
			next := m
			if next.Value == "" {
				next.Value = fmt.Sprintf("match %d", len(out))
			}
			out = append(out, next)
		}
	})
	return out
}

// answers reads the answers to recent() or standing(): one number for every question, or numbers by question (the type glob of recent(), or
// kind/field/value), where one not named is answered by anyGlob, else 0.
func (d *decoder) answers(n *yaml.Node) map[string]int64 {
	if n.Kind != yaml.MappingNode {
		return map[string]int64{anyGlob: int64(d.integer(n, 0, 1_000_000_000))}
	}
	out := map[string]int64{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		out[d.str(n.Content[i])] = int64(d.integer(n.Content[i+1], 0, 1_000_000_000))
	}
	return out
}
