// SPDX-License-Identifier: Apache-2.0
// Faults of the erasure engine: killed at any moment, a ledger that cannot be written.  Every duty ends certified, ledger and database agree, and
// nobody else's row is touched.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { drain, fill, mount, unmount } from './disk.mjs';
import { Reeve, TORTURE, sleep, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const rows = (r, text) => (r.engine === 'sqlite' ? JSON.parse(r.sql(text) || '[]').map(x => x.v) : r.sql(text).trim().split('\n').filter(Boolean));
const hex = (r, c) => (r.engine === 'sqlite' ? `lower(hex(${c}))` : `encode(${c}, 'hex')`);
const ledger = r => fs.readFileSync(path.join(r.dir, 'keeper/ledger'), 'utf8').trim().split('\n').filter(Boolean).map(l => JSON.parse(l).entry);
const raw = id => id.replaceAll('-', '');

// All of a user and their device, as one hash.
function neighbour(r, user, device) {
  const literal = id => (r.engine === 'sqlite' ? `x'${raw(id)}'` : `'\\x${raw(id)}'`);
  const all = r.sql(`SELECT * FROM users WHERE user_id = ${literal(user)}`) + r.sql(`SELECT * FROM managed_devices WHERE device_id = ${literal(device)}`) +
    r.sql(`SELECT * FROM detected_apps WHERE device_id = ${literal(device)} ORDER BY 1, 2, 3`) + r.sql(`SELECT * FROM device_certificates WHERE device_id = ${literal(device)}`);
  return crypto.createHash('sha256').update(all).digest('hex');
}

async function crowd(r, n) {
  const w = { all: [] };
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { eraseBurstPeople: 1000 } }); // the brake waits for a person
  w.stays = await r.user('stays@acme.example', { city: 'CRASHSTAYS' });
  w.device = await r.device('stays@acme.example', 'personal');
  for (let i = 0; i < n; i++) w.all.push(await r.user(`gone${i}@acme.example`, { city: `CRASHGONE${i}.` }));
  w.before = neighbour(r, w.stays.id, w.device.id);
  return w;
}

// What holds after every fault.
async function sound(r, w) {
  await until('every duty is certified', () => rows(r, "SELECT state AS v FROM duties WHERE state NOT IN ('scrubbed', 'copies_gone')").length === 0, { seconds: 90 });
  assert.equal(neighbour(r, w.stays.id, w.device.id), w.before, 'nobody else was touched');
  const left = new Set(rows(r, `SELECT ${hex(r, 'user_id')} AS v FROM users`));
  for (const u of w.all) assert.ok(!left.has(raw(u.id)), 'gone');
  const duties = rows(r, `SELECT ${hex(r, 'duty_id')} AS v FROM duties`), entries = ledger(r).map(e => raw(e.dutyId));
  assert.equal(duties.length, w.all.length);
  assert.deepEqual([...new Set(entries)].sort(), duties.sort(), 'the ledger has each of them, and no other');
  const certificates = (await r.all(`${DM}/erasureCertificates`)).filter(c => c.kind === 'activeData');
  assert.deepEqual(certificates.map(c => raw(c.dutyId)).sort(), duties, 'one certificate each');
  assert.equal(r.cli('audit', 'check').code, 0);
  if (r.engine !== 'sqlite') return;
  await r.stop();
  for (let i = 0; i < w.all.length; i++) assert.ok(!r.bytesHave(`CRASHGONE${i}.`));
  assert.ok(r.bytesHave('CRASHSTAYS'));
}

async function erase(r, u) {
  await r.ok('DELETE', `/v1.0/users/${u.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`);
}

testOnEngines('76 kill -9 of the erasure engine, again and again: every duty ends certified', async engine => {
  const r = await Reeve.make({ engine }), w = await crowd(r, 8);
  let kills = 0;
  for (const u of w.all) await erase(r, u);
  for (let i = 0; i < (TORTURE ? 60 : 6); i++) {
    await sleep(Math.random() * (i % 2 ? 900 : 150));
    r.process.kill('SIGKILL');
    await r.ended;
    await r.serve();
    kills++;
  }
  await sound(r, w);
  console.log(`     ${kills} kills`);
});

