import { Button, Group, Progress, Text } from '@mantine/core';
import { useEffect, useRef, useState } from 'react';

import { failed } from '../../parts/notify';
import { mostSelected, readAll, type Finding } from './data';
import classes from './findings.module.css';
import type { ApiFilter } from './state';

interface Props {
  selected: ReadonlyMap<string, Finding>;
  total: number | undefined;
  filter: ApiFilter;
  onSelected: (all: Finding[]) => void;
  onClear: () => void;
  onAcknowledge: () => void;
  onStatus: () => void;
}

/** BulkBar is there while findings are selected: how many, and what can be done with them. */
export function BulkBar({ selected, total, filter, onSelected, onClear, onAcknowledge, onStatus }: Props) {
  const [read, setRead] = useState<number>();
  const stop = useRef<AbortController>(undefined);
  useEffect(() => () => stop.current?.abort(), []);
  const n = selected.size;
  const all = Math.min(total ?? 0, mostSelected);
  const selectAll = async () => {
    const controller = new AbortController();
    stop.current = controller;
    setRead(0);
    try {
      onSelected(await readAll(filter, controller.signal, setRead));
    } catch (e) {
      if (!controller.signal.aborted) failed(e, 'Not all could be selected');
    } finally {
      setRead(undefined);
    }
  };
  return (
    <div className={classes.bulk} role="region" aria-label="Selection">
      <Text fw={600} className="ob-number" role="status">
        {n.toLocaleString('en')} selected
      </Text>
      {read !== undefined ? (
        <Group gap="xs" wrap="nowrap">
          <Progress value={all ? (read / all) * 100 : 0} w={120} aria-label="Reading what matches" />
          <Text size="sm" className="ob-number">
            {read.toLocaleString('en')} of {all.toLocaleString('en')}
          </Text>
          <Button size="compact-sm" variant="subtle" onClick={() => stop.current?.abort()}>
            Stop
          </Button>
        </Group>
      ) : (
        all > n && (
          <Button size="compact-sm" variant="subtle" onClick={() => void selectAll()}>
            {total! > mostSelected ? `Select the first ${mostSelected.toLocaleString('en')} of ${total!.toLocaleString('en')} that match` : `Select all ${all.toLocaleString('en')} that match`}
          </Button>
        )
      )}
      <Group gap="xs" ml="auto" wrap="nowrap">
        <Button size="compact-md" variant="default" onClick={onAcknowledge} rightSection={<kbd className={classes.key}>a</kbd>}>
          Acknowledge
        </Button>
        <Button size="compact-md" onClick={onStatus} rightSection={<kbd className={classes.key}>s</kbd>}>
          Change status
        </Button>
        <Button size="compact-md" variant="subtle" onClick={onClear}>
          Clear
        </Button>
      </Group>
    </div>
  );
}
