package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"

	"github.com/outband/outband/dlp/extract"
)

// Exit codes of a child that ends itself.
const (
	exitOK    = 0  // the parent closed the pipe
	exitTime  = 77 // over RLIMIT_CPU
	exitWrong = 78 // the pipes brought what they must not
)

// maxStack bounds the stack of a goroutine, in bytes: recursion without end ends long before the memory does.
const maxStack = 64 << 20

// Child is the main function of a child, for a process that was started as one; any other goes on. A child gives up its rights, reads files until its
// standard input ends, and exits. main calls it before anything else, and so does the TestMain of a test with a pool.
func Child() {
	if len(os.Args) > 1 && os.Args[1] == Argument {
		child(extract.Read)
	}
}

// reader is extract.Read, or what a test puts in its place.
type reader func(ctx context.Context, f extract.File, r io.Reader, opt extract.Options, sink extract.Sink) (extract.Report, error)

func child(read reader) {
	watchSignals()
	debug.SetMaxStack(maxStack)
	os.Clearenv()
	c := &worker{in: os.Stdin, out: newSink(os.Stdout), read: read}
	err := c.serve()
	if errors.Is(err, io.EOF) {
		os.Exit(exitOK)
	}
	os.Exit(exitWrong)
}

// worker is a child at work.
type worker struct {
	in         io.Reader
	out        *sink
	read       reader
	recognizer extract.Recognizer
	frame      []byte // for payloads that are no bytes of a file
}

func (c *worker) serve() error {
	var s setup
	if err := c.take(frameSetup, &s); err != nil {
		return err
	}
	if s.OCR {
		c.recognizer = &tesseract{program: s.Tesseract, data: s.Data, languages: s.Languages, limit: s.Recognize}
	}
	hello, err := json.Marshal(harden(s))
	if err != nil {
		return err
	}
	if err := c.out.hello(hello); err != nil {
		return err
	}
	for {
		var j job
		if err := c.take(frameFile, &j); err != nil {
			return err
		}
		if err := c.one(j); err != nil {
			return err
		}
	}
}

// take reads a frame of JSON.
func (c *worker) take(kind byte, v any) error {
	got, n, err := readFrameHead(c.in)
	if err != nil {
		return err
	}
	if got != kind {
		return errProtocol
	}
	c.frame = append(c.frame[:0], make([]byte, n)...)
	if _, err := io.ReadFull(c.in, c.frame); err != nil {
		return err
	}
	return json.Unmarshal(c.frame, v)
}

// one reads a file.
func (c *worker) one(j job) error {
	// Without a limit of its own the parent's wall clock ends it.
	_ = limitCPU(j.CPU)
	c.out.reset()
	if err := c.out.ready(); err != nil {
		return err
	}
	j.Options.Recognizer = c.recognizer
	b := &body{r: c.in}
	var r io.Reader = b
	if j.Spool {
		data, err := spool(b, j.Options.Limits.File)
		if err != nil {
			return err
		}
		kind, n, err := readFrameHead(c.in)
		switch {
		case err != nil:
			return err
		case kind == frameDrop && n == 0:
			return nil
		case kind != frameGo || n != 0:
			return errProtocol
		}
		r = extract.Hold(data)
	}
	report, err := c.read(context.Background(), j.File, r, j.Options, c.out)
	if err != nil {
		return err // The parent is gone, or does not read any more.
	}
	if err := c.out.done(report, held()); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, b)
	return err
}

// held is the memory that the runtime has from the system, in bytes.
func held() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64() - s[1].Value.Uint64()
}

// growUntil is the size from which on a file that is held gets room for as much as can come, in bytes.
const growUntil = 16 << 20

// spool holds all bytes of a file. The parent sends no more than the limit of a file, and one. A big file grows once, to that limit: what is not written
// to costs no memory, but buffers that are left behind count into RLIMIT_DATA until the collector has seen them, and a file of 100 MiB that grew by
// quarters left behind more than 400 MiB.
func spool(r io.Reader, limit int64) ([]byte, error) {
	var buf []byte
	for {
		if len(buf) == cap(buf) {
			size := int64(max(64<<10, 2*cap(buf)))
			if cap(buf) >= growUntil && size < limit+2 {
				size = limit + 2 // One more, so that the end is seen without growing again.
			}
			old := buf
			buf = make([]byte, len(old), size)
			copy(buf, old)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if errors.Is(err, io.EOF) {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// body reads the bytes of a file from its frames.
type body struct {
	r    io.Reader
	left int // of the frame
	end  bool
}

func (b *body) Read(p []byte) (int, error) {
	for b.left == 0 {
		if b.end {
			return 0, io.EOF
		}
		kind, n, err := readFrameHead(b.r)
		if errors.Is(err, io.EOF) {
			os.Exit(exitOK) // The parent is gone.
		}
		if err != nil {
			return 0, err
		}
		switch kind {
		case frameBody:
			b.left = n
		case frameEnd:
			b.end = true
		default:
			return 0, errProtocol
		}
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}
