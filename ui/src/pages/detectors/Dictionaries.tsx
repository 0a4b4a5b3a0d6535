import { Button, Checkbox, FileInput, Group, Modal, Stack, Table, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { idOf, idProblem, sizeOf } from './state';
import { Sections } from '../policies/Sections';
import { UsedBy } from './UsedBy';

type Dictionary = Schemas['Dictionary'];

/** Dictionaries lists the lists of words that detectors look for. The words themselves are never shown. */
export function Dictionaries() {
  const can = useCan();
  const queries = useQueryClient();
  const list = $api.useQuery('get', '/api/v1/dictionaries', { params: { query: { limit: 500 } } });
  const [uploading, setUploading] = useState<Dictionary | 'new'>();
  const [removing, setRemoving] = useState<Dictionary>();
  const reload = () => queries.invalidateQueries({ predicate: (q) => /^\/api\/v1\/(dictionaries|detectors)/.test(String(q.queryKey[1])) });
  const remove = async (d: Dictionary) => {
    setRemoving(undefined);
    try {
      await api.DELETE('/api/v1/dictionaries/{id}', { params: { path: { id: d.id } } });
      done(`${d.title} is removed.`);
    } catch (e) {
      failed(e);
    }
    await reload();
  };
  return (
    <Page
      title="Dictionaries"
      about="Lists of words and phrases, up to 100,000 entries each. They are stored encrypted, and never shown again."
      actions={
        can('policies') && (
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setUploading('new')}>
            Upload a list
          </Button>
        )
      }
    >
      <Sections of="detectors" />
      {list.error && <ProblemAlert error={list.error} onRetry={() => void list.refetch()} />}
      <section className="ob-surface" style={{ overflowX: 'auto' }}>
        {list.isPending ? (
          <Rows n={3} />
        ) : list.data?.items.length === 0 ? (
          <EmptyState icon="detectors" title="No dictionary yet">
            Names of projects, customers or products: one on a line, in a text file. A detector then says how much a match is worth.
          </EmptyState>
        ) : (
          <Table verticalSpacing="sm" miw={720}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Dictionary</Table.Th>
                <Table.Th ta="right">Entries</Table.Th>
                <Table.Th ta="right">Size</Table.Th>
                <Table.Th>Case</Table.Th>
                <Table.Th>Used by</Table.Th>
                <Table.Th>Changed</Table.Th>
                <Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.data?.items.map((d) => (
                <Table.Tr key={d.id}>
                  <Table.Td>
                    <Text fw={600} className="ob-break">
                      {d.title}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {d.id}
                    </Text>
                  </Table.Td>
                  <Table.Td ta="right">{d.entries.toLocaleString('en')}</Table.Td>
                  <Table.Td ta="right">{sizeOf(d.size)}</Table.Td>
                  <Table.Td>{d.case_sensitive ? 'As written' : 'Any'}</Table.Td>
                  <Table.Td>
                    <UsedBy ids={d.used_by} />
                  </Table.Td>
                  <Table.Td>
                    <When at={d.updated_at} />
                  </Table.Td>
                  <Table.Td>
                    {can('policies') && (
                      <Group gap={6} justify="flex-end" wrap="nowrap">
                        <Button component={Link} to={`/detectors/new?list=${d.id}`} size="compact-xs" variant="default">
                          New detector
                        </Button>
                        <Button size="compact-xs" variant="default" onClick={() => setUploading(d)}>
                          Replace
                        </Button>
                        <Button size="compact-xs" variant="default" disabled={d.used_by.length > 0} onClick={() => setRemoving(d)}>
                          Remove
                        </Button>
                      </Group>
                    )}
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        )}
      </section>
      {uploading && (
        <Upload
          of={uploading === 'new' ? undefined : uploading}
          onClose={() => setUploading(undefined)}
          onDone={(d) => {
            setUploading(undefined);
            done(`${d.title} holds ${d.entries.toLocaleString('en')} entries.`);
            void reload();
          }}
        />
      )}
      <Modal opened={removing !== undefined} onClose={() => setRemoving(undefined)} title="Remove the dictionary?">
        <Stack>
          <Text size="sm">The words of {removing?.title} are deleted. This cannot be undone.</Text>
          <Group justify="flex-end">
            <Button variant="default" onClick={() => setRemoving(undefined)}>
              Keep it
            </Button>
            <Button color="red" onClick={() => removing && void remove(removing)}>
              Remove
            </Button>
          </Group>
        </Stack>
      </Modal>
    </Page>
  );
}

function Upload({ of, onClose, onDone }: { of?: Dictionary; onClose: () => void; onDone: (d: Dictionary) => void }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({
    initialValues: { id: of?.id ?? '', title: of?.title ?? '', exact: of?.case_sensitive ?? false, file: null as File | null },
    validate: {
      id: idProblem,
      title: (v) => (v.trim() ? null : 'Give it a title.'),
      file: (v) => (!v ? 'Choose a text file.' : v.size > 8 << 20 ? 'The file is over 8 MiB.' : null),
    },
  });
  const submit = form.onSubmit(async (v) => {
    setBusy(true);
    setError(undefined);
    try {
      const { data } = await api.POST('/api/v1/dictionaries', {
        params: { query: { id: v.id, title: v.title.trim(), case_sensitive: v.exact } },
        body: v.file as unknown as string,
        bodySerializer: (b) => b as unknown as Blob,
        headers: { 'Content-Type': 'text/plain' },
      });
      onDone(data!);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  });
  return (
    <Modal opened onClose={onClose} title={of ? 'Replace the words' : 'Upload a list of words'}>
      <form onSubmit={submit} noValidate>
        <Stack>
          {error !== undefined && <ProblemAlert error={error} />}
          <FileInput
            label="List"
            description="A text file in UTF-8, one word or phrase on a line. Words of at least three letters; whole words are looked for."
            placeholder="Choose a file"
            accept="text/plain,.txt,.csv"
            data-autofocus
            {...form.getInputProps('file')}
            onChange={(f) => {
              form.setFieldValue('file', f);
              if (f && !of && form.values.id === '') form.setFieldValue('id', idOf(f.name));
            }}
          />
          <TextInput label="Title" {...form.getInputProps('title')} />
          <TextInput label="Id" description="What a detector names in list." disabled={of !== undefined} {...form.getInputProps('id')} />
          <Checkbox label="Capital and small letters are different" {...form.getInputProps('exact', { type: 'checkbox' })} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Upload
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
