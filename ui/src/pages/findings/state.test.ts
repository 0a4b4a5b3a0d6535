import { describe, expect, it } from 'vitest';

import { findingsSearch } from '../../search';
import { apiFilter, apiPath, asCurl, isFiltered, minute, openStatuses, period, safeHref, sortedBy, sortOf, toggled, valueName, viewOf, views, withFilters, type Names } from './state';

const now = Date.parse('2026-03-10T12:00:00Z');
const names: Names = { policy: new Map([['content.iban', 'Bank account number']]), detector: new Map(), connection: new Map([['con_a', 'Acme']]), connector: new Map() };

describe('the address', () => {
  it('reads single values as lists and drops what it does not know', () => {
    const got = findingsSearch({ severity: 'high', status: ['open', 'closed'], range: '7d', v: '1', nonsense: 'x' });
    expect(JSON.parse(JSON.stringify(got))).toEqual({ severity: ['high'], status: ['open', 'closed'], range: '7d', v: 1 });
    expect(findingsSearch({ range: 'a year' }).range).toBeUndefined();
  });
});

describe('apiFilter', () => {
  it('takes only what filters, and quotes a value with a comma', () => {
    expect(apiFilter({ q: 'key', severity: ['high'], resource_kind: ['a,b'], sort: 'title', open: 'fnd_x', columns: ['person'] }, now)).toEqual({ q: 'key', severity: ['high'], resource_kind: ['"a,b"'] });
  });
  it('counts a range back from now, and looks at no bounds then', () => {
    expect(apiFilter({ range: '24h', from: '2020-01-01T00:00:00Z', to: '2020-01-02T00:00:00Z' }, now)).toEqual({ from: '2026-03-09T12:00:00.000Z' });
    expect(period({ from: 'a', to: 'b' }, now)).toEqual({ from: 'a', to: 'b' });
  });
  it('is the same question for a minute', () => {
    expect(minute(now + 59_999)).toBe(now);
  });
});

describe('filters', () => {
  it('toggle, and close the finding that is open', () => {
    const one = toggled({ open: 'fnd_x', tab: 'why', sort: 'title' }, 'severity', 'high');
    expect(one).toEqual({ sort: 'title', severity: ['high'], open: undefined, tab: undefined });
    expect(toggled(one, 'severity', 'high').severity).toBeUndefined();
  });
  it('are cleared without losing sort and columns', () => {
    expect(withFilters({ severity: ['high'], q: 'x', sort: 'title', columns: ['person'], open: 'fnd_x' }, {})).toEqual({ sort: 'title', columns: ['person'], v: undefined });
  });
  it('know whether they leave anything out', () => {
    expect(isFiltered({ sort: 'title', open: 'fnd_x', columns: ['person'] })).toBe(false);
    expect(isFiltered({ range: '7d' })).toBe(true);
  });
});

describe('views', () => {
  it('are found again in whatever order their values stand', () => {
    expect(viewOf({ status: [...openStatuses].reverse(), severity: ['high', 'critical'], sort: 'title', open: 'fnd_x' })?.id).toBe('urgent');
    expect(viewOf({})?.id).toBe('all');
    expect(viewOf({ severity: ['low'] })).toBeUndefined();
    for (const v of views) expect(viewOf(v.filters)?.id).toBe(v.id);
  });
});

describe('sort', () => {
  it('begins with the useful way and turns round', () => {
    expect(sortOf({})).toEqual({ key: 'first_seen_at', down: true });
    expect(sortedBy({}, 'severity').sort).toBe('-severity');
    expect(sortedBy({ sort: '-severity' }, 'severity').sort).toBe('severity');
    expect(sortedBy({}, 'title').sort).toBe('title');
    expect(sortedBy({ sort: 'first_seen_at' }, 'first_seen_at').sort).toBeUndefined();
  });
});

describe('links', () => {
  it('repeat keys as the API takes them', () => {
    expect(apiPath('/export', { severity: ['critical', 'high'], q: 'a b' }, now, { format: 'csv' })).toBe('/api/v1/findings/export?q=a+b&severity=critical&severity=high&format=csv');
  });
  it('hold no way out of the quotes of a shell, and no token', () => {
    const cmd = asCurl('https://outband.example', { q: "x' ; rm -rf /" }, now);
    expect(cmd).toBe(`curl -H "Authorization: Bearer $OUTBAND_TOKEN" 'https://outband.example/api/v1/findings?q=x%27+%3B+rm+-rf+%2F'`);
  });
  it.each([
    ['https://claude.ai/chat/1', 'https://claude.ai/chat/1'],
    ['http://a.example/', 'http://a.example/'],
    ['javascript:alert(1)', undefined],
    ['data:text/html,x', undefined],
    ['//a.example', undefined],
    ['', undefined],
  ])('are followed only over http: %s', (url, want) => {
    expect(safeHref(url)).toBe(want);
  });
});

it('names values as people call them', () => {
  expect(valueName('policy_id', 'content.iban', names)).toBe('Bank account number');
  expect(valueName('connection_id', 'con_b', names)).toBe('Removed connection (con_b)');
  expect(valueName('status', 'accepted_risk', names)).toBe('Accepted risk');
  expect(valueName('actor', 'ana_b@example.com', names)).toBe('ana_b@example.com');
});
