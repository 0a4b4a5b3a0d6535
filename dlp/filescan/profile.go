package filescan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/outband/outband/dlp"
)

// chooseProfile returns the profile that the command names.
func chooseProfile(cfg Configuration, detectors []dlp.Detector) (dlp.Profile, error) {
	profiles, err := dlp.Profiles()
	if err != nil {
		return dlp.Profile{}, err
	}
	if cfg.ProfileFile != "" {
		data, err := readFile(cfg.ProfileFile)
		if err != nil {
			return dlp.Profile{}, err
		}
		ids := make([]string, len(detectors))
		for i, d := range detectors {
			ids[i] = d.ID
		}
		own, err := dlp.ParseProfiles(cfg.ProfileFile, data, ids)
		if err != nil {
			return dlp.Profile{}, err
		}
		if cfg.Profile == "" && len(own) > 1 {
			return dlp.Profile{}, fmt.Errorf("%s has %d profiles; choose one with --profile: %s", cfg.ProfileFile, len(own), profileIDs(own))
		}
		if cfg.Profile == "" {
			cfg.Profile = own[0].ID
		}
		profiles = append(own, profiles...)
	}
	if cfg.Profile == "" {
		cfg.Profile = "all"
	}
	at := slices.IndexFunc(profiles, func(p dlp.Profile) bool { return p.ID == cfg.Profile })
	if at < 0 {
		return dlp.Profile{}, fmt.Errorf("unknown profile %q; known are %s", cfg.Profile, profileIDs(profiles))
	}
	return profiles[at], nil
}

func profileIDs(profiles []dlp.Profile) string {
	names := make([]string, len(profiles))
	for i, p := range profiles {
		names[i] = p.ID
	}
	return strings.Join(slices.Compact(names), ", ")
}
