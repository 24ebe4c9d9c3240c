// SPDX-License-Identifier: Apache-2.0
// Legal holds: what is held does not go, its clock goes on, nobody tips the person off, and a release lets it go at once.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { MovedPostgres, Reeve, shared, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const HOLDS = `${DM}/legalHolds`, DAY = 86400e3;
const GONE = ['deleted', 'scrubbed', 'copies_gone']; // no row is left
const dutyOf = async (r, id) => (await r.all(`${DM}/erasureDuties?$filter=subjectId%20eq%20'${id}'`)).at(-1);
const inDays = n => new Date(Date.now() + n * DAY).toISOString();
const hold = (r, name, days = 90) => r.post(HOLDS, { displayName: name, ground: 'Case 17/2026', owner: 'Legal department', reviewDateTime: inDays(days) });
const eraseForGood = async (r, id) => { await r.ok('DELETE', `/v1.0/users/${id}`); await r.ok('DELETE', `/v1.0/directory/deletedItems/${id}`); };
const held = (r, id) => until('the deletion waits', async () => { const d = await dutyOf(r, id); return d?.state === 'held' && d; });

// Every file of a bundle, one behind the other.
async function bundle(r, where) {
  const got = await r.api('GET', `${where}/content`), file = path.join(r.tmp, 'held.zip');
  assert.equal(got.status, 200);
  fs.writeFileSync(file, got.bytes);
  return execFileSync('unzip', ['-p', file], { encoding: 'utf8', maxBuffer: 1 << 28 });
}

