// SPDX-License-Identifier: Apache-2.0
// Directories that provision this one: their clients' tokens, and the life of a person as Entra and Okta tell it, up to the certificate.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, Reeve, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const DAY = 86400e3, SCIM = '/scim/v2';
const vectors = name => JSON.parse(fs.readFileSync(path.join(ROOT, `tests/vectors/scim/${name}.json`), 'utf8'));
const fill = (x, names) => JSON.parse(JSON.stringify(x).replace(/\{(\w+)\}/g, (all, n) => names[n] ?? all));

async function client(r, displayName) {
  const c = await r.post('/v1.0/applications', { displayName, isProvisioningClient: true });
  return { ...(await r.post(`/v1.0/applications/${c.id}/addProvisioningToken`, { provisioningToken: { displayName: 'first' } })), id: c.id };
}

// Whether the answer holds what the vector expects: members of an expected object, elements of an expected list in their order.
function holds(what, got, want) {
  if (Array.isArray(want)) {
    assert.equal(got?.length, want.length, `${what}: ${JSON.stringify(got)}`);
    want.forEach((w, i) => holds(`${what}[${i}]`, got[i], w));
  } else if (want !== null && typeof want === 'object') {
    for (const [k, w] of Object.entries(want)) holds(`${what}.${k}`, got?.[k], w);
  } else assert.equal(got, want, what);
}

// Replays steps of a provider as it sends them; what they save are names for the next.
async function replay(r, provider, part, names) {
  for (const s of fill(provider[part], names).map((_, i) => () => fill(provider[part][i], names))) {
    const step = s(), what = `${provider.provider}, ${step.name}`;
    const a = await r.api(step.method, SCIM + step.path, { token: null, body: step.body,
      headers: { Authorization: fill(provider.authorization, names), ...(step.body && { 'Content-Type': provider.contentType }) } });
    assert.equal(a.status, step.status, `${what}: ${a.text.slice(0, 500)}`);
    if (step.expect) holds(what, a.json, step.expect);
    for (const n of step.absent ?? []) assert.ok(!(n in a.json), `${what}: ${n}`);
    for (const [name, member] of Object.entries(step.save ?? {})) names[name] = a.json[member];
  }
}

testOnEngines('18 tokens of a provisioning client: shown once, several at once, nothing but SCIM, gone when revoked', async engine => {
  const r = await one(engine), c = await client(r, 'Entra');
  assert.match(c.secretText, /^reeve_scim_[\w-]{43}$/);
  assert.ok(Math.abs(Date.parse(c.endDateTime) - Date.now() - 365 * DAY) < 60e3);
  const list = () => r.all(`/v1.0/applications/${c.id}/provisioningTokens`), seen = t => r.api('GET', '/v1.0/users', { token: t });
  const roles = await r.all('/v1.0/roleManagement/directory/roleDefinitions'), app = await r.get(`/v1.0/applications/${c.id}`);
  assert.equal(app.roleDefinitionId, roles.find(x => x.displayName === 'Provisioning').id);
  assert.deepEqual([(await list())[0].lastUsedDateTime, app.lastContactDateTime, JSON.stringify(await list()).includes(c.secretText)], [null, null, false]);
  assert.equal((await seen(c.secretText)).status, 403, 'known, and not for Graph');
  const used = await until('its use is noted', async () => (await list())[0].lastUsedDateTime);
  assert.equal((await r.get(`/v1.0/applications/${c.id}`)).lastContactDateTime, used);
  for (const wrong of [c.secretText.slice(0, -1), `${c.secretText.slice(0, -1)}${c.secretText.endsWith('A') ? 'B' : 'A'}`, `reeve_scim_${'A'.repeat(43)}`])
    assert.equal((await seen(wrong)).status, 401, 'another is not');

  // exchanged with an overlap, by the command line
  const file = path.join(r.dir, 'token.json'), end = new Date(Date.now() + 30 * DAY).toISOString();
  fs.writeFileSync(file, JSON.stringify({ provisioningToken: { displayName: 'For a month', endDateTime: end } }));
  const second = r.cli('scim', 'add-token', c.id, '--json', '--file', file);
  assert.equal(second.code, 0, second.err);
  assert.deepEqual([second.json.displayName, Date.parse(second.json.endDateTime)], ['For a month', Date.parse(end)]);
  assert.equal((await seen(second.json.secretText)).status, 403);
  assert.equal(r.cli('scim', 'remove-token', c.id, c.keyId).code, 0);
  assert.deepEqual([(await seen(c.secretText)).status, (await seen(second.json.secretText)).status, (await list()).length], [401, 403, 1]);
  assert.match(r.cli('scim', 'list').out, new RegExp(c.id));
  await r.refused(404, 'POST', `/v1.0/applications/${c.id}/removeProvisioningToken`, { body: { keyId: c.keyId } });
  for (const end of ['2020-01-01T00:00:00Z', '2099-01-01T00:00:00Z', 'soon'])
    await r.refused(400, 'POST', `/v1.0/applications/${c.id}/addProvisioningToken`, { body: { provisioningToken: { endDateTime: end } } });
  // an application that is none gets none; a disabled or deleted one's are nobody's
  const plain = await r.post('/v1.0/applications', { displayName: 'Plain', roleDefinitionId: app.roleDefinitionId });
  await r.refused(409, 'POST', `/v1.0/applications/${plain.id}/addProvisioningToken`, { body: {} });
  await r.ok('PATCH', `/v1.0/applications/${c.id}`, { body: { accountEnabled: false } });
  assert.equal((await seen(second.json.secretText)).status, 401);
  await r.ok('PATCH', `/v1.0/applications/${c.id}`, { body: { accountEnabled: true } });
  assert.equal((await seen(second.json.secretText)).status, 403);
  await r.ok('DELETE', `/v1.0/applications/${c.id}`);
  assert.equal((await seen(second.json.secretText)).status, 401);
  for (const a of ['addProvisioningToken Application', 'removeProvisioningToken Application', 'signIn Application'])
    assert.ok((await r.events(`activityType eq '${a}'`)).length > 0, a);
  assert.ok(!JSON.stringify(await r.events()).includes(c.secretText.slice(15)));
  assert.ok(!r.log.includes(c.secretText.slice(15)));
});

