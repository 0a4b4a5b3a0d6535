package validate

// countryCodes are the one- and two-digit calling codes of ITU-T E.164; every other assigned code has three digits.
var countryCodes = map[int]bool{
	1: true, 7: true, 20: true, 27: true, 30: true, 31: true, 32: true, 33: true, 34: true, 36: true, 39: true, 40: true, 41: true, 43: true,
	44: true, 45: true, 46: true, 47: true, 48: true, 49: true, 51: true, 52: true, 53: true, 54: true, 55: true, 56: true, 57: true, 58: true,
	60: true, 61: true, 62: true, 63: true, 64: true, 65: true, 66: true, 81: true, 82: true, 84: true, 86: true, 90: true, 91: true, 92: true,
	93: true, 94: true, 95: true, 98: true,
}

// E164 checks an international telephone number: an assigned calling code and 8 to 15 digits; numbers of the North American plan also as NANP.
func E164(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) < 8 || len(d) > 15 || d[0] == 0 || same(d[1:]) {
		return Reject
	}
	switch {
	case d[0] == 1:
		return NANP(b)
	case countryCodes[int(d[0])], countryCodes[number(d[:2])]:
		return Pass
	}
	c := number(d[:3])
	return verdict(c >= 211 && c < 300 || c >= 350 && c < 390 || c >= 420 && c < 430 || c >= 500 && c < 510 || c >= 590 && c < 600 ||
		c >= 670 && c < 693 || c >= 850 && c < 890 || c >= 960 && c < 999)
}

// Phone checks an international number as E164, a national one with a leading 0 by its length, and any other as NANP.
func Phone(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	switch {
	case len(b) > 0 && b[0] == '+':
		return E164(b)
	case len(d) > 0 && d[0] == 0:
		if len(d) < 9 || len(d) > 12 || d[1] == 0 || same(d[1:]) {
			return Reject
		}
		return Unknown
	}
	return NANP(b)
}

// PrivateIPv4 checks a dotted address of RFC 1918.
func PrivateIPv4(b []byte) Verdict {
	var part [4]int
	n, seen := 0, 0
	for _, c := range b {
		if c == '.' {
			if n++; n > 3 || seen == 0 {
				return Reject
			}
			seen = 0
			continue
		}
		if c < '0' || c > '9' || seen == 3 || seen > 0 && part[n] == 0 {
			return Reject
		}
		part[n] = part[n]*10 + int(c-'0')
		seen++
	}
	if n != 3 || seen == 0 || part[0] > 255 || part[1] > 255 || part[2] > 255 || part[3] > 255 {
		return Reject
	}
	return verdict(part[0] == 10 || part[0] == 172 && part[1]&0xf0 == 16 || part[0] == 192 && part[1] == 168)
}
