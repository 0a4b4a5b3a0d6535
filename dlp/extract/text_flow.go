package extract

// flow writes the text of a document that a person reads in a line, and beside it what stands elsewhere: comments, notes, where links lead. Those come
// behind the paragraph that they hang on, so that they cut no word.
type flow struct {
	t       *Text
	sides   []side
	held    int  // bytes of sides
	written bool // something of the paragraph was
}

type side struct {
	at   Location
	text []byte
	open bool // the next text of the same place goes on with it
}

// maxHeld bounds the bytes that wait for the end of a paragraph. What is more cuts the paragraph.
const maxHeld = 1 << 20

// sideCost is what a side costs beside its bytes.
const sideCost = 256

// body writes text of the paragraph. source is its place in the file, -1: it has none.
func (f *flow) body(at Location, p []byte, source int64) error {
	if len(p) == 0 {
		return nil
	}
	if n := len(f.sides); n > 0 {
		f.sides[n-1].open = false
	}
	f.written = true
	f.t.At(at)
	f.t.from(source)
	_, err := f.t.Write(p)
	return err
}

// beside keeps text of another place until the paragraph ends. Pieces of one place that no text of the paragraph parts are one text.
func (f *flow) beside(at Location, p []byte) error {
	if len(p) == 0 {
		return nil
	}
	n := len(f.sides)
	if n > 0 && f.sides[n-1].open && f.sides[n-1].at == at {
		f.sides[n-1].text = append(f.sides[n-1].text, p...)
	} else {
		f.sides = append(f.sides, side{at, append([]byte(nil), p...), true})
		f.held += sideCost
	}
	if f.held += len(p); f.held > maxHeld {
		return f.end()
	}
	return nil
}

// aside keeps a whole text of another place.
func (f *flow) aside(at Location, s string) error {
	f.close()
	if err := f.beside(at, []byte(s)); err != nil {
		return err
	}
	f.close()
	return nil
}

func (f *flow) close() {
	if n := len(f.sides); n > 0 {
		f.sides[n-1].open = false
	}
}

// end ends the paragraph, and gives out what stands beside it.
func (f *flow) end() error {
	f.t.from(-1)
	if f.written {
		f.written = false
		if err := f.t.WriteString("\n"); err != nil {
			return err
		}
	}
	sides := f.sides
	f.sides, f.held = nil, 0
	for _, s := range sides {
		if err := f.t.Put(s.at, string(s.text)); err != nil {
			return err
		}
	}
	return nil
}

// from says where in the file the next byte has its place, if that is not so already.
func (t *Text) from(source int64) {
	if source != t.source {
		t.Source(source)
	}
}