const state = (r, id) => r.get(`/v1.0/users/${id}?$select=accountEnabled,disabledDateTime,erasureDueDateTime`);
const duties = (r, id) => r.all(`${DM}/erasureDuties?$filter=subjectId%20eq%20'${id}'`);
const certified = (r, id) => until('it is certified', async () => (await r.all(`${DM}/erasureCertificates`)).some(c => c.dutyId === id), { seconds: 60 });

testOnEngines('18 Entra: created, changed, disabled, restored, deleted, certified; hired again is somebody new', async engine => {
  const r = await one(engine), entra = { token: (await client(r, 'Entra life')).secretText }, E = vectors('entra');
  await replay(r, E, 'life', entra);
  const before = await state(r, entra.user);
  assert.deepEqual([before.accountEnabled, before.erasureDueDateTime], [false, null]);
  assert.ok(Math.abs(Date.parse(before.disabledDateTime) - Date.now()) < 60e3);
  const d = await r.device('boss@acme.example', 'personal');
  await replay(r, E, 'end', entra);
  const duty = (await duties(r, entra.user)).find(x => x.state !== 'cancelled');
  assert.equal(duty.trigger, 'permanentDelete');
  assert.ok(Math.abs(Date.parse(duty.undoUntilDateTime) - Date.now() - DAY) < 120e3, 'a day to undo it');
  await replay(r, E, 'again', entra);
  assert.notEqual(entra.again, entra.user, 'a new person');
  await r.ok('POST', `${DM}/erasureDuties/${duty.id}/confirm`);
  await certified(r, duty.id);
  await r.refused(404, 'GET', `/v1.0/users/${entra.user}`);
  assert.equal((await r.get(`/v1.0/users/${entra.again}`)).userPrincipalName, 'ana@acme.example');
  assert.equal((await r.managed(d.id)).userPrincipalName, 'boss@acme.example', 'nobody else is touched');
  const log = JSON.stringify(await r.events("activityType eq 'patch User'"));
  assert.match(log, /"displayName":"accountEnabled","oldValue":"true","newValue":"false"/, 'old and new values');
  assert.ok(!r.log.includes('ana@acme'), 'no name in the log');
});

