// SPDX-License-Identifier: Apache-2.0
// The end of tenants: one closed beside two others, day by day; subscriptions; one deleted by hand.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Reeve, shared, test, until } from './lib.mjs';
import { DM, dump, world } from './world.mjs';

const one = shared();
const byName = list => Object.fromEntries(list.map(x => [x.skuPartNumber, x]));

test('93 subscriptions as Graph has them; cancelled, locked out, taken back', async () => {
  const r = await one(), t = await r.secondTenant('Subscriber'), o = { token: t.token }, op = { token: r.operatorToken };
  for (const n of [1, 2, 3]) await r.user(`licensed${n}@acme.example`, {}, o);
  const put = (product, body, who = o) => r.approved('PUT', `/v1.0/directory/subscriptions/${product}`, { body, tenant: t.id, ...who });
  const sku = '3f2504e0-4f89-41d3-9a0c-0305e82c3301';
  assert.equal((await put('deviceManagement', { status: 'Enabled', totalLicenses: 25, isTrial: true })).status, 204);
  assert.equal((await put('office', { status: 'Enabled', skuId: sku, totalLicenses: 10, nextLifecycleDateTime: '2099-01-02T03:04:05Z' })).status, 204);
  const skus = byName(await r.all('/v1.0/subscribedSkus', o)), dm = skus.deviceManagement;
  assert.deepEqual(Object.keys(dm).filter(k => !k.startsWith('@')).sort(), ['accountId', 'accountName', 'appliesTo', 'capabilityStatus', 'consumedUnits', 'id', 'prepaidUnits', 'servicePlans', 'skuId', 'skuPartNumber', 'subscriptionIds']);
  assert.deepEqual(dm.prepaidUnits, { enabled: 25, lockedOut: 0, suspended: 0, warning: 0 });
  assert.equal(dm.consumedUnits, 3);
  assert.equal(dm.accountName, 'Subscriber');
  assert.deepEqual(dm.servicePlans.map(p => [p.servicePlanName, p.provisioningStatus, p.appliesTo]), [['deviceManagement', 'Success', 'User']]);
  assert.equal(skus.office.skuId, sku);
  assert.equal((await r.get(`/v1.0/subscribedSkus/${dm.id}`, o)).skuId, dm.skuId);
  const subscriptions = byName(await r.all('/v1.0/directory/subscriptions', o));
  assert.deepEqual(dm.subscriptionIds, [subscriptions.deviceManagement.id]);
  assert.equal(subscriptions.deviceManagement.isTrial, true);
  assert.equal(Math.round((Date.parse(subscriptions.deviceManagement.nextLifecycleDateTime) - Date.now()) / 86400e3), 30);
  assert.equal(subscriptions.office.nextLifecycleDateTime, '2099-01-02T03:04:05Z');
  assert.equal(subscriptions.office.serviceStatus[0].servicePlanId, sku);
  assert.equal((await r.get(`/v1.0/directory/subscriptions/${subscriptions.office.id}`, o)).totalLicenses, 10);
  for (const [body, status] of [[{ status: 'Deleted' }, 409], [{ status: 'Gone' }, 400], [{ status: 'Enabled', totalLicenses: 0 }, 400], [{ status: 'Enabled', isTrial: 'yes' }, 400], [{ status: 'Enabled', skuId: 'x' }, 400],
    [{ status: 'Enabled', nextLifecycleDateTime: '1999-01-01T00:00:00Z' }, 400], [{ status: 'Enabled', other: 1 }, 400], [{}, 400]])
    assert.equal((await put('office', body)).status, status, JSON.stringify(body));
  assert.equal((await put('new', { status: 'LockedOut' })).status, 409);

  // device management alone is closed: the other product keeps the directory open
  const standing = async () => (await r.get('/v1.0/deviceManagement', o)).subscriptionState;
  assert.equal(await standing(), 'active');
  assert.equal((await put('deviceManagement', { status: 'LockedOut' })).status, 204);
  assert.equal(await standing(), 'lockedOut');
  const locked = byName(await r.all('/v1.0/subscribedSkus', o)).deviceManagement;
  assert.equal(locked.capabilityStatus, 'LockedOut');
  assert.deepEqual(locked.prepaidUnits, { enabled: 0, lockedOut: 25, suspended: 0, warning: 0 });
  await r.get(`${DM}/managedDevices`, o);
  await r.refused(403, 'POST', `${DM}/deviceConfigurations`, { body: {}, ...o });
  await r.refused(403, 'POST', `${DM}/enrollmentTokens`, { body: {}, ...o });
  await r.user('still@acme.example', {}, o);
  // without it everything is
  assert.equal((await put('office', { status: 'LockedOut' })).status, 204);
  await r.refused(403, 'POST', '/v1.0/users', { body: {}, ...o });
  await r.get('/v1.0/users', o);
  assert.equal((await put('deviceManagement', { status: 'Enabled' })).status, 204, 'the tenant may come back by itself');
  assert.equal(await standing(), 'active');
  await r.user('again@acme.example', {}, o);
  for (const [type, n] of [['set Subscription', 5], ['close Tenant', 1], ['reopen Tenant', 1]])
    assert.equal((await r.events(`activityType eq '${type}'`, o)).filter(e => e.activityResult === 'Success').length, n, type);
  await r.refused(403, 'PUT', `/v1.0/installation/tenants/${t.id}/subscriptions/office`, { body: { status: 'Enabled' }, ...o });
  await r.ok('PUT', `/v1.0/installation/tenants/${t.id}/subscriptions/office`, { body: { status: 'Enabled' }, ...op });
});

