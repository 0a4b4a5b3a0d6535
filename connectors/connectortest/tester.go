package connectortest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outband/outband/connectors"
)

// runTest makes the connection's test with what the server serves.
func (r *run) runTest(h handler) ([]connectors.Step, connectors.Account, error) {
	r.Helper()
	tester, ok := r.source().(connectors.Tester)
	if !ok {
		r.Skipf("the source has no Test")
	}
	r.server.serve(h)
	var steps []connectors.Step
	account, err := tester.Test(r.Context(), func(step connectors.Step) { steps = append(steps, step) })
	return steps, account, err
}

func testSteps(r *run) {
	steps, _, err := r.runTest(nil)
	if err != nil {
		r.Fatalf("the test of the recordings: %v", err)
	}
	last := ""
	rank := map[string]int{"key": 1, connectors.StepDNS: 2, connectors.StepConnect: 3, connectors.StepTLS: 4, "auth": 5}
	at := 0
	seen := map[string]bool{}
	for _, s := range steps {
		if s.Name == "" || s.Title == "" || s.Message == "" || seen[s.Name] {
			r.Errorf("a step lacks its name, its title or its sentence, or comes twice: %q", s.Name)
		}
		seen[s.Name] = true
		if s.State != connectors.StepOK && s.State != connectors.StepWarning || (s.State == connectors.StepOK) != (s.Code == "") || s.MS < 0 {
			r.Errorf("the step %s is %q with the code %q, of a test that went well", s.Name, s.State, s.Code)
		}
		n := rank[s.Name]
		if n == 0 {
			n = 6 // The connector's own.
		}
		if n < at {
			r.Errorf("the step %s comes after %s; the order is key, dns, connect, tls, auth, and then the connector's own", s.Name, last)
		}
		at, last = n, s.Name
	}
	for _, name := range []string{"key", connectors.StepConnect, "auth"} {
		if !seen[name] {
			r.Errorf("the test has no step %s", name)
		}
	}
	if at != 6 {
		r.Errorf("the test reads nothing")
	}
}

func testStops(r *run) {
	for _, f := range faults {
		steps, _, err := r.runTest(f.serve)
		if err == nil {
			r.Errorf("%s: the test went well", f.id)
			continue
		}
		r.wantKind(err, f.kind)
		if len(steps) == 0 {
			r.Errorf("%s: the test has no step", f.id)
			continue
		}
		for i, s := range steps {
			if last := i == len(steps)-1; !last && s.State == connectors.StepFailed {
				r.Errorf("%s: the test goes on after the step %s failed", f.id, s.Name)
			} else if last && (s.State == connectors.StepOK || s.Code == "" || s.Message == "") {
				r.Errorf("%s: the last step, %s, does not say what is wrong", f.id, s.Name)
			}
		}
	}
}

func testQuiet(r *run) {
	handlers := []handler{nil}
	for _, f := range faults {
		handlers = append(handlers, f.serve)
	}
	for _, h := range handlers {
		steps, account, err := r.runTest(h)
		for _, s := range steps {
			r.clean(fmt.Sprintf("%+v", s))
		}
		if err != nil {
			r.clean(describe(err))
		}
		if text := fmt.Sprintf("%+v", account); strings.Contains(text, r.key) || strings.Contains(text, canary) {
			r.Errorf("the account holds the key or a byte of a faulty reply")
		}
	}
}

func testAccount(r *run) {
	_, account, err := r.runTest(nil)
	if err != nil {
		r.Fatalf("the test of the recordings: %v", err)
	}
	if account.ID == "" {
		r.Errorf("the test names no account: the recordings of its calls must")
	}
	if len(account.Streams) == 0 {
		r.Errorf("the test finds no stream to read")
	}
	for i, id := range account.Streams {
		if _, ok := r.manifest.Stream(id); !ok || slices.Contains(account.Streams[:i], id) {
			r.Errorf("the test names the stream %q, which the manifest has not, or names it twice", id)
		}
	}
	for _, scope := range account.MissingScopes {
		if !slices.ContainsFunc(r.manifest.Scopes, func(s connectors.Scope) bool { return s.ID == scope }) {
			r.Errorf("the test misses the scope %q, which the manifest does not ask for", scope)
		}
	}
	if account.KeyKind != "" && !slices.ContainsFunc(r.manifest.Keys, func(k connectors.KeyKind) bool { return k.Kind == account.KeyKind }) {
		r.Errorf("the test names a kind of key, %q, that the manifest has not", account.KeyKind)
	}
}

func estimate(r *run) {
	estimator, ok := r.source().(connectors.Estimator)
	if !ok {
		r.Skipf("the source has no Estimate")
	}
	r.server.serve(r.anyQuery())
	got, err := estimator.Estimate(r.Context(), From, To)
	if err != nil {
		r.Fatalf("%v", err)
	}
	if most := 8 * len(r.manifest.Streams); r.server.count() > most {
		r.Errorf("an estimate took %d calls, want %d at most", r.server.count(), most)
	}
	if got.Calls < 1 {
		r.Errorf("reading what is recorded takes %d calls by the estimate", got.Calls)
	}
	for id, n := range got.Items {
		if _, ok := r.manifest.Stream(id); !ok || n < 0 {
			r.Errorf("the estimate has %d items of %q", n, id)
		}
	}
	r.server.serve(refusal(401))
	if _, err := estimator.Estimate(r.Context(), From, To); err == nil {
		r.Errorf("an estimate with a refused key went well")
	} else {
		r.wantKind(err, connectors.KindAuth)
	}
}

// manifestScopes: a permission that nobody asks for makes a stream that nobody can read.
func manifestScopes(r *run) {
	for _, stream := range r.manifest.Streams {
		asked := slices.ContainsFunc(r.manifest.Scopes, func(s connectors.Scope) bool { return slices.Contains(s.Streams, stream.ID) })
		if !asked && len(stream.Keys) == 0 {
			r.Errorf("no scope covers the stream %s, and no kind of key is named for it", stream.ID)
		}
	}
	for i, s := range r.manifest.Scopes {
		if slices.ContainsFunc(r.manifest.Scopes[:i], func(o connectors.Scope) bool { return o.ID == s.ID }) {
			r.Errorf("the scope %s is there twice", s.ID)
		}
	}
}

// manifestLimits: the vendor's budget is shared with other programs of the organisation.
func manifestLimits(r *run) {
	l := r.manifest.Limits
	if 2*l.RequestsPerMinute > l.VendorRequestsPerMinute {
		r.Errorf("the connector takes %d of the vendor's %d requests a minute; by default half of them at most", l.RequestsPerMinute, l.VendorRequestsPerMinute)
	}
	if len(r.manifest.Keys) > 0 && !slices.ContainsFunc(r.manifest.Keys, func(k connectors.KeyKind) bool { return k.Usable }) {
		r.Errorf("no kind of key can be used")
	}
}
