import { expect, test } from 'vitest';

import { changes, cleaned, errorOf, fieldsOf, initial, parts, problems, type Form } from './schema';

const form: Form = {
  type: 'object',
  additionalProperties: false,
  required: ['api_key'],
  'x-order': ['api_key', 'base_url', 'rate', 'share', 'version', 'deep', 'mode', 'owner', 'since', 'teams'],
  properties: {
    api_key: { type: 'string', title: 'Key', writeOnly: true, maxLength: 10 },
    base_url: { type: 'string', title: 'Base URL', format: 'uri', default: 'https://api.example.com' },
    rate: { type: 'integer', title: 'Rate', minimum: 1, maximum: 100, default: 10 },
    share: { type: 'number', title: 'Share', minimum: 0 },
    version: { type: 'string', title: 'Version', pattern: '^(?:\\d{4}-\\d{2}-\\d{2})$' },
    deep: { type: 'boolean', title: 'Deep' },
    mode: { type: 'string', title: 'Mode', enum: ['a', 'b'] },
    owner: { type: 'string', title: 'Owner', format: 'email', 'x-group': 'People' },
    since: { type: 'string', title: 'Since', format: 'date-time' },
    teams: { type: 'array', title: 'Teams', items: { type: 'string', pattern: '^[a-z]+$' }, minItems: 2, maxItems: 3 },
  },
};

const auth: Form = {
  type: 'object',
  required: ['auth'],
  'x-order': ['auth'],
  properties: {
    auth: {
      type: 'object',
      title: 'Sign-in',
      oneOf: [
        { type: 'object', title: 'Token', required: ['kind', 'token'], 'x-order': ['kind', 'token'], properties: { kind: { type: 'string', title: 'Kind', const: 'token' }, token: { type: 'string', title: 'Token', 'x-secret': true } } },
        {
          type: 'object',
          title: 'App',
          required: ['kind', 'app'],
          'x-order': ['kind', 'app', 'tenant'],
          properties: { kind: { type: 'string', title: 'Kind', const: 'app' }, app: { type: 'string', title: 'App', minLength: 3 }, tenant: { type: 'string', title: 'Tenant', default: 'common' } },
        },
      ],
    },
  },
};

test('a new form holds the defaults, an old one what was saved', () => {
  expect(initial(form)).toEqual({ api_key: '', base_url: 'https://api.example.com', rate: 10, share: '', version: '', deep: false, mode: '', owner: '', since: '', teams: [] });
  expect(initial(form, { rate: 20, deep: true, teams: ['red'] })).toMatchObject({ rate: 20, deep: true, teams: ['red'] });
  expect(initial(auth)).toEqual({ auth: { kind: 'token', token: '' } });
  expect(initial(auth, { auth: { kind: 'app', app: 'abc' } })).toEqual({ auth: { kind: 'app', app: 'abc', tenant: 'common' } });
});

test('empty fields are not sent, and texts are trimmed', () => {
  expect(cleaned(form, { ...initial(form), api_key: ' key\n', mode: '  ', teams: [' red ', ''] })).toEqual({ api_key: 'key', base_url: 'https://api.example.com', rate: 10, deep: false, teams: ['red'] });
  expect(cleaned(auth, { auth: { kind: 'app', app: ' abc', tenant: '', token: 'of the other variant' } })).toEqual({ auth: { kind: 'app', app: 'abc' } });
});

test('only what was changed is sent, and null for what was emptied', () => {
  const before = initial(form, { rate: 20, mode: 'a' });
  expect(changes(form, before, { ...before })).toEqual({});
  expect(changes(form, before, { ...before, base_url: ' https://api.example.com ', rate: '', mode: 'b' })).toEqual({ rate: null, mode: 'b' });
});

