package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

const (
	maxExactTables = 8
	octets         = "application/octet-stream"
	uploadTimeout  = 10 * time.Minute // for the file of a table to arrive
	uploadChunk    = 1 << 20          // bytes that are stored at once
)

// ExactTable is a table of exact values, of which keyed digests are known only.
type ExactTable struct {
	ID        string   `json:"id" doc:"What a detector names in table."`
	Title     string   `json:"title"`
	KeyID     string   `json:"key_id" doc:"Names the key and says nothing of it."`
	Ready     bool     `json:"ready" doc:"A file was uploaded."`
	Columns   []string `json:"columns"`
	Rows      int64    `json:"rows"`
	Cells     int64    `json:"cells" doc:"Those that hold a value that can be looked for."`
	Size      int64    `json:"size" doc:"Bytes of the file."`
	Memory    int64    `json:"memory" doc:"Bytes in each process that scans, while a detector names the table."`
	UsedBy    []string `json:"used_by" doc:"Ids of the custom detectors that name it."`
	UpdatedAt string   `json:"updated_at" format:"date-time"`
	Key       string   `json:"key,omitempty" doc:"Only in the answer to the request that made the table without a key: it is not shown again."`
}

func (a *API) exactTable(t store.ExactTable) ExactTable {
	columns := []string{}
	if t.Columns != "" {
		columns = strings.Split(t.Columns, ",")
	}
	return ExactTable{
		ID: t.ID, Title: t.Title, KeyID: t.KeyID, Ready: t.Version > 0, Columns: columns, Rows: t.Rows, Cells: t.Cells, Size: t.Size, Memory: t.Memory,
		UsedBy: some(a.d.Detectors.Uses("", t.ID)), UpdatedAt: *stamp(t.UpdatedAt),
	}
}

func (a *API) listExactTables(ctx context.Context, in *ListInput) (*ListOutput[ExactTable], error) {
	if _, err := a.followDetectors(ctx); err != nil {
		return nil, err
	}
	all, err := store.ExactTables(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	var out []ExactTable
	for _, t := range all {
		out = append(out, a.exactTable(t))
	}
	return paginate("exact-tables", out, func(t ExactTable) string { return t.ID }, *in)
}

func (a *API) getExactTable(ctx context.Context, in *IDInput) (*Output[ExactTable], error) {
	t, err := store.GetExactTable(ctx, a.d.DB.Read(), in.ID)
	if err != nil {
		return nil, err
	}
	return &Output[ExactTable]{a.exactTable(t)}, nil
}

// CreateExactTableInput is a table without a file yet.
type CreateExactTableInput struct {
	Body struct {
		ID    string `json:"id" pattern:"^[a-z][a-z0-9_]{0,59}$" doc:"Small letters, digits and underscores."`
		Title string `json:"title" minLength:"1" maxLength:"200"`
		Key   string `json:"key,omitempty" maxLength:"100" doc:"As outband edm key prints it. Absent: one is made, and shown once."`
	}
}

func (a *API) createExactTable(ctx context.Context, in *CreateExactTableInput) (*Output[ExactTable], error) {
	key := dlp.NewTableKey()
	if in.Body.Key != "" {
		given, err := dlp.ParseTableKey(in.Body.Key)
		if err != nil {
			return nil, problem.Invalid(problem.Field{Location: "body.key", Message: "The key does not have the form that outband edm key prints."})
		}
		key = given
	}
	t := store.ExactTable{ID: in.Body.ID, Title: in.Body.Title, KeyID: key.ID(), UpdatedBy: actor(ctx)}
	sealed, err := a.d.Vault.Seal(secret.NewValue(key.Text()), t.Owner(), "key")
	if err != nil {
		return nil, err
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		have, err := store.ExactTables(ctx, tx)
		if err != nil {
			return err
		}
		switch {
		case slices.ContainsFunc(have, func(x store.ExactTable) bool { return x.ID == t.ID }):
			return problem.New(http.StatusConflict, problem.CodeChanged, "There is a table with this id. Upload a new file to it, or remove it first.")
		case len(have) >= maxExactTables:
			return problem.New(http.StatusConflict, problem.CodeFull, fmt.Sprintf("There are %d exact tables already. Remove one first.", maxExactTables))
		}
		if err := store.PutCredential(ctx, tx, t.Owner(), "key", sealed); err != nil {
			return err
		}
		if err := store.PutExactTable(ctx, tx, t); err != nil {
			return err
		}
		return audit(ctx, tx, "exact_table.create", t.ID, map[string]string{"key": t.KeyID})
	})
	if err != nil {
		return nil, err
	}
	out, err := a.getExactTable(ctx, &IDInput{t.ID})
	if err == nil && in.Body.Key == "" {
		out.Body.Key = key.Text() // Invariant 8: it was made here, and is shown once.
	}
	return out, err
}

// UploadExactTableInput is a file that is read as it comes.
type UploadExactTableInput struct {
	IDInput
	body io.Reader
}

// Resolve implements huma.Resolver: it keeps the body for the handler.
func (in *UploadExactTableInput) Resolve(ctx huma.Context) []error {
	in.body = ctx.BodyReader()
	if kind, _, _ := strings.Cut(ctx.Header("Content-Type"), ";"); kind != octets {
		return []error{huma.NewError(http.StatusUnsupportedMediaType, "")}
	}
	if err := ctx.SetReadDeadline(time.Now().Add(uploadTimeout)); err != nil {
		return []error{err}
	}
	return nil
}

