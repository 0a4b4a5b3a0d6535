package search_test

import (
	"testing"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/search"
	"github.com/outband/outband/findings/search/searchtest"
	"github.com/outband/outband/internal/testserver"
)

var contractKeys = findings.Keys{ID: []byte("0123456789abcdef0123456789abcdef")}

func TestContractSQLite(t *testing.T) {
	db := testserver.OpenSQLite(t)
	r := search.New(db, contractKeys)
	searchtest.Run(t, searchtest.Subject{DB: db, Keys: contractKeys, Embedded: r, Engine: r})
}
