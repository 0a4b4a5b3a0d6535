import { Alert, Button, Group, List, Stack, Text } from '@mantine/core';
import { Link, useNavigate } from '@tanstack/react-router';
import { useState } from 'react';

import type { Schemas } from '../../api/client';
import { Icon } from '../../parts/icons';
import { Page, Panel } from '../../parts/page';
import { EmptyState } from '../../parts/states';
import { useCan } from '../../session';
import classes from '../connections/connections.module.css';
import { DestinationForm } from './DestinationForm';
import { KeyShown, Verify } from './SigningKey';

/** AddDestination adds a webhook, and then shows the signing key that was made for it, once. */
export function AddDestination() {
  const can = useCan();
  const navigate = useNavigate();
  const [made, setMade] = useState<Schemas['NewDestination']>();
  const open = (id: string) => void navigate({ to: '/destinations/$id', params: { id } });
  if (!can('admin')) {
    return (
      <Page title="Add a destination">
        <section className="ob-surface">
          <EmptyState icon="key" title="An admin adds destinations" action={<Link to="/destinations">Back to the destinations</Link>}>
            Your role does not allow it. Ask an admin.
          </EmptyState>
        </section>
      </Page>
    );
  }
  if (made) {
    return (
      <Page title="The signing key" about={<>For the receiver of {made.name}</>}>
        <Panel>
          <Stack maw={820}>
            <Alert color="yellow" variant="outline" icon={<Icon name="warning" />} title="This key is shown only now" styles={{ title: { color: 'var(--mantine-color-text)' } }}>
              <Text size="sm">Give it to the receiver before you leave this page. If it is lost, replace it on the page of the destination.</Text>
            </Alert>
            {made.signing_key && <KeyShown value={made.signing_key} />}
            <Group justify="flex-end">
              <Button onClick={() => open(made.id)}>The receiver has it</Button>
            </Group>
          </Stack>
        </Panel>
      </Page>
    );
  }
  return (
    <Page
      title="Add a destination"
      about={
        <>
          <Link to="/destinations" className={classes.crumb}>
            Destinations
          </Link>{' '}
          · a webhook that gets every change of a finding, signed
        </>
      }
    >
      <div className={classes.two}>
        <Panel title="Webhook">
          <DestinationForm onCancel={() => void navigate({ to: '/destinations' })} onDone={(d) => (d.signing_key ? setMade(d) : open(d.id))} />
        </Panel>
        <Panel title="What the receiver gets">
          <Stack gap="sm">
            <List size="sm" spacing={6}>
              <List.Item>A POST with JSON for each change of a finding, from now on. What was before can be sent from the page of the destination.</List.Item>
              <List.Item>Values are masked, as everywhere.</List.Item>
              <List.Item>What is not answered with a 2xx status is tried again for 72 hours, in order for each finding.</List.Item>
            </List>
            <Verify />
          </Stack>
        </Panel>
      </div>
    </Page>
  );
}
