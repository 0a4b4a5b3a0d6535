import { Alert, Button, Code, Drawer, Group, List, SegmentedControl, Select, Stack, Table, Text, TextInput, Tooltip } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { severities, SeverityBadge, Tag, words, type Severity } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { useCan } from '../../session';
import { countsOf, holds } from './list';
import { FindingsCount, References, Section } from './rules';
import classes from './rules.module.css';
import { Pauses, Sections } from './Sections';
import { Shadow } from './Shadow';

type Policy = Schemas['Policy'];

const modeTone = { on: 'good', shadow: 'medium', off: 'info' } as const;

/** Policies lists what makes findings, with how many are there of each, and lets an author change severity and mode. */
export function Policies() {
  const list = $api.useQuery('get', '/api/v1/policies', { params: { query: { limit: 500 } } });
  const facets = $api.useQuery('get', '/api/v1/findings/facets', {});
  const [text, setText] = useState('');
  const [kind, setKind] = useState('all');
  const [open, setOpen] = useState<string>();
  const can = useCan();
  const counts = countsOf(facets.data, 'policy_id');
  const shown = list.data?.items.filter((p) => (kind === 'all' || p.kind === kind) && holds(text, p.title, p.id, p.description)) ?? [];
  const chosen = list.data?.items.find((p) => p.id === open);
  return (
    <Page
      title="Policies"
      about="A policy makes a finding out of matches, an activity or a setting. All that are on apply to all connections."
      actions={
        can('policies') && (
          <Button component={Link} to="/policies/new" leftSection={<Icon name="plus" size={16} />}>
            New policy
          </Button>
        )
      }
    >
      <Sections of="policies" />
      <Pauses policies={list.data?.items ?? []} />
      <Group>
        <TextInput aria-label="Search policies" placeholder="Search policies" leftSection={<Icon name="search" size={16} />} value={text} onChange={(e) => setText(e.currentTarget.value)} w={280} />
        <SegmentedControl
          aria-label="Kind"
          value={kind}
          onChange={setKind}
          data={[
            { value: 'all', label: 'All' },
            { value: 'content', label: 'Content' },
            { value: 'activity', label: 'Activity' },
            { value: 'posture', label: 'Posture' },
          ]}
        />
        <Text size="sm" c="dimmed">
          {shown.length} of {list.data?.items.length ?? 0}
        </Text>
      </Group>
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <section className="ob-surface" style={{ overflowX: 'auto' }}>
        {list.isPending ? (
          <Rows />
        ) : shown.length === 0 && !list.error ? (
          <EmptyState icon="filter" title="No policy of that name" action={<Button variant="default" onClick={() => { setText(''); setKind('all'); }}>Show all</Button>} />
        ) : (
          <Table verticalSpacing="sm" miw={760} highlightOnHover>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Policy</Table.Th>
                <Table.Th>Kind</Table.Th>
                <Table.Th>Severity</Table.Th>
                <Table.Th>Mode</Table.Th>
                <Table.Th ta="right">Findings</Table.Th>
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
                  <Table.Td>{words(p.kind)}</Table.Td>
                  <Table.Td>
                    <SeverityBadge severity={p.severity as Severity} />
                  </Table.Td>
                  <Table.Td>
                    <Tag tone={modeTone[p.mode]}>{words(p.mode)}</Tag>
                    {p.locked && (
                      <Tooltip label="Locked: it watches the audit trail or the key itself, so it cannot be muted.">
                        <span className={classes.lock} tabIndex={0} role="img" aria-label="Locked: it watches the audit trail or the key itself, so it cannot be muted.">
                          <Icon name="lock" size={15} />
                        </span>
                      </Tooltip>
                    )}
                    {p.pause && <Tag tone="medium">{p.pause.paused ? 'Paused' : 'Reported'}</Tag>}
                    {(p.failures > 0 || p.error !== '') && <Tag tone="critical">Failing</Tag>}
                  </Table.Td>
                  <Table.Td ta="right" className="ob-number">
                    <FindingsCount n={counts.get(p.id) ?? 0} search={{ policy_id: [p.id] }} label={`of ${p.title}`} />
                  </Table.Td>
                  <Table.Td>{words(p.source)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </section>
      <Drawer opened={chosen !== undefined} onClose={() => setOpen(undefined)} position="right" size="xl" title={chosen?.title}>
        {chosen && <Detail policy={chosen} findings={counts.get(chosen.id) ?? 0} />}
      </Drawer>
    </Page>
  );
}

function Detail({ policy: p, findings }: { policy: Policy; findings: number }) {
  const can = useCan();
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const override = async (body: Schemas['UpdatePolicyInputBody'], what: string) => {
    setBusy(true);
    try {
      await api.PATCH('/api/v1/policies/{id}', { params: { path: { id: p.id } }, body });
      done(what);
    } catch (e) {
      failed(e);
    }
    await queries.invalidateQueries({ queryKey: ['get', '/api/v1/policies'] });
    setBusy(false);
  };
  const looksAt = [...(p.on.items ?? []), ...(p.on.activities ?? []), ...(p.on.records ?? [])];
  return (
    <Stack>
      <Text>{p.description}</Text>
      {p.error !== '' && (
        <Alert color="red" variant="outline" icon={<Icon name="warning" />} title="It rests: it compiles no longer" styles={{ title: { color: 'var(--mantine-color-error)' } }}>
          <Text size="sm" className="ob-break" style={{ whiteSpace: 'pre-line' }}>
            {p.error}
          </Text>
        </Alert>
      )}
      {can('policies') && (
        <Group gap="xs">
          {p.source === 'custom' && (
            <Button component={Link} to={`/policies/${p.id}/edit`} variant="default">
              Edit
            </Button>
          )}
          <Button component={Link} to={`/policies/new?from=${p.id}`} variant="default" leftSection={<Icon name="copy" size={16} />}>
            Copy into a new policy
          </Button>
        </Group>
      )}
      <Group gap="lg" align="flex-end">
        <Select
          label="Severity"
          disabled={!can('policies') || busy}
          allowDeselect={false}
          w={200}
          value={p.severity}
          data={severities.map((s) => ({
            value: s,
            disabled: p.locked && severities.indexOf(s) > severities.indexOf(p.default_severity as Severity),
            label: s === p.default_severity ? `${words(s)} (as shipped)` : words(s),
          }))}
          onChange={(s) => s && void override({ severity: s === p.default_severity ? null : (s as Severity) }, `New findings of this policy are ${s} from now on.`)}
        />
        <div>
          <Text size="sm" fw={500} mb={4} id="mode">
            Mode
          </Text>
          <SegmentedControl
            aria-labelledby="mode"
            disabled={!can('policies') || busy || p.locked}
            value={p.mode}
            onChange={(m) => void override({ mode: m === p.default_mode ? null : (m as Policy['mode']) }, m === 'on' ? 'The policy is on.' : `The policy is ${m}.`)}
            data={[
              { value: 'on', label: 'On' },
              { value: 'shadow', label: 'Shadow' },
              { value: 'off', label: 'Off' },
            ]}
          />
        </div>
        {(p.severity !== p.default_severity || p.mode !== p.default_mode) && can('policies') && (
          <Button variant="default" disabled={busy} onClick={() => void override({ severity: null, mode: null }, 'The policy is as it was shipped.')}>
            As shipped
          </Button>
        )}
      </Group>
      <Text size="xs" c="dimmed">
        Shadow: the policy is evaluated, and what it finds is shown here alone. A change holds for what is scanned from now on; findings stay as they are.
      </Text>
      {p.locked && (
        <Text size="xs" c="dimmed">
          Locked: this policy watches the audit trail or the key itself. It stays on, its severity may only be raised, and its findings are resolved with a reason, never dismissed.
        </Text>
      )}
      {p.failures > 0 && <Tag tone="critical">Failed {p.failures.toLocaleString('en')} times since the start: the expression does not fit what was read</Tag>}
      {p.mode === 'shadow' && can('evidence') && <Shadow id={p.id} count={p.shadow_findings} />}
      <Section title="Findings">
        {findings > 0 ? (
          <Link to="/findings" search={{ policy_id: [p.id] }}>
            {findings.toLocaleString('en')} findings
          </Link>
        ) : (
          <Text size="sm">None yet.</Text>
        )}
      </Section>
      <Section title="What to do about one">
        <Text size="sm" style={{ whiteSpace: 'pre-line' }}>
          {p.guide.replaceAll('{resource.url}', 'the link of the resource')}
        </Text>
      </Section>
      <Section title="What it looks at">
        <Group gap={6}>
          {looksAt.map((x) => (
            <Tag key={x}>{x}</Tag>
          ))}
        </Group>
      </Section>
      <Section title="When it makes a finding (CEL)">
        <Code block style={{ whiteSpace: 'pre-wrap' }}>
          {p.when}
        </Code>
      </Section>
      {p.severity_when !== '' && (
        <Section title="How severe it is (CEL)">
          <Code block style={{ whiteSpace: 'pre-wrap' }}>
            {p.severity_when}
          </Code>
        </Section>
      )}
      <Section title="Tests">
        <Text size="sm">These are part of the policy; it cannot be loaded while one fails.</Text>
        <List size="sm" mt={4}>
          {p.test_names.map((t) => (
            <List.Item key={t} className="ob-break">
              {t}
            </List.Item>
          ))}
        </List>
      </Section>
      <References urls={p.references} />
      <Text size="xs" c="dimmed">
        {p.id}, version {p.version}, {p.source}
      </Text>
    </Stack>
  );
}
