// SPDX-License-Identifier: Apache-2.0
// The log as outsiders read it: every byte recomputed here from the events, who may read it, what caches may keep.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { BUILD, ROOT, shared, sleep, testOnEngines, until } from './lib.mjs';
import { Tree, checkpointOf, commitmentOf, group, signedBy, vkey } from './tlog.mjs';
import { DM } from './world.mjs';

const NIL = '00000000-0000-0000-0000-000000000000';
const one = shared(async r => { r.second = await r.secondTenant('Globex'); });

const file = (r, path, { tenant = r.tenant, ...o } = {}) => r.api('GET', `/log/${tenant}/${path}`, o);
async function fetched(r, path, o) { const x = await file(r, path, o); assert.equal(x.status, 200, `${path}: ${x.text.slice(0, 200)}`); return x; }

// What the events' own files say that the tree is.
async function treeOf(r, size, o) {
  const commitments = [], bytes = [];
  for (let b = 0; b * 256 < size; b++) {
    const x = await fetched(r, `events/${group(b)}`, o);
    assert.match(x.headers['cache-control'], /no-store/);
    for (const line of x.text.trimEnd().split('\n')) {
      const at = line.indexOf('"event":') + 8, event = line.slice(at, -1), { index, salt } = JSON.parse(line);
      assert.equal(index, commitments.length, 'no gap');
      bytes.push(event);
      commitments.push(commitmentOf(Buffer.from(salt, 'base64'), Buffer.from(event)));
    }
  }
  return { tree: new Tree(commitments.slice(0, size)), bytes: bytes.slice(0, size) };
}
// The newest checkpoint once nothing is left to sign.
const settled = async (r, o) => {
  let last;
  await until('everything is signed', async () => {
    const x = (await fetched(r, 'checkpoint', o)).text;
    const same = x === last && /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending'));
    last = x;
    return same;
  }, { every: 300 });
  return last;
};

async function grow(r, n, o) {
  const g = await r.group(`Log ${Math.random()}`, [], o);
  for (let i = 0; i < n; i += 20)
    await Promise.all(Array.from({ length: Math.min(20, n - i) }, (_, k) => r.ok('PATCH', `/v1.0/groups/${g.id}`, { body: { description: `${i + k}` }, ...o })));
}

// Other people's code (golang.org/x/mod), which sees the files only.
function verifier(dir, ...old) {
  execFileSync(path.join(ROOT, 'tests/verifier/build.sh'), [BUILD], { stdio: 'inherit' });
  const done = spawnSync(path.join(BUILD, 'tests/verifier/reeve-log-verifier'), [dir, ...old], { encoding: 'utf8' });
  return { code: done.status, said: `${done.stdout}${done.stderr}`.trim() };
}
function put(dir, name, content) {
  const file = path.join(dir, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, content);
  return file;
}

