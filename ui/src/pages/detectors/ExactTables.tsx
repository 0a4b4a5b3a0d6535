import { Button, Code, FileInput, Group, Modal, Stack, Table, Text, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';

import { $api, api, type Schemas } from '../../api/client';
import { Tag } from '../../parts/badges';
import { Copyable } from '../../parts/copy';
import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import { Page, Panel } from '../../parts/page';
import { EmptyState, ProblemAlert, Rows } from '../../parts/states';
import { When } from '../../parts/when';
import { useCan } from '../../session';
import { idProblem, sizeOf } from './state';
import { Sections } from '../policies/Sections';
import { UsedBy } from './UsedBy';

type ExactTable = Schemas['ExactTable'];

/** ExactTables lists tables whose values are looked for exactly. Their values never come here: they are hashed where they are. */
export function ExactTables() {
  const can = useCan();
  const queries = useQueryClient();
  const list = $api.useQuery('get', '/api/v1/exact-tables', { params: { query: { limit: 500 } } });
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<ExactTable>();
  const [uploading, setUploading] = useState<ExactTable>();
  const [removing, setRemoving] = useState<ExactTable>();
  const reload = () => queries.invalidateQueries({ predicate: (q) => /^\/api\/v1\/(exact-tables|detectors)/.test(String(q.queryKey[1])) });
  const remove = async (t: ExactTable) => {
    setRemoving(undefined);
    try {
      await api.DELETE('/api/v1/exact-tables/{id}', { params: { path: { id: t.id } } });
      done(`${t.title} is removed.`);
    } catch (e) {
      failed(e);
    }
    await reload();
  };
  return (
    <Page
      title="Exact tables"
      about="Values of your own tables, such as account numbers or addresses of customers. They are hashed on your machine: no value is uploaded."
      actions={
        can('policies') && (
          <Button leftSection={<Icon name="plus" size={16} />} onClick={() => setMaking(true)}>
            Make a table
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
          <EmptyState icon="detectors" title="No table yet">
            Make one to get its key, hash a CSV file with it, and upload what comes out.
          </EmptyState>
        ) : (
          <Table verticalSpacing="sm" miw={860}>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>Table</Table.Th>
                <Table.Th>State</Table.Th>
                <Table.Th>Columns</Table.Th>
                <Table.Th ta="right">Rows</Table.Th>
                <Table.Th ta="right">Values</Table.Th>
                <Table.Th ta="right">Memory</Table.Th>
                <Table.Th>Used by</Table.Th>
                <Table.Th>Changed</Table.Th>
                <Table.Th aria-label="Actions" />
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {list.data?.items.map((t) => (
                <Table.Tr key={t.id}>
                  <Table.Td>
                    <Text fw={600} className="ob-break">
                      {t.title}
                    </Text>
                    <Text size="xs" c="dimmed">
                      {t.id}, key {t.key_id}
                    </Text>
                  </Table.Td>
                  <Table.Td>{t.ready ? <Tag tone="good">Ready</Tag> : <Tag tone="medium">Waits for its file</Tag>}</Table.Td>
                  <Table.Td className="ob-break">{t.columns.join(', ')}</Table.Td>
                  <Table.Td ta="right">{t.rows.toLocaleString('en')}</Table.Td>
                  <Table.Td ta="right">{t.cells.toLocaleString('en')}</Table.Td>
                  <Table.Td ta="right">{sizeOf(t.memory)}</Table.Td>
                  <Table.Td>
                    <UsedBy ids={t.used_by} />
                  </Table.Td>
                  <Table.Td>
                    <When at={t.updated_at} />
                  </Table.Td>
                  <Table.Td>
                    {can('policies') && (
                      <Group gap={6} justify="flex-end" wrap="nowrap">
                        {t.ready && (
                          <Button component={Link} to={`/detectors/new?table=${t.id}`} size="compact-xs" variant="default">
                            New detector
                          </Button>
                        )}
                        <Button size="compact-xs" variant="default" onClick={() => setUploading(t)}>
                          Upload
                        </Button>
                        <Button size="compact-xs" variant="default" disabled={t.used_by.length > 0} onClick={() => setRemoving(t)}>
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
      <Panel title="How to hash on your machine">
        <Stack gap="xs">
          <Text size="sm">
            Keep the key of the table in a file that only you can read. The first row of the CSV file names the columns. Values of 6 to 128 bytes and at most four words are taken; upper and lower case, and in
            numbers blanks and <Code>- . + _</Code>, make no difference.
          </Text>
          <Copyable value={command('staff', 'email,account,name')} label="Copy the command" block />
        </Stack>
      </Panel>
      {making && (
        <Make
          onClose={() => setMaking(false)}
          onDone={(t) => {
            setMaking(false);
            setMade(t);
            void reload();
          }}
        />
      )}
      <Modal opened={made !== undefined} onClose={() => setMade(undefined)} title="The key of the table" size="lg">
        {made && (
          <Stack>
            {made.key ? (
              <>
                <Text size="sm">Copy it now into the file {made.id}.key: it is stored encrypted and is never shown again. Who has it and the hashed file can try values against it.</Text>
                <Copyable value={made.key} label="Copy the key" block />
              </>
            ) : (
              <Text size="sm">The table takes files that were made with your key {made.key_id}.</Text>
            )}
            <Copyable value={command(made.id, 'email,account,name')} label="Copy the command" block />
          </Stack>
        )}
      </Modal>
      {uploading && (
        <Upload
          of={uploading}
          onClose={() => setUploading(undefined)}
          onDone={(t) => {
            setUploading(undefined);
            done(`${t.title} holds ${t.rows.toLocaleString('en')} rows.`);
            void reload();
          }}
        />
      )}
      <Modal opened={removing !== undefined} onClose={() => setRemoving(undefined)} title="Remove the table?">
        <Stack>
          <Text size="sm">The hashes of {removing?.title} and its key are deleted. This cannot be undone.</Text>
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

function command(id: string, columns: string): string {
  return `outband edm hash --id ${id} --key-file ${id}.key --columns ${columns} -o ${id}.edm ${id}.csv`;
}

function Make({ onClose, onDone }: { onClose: () => void; onDone: (t: ExactTable) => void }) {
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const form = useForm({ initialValues: { id: '', title: '', key: '' }, validate: { id: idProblem, title: (v) => (v.trim() ? null : 'Give it a title.') } });
  const submit = form.onSubmit(async (v) => {
    setBusy(true);
    setError(undefined);
    try {
      const { data } = await api.POST('/api/v1/exact-tables', { body: { id: v.id, title: v.title.trim(), ...(v.key.trim() && { key: v.key.trim() }) } });
      onDone(data!);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  });
  return (
    <Modal opened onClose={onClose} title="Make a table">
      <form onSubmit={submit} noValidate>
        <Stack>
          {error !== undefined && <ProblemAlert error={error} />}
          <TextInput label="Title" data-autofocus {...form.getInputProps('title')} />
          <TextInput label="Id" description="What a detector names in table, and outband edm hash in --id." {...form.getInputProps('id')} />
          <TextInput label="Key" description="Made by outband edm key. Leave it empty, and one is made and shown once." autoComplete="off" {...form.getInputProps('key')} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Make the table
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Upload({ of, onClose, onDone }: { of: ExactTable; onClose: () => void; onDone: (t: ExactTable) => void }) {
  const [file, setFile] = useState<File | null>(null);
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const upload = async (f: File) => {
    setBusy(true);
    setError(undefined);
    try {
      const { data } = await api.PUT('/api/v1/exact-tables/{id}/file', {
        params: { path: { id: of.id } },
        body: f as unknown as string,
        bodySerializer: (b) => b as unknown as Blob,
        headers: { 'Content-Type': 'application/octet-stream' },
      });
      onDone(data!);
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={onClose} title={`Upload to ${of.title}`}>
      <Stack>
        {error !== undefined && <ProblemAlert error={error} />}
        <FileInput label="Hashed file" description="What outband edm hash has written, at most 64 MiB. It takes the place of the file before." placeholder="Choose a file" accept=".edm" value={file} onChange={setFile} data-autofocus />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button loading={busy} disabled={!file || file.size > 64 << 20} onClick={() => file && void upload(file)}>
            Upload
          </Button>
        </Group>
      </Stack>
    </Modal>
  );
}
