// Package all lists every connector of this build. It is imported by cmd and by tests only.
package all

import (
	"github.com/outband/outband/connectors"
	"github.com/outband/outband/connectors/claude"
)

// All returns the connectors in the order in which they are shown.
func All() []connectors.Connector {
	return []connectors.Connector{
		claude.Connector,
	}
}
