// SPDX-License-Identifier: Apache-2.0
// What becomes of a device's record: assets after a wipe, ownership, cleanup rules, what an erased person's devices keep.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { REEVE, Reeve, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const gone = (r, id) => until(`device ${id} is gone`, async () => (await r.api('GET', `${DM}/managedDevices/${id}`)).status === 404, { seconds: 60 });
const ended = (r, subject, trigger) => until(`the ${trigger} is certified`, async () => (await r.all(`${DM}/erasureDuties`)).find(d => d.trigger === trigger && /scrubbed|copies_gone/.test(d.state) && Date.parse(d.requestedDateTime) >= subject), { seconds: 60 });

// A second administrator.
async function second(r) {
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Administrator').id;
  const app = await r.post('/v1.0/applications', { displayName: 'Second person', roleDefinitionId: role });
  const secret = await r.post(`/v1.0/applications/${app.id}/addPassword`, { passwordCredential: { displayName: 's' } });
  return { token: await r.signIn(r.tenant, app.appId, secret.secretText) };
}

testOnEngines('33 a wiped company device is an asset, nobody\'s; it enrols again as a new device', async engine => {
  const r = await Reeve.make({ engine }), since = Date.now() - 1000;
  await r.user('wiped@acme.example', { displayName: 'WIPEDPERSON' });
  const d = await r.device('wiped@acme.example', 'company', { serial: 'SERIALASSET77' });
  await r.ok('PATCH', `${DM}/managedDevices/${d.id}`, { body: { notes: 'WIPEDPERSON likes it', managedDeviceName: 'WIPEDPERSON laptop', assetNote: 'Inventory 4711' } });
  assert.equal((await r.get(`${DM}/managedDevices/${d.id}?$select=assetNote`)).assetNote, 'Inventory 4711');
  assert.equal((await r.managed(d.id)).assetNote, undefined, 'not where nobody asks for it: Graph has none');
  await r.ok('POST', `${DM}/managedDevices/${d.id}/wipe`);
  d.sync();
  await gone(r, d.id);
  const list = await until('the asset', async () => { const l = await r.all(`${DM}/deviceAssets`); return l.length > 0 && l; });
  assert.equal(list.length, 1);
  const asset = list[0];
  assert.deepEqual([asset.serialNumber, asset.assetNote, typeof asset.manufacturer, typeof asset.model], ['SERIALASSET77', 'Inventory 4711', 'string', 'string']);
  assert.match(r.cli('device', 'assets').out, /SERIALASSET77\tInventory 4711/);
  assert.ok(asset.wipedDateTime, 'by the device\'s word');
  assert.ok(!/wiped@|WIPEDPERSON/i.test(JSON.stringify(list)) && !JSON.stringify(list).includes(d.id), 'nothing leads to the person');
  // the serial number that stays is the organisation's: no residue
  const duty = await ended(r, since, 'wipe');
  assert.equal(duty.error, null);
  const changed = await r.ok('PATCH', `${DM}/deviceAssets/${asset.id}`, { body: { assetNote: 'Inventory 4711, shelf 3' } });
  assert.equal(changed.assetNote, 'Inventory 4711, shelf 3');
  await r.refused(400, 'PATCH', `${DM}/deviceAssets/${asset.id}`, { body: { serialNumber: 'X' } });
  await r.refused(404, 'GET', `${DM}/deviceAssets/${d.id}`);
  await r.user('next@acme.example');
  d.remove();
  const again = await r.device('next@acme.example', 'company', { name: d.name, serial: 'SERIALASSET77' });
  assert.notEqual(again.id, d.id);
  const m = await r.get(`/beta/deviceManagement/managedDevices/${again.id}?$select=id,notes,assetNote,managedDeviceName,userPrincipalName,serialNumber,deviceActionResults`);
  assert.deepEqual([m.assetNote, m.notes, m.userPrincipalName, m.serialNumber, m.deviceActionResults], ['Inventory 4711, shelf 3', null, 'next@acme.example', 'SERIALASSET77', []]);
  assert.ok(!/WIPEDPERSON/.test(JSON.stringify(m)));
  assert.deepEqual(await r.all(`${DM}/deviceAssets`), []);
  assert.deepEqual((await r.events('resources/any(x: x/auditResourceType eq \'DeviceAsset\')').catch(() => [])).filter(e => JSON.stringify(e).includes('WIPEDPERSON')), []);
  await r.remove();
});

