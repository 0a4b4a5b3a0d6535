import { Anchor, Stack, Text } from '@mantine/core';

import type { Schemas } from '../../api/client';
import { Tag } from '../../parts/badges';
import { Copyable } from '../../parts/copy';
import { Panel } from '../../parts/page';
import classes from './connections.module.css';
import { number } from './state';

/** Explain says how to make a key, what it must be allowed to do and why, and what Outband does with it. */
export function Explain({ connector: c }: { connector: Schemas['Connector'] }) {
  const title = (id: string) => c.streams.find((s) => s.id === id)?.title ?? id;
  // The scope that no stream needs alone is the one that covers all.
  const best = c.scopes[0]?.streams.length === 0 ? c.scopes[0].id : undefined;
  const kinds = (kind: string) => c.streams.filter((s) => s.keys?.includes(kind)).map((s) => s.title);
  return (
    <Stack>
      {best && (
        <Panel title="Recommended: this one scope">
          <Copyable value={best} label="Copy the scope" />
        </Panel>
      )}
      {c.scopes.length > 0 && (
        <Panel title="What the key must be allowed to do">
          <ul className={classes.scopes}>
            {c.scopes.map((s) => (
              <li key={s.id}>
                <code className="ob-break">{s.id}</code>
                <Text size="sm">{s.why}</Text>
                <Text size="xs" c="dimmed">
                  {s.streams.length > 0 ? `For: ${s.streams.map(title).join(', ')}` : s.id === best ? 'For everything' : 'Optional'}
                </Text>
              </li>
            ))}
          </ul>
        </Panel>
      )}
      {c.key_kinds.length > 0 && (
        <Panel title="Kinds of keys">
          <ul className={classes.scopes}>
            {c.key_kinds.map((k) => (
              <li key={k.prefix}>
                <Text size="sm">
                  {k.title} <Tag tone={k.usable ? 'good' : 'info'}>{k.usable ? 'Can be used' : 'Cannot be used'}</Tag>
                </Text>
                <Text size="xs" c="dimmed">
                  Begins with <code>{k.prefix}</code>
                  {k.usable && kinds(k.kind).length > 0 && `. Reads: ${kinds(k.kind).join(', ')}`}
                </Text>
              </li>
            ))}
          </ul>
        </Panel>
      )}
      <Panel title="Good to know">
        <Stack gap="xs">
          {/^https:\/\//.test(c.docs) && (
            <Text size="sm">
              <Anchor href={c.docs} target="_blank" rel="noreferrer noopener" c="var(--ob-link)" underline="always" size="sm">
                How {c.vendor} explains this API and its keys
              </Anchor>
            </Text>
          )}
          <Text size="sm">Outband reads and never writes at {c.vendor}. For this connection it calls {c.hosts.join(', ')} and nothing else, unless you change the base URL.</Text>
          {c.limits.vendor_requests_per_minute > 0 && (
            <Text size="sm">
              {c.vendor} allows {number(c.limits.vendor_requests_per_minute)} requests a minute for the whole organisation; Outband takes {number(c.limits.requests_per_minute)} unless you set another number.
            </Text>
          )}
        </Stack>
      </Panel>
    </Stack>
  );
}
