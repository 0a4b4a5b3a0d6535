//go:build !noembed

package temporalembed

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/workflows"
)

// identity is the process and host that made a history; it has no place in the tree.
var identity = regexp.MustCompile(`"identity":\s*"[^"]*"`)

var update = flag.Bool("update", false, "write the histories that workflows/testdata/history holds for this version")

// scripted are activities with the names of the real ones and a fixed course: pages, a file that waits, two days of history, a failure.
type scripted struct {
	mu         sync.Mutex // activities of a scan run side by side
	asked, due int
}

func (s *scripted) BeginScan(context.Context, workflows.SyncInput) (workflows.Plan, error) {
	return workflows.Plan{ScanID: "scn_1", Every: time.Hour, Live: []workflows.SliceRef{{Stream: "chats", Lane: "live", Slice: "live"}, {Stream: "activities", Lane: "live", Slice: "live"}}}, nil
}

func (s *scripted) ScanPage(ctx context.Context, in workflows.PageInput) (workflows.PageResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked++
	if in.Slice.Slice == "2026-11-18" {
		return workflows.PageResult{}, workflows.ActivityError(&connectors.Error{Kind: connectors.KindForbidden, Code: "OB-2003", Message: "A scope is missing."})
	}
	return workflows.PageResult{Done: s.asked != 1, Items: 3}, nil
}

func (s *scripted) NextSlices(_ context.Context, in workflows.SlicesInput) ([]workflows.SliceRef, error) {
	if len(in.Skip) > 0 {
		return nil, nil
	}
	return []workflows.SliceRef{{Stream: "chats", Lane: "backfill", Slice: "2026-11-19"}, {Stream: "chats", Lane: "backfill", Slice: "2026-11-18"}}, nil
}

func (s *scripted) DueItems(context.Context, workflows.PageInput) ([]workflows.ItemRef, error) {
	if s.due++; s.due > 1 {
		return nil, nil
	}
	return []workflows.ItemRef{{Kind: "file", ID: "file_1"}}, nil
}

func (s *scripted) ScanFile(context.Context, workflows.ItemInput) error     { return nil }
func (s *scripted) FinishScan(context.Context, workflows.FinishInput) error { return nil }
func (s *scripted) PurgeActivities(context.Context) error                   { return nil }
func (s *scripted) DeliverSome(context.Context, workflows.DeliverInput) (bool, error) {
	s.asked++
	return s.asked >= 3, nil
}

func (s *scripted) IndexSome(context.Context) (bool, error) {
	s.asked++
	return s.asked >= 3, nil
}

func TestHistoriesOfARealServerReplay(t *testing.T) {
	dir := t.TempDir()
	log := slog.New(slog.DiscardHandler)
	address, stop, err := Start(t.Context(), Options{Database: filepath.Join(dir, "temporal.db"), State: filepath.Join(dir, "temporal.json"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}()
	c, err := workflows.Dial(t.Context(), address, Namespace, log)
	for began := time.Now(); err != nil && time.Since(began) < 20*time.Second; time.Sleep(50 * time.Millisecond) {
		c, err = workflows.Dial(t.Context(), address, Namespace, log)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	// The version is that of the workflow's shape: a new one is a new file, and the old ones stay.
	for name, run := range map[string]struct {
		workflow, input any
		version         string
	}{
		"sync_connection": {workflows.SyncConnection, workflows.SyncInput{ConnectionID: "con_1"}, "v2"},
		"deliver":         {workflows.Deliver, workflows.DeliverInput{DestinationID: "dst_1"}, "v1"},
		"index":           {workflows.Index, workflows.IndexInput{}, "v1"},
		"purge":           {workflows.Purge, workflows.PurgeInput{}, "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			w := worker.New(c, name, worker.Options{})
			w.RegisterWorkflow(run.workflow)
			w.RegisterActivityWithOptions(&scripted{}, activity.RegisterOptions{})
			if err := w.Start(); err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			r, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: name, TaskQueue: name}, run.workflow, run.input)
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Get(ctx, nil); err != nil {
				t.Fatal(err)
			}
			history := &historypb.History{}
			events := c.GetWorkflowHistory(ctx, name, r.GetRunID(), false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
			for events.HasNext() {
				e, err := events.Next()
				if err != nil {
					t.Fatal(err)
				}
				history.Events = append(history.Events, e)
			}
			replayer := worker.NewWorkflowReplayer()
			replayer.RegisterWorkflow(run.workflow)
			if err := replayer.ReplayWorkflowHistory(nil, history); err != nil {
				t.Error(err)
			}
			file := filepath.Join("../../workflows/testdata/history", name+"."+run.version+".json")
			if _, err := os.Stat(file); !*update || err == nil {
				return // One that is there stays: it is of the version that wrote it.
			}
			b, err := protojson.MarshalOptions{Multiline: true}.Marshal(history)
			if err != nil {
				t.Fatal(err)
			}
			b = identity.ReplaceAll(b, []byte(`"identity": "test"`))
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		})
	}
}
