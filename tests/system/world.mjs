// SPDX-License-Identifier: Apache-2.0
// One of everything in a tenant, and a request for every route.
import { execFileSync, spawnSync } from 'node:child_process';
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { REEVE, makeRequest, sanitizers, until } from './lib.mjs';

export const DM = '/v1.0/deviceManagement';
export const routes = () => JSON.parse(spawnSync(REEVE, ['routes', '--json'], { encoding: 'utf8', env: { ...process.env, ...sanitizers } }).stdout);

const tables = r => (r.engine === 'sqlite'
  ? JSON.parse(r.sql("SELECT m.name AS t FROM sqlite_schema m WHERE m.type = 'table' AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) c WHERE c.name = 'tenant_id')")).map(x => x.t)
  : r.sql("SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name = 'tenant_id' ORDER BY 1").trim().split('\n'));
// Every row of a tenant, as text.
export function dump(r, tenant) {
  const hex = tenant.replaceAll('-', ''), out = {};
  for (const t of tables(r)) {
    if (t === 'audit_pending') continue;
    const file = path.join(r.dir, 'reeve.db');
    const columns = r.engine === 'sqlite' ? JSON.parse(r.sql(`SELECT group_concat('quote("' || name || '")', ',') AS c FROM pragma_table_info('${t}')`))[0].c : '*';
    out[t] = (r.engine === 'sqlite' ? execFileSync('sqlite3', [`file:${file}?mode=ro`, `SELECT ${columns} FROM "${t}" WHERE tenant_id = x'${hex}'`], { encoding: 'utf8', maxBuffer: 1 << 28 })
      : r.sql(`SELECT * FROM "${t}" WHERE tenant_id = '\\x${hex}'`)).split('\n').sort().join('\n');
  }
  return out;
}

// A certificate in base64, of a key that nobody keeps.
export const selfSigned = () => execFileSync('sh', ['-c', 'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout /dev/null -subj /CN=x -days 30 -outform DER 2>/dev/null']).toString('base64');

