// Package token holds the one tokenizer of Outband's free-text search, so that every search engine answers alike: lower case, runs of letters
// and digits, each CJK character alone. A search engine only splits its output at the spaces.
package token

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// gap stands between the texts of a column. No query can hold it, so no phrase reaches from one text into the next.
const gap = "\uE000"

// maxToken bounds a token; runes. A longer run is cut: keys and digests stay findable by their head.
const maxToken = 64

// Split returns the tokens of text in order. Texts that differ only in Unicode form or case have equal tokens.
func Split(text string) []string {
	var out []string
	var run []rune
	flush := func() {
		if len(run) > 0 {
			out = append(out, string(run[:min(len(run), maxToken)]))
			run = run[:0]
		}
	}
	for _, r := range norm.NFKC.String(strings.ToValidUTF8(text, "\uFFFD")) {
		switch {
		case alone(r):
			flush()
			out = append(out, string(r))
		case unicode.IsLetter(r) || unicode.IsNumber(r):
			run = append(run, unicode.ToLower(r))
		default:
			flush()
		}
	}
	flush()
	return out
}

// alone reports whether r is a CJK character; U+30FC, the sound mark of katakana, belongs to no script of its own.
func alone(r rune) bool {
	return r >= 0x1100 && (unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul) && unicode.IsLetter(r) || r == 0x30FC)
}

// Column joins the tokens of several texts into what is stored for search.
func Column(texts ...string) string {
	var out []string
	for _, t := range texts {
		if tokens := Split(t); len(tokens) > 0 {
			out = append(out, strings.Join(tokens, " "))
		}
	}
	return strings.Join(out, " "+gap+" ")
}

// Term is one part of a query; all must match. Tokens stand next to each other in this order; with Prefix the last one is the start of a token.
type Term struct {
	Tokens []string
	Prefix bool
}

// Limits of a query.
const (
	MaxQuery = 500 // bytes; the rest is not read
	maxTerms = 16
)

// Parse reads a query: words, prefixes (foo*), quoted phrases. There is nothing else: every other character separates words. A word of several
// tokens, such as an address, is a phrase. ok is false if the query is not blank but holds nothing that can be looked for.
func Parse(query string) (terms []Term, ok bool) {
	if len(query) > MaxQuery {
		query = query[:MaxQuery]
	}
	blank := strings.TrimSpace(query) == ""
	for query != "" && len(terms) < maxTerms {
		query = strings.TrimLeftFunc(query, unicode.IsSpace)
		var word string
		if strings.HasPrefix(query, `"`) {
			word, query, _ = strings.Cut(query[1:], `"`)
			// A star right after the closing quote makes the last word a prefix.
			if rest, star := strings.CutPrefix(query, "*"); star {
				word, query = word+"*", rest
			}
		} else if i := strings.IndexFunc(query, func(r rune) bool { return unicode.IsSpace(r) || r == '"' }); i >= 0 {
			word, query = query[:i], query[i:]
		} else {
			word, query = query, ""
		}
		if tokens := Split(word); len(tokens) > 0 {
			terms = append(terms, Term{Tokens: tokens, Prefix: strings.HasSuffix(word, "*")})
		}
	}
	return terms, blank || len(terms) > 0
}

// FTS5 is the term as an FTS5 query. Tokens hold letters and digits only, so quoting needs no escape.
func (t Term) FTS5() string {
	q := `"` + strings.Join(t.Tokens, " ") + `"`
	if t.Prefix {
		q += " *"
	}
	return q
}

// TSQuery is the term as a tsquery of Postgres: the text of every column that holds the term fulfils it. A column of its tokens apart from each
// other does too, which Run tells apart. Tokens hold letters and digits only, so quoting needs no escape.
func (t Term) TSQuery() string {
	q := "'" + strings.Join(t.Tokens, "' & '") + "'"
	if t.Prefix {
		q += ":*"
	}
	return q
}

// Run is what a column with a space before and after it holds somewhere if, and only if, it holds the term.
func (t Term) Run() string {
	run := " " + strings.Join(t.Tokens, " ")
	if !t.Prefix {
		run += " "
	}
	return run
}

// Match reports whether the term is in a column; it is the reference that search engines are tested against.
func (t Term) Match(column string) bool {
	have := strings.Fields(column)
next:
	for i := 0; i+len(t.Tokens) <= len(have); i++ {
		for j, want := range t.Tokens {
			if have[i+j] != want && (!t.Prefix || j != len(t.Tokens)-1 || !strings.HasPrefix(have[i+j], want)) {
				continue next
			}
		}
		return true
	}
	return false
}
