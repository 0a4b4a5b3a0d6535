package workflows

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/internal/vault"
)

// MaxCustomDetectors is how many custom detectors there can be.
const MaxCustomDetectors = 200

// CustomPrefix begins the ids of custom detectors, so that none can take the place of a built-in one.
const CustomPrefix = "custom."

// DetectorOverride is the kind of the overrides of detectors; their mode is DetectorOn or DetectorOff.
const (
	DetectorOverride = "detector"
	DetectorOn       = "on"
	DetectorOff      = "off"
)

// DetectorState is a detector with what the store makes of it.
type DetectorState struct {
	dlp.Detector
	Version int64  // of a custom one; 0: it is built in
	Mode    string // of the override; "": the detector's own
	On      bool   // it is looked for
	Failing string // why a custom one that is on cannot be used: an upgrade or a change of what it names broke it
}

// DetectorDependencies of Detectors. All are needed.
type DetectorDependencies struct {
	DB      *store.DB
	Vault   *vault.Vault
	Builtin []dlp.Detector
	Scans   bool                                          // this process scans: it has an engine
	Changed func(ctx context.Context, ids []string) error // told of the ids of all detectors when they change
}

// Detectors hold the detectors in force, and the engine that is compiled from them: the built-in ones, the custom ones of the store, and the overrides.
type Detectors struct {
	d       DetectorDependencies
	current atomic.Pointer[detection]
	before  atomic.Int64 // bytes that engines of the past have scanned

	counting sync.Mutex
	retired  *dlp.Engine          // the engine before: scans may still run on it
	owed     map[string]dlp.Usage // what engines before that one counted

	reload sync.Mutex // one at a time, so that the newest stays
	read   [sha256.Size]byte
	asked  time.Time // when the store was last asked whether another process changed a detector
	stock  map[string]loaded
}

// detection is what is in force at a time.
type detection struct {
	engine *dlp.Engine // nil: this process scans nothing
	states []DetectorState
}

// loaded is a dictionary or a table in memory, by its owner in the store.
type loaded struct {
	digest string
	words  *dlp.Words
	table  *dlp.Table
}

// NewDetectors compiles the detectors of a store. A custom one that does not compile is shown as failing and holds no other back.
func NewDetectors(ctx context.Context, d DetectorDependencies) (*Detectors, error) {
	out := &Detectors{d: d, stock: map[string]loaded{}}
	return out, out.Reload(ctx)
}

// Engine is the engine in force; nil in a process that scans nothing.
func (d *Detectors) Engine() *dlp.Engine { return d.current.Load().engine }

// All returns all detectors, the built-in ones first.
func (d *Detectors) All() []DetectorState { return d.current.Load().states }

// IDs returns the ids of all detectors: what policies may name.
func (d *Detectors) IDs() []string {
	all := d.All()
	ids := make([]string, len(all))
	for i, s := range all {
		ids[i] = s.ID
	}
	return ids
}

// Scanned returns the bytes that were given to this process's engines so far.
func (d *Detectors) Scanned() int64 {
	n := d.before.Load()
	if e := d.Engine(); e != nil {
		n += e.Scanned()
	}
	return n
}

// TakeUsage returns, by id, what the detectors did since it was last called, in all scans that have ended.
func (d *Detectors) TakeUsage() map[string]dlp.Usage {
	d.counting.Lock()
	defer d.counting.Unlock()
	out := d.owed
	d.owed = nil
	for _, e := range []*dlp.Engine{d.retired, d.Engine()} {
		out = addUsage(out, e)
	}
	return out
}

// retire keeps what an engine counts that is no longer in force.
func (d *Detectors) retire(e *dlp.Engine) {
	d.counting.Lock()
	defer d.counting.Unlock()
	d.owed = addUsage(d.owed, d.retired)
	d.retired = e
}

// addUsage takes what an engine counted, if there is one, and adds it to all.
func addUsage(all map[string]dlp.Usage, e *dlp.Engine) map[string]dlp.Usage {
	if e == nil {
		return all
	}
	if all == nil {
		all = map[string]dlp.Usage{}
	}
	for id, u := range e.TakeUsage() {
		all[id] = all[id].Add(u)
	}
	return all
}

