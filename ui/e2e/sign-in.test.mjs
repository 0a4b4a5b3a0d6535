// Sign-in: the first admin, a wrong password, an invitation, and what a role is not offered.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { accessible, browse, person, serve, setUpInPage } from './browser.mjs';

test('the printed link makes the first admin, once', async (t) => {
  const { url, setUp, program } = await serve(t);
  const { page, clean } = await browse(t, { url });

  // Without a user every page leads to the set-up.
  await page.goto(`${url}/findings`);
  await page.waitForURL('**/set-up');
  await page.getByLabel('Set-up token').fill('not-the-token-that-was-printed');
  await page.getByLabel('Your name').fill(person.name);
  await page.getByLabel('E-mail').fill('no address');
  await page.getByLabel('Password', { exact: true }).fill('short');
  await page.getByRole('button', { name: 'Make the first admin' }).click();
  await page.getByText('Give an e-mail address.').waitFor();
  await page.getByText(/At least 12 characters; these are 5/).waitFor();
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Make the first admin' }).click();
  const refusal = page.getByRole('alert');
  await refusal.getByText(/OB-\d{4} · request req_/).waitFor();
  await accessible(page, 'set-up with an error');

  await page.goto('about:blank');
  await setUpInPage(page, setUp);
  assert.ok(!page.url().includes('token'), 'the token stays in the address');
  const [cookie] = await page.context().cookies();
  assert.equal(cookie.name, '__Host-outband_session');
  assert.ok(cookie.httpOnly && cookie.secure && cookie.sameSite === 'Strict', JSON.stringify({ ...cookie, value: '' }));
  assert.equal(await page.evaluate(() => localStorage.length + sessionStorage.length), 0, 'something of the session is in the browser’s storage');

  await page.goto(setUp);
  await page.getByRole('heading', { name: 'This is done' }).waitFor();
  assert.ok(!program.errors.includes(new URL(setUp).hash.slice(7)), 'the token is in the log');
  clean();
});

test('a wrong password says so, a right one leads to where one wanted to go', async (t) => {
  const { url, setUp } = await serve(t);
  const { page, clean } = await browse(t, { url });
  await setUpInPage(page, setUp);
  await page.getByRole('button', { name: 'Your account' }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.getByRole('heading', { name: 'Sign in' }).waitFor();

  await page.goto(`${url}/policies`);
  await page.waitForURL('**/sign-in?next=*');
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill('not the right words');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').getByText(/wrong/).waitFor();
  await accessible(page, 'sign-in with an error');
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('**/policies');
  await page.getByRole('heading', { level: 1, name: 'Policies' }).waitFor();
  clean();
});

test('an invited viewer chooses a password and is offered only what a viewer may do', async (t) => {
  const { url, setUp } = await serve(t);
  const admin = await browse(t, { url });
  await setUpInPage(admin.page, setUp);
  await admin.page.getByRole('link', { name: 'Users' }).click();
  await admin.page.getByRole('button', { name: 'Invite' }).click();
  const dialog = admin.page.getByRole('dialog', { name: 'Invite a person' });
  await dialog.getByLabel('E-mail').fill('viewer@example.com');
  await dialog.getByLabel('Name').fill('Second Person');
  await dialog.getByRole('combobox', { name: 'Role' }).click();
  await admin.page.getByRole('option', { name: 'Viewer' }).click();
  await dialog.getByRole('button', { name: 'Make the invitation' }).click();
  const link = await admin.page.getByRole('dialog', { name: 'One-time link' }).getByText(/\/sign-in#token=/).innerText();

  const viewer = await browse(t, { url });
  await viewer.page.goto(link.trim());
  await viewer.page.getByLabel('New password').fill('other made-up words for it');
  await viewer.page.getByRole('button', { name: 'Save and sign in' }).click();
  await viewer.page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  assert.equal(await viewer.page.getByRole('link', { name: 'Users' }).count(), 0);
  await viewer.page.goto(`${url}/connections`);
  await viewer.page.getByRole('heading', { level: 1, name: 'Connections' }).waitFor();
  assert.equal(await viewer.page.getByRole('link', { name: /Add a connection/ }).count() + (await viewer.page.getByRole('button', { name: /Add a connection/ }).count()), 0);

  // The link works once.
  const third = await browse(t, { url });
  await third.page.goto(link.trim());
  await third.page.getByRole('alert').getByText(/was used, or has expired/).waitFor();

  // Disabled: the next call is refused, and the page leads to the sign-in.
  await admin.page.keyboard.press('Escape');
  await admin.page.getByRole('row', { name: /Second Person/ }).getByRole('button', { name: 'Disable' }).click();
  await admin.page.getByRole('row', { name: /Second Person/ }).getByText('Disabled').waitFor();
  await viewer.page.goto(`${url}/detectors`);
  await viewer.page.getByRole('heading', { name: 'Sign in' }).waitFor();
  admin.clean();
  viewer.clean();
});
