// Package searchtest holds the one contract of the engines that answer questions about findings: named cases and random filters over the same data,
// each compared with a plain reading of that data in memory. An engine that passes can stand in for another in the middle of a list.
package searchtest

import (
	"testing"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/internal/store"
)

// Subject is an engine under test.
type Subject struct {
	DB       *store.DB // empty; its clock is set
	Keys     findings.Keys
	Embedded *search.Reader // over DB
	Engine   search.Engine  // over DB
	Settle   func()         // makes the engine see what was written; nil: it does at once
}

// Run holds an engine to the contract.
func Run(t *testing.T, s Subject) {
	w := newWorld(t, s)
	w.seed(t)
	t.Run("filters", w.filters)
	t.Run("free text", w.freeText)
	t.Run("orders", w.orders)
	t.Run("cursors", w.cursors)
	t.Run("timelines", w.timelines)
	t.Run("people", w.people)
	t.Run("questions that are wrong", w.wrong)
	t.Run("random filters", w.random)
	t.Run("changes", w.changes)
	t.Run("a facet of many values", w.manyValues)
	t.Run("a person is erased", w.erased)
}

// RunSome holds an engine to a part of the contract: enough to know that it is connected, where the engine itself has passed the whole elsewhere.
func RunSome(t *testing.T, s Subject) {
	w := newWorld(t, s)
	w.seed(t)
	t.Run("free text", w.freeText)
	t.Run("people", w.people)
	t.Run("changes", w.changes)
}
