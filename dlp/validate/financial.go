package validate

// Card checks a payment card number: an issued IIN range, the length of that issuer, the Luhn digit, and that it is not one digit repeated.
// Source: ISO/IEC 7812-1 and the issuers' published ranges.
func Card(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) < 13 || len(d) > 19 || same(d) || !luhn(d) {
		return Reject
	}
	return verdict(cardLength(number(d[:6]), len(d)))
}

func cardLength(iin, n int) bool {
	two, three, four := iin/10000, iin/1000, iin/100
	switch {
	case iin/100000 == 4: // Visa
		return n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720: // Mastercard
		return n == 16
	case two == 34 || two == 37: // American Express
		return n == 15
	case three >= 300 && three <= 305, three == 309, two == 36, two == 38, two == 39: // Diners Club
		return n == 14
	case four == 6011, two == 65, three >= 644 && three <= 649: // Discover
		return n == 16 || n == 19
	case four >= 3528 && four <= 3589: // JCB
		return n == 16
	case two == 62, two == 81: // UnionPay; RuPay has a part of 81
		return n >= 16
	case four >= 6069 && four <= 6079, three == 608, two == 82: // RuPay
		return n == 16
	case iin == 606282: // Hipercard
		return n == 16 || n == 19
	case four == 9792, four == 8600, four == 9860: // Troy, Uzcard, Humo
		return n == 16
	case four == 2205: // Borica
		return n == 16
	case two == 50, two >= 56 && two <= 58, two == 63, two == 67: // Maestro
		return n >= 13
	case four >= 2200 && four <= 2204: // Mir
		return n >= 16
	}
	return false
}

// ibanLength is the registry of SWIFT (ISO 13616): the whole length by country.
var ibanLength = map[[2]byte]int{
	{'A', 'D'}: 24, {'A', 'E'}: 23, {'A', 'L'}: 28, {'A', 'T'}: 20, {'A', 'Z'}: 28, {'B', 'A'}: 20, {'B', 'E'}: 16, {'B', 'G'}: 22,
	{'B', 'H'}: 22, {'B', 'I'}: 27, {'B', 'R'}: 29, {'B', 'Y'}: 28, {'C', 'H'}: 21, {'C', 'R'}: 22, {'C', 'Y'}: 28, {'C', 'Z'}: 24,
	{'D', 'E'}: 22, {'D', 'J'}: 27, {'D', 'K'}: 18, {'D', 'O'}: 28, {'E', 'E'}: 20, {'E', 'G'}: 29, {'E', 'S'}: 24, {'F', 'I'}: 18,
	{'F', 'K'}: 18, {'F', 'O'}: 18, {'F', 'R'}: 27, {'G', 'B'}: 22, {'G', 'E'}: 22, {'G', 'I'}: 23, {'G', 'L'}: 18, {'G', 'R'}: 27,
	{'G', 'T'}: 28, {'H', 'N'}: 28, {'H', 'R'}: 21, {'H', 'U'}: 28, {'I', 'E'}: 22, {'I', 'L'}: 23, {'I', 'Q'}: 23, {'I', 'S'}: 26, {'I', 'T'}: 27,
	{'J', 'O'}: 30, {'K', 'W'}: 30, {'K', 'Z'}: 20, {'L', 'B'}: 28, {'L', 'C'}: 32, {'L', 'I'}: 21, {'L', 'T'}: 20, {'L', 'U'}: 20,
	{'L', 'V'}: 21, {'L', 'Y'}: 25, {'M', 'C'}: 27, {'M', 'D'}: 24, {'M', 'E'}: 22, {'M', 'K'}: 19, {'M', 'N'}: 20, {'M', 'R'}: 27,
	{'M', 'T'}: 31, {'M', 'U'}: 30, {'N', 'I'}: 28, {'N', 'L'}: 18, {'N', 'O'}: 15, {'O', 'M'}: 23, {'P', 'K'}: 24, {'P', 'L'}: 28,
	{'P', 'S'}: 29, {'P', 'T'}: 25, {'Q', 'A'}: 29, {'R', 'O'}: 24, {'R', 'S'}: 22, {'R', 'U'}: 33, {'S', 'A'}: 24, {'S', 'C'}: 31,
	{'S', 'D'}: 18, {'S', 'E'}: 24, {'S', 'I'}: 19, {'S', 'K'}: 24, {'S', 'M'}: 27, {'S', 'O'}: 23, {'S', 'T'}: 25, {'S', 'V'}: 28,
	{'T', 'L'}: 23, {'T', 'N'}: 24, {'T', 'R'}: 26, {'U', 'A'}: 29, {'V', 'A'}: 22, {'V', 'G'}: 24, {'X', 'K'}: 20, {'Y', 'E'}: 30,
}

// IBANLength returns the number of characters of an IBAN of the country, 0 when it has none.
func IBANLength(a, b byte) int { return ibanLength[[2]byte{a, b}] }

// IBAN checks country, length and the mod 97 digits (ISO 7064).
func IBAN(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) < 15 || len(s) != IBANLength(s[0], s[1]) || !isDigits(s[2:4]) || same(s[4:]) {
		return Reject
	}
	var turned [40]byte
	n := copy(turned[:], s[4:])
	n += copy(turned[n:], s[:4])
	return verdict(mod97(turned[:n]) == 1)
}

// ABA checks a routing number of the American Bankers Association: the issued prefixes and the weighted sum 3, 7, 1.
func ABA(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 || same(d) {
		return Reject
	}
	p := number(d[:2])
	if !(p <= 12 || p >= 21 && p <= 32 || p >= 61 && p <= 72 || p == 80) || number(d[:4]) == 0 {
		return Reject
	}
	return verdict((3*(int(d[0])+int(d[3])+int(d[6]))+7*(int(d[1])+int(d[4])+int(d[7]))+int(d[2])+int(d[5])+int(d[8]))%10 == 0)
}

// BIC checks the form of ISO 9362 and that its country takes part in IBAN or is one of the large countries that do not.
func BIC(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != len(b) || len(s) != 8 && len(s) != 11 || !isUpper(s[:6]) {
		return Reject
	}
	if IBANLength(s[4], s[5]) > 0 {
		return Pass
	}
	switch string(s[4:6]) {
	case "US", "CA", "JP", "CN", "IN", "AU", "NZ", "SG", "HK", "KR", "ZA", "MX", "TH", "TW", "ID", "MY", "PH", "VN", "NG", "KE", "AR", "CL", "CO", "PE":
		return Pass
	}
	return Reject
}
