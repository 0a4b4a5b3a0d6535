import { expect, it } from 'vitest';

import { describe as tell, sums } from './chart';

const stacks = [
  { name: 'Critical', colour: '--ob-chart-critical' as const },
  { name: 'Low', colour: '--ob-chart-low' as const },
];

it('a chart is told in a sentence', () => {
  const bars = [
    { short: '1', long: '1 March', values: [1, 2] },
    { short: '2', long: '2 March', values: [0, 4] },
  ];
  expect(sums(bars, stacks)).toEqual([1, 6]);
  expect(tell('New per day', bars, stacks)).toBe('New per day: 7 in all, of which 1 critical, 6 low. Most: 4, 2 March. The same numbers are in the table.');
  expect(tell('New per day', [], stacks)).toBe('New per day: none.');
});
