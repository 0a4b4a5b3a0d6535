import { Button, Group, Modal, Text } from '@mantine/core';
import { useInfiniteQuery } from '@tanstack/react-query';
import { useState } from 'react';

import { $api, api } from '../../../api/client';
import { Panel } from '../../../parts/page';
import { More, ProblemAlert, Rows } from '../../../parts/states';
import { When } from '../../../parts/when';
import { diff } from './diff';
import classes from './editor.module.css';

/** Versions lists the versions of a policy. Each can be compared with what stands in the editor, and taken back into it: saving it makes it the newest. */
export function Versions({ id, text, onRestore }: { id: string; text: string; onRestore: (yaml: string, version: number) => void }) {
  const [shown, setShown] = useState<number>();
  const list = useInfiniteQuery({
    queryKey: ['get', '/api/v1/policies/{id}/versions', id],
    queryFn: async ({ pageParam, signal }) => {
      const { data } = await api.GET('/api/v1/policies/{id}/versions', { params: { path: { id }, query: { limit: 20, cursor: pageParam || undefined } }, signal });
      return data;
    },
    initialPageParam: '',
    getNextPageParam: (last) => last?.next_cursor || undefined,
  });
  const all = list.data?.pages.flatMap((p) => p?.items ?? []) ?? [];
  return (
    <Panel title="Versions">
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      {list.isPending && <Rows n={2} />}
      <ul className={classes.list} aria-label="Versions">
        {all.map((v) => (
          <li key={v.version}>
            <Group justify="space-between" wrap="nowrap">
              <div>
                <Text size="sm">
                  {v.retired ? 'Deleted' : `Version ${v.version}`} · <When at={v.at} />
                </Text>
                <Text size="xs" c="dimmed" className="ob-break">
                  {v.reason || 'No reason given'} · by {v.by}
                </Text>
              </div>
              {!v.retired && (
                <Button size="compact-sm" variant="default" style={{ flex: 'none' }} onClick={() => setShown(v.version)}>
                  Compare
                </Button>
              )}
            </Group>
          </li>
        ))}
      </ul>
      <More of={list} />
      <Modal opened={shown !== undefined} onClose={() => setShown(undefined)} title={`Version ${shown ?? ''} and what stands in the editor`} size="xl">
        {shown !== undefined && (
          <Compared
            id={id}
            version={shown}
            text={text}
            onRestore={(yaml) => {
              onRestore(yaml, shown);
              setShown(undefined);
            }}
          />
        )}
      </Modal>
    </Panel>
  );
}

function Compared({ id, version, text, onRestore }: { id: string; version: number; text: string; onRestore: (yaml: string) => void }) {
  const source = $api.useQuery('get', '/api/v1/policies/{id}/source', { params: { path: { id }, query: { version } } });
  if (source.error) return <ProblemAlert error={source.error} onRetry={() => void source.refetch()} />;
  if (!source.data) return <Rows />;
  const { yaml } = source.data;
  const marks = { same: ' ', removed: '-', added: '+' } as const;
  return (
    <>
      {yaml === text ? (
        <Text size="sm">They are the same.</Text>
      ) : (
        <pre className={classes.diff} aria-label="Differences" tabIndex={0}>
          {diff(yaml, text).map((l, i) => (
            <div key={i} data-kind={l.kind}>
              {marks[l.kind]} {l.text}
            </div>
          ))}
        </pre>
      )}
      <Group justify="flex-end" mt="md">
        <Button disabled={yaml === text} onClick={() => onRestore(yaml)}>
          Restore version {version} into the editor
        </Button>
      </Group>
    </>
  );
}
