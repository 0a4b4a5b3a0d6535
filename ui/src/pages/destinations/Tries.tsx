import { Alert, Code, Group, Stack, Tabs, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import type { Schemas } from '../../api/client';
import { Tag } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { pretty } from './state';

/** TestResult says what a test event met. */
export function TestResult({ test: t }: { test: Schemas['DestinationTest'] }) {
  return (
    <Alert
      role="status"
      data-testid="test-event"
      color={t.ok ? 'tide' : 'red'}
      variant="outline"
      icon={<Icon name={t.ok ? 'check' : 'warning'} />}
      title={t.ok ? 'Delivered' : 'Not delivered'}
      styles={{ title: { color: t.ok ? 'var(--mantine-color-text)' : 'var(--mantine-color-error)' } }}
    >
      <Group gap="xs">
        {t.status > 0 && <Tag tone={t.ok ? 'good' : 'critical'}>Status {t.status}</Tag>}
        <Text size="sm" className="ob-break">
          {t.message}
        </Text>
      </Group>
    </Alert>
  );
}

/** Preview shows the call that would be made. */
export function Preview({ preview: p }: { preview: Schemas['Preview'] }) {
  return (
    <section className="ob-surface" aria-label="Preview of the call" style={{ padding: 14 }}>
      <Stack gap="xs">
        <Text size="sm" fw={600}>
          Nothing was sent. This is the call{' '}
          {p.finding_id ? (
            <>
              for <Link to="/findings" search={{ open: p.finding_id }}>the newest finding that fits</Link>.
            </>
          ) : (
            'for a made-up finding: none fits yet.'
          )}
        </Text>
        <Text size="xs" c="dimmed">
          The signature is made with a key of zeros, never with the key of a destination.
        </Text>
        <Tabs defaultValue="body" keepMounted={false}>
          <Tabs.List aria-label="Parts of the call">
            <Tabs.Tab value="body">Body</Tabs.Tab>
            <Tabs.Tab value="headers">Headers</Tabs.Tab>
          </Tabs.List>
          <Tabs.Panel value="body" pt="xs">
            <Code block mah={420} style={{ overflow: 'auto' }} tabIndex={0} role="region" aria-label="Body of the call">
              {pretty(p.body)}
            </Code>
          </Tabs.Panel>
          <Tabs.Panel value="headers" pt="xs">
            <Code block mah={420} style={{ overflow: 'auto', whiteSpace: 'pre-wrap' }} className="ob-break" tabIndex={0} role="region" aria-label="Headers of the call">
              {`${p.method} ${p.url}\n${p.headers.map((h) => `${h.name}: ${h.value}`).join('\n')}`}
            </Code>
          </Tabs.Panel>
        </Tabs>
      </Stack>
    </section>
  );
}
