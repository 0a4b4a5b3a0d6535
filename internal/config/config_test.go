package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/outband/outband/internal/secret"
)

// text is a file of settings in memory.
type text string

func (t text) ReadBytes() ([]byte, error)  { return []byte(t), nil }
func (text) Read() (map[string]any, error) { return nil, errors.New("bytes only") }
func prefixes(cidrs ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range cidrs {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

var compare = cmp.Options{cmpopts.EquateComparable(netip.Prefix{}), cmp.Comparer(func(a, b secret.Value) bool { return a.Reveal() == b.Reveal() })}

var defaultFiles = Files{MaxMiB: 100, ItemMaxMiB: 500, MaxMembers: 2000, MaxDepth: 5, MaxRatio: 200, MaxMegapixels: 50, MemoryMiB: 512, CPU: 20 * time.Second, Time: time.Minute}

func defaults() Config {
	return Config{
		Listen: "127.0.0.1:8080", Data: "./outband-data", Role: RoleAll, Key: Key{File: "outband-data/key"}, Log: Log{Level: slog.LevelInfo}, Policies: Policies{FloodLimit: 1000, CostLimit: 5 * time.Millisecond},
		Files: defaultFiles,
	}
}

func TestLoad(t *testing.T) {
	with := func(change func(*Config)) Config {
		c := defaults()
		change(&c)
		return c
	}
	for _, tc := range []struct {
		name string
		file string
		env  []string
		flag map[string]string
		want Config
	}{
		{name: "no place says anything", want: defaults()},
		{name: "an empty file changes nothing", file: "# only a comment\n---\n", want: defaults()},
		{name: "sections without values change nothing", file: "temporal:\negress:\n  allow:\nlisten:\n", want: defaults()},
		{
			name: "every key of this version in the file",
			file: "listen: 0.0.0.0:443\ndata: /var/lib/outband\ntemporal:\n  address: temporal:7233\negress:\n  allow: [10.0.0.0/8, 'fd00::/8']\nkey: {file: /etc/outband/key}\n" +
				"public_url: https://outband.example.com/casb/\ntls:\n  cert: c.pem\n  key: k.pem\ntrusted_proxies: [192.0.2.7/32]\nlog:\n  level: debug\nmetrics: {listen: '127.0.0.1:9090'}\npolicies: {dir: /etc/outband/policies, flood_limit: 200, cost_limit: 1ms}\n",
			want: Config{
				Listen: "0.0.0.0:443", Data: "/var/lib/outband", Role: RoleAll, Temporal: Temporal{Address: "temporal:7233"}, Egress: Egress{Allow: prefixes("10.0.0.0/8", "fd00::/8")},
				Key: Key{File: "/etc/outband/key"}, PublicURL: "https://outband.example.com/casb", TLS: TLS{Cert: "c.pem", Key: "k.pem"}, TrustedProxies: prefixes("192.0.2.7/32"),
				Log: Log{Level: slog.LevelDebug}, Metrics: Metrics{Listen: "127.0.0.1:9090"}, Policies: Policies{Dir: "/etc/outband/policies", FloodLimit: 200, CostLimit: time.Millisecond}, Files: defaultFiles,
			},
		},
		{
			name: "an API over the servers that it shares",
			file: "role: api\nstore:\n  postgres: postgres://u:hunter2@db/x\ntemporal: {address: 'temporal:7233'}\nelasticsearch:\n  url: https://es:9200/\n  api_key: abc\n  ca_file: config.go\n",
			want: with(func(c *Config) {
				c.Role, c.Store.Postgres, c.Temporal.Address = RoleAPI, secret.NewValue("postgres://u:hunter2@db/x"), "temporal:7233"
				c.Elasticsearch = Elasticsearch{URL: "https://es:9200", APIKey: secret.NewValue("abc"), CAFile: "config.go"}
			}),
		},
		{
			name: "a worker listens only where it is told to", file: "role: worker\nstore: {postgres: x}\ntemporal: {address: 'temporal:7233'}\n",
			want: with(func(c *Config) {
				c.Listen, c.Role, c.Store.Postgres, c.Temporal.Address = "", RoleWorker, secret.NewValue("x"), "temporal:7233"
			}),
		},
		{
			name: "a worker serves its health beyond loopback", file: "role: worker\nlisten: ':8081'\nstore: {postgres: x}\ntemporal: {address: 'temporal:7233'}\n",
			want: with(func(c *Config) {
				c.Listen, c.Role, c.Store.Postgres, c.Temporal.Address = ":8081", RoleWorker, secret.NewValue("x"), "temporal:7233"
			}),
		},
		{name: "limits as numbers and as text", file: "policies: {flood_limit: 0, cost_limit: 20ms}\n", want: with(func(c *Config) { c.Policies.FloodLimit, c.Policies.CostLimit = 0, 20*time.Millisecond })},
		{name: "bounds of files", file: "files: {max_mib: 10, max_depth: 2, cpu: 5s, ocr: on}\n", env: []string{"OUTBAND_FILES_MEMORY_MIB=256"}, want: with(func(c *Config) {
			c.Files.MaxMiB, c.Files.MaxDepth, c.Files.CPU, c.Files.OCR, c.Files.MemoryMiB = 10, 2, 5*time.Second, true, 256
		})},
		{name: "limits by the environment", env: []string{"OUTBAND_POLICIES_FLOOD_LIMIT=50000", "OUTBAND_POLICIES_COST_LIMIT=0"}, want: with(func(c *Config) { c.Policies.FloodLimit, c.Policies.CostLimit = 50000, 0 })},
		{name: "a key in one line means its section", file: "log.level: warn\n", want: with(func(c *Config) { c.Log.Level = slog.LevelWarn })},
		{
			name: "the environment is stronger than the file", file: "data: from-file\nlog: {level: warn}\n", env: []string{"OUTBAND_DATA=from-env"},
			want: with(func(c *Config) { c.Data, c.Key.File, c.Log.Level = "from-env", "from-env/key", slog.LevelWarn }),
		},
		{
			name: "a flag is stronger than the environment", file: "data: from-file\n", env: []string{"OUTBAND_DATA=from-env"}, flag: map[string]string{"data": "from-flag"},
			want: with(func(c *Config) { c.Data, c.Key.File = "from-flag", "from-flag/key" }),
		},
		{
			name: "a list in the environment replaces that of the file", file: "egress: {allow: [10.0.0.0/8]}\n", env: []string{"OUTBAND_EGRESS_ALLOW= 127.0.0.0/8, ::1/128,"},
			want: with(func(c *Config) { c.Egress.Allow = prefixes("127.0.0.0/8", "::1/128") }),
		},
		{name: "a list in the file may be one text", file: "egress: {allow: '10.0.0.0/8,192.168.0.0/16'}\n", want: with(func(c *Config) { c.Egress.Allow = prefixes("10.0.0.0/8", "192.168.0.0/16") })},
		{name: "an empty variable is not set", env: []string{"OUTBAND_LISTEN=", "OUTBAND_STORE_POSTGRES="}, want: defaults()},
		{
			name: "variables of tests and of Kubernetes are not settings",
			env: []string{"OUTBAND_TEST_CHILD=1", "OUTBAND_BIN=x", "OUTBAND_SERVICE_HOST=10.1.2.3", "OUTBAND_SERVICE_PORT_HTTP=8080", "OUTBAND_PORT=tcp://10.1.2.3:8080",
				"OUTBAND_PORT_8080_TCP_ADDR=10.1.2.3", "OUTBAND_UI_SERVICE_HOST=10.1.2.4", "OUTBAND_UI_PORT=tcp://10.1.2.4:80", "PATH=/bin", "OUTBANDX=1"},
			want: defaults(),
		},
		{name: "loopback needs no protection", env: []string{"OUTBAND_LISTEN=[::1]:0"}, want: with(func(c *Config) { c.Listen = "[::1]:0" })},
		{
			name: "a trusted proxy is protection", env: []string{"OUTBAND_LISTEN=:8080", "OUTBAND_TRUSTED_PROXIES=10.0.0.1/32"},
			want: with(func(c *Config) { c.Listen, c.TrustedProxies = ":8080", prefixes("10.0.0.1/32") }),
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := load(text(tc.file), Options{Env: tc.env, Flags: tc.flag})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, got, compare); diff != "" {
				t.Errorf("load (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		file string
		env  []string
		flag map[string]string
		want []string // each error begins with one of these
	}{
		{name: "an unknown key, naming the nearest", file: "lisen: x\n", want: []string{"OB-1011: lisen: there is no such key. Did you mean listen?"}},
		{name: "an unknown key in a section", file: "elasticsearch:\n  pasword: x\n", want: []string{"OB-1011: elasticsearch.pasword: there is no such key. Did you mean elasticsearch.password?"}},
		{name: "an unknown section", file: "tempral:\n  address: x:1\n", want: []string{"OB-1011: tempral: there is no such key. Did you mean "}},
		{name: "an unknown key without a value", file: "liste:\n", want: []string{"OB-1011: liste: "}},
		{name: "an unknown variable", env: []string{"OUTBAND_LOGLEVEL=debug"}, want: []string{"OB-1011: OUTBAND_LOGLEVEL: there is no such setting. Did you mean OUTBAND_LOG_LEVEL?"}},
		{name: "a port that is no Kubernetes variable", env: []string{"OUTBAND_PORT=8080"}, want: []string{"OB-1011: OUTBAND_PORT: "}},
		{name: "an unknown flag", flag: map[string]string{"datta": "x"}, want: []string{"OB-1011: datta: there is no such key. Did you mean data?"}},
		{name: "a number where text belongs", file: "listen: 8080\n", want: []string{"OB-1012: listen (file): the value must be text"}},
		{name: "a section where text belongs", file: "listen: {host: x}\n", want: []string{"OB-1012: listen (file): "}},
		{name: "text where a section belongs", file: "log: debug\n", want: []string{"OB-1011: log: there is no such key. Did you mean "}},
		{name: "numbers in a list", file: "egress: {allow: [10]}\n", want: []string{"OB-1012: egress.allow (file): each entry"}},
		{name: "a map where a list belongs", file: "egress: {allow: {a: b}}\n", want: []string{"OB-1012: egress.allow (file): the value must be a list"}},
		{name: "a key that stands twice", file: "log: {level: info}\nlog.level: warn\n", want: []string{"OB-1012: log.level (file): it stands twice"}},
		{name: "a broken CIDR", env: []string{"OUTBAND_EGRESS_ALLOW=10.0.0.0/33"}, want: []string{`OB-1014: egress.allow (environment OUTBAND_EGRESS_ALLOW): "10.0.0.0/33" is not a network`}},
		{name: "an address in place of a CIDR", file: "egress: {allow: [10.0.0.5]}\n", want: []string{`OB-1014: egress.allow (file): "10.0.0.5" is not a network. Write a CIDR, for this one address 10.0.0.5/32.`}},
		{name: "a CIDR with host bits", file: "egress: {allow: [10.0.0.5/8]}\n", want: []string{`OB-1014: egress.allow (file): "10.0.0.5/8" names an address inside a network. Write 10.0.0.0/8 for the network or 10.0.0.5/32`}},
		{name: "IPv4 written as IPv6", file: "egress: {allow: ['::ffff:10.0.0.0/104']}\n", want: []string{"OB-1014: egress.allow"}},
		{name: "a broken trusted proxy", file: "trusted_proxies: [proxy]\n", want: []string{"OB-1014: trusted_proxies"}},
		{name: "a listen address without a port", flag: map[string]string{"listen": "127.0.0.1"}, want: []string{"OB-1015: listen (flag): write it as host:port"}},
		{name: "a listen address that is empty", flag: map[string]string{"listen": ""}, want: []string{"OB-1015: listen (flag): "}},
		{name: "a port that is too large", flag: map[string]string{"listen": "127.0.0.1:65536"}, want: []string{"OB-1015: listen"}},
		{name: "an address that is a URL", flag: map[string]string{"temporal.address": "http://temporal:7233"}, want: []string{"OB-1015: temporal.address"}},
		{name: "a Temporal address without a host", flag: map[string]string{"temporal.address": ":7233"}, want: []string{"OB-1015: temporal.address"}},
		{name: "all interfaces in clear", flag: map[string]string{"listen": ":8080"}, want: []string{"OB-1016: listen (flag): tokens would cross the network in clear"}},
		{name: "an address of the network in clear", flag: map[string]string{"listen": "192.168.1.5:8080"}, want: []string{"OB-1016: listen"}},
		{name: "a host name in clear", flag: map[string]string{"listen": "casb.example.com:80"}, want: []string{"OB-1016: listen"}},
		{name: "a certificate without its key", file: "tls: {cert: c.pem}\n", want: []string{"OB-1017: tls.cert (file): a certificate needs its key and the key its certificate. Set tls.key too."}},
		{name: "a key without its certificate", file: "tls: {key: k.pem}\n", want: []string{"OB-1017: tls.key"}},
		{name: "an unknown role", flag: map[string]string{"role": "boss"}, want: []string{`OB-1018: role (flag): "boss" is not one of all, api, worker.`}},
		{name: "a limit that is no number", file: "policies: {flood_limit: many}\n", want: []string{"OB-1012: policies.flood_limit (file): write it as a whole number"}},
		{name: "a limit below zero", env: []string{"OUTBAND_POLICIES_FLOOD_LIMIT=-1"}, want: []string{"OB-1012: policies.flood_limit"}},
		{name: "a time without its unit", file: "policies: {cost_limit: 5}\n", want: []string{"OB-1012: policies.cost_limit (file): write it as a number with its unit"}},
		{name: "an unknown level", env: []string{"OUTBAND_LOG_LEVEL=trace"}, want: []string{`OB-1018: log.level`}},
		{name: "a URL without a scheme", file: "public_url: outband.example.com\n", want: []string{"OB-1019: public_url"}},
		{name: "a URL with a password", file: "public_url: https://a:hunter2@outband.example.com\n", want: []string{"OB-1019: public_url"}},
		{name: "a URL with a query", file: "public_url: https://outband.example.com/?a=b\n", want: []string{"OB-1019: public_url"}},
		{name: "metrics for all in clear", flag: map[string]string{"metrics.listen": "0.0.0.0:9090"}, want: []string{"OB-1016: metrics.listen"}},
		{
			name: "a role without the servers that it shares", flag: map[string]string{"role": "worker"},
			want: []string{"OB-1023: role (flag): processes of the roles api and worker share their servers. Set store.postgres too", "OB-1023: role (flag): processes of the roles api and worker share their servers. Set temporal.address too"},
		},
		{name: "a role with half of them", file: "temporal: {address: 'temporal:7233'}\n", flag: map[string]string{"role": "api"}, want: []string{"OB-1023: role (flag): processes of the roles api and worker share their servers. Set store.postgres too"}},
		{name: "an API in clear beside workers", file: "role: api\nlisten: 0.0.0.0:80\nstore: {postgres: x}\ntemporal: {address: 'temporal:7233'}\n", want: []string{"OB-1016: listen"}},
		{name: "a user without a password", file: "elasticsearch: {url: 'https://es:9200', username: u}\n", want: []string{"OB-1022: elasticsearch.username (file): a user needs a password"}},
		{name: "a password without a user", file: "elasticsearch: {url: 'https://es:9200', password: hunter2}\n", want: []string{"OB-1022: elasticsearch.username: a password needs its user"}},
		{name: "a password given twice", file: "elasticsearch: {url: 'https://es:9200', username: u, password: hunter2, password_file: x}\n", want: []string{"OB-1022: elasticsearch.password_file (file): the password is given twice"}},
		{name: "an API key and a user", file: "elasticsearch: {url: 'https://es:9200', username: u, password: hunter2, api_key: hunter2}\n", want: []string{"OB-1022: elasticsearch.api_key (file): an API key stands in place of a user"}},
		{name: "Elasticsearch without an address", env: []string{"OUTBAND_ELASTICSEARCH_USERNAME=u", "OUTBAND_ELASTICSEARCH_PASSWORD=hunter2"}, want: []string{"OB-1022: elasticsearch.username (environment OUTBAND_ELASTICSEARCH_USERNAME): it is of no use without elasticsearch.url", "OB-1022: elasticsearch.password"}},
		{name: "an address of Elasticsearch with a password", file: "elasticsearch: {url: 'https://u:hunter2@es:9200'}\n", want: []string{"OB-1019: elasticsearch.url"}},
		{name: "a password file that is not there", file: "elasticsearch: {url: 'https://es:9200', username: u, password_file: /nowhere/password}\n", want: []string{"OB-1024: elasticsearch.password_file (file): the file cannot be read: open /nowhere/password"}},
		{name: "a password file that is a folder", file: "elasticsearch: {url: 'https://es:9200', username: u, password_file: /}\n", want: []string{"OB-1024: elasticsearch.password_file"}},
		{name: "a password file without an end", file: "elasticsearch: {url: 'https://es:9200', username: u, password_file: /dev/zero}\n", want: []string{"OB-1024: elasticsearch.password_file (file): the file cannot be read: it has more than 1048576 bytes"}},
		{name: "an empty password file", file: "elasticsearch: {url: 'https://es:9200', username: u, password_file: /dev/null}\n", want: []string{"OB-1024: elasticsearch.password_file (file): the file is empty"}},
		{name: "certificates that are not there", file: "elasticsearch: {url: 'https://es:9200', ca_file: /nowhere/ca.pem}\n", want: []string{"OB-1024: elasticsearch.ca_file (file): the file cannot be read: open /nowhere/ca.pem"}},
		{name: "certificates of a server in clear", file: "elasticsearch: {url: 'http://es:9200', ca_file: config.go}\n", want: []string{"OB-1022: elasticsearch.ca_file (file): certificates are checked only over https"}},
		{name: "an empty data folder", flag: map[string]string{"data": " "}, want: []string{"OB-1021: data (flag): it must not be empty"}},
		{name: "a secret on the command line", flag: map[string]string{"store.postgres": "postgres://u:hunter2@db/x"}, want: []string{"OB-1013: store.postgres: a secret on the command line is seen by every user of the machine. Set it in the file or as OUTBAND_STORE_POSTGRES."}},
		{name: "text that is not YAML", file: "elasticsearch:\n  password: hunter2: x\n", want: []string{"OB-1010: the settings file is not YAML with one value for each key near line 2. Correct it."}},
		{name: "a list as a file", file: "- hunter2\n", want: []string{"OB-1010: "}},
		{name: "a key given twice", file: "data: hunter2\ndata: b\n", want: []string{"OB-1010: "}},
		{name: "a second document", file: "data: a\n---\nlisten: x\n", want: []string{"OB-1010: the settings file holds more than one YAML document. Keep one."}},
		{name: "everything that is wrong at once", file: "role: boss\nlog: {level: loud}\nlisen: a\n", want: []string{"OB-1011: lisen", "OB-1018: role", "OB-1018: log.level"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := load(text(tc.file), Options{Env: tc.env, Flags: tc.flag})
			if err == nil {
				t.Fatal("accepted")
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(tc.want) {
				t.Fatalf("%d errors, want %d:\n%v", len(lines), len(tc.want), err)
			}
			for i, line := range lines {
				if !strings.HasPrefix(line, tc.want[i]) {
					t.Errorf("got  %s\nwant %s", line, tc.want[i])
				}
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error holds a secret: %v", err)
			}
			var e *Error
			if !errors.As(err, &e) || e.Code == "" {
				t.Errorf("no *Error inside %T", err)
			}
		})
	}
}

func TestFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	large := filepath.Join(dir, "large.yaml")
	if err := os.WriteFile(large, []byte(strings.Repeat("#\n", maxFile)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"missing": filepath.Join(dir, "none.yaml"), "a folder": dir, "too large": large} {
		_, err := Load(Options{File: path})
		var e *Error
		if !errors.As(err, &e) || e.Code != CodeFile {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := filepath.Join(dir, "outband.yaml")
	if err := os.WriteFile(good, []byte("log:\n  level: error\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(Options{File: good})
	if err != nil || c.Log.Level != slog.LevelError {
		t.Errorf("Load: %v, %v", c.Log.Level, err)
	}
}

func TestAPasswordFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	for content, want := range map[string]string{"hunter2\n": "hunter2", "hunter2": "hunter2", "hunter2\r\n": "hunter2", " hunter2 \n\n": " hunter2 \n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := load(text("elasticsearch: {url: 'https://es:9200', username: u, password_file: "+file+"}\n"), Options{})
		if err != nil || c.Elasticsearch.Password.Reveal() != want {
			t.Errorf("%q: %q, %v", content, c.Elasticsearch.Password.Reveal(), err)
		}
	}
}

func TestAConfigPrintsNoSecret(t *testing.T) {
	c := Config{Elasticsearch: Elasticsearch{Password: secret.NewValue("hunter2"), APIKey: secret.NewValue("hunter2")}, Store: Store{Postgres: secret.NewValue("hunter2")}}
	if s := fmt.Sprintf("%v %+v %#v", c, c, c); strings.Contains(s, "hunter2") {
		t.Errorf("printed: %s", s)
	}
}

// The example is what the documentation shows: as it is it changes nothing, and with its comment marks removed it gives the defaults.
func TestExample(t *testing.T) {
	lines := strings.SplitAfter(Example(), "\n")
	var open strings.Builder
	for _, line := range lines[1:] {
		line = strings.TrimPrefix(line, "# ")
		open.WriteString(line)
	}
	for name, file := range map[string]string{"as it is": Example(), "uncommented": open.String()} {
		got, err := load(text(file), Options{})
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, file)
		}
		if diff := cmp.Diff(defaults(), got, compare); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, k := range keys {
		if last := k.name[strings.LastIndex(k.name, ".")+1:]; !strings.Contains(open.String(), last+":") {
			t.Errorf("the example has no %s", k.name)
		}
	}
}

// A page that names every key and every code cannot fall behind the code.
func TestOperatingPageNamesEverything(t *testing.T) {
	page, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	want := append(names(), CodeFile, CodeUnknown, CodeForm, CodeSecret, CodeNetwork, CodeAddress, CodeExposed, CodeTLS, CodeChoice, CodeURL, CodeRequired, CodeTogether, CodeRole, CodeRead)
	for _, s := range want {
		if !strings.Contains(string(page), "`"+s+"`") {
			t.Errorf("docs/operating.md does not name %s", s)
		}
	}
}

func TestVariableNamesAreDistinct(t *testing.T) {
	seen := map[string]string{}
	for _, k := range keys {
		v := variable(k.name)
		if old := seen[v]; old != "" {
			t.Errorf("%s and %s are both %s", old, k.name, v)
		}
		if foreign.MatchString(v) {
			t.Errorf("%s would be taken for a variable of something else", v)
		}
		seen[v] = k.name
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{"", "listen: 127.0.0.1:1\n", "a: &a [*a]\n", "egress: {allow: [10.0.0.0/8, 1]}\n", "--- \n...\n---\nx", "? [a]\n: b\n", "key: {file: !!binary aGk=}\n", "<<: {data: x}\n", "tls.cert: a\ntls: {cert: b}\n", "log:\n\tlevel: x", "1: 2\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 4096 {
			return
		}
		c, err := load(text(b), Options{})
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		if (c.Listen == "" && c.Role != RoleWorker) || c.Data == "" || c.Key.File == "" || (c.Role != RoleAll && (c.Store.Postgres.Reveal() == "" || c.Temporal.Address == "")) {
			t.Errorf("accepted %q as %+v", b, c)
		}
		if c.Role != RoleWorker && !loopback(c.Listen) && c.TLS.Cert == "" && len(c.TrustedProxies) == 0 {
			t.Errorf("would listen on %q in clear", c.Listen)
		}
	})
}
