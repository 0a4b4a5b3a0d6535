import { Tooltip } from '@mantine/core';
import type { ReactNode } from 'react';

import classes from './badges.module.css';

export const severities = ['critical', 'high', 'medium', 'low', 'info'] as const;
export type Severity = (typeof severities)[number];

export const statuses = ['open', 'acknowledged', 'in_progress', 'resolved', 'accepted_risk', 'false_positive', 'closed'] as const;
export type Status = (typeof statuses)[number];

const urgency: Record<Severity, string> = {
  critical: 'Act today',
  high: 'Act this week',
  medium: 'Act this month',
  low: 'Look at it in a scheduled review',
  info: 'For information',
};

/** words turns an identifier of the API into words: accepted_risk → Accepted risk. */
export function words(id: string): string {
  const s = id.replaceAll('_', ' ');
  return s.charAt(0).toUpperCase() + s.slice(1);
}

export type Tone = Severity | 'good' | 'plain';

/** Tag is a short word on a coloured ground. */
export function Tag({ tone = 'plain', children, dot }: { tone?: Tone; children: ReactNode; dot?: boolean }) {
  return (
    <span className={`${classes.badge} ${classes[tone]}`}>
      {dot && <span className={classes.dot} aria-hidden="true" />}
      {children}
    </span>
  );
}

/** SeverityBadge shows the severity by word, bars and colour, never by colour alone. */
export function SeverityBadge({ severity }: { severity: Severity }) {
  const level = severities.length - severities.indexOf(severity); // critical 5 … info 1
  return (
    <Tooltip label={urgency[severity]}>
      <span className={`${classes.badge} ${classes[severity]}`}>
        <span className={classes.bars} aria-hidden="true">
          {[1, 2, 3, 4, 5].map((n) => (
            <span key={n} className={classes.bar} data-on={n <= level} style={{ height: 2 + n * 1.6 }} />
          ))}
        </span>
        {words(severity)}
      </span>
    </Tooltip>
  );
}

const statusTone: Record<Status, Tone> = {
  open: 'high',
  acknowledged: 'low',
  in_progress: 'low',
  resolved: 'good',
  accepted_risk: 'info',
  false_positive: 'info',
  closed: 'good',
};

export function StatusBadge({ status }: { status: Status }) {
  return (
    <Tag tone={statusTone[status]} dot>
      {words(status)}
    </Tag>
  );
}
