package findings

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/internal/store"
)

// PolicyWhy says by what a policy made a finding, or last changed it: the version that was asked, and what its expression asked for.
type PolicyWhy struct {
	PolicyVersion int            `json:"policy_version"`
	Expression    string         `json:"expression,omitempty"` // of that version; empty where it is no longer known
	Asked         []policy.Asked `json:"asked"`
}

// MaxExplanation bounds what is stored of a PolicyWhy, in bytes.
const MaxExplanation = 1 << 10

// storedWhy is the form in which a PolicyWhy is stored.
type storedWhy struct {
	Version int         `json:"v"`
	Asked   [][2]string `json:"a"`
}

// explain stores by what the newest detection of a finding was made.
func explain(ctx context.Context, tx *store.Tx, findingID string, d Detection) error {
	text, err := encodeExplanation(d)
	if err != nil {
		return fmt.Errorf("explain finding %s: %w", findingID, err)
	}
	if _, err := tx.ExecContext(ctx, `UPDATE findings SET explanation = $1 WHERE workspace_id = $2 AND id = $3`, text, store.Workspace, findingID); err != nil {
		return fmt.Errorf("explain finding %s: %w", findingID, err)
	}
	return nil
}

func encodeExplanation(d Detection) (string, error) {
	s := storedWhy{Version: d.PolicyVersion, Asked: [][2]string{}}
	for _, a := range d.Asked {
		s.Asked = append(s.Asked, [2]string{clean(a.Name, maxTitle), clean(a.Value, 64)})
	}
	text, err := encodeJSON(s)
	for err == nil && len(text) > MaxExplanation {
		s.Asked = s.Asked[:len(s.Asked)-1]
		text, err = encodeJSON(s)
	}
	return string(text), err
}

// DecodeWhy reads the column explanation. A finding that was made before this was kept has none: nil.
func DecodeWhy(text string) (*PolicyWhy, error) {
	if text == "" {
		return nil, nil
	}
	var s storedWhy
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("decode an explanation of %d bytes: %w", len(text), err)
	}
	out := &PolicyWhy{PolicyVersion: s.Version, Asked: []policy.Asked{}}
	for _, a := range s.Asked {
		out.Asked = append(out.Asked, policy.Asked{Name: a[0], Value: a[1]})
	}
	return out, nil
}
