package claude

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/outband/outband/connectors"
)

// codeArtifact is a published page, or a document of Claude Docs.
type codeArtifact struct {
	ID                 string `json:"id"`
	OrganizationUUID   string `json:"organization_uuid"`
	OwnerUserID        string `json:"owner_user_id"`
	User               person `json:"user"`
	PublishedVersionID string `json:"published_version_id"`
	ReadMode           string `json:"read_mode"`
	UpdatedAt          string `json:"updated_at"`
	ArtifactType       string `json:"artifact_type"`
	Versions           []struct {
		ID        string `json:"id"`
		CreatedAt string `json:"created_at"`
		Name      string `json:"name"`
	} `json:"versions"`
}

// claudeDocs is the type of artifacts that have no versions and are read as a whole.
const claudeDocs = "claude_docs"

func codeArtifactRow(raw []byte) (connectors.Item, bool) {
	var c codeArtifact
	if json.Unmarshal(raw, &c) != nil || c.ID == "" {
		return connectors.Item{}, false
	}
	version, name := c.version()
	who := c.User.actor()
	if who.ID == "" && c.OwnerUserID != "" {
		who = connectors.Actor{ID: c.OwnerUserID, Type: "user"}
	}
	it := record(connectors.KindCodeArtifact, c.ID, wholeTenant, name, moment(c.UpdatedAt), who, facts{
		"organization": c.OrganizationUUID, "read_mode": c.ReadMode, "artifact_type": c.ArtifactType, "published": c.PublishedVersionID != "",
	})
	it.Kind, it.Resource.Visibility = connectors.KindCodeArtifact, c.ReadMode
	at := c.UpdatedAt
	if !it.At.IsZero() {
		at = strconv.FormatInt(it.At.UnixMicro(), 10)
	}
	// What Fetch needs stands in the version, since there is no call for one artifact.
	it.Version = strings.Join([]string{c.ArtifactType, version, at}, "/")
	return it, true
}

// version returns the published version and its name; of an artifact that is not published the newest.
func (c *codeArtifact) version() (id, name string) {
	id = c.PublishedVersionID
	if id == "" {
		newest := ""
		for _, v := range c.Versions {
			if at := timeField(v.CreatedAt); id == "" || at > newest {
				id, newest = v.ID, at
			}
		}
	}
	for _, v := range c.Versions {
		if v.ID == id {
			name = v.Name
		}
	}
	return id, name
}

// fetchCodeArtifact gives the name and the content of the version that the item's list row named.
func (s *source) fetchCodeArtifact(item connectors.Item, yield func(connectors.Part) bool) error {
	kind, rest, _ := strings.Cut(item.Version, "/")
	version := rest
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		version = rest[:i]
	}
	path, query, mime := root+"apps/code/artifacts/"+segment(item.ID), url.Values(nil), ""
	of := connectors.Ref{Kind: "artifact", ID: item.ID}
	switch {
	case kind == claudeDocs:
		path, query, mime = path+"/content", url.Values{"multi_file_format": {"zip"}}, "application/zip"
	case version == "":
		if !yield(connectors.Part{Kind: connectors.PartFile, Resource: of, At: item.At, Skipped: "no_version"}) {
			return errStopped
		}
		return nil
	default:
		path += "/versions/" + segment(version)
		of.ID += "/" + version
	}
	name := item.Resource.Name
	if name != "" && !yield(textPart(connectors.PartName, of, "name", name, item.At)) {
		return errStopped
	}
	content := connectors.Part{Kind: connectors.PartFile, Resource: of, Path: "content", At: item.At, Name: name, MIME: mime, Size: -1,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			d, err := s.client.Download(ctx, path, query)
			if err != nil {
				return nil, err
			}
			return d.Body, nil
		}}
	if !yield(content) {
		return errStopped
	}
	return nil
}
