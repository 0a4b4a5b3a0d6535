// The whole loop in the browser: set up, connect a key to a simulator, watch the scan, look at a finding, add a webhook, see it delivered.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { accessible, browse, serve, setUpInPage, simulator } from './browser.mjs';

const key = 'sk-ant-api01-DEMO-all-read-scopes-NOT-A-REAL-KEY';

/** receiver takes webhooks. Once it has the signing key it checks every signature. */
async function receiver(t) {
  const events = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (b) => (body += b));
    req.on('end', () => {
      events.push({ headers: req.headers, body });
      res.writeHead(204).end();
    });
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  return { url: `http://127.0.0.1:${server.address().port}/outband`, events };
}

function valid(event, signingKey) {
  const secret = Buffer.from(signingKey.replace(/^whsec_/, ''), 'base64');
  const signed = `${event.headers['webhook-id']}.${event.headers['webhook-timestamp']}.${event.body}`;
  return event.headers['webhook-signature'].split(' ').includes(`v1,${createHmac('sha256', secret).update(signed).digest('base64')}`);
}

test('from an empty server to a delivered webhook', async (t) => {
  const sim = await simulator(t, ['--seed', '3']);
  const hook = await receiver(t);
  const { url, setUp, program } = await serve(t);
  const { page, clean } = await browse(t, { url });
  await setUpInPage(page, setUp);
  await page.getByRole('heading', { level: 2, name: 'First steps' }).waitFor();
  await accessible(page, 'the overview of an empty server');

  // Connect.
  await page.getByRole('link', { name: 'Connections', exact: true }).click();
  await page.getByRole('link', { name: 'Add a connection' }).first().click();
  await page.getByRole('button', { name: /^C?\s*Claude/ }).click();
  await page.getByLabel('Compliance Access Key').fill(key);
  await page.getByRole('button', { name: /Advanced|More settings|settings/i }).first().click();
  await page.getByLabel('Base URL').fill(sim.url);
  await page.getByLabel('Requests per minute').fill('60000');
  await page.getByRole('button', { name: 'Test the key' }).click();
  await page.getByRole('button', { name: 'Continue' }).waitFor();
  await page.getByText(/Northwind Harbour/).first().waitFor();
  await accessible(page, 'a test that went well');
  // A change discards the test.
  await page.getByLabel('Compliance Access Key').fill(`${key}x`);
  assert.equal(await page.getByRole('button', { name: 'Continue' }).count(), 0);
  await page.getByLabel('Compliance Access Key').fill(key);
  await page.getByRole('button', { name: 'Test the key' }).click();
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByLabel('Name').fill('Harbour of the test');
  await accessible(page, 'the last step of the wizard');
  await page.getByRole('button', { name: 'Save and scan' }).click();

  // Watch the first scan to its end.
  await page.getByRole('heading', { level: 1, name: 'Harbour of the test' }).waitFor();
  await page.getByText('Succeeded').first().waitFor({ timeout: 240_000 });
  await page.getByText(/images, whose text is not read/).first().waitFor();
  await accessible(page, 'a connection');

  // Look at a finding.
  await page.getByRole('link', { name: 'Findings', exact: false }).first().click();
  await page.locator('[data-finding]').first().waitFor();
  await page.locator('[data-finding]').first().click();
  await page.locator('[data-finding-drawer]').getByTestId('instance').first().waitFor();
  await page.keyboard.press('Escape');

  // Add a webhook: a test event, a preview, the key that is shown once.
  await page.getByRole('link', { name: 'Destinations' }).click();
  await page.getByRole('link', { name: /Add/ }).first().click();
  await page.getByLabel('Name').fill('SIEM of the test');
  await page.getByLabel('Address').fill(hook.url);
  await page.getByLabel('Only these findings').fill('severity:nonsense');
  await page.getByRole('button', { name: 'Add the destination' }).click();
  await page.getByText(/severity is one of/).first().waitFor();
  await page.getByLabel('Only these findings').fill('severity:critical');
  await page.getByRole('button', { name: 'Send a test event' }).click();
  await page.getByText(/Status 204/).waitFor();
  assert.equal(hook.events.length, 1);
  await page.getByRole('button', { name: 'Preview the call' }).click();
  await page.getByRole('region', { name: 'Body of the call' }).getByText(/finding\.created/).waitFor();
  await accessible(page, 'a new destination with its preview');
  await page.getByRole('button', { name: 'Add the destination' }).click();
  const signing = (await page.getByText(/^whsec_/).first().innerText()).trim();
  await page.getByRole('button', { name: 'The receiver has it' }).click();
  await page.getByRole('heading', { level: 1, name: 'SIEM of the test' }).waitFor();
  // A destination gets what changes from now on.
  const { items } = await (await page.request.get(`${url}/api/v1/findings?severity=critical&limit=2`)).json();
  for (const f of items) assert.equal((await page.request.patch(`${url}/api/v1/findings/${f.id}`, { data: { status: 'acknowledged' } })).status(), 200);
  await page.locator('[data-event][data-state="delivered"]').first().waitFor({ timeout: 30_000 });
  await accessible(page, 'a destination with deliveries');
  const events = hook.events.slice(1);
  assert.ok(events.length > 0);
  for (const e of events) {
    assert.ok(valid(e, signing), 'a signature does not fit the key that the page showed');
    assert.equal(JSON.parse(e.body).data.severity, 'critical');
  }
  assert.ok(!valid(events[0], 'whsec_' + Buffer.alloc(32).toString('base64')), 'any key fits');

  // The health page says what is called, and nothing of the key is anywhere.
  await page.getByRole('link', { name: 'Settings and health' }).click();
  await page.getByRole('cell', { name: new URL(sim.url).host }).waitFor();
  assert.ok(!(await page.content()).includes(key));
  assert.ok(!program.errors.includes(key) && !program.lines.join().includes(key));
  clean();
});
