import { Alert, Button, Group, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { api, type Schemas } from '../../api/client';
import { cleaned, fieldsOf, initial, problems, type Errors, type Values } from '../../parts/form/schema';
import { SchemaForm } from '../../parts/form/SchemaForm';
import { Icon } from '../../parts/icons';
import { done } from '../../parts/notify';
import { Panel } from '../../parts/page';
import { ProblemAlert } from '../../parts/states';
import { When } from '../../parts/when';
import { useConnector } from './Actions';
import { useTest, type Body } from './test';
import { TestSteps } from './TestSteps';

type Connection = Schemas['Connection'];

/** ReplaceKey replaces the key. The old one stays in use until the new one has passed its test and is of the same organisation. */
export function ReplaceKey({ connection: c, asked }: { connection: Connection; asked: boolean }) {
  const connector = useConnector(c.connector);
  const [editing, setEditing] = useState(asked);
  const secrets = Object.entries(c.secrets);
  return (
    <Panel
      title="Key"
      right={
        !editing && (
          <Button size="xs" variant="default" leftSection={<Icon name="key" size={15} />} onClick={() => setEditing(true)} disabled={!connector}>
            Replace the key
          </Button>
        )
      }
    >
      <Stack gap="sm">
        {secrets.map(([field, s]) => (
          <Text size="sm" key={field}>
            {connector?.credentials.properties[field]?.title ?? field}:{' '}
            {s.set ? (
              <>
                stored encrypted <When at={s.rotated_at} />, never shown again.
              </>
            ) : (
              'none is stored.'
            )}
          </Text>
        ))}
        {editing && connector && <KeyForm connection={c} connector={connector} onClose={() => setEditing(false)} />}
      </Stack>
    </Panel>
  );
}

function KeyForm({ connection: c, connector, onClose }: { connection: Connection; connector: Schemas['Connector']; onClose: () => void }) {
  const queries = useQueryClient();
  const [values, setValues] = useState<Values>(() => initial(connector.credentials));
  const [errors, setErrors] = useState<Errors>({});
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const test = useTest((p) => setErrors(fieldsOf(p.errors, 'secrets')));
  const secrets = () => cleaned(connector.credentials, values) as Record<string, string>;
  const change = (v: Values) => {
    setValues(v);
    test.discard();
    setErrors({});
    setError(undefined);
  };
  const run = () => {
    const wrong = problems(connector.credentials, values);
    setErrors(wrong);
    setError(undefined);
    if (Object.keys(wrong).length > 0) test.discard();
    else void test.run({ connector: c.connector, config: c.config as Body['config'], secrets: secrets() });
  };
  const replace = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await api.PATCH('/api/v1/connections/{id}', { params: { path: { id: c.id } }, body: { secrets: secrets() } });
      done('The new key is in use.');
      onClose();
      await queries.invalidateQueries();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  const result = test.progress?.result;
  const other = result?.account && (result.account.id !== c.account.id || result.account.key_kind !== c.account.key_kind);
  return (
    <form
      noValidate
      autoComplete="off"
      aria-label="Replace the key"
      onSubmit={(e) => {
        e.preventDefault();
        run();
      }}
    >
      <Stack gap="sm">
        <SchemaForm form={connector.credentials} values={values} errors={errors} onChange={change} />
        <Text size="xs" c="dimmed">
          The new key must be of the same organisation and kind. The old one is used until the new one has passed its test.
        </Text>
        {test.progress && <TestSteps progress={test.progress} busy={test.busy} connector={connector} />}
        {other && (
          <Alert color="yellow" variant="outline" icon={<Icon name="warning" />} styles={{ title: { color: 'var(--mantine-color-text)' } }} title="This key is of another organisation or kind">
            <Text size="sm">The connection reads {c.account.name || c.account.id}. Use a key of that organisation and of the same kind, or add a connection for this one.</Text>
          </Alert>
        )}
        {error !== undefined && <ProblemAlert error={error} title="The old key is still in use" />}
        <Group justify="flex-end" gap="xs">
          {test.busy ? (
            <Button variant="default" onClick={test.discard}>
              Cancel the test
            </Button>
          ) : (
            <Button variant="default" onClick={onClose} disabled={busy}>
              Cancel
            </Button>
          )}
          <Button type="submit" variant={result?.ok && !other ? 'default' : 'filled'} loading={test.busy} disabled={busy}>
            {test.progress ? 'Test again' : 'Test the new key'}
          </Button>
          {result?.ok && !other && (
            <Button loading={busy} onClick={() => void replace()}>
              Use the new key
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
