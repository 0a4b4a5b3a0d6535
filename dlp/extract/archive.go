package extract

import (
	"errors"
	"io"
	"path"
	"slices"
	"strings"
)

var archiveFormats = slices.Concat([]format{
	{id: "zip", media: []string{"application/zip"}, magic: isZip, read: readZip},
	{id: "tar", media: []string{"application/x-tar"}, read: readTar},
	{id: "7z", media: []string{"application/x-7z-compressed"}, magic: prefix(sevenMagic), read: readSeven},
	{id: "rar", media: []string{"application/x-rar-compressed"}, magic: isRar, read: readRar},
	{id: "ar", media: []string{"application/x-archive"}, magic: prefix("!<arch>\n"), read: readAr},
	{id: "cpio", media: []string{"application/x-cpio"}, magic: isCpio, read: readCpio},
}, streamFormats)

// maxWindow bounds what a decompressor may look back, in bytes: xz -9 and zstd --ultra stay within it.
const maxWindow = 128 << 20

// borrow counts n bytes that are about to be allocated, until they are given back.
func (d *Doc) borrow(n int64) (back func(), err error) {
	if n < 0 || n > d.w.opt.Limits.Memory-d.w.held {
		return nil, errMemory
	}
	d.w.held += n
	return func() { d.w.held -= n }, nil
}

// lenient ends where its decompressor breaks off, and keeps the error: what came out before is read in full, whatever its format.
type lenient struct {
	r   io.Reader
	err error
}

func (l *lenient) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, io.EOF
	}
	n, err := l.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
		err = io.EOF
		if n > 0 {
			err = nil
		}
	}
	return n, err
}

// failing is a member that cannot be read: it gives its name and a gap.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// broken notes that the member of this name was not read to its end, unless a gap says so already.
func (d *Doc) broken(name string, err error) {
	if err == nil || d.w.fatal != nil {
		return
	}
	p := display(name)
	if d.path != "" {
		p = d.path + "!/" + p
	}
	g := d.w.report.Gaps
	for i := len(g) - 1; i >= 0 && i >= len(g)-4; i-- {
		if g[i].Path == p {
			return
		}
	}
	reason := ReasonMalformed
	var e gapError
	if errors.As(err, &e) {
		reason = e.reason
	}
	d.w.gap(p, reason, "")
}

// stream reads the one file in a compressed stream, and then what broke it off.
func (d *Doc) stream(m Member, r io.Reader) error {
	body := &lenient{r: r}
	m.Body, m.Flat = body, true
	if m.Name == "" {
		m.Name = inner(d.Name)
	}
	if err := d.Member(m); err != nil {
		return err
	}
	var g gapError
	if body.err != nil && !errors.As(body.err, &g) {
		return errMalformed
	}
	return body.err
}

// inner is the name of a file as it was before it was compressed.
func inner(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || name == "/" {
		return "content"
	}
	ext := path.Ext(name)
	base := strings.TrimSuffix(name, ext)
	switch strings.ToLower(ext) {
	case ".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".taz", ".tlz":
		return base + ".tar"
	case ".svgz":
		return base + ".svg"
	case ".gz", ".bz2", ".xz", ".zst", ".lzma", ".z", ".lz4", ".sz", ".snappy", ".lz":
		if base != "" {
			return base
		}
	}
	return name
}
