import { screen } from '@testing-library/react';
import { expect, test } from 'vitest';

import { ProblemError, type Problem } from '../../api/client';
import { show } from '../../test/render';
import { Refused } from './Refused';

const problem = (...locations: string[]): ProblemError =>
  new ProblemError({ type: 'about:blank', title: 'Unprocessable', status: 422, code: 'OB-4002', detail: 'Inputs are wrong.', request_id: 'req_a', errors: locations.map((location) => ({ location, message: 'No.' })) } satisfies Problem);

test('what stands beside its field is not said twice', () => {
  show(<Refused error={problem('body.name')} title="It was not saved" shown={/^body\.name$/} />);
  expect(screen.getByRole('alert').textContent).toBe('It was not saved: correct what is marked above. (OB-4002)');
});

test('what the form does not show is said whole', () => {
  show(<Refused error={problem('body.name', 'body.kind')} title="It was not saved" shown={/^body\.name$/} />);
  expect(screen.getByRole('alert').textContent).toMatch(/Inputs are wrong\..*body\.kind: No\..*OB-4002 · request req_a/);
});

test('no answer is a problem too', () => {
  show(<Refused error={new TypeError('failed to fetch')} title="It was not saved" shown={/./} />);
  expect(screen.getByRole('alert').textContent).toContain('Outband did not answer');
});
