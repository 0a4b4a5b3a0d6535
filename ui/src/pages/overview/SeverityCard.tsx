import { Skeleton } from '@mantine/core';
import { Link } from '@tanstack/react-router';

import { SeverityBadge, words, type Severity } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { openStatuses } from '../findings/state';
import { compared, type PeriodName } from './figures';
import classes from './overview.module.css';

interface Props {
  severity: Severity;
  range: PeriodName;
  days: number;
  open: number;
  fresh: number;
  before: number;
  pending: boolean;
}

const icon = { up: 'up', down: 'fall', same: 'same' } as const;

/** SeverityCard is how many findings of a severity are open, and how many are new against the period before. Both lead to the findings. */
export function SeverityCard({ severity, range, days, open, fresh, before, pending }: Props) {
  const change = compared(fresh, before, days);
  const name = words(severity).toLowerCase();
  return (
    <article className={`ob-surface ${classes.card}`} aria-label={words(severity)} data-testid={`card-${severity}`}>
      <SeverityBadge severity={severity} />
      {pending ? (
        <Skeleton height={70} mt={10} />
      ) : (
        <>
          <Link to="/findings" search={{ severity: [severity], status: openStatuses }} className={classes.big}>
            {open.toLocaleString('en')} <span>open</span>
            <span className="ob-skip"> {name}</span>
          </Link>
          <Link to="/findings" search={{ severity: [severity], range }} className={classes.fresh}>
            {fresh.toLocaleString('en')} new<span className="ob-skip"> {name}</span> in {days} days
          </Link>
          <p className={classes.change} data-direction={change.direction}>
            <Icon name={icon[change.direction]} size={14} />
            {change.words}
          </p>
        </>
      )}
    </article>
  );
}
