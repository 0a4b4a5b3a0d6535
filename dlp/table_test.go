package dlp_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp"
)

// Made up for these tests, and valid nowhere.
const (
	tablePassword = "Fkt-TVy_46!42Wjl"
	tableKey      = "9f8c7b6a5d4e3f2a1b0c9d8e7f6a5b4c"
)

func TestValuesBelowTheNameOfTheirColumn(t *testing.T) {
	for name, tc := range map[string]struct {
		text string
		want []string // detector:value
	}{
		"CSV":                          {"id,name,password\n1,Ann,\n2,Bo," + tablePassword + "\n", []string{"secret.password_assignment:" + tablePassword}},
		"CSV with quotes":              {"\"id\",\"api_key\",\"note\"\r\n\"1\",\"" + tableKey + "\",\"a, b\"\r\n", []string{"secret.generic_api_key:" + tableKey}},
		"a separator in a quoted cell": {"note;password;id\n\"a; b\";" + tablePassword + ";2\n", []string{"secret.password_assignment:" + tablePassword}},
		"tabs":                         {"id\tapi key\n1\t" + tableKey + "\n", []string{"secret.generic_api_key:" + tableKey}},
		"a table in Markdown":          {"See:\n\n| name | password |\n|------|:---|\n| ann | " + tablePassword + " |\n", []string{"secret.password_assignment:" + tablePassword}},
		"a table within a text":        {"Rows:\nid,password\n1," + tablePassword + "\n\nThank you", []string{"secret.password_assignment:" + tablePassword}},
		"a line feed in a cell":        {"id,note,password\n1,\"two\nlines\",none\n2,x," + tablePassword + "\n", []string{"secret.password_assignment:" + tablePassword}},
		"INSERT":                       {"insert into t (name, api_key) values ('Bo (x), y', '" + tableKey + "');", []string{"secret.generic_api_key:" + tableKey}},
		"INSERT of two rows":           {"INSERT INTO t (password, id)\nVALUES ('x', 1),\n  ('" + tablePassword + "', 2);", []string{"secret.password_assignment:" + tablePassword}},
		"cells of HTML":                {"<tr><th>API key</th>\n  <td class=\"mono\">" + tableKey + "</td></tr>", []string{"secret.generic_api_key:" + tableKey}},
		"a list of HTML":               {"<dl><dt><b>Password:</b></dt><dd>" + tablePassword + "</dd></dl>", []string{"secret.password_assignment:" + tablePassword}},
		"a heading of HTML":            {"<h2>API key</h2>\n<p>Never share it.</p>", nil},
		"another column":               {"id,password,note\n1,," + tablePassword + "\n", nil},
		"a row of another width":       {"Rows:\nid,password\n1,2," + tablePassword + "\n", nil},
		"a row is no header":           {"Rows:\nid,note\n1,password\n2," + tablePassword + "\n", nil},
		"behind the end of the table":  {"Rows:\nid,password\n1,x\n\n2," + tablePassword + "\n", nil},
		"words in a column":            {"id,password\n1,yes\n2,changed\n3,<hidden>\n", nil},
		"prose":                        {"Give me the password, please\nI wait, " + tablePassword + "!!\n", nil},
	} {
		t.Run(name, func(t *testing.T) {
			res, err := engine(t, dlp.DefaultConfiguration()).Scan([]byte(tc.text), dlp.Keys{})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, m := range res.Matches {
				got = append(got, m.Detector+":"+tc.text[m.Start:m.End])
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A table that begins its text has no end: every row counts, and the same ones for each size of blocks.
func TestEveryRowOfALongTable(t *testing.T) {
	var b strings.Builder
	b.WriteString("id,name,password,city\n")
	const rows = 4000
	for i := range rows {
		fmt.Fprintf(&b, "%d,Person %d,Fkt-TV%04dy!Wjl,Somewhere\n", i, i, i)
	}
	for _, size := range []int{1 << 10, 5000, 64 << 10, 1 << 20} {
		cfg := dlp.DefaultConfiguration()
		cfg.BlockSize, cfg.MaxMatches = size, rows
		e, err := dlp.New(builtin(t), cfg)
		if err != nil {
			t.Fatal(err)
		}
		res, err := e.Scan([]byte(b.String()), dlp.Keys{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, m := range res.Matches {
			if m.Detector == "secret.password_assignment" {
				n++
			}
		}
		if n != rows {
			t.Errorf("blocks of %d: %d values, want %d", size, n, rows)
		}
	}
}