// Bodies that are right but for the ids in them.
export function bodyOf(route, w, mark = 'x') {
  const key = `${route.method} ${route.path.replace('/{v}/', '/')}`;
  const target = { target: { '@odata.type': '#microsoft.graph.groupAssignmentTarget', groupId: w.group } };
  const bodies = {
    'POST /users': { userPrincipalName: `new.${Math.random().toString(36).slice(2)}@acme.example`, displayName: 'New', mailNickname: 'new', accountEnabled: true },
    'PATCH /users/{user}': { jobTitle: mark },
    'POST /groups': { displayName: 'New group', mailEnabled: false, mailNickname: 'g', securityEnabled: true },
    'PATCH /groups/{group}': { description: mark },
    'POST /groups/{group}/members/$ref': { '@odata.id': `https://localhost/v1.0/directoryObjects/${w.user}` },
    'POST /applications': { displayName: 'New app', roleDefinitionId: w.role },
    'PATCH /applications/{application}': { displayName: mark },
    'POST /applications/{application}/addPassword': { passwordCredential: { displayName: mark } },
    'POST /applications/{application}/removePassword': { keyId: w.key },
    'POST /applications/{application}/addKey': { keyCredential: { type: 'AsymmetricX509Cert', usage: 'Verify', key: selfSigned(), displayName: mark } },
    'POST /applications/{application}/removeKey': { keyId: w.publicKey },
    'POST /applications/{application}/addProvisioningToken': { provisioningToken: { displayName: mark } },
    'POST /applications/{application}/removeProvisioningToken': { keyId: w.key },
    'POST /roleManagement/directory/roleDefinitions': { displayName: `New role ${Math.random().toString(36).slice(2)}`, rolePermissions: [{ allowedResourceActions: ['User.Read.All'] }] },
    'PATCH /roleManagement/directory/roleDefinitions/{role}': { description: mark },
    'POST /roleManagement/directory/roleAssignments': { principalId: w.user, roleDefinitionId: w.role, directoryScopeId: `/groups/${w.group}` },
    'POST /roleManagement/directory/operatorAccess': { roleDefinitionId: w.role, reason: mark, expirationDateTime: new Date(Date.now() + 3600e3).toISOString() },
    'PUT /directory/subscriptions/{product}': { status: 'Enabled' },
    'POST /identity/identityProviders': { displayName: 'New', issuer: `https://${Math.random().toString(36).slice(2)}.example.org`, clientId: 'x', clientSecret: 'x' },
    'PATCH /identity/identityProviders/{provider}': { domainHint: mark },
    'POST /identity/identityProviders/{provider}/roles': { claimValue: Math.random().toString(36), roleDefinitionId: w.role },
    'POST /users/{user}/identities': { identityProviderId: w.provider, issuerAssignedId: mark },
    'PUT /users/{user}/localAccount': { password: `${mark} and more words` },
    'PATCH /deviceManagement/tenantSettings': { syncSeconds: 3600 },
    'POST /installation/tenants': { displayName: 'New tenant' },
    'PUT /installation/tenants/{tenant}/subscriptions/{product}': { status: 'Enabled' },
    'PATCH /deviceManagement/managedDevices/{device}': { notes: mark },
    'POST /deviceManagement/managedDevices/executeAction': { actionName: 'syncDevice', deviceIds: [w.device] },
    'PATCH /users/{user}/managedDevices/{device}': { notes: mark },
    'POST /deviceManagement/managedDeviceCleanupRules': { displayName: 'New rule', deviceCleanupRulePlatformType: 'windows', deviceInactivityBeforeRetirementInDays: 90 },
    'PATCH /deviceManagement/managedDeviceCleanupRules/{rule}': { description: mark },
    'PATCH /deviceManagement/managedDeviceCleanupSettings': { deviceInactivityBeforeRetirementInDays: '120' },
    'PATCH /deviceManagement/deviceAssets/{asset}': { assetNote: mark },
    'POST /deviceManagement/deviceConfigurations': { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'New', path: '/etc/new.conf', content: mark },
    'PATCH /deviceManagement/deviceConfigurations/{item}': { description: mark },
    'POST /deviceManagement/deviceConfigurations/{item}/assign': { assignments: [target] },
    'POST /deviceAppManagement/mobileApps': { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: 'New', package: 'new-app' },
    'PATCH /deviceAppManagement/mobileApps/{item}': { description: mark },
    'POST /deviceAppManagement/mobileApps/{item}/assign': { mobileAppAssignments: [{ intent: 'required', ...target }] },
    'POST /deviceManagement/termsAndConditions': { displayName: 'New', title: 'New', bodyText: 'New', acceptanceStatement: 'New' },
    'PATCH /deviceManagement/termsAndConditions/{terms}': { description: mark },
    'POST /deviceManagement/enrollmentTokens': { userId: w.user, ownerType: 'personal' },
    'POST /users/{user}/exportPersonalData': {},
    'POST /deviceManagement/dataSubjectRequests': { type: 'objection', userId: w.user },
    'PATCH /deviceManagement/dataSubjectRequests/{request}': { statement: mark },
    'POST /deviceManagement/dataSubjectRequests/{request}/setSubject': { userId: w.user },
    'POST /deviceManagement/dataSubjectRequests/{request}/verify': { method: 'document' },
    'POST /deviceManagement/dataSubjectRequests/{request}/decide': { decision: 'refused', reasonCode: 'unfounded', legalGround: mark },
    'POST /deviceManagement/dataSubjectRequests/{request}/extend': { reason: mark },
    'POST /deviceManagement/dataSubjectRequests/{request}/close': { outcome: mark },
    'POST /deviceManagement/dataSubjectRequests/{request}/disclosureDecisions': { section: 'devices', disclosure: 'withheld', reasonCode: 'other_law', legalGround: mark },
    'PUT /deviceManagement/letterTemplates/{template}': { subject: mark, body: `{reason} ${mark}` },
    'POST /deviceManagement/auditLog/exports': { format: 'csv' },
    'POST /deviceManagement/reports/exportJobs': { reportName: 'Devices', filter: "(OwnerType eq '1')" },
    'POST /deviceManagement/operationApprovalPolicies': { displayName: 'New policy', policyType: 'deviceRetire', excludedApplicationIds: ['01999999-9999-7999-8999-999999999999'] },
    'PATCH /deviceManagement/operationApprovalPolicies/{policy}': { displayName: mark },
    'POST /deviceManagement/operationApprovalRequests/retrieveRequestStatus': { entityId: w.device },
    'POST /deviceManagement/recipients': { displayName: 'New recipient', kind: 'mail', target: 'new@recipient.example', receivesErasures: true, enabled: false },
    'PATCH /deviceManagement/recipients/{recipient}': { displayName: mark },
    'POST /installation/recipients': { displayName: 'New recipient', kind: 'mail', target: 'new@recipient.example', receivesAlarms: true, enabled: false },
    'PATCH /installation/recipients/{recipient}': { displayName: mark },
    'POST /deviceManagement/storageLocations': { displayName: 'New store', urlPrefix: `https://store.example/${Math.random().toString(36).slice(2)}` },
    'POST /deviceManagement/legalHolds': { displayName: 'New hold', ground: 'x', owner: 'x', reviewDateTime: '2099-01-01T00:00:00Z' },
    'PATCH /deviceManagement/legalHolds/{hold}': { owner: mark },
    'POST /deviceManagement/legalHolds/{hold}/members': { userId: w.user },
    'POST /deviceManagement/legalHolds/{hold}/release': { reason: mark },
    'POST /deviceManagement/auditSinks': { displayName: 'New sink', kind: 'file', target: `new-${Math.random().toString(36).slice(2)}`, enabled: false },
    'PATCH /deviceManagement/auditSinks/{sink}': { displayName: mark },
  };
  if (/certificateAuthority/.test(key)) return undefined;
  if (bodies[key]) return bodies[key];
  return route.method === 'POST' || route.method === 'PUT' || route.method === 'PATCH' ? {} : undefined;
}

