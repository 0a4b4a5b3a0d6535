package workflows

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/outband/outband/connectors"
	"github.com/outband/outband/internal/secret"
	"github.com/outband/outband/internal/store"
)

// Estimate says about what reading [from, to) of the history of a connection takes, with a few calls: of the account's budget if the connection is saved.
// Its error is errors.ErrUnsupported if the connector cannot tell.
func (o *Opener) Estimate(ctx context.Context, c store.Connection, secrets map[string]secret.Value, from, to time.Time) (connectors.Estimate, error) {
	m, err := o.Manifest(c.Connector)
	if err != nil {
		return connectors.Estimate{}, err
	}
	account := ""
	if c.ID != "" {
		account = budget(c)
	}
	source, _, err := o.open(c.Connector, c.ID, account, o.calls.of(c.ID), c.Config, secrets[m.Secrets[0].ID])
	if err != nil {
		return connectors.Estimate{}, err
	}
	estimator, ok := source.(connectors.Estimator)
	if !ok {
		return connectors.Estimate{}, fmt.Errorf("estimate the history of %s: %w", m.Name, errors.ErrUnsupported)
	}
	return estimator.Estimate(ctx, from, to)
}
