// SPDX-License-Identifier: Apache-2.0
// Approval by a second person: every profile by the protocol of multi admin approval, who may approve, one execution, what passes, what time does.
import assert from 'node:assert/strict';
import { Reeve, makeRequest, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const POLICIES = '/beta/deviceManagement/operationApprovalPolicies', REQUESTS = '/beta/deviceManagement/operationApprovalRequests';
const RM = '/v1.0/roleManagement/directory', PASSWORD = 'a sentence is a good password';
const why = text => ({ 'x-msft-approval-justification': Buffer.from(text).toString('base64') });
const codeOf = a => a.headers['x-msft-approval-code'];

// A person with a role and a browser's session.
async function person(r, name, role = 'Administrator') {
  const upn = `${name}@acme.example`, u = await r.user(upn), roles = await r.all(`${RM}/roleDefinitions`);
  if (role) await r.post(`${RM}/roleAssignments`, { principalId: u.id, roleDefinitionId: roles.find(x => x.displayName === role).id, directoryScopeId: '/' });
  const set = r.cli('api', 'PUT', `/v1.0/users/${upn}/localAccount`, JSON.stringify({ password: PASSWORD }));
  assert.equal(set.code, 0, set.err);
  const browser = { Origin: r.url }, form = new URLSearchParams({ name: upn, password: PASSWORD, action: 'password' }).toString();
  const entered = await r.api('POST', `/signin/${r.tenant}`, { token: null, raw: form, headers: { ...browser, 'Content-Type': 'application/x-www-form-urlencoded' } });
  assert.equal(entered.status, 303, entered.text);
  const Cookie = entered.headers['set-cookie'].map(c => c.split(';')[0]).find(c => c.startsWith('__Host-reeve='));
  const page = await r.api('GET', '/account', { token: null, headers: { Cookie } });
  const csrf = page.text.match(/name="csrf" value="([^"]+)"/)?.[1];
  assert.ok(csrf, page.text.slice(0, 500));
  const headers = { ...browser, Cookie, 'X-Reeve-CSRF': csrf };
  return { id: u.id, upn, api: (method, where, o = {}) => r.api(method, where, { token: null, ...o, headers: { ...headers, ...o.headers } }) };
}
const program = (r, token = r.token) => ({ api: (method, where, o) => r.api(method, where, { token, ...o }) });

async function enrol(r, upn) {
  const { key, csr } = makeRequest(r.tmp), t = await r.enrollmentToken(upn, 'company');
  const e = await r.channel('enroll', { token: t.token, csr, acceptedTerms: [], device: { deviceName: 'd', manufacturer: 'M', model: 'M', serialNumber: Math.random().toString(36), osName: 'Linux', osVersion: '12' }, provisioning: true });
  assert.equal(e.status, 201, e.text);
  return e.json.deviceId;
}

const one = shared(async r => {
  r.program = program(r);
  [r.ann, r.bob, r.cid] = [await person(r, 'ann'), await person(r, 'bob'), await person(r, 'cid')];
  r.desk = await person(r, 'desk', 'Read Only Operator');
  r.owner = (await r.user('owner@acme.example')).id;
  r.device = () => enrol(r, 'owner@acme.example');
});
const policy = async (r, policyType, more = {}) => (await r.post(POLICIES, { displayName: policyType, policySet: { policyType, policyPlatform: 'notApplicable' }, ...more })).id;
const act = (who, id, action, body = { justification: 'as discussed', approvalSource: 'adminConsole' }) => who.api('POST', `${REQUESTS}/${id}/${action}`, { body });
const status = async (r, id) => (await r.get(`${REQUESTS}?$filter=requestId eq '${id}'`.replaceAll(' ', '%20'))).value[0]?.status;

