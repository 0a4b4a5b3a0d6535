package e2e

import (
	"database/sql"
	"net/http"
	"net/http/httptest"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/dlp/docscan"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/fixtures/claudesim"
	"github.com/outband/outband/internal/testproc"
)

// extractors are the children of the server that read its files.
func (s *server) extractors() []testproc.Process {
	return testproc.Children(s.cmd.Process.Pid, sandbox.Argument)
}

// fileTenant serves a simulated tenant whose files come one at a time. In the middle of each, at its first request, it calls a hook.
type fileTenant struct {
	sim    http.Handler
	url    string
	middle func()
	turn   sync.Mutex // of a file

	mu    sync.Mutex
	asked map[string]int // by the path of a file
}

func newFileTenant(t *testing.T, middle func()) *fileTenant {
	t.Helper()
	sim, err := claudesim.New(claudesim.Options{Seed: 7, Epoch: killEpoch, IndexLag: -1})
	if err != nil {
		t.Fatal(err)
	}
	x := &fileTenant{sim: sim, middle: middle, asked: map[string]int{}}
	server := httptest.NewServer(x)
	t.Cleanup(server.Close)
	x.url = server.URL
	return x
}

func (x *fileTenant) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if !strings.HasSuffix(req.URL.Path, "/content") {
		x.sim.ServeHTTP(w, req)
		return
	}
	x.turn.Lock()
	defer x.turn.Unlock()
	x.mu.Lock()
	x.asked[req.URL.Path]++
	first := x.asked[req.URL.Path] == 1
	x.mu.Unlock()
	if first && x.middle != nil {
		w = &halves{ResponseWriter: w, middle: x.middle}
	}
	x.sim.ServeHTTP(w, req)
}

// again counts the files that were asked for more than once, and the most often that one was.
func (x *fileTenant) again() (files, most int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, n := range x.asked {
		if n > 1 {
			files++
		}
		most = max(most, n)
	}
	return files, most
}

// often gives the files that were asked for so many times, each as what its id ends with.
func (x *fileTenant) often(times int) (out []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for p, n := range x.asked {
		if n >= times {
			out = append(out, path.Base(path.Dir(p)))
		}
	}
	return out
}

// anyOpen reports whether one of these files is not done. A large one is with its child for long, and kills that are meant for its neighbours hit it too:
// one more at its last try, and it would wait for minutes.
func (s *server) anyOpen(files []string) bool {
	s.t.Helper()
	for _, f := range files {
		done := 0
		s.query(`SELECT COUNT(*) FROM items WHERE kind = 'file' AND state IN ('scanned', 'skipped') AND instr(id, '`+f+`') > 0`,
			func(r *sql.Rows) error { return r.Scan(&done) })
		if done == 0 {
			return true
		}
	}
	return false
}

// halves does something after the first half of the first bytes was sent.
type halves struct {
	http.ResponseWriter
	middle func()
	once   sync.Once
}

func (h *halves) Write(b []byte) (n int, err error) {
	h.once.Do(func() {
		if n, err = h.ResponseWriter.Write(b[:len(b)/2]); err == nil {
			err = http.NewResponseController(h.ResponseWriter).Flush()
		}
		h.middle()
	})
	if err != nil {
		return n, err
	}
	rest, err := h.ResponseWriter.Write(b[n:])
	return n + rest, err
}

// Unwrap lets the simulator flush and break connections.
func (h *halves) Unwrap() http.ResponseWriter { return h.ResponseWriter }

// reading is how long a hook waits for the first half of a file to be with a child.
const reading = 60 * time.Millisecond

