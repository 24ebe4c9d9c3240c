// SPDX-License-Identifier: Apache-2.0
// Crashes and faults: what was answered is there with exactly one event, and nothing else (I1, I10).
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Reeve, TORTURE, sleep, test, testOnEngines, until } from './lib.mjs';

const lines = (r, text) => (r.engine === 'sqlite' ? JSON.parse(r.sql(text) || '[]').map(x => x.v) : r.sql(text).trim().split('\n').filter(Boolean));
const hex = (r, c) => (r.engine === 'sqlite' ? `lower(hex(${c}))` : `encode(${c}, 'hex')`);

// Users are created, changed and deleted by `clients` at once until the server stops answering.  What was answered, by user id.
async function burst(r, clients, tag, until_) {
  const answered = { created: new Set(), patched: new Map(), deleted: new Set() };
  let n = 0, full = 0;
  const worker = async k => {
    const mine = [];
    for (;;) {
      try {
        const i = n++, name = `${tag}-${k}-${i}`;
        const a = await r.api('POST', '/v1.0/users', { body: { userPrincipalName: `${name}@burst.example`, displayName: name, mailNickname: 'b', accountEnabled: true }, timeout: 20000 });
        if (a.status === 201) { answered.created.add(a.json.id); mine.push(a.json.id); } else { full++; assert.equal(a.status, 507, a.text); assert.equal(a.json.error.code, 'InsufficientStorage'); }
        if (i % 3 === 0 && mine.length) {
          const id = mine.at(-1), value = `${tag} job ${i}`;
          const p = await r.api('PATCH', `/v1.0/users/${id}`, { body: { jobTitle: value } });
          if (p.status === 204) answered.patched.set(id, value); else assert.equal(p.status, 507, p.text);
        }
        if (i % 5 === 0 && mine.length) {
          const id = mine.shift();
          const d = await r.api('DELETE', `/v1.0/users/${id}`);
          if (d.status === 204) answered.deleted.add(id); else assert.equal(d.status, 507, d.text);
        }
        if (until_?.(n, full)) return;
      } catch (e) {
        if (e.code === 'ERR_ASSERTION') throw e;
        return; // the server is gone
      }
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, k) => worker(k)));
  return { ...answered, full };
}

// The invariant, over all that a table of users and a log hold.
function consistent(r, all) {
  const users = new Set(lines(r, `SELECT ${hex(r, 'user_id')} AS v FROM users`));
  const events = activity => lines(r, `SELECT ${hex(r, 'resource_id')} AS v FROM audit_events WHERE activity_type = '${activity}' AND result = 'Success'`);
  const created = events('create User'), deleted = events('delete User');
  assert.equal(new Set(created).size, created.length, 'one event a change');
  assert.equal(new Set(deleted).size, deleted.length);
  assert.deepEqual([...users].sort(), [...created].sort(), 'no user without its event, no event without its user');
  const gone = new Set(lines(r, `SELECT ${hex(r, 'user_id')} AS v FROM users WHERE deleted_at IS NOT NULL`));
  assert.deepEqual([...gone].sort(), [...deleted].sort());
  const jobs = new Map(lines(r, `SELECT ${hex(r, 'user_id')} || '=' || job_title AS v FROM users WHERE job_title IS NOT NULL`).map(v => [v.slice(0, 32), v.slice(33)]));
  const patches = events('patch User');
  assert.equal(new Set(patches).size, patches.length);
  assert.deepEqual([...jobs.keys()].sort(), patches.sort(), 'every change of a job title with its event');
  const raw = id => id.replaceAll('-', '');
  for (const a of all) {
    for (const id of a.created) assert.ok(users.has(raw(id)), `an answered user is lost: ${id}`);
    for (const [id, value] of a.patched) assert.equal(jobs.get(raw(id)), value, `an answered change is lost: ${id}`);
    for (const id of a.deleted) assert.ok(gone.has(raw(id)), `an answered deletion is lost: ${id}`);
  }
  const duties = lines(r, `SELECT ${hex(r, 'subject_id')} AS v FROM duties WHERE trigger_name = 'softDelete'`);
  assert.deepEqual(duties.sort(), [...gone].sort(), 'every deleted user has its duty');
}

