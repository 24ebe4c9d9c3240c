// SPDX-License-Identifier: Apache-2.0
// The brakes of an erasure: a window in which it is undone, a burst that waits for a second person, alarms of what is late, a clock that jumps.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { FAKETIME, MovedPostgres, Reeve, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const GONE = ['deleted', 'scrubbed', 'copies_gone'];
const duties = (r, id) => r.all(`${DM}/erasureDuties?$filter=subjectId%20eq%20'${id}'&$orderby=requestedDateTime`);
const duty = async (r, id) => (await duties(r, id)).find(d => d.state !== 'cancelled' && d.state !== 'scheduled');
const forGood = async (r, id, o) => { await r.ok('DELETE', `/v1.0/users/${id}`, o); await r.ok('DELETE', `/v1.0/directory/deletedItems/${id}`, o); };
const reaches = (r, id, states, seconds = 60) => until(`the duty is ${states}`, async () => { const d = await r.get(`${DM}/erasureDuties/${id}`); return states.includes(d.state) && d; }, { seconds });
async function application(r, displayName, more = {}) {
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Administrator').id;
  const app = await r.post('/v1.0/applications', { displayName, roleDefinitionId: role, ...more });
  return { id: app.id, token: await r.signIn(r.tenant, app.id, (await r.post(`/v1.0/applications/${app.id}/addPassword`, {})).secretText) };
}
const metric = async (r, name) => Number((await r.api('GET', '/metrics', { token: r.operatorToken })).text.match(new RegExp(`^${name} (\\d+)$`, 'm'))[1]);

testOnEngines('74 undo: what a provisioning client deletes for good comes back within a day; what a person confirmed does not', async engine => {
  const r = await one(engine), client = await application(r, 'Provisioning');
  await r.ok('PATCH', `/v1.0/applications/${client.id}`, { body: { isProvisioningClient: true } });
  assert.equal((await r.get(`/v1.0/applications/${client.id}`)).isProvisioningClient, true);
  const u = await r.user('undo@acme.example', { city: 'Bern' }), d = await r.device('undo@acme.example', 'personal');
  d.sync();
  await forGood(r, u.id, client);
  const held = await duty(r, u.id);
  assert.ok(Math.abs(Date.parse(held.undoUntilDateTime) - Date.now() - 86400e3) < 60000, held.undoUntilDateTime);
  assert.equal(held.requestedBy, client.id);
  const waits = await reaches(r, held.id, ['suppressed']);
  assert.equal(waits.dueDateTime, held.undoUntilDateTime);
  await r.refused(404, 'GET', `/v1.0/directory/deletedItems/${u.id}`);
  assert.ok((await r.managed(d.id)).managementState === 'managed', 'its device is not told yet');
  const table = r.cli('erase', 'list');
  assert.match(table.out, /suppressed/, table.err);

  const undone = r.cli('erase', 'cancel', held.id);
  assert.equal(undone.code, 0, undone.err);
  assert.equal((await r.get(`${DM}/erasureDuties/${held.id}`)).state, 'cancelled');
  const again = (await duties(r, u.id)).find(x => x.state === 'scheduled'), deleted = await r.get(`/v1.0/directory/deletedItems/${u.id}`);
  assert.equal(again.trigger, 'softDelete');
  assert.ok(Math.abs(Date.parse(again.dueDateTime) - Date.parse(deleted.deletedDateTime) - 30 * 86400e3) < 1000, 'the clock of the deletion goes on');
  await r.refused(409, 'POST', `${DM}/erasureDuties/${held.id}/cancel`);
  await r.ok('POST', `/v1.0/directory/deletedItems/${u.id}/restore`);
  d.sync();
  assert.equal((await r.get(`/v1.0/users/${u.id}?$select=city`)).city, 'Bern', 'as before');

  // confirmed by another, it goes at once; and the client's own word is not another's
  await forGood(r, u.id, client);
  const second = await duty(r, u.id);
  await r.refused(403, 'POST', `${DM}/erasureDuties/${second.id}/confirm`, client);
  await r.ok('POST', `${DM}/erasureDuties/${second.id}/confirm`);
  await reaches(r, second.id, GONE);
  await r.refused(409, 'POST', `${DM}/erasureDuties/${second.id}/cancel`);
  // a person's own is not undone
  const p = await r.user('final@acme.example');
  await forGood(r, p.id);
  const own = await duty(r, p.id);
  assert.equal(own.undoUntilDateTime, null);
  await r.refused(409, 'POST', `${DM}/erasureDuties/${own.id}/cancel`);
});

