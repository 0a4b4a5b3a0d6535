import { Button } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { $api } from '../../api/client';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { useCan } from '../../session';
import { counted } from './wording';

/** Empty says why the list is empty: filtered, no connection yet, scanning now, a scan that failed, or scanned and nothing found. */
export function Empty({ filtered, onClear }: { filtered: boolean; onClear: () => void }) {
  const can = useCan();
  const connections = $api.useQuery('get', '/api/v1/connections', { params: { query: { limit: 500 } } }, { enabled: !filtered });
  const scans = $api.useQuery('get', '/api/v1/scans', { params: { query: { limit: 20 } } }, { enabled: !filtered, refetchInterval: 5_000 });
  const coverage = $api.useQuery('get', '/api/v1/coverage', { params: { query: { limit: 500 } } }, { enabled: !filtered });
  if (filtered) {
    return (
      <EmptyState icon="filter" title="No finding matches the filters" action={<Button onClick={onClear}>Clear filters</Button>}>
        There may be findings with another status, severity or time.
      </EmptyState>
    );
  }
  const error = connections.error ?? scans.error ?? coverage.error;
  if (error) return <ProblemAlert error={error} onRetry={() => void Promise.all([connections.refetch(), scans.refetch(), coverage.refetch()])} />;
  if (!connections.data || !scans.data || !coverage.data) return <Rows n={4} />;
  if (connections.data.items.length === 0) {
    return (
      <EmptyState
        icon="connections"
        title="No app is connected yet"
        action={
          can('admin') ? (
            <Button component={Link} to="/connections/new">
              Connect an app
            </Button>
          ) : undefined
        }
      >
        {can('admin') ? 'Connect one with a key that may only read. The first scan begins at once, and what it finds appears here.' : 'An admin can connect one. What its scans find appears here.'}
      </EmptyState>
    );
  }
  const running = scans.data.items.find((s) => s.state === 'queued' || s.state === 'running');
  if (running) {
    return (
      <EmptyState icon="pulse" title={running.state === 'queued' ? 'The scan is about to begin' : 'Scanning now'} action={<ToConnection id={running.connection_id} />}>
        {counted(running.items_read, 'item')} read so far, nothing found yet. Findings appear here by themselves.
      </EmptyState>
    );
  }
  const last = scans.data.items[0];
  if (last?.state === 'failed') {
    return (
      <EmptyState icon="warning" title="The last scan failed" action={<ToConnection id={last.connection_id} />}>
        {last.error || 'It did not say why.'} {last.error_code}
      </EmptyState>
    );
  }
  const scanned = coverage.data.items.reduce((n, c) => n + c.scanned, 0);
  return (
    <EmptyState icon="check" title={scanned > 0 ? 'Nothing was found' : 'Nothing was scanned yet'} action={last && <ToConnection id={last.connection_id} />}>
      {scanned > 0
        ? `${counted(scanned, 'item')} of ${counted(connections.data.items.length, 'connection')} were scanned, and no policy was broken.`
        : 'The connections have no item yet, or wait for their first scan.'}
    </EmptyState>
  );
}

function ToConnection({ id }: { id: string }) {
  return (
    <Button variant="default" renderRoot={(props) => <Link to="/connections/$id" params={{ id }} {...props} />}>
      Go to the connection
    </Button>
  );
}