test('what is wrong is said by field', () => {
  const right = { ...initial(form), api_key: 'key' };
  expect(problems(form, right)).toEqual({});
  expect(problems(form, initial(form))).toEqual({ api_key: 'This is needed.' });
  const wrong = problems(form, { api_key: 'x'.repeat(11), base_url: 'api.example.com', rate: 101, share: -1, version: 'new', deep: false, mode: 'c', owner: 'nobody', since: 'yesterday', teams: ['red'] });
  expect(wrong).toEqual({
    api_key: 'At most 10 bytes.',
    base_url: 'Give a whole address, such as https://api.example.com.',
    rate: 'At most 100.',
    share: 'At least 0.',
    version: 'This has the wrong form.',
    mode: 'One of a, b.',
    owner: 'Give an e-mail address.',
    since: 'Give a time such as 2026-01-31T00:00:00Z.',
    teams: 'At least 2.',
  });
});

test.each([
  [{ rate: 1.5 }, 'rate', 'Give a whole number.'],
  [{ rate: 0 }, 'rate', 'At least 1.'],
  [{ base_url: 'javascript:alert(1)' }, 'base_url', 'Give a whole address, such as https://api.example.com.'],
  [{ api_key: 'a key' }, 'api_key', 'It has a space or a character outside of ASCII. Copy it again.'],
  [{ api_key: 'kéy' }, 'api_key', 'It has a space or a character outside of ASCII. Copy it again.'],
  [{ teams: ['red', 'BLUE'] }, 'teams', 'One of these has the wrong form.'],
  [{ teams: ['a', 'b', 'c', 'd'] }, 'teams', 'At most 3.'],
])('%o', (change, field, message) => {
  expect(problems(form, { ...initial(form), api_key: 'key', ...change })).toEqual({ [field]: message });
});

test('lengths are bytes, as on the server', () => {
  const named: Form = { type: 'object', required: [], 'x-order': ['name'], properties: { name: { type: 'string', title: 'Name', maxLength: 4 } } };
  expect(problems(named, { name: 'abcd' })).toEqual({});
  expect(problems(named, { name: 'éé' })).toEqual({});
  expect(problems(named, { name: 'ééé' }).name).toBe('At most 4 bytes.');
});

test('a pattern that only Go knows is left to the server', () => {
  const go: Form = { type: 'object', required: [], 'x-order': ['id'], properties: { id: { type: 'string', title: 'Id', pattern: '^(?:(?i)abc\\z)$' } } };
  expect(problems(go, { id: 'anything' })).toEqual({});
});

test('only the chosen variant is validated', () => {
  expect(problems(auth, initial(auth))).toEqual({ 'auth.token': 'This is needed.' });
  expect(problems(auth, { auth: { kind: 'token', token: 'key' } })).toEqual({});
  expect(problems(auth, { auth: { kind: 'app', app: 'ab' } })).toEqual({ 'auth.app': 'At least 3 characters.' });
  expect(problems(auth, {})).toEqual({ 'auth.kind': 'This is needed.', 'auth.token': 'This is needed.' });
});

test('what is needed comes first, what has a default is folded away, groups stand alone', () => {
  expect(parts(form)).toEqual([{ ids: ['api_key'] }, { title: 'Advanced settings', ids: ['base_url', 'rate', 'share', 'version', 'deep', 'mode', 'since', 'teams'] }, { title: 'People', ids: ['owner'] }]);
  expect(parts({ ...form, required: [], 'x-order': ['rate'] })).toEqual([{ title: 'Advanced settings', ids: ['rate'] }]);
});

test('errors of the server come to their fields', () => {
  const errors = fieldsOf(
    [
      { location: 'body.config.base_url', message: 'No.' },
      { location: 'body.config.auth.token', message: 'Old.' },
      { location: 'body.name', message: 'Long.' },
    ],
    'config',
  );
  expect(errors).toEqual({ base_url: 'No.', 'auth.token': 'Old.' });
  expect([errorOf(errors, 'base_url'), errorOf(errors, 'auth'), errorOf(errors, 'base')]).toEqual(['No.', 'Old.', undefined]);
  expect(fieldsOf(undefined, 'config')).toEqual({});
});
