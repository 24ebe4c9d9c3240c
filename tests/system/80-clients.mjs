// SPDX-License-Identifier: Apache-2.0
// Clients by others: Microsoft's Graph client for JavaScript, unmodified, in a process of its own.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Reeve, test, until } from './lib.mjs';

const PROGRAM = `
import { Client, PageIterator } from '@microsoft/microsoft-graph-client';
const client = Client.init({ baseUrl: process.env.REEVE_BASE + '/', defaultVersion: 'v1.0', customHosts: new Set(['127.0.0.1']),
  authProvider: done => done(null, process.env.REEVE_TOKEN) });
const out = {};
const first = await client.api('/deviceManagement/managedDevices').select('id,deviceName').top(500).get();
out.pageSize = first.value.length;
const names = [];
await new PageIterator(client, first, d => { names.push(d.deviceName); return true; }).iterate();
out.devices = names.length;
out.distinct = new Set(names).size;
const filtered = await client.api('/deviceManagement/managedDevices').filter("deviceName eq 'bulk-01234'").get();
out.found = filtered.value.map(d => d.deviceName);
const mine = await client.api('/users/' + process.env.REEVE_UPN + '/managedDevices').filter("deviceName eq 'sdk-laptop'").get();
out.retired = await client.api('/deviceManagement/managedDevices/' + mine.value[0].id + '/retire').post({}) ?? null;
out.state = (await client.api('/deviceManagement/managedDevices/' + mine.value[0].id).get()).managementState;
const events = await client.api('/deviceManagement/auditEvents').filter("activityType eq 'retire ManagedDevice'").get();
out.events = events.value.map(e => [e.activityResult, e.resources[0].resourceId === mine.value[0].id]);
const user = await client.api('/users').post({ userPrincipalName: 'sdk.made@acme.example', displayName: 'Made', mailNickname: 'made', accountEnabled: true, passwordProfile: { password: 'x' } });
await client.api('/users/' + user.id).patch({ jobTitle: 'Smith' });
out.job = (await client.api('/users/sdk.made@acme.example').select('jobTitle').get()).jobTitle;
await client.api('/users/' + user.id).delete();
try { await client.api('/users/' + user.id).get(); } catch (e) { out.error = [e.statusCode, e.code, typeof e.requestId]; }
out.beta = (await client.api('/deviceManagement/auditEvents').version('beta').top(1).get()).value[0].actor.type;
console.log(JSON.stringify(out));
`;

test('80 the Graph JavaScript client lists devices with paging, retires one, lists audit events', async () => {
  const r = await Reeve.make(), upn = 'sdk@acme.example', N = 2300;
  const u = await r.user(upn), d = await r.device(upn, 'personal', { name: 'sdk-laptop' });
  await r.stop();
  const hex = id => `x'${id.replaceAll('-', '')}'`;
  execFileSync('sqlite3', [path.join(r.dir, 'reeve.db')], { input: `
    CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ${N}) SELECT i FROM c;
    INSERT INTO managed_devices (tenant_id, device_id, directory_device_id, user_id, owner_type, platform, provisioning, device_name, managed_device_name, serial_number,
      compliance_state, management_state, enrolled_at, last_sync_at, certificate_expires_at)
    SELECT ${hex(r.tenant)}, unhex2, unhex2, ${hex(u.id)}, 'company', 'linux', 1, printf('bulk-%05d', i), printf('bulk-%05d', i), printf('SN%05d', i), 'unknown', 'managed',
      1700000000000000 + i, 1700000000000000 + i, 1900000000000000
    FROM (SELECT i, CAST(randomblob(16) AS BLOB) AS unhex2 FROM n);` });
  await r.serve();
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', PROGRAM], { cwd: path.dirname(fileURLToPath(import.meta.url)), encoding: 'utf8', timeout: 120000,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: r.caFile, REEVE_BASE: r.url, REEVE_TOKEN: r.token, REEVE_UPN: upn } });
  assert.equal(done.status, 0, done.stderr);
  const out = JSON.parse(done.stdout);
  assert.deepEqual(out, { pageSize: 500, devices: N + 1, distinct: N + 1, found: ['bulk-01234'], retired: null, state: 'retirePending', events: [['Success', true]], job: 'Smith', error: [404, 'ResourceNotFound', 'string'], beta: 'Application' });
  d.sync();
  assert.equal(d.status().enrolled, false, 'the device did retire');
});

const READER = `
import { Client, PageIterator } from '@microsoft/microsoft-graph-client';
const client = Client.init({ baseUrl: process.env.REEVE_BASE + '/', defaultVersion: 'v1.0', customHosts: new Set(['127.0.0.1']),
  authProvider: done => done(null, process.env.REEVE_TOKEN) });
const out = {}, at = '/deviceManagement/auditEvents';
const all = async page => { const seen = [], i = new PageIterator(client, page, e => { seen.push(e); return true; }); await i.iterate(); return { seen, delta: i.getDeltaLink() }; };
const filter = "category eq 'Other' and activityType eq 'create User' and actor/applicationDisplayName eq 'Administrator'";
const listed = (await all(await client.api(at).filter(filter).orderby('activityDateTime desc').top(7).get())).seen;
out.users = listed.map(e => e.resources[0].displayName).sort();
out.down = listed.every((e, i) => i === 0 || listed[i - 1].activityDateTime >= e.activityDateTime);
out.about = (await client.api(at).filter("resources/any(r:r/resourceId eq '" + listed[0].resources[0].resourceId + "')").get()).value.length;
out.categories = (await client.api(at + '/getAuditCategories()').get()).value.length;
out.types = (await client.api(at + "/getAuditActivityTypes(category='Device')").get()).value.includes('retire ManagedDevice');
const first = await all(await client.api(at + '/delta').top(20).get());
await client.api('/groups').post({ displayName: 'After', mailEnabled: false, mailNickname: 'after', securityEnabled: true });
await new Promise(r => setTimeout(r, 1500));
const second = await all(await client.api(first.delta).get());
out.tail = [first.seen.length > 30, second.seen.map(e => e.activityType).filter(t => t !== 'read AuditLog')];
out.directory = (await client.api('/auditLogs/directoryAudits').filter("activityDisplayName eq 'Add group'").get()).value.map(e => [e.result, e.targetResources[0].displayName]);
console.log(JSON.stringify(out));
`;

test('80 the Graph JavaScript client reads the audit log: filters, pages, functions, the tail', async () => {
  const r = await Reeve.make(), users = Array.from({ length: 30 }, (_, i) => `reader${String(i).padStart(2, '0')}`);
  for (const u of users) await r.user(`${u}@acme.example`);
  await until('all is sequenced', () => /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending')));
  const done = spawnSync(process.execPath, ['--input-type=module', '-e', READER], { cwd: path.dirname(fileURLToPath(import.meta.url)), encoding: 'utf8', timeout: 120000,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: r.caFile, REEVE_BASE: r.url, REEVE_TOKEN: r.token } });
  assert.equal(done.status, 0, done.stderr);
  assert.deepEqual(JSON.parse(done.stdout), { users, down: true, about: 1, categories: 16, types: true, tail: [true, ['create Group']], directory: [['success', 'After']] });
});
