package testserver

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// elasticsearchVersion is that of go-elasticsearch.
const elasticsearchVersion = "8.19.7"

const (
	elasticsearchReady = 4 * time.Minute // on a busy machine; 10 s on one that is not
	elasticsearchEnd   = 30 * time.Second

	// nobody owns what Elasticsearch writes and runs it where the tests run as root, which it refuses.
	nobody = 65534
)

// ElasticsearchOptions say which protections the server has. TLS needs Security.
type ElasticsearchOptions struct {
	Security bool // users and rights
	TLS      bool // with an authority of its own
	Bench    bool // slower to start, faster afterwards
}

// ElasticsearchServer is a running Elasticsearch.
type ElasticsearchServer struct {
	URL                string
	Username, Password string // with the rights that the operating guide names; empty without Security
	Outsider           string // a user with the same password and no right to any index
	CAFile             string // PEM; empty without TLS

	t     testing.TB
	dir   string // of configuration, data and logs; empty: the server is not ours
	home  string
	java  string
	end   io.Closer // closing it ends the server
	ended chan struct{}
}

// Elasticsearch starts a real Elasticsearch on free ports of the loopback interface and stops it when the test ends. Start one in a test binary, and
// make parts of the test that share it. OUTBAND_TEST_ELASTICSEARCH_URL names one that runs already, for tests without Security; the indices outband-*
// in it are deleted. Without Java and Maven the test is skipped, and fails where CI is set.
//
// The server is Elastic's own distribution for integration tests, from Maven Central; it is fetched once and kept in a folder for temporary files,
// which user 65534 must be able to read where the tests run as root.
func Elasticsearch(t testing.TB, opt ElasticsearchOptions) *ElasticsearchServer {
	t.Helper()
	if url := os.Getenv("OUTBAND_TEST_ELASTICSEARCH_URL"); url != "" && !opt.Security {
		s := &ElasticsearchServer{URL: strings.TrimSuffix(url, "/"), t: t}
		s.Clear()
		return s
	}
	java := need(t, "java", "mvn", "unzip")
	home, err := distribution()
	if err != nil {
		t.Fatal("fetch Elasticsearch: ", err)
	}
	s := &ElasticsearchServer{t: t, home: home, java: java}
	if s.dir, err = os.MkdirTemp("", "outband-elasticsearch-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			t.Log("the end of Elasticsearch's log:\n" + s.tail())
		}
		if err := os.RemoveAll(s.dir); err != nil {
			t.Error(err)
		}
	})
	if err := s.configure(opt); err != nil {
		t.Fatal("configure Elasticsearch: ", err)
	}
	s.Start()
	return s
}

// need returns the home of Java if all programs are there.
func need(t testing.TB, programs ...string) string {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		missing(t, p+", for Elasticsearch")
	}
	if home := os.Getenv("JAVA_HOME"); home != "" {
		return home
	}
	path, err := exec.LookPath("java")
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(path))
}

// distribution returns the unpacked distribution, and fetches it if there is none. A lock keeps other test binaries waiting meanwhile.
func distribution() (home string, err error) {
	cache := filepath.Join(os.TempDir(), "outband-test-servers-"+strconv.Itoa(os.Geteuid()))
	if err := os.Mkdir(cache, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	// The folder for temporary files is everybody's: what is run from there must be ours.
	info, err := os.Lstat(cache)
	if err != nil {
		return "", err
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || !info.IsDir() || int(st.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return "", fmt.Errorf("%s is another user's, or others can write to it", cache)
	}
	lock, err := os.OpenFile(filepath.Join(cache, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, lock.Close()) }() // And with it the lock.
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	name := "elasticsearch-" + elasticsearchVersion
	home = filepath.Join(cache, name)
	if _, err := os.Stat(home); err == nil {
		return home, nil
	}
	part, err := os.MkdirTemp(cache, "part-")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(part)) }()
	for _, c := range [][]string{
		{"mvn", "-q", "-B", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", "-DoutputDirectory=" + part,
			"-Dartifact=org.elasticsearch.distribution.integ-test-zip:elasticsearch:" + elasticsearchVersion + ":zip"},
		{"unzip", "-q", "-d", part, filepath.Join(part, name+".zip")},
		{"chmod", "-R", "a+rX", filepath.Join(part, name)},
	} {
		if err := finish(exec.Command(c[0], c[1:]...)); err != nil {
			return "", err
		}
	}
	return home, os.Rename(filepath.Join(part, name), home) // Whole or not there.
}

