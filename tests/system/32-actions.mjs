// SPDX-License-Identifier: Apache-2.0
// What is asked of devices beyond the straight way: parameters, previews, calling back, many at once, later, come back, limits, silence.
import assert from 'node:assert/strict';
import { Reeve, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared(), BETA = '/beta/deviceManagement';
const at = d => `${DM}/managedDevices/${d.id}`;
const state = async (r, d) => (await r.managed(d.id)).managementState;
const result = async (r, d, name) => (await r.managed(d.id, 'beta')).deviceActionResults.find(a => a.actionName === name);
const audits = async (r, d) => (await r.all(`${BETA}/remoteActionAudits?$filter=${encodeURIComponent(`managedDeviceId eq '${d.id}'`)}`)).map(a => [a.actionName, a.askedAs, a.actionState, a.outcome]);
const duty = async (r, d) => (await r.all(`${DM}/erasureDuties`)).find(x => x.subjectId === d.id && !['cancelled'].includes(x.state));
const about = async (r, id, type) => (await r.events(`resources/resourceId eq '${id}'`)).filter(e => e.activityType === type);

testOnEngines('32 a wipe takes any of Graph\'s parameters, and refuses what the platform does not know before anything changes', async engine => {
  const r = await one(engine), upn = 'parameters@acme.example';
  await r.user(upn);
  const d = await r.device(upn, 'company'), wipe = `${at(d)}/wipe`, beta = wipe.replace('/v1.0/', '/beta/');
  for (const [where, body, code] of [[wipe, { keepEnrollmentData: true }, 'NotSupported'], [wipe, { keepUserData: true }, 'NotSupported'], [wipe, { macOsUnlockCode: '123456' }, 'NotSupported'],
    [wipe, { persistEsimDataPlan: false }, 'NotSupported'], [beta, { useProtectedWipe: true }, 'NotSupported'], [beta, { obliterationBehavior: 'always' }, 'NotSupported'], [wipe, { macOsUnlockCode: '12345' }, 'BadRequest'],
    [wipe, { useProtectedWipe: false }, 'BadRequest'], [wipe, { nothing: 1 }, 'BadRequest'], [beta, { obliterationBehavior: 'x' }, 'BadRequest']]) {
    const e = await r.refused(400, 'POST', where, { body });
    assert.equal(e.code, code, JSON.stringify(body));
    assert.ok(!/123456/.test(e.message));
  }
  assert.ok(!/123456/.test(JSON.stringify(await r.events(`resources/resourceId eq '${d.id}'`))), 'a code is in no event');
  assert.equal(await state(r, d), 'managed');
  assert.deepEqual(await audits(r, d), []);
  for (const options of [{}, { body: {} }, { body: { keepEnrollmentData: null, macOsUnlockCode: '', keepUserData: false, persistEsimDataPlan: true } }, { raw: '', headers: { 'Content-Type': 'text/plain' } }]) {
    await r.ok('POST', wipe, options);
    assert.equal(await state(r, d), 'wipePending');
    await r.ok('POST', `${at(d)}/cancelAction`);
    assert.equal(await state(r, d), 'wipeCanceled');
  }
  await r.ok('POST', beta, { body: { useProtectedWipe: false, obliterationBehavior: 'default' } });
  await r.ok('POST', `${at(d)}/cancelAction`, { body: { actionName: 'wipe' } });
});

testOnEngines('32 a preview before, the residues after; it changes nothing', async engine => {
  const r = await one(engine), upn = 'preview@acme.example';
  await r.user(upn);
  const desk = await r.device(upn, 'company'), lap = await r.device(upn, 'personal');
  const p = await r.get(`${at(desk)}/actionPreview?action=wipe`);
  assert.deepEqual([p.supported, p.reason, p.deviceIsTold, p.platform, p.ownerType], [true, null, 'wipe', 'linux', 'company']);
  assert.ok(p.residues.some(x => x.what === 'biosPassword') && p.effects.some(x => x.what === 'personalFiles' && x.outcome === 'removed'));
  assert.ok(p.parameters.every(x => x.supported === false) && Date.parse(p.dataDueDateTime) > Date.now());
  const no = await r.get(`/v1.0/users/${upn}/managedDevices/${lap.id}/actionPreview?action=wipe`);
  assert.deepEqual([no.supported, no.deviceIsTold, no.dataDueDateTime], [false, null, null]);
  assert.match(no.reason, /retire/);
  for (const bad of ['', '?action=reboot', '?action=', '?action=%zz']) await r.refused(400, 'GET', `${at(desk)}/actionPreview${bad}`);
  assert.equal(await state(r, desk), 'managed');
  await r.ok('POST', `${at(desk)}/wipe`);
  const done = await result(r, desk, 'wipe');
  assert.deepEqual([done.outcome, done.askedAs], ['waiting', 'wipe']);
  assert.ok(done.residues.includes('biosPassword'));
  assert.ok(!('outcome' in (await r.managed(desk.id)).deviceActionResults[0]), 'v1.0 is Graph\'s');
  const list = await r.all(`${BETA}/managedDevices?$filter=${encodeURIComponent(`id eq '${desk.id}'`)}`);
  assert.ok(Math.abs(Date.parse(list[0].actionPendingSinceDateTime) - Date.now()) < 60000 && list[0].deviceActionResults.length === 1, 'its age is in lists');
  assert.ok(r.cli('device', 'list').out.includes(list[0].actionPendingSinceDateTime.slice(0, 16)));
  await r.ok('POST', `${at(desk)}/cancelAction`);
});

testOnEngines('32 what waits is called back with its promise; a device that had begun ends all the same', async engine => {
  const r = await one(engine), upn = 'cancel@acme.example';
  const u = await r.user(upn), g = await r.group('Cancel', [u.id]);
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'C', path: '/etc/cancel.conf', content: 'x' });
  const d = await r.device(upn, 'personal');
  d.sync();
  assert.ok(d.has('etc/cancel.conf'));
  await r.ok('POST', `${at(d)}/retire`);
  assert.ok(await duty(r, d));
  const cancelled = r.cli('device', 'cancel', d.id);
  assert.equal(cancelled.code, 0, cancelled.err);
  assert.equal(await duty(r, d), undefined);
  d.sync();
  assert.ok(d.has('etc/cancel.conf'), 'nothing was taken back');
  assert.deepEqual([await state(r, d), await audits(r, d)], ['retireCanceled', [['retire', 'retire', 'canceled', 'canceled']]]);
  assert.equal((await about(r, d.id, 'cancel DeviceAction')).length, 1);
  await r.refused(409, 'POST', `${at(d)}/cancelAction`);
  await r.refused(400, 'POST', `${at(d)}/cancelAction`, { body: { nothing: 1 } });

  // delivered, called back, and done on the device nevertheless
  await r.ok('POST', `${at(d)}/retire`);
  const { actions } = (await r.channel('checkin', { items: [] }, d.pair)).json;
  assert.equal((await result(r, d, 'retire')).outcome, 'acceptedNotSeen');
  await r.ok('POST', `${at(d)}/cancelAction`);
  assert.equal((await r.channel('report', { results: [{ id: actions[0].id, state: 'failed', error: 'no' }] }, d.pair)).status, 200);
  assert.equal(await state(r, d), 'retireCanceled');
  assert.equal((await r.channel('report', { results: [{ id: actions[0].id, state: 'done' }] }, d.pair)).status, 200);
  await until('its data goes', async () => (await r.api('GET', at(d))).status === 404, { seconds: 60 });

  // what its user did is not the administrator's to call back
  const own = await r.device(upn, 'personal');
  assert.equal((await r.channel('leave', {}, own.pair)).status, 200);
  assert.match((await r.refused(409, 'POST', `${at(own)}/cancelAction`)).message, /user/);
});

