import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import { api, problemOf, type Schemas } from '../../api/client';
import { Refused } from '../../parts/form/Refused';
import { done } from '../../parts/notify';
import { Panel } from '../../parts/page';
import { Estimate } from './Estimate';
import { historyFrom, schedules } from './state';
import type { Body } from './test';

const histories = [
  { value: '30', label: 'The last 30 days' },
  { value: '90', label: 'The last 90 days' },
  { value: '365', label: 'The last year' },
  { value: 'date', label: 'Since a date' },
  { value: 'none', label: 'None: only what comes from now on' },
];

const today = () => new Date().toISOString().slice(0, 10);

/** ScheduleStep takes the name, how often to look and how far back, and saves. The server tests once more before it stores. */
export function ScheduleStep({ connector: c, account, body, onBack }: { connector: Schemas['Connector']; account: string; body: Body; onBack: () => void }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [name, setName] = useState(account ? `${c.name} (${account})`.slice(0, 120) : c.name);
  const [every, setEvery] = useState(c.limits.requests_per_minute >= 60 ? '1m' : '5m');
  const [history, setHistory] = useState('30');
  const [date, setDate] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  // The step before has gone, and the focus with it.
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => {
    first.current?.focus();
  }, []);
  const wrongDate = history === 'date' && (Number.isNaN(Date.parse(date)) ? 'Give a date.' : date > today() ? 'Give a day that has been.' : undefined);
  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const { data } = await api.POST('/api/v1/connections', { body: { ...body, name: name.trim(), schedule: { every }, backfill_from: historyFrom(history, date) } });
      await queries.invalidateQueries();
      done(`${name.trim()} is connected. Its first scan begins now.`);
      if (data) await navigate({ to: '/connections/$id', params: { id: data.id } });
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  const at = (where: string) => (error === undefined ? undefined : problemOf(error).errors?.find((e) => e.location === where)?.message);
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <Stack maw={620}>
        <Panel title="Name and schedule">
          <Stack>
            <TextInput ref={first} label="Name" description="As it is shown here and in events." value={name} maxLength={120} autoComplete="off" onChange={(e) => setName(e.currentTarget.value)} required withAsterisk error={at('body.name') ?? (name.trim() ? undefined : 'Give a name.')} />
            <Select label="Look for new content" data={schedules} value={every} allowDeselect={false} onChange={(v) => v && setEvery(v)} error={at('body.schedule.every')} />
            <Select label="History to read" description="It is read beside new content, which never waits for it." data={histories} value={history} allowDeselect={false} onChange={(v) => v && setHistory(v)} error={at('body.backfill_from')} />
            {history === 'date' && <TextInput type="date" label="Since" required withAsterisk value={date} max={today()} error={date ? wrongDate : undefined} onChange={(e) => setDate(e.currentTarget.value)} maw={220} />}
            {!wrongDate && <Estimate about={[c.id, account, history, date]} body={{ connector: body.connector, config: body.config, secrets: body.secrets, backfill_from: historyFrom(history, date) }} />}
          </Stack>
        </Panel>
        <Text size="sm" c="dimmed">
          Texts and files stay in memory while they are scanned. What is kept is where something was found, with the value masked.
        </Text>
        {error !== undefined && <Refused error={error} title="It was not saved" shown={/^body\.(name|schedule|backfill_from)\b/} />}
        <Group justify="space-between">
          <Button variant="default" onClick={onBack}>
            Back
          </Button>
          <Button type="submit" loading={busy} disabled={!name.trim() || Boolean(wrongDate)}>
            Save and scan
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
