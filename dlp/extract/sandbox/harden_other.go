//go:build !linux && !darwin

package sandbox

import (
	"errors"
	"time"
)

// harden can take nothing away here: a child is a process of its own and no more.
func harden(setup) Guards { return Guards{} }

func limitCPU(time.Duration) error { return errors.ErrUnsupported }

func watchSignals() {}
