package validate

// verhoeffD is the multiplication table of the dihedral group D5, verhoeffP the permutations; both as Verhoeff published them in 1969.
var (
	verhoeffD = [10][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 2, 3, 4, 0, 6, 7, 8, 9, 5}, {2, 3, 4, 0, 1, 7, 8, 9, 5, 6}, {3, 4, 0, 1, 2, 8, 9, 5, 6, 7},
		{4, 0, 1, 2, 3, 9, 5, 6, 7, 8}, {5, 9, 8, 7, 6, 0, 4, 3, 2, 1}, {6, 5, 9, 8, 7, 1, 0, 4, 3, 2}, {7, 6, 5, 9, 8, 2, 1, 0, 4, 3},
		{8, 7, 6, 5, 9, 3, 2, 1, 0, 4}, {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
	}
	verhoeffP = [8][10]byte{
		{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, {1, 5, 7, 6, 2, 8, 3, 0, 9, 4}, {5, 8, 0, 3, 7, 9, 6, 1, 4, 2}, {8, 9, 1, 6, 0, 4, 3, 5, 2, 7},
		{9, 4, 5, 3, 1, 2, 6, 8, 7, 0}, {4, 2, 8, 6, 5, 7, 3, 9, 0, 1}, {2, 7, 9, 3, 8, 0, 6, 4, 1, 5}, {7, 0, 4, 6, 9, 1, 3, 2, 5, 8},
	}
)

// Aadhaar checks an Indian Aadhaar number: twelve digits, the first 2 to 9, and the Verhoeff digit.
func Aadhaar(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 12 || d[0] < 2 || same(d) {
		return Reject
	}
	return verdict(verhoeff(d))
}

// PAN checks the form of an Indian permanent account number: the fourth letter names the kind of holder.
func PAN(b []byte) Verdict {
	var buf [40]byte
	s := alnum(b, &buf)
	if len(s) != 10 || !isUpper(s[:5]) || !isDigits(s[5:9]) || !isUpper(s[9:]) || same(s[5:9]) {
		return Reject
	}
	switch s[3] {
	case 'A', 'B', 'C', 'F', 'G', 'H', 'J', 'L', 'P', 'T':
		return Pass
	}
	return Reject
}

// TFN checks an Australian tax file number: nine digits with the weights 1, 4, 3, 7, 5, 8, 6, 9, 10 modulo 11.
func TFN(b []byte) Verdict {
	var buf [40]byte
	d := digits(b, &buf)
	if len(d) != 9 || same(d) || number(d) == 123456782 {
		return Reject
	}
	sum := 0
	for i, w := range [9]int{1, 4, 3, 7, 5, 8, 6, 9, 10} {
		sum += int(d[i]) * w
	}
	return verdict(sum%11 == 0)
}