testOnEngines('74 burst: more people than a tenant expects from one source wait for a second person, loudly', async engine => {
  const r = await one(engine), source = await application(r, `Bulk ${engine}`), people = [];
  for (let i = 0; i < 14; i++) people.push((await r.user(`burst${i}@acme.example`)).id);
  for (const id of people) await r.ok('DELETE', `/v1.0/users/${id}`, source);
  await Promise.all(people.map(id => r.ok('DELETE', `/v1.0/directory/deletedItems/${id}`, source)));
  const held = await until('what is left of them waits', async () => {
    const l = (await r.all(`${DM}/erasureDuties?$filter=requestedBy%20eq%20'${source.id}'`)).filter(d => d.trigger === 'permanentDelete');
    return l.length >= 4 && l.every(d => d.state === 'held' || GONE.includes(d.state)) && l.filter(d => d.state === 'held');
  });
  assert.ok(held.length >= 4, `${held.length} of 14`);
  assert.ok(held.every(d => d.waitsFor === 'burst'));
  assert.equal(held.filter(d => d.alarm === 'burst').length, 1, 'said once');
  assert.equal((await r.events("activityType eq 'alarm ErasureDuty'")).filter(e => JSON.stringify(e).includes('burst')).length, 1);
  assert.ok(await metric(r, 'reeve_duties_held') >= held.length);
  // one more of this source waits, too; of another it does not
  const late = (await r.user('burst.late@acme.example')).id, other = (await r.user('burst.other@acme.example')).id;
  await forGood(r, late, source);
  await forGood(r, other);
  await reaches(r, (await duty(r, other)).id, GONE);
  await reaches(r, (await duty(r, late)).id, ['held']);

  await r.refused(403, 'POST', `${DM}/erasureDuties/${held[0].id}/confirm`, source);
  await r.refused(403, 'POST', `${DM}/erasureDuties/confirmBurst`, { ...source, body: { requestedBy: source.id } });
  await r.refused(400, 'POST', `${DM}/erasureDuties/confirmBurst`, { body: { requestedBy: 'x' } });
  await r.refused(404, 'POST', `${DM}/erasureDuties/confirmBurst`, { body: { requestedBy: held[0].id } });
  await r.ok('POST', `${DM}/erasureDuties/${held[0].id}/cancel`); // an accident
  assert.ok((await r.get(`/v1.0/directory/deletedItems/${held[0].subjectId}`)).id);
  const let_ = await r.post(`${DM}/erasureDuties/confirmBurst`, { requestedBy: source.id });
  assert.equal(let_.confirmed, held.length); // one was cancelled, one came late
  for (const d of held.slice(1)) await reaches(r, d.id, GONE);
  assert.ok((await r.get(`${DM}/erasureDuties/${held[1].id}`)).confirmedBy);
});

test('74 settings that cannot keep the promise beside the keys of backups are refused where they are set and at the start', async () => {
  const r = await Reeve.make(), set = days => r.api('PATCH', `${DM}/tenantSettings`, { body: { deviceGraceDays: days } });
  assert.equal((await set(21)).status, 204, 'no backups, no keys');
  await r.stop();
  fs.mkdirSync(path.join(r.tmp, 'copies'));
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `backup_dir = ${path.join(r.tmp, 'copies')}\nbackup_days = 14\n`);
  await r.serve(0, { ready: false });
  assert.notEqual((await r.ended).code, 0);
  assert.match(r.log, /deviceGraceDays = 21 cannot keep the promise/);
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), 'backup_days = 1\n');
  fs.writeFileSync(path.join(r.dir, 'reeve.conf'), fs.readFileSync(path.join(r.dir, 'reeve.conf'), 'utf8').replace('backup_days = 14\n', ''));
  await r.serve();
  assert.equal((await set(14)).status, 204);
  await r.restart();
  await r.stop();
  fs.writeFileSync(path.join(r.dir, 'reeve.conf'), fs.readFileSync(path.join(r.dir, 'reeve.conf'), 'utf8').replace('backup_days = 1\n', 'backup_days = 14\n'));
  await r.serve();
  const refused = await set(15);
  assert.equal(refused.status, 400);
  assert.match(refused.text, /promise/);
  assert.equal((await set(7)).status, 204);
  await r.remove();
});

