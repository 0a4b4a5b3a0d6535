package validate_test

import (
	"testing"

	"github.com/outband/outband/dlp/validate"
)

// judge wants these verdicts of the validator with a name.
func judge(t *testing.T, name string, wanted map[validate.Verdict][]string) {
	t.Helper()
	v, ok := validate.ByName(name)
	if !ok {
		t.Fatal("no such validator")
	}
	for want, list := range wanted {
		for _, s := range list {
			if got := v.Check([]byte(s)); got != want {
				t.Errorf("%q: verdict %d, want %d", s, got, want)
			}
		}
	}
}

func TestValidators(t *testing.T) {
	for _, tc := range []struct {
		name string
		pass []string
		fail []string
	}{
		{"card", []string{"4111 1111 1111 1111", "378282246310005", "6011-1111-1111-1117", "30569309025904", "3530111333300000"}, []string{"4111111111111112", "1111111111111117", "0000000000000000", "4111", "9999999999999995"}},
		{"iban", []string{"DE89 3704 0044 0532 0130 00", "gb82west12345698765432", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"}, []string{"DE89 3704 0044 0532 0130 01", "DE8937040044053201300", "XX89370400440532013000", "DE00000000000000000000"}},
		{"aba", []string{"021000021", "011401533"}, []string{"021000022", "131000021", "000000000"}},
		{"bic", []string{"DEUTDEFF", "CHASUS33XXX"}, []string{"DEUTQQFF", "DEUTDEF", "deutdeff1"}},
		{"ssn", []string{"536-22-8714", "001010001"}, []string{"000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "078-05-1120"}},
		{"itin", []string{"912-78-4432", "999-94-0001"}, []string{"912-93-4432", "812-78-4432", "912-66-0000"}},
		{"nino", []string{"CE 92 46 71 B", "JG703512A"}, []string{"BG703512A", "QQ123456C", "CE924671E", "DA924671A", "AO924671A"}},
		{"sin", []string{"193 456 787"}, []string{"193 456 788", "046 454 286", "000000000"}},
		{"cpf", []string{"529.982.247-25", "11144477735"}, []string{"529.982.247-24", "111.111.111-11"}},
		{"cnpj", []string{"11.222.333/0001-81"}, []string{"11.222.333/0001-82", "00000000000000"}},
		{"dni", []string{"X1234567L", "87654321X"}, []string{"12345678Z", "87654321Y", "W1234567L"}},
		{"de_tax_id", []string{"86095742719", "65929970489"}, []string{"86095742718", "12345678901", "11111111111", "06095742719"}},
		{"nir", []string{"2 69 05 49 588 157 80", "185057800608436"[:13] + "91"}, []string{"269054958815781", "369054958815780", "269134958815780"}},
		{"codice_fiscale", []string{"RSSMRA85T10A562S", "rssmra85t10a562s"}, []string{"RSSMRA85T10A562T", "RSSMRA85F10A562S", "RSSMRA85T00A562S"}},
		{"bsn", []string{"111222333"}, []string{"111222334", "000000000"}},
		{"pesel", []string{"44051401359"}, []string{"44051401358", "44131401359", "44054001359"}},
		{"aadhaar", []string{"2341 2341 2346"}, []string{"2341 2341 2347", "1341 2341 2346", "222222222222"}},
		{"pan", []string{"BNZPM2501F"}, []string{"BNZXM2501F", "BNZPM25011", "BNZPM1111F"}},
		{"tfn", []string{"876 543 210"}, []string{"876 543 211", "111111111"}},
		{"personnummer", []string{"811218-9876", "19811218-9876"}, []string{"811218-9875", "811318-9876", "17811218-9876"}},
		{"npi", []string{"1234567893"}, []string{"1234567890", "3234567893"}},
		{"nhs", []string{"943 476 5919"}, []string{"943 476 5918", "0000000000"}},
		{"dea", []string{"AB1234563"}, []string{"AB1234564", "ZB1234563", "AB123456"}},
		{"nanp", []string{"(415) 582-6043", "+1 212 736 5000"}, []string{"555-123-4567", "415-555-0199", "115-582-6043", "911-582-6043"}},
		{"e164", []string{"+49 30 901820", "+14155826043", "+353 1 4589020"}, []string{"+1 555 010 0199", "+4912", "+0123456789", "+999123456789"}},
		{"phone", []string{"+49 30 901820", "(415) 582-6043"}, []string{"00 11 22 33 44", "(555) 123-4567"}},
		{"ipv4_private", []string{"10.0.0.1", "172.31.0.1", "192.168.255.255"}, []string{"8.8.8.8", "172.32.0.1", "10.0.0.256", "10.0.0", "10.00.0.1", "10.0.0.0.1"}},
		{"btc", []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0"}, []string{"1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfN0"}},
		{"eth", []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}, []string{"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "0x0000000000000000000000000000000000000000", "0x12"}},
		{"jwt", []string{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"}, []string{"eyJhbGciOiJIUzI1NiJ9", "eyJhbGciOiJIUzI1NiJ9.x.y", "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.c2ln"}},
		{"aws_key_id", []string{"AKIA" + "QWERTYUIOPASDFGH"}, []string{"AKIAIOSFODNN7EXAMPLE", "AKIA0000000000000000", "AKIA"}},
		{"password", []string{"Tz8!kkLm9", "hunter22"}, []string{"changeme", "${PASS}", "<none>", "correct", "os.getenv(\"X\")", "request.form", "x1", "********", "https://a.b"}},
		{"key", []string{"9f86d081884c7d659a2feaa0c55ad015", "sJ8kQ2mZx71LpWn04TbVc5"}, []string{"your-key-goes-here-1", "11111111111111111111111111111111", "process.env.KEY", "this_is_a_long_name_2", "00000000-0000-0000-0000-000000000000"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			judge(t, tc.name, map[validate.Verdict][]string{validate.Pass: tc.pass, validate.Reject: tc.fail})
		})
	}
}

func TestGitHubToken(t *testing.T) {
	body := []byte("abcdefghijklmnopqrstuvwxyzABCD")
	sum := validate.GitHubChecksum(body)
	token := append([]byte("ghp_"), append(body, sum[:]...)...)
	if validate.GitHubToken(token) != validate.Pass {
		t.Error("a token with its checksum does not pass")
	}
	token[10]++
	if validate.GitHubToken(token) != validate.Unknown {
		t.Error("a token with another checksum is not unknown")
	}
}

func TestEveryValidatorIsFound(t *testing.T) {
	for _, name := range validate.Names() {
		v, ok := validate.ByName(name)
		if !ok || v.Check == nil || v.Weight < 0 || v.Weight > 1 {
			t.Errorf("validator %s is incomplete", name)
		}
	}
	if _, ok := validate.ByName("none"); ok {
		t.Error("an unknown validator is found")
	}
}

// FuzzValidators gives every check foreign bytes: none may panic, and none may change them.
func FuzzValidators(f *testing.F) {
	for _, s := range []string{"", "4111111111111111", "DE89370400440532013000", "0x", "bc1", "a.b.c", "-----BEGIN X-----\nAA-----END", "+", "..", "\xff", "1-2", "ghp_", "[1,2]", "nsec1qqqqqq", "11111", "S", "abandon about", "0x0"} {
		f.Add([]byte(s))
	}
	names := validate.Names()
	f.Fuzz(func(t *testing.T, b []byte) {
		before := string(b)
		for _, name := range names {
			v, _ := validate.ByName(name)
			if got := v.Check(b); got < validate.Reject || got > validate.Pass {
				t.Fatalf("%s answers %d", name, got)
			}
		}
		validate.Placeholder(b)
		if h := validate.Entropy(b); h < 0 || h > 8 {
			t.Fatalf("entropy %v", h)
		}
		if string(b) != before {
			t.Fatal("a check changed its input")
		}
	})
}

// A word of documentation makes a filler of a value, but not where chance put its letters.
func TestFiller(t *testing.T) {
	for in, want := range map[string]bool{
		"YOUR_API_KEY":                      true,
		"sk-yourTokenGoesHere1234":          true,
		"0x4AAAAAYOUR_SECRET_HERE":          true,
		"RWRTY0IyYOUR_TOKEN_HERE":           true,
		"todo":                              true,
		"fake-5e1f0a4c1d9a553f1f1a2b3c":     true,
		"xxxxxxxxxxxxxxxxxxxxxxxx":          true,
		"hf_kZ8TodOqP3vRw7LmXn2Bt5Gy9Hd4Jc": false,
		"q7fakez9w3Lk5Pm1Xv8Rt2Yb6Nc4Hd0Js": false,
		"Kd8YourpmQ7xV4nZ9wL3tB6yG1hJ5cR0s": false,
	} {
		if got := validate.Filler([]byte(in)); got != want {
			t.Errorf("Filler(%q) = %t", in, got)
		}
	}
}
