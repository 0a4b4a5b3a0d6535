import { Text } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';

import { api, type Schemas } from '../../api/client';
import { ProblemAlert } from '../../parts/states';
import { When } from '../../parts/when';
import { hours } from '../coverage/state';
import { counted, number } from './state';

/** Estimate says about what reading the history takes: how many calls, and how long these take. `about` names what is asked, and holds no secret: the key of a query is kept by the page's tools. */
export function Estimate({ about, body }: { about: (string | null)[]; body: Schemas['EstimateInputBody'] }) {
  const got = useQuery({
    queryKey: ['estimate', ...about],
    queryFn: async ({ signal }) => (await api.POST('/api/v1/connections/backfill/estimate', { body, signal })).data!,
    // It takes calls of the app: asked once for each choice, and not again by itself.
    staleTime: 300_000,
    gcTime: 300_000,
    retry: false,
    refetchOnWindowFocus: false,
  });
  if (got.error) return <ProblemAlert error={got.error} title="It could not be estimated" onRetry={() => void got.refetch()} />;
  return (
    <div role="status" data-testid="estimate">
      {got.isPending ? (
        <Text size="sm" c="dimmed">
          Estimating what that takes …
        </Text>
      ) : (
        <Said estimate={got.data} />
      )}
    </div>
  );
}

function Said({ estimate: e }: { estimate: Schemas['BackfillEstimate'] }) {
  if (!e.from) return <Text size="sm">No history is read, which takes no call.</Text>;
  if (!e.known) return <Text size="sm">This app cannot say beforehand what its history takes.</Text>;
  const items = Object.values(e.items).reduce((n, x) => n + x, 0);
  return (
    <>
      <Text size="sm">
        Reading the history takes {e.exact ? '' : 'about '}
        <strong>{counted(e.calls, 'call')}</strong>: <strong>{hours(e.hours)}</strong> at {number(e.requests_per_minute)} calls a minute
        {items > 0 && `, for ${counted(items, 'item')} that were counted`}. What is new is read first all the same.
      </Text>
      {e.since && (
        <Text size="sm" c="dimmed">
          The oldest thing that the app has is of <When at={e.since} />.
        </Text>
      )}
    </>
  );
}
