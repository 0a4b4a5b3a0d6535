import { Button, Group, SimpleGrid, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { $api } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import classes from '../connections/connections.module.css';
import { deliveryTone, health, hostOf, type Destination } from './state';

/** Destinations lists where findings are sent. */
export function Destinations() {
  const can = useCan();
  const list = $api.useQuery('get', '/api/v1/destinations', { params: { query: { limit: 500 } } }, { refetchInterval: 15_000 });
  const items = list.data?.items ?? [];
  // What needs somebody comes first.
  const sorted = [...items].sort((a, b) => Number(b.state === 'failing') - Number(a.state === 'failing'));
  const add = can('admin') && (
    <Button component={Link} to="/destinations/new" leftSection={<Icon name="plus" size={16} />}>
      Add a destination
    </Button>
  );
  return (
    <Page title="Destinations" about="Where each change of a finding is sent: signed, at least once, and tried again for 72 hours." actions={items.length > 0 && add}>
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Rows n={2} height={120} />}
      {list.data && items.length === 0 && (
        <section className="ob-surface">
          <EmptyState icon="destinations" title="Findings are sent nowhere yet" action={add}>
            Add the webhook of a SIEM or SOAR. Its calls carry a Standard Webhooks signature.
            {!can('admin') && ' An admin can do this.'}
          </EmptyState>
        </section>
      )}
      <SimpleGrid cols={{ base: 1, lg: sorted.length > 1 ? 2 : 1 }}>
        {sorted.map((d) => (
          <Card key={d.id} destination={d} />
        ))}
      </SimpleGrid>
    </Page>
  );
}

function Card({ destination: d }: { destination: Destination }) {
  const can = useCan();
  const { tone, word } = health(d);
  return (
    <section className={`ob-surface ${classes.card}`} aria-label={d.name} data-destination={d.id}>
      <div className={classes.head}>
        <span className={classes.letter} aria-hidden="true">
          <Icon name="destinations" />
        </span>
        <div className={classes.grow}>
          <h2 className={classes.title}>
            <Link to="/destinations/$id" params={{ id: d.id }} className={classes.name}>
              {d.name}
            </Link>
          </h2>
          <Text size="sm" c="dimmed" className="ob-break">
            {words(d.kind)} · {hostOf(d.config.url)}
          </Text>
        </div>
        <Tag tone={tone} dot>
          {word}
        </Tag>
      </div>
      <StateMessage destination={d} />
      <dl className={classes.facts}>
        <div>
          <dt>Gets</dt>
          <dd>{d.filter ? <code>{d.filter}</code> : 'All findings'}</dd>
        </div>
        {can('evidence') && <LastDelivery id={d.id} />}
        <div>
          <dt>Added</dt>
          <dd>
            <When at={d.created_at} />
          </dd>
        </div>
      </dl>
      <div className={classes.acts}>
        <Button component={Link} to={`/destinations/${d.id}`} variant="default" size="xs" aria-label={`Open ${d.name}`}>
          Open
        </Button>
      </div>
    </section>
  );
}

/** StateMessage says why nothing gets through and what to do. */
export function StateMessage({ destination: d, alert }: { destination: Destination; alert?: boolean }) {
  if (!d.state_message) return null;
  return (
    <div className={classes.attention} role={alert ? 'alert' : undefined}>
      <Icon name="warning" size={18} />
      <div className={classes.grow}>
        <span className="ob-break">{d.state_message}</span>
        {d.state === 'failing' && <div>Outband goes on trying. Events that are older than 72 hours are parked, and can be sent again from here.</div>}
      </div>
    </div>
  );
}

/** LastDelivery is the event that was sent or tried last. */
export function LastDelivery({ id }: { id: string }) {
  const last = $api.useQuery('get', '/api/v1/destinations/{id}/deliveries', { params: { path: { id }, query: { limit: 1 } } }, { refetchInterval: 15_000 }).data?.items[0];
  return (
    <div>
      <dt>Last delivery</dt>
      <dd>
        {last ? (
          <Group gap={6}>
            <Tag tone={deliveryTone[last.state] ?? 'info'}>{words(last.state)}</Tag>
            <When at={last.delivered_at || last.updated_at} />
          </Group>
        ) : (
          'None yet'
        )}
      </dd>
    </div>
  );
}
