package connectortest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/url"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/connectors/connectortest/internal/acme"
)

// whole is a source with everything that a source can have.
type wholeSource interface {
	connectors.Source
	connectors.Fetcher
	connectors.Tester
	connectors.Estimator
}

// mutant is Acme's connector with one promise broken. What is nil is as it is there.
type mutant struct {
	check, name string

	manifest [2]string // old text, new text
	mapError func(connectors.Reply) *connectors.Error
	open     func(m *mutated)                                                                                       // the source was just opened
	client   func(ctx context.Context, m *mutated, path string, query url.Values, into any) error                   // instead of GetJSON
	reply    func(m *mutated, path string, query url.Values, doc any) any                                           // changes a JSON reply
	page     func(m *mutated, stream string, after connectors.Cursor, p *connectors.Page)                           // changes what Read gives
	read     func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) // instead of Read
	part     func(m *mutated, item connectors.Item, p *connectors.Part)                                             // changes each part
	fetch    func(ctx context.Context, m *mutated, item connectors.Item, yield func(connectors.Part, error) bool)   // instead of Fetch
	test     func(ctx context.Context, m *mutated, report func(connectors.Step)) (connectors.Account, error)        // instead of Test
	estimate func(ctx context.Context, m *mutated, from, to time.Time) (connectors.Estimate, error)                 // instead of Estimate
}

func (m mutant) connector() connectors.Connector {
	c := acme.Connector
	if m.manifest[0] != "" {
		c.Manifest = bytes.Replace(c.Manifest, []byte(m.manifest[0]), []byte(m.manifest[1]), 1)
	}
	c.MapError = m.mapError
	c.Open = func(client connectors.Client) connectors.Source {
		s := &mutated{mutant: m, raw: client, state: map[string]int{}}
		s.inner = acme.Connector.Open(&mutatedClient{client, s}).(wholeSource)
		if m.open != nil {
			m.open(s)
		}
		return s
	}
	return c
}

// mutated is the source of a mutant.
type mutated struct {
	mutant
	raw   connectors.Client
	inner wholeSource
	state map[string]int // what a source must not have
	last  any            // the last JSON reply
}

// Read implements connectors.Source.
func (m *mutated) Read(ctx context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
	read := m.inner.Read
	if m.read != nil {
		read = func(ctx context.Context, stream string, after connectors.Cursor) (connectors.Page, error) {
			return m.read(ctx, m, stream, after)
		}
	}
	page, err := read(ctx, stream, after)
	if err == nil && m.page != nil {
		m.page(m, stream, after, &page)
	}
	return page, err
}

// Fetch implements connectors.Fetcher.
func (m *mutated) Fetch(ctx context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	return func(yield func(connectors.Part, error) bool) {
		if m.fetch != nil {
			m.fetch(ctx, m, item, yield)
			return
		}
		for p, err := range m.inner.Fetch(ctx, item) {
			if err == nil && m.part != nil {
				m.part(m, item, &p)
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

// Test implements connectors.Tester.
func (m *mutated) Test(ctx context.Context, report func(connectors.Step)) (connectors.Account, error) {
	if m.test != nil {
		return m.test(ctx, m, report)
	}
	return m.inner.Test(ctx, report)
}

// Estimate implements connectors.Estimator.
func (m *mutated) Estimate(ctx context.Context, from, to time.Time) (connectors.Estimate, error) {
	if m.estimate != nil {
		return m.estimate(ctx, m, from, to)
	}
	return m.inner.Estimate(ctx, from, to)
}

// mutatedClient is the client that Acme's source gets in a mutant.
type mutatedClient struct {
	connectors.Client
	m *mutated
}

// GetJSON implements connectors.Client.
func (c *mutatedClient) GetJSON(ctx context.Context, path string, query url.Values, into any) error {
	if c.m.client != nil {
		return c.m.client(ctx, c.m, path, query, into)
	}
	if c.m.reply == nil {
		return c.Client.GetJSON(ctx, path, query, into)
	}
	var raw json.RawMessage
	if err := c.Client.GetJSON(ctx, path, query, &raw); err != nil {
		return err
	}
	doc, _ := decode(raw)
	if doc = c.m.reply(c.m, path, query, doc); doc == nil {
		return malformedReply()
	}
	return json.Unmarshal(encode(doc), into)
}

func malformedReply() error {
	return &connectors.Error{Kind: connectors.KindMalformed, Code: connectors.CodeMalformed, Message: "Acme gave a reply that does not follow its documentation.", Err: errors.New("a mutant")}
}

// eachItem changes every item of a page.
func eachItem(change func(m *mutated, item *connectors.Item)) func(*mutated, string, connectors.Cursor, *connectors.Page) {
	return func(m *mutated, _ string, _ connectors.Cursor, p *connectors.Page) {
		for i := range p.Items {
			change(m, &p.Items[i])
		}
	}
}

// asKind gives a status another meaning.
func asKind(status int, kind connectors.Kind) func(connectors.Reply) *connectors.Error {
	return func(r connectors.Reply) *connectors.Error {
		if r.Status != status {
			return nil
		}
		return &connectors.Error{Kind: kind, Code: connectors.CodeMalformed, Message: "Something is wrong."}
	}
}

// otherError changes the errors of Read.
func otherError(change func(*connectors.Error) error) func(context.Context, *mutated, string, connectors.Cursor) (connectors.Page, error) {
	return func(ctx context.Context, m *mutated, stream string, after connectors.Cursor) (connectors.Page, error) {
		page, err := m.inner.Read(ctx, stream, after)
		var e *connectors.Error
		if errors.As(err, &e) {
			return page, change(e)
		}
		return page, err
	}
}

// swallowing ends a Fetch in silence where an error is one of those chosen.
func swallowing(chosen func(given int, err error) bool) func(context.Context, *mutated, connectors.Item, func(connectors.Part, error) bool) {
	return func(ctx context.Context, m *mutated, item connectors.Item, yield func(connectors.Part, error) bool) {
		given := 0
		for p, err := range m.inner.Fetch(ctx, item) {
			if err != nil && chosen(given, err) {
				return
			}
			if given++; !yield(p, err) {
				return
			}
		}
	}
}
