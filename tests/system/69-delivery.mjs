// SPDX-License-Identifier: Apache-2.0
// Exports on their way out: put at a storage location by HTTPS, with a receiver that fails, never answers or lies elsewhere; and links to them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import os from 'node:os';
import path from 'node:path';
import { Reeve, test, testOnEngines, until } from './lib.mjs';

function certificates(dir) {
  const f = name => path.join(dir, name), run = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('ca.key'), '-out', f('ca.pem'), '-subj', '/CN=Stores', '-days', '2');
  run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('key.pem'), '-out', f('csr.pem'), '-subj', '/CN=store');
  fs.writeFileSync(f('ext'), 'subjectAltName=IP:127.0.0.1\n');
  run('x509', '-req', '-in', f('csr.pem'), '-CA', f('ca.pem'), '-CAkey', f('ca.key'), '-CAcreateserial', '-out', f('cert.pem'), '-days', '2', '-extfile', f('ext'));
  return { ca: f('ca.pem'), cert: fs.readFileSync(f('cert.pem')), key: fs.readFileSync(f('key.pem')) };
}

// Does to each request of a path what comes next in plan[path]: a status, 'reset', 'hang' (never reads, never answers), a redirect's target.
class Store {
  plan = {}; seen = [];
  async start(c) {
    this.server = https.createServer({ key: c.key, cert: c.cert }, (q, a) => {
      const where = new URL(q.url, 'https://x').pathname, what = this.plan[where]?.shift() ?? 201, parts = [];
      const one = { where, method: q.method, url: q.url, headers: q.headers, what };
      this.seen.push(one);
      if (what === 'hang') return;
      if (what === 'reset') { q.socket.destroy(); return; }
      q.on('data', d => parts.push(d));
      q.on('error', () => {});
      q.on('end', () => {
        one.body = Buffer.concat(parts);
        a.writeHead(typeof what === 'string' ? 307 : what, typeof what === 'string' ? { Location: what } : {});
        a.end('x'.repeat(100000));
      });
    });
    await new Promise(r => this.server.listen(0, '127.0.0.1', r));
    this.url = `https://127.0.0.1:${this.server.address().port}`;
    return this;
  }
  at(where) { return this.seen.filter(s => s.where === where); }
  async stop() { this.server.closeAllConnections(); await new Promise(r => this.server.close(r)); }
}

async function reeveWith(engine, settings) {
  const r = await Reeve.make({ engine, serve: false });
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), Object.entries(settings).map(([k, v]) => `${k} = ${v}\n`).join(''));
  await r.serve();
  return r;
}
const ask = async (r, user, storageLocation) => {
  const allowed = await r.api('POST', '/v1.0/deviceManagement/storageLocations', { body: { displayName: 'Store', urlPrefix: new URL(storageLocation).origin } });
  assert.ok([201, 409].includes(allowed.status), allowed.text);
  const a = await r.api('POST', `/v1.0/users/${user.id}/exportPersonalData`, { body: { storageLocation } });
  assert.equal(a.status, 202, a.text);
  assert.equal(a.json.storageLocation, storageLocation, 'shown to whoever may export');
  return `/v1.0/dataPolicyOperations/${a.json.id}`;
};
const ended = (r, op, seconds = 60) => until('the export ends', async () => { const x = await r.get(op); return ['complete', 'failed'].includes(x.status) && x; }, { seconds });
const events = async (r, op, type) => (await r.events(`resources/resourceId eq '${op.split('/').at(-1)}'`)).filter(e => e.activityType === type);
const KEY = 'sig=0f4c1bd2e6a94f7f';

