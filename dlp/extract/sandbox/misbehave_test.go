package sandbox

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"os"
	"strings"
	"time"

	"github.com/outband/outband/dlp/extract"
)

// misbehave is a reader that does what the name of the file says, after it gave the text "before".
func misbehave(ctx context.Context, f extract.File, r io.Reader, opt extract.Options, s extract.Sink) (extract.Report, error) {
	report := extract.Report{Type: "text/plain", Format: "test"}
	if f.Name == "nothing read" {
		return report, nil
	}
	if err := write(s, extract.Location{Part: "first"}, "before"); err != nil {
		return report, err
	}
	if f.Name != "nothing" {
		time.Sleep(2 * flushAfter)
	}
	switch f.Name {
	case "loop":
		for n := uint(0); ; n++ {
			spun = n
		}
	case "sleep":
		time.Sleep(time.Hour)
	case "memory":
		for {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			hog = append(hog, b)
		}
	case "recursion":
		spun = deep(1)
	case "flood":
		for {
			if err := s.Write(make([]byte, 64<<10)); err != nil {
				return report, err
			}
		}
	case "marks":
		names := []string{strings.Repeat("a", maxString), strings.Repeat("b", maxString)}
		for i := 0; ; i++ {
			if err := s.Mark(extract.Location{Name: names[i%2]}); err != nil {
				return report, err
			}
		}
	case "closed output":
		os.Stdout.Close()
		time.Sleep(time.Hour)
	case "closed input":
		os.Stdin.Close()
		time.Sleep(time.Hour)
	case "garbage":
		b := make([]byte, 1000)
		rand.Read(b)
		b[0] = 0xee
		os.Stdout.Write(b)
		time.Sleep(time.Hour)
	case "long frame":
		os.Stdout.Write([]byte{opText, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
		time.Sleep(time.Hour)
	case "behind its end":
		var b bytes.Buffer
		if err := newSink(&b).done(report, 0); err != nil {
			return report, err
		}
		os.Stdout.Write(append(b.Bytes(), opDone))
		time.Sleep(time.Hour)
	case "no rest":
		if err := s.(*sink).done(report, 0); err != nil {
			return report, err
		}
		time.Sleep(time.Hour) // The rest of the body is not taken.
	case "exit":
		os.Exit(3)
	case "panic":
		go func() { panic("the content of a document") }()
		time.Sleep(time.Hour)
	case "probe":
		return report, write(s, extract.Location{Part: "probe"}, probe())
	case "ocr":
		image, err := io.ReadAll(r)
		if err != nil {
			return report, err
		}
		text, err := opt.Recognizer.Recognize(ctx, image)
		if err != nil {
			text = "error: " + err.Error()
		}
		return report, write(s, extract.Location{Part: extract.PartImage}, text)
	}
	return report, nil
}

var (
	spun uint
	hog  [][]byte
)

func deep(n uint) uint {
	var room [1000]uint
	room[n%1000] = n
	//lint:ignore SA5007 it is to end with the stack
	return deep(n+1) + room[(n+1)%1000]
}

func write(s extract.Sink, at extract.Location, text string) error {
	if err := s.Begin(false); err != nil {
		return err
	}
	if err := s.Mark(at); err != nil {
		return err
	}
	return s.Write([]byte(text))
}
