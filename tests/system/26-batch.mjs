// SPDX-License-Identifier: Apache-2.0
// $batch: each step is a request of its own, to permission, to audit and to the answer.
import assert from 'node:assert/strict';
import { shared, test, testOnEngines, until } from './lib.mjs';
import { DM, routes } from './world.mjs';

const one = shared();
const batch = (r, requests, o = {}) => r.api('POST', `/${o.version ?? 'v1.0'}/$batch`, { body: { requests }, ...o });
const by = a => Object.fromEntries(a.json.responses.map(x => [x.id, x]));

testOnEngines('26 a batch: order, dependencies, statuses, headers and bodies', async engine => {
  const r = await one(engine), u = await r.user('batch@acme.example');
  await r.user('other@acme.example');
  const a = await batch(r, [
    { id: 'after', method: 'GET', url: '/users/batch@acme.example?$select=jobTitle', dependsOn: ['change'] },
    { id: 'change', method: 'patch', url: `users/${u.id}`, headers: { 'content-type': 'application/json' }, body: { jobTitle: 'Smith' } },
    { id: 'gone', method: 'GET', url: '/users/nobody@acme.example' },
    { id: 'not tried', method: 'DELETE', url: `/users/${u.id}`, dependsOn: ['gone'] },
    { id: 'nor this', method: 'DELETE', url: `/users/${u.id}`, dependsOn: ['not tried'] },
    { id: 'count', method: 'GET', url: '/users/$count', headers: { ConsistencyLevel: 'eventual' } },
    { id: 'page', method: 'GET', url: '/users?$top=1&$select=id' },
    { id: 'made', method: 'POST', url: '/groups', body: { displayName: 'Of a batch', mailEnabled: false, mailNickname: 'x', securityEnabled: true } },
    { id: 'nested', method: 'POST', url: '/$batch', body: { requests: [{ id: '1', method: 'GET', url: '/users' }] } },
    { id: 'method', method: 'PUT', url: '/users' },
    { id: 'bad', method: 'PATCH', url: `/users/${u.id}`, body: { jobTitle: 7 } },
  ], { headers: { 'client-request-id': '01999999-0000-7000-8000-000000000001' } });
  assert.equal(a.status, 200, a.text);
  const got = by(a);
  assert.deepEqual(Object.fromEntries(Object.entries(got).map(([k, v]) => [k, v.status])),
    { change: 204, after: 200, gone: 404, 'not tried': 424, 'nor this': 424, count: 200, page: 200, made: 201, nested: 400, method: 405, bad: 400 });
  assert.equal(got.change.body, null);
  assert.equal(got.after.body.jobTitle, 'Smith');
  assert.equal(got['not tried'].body.error.code, 'FailedDependency');
  assert.match(got.count.body, /^\d+$/);
  assert.match(got.count.headers['Content-Type'], /^text\/plain/);
  assert.ok(got.made.headers.Location.endsWith(got.made.body.id));
  assert.match(got.method.headers.Allow, /GET/);
  assert.ok(got.page.body['@odata.nextLink'].startsWith(`${r.url}/v1.0/users?`));
  const ids = a.json.responses.map(x => x.headers['request-id']);
  assert.equal(new Set(ids).size, ids.length, 'each step has an id of its own');
  assert.ok(!ids.includes(a.headers['request-id']));
  // the change and the refusal are events under those ids; what was not tried is none
  const events = await r.get(`${DM}/auditEvents?$top=50`);
  const said = id => events.value.filter(e => e.correlationId === got[id].headers['request-id']).map(e => `${e.activityType} ${e.activityResult}`);
  assert.deepEqual(said('change'), ['patch User Success']);
  assert.deepEqual(said('bad'), ['patch User Failure']);
  assert.deepEqual(said('made'), ['create Group Success']);
  for (const none of ['not tried', 'nor this', 'page', 'gone']) assert.deepEqual(said(none), [], none);
  assert.equal((await r.get(`/v1.0/users/${u.id}`)).id, u.id, 'nobody was deleted');
  // beta's batch speaks beta
  assert.equal(by(await batch(r, [{ id: '1', method: 'GET', url: '/deviceManagement/auditEvents?$top=1' }], { version: 'beta' }))['1'].body.value[0].actor.type, 'Application');
});