test('33 ownership: to the company by consent on the device or a second person; to the person at once', async () => {
  const r = await one(), two = await second(r), upn = 'owns@acme.example', u = await r.user(upn);
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true } });
  const d = await r.device(upn, 'personal'), at = `${DM}/managedDevices/${d.id}`;
  const owner = async () => (await r.managed(d.id)).managedDeviceOwnerType;
  const take = () => r.api('PATCH', at, { body: { managedDeviceOwnerType: 'company' } });
  const pending = async () => (await r.all(`${DM}/ownershipChanges?$filter=${encodeURIComponent(`managedDeviceId eq '${d.id}' and state eq 'pending'`)}`));
  assert.equal(d.run('consent').code, 65, 'nobody asks');
  const asked = await take();
  assert.deepEqual([asked.status, asked.json.managedDeviceOwnerType], [200, 'personal'], asked.text);
  assert.equal((await take()).status, 200);
  const [change, ...more] = await pending();
  assert.equal(more.length, 0, 'asked once');
  assert.deepEqual([change.fromOwnerType, change.toOwnerType, change.ground], ['personal', 'company', null]);
  assert.equal(Date.parse(change.expirationDateTime) - Date.parse(change.requestedDateTime), 3 * 86400e3);
  await r.refused(403, 'POST', `${DM}/ownershipChanges/${change.id}/approve`);
  assert.match(r.cli('device', 'ownership').out, /personal\tcompany\tpending/);
  assert.equal(r.cli('device', 'approve', change.id).code, 77);
  const shown = d.run('consent');
  assert.ok(shown.code === 0 && /can no longer take it out of management/.test(shown.out) && /stays open/.test(shown.out), shown.out + shown.err);
  assert.equal(d.run('consent', '--no').code, 0);
  assert.equal((await r.get(`${DM}/ownershipChanges/${change.id}`)).state, 'refused');
  assert.equal(await owner(), 'personal');
  assert.equal((await r.all(`${DM}/notices`)).filter(n => n.kind === 'person' && n.userId === u.id).length, 1, 'the user is told');
  // the user agrees
  await take();
  const said = d.run('consent', '--yes');
  assert.equal(said.code, 0, said.err);
  assert.equal(await owner(), 'company');
  const about = (await r.events(`resources/resourceId eq '${d.id}'`)).find(e => e.activityType === 'approve OwnershipChange');
  assert.deepEqual([about.actor.userPrincipalName, about.resources[0].modifiedProperties.find(p => p.displayName === 'ground').newValue], [upn, 'consent']);
  const refused = d.run('leave');
  assert.equal(refused.code, 77, 'a company device is returned');
  // what a company device reports goes with its being one
  d.sync();
  await r.ok('PATCH', at, { body: { assetNote: 'Shelf' } });
  const back = await r.ok('PATCH', `${at}?$select=assetNote,managedDeviceOwnerType`, { body: { managedDeviceOwnerType: 'personal' } });
  assert.deepEqual([back.managedDeviceOwnerType, back.assetNote], ['personal', null]);
  assert.deepEqual(await r.all(`${at}/detectedApps`), []);
  await r.refused(400, 'PATCH', at, { body: { assetNote: 'Shelf' } });
  // a second person, with the evidence of a consent that was given elsewhere
  await take();
  const [next] = await pending();
  await r.refused(400, 'POST', `${DM}/ownershipChanges/${next.id}/approve`, { ...two, body: { ground: 'consent' } });
  await r.refused(400, 'POST', `${DM}/ownershipChanges/${next.id}/approve`, { ...two, body: { ground: 'whim' } });
  const done = await r.post(`${DM}/ownershipChanges/${next.id}/approve`, { ground: 'consent', evidence: 'Letter of 3 May' }, two);
  assert.deepEqual([done.state, done.evidence, await owner()], ['done', 'Letter of 3 May', 'company']);
  assert.ok(!JSON.stringify(await r.events(`resources/resourceId eq '${d.id}'`)).includes('Letter of'), 'what people wrote is no business of the log');
  // all of it is the person's to see
  const preview = (await r.get(`/v1.0/users/${u.id}/erasurePreview`)).tables?.find(t => t.table === 'ownership_changes');
  assert.ok(preview === undefined || preview.found >= 4);
});

