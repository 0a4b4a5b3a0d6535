// The analyst's day: ten findings by keyboard alone, a deep link, a bulk change, and the address as the state.
import assert from 'node:assert/strict';
import { before, test, after } from 'node:test';

import { browse, folder, Program, accessible } from './browser.mjs';

let demo;
let link;
let url;

before(async () => {
  demo = new Program(['demo', '--listen', '127.0.0.1:0', '--data', `${folder()}/data`, '--live=false']);
  [, link] = await demo.line(/(http:\/\/\S+\/sign-in#token=\S+)/);
  url = new URL(link).origin;
  await demo.line(/^demo ready:/);
});
after(() => demo.stop());

/** The one-time link is used up by the first browser; the others take over its session. */
let cookies;
async function signedIn(t, options) {
  const b = await browse(t, { url, ...options });
  if (!cookies) {
    await b.page.goto(link);
    await b.page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
    cookies = await b.context.cookies();
  } else {
    await b.context.addCookies(cookies);
  }
  return { ...b, api: async (path) => (await b.page.request.get(`${url}/api/v1${path}`)).json() };
}

const total = async (page) => Number((await page.getByTestId('total').innerText()).match(/[\d,]+/)[0].replaceAll(',', ''));

test('ten findings are triaged by keyboard', async (t) => {
  const { page, api, clean } = await signedIn(t);
  await page.goto(`${url}/findings?status=open&sort=-severity`);
  await page.locator('[data-finding]').first().waitFor();
  const before = await total(page);
  const done = [];
  await page.keyboard.press('j');
  for (let i = 0; i < 10; i++) {
    await page.locator('[data-finding][data-active="true"]').waitFor();
    const id = await page.locator('[data-finding][data-active="true"]').getAttribute('data-finding');
    assert.ok(!done.includes(id), 'the same finding twice');
    done.push(id);
    await page.keyboard.press('Enter');
    await page.locator('[data-finding-drawer]').getByRole('heading', { level: 2 }).waitFor();
    assert.match(page.url(), new RegExp(`open=${id}`));
    await page.keyboard.press('a');
    await page.locator('[data-finding-drawer]').getByText('Acknowledged').first().waitFor();
    await page.keyboard.press('Escape');
    await page.locator('[data-finding-drawer]').waitFor({ state: 'detached' });
    assert.equal(await page.evaluate(() => document.activeElement?.closest('[data-finding]')?.getAttribute('data-finding')), id, 'the focus is not on the row again');
    await page.keyboard.press('j');
  }
  for (const id of done) assert.equal((await api(`/findings/${id}`)).status, 'acknowledged', id);
  await page.goto(`${url}/findings?status=open`);
  await page.locator('[data-finding]').first().waitFor();
  assert.equal(await total(page), before - 10);

  // A key typed into the search is text, and no command.
  await page.keyboard.press('/');
  await page.keyboard.type('jax');
  assert.equal(await page.getByRole('searchbox', { name: 'Search findings' }).inputValue(), 'jax');
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await page.getByRole('dialog', { name: 'Keyboard' }).waitFor();
  await accessible(page, 'the help');
  clean();
});

test('a deep link opens the finding, and the address is the state', async (t) => {
  const { page, api, clean } = await signedIn(t);
  const { items } = await api('/findings?severity=high&limit=3&kind=content');
  await page.goto(`${url}/findings/${items[1].id}`);
  const drawer = page.locator('[data-finding-drawer]');
  await drawer.getByRole('heading', { level: 2, name: items[1].title }).waitFor();
  await drawer.getByTestId('instance').first().waitFor();
  await drawer.getByRole('tab', { name: 'Why' }).click();
  assert.match(page.url(), /tab=why/);
  await page.reload();
  await drawer.getByRole('tab', { name: 'Why', selected: true }).waitFor();
  await page.keyboard.press('Escape');

  await page.goto(`${url}/findings?severity=critical`);
  await page.locator('[data-finding]').first().waitFor();
  const critical = await total(page);
  assert.equal(critical, (await api('/findings/facets?severity=critical')).total);
  await page.getByRole('button', { name: 'Remove the filter Severity: Critical' }).click();
  await page.waitForURL((u) => !u.search.includes('severity'));
  await page.waitForFunction((n) => Number(document.querySelector('[data-testid=total]').textContent.match(/[\d,]+/)[0].replaceAll(',', '')) > n, critical);
  await page.goBack();
  await page.waitForURL(/severity=critical/);
  await page.waitForFunction((n) => Number(document.querySelector('[data-testid=total]').textContent.match(/[\d,]+/)[0].replaceAll(',', '')) === n, critical);

  await page.goto(`${url}/findings?q=zzzznothing`);
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await page.locator('[data-finding]').first().waitFor();
  clean();
});

test('several findings are changed at once, with a reason, and each says what became of it', async (t) => {
  const { page, api, clean } = await signedIn(t, { colorScheme: 'dark' });
  await page.goto(`${url}/findings?status=open&severity=medium`);
  await page.locator('[data-finding]').nth(3).waitFor();
  const ids = [];
  for (let i = 0; i < 3; i++) {
    const row = page.locator('[data-finding]').nth(i);
    ids.push(await row.getAttribute('data-finding'));
    await row.getByRole('checkbox').check();
  }
  const bar = page.getByRole('region', { name: 'Selection' });
  await bar.getByText('3 selected').waitFor();
  await accessible(page, 'a selection in the dark');
  await bar.getByRole('button', { name: 'Change status' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('radio', { name: /Accepted risk/ }).check();
  await dialog.getByRole('button', { name: 'Change 3 findings' }).click();
  // Without its reason it is not sent.
  assert.equal((await api(`/findings/${ids[0]}`)).status, 'open');
  await dialog.getByRole('textbox', { name: 'Reason' }).fill('Made up for a test.');
  await dialog.getByRole('button', { name: 'Change 3 findings' }).click();
  await dialog.getByRole('status', { name: 'Result' }).waitFor();
  for (const id of ids) assert.equal((await api(`/findings/${id}`)).status, 'accepted_risk');
  const history = await api(`/findings/${ids[0]}/history`);
  assert.equal(history.items.at(-1).reason, 'Made up for a test.');
  clean();
});

test('a finding in a document shows where in it the value stands', async (t) => {
  const { page, clean } = await signedIn(t);
  const lines = (await (await page.request.get(`${url}/api/v1/findings/export?format=ndjson&kind=content`)).text()).trim().split('\n');
  const instances = lines.map((l) => JSON.parse(l)).flatMap((f) => f.instances.slice(0, 10).map((i) => ({ id: f.id, masked: i.masked, l: i.location })));
  for (const [what, found, place] of [
    ['a row of a table', instances.find(({ l }) => l.row && l.name), ({ l }) => [`row ${l.row}`, `“${l.name}”`]],
    ['a member of an archive', instances.find(({ l }) => l.path.includes('!/')), ({ l }) => [`path ${l.path}`]],
    ['a page', instances.find(({ l }) => l.page), ({ l }) => [`page ${l.page}`]],
    ['a paragraph', instances.find(({ l }) => l.paragraph), ({ l }) => [`paragraph ${l.paragraph}`]],
  ]) {
    assert.ok(found, `the demo has no finding in ${what}`);
    await page.goto(`${url}/findings?open=${found.id}`);
    const instance = page.locator('[data-finding-drawer]').getByTestId('instance').filter({ hasText: found.masked });
    await place(found).reduce((shown, words) => shown.filter({ hasText: words }), instance).first().waitFor();
  }
  await accessible(page, 'a finding in a document');
  clean();
});
