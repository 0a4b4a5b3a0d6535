package acme

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/outband/outband/connectors"
)

// errStopped says that the caller wants no more parts; it does not leave the package.
var errStopped = errors.New("stopped")

// Fetch implements connectors.Fetcher.
func (s *source) Fetch(ctx context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	return func(yield func(connectors.Part, error) bool) {
		give := func(p connectors.Part) bool { return yield(p, nil) }
		err := malformed("an item of this kind has no parts")
		switch item.Kind {
		case connectors.KindChat:
			err = s.fetchChat(ctx, item, give)
		case connectors.KindFile:
			err = s.fetchFile(ctx, item, give)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(connectors.Part{}, err)
		}
	}
}

type message struct {
	ID     string           `json:"id"`
	Role   string           `json:"role"`
	SentAt string           `json:"sent_at"`
	Blocks []map[string]any `json:"blocks"`
	Files  []struct {
		ID   string `json:"id"`
		Name string `json:"name"`
		Size int64  `json:"size"`
		MD5  string `json:"md5"`
	} `json:"files"`
}

// fetchChat gives the messages after item.Since, the id of the last message that was given. The place they end with is that of the last one now.
func (s *source) fetchChat(ctx context.Context, item connectors.Item, give func(connectors.Part) bool) error {
	slice, again := connectors.Slice{After: item.Since}, false
	if item.Again {
		slice.After, again = "", item.Since != ""
	}
	place, bad := item.Since, 0
	for {
		got, err := s.get(ctx, "chats/"+url.PathEscape(item.ID)+"/messages", 100, slice)
		if err != nil {
			return err
		}
		for _, raw := range got.Rows {
			var m message
			if json.Unmarshal(raw, &m) != nil || m.ID == "" {
				bad++
				continue
			}
			if !m.give(item, again, give) {
				return errStopped
			}
			if place = m.ID; m.ID == item.Since {
				again = false
			}
		}
		if !got.More {
			break
		}
		slice.After = got.Last
	}
	if bad > 0 {
		return malformed(strconv.Itoa(bad) + " messages cannot be read")
	}
	if place != "" && !give(connectors.Part{Kind: connectors.PartPlace, Resource: ref(connectors.KindChat, item.ID), Path: place}) {
		return errStopped
	}
	return nil
}

func (m message) give(chat connectors.Item, again bool, give func(connectors.Part) bool) bool {
	at, _ := connectors.ParseTime(m.SentAt) // The time of a message is a help for people; zero says that it cannot be read.
	for i, block := range m.Blocks {
		text, ok := block["text"].(string)
		if block["type"] != "text" || !ok {
			b, err := json.Marshal(block)
			if err != nil {
				continue // What was decoded can be encoded.
			}
			text = string(b) // Of a block that is not known, its JSON: nothing is passed over in silence.
		}
		p := textPart(connectors.PartAssistantText, ref("message", m.ID), "blocks/"+strconv.Itoa(i), text)
		if p.At, p.Role, p.Again = at, m.Role, again; m.Role == "user" {
			p.Kind = connectors.PartUserText
		}
		if !give(p) {
			return false
		}
	}
	for _, f := range m.Files {
		child := connectors.Item{
			Kind: connectors.KindFile, ID: f.ID, Version: f.MD5 + "/" + strconv.FormatInt(f.Size, 10), Unsure: f.MD5 == "", At: at, Resource: chat.Resource, Actor: chat.Actor,
			File: &connectors.File{Name: f.Name, Size: f.Size, MD5: f.MD5},
		}
		if !give(connectors.Part{Kind: connectors.PartFile, Resource: ref(connectors.KindFile, f.ID), Again: again, Child: &child}) {
			return false
		}
	}
	return true
}

func (s *source) fetchFile(_ context.Context, item connectors.Item, give func(connectors.Part) bool) error {
	file := ref(connectors.KindFile, item.ID)
	if item.File != nil && item.File.Name != "" && !give(textPart(connectors.PartName, file, "name", item.File.Name)) {
		return errStopped
	}
	open := func(ctx context.Context) (io.ReadCloser, error) {
		d, err := s.client.Download(ctx, "v1/files/"+url.PathEscape(item.ID)+"/content", nil)
		if err != nil {
			return nil, err
		}
		return d.Body, nil
	}
	if !give(connectors.Part{Kind: connectors.PartFile, Resource: file, Path: "content", Size: -1, Open: open}) {
		return errStopped
	}
	return nil
}

func textPart(kind string, of connectors.Ref, path, text string) connectors.Part {
	return connectors.Part{
		Kind: kind, Resource: of, Path: path, MIME: "text/plain", Size: int64(len(text)),
		Open: func(context.Context) (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil },
	}
}

func ref(kind, id string) connectors.Ref { return connectors.Ref{Kind: kind, ID: id} }

// Test implements connectors.Tester.
func (s *source) Test(ctx context.Context, report func(connectors.Step)) (connectors.Account, error) {
	account := connectors.Account{KeyKind: s.client.KeyHint()}
	key := connectors.Step{Name: "key", Title: "Form of the token", State: connectors.StepOK, Message: "The token looks like one for the audit API."}
	if account.KeyKind == "" {
		key.State, key.Code, key.Message = connectors.StepWarning, connectors.CodeKeyUnrecognized, "The token does not begin like one for the audit API (acme-audit-)."
	}
	report(key)
	var me struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	begun := time.Now()
	watched, way := connectors.WatchWay(ctx, s.client.Config(connectors.ConfigBaseURL), report)
	err := s.client.GetJSON(watched, "v1/me", nil, &me)
	if way.End(err) {
		return account, err
	}
	if err == nil && me.ID == "" {
		err = malformed("the reply names no account")
	}
	if !step(report, "auth", "Sign-in with the token", begun, err) {
		return account, err
	}
	account.ID, account.Name = me.ID, me.Name
	for _, probe := range []struct{ stream, title string }{{"chats", "Chats and files"}, {"events", "Audit log"}} {
		begun := time.Now()
		_, err := s.get(ctx, probe.stream, 1, connectors.Slice{})
		if !step(report, probe.stream, probe.title, begun, err) {
			return account, err
		}
		account.Streams = append(account.Streams, probe.stream)
	}
	return account, nil
}

// step reports how a call ended, and whether the test goes on.
func step(report func(connectors.Step), name, title string, begun time.Time, err error) bool {
	s := connectors.Step{Name: name, Title: title, State: connectors.StepOK, MS: time.Since(begun).Milliseconds(), Message: "It can be read."}
	if err != nil {
		s.State, s.Message = connectors.StepFailed, "The test was stopped."
		var e *connectors.Error
		if errors.As(err, &e) {
			s.Code, s.Message = e.Code, e.Message
		}
	}
	report(s)
	return err == nil
}
