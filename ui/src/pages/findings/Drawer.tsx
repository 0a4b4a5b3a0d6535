import { ActionIcon, Button, CopyButton, Group, Tabs, Text, Title, Tooltip } from '@mantine/core';
import { useDebouncedValue, useFocusTrap, useMediaQuery } from '@mantine/hooks';
import { lazy, Suspense, useEffect, useRef, useState, type ReactNode } from 'react';

import { SeverityBadge, StatusBadge } from '../../parts/badges';
import { Copyable } from '../../parts/copy';
import { Icon, type IconName } from '../../parts/icons';
import { ProblemAlert, Rows } from '../../parts/states';
import { useCan } from '../../session';
import { useDetail, type Finding } from './data';
import { Deliveries } from './Deliveries';
import classes from './drawer.module.css';
import { Evidence } from './Evidence';
import { History } from './History';
import type { Names } from './state';
import { choicesFor } from './triage';
import { Why } from './Why';
import { personOf } from './wording';

const ExceptionDialog = lazy(() => import('../policies/ExceptionDialog'));

export const tabs = ['evidence', 'why', 'history', 'deliveries', 'json'] as const;
export type Tab = (typeof tabs)[number];
const tabNames: Record<Tab, string> = { evidence: 'Evidence', why: 'Why', history: 'History', deliveries: 'Deliveries', json: 'JSON' };

/** narrow is where the drawer covers the page and is modal; above it, it stands beside the list. */
export const narrow = '(max-width: 68em)';

interface Props {
  id: string;
  listed: Finding | undefined; // as the list has it, if it does
  names: Names;
  tab: Tab;
  onTab: (tab: Tab) => void;
  onClose: () => void;
  onMove: (by: 1 | -1) => void;
  place: { index: number; loaded: number } | undefined; // in the list
  onAcknowledge: (f: Finding) => void;
  onStatus: (f: Finding) => void;
}

