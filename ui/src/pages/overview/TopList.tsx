import { Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { Rows } from '../../parts/states';
import type { FindingsSearch } from '../../search';
import classes from './overview.module.css';

interface Row {
  id: string;
  name: string;
  count: number;
  search: FindingsSearch;
}

/** TopList ranks by count. Each row leads to its findings; the bar shows the share of all. */
export function TopList({ rows, total, pending, empty }: { rows: Row[]; total: number; pending: boolean; empty: string }) {
  if (pending) return <Rows n={4} height={26} />;
  if (rows.length === 0) return <Text c="dimmed">{empty}</Text>;
  return (
    <ol className={classes.top}>
      {rows.map((r) => (
        <li key={r.id}>
          <Link to="/findings" search={r.search} className={classes.topRow}>
            <span className={classes.topName} title={r.name}>
              {r.name}
            </span>
            <span className={classes.topCount}>
              {r.count.toLocaleString('en')}
              <span className="ob-skip"> open</span>
            </span>
            <span className={classes.share} aria-hidden="true">
              <span style={{ width: `${total > 0 ? Math.max((r.count / total) * 100, 1) : 0}%` }} />
            </span>
          </Link>
        </li>
      ))}
    </ol>
  );
}
