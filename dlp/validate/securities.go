package validate

import "bytes"

// letters counts A as 10 to Z as 35, digits as themselves, and any other character as 100.
func letters(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	}
	return 100
}

// ISIN checks an international securities number: country of the numbering agency, and Luhn over letters as two digits (ISO 6166).
func ISIN(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 12 || !isUpper(s[:2]) || !isDigits(s[11:]) || same(s[2:11]) {
		return Reject
	}
	if IBANLength(s[0], s[1]) == 0 && !pairIn(s, "USCAJPCNINAUNZSGHKKRZAMXTHTWIDMYPHVNNGKEARCLCOPEXSEUBMKYVGJEGGIMPABSPRUYMAZZTZZM") {
		return Reject
	}
	// From the right, every second digit counts twice; a letter is two digits.
	sum, double := 0, true
	for i := 10; i >= 0; i-- {
		v := letters(s[i])
		for first := true; first || v > 0; first = false {
			digit := v % 10
			if v = v / 10; double {
				digit *= 2
			}
			sum += digit/10 + digit%10
			double = !double
		}
	}
	return verdict((10-sum%10)%10 == int(s[11]-'0'))
}

// CUSIP checks a North American securities number: digit sums of values, doubled in every second place (ANSI X9.6).
func CUSIP(b []byte) Verdict {
	if len(b) != 9 || !isDigits(b[8:]) || same(b[:8]) || isUpper(b[:6]) {
		return Reject
	}
	sum := 0
	for i, c := range b[:8] {
		v := letters(c)
		if v == 100 {
			return Reject
		}
		sum += digitSum(v * (1 + i%2))
	}
	return verdict((10-sum%10)%10 == int(b[8]-'0'))
}

// SEDOL checks a London securities number: no vowels, weights 1, 3, 1, 7, 3, 9 (London Stock Exchange, SEDOL Masterfile).
func SEDOL(b []byte) Verdict {
	if len(b) != 7 || !isDigits(b[6:]) || same(b) {
		return Reject
	}
	sum := 0
	for i, c := range b {
		v := letters(c)
		if v == 100 || bytes.IndexByte([]byte("AEIOU"), c) >= 0 {
			return Reject
		}
		sum += v * [7]int{1, 3, 1, 7, 3, 9, 1}[i]
	}
	return verdict(sum%10 == 0)
}

// LEI checks a legal entity identifier: twenty characters by ISO 7064 mod 97-10 (ISO 17442).
func LEI(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	return verdict(len(s) == 20 && len(s) == len(b) && isDigits(s[18:]) && !same(s[4:18]) && mod97(s) == 1)
}

// CLABE checks a Mexican bank account: eighteen digits, weights 3, 7, 1 modulo 10 (Asociación de Bancos de México).
func CLABE(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 18 || number(d[:3]) < 2 || same(d[3:]) {
		return Reject
	}
	sum := 0
	for i, v := range d[:17] {
		sum += int(v) * [3]int{3, 7, 1}[i%3] % 10
	}
	return verdict((10-sum%10)%10 == int(d[17]))
}

// CBU checks an Argentine bank account: 22 digits in two blocks, each with weights 3, 1, 7, 9 from the right (Banco Central, communication A 2622).
func CBU(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 22 || same(d[8:]) {
		return Reject
	}
	return verdict((10-weigh(d, 7, 1, 3, 9, 7, 1, 3)%10)%10 == int(d[7]) && (10-weigh(d[8:], 3, 9, 7, 1, 3, 9, 7, 1, 3, 9, 7, 1, 3)%10)%10 == int(d[21]))
}

// IFSC checks the form of an Indian branch code: the bank's four letters, a zero, six characters (Reserve Bank of India).
func IFSC(b []byte) Verdict {
	return verdict(len(b) == 11 && isUpper(b[:4]) && b[4] == '0' && !same(b[5:]))
}

// SortCode checks a UK sort code: what a date cannot be is surer, so that is all that is refused (Pay.UK).
func SortCode(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 6 || same(d) || number(d[:2]) == 0 {
		return Reject
	}
	return Unknown
}

// BSB checks an Australian branch number: a bank that takes part and a state from 0 to 9 (AusPayNet).
func BSB(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 6 && number(d[:2]) > 0 && !same(d))
}

// Transit checks a Canadian transit number with its institution: the numbers of Payments Canada's members start with 0, 2, 3, 5, 6 or 8.
func Transit(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) == 9 && d[0] == 0 {
		// The electronic form has the institution first.
		return verdict(d[1] < 9 && number(d[1:4]) > 0 && !same(d[4:]))
	}
	return verdict(len(d) == 8 && number(d[5:]) > 0 && number(d[5:]) < 900 && !same(d[:5]))
}

// Track checks the account number at the start of a magnetic stripe: what stands before the first separator (ISO/IEC 7813).
func Track(b []byte) Verdict {
	for len(b) > 0 && (b[0] < '0' || b[0] > '9') {
		b = b[1:]
	}
	n := 0
	for n < len(b) && (b[n] >= '0' && b[n] <= '9' || b[n] == ' ') {
		n++
	}
	return Card(b[:n])
}
