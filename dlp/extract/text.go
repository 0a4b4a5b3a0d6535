package extract

import (
	"errors"
	"io"
)

var textFormats = []format{{id: "text", media: []string{"text/plain"}, read: readText}}

// readText gives out a text as it stands. The scanner decodes UTF-8 and UTF-16 itself.
func readText(d *Doc) error {
	t := d.RawText(Location{})
	buf := make([]byte, 64<<10)
	for {
		n, err := d.Reader().Read(buf)
		if _, werr := t.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
