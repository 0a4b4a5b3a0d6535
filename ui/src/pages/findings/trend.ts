// Time on an axis: how wide the bars are, how they are called, and what dragging over some of them means.
export type Interval = 'hour' | 'day' | 'week' | 'month';

const hour = 3_600_000; // ms
const day = 24 * hour;

/** intervalFor chooses bars that are neither too few nor too thin. */
export function intervalFor(from: number, to: number): Interval {
  const span = to - from;
  if (span <= 3 * day) return 'hour';
  if (span <= 120 * day) return 'day';
  if (span <= 730 * day) return 'week';
  return 'month';
}

/** spanOf is the time that a chart shows. Without a beginning it is that of the oldest finding, and a day at the least. */
export function spanOf(period: { from?: string; to?: string }, oldest: string | null | undefined, now: number): { from: string; to: string } {
  const to = period.to ? Date.parse(period.to) : now + 60_000; // the minute that has begun
  const first = period.from ? Date.parse(period.from) : Math.min(oldest ? Date.parse(oldest) : to, to - day);
  const from = Math.min(Number.isNaN(first) ? to - day : first, to - 60_000);
  return { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
}

/** zoneName is the browser's IANA time zone. */
export function zoneName(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
}

const short: Record<Interval, Intl.DateTimeFormatOptions> = {
  hour: { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  day: { day: 'numeric', month: 'short' },
  week: { day: 'numeric', month: 'short' },
  month: { month: 'short', year: '2-digit' },
};
const long: Record<Interval, Intl.DateTimeFormatOptions> = {
  hour: { weekday: 'short', day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' },
  day: { weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' },
  week: { day: 'numeric', month: 'short', year: 'numeric' },
  month: { month: 'long', year: 'numeric' },
};

/** barNames are the short and the long name of the bar that begins at a time. */
export function barNames(at: string, interval: Interval, zone: string): { short: string; long: string } {
  const date = new Date(at);
  const name = new Intl.DateTimeFormat('en-GB', { ...long[interval], timeZone: zone }).format(date);
  return {
    short: new Intl.DateTimeFormat('en-GB', { ...short[interval], timeZone: zone }).format(date),
    long: interval === 'week' ? `Week of ${name}` : name,
  };
}

/** zoomed is the time from the beginning of one bar to the end of another, inside the time that the chart shows. */
export function zoomed(starts: string[], first: number, last: number, span: { from: string; to: string }): { from: string; to: string } | undefined {
  const a = starts[first];
  if (a === undefined) return undefined;
  const from = Math.max(Date.parse(a), Date.parse(span.from));
  const next = starts[last + 1];
  const to = Math.min(next === undefined ? Date.parse(span.to) : Date.parse(next), Date.parse(span.to));
  return to > from ? { from: new Date(from).toISOString(), to: new Date(to).toISOString() } : undefined;
}
