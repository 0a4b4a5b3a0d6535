package filescan

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/outband/outband/dlp"
	"github.com/outband/outband/dlp/extract"
	"github.com/outband/outband/dlp/extract/sandbox"
)

// errSpecial is what opening a FIFO, a device or a socket gives.
var errSpecial = errors.New(reasonSpecial)

// walk hands every file below path to take, in the order of names. take returns false to stop.
func (s *scanner) walk(ctx context.Context, path string, take func(*job) bool) {
	if path == "-" {
		used := false
		take(&job{path: path, open: func() (io.ReadCloser, error) {
			if used {
				return nil, errStdin
			}
			used = true
			return io.NopCloser(s.deps.Stdin), nil
		}})
		return
	}
	// A link that the user names is followed; links found below are not followed out of the tree.
	info, err := os.Stat(path)
	if err != nil {
		take(&job{path: path, err: err})
		return
	}
	if !info.IsDir() {
		take(regular(path, info.Mode(), func() (*os.File, error) { return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) }))
		return
	}
	// os.Root refuses, at the time of opening, whatever leads out of the tree.
	root, err := os.OpenRoot(path)
	if err != nil {
		take(&job{path: path, err: err})
		return
	}
	// WalkDir calls back with the error of each folder; its own is nil or SkipAll.
	_ = fs.WalkDir(root.FS(), ".", func(rel string, d fs.DirEntry, err error) error {
		j := s.entry(root, path, rel, d, err)
		if j == nil {
			return ctx.Err()
		}
		objects := j.reason == reasonObjects // From take on the job belongs to a worker.
		if !take(j) {
			return fs.SkipAll
		}
		if objects || err != nil && d != nil && d.IsDir() {
			return fs.SkipDir
		}
		return nil
	})
}

// errStdin says why standard input was not scanned again, as a file is.
var errStdin = errors.New("the process that read it was killed from outside, and standard input cannot be read again; run the command again")

// entry makes the job of one entry of a folder, nil when there is nothing to do or say.
func (s *scanner) entry(root *os.Root, path, rel string, d fs.DirEntry, err error) *job {
	full := filepath.Join(path, filepath.FromSlash(rel))
	if err != nil {
		return &job{path: full, err: err}
	}
	switch {
	case d.IsDir():
		if strings.HasSuffix("/"+rel, "/.git/objects") {
			return &job{path: full, reason: reasonObjects} // Compressed; nothing in there is text.
		}
		return nil
	case d.Type()&fs.ModeSymlink != 0:
		if _, err := root.Stat(rel); errors.Is(err, fs.ErrNotExist) {
			return &job{path: full, reason: reasonBroken}
		} else if err != nil {
			return &job{path: full, reason: reasonOutside}
		}
		return nil // Its target is in the tree and is read at its own place.
	}
	return regular(full, d.Type(), func() (*os.File, error) { return root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0) })
}

// regular makes a job that opens a regular file, and no other: the kind is looked at again after opening, without ever waiting for a writer.
func regular(path string, mode fs.FileMode, open func() (*os.File, error)) *job {
	if !mode.IsRegular() {
		return &job{path: path, reason: reasonSpecial}
	}
	return &job{path: path, open: func() (io.ReadCloser, error) {
		f, err := open()
		if err != nil {
			return nil, err
		}
		info, err := f.Stat()
		if err == nil && !info.Mode().IsRegular() {
			err = errSpecial
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return f, nil
	}}
}

// reasonOf returns the reason of an error that is none: "" for true errors.
func reasonOf(err error) string {
	if errors.Is(err, errSpecial) {
		return reasonSpecial
	}
	return ""
}

// cause is the short reason of an error, without the path, which stands before it.
func cause(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, dlp.ErrBudget):
		return reasonBudget
	case errors.Is(err, dlp.ErrPanic):
		return reasonPanic
	case errors.Is(err, sandbox.ErrKilled):
		return extract.ReasonDied
	case errors.As(err, &path):
		return path.Err.Error()
	}
	return err.Error()
}

// display quotes a path whose characters would change the terminal or the line.
func display(path string) string {
	if q := strconv.Quote(path); q != `"`+path+`"` && strings.ContainsFunc(path, func(c rune) bool { return !strconv.IsPrint(c) }) {
		return q
	}
	return path
}
