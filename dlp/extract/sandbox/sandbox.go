// Package sandbox reads documents in children of this program, which have no rights and may die: no network, no files, no environment, little memory
// and time. A pool keeps them warm. A child reads one file at a time, and a file that kills it costs that file only: its Result has a gap with the
// reason. What a child says is not believed further than a document is: its texts are bounded, its places are checked, its memory is not ours. This side
// holds no file and no text: both flow through pipes.
package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/outband/outband/dlp/extract"
)

// Argument is the first argument of a child.
const Argument = "extract-child"

// Kinds of errors of Read.
var (
	// ErrKilled says that the child was killed from outside (SIGKILL, SIGTERM) and by none of its own limits: an operator, a shutdown, the kernel in want
	// of memory. The file is not at fault, and nothing is known of it: read it again from its source, a bounded number of times. The pool cannot, since
	// the body is a stream and what the child held is gone. Matches of the texts that were taken come again.
	ErrKilled = errors.New("child was killed from outside")
	// ErrClosed is that of a Pool after Close.
	ErrClosed = errors.New("pool is closed")
)

// Configuration of a pool. Zero values mean those of DefaultConfiguration.
type Configuration struct {
	Children  int             // at once; 0: number of processors
	Command   []string        // that starts a child, with its arguments; empty: this program with Argument
	Options   extract.Options // of each file
	Memory    int64           // of a child, in bytes (RLIMIT_DATA); -1: no limit
	CPU, Wall time.Duration   // of one file. CPU in whole seconds; Wall is the time that is waited for the child, without that for the body and for take
	Files     int             // that a child reads before another one takes its place
	// OCR, with Options.OCR.
	Tesseract          string        // name or path of the program; empty: tesseract
	TesseractData      string        // folder of its language data (TESSDATA_PREFIX); empty: its own
	TesseractLanguages string        // as in eng+deu; empty: its own default
	TesseractTime      time.Duration // of one image
}

// DefaultConfiguration is that of a server: 512 MiB, 20 s of processor time and 60 s of waiting.
func DefaultConfiguration() Configuration {
	return Configuration{Children: runtime.NumCPU(), Memory: 512 << 20, CPU: 20 * time.Second, Wall: time.Minute, Files: 500,
		Tesseract: "tesseract", TesseractTime: 15 * time.Second}
}

func (c Configuration) orDefault() Configuration {
	d := DefaultConfiguration()
	if c.Children <= 0 {
		c.Children = d.Children
	}
	switch {
	case raceEnabled:
		c.Memory = -1 // The race detector maps more than any limit.
	case c.Memory == 0:
		c.Memory = d.Memory
	}
	if c.CPU <= 0 {
		c.CPU = d.CPU
	}
	if c.Wall <= 0 {
		c.Wall = d.Wall
	}
	if c.Files <= 0 {
		c.Files = d.Files
	}
	if c.Tesseract == "" {
		c.Tesseract = d.Tesseract
	}
	if c.TesseractTime <= 0 {
		c.TesseractTime = d.TesseractTime
	}
	return c
}

// Pool is a number of warm children.
type Pool struct {
	cfg   Configuration
	slots chan struct{} // one for each child at work
	calls chan call     // to the thread that starts children
	over  chan struct{} // closed by Close
	ended chan struct{} // closed when that thread has ended

	mu     sync.Mutex
	closed bool
	idle   []*process
	busy   map[*process]struct{}
	guards *Guards
	open   bool // the host refuses namespaces
	work   sync.WaitGroup
}

type call struct{ reply chan started }

type started struct {
	p   *process
	err error
}

// New makes a pool. Its children start when they are needed. The error says that Tesseract, which Options.OCR needs, is not there.
func New(cfg Configuration) (*Pool, error) {
	cfg = cfg.orDefault()
	cfg.Options.Limits = cfg.Options.Limits.OrDefault()
	if cfg.Options.OCR {
		path, err := exec.LookPath(cfg.Tesseract)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err != nil {
			return nil, fmt.Errorf("find the program for OCR: %w", err)
		}
		cfg.Tesseract = path
	}
	p := &Pool{cfg: cfg, slots: make(chan struct{}, cfg.Children), calls: make(chan call), over: make(chan struct{}), ended: make(chan struct{}),
		busy: map[*process]struct{}{}}
	go p.starter()
	return p, nil
}

