import { Alert, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { $api } from '../../api/client';
import { Icon } from '../../parts/icons';
import { useCan } from '../../session';
import { counted } from '../findings/wording';
import { Pauses } from '../policies/Sections';

const every = 60_000; // ms between looks

/** Notices name what somebody should act on about policies: those that were paused, and exceptions that end soon. Without either there is nothing. */
export function Notices() {
  const can = useCan();
  const policies = $api.useQuery('get', '/api/v1/policies', { params: { query: { limit: 500 } } }, { refetchInterval: every });
  const exceptions = $api.useQuery('get', '/api/v1/exceptions', { params: { query: { limit: 1 } } }, { enabled: can('evidence'), refetchInterval: every });
  const soon = exceptions.data?.counts.expiring_soon ?? 0;
  return (
    <>
      <Pauses policies={policies.data?.items ?? []} />
      {soon > 0 && (
        <Alert color="yellow" variant="outline" icon={<Icon name="clock" />} title={`${counted(soon, 'exception')} ${soon === 1 ? 'ends' : 'end'} within 14 days`} styles={{ title: { color: 'var(--mantine-color-text)' } }}>
          <Text size="sm">
            What {soon === 1 ? 'it covers' : 'they cover'} makes findings again then. <Link to="/policies/exceptions">Look at the exceptions</Link> and extend or drop them.
          </Text>
        </Alert>
      )}
    </>
  );
}
