import { describe, expect, it } from 'vitest';

import { choicesFor, chunks, may, reasonError, refusals, tally } from './triage';
import { confidenceWord, contextWords, counted, guideParts, happened, lookedAt, placeOf, type HistoryEvent } from './wording';

describe('statuses', () => {
  it('offer what the server allows', () => {
    expect(choicesFor(['open'])).toEqual(['acknowledged', 'in_progress', 'resolved', 'accepted_risk', 'false_positive']);
    expect(choicesFor(['resolved'])).toEqual(['open', 'in_progress', 'accepted_risk', 'false_positive']);
    expect(choicesFor(['closed'])).toEqual([]);
    expect(choicesFor(['closed', 'open', 'resolved'])).toContain('acknowledged');
  });
  it('say how many would be refused', () => {
    expect(refusals(['open', 'closed', 'resolved', 'acknowledged'], 'acknowledged')).toBe(2);
    expect(may('accepted_risk', 'acknowledged')).toBe(false);
  });
  it('need a reason where the server does, and not a long one', () => {
    expect(reasonError('accepted_risk', '  ')).toBeDefined();
    expect(reasonError('false_positive', 'Test data.')).toBeUndefined();
    expect(reasonError('resolved', '')).toBeUndefined();
    expect(reasonError('resolved', 'ü'.repeat(501))).toBeDefined();
    expect(reasonError('resolved', 'x'.repeat(1000))).toBeUndefined();
  });
});

it('many findings are changed in pieces', () => {
  expect(chunks([1, 2, 3, 4, 5], 2)).toEqual([[1, 2], [3, 4], [5]]);
  expect(chunks([], 2)).toEqual([]);
});

it('outcomes are sorted by what became of them', () => {
  const got = tally([
    { id: 'a', changed: true },
    { id: 'b', changed: false },
    { id: 'c', changed: false, code: 'OB-4009', message: 'No.' },
    { id: 'd', changed: false, code: 'OB-4009', message: 'No.' },
  ]);
  expect(got.changed).toEqual(['a']);
  expect(got.same).toEqual(['b']);
  expect([...got.refused]).toEqual([['No. (OB-4009)', ['c', 'd']]]);
});

const instance = {
  id: 'ins_1',
  resource: { kind: 'message', id: 'm1' },
  location: { part: 'user_text', message_id: 'm1', path: 'content/0', line: 3, start: 5, end: 9 },
  detector: 'contact.email',
  confidence: 0.4,
  validated: false,
  masked: 'ab**',
  context: ['mail', 'to'],
  count: 1,
  occurred_at: '',
  first_seen_at: '',
};

describe('words', () => {
  it('tell the place from the coarse to the fine', () => {
    expect(placeOf(instance)).toEqual({ part: 'What the person wrote', where: ['message m1', 'path content/0', 'line 3', 'bytes 5–9'] });
    expect(placeOf({ ...instance, resource: { kind: 'activity', id: 'x' }, location: { part: '', path: '', start: 0, end: 0 } })).toEqual({ part: 'Activity', where: ['x'] });
    expect(placeOf({ ...instance, location: { part: 'file', file_id: 'f', path: 'a.zip/b', page: 2, start: 0, end: 0 } }).where).toEqual(['file f', 'path a.zip/b', 'page 2']);
  });
  it('tell the place in a document', () => {
    const at = (l: object) => placeOf({ ...instance, location: { part: 'file', file_id: 'f', path: '', start: 0, end: 0, ...l } }).where.slice(1);
    expect(at({ path: 'a.zip!/b.xlsx', sheet: 'Plan', cell: 'B7', hidden: true })).toEqual(['path a.zip!/b.xlsx', 'sheet Plan', 'cell B7', 'hidden from who opens it']);
    expect(at({ section: 'tracked_deletion', paragraph: 4 })).toEqual(['tracked deletion', 'paragraph 4']);
    expect(at({ section: 'header', mail_part: '2.1', name: 'Subject' })).toEqual(['header', 'mail part 2.1', '“Subject”']);
    expect(at({ slide: 3, section: 'notes' })).toEqual(['notes', 'slide 3']);
    expect(at({ sheet: 'users', row: 12, name: 'token', line: 1 })).toEqual(['sheet users', 'row 12', '“token”']);
    expect(at({ line: 3, column: 7 })).toEqual(['line 3, column 7']);
  });
  it('put confidence in a word', () => {
    expect([0.95, 0.7, 0.5, 0.2].map(confidenceWord)).toEqual(['Very high', 'High', 'Medium', 'Low']);
  });
  it('say what a policy looks at', () => {
    expect(lookedAt({ items: ['chat', 'message'], activities: ['api_key_created'] })).toBe('Content of chat, message; activities: api key created');
    expect(lookedAt({ items: ['*'] })).toBe('Content of every kind');
    expect(lookedAt({})).toBe('Everything of its kind');
  });
  it('collect each word nearby once', () => {
    expect(contextWords([instance, { ...instance, context: ['mail', 'cc'] }])).toEqual(['cc', 'mail', 'to']);
  });
  it('count', () => {
    expect([counted(1, 'finding'), counted(0, 'finding'), counted(1284, 'finding')]).toEqual(['1 finding', '0 findings', '1,284 findings']);
  });
  it('leave room for the link in a guide', () => {
    expect(guideParts('Open {resource.url} now.')).toEqual(['Open ', ' now.']);
  });
});

it('history is told as changes', () => {
  const e = (x: Partial<HistoryEvent>): HistoryEvent => ({ id: 'evt', type: 'finding.updated', sequence: 1, at: '', severity: 'high', status: 'open', source: 'present', instance_count: 1, ...x });
  expect(happened(e({ type: 'finding.created' }), undefined)).toBe('Found, 1 instance');
  expect(happened(e({ instance_count: 3 }), e({}))).toBe('2 more instances, 3 in all');
  expect(happened(e({ severity: 'low' }), e({}))).toBe('Severity high → low');
  expect(happened(e({}), e({}))).toBe('Seen again');
  expect(happened(e({ type: 'finding.triaged', status: 'in_progress' }), e({}))).toBe('Open → In progress');
  expect(happened(e({ type: 'finding.source_deleted', source: 'deleted' }), e({}))).toBe('The resource was deleted at the source');
});
