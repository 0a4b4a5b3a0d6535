import { expect, test } from 'vitest';

import { lines } from './ndjson';

function stream(...pieces: (string | Uint8Array)[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(c) {
      for (const p of pieces) c.enqueue(typeof p === 'string' ? new TextEncoder().encode(p) : p);
      c.close();
    },
  });
}

async function all(s: ReadableStream<Uint8Array>) {
  const out: unknown[] = [];
  for await (const x of lines(s)) out.push(x);
  return out;
}

test('a line that comes in pieces, two in one piece, and one without an end', async () => {
  expect(await all(stream('{"a":', '1}\n{"b":2}\n\n', '{"c":3}'))).toEqual([{ a: 1 }, { b: 2 }, { c: 3 }]);
});

test('a character that is cut in two', async () => {
  const bytes = new TextEncoder().encode('{"a":"é"}\n');
  expect(await all(stream(bytes.slice(0, 7), bytes.slice(7)))).toEqual([{ a: 'é' }]);
});

test('a line that is no JSON is an error', async () => {
  await expect(all(stream('{"a":1}\n<html>'))).rejects.toThrow();
});
