import { Button, Group, List, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { done } from '../../parts/notify';
import { Panel } from '../../parts/page';
import { ProblemAlert } from '../../parts/states';

/** Remove removes the connection, after its name was typed. */
export function Remove({ connection: c }: { connection: Schemas['Connection'] }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const [typed, setTyped] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const close = () => {
    setAsking(false);
    setTyped('');
    setError(undefined);
  };
  const remove = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await api.DELETE('/api/v1/connections/{id}', { params: { path: { id: c.id } } });
      done(`${c.name} is removed. Its findings stay.`);
      await navigate({ to: '/connections' });
      await queries.invalidateQueries();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Panel title="Remove">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Text size="sm">The key, the schedule and the record of what was read go. Findings stay.</Text>
        <Button color="red" variant="outline" onClick={() => setAsking(true)} style={{ flex: 'none', color: 'var(--mantine-color-error)', borderColor: 'var(--mantine-color-error)' }}>
          Remove…
        </Button>
      </Group>
      <Modal opened={asking} onClose={close} title={`Remove ${c.name}?`}>
        <form
          noValidate
          aria-label="Remove the connection"
          onSubmit={(e) => {
            e.preventDefault();
            if (typed.trim() === c.name) void remove();
          }}
        >
          <Stack>
            <Text size="sm" fw={600}>
              What goes
            </Text>
            <List size="sm">
              <List.Item>The stored key. It stays valid at the vendor until you revoke it there.</List.Item>
              <List.Item>The schedule, and a scan that runs now.</List.Item>
              <List.Item>The record of what was read: places, counts, activities and gaps.</List.Item>
            </List>
            <Text size="sm" fw={600}>
              What stays
            </Text>
            <List size="sm">
              <List.Item>Its findings with their evidence and history, marked as of an unknown source.</List.Item>
              <List.Item>The audit log.</List.Item>
            </List>
            <Text size="sm">Connecting the same organisation again takes the findings up and reads its history anew.</Text>
            <TextInput label={`Type the name of the connection: ${c.name}`} value={typed} onChange={(e) => setTyped(e.currentTarget.value)} autoComplete="off" data-autofocus />
            {error !== undefined && <ProblemAlert error={error} title="It was not removed" />}
            <Group justify="flex-end">
              <Button variant="default" onClick={close}>
                Keep it
              </Button>
              <Button type="submit" color="red" disabled={typed.trim() !== c.name} loading={busy}>
                Remove
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </Panel>
  );
}
