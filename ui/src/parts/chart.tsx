import { Button, Skeleton, Table, useComputedColorScheme } from '@mantine/core';
import { useReducedMotion } from '@mantine/hooks';
import { useEffect, useRef, useState, type PointerEvent, type ReactNode } from 'react';

import classes from './chart.module.css';
import { Icon } from './icons';

/** Bar is one place on the axis. values are in the order of the stacks. */
export interface Bar {
  short: string; // under the axis
  long: string; // in the tooltip and the table
  values: number[];
}

/** Stack is one part of every bar. colour is a token of theme.ts. */
export interface Stack {
  name: string;
  colour: `--ob-chart-${string}`;
}

type Engine = typeof import('./chart-engine');
type Drawing = ReturnType<Engine['init']>;

/** preloadCharts begins to load ECharts, so that it is there when the numbers are. */
export function preloadCharts() {
  // If it cannot be loaded, the chart itself finds out and shows the table.
  import('./chart-engine').catch(() => {});
}

/** sums adds each stack up over all bars. */
export function sums(bars: Bar[], stacks: Stack[]): number[] {
  return stacks.map((_, i) => bars.reduce((n, b) => n + (b.values[i] ?? 0), 0));
}

/** describe tells the chart in a sentence for those who do not see it. */
export function describe(label: string, bars: Bar[], stacks: Stack[]): string {
  const total = (b: Bar) => b.values.reduce((n, v) => n + v, 0);
  const most = bars.reduce<Bar | undefined>((m, b) => (!m || total(b) > total(m) ? b : m), undefined);
  const all = sums(bars, stacks);
  const sum = all.reduce((n, v) => n + v, 0);
  if (!most || sum === 0) return `${label}: none.`;
  const parts = stacks.flatMap((s, i) => (all[i] ? [`${all[i].toLocaleString('en')} ${s.name.toLowerCase()}`] : []));
  return `${label}: ${sum.toLocaleString('en')} in all, of which ${parts.join(', ')}. Most: ${total(most).toLocaleString('en')}, ${most.long}. The same numbers are in the table.`;
}

interface Props {
  label: string;
  bars: Bar[];
  stacks: Stack[];
  height?: number;
  busy?: boolean;
  /** Called with the first and the last bar that were dragged over, or with one that was clicked, twice. */
  onRange?: (first: number, last: number) => void;
  left?: ReactNode;
}

/** StackedBars draws bars over time with a legend in words, and shows the same as a table when asked. ECharts is loaded when the first one appears. */
export function StackedBars({ label, bars, stacks, height = 120, busy, onRange, left }: Props) {
  const [table, setTable] = useState(false);
  const totals = sums(bars, stacks);
  return (
    <div className={classes.whole}>
      <div className={classes.head}>
        {left}
        <ul className={classes.legend} aria-label={`Legend of ${label.toLowerCase()}`}>
          {stacks.map(
            (s, i) =>
              totals[i] !== 0 && (
                <li key={s.name}>
                  <span className={classes.swatch} style={{ background: `var(${s.colour})` }} aria-hidden="true" />
                  {s.name} <strong>{totals[i]!.toLocaleString('en')}</strong>
                </li>
              ),
          )}
        </ul>
        <Button className={classes.toggle} size="compact-xs" variant="subtle" leftSection={<Icon name={table ? 'bars' : 'rows'} size={14} />} aria-pressed={table} aria-label="Show as table" onClick={() => setTable(!table)}>
          <span className={classes.toggleText}>Show as table</span>
        </Button>
      </div>
      {busy ? <Skeleton height={height} mt={4} /> : table ? <Numbers label={label} bars={bars} stacks={stacks} height={height} onRange={onRange} /> : <Bars label={label} bars={bars} stacks={stacks} height={height} onRange={onRange} />}
    </div>
  );
}

