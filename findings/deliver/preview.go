package deliver

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// Preview is a call as a destination would get it.
type Preview struct {
	EventID string
	Type    string // of the event
	Header  http.Header
	Body    []byte
}

// PreviewKey is the key that previews are signed with: 32 zero bytes. It is no secret, so that the signature can be checked by anybody and says
// nothing about the key of a destination (invariant 8).
func PreviewKey() secret.Value {
	return secret.NewValue(keyPrefix + base64.StdEncoding.EncodeToString(make([]byte, 32)))
}

// Preview renders the newest event of a finding as Step would send it now, signed with PreviewKey. It sends and stores nothing. A finding without a
// row in the log is ErrNoEvent.
func (d *Deliverer) Preview(ctx context.Context, findingID string) (Preview, error) {
	var x delivery
	var typ string
	var epoch, findingSeq int64
	err := d.deps.DB.Read().QueryRowContext(ctx, `SELECT seq, epoch, finding_id, finding_seq, type FROM finding_log WHERE workspace_id = $1 AND finding_id = $2 ORDER BY finding_seq DESC, epoch DESC LIMIT 1`,
		store.Workspace, findingID).Scan(&x.seq, &epoch, &x.findingID, &findingSeq, &typ)
	if errors.Is(err, sql.ErrNoRows) {
		return Preview{}, ErrNoEvent
	}
	if err != nil {
		return Preview{}, fmt.Errorf("read the finding log: %w", err)
	}
	x.eventID = d.deps.Keys.EventID(x.findingID, findingSeq, epoch)
	body, gone, err := d.body(ctx, x)
	if err != nil {
		return Preview{}, err
	}
	if gone {
		return Preview{}, ErrNoEvent
	}
	return d.preview(x.eventID, typ, body)
}

// ErrNoEvent is the error of a preview of a finding that the log says nothing of.
var ErrNoEvent = errors.New("the finding log has no event of this finding")

// Example renders the event of a made-up finding, for when there is none to show.
func (d *Deliverer) Example() (Preview, error) {
	const id = "fnd_example0000000000000000000"
	now := d.deps.Now()
	at := findings.TimeOf(now.Add(-time.Minute))
	chat := findings.Resource{Kind: "chat", ID: "chat_example", URL: "https://app.example.com/chat/chat_example", Name: "Example chat"}
	x := findings.Finding{
		ID: id, PolicyID: "content.example", PolicyVersion: 1, Kind: "content", Severity: "high", Status: findings.StatusOpen, Source: findings.SourcePresent,
		Title: "Example finding, made up for this preview", ConnectionID: "con_example", Connector: "example", Resource: chat,
		Actor: findings.Person{ID: "user_example", Email: "person@example.com"}, FirstSeenAt: at, LastSeenAt: at, OccurredAt: at, LastOccurredAt: at,
		Detectors: []string{"secret.example"}, InstanceCount: 1, Sequence: 1,
		Instances: []findings.Instance{{
			ID: "ins_example0000000000000000000", Resource: findings.Ref{Kind: "message", ID: "message_example"},
			Location: findings.Location{Part: "user_text", MessageID: "message_example", Path: "content/0", Line: 1, Start: 16, End: 40},
			Detector: "secret.example", Confidence: 0.95, Validated: true, Masked: "ex**********************", Before: "xxx xxxxxxx xx ", Context: []string{"key"},
			Count: 1, OccurredAt: at, FirstSeenAt: at,
		}},
	}
	if d.deps.PublicURL != "" {
		x.Link = d.deps.PublicURL + "/findings/" + id
	}
	body, err := render(findings.TypeCreated, at, x)
	if err != nil {
		return Preview{}, err
	}
	return d.preview("evt_example0000000000000000000", findings.TypeCreated, body)
}

func (d *Deliverer) preview(eventID, typ string, body []byte) (Preview, error) {
	key, err := decodeKey(PreviewKey())
	if err != nil {
		return Preview{}, err
	}
	return Preview{EventID: eventID, Type: typ, Header: d.header(key, eventID, d.deps.Now(), body), Body: body}, nil
}
