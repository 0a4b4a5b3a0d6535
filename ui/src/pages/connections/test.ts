import { useEffect, useRef, useState } from 'react';

import { api, ProblemError, problemOf, type Problem, type Schemas } from '../../api/client';
import { lines } from '../../api/ndjson';

export type Step = Schemas['Step'];
export type Result = Schemas['ConnectionTest'];
export type Body = Schemas['TestConnectionInputBody'];

/** What a test has shown so far. */
export interface Progress {
  steps: Step[];
  result?: Result;
  problem?: Problem;
}

/** testConnection tests a key and settings that are not saved, and tells of each step as it ends. Aborting ends the test on the server too. */
export async function testConnection(body: Body, signal: AbortSignal, tell: (p: Progress) => void): Promise<void> {
  const steps: Step[] = [];
  try {
    const { data, response } = await api.POST('/api/v1/connections/test', { body, params: { header: { Accept: 'application/x-ndjson' } }, signal, parseAs: 'stream' });
    if (!data) throw new Error('no body');
    // A proxy may have taken the header away; the whole answer comes at once then.
    if (response.headers.get('Content-Type')?.startsWith('application/json')) {
      const result = (await new Response(data).json()) as Result;
      tell({ steps: result.steps, result });
      return;
    }
    for await (const line of lines<Schemas['TestLine']>(data)) {
      if (line.step) steps.push(line.step);
      tell({ steps: [...steps], result: line.result, problem: line.problem });
      if (line.result || line.problem) return;
    }
    throw new Error('the answer ended early');
  } catch (e) {
    if (!signal.aborted) tell({ steps: [...steps], problem: problemOf(e instanceof ProblemError ? e : undefined) });
  }
}

/** useTest is one test at a time. What it showed holds for what was tested, so discard it when that changes; it ends with the page. */
export function useTest(onProblem: (p: Problem) => void) {
  const [progress, setProgress] = useState<Progress>();
  const [busy, setBusy] = useState(false);
  const control = useRef<AbortController>(undefined);
  useEffect(() => () => control.current?.abort(), []);
  const discard = () => {
    control.current?.abort();
    setBusy(false);
    setProgress(undefined);
  };
  const run = async (body: Body) => {
    control.current?.abort();
    const mine = new AbortController();
    control.current = mine;
    setBusy(true);
    setProgress({ steps: [] });
    await testConnection(body, mine.signal, (p) => {
      if (mine.signal.aborted) return;
      setProgress(p);
      if (p.problem) onProblem(p.problem);
    });
    if (!mine.signal.aborted) setBusy(false);
  };
  return { progress, busy, run, discard };
}