async function late(engine) {
  const pg = engine === 'postgres' ? new MovedPostgres() : null;
  pg?.move(0);
  const r = await Reeve.make({ engine, database: pg?.database('late') });
  if (pg) r.pg = { name: 'late', host: pg.host };
  const go = async (days, more) => { await r.stop(); pg?.move(days); await r.serve(days, more); };
  const alarms = async id => (await r.events("activityType eq 'alarm ErasureDuty'")).filter(e => e.resources[0].resourceId === id).length;
  try {
    const a = await r.user('late@acme.example'), b = await r.user('soft@acme.example', { city: 'JUMPCITY' });
    await r.ok('POST', `/v1.0/users/${a.id}/restrictProcessing`);
    await forGood(r, a.id);
    await r.ok('DELETE', `/v1.0/users/${b.id}`);
    const held = await until('it waits', async () => { const d = await duty(r, a.id); return d?.state === 'held' && d; });
    assert.deepEqual([held.waitsFor, held.alarm], ['restriction', null]);
    const days = x => (Date.parse(x) - Date.parse(held.requestedDateTime)) / 86400e3, active = days(held.deadlineDateTime);
    assert.equal(Math.round(days(held.copiesDeadlineDateTime)), 30);
    assert.ok(active < 30, `${active} days for the active data`);
    for (const [share, name, n] of [[0.5, 'activeHalf', 1], [0.8, 'activeFourFifths', 2], [1, 'activeOverdue', 3]]) {
      await go(Math.ceil(active * share) + 0);
      const d = await until(`the alarm ${name}`, async () => { const x = await r.get(`${DM}/erasureDuties/${held.id}`); return x.alarm === name && x; });
      assert.ok(d.alarmDateTime);
      assert.equal(await alarms(held.id), n);
      assert.match(r.log, new RegExp(`erasure_alarm alarm=${name} duty=${held.id}`));
    }
    assert.equal(await metric(r, 'reeve_duties_overdue'), 1);
    assert.match(r.cli('erase', 'list').out, /activeOverdue/);
    await r.restart();
    assert.equal(await alarms(held.id), 3, 'each once');

    // a jump forward destroys nothing until somebody has confirmed the time
    await go(60, { doubt: true });
    await until('the doubt is told', async () => await metric(r, 'reeve_clock_in_doubt') === 1);
    assert.equal((await r.get('/v1.0/installation/clock', { token: r.operatorToken })).inDoubt, true);
    await new Promise(f => { setTimeout(f, 3000); });
    assert.ok(['JUMPCITY'].every(m => r.sql('SELECT city FROM users').includes(m)), 'day 30 of the deletion is over, and nothing is gone');
    assert.equal((await r.events("activityType eq 'doubt Clock'", { token: r.operatorToken })).length, 4, 'as the three before');
    await r.restart();
    assert.equal(await metric(r, 'reeve_clock_in_doubt'), 1, 'a restart confirms nothing');
    // set back to where it was: in doubt still, and nothing is lost; then an operator's word
    await go(30, { doubt: true });
    assert.equal((await r.get(`/v1.0/directory/deletedItems/${b.id}`).catch(() => ({}))).id ?? b.id, b.id);
    await go(60, { doubt: true });
    await r.refused(403, 'POST', '/v1.0/installation/clock/confirm');
    const said = r.cli('tenant', 'confirm-clock');
    assert.equal(said.code, 0, said.err);
    await until('then it goes', () => !r.sql('SELECT city FROM users').includes('JUMPCITY'), { seconds: 60 });
    await r.refused(409, 'POST', '/v1.0/installation/clock/confirm', { token: r.operatorToken });
    // settings that cannot keep the promise
    await r.refused(400, 'PATCH', `${DM}/tenantSettings`, { body: { eraseUndoHours: 169 } });
  } finally { await r.remove(); pg?.remove(); }
}
if (FAKETIME) testOnEngines('74 alarms at half, four fifths and the end; a clock that jumped destroys nothing', late);