testOnEngines('67 a person, a record set and a device under a legal hold stay until it is released', async engine => {
  const r = await one(engine);
  const ann = await r.user('ann.held@acme.example'), bob = await r.user('bob.held@acme.example'), eve = await r.user('eve.free@acme.example');
  const laptop = await r.device('eve.free@acme.example', 'personal', { name: 'eve-laptop' });
  await r.refused(400, 'POST', HOLDS, { body: { displayName: 'Late', ground: 'x', owner: 'y', reviewDateTime: inDays(-1) } });
  await r.refused(400, 'POST', HOLDS, { body: { displayName: 'Bare' } });
  const h = await hold(r, 'Dispute about overtime');
  const add = (body, status = 201) => r.api('POST', `${HOLDS}/${h.id}/members`, { body }).then(a => { assert.equal(a.status, status, a.text); return a.json; });
  const whole = await add({ userPrincipalName: 'ann.held@acme.example' });
  const set = await add({ userId: bob.id, sections: ['devices', 'enrolmentTokens'] });
  const device = await add({ deviceId: laptop.id });
  assert.deepEqual([whole.userId, whole.sections, set.sections, device.deviceId, device.userId], [ann.id, null, ['devices', 'enrolmentTokens'], laptop.id, eve.id]);
  await add({ userId: ann.id }, 409);
  await add({ userId: bob.id, sections: ['nonsense'] }, 400);
  await add({ userId: crypto.randomUUID() }, 404);
  await add({ userId: ann.id, deviceId: laptop.id }, 400);
  // beside a person, for those who may see holds
  assert.deepEqual((await r.all(`/v1.0/users/${bob.id}/legalHolds`)).map(x => x.displayName), ['Dispute about overtime']);
  assert.deepEqual((await r.all(`${DM}/managedDevices/${laptop.id}/legalHolds`)).map(x => x.id), [h.id]);

  const van = await r.device('eve.free@acme.example', 'company', { name: 'eve-van' }), kept = await add({ deviceId: van.id });
  assert.match((await r.refused(409, 'PATCH', `${DM}/managedDevices/${van.id}`, { body: { managedDeviceOwnerType: 'personal' } })).message, /legal hold/);
  await r.ok('DELETE', `${HOLDS}/${h.id}/members/${kept.id}`);

  // by the command line
  const cli = (...args) => { const x = r.cli('hold', ...args); assert.equal(x.code, 0, x.err); return x.out; };
  assert.match(cli('list'), /Dispute about overtime\tLegal department\t/);
  const second = JSON.parse(cli('create', 'By hand', 'G', 'O', inDays(9), '--json')).id;
  cli('add', second, eve.id);
  assert.match(cli('user', eve.id), /By hand/);
  cli('release', second, 'a mistake');

  await r.ok('POST', `${DM}/managedDevices/${laptop.id}/retire`);
  laptop.sync();
  for (const u of [ann, bob]) await eraseForGood(r, u.id);
  for (const u of [ann, bob, laptop]) {
    const d = await held(r, u.id);
    assert.equal(d.waitsFor, 'legalHold');
    assert.ok(Date.parse(d.deadlineDateTime) > Date.now(), 'the clock is shown');
  }
  const members = await r.all(`${HOLDS}/${h.id}/members`);
  assert.ok(members.every(m => m.waitingDutyId && m.waitingDutyDeadlineDateTime), JSON.stringify(members));
  // whoever is out of the hold goes
  await r.ok('DELETE', `${HOLDS}/${h.id}/members/${set.id}`);
  await until('Bob goes at once', async () => GONE.includes((await r.all(`${DM}/erasureDuties`)).find(d => d.trigger === 'permanentDelete' && d.state !== 'held')?.state), { seconds: 15 });
  assert.equal((await dutyOf(r, ann.id)).state, 'held');

  await r.refused(400, 'POST', `${HOLDS}/${h.id}/release`, { body: {} });
  const before = Date.now();
  const released = await r.post(`${HOLDS}/${h.id}/release`, { reason: 'settled' });
  assert.ok(released.releasedDateTime && released.releaseReason === 'settled' && Math.abs(Date.parse(released.endsDateTime) - before - 30 * DAY) < 60000);
  await until('everything goes at once', async () => (await r.all(`${DM}/erasureDuties`)).every(d => d.state !== 'held' && d.waitsFor === null), { seconds: 15 });
  await until('Ann is gone', async () => !/ann\.held/.test(r.sql('SELECT upn FROM users')), { seconds: 30 });
  await r.refused(409, 'POST', `${HOLDS}/${h.id}/members`, { body: { userId: eve.id } });
  await r.refused(409, 'PATCH', `${HOLDS}/${h.id}`, { body: { owner: 'x' } });
  await r.refused(409, 'POST', `${HOLDS}/${h.id}/release`, { body: { reason: 'again' } });
  // nothing is left of Ann: nothing can be held
  const late = await hold(r, 'Too late');
  const gone = await r.refused(404, 'POST', `${HOLDS}/${late.id}/members`, { body: { userId: ann.id } });
  assert.match(gone.message, /nothing is left/);
  await r.post(`${HOLDS}/${late.id}/release`, { reason: 'empty' });
  const events = (await r.events(`resources/resourceId eq '${h.id}' and activityResult eq 'Success'`)).reverse().map(e => e.activityType);
  assert.deepEqual(events.filter((e, i) => e !== events[i - 1]), ['create LegalHold', 'addMember LegalHold', 'removeMember LegalHold', 'release LegalHold']);
  assert.equal(events.filter(e => e === 'removeMember LegalHold').length, 4, 'each member is told of');
});

testOnEngines('67 an export and the counts of what is held say nothing of a hold', async engine => {
  const r = await one(engine);
  const u = await r.user('subject.held@acme.example', { displayName: 'Subject' });
  const counts = async () => (await r.get(`/v1.0/users/${u.id}/heldData`)).sections.map(s => [s.table, s.section, s.rows]).filter(([t]) => t !== 'audit_events' && t !== 'data_policy_operations');
  const before = await counts();
  const h = await hold(r, 'SECRETINQUIRY');
  await r.post(`${HOLDS}/${h.id}/members`, { userId: u.id });
  await r.post(`${HOLDS}/${h.id}/evidence`, {});
  await r.ok('DELETE', `/v1.0/users/${u.id}`);
  await r.ok('POST', `/v1.0/directory/deletedItems/${u.id}/restore`);
  assert.deepEqual((await counts()).filter(([t]) => t !== 'duties'), before.filter(([t]) => t !== 'duties'));
  const x = await r.api('POST', `/v1.0/users/${u.id}/exportPersonalData`, { body: { variant: 'full' } });
  assert.ok([202, 400].includes(x.status), x.text);
  const op = x.status === 202 ? x : await r.api('POST', `/v1.0/users/${u.id}/exportPersonalData`, { body: {} });
  assert.equal(op.status, 202, op.text);
  await until('the export', async () => (await r.get(`/v1.0/dataPolicyOperations/${op.json.id}`)).status === 'complete', { seconds: 60 });
  const all = await bundle(r, `/v1.0/dataPolicyOperations/${op.json.id}`);
  assert.ok(all.includes('subject.held@acme.example'), 'it is the export');
  for (const word of [h.id, 'SECRETINQUIRY', 'Case 17/2026', 'addMember LegalHold', 'hold ErasureDuty', '"LegalHold"', 'legalHold'])
    assert.ok(!all.includes(word), `${word} in the export: ${all.slice(Math.max(0, all.indexOf(word) - 300), all.indexOf(word) + 100)}`);
  await r.post(`${HOLDS}/${h.id}/release`, { reason: 'over' });
});

