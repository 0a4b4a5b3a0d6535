package deliver

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/filter"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

const (
	inFlight    = 4               // events on their way to one destination, each of another finding
	firstWait   = time.Second     // full jitter: a try waits a random part of firstWait << (tries-1), …
	maxWait     = 5 * time.Minute // … at most of this
	parkAfter   = 72 * time.Hour  // from the first try
	pauseAfter  = 5               // findings that failed in a row, with no success between, pause the destination
	maxDoubling = 9               // 1 s << 9 is over maxWait
)

// Dependencies are what a Deliverer needs. HTTP must refuse addresses that may not be called (invariant 10); its redirect rule and timeout are
// replaced.
type Dependencies struct {
	DB        *store.DB
	Keys      findings.Keys
	HTTP      *http.Client
	Secret    func(ctx context.Context, destinationID, field string) (secret.Value, error)
	PublicURL string // of this installation, for links; may be empty
	Version   string // for User-Agent
	Now       func() time.Time
	Rand      func() float64 // in [0, 1); nil: math/rand/v2
}

// Deliverer sends events. It is safe for concurrent use; one destination is served by one Step at a time.
type Deliverer struct {
	deps   Dependencies
	client *http.Client

	mu    sync.Mutex
	lines map[string]*line
}

// line is what is remembered about a destination between Steps. Losing it costs a few calls.
type line struct {
	mu     sync.Mutex          // held by the Step that serves the destination
	failed map[string]struct{} // findings that failed since the last answer that was none of the receiver's fault
	pauses int                 // in a row; while there are any, one event at a time is sent as a probe
	until  time.Time           // of the present pause
}

// New makes a deliverer. It does nothing until Step is called.
func New(deps Dependencies) *Deliverer {
	if deps.Rand == nil {
		deps.Rand = rand.Float64
	}
	deps.PublicURL = strings.TrimSuffix(deps.PublicURL, "/")
	client := *deps.HTTP
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	client.Timeout = callTimeout
	return &Deliverer{deps: deps, client: &client, lines: map[string]*line{}}
}

// Progress is what a Step did.
type Progress struct {
	Delivered int
	Failed    int // tries that will be made again
	Parked    int
	State     string    // of the destination
	More      bool      // the budget ended first: call again at once
	NextAt    time.Time // when a queued event is due; zero: none is queued
}

// outcome is what became of one try.
type outcome struct {
	delivery
	answer    answer
	state     string
	nextTryAt time.Time
	err       error // of our own side: nothing was tried
	cancelled bool  // it is unknown whether the receiver has it: it is sent again, under the same id
}

// Step sends what is due until nothing is or the budget is spent; a call on its way then is waited for, at most 15 s. With ctx ended it returns its
// error at once and leaves what is on its way to be sent again. Other errors are of our own side: ErrNotFound, a key that cannot be opened, the
// store.
func (d *Deliverer) Step(ctx context.Context, destinationID string, budget time.Duration) (Progress, error) {
	l := d.line(destinationID)
	l.mu.Lock()
	defer l.mu.Unlock()
	x, err := Get(ctx, d.deps.DB.Read(), destinationID)
	if err != nil {
		return Progress{}, err
	}
	p := Progress{State: x.State}
	if x.State == StateDisabled {
		return p, nil
	}
	f, err := filter.Parse(x.Filter)
	if err != nil {
		return p, fmt.Errorf("destination %s: %w", x.ID, err)
	}
	signing, err := d.deps.Secret(ctx, x.ID, FieldSigningKey)
	if err != nil {
		return p, fmt.Errorf("open the signing key of destination %s: %w", x.ID, err)
	}
	key, err := decodeKey(signing)
	if err != nil {
		return p, fmt.Errorf("destination %s: %w", x.ID, err)
	}
	s := &step{Deliverer: d, line: l, dest: x, filter: f, key: key, flying: map[string]bool{}, results: make(chan outcome, inFlight), deadline: d.deps.Now().Add(budget)}
	err = s.run(ctx, &p)
	p.State = s.dest.State
	if ctx.Err() != nil {
		return p, ctx.Err()
	}
	if err != nil || p.State == StateDisabled {
		return p, err
	}
	if p.NextAt, err = d.nextDue(ctx, x.ID); err == nil && !p.NextAt.IsZero() && p.NextAt.Before(l.until) {
		p.NextAt = l.until
	}
	return p, err
}

func (d *Deliverer) line(destinationID string) *line {
	d.mu.Lock()
	defer d.mu.Unlock()
	l, ok := d.lines[destinationID]
	if !ok {
		l = &line{failed: map[string]struct{}{}}
		d.lines[destinationID] = l
	}
	return l
}

// step is one Step under way.
type step struct {
	*Deliverer
	*line
	dest     Destination
	filter   filter.Filter
	key      []byte
	deadline time.Time
	waiting  []delivery      // read from the queue, not sent yet
	flying   map[string]bool // findings with an event on its way
	results  chan outcome
}

