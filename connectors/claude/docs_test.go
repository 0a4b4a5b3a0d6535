package claude

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

const docsFile = "../../docs/connectors/claude.md"

// TestDocs keeps the page about the connector equal to what the manifest says. -update writes it.
func TestDocs(t *testing.T) {
	m, err := connectors.ParseManifest(manifest)
	if err != nil {
		t.Fatal(err)
	}
	got := page(m)
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		if err := os.WriteFile(docsFile, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := gocmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s is not what the manifest says (-want +got; -update rewrites it):\n%s", docsFile, diff)
	}
}

// page writes the documentation of a connector.
func page(m *connectors.Manifest) string {
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("# %s", m.Name)
	p("")
	p("<!-- Generated from connectors/%s/manifest.yaml by `go test ./connectors/%s -run TestDocs -update`. Change the manifest, not this page. -->", m.ID, m.ID)
	p("")
	p("What Outband reads of %s, how often, with which permissions, and what it cannot see. %s describes the interface at %s.", m.Name, m.Vendor, m.Docs)
	p("")
	p("## The key")
	p("")
	for _, f := range m.Secrets {
		p("**%s.** %s", f.Title, f.Description)
		p("")
	}
	p("| kind | begins with | |")
	p("|---|---|---|")
	for _, k := range m.Keys {
		p("| %s | `%s` | %s |", k.Title, k.Prefix, map[bool]string{true: "can be used", false: "reads nothing here"}[k.Usable])
	}
	p("")
	p("| permission | why | streams |")
	p("|---|---|---|")
	for _, s := range m.Scopes {
		p("| `%s` | %s | %s |", s.ID, cell(s.Why), cmp.Or(strings.Join(s.Streams, ", "), "all, in the place of the others"))
	}
	p("")
	p("## Streams")
	p("")
	p("With which kind of key a stream is read stands in its row; where several do, the first one that is connected for an organisation reads it. The permissions are those")
	p("of a key that has not the one that covers them all. A stream that not every tenant has is shown as not available where it is not, and nothing that hangs on it is")
	p("opened or closed meanwhile.")
	p("")
	p("| stream | what | how | how often | key | permissions |")
	p("|---|---|---|---|---|---|")
	for _, s := range m.Streams {
		what := s.Title
		if s.Optional {
			what += " (not every tenant has it)"
		}
		p("| `%s` | %s | %s | %s | %s | %s |", s.ID, cell(what), how(s), often(s), cmp.Or(strings.Join(s.Keys, ", else "), "any"), needs(m, s))
	}
	p("")
	p("### What is read")
	p("")
	for _, s := range m.Streams {
		p("- `%s`: %s.", s.ID, strings.Join(s.Fields, "; "))
	}
	p("")
	p("## What cannot be seen")
	p("")
	p("The interface does not give it, or Outband leaves it out for the reason that stands there.")
	p("")
	for _, s := range m.Streams {
		if s.Unseen != "" {
			p("- `%s`: %s", s.ID, s.Unseen)
		}
	}
	p("")
	p("## Limits")
	p("")
	p("| limit | value | from |")
	p("|---|---|---|")
	l := m.Limits
	p("| calls in any minute | %d, can be changed | half of %s's %d for the whole organisation, all keys and all programs together (documented, and told by every reply) |", l.RequestsPerMinute, m.Vendor, l.VendorRequestsPerMinute)
	for _, name := range slices.Sorted(maps.Keys(l.Budgets)) {
		p("| calls in any minute for `%s` | %d | a second budget of the vendor, whose size is not documented: a fifth of the rate that is set; these calls count in the first one too |", name, l.Budgets[name])
	}
	p("| a reply | %d MiB | Outband's own: no size is documented; pages are halved until they fit |", l.MaxResponseBytes>>20)
	p("| a file | %d MiB | Outband's own: no size is documented; a larger one is counted as too big |", l.MaxFileBytes>>20)
	for _, s := range m.Streams {
		if s.History > 0 {
			p("| history of `%s` | %s | %s |", s.ID, span(s.History), historyFrom[s.ID])
		}
	}
	p("| rows of a page | %s | the vendor's most for a list, or fewer where a page is worked off in several goes |", pageSizes(m))
	return b.String()
}

// historyFrom says where the length of a stream's history comes from.
var historyFrom = map[string]string{
	streamActivities: "documented: kept for six years, and not from before the Compliance API was switched on",
	streamAPICalls:   "Outband's own: the vendor keeps six years, and only the calls since our own were noted tell anything",
	streamLocal:      "documented: six years, or the organisation's own shorter retention",
	streamRemote:     "documented: six years, unless the user deletes the session",
}

func pageSizes(m *connectors.Manifest) string {
	var out []string
	for _, s := range m.Streams {
		out = append(out, fmt.Sprintf("%s %d", s.ID, s.PageSize))
	}
	return strings.Join(out, ", ")
}

func how(s connectors.Stream) string {
	switch s.Cursor {
	case connectors.CursorOpen:
		return "what changed since the last read" + rereads(s)
	case connectors.CursorWindow:
		return fmt.Sprintf("windows of time that reach %s back over the last one and end %s before now%s", span(s.Lookback), span(s.Settle), rereads(s))
	}
	if s.Absent == connectors.AbsentUnknown {
		return "as a whole; what is not listed is not known"
	}
	return "as a whole; what two whole snapshots in a row do not list is gone"
}

func rereads(s connectors.Stream) string {
	if s.Reread == 0 {
		return ""
	}
	return fmt.Sprintf("; the last %s again every %s", span(s.Lateness), span(s.Reread))
}

func often(s connectors.Stream) string {
	if s.Every == 0 {
		return "every scan"
	}
	return "every " + span(s.Every)
}

// span writes a duration as people do.
func span(d connectors.Duration) string {
	v := time.Duration(d)
	for _, unit := range []struct {
		d    time.Duration
		name string
	}{{365 * day, "year"}, {day, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}} {
		if v >= unit.d && v%unit.d == 0 {
			if n := v / unit.d; n > 1 || unit.name == "year" {
				return fmt.Sprintf("%d %ss", n, unit.name)
			}
			return "1 " + unit.name
		}
	}
	return v.String()
}

// needs are the permissions that a stream needs. Those of other kinds of keys are not the connector's to ask for.
func needs(m *connectors.Manifest, s connectors.Stream) string {
	var out []string
	for _, scope := range m.Scopes {
		if slices.Contains(scope.Streams, s.ID) {
			out = append(out, "`"+scope.ID+"`")
		}
	}
	return cmp.Or(strings.Join(out, " and "), "those of every such key")
}

// cell keeps a text in its cell.
func cell(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "|", `\|`) }
