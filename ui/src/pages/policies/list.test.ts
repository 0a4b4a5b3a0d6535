import { expect, test } from 'vitest';

import { countsOf, holds, percent } from './list';

test('every word must be somewhere, in any order and case', () => {
  expect(holds('KEY aws', 'AWS access key', 'aws-key')).toBe(true);
  expect(holds('key gcp', 'AWS access key')).toBe(false);
  expect(holds('  ', 'anything')).toBe(true);
});

test('a field without counts is empty', () => {
  expect(countsOf(undefined, 'policy_id').size).toBe(0);
  expect(countsOf({ total: 3, fields: { policy_id: [{ value: 'a', count: 3 }] } }, 'policy_id').get('a')).toBe(3);
});

test('nearly all is not all', () => {
  expect(percent(1)).toBe('100 %');
  expect(percent(0.99961)).toBe('99.9 %');
  expect(percent(0)).toBe('0 %');
  expect(percent(undefined)).toBe('–');
});
