// Package e2e runs the built program from outside, as its users do: over HTTP and the command line, with real kills. The program is built once,
// or taken from OUTBAND_BIN.
package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const root = "../.."

// demoKey is the simulator's key with all read scopes.
const demoKey = "sk-ant-api01-DEMO-all-read-scopes-NOT-A-REAL-KEY"

var program = sync.OnceValues(func() (string, error) {
	if bin := os.Getenv("OUTBAND_BIN"); bin != "" {
		return bin, nil
	}
	dir, err := os.MkdirTemp("", "outband-e2e-")
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "outband")
	return bin, build(bin)
})

// build builds the program, with more arguments of go build. Its other flags are those of the tests (GOFLAGS), so that the build cache is shared.
func build(bin string, args ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-o", bin}, args...), "./cmd/outband")...)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	return nil
}

func bin(t testing.TB) string {
	t.Helper()
	b, err := program()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// process is a running program; its standard error goes to a buffer that a failing test prints.
type process struct {
	t      testing.TB
	cmd    *exec.Cmd
	stderr *buffer
	stdout *buffer
	lines  chan string
	ended  chan struct{}
}

type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// start starts a program with a clean environment. It is killed at the end of the test if it still runs.
func start(t testing.TB, program string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(program, args...), stderr: &buffer{}, stdout: &buffer{}, lines: make(chan string, 1000), ended: make(chan struct{})}
	p.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir()}
	p.cmd.Stderr = p.stderr
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		s := bufio.NewScanner(out)
		for s.Scan() {
			fmt.Fprintln(p.stdout, s.Text())
			select {
			case p.lines <- s.Text():
			default: // Nobody waits for a line; the buffer has it.
			}
		}
		// The exit code of a program that was killed says nothing.
		_ = p.cmd.Wait()
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("%s: standard error:\n%s", strings.Join(args, " "), tail(p.stderr.String()))
		}
	})
	return p
}

func tail(s string) string { return s[max(0, len(s)-4000):] }

func (p *process) signal(s os.Signal) {
	// A program that has ended already cannot be signalled, which is as good.
	_ = p.cmd.Process.Signal(s)
	<-p.ended
}

func (p *process) kill() { p.signal(syscall.SIGKILL) }
func (p *process) stop() { p.signal(syscall.SIGTERM) }

// line waits for a line of standard output that holds text.
func (p *process) line(text string, within time.Duration) string {
	p.t.Helper()
	timeout := time.After(within)
	for {
		select {
		case l := <-p.lines:
			if strings.Contains(l, text) {
				return l
			}
		case <-p.ended:
			p.t.Fatalf("the program ended before it said %q:\n%s%s", text, p.stdout.String(), tail(p.stderr.String()))
		case <-timeout:
			p.t.Fatalf("the program did not say %q within %v:\n%s", text, within, p.stdout.String())
		}
	}
}

// address takes the last http address out of a line.
func address(t testing.TB, line string) string {
	t.Helper()
	i := strings.LastIndex(line, "http://")
	if i < 0 {
		t.Fatalf("no address in %q", line)
	}
	return strings.TrimRight(strings.Fields(line[i:])[0], ".,;)")
}

