package extract

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"
)

// readNotebook reads a Jupyter notebook (nbformat 3 to 5): what its cells say and put out, files in either, and its metadata. What cannot be read as such is
// given out as it stands.
func readNotebook(d *Doc) error {
	r, _, err := d.utf8(false)
	if err != nil {
		return err
	}
	n := &notebook{d: d, j: jsonReader{bufio.NewReaderSize(r, chunk)}, t: d.Text(Location{})}
	err = n.j.object(n.top)
	rest := d.Text(Location{})
	if perr := pump(n.j.r, func(p []byte) error { // Behind what is broken, or behind the end.
		_, werr := rest.Write(p)
		return werr
	}); perr != nil {
		return perr
	}
	return err
}

type notebook struct {
	d      *Doc
	j      jsonReader
	t      *Text
	number int // of the cell
}

func (n *notebook) top(key string) error {
	switch key {
	case "cells":
		return n.j.array(n.cell)
	case "worksheets":
		return n.j.array(func() error { return n.j.object(n.top) })
	}
	return n.properties(key, "")
}

// properties gives out a value as "name: value".
func (n *notebook) properties(key, cell string) error {
	return n.named(Location{Part: PartProperty, Cell: cell}, key)
}

func (n *notebook) named(at Location, key string) error {
	return n.j.strings(func(inner string, r io.Reader) error {
		if inner == "" {
			inner = key
		}
		if at.Part == PartProperty {
			at.Name = inner
		}
		n.t.At(at)
		if err := n.t.WriteString(inner + ": "); err != nil {
			return err
		}
		return n.write(at, r)
	})
}

// write gives out a text and a line end.
func (n *notebook) write(at Location, r io.Reader) error {
	n.t.At(at)
	err := pump(r, func(p []byte) error {
		_, err := n.t.Write(p)
		return err
	})
	return errors.Join(err, n.t.WriteString("\n"))
}

func (n *notebook) cell() error {
	n.number++
	number := strconv.Itoa(n.number)
	part := PartCode
	return n.j.object(func(key string) error {
		switch key {
		case "cell_type":
			var kind strings.Builder
			err := pump(n.j.text(), func(p []byte) error {
				kind.Write(p[:min(len(p), 16)])
				return nil
			})
			if kind.String() != "code" {
				part = ""
			}
			return err
		case "source", "input":
			return n.write(Location{Cell: number, Part: part}, n.j.text())
		case "outputs":
			return n.j.array(func() error { return n.output(number) })
		case "attachments":
			return n.j.object(func(name string) error {
				return n.j.object(func(media string) error { return n.data(number, media, name) })
			})
		}
		return n.properties(key, number)
	})
}

func (n *notebook) output(cell string) error {
	at := Location{Cell: cell, Part: PartOutput}
	return n.j.object(func(key string) error {
		switch key {
		case "text", "traceback", "latex", "javascript":
			return n.write(at, &uncoloured{r: n.j.text()})
		case "ename", "evalue":
			return n.write(at, &uncoloured{r: n.j.text()})
		case "html":
			return n.data(cell, "text/html", "")
		case "png", "jpeg": // nbformat 3
			return n.data(cell, "image/"+key, "")
		case "data":
			return n.j.object(func(media string) error { return n.data(cell, media, "") })
		case "output_type", "execution_count":
			return n.j.skip()
		}
		return n.named(at, key)
	})
}

// data reads what a cell puts out, or holds as an attachment, in one of its forms.
func (n *notebook) data(cell, media, name string) error {
	at := Location{Cell: cell, Part: PartOutput}
	first, err := n.j.next()
	if err != nil {
		return err
	}
	media, _, _ = strings.Cut(strings.ToLower(media), ";")
	r := n.j.text()
	switch {
	case first == '{' || first == '[' && strings.HasSuffix(media, "json"):
		return n.named(at, media)
	case media == "text/html":
		err = readPage(n.d, r, false, at)
	case inBase64(media):
		if name == "" {
			name = "cell " + cell + " " + media
		}
		err = n.d.Member(Member{Name: name, Type: media, Body: base64Reader(r)})
	case name != "": // An attachment of text is in Base64 as well, or not: its bytes tell.
		err = n.write(Location{Cell: cell}, r)
	default:
		err = n.write(at, &uncoloured{r: r})
	}
	return errors.Join(err, r.drain())
}

// inBase64 reports whether a notebook holds data of a type in Base64.
func inBase64(media string) bool {
	kind, _, _ := strings.Cut(media, "/")
	switch media {
	case "image/svg+xml":
		return false
	case "application/pdf", "application/zip", "application/octet-stream":
		return true
	}
	return kind == "image" || kind == "audio" || kind == "video"
}

// uncoloured leaves out the escape sequences that colour what a terminal shows: they stand within words of a traceback.
type uncoloured struct {
	r     io.Reader
	state byte // 0: text, 1: behind an escape, 2: in a sequence
}

func (u *uncoloured) Read(p []byte) (int, error) {
	for {
		n, err := u.r.Read(p)
		kept := p[:0]
		for _, b := range p[:n] {
			switch {
			case u.state == 0 && b == 0x1b:
				u.state = 1
			case u.state == 0:
				kept = append(kept, b)
			case u.state == 1 && b == '[':
				u.state = 2
			case u.state == 1:
				u.state = 0
				kept = append(kept, b)
			case b < 0x20 || b >= 0x80: // No part of a sequence.
				u.state = 0
				kept = append(kept, b)
			case b >= 0x40:
				u.state = 0
			}
		}
		if len(kept) > 0 || err != nil {
			return len(kept), err
		}
	}
}
