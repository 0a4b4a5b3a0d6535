package extract

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// entity reads a mail or a part: its headers and its body. top says that it is a mail, whose body is part 1 of it unless it is in parts itself.
func (m *mailReader) entity(num string, top bool, media string) error {
	h, err := m.header(num, media)
	if err != nil {
		return err
	}
	if strings.HasPrefix(h.media, "multipart/") {
		return m.multipart(h, num)
	}
	if top {
		num = joinNumber(num, 1)
	}
	return m.leaf(h, num)
}

// multipart reads the parts between boundaries. Missing ends, parts behind the end and text around them are read as well.
func (m *mailReader) multipart(h mailHeader, num string) error {
	bound := strings.TrimRight(h.params["boundary"], " \t")
	if bound == "" {
		if bound = m.guessBoundary(); bound == "" {
			return m.leaf(mailHeader{media: "text/plain", encoding: h.encoding, params: h.params}, num)
		}
	}
	if len(m.bounds) >= maxMultipart {
		m.d.Gap(ReasonDepth)
		return m.raw(num, false)
	}
	if h.media == "multipart/encrypted" {
		m.encrypted()
	}
	m.bounds = append(m.bounds, bound)
	id := len(m.bounds)
	media := "text/plain"
	if h.media == "multipart/digest" {
		media = "message/rfc822"
	}
	if err := m.raw(num, true); err != nil {
		return err
	}
	for n := 1; m.stop == id; {
		m.stop = 0
		if m.final {
			if err := m.raw(num, true); err != nil {
				return err
			}
			continue
		}
		if err := m.entity(joinNumber(num, n), false, media); err != nil {
			return err
		}
		n++
	}
	m.bounds = m.bounds[:id-1]
	return nil
}

// guessBoundary finds the boundary of a multipart that tells none: the first line that begins with two dashes.
func (m *mailReader) guessBoundary() string {
	if m.back != nil || m.over || m.stop != 0 {
		return ""
	}
	ahead, _ := m.br.Peek(8 << 10)
	for line := range bytes.Lines(ahead) {
		if s := bytes.TrimRight(line, "\r\n \t"); len(s) > 4 && len(s) < 200 && bytes.HasPrefix(s, []byte("--")) {
			return string(s[2:])
		}
	}
	return ""
}

// encrypted notes once a mail that a body cannot be read.
func (m *mailReader) encrypted() {
	if !m.sealed {
		m.sealed = true
		m.d.Gap(ReasonEncrypted)
	}
}

// leaf reads the body of a part that is not in parts.
func (m *mailReader) leaf(h mailHeader, num string) error {
	at := Location{Message: num}
	body, junk := transferred(&mailBody{m: m}, h.encoding)
	attached := h.name != "" || h.disposition == "attachment"
	var err error
	switch {
	case h.media == "application/pgp-encrypted":
		m.encrypted()
		err = m.text(body, h, num)
	case h.media == "message/rfc822" || h.media == "message/global" || h.media == "message/news":
		name := h.name
		if name == "" {
			name = "message.eml"
		}
		err = m.d.mailMember(Member{Name: name, Type: h.media, Body: body, At: at})
	case h.media == "text/html" && !attached:
		err = m.d.Member(htmlBody(charsetReader(h.params["charset"], body), at))
	case (strings.HasPrefix(h.media, "text/") || strings.HasPrefix(h.media, "message/") || !strings.Contains(h.media, "/")) && !attached:
		err = m.text(body, h, num)
	default:
		err = m.attachment(body, h, num)
	}
	if err != nil {
		return err
	}
	// What the reader of the part left.
	if _, err := io.Copy(io.Discard, body); err != nil && m.d.w.fatal != nil {
		return m.d.w.fatal
	}
	if err := m.drain(); err != nil {
		return err
	}
	if junk != nil && len(junk.bad) > 0 {
		if _, err := m.d.Text(at).Write(decodeUTF8(junk.bad)); err != nil {
			return err
		}
		if junk.cut {
			m.d.Gap(ReasonMalformed)
		}
	}
	return nil
}

// mailMember reads a mail within d, of which the first header may be any. What is no text is read as what it is.
func (d *Doc) mailMember(m Member) error {
	br := bufio.NewReaderSize(m.Body, headBytes)
	head, err := br.Peek(headBytes)
	if m.Body = br; err != nil && err != io.EOF || !isText(mimetype.Lookup(detect(head))) {
		return d.Member(m)
	}
	return d.Inner(m, "eml", "message/rfc822", readMail)
}

// drain reads on to the end of the part.
func (m *mailReader) drain() error {
	for {
		if _, ok, err := m.next(); err != nil || !ok {
			return err
		}
	}
}

// attachment hands on a file. Text whose charset only the header knows is decoded by it.
func (m *mailReader) attachment(body io.Reader, h mailHeader, num string) error {
	mem := Member{Name: h.name, Type: h.media, Body: body, At: Location{Message: num}}
	switch {
	case mem.Name != "":
	case h.location != "":
		mem.Name = h.location
	default:
		mem.Name = "part " + num
	}
	if strings.Contains(h.media, "signature") { // What it signs is read elsewhere.
		mem.Quiet = true
	}
	if strings.HasPrefix(h.media, "text/") {
		mem.As = h.media
		br := bufio.NewReaderSize(body, headBytes)
		head, _ := br.Peek(headBytes)
		mem.Body = br
		if cs := strings.ToLower(h.params["charset"]); cs != "" && cs != "utf-8" && cs != "us-ascii" && strings.HasPrefix(detect(head), "text/") {
			mem.Body = charsetReader(cs, br)
		}
	}
	return m.d.Member(mem)
}

// htmlBody is a body of HTML in UTF-8. The mark before it says so, whatever its meta tags tell of how it was once sent.
func htmlBody(r io.Reader, at Location) Member {
	return Member{Body: io.MultiReader(strings.NewReader("\uFEFF"), r), Type: "text/html", As: "text/html", Inline: true, At: at}
}
