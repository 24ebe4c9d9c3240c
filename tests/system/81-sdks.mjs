// SPDX-License-Identifier: Apache-2.0
// Microsoft's generated SDKs (Kiota) for v1.0 and beta, unmodified, in a process of their own: every GET route that Graph has too is
// deserialised, and what comes out is what was sent.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { model, walk } from './csdl.mjs';
import { shared, test } from './lib.mjs';
import { DM, fill, routes, world } from './world.mjs';

let w;
const one = shared(async r => { w = await world(r, {}, r.tenant, 'SDK'); });
const here = path.dirname(fileURLToPath(import.meta.url));

const SETUP = `
import { BaseBearerTokenAuthenticationProvider, HttpMethod, ParseNodeFactoryRegistry, RequestInformation } from '@microsoft/kiota-abstractions';
import { BatchRequestContent, PageIterator } from '@microsoft/msgraph-sdk-core';
const { REEVE_BASE: base, REEVE_TOKEN: token, REEVE_SDK: sdk, REEVE_SPEC } = process.env, spec = JSON.parse(REEVE_SPEC ?? 'null');
const { GraphRequestAdapter, GraphBetaRequestAdapter } = await import(sdk), models = await import(sdk + '/models/index.js'), { createODataErrorFromDiscriminatorValue } = await import(sdk + '/models/oDataErrors/index.js');
const auth = new BaseBearerTokenAuthenticationProvider({ getAuthorizationToken: async () => token, getAllowedHostsValidator: () => ({ isUrlHostValid: () => true }) });
const adapter = new (GraphRequestAdapter ?? GraphBetaRequestAdapter)(auth), errors = { XXX: createODataErrorFromDiscriminatorValue };
adapter.baseUrl = base;
const ask = (method, where, body, type) => {
  const q = new RequestInformation(HttpMethod[method], '{+baseurl}' + where, { baseurl: base });
  q.headers.add('Accept', 'application/json');
  if (body) q.setContentFromParsable(adapter, 'application/json', body, models['serialize' + type]);
  return q;
};
`;

// Whatever an answer holds must come out of the SDK's model: as a property it knows, else in additionalData.
const ROUTES = SETUP + `
const unknown = {}, lost = [], foreign = new Set();
let objects = 0;
const note = (type, key) => (unknown[type] ??= new Set()).add(key);
function compare(type, raw, parsed) {
  objects++;
  type = raw['@odata.type']?.replace('#microsoft.graph.', '') ?? type;
  for (const [k, v] of Object.entries(raw)) {
    if (k.includes('@') || v === null) continue;
    if (parsed?.additionalData && k in parsed.additionalData) { note(type, k); continue; }
    const p = parsed?.[k];
    if (typeof p?.getValue === 'function') continue; // an untyped one
    if (p === undefined || p === null) { lost.push(type + '.' + k + ' = ' + JSON.stringify(v)); continue; }
    if (Array.isArray(v)) { if (p.length !== v.length) lost.push(type + '.' + k + ' has ' + p.length + ' of ' + v.length); v.forEach((x, i) => { if (x && typeof x === 'object') compare(type + '.' + k, x, p[i]); else if (p[i] === undefined) lost.push(type + '.' + k + '[' + i + ']'); }); }
    else if (typeof v === 'object') compare(type + '.' + k, v, p);
  }
}
const cap = t => t[0].toUpperCase() + t.slice(1);
for (const { where, type, collection } of spec) {
  const factory = models['create' + cap(type) + (collection ? 'CollectionResponse' : '') + 'FromDiscriminatorValue'];
  if (!factory) { foreign.add(type); continue; }
  const parsed = await adapter.send(ask('GET', where), factory, errors).catch(e => { lost.push(where + ': ' + (e.message || e)); });
  if (!parsed) continue;
  const raw = await (await fetch(base + where, { headers: { Authorization: 'Bearer ' + token } })).json();
  if (collection) raw.value.forEach((x, i) => compare(type, x, parsed.value[i]));
  else compare(type, raw, parsed);
}
console.log(JSON.stringify({ lost, objects, foreign: [...foreign].sort(), unknown: Object.fromEntries(Object.entries(unknown).map(([k, v]) => [k, [...v].sort()])) }));
`;

