package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Detector is one version of a custom detector.
type Detector struct {
	ID        string
	Version   int64
	YAML      string // "": this version removed it
	CreatedAt time.Time
	CreatedBy string
}

func scanDetector(r *sql.Rows) (Detector, error) {
	var d Detector
	var at int64
	if err := r.Scan(&d.ID, &d.Version, &d.YAML, &at, &d.CreatedBy); err != nil {
		return d, fmt.Errorf("read detector: %w", err)
	}
	d.CreatedAt = FromMicros(at)
	return d, nil
}

// CustomDetectors returns the newest version of each custom detector that was not removed, by id.
func CustomDetectors(ctx context.Context, q Querier) ([]Detector, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, version, yaml, created_at, created_by FROM detectors d WHERE workspace_id = $1 AND yaml <> ''
		AND version = (SELECT MAX(version) FROM detectors WHERE workspace_id = d.workspace_id AND id = d.id) ORDER BY id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list detectors: %w", err)
	}
	return collect(rows, scanDetector)
}

// DetectorVersions returns up to limit versions of a custom detector below before, the newest first; before 0 means from the newest on.
func DetectorVersions(ctx context.Context, q Querier, id string, before int64, limit int) ([]Detector, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, version, yaml, created_at, created_by FROM detectors
		WHERE workspace_id = $1 AND id = $2 AND ($3 = 0 OR version < $3) ORDER BY version DESC LIMIT $4`, Workspace, id, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list detector versions: %w", err)
	}
	return collect(rows, scanDetector)
}

// PutDetector stores the next version of a custom detector, which it returns. expected is the version that the writer has seen: 0 for a detector that is not there.
// With any other it is ErrConflict.
func PutDetector(ctx context.Context, tx *Tx, id, yaml string, expected int64, by string) (int64, error) {
	last, err := DetectorVersions(ctx, tx, id, 0, 1)
	if err != nil {
		return 0, err
	}
	var version, live int64
	if len(last) > 0 {
		version = last[0].Version
		if last[0].YAML != "" {
			live = version
		}
	}
	if live != expected {
		return 0, fmt.Errorf("detector %s: %w", id, ErrConflict)
	}
	version++
	_, err = tx.ExecContext(ctx, `INSERT INTO detectors (workspace_id, id, version, yaml, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
		Workspace, id, version, yaml, Micros(tx.Now()), by)
	if err != nil {
		return 0, fmt.Errorf("store detector: %w", err)
	}
	return version, nil
}

// Dictionary is a list of words; the words are read with ReadChunks, sealed.
type Dictionary struct {
	ID            string
	Title         string
	Version       int64
	Digest        string // of the words and of whether case matters
	Entries       int64
	Size          int64 // bytes of the text
	CaseSensitive bool
	UpdatedAt     time.Time
	UpdatedBy     string
}

// Owner is the owner of a dictionary's chunks.
func (d Dictionary) Owner() string { return "dictionary/" + d.ID }

// Dictionaries returns all dictionaries, by id.
func Dictionaries(ctx context.Context, q Querier) ([]Dictionary, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, title, version, digest, entries, size, case_sensitive, updated_at, updated_by FROM dictionaries WHERE workspace_id = $1 ORDER BY id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list dictionaries: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (Dictionary, error) {
		var d Dictionary
		var exact, at int64
		if err := r.Scan(&d.ID, &d.Title, &d.Version, &d.Digest, &d.Entries, &d.Size, &exact, &at, &d.UpdatedBy); err != nil {
			return d, fmt.Errorf("read dictionary: %w", err)
		}
		d.CaseSensitive, d.UpdatedAt = exact != 0, FromMicros(at)
		return d, nil
	})
}

// PutDictionary stores a dictionary and its words in place of those before. chunks are sealed.
func PutDictionary(ctx context.Context, tx *Tx, d Dictionary, chunks [][]byte) error {
	version, err := nextVersion(ctx, tx, d.Owner())
	if err != nil {
		return err
	}
	for n, data := range chunks {
		if err := PutChunk(ctx, tx, d.Owner(), version, n, data); err != nil {
			return err
		}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO dictionaries (workspace_id, id, title, version, digest, entries, size, case_sensitive, updated_at, updated_by) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (workspace_id, id) DO UPDATE SET title = excluded.title, version = excluded.version, digest = excluded.digest, entries = excluded.entries, size = excluded.size,
		case_sensitive = excluded.case_sensitive, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		Workspace, d.ID, d.Title, version, d.Digest, d.Entries, d.Size, truth(d.CaseSensitive), Micros(tx.Now()), d.UpdatedBy)
	if err != nil {
		return fmt.Errorf("store dictionary: %w", err)
	}
	return DropChunks(ctx, tx, d.Owner(), version)
}

// DeleteDictionary removes a dictionary and its words.
func DeleteDictionary(ctx context.Context, tx *Tx, id string) error {
	res, err := tx.ExecContext(ctx, `DELETE FROM dictionaries WHERE workspace_id = $1 AND id = $2`, Workspace, id)
	if err := one(res, err)("dictionary"); err != nil {
		return err
	}
	return DropChunks(ctx, tx, Dictionary{ID: id}.Owner(), 0)
}

// ExactTable is a table of exact values. Its file is read with ReadChunks; its key is the credential "key" of Owner.
type ExactTable struct {
	ID        string
	Title     string
	Version   int64 // of the file; 0: there is none yet
	Digest    string
	KeyID     string
	Columns   string // names, with commas between
	Rows      int64
	Cells     int64
	Size      int64 // bytes of the file
	Memory    int64 // bytes in a process that scans
	UpdatedAt time.Time
	UpdatedBy string
}

