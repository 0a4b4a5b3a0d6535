package extract

import (
	"archive/zip"
	"strings"
)

// The kinds of documents of the Open Packaging Conventions (ECMA-376 part 2), with their variants for templates and macros. The last one reads any other
// package: its XML parts as they are.
var openXMLKinds = []zipKind{
	{id: "docx", media: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", is: hasFolder("word/"), read: readWord},
	{id: "xlsb", media: "application/vnd.ms-excel.sheet.binary.macroenabled.12", is: hasPart("xl/workbook.bin"), read: readWorkbook},
	{id: "xlsx", media: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", is: hasFolder("xl/"), read: readWorkbook},
	{id: "pptx", media: "application/vnd.openxmlformats-officedocument.presentationml.presentation", is: hasFolder("ppt/"), read: readSlides},
	{id: "opc", media: "application/vnd.openxmlformats-package", is: hasPart("[content_types].xml"), read: readPackage},
}

// hasFolder tells a package by the folder of its main part: that name is a custom, which all programs keep.
func hasFolder(folder string) func(z *zip.Reader) bool {
	return func(z *zip.Reader) bool {
		types, in := false, false
		for _, f := range z.File {
			k := partKey(f.Name)
			types = types || k == "[content_types].xml" || k == "_rels/.rels"
			in = in || strings.HasPrefix(k, folder)
		}
		return types && in
	}
}

func hasPart(name string) func(z *zip.Reader) bool {
	return func(z *zip.Reader) bool {
		for _, f := range z.File {
			if partKey(f.Name) == name {
				return true
			}
		}
		return false
	}
}

// readPackage reads a package of another kind, such as a drawing of Visio.
func readPackage(d *Doc, z *zip.Reader) error {
	p := newParcel(d, z)
	if err := p.loadRelations(z); err != nil {
		return err
	}
	if err := p.allProperties(); err != nil {
		return err
	}
	return p.rest(z, p.knownMarkup)
}
