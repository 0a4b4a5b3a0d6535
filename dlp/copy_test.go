package dlp_test

import (
	"strings"
	"testing"

	"github.com/outband/outband/dlp"
)

// A built-in detector that is copied under an id of its own is as green as it was.
func TestCopiesOfBuiltInDetectorsCanBeSaved(t *testing.T) {
	for _, d := range builtin(t) {
		if d.Scanner == "email_list" {
			continue // It reads what the built-in e-mail scanner finds.
		}
		source, err := d.Source()
		if err != nil {
			t.Fatal(err)
		}
		id := "custom." + strings.Replace(d.ID, ".", "_", 1)
		if len(id) > len("custom.")+60 {
			t.Errorf("%s: no room for the id of a copy", d.ID)
		}
		all, err := dlp.Parse("copy.yaml", []byte(strings.Replace(string(source), "id: "+d.ID, "id: "+id, 1)))
		if err != nil || len(all) != 1 || all[0].ID != id {
			t.Fatalf("%s: %v", d.ID, err)
		}
		if errs := dlp.Check(all[0]); len(errs) > 0 {
			t.Errorf("%s: %v", d.ID, errs[0])
		}
	}
}
