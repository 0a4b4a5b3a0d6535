import type { Schemas } from '../../api/client';

/** countsOf reads one field of the facets as a map. */
export function countsOf(facets: Schemas['Facets'] | undefined, field: string): Map<string, number> {
  return new Map((facets?.fields[field] ?? []).map((c) => [c.value, c.count]));
}

/** holds reports whether every word of a query is in one of the texts, without regard to case. */
export function holds(query: string, ...texts: string[]): boolean {
  const all = texts.join('\n').toLowerCase();
  return query
    .toLowerCase()
    .split(/\s+/)
    .every((w) => all.includes(w));
}

/** percent writes a part of one as a percentage; 100 % stands for all of it only, never for nearly all. */
export function percent(part: number | undefined): string {
  if (part === undefined) return '–';
  return `${Math.floor(part * 1000) / 10} %`;
}
