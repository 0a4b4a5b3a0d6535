package extract

import (
	"context"
	"errors"
	"testing"
)

type recognizer func() (string, error)

func (r recognizer) Recognize(context.Context, []byte) (string, error) { return r() }

func TestOCR(t *testing.T) {
	gives := func(text string, err error) Recognizer {
		return recognizer(func() (string, error) { return text, err })
	}
	for _, tc := range []struct {
		name string
		opt  Options
		text string
		err  error
	}{
		{"off", Options{Recognizer: gives("no", nil)}, "", gapError{ReasonImage}},
		{"on without a program", Options{OCR: true}, "", gapError{ReasonImage}},
		{"on", Options{OCR: true, Recognizer: gives("a\xffb", nil)}, "a\uFFFDb", nil},
		{"an image that it cannot read", Options{OCR: true, Recognizer: gives("", ErrRecognize)}, "", errMalformed},
		{"too slow", Options{OCR: true, Recognizer: gives("", context.DeadlineExceeded)}, "", gapError{ReasonTime}},
		{"no program after all", Options{OCR: true, Recognizer: gives("", errors.New("exec: not found"))}, "", gapError{ReasonImage}},
	} {
		d := &Doc{w: &walker{ctx: context.Background(), opt: tc.opt}}
		if text, err := d.OCR(nil); text != tc.text || !errors.Is(err, tc.err) {
			t.Errorf("%s: %q, %v; want %q, %v", tc.name, text, err, tc.text, tc.err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := &Doc{w: &walker{ctx: ctx, opt: Options{OCR: true, Recognizer: gives("late", nil)}}}
	if text, err := d.OCR(nil); text != "" || !errors.Is(err, context.Canceled) || !errors.Is(d.w.fatal, context.Canceled) {
		t.Errorf("after the end of the context: %q, %v, stopped by %v", text, err, d.w.fatal)
	}
}
