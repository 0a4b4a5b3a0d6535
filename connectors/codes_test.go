package connectors

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestEveryCodeHasALineInTheDocs(t *testing.T) {
	source, err := os.ReadFile("codes.go")
	if err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`OB-\d{4}`).FindAllString(string(source), -1)
	seen := map[string]bool{}
	for _, code := range codes {
		if seen[code] {
			t.Errorf("%s is used twice", code)
		}
		seen[code] = true
		if strings.Count(string(docs), "\n| "+code+" |") != 1 {
			t.Errorf("docs/errors.md has no line, or several, for %s", code)
		}
	}
	if len(codes) == 0 {
		t.Error("no codes were found")
	}
}
