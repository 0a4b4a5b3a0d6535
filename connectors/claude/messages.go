package claude

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"strconv"
	"time"

	"github.com/outband/outband/connectors"
)

// messageLimit is the number of messages asked for at once, the most that there is; it is halved while a reply is over the size limit.
const messageLimit = 1000

const roleUser = "user"

type message struct {
	ID             string          `json:"id"`
	Role           string          `json:"role"`
	CreatedAt      string          `json:"created_at"`
	Content        json.RawMessage `json:"content"`
	Files          []attachment    `json:"files"`
	GeneratedFiles []attachment    `json:"generated_files"`
	Artifacts      []attachment    `json:"artifacts"`
}

// Fetch implements connectors.Fetcher. What does not follow the spec is left out and makes an error after everything else was given.
func (s *source) Fetch(ctx context.Context, item connectors.Item) iter.Seq2[connectors.Part, error] {
	return func(yield func(connectors.Part, error) bool) {
		give := func(p connectors.Part) bool { return yield(p, nil) }
		err := ended(ctx) // Not every kind makes a call before its parts are opened.
		if err != nil {
			yield(connectors.Part{}, err)
			return
		}
		switch item.Kind {
		case connectors.KindChat:
			err = s.fetchChat(ctx, item, give)
		case connectors.KindFile:
			err = s.fetchFile(ctx, item, give)
		case connectors.KindProject:
			err = s.fetchProject(ctx, item, give)
		case connectors.KindDocument:
			err = s.fetchDocument(ctx, item, give)
		case connectors.KindSession:
			err = s.fetchSession(ctx, item, give)
		case connectors.KindCodeArtifact:
			err = s.fetchCodeArtifact(item, give)
		default:
			err = malformed("an item of this kind has no parts")
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(connectors.Part{}, err)
		}
	}
}

func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return &connectors.Error{Kind: connectors.KindTransient, Message: "The reading was stopped.", Err: err}
	}
	return nil
}

// errStopped says that the caller wants no more parts; it does not leave the package.
var errStopped = errors.New("stopped")

// chatSlack is how much later than its time a message of a chat can appear: an assistant's message has the time at which it was finished.
const chatSlack = 2 * time.Minute

// messagesReply is a page of a chat's messages.
type messagesReply struct {
	chat
	Messages []json.RawMessage `json:"chat_messages"`
	HasMore  bool              `json:"has_more"`
	LastID   string            `json:"last_id"`
}

// fetchChat reads the messages of a chat, those after the item's place where it has one.
func (s *source) fetchChat(ctx context.Context, item connectors.Item, yield func(connectors.Part) bool) error {
	seen := readSeen(item.Since, chatSlack, s.now())
	// The default lengths of tool blocks are not documented; -1 asks for all of them.
	query := url.Values{"tool_use_input_max_chars": {"-1"}, "tool_result_max_chars": {"-1"}}
	if seen.known() && !item.Again {
		query.Set("created_at.gte", timeText(seen.At.Add(-chatSlack)))
	}
	limit, bad, restarted := messageLimit, 0, false
	for at, first := (place{}), true; ; {
		query.Set("limit", strconv.Itoa(limit))
		query.Del(string(byCursor))
		if at.Page != "" {
			query.Set(string(byCursor), at.Page)
		}
		var got messagesReply
		err := s.client.GetJSON(ctx, root+"apps/chats/"+segment(item.ID)+"/messages", query, &got)
		switch {
		case errors.Is(err, connectors.ErrTooBig) && limit > 1:
			limit /= 2
			continue
		case !restarted && (errors.Is(err, connectors.ErrCursorExpired) || query.Has("created_at.gte") && refused(err)):
			// A place that the API does not take is none: the chat is read from its start, and what is in the place is still left out.
			query.Del("created_at.gte")
			at, restarted = place{}, true
			continue
		case err != nil:
			return err
		case got.DeletedAt != "":
			return &connectors.Error{Kind: connectors.KindGone, Code: connectors.CodeGone, Message: "The chat was deleted by its user, and its content with it."}
		case got.Messages == nil:
			return malformed("the reply has no messages")
		}
		whole := got.whole(item)
		if first && !seen.title(item, got.Name, whole.At, yield) {
			return errStopped
		}
		first = false
		for _, raw := range got.Messages {
			var m message
			if json.Unmarshal(raw, &m) != nil || m.ID == "" {
				bad++
				continue
			}
			isNew, twice := seen.add(m.ID, moment(m.CreatedAt))
			if twice || !isNew && !item.Again {
				continue
			}
			if give := again(yield, !isNew); !m.blocks(give) || !m.children(whole, &bad, give) {
				return errStopped
			}
		}
		if !got.HasMore {
			break
		}
		if got.LastID == "" {
			return stuck()
		}
		if err := at.advance(got.LastID); err != nil {
			return err
		}
	}
	if bad > 0 {
		return malformed(fmt.Sprintf("%d messages or files cannot be read", bad))
	}
	return seen.end(yield)
}

// whole is the item as the reply's head has it. Its owner may be gone since it was listed.
func (r *messagesReply) whole(item connectors.Item) connectors.Item {
	whole := r.item()
	whole.ID, whole.Resource.ID = item.ID, item.ID
	if whole.Actor.ID == "" {
		whole.Actor, whole.Resource.Owner = item.Actor, item.Resource.Owner
	}
	return whole
}

// refused reports whether the API did not take the request as it was made.
func refused(err error) bool {
	var e *connectors.Error
	return errors.As(err, &e) && e.Kind == connectors.KindMalformed && e.Status == 400
}
