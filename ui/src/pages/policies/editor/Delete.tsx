import { Button, Group, Modal, Stack, Text, TextInput } from '@mantine/core';
import { useState } from 'react';

import { api } from '../../../api/client';
import { Panel } from '../../../parts/page';
import { ProblemAlert } from '../../../parts/states';

/** Delete retires a custom policy. */
export function Delete({ id, title, seen, onDeleted }: { id: string; title: string; seen: number; onDeleted: () => void }) {
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const remove = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await api.DELETE('/api/v1/policies/{id}', { params: { path: { id }, query: { expected_version: seen, reason: reason.trim() || undefined } } });
      onDeleted();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Panel title="Delete">
      <Group justify="space-between" wrap="nowrap" align="flex-start">
        <Text size="sm">It makes no more findings. Those that it made stay, and so do its versions.</Text>
        <Button color="red" variant="outline" onClick={() => setAsking(true)} style={{ flex: 'none', color: 'var(--mantine-color-error)', borderColor: 'var(--mantine-color-error)' }}>
          Delete…
        </Button>
      </Group>
      <Modal opened={asking} onClose={() => setAsking(false)} title={`Delete ${title}?`}>
        <form
          aria-label="Delete the policy"
          onSubmit={(e) => {
            e.preventDefault();
            void remove();
          }}
        >
          <Stack>
            <TextInput label="Why" maxLength={500} value={reason} onChange={(e) => setReason(e.currentTarget.value)} data-autofocus />
            {error !== undefined && <ProblemAlert error={error} title="It was not deleted" />}
            <Group justify="flex-end">
              <Button variant="default" onClick={() => setAsking(false)}>
                Keep it
              </Button>
              <Button type="submit" color="red" loading={busy}>
                Delete
              </Button>
            </Group>
          </Stack>
        </form>
      </Modal>
    </Panel>
  );
}
