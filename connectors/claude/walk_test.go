package claude

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

// gone404 is what the API says of an object that it does not have.
var gone404 = mapError(connectors.Reply{Status: 404, JSON: true, Type: "not_found_error", Message: "Local sessions are not available."})

// readAll reads a stream to its end and returns the ids of its records and the missing scopes. It begins anew from the stored cursor before each page.
func readAll(t *testing.T, client connectors.Client, stream string, most int) (ids, missing []string, reads int) {
	t.Helper()
	after := connectors.Cursor("")
	for range most {
		page, err := open(client).Read(t.Context(), stream, after)
		if err != nil {
			t.Fatal(err)
		}
		reads++
		for _, it := range page.Items {
			ids = append(ids, it.Record.Kind+" "+it.ID)
		}
		missing = append(missing, page.Missing...)
		if !page.More {
			return ids, missing, reads
		}
		if page.Next == after {
			t.Fatal("the walk does not advance")
		}
		after = page.Next
	}
	t.Fatalf("the walk of %s did not end after %d pages", stream, most)
	return nil, nil, 0
}

// nestedTenant answers for three organisations of which the second has no roles endpoint: an empty page that goes on, pages of one role each, and permissions
// in two pages. Parents come in pages of one.
func nestedTenant(path string, query url.Values) (string, error) {
	page := query.Get("page")
	switch path = strings.TrimPrefix(path, root+"organizations"); path {
	case "":
		switch page {
		case "":
			return `{"data":[{"uuid":"A"}],"has_more":true,"next_page":"o2"}`, nil
		case "o2":
			return `{"data":[],"has_more":true,"next_page":"o3"}`, nil
		}
		return `{"data":[{"uuid":"B"},{"uuid":"C"}],"has_more":false,"next_page":null}`, nil
	case "/B/roles":
		return "", gone404
	case "/A/roles", "/C/roles":
		org := path[1:2]
		switch page {
		case "":
			return `{"data":[],"has_more":true,"next_page":"r2"}`, nil
		case "r2":
			return fmt.Sprintf(`{"data":[{"id":"%s1"},{"id":"%s2"}],"has_more":true,"next_page":"r3"}`, org, org), nil
		}
		return fmt.Sprintf(`{"data":[{"id":"%s3"}],"has_more":false}`, org), nil
	}
	role := strings.Split(path, "/")[3]
	if page == "" {
		return fmt.Sprintf(`{"data":[{"action":"read","resource_id":"%s"}],"next_page":"p2"}`, role), nil
	}
	return `{"data":[{"action":"write"}],"next_page":null}`, nil
}

func TestANestedWalkReadsEveryListOnce(t *testing.T) {
	calls := map[string]int{}
	client := memory{json: func(path string, query url.Values) (string, error) {
		calls[path+" "+query.Get("page")]++
		return nestedTenant(path, query)
	}}
	ids, missing, reads := readAll(t, client, streamRoles, 100)
	var want []string
	for _, org := range []string{"A", "C"} {
		for _, roles := range [][]string{{"1", "2"}, {"3"}} {
			for _, n := range roles {
				want = append(want, "role "+org+n)
			}
			for _, n := range roles {
				want = append(want, "role_permission "+org+n+"//"+org+n+"/read", "role_permission "+org+n+"///write")
			}
		}
	}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"B"}, missing); diff != "" {
		t.Errorf("missing scopes (-want +got):\n%s", diff)
	}
	for call, n := range calls {
		if n != 1 {
			t.Errorf("%s was called %d times", call, n)
		}
	}
	if reads != len(calls) || reads != 22 {
		t.Errorf("%d pages took %d calls, want 22 of each", reads, len(calls))
	}
}

func TestAWalkKeepsWhatTheFrameworkKeepsInTheSlice(t *testing.T) {
	first := connectors.Slice{Missing: []string{"X"}}.Cursor()
	page, err := open(memory{json: nestedTenant}).Read(t.Context(), streamRoles, first)
	if err != nil {
		t.Fatal(err)
	}
	next, err := page.Next.Slice()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"X"}, next.Missing); diff != "" || len(next.After) > 200 {
		t.Errorf("missing (-want +got), in a place of %d bytes:\n%s", len(next.After), diff)
	}
}