const ACTIONS = SETUP + `
const out = {}, DEVICES = '/deviceManagement/managedDevices', device = models.createManagedDeviceFromDiscriminatorValue, devices = models.createManagedDeviceCollectionResponseFromDiscriminatorValue;
const user = await adapter.send(ask('POST', '/users', { userPrincipalName: 'kiota@acme.example', displayName: 'Kiota', mailNickname: 'kiota', accountEnabled: true, passwordProfile: { password: 'x' } }, 'User'), models.createUserFromDiscriminatorValue, errors);
await adapter.sendNoResponseContent(ask('PATCH', '/users/' + user.id, { jobTitle: 'Smith' }, 'User'), errors);
out.job = (await adapter.send(ask('GET', '/users/kiota%40acme.example?$select=jobTitle'), models.createUserFromDiscriminatorValue, errors)).jobTitle;
await adapter.sendNoResponseContent(ask('POST', DEVICES + '/' + spec.device + '/microsoft.graph.retire'), errors);
const d = await adapter.send(ask('GET', DEVICES + '/' + spec.device), device, errors);
out.retired = [d.managementState, d.deviceActionResults[0].actionName, d.deviceActionResults[0].actionState, d.lastSyncDateTime instanceof Date];
await adapter.sendNoResponseContent(ask('DELETE', '/users/' + user.id), errors);
out.error = await adapter.send(ask('GET', '/users/' + user.id), models.createUserFromDiscriminatorValue, errors).catch(e => [e.responseStatusCode, e.errorEscaped?.code, typeof e.errorEscaped?.innerError?.requestId]);
out.count = await adapter.sendPrimitive(Object.assign(ask('GET', DEVICES + '/$count')), 'number', errors);
const batch = new BatchRequestContent(adapter, errors), ids = [];
for (const where of ['/users?$top=1', DEVICES + '?$top=1', '/users/nobody@acme.example']) ids.push(batch.addBatchRequest(ask('GET', where)).id);
const answers = await batch.postAsync();
out.batch = ids.map(i => answers.getResponseById(i).status);
const first = await adapter.send(ask('GET', DEVICES + '?$select=id,deviceName'), devices, errors), names = new Set();
let n = 0;
await new PageIterator(adapter, first, x => { n++; names.add(x.deviceName); return true; }, devices, errors).iterate();
Object.assign(out, { page: first.value.length, devices: n, distinct: names.size });
console.log(JSON.stringify(out));
`;

// Beside this process, which has to go on reading the server's log.
async function run(r, program, version, spec) {
  const done = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { cwd: here, timeout: 180000, maxBuffer: 1 << 26,
    env: { ...process.env, NODE_EXTRA_CA_CERTS: r.caFile, REEVE_BASE: `${r.url}/${version}`, REEVE_TOKEN: r.token, REEVE_SDK: version === 'beta' ? '@microsoft/msgraph-beta-sdk' : '@microsoft/msgraph-sdk', REEVE_SPEC: JSON.stringify(spec) } });
  return JSON.parse(done.stdout);
}

