import { Button, Group, Select, Table, Tabs, Text, TextInput } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag, words, type Tone } from '../../parts/badges';
import { Page } from '../../parts/page';
import { EmptyState, More, type Paged, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import type { RecordsSearch } from '../../search';
import { useCan } from '../../session';
import { useConnector } from '../connections/Actions';
import classes from '../coverage/coverage.module.css';
import { differences, endOf, show } from './state';

/** RecordsPage shows the settings and the directory of a connection: as they are, as they were, and what changed. Each look at it is in the audit log. */
export function RecordsPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { tab = 'records' } = useSearch({ strict: false }) as RecordsSearch;
  const can = useCan();
  const navigate = useNavigate();
  const one = $api.useQuery('get', '/api/v1/connections/{id}', { params: { path: { id } } });
  return (
    <Page
      title="Settings and directory"
      about={
        <>
          <Link to="/connections/$id" params={{ id }}>
            {one.data?.name ?? 'The connection'}
          </Link>{' '}
          · who and what is there, as every snapshot found it
        </>
      }
    >
      {one.error && <ProblemAlert error={one.error} onRetry={() => void one.refetch()} />}
      {!can('evidence') ? (
        <section className="ob-surface">
          <EmptyState icon="key" title="Not for your role">
            Records name people. Analysts, responders, authors, admins and auditors may see them.
          </EmptyState>
        </section>
      ) : (
        one.data && (
          <Tabs value={tab} onChange={(t) => void navigate({ to: '/connections/$id/records', params: { id }, search: { tab: t === 'changes' ? 'changes' : undefined } })} keepMounted={false}>
            <Tabs.List>
              <Tabs.Tab value="records">Records</Tabs.Tab>
              <Tabs.Tab value="changes">Changes</Tabs.Tab>
            </Tabs.List>
            <Tabs.Panel value="records" pt="md">
              <List connection={one.data} />
            </Tabs.Panel>
            <Tabs.Panel value="changes" pt="md">
              <Changes connection={one.data} />
            </Tabs.Panel>
          </Tabs>
        )
      )}
    </Page>
  );
}

// A look at records is a row of the audit log: none is made without a person asking.
const asked = { staleTime: 60_000, refetchOnWindowFocus: false } as const;

const today = () => new Date().toISOString().slice(0, 10);

