package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"sync/atomic"

	"github.com/outband/outband/dlp/extract"
)

// Result is what was learned of a file.
type Result struct {
	extract.Report
	Sum     [32]byte // SHA-256 of the file; zero when it is over Limits.File, and was not read to its end
	Size    int64    // bytes that were read of it
	Dropped bool     // decide did not want it
}

// reading is a file on its way.
type reading struct {
	child   *process
	job     job
	body    io.Reader
	sum     hash.Hash
	size    int64
	bodyErr error       // of the goroutine that reads the body, after it
	quit    atomic.Bool // nobody needs the rest of the body
	served  atomic.Bool // the child needs no more of it
	next    *record     // that ended a text
	dead    bool
	reason  string // of the child's end
	err     error  // that ends the reading
}

// Read sends a file to a child and hands each text to take, one after the other. Result.Sum is the SHA-256 of the file's bytes.
//
// With decide the child takes the whole file first, up to Limits.File. Then decide is called with the sum and the size: false ends the reading without
// looking into the file, as its content is known. It is not called for a file over the limit, of which what was taken is read. Without decide the child
// reads while the bytes come. Both run in this goroutine; body is read in another one until Read returns, so its Read has to end when ctx does.
//
// A child that dies of the file costs that file only: the result has a gap for the whole file (extraction_failed, over_memory_limit, over_time_limit),
// what it gave before stands, and the error is nil. An error is that of ctx, of body or of take, ErrClosed, that of starting a child, or ErrKilled: then
// nothing of the result counts, and the file is to be read again.
func (p *Pool) Read(ctx context.Context, f extract.File, body io.Reader, decide func(sum [32]byte, size int64) bool, take func(t *Text) error) (Result, error) {
	f.Name, f.Type = cleaned(f.Name, maxString), cleaned(f.Type, maxString)
	j := job{File: f, Options: p.cfg.Options, CPU: p.cfg.CPU, Spool: decide != nil}
	child, undo, err := p.accepted(ctx, j)
	if err != nil {
		return Result{}, err
	}
	r := &reading{child: child, body: body, sum: sha256.New(), job: j}
	child.watch.begin(p.cfg.Wall)
	res, err := r.run(decide, take)
	// A context that ends now may have killed the child after its work.
	well := undo() && err == nil && !r.dead
	child.watch.stop()
	p.give(child, well)
	return res, err
}

// accepted takes a child that is ready for a file. The end of ctx kills it until undo is called.
func (p *Pool) accepted(ctx context.Context, j job) (*process, func() bool, error) {
	frame, err := appendFrame(nil, frameFile, j)
	if err != nil {
		return nil, nil, fmt.Errorf("send a file to a child: %w", err)
	}
	for range p.cfg.Children + 1 { // All warm ones may be broken.
		child, takeErr := p.take(ctx)
		if takeErr != nil {
			return nil, nil, takeErr
		}
		undo := context.AfterFunc(ctx, func() { child.kill(ctx.Err()) })
		child.files++
		child.dec.reset(j.Options.Limits.Text)
		if err = child.accept(frame, min(p.cfg.Wall, startWithin)); err == nil {
			return child, undo, nil
		}
		undo()
		p.give(child, false)
		if ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
	}
	return nil, nil, fmt.Errorf("start a child: %w: %w", ErrKilled, err) // Each was well when it was taken.
}

func (r *reading) run(decide func([32]byte, int64) bool, take func(*Text) error) (Result, error) {
	if decide != nil {
		r.spool()
		dropped := r.err == nil && !r.over() && !decide(r.digest(), r.size)
		switch {
		case r.dead:
		case dropped:
			r.send([]byte{frameDrop, 0, 0, 0, 0})
		default:
			r.send([]byte{frameGo, 0, 0, 0, 0})
			r.texts(take)
		}
		return r.result(dropped)
	}
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		r.stream()
	}()
	r.texts(take)
	r.served.Store(true)
	r.child.watch.wait(true) // Its clock runs while it takes the rest.
	<-sent
	r.child.watch.wait(false)
	return r.result(false)
}

// fail ends the reading with an error, and the child with it.
func (r *reading) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.dead = true
	r.quit.Store(true)
	r.child.kill(err)
}

