package storetest

import (
	"context"
	"time"

	"github.com/outband/outband/internal/store"
)

// save stores a version on top of the one seen.
func (s *suite) save(seen int64, v store.PolicyVersion) {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.SavePolicy(ctx, tx, seen, v) })
}

func version(id string, n int64, yaml string) store.PolicyVersion {
	return store.PolicyVersion{Policy: store.Policy{ID: id, Version: n, YAML: yaml}, Reason: "because", By: "usr_a"}
}

func policyVersions(s *suite) {
	s.save(0, version("custom.a", 1, "one"))
	s.now = s.now.Add(time.Minute)
	s.save(1, version("custom.a", 4, "four"))
	s.save(0, version("custom.b", 2, "two"))

	s.equal("the newest of each", []store.Policy{{ID: "custom.a", Version: 4, YAML: "four"}, {ID: "custom.b", Version: 2, YAML: "two"}}, must[[]store.Policy](s)(store.CustomPolicies(s.Context(), s.Read())))
	first, second := version("custom.a", 1, "one"), version("custom.a", 4, "four")
	first.At, second.At = stored, stored.Add(time.Minute)
	s.equal("all versions", []store.PolicyVersion{second, first}, must[[]store.PolicyVersion](s)(store.PolicyVersions(s.Context(), s.Read(), "custom.a", 0, 10)))
	s.equal("a page of them", []store.PolicyVersion{first}, must[[]store.PolicyVersion](s)(store.PolicyVersions(s.Context(), s.Read(), "custom.a", 4, 1)))
	s.equal("an old version", first, must[store.PolicyVersion](s)(store.GetPolicyVersion(s.Context(), s.Read(), "custom.a", 1)))
	s.equal("the newest version", second, must[store.PolicyVersion](s)(store.GetPolicyVersion(s.Context(), s.Read(), "custom.a", 0)))
	for id, n := range map[string]int64{"custom.a": 2, "custom.c": 0} {
		s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error {
			_, err := store.GetPolicyVersion(ctx, tx, id, n)
			return err
		})
	}
}

func policyChanged(s *suite) {
	s.save(0, version("custom.a", 1, "one"))
	for _, seen := range []int64{0, 2} {
		s.refused(store.ErrChanged, func(ctx context.Context, tx *store.Tx) error {
			return store.SavePolicy(ctx, tx, seen, version("custom.a", 3, "three"))
		})
	}
	if err := s.DB.Write(s.Context(), func(tx *store.Tx) error {
		return store.SavePolicy(s.Context(), tx, 1, version("custom.a", 1, "again"))
	}); err == nil {
		s.Error("a version was stored twice")
	}
}

func policyRetired(s *suite) {
	s.save(0, version("custom.a", 1, "one"))
	end := version("custom.a", 2, "")
	end.Retired = true
	s.save(1, end)
	custom := func(want ...store.Policy) {
		s.Helper()
		s.equal("custom policies", want, must[[]store.Policy](s)(store.CustomPolicies(s.Context(), s.Read())))
	}
	custom()
	end.At = stored
	s.equal("the end", end, must[store.PolicyVersion](s)(store.GetPolicyVersion(s.Context(), s.Read(), "custom.a", 0)))
	s.save(2, version("custom.a", 3, "back"))
	custom(store.Policy{ID: "custom.a", Version: 3, YAML: "back"})
}

func overrideDropped(s *suite) {
	s.write(func(ctx context.Context, tx *store.Tx) error {
		for _, kind := range []string{"policy", "detector"} {
			if err := store.PutOverride(ctx, tx, store.Override{Kind: kind, ID: "a.b", Mode: "off"}, "usr_a"); err != nil {
				return err
			}
		}
		if err := store.DropOverride(ctx, tx, "policy", "none"); err != nil {
			return err
		}
		return store.DropOverride(ctx, tx, "policy", "a.b")
	})
	s.equal("overrides", []store.Override{{Kind: "detector", ID: "a.b", Mode: "off"}}, must[[]store.Override](s)(store.Overrides(s.Context(), s.Read())))
}
