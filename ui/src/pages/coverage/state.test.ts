import { describe, expect, it } from 'vitest';

import type { Schemas } from '../../api/client';
import { alarms, dayText, hours, months, overall, together } from './state';

const day = (date: string, state: Schemas['CalendarDay']['state'], more: Partial<Schemas['CalendarDay']> = {}): Schemas['CalendarDay'] => ({
  date, state, read: 0, scanned: 0, skipped: 0, failed: 0, deleted_before_scan: 0, ...more,
});

it('the worst stream that is read counts', () => {
  expect(overall([{ state: 'green' }, { state: 'grey' }])).toBe('green');
  expect(overall([{ state: 'green' }, { state: 'amber' }])).toBe('amber');
  expect(overall([{ state: 'amber' }, { state: 'red' }])).toBe('red');
  expect(overall([])).toBe('grey');
});

it('alerts come with their stream, those of red streams first', () => {
  const stream = (id: string, state: string, codes: string[]) => ({ stream: id, state, alerts: codes.map((code) => ({ code, message: 'm' })) }) as unknown as Schemas['Coverage'];
  expect(alarms([stream('a', 'amber', ['skips_rising']), stream('b', 'red', ['hole', 'lag']), stream('c', 'green', [])]).map((x) => `${x.stream.stream} ${x.code}`)).toEqual(['b hole', 'b lag', 'a skips_rising']);
});

describe('a calendar', () => {
  it('of several streams has the worst state of each day, and the sum of its counts', () => {
    const got = together([
      { stream: 'a', title: '', days: [day('2026-03-01', 'complete', { read: 2, scanned: 2 }), day('2026-03-02', 'none')] },
      { stream: 'b', title: '', days: [day('2026-03-01', 'gap', { read: 1, skipped: 1 }), day('2026-03-02', 'partial')] },
    ]);
    expect(got).toEqual([day('2026-03-01', 'gap', { read: 3, scanned: 2, skipped: 1 }), day('2026-03-02', 'partial')]);
  });

  it('is laid out in weeks from Monday, month by month', () => {
    const days = ['2026-02-27', '2026-02-28', '2026-03-01', '2026-03-02'].map((d) => day(d, 'complete'));
    const got = months(days).map((m) => [m.name, m.weeks.map((w) => w.map((d) => d?.date.slice(8) ?? '').join(' '))]);
    expect(got).toEqual([
      ['February 2026', ['    27 28 ']],
      ['March 2026', ['      01', '02      ']],
    ]);
  });

  it('tells a day in words', () => {
    expect(dayText(day('2026-03-01', 'complete', { read: 1200, scanned: 1190, skipped: 9, failed: 1, deleted_before_scan: 2 }))).toBe('Complete, 1,200 read, 1,190 scanned, 9 skipped, 2 of them deleted before the scan, 1 failed');
    expect(dayText(day('2026-03-01', 'pending'))).toBe('History not read yet');
  });
});

it.each([
  [0, 'under a minute'],
  [0.5, 'about 30 minutes'],
  [2, 'about 2 hours'],
  [72, 'about 3 days'],
])('%s hours are %s', (h, words) => expect(hours(h)).toBe(words));
