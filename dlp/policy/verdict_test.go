package policy

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCheckTellsAllThatIsWrong(t *testing.T) {
	text := file("content.x", `items: ["*"]`, `colour == "red" && size == 1`)
	text = strings.Replace(text, "severity: high", `severity: 'shape ? "high" : "low"'`, 1)
	v := Check([]byte(text), nil)
	var got []string
	for _, issue := range v.Issues {
		got = append(got, issue.Error())
	}
	want := []string{
		"policy content.x: line 8, column 3: undeclared reference to 'colour'", "policy content.x: line 8, column 22: undeclared reference to 'size'",
		"policy content.x: line 4, column 12: undeclared reference to 'shape'",
	}
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], " (candidates")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("issues (-want +got):\n%s", diff)
	}
	if v.Policy == nil || v.Policy.ID != "content.x" || len(v.Tests) != 0 {
		t.Errorf("verdict %+v", v)
	}
	v.Refuse("id", "the id %s is taken", v.Policy.ID)
	if last := v.Issues[len(v.Issues)-1]; last.Line != 1 || last.Column != 5 || v.Red() {
		t.Errorf("refused at line %d, column %d", last.Line, last.Column)
	}
}

func TestCheckOfAGoodPolicy(t *testing.T) {
	v := Check([]byte(good), nil)
	if len(v.Issues) != 0 || v.Red() || len(v.Tests) == 0 || v.Cost == 0 || v.Cost > MaxStaticCost || len(v.Levels) != 1 {
		t.Errorf("verdict %+v", v)
	}
	for _, r := range v.Tests {
		if !r.Passed || r.Line == 0 || r.Column == 0 {
			t.Errorf("result %+v", r)
		}
	}
	loop := Check([]byte(file("content.x", `items: ["*"]`, `activity.fields.exists(k, activity.fields.exists(l, k + l == "x"))`)), nil)
	if len(loop.Issues) != 1 || !strings.Contains(loop.Issues[0].Message, "could cost more than") {
		t.Errorf("two loops in one another: %v", loop.Issues)
	}
}

func TestSplitTakesApartWhatJoinWrote(t *testing.T) {
	a, b := file("content.a", `items: ["*"]`, "true"), strings.TrimSuffix(file("content.b", `items: ["*"]`, "true || \n---1 == 1"), "\n")
	joined := Join([][]byte{[]byte(a), []byte(b)})
	got := Split(append([]byte("# All of ours\n---\n"), joined...))
	if len(got) != 2 || string(got[0].Data) != a || string(got[1].Data) != b+"\n" || got[0].Line != 3 || got[1].Line != 3+strings.Count(a, "\n")+1 {
		t.Errorf("Split gave %+v", got)
	}
	if got := Split([]byte("--- {id: x}\n--- # a comment\n# nothing\n---\n")); len(got) != 1 || string(got[0].Data) != "--- {id: x}\n" {
		t.Errorf("Split gave %+v", got)
	}
}

func TestWithVersionChangesNothingElse(t *testing.T) {
	text := "# é\r\n" + strings.Replace(file("content.x", `items: ["*"]`, "true"), "version: 3", "version: 3   # mine", 1)
	got, err := parse(t, text).WithVersion(12)
	if want := strings.Replace(text, "version: 3 ", "version: 12 ", 1); err != nil || string(got) != want {
		t.Errorf("WithVersion gave %v\n%s", err, got)
	}
	if _, err := parse(t, strings.Replace(text, "version: 3", `version: !!int "3"`, 1)).WithVersion(4); err == nil {
		t.Error("a version that is no plain number was changed")
	}
	flow := `{id: content.x, "version": 7, title: T, severity: low, guide: Look., on: {items: [message]}, when: "true"}`
	if got, err := parse(t, flow).WithVersion(8); err != nil || string(got) != strings.Replace(flow, "7", "8", 1) {
		t.Errorf("WithVersion gave %v\n%s", err, got)
	}
}

func TestSketchShowsWhatCanBeRead(t *testing.T) {
	p := Sketch([]byte(strings.Replace(file("content.x", `items: ["*"]`, "true"), "guide:", "gide:", 1)))
	if p.ID != "content.x" || p.Version != 3 || p.Kind != KindContent || p.Severity != SeverityHigh {
		t.Errorf("sketch %+v", p)
	}
	if p := Sketch([]byte("a: [")); p.ID != "" {
		t.Errorf("sketch %+v", p)
	}
}
