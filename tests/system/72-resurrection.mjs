// SPDX-License-Identifier: Apache-2.0
// A restore brings nobody back: whoever was erased after a copy of the database was made is gone again before the first answer, with a signed
// report; a keeper that does not know of it is refused.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { REEVE, Reeve, TORTURE, freePorts, sanitizers, sleep, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const pg = (program, ...args) => execFileSync(program, ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
const hex = (r, id) => (r.engine === 'sqlite' ? `x'${id.replaceAll('-', '')}'` : `'\\x${id.replaceAll('-', '')}'`);
const count = (r, what) => { const t = r.sql(`SELECT count(*) AS n FROM ${what}`); return r.engine === 'sqlite' ? JSON.parse(t)[0].n : Number(t); };

// The database as it is now, and back to it: by hand, behind the server's back.
const copy = (r, file) => (r.engine === 'sqlite' ? fs.copyFileSync(path.join(r.dir, 'reeve.db'), file) : pg('pg_dump', '-Fc', '-f', file, r.pg.name));
function putBack(r, file) {
  if (r.engine === 'sqlite') {
    for (const f of r.files) fs.rmSync(f);
    fs.copyFileSync(file, path.join(r.dir, 'reeve.db'));
  } else {
    pg('dropdb', r.pg.name);
    pg('createdb', r.pg.name);
    pg('pg_restore', '-d', r.pg.name, file);
  }
}
// While it is stopped.
function change(r, sql) {
  if (r.engine === 'sqlite') execFileSync('sqlite3', [path.join(r.dir, 'reeve.db'), sql]);
  else pg('psql', '-qc', sql, r.pg.name);
}

// Asks for all of `paths` from the moment the listener opens: the first answers.  From another address: a port that nobody listens on yet may be
// the one that a connection comes from, and then it meets itself.
async function firstAnswers(r, paths) {
  await r.serve(0, { ready: false });
  const agent = new https.Agent({ ...r.trust, localAddress: '127.0.0.2' });
  return Promise.all(paths.map(async ([where, token]) => {
    for (let end = Date.now() + 60000; Date.now() < end; await sleep(3)) {
      const a = await r.api('GET', where, { token, agent, timeout: 5000 }).catch(() => null);
      if (a) return a.status;
      assert.ok(!r.exit, r.log);
    }
    return assert.fail(`${where} was not answered: ${r.log}`);
  }));
}

