// SPDX-License-Identifier: Apache-2.0
// Restriction of processing (GDPR Art. 18): what is held stays as it is, nothing is added, nothing goes; and a copy that was asked for goes before the deletion.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { FAKETIME, MovedPostgres, Reeve, shared, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const CASES = `${DM}/dataSubjectRequests`;
const restrict = (r, id) => r.ok('POST', `/v1.0/users/${id}/restrictProcessing`);
const lift = (r, id) => r.ok('POST', `/v1.0/users/${id}/unrestrictProcessing`);
const dutyOf = async (r, id) => (await r.all(`${DM}/erasureDuties?$filter=subjectId%20eq%20'${id}'`)).at(-1);
const GONE = ['deleted', 'scrubbed', 'copies_gone']; // no row is left; the scrub of the files may rest
const inState = (r, id, state, seconds = 60) => until(`the duty is ${state}`, async () => { const d = await dutyOf(r, id); return d?.state === state && d; }, { seconds });
const TABLES = ['managed_devices', 'network_interfaces', 'detected_apps', 'device_disks', 'provisioned_items', 'users', 'group_members', 'device_actions'];
// What is held in these tables, as text: every column, the person's and nobody else's in this tenant.
const held = r => TABLES.map(t => `${t}\n${r.sql(`SELECT * FROM ${t}`).split('\n').sort().join('\n')}`).join('\n');

testOnEngines('67 a restricted person\'s device is answered and leaves no trace; retire, leave and export work', async engine => {
  const r = await Reeve.make({ engine });
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true, collectAddresses: true, collectDisks: true } });
  const u = await r.user('still@acme.example', { displayName: 'Still', city: 'Bern' });
  const g = await r.group('Still group', [u.id]);
  const item = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'One', path: '/etc/one.conf', content: 'one\n' });
  const d = await r.device('still@acme.example', 'company', { name: 'still-laptop' });
  const own = await r.device('still@acme.example', 'personal', { name: 'still-own' });
  for (const x of [d, own]) { x.sync(); x.sync(); }
  assert.equal(d.read('etc/one.conf'), 'one\n');
  await restrict(r, u.id);
  const shown = await r.get(`/v1.0/users/${u.id}?$select=id,restrictedDateTime`);
  assert.ok(Math.abs(Date.parse(shown.restrictedDateTime) - Date.now()) < 60000);
  assert.ok(!('restrictedDateTime' in await r.get(`/v1.0/users/${u.id}`)), 'only where it is asked for');

  const before = held(r);
  assert.ok(before.includes('still-laptop'));
  const events = (await r.events()).length;
  // the device has changed, there is something new for it, and it says so
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'Two', path: '/etc/two.conf', content: 'two\n' });
  fs.writeFileSync(path.join(d.root, 'etc/hostname'), 'renamed-laptop\n');
  for (const x of [d, own]) { x.sync(); x.sync(); }
  const answer = await r.channel('checkin', { inventory: { deviceName: 'renamed-again', osName: 'Other', packages: [{ name: 'canary-package', version: '1' }] }, items: [{ id: item.id, version: 9, state: 'failed', error: 'canary-error' }] }, d.pair);
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual(answer.json.collect, { packages: false, addresses: false, disks: false }, 'nothing is asked');
  assert.deepEqual(answer.json.items.map(x => x.id), [item.id], 'what it has stays; nothing new comes');
  assert.ok(!d.has('etc/two.conf'));
  assert.equal(d.read('etc/one.conf'), 'one\n');
  assert.equal(held(r), before, 'nothing was stored');
  const after = (await r.events()).filter(e => !/DeviceConfiguration|AuditLog|AuditEvent|view/.test(e.activityType)).length;
  assert.ok(after <= events, 'nor as an event');

  // administrators change nothing
  await r.refused(409, 'PATCH', `/v1.0/users/${u.id}`, { body: { city: 'Chur' } });
  await r.refused(409, 'PATCH', `${DM}/managedDevices/${d.id}`, { body: { notes: 'x' } });
  const why = (await r.refused(409, 'PATCH', `/v1.0/users/${u.id}`, { body: { city: 'Chur' } })).message;
  assert.match(why, /restricted/);
  // what the person may still do, and what protects them
  const x = await r.api('POST', `/v1.0/users/${u.id}/exportPersonalData`, { body: {} });
  assert.equal(x.status, 202, x.text);
  await until('the export', async () => (await r.get(`/v1.0/dataPolicyOperations/${x.json.id}`)).status === 'complete', { seconds: 60 });
  const left = own.run('leave');
  assert.equal(left.code, 0, left.err);
  await r.ok('POST', `${DM}/managedDevices/${d.id}/retire`);
  d.run('sync');
  assert.ok(!d.has('etc/one.conf'), 'retired: the organisation\'s things are taken back');
  assert.ok((await r.events(`resources/resourceId eq '${d.id}'`)).some(e => e.activityType === 'result DeviceAction' && e.activityResult === 'Success'));
  // the devices' records stay, visibly held, with their deadlines
  for (const dev of [d, own]) {
    const duty = await inState(r, dev.id, 'held');
    assert.equal(duty.waitsFor, 'restriction');
    assert.equal(duty.error, null);
    assert.ok(Date.parse(duty.deadlineDateTime) > Date.now());
  }
  const duties = [await dutyOf(r, d.id), await dutyOf(r, own.id)];
  await lift(r, u.id);
  for (const duty of duties) {
    const end = await until('it goes on', async () => { const y = await r.get(`${DM}/erasureDuties/${duty.id}`); return GONE.includes(y.state) && y; }, { seconds: 90 });
    assert.equal(end.deadlineDateTime, duty.deadlineDateTime, 'its clock never stopped');
  }
  const said = (await r.events()).filter(e => e.activityType === 'transition ErasureDuty').map(e => Object.fromEntries(e.resources[0].modifiedProperties.map(p => [p.displayName, p.newValue])));
  assert.ok(said.some(p => p.state === 'held' && p.waitsFor === 'restriction'));
  await r.remove();
});

