import { Group, Stack, Text } from '@mantine/core';

import type { Schemas } from '../../../api/client';
import { SeverityBadge, Tag, words, type Severity } from '../../../parts/badges';
import { Panel } from '../../../parts/page';
import classes from './editor.module.css';

type Check = Schemas['PolicyCheck'];

/** Results shows what a check said of a policy: what is wrong and where, and each of its tests. */
export function Results({ check, fresh, goTo }: { check: Check | undefined; fresh: boolean; goTo: (line: number, column: number) => void }) {
  const state = !check || !fresh ? 'Checking…' : check.ok ? 'It can be saved' : 'It cannot be saved yet';
  const passed = check?.tests.filter((t) => t.passed).length ?? 0;
  return (
    <Stack gap="lg">
      <Panel
        title="Check"
        right={
          <span role="status" data-testid="verdict">
            <Tag tone={check && fresh ? (check.ok ? 'good' : 'critical') : 'plain'}>{state}</Tag>
          </span>
        }
      >
        {check && (
          <Stack gap={8}>
            <Group gap={6}>
              {check.kind && <Tag>{words(check.kind)}</Tag>}
              {check.severities.map((s) => (
                <SeverityBadge key={s} severity={s as Severity} />
              ))}
              {check.cost > 0 && (
                <Text size="xs" c="dimmed">
                  costs at most {check.cost.toLocaleString('en')} of {check.cost_limit.toLocaleString('en')} units
                </Text>
              )}
            </Group>
            {check.issues.length > 0 && (
              <ul className={classes.list} aria-label="Issues">
                {check.issues.map((i) => (
                  <li key={`${i.line}:${i.column}:${i.message}`}>
                    <button type="button" className={classes.jump} onClick={() => goTo(i.line, i.column)}>
                      {i.message}
                      {i.line > 0 && (
                        <span className={classes.place}>
                          {' '}
                          line {i.line}
                          {i.column > 0 && `, column ${i.column}`}
                        </span>
                      )}
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </Stack>
        )}
      </Panel>
      <Panel
        title="Tests"
        right={
          check && check.tests.length > 0 && (
            <Text size="sm" c="dimmed">
              {passed} of {check.tests.length} pass
            </Text>
          )
        }
      >
        {check && check.tests.length > 0 ? (
          <ul className={classes.list} aria-label="Tests">
            {check.tests.map((t) => (
              <li key={t.name} data-test={t.passed ? 'green' : 'red'}>
                <button type="button" className={classes.jump} onClick={() => goTo(t.line, t.column)}>
                  <Tag tone={t.passed ? 'good' : 'critical'}>{t.passed ? 'Passes' : 'Fails'}</Tag> {t.name}
                  {!t.passed && (
                    <span className={classes.place}>
                      {' '}
                      expected {t.want}, got {t.got}
                      {t.error && ` (${t.error})`}
                    </span>
                  )}
                </button>
              </li>
            ))}
          </ul>
        ) : (
          <Text size="sm" c="dimmed">
            {check?.ok === false ? 'The tests run once the policy compiles.' : 'Give the policy tests: at least one text that it must find, and one that it must leave alone.'}
          </Text>
        )}
      </Panel>
    </Stack>
  );
}
