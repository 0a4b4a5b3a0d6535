import { expect, test } from 'vitest';

import { health, hostOf, keyProblem, makeKey, pretty, type Destination } from './state';

test('the state in a word', () => {
  expect((['active', 'failing', 'disabled'] as const).map((state) => health({ state } as Destination))).toEqual([
    { tone: 'good', word: 'Active' },
    { tone: 'critical', word: 'Failing' },
    { tone: 'info', word: 'Disabled' },
  ]);
});

test('the host of an address', () => {
  expect(['https://siem.example.com:8443/outband?x=1', 'nonsense'].map(hostOf)).toEqual(['siem.example.com:8443', 'nonsense']);
});

test('a key that is made is one, and none like another', () => {
  expect(keyProblem(makeKey())).toBeUndefined();
  expect(makeKey()).not.toBe(makeKey());
});

test.each([
  ['', false],
  ['made-up', false],
  ['whsec_', false],
  [`whsec_${btoa('x'.repeat(23))}`, false],
  [`whsec_${btoa('x'.repeat(24))}`, true],
  [`whsec_${btoa('x'.repeat(64))}`, true],
  [`whsec_${btoa('x'.repeat(65))}`, false],
  ['whsec_not base64!', false],
])('%s', (key, good) => {
  expect(keyProblem(key) === undefined).toBe(good);
});

test('a body is laid out if it is JSON', () => {
  expect(pretty('{"a":[1]}')).toBe('{\n  "a": [\n    1\n  ]\n}');
  expect(pretty('no json')).toBe('no json');
});
