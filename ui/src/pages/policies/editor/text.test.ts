import { expect, test } from 'vitest';

import { diff } from './diff';
import { copyOf, offsetOf } from './text';

test('a place is found by line and column', () => {
  const text = 'a\n  bé😀c\nd';
  expect(offsetOf(text, 1, 1)).toBe(0);
  expect(offsetOf(text, 2, 0)).toBe(4);
  expect(text.slice(offsetOf(text, 2, 6))).toBe('c\nd');
  expect(offsetOf(text, 9, 1)).toBe(text.length);
  expect(offsetOf(text, 0, 0)).toBe(0);
});

test('a copy has an id and a version of its own, and nothing else differs', () => {
  const yaml = '# id: old\nid: content.card_numbers # ours\nversion: 12 # late\ntitle: "id: x"\n';
  expect(copyOf(yaml, 'content.card_numbers')).toBe('# id: old\nid: custom.card_numbers_copy\nversion: 1 # late\ntitle: "id: x"\n');
});

test('lines are the same, removed or added', () => {
  const show = (a: string, b: string) => diff(a, b).map((l) => ({ same: ' ', removed: '-', added: '+' })[l.kind] + l.text);
  expect(show('a\nb\nc', 'a\nc\nd')).toEqual([' a', '-b', ' c', '+d']);
  expect(show('a', 'a')).toEqual([' a']);
  expect(show('x', 'y')).toEqual(['-x', '+y']);
  const long = (s: string) => Array.from({ length: 3000 }, (_, i) => s + i).join('\n');
  expect(diff(long('a'), long('b'))).toHaveLength(6000);
});
