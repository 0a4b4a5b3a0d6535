package main

import (
	"os"
	"testing"

	"github.com/outband/outband/dlp/extract/sandbox"
)

func TestMain(m *testing.M) {
	sandbox.Child()
	os.Exit(m.Run())
}
