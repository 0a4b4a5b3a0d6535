//go:build noembed

package temporalembed

import (
	"context"
	"errors"
)

// Start reports that this build has no server.
func Start(context.Context, Options) (address string, stop func() error, err error) {
	return "", nil, errors.New("OB-1005: this build has no embedded Temporal server. Set temporal.address to a Temporal cluster")
}
