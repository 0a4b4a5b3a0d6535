// Writes .gz and .br beside each built file, and holds the budget: JavaScript of the first route at most 230 KB, each lazy chunk at most 220 KB,
// both gzipped.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const FIRST = 230 * 1024;
const LAZY = 220 * 1024;
const SMALL = 1024; // below it, compression gains nothing

const dist = new URL('../dist/', import.meta.url).pathname;
const assets = join(dist, 'assets');
const size = {};
for (const name of readdirSync(assets)) {
  if (/\.(gz|br)$/.test(name)) continue;
  const path = join(assets, name);
  const raw = readFileSync(path);
  if (!/\.(js|css|svg|json)$/.test(name)) continue;
  const gz = gzipSync(raw, { level: 9 });
  size[name] = gz.length;
  if (statSync(path).size < SMALL) continue;
  writeFileSync(`${path}.gz`, gz);
  writeFileSync(`${path}.br`, brotliCompressSync(raw, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: raw.length } }));
}
// go:embed needs one file in the folder also before the first build.
writeFileSync(join(dist, '.gitkeep'), '');

// What index.html names, the page at /, and what those files import without waiting, is loaded before the first page is seen.
const html = readFileSync(join(dist, 'index.html'), 'utf8');
const first = new Set();
const visit = (name) => {
  if (first.has(name)) return;
  first.add(name);
  for (const m of readFileSync(join(assets, name), 'utf8').matchAll(/(?:^|[;}\s])(?:import|export)\s*(?:[^'"()]*?from\s*)?["']\.\/([\w.-]+\.js)["']/g)) visit(m[1]);
};
for (const m of html.matchAll(/(?:src|href)="\/assets\/([\w.-]+\.js)"/g)) visit(m[1]);
const overview = Object.keys(size).find((name) => /^Overview-.*\.js$/.test(name));
if (overview) visit(overview);
const total = [...first].reduce((n, name) => n + size[name], 0);
const kb = (n) => `${(n / 1024).toFixed(1)} KB`;
console.log(`first route: ${kb(total)} of ${kb(FIRST)} gzipped JavaScript in ${first.size} files`);
const wrong = [];
if (first.size === 0) wrong.push('index.html names no script');
if (!overview) wrong.push('no chunk is named Overview, the page at /');
if (total > FIRST) wrong.push(`the first route needs ${kb(total)} of JavaScript, more than ${kb(FIRST)}`);
for (const [name, n] of Object.entries(size)) {
  if (!name.endsWith('.js') || first.has(name)) continue;
  if (n > LAZY) wrong.push(`${name} is ${kb(n)}, more than ${kb(LAZY)}`);
}
const lazy = Object.entries(size).filter(([name]) => name.endsWith('.js') && !first.has(name)).sort((a, b) => b[1] - a[1]);
for (const [name, n] of lazy.slice(0, 5)) console.log(`  lazy ${name}: ${kb(n)}`);
if (/<(script|style)(?![^>]*\bsrc=)[^>]*>[^<]/.test(html)) wrong.push('index.html holds an inline script or style, which the content security policy refuses');
for (const w of wrong) console.error(`budget: ${w}`);
process.exit(wrong.length ? 1 : 0);
