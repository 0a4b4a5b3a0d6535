import { expect, test } from 'vitest';

import { countsOf, holds } from './list';

test('every word must be somewhere, in any order and case', () => {
  expect(holds('KEY aws', 'AWS access key', 'aws-key')).toBe(true);
  expect(holds('key gcp', 'AWS access key')).toBe(false);
  expect(holds('  ', 'anything')).toBe(true);
});

test('a field without counts is empty', () => {
  expect(countsOf(undefined, 'policy_id').size).toBe(0);
  expect(countsOf({ total: 3, fields: { policy_id: [{ value: 'a', count: 3 }] } }, 'policy_id').get('a')).toBe(3);
});
