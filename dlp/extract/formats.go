package extract

import (
	"archive/zip"
	"slices"
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

// compoundKind is a kind of document in a compound file (OLE 2, [MS-CFB]). is looks at the storage that may hold one: the root, or that of an embedded object.
type compoundKind struct {
	id, media string
	is        func(s *storage) bool
	read      func(d *Doc, s *storage) error
}

// The formats, by what reads them. Order matters within a list only.
var (
	formats       []format
	zipKinds      []zipKind
	compoundKinds []compoundKind
)

// The lists are made here since a format reads the members in a file by this list again, which no initial value may.
func init() {
	formats = slices.Concat(archiveFormats, pdfFormats, compoundFormats, mailFormats, databaseFormats, imageFormats, mediaFormats, textFormats)
	zipKinds = slices.Concat(openXMLKinds, openDocumentKinds)
	compoundKinds = slices.Concat(legacyKinds, messageKinds)
}
