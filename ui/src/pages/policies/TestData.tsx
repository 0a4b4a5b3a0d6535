import { Code, Group, Stack, Switch, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag } from '../../parts/badges';
import { done, failed } from '../../parts/notify';
import { Page, Panel } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import { useCan } from '../../session';
import { counted } from '../findings/wording';
import { References } from './rules';
import classes from './rules.module.css';
import { Sections } from './Sections';

type Group = Schemas['AllowlistGroup'];

/** TestData lists the published values that make no finding, group by group, and lets an author switch a group. */
export function TestData() {
  const list = $api.useQuery('get', '/api/v1/allowlist', {});
  return (
    <Page title="Test data" about="Values that are published so that everybody can test and document with them. They are no leak, so they make no finding.">
      <Sections of="policies" />
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Rows n={5} height={80} />}
      {list.data?.items.map((g) => (
        <TestGroup key={g.id} group={g} />
      ))}
      {list.data && list.data.detectors.length > 0 && (
        <Panel title="By single detectors">
          <Text size="sm" mb="sm">
            These are part of their detectors and cannot be switched off.
          </Text>
          <Stack gap={10}>
            {list.data.detectors.map((d) => (
              <div key={d.detector_id}>
                <Text size="sm" fw={600}>
                  {d.title} <Text span size="xs" c="dimmed">{d.detector_id}</Text>
                </Text>
                <Values values={d.values} />
              </div>
            ))}
          </Stack>
        </Panel>
      )}
    </Page>
  );
}

function TestGroup({ group: g }: { group: Group }) {
  const can = useCan();
  const queries = useQueryClient();
  const [busy, setBusy] = useState(false);
  const on = g.mode === 'on';
  const change = async (mode: Group['mode']) => {
    setBusy(true);
    try {
      await api.PATCH('/api/v1/allowlist/{id}', { params: { path: { id: g.id } }, body: { mode: mode === g.default_mode ? null : mode } });
      done(mode === 'on' ? `${g.title}: left out from now on.` : `${g.title}: found from now on.`);
    } catch (e) {
      failed(e);
    }
    await queries.invalidateQueries({ queryKey: ['get', '/api/v1/allowlist'] });
    setBusy(false);
  };
  const all = [...g.values, ...g.domains, ...g.networks, ...g.patterns.map((p) => `/${p}/`)];
  return (
    <Panel
      title={g.title}
      right={
        <Group gap="sm">
          {g.mode !== g.default_mode && <Tag tone="medium">Shipped {g.default_mode}</Tag>}
          <Switch label="Leave out" checked={on} disabled={!can('policies') || busy} onChange={(e) => void change(e.currentTarget.checked ? 'on' : 'off')} aria-label={`Leave out: ${g.title}`} />
        </Group>
      }
    >
      <Stack gap="sm">
        <Text size="sm">{g.description}</Text>
        <Group gap={6}>
          {g.detectors.map((d) => (
            <Tag key={d}>{d}</Tag>
          ))}
        </Group>
        <details>
          <summary>{counted(all.length, 'entry').replace('entrys', 'entries')}</summary>
          <Values values={all} />
        </details>
        <References urls={g.references} />
      </Stack>
    </Panel>
  );
}

function Values({ values }: { values: string[] }) {
  return (
    <div className={classes.values} tabIndex={0} role="region" aria-label="Values">
      <Group gap={6} mt={6}>
        {values.map((v) => (
          <Code key={v} className="ob-break">
            {v}
          </Code>
        ))}
      </Group>
    </div>
  );
}
