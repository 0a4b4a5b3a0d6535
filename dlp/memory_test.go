package dlp_test

import (
	"runtime"
	"testing"

	"github.com/outband/outband/dlp"
)

// BenchmarkResident reports how much memory an engine of all built-in detectors holds, without and with the working memory of one scan, in MB.
func BenchmarkResident(b *testing.B) {
	all := builtin(b)
	heap := func() float64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / 1e6
	}
	for b.Loop() {
		before := heap()
		e, err := dlp.New(all, dlp.Configuration{Optional: true})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(heap()-before, "MB-engine")
		if _, err := e.Scan(corpus(b, 64<<10, true), testKeys); err != nil {
			b.Fatal(err)
		}
		runtime.KeepAlive(e)
	}
}
