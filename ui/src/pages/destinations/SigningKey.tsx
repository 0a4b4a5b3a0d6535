import { Anchor, Button, Code, Group, PasswordInput, SegmentedControl, Stack, Tabs, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { Copyable } from '../../parts/copy';
import { Icon } from '../../parts/icons';
import { done } from '../../parts/notify';
import { Panel } from '../../parts/page';
import { ProblemAlert } from '../../parts/states';
import { When } from '../../parts/when';
import { keyProblem, makeKey, snippets, type Destination } from './state';
import { TestResult } from './Tries';

/** KeyShown shows a key the only time that it is shown, and how a receiver verifies with it. */
export function KeyShown({ value }: { value: string }) {
  return (
    <Stack gap="sm">
      <Copyable value={value} label="Copy the signing key" block />
      <Verify />
    </Stack>
  );
}

/** Verify shows how a receiver checks that a call comes from here. */
export function Verify() {
  return (
    <div>
      <Text size="sm" mb={6}>
        The receiver verifies each call with the signing key, before it reads the body:
      </Text>
      <Tabs defaultValue="node" keepMounted={false}>
        <Tabs.List aria-label="Languages">
          {snippets.map((s) => (
            <Tabs.Tab key={s.id} value={s.id}>
              {s.label}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {snippets.map((s) => (
          <Tabs.Panel key={s.id} value={s.id} pt="xs">
            <Code block tabIndex={0} style={{ overflowX: 'auto' }} aria-label={`How to verify in ${s.label}`} role="region">
              {s.code}
            </Code>
          </Tabs.Panel>
        ))}
      </Tabs>
      <Text size="xs" c="dimmed" mt="xs">
        Signatures follow{' '}
        <Anchor href="https://www.standardwebhooks.com/" target="_blank" rel="noreferrer noopener" size="xs" c="var(--ob-link)" underline="always">
          Standard Webhooks
        </Anchor>
        , which has libraries for more languages. Events come at least once: drop those whose webhook-id you have seen.
      </Text>
    </div>
  );
}

/** Rotate replaces the signing key. The receiver must know the new one first, so it is shown, and can be tried, before it is used. */
export function Rotate({ destination: d }: { destination: Destination }) {
  const [editing, setEditing] = useState(false);
  const key = d.secrets.signing_key;
  return (
    <Panel
      title="Signing key"
      right={
        !editing && (
          <Button size="xs" variant="default" leftSection={<Icon name="key" size={15} />} onClick={() => setEditing(true)}>
            Replace the signing key
          </Button>
        )
      }
    >
      <Stack gap="sm">
        <Text size="sm">
          {key?.set ? (
            <>
              Stored encrypted <When at={key.rotated_at} />, never shown again.
            </>
          ) : (
            'No key is stored.'
          )}
        </Text>
        {editing ? <RotateForm destination={d} onClose={() => setEditing(false)} /> : <Verify />}
      </Stack>
    </Panel>
  );
}

function RotateForm({ destination: d, onClose }: { destination: Destination; onClose: () => void }) {
  const queries = useQueryClient();
  const [how, setHow] = useState('made');
  const [made] = useState(makeKey);
  const [given, setGiven] = useState('');
  const [test, setTest] = useState<Schemas['DestinationTest']>();
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState('');
  const key = how === 'made' ? made : given.trim();
  const wrong = keyProblem(key);
  const run = async (what: string, f: () => Promise<void>) => {
    setBusy(what);
    setError(undefined);
    try {
      await f();
    } catch (e) {
      setError(e);
    }
    setBusy('');
  };
  const send = () =>
    run('test', async () => {
      setTest(undefined);
      const { data } = await api.POST('/api/v1/destinations/test', { body: { id: d.id, config: d.config, secrets: { signing_key: key } } });
      setTest(data);
    });
  const use = () =>
    run('use', async () => {
      await api.PATCH('/api/v1/destinations/{id}', { params: { path: { id: d.id } }, body: { secrets: { signing_key: key } } });
      done('Events are signed with the new key.');
      onClose();
      await queries.invalidateQueries();
    });
  return (
    <form
      noValidate
      autoComplete="off"
      aria-label="Replace the signing key"
      onSubmit={(e) => {
        e.preventDefault();
        if (!wrong) void use();
      }}
    >
      <Stack gap="sm">
        <KeyChoice
          how={how}
          onHow={(h) => {
            setHow(h);
            setTest(undefined);
          }}
        />
        {how === 'made' ? (
          <div>
            <Text size="sm" mb={6}>
              Give this key to the receiver, then use it. It is shown only now.
            </Text>
            <Copyable value={made} label="Copy the signing key" block />
          </div>
        ) : (
          <PasswordInput
            label="New signing key"
            description="whsec_ and the base64 of 24 to 64 bytes"
            value={given}
            autoComplete="new-password"
            error={given ? wrong : undefined}
            aria-invalid={given && wrong ? true : undefined}
            onChange={(e) => {
              setGiven(e.currentTarget.value);
              setTest(undefined);
            }}
          />
        )}
        {test && <TestResult test={test} />}
        {error !== undefined && <ProblemAlert error={error} title="The old key is still in use" />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button variant="default" onClick={() => void send()} loading={busy === 'test'} disabled={wrong !== undefined}>
            Send a test event with it
          </Button>
          <Button type="submit" loading={busy === 'use'} disabled={wrong !== undefined}>
            Use the new key
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** KeyChoice asks whether a signing key is to be made or is there. */
export function KeyChoice({ how, onHow }: { how: string; onHow: (how: string) => void }) {
  return (
    <SegmentedControl
      aria-label="Signing key"
      value={how}
      onChange={onHow}
      data={[
        { value: 'made', label: 'Make one' },
        { value: 'given', label: 'I have one' },
      ]}
      style={{ alignSelf: 'flex-start' }}
    />
  );
}
