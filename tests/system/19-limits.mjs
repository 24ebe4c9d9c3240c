// SPDX-License-Identifier: Apache-2.0
// Floods: sign-ins, slow clients, connections.  Whoever has signed in is served, what is refused is counted, nobody is locked out; and what
// every answer says to a browser.  Times are bench/flood.sh's.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { Reeve, sleep, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const ownerSql = (r, text) => r.engine === 'sqlite' ? execFileSync('sqlite3', ['-cmd', '.timeout 5000', path.join(r.dir, 'reeve.db'), text], { encoding: 'utf8' })
  : execFileSync('psql', ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '-qAtc', text, r.pg.name], { encoding: 'utf8' });
const metrics = async r => (await r.api('GET', '/metrics', { token: r.operatorToken })).text;
const metric = async (r, name) => Number((await metrics(r)).split('\n').find(l => l.startsWith(`${name} `))?.slice(name.length + 1) ?? NaN);
const guess = r => r.api('POST', `/${r.tenant}/oauth2/v2.0/token`, { token: null, headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  raw: `grant_type=client_credentials&client_id=${r.clientId}&client_secret=wrong&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default` });

testOnEngines('19 a flood of sign-ins is refused and counted; who has signed in does not notice, and nobody is locked out', async engine => {
  const r = await Reeve.make({ engine, throttle: '0.1' }); // 60 sign-ins of an address in a minute
  await r.user('ann@acme.example');
  const statuses = new Map(), ours = [];
  let ends = false;
  const flood = Promise.all(Array.from({ length: 8 }, async () => {
    while (!ends) { const a = await guess(r); statuses.set(a.status, [...(statuses.get(a.status) ?? []), Number(a.headers['retry-after'] ?? 0)]); }
  }));
  const since = Date.now();
  for (let i = 0; i < 40; i++) { ours.push((await r.api('GET', '/v1.0/users/ann@acme.example')).status); await sleep(10); }
  await until('the limit', () => statuses.has(429), { seconds: 20 });
  ends = true;
  await flood;
  assert.deepEqual([...new Set(ours)], [200], 'a signed-in caller is served all along');
  assert.deepEqual([...statuses.keys()].sort(), [401, 429]);
  if (Date.now() - since < 50000) assert.equal(statuses.get(401).length, 60);
  assert.ok(statuses.get(429).every(s => s >= 1 && s <= 60), 'told when to come back');
  assert.ok(await metric(r, 'reeve_throttled_total{limit="signIn, WRITES by ADDRESS in 60 s"}') >= statuses.get(429).length);
  const asked = Date.now(), early = await guess(r); // in OAuth's words, for libraries that sign in
  assert.ok(Date.now() - asked >= 490, 'held back');
  assert.deepEqual([early.status, Object.keys(early.json), early.json.error], [429, ['error', 'error_description'], 'temporarily_unavailable']);
  assert.ok(Number(early.headers['retry-after']) >= 1);
  // forty that are held back, more than there are workers, take none from anybody
  const held = Array.from({ length: 40 }, () => guess(r));
  await sleep(100);
  await Promise.race([r.get('/v1.0/users/ann@acme.example'), Promise.all(held).then(() => assert.fail('somebody waited for those who are held back'))]);
  assert.deepEqual([...new Set((await Promise.all(held)).map(a => a.status))], [429]);
  // a provisioning client may burst, and is told in its own words when it is too much
  const c = await r.post('/v1.0/applications', { displayName: 'Directory', isProvisioningClient: true });
  const scim = { token: (await r.post(`/v1.0/applications/${c.id}/addProvisioningToken`, {})).secretText };
  const many = await Promise.all(Array.from({ length: 320 }, () => r.api('GET', '/scim/v2/ServiceProviderConfig', scim)));
  assert.deepEqual([many.filter(a => a.status === 200).length, many.filter(a => a.status === 429).length], [300, 20]);
  const late = many.find(a => a.status === 429);
  assert.deepEqual([late.json.schemas, late.json.status], [['urn:ietf:params:scim:api:messages:2.0:Error'], '429']);
  assert.ok(Number(late.headers['retry-after']) >= 1);
  // the owner's own socket is not limited; the log holds one refusal a minute, not one for each
  assert.equal(r.cli('user', 'list').code, 0);
  assert.ok((await r.events("activityType eq 'signIn Application' and activityResult eq 'Failure'")).length <= 2);
});

testOnEngines('19 what fails inside is told in the words of whoever asked, and tells nothing', async engine => {
  const r = await Reeve.make({ engine }), c = await r.post('/v1.0/applications', { displayName: 'Directory', isProvisioningClient: true });
  const scim = { token: (await r.post(`/v1.0/applications/${c.id}/addProvisioningToken`, {})).secretText };
  assert.equal((await r.api('GET', '/scim/v2/Users', scim)).status, 200);
  ownerSql(r, 'ALTER TABLE users RENAME TO users_away');
  const people = await r.api('GET', '/scim/v2/Users', scim), graph = await r.api('GET', '/v1.0/users');
  ownerSql(r, 'ALTER TABLE applications RENAME TO applications_away');
  const token = await guess(r);
  for (const a of [people, graph, token]) assert.ok(a.status >= 500 && !/users|applications|SELECT|relation|table/i.test(a.text), `${a.status} ${a.text}`);
  assert.deepEqual([people.json.schemas, people.json.status, people.headers['content-type']], [['urn:ietf:params:scim:api:messages:2.0:Error'], `${people.status}`, 'application/scim+json']);
  assert.equal(typeof graph.json.error.code, 'string');
  assert.equal(token.json.error, 'server_error');
  ownerSql(r, 'ALTER TABLE applications_away RENAME TO applications; ALTER TABLE users_away RENAME TO users');
  assert.equal((await r.api('GET', '/scim/v2/Users', scim)).status, 200);
  // and what the gate or the listener refuses
  const where = `/${r.tenant}/oauth2/v2.0/token`, type = { 'Content-Type': 'application/x-www-form-urlencoded' };
  for (const [status, a] of [[405, await r.api('PUT', where, { token: null, raw: 'x', headers: type })], [413, await r.api('POST', where, { token: null, raw: 'x'.repeat(40000), headers: type })]])
    assert.deepEqual([a.status, a.json?.error], [status, 'invalid_request'], a.text);
});

