package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
	"github.com/outband/outband/workflows"
)

// ProfileDefinition is what an author writes of a profile. A threshold that is 0 asks for nothing.
type ProfileDefinition struct {
	Title         string         `json:"title" minLength:"1" maxLength:"200"`
	Description   string         `json:"description" maxLength:"2000"`
	Detectors     []string       `json:"detectors" minItems:"1" maxItems:"64" doc:"Globs of detector ids."`
	Except        []string       `json:"except" maxItems:"64" doc:"Globs of detector ids that are left out."`
	Groups        []ProfileGroup `json:"groups" maxItems:"16" doc:"Detectors that count as one kind. The first group that names a detector has it; a detector in none is a kind of its own."`
	AllOf         []string       `json:"all_of" maxItems:"16" doc:"Ids of groups of each of which there is a match."`
	MinConfidence float64        `json:"min_confidence" minimum:"0" maximum:"1" doc:"Matches below are not counted."`
	MinMatches    int            `json:"min_matches" minimum:"0" maximum:"1000"`
	MinDistinct   int            `json:"min_distinct" minimum:"0" maximum:"1000" doc:"Different values."`
	MinKinds      int            `json:"min_kinds" minimum:"0" maximum:"1000" doc:"Different kinds: groups, and detectors that are in none."`
	Within        int            `json:"within" minimum:"0" maximum:"1000000" doc:"Bytes of one text in which all that is counted stands, at least 16; 0: anywhere in the unit."`
}

// ProfileGroup are detectors that count as one kind.
type ProfileGroup struct {
	ID        string   `json:"id" minLength:"1" maxLength:"40"`
	Detectors []string `json:"detectors" minItems:"1" maxItems:"64" doc:"Globs of detector ids."`
}

// Profile is a named set of detectors with thresholds.
type Profile struct {
	ID string `json:"id"`
	ProfileDefinition
	Version  int64    `json:"version" doc:"The newest that an author made, also one that removed it; 0: none. What expected_version is compared to."`
	Source   string   `json:"source" enum:"built-in,changed,custom" doc:"Comes with Outband; comes with Outband and was changed; was made here."`
	Selected int      `json:"selected" doc:"How many detectors its globs name."`
	UsedBy   []string `json:"used_by" doc:"Policies that ask for it, by id."`
	YAML     string   `json:"yaml" doc:"The same as a file holds it."`
}

// ProfileVersion is one version of a profile.
type ProfileVersion struct {
	Version int64     `json:"version"`
	YAML    string    `json:"yaml" doc:"Empty where it was removed."`
	Removed bool      `json:"removed" doc:"This version removed the profile, or brought the built-in one back."`
	At      time.Time `json:"at"`
	By      string    `json:"by" doc:"Id of the user or token."`
}

const sourceChanged = "changed"

// definition is the form of a profile that programs read; lists are never null.
func definition(p dlp.Profile) ProfileDefinition {
	groups := make([]ProfileGroup, 0, len(p.Groups))
	for _, g := range p.Groups {
		groups = append(groups, ProfileGroup{g.ID, some(g.Detectors)})
	}
	return ProfileDefinition{
		p.Title, p.Description, some(p.Detectors), some(p.Except), groups, some(p.AllOf), p.MinConfidence, p.MinMatches, p.MinDistinct, p.MinKinds, p.Within,
	}
}

func (d ProfileDefinition) profile(id string) dlp.Profile {
	p := dlp.Profile{
		ID: id, Title: d.Title, Description: d.Description, Detectors: d.Detectors, Except: d.Except, AllOf: d.AllOf, MinConfidence: d.MinConfidence, MinMatches: d.MinMatches,
		MinDistinct: d.MinDistinct, MinKinds: d.MinKinds, Within: d.Within,
	}
	for _, g := range d.Groups {
		p.Groups = append(p.Groups, dlp.Group{ID: g.ID, Detectors: g.Detectors})
	}
	return p
}