async function erase(r, u, o) {
  await r.ok('DELETE', `/v1.0/users/${u.id}`, o);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`, o);
}
const open = (r, types = "'user', 'device'") => count(r, `duties WHERE state NOT IN ('scheduled', 'scrubbed', 'copies_gone', 'cancelled') AND subject_type IN (${types})`);
const certified = (r, types) => until('every duty has its certificate', () => { assert.ok(!/erasure_residue|erasure_step/.test(r.log), r.log); return open(r, types) === 0; }, { seconds: 60 });

const verify = (file, ...more) => spawnSync(REEVE, ['restore', 'verify', file, ...more], { encoding: 'utf8', env: { ...process.env, ...sanitizers } });
// Every report: what it says of each entry; and its file verifies, and does not when a byte changes.
async function reports(r) {
  const list = await r.all('/v1.0/installation/restoreReports', { token: r.operatorToken });
  for (const one of list) {
    const file = path.join(r.dir, 'restore-reports', `${one.id}.json`), text = fs.readFileSync(file, 'utf8'), bad = path.join(r.tmp, 'changed.json');
    const done = verify(file);
    assert.equal(done.status, 0, done.stderr);
    assert.equal(verify(file, '--key', one.publicKey).status, 0);
    assert.notEqual(verify(file, '--key', Buffer.alloc(32, 1).toString('base64')).status, 0);
    for (const at of [text.indexOf('erasedAgain'), text.indexOf('"body":"') + 60, text.indexOf('"signature":"') + 20]) {
      fs.writeFileSync(bad, `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`);
      assert.notEqual(verify(bad).status, 0, `byte ${at}`);
    }
    assert.deepEqual(JSON.parse(text).report, one.report);
  }
  return list.map(x => x.report);
}

// Ann and her devices, a device of Bob's, and a tenant go; Bob and the other tenant stay.
async function people(r) {
  const w = { tenant: await r.secondTenant('Leaving') }, o = { token: w.tenant.token };
  w.ann = await r.user('ann@acme.example', { city: 'RESURANNCITY', mobilePhone: '+41 79 RESURANN' });
  w.bob = await r.user('bob@acme.example', { city: 'RESURBOBCITY' });
  w.lea = await r.user('lea@leaving.example', { city: 'RESURLEACITY' }, o);
  w.annsOwn = await r.device('ann@acme.example', 'personal');
  w.company = await r.device('ann@acme.example', 'company');
  w.bobsOld = await r.device('bob@acme.example', 'company');
  w.bobsOwn = await r.device('bob@acme.example', 'personal');
  for (const [d, note] of [[w.annsOwn, 'RESURANNOWN'], [w.company, 'RESURANNCOMPANY'], [w.bobsOld, 'RESURBOBOLD'], [w.bobsOwn, 'RESURBOBOWN']])
    await r.ok('PATCH', `${DM}/managedDevices/${d.id}`, { body: { notes: note } });
  return w;
}
// Gone from the rows, and so in the ledger; scrub and scan take their time on PostgreSQL.
const deleted = (r, n) => until('the rows are gone', () => count(r, "duties WHERE state IN ('deleted', 'scrubbed', 'copies_gone')") >= n, { seconds: 60 });
async function goodbye(r, w) {
  await erase(r, w.ann);
  await r.ok('POST', `${DM}/managedDevices/${w.bobsOld.id}/retire`);
  w.bobsOld.sync();
  await deleted(r, 3);
  await r.closeTenant(w.tenant);
  await r.stop();
  change(r, `UPDATE tenants SET purge_starts_at = 1 WHERE tenant_id = ${hex(r, w.tenant.id)}; UPDATE duties SET due_at = 1 WHERE subject_id = ${hex(r, w.tenant.id)}`);
  await r.serve();
  await until('the tenant is gone', () => count(r, `duties WHERE subject_type = 'tenant' AND state NOT IN ('deleted', 'scrubbed', 'copies_gone')`) === 0, { seconds: 60 });
  await r.stop();
}
const GONE = ['RESURANNCITY', 'RESURANN', 'RESURANNOWN', 'RESURANNCOMPANY', 'RESURBOBOLD', 'RESURLEACITY'], THERE = ['RESURBOBCITY', 'RESURBOBOWN'];

async function goneAgain(r, w) {
  const answers = await firstAnswers(r, [[`/v1.0/users/${w.ann.id}`, r.token], [`${DM}/managedDevices/${w.annsOwn.id}`, r.token], [`${DM}/managedDevices/${w.bobsOld.id}`, r.token],
    [`/v1.0/users/${w.lea.id}`, w.tenant.token], [`/v1.0/users/${w.bob.id}`, r.token]]);
  assert.deepEqual(answers.slice(0, 3), [404, 404, 404]);
  assert.ok([401, 403].includes(answers[3]), `nobody of the tenant is let in: ${answers[3]}`);
  assert.equal(answers[4], 200);
  assert.equal(count(r, `users WHERE user_id IN (${hex(r, w.ann.id)}, ${hex(r, w.lea.id)})`), 0);
  await certified(r);
  await until('the tenant is gone', () => count(r, `tenants WHERE tenant_id = ${hex(r, w.tenant.id)}`) === 0, { seconds: 60 });
  assert.match(r.log, /event=restore_replayed/);
  assert.equal(count(r, `audit_events WHERE tenant_id = ${hex(r, w.tenant.id)}`), 0, 'its log too');
  if (r.engine === 'sqlite') {
    await r.stop();
    for (const m of GONE) assert.ok(!r.bytesHave(m), m);
    for (const m of THERE) assert.ok(r.bytesHave(m), m);
    await r.serve();
    assert.ok(!/event=restore_replay/.test(r.log), 'once');
  }
  const device = await r.managed(w.company.id);
  assert.ok(!device.userPrincipalName && !device.notes, 'a company device stays, without her');
  assert.equal((await r.managed(w.bobsOwn.id)).notes, 'RESURBOBOWN');
  w.bobsOwn.sync();
}

testOnEngines('72 a database put back by hand: who was erased is gone before the first answer', async engine => {
  const r = await Reeve.make({ engine }), file = path.join(r.tmp, 'copy'), w = await people(r);
  await r.stop();
  copy(r, file);
  await r.serve();
  await goodbye(r, w);
  putBack(r, file);
  await goneAgain(r, w);
  const [report, ...more] = await reports(r);
  assert.equal(more.length, 0);
  assert.equal(report.format, 'reeve/restore-replay/v1');
  assert.equal(report.ledger.followed.sequence, 0);
  assert.equal(report.ledger.head.sequence, report.entryCount);
  const by = type => report.entries.filter(e => e.subjectType === type);
  assert.deepEqual(by('user').map(e => e.outcome), ['erasedAgain']);
  assert.ok(by('user')[0].rowsDeleted > 0 && by('user')[0].rowsChanged > 0);
  assert.deepEqual(by('tenant').map(e => [e.tenantId, e.outcome]), [[w.tenant.id, 'erasedAgain']]);
  assert.equal(by('device').length, 2, 'hers and the one that was retired');
  const events = [...await r.events("activityType eq 'replay Erasures'"), ...await r.events("activityType eq 'replay Erasures'", { token: r.operatorToken })];
  assert.equal(events.length, 2, 'in the log of the tenant and of the installation');
  for (const e of events) assert.equal(e.resources[0].resourceId, report.reportId);
  const duties = (await r.all(`${DM}/erasureDuties`)).filter(d => d.trigger === 'restoreReplay');
  assert.ok(duties.length >= 2 && duties.every(d => d.certificateId), 'certified like any other');
  assert.equal(r.cli('audit', 'check').code, 0);
});

test('72 kill -9 in the middle of a replay, again and again: it ends, once', async () => {
  const r = await Reeve.make(), file = path.join(r.tmp, 'copy'), all = [];
  for (let i = 0; i < 10; i++) all.push(await r.user(`gone${i}@acme.example`, { city: `RESURKILL${i}.` }));
  const stays = await r.user('stays@acme.example', { city: 'RESURSTAYS' });
  await r.stop();
  copy(r, file);
  await r.serve();
  for (const u of all) await erase(r, u);
  await certified(r);
  await r.stop();
  putBack(r, file);
  let kills = 0;
  for (let i = 0; i < (TORTURE ? 100 : 8); i++) {
    await r.serve(0, { ready: false });
    await until('the replay has begun', () => /event=restore_replay /.test(r.log) || r.exit || /event=ready/.test(r.log), { every: 1 });
    if (/event=ready/.test(r.log)) break;
    await sleep(Math.random() * 60);
    r.process.kill('SIGKILL');
    await r.ended;
    kills++;
  }
  if (r.process && !r.exit) await r.stop();
  const answers = await firstAnswers(r, [...all.map(u => [`/v1.0/users/${u.id}`, r.token]), [`/v1.0/users/${stays.id}`, r.token]]);
  assert.deepEqual(answers, [...all.map(() => 404), 200]);
  await certified(r);
  const list = await reports(r);
  assert.equal(list.length, 1, 'one report');
  assert.equal(list[0].entries.filter(e => e.outcome === 'erasedAgain').length >= 10, true);
  await r.stop();
  for (let i = 0; i < 10; i++) assert.ok(!r.bytesHave(`RESURKILL${i}.`));
  assert.ok(r.bytesHave('RESURSTAYS'));
  console.log(`     ${kills} kills`);
});

test('72 a keeper that is older than the database, another one, or one without a ledger is refused', async () => {
  const r = await Reeve.make(), other = await Reeve.make(), keeper = path.join(r.dir, 'keeper'), old = path.join(r.tmp, 'old');
  const refused = async (x, what) => {
    await x.serve(0, { ready: false });
    await x.ended;
    assert.notEqual(x.exit.code, 0);
    assert.match(x.log, what);
  };
  await erase(r, await r.user('first@acme.example'));
  await certified(r);
  await r.stop();
  execFileSync('cp', ['-a', keeper, old]);
  await r.serve();
  await erase(r, await r.user('second@acme.example'));
  await certified(r);
  await r.stop();
  const good = path.join(r.tmp, 'good');
  execFileSync('cp', ['-a', keeper, good]);
  fs.copyFileSync(path.join(old, 'ledger'), path.join(keeper, 'ledger'));
  await refused(r, /the erasure ledger ends at entry 1 and the database has followed it to entry 2/);
  fs.rmSync(path.join(keeper, 'ledger'));
  await refused(r, /ledger/);
  fs.writeFileSync(path.join(keeper, 'ledger'), '', { mode: 0o600 });
  await refused(r, /the erasure ledger ends at entry 0/);
  fs.copyFileSync(path.join(good, 'ledger'), path.join(keeper, 'ledger'));
  await r.serve();
  await r.stop();
  await other.stop(); // it was served once, so that its database knows its keeper
  for (const f of other.files) fs.rmSync(f);
  fs.copyFileSync(path.join(r.dir, 'reeve.db'), path.join(other.dir, 'reeve.db'));
  await refused(other, /another keeper/);
});

test('72 two servers on one PostgreSQL that went back: whoever starts second waits for the replay', async () => {
  if (!process.env.REEVE_TEST_PG_HOST) return;
  const a = await Reeve.make({ engine: 'postgres' }), b = new Reeve(), file = path.join(a.tmp, 'copy'), all = [];
  await a.stop();
  Reeve.all.add(b); // a copy of its data directory with its own listeners
  Object.assign(b, a, { tmp: fs.mkdtempSync('/tmp/reeve-sys-copy-'), port: await freePorts(), process: undefined, exit: undefined, log: '' });
  b.dir = path.join(b.tmp, 'data');
  execFileSync('cp', ['-a', a.dir, b.dir]);
  settings(b, `listen = 127.0.0.1:${b.port}`, `device_listen = 127.0.0.1:${b.port + 1}`);
  await b.serve();
  await b.stop();
  await a.serve();
  for (let i = 0; i < 8; i++) all.push(await a.user(`gone${i}@acme.example`));
  await a.stop();
  copy(a, file);
  await a.serve();
  for (const u of all) await erase(a, u);
  await deleted(a, all.length);
  await a.stop();
  putBack(a, file);
  const where = r => all.map(u => [`/v1.0/users/${u.id}`, r.token]), first = firstAnswers(a, where(a));
  await until('the replay has begun', () => /event=restore_replay /.test(a.log), { every: 5 });
  assert.deepEqual(await firstAnswers(b, where(b)), all.map(() => 404));
  assert.match(a.log, /event=restore_replayed/);
  assert.deepEqual(await first, all.map(() => 404));
  assert.equal(count(a, 'restore_reports'), 1);
  assert.equal(count(a, "duties WHERE trigger_name = 'restoreReplay' AND subject_type = 'user'"), all.length, 'each once');
});

// ---- reeve restore ----

const settings = (r, ...lines) => fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `${lines.join('\n')}\n`);
async function backup(r) {
  const before = new Set(fs.existsSync(path.join(r.tmp, 'backups')) ? fs.readdirSync(path.join(r.tmp, 'backups')) : []);
  const asked = r.cli('backup', 'create');
  assert.equal(asked.code, 0, asked.err);
  let name;
  await until('the backup is made', () => { name = fs.readdirSync(path.join(r.tmp, 'backups')).find(f => f.endsWith('.reeve') && !before.has(f)); return name; });
  return path.join(r.tmp, 'backups', name);
}
async function withBackups(more = []) {
  const r = await Reeve.make({ serve: false });
  fs.mkdirSync(path.join(r.tmp, 'backups'), { mode: 0o700 });
  settings(r, `backup_dir = ${path.join(r.tmp, 'backups')}`, 'backup_hours = 0', ...more);
  await r.serve();
  return r;
}

test('72 reeve restore: from a sealed copy, whole or not at all, and nobody comes back', async () => {
  const r = await withBackups(), w = await people(r), file = await backup(r), database = path.join(r.dir, 'reeve.db');
  await goodbye(r, w);
  const now = fs.readFileSync(database), restore = (...more) => r.cli('restore', ...more);
  const unchanged = () => { assert.ok(fs.readFileSync(database).equals(now)); assert.ok(!fs.existsSync(`${database}.new`)); };
  assert.match(restore(file).err, /reeve\.db is there: --replace/);
  const bytes = fs.readFileSync(file), bad = path.join(r.tmp, 'bad.reeve');
  for (const at of [3, 100, 150, Math.floor(bytes.length / 2), bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] ^= 1;
    fs.writeFileSync(bad, changed);
    assert.notEqual(restore(bad, '--replace').code, 0, `byte ${at}`);
    unchanged();
  }
  fs.writeFileSync(bad, bytes.subarray(0, bytes.length - 1000));
  assert.notEqual(restore(bad, '--replace').code, 0, 'cut short');
  unchanged();
  await r.serve();
  assert.match(restore(file, '--replace').err, /another server uses this data directory/);
  await r.stop();
  const keeper = path.join(r.dir, 'keeper'), ledger = fs.readFileSync(path.join(keeper, 'ledger'));
  const done = restore(file, '--replace');
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, /ledger {4}the copy was made at entry 0; \d+ came since/);
  assert.equal(fs.statSync(database).mode & 0o777, 0o600);
  assert.ok(!fs.existsSync(`${database}-wal`));
  await goneAgain(r, w);
  const [report] = await reports(r);
  assert.equal(report.ledger.followed.sequence, 0);
  const later = await backup(r); // of a database that has followed all of it
  await r.stop();
  fs.writeFileSync(path.join(keeper, 'ledger'), ledger.subarray(0, ledger.indexOf(10) + 1));
  const old = restore(later, '--replace', '--keep-old');
  assert.notEqual(old.code, 0);
  assert.match(old.err, /this keeper is older than the copy/);
  assert.ok(!fs.readdirSync(r.dir).some(f => /before/.test(f)));
});

test('72 a lost machine: the copy, and keys and ledger from the second place', async () => {
  const r = await withBackups(), place = path.join(r.tmp, 'place');
  await r.stop();
  fs.mkdirSync(place, { mode: 0o700 });
  settings(r, `keeper_copy = ${place}`);
  await r.serve();
  const gone = await r.user('gone@acme.example', { city: 'RESURLOSTGONE' }), stays = await r.user('stays@acme.example', { city: 'RESURLOSTSTAYS' });
  const file = await backup(r);
  await erase(r, gone);
  await certified(r);
  const origin = async () => (await r.api('GET', `${DM}/auditLog/checkpoint`)).text.split('\n')[0], before = await origin();
  await r.stop();
  for (const f of fs.readdirSync(r.dir)) // what a new machine has
    if (f !== 'reeve.conf' && f !== 'credentials') fs.rmSync(path.join(r.dir, f), { recursive: true });
  assert.notEqual(r.cli('restore', file).code, 0, 'without a keeper');
  const done = r.cli('restore', file, '--keeper', place);
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, /1 came since/);
  assert.match(r.cli('restore', file, '--keeper', place, '--replace').err, /there is a keeper in this data directory already/);
  const answers = await firstAnswers(r, [[`/v1.0/users/${gone.id}`, r.token], [`/v1.0/users/${stays.id}`, r.token]]);
  assert.deepEqual(answers, [404, 200]);
  await certified(r);
  assert.equal((await reports(r)).length, 1);
  await until('the log is signed', async () => (await r.api('GET', `${DM}/auditLog/checkpoint`)).status === 200);
  assert.notEqual(await origin(), before, 'what the lost keeper signed last is not known: a new origin');
  assert.equal(r.cli('audit', 'check').code, 0);
  await r.restart();
  assert.ok(!/audit_log_restored/.test(r.log), 'once');
});
