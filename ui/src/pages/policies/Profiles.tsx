import { Button, Code, Drawer, Group, Stack, Table, Tabs, Text, TextInput } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { lazy, Suspense, useState } from 'react';

import { $api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { holds } from './list';
import { thresholds } from './profile';
import { Section } from './rules';
import { Sections } from './Sections';
import classes from './rules.module.css';

const Editor = lazy(() => import('./ProfileEditor').then((m) => ({ default: m.ProfileEditor })));

type Profile = Schemas['Profile'];

/** Profiles lists the sets of detectors with thresholds, and lets an author change them and make new ones. */
export function Profiles() {
  const can = useCan();
  const list = $api.useQuery('get', '/api/v1/profiles', { params: { query: { limit: 500 } } });
  const [text, setText] = useState('');
  const [open, setOpen] = useState<string>();
  const [making, setMaking] = useState(false);
  const shown = list.data?.items.filter((p) => holds(text, p.title, p.id, p.description)) ?? [];
  const chosen = list.data?.items.find((p) => p.id === open);
  return (
    <Page
      title="Profiles"
      about="A profile is a set of detectors with thresholds: what must stand in a text before it is a record about a person, a list of cards, and so on. Policies ask for profiles, and so does outband scan."
      actions={
        can('policies') && (
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setMaking(true)}>
            New profile
          </Button>
        )
      }
    >
      <Sections of="policies" />
      <Group>
        <TextInput aria-label="Search profiles" placeholder="Search profiles" leftSection={<Icon name="search" size={16} />} value={text} onChange={(e) => setText(e.currentTarget.value)} w={280} />
      </Group>
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <section className="ob-surface" style={{ overflowX: 'auto' }}>
        {list.isPending ? (
          <Rows />
        ) : shown.length === 0 && !list.error ? (
          <EmptyState icon="filter" title="No profile of that name" action={<Button variant="default" onClick={() => setText('')}>Show all</Button>} />
        ) : (
          <Table verticalSpacing="sm" miw={720} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Profile</Table.Th>
                <Table.Th>Asks for</Table.Th>
                <Table.Th ta="right">Detectors</Table.Th>
                <Table.Th ta="right">Policies</Table.Th>
                <Table.Th>Source</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.map((p) => (
                <Table.Tr key={p.id}>
                  <Table.Td>
                    <button type="button" className={classes.open} onClick={() => setOpen(p.id)}>
                      {p.title}
                    </button>
                    <Text size="xs" c="dimmed">
                      {p.id}
                    </Text>
                  </Table.Td>
                  <Table.Td>{thresholds(p).join(', ')}</Table.Td>
                  <Table.Td ta="right" className="ob-number">
                    {p.selected.toLocaleString('en')}
                  </Table.Td>
                  <Table.Td ta="right" className="ob-number">
                    {p.used_by.length}
                  </Table.Td>
                  <Table.Td>{p.source === 'changed' ? <Tag tone="medium">Changed</Tag> : words(p.source)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </section>
      <Drawer opened={chosen !== undefined} onClose={() => setOpen(undefined)} position="right" size="xl" title={chosen?.title}>
        {chosen && <Detail key={`${chosen.id} ${chosen.version}`} profile={chosen} onGone={() => setOpen(undefined)} />}
      </Drawer>
      <Drawer opened={making} onClose={() => setMaking(false)} position="right" size="xl" title="New profile">
        {making && (
          <Suspense fallback={<Rows n={6} />}>
            <Editor
              onSaved={(id) => {
                setMaking(false);
                setOpen(id);
              }}
            />
          </Suspense>
        )}
      </Drawer>
    </Page>
  );
}

function Detail({ profile: p, onGone }: { profile: Profile; onGone: () => void }) {
  const can = useCan();
  return (
    <Tabs defaultValue="what" keepMounted={false}>
      <Tabs.List mb="md">
        <Tabs.Tab value="what">What it asks for</Tabs.Tab>
        {can('policies') && <Tabs.Tab value="change">Change</Tabs.Tab>}
        <Tabs.Tab value="versions">Versions</Tabs.Tab>
      </Tabs.List>
      <Tabs.Panel value="what">
        <What profile={p} />
      </Tabs.Panel>
      <Tabs.Panel value="change">
        <Suspense fallback={<Rows n={6} />}>
          <Editor profile={p} onSaved={() => {}} onGone={onGone} />
        </Suspense>
      </Tabs.Panel>
      <Tabs.Panel value="versions">
        <Versions id={p.id} />
      </Tabs.Panel>
    </Tabs>
  );
}

function What({ profile: p }: { profile: Profile }) {
  return (
    <Stack>
      <Text>{p.description || p.title}</Text>
      <Section title="Thresholds">
        <ul className={classes.plain}>
          {thresholds(p).map((t) => (
            <li key={t}>{t}</li>
          ))}
        </ul>
      </Section>
      <Section title={`Detectors (${p.selected.toLocaleString('en')})`}>
        <Globs of={p.detectors} />
        {p.except.length > 0 && (
          <>
            <Text size="sm" mt={8} mb={4}>
              But not
            </Text>
            <Globs of={p.except} />
          </>
        )}
      </Section>
      {p.groups.length > 0 && (
        <Section title="Kinds">
          <Text size="sm" mb={6}>
            Detectors of one kind count as one; a detector in none of them is a kind of its own.
          </Text>
          <Stack gap={8}>
            {p.groups.map((g) => (
              <div key={g.id}>
                <Text size="sm" fw={500} component="span">
                  {g.id}
                  {p.all_of.includes(g.id) && ' (needed)'}
                </Text>
                <Globs of={g.detectors} />
              </div>
            ))}
          </Stack>
        </Section>
      )}
      <Section title="Policies that ask for it">
        {p.used_by.length === 0 ? (
          <Text size="sm">None.</Text>
        ) : (
          <Group gap={6}>
            {p.used_by.map((id) => (
              <Tag key={id}>{id}</Tag>
            ))}
            <Link to="/policies">All policies</Link>
          </Group>
        )}
      </Section>
      <Section title="As a file (YAML)">
        <Code block className={classes.yaml}>
          {p.yaml}
        </Code>
      </Section>
    </Stack>
  );
}

function Globs({ of }: { of: string[] }) {
  return (
    <Group gap={6}>
      {of.map((g) => (
        <Tag key={g}>{g}</Tag>
      ))}
    </Group>
  );
}

function Versions({ id }: { id: string }) {
  const list = $api.useQuery('get', '/api/v1/profiles/{id}/versions', { params: { path: { id } } });
  if (list.error) return <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />;
  if (list.isPending) return <Rows n={4} />;
  if (list.data.items.length === 0) return <Text size="sm">Nobody changed this profile: it is as it comes with Outband.</Text>;
  return (
    <Stack>
      {list.data.items.map((v) => (
        <Section key={v.version} title={`Version ${v.version}`}>
          <Text size="sm" c="dimmed" mb={4}>
            <When at={v.at} /> by <code>{v.by}</code>
          </Text>
          {v.removed ? (
            <Text size="sm">Removed here.</Text>
          ) : (
            <Code block className={classes.yaml}>
              {v.yaml}
            </Code>
          )}
        </Section>
      ))}
    </Stack>
  );
}
