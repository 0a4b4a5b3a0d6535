import { Button, Checkbox, Group, Modal, Radio, SegmentedControl, Select, Stack, Table, Text } from '@mantine/core';
import { keepPreviousData, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { done } from '../../parts/notify';
import { Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { utc, When } from '../../parts/when';
import { useCan } from '../../session';
import classes from '../connections/connections.module.css';
import { deliveryTone, type Delivery } from './state';

type Replay = Schemas['ReplayInputBody'];

const shown = 50;

/** Deliveries are the last events of a destination and what became of each, and lets them be sent again. */
export function Deliveries({ id }: { id: string }) {
  const can = useCan();
  const queries = useQueryClient();
  const [state, setState] = useState<'' | 'queued' | 'delivered' | 'parked'>('');
  const [picked, setPicked] = useState<string[]>([]);
  const [ranging, setRanging] = useState(false);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState('');
  const list = $api.useQuery('get', '/api/v1/destinations/{id}/deliveries', { params: { path: { id }, query: { limit: shown, state: state || undefined } } }, { refetchInterval: 5_000, placeholderData: keepPreviousData });
  const items = list.data?.items ?? [];
  const chosen = items.filter((x) => picked.includes(x.event_id)).map((x) => x.event_id);
  const admin = can('admin');

  const replay = async (what: string, body: Replay) => {
    setBusy(what);
    setError(undefined);
    try {
      const { data } = await api.POST('/api/v1/destinations/{id}/replay', { params: { path: { id } }, body });
      const n = data?.queued ?? 0;
      const events = `${n.toLocaleString('en')} ${n === 1 ? 'event is' : 'events are'}`;
      // A range counts what is in the log, before the filter.
      done(n === 0 ? 'There was nothing to send again.' : body.since_seq === undefined ? `${events} sent again, under the same ids.` : `${events} looked at again. What the filter selects is sent, under the same ids.`);
      setPicked([]);
      setRanging(false);
    } catch (e) {
      setError(e);
      setRanging(false);
    }
    await queries.invalidateQueries();
    setBusy('');
  };
  return (
    <Panel title="Last deliveries" pad={false}>
      <Group px="sm" pb="sm" gap="xs" justify="space-between">
        <SegmentedControl
          size="xs"
          aria-label="Which deliveries"
          value={state}
          onChange={(v) => {
            setState(v as typeof state);
            setPicked([]);
          }}
          data={[
            { value: '', label: 'All' },
            { value: 'delivered', label: 'Delivered' },
            { value: 'queued', label: 'Queued' },
            { value: 'parked', label: 'Parked' },
          ]}
        />
        {admin && (
          <Group gap="xs">
            {chosen.length > 0 && (
              <Button size="xs" loading={busy === 'chosen'} onClick={() => void replay('chosen', { event_ids: chosen })}>
                Send the {chosen.length === 1 ? 'selected one' : `${chosen.length} selected`} again
              </Button>
            )}
            <Button size="xs" variant="default" loading={busy === 'parked'} onClick={() => void replay('parked', { parked: true })}>
              Send all parked again
            </Button>
            <Button size="xs" variant="default" onClick={() => setRanging(true)}>
              Send a range again…
            </Button>
          </Group>
        )}
      </Group>
      {error !== undefined && <ProblemAlert error={error} title="Nothing was sent again" />}
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending ? (
        <Rows n={5} />
      ) : items.length === 0 && !list.error ? (
        <EmptyState icon="destinations" title={state === '' ? 'Nothing was sent yet' : `None is ${state}`}>
          {state === 'parked' ? 'An event is parked when it was given up after 72 hours of tries, or when the receiver refused it for good.' : state === 'queued' ? 'Everything that was due has been sent.' : 'The next change of a finding that fits is sent at once.'}
        </EmptyState>
      ) : (
        <div className={classes.tall} tabIndex={0} role="region" aria-label="The last deliveries">
          <Table miw={1000} verticalSpacing="xs" stickyHeader>
            <Table.Thead>
              <Table.Tr>
                {admin && (
                  <Table.Th w={40}>
                    <Checkbox
                      size="xs"
                      aria-label="Select all that are shown"
                      checked={chosen.length === items.length}
                      indeterminate={chosen.length > 0 && chosen.length < items.length}
                      onChange={(e) => setPicked(e.currentTarget.checked ? items.map((x) => x.event_id) : [])}
                    />
                  </Table.Th>
                )}
                <Table.Th>Event</Table.Th>
                <Table.Th>Finding</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th ta="right">Tries</Table.Th>
                <Table.Th ta="right">Status</Table.Th>
                <Table.Th>Queued</Table.Th>
                <Table.Th>Delivered</Table.Th>
                {admin && (
                  <Table.Th>
                    <span className="ob-skip">Actions</span>
                  </Table.Th>
                )}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {items.map((x) => (
                <Row
                  key={x.event_id}
                  delivery={x}
                  admin={admin}
                  busy={busy === x.event_id}
                  picked={picked.includes(x.event_id)}
                  onPick={(on) => setPicked(on ? [...picked, x.event_id] : picked.filter((y) => y !== x.event_id))}
                  onReplay={() => void replay(x.event_id, { event_ids: [x.event_id] })}
                />
              ))}
            </Table.Tbody>
          </Table>
          {list.data?.next_cursor && (
            <Text size="xs" c="dimmed" p="sm">
              The last {shown} are shown. A finding shows all of its own.
            </Text>
          )}
        </div>
      )}
      <Modal opened={ranging} onClose={() => setRanging(false)} title="Send a range again">
        {ranging && <Range id={id} busy={busy === 'range'} onCancel={() => setRanging(false)} onReplay={(since) => void replay('range', { since_seq: since })} />}
      </Modal>
    </Panel>
  );
}

function Row({ delivery: x, admin, busy, picked, onPick, onReplay }: { delivery: Delivery; admin: boolean; busy: boolean; picked: boolean; onPick: (on: boolean) => void; onReplay: () => void }) {
  return (
    <Table.Tr data-event={x.event_id} data-state={x.state}>
      {admin && (
        <Table.Td>
          <Checkbox size="xs" aria-label={`Select ${x.event_id}`} checked={picked} onChange={(e) => onPick(e.currentTarget.checked)} />
        </Table.Td>
      )}
      <Table.Td>
        {words(x.type.replace(/^finding\./, ''))}
        <Text size="xs" c="dimmed" className={classes.one}>
          {x.event_id}
        </Text>
      </Table.Td>
      <Table.Td>
        <Link to="/findings" search={{ open: x.finding_id }} className={classes.crumb} aria-label={`Open the finding ${x.finding_id}`}>
          Open
        </Link>
      </Table.Td>
      <Table.Td maw={320}>
        <Tag tone={deliveryTone[x.state] ?? 'info'} dot>
          {words(x.state)}
        </Tag>
        {x.reason && (
          <Text size="xs" className="ob-break" mt={4}>
            {x.reason}
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right" className="ob-number">
        {x.tries}
      </Table.Td>
      <Table.Td ta="right" className="ob-number">
        {x.status || '–'}
      </Table.Td>
      <Table.Td className={classes.one}>
        <When at={x.created_at} />
      </Table.Td>
      <Table.Td className={classes.one}>
        {x.delivered_at ? (
          <When at={x.delivered_at} />
        ) : x.next_try_at ? (
          <>
            Next try <When at={x.next_try_at} />
          </>
        ) : (
          '–'
        )}
      </Table.Td>
      {admin && (
        <Table.Td ta="right">
          <Button size="compact-xs" variant="default" loading={busy} leftSection={<Icon name="refresh" size={13} />} onClick={onReplay} aria-label={`Send ${x.event_id} again`}>
            Again
          </Button>
        </Table.Td>
      )}
    </Table.Tr>
  );
}

/** Range asks from which event on the log is sent again. */
function Range({ id, busy, onCancel, onReplay }: { id: string; busy: boolean; onCancel: () => void; onReplay: (sinceSeq: number) => void }) {
  const list = $api.useQuery('get', '/api/v1/destinations/{id}/deliveries', { params: { path: { id }, query: { limit: 500 } } });
  const [from, setFrom] = useState('some');
  const [seq, setSeq] = useState<string | null>(null);
  const events = list.data?.items ?? [];
  const ready = from === 'all' || seq !== null;
  return (
    <form
      noValidate
      aria-label="Send a range again"
      onSubmit={(e) => {
        e.preventDefault();
        // The log is read after this number, and the chosen event is meant too.
        if (ready) onReplay(from === 'all' ? 0 : Number(seq) - 1);
      }}
    >
      <Stack>
        <Text size="sm">Every event from there to now that the filter selects is sent again, under the same ids, so that a receiver that drops what it has seen takes only what it lacks.</Text>
        {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
        <Radio.Group value={from} onChange={setFrom} label="From">
          <Stack gap="xs" mt={6}>
            <Radio value="some" label="One of the last events" />
            <Radio value="all" label="The first one of all" />
          </Stack>
        </Radio.Group>
        {from === 'some' && (
          <Select
            label="From this event on"
            searchable
            value={seq}
            onChange={setSeq}
            limit={100}
            nothingFoundMessage="None is like this."
            data={[...new Map(events.map((x) => [String(x.seq), `${utc(new Date(x.created_at))} · ${words(x.type.replace(/^finding\./, ''))} · ${x.event_id}`]))].map(([value, label]) => ({ value, label }))}
          />
        )}
        <Group justify="flex-end">
          <Button variant="default" onClick={onCancel}>
            Cancel
          </Button>
          <Button type="submit" loading={busy} disabled={!ready}>
            Send again
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
