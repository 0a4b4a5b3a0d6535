package workflows

import (
	"context"
	"slices"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/store"
)

// Profiles returns the profiles in force: the built-in ones, and those that authors made, which stand in the place of a built-in one of the same id. One that
// an upgrade made unreadable is left out, so that what was shipped, if anything was, is in force in its place.
func Profiles(ctx context.Context, q store.Querier) ([]dlp.Profile, error) {
	stored, err := store.Profiles(ctx, q)
	if err != nil {
		return nil, err
	}
	return profilesWith(stored)
}

func profilesWith(stored []store.Profile) ([]dlp.Profile, error) {
	out, err := dlp.Profiles()
	if err != nil {
		return nil, err
	}
	for _, s := range stored {
		if s.Removed {
			continue
		}
		p, err := dlp.ParseProfile(s.ID, []byte(s.YAML))
		if err != nil || p.ID != s.ID {
			continue
		}
		if i := slices.IndexFunc(out, func(have dlp.Profile) bool { return have.ID == p.ID }); i >= 0 {
			out[i] = p
			continue
		}
		out = append(out, p)
	}
	return out, nil
}
