import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useMemo, type ReactNode } from 'react';

import { api } from '../../api/client';
import { severities, words } from '../../parts/badges';
import { StackedBars, type Bar, type Stack } from '../../parts/chart';
import { ProblemAlert } from '../../parts/states';
import type { ApiFilter } from './state';
import { barNames, intervalFor, zoneName, zoomed } from './trend';

// The worst stands on the ground, where heights are compared most easily.
const stacks: Stack[] = severities.map((s) => ({ name: words(s), colour: `--ob-chart-${s}` }));

interface Props {
  label: string;
  filter: ApiFilter;
  span: { from: string; to: string } | undefined;
  height?: number;
  left?: ReactNode;
  onRange: (range: { from: string; to: string }) => void;
}

/** Trend charts when the findings of a filter were first seen, stacked by severity, in days of the browser's time zone. */
export function Trend({ label, filter, span, height, left, onRange }: Props) {
  const zone = zoneName();
  const interval = span && intervalFor(Date.parse(span.from), Date.parse(span.to));
  const buckets = useQuery({
    queryKey: ['findings', 'timeline', filter, span, interval, zone],
    queryFn: async ({ signal }) => {
      const { data } = await api.GET('/api/v1/findings/timeline', { params: { query: { ...filter, from: span!.from, to: span!.to, interval, tz: zone } }, signal });
      return { items: data!.items, interval: interval!, span: span! };
    },
    enabled: span !== undefined,
    placeholderData: keepPreviousData,
    staleTime: 30_000,
  });
  const shown = buckets.data;
  const bars = useMemo(
    (): Bar[] => (shown?.items ?? []).map((b) => ({ ...barNames(b.at, shown!.interval, zone), values: severities.map((s) => b.severity[s] ?? 0) })),
    [shown, zone],
  );
  if (buckets.error) return <ProblemAlert error={buckets.error} onRetry={() => void buckets.refetch()} />;
  return (
    <StackedBars
      label={label}
      bars={bars}
      stacks={stacks}
      height={height}
      busy={!shown}
      left={left}
      onRange={(first, last) => {
        const range = shown && zoomed(shown.items.map((b) => b.at), first, last, shown.span);
        if (range) onRange(range);
      }}
    />
  );
}
