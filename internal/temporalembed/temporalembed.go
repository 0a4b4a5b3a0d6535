// Package temporalembed runs a Temporal server inside this process, on a SQLite file of its own and on loopback only. Its database is
// disposable: everything that matters is in the store, and schedules are rebuilt from there at every start (invariant 6). The build tag noembed
// leaves the server out, for workers that talk to a cluster.
package temporalembed

import (
	"log/slog"
	"time"
)

// Namespace is the one Temporal namespace of Outband, embedded or not.
const Namespace = "outband"

// Retention is how long the embedded server keeps the history of a finished workflow.
const Retention = 48 * time.Hour

// Options say where the server keeps its files. The caller holds the lock of the folder.
type Options struct {
	Database string // SQLite file, made if it does not exist
	State    string // JSON file beside it: cluster id and server version
	Log      *slog.Logger
}
