import { expect, it } from 'vitest';

import { differences, endOf, show } from './state';

it('shows values of any shape as text', () => {
  expect([show(null), show(''), show(true), show(12), show(['a', 1]), show({ a: 1 }), show('<b>')]).toEqual(['–', '–', 'yes', '12', '["a",1]', '{"a":1}', '<b>']);
});

it('finds what differs, what appeared and what went', () => {
  expect(differences({ role: 'user', same: 1, gone: true }, { role: 'owner', same: 1, fresh: 'x' })).toEqual([
    { field: 'fresh', before: '–', after: 'x' },
    { field: 'gone', before: 'yes', after: '–' },
    { field: 'role', before: 'user', after: 'owner' },
  ]);
});

it('a day ends at its last moment, and today is now', () => {
  const now = new Date('2026-03-10T12:00:00').getTime();
  expect(endOf('', now)).toBeUndefined();
  expect(endOf('2026-03-10', now)).toBeUndefined();
  expect(endOf('2026-02-31x', now)).toBeUndefined();
  expect(endOf('2026-03-09', now)).toBe(new Date('2026-03-09T23:59:59.999').toISOString());
});
