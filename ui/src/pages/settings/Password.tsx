import { Button, Group, PasswordInput, Stack, Text } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useState } from 'react';

import { api } from '../../api/client';
import { done } from '../../parts/notify';
import { ProblemAlert } from '../../parts/states';
import { useMe } from '../../session';
import { passwordProblem } from '../sign-in/link';

/** Password changes the signed-in person's own password. */
export function Password() {
  const me = useMe();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({ initialValues: { current: '', next: '' }, validate: { next: passwordProblem } });
  const submit = form.onSubmit(async (v) => {
    setBusy(true);
    setError(undefined);
    try {
      await api.POST('/api/v1/session/password', { body: { current: v.current, password: v.next } });
      form.reset();
      done('Your password is changed. Your other sessions have ended.');
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="sm">
        {error !== undefined && <ProblemAlert error={error} />}
        <input type="text" autoComplete="username" value={me?.user?.email ?? ''} readOnly hidden aria-hidden="true" tabIndex={-1} />
        <PasswordInput label="Present password" description="Empty if you came by a link and have none yet." autoComplete="current-password" {...form.getInputProps('current')} />
        <PasswordInput label="New password" description="At least 12 characters." autoComplete="new-password" {...form.getInputProps('next')} />
        <Group justify="space-between">
          <Text size="xs" c="dimmed">
            Your other sessions end.
          </Text>
          <Button type="submit" loading={busy}>
            Change it
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
