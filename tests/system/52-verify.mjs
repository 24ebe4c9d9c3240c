// SPDX-License-Identifier: Apache-2.0
// `reeve audit verify` and `reeve audit mirror`: whatever root changes in the database, in a mirror or in an archive is found and named.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { REEVE, Reeve, shared, test, testOnEngines, until } from './lib.mjs';
import { checkpoint, settled, values } from './heads.mjs';
import { Tree, commitmentOf, cosign, privateKey, rawPublic, signNote, vkeyOf } from './tlog.mjs';
import { DM } from './world.mjs';

const EVENTS = 600;

// Runs `reeve audit …` while the server's log is being read: a test that only waits would fill the pipe.
const reeve = (r, args, { state = 'state', kill = 0 } = {}) => new Promise(done => {
  const env = { ...r.env(r.days ?? 0), XDG_STATE_HOME: path.join(r.tmp, state) };
  const child = execFile(REEVE, ['audit', ...args], { encoding: 'utf8', env, maxBuffer: 1 << 26 }, (e, out, err) => done({ code: child.exitCode, out, err, get json() { return JSON.parse(out); } }));
  if (kill) setTimeout(() => child.kill('SIGKILL'), kill);
});
const live = (r, ...args) => reeve(r, [...args, '--data', r.dir]);
const offline = (r, ...args) => reeve(r, args);

// 600 events, read once (which is an event, once a day), all signed.
const one = shared(async r => {
  let n = 0;
  await Promise.all(Array.from({ length: 16 }, async () => { while (n < EVENTS) await r.user(`v${n++}@acme.example`); }));
  assert.equal((await live(r, 'verify')).code, 0);
  r.size = (await settled(r)).size;
});