testOnEngines('67 held events outlast the log, the review date is told of, and a released hold ends', async engine => {
  const pg = engine === 'postgres' ? new MovedPostgres() : null;
  try {
    pg?.move(0);
    const r = await Reeve.make({ engine, database: pg?.database('moved') });
    const travel = async days => {
      const end = await r.stop();
      assert.equal(end.code, 0, r.log.slice(-2000));
      pg?.move(days);
      await r.serve(days);
      await r.restart(days); // what did not run while the time was in doubt runs at a start
    };
    const u = await r.user('evidence@acme.example', { displayName: 'Evidence' }), other = await r.user('other@acme.example');
    const created = (await r.events(`resources/resourceId eq '${u.id}'`))[0];
    const h = await hold(r, 'Long inquiry', 200);
    await r.post(`${HOLDS}/${h.id}/members`, { userId: u.id });
    assert.equal((await r.all(`${HOLDS}/${h.id}/evidence`)).length, 0);

    await travel(367);
    await until('the alarm', async () => (await r.events("activityType eq 'alarm LegalHold'")).length === 1);
    assert.ok((await r.get(`${HOLDS}/${h.id}`)).reviewAlarmDateTime);
    await r.ok('PATCH', `${HOLDS}/${h.id}`, { body: { reviewDateTime: inDays(500) } });
    assert.equal((await r.get(`${HOLDS}/${h.id}`)).reviewAlarmDateTime, null);
    await until('the log lets its first events go', async () => (await r.events(`resources/resourceId eq '${other.id}'`)).length === 0, { seconds: 60 });
    assert.equal((await r.events(`resources/resourceId eq '${u.id}'`)).filter(e => e.id === created.id).length, 0, 'also the held ones');
    const kept = await r.all(`${HOLDS}/${h.id}/evidence`), mine = kept.find(e => e.auditEventId === created.id);
    assert.ok(mine, 'but copied before');
    assert.deepEqual(mine.event, JSON.parse(JSON.stringify(created)));
    assert.ok(!kept.some(e => JSON.stringify(e.event).includes('other@acme.example')), 'nobody else\'s');
    assert.ok(Number.isInteger(mine.logIndex) && Buffer.from(mine.salt, 'base64').length === 32);
    const commitment = crypto.createHmac('sha256', Buffer.from(mine.salt, 'base64')).update('reeve/audit-event/v1\n').update(Buffer.from(mine.bytes, 'base64')).digest();
    assert.equal(commitment.length, 32);
    if (!pg) assert.ok(!r.sql('SELECT * FROM legal_hold_evidence').includes('evidence@acme'), 'sealed');
    await r.post(`${HOLDS}/${h.id}/release`, { reason: 'over' });

    await travel(398);
    await until('hold and evidence are gone', async () => (await r.api('GET', `${HOLDS}/${h.id}`)).status === 404, { seconds: 60 });
    if (!pg) assert.equal(JSON.parse(r.sql('SELECT count(*) AS n FROM legal_hold_evidence'))[0].n, 0);
    assert.equal((await r.events("activityType eq 'expire LegalHold'")).length, 1);
    await r.remove();
  } finally {
    for (const x of [...Reeve.all]) if (!x.kept) await x.stop('SIGKILL').catch(() => {});
    pg?.remove();
  }
});
