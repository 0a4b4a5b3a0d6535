package extract

import (
	"testing"

	"github.com/gabriel-vasile/mimetype"
)

// TestTextIsTold tells text from what begins like other files.
func TestTextIsTold(t *testing.T) {
	for _, tc := range []struct {
		name string
		head string
		want bool
	}{
		{"nothing", "", true},
		{"prose", "Dear all, the meeting is at ten.", true},
		{"prose in Japanese", "会議は十時からです。", true},
		{"JSON", `{"a": [1, 2, 3]}`, true},
		{"CSV", "id,amount\n1,10000\n", true},
		{"UTF-16 with a byte order mark", "\xff\xfeh\x00i\x00", true},
		{"UTF-16 without one", "h\x00e\x00l\x00l\x00o\x00 \x00a\x00l\x00l\x00", true},
		{"Windows-1252", "Die Stra\xdfe ist gesperrt, sagt \x84Mia\x93.", true},
		{"a program", "\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x03\x00>\x00", false},
		{"XML", `<?xml version="1.0"?><a/>`, true},
		{"HTML", "<!doctype html><p>hi", true},
		{"shell", "#!/bin/sh\necho hi\n", true},
		{"PDF", "%PDF-1.7\n1 0 obj", false},
		{"ZIP", "PK\x03\x04\x14\x00\x00\x00\x08\x00", false},
		{"PNG", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", false},
		{"zeros", "\x00\x00\x00\x00", false},
	} {
		if got := isText(mimetype.Lookup(detect([]byte(tc.head)))); got != tc.want {
			t.Errorf("%s: got %v", tc.name, got)
		}
	}
}