testOnEngines('32 later is no failure: it is offered again; refused and failed are told apart', async engine => {
  const r = await one(engine), upn = 'later@acme.example';
  await r.user(upn);
  const d = await r.device(upn, 'company');
  const offered = async () => (await r.channel('checkin', { items: [] }, d.pair)).json.actions[0].id;
  const says = (id, s, error) => r.channel('report', { results: [{ id, state: s, error }] }, d.pair);
  await r.ok('POST', `${at(d)}/wipe`);
  const id = await offered();
  assert.equal((await says(id, 'notNow', 'in a meeting')).status, 200);
  assert.deepEqual([await state(r, d), (await result(r, d, 'wipe')).outcome, (await result(r, d, 'wipe')).actionState], ['wipeIssued', 'notNow', 'active']);
  assert.equal(await offered(), id);
  for (const bad of ['pending', 'issued', 'canceled', 'later']) assert.equal((await says(id, bad)).status, 400, bad);
  assert.equal((await says(id, 'notSupported', 'the owner has not enabled wipe')).status, 200);
  assert.deepEqual([await state(r, d), (await result(r, d, 'wipe')).outcome], ['wipeFailed', 'refused']);
  await r.ok('POST', `${at(d)}/wipe`);
  await says(await offered(), 'failed', 'disk error');
  const rows = await r.all(`${BETA}/remoteActionAudits?$filter=${encodeURIComponent(`managedDeviceId eq '${d.id}' and outcome eq 'failed'`)}`);
  assert.deepEqual(rows.map(x => [x.action, x.errorDescription, x.userName]), [['factoryReset', 'disk error', 'Administrator']]);
});