testOnEngines('51 every file of the log is what its events make it, now and for every checkpoint before', async engine => {
  const r = await one(engine), checkpoints = new Set();
  await fetched(r, 'events/000'); // the reading of today is recorded before
  const growing = grow(r, 700);
  for (let done = false; !done;) {
    done = await Promise.race([growing.then(() => true), sleep(100).then(() => false)]);
    checkpoints.add((await fetched(r, 'checkpoint')).text);
  }
  const note = await settled(r), key = (await fetched(r, 'key')).text, head = checkpointOf(note);
  checkpoints.add(note);
  assert.ok(checkpoints.size >= 3 && head.size > 700, `${checkpoints.size} checkpoints of ${head.size}`);
  assert.equal(vkey(key).name, head.origin);
  assert.equal(head.origin, `127.0.0.1/log/${r.tenant}`);
  const { tree, bytes } = await treeOf(r, head.size);
  for (const c of checkpoints) {
    const { origin, size, root } = checkpointOf(c);
    assert.equal(origin, head.origin);
    assert.ok(signedBy(c, key), 'signed by the log');
    assert.equal(tree.root(size).toString('hex'), root.toString('hex'), `the root at ${size}`);
  }
  // each full tile, and each partial one of every checkpoint that there was
  const expected = new Map([...checkpoints].flatMap(c => tree.files(checkpointOf(c).size)));
  assert.ok([...expected.keys()].some(p => p.startsWith('tile/1/')) && expected.size > 10);
  for (const [path, content] of expected) {
    const x = await fetched(r, path);
    assert.ok(x.bytes.equals(content), path);
    assert.equal(x.headers['content-type'], 'application/octet-stream');
    assert.equal(x.headers['cache-control'], 'private, max-age=31536000, immutable');
    assert.equal(Number(x.headers['content-length']), content.length);
  }
  const served = path.join(r.tmp, 'served'), old = [...checkpoints].map((c, i) => put(r.tmp, `old/${i}`, c));
  for (const [name, content] of [['checkpoint', note], ['key', key], ...tree.files(head.size).map(([name]) => [name, null])])
    put(served, name, content ?? (await fetched(r, name)).bytes);
  assert.deepEqual(verifier(served, ...old), { code: 0, said: `ok ${head.size}` });
  const some = path.join(served, 'tile/entries/001'), good = fs.readFileSync(some), bad = Buffer.from(good);
  bad[5000] ^= 1;
  fs.writeFileSync(some, bad);
  assert.equal(verifier(served, ...old).code, 1, 'one bit');
  fs.writeFileSync(some, good);
  const mirrored = path.join(r.tmp, 'mirrored'), mirror = r.cli('audit', 'mirror', mirrored);
  assert.equal(mirror.code, 0, mirror.err);
  const theirs = checkpointOf(fs.readFileSync(path.join(mirrored, 'checkpoint'), 'utf8'));
  assert.ok(theirs.size >= head.size);
  assert.deepEqual(verifier(mirrored, ...old), { code: 0, said: `ok ${theirs.size}` });
  // what its events say is what the API says
  const ids = bytes.map(b => JSON.parse(b)).map(b => b.event.id);
  assert.equal(new Set(ids).size, ids.length);
  const api = new Set((await r.events()).map(e => e.id));
  for (const id of ids) assert.ok(api.has(id), id);
  // what is not there is 404, whatever it looks like
  const { length } = await r.events(), whole = async () => { const c = checkpointOf((await fetched(r, 'checkpoint')).bytes.toString()); return c.size >= length && c.size; };
  const n = await until('a checkpoint over all events', whole), full = Math.floor(n / 256), width = n % 256;
  for (const path of [`tile/0/${group(full)}`, `tile/0/${group(full)}.p/${width + 1}`, `tile/entries/${group(full)}`, `tile/0/${group(full + 1)}.p/1`, 'tile/1/000', 'tile/2/000.p/1', 'tile/0/000.p/0', 'tile/0/000.p/256',
    'tile/0/000.p/01', 'tile/0/0', 'tile/0/00', 'tile/0/x000/000', 'tile/00/000', 'tile/64/000', 'tile/0/000.p', 'tile/0/000.p/1/2', 'tile/8/0/000', 'tile/-1/000', 'tile/0/000.p/+1', 'tile/entries/000.p/', 'tile', 'tile/data/000',
    'tile/0/x999/x999/x999/x999/x999/x999/999', `events/${group(full + 1)}`, 'events/000.p/5', 'events/0', 'events', 'nothing', '../checkpoint', 'tile/0%2f000', "tile/0('000')", 'tile/0/000/', 'tile//0/000', 'Tile/0/000', 'tile/0/%30%30%30']) {
    const x = await file(r, path);
    assert.equal(x.status, 404, `${path}: ${x.status}`);
    assert.equal(typeof x.json.error.message, 'string');
  }
  assert.equal((await r.api('POST', `/log/${r.tenant}/checkpoint`, { body: {} })).status, 405);
  // a checkpoint is asked for often
  const x = await fetched(r, 'checkpoint');
  assert.deepEqual([x.headers['content-type'], x.headers['cache-control']], ['text/plain; charset=utf-8', 'private, no-cache']);
  const again = await file(r, 'checkpoint', { headers: { 'If-None-Match': x.headers.etag } });
  assert.deepEqual([again.status, again.bytes.length, again.headers.etag], [304, 0, x.headers.etag]);
  assert.equal((await file(r, 'checkpoint', { headers: { 'If-None-Match': '"x"' } })).status, 200);
  const h = await r.api('HEAD', `/log/${r.tenant}/tile/0/000`);
  assert.deepEqual([h.status, h.bytes.length, h.headers['content-length'], h.headers['cache-control']], [200, 0, '8192', 'private, max-age=31536000, immutable']);
  assert.equal((await file(r, 'witnessed')).status, 404);
  // the summary
  const s = await r.get(`${DM}/auditLog`);
  assert.deepEqual([s.origin, s.verifierKey, s.url, s.generation, s.retentionDays, s.published, s.witnesses], [head.origin, key.trim(), `${r.url}/log/${r.tenant}/`, 1, 365, false, []]);
  assert.ok(s.size >= n && s.signedSize >= n && s.signedSize <= s.size);
});

