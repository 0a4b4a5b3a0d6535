package claude

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/url"
	"strings"

	"github.com/outband/outband/connectors"
)

// attachment is a file, a generated file or an artifact, in a message and as metadata of its own.
type attachment struct {
	ID           string   `json:"id"`
	VersionID    string   `json:"version_id"` // of artifacts: each revision has one
	Filename     string   `json:"filename"`
	Title        string   `json:"title"` // of artifacts
	MIMEType     string   `json:"mime_type"`
	ArtifactType string   `json:"artifact_type"`
	SizeBytes    *float64 `json:"size_bytes"`
	MD5          string   `json:"md5"`
	CreatedAt    string   `json:"created_at"`
}

// Prefixes of ids tell what an attachment is, also when nothing but its id was kept.
const (
	generatedPrefix = "claude_gen_file_"
	artifactPrefix  = "claude_artifact_version_"
)

// metadata returns the path of an attachment's metadata.
func metadata(id string) string {
	switch {
	case strings.HasPrefix(id, generatedPrefix):
		return root + "apps/chats/generated-files/" + segment(id)
	case strings.HasPrefix(id, artifactPrefix):
		return root + "apps/artifacts/" + segment(id)
	}
	return root + "apps/chats/files/" + segment(id)
}

func reference(id string) connectors.Ref {
	if artifact, version, ok := pageOf(id); ok {
		return connectors.Ref{Kind: "artifact", ID: strings.TrimSuffix(artifact+"/"+version, "/")}
	}
	if strings.HasPrefix(id, artifactPrefix) {
		return connectors.Ref{Kind: "artifact", ID: id}
	}
	return connectors.Ref{Kind: connectors.KindFile, ID: id}
}

// unsure reports whether the row of a file names no bytes: a fetch is skipped for a known id, size and digest only.
func unsure(f *connectors.File) bool { return f.MD5 == "" || f.Size < 0 }

// file returns what is known before the content is fetched.
func (a *attachment) file() *connectors.File {
	f := &connectors.File{Name: a.Filename, MIME: a.MIMEType, Size: -1, MD5: strings.ToLower(a.MD5)}
	if f.Name == "" {
		f.Name = a.Title
	}
	if f.MIME == "" {
		f.MIME = a.ArtifactType
	}
	if n := a.SizeBytes; n != nil && *n >= 0 && *n < 1<<50 {
		f.Size = int64(*n)
	}
	return f
}

// children gives the attachments of a message as items of their own. A finding in one points to the chat.
func (m *message) children(chat connectors.Item, bad *int, yield func(connectors.Part) bool) bool {
	for _, list := range [][]attachment{m.Files, m.GeneratedFiles, m.Artifacts} {
		for _, a := range list {
			id := a.ID
			if strings.HasPrefix(id, "claude_artifact_") || a.VersionID != "" {
				id = a.VersionID
			}
			if id == "" {
				*bad++
				continue
			}
			f := a.file()
			item := connectors.Item{
				Kind: connectors.KindFile, ID: id, Version: fmt.Sprintf("%s/%d", f.MD5, f.Size), At: moment(a.CreatedAt),
				Resource: chat.Resource, Actor: chat.Actor, File: f, Unsure: unsure(f),
			}
			if item.At.IsZero() {
				item.At = moment(m.CreatedAt)
			}
			if !yield(connectors.Part{Kind: connectors.PartFile, Resource: reference(id), Child: &item}) {
				return false
			}
		}
	}
	return true
}

// fetchFile gives the name and the content of an attachment. An item that was kept as an id only is completed from its metadata first.
func (s *source) fetchFile(ctx context.Context, item connectors.Item, yield func(connectors.Part) bool) error {
	f := item.File
	_, _, page := pageOf(item.ID)
	if !page && (strings.HasPrefix(item.Version, pageVersion) || strings.HasPrefix(item.ID, pagePrefix)) {
		return malformed("the id is not one of a page")
	}
	if f == nil && page {
		f = &connectors.File{Size: -1} // There is no call for what is known of one page.
	}
	if f == nil {
		var got attachment
		if err := s.client.GetJSON(ctx, metadata(item.ID), nil, &got); err != nil {
			return err
		}
		f = got.file()
		if item.At.IsZero() {
			item.At = moment(got.CreatedAt)
		}
	}
	of := reference(item.ID)
	if f.Name != "" && !yield(textPart(connectors.PartName, of, "name", f.Name, item.At)) {
		return errStopped
	}
	content := connectors.Part{Kind: connectors.PartFile, Resource: of, At: item.At, Name: f.Name, MIME: f.MIME, Size: f.Size,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return s.open(ctx, item.ID) }}
	if page {
		content.Path = "content"
	}
	if strings.HasPrefix(item.ID, artifactPrefix) && !strings.HasPrefix(f.MIME, "text/") {
		content.MIME = "text/plain" // Artifacts are text; their types name a program of the vendor.
	}
	if !yield(content) {
		return errStopped
	}
	return nil
}

func (s *source) open(ctx context.Context, id string) (io.ReadCloser, error) {
	path, query := metadata(id)+"/content", url.Values(nil)
	if _, version, ok := pageOf(id); ok {
		path = root + "apps/" + id
		if version == "" {
			query = url.Values{"multi_file_format": {"zip"}}
		}
	}
	d, err := s.client.Download(ctx, path, query)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(id, artifactPrefix) {
		return d.Body, nil
	}
	return artifactText(d)
}

// artifactText returns the text of an artifact, which is documented both as the body and as the field content of a JSON body.
func artifactText(d *connectors.Download) (io.ReadCloser, error) {
	if t, _, err := mime.ParseMediaType(d.MIME); err != nil || t != "application/json" {
		return d.Body, nil
	}
	body, err := io.ReadAll(d.Body)
	if err != nil {
		// The error of reading says more than one of closing.
		_ = d.Body.Close()
		return nil, err
	}
	if err := d.Body.Close(); err != nil {
		return nil, err
	}
	var wrapped struct {
		Content *string `json:"content"`
	}
	if json.Unmarshal(body, &wrapped) == nil && wrapped.Content != nil {
		body = []byte(*wrapped.Content)
	}
	return io.NopCloser(bytes.NewReader(body)), nil
}
