package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"

	"github.com/outband/outband/connectors"
)

// messageLimit is the number of messages asked for at once; it is halved while a reply is over the size limit.
const messageLimit = 500

type message struct {
	ID             string          `json:"id"`
	Role           string          `json:"role"`
	CreatedAt      string          `json:"created_at"`
	Content        json.RawMessage `json:"content"`
	Files          []attachment    `json:"files"`
	GeneratedFiles []attachment    `json:"generated_files"`
	Artifacts      []attachment    `json:"artifacts"`
}

// Fetch implements connectors.Fetcher.
func (s *source) Fetch(ctx context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	return func(yield func(connectors.Part, error) bool) {
		var err error
		switch item.Kind {
		case connectors.KindChat:
			err = s.fetchChat(ctx, item, func(p connectors.Part) bool { return yield(p, nil) })
		case connectors.KindFile:
			err = s.fetchFile(ctx, item, func(p connectors.Part) bool { return yield(p, nil) })
		default:
			err = malformed("an item of this kind has no parts")
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(connectors.Part{}, err)
		}
	}
}

// errStopped says that the caller wants no more parts; it does not leave the package.
var errStopped = errors.New("stopped")

// fetchChat reads all messages of a chat. What does not follow the spec is left out and makes an error after everything else was given.
func (s *source) fetchChat(ctx context.Context, item connectors.Item, yield func(connectors.Part) bool) error {
	after, limit, bad := "", messageLimit, 0
	for first := true; ; first = false {
		var got struct {
			chat
			Messages []json.RawMessage `json:"chat_messages"`
			HasMore  bool              `json:"has_more"`
			LastID   string            `json:"last_id"`
		}
		// The default lengths of tool blocks are not documented; -1 asks for all of them.
		query := url.Values{"tool_use_input_max_chars": {"-1"}, "tool_result_max_chars": {"-1"}}
		for {
			query.Set("limit", strconv.Itoa(limit))
			if after != "" {
				query.Set("after_id", after)
			}
			err := s.client.GetJSON(ctx, root+"apps/chats/"+segment(item.ID)+"/messages", query, &got)
			if err == nil {
				break
			}
			if !errors.Is(err, connectors.ErrTooBig) || limit == 1 {
				return err
			}
			limit /= 2
		}
		if got.DeletedAt != "" {
			return &connectors.Error{Kind: connectors.KindGone, Code: connectors.CodeGone, Message: "The chat was deleted by its user, and its content with it."}
		}
		if got.Messages == nil {
			return malformed("the reply has no messages")
		}
		whole := got.item()
		whole.ID, whole.Resource.ID = item.ID, item.ID
		if whole.Actor.ID == "" {
			whole.Actor, whole.Resource.Owner = item.Actor, item.Resource.Owner
		}
		if first && got.Name != "" && !yield(textPart(connectors.PartTitle, connectors.Ref{Kind: connectors.KindChat, ID: item.ID}, "name", got.Name, whole.At)) {
			return errStopped
		}
		for _, raw := range got.Messages {
			var m message
			if json.Unmarshal(raw, &m) != nil || m.ID == "" {
				bad++
				continue
			}
			if !m.blocks(yield) || !m.children(whole, &bad, yield) {
				return errStopped
			}
		}
		if !got.HasMore {
			break
		}
		if got.LastID == "" || got.LastID == after {
			return malformed("the messages say that there is more and do not advance")
		}
		after = got.LastID
	}
	if bad > 0 {
		return malformed(fmt.Sprintf("%d messages or files cannot be read", bad))
	}
	return nil
}