testOnEngines('69 an export is put at its storage location, whatever the receiver does first', async engine => {
  const r0 = fs.mkdtempSync(path.join(os.tmpdir(), 'reeve-store-')), c = certificates(r0), store = await new Store().start(c);
  const r = await reeveWith(engine, { sink_targets: '127.0.0.1', storage_ca_file: c.ca }), ada = await r.user('ada@acme.example');
  // one that never answers delays nobody
  store.plan['/hang'] = Array(100).fill('hang');
  const stuck = await ask(r, ada, `${store.url}/hang?${KEY}`);
  await until('it is stuck', () => store.at('/hang').length === 1);

  store.plan['/box/ada.zip'] = [503, 'reset'];
  const op = await ask(r, ada, `${store.url}/box/ada.zip?sv=2024&sp=w&${KEY}`);
  await until('it was tried', () => store.at('/box/ada.zip').length >= 1);
  const meanwhile = await r.get(op);
  assert.deepEqual([meanwhile.status, meanwhile.completedDateTime], ['running', null], 'complete only when it is there');
  const x = await ended(r, op), puts = store.at('/box/ada.zip'), last = puts.at(-1);
  assert.deepEqual([x.status, x.progress, x.storageLocation], ['complete', 100, '']);
  assert.deepEqual(puts.map(p => p.what), [503, 'reset', 201]);
  assert.deepEqual([last.method, last.headers['x-ms-blob-type'], last.headers['content-type'], Number(last.headers['content-length']), last.headers.authorization, last.headers.expect], ['PUT', 'BlockBlob', 'application/zip', last.body.length, undefined, undefined]);
  assert.equal(last.url, `/box/ada.zip?sv=2024&sp=w&${KEY}`);
  assert.ok((await r.api('GET', `${op}/content`)).bytes.equals(last.body), 'the same file');
  assert.equal((await events(r, op, 'store PersonalDataExport')).length, 1);

  // what says no is not asked again, and nobody is followed
  for (const [where, plan, why] of [['/no', 403, /answered 403/], ['/away', `${store.url}/elsewhere`, /answered 307/]]) {
    store.plan[where] = [plan, plan];
    const refused = await ask(r, ada, `${store.url}${where}?${KEY}`), y = await ended(r, refused), [e] = await events(r, refused, 'store PersonalDataExport');
    assert.deepEqual([y.status, y.storageLocation, store.at(where).length], ['failed', '', 1]);
    assert.notEqual(e.activityResult, 'Success');
    assert.match(r.log, why);
    await r.refused(409, 'GET', `${refused}/content`);
    assert.ok(!fs.readdirSync(path.join(r.dir, 'exports')).some(f => f.startsWith(refused.split('/').at(-1))));
  }
  assert.equal(store.at('/elsewhere').length, 0);
  // an address that is taken from the list gets nothing more, also of what was asked for before
  store.plan['/taken'] = Array(100).fill(503);
  const taken = await ask(r, ada, `${store.url}/taken?${KEY}`), places = '/v1.0/deviceManagement/storageLocations';
  await until('it was tried', () => store.at('/taken').length >= 1);
  for (const place of await r.all(places)) await r.ok('DELETE', `${places}/${place.id}`);
  const gone = await ended(r, taken), tried = store.at('/taken').length;
  assert.deepEqual([gone.status, gone.storageLocation], ['failed', '']);
  await ask(r, ada, `${store.url}/box/again.zip?${KEY}`);
  await until('another is there', () => store.at('/box/again.zip').length === 1);
  assert.equal(store.at('/taken').length, tried);
  assert.equal((await r.get(stuck)).status, 'running');
  assert.ok(!r.log.includes(KEY), 'a location is in no log line');
  assert.ok(!JSON.stringify(await r.events()).includes(KEY), 'and in no event');

  // a stop in the middle of a transfer; then it is tried again, and after its hour it is given up
  const began = Date.now();
  await r.stop();
  assert.ok(Date.now() - began < 15000, 'a stop does not wait for it');
  process.env.NO_FAKE_STAT = '1';
  store.plan['/hang'] = [500, 500];
  if (engine === 'sqlite') {
    await r.serve(1);
    const y = await ended(r, stuck);
    assert.deepEqual([y.status, y.storageLocation], ['failed', '']);
    assert.match(r.log, /final=1 reason="the storage location answered 500"/);
  }
  delete process.env.NO_FAKE_STAT;
  await r.remove();
  await store.stop();
  fs.rmSync(r0, { recursive: true });
});

