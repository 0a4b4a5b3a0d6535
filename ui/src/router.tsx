import type { QueryClient } from '@tanstack/react-query';
import { createRootRouteWithContext, createRoute, createRouter, lazyRouteComponent, Outlet, redirect } from '@tanstack/react-router';

import { api } from './api/client';
import { ProblemAlert } from './parts/states';
import { coverageSearch, editDetectorSearch, findingsSearch, newDetectorSearch, nextSearch, overviewSearch, policyNewSearch, recordsSearch } from './search';
import { sessionQuery } from './session';
import { NotFound } from './shell/NotFound';
import { Shell } from './shell/Shell';

interface Context {
  queries: QueryClient;
}

const root = createRootRouteWithContext<Context>()({ component: Outlet, notFoundComponent: NotFound });

const signIn = createRoute({ getParentRoute: () => root, path: '/sign-in', validateSearch: nextSearch, component: lazyRouteComponent(() => import('./pages/sign-in/SignIn'), 'SignIn') });

const setUp = createRoute({ getParentRoute: () => root, path: '/set-up', component: lazyRouteComponent(() => import('./pages/sign-in/SetUp'), 'SetUp') });

const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  beforeLoad: async ({ context, location }) => {
    if (await context.queries.ensureQueryData(sessionQuery)) return;
    const { data } = await api.GET('/api/v1/setup');
    if (data?.needed) throw redirect({ to: '/set-up' });
    throw redirect({ to: '/sign-in', search: { next: location.href === '/' ? undefined : location.href } });
  },
  component: Shell,
  errorComponent: ({ error, reset }) => <ProblemAlert error={error} onRetry={reset} />,
});

const page = <P extends string>(path: P, load: () => Promise<Record<string, unknown>>, name: string) =>
  createRoute({ getParentRoute: () => shell, path, component: lazyRouteComponent(load as () => Promise<Record<string, never>>, name) });

const overview = createRoute({ getParentRoute: () => shell, path: '/', validateSearch: overviewSearch, component: lazyRouteComponent(() => import('./pages/overview/Overview'), 'Overview') });
const connections = page('/connections', () => import('./pages/connections/Connections'), 'Connections');
const connectionNew = page('/connections/new', () => import('./pages/connections/AddConnection'), 'AddConnection');
const connection = page('/connections/$id', () => import('./pages/connections/ConnectionPage'), 'ConnectionPage');
const records = createRoute({ getParentRoute: () => shell, path: '/connections/$id/records', validateSearch: recordsSearch, component: lazyRouteComponent(() => import('./pages/records/Records'), 'RecordsPage') });
const coverage = createRoute({ getParentRoute: () => shell, path: '/coverage', validateSearch: coverageSearch, component: lazyRouteComponent(() => import('./pages/coverage/Coverage'), 'CoveragePage') });
const destinations = page('/destinations', () => import('./pages/destinations/Destinations'), 'Destinations');
const destinationNew = page('/destinations/new', () => import('./pages/destinations/AddDestination'), 'AddDestination');
const destination = page('/destinations/$id', () => import('./pages/destinations/DestinationPage'), 'DestinationPage');
const policies = page('/policies', () => import('./pages/policies/Policies'), 'Policies');
const policyNew = createRoute({ getParentRoute: () => shell, path: '/policies/new', validateSearch: policyNewSearch, component: lazyRouteComponent(() => import('./pages/policies/editor/Editor'), 'NewPolicy') });
const policyEdit = page('/policies/$id/edit', () => import('./pages/policies/editor/Editor'), 'EditPolicy');
const exceptions = page('/policies/exceptions', () => import('./pages/policies/Exceptions'), 'Exceptions');
const policyYield = page('/policies/yield', () => import('./pages/policies/Yield'), 'PolicyYield');
const testData = page('/policies/test-data', () => import('./pages/policies/TestData'), 'TestData');
const detectorYield = page('/detectors/yield', () => import('./pages/policies/Yield'), 'DetectorYield');
const detectors = page('/detectors', () => import('./pages/policies/Detectors'), 'Detectors');
const profiles = page('/profiles', () => import('./pages/policies/Profiles'), 'Profiles');
const detectorNew = createRoute({ getParentRoute: () => shell, path: '/detectors/new', validateSearch: newDetectorSearch, component: lazyRouteComponent(() => import('./pages/detectors/Editor'), 'NewDetector') });
// The id stands behind the question mark: with its full stop, a path would be taken for a file's.
const detector = createRoute({ getParentRoute: () => shell, path: '/detectors/edit', validateSearch: editDetectorSearch, component: lazyRouteComponent(() => import('./pages/detectors/Editor'), 'EditDetector') });
const dictionaries = page('/dictionaries', () => import('./pages/detectors/Dictionaries'), 'Dictionaries');
const exactTables = page('/exact-tables', () => import('./pages/detectors/ExactTables'), 'ExactTables');
const settings = page('/settings', () => import('./pages/settings/Settings'), 'Settings');
const users = page('/users', () => import('./pages/settings/Users'), 'Users');
const tokens = page('/tokens', () => import('./pages/settings/Tokens'), 'Tokens');
const audit = page('/audit', () => import('./pages/settings/Audit'), 'Audit');

const findings = createRoute({ getParentRoute: () => shell, path: '/findings', validateSearch: findingsSearch, component: lazyRouteComponent(() => import('./pages/findings/Findings'), 'Findings') });

// The link that events carry.
const finding = createRoute({
  getParentRoute: () => shell,
  path: '/findings/$id',
  beforeLoad: ({ params }) => {
    throw redirect({ to: '/findings', search: { open: params.id }, replace: true });
  },
});

const tree = root.addChildren([
  signIn,
  setUp,
  shell.addChildren([overview, connections, connectionNew, connection, records, coverage, findings, finding, destinations, destinationNew, destination, policies, policyNew, policyEdit, exceptions, policyYield, testData, profiles, detectors, detectorNew, detector, dictionaries, exactTables, detectorYield, settings, users, tokens, audit]),
]);

export function makeRouter(queries: QueryClient) {
  return createRouter({
    routeTree: tree,
    context: { queries },
    defaultPreload: 'intent',
    scrollRestoration: false,
    // Values that repeat are written as repeated keys, as the API takes them, so that a filter can be copied from one to the other.
    parseSearch: (text) => {
      const out: Record<string, string | string[]> = {};
      for (const [k, v] of new URLSearchParams(text)) {
        const have = out[k];
        out[k] = have === undefined ? v : [have, v].flat();
      }
      return out;
    },
    stringifySearch: (search) => {
      const p = new URLSearchParams();
      for (const [k, v] of Object.entries(search as Record<string, unknown>)) {
        for (const x of [v].flat()) if (x !== undefined && x !== null && x !== '') p.append(k, String(x));
      }
      const s = p.toString();
      return s && `?${s}`;
    },
  });
}

declare module '@tanstack/react-router' {
  interface Register {
    router: ReturnType<typeof makeRouter>;
  }
}
