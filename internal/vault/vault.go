// Package vault seals the secrets of an installation. A key file holds the key-encryption key (KEK); it wraps a data keyset kept in the
// database, and that one seals credentials and the keys that ids and fingerprints are computed with. A key check value makes a wrong or missing
// key file a locked start with a clear error, never a silent new key.
package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// Errors of a locked start.
var (
	ErrKeyMissing = errors.New("OB-1001: the key file is missing, but the database was sealed with one. Restore the key file from its backup; without it the stored credentials cannot be opened")
	ErrKeyWrong   = errors.New("OB-1002: the key file is not the one that this database was sealed with. Restore the right key file")
	ErrKeyMode    = errors.New("OB-1003: the key file can be read by others. Set its mode to 0600")
)

const (
	metaDataKeys = "vault.data_keys" // data keyset, wrapped by the KEK: also the key check value
	metaIDKey    = "vault.idkey"
	metaFPKeys   = "vault.fpkeys"
)

// Vault is an unlocked vault.
type Vault struct {
	data   tink.AEAD
	idKey  []byte
	fpKey  []byte
	fpID   string
	keyID  uint32
	source string
}

// Open unlocks the vault of a database with a key file. On the first run of an installation, and only then, it makes both.
func Open(ctx context.Context, db *store.DB, keyFile string) (*Vault, error) {
	wrapped, err := store.GetMeta(ctx, db.Read(), metaDataKeys)
	fresh := errors.Is(err, store.ErrNotFound)
	if err != nil && !fresh {
		return nil, err
	}
	kek, err := readKey(keyFile)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !fresh:
		// A rotation that was cut short leaves the new key beside the old name.
		if kek, err = readKey(keyFile + ".new"); err != nil {
			return nil, ErrKeyMissing
		}
	case errors.Is(err, fs.ErrNotExist):
		if kek, err = makeKey(keyFile); errors.Is(err, fs.ErrExist) {
			kek, err = readKey(keyFile) // Another process of the machine was first.
		}
		if err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	v := &Vault{source: keyFile}
	if fresh {
		if err := v.initialise(ctx, db, kek); err != nil {
			return nil, err
		}
		if wrapped, err = store.GetMeta(ctx, db.Read(), metaDataKeys); err != nil {
			return nil, err
		}
	}
	data, err := unwrap(wrapped, kek)
	if err != nil {
		next, nerr := readKey(keyFile + ".new")
		if nerr != nil {
			return nil, ErrKeyWrong
		}
		if data, err = unwrap(wrapped, next); err != nil {
			return nil, ErrKeyWrong
		}
		if err := os.Rename(keyFile+".new", keyFile); err != nil {
			return nil, fmt.Errorf("finish the rotation of the key file: %w", err)
		}
		kek = next
	}
	if v.data, err = aead.New(data); err != nil {
		return nil, fmt.Errorf("open the data keys: %w", err)
	}
	v.keyID = kek.KeysetInfo().GetPrimaryKeyId()
	return v, v.loadKeys(ctx, db)
}

func (v *Vault) initialise(ctx context.Context, db *store.DB, kek *keyset.Handle) error {
	data, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return fmt.Errorf("make the data keys: %w", err)
	}
	wrapped, err := wrap(data, kek)
	if err != nil {
		return err
	}
	if v.data, err = aead.New(data); err != nil {
		return fmt.Errorf("open the data keys: %w", err)
	}
	var idKey, fpKey [32]byte
	_, _ = rand.Read(idKey[:]) // Never fails: it ends the program instead.
	_, _ = rand.Read(fpKey[:])
	sealedID, err := v.Seal(secret.NewValue(string(idKey[:])), "installation", "idkey")
	if err != nil {
		return err
	}
	ring, err := json.Marshal([]fpEntry{{ID: "k1", Key: fpKey[:]}})
	if err != nil {
		return fmt.Errorf("encode the fingerprint keys: %w", err)
	}
	sealedFP, err := v.Seal(secret.NewValue(string(ring)), "installation", "fpkeys")
	if err != nil {
		return err
	}
	return db.Write(ctx, func(tx *store.Tx) error {
		if _, err := store.GetMeta(ctx, tx, metaDataKeys); err == nil {
			return nil // Another process was first; its keys are the ones.
		}
		for key, value := range map[string]string{metaDataKeys: wrapped, metaIDKey: sealedID, metaFPKeys: sealedFP} {
			if err := store.SetMeta(ctx, tx, key, value); err != nil {
				return err
			}
		}
		return store.AppendAudit(ctx, tx, "system", "keys.create", "installation", nil)
	})
}

type fpEntry struct {
	ID  string `json:"id"`
	Key []byte `json:"key"`
}

func (v *Vault) loadKeys(ctx context.Context, db *store.DB) error {
	open := func(meta, field string) (string, error) {
		sealed, err := store.GetMeta(ctx, db.Read(), meta)
		if err != nil {
			return "", err
		}
		value, err := v.Unseal(sealed, "installation", field)
		return value.Reveal(), err
	}
	idKey, err := open(metaIDKey, "idkey")
	if err != nil {
		return err
	}
	text, err := open(metaFPKeys, "fpkeys")
	if err != nil {
		return err
	}
	var ring []fpEntry
	if err := json.Unmarshal([]byte(text), &ring); err != nil || len(ring) == 0 {
		return errors.New("decode the fingerprint keys")
	}
	newest := ring[len(ring)-1]
	v.idKey, v.fpKey, v.fpID = []byte(idKey), newest.Key, newest.ID
	return nil
}