// Follow compiles the detectors again if another process changed one. It asks the store at most once in followEvery, so that every activity may call it.
func (d *Detectors) Follow(ctx context.Context) error {
	d.reload.Lock()
	defer d.reload.Unlock()
	if time.Since(d.asked) < followEvery {
		return nil
	}
	s, err := d.stored(ctx)
	if err != nil {
		return err
	}
	d.asked = time.Now()
	if s.digest() == d.read {
		return nil
	}
	return d.build(ctx, s)
}

// Reload compiles the detectors again, after one was changed. What was scanned with the ones before is scanned again when it is listed again.
func (d *Detectors) Reload(ctx context.Context) error {
	d.reload.Lock()
	defer d.reload.Unlock()
	s, err := d.stored(ctx)
	if err != nil {
		return err
	}
	return d.build(ctx, s)
}

// storedDetectors is all that the store says about detectors.
type storedDetectors struct {
	custom       []store.Detector
	modes        map[string]string // by detector
	testData     map[string]string // modes by group of test data
	dictionaries []store.Dictionary
	tables       []store.ExactTable
}

func (d *Detectors) stored(ctx context.Context) (s storedDetectors, err error) {
	q := d.d.DB.Read()
	if s.custom, err = store.CustomDetectors(ctx, q); err != nil {
		return s, err
	}
	overrides, err := store.Overrides(ctx, q)
	if err != nil {
		return s, err
	}
	s.modes, s.testData = map[string]string{}, map[string]string{}
	for _, o := range overrides {
		switch {
		case o.Kind == DetectorOverride && o.Mode != "":
			s.modes[o.ID] = o.Mode
		case o.Kind == OverrideTestData:
			s.testData[o.ID] = o.Mode
		}
	}
	if s.dictionaries, err = store.Dictionaries(ctx, q); err != nil {
		return s, err
	}
	s.tables, err = store.ExactTables(ctx, q)
	return s, err
}

