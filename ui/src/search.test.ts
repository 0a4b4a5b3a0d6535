import { expect, test } from 'vitest';

import { findingsSearch, nextSearch } from './search';

test('the sign-in leads nowhere but to this site', () => {
  expect(nextSearch({ next: '/findings?severity=high' }).next).toBe('/findings?severity=high');
  for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', '', undefined, 7]) expect(nextSearch({ next }).next).toBeUndefined();
});

test('one value and several are read alike, and what does not fit is left out', () => {
  expect(findingsSearch({ severity: 'high', status: ['open', 'resolved'], q: ['a', 'b'], range: 'ever', v: 'x' })).toMatchObject({
    severity: ['high'],
    status: ['open', 'resolved'],
    q: 'a',
    range: undefined,
    v: undefined,
  });
});
