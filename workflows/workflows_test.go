package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/outband/outband/connectors"
)

// env is a workflow environment with a plan of two streams. It records the order of the activities.
type env struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	mu      sync.Mutex // activities run side by side
	calls   []string
	pages   map[SliceRef][]any // results (PageResult) or errors of ScanPage, in order; then Done
	history []SliceRef
	apart   []SliceRef // what it answers of a budget of its own, once; with any, the plan has that budget
	again   []SliceRef // what NextSlices answers while it is not done, after history
	asked   []SlicesInput
	due     []ItemRef
	refuse  error // what ScanFile answers; the item then stays due
	end     FinishInput
}

// newEnvironment makes one that logs nothing and in which a workflow may wait for the processor: on a busy machine the second that the SDK allows between
// two steps, with nothing wrong, is too short.
func newEnvironment() *testsuite.TestWorkflowEnvironment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{slog.New(slog.DiscardHandler)})
	e := suite.NewTestWorkflowEnvironment()
	e.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute})
	return e
}

// newEnv makes one in which a page of the slow slices takes so long.
func newEnv(t *testing.T, takes time.Duration, slow ...SliceRef) *env {
	t.Helper()
	e := &env{TestWorkflowEnvironment: newEnvironment(), t: t, pages: map[SliceRef][]any{}}
	var a *Activities
	e.RegisterActivity(a)
	live := []SliceRef{{"chats", "live", "live"}, {"activities", "live", "live"}}
	e.OnActivity(a.BeginScan, mock.Anything, mock.Anything).Return(func(context.Context, SyncInput) (Plan, error) {
		plan := Plan{ScanID: "scn_1", Live: live, Every: 5 * time.Minute}
		if len(e.apart) > 0 {
			plan.Budgets = []string{"narrow"}
		}
		return plan, nil
	})
	page := func(_ context.Context, in PageInput) (PageResult, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.calls = append(e.calls, in.Slice.Stream+" "+in.Slice.Slice)
		next := e.pages[in.Slice]
		if len(next) == 0 {
			e.again = slices.DeleteFunc(e.again, func(r SliceRef) bool { return r == in.Slice })
			return PageResult{Done: true}, nil
		}
		e.pages[in.Slice] = next[1:]
		if err, ok := next[0].(error); ok {
			return PageResult{}, err
		}
		return next[0].(PageResult), nil
	}
	isSlow := func(in PageInput) bool { return slices.Contains(slow, in.Slice) }
	e.OnActivity(a.ScanPage, mock.Anything, mock.MatchedBy(isSlow)).After(takes).Return(page)
	e.OnActivity(a.ScanPage, mock.Anything, mock.MatchedBy(func(in PageInput) bool { return !isSlow(in) })).Return(page)
	e.OnActivity(a.NextSlices, mock.Anything, mock.Anything).Return(func(_ context.Context, in SlicesInput) ([]SliceRef, error) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.asked = append(e.asked, in)
		if in.Budget != "" {
			out := e.apart
			e.apart = nil
			return out, nil
		}
		out := e.history
		e.history = nil
		if out == nil {
			out = slices.Clone(e.again)
		}
		return out, nil
	})
	e.OnActivity(a.DueItems, mock.Anything, mock.Anything).Return(func(context.Context, PageInput) ([]ItemRef, error) {
		out := e.due
		if e.refuse == nil {
			e.due = nil
		}
		return out, nil
	})
	e.OnActivity(a.ScanFile, mock.Anything, mock.Anything).Return(func(_ context.Context, in ItemInput) error {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.calls = append(e.calls, "item "+in.Item.ID)
		return e.refuse
	})
	e.OnActivity(a.FinishScan, mock.Anything, mock.Anything).Return(func(_ context.Context, in FinishInput) error { e.end = in; return nil })
	return e
}

func (e *env) run() {
	e.t.Helper()
	e.ExecuteWorkflow(SyncConnection, SyncInput{ConnectionID: "con_1"})
	if err := e.GetWorkflowError(); err != nil {
		e.t.Fatal(err)
	}
}

func refused(kind connectors.Kind) error {
	return ActivityError(&connectors.Error{Kind: kind, Code: "OB-2001", Status: 401, Message: "The key is refused."})
}

// sorted returns the calls in an order that does not hang on which of two that run side by side came first.
func (e *env) sorted() []string { return slices.Sorted(slices.Values(e.calls)) }

// after returns the calls that are not of the streams of every scan, in order.
func (e *env) after() (out []string) {
	for _, c := range e.calls {
		if !strings.HasSuffix(c, " live") || strings.HasPrefix(c, "users") {
			out = append(out, c)
		}
	}
	return out
}

