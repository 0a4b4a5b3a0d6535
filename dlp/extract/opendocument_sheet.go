package extract

import (
	"strings"
)

// maxSheetRows bounds the numbers of rows, so that counts of repeated rows do not run over.
const maxSheetRows = 1 << 24

// openCell is the cell of a spreadsheet that is read.
type openCell struct {
	in    int // cells around
	value string
	text  []byte
	col   int
	at    Location
}

// startTable reads what begins a table, and anything else that has no reader of its own.
func (o *openReader) startTable(x *xmlReader, name string) error {
	switch name {
	case "table":
		if o.calc && o.tableIn == 0 && o.sheet == nil && x.above(1) == "spreadsheet" {
			return o.beginSheet(x)
		}
		o.tableIn++
		if len(o.boxes) == 0 {
			o.tables++
			return o.endLine()
		}
		return nil
	case "table-column":
		if o.sheet != nil && o.tableIn == 0 {
			n := min(max(1, atoi(x.attr("number-columns-repeated"))), maxSheetColumns)
			if v := x.attr("visibility"); v == "collapse" || v == "filter" {
				o.sheet.hide(o.colAt+1, o.colAt+n)
			}
			o.colAt = min(o.colAt+n, maxSheetColumns)
		}
		return nil
	case "table-row":
		if o.sheet != nil && o.tableIn == 0 {
			o.rowN = min(max(1, atoi(x.attr("number-rows-repeated"))), maxSheetRows)
			v := x.attr("visibility")
			o.sheet.beginRow(min(o.rowAt+1, maxSheetRows), v == "collapse" || v == "filter")
			o.cell.col = 0
		}
		return nil
	case "table-cell", "covered-table-cell":
		if o.sheet != nil && o.tableIn == 0 {
			o.beginCell(x)
		}
		return nil
	}
	if name == "named-expression" || name == "named-range" {
		return o.named(PartFormula, x.attr("name"), x.attr("expression")+x.attr("cell-range-address"))
	}
	return o.attributes(x)
}

func (o *openReader) beginSheet(x *xmlReader) error {
	o.enterState(x, false, "")
	name := x.attr("name")
	o.at = o.base
	o.at.Sheet = display(name)
	o.at.Hidden = o.at.Hidden || o.hidden["table\x00"+x.attr("style-name")]
	o.rowAt, o.colAt = 0, 0
	title := o.at
	title.Part = PartName
	if err := o.finish(); err != nil {
		return err
	}
	if err := o.p.d.Text(title).Put(title, name); err != nil {
		return err
	}
	o.sheet = &sheetText{t: o.p.d.Text(o.at), at: o.at} // A text of its own, so that its first row is its header.
	o.t = o.sheet.t
	return nil
}

// beginCell begins a cell; what it holds is read by the story, and written at its end.
func (o *openReader) beginCell(x *xmlReader) {
	c := &o.cell
	if c.in++; c.in > 1 {
		return
	}
	c.value, c.text = "", c.text[:0]
	next := min(c.col+1, maxSheetColumns)
	c.col = min(c.col+max(1, min(atoi(x.attr("number-columns-repeated")), maxSheetColumns)), maxSheetColumns)
	c.at = o.sheet.place(next)
	o.at = c.at
	switch x.attr("value-type") {
	case "float", "currency", "percentage":
		c.value = numberFormat{}.show(x.attr("value"), false)
	case "string":
		c.value = x.attr("string-value")
	case "date":
		c.value = x.attr("date-value")
	case "boolean":
		c.value = x.attr("boolean-value")
	}
	if f := x.attr("formula"); f != "" {
		at := c.at
		at.Part = PartFormula
		o.sheet.aside(at, f)
	}
}

