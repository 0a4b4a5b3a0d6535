// An author changes a built-in profile, sees its version, brings the built-in one back, and makes one of their own.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { accessible, browse, folder, start } from './browser.mjs';

test('profiles are changed, brought back and made', async (t) => {
  const demo = start(t, ['demo', '--listen', '127.0.0.1:0', '--data', `${folder()}/data`, '--live=false']);
  const [, link] = await demo.line(/(http:\/\/\S+\/sign-in#token=\S+)/);
  const url = new URL(link).origin;
  const { page } = await browse(t, { url });
  await page.goto(link);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  const api = async (path) => (await page.request.get(`${url}/api/v1${path}`)).json();

  await page.goto(`${url}/profiles`);
  await page.getByRole('button', { name: 'Payment card numbers in bulk' }).click();
  const drawer = page.getByRole('dialog');
  await drawer.getByText('10 different values').waitFor();
  await drawer.getByRole('tab', { name: 'Change' }).click();
  await drawer.getByLabel('Different values').fill('20');
  await accessible(page, 'the editor of a profile');
  await drawer.getByRole('button', { name: 'Save' }).click();
  await page.getByText('The profile is saved.').waitFor();
  const changed = await api('/profiles/pci_bulk');
  assert.equal(changed.source, 'changed');
  assert.equal(changed.min_distinct, 20);
  await drawer.getByRole('tab', { name: 'Versions' }).click();
  await drawer.getByRole('heading', { name: 'Version 1' }).waitFor();
  await drawer.getByRole('tab', { name: 'Change' }).click();
  await drawer.getByRole('button', { name: 'Bring the built-in one back' }).click();
  await page.getByRole('button', { name: 'Bring it back' }).click();
  await page.getByText('The profile is as it comes with Outband.').waitFor();
  assert.equal((await api('/profiles/pci_bulk')).source, 'built-in');

  await page.getByRole('button', { name: 'New profile' }).click();
  await page.getByLabel('Id', { exact: false }).first().fill('keys_and_mail');
  await page.getByLabel('Title').fill('Keys beside mail');
  const detectors = page.getByLabel('Detectors', { exact: true }).first();
  const add = async (...globs) => {
    for (const g of globs) {
      await detectors.fill(g);
      await detectors.press('Enter');
    }
  };
  await add('nothing.*');
  await page.getByRole('button', { name: 'Check' }).click();
  await page.getByText('It cannot be saved yet').waitFor();
  await detectors.press('Backspace');
  await add('secret.*', 'contact.email');
  await page.getByRole('button', { name: 'Save' }).click();
  await drawer.getByRole('heading', { name: 'Thresholds' }).waitFor();
  assert.deepEqual((await api('/profiles/keys_and_mail')).detectors, ['secret.*', 'contact.email']);
});
