package extract

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"
)

type part struct{ name, text string }

func makeZip(t testing.TB, comment string, parts ...part) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	for _, p := range parts {
		w, err := z.Create(p.name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(p.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.SetComment(comment); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func reasons(rep Report) (out []string) {
	for _, g := range rep.Gaps {
		out = append(out, g.Path+": "+g.Reason)
	}
	return out
}

func TestZipInZip(t *testing.T) {
	inner := makeZip(t, "of the inner one", part{"b/c.txt", "a secret in depth"})
	c, rep := readAll(t, "a.zip", makeZip(t, "of the outer one", part{"inner.zip", string(inner)}, part{"d.txt", "beside"}), Options{})
	if l := c.find("in depth"); len(l) != 1 || l[0].Path != "inner.zip!/b/c.txt" {
		t.Errorf("got %+v", l)
	}
	if l := c.find("of the inner one"); len(l) != 1 || l[0] != (Location{Path: "inner.zip", Part: PartComment}) {
		t.Errorf("got %+v", l)
	}
	if rep.Gaps != nil || rep.Entries != 3 || rep.Format != "zip" {
		t.Errorf("got %+v", rep)
	}
}

// TestZipCutAnywhere: what stands before the cut is read without a directory.
func TestZipCutAnywhere(t *testing.T) {
	data := makeZip(t, "", part{"a.txt", "the first"}, part{"b.txt", strings.Repeat("the second ", 1000)}, part{"c.txt", "the third"})
	third := bytes.Index(data, []byte("c.txt"))
	for n := range len(data) {
		c, rep := readAll(t, "a.zip", data[:n], Options{})
		if n >= third && (len(c.find("the first")) == 0 || len(c.find("the second")) == 0) {
			t.Fatalf("cut at %d of %d: %q", n, len(data), c.all())
		}
		if n > 4 && rep.Gaps == nil {
			t.Fatalf("cut at %d of %d: no gap", n, len(data))
		}
	}
}
