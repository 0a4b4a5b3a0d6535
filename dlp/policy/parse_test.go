package policy

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const good = `id: content.example
version: 2
title: Example
description: An example.
severity: medium
kind: content
guide: Open {resource.url}.
on:
  items: [message, file]
when: count("financial.card", 0.6) > 0
mode: shadow
references:
  - https://docs.example/cards
tests:
  - name: flat keys
    input:
      item.kind: file
      resource.kind: chat
      actor.groups: [ops]
      file.size: 12
      now: 2026-02-01T00:00:00Z
      matches: [{detector: financial.card}]
    want: true
  - name: nested keys
    input:
      resource: {kind: chat, visibility: public}
      actor: {external: true}
      matches:
        - {detector: financial.card, confidence: 0.5, count: 3}
    want: false
`

func TestParse(t *testing.T) {
	p := parse(t, good)
	want := &Policy{
		ID: "content.example", Version: 2, Title: "Example", Description: "An example.", Severity: "medium", Kind: KindContent,
		Guide: "Open {resource.url}.", On: On{Items: []string{"message", "file"}}, When: `count("financial.card", 0.6) > 0`, Mode: ModeShadow,
		References: []string{"https://docs.example/cards"},
	}
	tests := p.Tests
	got := *p
	got.Tests, got.source, got.when = nil, nil, place{}
	if diff := cmp.Diff(want, &got, cmp.AllowUnexported(Policy{}, place{})); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	if len(tests) != 2 || tests[0].input.Item.Kind != "file" || tests[0].input.File.Size != 12 || len(tests[0].input.Matches) != 1 ||
		tests[1].input.Item.Kind != "message" || tests[1].input.Resource.Visibility != "public" || !tests[1].input.Actor.External || len(tests[1].input.Matches) != 3 {
		t.Errorf("the tests were read as %+v", tests)
	}
	if string(p.Source()) != good {
		t.Error("Source is not the file")
	}
	if got := p.GuideFor("https://app.example/chat/1"); got != "Open https://app.example/chat/1." {
		t.Errorf("GuideFor gave %q", got)
	}
	if got := p.GuideFor(""); got != "Open the SaaS app." {
		t.Errorf("GuideFor without a link gave %q", got)
	}
	if _, err := Compile([]*Policy{p}, nil, []string{"financial.card"}); err != nil {
		t.Error(err)
	}
}

