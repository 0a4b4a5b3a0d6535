package validate

import "bytes"

// SVNR checks an Austrian social insurance number: serial, check digit modulo 11 in the fourth place, date of birth (Dachverband der
// Sozialversicherungsträger). Months 13 to 15 are given when a day's serials are used up.
func SVNR(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 || d[0] == 0 {
		return Reject
	}
	month := number(d[6:8])
	if month > 12 && month < 16 {
		month = 1
	}
	return verdict(day(number(d[4:6]), month) && weigh(d, 3, 7, 9, 0, 5, 8, 4, 2, 1, 6)%11 == int(d[3]))
}

// AHV checks a Swiss social insurance number: 756 and the EAN-13 check digit (Zentrale Ausgleichsstelle, Weisungen zur AHV-Nummer).
func AHV(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 13 || number(d[:3]) != 756 || same(d[3:]) {
		return Reject
	}
	return verdict(weigh(d, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1)%10 == 0)
}

// GermanPension checks a German pension insurance number: area, date of birth, the letter as two digits, and the digit sum of products modulo 10
// (VKVV §2 and its annex).
func GermanPension(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 12 || !isDigits(s[:8]) || s[8] < 'A' || !isDigits(s[9:]) || s[0] == '0' && s[1] < '2' {
		return Reject
	}
	if dd := two(s[2:]); !day(dd, two(s[4:])) {
		return Reject
	}
	sum, n := 0, int(s[8]-'A')+1
	for i, w := range [12]int{2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1} {
		v := 0
		switch {
		case i < 8:
			v = int(s[i] - '0')
		case i == 8:
			v = n / 10
		case i == 9:
			v = n % 10
		default:
			v = int(s[i-1] - '0')
		}
		v *= w
		sum += v/10 + v%10
	}
	return verdict(sum%10 == int(s[11]-'0'))
}

// Insured checks a number of German statutory health insurance: a letter, eight digits and the Luhn-like digit over the letter as two digits
// (§290 SGB V; GKV-Spitzenverband).
func Insured(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 10 || s[0] < 'A' || !isDigits(s[1:]) || same(s[1:]) {
		return Reject
	}
	n := int(s[0]-'A') + 1
	sum := n/10 + digitSum(2*(n%10))
	for i, c := range s[1:9] {
		sum += digitSum(int(c-'0') * (1 + i%2))
	}
	return verdict(sum%10 == int(s[9]-'0'))
}

func digitSum(n int) int { return n/10 + n%10 }

// icao is the check digit of ICAO Doc 9303 part 3: weights 7, 3, 1; letters count from 10, < as nothing. Not a digit: -1.
func icao(s []byte) int {
	sum := 0
	for i, c := range s {
		v := 0
		switch {
		case c >= '0' && c <= '9':
			v = int(c - '0')
		case c >= 'A' && c <= 'Z':
			v = int(c-'A') + 10
		case c != '<':
			return -1
		}
		sum += v * [3]int{7, 3, 1}[i%3]
	}
	return sum % 10
}

// GermanDocument checks the serial number of a German identity card or passport with its check digit: the alphabet without vowels and the digit of
// ICAO Doc 9303.
func GermanDocument(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) < 9 || len(s) > 10 || bytes.IndexByte([]byte("CFGHJKLMNPRTVWXYZ"), s[0]) < 0 {
		return Reject
	}
	n := 0
	for _, c := range s[1:] {
		if c > '9' && bytes.IndexByte([]byte("CFGHJKLMNPRTVWXYZ"), c) < 0 {
			return Reject
		}
		if c <= '9' {
			n++
		}
	}
	if n < 3 || same(s[1:]) {
		return Reject
	}
	if len(s) == 9 {
		return Unknown
	}
	return verdict(icao(s[:9]) == int(s[9])-'0')
}

// MRZ checks the second line of a passport's machine-readable zone (44 characters): the check digits of number, birth and expiry and the one over
// all of ICAO Doc 9303 part 4.
func MRZ(b []byte) Verdict {
	if len(b) != 44 {
		return Reject
	}
	digit := func(i int) int { return int(b[i]) - '0' }
	if icao(b[:9]) != digit(9) || icao(b[13:19]) != digit(19) || icao(b[21:27]) != digit(27) || !isDigits(b[13:19]) || !isDigits(b[21:27]) {
		return Reject
	}
	var all [40]byte
	n := copy(all[:], b[:10])
	n += copy(all[n:], b[13:20])
	n += copy(all[n:], b[21:43])
	return verdict(icao(all[:n]) == digit(43) && day(two(b[17:]), two(b[15:])))
}

// BelgianID checks a Belgian national number or bis number: date and 97 minus the number modulo 97, with 2 in front for births since 2000
// (Royal decree of 3 April 1984).
func BelgianID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 {
		return Reject
	}
	month := shifted(number(d[2:4]))
	n, check := number(d[:9]), number(d[9:])
	if !day(number(d[4:6]), month) || number(d[6:9]) == 0 {
		return Reject
	}
	return verdict(97-n%97 == check || number(d[:2]) <= lastYear-2000 && 97-(n+2_000_000_000)%97 == check)
}

// LuxembourgID checks a Luxembourg identification number: date of birth, serial, a Luhn digit and a Verhoeff digit over the first eleven (law of
// 19 June 2013, règlement grand-ducal of 18 June 2014).
func LuxembourgID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 13 || number(d[:4]) < 1880 || number(d[:4]) > 2050 || !day(number(d[6:8]), number(d[4:6])) || !luhn(d[:12]) {
		return Reject
	}
	d[11] = d[12]
	return verdict(verhoeff(d[:12]))
}

// NIF checks a Portuguese tax number: kind of taxpayer and a check digit modulo 11 (Autoridade Tributária e Aduaneira).
func NIF(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 || d[0] == 0 || d[0] == 4 && d[1] != 5 || same(d) || number(d) == 123456789 {
		return Reject
	}
	return verdict((11-weigh(d, 9, 8, 7, 6, 5, 4, 3, 2)%11)%11%10 == int(d[8]))
}

// CIF checks a Spanish company number: the letter of the legal form, and a control digit or letter (Orden EHA/451/2008).
func CIF(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 9 || bytes.IndexByte([]byte("ABCDEFGHJNPQRSUVW"), s[0]) < 0 || !isDigits(s[1:8]) || same(s[1:8]) {
		return Reject
	}
	sum := 0
	for i, c := range s[1:8] {
		sum += digitSum(int(c-'0') * (2 - i%2))
	}
	check := (10 - sum%10) % 10
	letter := bytes.IndexByte([]byte("PQRSNW"), s[0]) >= 0
	return verdict(!letter && s[8] == byte('0'+check) || s[8] == "JABCDEFGHI"[check])
}

// SIREN checks a French company number of nine digits (Luhn) or that of an establishment of fourteen (Luhn over both; INSEE). The establishments of La
// Poste add up to a multiple of five instead.
func SIREN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 && len(d) != 14 || d[0] == 0 && len(d) == 14 || same(d) || !luhn(d[:9]) {
		return Reject
	}
	if len(d) == 9 || luhn(d) {
		return Pass
	}
	sum := 0
	for _, v := range d {
		sum += int(v)
	}
	return verdict(number(d[:9]) == 356000000 && sum%5 == 0)
}

// PartitaIVA checks an Italian VAT number: province of issue and a Luhn digit (decree of 23 December 1976).
func PartitaIVA(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || number(d[:7]) == 0 {
		return Reject
	}
	p := number(d[7:10])
	return verdict((p >= 1 && p <= 100 || p == 120 || p == 121 || p == 888 || p == 999) && luhn(d))
}
