package extract

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/outband/outband/fixtures/documents"
	"go.uber.org/goleak"
)

// bareReasons are the gaps without their paths, each once.
func bareReasons(rep Report) (out []string) {
	for _, g := range rep.Gaps {
		if !slices.Contains(out, g.Reason) {
			out = append(out, g.Reason)
		}
	}
	return out
}

func gzipped(t testing.TB, data []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z := gzip.NewWriter(&buf)
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestHostileArchives(t *testing.T) {
	nested := func(n int, wrap func([]byte) []byte) []byte {
		data := []byte("a secret in depth\n")
		for range n {
			data = wrap(data)
		}
		return data
	}
	inZip := func(b []byte) []byte { return makeZip(t, "", part{"a", string(b)}) }
	inGzip := func(b []byte) []byte { return gzipped(t, b) }
	bomb := gzipped(t, bytes.Repeat([]byte("a"), 8<<20))
	many := func() []byte {
		var parts []part
		for i := range 2100 {
			parts = append(parts, part{fmt.Sprint(i, ".txt"), "x"})
		}
		return makeZip(t, "", parts...)
	}
	lying := makeZip(t, "", part{"a.txt", strings.Repeat("more than it says ", 100)})
	at := bytes.LastIndex(lying, []byte(zipCentral))
	binary.LittleEndian.PutUint32(lying[at+24:], 1)
	overlapping := makeZip(t, "", part{"a.txt", "the first one"}, part{"b.txt", "the second one"})
	at = bytes.LastIndex(overlapping, []byte(zipCentral))
	binary.LittleEndian.PutUint32(overlapping[at+42:], 0)
	var huge bytes.Buffer
	tw := tar.NewWriter(&huge)
	if err := tw.WriteHeader(&tar.Header{Name: "a.txt", Size: 1 << 40, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	huge.WriteString("what is there of it")
	for _, tc := range []struct {
		name  string
		data  []byte
		holds string
		gaps  []string
	}{
		{"five levels", nested(5, inZip), "in depth", nil},
		{"six levels", nested(6, inZip), "", []string{ReasonDepth}},
		{"streams in streams to the depth", nested(9, inGzip), "in depth", nil},
		{"streams in streams too deep", nested(12, inGzip), "", []string{ReasonDepth}},
		{"a bomb", bomb, "aaaa", []string{ReasonRatio}},
		{"a bomb in archives", inZip(inZip(bomb)), "aaaa", []string{ReasonRatio}},
		{"many entries", many(), "x", []string{ReasonEntries}},
		{"a size that lies", lying, "more than it says", nil},
		{"entries that overlap", overlapping, "the first one", []string{ReasonMalformed}},
		{"a tar file of a terabyte", huge.Bytes(), "what is there", []string{ReasonMalformed}},
		{"a dictionary of 4 GiB", append([]byte("\xfd7zXZ\x00\x00\x00\xff\x12\xd9\x41"), "\x02\x00\x21\x01\x28\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00a"...), "", []string{ReasonMemory}},
		{"an old dictionary of 4 GiB", append([]byte("\x5d\x00\x00\x00\x80\xff\xff\xff\xff\xff\xff\xff\xff\x00"), make([]byte, 20)...), "", []string{ReasonMemory}},
		{"a window of 1 GiB", []byte("\x28\xb5\x2f\xfd\x00\xa0\x29\x00\x00hello"), "", []string{ReasonMemory}},
		{"counts without end in 7z", []byte("7z\xbc\xaf\x27\x1c\x00\x04" + strings.Repeat("\x00", 12) + "\x0b\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x05\xff\xff\xff\xff\xff\xff\xff\xff\x0f"), "", []string{ReasonMalformed}},
	} {
		start := time.Now()
		c, rep := readAll(t, tc.name, tc.data, Options{})
		if !slices.Equal(bareReasons(rep), tc.gaps) {
			t.Errorf("%s: gaps %v, want %v", tc.name, reasons(rep), tc.gaps)
		}
		if tc.holds != "" && len(c.find(tc.holds)) == 0 {
			t.Errorf("%s: %q is not there", tc.name, tc.holds)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("%s: took %v", tc.name, took)
		}
	}
	if c, _ := readAll(t, "", overlapping, Options{}); len(c.find("the first one")) != 1 {
		t.Error("an entry was read twice")
	}
}

// TestTarInGzipIsOneLevel: the stream around an archive costs no depth of its own.
func TestTarInGzipIsOneLevel(t *testing.T) {
	data := []byte("a secret in depth\n")
	for range 5 {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		if err := w.WriteHeader(&tar.Header{Name: "a.tgz", Size: int64(len(data)), Mode: 0o644}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		data = gzipped(t, buf.Bytes())
	}
	c, rep := readAll(t, "a.tar.gz", data, Options{})
	want := "a.tar!/" + strings.Repeat("a.tgz!/a.tar!/", 4) + "a.tgz"
	if l := c.find("in depth"); len(l) != 1 || l[0].Path != want || rep.Gaps != nil {
		t.Errorf("got %+v, %+v", l, rep)
	}
}

// TestOddBytes: no document of the generator, cut or with bytes changed, makes a reader panic or hang.
func TestOddBytes(t *testing.T) {
	docs, err := documents.All(5)
	if err != nil {
		t.Fatal(err)
	}
	mine := []string{"zip", "tar", "gzip", "bzip2", "xz", "zstd", "compress", "7z", "rar", "ar", "cpio", "sqlite", "jpeg", "png", "gif", "tiff", "webp", "heif", "psd", "mp3", "flac", "ogg", "riff", "mp4", "matroska"}
	for _, doc := range docs {
		if !slices.Contains(mine, doc.Format) {
			continue
		}
		start := time.Now()
		step := max(1, len(doc.Data)/20)
		for n := 0; n < len(doc.Data); n += step {
			readAll(t, doc.Name, doc.Data[:n], Options{})
			odd := slices.Clone(doc.Data)
			odd[n] = []byte{0xff, 0x00, 0x7f}[n%3]
			readAll(t, doc.Name, odd, Options{})
		}
		if took := time.Since(start); took > 30*time.Second {
			t.Errorf("%s: took %v", doc.Name, took)
		}
	}
}

// TestNothingIsLeftBehind: a decompressor that is broken off leaves no goroutine, and what was held is free.
func TestNothingIsLeftBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	docs, err := documents.All(5)
	if err != nil {
		t.Fatal(err)
	}
	for _, doc := range docs {
		for _, text := range []int64{1, 20, 1 << 20} {
			w := &walker{ctx: context.Background(), opt: Options{Limits: Limits{Text: text}.orDefault()}, sink: &collected{}}
			if err := w.top(File{Name: doc.Name}, bytes.NewReader(doc.Data)); err != nil && err != errStop {
				t.Fatalf("%s: %v", doc.Name, err)
			}
			if w.held != 0 {
				t.Errorf("%s: %d bytes are held after it", doc.Name, w.held)
			}
		}
	}
}

// TestMethodsOfZip reads what only other writers than that of Go make.
func TestMethodsOfZip(t *testing.T) {
	var buf bytes.Buffer
	z := zip.NewWriter(&buf)
	w, err := z.CreateRaw(&zip.FileHeader{Name: "a.txt", Method: 98, CompressedSize64: 5, UncompressedSize64: 5})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, rep := readAll(t, "", buf.Bytes(), Options{}); !slices.Equal(reasons(rep), []string{"a.txt: " + ReasonUnsupported}) {
		t.Errorf("got %v", reasons(rep))
	}
}
