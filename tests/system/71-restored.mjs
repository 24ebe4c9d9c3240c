// SPDX-License-Identifier: Apache-2.0
// One size is never signed with two roots (I3): several servers with copies of one data directory, paused ones, a database put back, a
// replica that lost commits.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { MovedPostgres, Reeve, TORTURE, freePorts, sleep, test, testOnEngines, until } from './lib.mjs';
import { Heads, checkpoint, settled, treeIn } from './heads.mjs';
import { checkpointOf, commitmentOf, entryOf, sha256, signedBy } from './tlog.mjs';
import { DM } from './world.mjs';

const node = (a, b) => sha256(Buffer.from([1]), a, b);

// RFC 9162, section 2.1.3.2
function included(index, size, leaf, path_, root) {
  let fn = index, sn = size - 1, r = leaf;
  for (const p of path_) {
    if (sn === 0) return false;
    if (fn & 1 || fn === sn) {
      r = node(p, r);
      while (!(fn & 1) && fn !== 0) { fn >>= 1; sn >>= 1; }
    } else { r = node(r, p); }
    fn >>= 1;
    sn >>= 1;
  }
  return sn === 0 && r.equals(root);
}

// A .tlog-proof and the event's bytes, with nothing but the log's key.
function proves(text, bytes, heads) {
  const [first, extra, index, ...rest] = text.split('\n'), cut = rest.indexOf('');
  assert.equal(first, 'c2sp.org/tlog-proof@v1');
  const salt = Buffer.from(/^extra (\S+)$/.exec(extra)[1], 'base64'), note = rest.slice(cut + 1).join('\n'), c = checkpointOf(note);
  assert.ok(signedBy(note, { ...heads.key, name: c.origin, id: heads.id(c.origin) }));
  const leaf = sha256(Buffer.from([0]), entryOf(commitmentOf(salt, bytes)));
  return included(Number(/^index (\d+)$/.exec(index)[1]), c.size, leaf, rest.slice(0, cut).map(l => Buffer.from(l, 'base64')), c.root) && c;
}

// Stored bytes of some events and their proofs.
async function proofs(r, n) {
  const list = (await r.get(`${DM}/auditEvents?$top=${n}`)).value, out = [];
  const column = r.engine === 'sqlite' ? 'hex(bytes) AS v' : "encode(bytes, 'hex')";
  for (const e of list) {
    const id = e.id.replaceAll('-', ''), text = r.sql(`SELECT ${column} FROM audit_events WHERE event_id = ${r.engine === 'sqlite' ? `x'${id}'` : `'\\x${id}'`}`);
    const bytes = Buffer.from(r.engine === 'sqlite' ? JSON.parse(text)[0].v : text.trim(), 'hex');
    let proof;
    await until('the event is signed', async () => { proof = await r.api('GET', `${DM}/auditEvents/${e.id}/proof`); return proof.status === 200; });
    assert.match(proof.headers['content-type'], /^text\/plain/);
    out.push({ bytes, text: proof.text });
  }
  return out;
}

// Users are made until it is stopped; a server that is away is asked again.
function writer(r, tag) {
  let stop = false, n = 0;
  const work = (async () => {
    while (!stop) {
      const a = await r.api('POST', '/v1.0/users', { timeout: 20000, body: { userPrincipalName: `${tag}-${n}@two.example`, displayName: 'x', mailNickname: 'x', accountEnabled: true } }).catch(() => null);
      n++;
      if (a?.status !== 201) await sleep(50);
    }
  })();
  return { stop: () => { stop = true; return work; }, get n() { return n; } };
}

// Somebody who signed in with a password.
async function browser(r) {
  const upn = 'signed.in@acme.example', password = 'a sentence is a good password';
  await r.user(upn);
  assert.equal(r.cli('api', 'PUT', `/v1.0/users/${upn}/localAccount`, JSON.stringify({ password })).code, 0);
  const raw = new URLSearchParams({ name: upn, password, action: 'password' }).toString();
  const entered = await r.api('POST', `/signin/${r.tenant}`, { token: null, raw, headers: { Origin: r.url, 'Content-Type': 'application/x-www-form-urlencoded' } });
  const Cookie = entered.headers['set-cookie'].map(c => c.split(';')[0]).find(c => c.startsWith('__Host-reeve='));
  return async () => (await r.api('GET', '/v1.0/me', { token: null, headers: { Cookie } })).status;
}