// A route's path with these ids in it; {v} is `version`.
export function fill(path, w, version = 'v1.0') {
  return path.replace('{v}', version).replace('({approval})', "(id='{approval}')").replace(/\{([a-z]+)\}/g, (all, name) => {
    if (name === 'item') return path.includes('mobileApps') ? w.app : w.configuration;
    if (name === 'id') return w.deleted;
    if (name === 'category') return "category='Other'";
    if (name === 'none') return 'nothing';
    if (name === 'window') return 'skip=0,top=3';
    assert.ok(w[name] !== undefined, `no ${name} for ${path}`);
    return encodeURIComponent(w[name]);
  });
}

// By the local socket, as its owner.
export function local(r, method, where, body, token = r.token) {
  return new Promise((resolve, reject) => {
    const text = JSON.stringify(body ?? {}), headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) };
    http.request({ socketPath: path.join(r.dir, 'reeve.sock'), method, path: where, headers }, a => { a.resume(); a.on('end', () => resolve(a.statusCode)); }).on('error', reject).end(text);
  });
}
// A person with a password of the server, signed in; the cookie.
export async function signedIn(r, user, o, tenant = r.tenant, password = 'blue horse eats seven lamps') {
  assert.equal(await local(r, 'PUT', `/v1.0/users/${user.id}/localAccount`, { password }, o?.token), 204);
  const a = await r.api('POST', `/signin/${tenant}`, { token: null, raw: new URLSearchParams({ action: 'password', name: user.userPrincipalName, password }).toString(),
    headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: r.url } });
  assert.equal(a.status, 303, a.text);
  return a.headers['set-cookie'][0].split(';')[0];
}

