package claude

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/outband/outband/connectors"
)

// seen is the place in a chat or session up to which its messages were given (Item.Since). A message is old if it is in it: its time is before At by more than
// the slack, or its digest is among IDs, which are those of the messages within the slack. All others are new, also those that appear later than their
// time says, by up to the slack.
type seen struct {
	At    time.Time `json:"t,omitzero"`
	IDs   []string  `json:"ids,omitempty"`
	Title string    `json:"title,omitempty"` // digest of the title that was given

	slack time.Duration
	limit time.Time // a later time is a mistake of the source, and would make everything after it old
	old   map[string]bool
	met   map[string]bool // in this fetch
	next  []mark
}

type mark struct {
	at time.Time
	id string
}

// maxSeen bounds what a place holds. A chat with more messages within the slack is given from its start the next time, which counts them again and finds
// nothing twice.
const maxSeen = 5000

// readSeen reads a place. One that cannot be read is the start.
func readSeen(since string, slack time.Duration, now time.Time) *seen {
	s := new(seen)
	if since == "" || json.Unmarshal([]byte(since), s) != nil || s.At.IsZero() {
		s = new(seen)
	}
	s.slack, s.limit, s.old, s.met = slack, now.Add(time.Hour), map[string]bool{}, map[string]bool{}
	for _, id := range s.IDs {
		s.old[id] = true
	}
	return s
}

// known reports whether the place is not the start.
func (s *seen) known() bool { return !s.At.IsZero() }

// before reports whether nothing as old as this can be new.
func (s *seen) before(at time.Time) bool {
	return s.known() && !at.IsZero() && at.Before(s.At.Add(-s.slack))
}

// add notes a message and reports whether it is new, or was met in this fetch before: pages can overlap, and a walk can begin anew. A message without a
// time that can be read is told by its id only.
func (s *seen) add(id string, at time.Time) (isNew, twice bool) {
	if at.After(s.limit) {
		at = time.Time{}
	}
	d := digest(id)
	if s.met[d] {
		return false, true
	}
	s.met[d], s.next = true, append(s.next, mark{at, d})
	return !s.before(at) && !s.old[d], false
}

// title gives the title of a chat, once unless it changes.
func (s *seen) title(item connectors.Item, name string, at time.Time, yield func(connectors.Part) bool) bool {
	d := digest(name)
	old := s.Title == d
	s.Title = d
	if name == "" || old && !item.Again {
		return true
	}
	return again(yield, old)(textPart(connectors.PartTitle, connectors.Ref{Kind: connectors.KindChat, ID: item.ID}, "name", name, at))
}

// end gives the place after everything that was added. Where only the newest messages were read, the older ones are behind the slack anyway, except for
// those of the place before.
func (s *seen) end(yield func(connectors.Part) bool) error {
	now := seen{At: s.At, Title: s.Title}
	for _, m := range s.next {
		if m.at.After(now.At) {
			now.At = m.at
		}
	}
	for _, m := range s.next {
		if m.at.IsZero() || !m.at.Before(now.At.Add(-s.slack)) {
			now.IDs = append(now.IDs, m.id)
		}
	}
	if now.At.Equal(s.At) {
		now.IDs = append(now.IDs, s.IDs...)
	}
	slices.Sort(now.IDs)
	now.IDs = slices.Compact(now.IDs)
	if now.At.IsZero() || len(now.IDs) > maxSeen {
		return nil
	}
	if !yield(connectors.Part{Kind: connectors.PartPlace, Path: placeText(now)}) {
		return errStopped
	}
	return nil
}

// again marks parts that were given before.
func again(yield func(connectors.Part) bool, old bool) func(connectors.Part) bool {
	if !old {
		return yield
	}
	return func(p connectors.Part) bool {
		p.Again = true
		return yield(p)
	}
}
