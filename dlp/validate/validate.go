// Package validate holds the checks that tell a real identifier from a string of the same shape: checksums, issued ranges and structure. A
// check gets the bytes of one candidate, separators included, allocates nothing on the common path, keeps nothing and never fails: the answer
// is Reject, Unknown or Pass. Every function is safe for concurrent use.
package validate

import "sort"

// Verdict is the answer of a check.
type Verdict int8

// Verdicts. Unknown leaves the confidence as it is: the form has no check that applies.
const (
	Reject Verdict = iota
	Unknown
	Pass
)

// Validator is one named check. Weight (0..1) is added to the confidence when it passes: the less likely a random string of the shape passes,
// the more it says. A Soft check judges how a value looks and proves nothing: it changes the confidence but validates no match.
type Validator struct {
	Name   string
	Weight float64
	Check  func(candidate []byte) Verdict
	Soft   bool
}

// The order is that of the families; ByName and Names are the only ways in, so the table is never changed.
var table = []Validator{
	{Name: "card", Weight: 0.2, Check: Card},
	{Name: "iban", Weight: 0.3, Check: IBAN},
	{Name: "aba", Weight: 0.1, Check: ABA},
	{Name: "bic", Weight: 0.1, Check: BIC},
	{Name: "ssn", Weight: 0.1, Check: SSN},
	{Name: "itin", Weight: 0.1, Check: ITIN},
	{Name: "nino", Weight: 0.1, Check: NINO},
	{Name: "sin", Weight: 0.1, Check: SIN},
	{Name: "cpf", Weight: 0.25, Check: CPF},
	{Name: "cnpj", Weight: 0.25, Check: CNPJ},
	{Name: "dni", Weight: 0.15, Check: DNI},
	{Name: "de_tax_id", Weight: 0.15, Check: GermanTaxID},
	{Name: "nir", Weight: 0.25, Check: NIR},
	{Name: "codice_fiscale", Weight: 0.2, Check: CodiceFiscale},
	{Name: "bsn", Weight: 0.1, Check: BSN},
	{Name: "pesel", Weight: 0.15, Check: PESEL},
	{Name: "aadhaar", Weight: 0.1, Check: Aadhaar},
	{Name: "pan", Weight: 0.05, Check: PAN},
	{Name: "tfn", Weight: 0.1, Check: TFN},
	{Name: "personnummer", Weight: 0.15, Check: Personnummer},
	{Name: "npi", Weight: 0.1, Check: NPI},
	{Name: "nhs", Weight: 0.1, Check: NHS},
	{Name: "dea", Weight: 0.15, Check: DEA},
	{Name: "nanp", Weight: 0.05, Check: NANP},
	{Name: "e164", Weight: 0.05, Check: E164},
	{Name: "phone", Weight: 0.05, Check: Phone},
	{Name: "ipv4_private", Weight: 0.1, Check: PrivateIPv4},
	{Name: "btc", Weight: 0.35, Check: Bitcoin},
	{Name: "eth", Weight: 0.3, Check: Ethereum},
	{Name: "jwt", Weight: 0.25, Check: JWT},
	{Name: "github", Weight: 0.2, Check: GitHubToken},
	{Name: "aws_key_id", Weight: 0.1, Check: AWSKeyID},
	{Name: "pem", Weight: 0.15, Check: PEM},
	{Name: "discord", Weight: 0.2, Check: DiscordToken},
	{Name: "base58check", Weight: 0.4, Check: Base58Check},
	{Name: "bech32_key", Weight: 0.4, Check: Bech32Key},
	{Name: "wif", Weight: 0.45, Check: WIF},
	{Name: "extended_key", Weight: 0.4, Check: ExtendedKey},
	{Name: "eth_key", Weight: 0.1, Check: EthereumKey, Soft: true},
	{Name: "solana_key", Weight: 0.45, Check: SolanaKey},
	{Name: "stellar_seed", Weight: 0.4, Check: StellarSeed},
	{Name: "xrp_seed", Weight: 0.4, Check: XRPSeed},
	{Name: "mnemonic", Weight: 0.35, Check: Mnemonic},
	{Name: "uuid", Check: UUID, Soft: true},
	{Name: "password", Weight: 0.15, Check: Password, Soft: true},
	{Name: "key", Weight: 0.15, Check: Key, Soft: true},
}

// ByName returns the validator of that name.
func ByName(name string) (Validator, bool) {
	for _, v := range table {
		if v.Name == name {
			return v, true
		}
	}
	return Validator{}, false
}

// Names lists all validators in alphabetical order.
func Names() []string {
	out := make([]string, len(table))
	for i, v := range table {
		out[i] = v.Name
	}
	sort.Strings(out)
	return out
}

func verdict(ok bool) Verdict {
	if ok {
		return Pass
	}
	return Reject
}

// digits copies the decimal digits of b to buf as values 0..9 and drops everything else. More digits than buf holds are no identifier that we
// know: it returns nil.
func digits(b []byte, buf *[40]byte) []byte {
	n := 0
	for _, c := range b {
		if c < '0' || c > '9' {
			continue
		}
		if n == len(buf) {
			return nil
		}
		buf[n] = c - '0'
		n++
	}
	return buf[:n]
}

// alnum copies letters (upper-cased) and digits of b to buf and drops everything else; nil when they do not fit.
func alnum(b []byte, buf *[40]byte) []byte {
	n := 0
	for _, c := range b {
		if c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			continue
		}
		if n == len(buf) {
			return nil
		}
		buf[n] = c
		n++
	}
	return buf[:n]
}

func number(d []byte) int {
	n := 0
	for _, c := range d {
		n = n*10 + int(c)
	}
	return n
}

func same(d []byte) bool {
	for _, c := range d[1:] {
		if c != d[0] {
			return false
		}
	}
	return true
}

func isDigits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func isUpper(b []byte) bool {
	for _, c := range b {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

// luhn is the mod 10 check of ISO/IEC 7812-1 over digit values, the last being the check digit.
func luhn(d []byte) bool { return (luhnSum(d))%10 == 0 }

func luhnSum(d []byte) int {
	sum := 0
	for i := range d {
		v := int(d[len(d)-1-i])
		if i%2 == 1 {
			v *= 2
			if v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum
}
