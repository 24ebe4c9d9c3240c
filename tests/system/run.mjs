// SPDX-License-Identifier: Apache-2.0
// Runs the system tests: node run.mjs [--torture] [words of test names].  Starts a private PostgreSQL around itself where there is one.  All of them
// run as two halves side by side, every second file each, since most of a test is waiting.
import { spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const words = process.argv.slice(2).filter(a => !a.startsWith('--'));
const part = Number(process.argv.find(a => a.startsWith('--part='))?.slice(7));

async function inHalves() {
  const run = async k => {
    const child = spawn(process.execPath, [...process.argv.slice(1), `--part=${k}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let out = '';
    child.stdout.on('data', d => { out += d; });
    await new Promise(r => child.on('close', r));
    const said = out.match(/^(\d+) passed, (\d+) failed$/m);
    process.stdout.write(said ? out.replace(said[0], '').trimEnd() + '\n' : `${out}\nhalf ${k} ended without a word\n`);
    return said ? said.slice(1).map(Number) : [0, 1];
  };
  const [a, b] = await Promise.all([run(1), run(2)]);
  console.log(`${a[0] + b[0]} passed, ${a[1] + b[1]} failed`);
  process.exit(a[1] + b[1] ? 1 : 0);
}

if (!Object.keys(JSON.parse(fs.readFileSync(path.join(here, 'package.json'), 'utf8')).dependencies).every(d => fs.existsSync(path.join(here, 'node_modules', d)))) {
  const done = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--silent'], { cwd: here, stdio: 'inherit' });
  if (done.status !== 0) { console.log('npm ci failed\n0 passed, 1 failed'); process.exit(1); }
}
if (!part && !words.length && !process.argv.includes('--torture')) await inHalves();

if (!process.env.REEVE_TEST_PG_HOST && !process.env.REEVE_TEST_NO_PG) {
  const done = spawnSync(path.join(here, '../contract/with-postgres.sh'), [process.execPath, ...process.argv.slice(1)], { stdio: 'inherit' });
  if (done.status !== 77) process.exit(done.status ?? 1);
  console.log('no PostgreSQL here: the tests on it fail');
}

const lib = await import('./lib.mjs');
for (const [i, file] of fs.readdirSync(here).filter(f => /^\d\d-.*\.mjs$/.test(f)).sort().entries()) {
  if (part && i % 2 !== part - 1) continue;
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
