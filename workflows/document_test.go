package workflows

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"io"
	"iter"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp/docscan"
	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/dlp/extract/sandbox"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/fixtures/documents"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/testproc"
)

// planted are documents of the formats that people upload the most.
func planted(t testing.TB, formats ...string) (out []documents.Document) {
	t.Helper()
	all, err := documents.All(7)
	check(t, err)
	for _, format := range formats {
		n := len(out)
		for _, d := range all {
			if d.Format == format {
				out = append(out, d)
			}
		}
		if len(out) == n {
			t.Fatalf("there is no document of format %s", format)
		}
	}
	return out
}

// zipOf packs files, in the order of names.
func zipOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		f, err := w.Create(files[i])
		check(t, err)
		_, err = io.WriteString(f, files[i+1])
		check(t, err)
	}
	check(t, w.Close())
	return buf.Bytes()
}

// documentPool replaces the pool of a bench.
func (b *bench) documentPool(cfg sandbox.Configuration) {
	b.t.Helper()
	pool, err := sandbox.New(cfg)
	check(b.t, err)
	b.t.Cleanup(func() { check(b.t, pool.Close()) })
	b.Documents = pool
}

// instances are those that are stored.
func (b *bench) storedInstances() (out []findings.Instance) {
	b.t.Helper()
	rows, err := b.DB.Read().QueryContext(b.t.Context(), `SELECT `+findings.InstanceColumns+` FROM instances`)
	check(b.t, err)
	check(b.t, findings.Each(rows, func() error {
		in, err := findings.ScanInstance(rows)
		out = append(out, in)
		return err
	}))
	return out
}

// database is all that the files of the database hold.
func (b *bench) database() []byte {
	b.t.Helper()
	var seq, name, file string
	check(b.t, b.DB.Read().QueryRowContext(b.t.Context(), `PRAGMA database_list`).Scan(&seq, &name, &file))
	raw, err := os.ReadFile(file)
	check(b.t, err)
	log, err := os.ReadFile(file + "-wal")
	check(b.t, err)
	raw = append(raw, log...)
	return raw
}

// again reads a stream from its start, under other rules if said so.
func (b *bench) again(otherRules bool) {
	b.t.Helper()
	b.exec(`DELETE FROM checkpoints`)
	if otherRules {
		b.exec(`UPDATE items SET ruleset = 'other' WHERE ruleset <> ''`)
	}
	check(b.t, b.live("chats"))
}

func TestDocumentsAreScannedAndSayWhereEachValueStands(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	type at struct {
		File, Path string
		Place      findings.DocumentPlace
	}
	want := map[[3]string][]at{} // by file, path and value: a value that stands twice is one instance, at one of its places
	var secrets []string
	for i, d := range planted(t, "docx", "xlsx", "pdf", "eml", "zip", "pptx") {
		id := fmt.Sprintf("file_%02d", i)
		b.app.file("chat_1", id, d.Data)
		for _, p := range d.Plants {
			w := p.Where
			secrets = append(secrets, p.Value)
			if b.mask(w.Path+w.Sheet+w.Name) != w.Path+w.Sheet+w.Name {
				continue // Its place is stored masked, which has a test of its own.
			}
			key := [3]string{id, w.Path, p.Value}
			want[key] = append(want[key], at{id, w.Path, findings.DocumentPlace{
				Section: w.Part, Page: w.Page, Slide: w.Slide, Sheet: w.Sheet, Cell: w.Cell, Row: w.Row, Paragraph: w.Paragraph, MailPart: w.Message, Name: w.Name, Hidden: w.Hidden,
			}})
		}
	}
	check(t, b.live("chats"))
	got := map[at]bool{}
	for _, in := range b.storedInstances() {
		got[at{in.Location.FileID, in.Location.Path, in.Location.DocumentPlace}] = true
	}
	for _, places := range want {
		if !slices.ContainsFunc(places, func(p at) bool { return got[p] }) {
			t.Errorf("nothing is stored for %+v", places)
			for g := range got {
				if g.File == places[0].File && g.Path == places[0].Path {
					t.Logf("there: %+v", g.Place)
				}
			}
		}
	}
	if len(want) < 30 {
		t.Errorf("only %d places are planted", len(want))
	}
	// Invariant 4, over all tables.
	raw := b.database()
	for _, s := range secrets {
		if bytes.Contains(raw, []byte(s)) {
			t.Errorf("the database holds a planted value")
		}
	}
}

// A token with its right checksum, made up.
func token(t testing.TB) string {
	t.Helper()
	return planted(t, "docx")[0].Plants[0].Value
}

