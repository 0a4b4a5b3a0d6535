package storetest

import (
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// Server connects to a Postgres database for what tests do beside the store: making databases and users, cutting connections. The caller closes it.
func Server(dsn string) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("read the connection string of a test: %w", err)
	}
	return stdlib.OpenDB(*cfg), nil
}
