import { expect, test } from 'vitest';

import type { Schemas } from '../../api/client';
import { counted, health, historyFrom, interval, lag, leftOut, nextScan, remedy, scheduleWords, took, trouble } from './state';

const connection = (c: Partial<Schemas['Connection']>) => ({ state: 'active', state_code: '', state_message: '', last_scan: null, schedule: { every: '5m' }, ...c }) as Schemas['Connection'];
const scan = (state: string, more: Partial<Schemas['Scan']> = {}) => ({ state, error: '', error_code: '', ...more }) as Schemas['Scan'];

test('a state that an admin must act on comes before what the last scan was', () => {
  expect(health(connection({})).word).toBe('Not scanned yet');
  expect(health(connection({ last_scan: scan('running', { cause: 'first' }) })).word).toBe('First scan');
  expect(health(connection({ last_scan: scan('running', { cause: 'schedule' }) })).word).toBe('Healthy');
  expect(health(connection({ last_scan: scan('succeeded') })).word).toBe('Healthy');
  expect(health(connection({ last_scan: scan('partial') })).word).toBe('Partly read');
  expect(health(connection({ last_scan: scan('failed') })).word).toBe('Last scan failed');
  expect(health(connection({ state: 'needs_attention', last_scan: scan('succeeded') })).word).toBe('Needs attention');
  expect(health(connection({ state: 'paused', last_scan: scan('failed') })).word).toBe('Paused');
});

test('what to act on is the connection’s own trouble, else that of the last scan', () => {
  expect(trouble(connection({ last_scan: scan('succeeded') }))).toBeUndefined();
  expect(trouble(connection({ last_scan: scan('partial', { error: 'A scope.', error_code: 'OB-2007' }) }))).toEqual({ message: 'A scope.', code: 'OB-2007', tone: 'medium' });
  expect(trouble(connection({ state: 'needs_attention', state_message: 'A new key.', state_code: 'OB-2003', last_scan: scan('failed', { error: 'Other.' }) }))).toEqual({ message: 'A new key.', code: 'OB-2003', tone: 'critical' });
  expect(trouble(connection({ state: 'paused', last_scan: scan('failed', { error: 'Old.' }) }))).toBeUndefined();
});

test('a code leads to where its cause is taken away', () => {
  expect(['OB-2003', 'OB-2007', 'OB-2012', 'OB-2008', 'OB-2014', ''].map(remedy)).toEqual(['key', 'key', 'settings', 'vendor', undefined, undefined]);
});

test('the start of the history', () => {
  const now = new Date('2026-03-31T12:00:00Z');
  expect(historyFrom('none', '', now)).toBeNull();
  expect(historyFrom('30', '', now)).toBe('2026-03-01T12:00:00.000Z');
  expect(historyFrom('date', '2025-12-24', now)).toBe('2025-12-24T00:00:00.000Z');
});

test('intervals, and when the next scan is due', () => {
  expect(['1m', '24h', '1h30m0s', '90s', 'soon'].map(interval)).toEqual([60_000, 86_400_000, 5_400_000, 90_000, 0]);
  expect([scheduleWords('5m'), scheduleWords('7m')]).toEqual(['Every 5 minutes', 'Every 7m']);
  const now = Date.parse('2026-03-31T12:03:10Z');
  expect(nextScan(connection({}), now)).toBe('2026-03-31T12:05:00.000Z');
  expect(nextScan(connection({ schedule: { every: '6h' } }), now)).toBe('2026-03-31T18:00:00.000Z');
  expect(nextScan(connection({ state: 'paused' }), now)).toBeUndefined();
});

test('words for times and numbers', () => {
  expect([null, 0.2, 5, 89, 120, 7200, 200_000].map(lag)).toEqual(['–', 'under 1 s', '5 s', '89 s', '2 min', '2 h', '2 days']);
  const begun = scan('running', { started_at: '2026-03-31T12:00:00Z' });
  expect(took(begun, Date.parse('2026-03-31T12:00:30Z'))).toBe(30);
  expect(took({ ...begun, finished_at: '2026-03-31T12:00:10Z' }, 0)).toBe(10);
  expect(took(scan('queued'), 0)).toBeNull();
  expect([counted(1, 'item'), counted(2000, 'item')]).toEqual(['1 item', '2,000 items']);
});

test('what was left out of a stream, the most first', () => {
  const stream = { skipped: { too_big: 2, unsupported_type: 11, new_reason: 1 }, failed: 1, quarantined: 0, deferred: 3, backfill_open: 1 } as unknown as Schemas['Coverage'];
  const members = { ...stream, members_skipped: { encrypted: 2, image_without_ocr: 1200, some_reason: 0 } };
  expect(leftOut(members).slice(-2)).toEqual(['1,200 inside of files: images, whose text is not read', '2 inside of files: locked by a password']);
  expect(leftOut(stream)).toEqual(['11 of a type that is not read', '2 over the size limit', '1 new reason', '1 given up after 72 hours of tries', '3 deferred for now', '1 slice of history to go']);
});
