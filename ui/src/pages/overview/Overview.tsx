import { SegmentedControl, Text } from '@mantine/core';
import { keepPreviousData } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useEffect, useMemo, useState } from 'react';

import { $api } from '../../api/client';
import { severities } from '../../parts/badges';
import { preloadCharts } from '../../parts/chart';
import { Page, Panel } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import { useNames } from '../findings/data';
import { minute, openStatuses } from '../findings/state';
import { Trend } from '../findings/Trend';
import { bounds, countOf, periods, stepsOf, top, type PeriodName } from './figures';
import { FirstRun } from './FirstRun';
import { ConnectionHealth, CoverageSummary, DeliveryHealth } from './Health';
import { Notices } from './Notices';
import { SeverityCard } from './SeverityCard';
import { TopList } from './TopList';
import classes from './overview.module.css';

const every = 60_000; // ms between looks

/** Overview is the first page: what is open, what is new, and whether everything works. */
export function Overview() {
  const { range = '30d' } = useSearch({ from: '/shell/' });
  const navigate = useNavigate();
  const now = useMinute();
  useEffect(preloadCharts, []);
  const { span, before: start } = useMemo(() => bounds(range, now), [range, now]);
  const days = periods[range];

  const kept = { placeholderData: keepPreviousData, refetchInterval: every };
  const open = { status: openStatuses };
  const openNow = $api.useQuery('get', '/api/v1/findings/facets', { params: { query: open } }, kept);
  const fresh = $api.useQuery('get', '/api/v1/findings/facets', { params: { query: span } }, kept);
  const before = $api.useQuery('get', '/api/v1/findings/facets', { params: { query: { from: start, to: span.from } } }, kept);
  const all = $api.useQuery('get', '/api/v1/findings/facets', { params: { query: {} } }, kept);
  const people = $api.useQuery('get', '/api/v1/findings/people', { params: { query: { ...open, limit: 6 } } }, kept);
  const long = { params: { query: { limit: 500 } } };
  const scans = $api.useQuery('get', '/api/v1/scans', { params: { query: { limit: 50 } } }, { refetchInterval: 10_000 });
  const destinations = $api.useQuery('get', '/api/v1/destinations', long, kept);
  const coverage = $api.useQuery('get', '/api/v1/coverage', long, kept);
  const { names, connections } = useNames();

  const error = openNow.error ?? fresh.error ?? before.error ?? all.error;
  const ready = connections.data && scans.data && destinations.data && all.data;
  const steps = ready && stepsOf(connections.data.items.length, scans.data.items, all.data.total, destinations.data.items.length);
  const zoom = (r: { from: string; to: string }) => void navigate({ to: '/findings', search: r });

  return (
    <Page
      title="Overview"
      about="What is open, what is new, and whether everything works."
      actions={
        steps?.connection && (
          <SegmentedControl
            aria-label="Time"
            value={range}
            onChange={(v) => void navigate({ to: '/', search: { range: v === '30d' ? undefined : (v as PeriodName) }, replace: true, resetScroll: false })}
            data={[
              { value: '7d', label: '7 days' },
              { value: '30d', label: '30 days' },
              { value: '90d', label: '90 days' },
            ]}
          />
        )
      }
    >
      {error && <ProblemAlert error={error} title="The findings could not be counted" onRetry={() => void Promise.all([openNow.refetch(), fresh.refetch(), before.refetch(), all.refetch()])} />}
      {[connections, scans, destinations].map((q, i) => q.error && <ProblemAlert key={i} error={q.error} onRetry={() => void q.refetch()} />)}
      {!ready && !error && !connections.error && !scans.error && !destinations.error && <Rows n={6} height={60} />}
      {steps && <FirstRun steps={steps} scans={scans.data!.items} />}
      {steps?.connection && (
        <>
          <Notices />
          <section aria-label="Findings by severity">
            <div className={classes.cards}>
              {severities.map((s) => (
                <SeverityCard key={s} severity={s} range={range} days={days} open={countOf(openNow.data, 'severity', s)} fresh={countOf(fresh.data, 'severity', s)} before={countOf(before.data, 'severity', s)} pending={!openNow.data || !fresh.data || !before.data} />
              ))}
            </div>
            <Text size="xs" c="dimmed" mt={8}>
              Open counts findings that are open, acknowledged or in progress. New counts those that were first seen in these {days} days.
            </Text>
          </section>
          <Panel title="New findings per day">
            <Trend label={`New findings per day, last ${days} days`} filter={noFilter} span={span} height={210} onRange={zoom} />
          </Panel>
          <div className={classes.columns}>
            <Panel title="Top policies" right={byOpen}>
              <TopList
                pending={openNow.isPending}
                rows={top(openNow.data, 'policy_id', 6).map((c) => ({ id: c.value, name: names.policy.get(c.value) ?? c.value, count: c.count, search: { policy_id: [c.value], status: openStatuses } }))}
                total={openNow.data?.total ?? 0}
                empty="No policy has an open finding."
              />
            </Panel>
            <Panel title="Top people" right={byOpen}>
              {people.error ? (
                <ProblemAlert error={people.error} onRetry={() => void people.refetch()} />
              ) : (
                <TopList
                  pending={people.isPending}
                  rows={(people.data?.items ?? []).map((p) => {
                    const who = p.actor.email || p.actor.id;
                    return { id: p.actor.id || who, name: who, count: p.count, search: { actor: [who], status: openStatuses } };
                  })}
                  total={openNow.data?.total ?? 0}
                  empty="No open finding names a person."
                />
              )}
            </Panel>
            <Panel title="Top connections" right={byOpen}>
              <TopList
                pending={openNow.isPending}
                rows={top(openNow.data, 'connection_id', 6).map((c) => ({
                  id: c.value,
                  name: names.connection.get(c.value) ?? `Removed connection (${c.value})`,
                  count: c.count,
                  search: { connection_id: [c.value], status: openStatuses },
                }))}
                total={openNow.data?.total ?? 0}
                empty="No connection has an open finding."
              />
            </Panel>
          </div>
          <div className={classes.columns}>
            <Panel title="Connection health">
              <ConnectionHealth connections={connections.data!.items} scans={scans.data!.items} />
            </Panel>
            <Panel title="Delivery health">
              <DeliveryHealth destinations={destinations.data!.items} />
            </Panel>
          </div>
          <Panel title="Coverage">
            {coverage.error ? <ProblemAlert error={coverage.error} onRetry={() => void coverage.refetch()} /> : coverage.data ? <CoverageSummary streams={coverage.data.items} names={names} /> : <Rows n={3} />}
          </Panel>
        </>
      )}
    </Page>
  );
}

const noFilter = {};

const byOpen = (
  <Text size="sm" c="dimmed">
    by open findings
  </Text>
);

/** useMinute is the minute that it is, which all questions of the page share. */
function useMinute(): number {
  const [now, setNow] = useState(() => minute(Date.now()) + every);
  useEffect(() => {
    const timer = setInterval(() => setNow(minute(Date.now()) + every), every);
    return () => clearInterval(timer);
  }, []);
  return now;
}
