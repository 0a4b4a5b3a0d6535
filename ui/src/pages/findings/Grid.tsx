import { Checkbox, Text, UnstyledButton } from '@mantine/core';
import { useElementSize, useMergedRef } from '@mantine/hooks';
import { columnVisibilityFeature, createColumnHelper, tableFeatures, useTable } from '@tanstack/react-table';
import { defaultRangeExtractor, useWindowVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useImperativeHandle, useLayoutEffect, useMemo, useRef, useState, type CSSProperties, type KeyboardEvent, type MouseEvent, type Ref } from 'react';

import { SeverityBadge, StatusBadge, words } from '../../parts/badges';
import { Icon } from '../../parts/icons';
import { When } from '../../parts/when';
import { columns as known, fit, template } from './columns';
import type { Finding } from './data';
import classes from './grid.module.css';
import type { Names, Sort } from './state';
import { personOf, resourceWords } from './wording';

const features = tableFeatures({ columnVisibilityFeature });
const helper = createColumnHelper<typeof features, Finding>();
const defs = helper.columns(known.map((c) => helper.display({ id: c.id, header: c.name })));

export type Density = 'roomy' | 'dense';
const rowHeight: Record<Density, number> = { roomy: 54, dense: 36 }; // px
const headHeight = 38; // px

export interface GridHandle {
  /** Scrolls a row into view and, if asked, gives it the focus. */
  show: (id: string, focus: boolean) => void;
}

interface Props {
  ref?: Ref<GridHandle>;
  findings: Finding[];
  total: number | undefined;
  names: Names;
  wanted: string[];
  density: Density;
  sort: Sort;
  onSort: (key: string) => void;
  active: string | undefined; // the row that keys act on
  current: string | undefined; // the finding in the drawer
  onOpen: (id: string) => void;
  onActive: (id: string) => void;
  selectable: boolean;
  selected: ReadonlyMap<string, Finding>;
  onSelect: (id: string, range: boolean) => void;
  onSelectLoaded: (on: boolean) => void;
  more: boolean;
  onMore: () => void;
  onFit: (shown: string[]) => void;
  stale: boolean;
}

/** Grid is the list of findings: a grid whose rows take the focus, of which only those in sight are in the page. */
export function Grid(p: Props) {
  const { findings, density, selectable } = p;
  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>();
  const own = useRef<HTMLDivElement>(null);
  const host = useMergedRef(sizeRef, own);
  const shown = useMemo(() => (width > 0 ? fit(p.wanted, width, selectable) : p.wanted), [p.wanted, width, selectable]);
  const { onFit } = p;
  useEffect(() => onFit(shown), [onFit, shown]);

  const state = useMemo(() => ({ columnVisibility: Object.fromEntries(known.map((c) => [c.id, shown.includes(c.id)])) }), [shown]);
  const table = useTable({
    features,
    columns: defs,
    data: findings,
    getRowId: (f) => f.id,
    state,
  });
  const rows = table.getRowModel().rows;
  const index = useMemo(() => new Map(findings.map((f, i) => [f.id, i])), [findings]);
  const activeIndex = p.active === undefined ? undefined : index.get(p.active);
  const top = useTop(own);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => rowHeight[density],
    overscan: 10,
    scrollMargin: top + headHeight,
    scrollPaddingStart: headHeight + 4,
    scrollPaddingEnd: 72, // the bar of a selection
    getItemKey: (i) => rows[i]!.id,
    // The row that has the focus stays in the page, so that the focus is not lost by scrolling.
    rangeExtractor: (range) => {
      const out = defaultRangeExtractor(range);
      return activeIndex === undefined || out.includes(activeIndex) ? out : [...out, activeIndex].sort((a, b) => a - b);
    },
  });
  useEffect(() => virtual.measure(), [virtual, density]);
  const items = virtual.getVirtualItems();
  const last = items.at(-1)?.index ?? 0;
  const { more, onMore } = p;
  useEffect(() => {
    if (more && last >= rows.length - 25) onMore();
  }, [more, onMore, last, rows.length]);

  useImperativeHandle(p.ref, () => ({
    show: (id, focus) => {
      const i = index.get(id);
      if (i === undefined) return;
      virtual.scrollToIndex(i, { align: 'auto' });
      if (focus) focusRow(own.current, id);
    },
  }));

  const loaded = findings.length > 0 && findings.every((f) => p.selected.has(f.id));
  const firstShown = items.find((i) => i.start - virtual.options.scrollMargin >= 0)?.index ?? 0;
  const stop = activeIndex ?? firstShown;
  return (
    <>
      <div
        ref={host}
        role="grid"
        aria-label="Findings"
        aria-rowcount={p.total === undefined ? -1 : p.total + 1}
        aria-colcount={shown.length + (selectable ? 1 : 0)}
        aria-multiselectable={selectable || undefined}
        aria-busy={p.stale}
        className={classes.grid}
        data-density={density}
        style={{ '--cols': template(shown, selectable), '--row': `${rowHeight[density]}px` } as CSSProperties}
      >
        <div role="rowgroup" className={classes.head}>
          <div role="row" aria-rowindex={1} className={classes.row}>
            {selectable && (
              <div role="columnheader" className={classes.box}>
                <Checkbox size="xs" checked={loaded} indeterminate={!loaded && p.selected.size > 0} onChange={(e) => p.onSelectLoaded(e.currentTarget.checked)} aria-label="Select all that are loaded" />
              </div>
            )}
            {table.getHeaderGroups()[0]!.headers.map((h) => {
              const c = known.find((k) => k.id === h.column.id)!;
              const sorted = c.sort !== undefined && p.sort.key === c.sort;
              return (
                <div key={h.id} role="columnheader" className={classes.cell} data-end={c.end} aria-sort={sorted ? (p.sort.down ? 'descending' : 'ascending') : undefined}>
                  {c.sort ? (
                    <UnstyledButton className={classes.sort} onClick={() => p.onSort(c.sort!)} data-sorted={sorted}>
                      {c.name}
                      <span className={classes.arrow}>{sorted && <Icon name={p.sort.down ? 'fall' : 'up'} size={13} />}</span>
                    </UnstyledButton>
                  ) : (
                    c.name
                  )}
                </div>
              );
            })}
          </div>
        </div>
        <div role="rowgroup" className={classes.body} style={{ height: virtual.getTotalSize() }} data-stale={p.stale}>
          {items.map((item) => {
            const row = rows[item.index]!;
            const f = row.original;
            const selected = p.selected.has(f.id);
            return (
              <div
                key={row.id}
                role="row"
                aria-rowindex={item.index + 2}
                aria-selected={selectable ? selected : undefined}
                aria-current={p.current === f.id || undefined}
                data-finding={f.id}
                data-active={p.active === f.id}
                tabIndex={item.index === stop ? 0 : -1}
                className={classes.row}
                style={{ transform: `translateY(${item.start - virtual.options.scrollMargin}px)` }}
                onClick={(e) => rowClick(e, f.id, p)}
                onFocus={() => p.onActive(f.id)}
                onKeyDown={(e) => rowKey(e, f.id, p)}
              >
                {selectable && (
                  <div role="gridcell" className={classes.box}>
                    <Checkbox
                      size="xs"
                      checked={selected}
                      readOnly
                      tabIndex={item.index === stop ? 0 : -1}
                      aria-label={`Select ${f.title}, ${resourceWords(f.resource)}`}
                      onClick={(e) => {
                        e.stopPropagation();
                        p.onSelect(f.id, e.shiftKey);
                      }}
                    />
                  </div>
                )}
                {row.getVisibleCells().map((cell) => (
                  <div key={cell.id} role="gridcell" className={classes.cell} data-end={known.find((k) => k.id === cell.column.id)?.end}>
                    <Cell id={cell.column.id} finding={f} names={p.names} statusShown={shown.includes('status')} focusable={item.index === stop} />
                  </div>
                ))}
              </div>
            );
          })}
        </div>
      </div>
      {more && (
        <Text size="sm" c="dimmed" className={classes.more}>
          More follow as you scroll.
        </Text>
      )}
    </>
  );
}

