// SPDX-License-Identifier: Apache-2.0
// Witnesses: what they cosign is served, what they refuse changes nothing, and they know of a log that was put back as a whole.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Reeve, sleep, test, testOnEngines, until } from './lib.mjs';
import { Tree, checkpointOf, noteOf, privateKey, rawPublic, signNote, signedBy, vkey } from './tlog.mjs';
import { Witness } from './witness.mjs';
import { DM } from './world.mjs';

const get = async (r, what, o) => (await r.api('GET', `/log/${r.tenant}/${what}`, o)).text;
const served = async r => { const x = await r.api('GET', `/log/${r.tenant}/checkpoint`); return x.status === 200 ? checkpointOf(x.text) : { size: 0 }; };
const metric = async (r, name, w) => Number(new RegExp(`^reeve_witness_${name}\\{witness="${w.name}"\\} (\\d+)$`, 'm').exec((await r.api('GET', '/metrics', { token: r.operatorToken })).text)?.[1]);
const cosigned = (r, w, { seconds = 20, past = 0 } = {}) => until(`${w.name} has cosigned the newest checkpoint`, async () => {
  const text = await get(r, 'checkpoint');
  return checkpointOf(text).size > past && signedBy(text, w.vkey) && text;
}, { seconds, every: 100 });

// A server whose logs are known to the witnesses before it meets them: the tenant's and the installation's.
async function introduced(engine, witnesses, policy = `${witnesses.map(w => w.line).join('')}quorum none\n`) {
  const r = await Reeve.make({ engine });
  await until('the first checkpoint', async () => (await served(r)).size > 0);
  await until('the installation\'s', async () => (await r.api('GET', '/log/00000000-0000-0000-0000-000000000000/checkpoint', { token: r.operatorToken })).status === 200);
  const keys = [await get(r, 'key'), (await r.api('GET', '/log/00000000-0000-0000-0000-000000000000/key', { token: r.operatorToken })).text];
  for (const w of witnesses) for (const k of keys) w.trust(k);
  await r.stop();
  fs.writeFileSync(path.join(r.dir, 'witness.policy'), policy);
  await r.serve();
  return r;
}
const witness = async (name, ...trusted) => {
  const dir = fs.mkdtempSync('/tmp/reeve-witness-'), w = new Witness(name, path.join(dir, 'state'));
  made.push({ w, dir });
  for (const k of trusted) w.trust(k);
  return w.start();
};
const made = [];
const cleaned = fn => async (...args) => {
  try { await fn(...args); } finally { for (const { w, dir } of made.splice(0)) { await w.stop(); fs.rmSync(dir, { recursive: true, force: true }); } }
};
let n = 0;
const change = r => r.group(`W ${++n}`);
const grown = async (r, w) => { const past = (await served(r)).size; await change(r); return cosigned(r, w, { past }); };

