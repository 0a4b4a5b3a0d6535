package corpus

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/outband/outband/dlp"
)

// spelling is how a name is written in one kind of surroundings.
type spelling int

const (
	snake spelling = iota
	upper
	kebab
	camel
	spaced
)

// surroundings puts a value beside a name.
type surroundings struct {
	spelling spelling
	bare     bool // nothing but a blank stands between the name and the value
	write    func(rng *rand.Rand, name string) (before, after string)
}

// The surroundings by form of document.
var around = map[string][]surroundings{
	FormChat:  {inEnv, inExport, inJSON, inYAML, inTOML, inFlag, inSentence, inLabel, inQuestion, inTable, inCSV, inCode, inLogfmt},
	FormProse: {inSentence, inLabel, inQuestion, inTable, inCSV},
	FormCode:  {inCode, inConst, inMap, inComment, inYAML, inEnv, inCall},
	FormLog:   {inLogfmt, inJSONLog, inLogText},
}

var (
	inEnv    = surroundings{upper, false, func(r *rand.Rand, n string) (string, string) { return "\nTZ=UTC\n" + n + "=", "\nLOG_LEVEL=info\n" }}
	inExport = surroundings{upper, false, func(r *rand.Rand, n string) (string, string) { return "\n$ export " + n + "=\"", "\"\n" }}
	inJSON   = surroundings{camel, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\n{\n  \"zone\": %d,\n  \"%s\": \"", r.IntN(90), n), "\",\n  \"enabled\": true\n}\n"
	}}
	inYAML = surroundings{kebab, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\n%s:\n  replicas: %d\n  %s: ", one(r, components), r.IntN(9), n), "\n  region: north\n"
	}}
	inTOML = surroundings{snake, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\n[%s]\n%s = \"", one(r, components), n), "\"\nretries = 3\n"
	}}
	inFlag = surroundings{kebab, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\n./run-%s --verbose --%s ", one(r, components), n), one(r, []string{" --wait\n", "\n"})
	}}
	inSentence = surroundings{spaced, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\n%s says the %s is ", one(r, firstNames), n), one(r, []string{", can we use it here?\n", " and it is still in use.\n", ". " + sentence(r) + "\n"})
	}}
	inLabel    = surroundings{spaced, false, func(r *rand.Rand, n string) (string, string) { return "\n" + capital(n) + ": ", "\n" }}
	inQuestion = surroundings{spaced, true, func(r *rand.Rand, n string) (string, string) {
		return "\nCould you tidy this up for me? " + capital(n) + " ", "\n"
	}}
	inTable = surroundings{spaced, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\n| what | value |\n|---|---|\n| owner | %s |\n| %s | ", one(r, firstNames), n), " |\n"
	}}
	inCSV = surroundings{snake, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\nid,owner,%s,state\n%d,%s,", n, r.IntN(9000), one(r, lastNames)), ",active\n"
	}}
	inCode  = surroundings{camel, false, func(r *rand.Rand, n string) (string, string) { return "\nconst " + n + " = '", "';\n" }}
	inConst = surroundings{upper, false, func(r *rand.Rand, n string) (string, string) {
		return "\n    private static final String " + n + " = \"", "\";\n"
	}}
	inMap     = surroundings{snake, false, func(r *rand.Rand, n string) (string, string) { return "\n    '" + n + "' => '", "',\n" }}
	inComment = surroundings{spaced, true, func(r *rand.Rand, n string) (string, string) { return "\n# until the move is done: " + n + " ", "\n" }}
	inCall    = surroundings{snake, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("\nclient = connect(%q, %s=\"", one(r, components), n), "\", timeout=30)\n"
	}}
	inLogfmt = surroundings{snake, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("%s level=debug component=%s %s=", clock(r).Format(time.RFC3339), one(r, components), n), fmt.Sprintf(" took=%dms\n", r.IntN(900))
	}}
	inJSONLog = surroundings{snake, false, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("{\"time\":%q,\"level\":\"warn\",\"%s\":\"", clock(r).Format(time.RFC3339), n), "\",\"attempt\":2}\n"
	}}
	inLogText = surroundings{spaced, true, func(r *rand.Rand, n string) (string, string) {
		return fmt.Sprintf("%s %s[%d]: refused with %s ", clock(r).Format("Jan _2 15:04:05"), one(r, components), r.IntN(9999), n), "\n"
	}}
)

