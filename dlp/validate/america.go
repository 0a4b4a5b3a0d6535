package validate

// SSN checks a US social security number: area, group and serial as the Social Security Administration issues them, without the specimens that
// were printed in advertisements and leaflets.
func SSN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 || same(d) {
		return Reject
	}
	area, group, serial := number(d[:3]), number(d[3:5]), number(d[5:])
	if area == 0 || area == 666 || area >= 900 || group == 0 || serial == 0 {
		return Reject
	}
	switch number(d) {
	case 78051120, 219099999, 457555462, 123456789, 987654321, 111223333, 123121234:
		return Reject
	}
	return Pass
}

// ITIN checks a US individual taxpayer number: area 9xx and a fourth and fifth digit in the ranges of the Internal Revenue Service.
func ITIN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 || d[0] != 9 {
		return Reject
	}
	g := number(d[3:5])
	return verdict(g >= 50 && g <= 65 || g >= 70 && g <= 88 || g >= 90 && g <= 92 || g >= 94)
}

// SIN checks a Canadian social insurance number: Luhn, and a first digit that is issued.
func SIN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 9 && d[0] != 0 && d[0] != 8 && !same(d) && luhn(d))
}

// CPF checks both check digits of a Brazilian natural person's number.
func CPF(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || same(d) {
		return Reject
	}
	return verdict(mod11(d[:9], 10) == d[9] && mod11(d[:10], 11) == d[10])
}

// CNPJ checks both check digits of a Brazilian company's number. Since July 2026 the first twelve characters may be letters too, which count as
// their ASCII code less 48 (Instrução Normativa RFB 2.229 of 2024).
func CNPJ(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 14 || same(s) || !isDigits(s[12:]) {
		return Reject
	}
	var d [14]byte
	for i, c := range s {
		d[i] = c - '0'
	}
	return verdict(mod11(d[:12], 5) == d[12] && mod11(d[:13], 6) == d[13])
}

// mod11 is the Brazilian check digit: weights fall from first to 2 and start again at 9.
func mod11(d []byte, first int) byte {
	sum, w := 0, first
	for _, v := range d {
		sum += int(v) * w
		if w--; w < 2 {
			w = 9
		}
	}
	if r := sum % 11; r >= 2 {
		return byte(11 - r)
	}
	return 0
}

// NPI checks a US national provider identifier: Luhn over 80840 and the ten digits, of which the first is 1 or 2.
func NPI(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	// 24 is what the prefix 80840 adds to the sum at its fixed places.
	return verdict(len(d) == 10 && (d[0] == 1 || d[0] == 2) && (luhnSum(d)+24)%10 == 0)
}

// DEA checks a registration number of the US Drug Enforcement Administration: two letters, six digits and a check digit.
func DEA(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 9 || s[0] < 'A' || s[0] > 'Z' || !isDigits(s[2:]) || s[1] != '9' && (s[1] < 'A' || s[1] > 'Z') {
		return Reject
	}
	switch s[0] {
	case 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'J', 'K', 'L', 'M', 'P', 'R', 'S', 'T', 'U', 'X':
	default:
		return Reject
	}
	v := func(i int) int { return int(s[i] - '0') }
	return verdict(!same(s[2:]) && (v(2)+v(4)+v(6)+2*(v(3)+v(5)+v(7)))%10 == v(8))
}

// NANP checks a North American telephone number: area code and exchange start with 2 to 9, and neither is 555, which directories keep for
// enquiries and fiction.
func NANP(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) == 11 && d[0] == 1 {
		d = d[1:]
	}
	if len(d) != 10 || d[0] < 2 || d[3] < 2 || d[1] == 9 || same(d) {
		return Reject
	}
	area, exchange := number(d[:3]), number(d[3:6])
	return verdict(area != 555 && exchange != 555 && area%100 != 11 && exchange%100 != 11)
}
