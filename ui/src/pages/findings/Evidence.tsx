import { Alert, Button, Group, Stack, Text, Title } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState, type ReactNode } from 'react';

import { api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Copyable } from '../../parts/copy';
import { Icon } from '../../parts/icons';
import { ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import type { Finding } from './data';
import { Facts } from './Drawer';
import classes from './drawer.module.css';
import { safeHref, type Names } from './state';
import { confidenceWord, counted, personOf, placeOf } from './wording';

const firstShown = 20;

/** Evidence is what a finding is about, who made it, and each place where it is, masked. */
export function Evidence({ finding: f, names, pending, denied }: { finding: Finding; names: Names; pending: boolean; denied: string | undefined }) {
  return (
    <>
      <section className={classes.section}>
        <About finding={f} names={names} />
      </section>
      <section className={classes.section}>
        <Title order={3}>{counted(f.instance_count, 'instance')}</Title>
        {denied ? (
          <Alert variant="outline" color="gray" icon={<Icon name="info" />} title="Evidence is not shown">
            {denied}
          </Alert>
        ) : pending ? (
          <Rows n={3} height={86} />
        ) : (
          f.instances && <Instances key={f.id} finding={f} first={f.instances} names={names} />
        )}
      </section>
    </>
  );
}

function About({ finding: f, names }: { finding: Finding; names: Names }) {
  const href = safeHref(f.resource.url);
  const person = personOf(f);
  const app = names.connector.get(f.connector) ?? words(f.connector);
  const gone: Partial<Record<Finding['source'], ReactNode>> = {
    deleted: <Tag tone="info">Deleted at the source</Tag>,
    unknown: <Tag tone="info">Not known: the connection was removed</Tag>,
  };
  return (
    <Facts
      items={[
        [
          words(f.resource.kind),
          <Group key="r" gap={8}>
            <span>{f.resource.name || <code>{f.resource.id}</code>}</span>
            {gone[f.source]}
            {href && (
              <a href={href} target="_blank" rel="noopener noreferrer">
                <Group component="span" gap={4} wrap="nowrap" display="inline-flex">
                  Open in {app} <Icon name="external" size={14} />
                </Group>
              </a>
            )}
          </Group>,
        ],
        ['Its id', f.resource.name ? <Copyable key="i" value={f.resource.id} label={`Copy the id of the ${words(f.resource.kind).toLowerCase()}`} /> : ''],
        [
          'Person',
          person && (
            <Group gap="2px 10px">
              <span>{person}</span>
              <Link to="/findings" search={{ actor: [person] }} aria-label={`All findings of ${person}`}>
                All findings
              </Link>
            </Group>
          ),
        ],
        ['Connection', names.connection.get(f.connection_id) ?? 'Removed connection'],
        ['Happened', <Between key="o" from={f.occurred_at} to={f.last_occurred_at} />],
        ['First seen', <When key="f" at={f.first_seen_at} />],
        ['Last seen', <When key="l" at={f.last_seen_at} />],
      ]}
    />
  );
}

function Between({ from, to }: { from: string; to: string }) {
  if (!from && !to) return null;
  return from === to || !to ? (
    <When at={from} />
  ) : (
    <>
      <When at={from} /> until <When at={to} />
    </>
  );
}

function Instances({ finding: f, first, names }: { finding: Finding; first: Schemas['Instance'][]; names: Names }) {
  const [wanted, setWanted] = useState(firstShown);
  // The detail holds the first thousand. What is beyond them is read page by page, from the start: pages are by cursor.
  const pages = useInfiniteQuery({
    queryKey: ['findings', 'instances', f.id],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET('/api/v1/findings/{id}/instances', { params: { path: { id: f.id }, query: { limit: 500, cursor: pageParam || undefined } }, signal });
      return data!;
    },
    getNextPageParam: (last) => last.next_cursor || undefined,
    enabled: false,
  });
  const read = pages.data?.pages.flatMap((p) => p.items) ?? [];
  const known = read.length > first.length ? read : first;
  const shown = known.slice(0, wanted);
  const unread = f.instance_count > first.length && (!pages.data || pages.hasNextPage);
  const more = shown.length < known.length || unread;
  const stored = known.length;
  const show = async () => {
    const want = wanted + 100;
    for (let have = known.length; have < want && unread; ) {
      const r = await pages.fetchNextPage();
      if (r.error || !r.hasNextPage) break;
      have = r.data!.pages.reduce((n, p) => n + p.items.length, 0);
    }
    setWanted(want);
  };
  return (
    <Stack gap="sm">
      <ul className={classes.events} aria-label="Instances">
        {shown.map((i) => (
          <li key={i.id} style={{ marginBottom: 10 }}>
            <Instance instance={i} names={names} />
          </li>
        ))}
      </ul>
      {pages.error && <ProblemAlert error={pages.error} onRetry={() => void show()} />}
      {more ? (
        <Group justify="space-between">
          <Text size="sm" c="dimmed">
            {shown.length.toLocaleString('en')} of {f.instance_count.toLocaleString('en')}
          </Text>
          <Button size="xs" variant="default" loading={pages.isFetching} onClick={() => void show()}>
            Show more instances
          </Button>
        </Group>
      ) : (
        stored < f.instance_count && (
          <Text size="sm" c="dimmed">
            {(f.instance_count - stored).toLocaleString('en')} more were counted and not kept: only the first of each resource are.
          </Text>
        )
      )}
    </Stack>
  );
}

function Instance({ instance: i, names }: { instance: Schemas['Instance']; names: Names }) {
  const { part, where } = placeOf(i);
  return (
    <article className={classes.instance} data-testid="instance">
      <Group gap={8} justify="space-between">
        <Text fw={600} size="sm">
          {i.detector ? (names.detector.get(i.detector) ?? i.detector) : words(i.resource.kind)}
        </Text>
        <Group gap={6}>
          {i.validated && (
            <Tag tone="good" dot>
              Validated
            </Tag>
          )}
          {i.count > 1 && <Tag>{i.count.toLocaleString('en')} times</Tag>}
        </Group>
      </Group>
      {i.masked && (
        <p className={classes.excerpt}>
          <span className={classes.shape} aria-hidden="true">
            {i.before}
          </span>
          <span className={classes.mask} aria-label={`Masked value ${i.masked}`} role="text">
            {i.masked}
          </span>
          <span className={classes.shape} aria-hidden="true">
            {i.after}
          </span>
        </p>
      )}
      <Text size="sm" c="dimmed" className="ob-break">
        {part}: {where.join(', ')}
      </Text>
      <Text size="sm" c="dimmed">
        {i.detector && (
          <>
            {confidenceWord(i.confidence)} confidence ({i.confidence.toFixed(2)}) ·{' '}
          </>
        )}
        <When at={i.occurred_at} />
        {(i.context?.length ?? 0) > 0 && <> · near {i.context!.map((w) => `“${w}”`).join(', ')}</>}
      </Text>
    </article>
  );
}
