package config

import (
	"slices"
	"strings"
)

// key is one setting.
type key struct {
	name    string
	doc     string // one sentence
	initial string // default, as it is written in the file
	list    bool
	number  bool // may be written without quotes in the file
	secret  bool // only by file or environment: a command line is seen by every user of the machine
}

// keys are all settings, in the order of the documentation.
var keys = []key{
	{name: "listen", initial: "127.0.0.1:8080", doc: "Host and port of the API. Beyond loopback it needs tls.* or trusted_proxies."},
	{name: "data", initial: "./outband-data", doc: "Folder of the databases and the key."},
	{name: "role", initial: RoleAll, doc: "What this process does: all, api or worker. The roles api and worker need store.postgres and temporal.address."},
	{name: "temporal.address", doc: "Host and port of a Temporal cluster. Without it a Temporal server runs inside this process."},
	{name: "store.postgres", secret: true, doc: "Connection string of a Postgres database in place of the SQLite file."},
	{name: "elasticsearch.url", doc: "Address of Elasticsearch in place of the search in SQLite."},
	{name: "elasticsearch.username", doc: "User of Elasticsearch."},
	{name: "elasticsearch.password", secret: true, doc: "Password of that user."},
	{name: "elasticsearch.password_file", doc: "File that holds the password, read at the start."},
	{name: "elasticsearch.api_key", secret: true, doc: "API key of Elasticsearch, encoded as it gives it out; in place of user and password."},
	{name: "elasticsearch.ca_file", doc: "Certificates that Elasticsearch's own is checked against."},
	{name: "egress.allow", list: true, doc: "Networks that connectors and webhooks may call although they are not public; plain http and any port are then allowed there."},
	{name: "key.file", doc: "File of the key that seals credentials, the same for all processes of an installation. Default: key in the data folder."},
	{name: "public_url", doc: "Address under which people reach Outband, for links in events."},
	{name: "tls.cert", doc: "Certificate file of the server, PEM."},
	{name: "tls.key", doc: "Its private key file, PEM."},
	{name: "trusted_proxies", list: true, doc: "Networks of the proxies that end TLS before Outband, which may then listen beyond loopback. No forwarded header is believed."},
	{name: "metrics.listen", doc: "Host and port of the metrics, GET /metrics. Without it there are none. Beyond loopback it needs what listen needs."},
	{name: "log.level", initial: "info", doc: "debug, info, warn or error."},
	{name: "policies.dir", doc: "Folder of custom policies, one in each file *.yaml."},
	{name: "policies.flood_limit", initial: "1000", number: true, doc: "New findings of one policy in an hour over which it is paused; one of history weighs a tenth. 0: never."},
	{name: "policies.cost_limit", initial: "5ms", number: true, doc: "Mean time of an evaluation over which a policy is paused. 0: never."},
	{name: "files.max_mib", initial: "100", number: true, doc: "Largest file, and largest member of one, in MiB; of a larger one nothing is read but what its format gives before."},
	{name: "files.item_max_mib", initial: "500", number: true, doc: "All that comes out of one file and the files in it, in MiB."},
	{name: "files.max_members", initial: "2000", number: true, doc: "Files inside of one file, counted through all its containers."},
	{name: "files.max_depth", initial: "5", number: true, doc: "Containers in one another."},
	{name: "files.max_ratio", initial: "200", number: true, doc: "Bytes that may come out of one compressed byte, after the first MiB."},
	{name: "files.max_megapixels", initial: "50", number: true, doc: "Largest image that is decoded."},
	{name: "files.memory_mib", initial: "512", number: true, doc: "Memory of one child that reads files."},
	{name: "files.cpu", initial: "20s", number: true, doc: "Processor time for one file."},
	{name: "files.time", initial: "1m", number: true, doc: "Time that one file may take, without that of fetching it."},
	{name: "files.children", initial: "0", number: true, doc: "Children that read files at once. 0: one for each processor."},
	{name: "files.ocr", initial: "off", doc: "on: read the text of images with Tesseract, which has to be installed."},
}

// variable is the name of the environment variable of a key.
func variable(name string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(name, ".", "_"))
}

func find(name string) (key, bool) {
	i := slices.IndexFunc(keys, func(k key) bool { return k.name == name })
	if i < 0 {
		return key{}, false
	}
	return keys[i], true
}

// section reports whether keys of several parts begin with name.
func section(name string) bool {
	return slices.ContainsFunc(keys, func(k key) bool { return strings.HasPrefix(k.name, name+".") })
}

// nearest returns the candidate with the fewest edits to s; of equal ones the first.
func nearest(s string, candidates []string) string {
	best, least := "", -1
	for _, c := range candidates {
		if d := edits(s, c); least < 0 || d < least {
			best, least = c, d
		}
	}
	return best
}

// maxCompared bounds the part of an unknown name that is compared; no key is as long.
const maxCompared = 64

// edits is the Levenshtein distance in bytes.
func edits(a, b string) int {
	a = a[:min(len(a), maxCompared)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

func names() []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.name
	}
	return out
}

func variables() []string {
	out := names()
	for i, n := range out {
		out[i] = variable(n)
	}
	return out
}
