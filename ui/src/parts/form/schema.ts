// The subset of JSON Schema that connectors describe their forms in. A schema outside of it fails the connector's own test on the server.
import { Validator } from '@cfworker/json-schema';

import type { Schemas } from '../../api/client';

/** Field is one input. The document of this version of the API has a part of these keywords; the others are what the form understands besides. */
export interface Field extends Omit<Schemas['FormField'], 'type'> {
  type: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
  const?: string; // the one value of the field that tells the variants of a oneOf apart
  minLength?: number;
  items?: { type: 'string'; pattern?: string; enum?: string[] }; // of an array
  minItems?: number;
  maxItems?: number;
  oneOf?: Form[]; // of an object
  'x-secret'?: boolean;
  'x-group'?: string; // the title of a part of the form that is folded away
  'x-doc'?: string; // where the field is explained
  'x-create-url'?: string; // where the vendor makes what the field asks for
}

/** Form is an object with its fields. */
export interface Form {
  type: 'object';
  title?: string; // of a variant
  properties: Record<string, Field>;
  required: string[];
  'x-order': string[];
  additionalProperties?: boolean;
}

/** A value of the form as it is typed: a number that is not given yet is an empty text. */
export type Value = string | number | boolean | string[] | Values;
export interface Values {
  [id: string]: Value;
}

/** Errors are sentences by the path of a field: base_url, or auth.token inside of an object. */
export type Errors = Record<string, string>;

const isValues = (v: unknown): v is Values => typeof v === 'object' && v !== null && !Array.isArray(v);

/** isSecret reports whether a field is written and never shown. */
export const isSecret = (f: Field) => f.writeOnly === true || f['x-secret'] === true;

/** tellApart is the field whose one value says which variant of a oneOf is meant. */
export function tellApart(variant: Form): string | undefined {
  return variant['x-order'].find((id) => variant.properties[id]?.const !== undefined);
}

/** variantOf is the variant that the values of an object are of; the first one if they do not say. */
export function variantOf(f: Field, values: unknown): Form | undefined {
  const of = isValues(values) ? values : {};
  return (
    f.oneOf?.find((v) => {
      const id = tellApart(v);
      return id !== undefined && v.properties[id]?.const === of[id];
    }) ?? f.oneOf?.[0]
  );
}

/** initial is what a new form holds: the defaults, or what was saved, and empty texts. */
export function initial(form: Form, have: Record<string, unknown> = {}): Values {
  const out: Values = {};
  for (const id of form['x-order']) out[id] = start(form.properties[id]!, have[id] ?? form.properties[id]!.default);
  return out;
}

function start(f: Field, value: unknown): Value {
  if (f.const !== undefined) return f.const;
  switch (f.type) {
    case 'boolean':
      return value === true;
    case 'integer':
    case 'number':
      return typeof value === 'number' ? value : '';
    case 'array':
      return Array.isArray(value) ? value.map(String) : [];
    case 'object': {
      const variant = variantOf(f, value);
      return variant ? initial(variant, isValues(value) ? value : {}) : {};
    }
    default:
      return typeof value === 'string' ? value : '';
  }
}

/** cleaned is what is sent: without fields that are empty, so that the server's defaults hold, and without the spaces around what was pasted. */
export function cleaned(form: Form, values: Values): Values {
  const out: Values = {};
  for (const id of form['x-order']) {
    const f = form.properties[id]!;
    const v = values[id];
    if (v === undefined || v === '') continue;
    if (Array.isArray(v)) {
      const items = v.map((x) => x.trim()).filter(Boolean);
      if (items.length > 0) out[id] = items;
    } else if (isValues(v)) {
      const variant = variantOf(f, v);
      if (variant) out[id] = cleaned(variant, v);
    } else if (typeof v !== 'string') {
      out[id] = v;
    } else if (v.trim() !== '') {
      out[id] = v.trim();
    }
  }
  return out;
}

/** changes is what differs from what was saved. A field that was emptied goes back to its default, which is null. */
export function changes(form: Form, before: Values, after: Values): Record<string, Value | null> {
  const [was, is] = [cleaned(form, before), cleaned(form, after)];
  const out: Record<string, Value | null> = {};
  for (const id of form['x-order']) {
    if (JSON.stringify(was[id]) !== JSON.stringify(is[id])) out[id] = is[id] ?? null;
  }
  return out;
}

