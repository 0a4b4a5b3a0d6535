import { Anchor, Button } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { useCan } from '../../session';
import classes from './connections.module.css';
import { remedy, running, trouble } from './state';

type Connection = Schemas['Connection'];

/** useConnectors are the apps that can be connected. */
export function useConnectors() {
  return $api.useQuery('get', '/api/v1/connectors', { params: { query: { limit: 500 } } }, { staleTime: 300_000 });
}

/** useConnector is the app of a connection; undefined until it is known. */
export function useConnector(id: string): Schemas['Connector'] | undefined {
  return useConnectors().data?.items.find((c) => c.id === id);
}

const acts = { scan: '/api/v1/connections/{id}/scan', pause: '/api/v1/connections/{id}/pause', resume: '/api/v1/connections/{id}/resume' } as const;

/** Actions are what can be done with a connection at once. */
export function Actions({ connection: c, size = 'xs' }: { connection: Connection; size?: 'xs' | 'sm' }) {
  const can = useCan();
  const queries = useQueryClient();
  const [busy, setBusy] = useState<keyof typeof acts>();
  const act = async (what: keyof typeof acts, said: string) => {
    setBusy(what);
    try {
      await api.POST(acts[what], { params: { path: { id: c.id } } });
      done(said);
    } catch (e) {
      failed(e);
    }
    await queries.invalidateQueries();
    setBusy(undefined);
  };
  return (
    <>
      {can('scan') && c.state !== 'paused' && (
        <Button size={size} variant="default" loading={busy === 'scan'} leftSection={<Icon name="refresh" size={15} />} disabled={running(c.last_scan)} onClick={() => void act('scan', 'A scan is queued.')}>
          Scan now
        </Button>
      )}
      {can('admin') &&
        (c.state === 'paused' ? (
          <Button size={size} variant="default" loading={busy === 'resume'} leftSection={<Icon name="play" size={15} />} onClick={() => void act('resume', `${c.name} is scanned by schedule again.`)}>
            Resume
          </Button>
        ) : (
          <Button size={size} variant="default" loading={busy === 'pause'} leftSection={<Icon name="pause" size={15} />} onClick={() => void act('pause', `${c.name} is paused. A running scan ends at its next page.`)}>
            Pause
          </Button>
        ))}
    </>
  );
}

/** Attention says what is wrong with a connection, its code, and leads to where the cause is taken away. */
export function Attention({ connection: c, alert }: { connection: Connection; alert?: boolean }) {
  const t = trouble(c);
  if (!t) return null;
  return (
    <div className={classes.attention} data-tone={t.tone} role={alert ? 'alert' : undefined}>
      <Icon name="warning" size={18} />
      <div className={classes.grow}>
        <span className="ob-break">{t.message}</span>
        <div className={classes.remedy}>
          {t.code && <strong>{t.code}</strong>}
          <Remedy connection={c} code={t.code} />
        </div>
      </div>
    </div>
  );
}

function Remedy({ connection: c, code }: { connection: Connection; code: string }) {
  const can = useCan();
  const connector = useConnector(c.connector);
  const what = remedy(code);
  if (what === 'vendor' && connector && /^https:\/\//.test(connector.docs)) {
    return (
      <Anchor href={connector.docs} target="_blank" rel="noreferrer noopener" size="sm" c="inherit" underline="always">
        How {connector.vendor} explains it
      </Anchor>
    );
  }
  if (what !== 'key' && what !== 'settings') return null;
  if (!can('admin')) return <span>An admin can do this.</span>;
  return (
    <Link to="/connections/$id" params={{ id: c.id }} hash={what} className={classes.act}>
      {what === 'key' ? 'Replace the key' : 'Change the settings'}
    </Link>
  );
}
