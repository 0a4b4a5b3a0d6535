import { ActionIcon, Group, Skeleton, Text, Tooltip } from '@mantine/core';
import { useLocalStorage } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { $api } from '../../api/client';
import { preloadCharts } from '../../parts/chart';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page } from '../../parts/page';
import { ProblemAlert, Rows } from '../../parts/states';
import type { FindingsSearch } from '../../search';
import { useCan } from '../../session';
import { BulkBar } from './Bulk';
import { wantedColumns } from './columns';
import { allOf, useFacets, useList, useNames, useOldest, useTriage, type Finding } from './data';
import { FindingDrawer, focusDrawer, tabs, type Tab } from './Drawer';
import { Empty } from './Empty';
import { Chips, FacetBar } from './Facets';
import classes from './findings.module.css';
import { Grid, type Density, type GridHandle } from './Grid';
import { useKeys } from './keys';
import { useSelection } from './selection';
import { apiFilter, isFiltered, minute, sortedBy, sortOf, withFilters } from './state';
import { StatusDialog } from './StatusDialog';
import { ListOptions, SearchBox, Share, TimeRange, Views } from './Toolbar';
import { Trend } from './Trend';
import { spanOf } from './trend';
import { may, type Choice } from './triage';
import { counted } from './wording';

/** Findings is where findings are looked through and decided. Its whole state is in the address. */
export function Findings() {
  const search = useSearch({ from: '/shell/findings' });
  const navigate = useNavigate();
  const queries = useQueryClient();
  const can = useCan();
  const triage = useTriage();
  const grid = useRef<GridHandle>(null);
  const box = useRef<HTMLInputElement>(null);
  const [density, setDensity] = useLocalStorage<Density>({ key: 'outband-density', defaultValue: 'roomy' });
  const [shown, setShown] = useState<string[]>([]);
  const [activeId, setActive] = useState<string>();
  const [dialog, setDialog] = useState<{ findings: Finding[]; first?: Choice }>();

  // "The last 7 days" are counted from one moment, so that the list does not begin anew every minute. Refreshing moves it.
  const [now, setNow] = useState(() => minute(Date.now()));
  const filter = useMemo(() => apiFilter(search, now), [search, now]);

  const go = useCallback(
    (next: FindingsSearch, replace = false) => void navigate({ to: '/findings', search: next, replace, resetScroll: false }),
    [navigate],
  );

  const { names, connections } = useNames();
  const scans = $api.useQuery('get', '/api/v1/scans', { params: { query: { limit: 20 } } }, { staleTime: 5_000, refetchInterval: 10_000 });
  const scanning = scans.data?.items.some((s) => s.state === 'queued' || s.state === 'running') ?? false;
  const atWork = useRef(false);
  useEffect(preloadCharts, []);
  const facets = useFacets(filter);
  // While a scan runs and only the first page is there, new findings appear by themselves, unless somebody is at work in the list.
  const list = useList(filter, search.sort, (pages) => (scanning && pages <= 1 && !atWork.current ? 5_000 : false));
  const findings = useMemo(() => allOf(list.data?.pages), [list.data]);
  const oldest = useOldest(filter, filter.from === undefined && findings.length > 0);
  const span = useMemo(() => (filter.from === undefined && oldest.data === undefined ? undefined : spanOf(filter, oldest.data, now)), [filter, oldest.data, now]);
  const selection = useSelection(findings);

  useEffect(() => {
    atWork.current = search.open !== undefined || dialog !== undefined || activeId !== undefined || selection.selected.size > 0;
  });

  const at = (id: string | undefined) => (id === undefined ? -1 : findings.findIndex((f) => f.id === id));
  const openIndex = at(search.open);
  const active = at(activeId) >= 0 ? activeId : undefined;
  const current = search.open ? findings[openIndex] : active ? findings[at(active)] : undefined;

  const refresh = () => {
    setNow(minute(Date.now()));
    void queries.invalidateQueries({ queryKey: ['findings'] });
    void queries.invalidateQueries({ queryKey: ['get', '/api/v1/findings/facets'] });
  };
  const open = (id: string) => {
    setActive(id);
    go({ ...search, open: id }, search.open !== undefined);
  };
  const close = () => {
    const id = search.open;
    go({ ...search, open: undefined, tab: undefined });
    if (id) grid.current?.show(id, true);
  };
  const move = (by: 1 | -1) => {
    const from = search.open ? openIndex : at(active);
    const next = findings[from < 0 ? 0 : from + by];
    if (!next) return;
    setActive(next.id);
    grid.current?.show(next.id, search.open === undefined);
    if (search.open) go({ ...search, open: next.id }, true);
    if (list.hasNextPage && from + by >= findings.length - 3) void list.fetchNextPage();
  };
  const acknowledge = async (f: Finding) => {
    if (!may(f.status, 'acknowledged')) {
      failed(undefined, `A finding that is ${f.status.replace('_', ' ')} cannot be acknowledged`);
      return;
    }
    try {
      await triage.one(f, 'acknowledged', '');
      done('Acknowledged.');
    } catch (e) {
      failed(e);
    }
  };
  const chosen = () => (!search.open && selection.selected.size > 0 ? [...selection.selected.values()] : current ? [current] : []);
  const change = (what: Finding[], first?: Choice) => {
    // What was selected may have changed since: the list knows the newest status.
    const fresh = new Map(findings.map((f) => [f.id, f]));
    if (what.length > 0) setDialog({ findings: what.map((f) => fresh.get(f.id) ?? f), first });
  };
  const acknowledgeChosen = () => {
    const what = chosen();
    if (what.length === 1) void acknowledge(what[0]!);
    else change(what, 'acknowledged');
  };

  const backToList = () => {
    const id = active ?? findings[0]?.id;
    if (id) grid.current?.show(id, true);
    else box.current?.blur();
  };
  const closeDialog = () => {
    setDialog(undefined);
    if (search.open) focusDrawer();
    else backToList();
  };

  useKeys({
    move,
    leave: backToList,
    open: () => active && !search.open && open(active),
    close: () => {
      if (search.open) close();
      else if (selection.selected.size > 0) selection.clear();
      else return false;
      return true;
    },
    select: () => can('triage') && current && selection.toggle(current.id, false),
    search: () => {
      box.current?.focus();
      box.current?.select();
    },
    acknowledge: () => can('triage') && acknowledgeChosen(),
    status: () => can('triage') && change(chosen()),
  });

  const oneConnection = connections.data !== undefined && connections.data.items.length <= 1;
  const wanted = useMemo(() => wantedColumns({ columns: search.columns }, oneConnection), [search.columns, oneConnection]);
  const total = facets.data?.total;
  const filtered = isFiltered(search);
  const degraded = list.data?.pages.some((p) => p.degraded) || facets.data?.degraded;
  const nothing = list.data !== undefined && findings.length === 0 && !list.isPlaceholderData;
  const noConnection = nothing && !filtered && connections.data?.items.length === 0;
  const { hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage } = list;
  const more = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage && !isFetchNextPageError) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, isFetchNextPageError, fetchNextPage]);

  return (
    <div className={classes.page} data-open={search.open !== undefined}>
      <Page
        title="Findings"
        about={
          <span role="status" data-testid="total">
            {total === undefined ? 'Counting…' : `${counted(total, 'finding')}${filtered ? ' with these filters' : ''}`}
            {scanning && ' · a scan is running'}
          </span>
        }
        actions={
          <>
            <Tooltip label="Read the list again">
              <ActionIcon variant="default" size={34} aria-label="Refresh" onClick={refresh} loading={list.isRefetching && !list.isFetchingNextPage && !scanning}>
                <Icon name="refresh" size={17} />
              </ActionIcon>
            </Tooltip>
            <Share search={search} now={now} />
          </>
        }
      >
        <div className={classes.stack}>
          <Views search={search} onChange={go} />
          <Group gap="xs" wrap="wrap">
            <SearchBox search={search} onChange={go} inputRef={box} />
            <TimeRange search={search} onChange={go} />
            <ListOptions search={search} onChange={go} density={density} onDensity={setDensity} wanted={wanted} shown={shown} oneConnection={oneConnection} />
          </Group>
          <FacetBar search={search} facets={facets.data} names={names} onChange={go} />
          <Chips search={search} names={names} onChange={go} />
          {degraded && (
            <Text size="sm" role="note" className={classes.notice}>
              Search is answered by the store while Elasticsearch catches up.
            </Text>
          )}
          {facets.error && <ProblemAlert error={facets.error} title="The findings could not be counted" onRetry={() => void facets.refetch()} />}
          {!noConnection && (findings.length > 0 || list.isPending) && (
            <section className={`ob-surface ${classes.trend}`} aria-label="Findings over time">
              {span ? (
                <Trend label="Findings by the time they were first seen" filter={filter} span={span} height={92} onRange={(r) => go({ ...search, range: undefined, ...r, open: undefined, tab: undefined })} />
              ) : (
                <Skeleton height={126} />
              )}
            </section>
          )}
          <section className={`ob-surface ${classes.list}`} aria-label="List of findings">
            {list.error && !list.data ? (
              <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />
            ) : list.isPending ? (
              <Rows n={10} height={density === 'dense' ? 28 : 44} />
            ) : nothing ? (
              <Empty filtered={filtered} onClear={() => go(withFilters(search, {}))} />
            ) : (
              <Grid
                ref={grid}
                findings={findings}
                total={total}
                names={names}
                wanted={wanted}
                density={density}
                sort={sortOf(search)}
                onSort={(key) => go({ ...sortedBy(search, key), open: undefined, tab: undefined })}
                active={active}
                current={search.open}
                onOpen={open}
                onActive={setActive}
                selectable={can('triage')}
                selected={selection.selected}
                onSelect={selection.toggle}
                onSelectLoaded={(on) => (on ? selection.set(findings) : selection.clear())}
                more={list.hasNextPage}
                onMore={more}
                onFit={setShown}
                stale={list.isPlaceholderData}
              />
            )}
            {list.error && list.data && <ProblemAlert error={list.error} title="The next findings could not be read" onRetry={() => void list.fetchNextPage()} />}
          </section>
        </div>
        {selection.selected.size > 0 && can('triage') && (
          <BulkBar
            selected={selection.selected}
            total={total}
            filter={filter}
            onSelected={selection.set}
            onClear={selection.clear}
            onAcknowledge={() => change([...selection.selected.values()], 'acknowledged')}
            onStatus={() => change([...selection.selected.values()])}
          />
        )}
      </Page>
      {search.open && (
        <FindingDrawer
          id={search.open}
          listed={findings[openIndex]}
          names={names}
          tab={tabs.includes(search.tab as Tab) ? (search.tab as Tab) : 'evidence'}
          onTab={(tab) => go({ ...search, tab: tab === 'evidence' ? undefined : tab }, true)}
          onClose={close}
          onMove={move}
          place={openIndex < 0 ? undefined : { index: openIndex, loaded: findings.length }}
          onAcknowledge={(f) => void acknowledge(f)}
          onStatus={(f) => change([f])}
        />
      )}
      {dialog && <StatusDialog findings={dialog.findings} first={dialog.first} onClose={closeDialog} onChanged={() => dialog.findings.length > 1 && selection.clear()} />}
    </div>
  );
}