async function ask(who, method, where, body) {
  const bare = await who.api(method, where, { body });
  assert.equal(bare.status, 403, bare.text);
  assert.equal(bare.json.error.code, 'ApprovalRequired');
  assert.match(bare.json.error.message, /x-msft-approval-justification/);
  assert.equal(codeOf(bare), undefined);
  const asked = await who.api(method, where, { body, headers: why('because it must be: ä') });
  assert.equal(asked.status, 403, asked.text);
  assert.equal(asked.json.error.code, 'ApprovalRequired');
  assert.match(codeOf(asked), /^[0-9a-f-]{36}$/);
  return codeOf(asked);
}
const send = (who, method, where, body, code) => who.api(method, where, { body, headers: { 'x-msft-approval-code': code } });
// Taking a policy away takes what it asks for itself.
async function without(r, id) {
  const code = await ask(r.program, 'DELETE', `${POLICIES}/${id}`);
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  assert.equal((await send(r.program, 'DELETE', `${POLICIES}/${id}`, undefined, code)).status, 204);
}

testOnEngines('16 every profile: asked for, approved by somebody else, carried out once', async engine => {
  const r = await one(engine);
  const gone = await r.user(`gone.${engine}@acme.example`);
  await r.ok('DELETE', `/v1.0/users/${gone.id}`);
  const app = (await r.post('/v1.0/applications', { displayName: 'App' })).id, device = await r.device();
  const cases = [
    ['deviceWipe', 'POST', `${DM}/managedDevices/${await r.device()}/wipe`, {}, 204, 'wipe ManagedDevice'],
    ['deviceRetire', 'POST', `/v1.0/users/${r.owner}/managedDevices/${await r.device()}/retire`, undefined, 204, 'retire ManagedDevice'],
    ['deviceDelete', 'DELETE', `${DM}/managedDevices/${await r.device()}`, undefined, 204, 'Delete ManagedDevice'],
    ['deviceAction', 'POST', '/beta/deviceManagement/managedDevices/executeAction', { actionName: 'syncDevice', deviceIds: [device] }, 200, 'syncDevice ManagedDevice'],
    ['personDelete', 'DELETE', `/v1.0/directory/deletedItems/${gone.id}`, undefined, 204, 'hardDelete User'],
    ['personExport', 'POST', '/v1.0/users/owner@acme.example/exportPersonalData', {}, 202, 'exportPersonalData User'],
    ['auditLogExport', 'POST', `${DM}/auditLog/exports`, { format: 'csv' }, 201, 'export AuditLog'],
    ['role', 'POST', `/v1.0/applications/${app}/addPassword`, { passwordCredential: { displayName: 'k' } }, 200, 'addPassword Application'],
    ['tenantConfiguration', 'PATCH', `${DM}/tenantSettings`, { auditRetentionDays: 400 }, 204, 'patch TenantSettings'],
    ['operationApprovalPolicy', 'POST', POLICIES, { displayName: 'x', policyType: 'personExport' }, 201, 'create OperationApprovalPolicy'],
  ];
  const types = (await r.get(`${POLICIES}/retrieveApprovableOperations`)).value.map(x => x.policyType);
  assert.deepEqual([...cases.map(c => c[0]), 'tenantClosing'].sort(), [...types].sort(), 'every profile has its case');
  for (const [i, [type, method, where, body, expected, activity]] of cases.entries()) {
    const [who, other] = i % 2 ? [r.program, r.bob] : [r.ann, r.cid], id = await policy(r, type);
    const done = async () => (await r.events(`activityType eq '${activity}' and activityResult eq 'Success'`)).length;
    const before = await done(), code = await ask(who, method, where, body);
    const shown = await r.get(`${REQUESTS}/${code}`);
    assert.equal(shown.status, 'needsApproval');
    assert.ok(shown.requiredOperationApprovalPolicyTypes.includes(type), type);
    assert.equal(shown.requestJustification, 'because it must be: ä');
    assert.equal(Object.keys(shown.requestor)[0], i % 2 ? 'application' : 'user');
    assert.equal(Date.parse(shown.expirationDateTime) - Date.parse(shown.requestDateTime), 3 * 86400e3);
    if (i < 2) {
      const early = await send(who, method, where, body, code);
      assert.deepEqual([early.status, early.json.error.code, codeOf(early)], [403, 'ApprovalRequired', code]);
      assert.equal((await act(who, code, 'approve')).status, 403, 'not by oneself');
      assert.equal((await act(r.program, code, 'approve')).status, 403, 'not by a program');
      assert.equal((await act(r.desk, code, 'approve')).status, 403, 'not by somebody who may not do it');
      assert.equal((await who.api(method, where, { body, headers: why('once more') })).status, 409, 'one open request');
    }
    const call = await other.api('GET', `${REQUESTS}/${code}/call`);
    assert.deepEqual([call.json.method, call.json.path, call.json.body], [method, where, body ?? null]);
    assert.equal((await r.desk.api('GET', `${REQUESTS}/${code}/call`)).status, 404);
    assert.equal((await act(other, code, 'approve')).json.value, 'approved');
    if (i < 2) {
      assert.equal((await send(other, method, where, body, code)).status, 403, 'the requester alone');
      assert.equal((await send(who, method, `${where}${where.includes('?') ? '&' : '?'}x=1`, body, code)).status, 403, 'another path');
      if (body) assert.equal((await send(who, method, where, { ...body, more: 1 }, code)).status, 403, 'another body');
    }
    assert.equal(await done(), before, 'nothing has happened');
    const ran = i % 3 ? await send(who, method, where, body, code) : await act(who, code, 'complete', {});
    assert.equal(ran.status, expected, ran.text);
    assert.equal(await done(), before + 1, type);
    assert.equal((await send(who, method, where, body, code)).status, 409, 'an approval counts once');
    assert.equal((await act(who, code, 'complete', {})).status, 409);
    const after = await r.get(`${REQUESTS}/${code}`);
    assert.deepEqual([after.status, after.approvalJustification, after.approver.user.id, after.entityId], ['completed', 'as discussed', other.id, null]);
    const said = (await r.events(`resources/resourceId eq '${code}' and activityResult eq 'Success'`)).map(e => e.activityType.split(' ')[0]).reverse();
    assert.deepEqual(said, ['create', 'approve', 'complete']);
    if (type === 'operationApprovalPolicy') await without(r, ran.json.id);
    await without(r, id);
  }
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { syncSeconds: 7200 } });
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { auditRetentionDays: 365 } });
});

