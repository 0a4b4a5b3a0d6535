package validate

import "bytes"

const base36 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// GSTIN checks an Indian goods and services tax number: state, the permanent account number of the holder, and the mod 36 check character (Goods and
// Services Tax Network).
func GSTIN(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 15 || !isDigits(s[:2]) || two(s) == 0 || two(s) > 38 && two(s) < 97 || s[13] != 'Z' || s[12] == '0' || PAN(s[2:12]) == Reject {
		return Reject
	}
	sum := 0
	for i, c := range s[:14] {
		v := bytes.IndexByte([]byte(base36), c) * (1 + i%2)
		sum += v/36 + v%36
	}
	return verdict(base36[(36-sum%36)%36] == s[14])
}

// CNIC checks the form of a Pakistani identity number: province and sex. How its last digits are made is not published (NADRA).
func CNIC(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 13 && d[0] >= 1 && d[0] <= 8 && d[1] > 0 && !same(d) && !same(d[5:12]) && number(d[5:12]) != 1234567)
}

// LankaNIC checks a Sri Lankan identity number, the old form with its letter or the new one of twelve digits: the day of the year, with 500 added for
// women (Department for Registration of Persons).
func LankaNIC(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	var at int
	switch {
	case len(s) == 10 && isDigits(s[:9]) && (s[9] == 'V' || s[9] == 'X'):
		at = 2
	case len(s) == 12 && isDigits(s) && (two(s) == 19 || two(s) == 20 && s[2] <= '3'):
		at = 4
	default:
		return Reject
	}
	n := int(s[at]-'0')*100 + two(s[at+1:])
	if n > 500 {
		n -= 500
	}
	return verdict(n >= 1 && n <= 366)
}

// IsraelID checks an Israeli identity number: nine digits with a Luhn digit (Population and Immigration Authority).
func IsraelID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 9 && !same(d) && number(d) > 1000 && number(d) != 123456782 && luhn(d))
}

// EmiratesID checks an identity number of the United Arab Emirates: 784, year of birth and a Luhn digit (ICP).
func EmiratesID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 15 && number(d[:3]) == 784 && number(d[3:7]) >= firstYear && number(d[3:7]) <= lastYear && luhn(d))
}

// SaudiID checks a Saudi identity or residence number: 1 or 2 and a Luhn digit (Absher).
func SaudiID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 10 && (d[0] == 1 || d[0] == 2) && !same(d[1:]) && luhn(d))
}

// SouthAfricaID checks a South African identity number: date of birth, citizenship and a Luhn digit (Department of Home Affairs).
func SouthAfricaID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 13 && ymd(d) && d[10] <= 2 && luhn(d))
}

// ABN checks an Australian business number: modulo 89 with one taken from the first digit (Australian Business Register).
func ABN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 11 && d[0] > 0 && (weigh(d, 10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)-10)%89 == 0)
}

// Medicare checks an Australian Medicare card number: first digit 2 to 6, weights 1, 3, 7, 9 modulo 10, and an issue number (Services Australia).
func Medicare(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) < 10 || len(d) > 11 || d[0] < 2 || d[0] > 6 || same(d[:8]) || d[9] == 0 {
		return Reject
	}
	return verdict(weigh(d, 1, 3, 7, 9, 1, 3, 7, 9)%10 == int(d[8]))
}

// HealthcareIdentifier checks an Australian healthcare identifier: 80036 and kind, sixteen digits with a Luhn digit (Healthcare Identifiers Service).
func HealthcareIdentifier(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 16 && number(d[:5]) == 80036 && d[5] <= 2 && luhn(d))
}

// IRD checks a New Zealand tax number: issued range and a check digit of two rounds (Inland Revenue, resident withholding tax specification).
func IRD(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) < 8 || len(d) > 9 || number(d) < 10_000_000 || number(d) > 150_000_000 || same(d) || number(d) == 123456789 {
		return Reject
	}
	var p [9]byte
	copy(p[9-len(d):], d)
	check := (11 - weigh(p[:], 3, 2, 7, 6, 5, 4, 3, 2)%11) % 11
	if check == 10 {
		check = (11 - weigh(p[:], 7, 4, 3, 2, 5, 2, 7, 6)%11) % 11
	}
	return verdict(check == int(p[8]))
}

// NHI checks a New Zealand health index number: an alphabet without I and O, and a check digit modulo 11 or, on the form used since 2026, a check letter
// modulo 24 (HISO 10046).
func NHI(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 7 || !isUpper(s[:3]) || !isDigits(s[3:5]) {
		return Reject
	}
	sum := 0
	for i, c := range s[:6] {
		v := bytes.IndexByte([]byte("0123456789"), c)
		if v < 0 {
			if v = bytes.IndexByte([]byte("ABCDEFGHJKLMNPQRSTUVWXYZ"), c) + 1; v == 0 {
				return Reject
			}
		}
		sum += v * (7 - i)
	}
	switch {
	case isDigits(s[5:]):
		return verdict(sum%11 != 0 && (11-sum%11)%10 == int(s[6]-'0'))
	case isUpper(s[5:]):
		return verdict("ABCDEFGHJKLMNPQRSTUVWXYZ"[23-sum%24] == s[6])
	}
	return Reject
}
