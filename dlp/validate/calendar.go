package validate

// day reports whether a day and month can stand in a date; a year is not known.
func day(d, month int) bool {
	return month >= 1 && month <= 12 && d >= 1 && d <= 31 && (d < 31 || !short(month)) && (month != 2 || d <= 29)
}

func short(month int) bool {
	return month == 2 || month == 4 || month == 6 || month == 9 || month == 11
}

// shifted is the month of a number to which 20 or 40 is added for a century or a reason of its own.
func shifted(month int) int {
	switch {
	case month > 40:
		return month - 40
	case month > 20:
		return month - 20
	}
	return month
}

// ymd reads a date of birth of six digits that starts with the year.
func ymd(d []byte) bool { return day(number(d[4:6]), number(d[2:4])) }

// dmy reads a date of birth of six digits that starts with the day.
func dmy(d []byte) bool { return day(number(d[:2]), number(d[2:4])) }

// weigh is the sum of the products of digit values and weights, as far as there are weights.
func weigh(d []byte, weights ...int) int {
	sum := 0
	for i, w := range weights {
		sum += int(d[i]) * w
	}
	return sum
}

// hybrid is the check of ISO 7064 mod 11,10 over digit values, the last being the check digit.
func hybrid(d []byte) bool {
	p := 10
	for _, v := range d[:len(d)-1] {
		m := (int(v) + p) % 10
		if m == 0 {
			m = 10
		}
		p = m * 2 % 11
	}
	return (11-p)%10 == int(d[len(d)-1])
}

// mod97 is the remainder of ISO 7064 mod 97-10 over letters and digits.
func mod97(s []byte) int {
	rem := 0
	for _, c := range s {
		if c >= 'A' {
			rem = (rem*100 + int(c-'A') + 10) % 97
		} else {
			rem = (rem*10 + int(c-'0')) % 97
		}
	}
	return rem
}

// verhoeff is the check of Verhoeff over digit values, the last being the check digit.
func verhoeff(d []byte) bool {
	c := byte(0)
	for i := range d {
		c = verhoeffD[c][verhoeffP[i%8][d[len(d)-1-i]]]
	}
	return c == 0
}

// firstYear and lastYear bound the births of people who may be alive.
const firstYear, lastYear = 1900, 2035

// BirthDate checks a date in digits, year or day or month first, of somebody who may be alive. It says nothing about whose date it is.
func BirthDate(b []byte) Verdict {
	var part [3]int
	n, width := 0, [3]int{}
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9':
			part[n] = part[n]*10 + int(c-'0')
			if width[n]++; width[n] > 4 {
				return Reject
			}
		case (c == '.' || c == '-' || c == '/' || c == ' ') && n < 2:
			n++
		default:
			return Reject
		}
	}
	if n != 2 {
		return Reject
	}
	y, m, d := part[0], part[1], part[2]
	if width[2] >= 2 && width[0] <= 2 {
		y, m, d = part[2], part[1], part[0]
		if width[2] == 2 {
			y += 1900
		}
	}
	return verdict(y >= firstYear && y <= lastYear && (day(d, m) || day(m, d)))
}
