package dlp

import "github.com/outband/outband/dlp/view"

// hiddenKind is the kind of hidden text that a scanner looks for, 0 for the other scanners.
func hiddenKind(scanner string) view.Kind {
	switch scanner {
	case "zero_width":
		return view.ZeroWidth
	case "tags":
		return view.Tag
	case "selectors":
		return view.Selector
	case "bidi":
		return view.Bidi
	}
	return 0
}

// unseen looks at what folding took out of the text, or left in it, without anybody seeing it.
func (s *state) unseen() {
	for _, h := range s.view.Hidden {
		for _, r := range s.engine.hidden[h.Kind] {
			s.current = r
			s.add(candidate{rule: r, start: h.At, end: h.At, from: h.From, to: h.To, raw: h.Raw, confidence: r.Confidence})
		}
	}
	s.current = nil
}