func badTable(message string) *problem.Problem {
	return problem.New(http.StatusUnprocessableEntity, problem.CodeTable, "The file was not taken. Make it with outband edm hash, with this table's id and key.", problem.Field{Location: "body", Message: message})
}

func (a *API) uploadExactTable(ctx context.Context, in *UploadExactTableInput) (*Output[ExactTable], error) {
	// A file takes memory while it is checked, so one arrives at a time.
	if !a.uploading.TryLock() {
		return nil, problem.New(http.StatusTooManyRequests, problem.CodeTooMany, "Another table is being uploaded. Send it again when that is done.").With("Retry-After", "10")
	}
	defer a.uploading.Unlock()
	q := a.d.DB.Read()
	t, err := store.GetExactTable(ctx, q, in.ID)
	if err != nil {
		return nil, err
	}
	key, err := workflows.TableKey(ctx, q, a.d.Vault, t)
	if err != nil {
		return nil, err
	}
	var version int64
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		version, err = store.NextChunks(ctx, tx, t.Owner(), t.Version)
		return err
	})
	if err != nil {
		return nil, err
	}
	table, size, err := a.receive(ctx, in.body, t, version, key)
	if err != nil {
		return nil, err
	}
	if broken := a.brokenBy(table); len(broken) > 0 {
		return nil, inUse("the new file lacks columns that detectors name", broken)
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if t, err = store.GetExactTable(ctx, tx, in.ID); err != nil {
			return err // It was removed meanwhile.
		}
		t.Version, t.Digest, t.Columns, t.UpdatedBy = version, table.Digest(), strings.Join(table.Columns, ","), actor(ctx)
		t.Rows, t.Cells, t.Size, t.Memory = int64(table.Rows), int64(table.Cells), size, int64(table.Bytes())
		if err := store.PutExactTable(ctx, tx, t); err != nil {
			return err
		}
		return audit(ctx, tx, "exact_table.upload", t.ID, map[string]string{"rows": strconv.Itoa(table.Rows), "columns": strconv.Itoa(len(table.Columns))})
	})
	if err != nil {
		return nil, err
	}
	if err := a.detectorsChanged(ctx, t.ID); err != nil {
		return nil, err
	}
	return a.getExactTable(ctx, &in.IDInput)
}

// receive stores a file as it comes, in short transactions, and reads it at the same time. A file that is not right, or breaks off, leaves pieces that nothing names; they
// go with the next upload.
func (a *API) receive(ctx context.Context, body io.Reader, t store.ExactTable, version int64, key dlp.TableKey) (*dlp.Table, int64, error) {
	r, w := io.Pipe()
	var table *dlp.Table
	var wrong error
	var reading sync.WaitGroup
	reading.Go(func() {
		table, wrong = dlp.ReadTable(r, t.ID, key)
		r.CloseWithError(errors.Join(wrong, io.ErrClosedPipe))
	})
	size, err := int64(0), error(nil)
	chunk := make([]byte, uploadChunk)
	for n := 0; err == nil; n++ {
		var got int
		got, err = io.ReadFull(body, chunk)
		if size += int64(got); size > dlp.MaxTableFile {
			err = problem.New(http.StatusRequestEntityTooLarge, problem.CodeTooLarge, "The file is over 64 MiB. Leave out columns or rows.")
			break
		}
		if got == 0 {
			break
		}
		if _, werr := w.Write(chunk[:got]); werr != nil {
			break // The reader has found a fault, which is the error.
		}
		serr := a.d.DB.Write(ctx, func(tx *store.Tx) error {
			return store.PutChunk(ctx, tx, t.Owner(), version, n, chunk[:got])
		})
		if serr != nil {
			err = serr
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = nil
	}
	w.CloseWithError(err) // nil is the end of the file.
	reading.Wait()
	var p *problem.Problem
	switch {
	case errors.As(err, &p):
		return nil, 0, p
	case err != nil:
		return nil, 0, problem.New(http.StatusBadRequest, problem.CodeBody, "The file did not arrive whole. Send it again.")
	case wrong != nil:
		return nil, 0, badTable(wrong.Error())
	}
	return table, size, nil
}

// brokenBy returns the detectors in force that another file of their table would break.
func (a *API) brokenBy(t *dlp.Table) (ids []string) {
	stock := dlp.Stock{Tables: map[string]*dlp.Table{t.ID: t}}
	for _, s := range a.d.Detectors.All() {
		if s.Version == 0 || s.Table != t.ID || s.Failing != "" {
			continue
		}
		s.Optional = false
		if _, err := dlp.New([]dlp.Detector{s.Detector}, dlp.Configuration{Stock: stock}); err != nil {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (a *API) deleteExactTable(ctx context.Context, in *IDInput) error {
	if _, err := a.followDetectors(ctx); err != nil {
		return err
	}
	if users := a.d.Detectors.Uses("", in.ID); len(users) > 0 {
		return inUse("detectors name this table", users)
	}
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(store.DeleteExactTable(ctx, tx, in.ID), audit(ctx, tx, "exact_table.delete", in.ID, nil))
	})
	if err != nil {
		return err
	}
	return a.detectorsChanged(ctx, in.ID)
}
