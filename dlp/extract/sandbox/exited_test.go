package sandbox

import (
	"os"
	"os/exec"
	"sync"
	"testing"
)

var exitedOnce = sync.OnceValues(func() (*os.ProcessState, error) {
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	err := cmd.Run()
	return cmd.ProcessState, err
})

// exited is the state of a process that ended well.
func exited(t *testing.T) *os.ProcessState {
	state, err := exitedOnce()
	if err != nil {
		t.Fatal(err)
	}
	return state
}
