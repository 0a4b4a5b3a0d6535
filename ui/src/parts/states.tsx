import { Alert, Button, Group, Skeleton, Stack, Text, Title } from '@mantine/core';
import type { ReactNode } from 'react';

import { problemOf } from '../api/client';
import { Icon, type IconName } from './icons';
import classes from './states.module.css';

/** EmptyState says why there is nothing here, and what to do about it. */
export function EmptyState({ icon = 'info', title, children, action }: { icon?: IconName; title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={classes.empty}>
      <div className={classes.icon}>
        <Icon name={icon} size={26} />
      </div>
      <Title order={2}>{title}</Title>
      {children && <div className={classes.text}>{children}</div>}
      {action}
    </div>
  );
}

/** ProblemAlert shows what the API refused: what happened, what to do, the code and the request's id. */
export function ProblemAlert({ error, onRetry, title }: { error: unknown; onRetry?: () => void; title?: string }) {
  const p = problemOf(error);
  return (
    <Alert role="alert" color="red" variant="outline" icon={<Icon name="warning" />} title={title ?? heading(p.status)} styles={{ title: { color: 'var(--mantine-color-error)' } }}>
      <Stack gap={6}>
        <Text size="sm" className="ob-break">
          {p.detail}
        </Text>
        {p.errors && p.errors.length > 0 && (
          <ul style={{ margin: 0, paddingInlineStart: 18 }}>
            {p.errors.map((e) => (
              <li key={e.location + e.message}>
                <Text size="sm" className="ob-break">
                  <code>{e.location}</code>: {e.message}
                </Text>
              </li>
            ))}
          </ul>
        )}
        {p.issues && p.issues.length > 0 && (
          <ul style={{ margin: 0, paddingInlineStart: 18 }}>
            {p.issues.map((i) => (
              <li key={`${i.name ?? ''}${i.line}:${i.column}${i.message}`}>
                <Text size="sm" className="ob-break">
                  {i.line > 0 && `Line ${i.line}: `}
                  {i.message}
                </Text>
              </li>
            ))}
          </ul>
        )}
        <Group gap="md">
          <Text size="xs" c="dimmed">
            {p.code}
            {p.request_id && ` · request ${p.request_id}`}
          </Text>
          {onRetry && (
            <Button size="compact-xs" variant="default" onClick={onRetry}>
              Try again
            </Button>
          )}
        </Group>
      </Stack>
    </Alert>
  );
}

function heading(status: number): string {
  if (status === 0) return 'No answer from Outband';
  if (status === 1) return 'This page has a fault';
  if (status === 403) return 'Your role does not allow this';
  if (status === 404) return 'It is not here';
  if (status >= 500) return 'Outband could not do this';
  return 'This was refused';
}

/** Rows stand where rows of a table are loading. */
export function Rows({ n = 8, height = 34 }: { n?: number; height?: number }) {
  return (
    <Stack gap={8} p="sm" role="status" aria-label="Loading">
      {Array.from({ length: n }, (_, i) => (
        <Skeleton key={i} height={height} radius="sm" />
      ))}
    </Stack>
  );
}

/** Paged is what More needs of a query that is read page by page. */
export interface Paged {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => unknown;
}

/** More reads the next page of a query, and is not there when there is none. */
export function More({ of, children = 'Show more' }: { of: Paged; children?: string }) {
  if (!of.hasNextPage) return null;
  return (
    <Button m="sm" size="xs" variant="default" style={{ alignSelf: 'start' }} loading={of.isFetchingNextPage} onClick={() => void of.fetchNextPage()}>
      {children}
    </Button>
  );
}
