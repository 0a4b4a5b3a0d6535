// Package config reads Outband's settings: flags before environment before file before defaults. It refuses what it does not know, and what this
// version cannot do yet, instead of ignoring it: a setting that has no effect is worse than a start that stops and says so.
package config

import (
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/outband/outband/internal/secret"
)

// Roles of a process.
const (
	RoleAll    = "all"
	RoleAPI    = "api"
	RoleWorker = "worker"
)

// Config holds every setting. Its shape follows the keys of the file.
type Config struct {
	Listen         string // host:port of the API and the pages; port 0 takes a free one; empty only for RoleWorker: nothing is served
	Data           string // the data folder
	Role           string // RoleAll, RoleAPI or RoleWorker
	Temporal       Temporal
	Store          Store
	Elasticsearch  Elasticsearch
	Egress         Egress
	Key            Key
	PublicURL      string // without a slash at its end; empty: the address that the server listens on
	TLS            TLS
	TrustedProxies []netip.Prefix // that end TLS before Outband; none: only loopback or TLS
	Metrics        Metrics
	Log            Log
	Policies       Policies
	Files          Files
}

// Temporal names a Temporal cluster.
type Temporal struct {
	Address string // host:port; empty: the embedded server
}

// Store names the system of record.
type Store struct {
	Postgres secret.Value // connection string, which may hold a password; empty: the SQLite file of the data folder
}

// Elasticsearch names the search index that stands in for the embedded one.
type Elasticsearch struct {
	URL          string // without a slash at its end; empty: the embedded search
	Username     string
	Password     secret.Value // from the settings or from PasswordFile
	PasswordFile string
	APIKey       secret.Value // in place of user and password
	CAFile       string
}

// Egress widens what may be called.
type Egress struct {
	Allow []netip.Prefix // addresses that connectors and destinations may reach although they are not public (invariant 10)
}

// Key names the key-encryption key.
type Key struct {
	File string // default: key in the data folder
}

// TLS names the server's certificate; both files or neither.
type TLS struct {
	Cert, Key string
}

// Metrics says where metrics are served.
type Metrics struct {
	Listen string // host:port; empty: off
}

// Log says how much is logged.
type Log struct {
	Level slog.Level
}

// Policies says where custom policies are, and when a policy is paused by itself.
type Policies struct {
	Dir        string
	FloodLimit int64         // new findings in an hour; 0: never
	CostLimit  time.Duration // mean of an evaluation; 0: never
}

// Files bounds the reading of documents. What is 0 has the default of the part that reads them.
type Files struct {
	MaxMiB, ItemMaxMiB, MaxMembers, MaxDepth, MaxRatio, MaxMegapixels, MemoryMiB int64

	CPU, Time time.Duration // of one file
	Children  int64
	OCR       bool
}

// Options are the places that settings come from.
type Options struct {
	File  string            // path of a YAML file; empty: none
	Env   []string          // "NAME=value" as from os.Environ; only names that begin with OUTBAND_ are looked at
	Flags map[string]string // what was given on the command line, by key of the file: "listen", "data"
}

// Load reads and checks the settings. Its error joins one *Error for each thing that is wrong, so that an admin repairs the file once.
func Load(o Options) (Config, error) {
	if o.File == "" {
		return load(nil, o)
	}
	source, err := open(o.File)
	if err != nil {
		return Config{}, err
	}
	return load(source, o)
}

// parse makes a Config of the merged settings.
func (m *merged) parse() (Config, error) {
	c := Config{
		Listen:        m.address("listen"),
		Data:          m.required("data"),
		Role:          m.choice("role", RoleAll, RoleAPI, RoleWorker),
		Temporal:      Temporal{Address: m.address("temporal.address")},
		Store:         Store{Postgres: m.secret("store.postgres")},
		Egress:        Egress{Allow: m.networks("egress.allow")},
		Key:           Key{File: m.text("key.file")},
		PublicURL:     m.url("public_url"),
		TLS:           TLS{Cert: m.text("tls.cert"), Key: m.text("tls.key")},
		Metrics:       Metrics{Listen: m.address("metrics.listen")},
		Log:           Log{Level: levels[m.choice("log.level", "debug", "info", "warn", "error")]},
		Policies:      Policies{Dir: m.text("policies.dir"), FloodLimit: m.count("policies.flood_limit"), CostLimit: m.duration("policies.cost_limit")},
		Elasticsearch: m.elasticsearch(),
		Files:         m.files(),
	}
	c.TrustedProxies = m.networks("trusted_proxies")
	if c.Role == RoleWorker && m.origin["listen"] == "" {
		c.Listen = "" // A worker serves its health only, and only where it is told to.
	}
	if c.Key.File == "" {
		c.Key.File = filepath.Join(c.Data, "key")
	}
	m.together(c)
	if len(m.errs) > 0 {
		return Config{}, errors.Join(m.errs...)
	}
	return c, nil
}

var levels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

func (m *merged) files() Files {
	return Files{
		MaxMiB: m.bounded("files.max_mib", 4096), ItemMaxMiB: m.bounded("files.item_max_mib", 1<<20), MaxMembers: m.bounded("files.max_members", 10_000_000),
		MaxDepth: m.bounded("files.max_depth", 50), MaxRatio: m.bounded("files.max_ratio", 1_000_000), MaxMegapixels: m.bounded("files.max_megapixels", 10_000),
		MemoryMiB: m.bounded("files.memory_mib", 1<<20), CPU: m.duration("files.cpu"), Time: m.duration("files.time"), Children: m.bounded("files.children", 1024),
		OCR: m.choice("files.ocr", "off", "on") == "on",
	}
}

func (m *merged) elasticsearch() Elasticsearch {
	e := Elasticsearch{
		URL: m.url("elasticsearch.url"), Username: m.text("elasticsearch.username"), Password: m.secret("elasticsearch.password"),
		PasswordFile: m.text("elasticsearch.password_file"), APIKey: m.secret("elasticsearch.api_key"), CAFile: m.text("elasticsearch.ca_file"),
	}
	if e.PasswordFile != "" && m.text("elasticsearch.password") == "" {
		e.Password = m.secretFile("elasticsearch.password_file")
	}
	return e
}
