package policy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTestFiles(t *testing.T) {
	green := file("activity.green", "activities: [a]", `field("x") == "1"`) + "tests:\n  - {name: one, input: {activity.fields: {x: 1}}, want: true}\n"
	red := file("activity.red", "activities: [a]", `activity.fields["x"] == "1"`) + "tests:\n  - {name: two, input: {}, want: true}\n  - {name: three, input: {activity.fields: {x: 2}}, want: false}\n"
	invalid := file("activity.invalid", "activities: [a]", `colour == "red" && size == 1`)
	var out, problems bytes.Buffer
	report, err := TestSources(&out, &problems, []Source{
		{Name: "green.yaml", Data: []byte(green)}, {Name: "red.yaml", Data: []byte(red)}, {Name: "invalid.yaml", Data: []byte(invalid)},
		{Name: "gone.yaml", Err: errors.New("open: no such file")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Report{Policies: 2, Passed: 2, Failed: 1, Invalid: 2}, report); diff != "" {
		t.Errorf("TestSources (-want +got):\n%s", diff)
	}
	wantOut := `ok    activity.green: one
FAIL  activity.red: two: got error, want true
      policy activity.red: line 8, column 18: the evaluation failed: no such key
ok    activity.red: three
2 policies, 2 tests passed, 1 failed
`
	if diff := cmp.Diff(wantOut, out.String()); diff != "" {
		t.Errorf("out (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(problems.String(), "invalid.yaml: policy activity.invalid: line 8, column 3: undeclared reference to 'colour'\n") ||
		!strings.HasSuffix(problems.String(), "\ngone.yaml: open: no such file\n") {
		t.Errorf("problems are\n%s", problems.String())
	}
}

func TestWriteLists(t *testing.T) {
	list := builtin(t)
	var table, lines bytes.Buffer
	if err := errors.Join(WriteTable(&table, list), WriteJSON(&lines, list)); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(table.String(), "\n"); got != len(list)+1 || !strings.HasPrefix(table.String(), "ID ") {
		t.Errorf("the table has %d lines, want %d:\n%s", got, len(list)+1, table.String())
	}
	scanner := bufio.NewScanner(&lines)
	for i := 0; scanner.Scan(); i++ {
		var got Policy
		if err := json.Unmarshal(scanner.Bytes(), &got); err != nil || got.ID != list[i].ID || got.When != list[i].When {
			t.Errorf("line %d is %s: %v", i, scanner.Text(), err)
		}
	}
}
