package dlp

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"

	"github.com/outband/outband/dlp/view"
)

// IsText reports whether content that begins with head can be scanned as it is. The type is told by the bytes, never by a name or a declared type;
// source code, JSON, CSV, XML, HTML and UTF-16, also without a byte order mark, are text, a PDF or an office document is not. 4 KiB of head are
// enough.
func IsText(head []byte) bool {
	if len(head) == 0 {
		return true
	}
	kind := mimetype.Detect(head)
	for t := kind; t != nil; t = t.Parent() {
		if strings.HasPrefix(t.String(), "text/") {
			return true
		}
	}
	enc, _ := view.Detect(head)
	return kind.Is("application/octet-stream") && enc != view.UTF8
}
