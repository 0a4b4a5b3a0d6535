package dlp_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/outband/outband/dlp"
)

var update = flag.Bool("update", false, "rewrite docs/detectors.md")

const docsPath = "../docs/detectors.md"

// decoding is a part of the page; ~ stands for the mark of code.
const decoding = `## What is decoded

Detectors read text, not bytes. A match points at the bytes it came from, whatever was undone to read it.

- **Encodings.** UTF-8, and UTF-16 with a byte order mark or without one: the first 4 KiB tell, if one character of ASCII is in them. In Windows-1252 and other
  single-byte encodings ASCII is read, and other letters are passed over.
- **Escapes** of JSON, up to three strings inside one another, and ~\x41~.
- **Look-alikes.** Full-width, circled, raised and mathematical letters and digits, the decimal digits of all scripts, ligatures, spaces, dashes and quotes become ASCII;
  an accent that stands behind its letter is joined to it; characters without a width, soft hyphens and lines struck through characters go. A letter of Greek or Cyrillic
  becomes the one of ASCII that it looks like within a token that is ASCII otherwise (~АKIA…~), never within a word of its own alphabet.
- **Codes.** Base64 (both alphabets, in lines too), hex, gzip and zlib in either, percent escapes of URLs, entities of HTML, and quoted-printable; two inside one
  another. The match has ~encoding~, the outermost first: ~base64~, ~hex~, ~gzip~, ~zlib~, ~percent~, ~html~, ~quoted_printable~. It points at the encoded
  characters that hold it; in compressed text at all of them.

| limit of codes | |
|---|---|
| shortest run | 20 characters of base64, 32 of hex |
| begins as | text in UTF-8 or UTF-16, or compressed text; keys, digests, certificates and binary files do not |
| left out | the parts of a JSON web token; data URIs of pictures, fonts, sounds and films |
| depth | 2; what is compressed within a code counts with it |
| at once | 18 KiB of a run; a longer run is read in pieces that overlap by 5 KiB, a longer compressed run only so far |
| out of one compressed run | 256 KiB, and 64 times its length |
| out of one text | 256 KiB, and 4 times its length |

Where compressed text is longer than that, or the last limit is met, the rest is left out, and the result of the scan says so (~outband scan~: ~encoded_text_too_big~).
Where the text around a code yields the same match, that one counts; of two that overlap the most specific wins, as ever.
`

// The page about detectors is made from their files; go test ./dlp -run TestDocs -update rewrites it.
func TestDocs(t *testing.T) {
	all := builtin(t)
	slices.SortFunc(all, func(a, b dlp.Detector) int { return strings.Compare(a.ID, b.ID) })
	var b bytes.Buffer
	b.WriteString("# Detectors\n\nMade from `dlp/detectors/*.yaml` by `go test ./dlp -run TestDocs -update`. Do not edit.\n\n")
	b.WriteString("Confidence runs from 0 to 1: low from 0.2, medium from 0.4, high from 0.6, very high from 0.85. The base is raised by a checksum and by\n")
	b.WriteString("context words within 60 characters, and lowered by words that speak against it. Published examples and placeholders stay below low.\n\n")
	fmt.Fprintf(&b, "%d detectors.\n\n%s", len(all), strings.ReplaceAll(decoding, "~", "`"))
	family := ""
	for _, d := range all {
		if f, _, _ := strings.Cut(d.ID, "."); f != family {
			family = f
			fmt.Fprintf(&b, "\n## %s\n\n| id | title | kind | severity | validator | references |\n|---|---|---|---|---|---|\n", family)
		}
		title := d.Title
		if d.Optional {
			title += " (optional)"
		}
		refs := make([]string, len(d.References))
		for i, r := range d.References {
			refs[i] = fmt.Sprintf("[%d](%s)", i+1, r)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", d.ID, title, d.Kind, d.Severity, d.Validator, strings.Join(refs, " "))
	}
	if *update {
		if err := os.WriteFile(docsPath, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(docsPath)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, b.Bytes()) {
		t.Error("docs/detectors.md is stale; run go test ./dlp -run TestDocs -update")
	}
}