testOnEngines('18 Okta never deletes: who was deactivated is announced, and enabling calls it off', async engine => {
  const r = await one(engine), c = await client(r, 'Okta'), okta = { token: c.secretText }, O = vectors('okta');
  await replay(r, O, 'life', okta);
  const byHand = await r.user('hand@acme.example'), held = await r.user('restricted@acme.example');
  await r.ok('PATCH', `/v1.0/users/${byHand.id}`, { body: { accountEnabled: false } });
  await r.ok('POST', `/v1.0/users/${held.id}/restrictProcessing`);
  const off = u => r.api('PATCH', `${SCIM}/Users/${u.id}`, { token: c.secretText, headers: { 'Content-Type': 'application/scim+json' },
    body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'replace', value: { active: false } }] } });
  assert.equal((await off(held)).status, 200, 'a restriction of processing keeps nobody in');
  assert.equal((await state(r, held.id)).accountEnabled, false);
  // one whom a person disabled first: the directory's word counts from when it says so
  const both = await r.user('both@acme.example');
  await r.ok('PATCH', `/v1.0/users/${both.id}`, { body: { accountEnabled: false } });
  assert.deepEqual([(await off(both)).status, (await off(both)).status], [200, 200]);
  const says = (await r.events(`activityType eq 'patch User' and resources/any(x:x/resourceId eq '${both.id}')`)).map(e => e.resources[0].modifiedProperties.map(p => p.displayName).join());
  assert.deepEqual(says, ['isDisabledByProvisioning', 'accountEnabled'], 'once');
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { deactivatedEraseDays: 5, deactivatedNoticeDays: 5 } });
  await r.restart(); // the job looks once an hour, and at the start
  const told = await until('it is announced', async () => { const u = await state(r, okta.user); return u.erasureDueDateTime && u; });
  assert.ok(Math.abs(Date.parse(told.erasureDueDateTime) - Date.now() - 5 * DAY) < 120e3, told.erasureDueDateTime);
  assert.ok((await state(r, okta.second)).erasureDueDateTime);
  assert.equal((await state(r, byHand.id)).erasureDueDateTime, null, 'what a person disabled is no retention\'s business');
  assert.ok((await state(r, both.id)).erasureDueDateTime);
  assert.equal((await r.events("activityType eq 'announceErasure User'")).length, 4);
  assert.match(r.cli('scim', 'announced').out, /ola@acme/);
  await replay(r, O, 'back', okta);
  assert.deepEqual(await state(r, okta.second).then(u => [u.accountEnabled, u.disabledDateTime, u.erasureDueDateTime]), [true, null, null], 'enabled again: called off');
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { deactivatedEraseDays: 0 } });
  await r.restart();
  await until('and by the setting', async () => (await state(r, okta.user)).erasureDueDateTime === null);
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { deactivatedEraseDays: 180, deactivatedNoticeDays: 14 } });
});

test('18 Okta: 14 days before day 180 it is said aloud, and then they go; a directory that falls silent, too', async () => {
  const r = await Reeve.make(), c = await client(r, 'Okta'), okta = { token: c.secretText }, O = vectors('okta');
  await replay(r, O, 'life', okta);
  const hook = await r.post(`${DM}/recipients`, { displayName: 'Ops', kind: 'mail', target: 'ops@acme.example', receivesAlarms: true });
  const travel = async days => { await r.stop(); await r.serve(days); await r.restart(); }; // once more: jobs look at the start, and not while the clock is in doubt
  await travel(167);
  const told = await until('it is announced', async () => { const u = await state(r, okta.user); return u.erasureDueDateTime && u; });
  assert.equal(Math.round((Date.parse(told.erasureDueDateTime) - Date.parse(told.disabledDateTime)) / DAY), 181, 'never sooner than announced');
  const notices = await until('notices', async () => { const l = (await r.all(`${DM}/notices`)).filter(n => n.recipientId === hook.id); return l.length >= 2 && l; });
  assert.deepEqual(notices.map(n => n.what).sort(), ['provisioning.deactivated', 'provisioning.silent']);
  assert.ok((await r.get(`/v1.0/applications/${c.id}`)).silentDateTime);
  await replay(r, O, 'back', okta);
  assert.equal((await r.get(`/v1.0/applications/${c.id}`)).silentDateTime, null, 'heard of again');
  await travel(182);
  const left = await until('the leaver goes', async () => (await r.all(`${DM}/erasureDuties`)).find(d => d.trigger === 'deactivated'));
  await certified(r, left.id);
  await replay(r, O, 'gone', okta);
  assert.equal((await state(r, okta.second)).accountEnabled, true);
});
