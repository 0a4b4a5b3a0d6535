import { expect, test } from 'vitest';

import { definitionOf, emptyProfile, fieldOf, thresholds } from './profile';

test('thresholds are said in words', () => {
  expect(thresholds(emptyProfile)).toEqual(['1 match', 'confidence from 0.40']);
  expect(thresholds({ ...emptyProfile, min_kinds: 3, within: 1000 })).toEqual(['3 different kinds', 'within 1,000 bytes', 'confidence from 0.40']);
  expect(thresholds({ ...emptyProfile, min_matches: 5, min_distinct: 10, min_confidence: 0 })).toEqual(['5 matches', '10 different values']);
  expect(thresholds({ ...emptyProfile, all_of: ['person', 'condition'], min_confidence: 0 })).toEqual(['each of person, condition']);
});

test('a problem belongs to a field of the form', () => {
  expect(fieldOf('body.groups[0].detectors[1]')).toBe('groups');
  expect(fieldOf('body.min_kinds')).toBe('min_kinds');
  expect(fieldOf('body')).toBe('');
});

test('only the definition is sent', () => {
  expect(Object.keys(definitionOf({ ...emptyProfile, ...{ id: 'x', version: 3 } }))).toEqual(Object.keys(emptyProfile));
});
