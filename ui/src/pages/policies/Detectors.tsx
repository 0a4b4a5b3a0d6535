import { Alert, Button, Code, Drawer, Group, SegmentedControl, Select, Stack, Table, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { useDetectors } from '../../api/detectors';
import { Tag, words } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { useCan } from '../../session';
import { countsOf, holds, percent } from './list';
import { FindingsCount, References, Section } from './rules';
import classes from './rules.module.css';
import { Sections } from './Sections';

type Detector = Schemas['Detector'];

/** rowsAtOnce is how many rows are drawn before somebody asks for more: all of them take a slow machine seconds. */
const rowsAtOnce = 100;

/** Detectors lists the kinds of sensitive data that are looked for, with examples and how many findings hold them. */
export function Detectors() {
  const can = useCan();
  const list = useDetectors();
  const facets = $api.useQuery('get', '/api/v1/findings/facets', {});
  const [text, setText] = useState('');
  const [kind, setKind] = useState<string | null>(null);
  const [source, setSource] = useState<string | null>(null);
  const [open, setOpen] = useState<string>();
  const [limit, setLimit] = useState(rowsAtOnce);
  const counts = countsOf(facets.data, 'detector');
  const kinds = [...new Set(list.data?.items.map((d) => d.kind))].sort();
  const shown = list.data?.items.filter((d) => (!kind || d.kind === kind) && (!source || d.source === source) && holds(text, d.title, d.id, d.description)) ?? [];
  const chosen = list.data?.items.find((d) => d.id === open);
  return (
    <Page
      title="Detectors"
      about="A detector finds one kind of sensitive data in text. Policies decide what a match means."
      actions={
        can('policies') && (
          <Button component={Link} to="/detectors/new" leftSection={<Icon name="plus" size={16} />}>
            New detector
          </Button>
        )
      }
    >
      <Sections of="detectors" />
      <Group>
        <TextInput aria-label="Search detectors" placeholder="Search detectors" leftSection={<Icon name="search" size={16} />} value={text} onChange={(e) => setText(e.currentTarget.value)} w={280} />
        <Select aria-label="Kind" placeholder="All kinds" clearable data={kinds.map((k) => ({ value: k, label: words(k) }))} value={kind} onChange={setKind} w={180} />
        <Select aria-label="Source" placeholder="All sources" clearable data={[{ value: 'built-in', label: 'Built-in' }, { value: 'custom', label: 'Custom' }]} value={source} onChange={setSource} w={150} />
        <Text size="sm" c="dimmed">
          {shown.length} of {list.data?.items.length ?? 0}
        </Text>
      </Group>
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <section className="ob-surface" style={{ overflowX: 'auto' }}>
        {list.isPending ? (
          <Rows />
        ) : shown.length === 0 && !list.error ? (
          <EmptyState icon="filter" title="No detector of that name" action={<Button variant="default" onClick={() => { setText(''); setKind(null); setSource(null); }}>Show all</Button>} />
        ) : (
          <Table verticalSpacing="sm" miw={880} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Detector</Table.Th>
                <Table.Th>Kind</Table.Th>
                <Table.Th>Checked by</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th ta="right">Recall</Table.Th>
                <Table.Th ta="right">Precision</Table.Th>
                <Table.Th ta="right">Findings</Table.Th>
                <Table.Th>Source</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {shown.slice(0, limit).map((d) => (
                <Table.Tr key={d.id}>
                  <Table.Td>
                    <button type="button" className={classes.open} onClick={() => setOpen(d.id)}>
                      {d.title}
                    </button>
                    <Text size="xs" c="dimmed">
                      {d.id}
                    </Text>
                  </Table.Td>
                  <Table.Td>{words(d.kind)}</Table.Td>
                  <Table.Td>{d.validator ? <Tag>{d.validator}</Tag> : <Text span size="sm" c="dimmed">Pattern and context</Text>}</Table.Td>
                  <Table.Td>
                    <State detector={d} />
                  </Table.Td>
                  <Table.Td ta="right" className="ob-number">
                    {percent(d.quality?.recall)}
                  </Table.Td>
                  <Table.Td ta="right" className="ob-number">
                    {percent(d.quality?.precision)}
                  </Table.Td>
                  <Table.Td ta="right" className="ob-number">
                    <FindingsCount n={counts.get(d.id) ?? 0} search={{ detector: [d.id] }} label={`with ${d.title}`} />
                  </Table.Td>
                  <Table.Td>{words(d.source)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
        {shown.length > limit && (
          <Button m="sm" size="xs" variant="default" onClick={() => setLimit(shown.length)}>
            Show all {shown.length}
          </Button>
        )}
      </section>
      <Drawer opened={chosen !== undefined} onClose={() => setOpen(undefined)} position="right" size="xl" title={chosen?.title}>
        {chosen && <Detail detector={chosen} />}
      </Drawer>
    </Page>
  );
}

function State({ detector: d }: { detector: Detector }) {
  if (d.failing) return <Tag tone="high">Failing</Tag>;
  return d.on ? <Tag tone="good">On</Tag> : <Tag tone="info">Off</Tag>;
}

function Detail({ detector: d }: { detector: Detector }) {
  const can = useCan();
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const turn = async (on: boolean) => {
    setBusy(true);
    try {
      // How it comes is no override.
      const mode = on === !d.optional ? null : on ? 'on' : 'off';
      await api.PATCH('/api/v1/detectors/{id}', { params: { path: { id: d.id } }, body: { mode } });
      await queries.invalidateQueries({ queryKey: ['get', '/api/v1/detectors'] });
      done(`${d.title} is ${on ? 'on' : 'off'}.`);
    } catch (e) {
      failed(e);
    }
    setBusy(false);
  };
  const whole = $api.useQuery('get', '/api/v1/detectors/{id}', { params: { path: { id: d.id } } }, { staleTime: 5 * 60_000 });
  return (
    <Stack>
      <Text>{d.description}</Text>
      <Group gap={8}>
        <Tag>{words(d.kind)}</Tag>
        {d.validator && <Tag tone="good">Checked by {d.validator}</Tag>}
        <Tag>{words(d.source)}</Tag>
        <State detector={d} />
      </Group>
      {d.quality && (
        <Section title="How well it does">
          <Text size="sm">
            On the reference corpus it finds {percent(d.quality.recall)} of {d.quality.planted} planted values, {percent(d.quality.precision)} of its matches are right, and{' '}
            {d.quality.decoys === 0 ? 'none is' : `${d.quality.decoys} are`} on a decoy. Matches count from medium confidence on.
          </Text>
        </Section>
      )}
      {d.failing && (
        <Alert color="red" variant="outline" title="It is not looked for">
          <Text size="sm">{d.failing}</Text>
        </Alert>
      )}
      {can('policies') && (
        <Stack gap={6}>
          <Group gap="sm">
            <SegmentedControl aria-label="State" disabled={busy} value={d.on ? 'on' : 'off'} data={[{ value: 'on', label: 'On' }, { value: 'off', label: 'Off' }]} onChange={(v) => void turn(v === 'on')} />
            {d.source === 'custom' && (
              <Button component={Link} to={`/detectors/edit?id=${encodeURIComponent(d.id)}`} variant="default">
                Edit
              </Button>
            )}
            <Button component={Link} to={`/detectors/new?from=${encodeURIComponent(d.id)}`} variant="default" leftSection={<Icon name="copy" size={15} />}>
              Copy to a new detector
            </Button>
          </Group>
          <Text size="xs" c="dimmed">
            A switch is in force at once. What was scanned before is fetched and scanned again when its app lists it again.
          </Text>
        </Stack>
      )}
      {d.keywords.length > 0 && (
        <Section title="Words that bring it up">
          <Group gap={6}>
            {d.keywords.map((k) => (
              <Code key={k}>{k}</Code>
            ))}
          </Group>
        </Section>
      )}
      {d.pattern && (
        <Section title="Pattern">
          <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
            {d.pattern}
          </Code>
        </Section>
      )}
      {d.lines.length > 0 && (
        <Section title="Lines, several near each other">
          <Code block>{d.lines.join('\n')}</Code>
        </Section>
      )}
      {whole.error && <ProblemAlert error={whole.error} onRetry={() => void whole.refetch()} />}
      <Examples title="It finds" texts={whole.data?.examples?.match ?? []} />
      <Examples title="It leaves alone" texts={whole.data?.examples?.no_match ?? []} />
      <References urls={d.references} />
      <Text size="xs" c="dimmed">
        {d.id}. The examples are made up, or stand in public documents; the detector does not load unless all of them hold.
      </Text>
    </Stack>
  );
}

function Examples({ title, texts }: { title: string; texts: string[] }) {
  if (texts.length === 0) return null;
  return (
    <Section title={title}>
      <Stack gap={6}>
        {texts.map((t) => (
          <pre key={t} className={classes.example}>
            {t}
          </pre>
        ))}
      </Stack>
    </Section>
  );
}