// digest tells two states of the stored detectors apart.
func (s storedDetectors) digest() [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprintf(h, "%#v %v %v", s.custom, s.modes, s.testData) // Maps print in the order of their keys.
	for _, x := range s.dictionaries {
		fmt.Fprintf(h, " %s %s", x.ID, x.Digest)
	}
	for _, x := range s.tables {
		fmt.Fprintf(h, " %s %s", x.ID, x.Digest)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// build makes the states and the engine, and puts them in force together.
func (d *Detectors) build(ctx context.Context, s storedDetectors) error {
	cfg := dlp.DefaultConfiguration()
	states := make([]DetectorState, 0, len(d.d.Builtin)+len(s.custom))
	for _, x := range d.d.Builtin {
		states = append(states, stateOf(x, 0, s.modes))
	}
	for _, c := range s.custom {
		states = append(states, customState(c, s.modes))
	}
	var used []dlp.Detector
	for _, x := range states {
		if x.On && x.Version > 0 {
			used = append(used, x.Detector)
		}
	}
	stock, kept, err := d.load(ctx, s, used)
	if err != nil {
		return err
	}
	cfg.Stock = stock
	var on []dlp.Detector
	for i := range states {
		x := &states[i]
		if !x.On || x.Failing != "" {
			continue
		}
		use := x.Detector
		use.Optional = false
		if x.Version > 0 {
			if _, err := dlp.New([]dlp.Detector{use}, cfg); err != nil {
				x.Failing = reason(err)
				continue
			}
		}
		on = append(on, use)
	}
	next := &detection{states: states}
	if d.d.Scans {
		if next.engine, err = dlp.New(on, cfg); err != nil {
			return err
		}
		groups, err := leftOut(s.testData)
		if err != nil {
			return err
		}
		if err := next.engine.LeaveOut(groups); err != nil {
			return err
		}
		d.stock = kept
	}
	if old := d.current.Swap(next); old != nil && old.engine != nil {
		d.before.Add(old.engine.Scanned())
		d.retire(old.engine)
	}
	d.read = s.digest()
	if d.d.Changed != nil {
		return d.d.Changed(ctx, d.IDs())
	}
	return nil
}

func stateOf(x dlp.Detector, version int64, modes map[string]string) DetectorState {
	mode := modes[x.ID]
	return DetectorState{Detector: x, Version: version, Mode: mode, On: mode == DetectorOn || mode == "" && !x.Optional}
}

// customState reads a stored detector. One that can no longer be read keeps its id, so that it is seen and can be corrected.
func customState(c store.Detector, modes map[string]string) DetectorState {
	all, err := dlp.Parse(c.ID, []byte(c.YAML))
	if err == nil && (len(all) != 1 || all[0].ID != c.ID) {
		err = errors.New("the file does not hold this one detector")
	}
	if err != nil {
		x := stateOf(dlp.Detector{ID: c.ID, Title: c.ID, Severity: "info"}, c.Version, modes)
		x.Failing = reason(err)
		return x
	}
	return stateOf(all[0], c.Version, modes)
}

// reason is what is wrong with a detector, without the name of a file that there is not.
func reason(err error) string {
	var lint *dlp.LintError
	if errors.As(err, &lint) {
		return lint.Reason
	}
	return err.Error()
}

// Stock reads the dictionaries and tables that detectors name. What this process has in memory already is taken from there.
func (d *Detectors) Stock(ctx context.Context, detectors []dlp.Detector) (dlp.Stock, error) {
	d.reload.Lock()
	defer d.reload.Unlock()
	s, err := d.stored(ctx)
	if err != nil {
		return dlp.Stock{}, err
	}
	stock, _, err := d.load(ctx, s, detectors)
	return stock, err
}

func (d *Detectors) load(ctx context.Context, s storedDetectors, detectors []dlp.Detector) (dlp.Stock, map[string]loaded, error) {
	stock := dlp.Stock{Lists: map[string]*dlp.Words{}, Tables: map[string]*dlp.Table{}}
	kept := map[string]loaded{}
	for _, x := range s.dictionaries {
		if !slices.ContainsFunc(detectors, func(d dlp.Detector) bool { return d.List == x.ID }) {
			continue
		}
		have := d.stock[x.Owner()]
		if have.digest != x.Digest {
			words, err := ReadDictionary(ctx, d.d.DB.Read(), d.d.Vault, x)
			if err != nil {
				return stock, nil, fmt.Errorf("read dictionary %s: %w", x.ID, err)
			}
			have = loaded{digest: x.Digest, words: words}
		}
		kept[x.Owner()], stock.Lists[x.ID] = have, have.words
	}
	for _, x := range s.tables {
		if x.Version == 0 || !slices.ContainsFunc(detectors, func(d dlp.Detector) bool { return d.Table == x.ID }) {
			continue
		}
		have := d.stock[x.Owner()]
		if have.digest != x.Digest {
			table, err := ReadExactTable(ctx, d.d.DB.Read(), d.d.Vault, x)
			if err != nil {
				return stock, nil, fmt.Errorf("read exact table %s: %w", x.ID, err)
			}
			have = loaded{digest: x.Digest, table: table}
		}
		kept[x.Owner()], stock.Tables[x.ID] = have, have.table
	}
	return stock, kept, nil
}

// ReadDictionary unseals and parses the words of a dictionary.
func ReadDictionary(ctx context.Context, q store.Querier, v *vault.Vault, d store.Dictionary) (*dlp.Words, error) {
	var text bytes.Buffer
	err := store.ReadChunks(ctx, q, d.Owner(), d.Version, func(data []byte) error {
		part, err := v.Unseal(string(data), d.Owner(), "words")
		text.WriteString(part.Reveal())
		return err
	})
	if err != nil {
		return nil, err
	}
	return dlp.ParseWords(text.Bytes(), d.CaseSensitive)
}

// TableKey unseals the key of a table.
func TableKey(ctx context.Context, q store.Querier, v *vault.Vault, t store.ExactTable) (dlp.TableKey, error) {
	sealed, err := store.GetCredential(ctx, q, t.Owner(), "key")
	if err != nil {
		return dlp.TableKey{}, err
	}
	text, err := v.Unseal(sealed, t.Owner(), "key")
	if err != nil {
		return dlp.TableKey{}, err
	}
	return dlp.ParseTableKey(text.Reveal())
}

// ReadExactTable reads the file of a table from the store, a chunk at a time.
func ReadExactTable(ctx context.Context, q store.Querier, v *vault.Vault, t store.ExactTable) (*dlp.Table, error) {
	key, err := TableKey(ctx, q, v, t)
	if err != nil {
		return nil, err
	}
	r, w := io.Pipe()
	var reading sync.WaitGroup
	reading.Go(func() {
		w.CloseWithError(store.ReadChunks(ctx, q, t.Owner(), t.Version, func(data []byte) error {
			_, err := w.Write(data)
			return err
		}))
	})
	table, err := dlp.ReadTable(r, t.ID, key)
	r.CloseWithError(errors.Join(err, io.ErrClosedPipe)) // Ends the reading of the store, if it is not at its end.
	reading.Wait()
	return table, err
}

// Uses returns the ids of the custom detectors that name a dictionary or a table.
func (d *Detectors) Uses(list, table string) (ids []string) {
	for _, s := range d.All() {
		if s.Version > 0 && (list != "" && s.List == list || table != "" && s.Table == table) {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

// SetDetectors tells the rules which detectors policies may name. Policies are compiled again if that changes something.
func (r *Rules) SetDetectors(ctx context.Context, ids []string) error {
	r.reload.Lock()
	defer r.reload.Unlock()
	if slices.Equal(ids, r.detectors) {
		return nil
	}
	now, err := r.stored(ctx)
	if err != nil {
		return err
	}
	old := r.detectors
	r.detectors = ids
	if err := r.compile(now); err != nil {
		r.detectors = old
		return err
	}
	return nil
}

// Checked is a file of custom detectors that may be saved.
type Checked struct {
	Detectors []dlp.Detector
	Costs     []dlp.Cost // by detector
	Stock     dlp.Stock  // what they name
}

// MaxDetectorSource bounds the file of a custom detector, in bytes.
const MaxDetectorSource = 256 << 10

// Check reads custom detectors as they would be saved: lint, ids, examples and cost. It is the one way in for the API and the command line. The error wraps a
// *dlp.LintError for each complaint, with its place; what could be read is returned beside it.
func (d *Detectors) Check(ctx context.Context, file string, data []byte) (Checked, error) {
	var out Checked
	if len(data) > MaxDetectorSource {
		return out, &dlp.LintError{File: file, Detector: "-", Reason: fmt.Sprintf("file is larger than %d bytes", MaxDetectorSource)}
	}
	all, err := dlp.Parse(file, data)
	if err != nil {
		return out, err
	}
	if len(all) == 0 {
		return out, &dlp.LintError{File: file, Line: 1, Column: 1, Detector: "-", Reason: "there is no detector in it; begin with the key detectors"}
	}
	out.Detectors = all
	if out.Stock, err = d.Stock(ctx, all); err != nil {
		return out, err
	}
	var errs []error
	seen := map[string]bool{}
	for _, x := range all {
		if !strings.HasPrefix(x.ID, CustomPrefix) {
			errs = append(errs, x.Complaint("id", "the id of a custom detector begins with "+CustomPrefix))
		}
		if seen[x.ID] {
			errs = append(errs, x.Complaint("id", "id is used twice"))
		}
		seen[x.ID] = true
		red := out.Stock.Check(x)
		if errs = append(errs, red...); len(red) > 0 {
			out.Costs = append(out.Costs, dlp.Cost{})
			continue
		}
		cost, err := out.Stock.Cost(x)
		if err != nil {
			errs = append(errs, err)
		}
		out.Costs = append(out.Costs, cost)
	}
	return out, errors.Join(errs...)
}

// Complaints are the complaints that an error of Check holds.
func Complaints(err error) []*dlp.LintError {
	var out []*dlp.LintError
	var lint *dlp.LintError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, Complaints(e)...)
		}
	} else if errors.As(err, &lint) {
		out = append(out, lint)
	}
	return out
}
