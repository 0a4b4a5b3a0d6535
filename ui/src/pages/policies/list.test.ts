import { expect, test } from 'vitest';

import { countsOf, ends, holds, pauseWords, percent, scopeOf, sortedBy, took } from './list';

test('every word must be somewhere, in any order and case', () => {
  expect(holds('KEY aws', 'AWS access key', 'aws-key')).toBe(true);
  expect(holds('key gcp', 'AWS access key')).toBe(false);
  expect(holds('  ', 'anything')).toBe(true);
});

test('a field without counts is empty', () => {
  expect(countsOf(undefined, 'policy_id').size).toBe(0);
  expect(countsOf({ total: 3, fields: { policy_id: [{ value: 'a', count: 3 }] } }, 'policy_id').get('a')).toBe(3);
});

const pause = { reason: 'flood', paused: true, since: '', measured: 1200, limit: 1000, held: 3 } as const;

test('a pause says why and what was held back', () => {
  expect(pauseWords(pause)).toBe('made 1,200 new findings in an hour (limit 1,000) and is paused. 3 decisions held back since');
  expect(pauseWords({ ...pause, held: 0 })).toContain('Nothing held back');
  expect(pauseWords({ ...pause, reason: 'cost', measured: 7_500_000, limit: 5_000_000, held: 1 })).toBe('took 7.5 ms for an evaluation on the average (limit 5 ms) and is paused. 1 decision held back since');
  expect(pauseWords({ ...pause, paused: false })).toContain('It is locked and works on');
});

test('times are told in the unit that fits', () => {
  expect([0, 0.0342, 1.26, 34.4, 2500].map(took)).toEqual(['0 µs', '34 µs', '1.3 ms', '34 ms', '2.5 s']);
});

test('rows are sorted by a number, equal ones by name', () => {
  const rows = [{ n: 1, id: 'b' }, { n: 5, id: 'c' }, { n: 1, id: 'a' }];
  expect(sortedBy(rows, (r) => r.n, (r) => r.id).map((r) => r.id)).toEqual(['c', 'a', 'b']);
});

test('an exception says what it is about', () => {
  const e = { whole_policy: false, connection_id: 'con_1', resource_kind: 'chat', resource_id: 'c1', people: [{ id: 'u1', email: 'ana@example.com' }, { id: 'u2', email: 'ana@example.com' }], detector: 'secret.*', value: 'ab**' };
  expect(scopeOf(e as never, () => 'Claude')).toEqual(['chat c1', 'in Claude', 'by ana@example.com', 'matches of secret.*', 'the value ab**']);
  expect(scopeOf({ ...e, whole_policy: true, connection_id: '', resource_kind: '', people: [], detector: '', value: '' } as never, () => '')).toEqual(['The whole policy']);
  expect(scopeOf({ ...e, people: [{ id: '', email: '' }] } as never, () => 'Claude')).toContain('by an erased person');
});

test('a year is not more than a year', () => {
  const now = Date.parse('2026-03-01T12:00:00Z');
  expect(ends('365', now)).toBe('2027-03-01T11:00:00.000Z');
});

test('nearly all is not all', () => {
  expect(percent(1)).toBe('100 %');
  expect(percent(0.99961)).toBe('99.9 %');
  expect(percent(0)).toBe('0 %');
  expect(percent(undefined)).toBe('–');
});
