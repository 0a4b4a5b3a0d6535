import { Button, Code, Table, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';

import { api } from '../../api/client';
import { Page } from '../../parts/page';
import { EmptyState, More, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';

/** Audit shows the log of every change and every read of evidence, the newest row first. */
export function Audit() {
  const log = useInfiniteQuery({
    queryKey: ['audit'],
    initialPageParam: '',
    queryFn: async ({ pageParam }) => (await api.GET('/api/v1/audit', { params: { query: { limit: 100, cursor: pageParam || undefined } } })).data!,
    getNextPageParam: (page) => page.next_cursor || undefined,
  });
  const rows = log.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Page
      title="Audit log"
      about="Every change and every read of evidence, in a chain of hashes from its first row. It holds ids only. Check the chain with outband audit verify."
      actions={
        <Button variant="default" onClick={() => void log.refetch()} loading={log.isRefetching}>
          Refresh
        </Button>
      }
    >
      {log.error && <ProblemAlert error={log.error} onRetry={() => void log.refetch()} />}
      <section className="ob-surface" style={{ overflowX: 'auto' }}>
        {log.isPending ? (
          <Rows />
        ) : rows.length === 0 && !log.error ? (
          <EmptyState icon="audit" title="Nothing was changed or read yet" />
        ) : (
          <Table verticalSpacing={6} miw={860}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th ta="right">Row</Table.Th>
                <Table.Th>When</Table.Th>
                <Table.Th>Who</Table.Th>
                <Table.Th>What</Table.Th>
                <Table.Th>Object</Table.Th>
                <Table.Th>Detail</Table.Th>
                <Table.Th>Hash</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {rows.map((r) => (
                <Table.Tr key={r.seq}>
                  <Table.Td ta="right" className="ob-number">
                    {r.seq}
                  </Table.Td>
                  <Table.Td>
                    <When at={r.at} />
                  </Table.Td>
                  <Table.Td className="ob-break">{r.actor}</Table.Td>
                  <Table.Td fw={600}>{r.action}</Table.Td>
                  <Table.Td className="ob-break">{r.object}</Table.Td>
                  <Table.Td>
                    <Text size="xs" c="dimmed" className="ob-break">
                      {Object.entries(r.detail)
                        .map(([k, v]) => `${k}: ${v}`)
                        .join(', ')}
                    </Text>
                  </Table.Td>
                  <Table.Td>
                    <Code>{r.hash.slice(0, 12)}</Code>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </section>
      <More of={log}>Show older rows</More>
    </Page>
  );
}
