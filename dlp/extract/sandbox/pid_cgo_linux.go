//go:build cgo

package sandbox

// pidNamespace is no flag where the C library makes the threads: what holds all of them (Landlock before its ABI 8) looks for them in /proc, which
// numbers processes as the namespace of its mount does, and would wait for ever.
const pidNamespace = 0