testOnEngines('16 decisions: rejected, taken back, cancelled; functions; a batch; the groups that approve', async engine => {
  const r = await one(engine), group = await r.group('Approvers', [r.bob.id, r.desk.id]);
  await r.refused(400, 'POST', POLICIES, { body: { displayName: 'x', policyType: 'app' } });
  await r.refused(400, 'POST', POLICIES, { body: { displayName: 'x', policySet: { policyType: 'deviceWipe', policyPlatform: 'iOSiPadOS' } } });
  const id = await policy(r, 'deviceWipe', { approverGroupIds: [group.id] }), device = await r.device(), wipe = `${DM}/managedDevices/${device}/wipe`;
  await r.refused(409, 'POST', POLICIES, { body: { displayName: 'x', policyType: 'deviceWipe' } });
  assert.deepEqual((await r.get(POLICIES)).value.find(p => p.id === id).policySet, { policyType: 'deviceWipe', policyPlatform: 'notApplicable' });
  assert.ok((await r.get(`${POLICIES}/retrieveOperationsRequiringApproval`)).value.some(x => x.policyType === 'deviceWipe'));
  assert.deepEqual((await r.get('/v1.0/organization')).value[0].warnings, []);
  for (const bad of ['%%%', '', Buffer.alloc(2000, 'x').toString('base64'), Buffer.from([0xff, 0xfe]).toString('base64')])
    await r.refused(400, 'POST', wipe, { body: {}, headers: { 'x-msft-approval-justification': bad } });
  // whoever is no member may not, whatever else they are; a member may, whatever else they are not
  let code = await ask(r.ann, 'POST', wipe, {});
  assert.equal((await r.get(`${REQUESTS}/${code}`)).entityId, device);
  const locked = await r.post(`${REQUESTS}/retrieveRequestStatus`, { entityId: device, entityType: 'managedDevice' });
  assert.deepEqual([locked.requestId, locked.requestStatus, locked.entityLocked], [code, 'needsApproval', true]);
  assert.equal((await act(r.cid, code, 'approve')).status, 403);
  for (const action of ['cancelApproval', 'complete']) {
    const a = await act(action === 'complete' ? r.ann : r.bob, code, action, {});
    assert.deepEqual([a.status, a.json.error.message], [409, 'the approval request is not decided yet: a second person has to approve it first']);
  }
  assert.equal((await act(r.desk, code, 'reject')).json.value, 'rejected');
  assert.equal((await send(r.ann, 'POST', wipe, {}, code)).status, 403);
  await r.refused(404, 'POST', `${REQUESTS}/retrieveRequestStatus`, { body: { entityId: device } });
  // an approval that is taken back; one's own request
  code = await ask(r.ann, 'POST', wipe, {});
  assert.equal((await act(r.desk, code, 'approve')).status, 200);
  assert.equal((await act(r.cid, code, 'cancelApproval')).status, 403);
  assert.equal((await act(r.bob, code, 'cancelApproval')).json.value, 'cancelled');
  assert.equal((await send(r.ann, 'POST', wipe, {}, code)).status, 403);
  code = await ask(r.ann, 'POST', wipe, {});
  assert.equal((await act(r.bob, code, 'cancelMyRequest', {})).status, 403);
  assert.equal((await r.ann.api('GET', `${REQUESTS}/retrieveMyRequestById(id='${code}')`)).json.status, 'needsApproval');
  assert.equal((await r.bob.api('GET', `${REQUESTS}/retrieveMyRequestById(id='${code}')`)).status, 404);
  assert.ok((await r.ann.api('GET', `${REQUESTS}/retrieveMyRequests`)).json.value.every(x => x.requestor.user.id === r.ann.id));
  assert.equal((await act(r.ann, code, 'cancelMyRequest', {})).status, 204);
  const body = { displayName: 'S', kind: 'webhook', target: 'https://hook.example.org/', secret: 'very secret of a webhook', enabled: false }, sinks = await policy(r, 'tenantConfiguration');
  code = await ask(r.ann, 'POST', `${DM}/auditSinks`, body);
  assert.deepEqual((await r.bob.api('GET', `${REQUESTS}/${code}/call`)).json.body, { ...body, secret: '[secret]' });
  assert.equal((await act(r.ann, code, 'cancelMyRequest', {})).status, 204);
  assert.equal((await r.ann.api('GET', `${REQUESTS}/${code}/call`)).status, 409);
  await without(r, sinks);
  // a step of a batch is a call like any other
  const step = async headers => (await r.ann.api('POST', '/v1.0/$batch', { body: { requests: [{ id: '1', method: 'POST', url: `/deviceManagement/managedDevices/${device}/wipe`, body: {}, headers: { 'Content-Type': 'application/json', ...headers } }] } })).json.responses[0];
  assert.equal((await step({})).body.error.code, 'ApprovalRequired');
  const asked = await step(why('all at once'));
  code = Object.entries(asked.headers).find(([k]) => k.toLowerCase() === 'x-msft-approval-code')[1];
  assert.equal((await act(r.desk, code, 'approve')).status, 200);
  assert.equal((await step({ 'x-msft-approval-code': code })).status, 204);
  assert.equal((await step({ 'x-msft-approval-code': code })).status, 409);
  // who approves is not changed by one person: the groups, and the policy itself
  await ask(r.ann, 'DELETE', `/v1.0/groups/${group.id}/members/${r.desk.id}/$ref`);
  assert.equal((await r.program.api('DELETE', `/v1.0/groups/${group.id}`)).json.error.code, 'ApprovalRequired');
  code = await ask(r.program, 'PATCH', `${POLICIES}/${id}`, { approverGroupIds: [] });
  assert.equal((await act(r.cid, code, 'approve')).status, 403);
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  assert.equal((await send(r.program, 'PATCH', `${POLICIES}/${id}`, { approverGroupIds: [] }, code)).status, 200);
  await r.ok('DELETE', `/v1.0/groups/${group.id}`);
  // one application is excluded, and what it may do alone does not include that
  const own = (await r.post('/v1.0/applications', { displayName: 'Excluded', roleDefinitionId: (await r.all(`${RM}/roleDefinitions`)).find(x => x.displayName === 'Administrator').id })).id;
  const secret = (await r.post(`/v1.0/applications/${own}/addPassword`, {})).secretText, excluded = program(r, await r.signIn(r.tenant, own, secret));
  code = await ask(r.program, 'PATCH', `${POLICIES}/${id}`, { excludedApplicationIds: [own] });
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  assert.equal((await act(r.program, code, 'complete', {})).status, 200);
  assert.equal((await excluded.api('POST', `${DM}/managedDevices/${await r.device()}/wipe`, { body: {} })).status, 204);
  assert.equal((await excluded.api('DELETE', `${POLICIES}/${id}`)).json.error.code, 'ApprovalRequired');
  // another directory deletes by SCIM, with its own brake
  const deletes = await policy(r, 'personDelete'), client = (await r.post('/v1.0/applications', { displayName: 'Directory', isProvisioningClient: true })).id;
  const scim = (await r.post(`/v1.0/applications/${client}/addProvisioningToken`, {})).secretText, leaver = await r.user(`leaver.${engine}@acme.example`);
  const left = await r.api('DELETE', `/scim/v2/Users/${leaver.id}`, { token: scim });
  assert.equal(left.status, 204, left.text);
  await without(r, deletes);
  await without(r, id);
});

