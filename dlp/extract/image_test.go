package extract

import (
	"testing"
)

func TestImageDocuments(t *testing.T) {
	checkDocuments(t, "jpeg", "png", "gif", "tiff", "webp", "heif", "psd")
}

func TestMediaDocuments(t *testing.T) {
	checkDocuments(t, "mp3", "flac", "ogg", "riff", "mp4", "matroska")
}

func FuzzImage(f *testing.F) { fuzzDocuments(f, "jpeg", "png", "gif", "tiff", "webp", "heif", "psd") }

func FuzzMedia(f *testing.F) { fuzzDocuments(f, "mp3", "flac", "ogg", "riff", "mp4", "matroska") }
