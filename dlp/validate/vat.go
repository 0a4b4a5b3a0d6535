package validate

import "bytes"

// VAT checks a value added tax number of a member of the European Union, Northern Ireland (XI) or Great Britain, with its country: the form of the VIES
// system of the Commission and, where the member publishes one, its check digits.
func VAT(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) < 10 || len(s) > 14 || !isUpper(s[:2]) {
		return Reject
	}
	n := s[2:]
	var values [40]byte
	d := digits(n, &values)
	whole := len(d) == len(n)
	if whole && same(d) {
		return Reject
	}
	switch string(s[:2]) {
	case "AT":
		return verdict(n[0] == 'U' && len(n) == 9 && len(d) == 8 && (10-(digitSum(int(d[0]))+digitSum(2*int(d[1]))+int(d[2])+digitSum(2*int(d[3]))+int(d[4])+
			digitSum(2*int(d[5]))+int(d[6])+4)%10)%10 == int(d[7]))
	case "BE":
		return verdict(whole && len(d) == 10 && d[0] <= 1 && 97-number(d[:8])%97 == number(d[8:]))
	case "BG":
		return verdict(whole && (len(d) == 9 || len(d) == 10 && EGN(n) == Pass) && (len(d) == 10 || bulstat(d)))
	case "CY":
		return verdict(len(n) == 9 && len(d) == 8 && n[8] >= 'A' && cyprus(d) == n[8])
	case "CZ", "SK":
		switch {
		case !whole:
		case s[0] == 'S':
			return verdict(len(d) == 10 && d[0] > 0 && d[2] > 1 && d[2] != 5 && d[2] != 6 && number(d)%11 == 0)
		case len(d) == 8:
			return verdict(d[0] < 9 && max(1, (11-weigh(d, 8, 7, 6, 5, 4, 3, 2)%11)%11)%10 == int(d[7]))
		default:
			return BirthNumber(n)
		}
	case "DE":
		return verdict(whole && len(d) == 9 && d[0] > 0 && number(d) != 123456789 && hybrid(d))
	case "HR":
		return verdict(whole && OIB(n) == Pass)
	case "DK":
		return verdict(whole && len(d) == 8 && d[0] > 0 && weigh(d, 2, 7, 6, 5, 4, 3, 2, 1)%11 == 0)
	case "EE":
		return verdict(whole && len(d) == 9 && weigh(d, 3, 7, 1, 3, 7, 1, 3, 7, 1)%10 == 0)
	case "EL":
		return verdict(whole && AFM(n) == Pass)
	case "ES":
		return verdict(CIF(n) == Pass || DNI(n) == Pass)
	case "FI":
		return verdict(whole && len(d) == 8 && weigh(d, 7, 9, 10, 5, 8, 4, 2, 1)%11 == 0)
	case "FR":
		if len(n) != 11 || !isDigits(n[2:]) || !luhn(d[len(d)-9:]) {
			return Reject
		}
		if !whole {
			return Unknown // The key of letters has another scheme.
		}
		return verdict((12+3*(number(d[2:])%97))%97 == number(d[:2]))
	case "GB", "XI":
		return british(d, whole)
	case "HU":
		return verdict(whole && len(d) == 8 && weigh(d, 9, 7, 3, 1, 9, 7, 3, 1)%10 == 0)
	case "IE":
		return PPS(n)
	case "IT":
		return verdict(whole && PartitaIVA(n) == Pass)
	case "LT":
		return verdict(whole && lithuania(d))
	case "LU":
		return verdict(whole && len(d) == 8 && number(d[:6])%89 == number(d[6:]))
	case "LV":
		return verdict(whole && len(d) == 11 && (d[0] < 4 && PersonasKods(n) != Reject || d[0] > 3 && weigh(d, 9, 1, 4, 8, 3, 10, 2, 5, 7, 6, 1)%11 == 3))
	case "MT":
		return verdict(whole && len(d) == 8 && d[0] > 0 && weigh(d, 3, 4, 6, 7, 8, 9, 10, 1)%37 == 0)
	case "NL":
		return dutch(s, d)
	case "PL":
		return verdict(whole && PolishNIP(n) == Pass)
	case "PT":
		return verdict(whole && NIF(n) == Pass)
	case "RO":
		if !whole || len(d) > 10 {
			return Reject
		}
		var p [10]byte
		copy(p[10-len(d):], d)
		return verdict(10*weigh(p[:], 7, 5, 3, 2, 1, 7, 5, 3, 2)%11%10 == int(p[9]))
	case "SE":
		return verdict(whole && len(d) == 12 && luhn(d[:10]) && number(d[10:]) > 0 && number(d[10:]) < 95)
	case "SI":
		return verdict(whole && len(d) == 8 && d[0] > 0 && (11-weigh(d, 8, 7, 6, 5, 4, 3, 2)%11)%10 == int(d[7]) && weigh(d, 8, 7, 6, 5, 4, 3, 2)%11 > 0)
	}
	return Reject
}

func bulstat(d []byte) bool {
	check := weigh(d, 1, 2, 3, 4, 5, 6, 7, 8) % 11
	if check == 10 {
		check = weigh(d, 3, 4, 5, 6, 7, 8, 9, 10) % 11 % 10
	}
	return check == int(d[8])
}

func cyprus(d []byte) byte {
	sum := int(d[1]) + int(d[3]) + int(d[5]) + int(d[7])
	for i := 0; i < 8; i += 2 {
		sum += [10]int{1, 0, 5, 7, 9, 13, 15, 17, 19, 21}[d[i]]
	}
	return byte('A' + sum%26)
}

// british checks nine digits modulo 97 as before 2010 or with 55 more as after; twelve name a branch.
func british(d []byte, whole bool) Verdict {
	if !whole || len(d) != 9 && len(d) != 12 {
		return Reject
	}
	rest := (weigh(d, 8, 7, 6, 5, 4, 3, 2) + number(d[7:9])) % 97
	return verdict(rest == 0 || rest == 42)
}

func lithuania(d []byte) bool {
	switch {
	case len(d) == 9 && d[7] == 1:
		check := weigh(d, 1, 2, 3, 4, 5, 6, 7, 8) % 11
		if check == 10 {
			check = weigh(d, 3, 4, 5, 6, 7, 8, 9, 1) % 11 % 10
		}
		return check == int(d[8])
	case len(d) == 12 && d[10] == 1:
		check := weigh(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2) % 11
		if check == 10 {
			check = weigh(d, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4) % 11 % 10
		}
		return check == int(d[11])
	}
	return false
}

// dutch checks NL, nine digits, B and two more: the eleven test of companies, or mod 97 over the whole for persons since 2020.
func dutch(s, d []byte) Verdict {
	if len(s) != 14 || s[11] != 'B' || len(d) != 11 || number(d[9:]) == 0 || bytes.Count(s[2:11], []byte("0")) > 7 {
		return Reject
	}
	return verdict(weigh(d, 9, 8, 7, 6, 5, 4, 3, 2)%11 == int(d[8]) || mod97(s) == 1)
}
