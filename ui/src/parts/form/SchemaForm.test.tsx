import { fireEvent, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { useState } from 'react';
import { expect, test } from 'vitest';

import { show } from '../../test/render';
import { initial, type Errors, type Form, type Values } from './schema';
import { SchemaForm } from './SchemaForm';

const form: Form = {
  type: 'object',
  required: ['api_key'],
  'x-order': ['api_key', 'base_url', 'rate', 'deep', 'teams', 'auth'],
  properties: {
    api_key: { type: 'string', title: 'Key', description: 'Of an owner.', writeOnly: true, 'x-create-url': 'https://vendor.example/keys', 'x-doc': 'javascript:alert(1)' },
    base_url: { type: 'string', title: 'Base URL', format: 'uri', default: 'https://api.example.com' },
    rate: { type: 'integer', title: 'Rate', default: 10 },
    deep: { type: 'boolean', title: 'Deep' },
    teams: { type: 'array', title: 'Teams', items: { type: 'string' } },
    auth: {
      type: 'object',
      title: 'Sign-in',
      oneOf: [
        { type: 'object', title: 'By token', required: [], 'x-order': ['kind', 'token'], properties: { kind: { type: 'string', title: 'Kind', const: 'token' }, token: { type: 'string', title: 'Token', 'x-secret': true } } },
        { type: 'object', title: 'By app', required: [], 'x-order': ['kind', 'app'], properties: { kind: { type: 'string', title: 'Kind', const: 'app' }, app: { type: 'string', title: 'App' } } },
      ],
    },
  },
};

let held: Values = {};
function Held({ errors = {}, fold = false }: { errors?: Errors; fold?: boolean }) {
  const [values, setValues] = useState(() => initial(form));
  held = values;
  return <SchemaForm form={form} values={values} errors={errors} fold={fold} onChange={setValues} />;
}

test('every kind of field takes what is typed', async () => {
  show(<Held />);
  fireEvent.change(screen.getByLabelText(/^Key/), { target: { value: 'sk-made-up' } });
  fireEvent.change(screen.getByLabelText('Base URL'), { target: { value: 'https://proxy.example.com' } });
  fireEvent.change(screen.getByLabelText('Rate'), { target: { value: '42' } });
  fireEvent.click(screen.getByRole('switch', { name: 'Deep' }));
  await userEvent.type(screen.getByRole('combobox', { name: 'Teams' }), 'red,x,');
  expect(held).toMatchObject({ api_key: 'sk-made-up', base_url: 'https://proxy.example.com', rate: 42, deep: true, teams: ['red', 'x'] });
});

test('another variant brings its own fields', async () => {
  const user = userEvent.setup();
  show(<Held />);
  expect(screen.getByLabelText('Token')).toBeDefined();
  await user.click(screen.getByRole('combobox', { name: 'Kind' }));
  await user.click(screen.getByRole('option', { name: 'By app' }));
  expect(screen.queryByLabelText('Token')).toBeNull();
  await user.type(screen.getByLabelText('App'), 'x');
  expect(held.auth).toEqual({ kind: 'app', app: 'x' });
});

test('a secret is neither shown nor kept by the browser, and only web addresses are linked', () => {
  show(<Held />);
  const key = screen.getByLabelText(/^Key/);
  expect([key.getAttribute('type'), key.getAttribute('autocomplete')]).toEqual(['password', 'new-password']);
  expect(screen.getByRole('link', { name: 'Make one' }).getAttribute('href')).toBe('https://vendor.example/keys');
  expect(screen.queryByRole('link', { name: 'How it works' })).toBeNull();
});

test('what has a default is folded away until it is asked for or wrong', async () => {
  const user = userEvent.setup();
  const { unmount } = show(<Held fold />);
  const toggle = screen.getByRole('button', { name: 'Advanced settings' });
  expect(toggle.getAttribute('aria-expanded')).toBe('false');
  await user.click(toggle);
  expect(toggle.getAttribute('aria-expanded')).toBe('true');
  unmount();
  show(<Held fold errors={{ api_key: 'This is needed.', base_url: 'This address may not be called.' }} />);
  expect(screen.getByRole('button', { name: 'Advanced settings' }).getAttribute('aria-expanded')).toBe('true');
  for (const label of [/^Key/, 'Base URL']) expect(screen.getByLabelText(label).getAttribute('aria-invalid')).toBe('true');
  expect(screen.getByText('This address may not be called.')).toBeDefined();
});
