//go:build !noembed

package temporalembed

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/log/tag"
	"go.temporal.io/server/common/membership/static"
	sqliteplugin "go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/schema/sqlite"
	"go.temporal.io/server/temporal"
	"google.golang.org/protobuf/types/known/durationpb"
)

const loopback = "127.0.0.1"

// Start starts the server and returns the address of its frontend, and a func that stops it. A database written by another server version is
// moved aside and a fresh one is made: the server itself has no migration for SQLite files.
func Start(_ context.Context, o Options) (address string, stop func() error, err error) {
	clusterID, err := prepare(o)
	if err != nil {
		return "", nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return "", nil, err
	}
	address = fmt.Sprintf("%s:%d", loopback, ports[0])
	cfg := configuration(o.Database, clusterID, ports)
	sql := cfg.Persistence.DataStores[sqliteplugin.PluginName].SQL
	if _, err := os.Stat(o.Database); errors.Is(err, fs.ErrNotExist) {
		if err := sqlite.SetupSchema(sql); err != nil {
			return "", nil, fmt.Errorf("set up the schema of the embedded Temporal: %w", err)
		}
		if err := os.Chmod(o.Database, 0o600); err != nil {
			return "", nil, fmt.Errorf("protect the database of the embedded Temporal: %w", err)
		}
	}
	namespace, err := sqlite.NewNamespaceConfig(cfg.ClusterMetadata.CurrentClusterName, Namespace, false, nil)
	if err != nil {
		return "", nil, fmt.Errorf("configure the namespace of the embedded Temporal: %w", err)
	}
	namespace.Detail.Config.Retention = durationpb.New(Retention)
	if err := sqlite.CreateNamespaces(sql, namespace); err != nil {
		return "", nil, fmt.Errorf("create the namespace of the embedded Temporal: %w", err)
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(cfg),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithLogger(logger{o.Log}),
		temporal.WithAuthorizer(authorization.NewNoopAuthorizer()),
		temporal.WithClaimMapper(func(*config.Config) authorization.ClaimMapper { return authorization.NewNoopClaimMapper() }),
		temporal.WithDynamicConfigClient(dynamicSettings()),
		// Membership by gossip would wait, after a kill, for hosts of the process that died.
		temporal.WithStaticHosts(map[primitives.ServiceName]static.Hosts{
			primitives.FrontendService: host(ports[0]), primitives.HistoryService: host(ports[1]), primitives.MatchingService: host(ports[2]), primitives.WorkerService: host(ports[3]),
		}),
	)
	if err != nil {
		return "", nil, fmt.Errorf("configure the embedded Temporal: %w", err)
	}
	if err := server.Start(); err != nil {
		return "", nil, fmt.Errorf("start the embedded Temporal: %w", err)
	}
	return address, server.Stop, nil
}

func host(port int) static.Hosts { return static.SingleLocalHost(fmt.Sprintf("%s:%d", loopback, port)) }