// command runs a program to its end and returns what it printed and its exit code.
func command(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin(t), args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// simulator starts a simulated Claude tenant and returns its address.
func simulator(t testing.TB, args ...string) string {
	t.Helper()
	p := start(t, bin(t), append([]string{"simulator", "claude", "--listen", "127.0.0.1:0", "--rate", "1000000"}, args...)...)
	return address(t, p.line("http://", 20*time.Second))
}

const waitForReady = 60 * time.Second

// server is a running `outband serve` with a token.
type server struct {
	*process
	url, token, data string
}

// serve starts the server on a data folder. The token is made on the first start.
func serve(t testing.TB, program, data, token string) *server {
	t.Helper()
	p := start(t, program, "serve", "--config", configFile(t), "--listen", "127.0.0.1:0", "--data", data)
	s := &server{process: p, url: address(t, p.line("outband ready", waitForReady)), token: token, data: data}
	if s.token == "" {
		s.token = newToken(t, data, "admin")
	}
	return s
}

func newToken(t testing.TB, data, role string) string {
	t.Helper()
	out, errs, code := command(t, "", "token", "create", "--role", role, "--data", data)
	if code != 0 {
		t.Fatalf("token create: %d\n%s", code, errs)
	}
	return strings.TrimSpace(out)
}

// configFile lets the server call loopback, where the simulator and receivers are.
func configFile(t testing.TB) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "outband.yaml")
	if err := os.WriteFile(name, []byte("egress:\n  allow: [127.0.0.0/8]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

var client = &http.Client{Timeout: time.Minute}

// call calls the API and returns the status and the body.
func (s *server) call(method, path string, body any) (int, []byte) {
	s.t.Helper()
	status, reply, err := s.try(method, path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return status, reply
}

func (s *server) try(method, path string, body any) (int, []byte, error) {
	var b io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		b = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, s.url+"/api/v1"+path, b)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	reply, err := io.ReadAll(resp.Body)
	return resp.StatusCode, reply, errors.Join(err, resp.Body.Close())
}

// must calls the API, wants a status below 300, and decodes the reply.
func (s *server) must(method, path string, body, into any) {
	s.t.Helper()
	status, reply := s.call(method, path, body)
	if status >= 300 {
		s.t.Fatalf("%s %s: status %d\n%s", method, path, status, reply)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(reply, into); err != nil {
		s.t.Fatalf("%s %s: %v\n%s", method, path, err, reply)
	}
}

type scan struct {
	ID           string `json:"id"`
	State        string `json:"state"`
	ItemsRead    int    `json:"items_read"`
	ItemsScanned int    `json:"items_scanned"`
	ItemsSkipped int    `json:"items_skipped"`
	FindingsNew  int    `json:"findings_new"`
	Error        string `json:"error"`
}

type list[T any] struct {
	Items      []T    `json:"items"`
	NextCursor string `json:"next_cursor"`
}

// connection is the body that connects a simulator.
func connection(simURL, key string, from time.Time) map[string]any {
	return map[string]any{
		"name": "Test organisation", "connector": "claude", "config": map[string]any{"base_url": simURL, "requests_per_minute": 60000},
		"secrets": map[string]string{"api_key": key}, "schedule": map[string]string{"every": "24h"}, "backfill_from": from.Format(time.RFC3339),
	}
}

// connect connects a simulator and returns the id of the connection.
func (s *server) connect(simURL, key string, from time.Time) string {
	s.t.Helper()
	var c struct {
		ID string `json:"id"`
	}
	s.must("POST", "/connections", connection(simURL, key, from), &c)
	return c.ID
}

// scans returns the scans of a connection, newest first.
func (s *server) scans(connectionID string) []scan {
	s.t.Helper()
	var l list[scan]
	s.must("GET", "/scans?connection_id="+connectionID, nil, &l)
	return l.Items
}

// finished waits until a scan ends.
func (s *server) finished(scanID string, within time.Duration) scan {
	s.t.Helper()
	var got scan
	wait(s.t, within, "the scan to end", func() bool {
		s.must("GET", "/scans/"+scanID, nil, &got)
		return got.State != "queued" && got.State != "running"
	})
	return got
}

// firstScan waits until the first scan of a connection ends well.
func (s *server) firstScan(connectionID string, within time.Duration) scan {
	s.t.Helper()
	var all []scan
	wait(s.t, within, "the first scan to begin", func() bool { all = s.scans(connectionID); return len(all) > 0 })
	got := s.finished(all[len(all)-1].ID, within)
	if got.State != "succeeded" {
		s.t.Fatalf("the first scan: %+v", got)
	}
	return got
}

// wait polls until ok, for what can only be seen from outside.
func wait(t testing.TB, within time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(within); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v for %s", within, what)
		}
	}
}

// export returns the findings as NDJSON objects, instances included.
func (s *server) export() []map[string]any {
	s.t.Helper()
	status, body := s.call("GET", "/findings/export?format=ndjson", nil)
	if status != 200 {
		s.t.Fatalf("export: status %d\n%s", status, body)
	}
	var out []map[string]any
	for line := range bytes.Lines(body) {
		var f map[string]any
		if err := json.Unmarshal(line, &f); err != nil {
			s.t.Fatalf("export: %v", err)
		}
		out = append(out, f)
	}
	return out
}

// freeListener listens on loopback for a test's own receiver.
func freeListener(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
