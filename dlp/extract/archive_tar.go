package extract

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// readTar reads a tar file of any of its forms: v7, ustar, pax, GNU. A sparse file counts with its holes, by the ratio of the bytes that are there.
func readTar(d *Doc) error {
	src := &counted{r: d.Reader()}
	z := tar.NewReader(src)
	t := &tarNotes{d: d, t: d.Text(Location{})}
	for {
		h, err := z.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if d.w.fatal != nil {
			return d.w.fatal
		}
		if err != nil {
			var g gapError
			if errors.As(err, &g) {
				return g
			}
			return errMalformed
		}
		if err := t.note(h); err != nil {
			return err
		}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse, tar.TypeCont, 0:
		case tar.TypeXGlobalHeader:
			continue
		default:
			if h.Size <= 0 || h.Typeflag == tar.TypeDir { // links and devices have no content
				if err := t.put(Location{Part: PartName}, h.Name); err != nil {
					return err
				}
				continue
			}
		}
		start := src.n
		body := &lenient{r: z}
		m := Member{Name: h.Name, Size: h.Size, Body: body}
		if sparse(h) {
			m.In = func() int64 { return src.n - start }
		}
		if err := d.Member(m); err != nil {
			return err
		}
		d.broken(h.Name, body.err)
	}
	return d.behind(src)
}

// sparse tells whether holes of the file are not in the archive.
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for k := range h.PAXRecords {
		if strings.HasPrefix(k, "GNU.sparse.") {
			return true
		}
	}
	return false
}

// behind reads what follows the end of an archive: padding with zeros, or anything.
func (d *Doc) behind(src io.Reader) error {
	br := bufio.NewReader(src)
	for {
		b, err := br.Peek(1)
		if err != nil {
			return nil
		}
		if b[0] != 0 {
			break
		}
		b, _ = br.Peek(br.Buffered())
		if _, err := br.Discard(len(b) - len(bytes.TrimLeft(b, "\x00"))); err != nil {
			return nil
		}
	}
	return d.Member(Member{Name: "behind", Body: br, Quiet: true, At: Location{Hidden: true}})
}

// tarNotes gives out what headers hold beside names and content.
type tarNotes struct {
	d     *Doc
	t     *Text
	owner string
}

func (n *tarNotes) put(at Location, s string) error { return n.t.Put(at, display(s)) }

// note gives out the target of a link, owners that differ from those before, and pax records that are no numbers.
func (n *tarNotes) note(h *tar.Header) error {
	if h.Linkname != "" {
		if err := n.put(Location{Part: PartLink, Name: display(h.Name)}, h.Linkname); err != nil {
			return err
		}
	}
	if o := strings.Trim(h.Uname+" "+h.Gname, " "); o != n.owner && o != "" {
		n.owner = o
		if err := n.put(Location{Part: PartMetadata, Name: "owner"}, "owner: "+o); err != nil {
			return err
		}
	}
	for _, k := range slices.Sorted(maps.Keys(h.PAXRecords)) {
		v := h.PAXRecords[k]
		if _, err := strconv.ParseFloat(v, 64); err == nil || v == "" || slices.Contains([]string{"path", "linkpath", "uname", "gname"}, k) || strings.HasPrefix(k, "GNU.sparse.") {
			continue
		}
		if err := n.t.Put(Location{Part: PartMetadata, Name: display(k)}, display(k)+": "+strings.ToValidUTF8(v, "\uFFFD")); err != nil {
			return err
		}
	}
	return nil
}

