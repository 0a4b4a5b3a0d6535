package storetest

import (
	"context"
	"strings"
	"time"

	"github.com/outband/outband/internal/store"
)

func claude() store.Connection {
	return store.Connection{
		Name: "Head office", Connector: "claude", AccountID: "org_1", AccountName: "Example GmbH", KeyKind: "compliance",
		Config: map[string]string{"base_url": "https://api.example.com", "requests_per_minute": "60"},
		Every:  5 * time.Minute, BackfillFrom: stored.AddDate(0, 0, -30), State: store.ConnectionActive,
	}
}

func (s *suite) create(c store.Connection) store.Connection {
	s.Helper()
	var out store.Connection
	s.write(func(ctx context.Context, tx *store.Tx) (err error) {
		out, err = store.CreateConnection(ctx, tx, c)
		return err
	})
	return out
}

func connectionRoundTrip(s *suite) {
	ctx := s.Context()
	want := claude()
	got := s.create(want)
	if !strings.HasPrefix(got.ID, "con_") || len(got.ID) != len("con_")+26 {
		s.Errorf("id %q", got.ID)
	}
	want.ID, want.CreatedAt, want.UpdatedAt = got.ID, stored, stored
	s.equal("CreateConnection", want, got)
	s.equal("GetConnection", want, must[store.Connection](s)(store.GetConnection(ctx, s.Read(), got.ID)))
	_, err := store.GetConnection(ctx, s.Read(), "con_none")
	s.notFound("GetConnection", err)

	s.now = start.Add(time.Hour)
	second := claude()
	second.AccountID, second.BackfillFrom, second.Config = "org_2", time.Time{}, nil
	second = s.create(second)
	s.equal("ListConnections", []store.Connection{want, second}, must[[]store.Connection](s)(store.ListConnections(ctx, s.Read())))

	want.Name, want.Every, want.State, want.StateCode, want.UpdatedAt = "Berlin", time.Hour, store.ConnectionPaused, "OB-2003", s.now.Truncate(time.Microsecond)
	want.Config = map[string]string{"base_url": "https://eu.example.com"}
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.UpdateConnection(ctx, tx, want) })
	s.equal("after UpdateConnection", want, must[store.Connection](s)(store.GetConnection(ctx, s.Read(), want.ID)))
	none := want
	none.ID = "con_none"
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.UpdateConnection(ctx, tx, none) })
}

func connectionConflict(s *suite) {
	first := s.create(claude())
	s.refused(store.ErrConflict, func(ctx context.Context, tx *store.Tx) error {
		old, err := store.CreateConnection(ctx, tx, claude())
		s.equal("the connection that is there", first.ID, old.ID)
		return err
	})
	for _, change := range []func(*store.Connection){
		func(c *store.Connection) { c.KeyKind = "admin" },
		func(c *store.Connection) { c.AccountID = "org_2" },
		func(c *store.Connection) { c.Connector = "other" },
	} {
		c := claude()
		change(&c)
		if made := s.create(c); made.ID == first.ID {
			s.Error("two accounts have one id")
		}
	}
}

func connectionRevived(s *suite) {
	ctx := s.Context()
	first := s.create(claude())
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DeleteConnection(ctx, tx, first.ID) })
	_, err := store.GetConnection(ctx, s.Read(), first.ID)
	s.notFound("a deleted connection", err)
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.DeleteConnection(ctx, tx, first.ID) })
	s.refused(store.ErrNotFound, func(ctx context.Context, tx *store.Tx) error { return store.UpdateConnection(ctx, tx, first) })

	s.now = start.Add(24 * time.Hour)
	again := claude()
	again.Name, again.Every, again.BackfillFrom = "Again", time.Hour, time.Time{}
	got := s.create(again)
	again.ID, again.CreatedAt, again.UpdatedAt = first.ID, s.now.Truncate(time.Microsecond), s.now.Truncate(time.Microsecond)
	s.equal("the revived connection", again, got)
	s.equal("the revived connection, read", again, must[store.Connection](s)(store.GetConnection(ctx, s.Read(), first.ID)))
}

func connectionState(s *suite) {
	ctx := s.Context()
	c := s.create(claude())
	set := func(state, code, message string) {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.SetConnectionState(ctx, tx, c.ID, state, code, message)
		})
	}
	set(store.ConnectionNeedsAttention, "OB-2003", "The key was refused.")
	got := must[store.Connection](s)(store.GetConnection(ctx, s.Read(), c.ID))
	s.equal("state", []string{store.ConnectionNeedsAttention, "OB-2003", "The key was refused."}, []string{got.State, got.StateCode, got.StateMessage})

	s.now = start.Add(time.Hour)
	set(store.ConnectionNeedsAttention, "OB-2003", "The key was refused.")
	same := must[store.Connection](s)(store.GetConnection(ctx, s.Read(), c.ID))
	s.equal("a state set again changes nothing", got, same)

	got.State = store.ConnectionPaused
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.UpdateConnection(ctx, tx, got) })
	set(store.ConnectionActive, "", "")
	s.equal("a person's pause", store.ConnectionPaused, must[store.Connection](s)(store.GetConnection(ctx, s.Read(), c.ID)).State)
}