func (s *step) run(ctx context.Context, p *Progress) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for len(s.flying) > 0 { // Leave nothing behind that still runs.
			o := <-s.results
			delete(s.flying, o.findingID)
		}
	}()
	for {
		if err := s.launch(ctx, p); err != nil {
			return err
		}
		if len(s.flying) == 0 {
			return nil
		}
		done := []outcome{<-s.results}
		for more := true; more; {
			select {
			case o := <-s.results:
				done = append(done, o)
			default:
				more = false
			}
		}
		if err := s.conclude(ctx, done, p); err != nil {
			return err
		}
	}
}

// launch starts calls until enough are on their way or nothing may be sent.
func (s *step) launch(ctx context.Context, p *Progress) error {
	p.More = false
	for {
		now := s.deps.Now()
		room := inFlight
		if s.pauses > 0 {
			room = 1
		}
		if ctx.Err() != nil || s.dest.State == StateDisabled || now.Before(s.until) || len(s.flying) >= room {
			return nil
		}
		if len(s.waiting) == 0 {
			if err := s.refill(ctx); err != nil {
				return err
			}
			if len(s.waiting) == 0 {
				return nil
			}
		}
		if !now.Before(s.deadline) {
			p.More = true
			return nil
		}
		x := s.waiting[0]
		s.waiting = s.waiting[1:]
		s.flying[x.findingID] = true
		go func() { s.results <- s.try(ctx, x) }()
	}
}

// refill reads from the queue and, if that has too little, from the log.
func (s *step) refill(ctx context.Context) error {
	for more := true; ; {
		due, err := s.due(ctx, s.dest.ID)
		if err != nil {
			return err
		}
		for _, x := range due {
			if !s.flying[x.findingID] {
				s.waiting = append(s.waiting, x)
			}
		}
		if len(s.waiting) > 0 || !more {
			return nil
		}
		if more, err = s.enqueue(ctx, s.dest, s.filter); err != nil {
			return err
		}
	}
}

// try sends one event once.
func (s *step) try(ctx context.Context, x delivery) outcome {
	body, gone, err := s.body(ctx, x)
	if err != nil {
		return outcome{delivery: x, err: err, cancelled: ctx.Err() != nil}
	}
	now := s.deps.Now()
	if x.firstTryAt == 0 {
		x.firstTryAt = findings.TimeOf(now)
	}
	x.tries++
	o := outcome{delivery: x, state: Parked}
	if gone {
		o.answer.reason = "the event is no longer in the finding log"
		return o
	}
	o.answer = s.post(ctx, s.dest.Config.URL, s.key, x.eventID, body)
	if o.answer.reason != "" && ctx.Err() != nil {
		return outcome{delivery: x, cancelled: true}
	}
	now = s.deps.Now()
	switch {
	case o.answer.reason == "":
		o.state = Delivered
	case refused(o.answer.status):
		// The receiver will never take this event.
	case now.Sub(x.firstTryAt.Time()) >= parkAfter && o.answer.status != http.StatusGone:
		o.answer.reason += "; given up after 72 h"
	default:
		o.state = Queued
		o.nextTryAt = now.Add(max(s.backoff(int(x.tries)), o.answer.retryAfter))
	}
	return o
}

// refused reports whether a status is about this event and stays so. Other statuses below 500 are about the destination: its key, its path.
func refused(status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong, http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return false
}

// backoff is the wait after the nth failure in a row.
func (d *Deliverer) backoff(n int) time.Duration {
	return time.Duration(d.deps.Rand() * float64(min(maxWait, firstWait<<min(n-1, maxDoubling))))
}

// conclude stores outcomes and draws from them what they say about the destination.
func (s *step) conclude(ctx context.Context, done []outcome, p *Progress) error {
	var keep []outcome
	var failure error
	state, message := "", ""
	for _, o := range done {
		delete(s.flying, o.findingID)
		if o.cancelled {
			continue
		}
		if o.err != nil {
			failure = o.err
			continue
		}
		keep = append(keep, o)
		switch o.state {
		case Delivered:
			p.Delivered++
		case Parked:
			p.Parked++
		default:
			p.Failed++
		}
		switch {
		case o.answer.status == http.StatusGone:
			state, message = StateDisabled, "The receiver answered 410: it wants no more events. Enable the destination to send them again."
			s.waiting = nil
		case o.state != Queued:
			// The receiver is there. One that parks an event for its age is not shown to be.
			if o.state == Delivered || refused(o.answer.status) {
				clear(s.failed)
				s.pauses, s.until = 0, time.Time{}
				if s.dest.State == StateFailing && state == "" {
					state = StateActive
				}
			}
		default:
			s.failed[o.findingID] = struct{}{}
			if now := s.deps.Now(); (len(s.failed) >= pauseAfter || s.pauses > 0) && !now.Before(s.until) {
				s.pauses++
				s.until = now.Add(max(s.backoff(s.pauses), o.answer.retryAfter))
				s.waiting = nil
				if state == "" || state == StateActive {
					state, message = StateFailing, "Nothing gets through: "+o.answer.reason+"."
				}
			}
		}
	}
	if len(keep) > 0 {
		if err := s.settle(ctx, s.dest.ID, keep, state, message); err != nil {
			return err
		}
		if state != "" {
			s.dest.State = state
		}
	}
	return failure
}
