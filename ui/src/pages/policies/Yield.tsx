import { Group, SegmentedControl, Select, Table, Text } from '@mantine/core';
import { useState, type ReactNode } from 'react';

import { $api, type Schemas } from '../../api/client';
import { useDetectors } from '../../api/detectors';
import { Tag } from '../../parts/badges';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { FindingsCount } from './rules';
import { sortedBy, took, type Span } from './list';
import { Pauses, Sections } from './Sections';

const every = 30_000; // ms between looks

const policyOrders = {
  seconds: { label: 'Time', value: (w: Schemas['PolicyWork']) => w.seconds },
  mean: { label: 'Time of one', value: (w: Schemas['PolicyWork']) => w.mean_microseconds },
  findings: { label: 'New findings', value: (w: Schemas['PolicyWork']) => w.findings_new },
  decisions: { label: 'Broken', value: (w: Schemas['PolicyWork']) => w.decisions },
  failures: { label: 'No answer', value: (w: Schemas['PolicyWork']) => w.failures },
};

/** PolicyYield is what policies found and cost, today or in a week. */
export function PolicyYield() {
  const list = $api.useQuery('get', '/api/v1/policies/yield', {}, { refetchInterval: every });
  const policies = $api.useQuery('get', '/api/v1/policies', { params: { query: { limit: 500 } } }, { refetchInterval: every });
  const [span, setSpan] = useState<Span>('today');
  const [order, setOrder] = useState<keyof typeof policyOrders>('seconds');
  const titles = new Map(policies.data?.items.map((p) => [p.id, p.title]));
  const title = (id: string) => titles.get(id) ?? id;
  const rows = sortedBy(list.data?.items ?? [], (y) => policyOrders[order].value(y[span]), (y) => title(y.policy_id));
  return (
    <Page title="Yield and cost of policies" about="How often each policy was asked, what it found, and how long it took, in all processes together.">
      <Sections of="policies" />
      <Pauses policies={policies.data?.items ?? []} />
      <Bar span={span} onSpan={setSpan} order={order} onOrder={(o) => setOrder(o as keyof typeof policyOrders)} orders={policyOrders} since={list.data?.since} />
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <Sheet label="Yield of policies" pending={list.isPending} empty={rows.length === 0}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Policy</Table.Th>
            <Table.Th ta="right">Asked</Table.Th>
            <Table.Th ta="right">Broken</Table.Th>
            <Table.Th ta="right">New findings</Table.Th>
            <Table.Th ta="right">Shadow</Table.Th>
            <Table.Th ta="right">Held back</Table.Th>
            <Table.Th ta="right">No answer</Table.Th>
            <Table.Th ta="right">Time</Table.Th>
            <Table.Th ta="right">Of one</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((y) => {
            const w = y[span];
            return (
              <Table.Tr key={y.policy_id} data-policy={y.policy_id}>
                <Table.Td>
                  {title(y.policy_id)} {y.pause && <Tag tone="medium">{y.pause.paused ? 'Paused' : 'Reported'}</Tag>}
                  <Text size="xs" c="dimmed">
                    {y.policy_id}
                  </Text>
                </Table.Td>
                <Figure n={w.evaluations} />
                <Figure n={w.decisions} />
                <Table.Td ta="right" className="ob-number">
                  <FindingsCount n={w.findings_new} search={{ policy_id: [y.policy_id] }} label={`of ${title(y.policy_id)}`} />
                </Table.Td>
                <Figure n={w.shadow} />
                <Figure n={w.held} />
                <Figure n={w.failures} />
                <Table.Td ta="right" className="ob-number">
                  {took(w.seconds * 1000)}
                </Table.Td>
                <Table.Td ta="right" className="ob-number">
                  {took(w.mean_microseconds / 1000)}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Sheet>
    </Page>
  );
}

const matches = (w: Schemas['DetectorWork']) => w.low + w.medium + w.high + w.very_high;

const detectorOrders = {
  candidates: { label: 'Looked closer', value: (w: Schemas['DetectorWork']) => w.candidates },
  matches: { label: 'Matches', value: matches },
  low: { label: 'Low matches', value: (w: Schemas['DetectorWork']) => w.low },
};

/** DetectorYield is what detectors found and how often they looked closer, today or in a week. */
export function DetectorYield() {
  const list = $api.useQuery('get', '/api/v1/detectors/yield', {}, { refetchInterval: every });
  const detectors = useDetectors();
  const [span, setSpan] = useState<Span>('today');
  const [order, setOrder] = useState<keyof typeof detectorOrders>('candidates');
  const titles = new Map(detectors.data?.items.map((d) => [d.id, d.title]));
  const title = (id: string) => titles.get(id) ?? id;
  const rows = sortedBy(list.data?.items ?? [], (y) => detectorOrders[order].value(y[span]), (y) => title(y.detector_id));
  return (
    <Page title="Yield and cost of detectors" about="How often each detector looked closer at a place, which is what it costs, and the matches that came of it, by confidence.">
      <Sections of="detectors" />
      <Bar span={span} onSpan={setSpan} order={order} onOrder={(o) => setOrder(o as keyof typeof detectorOrders)} orders={detectorOrders} since={list.data?.since} />
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <Sheet label="Yield of detectors" pending={list.isPending} empty={rows.length === 0}>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Detector</Table.Th>
            <Table.Th ta="right">Looked closer</Table.Th>
            <Table.Th ta="right">Matches</Table.Th>
            <Table.Th ta="right">Very high</Table.Th>
            <Table.Th ta="right">High</Table.Th>
            <Table.Th ta="right">Medium</Table.Th>
            <Table.Th ta="right">Low</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {rows.map((y) => {
            const w = y[span];
            return (
              <Table.Tr key={y.detector_id} data-detector={y.detector_id}>
                <Table.Td>
                  {title(y.detector_id)}
                  <Text size="xs" c="dimmed">
                    {y.detector_id}
                  </Text>
                </Table.Td>
                <Figure n={w.candidates} />
                <Figure n={matches(w)} />
                <Figure n={w.very_high} />
                <Figure n={w.high} />
                <Figure n={w.medium} />
                <Figure n={w.low} />
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Sheet>
    </Page>
  );
}

interface BarProps {
  span: Span;
  onSpan: (s: Span) => void;
  order: string;
  onOrder: (o: string) => void;
  orders: Record<string, { label: string }>;
  since: string | null | undefined;
}

function Bar({ span, onSpan, order, onOrder, orders, since }: BarProps) {
  return (
    <Group>
      <SegmentedControl
        aria-label="Time"
        value={span}
        onChange={(s) => onSpan(s as Span)}
        data={[
          { value: 'today', label: 'Today (UTC)' },
          { value: 'week', label: '7 days' },
        ]}
      />
      <Select aria-label="Order" allowDeselect={false} w={190} value={order} onChange={(o) => o && onOrder(o)} data={Object.entries(orders).map(([value, o]) => ({ value, label: `Most: ${o.label.toLowerCase()}` }))} />
      {since && (
        <Text size="sm" c="dimmed">
          Counted since <When at={since} />
        </Text>
      )}
    </Group>
  );
}

function Sheet({ label, pending, empty, children }: { label: string; pending: boolean; empty: boolean; children: ReactNode }) {
  return (
    <section className="ob-surface" style={{ overflowX: 'auto' }} tabIndex={0} role="region" aria-label={label}>
      {pending ? (
        <Rows />
      ) : empty ? (
        <EmptyState icon="pulse" title="Nothing was counted yet">
          Scans add what they did each minute, and when they end.
        </EmptyState>
      ) : (
        <Table verticalSpacing="xs" miw={860} highlightOnHover>
          {children}
        </Table>
      )}
    </section>
  );
}

function Figure({ n }: { n: number }) {
  return (
    <Table.Td ta="right" className="ob-number" c={n === 0 ? 'dimmed' : undefined}>
      {n.toLocaleString('en')}
    </Table.Td>
  );
}
