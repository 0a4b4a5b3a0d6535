import { Button, Group, Input, PasswordInput, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { api, problemOf, type Schemas } from '../../api/client';
import { Refused } from '../../parts/form/Refused';
import { webAddress } from '../../parts/form/schema';
import { done } from '../../parts/notify';
import { useCan } from '../../session';
import { KeyChoice } from './SigningKey';
import { filters, keyProblem, type Destination } from './state';
import { Preview, TestResult } from './Tries';

interface Props {
  /** What is changed; undefined makes a new one. Its key is replaced elsewhere. */
  destination?: Destination;
  onCancel?: () => void;
  onDone: (d: Schemas['NewDestination']) => void;
}

/** DestinationForm makes a webhook or changes one. A test event and a preview need nothing to be saved. */
export function DestinationForm({ destination: d, onCancel, onDone }: Props) {
  const can = useCan();
  const queries = useQueryClient();
  const [name, setName] = useState(d?.name ?? '');
  const [url, setURL] = useState(d?.config.url ?? '');
  const [filter, setFilter] = useState(d?.filter ?? '');
  const [how, setHow] = useState('made');
  const [key, setKey] = useState('');
  const [asked, setAsked] = useState(false);
  const [error, setError] = useState<{ what: string; cause: unknown }>();
  const [test, setTest] = useState<Schemas['DestinationTest']>();
  const [preview, setPreview] = useState<Schemas['Preview']>();
  const [busy, setBusy] = useState('');

  const given = !d && how === 'given';
  const config = { ...d?.config, url: url.trim() };
  const secrets = given ? { signing_key: key.trim() } : undefined;
  // What a try showed holds for what was tried: any change discards it.
  const changed = () => {
    setError(undefined);
    setTest(undefined);
    setPreview(undefined);
  };
  const own = {
    name: name.trim() ? undefined : 'Give a name.',
    url: webAddress(url.trim()) ? undefined : 'Give a whole address, such as https://siem.example.com/outband.',
    key: given ? keyProblem(key.trim()) : undefined,
  };
  const run = async (what: string, needed: (keyof typeof own)[], f: () => Promise<void>) => {
    setAsked(true);
    changed();
    if (needed.some((k) => own[k])) return;
    setBusy(what);
    try {
      await f();
    } catch (cause) {
      setError({ what, cause });
    }
    setBusy('');
  };
  const save = () =>
    run('save', ['name', 'url', 'key'], async () => {
      const body = { name: name.trim(), config, filter: filter.trim() };
      const { data } = d ? await api.PATCH('/api/v1/destinations/{id}', { params: { path: { id: d.id } }, body }) : await api.POST('/api/v1/destinations', { body: { ...body, secrets } });
      done(d ? 'The destination is saved.' : 'The destination is added.');
      setKey('');
      await queries.invalidateQueries();
      if (data) onDone(data);
    });
  const send = () =>
    run('test', ['url', 'key'], async () => {
      const { data } = await api.POST('/api/v1/destinations/test', { body: { id: d?.id, config, secrets } });
      setTest(data);
    });
  const show = () =>
    run('preview', ['url'], async () => {
      const { data } = await api.POST('/api/v1/destinations/preview', { body: { config, filter: filter.trim() } });
      setPreview(data);
    });
  const fields = error ? (problemOf(error.cause).errors ?? []) : [];
  const at = (where: string) => fields.find((e) => e.location === where)?.message;
  const wrongKey = at('body.secrets.signing_key') ?? (asked ? own.key : undefined);
  const dirty = !d || name.trim() !== d.name || url.trim() !== d.config.url || filter.trim() !== d.filter;
  const titles: Record<string, string> = { save: 'It was not saved', test: 'The test event was not sent', preview: 'There is no preview' };
  return (
    <form
      noValidate
      autoComplete="off"
      aria-label="Destination"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <Stack>
        <TextInput
          label="Name"
          value={name}
          maxLength={120}
          required
          withAsterisk
          error={at('body.name') ?? (asked ? own.name : undefined)}
          onChange={(e) => {
            setName(e.currentTarget.value);
            setError(undefined);
          }}
        />
        <TextInput
          label="Address"
          description="It gets a POST for each change of a finding. A private network must be in egress.allow of Outband's settings."
          placeholder="https://siem.example.com/outband"
          value={url}
          inputMode="url"
          spellCheck={false}
          required
          withAsterisk
          error={at('body.config.url') ?? (asked ? own.url : undefined)}
          onChange={(e) => {
            setURL(e.currentTarget.value);
            changed();
          }}
        />
        <div>
          <TextInput
            label="Only these findings"
            description="Empty: all. Fields are severity, status, kind, source, policy_id, connection_id, connector, detector, resource_kind and actor. All must hold; of several values, one."
            value={filter}
            maxLength={4096}
            spellCheck={false}
            error={at('body.filter')}
            onChange={(e) => {
              setFilter(e.currentTarget.value);
              changed();
            }}
          />
          <Group gap={6} mt={8} role="group" aria-label="Examples of filters">
            <Text size="xs" c="dimmed">
              Examples:
            </Text>
            {filters.map((f) => (
              <Button
                key={f}
                size="compact-xs"
                variant="default"
                ff="monospace"
                fw={400}
                onClick={() => {
                  setFilter(f);
                  changed();
                }}
              >
                {f}
              </Button>
            ))}
          </Group>
        </div>
        {!d && (
          <Stack gap="xs">
            <Input.Wrapper label="Signing key" description="The receiver verifies with it that a call comes from here. One that is made is shown once, after it is saved." labelElement="div">
              <div style={{ marginTop: 6 }}>
                <KeyChoice
                  how={how}
                  onHow={(h) => {
                    setHow(h);
                    changed();
                  }}
                />
              </div>
            </Input.Wrapper>
            {given && (
              <PasswordInput
                label="Your signing key"
                description="whsec_ and the base64 of 24 to 64 bytes"
                value={key}
                autoComplete="new-password"
                required
                withAsterisk
                error={wrongKey}
                aria-invalid={wrongKey ? true : undefined}
                onChange={(e) => {
                  setKey(e.currentTarget.value);
                  changed();
                }}
              />
            )}
          </Stack>
        )}
        {error && <Refused error={error.cause} title={titles[error.what]!} shown={given ? /^body\.(name|config\.url|filter|secrets\.signing_key)$/ : /^body\.(name|config\.url|filter)$/} />}
        {test && <TestResult test={test} />}
        {preview && <Preview preview={preview} />}
        <Group justify="space-between">
          <Group gap="xs">
            <Button variant="default" onClick={() => void send()} loading={busy === 'test'}>
              Send a test event
            </Button>
            {can('evidence') && (
              <Button variant="default" onClick={() => void show()} loading={busy === 'preview'}>
                Preview the call
              </Button>
            )}
          </Group>
          <Group gap="xs" ml="auto">
            {onCancel && (
              <Button variant="default" onClick={onCancel}>
                Cancel
              </Button>
            )}
            <Button type="submit" loading={busy === 'save'} disabled={!dirty}>
              {d ? 'Save' : 'Add the destination'}
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
