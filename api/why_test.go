package api

import (
	"context"
	"testing"

	"github.com/outband/outband/dlp/policy"
)

func TestAFindingSaysWhyAsLongAsItsPolicyIsTheSame(t *testing.T) {
	k := newKit(t, Configuration{})
	id := k.find(k.connect(k.token(RoleAdmin)), 1)[0]
	analyst := k.token(RoleAnalyst)
	why := func() map[string]any {
		t.Helper()
		return k.do(analyst, "GET", "/api/v1/findings/"+id, "").want(200).object()["why"].(map[string]any)
	}
	if got := why(); got["expression"] != "true" || got["policy_version"] != 1.0 {
		t.Errorf("why is %v", got)
	}
	ours, err := k.policies(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range ours {
		p := *ours[i].Policy
		p.Version, p.When = 2, "kind == \"message\""
		ours[i].Policy = &p
	}
	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) { return ours, nil }
	if got := why(); got["expression"] != nil || got["policy_version"] != 1.0 {
		t.Errorf("of another version of the policy it is %v", got)
	}
	k.api.d.Policies = func(context.Context) ([]policy.Effective, error) { return nil, nil }
	if got := why(); got["expression"] != nil {
		t.Errorf("without the policy it is %v", got)
	}
	for _, f := range k.do(analyst, "GET", "/api/v1/findings", "").want(200).items() {
		if f.(map[string]any)["why"] != nil {
			t.Error("a list says why")
		}
	}
}
