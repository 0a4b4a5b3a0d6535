package dlp

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"

	"github.com/outband/outband/dlp/validate"
)

// minExamples is how many examples of each kind a detector carries.
const minExamples = 5

// Check compiles a detector alone and holds it to its examples: each match must be found over just the marked span, with at least medium
// confidence; no no_match may reach high confidence. The errors are *LintErrors.
func Check(d Detector) []error { return Stock{}.Check(d) }

// Check is the function Check for a detector that may name what is in stock. One that does needs no examples: they would show in clear what is stored sealed.
func (s Stock) Check(d Detector) []error {
	d.Optional, d.builtin = false, false
	e, err := New([]Detector{d}, Configuration{Stock: s})
	if err != nil {
		return []error{err}
	}
	var errs []error
	least := minExamples
	if d.List != "" || d.Table != "" {
		least = 0
	}
	if n := len(d.Examples.Match); n < least {
		errs = append(errs, d.fail("examples.match", 0, "%d match examples; at least %d are needed", n, least))
	}
	if n := len(d.Examples.NoMatch); n < least {
		errs = append(errs, d.fail("examples.no_match", 0, "%d no_match examples; at least %d are needed", n, least))
	}
	if d.Kind == KindScanner && d.Scanner == "email_list" {
		return append(errs, checkLists(d)...)
	}
	for i, ex := range d.Examples.Match {
		if err := checkMatch(e, d, i, ex); err != nil {
			errs = append(errs, err)
		}
	}
	for i, ex := range d.Examples.NoMatch {
		field := fmt.Sprintf("examples.no_match.%d", i)
		text, err := Expand(d.seed()+field, ex)
		if err != nil {
			errs = append(errs, d.fail(field, 0, "%s", err))
			continue
		}
		res, err := e.Scan([]byte(text), Keys{})
		if err != nil {
			errs = append(errs, d.fail(field, 0, "scan failed"))
			continue
		}
		for _, m := range res.Matches {
			if m.Confidence >= ConfidenceHigh {
				errs = append(errs, d.fail(field, 0, "matches at bytes %d to %d with confidence %.2f", m.Start, m.End, m.Confidence))
			}
		}
	}
	return errs
}

func checkMatch(e *Engine, d Detector, i int, ex string) error {
	field := fmt.Sprintf("examples.match.%d", i)
	text, err := Expand(d.seed()+field, ex)
	if err != nil {
		return d.fail(field, 0, "%s", err)
	}
	text, start, end, ok := unmark(text)
	if !ok {
		return d.fail(field, 0, "the value is not marked with « and »")
	}
	res, err := e.Scan([]byte(text), Keys{})
	if err != nil {
		return d.fail(field, 0, "scan failed")
	}
	for _, m := range res.Matches {
		if m.Start == start && m.End == end {
			if m.Confidence < ConfidenceMedium {
				return d.fail(field, 0, "is found with confidence %.2f only", m.Confidence)
			}
			return nil
		}
	}
	if len(res.Matches) > 0 {
		m := res.Matches[0]
		return d.fail(field, 0, "found at bytes %d to %d, marked at %d to %d", m.Start, m.End, start, end)
	}
	return d.fail(field, 0, "is not found")
}

// checkLists holds a list detector to its examples, together with the plain e-mail scanner that it reads from.
func checkLists(d Detector) []error {
	mail := Detector{ID: "contact.address", Title: "address", Kind: KindScanner, Severity: "low", Scanner: "email", Confidence: 0.5, Canonical: "lower"}
	e, err := New([]Detector{mail, d}, Configuration{})
	if err != nil {
		return []error{err}
	}
	var errs []error
	run := func(field, ex string, want bool) {
		text, err := Expand(d.seed()+field, ex)
		if err != nil {
			errs = append(errs, d.fail(field, 0, "%s", err))
			return
		}
		text, start, end, marked := unmark(text)
		res, err := e.Scan([]byte(text), Keys{})
		if err != nil || want && !marked {
			errs = append(errs, d.fail(field, 0, "is not marked, or the scan failed"))
			return
		}
		got := false
		for _, m := range res.Matches {
			got = got || m.Detector == d.ID && (!want || m.Start == start && m.End == end)
		}
		if got != want {
			errs = append(errs, d.fail(field, 0, "found: %t, wanted: %t", got, want))
		}
	}
	for i, ex := range d.Examples.Match {
		run(fmt.Sprintf("examples.match.%d", i), ex, true)
	}
	for i, ex := range d.Examples.NoMatch {
		run(fmt.Sprintf("examples.no_match.%d", i), ex, false)
	}
	return errs
}