func TestAScanReadsLiveThenWhatWaitsThenHistory(t *testing.T) {
	e := newEnv(t, 0)
	e.due = []ItemRef{{"file", "f1"}}
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}, {"chats", "backfill", "2026-11-18"}}
	e.pages[SliceRef{"chats", "live", "live"}] = []any{PageResult{Items: 100}, PageResult{Done: true}}
	e.run()
	if diff := cmp.Diff([]string{"activities live", "chats live", "chats live"}, slices.Sorted(slices.Values(e.calls[:3]))); diff != "" {
		t.Errorf("what is new does not come first (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"item f1", "chats 2026-11-19", "chats 2026-11-18"}, e.calls[3:]); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(FinishInput{"con_1", "scn_1", Outcome{Done: 4}}, e.end); diff != "" {
		t.Errorf("end (-want +got):\n%s", diff)
	}
}

// Each page of history takes longer than the interval in which new content is looked for.
func TestNewContentDoesNotWaitForHistory(t *testing.T) {
	old := SliceRef{"chats", "backfill", "2026-11-19"}
	e := newEnv(t, 12*time.Minute, old)
	e.history = []SliceRef{old}
	e.pages[old] = []any{PageResult{Items: 100}, PageResult{Items: 100}}
	e.again = []SliceRef{old}
	e.run()
	if got := e.after(); len(got) != 3 {
		t.Errorf("history was read %v", got)
	}
	// 36 minutes of history: at its begin, and each five minutes.
	n := map[string]int{}
	for _, c := range e.calls {
		n[c]++
	}
	if n["chats live"] != 8 || n["activities live"] != 8 {
		t.Errorf("in 36 minutes new content was looked for %v times, want once in five minutes", n)
	}
}

// A page of the narrow budget takes half an hour. The rest of history is read long before.
func TestHistoryDoesNotWaitForANarrowBudget(t *testing.T) {
	narrow := SliceRef{"sessions", "backfill", "2026-11-19"}
	e := newEnv(t, 30*time.Minute, narrow)
	e.apart = []SliceRef{narrow}
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}, {"chats", "backfill", "2026-11-18"}}
	e.due = []ItemRef{{"file", "f1"}}
	e.run()
	if diff := cmp.Diff([]string{"item f1", "chats 2026-11-19", "chats 2026-11-18", "sessions 2026-11-19"}, e.after()); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	for _, in := range e.asked {
		if !in.Apart || in.Budget != "" && in.Budget != "narrow" {
			t.Errorf("asked for %+v", in)
		}
	}
	if e.end.Outcome.Failed != 0 || e.end.Outcome.Done < 5 {
		t.Errorf("it ended with %+v", e.end)
	}
}

// A walk through chats that takes long keeps the feed waiting no more than the other way round.
func TestStreamsOfEveryScanDoNotWaitForEachOther(t *testing.T) {
	chats := SliceRef{"chats", "live", "live"}
	e := newEnv(t, 4*time.Minute, chats)
	e.pages[chats] = []any{PageResult{Items: 100}, PageResult{Items: 100}, PageResult{Items: 100}, PageResult{Done: true}}
	e.run()
	n := map[string]int{}
	for _, c := range e.calls {
		n[c]++
	}
	if n["chats live"] != 4 || n["activities live"] != 4 {
		t.Errorf("calls %v, want the feed once in five of sixteen minutes", n)
	}
}

// A long slice of history is left now and then to ask what else is due.
func TestALongSliceOfHistoryKeepsNothingElseWaiting(t *testing.T) {
	old, users := SliceRef{"chats", "backfill", "2026-11-19"}, SliceRef{"users", "live", "live"}
	e := newEnv(t, 3*time.Minute, old)
	e.history = []SliceRef{old}
	e.pages[old] = []any{PageResult{Items: 100}, PageResult{Items: 100}, PageResult{Items: 100}}
	e.again = []SliceRef{users, old}
	e.run()
	want := []string{"chats 2026-11-19", "chats 2026-11-19", "users live", "chats 2026-11-19", "chats 2026-11-19"}
	if diff := cmp.Diff(want, e.after()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAStreamThatFailsDoesNotHoldTheOthers(t *testing.T) {
	e := newEnv(t, 0)
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}}
	e.pages[SliceRef{"chats", "live", "live"}] = []any{refused(connectors.KindForbidden)}
	e.run()
	if want := []string{"activities live", "chats 2026-11-19", "chats live"}; !cmp.Equal(want, e.sorted()) {
		t.Errorf("calls %v", e.calls)
	}
	if o := e.end.Outcome; o.Failed != 1 || o.Done != 2 || o.Final || o.Code != "OB-2001" || o.Message != "The key is refused." {
		t.Errorf("outcome %+v", o)
	}
}

