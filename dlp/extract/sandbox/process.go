package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/outband/outband/dlp/extract"
)

// Times that a child may take beside the reading of files.
const (
	startWithin = 15 * time.Second // until it says what holds it
	endWithin   = 5 * time.Second  // from the end of its output to its own: on a busy machine one that was killed is not reaped at once
	quietWithin = time.Second      // from its end to that of its standard error, which a program of its own may hold
)

// maxStderr is how much is kept of what a child says at its end, in bytes. It may quote a document: it is looked at for words of the runtime, and
// never logged.
const maxStderr = 8 << 10

// process is a child.
type process struct {
	cmd    *exec.Cmd
	in     *os.File
	out    *os.File
	dec    decoder
	stderr *bounded
	guards Guards
	ended  chan struct{} // closed when it is reaped; state is set then
	state  *os.ProcessState
	files  int

	mu    sync.Mutex
	cause error // why it was killed; nil: it was not, by us
	watch *watch
}

// Causes of kills of ours.
var (
	errTime = errors.New("over the time limit")
	errIdle = errors.New("not needed any more")
)

// kill ends a child. The first cause counts.
func (p *process) kill(cause error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause == nil {
		p.cause = cause
	}
	select {
	case <-p.ended:
	default:
		killGroup(p.cmd.Process)
	}
}

// end kills and reaps a child, and frees what belongs to it.
func (p *process) end(cause error) {
	p.kill(cause)
	<-p.ended
	p.close()
}

func (p *process) close() {
	p.watch.stop()
	// What a dead child left in its pipes is not missed.
	_ = p.in.Close()
	_ = p.out.Close()
}

// alive reports whether it works and nobody killed it.
func (p *process) alive() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cause != nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// start starts a child and waits until it gave up its rights.
func start(cfg *Configuration, isolated bool) (*process, error) {
	cmd, err := command(cfg, isolated)
	if err != nil {
		return nil, err
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		_, _ = inR.Close(), inW.Close()
		return nil, fmt.Errorf("start a child: %w", err)
	}
	widen(inW)
	widen(outR)
	p := &process{cmd: cmd, in: inW, out: outR, stderr: &bounded{max: maxStderr}, ended: make(chan struct{})}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = inR, outW, p.stderr
	cmd.WaitDelay = quietWithin
	err = cmd.Start()
	_, _ = inR.Close(), outW.Close()
	if err != nil {
		_, _ = inW.Close(), outR.Close()
		return nil, fmt.Errorf("start a child: %w", err)
	}
	go func() {
		_ = cmd.Wait() // The state says it all.
		p.state = cmd.ProcessState
		close(p.ended)
	}()
	p.watch = newWatch(func() { p.kill(errTime) })
	p.dec.r = bufio.NewReaderSize(watched{p.out, p.watch}, maxFrame)
	if err := p.greet(cfg, isolated); err != nil {
		if _, killed := p.outcome(err); errors.Is(killed, ErrKilled) {
			err = ErrKilled
		}
		p.end(errIdle)
		return nil, fmt.Errorf("start a child: %w", err)
	}
	return p, nil
}

func (p *process) greet(cfg *Configuration, isolated bool) error {
	frame, err := appendFrame(nil, frameSetup, setup{
		Memory: cfg.Memory, OCR: cfg.Options.OCR, Tesseract: cfg.Tesseract, Data: cfg.TesseractData, Languages: cfg.TesseractLanguages, Recognize: cfg.TesseractTime,
		OpenFiles: openFiles(cfg.Options.OCR), UserIsolated: isolated,
	})
	if err != nil {
		return err
	}
	p.watch.begin(startWithin)
	defer p.watch.stop()
	if _, err := p.in.Write(frame); err != nil {
		return err
	}
	if p.guards, err = p.dec.hello(); err != nil {
		return err
	}
	p.guards.Isolated = isolated
	return nil
}

// accept tells a child of a file, and waits until it is ready for it: one that died, hangs or lies since its last file costs no other file.
func (p *process) accept(frame []byte, within time.Duration) error {
	p.watch.begin(within)
	defer p.watch.stop()
	p.watch.wait(true)
	_, err := p.in.Write(frame)
	p.watch.wait(false)
	if err != nil {
		return err
	}
	op, err := p.dec.ReadByte()
	if err == nil && op != opReady {
		err = errProtocol
	}
	return err
}

// openFiles bounds the descriptors of a child: three pipes and the runtime's two, and with OCR the pipes to Tesseract, and its files.
func openFiles(ocr bool) uint64 {
	if ocr {
		return 64
	}
	return 16
}

func command(cfg *Configuration, isolated bool) (*exec.Cmd, error) {
	cmd := &exec.Cmd{SysProcAttr: attributes(isolated), Dir: "/"}
	if len(cfg.Command) > 0 {
		cmd.Path, cmd.Args = cfg.Command[0], cfg.Command
	} else {
		path, err := self()
		if err != nil {
			return nil, fmt.Errorf("find this program: %w", err)
		}
		cmd.Path, cmd.Args = path, []string{"outband", Argument}
	}
	// A child gets nothing of the environment. Two processors let it notice its time limit while it works.
	cmd.Env = []string{"GOTRACEBACK=none", "GOMAXPROCS=2"}
	if cfg.Memory > 0 {
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+strconv.FormatInt(cfg.Memory/4*3, 10))
	}
	return cmd, nil
}

// outcome waits for the end of a child that stopped answering in the middle of a file, and says why it ended: the reason of the gap, or an error.
func (p *process) outcome(err error) (reason string, _ error) {
	if broken(err) && !errors.Is(err, os.ErrClosed) {
		p.kill(errProtocol)
	}
	wait := time.NewTimer(endWithin)
	defer wait.Stop()
	select {
	case <-p.ended:
	case <-wait.C:
		p.kill(errProtocol) // It closed its output and works on.
	}
	<-p.ended
	p.mu.Lock()
	cause := p.cause
	p.mu.Unlock()
	said := p.stderr.String()
	switch {
	case errors.Is(cause, errTime):
		return extract.ReasonTime, nil
	case errors.Is(cause, errProtocol):
		return extract.ReasonDied, nil
	case cause != nil:
		return "", cause
	case p.state.ExitCode() == exitTime || signalled(p.state) == sigXCPU:
		return extract.ReasonTime, nil
	case outOfMemory(said):
		return extract.ReasonMemory, nil
	}
	switch signalled(p.state) {
	case syscall.SIGKILL, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP:
		return "", ErrKilled
	}
	return extract.ReasonDied, nil
}

// outOfMemory looks for what the runtime says when it gets no more memory, or when a stack is too deep.
func outOfMemory(stderr string) bool {
	for _, s := range []string{"out of memory", "cannot allocate memory", "errno=12", "cannot map pages", "page summary", "pthread_create failed", "stack overflow", "stack exceeds"} {
		if strings.Contains(stderr, s) {
			return true
		}
	}
	return false
}

// watched reads from a child while its clock runs.
type watched struct {
	r io.Reader
	w *watch
}

func (r watched) Read(p []byte) (int, error) {
	r.w.wait(true)
	n, err := r.r.Read(p)
	r.w.wait(false)
	return n, err
}
