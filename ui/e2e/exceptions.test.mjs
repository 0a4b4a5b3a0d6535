// An exception out of a finding: it is made, accepts the finding, is listed, extended and revoked; what policies and detectors did is shown; a group of test data is switched.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { accessible, browse, folder, start } from './browser.mjs';

test('exceptions, yield and test data', async (t) => {
  const demo = start(t, ['demo', '--listen', '127.0.0.1:0', '--data', `${folder()}/data`, '--live=false']);
  const [, link] = await demo.line(/(http:\/\/\S+\/sign-in#token=\S+)/);
  await demo.line(/^demo ready:/);
  const url = new URL(link).origin;
  const { page, clean } = await browse(t, { url });
  await page.goto(link);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  const api = async (path) => (await page.request.get(`${url}/api/v1${path}`)).json();
  const finding = (await api('/findings?policy_id=content.card_numbers&status=open&limit=1')).items[0];

  await t.test('out of a finding', async () => {
    await page.goto(`${url}/findings/${finding.id}`);
    await page.getByRole('button', { name: 'Make an exception…' }).click();
    const dialog = page.getByRole('dialog', { name: 'Make an exception' });
    assert.equal(await dialog.getByLabel('Its id').inputValue(), finding.resource.id);
    await accessible(page, 'the dialog');
    await dialog.getByRole('button', { name: 'Make the exception' }).click();
    await dialog.getByText(/inputs that are wrong/).waitFor(); // A reason is missing.
    await dialog.getByLabel('Reason').fill('A card of the test system.');
    await dialog.getByRole('button', { name: 'Make the exception' }).click();
    await page.getByText(/1 finding under it is accepted/).waitFor();
    assert.equal((await api(`/findings/${finding.id}`)).status, 'accepted_risk');
  });

  await t.test('listed, extended and revoked', async () => {
    await page.goto(`${url}/policies`);
    await page.getByRole('link', { name: 'Exceptions' }).click();
    const row = page.locator('[data-exception]');
    await row.getByText('A card of the test system.').waitFor();
    await row.getByRole('button', { name: 'Extend' }).click();
    const dialog = page.getByRole('dialog', { name: 'Extend the exception' });
    await dialog.getByLabel('Reason').fill('Still a card of the test system.');
    await dialog.getByRole('button', { name: 'Extend' }).click();
    await row.getByText('Still a card of the test system.').waitFor();
    await row.getByRole('button', { name: 'Revoke' }).click();
    await page.getByText('No active exception').waitFor();
    await page.getByText('Revoked (1)').click();
    await row.getByText('Still a card of the test system.').waitFor();
  });

  await t.test('what policies and detectors did', async () => {
    await page.goto(`${url}/policies/yield`);
    const asked = page.locator('[data-policy="content.card_numbers"] td').nth(1);
    await asked.waitFor();
    assert.ok(Number((await asked.textContent()).replaceAll(',', '')) > 100, await asked.textContent());
    await page.goto(`${url}/detectors/yield`);
    await page.locator('[data-detector="financial.card"]').waitFor();
  });

  await t.test('a group of test data is switched off and on', async () => {
    await page.goto(`${url}/policies/test-data`);
    const on = page.getByRole('switch', { name: 'Leave out: Example cards of payment processors' });
    await on.click();
    await page.getByText('Shipped on').waitFor();
    await on.click();
    await page.getByText('Shipped on').waitFor({ state: 'detached' });
    assert.equal((await api('/allowlist')).items.find((g) => g.id === 'payment_cards').mode, 'on');
  });
  clean();
});