testOnEngines('53 a witness cosigns a growing log, loses its memory or its place, and comes back', cleaned(async engine => {
  const w = await witness('witness.example/one'), r = await introduced(engine, [w]), origin = `127.0.0.1/log/${r.tenant}`;
  await cosigned(r, w);
  for (let i = 0; i < 5; i++) { await Promise.all([change(r), change(r), change(r)]); await sleep(150); }
  const note = await grown(r, w), head = checkpointOf(note);
  assert.ok(signedBy(note, await get(r, 'key')));
  assert.equal(noteOf(note).lines.length, 2);
  assert.equal(w.last(origin).size, head.size);
  assert.ok(w.statuses().filter(s => s === 200).length >= 3);
  assert.deepEqual(w.statuses().filter(s => ![200, 409].includes(s)), []);
  assert.equal(await get(r, 'witnessed'), note);
  const s = await r.get(`${DM}/auditLog`);
  assert.deepEqual([s.witnesses.length, s.witnesses[0].name, s.witnesses[0].cosignedSize], [1, w.name, head.size]);
  assert.ok(Date.parse(s.witnesses[0].cosignedDateTime) > Date.now() - 60000);
  assert.ok(await metric(r, 'cosignatures_total', w) >= 3 && await metric(r, 'failures_total', w) === 0 && await metric(r, 'lag_seconds', w) === 0);

  // a fork, signed with a copy of the key
  const seed = Buffer.from(/^signing\.key ([0-9a-f]{64})/m.exec(fs.readFileSync(path.join(r.dir, 'keeper/signing.key'), 'utf8'))[1], 'hex');
  const forged = privateKey(seed);
  assert.equal(rawPublic(forged).toString('hex'), vkey(await get(r, 'key')).raw.toString('hex'));
  const fork = new Tree(Array.from({ length: head.size + 3 }, (_, i) => Buffer.alloc(32, i)));
  for (const size of [head.size, head.size + 3]) {
    const text = `${origin}\n${size}\n${fork.root(size).toString('base64')}\n`;
    const x = await fetch(`${w.url}/add-checkpoint`, { method: 'POST', body: `old ${head.size}\n${fork.consistency(head.size, size).map(h => `${h.toString('base64')}\n`).join('')}\n${signNote(text, origin, forged)}` });
    assert.equal(x.status, 422, `a fork of size ${size}`);
  }

  // it forgets a part (behind), all (unknown size), or is ahead of what the server knows of it
  const old = w.state;
  await grown(r, w);
  const now = w.state;
  w.state = old;
  let from = w.requests.length;
  await grown(r, w);
  assert.deepEqual(w.statuses(from).slice(0, 2), [409, 200], 'behind');
  w.state = {};
  from = w.requests.length;
  await grown(r, w);
  assert.deepEqual(w.statuses(from).slice(0, 2), [409, 200], 'empty');
  assert.ok(now[origin].size > old[origin].size);
  await r.stop();
  if (engine === 'sqlite') execFileSync('sqlite3', [path.join(r.dir, 'reeve.db'), 'DELETE FROM audit_cosignatures']);
  else r.sql('DELETE FROM audit_cosignatures');
  from = w.requests.length;
  await r.serve();
  await grown(r, w);
  assert.ok(w.statuses(from).includes(409) && w.statuses(from).includes(200), 'unknown to us');

  // restarted in the middle of growth
  const growing = (async () => { for (let i = 0; i < 12; i++) { await change(r); await sleep(100); } })();
  await sleep(300);
  await w.stop();
  await sleep(700);
  await w.start();
  await growing;
  await grown(r, w);
  await until('it has caught up', async () => await metric(r, 'lag_seconds', w) === 0);
  assert.ok(Number(/\d+/.exec(r.sql('SELECT count(*) FROM audit_cosignatures'))[0]) <= 4, 'the last of each log, and no pile');
  assert.equal((await r.get(`${DM}/auditLog/verify`)).verified, true);
  // a witness that does not know the log, or not its key, is a matter of the operator: loud, tried again, and in nobody's way
  w.logs.delete(origin);
  from = w.requests.length;
  await change(r);
  await until('it was asked', () => w.statuses(from).includes(404));
  await until('the refusal is loud', () => /event=witness_refused .*404/.test(r.log));
  const size = (await served(r)).size;
  await change(r);
  await until('the log goes on', async () => (await served(r)).size > size, { seconds: 3, every: 50 });
}));

