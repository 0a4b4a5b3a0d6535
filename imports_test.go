// Package outband_test holds the rules of the repository as a whole: who may import whom, and through which one door each dependency comes in.
package outband_test

import (
	"bytes"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

const module = "github.com/outband/outband"

// zone is a part of the repository with one rule about what of ours it may import. Its own tree it may always import. "x" means the package
// itself, "x/..." its tree too.
type zone struct {
	ours   []string
	reason string
}

var zones = map[string]zone{
	"cmd":                      {[]string{"..."}, "wires everything"},
	"connectors":               {[]string{"internal/..."}, "the contract knows no connector and nothing that uses one"},
	"connectors/all":           {[]string{"connectors/..."}, "it is the list of connectors and nothing else"},
	"connectors/connectortest": {[]string{"connectors", "fixtures/...", "internal/..."}, "it tests connectors through their contract"},
	"connectors/APP":           {[]string{"connectors"}, "a connector gets a client, not our parts: it cannot read a credential or the store"},
	"dlp":                      {[]string{"internal/..."}, "bytes in, matches out: it knows no app and no finding"},
	"findings":                 {[]string{"dlp/...", "internal/..."}, "findings know neither apps nor workflows"},
	"workflows":                {[]string{"connectors", "dlp/...", "findings/...", "internal/..."}, "workflows know connectors by their contract only, and no API"},
	"api":                      {[]string{"connectors", "dlp/...", "findings/...", "workflows/...", "internal/..."}, "the API knows connectors by their contract only"},
	"ui":                       {nil, "the pages talk to the API over HTTP only"},
	"fixtures":                 {[]string{"connectors"}, "a simulator must not share code with what it tests"},
	"internal":                 {[]string{"internal/..."}, "small leaves: they know nothing above them"},
}

// door is a dependency that comes in through named folders only, so that it can be replaced, bounded and watched in one place.
type door struct {
	path    string // import path or its beginning
	folders []string
	reason  string
}

var doors = []door{
	{"go.temporal.io/sdk", []string{"workflows", "cmd"}, "retries and references live in workflows"},
	{"go.temporal.io/api", []string{"workflows", "cmd"}, "retries and references live in workflows"},
	{"go.temporal.io/server", []string{"internal/temporalembed"}, "the build tag noembed must leave the server out"},
	{"github.com/google/cel-go", []string{"dlp"}, "policies never see text, and dlp holds that"},
	{"cel.dev", []string{"dlp"}, "policies never see text, and dlp holds that"},
	{"github.com/BurntSushi/toml", []string{"dlp/convert"}, "TOML is read of other tools' rules only"},
	{"github.com/gabriel-vasile/mimetype", []string{"dlp/extract"}, "what a file is, is decided once"},
	{"github.com/hashicorp/go-retryablehttp", []string{"internal/safehttp"}, "retries live in one layer per failure"},
	{"github.com/sony/gobreaker", []string{"internal/safehttp"}, "retries live in one layer per failure"},
	{"code.dny.dev/ssrf", []string{"internal/safehttp"}, "one dialer checks every outward call"},
	{"github.com/pressly/goose", []string{"internal/store"}, "one package has the schema"},
	{"modernc.org/sqlite", []string{"internal/store", "dlp/extract"}, "one package opens the database; the other reads foreign ones, in a child"},
	{"github.com/jackc/pgx", []string{"internal/store"}, "one package opens the database"},
	{"github.com/elastic/go-elasticsearch", []string{"findings"}, "search is the only user of Elasticsearch"},
	{"github.com/danielgtaylor/huma", []string{"api"}, "one package has the routes"},
	{"github.com/alexedwards/argon2id", []string{"api"}, "passwords are compared in one place, a bounded number at once"},
	{"github.com/go-chi/httprate", []string{"api"}, "guesses are counted in one place"},
	{"github.com/prometheus", []string{"internal/metrics"}, "metrics are named in one place, with bounded labels"},
	{"github.com/tink-crypto", []string{"internal/vault"}, "keys and ciphers stay in one package"},
	{"github.com/knadh/koanf", []string{"internal/config"}, "one package reads the settings"},
	{"github.com/gofrs/flock", []string{"internal/datadir"}, "one package locks the data folder"},
	{"github.com/spf13/cobra", []string{"cmd"}, "commands are made in main only"},
	{"github.com/compose-spec", nil, "it checks docker-compose.yml, in a test"},
	{"github.com/bep/imagemeta", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/bodgit/sevenzip", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/emersion/go-message", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/klauspost/compress", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/nwaples/rardecode", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/pdfcpu", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/richardlehane/mscfb", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/ulikunitz/xz", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/wlynxg/chardet", []string{"dlp/extract"}, "what reads foreign files runs in a child only"},
	{"github.com/elastic/go-seccomp-bpf", []string{"dlp/extract/sandbox"}, "one package takes rights away"},
	{"github.com/landlock-lsm", []string{"dlp/extract/sandbox"}, "one package takes rights away"},
	{"testing", []string{"connectors/connectortest", "findings/search/searchtest", "internal/store/storetest", "internal/testserver"}, "the program carries no test code"},
}

const maxLines = 500

// vague are package names that say nothing and gather everything.
var vague = []string{"utils", "util", "common", "helpers", "models", "types"}

func TestImports(t *testing.T) {
	broken, err := check(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

// check reads every Go file of a tree, whatever its build tags, and returns what breaks a rule, one sentence each, in the order of the files.
func check(tree fs.FS) (broken []string, err error) {
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || name == "bin") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(name) != ".go" {
			return nil
		}
		source, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		found, err := checkFile(name, source)
		broken = append(broken, found...)
		return err
	})
	return broken, err
}

