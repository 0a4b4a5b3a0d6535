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
	{Name: "curp", Weight: 0.25, Check: CURP},
	{Name: "rfc", Weight: 0.15, Check: RFC},
	{Name: "cuit", Weight: 0.15, Check: CUIT},
	{Name: "rut", Weight: 0.15, Check: RUT},
	{Name: "nit", Weight: 0.15, Check: NIT},
	{Name: "ruc", Weight: 0.15, Check: RUC},
	{Name: "ec_cedula", Weight: 0.1, Check: Cedula},
	{Name: "uy_id", Weight: 0.1, Check: UruguayID},
	{Name: "do_id", Weight: 0.1, Check: DominicanID},
	{Name: "ein", Weight: 0.05, Check: EIN},
	{Name: "vin", Weight: 0.25, Check: VIN},
	{Name: "hetu", Weight: 0.2, Check: HETU},
	{Name: "cpr", Weight: 0.15, Check: CPR},
	{Name: "fodselsnummer", Weight: 0.17, Check: Fodselsnummer},
	{Name: "kennitala", Weight: 0.15, Check: Kennitala},
	{Name: "isikukood", Weight: 0.15, Check: Isikukood},
	{Name: "personas_kods", Weight: 0.15, Check: PersonasKods},
	{Name: "utr", Weight: 0.1, Check: UTR},
	{Name: "pps", Weight: 0.15, Check: PPS},
	{Name: "uk_driving_licence", Weight: 0.1, Check: DrivingLicenceUK},
	{Name: "svnr", Weight: 0.15, Check: SVNR},
	{Name: "ahv", Weight: 0.17, Check: AHV},
	{Name: "de_pension", Weight: 0.15, Check: GermanPension},
	{Name: "kvnr", Weight: 0.15, Check: Insured},
	{Name: "de_document", Weight: 0.15, Check: GermanDocument},
	{Name: "mrz", Weight: 0.3, Check: MRZ},
	{Name: "be_id", Weight: 0.17, Check: BelgianID},
	{Name: "lu_id", Weight: 0.25, Check: LuxembourgID},
	{Name: "pt_nif", Weight: 0.1, Check: NIF},
	{Name: "cif", Weight: 0.15, Check: CIF},
	{Name: "siren", Weight: 0.1, Check: SIREN},
	{Name: "partita_iva", Weight: 0.1, Check: PartitaIVA},
	{Name: "pl_nip", Weight: 0.1, Check: PolishNIP},
	{Name: "birth_number", Weight: 0.17, Check: BirthNumber},
	{Name: "taj", Weight: 0.1, Check: TAJ},
	{Name: "hu_tax", Weight: 0.1, Check: HungarianTax},
	{Name: "cnp", Weight: 0.17, Check: RomanianCNP},
	{Name: "egn", Weight: 0.15, Check: EGN},
	{Name: "oib", Weight: 0.1, Check: OIB},
	{Name: "jmbg", Weight: 0.17, Check: JMBG},
	{Name: "amka", Weight: 0.15, Check: AMKA},
	{Name: "afm", Weight: 0.1, Check: AFM},
	{Name: "tckn", Weight: 0.17, Check: TCKN},
	{Name: "rnokpp", Weight: 0.1, Check: RNOKPP},
	{Name: "snils", Weight: 0.17, Check: SNILS},
	{Name: "inn", Weight: 0.15, Check: INN},
	{Name: "iin", Weight: 0.17, Check: IIN},
	{Name: "resident_id", Weight: 0.25, Check: ResidentID},
	{Name: "hkid", Weight: 0.15, Check: HKID},
	{Name: "tw_id", Weight: 0.15, Check: TaiwanID},
	{Name: "my_number", Weight: 0.1, Check: MyNumber},
	{Name: "rrn", Weight: 0.17, Check: RRN},
	{Name: "nric", Weight: 0.2, Check: NRIC},
	{Name: "mykad", Weight: 0.05, Check: MyKad},
	{Name: "th_id", Weight: 0.15, Check: ThaiID},
	{Name: "nik", Weight: 0.05, Check: NIK},
	{Name: "cccd", Weight: 0.05, Check: CCCD},
	{Name: "gstin", Weight: 0.25, Check: GSTIN},
	{Name: "cnic", Weight: 0.05, Check: CNIC},
	{Name: "lk_nic", Weight: 0.1, Check: LankaNIC},
	{Name: "il_id", Weight: 0.1, Check: IsraelID},
	{Name: "emirates_id", Weight: 0.17, Check: EmiratesID},
	{Name: "sa_id", Weight: 0.1, Check: SaudiID},
	{Name: "za_id", Weight: 0.17, Check: SouthAfricaID},
	{Name: "abn", Weight: 0.17, Check: ABN},
	{Name: "au_medicare", Weight: 0.1, Check: Medicare},
	{Name: "au_ihi", Weight: 0.25, Check: HealthcareIdentifier},
	{Name: "ird", Weight: 0.1, Check: IRD},
	{Name: "nhi", Weight: 0.15, Check: NHI},
	{Name: "vat", Weight: 0.15, Check: VAT},
	{Name: "isin", Weight: 0.15, Check: ISIN},
	{Name: "cusip", Weight: 0.15, Check: CUSIP},
	{Name: "sedol", Weight: 0.15, Check: SEDOL},
	{Name: "lei", Weight: 0.3, Check: LEI},
	{Name: "clabe", Weight: 0.15, Check: CLABE},
	{Name: "cbu", Weight: 0.25, Check: CBU},
	{Name: "ifsc", Weight: 0.05, Check: IFSC},
	{Name: "sort_code", Check: SortCode},
	{Name: "bsb", Weight: 0.05, Check: BSB},
	{Name: "transit", Weight: 0.05, Check: Transit},
	{Name: "track", Weight: 0.3, Check: Track},
	{Name: "ltc", Weight: 0.35, Check: Litecoin},
	{Name: "doge", Weight: 0.35, Check: Dogecoin},
	{Name: "trx", Weight: 0.35, Check: Tron},
	{Name: "xrp", Weight: 0.35, Check: Ripple},
	{Name: "sol", Check: Solana},
	{Name: "xmr", Weight: 0.35, Check: Monero},
	{Name: "bech32", Weight: 0.35, Check: Bech32},
	{Name: "cashaddr", Weight: 0.35, Check: CashAddr},
	{Name: "us_state_zip", Weight: 0.05, Check: StateZIP},
	{Name: "uk_postcode", Weight: 0.1, Check: Postcode},
	{Name: "phone_national", Check: NationalPhone},
	{Name: "birth_date", Weight: 0.05, Check: BirthDate},
	{Name: "mbi", Weight: 0.1, Check: MBI},
	{Name: "chi", Weight: 0.15, Check: CHI},
	{Name: "luhn", Weight: 0.1, Check: Luhn},
	{Name: "mac", Weight: 0.05, Check: MAC},
	{Name: "ipv6_private", Weight: 0.1, Check: PrivateIPv6},
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
