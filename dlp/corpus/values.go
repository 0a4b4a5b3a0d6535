package corpus

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"golang.org/x/crypto/sha3"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/validate"
)

// kind makes values of one detector. A value has the form of one of the detector's examples and is drawn anew; its surroundings are not those of the
// example, but where the detector is made for them.
type kind struct {
	dlp.Detector
	forms []form
	names []string // of an assignment
	keep  keeping
	wide  bool
	check func([]byte) validate.Verdict // of values without macros; nil: there is none
}

// form is an example in parts.
type form struct{ before, value, after string }

// keeping says how much of an example stands around its value in the corpus too.
type keeping int

const (
	keepNothing keeping = iota // the value stands beside a name
	keepLine                   // an address, a command or a header that the value is a part of
	keepAll                    // what is found is the whole
	phrase                     // the value is a phrase of its own, without a name
)

// crossing are the parts of a pattern that reads over the ends of lines.
var crossing = []string{`\n`, `\s`, `[^"`, `[^'`, `[^<`, `[^>`, "(?s)"}

// newKind reads the forms of a detector's values from its examples.
func newKind(d dlp.Detector) (*kind, error) {
	k := &kind{Detector: d}
	for _, ex := range d.Examples.Match {
		before, rest, ok := strings.Cut(ex, "«")
		value, after, closed := strings.Cut(rest, "»")
		if !ok || !closed {
			return nil, fmt.Errorf("detector %s: an example has no value between « and »", d.ID)
		}
		k.forms = append(k.forms, form{before, value, after})
	}
	if len(k.forms) == 0 {
		return nil, fmt.Errorf("detector %s: there is no example to draw values after", d.ID)
	}
	k.names = namesOf(d, k.forms)
	if v, ok := validate.ByName(d.Validator); ok && !v.Soft {
		k.check = v.Check
	}
	family, _, _ := strings.Cut(d.ID, ".")
	word := slices.Contains([]string{"ai", "marking", "content"}, family)
	switch {
	case d.Kind == dlp.KindScanner:
		k.keep, k.wide = scannerKeeps(d)
	case d.Kind == dlp.KindPattern && slices.ContainsFunc(crossing, func(c string) bool { return strings.Contains(d.Pattern, c) }):
		k.keep = keepAll
	case d.Kind == dlp.KindPattern && d.RequireContext:
		k.keep = keepAll
	case d.Kind == dlp.KindPattern && strings.Contains(d.Pattern, "(?P<value>"):
		k.keep = keepLine
	case d.Kind == dlp.KindPattern && word:
		k.keep = phrase
	}
	if k.keep == keepNothing {
		k.forms = slices.DeleteFunc(k.forms, func(f form) bool { return strings.Contains(f.value, `\n`) }) // Escaped for their own surroundings.
	}
	return k, nil
}

func scannerKeeps(d dlp.Detector) (keep keeping, wide bool) {
	switch d.Scanner {
	case "code", "zero_width", "tags", "selectors", "bidi", "email_list":
		return keepAll, true
	case "service_account", "mrz":
		return keepAll, false
	case "host", "postcode":
		return keepLine, false
	case "phrase":
		if d.RequireContext {
			return keepAll, false
		}
		return phrase, false
	}
	return keepNothing, false
}

// checksum reports whether a value of the detector proves itself by a sum or a structure.
func (k *kind) checksum() bool { return k.check != nil }

// piece is a value with what stands around it.
type piece struct {
	form
	kept bool // what stands around it comes from an example
}

// piece draws a value and its surroundings for a form of document.
func (k *kind) piece(rng *rand.Rand, doc string) (piece, error) {
	f := one(rng, k.forms)
	switch k.keep {
	case keepLine:
		if i := strings.LastIndexByte(f.before, '\n'); i >= 0 {
			f.before = f.before[i+1:]
		}
		f.after, _, _ = strings.Cut(f.after, "\n")
		f.before, f.after = "\n"+f.before, f.after+"\n"
	case keepAll:
		f.before, f.after = "\n"+f.before, f.after+"\n"
	case phrase:
		f.before, f.after = quoteLine(rng, doc)
	default:
		f.before, f.after = k.named(rng, doc)
	}
	return k.draw(rng, f)
}

// mark stands between the parts of a form while its macros are replaced, so that all parts are drawn from one seed.
const mark = "\x00"

