import { Anchor, Button, Collapse, Fieldset, NumberInput, PasswordInput, Select, Stack, Switch, TagsInput, TextInput } from '@mantine/core';
import { useId, useState, type ChangeEvent, type ReactNode } from 'react';

import { Icon } from '../icons';
import { errorOf, initial, isSecret, parts, tellApart, variantOf, webAddress, type Errors, type Field, type Form, type Part, type Value, type Values } from './schema';

interface Props {
  form: Form;
  values: Values;
  errors: Errors;
  onChange: (values: Values) => void;
  /** Fold away what has a default, and groups. */
  fold?: boolean;
  /** Show what is folded away, because something in it matters now. */
  unfold?: boolean;
}

/** SchemaForm renders the fields of a connector's form, in its order. Secrets never come from the server: their fields begin empty. */
export function SchemaForm({ form, values, errors, onChange, fold, unfold }: Props) {
  const runs: Part[] = fold ? parts(form) : [{ ids: form['x-order'] }];
  return (
    <Stack>
      {runs.map((part) => {
        const fields = <Fields key={part.title ?? ''} form={form} ids={part.ids} values={values} errors={errors} onChange={onChange} />;
        if (part.title === undefined) return fields;
        return (
          <Folded key={part.title} title={part.title} force={unfold || part.ids.some((id) => errorOf(errors, id))}>
            {fields}
          </Folded>
        );
      })}
    </Stack>
  );
}

function Folded({ title, force, children }: { title: string; force: boolean; children: ReactNode }) {
  const id = useId();
  const [open, setOpen] = useState(false);
  // Opened for a reason, it stays open when the reason has gone: nothing jumps away under the pointer.
  if (force && !open) setOpen(true);
  return (
    <div>
      <Button variant="subtle" size="compact-sm" aria-expanded={open} aria-controls={id} onClick={() => setOpen(force || !open)} leftSection={<Icon name={open ? 'down' : 'right'} size={14} />}>
        {title}
      </Button>
      <Collapse expanded={open} id={id}>
        <Stack pt="sm">{children}</Stack>
      </Collapse>
    </div>
  );
}

function Fields({ form, ids, values, errors, onChange, under = '' }: { form: Form; ids: string[]; values: Values; errors: Errors; onChange: (values: Values) => void; under?: string }) {
  return ids.map((id) => {
    const field = form.properties[id]!;
    if (field.const !== undefined) return null;
    return (
      <One key={id} path={under + id} field={field} required={form.required.includes(id)} value={values[id]} errors={errors} onChange={(v) => onChange({ ...values, [id]: v })} />
    );
  });
}

interface OneProps {
  path: string;
  field: Field;
  required: boolean;
  value: Value | undefined;
  errors: Errors;
  onChange: (v: Value) => void;
}

function One({ path, field: f, required, value, errors, onChange }: OneProps) {
  if (f.type === 'object') return <Variants path={path} field={f} required={required} value={value} errors={errors} onChange={onChange} />;
  const label = { name: path, label: f.title, description: <About field={f} />, error: errorOf(errors, path) };
  if (f.type === 'boolean') return <Switch {...label} checked={value === true} onChange={(e) => onChange(e.currentTarget.checked)} />;
  const common = { ...label, required, withAsterisk: required };
  if (f.type === 'integer' || f.type === 'number') {
    return <NumberInput {...common} value={typeof value === 'number' || typeof value === 'string' ? value : ''} allowDecimal={f.type === 'number'} min={f.minimum} max={f.maximum} clampBehavior="none" onChange={onChange} styles={{ wrapper: { maxWidth: 260 } }} />;
  }
  if (f.type === 'array') {
    return <TagsInput {...common} data={f.items?.enum} value={Array.isArray(value) ? value : []} maxTags={f.maxItems} acceptValueOnBlur splitChars={[',', ' ', '\n']} onChange={onChange} />;
  }
  if (f.enum) return <Select {...common} data={f.enum} value={String(value ?? '') || null} allowDeselect={!required} onChange={(v) => onChange(v ?? '')} />;
  const text = { ...common, value: String(value ?? ''), spellCheck: false, onChange: (e: ChangeEvent<HTMLInputElement>) => onChange(e.currentTarget.value) };
  // new-password keeps browsers from filling in or offering to save what is no password of this page.
  if (isSecret(f)) return <PasswordInput {...text} aria-invalid={text.error ? true : undefined} autoComplete="new-password" />;
  return <TextInput {...text} autoComplete="off" inputMode={f.format === 'uri' ? 'url' : f.format === 'email' ? 'email' : undefined} type={f.format === 'date' ? 'date' : 'text'} />;
}

/** Variants is a choice and the fields of what was chosen. */
function Variants({ path, field: f, required, value, errors, onChange }: OneProps) {
  const variant = variantOf(f, value);
  const id = variant && tellApart(variant);
  if (!variant || id === undefined) return null;
  const data = f.oneOf!.map((v) => ({ value: v.properties[id]?.const ?? '', label: v.title ?? v.properties[id]?.const ?? '' }));
  const chosen = variant.properties[id]?.const ?? '';
  const values = typeof value === 'object' && !Array.isArray(value) ? value : {};
  const choose = (to: string | null) => {
    const next = f.oneOf!.find((v) => v.properties[id]?.const === to);
    if (next) onChange(initial(next));
  };
  return (
    <Fieldset legend={f.title}>
      <Stack>
        <Select label="Kind" description={<About field={f} />} name={`${path}.${id}`} data={data} value={chosen} required={required} allowDeselect={false} error={errors[path]} onChange={choose} />
        <Fields form={variant} ids={variant['x-order']} values={values} errors={errors} onChange={onChange} under={`${path}.`} />
      </Stack>
    </Fieldset>
  );
}

/** About is what is said about a field, with the links that its connector gives. */
function About({ field: f }: { field: Field }) {
  const links = [
    [f['x-create-url'], 'Make one'],
    [f['x-doc'], 'How it works'],
  ].filter((l): l is [string, string] => l[0] !== undefined && webAddress(l[0]));
  if (links.length === 0) return f.description;
  return (
    <>
      {f.description}
      {links.map(([href, label]) => (
        <span key={label}>
          {' '}
          <Anchor href={href} target="_blank" rel="noreferrer noopener" size="xs" c="var(--ob-link)" underline="always">
            {label}
          </Anchor>
        </span>
      ))}
    </>
  );
}
