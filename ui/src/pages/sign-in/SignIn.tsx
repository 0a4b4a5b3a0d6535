import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';

import { api, problemOf } from '../../api/client';
import { ProblemAlert } from '../../parts/states';
import { refreshSession } from '../../session';
import { Front } from './Front';
import { passwordProblem, takeToken } from './link';

/** SignIn takes a password, or a one-time link: of the demo, or of an invitation, which asks for a new password. */
export function SignIn() {
  const { next } = useSearch({ from: '/sign-in' });
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [token] = useState(takeToken);
  const [invited, setInvited] = useState(false);
  const [opening, setOpening] = useState(token !== '');
  const [error, setError] = useState<unknown>();
  const tried = useRef(false);

  const enter = async () => {
    await refreshSession(queries);
    await navigate({ href: next ?? '/', replace: true });
  };

  useEffect(() => {
    if (!token || tried.current) return;
    tried.current = true;
    api
      .POST('/api/v1/session/link', { body: { token } })
      .then(enter)
      .catch((e: unknown) => {
        if (problemOf(e).code === passwordNeeded) setInvited(true);
        else setError(e);
        setOpening(false);
      });
  });

  if (opening) return <Front title="Signing in…">{null}</Front>;
  if (invited) return <Invitation token={token} onDone={enter} />;
  return (
    <Front title="Sign in">
      <PasswordForm error={error} onDone={enter} />
    </Front>
  );
}

/** The code of a link that is good and asks for a password. */
const passwordNeeded = 'OB-4027';

function PasswordForm({ error: first, onDone }: { error: unknown; onDone: () => Promise<void> }) {
  const [error, setError] = useState(first);
  const [busy, setBusy] = useState(false);
  const form = useForm({
    initialValues: { email: '', password: '' },
    validate: { email: (v) => (v.trim() ? null : 'Give your e-mail address.'), password: (v) => (v ? null : 'Give your password.') },
  });
  const submit = form.onSubmit(async (body) => {
    setBusy(true);
    try {
      await api.POST('/api/v1/session', { body: { email: body.email.trim(), password: body.password } });
      await onDone();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  });
  return (
    <form onSubmit={submit} noValidate>
      <Stack>
        {error !== undefined && <ProblemAlert error={error} title="You are not signed in" />}
        <TextInput label="E-mail" type="email" autoComplete="username" autoFocus {...form.getInputProps('email')} />
        <PasswordInput label="Password" autoComplete="current-password" {...form.getInputProps('password')} />
        <Button type="submit" loading={busy} fullWidth>
          Sign in
        </Button>
        <Text size="xs" c="dimmed">
          Forgotten? An admin makes a new link on the page Users. Whoever owns the machine can run <code>outband users link</code>.
        </Text>
      </Stack>
    </form>
  );
}

function Invitation({ token, onDone }: { token: string; onDone: () => Promise<void> }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({ initialValues: { password: '' }, validate: { password: passwordProblem } });
  const submit = form.onSubmit(async ({ password }) => {
    setBusy(true);
    try {
      await api.POST('/api/v1/session/link', { body: { token, password } });
      await onDone();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  });
  return (
    <Front title="Choose a password" about="The link that you opened works once. With the password you sign in from now on.">
      <form onSubmit={submit} noValidate>
        <Stack>
          {error !== undefined && <ProblemAlert error={error} />}
          <PasswordInput label="New password" description="At least 12 characters." autoComplete="new-password" autoFocus {...form.getInputProps('password')} />
          <Button type="submit" loading={busy} fullWidth>
            Save and sign in
          </Button>
        </Stack>
      </form>
    </Front>
  );
}