func TestWhatATenantDoesNotHaveIsNoFailure(t *testing.T) {
	e := newEnv(t, 0)
	users, old := SliceRef{"users", "live", "live"}, SliceRef{"chats", "backfill", "2026-11-19"}
	e.history = []SliceRef{users, old}
	e.pages[users] = []any{PageResult{Done: true, Unavailable: true}}
	e.pages[old] = []any{PageResult{Done: true, Unavailable: true}}
	e.run()
	if o := e.end.Outcome; o.Failed != 0 || o.Done != 4 {
		t.Errorf("outcome %+v", o)
	}
	if diff := cmp.Diff([]SliceRef{old, users}, e.asked[len(e.asked)-1].Skip); diff != "" {
		t.Errorf("it is asked for once more in this scan (-want +got):\n%s", diff)
	}
}

func TestARefusedKeyEndsTheScanAtOnce(t *testing.T) {
	e := newEnv(t, 0)
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}}
	e.pages[SliceRef{"chats", "live", "live"}] = []any{refused(connectors.KindAuth)}
	e.run()
	if want := []string{"activities live", "chats live"}; !cmp.Equal(want, e.sorted()) {
		t.Errorf("calls %v: a refused key must not be tried again", e.calls)
	}
	if o := e.end.Outcome; !o.Final || o.Code != "OB-2001" {
		t.Errorf("outcome %+v", o)
	}
}

func TestAFailureIsTriedAgain(t *testing.T) {
	e := newEnv(t, 0)
	e.pages[SliceRef{"chats", "live", "live"}] = []any{
		ActivityError(&connectors.Error{Kind: connectors.KindRateLimited, RetryAfter: 40 * time.Second}), ActivityError(&connectors.Error{Kind: connectors.KindTransient}),
	}
	e.run()
	if want := []string{"activities live", "chats live", "chats live", "chats live"}; !cmp.Equal(want, e.sorted()) {
		t.Errorf("calls %v", e.calls)
	}
	if o := e.end.Outcome; o.Failed != 0 {
		t.Errorf("outcome %+v", o)
	}
}

func TestHistoryThatCannotBeReadIsLeftToTheNextScan(t *testing.T) {
	e := newEnv(t, 0)
	for i := range maxBrokenSlices + 5 {
		s := SliceRef{"chats", "backfill", testDay.Add(-time.Duration(i) * day).Format("2006-01-02")}
		e.history = append(e.history, s)
		e.pages[s] = []any{temporal.NewNonRetryableApplicationError("broken", typePageBroken, nil, "OB-2020")}
	}
	e.run()
	if o := e.end.Outcome; o.Failed < maxBrokenSlices || o.Done != 2 || o.Final {
		t.Errorf("outcome %+v", o)
	}
}

func TestAnItemThatIsRefusedIsNotAskedForWithoutEnd(t *testing.T) {
	e := newEnv(t, 0)
	e.due, e.refuse = []ItemRef{{"file", "f1"}}, refused(connectors.KindForbidden)
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}}
	e.run()
	// Once before history and once after it.
	want := []string{"item f1", "chats 2026-11-19", "item f1"}
	if diff := cmp.Diff(want, e.after()); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if o := e.end.Outcome; o.Failed != 2 || o.Done != 3 || o.Code != "OB-2001" {
		t.Errorf("outcome %+v", o)
	}
}

func TestALongHistoryIsContinuedAsNew(t *testing.T) {
	e := newEnv(t, 0)
	e.pages[SliceRef{"chats", "live", "live"}] = []any{PageResult{Items: 100}, PageResult{Items: 100}}
	e.SetContinueAsNewSuggested(true)
	e.ExecuteWorkflow(SyncConnection, SyncInput{ConnectionID: "con_1"})
	var again *workflow.ContinueAsNewError
	if !errors.As(e.GetWorkflowError(), &again) {
		t.Fatalf("got %v", e.GetWorkflowError())
	}
	var in SyncInput
	if err := converter.GetDefaultDataConverter().FromPayloads(again.Input, &in); err != nil || in.ConnectionID != "con_1" || in.ScanID != "scn_1" {
		t.Errorf("continues with %+v, %v", in, err)
	}
	if len(e.calls) > 3 || e.end.ScanID != "" {
		t.Errorf("calls %v, end %+v: the scan is not over", e.calls, e.end)
	}
}