test('16 no way around: what is read as a whole, a name that means another, the key of an excluded program, rules that delete', async () => {
  const r = await one('sqlite'), exports = await policy(r, 'personExport'), whole = `/v1.0/users/${r.owner}/exportDeviceAndAppManagementData()/content`;
  const done = async () => (await r.events("activityType eq 'exportPersonalData User' and activityResult eq 'Success'")).length, before = await done();
  for (const token of ['0.0.0', '0.1.1', '0.0.0~9999999999~AAAA']) assert.equal((await r.ann.api('GET', `${whole}?$skiptoken=${token}`)).status, 400, 'a page of nothing that was begun');
  let code = await ask(r.ann, 'GET', whole);
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  assert.ok((await send(r.ann, 'GET', whole, undefined, code)).json.value.some(x => x.displayName === 'Users'));
  assert.equal((await send(r.ann, 'GET', whole, undefined, code)).status, 409);
  assert.equal(await done(), before + 1);
  // it was approved for the person whom the name meant
  const first = await r.user('first@acme.example'), second = await r.user('second@acme.example'), named = '/v1.0/users/first@acme.example/exportPersonalData';
  code = await ask(r.ann, 'POST', named, {});
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  for (const [u, upn] of [[first, 'was.first'], [second, 'first']]) await r.ok('PATCH', `/v1.0/users/${u.id}`, { body: { userPrincipalName: `${upn}@acme.example` } });
  assert.equal((await send(r.ann, 'POST', named, {}, code)).status, 403);
  assert.equal((await act(r.ann, code, 'complete', {})).status, 403);
  // nor over SCIM, but for a provisioning client
  const team = await r.group('Team', [r.bob.id]), gone = `/scim/v2/Users/${(await r.user('gone@acme.example')).id}`, members = `/scim/v2/Groups/${team.id}`;
  const two = [await policy(r, 'personDelete'), await policy(r, 'deviceAction', { approverGroupIds: [team.id] })], scim = { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'add', path: 'members', value: [{ value: r.ann.id }] }] };
  for (const [method, where, body] of [['DELETE', gone], ['PATCH', members, scim], ['PUT', members, { displayName: 'Team', members: [] }], ['DELETE', members], ['DELETE', `/scim/v2/${r.tenant}/Groups/${team.id}`]]) {
    const x = await r.program.api(method, where, { body });
    assert.deepEqual([x.status, /second person/.test(x.json?.detail)], [403, true], `${method} ${where}: ${x.text}`);
  }
  const asked = codeOf(await r.program.api('DELETE', gone, { headers: why('she left') }));
  assert.equal((await act(r.bob, asked, 'approve')).status, 200);
  assert.equal((await send(r.program, 'DELETE', gone, undefined, asked)).status, 204);
  assert.equal((await r.program.api('PATCH', `/scim/v2/Groups/${(await r.group('Others')).id}`, { body: scim })).status, 200);
  const client = (await r.post('/v1.0/applications', { displayName: 'Directory', isProvisioningClient: true })).id, token = (await r.post(`/v1.0/applications/${client}/addProvisioningToken`, {})).secretText;
  assert.equal((await r.api('DELETE', `/scim/v2/Users/${(await r.user('gone2@acme.example')).id}`, { token })).status, 204);
  for (const id of two) await without(r, id);
  // as is a case, which may be about somebody else by then
  const q = `${DM}/dataSubjectRequests/${(await r.post(`${DM}/dataSubjectRequests`, { type: 'access', userId: first.id })).id}`, grant = { decision: 'grant' };
  const prepare = async () => { for (const [step, body] of [['verify', { method: 'document' }], ['discover', {}]]) await r.post(`${q}/${step}`, body); };
  await prepare();
  code = await ask(r.ann, 'POST', `${q}/decide`, grant);
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  await r.post(`${q}/setSubject`, { userId: second.id });
  await prepare();
  assert.match((await send(r.ann, 'POST', `${q}/decide`, grant, code)).json.error.message, /somebody else/);
  await r.post(`${q}/setSubject`, { userId: first.id });
  await prepare();
  assert.equal((await send(r.ann, 'POST', `${q}/decide`, grant, code)).status, 200);
  const away = 'https://store.example/x?sig=KEY'; // nor does the second person get the key to where it goes
  code = await ask(r.ann, 'POST', `/v1.0/users/${r.owner}/exportPersonalData`, { storageLocation: away });
  assert.deepEqual((await r.bob.api('GET', `${REQUESTS}/${code}/call`)).json.body, { storageLocation: 'https://store.example/x?[secret]' });
  assert.equal((await act(r.ann, code, 'cancelMyRequest', {})).status, 204);
  await without(r, exports);
  // whoever gets a key of an excluded program is as free as it
  const own = (await r.post('/v1.0/applications', { displayName: 'Free' })).id, wipes = await policy(r, 'deviceWipe', { excludedApplicationIds: [own] });
  for (const [method, where, body] of [['POST', '/addPassword', {}], ['POST', '/addKey', { keyCredential: {} }], ['PATCH', '', { externalClientId: 'x', externalIssuer: 'https://x.example' }]])
    assert.equal((await r.ann.api(method, `/v1.0/applications/${own}${where}`, { body })).json.error.code, 'ApprovalRequired', where);
  await without(r, wipes);
  await r.post(`/v1.0/applications/${own}/addPassword`, {});
  // who holds a program's key is no second person to it, also without the key
  const robot = (await r.post('/v1.0/applications', { displayName: 'Robot', roleDefinitionId: (await r.all(`${RM}/roleDefinitions`)).find(x => x.displayName === 'Administrator').id })).id;
  const key = (await r.ann.api('POST', `/v1.0/applications/${robot}/addPassword`, { body: {} })).json;
  const retires = await policy(r, 'deviceRetire'), asks = program(r, await r.signIn(r.tenant, robot, key.secretText));
  code = await ask(asks, 'POST', `${DM}/managedDevices/${await r.device()}/retire`);
  assert.equal((await r.ann.api('POST', `/v1.0/applications/${robot}/removePassword`, { body: { keyId: key.keyId } })).status, 204);
  assert.match((await act(r.ann, code, 'approve')).json.error.message, /its key/);
  assert.equal(await status(r, code), 'needsApproval');
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  await without(r, retires);
  const deletes = await policy(r, 'deviceDelete');
  await ask(r.ann, 'POST', `${DM}/managedDeviceCleanupRules`, { displayName: 'x', deviceCleanupRulePlatformType: 'linux', deviceInactivityBeforeRetirementInDays: 30 });
  await without(r, deletes);
});