func TestNamesInDocumentsAreStoredMasked(t *testing.T) {
	b := newBench(t)
	secret := token(t)
	b.app.chat("chat_1", testDay, harmless)
	b.app.file("chat_1", "file_1", zipOf(t, "keys/"+secret+".txt", leaking, "plain.txt", "the key is "+secret))
	check(t, b.live("chats"))
	masked, plain := 0, 0
	for _, in := range b.storedInstances() {
		switch {
		case in.Location.Path == "plain.txt":
			plain++
		case strings.HasPrefix(in.Location.Path, "keys/"):
			masked++
		}
	}
	if masked == 0 || plain == 0 {
		t.Errorf("%d instances below a name that is a token, %d below another: %+v", masked, plain, b.storedInstances())
	}
	raw := b.database()
	for _, s := range []string{secret, card, "Please charge"} {
		if bytes.Contains(raw, []byte(s)) {
			t.Errorf("the database holds %d bytes of a file or of a name in it", len(s))
		}
	}
}

func TestAPathThatIsTooLongIsShortenedAndStaysItsOwn(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	long := strings.Repeat("folder/", 120)
	b.app.file("chat_1", "file_1", zipOf(t, long+"a/"+long[:100]+"x.txt", leaking, long+"b/"+long[:100]+"x.txt", leaking))
	check(t, b.live("chats"))
	paths := map[string]bool{}
	for _, in := range b.storedInstances() {
		paths[in.Location.Path] = true
		if len(in.Location.Path) > findings.MaxPath {
			t.Errorf("a path of %d bytes", len(in.Location.Path))
		}
	}
	if len(paths) != 2 {
		t.Errorf("%d paths, want two: %v", len(paths), paths)
	}
	if diff := cmp.Diff(map[string]int64{"chat scanned": 1, "message scanned": 1, "file scanned": 1}, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
}

func TestMembersThatAreNotScannedAreCountedApart(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	var picture strings.Builder
	check(t, png.Encode(&picture, image.NewGray(image.Rect(0, 0, 1, 1))))
	b.app.file("chat_1", "file_1", zipOf(t, "a.png", picture.String(), "b.txt", leaking))
	check(t, b.live("chats"))
	want := map[string]int64{"chat scanned": 1, "message scanned": 1, "file scanned": 1, "member member image_without_ocr": 1}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage (-want +got):\n%s", diff)
	}
	if got := b.count(`SELECT COUNT(*) FROM findings`); got != 1 {
		t.Errorf("%d findings, want that of the other member", got)
	}
	b.again(true)
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage under other rules (-want +got):\n%s", diff)
	}
}

func TestEachLimitIsAReasonAndWhatCameBeforeItIsReported(t *testing.T) {
	big := strings.Repeat("harmless words\n", 20_000)
	for _, tc := range []struct {
		reason string
		limits func(*extract.Limits)
		data   []byte
	}{
		{extract.ReasonEntries, func(l *extract.Limits) { l.Entries = 2 }, zipOf(t, "a.txt", leaking, "b.txt", harmless, "c.txt", harmless)},
		{extract.ReasonText, func(l *extract.Limits) { l.Text = 100_000 }, zipOf(t, "a.txt", leaking, "b.txt", big)},
		{extract.ReasonItemSize, func(l *extract.Limits) { l.Item = 100_000 }, zipOf(t, "a.txt", leaking, "b.txt", big)},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			b := newBench(t)
			limits := extract.DefaultLimits()
			tc.limits(&limits)
			b.documentPool(sandbox.Configuration{Children: 1, Options: extract.Options{Limits: limits}})
			b.app.chat("chat_1", testDay, harmless)
			b.app.file("chat_1", "file_1", tc.data)
			check(t, b.live("chats"))
			if got := b.units()["file skipped "+tc.reason]; got != 1 {
				t.Errorf("coverage %v", b.units())
			}
			if got := b.count(`SELECT COUNT(*) FROM findings`); got != 1 {
				t.Errorf("%d findings, want that before the limit", got)
			}
			// In another chat it is reported too, and not fetched again.
			b.app.chat("chat_2", testDay.Add(time.Second), harmless)
			b.app.file("chat_2", "file_1", tc.data)
			check(t, b.live("chats"))
			if got := b.count(`SELECT COUNT(*) FROM findings`); got != 2 || b.app.fetches["file_1"] != 1 {
				t.Errorf("%d findings at two places, %d fetches", got, b.app.fetches["file_1"])
			}
		})
	}
}

