package extract

import (
	"bytes"
	"context"
	"os"
	"slices"
	"testing"
)

func TestImageDocuments(t *testing.T) {
	checkDocuments(t, "jpeg", "png", "gif", "tiff", "webp", "heif", "psd")
}

func TestMediaDocuments(t *testing.T) {
	checkDocuments(t, "mp3", "flac", "ogg", "riff", "mp4", "matroska")
}

func FuzzImage(f *testing.F) { fuzzDocuments(f, "jpeg", "png", "gif", "tiff", "webp", "heif", "psd") }

func FuzzMedia(f *testing.F) { fuzzDocuments(f, "mp3", "flac", "ogg", "riff", "mp4", "matroska") }

// TestImagesInDocuments: a quiet image is no gap of its own unless the text in images is asked for, and its metadata is read all the same.
func TestImagesInDocuments(t *testing.T) {
	data, err := os.ReadFile("testdata/image/exiftool.jpg")
	if err != nil {
		t.Fatal(err)
	}
	ocr := Options{OCR: true, Recognizer: recognizer(func() (string, error) { return "read by eye", nil })}
	for _, tc := range []struct {
		name  string
		quiet bool
		opt   Options
		gaps  []string
		text  int
	}{
		{"shown", false, Options{}, []string{"a.jpg: " + ReasonImage}, 0},
		{"quiet", true, Options{}, nil, 0},
		{"shown and read", false, ocr, nil, 1},
		{"quiet and read", true, ocr, nil, 1},
		{"too big to be read", true, Options{OCR: true, Recognizer: ocr.Recognizer, Limits: Limits{Pixels: 63}}, []string{"a.jpg: " + ReasonPixels}, 0},
	} {
		c := &collected{}
		tc.opt.Limits = tc.opt.Limits.orDefault()
		w := &walker{ctx: context.Background(), opt: tc.opt, sink: c}
		d := &Doc{w: w}
		if err := d.Member(Member{Name: "a.jpg", Body: bytes.NewReader(data), Quiet: tc.quiet}); err != nil {
			t.Fatal(err)
		}
		if got := reasons(w.report); !slices.Equal(got, tc.gaps) {
			t.Errorf("%s: gaps %v, want %v", tc.name, got, tc.gaps)
		}
		if got := c.find("read by eye"); len(got) != tc.text || tc.text > 0 && got[0] != (Location{Path: "a.jpg", Part: PartImage}) {
			t.Errorf("%s: read text at %v", tc.name, got)
		}
		if len(c.find("VALUE02")) != 1 {
			t.Errorf("%s: no metadata", tc.name)
		}
	}
}
