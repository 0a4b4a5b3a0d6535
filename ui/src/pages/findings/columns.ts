// The columns of the list: which there are, which are wanted, and which have room.
import type { FindingsSearch } from '../../search';

export interface Column {
  id: string;
  name: string;
  width: number; // px; of the title the least
  sort?: string; // the API's key
  end?: boolean; // numbers stand at the end
}

export const columns: Column[] = [
  { id: 'severity', name: 'Severity', width: 116, sort: 'severity' },
  { id: 'title', name: 'Finding', width: 200, sort: 'title' },
  { id: 'connection', name: 'Connection', width: 124 },
  { id: 'person', name: 'Person', width: 156 },
  { id: 'status', name: 'Status', width: 128, sort: 'status' },
  { id: 'instances', name: 'Instances', width: 104, sort: 'instance_count', end: true },
  { id: 'first_seen', name: 'First seen', width: 96, sort: 'first_seen_at' },
  { id: 'last_seen', name: 'Last seen', width: 96, sort: 'last_seen_at' },
];

// Severity and title always stay: without them a row says nothing.
const fixed = ['severity', 'title'];
export const choosable = columns.filter((c) => !fixed.includes(c.id));

// What goes first when there is no room.
const droppable = ['last_seen', 'connection', 'instances', 'first_seen', 'person', 'status'];

export const selectWidth = 40; // px

/** wantedColumns are the columns that the search asks for. None named: all, but without the connection where there is only one. */
export function wantedColumns(search: Pick<FindingsSearch, 'columns'>, oneConnection: boolean): string[] {
  const asked = search.columns;
  return columns.filter((c) => fixed.includes(c.id) || (asked ? asked.includes(c.id) : c.id !== 'connection' || !oneConnection)).map((c) => c.id);
}

/** withColumn shows or hides one column. What would be shown anyway is the same as no choice. */
export function withColumn(search: FindingsSearch, id: string, shown: boolean, oneConnection: boolean): FindingsSearch {
  const have = wantedColumns(search, oneConnection);
  const next = columns.map((c) => c.id).filter((c) => (c === id ? shown : have.includes(c)));
  const same = next.join() === wantedColumns({}, oneConnection).join();
  return { ...search, columns: same ? undefined : next };
}

/** fit drops columns, the least needed first, until the rest has room. */
export function fit(wanted: string[], width: number, selectable: boolean): string[] {
  const out = [...wanted];
  const need = () => (selectable ? selectWidth : 0) + out.reduce((n, id) => n + (columns.find((c) => c.id === id)?.width ?? 0), 0);
  for (const id of droppable) {
    if (need() <= width) break;
    const i = out.indexOf(id);
    if (i >= 0) out.splice(i, 1);
  }
  return out;
}

/** template is the value of grid-template-columns. */
export function template(shown: string[], selectable: boolean): string {
  const parts = shown.map((id) => (id === 'title' ? 'minmax(0, 1fr)' : `${columns.find((c) => c.id === id)?.width ?? 0}px`));
  return [...(selectable ? [`${selectWidth}px`] : []), ...parts].join(' ');
}
