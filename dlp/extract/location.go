package extract

import "github.com/outband/outband/dlp/place"

// Parts of documents where text stands. The empty part is the body.
const (
	PartHeader     = "header"
	PartFooter     = "footer"
	PartNote       = "note" // footnotes, endnotes, speaker notes
	PartComment    = "comment"
	PartDeleted    = "deleted" // by tracked changes
	PartProperty   = "property"
	PartField      = "form_field"
	PartAnnotation = "annotation"
	PartLink       = "link" // where a link leads
	PartFormula    = "formula"
	PartAltText    = "alt_text"
	PartTextBox    = "text_box"
	PartMaster     = "master" // slide masters and layouts
	PartOutline    = "outline"
	PartCode       = "code"     // macros, scripts
	PartMetadata   = "metadata" // EXIF, XMP, tags
	PartName       = "name"     // of a member, sheet, layer, attachment
	PartOutput     = "output"   // of a notebook's cell
	PartImage      = "image"    // read by OCR
)

// Location is where in a document a text stands.
type Location = place.Location
