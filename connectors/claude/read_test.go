package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/outband/outband/connectors"
)

// memory is a Client that answers from a func.
type memory struct {
	json     func(path string, query url.Values) (string, error)
	download func(path string) (*connectors.Download, error)
}

func (m memory) GetJSON(_ context.Context, path string, query url.Values, into any) error {
	body, err := m.json(path, query)
	if err != nil {
		return err
	}
	if json.Unmarshal([]byte(body), into) != nil {
		return malformed("test")
	}
	return nil
}

func (m memory) Download(_ context.Context, path string, _ url.Values) (*connectors.Download, error) {
	return m.download(path)
}
func (memory) Config(string) string { return "" }
func (memory) KeyHint() string      { return "" }

// texts reads all parts of an item; children come as their ids.
func texts(t *testing.T, s *source, item connectors.Item) ([]string, error) {
	t.Helper()
	var out []string
	for p, err := range s.Fetch(t.Context(), item) {
		if err != nil {
			return out, err
		}
		if p.Child != nil {
			out = append(out, p.Child.ID)
			continue
		}
		body, err := p.Open(t.Context())
		if err != nil {
			return out, err
		}
		b, err := io.ReadAll(body)
		if err != nil {
			return out, err
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		out = append(out, p.Kind+" "+string(b))
	}
	return out, nil
}

var chatItem = connectors.Item{Kind: connectors.KindChat, ID: "claude_chat_01Example"}

func TestABigChatIsReadInSmallerPages(t *testing.T) {
	const total = 100
	var limits []string
	client := memory{json: func(_ string, query url.Values) (string, error) {
		limit, err := strconv.Atoi(query.Get("limit"))
		if err != nil {
			return "", err
		}
		limits = append(limits, query.Get("limit"))
		if limit > 40 {
			return "", connectors.ErrTooBig
		}
		first := 0
		if after := query.Get("after_id"); after != "" {
			if first, err = strconv.Atoi(after); err != nil {
				return "", err
			}
		}
		var rows []string
		for i := first; i < min(first+limit, total); i++ {
			rows = append(rows, fmt.Sprintf(`{"id":"m%d","role":"user","content":[{"type":"text","text":"%d"}]}`, i, i))
		}
		return fmt.Sprintf(`{"id":"c","name":"n","chat_messages":[%s],"has_more":%v,"last_id":"%d"}`, strings.Join(rows, ","), first+limit < total, min(first+limit, total)), nil
	}}
	got, err := texts(t, open(client).(*source), chatItem)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"title n"}
	for i := range total {
		want = append(want, fmt.Sprintf("user_text %d", i))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("1000 500 250 125 62 31 31 31 31", strings.Join(limits, " ")); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
}

func TestFetchEndsWithAnError(t *testing.T) {
	for _, tc := range []struct {
		name  string
		reply string
		err   error
		want  error
	}{
		{"one message is over the limit", "", connectors.ErrTooBig, connectors.ErrTooBig},
		{"the key was refused", "", connectors.ErrAuth, connectors.ErrAuth},
		{"the same cursor again and again", `{"chat_messages":[{"id":"m"}],"has_more":true,"last_id":"x"}`, nil, connectors.ErrMalformed},
		{"more without a cursor", `{"chat_messages":[],"has_more":true,"last_id":null}`, nil, connectors.ErrMalformed},
		{"no messages", `{"id":"c"}`, nil, connectors.ErrMalformed},
		{"deleted since it was listed", `{"deleted_at":"2026-11-20T09:20:00Z","chat_messages":[]}`, nil, connectors.ErrGone},
	} {
		t.Run(tc.name, func(t *testing.T) {
			calls := 0
			s := open(memory{json: func(string, url.Values) (string, error) { calls++; return tc.reply, tc.err }}).(*source)
			if _, err := texts(t, s, chatItem); !errors.Is(err, tc.want) {
				t.Errorf("err = %v, want %v", err, tc.want)
			}
			if calls > 10 {
				t.Errorf("%d calls", calls)
			}
		})
	}
	s := open(memory{}).(*source)
	if _, err := texts(t, s, connectors.Item{Kind: connectors.KindActivity}); !errors.Is(err, connectors.ErrMalformed) {
		t.Errorf("an activity: %v", err)
	}
	if _, err := s.Read(t.Context(), "none", ""); !errors.Is(err, connectors.ErrMalformed) {
		t.Errorf("an unknown stream: %v", err)
	}
}

func TestAnAttachmentKeptAsAnIDIsCompletedFirst(t *testing.T) {
	for _, tc := range []struct{ name, id, metadata, body, mime, path, want string }{
		{"a file", "claude_file_01Example", `{"filename":"a.csv","mime_type":"text/csv","size_bytes":3}`, "1,2", "text/csv",
			"apps/chats/files/claude_file_01Example", "name a.csv|file 1,2"},
		{"a generated file", "claude_gen_file_01Example", `{"filename":"b.txt"}`, "b", "text/plain",
			"apps/chats/generated-files/claude_gen_file_01Example", "name b.txt|file b"},
		{"an artifact as text", "claude_artifact_version_01Example", `{"title":"T","artifact_type":"text/markdown"}`, `{"content":"not a wrapper"}`, "text/plain",
			"apps/artifacts/claude_artifact_version_01Example", `name T|file {"content":"not a wrapper"}`},
		{"an artifact in JSON", "claude_artifact_version_01Example", `{"title":null}`, `{"content":"inside"}`, "application/json; charset=utf-8",
			"apps/artifacts/claude_artifact_version_01Example", "file inside"},
		{"an artifact that is JSON", "claude_artifact_version_01Example", `{}`, `{"content":[1]}`, "application/json",
			"apps/artifacts/claude_artifact_version_01Example", `file {"content":[1]}`},
		{"an id with a slash", "claude_file_../x", `{}`, "x", "", "apps/chats/files/claude_file_..%2Fx", "file x"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var paths []string
			s := open(memory{
				json: func(path string, _ url.Values) (string, error) {
					paths = append(paths, path)
					return tc.metadata, nil
				},
				download: func(path string) (*connectors.Download, error) {
					paths = append(paths, path)
					return &connectors.Download{Body: io.NopCloser(strings.NewReader(tc.body)), MIME: tc.mime}, nil
				},
			}).(*source)
			got, err := texts(t, s, connectors.Item{Kind: connectors.KindFile, ID: tc.id})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tc.want, strings.Join(got, "|")); diff != "" {
				t.Errorf("parts (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{root + tc.path, root + tc.path + "/content"}, paths); diff != "" {
				t.Errorf("paths (-want +got):\n%s", diff)
			}
		})
	}
}
