package corpus

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// language is one that code is written in. Where a detector looks for it, the code counts as planted, but not as sensitive.
type language struct {
	detector string
	head     string // what a file begins with
	write    func(*rand.Rand) string
}

// languages write one piece of code each. Names and numbers are drawn; the forms are those of everyday code.
var languages = []language{
	{"source.go", "package report\n\nimport (\n\t\"fmt\"\n\t\"strings\"\n)\n\n", func(r *rand.Rand) string {
		v, f := ident(r), ident(r)
		return fmt.Sprintf("// %s\nfunc %s(%s []int) (int, error) {\n\ttotal := 0\n\tfor _, n := range %s {\n\t\tif n > %d {\n\t\t\treturn 0, fmt.Errorf(\"%s %%d: out of range\", n)\n\t\t}\n\t\ttotal += n\n\t}\n\treturn total, nil\n}\n\n",
			sentence(r), f, v, v, r.IntN(1000), f)
	}},
	{"source.python", "import json\nfrom pathlib import Path\n\n\n", func(r *rand.Rand) string {
		v, f := ident(r), ident(r)
		return fmt.Sprintf("def %s(%s, limit=%d):\n    \"\"\"%s\"\"\"\n    seen = {}\n    for row in %s:\n        if row.id in seen:\n            continue\n        seen[row.id] = row\n    return list(seen.values())[:limit]\n\n", f, v, r.IntN(1000), sentence(r), v)
	}},
	{"source.javascript", "import { rows } from './rows.js';\nimport path from 'node:path';\n\n", func(r *rand.Rand) string {
		v, f := ident(r), ident(r)
		return fmt.Sprintf("// %s\nexport async function %s(%s, options = {}) {\n  const res = await fetch(`/api/%s/${%s.id}`);\n  if (!res.ok) {\n    throw new Error(`%s: ${res.status}`);\n  }\n  return (await res.json()).map((x) => x.%s ?? %d);\n}\n\n",
			sentence(r), f, v, v, v, f, v, r.IntN(100))
	}},
	{"source.java", "package net.crane.report;\n\nimport java.util.Map;\nimport java.util.Optional;\n\npublic class Report {\n\n", func(r *rand.Rand) string {
		v, f := ident(r), ident(r)
		return fmt.Sprintf("    /** %s */\n    public Optional<String> %s(final Map<String, Integer> %s) {\n        return %s.entrySet().stream()\n            .filter(e -> e.getValue() > %d)\n            .map(Map.Entry::getKey)\n            .findFirst();\n    }\n\n",
			sentence(r), f, v, v, r.IntN(1000))
	}},
	{"source.sql", "BEGIN;\n\n", func(r *rand.Rand) string {
		v := ident(r)
		return fmt.Sprintf("-- %s\nSELECT a.id, a.%s, COUNT(b.id) AS total\nFROM %s a\nLEFT JOIN %s_rows b ON b.parent = a.id\nWHERE a.created > '2026-01-%02d' AND a.state = %d\nGROUP BY a.id, a.%s\nORDER BY total DESC;\n\n",
			sentence(r), v, v, v, 1+r.IntN(28), r.IntN(9), v)
	}},
	{"source.shell", "#!/bin/sh\nset -eu\n\n", func(r *rand.Rand) string {
		v := ident(r)
		return fmt.Sprintf("# %s\nfor f in ./%s/*.csv; do\n  if [ ! -s \"$f\" ]; then\n    echo \"skip $f\" >&2\n    continue\n  fi\n  sort -t, -k%d \"$f\" | uniq -c > \"out/$(basename \"$f\")\"\ndone\n\n", sentence(r), v, 1+r.IntN(8))
	}},
	{"source.c", "#include <stddef.h>\n#include \"report.h\"\n\n", func(r *rand.Rand) string {
		v := ident(r)
		return fmt.Sprintf("/* %s */\nstatic int %s(const unsigned char *p, size_t n)\n{\n\tsize_t i, sum = %d;\n\n\tfor (i = 0; i < n; i++)\n\t\tsum = (sum << 5) ^ p[i];\n\treturn (int)(sum %% %d);\n}\n\n", sentence(r), v, r.IntN(9999), 2+r.IntN(4096))
	}},
	{"source.rust", "use std::collections::HashMap;\n\n", func(r *rand.Rand) string {
		v := ident(r)
		return fmt.Sprintf("/// %s\npub fn %s(rows: &[u32]) -> Option<u32> {\n    let mut best = None;\n    for r in rows.iter().filter(|r| **r > %d) {\n        best = Some(match best {\n            Some(b) if b > *r => b,\n            _ => *r,\n        });\n    }\n    best\n}\n\n", sentence(r), v, r.IntN(1000))
	}},
	{"", "---\n", func(r *rand.Rand) string {
		v := ident(r)
		return fmt.Sprintf("# %s\n%s:\n  replicas: %d\n  resources:\n    limits: {cpu: %dm, memory: %dMi}\n  paths:\n    - /%s/live\n    - /%s/ready\n\n", sentence(r), v, 1+r.IntN(9), 100*(1+r.IntN(9)), 64*(1+r.IntN(16)), v, v)
	}},
}

func ident(rng *rand.Rand) string {
	return strings.Join(pickWords(rng, 2), "_")
}

// apart is how far two pieces of one language stand apart to count as two, in bytes.
const apart = 2400

// snippet writes some pieces of a language, behind the head of a file or not.
func (m *maker) snippet(l language, head bool, pieces int) {
	start := len(m.doc.Text)
	if head {
		m.write(l.head)
	}
	for range pieces {
		m.write(l.write(m.rng))
	}
	if l.detector == "" || m.clean {
		return
	}
	end := len(m.doc.Text)
	for i := range m.doc.Planted {
		if p := &m.doc.Planted[i]; p.Name == l.detector && start-p.End < apart {
			p.End = end
			return
		}
	}
	m.doc.Planted = append(m.doc.Planted, Place{Start: start, End: end, Name: l.detector, Wide: true})
}

// code writes a file of one language.
func (m *maker) code(size int) error {
	l := one(m.rng, languages)
	for first := true; len(m.doc.Text) < size; first = false {
		m.snippet(l, first, 1+m.rng.IntN(3))
		if err := m.fill(); err != nil {
			return err
		}
	}
	return nil
}
