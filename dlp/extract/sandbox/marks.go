package sandbox

import (
	"bytes"
	"encoding/binary"
	"math"
	"sort"

	"github.com/outband/outband/dlp/extract"
)

// mark says where the text stands from an offset on, and which byte of the file is the one there (-1: none).
type mark struct {
	offset int
	at     extract.Location
	source int64
}

// sourceAt is the byte of the file at an offset behind the mark.
func (m *mark) sourceAt(offset int) int64 {
	if m.source < 0 {
		return -1
	}
	return m.source + int64(offset-m.offset)
}

// Bounds of the marks that a text keeps, in bytes: a block begins with a whole mark, and the oldest blocks go when there are too many.
const (
	markBlock = 4 << 10
	maxMarks  = 16 << 20
)

// block is a run of marks: the first one whole, the others coded by what differs from the one before.
type block struct {
	first mark
	code  []byte
}

// cost is the memory that a block counts for, in bytes.
func (b *block) cost() int {
	n := max(markBlock, len(b.code))
	for _, s := range b.first.at.Texts() {
		n += len(*s)
	}
	return n
}

// marks are those of one text in the order of their offsets. Its zero value holds none.
type marks struct {
	blocks []block
	last   mark // the newest; not in the code yet
	any    bool
	prev   mark // the newest in the code
	size   int
}

// add puts a mark behind all others. One at the offset of the last one takes its place.
func (m *marks) add(n mark) {
	if m.any && n.offset > m.last.offset {
		m.push(m.last)
	}
	m.last, m.any = n, true
}

// source is the byte of the file at an offset behind all marks.
func (m *marks) source(offset int) int64 {
	if !m.any {
		return -1
	}
	return m.last.sourceAt(offset)
}

func (m *marks) push(n mark) {
	if len(m.blocks) == 0 || len(m.blocks[len(m.blocks)-1].code) >= markBlock {
		m.blocks = append(m.blocks, block{first: n})
		m.size += m.blocks[len(m.blocks)-1].cost()
	} else {
		b := &m.blocks[len(m.blocks)-1]
		m.size -= b.cost()
		b.code = binary.AppendUvarint(b.code, uint64(n.offset-m.prev.offset))
		b.code = binary.AppendVarint(b.code, n.source-m.prev.sourceAt(n.offset))
		b.code = appendLocation(b.code, &m.prev.at, &n.at)
		m.size += b.cost()
	}
	m.prev = n
	for m.size > maxMarks && len(m.blocks) > 1 {
		m.drop()
	}
}

// drop forgets the oldest block.
func (m *marks) drop() {
	m.size -= m.blocks[0].cost()
	m.blocks[0] = block{}
	m.blocks = m.blocks[1:]
}

// forget drops what only offsets before the given one need.
func (m *marks) forget(before int) {
	for len(m.blocks) > 0 {
		next := m.last.offset
		if len(m.blocks) > 1 {
			next = m.blocks[1].first.offset
		}
		if next > before {
			return
		}
		m.drop()
	}
}

// locate returns the mark of an offset.
func (m *marks) locate(offset int) (extract.Location, int64) {
	if !m.any {
		return extract.Location{}, -1
	}
	if offset >= m.last.offset {
		return m.last.at, m.last.sourceAt(offset)
	}
	i := sort.Search(len(m.blocks), func(i int) bool { return m.blocks[i].first.offset > offset }) - 1
	if i < 0 {
		return extract.Location{Path: m.last.at.Path}, -1 // It was forgotten.
	}
	here, next := m.blocks[i].first, m.blocks[i].first
	for r := bytes.NewReader(m.blocks[i].code); r.Len() > 0; here = next {
		if !next.read(r) || next.offset > offset {
			break
		}
	}
	return here.at, here.sourceAt(offset)
}

// read makes m the mark that follows it. Its code is our own: it is never broken.
func (m *mark) read(r *bytes.Reader) bool {
	step, err := binary.ReadUvarint(r)
	if err != nil || step > math.MaxInt {
		return false
	}
	offset := m.offset + int(step)
	d, err := binary.ReadVarint(r)
	if err != nil {
		return false
	}
	m.source, m.offset = m.sourceAt(offset)+d, offset
	return readLocation(r, &m.at) == nil
}