test('53 a slow witness and a dead one delay nothing; a quorum is served as it was reached', cleaned(async () => {
  const quick = await witness('quick.example'), slow = await witness('slow.example'), dead = await witness('dead.example');
  const lines = [quick, slow, dead].map(w => w.line).join('');
  slow.delay = 3000;
  await dead.stop();
  const started = Date.now();
  const r = await introduced('sqlite', [quick, slow, dead], `# two of three\n${lines}group enough 2 quick.example slow.example dead.example\nquorum enough\n`);
  assert.ok(Date.now() - started < 30000);
  const waits = [];
  for (let i = 0; i < 8; i++) {
    const before = (await served(r)).size, at = Date.now();
    await change(r);
    await until('it is signed', async () => (await served(r)).size > before, { seconds: 5, every: 20 });
    waits.push(Date.now() - at);
  }
  assert.ok(Math.max(...waits) < 1500, `${waits}`);
  await cosigned(r, quick, { seconds: 5 });
  const witnessed = await until('two have cosigned one checkpoint', async () => { const x = await r.api('GET', `/log/${r.tenant}/witnessed`); return x.status === 200 && x.text; });
  assert.ok(signedBy(witnessed, quick.vkey) && signedBy(witnessed, slow.vkey) && !signedBy(witnessed, dead.vkey));
  assert.ok(await metric(r, 'failures_total', dead) >= 1);
  assert.equal(await metric(r, 'failures_total', slow), 0);
  // many checkpoints while it thought: it was shown few of them
  assert.ok(slow.requests.length < quick.requests.length, `${slow.requests.length} of ${quick.requests.length}`);
  slow.delay = 0;
  await cosigned(r, slow);
  const stopping = Date.now();
  slow.delay = 8000;
  await change(r);
  await sleep(600);
  await r.stop();
  assert.ok(Date.now() - stopping < 6000, 'nor does it delay the end');
}));

// SQLite's file is in the data directory.
function cloneDatabase(r, way) {
  if (r.engine === 'sqlite') return;
  const psql = text => execFileSync('psql', ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '-qc', text, 'reeve_test']);
  const [from, to] = way === 'copy' ? [r.pg.name, `${r.pg.name}_copy`] : [`${r.pg.name}_copy`, r.pg.name];
  if (way === 'back') psql(`DROP DATABASE ${to}`);
  psql(`CREATE DATABASE ${to} TEMPLATE ${from}`);
}

testOnEngines('53 keeper and database put back together: the witness knows, and the log goes on under a new name', cleaned(async engine => {
  const w = await witness('witness.example/two'), r = await introduced(engine, [w]), origin = `127.0.0.1/log/${r.tenant}`;
  await cosigned(r, w);
  await r.stop();
  const copy = path.join(r.tmp, 'copy');
  fs.cpSync(r.dir, copy, { recursive: true, preserveTimestamps: true });
  cloneDatabase(r, 'copy');
  await r.serve();
  for (let i = 0; i < 4; i++) await change(r);
  const lost = checkpointOf(await grown(r, w));
  await r.stop();
  fs.rmSync(r.dir, { recursive: true });
  fs.cpSync(copy, r.dir, { recursive: true, preserveTimestamps: true });
  cloneDatabase(r, 'back');
  await r.serve();
  assert.equal((await r.api('GET', `/log/${r.tenant}/checkpoint`)).status, 404);
  assert.match((await r.api('GET', `/log/${r.tenant}/checkpoint`)).json.error.message, new RegExp(`/log/${r.tenant}\\.2/`));
  const name = `${r.tenant}.2`;
  const head = await until('it is signed under its new name', async () => { const x = await r.api('GET', `/log/${name}/checkpoint`); return x.status === 200 && checkpointOf(x.text); });
  assert.equal(head.origin, `${origin}.2`);
  const events = await r.events("activityType eq 'restore AuditLog'");
  assert.equal(events.length, 1);
  assert.ok(JSON.stringify(events[0]).includes(String(lost.size)), 'the event names the old head');
  assert.equal((await r.get(`${DM}/auditLog`)).generation, 2);
  assert.equal(w.last(origin).size, lost.size, 'no second root of a size that was seen');
  await r.restart();
  assert.equal((await r.get(`${DM}/auditLog`)).generation, 2, 'once');
}));

test('53 a policy that cannot be read stops the start and names file and line', cleaned(async () => {
  const r = await Reeve.make({ serve: false }), file = path.join(r.dir, 'witness.policy');
  fs.writeFileSync(file, '# ours\nwitness one nonsense http://127.0.0.1:1/\n');
  await r.serve(0, { ready: false });
  const end = await r.ended;
  assert.equal(end.code, 78);
  assert.match(r.log, /witness\.policy.*line 2/);
  fs.rmSync(file);
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), 'witness_policy = /nowhere/at/all\n');
  await r.serve(0, { ready: false });
  assert.equal((await r.ended).code, 78);
  assert.match(r.log, /nowhere\/at\/all/);
}));
