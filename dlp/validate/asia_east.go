package validate

import "bytes"

// ResidentID checks a Chinese resident identity number: province, date of birth and the check character of ISO 7064 mod 11-2 (GB 11643-1999).
func ResidentID(b []byte) Verdict {
	if len(b) != 18 || !isDigits(b[:17]) {
		return Reject
	}
	year := two(b[6:])*100 + two(b[8:])
	if year < 1900 || year > 2050 || !day(two(b[12:]), two(b[10:])) {
		return Reject
	}
	switch two(b) {
	case 11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50, 51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83:
	default:
		return Reject
	}
	sum := 0
	for i, w := range [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2} {
		sum += int(b[i]-'0') * w
	}
	c := b[17]
	if c == 'x' {
		c = 'X'
	}
	return verdict("10X98765432"[sum%11] == c)
}

// HKID checks a Hong Kong identity card number: one or two letters, six digits and a check character modulo 11, A standing for ten
// (Immigration Department).
func HKID(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) < 8 || len(s) > 9 {
		return Reject
	}
	letters := len(s) - 7
	if !isUpper(s[:letters]) || !isDigits(s[letters:len(s)-1]) || s[len(s)-1] > 'A' || same(s[letters:]) {
		return Reject
	}
	sum := 36 * 9
	if letters == 2 {
		sum = (int(s[0]-'A') + 10) * 9
	}
	sum += (int(s[letters-1]-'A') + 10) * 8
	for i, c := range s[letters : len(s)-1] {
		sum += int(c-'0') * (7 - i)
	}
	check := 10
	if c := s[len(s)-1]; c <= '9' {
		check = int(c - '0')
	}
	return verdict((sum+check)%11 == 0)
}

// TaiwanID checks a Taiwanese identity or residence number: the letter of the place as two digits, sex, serial and a check digit (National
// Immigration Agency).
func TaiwanID(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 10 || s[0] < 'A' || !isDigits(s[1:]) || s[1] != '1' && s[1] != '2' && s[1] != '8' && s[1] != '9' || same(s[2:]) {
		return Reject
	}
	n := bytes.IndexByte([]byte("ABCDEFGHJKLMNPQRSTUVXYWZIO"), s[0]) + 10
	sum := n/10 + n%10*9
	for i, w := range [9]int{8, 7, 6, 5, 4, 3, 2, 1, 1} {
		sum += int(s[1+i]-'0') * w
	}
	return verdict(sum%10 == 0 && !bytes.Equal(s[1:], []byte("123456789")))
}

// MyNumber checks a Japanese individual number: twelve digits with a check digit modulo 11 (Ministry of Internal Affairs, ordinance 85 of 2014).
func MyNumber(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 12 || same(d) {
		return Reject
	}
	check := 11 - weigh(d, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2)%11
	return verdict(check >= 10 && d[11] == 0 || check == int(d[11]))
}

// RRN checks a Korean resident registration number: date of birth, sex and century. Numbers given since October 2020 have no check digit, so a wrong
// one is Unknown (Ministry of the Interior and Safety).
func RRN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 13 || !ymd(d) || same(d[7:]) {
		return Reject
	}
	if (11-weigh(d, 2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5)%11)%10 == int(d[12]) {
		return Pass
	}
	return Unknown
}

// NRIC checks a Singaporean identity number: the letter of the series, seven digits and the check letter (Immigration and Checkpoints Authority).
func NRIC(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 9 || !isDigits(s[1:8]) || same(s[1:8]) || bytes.Equal(s[1:8], []byte("1234567")) && s[0] != 'S' {
		return Reject
	}
	sum := 0
	for i, w := range [7]int{2, 7, 6, 5, 4, 3, 2} {
		sum += int(s[1+i]-'0') * w
	}
	switch s[0] {
	case 'S':
		return verdict("JZIHGFEDCBA"[sum%11] == s[8])
	case 'T':
		return verdict("JZIHGFEDCBA"[(sum+4)%11] == s[8])
	case 'F':
		return verdict("XWUTRQPNMLK"[sum%11] == s[8])
	case 'G':
		return verdict("XWUTRQPNMLK"[(sum+4)%11] == s[8])
	case 'M':
		return verdict("XWUTRQPNJLK"[(sum+3)%11] == s[8])
	}
	return Reject
}

// MyKad checks a Malaysian identity number: date of birth and place. There is no check digit, so it proves little (Jabatan Pendaftaran Negara).
func MyKad(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 12 || !ymd(d) {
		return Reject
	}
	switch p := number(d[6:8]); p {
	case 0, 17, 18, 19, 20, 69, 70, 73, 80, 81, 94, 95, 96, 97:
		return Reject
	}
	return Pass
}

// ThaiID checks a Thai identity number: kind of person and a check digit modulo 11 (Department of Provincial Administration).
func ThaiID(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 13 && d[0] > 0 && d[0] < 9 && !same(d) && (11-weigh(d, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%10 == int(d[12]))
}

// NIK checks an Indonesian population number: province, and a date of birth whose day has 40 added for women. There is no check digit (Direktorat
// Jenderal Kependudukan dan Pencatatan Sipil).
func NIK(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 16 || number(d[12:]) == 0 {
		return Reject
	}
	dd, p := number(d[6:8]), number(d[:2])
	if dd > 40 {
		dd -= 40
	}
	return verdict(p >= 11 && p <= 97 && number(d[2:4]) > 0 && number(d[4:6]) > 0 && day(dd, number(d[8:10])))
}

// CCCD checks a Vietnamese citizen number: province and the digit of century and sex. There is no check digit (decree 137/2015).
func CCCD(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	return verdict(len(d) == 12 && number(d[:3]) >= 1 && number(d[:3]) <= 96 && d[3] <= 3 && !same(d[6:]))
}
