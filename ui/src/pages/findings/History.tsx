import { Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useMemo } from 'react';

import { $api, api } from '../../api/client';
import { More, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan, useMe } from '../../session';
import classes from './drawer.module.css';
import { happened, type HistoryEvent } from './wording';

/** useWho names who made a change: nobody is a scan. Only auditors and admins may read who the others are. */
function useWho(): (actor: string | undefined) => string {
  const me = useMe();
  const can = useCan();
  const all = { params: { query: { limit: 500 } } };
  const long = { enabled: can('audit'), staleTime: 5 * 60_000 };
  const users = $api.useQuery('get', '/api/v1/users', all, long);
  const tokens = $api.useQuery('get', '/api/v1/tokens', all, long);
  return useMemo(() => {
    const name = new Map<string, string>();
    for (const u of users.data?.items ?? []) name.set(u.id, u.name || u.email);
    for (const t of tokens.data?.items ?? []) name.set(t.id, `token ${t.name}`);
    return (actor) => {
      if (!actor) return 'a scan';
      if (actor === me?.user?.id) return 'you';
      return name.get(actor) ?? (actor.startsWith('tok_') ? `token ${actor}` : actor);
    };
  }, [users.data, tokens.data, me]);
}

/** History is what became of a finding, the newest change first. */
export function History({ id }: { id: string }) {
  const who = useWho();
  const pages = useInfiniteQuery({
    queryKey: ['get', '/api/v1/findings/{id}/history', id],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET('/api/v1/findings/{id}/history', { params: { path: { id }, query: { limit: 200, cursor: pageParam || undefined } }, signal });
      return data!;
    },
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
  if (pages.error) return <ProblemAlert error={pages.error} onRetry={() => void pages.refetch()} />;
  if (pages.isPending) return <Rows n={4} />;
  const events = pages.data.pages.flatMap((p) => p.items);
  const told: [HistoryEvent, HistoryEvent | undefined][] = events.map((e, i) => [e, events[i - 1]]);
  return (
    <>
      <More of={pages}>Show newer changes</More>
      <ol className={classes.events} reversed aria-label="History">
        {told.reverse().map(([e, before]) => (
          <li key={e.id} className={classes.event}>
            <Text fw={600} size="sm">
              {happened(e, before)}
            </Text>
            <Text size="sm" c="dimmed">
              <When at={e.at} /> by {who(e.actor)}
            </Text>
            {e.reason && <p className={classes.quote}>{e.reason}</p>}
          </li>
        ))}
      </ol>
    </>
  );
}
