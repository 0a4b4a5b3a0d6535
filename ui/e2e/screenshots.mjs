// Makes the README's pictures from the demo: docs/images/*.png. With --all, every page in both schemes, into the folder that follows.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { browse, Program } from './browser.mjs';

const all = process.argv.indexOf('--all');
const to = all > 0 ? process.argv[all + 1] : new URL('../../docs/images/', import.meta.url).pathname;
mkdirSync(to, { recursive: true });

// The helpers of the tests clean up through the test's context; here at the end of this script.
const cleanups = [];
const t = { after: (f) => cleanups.unshift(f) };
const dir = mkdtempSync(join(tmpdir(), 'outband-pictures-'));
t.after(() => rmSync(dir, { recursive: true, force: true }));

const pages = [
  ['overview', '/', ['light', 'dark']],
  ['findings', '/findings?sort=-severity', ['light']],
  ['finding', 'open', ['dark']],
  ['connections', '/connections', []],
  ['connection', 'first', []],
  ['wizard', 'wizard', ['light']],
  ['coverage', '/coverage', []],
  ['records', 'records', []],
  ['destinations', '/destinations', []],
  ['destination', 'destination', []],
  ['policies', '/policies', []],
  ['detectors', '/detectors', []],
  ['profiles', '/profiles', []],
  ['settings', '/settings', []],
  ['users', '/users', []],
  ['tokens', '/tokens', []],
  ['audit', '/audit', []],
  ['sign-in', '/sign-in', []],
  ['narrow', 'narrow', []],
];

try {
  const demo = new Program(['demo', '--listen', '127.0.0.1:0', '--data', join(dir, 'data'), '--live=false']);
  t.after(() => demo.stop());
  const [, link] = await demo.line(/(http:\/\/\S+\/sign-in#token=\S+)/);
  await demo.line(/^demo ready:/);
  const [, simulator] = await demo.line(/simulator\s+(http:\/\/\S+)/);
  const base = new URL(link).origin;
  const { page } = await browse(t, { url: base, width: 1360, height: 850 });
  await page.goto(link);
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
  const get = async (path) => (await page.request.get(base + '/api/v1' + path)).json();
  for (const [name, path, wanted] of pages) {
    for (const scheme of all > 0 ? ['light', 'dark'] : wanted) {
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
      let address = path;
      if (path === 'open') address = `/findings?sort=-severity&open=${(await get('/findings?limit=1&sort=-severity&kind=content')).items[0].id}`;
      if (path === 'first') address = `/connections/${(await get('/connections')).items[0].id}`;
      if (path === 'records') address = `/connections/${(await get('/connections')).items[0].id}/records`;
      if (path === 'destination') address = `/destinations/${(await get('/destinations')).items[0].id}`;
      if (path === 'wizard') address = '/connections/new';
      if (path === 'narrow') address = '/findings';
      await page.setViewportSize(path === 'narrow' ? { width: 400, height: 850 } : { width: 1360, height: 850 });
      await page.goto(base + address);
      if (path === 'wizard') await fillWizard(page, simulator);
      await page.waitForLoadState('networkidle');
      await page.evaluate(() => document.fonts.ready);
      await page.waitForTimeout(400); // The chart's library is a chunk of its own and draws after it has come.
      await page.screenshot({ path: join(to, `${name}-${scheme}.png`) });
    }
  }
  console.log(`pictures are in ${to}`);
} finally {
  for (const f of cleanups) await f();
}

/** fillWizard goes to the step with the test's result, with a key of the simulator that lacks scopes, so that the test has something to say. */
async function fillWizard(page, simulator) {
  await page.getByRole('button', { name: /Claude/ }).first().click();
  await page.getByLabel('Compliance Access Key').fill('sk-ant-api01-DEMO-activities-only-NOT-A-REAL-KEY');
  await page.getByRole('button', { name: /settings/i }).first().click();
  await page.getByLabel('Base URL').fill(simulator);
  await page.getByRole('button', { name: /^Test/ }).click();
  await page.getByText('OB-2007').first().waitFor();
}
