// Each kind of broken key or address in the wizard: one code, one sentence that says what to do, and what was typed stays.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { accessible, browse, serve, setUpInPage, simulator } from './browser.mjs';

const good = 'sk-ant-api01-DEMO-all-read-scopes-NOT-A-REAL-KEY';

async function page500(t) {
  const server = createServer((_, res) => res.writeHead(500, { 'Content-Type': 'application/json' }).end('{}'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

async function webPage(t) {
  const server = createServer((_, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Welcome</h1>'));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return `http://127.0.0.1:${server.address().port}`;
}

test('every broken key says what to do', async (t) => {
  const sim = await simulator(t, ['--seed', '2']);
  const off = await simulator(t, ['--seed', '2', '--compliance-off']);
  const { url, setUp } = await serve(t);
  const { page, clean } = await browse(t, { url });
  await setUpInPage(page, setUp);
  await page.goto(`${url}/connections/new`);
  await page.getByRole('button', { name: /Claude/ }).click();
  const fields = { key: page.getByLabel('Compliance Access Key'), address: page.getByLabel('Base URL') };
  await page.getByRole('button', { name: /settings/i }).first().click();

  for (const [name, address, key, code] of [
    ['a wrong key', sim.url, 'sk-ant-api01-EXAMPLE-of-a-wrong-key-NOT-REAL', 'OB-2003'],
    ['a deactivated key', sim.url, 'sk-ant-api01-DEMO-disabled-NOT-A-REAL-KEY', 'OB-2004'],
    ['an expired key', sim.url, 'sk-ant-api01-DEMO-expired-NOT-A-REAL-KEY', 'OB-2005'],
    ['a key of a wrong kind', sim.url, 'sk-ant-api03-EXAMPLE-NOT-A-REAL-KEY', 'OB-2006'],
    ['what is no key', sim.url, 'EXAMPLE-no-key-at-all', 'OB-2006'],
    ['an organisation whose API is off', off.url, good, 'OB-2008'],
    ['a port on which nobody listens', 'http://127.0.0.1:9', good, 'OB-2002'],
    ['a name that does not exist', 'https://no-such-host.invalid', good, 'OB-2001'],
    ['https to a plain port', sim.url.replace('http:', 'https:'), good, 'OB-2009'],
    ['a web page', await webPage(t), good, 'OB-2010'],
    ['a server that fails', await page500(t), good, 'OB-2014'],
    ['a private address', 'https://10.1.2.3', good, 'OB-2012'],
  ]) {
    await t.test(name, async () => {
      await fields.key.fill(key);
      await fields.address.fill(address);
      await page.getByRole('button', { name: /^Test/ }).click();
      await page.getByText(new RegExp(code)).first().waitFor({ timeout: 30_000 });
      assert.equal(await page.getByRole('button', { name: 'Continue' }).count(), 0);
      assert.equal(await fields.key.inputValue(), key, 'the key that was typed is gone');
      assert.equal(await fields.address.inputValue(), address);
    });
  }

  await t.test('a key that lacks scopes names them, and may be used', async () => {
    await fields.key.fill('sk-ant-api01-DEMO-activities-only-NOT-A-REAL-KEY');
    await fields.address.fill(sim.url);
    await page.getByRole('button', { name: /^Test/ }).click();
    await page.getByRole('button', { name: 'Continue' }).waitFor();
    await page.getByText('OB-2007').first().waitFor();
    assert.ok((await page.getByText(/read:compliance_user_data/).count()) >= 2, 'the missing scope is not named beside the explanation');
    await accessible(page, 'a test with warnings');
  });

  await t.test('what the browser can see is said before anything is sent', async () => {
    await fields.key.fill('');
    await fields.address.fill('api.example.com');
    let calls = 0;
    page.on('request', (r) => (calls += r.url().includes('/connections/test') ? 1 : 0));
    await page.getByRole('button', { name: /^Test/ }).click();
    await page.locator('[aria-invalid="true"]').first().waitFor();
    assert.equal(await page.locator('[aria-invalid="true"]').count(), 2);
    assert.equal(calls, 0);
  });
  const stored = await (await page.request.get(`${url}/api/v1/connections`)).json();
  assert.equal(stored.items.length, 0, 'a test stored a connection');
  clean();
});
