import { Button, SimpleGrid, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { $api, type Schemas } from '../../api/client';
import { Tag } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { countsOf } from '../policies/list';
import { Actions, Attention, useConnector } from './Actions';
import classes from './connections.module.css';
import { ScanProgress } from './ScanProgress';
import { counted, health, nextScan, number, running, scheduleWords } from './state';

const open = ['open', 'acknowledged', 'in_progress'];

/** Connections shows each connected organisation: how it is, what its last scan read, and what to do where something is wrong. */
export function Connections() {
  const can = useCan();
  const list = $api.useQuery('get', '/api/v1/connections', { params: { query: { limit: 500 } } }, { refetchInterval: 15_000 });
  const facets = $api.useQuery('get', '/api/v1/findings/facets', { params: { query: { status: open } } }, { refetchInterval: 30_000 });
  const counts = facets.data && countsOf(facets.data, 'connection_id');
  const add = can('admin') && (
    <Button component={Link} to="/connections/new" leftSection={<Icon name="plus" size={16} />}>
      Add a connection
    </Button>
  );
  const items = list.data?.items ?? [];
  // What needs somebody comes first.
  const sorted = [...items].sort((a, b) => Number(b.state === 'needs_attention') - Number(a.state === 'needs_attention'));
  return (
    <Page title="Connections" about="Organisations whose apps are scanned, each by one key that may only read." actions={items.length > 0 && add}>
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Rows n={2} height={160} />}
      {list.data && items.length === 0 && (
        <section className="ob-surface">
          <EmptyState icon="connections" title="Nothing is connected yet" action={add}>
            Connect an app with an API key. The key is tested before it is stored, and the first scan begins at once.
            {!can('admin') && ' An admin can do this.'}
          </EmptyState>
        </section>
      )}
      <SimpleGrid cols={{ base: 1, lg: sorted.length > 1 ? 2 : 1 }}>
        {sorted.map((c) => (
          <Card key={c.id} connection={c} findings={counts && (counts.get(c.id) ?? 0)} />
        ))}
      </SimpleGrid>
    </Page>
  );
}

function Card({ connection: c, findings }: { connection: Schemas['Connection']; findings: number | undefined }) {
  const { tone, word } = health(c);
  const app = useConnector(c.connector)?.name ?? c.connector;
  return (
    <section className={`ob-surface ${classes.card}`} aria-label={c.name} data-connection={c.id}>
      <div className={classes.head}>
        <span className={classes.letter} aria-hidden="true">
          {app.charAt(0)}
        </span>
        <div className={classes.grow}>
          <h2 className={classes.title}>
            <Link to="/connections/$id" params={{ id: c.id }} className={classes.name}>
              {c.name}
            </Link>
          </h2>
          <Text size="sm" c="dimmed" className="ob-break">
            {app} · {c.account.name || c.account.id}
          </Text>
        </div>
        <Tag tone={tone} dot>
          {word}
        </Tag>
      </div>
      <Attention connection={c} />
      {c.last_scan && running(c.last_scan) && <ScanProgress scan={c.last_scan} />}
      <dl className={`${classes.facts} ${classes.cells}`}>
        <div>
          <dt>Open findings</dt>
          <dd>
            {findings === undefined ? (
              '–'
            ) : (
              <Link to="/findings" search={{ connection_id: [c.id], status: open }} aria-label={`${counted(findings, 'open finding')} of ${c.name}`}>
                {number(findings)}
              </Link>
            )}
          </dd>
        </div>
        <LastScan connection={c} />
        <div>
          <dt>Next scan</dt>
          <dd>
            <Next connection={c} />
          </dd>
        </div>
        <div>
          <dt>Schedule</dt>
          <dd>{scheduleWords(c.schedule.every)}</dd>
        </div>
      </dl>
      <div className={classes.acts}>
        <Actions connection={c} />
        <Button component={Link} to={`/connections/${c.id}`} variant="default" size="xs" aria-label={`Open ${c.name}`}>
          Open
        </Button>
      </div>
    </section>
  );
}

/** LastScan is when the newest scan ended and what it did. */
export function LastScan({ connection: c }: { connection: Schemas['Connection'] }) {
  const s = c.last_scan;
  return (
    <div>
      <dt>Last scan</dt>
      <dd>
        {!s ? 'None yet' : running(s) ? 'Now' : <When at={s.finished_at ?? s.started_at} />}
        {s && !running(s) && (
          <Text size="xs" c="dimmed" className="ob-number">
            {counted(s.items_read, 'item')}, {counted(s.findings_new, 'new finding')}
          </Text>
        )}
      </dd>
    </div>
  );
}

/** Next is about when the schedule scans next. */
export function Next({ connection: c }: { connection: Schemas['Connection'] }) {
  const at = nextScan(c, Date.now());
  if (c.state === 'paused') return <>When it is resumed</>;
  if (running(c.last_scan)) return <>After this one</>;
  return <When at={at} />;
}
