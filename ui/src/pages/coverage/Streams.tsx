import { Table, Text } from '@mantine/core';

import type { Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { When } from '../../parts/when';
import { lag, leftOut, number } from '../connections/state';
import classes from './coverage.module.css';
import { stateWords } from './state';

type Stream = Schemas['Coverage'];

/** StreamsTable tells for each stream whether it is complete and why not, how far it was read, and what was left out and why. */
export function StreamsTable({ streams }: { streams: Stream[] }) {
  return (
    <div className={classes.wide} tabIndex={0} role="region" aria-label="What was read, by stream">
      <Table miw={1040} verticalSpacing="xs">
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Stream</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th>Complete until</Table.Th>
            <Table.Th ta="right">Lag</Table.Th>
            <Table.Th ta="right">Read</Table.Th>
            <Table.Th ta="right">Scanned</Table.Th>
            <Table.Th>Not scanned, and why</Table.Th>
            <Table.Th>Gaps</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {/* What is not read at all comes last. */}
          {[...streams].sort((a, b) => Number(a.state === 'grey') - Number(b.state === 'grey')).map((s) => (
            <Row key={`${s.connection_id} ${s.stream}`} stream={s} />
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}

function Row({ stream: s }: { stream: Stream }) {
  const out = leftOut(s);
  const { tone, word } = stateWords[s.state];
  return (
    <Table.Tr data-stream={s.stream} data-state={s.state}>
      <Table.Th scope="row" fw={600}>
        {s.title || words(s.stream)}
        {s.error && (
          <Text size="xs" c="var(--mantine-color-error)" className="ob-break">
            {s.error}
          </Text>
        )}
      </Table.Th>
      <Table.Td>
        <Tag tone={tone} dot>
          {word}
        </Tag>
        {s.reasons.map((r) => (
          <Text key={r.code} size="xs" c="dimmed" mt={3} className={classes.why} data-reason={r.code}>
            {r.message}
          </Text>
        ))}
      </Table.Td>
      <Table.Td>
        {/* A stream whose items come with those of another has no place of its own. */}
        <When at={s.watermark_at} empty={s.read > 0 || s.state === 'grey' ? '–' : 'Nothing yet'} />
        {s.snapshot && s.snapshot.records > 0 && (
          <Text size="xs" c="dimmed">
            {number(s.snapshot.records)} records
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right" className={`ob-number ${classes.one}`}>
        {lag(s.lag_seconds)}
      </Table.Td>
      <Table.Td ta="right" className="ob-number">
        {number(s.read)}
        {s.late > 0 && (
          <Text size="xs" c="dimmed" className={classes.one}>
            {number(s.late)} late
          </Text>
        )}
        {s.overlap > 0 && (
          <Text size="xs" c="dimmed" className={classes.one}>
            {number(s.overlap)} listed again
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right" className="ob-number">
        {number(s.scanned)}
      </Table.Td>
      <Table.Td>
        {out.length === 0 ? (
          <Text size="sm" c="dimmed">
            {s.read > 0 ? 'Nothing was left out' : '–'}
          </Text>
        ) : (
          <ul className={classes.list}>
            {out.map((o) => (
              <li key={o}>{o}</li>
            ))}
          </ul>
        )}
      </Table.Td>
      <Table.Td>
        {s.gaps.length === 0 ? (
          <Text size="sm" c="dimmed">
            {s.state === 'grey' ? '–' : 'None'}
          </Text>
        ) : (
          <ul className={classes.list}>
            {s.gaps.slice(0, 5).map((g, i) => (
              <li key={i}>
                <Tag tone="critical">{g.reason === 'hole' ? 'Not read' : words(g.reason) || 'Gap'}</Tag>
                <Text size="xs" c="dimmed">
                  <When at={g.from} empty="the beginning" /> to <When at={g.to} empty="now" />
                </Text>
              </li>
            ))}
            {s.gaps.length > 5 && <li>and {number(s.gaps.length - 5)} more</li>}
          </ul>
        )}
      </Table.Td>
    </Table.Tr>
  );
}
