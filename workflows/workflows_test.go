package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/outband/outband/connectors"
)

// env is a workflow environment with a plan of two streams. It records the order of the activities.
type env struct {
	*testsuite.TestWorkflowEnvironment
	t       *testing.T
	calls   []string
	pages   map[SliceRef][]any // results (PageResult) or errors of ScanPage, in order; then Done
	history []SliceRef
	due     []ItemRef
	refuse  error // what ScanFile answers; the item then stays due
	end     FinishInput
}

func newEnv(t *testing.T, pageTakes time.Duration) *env {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{slog.New(slog.DiscardHandler)})
	e := &env{TestWorkflowEnvironment: suite.NewTestWorkflowEnvironment(), t: t, pages: map[SliceRef][]any{}}
	var a *Activities
	e.RegisterActivity(a)
	live := []SliceRef{{"chats", "live", "live"}, {"activities", "live", "live"}}
	e.OnActivity(a.BeginScan, mock.Anything, mock.Anything).Return(Plan{ScanID: "scn_1", Live: live, Every: 5 * time.Minute}, nil)
	e.OnActivity(a.ScanPage, mock.Anything, mock.Anything).After(pageTakes).Return(func(_ context.Context, in PageInput) (PageResult, error) {
		e.calls = append(e.calls, in.Slice.Stream+" "+in.Slice.Slice)
		next := e.pages[in.Slice]
		if len(next) == 0 {
			return PageResult{Done: true}, nil
		}
		e.pages[in.Slice] = next[1:]
		if err, ok := next[0].(error); ok {
			return PageResult{}, err
		}
		return next[0].(PageResult), nil
	})
	e.OnActivity(a.NextSlices, mock.Anything, mock.Anything).Return(func(_ context.Context, in SlicesInput) ([]SliceRef, error) {
		out := e.history
		e.history = nil
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

func TestAScanReadsLiveThenWhatWaitsThenHistory(t *testing.T) {
	e := newEnv(t, 0)
	e.due = []ItemRef{{"file", "f1"}}
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}, {"chats", "backfill", "2026-11-18"}}
	e.pages[SliceRef{"chats", "live", "live"}] = []any{PageResult{Items: 100}, PageResult{Done: true}}
	e.run()
	want := []string{"chats live", "chats live", "activities live", "item f1", "chats 2026-11-19", "chats 2026-11-18"}
	if diff := cmp.Diff(want, e.calls); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(FinishInput{"con_1", "scn_1", Outcome{Done: 4}}, e.end); diff != "" {
		t.Errorf("end (-want +got):\n%s", diff)
	}
}

func TestNewContentDoesNotWaitForHistory(t *testing.T) {
	e := newEnv(t, 3*time.Minute) // and new content is to be looked for each five
	old := SliceRef{"chats", "backfill", "2026-11-19"}
	e.history = []SliceRef{old}
	e.pages[old] = []any{PageResult{Items: 100}, PageResult{Items: 100}}
	e.run()
	want := []string{"chats live", "activities live", "chats 2026-11-19", "chats live", "activities live", "chats 2026-11-19", "chats live", "activities live", "chats 2026-11-19"}
	if diff := cmp.Diff(want, e.calls); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestAStreamThatFailsDoesNotHoldTheOthers(t *testing.T) {
	e := newEnv(t, 0)
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}}
	e.pages[SliceRef{"chats", "live", "live"}] = []any{refused(connectors.KindForbidden)}
	e.run()
	if want := []string{"chats live", "activities live", "chats 2026-11-19"}; !cmp.Equal(want, e.calls) {
		t.Errorf("calls %v", e.calls)
	}
	if o := e.end.Outcome; o.Failed != 1 || o.Done != 2 || o.Final || o.Code != "OB-2001" || o.Message != "The key is refused." {
		t.Errorf("outcome %+v", o)
	}
}

func TestARefusedKeyEndsTheScanAtOnce(t *testing.T) {
	e := newEnv(t, 0)
	e.history = []SliceRef{{"chats", "backfill", "2026-11-19"}}
	e.pages[SliceRef{"chats", "live", "live"}] = []any{refused(connectors.KindAuth)}
	e.run()
	if want := []string{"chats live"}; !cmp.Equal(want, e.calls) {
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
	if want := []string{"chats live", "chats live", "chats live", "activities live"}; !cmp.Equal(want, e.calls) {
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
	want := []string{"chats live", "activities live", "item f1", "chats 2026-11-19", "item f1"}
	if diff := cmp.Diff(want, e.calls); diff != "" {
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
	if len(e.calls) != 1 || e.end.ScanID != "" {
		t.Errorf("calls %v, end %+v: the scan is not over", e.calls, e.end)
	}
}

func TestAPausedConnectionEndsTheScan(t *testing.T) {
	e := newEnv(t, 0)
	e.pages[SliceRef{"chats", "live", "live"}] = []any{PageResult{Stopped: true}}
	e.run()
	if !e.end.Outcome.Stopped || len(e.calls) != 1 {
		t.Errorf("outcome %+v, calls %v", e.end.Outcome, e.calls)
	}
}

func TestDeliverContinuesAsNewAndEndsWithItsDestination(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(quiet{slog.New(slog.DiscardHandler)})
	var a *Activities
	for _, gone := range []bool{false, true} {
		e := suite.NewTestWorkflowEnvironment()
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
	for _, f := range []any{SyncConnection, Deliver, Index, Purge} {
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
