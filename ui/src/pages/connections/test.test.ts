import { afterEach, expect, test, vi } from 'vitest';

import { testConnection, type Progress } from './test';

const step = { name: 'dns', title: 'Host name', state: 'ok', ms: 3, code: '', message: '' };
const result = { ok: true, streams: ['chats'], missing_scopes: [], steps: [step] };
const body = { connector: 'claude', secrets: { api_key: 'made-up' } };
// The client takes fetch when it is loaded.
const answer = vi.hoisted(() => {
  const fake = vi.fn<(r: Request) => Promise<Response>>();
  vi.stubGlobal('fetch', fake);
  return fake;
});
afterEach(() => void answer.mockReset());

async function run(signal = new AbortController().signal): Promise<Progress[]> {
  const out: Progress[] = [];
  await testConnection(body, signal, (p) => out.push(p));
  return out;
}

const streamed = (...lines: unknown[]) => new Response(lines.map((l) => JSON.stringify(l) + '\n').join(''), { headers: { 'Content-Type': 'application/x-ndjson' } });

test('steps come as they end, then the result', async () => {
  answer.mockResolvedValue(streamed({ step }, { step: { ...step, name: 'connect' } }, { result }));
  const seen = await run();
  expect(seen.map((p) => p.steps.map((s) => s.name))).toEqual([['dns'], ['dns', 'connect'], ['dns', 'connect']]);
  expect(seen.at(-1)?.result).toEqual(result);
});

test('an answer in one piece is taken too', async () => {
  answer.mockResolvedValue(Response.json(result));
  expect(await run()).toEqual([{ steps: [step], result }]);
});

test('what the server refuses or breaks off is a problem, and keeps the steps so far', async () => {
  const problem = { type: 'about:blank', title: 'Unprocessable', status: 422, code: 'OB-4002', detail: 'Wrong.', request_id: 'req_a', errors: [{ location: 'body.config.base_url', message: 'No.' }] };
  answer.mockResolvedValueOnce(Response.json(problem, { status: 422 }));
  expect((await run())[0]?.problem).toEqual(problem);
  answer.mockResolvedValueOnce(streamed({ step }, { problem }));
  expect((await run()).at(-1)).toMatchObject({ steps: [step], problem });
  answer.mockResolvedValueOnce(streamed({ step }));
  expect((await run()).at(-1)).toMatchObject({ steps: [step], problem: { code: 'OB-0000' } });
});

test('a test that was cancelled says nothing more', async () => {
  const control = new AbortController();
  answer.mockImplementation(async () => {
    control.abort();
    throw new DOMException('aborted', 'AbortError');
  });
  expect(await run(control.signal)).toEqual([]);
});