test('19 slow clients and too many connections of one address leave the others their place', async () => {
  const r = await Reeve.make(), open = [], host = '127.0.0.1';
  const dial = localAddress => new Promise(done => {
    const s = net.connect({ host, port: r.port, localAddress });
    s.closed_ = false;
    s.on('close', () => { s.closed_ = true; });
    s.on('error', () => {});
    s.on('connect', () => done(s));
    open.push(s);
  });
  try {
    // half a header, then silence; and connections that never say anything
    for (let i = 0; i < 40; i++) {
      const s = tls.connect({ socket: await dial('127.0.0.7'), rejectUnauthorized: false });
      s.on('error', () => {});
      s.once('secureConnect', () => s.write('GET /v1.0/users HTTP/1.1\r\nHost: x\r\nX-Slow: '));
    }
    const many = await Promise.all(Array.from({ length: 530 }, () => dial('127.0.0.9')));
    await until('what is over the limit is closed', () => many.filter(s => s.closed_).length >= 18);
    assert.ok(many.filter(s => !s.closed_).length <= 512);
    for (let i = 0; i < 20; i++) assert.equal((await r.api('GET', '/v1.0/users')).status, 200);
    assert.ok(await metric(r, 'reeve_http_refused_total{listener="api"}') >= 18);
    assert.ok(await metric(r, 'reeve_http_connections{listener="api"}') >= 500);
    for (const s of many) s.destroy();
    await until('its place is free again', async () => !(await dial('127.0.0.9')).closed_ && await metric(r, 'reeve_http_connections{listener="api"}') < 200);
  } finally {
    for (const s of open) s.destroy();
  }
});

test('19 every answer says what a browser may do with it, and other origins may do nothing unless they are named', async () => {
  const r = await Reeve.make(), page = 'https://console.acme.example';
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { requestIntake: true } });
  const wanted = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'strict-transport-security': /max-age=\d{7,}/, 'content-security-policy': /default-src 'none'/,
    'referrer-policy': /no-referrer|same-origin/, 'cache-control': /no-store|no-cache|private/ };
  const places = [['/v1.0/users'], ['/v1.0/users', { token: 'x' }], ['/nowhere'], ['/healthz', { token: null }], [`/privacy/${r.tenant}`, { token: null }], [`/signin/${r.tenant}`, { token: null }],
    [`/v1.0/users?$filter=${'x'.repeat(9000)}`], ['/scim/v2/Users', { token: null }], [`/${r.tenant}/v2.0/.well-known/openid-configuration`, { token: null }]];
  for (const [where, o] of places) {
    const a = await r.api('GET', where, o);
    for (const [name, value] of Object.entries(wanted)) {
      if (name === 'cache-control' && where.includes('.well-known')) continue;
      assert.match(a.headers[name] ?? '', value instanceof RegExp ? value : new RegExp(`^${value}$`), `${where} (${a.status}): ${name}`);
    }
    assert.ok(!Object.keys(a.headers).some(h => h.startsWith('access-control')), where);
  }
  await r.stop();
  const conf = path.join(r.dir, 'reeve.conf'), text = fs.readFileSync(conf, 'utf8');
  for (const wrong of ['*', 'https://console.acme.example/', 'http://console.acme.example', 'null']) {
    fs.writeFileSync(conf, `${text}cors_origins = ${wrong}\n`);
    await r.serve(0, { ready: false });
    assert.equal((await r.ended).code, 78, wrong);
    assert.match(r.log, /cors_origins/);
  }
  fs.writeFileSync(conf, `${text}cors_origins = ${page}, http://localhost:5173\n`);
  await r.serve();
  const ask = (Origin, more = {}) => r.api('GET', '/v1.0/users', { headers: { Origin }, ...more });
  const a = await ask(page);
  assert.deepEqual([a.headers['access-control-allow-origin'], a.headers['access-control-allow-credentials'], a.headers.vary], [page, undefined, 'Origin']);
  assert.equal((await ask(page, { token: 'x' })).headers['access-control-allow-origin'], page, 'it can read why it was refused');
  for (const other of ['https://evil.example', `${page}.evil.example`, 'null', 'https://CONSOLE.acme.example']) assert.equal((await ask(other)).headers['access-control-allow-origin'], undefined, other);
  const pre = o => r.api('OPTIONS', '/v1.0/users', { token: null, headers: { Origin: o, 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'authorization' } });
  const yes = await pre(page), no = await pre('https://evil.example');
  assert.deepEqual([yes.status, no.status], [204, 204]);
  assert.match(yes.headers['access-control-allow-methods'], /POST/);
  assert.match(yes.headers['access-control-allow-headers'], /authorization/);
  assert.equal(no.headers['access-control-allow-methods'], undefined);
});
