import { Select } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useParams, useSearch } from '@tanstack/react-router';
import { useRef, useState, type ReactNode } from 'react';

import { $api, type Schemas } from '../../../api/client';
import { done } from '../../../parts/notify';
import { Page, Panel } from '../../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../../parts/states';
import { useCan } from '../../../session';
import { Delete } from './Delete';
import { PolicyForm, type Draft } from './PolicyForm';
import { copyOf, template } from './text';
import { Versions } from './Versions';

/** NewPolicy writes a new policy, from a small example or a copy of another one. */
export function NewPolicy() {
  const { from } = useSearch({ from: '/shell/policies/new' });
  return (
    <Allowed title="New policy">
      {from ? (
        <Loaded id={from} key={from}>
          {(source) => <New start={copyOf(source.yaml, source.id)} from={from} />}
        </Loaded>
      ) : (
        <New start={template} key="" />
      )}
    </Allowed>
  );
}

/** EditPolicy writes a new version of a custom policy. */
export function EditPolicy() {
  const { id } = useParams({ from: '/shell/policies/$id/edit' });
  return (
    <Allowed title={`Edit ${id}`}>
      <Loaded id={id} key={id}>
        {(source, reload) => <Edit source={source} reload={reload} key={source.version} />}
      </Loaded>
    </Allowed>
  );
}

function Frame({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Page title={title} about={<Link to="/policies">Policies</Link>}>
      {children}
    </Page>
  );
}

function Allowed({ title, children }: { title: string; children: ReactNode }) {
  const can = useCan();
  return (
    <Frame title={title}>
      {can('policies') ? (
        children
      ) : (
        <section className="ob-surface">
          <EmptyState icon="key" title="An author writes policies" action={<Link to="/policies">Back to the policies</Link>}>
            Your role does not allow it. Ask an admin.
          </EmptyState>
        </section>
      )}
    </Frame>
  );
}

function Loaded({ id, children }: { id: string; children: (source: Schemas['PolicySource'], reload: () => void) => ReactNode }) {
  // What is written must not be exchanged below the author's hands.
  const source = $api.useQuery('get', '/api/v1/policies/{id}/source', { params: { path: { id } } }, { staleTime: Infinity, gcTime: 0 });
  if (source.error) return <ProblemAlert error={source.error} onRetry={() => void source.refetch()} />;
  if (!source.data) return <Rows />;
  return children(source.data, () => void source.refetch());
}

/** useDraft keeps what is written, and asks before it is left behind. */
function useDraft(start: string): { draft: Draft; setDraft: (d: Draft) => void; leave: () => void } {
  const [draft, setDraft] = useState<Draft>({ text: start, reason: '' });
  const dirty = useRef(false);
  dirty.current = draft.text !== start;
  const left = useRef(false);
  useBlocker({ shouldBlockFn: () => dirty.current && !left.current && !window.confirm('Leave without saving the policy?'), enableBeforeUnload: () => dirty.current && !left.current });
  return { draft, setDraft, leave: () => (left.current = true) };
}

/** useLeave goes back to the list, which is read anew. */
function useLeave() {
  const queries = useQueryClient();
  const navigate = useNavigate();
  return async (message: string) => {
    done(message);
    await navigate({ to: '/policies' });
    await queries.invalidateQueries();
  };
}

function New({ start, from }: { start: string; from?: string }) {
  const { draft, setDraft, leave } = useDraft(start);
  const navigate = useNavigate();
  const list = $api.useQuery('get', '/api/v1/policies', { params: { query: { limit: 500 } } });
  const back = useLeave();
  return (
    <PolicyForm
      saved=""
      draft={draft}
      setDraft={setDraft}
      onSaved={(p) => {
        leave();
        void back(`${p.title} is saved as version ${p.version}.`);
      }}
    >
      <Panel title="Begin with another policy">
        <Select
          aria-label="Copy of"
          placeholder="Copy of…"
          searchable
          value={from ?? null}
          data={list.data?.items.map((p) => ({ value: p.id, label: p.title })) ?? []}
          onChange={(id) => id && void navigate({ to: '/policies/new', search: { from: id } })}
        />
      </Panel>
    </PolicyForm>
  );
}

function Edit({ source, reload }: { source: Schemas['PolicySource']; reload: () => void }) {
  const { draft, setDraft, leave } = useDraft(source.yaml);
  const policy = $api.useQuery('get', '/api/v1/policies/{id}', { params: { path: { id: source.id } } });
  const back = useLeave();
  if (policy.error) return <ProblemAlert error={policy.error} onRetry={() => void policy.refetch()} />;
  if (!policy.data) return <Rows />;
  if (policy.data.source !== 'custom') {
    return (
      <section className="ob-surface">
        <EmptyState
          icon="lock"
          title={policy.data.source === 'file' ? 'This policy stands in a file' : 'This policy is built in'}
          action={
            <Link to="/policies/new" search={{ from: source.id }}>
              Write a copy of it
            </Link>
          }
        >
          It is not changed here. Its severity and mode are set on the page of policies; a copy can be changed in all.
        </EmptyState>
      </section>
    );
  }
  return (
    <PolicyForm
      id={source.id}
      seen={source.version}
      saved={source.yaml}
      draft={draft}
      setDraft={setDraft}
      onReload={() => {
        leave();
        reload();
      }}
      onSaved={(p) => {
        leave();
        void back(`${p.title} is saved as version ${p.version}.`);
      }}
    >
      <Versions id={source.id} text={draft.text} onRestore={(yaml, version) => setDraft({ text: yaml, reason: `Version ${version} again` })} />
      <Delete
        id={source.id}
        title={policy.data.title}
        seen={source.version}
        onDeleted={() => {
          leave();
          void back(`${policy.data.title} is deleted. Its findings stay.`);
        }}
      />
    </PolicyForm>
  );
}