test('26 a step has the permissions of the token, whatever it says itself', async () => {
  const r = await one(), roles = await r.all('/v1.0/roleManagement/directory/roleDefinitions');
  const app = await r.post('/v1.0/applications', { displayName: 'Batch reader', roleDefinitionId: roles.find(x => x.displayName === 'Auditor').id });
  const token = await r.signIn(r.tenant, app.id, (await r.post(`/v1.0/applications/${app.id}/addPassword`, {})).secretText);
  const u = await r.user('kept@acme.example');
  const got = by(await batch(r, [
    { id: 'mine', method: 'GET', url: '/deviceManagement/auditEvents?$top=1' },
    { id: 'delete', method: 'DELETE', url: `/users/${u.id}`, headers: { Authorization: `Bearer ${r.token}` } },
    { id: 'log', method: 'DELETE', url: '/deviceManagement/auditEvents' },
  ], { token }));
  assert.deepEqual([got.mine.status, got.delete.status, got.log.status], [200, 403, 405]);
  const refusal = (await r.get(`${DM}/auditEvents?$top=50`)).value.find(e => e.correlationId === got.delete.headers['request-id']);
  assert.deepEqual([refusal.activityType, refusal.activityResult, refusal.actor.applicationDisplayName, refusal.resources[0].resourceId], ['delete User', 'Failure', 'Batch reader', u.id]);
  assert.equal((await batch(r, [{ id: '1', method: 'GET', url: '/users' }], { token: null })).status, 401);
});

test('26 a malformed batch is refused as a whole', async () => {
  const r = await one(), get = { method: 'GET', url: '/users' };
  for (const requests of [undefined, {}, [], Array.from({ length: 21 }, (_, i) => ({ id: `${i}`, ...get })), ['x'], [{ ...get }], [{ id: '', ...get }], [{ id: 7, ...get }],
    [{ id: '1', ...get }, { id: '1', ...get }], [{ id: '1', method: 'GET' }], [{ id: '1', url: '/users' }], [{ id: '1', method: 'G E', url: '/users' }], [{ id: '1', method: 'GET', url: 'https://example.org/users' }],
    [{ id: '1', ...get, dependsOn: ['2'] }], [{ id: '1', ...get, dependsOn: ['1'] }], [{ id: '1', ...get, dependsOn: ['2'] }, { id: '2', ...get, dependsOn: ['1'] }], [{ id: '1', ...get, dependsOn: '2' }],
    [{ id: '1', ...get, headers: { a: 1 } }], [{ id: '1', ...get, atomicityGroup: 'g' }]])
    await r.refused(400, 'POST', '/v1.0/$batch', { body: { requests } });
  await r.refused(400, 'POST', '/v1.0/$batch', { raw: '{"requests":[' });
  await r.refused(415, 'POST', '/v1.0/$batch', { raw: '{}', headers: { 'Content-Type': 'multipart/mixed; boundary=x' } });
  await r.refused(405, 'GET', '/v1.0/$batch');
  // what is wrong with one step alone is that step's matter
  const got = by(await batch(r, [{ id: 'space', method: 'GET', url: '/users?$filter=a b' }, { id: 'header', ...get, headers: { 'a b': 'x' } }, { id: 'line', ...get, headers: { a: 'x\r\ny: z' } }, { id: 'device', method: 'POST', url: '/../linux/enroll', body: {} }, { id: 'ok', ...get }]));
  assert.deepEqual(Object.values(got).map(x => x.status), [400, 400, 400, 404, 200]);
});

test('26 files in a batch are base64, and large answers leave room for the others', async () => {
  const r = await one(), e = await r.post(`${DM}/auditLog/exports`, { format: 'csv' });
  await until('the export', async () => (await r.get(`${DM}/auditLog/exports/${e.id}`)).status === 'completed');
  const file = await r.api('GET', `${DM}/auditLog/exports/${e.id}/content`);
  const list = [{ id: 'file', method: 'GET', url: `/deviceManagement/auditLog/exports/${e.id}/content` }, { id: 'key', method: 'GET', url: '/deviceManagement/auditLog/checkpoint' }];
  const got = by(await batch(r, list));
  assert.equal(got.file.status, 200);
  const bytes = /^text\//.test(got.file.headers['Content-Type']) ? Buffer.from(got.file.body) : Buffer.from(got.file.body, 'base64url');
  assert.ok(bytes.equals(file.bytes));
});