// finish runs a program to its end; the error holds what it said.
func finish(c *exec.Cmd) error {
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(c.Path), err, out)
	}
	return nil
}

// configure writes the configuration into the server's folder.
func (s *ElasticsearchServer) configure(opt ElasticsearchOptions) error {
	conf := filepath.Join(s.dir, "config")
	for _, d := range []string{conf, filepath.Join(conf, "jvm.options.d"), filepath.Join(s.dir, "tmp")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return err
		}
	}
	for _, f := range []string{"jvm.options", "log4j2.properties"} {
		b, err := os.ReadFile(filepath.Join(s.home, "config", f))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(conf, f), b, 0o644); err != nil {
			return err
		}
	}
	http, err := FreePort()
	if err != nil {
		return err
	}
	transport, err := FreePort()
	if err != nil {
		return err
	}
	s.URL = fmt.Sprint("http://127.0.0.1:", http)
	yml := []string{"network.host: 127.0.0.1", fmt.Sprint("http.port: ", http), fmt.Sprint("transport.port: ", transport), "discovery.type: single-node",
		"path.data: " + filepath.Join(s.dir, "data"), "path.logs: " + filepath.Join(s.dir, "logs"), "cluster.routing.allocation.disk.threshold_enabled: false",
		fmt.Sprint("xpack.security.enabled: ", opt.Security)}
	heap := "-Xms512m\n-Xmx512m\n"
	if !opt.Bench {
		heap += "-XX:TieredStopAtLevel=1\n"
	}
	files := map[string]string{"jvm.options.d/heap.options": heap}
	if opt.Security {
		yml = append(yml, "xpack.security.transport.ssl.enabled: false")
		files["users"], files["users_roles"] = "", "" // elasticsearch-users wants them to be there.
		// The rights that the operating guide names.
		files["roles.yml"] = "outband:\n  cluster: [monitor, manage_index_templates]\n  indices:\n    - names: ['outband-*']\n" +
			"      privileges: [create_index, index, read, view_index_metadata, manage]\noutsider:\n  cluster: [monitor]\n"
	}
	if opt.TLS {
		s.URL = strings.Replace(s.URL, "http:", "https:", 1)
		yml = append(yml, "xpack.security.http.ssl.enabled: true", "xpack.security.http.ssl.key: http.key", "xpack.security.http.ssl.certificate: http.crt",
			"xpack.security.http.ssl.certificate_authorities: ca.crt")
		if err := authority(files); err != nil {
			return err
		}
		s.CAFile = filepath.Join(conf, "ca.crt")
	}
	files["elasticsearch.yml"] = strings.Join(yml, "\n") + "\n"
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(conf, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	if err := Give(s.dir, s.user()); err != nil {
		return err
	}
	if !opt.Security {
		return nil
	}
	s.Username, s.Outsider, s.Password = "outband", "outsider", "not-a-secret-1"
	for _, user := range []string{s.Username, s.Outsider} {
		if err := finish(s.command(filepath.Join(s.home, "bin", "elasticsearch-users"), "useradd", user, "-p", s.Password, "-r", user)); err != nil {
			return err
		}
	}
	return nil
}

// command is a program of the distribution, as the user that owns the server's folder.
func (s *ElasticsearchServer) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c = run(c, s.dir, s.user())
	c.Env = append(c.Env, "ES_JAVA_HOME="+s.java, "ES_PATH_CONF="+filepath.Join(s.dir, "config"), "ES_TMPDIR="+filepath.Join(s.dir, "tmp"))
	return c
}

// user is who runs the server; nil: who runs the tests.
func (s *ElasticsearchServer) user() *User {
	if os.Geteuid() != 0 {
		return nil
	}
	return &User{UID: nobody, GID: nobody}
}

