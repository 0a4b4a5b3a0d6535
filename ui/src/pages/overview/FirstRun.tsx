import { Button, Text } from '@mantine/core';
import { Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import type { Schemas } from '../../api/client';
import { Icon } from '../../parts/icons';
import { Panel } from '../../parts/page';
import { useCan } from '../../session';
import { counted } from '../findings/wording';
import type { Steps } from './figures';
import classes from './overview.module.css';

/** FirstRun leads from nothing to a finding that is delivered. It reads from what is there what is done, so it goes on after any break. */
export function FirstRun({ steps, scans }: { steps: Steps; scans: Schemas['Scan'][] }) {
  const can = useCan();
  const running = scans.find((s) => s.state === 'queued' || s.state === 'running');
  const admin = can('admin');
  const rows: { done: boolean; title: string; about: string; action?: ReactNode }[] = [
    {
      done: steps.connection,
      title: 'Connect an app',
      about: admin ? 'Give Outband a key that may only read. It is tested before it is stored, and stored encrypted.' : 'An admin connects an app with a key that may only read.',
      action: admin && (
        <Button component={Link} to="/connections/new">
          Connect an app
        </Button>
      ),
    },
    {
      done: steps.scan,
      title: 'First scan',
      about: running ? `Scanning now: ${counted(running.items_read, 'item')} read so far.` : 'It begins by itself as soon as an app is connected, and reads what the key reaches.',
      action: (
        <Button component={Link} to="/connections" variant="default">
          Watch the scan
        </Button>
      ),
    },
    {
      done: steps.finding,
      title: 'First finding',
      about: steps.scan ? 'What was scanned breaks no policy. See which policies are on.' : 'A finding appears when something that was read breaks a policy.',
      action: (
        <Button component={Link} to="/policies" variant="default">
          See the policies
        </Button>
      ),
    },
    {
      done: steps.destination,
      title: 'Add a destination',
      about: 'Have every change of a finding sent to a SIEM or a webhook, signed.',
      action: admin && (
        <Button component={Link} to="/destinations" variant="default">
          Add a destination
        </Button>
      ),
    },
  ];
  if (rows.every((r) => r.done)) return null;
  const next = rows.findIndex((r) => !r.done);
  return (
    <Panel title="First steps" right={<Text c="dimmed" size="sm">{`${rows.filter((r) => r.done).length} of ${rows.length} done`}</Text>}>
      <ol className={classes.steps}>
        {rows.map((r, i) => (
          <li key={r.title} data-done={r.done} aria-current={i === next ? 'step' : undefined}>
            <span className={classes.mark} aria-hidden="true">
              {r.done ? <Icon name="check" size={15} /> : i + 1}
            </span>
            <div className={classes.stepText}>
              <Text fw={600}>
                {r.title}
                {r.done && <span className="ob-skip"> (done)</span>}
              </Text>
              {!r.done && (
                <Text size="sm" c="dimmed">
                  {r.about}
                </Text>
              )}
            </div>
            {i === next && r.action}
          </li>
        ))}
      </ol>
    </Panel>
  );
}
