import { Table, Text } from '@mantine/core';

import { $api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useConnector } from './Actions';
import classes from './connections.module.css';
import { lag, leftOut, number } from './state';

/** Coverage tells for each stream how far it was read, and what was left out and why. */
export function Coverage({ connection: c }: { connection: Schemas['Connection'] }) {
  const coverage = $api.useQuery('get', '/api/v1/coverage', { params: { query: { connection_id: c.id } } }, { refetchInterval: 15_000 });
  const connector = useConnector(c.connector);
  return (
    <Panel title="What was read" pad={false}>
      {coverage.error && <ProblemAlert error={coverage.error} onRetry={() => void coverage.refetch()} />}
      {coverage.isPending ? (
        <Rows n={2} />
      ) : coverage.data?.items.length === 0 ? (
        <EmptyState icon="clock" title="Nothing yet">
          The first scan fills this in.
        </EmptyState>
      ) : (
        <div className={classes.wide} tabIndex={0} role="region" aria-label="What was read, by stream">
          <Table miw={880} verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Stream</Table.Th>
                <Table.Th>Complete until</Table.Th>
                <Table.Th ta="right">Lag</Table.Th>
                <Table.Th ta="right">Read</Table.Th>
                <Table.Th ta="right">Scanned</Table.Th>
                <Table.Th>Not scanned, and why</Table.Th>
                <Table.Th>Gaps</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {coverage.data?.items.map((s) => (
                <Stream key={s.stream} stream={s} title={connector?.streams.find((x) => x.id === s.stream)?.title ?? words(s.stream)} />
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Panel>
  );
}

function Stream({ stream: s, title }: { stream: Schemas['Coverage']; title: string }) {
  const out = leftOut(s);
  return (
    <Table.Tr data-stream={s.stream}>
      <Table.Th scope="row" fw={600}>
        {title}
        {s.error && (
          <Text size="xs" c="var(--mantine-color-error)" className="ob-break">
            {s.error}
          </Text>
        )}
      </Table.Th>
      <Table.Td>
        {/* A stream whose items come with those of another has no place of its own. */}
        <When at={s.watermark_at} empty={s.read > 0 ? '–' : 'Nothing yet'} />
      </Table.Td>
      <Table.Td ta="right" className={`ob-number ${classes.one}`}>
        {lag(s.lag_seconds)}
      </Table.Td>
      <Table.Td ta="right" className="ob-number">
        {number(s.read)}
        {s.late > 0 && (
          <Text size="xs" c="dimmed">
            {number(s.late)} late
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right" className="ob-number">
        {number(s.scanned)}
      </Table.Td>
      <Table.Td>
        {out.length === 0 ? (
          <Text size="sm" c="dimmed">
            Nothing was left out
          </Text>
        ) : (
          <ul className={classes.list}>
            {out.map((o) => (
              <li key={o}>{o}</li>
            ))}
          </ul>
        )}
      </Table.Td>
      <Table.Td>
        {s.gaps.length === 0 ? (
          <Text size="sm" c="dimmed">
            None
          </Text>
        ) : (
          <ul className={classes.list}>
            {s.gaps.map((g, i) => (
              <li key={i}>
                <Tag tone="high">{words(g.reason) || 'Gap'}</Tag>
                <Text size="xs" c="dimmed">
                  <When at={g.from} empty="the beginning" /> to <When at={g.to} empty="now" />
                </Text>
              </li>
            ))}
          </ul>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
