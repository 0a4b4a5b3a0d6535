package dlp

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"github.com/outband/outband/dlp/validate"
)

// Bounds of a detector. They keep the work behind one keyword small whatever the text is.
const (
	maxPattern    = 1024      // longest match of an expression, bytes
	maxToken      = 8192      // longest token, bytes
	maxCost       = 1_500_000 // instructions of the program × longest match
	minKeyword    = 3         // bytes
	nameTail      = 40        // characters between a keyword and its operator
	maxKeywords   = 128       // for each detector
	maxWords      = 256       // of each list of words, for each detector
	maxAllow      = 1024      // allowed values and expressions
	contextRadius = 60        // characters either side in which context words count
)

// rule is a compiled detector. It is never changed.
type rule struct {
	Detector
	index                         int
	set                           *charset
	value                         *matcher // whole value of a token or assignment; nil: any
	pattern                       *matcher
	group                         int // the submatch that is the value
	longest                       int
	least, most                   int      // bytes of a match before the keyword
	wanders                       int      // place in state.attempts, when they are not the same
	first                         *charset // what a match begins with
	lead                          byte     // the only byte of first; 0: it has more
	ahead                         finder   // what every match holds; nil: nothing like that
	aheadSize                     int      // of the longest that it finds, bytes
	slot                          int      // place of what the finder saw last in state.lookouts
	run                           *charset // of a token or assignment: what a value consists of that is not quoted
	before                        *charset // what may stand just before the keyword of a pattern; nil means anything
	validator                     validate.Validator
	allowValues                   map[string]bool
	allowRegexp                   []func() *regexp.Regexp
	context                       []string
	negative                      []string
	contextStarts, negativeStarts []uint16 // startOf of them
	shapes                        []shape
	parts                         []*rule // alternatives of a pattern, each with its own keywords; they find matches of whole
	whole                         *rule
	scan                          scanFunc
	version                       func() string // see Engine.Why
	runs                          runs          // of a scanner without keywords
	steps                         int           // of its expressions, instructions × longest match; 0 for those that are built in
	words                         *Words        // of a dictionary
	exact                         *exactRule
}