// IDKey is the key of computed ids. It is drawn once and never rotated.
func (v *Vault) IDKey() []byte { return v.idKey }

// FingerprintKey is the newest key of the fingerprint ring, with its id.
func (v *Vault) FingerprintKey() (key []byte, keyID string) { return v.fpKey, v.fpID }

// KeyID is the id of the key-encryption key in use; it says nothing of the key itself.
func (v *Vault) KeyID() string { return fmt.Sprintf("%08x", v.keyID) }

// Seal encrypts a secret. The owner and the field are bound to it: a ciphertext moved to another row does not open.
func (v *Vault) Seal(s secret.Value, owner, field string) (string, error) {
	b, err := v.data.Encrypt([]byte(s.Reveal()), associated(owner, field))
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", field, err)
	}
	return base64.StdEncoding.EncodeToString(b), nil
}

// Unseal reverses Seal.
func (v *Vault) Unseal(sealed, owner, field string) (secret.Value, error) {
	b, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		return secret.Value{}, fmt.Errorf("open %s: not base64", field)
	}
	plain, err := v.data.Decrypt(b, associated(owner, field))
	if err != nil {
		return secret.Value{}, fmt.Errorf("open %s of %s: the ciphertext does not belong here or was changed", field, owner)
	}
	return secret.NewValue(string(plain)), nil
}

// Verify opens every stored secret and returns how many there are, or the error of the first that does not open.
func (v *Vault) Verify(ctx context.Context, db *store.DB) (int, error) {
	all, err := store.ListCredentials(ctx, db.Read())
	if err != nil {
		return 0, err
	}
	for _, c := range all {
		if _, err := v.Unseal(c.Sealed, c.OwnerID, c.Field); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

func associated(owner, field string) []byte {
	return []byte(strings.Join([]string{"outband/1", store.Workspace, owner, field}, "\x00"))
}

// Rotate makes a new key file and wraps the data keys with it. Ids do not change. A kill at any moment leaves a database and a key that fit.
func Rotate(ctx context.Context, db *store.DB, keyFile, actor string) error {
	wrapped, err := store.GetMeta(ctx, db.Read(), metaDataKeys)
	if err != nil {
		return err
	}
	old, err := readKey(keyFile)
	if err != nil {
		return err
	}
	data, err := unwrap(wrapped, old)
	if err != nil {
		return ErrKeyWrong
	}
	// The key in place opens the database, so a new key beside it is left from a rotation that never reached the database.
	if err := os.Remove(keyFile + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove a stale key file: %w", err)
	}
	next, err := makeKey(keyFile + ".new")
	if err != nil {
		return err
	}
	if wrapped, err = wrap(data, next); err != nil {
		return err
	}
	err = db.Write(ctx, func(tx *store.Tx) error {
		if err := store.SetMeta(ctx, tx, metaDataKeys, wrapped); err != nil {
			return err
		}
		return store.AppendAudit(ctx, tx, actor, "keys.rotate", "installation", nil)
	})
	if err != nil {
		return err // The new key stays: a commit whose answer was lost may need it.
	}
	if err := os.Rename(keyFile+".new", keyFile); err != nil {
		return fmt.Errorf("put the new key file in place: %w", err)
	}
	return nil
}

func wrap(data, kek *keyset.Handle) (string, error) {
	a, err := aead.New(kek)
	if err != nil {
		return "", fmt.Errorf("open the key file: %w", err)
	}
	var b bytes.Buffer
	if err := data.Write(keyset.NewBinaryWriter(&b), a); err != nil {
		return "", fmt.Errorf("wrap the data keys: %w", err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes()), nil
}

func unwrap(wrapped string, kek *keyset.Handle) (*keyset.Handle, error) {
	a, err := aead.New(kek)
	if err != nil {
		return nil, fmt.Errorf("open the key file: %w", err)
	}
	b, err := base64.StdEncoding.DecodeString(wrapped)
	if err != nil {
		return nil, errors.New("the wrapped data keys are not base64")
	}
	return keyset.Read(keyset.NewBinaryReader(bytes.NewReader(b)), a)
}

func readKey(path string) (*keyset.Handle, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, ErrKeyMode
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(b)))
	if err != nil {
		return nil, ErrKeyWrong // The parser's own error could quote the file.
	}
	return h, nil
}

// makeKey writes a new key to a file that must not exist, and does not return before it is on disk.
func makeKey(path string) (*keyset.Handle, error) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	// A whole file or none: a kill in between must not leave half a key that counts as one.
	tmp, err := os.CreateTemp(filepath.Dir(path), ".key-*")
	if err != nil {
		return nil, fmt.Errorf("write the key file: %w", err)
	}
	_, err = tmp.Write(b.Bytes())
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Link(tmp.Name(), path)
	}
	if err = errors.Join(err, os.Remove(tmp.Name())); err != nil {
		return nil, fmt.Errorf("write the key file: %w", err)
	}
	return h, nil
}
