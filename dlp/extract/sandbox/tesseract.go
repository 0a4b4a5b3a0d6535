package sandbox

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"time"

	"github.com/outband/outband/dlp/extract"
)

// maxRecognized bounds the text that is taken from one image, in bytes.
const maxRecognized = 4 << 20

// tesseract reads images with the program of that name: the image by its standard input, the text by its standard output, no file of its own.
type tesseract struct {
	program, data, languages string
	limit                    time.Duration // of one image
}

var _ extract.Recognizer = (*tesseract)(nil)

// Recognize implements extract.Recognizer.
func (t *tesseract) Recognize(ctx context.Context, image []byte) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, t.limit)
	defer cancel()
	args := []string{"stdin", "stdout"}
	if t.languages != "" {
		args = append(args, "-l", t.languages)
	}
	cmd := exec.CommandContext(ctx, t.program, args...)
	cmd.Dir = "/"
	cmd.Env = []string{"OMP_THREAD_LIMIT=1"}
	if t.data != "" {
		cmd.Env = append(cmd.Env, "TESSDATA_PREFIX="+t.data)
	}
	out := &bounded{max: maxRecognized}
	cmd.Stdin, cmd.Stdout = bytes.NewReader(image), out
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = dieWithParent()
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return "", extract.ErrRecognize
	}
	if err != nil {
		return "", err
	}
	return out.String(), nil
}

// bounded keeps the first bytes that are written to it, and drops the others.
type bounded struct {
	buf []byte
	max int
}

func (b *bounded) Write(p []byte) (int, error) {
	b.buf = append(b.buf, p[:min(len(p), b.max-len(b.buf))]...)
	return len(p), nil
}

func (b *bounded) String() string { return string(b.buf) }
