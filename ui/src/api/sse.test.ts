import { act, renderHook } from '@testing-library/react';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { api, type Schemas } from './client';
import { useScan } from './sse';

type Scan = Schemas['Scan'];

class FakeSource {
  static OPEN = 1;
  static all: FakeSource[] = [];
  readyState = 0;
  onopen = () => {};
  onerror = () => {};
  private listeners = new Map<string, (e: { data: string }) => void>();
  constructor(readonly url: string) {
    FakeSource.all.push(this);
  }
  addEventListener(name: string, f: (e: { data: string }) => void) {
    this.listeners.set(name, f);
  }
  close() {
    this.readyState = 2;
  }
  connect() {
    this.readyState = 1;
    this.onopen();
  }
  fail() {
    this.readyState = 0;
    this.onerror();
  }
  send(name: string, scan: Partial<Scan>) {
    act(() => this.listeners.get(name)!({ data: JSON.stringify(scan) }));
  }
}

const open = () => FakeSource.all.filter((s) => s.readyState !== 2);
const get = vi.fn(async (_path: string, init: { params: { path: { id: string } } }) => ({ data: { id: init.params.path.id, state: 'running', items_read: 7 } }));
let hidden = false;

function hide(on: boolean) {
  hidden = on;
  act(() => void document.dispatchEvent(new Event('visibilitychange')));
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSource.all = [];
  hidden = false;
  get.mockClear();
  vi.stubGlobal('EventSource', FakeSource);
  vi.spyOn(document, 'hidden', 'get').mockImplementation(() => hidden);
  vi.spyOn(api, 'GET').mockImplementation(get as never);
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

test('a scan is followed to its end by events alone', async () => {
  const end = vi.fn();
  const { result } = renderHook(() => useScan('scn_a', end));
  expect(open().map((s) => s.url)).toEqual(['/api/v1/scans/scn_a/events']);
  open()[0]!.connect();
  open()[0]!.send('progress', { id: 'scn_a', state: 'running', items_read: 3 });
  expect(result.current?.items_read).toBe(3);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(get).not.toHaveBeenCalled();
  open()[0]!.send('end', { id: 'scn_a', state: 'succeeded', items_read: 5 });
  expect(result.current?.state).toBe('succeeded');
  expect(end).toHaveBeenCalledTimes(1);
  expect(open()).toEqual([]);
});

test('of several scans one has the stream, the others are asked for, and the next one takes its place', async () => {
  const a = renderHook(() => useScan('scn_a', () => {}));
  const again = renderHook(() => useScan('scn_a', () => {}));
  const b = renderHook(() => useScan('scn_b', () => {}));
  expect(open().map((s) => s.url)).toEqual(['/api/v1/scans/scn_a/events']);
  open()[0]!.connect();
  await act(() => vi.advanceTimersByTimeAsync(3000));
  expect(get.mock.calls.map((c) => c[1].params.path.id)).toEqual(['scn_b']);
  expect(b.result.current?.items_read).toBe(7);
  a.unmount();
  expect(open().map((s) => s.url)).toEqual(['/api/v1/scans/scn_a/events']);
  again.unmount();
  expect(open().map((s) => s.url)).toEqual(['/api/v1/scans/scn_b/events']);
  b.unmount();
  expect(open()).toEqual([]);
});

test('nothing is listened to or asked for while the tab is hidden', async () => {
  const { unmount } = renderHook(() => useScan('scn_a', () => {}));
  hide(true);
  expect(open()).toEqual([]);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(get).not.toHaveBeenCalled();
  hide(false);
  expect(open()).toHaveLength(1);
  unmount();
  hide(true);
  hide(false);
  expect(open()).toEqual([]);
});

test('where the stream breaks, the scan is asked for until it is back', async () => {
  const { result, unmount } = renderHook(() => useScan('scn_a', () => {}));
  open()[0]!.connect();
  open()[0]!.fail();
  await act(() => vi.advanceTimersByTimeAsync(3000));
  expect(result.current?.items_read).toBe(7);
  open()[0]!.connect();
  get.mockClear();
  await vi.advanceTimersByTimeAsync(9000);
  expect(get).not.toHaveBeenCalled();
  unmount();
});
