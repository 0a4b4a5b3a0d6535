package extract

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestRealFiles reads what other software wrote; testdata says how each was made.
func TestRealFiles(t *testing.T) {
	type at = map[string]Location
	tarFile := func(name string) at {
		return at{"VALUE01": {Path: name + "!/a.txt"}, "VALUE02": {Path: name + "!/dir/b.txt"}, "VALUE03": {Path: name, Part: PartLink, Name: "link"}}
	}
	files := at{"VALUE01": {Path: "a.txt"}, "VALUE02": {Path: "dir/b.txt"}}
	tags := at{"VALUE01": {Part: PartMetadata, Name: "title"}, "VALUE02": {Part: PartMetadata, Name: "comment"}}
	rows := at{"VALUE01": {Sheet: "tr", Part: PartCode}, "VALUE02": {Sheet: "t", Row: 33, Name: "note"}, "VALUE03": {Sheet: "t", Row: 7, Name: "note"},
		"VALUE04": {Sheet: "t", Row: 9, Name: "data"}, "VALUE05": {Sheet: "k", Row: 1, Name: "a"}, "VALUE06": {Sheet: "t", Hidden: true}}
	under := func(path string, all at) at {
		out := at{}
		for v, l := range all {
			l.Path = path
			out[v] = l
		}
		return out
	}
	image, media := []string{ReasonImage}, []string{ReasonMedia}
	for _, tc := range []struct {
		name string
		at   at
		gaps []string
	}{
		{"archive/7z-lzma.7z", files, nil},
		{"archive/7z-lzma2.7z", files, nil},
		{"archive/7z-bzip2.7z", files, nil},
		{"archive/7z-deflate.7z", files, nil},
		{"archive/7z-encrypted.7z", nil, []string{ReasonEncrypted}},
		{"archive/7z-BZip2.zip", files, nil},
		{"archive/7z-LZMA.zip", files, nil},
		{"archive/7z-Deflate.zip", files, nil},
		{"archive/7z-aes.zip", nil, []string{ReasonEncrypted}},
		{"archive/tar-pax.tar.xz", tarFile("tar-pax.tar"), nil},
		{"archive/tar-gnu.tar.zst", tarFile("tar-gnu.tar"), nil},
		{"archive/tar-v7.tar.bz2", tarFile("tar-v7.tar"), nil},
		{"archive/tar-ustar.tar.gz", tarFile("tar-ustar.tar"), nil},
		{"archive/compress.Z", at{"VALUE02": {Path: "compress"}}, nil},
		{"archive/xz.lzma", at{"VALUE02": {Path: "xz"}}, nil},
		{"archive/xz-delta.xz", at{"VALUE02": {Path: "xz-delta"}}, nil},
		{"archive/cpio-odc.cpio.gz", at{"VALUE01": {Path: "cpio-odc.cpio!/a.txt"}, "VALUE02": {Path: "cpio-odc.cpio!/dir/b.txt"}}, nil},
		{"archive/ar.ar", at{"VALUE01": {Path: "a.txt"}, "VALUE02": {Path: "b.txt"}}, nil},
		{"database/python-utf8.db.gz", under("python-utf8.db", rows), nil},
		{"database/python-utf16.db.gz", under("python-utf16.db", rows), nil},
		{"image/exiftool.jpg", at{"VALUE01": {Part: PartComment}, "VALUE02": {Part: PartMetadata, Name: "dc:description"}, "VALUE03": {Part: PartMetadata, Name: "Caption-Abstract"},
			"VALUE04": {Part: PartMetadata, Name: "Artist"}}, image},
		{"image/exiftool.tif", at{"VALUE02": {Part: PartMetadata, Name: "dc:description"}, "VALUE03": {Part: PartMetadata, Name: "Caption-Abstract"},
			"VALUE04": {Part: PartMetadata, Name: "Artist"}}, image},
		{"image/exiftool.avif", at{"VALUE02": {Part: PartMetadata, Name: "dc:description"}, "VALUE04": {Part: PartMetadata, Name: "Artist"}}, image},
		{"image/pillow.gif", at{"VALUE01": {Part: PartComment}}, image},
		{"image/pillow.webp", at{"VALUE01": {Part: PartMetadata, Name: "ImageDescription"}, "VALUE02": {Part: PartMetadata, Name: "XPComment"},
			"VALUE03": {Part: PartMetadata, Name: "UserComment"}}, image},
		{"image/pillow.png", at{"VALUE01": {Part: PartMetadata, Name: "ImageDescription"}, "VALUE04": {Part: PartMetadata, Name: "Comment"},
			"VALUE05": {Part: PartMetadata, Name: "Description"}, "VALUE06": {Part: PartMetadata, Name: "Title"}}, image},
		{"media/ffmpeg.mp3", at{"VALUE01": {Part: PartMetadata, Name: "TIT2"}, "VALUE02": {Part: PartMetadata, Name: "comment"}}, media},
		{"media/ffmpeg.ogg", at{"VALUE01": {Part: PartMetadata, Name: "title"}, "VALUE02": {Part: PartMetadata, Name: "DESCRIPTION"}}, media},
		{"media/ffmpeg.m4a", tags, media},
		{"media/ffmpeg.mov", tags, media},
		{"media/ffmpeg.wav", tags, media},
		{"media/ffmpeg.mkv", at{"VALUE01": {Part: PartMetadata, Name: "title"}, "VALUE02": {Part: PartMetadata, Name: "COMMENT"}, "VALUE03": {Name: "subtitles of track 2"}}, media},
	} {
		data, err := os.ReadFile(filepath.Join("testdata", tc.name))
		if err != nil {
			t.Fatal(err)
		}
		c, rep := readAll(t, filepath.Base(tc.name), data, Options{})
		for v, want := range tc.at {
			if got := c.find(v); !slices.Contains(got, want) {
				t.Errorf("%s: %s at %+v, want %+v", tc.name, v, got, want)
			}
		}
		if got := bareReasons(rep); !slices.Equal(got, tc.gaps) {
			t.Errorf("%s: gaps %v, want %v", tc.name, reasons(rep), tc.gaps)
		}
	}
}