// starter starts the children, all from one thread that lives as long as the pool: a child is told to die with the thread that started it.
func (p *Pool) starter() {
	defer close(p.ended)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for {
		select {
		case <-p.over:
			return
		case c := <-p.calls:
			child, err := p.start()
			c.reply <- started{child, err}
		}
	}
}

// start starts a child, with namespaces of its own if the host allows it.
func (p *Pool) start() (*process, error) {
	if !p.open && runtime.GOOS == "linux" {
		child, err := start(&p.cfg, true)
		if err == nil || errors.Is(err, ErrKilled) {
			return child, err // A kill says nothing about namespaces.
		}
		child, err2 := start(&p.cfg, false)
		if err2 != nil {
			return nil, err2
		}
		p.open = true
		return child, nil
	}
	return start(&p.cfg, false)
}

// Close kills and reaps all children. Reads at work end with ErrClosed; Close waits for them.
func (p *Pool) Close() error {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.closed = true
	close(p.over)
	idle := p.idle
	p.idle = nil
	for c := range p.busy {
		c.kill(ErrClosed)
	}
	p.mu.Unlock()
	for _, c := range idle {
		c.end(errIdle)
	}
	p.work.Wait()
	<-p.ended
	return nil
}

// Guards tells what holds the children on this host, and starts one if none was started yet.
func (p *Pool) Guards(ctx context.Context) (Guards, error) {
	p.mu.Lock()
	g := p.guards
	p.mu.Unlock()
	if g != nil {
		return *g, nil
	}
	c, err := p.take(ctx)
	if err != nil {
		return Guards{}, err
	}
	defer p.give(c, true)
	return c.guards, nil
}

// take gives out a child that works for nobody.
func (p *Pool) take(ctx context.Context) (*process, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	p.work.Add(1)
	p.mu.Unlock()
	c, err := p.wait(ctx)
	if err != nil {
		p.work.Done()
	}
	return c, err
}

// wait waits for a slot, and then takes a warm child or starts one.
func (p *Pool) wait(ctx context.Context) (*process, error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.over:
		return nil, ErrClosed
	}
	c, err := p.warm()
	if c == nil && err == nil {
		c, err = p.ask()
	}
	if err != nil {
		<-p.slots
	}
	return c, err
}

// warm takes an idle child; nil: there is none.
func (p *Pool) warm() (*process, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	for len(p.idle) > 0 {
		c := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		if c.alive() {
			p.busy[c] = struct{}{}
			return c, nil
		}
		p.work.Add(1)
		go func() {
			defer p.work.Done()
			c.end(errIdle) // It died of itself.
		}()
	}
	return nil, nil
}

// ask has a child started. It takes some 50 ms, which no end of a context shortens.
func (p *Pool) ask() (*process, error) {
	c := call{make(chan started, 1)}
	select {
	case p.calls <- c:
	case <-p.over:
		return nil, ErrClosed
	}
	got := <-c.reply
	if got.err != nil {
		return nil, got.err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guards = &got.p.guards
	p.busy[got.p] = struct{}{}
	if p.closed {
		got.p.kill(ErrClosed)
	}
	return got.p, nil
}

// give takes a child back. One that is not well ends.
func (p *Pool) give(c *process, well bool) {
	defer p.work.Done()
	p.mu.Lock()
	delete(p.busy, c)
	if well = well && !p.closed && c.alive() && c.files < p.cfg.Files && (p.cfg.Memory < 0 || c.dec.held < p.cfg.Memory/4); well {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !well {
		c.end(errIdle)
	}
	<-p.slots
}

// Limits are those of each file.
func (p *Pool) Limits() extract.Limits { return p.cfg.Options.Limits.OrDefault() }
