package elastic

import (
	"slices"

	"github.com/outband/outband/findings"
)

// document is a finding in the index: the public finding without personal data, and what questions need.
type document struct {
	ID             string            `json:"id"`
	PolicyID       string            `json:"policy_id"`
	PolicyVersion  int               `json:"policy_version"`
	Kind           string            `json:"kind"`
	Severity       string            `json:"severity"`
	SeverityRank   int64             `json:"severity_rank"`
	Status         string            `json:"status"`
	StatusRank     int64             `json:"status_rank"`
	Source         string            `json:"source"`
	Title          string            `json:"title"`
	ConnectionID   string            `json:"connection_id"`
	Connector      string            `json:"connector"`
	Resource       findings.Resource `json:"resource"`
	ActorKey       string            `json:"actor_key,omitempty"`
	FirstSeenAt    findings.Time     `json:"first_seen_at,omitzero"` // to the millisecond
	LastSeenAt     findings.Time     `json:"last_seen_at,omitzero"`
	OccurredAt     findings.Time     `json:"occurred_at,omitzero"`
	LastOccurredAt findings.Time     `json:"last_occurred_at,omitzero"`
	FirstSeenUS    int64             `json:"first_seen_us"`
	LastSeenUS     int64             `json:"last_seen_us"`
	OccurredUS     int64             `json:"occurred_us"`
	LastOccurredUS int64             `json:"last_occurred_us"`
	Detectors      []string          `json:"detectors"`
	InstanceCount  int64             `json:"instance_count"`
	Sequence       int64             `json:"sequence"`
	Tokens         string            `json:"tokens"`
}

func newDocument(s findings.Snapshot, tokens string) document {
	return document{
		ID: s.ID, PolicyID: s.PolicyID, PolicyVersion: s.PolicyVersion, Kind: s.Kind, Severity: s.Severity, SeverityRank: rank(s.Severity, findings.Severities(), true),
		Status: s.Status, StatusRank: rank(s.Status, findings.Statuses(), false), Source: s.Source, Title: s.Title, ConnectionID: s.ConnectionID, Connector: s.Connector,
		Resource: s.Resource, ActorKey: s.ActorKey, FirstSeenAt: s.FirstSeenAt, LastSeenAt: s.LastSeenAt, OccurredAt: s.OccurredAt, LastOccurredAt: s.LastOccurredAt,
		FirstSeenUS: int64(s.FirstSeenAt), LastSeenUS: int64(s.LastSeenAt), OccurredUS: int64(s.OccurredAt), LastOccurredUS: int64(s.LastOccurredAt),
		Detectors: s.Detectors, InstanceCount: s.InstanceCount, Sequence: s.Sequence, Tokens: tokens,
	}
}

// rank is the place of a value as lists are sorted by; reversed: the first is the greatest.
func rank(value string, values []string, reversed bool) int64 {
	i := slices.Index(values, value)
	switch {
	case i < 0:
		return 0
	case reversed:
		return int64(len(values) - i)
	}
	return int64(i + 1)
}

// version is a document's external version: it grows with every change, and when a backup of the store was restored.
func version(epoch, lastSeq int64) int64 { return epoch<<40 | lastSeq }