testOnEngines('16 once: two approvers at the same moment, eight resubmissions, a crash, rights that are gone', async engine => {
  const r = await one(engine), id = await policy(r, 'deviceWipe'), device = await r.device(), wipe = `${DM}/managedDevices/${device}/wipe`;
  await r.post(`${DM}/recipients`, { displayName: 'Watch', kind: 'mail', target: 'watch@acme.example', receivesAlarms: true });
  const letters = async () => (await r.all(`${DM}/notices?$filter=kind%20eq%20'person'`)).map(n => n.userId), before = await letters();
  let code = await ask(r.ann, 'POST', wipe, {});
  assert.deepEqual((await letters()).slice(0, -before.length || undefined).sort(), [r.bob.id, r.cid.id].sort(), 'whoever may approve it has a letter, and nobody else');
  const notices = await r.all(`${DM}/notices?$filter=what%20eq%20'approvalRequested'`);
  assert.ok(notices.length >= 1, 'the recipients of alarms are told');
  const both = await Promise.all([act(r.bob, code, 'approve'), act(r.cid, code, 'approve')]);
  assert.deepEqual(both.map(a => a.status).sort(), [200, 409]);
  const eight = await Promise.all(Array.from({ length: 8 }, (_, i) => (i % 2 ? send(r.ann, 'POST', wipe, {}, code) : act(r.ann, code, 'complete', {}))));
  assert.deepEqual(eight.map(a => a.status).sort(), [204, ...Array(7).fill(409)], eight.map(a => a.text).join());
  const wipes = (await r.events(`resources/resourceId eq '${device}'`)).filter(e => e.activityType === 'wipe ManagedDevice' && e.activityResult === 'Success');
  assert.equal(wipes.length, 1);
  // killed between the approval and the execution, and right after it
  const second = await r.device(), at = `${DM}/managedDevices/${second}/wipe`;
  code = await ask(r.ann, 'POST', at, {});
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  await r.stop('SIGKILL');
  await r.serve();
  assert.equal(await status(r, code), 'approved');
  assert.equal((await send(r.ann, 'POST', at, {}, code)).status, 204);
  await r.stop('SIGKILL');
  await r.serve();
  assert.equal((await send(r.ann, 'POST', at, {}, code)).status, 409);
  // what fails leaves the approval as it was
  const none = `${DM}/managedDevices/01999999-9999-7999-8999-999999999999/wipe`;
  code = await ask(r.ann, 'POST', none, {});
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  assert.equal((await send(r.ann, 'POST', none, {}, code)).status, 404);
  assert.equal(await status(r, code), 'approved');
  assert.equal((await act(r.bob, code, 'cancelApproval')).status, 200);
  // rights count when they are used
  const third = `${DM}/managedDevices/${await r.device()}/wipe`, assignment = async who => (await r.all(`${RM}/roleAssignments`)).find(a => a.principalId === who.id).id;
  code = await ask(r.ann, 'POST', third, {});
  const mine = await assignment(r.cid), role = (await r.all(`${RM}/roleAssignments`)).find(a => a.id === mine).roleDefinitionId;
  await r.ok('DELETE', `${RM}/roleAssignments/${mine}`);
  assert.equal((await act(r.cid, code, 'approve')).status, 403);
  await r.post(`${RM}/roleAssignments`, { principalId: r.cid.id, roleDefinitionId: role, directoryScopeId: '/' });
  assert.equal((await act(r.cid, code, 'approve')).status, 200);
  await r.ok('DELETE', `${RM}/roleAssignments/${await assignment(r.ann)}`);
  assert.equal((await send(r.ann, 'POST', third, {}, code)).status, 403);
  assert.equal(await status(r, code), 'approved');
  await r.post(`${RM}/roleAssignments`, { principalId: r.ann.id, roleDefinitionId: role, directoryScopeId: '/' });
  assert.equal((await send(r.ann, 'POST', third, {}, code)).status, 204);
  await without(r, id);
});

