// What the pages of connections work out from what the API says. Pure, and tested as such.
import type { Schemas } from '../../api/client';
import type { Tone } from '../../parts/badges';

type Connection = Schemas['Connection'];
type Scan = Schemas['Scan'];

/** health is the one word and tone that a connection shows. */
export function health(c: Connection): { tone: Tone; word: string } {
  if (c.state === 'paused') return { tone: 'info', word: 'Paused' };
  if (c.state === 'needs_attention') return { tone: 'critical', word: 'Needs attention' };
  if (c.last_scan?.state === 'failed') return { tone: 'critical', word: 'Last scan failed' };
  if (c.last_scan?.state === 'partial') return { tone: 'medium', word: 'Partly read' };
  if (!c.last_scan) return { tone: 'low', word: 'Not scanned yet' };
  if (c.last_scan.cause === 'first' && running(c.last_scan)) return { tone: 'low', word: 'First scan' };
  return { tone: 'good', word: 'Healthy' };
}

export interface Trouble {
  message: string;
  code: string;
  tone: 'critical' | 'medium';
}

/** trouble is what an admin should know and act on: why the connection stands still, or why its last scan did not read all. */
export function trouble(c: Connection): Trouble | undefined {
  if (c.state_message) return { message: c.state_message, code: c.state_code, tone: 'critical' };
  if (c.state === 'active' && c.last_scan?.error) return { message: c.last_scan.error, code: c.last_scan.error_code, tone: c.last_scan.state === 'failed' ? 'critical' : 'medium' };
  return undefined;
}

const byKey = ['OB-2003', 'OB-2004', 'OB-2005', 'OB-2006', 'OB-2007', 'OB-2024', 'OB-2026'];
const bySettings = ['OB-2001', 'OB-2002', 'OB-2009', 'OB-2010', 'OB-2011', 'OB-2012', 'OB-2013', 'OB-2022', 'OB-2025'];

/** remedy says where the cause of a code is taken away: with another key, in the settings, or at the vendor. Other causes pass by themselves. */
export function remedy(code: string): 'key' | 'settings' | 'vendor' | undefined {
  if (byKey.includes(code)) return 'key';
  if (bySettings.includes(code)) return 'settings';
  return code === 'OB-2008' ? 'vendor' : undefined;
}

/** running reports whether a scan waits or runs. */
export function running(s: Scan | null | undefined): boolean {
  return s?.state === 'queued' || s?.state === 'running';
}

export const scanTone: Record<Scan['state'], Tone> = { queued: 'info', running: 'low', succeeded: 'good', partial: 'medium', failed: 'critical', cancelled: 'info' };

export const causes: Record<Scan['cause'], string> = { first: 'First scan', schedule: 'Schedule', request: 'Asked for' };

export const schedules = [
  { value: '1m', label: 'Every minute' },
  { value: '5m', label: 'Every 5 minutes' },
  { value: '15m', label: 'Every 15 minutes' },
  { value: '1h', label: 'Every hour' },
  { value: '6h', label: 'Every 6 hours' },
  { value: '24h', label: 'Every day' },
];

/** withSchedule adds an interval that the list does not have. */
export function withSchedule(every: string) {
  return schedules.some((s) => s.value === every) ? schedules : [...schedules, { value: every, label: `Every ${every}` }];
}

/** scheduleWords puts an interval in words. */
export function scheduleWords(every: string): string {
  return withSchedule(every).find((s) => s.value === every)!.label;
}

/** interval reads a duration such as 5m or 1h30m0s, in milliseconds; 0 if it is none. */
export function interval(every: string): number {
  const m = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(every);
  return m ? (Number(m[1] ?? 0) * 3600 + Number(m[2] ?? 0) * 60 + Number(m[3] ?? 0)) * 1000 : 0;
}

/** nextScan is about when the schedule scans next: its times are the multiples of its interval since 1970, and up to a tenth of it later. */
export function nextScan(c: Connection, now: number): string | undefined {
  const every = interval(c.schedule.every);
  if (c.state === 'paused' || every === 0) return undefined;
  return new Date((Math.floor(now / every) + 1) * every).toISOString();
}

/** historyFrom is the start of a history, as the API takes it: null reads none. */
export function historyFrom(choice: string, date: string, now = new Date()): string | null {
  if (choice === 'none') return null;
  if (choice === 'date') return new Date(`${date}T00:00:00Z`).toISOString();
  return new Date(now.getTime() - Number(choice) * 86_400_000).toISOString();
}

/** lag tells seconds in words. */
export function lag(seconds: number | null): string {
  if (seconds === null) return '–';
  if (seconds < 1) return 'under 1 s';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}

/** took is how long a scan ran, or has run until now, in seconds; null if it has not begun. */
export function took(s: Scan, now: number): number | null {
  if (!s.started_at) return null;
  return Math.max((s.finished_at ? Date.parse(s.finished_at) : now) - Date.parse(s.started_at), 0) / 1000;
}

/** number puts thousands apart, as everywhere. */
export const number = (n: number) => n.toLocaleString('en');

/** counted is a number with its noun: 1 item, 2 items. */
export const counted = (n: number, noun: string) => `${number(n)} ${noun}${n === 1 ? '' : 's'}`;

const reasons: Record<string, string> = {
  unsupported_type: 'of a type that is not read',
  too_big: 'over the size limit',
  deleted_before_scan: 'deleted before the scan',
  over_time_limit: 'over the time limit',
  error: 'could not be read',
  no_id: 'without an id',
  malformed: 'not as documented',
  not_captured: 'that the app did not capture',
  encrypted: 'locked by a password',
  image_without_ocr: 'images, whose text is not read',
  media_not_scanned: 'audio or video',
  item_too_big: 'with too much in them',
  too_much_text: 'with too much text',
  too_many_entries: 'with too many files in them',
  too_deep: 'packed too deep',
  compression_ratio: 'compressed like a bomb',
  too_many_pixels: 'images with too many pixels',
  over_memory_limit: 'that need too much memory',
  extraction_failed: 'that ended the reader',
  content_unavailable: 'that the app does not hand out',
};

/** leftOut lists what of a stream was not scanned, and why, the most first. */
export function leftOut(s: Schemas['Coverage']): string[] {
  const all: [string, number][] = [
    ...Object.entries(s.skipped)
      .sort((a, b) => b[1] - a[1])
      .map(([why, n]): [string, number] => [reasons[why] ?? why.replaceAll('_', ' '), n]),
    ['given up after 72 hours of tries', s.failed],
    ['in quarantine, tried again', s.quarantined],
    ['deferred for now', s.deferred],
    [s.backfill_open === 1 ? 'slice of history to go' : 'slices of history to go', s.backfill_open],
    ...Object.entries(s.members_skipped ?? {})
      .sort((a, b) => b[1] - a[1])
      .map(([why, n]): [string, number] => [`inside of files: ${reasons[why] ?? why.replaceAll('_', ' ')}`, n]),
  ];
  return all.filter(([, n]) => n > 0).map(([why, n]) => `${number(n)} ${why}`);
}
