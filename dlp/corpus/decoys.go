package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// decoy looks like something sensitive and is not: a wrong sum, a range that is never issued, a published example, or an ordinary identifier.
type decoy struct {
	name  string
	value func(*rand.Rand) string
	lines []string // around the value, which stands at %s
}

func (d decoy) surroundings(rng *rand.Rand) (before, after string) {
	before, after, _ = strings.Cut(one(rng, d.lines), "%s")
	return "\n" + before, after + "\n"
}

const (
	digits = "0123456789"
	hexes  = "0123456789abcdef"
	alnum  = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	base64 = alnum + "+/"
)

func pick(rng *rand.Rand, set string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = set[rng.IntN(len(set))]
	}
	return string(b)
}

func uuid(r *rand.Rand) string {
	s := pick(r, hexes, 32)
	return s[:8] + "-" + s[8:12] + "-4" + s[13:16] + "-a" + s[17:20] + "-" + s[20:]
}

// luhnSum is the sum of ISO/IEC 7812-1 modulo 10 of a number with its check digit.
func luhnSum(s string) int {
	sum := 0
	for i := range len(s) {
		d := int(s[len(s)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum % 10
}

// wrongCard has a scheme's digits and a sum that is off.
func wrongCard(r *rand.Rand) string {
	for {
		s := one(r, []string{"4539", "4716", "5218", "5402"}) + pick(r, digits, 12)
		if luhnSum(s) != 0 {
			return s[:4] + " " + s[4:8] + " " + s[8:12] + " " + s[12:]
		}
	}
}

// wrongIBAN has check digits that never occur: they run from 02 to 98.
func wrongIBAN(r *rand.Rand) string {
	return one(r, []string{"DE", "AT", "NL"}) + one(r, []string{"00", "01", "99"}) + pick(r, digits, 18)
}

// isbn makes the thirteen digits of a book.
func isbn(r *rand.Rand) string {
	s, sum := "978"+pick(r, "013", 1)+pick(r, digits, 8), 0
	for i := range len(s) {
		sum += int(s[i]-'0') * (1 + i%2*2)
	}
	s += string(rune('0' + (10-sum%10)%10))
	return s[:3] + "-" + s[3:4] + "-" + s[4:7] + "-" + s[7:12] + "-" + s[12:]
}

func fixed(values ...string) func(*rand.Rand) string {
	return func(r *rand.Rand) string { return one(r, values) }
}

// decoys lists them. Published examples are written in parts, so that no tool takes this file for a leak.
func decoys() []decoy {
	return []decoy{
		{"card with a wrong sum", wrongCard, []string{"the terminal refused %s", "card %s was mistyped", "ref %s"}},
		{"published test card", fixed("4242"+" 4242 4242 4242", "4111"+"111111111111", "5555"+" 5555 5555 4444"), []string{"in the sandbox use test card %s", "the test number %s always works"}},
		{"social security number that is never issued", func(r *rand.Rand) string {
			return fmt.Sprintf("%s-%02d-%04d", one(r, []string{"000", "666", fmt.Sprint(900 + r.IntN(100))}), 1+r.IntN(49), 1+r.IntN(9999))
		}, []string{"locker %s", "slot %s is free", "code %s"}},
		{"specimen social security number", fixed("078-05-"+"1120", "219-09-"+"9999"), []string{"the leaflet prints SSN %s", "specimen ssn: %s"}},
		{"IBAN with a wrong sum", wrongIBAN, []string{"the bank refused IBAN %s", "iban: %s"}},
		{"UUID", uuid, []string{"request_id=%s", "job %s finished", "{\"id\": \"%s\"}", "trace: %s", "correlation id %s"}},
		{"commit", func(r *rand.Rand) string { return pick(r, hexes, 40) }, []string{"since commit %s", "git show %s", "revision = \"%s\"", "HEAD is now at %s"}},
		{"SHA-256", func(r *rand.Rand) string { return pick(r, hexes, 64) }, []string{"sha256:%s", "digest: sha256:%s", "%s  release.tar.gz", "checksum = \"%s\""}},
		{"MD5", func(r *rand.Rand) string { return pick(r, hexes, 32) }, []string{"md5 %s", "etag: \"%s\"", "%s  data.csv"}},
		{"integrity of a package", func(r *rand.Rand) string { return "sha512-" + pick(r, base64, 86) + "==" }, []string{"\"integrity\": \"%s\",", "integrity %s"}},
		{"sum of a module", func(r *rand.Rand) string { return "h1:" + pick(r, base64, 43) + "=" }, []string{"example.org/mod v1.4.2 %s", "example.org/mod v1.4.2/go.mod %s"}},
		{"time in milliseconds", func(r *rand.Rand) string { return "17" + pick(r, digits, 11) }, []string{"ts=%s", "\"updated\": %s,", "at %s"}},
		{"time in microseconds", func(r *rand.Rand) string { return "17" + pick(r, digits, 14) }, []string{"ts=%s", "\"at\": %s,", "offset %s"}},
		{"time in nanoseconds", func(r *rand.Rand) string { return "17" + pick(r, digits, 17) }, []string{"start=%s", "\"t\": %s,"}},
		{"time as digits", func(r *rand.Rand) string { return clock(r).Format("20060102150405") }, []string{"backup-%s.tar", "run %s", "migration %s"}},
		{"order number", func(r *rand.Rand) string { return pick(r, "123456789", 1) + pick(r, digits, 9) }, []string{"order %s has shipped", "invoice no. %s", "\"order_id\": \"%s\"", "ticket %s"}},
		{"long order number", func(r *rand.Rand) string { return "8" + pick(r, digits, 15) }, []string{"order number %s", "shipment %s"}},
		{"numeric id", func(r *rand.Rand) string { return pick(r, "123456789", 1) + pick(r, digits, 7+r.IntN(5)) }, []string{"\"id\": %s,", "user_id=%s", "row %s", "pid %s"}},
		{"snowflake id", func(r *rand.Rand) string { return "1" + pick(r, digits, 18) }, []string{"\"message_id\": \"%s\"", "thread %s"}},
		{"parcel number", func(r *rand.Rand) string {
			return "1Z" + pick(r, digits+"ABCDEFGHJKLMNPQRSTUVWXYZ", 6) + pick(r, digits, 10)
		}, []string{"tracking %s", "parcel %s was returned"}},
		{"part number", func(r *rand.Rand) string {
			return pick(r, "ABCDEFGHKLMNPRST", 2) + "-" + pick(r, digits, 5) + "-" + pick(r, digits, 2)
		}, []string{"part number %s", "spare %s"}},
		{"version", func(r *rand.Rand) string {
			return fmt.Sprintf("%d.%d.%d", r.IntN(30), r.IntN(30), r.IntN(3000))
		}, []string{"version %s", "v%s is out", "require: \">=%s\"", "since %s"}},
		{"version of four parts", func(r *rand.Rand) string {
			return fmt.Sprintf("%d.%d.%d.%d", 20+r.IntN(100), r.IntN(10), r.IntN(10), 1000+r.IntN(9000))
		}, []string{"build %s", "Chrome/%s", "FileVersion %s"}},
		{"telephone number of a film", func(r *rand.Rand) string { return fmt.Sprintf("(212) 555-01%02d", r.IntN(100)) }, []string{"the form shows %s", "they dial %s", "e.g. %s"}},
		{"address in documentation", func(r *rand.Rand) string {
			return one(r, []string{"192.0.2.", "198.51.100.", "203.0.113."}) + fmt.Sprint(r.IntN(256))
		}, []string{"server at %s", "listen %s:8080", "dig @%s"}},
		{"e-mail address in documentation", func(r *rand.Rand) string {
			return strings.ToLower(one(r, firstNames)) + one(r, []string{"@example.com", "@example.org", "@test.example", "@foo.invalid"})
		}, []string{"write to %s", "\"email\": \"%s\"", "git config user.email %s"}},
		{"hexadecimal colour", func(r *rand.Rand) string { return "#" + pick(r, hexes, 6) }, []string{"color: %s;", "background %s", "fill=\"%s\""}},
		{"image in base64", func(r *rand.Rand) string { return "data:image/png;base64,iVBORw0KGgo" + pick(r, base64, 400) + "=" }, []string{"<img src=\"%s\">", "url(%s)"}},
		{"ISBN", isbn, []string{"ISBN %s", "the book (ISBN %s)"}},
		{"AWS key of the documentation", fixed("AKIA" + "IOSFODNN7EXAMPLE"), []string{"aws_access_key_id = %s", "the guide has %s"}},
		{"AWS secret of the documentation", fixed("wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"), []string{"aws_secret_access_key = %s"}},
		{"key to be filled in", fixed("YOUR_API_KEY", "your-api-key-here", "<api-key>", "${API_KEY}", "{{ api_key }}", "$(get-key)", "process.env.API_KEY", "os.environ['KEY']"), []string{"api_key = \"%s\"", "API_KEY=%s", "apiKey: %s"}},
		{"password to be filled in", fixed("${DB_PASSWORD}", "<your-password>", "changeme", "********", "xxxxxxxxxxxx", "{{ vault_password }}", "null", "required"), []string{"password = \"%s\"", "DB_PASSWORD=%s", "password: %s"}},
		{"token of crosses", fixed("ghp_"+strings.Repeat("x", 36), "sk-ant-api03-"+strings.Repeat("x", 24), "xoxb-"+"000000000000-000000000000-xxxxxxxxxxxxxxxxxxxxxxxx"), []string{"TOKEN=%s", "use %s here"}},
		{"name of a secret", fixed("prod/billing/db-password", "my-service-token", "stripe-key-ref", "kv/data/app#key"), []string{"secretName: %s", "secretRef: %s", "secret_name = \"%s\""}},
		{"code with the name of a secret", fixed("getPassword(user)", "token.refresh()", "self.api_key", "config.secretKey", "request.headers.get"), []string{"password = %s", "token = %s", "key := %s"}},
		{"coordinates", func(r *rand.Rand) string {
			return fmt.Sprintf("%d.%s, %d.%s", r.IntN(80), pick(r, digits, 7), r.IntN(170), pick(r, digits, 7))
		}, []string{"at %s", "position: %s"}},
		{"amount", func(r *rand.Rand) string {
			return fmt.Sprintf("%d,%03d,%03d.%02d", 1+r.IntN(900), r.IntN(1000), r.IntN(1000), r.IntN(100))
		}, []string{"a total of %s EUR", "USD %s", "revenue %s"}},
		{"row of numbers", func(r *rand.Rand) string {
			return fmt.Sprintf("%d %d %d %d %d", r.IntN(1000), r.IntN(10000), r.IntN(1000), r.IntN(10000), r.IntN(100))
		}, []string{"%s", "counts: %s"}},
		{"date", func(r *rand.Rand) string { return clock(r).Format("2006-01-02") }, []string{"due %s", "released on %s", "| %s | done |"}},
		{"URL slug", func(r *rand.Rand) string {
			return "/docs/" + strings.Join(pickWords(r, 4), "-") + "-" + pick(r, digits, 5)
		}, []string{"see https://docs.example.com%s", "GET %s 200"}},
		{"container image", func(r *rand.Rand) string { return "registry.example.com/app@sha256:" + pick(r, hexes, 64) }, []string{"image: %s", "FROM %s"}},
		{"resource id of a cloud", func(r *rand.Rand) string {
			return one(r, []string{"i-", "vpc-", "subnet-", "sg-"}) + "0" + pick(r, hexes, 16)
		}, []string{"instance %s", "id = \"%s\""}},
		{"public key", func(r *rand.Rand) string { return "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + pick(r, base64, 43) }, []string{"%s build@host", "key: %s"}},
		{"certificate", func(r *rand.Rand) string {
			return "-----BEGIN CERTIFICATE-----\nMIIB" + pick(r, base64, 60) + "\n" + pick(r, base64, 64) + "\n-----END CERTIFICATE-----"
		}, []string{"%s"}},
		{"filler of Latin", fixed("Lorem ipsum dolor sit amet, consectetur adipiscing elit", "sed do eiusmod tempor incididunt ut labore"), []string{"%s"}},
	}
}
