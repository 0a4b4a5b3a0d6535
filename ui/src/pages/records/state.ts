// What the page of records works out from what the API says. Pure, and tested as such.

/** show is a value of a record as text. It may be of any shape: what the app sent, masked. */
export function show(v: unknown): string {
  if (v === null || v === undefined) return '–';
  if (typeof v === 'string') return v === '' ? '–' : v;
  if (typeof v === 'boolean') return v ? 'yes' : 'no';
  return JSON.stringify(v);
}

export interface Difference {
  field: string;
  before: string;
  after: string;
}

/** differences are the fields that two versions of a record do not share, by name. */
export function differences(before: Record<string, unknown>, after: Record<string, unknown>): Difference[] {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return fields.map((field) => ({ field, before: show(before[field]), after: show(after[field]) })).filter((d) => d.before !== d.after);
}

/** endOf is the last moment of a day that a person chose, in their own zone, as the API takes it; undefined: now. */
export function endOf(day: string, now = Date.now()): string | undefined {
  const end = new Date(`${day}T23:59:59.999`).getTime();
  return day === '' || Number.isNaN(end) || end >= now ? undefined : new Date(end).toISOString();
}
