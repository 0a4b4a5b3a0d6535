package validate

import "bytes"

// NINO checks a UK national insurance number: prefix letters that HM Revenue and Customs allocates, six digits, suffix A to D.
func NINO(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 9 || !isUpper(s[:2]) || !isDigits(s[2:8]) || s[8] < 'A' || s[8] > 'D' {
		return Reject
	}
	if bytes.IndexByte([]byte("DFIQUV"), s[0]) >= 0 || bytes.IndexByte([]byte("DFIOQUV"), s[1]) >= 0 {
		return Reject
	}
	switch string(s[:2]) {
	case "BG", "GB", "KN", "NK", "NT", "TN", "ZZ":
		return Reject
	}
	// QQ 12 34 56 and AB 12 34 56 are the authority's printed samples.
	return verdict(!same(s[2:8]) && !bytes.Equal(s[2:8], []byte("123456")))
}

// NHS checks a number of the UK National Health Service: mod 11 with weights 10 to 2.
func NHS(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 || same(d) || d[0] == 0 {
		return Reject
	}
	sum := 0
	for i, v := range d[:9] {
		sum += int(v) * (10 - i)
	}
	return verdict((11-sum%11)%11 == int(d[9]))
}

// DNI checks the control letter of a Spanish DNI or NIE.
func DNI(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 9 {
		return Reject
	}
	n := 0
	switch s[0] {
	case 'X', 'Y', 'Z':
		n = int(s[0] - 'X')
	default:
		if s[0] < '0' || s[0] > '9' {
			return Reject
		}
		n = int(s[0] - '0')
	}
	if !isDigits(s[1:8]) || same(s[1:8]) {
		return Reject
	}
	for _, c := range s[1:8] {
		n = n*10 + int(c-'0')
	}
	return verdict(n != 12345678 && "TRWAGMYFPDXBNJZSQVHLCKE"[n%23] == s[8])
}

// GermanTaxID checks an Identifikationsnummer (§139b AO): one digit of the first ten occurs twice or three times, ISO 7064 mod 11,10.
func GermanTaxID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || d[0] == 0 {
		return Reject
	}
	var seen [10]int
	for _, v := range d[:10] {
		seen[v]++
	}
	repeated := 0
	for _, n := range seen {
		if n > 3 {
			return Reject
		}
		if n > 1 {
			repeated++
		}
	}
	if repeated != 1 {
		return Reject
	}
	return verdict(hybrid(d))
}

// NIR checks a French social security number: sex, month, department, and the key 97 minus the number modulo 97.
func NIR(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 15 || s[0] != '1' && s[0] != '2' {
		return Reject
	}
	n, corsica := int64(0), int64(0)
	for i, c := range s[:13] {
		if i == 6 && c != '0' && s[5] == '2' && (c == 'A' || c == 'B') {
			// Corsican departments count as 19 (2A) and 18 (2B).
			n, corsica = n-1, 1
			c = '9' - (c - 'A')
		}
		if c < '0' || c > '9' {
			return Reject
		}
		n = n*10 + int64(c-'0')
	}
	month := int(s[3]-'0')*10 + int(s[4]-'0')
	if !isDigits(s[13:]) || month == 0 || month > 12 && month < 20 || corsica == 0 && s[5] == '0' && s[6] == '0' {
		return Reject
	}
	return verdict(97-n%97 == int64(s[13]-'0')*10+int64(s[14]-'0'))
}

var codiceOdd = [36]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23}

// CodiceFiscale checks an Italian tax code: month letter, day and the control letter (decree of 23 December 1976).
func CodiceFiscale(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 16 || !isUpper(s[:6]) || !isDigits(s[6:8]) || bytes.IndexByte([]byte("ABCDEHLMPRST"), s[8]) < 0 || !isDigits(s[9:11]) {
		return Reject
	}
	if day := int(s[9]-'0')*10 + int(s[10]-'0'); day == 0 || day > 31 && day < 41 || day > 71 {
		return Reject
	}
	sum := 0
	for i, c := range s[:15] {
		v := int(c - '0')
		if c >= 'A' {
			v = int(c-'A') + 10
		}
		switch {
		case i%2 == 0:
			sum += codiceOdd[v]
		case v >= 10:
			sum += v - 10
		default:
			sum += v
		}
	}
	return verdict(byte('A'+sum%26) == s[15])
}

// BSN checks a Dutch citizen service number: the "eleven test" with weights 9 to 2 and -1.
func BSN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 || same(d) || number(d) < 10_000_000 {
		return Reject
	}
	sum := -int(d[8])
	for i, v := range d[:8] {
		sum += int(v) * (9 - i)
	}
	return verdict(sum%11 == 0 && number(d) != 123456782)
}

// PESEL checks a Polish number: the date of birth with its century in the month, and weights 1, 3, 7, 9.
func PESEL(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || same(d) {
		return Reject
	}
	month, day := number(d[2:4])%20, number(d[4:6])
	if month < 1 || month > 12 || day < 1 || day > 31 {
		return Reject
	}
	sum := 0
	for i, v := range d[:10] {
		sum += int(v) * int([4]byte{1, 3, 7, 9}[i%4])
	}
	return verdict((10-sum%10)%10 == int(d[10]))
}

// Personnummer checks a Swedish personal number: a date of birth (day + 60 for coordination numbers) and Luhn over the last ten digits.
func Personnummer(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) == 12 {
		if c := number(d[:2]); c != 19 && c != 20 && c != 18 {
			return Reject
		}
		d = d[2:]
	}
	if len(d) != 10 {
		return Reject
	}
	month, day := number(d[2:4]), number(d[4:6])
	if day > 60 {
		day -= 60
	}
	return verdict(month >= 1 && month <= 12 && day >= 1 && day <= 31 && luhn(d))
}