// seed is what the made-up characters of the examples are drawn from: the id, and of a copy that of the built-in detector, so that it has the same examples.
func (d *Detector) seed() string {
	family, name, ok := strings.Cut(strings.TrimPrefix(d.ID, "custom."), "_")
	if !ok || !strings.HasPrefix(d.ID, "custom.") {
		return d.ID
	}
	all, err := builtin()
	if err != nil {
		return d.ID // The program does not start with it.
	}
	for i := range all {
		if len(all[i].ID) == len(family)+1+len(name) && strings.Replace(all[i].ID, ".", "_", 1) == family+"_"+name {
			return all[i].ID
		}
	}
	return d.ID
}

func unmark(s string) (text string, start, end int, ok bool) {
	before, rest, found := strings.Cut(s, "«")
	value, after, closed := strings.Cut(rest, "»")
	if !found || !closed {
		return s, 0, 0, false
	}
	return before + value + after, len(before), len(before) + len(value), true
}

var macro = regexp.MustCompile(`\{([a-z0-9]{2,12}):(\d{1,4})\}`)

var macroSets = map[string]string{
	"hex": "0123456789abcdef", "hexup": "0123456789ABCDEF", "digits": "0123456789", "lower": "abcdefghijklmnopqrstuvwxyz0123456789",
	"upper": "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", "base32": "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
	"alnum":     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789",
	"base64":    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
	"base64url": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
	"letters":   "abcdefghijklmnopqrstuvwxyz",
}

// MacroSet returns the characters of which a macro of examples draws, or nothing for a macro that is no run of one class.
func MacroSet(name string) string { return macroSets[name] }

// Expand replaces the macros of an example: {hex:32} is 32 hexadecimal digits drawn from the seed, {github:0} the 36 characters of a token with
// its checksum, {jwt:0} a signed token, {pem:n} n lines of base64, {discord:0} a bot's id in base64, {mnemonic:12} a recovery phrase of so many
// words, {wif:0}, {xprv:0} and the like the keys of wallets (walletExample). The same seed gives the same text. Fixtures use it too, so that no file holds a string in the shape of a secret.
func Expand(seed, text string) (string, error) {
	h := fnv.New64a()
	h.Write([]byte(seed))
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], h.Sum64())
	rng := rand.New(rand.NewChaCha8(key))
	draw := func(set string, n int) string {
		b := make([]byte, n)
		for i := range b {
			b[i] = set[rng.IntN(len(set))]
		}
		return string(b)
	}
	var bad error
	out := macro.ReplaceAllStringFunc(text, func(m string) string {
		parts := macro.FindStringSubmatch(m)
		n, err := strconv.Atoi(parts[2])
		if err != nil {
			bad = fmt.Errorf("macro %s has no count", parts[1])
			return m
		}
		switch parts[1] {
		case "github":
			body := draw(macroSets["alnum"], 30)
			sum := validate.GitHubChecksum([]byte(body))
			return body + string(sum[:])
		case "jwt":
			return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." +
				base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"`+draw(macroSets["digits"], 10)+`"}`)) + "." + draw(macroSets["base64url"], 43)
		case "pem":
			lines := make([]string, max(n, 1))
			for i := range lines {
				lines[i] = draw(macroSets["base64"], 64)
			}
			return strings.Join(lines, "\n")
		case "discord":
			return base64.RawURLEncoding.EncodeToString([]byte("1" + draw(macroSets["digits"], 17)))
		}
		if wallet, ok := walletExample(parts[1], n, rng); ok {
			return wallet
		}
		set, ok := macroSets[parts[1]]
		if !ok {
			bad = fmt.Errorf("unknown macro %s", parts[1])
			return m
		}
		return draw(set, n)
	})
	return out, bad
}
