package extract

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestDensePagesReadAsOthersDo reads pages of which most is read without the tokenizer, and the same ones with a tag between that calls for it.
func TestDensePagesReadAsOthersDo(t *testing.T) {
	pieces := []string{"<p>", "</p>", "<td>", "</td>", "</tr>", "<i>", "</i>", "<I>", "<div>", "</DIV>", "<br>", "text", " a < b ", "x &amp; y", "<1>", "< p>", "</ p>", "<>", "</>",
		"<p hidden>", "<div style='display:none'>", "<script>a<b</script>", "<!-- note -->", "<title>t</title>", "<template>", "</template>", "<unknown-tag>", "</https://user@host/path>",
		"<a href=https://example.com/>", "<input value=12345>", "\x00", "\r\n", strings.Repeat("long ", 300), "<textarea>", "</textarea>", "é", "<x>", ">"}
	for seed := range uint64(24) {
		r := rand.New(rand.NewPCG(seed, 7))
		var dense, other strings.Builder
		for range 40 << (seed % 4) {
			// Both have seven bytes, and neither does anything.
			dense.WriteString(strings.Repeat("<b></b>", 20))
			other.WriteString(strings.Repeat("<b c=d>", 20))
			for range 1 + r.IntN(4) {
				s := pieces[r.IntN(len(pieces))]
				dense.WriteString(s)
				other.WriteString(s)
			}
			if r.IntN(2) == 0 {
				dense.WriteString("</textarea>")
				other.WriteString("</textarea>")
			}
		}
		var got [2]*collected
		for i, s := range []string{dense.String(), other.String()} {
			got[i], _ = readAll(t, "a.html", []byte("<!DOCTYPE html>"+s), Options{})
			for _, text := range got[i].texts { // What is text in a textarea, or in half a tag.
				for j := range text {
					text[j].text = strings.NewReplacer("<b></b>", "*", "<b c=d>", "*").Replace(text[j].text)
				}
			}
		}
		if diff := cmp.Diff(got[1].texts, got[0].texts, cmp.AllowUnexported(span{})); diff != "" {
			t.Fatalf("%d (-with the tokenizer +without):\n%.4000s", seed, diff)
		}
	}
}

// TestTagsAloneAreReadFast holds a page of bare tags to a time that is far above what it needs.
func TestTagsAloneAreReadFast(t *testing.T) {
	for _, tag := range []string{"<a>", "</p>", "<td>", "<a b=c>", "<x1y2>", "&amp;"} {
		start := time.Now()
		data := strings.NewReader("<html>" + strings.Repeat(tag, (1<<20)/len(tag)))
		if _, err := Read(context.Background(), File{Name: "a.html"}, data, Options{}, &nothing{}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("1 MiB of %s took %v", tag, took)
		}
	}
}
