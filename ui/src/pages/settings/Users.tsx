import { Alert, Button, Group, Modal, Select, Stack, Table, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Copyable } from '../../parts/copy';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan, useMe } from '../../session';
import { roles, rolesHelp } from './roles';

type User = Schemas['User'];

/** Users lists the people who may sign in; an admin invites, changes and disables them. */
export function Users() {
  const can = useCan();
  const me = useMe();
  const queries = useQueryClient();
  const list = $api.useQuery('get', '/api/v1/users', { params: { query: { limit: 500 } } });
  const [inviting, setInviting] = useState(false);
  const [link, setLink] = useState<{ email: string; url: string }>();
  const reload = () => queries.invalidateQueries({ queryKey: ['get', '/api/v1/users'] });

  const change = async (u: User, body: { role?: User['role']; disabled?: boolean }, what: string) => {
    try {
      await api.PATCH('/api/v1/users/{id}', { params: { path: { id: u.id } }, body });
      done(what);
    } catch (e) {
      failed(e);
    }
    await reload();
  };
  const newLink = async (u: User) => {
    try {
      const { data } = await api.POST('/api/v1/users/{id}/link', { params: { path: { id: u.id } } });
      if (data) setLink({ email: u.email, url: data.url });
    } catch (e) {
      failed(e);
    }
  };
  return (
    <Page
      title="Users"
      about="People who may sign in, and what their role lets them do."
      actions={
        can('admin') && (
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setInviting(true)}>
            Invite
          </Button>
        )
      }
    >
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <section className="ob-surface" style={{ overflowX: 'auto' }}>
        {list.isPending ? (
          <Rows n={3} />
        ) : (
          <Table verticalSpacing="sm" miw={720}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Name</Table.Th>
                <Table.Th>Role</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Signed in</Table.Th>
                <Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.data?.items.map((u) => {
                const self = u.id === me?.user?.id;
                return (
                  <Table.Tr key={u.id}>
                    <Table.Td>
                      <Text fw={600} size="sm">
                        {u.name} {self && <Text span c="dimmed">(you)</Text>}
                      </Text>
                      <Text size="xs" c="dimmed">
                        {u.email}
                      </Text>
                    </Table.Td>
                    <Table.Td>
                      {can('admin') && !self ? (
                        <Select
                          aria-label={`Role of ${u.name}`}
                          data={roles}
                          value={u.role}
                          allowDeselect={false}
                          size="xs"
                          w={130}
                          onChange={(role) => role && void change(u, { role: role as User['role'] }, `${u.name} is ${role} now. Their sessions have ended.`)}
                        />
                      ) : (
                        words(u.role)
                      )}
                    </Table.Td>
                    <Table.Td>{u.disabled ? <Tag tone="info">Disabled</Tag> : u.invited ? <Tag tone="medium">Invited</Tag> : <Tag tone="good">Active</Tag>}</Table.Td>
                    <Table.Td>
                      <When at={u.signed_in_at} empty="Never" />
                    </Table.Td>
                    <Table.Td>
                      {can('admin') && !self && (
                        <Group gap={6} justify="flex-end" wrap="nowrap">
                          <Button size="compact-xs" variant="default" onClick={() => void newLink(u)} disabled={u.disabled}>
                            New password link
                          </Button>
                          <Button
                            size="compact-xs"
                            variant="default"
                            onClick={() => void change(u, { disabled: !u.disabled }, u.disabled ? `${u.name} may sign in again.` : `${u.name} is disabled and signed out.`)}
                          >
                            {u.disabled ? 'Enable' : 'Disable'}
                          </Button>
                        </Group>
                      )}
                    </Table.Td>
                  </Table.Tr>
                );
              })}
            </Table.Tbody>
          </Table>
        )}
      </section>
      <section className="ob-surface" style={{ padding: 16 }}>
        <Text fw={600} mb="xs">
          What the roles may do
        </Text>
        <Table withRowBorders={false} verticalSpacing={3}>
          <Table.Tbody>
            {rolesHelp.map(([role, text]) => (
              <Table.Tr key={role}>
                <Table.Td w={120} fw={600}>
                  {words(role)}
                </Table.Td>
                <Table.Td>{text}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </section>
      {inviting && (
        <Invite
          onClose={() => setInviting(false)}
          onDone={(l) => {
            setInviting(false);
            setLink(l);
            void reload();
          }}
        />
      )}
      <Modal opened={link !== undefined} onClose={() => setLink(undefined)} title="One-time link" size="lg">
        <Stack>
          <Text size="sm">
            Give this link to <strong>{link?.email}</strong> by a way that you trust. It works once, for seven days, and is shown only now.
          </Text>
          {link && <Copyable value={link.url} label="Copy the link" block />}
        </Stack>
      </Modal>
    </Page>
  );
}

function Invite({ onClose, onDone }: { onClose: () => void; onDone: (link: { email: string; url: string }) => void }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({
    initialValues: { email: '', name: '', role: 'analyst' },
    validate: { email: (v) => (/^\S+@\S+$/.test(v.trim()) ? null : 'Give an e-mail address.'), name: (v) => (v.trim() ? null : 'Give a name.') },
  });
  const submit = form.onSubmit(async (v) => {
    setBusy(true);
    try {
      const { data } = await api.POST('/api/v1/users', { body: { email: v.email.trim(), name: v.name.trim(), role: v.role as User['role'] } });
      if (data) onDone({ email: data.email, url: data.url });
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  });
  return (
    <Modal opened onClose={onClose} title="Invite a person">
      <form onSubmit={submit} noValidate>
        <Stack>
          {error !== undefined && <ProblemAlert error={error} />}
          <TextInput label="E-mail" type="email" data-autofocus {...form.getInputProps('email')} />
          <TextInput label="Name" {...form.getInputProps('name')} />
          <Select label="Role" data={roles} allowDeselect={false} {...form.getInputProps('role')} />
          <Alert color="gray" variant="outline" icon={<Icon name="info" />}>
            Outband sends no mail: you get a link to pass on.
          </Alert>
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Make the invitation
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
