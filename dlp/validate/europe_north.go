package validate

import "bytes"

// HETU checks a Finnish personal identity code: date of birth, sign of the century, individual number and the check character modulo 31
// (Digital and Population Data Services Agency). 900 to 999 are for tests.
func HETU(b []byte) Verdict {
	if len(b) != 11 || !isDigits(b[:6]) || !isDigits(b[7:10]) || bytes.IndexByte([]byte("+-UVWXYABCDEF"), b[6]) < 0 {
		return Reject
	}
	n := two(b[8:]) + 100*int(b[7]-'0')
	if !day(two(b), two(b[2:])) || n < 2 || n > 899 {
		return Reject
	}
	whole := 0
	for i, c := range b[:10] {
		if i != 6 {
			whole = whole*10 + int(c-'0')
		}
	}
	return verdict("0123456789ABCDEFHJKLMNPRSTUVWXY"[whole%31] == b[10])
}

// CPR checks a Danish personal number: a date of birth. The check modulo 11 is not kept by numbers given since 2007, so its failure is Unknown
// (Det Centrale Personregister).
func CPR(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 || !dmy(d) || number(d[6:]) == 0 {
		return Reject
	}
	if weigh(d, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0 {
		return Pass
	}
	return Unknown
}

// Fodselsnummer checks a Norwegian birth number or D-number: date and two check digits (Folkeregisterforskriften §2-2-2 and §2-2-3).
func Fodselsnummer(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 {
		return Reject
	}
	dd, mm := number(d[:2]), number(d[2:4])
	if dd > 40 {
		dd -= 40 // D-number
	}
	if mm > 40 {
		mm -= 40 // Given by a hospital.
	}
	if !day(dd, mm) {
		return Reject
	}
	return verdict(weigh(d, 3, 7, 6, 1, 8, 9, 4, 5, 2, 1)%11 == 0 && weigh(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0)
}

// Kennitala checks an Icelandic identity number: date (day + 40 for companies), check digit and century (Þjóðskrá).
func Kennitala(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 || d[9] != 0 && d[9] != 9 {
		return Reject
	}
	dd := number(d[:2])
	if dd > 40 {
		dd -= 40
	}
	return verdict(day(dd, number(d[2:4])) && weigh(d, 3, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0)
}

// Isikukood checks a personal code of Estonia or Lithuania, which share one scheme: sex and century, date, serial and a check digit of two rounds
// (Estonian standard EVS 585).
func Isikukood(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || d[0] == 0 || d[0] > 8 || !ymd(d[1:]) {
		return Reject
	}
	check := weigh(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
	if check == 10 {
		check = weigh(d, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11 % 10
	}
	return verdict(check == int(d[10]))
}

// PersonasKods checks a Latvian personal code: a date, the century and a check digit; codes from 2017 start with 32 and have neither, so they are
// Unknown (Pilsonības un migrācijas lietu pārvalde).
func PersonasKods(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || same(d) {
		return Reject
	}
	if d[0] == 3 && d[1] > 1 {
		return Unknown
	}
	return verdict(dmy(d) && d[6] <= 2 && (1+weigh(d, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9))%11%10 == int(d[10]))
}

// UTR checks a UK unique taxpayer reference: its first digit is the check of the other nine, modulo 11 (HM Revenue and Customs).
func UTR(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 || same(d) || number(d) == 1234567890 {
		return Reject
	}
	return verdict("21987654321"[weigh(d[1:], 6, 7, 8, 9, 10, 5, 4, 3, 2)%11]-'0' == d[0])
}

// PPS checks an Irish personal public service number: seven digits, a check letter modulo 23, and, on newer ones, a letter that counts nine times
// (Department of Social Protection).
func PPS(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) < 8 || len(s) > 9 || !isDigits(s[:7]) || s[7] < 'A' || s[7] > 'W' || same(s[:7]) {
		return Reject
	}
	sum := 0
	for i, c := range s[:7] {
		sum += int(c-'0') * (8 - i)
	}
	if len(s) == 9 {
		switch c := s[8]; {
		case c == 'A' || c == 'B' || c == 'H':
			sum += 9 * int(c-'A'+1)
		case c != 'W' && c != 'T' && c != 'X':
			return Reject
		}
	}
	return verdict("WABCDEFGHIJKLMNOPQRSTUV"[sum%23] == s[7])
}

// DrivingLicenceUK checks the form of a driver number of Great Britain: five characters of the name, date of birth between its decade and its year
// with 5 added to the month's first digit for women, initials, two check characters (Driver and Vehicle Licensing Agency). How the check characters are
// made is not published.
func DrivingLicenceUK(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 16 || !isDigits(s[5:11]) || s[0] < 'A' {
		return Reject
	}
	nines := false
	for _, c := range s[:5] {
		if c <= '9' && c != '9' || nines && c != '9' {
			return Reject // Nines fill a short name at its end.
		}
		nines = c == '9'
	}
	month := two(s[6:])
	if month > 50 {
		month -= 50
	}
	if !day(two(s[8:]), month) || s[11] < 'A' || s[12] < 'A' && s[12] != '9' || !isUpper(s[14:]) {
		return Reject
	}
	return Pass
}