testOnEngines('51 who may read a log: its own tenant, or anybody where it is published; its events never', async engine => {
  const r = await one(engine), { second } = r;
  const roles = await r.all('/v1.0/roleManagement/directory/roleDefinitions');
  const without = roles.find(x => !/AuditLog\.Read|DeviceManagementApps/.test(JSON.stringify(x.rolePermissions))).id;
  const app = await r.post('/v1.0/applications', { displayName: 'Nosy', roleDefinitionId: without }), secret = (await r.post(`/v1.0/applications/${app.id}/addPassword`, {})).secretText;
  const nosy = await r.signIn(r.tenant, app.id, secret);
  await settled(r);
  await until('the other log is signed', async () => (await file(r, 'checkpoint', { tenant: second.id, token: second.token })).status === 200);
  const files = ['checkpoint', 'key', 'tile/0/000.p/1', 'tile/entries/000.p/1', 'events/000'];
  const nobody = '01999999-9999-7999-8999-999999999999';
  const matrix = async (who, token, tenant, want, events = want) => {
    const texts = [];
    for (const path of files) {
      const x = await file(r, path, { token, tenant }), status = path.startsWith('events') ? events : want;
      assert.equal(x.status, status, `${who}: ${tenant} ${path}: ${x.status} ${x.text.slice(0, 200)}`);
      if (status >= 400) texts.push(`${path} ${x.json.error.code} ${x.json.error.message} ${x.headers['www-authenticate']}`);
    }
    return texts.join('\n');
  };
  await matrix('administrator', r.token, r.tenant, 200);
  await matrix('without the permission', nosy, r.tenant, 403);
  const [theirs, none] = [await matrix('another tenant', second.token, r.tenant, 404), await matrix('another tenant', second.token, nobody, 404)];
  assert.equal(theirs, none, 'a log of others looks like none');
  const [shut, nothing] = [await matrix('nobody', null, r.tenant, 401), await matrix('nobody', null, nobody, 401)];
  assert.equal(shut, nothing);
  await matrix('junk', 'junk', r.tenant, 401);
  await matrix('operator', r.operatorToken, r.tenant, 404);
  await matrix('operator', r.operatorToken, NIL, 200);
  await matrix('administrator', r.token, NIL, 404);
  for (const tenant of [`${r.tenant}.1`, `${r.tenant}.2`, `${r.tenant}.02`, `${r.tenant}.`, `${r.tenant}x`, r.tenant.toUpperCase(), r.tenant.replaceAll('-', ''), 'x']) {
    if (tenant === r.tenant) continue;
    await matrix('administrator', r.token, tenant, 404);
  }
  // the installation's own log
  const nilNote = await settled(r, { tenant: NIL, token: r.operatorToken }), nilHead = checkpointOf(nilNote), nilKey = (await fetched(r, 'key', { tenant: NIL, token: r.operatorToken })).text;
  assert.ok(signedBy(nilNote, nilKey));
  const { tree } = await treeOf(r, nilHead.size, { tenant: NIL, token: r.operatorToken });
  assert.equal(tree.root().toString('hex'), nilHead.root.toString('hex'));
  // reading the content is an event, one of each reader and day
  assert.equal((await r.events("activityType eq 'read AuditLog'")).filter(e => e.actor.applicationId === r.clientId || e.actor.applicationDisplayName).length, 1);

  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { auditLogPublished: true } });
  await matrix('anybody', null, r.tenant, 200, 401);
  await matrix('another tenant', second.token, r.tenant, 200, 404);
  await matrix('a bad token', 'junk', r.tenant, 401);
  await matrix('without the permission', nosy, r.tenant, 403);
  assert.equal((await fetched(r, 'tile/0/000.p/1', { token: null })).headers['cache-control'], 'public, max-age=31536000, immutable');
  assert.equal((await fetched(r, 'checkpoint', { token: null })).headers['cache-control'], 'public, no-cache');
  assert.equal((await fetched(r, 'tile/0/000.p/1')).headers['cache-control'], 'private, max-age=31536000, immutable');
  assert.equal((await file(r, 'tile/0/999', { token: null })).status, 404);
  assert.equal((await r.get(`${DM}/auditLog`)).published, true);
  await matrix('anybody', null, second.id, 401);
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { auditLogPublished: false } });
  assert.equal(await matrix('nobody', null, r.tenant, 401), nothing);
  const changes = (await r.events("activityType eq 'patch TenantSettings'")).flatMap(e => e.resources.flatMap(x => x.modifiedProperties)).filter(p => p.displayName === 'auditLogPublished');
  assert.equal(changes.length, 2);
});
