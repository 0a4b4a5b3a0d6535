package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/outband/outband/api/problem"
	"github.com/outband/outband/dlp"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

const (
	maxDictionaries = 32
	sealedAtOnce    = 256 << 10 // bytes of words in one sealed piece
)

// Dictionary is a list of words. The words are never given back.
type Dictionary struct {
	ID            string   `json:"id" doc:"What a detector names in list."`
	Title         string   `json:"title"`
	Entries       int64    `json:"entries"`
	Size          int64    `json:"size" doc:"Bytes of its text."`
	CaseSensitive bool     `json:"case_sensitive"`
	UsedBy        []string `json:"used_by" doc:"Ids of the custom detectors that name it."`
	UpdatedAt     string   `json:"updated_at" format:"date-time"`
}

func (a *API) dictionary(d store.Dictionary) Dictionary {
	return Dictionary{
		ID: d.ID, Title: d.Title, Entries: d.Entries, Size: d.Size, CaseSensitive: d.CaseSensitive, UsedBy: some(a.d.Detectors.Uses(d.ID, "")), UpdatedAt: *stamp(d.UpdatedAt),
	}
}

func (a *API) listDictionaries(ctx context.Context, in *ListInput) (*ListOutput[Dictionary], error) {
	if _, err := a.followDetectors(ctx); err != nil {
		return nil, err
	}
	all, err := store.Dictionaries(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	var out []Dictionary
	for _, d := range all {
		out = append(out, a.dictionary(d))
	}
	return paginate("dictionaries", out, func(d Dictionary) string { return d.ID }, *in)
}

// PutDictionaryInput is a list of words.
type PutDictionaryInput struct {
	ID            string `query:"id" required:"true" pattern:"^[a-z][a-z0-9_]{0,59}$" doc:"Small letters, digits and underscores."`
	Title         string `query:"title" required:"true" minLength:"1" maxLength:"200"`
	CaseSensitive bool   `query:"case_sensitive" doc:"Falcon is then another word than falcon."`
	RawBody       []byte `contentType:"text/plain"`
}

func (a *API) putDictionary(ctx context.Context, in *PutDictionaryInput) (*Output[Dictionary], error) {
	words, err := dlp.ParseWords(in.RawBody, in.CaseSensitive)
	if err != nil {
		// A *dlp.WordsError names the line and what is wrong with it, and nothing that stands there.
		return nil, problem.New(http.StatusUnprocessableEntity, problem.CodeWords, "The list was not saved: it has an entry that cannot be used. Correct it and send the list again.", problem.Field{Location: "body", Message: err.Error()})
	}
	d := store.Dictionary{
		ID: in.ID, Title: in.Title, Digest: words.Digest(), Entries: int64(words.Entries()), Size: int64(len(in.RawBody)), CaseSensitive: in.CaseSensitive, UpdatedBy: actor(ctx),
	}
	var chunks [][]byte
	for part := range slices.Chunk(in.RawBody, sealedAtOnce) {
		sealed, err := a.d.Vault.Seal(secret.NewValue(string(part)), d.Owner(), "words")
		if err != nil {
			return nil, err
		}
		chunks = append(chunks, []byte(sealed))
	}
	err = a.d.DB.Write(ctx, func(tx *store.Tx) error {
		have, err := store.Dictionaries(ctx, tx)
		if err != nil {
			return err
		}
		if len(have) >= maxDictionaries && !slices.ContainsFunc(have, func(x store.Dictionary) bool { return x.ID == d.ID }) {
			return problem.New(http.StatusConflict, problem.CodeFull, fmt.Sprintf("There are %d dictionaries already. Remove one first.", maxDictionaries))
		}
		if err := store.PutDictionary(ctx, tx, d, chunks); err != nil {
			return err
		}
		return audit(ctx, tx, "dictionary.save", d.ID, map[string]string{"entries": strconv.FormatInt(d.Entries, 10)})
	})
	if err != nil {
		return nil, err
	}
	if err := a.detectorsChanged(ctx, d.ID); err != nil {
		return nil, err
	}
	all, err := store.Dictionaries(ctx, a.d.DB.Read())
	if err != nil {
		return nil, err
	}
	for _, x := range all {
		if x.ID == d.ID {
			return &Output[Dictionary]{a.dictionary(x)}, nil
		}
	}
	return nil, fmt.Errorf("dictionary: %w", store.ErrNotFound)
}

func (a *API) deleteDictionary(ctx context.Context, in *IDInput) error {
	if _, err := a.followDetectors(ctx); err != nil {
		return err
	}
	if users := a.d.Detectors.Uses(in.ID, ""); len(users) > 0 {
		return inUse("detectors name this dictionary", users)
	}
	err := a.d.DB.Write(ctx, func(tx *store.Tx) error {
		return errors.Join(store.DeleteDictionary(ctx, tx, in.ID), audit(ctx, tx, "dictionary.delete", in.ID, nil))
	})
	if err != nil {
		return err
	}
	return a.detectorsChanged(ctx, in.ID)
}