// Owner is the owner of a table's chunks and of its key.
func (t ExactTable) Owner() string { return "exact_table/" + t.ID }

// ExactTables returns all tables, by id.
func ExactTables(ctx context.Context, q Querier) ([]ExactTable, error) {
	rows, err := q.QueryContext(ctx, `SELECT id, title, version, digest, key_id, columns, rows_n, cells, size, memory, updated_at, updated_by FROM exact_tables WHERE workspace_id = $1 ORDER BY id`, Workspace)
	if err != nil {
		return nil, fmt.Errorf("list exact tables: %w", err)
	}
	return collect(rows, func(r *sql.Rows) (ExactTable, error) {
		var t ExactTable
		var at int64
		if err := r.Scan(&t.ID, &t.Title, &t.Version, &t.Digest, &t.KeyID, &t.Columns, &t.Rows, &t.Cells, &t.Size, &t.Memory, &at, &t.UpdatedBy); err != nil {
			return t, fmt.Errorf("read exact table: %w", err)
		}
		t.UpdatedAt = FromMicros(at)
		return t, nil
	})
}

// GetExactTable returns a table, or ErrNotFound.
func GetExactTable(ctx context.Context, q Querier, id string) (ExactTable, error) {
	all, err := ExactTables(ctx, q)
	if err != nil {
		return ExactTable{}, err
	}
	for _, t := range all {
		if t.ID == id {
			return t, nil
		}
	}
	return ExactTable{}, fmt.Errorf("exact table: %w", ErrNotFound)
}

// PutExactTable stores what is known of a table: a new one, or that another file is in force. What is left of other files goes.
func PutExactTable(ctx context.Context, tx *Tx, t ExactTable) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO exact_tables (workspace_id, id, title, version, digest, key_id, columns, rows_n, cells, size, memory, updated_at, updated_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (workspace_id, id) DO UPDATE SET title = excluded.title, version = excluded.version, digest = excluded.digest, key_id = excluded.key_id, columns = excluded.columns,
		rows_n = excluded.rows_n, cells = excluded.cells, size = excluded.size, memory = excluded.memory, updated_at = excluded.updated_at, updated_by = excluded.updated_by`,
		Workspace, t.ID, t.Title, t.Version, t.Digest, t.KeyID, t.Columns, t.Rows, t.Cells, t.Size, t.Memory, Micros(tx.Now()), t.UpdatedBy)
	if err != nil {
		return fmt.Errorf("store exact table: %w", err)
	}
	return DropChunks(ctx, tx, t.Owner(), t.Version)
}

// DeleteExactTable removes a table with its file and key.
func DeleteExactTable(ctx context.Context, tx *Tx, id string) error {
	res, err := tx.ExecContext(ctx, `DELETE FROM exact_tables WHERE workspace_id = $1 AND id = $2`, Workspace, id)
	if err := one(res, err)("exact table"); err != nil {
		return err
	}
	owner := ExactTable{ID: id}.Owner()
	if err := DropChunks(ctx, tx, owner, 0); err != nil {
		return err
	}
	return DeleteCredentials(ctx, tx, owner)
}

// NextChunks draws the version that the chunks of a new file are stored under, and drops what an upload that was cut short has left.
func NextChunks(ctx context.Context, tx *Tx, owner string, inForce int64) (int64, error) {
	if err := DropChunks(ctx, tx, owner, inForce); err != nil {
		return 0, err
	}
	return nextVersion(ctx, tx, owner)
}

func nextVersion(ctx context.Context, tx *Tx, owner string) (int64, error) {
	var version int64
	err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(version), 0) + 1 FROM stock_chunks WHERE workspace_id = $1 AND owner_id = $2`, Workspace, owner).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("draw a version: %w", err)
	}
	return version, nil
}

// PutChunk stores piece n, from 0, of what owner holds.
func PutChunk(ctx context.Context, tx *Tx, owner string, version int64, n int, data []byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO stock_chunks (workspace_id, owner_id, version, n, data) VALUES ($1, $2, $3, $4, $5)`, Workspace, owner, version, n, data)
	if err != nil {
		return fmt.Errorf("store chunk: %w", err)
	}
	return nil
}

// DropChunks removes what owner holds but the version kept; 0 keeps none.
func DropChunks(ctx context.Context, tx *Tx, owner string, kept int64) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM stock_chunks WHERE workspace_id = $1 AND owner_id = $2 AND version <> $3`, Workspace, owner, kept); err != nil {
		return fmt.Errorf("drop chunks: %w", err)
	}
	return nil
}

// ReadChunks gives the pieces of what owner holds in order, one in memory at a time. ErrNotFound: there is none, or it was replaced while it was read.
func ReadChunks(ctx context.Context, q Querier, owner string, version int64, f func(data []byte) error) error {
	var count int
	if err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM stock_chunks WHERE workspace_id = $1 AND owner_id = $2 AND version = $3`, Workspace, owner, version).Scan(&count); err != nil {
		return fmt.Errorf("count chunks: %w", err)
	}
	if count == 0 {
		return fmt.Errorf("chunks of %s: %w", owner, ErrNotFound)
	}
	for n := range count {
		var data []byte
		err := q.QueryRowContext(ctx, `SELECT data FROM stock_chunks WHERE workspace_id = $1 AND owner_id = $2 AND version = $3 AND n = $4`, Workspace, owner, version, n).Scan(&data)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("chunk %d of %s: %w", n, owner, ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("read chunk: %w", err)
		}
		if err := f(data); err != nil {
			return err
		}
	}
	return nil
}