test('16 closing a tenant: the operator, another operator, or the tenant is the second person; the command line', async () => {
  const r = await one(), t = await r.secondTenant('Small'), close = `/v1.0/installation/tenants/${t.id}/close`, operator = program(r, r.operatorToken), theirs = program(r, t.token);
  const put = '/v1.0/directory/subscriptions/deviceManagement', locked = { status: 'LockedOut' }, of = `/v1.0/installation/tenants/${t.id}/operationApprovalRequests`;
  assert.match((await r.get('/v1.0/organization', { token: t.token })).value[0].warnings[0], /wipe/);
  let code = await ask(theirs, 'PUT', put, locked);
  assert.equal((await act(theirs, code, 'approve')).status, 403);
  const seen = await r.get(`${of}/${code}`, { token: r.operatorToken });
  assert.deepEqual([seen.operation, seen.status], ['set Subscription', 'needsApproval']);
  assert.equal((await operator.api('POST', `${of}/${code}/reject`, { body: {} })).status, 200);
  await r.refused(404, 'GET', of.replace(t.id, '01999999-9999-7999-8999-999999999999'), { token: r.operatorToken });
  // by its operator: not the same one
  code = await ask(operator, 'POST', close);
  assert.equal((await operator.api('POST', `${of}/${code}/approve`, { body: {} })).status, 403);
  const young = await r.post('/v1.0/installation/operators', { displayName: 'Young' }, { token: r.operatorToken }), nil = '00000000-0000-0000-0000-000000000000';
  const other = program(r, await r.signIn(nil, young.clientId, young.clientSecret));
  assert.match((await other.api('POST', `${of}/${code}/approve`, { body: {} })).json.error.message, /younger/);
  assert.equal((await operator.api('POST', `${of}/${code}/cancelMyRequest`, { body: {} })).status, 204);
  code = await ask(operator, 'POST', close);
  assert.equal((await other.api('POST', `${of}/${code}/approve`, { body: {} })).status, 200);
  assert.equal((await other.api('POST', close, { headers: { 'x-msft-approval-code': code } })).status, 403);
  assert.equal((await operator.api('POST', `${of}/${code}/complete`, { body: {} })).status, 204);
  assert.equal((await r.get(`/v1.0/installation/tenants/${t.id}`, { token: r.operatorToken })).state, 'closing');
  assert.equal((await operator.api('POST', `/v1.0/installation/tenants/${t.id}/reopen`)).status, 204);
  await r.closeTenant(t); // and by an application of the tenant
  // the command line says what to do
  const id = await policy(r, 'deviceWipe'), device = await r.device();
  const first = r.cli('device', 'wipe', device), reasoned = r.cli('device', 'wipe', device, '--justification', 'stolen');
  assert.equal(first.code, 77);
  assert.match(first.err, /--justification/);
  code = reasoned.err.match(/reeve approval complete (\S+)/)[1];
  assert.match(r.cli('approval', 'list').out, new RegExp(`wipe ManagedDevice\tneedsApproval.*${code}`));
  assert.match(r.cli('approval', 'approve', code).err, /second person/);
  assert.equal((await act(r.bob, code, 'approve')).status, 200);
  assert.equal(r.cli('approval', 'complete', code).code, 0);
  assert.equal((await r.managed(device, 'beta')).managementState, 'wipePending');
  await without(r, id);
});