test('69 nothing is sent where it may not go, or to whom TLS does not vouch for', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'reeve-store-')), c = certificates(dir), store = await new Store().start(c), { port } = new URL(store.url);
  const r = await reeveWith('sqlite', { storage_ca_file: c.ca }), ada = await r.user('ada@acme.example');
  const own = Object.values(os.networkInterfaces()).flat().filter(i => !i.internal && i.family === 'IPv4').map(i => i.address);
  for (const host of ['127.0.0.1', 'localhost', 'LOCALHOST.', 'x.localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '169.254.169.254', '[fe80::1]', '224.0.0.1', ...own])
    assert.match((await r.refused(400, 'POST', `/v1.0/users/${ada.id}/exportPersonalData`, { body: { storageLocation: `https://${host}:${port}/x` } })).message, /may not be sent to/, host);
  for (const bad of ['http://store.example/x', 'https://user:pass@store.example/x', 'https://store.example/x#y', 'file:///etc/passwd', 'https://', 'https://store.example/\r\nX: y', 'x'])
    await r.refused(400, 'POST', `/v1.0/users/${ada.id}/exportPersonalData`, { body: { storageLocation: bad } });
  // a name is judged by what it stands for when it is connected to
  const op = await ask(r, ada, `https://${os.hostname()}:${port}/x?${KEY}`), x = await until('it was tried', () => /export_not_stored.*/.exec(r.log));
  if (/one that may be reached/.test(x[0])) assert.equal((await ended(r, op)).status, 'failed');
  else assert.match(x[0], /no answer/); // a machine that does not know its own name
  await r.remove();
  const other = certificates(dir); // another authority
  const q = await reeveWith('sqlite', { sink_targets: '127.0.0.1', storage_ca_file: other.ca }), eve = await q.user('eve@acme.example');
  const untrusted = await ask(q, eve, `${store.url}/x?${KEY}`);
  await until('it was tried', () => /export_not_stored.*final=0 reason="no answer/.test(q.log));
  assert.equal((await q.get(untrusted)).status, 'running');
  assert.deepEqual(store.seen, []);
  await q.remove();
  await store.stop();
  fs.rmSync(dir, { recursive: true });
});

test('69 a link to an export needs no token, is recorded, and ends', async () => {
  const r = await Reeve.make(), ada = await r.user('ada@acme.example');
  const a = await r.api('POST', `/v1.0/users/${ada.id}/exportPersonalData`, { body: {} }), op = `/v1.0/dataPolicyOperations/${a.json.id}`;
  await ended(r, op);
  const link = await r.post(`${op}/createLink`, {});
  assert.ok(Math.abs(Date.parse(link.expirationDateTime) - Date.now() - 86400000) < 60000, 'a day');
  const file = await r.api('GET', link.url, { token: null });
  assert.deepEqual([file.status, file.headers['content-type'], file.headers['cache-control'], file.headers['referrer-policy']], [200, 'application/zip', 'no-store', 'no-referrer']);
  assert.ok((await r.api('GET', `${op}/content`)).bytes.equals(file.bytes));
  assert.equal((await events(r, op, 'createLink PersonalDataExport')).length, 1);
  assert.deepEqual((await events(r, op, 'download PersonalDataExport')).map(e => e.actor.auditActorType).sort(), ['Application', 'Unknown']);
  await r.refused(404, 'POST', `/v1.0/dataPolicyOperations/${ada.id}/createLink`, { body: {} });
  await r.restart(2);
  assert.equal((await r.api('GET', link.url, { token: null })).status, 410);
  assert.equal((await r.api('GET', (await r.post(`${op}/createLink`, {})).url, { token: null })).status, 200, 'the file lives longer than a link');
  // with the person the file goes, and the link with it
  const last = (await r.post(`${op}/createLink`, {})).url;
  await r.ok('DELETE', `/v1.0/users/${ada.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${ada.id}`);
  await until('the link is dead', async () => [404, 410].includes((await r.api('GET', last, { token: null })).status), { seconds: 60 });
  await r.remove();
});
