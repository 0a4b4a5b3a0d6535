package extract

import (
	"mime"
	"path"
	"slices"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// detect tells the media type by the first bytes.
func detect(head []byte) string {
	t, _, _ := strings.Cut(mimetype.Detect(head).String(), ";")
	return t
}

// formatOf chooses the format of a file: by the first bytes, then by the media type or the nearest one above it.
func formatOf(media string, head []byte) *format {
	for i := range formats {
		if f := &formats[i]; f.magic != nil && f.magic(head) {
			return f
		}
	}
	for m := mimetype.Lookup(media); m != nil; m = m.Parent() {
		t, _, _ := strings.Cut(m.String(), ";")
		for i := range formats {
			if slices.Contains(formats[i].media, t) {
				return &formats[i]
			}
		}
	}
	return nil
}

// mismatch reports whether the declared type, or the ending of the name, are those of another type than the content has. Text under any name of text is none.
func mismatch(f File, media string) bool {
	if declared, _, err := mime.ParseMediaType(f.Type); err == nil && !alike(declared, media) {
		return true
	}
	if byName, _, err := mime.ParseMediaType(mime.TypeByExtension(strings.ToLower(path.Ext(f.Name)))); err == nil && !alike(byName, media) {
		return true
	}
	return false
}

func alike(told, media string) bool {
	a, b := mimetype.Lookup(told), mimetype.Lookup(media)
	switch {
	case told == "application/octet-stream", a == nil && !strings.Contains(told, "/"):
		return true
	case a == nil || b == nil:
		return a == b || a == nil && isText(b)
	case isText(a) && isText(b):
		return true
	}
	for m := b; m != nil; m = m.Parent() {
		if m.Is(told) {
			return m.String() != "application/octet-stream"
		}
	}
	return false
}

func isText(m *mimetype.MIME) bool {
	for ; m != nil; m = m.Parent() {
		if m.Is("text/plain") {
			return true
		}
	}
	return false
}
