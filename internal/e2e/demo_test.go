package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

var demoReady = regexp.MustCompile(`^demo ready: scans=(\d+) items=(\d+) findings=(\d+)$`)

// runDemo starts the demo and returns it when it is ready, with its counts.
func runDemo(t *testing.T, data string) (s *server, scans, items, findings int) {
	t.Helper()
	began := time.Now()
	p := start(t, bin(t), "demo", "--listen", "127.0.0.1:0", "--data", data)
	// Line by line, so that the order is seen as well: the token before, the table and the counts at the end.
	line := p.line("demo ready:", 60*time.Second)
	t.Logf("ready after %v: %s", time.Since(began), line)
	m := demoReady.FindStringSubmatch(line)
	if m == nil {
		t.Fatalf("the line is %q", line)
	}
	n := make([]int, 4)
	for i := 1; i < 4; i++ {
		var err error
		if n[i], err = strconv.Atoi(m[i]); err != nil || n[i] == 0 {
			t.Errorf("count %q in %q", m[i], line)
		}
	}
	out := p.stdout.String()
	s = &server{process: p, url: regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(out), data: data}
	if fields := regexp.MustCompile(`(?m)^\s*token\s+(\S+)`).FindStringSubmatch(out); fields != nil {
		s.token = fields[1]
	}
	if status, reply := s.call("GET", "/findings?limit=1", nil); status != 200 {
		t.Errorf("the printed token: status %d\n%s", status, reply)
	}
	rows := 0
	for line := range strings.Lines(out) {
		if regexp.MustCompile(`^(critical|high|medium|low|info)\s`).MatchString(line) {
			rows++
		}
	}
	if rows != 10 {
		t.Errorf("the table has %d findings:\n%s", rows, out)
	}
	return s, n[1], n[2], n[3]
}

func TestDemoIsReadyAndSurvivesAKill(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "demo")
	s, scans, items, findings := runDemo(t, data)
	if findings < 100 || items < 1000 {
		t.Errorf("only %d findings in %d items", findings, items)
	}
	var d list[struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}]
	s.must("GET", "/destinations", nil, &d)
	if len(d.Items) != 1 || d.Items[0].State != "active" {
		t.Errorf("destinations: %+v", d.Items)
	}
	// Events reach the receiver of the demo, which checks their signatures and refuses a wrong one.
	wait(t, 60*time.Second, "the events to arrive", func() bool {
		var delivered list[delivery]
		s.must("GET", "/destinations/"+d.Items[0].ID+"/deliveries?state=delivered&limit=100", nil, &delivered)
		return len(delivered.Items) == 100
	})
	s.kill()

	again, scansAgain, itemsAgain, findingsAgain := runDemo(t, data)
	if findingsAgain < findings || scansAgain <= scans || itemsAgain < items {
		t.Errorf("after the kill: scans=%d items=%d findings=%d, before: scans=%d items=%d findings=%d", scansAgain, itemsAgain, findingsAgain, scans, items, findings)
	}
	var c list[struct {
		ID    string `json:"id"`
		State string `json:"state"`
	}]
	again.must("GET", "/connections", nil, &c)
	if len(c.Items) != 1 || c.Items[0].State != "active" {
		t.Errorf("connections: %+v", c.Items)
	}
	if out, errs, code := command(t, "", "audit", "verify", "--data", data); code != 0 {
		t.Errorf("audit verify: exit %d\n%s%s", code, out, errs)
	}
	began := time.Now()
	again.stop()
	took := time.Since(began)
	t.Logf("stopped after %v", took)
	if took > 10*time.Second || again.cmd.ProcessState.ExitCode() != 0 {
		t.Errorf("stopped after %v with exit code %d", took, again.cmd.ProcessState.ExitCode())
	}
	if err := os.RemoveAll(data); err != nil {
		t.Errorf("the folder cannot be removed: %v", err)
	}
}

func TestDemoRefusesAddressesBeyondLoopback(t *testing.T) {
	t.Parallel()
	for _, listen := range []string{"0.0.0.0:0", ":0", "192.0.2.1:8080"} {
		_, errs, code := command(t, "", "demo", "--listen", listen, "--data", filepath.Join(t.TempDir(), "demo"))
		if code != 2 || !strings.Contains(errs, "loopback") {
			t.Errorf("--listen %s: exit %d\n%s", listen, code, errs)
		}
	}
}
