import { Button, Group, Select, Stack, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { api, problemOf, type Schemas } from '../../api/client';
import { changes, fieldsOf, initial, problems, type Errors } from '../../parts/form/schema';
import { Refused } from '../../parts/form/Refused';
import { SchemaForm } from '../../parts/form/SchemaForm';
import { done } from '../../parts/notify';
import { Panel } from '../../parts/page';
import { Rows } from '../../parts/states';
import { useConnector } from './Actions';
import { withSchedule } from './state';

type Connection = Schemas['Connection'];

/** Settings changes name, schedule and the app's settings. New settings are tested by the server, with the stored key, before they are stored. */
export function Settings({ connection: c }: { connection: Connection }) {
  const connector = useConnector(c.connector);
  return (
    <Panel title="Settings">
      {/* What was saved elsewhere is taken over, and nothing else takes away what is being typed. */}
      {connector ? <SettingsForm key={JSON.stringify([c.name, c.schedule, c.config])} connection={c} connector={connector} /> : <Rows n={3} />}
    </Panel>
  );
}

function SettingsForm({ connection: c, connector }: { connection: Connection; connector: Schemas['Connector'] }) {
  const queries = useQueryClient();
  const saved = initial(connector.config, c.config);
  const [name, setName] = useState(c.name);
  const [every, setEvery] = useState(c.schedule.every);
  const [config, setConfig] = useState(saved);
  const [errors, setErrors] = useState<Errors>({});
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const changed = changes(connector.config, saved, config);
  const tests = Object.keys(changed).length > 0;
  const dirty = tests || name.trim() !== c.name || every !== c.schedule.every;
  const reset = () => {
    setName(c.name);
    setEvery(c.schedule.every);
    setConfig(saved);
    setErrors({});
    setError(undefined);
  };
  const save = async () => {
    const wrong = problems(connector.config, config);
    setErrors(wrong);
    setError(undefined);
    if (Object.keys(wrong).length > 0) return;
    setBusy(true);
    try {
      await api.PATCH('/api/v1/connections/{id}', { params: { path: { id: c.id } }, body: { name: name.trim(), schedule: { every }, config: tests ? changed : undefined } });
      done('The settings are saved.');
      await queries.invalidateQueries();
    } catch (e) {
      setError(e);
      setErrors(fieldsOf(problemOf(e).errors, 'config'));
    }
    setBusy(false);
  };
  const at = (where: string) => (error === undefined ? undefined : problemOf(error).errors?.find((e) => e.location === where)?.message);
  return (
    <form
      noValidate
      autoComplete="off"
      aria-label="Settings"
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <Stack>
        <TextInput label="Name" value={name} maxLength={120} onChange={(e) => setName(e.currentTarget.value)} error={at('body.name') ?? (name.trim() ? undefined : 'Give a name.')} />
        <Select label="Look for new content" data={withSchedule(c.schedule.every)} value={every} allowDeselect={false} error={at('body.schedule.every')} onChange={(v) => v && setEvery(v)} />
        <SchemaForm form={connector.config} values={config} errors={errors} onChange={setConfig} />
        <Text size="xs" c="dimmed">
          History is read {c.backfill_from ? `since ${c.backfill_from.slice(0, 10)}` : 'not at all'}. That is changed above, under History.
        </Text>
        {error !== undefined && <Refused error={error} title="The settings were not saved" shown={/^body\.(name|config|schedule)\b/} />}
        <Group justify="space-between">
          <Text size="xs" c="dimmed">
            {tests && 'They are tested with the stored key before they are saved.'}
          </Text>
          <Group gap="xs">
            {dirty && (
              <Button variant="default" onClick={reset} disabled={busy}>
                Undo
              </Button>
            )}
            <Button type="submit" loading={busy} disabled={!dirty || !name.trim()}>
              {tests ? 'Test and save' : 'Save'}
            </Button>
          </Group>
        </Group>
      </Stack>
    </form>
  );
}
