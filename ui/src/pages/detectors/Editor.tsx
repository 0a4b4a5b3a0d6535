import { Alert, Button, Group, Modal, Stack, Table, Text, Textarea } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { keepPreviousData, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useRef, useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag, words } from '../../parts/badges';
import { done } from '../../parts/notify';
import { Page, Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { copyOf, listDetector, placeOf, tableDetector, template } from './state';
import classes from './detectors.module.css';

/** NewDetector writes a detector: from the beginning, from a copy of another, or for a dictionary or table. */
export function NewDetector() {
  const { from, list, table } = useSearch({ from: '/shell/detectors/new' });
  const source = $api.useQuery('get', '/api/v1/detectors/{id}/source', { params: { path: { id: from ?? '' } } }, { enabled: from !== undefined });
  const values = $api.useQuery('get', '/api/v1/exact-tables/{id}', { params: { path: { id: table ?? '' } } }, { enabled: table !== undefined });
  const wanted = from !== undefined ? source : table !== undefined ? values : undefined;
  if (wanted?.error) return <ProblemAlert error={wanted.error} onRetry={() => void wanted.refetch()} />;
  if (wanted?.isPending) return <Rows />;
  let begin = template;
  if (source.data) begin = copyOf(source.data.yaml, source.data.id);
  else if (values.data) begin = tableDetector(values.data.id, values.data.title, values.data.columns);
  else if (list !== undefined) begin = listDetector(list, words(list));
  return <Editor key={begin} begin={begin} version={0} />;
}

/** EditDetector writes the next version of a custom detector. */
export function EditDetector() {
  const { id } = useSearch({ from: '/shell/detectors/edit' });
  const source = $api.useQuery('get', '/api/v1/detectors/{id}/source', { params: { path: { id } } }, { staleTime: Infinity });
  if (source.error) return <ProblemAlert error={source.error} onRetry={() => void source.refetch()} />;
  if (!source.data) return <Rows />;
  if (source.data.version === 0) {
    return (
      <EmptyState icon="lock" title="This detector is built in">
        It can be switched off and copied, but not changed.
      </EmptyState>
    );
  }
  return <Editor key={source.data.version} id={id} begin={source.data.yaml} version={source.data.version} />;
}

function Editor({ id, begin, version }: { id?: string; begin: string; version: number }) {
  const can = useCan();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [yaml, setYaml] = useState(begin);
  const [sample, setSample] = useState('');
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const [removing, setRemoving] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const [asked] = useDebouncedValue(JSON.stringify({ yaml, sample }), 500);
  const check = useQuery({
    queryKey: ['check', 'detector', asked],
    enabled: can('policies'),
    gcTime: 0, // A sample does not stay longer than it is looked at.
    staleTime: Infinity,
    placeholderData: keepPreviousData,
    queryFn: async ({ signal }) => (await api.POST('/api/v1/detectors/check', { body: JSON.parse(asked) as { yaml: string; sample: string }, signal })).data!,
  });
  const stale = asked !== JSON.stringify({ yaml, sample }) || check.isFetching;

  const changed = () => queries.invalidateQueries({ predicate: (q) => String(q.queryKey[1]).startsWith('/api/v1/detectors') });
  const run = async (f: () => Promise<unknown>, said: string) => {
    setBusy(true);
    setError(undefined);
    try {
      await f();
      await changed();
      done(said);
      await navigate({ to: '/detectors' });
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  const save = () =>
    run(async () => {
      if (id) await api.PUT('/api/v1/detectors/{id}', { params: { path: { id } }, body: { yaml, expected_version: version } });
      else await api.POST('/api/v1/detectors', { body: { yaml } });
    }, 'The detector is saved and in force.');
  const remove = () => run(() => api.DELETE('/api/v1/detectors/{id}', { params: { path: { id: id! } } }), 'The detector is removed.');
  const go = (i: Schemas['DetectorIssue']) => {
    const at = placeOf(yaml, i.line, i.column);
    area.current?.focus();
    area.current?.setSelectionRange(at, at);
  };

  return (
    <Page
      title={id ?? 'New detector'}
      about="What is written here is held to the lint, to its own examples and to a limit of cost while you write, and once more when it is saved."
      actions={
        can('policies') && (
          <>
            {id && (
              <Button variant="default" onClick={() => setRemoving(true)}>
                Remove
              </Button>
            )}
            <Button loading={busy} disabled={stale || !check.data?.ok || yaml === (id ? begin : undefined)} onClick={() => void save()}>
              Save
            </Button>
          </>
        )
      }
    >
      {error !== undefined && <ProblemAlert error={error} />}
      {check.error && <ProblemAlert error={check.error} onRetry={() => void check.refetch()} />}
      <div className={classes.columns}>
        <Stack>
          <Textarea
            ref={area}
            label="Detector, as YAML"
            description="The id begins with custom. The value in an example stands between « and »."
            classNames={{ input: classes.code }}
            autosize
            minRows={22}
            maxRows={44}
            spellCheck={false}
            readOnly={!can('policies')}
            value={yaml}
            onChange={(e) => setYaml(e.currentTarget.value)}
          />
          <Rescan />
        </Stack>
        <Stack>
          <Panel title="Check" right={<Verdict check={check.data} stale={stale} />}>
            {check.data && <Result check={check.data} onPlace={go} />}
          </Panel>
          <Panel title="Try it on a text">
            <Stack gap="sm">
              <Textarea
                label="Sample"
                description="It stays in the memory of the server, is not logged, and is gone when the answer is made. Matches are masked."
                classNames={{ input: classes.code }}
                autosize
                minRows={4}
                maxRows={14}
                maxLength={65536}
                spellCheck={false}
                value={sample}
                onChange={(e) => setSample(e.currentTarget.value)}
              />
              {sample !== '' && check.data && <Matches check={check.data} />}
            </Stack>
          </Panel>
          {id && <History id={id} current={version} onLoad={setYaml} />}
        </Stack>
      </div>
      <Modal opened={removing} onClose={() => setRemoving(false)} title="Remove the detector?">
        <Stack>
          <Text size="sm">Nothing is looked for with it from now on. Its findings and its versions stay.</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setRemoving(false)}>
              Keep it
            </Button>
            <Button
              color="red"
              onClick={() => {
                setRemoving(false);
                void remove();
              }}
            >
              Remove
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Page>
  );
}

/** Rescan says what saving a detector does to what was scanned before. */
export function Rescan() {
  return (
    <Alert variant="outline" color="gray" title="What saving does">
      <Text size="sm">
        New content is scanned with it at once, in other processes within five seconds. Content that was scanned before is fetched and scanned again when its app lists it again: what changed lately at the
        next scan, older content when its window is read again. That takes calls of the app&apos;s request budget, once for each such item.
      </Text>
    </Alert>
  );
}

function Verdict({ check, stale }: { check?: Schemas['DetectorCheck']; stale: boolean }) {
  return <div aria-live="polite">{stale || !check ? <Tag>Checking</Tag> : check.ok ? <Tag tone="good">It can be saved</Tag> : <Tag tone="high">It cannot be saved</Tag>}</div>;
}

function Result({ check, onPlace }: { check: Schemas['DetectorCheck']; onPlace: (i: Schemas['DetectorIssue']) => void }) {
  return (
    <Stack gap="xs">
      {check.issues.length > 0 && (
        <ul className={classes.issues}>
          {check.issues.map((i, n) => (
            <li key={n}>
              <Text size="sm" className="ob-break">
                {i.line > 0 && (
                  <button type="button" className={classes.place} onClick={() => onPlace(i)}>
                    Line {i.line}, column {i.column}
                  </button>
                )}
                {i.line > 0 && ': '}
                {i.message}
              </Text>
            </li>
          ))}
        </ul>
      )}
      <Text size="sm" c="dimmed">
        {check.examples} examples.{' '}
        {check.cost.rate > 0 && `At least ${check.cost.rate.toLocaleString('en')} MB/s of a text made of its own words, the worst that it meets. `}
        {check.cost.steps > 0 && `Its expressions take ${((100 * check.cost.steps) / check.cost.limit).toFixed(1)} % of what they may.`}
      </Text>
    </Stack>
  );
}

function Matches({ check }: { check: Schemas['DetectorCheck'] }) {
  return (
    <Stack gap="xs">
      {check.note && <Text size="sm">{check.note}</Text>}
      {check.matches.length === 0 && !check.note && <Text size="sm">No match.</Text>}
      {check.matches.length > 0 && (
        <div className={classes.scroll}>
          <Table verticalSpacing={4} aria-label="Matches">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Match</Table.Th>
                <Table.Th ta="right">Line</Table.Th>
                <Table.Th ta="right">Bytes</Table.Th>
                <Table.Th>Confidence</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {check.matches.map((m) => (
                <Table.Tr key={`${m.start}-${m.end}-${m.detector}`}>
                  <Table.Td className="ob-break">
                    <code>{m.masked}</code>
                  </Table.Td>
                  <Table.Td ta="right">{m.line}</Table.Td>
                  <Table.Td ta="right">
                    {m.start}–{m.end}
                  </Table.Td>
                  <Table.Td>
                    {words(m.band)} ({m.confidence.toFixed(2)}){m.validated && ', checked'}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </div>
      )}
    </Stack>
  );
}

function History({ id, current, onLoad }: { id: string; current: number; onLoad: (yaml: string) => void }) {
  const list = $api.useQuery('get', '/api/v1/detectors/{id}/versions', { params: { path: { id }, query: { limit: 50 } } });
  return (
    <Panel title="History">
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <Stack gap={6}>
        {list.data?.items.map((v) => (
          <Group key={v.version} justify="space-between" gap="sm">
            <Text size="sm">
              Version {v.version}
              {v.version === current && ', in force'}
              {v.yaml === '' && ', removed'} · <When at={v.created_at} /> · {v.created_by}
            </Text>
            {v.yaml !== '' && (
              <Button size="compact-xs" variant="default" onClick={() => onLoad(v.yaml)}>
                Load into the editor
              </Button>
            )}
          </Group>
        ))}
      </Stack>
    </Panel>
  );
}
