import { Alert, Button, Group, Select, Text } from '@mantine/core';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';

import { $api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { Page, Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { counted } from '../connections/state';
import { Calendar } from './Calendar';
import classes from './coverage.module.css';
import { Deleted } from './Deleted';
import { alarms, overall, stateWords } from './state';
import { StreamsTable } from './Streams';

/** CoveragePage shows of one connection what was read, what was not, and which days are complete. */
export function CoveragePage() {
  const { connection: wanted } = useSearch({ strict: false }) as { connection?: string };
  const navigate = useNavigate();
  const list = $api.useQuery('get', '/api/v1/connections', { params: { query: { limit: 500 } } }, { refetchInterval: 60_000 });
  const all = list.data?.items ?? [];
  const c = all.find((x) => x.id === wanted) ?? all[0];
  return (
    <Page
      title="Coverage"
      about="What was read, and what was not: every item is scanned, waits, or is counted with a reason."
      actions={
        c && (
          <>
            {all.length > 1 && (
              <Select
                aria-label="Connection"
                w={280}
                allowDeselect={false}
                searchable
                value={c.id}
                data={all.map((x) => ({ value: x.id, label: x.name }))}
                onChange={(id) => id && void navigate({ to: '/coverage', search: { connection: id } })}
              />
            )}
            <Button component={Link} to={`/connections/${c.id}`} variant="default">
              The connection
            </Button>
          </>
        )
      }
    >
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending ? (
        <Rows n={6} />
      ) : c ? (
        <Shown key={c.id} connection={c} />
      ) : (
        !list.error && (
          <section className="ob-surface">
            <EmptyState icon="connections" title="No app is connected yet" action={<Link to="/connections">To the connections</Link>}>
              What is read of it, and what is not, will be here.
            </EmptyState>
          </section>
        )
      )}
    </Page>
  );
}

function Shown({ connection: c }: { connection: Schemas['Connection'] }) {
  const coverage = $api.useQuery('get', '/api/v1/coverage', { params: { query: { connection_id: c.id, limit: 500 } } }, { refetchInterval: 15_000 });
  const streams = coverage.data?.items ?? [];
  const { tone, word } = stateWords[overall(streams)];
  return (
    <>
      {coverage.error && <ProblemAlert error={coverage.error} onRetry={() => void coverage.refetch()} />}
      {coverage.data && <Alarms streams={streams} />}
      <Panel
        title="Streams"
        pad={false}
        right={
          streams.length > 0 && (
            <Group gap={8}>
              <Text size="sm">{c.name}</Text>
              <span data-testid="overall" data-state={overall(streams)}>
                <Tag tone={tone} dot>
                  {word}
                </Tag>
              </span>
            </Group>
          )
        }
      >
        {coverage.isPending ? (
          <Rows n={5} />
        ) : streams.length === 0 && !coverage.error ? (
          <EmptyState icon="clock" title="Nothing yet">
            The first scan fills this in.
          </EmptyState>
        ) : (
          <StreamsTable streams={streams} />
        )}
      </Panel>
      <Calendar connection={c.id} />
      <Deleted connection={c.id} />
    </>
  );
}

function Alarms({ streams }: { streams: Schemas['Coverage'][] }) {
  const found = alarms(streams);
  if (found.length === 0) return null;
  const red = streams.some((s) => s.state === 'red');
  return (
    <Alert role="alert" color={red ? 'red' : 'yellow'} variant="outline" icon={<Icon name="warning" />} title={counted(found.length, 'alert')} styles={{ title: { color: 'var(--mantine-color-text)' } }}>
      <ul className={classes.alerts}>
        {found.map((a) => (
          <li key={`${a.stream.stream} ${a.code}`} data-alert={a.code}>
            <Tag tone={a.stream.state === 'red' ? 'critical' : 'medium'}>{a.stream.title || words(a.stream.stream)}</Tag>
            <Text size="sm" component="span">
              {a.message}
            </Text>
          </li>
        ))}
      </ul>
    </Alert>
  );
}