func TestALedgerIsCorrectedAndCountsAVersionOnce(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay, harmless)
	b.app.file("chat_1", "file_1", zipOf(t, "a.txt", leaking))
	b.app.file("chat_1", "large", append(bytes.Repeat([]byte("harmless text\n"), deferBytes/10), leaking...))
	b.app.file("chat_1", "gone", []byte("x"))
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "gone" {
			return &connectors.Error{Kind: connectors.KindGone, Status: 404}
		}
		return nil
	}
	check(t, b.live("chats"))
	b.waiting()
	want := map[string]int64{"chat scanned": 1, "message scanned": 1, "file scanned": 2, "file skipped deleted_before_scan": 1}
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Fatalf("coverage (-want +got):\n%s", diff)
	}
	// An earlier release, which read no archives, skipped the first.
	b.exec(`DELETE FROM contents`)
	b.exec(`UPDATE items SET state = 'skipped', reason = 'unsupported_type', ruleset = '', result = '', counted = '' WHERE id = 'file_1'`)
	b.exec(`DELETE FROM coverage_units WHERE unit = 'file' AND outcome = 'scanned'`)
	check(t, b.DB.Write(t.Context(), func(tx *store.Tx) error {
		return store.AddCounts(t.Context(), tx, b.connection.ID, store.Count{Stream: "files", Unit: "file", Outcome: "scanned", N: 1},
			store.Count{Stream: "files", Unit: "file", Outcome: "skipped", Reason: "unsupported_type", N: 1})
	}))
	b.again(true)
	b.waiting() // The large one waits apart.
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage after a release that reads more (-want +got):\n%s", diff)
	}
	if b.app.fetches["file_1"] != 2 || b.app.fetches["large"] != 2 || b.app.fetches["gone"] != 1 {
		t.Errorf("fetches %v, want each twice and the deleted one once", b.app.fetches)
	}
	// A file that fails for a while and comes right is counted once too.
	bad := true
	b.app.onFetch = func(i connectors.Item) error {
		if i.ID == "file_1" && bad {
			return &connectors.Error{Kind: connectors.KindMalformed, Status: 200}
		}
		return nil
	}
	b.again(true)
	b.now, bad = b.now.Add(time.Hour), false
	b.waiting()
	if diff := cmp.Diff(want, b.units()); diff != "" {
		t.Errorf("coverage after a quarantine (-want +got):\n%s", diff)
	}
	// Gone by now, under yet other rules: it was scanned before.
	b.app.onFetch = func(connectors.Item) error { return &connectors.Error{Kind: connectors.KindGone, Status: 404} }
	b.exec(`UPDATE items SET ruleset = 'third' WHERE id = 'file_1'`)
	b.exec(`UPDATE items SET ruleset = (SELECT ruleset FROM items WHERE id = 'gone') WHERE kind = 'chat'`)
	fetched := b.app.fetches["file_1"]
	b.app.onFetch = func(i connectors.Item) error {
		if i.Kind == connectors.KindFile {
			return &connectors.Error{Kind: connectors.KindGone, Status: 404}
		}
		return nil
	}
	b.exec(`UPDATE items SET version = 'old' WHERE kind = 'chat'`)
	b.again(false)
	if b.app.fetches["file_1"] != fetched+1 {
		t.Errorf("it was fetched %d times, want once more than %d", b.app.fetches["file_1"], fetched)
	}
	got := b.units()
	if got["file scanned"] != 2 || got["file skipped deleted_before_scan"] != 1 {
		t.Errorf("coverage after a file that was scanned is gone: %v", got)
	}
}

// contents counts the results of contents that are kept, which is how often something was extracted and could be kept.
func (b *bench) contents() int { return b.count(`SELECT COUNT(*) FROM contents`) }