// One of everything, with a marker in every property that can be written.
export async function world(r, o, tenant, mark) {
  let n = 0;
  const marks = [], m = () => { marks.push(`${mark}-${String(++n).padStart(3, '0')}`); return marks.at(-1); };
  const w = { tenant, marks, mark, product: m().toLowerCase() };
  const person = { userPrincipalName: 'same.person@acme.example', displayName: 'Same Person', mailNickname: m(), accountEnabled: true, givenName: m(), surname: m(), mail: `${m()}@acme.example`, jobTitle: m(), department: m(),
    companyName: m(), officeLocation: m(), employeeId: m(), mobilePhone: m(), businessPhones: [m()], streetAddress: m(), postalCode: m(), city: m(), state: m(), country: m(), preferredLanguage: 'de-CH' };
  const u = await r.post('/v1.0/users', person, o);
  w.user = u.id; w.upn = u.userPrincipalName; w.member = u.id;
  await signedIn(r, u, o, tenant);
  w.session = (await r.get(`/v1.0/users/${u.id}/sessions`, o)).value[0].id;
  w.deleted = (await r.user('same.deleted@acme.example', { city: m(), displayName: 'Same Deleted' }, o)).id;
  await r.ok('DELETE', `/v1.0/users/${w.deleted}`, o);
  const g = await r.post('/v1.0/groups', { displayName: 'Same Group', description: m(), mailEnabled: false, mailNickname: m(), securityEnabled: true }, o);
  w.group = g.id;
  await r.post(`/v1.0/groups/${g.id}/members/$ref`, { '@odata.id': `https://localhost/v1.0/directoryObjects/${u.id}` }, o);
  w.role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions', o)).find(x => x.displayName === 'Auditor').id;
  w.application = (await r.post('/v1.0/applications', { displayName: m(), roleDefinitionId: w.role, externalIssuer: `https://${m()}`, externalClientId: m() }, o)).id;
  w.publicKey = (await r.post(`/v1.0/applications/${w.application}/addKey`, { keyCredential: { key: selfSigned(), displayName: m() } }, o)).keyId;
  w.roleassignment = (await r.post('/v1.0/roleManagement/directory/roleAssignments', { principalId: w.application, roleDefinitionId: w.role, directoryScopeId: `/groups/${w.group}` }, o)).id;
  w.operatoraccess = (await r.post('/v1.0/roleManagement/directory/operatorAccess', { roleDefinitionId: w.role, reason: m(), expirationDateTime: new Date(Date.now() + 86400e3).toISOString() }, o)).id;
  w.provider = (await r.post('/v1.0/identity/identityProviders', { displayName: m(), issuer: `https://${m().toLowerCase()}.example.org`, clientId: m(), clientSecret: 'x', scope: `openid ${m()}`, domainHint: m(), roleClaim: m(), apiAudiences: [m()] }, o)).id;
  w.mapping = (await r.post(`/v1.0/identity/identityProviders/${w.provider}/roles`, { claimValue: m(), roleDefinitionId: w.role, scopeGroupId: w.group }, o)).id;
  w.identity = (await r.post(`/v1.0/users/${w.user}/identities`, { identityProviderId: w.provider, issuerAssignedId: m() }, o)).id;
  const secret = await r.post(`/v1.0/applications/${w.application}/addPassword`, { passwordCredential: { displayName: m() } }, o);
  const directory = (await r.post('/v1.0/applications', { displayName: m(), isProvisioningClient: true }, o)).id;
  await r.post(`/v1.0/applications/${directory}/addProvisioningToken`, { provisioningToken: { displayName: m() } }, o);
  w.key = secret.keyId;
  w.secret = secret.secretText;
  await r.ok('PUT', `/v1.0/directory/subscriptions/${w.product}`, { body: { status: 'Enabled' }, ...o });
  const c = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'Same Settings', description: m(), path: '/etc/same.conf', content: m() }, o);
  w.configuration = c.id;
  const wifi = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxWiFiConfiguration', displayName: 'Same Wi-Fi', ssid: m(), security: 'wpaPersonal', passphrase: `${m()} pass` }, o);
  w.wifi = wifi.id;
  const a = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: 'Same App', description: m(), publisher: m(), package: 'same-app', dataPaths: [`/var/lib/${m()}`], files: [{ path: '/usr/bin/same', content: m(), mode: '0755' }] }, o);
  w.app = a.id;
  const t = await r.post(`${DM}/termsAndConditions`, { displayName: m(), description: m(), title: m(), bodyText: m(), acceptanceStatement: m() }, o);
  w.terms = t.id;
  w.enrolment = await r.enrollmentToken(w.upn, 'personal', {}, o);
  w.token = w.enrolment.id;
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true, collectAddresses: true, collectDisks: true, syncSeconds: 7200 }, ...o });
  // deviceName and serial number are the device's own words
  w.tree = await r.device(w.upn, 'company', { name: m().toLowerCase(), serial: m(), token: o.token });
  marks.push(w.tree.name);
  w.tree.sync(); w.tree.sync();
  w.device = w.tree.id;
  w.rule = (await r.post('/beta/deviceManagement/managedDeviceCleanupRules', { displayName: m(), description: m(), deviceCleanupRulePlatformType: 'ios', deviceInactivityBeforeRetirementInDays: 90 }, o)).id;
  // one that became the person's, and one that was wiped: plain calls, for they have no files
  const enrol = async (owner, name) => {
    const { key, csr } = makeRequest(r.tmp), t2 = await r.enrollmentToken(w.upn, owner, {}, o);
    const e = await r.channel('enroll', { token: t2.token, csr, acceptedTerms: [{ id: w.terms, version: 1 }], device: { deviceName: name, manufacturer: 'M', model: 'M', serialNumber: m(), osName: 'Linux', osVersion: '12' }, provisioning: true });
    assert.equal(e.status, 201, e.text);
    return { id: e.json.deviceId, pair: { key, cert: e.json.certificate } };
  };
  const own = await enrol('company', m().toLowerCase()), old = await enrol('company', m().toLowerCase());
  await r.ok('PATCH', `${DM}/managedDevices/${own.id}`, { body: { managedDeviceOwnerType: 'personal' }, ...o });
  w.change = (await r.get(`${DM}/ownershipChanges`, o)).value[0].id;
  await r.ok('PATCH', `${DM}/managedDevices/${old.id}`, { body: { assetNote: m() }, ...o });
  await r.ok('POST', `${DM}/managedDevices/${old.id}/wipe`, o);
  const told = (await r.channel('checkin', {}, old.pair)).json.actions[0];
  assert.equal((await r.channel('report', { results: [{ id: told.id, state: 'done' }] }, old.pair)).status, 200);
  w.asset = (await until('the asset', async () => (await r.get(`${DM}/deviceAssets`, o)).value[0], { seconds: 60 })).id;
  await r.ok('PATCH', `${DM}/managedDevices/${w.device}`, { body: { notes: m(), managedDeviceName: m() }, ...o });
  await r.ok('POST', `${DM}/managedDevices/${w.device}/syncDevice`, o);
  w.action = (await r.get(`${DM}/remoteActionAudits`, o)).value[0].id;
  w.package = (await r.get(`${DM}/detectedApps`, o)).value[0].id;
  const x = await r.api('POST', `/v1.0/users/${w.user}/exportPersonalData`, { body: {}, ...o });
  assert.equal(x.status, 202, x.text);
  w.operation = x.json.id;
  w.duty = (await r.all(`${DM}/erasureDuties`, o)).find(d => d.subjectId === w.deleted).id;
  // a duty that has run, for its certificate
  const gone = (await r.user('same.gone@acme.example', { city: m(), displayName: 'Same Gone' }, o)).id;
  await r.ok('DELETE', `/v1.0/users/${gone}`, o);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${gone}`, o);
  const erased = async () => (await r.all(`${DM}/erasureDuties`, o)).every(d => !['wipe', 'permanentDelete'].includes(d.trigger) || !['received', 'suppressed', 'deleting', 'deleted'].includes(d.state));
  await until('both erasures', erased, { seconds: 60 }); // each takes the tenant's reports with it
  const done = (await r.all(`${DM}/erasureCertificates`, o)).find(c => c.certificate.trigger === 'permanentDelete');
  w.certificate = done.id;
  await until('the export', async () => (await r.get(`/v1.0/dataPolicyOperations/${w.operation}`, o)).status === 'complete', { seconds: 60 });
  w.sink = (await r.post(`${DM}/auditSinks`, { displayName: m(), kind: 'file', target: m(), enabled: false }, o)).id;
  w.recipient = (await r.post(`${DM}/recipients`, { displayName: m(), kind: 'mail', target: `${m()}@recipient.example`, receivesErasures: true, enabled: false }, o)).id;
  w.location = (await r.post(`${DM}/storageLocations`, { displayName: m(), urlPrefix: `https://store.example/${m()}` }, o)).id;
  w.hold = (await r.post(`${DM}/legalHolds`, { displayName: m(), ground: m(), owner: m(), reviewDateTime: '2099-01-01T00:00:00Z' }, o)).id;
  const kept = (await r.user('same.held@acme.example', { city: m(), displayName: 'Same Held' }, o)).id;
  w.part = (await r.post(`${DM}/legalHolds/${w.hold}/members`, { userId: kept }, o)).id;
  await r.post(`${DM}/legalHolds/${w.hold}/evidence`, {}, o);
  w.export = (await r.post(`${DM}/auditLog/exports`, { format: 'ndjson', filter: `actor/userPrincipalName eq '${mark}@acme.example'` }, o)).id;
  await until('the export of the log', async () => (await r.get(`${DM}/auditLog/exports/${w.export}`, o)).status === 'completed', { seconds: 60 });
  const job = (await r.post(`${DM}/reports/exportJobs`, { reportName: 'DevicesWithInventory' }, o)).id;
  const report = await until('the report', async () => { const j = await r.get(`${DM}/reports/exportJobs/${job}`, o); assert.notEqual(j.status, 'failed'); return j.status === 'completed' && j; }, { seconds: 60 });
  w.job = report.id;
  w.link = report.url.split('/').at(-1);
  // objections: an access would hold the person's deletion up
  const asks = async steps => {
    const q = await r.post(`${DM}/dataSubjectRequests`, { type: 'objection', userId: w.user, channel: 'letter', contact: `${m()}@outside.example`, statement: m(), receivedDateTime: new Date(Date.now() - 86400e3).toISOString() }, o);
    for (const [step, body] of [['verify', { method: 'callBack' }], ['discover', {}], ['extend', { reason: m() }], ...steps]) await r.post(`${DM}/dataSubjectRequests/${q.id}/${step}`, body, o);
    return q.id;
  };
  w.request = await asks([]);
  w.section = 'devices';
  w.template = 'receipt';
  await r.ok('PUT', `${DM}/letterTemplates/${w.template}`, { body: { subject: m(), body: m() }, ...o });
  w.decision = (await r.post(`${DM}/dataSubjectRequests/${w.request}/disclosureDecisions`, { section: w.section, property: 'notes', disclosure: 'redacted', reasonCode: 'other_law', legalGround: m() }, o)).id;
  await asks([['decide', { decision: 'withheld', reasonCode: 'third_party', legalGround: m(), outcome: m() }]]);
  w.policy = (await r.get(`${DM}/operationApprovalPolicies`, o)).value[0].id;
  const closing = await r.api('PUT', `/v1.0/directory/subscriptions/${w.product}`, { body: { status: 'Suspended' }, headers: { 'x-msft-approval-justification': Buffer.from(m()).toString('base64') }, ...o });
  w.approval = closing.headers['x-msft-approval-code'];
  w.event = (await r.get(`${DM}/auditEvents?$top=1`, o)).value[0].id;
  w.sku = (await r.get('/v1.0/subscribedSkus', o)).value[0].id;
  w.operator = w.application; // of no installation
  w.report = w.operation; // nothing was restored
  return w;
}
