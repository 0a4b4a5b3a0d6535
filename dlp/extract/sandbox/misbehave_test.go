package sandbox

import (
	"context"
	"io"

	"github.com/outband/outband/dlp/extract"
)

func misbehave(ctx context.Context, f extract.File, r io.Reader, opt extract.Options, sink extract.Sink) (extract.Report, error) {
	return extract.Report{}, nil
}
