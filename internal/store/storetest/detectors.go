package storetest

import (
	"bytes"
	"context"

	"github.com/outband/outband/internal/store"
)

func detectors(s *suite) {
	ctx := s.Context()
	put := func(id, yaml string, expected int64) (version int64) {
		s.Helper()
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			version, err = store.PutDetector(ctx, tx, id, yaml, expected, "usr_1")
			return err
		})
		return version
	}
	s.equal("the first version", int64(1), put("custom.b", "b1", 0))
	s.equal("the first of another", int64(1), put("custom.a", "a1", 0))
	s.equal("the second version", int64(2), put("custom.b", "b2", 1))
	for _, seen := range []int64{0, 1, 3} {
		s.refused(store.ErrConflict, func(ctx context.Context, tx *store.Tx) error {
			_, err := store.PutDetector(ctx, tx, "custom.b", "b3", seen, "usr_2")
			return err
		})
	}
	s.equal("in force", []store.Detector{
		{ID: "custom.a", Version: 1, YAML: "a1", CreatedAt: stored, CreatedBy: "usr_1"}, {ID: "custom.b", Version: 2, YAML: "b2", CreatedAt: stored, CreatedBy: "usr_1"},
	}, must[[]store.Detector](s)(store.CustomDetectors(ctx, s.Read())))
	s.equal("removed", int64(3), put("custom.b", "", 2))
	s.equal("what is left", 1, len(must[[]store.Detector](s)(store.CustomDetectors(ctx, s.Read()))))
	s.equal("made again", int64(4), put("custom.b", "b4", 0))
	versions := must[[]store.Detector](s)(store.DetectorVersions(ctx, s.Read(), "custom.b", 0, 3))
	s.equal("versions", []int64{4, 3, 2}, []int64{versions[0].Version, versions[1].Version, versions[2].Version})
	s.equal("the next page", "b1", must[[]store.Detector](s)(store.DetectorVersions(ctx, s.Read(), "custom.b", 2, 3))[0].YAML)
}

// content joins the chunks of an owner.
func content(s *suite, owner string, version int64) string {
	s.Helper()
	var b bytes.Buffer
	err := store.ReadChunks(s.Context(), s.Read(), owner, version, func(data []byte) error { b.Write(data); return nil })
	if err != nil {
		s.Fatal(err)
	}
	return b.String()
}

func dictionaries(s *suite) {
	ctx := s.Context()
	d := store.Dictionary{ID: "projects", Title: "Projects", Digest: "d1", Entries: 2, Size: 9, CaseSensitive: true, UpdatedBy: "usr_1"}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.PutDictionary(ctx, tx, d, [][]byte{{0, 0xff}, []byte("two")})
	})
	got := must[[]store.Dictionary](s)(store.Dictionaries(ctx, s.Read()))
	d.Version, d.UpdatedAt = 1, stored
	s.equal("dictionaries", []store.Dictionary{d}, got)
	s.equal("its text", "\x00\xfftwo", content(s, d.Owner(), 1))
	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.PutDictionary(ctx, tx, store.Dictionary{ID: "projects", Title: "P", Digest: "d2", Entries: 1}, [][]byte{[]byte("new")})
	})
	got = must[[]store.Dictionary](s)(store.Dictionaries(ctx, s.Read()))
	s.equal("replaced", "new", content(s, d.Owner(), got[0].Version))
	s.notFound("the old text", store.ReadChunks(ctx, s.Read(), d.Owner(), 1, func([]byte) error { return nil }))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DeleteDictionary(ctx, tx, "projects") })
	s.notFound("the text", store.ReadChunks(ctx, s.Read(), d.Owner(), got[0].Version, func([]byte) error { return nil }))
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.DeleteDictionary(ctx, tx, "projects") })
}

func exactTables(s *suite) {
	ctx := s.Context()
	t := store.ExactTable{ID: "staff", Title: "Staff", KeyID: "k", UpdatedBy: "usr_1"}
	s.write(func(ctx context.Context, tx *store.Tx) error {
		if err := store.PutCredential(ctx, tx, t.Owner(), "key", "sealed"); err != nil {
			return err
		}
		return store.PutExactTable(ctx, tx, t)
	})
	upload := func(pieces ...string) (version int64) {
		s.Helper()
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			version, err = store.NextChunks(ctx, tx, t.Owner(), t.Version)
			return err
		})
		for n, p := range pieces {
			s.write(func(ctx context.Context, tx *store.Tx) error {
				return store.PutChunk(ctx, tx, t.Owner(), version, n, []byte(p))
			})
		}
		return version
	}
	cut := upload("half")
	t.Version = upload("one", "two")
	t.Digest, t.Columns, t.Rows, t.Cells, t.Size, t.Memory = "d1", "email,name", 2, 4, 6, 60
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutExactTable(ctx, tx, t) })
	t.UpdatedAt = stored
	s.equal("the table", t, must[store.ExactTable](s)(store.GetExactTable(ctx, s.Read(), "staff")))
	s.equal("its file, and nothing of the upload that was cut", "onetwo", content(s, t.Owner(), t.Version))
	s.equal("the version of what was cut is used again", cut, t.Version)
	next := upload("three")
	s.equal("the file in force while the next arrives", "onetwo", content(s, t.Owner(), t.Version))
	old := t.Version
	t.Version = next
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutExactTable(ctx, tx, t) })
	s.equal("the next file", "three", content(s, t.Owner(), next))
	s.notFound("the old file", store.ReadChunks(ctx, s.Read(), t.Owner(), old, func([]byte) error { return nil }))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DeleteExactTable(ctx, tx, "staff") })
	_, err := store.GetCredential(ctx, s.Read(), t.Owner(), "key")
	s.notFound("the key of a table that was removed", err)
	_, err = store.GetExactTable(ctx, s.Read(), "staff")
	s.notFound("a table that was removed", err)
}
