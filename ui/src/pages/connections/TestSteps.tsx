import { Alert, Loader, Stack, Text } from '@mantine/core';
import { useReducedMotion } from '@mantine/hooks';
import { Link } from '@tanstack/react-router';
import { useEffect, useRef } from 'react';

import { ProblemError, type Schemas } from '../../api/client';
import { Tag } from '../../parts/badges';
import { Refused } from '../../parts/form/Refused';
import { Icon } from '../../parts/icons';
import { When } from '../../parts/when';
import classes from './connections.module.css';
import { Codes } from './KeyFacts';
import type { Progress, Result, Step } from './test';

const look = { ok: ['check', 'Passed'], warning: ['warning', 'Warning'], failed: ['close', 'Failed'] } as const;

interface Props {
  progress: Progress;
  busy: boolean;
  connector: Schemas['Connector'];
  /** What is connected already, so that an organisation is not connected twice. */
  connections?: Schemas['Connection'][];
}

/** TestSteps shows a test as it runs: each step with what it found and, where it failed, the one sentence that helps. */
export function TestSteps({ progress, busy, connector, connections = [] }: Props) {
  const still = useReducedMotion();
  const host = useRef<HTMLDivElement>(null);
  // Below a long form it would begin and end unseen.
  useEffect(() => {
    host.current?.scrollIntoView({ block: 'nearest' });
  }, [busy]);
  const failed = progress.steps.some((s) => s.state === 'failed');
  return (
    <Stack ref={host} gap="sm" data-testid="test" data-result={busy ? 'running' : progress.result?.ok ? 'ok' : 'failed'}>
      {(progress.steps.length > 0 || busy) && (
        <section className={`ob-surface ${classes.steps}`} aria-label="Steps of the test">
          <ol className={classes.list} aria-live="polite">
            {progress.steps.map((s, i) => (
              <Row key={`${s.name} ${i}`} step={s} />
            ))}
            {busy && (
              <li className={classes.step}>
                {still ? <Icon name="clock" /> : <Loader size={18} aria-hidden="true" />}
                <Text size="sm">Asking {connector.vendor}. This takes a minute at most.</Text>
              </li>
            )}
          </ol>
        </section>
      )}
      <div role="status">
        {failed && !busy && (
          <Text size="sm" fw={600}>
            The test failed. Nothing is stored, and what you typed is still here.
          </Text>
        )}
        {progress.result?.ok && <Outcome result={progress.result} connector={connector} connections={connections} />}
      </div>
      {progress.problem && <Refused error={new ProblemError(progress.problem)} title="It could not be tested" shown={/^body\.(config|secrets)\./} />}
    </Stack>
  );
}

function Row({ step: s }: { step: Step }) {
  const [icon, word] = look[s.state];
  return (
    <li className={classes.step} data-step={s.name} data-state={s.state}>
      <span className={`${classes.mark} ${classes[s.state]}`}>
        <Icon name={icon} size={14} />
      </span>
      <div className={classes.grow}>
        <Text size="sm" fw={600}>
          {s.title}
          <span className="ob-skip">: {word}</span>
        </Text>
        {s.message && (
          <Text size="sm" className="ob-break" c={s.state === 'ok' ? 'dimmed' : undefined}>
            {s.message}
          </Text>
        )}
      </div>
      {s.code && <Tag tone={s.state === 'failed' ? 'critical' : 'medium'}>{s.code}</Tag>}
      <span className={classes.ms}>{s.ms} ms</span>
    </li>
  );
}

/** connectedAs is the connection of the organisation that a test found, if it has one with this kind of key. */
export function connectedAs(result: Result | undefined, connector: string, connections: Schemas['Connection'][]): Schemas['Connection'] | undefined {
  const account = result?.account;
  return account && connections.find((c) => c.connector === connector && c.account.id === account.id && c.account.key_kind === account.key_kind);
}

function Outcome({ result, connector, connections }: { result: Result } & Required<Pick<Props, 'connector' | 'connections'>>) {
  const there = connectedAs(result, connector.id, connections);
  if (there) {
    return (
      <Alert color="yellow" variant="outline" icon={<Icon name="warning" />} title="This organisation is connected already" styles={{ title: { color: 'var(--mantine-color-text)' } }}>
        <Text size="sm">
          It is{' '}
          <Link to="/connections/$id" params={{ id: there.id }} hash="key">
            {there.name}
          </Link>
          . Replace the key there, or test a key of another organisation.
        </Text>
      </Alert>
    );
  }
  const title = (id: string) => connector.streams.find((s) => s.id === id)?.title ?? id;
  const unread = connector.streams.filter((s) => !result.streams.includes(s.id));
  return (
    <Alert color="tide" variant="outline" icon={<Icon name="check" />} title={result.account?.name ? `This key reads ${result.account.name}` : 'This key works'} styles={{ title: { color: 'var(--mantine-color-text)' } }}>
      <Stack gap={4}>
        <Text size="sm">It can read: {result.streams.map(title).join(', ') || 'nothing'}.</Text>
        {unread.length > 0 && <Text size="sm">It cannot read: {unread.map((s) => s.title).join(', ')}.</Text>}
        {result.missing_scopes.length > 0 && (
          <Text size="sm" className="ob-break">
            Missing scopes: <Codes ids={result.missing_scopes} />. You can go on without them and read less.
          </Text>
        )}
        {result.surplus_scopes.length > 0 && (
          <Text size="sm" className="ob-break">
            Surplus scopes: <Codes ids={result.surplus_scopes} />. Outband does not ask for them; a key without them can do less harm if it is lost.
          </Text>
        )}
        {result.since && (
          <Text size="sm">
            There is data since <When at={result.since} />.
          </Text>
        )}
      </Stack>
    </Alert>
  );
}