// What is sent beside Graph's properties: Reeve's own, and those that one version of Graph has and the other has not.
const OWN = {
  organization: ['warnings'], operationApprovalPolicy: ['excludedApplicationIds'], operationApprovalRequest: ['operation', 'requestId', 'requestedBy', 'route'], application: ['accountEnabled', 'externalClientId', 'externalIssuer', 'isProvisioningClient', 'roleDefinitionId'], unifiedRoleDefinition: ['createdDateTime'], unifiedRoleAssignment: ['createdDateTime', 'identityProviderId', 'principalType'], linuxSettingsFileConfiguration: ['content', 'mode', 'path'],
  openIdConnectIdentityProvider: ['allowedTenantIds', 'apiAudiences', 'backChannelLogoutUri', 'clientAuthentication', 'clientId', 'createdDateTime', 'domainHint', 'enabled', 'issuer', 'matchExternalId', 'matchUserPrincipalName', 'metadataUrl', 'redirectUri',
    'responseMode', 'responseType', 'roleClaim', 'scope'], // of beta alone
  linuxWiFiConfiguration: ['hidden', 'security', 'ssid'], linuxDebianApp: ['dataPaths', 'files', 'package'], deviceManagementExportJob: ['rowCount'],
  recipient: ['createdDateTime', 'displayName', 'enabled', 'id', 'kind', 'receivesAlarms', 'receivesErasures', 'target'], // Graph's is another thing of this name
};
const EXTRA = {
  'v1.0': { ...OWN, deviceConfigurationAssignment: ['intent', 'source'], mobileAppAssignment: ['source'] },
  beta: { ...OWN, managedDevice: ['actionPendingSinceDateTime'], 'managedDevice.deviceActionResults': ['askedAs', 'outcome', 'residues'],
    remoteActionAudit: ['actionName', 'askedAs', 'errorDescription', 'lastUpdatedDateTime', 'outcome'] },
};

for (const version of ['v1.0', 'beta'])
  test(`81 the generated SDK of ${version} reads every route that Graph has`, async () => {
    const r = await one(), m = await model(r, version), spec = [];
    for (const route of routes().filter(x => x.method === 'GET' && x.access === 'bearer' && x.path.startsWith('/{v}/') && !/installation/.test(x.path))) {
      let where, at;
      try { where = fill(route.path, w, version); at = walk(m, route); } catch { continue; }
      const a = await r.api('GET', where);
      if (a.status === 200 && a.json && at) spec.push({ where: where.slice(version.length + 1), type: at.name.replace(/^(microsoft\.graph|graph)\./, ''), collection: at.collection });
    }
    const out = await run(r, ROUTES, version, spec);
    assert.deepEqual(out.lost.filter(x => !/^operationApproval(Policy|Request)\./.test(x) || !/(policyType = "tenantClosing"|PolicyTypes(\[0\]| has 0 of 1))$/.test(x)), []); // a member of our own
    for (const [type, names] of Object.entries(out.unknown)) assert.deepEqual(names.filter(n => !EXTRA[version][type]?.includes(n)), [], type);
    assert.ok(spec.length > 40 && out.objects > 100, `${spec.length} routes, ${out.objects} objects`);
    for (const type of ['user', 'group', 'managedDevice', 'auditEvent', 'directoryAudit', 'mobileApp', 'termsAndConditions', 'subscribedSku', 'organization']) assert.ok(!out.foreign.includes(type), type);
  });

test('81 the generated SDK acts, batches, and pages to the end of 25,000 devices', async () => {
  const r = await one(), N = 25000;
  const d = await r.device(w.upn, 'personal', { name: 'kiota-laptop' });
  await r.stop();
  const hex = id => `x'${id.replaceAll('-', '')}'`;
  execFileSync('sqlite3', [path.join(r.dir, 'reeve.db')], { input: `
    CREATE TEMP TABLE n AS WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i + 1 < ${N}) SELECT i, CAST(randomblob(16) AS BLOB) AS id FROM c;
    INSERT INTO managed_devices (tenant_id, device_id, directory_device_id, user_id, owner_type, platform, provisioning, device_name, managed_device_name, serial_number,
      compliance_state, management_state, enrolled_at, last_sync_at, certificate_expires_at)
    SELECT ${hex(r.tenant)}, id, id, ${hex(w.user)}, 'company', 'linux', 1, printf('bulk-%05d', i), 'm', printf('SN%05d', i), 'unknown', 'managed',
      1700000000000000 + i, 1700000000000000 + i, 1900000000000000 FROM n;` });
  await r.serve();
  const total = (await r.get(`${DM}/managedDevices?$top=1`))['@odata.count'];
  const out = await run(r, ACTIONS, 'v1.0', { device: d.id });
  assert.deepEqual(out, { job: 'Smith', retired: ['retirePending', 'retire', 'pending', true], error: [404, 'ResourceNotFound', 'string'], count: total, batch: [200, 200, 404], page: 1000, devices: total, distinct: total });
});
