// SPDX-License-Identifier: Apache-2.0
// Every route × every built-in role, own tenant, other tenant, no token, expired token: exactly what the tables of routes and roles
// say, and an event for each refusal.
import assert from 'node:assert/strict';
import { Reeve, TORTURE, each, sleep, testOnEngines } from './lib.mjs';
import { bodyOf, fill, routes } from './world.mjs';

const RM = '/v1.0/roleManagement/directory', NIL = '00000000-0000-0000-0000-000000000000', none = '01999999-9999-7999-8999-999999999999';
const UNSUBSCRIBED = 'the tenant has no active subscription of device management';
// What would change the whole installation, or end the session of the test itself, where it is allowed.
const LEFT_OUT = /certificateAuthority|revokeSignInSessions|installation\/clock/;
const names = ['action', 'application', 'approval', 'asset', 'certificate', 'change', 'decision', 'device', 'duty', 'event', 'export', 'group', 'hold', 'identity', 'job', 'location', 'mapping', 'member', 'operation',
  'operator', 'operatoraccess', 'package', 'part', 'policy', 'provider', 'recipient', 'report', 'request', 'role', 'roleassignment', 'rule', 'section', 'session', 'sink', 'sku', 'template', 'tenant', 'terms', 'token', 'user',
  'app', 'configuration', 'deleted', 'product', 'name'];
const nobody = Object.fromEntries(names.map(n => [n, none]));

const grants = held => permission => !permission || permission.split('|').some(p => held.has(p));
const widened = list => new Set(list.flatMap(p => [p, p.replace('.ReadWrite.', '.Read.')]));
const where = (route, ids) => fill(route.path.replace('({approval})', "(id='{approval}')"), ids);