// profiles are those in force, in the order of their ids.
func (a *API) profiles(ctx context.Context) ([]Profile, error) {
	inForce, err := workflows.Profiles(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	stored, err := store.Profiles(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	builtIn, err := dlp.Profiles()
	if err != nil {
		return nil, err
	}
	policies, err := a.d.Policies(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Profile, 0, len(inForce))
	for _, p := range inForce {
		text, err := p.YAML()
		if err != nil {
			return nil, err
		}
		x := Profile{ID: p.ID, ProfileDefinition: definition(p), Source: sourceCustom, UsedBy: usersOf(policies, p.ID), YAML: string(text)}
		own := slices.IndexFunc(stored, func(s store.Profile) bool { return s.ID == p.ID })
		if own >= 0 {
			x.Version = stored[own].Version
		}
		if slices.ContainsFunc(builtIn, func(b dlp.Profile) bool { return b.ID == p.ID }) {
			x.Source = sourceBuiltIn
			if own >= 0 && !stored[own].Removed {
				x.Source = sourceChanged
			}
		}
		for _, id := range a.d.Detectors.IDs() {
			if p.Has(id) {
				x.Selected++
			}
		}
		out = append(out, x)
	}
	slices.SortFunc(out, func(x, y Profile) int { return strings.Compare(x.ID, y.ID) })
	return out, nil
}

func usersOf(policies []policy.Effective, profile string) []string {
	out := []string{}
	for _, e := range policies {
		if e.Profiles[profile] != "" {
			out = append(out, e.Policy.ID)
		}
	}
	slices.Sort(out)
	return out
}

func (a *API) listProfiles(ctx context.Context, in *ListInput) (*ListOutput[Profile], error) {
	all, err := a.profiles(ctx)
	if err != nil {
		return nil, err
	}
	return paginate("profiles", all, func(p Profile) string { return p.ID }, *in)
}

func (a *API) getProfile(ctx context.Context, in *IDInput) (*Output[Profile], error) {
	all, err := a.profiles(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if p.ID == in.ID {
			return &Output[Profile]{p}, nil
		}
	}
	return nil, fmt.Errorf("profile: %w", store.ErrNotFound)
}

func (a *API) profileVersions(ctx context.Context, in *IDInput) (*ListOutput[ProfileVersion], error) {
	const newest = 100
	versions, err := store.ProfileVersions(ctx, a.d.DB.Read(), in.ID, newest)
	if err != nil {
		return nil, err
	}
	out := make([]ProfileVersion, 0, len(versions))
	for _, v := range versions {
		out = append(out, ProfileVersion{v.Version, v.YAML, v.Removed, v.At, v.By})
	}
	return listed(out, ""), nil
}

// CheckProfileInput is a profile that is not saved.
type CheckProfileInput struct {
	Body struct {
		ID string `json:"id" minLength:"1" maxLength:"40"`
		ProfileDefinition
	}
}

// ProfileCheck is what saving would say.
type ProfileCheck struct {
	Problems []problem.Field `json:"problems" doc:"None: it can be saved."`
	Selected int             `json:"selected" doc:"How many detectors its globs name."`
	YAML     string          `json:"yaml" doc:"The same as a file holds it."`
}

func (a *API) checkProfile(ctx context.Context, in *CheckProfileInput) (*Output[ProfileCheck], error) {
	p := in.Body.profile(in.Body.ID)
	wrong, err := a.profileProblems(ctx, p)
	if err != nil {
		return nil, err
	}
	text, err := p.YAML()
	if err != nil {
		return nil, err
	}
	out := ProfileCheck{Problems: some(wrong), YAML: string(text)}
	for _, id := range a.d.Detectors.IDs() {
		if p.Has(id) {
			out.Selected++
		}
	}
	return &Output[ProfileCheck]{out}, nil
}

// profileProblems is what is wrong with a profile: by itself, and for the tests of the policies that ask for it.
func (a *API) profileProblems(ctx context.Context, p dlp.Profile) ([]problem.Field, error) {
	var out []problem.Field
	for _, wrong := range p.Check(a.d.Detectors.IDs()) {
		out = append(out, problem.Field{Location: "body." + indexed(wrong.Field), Message: wrong.Reason})
	}
	if len(out) > 0 {
		return out, nil
	}
	inForce, err := workflows.Profiles(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	return a.redTests(ctx, p.ID, append(without(inForce, p.ID), p))
}

// indexed writes a place as problems do: groups[0].detectors[1].
func indexed(field string) string {
	var out strings.Builder
	for i, part := range strings.Split(field, ".") {
		switch {
		case part[0] >= '0' && part[0] <= '9':
			out.WriteString("[" + part + "]")
		case i > 0:
			out.WriteString("." + part)
		default:
			out.WriteString(part)
		}
	}
	return out.String()
}

func without(profiles []dlp.Profile, id string) []dlp.Profile {
	return slices.DeleteFunc(profiles, func(p dlp.Profile) bool { return p.ID == id })
}

// redTests are the tests that would fail with these profiles, of the policies that ask for this one. Those of built-in policies hold the profiles as they
// are shipped.
func (a *API) redTests(ctx context.Context, id string, profiles []dlp.Profile) ([]problem.Field, error) {
	policies, err := a.d.Policies(ctx)
	if err != nil {
		return nil, err
	}
	var out []problem.Field
	for _, e := range policies {
		if e.Profiles[id] == "" || a.builtIn[e.Policy.ID] {
			continue
		}
		results, err := policy.RunTests(e.Policy, nil, profiles...)
		if err != nil {
			out = append(out, problem.Field{Location: "body", Message: "The policy " + e.Policy.ID + " would no longer compile."})
		}
		for _, r := range results {
			if !r.Passed {
				out = append(out, problem.Field{Location: "body", Message: fmt.Sprintf("The test %q of the policy %s would give %s.", r.Name, e.Policy.ID, r.Got)})
			}
		}
	}
	return out, nil
}

// CreateProfileInput is a new profile.
type CreateProfileInput struct{ CheckProfileInput }

func (a *API) createProfile(ctx context.Context, in *CreateProfileInput) (*Output[Profile], error) {
	all, err := a.profiles(ctx)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(all, func(p Profile) bool { return p.ID == in.Body.ID }) {
		return nil, problem.New(http.StatusConflict, problem.CodeProfileChanged, "There is a profile with this id. Choose another id, or change that one.")
	}
	// One that was removed keeps its versions.
	versions, err := store.ProfileVersions(ctx, a.d.DB.Read(), in.Body.ID, 1)
	if err != nil {
		return nil, err
	}
	seen := int64(0)
	if len(versions) > 0 {
		seen = versions[0].Version
	}
	return a.saveProfile(ctx, "profile.create", seen, in.Body.profile(in.Body.ID))
}

// UpdateProfileInput puts a profile in the place of the one that the author has seen.
type UpdateProfileInput struct {
	IDInput
	Body struct {
		ProfileDefinition
		ExpectedVersion int64 `json:"expected_version" minimum:"0" doc:"The version that was changed; 0: the built-in profile, which no author has changed yet."`
	}
}

func (a *API) updateProfile(ctx context.Context, in *UpdateProfileInput) (*Output[Profile], error) {
	if _, err := a.getProfile(ctx, &in.IDInput); err != nil {
		return nil, err
	}
	return a.saveProfile(ctx, "profile.update", in.Body.ExpectedVersion, in.Body.profile(in.ID))
}

func (a *API) saveProfile(ctx context.Context, action string, seen int64, p dlp.Profile) (*Output[Profile], error) {
	wrong, err := a.profileProblems(ctx, p)
	if err != nil {
		return nil, err
	}
	if len(wrong) > 0 {
		return nil, problem.New(http.StatusUnprocessableEntity, problem.CodeProfile, "The profile cannot be saved. Correct what is listed and send it again.", wrong...)
	}
	text, err := p.YAML()
	if err != nil {
		return nil, err
	}
	if err := a.putProfile(ctx, action, seen, store.Profile{ID: p.ID, YAML: string(text), By: actor(ctx)}); err != nil {
		return nil, err
	}
	return a.getProfile(ctx, &IDInput{ID: p.ID})
}

// putProfile stores a version with its row in the audit log, and lets scans take it from now on.
func (a *API) putProfile(ctx context.Context, action string, seen int64, p store.Profile) error {
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		if err := store.SaveProfile(ctx, tx, seen, p); err != nil {
			return err
		}
		return audit(ctx, tx, action, p.ID, map[string]string{"version": fmt.Sprint(seen + 1)})
	})
	if errors.Is(err, store.ErrConflict) {
		return problem.New(http.StatusConflict, problem.CodeProfileChanged, "Somebody changed the profile meanwhile. Load it again and make the change on its newest version.")
	}
	if err != nil {
		return err
	}
	if err := a.d.PoliciesChanged(ctx); err != nil {
		return a.engineDown("object", p.ID, err)
	}
	return nil
}

// DeleteProfileInput names the version that is removed.
type DeleteProfileInput struct {
	IDInput
	ExpectedVersion int64 `query:"expected_version" minimum:"1" required:"true" doc:"The version that is removed."`
}

func (a *API) deleteProfile(ctx context.Context, in *DeleteProfileInput) error {
	have, err := a.getProfile(ctx, &in.IDInput)
	if err != nil {
		return err
	}
	inForce, err := workflows.Profiles(ctx, a.d.DB.Read())
	if err != nil {
		return err
	}
	switch have.Body.Source {
	case sourceBuiltIn:
		return problem.New(http.StatusConflict, problem.CodeProfileUsed, "The profile comes with Outband and was not changed: it cannot be removed. Change it, or leave it alone.")
	case sourceCustom:
		if len(have.Body.UsedBy) > 0 {
			return problem.New(http.StatusConflict, problem.CodeProfileUsed, "Policies ask for the profile: "+strings.Join(have.Body.UsedBy, ", ")+". Change or remove them first.")
		}
	default:
		builtIn, err := dlp.Profiles()
		if err != nil {
			return err
		}
		at := slices.IndexFunc(builtIn, func(p dlp.Profile) bool { return p.ID == in.ID })
		red, err := a.redTests(ctx, in.ID, append(without(inForce, in.ID), builtIn[at]))
		if err != nil {
			return err
		}
		if len(red) > 0 {
			return problem.New(http.StatusConflict, problem.CodeProfileUsed, "Tests of policies that ask for the profile would fail with the built-in one. Change those policies first.", red...)
		}
	}
	return a.putProfile(ctx, "profile.delete", in.ExpectedVersion, store.Profile{ID: in.ID, Removed: true, By: actor(ctx)})
}
