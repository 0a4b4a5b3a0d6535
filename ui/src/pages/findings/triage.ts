// What a person may do with a status, as findings/triage.go has it. The server decides; this keeps the page from offering what it would refuse.
import type { Schemas } from '../../api/client';
import type { Status } from '../../parts/badges';

export type Choice = Schemas['Decision']['status'];

const active: Choice[] = ['resolved', 'accepted_risk', 'false_positive'];
const allowed: Record<Status, Choice[]> = {
  open: ['acknowledged', 'in_progress', ...active],
  acknowledged: ['open', 'in_progress', ...active],
  in_progress: ['open', 'acknowledged', ...active],
  resolved: ['open', 'in_progress', 'accepted_risk', 'false_positive'],
  accepted_risk: ['open', 'in_progress', 'resolved', 'false_positive'],
  false_positive: ['open', 'in_progress', 'resolved', 'accepted_risk'],
  closed: [],
};

export const choices: Choice[] = ['open', 'acknowledged', 'in_progress', 'resolved', 'accepted_risk', 'false_positive'];

export const meaning: Record<Choice, string> = {
  open: 'It waits for somebody to look at it.',
  acknowledged: 'Somebody has seen it and will deal with it.',
  in_progress: 'Somebody works on it.',
  resolved: 'The cause is gone. It opens again if new instances appear.',
  accepted_risk: 'It is true and stays. It opens again if new instances appear.',
  false_positive: 'It is not what the policy takes it for.',
};

/** choicesFor are the statuses that a person may choose for at least one of these findings, in the order of a finding's life. */
export function choicesFor(from: Status[]): Choice[] {
  return choices.filter((c) => from.some((s) => allowed[s].includes(c)));
}

/** may reports whether a person may change a status so. */
export function may(from: Status, to: Choice): boolean {
  return allowed[from].includes(to);
}

/** refusals counts the findings that would stay as they are because their status may not change so. One that has the status already counts not. */
export function refusals(from: Status[], to: Choice): number {
  return from.filter((s) => s !== to && !may(s, to)).length;
}

export const maxReason = 1000; // bytes

/** reasonError says what is wrong with a reason, or nothing. */
export function reasonError(status: Choice | undefined, reason: string): string | undefined {
  if (new TextEncoder().encode(reason).length > maxReason) return 'The reason is too long: at most 1000 bytes.';
  if ((status === 'accepted_risk' || status === 'false_positive') && reason.trim() === '') return 'Say why: this status needs a reason.';
  return undefined;
}

/** chunks cuts a list into pieces of at most size. */
export function chunks<T>(items: T[], size: number): T[][] {
  const out: T[][] = [];
  for (let i = 0; i < items.length; i += size) out.push(items.slice(i, i + size));
  return out;
}

export type Outcome = Schemas['Outcome'];

/** Tally is what became of a bulk change. refused holds the ids by the sentence that says why. */
export interface Tally {
  changed: string[];
  same: string[];
  refused: Map<string, string[]>;
}

/** tally sorts the outcomes. */
export function tally(outcomes: Outcome[]): Tally {
  const out: Tally = { changed: [], same: [], refused: new Map() };
  for (const o of outcomes) {
    if (o.changed) out.changed.push(o.id);
    else if (!o.code) out.same.push(o.id);
    else {
      const why = `${o.message ?? 'It was refused.'} (${o.code})`;
      out.refused.set(why, [...(out.refused.get(why) ?? []), o.id]);
    }
  }
  return out;
}
