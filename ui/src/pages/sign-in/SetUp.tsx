import { Button, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api } from '../../api/client';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { refreshSession } from '../../session';
import { Front } from './Front';
import { passwordProblem, takeToken } from './link';

/** SetUp makes the first admin, with the token that the server printed at its start. */
export function SetUp() {
  const [token] = useState(takeToken);
  const setup = $api.useQuery('get', '/api/v1/setup');
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({
    initialValues: { token, name: '', email: '', password: '' },
    validate: {
      token: (v) => (v.trim() ? null : 'Copy the token that the server printed when it started.'),
      name: (v) => (v.trim() ? null : 'Give your name.'),
      email: (v) => (/^\S+@\S+$/.test(v.trim()) ? null : 'Give an e-mail address.'),
      password: passwordProblem,
    },
  });
  if (setup.isPending) return <Front title="Set up Outband"><Rows n={4} /></Front>;
  if (setup.error) {
    return (
      <Front title="Set up Outband">
        <ProblemAlert error={setup.error} onRetry={() => void setup.refetch()} />
      </Front>
    );
  }
  if (!setup.data.needed) {
    return (
      <Front title="Set up Outband">
        <EmptyState icon="check" title="This is done" action={<Button component={Link} to="/sign-in">Sign in</Button>}>
          Outband has its first admin already. An admin invites others on the page Users.
        </EmptyState>
      </Front>
    );
  }
  const submit = form.onSubmit(async (v) => {
    setBusy(true);
    try {
      await api.POST('/api/v1/setup', { body: { token: v.token.trim(), name: v.name.trim(), email: v.email.trim(), password: v.password } });
      await refreshSession(queries);
      await navigate({ to: '/', replace: true });
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  });
  return (
    <Front title="Set up Outband" about="The first admin connects apps, invites others and sees everything. There is no default password.">
      <form onSubmit={submit} noValidate>
        <Stack>
          {error !== undefined && <ProblemAlert error={error} />}
          {!token && (
            <TextInput
              label="Set-up token"
              description="outband serve prints it when it starts without a user; it shows that you own the machine."
              autoComplete="off"
              spellCheck={false}
              {...form.getInputProps('token')}
            />
          )}
          <TextInput label="Your name" autoComplete="name" autoFocus {...form.getInputProps('name')} />
          <TextInput label="E-mail" type="email" autoComplete="username" {...form.getInputProps('email')} />
          <PasswordInput label="Password" description="At least 12 characters." autoComplete="new-password" {...form.getInputProps('password')} />
          <Button type="submit" loading={busy} fullWidth>
            Make the first admin
          </Button>
        </Stack>
      </form>
    </Front>
  );
}
