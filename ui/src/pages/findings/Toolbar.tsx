import { ActionIcon, Button, Group, Menu, Popover, Stack, Text, TextInput, Tooltip, UnstyledButton } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { useEffect, useState, type FormEvent, type Ref } from 'react';

import { Icon } from '../../parts/icons';
import { done, failed } from '../../parts/notify';
import type { FindingsSearch } from '../../search';
import { useCan } from '../../session';
import { choosable, withColumn } from './columns';
import classes from './findings.module.css';
import type { Density } from './Grid';
import { apiPath, asCurl, rangeNames, ranges, viewOf, views, withFilters, type Range } from './state';

interface Change {
  search: FindingsSearch;
  onChange: (next: FindingsSearch, replace?: boolean) => void;
}

/** Views are the searches that everybody needs, as buttons. */
export function Views({ search, onChange }: Change) {
  const now = viewOf(search);
  return (
    <div className={classes.views} role="group" aria-label="Views">
      {views.map((v) => (
        <UnstyledButton key={v.id} className={classes.view} aria-pressed={now?.id === v.id} onClick={() => onChange(withFilters(search, v.filters))}>
          {v.name}
        </UnstyledButton>
      ))}
    </div>
  );
}

/** SearchBox puts free text into the address a moment after the last key, without a step in the history for each. */
export function SearchBox({ search, onChange, inputRef }: Change & { inputRef: Ref<HTMLInputElement> }) {
  const [text, setText] = useState(search.q ?? '');
  const put = useDebouncedCallback((q: string) => onChange({ ...search, q: q.trim() || undefined, open: undefined, tab: undefined }, true), 300);
  // The address may change by itself: a chip is removed, a view chosen, the browser goes back.
  useEffect(() => setText((t) => (t.trim() === (search.q ?? '') ? t : (search.q ?? ''))), [search.q]);
  const type = (q: string) => {
    setText(q);
    put(q);
  };
  return (
    <TextInput
      ref={inputRef}
      className={classes.search}
      type="search"
      aria-label="Search findings"
      placeholder="Search titles, resources, people, detectors"
      maxLength={4096}
      leftSection={<Icon name="search" size={16} />}
      rightSection={
        text ? (
          <ActionIcon size="sm" aria-label="Clear the search" onClick={() => type('')}>
            <Icon name="close" size={14} />
          </ActionIcon>
        ) : (
          <kbd className={classes.key}>/</kbd>
        )
      }
      value={text}
      onChange={(e) => type(e.currentTarget.value)}
    />
  );
}

// The text that a field for local time takes.
const field = (iso: string | undefined) => {
  if (!iso) return '';
  const d = new Date(iso);
  if (Number.isNaN(d.getTime())) return '';
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
};
const stamp = (text: string) => (text ? new Date(text).toISOString() : undefined);

