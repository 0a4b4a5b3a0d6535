package ui

import "strings"

// Content codings (RFC 9110, section 8.4.1), the ones that a build makes.
const (
	brotli   = "br"
	gzip     = "gzip"
	identity = "identity"
)

// negotiate returns the coding of those present that the values of Accept-Encoding weigh most; of equals, the smaller form. identity is the answer
// also to a client that refuses everything, which RFC 9110 (section 12.5.3) allows: it would have no other use for the answer.
func negotiate(values []string, present func(coding string) bool) string {
	weights := map[string]int{}
	for _, value := range values {
		for element := range strings.SplitSeq(value, ",") {
			coding, parameters, _ := strings.Cut(element, ";")
			coding = strings.ToLower(strings.TrimSpace(coding))
			if coding == "x-gzip" {
				coding = gzip
			}
			switch coding {
			case brotli, gzip, identity, "*":
				if _, twice := weights[coding]; !twice { // The first counts.
					weights[coding] = weight(parameters)
				}
			}
		}
	}
	best, most := identity, 0
	for _, coding := range []string{brotli, gzip, identity} {
		q, named := weights[coding]
		if !named {
			q = weights["*"]
		}
		if q > most && present(coding) {
			best, most = coding, q
		}
	}
	return best
}

// weight is the quality value of an element in thousandths: 1000 without one, and 0, "not acceptable", if it cannot be read.
func weight(parameters string) int {
	if strings.TrimSpace(parameters) == "" {
		return 1000
	}
	name, value, _ := strings.Cut(parameters, "=")
	whole, rest, _ := strings.Cut(strings.TrimSpace(value), ".")
	if !strings.EqualFold(strings.TrimSpace(name), "q") || len(rest) > 3 || (whole != "0" && whole != "1") {
		return 0
	}
	q := int(whole[0]-'0') * 1000
	for i, unit := 0, 100; i < len(rest); i, unit = i+1, unit/10 {
		if rest[i] < '0' || rest[i] > '9' {
			return 0
		}
		q += int(rest[i]-'0') * unit
	}
	if q > 1000 {
		return 0
	}
	return q
}
