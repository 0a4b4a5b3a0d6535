import { Button, Group, Progress, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Refused } from '../../parts/form/Refused';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Panel } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import { useCan } from '../../session';
import { hours } from '../coverage/state';
import { Estimate } from './Estimate';
import { number } from './state';

type Connection = Schemas['Connection'];

const dayOf = (at: string | null) => at?.slice(0, 10) ?? '';
const today = () => new Date().toISOString().slice(0, 10);

/** Backfill shows how far the history of a connection was read, and lets an admin pause it or choose how far back it goes. */
export function Backfill({ connection: c }: { connection: Connection }) {
  const can = useCan();
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const [choosing, setChoosing] = useState(false);
  const got = $api.useQuery('get', '/api/v1/connections/{id}/backfill', { params: { path: { id: c.id } } }, { refetchInterval: 15_000 });
  const pause = async (paused: boolean) => {
    setBusy(true);
    try {
      await api.POST(paused ? '/api/v1/connections/{id}/backfill/pause' : '/api/v1/connections/{id}/backfill/resume', { params: { path: { id: c.id } } });
      done(paused ? 'The history is paused. What is new is read all the same.' : 'The history is read again, from the next scan on.');
    } catch (e) {
      failed(e);
    }
    await queries.invalidateQueries();
    setBusy(false);
  };
  const b = got.data;
  const open = b ? b.total - b.done : 0;
  return (
    <Panel title="History">
      {got.error && <ProblemAlert error={got.error} onRetry={() => void got.refetch()} />}
      {got.isPending && <Rows n={2} />}
      {b && (
        <Stack gap="sm" data-testid="backfill" data-paused={b.paused}>
          {b.from ? (
            <>
              <Text size="sm">
                {open === 0 ? 'All of the history is read' : b.paused ? 'Paused' : 'The history is being read, the newest day first'}: {number(b.done)} of {number(b.total)} days of streams, back to {dayOf(b.from)}.
                {b.oldest_read_at && open > 0 && ` Everything is read since ${dayOf(b.oldest_read_at)}.`}
                {b.seconds_left !== null && ` It takes ${hours(b.seconds_left / 3600)} more at the pace of late.`}
              </Text>
              <Progress value={b.total > 0 ? (100 * b.done) / b.total : 100} color="tide" aria-label="History that is read" />
            </>
          ) : (
            <Text size="sm">No history is read: only what came since the app was connected.</Text>
          )}
          {can('admin') && (
            <Group gap="xs">
              {b.from && (open > 0 || b.paused) && (
                <Button size="xs" variant="default" loading={busy} leftSection={<Icon name={b.paused ? 'play' : 'pause'} size={15} />} onClick={() => void pause(!b.paused)}>
                  {b.paused ? 'Read the history again' : 'Pause the history'}
                </Button>
              )}
              <Button size="xs" variant="default" onClick={() => setChoosing(!choosing)} aria-expanded={choosing}>
                Read further back, or less
              </Button>
            </Group>
          )}
          {choosing && <Since connection={c} onDone={() => setChoosing(false)} />}
        </Stack>
      )}
    </Panel>
  );
}

function Since({ connection: c, onDone }: { connection: Connection; onDone: () => void }) {
  const queries = useQueryClient();
  const [date, setDate] = useState(dayOf(c.backfill_from));
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const wrong = Number.isNaN(Date.parse(date)) ? 'Give a day.' : date > today() ? 'Give a day that has been.' : undefined;
  const from = wrong ? null : `${date}T00:00:00Z`;
  const changed = date !== dayOf(c.backfill_from);
  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await api.PATCH('/api/v1/connections/{id}', { params: { path: { id: c.id } }, body: { backfill_from: from } });
      done(`History is read back to ${date}, from the next scan on.`);
      onDone();
      await queries.invalidateQueries();
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };
  return (
    <form
      noValidate
      aria-label="How far back"
      onSubmit={(e) => {
        e.preventDefault();
        if (!wrong) void save();
      }}
    >
      <Stack gap="sm">
        <TextInput type="date" label="Read back to" description="A later day stops there; what was read stays." value={date} max={today()} error={wrong} onChange={(e) => setDate(e.currentTarget.value)} maw={240} />
        {from && changed && <Estimate about={[c.id, from]} body={{ connection_id: c.id, backfill_from: from }} />}
        {error !== undefined && <Refused error={error} title="It was not changed" shown={/^body\.backfill_from\b/} />}
        <Group gap="xs">
          <Button type="submit" size="xs" loading={busy} disabled={Boolean(wrong) || !changed}>
            Save
          </Button>
          <Button size="xs" variant="default" onClick={onDone}>
            Cancel
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
