package extract

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// numberFormat is how a cell shows its number, as far as it matters to what is found in it.
type numberFormat struct {
	date   bool
	hidden bool   // shows nothing: ;;;
	digits string // a pattern of digits and what stands between them, as in 000-00-0000
}

// builtinFormat is the format of an id that no style sheet defines (ECMA-376 part 1, 18.8.30).
func builtinFormat(id int) numberFormat {
	return numberFormat{date: id >= 14 && id <= 22 || id >= 27 && id <= 36 || id >= 45 && id <= 47 || id >= 50 && id <= 58}
}

// parseFormat reads a format code of Excel.
func parseFormat(code string) numberFormat {
	if strings.Trim(code, "; ") == "" && strings.Count(code, ";") >= 2 {
		return numberFormat{hidden: true}
	}
	var plain, digits strings.Builder
	zeros, simple := 0, true
	for i := 0; i < len(code); i++ {
		c := code[i]
		switch c {
		case '"':
			n := strings.IndexByte(code[i+1:], '"')
			if n < 0 {
				n = len(code) - i - 1
			}
			digits.WriteString(strings.Map(literal, code[i+1:i+1+n]))
			i += n + 1
		case '\\', '_', '*':
			if i++; i < len(code) && c == '\\' {
				digits.WriteRune(literal(rune(code[i])))
			}
		case '[':
			n := strings.IndexByte(code[i:], ']')
			if n < 0 {
				n = len(code) - i - 1
			}
			if in := strings.ToLower(code[i+1 : i+max(n, 1)]); strings.Trim(in, "hms") == "" && in != "" {
				plain.WriteString(in)
			}
			i += n
		case ';':
			if plain.Len() > 0 || digits.Len() > 0 { // What follows is for other numbers.
				i = len(code)
			}
		case '0', '#', '?':
			if c == '0' {
				zeros++
			}
			digits.WriteByte(c)
		case '-', ' ', '(', ')', '+':
			digits.WriteByte(c)
		default:
			simple = false
			plain.WriteByte(c)
		}
	}
	p := strings.ToLower(plain.String())
	if p == "general" {
		return numberFormat{}
	}
	if strings.ContainsAny(strings.ReplaceAll(p, "e+", ""), "ymdhs") && !strings.Contains(p, "@") {
		return numberFormat{date: true}
	}
	if simple && zeros > 1 && digits.Len() <= 64 {
		return numberFormat{digits: digits.String()}
	}
	return numberFormat{}
}

// literal keeps a character of a format that is shown as it is apart from those that stand for digits.
func literal(c rune) rune {
	if c == '0' || c == '#' || c == '?' {
		return ' '
	}
	return c
}

// show is a number of a cell as text with all its digits.
func (f numberFormat) show(raw string, date1904 bool) string {
	raw = strings.TrimSpace(raw)
	v, err := strconv.ParseFloat(raw, 64)
	if err != nil || math.IsInf(v, 0) || math.IsNaN(v) {
		return raw
	}
	if f.date {
		if s := serialDate(v, date1904); s != "" {
			return s
		}
	}
	if strings.ContainsAny(raw, "eE") && math.Abs(v) < 1e21 && (v == 0 || math.Abs(v) > 1e-9) {
		raw = strconv.FormatFloat(v, 'f', -1, 64)
	}
	if f.digits != "" && strings.Trim(raw, "0123456789") == "" && len(raw) <= 64 {
		return fillDigits(f.digits, raw)
	}
	return raw
}

// fillDigits writes digits into a pattern from the right; those that are too many stand where its first one is.
func fillDigits(pattern, digits string) string {
	first := strings.IndexAny(pattern, "0#?")
	var back []byte // from the last byte to the first
	for i := len(pattern) - 1; i >= 0; i-- {
		c := pattern[i]
		if c != '0' && c != '#' && c != '?' {
			back = append(back, c)
			continue
		}
		switch n := len(digits); {
		case n > 0 && i > first:
			back, digits = append(back, digits[n-1]), digits[:n-1]
		case n > 0:
			for ; n > 0; n-- {
				back = append(back, digits[n-1])
			}
			digits = ""
		case c == '0':
			back = append(back, '0')
		}
	}
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	return string(back)
}

// serialDate is a date that a workbook counts in days, since the end of 1899 or since 1904; empty if there is no such date.
func serialDate(v float64, date1904 bool) string {
	if v < 0 || v >= 2958466 {
		return ""
	}
	day := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	switch {
	case date1904:
		day = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
	case v < 60:
		day = day.AddDate(0, 0, 1) // Excel believes that 1900 was a leap year.
	}
	whole := math.Floor(v)
	seconds := int(math.Round((v - whole) * 86400))
	at := day.AddDate(0, 0, int(whole)).Add(time.Duration(seconds) * time.Second)
	switch {
	case seconds == 0:
		return at.Format("2006-01-02")
	case whole == 0:
		return at.Format("15:04:05")
	}
	return at.Format("2006-01-02 15:04:05")
}