/** TimeRange chooses when findings were first seen: the last days, or from one moment to another. */
export function TimeRange({ search, onChange }: Change) {
  const [opened, setOpened] = useState(false);
  const [from, setFrom] = useState('');
  const [to, setTo] = useState('');
  const wrong = from && to && from >= to ? 'The end is not after the beginning.' : undefined;
  const label = search.range ? rangeNames[search.range] : search.from || search.to ? 'Chosen time' : 'All time';
  const toggle = () => {
    setFrom(field(search.from));
    setTo(field(search.to));
    setOpened(!opened);
  };
  const choose = (next: Pick<FindingsSearch, 'range' | 'from' | 'to'>) => {
    setOpened(false);
    onChange({ ...search, range: undefined, from: undefined, to: undefined, ...next, open: undefined, tab: undefined });
  };
  const submit = (e: FormEvent) => {
    e.preventDefault();
    if (!wrong) choose({ from: stamp(from), to: stamp(to) });
  };
  return (
    <Popover opened={opened} onChange={setOpened} position="bottom-end" width={290} shadow="md" trapFocus returnFocus>
      <Popover.Target>
        <Button variant="default" leftSection={<Icon name="clock" size={16} />} rightSection={<Icon name="down" size={14} />} onClick={toggle} aria-haspopup="dialog" aria-label={`First seen: ${label}`}>
          {label}
        </Button>
      </Popover.Target>
      <Popover.Dropdown aria-label="When it was first seen">
        <Stack gap={4}>
          <Button variant={label === 'All time' ? 'light' : 'subtle'} justify="flex-start" size="compact-sm" onClick={() => choose({})}>
            All time
          </Button>
          {(Object.keys(ranges) as Range[]).map((r) => (
            <Button key={r} variant={search.range === r ? 'light' : 'subtle'} justify="flex-start" size="compact-sm" onClick={() => choose({ range: r })}>
              {rangeNames[r]}
            </Button>
          ))}
          <form onSubmit={submit}>
            <Stack gap="xs" mt="xs">
              <TextInput type="datetime-local" size="xs" label="From" value={from} onChange={(e) => setFrom(e.currentTarget.value)} />
              <TextInput type="datetime-local" size="xs" label="To" value={to} onChange={(e) => setTo(e.currentTarget.value)} error={wrong} />
              <Group justify="space-between">
                <Text size="xs" c="dimmed">
                  Your local time
                </Text>
                <Button size="compact-sm" type="submit">
                  Apply
                </Button>
              </Group>
            </Stack>
          </form>
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

/** ListOptions are columns and density. */
export function ListOptions({ search, onChange, density, onDensity, wanted, shown, oneConnection }: Change & { density: Density; onDensity: (d: Density) => void; wanted: string[]; shown: string[]; oneConnection: boolean }) {
  return (
    <Group gap={4} wrap="nowrap">
      <Tooltip label={density === 'dense' ? 'More room between rows' : 'More rows'}>
        <ActionIcon variant="default" size={34} aria-label="Dense rows" aria-pressed={density === 'dense'} onClick={() => onDensity(density === 'dense' ? 'roomy' : 'dense')}>
          <Icon name={density === 'dense' ? 'dense' : 'roomy'} size={17} />
        </ActionIcon>
      </Tooltip>
      <Menu closeOnItemClick={false} position="bottom-end" width={250}>
        <Menu.Target>
          <Tooltip label="Columns">
            <ActionIcon variant="default" size={34} aria-label="Columns">
              <Icon name="columns" size={17} />
            </ActionIcon>
          </Tooltip>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Label>Columns</Menu.Label>
          {choosable.map((c) => {
            const on = wanted.includes(c.id);
            return (
              <Menu.CheckboxItem key={c.id} checked={on} onChange={() => onChange(withColumn(search, c.id, !on, oneConnection), true)}>
                {c.name}
                {on && !shown.includes(c.id) && (
                  <Text span size="xs" c="dimmed">
                    {' '}
                    (no room now)
                  </Text>
                )}
              </Menu.CheckboxItem>
            );
          })}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}

/** Share exports the present filter and copies it in several forms. */
export function Share({ search, now }: { search: FindingsSearch; now: number }) {
  const can = useCan();
  const copy = (text: string, what: string) => {
    navigator.clipboard.writeText(text).then(
      () => done(`${what} copied.`),
      () => failed(undefined, 'The browser does not let this page copy'),
    );
  };
  return (
    <Menu position="bottom-end" width={270}>
      <Menu.Target>
        <Button variant="default" leftSection={<Icon name={can('evidence') ? 'download' : 'copy'} size={16} />} rightSection={<Icon name="down" size={14} />}>
          {can('evidence') ? 'Export' : 'Copy'}
        </Button>
      </Menu.Target>
      <Menu.Dropdown>
        {can('evidence') && (
          <>
            <Menu.Label>What the filter shows</Menu.Label>
            <Menu.Item component="a" href={apiPath('/export', search, now, { format: 'csv' })} download leftSection={<Icon name="download" size={16} />}>
              CSV, without instances
            </Menu.Item>
            <Menu.Item component="a" href={apiPath('/export', search, now, { format: 'ndjson' })} download leftSection={<Icon name="download" size={16} />}>
              NDJSON, with masked instances
            </Menu.Item>
            <Menu.Divider />
          </>
        )}
        <Menu.Item leftSection={<Icon name="link" size={16} />} onClick={() => copy(window.location.href, 'Link')}>
          Copy link to this view
        </Menu.Item>
        <Menu.Item leftSection={<Icon name="terminal" size={16} />} onClick={() => copy(asCurl(window.location.origin, search, now), 'Command')}>
          Copy as curl
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
