package workflows

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/policy"
	"github.com/outband/outband/findings"
)

func TestAFindingSaysWhy(t *testing.T) {
	b := newBench(t)
	b.app.chat("chat_1", testDay.Add(2*time.Minute), leaking)
	b.now = testDay.Add(3 * time.Minute)
	check(t, b.live("chats"))
	rows, err := b.DB.Read().QueryContext(t.Context(), `SELECT f.policy_id, f.policy_version, f.explanation, i.explanation, i.confidence, i.detector FROM findings f JOIN instances i ON i.finding_id = f.id`)
	check(t, err)
	n := 0
	check(t, findings.Each(rows, func() error {
		var policyID, finding, instance, detector string
		var version int
		var confidence float64
		if err := rows.Scan(&policyID, &version, &finding, &instance, &confidence, &detector); err != nil {
			return err
		}
		n++
		why, err := findings.DecodeWhy(finding)
		if err != nil || why == nil || why.PolicyVersion != version || len(why.Asked) == 0 || len(finding) > findings.MaxExplanation {
			t.Errorf("%s: %s, %v", policyID, finding, err)
		}
		match, err := dlp.DecodeWhy(instance)
		if err != nil || match == nil || match.DetectorVersion == "" || len(instance) > dlp.MaxWhy {
			t.Errorf("%s: %s, %v", detector, instance, err)
			return nil
		}
		sum := 0.0
		for _, s := range match.Steps {
			sum += s.Delta
		}
		if math.Abs(sum-confidence) > 1e-9 {
			t.Errorf("%s: the steps %v sum to %v, and the confidence is %v", detector, match.Steps, sum, confidence)
		}
		return nil
	}))
	if n == 0 {
		t.Error("nothing was found")
	}
}

func TestAStoredFileKeepsWhy(t *testing.T) {
	u := &unit{}
	u.add([]dlp.Match{{Detector: "financial.card", Base: 0.65, Marks: 3, Confidence: 0.95}}, "file", "", testDay)
	u.add([]dlp.Match{{Detector: "contact.email", Base: 0.6, Confidence: 0.6, Encoding: []string{"base64", "gzip"}}}, "file", "", testDay)
	text, err := u.encode(func(s string) string { return s })
	check(t, err)
	back, err := decodeUnit(testDay, text)
	check(t, err)
	if back.matches[0].Base != 0.65 || back.matches[0].Marks != 3 || !slices.Equal(back.textOf(), []int{1, 2}) || !slices.Equal(back.matches[1].Encoding, u.matches[1].Encoding) {
		t.Errorf("came back as %+v in the texts %v", back.matches, back.textOf())
	}
}

func TestWordsOfTheSourceAreMaskedInWhatWasAsked(t *testing.T) {
	b := newBench(t)
	d := policy.Decision{Asked: []policy.Asked{{Name: "kind", Value: "message"}, {Name: `field("x")`, Value: "4111 1111 1111 1111"}}}
	got := b.asked(d)
	if got[0].Value != "message" || got[1].Value == d.Asked[1].Value {
		t.Errorf("asked %v", got)
	}
}