testOnEngines('67 deleting a restricted person waits until the restriction is lifted; other people\'s deletions do not', async engine => {
  const r = await one(engine);
  const a = await r.user('held@acme.example', { displayName: 'Held Person' }), b = await r.user('free@acme.example', { displayName: 'Free Person' });
  await restrict(r, a.id);
  for (const u of [a, b]) { await r.ok('DELETE', `/v1.0/users/${u.id}`); await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`); }
  const duty = await inState(r, a.id, 'held');
  await until('the other is gone', () => !/Free Person/.test(r.sql('SELECT display_name FROM users')), { seconds: 60 });
  assert.equal((await dutyOf(r, a.id)).state, 'held');
  assert.match(r.sql("SELECT display_name FROM users"), /Held Person/);
  await r.refused(409, 'POST', `/v1.0/users/${a.id}/restrictProcessing`);
  await lift(r, a.id);
  const end = await until('it goes on', async () => { const d = await r.get(`${DM}/erasureDuties/${duty.id}`); return GONE.includes(d.state) && d; }, { seconds: 60 });
  assert.deepEqual([end.deadlineDateTime, end.requestedDateTime], [duty.deadlineDateTime, duty.requestedDateTime]);
  assert.doesNotMatch(r.sql("SELECT display_name FROM users"), /Held Person/);
});

testOnEngines('67 a copy that was asked for goes before the deletion, and a soft-deleted person is still served', async engine => {
  const r = await one(engine);
  const u = await r.user('copy@acme.example', { displayName: 'Copy Person' });
  const c = await r.post(CASES, { type: 'access', userId: u.id, channel: 'email', contact: 'copy@outside.example' });
  await r.ok('DELETE', `/v1.0/users/${u.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`);
  const duty = await inState(r, u.id, 'held');
  assert.equal(duty.waitsFor, 'copy');
  const shown = await r.get(`${CASES}/${c.id}`);
  assert.equal(Date.parse(shown.erasureDeadlineDateTime), Date.parse(duty.deadlineDateTime), 'both clocks are shown');
  for (const [step, body] of [['verify', { method: 'document' }], ['discover', {}], ['decide', { decision: 'grant' }]]) await r.post(`${CASES}/${c.id}/${step}`, body);
  const operation = (await r.get(`${CASES}/${c.id}`)).dataPolicyOperationId;
  await until('the copy', async () => (await r.get(`/v1.0/dataPolicyOperations/${operation}`)).status === 'complete', { seconds: 60 });
  assert.equal((await dutyOf(r, u.id)).state, 'held', 'made, but not delivered');
  const zip = await r.api('GET', `/v1.0/dataPolicyOperations/${operation}/content`);
  assert.equal(zip.status, 200);
  await until('it goes on', async () => GONE.includes((await r.get(`${DM}/erasureDuties/${duty.id}`)).state), { seconds: 60 });
  assert.doesNotMatch(r.sql('SELECT display_name FROM users'), /Copy Person/);
});

// The person's own deadline (of the active data: day 29) wins over the open case: two days before it the deletion starts.  A restriction wins over both, and is overdue loudly.
async function clocks(engine) {
  const pg = engine === 'postgres' ? new MovedPostgres() : null;
  pg?.move(0);
  const r = await Reeve.make({ engine, database: pg?.database('clocks') });
  if (pg) r.pg = { name: 'clocks', host: pg.host };
  const go = async days => { await r.stop(); pg?.move(days); await r.serve(days); };
  try {
    const a = await r.user('never@acme.example', { displayName: 'Never Answered' }), b = await r.user('kept@acme.example', { displayName: 'Kept Person' });
    await r.post(CASES, { type: 'access', userId: a.id, channel: 'letter' });
    await restrict(r, b.id);
    for (const u of [a, b]) { await r.ok('DELETE', `/v1.0/users/${u.id}`); await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`); }
    const duty = { a: await inState(r, a.id, 'held'), b: await inState(r, b.id, 'held') };
    await go(26);
    assert.equal((await r.get(`${DM}/erasureDuties/${duty.a.id}`)).state, 'held');
    await go(29);
    await until('the deletion began in time', async () => ['scrubbed', 'copies_gone'].includes((await r.get(`${DM}/erasureDuties/${duty.a.id}`)).state), { seconds: 60 });
    await go(40);
    assert.equal((await r.get(`${DM}/erasureDuties/${duty.b.id}`)).state, 'held');
    assert.match(r.sql('SELECT display_name FROM users'), /Kept Person/);
    await lift(r, b.id);
    await until('lifted', async () => ['scrubbed', 'copies_gone'].includes((await r.get(`${DM}/erasureDuties/${duty.b.id}`)).state), { seconds: 60 });
  } finally { await r.remove(); pg?.remove(); }
}
if (FAKETIME) testOnEngines('67 whose clock wins: the deletion\'s own deadline over an open case, a restriction over both', clocks);
