package extract

import (
	"archive/zip"
	"slices"

	"github.com/richardlehane/mscfb"
)

// format reads one kind of file.
type format struct {
	id    string
	media []string               // media types by content that it reads, as package mimetype names them
	magic func(head []byte) bool // tells it where package mimetype does not; asked first, with at most headBytes
	read  func(d *Doc) error
}

// zipKind is a kind of document that is a zip file inside.
type zipKind struct {
	id, media string
	is        func(z *zip.Reader) bool
	read      func(d *Doc, z *zip.Reader) error
}

// compoundKind is a kind of document in a compound file (OLE 2, [MS-CFB]). has tells whether a storage of this path is there.
type compoundKind struct {
	id, media string
	is        func(has func(name string) bool) bool
	read      func(d *Doc, c *mscfb.Reader) error
}

// The formats, by what reads them. Order matters within a list only.
var (
	formats       = slices.Concat(archiveFormats, pdfFormats, compoundFormats, mailFormats, databaseFormats, imageFormats, mediaFormats, textFormats)
	zipKinds      = slices.Concat(openXMLKinds, openDocumentKinds)
	compoundKinds = slices.Concat(legacyKinds, messageKinds)
)
