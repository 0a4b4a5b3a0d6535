package workflows

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// steps is an index whose steps end as the test says; after the last it is idle until its context ends.
type steps struct {
	answers []any // bool (more) or error
	n       int
	end     context.CancelFunc
}

func (s *steps) Step(context.Context, time.Duration) (bool, error) {
	s.n++
	if s.n > len(s.answers) {
		if s.end != nil {
			s.end()
		}
		return false, nil
	}
	if err, ok := s.answers[s.n-1].(error); ok {
		return false, err
	}
	return s.answers[s.n-1].(bool), nil
}

func TestIndexSomeLoopsUntilItsTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &steps{answers: []any{true, true, true}}
		a := NewActivities(Dependencies{Index: s, Log: slog.New(slog.DiscardHandler)})
		start := time.Now()
		stopped, err := a.IndexSome(t.Context())
		if err != nil || stopped || time.Since(start) < indexFor || time.Since(start) > indexFor+indexIdle {
			t.Errorf("after %v: %v, %v", time.Since(start), stopped, err)
		}
		if want := 3 + int(indexFor/indexIdle); s.n < want || s.n > want+1 {
			t.Errorf("%d steps, want %d", s.n, want)
		}
	})
}

func TestAnIndexThatFailsIsTriedAgainAndLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	down := errors.New("connection refused")
	refused := fmt.Errorf("status 401: %w", ErrIndexRefused)
	s := &steps{answers: []any{down, down, refused, refused, down, true, true, down}, end: cancel}
	a := NewActivities(Dependencies{Index: s, Log: slog.New(slog.NewTextHandler(&log, nil))})
	for i, want := range []struct {
		code  string
		delay time.Duration
	}{{"OB-3011", 0}, {"OB-3011", 0}, {"OB-3012", indexRefused}, {"OB-3012", indexRefused}, {"OB-3011", 0}, {"OB-3011", 0}} {
		_, err := a.IndexSome(ctx)
		var app *temporal.ApplicationError
		if !errors.As(err, &app) || app.NonRetryable() || app.NextRetryDelay() != want.delay || failureOf(err).Code != want.code {
			t.Errorf("try %d: %v", i, err)
		}
	}
	if _, err := a.IndexSome(ctx); failureOf(err).Code != "OB-3001" {
		t.Errorf("a worker that stops: %v", err)
	}
	var codes []string
	for line := range strings.Lines(log.String()) {
		code := "up"
		if _, after, ok := strings.Cut(line, "code="); ok {
			code = after[:7]
		}
		codes = append(codes, code)
	}
	if got := strings.Join(codes, " "); got != "OB-3011 OB-3012 OB-3011 up OB-3011" {
		t.Errorf("logged %s", got)
	}
}

func TestIndexContinuesAsNewAndEndsWithItsIndex(t *testing.T) {
	if stopped, err := NewActivities(Dependencies{Log: slog.New(slog.DiscardHandler)}).IndexSome(t.Context()); err != nil || !stopped {
		t.Errorf("without an index: %v, %v", stopped, err)
	}
	var a *Activities
	for _, gone := range []bool{false, true} {
		e := newEnvironment()
		e.RegisterActivity(a)
		n := 0
		e.OnActivity(a.IndexSome, mock.Anything).Return(func(context.Context) (bool, error) {
			if n++; n%7 == 1 {
				return false, indexError(errors.New("down")) // Tried again, for as long as it takes.
			}
			return gone, nil
		})
		e.ExecuteWorkflow(Index, IndexInput{})
		err := e.GetWorkflowError()
		if again := workflow.IsContinueAsNewError(err); again == gone || (gone && (err != nil || n != 2)) || (!gone && n <= rounds) {
			t.Errorf("gone %v: %d rounds, %v", gone, n, err)
		}
	}
}
