package acme

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/outband/outband/connectors/connectortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) { connectortest.Run(t, Connector) }
