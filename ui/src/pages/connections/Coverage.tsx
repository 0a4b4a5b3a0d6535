import { Link } from '@tanstack/react-router';

import { $api, type Schemas } from '../../api/client';
import { Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { StreamsTable } from '../coverage/Streams';

/** Coverage tells for each stream how far it was read, and what was left out and why. */
export function Coverage({ connection: c }: { connection: Schemas['Connection'] }) {
  const coverage = $api.useQuery('get', '/api/v1/coverage', { params: { query: { connection_id: c.id, limit: 500 } } }, { refetchInterval: 15_000 });
  return (
    <Panel
      title="What was read"
      pad={false}
      right={
        <Link to="/coverage" search={{ connection: c.id }}>
          Calendar, and what was deleted before a scan
        </Link>
      }
    >
      {coverage.error && <ProblemAlert error={coverage.error} onRetry={() => void coverage.refetch()} />}
      {coverage.isPending ? (
        <Rows n={2} />
      ) : coverage.data?.items.length === 0 ? (
        <EmptyState icon="clock" title="Nothing yet">
          The first scan fills this in.
        </EmptyState>
      ) : (
        <StreamsTable streams={coverage.data?.items ?? []} />
      )}
    </Panel>
  );
}
