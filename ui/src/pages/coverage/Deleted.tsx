import { Table, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';

import { api } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Panel } from '../../parts/page';
import { EmptyState, More, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import classes from './coverage.module.css';

/** Deleted lists what users deleted before a scan saw it. It names people, so that each look at it is in the audit log: it is loaded once and not again by itself. */
export function Deleted({ connection }: { connection: string }) {
  const can = useCan();
  const allowed = can('evidence');
  const got = useInfiniteQuery({
    queryKey: ['coverage', 'deleted', connection],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET('/api/v1/coverage/deleted', { params: { query: { connection_id: connection, limit: 50, cursor: pageParam || undefined } }, signal });
      return data!;
    },
    getNextPageParam: (last) => last.next_cursor || undefined,
    enabled: allowed,
    staleTime: 60_000,
    refetchOnWindowFocus: false,
  });
  const items = got.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Panel title="Deleted before a scan" pad={false}>
      {!allowed ? (
        <EmptyState icon="key" title="Not for your role">
          The list names people. Analysts, responders, authors, admins and auditors may see it.
        </EmptyState>
      ) : got.error ? (
        <ProblemAlert error={got.error} onRetry={() => void got.refetch()} />
      ) : got.isPending ? (
        <Rows n={3} />
      ) : items.length === 0 ? (
        <EmptyState icon="check" title="Nothing was deleted before it was scanned" />
      ) : (
        <>
          <div className={`${classes.wide} ${classes.tall}`} tabIndex={0} role="region" aria-label="What was deleted before a scan">
            <Table miw={680} verticalSpacing="xs" stickyHeader>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>What</Table.Th>
                  <Table.Th>Whose</Table.Th>
                  <Table.Th>Deleted</Table.Th>
                  <Table.Th>Was of</Table.Th>
                  <Table.Th>Scanned</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {items.map((d) => (
                  <Table.Tr key={`${d.kind} ${d.id}`} data-deleted={d.id}>
                    <Table.Th scope="row" fw={500}>
                      {words(d.kind)}
                      <Text size="xs" c="dimmed" className="ob-break">
                        {d.id}
                      </Text>
                    </Table.Th>
                    <Table.Td className="ob-break">{d.actor.email || d.actor.id || 'Not known'}</Table.Td>
                    <Table.Td>
                      <When at={d.deleted_at} />
                    </Table.Td>
                    <Table.Td>
                      <When at={d.at} />
                    </Table.Td>
                    <Table.Td>{d.whole ? <Tag tone="medium">Nothing of it</Tag> : <Tag>What was there before</Tag>}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
          </div>
          <More of={got} />
        </>
      )}
    </Panel>
  );
}