/** FindingDrawer shows one finding with its evidence. Beside the list it leaves the list alone: j and k go on and show the next one here. */
export function FindingDrawer({ id, listed, names, tab, onTab, onClose, onMove, place, onAcknowledge, onStatus }: Props) {
  const can = useCan();
  const evidence = can('evidence');
  const modal = useMediaQuery(narrow, false, { getInitialValueInEffect: false });
  // Who holds j down goes past findings without reading them; each read is a row of the audit log.
  const [settled] = useDebouncedValue(id, 150);
  const detail = useDetail(settled, evidence && settled === id);
  const f = detail.data && detail.data.id === id ? { ...detail.data, status: listed?.status ?? detail.data.status } : listed;
  const box = useFocusTrap(modal);
  useEffect(() => {
    focusDrawer();
  }, []);
  const [excepting, setExcepting] = useState(false);
  const body = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (body.current) body.current.scrollTop = 0;
  }, [id]);

  return (
    <aside
      ref={box}
      className={classes.drawer}
      data-finding-drawer=""
      {...(modal ? { role: 'dialog', 'aria-modal': true } : {})}
      aria-label="Finding"
    >
      <header className={classes.head}>
        <Group gap={4} wrap="nowrap" className={classes.bar}>
          <Step icon="previous" label="Previous finding" hint="k" disabled={!place || place.index === 0} onClick={() => onMove(-1)} />
          <Step icon="down" label="Next finding" hint="j" disabled={!place || place.index >= place.loaded - 1} onClick={() => onMove(1)} />
          <CopyButton value={`${window.location.origin}/findings/${id}`} timeout={2000}>
            {({ copied, copy }) => (
              <Tooltip label={copied ? 'Copied' : 'Copy the link to this finding'}>
                <ActionIcon onClick={copy} aria-label="Copy the link to this finding" ml="auto">
                  <Icon name={copied ? 'check' : 'link'} size={17} />
                </ActionIcon>
              </Tooltip>
            )}
          </CopyButton>
          <ActionIcon onClick={onClose} aria-label="Close the finding">
            <Icon name="close" size={18} />
          </ActionIcon>
        </Group>
        {f ? (
          <>
            <Title order={2} tabIndex={-1} data-heading="" className={classes.title}>
              {f.title}
            </Title>
            <Group gap={8}>
              <SeverityBadge severity={f.severity} />
              <StatusBadge status={f.status} />
              <Copyable value={f.id} label="Copy the id" />
            </Group>
            {can('triage') && (
              <Group gap="xs" mt="sm">
                {choicesFor([f.status]).includes('acknowledged') && (
                  <Button size="xs" variant="default" leftSection={<Icon name="check" size={15} />} onClick={() => onAcknowledge(f)}>
                    Acknowledge
                  </Button>
                )}
                <Button size="xs" variant={f.status === 'open' ? 'filled' : 'default'} onClick={() => onStatus(f)}>
                  Change status
                </Button>
                {can('policies') && detail.data && (
                  <Button size="xs" variant="subtle" onClick={() => setExcepting(true)}>
                    Make an exception…
                  </Button>
                )}
              </Group>
            )}
          </>
        ) : (
          <Title order={2} tabIndex={-1} data-heading="" className={classes.title}>
            Finding
          </Title>
        )}
      </header>
      <div className={classes.body} ref={body} tabIndex={0} role="region" aria-label="Details of the finding">
        {detail.error && <ProblemAlert error={detail.error} onRetry={() => void detail.refetch()} />}
        {!f && !detail.error && (evidence ? <Rows n={6} /> : <Text>{denied} This finding is not in the list that is loaded, and your role cannot open one by its link alone.</Text>)}
        {f && (
          <Tabs value={tab} onChange={(t) => onTab((t ?? 'evidence') as Tab)} keepMounted={false} classNames={{ list: classes.tabs, panel: classes.panel }}>
            <Tabs.List>
              {tabs
                .filter((t) => evidence || (t !== 'history' && t !== 'deliveries'))
                .map((t) => (
                  <Tabs.Tab key={t} value={t}>
                    {tabNames[t]}
                  </Tabs.Tab>
                ))}
            </Tabs.List>
            <Tabs.Panel value="evidence">
              <Evidence finding={f} names={names} pending={evidence && detail.isPending} denied={evidence ? undefined : denied} />
            </Tabs.Panel>
            <Tabs.Panel value="why">
              <Why finding={f} names={names} />
            </Tabs.Panel>
            {evidence && (
              <Tabs.Panel value="history">
                <History id={id} />
              </Tabs.Panel>
            )}
            {evidence && (
              <Tabs.Panel value="deliveries">
                <Deliveries id={id} />
              </Tabs.Panel>
            )}
            <Tabs.Panel value="json">
              <Copyable value={JSON.stringify(f, null, 2)} label="Copy the JSON" block />
            </Tabs.Panel>
          </Tabs>
        )}
      </div>
      {excepting && f && (
        <Suspense fallback={null}>
          <ExceptionDialog
            from={{ policy_id: f.policy_id, connection_id: f.connection_id, resource: f.resource, person: personOf(f), instances: detail.data?.instances ?? [] }}
            onClose={() => {
              setExcepting(false);
              void detail.refetch();
            }}
          />
        </Suspense>
      )}
    </aside>
  );
}

/** focusDrawer gives the focus to the head of the drawer, if it is open. */
export function focusDrawer() {
  document.querySelector<HTMLElement>('[data-finding-drawer] [data-heading]')?.focus({ preventScroll: true });
}

const denied = 'Your role shows the list of findings, but not their evidence. Analysts, responders, authors, admins and auditors may see it: ask an admin for one of these roles.';

function Step({ icon, label, hint, disabled, onClick }: { icon: IconName; label: string; hint: string; disabled: boolean; onClick: () => void }) {
  return (
    <Tooltip label={`${label} (${hint})`}>
      <ActionIcon aria-label={label} disabled={disabled} onClick={onClick}>
        <Icon name={icon} size={17} />
      </ActionIcon>
    </Tooltip>
  );
}

/** Facts is a list of names and values. Empty values are left out. */
export function Facts({ items }: { items: [string, ReactNode][] }) {
  return (
    <dl className={classes.facts}>
      {items
        .filter(([, v]) => v !== undefined && v !== null && v !== '' && v !== false)
        .map(([k, v]) => (
          <div key={k}>
            <dt>{k}</dt>
            <dd>{v}</dd>
          </div>
        ))}
    </dl>
  );
}