test('93 deleting a tenant by hand: preconditions, and a second operator', async () => {
  const r = await Reeve.make(), t = await r.secondTenant('By hand'), o = { token: t.token }, op = { token: r.operatorToken };
  const where = `/v1.0/installation/tenants/${t.id}`;
  const failing = async () => (await r.get(`${where}/deletion`, op)).preconditions.filter(p => !p.met).map(p => p.name);
  const second = await r.post('/v1.0/installation/operators', { displayName: 'Second' }, op), other = { token: await r.signIn('00000000-0000-0000-0000-000000000000', second.clientId, second.clientSecret) };
  const users = [await r.user('a@acme.example', {}, o), await r.user('b@acme.example', {}, o)];
  await r.ok('PATCH', where, { body: { unpaid: true }, ...op });
  assert.equal((await r.get(where, op)).unpaid, true);
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions', o))[0].id, app = await r.post('/v1.0/applications', { displayName: 'x', roleDefinitionId: role }, o);
  const d = await r.device('a@acme.example', 'company', { token: t.token });
  const q = await r.post(`${DM}/dataSubjectRequests`, { type: 'objection', userId: users[0].id }, o);
  assert.deepEqual((await failing()).sort(), ['applications', 'dataSubjectRequests', 'devices', 'subscriptions', 'unpaid', 'users']);
  const refused = await r.refused(409, 'POST', `${where}/delete`, op);
  for (const name of ['applications', 'dataSubjectRequests', 'devices', 'subscriptions', 'unpaid', 'users']) assert.ok(refused.message.includes(name), refused.message);
  assert.ok(!refused.message.includes('legalHolds'));
  await r.refused(403, 'POST', `${where}/delete`, o);
  // one after the other is met
  await r.ok('PATCH', where, { body: { unpaid: false }, ...op });
  await r.ok('DELETE', `/v1.0/applications/${app.id}`, o);
  for (const [step, body] of [['verify', { method: 'callBack' }], ['discover', {}], ['decide', { decision: 'refused', reasonCode: 'unfounded', legalGround: 'none', outcome: 'refused' }]])
    await r.ok('POST', `${DM}/dataSubjectRequests/${q.id}/${step}`, { body, ...o });
  await r.ok('POST', `${DM}/managedDevices/${d.id}/retire`, o);
  d.sync();
  await r.ok('DELETE', `/v1.0/users/${users[1].id}`, o);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${users[1].id}`, o);
  await until('their data is gone', async () => (await failing()).join() === 'subscriptions', { seconds: 60 });
  assert.equal((await r.approved('PUT', `/v1.0/directory/subscriptions/deviceManagement`, { body: { status: 'LockedOut' }, tenant: t.id, ...o })).status, 204);
  await r.restart(4); // three days later it is Deprovisioned
  other.token = await r.signIn('00000000-0000-0000-0000-000000000000', second.clientId, second.clientSecret);
  await until('nothing is in the way', async () => (await failing()).length === 0, { seconds: 60 });

  await r.refused(409, 'POST', `${where}/delete/confirm`, other);
  const asked = await r.api('POST', `${where}/delete`, op);
  assert.equal(asked.status, 202, asked.text);
  assert.equal(Date.parse(asked.json.confirmBeforeDateTime) - Date.parse(asked.json.requestedDateTime), 86400e3);
  assert.match((await r.refused(403, 'POST', `${where}/delete/confirm`, op)).message, /another operator/);
  const third = await r.post('/v1.0/installation/operators', { displayName: 'Third' }, op), late = { token: await r.signIn('00000000-0000-0000-0000-000000000000', third.clientId, third.clientSecret) };
  assert.match((await r.refused(403, 'POST', `${where}/delete/confirm`, late)).message, /younger/);
  await r.restart(6);
  other.token = await r.signIn('00000000-0000-0000-0000-000000000000', second.clientId, second.clientSecret);
  await r.refused(409, 'POST', `${where}/delete/confirm`, other); // the day is over
  await r.ok('POST', `${where}/delete`, op);
  await r.ok('POST', `${where}/delete/confirm`, other);
  await until('the tenant is gone', async () => (await r.api('GET', where, op)).status === 404, { seconds: 90 });
  const log = (await r.events("resources/resourceId eq '" + t.id + "'", op)).map(e => e.activityType);
  for (const type of ['requestDeletion Tenant', 'delete Tenant', 'purge Tenant', 'archive AuditLog']) assert.ok(log.includes(type), `${type}: ${log}`);
  const operators = await r.all('/v1.0/installation/operators', op);
  assert.deepEqual(operators.map(x => x.displayName).sort(), ['Operator', 'Second', 'Third']);
  await r.refused(409, 'DELETE', `/v1.0/installation/operators/${operators.find(x => x.displayName === 'Operator').id}`, op);
  await r.ok('DELETE', `/v1.0/installation/operators/${second.id}`, op);
  await r.refused(401, 'GET', '/v1.0/installation/tenants', other);
  await r.remove();
});

test('93 a tenant closed beside two others: read, closed, retired, gone; theirs byte for byte as before', async () => {
  const r = await Reeve.make(), op = { token: r.operatorToken };
  const tenants = [{ id: r.tenant, token: r.token }, await r.secondTenant('Middle'), await r.secondTenant('Last')], worlds = [];
  for (const [i, t] of tenants.entries()) worlds.push(await world(r, { token: t.token }, t.id, `CANARY${'ABC'[i].repeat(3)}`));
  const [, gone] = tenants, w = worlds[1], o = { token: gone.token }, where = `/v1.0/installation/tenants/${gone.id}`;
  const silent = await r.device(w.upn, 'company', { token: gone.token, serial: 'CANARYBBB-SILENT' });
  assert.equal((await r.approved('PUT', `/v1.0/directory/subscriptions/${w.product}`, { body: { status: 'LockedOut' }, tenant: gone.id, ...o })).status, 204);
  await r.ok('POST', `${DM}/legalHolds/${w.hold}/release`, { body: { reason: 'over' }, ...o });
  await r.closeTenant(gone);
  assert.equal((await r.get(where, op)).state, 'closing');
  const unconfirmed = () => JSON.parse(r.sql(`SELECT count(DISTINCT device_id) n FROM device_certificates WHERE tenant_id = x'${gone.id.replaceAll('-', '')}' AND revoked_at IS NULL`))[0].n;
  const files = () => execFileSync('find', [r.dir, '-type', 'f', '-not', '-path', '*/archives/*'], { encoding: 'utf8' }).trim().split('\n');
  const onDisk = mark => files().filter(f => fs.readFileSync(f).includes(mark));

  await r.restart(89);
  o.token = await r.signIn(gone.id, gone.clientId, gone.secret);
  await r.get('/v1.0/users', o);
  await r.refused(403, 'POST', '/v1.0/users', { body: {}, ...o });
  assert.equal((await r.api('POST', `/v1.0/users/${w.user}/exportPersonalData`, { body: {}, ...o })).status, 202, 'an export is possible');
  assert.equal((await r.channel('checkin', { items: [] }, w.tree.pair)).status, 200);

  await r.restart(114); // nobody signs in; seven days before the purge
  await r.refused(401, 'GET', '/v1.0/users', o);
  assert.equal((await r.api('POST', `/${gone.id}/oauth2/v2.0/token`, { token: null, raw: `grant_type=client_credentials&client_id=${gone.clientId}&client_secret=${gone.secret}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } })).status, 401);

  await until('its devices are told to retire', async () => (await r.get(where, op)).devicesRetireDateTime === null, { seconds: 60 });
  const asked = unconfirmed();
  w.tree.sync();
  const open = unconfirmed();
  assert.ok(open === asked - 1 && open > 0, `a device that comes retires: ${asked} ${open}`);
  assert.ok(onDisk('CANARYBBB').length > 0);

  await r.stop();
  await r.serve(121, { doubt: true }); // so that only the purge is between the two looks
  const waiting = () => JSON.parse(r.sql("SELECT (SELECT count(*) FROM letters WHERE state = 'waiting') + (SELECT count(*) FROM notices WHERE state = 'waiting') AS n"))[0].n;
  await until('nothing of the neighbours moves by itself any more', () => waiting() === 0, { seconds: 30 });
  const before = [dump(r, tenants[0].id), dump(r, tenants[2].id)];
  assert.ok(before.every(d => /CANARY/.test(d.users)));
  await r.confirmClock();
  await until('the tenant is gone', async () => (await r.api('GET', where, op)).status === 404, { seconds: 120 });
  for (const [i, t] of [tenants[0], tenants[2]].entries()) {
    const after = dump(r, t.id);
    for (const table of Object.keys(before[i]).filter(x => !['letters', 'operation_approval_requests'].includes(x))) // undeliverable and lapsed ones may come to their own end meanwhile
      assert.equal(after[table], before[i][table], `${table} of a neighbour`);
  }
  const left = dump(r, gone.id);
  for (const table of Object.keys(left)) assert.equal(left[table].trim(), '', `${table} of the closed tenant`);
  for (const mark of ['CANARYBBB', 'canarybbb', 'CANARYBBB-SILENT']) assert.deepEqual(onDisk(mark), [], mark);
  for (const mark of ['CANARYAAA', 'CANARYCCC']) assert.ok(onDisk(mark).length > 0, mark);
  assert.equal(fs.readdirSync(path.join(r.dir, 'archives')).length, 1);
  const both = await until('both certificates are with the installation', async () => { const l = (await r.all('/v1.0/installation/erasureCertificates', op)).filter(x => x.certificate.tenantId === gone.id); return l.length === 2 && l; }, { seconds: 30 });
  assert.deepEqual(both.map(x => x.kind).sort(), ['activeData', 'copies']);
  const c = both.find(x => x.kind === 'activeData').certificate;
  assert.ok(c.residues.some(x => x.what === 'devicesNotConfirmed' && x.text.startsWith(`what ${open} devices`)), JSON.stringify(c.residues));
  assert.equal((await r.channel('checkin', { items: [] }, silent.pair)).status, 401, 'a device of nobody');
  await r.refused(401, 'GET', '/v1.0/users', o);
  await r.get(`/v1.0/users/${worlds[2].user}`, { token: await r.signIn(tenants[2].id, tenants[2].clientId, tenants[2].secret) });
  await r.remove();
});
