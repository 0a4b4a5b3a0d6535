package deliver

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/internal/store"
)

// verified fails the test unless the preview's signature fits the key that is shown with it.
func verified(t *testing.T, p Preview) {
	t.Helper()
	verifier, err := standardwebhooks.NewWebhook(PreviewKey().Reveal())
	if err != nil {
		t.Fatal(err)
	}
	if err := verifier.VerifyIgnoringTimestamp(p.Body, p.Header); err != nil {
		t.Error(err)
	}
}

func TestPreviewIsWhatWouldBeSent(t *testing.T) {
	w := newWorld(t, "")
	w.find("c0", 1, 2, 3, 4, 5, 6, 7)
	id := testKeys.FindingID("con_a", findings.Ref{Kind: "chat", ID: "c0"}, "p")
	shown, err := w.d.Preview(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	verified(t, shown)
	if shown.Type != findings.TypeUpdated {
		t.Errorf("the event is %s, want the newest", shown.Type)
	}
	// Send it for real and compare what arrives, but for the signature, which is made with another key.
	var body []byte
	header := http.Header{}
	w.d = w.deliverer(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("webhook-id") == shown.EventID {
			header = r.Header.Clone()
			if body, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
		}
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Header: http.Header{}, Request: r}, nil
	})})
	w.step()
	if !bytes.Equal(shown.Body, body) {
		t.Errorf("the body differs:\n%s\n%s", shown.Body, body)
	}
	if shown.Header.Get("Webhook-Signature") == header.Get("Webhook-Signature") {
		t.Error("the preview is signed with the key of the destination")
	}
	header.Set("Webhook-Signature", shown.Header.Get("Webhook-Signature"))
	if diff := cmp.Diff(header, shown.Header); diff != "" {
		t.Errorf("headers (-sent +shown):\n%s", diff)
	}
	if _, err := w.d.Preview(t.Context(), "fnd_none"); !errors.Is(err, ErrNoEvent) {
		t.Errorf("a finding that is not there: %v, want ErrNoEvent", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestExampleLooksLikeAnEvent(t *testing.T) {
	w := newWorld(t, "")
	p, err := w.d.Example()
	if err != nil {
		t.Fatal(err)
	}
	verified(t, p)
	var event struct {
		Type      string
		Timestamp findings.Time
		Data      findings.Finding
	}
	dec := json.NewDecoder(bytes.NewReader(p.Body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&event); err != nil {
		t.Fatal(err)
	}
	x := event.Data
	if event.Type != findings.TypeCreated || event.Timestamp == 0 || len(x.Instances) != 1 || !strings.Contains(x.Title, "made up") {
		t.Errorf("the example is %s", p.Body)
	}
	// What a receiver is built against has every field.
	if !slices.Contains(findings.Severities(), x.Severity) || !slices.Contains(findings.Kinds(), x.Kind) || x.Link != "https://outband.example/findings/"+x.ID || x.Actor.Email == "" {
		t.Errorf("the example is %s", p.Body)
	}
}

func TestDeliveriesOfAFinding(t *testing.T) {
	w := newWorld(t, "")
	var second Destination
	w.write(func(tx *store.Tx) (err error) {
		second, _, err = destinations().Create(context.Background(), tx, Spec{Name: "Other", Config: Config{URL: w.url + "/other"}})
		return err
	})
	w.find("c0", 1, 2, 3)
	w.find("c1", 1)
	w.step()
	w.advance(time.Second)
	if _, err := w.d.Step(t.Context(), second.ID, time.Hour); err != nil {
		t.Fatal(err)
	}
	w.write(func(tx *store.Tx) error { return Delete(context.Background(), tx, second.ID) })

	id := testKeys.FindingID("con_a", findings.Ref{Kind: "chat", ID: "c0"}, "p")
	all, err := OfFinding(t.Context(), w.db.Read(), id, 0, "")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"SIEM", "Other removed"}
	if w.dst.ID > second.ID {
		slices.Reverse(names)
	}
	var want, got []string
	for seq := 3; seq > 0; seq-- {
		for _, n := range names {
			want = append(want, fmt.Sprint(seq, " delivered 200 ", n))
		}
	}
	for _, x := range all.Items {
		name := x.Destination.Name
		if x.Destination.Removed {
			name += " removed"
		}
		got = append(got, fmt.Sprint(x.Seq, " ", x.State, " ", x.Status, " ", name))
		if x.FindingID != id || x.DeliveredAt == 0 || x.CreatedAt == 0 || x.UpdatedAt == 0 || x.NextTryAt != 0 {
			t.Errorf("delivery %+v", x)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" || all.NextCursor != "" {
		t.Errorf("deliveries (-want +got):\n%s", diff)
	}
	for _, limit := range []int{1, 2, 4} {
		var paged []FindingDelivery
		for next := ""; ; {
			page, err := OfFinding(t.Context(), w.db.Read(), id, limit, next)
			if err != nil {
				t.Fatal(err)
			}
			paged = append(paged, page.Items...)
			if next = page.NextCursor; next == "" {
				break
			}
		}
		if diff := cmp.Diff(all.Items, paged); diff != "" {
			t.Errorf("pages of %d (-want +got):\n%s", limit, diff)
		}
	}
	if _, err := OfFinding(t.Context(), w.db.Read(), "fnd_none", 0, ""); !errors.Is(err, findings.ErrNotFound) {
		t.Errorf("a finding that is not there: %v, want ErrNotFound", err)
	}
	if _, err := OfFinding(t.Context(), w.db.Read(), id, 0, "bm9uZQ"); !errors.Is(err, cursor.Err) {
		t.Errorf("a cursor of another list: %v, want %v", err, cursor.Err)
	}
}