// named draws surroundings in which the value has a name.
func (k *kind) named(rng *rand.Rand, doc string) (before, after string) {
	s := one(rng, around[doc])
	if k.Kind == dlp.KindAssignment && !k.Loose { // A name, an operator and a value, by its very kind.
		for s.bare {
			s = one(rng, around[doc])
		}
	}
	return s.write(rng, spell(s.spelling, k.name(rng, s.spelling)))
}

// name is what a person would call the value: a name of the examples for what is found by its name, a word that speaks for a number, and the kind of
// thing otherwise.
func (k *kind) name(rng *rand.Rand, s spelling) string {
	names := k.Context
	switch {
	case k.Kind == dlp.KindAssignment:
		name := one(rng, k.names)
		if k.RequireContext && !slices.ContainsFunc(k.Context, func(w string) bool { return strings.Contains(spell(spaced, name), w) }) {
			name = one(rng, k.Context) + " " + name
		}
		return name
	case k.Kind != dlp.KindScanner || len(names) == 0:
		_, name, _ := strings.Cut(k.ID, ".")
		return name
	}
	// Written as the surroundings want it if the detector has such a word; else any, as people write names in more than one way.
	fits := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return spell(s, n) != n && spell(s, n) != strings.ToUpper(n) })
	if len(fits) == 0 {
		fits = names
	}
	return one(rng, fits)
}

// assigned is a name before an operator, at the end of what stands before the value of an example.
var assigned = regexp.MustCompile("([A-Za-z][A-Za-z0-9_.-]{1,60})[\"'`]{0,2}\\]?\\s{0,4}(?:[:=]{1,3}>?|->|,|\\s)\\s{0,4}[\"'`]{0,2}$")

// namesOf returns the names that the examples give to the value, the keywords when they give none.
func namesOf(d dlp.Detector, forms []form) []string {
	var names []string
	for _, f := range forms {
		m := assigned.FindStringSubmatch(f.before)
		if m == nil {
			continue
		}
		name := m[1][strings.LastIndexByte(m[1], '.')+1:]
		known := slices.ContainsFunc(d.Keywords, func(w string) bool { return strings.Contains(strings.ToLower(name), w) })
		if known && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return d.Keywords
	}
	return names
}

// spell writes a name in one spelling. Other characters than letters, digits and what parts words stay.
func spell(s spelling, name string) string {
	parts := strings.FieldsFunc(hump.ReplaceAllString(name, "$1 $2"), func(c rune) bool { return c == '_' || c == '-' || c == ' ' })
	switch s {
	case snake:
		return strings.ToLower(strings.Join(parts, "_"))
	case upper:
		return strings.ToUpper(strings.Join(parts, "_"))
	case kebab:
		return strings.ToLower(strings.Join(parts, "-"))
	case camel:
		for i, p := range parts {
			if parts[i] = strings.ToLower(p); i > 0 {
				parts[i] = capital(parts[i])
			}
		}
		return strings.Join(parts, "")
	}
	return strings.ToLower(strings.Join(parts, " "))
}

// hump is where a word begins in a name without separators.
var hump = regexp.MustCompile("([a-z])([A-Z])")

func capital(s string) string {
	for i, c := range s {
		return string(unicode.ToUpper(c)) + s[i+len(string(c)):]
	}
	return s
}

// quoteLine draws surroundings for a phrase.
func quoteLine(rng *rand.Rand, doc string) (before, after string) {
	if doc == FormLog {
		return fmt.Sprintf("%s level=info component=%s msg=\"", clock(rng).Format(time.RFC3339), one(rng, components)), "\"\n"
	}
	if doc == FormCode {
		return "\n// ", "\n"
	}
	before = one(rng, []string{"\n", "\n> ", "\n* ", "\n" + sentence(rng) + " ", "\nIt says: \"", "\nSubject: "})
	if strings.HasSuffix(before, `"`) {
		return before, "\"\n"
	}
	return before, one(rng, []string{"\n", ". " + sentence(rng) + "\n"})
}
