// What every browser test shares: a server of the built program in a folder of its own, a Chromium that calls nothing but that server, and axe.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { chromium } from 'playwright-core';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export const binary = process.env.OUTBAND_BIN ?? new URL('../../bin/outband', import.meta.url).pathname;
if (!existsSync(binary)) throw new Error(`${binary} is not there: run make build first`);

/** folder makes a folder that is removed when the tests of the file are over, and their servers with them: one that still runs writes into it. */
export function folder() {
  const dir = mkdtempSync(join(tmpdir(), 'outband-browser-'));
  process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Program is a started copy of the built program, whose printed lines can be waited for. */
export class Program {
  constructor(args, env = {}) {
    this.lines = [];
    this.errors = '';
    this.waiting = [];
    this.child = spawn(binary, args, { env: { PATH: process.env.PATH, HOME: tmpdir(), TZ: 'UTC', ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.exited = once(this.child, 'exit');
    this.child.stderr.on('data', (b) => (this.errors += b));
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.lines.push(line);
      this.waiting = this.waiting.filter((w) => !w(line));
    });
  }

  /** line waits for a printed line that matches, and returns the match. */
  line(pattern, ms = 60_000) {
    for (const l of this.lines) {
      const m = l.match(pattern);
      if (m) return Promise.resolve(m);
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no line like ${pattern} in ${ms} ms:\n${this.lines.join('\n')}\n${this.errors}`)), ms);
      this.waiting.push((l) => {
        const m = l.match(pattern);
        if (m) {
          clearTimeout(timer);
          resolve(m);
        }
        return m !== null;
      });
      this.exited.then(([code]) => {
        clearTimeout(timer);
        reject(new Error(`the program ended with ${code}:\n${this.lines.join('\n')}\n${this.errors}`));
      });
    });
  }

  /** stop ends the program by its process id and waits for it. */
  async stop() {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      const late = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
      await this.exited;
      clearTimeout(late);
    }
  }
}

/** start starts the program and stops it at the end of the test. */
export function start(t, args, env) {
  const p = new Program(args, env);
  t.after(() => p.stop());
  return p;
}

/** serve starts an empty server; its first admin is not made yet. */
export async function serve(t, { dir = folder(), env = {} } = {}) {
  const program = start(t, ['serve', '--listen', '127.0.0.1:0', '--data', dir], { OUTBAND_EGRESS_ALLOW: '127.0.0.0/8', OUTBAND_LOG_LEVEL: 'warn', ...env });
  const [, url] = await program.line(/^outband ready: (\S+)/);
  const [, setUp] = await program.line(/^set-up: open (\S+)/);
  return { program, url, setUp, dir };
}

/** simulator starts a simulated Claude organisation. keys are what its keys file may say. */
export async function simulator(t, args = []) {
  const program = start(t, ['simulator', 'claude', '--listen', '127.0.0.1:0', ...args]);
  const [, url] = await program.line(/(http:\/\/127\.0\.0\.1:\d+)/);
  return { program, url };
}

/** browse opens a browser whose every request to elsewhere is refused and noted, as are errors of the page and of its content security policy. */
export async function browse(t, { url, colorScheme = 'light', width = 1280, height = 800 } = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.OUTBAND_TEST_CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  t.after(() => browser.close());
  const context = await browser.newContext({ colorScheme, viewport: { width, height }, reducedMotion: 'reduce', timezoneId: 'Europe/Berlin', locale: 'en-GB' });
  context.setDefaultTimeout(20_000);
  const wrong = [];
  const page = await context.newPage();
  page.on('pageerror', (e) => wrong.push(`error: ${e.message}`));
  page.on('console', (m) => {
    // A refused call is written to the console by the browser itself; the page shows it as a problem, which tests look at.
    if (m.type() === 'error' && !/Failed to load resource/.test(m.text())) wrong.push(`console on ${new URL(page.url()).pathname}: ${m.text()}`);
  });
  page.on('request', (r) => {
    if (!r.url().startsWith(url) && !/^(data|blob|about):/.test(r.url())) wrong.push(`request to ${new URL(r.url()).host}`);
  });
  return {
    browser,
    context,
    page,
    /** clean fails if the page raised an error, broke its policy or called elsewhere. */
    clean() {
      assert.deepEqual(wrong, [], 'the page raised errors');
    },
  };
}

/** accessible fails on what axe calls serious or critical. */
export async function accessible(page, name) {
  // A transition in the middle has colours of neither state.
  await page.evaluate(() =>
    Promise.all(document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity).map((a) => a.finished.catch(() => {}))),
  );
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  const bad = violations
    .filter((v) => v.impact === 'serious' || v.impact === 'critical')
    .map((v) => `${v.id} (${v.impact}): ${v.help}\n${v.nodes.slice(0, 4).map((n) => `    ${n.target.join(' ')}: ${n.failureSummary?.split('\n').slice(1, 2).join(' ').trim()}`).join('\n')}`);
  if (bad.length > 0) throw new Error(`${name} is not accessible:\n${bad.join('\n')}`);
}

export const person = { name: 'First Admin', email: 'admin@example.com', password: 'made-up words for a test' };

/** setUp makes the first admin in the page and leaves the browser signed in. */
export async function setUpInPage(page, link) {
  await page.goto(link);
  await page.getByLabel('Your name').fill(person.name);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password', { exact: true }).fill(person.password);
  await page.getByRole('button', { name: 'Make the first admin' }).click();
  await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor();
}
