// SPDX-License-Identifier: Apache-2.0
// $expand: the relations of the table, one statement per page and relation, and a clear no to all others.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { shared, test, testOnEngines } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();

testOnEngines('28 relations are expanded in lists and alone, each row with its own', async engine => {
  const r = await one(engine), users = [];
  for (const n of ['a', 'b', 'c']) users.push(await r.user(`expand.${n}@acme.example`));
  const [a, b, c] = users, g = await r.group('Expanded one', [a.id, b.id]), h = await r.group('Expanded two', [a.id]);
  const d = await r.device('expand.a@acme.example', 'company');
  d.sync();
  const byId = list => Object.fromEntries(list.map(x => [x.id, x]));
  const list = byId(await r.all('/v1.0/users?$top=2&$select=id,mail&$expand=memberOf($select=id,displayName),managedDevices($select=id)'));
  assert.deepEqual(Object.keys(list[a.id]).sort(), ['id', 'mail', 'managedDevices', 'memberOf']);
  assert.deepEqual(list[a.id].memberOf.map(x => x.displayName).sort(), ['Expanded one', 'Expanded two']);
  assert.deepEqual(list[b.id].memberOf, [{ '@odata.type': '#microsoft.graph.group', id: g.id, displayName: 'Expanded one' }]);
  assert.deepEqual([list[c.id].memberOf, list[c.id].managedDevices, list[b.id].managedDevices], [[], [], []]);
  assert.deepEqual(list[a.id].managedDevices, [{ id: d.id }]);
  const page = await r.get('/v1.0/users?$select=id&$expand=memberOf');
  assert.equal(page['@odata.context'], `${r.url}/v1.0/$metadata#users(id,memberOf())`);
  const mine = await r.get(`/v1.0/users/${a.id}?$expand=managedDevices`);
  assert.equal(mine.displayName, 'expand.a');
  const { '@odata.context': _, ...whole } = await r.managed(d.id);
  assert.deepEqual(mine.managedDevices, [whole], 'an expanded device is a whole one');
  const groups = byId((await r.get(`/v1.0/groups?$expand=members($select=id)&$filter=id in ('${g.id}','${h.id}')`)).value);
  assert.deepEqual(groups[g.id].members.map(x => x.id).sort(), [a.id, b.id].sort());
  assert.deepEqual(groups[h.id].members, [{ '@odata.type': '#microsoft.graph.user', id: a.id }]);
  const device = await r.get(`/beta/deviceManagement/managedDevices/${d.id}?$expand=detectedApps,users($select=id),deviceCategory,windowsProtectionState`);
  assert.deepEqual(device.detectedApps, (await r.get(`/beta/deviceManagement/managedDevices/${d.id}/detectedApps`)).value);
  assert.deepEqual(device.users, [{ id: a.id }]);
  assert.equal(device.deviceCategory.displayName, 'Unknown');
  assert.ok('windowsProtectionState' in device);
  // under a person, and of members
  assert.equal((await r.get(`/v1.0/users/${a.id}/managedDevices?$expand=users`)).value[0].users[0].id, a.id);
  assert.equal((await r.get(`/v1.0/groups/${h.id}/members?$expand=memberOf`)).value[0].memberOf.length, 2);
  // a deleted person is nobody's member any more
  await r.ok('DELETE', `/v1.0/users/${b.id}`);
  assert.deepEqual((await r.get(`/v1.0/groups/${g.id}?$expand=members`)).members.map(x => x.id), [a.id]);
});

test('28 what cannot be expanded is said clearly', async () => {
  const r = await one();
  for (const [p, status, code] of [['users?$expand=manager', 501, 'ExpandNotSupported'], ['users?$expand=*', 501, 'ExpandNotSupported'], ['users?$expand=memberOf($expand=members)', 501, 'ExpandNotSupported'],
    ['users?$expand=memberOf($filter=contains(displayName,%27a%27))', 501, 'ExpandNotSupported'], ['users?$expand=memberOf($top=5)', 501, 'ExpandNotSupported'], ['groups?$expand=owners', 501, 'ExpandNotSupported'],
    ['users?$expand=a,b,c,d,e', 501, 'ExpandNotSupported'], ['users?$expand=memberOf(', 400, 'BadRequest'], ['users?$expand=memberOf)', 400, 'BadRequest'], ['users?$expand=,', 400, 'BadRequest'],
    ['users?$expand=', 400, 'BadRequest'], ['users?$expand=memberOf,memberOf', 400, 'BadRequest'], ['users?$expand=memberOf($select=nothing)', 400, 'BadRequest'], ['applications?$expand=owners', 501, 'ExpandNotSupported']])
    assert.equal((await r.refused(status, 'GET', `/v1.0/${p}`)).code, code, p);
  // the permission of the relation is needed too
  const roles = await r.all('/v1.0/roleManagement/directory/roleDefinitions');
  const role = roles.find(x => /User\.Read\.All/.test(JSON.stringify(x.rolePermissions)) && !/DeviceManagementManagedDevices/.test(JSON.stringify(x.rolePermissions)));
  if (role) {
    const app = await r.post('/v1.0/applications', { displayName: 'Expander', roleDefinitionId: role.id });
    const token = await r.signIn(r.tenant, app.id, (await r.post(`/v1.0/applications/${app.id}/addPassword`, {})).secretText);
    await r.refused(403, 'GET', '/v1.0/users?$expand=managedDevices', { token });
  }
});

test('28 a page of expanded devices is small, and its pages hold every device once', async () => {
  const r = await one(), u = await r.user('many.apps@acme.example');
  await r.stop();
  const hex = id => `x'${id.replaceAll('-', '')}'`;
  execFileSync('sqlite3', [path.join(r.dir, 'reeve.db')], { input: `
    CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < 50) SELECT i, CAST(randomblob(16) AS BLOB) AS id FROM c;
    INSERT INTO managed_devices (tenant_id, device_id, directory_device_id, user_id, owner_type, platform, provisioning, device_name, managed_device_name, serial_number,
      compliance_state, management_state, enrolled_at, last_sync_at, certificate_expires_at)
    SELECT ${hex(r.tenant)}, id, id, ${hex(u.id)}, 'company', 'linux', 1, printf('many-%02d', i), 'm', 's', 'unknown', 'managed', 1700000000000000 + i, 1700000000000000 + i, 1900000000000000 FROM n;
    INSERT INTO detected_apps (tenant_id, device_id, name, version) SELECT ${hex(r.tenant)}, n.id, printf('app-%04d-%d', a.value, n.i), '1' FROM n, generate_series(1, 400) a;` });
  await r.serve();
  const where = `${DM}/managedDevices?$select=deviceName&$expand=detectedApps($select=displayName)&$filter=startswith(deviceName,'many-')`;
  const first = await r.get(where);
  assert.equal(first.value.length, 20);
  assert.equal(first['@odata.count'], 50);
  const all = await r.all(where);
  assert.equal(new Set(all.map(d => d.deviceName)).size, 50);
  for (const d of all) assert.ok(d.detectedApps.length === 400 && d.detectedApps.every(a => a.displayName.endsWith(`-${Number(d.deviceName.slice(5))}`)), d.deviceName);
});
