package extract

import (
	"archive/zip"
	"bytes"
)

// readZipKind reads documents that are zip files by the kinds of this package alone.
func readZipKind(d *Doc) error {
	b, err := d.Bytes()
	if err != nil {
		return err
	}
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return errMalformed
	}
	for _, k := range zipKinds {
		if k.is(z) {
			d.format = k.id
			return k.read(d, z)
		}
	}
	return gapError{ReasonUnsupported}
}

