import { Button, Group, Modal, SegmentedControl, Select, Stack, Table, Text, Textarea } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag, words, type Tone } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { useNames } from '../findings/data';
import ExceptionDialog from './ExceptionDialog';
import { ends, promises, scopeOf } from './list';
import { Sections } from './Sections';

type Exception = Schemas['Exception'];

const tone: Record<Exception['state'], Tone> = { active: 'good', expired: 'medium', revoked: 'info' };

type Filter = 'active' | 'soon' | 'expired' | 'revoked';

/** Exceptions lists what policies are told to leave alone, with owner, reason and end, the one that ends first at the top. */
export function Exceptions() {
  const can = useCan();
  const { names } = useNames();
  const [filter, setFilter] = useState<Filter>('active');
  const [making, setMaking] = useState(false);
  const [extending, setExtending] = useState<Exception>();
  const queries = useQueryClient();
  const query = filter === 'soon' ? { expires_within: '14d', limit: 500 } : { state: [filter], limit: 500 };
  const list = $api.useQuery('get', '/api/v1/exceptions', { params: { query } }, { enabled: can('evidence') });
  const counts = list.data?.counts;
  const reload = () => queries.invalidateQueries({ queryKey: ['get', '/api/v1/exceptions'] });
  const revoke = async (e: Exception) => {
    try {
      await api.POST('/api/v1/exceptions/{id}/revoke', { params: { path: { id: e.id } } });
      done('The exception has ended. What it covered is found again when it changes or is read again.');
    } catch (err) {
      failed(err);
    }
    await reload();
  };
  const label = (name: string, n?: number) => (n === undefined ? name : `${name} (${n.toLocaleString('en')})`);
  return (
    <Page
      title="Exceptions"
      about="What a policy is told to leave alone: with an owner, a reason and an end. Everything that is left alone is counted."
      actions={
        can('policies') && (
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setMaking(true)}>
            Make an exception
          </Button>
        )
      }
    >
      <Sections of="policies" />
      {!can('evidence') && <Text>Your role does not show exceptions. Analysts, responders, authors, admins and auditors may see them.</Text>}
      {can('evidence') && (
        <>
          <div style={{ overflowX: 'auto' }}>
            <SegmentedControl
              aria-label="Which exceptions"
              value={filter}
              onChange={(v) => setFilter(v as Filter)}
              data={[
                { value: 'active', label: label('Active', counts?.active) },
                { value: 'soon', label: label('End in 14 days', counts?.expiring_soon) },
                { value: 'expired', label: label('Expired', counts?.expired) },
                { value: 'revoked', label: label('Revoked', counts?.revoked) },
              ]}
            />
          </div>
          {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
          <section className="ob-surface" style={{ overflowX: 'auto' }} tabIndex={0} role="region" aria-label="Exceptions">
            {list.isPending ? (
              <Rows n={3} />
            ) : list.data?.items.length === 0 ? (
              <EmptyState icon="policies" title={filter === 'soon' ? 'No exception ends soon' : `No ${filter} exception`}>
                {filter === 'active' && 'An exception keeps a policy from making findings of what is known and accepted. Make one here, or out of a finding.'}
              </EmptyState>
            ) : (
              <Table verticalSpacing="sm" miw={900}>
                <Table.Thead>
                  <Table.Tr>
                    <Table.Th>Policy and scope</Table.Th>
                    <Table.Th>Owner and reason</Table.Th>
                    <Table.Th>Ends</Table.Th>
                    <Table.Th ta="right">Left alone</Table.Th>
                    <Table.Th aria-label="Actions" />
                  </Table.Tr>
                </Table.Thead>
                <Table.Tbody>
                  {list.data?.items.map((e) => (
                    <Table.Tr key={e.id} data-exception={e.id}>
                      <Table.Td maw={340}>
                        <Link to="/findings" search={{ policy_id: [e.policy_id] }}>
                          {names.policy.get(e.policy_id) ?? e.policy_id}
                        </Link>
                        {scopeOf(e, (id) => names.connection.get(id) ?? id).map((line) => (
                          <Text key={line} size="sm" className="ob-break">
                            {line}
                          </Text>
                        ))}
                      </Table.Td>
                      <Table.Td maw={300}>
                        <Text size="sm" fw={600}>
                          {e.owner.name || e.owner.id}
                        </Text>
                        <Text size="sm" className="ob-break">
                          {e.reason}
                        </Text>
                      </Table.Td>
                      <Table.Td>
                        <Group gap={6}>
                          <Tag tone={e.expires_soon ? 'medium' : tone[e.state]}>{e.expires_soon ? 'Ends soon' : words(e.state)}</Tag>
                          <Text size="sm">
                            <When at={e.state === 'revoked' ? e.revoked_at : e.expires_at} />
                          </Text>
                        </Group>
                      </Table.Td>
                      <Table.Td ta="right" className="ob-number">
                        {e.suppressed.toLocaleString('en')}
                        {e.last_suppressed_at && (
                          <Text size="xs" c="dimmed">
                            last <When at={e.last_suppressed_at} />
                          </Text>
                        )}
                      </Table.Td>
                      <Table.Td>
                        {can('policies') && e.state !== 'revoked' && (
                          <Group gap={6} justify="flex-end" wrap="nowrap">
                            <Button size="compact-xs" variant="default" onClick={() => setExtending(e)}>
                              Extend
                            </Button>
                            <Button size="compact-xs" variant="default" onClick={() => void revoke(e)}>
                              Revoke
                            </Button>
                          </Group>
                        )}
                      </Table.Td>
                    </Table.Tr>
                  ))}
                </Table.Tbody>
              </Table>
            )}
          </section>
        </>
      )}
      {making && <ExceptionDialog onClose={() => setMaking(false)} />}
      {extending && <Extend exception={extending} onClose={() => setExtending(undefined)} onDone={reload} />}
    </Page>
  );
}

function Extend({ exception: e, onClose, onDone }: { exception: Exception; onClose: () => void; onDone: () => Promise<void> }) {
  const [days, setDays] = useState('90');
  const [reason, setReason] = useState(e.reason);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const save = async () => {
    setBusy(true);
    try {
      await api.PATCH('/api/v1/exceptions/{id}', { params: { path: { id: e.id } }, body: { expires_at: ends(days, Date.now()), reason: reason.trim() } });
      done('The exception is extended.');
      await onDone();
      onClose();
    } catch (err) {
      setError(err);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title="Extend the exception">
      <form
        onSubmit={(ev) => {
          ev.preventDefault();
          void save();
        }}
      >
        <Stack>
          <Select label="Ends in" allowDeselect={false} value={days} onChange={(d) => d && setDays(d)} data={promises} description="From now." />
          <Textarea label="Reason" required autosize minRows={2} value={reason} onChange={(ev) => setReason(ev.currentTarget.value)} />
          {error !== undefined && <ProblemAlert error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Extend
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