func checkFile(name string, source []byte) (broken []string, err error) {
	add := func(format string, args ...any) { broken = append(broken, name+": "+fmt.Sprintf(format, args...)) }
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.ImportsOnly)
	if err != nil {
		return nil, fmt.Errorf("parse %s: %w", name, err)
	}
	folder := path.Dir(name)
	if n := bytes.Count(source, []byte("\n")); n > maxLines && !strings.HasSuffix(name, "_gen.go") {
		add("has %d lines; a file over %d is split", n, maxLines)
	}
	if pkg := strings.TrimSuffix(file.Name.Name, "_test"); slices.Contains(vague, pkg) || slices.Contains(vague, path.Base(folder)) {
		add("package %s has a name that says nothing; name what it does", pkg)
	}
	if strings.HasSuffix(name, "_test.go") {
		return broken, nil
	}
	zoneName := zoneOf(folder)
	z, known := zones[zoneName]
	if !known {
		add("folder %s is not in the layout of style.md; give it a line in the import table first", folder)
		return broken, nil
	}
	for _, spec := range file.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("import in %s: %w", name, err)
		}
		if spec.Name != nil && spec.Name.Name == "_" && imported != "embed" && imported != "time/tzdata" {
			add("imports %s for its side effects; name what is used, so that nothing registers itself", imported)
		}
		if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
			if !inside(ours, root(folder, zoneName)+"/...") && !slices.ContainsFunc(z.ours, func(p string) bool { return inside(ours, p) }) {
				add("imports %s; %s may import %s: %s", imported, zoneName, list(z.ours), z.reason)
			}
			continue
		}
		if zoneName == "connectors/APP" && imported == "net/http" {
			add("imports net/http; a connector calls through the client that it is given, which holds auth, limits, retries and the breaker")
		}
		for _, d := range doors {
			if inside(imported, d.path+"/...") && !slices.ContainsFunc(d.folders, func(f string) bool { return inside(folder, f+"/...") }) {
				add("imports %s; only %s may: %s", imported, list(d.folders), d.reason)
			}
		}
	}
	return broken, nil
}

// zoneOf is the zone of a folder.
func zoneOf(folder string) string {
	parts := strings.Split(folder, "/")
	if parts[0] != "connectors" || len(parts) == 1 {
		return parts[0]
	}
	if parts[1] == "all" || parts[1] == "connectortest" {
		return "connectors/" + parts[1]
	}
	return "connectors/APP"
}

// root is the folder whose tree is a zone's own: for a connector its own folder, and for the contract the package alone.
func root(folder, zoneName string) string {
	switch zoneName {
	case "connectors/APP":
		return strings.Join(strings.Split(folder, "/")[:2], "/")
	case "connectors":
		return "connectors/connectors" // No such folder: the contract has no tree.
	}
	return zoneName
}

// inside reports whether a path is what a pattern names.
func inside(p, pattern string) bool {
	tree, isTree := strings.CutSuffix(pattern, "...")
	if !isTree {
		return p == pattern
	}
	return strings.HasPrefix(p+"/", tree)
}

func list(folders []string) string {
	if len(folders) == 0 {
		return "nothing of ours"
	}
	return strings.Join(folders, ", ")
}

