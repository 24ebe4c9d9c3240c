// SPDX-License-Identifier: Apache-2.0
// Throttles: 429 with Retry-After per application and tenant, one event a minute, and a stock client that waits and goes on.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Reeve, test } from './lib.mjs';
import { DM } from './world.mjs';

const CLIENT = `
import { Client } from '@microsoft/microsoft-graph-client';
const client = Client.init({ baseUrl: process.env.REEVE_BASE + '/', defaultVersion: 'v1.0', customHosts: new Set(['127.0.0.1']), authProvider: done => done(null, process.env.REEVE_TOKEN) });
const began = Date.now(), list = [];
for (let i = 0; i < 2; i++) list.push((await client.api('/deviceManagement/termsAndConditions').post({ displayName: 'T' + i, title: 'T', bodyText: 'T', acceptanceStatement: 'T' })).id);
console.log(JSON.stringify({ made: list.length, seconds: (Date.now() - began) / 1000 }));
`;
const KIOTA = `
import { BaseBearerTokenAuthenticationProvider, HttpMethod, RequestInformation } from '@microsoft/kiota-abstractions';
import { GraphRequestAdapter } from '@microsoft/msgraph-sdk';
import { createTermsAndConditionsFromDiscriminatorValue, serializeTermsAndConditions } from '@microsoft/msgraph-sdk/models/index.js';
const adapter = new GraphRequestAdapter(new BaseBearerTokenAuthenticationProvider({ getAuthorizationToken: async () => process.env.REEVE_TOKEN, getAllowedHostsValidator: () => ({ isUrlHostValid: () => true }) }));
adapter.baseUrl = process.env.REEVE_BASE + '/v1.0';
const began = Date.now(), list = [];
for (let i = 0; i < 2; i++) {
  const q = new RequestInformation(HttpMethod.POST, '{+baseurl}/deviceManagement/termsAndConditions', { baseurl: adapter.baseUrl });
  q.setContentFromParsable(adapter, 'application/json', { displayName: 'T' + i, title: 'T', bodyText: 'T', acceptanceStatement: 'T' }, serializeTermsAndConditions);
  list.push((await adapter.send(q, createTermsAndConditionsFromDiscriminatorValue, {})).id);
}
console.log(JSON.stringify({ made: list.length, seconds: (Date.now() - began) / 1000 }));
`;

test('27 a caller beyond its throttle is told when to come back, others are not', async () => {
  const r = await Reeve.make({ throttle: '0.025' }); // 50 of any kind and 5 writes of an application, 100 and 10 of a tenant, in 20 s
  const roles = await r.all('/v1.0/roleManagement/directory/roleDefinitions'), administrator = roles.find(x => x.displayName === 'Administrator').id;
  const app = await r.post('/v1.0/applications', { displayName: 'Second', roleDefinitionId: administrator });
  const second = await r.signIn(r.tenant, app.id, (await r.post(`/v1.0/applications/${app.id}/addPassword`, {})).secretText);
  const other = await r.secondTenant();
  const write = token => r.api('POST', `${DM}/termsAndConditions`, { token, body: { displayName: 'T', title: 'T', bodyText: 'T', acceptanceStatement: 'T' } });
  const statuses = async (n, f) => { const out = []; for (let i = 0; i < n; i++) out.push((await f()).status); return out.join(' '); };
  assert.equal(await statuses(7, () => write(r.token)), '201 201 201 201 201 429 429');
  const refused = await write(r.token), wait = Number(refused.headers['retry-after']);
  assert.equal(refused.json.error.code, 'TooManyRequests');
  assert.ok(Number.isInteger(wait) && wait >= 1 && wait <= 20, refused.headers['retry-after']);
  assert.equal((await r.api('GET', `${DM}/termsAndConditions`)).status, 200, 'reading goes on');
  assert.equal(await statuses(6, () => write(second)), '201 201 201 201 201 429', 'another application has its own');
  assert.equal(await statuses(5, () => write(other.token)), '201 201 201 201 201', 'and another tenant');
  assert.equal(await statuses(20, () => r.api('PATCH', '/v1.0/users/nobody@acme.example', { body: {} })), Array(20).fill('404').join(' '), 'users are not throttled');
  // the owner's own socket is not throttled
  for (let i = 0; i < 7; i++) assert.equal(r.cli('api', 'POST', `${DM}/termsAndConditions`, '{"displayName":"T","title":"T","bodyText":"T","acceptanceStatement":"T"}').code, 0);
  // a step of a batch counts, and is refused alone
  const steps = (await r.api('POST', '/v1.0/$batch', { body: { requests: [{ id: 'w', method: 'DELETE', url: '/deviceManagement/termsAndConditions/x' }, { id: 'g', method: 'GET', url: '/deviceManagement/termsAndConditions' }] } })).json.responses;
  assert.deepEqual(steps.map(s => s.status), [429, 200]);
  assert.ok(Number(steps[0].headers['Retry-After']) >= 1);
  const events = (await r.events("activityType eq 'refused Request'")).map(e => [e.actor.applicationDisplayName, e.activityResult, e.resources[0].auditResourceType]).sort();
  assert.deepEqual(events, [['Administrator', 'Failure', 'Application'], ['Second', 'Failure', 'Application']], 'one event each');
  // Microsoft's clients, unmodified: there is no room left in this window
  const client = program => promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: path.dirname(fileURLToPath(import.meta.url)), encoding: 'utf8', timeout: 120000, env: { ...process.env, NODE_EXTRA_CA_CERTS: r.caFile, REEVE_BASE: r.url, REEVE_TOKEN: other.token } });
  for (const done of await Promise.all([client(CLIENT), client(KIOTA)])) {
    const out = JSON.parse(done.stdout);
    assert.equal(out.made, 2);
    assert.ok(out.seconds > 2, 'it had to wait');
  }
});

test('27 a setting that is none stops the start', async () => {
  const r = await Reeve.make({ throttle: 'fast', serve: false });
  await r.serve(0, { ready: false });
  assert.equal((await r.ended).code, 78);
  assert.match(r.log, /'throttle' is graph, off, or a factor/);
});
