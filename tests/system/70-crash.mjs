// SPDX-License-Identifier: Apache-2.0
// Crashes and faults: what was answered is there with exactly one event, and nothing else (I1, I10), and whatever checkpoint was ever shown is
// one of the log's (I3).
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fill, free, mount, root, unmount } from './disk.mjs';
import { Heads, checkpoint, settled, treeIn } from './heads.mjs';
import { MovedPostgres, Reeve, TORTURE, sleep, test, testOnEngines, until } from './lib.mjs';
import { checkpointOf } from './tlog.mjs';

const lines = (r, text) => (r.engine === 'sqlite' ? JSON.parse(r.sql(text) || '[]').map(x => x.v) : r.sql(text).trim().split('\n').filter(Boolean));
const hex = (r, c) => (r.engine === 'sqlite' ? `lower(hex(${c}))` : `encode(${c}, 'hex')`);

// Users are created, changed and deleted by `clients` at once until the server stops answering.  What was answered, by user id.  A refusal is
// one of `may`: 507 says that nothing was changed, 503 that it is not known.
async function burst(r, clients, tag, until_, may = [507]) {
  const refused = a => { full++; assert.ok(may.includes(a.status), `${a.status} ${a.text}`); assert.equal(a.json.error.code, a.status === 507 ? 'InsufficientStorage' : 'ServiceUnavailable'); };
  const answered = { created: new Set(), patched: new Map(), deleted: new Set() };
  let n = 0, full = 0;
  const worker = async k => {
    const mine = [];
    for (;;) {
      try {
        const i = n++, name = `${tag}-${k}-${i}`;
        const a = await r.api('POST', '/v1.0/users', { body: { userPrincipalName: `${name}@burst.example`, displayName: name, mailNickname: 'b', accountEnabled: true }, timeout: 20000 });
        if (a.status === 201) { answered.created.add(a.json.id); mine.push(a.json.id); } else refused(a);
        if (i % 3 === 0 && a.status === 201) { // each at most once, so that the events can be counted
          const id = mine.at(-1), value = `${tag} job ${i}`;
          const p = await r.api('PATCH', `/v1.0/users/${id}`, { body: { jobTitle: value } });
          if (p.status === 204) answered.patched.set(id, value); else refused(p);
        }
        if (i % 5 === 0 && mine.length) {
          const id = mine.shift();
          const d = await r.api('DELETE', `/v1.0/users/${id}`);
          if (d.status === 204) answered.deleted.add(id); else refused(d);
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

// What holds after every fault: the changes and their events, the log over them, every head that was ever shown.
async function sound(r, all, heads) {
  consistent(r, all);
  const end = await settled(r, 60), tree = treeIn(r);
  await heads.stop();
  assert.deepEqual(heads.origins(), [end.origin], 'nothing went back, so the origin is the same');
  assert.equal(tree.root(end.size).toString('base64'), end.root.toString('base64'));
  const shown = heads.areOf(tree, end.origin);
  assert.equal(r.cli('audit', 'list').code, 0); // its sign-in and its reading are events of their own
  await settled(r, 60);
  const check = r.cli('audit', 'check', '--json');
  assert.equal(check.code, 0, check.err);
  const tenant = r.engine === 'sqlite' ? `x'${r.tenant.replaceAll('-', '')}'` : `'\\x${r.tenant.replaceAll('-', '')}'`;
  assert.equal(check.json.events, Number(lines(r, `SELECT count(*) AS v FROM audit_events WHERE tenant_id = ${tenant}`)[0]), 'every event is in the log, once');
  return shown;
}
const answers = all => all.reduce((s, a) => s + a.created.size + a.patched.size + a.deleted.size, 0);

testOnEngines('70 kill -9 in a burst of changes, again and again: every answer holds, with one event, every head too', async engine => {
  const r = await Reeve.make({ engine }), all = [], heads = new Heads();
  await settled(r);
  await heads.trust(r);
  heads.watch(r, 25);
  const rounds = TORTURE ? 200 : 10;
  let inFlight = 0;
  for (let i = 0; i < rounds; i++) {
    const clients = burst(r, 12, `k${i}`);
    await sleep(60 + Math.random() * 700); // in the middle of signing, too
    r.process.kill('SIGKILL');
    await r.ended;
    all.push(await clients);
    await r.serve();
    if (all.at(-1).created.size) inFlight++;
  }
  assert.ok(inFlight >= rounds / 2, 'the bursts did something');
  const shown = await sound(r, all, heads);
  assert.ok(shown >= rounds / 2, `${shown} heads`);
  console.log(`     ${rounds} kills, ${answers(all)} answered changes, ${shown} heads`);
});

test('70 the keeper on a full disk: changes go on, nothing is signed, loudly; with space again everything is', async () => {
  const small = fs.mkdtempSync('/tmp/reeve-small-'), heads = new Heads();
  try {
    const r = await Reeve.make({ serve: false });
    mount(small, '2m');
    execFileSync('cp', ['-a', path.join(r.dir, 'keeper'), small]);
    fs.rmSync(path.join(r.dir, 'keeper'), { recursive: true });
    fs.symlinkSync(path.join(small, 'keeper'), path.join(r.dir, 'keeper'));
    await r.serve();
    await settled(r);
    await heads.trust(r);
    heads.watch(r);
    fill(small, 0);
    const head = async () => checkpointOf((await checkpoint(r)).text), all = [];
    let stuck, tries = 0;
    do { // the last page of the file still takes a few heads
      all.push(await burst(r, 4, `full${tries}`, n => n > 100, []));
      stuck = await head();
      await r.user(`stuck${tries}@acme.example`);
      await sleep(1500);
    } while ((await head()).size !== stuck.size && ++tries < 30);
    assert.ok(tries < 30, 'nothing is signed any more');
    assert.match(r.log, /event=job_failed job=sequencer error=STORAGE_FULL/);
    r.process.kill('SIGKILL'); // and a start with little space
    await r.ended;
    fs.rmSync(path.join(small, 'ballast'));
    fill(small, 64 * 1024);
    await r.serve();
    fs.rmSync(path.join(small, 'ballast'));
    const end = await settled(r, 20);
    assert.ok(end.size > stuck.size);
    assert.ok(answers(all) > 0);
    await heads.stop();
    heads.areOf(treeIn(r), end.origin);
    assert.deepEqual(heads.origins(), [end.origin]);
    assert.equal(r.cli('audit', 'check').code, 0);
    await r.remove();
  } finally { await unmount(small); }
});

test('70 an I/O error of the keeper: nothing is signed that is not on disk, and its file is written anew', async () => {
  const r = await Reeve.make(), all = [], heads = new Heads();
  await settled(r);
  await heads.trust(r);
  heads.watch(r);
  await r.stop();
  for (const when of TORTURE ? ['1..3', '2', '3+4', '5..9', '7'] : ['2..3']) {
    await r.serve(0, { prefix: ['strace', '-f', '-qq', '-o', '/dev/null', '-P', path.join(r.dir, 'keeper/heads'), '-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=EIO:when=${when}`] });
    all.push(await burst(r, 4, `eio${when.replace(/\W/g, '-')}`, n => n > 400 && /keeper's heads/.test(r.log), []));
    assert.match(r.log, /keeper's heads could not be written/);
    assert.equal(r.exit, undefined, 'the server lives');
    await settled(r);
    const strace = r.process.pid;
    process.kill(Number(fs.readFileSync(`/proc/${strace}/task/${strace}/children`, 'utf8').trim().split(' ')[0]), 'SIGTERM');
    await r.ended;
  }
  await r.serve();
  await sound(r, all, heads);
});

// A PostgreSQL server of the test's own whose disk fails or fills.
class FailingPostgres extends MovedPostgres {
  constructor(size) {
    super(false);
    if (size) { mount(this.host, size); execFileSync('chown', ['postgres', this.host]); }
    this.mounted = !!size;
    this.init(['--wal-segsize=1'], "max_wal_size = 8MB\nmin_wal_size = 2MB\nfsync = on\nrestart_after_crash = on\nlog_min_messages = fatal\n");
  }
  start(prefix = []) {
    const argv = [...(root ? ['runuser', '-u', 'postgres', '--'] : []), ...prefix, `${this.bin}/postgres`, '-D', `${this.host}/data`];
    this.process = spawn(argv[0], argv.slice(1), { stdio: ['ignore', 'ignore', 'ignore'], cwd: '/' });
    this.gone = new Promise(r => this.process.on('exit', r));
  }
  ask(text, name = 'postgres') { return spawnSync('psql', ['-h', this.host, '-U', 'postgres', '-qAtc', text, name], { encoding: 'utf8' }); }
  ready() { return until('PostgreSQL serves', () => this.ask('SELECT 1').status === 0, { seconds: 60 }); }
  async end() {
    try { this.as('pg_ctl', ['-D', `${this.host}/data`, '-m', 'immediate', '-w', '-t', '20', 'stop']); } catch { /* it had ended by itself */ }
    await Promise.race([this.gone, sleep(20000)]);
  }
  async remove() { await this.end(); if (this.mounted) await unmount(this.host); else fs.rmSync(this.host, { recursive: true, force: true }); }
  async reeve(name) {
    const r = await Reeve.make({ database: this.database(name) });
    return Object.assign(r, { engine: 'postgres', pg: { name, host: this.host } });
  }
}

test('70 PostgreSQL on a full disk: what was answered holds, and it goes on when there is space', async () => {
  if (!process.env.REEVE_TEST_PG_HOST) return;
  const pg = new FailingPostgres('160m'), heads = new Heads(), all = [];
  try {
    pg.start();
    await pg.ready();
    const r = await pg.reeve('filled');
    await settled(r);
    await heads.trust(r);
    heads.watch(r);
    for (let round = 0; round < (TORTURE ? 12 : 2); round++) {
      fill(pg.host, (2 + round % 3) << 20);
      all.push(await burst(r, 8, `f${round}`, (n, full) => full >= 30 || n > 20000, [507, 503]));
      assert.ok(all.at(-1).full >= 30, `the disk did fill up (${answers(all)} answered, ${free(pg.host)} bytes free)`);
      assert.equal(r.exit, undefined, 'the server lives');
      fs.rmSync(path.join(pg.host, 'ballast'));
      if (await Promise.race([pg.gone.then(() => true), sleep(1500).then(() => false)])) pg.start(); // where it could not even recover it ends
      await pg.ready();
      await until('changes are taken again', async () => {
        const x = await r.api('POST', '/v1.0/users', { body: { userPrincipalName: `after${round}@burst.example`, displayName: 'after', mailNickname: 'b', accountEnabled: true } }).catch(() => ({}));
        if (x.status === 201) all.at(-1).created.add(x.json.id);
        return x.status === 201;
      }, { seconds: 60 });
    }
    const shown = await sound(r, all, heads);
    console.log(`     ${answers(all)} answered changes, ${shown} heads`);
    await r.remove();
  } finally { await pg.remove(); }
});

test('70 I/O errors of PostgreSQL: it crashes and recovers, Reeve goes on, and what was answered holds', async () => {
  if (!process.env.REEVE_TEST_PG_HOST) return;
  const pg = new FailingPostgres(), heads = new Heads(), all = [];
  try {
    pg.start();
    await pg.ready();
    const r = await pg.reeve('failing');
    await settled(r);
    await heads.trust(r);
    heads.watch(r);
    for (const when of TORTURE ? [5, 11, 17, 29, 41, 60, 83, 120] : [25]) {
      await pg.end();
      pg.start(['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'trace=fdatasync', '-e', `inject=fdatasync:error=EIO:when=${when}`]);
      await pg.ready();
      const began = Date.now();
      all.push(await burst(r, 8, `e${when}`, (n, full) => Date.now() - began > 6000, [507, 503]));
      assert.ok(all.at(-1).full > 0, 'some commits did fail');
      assert.equal(r.exit, undefined, 'the server lives');
    }
    await pg.end();
    pg.start();
    await pg.ready();
    await until('changes are taken again', async () => {
      const x = await r.api('POST', '/v1.0/users', { body: { userPrincipalName: 'after@burst.example', displayName: 'after', mailNickname: 'b', accountEnabled: true } }).catch(() => ({}));
      if (x.status === 201) all.at(-1).created.add(x.json.id);
      return x.status === 201;
    }, { seconds: 60 });
    const shown = await sound(r, all, heads);
    console.log(`     ${answers(all)} answered changes, ${all.reduce((s, a) => s + a.full, 0)} refused, ${shown} heads`);
    await r.remove();
  } finally { await pg.remove(); }
});

test('70 a full disk in a burst: 507, nothing half done, and the server goes on when there is space', async () => {
  const small = fs.mkdtempSync('/tmp/reeve-small-'), heads = new Heads();
  mount(small, '6m');
  try {
    const r = await Reeve.make({ parent: small });
    await settled(r);
    await heads.trust(r);
    heads.watch(r);
    fill(small, 600 * 1024);
    const a = await burst(r, 12, 'full', (n, full) => full >= 60 || n > 30000);
    assert.ok(a.full >= 60, `the disk did fill up (${a.created.size} created, ${free(small)} bytes free)`);
    assert.ok(a.created.size > 0);
    assert.equal(r.exit, undefined, 'the server lives');
    assert.equal((await r.api('GET', '/v1.0/users?$top=1')).status, 200, 'reading goes on');
    fs.rmSync(path.join(small, 'ballast'));
    const again = await until('changes are taken again', async () => { const x = await r.api('POST', '/v1.0/users', { body: { userPrincipalName: 'after@burst.example', displayName: 'after', mailNickname: 'b', accountEnabled: true } }); return x.status === 201 && x.json.id; }, { seconds: 30 });
    a.created.add(again);
    consistent(r, [a]);
    await settled(r);
    assert.equal(r.cli('audit', 'check').code, 0);
    // killed while it is full
    fill(small, 0);
    const b = await burst(r, 4, 'again', (n, full) => full >= 8 || n > 20000);
    r.process.kill('SIGKILL');
    await r.ended;
    fs.rmSync(path.join(small, 'ballast'));
    await r.serve();
    await sound(r, [a, b], heads);
    await r.remove();
  } finally { await unmount(small); }
});

test('70 a failing fdatasync: the server says that it does not know and ends; what it answered holds', async () => {
  if (!TORTURE && process.env.REEVE_TEST_STRACE === '0') return;
  const r = await Reeve.make(), all = [], heads = new Heads();
  await settled(r);
  await heads.trust(r);
  heads.watch(r);
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
    await r.stop();
  }
  await r.serve();
  await sound(r, all, heads);
});
