package validate

import "bytes"

// curpValue is the place of a character in the alphabet of the CURP, which has Ñ between N and O.
func curpValue(c byte) int {
	switch {
	case c <= '9':
		return int(c - '0')
	case c <= 'N':
		return int(c-'A') + 10
	}
	return int(c-'A') + 11
}

// CURP checks a Mexican population registry code: date of birth, sex, state and the check digit (Instructivo normativo para la asignación de la
// CURP, Diario Oficial de la Federación of 18 October 2021).
func CURP(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 18 || !isUpper(s[:4]) || !isDigits(s[4:10]) || s[10] != 'H' && s[10] != 'M' && s[10] != 'X' || !isUpper(s[11:16]) || !isDigits(s[17:]) {
		return Reject
	}
	if !day(two(s[8:]), two(s[6:])) || !pairIn(s[11:13], "ASBCBSCCCLCMCSCHDFDGGTGRHGJCMCMNMSNTNLOCPLQTQRSPSLSRTCTSTLVZYNZSNE") {
		return Reject
	}
	sum := 0
	for i, c := range s[:17] {
		sum += curpValue(c) * (18 - i)
	}
	return verdict((10-sum%10)%10 == int(s[17]-'0'))
}

// two reads two ASCII digits.
func two(s []byte) int { return int(s[0]-'0')*10 + int(s[1]-'0') }

// pairIn reports whether two characters are one of the pairs in list.
func pairIn(s []byte, list string) bool {
	for i := 0; i+1 < len(list); i += 2 {
		if s[0] == list[i] && s[1] == list[i+1] {
			return true
		}
	}
	return false
}

// RFC checks a Mexican taxpayer number of a person (13 characters): a date and the check character of the Servicio de Administración Tributaria.
// Numbers with another check character were issued, so they are Unknown.
func RFC(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 13 || !isUpper(s[:4]) || !isDigits(s[4:10]) || !day(two(s[8:]), two(s[6:])) || s[12] > '9' && s[12] != 'A' {
		return Reject
	}
	sum := 0
	for i, c := range s[:12] {
		sum += curpValue(c) * (13 - i)
	}
	if check := (11 - sum%11) % 11; check < 10 && s[12] == byte('0'+check) || check == 10 && s[12] == 'A' {
		return Pass
	}
	return Unknown
}

// CUIT checks an Argentine tax or labour number (CUIT, CUIL): prefix and check digit of the Administración Federal de Ingresos Públicos.
func CUIT(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || same(d[2:]) {
		return Reject
	}
	switch number(d[:2]) {
	case 20, 23, 24, 25, 26, 27, 30, 33, 34, 50, 51, 55:
	default:
		return Reject
	}
	check := 11 - weigh(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
	return verdict(check%11 == int(d[10]) || check == 10 && d[10] == 9)
}

// RUT checks a Chilean tax number: modulo 11 with weights 2 to 7 from the right, K for ten (Servicio de Impuestos Internos).
func RUT(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) < 8 || len(s) > 9 || !isDigits(s[:len(s)-1]) || same(s[:len(s)-1]) {
		return Reject
	}
	sum, w := 0, 2
	for i := len(s) - 2; i >= 0; i-- {
		sum += int(s[i]-'0') * w
		if w++; w > 7 {
			w = 2
		}
	}
	return verdict("0K987654321"[sum%11] == s[len(s)-1])
}

// NIT checks a Colombian tax number with its check digit: prime weights modulo 11 (Dirección de Impuestos y Aduanas Nacionales).
func NIT(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) < 9 || len(d) > 11 || same(d) {
		return Reject
	}
	sum := 0
	for i, w := range [10]int{3, 7, 13, 17, 19, 23, 29, 37, 41, 43} {
		if at := len(d) - 2 - i; at >= 0 {
			sum += int(d[at]) * w
		}
	}
	return verdict("01987654321"[sum%11]-'0' == d[len(d)-1])
}

// RUC checks a Peruvian taxpayer number: kind of taxpayer and check digit (Superintendencia Nacional de Aduanas y de Administración Tributaria).
func RUC(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || same(d[2:]) {
		return Reject
	}
	switch number(d[:2]) {
	case 10, 15, 16, 17, 20:
	default:
		return Reject
	}
	return verdict((11-weigh(d, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11)%10 == int(d[10]))
}

// Cedula checks an Ecuadorian identity number: province, kind of person and Luhn digit (Registro Civil del Ecuador).
func Cedula(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 || d[2] > 5 || same(d) {
		return Reject
	}
	p := number(d[:2])
	return verdict((p >= 1 && p <= 24 || p == 30) && luhn(d))
}

// UruguayID checks a Uruguayan identity number: weights 2, 9, 8, 7, 6, 3, 4 modulo 10 (Dirección Nacional de Identificación Civil).
func UruguayID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 8 && d[0] > 0 && !same(d) && (10-weigh(d, 2, 9, 8, 7, 6, 3, 4)%10)%10 == int(d[7]))
}

// DominicanID checks an identity number of the Dominican Republic: eleven digits with a Luhn digit (Junta Central Electoral).
func DominicanID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 11 && !same(d) && number(d[3:]) > 0 && luhn(d))
}

// EIN checks the prefix of a US employer number: those that the Internal Revenue Service assigns. There is no check digit.
func EIN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 || same(d[2:]) || number(d[2:]) == 1234567 || number(d) == 123456789 {
		return Reject
	}
	switch number(d[:2]) {
	case 0, 7, 8, 9, 17, 18, 19, 28, 29, 49, 69, 70, 78, 79, 89, 96, 97:
		return Reject
	}
	return Pass
}

// VIN checks a vehicle identification number: the alphabet and the check digit of 49 CFR 565. Vehicles made outside North America need none, so
// another digit is Unknown.
func VIN(b []byte) Verdict {
	if len(b) != 17 || same(b) {
		return Reject
	}
	sum, letters := 0, 0
	for i, c := range b {
		v := int(c - '0')
		if c >= 'A' && c <= 'Z' && bytes.IndexByte([]byte("IOQ"), c) < 0 {
			v = int("12345678012345070923456789"[c-'A'] - '0')
			letters++
		} else if c < '0' || c > '9' {
			return Reject
		}
		sum += v * [17]int{8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2}[i]
	}
	if letters == 0 || !isDigits(b[13:]) {
		return Reject
	}
	if "0123456789X"[sum%11] == b[8] {
		return Pass
	}
	return Unknown
}