function List({ connection: c }: { connection: Schemas['Connection'] }) {
  const search = useSearch({ strict: false }) as RecordsSearch;
  const navigate = useNavigate();
  const connector = useConnector(c.connector);
  const kinds = [...new Set(connector?.streams.flatMap((s) => s.records ?? []) ?? [])].sort();
  const set = (more: RecordsSearch) => void navigate({ to: '/connections/$id/records', params: { id: c.id }, search: { ...search, ...more }, replace: true });
  const asOf = endOf(search.as_of ?? '');
  const got = useInfiniteQuery({
    ...asked,
    queryKey: ['records', c.id, search.kind, asOf],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => (await api.GET('/api/v1/records', { params: { query: { connection_id: c.id, kind: search.kind, as_of: asOf, limit: 50, cursor: pageParam || undefined } }, signal })).data!,
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
  const items = got.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <>
      <Group align="flex-end" mb="md" gap="sm">
        <Select label="Kind" placeholder="All kinds" clearable clearButtonProps={{ 'aria-label': 'All kinds' }} w={220} value={search.kind ?? null} data={kinds.map((k) => ({ value: k, label: words(k) }))} onChange={(k) => set({ kind: k ?? undefined })} />
        <TextInput type="date" label="As of the end of" max={today()} value={search.as_of ?? ''} onChange={(e) => set({ as_of: e.currentTarget.value || undefined })} w={200} />
        {search.as_of && (
          <Button variant="default" onClick={() => set({ as_of: undefined })}>
            As it is now
          </Button>
        )}
      </Group>
      <Listed query={got} empty={search.as_of || search.kind ? 'No such record' : 'No record yet'} why={search.as_of || search.kind ? 'Of another kind or day there may be some.' : 'The first snapshot fills this in.'} n={items.length}>
        <div className={classes.wide} tabIndex={0} role="region" aria-label="Records">
          <Table miw={760} verticalSpacing="xs">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Kind</Table.Th>
                <Table.Th>Record</Table.Th>
                <Table.Th>Person</Table.Th>
                <Table.Th>Fields</Table.Th>
                <Table.Th>So since</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((r) => (
                <Table.Tr key={`${r.kind} ${r.id}`} data-record={r.id}>
                  <Table.Td>{words(r.kind)}</Table.Td>
                  <Table.Th scope="row" fw={500} className="ob-break">
                    {r.resource.name || r.id}
                    {r.resource.name && (
                      <Text size="xs" c="dimmed">
                        {r.id}
                      </Text>
                    )}
                  </Table.Th>
                  <Table.Td className="ob-break">{r.actor.email || r.actor.name || r.actor.id || '–'}</Table.Td>
                  <Table.Td>
                    <Fields fields={r.fields} />
                  </Table.Td>
                  <Table.Td className={classes.one}>
                    <When at={r.valid_from} />
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      </Listed>
    </>
  );
}

function Fields({ fields }: { fields: Record<string, unknown> }) {
  const all = Object.entries(fields).sort(([a], [b]) => a.localeCompare(b));
  return (
    <ul className={classes.fields}>
      {all.map(([k, v]) => (
        <li key={k} className="ob-break">
          <Text size="sm" span c="dimmed">
            {k}:
          </Text>{' '}
          {show(v)}
        </li>
      ))}
    </ul>
  );
}

const tones: Record<Schemas['RecordChange']['type'], Tone> = { appeared: 'good', changed: 'medium', ended: 'info' };

function Changes({ connection: c }: { connection: Schemas['Connection'] }) {
  const got = useInfiniteQuery({
    ...asked,
    queryKey: ['record-changes', c.id],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }) => (await api.GET('/api/v1/records/changes', { params: { query: { connection_id: c.id, limit: 100, cursor: pageParam || undefined } }, signal })).data!,
    getNextPageParam: (last) => last.next_cursor || undefined,
  });
  const items = got.data?.pages.flatMap((p) => p.items) ?? [];
  return (
    <Listed query={got} empty="No change yet" why="What appears, changes and ends between two snapshots will be here." n={items.length}>
      <div className={classes.wide} tabIndex={0} role="region" aria-label="Changes">
        <Table miw={760} verticalSpacing="xs">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>When</Table.Th>
              <Table.Th>What</Table.Th>
              <Table.Th>Record</Table.Th>
              <Table.Th>Before and after</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {items.map((x) => (
              <Table.Tr key={`${x.type} ${x.kind} ${x.id} ${x.at}`} data-change={x.id}>
                <Table.Td className={classes.one}>
                  <When at={x.at} />
                </Table.Td>
                <Table.Td>
                  <Tag tone={tones[x.type]}>{words(x.type)}</Tag>
                </Table.Td>
                <Table.Th scope="row" fw={500} className="ob-break">
                  {words(x.kind)}: {x.resource.name || x.id}
                  <Text size="xs" c="dimmed">
                    {x.actor.email || x.actor.name || x.actor.id}
                  </Text>
                </Table.Th>
                <Table.Td>{x.type === 'changed' ? <Differences change={x} /> : <Fields fields={x.type === 'ended' ? x.before : x.after} />}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Listed>
  );
}

function Differences({ change: x }: { change: Schemas['RecordChange'] }) {
  return (
    <ul className={classes.list}>
      {differences(x.before, x.after).map((d) => (
        <li key={d.field} className="ob-break">
          <Text size="sm" span c="dimmed">
            {d.field}:
          </Text>{' '}
          <del>{d.before}</del> <span aria-hidden="true">→</span> <ins>{d.after}</ins>
        </li>
      ))}
    </ul>
  );
}

interface Query extends Paged {
  isPending: boolean;
  error: unknown;
  refetch: () => unknown;
}

function Listed({ query: q, n, empty, why, children }: { query: Query; n: number; empty: string; why: string; children: ReactNode }) {
  if (q.error) return <ProblemAlert error={q.error} onRetry={() => void q.refetch()} />;
  return (
    <section className="ob-surface">
      {q.isPending ? (
        <Rows n={5} />
      ) : n === 0 ? (
        <EmptyState icon="users" title={empty}>
          {why}
        </EmptyState>
      ) : (
        children
      )}
      <More of={q} />
    </section>
  );
}