var idPattern = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]{0,59}$`)

var severities = []string{"critical", "high", "medium", "low", "info"}

// compile checks a detector and turns it into a rule. The error is a *LintError.
func compile(d Detector, stock Stock) (*rule, error) {
	r := &rule{Detector: d}
	if !idPattern.MatchString(d.ID) {
		return nil, d.fail("id", 0, "id is not of the form family.name")
	}
	if d.Title == "" {
		return nil, d.fail("", 0, "title is missing")
	}
	if !slices.Contains(severities, d.Severity) {
		return nil, d.fail("severity", 0, "severity is none of %s", strings.Join(severities, ", "))
	}
	if err := d.checkNumbers(); err != nil {
		return nil, err
	}
	if !slices.Contains([]string{"", "raw", "digits", "upper", "lower"}, d.Canonical) {
		return nil, d.fail("canonical", 0, "canonical is none of raw, digits, upper, lower")
	}
	if !slices.Contains([]string{"", "head", "tail"}, d.Mask) {
		return nil, d.fail("mask", 0, "mask is neither head nor tail")
	}
	if r.ContextWeight == 0 {
		r.ContextWeight = 0.25
	}
	if d.Validator != "" {
		v, ok := validate.ByName(d.Validator)
		if !ok {
			return nil, d.fail("validator", 0, "unknown validator; known are %s", strings.Join(validate.Names(), ", "))
		}
		r.validator = v
	}
	if err := r.compileWords(); err != nil {
		return nil, err
	}
	var err error
	switch d.Kind {
	case KindToken:
		err = r.compileToken()
	case KindAssignment:
		err = r.compileAssignment()
	case KindPattern:
		err = r.compilePattern()
	case KindScanner:
		err = r.compileScanner()
	case KindDictionary:
		err = r.compileDictionary(stock)
	case KindExact:
		err = r.compileExact(stock)
	default:
		err = d.fail("kind", 0, "kind is none of token, assignment, pattern, scanner, dictionary, exact")
	}
	return r, err
}

// checkNumbers refuses numbers out of range; what is no number is out of every range.
func (d *Detector) checkNumbers() error {
	for _, n := range []struct {
		field      string
		value      float64
		more, most float64
	}{{"confidence", d.Confidence, 0, 1}, {"context_weight", d.ContextWeight, -1e-9, 1}, {"entropy", d.Entropy, -1e-9, 8}} {
		if !(n.value > n.more && n.value <= n.most) {
			return d.fail(n.field, 0, "%s is not in its range, up to %g", n.field, n.most)
		}
	}
	for i, s := range d.Shapes {
		if !(s.Confidence >= 0 && s.Confidence <= 1) {
			return d.fail(fmt.Sprintf("shapes.%d", i), 0, "confidence of a shape is not in [0, 1]")
		}
	}
	return nil
}

func (r *rule) compileWords() error {
	for _, list := range []struct {
		field string
		n     int
		most  int
	}{{"context", len(r.Detector.Context), maxWords}, {"negative", len(r.Detector.Negative), maxWords}, {"weak", len(r.Weak), maxWords}, {"allow", len(r.Allow), maxAllow}} {
		if list.n > list.most {
			return r.fail(list.field, 0, "%d entries; at most %d are allowed", list.n, list.most)
		}
	}
	for _, list := range []struct {
		field  string
		words  []string
		into   *[]string
		starts *[]uint16
	}{{"context", r.Detector.Context, &r.context, &r.contextStarts}, {"negative", r.Detector.Negative, &r.negative, &r.negativeStarts}} {
		for i, w := range list.words {
			if len(w) < 2 || len(w) > 40 {
				return r.fail(fmt.Sprintf("%s.%d", list.field, i), 0, "a word has 2 to 40 bytes")
			}
			low := words(nil, []byte(w)) // As the text is folded: letters beyond ASCII keep their case.
			*list.into, *list.starts = append(*list.into, string(low)), append(*list.starts, startOf(low))
		}
	}
	if r.RequireContext && len(r.context) == 0 {
		return r.fail("require_context", 0, "require_context without context words")
	}
	if i := slices.IndexFunc(r.Weak, func(w string) bool { return w == "" || w != strings.ToLower(w) }); i >= 0 {
		return r.fail(fmt.Sprintf("weak.%d", i), 0, "a weak part is in lower case and not empty")
	}
	r.allowValues = map[string]bool{}
	for i, a := range r.Allow {
		if len(a) > 2 && a[0] == '/' && a[len(a)-1] == '/' {
			field := fmt.Sprintf("allow.%d", i)
			info, err := r.analyse(field, a[1:len(a)-1], 1)
			if err != nil {
				return err
			}
			r.allowRegexp = append(r.allowRegexp, info.compile())
			continue
		}
		r.allowValues[a] = true
	}
	if len(r.Keywords) > maxKeywords {
		return r.fail("keywords", 0, "more than %d keywords", maxKeywords)
	}
	for i, k := range r.Keywords {
		if len(k) < minKeyword || len(k) > 64 {
			return r.fail(fmt.Sprintf("keywords.%d", i), 0, "a keyword has %d to 64 bytes", minKeyword)
		}
	}
	return nil
}

// compileRun compiles what tokens and assignments share: the class, the bounds and the whole-value expression.
func (r *rule) compileRun(limit int) error {
	if r.Charset == "" {
		return r.fail("", 0, "charset is missing")
	}
	set, err := parseCharset(r.Charset)
	if err != nil {
		return r.fail("charset", 0, "%s", err)
	}
	r.set, r.run = set, set
	if r.Kind == KindAssignment {
		open := *set
		for c := range open {
			open[c] = open[c] && !closes(byte(c))
		}
		r.run = &open
	}
	if r.Length.Min < 1 || r.Length.Max < r.Length.Min || r.Length.Max > limit {
		return r.fail("length", 0, "length needs 1 <= min <= max <= %d", limit)
	}
	if r.Pattern == "" {
		return nil
	}
	info, err := r.analyse("pattern", r.Pattern, 0)
	if err != nil {
		return err
	}
	r.value = info.whole()
	return nil
}

func (r *rule) compileToken() error {
	if len(r.Prefixes) == 0 || len(r.Prefixes) > maxKeywords {
		return r.fail("prefixes", 0, "a token needs 1 to %d prefixes", maxKeywords)
	}
	for i, p := range r.Prefixes {
		if len(p) < minKeyword {
			return r.fail(fmt.Sprintf("prefixes.%d", i), 0, "a prefix has at least %d bytes", minKeyword)
		}
	}
	r.Keywords = nil
	if err := r.compileRun(maxToken); err != nil {
		return err
	}
	r.longest = r.Length.Max + 64
	return nil
}

func (r *rule) compileAssignment() error {
	if len(r.Keywords) == 0 {
		return r.fail("", 0, "an assignment needs keywords")
	}
	if r.Name != "" && r.Name != "strict" && r.Name != "free" {
		return r.fail("name", 0, "name is neither strict nor free")
	}
	r.longest = r.Length.Max + 128
	return r.compileRun(512)
}

func (r *rule) compilePattern() error {
	if r.Pattern == "" {
		return r.fail("", 0, "pattern is missing")
	}
	info, err := r.analyse("pattern", r.Pattern, minKeyword)
	if err != nil {
		return err
	}
	if len(r.Keywords) == 0 {
		r.Keywords, r.longest = info.literals, info.longest
		if r.splitPattern() {
			return nil
		}
	} else if i := slices.IndexFunc(info.literals, func(l string) bool { return firstOf(l, r.Keywords) < 0 }); i >= 0 {
		return r.fail("keywords", 0, "the pattern also matches without any of the keywords")
	}
	if slices.Equal(r.Keywords, info.literals) {
		r.before = info.before
	} else {
		// The keyword is a part of the literal.
		off := make([]int, len(info.literals))
		for i, l := range info.literals {
			off[i] = firstOf(l, r.Keywords)
		}
		info.least, info.most = info.least+slices.Min(off), info.most+slices.Max(off)
	}
	r.setPattern(info)
	return r.checkGroup(info)
}

func (r *rule) setPattern(info expression) {
	r.longest, r.least, r.most, r.first, r.group = info.longest, info.least, info.most, info.first, info.value
	for c, in := range info.first {
		if in && info.first.size() == 1 {
			r.lead = byte(c)
		}
	}
	switch {
	case info.needs != nil && (len(info.also) == 0 || info.needs.size() < wide):
		r.ahead, r.aheadSize = classRun{info.needs, info.needed}, info.needed
	case len(info.also) > 0:
		r.ahead = newAnyLiteral(info.also)
		for _, l := range info.also {
			r.aheadSize = max(r.aheadSize, len(l))
		}
	}
	r.pattern = info.anchored()
}

// splitPattern makes a part of every alternative of the pattern. A keyword of one then costs a look at that one, and mostly at a fixed place.
func (r *rule) splitPattern() bool {
	flags, list := alternatives(r.Pattern)
	if len(list) < 2 {
		return false
	}
	for _, source := range list {
		part := &rule{Detector: r.Detector, whole: r}
		info, err := part.analyse("pattern", flags+source, minKeyword)
		if err != nil || info.groups > 0 && info.value == 0 {
			r.parts = nil
			return false
		}
		part.Keywords, part.before = info.literals, info.before
		part.setPattern(info)
		r.parts = append(r.parts, part)
	}
	r.pattern, r.Keywords = nil, nil
	for _, part := range r.parts {
		for _, k := range part.Keywords {
			if !slices.Contains(r.Keywords, k) {
				r.Keywords = append(r.Keywords, k)
			}
		}
	}
	return true
}

// alternatives splits an expression at the bars outside of all brackets, also when one group without a name holds all of it. flags are those at its start.
func alternatives(s string) (flags string, list []string) {
	if strings.HasPrefix(s, "(?i)") {
		flags, s = s[:4], s[4:]
	}
	depth, from := 0, 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case c == '[':
			i = classEnd(s, i)
		case c == '(':
			depth++
		case c == ')':
			depth--
			if depth == 0 && i == len(s)-1 && len(list) == 0 && from == 0 && strings.HasPrefix(s, "(?:") && strings.Count(s, "(") == strings.Count(s, ")") {
				if inner, all := alternatives(s[3:i]); inner == "" && len(all) > 1 && balanced(all) {
					return flags, all
				}
			}
		case c == '|' && depth == 0:
			list = append(list, s[from:i])
			from = i + 1
		}
	}
	return flags, append(list, s[from:])
}

// balanced reports whether every part is an expression by itself.
func balanced(list []string) bool {
	return !slices.ContainsFunc(list, func(s string) bool {
		_, err := syntax.Parse(s, syntax.Perl)
		return err != nil
	})
}

// checkGroup refuses groups without a meaning, and a value that may be nothing.
func (r *rule) checkGroup(info expression) error {
	if r.group > 0 && emptyValue(r.Pattern) {
		return r.fail("pattern", 0, "the group value may be empty")
	}
	if info.groups > 0 && r.group == 0 {
		return r.fail("pattern", 0, "the only group with a meaning is (?P<value>...); write (?:...) otherwise")
	}
	return nil
}

// firstOf returns where the first of the keywords that s holds stands in it, without regard to case; -1: it holds none.
func firstOf(s string, keywords []string) int {
	s = strings.ToLower(s)
	for _, k := range keywords {
		if at := strings.Index(s, strings.ToLower(k)); at >= 0 {
			return at
		}
	}
	return -1
}

// charset is a set of bytes.
type charset [256]bool

// wide is how many bytes a class has that runs of are anywhere: letters and digits.
const wide = 62

func (c *charset) size() (n int) {
	for _, in := range c {
		if in {
			n++
		}
	}
	return n
}

var charsets = map[string]string{
	"hex":       "0-9a-f",
	"hexany":    "0-9a-fA-F",
	"digits":    "0-9",
	"alnum":     "0-9A-Za-z",
	"lower":     "0-9a-z",
	"upper":     "0-9A-Z",
	"base32":    "A-Z2-7",
	"base64":    "0-9A-Za-z+/=",
	"base64url": "0-9A-Za-z_-",
	"printable": "!-~",
}

func parseCharset(s string) (*charset, error) {
	if named, ok := charsets[s]; ok {
		s = named
	}
	var set charset
	for i := 0; i < len(s); i++ {
		if s[i] < '!' || s[i] > '~' {
			return nil, fmt.Errorf("charset has a byte that is not printable ASCII")
		}
		if i+2 < len(s) && s[i+1] == '-' {
			if s[i] > s[i+2] {
				return nil, fmt.Errorf("charset range %c-%c is empty", s[i], s[i+2])
			}
			for c := int(s[i]); c <= int(s[i+2]); c++ {
				set[c] = true
			}
			i += 2
			continue
		}
		set[s[i]] = true
	}
	return &set, nil
}
