package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Seed and epoch of the organisation that the tests of its content share.
const (
	orgSeed     = "11"
	orgBackfill = 31 * 24 * time.Hour // all of its history
)

var orgEpoch = time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)

// truthItem is one planted value or decoy of a simulated organisation.
type truthItem struct {
	Planted  bool     `json:"planted"`
	Detector string   `json:"detector"`
	Value    string   `json:"value"`
	Values   []string `json:"values"`
	Resource struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
	} `json:"resource"`
	Instance struct {
		Kind string `json:"kind"`
		ID   string `json:"id"`
	} `json:"instance"`
	Part      string `json:"part"`
	Path      string `json:"path"`
	Format    string `json:"format"` // text, or the ending of a file that is no plain text
	Scannable bool   `json:"scannable"`
	Reason    string `json:"reason"`
}

func (x truthItem) place() string {
	return strings.Join([]string{x.Resource.Kind, x.Resource.ID, x.Instance.Kind, x.Instance.ID, x.Part, x.Path}, " ")
}

func readTruth(t *testing.T, name string) []truthItem {
	t.Helper()
	raw, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Items []truthItem `json:"items"`
	}
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	return got.Items
}

// instanceRow is an instance of the export, at the place where it was found.
type instanceRow struct {
	ID         string
	Policy     string
	Detector   string
	Confidence float64
	Count      int
}

// instancesByPlace is the whole export.
func (s *server) instancesByPlace() map[string][]instanceRow {
	s.t.Helper()
	_, body := s.call("GET", "/findings/export?format=ndjson", nil)
	type ref struct{ Kind, ID string }
	out := map[string][]instanceRow{}
	for line := range strings.Lines(string(body)) {
		var f struct {
			PolicyID  string `json:"policy_id"`
			Resource  ref
			Instances []struct {
				ID         string
				Resource   ref
				Location   struct{ Part, Path string }
				Detector   string
				Confidence float64
				Count      int
			}
		}
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			s.t.Fatalf("export: %v", err)
		}
		for _, i := range f.Instances {
			place := strings.Join([]string{f.Resource.Kind, f.Resource.ID, i.Resource.Kind, i.Resource.ID, i.Location.Part, i.Location.Path}, " ")
			out[place] = append(out[place], instanceRow{i.ID, f.PolicyID, i.Detector, i.Confidence, i.Count})
		}
	}
	return out
}

// aliases names detectors that may win the place of another: the longer of two overlapping secrets is kept, with the other in it.
var aliases = map[string][]string{
	// A token as the user's part of a clone URL: the URL with its credential is the longer match.
	"secret.github_fine_grained_pat": {"secret.connection_string"},
	// The key is the password of a connection string, or stands in its place.
	"secret.generic_api_key": {"secret.connection_string"},
}

// planted is the values of each place and detector that a scan can see.
func planted(truth []truthItem) map[string]map[string]map[string]bool {
	out := map[string]map[string]map[string]bool{}
	for _, x := range truth {
		if !x.Planted || !x.Scannable {
			continue
		}
		if out[x.place()] == nil {
			out[x.place()] = map[string]map[string]bool{}
		}
		if out[x.place()][x.Detector] == nil {
			out[x.place()][x.Detector] = map[string]bool{}
		}
		out[x.place()][x.Detector][x.Value] = true
	}
	return out
}

func checkPlanted(t *testing.T, truth []truthItem, found map[string][]instanceRow) {
	kinds, values, misses, renamed := map[string]bool{}, 0, map[string][]string{}, map[string]int{}
	for place, detectors := range planted(truth) {
		for detector, want := range detectors {
			kinds[detector] = true
			values += len(want)
			ids := map[string]bool{} // A value that several policies keep has an instance in each; places hold few values, so one id each is enough.
			for _, i := range found[place] {
				if i.Detector == detector {
					ids[i.ID] = true
				} else if slices.Contains(aliases[detector], i.Detector) {
					ids[i.ID] = true
					renamed[detector+" as "+i.Detector]++
				}
			}
			if len(ids) < len(want) {
				misses[detector] = append(misses[detector], fmt.Sprintf("%s: %d of %d; there: %v", place, len(ids), len(want), found[place]))
			}
		}
	}
	t.Logf("%d planted values of %d kinds; found under another detector: %v", values, len(kinds), renamed)
	if values < 200 || len(kinds) < 25 {
		t.Errorf("only %d values of %d kinds are planted", values, len(kinds))
	}
	for detector, places := range misses {
		t.Errorf("missed %s at %d places\n\t%s", detector, len(places), strings.Join(places, "\n\t"))
	}
}

