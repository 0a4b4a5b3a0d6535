package main

import (
	"os"
	"testing"

	"github.com/outband/outband/dlp/extract/sandbox"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == sandbox.Argument {
		sandbox.Child()
	}
	os.Exit(m.Run())
}
