//go:build !cgo

package sandbox

import "golang.org/x/sys/unix"

// pidNamespace makes a child the first process of a namespace: what it started ends with it.
const pidNamespace = unix.CLONE_NEWPID