// TestAListThatGoesInACircleEnds serves tokens that come back after so many pages.
func TestAListThatGoesInACircleEnds(t *testing.T) {
	for _, stream := range []string{streamUsers, streamProjects, streamChats, streamAPIKeys, streamMembers} {
		for _, lap := range []int{1, 2, 3, 7, 50} {
			n := 0
			client := memory{json: func(path string, _ url.Values) (string, error) {
				if strings.HasSuffix(path, "organizations") {
					return `{"data":[{"uuid":"A"}]}`, nil
				}
				n++
				return fmt.Sprintf(`{"data":[],"has_more":true,"next_page":"t%d","last_id":"t%d"}`, n%lap, n%lap), nil
			}}
			after, err := connectors.Cursor(""), error(nil)
			for range 1000 {
				var page connectors.Page
				if page, err = open(client).Read(t.Context(), stream, after); err != nil {
					break
				}
				after = page.Next
			}
			if !errors.Is(err, connectors.ErrMalformed) || n > 6*lap+4 {
				t.Errorf("%s, a circle of %d pages: %v after %d calls", stream, lap, err, n)
			}
		}
	}
}

func TestAPlaceThatIsNotOneIsReadFromTheStart(t *testing.T) {
	for _, tc := range []struct{ name, stream, place string }{
		{"no JSON", streamUsers, "canary"},
		{"broken JSON", streamChats, "{"},
		{"a page above without rows", streamUsers, `{"above":[{"ids":[]}]}`},
		{"deeper than the stream is", streamUsers, `{"above":[{"ids":["a"]},{"ids":["b"]}]}`},
		{"other types", streamAPIKeys, `{"keys":7}`},
	} {
		client := memory{json: func(string, url.Values) (string, error) { return `{"data":[]}`, nil }}
		_, err := open(client).Read(t.Context(), tc.stream, connectors.Slice{After: tc.place}.Cursor())
		if !errors.Is(err, connectors.ErrCursorExpired) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: err = %v, want kind CursorExpired", tc.name, err)
		}
	}
}

func TestACursorOfAnEarlierVersionGoesOn(t *testing.T) {
	asked := ""
	client := memory{json: func(_ string, query url.Values) (string, error) {
		asked = query.Get("after_id")
		return `{"data":[],"has_more":false,"last_id":null}`, nil
	}}
	after := connectors.Slice{After: "eyJrIjoidXBkYXRlZF9hdCJ9"}.Cursor()
	page, err := open(client).Read(t.Context(), streamChats, after)
	if err != nil || asked != "eyJrIjoidXBkYXRlZF9hdCJ9" || page.Next != after {
		t.Errorf("asked for %q, err %v, cursor kept: %t", asked, err, page.Next == after)
	}
}

func TestAStreamThatTheTenantDoesNotHaveIsUnavailable(t *testing.T) {
	for name, said := range map[string]error{
		"the two words":  mapError(connectors.Reply{Status: 404, JSON: true, Type: "not_found_error", Message: "Not found"}),
		"local sessions": gone404,
		"a kind of 404":  &connectors.Error{Kind: connectors.KindGone, Code: connectors.CodeGone, Status: 404},
	} {
		client := memory{json: func(string, url.Values) (string, error) { return "", said }}
		for _, stream := range parsed().Streams {
			_, err := open(client).Read(t.Context(), stream.ID, "")
			want := connectors.KindUnavailable
			switch {
			case slices.Contains([]string{streamChats, streamActivities, streamAPICalls}, stream.ID):
				want = connectors.KindOf(said) // A wrong key says so here.
			case stream.ID == streamAPIKeys && err == nil:
				continue // The usage report is missing, and the keys come next.
			}
			if connectors.KindOf(err) != want {
				t.Errorf("%s, %s: %v, want kind %s", stream.ID, name, err, want)
			}
		}
	}
}

// TestKeysOfTheParentComeOnce: every organisation lists them.
func TestKeysOfTheParentComeOnce(t *testing.T) {
	client := memory{json: func(path string, _ url.Values) (string, error) {
		switch strings.TrimPrefix(path, root+"organizations") {
		case "":
			return `{"data":[{"uuid":"A"},{"uuid":"B"},{"uuid":"C"}]}`, nil
		case "/A/settings":
			return "", gone404
		}
		return `{"settings":[{"name":"sso_enabled","type":"boolean","value":true}],"api_keys":[{"id":"apikey_1"}]}`, nil
	}}
	ids, missing, _ := readAll(t, client, streamSettings, 10)
	if diff := cmp.Diff([]string{"setting B/sso_enabled", "compliance_key apikey_1", "setting C/sso_enabled"}, ids); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"A"}, missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
}

