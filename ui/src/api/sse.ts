// Scans are followed by server-sent events. A browser opens six connections to a host at most, over all tabs: so a tab has one such stream, of the scan
// that was asked for first, and none while it is hidden. The others, and all where streams do not come through, are asked for every few seconds.
import { useEffect, useRef, useState } from 'react';

import { api, type Schemas } from './client';

type Scan = Schemas['Scan'];
type Listener = (s: Scan) => void;

const pollEvery = 3000;

const ended = (s: Scan) => s.state !== 'queued' && s.state !== 'running';

const followed = new Map<string, Set<Listener>>(); // in the order they were asked for
let stream: { id: string; source: EventSource } | undefined;
let poll: ReturnType<typeof setInterval> | undefined;

function tell(s: Scan) {
  const listeners = [...(followed.get(s.id) ?? [])];
  if (ended(s)) followed.delete(s.id);
  for (const f of listeners) f(s);
  if (ended(s)) arrange();
}

async function ask(id: string) {
  try {
    const { data } = await api.GET('/api/v1/scans/{id}', { params: { path: { id } } });
    if (data) tell(data);
  } catch {
    // The next look may be answered; what asks for the page shows why this one was not.
  }
}

function close() {
  stream?.source.close();
  stream = undefined;
}

/** arrange brings stream and poll in line with what is followed and whether anybody looks. */
function arrange() {
  const first = document.hidden ? undefined : followed.keys().next().value;
  if (stream?.id !== first) {
    close();
    if (first !== undefined) open(first);
  }
  const polled = () => (document.hidden ? [] : [...followed.keys()].filter((id) => id !== stream?.id || stream.source.readyState !== EventSource.OPEN));
  if (polled().length === 0) {
    clearInterval(poll);
    poll = undefined;
  } else {
    poll ??= setInterval(() => {
      for (const id of polled()) void ask(id);
    }, pollEvery);
  }
}

function open(id: string) {
  const source = new EventSource(`/api/v1/scans/${encodeURIComponent(id)}/events`);
  const on = (e: MessageEvent<string>) => tell(JSON.parse(e.data) as Scan);
  source.addEventListener('progress', on);
  source.addEventListener('end', on);
  source.onopen = arrange;
  source.onerror = arrange;
  stream = { id, source };
}

function follow(id: string, f: Listener): () => void {
  if (followed.size === 0) document.addEventListener('visibilitychange', arrange);
  const listeners = followed.get(id) ?? new Set();
  listeners.add(f);
  followed.set(id, listeners);
  arrange();
  return () => {
    listeners.delete(f);
    if (listeners.size === 0 && followed.get(id) === listeners) followed.delete(id);
    arrange();
    if (followed.size === 0) document.removeEventListener('visibilitychange', arrange);
  };
}

/** useScan follows a scan until it ends, and then calls onEnd once. It returns undefined until something was heard of it. */
export function useScan(id: string | undefined, onEnd: Listener): Scan | undefined {
  const [scan, setScan] = useState<Scan>();
  const end = useRef(onEnd);
  useEffect(() => {
    end.current = onEnd;
  });
  useEffect(() => {
    if (!id) return undefined;
    return follow(id, (s) => {
      setScan(s);
      if (ended(s)) end.current(s);
    });
  }, [id]);
  return scan?.id === id ? scan : undefined;
}