// lost learns why the child does not answer. The error is for who reads a text.
func (r *reading) lost(err error) error {
	if !r.dead {
		r.dead = true
		r.served.Store(true)
		if r.reason, r.err = r.child.outcome(err); r.err != nil {
			r.quit.Store(true)
		}
	}
	if r.err != nil {
		return r.err
	}
	return io.EOF
}

// send gives the child a frame. It waits for the child, whose clock runs.
func (r *reading) send(frame []byte) {
	if r.dead {
		return
	}
	r.child.watch.wait(true)
	_, err := r.child.in.Write(frame)
	r.child.watch.wait(false)
	if err != nil {
		_ = r.lost(io.EOF) // It is kept.
	}
}

// spool sends the body to a child that says nothing in the meantime.
func (r *reading) spool() {
	if err := r.forward(r.send); err != nil {
		r.fail(err)
	}
}

// stream sends the body to a child that answers in the meantime, until it needs no more; then it only takes the sum.
func (r *reading) stream() {
	w := r.child.watch
	w.sourcing(true)
	err := r.forward(func(frame []byte) {
		if r.served.Load() && frame[0] != frameEnd {
			return
		}
		w.sourcing(false)
		if _, err := r.child.in.Write(frame); err != nil {
			r.served.Store(true) // It is dead, which its output tells.
		}
		w.sourcing(true)
	})
	w.sourcing(false)
	if err != nil {
		r.bodyErr = err
		r.child.kill(err)
	}
}

// forward makes frames of the body, up to the limit of a file and one byte, and takes its sum and size.
func (r *reading) forward(send func(frame []byte)) error {
	buf := make([]byte, frameHead+maxFrame)
	buf[0] = frameBody
	for empty := 0; !r.quit.Load(); {
		room := min(r.job.Options.Limits.File+1-r.size, maxFrame)
		if room <= 0 {
			break
		}
		n, err := r.body.Read(buf[frameHead : frameHead+room])
		if n > 0 {
			empty = 0
			r.size += int64(n)
			r.sum.Write(buf[frameHead : frameHead+n])
			binary.LittleEndian.PutUint32(buf[1:], uint32(n))
			send(buf[:frameHead+n])
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && n == 0 {
			if empty++; empty == 100 {
				err = io.ErrNoProgress
			}
		}
		if err != nil {
			return fmt.Errorf("read the file: %w", err)
		}
	}
	send([]byte{frameEnd, 0, 0, 0, 0})
	return nil
}

func (r *reading) over() bool { return r.size > r.job.Options.Limits.File }

func (r *reading) digest() (sum [32]byte) {
	r.sum.Sum(sum[:0])
	return sum
}

// texts hands what the child gives to take, until the child is done.
func (r *reading) texts(take func(*Text) error) {
	d := &r.child.dec
	for !r.dead {
		rec := r.next
		if r.next = nil; rec == nil {
			got, err := d.next()
			if err != nil {
				_ = r.lost(err) // It is kept.
				return
			}
			rec = &got
		}
		switch rec.op {
		case opBegin:
			t := &Text{f: r, raw: rec.raw}
			err := take(t)
			if err == nil {
				err = t.drain()
			}
			if err != nil {
				r.fail(err)
			}
		case opDone:
			if d.r.Buffered() > 0 {
				_ = r.lost(errProtocol) // It is kept.
			}
			return
		}
	}
}

func (r *reading) result(dropped bool) (Result, error) {
	if r.err == nil {
		r.err = r.bodyErr
	}
	if r.err != nil {
		return Result{}, r.err
	}
	res := Result{Report: r.child.dec.report, Size: r.size, Dropped: dropped}
	res.Text = r.child.dec.text
	if r.dead && !dropped {
		res.Gaps = append(res.Gaps, extract.Gap{Reason: r.reason, Type: res.Type})
	}
	if !r.over() {
		res.Sum = r.digest()
	} else if !slices.ContainsFunc(res.Gaps, func(g extract.Gap) bool { return g.Path == "" && g.Reason == extract.ReasonFileSize }) {
		res.Gaps = append(res.Gaps, extract.Gap{Reason: extract.ReasonFileSize, Type: res.Type})
	}
	return res, nil
}
