package dlp_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/place"
)

// document is a text of which every line stands in a cell of its own, and of which byte n is byte n+1000 of the file, or none of it.
type document struct {
	strings.Reader
	text   string
	none   bool
	forgot int
}

func (d *document) Locate(offset int) (place.Location, int64) {
	if offset < d.forgot {
		panic("asked for what was forgotten")
	}
	at := place.Location{Sheet: "s", Row: 1 + strings.Count(d.text[:offset], "\n")}
	if d.none {
		return at, -1
	}
	return at, int64(offset) + 1000
}

func (d *document) Forget(before int) { d.forgot = max(d.forgot, before) }

const placedToken = "AKIAQWERTYUIOPASDFGH" // made up

// TestPlaces scans a text that is longer than a block and checks each match's place, column and offsets, for any size of block.
func TestPlaces(t *testing.T) {
	all, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	type want struct{ row, column, at int }
	var wants []want
	row, column := 1, 1
	for i := range 60 {
		filler := strings.Repeat("größer als é ", 40+37*i%200)
		b.WriteString(filler)
		column += len([]rune(filler))
		wants = append(wants, want{row, column, b.Len()})
		b.WriteString(placedToken + " ")
		column += len(placedToken) + 1
		if i%3 != 0 {
			b.WriteString("\n")
			row, column = row+1, 1
		}
	}
	for _, size := range []int{1 << 10, 7 << 10, 1 << 20} {
		for _, none := range []bool{false, true} {
			t.Run(fmt.Sprint(size, none), func(t *testing.T) {
				e, err := dlp.New(all, dlp.Configuration{BlockSize: size, MaxMatches: 1000})
				if err != nil {
					t.Fatal(err)
				}
				d := &document{text: b.String(), none: none, Reader: *strings.NewReader(b.String())}
				res, _, err := e.ScanReader(context.Background(), d, dlp.Keys{}, 1<<30)
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, m := range res.Matches {
					if m.Detector != "secret.aws_access_key_id" {
						continue
					}
					w := wants[n]
					n++
					off := 1000
					if none {
						off = 0
					}
					if m.Line != w.row || m.Where.Row != w.row || m.Column != w.column || m.Start != w.at+off || m.End != w.at+off+len(placedToken) {
						t.Errorf("match %d: line %d, column %d, row %d, [%d, %d), want %+v", n, m.Line, m.Column, m.Where.Row, m.Start, m.End, w)
					}
				}
				if n != len(wants) {
					t.Errorf("%d of %d found", n, len(wants))
				}
				if size == 1<<10 && d.forgot < len(d.text)/4 {
					t.Errorf("places up to %d of %d were given up", d.forgot, len(d.text))
				}
			})
		}
	}
}

func TestColumnsOfUTF16(t *testing.T) {
	all, err := dlp.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	e, err := dlp.New(all, dlp.DefaultConfiguration())
	if err != nil {
		t.Fatal(err)
	}
	text := []byte{0xff, 0xfe}
	for _, u := range utf16.Encode([]rune("first line\nkey é: " + placedToken + "\n")) {
		text = append(text, byte(u), byte(u>>8))
	}
	res, err := e.Scan(text, dlp.Keys{})
	if err != nil || len(res.Matches) != 1 || res.Matches[0].Line != 2 || res.Matches[0].Column != 8 {
		t.Errorf("got %+v, %v", res.Matches, err)
	}
	if res, err = e.Scan([]byte("\xef\xbb\xbf"+placedToken), dlp.Keys{}); err != nil || len(res.Matches) != 1 || res.Matches[0].Column != 1 {
		t.Errorf("behind a byte order mark: %+v, %v", res.Matches, err)
	}
}