testOnEngines('32 up to a hundred at once, each a request of its own', async engine => {
  const r = await one(engine), upn = 'bulk@acme.example', execute = `${BETA}/managedDevices/executeAction`;
  await r.user(upn);
  const desks = [await r.device(upn, 'company'), await r.device(upn, 'company')], lap = await r.device(upn, 'personal');
  const nobody = '01020304-0506-7080-8000-000000000001', ids = [desks[0].id, lap.id, nobody, 'no id', desks[1].id, desks[0].id];
  const before = (await r.events("activityType eq 'wipe ManagedDevice'")).length;
  const done = await r.post(execute, { actionName: 'wipe', deviceIds: ids, keepUserData: false, persistEsimDataPlan: true, deviceName: null });
  assert.deepEqual([done.successfulDeviceIds, done.notSupportedDeviceIds, done.notFoundDeviceIds, done.failedDeviceIds], [[desks[0].id, desks[1].id], [lap.id], [nobody, 'no id'], []]);
  assert.deepEqual([await state(r, desks[0]), await state(r, desks[1]), await state(r, lap)], ['wipePending', 'wipePending', 'managed']);
  const events = (await r.events("activityType eq 'wipe ManagedDevice'")).slice(0, -before || undefined);
  assert.deepEqual(events.map(e => [e.resources[0].resourceId, e.activityResult]).sort(), [[desks[0].id, 'Success'], [desks[1].id, 'Success'], [lap.id, 'Failure'], [nobody, 'Failure']].sort());
  assert.ok(events.filter(e => e.activityResult === 'Success').every(e => e.resources[0].modifiedProperties.some(m => m.displayName === 'AzureADDeviceId')));
  assert.deepEqual((await r.post(execute, { actionName: 'rebootNow', deviceIds: [lap.id] })).notSupportedDeviceIds, [lap.id]);
  assert.deepEqual((await r.post(execute, { actionName: 'wipe', deviceIds: [desks[0].id], keepEnrollmentData: true })).notSupportedDeviceIds, [desks[0].id]);
  assert.deepEqual((await r.post(execute, { actionName: 'delete', deviceIds: [lap.id] })).successfulDeviceIds, [lap.id]);
  await r.refused(404, 'GET', at(lap));
  assert.deepEqual((await audits(r, lap)).sort(), [['delete', 'delete', 'done', 'done'], ['retire', 'delete', 'pending', 'waiting']]);
  for (const body of [{ actionName: 'wipe' }, { deviceIds: [lap.id] }, { actionName: 'explode', deviceIds: [lap.id] }, { actionName: 'retire', deviceIds: [] }, { actionName: 'retire', deviceIds: [7] },
    { actionName: 'retire', deviceIds: Array.from({ length: 101 }, (_, i) => `${i}`) }, { actionName: 'wipe', deviceIds: [lap.id], macOsUnlockCode: '1' }, { actionName: 'retire', deviceIds: [lap.id], nothing: 1 }]) await r.refused(400, 'POST', execute, { body });
});

