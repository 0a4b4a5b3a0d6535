import { Alert, Button, Fieldset, Group, List, Modal, MultiSelect, NumberInput, Stack, TagsInput, Text, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQueryClient } from '@tanstack/react-query';
import { useMemo, useState } from 'react';

import { api, problemOf, type Schemas } from '../../api/client';
import { useDetectors } from '../../api/detectors';
import { done, failed } from '../../parts/notify';
import { ProblemAlert } from '../../parts/states';
import { definitionOf, emptyProfile, fieldOf, type Definition } from './profile';

type Profile = Schemas['Profile'];
type Form = Definition & { id: string };

/** ProfileEditor makes a profile, or changes one on the version that is shown. */
export function ProfileEditor({ profile, onSaved, onGone }: { profile?: Profile; onSaved: (id: string) => void; onGone?: () => void }) {
  const queries = useQueryClient();
  const detectors = useDetectors();
  const [busy, setBusy] = useState(false);
  const [asking, setAsking] = useState(false);
  const [refused, setRefused] = useState<unknown>();
  const [checked, setChecked] = useState<Schemas['ProfileCheck']>();
  const form = useForm<Form>({ initialValues: { id: profile?.id ?? '', ...definitionOf(profile ?? emptyProfile) } });

  // What is offered: each family as a glob, then each detector.
  const offered = useMemo(() => {
    const ids = detectors.data?.items.map((d) => d.id) ?? [];
    return ['*', ...[...new Set(ids.map((id) => `${id.split('.')[0]}.*`))].sort(), ...ids];
  }, [detectors.data]);

  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setRefused(undefined);
    setChecked(undefined);
    form.clearErrors();
    try {
      await what();
    } catch (e) {
      for (const p of problemOf(e).errors ?? []) form.setFieldError(fieldOf(p.location), p.message);
      setRefused(e);
    }
    setBusy(false);
  };
  const reload = () => Promise.all(['/api/v1/profiles', '/api/v1/profiles/{id}/versions', '/api/v1/policies'].map((path) => queries.invalidateQueries({ queryKey: ['get', path] })));
  const check = () =>
    run(async () => {
      const { id, ...body } = form.values;
      const { data } = await api.POST('/api/v1/profiles/check', { body: { id, ...body } });
      for (const p of data!.problems) form.setFieldError(fieldOf(p.location), p.message);
      setChecked(data);
    });
  const save = () =>
    run(async () => {
      const { id, ...body } = form.values;
      if (profile) await api.PUT('/api/v1/profiles/{id}', { params: { path: { id } }, body: { ...body, expected_version: profile.version } });
      else await api.POST('/api/v1/profiles', { body: { id, ...body } });
      await reload();
      done('The profile is saved. What is scanned from now on is held to it.');
      onSaved(id);
    });
  const remove = async () => {
    setBusy(true);
    try {
      await api.DELETE('/api/v1/profiles/{id}', { params: { path: { id: profile!.id }, query: { expected_version: profile!.version } } });
      await reload();
      done(profile!.source === 'changed' ? 'The profile is as it comes with Outband.' : 'The profile is removed.');
      onGone?.();
    } catch (e) {
      failed(e);
    }
    setAsking(false);
    setBusy(false);
  };

  const number = (label: string, description: string, key: 'min_matches' | 'min_distinct' | 'min_kinds' | 'within', max: number) => (
    <NumberInput label={label} description={description} min={0} max={max} allowDecimal={false} thousandSeparator="," {...form.getInputProps(key)} onChange={(v) => form.setFieldValue(key, Number(v))} />
  );
  const globs = (label: string, description: string, key: 'detectors' | 'except') => (
    <TagsInput label={label} description={description} data={offered} limit={60} maxTags={64} acceptValueOnBlur clearable splitChars={[',', ' ']} {...form.getInputProps(key)} />
  );
  return (
    <form
      onSubmit={(e) => {
        e.preventDefault();
        void save();
      }}
    >
      <Stack>
        {!profile && <TextInput label="Id" description="Lower-case letters, digits and underscores; policies ask for it by this." required maxLength={40} {...form.getInputProps('id')} />}
        {profile?.source === 'built-in' && <Text size="sm">This profile comes with Outband. Saving puts a copy of yours in its place, and removing that brings it back.</Text>}
        <TextInput label="Title" required maxLength={200} {...form.getInputProps('title')} />
        <Textarea label="Description" autosize minRows={2} maxLength={2000} {...form.getInputProps('description')} />
        {globs('Detectors', 'Ids or globs such as secret.*', 'detectors')}
        {globs('But not', 'Ids or globs that are left out', 'except')}
        <Fieldset legend="Thresholds (0 asks for nothing)">
          <Stack gap="sm">
            <NumberInput label="Lowest confidence" description="Matches below are not counted" min={0} max={1} step={0.05} decimalScale={2} {...form.getInputProps('min_confidence')} onChange={(v) => form.setFieldValue('min_confidence', Number(v))} />
            {number('Matches', 'At least so many', 'min_matches', 1000)}
            {number('Different values', 'The same value again does not count', 'min_distinct', 1000)}
            {number('Different kinds', 'Groups below, and detectors that are in none', 'min_kinds', 1000)}
            {number('Within (bytes)', 'All that is counted stands this near in one text', 'within', 1_000_000)}
          </Stack>
        </Fieldset>
        <Fieldset legend="Kinds: detectors that count as one">
          <Stack gap="sm">
            {form.values.groups.map((g, i) => (
              <Group key={i} align="flex-end" wrap="nowrap">
                <TextInput label="Kind" aria-label={`Id of kind ${i + 1}`} w={140} maxLength={40} value={g.id} onChange={(e) => form.setFieldValue(`groups.${i}.id`, e.currentTarget.value)} />
                <TagsInput label="Detectors" aria-label={`Detectors of kind ${i + 1}`} flex={1} data={offered} limit={60} acceptValueOnBlur splitChars={[',', ' ']} value={g.detectors} onChange={(v) => form.setFieldValue(`groups.${i}.detectors`, v)} />
                <Button variant="default" aria-label={`Remove kind ${i + 1}`} onClick={() => form.removeListItem('groups', i)}>
                  Remove
                </Button>
              </Group>
            ))}
            {form.errors.groups && (
              <Text size="sm" c="var(--mantine-color-error)" role="alert">
                {form.errors.groups}
              </Text>
            )}
            <Button variant="default" onClick={() => form.insertListItem('groups', { id: '', detectors: [] })}>
              Add a kind
            </Button>
            <MultiSelect label="All of" description="Kinds of each of which there is a match" data={[...new Set(form.values.groups.map((g) => g.id).filter(Boolean))]} {...form.getInputProps('all_of')} />
          </Stack>
        </Fieldset>
        {checked && <Checked result={checked} />}
        {refused !== undefined && <ProblemAlert error={refused} title="The profile was not saved" />}
        <Group>
          <Button type="submit" loading={busy}>
            Save
          </Button>
          <Button variant="default" disabled={busy} onClick={() => void check()}>
            Check
          </Button>
          {profile && profile.source !== 'built-in' && (
            <Button variant="default" color="red" disabled={busy} onClick={() => setAsking(true)}>
              {profile.source === 'changed' ? 'Bring the built-in one back' : 'Remove'}
            </Button>
          )}
        </Group>
      </Stack>
      <Modal opened={asking} onClose={() => setAsking(false)} title={profile?.source === 'changed' ? 'Bring the built-in profile back?' : `Remove ${profile?.title}?`}>
        <Stack>
          <Text size="sm">Its versions are kept, and the removal is one more of them.</Text>
          <Group>
            <Button color="red" loading={busy} onClick={() => void remove()}>
              {profile?.source === 'changed' ? 'Bring it back' : 'Remove'}
            </Button>
            <Button variant="default" onClick={() => setAsking(false)}>
              Cancel
            </Button>
          </Group>
        </Stack>
      </Modal>
    </form>
  );
}

function Checked({ result }: { result: Schemas['ProfileCheck'] }) {
  if (result.problems.length === 0) {
    return (
      <Alert variant="outline" color="tide" title="It can be saved">
        It names {result.selected.toLocaleString('en')} detectors.
      </Alert>
    );
  }
  return (
    <Alert variant="outline" color="red" title="It cannot be saved yet">
      <List size="sm">
        {result.problems.map((p, i) => (
          <List.Item key={i} className="ob-break">
            {p.location.replace(/^body\.?/, '')} {p.message}
          </List.Item>
        ))}
      </List>
    </Alert>
  );
}
