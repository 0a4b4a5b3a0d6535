package workflows

import (
	"log/slog"
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"
)

// Workflows that run while Outband is upgraded go on with the new code. Each history was written by a real server, by the test of
// internal/temporalembed with -update; one of each released version stays.
func TestSavedHistoriesReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/history/*.json")
	check(t, err)
	if len(files) < 4 {
		t.Fatalf("%d histories", len(files))
	}
	for _, file := range files {
		r := worker.NewWorkflowReplayer()
		r.RegisterWorkflow(SyncConnection)
		r.RegisterWorkflow(Deliver)
		r.RegisterWorkflow(Index)
		r.RegisterWorkflow(Purge)
		if err := r.ReplayWorkflowHistoryFromJSONFile(quiet{slog.New(slog.DiscardHandler)}, file); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
