package extract

import (
	"context"
	"errors"
	"strings"
)

// Recognizer reads the text of an image: a whole file in PNG, JPEG, TIFF, BMP, GIF, WebP or PNM, as Tesseract takes it.
type Recognizer interface {
	Recognize(ctx context.Context, image []byte) (string, error)
}

// ErrRecognize is what a Recognizer returns when it runs, but cannot read this image.
var ErrRecognize = errors.New("text of the image not recognized")

// OCR reads the text of an image. A caller looks at Limits.Pixels first. The error is one to return or to make a Gap of: image_without_ocr unless
// Options.OCR is on and a Recognizer is there, over_time_limit when it took too long, malformed for an image that it cannot read.
func (d *Doc) OCR(image []byte) (string, error) {
	opt := d.w.opt
	if !opt.OCR || opt.Recognizer == nil {
		return "", gapError{ReasonImage}
	}
	if err := d.w.ctx.Err(); err != nil {
		return "", d.w.stop(err)
	}
	text, err := opt.Recognizer.Recognize(d.w.ctx, image)
	switch {
	case d.w.ctx.Err() != nil:
		return "", d.w.stop(d.w.ctx.Err())
	case err == nil:
		return strings.ToValidUTF8(text, "\uFFFD"), nil
	case errors.Is(err, context.DeadlineExceeded):
		return "", gapError{ReasonTime}
	case errors.Is(err, ErrRecognize):
		return "", errMalformed
	}
	return "", gapError{ReasonImage}
}
