package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/outband/outband/findings/elastic"
	"github.com/outband/outband/findings/search"
)

const reportEvery = 2 * time.Second

// reindexCommand is `outband reindex`.
func reindexCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "reindex", Short: "Build the index in Elasticsearch anew from the store, beside a running server", Args: cobra.NoArgs,
		Long: `Build the index in Elasticsearch anew from the store, beside the old one, and put it in its place when it is whole. Servers go on meanwhile.

Progress is on standard error. Exit code 0: done. 1: it failed and can be run again. 2: wrong settings, or the store could not be opened.`,
	}
	s := configured(cmd, map[string]string{"data": "data folder"})
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := s.load(cmd, nil)
		if err != nil {
			return err
		}
		if cfg.Elasticsearch.URL == "" {
			return codedError{errors.New("OB-1025: elasticsearch.url is not set, so there is no index to build. The search within Outband needs none"), 2}
		}
		db, v, err := openExisting(cmd.Context(), cfg)
		if err != nil {
			return codedError{err, 2}
		}
		defer closeQuietly(db)
		index, err := openIndex(cfg.Elasticsearch, elastic.Dependencies{DB: db, Embedded: search.New(db, keysOf(v).Findings), Log: newLogger(cfg.Log.Level)})
		if err != nil {
			return codedError{err, 2}
		}
		defer index.Close()
		p := &progress{out: cmd.ErrOrStderr(), now: time.Now}
		if err := index.Reindex(cmd.Context(), p.report); err != nil {
			return err
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "the index is built anew: %d findings\n", p.done)
		return err
	}
	return cmd
}

// progress prints a line now and then.
type progress struct {
	out  io.Writer
	now  func() time.Time
	last time.Time
	done int64
}

func (p *progress) report(done, total int64) {
	p.done = done
	if now := p.now(); now.Sub(p.last) >= reportEvery || done >= total {
		p.last = now
		fmt.Fprintf(p.out, "%d of %d findings\n", done, total)
	}
}
