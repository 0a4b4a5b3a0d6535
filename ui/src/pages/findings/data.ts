// The questions that the findings page asks the API, and the changes that it makes.
import { keepPreviousData, useInfiniteQuery, useQuery, useQueryClient, type InfiniteData, type QueryClient } from '@tanstack/react-query';
import { useMemo } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { useDetectors } from '../../api/detectors';
import type { Status } from '../../parts/badges';
import type { ApiFilter, Names } from './state';
import { chunks, tally, type Choice, type Outcome, type Tally } from './triage';

export type Finding = Schemas['Finding'];
type Page = Schemas['SearchListFinding'];

export const pageSize = 100;
const listKey = ['findings', 'list'];

/** useList reads the findings of a filter page by page. What is shown stays until the answer to a changed filter is there. */
export function useList(filter: ApiFilter, sort: string | undefined, refetchInterval: (loadedPages: number) => number | false) {
  return useInfiniteQuery({
    queryKey: [...listKey, filter, sort ?? ''],
    initialPageParam: '',
    queryFn: async ({ pageParam, signal }): Promise<Page> => {
      const { data } = await api.GET('/api/v1/findings', { params: { query: { ...filter, sort, limit: pageSize, cursor: pageParam || undefined } }, signal });
      return data!;
    },
    getNextPageParam: (last) => last.next_cursor || undefined,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
    // A list that moves under the hand is worse than one that is some minutes old; there is a button.
    refetchOnWindowFocus: false,
    refetchInterval: (q) => refetchInterval(q.state.data?.pages.length ?? 0),
  });
}

/** allOf puts the pages together. Keys other than first_seen_at may change while paging: no finding is shown twice. */
export function allOf(pages: Page[] | undefined): Finding[] {
  const seen = new Set<string>();
  const out: Finding[] = [];
  for (const p of pages ?? []) {
    for (const f of p.items) {
      if (!seen.has(f.id)) {
        seen.add(f.id);
        out.push(f);
      }
    }
  }
  return out;
}

export const mostSelected = 5000;

/** readAll reads the findings of a filter, at most mostSelected, to change all of them at once. */
export async function readAll(filter: ApiFilter, signal: AbortSignal, progress: (n: number) => void): Promise<Finding[]> {
  const pages: Page[] = [];
  for (let cursor = '', n = 0; ; ) {
    const { data } = await api.GET('/api/v1/findings', { params: { query: { ...filter, limit: 500, cursor: cursor || undefined } }, signal });
    pages.push(data!);
    n += data!.items.length;
    progress(Math.min(n, mostSelected));
    cursor = data!.next_cursor;
    if (!cursor || n >= mostSelected) return allOf(pages).slice(0, mostSelected);
  }
}

/** useFacets counts by field; the counts stay while those of a changed filter are read. */
export function useFacets(filter: ApiFilter) {
  return $api.useQuery('get', '/api/v1/findings/facets', { params: { query: filter } }, { placeholderData: keepPreviousData, staleTime: 15_000, refetchInterval: 60_000 });
}

/** useNames reads what policies, detectors, connections and connectors are called. */
export function useNames() {
  const long = { staleTime: 5 * 60_000 };
  const all = { params: { query: { limit: 500 } } };
  const policies = $api.useQuery('get', '/api/v1/policies', all, long);
  const detectors = useDetectors();
  const connections = $api.useQuery('get', '/api/v1/connections', all, { staleTime: 30_000 });
  const connectors = $api.useQuery('get', '/api/v1/connectors', all, long);
  const names = useMemo((): Names => {
    const map = <T extends { id: string }>(items: T[] | undefined, name: (x: T) => string) => new Map((items ?? []).map((x) => [x.id, name(x)]));
    return {
      policy: map(policies.data?.items, (p) => p.title),
      detector: map(detectors.data?.items, (d) => d.title),
      connection: map(connections.data?.items, (c) => c.name),
      connector: map(connectors.data?.items, (c) => c.name),
    };
  }, [policies.data, detectors.data, connections.data, connectors.data]);
  return { names, policies, detectors, connections };
}

