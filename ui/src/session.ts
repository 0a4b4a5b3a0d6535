// Who is signed in, and what their role lets them do. The server decides; this only keeps a page from offering what would be refused.
import { queryOptions, useQuery, type QueryClient } from '@tanstack/react-query';

import { api, ProblemError, type Schemas } from './api/client';

export type Me = Schemas['SessionInfo'];
export type Role = 'viewer' | 'analyst' | 'responder' | 'author' | 'admin' | 'auditor' | 'service';

export const sessionQuery = queryOptions({
  queryKey: ['session'],
  queryFn: async (): Promise<Me | null> => {
    try {
      const { data } = await api.GET('/api/v1/session');
      return data ?? null;
    } catch (e) {
      if (e instanceof ProblemError && e.problem.status === 401) return null;
      throw e;
    }
  },
  staleTime: 60_000,
});

/** useMe returns who is signed in. Pages behind the shell have it always. */
export function useMe(): Me | null {
  return useQuery(sessionQuery).data ?? null;
}

export function roleOf(me: Me | null): Role | undefined {
  return (me?.user?.role ?? me?.token?.role) as Role | undefined;
}

// The rows of the server's role table that pages ask for.
const allowed = {
  evidence: ['analyst', 'responder', 'author', 'admin', 'auditor', 'service'],
  triage: ['analyst', 'responder', 'author', 'admin'],
  scan: ['responder', 'admin', 'service'],
  policies: ['author', 'admin'],
  admin: ['admin'],
  audit: ['auditor', 'admin'],
} satisfies Record<string, Role[]>;

export type Ability = keyof typeof allowed;

/** useCan tells whether the signed-in person may do something. */
export function useCan(): (what: Ability) => boolean {
  const role = roleOf(useMe());
  return (what) => role !== undefined && (allowed[what] as Role[]).includes(role);
}

export async function refreshSession(queries: QueryClient) {
  await queries.invalidateQueries({ queryKey: sessionQuery.queryKey });
  return queries.fetchQuery(sessionQuery);
}
