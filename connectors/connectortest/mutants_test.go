package connectortest

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/connectors/connectortest/internal/acme"
)

var others = flag.Bool("others", false, "make every check of every mutant and log which others fail")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var acmeFolder = filepath.Join("internal", "acme", "testdata")

// TestAcmePassesEveryCheck is half of the proof of the checks: none finds fault with a connector that has none, and none is passed over for every stream.
func TestAcmePassesEveryCheck(t *testing.T) {
	manifest, err := connectors.ParseManifest(acme.Connector.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range Checks() {
		t.Run(check.ID, func(t *testing.T) {
			t.Parallel()
			made := false
			for _, subject := range check.Subjects(manifest) {
				r := record(t, check, acme.Connector, subject)
				for _, f := range r.failures {
					t.Errorf("%s: %s", subject, f)
				}
				made = made || r.skipped == ""
			}
			if !made {
				t.Error("the check is not made for any stream")
			}
		})
	}
}

// TestEveryMutantFailsItsCheck is the other half: for each check there is a connector that breaks its promise, and the check sees it.
func TestEveryMutantFailsItsCheck(t *testing.T) {
	var without []string
	for _, check := range Checks() {
		if len(mutantsOf(check.ID)) == 0 {
			without = append(without, check.ID)
		}
	}
	if diff := cmp.Diff([]string(nil), without); diff != "" {
		t.Errorf("checks without a mutant (-want +got):\n%s", diff)
	}
	for _, m := range mutants {
		t.Run(m.check+"/"+m.name, func(t *testing.T) {
			t.Parallel()
			c := m.connector()
			manifest, err := connectors.ParseManifest(c.Manifest)
			if err != nil {
				t.Fatalf("the mutant's manifest: %v", err)
			}
			killed, first := false, ""
			var also []string
			for _, check := range Checks() {
				if check.ID != m.check && !*others {
					continue
				}
				failed := false
				for _, subject := range check.Subjects(manifest) {
					if r := record(t, check, c, subject); len(r.failures) > 0 {
						failed, first = true, firstOr(first, check.ID == m.check, r.failures[0])
						break
					}
				}
				if check.ID == m.check {
					killed = failed
				} else if failed && check.ID != "golden" {
					also = append(also, check.ID)
				}
			}
			if !killed {
				t.Errorf("the mutant passes the check %s", m.check)
			}
			t.Logf("found: %s", first)
			if *others {
				// They say how far apart the checks are; golden fails for most.
				t.Logf("others: %s", strings.Join(also, ", "))
			}
		})
	}
}

func firstOr(first string, mine bool, failure string) string {
	if !mine {
		return first
	}
	line, _, _ := strings.Cut(failure, "\n")
	return line
}

func mutantsOf(check string) []mutant {
	return slices.DeleteFunc(slices.Clone(mutants), func(m mutant) bool { return m.check != check })
}

// TestTheDocumentationListsTheChecks compares the list in docs/adding-a-connector.md with the table; -update writes it.
func TestTheDocumentationListsTheChecks(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "adding-a-connector.md")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	const begin, end = "<!-- checks: generated from connectors/connectortest; go test ./connectors/connectortest -update -->\n", "<!-- end of checks -->\n"
	before, rest, ok := strings.Cut(string(b), begin)
	got, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the list of checks", file)
	}
	if *update {
		if err := os.WriteFile(file, []byte(before+begin+Table()+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(Table(), got); diff != "" {
		t.Errorf("the list of checks in %s (-want +got; -update writes it):\n%s", file, diff)
	}
}

func TestTheContractHasAtLeast25ChecksWithIDsOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Checks() {
		if seen[c.ID] || c.ID == "" || c.Group == "" || !strings.HasSuffix(c.Promise, ".") {
			t.Errorf("the check %q lacks an id of its own, a group or a sentence", c.ID)
		}
		seen[c.ID] = true
	}
	if len(seen) < 25 {
		t.Errorf("%d checks, want 25 at least", len(seen))
	}
}
