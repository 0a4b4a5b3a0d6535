// Completeness in the browser: the estimate of the wizard, the calendar, what was deleted before a scan, a hole made by hand in the database, and a
// history that is moved and paused.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

import { accessible, browse, serve, setUpInPage, simulator } from './browser.mjs';

const key = 'sk-ant-api01-DEMO-all-read-scopes-NOT-A-REAL-KEY';
const day = 86_400_000; // ms
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);

// Each step stands on the one before: after one that failed the rest is not tried.
async function step(name, f) {
  try {
    await f();
  } catch (e) {
    throw new Error(`${name}: ${e.message}`, { cause: e });
  }
}

test('what was read and what was not', async (t) => {
  const sim = await simulator(t, ['--seed', '3']);
  const { url, setUp, dir } = await serve(t);
  const { page, clean } = await browse(t, { url });
  const sql = (text) => execFileSync('sqlite3', [`${dir}/outband.db`, '.timeout 10000', text], { encoding: 'utf8' });
  await setUpInPage(page, setUp);
  await page.goto(`${url}/coverage`);
  await page.getByRole('heading', { level: 2, name: 'No app is connected yet' }).waitFor();

  await step('the wizard says what the key is for, and what the history takes, before anything is saved', async () => {
    await page.goto(`${url}/connections/new`);
    await page.getByRole('button', { name: /^C?\s*Claude/ }).click();
    await page.getByRole('heading', { name: 'Recommended: this one scope' }).waitFor();
    await page.getByRole('button', { name: 'Copy the scope' }).waitFor();
    await page.getByLabel('Compliance Access Key').fill(key);
    await page.getByRole('button', { name: /Advanced/ }).first().click();
    await page.getByLabel('Base URL').fill(sim.url);
    await page.getByLabel('Requests per minute').fill('60000');
    await page.getByRole('button', { name: 'Test the key' }).click();
    await page.getByRole('button', { name: 'Continue' }).click();
    const estimate = page.getByTestId('estimate');
    await estimate.getByText(/Reading the history takes/).waitFor();
    const month = await estimate.textContent();
    await page.getByRole('combobox', { name: 'History to read' }).click();
    await page.getByRole('option', { name: /None/ }).click();
    await estimate.getByText(/takes no call/).waitFor();
    assert.match(month, /[1-9][\d,]* calls?: (about|under)/);
    assert.equal((await (await page.request.get(`${url}/api/v1/connections`)).json()).items.length, 0);
    await page.getByRole('combobox', { name: 'History to read' }).click();
    await page.getByRole('option', { name: 'The last 30 days' }).click();
    await accessible(page, 'the last step of the wizard');
    await page.getByLabel('Name').fill('Harbour of the test');
    await page.getByRole('button', { name: 'Save and scan' }).click();
    await page.getByRole('heading', { level: 1, name: 'Harbour of the test' }).waitFor();
    await page.getByText('Succeeded').first().waitFor({ timeout: 180_000 });
    // Nothing more is read, so that what follows is looked at in peace.
    await page.getByRole('button', { name: 'Pause', exact: true }).click();
    await page.getByRole('button', { name: 'Resume' }).waitFor();
  });

  const connection = (await (await page.request.get(`${url}/api/v1/connections`)).json()).items[0];
  const yesterday = Math.floor(Date.now() / day - 1) * day;
  const cell = page.locator(`[data-testid="calendar"] [data-date="${dateOf(yesterday)}"]`);

  await step('the page adds up, and shows the calendar and what was deleted', async () => {
    await page.goto(`${url}/coverage`);
    await page.locator('tr[data-stream="chats"]').waitFor();
    assert.equal(await page.locator('tr[data-state="red"]').count(), 0);
    assert.equal(await page.locator('tr[data-stream="admin_members"]').getAttribute('data-state'), 'grey');
    await cell.waitFor();
    assert.equal(await cell.getAttribute('data-state'), 'complete');
    assert.match(await cell.textContent(), /Complete, [\d,]+ read/); // Not by colour alone.
    await page.locator('[data-deleted]').first().waitFor();
    assert.match(await page.locator('[data-deleted]').first().textContent(), /@/);
    await page.getByRole('radiogroup', { name: 'Form of the calendar' }).getByText('List').click();
    await page.getByRole('region', { name: 'Days as a list' }).getByRole('rowheader', { name: dateOf(yesterday) }).waitFor();
    await accessible(page, 'the coverage with a list of days');
    for (const s of (await (await page.request.get(`${url}/api/v1/coverage?limit=100`)).json()).items) {
      const skipped = Object.values(s.skipped).reduce((n, x) => n + x, 0);
      assert.equal(s.read, s.scanned + skipped + s.failed + s.deferred + s.quarantined, s.stream);
    }
  });

  await step('a hole made by hand turns it red', async () => {
    const [from, to] = [yesterday * 1000, (yesterday + 2 * 3_600_000) * 1000]; // us
    sql(`BEGIN IMMEDIATE;
      INSERT INTO coverage_intervals SELECT workspace_id, connection_id, stream, ${to}, to_at, state, reason, updated_at FROM coverage_intervals WHERE stream = 'chats' AND state = 'read' AND from_at < ${from} AND to_at > ${to};
      UPDATE coverage_intervals SET to_at = ${from} WHERE stream = 'chats' AND state = 'read' AND from_at < ${from} AND to_at > ${to};
      COMMIT;`);
    await page.goto(`${url}/coverage`);
    await page.locator('[data-testid="overall"][data-state="red"]').waitFor();
    await page.getByRole('alert').locator('[data-alert="hole"]').waitFor();
    assert.equal(await page.locator('tr[data-stream="chats"]').getAttribute('data-state'), 'red');
    await page.locator('tr[data-stream="chats"] [data-reason="hole"]').waitFor();
    await cell.waitFor();
    assert.equal(await cell.getAttribute('data-state'), 'gap');
    await accessible(page, 'the coverage with a hole');
  });

  await step('the history is moved back and paused', async () => {
    await page.goto(`${url}/connections/${connection.id}`);
    const panel = page.getByTestId('backfill');
    await panel.getByText(/All of the history is read/).waitFor();
    await panel.getByRole('button', { name: 'Read further back, or less' }).click();
    await panel.getByLabel('Read back to').fill(dateOf(yesterday - 60 * day));
    await panel.getByTestId('estimate').getByText(/Reading the history takes/).waitFor();
    await panel.getByRole('button', { name: 'Save' }).click();
    await panel.getByText(/The history is being read/).waitFor();
    await panel.getByRole('button', { name: 'Pause the history' }).click();
    await page.locator('[data-testid="backfill"][data-paused="true"]').waitFor();
    await panel.getByText(/^Paused/).waitFor();
    await accessible(page, 'a connection whose history is paused');
    await panel.getByRole('button', { name: 'Read the history again' }).click();
    await page.locator('[data-testid="backfill"][data-paused="false"]').waitFor();
  });

  await step('the settings and the directory', async () => {
    await page.getByRole('link', { name: 'Settings and directory' }).click();
    await page.locator('[data-record]').first().waitFor();
    await page.getByLabel('As of the end of').fill('2020-01-01');
    await page.getByRole('heading', { level: 2, name: 'No such record' }).waitFor();
    await page.getByRole('button', { name: 'As it is now' }).click();
    await page.locator('[data-record]').first().waitFor();
    await accessible(page, 'the records');
    await page.getByRole('tab', { name: 'Changes' }).click();
    await page.locator('[data-change]').first().waitFor();
    await accessible(page, 'the changes');
  });
  clean();
});
