import { Button, Group, Modal, Select, Stack, Table, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Copyable } from '../../parts/copy';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { roles } from './roles';

type Token = Schemas['Token'];

function state(t: Token): 'revoked' | 'expired' | 'active' {
  if (t.revoked_at) return 'revoked';
  if (t.expires_at && new Date(t.expires_at) < new Date()) return 'expired';
  return 'active';
}

/** Tokens lists the keys of programs that call Outband's API. */
export function Tokens() {
  const can = useCan();
  const queries = useQueryClient();
  const list = $api.useQuery('get', '/api/v1/tokens', { params: { query: { limit: 500 } } });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<string>();
  const [revoking, setRevoking] = useState<Token>();
  const reload = () => queries.invalidateQueries({ queryKey: ['get', '/api/v1/tokens'] });
  const revoke = async (t: Token) => {
    setRevoking(undefined);
    try {
      await api.DELETE('/api/v1/tokens/{id}', { params: { path: { id: t.id } } });
      done(`${t.name} is revoked.`);
    } catch (e) {
      failed(e);
    }
    await reload();
  };
  return (
    <Page
      title="API tokens"
      about="Keys of programs that call Outband's API. A token's text is shown once, when it is made."
      actions={
        can('admin') && (
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setMaking(true)}>
            Make a token
          </Button>
        )
      }
    >
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <section className="ob-surface" style={{ overflowX: 'auto' }}>
        {list.isPending ? (
          <Rows n={3} />
        ) : list.data?.items.length === 0 ? (
          <EmptyState icon="tokens" title="No token yet">
            A program, such as a SOAR playbook or a script, sends one as <code>Authorization: Bearer</code>.
          </EmptyState>
        ) : (
          <Table verticalSpacing="sm" miw={720}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Role</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Made</Table.Th>
                <Table.Th>Last used</Table.Th>
                <Table.Th>Expires</Table.Th>
                <Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.data?.items.map((t) => {
                const s = state(t);
                return (
                  <Table.Tr key={t.id}>
                    <Table.Td fw={600} className="ob-break">
                      {t.name}
                    </Table.Td>
                    <Table.Td>{words(t.role)}</Table.Td>
                    <Table.Td>
                      <Tag tone={s === 'active' ? 'good' : 'info'}>{words(s)}</Tag>
                    </Table.Td>
                    <Table.Td>
                      <When at={t.created_at} />
                    </Table.Td>
                    <Table.Td>
                      <When at={t.last_used_at} empty="Never" />
                    </Table.Td>
                    <Table.Td>
                      <When at={t.expires_at} empty="Never" />
                    </Table.Td>
                    <Table.Td ta="right">
                      {can('admin') && s === 'active' && (
                        <Button size="compact-xs" variant="default" onClick={() => setRevoking(t)}>
                          Revoke
                        </Button>
                      )}
                    </Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        )}
      </section>
      {making && (
        <Make
          onClose={() => setMaking(false)}
          onDone={(text) => {
            setMaking(false);
            setMade(text);
            void reload();
          }}
        />
      )}
      <Modal opened={made !== undefined} onClose={() => setMade(undefined)} title="The new token" size="lg">
        <Stack>
          <Text size="sm">Copy it now: it is stored as a hash and is never shown again.</Text>
          {made && <Copyable value={made} label="Copy the token" block />}
        </Stack>
      </Modal>
      <Modal opened={revoking !== undefined} onClose={() => setRevoking(undefined)} title="Revoke the token?">
        <Stack>
          <Text size="sm">
            The program that sends <strong>{revoking?.name}</strong> is refused from now on. This cannot be undone.
          </Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setRevoking(undefined)}>
              Keep it
            </Button>
            <Button color="red" onClick={() => revoking && void revoke(revoking)}>
              Revoke
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Page>
  );
}

const lifetimes = [
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'One year' },
];

function inDays(n: number): string {
  return new Date(Date.now() + n * 86_400_000).toISOString();
}

function Make({ onClose, onDone }: { onClose: () => void; onDone: (text: string) => void }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({ initialValues: { name: '', role: 'service', expires: '90' }, validate: { name: (v) => (v.trim() ? null : 'Name the program that will use it.') } });
  const submit = form.onSubmit(async (v) => {
    setBusy(true);
    try {
      const { data } = await api.POST('/api/v1/tokens', { body: { name: v.name.trim(), role: v.role as Schemas['CreateTokenInputBody']['role'], expires_at: inDays(Number(v.expires)) } });
      if (data) onDone(data.token);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  });
  return (
    <Modal opened onClose={onClose} title="Make a token">
      <form onSubmit={submit} noValidate>
        <Stack>
          {error !== undefined && <ProblemAlert error={error} />}
          <TextInput label="Name" description="The program that will use it." data-autofocus {...form.getInputProps('name')} />
          <Select label="Role" data={roles} allowDeselect={false} {...form.getInputProps('role')} />
          <Select label="Lifetime" data={lifetimes} allowDeselect={false} {...form.getInputProps('expires')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Make the token
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
