import { Button, Group, Table, Text } from '@mantine/core';
import { keepPreviousData } from '@tanstack/react-query';
import { useState } from 'react';

import { $api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import classes from './connections.module.css';
import { causes, lag, number, scanTone, took } from './state';

const most = 500; // of the API's lists

/** Scans is the history of a connection's scans, the newest first. */
export function Scans({ id }: { id: string }) {
  const [limit, setLimit] = useState(10);
  const scans = $api.useQuery('get', '/api/v1/scans', { params: { query: { connection_id: id, limit } } }, { refetchInterval: 10_000, placeholderData: keepPreviousData });
  return (
    <Panel title="Scans" pad={false}>
      {scans.error && <ProblemAlert error={scans.error} onRetry={() => void scans.refetch()} />}
      {scans.isPending ? (
        <Rows n={3} />
      ) : scans.data?.items.length === 0 ? (
        <EmptyState icon="clock" title="No scan yet">
          The schedule begins one by itself.
        </EmptyState>
      ) : (
        <>
          <div className={classes.wide} tabIndex={0} role="region" aria-label="The last scans">
            <Table miw={820} verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Began</Table.Th>
                  <Table.Th>State</Table.Th>
                  <Table.Th>Cause</Table.Th>
                  <Table.Th ta="right">Read</Table.Th>
                  <Table.Th ta="right">Scanned</Table.Th>
                  <Table.Th ta="right">Skipped</Table.Th>
                  <Table.Th ta="right">New findings</Table.Th>
                  <Table.Th ta="right">Took</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {scans.data?.items.map((s) => (
                  <Row key={s.id} scan={s} />
                ))}
              </Table.Tbody>
            </Table>
          </div>
          {scans.data?.next_cursor && limit < most && (
            <Group p="sm">
              <Button size="xs" variant="default" loading={scans.isFetching && scans.isPlaceholderData} onClick={() => setLimit(Math.min(limit * 5, most))}>
                Show earlier scans
              </Button>
            </Group>
          )}
        </>
      )}
    </Panel>
  );
}

function Row({ scan: s }: { scan: Schemas['Scan'] }) {
  return (
    <Table.Tr data-scan={s.id}>
      <Table.Td>
        <When at={s.started_at ?? s.queued_at} />
      </Table.Td>
      <Table.Td maw={360}>
        <Tag tone={scanTone[s.state]} dot>
          {words(s.state)}
        </Tag>
        {s.error && (
          <Text size="xs" className="ob-break" mt={4}>
            {s.error} {s.error_code}
          </Text>
        )}
      </Table.Td>
      <Table.Td>{causes[s.cause]}</Table.Td>
      {[s.items_read, s.items_scanned, s.items_skipped, s.findings_new].map((n, i) => (
        <Table.Td key={i} ta="right" className="ob-number">
          {number(n)}
        </Table.Td>
      ))}
      <Table.Td ta="right" className="ob-number">
        {lag(took(s, Date.now()))}
      </Table.Td>
    </Table.Tr>
  );
}
