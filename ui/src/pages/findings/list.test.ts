import { describe, expect, it } from 'vitest';

import { columns, fit, template, wantedColumns, withColumn } from './columns';
import { allOf, type Finding } from './data';
import { options } from './Facets';
import { selectRange } from './selection';
import { barNames, intervalFor, spanOf, zoomed } from './trend';

const finding = (id: string) => ({ id }) as Finding;
const list = ['a', 'b', 'c', 'd'].map(finding);
const ids = (m: ReadonlyMap<string, Finding>) => [...m.keys()].sort().join('');

describe('columns', () => {
  it('leave the connection out where there is one, unless it is asked for', () => {
    expect(wantedColumns({}, true)).not.toContain('connection');
    expect(wantedColumns({}, false)).toEqual(columns.map((c) => c.id));
    const on = withColumn({}, 'connection', true, true);
    expect(wantedColumns(on, true)).toContain('connection');
    expect(withColumn(on, 'connection', false, true).columns).toBeUndefined();
  });
  it('can all be hidden but two', () => {
    let s = {};
    for (const c of columns) s = withColumn(s, c.id, false, false);
    expect(wantedColumns(s, false)).toEqual(['severity', 'title']);
  });
  it('go, the least needed first, until the rest has room', () => {
    const all = columns.map((c) => c.id);
    expect(fit(all, 5000, true)).toEqual(all);
    expect(fit(all, 900, true)).not.toContain('last_seen');
    expect(fit(all, 340, true)).toEqual(['severity', 'title']);
    expect(fit(all, 10, true)).toEqual(['severity', 'title']);
  });
  it('make a template with room for the title', () => {
    expect(template(['severity', 'title'], true)).toBe('40px 116px minmax(0, 1fr)');
  });
});

describe('selection', () => {
  it('toggles one row and takes a range with the state of its beginning', () => {
    const one = selectRange(new Map(), list, 'b', undefined);
    expect(ids(one)).toBe('b');
    const range = selectRange(one, list, 'd', 'b');
    expect(ids(range)).toBe('bcd');
    const less = selectRange(range, list, 'c', undefined);
    expect(ids(selectRange(less, list, 'd', 'c'))).toBe('b');
    expect(ids(selectRange(one, list, 'gone', 'b'))).toBe('b');
  });
});

it('no finding is shown twice when pages overlap', () => {
  expect(allOf([{ items: list.slice(0, 3), next_cursor: 'x' }, { items: list.slice(2), next_cursor: '' }]).map((f) => f.id)).toEqual(['a', 'b', 'c', 'd']);
  expect(allOf(undefined)).toEqual([]);
});

it('facets offer a chosen value also when no finding has it, in the order of severity', () => {
  const facets = { total: 1, fields: { severity: [{ value: 'low', count: 1 }] } };
  expect(options('severity', { severity: ['critical'] }, facets)).toEqual([
    { value: 'critical', count: 0 },
    { value: 'low', count: 1 },
  ]);
  expect(options('policy_id', {}, undefined)).toEqual([]);
});

describe('the time axis', () => {
  const now = Date.parse('2026-03-10T12:00:00Z');
  it.each([
    [1, 'hour'],
    [3, 'hour'],
    [30, 'day'],
    [90, 'day'],
    [200, 'week'],
    [1000, 'month'],
  ])('of %s days has bars of one %s', (days, want) => {
    expect(intervalFor(now - days * 86_400_000, now)).toBe(want);
  });
  it('begins with the oldest finding, and is a day at the least', () => {
    expect(spanOf({}, '2026-01-01T00:00:00.000Z', now).from).toBe('2026-01-01T00:00:00.000Z');
    expect(spanOf({}, '2026-03-10T11:59:00.000Z', now)).toEqual({ from: '2026-03-09T12:01:00.000Z', to: '2026-03-10T12:01:00.000Z' });
    expect(spanOf({ from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }, null, now)).toEqual({ from: '2026-03-01T00:00:00.000Z', to: '2026-03-02T00:00:00.000Z' });
    expect(Date.parse(spanOf({ from: 'no time' }, null, now).from)).toBeLessThan(now);
  });
  it('zooms from the beginning of one bar to the end of another, inside what it shows', () => {
    const starts = ['2026-03-08T23:00:00.000Z', '2026-03-09T23:00:00.000Z', '2026-03-10T23:00:00.000Z'];
    const span = { from: '2026-03-09T10:00:00.000Z', to: '2026-03-11T05:00:00.000Z' };
    expect(zoomed(starts, 0, 1, span)).toEqual({ from: span.from, to: starts[2] });
    expect(zoomed(starts, 2, 2, span)).toEqual({ from: starts[2], to: span.to });
    expect(zoomed(starts, 7, 7, span)).toBeUndefined();
  });
  it('names bars in the time zone', () => {
    expect(barNames('2026-03-08T23:00:00.000Z', 'day', 'Europe/Berlin')).toEqual({ short: '9 Mar', long: 'Mon, 9 Mar 2026' });
    expect(barNames('2026-03-08T23:00:00.000Z', 'hour', 'UTC').short).toBe('23:00');
    expect(barNames('2026-03-08T23:00:00.000Z', 'week', 'Europe/Berlin').long).toBe('Week of 9 Mar 2026');
  });
});