testOnEngines('14 every route and every role', async engine => {
  const r = await Reeve.make({ engine }), o = { token: r.token };
  const other = await r.secondTenant('Other');
  const all = routes().filter(x => x.listener !== 'device' && (x.access === 'bearer' || x.access === 'scim') && !LEFT_OUT.test(x.path) && !/\{log\}/.test(x.path));
  assert.ok(all.length > 300);
  const table = engine === 'sqlite' ? all : all.filter((x, i) => i % 9 === 0); // the tables are the same, the statements are not

  // somebody for each role, in both tenants, and the installation's operator
  const people = [];
  for (const role of await r.all(`${RM}/roleDefinitions`, o)) {
    const held = widened(role.rolePermissions[0].allowedResourceActions), name = role.displayName;
    people.push({ name, may: grants(held), own: await r.holder(name, { name: `Own ${name}` }), theirs: await r.holder(name, { token: other.token, tenant: other.id, name: `Other ${name}` }) });
  }
  assert.ok(people.length >= 10);
  const operator = new Set(all.flatMap(x => (x.permission ?? '').split('|')).filter(p => /^Installation\./.test(p)));
  people.push({ name: 'Installation Operator', may: grants(operator), own: { token: r.operatorToken } });

  // own tenant: each route with each role; on PostgreSQL each permission with each role, and each route with some of the roles
  const refused = new Map(), met = new Set();
  const first = (route, p) => { const k = `${route.permission} ${p.name}`, is = !met.has(k); met.add(k); return is; };
  const pairs = table.flatMap((route, i) => people.filter((p, k) => first(route, p) || TORTURE || engine === 'sqlite' || (i + k) % 6 === 0).map(p => [route, p]));
  await each(pairs, async ([route, p]) => {
    const what = `${p.name}: ${route.method} ${route.path}`, a = await r.api(route.method, where(route, { ...nobody, tenant: route.access === 'scim' ? p.name === 'Installation Operator' ? NIL : r.tenant : none }), { token: p.own.token, body: bodyOf(route, nobody) });
    const permission = new RegExp(`^this needs the permission ${(route.permission ?? '').replaceAll('|', '\\|').replaceAll('.', '\\.')}$`);
    assert.ok(a.status !== 401 && a.status < 500 || a.status === 501, `${what}: ${a.text}`);
    const message = a.json?.error?.message ?? a.json?.detail ?? '';
    if (p.may(route.permission)) {
      assert.ok(!/^this needs the permission/.test(message), `${what}: ${a.text}`);
    } else {
      assert.equal(a.status, 403, `${what}: ${a.text}`);
      if (message !== UNSUBSCRIBED || p.theirs) { // the installation itself manages no devices
        assert.match(message, permission, what);
        assert.match(a.headers['www-authenticate'] ?? '', /error="insufficient_scope"/, what); // RFC 6750, section 3.1
      }
      refused.set(a.headers['request-id'], p);
    }
  });
  // an event for each refusal, and one only, of whoever was refused
  const told403 = new Map();
  for (const token of [r.token, r.operatorToken])
    for (const e of await r.events("activityResult eq 'Failure'", { token })) {
      const p = refused.get(e.correlationId);
      if (p) assert.equal(e.actor.applicationDisplayName, p.theirs ? `Own ${p.name}` : 'Operator');
      told403.set(e.correlationId, (told403.get(e.correlationId) ?? 0) + 1);
    }
  assert.ok(refused.size > table.length);
  for (const [id, p] of refused) assert.equal(told403.get(id), 1, `events of a refusal of ${p.name}`);

  // other tenant: what is there for its own is not there for others, and a role changes nothing about it
  const u = await r.user('here@acme.example'), g = await r.group('Here', [u.id]), role = await r.post(`${RM}/roleDefinitions`, { displayName: 'Here', rolePermissions: [{ allowedResourceActions: ['User.Read.All'] }] });
  const app = (await r.post('/v1.0/applications', { displayName: 'Here' })).id, held = (await r.post(`${RM}/roleAssignments`, { principalId: app, roleDefinitionId: role.id })).id;
  const access = (await r.post(`${RM}/operatorAccess`, { roleDefinitionId: role.id, reason: 'x', expirationDateTime: new Date(Date.now() + 3600e3).toISOString() })).id;
  const here = { ...nobody, user: u.id, member: u.id, group: g.id, role: role.id, application: app, roleassignment: held, operatoraccess: access, tenant: r.tenant };
  const naming = all.filter(x => x.access === 'bearer' && /\{(user|group|role|application|roleassignment|operatoraccess)\}/.test(x.path));
  await each(naming.flatMap(route => people.filter(p => p.theirs && p.may(route.permission) && (TORTURE || p.name === 'Administrator' || route.method === 'GET')).map(p => [route, p])), async ([route, p]) => {
    const a = await r.api(route.method, where(route, here), { token: p.theirs.token, body: bodyOf(route, nobody) }), what = `${p.name} of another tenant: ${route.method} ${route.path}`;
    assert.ok(route.method === 'GET' ? a.status === 404 : [400, 403, 404, 405, 409].includes(a.status), `${what}: ${a.status} ${a.text}`);
  });
  for (const [path, id] of [['users', u.id], ['groups', g.id], ['applications', app]]) assert.equal((await r.get(`/v1.0/${path}/${id}`)).id, id);
  assert.ok((await r.get(`${RM}/roleDefinitions/${role.id}`)).displayName === 'Here' && (await r.get(`${RM}/roleAssignments/${held}`)).id === held);

  // no token, nobody's, one that is none
  let count = 0;
  const out = async (route, token) => {
    const a = await r.api(route.method, where(route, nobody), { token, body: bodyOf(route, nobody) });
    assert.equal(a.status, 401, `${route.method} ${route.path} with ${token === null ? 'none' : 'a bad one'}: ${a.text}`);
    assert.match(a.headers['www-authenticate'] ?? '', /^Bearer /, route.path);
    count++;
  };
  await each(table, route => out(route, null));
  await each(table.filter((x, i) => i % 9 === 0), route => out(route, `${r.token.slice(0, -4)}AAAA`));
  // they are counted, and written for source and minute; what is left at the end of the server, then
  const days = people.filter(p => p.theirs).map(p => p.own.token), before = count;
  await r.restart(1);
  await sleep(100);
  const told = await r.events("activityType eq 'refused Requests'", { token: r.operatorToken });
  const said = told.flatMap(e => e.resources.flatMap(x => x.modifiedProperties)).filter(x => /401|count|requests/i.test(x.displayName));
  assert.ok(told.length >= 1, 'the installation\'s log holds what was refused before sign-in');
  const counted = said.map(x => Number(x.newValue)).filter(n => n > 0);
  assert.ok(counted.some(n => n >= before) || counted.reduce((a, b) => a + b, 0) >= before, `${before} refusals, in the log: ${JSON.stringify(said).slice(0, 600)}`);
  // a day later no token of an hour is good anywhere
  await each(table, (route, i) => out(route, days[Math.floor(Math.random() * days.length)]));
  await r.remove();
});
