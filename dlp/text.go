package dlp

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// IsText reports whether content that begins with head can be scanned as it is. The type is told by the bytes, never by a name or a declared type;
// source code, JSON, CSV, XML, HTML and UTF-16 with a byte order mark are text, a PDF or an office document is not. 3 KiB of head are enough.
func IsText(head []byte) bool {
	if len(head) == 0 {
		return true
	}
	for t := mimetype.Detect(head); t != nil; t = t.Parent() {
		if strings.HasPrefix(t.String(), "text/") {
			return true
		}
	}
	return false
}
