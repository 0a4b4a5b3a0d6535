import { describe, expect, it } from 'vitest';

import type { Schemas } from '../../api/client';
import { bounds, compared, countOf, lagWords, skippedWords, stepsOf, sumCoverage, top } from './figures';

it('the earlier period ends where the later begins and is as long', () => {
  const now = Date.parse('2026-03-10T12:00:00Z');
  expect(bounds('7d', now)).toEqual({ span: { from: '2026-03-03T12:00:00.000Z', to: '2026-03-10T12:00:00.000Z' }, before: '2026-02-24T12:00:00.000Z' });
});

it.each([
  [12, 8, 'up', '4 more than in the 30 days before'],
  [8, 1200, 'down', '1,192 fewer than in the 30 days before'],
  [3, 3, 'same', 'as many as in the 30 days before'],
  [0, 0, 'same', 'none in the 30 days before either'],
])('a change from %2$s to %1$s is told in words', (now, before, direction, words) => {
  expect(compared(now, before, 30)).toEqual({ direction, words });
});

describe('facets', () => {
  const facets = { total: 6, fields: { policy_id: [{ value: 'a', count: 1 }, { value: 'c', count: 3 }, { value: 'b', count: 3 }] } };
  it('give the top, and one count', () => {
    expect(top(facets, 'policy_id', 2).map((c) => c.value)).toEqual(['b', 'c']);
    expect(top(undefined, 'policy_id', 2)).toEqual([]);
    expect(countOf(facets, 'policy_id', 'c')).toBe(3);
    expect(countOf(facets, 'policy_id', 'z')).toBe(0);
  });
});

it('coverage adds up, with its reasons', () => {
  const stream: Schemas['Coverage'] = {
    connection_id: 'con', stream: 'chats', title: 'Chats', state: 'amber', reasons: [], alerts: [], units: [], intervals: [], overlap: 0,
    watermark_at: null, lag_seconds: null, read: 10, scanned: 7, skipped: { too_big: 1 }, failed: 1, deferred: 1, quarantined: 0, deleted_before_scan: 0, members_skipped: {}, late: 0, backfill_open: 0, gaps: [], error: '',
  };
  const sum = sumCoverage([stream, { ...stream, skipped: { too_big: 1, unsupported_type: 5 }, error: 'x', gaps: [{ from: null, to: null, reason: 'r' }] }]);
  expect(sum).toEqual({ read: 20, scanned: 14, skipped: [['unsupported_type', 5], ['too_big', 2]], waiting: 2, failed: 2, gaps: 1, errors: 1 });
  expect(skippedWords(sum.skipped)).toBe('7 (5 unsupported type, 2 too big)');
  expect(skippedWords([])).toBe('0');
});

it.each([
  [null, '–'],
  [3, 'under 2 min'],
  [300, '5 min'],
  [7200, '2 h'],
  [259_200, '3 days'],
])('a lag of %s s is %s', (s, want) => {
  expect(lagWords(s)).toBe(want);
});

it('the first steps are read from what is there', () => {
  expect(stepsOf(0, [], 0, 0)).toEqual({ connection: false, scan: false, finding: false, destination: false });
  expect(stepsOf(1, [{ state: 'running' }], 2, 0)).toEqual({ connection: true, scan: false, finding: true, destination: false });
  expect(stepsOf(1, [{ state: 'failed' }, { state: 'partial' }], 2, 1)).toEqual({ connection: true, scan: true, finding: true, destination: true });
});
