import { Group, SegmentedControl, Select, Stack, Table, Text } from '@mantine/core';
import { useState } from 'react';

import { $api, type Schemas } from '../../api/client';
import { words } from '../../parts/badges';
import { Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { number } from '../connections/state';
import classes from './coverage.module.css';
import { dayText, dayWords, months, together } from './state';

const lengths = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
];

const day = 86_400_000; // ms
const all = 'all';

/** Calendar shows for each day whether it was read: as months, or as a list. Days are those of UTC, as the ledger keeps them. */
export function Calendar({ connection }: { connection: string }) {
  const [stream, setStream] = useState(all);
  const [length, setLength] = useState('90');
  const [form, setForm] = useState('months');
  const today = new Date().toISOString().slice(0, 10);
  const from = new Date(Date.parse(today) - (Number(length) - 1) * day).toISOString().slice(0, 10);
  const got = $api.useQuery('get', '/api/v1/coverage/calendar', { params: { query: { connection_id: connection, from, to: today } } }, { refetchInterval: 60_000, staleTime: 15_000, placeholderData: (old) => old });
  const streams = (got.data?.streams ?? []).filter((s) => s.days.some((d) => d.state !== 'none' || d.read > 0));
  const chosen = streams.filter((s) => stream === all || s.stream === stream);
  const days = together(chosen.length > 0 ? chosen : streams);
  return (
    <Panel
      title="Calendar of completeness"
      right={
        <Group gap="sm">
          <Select
            aria-label="Stream of the calendar"
            size="xs"
            w={200}
            allowDeselect={false}
            value={chosen.length > 0 ? stream : all}
            data={[{ value: all, label: 'All streams' }, ...streams.map((s) => ({ value: s.stream, label: s.title || words(s.stream) }))]}
            onChange={(v) => v && setStream(v)}
          />
          <SegmentedControl size="xs" aria-label="Length of the calendar" value={length} onChange={setLength} data={lengths} />
          <SegmentedControl
            size="xs"
            aria-label="Form of the calendar"
            value={form}
            onChange={setForm}
            data={[
              { value: 'months', label: 'Months' },
              { value: 'list', label: 'List' },
            ]}
          />
        </Group>
      }
    >
      {got.error && <ProblemAlert error={got.error} onRetry={() => void got.refetch()} />}
      {got.isPending ? (
        <Rows n={4} />
      ) : days.length === 0 && !got.error ? (
        <EmptyState icon="clock" title="Nothing was read in these days">
          The first scan fills this in.
        </EmptyState>
      ) : (
        <Stack gap="md">
          <Legend />
          {form === 'months' ? <Months days={days} /> : <List days={days} />}
          <Text size="xs" c="dimmed">
            Days are UTC. The counts are of what is of that day by its own time, whenever it was read; what has no known time is in none.
          </Text>
        </Stack>
      )}
    </Panel>
  );
}

function Legend() {
  return (
    <ul className={classes.legend} aria-label="What the signs mean">
      {Object.entries(dayWords).map(([state, { word, sign }]) => (
        <li key={state}>
          <span className={classes.day} data-state={state} aria-hidden="true">
            {sign}
          </span>
          {word}
        </li>
      ))}
    </ul>
  );
}

const weekdays = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];

function Months({ days }: { days: Schemas['CalendarDay'][] }) {
  return (
    <div className={classes.months} data-testid="calendar">
      {months(days).map((m) => (
        <table key={m.name} className={classes.month}>
          <caption>{m.name}</caption>
          <thead>
            <tr>
              {weekdays.map((w) => (
                <th key={w} scope="col" abbr={w}>
                  <span aria-hidden="true">{w.slice(0, 2)}</span>
                  <span className="ob-skip">{w}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {m.weeks.map((week, i) => (
              <tr key={i}>
                {week.map((d, j) =>
                  d ? (
                    <td key={j} className={classes.day} data-state={d.state} data-date={d.date} title={`${d.date}: ${dayText(d)}`}>
                      {Number(d.date.slice(8))}
                      <span aria-hidden="true">{dayWords[d.state].sign}</span>
                      <i className="ob-skip">{dayText(d)}</i>
                    </td>
                  ) : (
                    <td key={j} />
                  ),
                )}
              </tr>
            ))}
          </tbody>
        </table>
      ))}
    </div>
  );
}

function List({ days }: { days: Schemas['CalendarDay'][] }) {
  return (
    <div className={`${classes.wide} ${classes.tall}`} tabIndex={0} role="region" aria-label="Days as a list">
      <Table miw={560} verticalSpacing={4} stickyHeader>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Day</Table.Th>
            <Table.Th>State</Table.Th>
            <Table.Th ta="right">Read</Table.Th>
            <Table.Th ta="right">Scanned</Table.Th>
            <Table.Th ta="right">Skipped</Table.Th>
            <Table.Th ta="right">Deleted before the scan</Table.Th>
            <Table.Th ta="right">Failed</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {[...days].reverse().map((d) => (
            <Table.Tr key={d.date}>
              <Table.Th scope="row" fw={500} className={classes.one}>
                {d.date}
              </Table.Th>
              <Table.Td>{dayWords[d.state].word}</Table.Td>
              {[d.read, d.scanned, d.skipped, d.deleted_before_scan, d.failed].map((n, i) => (
                <Table.Td key={i} ta="right" className="ob-number">
                  {number(n)}
                </Table.Td>
              ))}
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
    </div>
  );
}
