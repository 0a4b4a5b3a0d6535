import { Button, Group, Stack, Table, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import type { Schemas } from '../../api/client';
import { Tag, words, type Tone } from '../../parts/badges';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import type { Names } from '../findings/state';
import { counted } from '../findings/wording';
import { lagWords, skippedWords, sumCoverage } from './figures';
import classes from './overview.module.css';

const connectionTone: Record<Schemas['Connection']['state'], Tone> = { active: 'good', paused: 'info', needs_attention: 'critical' };
const destinationTone: Record<Schemas['Destination']['state'], Tone> = { active: 'good', failing: 'critical', disabled: 'info' };

/** ConnectionHealth tells for each connection whether it works, when it was last scanned, and what to do if it does not. */
export function ConnectionHealth({ connections, scans }: { connections: Schemas['Connection'][]; scans: Schemas['Scan'][] }) {
  // What is broken comes first.
  const sorted = [...connections].sort((a, b) => Number(b.state === 'needs_attention') - Number(a.state === 'needs_attention'));
  return (
    <ul className={classes.health}>
      {sorted.map((c) => {
        const scan = scans.find((s) => s.connection_id === c.id) ?? c.last_scan;
        return (
          <li key={c.id}>
            <Group justify="space-between" gap={8} wrap="nowrap">
              <Link to="/connections/$id" params={{ id: c.id }} className={classes.name}>
                {c.name}
              </Link>
              <Tag tone={connectionTone[c.state]} dot>
                {c.state === 'active' ? 'Working' : words(c.state)}
              </Tag>
            </Group>
            {c.state_message && (
              <Text size="sm" className="ob-break">
                {c.state_message} {c.state_code}
              </Text>
            )}
            <Text size="sm" c="dimmed">
              {scan ? <ScanWords scan={scan} /> : 'Not scanned yet'}
            </Text>
          </li>
        );
      })}
    </ul>
  );
}

function ScanWords({ scan: s }: { scan: Schemas['Scan'] }) {
  if (s.state === 'queued') return <>A scan is about to begin</>;
  if (s.state === 'running') return <>Scanning now: {counted(s.items_read, 'item')} read</>;
  return (
    <>
      Last scan {s.state === 'succeeded' ? 'finished' : s.state === 'partial' ? 'finished in part' : words(s.state).toLowerCase()} <When at={s.finished_at ?? s.updated_at} />: {counted(s.items_read, 'item')},{' '}
      {counted(s.findings_new, 'new finding')}
      {s.error && `. ${s.error}`}
    </>
  );
}

/** DeliveryHealth tells for each destination whether events arrive. */
export function DeliveryHealth({ destinations }: { destinations: Schemas['Destination'][] }) {
  const can = useCan();
  if (destinations.length === 0) {
    return (
      <Stack align="flex-start" gap="sm">
        <Text c="dimmed">Findings are sent nowhere yet. A destination, such as a SIEM, gets every change of a finding as a signed event.</Text>
        {can('admin') && (
          <Button component={Link} to="/destinations" variant="default">
            Add a destination
          </Button>
        )}
      </Stack>
    );
  }
  const sorted = [...destinations].sort((a, b) => Number(b.state === 'failing') - Number(a.state === 'failing'));
  return (
    <ul className={classes.health}>
      {sorted.map((d) => (
        <li key={d.id}>
          <Group justify="space-between" gap={8} wrap="nowrap">
            <Link to="/destinations/$id" params={{ id: d.id }} className={classes.name}>
              {d.name}
            </Link>
            <Tag tone={destinationTone[d.state]} dot>
              {d.state === 'active' ? 'Working' : words(d.state)}
            </Tag>
          </Group>
          <Text size="sm" c={d.state_message ? undefined : 'dimmed'} className="ob-break">
            {d.state_message || (d.state === 'disabled' ? 'Switched off: events are not sent.' : 'The last event was accepted, or none was due.')}
          </Text>
        </li>
      ))}
    </ul>
  );
}

/** CoverageSummary tells how much was read and scanned, what was left out and why, and how far each stream is behind. */
export function CoverageSummary({ streams, names }: { streams: Schemas['Coverage'][]; names: Names }) {
  const sum = sumCoverage(streams);
  return (
    <Stack gap="sm">
      <Text>
        <strong className="ob-number">{counted(sum.read, 'item')}</strong> read, <strong className="ob-number">{sum.scanned.toLocaleString('en')}</strong> scanned,{' '}
        <strong className="ob-number">{skippedWords(sum.skipped)}</strong> skipped
        {sum.waiting > 0 && `, ${sum.waiting.toLocaleString('en')} waiting`}
        {sum.failed > 0 && `, ${sum.failed.toLocaleString('en')} given up after 72 hours of tries`}
        {sum.errors > 0 && `, ${counted(sum.errors, 'stream')} standing still`}
        {sum.gaps > 0 && `, ${counted(sum.gaps, 'gap')} in time`}.
      </Text>
      <div className={classes.scroll} tabIndex={0} role="region" aria-label="Coverage by stream">
        <Table verticalSpacing={7} miw={700}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th>Connection</Table.Th>
              <Table.Th>Stream</Table.Th>
              <Table.Th ta="right">Read</Table.Th>
              <Table.Th ta="right">Scanned</Table.Th>
              <Table.Th>Skipped</Table.Th>
              <Table.Th>Behind</Table.Th>
              <Table.Th>State</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {streams.map((s) => (
              <Table.Tr key={`${s.connection_id} ${s.stream}`}>
                <Table.Td>
                  <Link to="/connections/$id" params={{ id: s.connection_id }}>
                    {names.connection.get(s.connection_id) ?? s.connection_id}
                  </Link>
                </Table.Td>
                <Table.Td>{words(s.stream)}</Table.Td>
                <Table.Td ta="right" className="ob-number">
                  {s.read.toLocaleString('en')}
                </Table.Td>
                <Table.Td ta="right" className="ob-number">
                  {s.scanned.toLocaleString('en')}
                </Table.Td>
                <Table.Td className="ob-number">{skippedWords(Object.entries(s.skipped))}</Table.Td>
                <Table.Td>{lagWords(s.lag_seconds)}</Table.Td>
                <Table.Td>
                  <StreamState stream={s} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </div>
    </Stack>
  );
}

function StreamState({ stream: s }: { stream: Schemas['Coverage'] }) {
  if (s.error) {
    return (
      <>
        <Tag tone="critical" dot>
          Stands still
        </Tag>
        <Text size="xs" className="ob-break">
          {s.error}
        </Text>
      </>
    );
  }
  if (s.gaps.length > 0) return <Tag tone="medium">{counted(s.gaps.length, 'gap')}</Tag>;
  if (s.failed > 0) return <Tag tone="medium">{s.failed.toLocaleString('en')} given up</Tag>;
  if (s.backfill_open > 0) return <Tag tone="low">Reads history</Tag>;
  if (s.deferred + s.quarantined > 0) return <Tag tone="low">{(s.deferred + s.quarantined).toLocaleString('en')} waiting</Tag>;
  return (
    <Tag tone="good" dot>
      Complete
    </Tag>
  );
}
