// What the addresses of pages may carry. Whatever does not fit is left out: a link that was cut off or is from another version opens the page still.

type Raw = Record<string, unknown>;

/** one reads a value that is given once; of several, the first. */
function one(v: unknown): string | undefined {
  const x = Array.isArray(v) ? v[0] : v;
  return x === undefined || x === null || x === '' ? undefined : String(x);
}

/** many reads a value that may be given several times. */
function many(v: unknown): string[] | undefined {
  const all = [v].flat().flatMap((x) => (x === undefined || x === null || x === '' ? [] : [String(x)]));
  return all.length > 0 ? all : undefined;
}

function choice<T extends string>(v: unknown, ...values: T[]): T | undefined {
  const x = one(v);
  return values.find((y) => y === x);
}

/** nextSearch is where the sign-in leads to. Only a path of this site: //host would be another one. */
export function nextSearch(raw: Raw): { next?: string } {
  const next = one(raw.next);
  return { next: next && /^\/(?![/\\])/.test(next) ? next : undefined };
}

export function overviewSearch(raw: Raw): { range?: '7d' | '30d' | '90d' } {
  return { range: choice(raw.range, '7d', '30d', '90d') };
}

export interface RecordsSearch {
  tab?: 'changes';
  kind?: string;
  as_of?: string; // a day
}

export function recordsSearch(raw: Raw): RecordsSearch {
  const day = one(raw.as_of);
  return { tab: choice(raw.tab, 'changes'), kind: one(raw.kind), as_of: day && /^\d{4}-\d{2}-\d{2}$/.test(day) ? day : undefined };
}

/** policyNewSearch: from is the policy of which the new one begins as a copy. */
export function policyNewSearch(raw: Raw): { from?: string } {
  return { from: one(raw.from) };
}

export function coverageSearch(raw: Raw): { connection?: string } {
  return { connection: one(raw.connection) };
}

/** newDetectorSearch is what a new detector begins with: a copy of another, a dictionary or a table, by id. */
export function newDetectorSearch(raw: Raw): { from?: string; list?: string; table?: string } {
  return { from: one(raw.from), list: one(raw.list), table: one(raw.table) };
}

/** editDetectorSearch names the detector that is edited. */
export function editDetectorSearch(raw: Raw): { id: string } {
  return { id: one(raw.id) ?? '' };
}

/**
 * The URL is the state of the findings page: filters as repeated keys, like those of the API; `open` is the finding in the drawer. `v` is for the day
 * when a key must change its meaning: links of today have none and are read as 1.
 */
export interface FindingsSearch {
  q?: string;
  severity?: string[];
  status?: string[];
  kind?: string[];
  source?: string[];
  policy_id?: string[];
  connection_id?: string[];
  connector?: string[];
  detector?: string[];
  resource_kind?: string[];
  actor?: string[];
  from?: string;
  to?: string;
  range?: '24h' | '7d' | '30d' | '90d'; // until now; from and to are not looked at then
  sort?: string;
  columns?: string[];
  open?: string;
  tab?: string;
  v?: number;
}

export function findingsSearch(raw: Raw): FindingsSearch {
  const v = Number(one(raw.v));
  return {
    q: one(raw.q),
    severity: many(raw.severity),
    status: many(raw.status),
    kind: many(raw.kind),
    source: many(raw.source),
    policy_id: many(raw.policy_id),
    connection_id: many(raw.connection_id),
    connector: many(raw.connector),
    detector: many(raw.detector),
    resource_kind: many(raw.resource_kind),
    actor: many(raw.actor),
    from: one(raw.from),
    to: one(raw.to),
    range: choice(raw.range, '24h', '7d', '30d', '90d'),
    sort: one(raw.sort),
    columns: many(raw.columns),
    open: one(raw.open),
    tab: one(raw.tab),
    v: Number.isFinite(v) && v > 0 ? v : undefined,
  };
}
