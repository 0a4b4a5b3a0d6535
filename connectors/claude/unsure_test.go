package claude

import (
	"net/url"
	"strings"
	"testing"

	"github.com/outband/outband/connectors"
)

// TestAnAttachmentWithoutADigestIsUnsure reads the attachments of a chat and of a project: only id, size and digest together name the bytes of a file.
func TestAnAttachmentWithoutADigestIsUnsure(t *testing.T) {
	const md5 = `"md5":"900150983cd24fb0d6963f7d28e17f72"`
	for _, tc := range []struct {
		name, list, row string
		unsure          bool
	}{
		{"a file with size and digest", "files", `{"id":"claude_file_1","size_bytes":3,` + md5 + `}`, false},
		{"a file without a digest", "files", `{"id":"claude_file_1","size_bytes":3}`, true},
		{"a file whose digest is null", "files", `{"id":"claude_file_1","size_bytes":3,"md5":null}`, true},
		{"a file without a size", "files", `{"id":"claude_file_1","size_bytes":null,` + md5 + `}`, true},
		{"a generated file without a digest", "generated_files", `{"id":"claude_gen_file_1","size_bytes":3,"md5":null}`, true},
		{"an artifact", "artifacts", `{"id":"claude_artifact_1","version_id":"claude_artifact_version_1"}`, true},
		{"a file of a project", "project", `{"type":"project_file","id":"claude_file_1","size_bytes":3,` + md5 + `}`, false},
		{"a file of a project without a digest", "project", `{"type":"project_file","id":"claude_file_1","size_bytes":3}`, true},
		{"a document without a time of change", "project", `{"type":"project_doc","id":"claude_proj_doc_1","created_at":"2026-10-02T09:00:00Z","updated_at":null}`, true},
		{"a document with a time of change", "project", `{"type":"project_doc","id":"claude_proj_doc_1","created_at":"2026-10-02T09:00:00Z","updated_at":"2026-10-03T09:00:00Z"}`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			item := chatItem
			if tc.list == "project" {
				item = connectors.Item{Kind: connectors.KindProject, ID: "claude_proj_1"}
			}
			s := open(memory{json: func(path string, _ url.Values) (string, error) {
				switch {
				case strings.HasSuffix(path, "/attachments"):
					return `{"data":[` + tc.row + `],"has_more":false,"next_page":null}`, nil
				case tc.list == "project":
					return `{"id":"claude_proj_1","name":"P"}`, nil
				}
				return `{"id":"claude_chat_01Example","chat_messages":[{"id":"m1","role":"user","created_at":"2026-11-20T09:15:42Z","content":[],"` + tc.list + `":[` + tc.row + `]}],"has_more":false}`, nil
			}}).(*source)
			n := 0
			for p, err := range s.Fetch(t.Context(), item) {
				if err != nil {
					t.Fatal(err)
				}
				if p.Child == nil {
					continue
				}
				if n++; p.Child.Unsure != tc.unsure || p.Child.Version == "" {
					t.Errorf("%s %q: unsure %v, want %v", p.Child.Kind, p.Child.Version, p.Child.Unsure, tc.unsure)
				}
			}
			if n != 1 {
				t.Errorf("%d children, want one", n)
			}
		})
	}
}