/** useOldest is when the oldest finding of a filter was first seen: where a chart of all time begins. */
export function useOldest(filter: ApiFilter, enabled: boolean) {
  return useQuery({
    queryKey: ['findings', 'oldest', filter],
    queryFn: async ({ signal }) => {
      const { data } = await api.GET('/api/v1/findings', { params: { query: { ...filter, sort: 'first_seen_at', limit: 1 } }, signal });
      return data!.items[0]?.first_seen_at ?? null;
    },
    enabled,
    placeholderData: keepPreviousData,
    staleTime: 60_000,
  });
}

const detailKey = (id: string) => ({ params: { path: { id } } });

/** useDetail reads one finding with its first instances. Every read is a row of the audit log: it is not repeated when the window gets the focus. */
export function useDetail(id: string | undefined, enabled: boolean) {
  return $api.useQuery('get', '/api/v1/findings/{id}', detailKey(id ?? ''), { enabled: enabled && id !== undefined, staleTime: 5 * 60_000, refetchOnWindowFocus: false });
}

type Listed = InfiniteData<Page>;

/** patchList changes the status of findings in every list that is loaded. */
export function patchList(queries: QueryClient, ids: ReadonlySet<string>, status: Status) {
  queries.setQueriesData<Listed>({ queryKey: listKey }, (old) => old && { ...old, pages: old.pages.map((p) => ({ ...p, items: p.items.map((f) => (ids.has(f.id) ? { ...f, status } : f)) })) });
  for (const id of ids) {
    queries.setQueryData<Finding>($api.queryOptions('get', '/api/v1/findings/{id}', detailKey(id)).queryKey, (old) => old && { ...old, status });
  }
}

/** useTriage changes statuses: shown at once where it is one finding, after the answer where it is many. Lists keep the changed rows until they
 * are read again, so that nothing jumps away under the hand. */
export function useTriage() {
  const queries = useQueryClient();
  const counted = async () => {
    await Promise.all([
      queries.invalidateQueries({ queryKey: ['get', '/api/v1/findings/facets'] }),
      queries.invalidateQueries({ queryKey: ['findings', 'timeline'] }),
      queries.invalidateQueries({ queryKey: ['get', '/api/v1/findings/people'] }),
      queries.invalidateQueries({ queryKey: ['get', '/api/v1/findings/{id}/history'] }),
    ]);
  };
  return {
    /** one changes one finding. It throws what the API says, and then shows the former status again. */
    async one(finding: Pick<Finding, 'id' | 'status'>, status: Choice, reason: string): Promise<void> {
      const ids = new Set([finding.id]);
      patchList(queries, ids, status);
      try {
        const { data } = await api.PATCH('/api/v1/findings/{id}', { params: { path: { id: finding.id } }, body: { status, reason: reason || undefined } });
        patchList(queries, ids, data!.status);
      } catch (e) {
        patchList(queries, ids, finding.status);
        throw e;
      }
      await counted();
    },
    /** many changes findings in pieces of at most 500. If a piece fails, what was changed before stays and is told. */
    async many(ids: string[], status: Choice, reason: string, progress: (n: number) => void): Promise<{ tally: Tally; error?: unknown }> {
      const outcomes: Outcome[] = [];
      let error: unknown;
      for (const part of chunks(ids, 500)) {
        try {
          const { data } = await api.POST('/api/v1/findings/bulk', { body: { ids: part, status, reason: reason || undefined } });
          outcomes.push(...data!.items);
          patchList(queries, new Set(data!.items.filter((o) => !o.code).map((o) => o.id)), status);
        } catch (e) {
          error = e;
          break;
        }
        progress(outcomes.length);
      }
      await counted();
      return { tally: tally(outcomes), error };
    },
  };
}
