import { expect, test } from 'vitest';

import { copyOf, idOf, idProblem, placeOf, sizeOf, template } from './state';

test('a copy has an id of its own, and nothing else changes', () => {
  expect(copyOf('detectors:\n  - id: secret.github_pat\n    title: A\n', 'secret.github_pat')).toBe('detectors:\n  - id: custom.secret_github_pat\n    title: A\n');
  expect(copyOf(template, 'custom.ticket')).toBe(template.replace('custom.ticket', 'custom.ticket_copy'));
});

test('a place is found by bytes', () => {
  expect(placeOf('ab\ncd', 2, 2)).toBe(4);
  expect(placeOf('«ä» x', 1, 7)).toBe(3);
  expect(placeOf('ab', 9, 9)).toBe(2);
});

test('ids are made of file names', () => {
  expect(idOf('2024 Project Names (EU).txt')).toBe('project_names_eu');
  expect(idProblem(idOf('Staff.csv'))).toBeNull();
  expect(idProblem('Über')).not.toBeNull();
  expect(idProblem('')).not.toBeNull();
});

test('sizes are for people', () => {
  expect([12, 2048, 3 * 1024 * 1024].map(sizeOf)).toEqual(['12 B', '2.0 KiB', '3.0 MiB']);
});