test('16 time: three days, thirty more; what the server owes by itself is asked of nobody', async () => {
  const r = await Reeve.make();
  for (const type of ['deviceWipe', 'personDelete']) await policy(r, type);
  await r.user('other@acme.example');
  const u = await r.user('leaver@acme.example'), device = await enrol(r, 'other@acme.example');
  await r.ok('DELETE', `/v1.0/users/${u.id}`);
  const who = program(r), wipe = `${DM}/managedDevices/${device}/wipe`, code = await ask(who, 'POST', wipe, {});
  await r.restart(4);
  await until('the request has expired', async () => await status(r, code) === 'expired', { seconds: 30 });
  assert.equal((await send(who, 'POST', wipe, {}, code)).status, 403);
  assert.equal((await r.events(`resources/resourceId eq '${code}'`)).filter(e => e.activityType === 'expire OperationApprovalRequest').length, 1);
  const second = await ask(who, 'POST', wipe, {});
  await r.restart(40);
  await until('the leaver is erased without anybody', async () => (await r.api('GET', `/v1.0/directory/deletedItems/${u.id}`)).status === 404, { seconds: 40 });
  await until('thirty days later the request is gone', async () => await status(r, code) === undefined, { seconds: 30 });
  await until('and the younger one has expired', async () => await status(r, second) === 'expired', { seconds: 30 });
  await r.remove();
});
