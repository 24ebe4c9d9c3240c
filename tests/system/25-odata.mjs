// SPDX-License-Identifier: Apache-2.0
// The conventions of Graph's URLs and headers, on everything that is served.
import assert from 'node:assert/strict';
import { shared, test, testOnEngines } from './lib.mjs';
import { DM, fill, routes, world } from './world.mjs';

const worlds = new Map();
const one = shared(async r => { worlds.set(r.engine, await world(r, {}, r.tenant, 'ODATA')); });
const q = encodeURIComponent;

testOnEngines('25 $filter says what it says, in every form that clients write', async engine => {
  const r = await one(engine);
  const people = [['o.one@acme.example', "O'Neil, Anna", 'Smith'], ['o.two@acme.example', 'Beck', 'Smith'], ['o.three@acme.example', 'Curie', null]];
  for (const [upn, displayName, jobTitle] of people) await r.user(upn, { displayName, ...(jobTitle ? { jobTitle } : {}) });
  const found = async (filter, raw) => (await r.get(`/v1.0/users?$filter=${raw ? filter : q(`startswith(userPrincipalName,'o.') and (${filter})`)}&$orderby=userPrincipalName`)).value.map(u => u.userPrincipalName.split(/[.@]/)[1]).join(' ');
  for (const [filter, names] of [["displayName eq 'O''Neil, Anna'", 'one'], ["displayName ne 'Beck'", 'one three'], ["displayName gt 'Beck'", 'one three'], ["displayName ge 'Beck'", 'one three two'], ["displayName lt 'C'", 'two'],
    ["displayName le 'Beck'", 'two'], ["displayName in ('Beck','Curie')", 'three two'], ["not(displayName in ('Beck','Curie'))", 'one'], ["startsWith(displayName,'o''n')", 'one'], ["endsWith(displayName,'CK')", 'two'],
    ["contains(displayName,'uri')", 'three'], ["jobTitle eq null", 'three'], ["jobTitle ne null and not contains(displayName,'Beck')", 'one'], ["displayName eq 'Beck' or displayName eq 'Curie'", 'three two'],
    ["startswith(displayName,'B') eq true", 'two'], ["createdDateTime ge 2020-01-24", 'one three two'], ["createdDateTime lt 2020-01-24T00:00:00Z", '']])
    assert.equal(await found(filter), names, filter);
  assert.equal(await found("displayName+eq+'O''Neil%2C+Anna'", true), 'one');
  assert.equal(await found("displayName%20eq%20'O%27%27Neil%2C%20Anna'", true), 'one');
  const device = worlds.get(engine).device;
  for (const literal of ["'managed'", "microsoft.graph.managementState'managed'", "graph.managementState'MANAGED'"])
    assert.ok((await r.get(`${DM}/managedDevices?$filter=${q(`managementState eq ${literal}`)}`)).value.some(d => d.id === device), literal);
  assert.deepEqual((await r.get(`/beta/deviceManagement/managedDevices?filter=${q(`id eq '${device}'`)}&select=id&top=1&count=true`)).value, [{ id: device }]);
  for (const [filter, why] of [['displayName eq', 'a value'], ["businessPhones/any(p:p eq '1')", 'cannot be used'], ["assignedLicenses/any(l:l/skuId eq 'x')", 'does not have'], ["length(displayName) gt 1", 'not supported'],
    ["displayName/all(x:x eq 'a')", 'not supported'], ["displayName eq 7", 'string'], ["accountEnabled gt true", 'no order'], ["x eq 'y'", 'does not have']])
    assert.match((await r.refused(400, 'GET', `/v1.0/users?$filter=${q(filter)}`)).message, new RegExp(why), filter);
  for (const o of ['$top=-1', '$top=x', '$top=1.5', '$skip=-1', '$count=maybe', '$orderby=nothing', '$select=nothing', '$orderby=displayName up', '$nonsense=1', '$top=1&$top=2', '$format=xml'])
    await r.refused(400, 'GET', `/v1.0/users?${o.replace(' ', '%20')}`);
  assert.match((await r.refused(501, 'GET', '/v1.0/users?$search=%22displayName:a%22')).message, /\$search/);
  assert.equal((await r.api('GET', '/v1.0/users?$top=5000&$format=json')).status, 200, 'more than a page is a page');
  const two = (await r.get(`/v1.0/users?$filter=${q("startswith(userPrincipalName,'o.')")}&$orderby=jobTitle desc,displayName&$select=displayName`)).value.map(u => u.displayName);
  assert.deepEqual(two, ['Curie', 'Beck', "O'Neil, Anna"]);
  assert.deepEqual((await r.get(`/v1.0/users?$filter=${q("startswith(userPrincipalName,'o.')")}&$orderby=displayName&$skip=1&$top=1&$select=displayName`)).value, [{ displayName: 'Curie' }]);
});

