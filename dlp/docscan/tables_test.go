package docscan_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// maxShown is how much of a place is shown, in characters.
const maxShown = 120

const (
	page  = "../../docs/documents.md"
	begin = "<!-- Made by `go test ./dlp/docscan -run TestDocuments -update`. Do not edit below. -->\n"
)

// tables shows what was seen: for each format its hiding places, and what is counted as not read.
func tables(formats []string, values, gaps map[string][]seen) string {
	var b strings.Builder
	for _, f := range formats {
		fmt.Fprintf(&b, "\n### %s\n", f)
		rows(&b, "hiding place", "reported at", values[f])
		rows(&b, "not read, because", "of it", gaps[f])
	}
	return b.String()
}

// rows is a table with one row for what was seen alike in several documents.
func rows(b *strings.Builder, what, where string, all []seen) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(b, "\n| %s | %s | in |\n|---|---|---|\n", what, where)
	type row struct{ place, where string }
	var order []row
	in := map[row][]string{}
	for _, s := range all {
		r := row{s.place, s.where}
		if in[r] == nil {
			order = append(order, r)
		}
		if l := in[r]; len(l) == 0 || l[len(l)-1] != s.document {
			in[r] = append(l, s.document)
		}
	}
	for _, r := range order {
		at := code(r.where)
		if r.where == "" {
			at = "the file itself"
		}
		var docs []string
		for _, d := range in[r] {
			docs = append(docs, code(d))
		}
		if len(docs) > 3 {
			docs = append(docs[:3], fmt.Sprintf("%d more", len(docs)-3))
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", strings.ReplaceAll(r.place, "|", "\\|"), at, strings.Join(docs, ", "))
	}
}

// code is a text in a cell as it is.
func code(s string) string {
	if s == "" {
		return ""
	}
	if r := []rune(s); len(r) > maxShown {
		s = string(r[:maxShown/2]) + "…" + string(r[len(r)-maxShown/2:])
	}
	return "`" + strings.NewReplacer("|", "\\|", "\n", " ", "`", "'").Replace(s) + "`"
}

// compareTables holds the page to what was seen, or rewrites it.
func compareTables(t *testing.T, want string) {
	t.Helper()
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, below, ok := strings.Cut(string(got), begin)
	if !ok {
		t.Fatalf("%s has no line %q", page, begin)
	}
	if below == want || t.Failed() {
		return
	}
	if !*update {
		t.Errorf("the tables of %s are not what was seen; rewrite them with -update", page)
		return
	}
	if err := os.WriteFile(page, []byte(head+begin+want), 0o644); err != nil {
		t.Fatal(err)
	}
}
