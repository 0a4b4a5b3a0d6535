package policy

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/outband/outband/dlp"
)

// catalogue has the names of the fields of every type of activity, from the vendor's reference.
func catalogue(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("testdata/claude_activities.tsv")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			name, fields, _ := strings.Cut(line, "\t")
			out[name] = strings.Fields(fields)
		}
	}
	if len(out) < 467 {
		t.Fatalf("the catalogue has %d types, want at least 467", len(out))
	}
	return out
}

// recordKinds has the names of the fields of every kind of record, from the connector's manifest.
func recordKinds(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile("../../connectors/claude/manifest.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var manifest struct {
		Streams []struct {
			ID, Kind string
			Fields   []string
		}
	}
	if err := yaml.Unmarshal(data, &manifest); err != nil {
		t.Fatal(err)
	}
	// The rows of a stream of content are not told in the manifest.
	out := map[string][]string{"code_artifact": {"organization", "read_mode", "artifact_type", "published"}}
	for _, s := range manifest.Streams {
		for _, text := range s.Fields {
			if kind, fields, ok := strings.Cut(text, ": "); ok && s.Kind == "records" {
				out[kind] = append(strings.Split(fields, ", "), "id")
			}
		}
	}
	if len(out) < 14 {
		t.Fatalf("the manifest tells of %d kinds of records, want at least 14", len(out))
	}
	return out
}

var (
	askedFields  = regexp.MustCompile(`\bfield\("([^"]*)"\)`)
	askedRecords = regexp.MustCompile(`\b(?:text|entries|older)\("([^"]*)"`)
	rawRecords   = regexp.MustCompile(`\brecord\.fields\.([a-z0-9_]+)`)
	askedKinds   = regexp.MustCompile(`\bstanding\("([^"]*)", "([^"]*)"`)
)

// callField is the field that Outband itself adds to the rows of the app's log of calls.
const callField = "outband.call"

// TestActivityPoliciesSpeakOfWhatThereIs keeps a misspelt type or field, which would never make a finding, out of the built-in policies and their tests.
func TestActivityPoliciesSpeakOfWhatThereIs(t *testing.T) {
	types := catalogue(t)
	known := slices.Collect(maps.Keys(types))
	n := 0
	for _, p := range builtin(t) {
		if p.Kind != KindActivity {
			continue
		}
		n++
		of := map[string]bool{callField: true}
		for _, glob := range p.On.Activities {
			matched := false
			for _, name := range known {
				if dlp.Glob(glob, name) {
					matched = true
					for _, f := range types[name] {
						of[f] = true
					}
				}
			}
			if !matched {
				t.Errorf("policy %s: no activity has the type %s", p.ID, glob)
			}
		}
		text := p.When
		if p.ClosedBy != nil {
			text += p.ClosedBy.When
			for _, name := range p.ClosedBy.Activities {
				if _, ok := types[name]; !ok {
					t.Errorf("policy %s: no activity that closes its findings has the type %s", p.ID, name)
				}
			}
		}
		for _, m := range askedFields.FindAllStringSubmatch(text, -1) {
			if !of[m[1]] {
				t.Errorf("policy %s asks for the field %s, which none of its types has", p.ID, m[1])
			}
		}
		for _, test := range p.Tests {
			if !test.Want {
				continue
			}
			fields, known := types[test.input.Activity.Type]
			if !known {
				t.Errorf("policy %s: test %q is about the type %s, which does not exist", p.ID, test.Name, test.input.Activity.Type)
			}
			for name := range test.input.Activity.Fields {
				// Every activity has an actor.
				if first, _, _ := strings.Cut(name, "."); name != callField && first != "actor" && !slices.Contains(fields, first) {
					t.Errorf("policy %s: test %q gives %s the field %s, which it has not", p.ID, test.Name, test.input.Activity.Type, name)
				}
			}
		}
	}
	if n < 25 {
		t.Errorf("there are %d policies over activities, want at least 25", n)
	}
}

// TestPosturePoliciesSpeakOfWhatThereIs does the same for records.
func TestPosturePoliciesSpeakOfWhatThereIs(t *testing.T) {
	kinds := recordKinds(t)
	n := 0
	for _, p := range builtin(t) {
		if p.Kind != KindPosture {
			continue
		}
		n++
		var of []string
		for _, kind := range p.On.Records {
			fields, ok := kinds[kind]
			if !ok {
				t.Errorf("policy %s: no stream gives records of kind %s", p.ID, kind)
			}
			of = append(of, fields...)
		}
		for _, m := range slices.Concat(askedRecords.FindAllStringSubmatch(p.When, -1), rawRecords.FindAllStringSubmatch(p.When, -1)) {
			if !slices.Contains(of, m[1]) {
				t.Errorf("policy %s asks for the field %s, which its records have not", p.ID, m[1])
			}
		}
		for _, m := range askedKinds.FindAllStringSubmatch(p.When, -1) {
			if m[2] != "" && !slices.Contains(kinds[m[1]], m[2]) || kinds[m[1]] == nil {
				t.Errorf("policy %s asks for %s by %s, which is not there", p.ID, m[1], m[2])
			}
		}
		for _, test := range p.Tests {
			for name := range test.input.Record.Fields {
				if !slices.Contains(kinds[test.input.Record.Kind], name) {
					t.Errorf("policy %s: test %q gives a %s the field %s, which it has not", p.ID, test.Name, test.input.Record.Kind, name)
				}
			}
		}
	}
	if n < 20 {
		t.Errorf("there are %d policies over records, want at least 20", n)
	}
}

// TestPosturePoliciesNeedWhatIsTold keeps a record of which the app told nothing from being a finding, or an error.
func TestPosturePoliciesNeedWhatIsTold(t *testing.T) {
	s, err := Compile(builtin(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for kind, fields := range recordKinds(t) {
		empty := map[string]any{}
		for _, f := range fields {
			empty[f] = nil
		}
		for name, in := range map[string]map[string]any{"no fields": nil, "fields that are null": empty} {
			decisions, failures := s.Evaluate(Input{Item: Item{Kind: "record"}, Now: testTime, Record: Record{Kind: kind, Fields: in}}, Lookups{})
			for _, d := range decisions {
				t.Errorf("a %s with %s breaks policy %s", kind, name, d.PolicyID)
			}
			for _, f := range failures {
				t.Errorf("a %s with %s: %v", kind, name, f.Err)
			}
		}
	}
}

// TestActivityPoliciesBearMissingFields keeps a row without its fields from failing a policy: the vendor leaves optional ones out.
func TestActivityPoliciesBearMissingFields(t *testing.T) {
	s, err := Compile(builtin(t), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range catalogue(t) {
		_, failures := s.Evaluate(Input{Item: Item{Kind: "activity", At: testTime}, Now: testTime, Activity: Activity{Type: name}}, Lookups{})
		for _, f := range failures {
			t.Errorf("%s without fields: %v", name, f.Err)
		}
	}
}
