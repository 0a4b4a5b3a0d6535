import type { Schemas } from '../../api/client';

export type Definition = Omit<Schemas['CheckProfileInputBody'], 'id'>;

/** emptyProfile is where a new profile begins. */
export const emptyProfile: Definition = {
  title: '', description: '', detectors: [], except: [], groups: [], all_of: [],
  min_confidence: 0.4, min_matches: 1, min_distinct: 0, min_kinds: 0, within: 0,
};

type Thresholds = Pick<Definition, 'min_confidence' | 'min_matches' | 'min_distinct' | 'min_kinds' | 'all_of' | 'within'>;

/** thresholds says in words what a profile asks for. */
export function thresholds(p: Thresholds): string[] {
  const out: string[] = [];
  const many = (n: number, one: string, more: string) => n > 0 && out.push(`${n.toLocaleString('en')} ${n === 1 ? one : more}`);
  if (p.min_matches > 1 || (p.min_distinct === 0 && p.min_kinds === 0 && p.all_of.length === 0)) many(Math.max(1, p.min_matches), 'match', 'matches');
  many(p.min_distinct, 'value', 'different values');
  many(p.min_kinds, 'kind', 'different kinds');
  if (p.all_of.length > 0) out.push(`each of ${p.all_of.join(', ')}`);
  if (p.within > 0) out.push(`within ${p.within.toLocaleString('en')} bytes`);
  if (p.min_confidence > 0) out.push(`confidence from ${p.min_confidence.toFixed(2)}`);
  return out;
}

/** definitionOf is what an author may change of a profile. */
export function definitionOf(p: Definition): Definition {
  const { title, description, detectors, except, groups, all_of, min_confidence, min_matches, min_distinct, min_kinds, within } = p;
  return { title, description, detectors, except, groups, all_of, min_confidence, min_matches, min_distinct, min_kinds, within };
}

/** fieldOf is the key of a form that a location of a problem belongs to: body.groups[0].id is groups. */
export function fieldOf(location: string): string {
  return /^body\.([a-z_]+)/.exec(location)?.[1] ?? '';
}