func (k *kind) draw(rng *rand.Rand, f form) (piece, error) {
	if !strings.Contains(f.value, "{") {
		f.value = k.redraw(rng, f.value)
	}
	text, err := dlp.Expand(fmt.Sprintf("corpus %016x", rng.Uint64()), f.before+mark+f.value+mark+f.after)
	if err != nil {
		return piece{}, fmt.Errorf("detector %s: %w", k.ID, err)
	}
	parts := strings.Split(text, mark)
	if len(parts) != 3 {
		return piece{}, fmt.Errorf("detector %s: an example holds a zero byte", k.ID)
	}
	return piece{form{parts[0], parts[1], parts[2]}, k.keep == keepLine || k.keep == keepAll}, nil
}

// tries is how often a value is drawn until its sum is right; the rarest sums hold for one in 97.
const tries = 20_000

// redraw makes another value of the form of v. What has a sum of its own is made with it or drawn until it is right; phrases stay as they are.
func (k *kind) redraw(rng *rand.Rand, v string) string {
	if made, ok := k.encoded(rng, v); ok {
		return made
	}
	if k.Kind != dlp.KindScanner || k.Scanner == "email" {
		return k.address(rng, v)
	}
	if k.check == nil {
		if k.Scanner == "number" {
			return drawDigits(rng, v)
		}
		return v
	}
	want := k.check([]byte(v))
	for range tries {
		b := []byte(v)
		for range 2 + rng.IntN(6) {
			i := rng.IntN(len(b))
			switch c := b[i]; {
			case c >= '0' && c <= '9':
				b[i] = byte('0' + rng.IntN(10))
			case c >= 'A' && c <= 'Z':
				b[i] = byte('A' + rng.IntN(26))
			case c >= 'a' && c <= 'z':
				b[i] = byte('a' + rng.IntN(26))
			}
		}
		if string(b) != v && k.check(b) == want {
			return string(b)
		}
	}
	return v
}

// drawDigits draws all digits but the first anew.
func drawDigits(rng *rand.Rand, v string) string {
	b, first := []byte(v), true
	for i, c := range b {
		if c < '0' || c > '9' {
			continue
		}
		if !first {
			b[i] = byte('0' + rng.IntN(10))
		}
		first = false
	}
	return string(b)
}

// address draws an e-mail address; other values stay.
func (k *kind) address(rng *rand.Rand, v string) string {
	if k.Scanner != "email" {
		return v
	}
	host := strings.ToLower(one(rng, lastNames)) + one(rng, []string{"-logistics", "-partner", "port", ""})
	return strings.ToLower(one(rng, firstNames)) + one(rng, []string{".", "_", "-", "+"}) + strings.ToLower(one(rng, lastNames)) + "@" + host + one(rng, []string{".com", ".de", ".io", ".co.uk", ".net"})
}

// encoded makes the addresses of wallets, whose sums cannot be hit by drawing.
func (k *kind) encoded(rng *rand.Rand, v string) (string, bool) {
	payload := func(version byte) []byte {
		b := []byte{version}
		for range 20 {
			b = append(b, byte(rng.IntN(256)))
		}
		return b
	}
	switch k.Validator {
	case "btc":
		return validate.EncodeBase58Check(payload([]byte{0, 5}[rng.IntN(2)]), false), true
	case "ltc":
		return validate.EncodeBase58Check(payload(0x30), false), true
	case "doge":
		return validate.EncodeBase58Check(payload(0x1e), false), true
	case "trx":
		return validate.EncodeBase58Check(payload(0x41), false), true
	case "xrp":
		return validate.EncodeBase58Check(payload(0), true), true
	case "eth":
		return "0x" + mixedCase(hex.EncodeToString(payload(0)[1:])), true
	}
	return v, false
}

// mixedCase writes an address of Ethereum with the sum in its capitals: https://eips.ethereum.org/EIPS/eip-55
func mixedCase(address string) string {
	h := sha3.NewLegacyKeccak256()
	h.Write([]byte(address)) // A hash takes all bytes.
	sum := hex.EncodeToString(h.Sum(nil))
	b := []byte(address)
	for i, c := range b {
		if c >= 'a' && sum[i] >= '8' {
			b[i] = c - 'a' + 'A'
		}
	}
	return string(b)
}
