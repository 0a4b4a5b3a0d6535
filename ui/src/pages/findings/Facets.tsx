import { Button, Checkbox, Popover, ScrollArea, Stack, Text, TextInput, UnstyledButton } from '@mantine/core';
import { useState } from 'react';

import type { Schemas } from '../../api/client';
import { severities, SeverityBadge, statuses, type Severity } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import type { FindingsSearch } from '../../search';
import classes from './findings.module.css';
import { facetFields, fieldNames, filterFields, isFiltered, rangeNames, toggled, valueName, withFilters, type FacetField, type Names } from './state';

const searchable = 9; // a longer list can be searched

interface Props {
  search: FindingsSearch;
  facets: Schemas['Facets'] | undefined;
  names: Names;
  onChange: (next: FindingsSearch) => void;
}

/** options are the values of a field to choose from: those with findings, and those that are chosen though no finding has them now. */
export function options(field: FacetField, search: FindingsSearch, facets: Schemas['Facets'] | undefined): Schemas['Count'][] {
  const counts = facets?.fields[field] ?? [];
  const chosen = search[field] ?? [];
  const missing = chosen.filter((v) => !counts.some((c) => c.value === v)).map((value) => ({ value, count: 0 }));
  const all = [...counts, ...missing];
  const order: readonly string[] | undefined = field === 'severity' ? severities : field === 'status' ? statuses : undefined;
  return order ? all.sort((a, b) => order.indexOf(a.value) - order.indexOf(b.value)) : all;
}

/** FacetBar offers every field as a button that opens its values with their counts. */
export function FacetBar(p: Props) {
  return (
    <div className={classes.facets} role="group" aria-label="Filters">
      {facetFields.map((field) => (
        <Facet key={field} field={field} {...p} />
      ))}
    </div>
  );
}

function Facet({ field, search, facets, names, onChange }: Props & { field: FacetField }) {
  const [opened, setOpened] = useState(false);
  const [text, setText] = useState('');
  const chosen = search[field] ?? [];
  const all = options(field, search, facets);
  const wanted = text.trim().toLowerCase();
  const shown = all.filter((o) => !wanted || `${valueName(field, o.value, names)} ${o.value}`.toLowerCase().includes(wanted));
  const name = fieldNames[field];
  return (
    <Popover opened={opened} onChange={setOpened} onClose={() => setText('')} position="bottom-start" width={300} shadow="md" trapFocus returnFocus withinPortal>
      <Popover.Target>
        <UnstyledButton className={classes.facet} data-on={chosen.length > 0} onClick={() => setOpened(!opened)} aria-haspopup="dialog">
          {name}
          {chosen.length > 0 && (
            <span className={classes.facetCount}>
              {chosen.length}
              <span className="ob-skip"> chosen</span>
            </span>
          )}
          <Icon name="down" size={13} />
        </UnstyledButton>
      </Popover.Target>
      <Popover.Dropdown aria-label={`Filter by ${name.toLowerCase()}`} p="xs">
        <Stack gap={6}>
          {all.length >= searchable && (
            <TextInput size="xs" aria-label={`Search ${name.toLowerCase()}`} placeholder="Search" leftSection={<Icon name="search" size={14} />} value={text} onChange={(e) => setText(e.currentTarget.value)} data-autofocus />
          )}
          <ScrollArea.Autosize mah={300} offsetScrollbars viewportProps={{ tabIndex: -1 }}>
            <Stack gap={0} component="ul" className={classes.optionList}>
              {shown.map((o) => (
                <li key={o.value} className={classes.option}>
                  <Checkbox
                    size="xs"
                    checked={chosen.includes(o.value)}
                    onChange={() => onChange(toggled(search, field, o.value))}
                    label={field === 'severity' ? <SeverityBadge severity={o.value as Severity} /> : valueName(field, o.value, names)}
                    aria-label={`${valueName(field, o.value, names)}, ${o.count.toLocaleString('en')}`}
                  />
                  <span className={classes.optionCount} aria-hidden="true">
                    {o.count.toLocaleString('en')}
                  </span>
                </li>
              ))}
            </Stack>
          </ScrollArea.Autosize>
          {shown.length === 0 && (
            <Text size="sm" c="dimmed" p={4}>
              {all.length === 0 ? 'No finding has a value here.' : 'No value of that name.'}
            </Text>
          )}
          {chosen.length > 0 && (
            <Button size="compact-xs" variant="subtle" onClick={() => onChange({ ...search, [field]: undefined, open: undefined })}>
              Clear {name.toLowerCase()}
            </Button>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  );
}

const local = (at: string) => new Date(at).toLocaleString('en-GB', { day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit' });

/** Chips are the filters in force, each with a button that takes it away. */
export function Chips({ search, names, onChange }: Omit<Props, 'facets'>) {
  if (!isFiltered(search)) return null;
  const closed = { open: undefined, tab: undefined };
  return (
    <ul className={classes.chips} aria-label="Filters in force">
      {search.q && <Chip name="Text" value={search.q} onRemove={() => onChange({ ...search, q: undefined, ...closed })} />}
      {filterFields.flatMap((field) =>
        (search[field] ?? []).map((v) => <Chip key={`${field} ${v}`} name={fieldNames[field]} value={valueName(field, v, names)} onRemove={() => onChange(toggled(search, field, v))} />),
      )}
      {search.range && <Chip name="First seen" value={rangeNames[search.range].toLowerCase()} onRemove={() => onChange({ ...search, range: undefined, ...closed })} />}
      {!search.range && (search.from || search.to) && (
        <Chip
          name="First seen"
          value={[search.from && `from ${local(search.from)}`, search.to && `to ${local(search.to)}`].filter(Boolean).join(' ')}
          onRemove={() => onChange({ ...search, from: undefined, to: undefined, ...closed })}
        />
      )}
      <li>
        <Button size="compact-xs" variant="subtle" onClick={() => onChange(withFilters(search, {}))}>
          Clear all
        </Button>
      </li>
    </ul>
  );
}

function Chip({ name, value, onRemove }: { name: string; value: string; onRemove: () => void }) {
  return (
    <li className={classes.chip}>
      <span className={classes.chipText} title={value}>
        <span className={classes.chipName}>{name}</span> {value}
      </span>
      <UnstyledButton className={classes.chipRemove} onClick={onRemove} aria-label={`Remove the filter ${name}: ${value}`}>
        <Icon name="close" size={13} />
      </UnstyledButton>
    </li>
  );
}
