import { Stack, Stepper, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, type Schemas } from '../../api/client';
import { initial } from '../../parts/form/schema';
import { Icon } from '../../parts/icons';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { useCan } from '../../session';
import { useConnectors } from './Actions';
import classes from './connections.module.css';
import { bodyOf, KeyStep, type Draft } from './KeyStep';
import { ScheduleStep } from './ScheduleStep';
import type { Result } from './test';

type Connector = Schemas['Connector'];

/** AddConnection connects an app in three steps: which app, its key and settings with a test, and when to scan. Nothing is stored before the last. */
export function AddConnection() {
  const can = useCan();
  const list = useConnectors();
  const [connector, setConnector] = useState<Connector>();
  if (!can('admin')) {
    return (
      <Page title="Add a connection">
        <section className="ob-surface">
          <EmptyState icon="key" title="An admin connects apps" action={<Link to="/connections">Back to the connections</Link>}>
            Your role does not allow it. Ask an admin.
          </EmptyState>
        </section>
      </Page>
    );
  }
  return (
    <Page title="Add a connection" about="The key is tested before anything is stored. It is kept encrypted and is never shown again.">
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Rows n={2} height={70} />}
      {list.data && !connector && (
        <>
          <Steps active={0} />
          <Stack maw={620} component="ul" className={classes.list} aria-label="Apps that can be connected">
            {list.data.items.map((c) => (
              <li key={c.id}>
                <button type="button" className={`ob-surface ${classes.app}`} onClick={() => setConnector(c)}>
                  <span className={classes.letter} aria-hidden="true">
                    {c.name.charAt(0)}
                  </span>
                  <span className={classes.grow}>
                    <Text span fw={650} display="block">
                      {c.name}
                    </Text>
                    <Text span size="sm" c="dimmed">
                      {c.vendor} · {c.streams.map((s) => s.title).join(', ')}
                    </Text>
                  </span>
                  <Icon name="right" />
                </button>
              </li>
            ))}
          </Stack>
        </>
      )}
      {connector && <Wizard key={connector.id} connector={connector} onBack={() => setConnector(undefined)} />}
    </Page>
  );
}

function Steps({ active }: { active: number }) {
  return (
    <Stepper active={active} size="sm" iconSize={28} allowNextStepsSelect={false} wrap={false} className={classes.stepper}>
      {['App', 'Key and test', 'Schedule'].map((label, i) => (
        <Stepper.Step key={label} label={label} aria-current={i === active ? 'step' : undefined} />
      ))}
    </Stepper>
  );
}

function Wizard({ connector: c, onBack }: { connector: Connector; onBack: () => void }) {
  const connections = $api.useQuery('get', '/api/v1/connections', { params: { query: { limit: 500 } } });
  // Kept in memory only: the key never reaches the address, the browser's storage or a log.
  const [draft, setDraft] = useState<Draft>(() => ({ secrets: initial(c.credentials), config: initial(c.config) }));
  const [tested, setTested] = useState<Result>();
  return (
    <>
      <Steps active={tested ? 2 : 1} />
      {tested ? (
        <ScheduleStep connector={c} account={tested.account?.name ?? ''} body={bodyOf(c, draft)} onBack={() => setTested(undefined)} />
      ) : (
        <KeyStep connector={c} connections={connections.data?.items ?? []} draft={draft} onDraft={setDraft} onBack={onBack} onTested={setTested} />
      )}
    </>
  );
}
