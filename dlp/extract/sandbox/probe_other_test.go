//go:build !linux

package sandbox

func probe(bool) string { return "" }
