package dlp

// Stock is what detectors name that is not in their files, by id: the words of dictionaries and the digests of tables.
type Stock struct {
	Lists  map[string]*Words
	Tables map[string]*Table
}

// Digest names the words and whether case matters: two lists with one digest find the same.
func (w *Words) Digest() string { return w.digest }

// Digest names what the file of the table holds.
func (t *Table) Digest() string { return t.digest }

// stored tells two states of what a detector names apart: it is part of the ruleset.
func (r *rule) stored() string {
	switch {
	case r.List != "" && r.words != nil:
		return r.words.digest
	case r.exact != nil:
		return r.exact.table.digest
	}
	return ""
}
