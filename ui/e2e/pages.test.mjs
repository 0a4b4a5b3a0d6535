// Every page in both schemes and in a narrow window: no serious fault of accessibility, no error, no call to elsewhere, under the strict policy.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { accessible, browse, folder, start } from './browser.mjs';

const pages = [
  ['/', 'Overview'],
  ['/findings', 'Findings'],
  ['/findings?severity=critical&status=open', 'Findings'],
  ['/connections', 'Connections'],
  ['/connections/new', /Add a connection/],
  ['/coverage', 'Coverage'],
  ['/destinations', 'Destinations'],
  ['/policies', 'Policies'],
  ['/policies/new', 'New policy'],
  ['/policies/exceptions', 'Exceptions'],
  ['/policies/yield', 'Yield and cost of policies'],
  ['/policies/test-data', 'Test data'],
  ['/profiles', 'Profiles'],
  ['/detectors', 'Detectors'],
  ['/detectors/yield', 'Yield and cost of detectors'],
  ['/detectors/new', 'New detector'],
  ['/dictionaries', 'Dictionaries'],
  ['/exact-tables', 'Exact tables'],
  ['/settings', 'Settings and health'],
  ['/users', 'Users'],
  ['/tokens', 'API tokens'],
  ['/audit', 'Audit log'],
];

test('the demo’s pages, light and dark', async (t) => {
  const began = Date.now();
  const demo = start(t, ['demo', '--listen', '127.0.0.1:0', '--data', `${folder()}/data`, '--live=false']);
  const [, link] = await demo.line(/(http:\/\/\S+\/sign-in#token=\S+)/);
  const url = new URL(link).origin;
  const { page, clean } = await browse(t, { url });
  await page.goto(link);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  await page.getByText(/Demo data: a made-up organisation/).waitFor();
  await page.goto(`${url}/findings`);
  await page.locator('[data-finding]').first().waitFor({ timeout: 60_000 });
  t.diagnostic(`from the start of the demo to findings on the page: ${Date.now() - began} ms`);
  await demo.line(/^demo ready:/);

  const api = async (path) => (await page.request.get(`${url}/api/v1${path}`)).json();
  const connection = (await api('/connections')).items[0];
  const destination = (await api('/destinations')).items[0];
  const finding = (await api('/findings?kind=content&limit=1&sort=-severity')).items[0];
  const all = [...pages, [`/connections/${connection.id}`, connection.name], [`/connections/${connection.id}/records`, 'Settings and directory'], [`/destinations/${destination.id}`, destination.name]];

  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const [path, title] of all) {
      await t.test(`${path.replace(/_[a-z2-7]{26}/, '')} ${scheme}`, async () => {
        await page.goto(url + path);
        await page.getByRole('heading', { level: 1, name: title }).waitFor();
        await page.waitForLoadState('networkidle');
        assert.equal(await page.evaluate(() => document.documentElement.getAttribute('data-mantine-color-scheme')), scheme);
        await accessible(page, `${path} in ${scheme}`);
      });
    }
    await t.test(`a finding in the drawer, ${scheme}`, async () => {
      await page.goto(`${url}/findings/${finding.id}`);
      for (const tab of ['Evidence', /Why/, 'History', 'Deliveries', 'JSON']) {
        await page.getByRole('tab', { name: tab }).click();
        await page.waitForLoadState('networkidle');
        await accessible(page, `the tab ${tab} in ${scheme}`);
      }
    });
    for (const [path, first] of [
      ['/policies', /./],
      ['/detectors', /./],
      ['/profiles', /./],
    ]) {
      await t.test(`the drawer of ${path}, ${scheme}`, async () => {
        await page.goto(url + path);
        await page.getByRole('table').getByRole('button', { name: first }).first().click();
        await page.getByRole('dialog').getByRole('heading', { level: 3 }).first().waitFor();
        await accessible(page, `the drawer of ${path} in ${scheme}`);
      });
    }
  }

  await t.test('no page is wider than a narrow window', async () => {
    await page.setViewportSize({ width: 400, height: 800 });
    for (const [path, title] of all) {
      await page.goto(url + path);
      await page.getByRole('heading', { level: 1, name: title }).waitFor();
      await page.waitForLoadState('networkidle');
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.ok(wide <= 1, `${path} is ${wide} px wider than the window`);
    }
  });

  clean();

  await t.test('the policy refuses what is not the page’s own', async () => {
    await page.goto(url);
    const blocked = await page.evaluate(
      () =>
        new Promise((resolve) => {
          const seen = [];
          document.addEventListener('securitypolicyviolation', (e) => {
            seen.push(e.effectiveDirective);
            if (seen.length === 3) resolve(seen.sort());
          });
          const script = document.createElement('script');
          script.textContent = 'window.inline = true';
          document.body.append(script);
          const style = document.createElement('style');
          style.textContent = 'body { color: red }';
          document.body.append(style);
          fetch('https://example.com/').catch(() => {});
          setTimeout(() => resolve(seen.sort()), 3000);
        }),
    );
    assert.deepEqual(blocked, ['connect-src', 'script-src-elem', 'style-src-elem']);
    assert.equal(await page.evaluate(() => window.inline), undefined);
  });
});
