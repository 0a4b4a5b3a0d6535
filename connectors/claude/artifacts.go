package claude

import (
	"encoding/json"
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

// pagePrefix begins the ids of the files that hold the content of published pages. What follows is where it is: the artifact and its version, or the
// artifact alone.
const pagePrefix = "code/artifacts/"

// pageVersion begins the versions of these files: an id that is not one of a page is then a mistake, and not the id of a file in a chat.
const pageVersion = "page/"

// pageID names the content of an artifact; without a version it is the whole of a document.
func pageID(artifact, version string) string {
	if version == "" {
		return pagePrefix + segment(artifact) + "/content"
	}
	return pagePrefix + segment(artifact) + "/versions/" + segment(version)
}

// pageOf reads an id again.
func pageOf(id string) (artifact, version string, ok bool) {
	rest, ok := strings.CutPrefix(id, pagePrefix)
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 2 && len(parts) != 3 || len(parts) == 2 && parts[1] != "content" || len(parts) == 3 && parts[1] != "versions" {
		return "", "", false
	}
	artifact, err := url.PathUnescape(parts[0])
	if err == nil && len(parts) == 3 {
		version, err = url.PathUnescape(parts[2])
	}
	return artifact, version, err == nil && artifact != "" && (version != "" || len(parts) == 2) && id == pageID(artifact, version)
}

// fetchCodeArtifact gives the content of the version that the item's list row named, as a file: it may be anything, and of any size.
func (s *source) fetchCodeArtifact(item connectors.Item, yield func(connectors.Part) bool) error {
	kind, rest, _ := strings.Cut(item.Version, "/")
	version, at := rest, ""
	if i := strings.LastIndexByte(rest, '/'); i >= 0 {
		version, at = rest[:i], rest[i+1:]
	}
	child := connectors.Item{
		Kind: connectors.KindFile, Version: pageVersion, At: item.At, Resource: item.Resource, Actor: item.Actor,
		File: &connectors.File{Name: item.Resource.Name, Size: -1},
	}
	switch {
	case kind == claudeDocs:
		// A document has no versions: it changes in its place, and comes as an archive of its tabs.
		child.ID, child.Version, child.File.MIME = pageID(item.ID, ""), pageVersion+at, "application/zip"
	case version == "":
		if !yield(connectors.Part{Kind: connectors.PartFile, Resource: connectors.Ref{Kind: "artifact", ID: item.ID}, At: item.At, Skipped: "no_version"}) {
			return errStopped
		}
		return nil
	default:
		child.ID = pageID(item.ID, version)
	}
	if !yield(connectors.Part{Kind: connectors.PartFile, Resource: reference(child.ID), Child: &child}) {
		return errStopped
	}
	return nil
}
