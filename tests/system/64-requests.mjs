// SPDX-License-Identifier: Apache-2.0
// Data-subject requests over the API and the command line: the whole life of each of the six types, what is refused, who sees what, two tenants.
import assert from 'node:assert/strict';
import { shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const Q = `${DM}/dataSubjectRequests`;
const CONTACT = 'outside@former.example', STATEMENT = 'Please tell me\nwhat you hold.';
const WHY = { reasonCode: 'unfounded', legalGround: 'GDPR Art. 12(5)' };

const open = (r, body, o) => r.post(Q, body, o);
const step = (r, id, name, body = {}, o) => r.post(`${Q}/${id}/${name}`, body, o);
async function ready(r, body, o) {
  const q = await open(r, body, o);
  await step(r, q.id, 'verify', { method: 'document' }, o);
  return step(r, q.id, 'discover', {}, o);
}
const said = async (r, id, o) => (await r.events(`resources/resourceId eq '${id}'`, o)).reverse().map(e => e.activityType.replace(' DataSubjectRequest', '') + (e.activityResult === 'Success' ? '' : '!'));
const sealedFree = (r, ...texts) => {
  const rows = r.sql(r.engine === 'sqlite' ? 'SELECT quote(contact) c, quote(statement) s FROM data_subject_requests' : "SELECT encode(contact, 'escape'), encode(statement, 'escape') FROM data_subject_requests");
  for (const t of texts) assert.ok(!rows.includes(t) && !rows.includes(Buffer.from(t).toString('hex').toUpperCase()), `${t} is sealed`);
};

testOnEngines('64 an access request from its receipt to its closing; its clock; who sees what', async engine => {
  const r = await one(engine), u = await r.user('asks@acme.example', { city: 'REQCITY' });
  const received = new Date(Date.now() - 3 * 86400e3).toISOString();
  const made = await r.api('POST', Q, { body: { type: 'access', channel: 'letter', contact: CONTACT, statement: STATEMENT, receivedDateTime: received, onBehalf: true } });
  assert.equal(made.status, 201, made.text);
  const q = made.json, at = `${Q}/${q.id}`;
  assert.ok(made.headers.location.endsWith(`/deviceManagement/dataSubjectRequests/${q.id}`));
  assert.deepEqual([q.state, q.regime, q.isOverdue, q.alarmPercent, q.userId, q.onBehalf, q.contact, q.statement], ['received', 'gdpr', false, 0, null, true, CONTACT, STATEMENT]);
  assert.ok(q.percentElapsed >= 9 && q.percentElapsed <= 11, `${q.percentElapsed}`);
  assert.match(q.dueDateTime, /T23:59:59Z$/);
  sealedFree(r, CONTACT, 'Please tell me');
  // whom, who, what
  for (const bad of [{}, { userId: u.id, userPrincipalName: u.userPrincipalName }, { nobody: 1 }]) await r.refused(400, 'POST', `${at}/setSubject`, { body: bad });
  await r.refused(404, 'POST', `${at}/setSubject`, { body: { userPrincipalName: 'nobody@acme.example' } });
  await r.refused(409, 'POST', `${at}/discover`, { body: {} });
  await r.refused(409, 'POST', `${at}/decide`, { body: { decision: 'grant' } });
  await r.refused(409, 'POST', `${at}/close`, { body: {} });
  assert.equal((await step(r, q.id, 'setSubject', { userPrincipalName: 'asks@acme.example' })).userId, u.id);
  await r.refused(400, 'POST', `${at}/verify`, { body: { method: 'guess' } });
  assert.equal((await step(r, q.id, 'verify', { method: 'callBack' })).identityMethod, 'callBack');
  const found = (await step(r, q.id, 'discover')).found;
  assert.equal(found.account, 1);
  assert.equal(found.requests, 1);
  assert.ok(Object.values(found).every(n => Number.isInteger(n)) && !JSON.stringify(found).includes('REQCITY'));
  // more time, with its reason, once
  for (const bad of [{}, { reason: '' }, { reason: 7 }]) await r.refused(400, 'POST', `${at}/extend`, { body: bad });
  const longer = await step(r, q.id, 'extend', { reason: 'Three sites hold data.' });
  assert.equal(longer.firstDueDateTime, q.dueDateTime);
  assert.ok(Date.parse(longer.dueDateTime) - Date.parse(q.dueDateTime) > 58 * 86400e3);
  await r.refused(409, 'POST', `${at}/extend`, { body: { reason: 'Again.' } });
  // the decision makes the export; the download of the export is the delivery
  for (const bad of [{}, { decision: 'perhaps' }, { decision: 'refused' }, { decision: 'redacted', reasonCode: 'third_party' }, { decision: 'grant', ...WHY }, { decision: 'withheld', reasonCode: 'security_secret', legalGround: 'x' }])
    await r.refused(400, 'POST', `${at}/decide`, { body: bad });
  const decided = await step(r, q.id, 'decide', { decision: 'redacted', reasonCode: 'third_party', legalGround: 'GDPR Art. 15(4)' });
  assert.deepEqual([decided.state, decided.decision, decided.reasonCode], ['decided', 'redacted', 'third_party']);
  const content = `/v1.0/dataPolicyOperations/${decided.dataPolicyOperationId}`;
  await until('the export', async () => (await r.get(content)).status === 'complete');
  assert.equal((await r.api('GET', `${content}/content`)).status, 200);
  let now = await r.get(at);
  if (now.state === 'decided') now = await step(r, q.id, 'deliver');
  assert.deepEqual([now.state, typeof now.deliveredSha256], ['delivered', 'string']);
  await r.refused(409, 'POST', `${at}/decide`, { body: { decision: 'refused', ...WHY } });
  const closed = await step(r, q.id, 'close', { outcome: 'Handed over by post.' });
  assert.deepEqual([closed.state, closed.contact, closed.statement, closed.outcome], ['closed', null, null, 'Handed over by post.']);
  const kept = new Date(closed.closedDateTime);
  assert.equal(new Date(closed.expirationDateTime).getUTCFullYear(), kept.getUTCFullYear() + 2);
  await r.refused(409, 'PATCH', at, { body: { onBehalf: false } });
  assert.deepEqual((await said(r, q.id)).filter(x => !x.endsWith('!')), ['create', 'setSubject', 'verify', 'discover', 'extend', 'decide', 'deliver', 'close']);
  assert.ok(!/outside@former|Please tell|Three sites|by post/.test(JSON.stringify(await r.events(`resources/resourceId eq '${q.id}'`))));
});

testOnEngines('64 each of the other types does what it says', async engine => {
  const r = await one(engine);
  const who = async name => (await r.user(`${name}@acme.example`, { city: `${name}CITY` })).id;
  // portability
  const p = await ready(r, { type: 'portability', userId: await who('carries') }), port = await step(r, p.id, 'decide', { decision: 'grant' });
  await until('the export', async () => (await r.get(`/v1.0/dataPolicyOperations/${port.dataPolicyOperationId}`)).status === 'complete');
  assert.equal((await step(r, p.id, 'deliver')).state, 'delivered');
  // rectification: says where
  const x = await ready(r, { type: 'rectification', userId: await who('corrects') });
  const why = await r.refused(400, 'POST', `${Q}/${x.id}/decide`, { body: { decision: 'grant' } });
  assert.match(why.message, /on the device.*in the directory/);
  assert.equal((await step(r, x.id, 'decide', { decision: 'grant', outcome: 'The city is corrected in the directory.' })).state, 'decided');
  await r.refused(409, 'POST', `${Q}/${x.id}/deliver`, { body: {} });
  assert.equal((await step(r, x.id, 'close')).outcome, 'The city is corrected in the directory.');
  // objection, refused at once
  const o = await open(r, { type: 'objection', userId: await who('objects') }), no = await step(r, o.id, 'decide', { decision: 'refused', ...WHY });
  assert.deepEqual([no.state, no.reasonCode, no.legalGround], ['closed', 'unfounded', WHY.legalGround]);
  assert.deepEqual(await said(r, o.id), ['create', 'decide', 'close']);
  // restriction
  const rid = await who('restricts'), s = await ready(r, { type: 'restriction', userId: rid });
  assert.equal((await step(r, s.id, 'decide', { decision: 'grant' })).state, 'delivered');
  assert.equal((await r.events(`activityType eq 'restrict User' and resources/resourceId eq '${rid}'`)).length, 1);
  // erasure of a visible and of a soft-deleted person: both clocks show, and the case moves on when it is done
  const gone = await who('goes'), soft = await who('went');
  await r.ok('DELETE', `/v1.0/users/${soft}`);
  const waits = await open(r, { type: 'erasure', userId: soft });
  assert.ok(waits.erasureDeadlineDateTime > waits.dueDateTime, 'the soft deletion has its own clock');
  // who is soft-deleted is still served
  const last = await ready(r, { type: 'access', userId: soft }), copy = await step(r, last.id, 'decide', { decision: 'grant' });
  await until('the export', async () => (await r.get(`/v1.0/dataPolicyOperations/${copy.dataPolicyOperationId}`)).status === 'complete');
  assert.equal((await step(r, last.id, 'deliver')).state, 'delivered');
  const decided = [];
  for (const id of [gone, soft]) {
    const e = await ready(r, { type: 'erasure', userId: id });
    for (const decision of ['redacted', 'withheld']) await r.refused(400, 'POST', `${Q}/${e.id}/decide`, { body: { decision, ...WHY } }); // not a deletion in disguise
    const d = await step(r, e.id, 'decide', { decision: 'grant' });
    assert.equal(d.state, 'decided');
    assert.ok(Date.parse(d.erasureDeadlineDateTime) <= Date.now() + 31 * 86400e3);
    await r.refused(404, 'GET', `/v1.0/users/${id}`);
    decided.push(d);
  }
  for (const d of decided) { // after both, for they share a scrub
    await until('the deletion', async () => ['scrubbed', 'copies_gone'].includes((await r.get(`${DM}/erasureDuties/${d.erasureDutyId}`)).state), { seconds: 60 });
    const after = await r.get(`${Q}/${d.id}`);
    assert.deepEqual([after.userId, after.type], [null, 'erasure']);
  }
  assert.equal((await r.get(`${Q}/${waits.id}`)).userId, null, 'another case of the erased person names nobody any more');
});

testOnEngines('64 one request of two tenants with the same name touches one', async engine => {
  const r = await one(engine), second = await r.secondTenant('Requests Ltd'), o = { token: second.token };
  const mine = await r.user('twice@acme.example'), theirs = await r.user('twice@acme.example', {}, o);
  const q = await ready(r, { type: 'erasure', userPrincipalName: 'twice@acme.example' });
  assert.equal(q.userId, mine.id);
  await r.refused(404, 'POST', Q, { body: { type: 'access', userId: theirs.id } });
  for (const name of ['verify', 'discover', 'decide', 'extend', 'deliver', 'close', 'setSubject'])
    assert.equal((await r.api('POST', `${Q}/${q.id}/${name}`, { body: { verify: { method: 'document' }, decide: { decision: 'refused', ...WHY }, extend: { reason: 'x' }, setSubject: { userId: theirs.id } }[name] ?? {}, ...o })).status, 404, name);
  await r.refused(404, 'GET', `${Q}/${q.id}`, o);
  assert.deepEqual((await r.get(Q, o)).value, []);
  await step(r, q.id, 'decide', { decision: 'grant' });
  await until('gone here', async () => (await r.api('GET', `/v1.0/users/${mine.id}`)).status === 404);
  assert.equal((await r.get('/v1.0/users/twice@acme.example', o)).id, theirs.id);
  const access = await ready(r, { type: 'access', userPrincipalName: 'twice@acme.example' }, o);
  assert.equal(access.userId, theirs.id);
  assert.equal((await r.events("activityType eq 'create DataSubjectRequest'", o)).length, 1);
});

test('64 roles, lists, bad bodies, and the command line', async () => {
  const r = await one();
  for (const [bad, status] of [[{}, 400], [{ type: 'wish' }, 400], [{ type: 'access', regime: 'roman' }, 400], [{ type: 'access', channel: 'pigeon' }, 400], [{ type: 'access', receivedDateTime: '2099-01-01T00:00:00Z' }, 400],
    [{ type: 'access', receivedDateTime: '2019-01-01T00:00:00Z' }, 400], [{ type: 'access', contact: 'no address' }, 400], [{ type: 'access', contact: 'a@b.example\nBcc: c@d.example' }, 400], [{ type: 'access', statement: 'x'.repeat(8193) }, 400],
    [{ type: 'access', statement: 'bell\u0007' }, 400], [{ type: 'access', state: 'closed' }, 400], [{ type: 'access', userId: 'nobody' }, 404]])
    await r.refused(status, 'POST', Q, { body: bad });
  const long = 'ä'.repeat(4096), q = await open(r, { type: 'access', statement: long, contact: CONTACT, regime: 'ccpa' });
  assert.equal(q.statement, long);
  assert.match(q.acknowledgeByDateTime, /T23:59:59Z$/);
  assert.equal(q.isAcknowledgementOverdue, false);
  for (const bad of [{ state: 'closed' }, { dueDateTime: '2099-01-01T00:00:00Z' }, { type: 'erasure' }, { contact: 'x' }, { acknowledgedDateTime: null }, { acknowledgedDateTime: '2019-01-01T00:00:00Z' }]) await r.refused(400, 'PATCH', `${Q}/${q.id}`, { body: bad });
  assert.equal((await r.ok('PATCH', `${Q}/${q.id}`, { body: { contact: null, acknowledgedDateTime: new Date().toISOString() } })).contact, null);
  // an auditor reads the case and not what the person wrote
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Auditor').id;
  const a = await r.post('/v1.0/applications', { displayName: 'Reader', roleDefinitionId: role }), s = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
  const reader = { token: await r.signIn(r.tenant, a.id, s.secretText) }, seen = await r.get(`${Q}/${q.id}`, reader);
  assert.equal(seen.type, 'access');
  assert.ok(!('statement' in seen) && !('contact' in seen));
  await r.refused(403, 'POST', `${Q}/${q.id}/verify`, { body: { method: 'document' }, ...reader });
  // lists: what is due first stands first
  const list = await r.get(Q);
  assert.equal(list['@odata.count'], list.value.length);
  assert.deepEqual(list.value.map(x => x.dueDateTime), list.value.map(x => x.dueDateTime).sort());
  assert.equal(Number((await r.api('GET', `${Q}/$count`)).text), list.value.length);
  assert.deepEqual(Object.keys((await r.get(`${Q}?$select=id,isOverdue&$top=1`)).value[0]).sort(), ['id', 'isOverdue']);
  assert.ok((await r.get(`${Q}?$filter=${encodeURIComponent("type eq 'access' and state ne 'closed'")}`)).value.some(x => x.id === q.id));
  // one that is late before it is opened
  const late = await open(r, { type: 'access', receivedDateTime: new Date(Date.now() - 100 * 86400e3).toISOString() });
  assert.equal(late.isOverdue, true);
  assert.ok(late.percentElapsed > 300);
  await r.refused(409, 'POST', `${Q}/${late.id}/extend`, { body: { reason: 'too late' } });
  const metrics = (await r.api('GET', '/metrics', { token: r.operatorToken })).text;
  assert.match(metrics, /^reeve_requests_overdue 1$/m);
  assert.ok(Number(metrics.match(/^reeve_requests_open (\d+)$/m)[1]) >= 2);
  const cli = (...args) => { const x = r.cli('request', ...args); assert.equal(x.code, 0, `${args}: ${x.err}`); return x.out; };
  const lines = cli('list').split('\n');
  assert.match(lines[0], /^1 of \d+ open requests is OVERDUE$/);
  assert.match(lines[1], new RegExp(`^OVERDUE .*access.*${late.id}`));
  assert.ok(lines.some(l => l.includes(q.id)) && !lines.some(l => /closed/.test(l)));
  assert.match(cli('list', '--all'), /closed/);
  await r.user('typed@acme.example');
  const id = cli('open', 'access', 'userPrincipalName=typed@acme.example', 'regime=pipeda').match(/^id\s+(\S+)$/m)[1];
  cli('verify', id, 'knownInPerson');
  assert.match(cli('discover', id), /"account":1/);
  cli('extend', id, 'Two devices.');
  assert.match(cli('decide', id, 'refused', 'reasonCode=unfounded', 'legalGround=PIPEDA s. 8'), /^state\s+closed$/m);
  assert.match(cli('show', id), /^legalGround\s+PIPEDA s. 8$/m);
  assert.equal(r.cli('request', 'close', id).code, 65);
  assert.equal(r.cli('request', 'decide', id).code, 64);
  cli('decide', late.id, 'refused', 'reasonCode=identity', 'legalGround=GDPR Art. 12(6)');
  assert.match(cli('list').split('\n')[0], /^\d+ open requests?, none overdue$/);
});

testOnEngines('64 two officers at once: one decides', async engine => {
  const r = await one(engine);
  for (let i = 0; i < 5; i++) {
    const q = await ready(r, { type: 'objection' });
    const both = await Promise.all(['A', 'B'].map(outcome => r.api('POST', `${Q}/${q.id}/decide`, { body: { decision: 'grant', outcome } })));
    assert.deepEqual(both.map(x => x.status).sort(), [200, 409], both.map(x => x.text).join());
    const won = both.find(x => x.status === 200).json.outcome;
    assert.equal((await r.get(`${Q}/${q.id}`)).outcome, won);
    assert.deepEqual(await said(r, q.id).then(l => l.filter(x => x.startsWith('decide')).sort()), ['decide', 'decide!']);
  }
});
