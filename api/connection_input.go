package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// Bounds of a schedule, and the history that is read when a new connection does not say.
const (
	minEvery        = time.Minute
	maxEvery        = 24 * time.Hour
	defaultEvery    = time.Minute
	slowEvery       = 5 * time.Minute // by default where the app's limits are narrow
	defaultBackfill = 30 * 24 * time.Hour
	maxSecret       = 2048 // bytes, where the manifest does not say
)

// settings reads config from JSON values and checks it against the manifest and against what may be called. A null takes the default.
func (a *API) settings(m *connectors.Manifest, in map[string]any) (map[string]string, []problem.Field) {
	var wrong []problem.Field
	text := map[string]string{}
	for name, v := range in {
		s, ok := plainValue(v)
		if !ok {
			wrong = append(wrong, problem.Field{Location: problem.Place("body.config." + name), Message: "The value is neither a string nor a number nor a boolean."})
			continue
		}
		text[name] = s
	}
	if len(wrong) > 0 {
		return nil, wrong
	}
	config, err := m.CheckConfig(text)
	for _, e := range fieldErrors(err) {
		wrong = append(wrong, problem.Field{Location: problem.Place("body.config." + e.Field), Message: e.Message})
	}
	if len(wrong) > 0 {
		slices.SortFunc(wrong, func(x, y problem.Field) int { return strings.Compare(x.Location, y.Location) })
		return nil, wrong
	}
	if err := a.d.CheckURL(config[connectors.ConfigBaseURL]); err != nil {
		// Invariant 10: an address that may not be called is not even saved.
		return nil, []problem.Field{{Location: "body.config." + connectors.ConfigBaseURL, Message: err.Error()}}
	}
	return config, nil
}

// plainValue is the text of a JSON string, number or boolean; null is the empty one.
func plainValue(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10), true
		}
		return strconv.FormatFloat(v, 'g', -1, 64), true
	}
	return "", false
}

// fieldErrors takes the joined error of CheckConfig apart.
func fieldErrors(err error) (out []*connectors.FieldError) {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, fieldErrors(e)...)
		}
		return out
	}
	var e *connectors.FieldError
	if errors.As(err, &e) {
		return []*connectors.FieldError{e}
	}
	return []*connectors.FieldError{{Field: "?", Message: "The settings cannot be used."}}
}

// credentials wraps secrets and checks them against the manifest. With have, a secret that is not given is one that is stored already.
func credentials(m *connectors.Manifest, in map[string]string, have bool) (map[string]secret.Value, []problem.Field) {
	var wrong []problem.Field
	out := map[string]secret.Value{}
	known := map[string]bool{}
	for _, f := range m.Secrets {
		known[f.ID] = true
		// Keys are pasted: the spaces and the line end around them are not part of them.
		v := strings.TrimSpace(in[f.ID])
		limit := f.MaxLength
		if limit == 0 {
			limit = maxSecret
		}
		_, given := in[f.ID]
		switch {
		case v == "" && (f.Required && !have || given):
			wrong = append(wrong, problem.Field{Location: "body.secrets." + f.ID, Message: "A value is needed."})
		case len(v) > limit:
			wrong = append(wrong, problem.Field{Location: "body.secrets." + f.ID, Message: fmt.Sprintf("The value is longer than %d bytes.", limit)})
		case strings.ContainsFunc(v, func(r rune) bool { return r < 0x21 || r > 0x7e }):
			wrong = append(wrong, problem.Field{Location: "body.secrets." + f.ID, Message: "The value has a space or a character outside of ASCII. Copy it again."})
		case v != "":
			out[f.ID] = secret.NewValue(v)
		}
	}
	for name := range in {
		if !known[name] {
			wrong = append(wrong, problem.Field{Location: problem.Place("body.secrets." + name), Message: "There is no such secret."})
		}
	}
	return out, wrong
}

// usualEvery is how often new content is looked for unless the admin says: each minute, since what its user deletes before that is never seen; less often
// where looking alone would take more than a tenth of the calls that the connection may make.
func usualEvery(m *connectors.Manifest, config map[string]string) time.Duration {
	looks := 0
	for _, s := range m.Streams {
		if s.Every == 0 {
			looks++
		}
	}
	if 10*looks > m.RequestsPerMinute(config) {
		return slowEvery
	}
	return defaultEvery
}

// interval reads a schedule; usual is the one where none is given.
func interval(s *Schedule, usual time.Duration) (time.Duration, []problem.Field) {
	if s == nil {
		return usual, nil
	}
	d, err := time.ParseDuration(s.Every)
	if err != nil || d < minEvery || d > maxEvery {
		return 0, []problem.Field{{Location: "body.schedule.every", Message: "The value is not a duration from 1m to 24h, such as 5m."}}
	}
	return d.Truncate(time.Second), nil
}

// backfill reads how far back history is read.
func backfill(in Optional[string], now time.Time) (time.Time, []problem.Field) {
	switch {
	case !in.Set:
		return now.Add(-defaultBackfill), nil
	case in.Null:
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, in.Value)
	if err != nil || t.After(now) || t.Year() < 1970 {
		return time.Time{}, []problem.Field{{Location: "body.backfill_from", Message: "The value is not a past time such as 2026-01-31T00:00:00Z, nor null."}}
	}
	return t.UTC(), nil
}

// name checks a name that a person gives.
func name(s string) []problem.Field {
	if s != strings.TrimSpace(s) || strings.ContainsFunc(s, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return []problem.Field{{Location: "body.name", Message: "The name begins or ends with a space or holds a control character."}}
	}
	return nil
}

// runTest tests a key and settings, and shows each step as it ends if show is not nil. A failed test is an error of type *connectors.Error or a
// failure of ours.
func (a *API) runTest(ctx context.Context, c store.Connection, secrets map[string]secret.Value, show func(connectors.Step)) (connectors.Account, []connectors.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.TestTimeout)
	defer cancel()
	steps := []connectors.Step{}
	account, err := a.d.TestConnection(ctx, c, secrets, func(s connectors.Step) {
		steps = append(steps, s)
		if show != nil {
			show(s)
		}
	})
	return account, steps, err
}

// testProblem is the answer to a save whose test failed: the code and sentence of the step that failed.
func testProblem(steps []connectors.Step, err error) error {
	var e *connectors.Error
	if errors.As(err, &e) && e.Code != "" && e.Message != "" {
		return problem.New(http.StatusUnprocessableEntity, e.Code, e.Message)
	}
	for _, s := range slices.Backward(steps) {
		if s.State == "failed" && s.Code != "" {
			return problem.New(http.StatusUnprocessableEntity, s.Code, s.Message)
		}
	}
	if errors.As(err, &e) || errors.Is(err, context.DeadlineExceeded) {
		return problem.New(http.StatusUnprocessableEntity, problem.CodeTestFailed, "The connection could not be tested. Check the key and the base URL, then try again.")
	}
	return err
}