func TestParseErrors(t *testing.T) {
	swap := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	for _, tc := range []struct{ name, file, want string }{
		{"an empty file", "", "line 1, column 1: the file is empty"},
		{"a list", "- a\n", "line 1, column 1: a policy must be a mapping of keys to values"},
		{"broken YAML", "id: a\n  b: [\n", "line 2, column 1: mapping values are not allowed in this context"},
		{"a second document", good + "---\nid: x\n", "line 31, column 1: a file holds one policy; this is a second document"},
		{"an unknown key", swap("title: Example", "title: Example\nseverty: high"),
			`policy content.example: line 4, column 1: unknown key "severty" in a policy; the keys are about, closed_by, description, guide, id, kind, locked, mode, on, references, severity, tests, title, version, when`},
		{"a key twice", swap("version: 2", "version: 2\nversion: 3"), `policy content.example: line 3, column 1: the key "version" stands here twice`},
		{"a missing key", swap("guide: Open {resource.url}.\n", ""), `policy content.example: line 1, column 1: the key "guide" is missing`},
		{"an id that is none", swap("content.example", "Content"), `line 1, column 5: "Content" is not lower-case words joined by dots, such as content.card_numbers`},
		{"a version that is text", swap("version: 2", "version: two"), "policy content.example: line 2, column 10: a whole number is expected here"},
		{"a version of 0", swap("version: 2", "version: 0"), "policy content.example: line 2, column 10: a whole number from 1 to 1000000 is expected here"},
		{"an unknown severity", swap("medium", "urgent"), `policy content.example: line 5, column 11: "urgent" is none of critical, high, medium, low, info`},
		{"an unknown mode", swap("shadow", "silent"), `policy content.example: line 11, column 7: "silent" is none of on, shadow, off`},
		{"a kind that on: contradicts", swap("kind: content", "kind: posture"), `policy content.example: line 6, column 7: kind is "posture", but on: makes it "content"`},
		{"two lists in on:", swap("items: [message, file]", "items: [message]\n  records: [key]"), "policy content.example: line 9, column 3: on: takes exactly one of items, activities and records"},
		{"an empty list", swap("[message, file]", "[]"), "policy content.example: line 9, column 10: the list is empty"},
		{"an entry twice", swap("[message, file]", "[file, file]"), `policy content.example: line 9, column 17: "file" stands in the list twice`},
		{"a glob that is none", swap("items: [message, file]", "activities: [Key_created]"),
			`line 9, column 16: glob "Key_created" holds 'K'; ids have a-z, 0-9, _, - and ., a glob also * and ?`},
		{"another placeholder", swap("{resource.url}", "{resource.name}"), "policy content.example: line 7, column 8: the guide has the placeholder {resource.name}; the only one is {resource.url}"},
		{"a reference that is no address", swap("https://docs", "ftp://docs"), "policy content.example: line 13, column 5: a reference is an https:// address"},
		{"an alias", swap("title: Example", "title: &a Example\ndescription: *a") + "", "policy content.example: line 3, column 8: anchors and aliases are not allowed"},
		{"an expression that is a truth value", swap(`when: count("financial.card", 0.6) > 0`, "when: true"),
			"policy content.example: line 10, column 7: text (in quotes, if it looks like a number or a date) is expected here"},
		{"an expression that is too long", swap(`> 0`, "> 0"+strings.Repeat(" || false", 500)), "policy content.example: line 10, column 7: the expression has 4532 bytes, more than the 4096 allowed"},
		{"a test without a name", swap("name: flat keys\n    input", "input"), "policy content.example: line 15, column 5: a test needs a name"},
		{"a test without want", swap("    want: true\n", ""), `policy content.example: line 15, column 5: test "flat keys" needs want: true or false`},
		{"two tests of one name", swap("nested keys", "flat keys"), `policy content.example: line 24, column 5: two tests have the name "flat keys"`},
		{"an unknown variable in a test", swap("resource.kind: chat", "resource.colour: red"), `line 18, column 7: unknown key "resource.colour" in the input`},
		{"a confidence above 1", swap("confidence: 0.5", "confidence: 5"), "policy content.example: line 29, column 50: a number from 0 to 1 is expected here"},
		{"a time that is none", swap("2026-02-01T00:00:00Z", "yesterday"), "policy content.example: line 21, column 12: a time such as 2026-01-15T12:00:00Z is expected here"},
		{"a match without a detector", swap("[{detector: financial.card}]", "[{count: 2}]"), "policy content.example: line 22, column 17: a match needs a detector"},
		{"too many matches", swap("count: 3", "count: 20000"), "policy content.example: line 29, column 62: a whole number from 1 to 10000 is expected here"},
		{"a file that is too large", good + strings.Repeat("#", MaxFileBytes), "the file has 66220 bytes, more than the 65536 allowed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Parse([]byte(tc.file))
			if err == nil {
				t.Fatal("Parse accepts it")
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			if !errors.Is(err, ErrInvalid) || !strings.Contains(first, tc.want) {
				t.Errorf("Parse gave\n%s\nwant\n%s", first, tc.want)
			}
		})
	}
}

