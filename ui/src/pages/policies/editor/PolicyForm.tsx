import { Button, Group, Stack, TextInput } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useRef, useState, type ReactNode } from 'react';

import { api, problemOf, type Schemas } from '../../../api/client';
import { Panel } from '../../../parts/page';
import { ProblemAlert } from '../../../parts/states';
import { CodeArea, type Code } from './CodeArea';
import classes from './editor.module.css';
import { Results } from './Results';

/** Draft is what is written and not saved yet. */
export interface Draft {
  text: string;
  reason: string;
}

/**
 * PolicyForm is the text of a policy with its check and its tests beside it. What the check refuses cannot be saved; the server refuses it too. id is the
 * custom policy of which this becomes the version after seen; without it, it becomes a new policy.
 */
export function PolicyForm(props: {
  id?: string;
  seen?: number;
  saved: string; // the text as it is stored; empty for a new policy
  draft: Draft;
  setDraft: (draft: Draft) => void;
  onSaved: (p: Schemas['Policy']) => void;
  onReload?: () => void; // loads what somebody else has saved
  children?: ReactNode;
}) {
  const { id, seen, saved, draft, setDraft } = props;
  const code = useRef<Code>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const [text] = useDebouncedValue(draft.text, 400);
  const check = useQuery({
    queryKey: ['policy-check', id, text],
    queryFn: async ({ signal }) => {
      const { data } = await api.POST('/api/v1/policies/check', { body: { yaml: text, id }, signal });
      return data ?? null;
    },
    placeholderData: keepPreviousData,
    gcTime: 60_000,
  });
  const fresh = text === draft.text && !check.isPlaceholderData && check.data !== undefined && !check.isFetching;
  const changed = draft.text !== saved;
  const goTo = (line: number, column: number) => code.current?.goTo(line, column);

  const save = async () => {
    setBusy(true);
    setError(undefined);
    const body = { yaml: draft.text, reason: draft.reason.trim() || undefined };
    try {
      const { data } = id
        ? await api.PUT('/api/v1/policies/{id}', { params: { path: { id } }, body: { ...body, expected_version: seen ?? 0 } })
        : await api.POST('/api/v1/policies', { body });
      if (data) props.onSaved(data);
    } catch (e) {
      setError(e);
    }
    setBusy(false);
  };

  const data = check.data ?? undefined;
  const conflict = error !== undefined && problemOf(error).code === 'OB-4095' ? props.onReload : undefined;
  return (
    <div className={classes.two}>
      <Stack gap="md">
        <CodeArea ref={code} value={draft.text} onChange={(t) => setDraft({ ...draft, text: t })} wrong={new Set(data && fresh ? data.issues.map((i) => i.line) : [])} />
        {error !== undefined && <ProblemAlert error={error} title="It was not saved" />}
        <form
          aria-label="Save the policy"
          onSubmit={(e) => {
            e.preventDefault();
            if (fresh && data?.ok && changed) void save();
          }}
        >
          <Group align="flex-end">
            <TextInput label="Why" description="Kept with the version." placeholder="What changes, and what for" maxLength={500} value={draft.reason} onChange={(e) => setDraft({ ...draft, reason: e.currentTarget.value })} flex={1} />
            {conflict && (
              <Button variant="default" onClick={conflict}>
                Load the saved version
              </Button>
            )}
            <Button type="submit" loading={busy} disabled={!fresh || !data?.ok || !changed}>
              Save
            </Button>
          </Group>
        </form>
      </Stack>
      <Stack gap="lg">
        {check.error ? (
          <Panel title="Check">
            <ProblemAlert error={check.error} onRetry={() => void check.refetch()} />
          </Panel>
        ) : (
          <Results check={data} fresh={fresh} goTo={goTo} />
        )}
        {props.children}
      </Stack>
    </div>
  );
}
