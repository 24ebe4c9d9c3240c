// SPDX-License-Identifier: Apache-2.0
// Two tenants with the same names, over every route (I4); who may not come in; who may not do it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { REEVE, each, sanitizers, shared, test, testOnEngines, until } from './lib.mjs';
import { DM, bodyOf, dump, fill, routes, world } from './world.mjs';

const worlds = new Map();
const one = shared(async r => {
  const second = await r.secondTenant('Globex');
  r.second = second;
  worlds.set(r.engine, { a: await world(r, {}, r.tenant, 'CANARYAAA'), b: await world(r, { token: second.token }, second.id, 'CANARYBBB') });
});

const settled = (r, ...tokens) => until('background work is done', async () => {
  for (const token of tokens) {
    const open = (await r.all(`${DM}/erasureDuties`, { token })).filter(d => !['scheduled', 'scrubbed', 'copies_gone', 'cancelled'].includes(d.state) && Date.parse(d.dueDateTime) < Date.now());
    if (open.length) return false;
  }
  return /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending'));
}, { seconds: 60 });

testOnEngines('40 no route of one tenant shows or changes anything of another', async engine => {
  const r = await one(engine), { a, b } = worlds.get(engine);
  const table = routes().filter(x => x.listener !== 'device' && x.access === 'bearer');
  assert.ok(table.length > 90);
  await settled(r, r.token, r.second.token);
  const before = dump(r, b.tenant);
  assert.ok(before.users.includes(engine === 'sqlite' ? 'CANARYBBB' : 'CANARYBBB') && before.managed_devices.includes('CANARYBBB') && before.audit_events.length > 1000, 'the dump sees the other tenant');
  const clean = (text, what) => { for (const form of [text, Buffer.from(text, 'latin1').toString('utf8')]) assert.ok(!/CANARYBBB/i.test(form), `${what}: ${form.match(/.{80}CANARYBBB.{40}/i)}`); };
  const calls = table.filter(x => x.path.startsWith('/{v}/')).flatMap(route => ['v1.0', ...route.method === 'GET' ? ['beta'] : []].map(version => [route, version]));
  await each(calls, async ([route, version]) => {
    const where = fill(route.path, { ...b, product: 'office' }, version), own = !/\{(?!v\}|category|product|none|package|template)/.test(route.path);
    const x = await r.api(route.method, where, { body: bodyOf(route, b, 'theirs') });
    const what = `${route.method} ${where}`;
    clean(x.text, what);
    if (!own) assert.ok([400, 403, 404, 405].includes(x.status), `${what}: ${x.status} ${x.text.slice(0, 200)}`);
    if (!own && route.method === 'GET' && !/installation/.test(route.path)) assert.equal(x.status, 404, what);
  });
  // lists with filters that name the other's, and own objects with the other's ids in the body
  for (const id of ['user', 'group', 'device', 'application', 'duty', 'operation']) {
    for (const list of ['users', 'groups', 'applications', 'deviceManagement/managedDevices', 'deviceManagement/erasureDuties', 'dataPolicyOperations', 'deviceManagement/enrollmentTokens'])
      for (const p of ['id', 'userId', 'subjectId']) {
        const x = await r.api('GET', `/v1.0/${list}?$filter=${p}%20eq%20'${b[id]}'`);
        clean(x.text, list);
        if (x.status === 200) assert.deepEqual(x.json.value, [], `${list} ${p}`);
      }
    assert.deepEqual((await r.events(`resources/resourceId eq '${b[id]}'`)).filter(e => e.activityResult === 'Success'), []);
  }
  for (const [method, where, body] of [
    ['POST', `/v1.0/groups/${a.group}/members/$ref`, { '@odata.id': `https://localhost/v1.0/directoryObjects/${b.user}` }],
    ['POST', `${DM}/deviceConfigurations/${a.configuration}/assign`, { assignments: [{ target: { '@odata.type': '#microsoft.graph.groupAssignmentTarget', groupId: b.group } }] }],
    ['POST', `/v1.0/deviceAppManagement/mobileApps/${a.app}/assign`, { mobileAppAssignments: [{ intent: 'required', target: { '@odata.type': '#microsoft.graph.groupAssignmentTarget', groupId: b.group } }] }],
    ['POST', `${DM}/enrollmentTokens`, { userId: b.user, ownerType: 'personal' }],
    ['PATCH', `/v1.0/applications/${a.application}`, { roleDefinitionId: b.role }],
    ['POST', '/v1.0/applications', { displayName: 'x', roleDefinitionId: b.role }],
    ['POST', `/v1.0/applications/${a.application}/removePassword`, { keyId: b.key }],
    ['DELETE', `/v1.0/groups/${a.group}/members/${b.user}/$ref`, undefined],
    ['GET', `/v1.0/users/${a.user}/managedDevices/${b.device}`, undefined],
    ['POST', `/v1.0/users/${a.user}/managedDevices/${b.device}/retire`, undefined],
  ]) { const x = await r.api(method, where, { body }); assert.ok([400, 404].includes(x.status), `${method} ${where}: ${x.status}`); clean(x.text, where); }
  // the other's tokens of enrolment enrol into the other; a device of ours says nothing about the other's
  const page = await r.get('/v1.0/users?$top=1', { token: r.second.token });
  if (page['@odata.nextLink']) { const x = await r.api('GET', page['@odata.nextLink']); clean(x.text, 'their page link'); }
  for (const [where, body] of [['report', { results: [{ id: b.duty, state: 'done' }] }], ['checkin', { items: [{ id: b.configuration, version: 1, state: 'installed', identifier: 'x' }] }], ['checkin', { items: [] }]]) {
    const x = await r.channel(where, body, a.tree.pair);
    clean(x.text, `device ${where}`);
  }
  // signing in: each secret opens its own tenant only
  const crossed = await r.api('POST', `/${b.tenant}/oauth2/v2.0/token`, { token: null, raw: `grant_type=client_credentials&client_id=${a.application}&client_secret=${a.secret}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  assert.ok([400, 401].includes(crossed.status), `${crossed.status}`);
  await settled(r, r.token);
  const after = dump(r, b.tenant);
  for (const t of Object.keys(before)) assert.equal(after[t], before[t], `${t} of the other tenant`);
});

testOnEngines('40 export and erasure of one tenant leave the same person of the other alone', async engine => {
  const r = await one(engine), { a, b } = worlds.get(engine);
  await settled(r, r.token, r.second.token);
  const before = dump(r, b.tenant), file = path.join(r.tmp, 'same.zip');
  const done = r.cli('export', 'user', 'same.person@acme.example', '--out', file);
  assert.equal(done.code, 0, done.err);
  const text = execFileSync('unzip', ['-p', file], { encoding: 'latin1', maxBuffer: 1 << 28 });
  assert.ok(/CANARYAAA/.test(text) && !/CANARYBBB/i.test(text));
  await r.ok('DELETE', '/v1.0/users/same.person@acme.example');
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${a.user}`);
  await until('the person of one tenant is erased', async () => (await r.all(`${DM}/erasureDuties`)).filter(d => d.trigger === 'permanentDelete' && ['scrubbed', 'copies_gone'].includes(d.state)).length >= 2, { seconds: 90 });
  const after = dump(r, b.tenant);
  for (const t of Object.keys(before)) assert.equal(after[t], before[t], `${t} of the other tenant`);
  assert.equal((await r.get('/v1.0/users/same.person@acme.example', { token: r.second.token })).id, b.user);
  b.tree.sync();
  const theirs = path.join(r.tmp, 'theirs.zip');
  const x = spawnSync(REEVE, ['export', 'user', 'same.person@acme.example', '--out', theirs, '--url', r.url, '--ca', r.caFile, '--token', r.second.token], { encoding: 'utf8', env: { ...process.env, ...sanitizers } });
  assert.equal(x.status, 0, x.stderr);
  const other = execFileSync('unzip', ['-p', theirs], { encoding: 'latin1', maxBuffer: 1 << 28 });
  for (const m of ['givenName', 'serial']) assert.ok(/CANARYBBB/.test(other), m);
  assert.ok(!/CANARYAAA/i.test(other));
});

test('40 no token, a forged one, one of another installation: 401 on everything that is not public', async () => {
  const r = await one();
  const elsewhere = path.join(r.tmp, 'elsewhere');
  const other = JSON.parse(execFileSync(REEVE, ['init', '--data', elsewhere, '--url', r.url, '--json'], { encoding: 'utf8', env: { ...process.env, ...sanitizers } }));
  const [h, p, s] = r.token.split('.'), claims = JSON.parse(Buffer.from(p, 'base64url'));
  const enc = x => Buffer.from(JSON.stringify(x)).toString('base64url');
  const bad = { none: null, empty: '', junk: 'junk', dots: 'a.b.c', elsewhere: other.token, 'its operator': other.operatorToken, 'other tenant': `${h}.${enc({ ...claims, tid: r.second.id })}.${s}`, 'longer life': `${h}.${enc({ ...claims, exp: claims.exp + 1e6 })}.${s}`,
    'alg none': `${enc({ alg: 'none', typ: 'JWT' })}.${p}.`, 'alg none signed': `${enc({ alg: 'none', typ: 'JWT' })}.${p}.${s}`, cut: r.token.slice(0, -2), 'no signature': `${h}.${p}.`, long: `${h}.${'A'.repeat(6000)}.${s}`, nul: `${h}.${p}.${s}%00` };
  const unknown = { ...worlds.get('sqlite').b };
  let n = 0;
  for (const route of routes()) {
    if (route.public) continue;
    if (route.listener === 'device') {
      assert.equal((await r.channel(route.path.replace('/linux/', ''), {})).status, 401, route.path);
      continue;
    }
    const where = route.path.startsWith('/{v}/') ? fill(route.path, unknown) : route.path;
    const which = n++ % 6 === 0 ? Object.keys(bad) : ['none', 'elsewhere', Object.keys(bad)[3 + n % (Object.keys(bad).length - 3)]]; // each kind on many routes, each route with several
    await each(which, async name => {
      const x = await r.api(route.method, where, { token: bad[name], body: bodyOf(route, unknown) });
      assert.equal(x.status, 401, `${route.method} ${where} with ${name}: ${x.status} ${x.text.slice(0, 200)}`);
      assert.equal(route.access === 'scim' ? x.json.status : x.json.error.code, route.access === 'scim' ? '401' : 'InvalidAuthenticationToken');
      assert.match(x.headers['www-authenticate'], /^Bearer/);
      assert.ok(!/CANARY/i.test(x.text));
    });
  }
  await r.refused(401, 'GET', '/v1.0/users', { token: null, headers: { Authorization: 'Basic YTpi' } });
  // the text of the answer does not tell a known tenant or client from an unknown one
  const sign = (tenant, id, secret) => r.api('POST', `/${tenant}/oauth2/v2.0/token`, { token: null, raw: `grant_type=client_credentials&client_id=${id}&client_secret=${secret}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  const nobody = '01999999-9999-7999-8999-999999999999', app = worlds.get('sqlite').b.application;
  const [x, y] = [await sign(r.second.id, app, 'wrong'), await sign(r.second.id, nobody, 'wrong')];
  assert.equal(x.status, y.status);
  assert.equal(x.json.error, y.json.error);
  assert.ok([400, 401].includes((await sign(nobody, app, worlds.get('sqlite').b.secret)).status));
  // an application that is switched off, deleted, or lost its secret is out at once
  const b = worlds.get('sqlite').b, token = await r.signIn(r.second.id, b.application, b.secret), mine = { token: r.second.token };
  await r.get(`${DM}/auditEvents?$top=1`, { token });
  await r.ok('PATCH', `/v1.0/applications/${b.application}`, { body: { accountEnabled: false }, ...mine });
  await r.refused(401, 'GET', `${DM}/auditEvents?$top=1`, { token });
  await r.ok('PATCH', `/v1.0/applications/${b.application}`, { body: { accountEnabled: true }, ...mine });
  await r.get(`${DM}/auditEvents?$top=1`, { token });
  await r.ok('DELETE', `/v1.0/applications/${b.application}`, mine);
  await r.refused(401, 'GET', `${DM}/auditEvents?$top=1`, { token });
});

test('40 an operator sees no person', async () => {
  const r = await one(), w = worlds.get('sqlite').b;
  for (const route of routes().filter(x => x.access === 'bearer' && x.path.startsWith('/{v}/'))) {
    if (!route.permission || /Installation\./.test(route.permission)) continue;
    const x = await r.api(route.method, fill(route.path, w), { token: r.operatorToken, body: bodyOf(route, w) });
    assert.equal(x.status, 403, `operator: ${route.method} ${route.path}: ${x.status}`);
    assert.ok(!/CANARY/i.test(x.text));
  }
  const list = await r.get('/v1.0/installation/tenants', { token: r.operatorToken });
  assert.ok(list.value.some(t => t.id === r.second.id));
  assert.ok(!/CANARY|same\.person/i.test(JSON.stringify(list)));
});

test('40 a token that ran out is refused', async () => {
  const r = await one(), w = worlds.get('sqlite').a;
  const token = await r.signIn(r.tenant, w.application, w.secret).catch(() => r.signIn(r.second.id, r.second.clientId, r.second.secret));
  await r.api('GET', '/v1.0/users', { token });
  await r.restart(1);
  for (const where of ['/v1.0/users', `${DM}/managedDevices`, `${DM}/auditEvents`]) await r.refused(401, 'GET', where, { token });
  await r.get('/v1.0/users'); // the administrator's own lives longer
  await r.restart(0);
});
