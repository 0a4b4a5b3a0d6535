//go:build !noembed

package temporalembed

import (
	"encoding/json"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

func TestServerComesBackWithItsClusterAndRetention(t *testing.T) {
	dir := t.TempDir()
	o := Options{Database: filepath.Join(dir, "temporal.db"), State: filepath.Join(dir, "temporal.json"), Log: slog.New(slog.DiscardHandler)}
	var first string
	for round := range 2 {
		began := time.Now()
		address, stop, err := Start(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if host, _, err := net.SplitHostPort(address); err != nil || host != "127.0.0.1" {
			t.Errorf("listens on %s", address)
		}
		conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		api := workflowservice.NewWorkflowServiceClient(conn)
		ns, err := api.DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: Namespace}, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		if got := ns.Config.WorkflowExecutionRetentionTtl.AsDuration(); got != Retention {
			t.Errorf("retention %v", got)
		}
		info, err := api.GetClusterInfo(t.Context(), &workflowservice.GetClusterInfoRequest{})
		if err != nil {
			t.Fatal(err)
		}
		var s state
		b, err := os.ReadFile(o.State)
		if err != nil || json.Unmarshal(b, &s) != nil || s.ClusterID != info.ClusterId || strings.Count(s.ClusterID, "-") != 4 {
			t.Errorf("round %d: state %s, cluster %s, %v", round, b, info.ClusterId, err)
		}
		if round == 0 {
			first = s.ClusterID
		} else if s.ClusterID != first {
			t.Error("the cluster id changed between two starts")
		}
		t.Logf("round %d: up in %v", round, time.Since(began))
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
}

func TestADatabaseOfAnotherServerVersionIsMovedAside(t *testing.T) {
	dir := t.TempDir()
	o := Options{Database: filepath.Join(dir, "temporal.db"), State: filepath.Join(dir, "temporal.json"), Log: slog.New(slog.DiscardHandler)}
	for name, content := range map[string]string{o.Database: "old", o.State: `{"cluster_id":"x","server":"0.0.1"}`} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id, err := prepare(o)
	if err != nil || id == "x" {
		t.Fatalf("prepare: %q, %v", id, err)
	}
	if b, err := os.ReadFile(o.Database + ".old"); err != nil || string(b) != "old" {
		t.Errorf("the old database: %q, %v", b, err)
	}
	if again, err := prepare(o); err != nil || again != id {
		t.Errorf("second start: %q, %v", again, err)
	}
}
