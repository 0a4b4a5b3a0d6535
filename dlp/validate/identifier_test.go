package validate_test

import (
	"testing"

	"github.com/outband/outband/dlp/validate"
)

// The numbers that pass are specimens of the authorities and of their handbooks, or published numbers of companies.
func TestIdentifiers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		pass    []string
		unknown []string
		fail    []string
	}{
		{"curp", []string{"BOXW310820HNERXN09", "HEGG560427MVZRRL04"}, nil, []string{"BOXW310820HNERXN08", "BOXW311320HNERXN09", "BOXW310820HXXRXN09", "BOXW310820"}},
		{"rfc", []string{"GODE561231GR8"}, []string{"GODE561231GR7"}, []string{"GODE561331GR8", "GODE56123XGR8", "GODE561231"}},
		{"cuit", []string{"20-05536168-2", "20055361682", "30-50001091-2"}, nil, []string{"20-05536168-3", "21-05536168-2", "20-11111111-1"}},
		{"rut", []string{"12.531.909-2", "30.686.957-4", "12531909-2"}, nil, []string{"12.531.909-3", "11.111.111-1", "6.452.188-9"}},
		{"nit", []string{"213.123.432-1"}, nil, []string{"213.123.432-5", "111.111.111-1"}},
		{"ruc", []string{"20512333797"}, nil, []string{"20512333798", "30512333797", "20111111111"}},
		{"ec_cedula", []string{"171430710-3"}, nil, []string{"171430710-8", "251430710-3", "176430710-3"}},
		{"uy_id", []string{"1.234.567-2"}, nil, []string{"1.234.567-3", "1111111-1"}},
		{"do_id", []string{"001-1391820-5"}, nil, []string{"001-1391820-6", "000-0000000-0"}},
		{"ein", []string{"04-2103594", "91-1144442"}, nil, []string{"07-1144442", "12-3456789", "00-1144442"}},
		{"vin", []string{"1M8GDM9AXKP042788", "5GZCZ43D13S812715"}, []string{"WVWZZZ1JZXW000010"}, []string{"1M8GDM9AXKPO42788", "11111111111111111", "12345678901234567"}},
		{"hetu", []string{"131052-308T", "131052-308T"}, nil, []string{"131052-308U", "131352-308T", "131052*308T", "131052-950T"}},
		{"cpr", []string{"211062-5629"}, []string{"211062-5628"}, []string{"321062-5629", "211362-5629", "2110625"}},
		{"fodselsnummer", []string{"15108695088"}, nil, []string{"15108695077", "32108695088", "15138695088"}},
		{"kennitala", []string{"450401-3150", "120174-3399"}, nil, []string{"530575-0299", "320174-3399", "120174-3393"}},
		{"isikukood", []string{"36805280109", "33309240064", "38703181745"}, nil, []string{"36805280108", "06805280109", "36813280109"}},
		{"personas_kods", []string{"161175-19997"}, []string{"325719-10021"}, []string{"161175-19998", "311375-19997"}},
		{"utr", []string{"1955839661"}, nil, []string{"2955839661", "1234567890"}},
		{"pps", []string{"6433435F", "6433435FT", "6433435FW", "6433435OA", "6433435IH"}, nil, []string{"6433435E", "6433435VH", "1111111A"}},
		{"uk_driving_licence", []string{"MORGA753116SM9IJ", "JONES951105J99AB"}, nil, []string{"MORGA713116SM9IJ", "MORGA753326SM9IJ", "M9RGA753116SM9IJ", "12345753116SM9IJ"}},
		{"svnr", []string{"1237 010180"}, nil, []string{"2237 010180", "1237 011980", "0237 010180"}},
		{"ahv", []string{"756.9217.0769.85"}, nil, []string{"756.9217.0769.84", "123.4567.8910.19"}},
		{"de_pension", []string{"15 070649 C 103", "65170839J003"}, nil, []string{"15 070649 C 104", "15 073249 C 103", "00 070649 C 103"}},
		{"kvnr", []string{"A123456780"}, nil, []string{"A123456789", "1123456780", "A111111111"}},
		{"de_document", []string{"T220001293", "L01X00T471"}, []string{"L01X00T47"}, []string{"T220001294", "AB12345678", "TTTTTTTTT"}},
		{"mrz", []string{"L898902C36UTO7408122F1204159ZE184226B<<<<<10"}, nil, []string{"L898902C36UTO7408122F1204159ZE184226B<<<<<11", "L898902C35UTO7408122F1204159ZE184226B<<<<<10"}},
		{"be_id", []string{"85.07.30-033.28", "17 07 30-033 84"}, nil, []string{"85.07.30-033.29", "85.13.30-033.28"}},
		{"lu_id", []string{"1893120105732"}, nil, []string{"1893120105733", "1893120105742", "1793120105732"}},
		{"pt_nif", []string{"501964843"}, nil, []string{"501964842", "123456789", "111111111"}},
		{"cif", []string{"A58818501", "J99216582", "J-99216582"}, nil, []string{"J99216583", "I99216582", "A11111111"}},
		{"siren", []string{"552 008 443", "73282932000074", "356 000 000 49837"}, nil, []string{"552008442", "73282932000079", "111111111"}},
		{"partita_iva", []string{"00743110157"}, nil, []string{"00743110158", "00000000000", "00743119997"}},
		{"pl_nip", []string{"8567346215", "856-734-62-15"}, nil, []string{"8567346216", "0007346215"}},
		{"birth_number", []string{"710319/2745", "736028/5163"}, []string{"531103/116"}, []string{"710319/2746", "991231123", "1103492745", "590313/1231"}},
		{"taj", []string{"111 111 110", "037 687 210"}, nil, []string{"111 111 111", "037 687 211"}},
		{"hu_tax", []string{"8071592153"}, nil, []string{"8071592154", "9071592153"}},
		{"cnp", []string{"1630615123457"}, nil, []string{"0800101221142", "1632215123457", "1630615123458"}},
		{"egn", []string{"752316 926 3", "8032056031"}, nil, []string{"7523169264", "8019010008"}},
		{"oib", []string{"33392005961"}, nil, []string{"33392005962", "11111111111"}},
		{"jmbg", []string{"0101006500006"}, nil, []string{"0101006500007", "3201006500006", "0101506500006"}},
		{"amka", []string{"01013099997"}, nil, []string{"01013099999", "01133099997"}},
		{"afm", []string{"094259216", "023456780"}, nil, []string{"123456781", "000000000"}},
		{"tckn", []string{"17291716060"}, nil, []string{"17291716050", "07291716092", "11111111111"}},
		{"rnokpp", []string{"1759013776"}, nil, []string{"1759013770", "1111111111"}},
		{"snils", []string{"112-233-445 95"}, nil, []string{"112-233-445 96", "000-000-000 00"}},
		{"inn", []string{"7707083893", "500100732259"}, nil, []string{"7707083894", "500100732258", "0000000000"}},
		{"iin", nil, nil, []string{"901315350014", "123456789012"}},
		{"resident_id", []string{"360426199101010071", "11010519491231002X", "11010519491231002x"}, nil, []string{"360426199101010072", "99010519491231002X", "11010519491331002X"}},
		{"hkid", []string{"A123456(3)", "AB987654(3)"}, nil, []string{"A123456(4)", "1234567(3)", "A111111(1)"}},
		{"tw_id", []string{"B142610160"}, nil, []string{"B142610161", "A123456789", "1234567890"}},
		{"my_number", []string{"123456789018"}, nil, []string{"123456789012", "111111111111"}},
		{"rrn", []string{"971013-9019902"}, []string{"971013-9019903"}, []string{"971313-9019902", "9710139"}},
		{"nric", []string{"S1234567D", "F7654321Q"}, nil, []string{"S1234567E", "F1234567N", "A1234567D"}},
		{"mykad", []string{"770305-02-1235"}, nil, []string{"771305-02-1234", "770305-17-1234"}},
		{"th_id", []string{"3100600445635", "1-2345-45678-78-1"}, nil, []string{"1234545678782", "0100600445635"}},
		{"nik", []string{"3171011708450001"}, nil, []string{"1071011708450001", "3171013208450001", "3171011708450000"}},
		{"cccd", []string{"001 093 012345"}, nil, []string{"000093012345", "099093012345", "001993012345"}},
		{"gstin", []string{"27AAPFU0939F1ZV"}, nil, []string{"27AAPFU0939F1ZO", "00AAPFU0939F1ZV", "27AAPFU0939F1YV"}},
		{"cnic", []string{"34201-0891231-8"}, nil, []string{"94201-0891231-8", "11111-1111111-1", "34201-1234567-8"}},
		{"lk_nic", []string{"853400937V", "198534000937"}, nil, []string{"859990937V", "853400937A", "178534000937"}},
		{"il_id", []string{"039337423"}, nil, []string{"3933742-2", "123456782", "000000000"}},
		{"emirates_id", []string{"784-1980-1234567-8"}, nil, []string{"784-1980-1234567-9", "785-1980-1234567-9", "784-1780-1234567-9"}},
		{"sa_id", nil, nil, []string{"3123234348", "1111111111"}},
		{"za_id", []string{"7503305044089"}, nil, []string{"8503305044089", "7513305044089", "9125568"}},
		{"abn", []string{"83 914 571 673", "51 824 753 556"}, nil, []string{"99999999999", "51 824 753 557"}},
		{"au_medicare", []string{"2123 45670 1", "2123456701"}, nil, []string{"2123 45671 1", "7123 45670 1", "2123 45670 0"}},
		{"au_ihi", []string{"8003608833357361"}, nil, []string{"8003608833357362", "8003908833357361"}},
		{"ird", []string{"4909185-0", "49-091-850", "136-410-132", "136410132"}, nil, []string{"136410133", "9125568", "123456789"}},
		{"nhi", []string{"ZAC5361", "ZAD96LT", "ZBD96LM"}, nil, []string{"ZAC3561", "ZAD96LM", "ZAI5361", "DAB8233"}},
		{"vat", []string{
			"ATU13585627", "BE0428759497", "BG175074752", "CY10259033P", "CZ25123891", "CZ7103192745", "DE136695976", "DK13585628", "EE100931558", "EL094259216", "ESA58818501",
			"FI20774740", "FR40303265045", "GB980780684", "HR33392005961", "HU12892312", "IE6433435F", "IT00743110157", "LT119511515", "LT100001919017", "LU15027442",
			"LV40003521600", "MT11679112", "NL004495445B01", "NL002455799B11", "PL8567346215", "PT501964843", "RO18547290", "SE123456789701", "SI50223054", "SK2022749619",
		}, []string{"FRK7399859412"}, []string{
			"ATU13585626", "BE0431150351", "BG175074751", "CY10259033Z", "CZ25123890", "DE136695978", "DK13585627", "EE100594103", "EL123456781", "ESJ99216583", "FI20774741",
			"FR84323140391", "GB802311781", "HU12892313", "IT00743110158", "LT100001919018", "LU15027443", "LV40003521601", "MT11679113", "NL123456789B90", "RO18547291",
			"SE123456789101", "SI50223055", "SK2022749618", "US136695976", "DE111111111",
		}},
		{"iban", []string{"HN88CABF00000000000250005469", "YE15CBYE0001018861234567891234", "LY83002048000020100120361", "RU0304452522540817810538091310419"}, nil, []string{"HN88CABF00000000000250005468", "YE15CBYE000101886123456789123"}},
		{"isin", []string{"US0378331005", "DE000BAY0017", "GB0002634946", "XS0104440986"}, nil, []string{"US0378331004", "ZZ0378331005", "US0378331O05", "us0000"}},
		{"cusip", []string{"037833100", "DUS0421C5", "17275R102"}, nil, []string{"037833101", "DUS0421CN", "ABCDEFGH1"}},
		{"sedol", []string{"0263494", "B15KXQ8"}, nil, []string{"0263495", "A15KXQ8", "1111111"}},
		{"lei", []string{"213800KUD8LAJWSQ9D15", "5493001KJTIIGC8Y1R12", "HWUPKR0MPOU8FGXBT394"}, nil, []string{"213800KUD8LXJWSQ9D15", "213800KUD8LAJWSQ9D1"}},
		{"clabe", []string{"032180000118359719", "002010077777777771"}, nil, []string{"032180000118359718", "000000000000000000"}},
		{"cbu", []string{"2850590940090418135201", "28505909 40090418135201"}, nil, []string{"2850590940090418135207", "2850590840090418135201"}},
		{"ifsc", []string{"SBIN0005943", "HDFC0CAGSBK"}, nil, []string{"SBIN1005943", "SB1N0005943", "SBIN0000000"}},
		{"sort_code", nil, []string{"20-00-00", "40-47-84"}, []string{"00-00-00", "00-12-34", "11-11-11"}},
		{"bsb", []string{"062-000"}, nil, []string{"00-0123", "000-123", "111-111"}},
		{"transit", []string{"00011-001", "000100011"}, nil, []string{"11111-001", "12345-000", "999100011"}},
		{"track", []string{"%B4111111111111111^WEBER/MIA^29121011000?", ";4111111111111111=29121011000?"}, nil, []string{";4111111111111112=29121011000?", "%B"}},
		{"ltc", []string{"LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9"}, nil, []string{"LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH8", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"}},
		{"doge", []string{"DH5yaieqoZN36fDVciNyRueRGvGLR3mr7L"}, nil, []string{"DH5yaieqoZN36fDVciNyRueRGvGLR3mr7M"}},
		{"trx", []string{"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"}, nil, []string{"TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6u"}},
		{"xrp", []string{"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "rvYAfWj5gh67oV6fW32ZzP3Aw4Eubs59B"}, nil, []string{"rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi"}},
		{"sol", nil, []string{"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"}, []string{"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt10", "short"}},
		{"xmr", []string{"44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"}, nil, []string{"44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3B", "44AFF"}},
		{"bech32", []string{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "addr1qx2fxv2umyhttkxyxp8x0dlpdt3k6cwng5pxj3jhsydzer3n0d3vllmyqwsx5wktcd8cc3sq835lu7drv2xwl2wywfgse35a3x"}, nil, []string{"bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", "1qq", "addr1short"}},
		{"cashaddr", []string{"bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6a"}, nil, []string{"bitcoincash:qpm2qsznhks23z7629mms6s4cwef74vcwvy22gdx6b", "qpm2"}},
		{"us_state_zip", []string{"IL 62704", "CA 94105-1234", "NY 10001"}, nil, []string{"CA 10001", "XX 62704", "IL 00000"}},
		{"uk_postcode", []string{"SW1A 1AA", "EC1A 1BB", "M1 1AE", "B33 8TH", "CR2 6XH", "DN55 1PT"}, nil, []string{"QQ1 1AA", "A1 1AA", "SW1A 1CK", "SW1A AAA"}},
		{"phone_national", nil, []string{"030 901820", "0151-23456789", "06 12 34 56 78"}, []string{"00 123 4567", "11111111", "12345", "0100000000"}},
		{"birth_date", []string{"1984-03-07", "07.03.1984", "3/27/84", "27/03/1984"}, nil, []string{"1884-03-07", "1984-13-32", "1.2.3.4", "1984"}},
		{"mbi", []string{"2EG5-TE6-MK74", "9AA9AA9AA99"}, nil, []string{"1EG4-TE5-MK73", "1SG4TE5MK74", "0EG4TE5MK74", "1EG4TE5MK7A"}},
		{"chi", nil, nil, []string{"3201336489", "0101010000"}},
		{"luhn", []string{"79927398713"}, nil, []string{"79927398710", "0000"}},
		{"mac", []string{"3c:22:fb:9a:1e:07", "3C-22-FB-9A-1E-07"}, nil, []string{"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "00:11:22:33:44:55", "3c:22:fb-9a:1e:07", "3g:22:fb:9a:1e:07"}},
		{"ipv6_private", []string{"fd12:3456:789a:1::1", "fe80::1ff:fe23:4567:890a", "fd00:0:0:0:0:0:0:1"}, nil, []string{"2001:db8::1", "fd12::1::2", "fd12:3456", "fd12:34567::1"}},
		{"cnpj", []string{"12.ABC.345/01DE-35"}, nil, []string{"12.ABC.345/01DE-36", "12.ABC.345/01DE-3A"}},
		{"card", []string{"9792 0303 9444 0796"}, nil, []string{"9792 0303 9444 0797"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, ok := validate.ByName(tc.name)
			if !ok {
				t.Fatal("no such validator")
			}
			for want, list := range map[validate.Verdict][]string{validate.Pass: tc.pass, validate.Unknown: tc.unknown, validate.Reject: tc.fail} {
				for _, s := range list {
					if got := v.Check([]byte(s)); got != want {
						t.Errorf("%q: verdict %d, want %d", s, got, want)
					}
				}
			}
		})
	}
}
