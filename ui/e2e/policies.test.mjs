// The author's way: a policy is written, a red test is seen and mended, the policy is saved, changed, restored and deleted.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { accessible, browse, serve, setUpInPage } from './browser.mjs';

const tests = (want) => `tests:
  - name: a key
    input: {matches: [{detector: secret.github_fine_grained_token}]}
    want: ${want}
  - name: nothing
    input: {}
    want: false
`;

const yaml = (want) => `id: custom.our_keys
version: 1
title: Keys of ours
severity: 'count("secret.*") > 9 ? "critical" : "high"'
guide: Open {resource.url} and take the key away.
on: {items: ["*"]}
when: |
  count("secret.*") > 0
${tests(want)}`;

test('a policy is written, mended, saved, restored and deleted', async (t) => {
  const { url, setUp } = await serve(t);
  const { page, clean } = await browse(t, { url });
  await setUpInPage(page, setUp);
  const api = async (path) => (await page.request.get(`${url}/api/v1${path}`)).json();
  const area = page.getByRole('textbox', { name: 'Policy (YAML)' });
  const save = page.getByRole('button', { name: 'Save', exact: true });
  const verdict = page.getByTestId('verdict');

  await page.goto(`${url}/policies`);
  await page.getByRole('link', { name: 'New policy' }).click();
  await page.getByRole('heading', { level: 1, name: 'New policy' }).waitFor();
  await verdict.getByText('It can be saved').waitFor(); // The example is green.
  await accessible(page, 'the editor');

  await area.fill(yaml('false'));
  await verdict.getByText('It cannot be saved yet').waitFor();
  const red = page.locator('[data-test=red]');
  assert.match(await red.innerText(), /a key\s+expected false, got true/);
  assert.equal(await save.isDisabled(), true);
  await accessible(page, 'the editor with a red test');
  await red.getByRole('button').click();
  assert.equal(await area.evaluate((e) => e.value.slice(e.selectionStart, e.selectionEnd)), 'name: a key');

  await area.fill(yaml('true').replace('  count(', '  cuont('));
  const issue = page.getByRole('list', { name: 'Issues' }).getByRole('button').first();
  await issue.getByText('line 8, column 8').waitFor();
  assert.equal(await save.isDisabled(), true);
  await issue.click();
  assert.match(await area.evaluate((e) => e.value.slice(e.selectionStart)), /^\("secret/);

  await area.fill(yaml('true'));
  await verdict.getByText('It can be saved').waitFor();
  await page.getByRole('textbox', { name: 'Why' }).fill('We have keys.');
  await save.click();
  await page.getByRole('heading', { level: 1, name: 'Policies' }).waitFor();
  const row = page.getByRole('row', { name: /custom\.our_keys/ });
  await row.getByRole('cell', { name: 'Custom', exact: true }).waitFor();
  assert.equal((await api('/policies/custom.our_keys')).severity, 'critical');

  // A red test cannot be saved past the page either.
  const past = await page.evaluate(
    async (text) => {
      const r = await fetch('/api/v1/policies/custom.our_keys', { method: 'PUT', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ yaml: text, expected_version: 1 }) });
      return { status: r.status, code: (await r.json()).code };
    },
    yaml('false'),
  );
  assert.deepEqual(past, { status: 422, code: 'OB-4221' });

  await row.getByRole('button', { name: 'Keys of ours' }).click();
  await page.getByRole('link', { name: 'Edit' }).click();
  await page.getByRole('heading', { level: 1, name: 'Edit custom.our_keys' }).waitFor();
  await area.fill(yaml('true').replace('Keys of ours', 'Keys of all of us'));
  await verdict.getByText('It can be saved').waitFor();
  await save.click();
  await page.getByRole('button', { name: 'Keys of all of us' }).waitFor();

  await page.goto(`${url}/policies/custom.our_keys/edit`);
  const versions = page.getByRole('list', { name: 'Versions' });
  await versions.getByText('We have keys.').waitFor();
  await versions.getByRole('button', { name: 'Compare' }).last().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByText('- title: Keys of ours').waitFor();
  await dialog.getByText('+ title: Keys of all of us').waitFor();
  await accessible(page, 'the differences');
  await dialog.getByRole('button', { name: /Restore version 1/ }).click();
  await dialog.waitFor({ state: 'detached' });
  await verdict.getByText('It can be saved').waitFor();
  await save.click();
  await page.getByRole('button', { name: 'Keys of ours' }).waitFor();
  const all = (await api('/policies/custom.our_keys/versions')).items;
  assert.deepEqual(all.map((v) => [v.version, v.reason]), [[3, 'Version 1 again'], [2, ''], [1, 'We have keys.']]);

  await page.goto(`${url}/policies/custom.our_keys/edit`);
  await page.getByRole('button', { name: 'Delete…' }).click();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.getByRole('heading', { level: 1, name: 'Policies' }).waitFor();
  await page.getByRole('row', { name: /content\.card_numbers/ }).waitFor();
  assert.equal(await page.getByRole('row', { name: /custom\.our_keys/ }).count(), 0);

  // In shadow, what a policy finds stands with it alone.
  await page.getByRole('button', { name: 'Payment card number in content' }).click();
  await page.getByRole('dialog').getByText('Shadow', { exact: true }).click();
  await page.getByRole('heading', { name: 'In shadow it would have found' }).waitFor();
  assert.equal((await api('/policies/content.card_numbers')).mode, 'shadow');
  await accessible(page, 'a policy in shadow');

  // A built-in policy is copied, not changed.
  await page.goto(`${url}/policies/content.card_numbers/edit`);
  await page.getByRole('link', { name: 'Write a copy of it' }).click();
  await page.waitForURL(/policies\/new\?from=content\.card_numbers/);
  await verdict.getByText('It can be saved').waitFor();
  assert.match(await area.inputValue(), /^id: custom\.card_numbers_copy$/m);
  clean();
});
