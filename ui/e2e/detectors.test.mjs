// A detector is written, tried, saved, changed and removed; a list of words and a hashed table are uploaded.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

import { accessible, binary, browse, folder, start } from './browser.mjs';

test('detectors of one’s own', async (t) => {
  const dir = folder();
  const demo = start(t, ['demo', '--listen', '127.0.0.1:0', '--data', `${dir}/data`, '--live=false']);
  const [, link] = await demo.line(/(http:\/\/\S+\/sign-in#token=\S+)/);
  const url = new URL(link).origin;
  const { page, clean } = await browse(t, { url });
  await page.goto(link);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await demo.line(/^demo ready:/); // The machine is the pages' alone then.

  await t.test('a detector is checked while it is written', async () => {
    await page.goto(`${url}/detectors`);
    await page.getByRole('link', { name: 'New detector' }).waitFor();
    await page.goto(`${url}/detectors/new`);
    await page.getByText('It can be saved').waitFor();
    const yaml = page.getByLabel('Detector, as YAML');
    const green = await yaml.inputValue();
    await yaml.fill(green.replace('ACME-«123456»', 'ACME-«12345»'));
    await page.getByText('It cannot be saved').waitFor();
    await page.getByText(/is not found/).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Save' }).isDisabled());
    await page.getByRole('button', { name: /^Line 12, column/ }).click();
    await yaml.fill(green);
    await page.getByLabel('Sample').fill('one ACME-271828 and another');
    await page.getByRole('cell', { name: '*****8' }).waitFor();
    assert.equal(await page.getByRole('table').getByText('271828').count(), 0);
    await accessible(page, 'the editor');
    await page.getByText('It can be saved').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { level: 1, name: 'Detectors' }).waitFor();
  });

  await t.test('it has a history, and is switched and removed', async () => {
    await page.getByLabel('Search detectors').fill('custom.ticket');
    await page.getByRole('button', { name: 'Ticket number' }).click();
    await page.getByRole('dialog').getByText('Off', { exact: true }).click();
    await page.getByText('Ticket number is off.').waitFor();
    await accessible(page, 'a custom detector in the drawer');
    await page.getByRole('dialog').getByRole('link', { name: 'Edit' }).click();
    await page.getByText(/Version 1, in force/).waitFor();
    const yaml = page.getByLabel('Detector, as YAML');
    await yaml.fill((await yaml.inputValue()).replace('severity: medium', 'severity: high'));
    await page.getByText('It can be saved').waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { level: 1, name: 'Detectors' }).waitFor();
    await page.goto(`${url}/detectors/edit?id=custom.ticket`);
    await page.getByText(/Version 2, in force/).waitFor();
    await page.getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
    await page.getByRole('heading', { level: 1, name: 'Detectors' }).waitFor();
  });

  await t.test('a copy of a built-in detector can be saved', async () => {
    await page.goto(`${url}/detectors/new?from=secret.github_pat`);
    await page.getByText('It can be saved').waitFor();
    assert.match(await page.getByLabel('Detector, as YAML').inputValue(), /id: custom\.secret_github_pat/);
  });

  await t.test('a list of words is uploaded and named by a detector', async () => {
    writeFileSync(join(dir, 'Projects.txt'), 'Falcon\nproject bluebird\n');
    await page.goto(`${url}/dictionaries`);
    await page.getByRole('button', { name: 'Upload a list' }).click();
    await page.locator('input[type=file]').setInputFiles(join(dir, 'Projects.txt'));
    await page.getByLabel('Title').fill('Project names');
    assert.equal(await page.getByRole('textbox', { name: 'Id' }).inputValue(), 'projects');
    await accessible(page, 'the upload of words');
    await page.getByRole('button', { name: 'Upload', exact: true }).click();
    await page.getByText('Project names holds 2 entries.').waitFor();
    await page.getByRole('link', { name: 'New detector' }).click();
    await page.getByLabel('Sample').fill('about the falcon');
    await page.getByRole('cell', { name: '*****n' }).waitFor();
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('heading', { level: 1, name: 'Detectors' }).waitFor();
    await page.goto(`${url}/dictionaries`);
    await page.getByRole('link', { name: 'custom.projects' }).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Remove' }).isDisabled());
  });

  await t.test('a table is hashed outside and uploaded', async () => {
    await page.goto(`${url}/exact-tables`);
    await page.getByRole('button', { name: 'Make a table' }).click();
    await page.getByLabel('Title').fill('Staff');
    await page.getByRole('textbox', { name: 'Id' }).fill('staff');
    await page.getByRole('dialog').getByRole('button', { name: 'Make the table' }).click();
    const key = await page.getByText(/^obedm1_/).textContent();
    await accessible(page, 'the key of a table');
    await page.keyboard.press('Escape');
    writeFileSync(join(dir, 'staff.key'), key);
    writeFileSync(join(dir, 'staff.csv'), 'email,name\nana.souza@example.com,Ana Souza\nbo.larsen@example.com,Bo Larsen\n');
    execFileSync(binary, ['edm', 'hash', '--id', 'staff', '--key-file', join(dir, 'staff.key'), '--columns', 'email,name', '-o', join(dir, 'staff.edm'), join(dir, 'staff.csv')], { stdio: 'pipe' });
    await page.getByRole('button', { name: 'Upload', exact: true }).click();
    await page.locator('input[type=file]').setInputFiles(join(dir, 'staff.edm'));
    await page.getByRole('dialog').getByRole('button', { name: 'Upload', exact: true }).click();
    await page.getByText('Staff holds 2 rows.').waitFor();
    await page.getByRole('link', { name: 'New detector' }).click();
    await page.getByLabel('Sample').fill('Ana Souza <ana.souza@example.com>, and Bo Larsen');
    await page.getByRole('cell', { name: /\*+\.com/ }).waitFor();
    assert.equal(await page.getByRole('table').getByRole('row').count(), 3); // The head, and two of one row; the one alone is none.
    await accessible(page, 'the editor with a table');
  });
  await clean();
});
