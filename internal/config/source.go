package config

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// prefix begins the name of every environment variable that is a setting.
const prefix = "OUTBAND_"

// maxFile is the largest file that is read, in bytes.
const maxFile = 1 << 20

// merged is what all places together say, and what was wrong with it.
type merged struct {
	values *koanf.Koanf
	origin map[string]string // of each key that was set
	errs   []error
}

// open checks that a settings file is a file of a sane size, so that a folder or a pipe named by mistake gets a clear answer.
func open(path string) (koanf.Provider, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, &Error{Code: CodeFile, Message: fmt.Sprintf("the settings file cannot be read: %v. Check --config.", err)}
	case !info.Mode().IsRegular():
		return nil, &Error{Code: CodeFile, Message: fmt.Sprintf("%s is not a file. Name a YAML file with --config.", path)}
	case info.Size() > maxFile:
		return nil, &Error{Code: CodeFile, Message: fmt.Sprintf("%s has %d bytes; a settings file has at most %d. Check --config.", path, info.Size(), maxFile)}
	}
	return file.Provider(path), nil
}

// load merges the places, the strongest last. source is nil when there is no file.
func load(source koanf.Provider, o Options) (Config, error) {
	m := &merged{values: koanf.New("."), origin: map[string]string{}}
	initial := map[string]any{}
	for _, k := range keys {
		if k.initial != "" {
			initial[k.name] = k.initial
		}
	}
	m.layer(initial)
	if source != nil {
		k := koanf.New(".")
		if err := k.Load(source, strict{}); err != nil {
			var e *Error
			if !errors.As(err, &e) {
				e = &Error{Code: CodeFile, Message: "the settings file cannot be read. Check --config."}
			}
			return Config{}, e
		}
		found := map[string]any{}
		m.flatten("", k.Raw(), found)
		m.layer(found)
	}
	m.layer(m.environment(o.Env))
	m.layer(m.flags(o.Flags))
	return m.parse()
}

func (m *merged) layer(values map[string]any) {
	if err := m.values.Load(confmap.Provider(values, "."), nil); err != nil {
		panic(err) // A map in memory always loads.
	}
}

func (m *merged) fail(code, name, format string, args ...any) {
	m.errs = append(m.errs, &Error{Code: code, Key: name, Origin: m.origin[name], Message: fmt.Sprintf(format, args...)})
}

// flatten walks the file's sections and collects the keys under their full names. "temporal.address: x" means the same as a section.
func (m *merged) flatten(above string, values map[string]any, out map[string]any) {
	sorted := make([]string, 0, len(values))
	for name := range values {
		sorted = append(sorted, name)
	}
	slices.Sort(sorted) // So that the errors stand in the same order at every run.
	for _, name := range sorted {
		value := values[name]
		full := strings.TrimPrefix(above+"."+name, ".")
		k, known := find(full)
		inner, isSection := value.(map[string]any)
		switch {
		case value == nil && (known || section(full)):
			// Named without a value, as a section is whose keys are all commented out: the default.
		case !known && isSection && section(full):
			m.flatten(full, inner, out)
		case !known:
			m.fail(CodeUnknown, full, "there is no such key. Did you mean %s?", nearest(full, names()))
		default:
			if _, twice := out[full]; twice {
				m.fail(CodeForm, full, "it stands twice in the file. Keep one.")
				continue
			}
			m.origin[full] = "file"
			if v, ok := m.typed(k, value); ok {
				out[full] = v
			}
		}
	}
}

// typed checks the type of a value of the file.
func (m *merged) typed(k key, value any) (any, bool) {
	if s, ok := value.(string); ok {
		return k.split(s), true
	}
	if n, ok := value.(int); ok && k.number {
		return strconv.Itoa(n), true
	}
	if !k.list {
		m.fail(CodeForm, k.name, "the value must be text. Put it in quotes.")
		return nil, false
	}
	items, ok := value.([]any)
	if !ok {
		m.fail(CodeForm, k.name, "the value must be a list of texts.")
		return nil, false
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			m.fail(CodeForm, k.name, "each entry of the list must be text. Put it in quotes.")
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}

// split is the value of a text: for a list, its parts between commas.
func (k key) split(s string) any {
	if !k.list {
		return s
	}
	out := []string{}
	for part := range strings.SplitSeq(s, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// foreign are variables under our prefix that are not settings: those of the tests, and those that Kubernetes sets in every container for a
// service whose name begins with "outband".
var foreign = regexp.MustCompile(`^(OUTBAND_TEST_.*|OUTBAND_BIN|OUTBAND_([A-Z0-9_]+_)?(SERVICE_(HOST|PORT(_.*)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?))$`)

// kubernetesPort is the value of the variable NAME_PORT that Kubernetes sets.
var kubernetesPort = regexp.MustCompile(`^(tcp|udp|sctp)://`)

func (m *merged) environment(env []string) map[string]any {
	byVariable := map[string]key{}
	for _, k := range keys {
		byVariable[variable(k.name)] = k
	}
	out := map[string]any{}
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, prefix) || foreign.MatchString(name) || (strings.HasSuffix(name, "_PORT") && kubernetesPort.MatchString(value)) {
			continue
		}
		k, known := byVariable[name]
		if !known {
			m.fail(CodeUnknown, name, "there is no such setting. Did you mean %s?", nearest(name, variables()))
			continue
		}
		if value == "" {
			continue // How compose files and shells say "not set".
		}
		m.origin[k.name] = "environment " + name
		out[k.name] = k.split(value)
	}
	return out
}

func (m *merged) flags(flags map[string]string) map[string]any {
	out := map[string]any{}
	for name, value := range flags {
		k, known := find(name)
		switch {
		case !known:
			m.fail(CodeUnknown, name, "there is no such key. Did you mean %s?", nearest(name, names()))
		case k.secret:
			m.fail(CodeSecret, name, "a secret on the command line is seen by every user of the machine. Set it in the file or as %s.", variable(name))
		default:
			m.origin[name] = "flag"
			out[name] = k.split(value)
		}
	}
	return out
}

// strict parses the file as YAML. Its errors quote nothing of the file, which may hold secrets.
type strict struct{}

var atLine = regexp.MustCompile(`line ([0-9]+)`)

// Unmarshal implements koanf.Parser.
func (strict) Unmarshal(b []byte) (map[string]any, error) {
	if documents(b) > 1 {
		return nil, &Error{Code: CodeFile, Message: "the settings file holds more than one YAML document. Keep one."}
	}
	out, err := yaml.Parser().Unmarshal(b)
	if err != nil {
		where := ""
		if line := atLine.FindStringSubmatch(err.Error()); line != nil {
			where = " near line " + line[1]
		}
		return nil, &Error{Code: CodeFile, Message: "the settings file is not YAML with one value for each key" + where + ". Correct it."}
	}
	return out, nil
}

// Marshal implements koanf.Parser.
func (strict) Marshal(values map[string]any) ([]byte, error) { return yaml.Parser().Marshal(values) }

// documents counts the YAML documents that hold anything: the parser reads the first and would skip the rest in silence.
func documents(b []byte) int {
	n, open := 0, false
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, " \t\r\n")
		switch {
		case line == "---" || line == "..." || strings.HasPrefix(line, "--- ") || strings.HasPrefix(line, "---\t"):
			open = false
			if len(line) > 3 {
				n, open = n+1, true
			}
		case line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "%"):
		case !open:
			n, open = n+1, true
		}
	}
	return n
}
