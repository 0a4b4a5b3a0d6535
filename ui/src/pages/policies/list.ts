import type { Schemas } from '../../api/client';

/** countsOf reads one field of the facets as a map. */
export function countsOf(facets: Schemas['Facets'] | undefined, field: string): Map<string, number> {
  return new Map((facets?.fields[field] ?? []).map((c) => [c.value, c.count]));
}

/** holds reports whether every word of a query is in one of the texts, without regard to case. */
export function holds(query: string, ...texts: string[]): boolean {
  const all = texts.join('\n').toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((w) => all.includes(w));
}

/** pauseWords says why a policy was paused, or only reported, and what came of it. */
export function pauseWords(p: Schemas['PolicyPause']): string {
  const n = (x: number) => x.toLocaleString('en');
  const why = p.reason === 'flood' ? `made ${n(p.measured)} new findings in an hour (limit ${n(p.limit)})` : `took ${took(p.measured / 1e6)} for an evaluation on the average (limit ${took(p.limit / 1e6)})`;
  if (!p.paused) return `${why}. It is locked and works on; reported`;
  return `${why} and is paused. ${p.held === 0 ? 'Nothing' : `${n(p.held)} ${p.held === 1 ? 'decision' : 'decisions'}`} held back since`;
}

/** took is a time of milliseconds in words: 1.2 ms, 34 µs, 2.5 s. */
export function took(ms: number): string {
  if (ms >= 1000) return `${round(ms / 1000)} s`;
  if (ms >= 1) return `${round(ms)} ms`;
  return `${round(ms * 1000)} µs`;
}

function round(x: number): string {
  return x.toLocaleString('en', { maximumFractionDigits: x < 10 ? 1 : 0 });
}

export type Span = 'today' | 'week';

/** sortedBy puts the rows of a table in the order of a number, the largest first; equal ones by name. */
export function sortedBy<T>(rows: T[], value: (row: T) => number, name: (row: T) => string): T[] {
  return [...rows].sort((a, b) => value(b) - value(a) || name(a).localeCompare(name(b)));
}

/** scopeOf says in words what an exception is about. */
export function scopeOf(e: Schemas['Exception'], connection: (id: string) => string): string[] {
  const out: string[] = [];
  if (e.whole_policy) out.push('The whole policy');
  if (e.resource_kind) out.push(`${e.resource_kind.replaceAll('_', ' ')} ${e.resource_id || '(every one)'}`);
  if (e.connection_id) out.push(`in ${connection(e.connection_id)}`);
  if (e.people.length > 0) out.push(`by ${[...new Set(e.people.map((p) => p.email || p.id || 'an erased person'))].join(', ')}`);
  if (e.detector) out.push(`matches of ${e.detector}`);
  if (e.value) out.push(`the value ${e.value}`);
  return out;
}

/** promises are how long an exception may be made for. */
export const promises = [
  { value: '7', label: 'A week' },
  { value: '30', label: '30 days' },
  { value: '90', label: '90 days' },
  { value: '180', label: '180 days' },
  { value: '365', label: 'A year' },
];

/** ends is the time so many days from now, as the API takes it. It is an hour less, so that clocks that differ make no year too long. */
export function ends(days: string, now: number): string {
  return new Date(now + Number(days) * 86_400_000 - 3_600_000).toISOString();
}

/** percent writes a part of one as a percentage; 100 % stands for all of it only, never for nearly all. */
export function percent(part: number | undefined): string {
  if (part === undefined) return '–';
  return `${Math.floor(part * 1000) / 10} %`;
}
