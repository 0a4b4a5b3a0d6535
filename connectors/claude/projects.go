package claude

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
)

// project is a project of the list, and with its last fields the detail of one.
type project struct {
	ID               string `json:"id"`
	Name             string `json:"name"`
	CreatedAt        string `json:"created_at"`
	UpdatedAt        string `json:"updated_at"`
	DeletedAt        string `json:"deleted_at"`
	IsPrivate        bool   `json:"is_private"`
	OrganizationUUID string `json:"organization_uuid"`
	User             person `json:"user"` // null: the account is gone

	Description  string `json:"description"`
	Instructions string `json:"instructions"`
	Attachments  *int64 `json:"attachments_count"`
}

// Visibilities of a project.
const (
	visiblePrivate      = "private"
	visibleOrganization = "organization"
)

func projectRow(raw []byte) (connectors.Item, bool) {
	var p project
	if json.Unmarshal(raw, &p) != nil || p.ID == "" {
		return connectors.Item{}, false
	}
	return p.item(), true
}

func (p *project) item() connectors.Item {
	it := connectors.Item{Kind: connectors.KindProject, ID: p.ID, Actor: p.User.actor(), Resource: p.resource()}
	changed(&it, p.CreatedAt, p.UpdatedAt, p.DeletedAt)
	return it
}

func (p *project) resource() connectors.Resource {
	r := connectors.Resource{Kind: connectors.KindProject, ID: p.ID, Name: p.Name, Owner: p.User.ID, Visibility: visibleOrganization, Project: p.ID}
	if p.IsPrivate {
		r.Visibility = visiblePrivate
	}
	return r
}

// attachmentRow is a file or a document of a project.
type attachmentRow struct {
	attachment
	Type      string `json:"type"`
	UpdatedAt string `json:"updated_at"`
}

const documentPrefix = "claude_proj_doc_"

// fetchProject gives the texts of a project and then its attachments, which are items of their own.
func (s *source) fetchProject(ctx context.Context, item connectors.Item, yield func(connectors.Part) bool) error {
	base := root + "apps/projects/" + segment(item.ID)
	var p project
	if err := s.client.GetJSON(ctx, base, nil, &p); err != nil {
		return err
	}
	if p.ID == "" {
		return malformed("the reply has no project")
	}
	if p.DeletedAt != "" {
		return &connectors.Error{Kind: connectors.KindGone, Code: connectors.CodeGone, Message: "The project was deleted, and its content with it."}
	}
	whole := p.item()
	whole.ID, whole.Resource.ID, whole.Resource.Project = item.ID, item.ID, item.ID
	of := connectors.Ref{Kind: connectors.KindProject, ID: item.ID}
	for _, t := range []struct{ kind, path, text string }{
		{connectors.PartName, "name", p.Name}, {connectors.PartInstructions, "description", p.Description}, {connectors.PartInstructions, "instructions", p.Instructions},
	} {
		if t.text != "" && !yield(textPart(t.kind, of, t.path, t.text, whole.At)) {
			return errStopped
		}
	}
	if p.Attachments != nil && *p.Attachments == 0 {
		return nil // There is no list to ask for.
	}
	var at place
	for bad := 0; ; {
		got, err := s.page(ctx, base+"/attachments", byToken, url.Values{}, attachmentsAtOnce, at.Page)
		if err != nil {
			return err
		}
		for _, raw := range got.Data {
			var a attachmentRow
			if json.Unmarshal(raw, &a) != nil || a.ID == "" {
				bad++
				continue
			}
			child := a.item(whole)
			if !yield(connectors.Part{Kind: partOf(child.Kind), Resource: connectors.Ref{Kind: child.Kind, ID: child.ID}, Child: &child}) {
				return errStopped
			}
		}
		next, err := got.next(byToken)
		if err != nil {
			return err
		}
		if next == "" {
			if bad > 0 {
				return malformed(fmt.Sprintf("%d attachments cannot be read", bad))
			}
			return nil
		}
		if err := at.advance(next); err != nil {
			return err
		}
	}
}

// attachmentsAtOnce is the most that the list of attachments gives.
const attachmentsAtOnce = 100

func partOf(kind string) string {
	if kind == connectors.KindDocument {
		return connectors.PartDocument
	}
	return connectors.PartFile
}

// item makes the item of an attachment. The list has no digest of documents and, so far, no time of their change: one that changes is named by an activity
// (Activity.Touches), and each is fetched whenever its project is.
func (a *attachmentRow) item(of connectors.Item) connectors.Item {
	f := a.file()
	it := connectors.Item{
		Kind: connectors.KindFile, ID: a.ID, Version: fmt.Sprintf("%s/%d", f.MD5, f.Size), At: moment(a.CreatedAt),
		Resource: of.Resource, Actor: of.Actor, File: f, Unsure: unsure(f),
	}
	if a.Type == "project_doc" || strings.HasPrefix(a.ID, documentPrefix) {
		it.Kind, it.Unsure = connectors.KindDocument, a.UpdatedAt == ""
		it.Version = either(a.UpdatedAt, a.CreatedAt, "1")
		if at := moment(it.Version); !at.IsZero() {
			it.Version = at.Format(time.RFC3339Nano)
		}
	}
	return it
}

// fetchDocument gives the name and the text of a document of a project.
func (s *source) fetchDocument(ctx context.Context, item connectors.Item, yield func(connectors.Part) bool) error {
	if strings.HasPrefix(item.ID, preferencesPrefix) {
		return s.fetchPreferences(ctx, item, yield)
	}
	var d struct {
		Filename  string  `json:"filename"`
		Content   *string `json:"content"`
		CreatedAt string  `json:"created_at"`
	}
	if err := s.client.GetJSON(ctx, root+"apps/projects/documents/"+segment(item.ID), nil, &d); err != nil {
		return err
	}
	if d.Content == nil {
		return malformed("the document has no content")
	}
	at := moment(d.CreatedAt)
	if at.IsZero() {
		at = item.At
	}
	of := connectors.Ref{Kind: connectors.KindDocument, ID: item.ID}
	if d.Filename != "" && !yield(textPart(connectors.PartName, of, "name", d.Filename, at)) {
		return errStopped
	}
	content := textPart(connectors.PartDocument, of, "content", *d.Content, at)
	content.Name = d.Filename
	if !yield(content) {
		return errStopped
	}
	return nil
}