function Bars({ label, bars, stacks, height, onRange }: Required<Pick<Props, 'label' | 'bars' | 'stacks' | 'height'>> & Pick<Props, 'onRange'>) {
  const host = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing>(undefined);
  const [engine, setEngine] = useState<Engine>();
  const [broken, setBroken] = useState(false);
  const [mark, setMark] = useState<[number, number]>();
  const scheme = useComputedColorScheme();
  const still = useReducedMotion();

  useEffect(() => {
    let gone = false;
    import('./chart-engine').then(
      (m) => !gone && setEngine(m),
      () => !gone && setBroken(true),
    );
    return () => {
      gone = true;
    };
  }, []);

  useEffect(() => {
    if (!engine || !host.current) return undefined;
    const chart = engine.init(host.current, undefined, { renderer: 'svg' });
    drawing.current = chart;
    const resize = new ResizeObserver(() => chart.resize());
    resize.observe(host.current);
    return () => {
      resize.disconnect();
      chart.dispose();
      drawing.current = undefined;
    };
  }, [engine]);

  // Colours are tokens of the page, which have other values in the other scheme.
  useEffect(() => {
    if (!drawing.current || !host.current) return;
    const style = getComputedStyle(host.current);
    const token = (name: string) => style.getPropertyValue(name).trim();
    const quiet = token('--mantine-color-dimmed');
    const text = { color: quiet, fontFamily: style.fontFamily, fontSize: 11 };
    drawing.current.setOption(
      {
        animation: !still,
        animationDuration: 200,
        animationDurationUpdate: 200,
        grid: { left: 36, right: 4, top: 8, bottom: 22 },
        xAxis: { type: 'category', data: bars.map((b) => b.short), axisTick: { show: false }, axisLine: { lineStyle: { color: token('--ob-border') } }, axisLabel: { ...text, hideOverlap: true } },
        yAxis: { type: 'value', minInterval: 1, splitNumber: 2, axisLabel: text, splitLine: { lineStyle: { color: token('--ob-border') } } },
        tooltip: {
          trigger: 'axis',
          renderMode: 'richText', // The other mode writes HTML with inline styles, which the content security policy refuses.
          confine: true,
          axisPointer: { type: 'shadow' },
          backgroundColor: token('--ob-surface'),
          borderColor: token('--ob-border'),
          textStyle: { ...text, fontSize: 12, color: token('--mantine-color-text') },
          formatter: (shown: unknown) => {
            const bar = bars[(Array.isArray(shown) ? (shown[0] as { dataIndex: number }) : (shown as { dataIndex: number })).dataIndex];
            if (!bar) return '';
            const lines = stacks.flatMap((s, i) => (bar.values[i] ? [`${s.name}: ${bar.values[i].toLocaleString('en')}`] : []));
            return [bar.long, ...(lines.length ? lines : ['None'])].join('\n');
          },
        },
        series: stacks.map((s, i) => ({ type: 'bar', stack: 'all', name: s.name, barMaxWidth: 26, barCategoryGap: '25%', itemStyle: { color: token(s.colour) }, data: bars.map((b) => b.values[i] ?? 0), emphasis: { disabled: true } })),
      },
      { notMerge: true },
    );
  }, [engine, bars, stacks, scheme, still]);

  const start = useRef<number>(undefined);
  const x = (e: PointerEvent) => e.clientX - (host.current?.getBoundingClientRect().left ?? 0);
  const barAt = (px: number) => {
    const i = drawing.current?.convertFromPixel({ xAxisIndex: 0 }, px);
    return Math.min(Math.max(Math.round(typeof i === 'number' ? i : 0), 0), bars.length - 1);
  };
  const drag = onRange && {
    onPointerDown: (e: PointerEvent) => {
      if (e.button === 0 && drawing.current && bars.length > 0) start.current = x(e);
    },
    onPointerMove: (e: PointerEvent) => {
      if (start.current === undefined) return;
      // Captured only once it is a drag, so that the drawing below still hears a mere move.
      if (Math.abs(x(e) - start.current) > 3 && !e.currentTarget.hasPointerCapture(e.pointerId)) e.currentTarget.setPointerCapture(e.pointerId);
      setMark([Math.min(start.current, x(e)), Math.max(start.current, x(e))]);
    },
    onPointerUp: (e: PointerEvent) => {
      if (start.current === undefined) return;
      const [a, b] = [barAt(start.current), barAt(x(e))];
      start.current = undefined;
      setMark(undefined);
      onRange(Math.min(a, b), Math.max(a, b));
    },
    onPointerCancel: () => {
      start.current = undefined;
      setMark(undefined);
    },
  };
  if (broken) return <Numbers label={label} bars={bars} stacks={stacks} height={height} onRange={onRange} />;
  return (
    <div className={classes.frame} style={{ height }} data-zoom={onRange !== undefined} role="img" aria-label={describe(label, bars, stacks)} {...drag}>
      <div ref={host} className={classes.drawing} aria-hidden="true" />
      {!engine && <Skeleton height={height} />}
      {mark && <div className={classes.marked} style={{ left: mark[0], width: mark[1] - mark[0] }} />}
    </div>
  );
}

function Numbers({ label, bars, stacks, height, onRange }: Required<Pick<Props, 'label' | 'bars' | 'stacks' | 'height'>> & Pick<Props, 'onRange'>) {
  const filled = bars.map((b, i) => ({ ...b, i })).filter((b) => b.values.some((v) => v > 0));
  return (
    <div className={classes.table} style={{ maxHeight: Math.max(height, 180) }} tabIndex={0} role="region" aria-label={label}>
      <Table verticalSpacing={4} stickyHeader>
        <Table.Thead>
          <Table.Tr>
            <Table.Th>Time</Table.Th>
            {stacks.map((s) => (
              <Table.Th key={s.name} ta="right">
                {s.name}
              </Table.Th>
            ))}
            <Table.Th ta="right">All</Table.Th>
          </Table.Tr>
        </Table.Thead>
        <Table.Tbody>
          {filled.map((b) => (
            <Table.Tr key={b.i}>
              <Table.Td>
                {onRange ? (
                  <Button size="compact-xs" variant="subtle" onClick={() => onRange(b.i, b.i)} title="Show only these">
                    {b.long}
                  </Button>
                ) : (
                  b.long
                )}
              </Table.Td>
              {stacks.map((s, i) => (
                <Table.Td key={s.name} ta="right" className="ob-number">
                  {(b.values[i] ?? 0).toLocaleString('en')}
                </Table.Td>
              ))}
              <Table.Td ta="right" className="ob-number">
                {b.values.reduce((n, v) => n + v, 0).toLocaleString('en')}
              </Table.Td>
            </Table.Tr>
          ))}
          {filled.length === 0 && (
            <Table.Tr>
              <Table.Td colSpan={stacks.length + 2}>None in this time.</Table.Td>
            </Table.Tr>
          )}
        </Table.Tbody>
      </Table>
    </div>
  );
}
