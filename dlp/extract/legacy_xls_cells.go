package extract

import (
	"encoding/binary"
	"math"
)

// cells gives out a record of cells; false: it is none.
func (x *xlsReader) cells(r biffRecord) (bool, error) {
	b := r.first()
	switch r.typ {
	case 0x201, 0x01, 0xBE, 0x205, 0x05: // BLANK, MULBLANK, BOOLERR
		return true, nil
	case 0x207: // STRING
		s := ""
		switch {
		case len(b) < 2:
		case x.old:
			s = biffShort(b, x.width2(r), true, x.page)
		default:
			in := r.reader()
			s = in.str(in.u16())
		}
		if x.cell.Cell == "" || s == "" {
			return true, nil
		}
		if x.open {
			s = "\t" + s
		}
		x.open = true
		x.t.At(x.cell)
		return true, x.t.WriteString(s)
	}
	if len(b) < 6 {
		return false, nil
	}
	row, col := int(binary.LittleEndian.Uint16(b)), int(binary.LittleEndian.Uint16(b[2:]))
	switch r.typ {
	case 0xFD: // LABELSST
		if len(b) >= 10 {
			if i := binary.LittleEndian.Uint32(b[6:]); i < uint32(len(x.sst)) {
				return true, x.put(row, col, x.sst[i])
			}
		}
		return true, nil
	case 0x204, 0xD6: // LABEL, RSTRING
		if len(b) < 8 {
			return true, nil
		}
		if x.old {
			return true, x.put(row, col, biffShort(b[6:], 2, true, x.page))
		}
		in := r.reader()
		in.skip(6)
		return true, x.put(row, col, in.str(in.u16()))
	case 0x04: // LABEL of BIFF2
		if len(b) > 7 {
			return true, x.put(row, col, biffShort(b[7:], 1, true, x.page))
		}
		return true, nil
	case 0x203: // NUMBER
		if len(b) >= 14 {
			return true, x.put(row, col, number(math.Float64frombits(binary.LittleEndian.Uint64(b[6:]))))
		}
		return true, nil
	case 0x27E: // RK
		if len(b) >= 10 {
			return true, x.put(row, col, number(biffRK(binary.LittleEndian.Uint32(b[6:]))))
		}
		return true, nil
	case 0xBD: // MULRK
		for i := 4; i+6 < len(b); i += 6 {
			if err := x.put(row, col, number(biffRK(binary.LittleEndian.Uint32(b[i+2:])))); err != nil {
				return true, err
			}
			col++
		}
		return true, nil
	case 0x06, 0x206, 0x406: // FORMULA
		return true, x.formula(row, col, b)
	}
	return false, nil
}

// width2 is the width of a length before a string of bytes: 1 in BIFF2.
func (x *xlsReader) width2(r biffRecord) int {
	if b := r.first(); int(b[0])+1 == len(b) {
		return 1
	}
	return 2
}

// formula gives out the result of a formula and the strings in it. A result that is text comes in the record after it.
func (x *xlsReader) formula(row, col int, b []byte) error {
	if len(b) < 22 {
		return nil
	}
	// The line of a cell goes on; what stands in the formula comes in a line of its own before, so that it tears nothing apart.
	if s := biffConstants(b[22:], x.old); s != "" {
		at := x.place(row, col)
		at.Part = PartFormula
		if err := x.line(); err != nil {
			return err
		}
		if err := x.t.Put(at, s); err != nil {
			return err
		}
	}
	if x.open && x.row != row {
		if err := x.line(); err != nil {
			return err
		}
	}
	x.row, x.cell = row, x.place(row, col)
	if b[12] == 0xFF && b[13] == 0xFF {
		return nil
	}
	return x.put(row, col, number(math.Float64frombits(binary.LittleEndian.Uint64(b[6:]))))
}
