package storetest

import (
	"context"

	"github.com/outband/outband/internal/store"
)

func profiles(s *suite) {
	save := func(seen int64, p store.Profile) func(context.Context, *store.Tx) error {
		return func(ctx context.Context, tx *store.Tx) error { return store.SaveProfile(ctx, tx, seen, p) }
	}
	s.write(save(0, store.Profile{ID: "b", YAML: "one", By: "usr_1"}))
	s.write(save(0, store.Profile{ID: "a", YAML: "first", By: "usr_1"}))
	s.write(save(1, store.Profile{ID: "a", YAML: "second", By: "usr_2"}))
	s.refused(store.ErrConflict, save(1, store.Profile{ID: "a", YAML: "late", By: "usr_1"}))
	s.refused(store.ErrConflict, save(0, store.Profile{ID: "a", YAML: "new", By: "usr_1"}))
	s.write(save(1, store.Profile{ID: "b", Removed: true, By: "usr_1"}))
	newest := func(all []store.Profile) (out []store.Profile) {
		for _, p := range all {
			if p.At.IsZero() {
				s.Errorf("version %d of %s has no time", p.Version, p.ID)
			}
			out = append(out, store.Profile{ID: p.ID, Version: p.Version, YAML: p.YAML, Removed: p.Removed, By: p.By})
		}
		return out
	}
	s.equal("profiles", []store.Profile{
		{ID: "a", Version: 2, YAML: "second", By: "usr_2"}, {ID: "b", Version: 2, Removed: true, By: "usr_1"},
	}, newest(must[[]store.Profile](s)(store.Profiles(s.Context(), s.Read()))))
	s.write(save(2, store.Profile{ID: "b", YAML: "again", By: "usr_1"}))
	s.equal("versions", []store.Profile{
		{ID: "b", Version: 3, YAML: "again", By: "usr_1"}, {ID: "b", Version: 2, Removed: true, By: "usr_1"},
	}, newest(must[[]store.Profile](s)(store.ProfileVersions(s.Context(), s.Read(), "b", 2))))
	s.equal("versions of nothing", 0, len(must[[]store.Profile](s)(store.ProfileVersions(s.Context(), s.Read(), "c", 10))))
}