// TestKilledExtractorsLoseNothing kills the children that read files, and the server over them, in the middle of files of a first scan.
func TestKilledExtractorsLoseNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("SKIPPED: it finds children in /proc")
	}
	t.Parallel()
	b := &killBench{folder: filepath.Join(t.TempDir(), "data")}
	s := serve(t, bin(t), b.folder, "")
	b.token = s.token
	s.stop()

	calm := newFileTenant(t, nil)
	s = serve(t, bin(t), b.data(t), b.token)
	id := s.connect(calm.url, claudesim.DemoKey, killEpoch.Add(-extractorHistory))
	s.firstScan(id, 2*time.Minute)
	want := s.end(t, id)
	s.stop()
	if n, _ := calm.again(); n != 0 || len(calm.asked) < 30 || len(want.found.Findings) < 50 {
		t.Fatalf("undisturbed: %d findings, %d of %d files were asked for more than once", len(want.found.Findings), n, len(calm.asked))
	}

	t.Run("children", func(t *testing.T) {
		t.Parallel()
		s := serve(t, bin(t), b.data(t), b.token)
		files, kills, killed := 0, 0, 0
		var x *fileTenant
		x = newFileTenant(t, func() {
			files++
			if files%childrenKilledAfter != 0 || s.anyOpen(x.often(docscan.Tries)) {
				return
			}
			kills++
			for range 100 { // The first child takes a moment.
				if len(s.extractors()) > 0 {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			time.Sleep(reading)
			for _, c := range s.extractors() {
				if syscall.Kill(c.PID, syscall.SIGKILL) == nil {
					killed++
				}
			}
		})
		id := s.connect(x.url, claudesim.DemoKey, killEpoch.Add(-extractorHistory))
		s.firstScan(id, 2*time.Minute)
		// A file that is asked for again was with the child that died, and is read again at once.
		hits, most := x.again()
		t.Logf("%d children killed in %d of %d files; %d files were read again, the same one %d times at most", killed, kills, len(x.asked), hits, most-1)
		if hits < killsHit {
			t.Errorf("%d files were with a child that was killed, want %d", hits, killsHit)
		}
		want.same(t, s.end(t, id))
	})

	t.Run("server", func(t *testing.T) {
		t.Parallel()
		data := b.data(t)
		s := serve(t, bin(t), data, b.token)
		files, middle, on := 0, make(chan bool), make(chan bool)
		x := newFileTenant(t, func() {
			if files++; files%serverKilledAfter == 0 && files <= 2*serverKilledAfter {
				middle <- true
				<-on
			}
		})
		id := s.connect(x.url, claudesim.DemoKey, killEpoch.Add(-extractorHistory))
		for range 2 {
			select {
			case <-middle:
			case <-time.After(time.Minute):
				t.Fatal("no file was read")
			}
			time.Sleep(reading)
			children := s.extractors()
			first := s.scans(id)[0]
			s.kill()
			killedAt := time.Now()
			wait(t, orphansEnd, "the children of a killed server to end", func() bool {
				return !slices.ContainsFunc(children, testproc.Process.Runs)
			})
			t.Logf("%d children ended within %v, in a scan of %d items", len(children), time.Since(killedAt), first.ItemsRead)
			if len(children) == 0 || first.State != "running" {
				t.Errorf("%d children at the kill, in a scan that is %s", len(children), first.State)
			}
			on <- true
			s = serve(t, bin(t), data, b.token)
		}
		s.firstScan(id, 2*time.Minute)
		if hits, _ := x.again(); hits == 0 {
			t.Error("no file was being read when the server was killed")
		}
		want.same(t, s.end(t, id))
	})
}

const (
	childrenKilledAfter = 2 // files
	serverKilledAfter   = 8
	killsHit            = 5               // files at least, of the some twenty in which children are killed
	orphansEnd          = 3 * time.Second // children die with the thread that started them
	extractorHistory    = 14 * 24 * time.Hour
)

// ending is what stands at the end of a scan.
type ending struct {
	found   outcome
	ledger  map[string]int
	waiting map[unitCount]int // items that are not done
}

func (s *server) end(t *testing.T, connectionID string) ending {
	t.Helper()
	return ending{s.outcome(t, connectionID), s.settled(connectionID), s.waiting(connectionID)}
}

func (e ending) same(t *testing.T, got ending) {
	t.Helper()
	if d := got.found.diff(e.found); d != "" {
		t.Error(d)
	}
	if diff := cmp.Diff(e.ledger, got.ledger); diff != "" {
		t.Errorf("the ledger (-undisturbed +killed):\n%s", diff)
	}
	if diff := cmp.Diff(e.waiting, got.waiting); diff != "" {
		t.Errorf("items that wait (-undisturbed +killed):\n%s", diff)
	}
}
