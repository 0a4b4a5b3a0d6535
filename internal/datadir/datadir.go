// Package datadir is the folder in which an installation keeps everything: databases, key and lock. Only its owner may look into it, and only one
// server may use it at a time; the other commands open the database beside one.
package datadir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"
)

// The files of the folder.
const (
	database         = "outband.db"
	temporalDatabase = "temporal.db"
	temporalState    = "temporal.json"
	lockFile         = "lock"
	keyFile          = "key"
)

// Dir is a data folder that exists and is closed to others.
type Dir struct{ path string }

// Open makes the folder with mode 0700 if there is none. One that others can look into is closed to them if it is empty or an Outband folder
// already; any other is refused with OB-1007, since it was made for something else.
func Open(path string) (Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("OB-1007: find the data folder: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return Dir{}, fmt.Errorf("OB-1007: make the data folder: %w. Name a folder that can be made, with --data", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return Dir{}, fmt.Errorf("OB-1007: look at the data folder: %w", err)
	}
	if info.Mode().Perm()&0o077 == 0 {
		return Dir{path}, nil
	}
	ours, err := belongs(path)
	if err != nil {
		return Dir{}, fmt.Errorf("OB-1007: look into the data folder: %w", err)
	}
	if !ours {
		return Dir{}, fmt.Errorf("OB-1007: %s holds files that are not Outband's and can be read by others. Name a folder of its own with --data, or set its mode to 0700", path)
	}
	if err := os.Chmod(path, 0o700); err != nil {
		return Dir{}, fmt.Errorf("OB-1007: %s can be read by others, and only its owner can change that: set its mode to 0700: %w", path, err)
	}
	return Dir{path}, nil
}

// belongs reports whether a folder is empty or was used by Outband before. A file system's own lost+found does not count.
func belongs(path string) (bool, error) {
	entries, err := os.ReadDir(path)
	if err != nil {
		return false, err
	}
	empty := true
	for _, e := range entries {
		if e.Name() == database {
			return true, nil
		}
		empty = empty && e.Name() == "lost+found"
	}
	return empty, nil
}

// InUseError says that another server holds the lock of the folder.
type InUseError struct {
	Path string
	PID  int // 0 if the other has not written it yet
}

// Error implements error.
func (e *InUseError) Error() string {
	by := ""
	if e.PID > 0 {
		by = fmt.Sprintf(" (pid %d)", e.PID)
	}
	return fmt.Sprintf("OB-1004: another outband server uses this folder%s: %s. Stop it, or name another folder with --data", by, e.Path)
}

// Lock is the right of one server to use a folder.
type Lock struct{ file *flock.Flock }

// Lock takes the folder for this process, without waiting; if another holds it, the error is an *InUseError. The system lets the lock go when the
// process ends, however it ends.
func (d Dir) Lock() (*Lock, error) {
	file := flock.New(d.join(lockFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	got, err := file.TryLock()
	if err != nil {
		return nil, fmt.Errorf("OB-1007: lock the data folder: %w", err)
	}
	if !got {
		return nil, &InUseError{Path: d.path, PID: d.holder()}
	}
	if err := os.WriteFile(d.join(lockFile), []byte(strconv.Itoa(os.Getpid())+"\n"), 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("OB-1007: write the lock of the data folder: %w", err), file.Unlock())
	}
	return &Lock{file}, nil
}

// Unlock lets the folder go. The file stays: removing it would let two servers lock two files of one name.
func (l *Lock) Unlock() error {
	if err := l.file.Unlock(); err != nil {
		return fmt.Errorf("unlock the data folder: %w", err)
	}
	return nil
}

// holder is the pid that the holder of the lock wrote, 0 if it has not yet.
func (d Dir) holder() int {
	b, err := os.ReadFile(d.join(lockFile))
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		return 0
	}
	return pid
}

// Path is the folder's absolute path.
func (d Dir) Path() string { return d.path }

// Database is the file of the store.
func (d Dir) Database() string { return d.join(database) }

// TemporalDatabase is the file of the embedded Temporal server; it is disposable.
func (d Dir) TemporalDatabase() string { return d.join(temporalDatabase) }

// TemporalState is the file that says which server wrote TemporalDatabase.
func (d Dir) TemporalState() string { return d.join(temporalState) }

// Key is where the key file is unless key.file says otherwise.
func (d Dir) Key() string { return d.join(keyFile) }

func (d Dir) join(name string) string { return filepath.Join(d.path, name) }