test('33 cleanup rules hide a silent device from lists, and from nothing else; it comes back', async () => {
  const r = await Reeve.make(), u = await r.user('silent@acme.example');
  const d = await r.device('silent@acme.example', 'company'), p = await r.device('silent@acme.example', 'personal');
  const rules = '/beta/deviceManagement/managedDeviceCleanupRules', settings = '/beta/deviceManagement/managedDeviceCleanupSettings';
  for (const days of [29, 271, '30']) await r.refused(400, 'POST', rules, { body: { displayName: 'x', deviceCleanupRulePlatformType: 'all', deviceInactivityBeforeRetirementInDays: days } });
  await r.refused(400, 'POST', rules, { body: { displayName: 'x', deviceCleanupRulePlatformType: 'amiga', deviceInactivityBeforeRetirementInDays: 30 } });
  const rule = await r.post(rules, { displayName: 'Silent', deviceCleanupRulePlatformType: 'all', deviceInactivityBeforeRetirementInDays: 60 });
  await r.refused(409, 'POST', rules, { body: { displayName: 'y', deviceCleanupRulePlatformType: 'all', deviceInactivityBeforeRetirementInDays: 30 } });
  assert.equal((await r.get(settings)).deviceInactivityBeforeRetirementInDays, '60');
  assert.equal((await r.ok('PATCH', settings, { body: { deviceInactivityBeforeRetirementInDays: '30' } })).deviceInactivityBeforeRetirementInDays, '30');
  assert.equal((await r.get(`${rules}/${rule.id}`)).deviceInactivityBeforeRetirementInDays, 30);
  await r.refused(400, 'PATCH', settings, { body: { deviceInactivityBeforeRetirementInDays: 'soon' } });
  assert.equal((await r.get(`${DM}/managedDevices`)).value.length, 2);
  await r.restart(31); // the time is confirmed once the server is up;
  await r.restart();   // jobs run at a start
  await until('both are hidden', async () => (await r.get(`${DM}/managedDevices`)).value.length === 0);
  await r.refused(404, 'GET', `${DM}/managedDevices/${d.id}`);
  assert.deepEqual((await r.get(`/v1.0/users/${u.id}/managedDevices`)).value, []);
  const about = (await r.events(`resources/resourceId eq '${d.id}'`)).find(e => e.activityType === 'hide ManagedDevice');
  assert.equal(about.actor.auditActorType, 'System');
  assert.ok(about.resources[0].modifiedProperties.some(x => x.newValue === rule.id));
  assert.deepEqual(await r.all(`${DM}/erasureDuties`), [], 'no duty');
  // the person still sees it
  const x = await r.api('POST', `/v1.0/users/${u.id}/exportPersonalData`, { body: {} });
  const found = await r.get(`/v1.0/users/${u.id}/exportDeviceAndAppManagementData()/content`).catch(e => e);
  assert.equal(x.status, 202);
  assert.ok(JSON.stringify(found).includes(d.id), 'in what the person gets');
  // it comes back by itself, and was told nothing
  const s = d.sync();
  assert.equal((await r.managed(d.id)).managementState, 'managed', s.out);
  assert.equal((await r.get(`${DM}/managedDevices`)).value.length, 1);
  assert.ok((await r.events(`resources/resourceId eq '${d.id}'`)).some(e => e.activityType === 'show ManagedDevice'));
  // a hidden personal device is retired with its person like any other
  await r.ok('DELETE', `/v1.0/users/${u.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`);
  await until('its record went', () => JSON.parse(r.sql('SELECT count(*) n FROM managed_devices WHERE owner_type = \'personal\''))[0].n === 0, { seconds: 60 });
  p.sync();
  assert.ok(!p.has('var/lib/reeve-agent/cert.pem'), 'it fetched its retire');
  await r.remove();
});

test('33 an erased person: the company device stays without them, the personal one fetches its retire and nothing else', async () => {
  const r = await one(), upn = 'leaver@acme.example', u = await r.user(upn, { displayName: 'LEAVERNAME' }), since = Date.now() - 1000;
  const c = await r.device(upn, 'company', { name: 'leavername-desk' }), p = await r.device(upn, 'personal'), pair = p.pair;
  await r.ok('PATCH', `${DM}/managedDevices/${c.id}`, { body: { notes: 'LEAVERNAME', managedDeviceName: 'LEAVERNAME desk', assetNote: 'Desk 9' } });
  await r.ok('POST', `${DM}/managedDevices/${c.id}/syncDevice`);
  c.sync();
  await r.ok('DELETE', `/v1.0/users/${u.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`);
  await ended(r, since, 'permanentDelete');
  const rows = ['managed_devices', 'device_actions', 'provisioned_items', 'detected_apps', 'device_disks', 'network_interfaces', 'ownership_changes', 'device_certificates', 'device_assets']
    .map(t => r.sql(`SELECT * FROM ${t}`)).join('\n');
  assert.ok(!/leavername|leaver@/i.test(rows), rows);
  const left = await r.get(`${DM}/managedDevices/${c.id}?$select=userId,userPrincipalName,notes,serialNumber,assetNote,managementState`);
  assert.deepEqual([left.userPrincipalName ?? '', left.notes, left.serialNumber, left.assetNote, left.managementState], ['', null, c.serial, 'Desk 9', 'managed']);
  // what is left of the personal device names nobody: a certificate and what it owes
  assert.deepEqual(JSON.parse(r.sql(`SELECT count(*) n FROM managed_devices WHERE owner_type = 'personal' AND serial_number = '${p.serial}'`)), [{ n: 0 }]);
  const inventory = { inventory: { deviceName: 'x' } };
  const owed = await r.channel('checkin', inventory, pair);
  assert.deepEqual([owed.status, owed.json.actions.map(a => a.action), owed.json.items ?? []], [200, ['retire'], []], owed.text);
  for (const [where, body] of [['renew', { csr: 'x' }], ['leave', {}], ['ownership', { consents: true }]]) assert.ok((await r.channel(where, body, pair)).status >= 400, where);
  const certificates = await r.all(`${DM}/erasureCertificates`);
  assert.ok(/deviceNotConfirmed|personalDevices/.test(JSON.stringify(certificates)), 'what is known to remain is named');
  p.sync();
  assert.equal((await r.channel('checkin', {}, pair)).status, 401, 'once');
});
