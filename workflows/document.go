package workflows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/docscan"
	"github.com/outband/outband/dlp/extract"
	documents "github.com/outband/outband/dlp/place"
	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/id"
	"github.com/outband/outband/internal/store"
)

// content is what scanning the bytes of a file gave, wherever they appear and under whatever name: masks and keyed digests only (invariant 4).
type content struct {
	Type    string           `json:"type"`
	Size    int64            `json:"size"`
	Reason  string           `json:"reason,omitempty"`  // why it was not scanned to its end
	Members map[string]int64 `json:"members,omitempty"` // files in it that were not scanned, by reason
	Matches []storedMatch    `json:"matches,omitempty"` // without part and time
	Texts   int              `json:"texts,omitempty"`

	digest string // under which it is to be stored; empty: it is stored, or it cannot be
}

// scanContent scans what a file holds and adds it to the unit. The reason says why it was not scanned, or not to its end; what was found is added all the
// same.
func (p *page) scanContent(ctx context.Context, part connectors.Part, u *unit) (reason string, err error) {
	if part.Size > p.Documents.Limits().File {
		return store.ReasonTooBig, nil
	}
	f := extract.File{Name: u.file.Name, Type: u.file.Type}
	if f.Type == "" {
		f.Type = part.MIME
	}
	scanner := docscan.Scanner{Pool: p.Documents, Engine: p.engine, Keys: p.Keys.Matches}
	var known *content
	var lookup error
	res, err := scanner.ScanAgain(ctx, f, part.Open, func(sum [32]byte, _ int64) bool {
		// Invariant 5: only our own digest says that two files are one; an MD5 of the source can be forged.
		known, lookup = p.known(ctx, sum)
		return known == nil && lookup == nil
	})
	if err = errors.Join(err, lookup); err != nil {
		return "", err
	}
	if known == nil {
		known = p.contentOf(res)
	}
	u.file.Size, u.file.Content, u.file.Mismatch = known.Size, known.Type, extract.Mismatch(f, known.Type)
	u.addContent(known, part)
	return known.Reason, nil
}

// contentDigest is the key under which the result of some bytes is kept: without the installation's key nobody can ask whether a known file was seen.
func (a *Activities) contentDigest(sum [32]byte) string {
	return id.Computed(a.Keys.Findings.ID, "", "content", store.Workspace, hex.EncodeToString(sum[:]))
}

// known is the result of the same bytes under the same rules, nil if there is none.
func (p *page) known(ctx context.Context, sum [32]byte) (*content, error) {
	c, err := store.GetContent(ctx, p.DB.Read(), p.contentDigest(sum), p.engine.Ruleset())
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out content
	if err := json.Unmarshal([]byte(c.Result), &out); err != nil {
		return nil, fmt.Errorf("decode the stored result of a content: %w", err)
	}
	return &out, nil
}

// keep stores the result of a content that was scanned for the first time. It runs in the transaction of the item.
func (p *page) keep(ctx context.Context, tx *store.Tx, u *unit) error {
	for _, c := range u.contents {
		result, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("encode the result of a content: %w", err)
		}
		if err := store.PutContent(ctx, tx, store.Content{Digest: c.digest, Ruleset: p.engine.Ruleset(), Result: string(result)}); err != nil {
			return err
		}
	}
	return nil
}

func (p *page) contentOf(res docscan.Result) *content {
	c := &content{Type: res.Type, Size: res.Size}
	if res.Sum != ([32]byte{}) { // Of a file over the limit there is none: what was read of it says nothing about another one.
		c.digest = p.contentDigest(res.Sum)
	}
	for _, g := range res.Gaps {
		switch {
		case c.Reason == "" && (g.Path == "" || endsItem(g.Reason)):
			c.Reason = g.Reason
		case g.Path != "":
			c.member(g.Reason, 1)
		}
	}
	if res.Cut > 0 {
		c.member(store.ReasonOther, int64(res.Cut))
	}
	for i, m := range res.Matches {
		c.Matches = append(c.Matches, p.storedMatch(m, res.Texts[i]))
		c.Texts = max(c.Texts, res.Texts[i])
	}
	return c
}

func (c *content) member(reason string, n int64) {
	if c.Members == nil {
		c.Members = map[string]int64{}
	}
	c.Members[reason] += n
}

// endsItem reports whether a gap of a member left all that follows it unread.
func endsItem(reason string) bool {
	switch reason {
	case extract.ReasonItemSize, extract.ReasonEntries, extract.ReasonText, extract.ReasonDied, extract.ReasonTime:
		return true
	}
	return false
}

// storedMatch is what is kept of a match in a content; its place is masked (invariant 4).
func (p *page) storedMatch(m dlp.Match, text int) storedMatch {
	m.Where = m.Where.Masked(p.mask)
	path := m.Where.Path
	m.Where.Path = ""
	for _, s := range m.Where.Texts() {
		*s = findings.Shorten(*s, maxPlaceName)
	}
	return storeMatch(m, matchPlace{Path: path, text: text})
}