// As root: no trigger, no grant.
function root(r, text) {
  if (r.engine === 'sqlite') return execFileSync('sqlite3', ['-cmd', '.timeout 20000', path.join(r.dir, 'reeve.db')], { input: text, encoding: 'utf8', maxBuffer: 1 << 28 });
  return execFileSync('psql', ['-v', 'ON_ERROR_STOP=1', '-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '-qAt', r.pg.name], { input: text, encoding: 'utf8', maxBuffer: 1 << 28 });
}
const blob = (r, b) => { const x = Buffer.isBuffer(b) ? b.toString('hex') : b.replaceAll('-', ''); return r.engine === 'sqlite' ? `x'${x}'` : `'\\x${x}'::bytea`; };
const hex = (r, column) => (r.engine === 'sqlite' ? `lower(hex(${column}))` : `encode(${column}, 'hex')`);
const mine = r => `tenant_id = ${blob(r, r.tenant)}`;
const at = (r, index) => `${mine(r)} AND event_id = (SELECT event_id FROM audit_leaves WHERE ${mine(r)} AND leaf_index = ${index})`;
const bytesOf = (r, column, table, where) => Buffer.from(values(r, `SELECT ${hex(r, column)} AS v FROM ${table} WHERE ${where}`)[0], 'hex');
const flipped = (b, i) => { const c = Buffer.from(b); c[i < 0 ? c.length + i : i] ^= 0x01; return c; };
const setEvent = (r, index, column, b) => `UPDATE audit_events SET ${column} = ${blob(r, b)} WHERE ${at(r, index)};`;
const setTile = (r, level, tile, b) => `UPDATE audit_tiles SET content = ${blob(r, b)} WHERE ${mine(r)} AND level = ${level} AND tile = ${tile};`;
const tileOf = (r, level, tile) => bytesOf(r, 'content', 'audit_tiles', `${mine(r)} AND level = ${level} AND tile = ${tile}`);
const TABLES = ['audit_events', 'audit_leaves', 'audit_tiles', 'audit_heads'];

// Keeps the log's rows aside, and gives what puts them back.
function keep(r) {
  const name = t => (r.engine === 'sqlite' ? `kept.${t}` : `kept_${t}`), file = path.join(r.tmp, 'kept.db');
  fs.rmSync(file, { force: true });
  const attach = r.engine === 'sqlite' ? `ATTACH '${file}' AS kept;` : '';
  if (r.engine === 'sqlite') root(r, root(r, "SELECT 'DROP TRIGGER ' || name || ';' FROM sqlite_schema WHERE type = 'trigger' AND tbl_name LIKE 'audit%'"));
  root(r, attach + TABLES.map(t => `${r.engine === 'sqlite' ? '' : `SET client_min_messages = warning; DROP TABLE IF EXISTS ${name(t)};`} CREATE TABLE ${name(t)} AS SELECT * FROM ${t} WHERE ${mine(r)};`).join('\n'));
  return () => root(r, `${attach} BEGIN; ${TABLES.map(t => `DELETE FROM ${t} WHERE ${mine(r)}; INSERT INTO ${t} SELECT * FROM ${name(t)};`).join('\n')} COMMIT;`);
}

testOnEngines('52 tamper matrix: what root changes in the database is found by verify and taken by no mirror', async engine => {
  const r = await one(engine), before = path.join(r.tmp, 'before'), older = await checkpoint(r);
  assert.equal((await live(r, 'mirror', before, '--events')).code, 0);
  await r.user('one.more@acme.example');
  const now = await settled(r), last = now.size - 1;
  assert.equal((await live(r, 'verify')).code, 0);
  const current = path.join(r.tmp, 'current');
  assert.equal((await live(r, 'mirror', current)).code, 0);
  const back = keep(r), event = i => bytesOf(r, 'bytes', 'audit_events', at(r, i)), salt = i => bytesOf(r, 'salt', 'audit_events', at(r, i));
  const head = sql => `UPDATE audit_heads SET ${sql} WHERE ${mine(r)};`, text = s => `'${s}'`;
  const swapLeaves = (a, b) => `UPDATE audit_leaves SET leaf_index = -1 WHERE ${mine(r)} AND leaf_index = ${a}; UPDATE audit_leaves SET leaf_index = ${a} WHERE ${mine(r)} AND leaf_index = ${b};
    UPDATE audit_leaves SET leaf_index = ${b} WHERE ${mine(r)} AND leaf_index = -1;`;
  const forged = Buffer.from(event(290).toString().replace(/"ipAddress":"[^"]*"/, '"ipAddress":"10.9.8.7"'));
  const note = (await checkpoint(r)).text;
  const matrix = {
    'an event: one bit': [setEvent(r, 300, 'bytes', flipped(event(300), -40)), /index 300 was changed/],
    'an event: cut off': [setEvent(r, 599, 'bytes', event(599).subarray(0, -1)), /index 599 was changed|from index 512 on is malformed/],
    'the first event': [setEvent(r, 0, 'bytes', flipped(event(0), 60)), /index 0 was changed/],
    'the last event': [setEvent(r, last, 'bytes', flipped(event(last), 60)), new RegExp(`index ${last} was changed`)],
    'a salt': [setEvent(r, 17, 'salt', flipped(salt(17), 5)), /index 17 was changed/],
    'two events swapped': [setEvent(r, 5, 'bytes', event(9)) + setEvent(r, 9, 'bytes', event(5)), /index 5 was changed/],
    'two events with their salts swapped': [setEvent(r, 5, 'bytes', event(9)) + setEvent(r, 9, 'bytes', event(5)) + setEvent(r, 5, 'salt', salt(9)) + setEvent(r, 9, 'salt', salt(5)), /index 5 was changed/],
    'two leaves swapped': [swapLeaves(40, 41), /index 40 was changed/],
    'an event dropped': [`DELETE FROM audit_events WHERE ${at(r, 101)};`, /index 101 is missing inside its retention/],
    'a leaf dropped': [`DELETE FROM audit_leaves WHERE ${mine(r)} AND leaf_index = 100;`, /index 100 is missing inside its retention/],
    'the newest events dropped': [`DELETE FROM audit_leaves WHERE ${mine(r)} AND leaf_index > ${last - 3};`, new RegExp(`index ${last - 2} is missing`)],
    'all events dropped': [`DELETE FROM audit_events WHERE ${mine(r)};`, /index 0 is missing inside its retention/],
    'a leaf inserted': [`UPDATE audit_leaves SET leaf_index = leaf_index + 1000 WHERE ${mine(r)} AND leaf_index >= 50; UPDATE audit_leaves SET leaf_index = leaf_index - 999 WHERE ${mine(r)} AND leaf_index >= 1050;`, /index 50 is missing/],
    'an event and its commitment, both forged': [setEvent(r, 290, 'bytes', forged) + (() => { const t = tileOf(r, 0, 1); commitmentOf(salt(290), forged).copy(t, 34 * 32); return setTile(r, 0, 1, t); })(), /tile\/entries\/001|tile\/0\/001|256 to 511|index 290/],
    'a commitment': [setTile(r, 0, 0, flipped(tileOf(r, 0, 0), 77 * 32)), /index 77 /],
    'a commitment of the last tile': [setTile(r, 0, 2, flipped(tileOf(r, 0, 2), 3 * 32)), /index 515 /],
    'a tile dropped': [`DELETE FROM audit_tiles WHERE ${mine(r)} AND level = 0 AND tile = 1;`, /tile\/(entries|0)\/001/],
    'a tile truncated': [setTile(r, 0, 2, tileOf(r, 0, 2).subarray(0, -32)), /tile\/(entries|0)\/002/],
    'tiles swapped': [setTile(r, 0, 0, tileOf(r, 0, 1)) + setTile(r, 0, 1, tileOf(r, 0, 0)), /index 0 |entries 0 to 255/],
    'a root of a tile': [setTile(r, 1, 0, flipped(tileOf(r, 1, 0), 32)), /tile\/1\/000|256 to 511/],
    'the checkpoint: its root': [head(`checkpoint = replace(checkpoint, ${text(note.split('\n')[2])}, ${text(Buffer.alloc(32).toString('base64'))})`), /checkpoint/],
    'the checkpoint: its size': [head(`checkpoint = replace(checkpoint, '\n${now.size}\n'`.replaceAll('\\n', '\n') + `, '\n${now.size - 1}\n')`), /checkpoint/],
    'the checkpoint: signed by another key': [head(`checkpoint = ${text(signNote(`${note.split('\n').slice(0, 3).join('\n')}\n`, note.split('\n')[0], privateKey(Buffer.alloc(32, 7))))}`), /checkpoint/],
    'the checkpoint of another log': [`UPDATE audit_heads SET checkpoint = (SELECT h.checkpoint FROM audit_heads h WHERE h.tenant_id = ${blob(r, '00000000-0000-0000-0000-000000000000')}) WHERE ${mine(r)};`, /checkpoint/],
    'the checkpoint: an older one': [head(`checkpoint = ${text(older.text)}, signed_size = ${r.size}, size = ${r.size}`), new RegExp(`went back: it has ${r.size} entries, and ${now.size} were seen`)],
    'the log cut back, with its older checkpoint': [`DELETE FROM audit_events WHERE ${at(r, last)}; DELETE FROM audit_leaves WHERE ${mine(r)} AND leaf_index = ${last};`
      + setTile(r, 0, 2, tileOf(r, 0, 2).subarray(0, -32)) + head(`checkpoint = ${text(older.text)}, signed_size = ${r.size}, size = ${r.size}`), /went back/],
  };
  for (const [i, [what, [sql, place]]] of Object.entries(matrix).entries()) {
    if (engine === 'postgres' && i % 3) continue; // the same rows
    try {
      root(r, `BEGIN; ${sql} COMMIT;`);
      const v = (await live(r, 'verify'));
      assert.equal(v.code, 65, `${what}: ${v.code} ${v.out}${v.err}`);
      assert.match(v.err, place, `${what}: ${v.err}`);
      assert.match(v.err, /^reeve audit verify: [^\n]+\n$/, what);
      if (engine === 'postgres') continue; // what a mirror reads is the same
      const after = path.join(r.tmp, 'after'), m = (await live(r, 'mirror', after, '--events'));
      assert.equal(m.code, 65, `${what}: a mirror takes it: ${m.out}`);
      assert.ok(!fs.existsSync(path.join(after, 'checkpoint')), what);
      fs.rmSync(after, { recursive: true });
      if (!/went back/.test(place)) continue;
      assert.match((await live(r, 'mirror', current)).err, /went back/, what);
      assert.equal((await offline(r, 'verify', current)).code, 0, `${what}: what was mirrored is the evidence`);
    } finally { back(); }
  }
  assert.equal((await live(r, 'verify')).code, 0, 'all is back');
  assert.equal((await live(r, 'mirror', before)).code, 0, 'and the mirror of before goes on');
  const v = (await offline(r, 'verify', before, '--json'));
  assert.equal(v.code, 0, v.err);
  assert.equal(v.json.events, now.size);
});

test('52 a mirror: only what is new is fetched, a kill loses nothing, and each file that is changed is found', async () => {
  const r = await Reeve.make(), dir = path.join(r.tmp, 'mirror'), files = () => execFileSync('find', [dir, '-type', 'f', '-printf', '%P\n'], { encoding: 'utf8' }).trim().split('\n').sort();
  const grow = async (n, tag) => { let i = 0; await Promise.all(Array.from({ length: 16 }, async () => { while (i < n) await r.user(`${tag}${i++}@acme.example`); })); return (await settled(r)).size; };
  await grow(300, 'a');
  let m = (await live(r, 'mirror', dir, '--json'));
  assert.equal(m.code, 0, m.err);
  assert.deepEqual(files().filter(f => !f.startsWith('tile/')), ['.seen', 'checkpoint', 'key']);
  const inode = fs.statSync(path.join(dir, 'tile/0/000')).ino, first = m.json.size;
  const size = await grow(300, 'b');
  m = (await live(r, 'mirror', dir, '--json'));
  assert.equal(m.json.added, m.json.size - first);
  assert.ok(m.json.files <= 7, `${m.json.files} files`);
  assert.equal(fs.statSync(path.join(dir, 'tile/0/000')).ino, inode, 'a full tile is not fetched again');
  assert.ok(files().includes('tile/0/001') && !files().some(f => f.startsWith('tile/0/001.p')), 'the whole one replaces its part');
  m = (await live(r, 'mirror', dir, '--events', '--json'));
  assert.equal(m.code, 0, m.err);
  assert.deepEqual(files().filter(f => f.startsWith('events/')), ['events/000', 'events/001', 'events/002']);
  assert.equal(fs.statSync(path.join(dir, 'events/000')).mode & 0o77, 0, 'events are their owner\'s');
  assert.ok(m.json.size >= size);
  const ok = (await offline(r, 'verify', dir, '--json'));
  assert.equal(ok.json?.events, m.json.size, ok.err);

  // killed anywhere
  await grow(400, 'c');
  for (let ms = 4; ms < 60; ms += 8) {
    await reeve(r, ['mirror', dir, '--data', r.dir], { kill: ms });
    const v = (await offline(r, 'verify', dir));
    assert.equal(v.code, 0, `killed after ${ms} ms: ${v.err}`);
  }
  assert.equal((await live(r, 'mirror', dir)).code, 0);
  assert.equal((await offline(r, 'verify', dir)).code, 0);
  assert.ok(!files().some(f => f.endsWith('.new')), 'nothing half done is left');

  // whatever is done to any file of it
  const copy = path.join(r.tmp, 'copy'), verify = () => offline(r, 'verify', copy), total = (await offline(r, 'verify', dir, '--json')).json.size;
  const part = f => (f.startsWith('tile/1') ? Math.floor(total / 256) : total % 256); // older parts are nobody's but the older checkpoints'
  for (const f of files().filter(x => !x.startsWith('.') && (!/\.p\//.test(x) || x.endsWith(`/${part(x)}`)))) {
    const good = fs.readFileSync(path.join(dir, f)), bad = { flipped: flipped(good, Math.floor(good.length / 2)), 'cut off': good.subarray(0, -1), longer: Buffer.concat([good, good.subarray(-40)]), empty: Buffer.alloc(0), gone: null };
    for (const [how, b] of Object.entries(bad)) {
      if (f === 'key' && /longer|cut off/.test(how)) continue; // only its first line counts
      fs.rmSync(copy, { recursive: true, force: true });
      fs.cpSync(dir, copy, { recursive: true });
      if (b) fs.writeFileSync(path.join(copy, f), b); else fs.rmSync(path.join(copy, f));
      const v = await verify();
      assert.ok([65, 66].includes(v.code), `${f} ${how}: ${v.code} ${v.out}${v.err}`);
      assert.match(v.err, f.startsWith('events/') ? /index \d+/ : new RegExp(f === 'key' ? 'key' : `${f}|index \\d+|entries \\d+`), `${f} ${how}`);
    }
  }
  // rolled back as a whole, but for what it remembers
  fs.rmSync(copy, { recursive: true, force: true });
  fs.cpSync(dir, copy, { recursive: true });
  await r.user('later@acme.example');
  await settled(r);
  assert.equal((await live(r, 'mirror', dir)).code, 0);
  fs.copyFileSync(path.join(dir, '.seen'), path.join(copy, '.seen'));
  assert.match((await verify()).err, /went back/);
  fs.rmSync(path.join(copy, '.seen'));
  assert.match((await verify()).out, /this copy is older/, 'a copy may be older than what was seen elsewhere');
});

test('52 one event with its proof, offline', async () => {
  const r = await one(), dir = path.join(r.tmp, 'proofs'), f = n => path.join(dir, n);
  fs.mkdirSync(dir);
  const e = (await r.get(`${DM}/auditEvents?$top=1&$filter=${encodeURIComponent("activityType eq 'create User'")}`)).value[0];
  const proof = (await r.api('GET', `${DM}/auditEvents/${e.id}/proof`)).text, key = (await r.get(`${DM}/auditLog`)).verifierKey;
  const bytes = bytesOf(r, 'bytes', 'audit_events', `event_id = ${blob(r, e.id)}`), index = /^index (\d+)$/m.exec(proof)[1];
  const line = `{"index":${index},"salt":"${/^extra (\S+)$/m.exec(proof)[1]}","event":${bytes}}\n`;
  fs.writeFileSync(f('key'), `${key}\n`);
  fs.writeFileSync(f('p'), proof);
  const run = (event, p = f('p'), k = key) => { fs.writeFileSync(f('e'), event); return reeve(r, ['verify', '--event', f('e'), '--proof', p, ...(k ? ['--key', k] : [])], { state: 'none' }); };
  for (const event of [bytes, Buffer.concat([bytes, Buffer.from('\n')]), line]) {
    const v = await run(event);
    assert.equal(v.code, 0, v.err);
    assert.match(v.out, new RegExp(`event +${e.id} \\(create User, [^)]+\\)\nlog +${key.split('+')[0]}\nindex +${index} of \\d+\n[^]*verified +yes`));
  }
  assert.equal((await run(bytes, f('p'), f('key'))).code, 0, 'the key from a file');
  for (const [what, event, p, k] of [['a bit of it', flipped(bytes, 100)], ['a part', bytes.subarray(0, -2)], ['another key', bytes, proof, vkeyOf(key.split('+')[0], 1, Buffer.alloc(32, 9))],
    ['the salt', bytes, proof.replace(/^extra .{4}/m, 'extra AAAA')], ['the index', bytes, proof.replace(/^index .*$/m, `index ${Number(index) - 1}`)], ['a hash', bytes, proof.replace(/^(index .*\n).{4}/m, '$1AAAA')], ['the line of another', line.replace(/"index":\d+/, '"index":0')]]) {
    fs.writeFileSync(f('q'), p ?? proof);
    const v = await run(event, f('q'), k ?? key);
    assert.equal(v.code, 65, `${what}: ${v.out}${v.err}`);
  }
  assert.match((await run(JSON.stringify(e))).err, /Graph's JSON of an auditEvent is only a part of what was committed/);
  assert.match((await run(bytes, f('p'), null)).err, /no key of the log \S+ is remembered: give it with --key/);
});

test('52 an archive: checked offline, and whatever is changed in it is found', async () => {
  const r = await one(), zip = path.join(r.tmp, 'a.zip'), open = path.join(r.tmp, 'open'), other = path.join(r.tmp, 'b.zip');
  const made = (await live(r, 'export', '--format', 'archive', '--out', zip));
  assert.equal(made.code, 0, made.err);
  const verify = f => reeve(r, ['verify', f], { state: 'other' });
  const good = await verify(zip);
  assert.equal(good.code, 0, good.err);
  assert.match(good.out, /events +\d{3} open their commitments/);
  execFileSync('python3', ['-c', 'import sys,zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])', zip, open]);
  const pack = () => execFileSync('python3', ['-c', 'import sys,os,zipfile\nz=zipfile.ZipFile(sys.argv[2],"w",zipfile.ZIP_DEFLATED)\nfor d,_,fs in os.walk(sys.argv[1]):\n for f in fs: p=os.path.join(d,f); z.write(p,os.path.relpath(p,sys.argv[1]))\nz.close()', open, other]);
  pack();
  assert.equal((await verify(other)).code, 0, 'packed again');
  for (const f of ['manifest.json', 'manifest.sig', 'checkpoint', 'key', 'events/001', 'tile/0/001', 'tile/entries/000', 'tile/1/000.p/2']) {
    const bytes = fs.readFileSync(path.join(open, f));
    for (const b of [flipped(bytes, Math.floor(bytes.length / 2)), bytes.subarray(0, -1), null]) {
      if (b) fs.writeFileSync(path.join(open, f), b); else fs.rmSync(path.join(open, f));
      pack();
      const v = await verify(other);
      assert.equal(v.code, 65, `${f}: ${v.code} ${v.out}${v.err}`);
      assert.match(v.err, /^reeve audit verify: [^\n]+\n$/);
    }
    fs.writeFileSync(path.join(open, f), bytes);
  }
  fs.writeFileSync(path.join(open, 'events/007'), 'x\n');
  pack();
  assert.match((await verify(other)).err, /events\/007 was added/);
  fs.rmSync(path.join(open, 'events/007'));
  fs.writeFileSync(path.join(open, 'README'), 'x');
  pack();
  assert.match((await verify(other)).err, /an audit log has no file 'README'/);
  fs.writeFileSync(other, 'no zip');
  assert.equal((await verify(other)).code, 65);
  assert.equal((await verify(path.join(r.tmp, 'none.zip'))).code, 66);
  assert.deepEqual(fs.readdirSync('/tmp').filter(f => f.startsWith('reeve-audit-')), [], 'nothing unpacked stays');
});

test('52 witnesses: the policy\'s quorum, over the newest checkpoint or an earlier one', async () => {
  const r = await one(), dir = path.join(r.tmp, 'cosigned'), policy = path.join(r.tmp, 'policy'), keys = [1, 2, 3].map(i => privateKey(Buffer.alloc(32, i)));
  assert.equal((await live(r, 'mirror', dir)).code, 0);
  const vkeys = keys.map((k, i) => vkeyOf(`w${i}.example`, 4, rawPublic(k))), log = fs.readFileSync(path.join(dir, 'key'), 'utf8').trim();
  fs.writeFileSync(policy, `log ${log}\n${vkeys.map((k, i) => `witness w${i} ${k}\n`).join('')}group two 2 w0 w1 w2\nquorum two\n`);
  const verify = () => reeve(r, ['verify', dir, '--policy', policy], { state: 'witnessed' });
  const file = path.join(dir, 'checkpoint'), note = fs.readFileSync(file, 'utf8'), text = note.slice(0, note.indexOf('\n\n') + 1), lines = keys.map((k, i) => cosign(text, `w${i}.example`, k));
  assert.match((await verify()).err, /the quorum of \S+ is not reached: 0 of its witnesses cosigned/);
  fs.writeFileSync(file, note + lines[0]);
  assert.match((await verify()).err, /not reached: 1 of/);
  fs.writeFileSync(file, note + lines[0] + lines[2]);
  assert.match((await verify()).out, /key +\S+ \(the policy's\)[^]*witnesses +2 cosigned size \d+: the quorum is reached/);
  fs.writeFileSync(file, note + lines[0] + lines[2].replace(/.{4}\n$/, 'AAA=\n'));
  assert.equal((await verify()).code, 65, 'a cosignature that does not verify');
  fs.writeFileSync(file, note);
  fs.writeFileSync(path.join(dir, 'witnessed'), note + lines[1] + lines[2]);
  assert.equal((await verify()).code, 0, 'the one that was cosigned');
  const forked = text.replace(/\n\d+\n.*\n$/, `\n10\n${Buffer.alloc(32, 5).toString('base64')}\n`);
  fs.writeFileSync(path.join(dir, 'witnessed'), note.replace(text, forked) + cosign(forked, 'w1.example', keys[1]) + cosign(forked, 'w2.example', keys[2]));
  assert.equal((await verify()).code, 65, 'cosigned by two, but not by the log');
});

test('52 an older database put back: verify and mirror see the new origin, and follow only when told', async () => {
  const r = await Reeve.make(), db = path.join(r.dir, 'reeve.db'), dir = path.join(r.tmp, 'mirror'), url = `https://127.0.0.1:${r.port}`;
  for (let i = 0; i < 5; i++) await r.user(`old${i}@acme.example`);
  await settled(r);
  await r.stop();
  fs.copyFileSync(db, `${db}.old`);
  await r.serve();
  for (let i = 0; i < 5; i++) await r.user(`new${i}@acme.example`);
  await settled(r);
  assert.equal((await live(r, 'verify')).code, 0);
  assert.equal((await live(r, 'mirror', dir, '--events')).code, 0);
  await r.stop();
  for (const f of r.files) fs.rmSync(f);
  fs.renameSync(`${db}.old`, db);
  await r.serve();
  await r.user('after@acme.example');
  await settled(r);
  const v = (await live(r, 'verify'));
  assert.equal(v.code, 65);
  assert.match(v.err, /goes on under a new origin, \S+\.2; on .* it was \S+ with \d+ entries\. Not all that was seen is in it.*restored database at index \d+, .*size \d+ -> \d+.*--accept-new-origin/);
  const m = (await live(r, 'mirror', dir, '--events'));
  assert.equal(m.code, 65);
  assert.match(m.err, /holds the log \S+, and the server now has \S+\.2\. .*--accept-new-origin/);
  assert.equal((await offline(r, 'verify', dir)).code, 0, 'the mirror still has what was lost');
  const taken = (await live(r, 'mirror', dir, '--events', '--accept-new-origin'));
  assert.equal(taken.code, 0, taken.err);
  assert.equal(fs.readdirSync(r.tmp).filter(f => /^mirror\.\d{4}/.test(f)).length, 1, 'the former one is kept');
  assert.equal((await offline(r, 'verify', dir)).code, 0);
  assert.equal((await live(r, 'verify')).code, 0, 'accepted once');

  // published: as a stranger, without a token
  const prefix = (await r.get(`${DM}/auditLog`)).url, stranger = () => reeve(r, ['verify', prefix, '--ca', r.caFile], { state: 'stranger' });
  assert.equal((await stranger()).code, 77);
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { auditLogPublished: true } });
  assert.ok(prefix.startsWith(url));
  const s = await stranger();
  assert.equal(s.code, 0, s.err);
  assert.match(s.out, /events +not checked \(this token may not read them\)[^]*verified +yes/);
});

// A log of somebody's making, as a directory: n entries of a kind, signed by a key.
const ORIGIN = 'other.example/log/01999999-9999-7999-8999-999999999999';
function makeLog(dir, n, { kind = 'a', key = privateKey(Buffer.alloc(32, 1)), origin = ORIGIN } = {}) {
  const tree = new Tree(Array.from({ length: n }, (_, i) => commitmentOf(Buffer.from(kind), String(i)))), put = (f, b) => { fs.mkdirSync(path.dirname(path.join(dir, f)), { recursive: true }); fs.writeFileSync(path.join(dir, f), b); };
  fs.rmSync(dir, { recursive: true, force: true });
  for (const [f, b] of tree.files()) put(f, b);
  put('key', `${vkeyOf(origin, 1, rawPublic(key))}\n`);
  put('checkpoint', signNote(`${origin}\n${n}\n${tree.root().toString('base64')}\n`, origin, key));
}

test('52 heads that were seen are remembered: a log that goes back, forks, changes its key or its origin is said to', async () => {
  const r = { tmp: fs.mkdtempSync('/tmp/reeve-sys-seen-'), env: () => process.env }, dir = path.join(r.tmp, 'log'), state = path.join(r.tmp, 'heads'), verify = (...args) => offline(r, 'verify', dir, '--state', state, ...args);
  const refuses = async (why, code, ...args) => { fs.rmSync(path.join(dir, '.seen'), { force: true }); const v = await verify(...args); assert.equal(v.code, code, v.err); assert.match(v.err, why); return v; };
  try {
    makeLog(dir, 300);
    const first = await verify();
    assert.match(first.out, /^log +other\.example\/log\/\S+\nkey +\S+ \(its own: compare it with one from a place that you trust\)\ncheckpoint +size 300, root \S+\ntree +sound: 2 bundles, 3 tiles\ncontinues +nothing that was seen before\nevents +not checked \(this copy holds none\)\nverified +yes\n$/, first.err);
    for (const n of [300, 301, 512, 513, 1100]) {
      makeLog(dir, n);
      const v = await verify();
      assert.match(v.out, new RegExp(`\\(remembered\\)[^]*continues +size \\d+, seen on`), `${n}: ${v.err}`);
    }
    assert.match(fs.readFileSync(state, 'utf8'), new RegExp(`^# [^\n]+\n${ORIGIN} 1100 \\S{44} ${ORIGIN}\\S+ 20\\S+Z\n$`));
    makeLog(dir, 1099);
    await refuses(/^reeve audit verify: the log went back: it has 1099 entries, and 1100 were seen on \S+ \(first missing index: 1099\)\n$/, 65);
    for (const n of [1100, 1101, 2000]) {
      makeLog(dir, n, { kind: 'b' });
      await refuses(/the log was forked: its first 1100 entries are not those that were seen on \S+ \(root \S{44}\)\n$/, 65);
    }
    makeLog(dir, 1101, { key: privateKey(Buffer.alloc(32, 2)) });
    await refuses(/now shows the key \S+ for the log \S+, and not the one to judge it by: \S+\n$/, 65);
    makeLog(dir, 1101);
    await refuses(/the key that is given for \S+ is not the one that was seen before/, 65, '--key', vkeyOf(ORIGIN, 1, rawPublic(privateKey(Buffer.alloc(32, 2)))));
    await refuses(/--key x: neither a file nor a key \(<name>\+<id>\+<base64>\)/, 64, '--key', 'x');
    makeLog(dir, 1102, { origin: `${ORIGIN}.2` });
    await refuses(/goes on under a new origin, \S+\.2; on \S+ it was \S+ with 1100 entries\. All that was seen is in it\. No event in it says why\. If you know of it \(a backup was restored\), --accept-new-origin takes it\n$/, 65);
    assert.equal((await verify('--accept-new-origin')).code, 0);
    assert.equal((await verify()).code, 0);
    fs.writeFileSync(state, 'nonsense\n');
    await refuses(/heads: not a line of origin, size, root, key and time: 'nonsense'/, 78);
    fs.writeFileSync(path.join(dir, 'key'), 'nonsense\n');
    await refuses(/log\/key: a verifier key must look like/, 65);
    assert.match((await offline(r, 'verify', path.join(r.tmp, 'none'))).err, /none: no such file\n$/);
    assert.match((await offline(r, 'verify', r.tmp)).err, /there is no log \(no file 'key'\)\n$/);
    assert.equal((await offline(r, 'verify', dir, '--url', 'https://x')).code, 64);
    assert.match((await offline(r, 'verify', '--event', 'x')).err, /--event and --proof go together/);
    assert.match((await offline(r, 'mirror')).err, /usage: reeve audit mirror DIR/);
  } finally { fs.rmSync(r.tmp, { recursive: true, force: true }); }
});

test('52 a year later: what the log forgets its mirrors forget, and both verify', async () => {
  const r = await Reeve.make(), dir = path.join(r.tmp, 'mirror'), file = n => fs.readFileSync(path.join(dir, n));
  for (let i = 0; i < 270; i++) await r.user(`year${i}@acme.example`);
  await settled(r);
  assert.equal((await live(r, 'mirror', dir, '--events')).code, 0);
  const held = (await live(r, 'verify')).code;
  assert.equal(held, 0);
  assert.ok(file('events/000').includes('year7@acme.example'));
  await r.stop();
  await r.serve(367);
  await r.user('young@acme.example');
  await until('the old events are gone', () => Number(values(r, `SELECT count(*) AS v FROM audit_events WHERE ${mine(r)}`)[0]) < 100, { seconds: 60 });
  await settled(r);
  assert.match((await offline(r, 'verify', dir)).err, /index 0 is kept past its expiry/, 'a mirror that nobody runs keeps what it should not');
  const v = await live(r, 'verify', '--json');
  assert.equal(v.code, 0, v.err);
  assert.ok(v.json.removed >= 270 && v.json.events > 0, v.out);
  const m = await live(r, 'mirror', dir, '--json'); // --events is remembered
  assert.equal(m.code, 0, m.err);
  assert.ok(m.json.forgotten >= 256, m.out);
  for (const f of fs.readdirSync(path.join(dir, 'events'))) assert.ok(!file(`events/${f}`).includes('@acme.example') || !file(`events/${f}`).includes('year'), f);
  const after = await offline(r, 'verify', dir, '--json');
  assert.equal(after.code, 0, after.err);
  assert.equal(after.json.removed, v.json.removed);
  assert.ok(after.json.events >= v.json.events);
});