func TestCompileErrors(t *testing.T) {
	known := []string{"financial.card", "secret.aws_access_key_id", "secret.generic_api_key"}
	block := func(when string) string { return file("content.x", `items: ["*"]`, when) }
	inline := func(when string) string {
		return strings.Replace(file("content.x", `items: ["*"]`, "X"), "|\n  X", when, 1)
	}
	for _, tc := range []struct{ name, file, want string }{
		{"a misspelt variable", block(`resource.nam == ""`), "policy content.x: line 8, column 3: undeclared reference to 'resource'"},
		{"a misspelt variable in the second line", block("kind == \"message\"\n  && knd == \"\""), "policy content.x: line 9, column 8: undeclared reference to 'knd'"},
		{"a misspelt variable in a plain text", inline(`kind == knd`), "policy content.x: line 7, column 15: undeclared reference to 'knd'"},
		{"a misspelt variable in quotes", inline(`'kind == knd'`), "policy content.x: line 7, column 16: undeclared reference to 'knd'"},
		{"no column in a text with escapes", inline(`"kind == \"a\" && knd == kind"`), "policy content.x: line 7: undeclared reference to 'knd'"},
		{"no column in a folded text", inline(">\n  true\n  && knd"), "policy content.x: line 7: undeclared reference to 'knd'"},
		{"no column in a text of two lines", inline("true\n  && knd"), "policy content.x: line 7: undeclared reference to 'knd'"},
		{"broken syntax", block(`kind == `), "policy content.x: line 8, column 11: Syntax error"},
		{"a type error", block(`file.size == "large"`), "policy content.x: line 8, column 13: found no matching overload for '_==_' applied to '(int, string)'"},
		{"no truth value", block(`count("financial.card")`), "policy content.x: line 8, column 8: the expression gives int; it must give true or false"},
		{"a glob that is no literal", block(`count(kind) > 0`), "policy content.x: line 8, column 9: count() takes globs as a text literal"},
		{"no glob", block(`count() > 0`), "count() takes a glob and, if wanted, a lowest confidence"},
		{"excluded globs only", block(`count("!secret.*") > 0`), `policy content.x: line 8, column 9: "!secret.*" names no detector`},
		{"a bracket in a glob", block(`count("secret.[a-z]*") > 0`), `policy content.x: line 8, column 9: glob "secret.[a-z]*" holds '['`},
		{"an unknown detector", block(`count("secret.* financial.crad") > 0`), `policy content.x: line 8, column 9: no detector has an id like "financial.crad"`},
		{"an unknown excluded detector", block(`count("secret.* !secret.gneric_*") > 0`), `policy content.x: line 8, column 9: no detector has an id like "secret.gneric_*"`},
		{"an unknown detector in total", block(`total("none.*") > 0`), `policy content.x: line 8, column 9: no detector has an id like "none.*"`},
		{"a list of globs in total", block(`total("a.b c.d") > 0`), `policy content.x: line 8, column 9: glob "a.b c.d" holds ' '`},
		{"a confidence above 1", block(`count("secret.*", 60) > 0`), "policy content.x: line 8, column 21: a confidence goes from 0 to 1"},
		{"a confidence that is no literal", block(`count("secret.*", double(kind)) > 0`), "count() takes the lowest confidence as a number literal"},
		{"an unknown scope", block(`recent("x", "team", duration("1h")) > 0`), `policy content.x: line 8, column 15: recent() takes the scope "actor", "resource" or "connection"`},
		{"a duration that is computed", block(`recent("x", "actor", now - item.at) > 0`), `recent() takes a literal duration such as duration("1h")`},
		{"a duration that is too long", block(`recent("x", "actor", duration("5000h")) > 0`), "the duration of recent() goes up to 4320h, in units h, m and s"},
		{"a duration of 0", block(`recent("x", "actor", duration("0s")) > 0`), "the duration of recent() goes up to 4320h"},
		{"the hidden variable", block(`@unit == @unit`), "policy content.x: line 8, column 3: Syntax error"},
		{"a pattern out of the app", block(`resource.name.matches(activity.fields["x"])`), "the pattern of matches() must be a text literal"},
		{"a pattern that does not compile", block(`resource.name.matches("a(")`), "policy content.x: line 8, column 25: invalid matches argument"},
		{"a pattern that is too large", block(`resource.name.matches("(a{1,30}){1,30}")`), "policy content.x: line 8, column 25: the pattern of matches() is too large: repeat less"},
		{"loops over foreign lists in one another", block(`activity.fields.exists(a, activity.fields.exists(b, activity.fields[a] == activity.fields[b]))`), "policy content.x: line 8, column 3: the expression could cost more than 1000000 units"},
		{"four loops in one another", block(`[1].exists(a, [1].exists(b, [1].exists(c, [1].exists(d, a == d))))`), "comprehension exceeds nesting limit"},
		{"deep nesting", block(strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200)), "recursion"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Compile([]*Policy{parse(t, tc.file)}, nil, known)
			if err == nil {
				t.Fatal("Compile accepts it")
			}
			if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Compile gave\n%s\nwant\n%s", err, tc.want)
			}
		})
	}
}

func TestRedTestsAreRefused(t *testing.T) {
	base := file("activity.x", "activities: [key_created]", `activity.fields["a"] == "1"`)
	for _, tc := range []struct{ name, tests, want string }{
		{"all green", "  - {name: a, input: {activity.fields: {a: 1}}, want: true}\n  - {name: b, input: {activity.fields: {b: 1}}, want_error: true}\n", ""},
		{"wants true", "  - {name: the one, input: {activity.fields: {a: 2}}, want: true}\n", `policy activity.x: line 10, column 5: test "the one" gave false, want true`},
		{"fails unasked", "  - {name: the one, input: {}, want: false}\n", `policy activity.x: line 10, column 5: test "the one" gave error, want false`},
		{"wants an error", "  - {name: the one, input: {activity.fields: {a: 1}}, want_error: true}\n", `policy activity.x: line 10, column 5: test "the one" gave true, want error`},
		{"on: is looked at", "  - {name: the one, input: {activity.type: other, activity.fields: {a: 1}}, want: true}\n", `policy activity.x: line 10, column 5: test "the one" gave false, want true`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Compile([]*Policy{parse(t, base+"tests:\n"+tc.tests)}, nil, nil)
			if tc.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.Is(err, ErrRed) || err.Error() != tc.want {
				t.Errorf("Compile gave\n%v\nwant\n%s", err, tc.want)
			}
		})
	}
}

func TestLookupsOfTests(t *testing.T) {
	base := file("content.x", `items: ["*"]`, `total("a.b") == 4 && recent("c", "actor", duration("1h")) == 5 && recent("d", "actor", duration("1h")) == 0 && record.fields.deep.list[1].n == 2.0 && record.fields.none == null`)
	tests := "tests:\n  - name: answers\n    input: {total: 4, recent: {c: 5}, record.fields: {none: null, deep: {list: [true, {n: 2}]}}}\n    want: true\n"
	if _, err := Compile([]*Policy{parse(t, base+tests)}, nil, nil); err != nil {
		t.Error(err)
	}
}