/** problems validates values by the schema and says what is wrong, by field. The server validates by the same schema again. */
export function problems(form: Form, values: Values): Errors {
  const data = cleaned(form, values);
  const leaves = flatten(form, data);
  const out: Errors = {};
  for (const { path, field, required, value } of leaves) {
    const wrong = required && value === undefined ? 'This is needed.' : value === undefined ? undefined : beyondSchema(field, value);
    if (wrong) out[path] = wrong;
  }
  const fields = new Map(leaves.map((l) => [l.path, l.field]));
  for (const e of new Validator(plain(form, data) as never, '2020-12', false).validate(data).errors) {
    const path = e.instanceLocation.replace(/^#\/?/, '').replaceAll('/', '.');
    // What is wrong with one text of a list is said at the list.
    const at = fields.has(path) ? path : path.replace(/\.\d+$/, '');
    const f = fields.get(at);
    const said = f && sentence(f, e.keyword);
    if (said && !out[at]) out[at] = said;
  }
  return out;
}

interface Leaf {
  path: string;
  field: Field;
  required: boolean;
  value: Value | undefined;
}

/** flatten lists the fields that values of the form have, those of the chosen variants too. */
function flatten(form: Form, values: Values, under = ''): Leaf[] {
  return form['x-order'].flatMap((id) => {
    const field = form.properties[id]!;
    const value = values[id];
    const variant = field.type === 'object' ? variantOf(field, value) : undefined;
    if (variant) return flatten(variant, isValues(value) ? value : {}, `${under}${id}.`);
    return [{ path: under + id, field, required: form.required.includes(id), value }];
  });
}

/** plain is the schema without what is checked here in other words: which fields are needed, addresses, lengths in bytes, and the choice of a variant. */
function plain(form: Form, values: Values): object {
  const properties = Object.fromEntries(
    form['x-order'].map((id) => {
      const f = form.properties[id]!;
      const variant = f.type === 'object' ? variantOf(f, values[id]) : undefined;
      if (variant) return [id, plain(variant, isValues(values[id]) ? values[id] : {})];
      const { type, enum: one, minimum, maximum, minLength, minItems, maxItems, items, const: only } = f;
      const kept = { type, enum: one, minimum, maximum, minLength, minItems, maxItems, const: only, pattern: usable(f.pattern), format: f.format === 'uri' ? undefined : f.format };
      return [id, { ...kept, items: items && { ...items, pattern: usable(items.pattern) } }];
    }),
  );
  return { type: 'object', properties };
}

/** usable drops a pattern that is right in Go and none in a browser: then the server alone checks it. */
function usable(pattern: string | undefined): string | undefined {
  try {
    return pattern === undefined ? undefined : new RegExp(pattern, 'u') && pattern;
  } catch {
    return undefined;
  }
}

function beyondSchema(f: Field, v: Value): string | undefined {
  if (typeof v !== 'string') return undefined;
  if (isSecret(f) && /[^\x21-\x7e]/.test(v)) return 'It has a space or a character outside of ASCII. Copy it again.';
  if (f.maxLength !== undefined && new TextEncoder().encode(v).length > f.maxLength) return `At most ${f.maxLength} bytes.`;
  if (f.format === 'uri' && !webAddress(v)) return 'Give a whole address, such as https://api.example.com.';
  return undefined;
}

/** webAddress reports whether a text is a whole http or https address. */
export function webAddress(v: string): boolean {
  try {
    return /^https?:$/.test(new URL(v).protocol);
  } catch {
    return false;
  }
}

function sentence(f: Field, keyword: string): string | undefined {
  switch (keyword) {
    case 'type':
      return f.type === 'integer' ? 'Give a whole number.' : f.type === 'number' ? 'Give a number.' : 'This has the wrong form.';
    case 'minimum':
      return `At least ${f.minimum}.`;
    case 'maximum':
      return `At most ${f.maximum}.`;
    case 'minLength':
      return `At least ${f.minLength} characters.`;
    case 'minItems':
      return `At least ${f.minItems}.`;
    case 'maxItems':
      return `At most ${f.maxItems}.`;
    case 'enum':
      return `One of ${(f.enum ?? f.items?.enum ?? []).join(', ')}.`;
    case 'format':
      if (f.format === 'email') return 'Give an e-mail address.';
      return f.format === 'date-time' ? 'Give a time such as 2026-01-31T00:00:00Z.' : f.format === 'date' ? 'Give a date such as 2026-01-31.' : 'This has the wrong form.';
    case 'pattern':
      return f.type === 'array' ? 'One of these has the wrong form.' : 'This has the wrong form.';
    default:
      return undefined; // The keywords around it only say that something inside is wrong.
  }
}

/** fieldsOf sorts what the server says about inputs to the fields of a form: body.config.base_url under config is base_url. */
export function fieldsOf(errors: Schemas['Field'][] | undefined, under: string): Errors {
  const out: Errors = {};
  for (const e of errors ?? []) if (e.location.startsWith(`body.${under}.`)) out[e.location.slice(under.length + 6)] = e.message;
  return out;
}

/** Part is a run of fields of a form, under a title if it is folded away. */
export interface Part {
  title?: string;
  ids: string[];
}

/** parts divides a form: what must be filled in comes first, then each group; what has a default and no group is advanced. */
export function parts(form: Form): Part[] {
  const first: Part = { ids: [] };
  const folded = new Map<string, Part>();
  for (const id of form['x-order']) {
    const title = form.properties[id]!['x-group'] ?? (form.required.includes(id) ? undefined : 'Advanced settings');
    if (title === undefined) {
      first.ids.push(id);
      continue;
    }
    const part = folded.get(title) ?? { title, ids: [] };
    part.ids.push(id);
    folded.set(title, part);
  }
  return first.ids.length > 0 ? [first, ...folded.values()] : [...folded.values()];
}

/** errorOf is what is wrong with a field or with something inside of it. */
export function errorOf(errors: Errors, path: string): string | undefined {
  return errors[path] ?? Object.entries(errors).find(([at]) => at.startsWith(`${path}.`))?.[1];
}
