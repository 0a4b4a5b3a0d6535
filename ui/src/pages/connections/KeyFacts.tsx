import { Text } from '@mantine/core';

import type { Schemas } from '../../api/client';
import { Panel } from '../../parts/page';
import { When } from '../../parts/when';
import classes from './connections.module.css';

/** Codes lists scopes; an app gives them as words of its own, so they are shown as text only. */
export function Codes({ ids }: { ids: string[] }) {
  return ids.map((s, i) => (
    <span key={s}>
      {i > 0 && ', '}
      <code>{s}</code>
    </span>
  ));
}

/** KeyFacts is what the last test of the key said: what it may not do, and what it may do beyond need. */
export function KeyFacts({ connection: c }: { connection: Schemas['Connection'] }) {
  const k = c.key;
  return (
    <Panel title="What the key may do">
      <dl className={classes.facts}>
        <div>
          <dt>Missing scopes</dt>
          <dd>{k.missing_scopes.length > 0 ? <Codes ids={k.missing_scopes} /> : 'None'}</dd>
        </div>
        <div>
          <dt>Surplus scopes</dt>
          <dd>{k.surplus_scopes.length > 0 ? <Codes ids={k.surplus_scopes} /> : 'None'}</dd>
        </div>
        <div>
          <dt>Data since</dt>
          <dd>
            <When at={k.since} empty="Not known" />
          </dd>
        </div>
        <div>
          <dt>Organisations</dt>
          <dd>{k.organizations.length || '–'}</dd>
        </div>
        <div>
          <dt>Tested</dt>
          <dd>
            <When at={k.tested_at} empty="Not known" />
          </dd>
        </div>
      </dl>
      {k.surplus_scopes.length > 0 && (
        <Text size="sm" mt="sm">
          The key may do more than Outband asks for. A key with less can do less harm if it is lost: make one with the recommended scope, and replace this one.
        </Text>
      )}
    </Panel>
  );
}