func configuration(database, clusterID string, ports []int) *config.Config {
	service := func(i int) config.Service {
		return config.Service{RPC: config.RPC{GRPCPort: ports[i], BindOnLocalHost: true}}
	}
	frontend := fmt.Sprintf("%s:%d", loopback, ports[0])
	disabled := config.ArchivalNamespaceDefaults{
		History:    config.HistoryArchivalNamespaceDefaults{State: "disabled"},
		Visibility: config.VisibilityArchivalNamespaceDefaults{State: "disabled"},
	}
	return &config.Config{
		Persistence: config.Persistence{
			DefaultStore: sqliteplugin.PluginName, VisibilityStore: sqliteplugin.PluginName, NumHistoryShards: 1,
			DataStores: map[string]config.DataStore{sqliteplugin.PluginName: {SQL: &config.SQL{
				PluginName: sqliteplugin.PluginName, DatabaseName: database,
				// WAL with NORMAL: up to ten times the throughput of the default; a power cut may lose the last commits of a disposable database.
				ConnectAttributes: map[string]string{"mode": "rwc", "journal_mode": "wal", "synchronous": "normal", "busy_timeout": "10000"},
			}}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10, MasterClusterName: "active", CurrentClusterName: "active",
			ClusterInformation: map[string]cluster.ClusterInformation{
				"active": {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend, ClusterID: clusterID},
			},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Services:            map[string]config.Service{"frontend": service(0), "history": service(1), "matching": service(2), "worker": service(3)},
		Archival:            config.Archival{History: config.HistoryArchival{State: "disabled"}, Visibility: config.VisibilityArchival{State: "disabled"}},
		PublicClient:        config.PublicClient{HostPort: frontend},
		NamespaceDefaults:   config.NamespaceDefaults{Archival: disabled},
	}
}

// dynamicSettings raise the poll rates, whose defaults of 20/s a shard make each step of a workflow wait 50 ms, and keep one partition a queue.
func dynamicSettings() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		dynamicconfig.TransferProcessorMaxPollRPS.Key():         1000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():            1000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key():       200,
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,
		dynamicconfig.FrontendPersistenceMaxQPS.Key():           10000,
		dynamicconfig.HistoryPersistenceMaxQPS.Key():            45000,
	}
}

type state struct {
	ClusterID string `json:"cluster_id"`
	Server    string `json:"server"`
}

// prepare returns the cluster id of the database, drawing one for a new database.
func prepare(o Options) (string, error) {
	var s state
	b, err := os.ReadFile(o.State)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return "", fmt.Errorf("read %s: %w", filepath.Base(o.State), err)
	default:
		if err := json.Unmarshal(b, &s); err != nil {
			s = state{} // A torn file: the database beside it is disposable.
		}
	}
	if s.ClusterID != "" && s.Server == headers.ServerVersion {
		return s.ClusterID, nil
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(o.Database+suffix, o.Database+".old"+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("move the database of another Temporal version aside: %w", err)
		}
	}
	s = state{ClusterID: uuid(), Server: headers.ServerVersion}
	if b, err = json.Marshal(s); err != nil {
		return "", fmt.Errorf("encode %s: %w", filepath.Base(o.State), err)
	}
	if err := os.WriteFile(o.State, b, 0o600); err != nil {
		return "", fmt.Errorf("write %s: %w", filepath.Base(o.State), err)
	}
	return s.ClusterID, nil
}

// uuid draws a version 4 UUID (RFC 9562).
func uuid() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // Never fails: it ends the program instead.
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// freePorts holds n free loopback ports at once and lets them go together, so that all are different. The server ends the process if another
// program takes one before it does.
func freePorts(n int) (ports []int, err error) {
	held := make([]net.Listener, 0, n)
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for range n {
		l, err := net.Listen("tcp", loopback+":0")
		if err != nil {
			return nil, fmt.Errorf("find a free port for the embedded Temporal: %w", err)
		}
		held, ports = append(held, l), append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// logger passes errors of the server on. Its warnings are noise: services that start dial each other too early, pollers end at stop.
type logger struct{ log *slog.Logger }

func (logger) Debug(string, ...tag.Tag) {}
func (logger) Info(string, ...tag.Tag)  {}
func (logger) Warn(string, ...tag.Tag)  {}
func (l logger) Error(msg string, tags ...tag.Tag) {
	l.log.Debug("embedded Temporal reported", "err", msg, "detail", detail(tags))
}
func (l logger) DPanic(msg string, tags ...tag.Tag) { l.Error(msg, tags...) }
func (l logger) Panic(msg string, tags ...tag.Tag)  { l.Error(msg, tags...); panic(msg) }

// Fatal is how the server gives up, for example on a port that was taken.
func (l logger) Fatal(msg string, tags ...tag.Tag) {
	l.log.Error("embedded Temporal gave up", "code", "OB-1006", "err", msg, "detail", detail(tags))
	os.Exit(2)
}

var _ log.Logger = logger{}

func detail(tags []tag.Tag) string {
	var out string
	for _, t := range tags {
		if t.Key() == "error" {
			out = fmt.Sprint(t.Value())
		}
	}
	return out
}