function Cell({ id, finding: f, names, statusShown, focusable }: { id: string; finding: Finding; names: Names; statusShown: boolean; focusable: boolean }) {
  switch (id) {
    case 'severity':
      return <SeverityBadge severity={f.severity} />;
    case 'title':
      return (
        <div className={classes.title}>
          <a href={`/findings/${encodeURIComponent(f.id)}`} tabIndex={focusable ? 0 : -1} title={names.policy.get(f.policy_id) ?? f.policy_id}>
            {f.title}
          </a>
          <Text span size="xs" c="dimmed" className={classes.under} title={resourceWords(f.resource)}>
            {!statusShown && f.status !== 'open' && `${words(f.status)} · `}
            {f.source === 'deleted' && 'Deleted · '}
            {resourceWords(f.resource)}
          </Text>
        </div>
      );
    case 'connection':
      return <Short text={names.connection.get(f.connection_id) ?? 'Removed'} />;
    case 'person':
      return <Short text={personOf(f)} />;
    case 'status':
      return <StatusBadge status={f.status} />;
    case 'instances':
      return <span className="ob-number">{f.instance_count.toLocaleString('en')}</span>;
    case 'first_seen':
      return <When at={f.first_seen_at} />;
    case 'last_seen':
      return <When at={f.last_seen_at} />;
    default:
      return null;
  }
}

function Short({ text }: { text: string }) {
  return (
    <span className={classes.short} title={text}>
      {text || '–'}
    </span>
  );
}

function rowClick(e: MouseEvent, id: string, p: Props) {
  const link = e.target instanceof Element && e.target.closest('a');
  // A new tab or window is the browser's business.
  if (link && (e.ctrlKey || e.metaKey || e.button !== 0)) return;
  e.preventDefault();
  if (p.selectable && (e.shiftKey || e.ctrlKey || e.metaKey)) {
    window.getSelection()?.removeAllRanges();
    p.onSelect(id, e.shiftKey);
    return;
  }
  // Text that is being copied must not open anything.
  if (!link && window.getSelection()?.type === 'Range') return;
  p.onOpen(id);
}

function rowKey(e: KeyboardEvent, id: string, p: Props) {
  if (e.target !== e.currentTarget) return;
  if (e.key === ' ' && p.selectable) {
    e.preventDefault();
    p.onSelect(id, e.shiftKey);
  }
}

/** focusRow gives a row the focus as soon as it is in the page. */
function focusRow(grid: HTMLElement | null, id: string, tries = 12) {
  const row = grid?.querySelector<HTMLElement>(`[data-finding="${CSS.escape(id)}"]`);
  if (row) row.focus({ preventScroll: true });
  else if (tries > 0) requestAnimationFrame(() => focusRow(grid, id, tries - 1));
}

/** useTop is how far below the top of the document an element begins. What is above it may grow at any time. */
function useTop(ref: { current: HTMLElement | null }): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      if (ref.current) setTop(Math.round(ref.current.getBoundingClientRect().top + window.scrollY));
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(document.body);
    return () => watch.disconnect();
  }, [ref]);
  return top;
}
