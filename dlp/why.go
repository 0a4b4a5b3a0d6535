package dlp

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Marks say what changed the confidence of a match.
type Marks uint8

const (
	markCheck    Marks = 1 << iota // the validator passed
	markContext                    // words of the detector stood near
	markNegative                   // a word against it stood near
	markWeak                       // the value has a part that makes it less sensitive
)

// Names of the steps by which a confidence is made. Their deltas sum to the confidence.
const (
	stepBase     = "base"
	stepCheck    = "check"
	stepContext  = "context"
	stepNegative = "negative"
	stepWeak     = "weak"
	stepCap      = "cap" // what is over the most that there is, and what rounding to hundredths moves
)

var stepNotes = map[string]string{
	stepBase:     "what the form of the value alone is worth",
	stepCheck:    "the check of the value passed",
	stepContext:  "words of the detector stand near",
	stepNegative: "a word that speaks against it stands near",
	stepWeak:     "a part of the value makes it less sensitive",
	stepCap:      "no match is surer than 0.99, and hundredths are kept",
}

// Summand is one summand of a confidence.
type Summand struct {
	Step  string  `json:"step"`
	Delta float64 `json:"delta"`
	Note  string  `json:"note"`
}

// Why says why a match was found, without any of its text.
type Why struct {
	DetectorVersion string    `json:"detector_version"` // digest of the detector's definition, then the version of the engine
	Steps           []Summand `json:"steps"`            // their deltas sum to the confidence
	Checks          []string  `json:"checks"`           // that the value passed: the validator's name, the entropy asked for
	Also            []string  `json:"also"`             // detectors that found something in the same place and lost to this one
	Encoding        []string  `json:"encoding"`         // as in Match; none where it was read as it stands
}

// MaxWhy bounds the stored form of a Why, in bytes.
const MaxWhy = 300

// Why explains a match that this engine found. Of a detector that the engine does not have nothing is known but the sum.
func (e *Engine) Why(m Match) Why {
	out := Why{Steps: []Summand{}, Checks: []string{}, Also: slices.Clone(m.Also)}
	if out.Also == nil {
		out.Also = []string{}
	}
	out.Encoding = append([]string{}, m.Encoding...)
	sum := 0.0
	step := func(name string, delta float64) {
		if delta = math.Round(delta*1000) / 1000; delta != 0 {
			sum += delta
			out.Steps = append(out.Steps, Summand{name, delta, stepNotes[name]})
		}
	}
	step(stepBase, m.Base)
	if r := e.byID[m.Detector]; r != nil {
		out.DetectorVersion = r.version() + "." + engineVersion
		if m.Marks&markCheck != 0 {
			step(stepCheck, r.validator.Weight)
			out.Checks = append(out.Checks, r.validator.Name)
		}
		if r.Entropy > 0 {
			out.Checks = append(out.Checks, fmt.Sprintf("entropy>=%g", r.Entropy))
		}
		if m.Marks&markContext != 0 {
			step(stepContext, r.ContextWeight)
		}
	}
	if m.Marks&markNegative != 0 {
		step(stepNegative, -negativeWeight)
	}
	if m.Marks&markWeak != 0 {
		step(stepWeak, -weakWeight)
	}
	step(stepCap, m.Confidence-sum)
	return out
}

// digest names the definition of the detector and what it looks up: 12 hexadecimal digits.
func (r *rule) digest() string {
	b, err := r.decides()
	if err != nil {
		return "" // It was written when the engine was made.
	}
	sum := sha256.Sum256(append(b, r.stored()...))
	return hex.EncodeToString(sum[:6])
}

// storedWhy is the short form of a Why: steps are "base=0.5 check=0.2".
type storedWhy struct {
	Version string   `json:"v"`
	Steps   string   `json:"s"`
	Checks  []string `json:"c,omitempty"`
	Also    []string `json:"o,omitempty"`
	Decoded []string `json:"d,omitempty"`
}

// Encode is the form in which a Why is stored: at most MaxWhy bytes, for which the last of Also are left out.
func (w Why) Encode() string {
	s := storedWhy{Version: w.DetectorVersion, Checks: w.Checks, Also: w.Also, Decoded: w.Encoding}
	var steps []string
	for _, x := range w.Steps {
		steps = append(steps, x.Step+"="+strconv.FormatFloat(x.Delta, 'f', -1, 64))
	}
	s.Steps = strings.Join(steps, " ")
	for {
		b, err := json.Marshal(s)
		if err == nil && len(b) <= MaxWhy {
			return string(b)
		}
		if len(s.Also) == 0 {
			return ""
		}
		s.Also = s.Also[:len(s.Also)-1]
	}
}

// DecodeWhy reads what Encode wrote. The empty text is a match of which nothing was kept: nil.
func DecodeWhy(text string) (*Why, error) {
	if text == "" {
		return nil, nil
	}
	var s storedWhy
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return nil, fmt.Errorf("decode an explanation of %d bytes: %w", len(text), err)
	}
	out := &Why{DetectorVersion: s.Version, Steps: []Summand{}, Checks: append([]string{}, s.Checks...), Also: append([]string{}, s.Also...), Encoding: append([]string{}, s.Decoded...)}
	for word := range strings.FieldsSeq(s.Steps) {
		name, number, _ := strings.Cut(word, "=")
		delta, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return nil, fmt.Errorf("decode an explanation of %d bytes: a step is no number", len(text))
		}
		out.Steps = append(out.Steps, Summand{name, delta, stepNotes[name]})
	}
	return out, nil
}
