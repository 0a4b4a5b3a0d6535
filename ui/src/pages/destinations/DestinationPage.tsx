import { Button, Group, Modal, SimpleGrid, Stack, Text } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api } from '../../api/client';
import { Tag } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page, Panel } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import classes from '../connections/connections.module.css';
import { Deliveries } from './Deliveries';
import { DestinationForm } from './DestinationForm';
import { LastDelivery, StateMessage } from './Destinations';
import { Rotate } from './SigningKey';
import { health, hostOf, type Destination } from './state';

/** DestinationPage shows one destination: its state, its last deliveries, and what can be sent again. */
export function DestinationPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  return <One key={id} id={id} />;
}

function Crumb() {
  return (
    <Link to="/destinations" className={classes.crumb}>
      Destinations
    </Link>
  );
}

function One({ id }: { id: string }) {
  const one = $api.useQuery('get', '/api/v1/destinations/{id}', { params: { path: { id } } }, { refetchInterval: 15_000 });
  if (one.data) return <Shown destination={one.data} />;
  return (
    <Page title="Destination" about={<Crumb />}>
      {one.isPending ? <Rows n={5} /> : <ProblemAlert error={one.error} onRetry={() => void one.refetch()} />}
    </Page>
  );
}

function Shown({ destination: d }: { destination: Destination }) {
  const can = useCan();
  const { tone, word } = health(d);
  return (
    <Page
      title={d.name}
      about={
        <>
          <Crumb /> · {hostOf(d.config.url)}
        </>
      }
      actions={can('admin') && <Actions destination={d} />}
    >
      <Panel>
        <Stack gap="md">
          <dl className={classes.facts}>
            <div>
              <dt>State</dt>
              <dd data-testid="state">
                <Tag tone={tone} dot>
                  {word}
                </Tag>
              </dd>
            </div>
            <div>
              <dt>Gets</dt>
              <dd>{d.filter ? <code>{d.filter}</code> : 'All findings'}</dd>
            </div>
            {can('evidence') && <LastDelivery id={d.id} />}
            <div>
              <dt>Address</dt>
              <dd>{d.config.url}</dd>
            </div>
            <div>
              <dt>Added</dt>
              <dd>
                <When at={d.created_at} />
              </dd>
            </div>
          </dl>
          <StateMessage destination={d} alert />
          {d.state === 'disabled' && <Text size="sm">Nothing is sent. What happens meanwhile is sent when it is enabled again.</Text>}
        </Stack>
      </Panel>
      {can('evidence') && <Deliveries id={d.id} />}
      {can('admin') && (
        <SimpleGrid cols={{ base: 1, lg: 2 }}>
          <Panel title="Settings">
            <DestinationForm key={JSON.stringify([d.name, d.config, d.filter])} destination={d} onDone={() => {}} />
          </Panel>
          <div>
            <Rotate destination={d} />
          </div>
        </SimpleGrid>
      )}
    </Page>
  );
}

function Actions({ destination: d }: { destination: Destination }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const [removing, setRemoving] = useState(false);
  const [busy, setBusy] = useState(false);
  const set = async (state: 'active' | 'disabled') => {
    setBusy(true);
    try {
      await api.PATCH('/api/v1/destinations/{id}', { params: { path: { id: d.id } }, body: { state } });
      done(state === 'active' ? `Events are sent to ${d.name} again.` : `Nothing is sent to ${d.name} until it is enabled.`);
    } catch (e) {
      failed(e);
    }
    await queries.invalidateQueries();
    setBusy(false);
  };
  const remove = async () => {
    setBusy(true);
    try {
      await api.DELETE('/api/v1/destinations/{id}', { params: { path: { id: d.id } } });
      done(`${d.name} is removed.`);
      await navigate({ to: '/destinations' });
      await queries.invalidateQueries();
    } catch (e) {
      failed(e);
      setBusy(false);
      setRemoving(false);
    }
  };
  return (
    <>
      {d.state === 'disabled' ? (
        <Button variant="default" loading={busy} leftSection={<Icon name="play" size={15} />} onClick={() => void set('active')}>
          Enable
        </Button>
      ) : (
        <Button variant="default" loading={busy} leftSection={<Icon name="pause" size={15} />} onClick={() => void set('disabled')}>
          Disable
        </Button>
      )}
      <Button variant="default" leftSection={<Icon name="trash" size={15} />} onClick={() => setRemoving(true)}>
        Remove…
      </Button>
      <Modal opened={removing} onClose={() => setRemoving(false)} title={`Remove ${d.name}?`}>
        <Stack>
          <Text size="sm">Nothing more is sent there, and its signing key is deleted. Findings stay, and so does the record of what was delivered with each. This cannot be undone.</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setRemoving(false)}>
              Keep it
            </Button>
            <Button color="red" loading={busy} onClick={() => void remove()}>
              Remove
            </Button>
          </Group>
        </Stack>
      </Modal>
    </>
  );
}
