package extract

// within reports whether the innermost open element has a name.
func (x *xmlReader) within(name string) bool { return x.above(0) == name }

// above is the name of the i-th open element from the inside.
func (x *xmlReader) above(i int) string {
	n := len(x.ends) - 1 - i
	if n < 0 {
		return ""
	}
	return string(x.stack[x.openFrom(n):x.ends[n]])
}

// attr is the value of an attribute by its name without prefix, the empty string if there is none.
func (x *xmlReader) attr(name string) string {
	for _, a := range x.attrs {
		if string(a.name) == name {
			return string(a.value)
		}
	}
	return ""
}

// rel is the value of an attribute of a name that has a prefix: the id of a relationship.
func (x *xmlReader) rel(name string) string {
	v := ""
	for _, a := range x.attrs {
		if string(a.name) != name || len(a.prefix) == 0 {
			continue
		}
		if string(a.prefix) == "r" {
			return string(a.value)
		}
		if v == "" {
			v = string(a.value)
		}
	}
	return v
}

// on reports whether an attribute is a boolean that is true.
func (x *xmlReader) on(name string) bool {
	v := x.attr(name)
	return v == "1" || v == "true" || v == "on"
}
