package outband_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/outband/outband/internal/config"
)

// compose loads docker-compose.yml as Docker Compose does, with these variables and no others.
func compose(t *testing.T, variables map[string]string) (*types.Project, error) {
	t.Helper()
	var env []string
	for name, value := range variables {
		env = append(env, name+"="+value)
	}
	options, err := cli.NewProjectOptions([]string{"docker-compose.yml"}, cli.WithWorkingDirectory("."), cli.WithEnv(env))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}

// filledIn is .env.example as an admin leaves it: a password of its own for each variable that is empty there.
func filledIn(t *testing.T) (variables map[string]string, required []string) {
	t.Helper()
	variables, err := dotenv.Read(".env.example")
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range variables {
		if value == "" {
			variables[name] = "made-up-for-" + strings.ToLower(name)
			required = append(required, name)
		}
	}
	return variables, required
}

func loaded(t *testing.T) *types.Project {
	t.Helper()
	variables, _ := filledIn(t)
	p, err := compose(t, variables)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ours reports whether a service runs the image that is built here.
func ours(s types.ServiceConfig) bool { return s.Build != nil }

func TestComposeNeedsEveryPassword(t *testing.T) {
	variables, required := filledIn(t)
	if len(required) == 0 {
		t.Fatal(".env.example has no variable to fill in")
	}
	for _, name := range required {
		for _, how := range []string{"absent", "empty"} {
			without := map[string]string{}
			for n, v := range variables {
				if n != name {
					without[n] = v
				}
			}
			if how == "empty" {
				without[name] = ""
			}
			if _, err := compose(t, without); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), ".env") {
				t.Errorf("with %s %s: %v; want an error that says where to set it", name, how, err)
			}
		}
	}
}

func TestComposePublishesThePagesOnly(t *testing.T) {
	p := loaded(t)
	published := 0
	for name, s := range p.Services {
		for _, port := range s.Ports {
			published++
			if !ours(s) || port.HostIP != "127.0.0.1" || port.Target != 8080 {
				t.Errorf("%s publishes %d on %q; only Outband's own port may be, and on 127.0.0.1: it is not TLS", name, port.Target, port.HostIP)
			}
		}
		if s.NetworkMode == "host" {
			t.Errorf("%s uses the network of the host", name)
		}
		for n := range s.Networks {
			if !ours(s) && !bool(p.Networks[n].Internal) {
				t.Errorf("%s is on the network %s, from which it can be reached and call out", name, n)
			}
		}
	}
	if published != 1 {
		t.Errorf("%d ports are published, want that of the API", published)
	}
}

func TestComposeHardensEveryService(t *testing.T) {
	p := loaded(t)
	for name, s := range p.Services {
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") || s.Privileged || len(s.CapAdd) > 0 || len(s.Devices) > 0 {
			t.Errorf("%s may gain privileges", name)
		}
		if !regexp.MustCompile(`:[0-9]+\.[0-9]+(\.[0-9]+)?[A-Za-z0-9.-]*$`).MatchString(s.Image) {
			t.Errorf("%s has the image %s, whose tag is no exact version", name, s.Image)
		}
		if !ours(s) {
			continue
		}
		if s.User != "65532:65532" || !s.ReadOnly || !slices.Equal(s.CapDrop, []string{"ALL"}) {
			t.Errorf("%s has user %q, read-only root %t, dropped capabilities %v", name, s.User, s.ReadOnly, s.CapDrop)
		}
		if !slices.ContainsFunc(s.Tmpfs, func(m string) bool { return strings.HasPrefix(m, "/tmp:") }) {
			t.Errorf("%s has no /tmp to write to: %v", name, s.Tmpfs)
		}
		// What has no file on the host is copied into the container, which Compose cannot do with a read-only root.
		for _, c := range s.Configs {
			if p.Configs[c.Source].File == "" {
				t.Errorf("%s has the config %s, which has no file, and a read-only root", name, c.Source)
			}
		}
		for _, c := range s.Secrets {
			if p.Secrets[c.Source].File == "" {
				t.Errorf("%s has the secret %s, which has no file, and a read-only root", name, c.Source)
			}
		}
	}
}

func TestComposeSettingsAreThoseOfThisVersion(t *testing.T) {
	roles := map[string]bool{}
	for name, s := range loaded(t).Services {
		if !ours(s) {
			continue
		}
		var env []string
		for variable, value := range s.Environment {
			if !strings.HasPrefix(variable, "OUTBAND_") || value == nil {
				t.Fatalf("%s has the variable %s, which is not a setting or has no value", name, variable)
			}
			env = append(env, variable+"="+*value)
		}
		if len(s.Command) != 3 || s.Command[0] != "serve" || s.Command[1] != "--role" {
			t.Fatalf("%s runs %q", name, s.Command)
		}
		c, err := config.Load(config.Options{Env: env, Flags: map[string]string{"role": s.Command[2]}})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		roles[c.Role] = true
		if c.Temporal.Address == "" || c.Store.Postgres.Reveal() == "" || c.Elasticsearch.URL == "" || c.Elasticsearch.Password.Reveal() == "" {
			t.Errorf("%s runs with something embedded", name)
		}
		mounted := slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
			return v.Target == path.Dir(c.Key.File) && v.ReadOnly == (c.Role == config.RoleWorker)
		})
		if !mounted {
			t.Errorf("%s keeps its key in %s, which is no volume: %v", name, c.Key.File, s.Volumes)
		}
	}
	if !roles[config.RoleAPI] || !roles[config.RoleWorker] || len(roles) != 2 {
		t.Errorf("the roles are %v, want api and worker", roles)
	}
}

