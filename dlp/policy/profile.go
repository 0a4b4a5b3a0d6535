package policy

import (
	"slices"
	"strings"

	"github.com/google/cel-go/common"
	"github.com/google/cel-go/common/ast"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/parser"

	"github.com/outband/outband/dlp"
)

// known are the profiles that policies may ask for.
func known(profiles []dlp.Profile) ([]dlp.Profile, error) {
	if len(profiles) > 0 {
		return profiles, nil
	}
	return dlp.Profiles()
}

func profileMacro(eh parser.ExprHelper, _ ast.Expr, args []ast.Expr) (ast.Expr, *common.Error) {
	// Only of a literal does the compiler know which profile it is, and which matches belong to the finding.
	if _, failed := textLiteral(eh, args[0], "profile() takes the id of a profile as a text literal"); failed != nil {
		return nil, failed
	}
	return eh.NewCall(fnProfile, eh.NewIdent(varUnit), args[0]), nil
}

// ask notes the profile that the expression asks for at this place.
func (p *program) ask(at ast.Expr, profiles []dlp.Profile) error {
	id, _ := literal(at).(types.String) // The macro admits nothing but a literal.
	found := chosen(profiles, string(id))
	if found == nil {
		ids := make([]string, len(profiles))
		for i := range profiles {
			ids[i] = profiles[i].ID
		}
		slices.Sort(ids)
		return p.policy.fault(p.at(at.ID()), ErrInvalid, "there is no profile %q; there are %s", string(id), strings.Join(ids, ", "))
	}
	if chosen(p.profiles, found.ID) != nil {
		return nil
	}
	p.profiles = append(p.profiles, *found)
	builtIn, err := dlp.Profiles()
	if err != nil {
		return err
	}
	if own := chosen(builtIn, found.ID); own != nil {
		found = own
	}
	p.shipped = append(p.shipped, *found)
	return nil
}

func chosen(profiles []dlp.Profile, id string) *dlp.Profile {
	for i := range profiles {
		if profiles[i].ID == id {
			return &profiles[i]
		}
	}
	return nil
}

// digests are the profiles of all its expressions with what they decide.
func (p *program) digests() map[string]string {
	out := map[string]string{}
	for _, at := range []*program{p, p.grades, p.closing} {
		if at == nil {
			continue
		}
		for i := range at.profiles {
			out[at.profiles[i].ID] = at.profiles[i].Digest()
		}
	}
	return out
}

// meetsProfile is profile("x"): the unit's matches meet the thresholds of the profile.
func meetsProfile(u *unit, args []ref.Val) ref.Val {
	id, ok := args[0].(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(args[0])
	}
	from := u.prog.profiles
	if u.shipped {
		from = u.prog.shipped
	}
	p := chosen(from, string(id))
	return types.Bool(p != nil && len(p.Meets(u.in.Matches, u.in.Texts)) > 0)
}