// Start starts the server, on the same port and data after a Stop, and waits until it answers.
func (s *ElasticsearchServer) Start() {
	s.t.Helper()
	if s.dir == "" || s.end != nil {
		return
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "output"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		s.t.Fatal(err)
	}
	// The shell ends the server when its standard input ends: also when the tests are killed.
	c := s.command("/bin/sh", "-c", `exec 3<&0; "$@" </dev/null & p=$!; (read -r _ <&3; kill "$p" 2>/dev/null) & wait "$p"`, "sh", filepath.Join(s.home, "bin", "elasticsearch"))
	c.Stdout, c.Stderr = log, log
	pipe, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if cerr := log.Close(); err != nil || cerr != nil {
		s.t.Fatal(err, cerr)
	}
	s.end, s.ended = pipe, make(chan struct{})
	go func() {
		// How a server ends that was told to says nothing; one that ended by itself is noticed by waitReady.
		_ = c.Wait()
		close(s.ended)
	}()
	go func(pid int, ended chan struct{}) {
		<-ended
		// Whatever the launcher left of its group.
		_ = syscall.Kill(-pid, syscall.SIGKILL)
	}(c.Process.Pid, s.ended)
	s.waitReady(c.Process.Pid)
}

func (s *ElasticsearchServer) waitReady(pid int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), elasticsearchReady)
	defer cancel()
	for {
		status, _, err := s.Call(ctx, http.MethodGet, "/_cluster/health", "")
		if err == nil && status == http.StatusOK {
			return
		}
		select {
		case <-ctx.Done():
			_ = syscall.Kill(-pid, syscall.SIGKILL) // It did not start; the log says why.
			s.t.Fatalf("Elasticsearch is not ready: status %d, %v\n%s", status, err, s.tail())
		case <-s.ended:
			s.t.Fatalf("Elasticsearch ended:\n%s", s.tail())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Stop stops the server; its data stays. A test that needs this is skipped with a server that is not ours.
func (s *ElasticsearchServer) Stop() {
	s.t.Helper()
	if s.dir == "" {
		s.t.Skip("SKIPPED: the server of OUTBAND_TEST_ELASTICSEARCH_URL cannot be stopped")
	}
	if s.end == nil {
		return
	}
	if err := s.end.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.t.Error(err)
	}
	s.end = nil
	select {
	case <-s.ended:
	case <-time.After(elasticsearchEnd):
		s.t.Error("Elasticsearch did not stop")
	}
}

func (s *ElasticsearchServer) tail() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "output"))
	if err != nil {
		return err.Error()
	}
	const most = 4000
	return string(b[max(0, len(b)-most):])
}

// Call makes a request as Outband's user, and returns the status and the body.
func (s *ElasticsearchServer) Call(ctx context.Context, method, path, body string) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if s.Username != "" {
		req.SetBasicAuth(s.Username, s.Password)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	if s.CAFile != "" {
		ca, err := os.ReadFile(s.CAFile)
		if err != nil {
			return 0, nil, err
		}
		pool := x509.NewCertPool()
		pool.AppendCertsFromPEM(ca)
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0, nil, err
	}
	b, err := io.ReadAll(resp.Body)
	return resp.StatusCode, b, errors.Join(err, resp.Body.Close())
}

// Must is Call for a request that has to succeed.
func (s *ElasticsearchServer) Must(method, path, body string) []byte {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	status, b, err := s.Call(ctx, method, path, body)
	if err != nil || status < 200 || status > 299 {
		s.t.Fatalf("%s %s: status %d, %v\n%.2000s", method, path, status, err, b)
	}
	return b
}

// Clear deletes all indices of Outband and its templates.
func (s *ElasticsearchServer) Clear() {
	s.t.Helper()
	for _, line := range strings.Fields(string(s.Must(http.MethodGet, "/_cat/indices/outband-*?h=index", ""))) {
		s.Must(http.MethodDelete, "/"+line, "")
	}
	var found struct {
		Templates []struct {
			Name string `json:"name"`
		} `json:"index_templates"`
	}
	if err := json.Unmarshal(s.Must(http.MethodGet, "/_index_template", ""), &found); err != nil {
		s.t.Fatal(err)
	}
	for _, x := range found.Templates {
		if strings.HasPrefix(x.Name, "outband-") {
			s.Must(http.MethodDelete, "/_index_template/"+x.Name, "")
		}
	}
}

// authority makes an authority, and a certificate of it for 127.0.0.1, as files.
func authority(files map[string]string) error {
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Outband test authority"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "elasticsearch"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	for name, sign := range map[string]func() ([]byte, error){
		"ca.crt":   func() ([]byte, error) { return x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey) },
		"http.crt": func() ([]byte, error) { return x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey) },
	} {
		der, err := sign()
		if err != nil {
			return err
		}
		files[name] = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	files["http.key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return nil
}
