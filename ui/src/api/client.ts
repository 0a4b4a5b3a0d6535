// The client of Outband's own API. Its types are generated from the OpenAPI document; a difference fails CI.
import createFetchClient, { type Middleware } from 'openapi-fetch';
import createQueryHooks from 'openapi-react-query';

import type { components, paths } from './schema.gen';

export type Schemas = components['schemas'];
export type Problem = Schemas['Problem'];

/** ProblemError is what every failed call throws. It says what happened, what to do and the request's id. */
export class ProblemError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.name = 'ProblemError';
    this.problem = problem;
  }
}

/** problemOf makes a problem of anything that was thrown. */
export function problemOf(error: unknown): Problem {
  if (error instanceof ProblemError) return error.problem;
  if (isProblem(error)) return error;
  // What fetch throws is a TypeError; anything else is a fault of this page, and must not be taken for the network's.
  if (error instanceof Error && !(error instanceof TypeError && /fetch|network|load failed/i.test(error.message))) {
    return { type: 'about:blank', title: 'A fault of this page', status: 1, code: 'OB-0001', detail: `This page has a fault (${error.name}). Load it again, and report it if it comes back.`, request_id: '' };
  }
  return {
    type: 'about:blank',
    title: 'No answer',
    status: 0,
    code: 'OB-0000',
    detail: 'Outband did not answer. Check that the server runs and that this machine reaches it, then try again.',
    request_id: '',
  };
}

function isProblem(v: unknown): v is Problem {
  return typeof v === 'object' && v !== null && 'code' in v && 'detail' in v && 'status' in v;
}

let signedOut: () => void = () => {};

/** onSignedOut sets what happens when the server no longer knows the session. */
export function onSignedOut(f: () => void) {
  signedOut = f;
}

const problems: Middleware = {
  async onResponse({ response, schemaPath }) {
    if (response.ok) return undefined;
    let problem: Problem | undefined;
    try {
      const body: unknown = await response.clone().json();
      if (isProblem(body)) problem = body;
    } catch {
      // An answer that is no JSON comes from something in between.
    }
    problem ??= {
      ...problemOf(undefined),
      status: response.status,
      title: response.statusText,
      detail: `Something between this page and Outband answered with status ${response.status}. Check the proxy in front of it.`,
      request_id: response.headers.get('X-Request-Id') ?? '',
    };
    if (response.status === 401 && !schemaPath.startsWith('/api/v1/session')) signedOut();
    throw new ProblemError(problem);
  },
};

export const api = createFetchClient<paths>({ baseUrl: window.location.origin, credentials: 'same-origin' });
api.use(problems);

/** $api has a hook for every operation: `$api.useQuery('get', '/api/v1/connections')`. Errors are ProblemErrors. */
export const $api = createQueryHooks(api);
