// What the pages of completeness work out from what the API says. Pure, and tested as such.
import type { Schemas } from '../../api/client';
import type { Tone } from '../../parts/badges';
import { number } from '../connections/state';

type Stream = Schemas['Coverage'];
type Day = Schemas['CalendarDay'];

export const stateWords: Record<Stream['state'], { tone: Tone; word: string }> = {
  green: { tone: 'good', word: 'Complete' },
  amber: { tone: 'medium', word: 'Not yet complete' },
  red: { tone: 'critical', word: 'Incomplete' },
  grey: { tone: 'info', word: 'Not read' },
};

const worst: Stream['state'][] = ['red', 'amber', 'green', 'grey'];

/** overall is the state of several streams together: the worst of those that are read. */
export function overall(streams: Pick<Stream, 'state'>[]): Stream['state'] {
  return worst.find((w) => streams.some((s) => s.state === w)) ?? 'grey';
}

export interface Alarm {
  stream: Stream;
  code: string;
  message: string;
}

/** alarms are all alerts, the red streams first. */
export function alarms(streams: Stream[]): Alarm[] {
  return [...streams].sort((a, b) => worst.indexOf(a.state) - worst.indexOf(b.state)).flatMap((stream) => stream.alerts.map((n) => ({ stream, ...n })));
}

export const dayWords: Record<Day['state'], { word: string; sign: string }> = {
  complete: { word: 'Complete', sign: '✓' },
  partial: { word: 'Read in part', sign: '½' },
  gap: { word: 'Gap', sign: '!' },
  pending: { word: 'History not read yet', sign: '…' },
  none: { word: 'Need not be read', sign: '' },
};

const order: Day['state'][] = ['gap', 'pending', 'partial', 'complete', 'none'];

/** together adds the days of several streams up, day by day. The worst state counts, and a day that one stream need not read is that of the others. */
export function together(streams: Schemas['CalendarStream'][]): Day[] {
  const out: Day[] = [];
  for (const s of streams) {
    s.days.forEach((d, i) => {
      const have = out[i];
      if (!have) {
        out[i] = { ...d };
        return;
      }
      if (order.indexOf(d.state) < order.indexOf(have.state)) have.state = d.state;
      have.read += d.read;
      have.scanned += d.scanned;
      have.skipped += d.skipped;
      have.failed += d.failed;
      have.deleted_before_scan += d.deleted_before_scan;
    });
  }
  return out;
}

export interface Month {
  name: string; // March 2026
  weeks: (Day | undefined)[][]; // of seven days, Monday first
}

/** months lays days out as a calendar does. */
export function months(days: Day[]): Month[] {
  const out: Month[] = [];
  let key = '';
  for (const d of days) {
    const date = new Date(`${d.date}T00:00:00Z`);
    if (d.date.slice(0, 7) !== key) {
      key = d.date.slice(0, 7);
      out.push({ name: date.toLocaleDateString('en', { month: 'long', year: 'numeric', timeZone: 'UTC' }), weeks: [] });
    }
    const month = out.at(-1)!;
    const weekday = (date.getUTCDay() + 6) % 7;
    if (month.weeks.length === 0 || weekday === 0) month.weeks.push(Array.from({ length: 7 }, () => undefined));
    month.weeks.at(-1)![weekday] = d;
  }
  return out;
}

/** dayText is all that is known of a day, in words. */
export function dayText(d: Day): string {
  const parts = [dayWords[d.state].word];
  if (d.read > 0) parts.push(`${number(d.read)} read`, `${number(d.scanned)} scanned`);
  if (d.skipped > 0) parts.push(`${number(d.skipped)} skipped`);
  if (d.deleted_before_scan > 0) parts.push(`${number(d.deleted_before_scan)} of them deleted before the scan`);
  if (d.failed > 0) parts.push(`${number(d.failed)} failed`);
  return parts.join(', ');
}

/** hours tells a duration of hours in words. */
export function hours(h: number): string {
  const n = (x: number, unit: string) => `about ${number(x)} ${unit}${x === 1 ? '' : 's'}`;
  if (h < 1 / 60) return 'under a minute';
  if (h < 1.5) return n(Math.max(Math.round(h * 60), 1), 'minute');
  if (h < 48) return n(Math.round(h), 'hour');
  return n(Math.round(h / 24), 'day');
}