func TestTheSameBytesAreScannedOnceAndReportedAtEachPlace(t *testing.T) {
	b := newBench(t)
	data := zipOf(t, "inner/a.txt", leaking)
	b.app.chat("chat_1", testDay, harmless)
	b.app.file("chat_1", "file_1", data)
	check(t, b.live("chats"))
	// What is kept is changed, so that a second extraction would show.
	b.exec(`UPDATE contents SET result = replace(result, 'inner/a.txt', 'inner/kept.txt')`)
	b.app.chat("chat_2", testDay.Add(time.Second), harmless)
	b.app.file("chat_2", "file_2", data)
	check(t, b.live("chats"))
	paths := func() map[string]string {
		out := map[string]string{}
		for _, in := range b.storedInstances() {
			out[in.Location.FileID] = in.Location.Path
		}
		return out
	}
	if diff := cmp.Diff(map[string]string{"file_1": "inner/a.txt", "file_2": "inner/kept.txt"}, paths()); diff != "" {
		t.Errorf("instances (-want +got):\n%s", diff)
	}
	if b.contents() != 1 || b.app.fetches["file_2"] != 1 {
		t.Errorf("%d contents, %v", b.contents(), b.app.fetches)
	}
	if got := b.units()["file scanned"]; got != 2 {
		t.Errorf("%d files scanned", got)
	}
	// Other bytes with the id's declared size and hash (an MD5 twin) under another id are scanned: nothing that is declared counts.
	twin := zipOf(t, "inner/b.txt", leaking)
	if len(twin) != len(data) {
		t.Fatal("the twin has another size")
	}
	b.app.chat("chat_3", testDay.Add(2*time.Second), harmless)
	b.app.file("chat_3", "file_3", twin)
	b.app.files["chat_3"][0].File.MD5, b.app.files["chat_3"][0].Version = "d41d8cd98f00b204e9800998ecf8427e", b.app.files["chat_1"][0].Version
	check(t, b.live("chats"))
	if got := paths()["file_3"]; got != "inner/b.txt" || b.contents() != 2 {
		t.Errorf("the twin is found at %q; %d contents", got, b.contents())
	}
	// Another ruleset does not believe what is kept.
	b.exec(`UPDATE contents SET ruleset = 'other'`)
	b.app.chat("chat_4", testDay.Add(3*time.Second), harmless)
	b.app.file("chat_4", "file_4", data)
	check(t, b.live("chats"))
	if got := paths()["file_4"]; got != "inner/a.txt" {
		t.Errorf("under another ruleset it is found at %q", got)
	}
	b.now = b.now.Add(contentsKept + time.Hour)
	check(t, b.PurgeActivities(t.Context()))
	if got := b.contents(); got != 0 {
		t.Errorf("%d contents after the purge", got)
	}
}

// extractors are the children of this process that read documents.
func extractors() []testproc.Process { return testproc.Children(os.Getpid(), sandbox.Argument) }

// slowBody lets a test do something in the middle of a file.
type slowBody struct {
	io.Reader
	middle func()
	once   sync.Once
}

func (s *slowBody) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p[:min(len(p), 64)])
	s.once.Do(s.middle)
	return n, err
}

// killing is the app with the extractor killed in the middle of the first so many readings of each file.
type killing struct {
	*app
	kills func(id string) bool
}

func (k killing) Fetch(ctx context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	return func(yield func(connectors.Part, error) bool) {
		for p, err := range k.app.Fetch(ctx, item) {
			if p.Open != nil && p.Kind == connectors.PartFile {
				open := p.Open
				p.Open = func(ctx context.Context) (io.ReadCloser, error) {
					r, err := open(ctx)
					return io.NopCloser(&slowBody{Reader: r, middle: func() { k.kills(item.ID) }}), err
				}
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func (b *bench) documentsOf(t testing.TB, n int) {
	t.Helper()
	docs := planted(t, "docx", "xlsx", "zip", "eml")
	for i := range n {
		chat := fmt.Sprintf("chat_%02d", i)
		b.app.chat(chat, testDay.Add(time.Duration(i)*time.Second), harmless)
		// Each its own bytes: kept results would hide a loss.
		b.app.file(chat, fmt.Sprintf("file_%02d", i), zipOf(t, "n.txt", fmt.Sprint(i), docs[i%len(docs)].Name, string(docs[i%len(docs)].Data)))
	}
}

// found is what a scan stored, without ids that are drawn.
func (b *bench) found(t testing.TB) []string {
	t.Helper()
	var out []string
	for _, in := range b.storedInstances() {
		in.ID, in.FirstSeenAt = "", 0
		raw, err := json.Marshal(in)
		check(t, err)
		out = append(out, string(raw))
	}
	return out
}

// TestNothingIsKeptOfAContentWithoutADigest reads a file over the limit, whose bytes were not all seen: its result is that of no other file.
func TestNothingIsKeptOfAContentWithoutADigest(t *testing.T) {
	p := &page{Activities: newBench(t).Activities}
	for _, tc := range []struct {
		sum  [32]byte
		kept int
	}{{[32]byte{}, 0}, {[32]byte{1}, 1}} {
		res := docscan.Result{Result: sandbox.Result{Sum: tc.sum, Report: extract.Report{Gaps: []extract.Gap{{Reason: extract.ReasonFileSize}}}}}
		var u unit
		c := p.contentOf(res)
		if u.addContent(c, connectors.Part{}); len(u.contents) != tc.kept || c.Reason != extract.ReasonFileSize {
			t.Errorf("%v: %d results to store, reason %q", tc.sum[0], len(u.contents), c.Reason)
		}
	}
}
