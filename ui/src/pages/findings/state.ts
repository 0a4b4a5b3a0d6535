// What the address of the findings page says, and what the API is asked for it. Everything here is pure: the page and its tests share it.
import { words, type Status } from '../../parts/badges';
import type { FindingsSearch } from '../../search';

/** Fields that have counts, in the order in which they are offered. */
export const facetFields = ['severity', 'status', 'policy_id', 'detector', 'connection_id', 'kind', 'resource_kind', 'source', 'connector'] as const;
export type FacetField = (typeof facetFields)[number];

/** Every field that takes several values; they are an OR, the fields are an AND. */
export const filterFields = [...facetFields, 'actor'] as const;
export type FilterField = (typeof filterFields)[number];

export const fieldNames: Record<FilterField, string> = {
  severity: 'Severity',
  status: 'Status',
  policy_id: 'Policy',
  detector: 'Detector',
  connection_id: 'Connection',
  kind: 'Kind',
  resource_kind: 'Resource',
  source: 'Source',
  connector: 'Connector',
  actor: 'Person',
};

/** Statuses that somebody still has to deal with. "Open" in views and on the overview means these three. */
export const openStatuses: Status[] = ['open', 'acknowledged', 'in_progress'];

const day = 86_400_000; // ms
export const ranges = { '24h': day, '7d': 7 * day, '30d': 30 * day, '90d': 90 * day } as const;
export type Range = keyof typeof ranges;
export const rangeNames: Record<Range, string> = { '24h': 'Last 24 hours', '7d': 'Last 7 days', '30d': 'Last 30 days', '90d': 'Last 90 days' };

/** Period bounds the time a finding was first seen, as RFC 3339; to is exclusive. */
export interface Period {
  from?: string;
  to?: string;
}

/** period resolves the time of a search at one moment. A range is kept as a range in the address, so that a saved link stays about now. */
export function period(search: FindingsSearch, now: number): Period {
  if (search.range) return { from: new Date(now - ranges[search.range]).toISOString() };
  return { from: search.from, to: search.to };
}

export type ApiFilter = Period & { q?: string } & Partial<Record<FilterField, string[]>>;

/** apiFilter is the search as the API takes it. A value with a comma is put in quotes: the API splits at commas. */
export function apiFilter(search: FindingsSearch, now: number): ApiFilter {
  const out: ApiFilter = {};
  if (search.q) out.q = search.q;
  for (const f of filterFields) {
    const values = search[f];
    if (values?.length) out[f] = values.map((v) => (v.includes(',') ? `"${v}"` : v));
  }
  const { from, to } = period(search, now);
  if (from) out.from = from;
  if (to) out.to = to;
  return out;
}

/** minute is the start of the minute: the same question stays the same for that long. */
export function minute(at: number): number {
  return Math.floor(at / 60_000) * 60_000;
}

const onlyFilters = (search: FindingsSearch): FindingsSearch => {
  const out: FindingsSearch = {};
  for (const f of filterFields) if (search[f]?.length) out[f] = search[f];
  for (const k of ['q', 'from', 'to'] as const) if (search[k]) out[k] = search[k];
  if (search.range) out.range = search.range;
  return out;
};

/** isFiltered reports whether the search leaves anything out. */
export function isFiltered(search: FindingsSearch): boolean {
  return Object.keys(onlyFilters(search)).length > 0;
}

/** withFilters replaces the filters and leaves the rest, such as the sort and the columns, alone. */
export function withFilters(search: FindingsSearch, filters: FindingsSearch): FindingsSearch {
  return { sort: search.sort, columns: search.columns, v: search.v, ...filters };
}

/** toggled adds a value to a field, or takes it away. */
export function toggled(search: FindingsSearch, field: FilterField, value: string): FindingsSearch {
  const have = search[field] ?? [];
  const next = have.includes(value) ? have.filter((v) => v !== value) : [...have, value];
  return { ...search, [field]: next.length ? next : undefined, open: undefined, tab: undefined };
}

export interface View {
  id: string;
  name: string;
  filters: FindingsSearch;
}

/** Views are searches that everybody needs. */
export const views: View[] = [
  { id: 'all', name: 'All', filters: {} },
  { id: 'open', name: 'Open', filters: { status: openStatuses } },
  { id: 'urgent', name: 'Critical and high', filters: { severity: ['critical', 'high'], status: openStatuses } },
  { id: 'new', name: 'New this week', filters: { range: '7d' } },
];

const canonical = (search: FindingsSearch) =>
  JSON.stringify(
    Object.entries(onlyFilters(search))
      .map(([k, v]) => [k, Array.isArray(v) ? [...v].sort() : v])
      .sort(),
  );

/** viewOf is the view that has exactly these filters. */
export function viewOf(search: FindingsSearch): View | undefined {
  const have = canonical(search);
  return views.find((v) => canonical(v.filters) === have);
}

export interface Sort {
  key: string;
  down: boolean;
}

export const defaultSort = '-first_seen_at';

/** sortOf reads the sort. */
export function sortOf(search: FindingsSearch): Sort {
  const s = search.sort ?? defaultSort;
  return s.startsWith('-') ? { key: s.slice(1), down: true } : { key: s, down: false };
}

// Which way a column is useful first: the worst, the newest, the most; but texts from A.
const upFirst = ['title', 'policy_id', 'status'];

/** sortedBy is the search after a click on a column's head. */
export function sortedBy(search: FindingsSearch, key: string): FindingsSearch {
  const now = sortOf(search);
  const down = now.key === key ? !now.down : !upFirst.includes(key);
  const sort = (down ? '-' : '') + key;
  return { ...search, sort: sort === defaultSort ? undefined : sort };
}

/** apiPath is the path and query of a call of the API with the present filter. */
export function apiPath(path: string, search: FindingsSearch, now: number, more: Record<string, string> = {}): string {
  const p = new URLSearchParams();
  for (const [k, v] of Object.entries(apiFilter(search, now))) for (const x of [v].flat()) p.append(k, x);
  for (const [k, v] of Object.entries(more)) p.set(k, v);
  const text = p.toString();
  return `/api/v1/findings${path}${text && `?${text}`}`;
}

/** asCurl is the present list as a command. The token stays a variable: no secret is put on the clipboard. */
export function asCurl(origin: string, search: FindingsSearch, now: number): string {
  const more: Record<string, string> = search.sort ? { sort: search.sort } : {};
  return `curl -H "Authorization: Bearer $OUTBAND_TOKEN" '${origin}${apiPath('', search, now, more)}'`;
}

/** safeHref returns a foreign address if a browser may follow it: http and https only. */
export function safeHref(url: string | undefined): string | undefined {
  if (!url) return undefined;
  try {
    const u = new URL(url);
    return u.protocol === 'https:' || u.protocol === 'http:' ? u.href : undefined;
  } catch {
    return undefined;
  }
}

/** Names turn ids of the API into what a person calls the thing. */
export interface Names {
  policy: Map<string, string>;
  detector: Map<string, string>;
  connection: Map<string, string>;
  connector: Map<string, string>;
}

/** valueName is how a value of a field is shown. */
export function valueName(field: FilterField, value: string, names: Names): string {
  switch (field) {
    case 'policy_id':
      return names.policy.get(value) ?? value;
    case 'detector':
      return names.detector.get(value) ?? value;
    case 'connection_id':
      return names.connection.get(value) ?? `Removed connection (${value})`;
    case 'connector':
      return names.connector.get(value) ?? value;
    case 'actor':
      return value;
    default:
      return words(value);
  }
}