// TestCheckFindsWhatIsWrong gives the checker a tree in which every rule is broken once, and what is allowed stands beside it.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	file := func(pkg string, imports ...string) *fstest.MapFile {
		var b strings.Builder
		fmt.Fprintf(&b, "package %s\n\n", pkg)
		for _, i := range imports {
			fmt.Fprintf(&b, "import %s\n", i)
		}
		return &fstest.MapFile{Data: []byte(b.String())}
	}
	ours := func(p string) string { return strconv.Quote(module + "/" + p) }
	long := file("long")
	long.Data = append(long.Data, bytes.Repeat([]byte("// A line.\n"), maxLines)...)
	tree := fstest.MapFS{
		// Allowed.
		"cmd/outband/main.go":            file("main", ours("connectors/acme"), ours("ui"), `"github.com/spf13/cobra"`, `"go.temporal.io/sdk/client"`),
		"connectors/acme/acme.go":        file("acme", `_ "embed"`, `"net/url"`, ours("connectors"), ours("connectors/acme/page")),
		"connectors/acme/acme_test.go":   file("acme", `"net/http"`, ours("connectors/connectortest")),
		"connectors/all/all.go":          file("all", ours("connectors"), ours("connectors/acme")),
		"dlp/policy/env.go":              file("policy", `"github.com/google/cel-go/cel"`, ours("dlp"), ours("internal/id")),
		"internal/temporalembed/on.go":   file("temporalembed", `"go.temporal.io/server/temporal"`),
		"internal/store/storetest/a.go":  file("storetest", `"testing"`, ours("internal/store")),
		"findings/search/elastic.go":     file("search", `"github.com/elastic/go-elasticsearch/v8"`),
		"workflows/testdata/x.go":        file("utils", `"net/http"`),
		"ui/node_modules/x/x.go":         file("utils", ours("api")),
		"dlp/big_gen.go":                 {Data: long.Data},
		"connectors/acme/testdata/a.txt": {Data: []byte("not Go")},
		// Not allowed.
		"api/a.go":                     file("api", ours("connectors/acme"), `"go.temporal.io/sdk/client"`),
		"connectors/acme/http.go":      file("acme", `"net/http"`, ours("internal/store"), ours("connectors/other")),
		"connectors/contract.go":       file("connectors", ours("connectors/acme"), ours("internal/secret")),
		"dlp/big.go":                   long,
		"dlp/dlp.go":                   file("dlp", ours("findings")),
		"dlp/helpers/h.go":             file("helpers"),
		"extra/e.go":                   file("extra"),
		"findings/f.go":                file("findings", `"github.com/danielgtaylor/huma/v2"`, ours("workflows")),
		"fixtures/sim/s.go":            file("sim", ours("dlp"), ours("fixtures/sim/deep"), ours("connectors")),
		"internal/store/s.go":          file("store", ours("findings"), `"testing"`, `"modernc.org/sqlite"`, `"github.com/prometheus/client_golang/prometheus"`),
		"internal/metrics/m.go":        file("metrics", `"github.com/prometheus/client_golang/prometheus"`),
		"internal/vault/v.go":          file("vault", `_ "modernc.org/sqlite"`, `"github.com/tink-crypto/tink-go/v2/aead"`),
		"ui/ui.go":                     file("ui", ours("internal/config")),
		"workflows/w.go":               file("workflows", ours("api"), ours("connectors/acme"), `"github.com/hashicorp/go-retryablehttp"`, `"go.temporal.io/server/temporal"`),
		"workflows/common/x_test.go":   file("common_test"),
		"workflows/embedded/nearby.go": file("embedded", `"github.com/spf13/cobrabite"`),
	}
	got, err := check(tree)
	if err != nil {
		t.Fatal(err)
	}
	for i, b := range got {
		got[i], _, _ = strings.Cut(b, ";")
	}
	want := []string{
		"api/a.go: imports " + module + "/connectors/acme",
		"api/a.go: imports go.temporal.io/sdk/client",
		"connectors/acme/http.go: imports net/http",
		"connectors/acme/http.go: imports " + module + "/internal/store",
		"connectors/acme/http.go: imports " + module + "/connectors/other",
		"connectors/contract.go: imports " + module + "/connectors/acme",
		"dlp/big.go: has 502 lines",
		"dlp/dlp.go: imports " + module + "/findings",
		"dlp/helpers/h.go: package helpers has a name that says nothing",
		"extra/e.go: folder extra is not in the layout of style.md",
		"findings/f.go: imports github.com/danielgtaylor/huma/v2",
		"findings/f.go: imports " + module + "/workflows",
		"fixtures/sim/s.go: imports " + module + "/dlp",
		"internal/store/s.go: imports " + module + "/findings",
		"internal/store/s.go: imports testing",
		"internal/store/s.go: imports github.com/prometheus/client_golang/prometheus",
		"internal/vault/v.go: imports modernc.org/sqlite for its side effects",
		"internal/vault/v.go: imports modernc.org/sqlite",
		"ui/ui.go: imports " + module + "/internal/config",
		"workflows/common/x_test.go: package common has a name that says nothing",
		"workflows/w.go: imports " + module + "/api",
		"workflows/w.go: imports " + module + "/connectors/acme",
		"workflows/w.go: imports github.com/hashicorp/go-retryablehttp",
		"workflows/w.go: imports go.temporal.io/server/temporal",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("check (-want +got):\n%s", diff)
	}
	if _, err := check(fstest.MapFS{"dlp/x.go": {Data: []byte("no Go")}}); err == nil {
		t.Error("a file that is no Go was passed over")
	}
}
