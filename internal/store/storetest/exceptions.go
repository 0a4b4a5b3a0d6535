package storetest

import (
	"context"
	"time"

	"github.com/outband/outband/internal/store"
)

func (s *suite) except(e store.Exception) store.Exception {
	s.Helper()
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		e, err = store.CreateException(ctx, tx, e)
		return err
	})
	return e
}

func exceptions(s *suite) {
	ctx := s.Context()
	scope := store.Exception{
		PolicyID: "content.example", ConnectionID: "con_a", ResourceKind: "chat", ResourceID: "c1", ActorKeys: []string{"act_a", "act_b"}, Detector: "secret.*", Fingerprint: "k1:aa", Masked: "ab**",
		Owner: "usr_a", Reason: "A test key.", ExpiresAt: stored.Add(time.Hour), CreatedBy: "usr_b",
	}
	long := s.except(scope)
	scope.ExpiresAt, scope.ActorKeys = stored.Add(time.Minute), nil
	short := s.except(scope)
	want := scope
	want.ID, want.CreatedAt, want.UpdatedAt = short.ID, stored, stored
	s.equal("an exception", want, must[store.Exception](s)(store.GetException(ctx, s.Read(), short.ID)))
	s.equal("all", []store.Exception{short, long}, must[[]store.Exception](s)(store.Exceptions(ctx, s.Read())))
	if _, err := store.GetException(ctx, s.Read(), "exc_none"); err != nil {
		s.notFound("an exception that is not there", err)
	}

	s.now = s.now.Add(time.Minute)
	s.equal("the state at the moment of expiry", store.ExceptionExpired, short.State(s.Now()))
	s.equal("what is active", []store.Exception{long}, must[[]store.Exception](s)(store.ActiveExceptions(ctx, s.Read(), s.Now())))
	count := func(what string, active, expired, revoked int64) {
		s.Helper()
		s.equal(what, map[string]int64{"active": active, "expired": expired, "revoked": revoked}, must[map[string]int64](s)(store.CountExceptions(ctx, s.Read(), s.Now())))
	}
	count("counted", 1, 1, 0)

	changed := short
	changed.Owner, changed.Reason, changed.ExpiresAt, changed.PolicyID = "usr_c", "Still a test key.", s.Now().Add(time.Hour), "content.other"
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.ChangeException(ctx, tx, changed) })
	changed.PolicyID, changed.UpdatedAt = short.PolicyID, s.Now() // What it is an exception from does not change.
	s.equal("changed", changed, must[store.Exception](s)(store.GetException(ctx, s.Read(), short.ID)))
	count("extended", 2, 0, 0)

	s.write(func(ctx context.Context, tx *store.Tx) error {
		return store.RevokeException(ctx, tx, short.ID, "usr_d")
	})
	for _, again := range []func(context.Context, *store.Tx) error{
		func(ctx context.Context, tx *store.Tx) error {
			return store.RevokeException(ctx, tx, short.ID, "usr_e")
		},
		func(ctx context.Context, tx *store.Tx) error { return store.ChangeException(ctx, tx, changed) },
	} {
		s.refused(store.ErrNotFound, again)
	}
	got := must[store.Exception](s)(store.GetException(ctx, s.Read(), short.ID))
	s.equal("who revoked it", "usr_d", got.RevokedBy)
	s.equal("its state", store.ExceptionRevoked, got.State(s.Now()))
	count("revoked", 1, 0, 1)
}

func exceptionUnits(s *suite) {
	ctx := s.Context()
	e := s.except(store.Exception{PolicyID: "content.example", Owner: "usr_a", Reason: "r", ExpiresAt: stored.Add(time.Hour)})
	other := s.except(store.Exception{PolicyID: "content.example", Owner: "usr_a", Reason: "r", ExpiresAt: stored.Add(90 * 24 * time.Hour)})
	suppress := func(id, unit string) {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.CountSuppressed(ctx, tx, id, "message", unit)
		})
	}
	suppress(e.ID, "m1")
	suppress(e.ID, "m2")
	suppress(other.ID, "m1")
	s.now = s.now.Add(time.Minute)
	suppress(e.ID, "m1")
	got := must[store.Exception](s)(store.GetException(ctx, s.Read(), e.ID))
	if got.Suppressed != 2 || !got.LastAt.Equal(s.Now()) {
		s.Errorf("suppressed %d, last at %s", got.Suppressed, got.LastAt)
	}
	s.now = s.now.Add(24 * time.Hour)
	purge := func() (n int64) {
		s.write(func(ctx context.Context, tx *store.Tx) (err error) {
			n, err = store.PurgeExceptionUnits(ctx, tx, tx.Now().Add(-time.Hour), 1)
			return err
		})
		return n
	}
	s.equal("purged", []int64{1, 1, 0}, []int64{purge(), purge(), purge()})
	s.equal("the number stays", int64(2), must[store.Exception](s)(store.GetException(ctx, s.Read(), e.ID)).Suppressed)
}
