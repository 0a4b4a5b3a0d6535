//go:build !linux

package sandbox

func probe() string { return "" }