test('76 a ledger that cannot be written: nothing goes until it can, loudly', async () => {
  const r = await Reeve.make(), w = await crowd(r, 4);
  await r.stop();
  for (const when of TORTURE ? ['1', '2', '1..3', '3+2'] : ['1..2']) {
    await r.serve(0, { prefix: ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path.join(r.dir, 'keeper/ledger'), '-e', 'trace=fdatasync,fsync', '-e', `inject=fdatasync,fsync:error=EIO:when=${when}`] });
    if (!w.asked) for (const u of w.all) await erase(r, u);
    const first = !w.asked;
    w.asked = true;
    await until('it is said', () => /erasure ledger could not be written/.test(r.log) || !first, { seconds: 40 });
    await sleep(first ? 0 : 1000);
    const begun = rows(r, "SELECT 1 AS v FROM duties WHERE state IN ('deleting', 'deleted', 'scrubbed', 'copies_gone')").length;
    assert.ok(begun <= ledger(r).length, 'no row goes before its entry is there');
    assert.equal(r.exit, undefined, 'the server lives');
    const strace = r.process.pid;
    process.kill(Number(fs.readFileSync(`/proc/${strace}/task/${strace}/children`, 'utf8').trim().split(' ')[0]), 'SIGTERM');
    await r.ended;
  }
  await r.serve();
  await sound(r, w);
});

test('76 a full disk in the middle of erasures: they wait, and go on when there is space', async () => {
  const small = fs.mkdtempSync('/tmp/reeve-small-');
  mount(small, '24m');
  try {
    const r = await Reeve.make({ parent: small }), w = await crowd(r, TORTURE ? 24 : 4);
    for (const [i, u] of w.all.entries()) {
      await erase(r, u);
      await sleep(Math.random() * 120); // anywhere between the first step and the last
      fill(small, i % 3 ? 0 : 40 * 1024);
      await sleep(TORTURE ? 2500 : 1500);
      assert.equal(r.exit, undefined, `the server lives: ${r.log.slice(-500)}`);
      assert.equal((await r.api('GET', '/v1.0/users?$top=1')).status, 200, 'reading goes on');
      drain(small);
    }
    await sound(r, w);
    assert.ok(!/erasure_residue|erasure_failed/.test(r.log), r.log);
    await r.remove();
  } finally { await unmount(small); }
});

test('76 a disk that fails in the middle of erasures: the server ends, and the next start goes on', async () => {
  const r = await Reeve.make(), w = await crowd(r, TORTURE ? 16 : 4);
  let ends = 0;
  await r.stop();
  for (const [i, u] of w.all.entries()) {
    const when = 14 + (TORTURE ? 3 * i : 9 * i); // past the start, at another step each time
    await r.serve(0, { prefix: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=EIO:when=${when}+`], ready: false });
    await Promise.race([r.ended, (async () => {
      for (let j = 0; j < 400 && !r.exit; j++, await sleep(50)) {
        const a = await r.api('DELETE', `/v1.0/users/${u.id}`, { timeout: 5000 }).catch(() => null);
        if (a && [204, 404].includes(a.status)) await r.api('DELETE', `/v1.0/directory/deletedItems/${u.id}`, { timeout: 5000 }).catch(() => null);
      }
    })()]);
    const end = await Promise.race([r.ended, sleep(20000)]);
    assert.ok(end && end.code !== 0, 'it says that it does not know, and ends');
    ends++;
  }
  await r.serve();
  for (const u of w.all) // what the disk refused is asked again
    if ((await r.api('DELETE', `/v1.0/users/${u.id}`)).status !== 401) await r.api('DELETE', `/v1.0/directory/deletedItems/${u.id}`);
  await sound(r, w);
  console.log(`     ${ends} ends`);
});