testOnEngines('71 a database put back under its keeper: a new origin, an event, and old proofs hold', async engine => {
  const r = await Reeve.make({ engine }), heads = new Heads(), file = path.join(r.tmp, 'backup');
  for (let i = 0; i < 8; i++) await r.user(`before${i}@acme.example`);
  await settled(r);
  await heads.trust(r);
  const kept = await proofs(r, 3), me = await browser(r);
  assert.equal(await me(), 200);
  await r.stop();
  const pg = (program, ...args) => execFileSync(program, ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  if (engine === 'sqlite') fs.copyFileSync(path.join(r.dir, 'reeve.db'), file);
  else pg('pg_dump', '-Fc', '-f', file, r.pg.name);
  await r.serve();
  heads.watch(r);
  for (let i = 0; i < 8; i++) await r.user(`lost${i}@acme.example`);
  const last = await settled(r), old = treeIn(r), lost = await proofs(r, 3);
  await settled(r);
  await r.stop();

  if (engine === 'sqlite') {
    for (const f of r.files) fs.rmSync(f);
    fs.copyFileSync(file, path.join(r.dir, 'reeve.db'));
  } else {
    pg('dropdb', r.pg.name);
    pg('createdb', r.pg.name);
    pg('pg_restore', '-d', r.pg.name, file);
  }
  await r.serve();
  assert.match(r.log, /event=audit_log_restored/);
  assert.equal(await me(), 401, 'a restore brings no session back');
  for (let i = 0; i < 20; i++) await r.user(`after${i}@acme.example`); // as long as it was, and longer
  await settled(r);
  await r.restart();
  const now = await settled(r), tree = treeIn(r);
  assert.equal(now.origin, `${last.origin}.2`);
  assert.ok(now.size > last.size);
  const said = await r.events("activityType eq 'restore AuditLog'");
  assert.equal(said.length, 1, 'one event for one restore');
  const [origin, size, root] = said[0].resources[0].modifiedProperties;
  assert.deepEqual([origin.oldValue, origin.newValue], [last.origin, now.origin]);
  assert.ok(Number(size.oldValue) >= last.size && Number(size.newValue) < last.size);
  await heads.stop();
  assert.deepEqual(heads.origins().sort(), [last.origin, now.origin]);
  assert.ok(heads.areOf(old, last.origin, old.leaves.length) >= 1 && heads.areOf(tree, now.origin) >= 1);
  assert.equal(treeOrNull(old, Number(size.oldValue)) ?? root.oldValue, root.oldValue, 'the root that the event names');
  for (const p of [...kept, ...lost]) assert.equal(proves(p.text, p.bytes, heads).origin, last.origin, 'a proof outlives the restore');
  for (const p of await proofs(r, 3)) assert.equal(proves(p.text, p.bytes, heads).origin, now.origin);
  const wrong = Buffer.from(kept[0].bytes);
  wrong[wrong.length - 3] ^= 1;
  assert.equal(proves(kept[0].text, wrong, heads), false);
  await r.refused(404, 'GET', `${DM}/auditEvents/01999999-9999-7999-8999-999999999999/proof`);
  assert.equal(r.cli('audit', 'check').code, 0);
});
const treeOrNull = (tree, size) => (size <= tree.leaves.length ? tree.root(size).toString('base64') : null);

// A second server beside the first: a copy of its data directory with its own listeners.
async function copyOf(r) {
  const c = Object.assign(new Reeve(), { engine: r.engine, pg: r.pg, token: r.token, operatorToken: r.operatorToken, tenant: r.tenant, ca: r.ca, days: 0 });
  Reeve.all.add(c);
  c.tmp = fs.mkdtempSync('/tmp/reeve-sys-copy-');
  c.dir = path.join(c.tmp, 'data');
  execFileSync('cp', ['-a', r.dir, c.dir]);
  c.port = await freePorts();
  fs.appendFileSync(path.join(c.dir, 'reeve.conf'), `listen = 127.0.0.1:${c.port}\ndevice_listen = 127.0.0.1:${c.port + 1}\n`);
  return c;
}

test('71 two servers with one database, one of them paused at a time: one root for a size, and none is late for long', async () => {
  if (!process.env.REEVE_TEST_PG_HOST) return;
  const a = await Reeve.make({ engine: 'postgres' });
  await a.stop();
  const b = await copyOf(a), heads = new Heads();
  await a.serve();
  await b.serve();
  await heads.trust(a);
  heads.watch(a).watch(b);
  const writers = [writer(a, 'a'), writer(b, 'b'), writer(b, 'c')];
  let worst = 0, last = { size: 0 }, grown = Date.now(), watching = true;
  const clock = (async () => { // how long the published head ever stood still while there was something to sign
    while (watching) {
      for (const r of [a, b]) {
        const x = await checkpoint(r, { timeout: 1000 }).catch(() => null);
        const c = x?.status === 200 ? checkpointOf(x.text) : last;
        if (c.size > last.size) { last = c; worst = Math.max(worst, Date.now() - grown); grown = Date.now(); }
      }
      await sleep(50);
    }
  })();
  for (let round = 0; round < (TORTURE ? 20 : 1); round++)
    for (const r of [a, b]) {
      await sleep(1500);
      r.process.kill('SIGSTOP');
      await sleep(9000); // longer than the lease
      r.process.kill('SIGCONT');
    }
  await sleep(3000);
  watching = false;
  await clock;
  for (const w of writers) await w.stop();
  assert.ok(writers.every(w => w.n > 20), `${writers.map(w => w.n)}`);
  await settled(a, 60);
  const end = await settled(b, 60);
  await heads.stop();
  const tree = treeIn(a);
  assert.equal(heads.areOf(tree, end.origin), heads.seen.get(end.origin).size);
  assert.deepEqual(heads.origins(), [end.origin], 'nothing went back, so the origin is the same');
  assert.ok(heads.seen.get(end.origin).size >= 10, `${heads.seen.get(end.origin).size} heads`);
  assert.ok(worst < 15000, `the head stood still for ${worst} ms`);
  for (const r of [a, b]) {
    assert.equal((await r.get(`${DM}/auditLog/verify`)).verified, true);
    assert.equal((await r.events("activityType eq 'restore AuditLog'")).length, 0);
  }
  // the other's last word is not lost either
  await a.stop();
  await b.user('last@two.example');
  const c = await settled(b, 20);
  assert.equal(treeIn(b).root(c.size).toString('base64'), c.root.toString('base64'));
  console.log(`     ${heads.seen.get(end.origin).size} heads, ${end.size} events, the head stood still for ${worst} ms at most`);
});

// Two servers, a primary and a replica that stops following, more commits, the primary is lost, the replica is promoted.
test('71 a promoted replica that lost commits: no origin goes on, whichever server signs', async () => {
  if (!TORTURE || !process.env.REEVE_TEST_PG_HOST) return;
  const primary = new MovedPostgres(), replica = new MovedPostgres(false);
  try {
    primary.move(0);
    const a = await Reeve.make({ database: primary.database('promoted') });
    await a.stop();
    Object.assign(a, { engine: 'postgres', pg: { name: 'promoted', host: primary.host } });
    const secret = path.join(a.dir, 'secrets/database'), url = fs.readFileSync(secret, 'utf8');
    assert.ok(url.includes(primary.host) || url.includes(encodeURIComponent(primary.host)), url.replace(/password=\S+/, ''));
    const both = url.replaceAll(encodeURIComponent(primary.host), `${encodeURIComponent(primary.host)},${encodeURIComponent(replica.host)}`).replaceAll(primary.host, `${primary.host},${replica.host}`);
    fs.writeFileSync(secret, `${both.trim()}${both.includes('://') ? `${both.includes('?') ? '&' : '?'}target_session_attrs=read-write` : ' target_session_attrs=read-write'}\n`);
    const b = await copyOf(a), heads = new Heads();
    await a.serve();
    await b.serve();
    await heads.trust(a);
    heads.watch(a, 15).watch(b, 15);
    primary.as('pg_basebackup', ['-h', primary.host, '-U', 'postgres', '-D', `${replica.host}/data`, '-R', '-c', 'fast']);
    fs.appendFileSync(`${replica.host}/data/postgresql.conf`, `unix_socket_directories = '${replica.host}'\n`);
    replica.move(0);
    const writers = [writer(a, 'a'), writer(b, 'b')];
    await sleep(4000);
    a.process.kill('SIGSTOP'); // so that each of them has signed
    await sleep(7000);
    a.process.kill('SIGCONT');
    await sleep(2000);
    replica.stop(); // it follows no more
    await sleep(3000); // these commits are lost, and their heads were seen
    const seen = Math.max(...heads.seen.get(heads.origins()[0]).keys()), before = heads.origins()[0];
    primary.as('pg_ctl', ['-D', `${primary.host}/data`, '-m', 'immediate', '-w', 'stop']);
    primary.up = false;
    replica.move(0);
    replica.as('pg_ctl', ['-D', `${replica.host}/data`, '-w', 'promote']);
    for (const r of [a, b]) r.pg = { name: 'promoted', host: replica.host };
    await until('both serve again', async () => (await a.api('GET', '/readyz').catch(() => ({}))).status === 200 && (await b.api('GET', '/readyz').catch(() => ({}))).status === 200, { seconds: 60 });
    await sleep(8000);
    for (const w of writers) await w.stop();
    const end = await settled(a, 60);
    await settled(b, 60);
    await heads.stop();
    assert.notEqual(end.origin, before);
    assert.ok(heads.areOf(treeIn(a), end.origin) >= 3);
    assert.ok(end.size > 0 && seen > 0);
    const said = await a.events("activityType eq 'restore AuditLog'");
    assert.equal(said.length, 1, 'once, though there are two servers');
    assert.equal((await a.get(`${DM}/auditLog/verify`)).verified, true);
    console.log(`     head ${seen} of the lost primary, new origin ${end.origin} with ${end.size}`);
    await a.remove();
    await b.remove();
  } finally {
    for (const x of [...Reeve.all]) await x.stop('SIGKILL').catch(() => {});
    primary.remove();
    replica.remove();
  }
});
