// Words for what the API says in codes: places, confidence, events, policies.
import type { Schemas } from '../../api/client';
import { words } from '../../parts/badges';

type Finding = Schemas['Finding'];

const parts: Record<string, string> = {
  user_text: 'What the person wrote',
  assistant_text: 'What the assistant answered',
  tool_input: 'What was given to a tool',
  tool_result: 'What a tool gave back',
  title: 'The title',
  name: 'The name',
  instructions: 'The instructions',
  file: 'A file',
  document: 'A document',
  record: 'A setting',
  field: 'A field of the activity',
};

/** placeOf says where an instance is, in words and from the coarse to the fine. */
export function placeOf(instance: Schemas['Instance']): { part: string; where: string[] } {
  const { location: l, resource } = instance;
  const where: string[] = [];
  if (l.message_id) where.push(`message ${l.message_id}`);
  else if (l.file_id) where.push(`file ${l.file_id}`);
  else where.push(l.part ? `${words(resource.kind).toLowerCase()} ${resource.id}` : resource.id);
  if (l.path) where.push(`path ${l.path}`);
  const inside = placeIn(l);
  where.push(...inside);
  if (l.line && inside.length === 0) where.push(l.column ? `line ${l.line}, column ${l.column}` : `line ${l.line}`);
  if (l.end > l.start) where.push(`bytes ${l.start}–${l.end}`);
  return { part: parts[l.part] ?? (l.part ? words(l.part) : words(resource.kind)), where };
}

/** placeIn says where in a document a location is, from the coarse to the fine; nothing for one of text. */
function placeIn(l: Schemas['Location']): string[] {
  const out: string[] = [];
  const add = (label: string, v: string | number | undefined) => v && out.push(`${label} ${v}`);
  if (l.section) out.push(words(l.section).toLowerCase());
  add('mail part', l.mail_part);
  add('page', l.page);
  add('slide', l.slide);
  add('sheet', l.sheet);
  add('cell', l.cell);
  add('row', l.row);
  add('paragraph', l.paragraph);
  if (l.name) out.push(`“${l.name}”`);
  if (l.hidden) out.push('hidden from who opens it');
  return out;
}

/** confidenceWord puts a confidence of 0 to 1 in a word. */
export function confidenceWord(c: number): string {
  if (c >= 0.9) return 'Very high';
  if (c >= 0.7) return 'High';
  if (c >= 0.5) return 'Medium';
  return 'Low';
}

/** resourceWords is kind and name: chat “Budget”. */
export function resourceWords(r: Finding['resource']): string {
  const kind = words(r.kind).toLowerCase();
  return r.name ? `${kind} “${r.name}”` : `${kind} ${r.id}`;
}

/** personOf is the e-mail address, or the vendor's id. */
export function personOf(f: Finding): string {
  return f.actor?.email || f.actor?.id || '';
}

/** lookedAt says what a policy looks at. */
export function lookedAt(on: Schemas['On']): string {
  const list = (xs: string[] | null | undefined) => (xs ?? []).map((x) => (x === '*' ? 'every kind' : words(x).toLowerCase())).join(', ');
  const out: string[] = [];
  if (on.items?.length) out.push(`content of ${list(on.items)}`);
  if (on.activities?.length) out.push(`activities: ${list(on.activities)}`);
  if (on.records?.length) out.push(`settings: ${list(on.records)}`);
  return out.length ? words(out.join('; ')) : 'Everything of its kind';
}

/** contextWords are the words near the matches that raised the confidence, each once. */
export function contextWords(instances: Schemas['Instance'][]): string[] {
  return [...new Set(instances.flatMap((i) => i.context ?? []))].sort((a, b) => a.localeCompare(b));
}

export type HistoryEvent = Schemas['Event'];

/** happened tells one change of a finding, given the one before it. */
export function happened(e: HistoryEvent, before: HistoryEvent | undefined): string {
  const was = before ? words(before.status) : '';
  switch (e.type) {
    case 'finding.created':
      return `Found, ${counted(e.instance_count, 'instance')}`;
    case 'finding.updated': {
      if (!before) return 'Updated';
      const said: string[] = [];
      const more = e.instance_count - before.instance_count;
      if (more > 0) said.push(`${counted(more, 'more instance')}, ${e.instance_count.toLocaleString('en')} in all`);
      if (e.severity !== before.severity) said.push(`severity ${before.severity} → ${e.severity}`);
      if (e.source !== before.source) said.push(`source ${before.source} → ${e.source}`);
      return said.length ? words(said.join('; ')) : 'Seen again';
    }
    case 'finding.source_deleted':
      return 'The resource was deleted at the source';
    default:
      return was && before?.status !== e.status ? `${was} → ${words(e.status)}` : words(e.status);
  }
}

/** counted is a number with its noun: 1 instance, 2 instances. */
export function counted(n: number, noun: string): string {
  return `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;
}

/** guideParts cuts a guide at the places where the link into the app belongs. */
export function guideParts(guide: string): string[] {
  return guide.split('{resource.url}');
}

/** signed writes a summand of a confidence with its sign: +0.20, −0.35. */
export function signed(delta: number): string {
  return `${delta < 0 ? '−' : '+'}${Math.abs(delta).toFixed(2)}`;
}
