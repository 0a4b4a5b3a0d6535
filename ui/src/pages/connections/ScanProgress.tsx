import { Progress, Text } from '@mantine/core';
import { useReducedMotion } from '@mantine/hooks';
import { useQueryClient } from '@tanstack/react-query';

import type { Schemas } from '../../api/client';
import { useScan } from '../../api/sse';
import { words } from '../../parts/badges';
import { counted, lag, number, running, took } from './state';
import classes from './connections.module.css';

/** ScanProgress follows a scan that waits or runs. How much is still to come is not known while it lists, so it counts what it has read. */
export function ScanProgress({ scan: first }: { scan: Schemas['Scan'] }) {
  const queries = useQueryClient();
  const scan = useScan(first.id, () => void queries.invalidateQueries()) ?? first;
  const still = useReducedMotion();
  const busy = running(scan);
  const updated = scan.updated_at ? Date.parse(scan.updated_at) : 0;
  const seconds = took(scan, Math.max(updated, Date.now()));
  const rate = seconds !== null && seconds >= 2 ? scan.items_read / seconds : 0;
  return (
    <div className={classes.progress} data-testid="scan-progress" data-state={scan.state}>
      <div className={classes.progressHead}>
        <Text size="sm" fw={600}>
          {scan.state === 'queued' ? (scan.queue_place > 0 ? `Waiting to scan: ${counted(scan.queue_place, 'scan')} before it` : 'Waiting to scan') : busy ? (scan.cause === 'first' ? 'First scan, running now' : 'Scanning now') : words(scan.state)}
        </Text>
        <Text size="sm" className="ob-number" role="status">
          {counted(scan.items_read, 'item')} read
        </Text>
      </div>
      <Progress value={100} animated={busy && !still} striped={busy} size="sm" aria-label="Scan under way" />
      <Text size="xs" c="dimmed" className="ob-number" mt={6}>
        {number(scan.items_scanned)} scanned · {number(scan.items_skipped)} skipped · {counted(scan.findings_new, 'new finding')}
        {seconds !== null && ` · ${lag(seconds)} so far`}
        {rate >= 1 && ` · ${number(Math.round(rate))} items/s`}
      </Text>
    </div>
  );
}
