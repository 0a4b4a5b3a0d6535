package api

import (
	"bytes"
	"flag"
	"os"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write api/openapi_gen.json")

func TestOpenAPIDocumentIsCheckedIn(t *testing.T) {
	k := newKit(t, Configuration{})
	const file = "openapi_gen.json"
	if *update {
		if err := os.WriteFile(file, k.api.OpenAPI(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, k.api.OpenAPI()) {
		t.Errorf("%s is not what the code says; run go test ./api -run OpenAPI -update", file)
	}
}

func TestOpenAPIDocumentIsValid(t *testing.T) {
	k := newKit(t, Configuration{})
	if !k.doc.IsOpenAPI31OrLater() {
		t.Errorf("openapi is %s, want 3.1", k.doc.OpenAPI)
	}
	if err := k.doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	text := string(k.api.OpenAPI())
	for _, unwanted := range []string{`\$schema`, `\[\s*"array"`, "ErrorModel"} {
		if regexp.MustCompile(unwanted).MatchString(text) {
			t.Errorf("the document has %s", unwanted)
		}
	}
	ids := map[string]bool{}
	for path, item := range k.doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.OperationID == "" || ids[op.OperationID] || op.Summary == "" || op.Security == nil {
				t.Errorf("%s %s: no id of its own, summary or security", method, path)
			}
			ids[op.OperationID] = true
			if op.Responses.Default() == nil {
				t.Errorf("%s %s: errors are not described", method, path)
			}
		}
	}
}

func TestDocumentationListsEveryOperation(t *testing.T) {
	k := newKit(t, Configuration{})
	docs, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range k.api.routes() {
		roles := strings.Join(r.op.Metadata[metaRoles].([]string), ", ")
		switch roles {
		case strings.Join(Roles(), ", "):
			roles = "all"
		case strings.Join(Roles()[1:], ", "):
			roles = "all but viewer"
		}
		if line := "| " + r.op.Method + " | `" + r.op.Path + "` | " + roles + " | " + r.op.Summary + " |"; !strings.Contains(string(docs), line) {
			t.Errorf("docs/api.md has no line %s", line)
		}
	}
}
