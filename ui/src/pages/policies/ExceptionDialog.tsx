import { Button, Checkbox, Group, Modal, Select, SimpleGrid, Stack, Text, Textarea, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';

import { $api, api } from '../../api/client';
import { done } from '../../parts/notify';
import { ProblemAlert } from '../../parts/states';
import { useCan, useMe } from '../../session';
import { counted } from '../findings/wording';
import { ends, promises } from './list';

/** From is what a finding gives to the exception that is made of it. */
export interface From {
  policy_id: string;
  connection_id: string;
  resource: { kind: string; id: string };
  person: string;
  instances: { id: string; detector: string; masked: string }[];
}

interface Props {
  from?: From;
  onClose: () => void;
}

/** ExceptionDialog makes an exception from a policy; out of a finding the fields are filled in, and can be emptied to make it wider. */
export default function ExceptionDialog({ from, onClose }: Props) {
  const queries = useQueryClient();
  const can = useCan();
  const me = useMe();
  const policies = $api.useQuery('get', '/api/v1/policies', { params: { query: { limit: 500 } } });
  const connections = $api.useQuery('get', '/api/v1/connections', { params: { query: { limit: 500 } } });
  const users = $api.useQuery('get', '/api/v1/users', { params: { query: { limit: 500 } } }, { enabled: can('audit') });
  const [policy, setPolicy] = useState<string | null>(from?.policy_id ?? null);
  const [connection, setConnection] = useState<string | null>(from?.connection_id ?? null);
  const [kind, setKind] = useState(from?.resource.kind ?? '');
  const [resource, setResource] = useState(from?.resource.id ?? '');
  const [person, setPerson] = useState('');
  const [detector, setDetector] = useState('');
  const [instance, setInstance] = useState<string | null>(null);
  const [whole, setWhole] = useState(false);
  const [owner, setOwner] = useState<string | null>(me?.user?.id ?? null);
  const [days, setDays] = useState<string>('90');
  const [reason, setReason] = useState('');
  const [accept, setAccept] = useState(from !== undefined);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();

  const narrowed = Boolean(connection || kind || resource || person || detector || instance);
  const save = async () => {
    setBusy(true);
    setError(undefined);
    try {
      const { data } = await api.POST('/api/v1/exceptions', {
        body: {
          policy_id: policy ?? '',
          connection_id: connection ?? undefined,
          resource_kind: kind.trim() || undefined,
          resource_id: resource.trim() || undefined,
          actor: person.trim() || undefined,
          detector: detector.trim() || undefined,
          instance_id: instance ?? undefined,
          whole_policy: whole && !narrowed ? true : undefined,
          owner: owner ?? undefined,
          reason: reason.trim(),
          expires_at: ends(days, Date.now()),
          apply_to_open: accept || undefined,
        },
      });
      done(data && data.accepted > 0 ? `The exception is active, and ${counted(data.accepted, 'finding')} under it ${data.accepted === 1 ? 'is' : 'are'} accepted.` : 'The exception is active.');
      for (const path of ['/api/v1/exceptions', '/api/v1/findings/facets']) await queries.invalidateQueries({ queryKey: ['get', path] });
      await queries.invalidateQueries({ queryKey: ['findings'] });
      onClose();
    } catch (e) {
      setError(e);
      setBusy(false);
    }
  };
  return (
    <Modal opened onClose={busy ? () => {} : onClose} title="Make an exception" size="lg">
      <form
        noValidate
        onSubmit={(e) => {
          e.preventDefault();
          void save();
        }}
      >
        <Stack>
          <Text size="sm" c="dimmed">
            The policy makes no finding of what fits all of these, until the exception ends. It is counted how often. Empty fields narrow nothing.
          </Text>
          <Select
            label="Policy"
            required
            searchable
            disabled={from !== undefined}
            value={policy}
            onChange={setPolicy}
            data={(policies.data?.items ?? []).filter((p) => !p.locked).map((p) => ({ value: p.id, label: p.title }))}
            description="Locked policies admit no exception."
          />
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Select label="Connection" clearable value={connection} onChange={setConnection} data={(connections.data?.items ?? []).map((c) => ({ value: c.id, label: c.name }))} />
            <TextInput label="Person" placeholder={from?.person || 'E-mail address'} value={person} onChange={(e) => setPerson(e.currentTarget.value)} rightSection={from?.person && !person ? <Fill onClick={() => setPerson(from.person)} /> : undefined} rightSectionWidth={56} />
            <TextInput label="Kind of resource" placeholder="chat, project, user …" value={kind} onChange={(e) => setKind(e.currentTarget.value)} />
            <TextInput label="Its id" value={resource} onChange={(e) => setResource(e.currentTarget.value)} />
            <TextInput label="Detectors" placeholder="secret.*" value={detector} onChange={(e) => setDetector(e.currentTarget.value)} />
            {from && from.instances.length > 0 && <Select label="Only this value" clearable value={instance} onChange={setInstance} data={options(from.instances)} />}
          </SimpleGrid>
          {!narrowed && <Checkbox label="I mean the whole policy: it makes no finding at all" checked={whole} onChange={(e) => setWhole(e.currentTarget.checked)} />}
          <SimpleGrid cols={{ base: 1, sm: 2 }}>
            <Select label="Ends in" allowDeselect={false} value={days} onChange={(d) => d && setDays(d)} data={promises} />
            {users.data && (
              <Select label="Owner" searchable allowDeselect={false} value={owner} onChange={setOwner} data={users.data.items.filter((u) => !u.disabled).map((u) => ({ value: u.id, label: u.name || u.email }))} description="Answers for it." />
            )}
          </SimpleGrid>
          <Textarea label="Reason" required autosize minRows={2} maxRows={6} value={reason} onChange={(e) => setReason(e.currentTarget.value)} description="For those who read it when it ends. Never put the found value here." />
          <Checkbox label="Also accept the findings that it covers and that are open" description="Otherwise they stay as they are. The reason in their history is the exception." checked={accept} onChange={(e) => setAccept(e.currentTarget.checked)} />
          {error !== undefined && <ProblemAlert error={error} />}
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose} disabled={busy}>
              Cancel
            </Button>
            <Button type="submit" loading={busy}>
              Make the exception
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}

function Fill({ onClick }: { onClick: () => void }) {
  return (
    <Button size="compact-xs" variant="subtle" onClick={onClick} aria-label="Fill in the person of the finding">
      Fill in
    </Button>
  );
}

/** options are the different values of a finding's instances. */
function options(instances: From['instances']): { value: string; label: string }[] {
  const seen = new Map<string, string>();
  for (const i of instances) {
    const label = `${i.masked} (${i.detector})`;
    if (i.detector && !seen.has(label)) seen.set(label, i.id);
  }
  return [...seen].map(([label, value]) => ({ value, label }));
}

