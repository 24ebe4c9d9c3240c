// SPDX-License-Identifier: Apache-2.0
// Time travel with data-subject requests: alarms at half, four fifths and the end, an extension, what closes by itself, and the end after 24 months.
import assert from 'node:assert/strict';
import { MovedPostgres, Reeve, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const Q = `${DM}/dataSubjectRequests`;

testOnEngines('91 two years of requests: alarms, overdue, extension, closing, expiry', async engine => {
  const pg = engine === 'postgres' ? new MovedPostgres() : null;
  try {
    pg?.move(0);
    const r = await Reeve.make({ engine, database: pg?.database('moved') });
    const travel = async days => {
      const end = await r.stop();
      assert.equal(end.code, 0, r.log.slice(-2000));
      pg?.move(days);
      await r.serve(days);
    };
    const get = id => r.get(`${Q}/${id}`), step = (id, name, body = {}) => r.post(`${Q}/${id}/${name}`, body);
    const alarms = async id => (await r.events(`activityType eq 'alarm DataSubjectRequest' and resources/resourceId eq '${id}'`)).reverse()
      .map(e => Number(e.resources[0].modifiedProperties.find(p => p.displayName === 'alarmPercent').newValue));
    const alarmed = (id, list) => until(`alarms ${list}`, async () => JSON.stringify(await alarms(id)) === JSON.stringify(list), { seconds: 20 });
    const metric = async name => Number((await r.api('GET', '/metrics', { token: r.operatorToken })).text.match(new RegExp(`^${name} (\\d+)$`, 'm'))[1]);

    // day 0
    const u = await r.user('time@acme.example');
    const late = (await r.post(Q, { type: 'access', userId: u.id, contact: 'time@outside.example', statement: 'TIMESTATEMENT' })).id;
    const longer = (await r.post(Q, { type: 'access' })).id, ccpa = (await r.post(Q, { type: 'access', regime: 'ccpa' })).id;
    const done = (await r.post(Q, { type: 'restriction', userId: (await r.user('still@acme.example')).id })).id;
    await step(done, 'verify', { method: 'document' });
    await step(done, 'discover');
    assert.equal((await step(done, 'decide', { decision: 'grant' })).state, 'delivered');
    const erase = (await r.post(Q, { type: 'erasure', userId: (await r.user('goes@acme.example')).id })).id;
    await step(erase, 'verify', { method: 'document' });
    await step(erase, 'discover');
    const duty = (await step(erase, 'decide', { decision: 'grant' })).erasureDutyId;
    await r.refused(409, 'POST', `${Q}/${erase}/close`, { body: {} });
    await until('the deletion', async () => ['scrubbed', 'copies_gone'].includes((await r.get(`${DM}/erasureDuties/${duty}`)).state), { seconds: 60 });
    await r.restart(0);
    await until('what asked for it is done', async () => (await get(erase)).state === 'delivered', { seconds: 20 });
    assert.deepEqual([await metric('reeve_requests_open'), await metric('reeve_requests_overdue')], [3, 0]);

    await travel(13);
    assert.deepEqual(await alarms(late), [], 'before half of it');

    await travel(17);
    await alarmed(late, [50]);
    assert.match(r.log, new RegExp(`level=warn event=request_alarm request=${late} percent=50`));
    const half = await get(late);
    assert.deepEqual([half.alarmPercent, half.isOverdue], [50, false]);
    assert.ok(half.percentElapsed >= 50 && half.percentElapsed < 65, `${half.percentElapsed}`);
    assert.equal((await get(ccpa)).isAcknowledgementOverdue, true, 'ten business days are over');

    await travel(26);
    await alarmed(late, [50, 80]);
    await alarmed(ccpa, [50]);
    await alarmed(longer, [50, 80]);
    const more = await step(longer, 'extend', { reason: 'Much is held.' });
    assert.deepEqual([more.alarmPercent, more.isOverdue], [0, false]);
    assert.ok(more.percentElapsed < 35);

    await travel(32);
    await alarmed(late, [50, 80, 100]);
    assert.match(r.log, new RegExp(`level=error event=request_alarm request=${late} percent=100`));
    const over = await get(late);
    assert.ok(over.isOverdue && over.percentElapsed > 100);
    assert.deepEqual([await metric('reeve_requests_open'), await metric('reeve_requests_overdue')], [3, 1]);
    const lines = r.cli('request', 'list').out.split('\n');
    assert.equal(lines[0], '1 of 3 open requests is OVERDUE');
    assert.match(lines[1], new RegExp(`^OVERDUE .*${late}`));
    await r.refused(409, 'POST', `${Q}/${late}/extend`, { body: { reason: 'Too late.' } });
    for (const id of [done, erase]) await until('what was delivered is closed', async () => (await get(id)).state === 'closed', { seconds: 20 });
    await r.restart(32);
    await alarmed(late, [50, 80, 100]); // each once
    const closed = await step(late, 'decide', { decision: 'refused', reasonCode: 'identity', legalGround: 'GDPR Art. 12(6)' });
    assert.deepEqual([closed.state, closed.isOverdue, closed.contact, closed.statement], ['closed', false, null, null]);
    assert.equal(await metric('reeve_requests_overdue'), 0);

    await travel(94);
    await alarmed(longer, [50, 80, 100]); // of its new clock only the highest: the server was off
    await alarmed(ccpa, [50, 100]);
    assert.equal(await metric('reeve_requests_overdue'), 2);

    await travel(32 + 729);
    assert.equal((await get(late)).state, 'closed', 'kept for 24 months');
    await travel(32 + 734);
    await until('gone after 24 months', async () => (await r.api('GET', `${Q}/${late}`)).status === 404, { seconds: 20 });
    assert.equal((await r.events(`activityType eq 'expire DataSubjectRequest' and resources/resourceId eq '${late}'`)).length, 1);
    assert.equal((await get(longer)).state, 'received', 'what is open stays');
    assert.equal((await get(done)).state, 'closed', 'what is held of a restricted person waits');
    await r.remove();
  } finally {
    for (const x of [...Reeve.all]) if (!x.kept) await x.stop('SIGKILL').catch(() => {});
    pg?.remove();
  }
});