testOnEngines('70 kill -9 in a burst of changes, again and again: every answer holds, with one event', async engine => {
  const r = await Reeve.make({ engine }), all = [];
  const rounds = TORTURE ? 200 : engine === 'sqlite' ? 10 : 4;
  let inFlight = 0;
  for (let i = 0; i < rounds; i++) {
    const clients = burst(r, 12, `k${i}`);
    await sleep(60 + Math.random() * 250);
    r.process.kill('SIGKILL');
    await r.ended;
    all.push(await clients);
    await r.serve();
    if (all.at(-1).created.size) inFlight++;
  }
  assert.ok(inFlight >= rounds / 2, 'the bursts did something');
  consistent(r, all);
  await until('all is sequenced', () => /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending')), { seconds: 90 }); // a killed server's lease runs out first
  const verify = r.cli('audit', 'verify', '--json');
  assert.equal(verify.code, 0, verify.err);
  const total = Number(lines(r, `SELECT count(*) AS v FROM audit_events WHERE tenant_id = ${engine === 'sqlite' ? `x'${r.tenant.replaceAll('-', '')}'` : `'\\x${r.tenant.replaceAll('-', '')}'`}`)[0]);
  assert.equal(verify.json.events, total, 'every event is in the log, once');
  console.log(`     ${rounds} kills, ${all.reduce((s, a) => s + a.created.size + a.patched.size + a.deleted.size, 0)} answered changes`);
});

const root = process.getuid() === 0;
test('70 a full disk in a burst: 507, nothing half done, and the server goes on when there is space', async () => {
  assert.ok(root, 'not run: only root can mount a small file system');
  const small = fs.mkdtempSync('/tmp/reeve-small-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'none', small]);
  try {
    const r = await Reeve.make({ parent: small });
    const ballast = path.join(small, 'ballast');
    // leave little
    const free = () => { const s = fs.statfsSync(small); return s.bavail * s.bsize; };
    const fillUp = leave => { const n = free() - leave; if (n > 0) fs.appendFileSync(ballast, Buffer.alloc(n)); };
    fillUp(600 * 1024);
    const a = await burst(r, 12, 'full', (n, full) => full >= 60 || n > 30000);
    assert.ok(a.full >= 60, `the disk did fill up (${a.created.size} created, ${free()} bytes free)`);
    assert.ok(a.created.size > 0);
    assert.equal(r.exit, undefined, 'the server lives');
    assert.equal((await r.api('GET', '/v1.0/users?$top=1')).status, 200, 'reading goes on');
    fs.rmSync(ballast);
    const again = await until('changes are taken again', async () => { const x = await r.api('POST', '/v1.0/users', { body: { userPrincipalName: 'after@burst.example', displayName: 'after', mailNickname: 'b', accountEnabled: true } }); return x.status === 201 && x.json.id; }, { seconds: 30 });
    a.created.add(again);
    consistent(r, [a]);
    await until('all is sequenced', () => /^\[\{"n":0\}\]\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending')), { seconds: 30 });
    assert.equal(r.cli('audit', 'verify').code, 0);
    // killed while it is full
    fillUp(0);
    const b = await burst(r, 4, 'again', (n, full) => full >= 8 || n > 20000);
    r.process.kill('SIGKILL');
    await r.ended;
    fs.rmSync(ballast);
    await r.serve();
    consistent(r, [a, b]);
    assert.equal(r.cli('audit', 'verify').code, 0);
    await r.remove();
  } finally {
    for (const x of Reeve.all) await x.stop('SIGKILL').catch(() => {});
    spawnSync('umount', ['-l', small]);
    fs.rmSync(small, { recursive: true, force: true });
  }
});

test('70 a failing fdatasync: the server says that it does not know and ends; what it answered holds', async () => {
  if (!TORTURE && process.env.REEVE_TEST_STRACE === '0') return;
  const r = await Reeve.make(), all = [];
  await r.stop();
  for (const when of TORTURE ? [20, 41, 63, 97, 150] : [30]) {
    await r.serve(0, { prefix: ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=EIO:when=${when}+`] });
    const statuses = new Set();
    const answered = new Set();
    let n = 0;
    await Promise.all(Array.from({ length: 6 }, async () => {
      while (n < 3000) {
        const name = `io${when}-${n++}`;
        const a = await r.api('POST', '/v1.0/users', { body: { userPrincipalName: `${name}@burst.example`, displayName: name, mailNickname: 'b', accountEnabled: true }, timeout: 15000 }).catch(() => null);
        if (!a) return;
        statuses.add(a.status);
        if (a.status === 201) answered.add(a.json.id);
        if (statuses.has(503) && r.exit) return;
      }
    }));
    const end = await Promise.race([r.ended, sleep(20000)]);
    assert.ok(end, `the server ends after a failed fdatasync (${[...statuses]})`);
    assert.notEqual(end.code, 0);
    assert.ok([...statuses].every(s => s === 201 || s === 503), [...statuses].join(' '));
    all.push({ created: answered, patched: new Map(), deleted: new Set() });
    await r.serve();
    consistent(r, all);
    assert.equal(r.cli('audit', 'verify').code, 0);
    await r.stop();
  }
});