// maxPlaceName bounds what is kept of the name of a sheet, a property and the like, in bytes.
const maxPlaceName = 256

// fitPath shortens a path that findings would not take. Two paths stay two: in place of its middle stands a digest of it.
func fitPath(path string) string {
	if len(path) <= findings.MaxPath {
		return path
	}
	sum := sha256.Sum256([]byte(path))
	const end = findings.MaxPath/2 - 16
	return strings.ToValidUTF8(path[:end], "") + "…" + hex.EncodeToString(sum[:8]) + "…" + strings.ToValidUTF8(path[len(path)-end:], "")
}

// addContent adds the matches of a content at the place of a part.
func (u *unit) addContent(c *content, part connectors.Part) {
	if u.at.IsZero() {
		u.at = part.At
	}
	for _, s := range c.Matches {
		m, at := s.match()
		at.Part, at.At, at.text = part.Kind, part.At, at.text+u.given
		switch {
		case part.Path == "":
		case at.Path == "":
			at.Path = part.Path
		default:
			at.Path = part.Path + "!/" + at.Path
		}
		at.Path = fitPath(at.Path)
		u.matches, u.places = append(u.matches, m), append(u.places, at)
	}
	u.given += max(c.Texts, 1)
	for reason, n := range c.Members {
		if u.members == nil {
			u.members = map[string]int64{}
		}
		u.members[reason] += n
	}
	if c.digest != "" {
		u.contents = append(u.contents, c)
	}
}

// counted is how the ledger counts a version of a file.
type counted struct {
	Outcome string           `json:"outcome"`
	Reason  string           `json:"reason,omitempty"`
	Members map[string]int64 `json:"members,omitempty"` // in it that were not scanned, by reason
}

// countedAs is how a version is counted already, also while it waits to be read again; nothing if it is not.
func countedAs(old store.Item, version string) (c counted, err error) {
	switch {
	case old.Version != version:
	case old.Counted != "":
		if err := json.Unmarshal([]byte(old.Counted), &c); err != nil {
			return c, fmt.Errorf("decode how a file is counted: %w", err)
		}
	case old.State == store.ItemScanned: // By a release that did not keep it.
		c.Outcome = store.OutcomeScanned
	case old.State == store.ItemSkipped:
		c.Outcome, c.Reason = store.OutcomeSkipped, old.Reason
	}
	return c, nil
}

// stillCounted is what the state of a version that is to be read again keeps of how it is counted.
func stillCounted(old store.Item, version string) (string, error) {
	c, err := countedAs(old, version)
	if err != nil || c.Outcome == "" {
		return "", err
	}
	return c.encode()
}

func (c counted) encode() (string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("encode how a file is counted: %w", err)
	}
	return string(b), nil
}

// recount is how the ledger changes by a file that came to an end, and notes it in its state: a version is counted once, and again in place of its old
// lines when it came to another end under other rules, or by a release that reads more types.
func (p *page) recount(old store.Item, s *store.Item, c store.Count, members map[string]int64) ([]store.Count, error) {
	before, err := countedAs(old, s.Version)
	if err != nil {
		return nil, err
	}
	if before.Outcome == store.OutcomeScanned && c.Reason == store.ReasonDeleted {
		s.Counted, err = stillCounted(old, s.Version)
		return nil, err // It was scanned, if under other rules.
	}
	if s.Counted, err = (counted{c.Outcome, c.Reason, members}).encode(); err != nil {
		return nil, err
	}
	if before.Outcome == "" {
		return append(p.line(nil, c), p.membersOf(c, members)...), nil
	}
	var out []store.Count
	if before.Outcome != c.Outcome || before.Reason != c.Reason {
		gone := c
		gone.Outcome, gone.Reason, gone.N = before.Outcome, before.Reason, -c.N
		out = append(out, gone, c)
	}
	change := maps.Clone(members)
	for reason, n := range before.Members {
		if change == nil {
			change = map[string]int64{}
		}
		change[reason] -= n
	}
	maps.DeleteFunc(change, func(_ string, n int64) bool { return n == 0 })
	return append(out, p.membersOf(c, change)...), nil
}

// membersOf are the lines of what was not scanned in a file, beside the file's own.
func (p *page) membersOf(c store.Count, members map[string]int64) (out []store.Count) {
	for reason, n := range members {
		out = append(out, store.Count{Stream: c.Stream, Unit: unitMember, Outcome: store.OutcomeMember, Reason: reason, At: c.At, N: n})
	}
	return out
}

// unitMember is the unit of the ledger for files inside of files.
const unitMember = "member"

// whereOf is where a match stands, if anything is known of it.
func whereOf(l documents.Location) *documents.Location {
	if l == (documents.Location{}) {
		return nil
	}
	return &l
}