func connectionDeleted(s *suite) {
	ctx := s.Context()
	worker := store.LeaseOwner{Work: "run"}
	gone, stays := s.create(claude()), claude()
	stays.AccountID = "org_2"
	stays = s.create(stays)
	for _, c := range []store.Connection{gone, stays} {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			if err := store.PutCredential(ctx, tx, c.ID, "api_key", "sealed"); err != nil {
				return err
			}
			if err := store.PutCheckpoint(ctx, tx, store.Checkpoint{CheckpointKey: store.CheckpointKey{ConnectionID: c.ID, Stream: "chats", Lane: store.LaneLive, Slice: "live"}}); err != nil {
				return err
			}
			key := store.ItemKey{ConnectionID: c.ID, Kind: "file", ID: "f1"}
			if err := store.PutItem(ctx, tx, store.Item{ItemKey: key, State: store.ItemScanned}); err != nil {
				return err
			}
			if err := store.AddPlace(ctx, tx, key, store.Place{ResourceKind: "chat", ResourceID: "c1"}); err != nil {
				return err
			}
			return store.AcquireLease(ctx, tx, store.LeasePrefix(c.ID)+"page", worker, time.Minute)
		})
	}
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DeleteConnection(ctx, tx, gone.ID) })
	for _, c := range []store.Connection{gone, stays} {
		want := 0
		if c.ID == stays.ID {
			want = 1
		}
		credentials := 0
		for _, found := range must[[]store.Credential](s)(store.ListCredentials(ctx, s.Read())) {
			if found.OwnerID == c.ID {
				credentials++
			}
		}
		got := []int{
			credentials,
			len(must[[]store.Checkpoint](s)(store.ListCheckpoints(ctx, s.Read(), c.ID))),
			len(must[[]store.Count](s)(store.CountItems(ctx, s.Read(), c.ID))),
			len(must[[]store.Place](s)(store.Places(ctx, s.Read(), store.ItemKey{ConnectionID: c.ID, Kind: "file", ID: "f1"}))),
		}
		s.equal("credentials, checkpoints, items and places of "+c.AccountID, []int{want, want, want, want}, got)
		// Whoever was in the middle of a page may store no more of it.
		lease := func(ctx context.Context, tx *store.Tx) error {
			return store.CheckLease(ctx, tx, store.LeasePrefix(c.ID)+"page", worker)
		}
		if c.ID == gone.ID {
			s.refused(store.ErrLeaseLost, lease)
		} else {
			s.write(lease)
		}
	}
}

func credentials(s *suite) {
	ctx := s.Context()
	_, err := store.GetCredential(ctx, s.Read(), "con_1", "api_key")
	s.notFound("GetCredential", err)
	put := func(owner, field, sealed string) {
		s.write(func(ctx context.Context, tx *store.Tx) error {
			return store.PutCredential(ctx, tx, owner, field, sealed)
		})
	}
	put("con_1", "api_key", "first")
	put("con_1", "api_key", "second")
	put("con_1", "other", "third")
	put("dst_1", "signing_key", "fourth")
	s.equal("GetCredential", "second", must[string](s)(store.GetCredential(ctx, s.Read(), "con_1", "api_key")))
	s.equal("ListCredentials", []store.Credential{{OwnerID: "con_1", Field: "api_key", Sealed: "second"}, {OwnerID: "con_1", Field: "other", Sealed: "third"}, {OwnerID: "dst_1", Field: "signing_key", Sealed: "fourth"}},
		must[[]store.Credential](s)(store.ListCredentials(ctx, s.Read())))
	s.write(func(ctx context.Context, tx *store.Tx) error { return store.DeleteCredentials(ctx, tx, "con_1") })
	_, err = store.GetCredential(ctx, s.Read(), "con_1", "other")
	s.notFound("a deleted credential", err)
	s.equal("another owner's", "fourth", must[string](s)(store.GetCredential(ctx, s.Read(), "dst_1", "signing_key")))
}

func checkpoints(s *suite) {
	ctx := s.Context()
	key := func(stream, lane, slice string) store.CheckpointKey {
		return store.CheckpointKey{ConnectionID: "con_1", Stream: stream, Lane: lane, Slice: slice}
	}
	put := func(c store.Checkpoint) store.Checkpoint {
		s.write(func(ctx context.Context, tx *store.Tx) error { return store.PutCheckpoint(ctx, tx, c) })
		c.UpdatedAt = s.now.Truncate(time.Microsecond)
		return c
	}
	_, err := store.GetCheckpoint(ctx, s.Read(), key("chats", store.LaneLive, "live"))
	s.notFound("GetCheckpoint", err)
	live := put(store.Checkpoint{CheckpointKey: key("chats", store.LaneLive, "live"), Cursor: `{"after":"a"}`, WatermarkAt: stored, Pages: 1})
	old := put(store.Checkpoint{CheckpointKey: key("chats", store.LaneBackfill, "2026-02-01"), Cursor: "x", Done: true})
	newer := put(store.Checkpoint{CheckpointKey: key("chats", store.LaneBackfill, "2026-02-02"), Failures: 2, Error: "OB-2017"})
	other := put(store.Checkpoint{CheckpointKey: key("activities", store.LaneLive, "live")})
	elsewhere := store.Checkpoint{CheckpointKey: key("chats", store.LaneLive, "live")}
	elsewhere.ConnectionID = "con_2"
	put(elsewhere)

	s.now = start.Add(time.Minute)
	live.Cursor, live.Pages = `{"after":"b"}`, 2
	live = put(live)
	s.equal("GetCheckpoint", live, must[store.Checkpoint](s)(store.GetCheckpoint(ctx, s.Read(), live.CheckpointKey)))
	s.equal("ListCheckpoints", []store.Checkpoint{other, newer, old, live}, must[[]store.Checkpoint](s)(store.ListCheckpoints(ctx, s.Read(), "con_1")))
}
