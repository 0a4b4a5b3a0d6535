import { Tooltip } from '@mantine/core';
import { useSyncExternalStore } from 'react';

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });

/** ago tells a time in words, from now. */
export function ago(at: Date, now: number): string {
  const seconds = (at.getTime() - now) / 1000;
  for (const [unit, size] of steps) if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit);
  return seconds > 0 ? 'in a moment' : 'just now';
}

// One clock for all times on the page.
const listeners = new Set<() => void>();
let tick = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
function subscribe(f: () => void) {
  listeners.add(f);
  timer ??= setInterval(() => {
    tick = Date.now();
    for (const l of listeners) l();
  }, 15_000);
  return () => {
    listeners.delete(f);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

export function utc(at: Date): string {
  return at.toISOString().replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
}

/** When shows a time from now; on hover or focus both UTC and local time. Nothing is "–". */
export function When({ at, empty = '–' }: { at: string | null | undefined; empty?: string }) {
  useSyncExternalStore(subscribe, () => tick); // Says when to look at the clock again.
  const now = Date.now();
  if (!at) return <span>{empty}</span>;
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span>{empty}</span>;
  return (
    <Tooltip label={`${utc(date)} · ${date.toLocaleString()} local`}>
      <time dateTime={at}>{ago(date, now)}</time>
    </Tooltip>
  );
}
