import { Button, Stack, Table, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { api } from '../../api/client';
import { Tag, words, type Tone } from '../../parts/badges';
import { EmptyState, More, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';

const tone: Record<string, Tone> = { delivered: 'good', queued: 'low', parked: 'critical' };

/** Deliveries are the events of a finding and what became of each at every destination. */
export function Deliveries({ id }: { id: string }) {
  const pages = useInfiniteQuery({
    queryKey: ['findings', 'deliveries', id],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET('/api/v1/findings/{id}/deliveries', { params: { path: { id }, query: { limit: 100, cursor: pageParam || undefined } }, signal });
      return data!;
    },
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
  if (pages.error) return <ProblemAlert error={pages.error} onRetry={() => void pages.refetch()} />;
  if (pages.isPending) return <Rows n={4} />;
  const items = pages.data.pages.flatMap((p) => p.items);
  if (items.length === 0) {
    return (
      <EmptyState icon="destinations" title="Sent nowhere" action={<Button component={Link} to="/destinations" variant="default">Go to destinations</Button>}>
        No destination was there that takes this finding. Add one, or look at the filters of those that are there.
      </EmptyState>
    );
  }
  return (
    <Stack gap="sm">
      <Table verticalSpacing={8} aria-label="Deliveries">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Destination</Table.Th>
            <Table.Th>Event</Table.Th>
            <Table.Th>State</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {items.map((d) => (
            <Table.Tr key={`${d.event_id} ${d.destination.id}`}>
              <Table.Td>
                {d.destination.removed ? (
                  <>
                    {d.destination.name || d.destination.id}
                    <Text size="xs" c="dimmed">
                      Removed
                    </Text>
                  </>
                ) : (
                  <Link to="/destinations/$id" params={{ id: d.destination.id }}>
                    {d.destination.name}
                  </Link>
                )}
              </Table.Td>
              <Table.Td>
                {words(d.type.replace(/^finding\./, ''))}
                <Text size="xs" c="dimmed" className="ob-break">
                  {d.event_id}
                </Text>
              </Table.Td>
              <Table.Td>
                <Tag tone={tone[d.state] ?? 'info'} dot>
                  {words(d.state)}
                </Tag>
                <Text size="xs" c="dimmed" mt={4}>
                  {d.status > 0 && `Status ${d.status}, `}
                  {d.tries === 1 ? 'one try' : `${d.tries} tries`}
                  {d.delivered_at && (
                    <>
                      , <When at={d.delivered_at} />
                    </>
                  )}
                  {!d.delivered_at && d.next_try_at && (
                    <>
                      , next <When at={d.next_try_at} />
                    </>
                  )}
                </Text>
                {d.reason && (
                  <Text size="xs" className="ob-break">
                    {d.reason}
                  </Text>
                )}
              </Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      <More of={pages}>Show more deliveries</More>
    </Stack>
  );
}
