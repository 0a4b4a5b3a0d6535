import { Link } from '@tanstack/react-router';

import classes from './detectors.module.css';

const tabs = [
  { to: '/detectors', label: 'Detectors' },
  { to: '/dictionaries', label: 'Dictionaries' },
  { to: '/exact-tables', label: 'Exact tables' },
] as const;

/** DetectorTabs leads between detectors and what they read. */
export function DetectorTabs() {
  return (
    <nav className={classes.tabs} aria-label="Detectors and what they read">
      {tabs.map((t) => (
        <Link key={t.to} to={t.to} className={classes.tab} activeOptions={{ exact: true }}>
          {t.label}
        </Link>
      ))}
    </nav>
  );
}
