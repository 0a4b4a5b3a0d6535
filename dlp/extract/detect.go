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
	t := mediaType(mimetype.Detect(head))
	if m := mimetype.Lookup(t); !isText(m) && !textual[t] && (t == unknownType && isTextHead(head) || isCleanText(head)) {
		// Package mimetype looks for a few bytes: a letter that begins with MZ is an executable for it, and one with a NUL is nothing.
		return "text/plain"
	}
	return t
}

func mediaType(m *mimetype.MIME) string {
	t, _, _ := strings.Cut(m.String(), ";")
	return t
}

// unknownType is what package mimetype calls a file that it does not know.
const unknownType = "application/octet-stream"

// textual types may look like text from the first byte to the last, and have formats of their own.
var textual = map[string]bool{
	"application/pdf": true, "application/vnd.fdf": true, "application/x-tar": true,
}

// formatOf chooses the format of a file: by the first bytes, then by the media type or the nearest one above it.
func formatOf(media string, head []byte) *format {
	for i := range formats {
		if f := &formats[i]; f.magic != nil && f.magic(head) {
			return f
		}
	}
	if f := formatFor(media); f != nil {
		return f
	}
	for m := mimetype.Lookup(media); m != nil; m = m.Parent() {
		if f := formatFor(mediaType(m)); f != nil {
			return f
		}
	}
	return nil
}

func formatFor(media string) *format {
	for i := range formats {
		if slices.Contains(formats[i].media, media) {
			return &formats[i]
		}
	}
	return nil
}

// Mismatch reports whether the declared type, or the ending of the name, are those of another type than the content has. Text under any name of text is
// none, and neither is a name or a type that is not known here.
func Mismatch(f File, media string) bool {
	name := strings.ToLower(path.Ext(f.Name))
	if declared, _, err := mime.ParseMediaType(f.Type); err == nil && !alike(declared, media) {
		// Windows declares a CSV file to be what opens it, and .ts to be a film.
		excused := isTextType(media) && (declared == "application/vnd.ms-excel" && textEndings[name] || name == ".ts" || name == ".mts")
		if !excused {
			return true
		}
	}
	if textEndings[name] {
		return !isTextType(media)
	}
	byName, ok := endings[name]
	return ok && !slices.ContainsFunc(byName, func(t string) bool { return alike(t, media) })
}

// alike reports whether a file of type media may be called told.
func alike(told, media string) bool {
	if as, ok := otherNames[told]; ok {
		told = as
	}
	a := mimetype.Lookup(told)
	switch {
	case told == "", told == media, noClaims[told]:
		return true
	case isTextType(told):
		return isTextType(media)
	case a == nil:
		return true
	}
	for m := mimetype.Lookup(media); m != nil; m = m.Parent() {
		if m.Is(told) {
			return m.String() != unknownType
		}
	}
	return false
}

// isTextType reports whether a declared type, or one by content, is one of text.
func isTextType(media string) bool {
	return isText(mimetype.Lookup(media)) || textTypes[media] ||
		strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "+xml") || strings.HasSuffix(media, "+json") || strings.HasSuffix(media, "+yaml")
}

func isText(m *mimetype.MIME) bool {
	for ; m != nil; m = m.Parent() {
		if m.Is("text/plain") {
			return true
		}
	}
	return false
}
