import { Button, SimpleGrid, Stack } from '@mantine/core';
import { Link, useLocation, useParams } from '@tanstack/react-router';
import { useEffect } from 'react';

import { $api, type Schemas } from '../../api/client';
import { Tag } from '../../parts/badges';
import { Page, Panel } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { Actions, Attention, useConnector } from './Actions';
import { LastScan, Next } from './Connections';
import classes from './connections.module.css';
import { Backfill } from './Backfill';
import { Coverage } from './Coverage';
import { KeyFacts } from './KeyFacts';
import { Remove } from './Remove';
import { ReplaceKey } from './ReplaceKey';
import { ScanProgress } from './ScanProgress';
import { Scans } from './Scans';
import { Settings } from './Settings';
import { health, running, scheduleWords } from './state';

/** ConnectionPage shows one connection: its health, its scans, what they have read and left out, and its settings. */
export function ConnectionPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const one = $api.useQuery('get', '/api/v1/connections/{id}', { params: { path: { id } } }, { refetchInterval: 10_000 });
  if (one.data) return <Shown connection={one.data} />;
  return (
    <Page title="Connection" about={<Crumb />}>
      {one.isPending ? <Rows n={5} /> : <ProblemAlert error={one.error} onRetry={() => void one.refetch()} />}
    </Page>
  );
}

function Crumb() {
  return (
    <Link to="/connections" className={classes.crumb}>
      Connections
    </Link>
  );
}

function Shown({ connection: c }: { connection: Schemas['Connection'] }) {
  const can = useCan();
  const app = useConnector(c.connector)?.name ?? c.connector;
  const { hash } = useLocation();
  // A link to a part of the page comes before the part is there.
  useEffect(() => {
    if (hash) document.getElementById(hash)?.scrollIntoView({ block: 'center' });
  }, [hash]);
  return (
    <Page
      title={c.name}
      about={
        <>
          <Crumb /> · {app} · {c.account.name || c.account.id}
        </>
      }
      actions={
        <>
          <Button component={Link} to={`/findings?connection_id=${c.id}`} variant="default">
            Its findings
          </Button>
          {can('evidence') && (
            <Button component={Link} to={`/connections/${c.id}/records`} variant="default">
              Settings and directory
            </Button>
          )}
          <Actions connection={c} size="sm" />
        </>
      }
    >
      <Status connection={c} />
      <Coverage connection={c} />
      <SimpleGrid cols={{ base: 1, lg: 2 }}>
        <Backfill connection={c} />
        <KeyFacts connection={c} />
      </SimpleGrid>
      <Scans id={c.id} />
      {can('admin') && (
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <div id="settings">
            <Settings connection={c} />
          </div>
          <Stack>
            <div id="key">
              <ReplaceKey key={c.id} connection={c} asked={hash === 'key'} />
            </div>
            <Remove connection={c} />
          </Stack>
        </SimpleGrid>
      )}
    </Page>
  );
}

function Status({ connection: c }: { connection: Schemas['Connection'] }) {
  const { tone, word } = health(c);
  return (
    <Panel>
      <Stack gap="md">
        <dl className={classes.facts}>
          <div>
            <dt>Health</dt>
            <dd data-testid="health">
              <Tag tone={tone} dot>
                {word}
              </Tag>
            </dd>
          </div>
          <LastScan connection={c} />
          <div>
            <dt>Next scan</dt>
            <dd>
              <Next connection={c} />
            </dd>
          </div>
          <div>
            <dt>Schedule</dt>
            <dd>{scheduleWords(c.schedule.every)}</dd>
          </div>
          <div>
            <dt>History</dt>
            <dd className={classes.one}>{c.backfill_from ? `Since ${c.backfill_from.slice(0, 10)}` : 'Not read'}</dd>
          </div>
          <div>
            <dt>Key</dt>
            <dd>{c.account.key_kind || '–'}</dd>
          </div>
          <div>
            <dt>Connected</dt>
            <dd>
              <When at={c.created_at} />
            </dd>
          </div>
        </dl>
        <Attention connection={c} alert />
        {c.last_scan && running(c.last_scan) && <ScanProgress scan={c.last_scan} />}
      </Stack>
    </Panel>
  );
}
