package validate

// zipStates are the states of the United States by the first digit of their ZIP codes (Publication 65 of the Postal Service).
var zipStates = [10]string{
	"CTMAMENHNJRIVTPRVIAEAP", "DENYPA", "DCMDNCSCVAWV", "ALFLGAMSTNAA", "INKYMIOH", "IAMNMTNDSDWI", "ILKSMONE", "AROKTXLA", "AZCOIDNMNVUTWYTX",
	"AKCAHIORWAGUASMPAP",
}

// StateZIP checks a state's letters and a ZIP code: the code lies in the part of the country of the state.
func StateZIP(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 7 && len(s) != 11 || !isDigits(s[2:]) || number(s[2:]) == 0 {
		return Reject
	}
	return verdict(pairIn(s, zipStates[s[2]-'0']))
}

// postAreas are the post town areas of the United Kingdom of two letters; the rest have one (Royal Mail, Postcode Address File).
const postAreas = "ABALBABBBDBHBLBNBRBSBTCACBCFCHCMCOCRCTCVCWDADDDEDGDHDLDNDTDYECEHENEXFKFYGLGUGYHAHDHGHPHRHSHUHXIGIMIPIVJEKAKTKWKYLALDLELLLNLSLULDMEMKML" +
	"NENGNNNPNRNWOLOXPAPEPHPLPOPRRGRHRMSASESGSKSLSMSNSOSPSRSSSTSWSYTATDTFTNTQTRTSTWUBWAWCWDWFWNWRWSWVYOZE"

// Postcode checks a UK postcode: an area that exists, and the letters that its last three characters may have (BS 7666).
func Postcode(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) < 5 || len(s) > 7 {
		return Reject
	}
	switch {
	case s[1] >= 'A':
		if !pairIn(s, postAreas) {
			return Reject
		}
	case s[0] != 'B' && s[0] != 'E' && s[0] != 'G' && s[0] != 'L' && s[0] != 'M' && s[0] != 'N' && s[0] != 'S' && s[0] != 'W':
		return Reject
	}
	in := s[len(s)-3:]
	if !isDigits(in[:1]) {
		return Reject
	}
	for _, c := range in[1:] {
		switch c {
		case 'C', 'I', 'K', 'M', 'O', 'V', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			return Reject
		}
	}
	return Pass
}

// NationalPhone checks a number written without its country: the length, and that a leading 0 is not followed by another. It proves little.
func NationalPhone(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) < 8 || len(d) > 12 || same(d[1:]) || d[0] == 0 && d[1] == 0 || number(d)%1_000_000 == 0 {
		return Reject
	}
	return Unknown
}

// MBI checks a US Medicare beneficiary identifier: digits, letters without S, L, O, I, B, Z and either at their places (CMS, MBI format). The number
// 1EG4-TE5-MK73 is printed on sample cards.
func MBI(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 11 || s[0] == '0' || string(s) == "1EG4TE5MK73" || string(s) == "1EG4TE5MK72" {
		return Reject
	}
	for i, c := range s {
		letter := c >= 'A'
		switch "NAXNAXNAANN"[i] {
		case 'N':
			if letter {
				return Reject
			}
		case 'A':
			if !letter {
				return Reject
			}
		}
		switch c {
		case 'S', 'L', 'O', 'I', 'B', 'Z':
			return Reject
		}
	}
	return Pass
}

// CHI checks a Scottish community health index number: date of birth and a check digit modulo 11 (NHS National Services Scotland).
func CHI(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 || !dmy(d) || same(d) {
		return Reject
	}
	check := 11 - weigh(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	return verdict(check%11 == int(d[9]) && check != 10)
}

// Luhn checks the mod 10 digit of ISO/IEC 7812-1 and nothing else.
func Luhn(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) > 1 && !same(d) && luhn(d))
}

// MAC checks a hardware address of six pairs: it is neither nothing, nor for all, nor a plain sequence (IEEE 802).
func MAC(b []byte) Verdict {
	if len(b) != 17 {
		return Reject
	}
	distinct := 0
	var seen [256]bool
	for i, c := range b {
		if i%3 == 2 {
			if c != b[2] || c != ':' && c != '-' {
				return Reject
			}
			continue
		}
		if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
			return Reject
		}
		if !seen[c|0x20] {
			seen[c|0x20] = true
			distinct++
		}
	}
	return verdict(distinct > 3 && string(b) != "00:11:22:33:44:55" && string(b) != "01:23:45:67:89:ab" && string(b) != "01:23:45:67:89:AB")
}

// PrivateIPv6 checks an address of the unique local block fc00::/7 (RFC 4193) or of a link (fe80::/10).
func PrivateIPv6(b []byte) Verdict {
	if len(b) < 6 || len(b) > 45 {
		return Reject
	}
	groups, width, gap := 1, 0, false
	for i, c := range b {
		switch {
		case c == ':':
			if i > 0 && b[i-1] == ':' {
				if gap {
					return Reject
				}
				gap = true
			} else {
				groups++
			}
			width = 0
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'f':
			if width++; width > 4 {
				return Reject
			}
		default:
			return Reject
		}
	}
	if gap && groups > 8 || !gap && groups != 8 {
		return Reject
	}
	first := b[0] | 0x20
	second := b[1] | 0x20
	return verdict(first == 'f' && (second == 'c' || second == 'd' || second == 'e' && b[2] >= '8' && b[2]|0x20 <= 'b'))
}