testOnEngines('32 a device that said it was wiped and comes back is loud', async engine => {
  const r = await one(engine), upn = 'back@acme.example';
  await r.user(upn);
  const d = await r.device(upn, 'company'), pair = d.pair;
  d.sync();
  await r.ok('POST', `${at(d)}/wipe`);
  d.sync();
  assert.equal((await r.channel('report', { results: [] }, pair)).status, 401);
  const before = (await r.events("activityType eq 'returned ManagedDevice'")).length;
  assert.equal((await r.channel('checkin', { items: [] }, pair)).status, 401);
  const events = await r.events("activityType eq 'returned ManagedDevice'");
  assert.equal(events.length, before + 1);
  assert.equal(events[0].activityResult, 'Failure');
  const seen = await r.api('GET', at(d)); // its data goes at any moment
  if (seen.status === 200) assert.equal(seen.json.managementState, 'wipeFailed');
  await until('its data is gone', async () => (await r.api('GET', at(d))).status === 404, { seconds: 60 });
  assert.equal((await r.channel('checkin', { items: [] }, pair)).status, 401);
  assert.ok((await r.events("activityType eq 'returned ManagedDevice'")).length <= before + 2, 'the record, and then its certificate');
  assert.match((await r.api('GET', '/metrics', { token: r.operatorToken })).text, /reeve_devices_returned_total [1-9]/);
});

test('32 a day has its limits over every way in; many at once raise an alarm', async () => {
  const r = await Reeve.make(), upn = 'limits@acme.example';
  await r.user(upn);
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { wipesPerDay: 1, deletesPerDay: 1, actionBurstCount: 2 } });
  const d = [];
  for (let i = 0; i < 3; i++) d.push(await r.device(upn, 'company'));
  await r.ok('POST', `${at(d[0])}/wipe`);
  const no = await r.api('POST', `${at(d[1])}/wipe`);
  assert.deepEqual([no.status, no.json.error.code], [429, 'DailyLimitReached']);
  const left = (86400 - Math.floor(Date.now() / 1000) % 86400);
  assert.ok(Math.abs(Number(no.headers['retry-after']) - left) < 10, `${no.headers['retry-after']} of ${left}`);
  assert.ok((await about(r, d[1].id, 'wipe ManagedDevice')).every(e => e.activityResult === 'Failure'));
  assert.deepEqual((await r.post(`${BETA}/managedDevices/executeAction`, { actionName: 'wipe', deviceIds: [d[1].id] })).failedDeviceIds, [d[1].id]);
  await r.ok('DELETE', at(d[1])); // counted as a delete, although it queues a retire
  await r.refused(429, 'DELETE', at(d[2]));
  assert.equal((await r.events("activityType eq 'burst DeviceAction'")).length, 0);
  await r.ok('POST', `${at(d[2])}/retire`);
  const burst = await r.events("activityType eq 'burst DeviceAction'");
  assert.deepEqual(burst.map(e => e.resources[0].modifiedProperties.find(m => m.displayName === 'requestsInHour').newValue), ['3']);
  assert.match((await r.api('GET', '/metrics', { token: r.operatorToken })).text, /reeve_device_action_bursts 1\n/);
});

test('32 silence shows; what waited too long expires, and the erasure goes on', async () => {
  const r = await Reeve.make(), upn = 'silent@acme.example';
  await r.user(upn);
  const d = await r.device(upn, 'personal');
  d.sync();
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { actionExpiryDays: 5 } });
  await r.ok('POST', `${at(d)}/retire`);
  for (let i = 0; i < 2; i++) await r.restart(4); // the second finds the time confirmed at its start
  await until('it is reported', async () => (await result(r, d, 'retire')).outcome === 'neverSeen');
  assert.equal((await about(r, d.id, 'notSeen DeviceAction')).length, 1);
  for (let i = 0; i < 2; i++) await r.restart(6);
  await until('it expires', async () => (await result(r, d, 'retire')).outcome === 'expired');
  assert.equal(await state(r, d), 'retireCanceled');
  assert.equal((await duty(r, d)).state, 'received');
  assert.deepEqual((await r.channel('checkin', { items: [] }, d.pair)).json.actions, []);
  for (let i = 0; i < 2; i++) await r.restart(8);
  const { certificate } = await until('its data is gone, and says what stays', async () => (await r.all(`${DM}/erasureCertificates`))[0]);
  assert.ok(certificate.residues.some(x => x.what === 'deviceNotConfirmed') && certificate.residues.some(x => x.what === 'biosPassword'), JSON.stringify(certificate));
  assert.equal((await r.channel('checkin', { items: [] }, d.pair)).status, 401);
  assert.equal((await r.events("activityType eq 'returned ManagedDevice'")).length, 1);
});