// checkDecoys wants no match of 0.6 or more at a decoy's place that is not explained by a value planted at the same place.
func checkDecoys(t *testing.T, truth []truthItem, found map[string][]instanceRow) {
	real := planted(truth)
	decoys := 0
	known := map[string]bool{}
	for _, x := range truth {
		known[x.place()] = true
		if x.Planted || !x.Scannable {
			continue
		}
		decoys++
		for _, i := range found[x.place()] {
			explained := len(real[x.place()][i.Detector]) > 0
			for detector := range real[x.place()] {
				explained = explained || slices.Contains(aliases[detector], i.Detector)
			}
			if i.Confidence >= 0.6 && !explained {
				t.Errorf("a decoy for %s counts: %+v at %s", x.Detector, i, x.place())
			}
		}
	}
	if decoys < 30 {
		t.Errorf("only %d decoys", decoys)
	}
	noise := map[string]int{}
	for place, all := range found {
		for _, i := range all {
			if strings.HasPrefix(i.Policy, "content.") && !known[place] {
				noise[i.Policy+" "+i.Detector]++
			}
		}
	}
	t.Logf("%d decoys; content findings where nothing is planted: %v", decoys, noise)
	if len(noise) > 0 {
		t.Errorf("content findings where nothing is planted: %v", noise)
	}
}

// coverageRow is the ledger of one stream.
type coverageRow struct {
	Stream            string         `json:"stream"`
	Read              int            `json:"read"`
	Scanned           int            `json:"scanned"`
	Skipped           map[string]int `json:"skipped"`
	Failed            int            `json:"failed"`
	Deferred          int            `json:"deferred"`
	Quarantined       int            `json:"quarantined"`
	DeletedBeforeScan int            `json:"deleted_before_scan"`
	BackfillOpen      int            `json:"backfill_open"`
	Gaps              []any          `json:"gaps"`
	Error             string         `json:"error"`
}

func (s *server) coverage(connectionID string) map[string]coverageRow {
	s.t.Helper()
	var l list[coverageRow]
	s.must("GET", "/coverage?connection_id="+connectionID, nil, &l)
	out := map[string]coverageRow{}
	for _, c := range l.Items {
		out[c.Stream] = c
	}
	return out
}

// checkCoverage wants every place that could not be scanned counted with its reason, and the sums of the ledger to agree.
func checkCoverage(t *testing.T, truth []truthItem, coverage map[string]coverageRow) {
	unread := map[string]map[string]bool{}
	for _, x := range truth {
		if x.Scannable {
			continue
		}
		if unread[x.Reason] == nil {
			unread[x.Reason] = map[string]bool{}
		}
		if x.Reason == "deleted_before_scan" {
			unread[x.Reason][x.Resource.ID] = true
		} else {
			unread[x.Reason][x.Instance.ID] = true
		}
	}
	for reason, stream := range map[string]string{"image_without_ocr": "files", "too_big": "files", "deleted_before_scan": "chats"} {
		got := coverage[stream].Skipped[reason]
		t.Logf("%s: %d counted, %d of them with planted values", reason, got, len(unread[reason]))
		if got == 0 || got < len(unread[reason]) {
			t.Errorf("%s of %s: %d counted, want %d at least", reason, stream, got, max(1, len(unread[reason])))
		}
	}
	for _, stream := range []string{"activities", "chats", "files"} {
		c := coverage[stream]
		skipped := 0
		for _, n := range c.Skipped {
			skipped += n
		}
		if c.Read == 0 || c.Read != c.Scanned+skipped+c.Failed || c.Failed+c.Deferred+c.Quarantined+c.BackfillOpen+len(c.Gaps) > 0 || c.Error != "" {
			t.Errorf("the ledger of %s does not add up: %+v", stream, c)
		}
	}
}
