import { Group, SegmentedControl, SimpleGrid, Stack, Table, Text, useMantineColorScheme, type MantineColorScheme } from '@mantine/core';

import { $api, type Schemas } from '../../api/client';
import { Tag, words, type Tone } from '../../parts/badges';
import { Copyable } from '../../parts/copy';
import { Page, Panel } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { roleOf, useMe } from '../../session';
import { Password } from './Password';

const stateTone: Record<Schemas['Check']['state'], Tone> = { up: 'good', degraded: 'medium', down: 'critical' };

const parts: Record<string, { title: string; about: string }> = {
  store: { title: 'Store', about: 'The system of record: connections, findings, the log, the audit log.' },
  temporal: { title: 'Temporal', about: 'Runs scans and deliveries. What it holds is rebuilt from the store.' },
  elasticsearch: { title: 'Elasticsearch', about: 'Answers lists and counts. While it is away, the store answers.' },
};

/** Settings shows the state of the installation, what it may call, and the signed-in person's own settings. */
export function Settings() {
  const me = useMe();
  const system = $api.useQuery('get', '/api/v1/system', {}, { refetchInterval: 10_000 });
  const connections = $api.useQuery('get', '/api/v1/connections', { params: { query: { limit: 500 } } });
  const destinations = $api.useQuery('get', '/api/v1/destinations', { params: { query: { limit: 500 } } });
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const names = new Map([...(connections.data?.items ?? []), ...(destinations.data?.items ?? [])].map((x) => [x.id, x.name]));
  return (
    <Page title="Settings and health" about="What Outband runs on, what it may call, and your own account.">
      {system.error && <ProblemAlert error={system.error} onRetry={() => void system.refetch()} />}
      {system.isPending && <Rows n={4} />}
      {system.data && (
        <>
          <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }}>
            {Object.entries(system.data.checks)
              .sort(([a], [b]) => a.localeCompare(b))
              .map(([name, check]) => (
                <Panel key={name} title={parts[name]?.title ?? words(name)} right={<Tag tone={stateTone[check.state]} dot>{words(check.state)}</Tag>}>
                  <Stack gap={4}>
                    <Text size="sm" c="dimmed">
                      {parts[name]?.about}
                    </Text>
                    {check.detail && <Text size="sm">{check.detail}</Text>}
                  </Stack>
                </Panel>
              ))}
            <Panel title="This installation" right={<Tag tone={system.data.ready ? 'good' : 'critical'}>{system.data.ready ? 'Ready' : 'Not ready'}</Tag>}>
              <Table withRowBorders={false} verticalSpacing={3}>
                <Table.Tbody>
                  <Row name="Version">{system.data.version}</Row>
                  <Row name="Started">
                    <When at={system.data.started_at} />
                  </Row>
                  <Row name="Role">{system.data.role}</Row>
                  <Row name="Store">{system.data.store.kind === 'postgres' ? 'Postgres' : 'SQLite'}</Row>
                  <Row name="Search">
                    {system.data.search.engine === 'elasticsearch' ? 'Elasticsearch' : 'Embedded'}
                    {system.data.search.behind > 0 && `, ${system.data.search.behind.toLocaleString('en')} changes behind`}
                  </Row>
                  <Row name="Address">
                    <Copyable value={system.data.public_url} />
                  </Row>
                </Table.Tbody>
              </Table>
            </Panel>
          </SimpleGrid>
          <Panel title="What Outband calls" pad={false}>
            <Text size="sm" c="dimmed" px="sm" pb="sm">
              Nothing else is called: no update check, no telemetry. A firewall may allow just these hosts.
            </Text>
            <Table verticalSpacing="xs">
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>Host</Table.Th>
                  <Table.Th>For</Table.Th>
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {system.data.egress.hosts.length === 0 && (
                  <Table.Tr>
                    <Table.Td colSpan={2}>Nothing yet: there is no connection and no destination.</Table.Td>
                  </Table.Tr>
                )}
                {system.data.egress.hosts.map((h) => (
                  <Table.Tr key={h.host + h.for}>
                    <Table.Td fw={600} className="ob-break">
                      {h.host}
                    </Table.Td>
                    <Table.Td className="ob-break">{names.get(h.for) ?? h.for}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
            </Table>
            <Text size="sm" p="sm">
              Private networks that may be called (<code>egress.allow</code>): {system.data.egress.allow.length > 0 ? system.data.egress.allow.join(', ') : 'none'}
            </Text>
          </Panel>
        </>
      )}
      <SimpleGrid cols={{ base: 1, md: 2 }}>
        <Panel title="Your account">
          <Stack gap="xs">
            <Text size="sm">
              {me?.user?.name} · {me?.user?.email} · {words(roleOf(me) ?? '')}
            </Text>
            <Group gap="sm">
              <Text size="sm" id="appearance">
                Appearance
              </Text>
              <SegmentedControl
                aria-labelledby="appearance"
                value={colorScheme}
                onChange={(v) => setColorScheme(v as MantineColorScheme)}
                data={[
                  { value: 'auto', label: 'System' },
                  { value: 'light', label: 'Light' },
                  { value: 'dark', label: 'Dark' },
                ]}
              />
            </Group>
          </Stack>
        </Panel>
        {me?.user && (
          <Panel title="Change your password">
            <Password />
          </Panel>
        )}
      </SimpleGrid>
    </Page>
  );
}

function Row({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <Table.Tr>
      <Table.Td w={90} c="dimmed" style={{ verticalAlign: 'top' }}>
        {name}
      </Table.Td>
      <Table.Td>{children}</Table.Td>
    </Table.Tr>
  );
}