func TestUnusedKeysAreToldInSteps(t *testing.T) {
	bucket := func(d int, keys string) string {
		return fmt.Sprintf(`{"ending_at":"2026-11-%02dT00:00:00Z","results":[%s]}`, d, keys)
	}
	usage := []string{bucket(2, `{"api_key_id":"apikey_A"},{"api_key_id":"admin_api_key_B"}`), bucket(10, `{"api_key_id":"apikey_C"}`), bucket(24, `{"api_key_id":"apikey_A"}`)}
	key := func(id, made string) string { return fmt.Sprintf(`{"id":"apikey_%s","created_at":"%s"}`, id, made) }
	reply := func(report string, err error) memory {
		return memory{json: func(path string, _ url.Values) (string, error) {
			if strings.HasSuffix(path, "usage_report/messages") {
				return report, err
			}
			return `{"data":[` + strings.Join([]string{key("A", "2025-01-01T00:00:00Z"), key("B", "2025-01-01T00:00:00Z"), key("C", "2025-01-01T00:00:00Z"),
				key("D", "2025-01-01T00:00:00Z"), key("E", "2026-11-15T00:00:00Z"), key("F", "2026-11-23T12:00:00Z")}, ",") + `]}`, nil
		}}
	}
	read := func(client connectors.Client) (out, missing []string) {
		after := connectors.Cursor("")
		for {
			page, err := open(client).Read(t.Context(), streamAPIKeys, after)
			if err != nil {
				t.Fatal(err)
			}
			missing = append(missing, page.Missing...)
			for _, it := range page.Items {
				f := it.Record.Fields
				out = append(out, fmt.Sprint(it.ID, " ", f["usage_known"], " ", f["unused_days"], " ", f["last_used_at"]))
			}
			if !page.More {
				return out, missing
			}
			after = page.Next
		}
	}
	want := []string{
		"apikey_A true 0 <nil>", "apikey_B true 14 2026-11-01T00:00:00Z", "apikey_C true 14 2026-11-09T00:00:00Z", "apikey_D true 30 <nil>",
		"apikey_E true 7 <nil>", "apikey_F true 0 <nil>",
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 0}} {
		var rows []string
		for _, i := range order {
			rows = append(rows, usage[i])
		}
		got, missing := read(reply(`{"data":[`+strings.Join(rows, ",")+`]}`, nil))
		if diff := cmp.Diff(want, got); diff != "" || missing != nil {
			t.Errorf("buckets in the order %v, missing %v (-want +got):\n%s", order, missing, diff)
		}
	}
	// Without the report nothing is known, and nothing may be closed by that.
	got, missing := read(reply("", gone404))
	if len(got) != 6 || got[3] != "apikey_D false <nil> <nil>" || !slices.Equal(missing, []string{wholeTenant}) {
		t.Errorf("without the report: %v, missing %v", got, missing)
	}
}

func TestEstimate(t *testing.T) {
	from := moment("2026-09-01T00:00:00Z")
	to := from.Add(80 * day)
	// evenly has a chat every 10 minutes: 11,520 in 80 days.
	evenly := func(query url.Values, by string) string {
		var rows []string
		begin := moment(query.Get(by + ".gte"))
		for at := begin; at.Before(to) && len(rows) < 1000; at = at.Add(600e9) {
			rows = append(rows, fmt.Sprintf(`{"id":"c","type":"claude_file_uploaded","created_at":%q,"updated_at":%q}`, timeText(at), timeText(at)))
		}
		return fmt.Sprintf(`{"data":[%s],"has_more":%t,"last_id":"x"}`, strings.Join(rows, ","), len(rows) == 1000)
	}
	calls := 0
	client := memory{json: func(path string, query url.Values) (string, error) {
		calls++
		switch strings.TrimPrefix(path, root) {
		case "activities":
			if query.Get("limit") == "1" {
				return `{"data":[{"created_at":"2026-03-01T00:00:00Z"}]}`, nil
			}
			return `{"data":[{"type":"claude_file_uploaded"},{"type":"sso_login_initiated"}]}`, nil
		case "apps/chats":
			return evenly(query, "updated_at"), nil
		case "apps/projects":
			return `{"data":[{},{},{}]}`, nil
		}
		return "", gone404
	}}
	got, err := open(client).(connectors.Estimator).Estimate(context.Background(), from, to)
	if err != nil {
		t.Fatal(err)
	}
	if n := got.Items[streamChats]; n < 10_900 || n > 12_100 {
		t.Errorf("%d chats, want about 11,520", n)
	}
	chats := got.Items[streamChats]
	want := connectors.Estimate{Items: map[string]int64{streamActivities: 2, streamChats: chats, streamProjects: 3}, Since: moment("2026-03-01T00:00:00Z"),
		Calls: chats + chats/100 + 1 + 2*3 + 3*81}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("estimate (-want +got):\n%s", diff)
	}
	if calls > 10 {
		t.Errorf("it took %d calls", calls)
	}
}
