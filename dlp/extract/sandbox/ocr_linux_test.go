package sandbox

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/dlp/extract"
)

// ocrPool is a pool with Tesseract, where it is installed.
func ocrPool(t *testing.T, cfg Configuration) *Pool {
	t.Helper()
	if _, err := exec.LookPath("tesseract"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("tesseract is not installed: apt-get install tesseract-ocr")
		}
		t.Skip("tesseract is not installed (apt-get install tesseract-ocr); OCR is not tested")
	}
	cfg.Children, cfg.Options.OCR = 1, true
	return newPool(t, cfg, "misbehave")
}

// TestOCR has a child that runs Tesseract, held by the laxer rules.
func TestOCR(t *testing.T) {
	p := ocrPool(t, Configuration{})
	image, err := os.ReadFile("testdata/text.png")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, want string
		image      []byte
	}{
		{"text", "4111 1111 1111", image},
		{"no image", extract.ErrRecognize.Error(), []byte("no image")},
		{"half of one", "", image[:len(image)/2]},
		{"text again", "4111 1111 1111", image},
	} {
		var got []gathered
		res, err := p.Read(context.Background(), extract.File{Name: "ocr"}, bytes.NewReader(tc.image), nil, gather(&got))
		if err != nil || len(res.Gaps) > 0 || len(got) == 0 || len(got) == 1 && tc.want != "" || !strings.Contains(got[len(got)-1].text, tc.want) {
			t.Errorf("%s: %v, %+v, %v", tc.name, got, res.Gaps, err)
		}
	}
}

// TestOCRTakesItsTime gives Tesseract less than it needs to start.
func TestOCRTakesItsTime(t *testing.T) {
	p := ocrPool(t, Configuration{TesseractTime: time.Millisecond})
	image, err := os.ReadFile("testdata/text.png")
	if err != nil {
		t.Fatal(err)
	}
	var got []gathered
	if _, err := p.Read(context.Background(), extract.File{Name: "ocr"}, bytes.NewReader(image), nil, gather(&got)); err != nil || len(got) != 2 || !strings.Contains(got[1].text, context.DeadlineExceeded.Error()) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestChildWithOCR may open the files of the system and start programs, and nothing else.
func TestChildWithOCR(t *testing.T) {
	p := ocrPool(t, Configuration{})
	g, err := p.Guards(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !g.Calls || !g.Files {
		t.Fatalf("this host refuses %v; what a child with OCR can do is not tested without", g.Missing())
	}
	got := probed(t, p)
	allowed := map[string]bool{"open a program": true, "look at a file": true, "start a program": true, "fork": true, "memory that is code": true}
	for name, what := range got {
		switch {
		case name == "environment" || name == "folder":
		case allowed[name] && what != "done":
			t.Errorf("%s: %q", name, what)
		case !allowed[name] && !strings.Contains(what, "not permitted") && !strings.Contains(what, "permission denied"):
			t.Errorf("%s: %q", name, what)
		}
	}
	if len(got) < 20 {
		t.Errorf("only %d attempts", len(got))
	}
}
