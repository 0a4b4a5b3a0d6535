package search

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/outband/outband/findings"
	"github.com/outband/outband/findings/cursor"
	"github.com/outband/outband/findings/filter"
)

// Export formats.
const (
	FormatNDJSON = "ndjson" // one finding a line, with all stored instances
	FormatCSV    = "csv"    // one finding a row, without instances
)

// ContentType returns the media type of a format, or ErrFormat.
func ContentType(format string) (string, error) {
	switch format {
	case FormatNDJSON:
		return "application/x-ndjson", nil
	case FormatCSV:
		return "text/csv; charset=utf-8; header=present", nil
	}
	return "", ErrFormat
}

// Export writes the filter's findings, the oldest first, and returns how many. It reads them in batches of at most MaxLimit, so that neither a
// read transaction nor memory grows with the number of findings. Errors: ErrFormat and filter.ErrFilter, before anything is written.
func (r *Reader) Export(ctx context.Context, w io.Writer, format string, f filter.Filter) (n int64, err error) {
	if _, err := ContentType(format); err != nil {
		return 0, err
	}
	out := bufio.NewWriterSize(w, 64<<10)
	if format == FormatCSV {
		if err := f.Validate(); err != nil {
			return 0, err
		}
		if err := writeCSV(out, csvHeader); err != nil {
			return 0, err
		}
	}
	q := Query{Filter: f, Sort: "first_seen_at", Limit: MaxLimit}
	for {
		page, err := r.List(ctx, q)
		if err != nil {
			return n, err
		}
		for _, x := range page.Items {
			if format == FormatCSV {
				err = writeCSV(out, csvRow(x))
			} else {
				err = r.writeNDJSON(ctx, out, x)
			}
			if err != nil {
				return n, err
			}
			n++
		}
		if err := out.Flush(); err != nil {
			return n, fmt.Errorf("write export: %w", err)
		}
		if q.Cursor = page.NextCursor; q.Cursor == "" {
			return n, nil
		}
	}
}

// writeNDJSON writes one finding; its instances come in batches too.
func (r *Reader) writeNDJSON(ctx context.Context, out *bufio.Writer, x findings.Finding) error {
	head, err := json.Marshal(x)
	if err != nil {
		return fmt.Errorf("encode finding %s: %w", x.ID, err)
	}
	head = append(bytes.TrimSuffix(head, []byte("}")), `,"instances":[`...)
	if _, err := out.Write(head); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	for after, first, n := (cursor.Place{}), true, MaxLimit; n == MaxLimit; {
		batch, err := r.instances(ctx, x.ID, after, MaxLimit)
		if err != nil {
			return err
		}
		n = len(batch)
		for _, in := range batch {
			b, err := json.Marshal(in)
			if err != nil {
				return fmt.Errorf("encode instance %s: %w", in.ID, err)
			}
			if !first {
				b = append([]byte(","), b...)
			}
			if _, err := out.Write(b); err != nil {
				return fmt.Errorf("write export: %w", err)
			}
			first = false
			after = cursor.Place{Number: int64(in.FirstSeenAt), ID: in.ID}
		}
	}
	if _, err := out.WriteString("]}\n"); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}

var csvHeader = []string{"id", "policy_id", "policy_version", "kind", "severity", "status", "source", "title", "connection_id", "connector",
	"resource_kind", "resource_id", "resource_url", "resource_name", "actor_id", "actor_email", "first_seen_at", "last_seen_at", "occurred_at", "last_occurred_at",
	"detectors", "instance_count"}

func csvRow(x findings.Finding) []string {
	return []string{x.ID, x.PolicyID, strconv.Itoa(x.PolicyVersion), x.Kind, x.Severity, x.Status, x.Source, x.Title, x.ConnectionID, x.Connector,
		x.Resource.Kind, x.Resource.ID, x.Resource.URL, x.Resource.Name, x.Actor.ID, x.Actor.Email, x.FirstSeenAt.String(), x.LastSeenAt.String(), x.OccurredAt.String(), x.LastOccurredAt.String(),
		strings.Join(x.Detectors, " "), strconv.FormatInt(x.InstanceCount, 10)}
}

// writeCSV writes one row. Every cell is quoted, and one that a spreadsheet would take for a formula begins with an apostrophe.
func writeCSV(out *bufio.Writer, cells []string) error {
	for i, cell := range cells {
		if i > 0 {
			out.WriteByte(',')
		}
		if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
			cell = "'" + cell
		}
		out.WriteByte('"')
		out.WriteString(strings.ReplaceAll(cell, `"`, `""`))
		out.WriteByte('"')
	}
	// A bufio.Writer keeps its first error: the last write returns it.
	if _, err := out.WriteString("\r\n"); err != nil {
		return fmt.Errorf("write export: %w", err)
	}
	return nil
}
