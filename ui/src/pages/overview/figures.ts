// The arithmetic of the overview: periods, changes between them, coverage. Pure, and tested as such.
import type { Schemas } from '../../api/client';
import { words } from '../../parts/badges';

export const periods = { '7d': 7, '30d': 30, '90d': 90 } as const; // days
export type PeriodName = keyof typeof periods;

const day = 86_400_000; // ms

/** bounds are the period until now and the equal one before it. The end of the earlier one is the beginning of the later. */
export function bounds(name: PeriodName, now: number): { span: { from: string; to: string }; before: string } {
  const length = periods[name] * day;
  return { span: { from: new Date(now - length).toISOString(), to: new Date(now).toISOString() }, before: new Date(now - 2 * length).toISOString() };
}

export interface Change {
  direction: 'up' | 'down' | 'same';
  words: string;
}

/** compared tells how a number changed against the period before, in words. */
export function compared(now: number, before: number, days: number): Change {
  const than = `in the ${days} days before`;
  if (now === before) return { direction: 'same', words: now === 0 ? `none ${than} either` : `as many as ${than}` };
  const by = Math.abs(now - before).toLocaleString('en');
  return now > before ? { direction: 'up', words: `${by} more than ${than}` } : { direction: 'down', words: `${by} fewer than ${than}` };
}

/** countOf is one value's count in a facet. */
export function countOf(facets: Schemas['Facets'] | undefined, field: string, value: string): number {
  return facets?.fields[field]?.find((c) => c.value === value)?.count ?? 0;
}

/** top are the values with the most findings. */
export function top(facets: Schemas['Facets'] | undefined, field: string, n: number): Schemas['Count'][] {
  return [...(facets?.fields[field] ?? [])].sort((a, b) => b.count - a.count || a.value.localeCompare(b.value)).slice(0, n);
}

export interface CoverageSum {
  read: number;
  scanned: number;
  skipped: [string, number][]; // by reason, the most first
  waiting: number; // deferred or to be tried again
  failed: number;
  gaps: number;
  errors: number; // streams that stand still
}

/** sumCoverage adds the streams up. */
export function sumCoverage(streams: Schemas['Coverage'][]): CoverageSum {
  const skipped = new Map<string, number>();
  const out: CoverageSum = { read: 0, scanned: 0, skipped: [], waiting: 0, failed: 0, gaps: 0, errors: 0 };
  for (const s of streams) {
    out.read += s.read;
    out.scanned += s.scanned;
    out.waiting += s.deferred + s.quarantined;
    out.failed += s.failed;
    out.gaps += s.gaps.length;
    if (s.error) out.errors++;
    for (const [reason, n] of Object.entries(s.skipped)) skipped.set(reason, (skipped.get(reason) ?? 0) + n);
  }
  out.skipped = [...skipped].sort((a, b) => b[1] - a[1]);
  return out;
}

/** skippedWords tells how many were skipped and why. */
export function skippedWords(skipped: [string, number][]): string {
  const total = skipped.reduce((n, [, c]) => n + c, 0);
  if (total === 0) return '0';
  return `${total.toLocaleString('en')} (${skipped.map(([reason, n]) => `${n.toLocaleString('en')} ${words(reason).toLowerCase()}`).join(', ')})`;
}

/** lagWords puts a lag in seconds in words. */
export function lagWords(seconds: number | null): string {
  if (seconds === null) return '–';
  if (seconds < 90) return 'under 2 min';
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

export interface Steps {
  connection: boolean;
  scan: boolean;
  finding: boolean;
  destination: boolean;
}

/** stepsOf tells from what is there which steps of the first run are done. */
export function stepsOf(connections: number, scans: Pick<Schemas['Scan'], 'state'>[], findings: number, destinations: number): Steps {
  return {
    connection: connections > 0,
    scan: scans.some((s) => s.state === 'succeeded' || s.state === 'partial'),
    finding: findings > 0,
    destination: destinations > 0,
  };
}
