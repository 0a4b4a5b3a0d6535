import { Button, Group, Stack } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';

import type { Schemas } from '../../api/client';
import { cleaned, fieldsOf, problems, type Errors, type Values } from '../../parts/form/schema';
import { SchemaForm } from '../../parts/form/SchemaForm';
import { Panel } from '../../parts/page';
import classes from './connections.module.css';
import { Explain } from './Explain';
import { remedy } from './state';
import { useTest, type Body, type Result } from './test';
import { connectedAs, TestSteps } from './TestSteps';

export interface Draft {
  secrets: Values;
  config: Values;
}

/** bodyOf is what is tested and, if that went well, saved. */
export function bodyOf(c: Schemas['Connector'], draft: Draft): Body {
  return { connector: c.id, config: cleaned(c.config, draft.config), secrets: cleaned(c.credentials, draft.secrets) as Record<string, string> };
}

const none: { secrets: Errors; config: Errors } = { secrets: {}, config: {} };

interface Props {
  connector: Schemas['Connector'];
  connections: Schemas['Connection'][];
  draft: Draft;
  onDraft: (d: Draft) => void;
  onBack: () => void;
  onTested: (r: Result) => void;
}

/** KeyStep takes the key and the settings and tests them, unsaved. Whatever the test says, what was typed stays. */
export function KeyStep({ connector: c, connections, draft, onDraft, onBack, onTested }: Props) {
  const [errors, setErrors] = useState<{ secrets: Errors; config: Errors }>(none);
  const test = useTest((p) => setErrors({ secrets: fieldsOf(p.errors, 'secrets'), config: fieldsOf(p.errors, 'config') }));
  const host = useRef<HTMLFormElement>(null);
  useEffect(() => {
    host.current?.querySelector('input')?.focus();
  }, []);
  useEffect(() => {
    host.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [errors]);
  const change = (d: Partial<Draft>) => {
    onDraft({ ...draft, ...d });
    // A test holds for what was tested: any change discards it.
    test.discard();
    setErrors(none);
  };
  const submit = () => {
    const wrong = { secrets: problems(c.credentials, draft.secrets), config: problems(c.config, draft.config) };
    setErrors(wrong);
    if (Object.keys(wrong.secrets).length + Object.keys(wrong.config).length > 0) {
      test.discard();
      return;
    }
    void test.run(bodyOf(c, draft));
  };
  const result = test.progress?.result;
  const passed = result?.ok === true;
  const bySettings = test.progress?.steps.some((s) => s.state === 'failed' && remedy(s.code) === 'settings') ?? false;
  return (
    <div className={classes.two}>
      <form
        ref={host}
        noValidate
        autoComplete="off"
        onSubmit={(e) => {
          e.preventDefault();
          submit();
        }}
      >
        <Stack>
          <Panel title={`Key and settings of ${c.name}`}>
            <Stack>
              <SchemaForm form={c.credentials} values={draft.secrets} errors={errors.secrets} onChange={(secrets) => change({ secrets })} />
              <SchemaForm form={c.config} values={draft.config} errors={errors.config} onChange={(config) => change({ config })} fold unfold={bySettings} />
            </Stack>
          </Panel>
          {test.progress && <TestSteps progress={test.progress} busy={test.busy} connector={c} connections={connections} />}
          <Group justify="space-between">
            <Button variant="default" onClick={onBack}>
              Back
            </Button>
            <Group gap="xs">
              {test.busy && (
                <Button variant="default" onClick={test.discard}>
                  Cancel the test
                </Button>
              )}
              <Button type="submit" variant={passed ? 'default' : 'filled'} loading={test.busy}>
                {test.progress ? 'Test again' : 'Test the key'}
              </Button>
              {passed && !connectedAs(result, c.id, connections) && <Button onClick={() => onTested(result)}>Continue</Button>}
            </Group>
          </Group>
        </Stack>
      </form>
      <Explain connector={c} />
    </div>
  );
}
