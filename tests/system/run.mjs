// SPDX-License-Identifier: Apache-2.0
// Runs the system tests: node run.mjs [--torture] [words of test names].  Starts a private PostgreSQL around itself where there is one.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2).filter(a => !a.startsWith('--'));

if (!process.env.REEVE_TEST_PG_HOST && !process.env.REEVE_TEST_NO_PG) {
  const done = spawnSync(path.join(here, '../contract/with-postgres.sh'), [process.execPath, ...process.argv.slice(1)], { stdio: 'inherit' });
  if (done.status !== 77) process.exit(done.status ?? 1);
  console.log('no PostgreSQL here: the tests on it fail');
}
if (!Object.keys(JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8')).dependencies).every(d => fs.existsSync(path.join(here, 'node_modules', d)))) {
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd: here, stdio: 'inherit' });
  if (done.status !== 0) { console.log('npm ci failed\n0 passed, 1 failed'); process.exit(1); }
}

const lib = await import('./lib.mjs');
for (const file of fs.readdirSync(here).filter(f => /^\d\d-.*\.mjs$/.test(f)).sort()) {
  lib.inFile(file);
  await import(`./${file}`);
}

let passed = 0, failed = 0;
if (!process.env.REEVE_TEST_PG_HOST) failed++;
const removeAll = async keep => { for (const r of [...lib.Reeve.all]) if (!keep || !r.kept) await r.remove(); };
const chosen = lib.registered().filter(t => !words.length || words.every(w => `${t.file} ${t.name}`.includes(w)));
for (const [i, { name, fn, file }] of chosen.entries()) {
  const keep = chosen[i + 1]?.file === file, started = Date.now();
  try {
    await fn();
    await removeAll(keep);
    passed++;
    console.log(`ok   ${name} (${((Date.now() - started) / 1000).toFixed(1)} s)`);
  } catch (e) {
    failed++;
    console.log(`FAIL ${name}\n     ${String(e.stack ?? e).split('\n').slice(0, 12).join('\n     ')}`);
    for (const r of [...lib.Reeve.all]) {
      console.log(String(r.log ?? '').split('\n').filter(l => !l.includes('event=request')).slice(-15).map(l => `     | ${l}`).join('\n'));
      if (!keep || !r.kept) await r.remove().catch(() => {});
    }
  }
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
