import { Anchor, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';

import { api } from '../../api/client';
import { SeverityBadge, words, type Severity } from '../../parts/badges';
import { More, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { Section } from './rules';
import classes from './rules.module.css';

/** Shadow lists what a policy in shadow would have made findings of. */
export function Shadow({ id, count }: { id: string; count: number }) {
  const list = useInfiniteQuery({
    queryKey: ['get', '/api/v1/policies/{id}/shadow', id],
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET('/api/v1/policies/{id}/shadow', { params: { path: { id }, query: { limit: 10, cursor: pageParam || undefined } }, signal });
      return data;
    },
    initialPageParam: '',
    getNextPageParam: (last) => last?.next_cursor || undefined,
  });
  const all = list.data?.pages.flatMap((p) => p?.items ?? []) ?? [];
  return (
    <Section title="In shadow it would have found">
      <Text size="sm" mb={4}>
        {count === 0 ? 'Nothing yet.' : `${count.toLocaleString('en')}${count >= 1000 ? ' or more' : ''} findings. None of them is listed, counted or delivered elsewhere.`}
      </Text>
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && count > 0 && <Rows n={3} />}
      <ul className={classes.shadow}>
        {all.map((f) => (
          <li key={f.id}>
            <SeverityBadge severity={f.severity as Severity} />{' '}
            <span className="ob-break">
              {words(f.resource.kind)}{' '}
              {/^https:\/\//.test(f.resource.url) ? (
                <Anchor href={f.resource.url} target="_blank" rel="noreferrer noopener" c="var(--ob-link)" underline="always">
                  {f.resource.name || f.resource.id}
                </Anchor>
              ) : (
                f.resource.name || f.resource.id
              )}
            </span>{' '}
            <Text span size="xs" c="dimmed">
              first <When at={f.first_seen_at} />, last <When at={f.last_seen_at} />
            </Text>
          </li>
        ))}
      </ul>
      <More of={list} />
    </Section>
  );
}
