package extract

import "testing"

func TestTextIsGivenAsItIs(t *testing.T) {
	c, rep := readAll(t, "a.txt", []byte("one\ntwo\n"), Options{})
	if c.all() != "one\ntwo\n\f" || !c.raw[0] || rep.Type != "text/plain" || rep.Format != "text" || rep.Mismatch || rep.Bytes != 8 || rep.Text != 8 || rep.Gaps != nil {
		t.Errorf("got %q, %+v", c.all(), rep)
	}
}