func TestComposeServicesWaitForWhatTheyNeed(t *testing.T) {
	p := loaded(t)
	for name, s := range p.Services {
		for other, d := range s.DependsOn {
			o, exists := p.Services[other]
			if !exists {
				t.Errorf("%s depends on %s, which is not there", name, other)
				continue
			}
			if d.Condition == types.ServiceConditionHealthy && o.HealthCheck == nil {
				t.Errorf("%s waits for the health of %s, which has no check", name, other)
			}
			if job := strings.HasPrefix(o.Restart, "on-failure"); job != (d.Condition == types.ServiceConditionCompletedSuccessfully) {
				t.Errorf("%s waits for %s with %s, which restarts %s", name, other, d.Condition, o.Restart)
			}
		}
	}
}

func TestComposeVolumesAndConfigsAreDeclaredAndUsed(t *testing.T) {
	p := loaded(t)
	used := map[string]bool{}
	for name, s := range p.Services {
		for _, v := range s.Volumes {
			if _, declared := p.Volumes[v.Source]; v.Type != types.VolumeTypeVolume || !declared {
				t.Errorf("%s mounts %q, which is no named volume of the file", name, v.Source)
			}
			used["volume "+v.Source] = true
		}
		for _, c := range s.Configs {
			if _, declared := p.Configs[c.Source]; !declared {
				t.Errorf("%s has the config %q, which the file does not declare", name, c.Source)
			}
			used["config "+c.Source] = true
		}
	}
	for name := range p.Volumes {
		if !used["volume "+name] {
			t.Errorf("no service mounts the volume %s", name)
		}
	}
	for name := range p.Configs {
		if !used["config "+name] {
			t.Errorf("no service has the config %s", name)
		}
	}
}

// The namespace is that of the program, and each user of Postgres is made with the password that its service is given.
func TestComposeNamesAgree(t *testing.T) {
	p := loaded(t)
	source, err := os.ReadFile("internal/temporalembed/temporalembed.go") // Read, not imported: it links a Temporal server.
	if err != nil {
		t.Fatal(err)
	}
	namespace := regexp.MustCompile(`const Namespace = "([a-z]+)"`).FindSubmatch(source)
	script := strings.Join(p.Services["temporal-namespace"].Command, "\n")
	if namespace == nil || !strings.Contains(script, "namespace create --namespace "+string(namespace[1])+" ") {
		t.Errorf("the namespace of the program is %q, which is not made by\n%s", namespace, script)
	}
	users := p.Configs["postgres-users"].Content
	for _, name := range []string{"POSTGRES_TEMPORAL_PASSWORD", "POSTGRES_OUTBAND_PASSWORD"} {
		if p.Services["postgres"].Environment[name] == nil || !strings.Contains(users, `="$`+name+`"`) {
			t.Errorf("the script that makes the users does not get %s:\n%s", name, users)
		}
	}
	variables, _ := filledIn(t)
	if strings.Contains(users, variables["POSTGRES_OUTBAND_PASSWORD"]) {
		t.Error("a password stands in the script itself")
	}
}

func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	module, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := os.ReadFile(".dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	images := map[string]string{}
	stages := map[string]bool{}
	last, user := "", ""
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		switch rest := slices.DeleteFunc(words[1:], func(w string) bool { return strings.HasPrefix(w, "--platform") || strings.HasPrefix(w, "--chown") }); words[0] {
		case "FROM":
			last, user = rest[0], ""
			if image, tag, tagged := strings.Cut(rest[0], ":"); tagged {
				images[image] = tag
			}
			if len(rest) == 3 {
				stages[rest[2]] = true
			}
		case "USER":
			user = rest[0]
		case "COPY":
			if from, ok := strings.CutPrefix(rest[0], "--from="); ok {
				if !stages[from] {
					t.Errorf("it copies from %s, which is no stage above", from)
				}
				continue
			}
			for _, source := range rest[:len(rest)-1] {
				if _, err := os.Stat(source); err != nil {
					t.Errorf("it copies %s: %v", source, err)
				}
				if slices.Contains(strings.Fields(string(ignored)), strings.TrimSuffix(source, "/")) {
					t.Errorf("it copies %s, which .dockerignore leaves out", source)
				}
			}
		}
	}
	exact := regexp.MustCompile(`^([0-9]+)\.[0-9]+\.[0-9]+-`)
	goVersion := regexp.MustCompile(`(?m)^go (\S+)$`).FindSubmatch(module)
	if version, _, _ := strings.Cut(images["golang"], "-"); goVersion == nil || version != string(goVersion[1]) {
		t.Errorf("it builds with Go %s, go.mod names %q", images["golang"], goVersion)
	}
	node := exact.FindStringSubmatch(images["node"])
	if node == nil {
		t.Fatalf("the tag of node is %q, which is no exact version", images["node"])
	}
	if major, err := strconv.Atoi(node[1]); err != nil || major < 20 {
		t.Errorf("it builds the pages with Node %s, want 20 or newer", images["node"])
	}
	if last != "scratch" || user != "65532:65532" {
		t.Errorf("the image is made from %s and runs as %q", last, user)
	}
	for _, name := range []string{".git", ".env", "bin", "ui/node_modules", "ui/dist"} {
		if !slices.Contains(strings.Fields(string(ignored)), name) {
			t.Errorf(".dockerignore does not leave out %s", name)
		}
	}
}