func TestAPausedConnectionEndsTheScan(t *testing.T) {
	e := newEnv(t, 0)
	e.pages[SliceRef{"chats", "live", "live"}] = []any{PageResult{Stopped: true}}
	e.run()
	if !e.end.Outcome.Stopped || len(e.calls) != 2 {
		t.Errorf("outcome %+v, calls %v", e.end.Outcome, e.calls)
	}
}

func TestDeliverContinuesAsNewAndEndsWithItsDestination(t *testing.T) {
	var a *Activities
	for _, gone := range []bool{false, true} {
		e := newEnvironment()
		e.RegisterActivity(a)
		n := 0
		e.OnActivity(a.DeliverSome, mock.Anything, mock.Anything).Return(func(context.Context, DeliverInput) (bool, error) { n++; return gone, nil })
		e.ExecuteWorkflow(Deliver, DeliverInput{"dst_1"})
		err := e.GetWorkflowError()
		if again := workflow.IsContinueAsNewError(err); again == gone || (gone && (err != nil || n != 1)) || (!gone && n != rounds) {
			t.Errorf("gone %v: %d rounds, %v", gone, n, err)
		}
	}
}

// Invariant 6: what passes through Temporal holds references, never bytes or secrets.
func TestNoArgumentOrResultCanHoldContent(t *testing.T) {
	seen := map[reflect.Type]bool{}
	var walk func(path string, typ reflect.Type)
	walk = func(path string, typ reflect.Type) {
		if seen[typ] {
			return
		}
		seen[typ] = true
		if strings.Contains(typ.PkgPath(), "outband/internal/secret") || strings.HasSuffix(typ.PkgPath(), "outband/dlp") || strings.HasSuffix(typ.PkgPath(), "outband/connectors") {
			t.Errorf("%s is a %s", path, typ)
		}
		switch typ.Kind() {
		case reflect.Struct:
			for f := range typ.Fields() {
				walk(path+"."+f.Name, f.Type)
			}
		case reflect.Slice:
			if typ.Elem().Kind() == reflect.Uint8 {
				t.Errorf("%s holds bytes", path)
			}
			walk(path+"[]", typ.Elem())
		case reflect.Map, reflect.Interface:
			t.Errorf("%s is open: a %s", path, typ)
		case reflect.Pointer:
			walk(path, typ.Elem())
		}
	}
	methods := 0
	for m := range reflect.TypeFor[*Activities]().Methods() {
		methods++
		for i := 2; i < m.Type.NumIn(); i++ {
			walk(m.Name, m.Type.In(i))
		}
		for i := range m.Type.NumOut() {
			if out := m.Type.Out(i); out != reflect.TypeFor[error]() {
				walk(m.Name, out)
			}
		}
	}
	if methods < 9 {
		t.Errorf("%d activities looked at", methods)
	}
	for _, f := range []any{SyncConnection, Deliver, Index, Purge, Judge} {
		walk(reflect.TypeOf(f).String(), reflect.TypeOf(f).In(1))
	}
	if _, err := bounded().ToPayload(strings.Repeat("x", maxPayload)); err == nil {
		t.Error("a payload above the limit was taken")
	}
	for _, v := range []any{SyncInput{ConnectionID: "con_1", Skip: manySlices(maxBrokenSlices)}, manySlices(slicesAtOnce), SlicesInput{Skip: manySlices(maxBrokenSlices)}, manyItems(40)} {
		if _, err := bounded().ToPayloads(v); err != nil {
			t.Error(err)
		}
	}
}

func manySlices(n int) []SliceRef {
	out := make([]SliceRef, n)
	for i := range out {
		out[i] = SliceRef{"activities", laneReread, sliceName(laneReread, connectors.Slice{From: testDay, To: testDay})}
	}
	return out
}

func manyItems(n int) []ItemRef {
	out := make([]ItemRef, n)
	for i := range out {
		out[i] = ItemRef{"file", "claude_file_01Rv6SxTyUzVaWbXcYdZeFgH0123456789"}
	}
	return out
}

func TestErrorsTellTheirPlaceOnly(t *testing.T) {
	const planted = "planted-canary"
	for _, err := range []error{
		ActivityError(&json.SyntaxError{}), ActivityError(wrap(&planter{planted}, "store finding")), ActivityError(wrap(wrap(&planter{planted}, "commit"), "store finding")),
	} {
		if strings.Contains(err.Error(), planted) {
			t.Errorf("an error of the store reaches the history as it is: %v", err)
		}
	}
}

type planter struct{ text string }

func (p *planter) Error() string { return p.text }