// endParagraph ends a paragraph. Those of a cell make its text.
func (o *openReader) endParagraph() error {
	if o.cell.in != 1 || len(o.open) != 1 || len(o.boxes) > 0 || o.sheet == nil {
		if o.sheet == nil || len(o.open) > 1 || len(o.open) == 0 {
			return o.end()
		}
		// A comment or text box of a cell.
		shown, apart := o.open[0].pieces()
		o.open = o.open[:0]
		var b strings.Builder
		for _, p := range shown {
			b.WriteString(p.text)
		}
		if len(shown) > 0 {
			o.sheet.aside(shown[0].at, b.String())
		}
		for _, p := range apart {
			o.sheet.aside(p.at, p.text)
		}
		return o.hanging()
	}
	p := o.open[0]
	o.open = o.open[:0]
	if len(o.cell.text) > 0 && len(p.buf) > 0 {
		o.cell.text = append(o.cell.text, '\n')
	}
	if len(o.cell.text)+len(p.buf) > xmlTag {
		return errMemory
	}
	o.cell.text = append(o.cell.text, p.buf...)
	return o.hanging()
}

// hanging moves what hangs in a paragraph of a sheet behind the row.
func (o *openReader) hanging() error {
	for _, ps := range o.asides {
		var b strings.Builder
		for _, p := range ps {
			b.WriteString(p.text)
		}
		o.sheet.aside(ps[0].at, b.String())
	}
	o.asides, o.size, o.some = nil, 0, false
	return nil
}

// endTable reads what ends a table or a part of one.
func (o *openReader) endTable(name string) error {
	switch name {
	case "table":
		if o.sheet != nil && o.tableIn == 0 {
			s := o.sheet
			o.sheet = nil
			if err := s.endRow(); err != nil {
				return err
			}
			return s.flush()
		}
		o.tableIn = max(0, o.tableIn-1)
		if len(o.boxes) == 0 && o.sheet == nil {
			o.tables = max(0, o.tables-1)
			return o.endLine()
		}
	case "table-row":
		if o.sheet != nil && o.tableIn == 0 {
			o.rowAt = min(o.rowAt+o.rowN, maxSheetRows)
			o.at = o.sheet.at
			return o.sheet.endRow()
		}
		if len(o.boxes) == 0 && o.sheet == nil {
			return o.endLine()
		}
	case "table-cell", "covered-table-cell":
		if o.sheet == nil {
			if len(o.boxes) == 0 {
				o.endCell()
			}
			return nil
		}
		if o.tableIn > 0 {
			return nil
		}
		return o.endSheetCell()
	}
	return nil
}

func (o *openReader) endSheetCell() error {
	c := &o.cell
	if c.in == 0 {
		return nil
	}
	if c.in--; c.in > 0 {
		return nil
	}
	text := c.text
	if c.value != "" && !shows(string(text), c.value) {
		text = []byte(c.value)
	}
	o.at = o.sheet.at
	if len(text) == 0 {
		return nil
	}
	return o.sheet.cell(c.at, cellColumn(c.at.Cell), text)
}

// broken gives out what was read of a part that ended too early; there is nothing if it did not.
func (o *openReader) broken() error {
	if o.delete != nil {
		o.changes[o.change] += string(o.delete)
		o.delete = nil
	}
	if o.sheet == nil {
		return o.finish()
	}
	for len(o.open) > 0 {
		before := len(o.open)
		if err := o.endParagraph(); err != nil {
			return err
		}
		if len(o.open) == before {
			break
		}
	}
	o.cell.in = min(o.cell.in, 1)
	if err := o.endSheetCell(); err != nil {
		return err
	}
	if err := o.sheet.endRow(); err != nil {
		return err
	}
	return o.sheet.flush()
}

// shows reports whether the text of a cell has all digits of its value, or, if that is no number, says anything.
func shows(text, value string) bool {
	digits := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r < '0' || r > '9' {
				return -1
			}
			return r
		}, s)
	}
	if strings.Trim(value, "0123456789-") != "" {
		return text != ""
	}
	return strings.Contains(digits(text), digits(value))
}