// readAr reads the archives of ar(1), of which .deb packages are: headers of 60 bytes, names of GNU or BSD.
func readAr(d *Doc) error {
	br := d.Reader()
	h := make([]byte, 60)
	if _, err := io.ReadFull(br, h[:8]); err != nil {
		return errMalformed
	}
	var names []byte
	for {
		if n, err := io.ReadFull(br, h); n == 0 || n == 1 && h[0] == '\n' {
			return nil
		} else if err != nil || h[58] != '`' || h[59] != '\n' {
			return errMalformed
		}
		size, err := strconv.ParseInt(strings.TrimSpace(string(h[48:58])), 10, 64)
		if err != nil || size < 0 {
			return errMalformed
		}
		name := strings.TrimRight(string(h[:16]), " ")
		body := io.LimitReader(br, size)
		switch {
		case name == "//":
			if names, err = io.ReadAll(io.LimitReader(body, 1<<20)); err != nil {
				return err
			}
		case name == "/", name == "/SYM64/", strings.HasPrefix(name, "__.SYMDEF"):
		default:
			if off, err := strconv.Atoi(strings.TrimPrefix(name, "/")); err == nil && name[0] == '/' && off >= 0 && off < len(names) {
				b, _, _ := bytes.Cut(names[off:], []byte("\n"))
				name = string(b)
			} else if n, err := strconv.Atoi(strings.TrimPrefix(name, "#1/")); err == nil && strings.HasPrefix(name, "#1/") && n >= 0 && n <= 1024 {
				b := make([]byte, n)
				if _, err := io.ReadFull(body, b); err != nil {
					return errMalformed
				}
				name = strings.TrimRight(string(b), "\x00")
			}
			if err := d.Member(Member{Name: strings.TrimSuffix(name, "/"), Size: size, Body: body, Quiet: true}); err != nil {
				return err
			}
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return err
		}
		if size%2 == 1 {
			if n, _ := io.ReadFull(br, h[:1]); n == 0 {
				return nil
			}
		}
	}
}

// isCpio tells a header from a text that begins so: it is digits to its end.
func isCpio(head []byte) bool {
	n, digits := 110, "0123456789abcdefABCDEF"
	if prefix("070707")(head) {
		n, digits = 76, "01234567"
	} else if !prefix("070701")(head) && !prefix("070702")(head) {
		return false
	}
	return len(head) > n && strings.Trim(string(head[:n]), digits) == ""
}

// readCpio reads the archives of cpio(1) with headers in ASCII: "new" (070701, 070702) and "odc" (070707).
func readCpio(d *Doc) error {
	br := d.Reader()
	read := int64(0)
	skip := func(n int64) error {
		m, err := io.CopyN(io.Discard, br, n)
		read += m
		return err
	}
	h := make([]byte, 110)
	for {
		if _, err := io.ReadFull(br, h[:6]); err != nil {
			return errMalformed
		}
		odc := string(h[:6]) == "070707"
		n, sizeAt, nameAt, base := 110, [2]int{54, 62}, [2]int{94, 102}, 16
		if odc {
			n, sizeAt, nameAt, base = 76, [2]int{65, 76}, [2]int{59, 65}, 8
		} else if string(h[:6]) != "070701" && string(h[:6]) != "070702" {
			return errMalformed
		}
		if _, err := io.ReadFull(br, h[6:n]); err != nil {
			return errMalformed
		}
		size, err1 := strconv.ParseInt(string(h[sizeAt[0]:sizeAt[1]]), base, 64)
		nameLen, err2 := strconv.ParseInt(string(h[nameAt[0]:nameAt[1]]), base, 64)
		if err1 != nil || err2 != nil || size < 0 || nameLen < 1 || nameLen > 64<<10 {
			return errMalformed
		}
		b := make([]byte, nameLen)
		if _, err := io.ReadFull(br, b); err != nil {
			return errMalformed
		}
		read += int64(n) + nameLen
		pad := func() int64 {
			if odc {
				return 0
			}
			return -read & 3
		}
		if err := skip(pad()); err != nil {
			return errMalformed
		}
		name := strings.TrimRight(string(b), "\x00")
		if name == "TRAILER!!!" {
			return d.behind(br)
		}
		body := &counted{r: io.LimitReader(br, size)}
		if size == 0 {
			if err := d.Text(Location{}).Put(Location{Part: PartName}, display(name)); err != nil {
				return err
			}
		} else if err := d.Member(Member{Name: name, Size: size, Body: body}); err != nil {
			return err
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			return err
		}
		if read += body.n; body.n < size {
			return errMalformed
		}
		if err := skip(pad()); err != nil {
			return errMalformed
		}
	}
}
