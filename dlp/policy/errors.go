package policy

import (
	"errors"
	"fmt"
)

// Kinds of errors. Test with errors.Is.
var (
	// ErrInvalid: the policy cannot be read or its expression does not compile.
	ErrInvalid = errors.New("policy is invalid")
	// ErrLocked: an override would mute a policy that is locked.
	ErrLocked = errors.New("policy is locked")
	// ErrRed: a test inside the policy gave something else than it says.
	ErrRed = errors.New("policy test is red")
	// ErrCost: an evaluation was stopped because it would have cost more than CostLimit.
	ErrCost = errors.New("cost limit exceeded")
	// ErrTime: an evaluation was stopped after TimeLimit.
	ErrTime = errors.New("time limit exceeded")
	// ErrLookup: the store could not answer total(), recent() or standing().
	ErrLookup = errors.New("lookup")
	// ErrEvaluation: the expression failed, for example on a missing key.
	ErrEvaluation = errors.New("evaluation")
)

// Error says what is wrong with a policy and where. It holds text of the policy at most, never a value of the unit that was evaluated.
type Error struct {
	PolicyID string // empty while the id is not known
	Line     int    // in the policy's file, from 1; 0: not known
	Column   int    // in characters, from 1; 0: not known
	Message  string
	Err      error // its kind
}

func (e *Error) Error() string {
	text := e.Message
	switch {
	case e.Line > 0 && e.Column > 0:
		text = fmt.Sprintf("line %d, column %d: %s", e.Line, e.Column, text)
	case e.Line > 0:
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	if e.PolicyID != "" {
		text = "policy " + e.PolicyID + ": " + text
	}
	return text
}

// Unwrap returns the kind of the error.
func (e *Error) Unwrap() error { return e.Err }
