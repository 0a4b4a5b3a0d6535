import '@mantine/core/styles.css';
import '@mantine/notifications/styles.css';
import './base.css';

import { MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { setNonce } from 'get-nonce';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

import { onSignedOut, ProblemError } from './api/client';
import { makeRouter } from './router';
import { theme, tokens } from './theme';

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refused stays refused; what did not answer may answer the next time.
      retry: (failures, error) => failures < 2 && (!(error instanceof ProblemError) || error.problem.status >= 500),
    },
  },
});
const router = makeRouter(queries);

onSignedOut(() => {
  queries.clear();
  const { pathname, href } = router.state.location;
  if (pathname !== '/sign-in' && pathname !== '/set-up') void router.navigate({ to: '/sign-in', search: { next: href } });
});

// The server puts a nonce of this answer into the page; styles that Mantine writes carry it, and those that keep the page from scrolling under a dialog.
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? '';
setNonce(nonce);

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <QueryClientProvider client={queries}>
      <MantineProvider theme={theme} cssVariablesResolver={tokens} defaultColorScheme="auto" getStyleNonce={() => nonce}>
        <Notifications position="bottom-right" autoClose={6000} />
        <RouterProvider router={router} />
      </MantineProvider>
    </QueryClientProvider>
  </StrictMode>,
);
