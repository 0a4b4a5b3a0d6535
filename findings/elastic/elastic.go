// Package elastic keeps an index of the findings in Elasticsearch 8 and answers questions from it. The index is a consumer of the finding log
// (invariant 3): it can be away, behind, lost or built anew without slowing a scan or losing a finding. The package promises that what it answers
// equals what the store answers for the same data, that it says so where it cannot (search.ErrUnsuited), that no personal data reaches the index
// (a finding's actor is a key there), and that no error holds a document, a reply or a credential.
//
// One index holds the findings first seen in one month, so that a change always meets its own older version; `outband-findings` is the alias over
// all of them. A document's external version is the epoch and the place of its last change in the log: what comes late or twice is refused by
// Elasticsearch, and that is a success.
package elastic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"time"

	"github.com/elastic/elastic-transport-go/v8/elastictransport"

	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// Configuration says where Elasticsearch is and who Outband is there. An API key replaces the user.
type Configuration struct {
	URL      string // https://host:port, http on a trusted network; a path is kept
	Username string
	Password secret.Value
	APIKey   secret.Value // the encoded form, as Elasticsearch gives it out
	CAFile   string       // PEM; the only authorities trusted then. Empty: those of the system
	Replicas int          // copies of each index beside the first, of indices made from then on; 0: one where there is a second node
}

// Dependencies are what an Index needs.
type Dependencies struct {
	DB       *store.DB
	Embedded *search.Reader // reads the rows of a page, and who people are
	Log      *slog.Logger
	Now      func() time.Time // nil: time.Now
	Rand     func() float64   // in [0, 1), for the waits between tries; nil: math/rand/v2
}

// Index is the index in Elasticsearch. It is safe for concurrent use.
type Index struct {
	cfg       Configuration
	deps      Dependencies
	client    *elastictransport.Client
	transport *http.Transport
	maxKeys   int

	stepping sync.Mutex // held by Step

	mu        sync.Mutex
	template  bool            // put by this process
	months    map[string]bool // aliases that this process knows to be there
	checkedAt time.Time       // that the alias is there
}

var _ search.Engine = (*Index)(nil)

// Limits of the transport.
const (
	dialTimeout   = 5 * time.Second
	answerTimeout = 60 * time.Second // until the headers of an answer; questions have a shorter one of their own
	idleTimeout   = 90 * time.Second
	maxIdle       = 16
	maxConns      = 32
)

// Open prepares the index. It makes no call: Elasticsearch may be down when Outband starts. Errors are about the configuration: OB-6008, OB-6009.
func Open(cfg Configuration, deps Dependencies) (*Index, error) {
	if deps.Now == nil {
		deps.Now = time.Now
	}
	if deps.Rand == nil {
		deps.Rand = rand.Float64
	}
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, newError(CodeAddress, "The address of Elasticsearch is not like https://host:9200. Write the user and the password in their own settings.", nil)
	}
	tlsConfig := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CAFile != "" {
		pem, err := os.ReadFile(cfg.CAFile)
		if err != nil {
			return nil, newError(CodeCA, "The file of certificate authorities for Elasticsearch cannot be read. Check elasticsearch.ca_file and its mode.", err)
		}
		tlsConfig.RootCAs = x509.NewCertPool()
		if !tlsConfig.RootCAs.AppendCertsFromPEM(pem) {
			return nil, newError(CodeCA, "The file of certificate authorities for Elasticsearch holds no certificate in PEM form. Put the authority's certificate there.", nil)
		}
	}
	transport := &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		TLSClientConfig:     tlsConfig,
		TLSHandshakeTimeout: dialTimeout,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        maxIdle, MaxIdleConnsPerHost: maxIdle, MaxConnsPerHost: maxConns,
		IdleConnTimeout:       idleTimeout,
		ResponseHeaderTimeout: answerTimeout,
	}
	options := []elastictransport.Option{
		elastictransport.WithURLs(u), elastictransport.WithTransport(transport), elastictransport.WithCompression(),
		elastictransport.WithDisableRetry(), // Invariant 7: Step and the workflow that calls it try again, nobody else.
	}
	switch {
	case !cfg.APIKey.IsZero():
		// Spelled as Elasticsearch's documentation has it, which the transport's own option does not.
		options = append(options, elastictransport.WithHeader(http.Header{"Authorization": {"ApiKey " + cfg.APIKey.Reveal()}}))
	case cfg.Username != "":
		options = append(options, elastictransport.WithBasicAuth(cfg.Username, cfg.Password.Reveal()))
	}
	// The transport and the requests of go-elasticsearch without its typed API, which takes minutes to compile.
	client, err := elastictransport.NewClient(options...)
	if err != nil {
		return nil, newError(CodeAddress, "The settings for Elasticsearch cannot be used.", errors.New("the client refuses them"))
	}
	return &Index{cfg: cfg, deps: deps, client: client, transport: transport, maxKeys: maxKeys, months: map[string]bool{}}, nil
}

// Close closes the connections.
func (x *Index) Close() { x.transport.CloseIdleConnections() }