test('25 every collection has /$count, and nothing else has', async () => {
  const r = await one(), w = worlds.get('sqlite'), counted = [];
  for (const version of ['v1.0', 'beta'])
    for (const route of routes().filter(x => x.method === 'GET' && x.access === 'bearer' && x.path.startsWith('/{v}/') && !/\$|installation|\/delta$|deletedItems$/.test(x.path))) {
      let where;
      try { where = fill(route.path, w, version); } catch { continue; }
      const list = await r.api('GET', where), n = await r.api('GET', `${where}/$count`);
      if (list.status !== 200) continue;
      if (!Array.isArray(list.json?.value) || list.json['@odata.deltaLink']) { assert.equal(n.status, 404, `${where}/$count`); continue; }
      assert.equal(n.status, 200, `${where}/$count: ${n.text}`);
      assert.match(n.headers['content-type'], /^text\/plain/);
      // the log grows while it is read
      if (!/auditEvents|directoryAudits/.test(where)) assert.equal(Number(n.text), list.json['@odata.count'] ?? list.json.value.length, where);
      counted.push(where);
    }
  assert.ok(counted.length > 60, `${counted.length}`);
  assert.equal((await r.api('GET', `/v1.0/users/$count?$filter=${q(`id eq '${w.user}'`)}`)).text, '1');
  await r.refused(405, 'POST', '/v1.0/users/$count');
  await r.refused(404, 'GET', `/v1.0/users/nobody@acme.example/managedDevices/$count`);
});

test('25 keys, casts, slashes and letters in any form lead to the same', async () => {
  const r = await one(), w = worlds.get('sqlite'), user = (await r.get(`/v1.0/users/${w.user}`)).id, device = w.device;
  for (const p of [`users('${w.user}')`, `users/${w.upn.toUpperCase()}`, `users('${q(w.upn)}')/`, `USERS/${w.user}`]) assert.equal((await r.get(`/v1.0/${p}`)).id, user, p);
  for (const p of [`deviceManagement/managedDevices('${device}')`, `devicemanagement/manageddevices/${device}/?$select=id`, `DeviceManagement/ManagedDevices('${device}')/`])
    assert.equal((await r.get(`/beta/${p}`)).id, device, p);
  for (const p of [`users/${w.user}/memberOf/microsoft.graph.group`, `users('${w.user}')/memberOf/graph.group`]) assert.equal((await r.get(`/v1.0/${p}`)).value.length, 1, p);
});

test('25 headers of every answer; HEAD, OPTIONS; preferences', async () => {
  const r = await one(), id = '01999999-0000-4000-8000-00000000abcd';
  for (const [method, where, status, o] of [['GET', '/v1.0/users', 200, {}], ['GET', '/v1.0/nothing', 404, {}], ['GET', '/v1.0/users', 401, { token: null }], ['PUT', '/v1.0/users', 405, {}], ['DELETE', '/v1.0/users/x', 404, {}], ['OPTIONS', '/v1.0/users', 204, {}], ['HEAD', '/v1.0/users', 200, {}], ['GET', '/v1.0/users?$top=x', 400, {}]]) {
    const a = await r.api(method, where, { headers: { 'client-request-id': id }, ...o });
    assert.equal(a.status, status, `${method} ${where}`);
    assert.match(a.headers['strict-transport-security'], /max-age/);
    assert.equal(a.headers['client-request-id'], id);
    assert.match(a.headers['request-id'], /^[0-9a-f-]{36}$/);
    assert.ok(JSON.parse(a.headers['x-ms-ags-diagnostic']).ServerInfo);
    if (a.json?.error) assert.deepEqual([a.json.error.innerError['client-request-id'], a.json.error.innerError['request-id']], [id, a.headers['request-id']]);
  }
  const list = await r.api('GET', '/v1.0/users');
  assert.match(list.headers['content-type'], /^application\/json;odata\.metadata=minimal;/);
  assert.equal(list.headers['odata-version'], '4.0');
  const page = await r.api('GET', '/v1.0/users', { headers: { Prefer: 'odata.maxpagesize=1' } });
  assert.deepEqual([page.json.value.length, page.headers['preference-applied']], [1, 'odata.maxpagesize=1']);
  assert.ok((await r.api('GET', '/v1.0/users', { headers: { Prefer: 'maxpagesize="2";x=y, respond-async' } })).json.value.length === 2);
  assert.equal((await r.api('GET', '/v1.0/users', { headers: { Prefer: 'odata.maxpagesize=none' } })).status, 200);
  const group = { displayName: 'Minimal', mailEnabled: false, mailNickname: 'm', securityEnabled: true }, minimal = { headers: { Prefer: 'return=minimal' } };
  const made = await r.api('POST', '/v1.0/groups', { body: group, ...minimal });
  assert.deepEqual([made.status, made.text, made.headers['preference-applied']], [204, '', 'return=minimal']);
  assert.equal(made.headers['odata-entityid'], made.headers.location);
  assert.equal((await r.get(made.headers.location)).displayName, 'Minimal');
  const patched = await r.api('PATCH', `${DM}/managedDevices/${worlds.get('sqlite').device}`, { body: { notes: 'n' }, ...minimal });
  assert.deepEqual([patched.status, patched.text], [204, '']);
  assert.equal((await r.api('PATCH', `${DM}/managedDevices/${worlds.get('sqlite').device}`, { body: { notes: 'm' } })).status, 200);
  await r.refused(415, 'POST', '/v1.0/groups', { body: group, headers: { 'Content-Encoding': 'gzip' } });
});
