package validate

// PolishNIP checks a Polish tax number: weights 6, 5, 7, 2, 3, 4, 5, 6, 7 modulo 11 (Krajowa Administracja Skarbowa).
func PolishNIP(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 10 && !same(d) && number(d[:3]) >= 101 && weigh(d, 6, 5, 7, 2, 3, 4, 5, 6, 7)%11 == int(d[9]))
}

// BirthNumber checks a Czech or Slovak rodné číslo: date (month + 50 for women, + 20 when a day is used up) and divisibility by 11; the nine digits of
// before 1954 have no check (law 133/2000 of the Czech Republic, law 301/1995 of Slovakia).
func BirthNumber(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 && len(d) != 10 {
		return Reject
	}
	month := number(d[2:4])
	if month > 50 {
		month -= 50
	}
	if month > 20 {
		month -= 20
	}
	if !day(number(d[4:6]), month) || number(d[6:]) == 0 {
		return Reject
	}
	if len(d) == 9 {
		if number(d[:2]) > 53 {
			return Reject
		}
		return Unknown
	}
	return verdict(number(d)%11 == 0 || number(d[:9])%11 == 10 && d[9] == 0)
}

// TAJ checks a Hungarian social security number: weights 3 and 7 modulo 10 (law LXXXIV of 2007).
func TAJ(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 9 && !same(d) && number(d) != 123456788 && weigh(d, 3, 7, 3, 7, 3, 7, 3, 7)%10 == int(d[8]))
}

// HungarianTax checks a Hungarian tax identification sign: 8, a day count, serial and the sum of digits times place modulo 11 (law CL of 2017).
func HungarianTax(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 10 && d[0] == 8 && weigh(d, 1, 2, 3, 4, 5, 6, 7, 8, 9)%11 == int(d[9]))
}

// RomanianCNP checks a Romanian personal number: sex and century, date, county and the check digit modulo 11 (law 105/1996, annex).
func RomanianCNP(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 13 || d[0] == 0 || !ymd(d[1:]) {
		return Reject
	}
	if county := number(d[7:9]); county == 0 || county > 52 && county != 70 && (county < 80 || county > 83) {
		return Reject
	}
	check := weigh(d, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
	if check == 10 {
		check = 1
	}
	return verdict(check == int(d[12]))
}

// EGN checks a Bulgarian civil number: date with its century in the month, and weights modulo 11 (ordinance RD-02-20-9 of 2012).
func EGN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 10 {
		return Reject
	}
	month := shifted(number(d[2:4]))
	return verdict(day(number(d[4:6]), month) && weigh(d, 2, 4, 8, 5, 10, 9, 7, 3, 6)%11%10 == int(d[9]))
}

// OIB checks a Croatian personal number: eleven digits by ISO 7064 mod 11,10 (law on the OIB, 2008).
func OIB(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 11 && !same(d) && number(d) != 12345678901 && hybrid(d))
}

// JMBG checks the personal number that the states of former Yugoslavia share: date of birth, region, serial and a check digit modulo 11 (law of 1976;
// EMŠO in Slovenia, ЕМБГ in North Macedonia).
func JMBG(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 13 || !dmy(d) || d[4] != 9 && d[4] != 0 {
		return Reject
	}
	check := 11 - weigh(d, 7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
	return verdict(check%11 == int(d[12]) && check != 10)
}

// AMKA checks a Greek social security number: date of birth and a Luhn digit (ΗΔΙΚΑ).
func AMKA(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 11 && dmy(d) && luhn(d))
}

// AFM checks a Greek tax number: powers of two modulo 11 (Independent Authority for Public Revenue).
func AFM(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 9 && !same(d) && weigh(d, 256, 128, 64, 32, 16, 8, 4, 2)%11%10 == int(d[8]))
}

// TCKN checks a Turkish identity number: the two digits that law 5490's Genel Müdürlük computes from the first nine.
func TCKN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 11 || d[0] == 0 || same(d) {
		return Reject
	}
	odd, even := weigh(d, 1, 0, 1, 0, 1, 0, 1, 0, 1), weigh(d, 0, 1, 0, 1, 0, 1, 0, 1)
	return verdict((7*odd-even+1000)%10 == int(d[9]) && (odd+even+int(d[9]))%10 == int(d[10]))
}

// RNOKPP checks a Ukrainian taxpayer number: days since 1899, serial and a check digit (State Tax Service).
func RNOKPP(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 10 && !same(d) && d[0] > 0 && (weigh(d, -1, 5, 7, 9, 4, 6, 10, 5, 7)+1100)%11%10 == int(d[9]))
}

// SNILS checks a Russian insurance number: weights 9 to 1 modulo 101 (Pension Fund, order 211p of 2016).
func SNILS(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 11 && number(d[:9]) > 1001998 && !same(d[:9]) && weigh(d, 9, 8, 7, 6, 5, 4, 3, 2, 1)%101%100 == number(d[9:]))
}

// INN checks a Russian taxpayer number: twelve digits for a person, ten for a company (order MMV-7-6/435 of the Federal Tax Service).
func INN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	switch {
	case len(d) != 10 && len(d) != 12 || number(d[:2]) == 0 || same(d):
		return Reject
	case len(d) == 10:
		return verdict(weigh(d, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[9]))
	}
	return verdict(weigh(d, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[10]) && weigh(d, 3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)%11%10 == int(d[11]))
}

// IIN checks a Kazakh individual number: date of birth, sex and century, and a check digit of two rounds (law on national registers of 2007).
func IIN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 12 || !ymd(d) || d[6] == 0 || d[6] > 6 {
		return Reject
	}
	check := weigh(d, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) % 11
	if check == 10 {
		check = weigh(d, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2) % 11
	}
	return verdict(check == int(d[11]))
}
