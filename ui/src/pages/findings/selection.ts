import { useCallback, useMemo, useRef, useState } from 'react';

import type { Finding } from './data';

/** selectRange returns the selection after a click on one row, alone or, with shift, from the row of the click before. */
export function selectRange(have: ReadonlyMap<string, Finding>, all: Finding[], id: string, from: string | undefined): Map<string, Finding> {
  const next = new Map(have);
  const to = all.findIndex((f) => f.id === id);
  const start = from === undefined ? -1 : all.findIndex((f) => f.id === from);
  if (to < 0) return next;
  if (start >= 0 && start !== to) {
    // A range takes the state of the row that it began at.
    const on = have.has(from!);
    for (const f of all.slice(Math.min(start, to), Math.max(start, to) + 1)) {
      if (on) next.set(f.id, f);
      else next.delete(f.id);
    }
    return next;
  }
  if (!next.delete(id)) next.set(id, all[to]!);
  return next;
}

/** useSelection keeps which findings are selected, also those that a new filter no longer shows. */
export function useSelection(findings: Finding[]) {
  const [selected, setSelected] = useState<ReadonlyMap<string, Finding>>(() => new Map());
  const anchor = useRef<string>(undefined);
  const toggle = useCallback(
    (id: string, range: boolean) => {
      const from = range ? anchor.current : undefined;
      setSelected((have) => selectRange(have, findings, id, from));
      anchor.current = id;
    },
    [findings],
  );
  const set = useCallback((all: Finding[]) => setSelected(new Map(all.map((f) => [f.id, f]))), []);
  const clear = useCallback(() => {
    anchor.current = undefined;
    setSelected(new Map());
  }, []);
  return useMemo(() => ({ selected, toggle, set, clear }), [selected, toggle, set, clear]);
}
