// SPDX-License-Identifier: Apache-2.0
// Scope groups: a role that holds for the members of a group, over every route; whose a bundle is; where exports may go.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { makeRequest, shared, test, testOnEngines, until } from './lib.mjs';
import { DM, bodyOf, dump, fill, routes } from './world.mjs';

const INSIDE = 'CANARYINSIDE', OUTSIDE = 'CANARYOUTSIDE';
const worlds = new Map();

async function enrol(r, w, name) {
  const { key, csr } = makeRequest(r.tmp), t = await r.enrollmentToken(w.upn, 'company');
  const e = await r.channel('enroll', { token: t.token, csr, acceptedTerms: [], device: { deviceName: name, manufacturer: 'M', model: `${w.mark}-MODEL`, serialNumber: `${w.mark}-${name}`, osName: 'Linux', osVersion: '12' }, provisioning: true });
  assert.equal(e.status, 201, e.text);
  return { id: e.json.deviceId, pair: { key, cert: e.json.certificate } };
}

// One person of everything that belongs to people.
async function person(r, mark, common) {
  const w = { ...common, mark, product: 'office', none: 'x', section: 'devices', template: 'receipt' }, low = mark.toLowerCase();
  const u = await r.user(`${low}@acme.example`, { displayName: `${mark} Person`, givenName: mark, jobTitle: mark, city: mark });
  w.user = u.id; w.upn = u.userPrincipalName; w.member = u.id;
  w.deleted = (await r.user(`${low}.deleted@acme.example`, { displayName: `${mark} Deleted`, city: mark })).id;
  w.own = (await r.group(`Group of ${mark === INSIDE ? 'some' : 'others'}`, [w.user, w.deleted])).id;
  await r.ok('DELETE', `/v1.0/users/${w.deleted}`);
  const d = await enrol(r, w, `${low}-one`);
  w.device = d.id;
  assert.equal((await r.channel('checkin', { inventory: { deviceName: `${low}-one`, packages: [{ name: `${low}-package`, version: '1' }, { name: 'shared-package', version: '1' }] }, items: [] }, d.pair)).status, 200);
  w.package = (await r.get(`${DM}/detectedApps?$filter=displayName eq '${low}-package'`)).value[0]?.id ?? 'bm8K';
  await r.ok('PATCH', `${DM}/managedDevices/${w.device}`, { body: { notes: mark, managedDeviceName: mark } });
  await r.ok('POST', `${DM}/managedDevices/${w.device}/syncDevice`);
  w.action = (await r.all(`${DM}/remoteActionAudits`)).find(a => a.managedDeviceId === w.device)?.id ?? (await r.all(`${DM}/remoteActionAudits`)).at(-1).id;
  await r.ok('PATCH', `${DM}/managedDevices/${(await enrol(r, w, `${low}-two`)).id}`, { body: { managedDeviceOwnerType: 'personal' } });
  w.change = (await r.all(`${DM}/ownershipChanges`))[0].id; // the newest
  w.token = (await r.enrollmentToken(w.upn, 'personal')).id;
  w.operation = (await r.post(`/v1.0/users/${w.user}/exportPersonalData`, {})).id;
  w.duty = (await r.all(`${DM}/erasureDuties`)).find(x => x.subjectId === w.deleted).id;
  const q = await r.post(`${DM}/dataSubjectRequests`, { type: 'objection', userId: w.user, channel: 'letter', contact: `${low}@outside.example`, statement: mark });
  w.request = q.id;
  w.decision = (await r.post(`${DM}/dataSubjectRequests/${q.id}/disclosureDecisions`, { section: 'devices', property: 'notes', disclosure: 'redacted', reasonCode: 'other_law', legalGround: mark })).id;
  w.event = (await r.events(`subjectId eq '${w.user}'`))[0].id;
  w.export = (await r.post(`${DM}/auditLog/exports`, { format: 'ndjson' })).id;
  w.job = (await r.post(`${DM}/reports/exportJobs`, { reportName: 'Devices' })).id;
  return w;
}

// A program with these roles, for the members of a group or for all.  Only who holds what Administrators do not hands it on: the chief does.
async function program(r, name, roles, group, by = r.chief) {
  const all = await r.all('/v1.0/roleManagement/directory/roleDefinitions');
  r.none ??= (await r.post('/v1.0/roleManagement/directory/roleDefinitions', { displayName: 'Nothing but words', rolePermissions: [{ allowedResourceActions: ['RoleManagement.Read.Directory'] }] })).id;
  const a = await r.post('/v1.0/applications', { displayName: name, roleDefinitionId: r.none }), s = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
  for (const role of roles)
    await r.post('/v1.0/roleManagement/directory/roleAssignments', { principalId: a.id, roleDefinitionId: all.find(x => x.displayName === role).id, directoryScopeId: group ? `/groups/${group}` : '/' }, by && { token: by.token });
  return { id: a.id, token: await r.signIn(r.tenant, a.id, s.secretText) };
}

const one = shared(async r => {
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true } });
  const target = await r.group('Plain group'), item = await r.provide(target, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'Settings', path: '/etc/x.conf', content: 'x' });
  const app = await r.provide(target, { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: 'App', package: 'some-app' });
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Auditor').id;
  const common = { tenant: r.tenant, group: target.id, configuration: item.id, app: app.id, role, application: (await r.all('/v1.0/applications'))[0].id, sku: (await r.get('/v1.0/subscribedSkus')).value[0].id };
  const nobody = '01999999-9999-7999-8999-999999999999';
  for (const p of ['asset', 'rule', 'terms', 'sink', 'hold', 'part', 'recipient', 'location', 'certificate', 'key', 'operator', 'report']) common[p] = nobody;
  const inside = await person(r, INSIDE, common), outside = await person(r, OUTSIDE, common);
  r.chief = await program(r, 'Chief', ['Administrator', 'Privacy Officer']);
  const desk = await program(r, 'Scoped desk', ['Administrator', 'Privacy Officer'], inside.own);
  worlds.set(r.engine, { inside, outside, desk });
});

const isOpen = route => route.access === 'bearer' && route.path.startsWith('/{v}/') && route.permission && !/Installation/.test(route.permission.split('|')[0]);
const known = route => [...route.path.matchAll(/\{([a-z.]+)\}/g)].every(m => /^(v|item|id|category|window)$/.test(m[1]) || [...worlds.values()][0].outside[m[1]] !== undefined);
const clean = (text, what) => { for (const form of [text, Buffer.from(text, 'latin1').toString('utf8')]) assert.ok(!new RegExp(OUTSIDE, 'i').test(form), `${what}: ${form.match(/.{0,200}CANARYOUTSIDE.{40}/is)}`); };
const PERSONS = /\{(user|id|member|device|change|action|token|duty|operation|request|event|export)\}/;

testOnEngines('15 no route shows or changes anything of somebody outside the scope groups', async engine => {
  const r = await one(engine), { inside, outside, desk } = worlds.get(engine), mine = { token: desk.token };
  const quiet = t => !/^(audit_|notices|leases)/.test(t);
  await until('exports and reports are made', async () => (await r.all('/v1.0/dataPolicyOperations')).every(x => x.status === 'complete') && (await r.all(`${DM}/auditLog/exports`)).every(x => x.status === 'completed'), { seconds: 60 });
  const before = dump(r, r.tenant), seen = new Set(), table = routes().filter(isOpen).filter(known);
  assert.ok(table.length > 130, `${table.length}`);
  const look = async (route, version) => {
    const what = `GET ${route.path}`, theirs = await r.api('GET', fill(route.path, outside, version), mine);
    clean(theirs.text, what);
    if (PERSONS.test(route.path)) assert.equal(theirs.status, /legalHolds/.test(route.path) ? 403 : 404, `${what}: ${theirs.status} ${theirs.text.slice(0, 200)}`);
    if (theirs.status === 404 && PERSONS.test(route.path)) assert.equal(theirs.json.error.message, 'no such resource', what);
    if (version === 'beta') return;
    const ours = await r.api('GET', fill(route.path, inside, version), mine);
    clean(ours.text, what);
    assert.ok([200, 400, 403, 404].includes(ours.status), `${what}: ${ours.status} ${ours.text.slice(0, 300)}`);
    if (new RegExp(INSIDE, 'i').test(ours.text)) seen.add(route.path);
  };
  const reads = table.filter(x => x.method === 'GET').flatMap(x => (engine === 'sqlite' ? ['v1.0', 'beta'] : ['v1.0']).map(v => [x, v]));
  while (reads.length) await Promise.all(reads.splice(0, 8).map(x => look(...x)));
  for (const must of ['/{v}/users', '/{v}/users/{user}', '/{v}/directory/deletedItems/graph.user', '/{v}/groups/{group}/members', '/{v}/deviceManagement/managedDevices', '/{v}/deviceManagement/auditEvents', '/{v}/deviceManagement/auditEvents/delta', '/{v}/users/delta'])
    assert.ok(seen.has(must) || must.includes('members'), `${must} shows what is within reach`);
  // changes: each route with what is outside in its path and body
  for (const route of table) {
    if (route.method === 'GET' || /exportJobs|auditLog\/exports$/.test(route.path)) continue;
    const where = fill(route.path, outside), x = await r.api(route.method, where, { body: bodyOf(route, outside, OUTSIDE), ...mine });
    if (/executeAction/.test(route.path)) { assert.deepEqual([x.json.successfulDeviceIds, x.json.notFoundDeviceIds], [[], [outside.device]]); continue; }
    assert.ok([400, 403, 404, 405].includes(x.status), `${route.method} ${where}: ${x.status} ${x.text.slice(0, 200)}`);
    if (PERSONS.test(route.path)) assert.ok([403, 404].includes(x.status), `${route.method} ${where}: ${x.status} ${x.text.slice(0, 200)}`);
  }
  const after = dump(r, r.tenant);
  for (const t of Object.keys(before)) if (quiet(t)) assert.equal(after[t], before[t], t);
  // with what is inside in the path, and what is outside in the body
  for (const [method, where, body] of [
    ['POST', `/v1.0/groups/${inside.own}/members/$ref`, { '@odata.id': `https://x/v1.0/directoryObjects/${outside.user}` }],
    ['POST', `/v1.0/groups/${inside.group}/members/$ref`, { '@odata.id': `https://x/v1.0/users/${outside.upn}` }],
    ['DELETE', `/v1.0/groups/${outside.own}/members/${outside.user}/$ref`],
    ['POST', `${DM}/enrollmentTokens`, { userPrincipalName: outside.upn, ownerType: 'personal' }],
    ['POST', `${DM}/dataSubjectRequests`, { type: 'access', userPrincipalName: outside.upn }],
    ['POST', `${DM}/dataSubjectRequests/${inside.request}/setSubject`, { userId: outside.user }],
    ['POST', `/v1.0/users/${inside.user}/exportPersonalData`, { requestId: outside.request }],
    ['GET', `/v1.0/users/${inside.user}/managedDevices/${outside.device}`],
  ]) { const x = await r.api(method, where, { body, ...mine }); assert.ok([403, 404].includes(x.status), `${method} ${where}: ${x.status} ${x.text.slice(0, 200)}`); clean(x.text, where); }
  // the same words for what is out of reach and what never was, whatever the body is
  for (const body of [{ notes: 'x' }, { nothing: 1 }]) {
    const [x, y] = await Promise.all([outside.device, '01999999-9999-7999-8999-999999999999'].map(id => r.api('PATCH', `${DM}/managedDevices/${id}`, { body, ...mine })));
    assert.deepEqual([x.status, x.json.error.code, x.json.error.message], [y.status, y.json.error.code, y.json.error.message]);
  }
  for (const directoryScopeId of [`/groups/${inside.own}`, '/groups/x']) {
    const [x, y] = await Promise.all([outside.user, '01999999-9999-7999-8999-999999999999'].map(principalId => r.refused(400, 'POST', '/v1.0/roleManagement/directory/roleAssignments', { body: { principalId, roleDefinitionId: inside.role, directoryScopeId }, ...mine })));
    assert.equal(x.message, y.message);
  }
  const events = await r.events(`actor/applicationId eq '${desk.id}'`);
  for (const type of ['patch ManagedDevice', 'wipe ManagedDevice', 'exportPersonalData User', 'patch User']) assert.ok(events.some(e => e.activityType === type && e.activityResult === 'Failure'), `${type} was refused, and is an event`);
});

testOnEngines('15 counts, expansions, filters, batches and pages agree', async engine => {
  const r = await one(engine), { inside, outside, desk } = worlds.get(engine), mine = { token: desk.token };
  const users = await r.all('/v1.0/users', mine), devices = await r.all(`${DM}/managedDevices`, mine);
  assert.deepEqual(users.map(u => u.id), [inside.user]);
  assert.equal(devices.length, 2);
  assert.equal((await r.api('GET', '/v1.0/users/$count', { ...mine, headers: { ConsistencyLevel: 'eventual' } })).text, '1');
  assert.equal((await r.api('GET', `${DM}/managedDevices/$count`, mine)).text, '2');
  const page = await r.get(`${DM}/managedDevices?$top=1`, mine);
  assert.equal(page['@odata.count'], 2);
  assert.equal((await r.get(page['@odata.nextLink'], mine)).value.length, 1);
  await r.refused(400, 'GET', page['@odata.nextLink']); // it is not whoever sees all who may go on
  for (const [list, f] of [['users', `userPrincipalName eq '${outside.upn}'`], ['users', `id eq '${outside.user}'`], ['deviceManagement/managedDevices', `userId eq '${outside.user}'`], ['deviceManagement/managedDevices', `userPrincipalName eq '${outside.upn}'`],
    ['deviceManagement/auditEvents', `subjectId eq '${outside.user}'`], ['deviceManagement/auditEvents', `resources/resourceId eq '${outside.device}'`], ['deviceManagement/erasureDuties', `subjectId eq '${outside.deleted}'`], ['dataPolicyOperations', `userId eq '${outside.user}'`]])
    assert.deepEqual((await r.get(`/v1.0/${list}?$filter=${encodeURIComponent(f)}&$count=true`, mine)).value, [], f);
  for (const where of ['/v1.0/users?$expand=managedDevices', '/v1.0/groups?$expand=members', `/v1.0/groups/${outside.own}?$expand=members`, `${DM}/managedDevices?$expand=users`, `${DM}/managedDevices?$expand=detectedApps`]) {
    const x = await r.api('GET', where, mine);
    assert.equal(x.status, 200, x.text);
    clean(x.text, where);
    if (!where.includes(outside.own)) assert.match(x.text, new RegExp(INSIDE, 'i'));
  }
  assert.equal((await r.get(`${DM}/detectedApps`, mine)).value.find(a => a.displayName === 'shared-package').deviceCount, 1);
  assert.equal((await r.get(`${DM}/detectedApps`)).value.find(a => a.displayName === 'shared-package').deviceCount, 2);
  const batch = await r.post('/v1.0/$batch', { requests: [`/users/${outside.user}`, '/users', `/deviceManagement/managedDevices/${outside.device}`, `/users/${inside.user}`].map((url, i) => ({ id: `${i}`, method: 'GET', url })) }, mine);
  assert.deepEqual(batch.responses.sort((a, b) => a.id - b.id).map(x => x.status), [404, 200, 404, 200]);
  clean(JSON.stringify(batch), 'batch');
  // changes are told of those within reach
  const { '@odata.deltaLink': link } = await r.get('/v1.0/users/delta?$deltatoken=latest', mine);
  await r.ok('PATCH', `/v1.0/users/${outside.user}`, { body: { city: OUTSIDE } });
  await r.ok('PATCH', `/v1.0/users/${inside.user}`, { body: { city: INSIDE } });
  await r.ok('PATCH', `/v1.0/users/${inside.user}`, { body: { officeLocation: INSIDE } });
  const changes = await until('the changes', async () => { const x = await r.get(link, mine); return x.value.length && x; });
  assert.deepEqual(changes.value.map(u => u.id), [inside.user]);
});

testOnEngines('15 files hold what whoever asked could see, and are theirs', async engine => {
  const r = await one(engine), { inside, desk } = worlds.get(engine), mine = { token: desk.token };
  const job = await r.post(`${DM}/reports/exportJobs`, { reportName: 'DevicesWithInventory' }, mine);
  const made = await until('the report', async () => { const x = await r.get(`${DM}/reports/exportJobs/${job.id}`, mine); return x.status === 'completed' && x; });
  const zip = path.join(r.tmp, 'scoped.zip'), text = async (url, o) => { const x = await r.api('GET', url, o); assert.equal(x.status, 200, x.text); return x.bytes; };
  fs.writeFileSync(zip, await text(made.url, { token: null }));
  const csv = execFileSync('unzip', ['-p', zip], { encoding: 'utf8' });
  clean(csv, 'the report');
  assert.match(csv, new RegExp(INSIDE, 'i'));
  assert.equal(csv.trim().split('\n').length, 3);
  const asked = await r.post(`${DM}/auditLog/exports`, { format: 'ndjson' }, mine);
  await until('the file of the log', async () => (await r.get(`${DM}/auditLog/exports/${asked.id}`, mine)).status === 'completed');
  const log = (await text(`${DM}/auditLog/exports/${asked.id}/content`, mine)).toString();
  clean(log, 'the file of the log');
  assert.ok(log.includes(inside.user));
  await r.refused(403, 'POST', `${DM}/auditLog/exports`, { body: { format: 'archive' }, ...mine });
  // nobody else's, and nobody else with other groups
  assert.deepEqual((await r.all(`${DM}/reports/exportJobs`, mine)).map(x => x.id), [job.id]);
  assert.deepEqual((await r.all(`${DM}/auditLog/exports`, mine)).map(x => x.id), [asked.id]);
  const other = await program(r, `Other desk ${engine}`, ['Administrator'], inside.own);
  for (const where of [`${DM}/reports/exportJobs/${job.id}`, `${DM}/auditLog/exports/${asked.id}`, `${DM}/auditLog/exports/${asked.id}/content`]) await r.refused(404, 'GET', where, { token: other.token });
});

testOnEngines('15 groups: who may be moved, and reach follows membership at once', async engine => {
  const r = await one(engine), { inside, outside, desk } = worlds.get(engine), mine = { token: desk.token };
  const ref = id => ({ '@odata.id': `https://x/v1.0/directoryObjects/${id}` });
  await r.ok('POST', `/v1.0/groups/${inside.group}/members/$ref`, { body: ref(inside.user), ...mine });
  await r.ok('DELETE', `/v1.0/groups/${inside.group}/members/${inside.user}/$ref`, mine);
  await r.refused(403, 'DELETE', `/v1.0/groups/${inside.own}/members/${inside.user}/$ref`, mine);
  const other = await program(r, `Third desk ${engine}`, ['Help Desk Operator'], outside.own);
  await r.refused(403, 'POST', `/v1.0/groups/${outside.own}/members/$ref`, { body: ref(inside.user), ...mine });
  await r.ok('DELETE', `/v1.0/groups/${inside.own}/members/${inside.user}/$ref`);
  assert.deepEqual(await r.all('/v1.0/users', mine), []);
  await r.refused(404, 'GET', `/v1.0/users/${inside.user}`, mine);
  assert.deepEqual(await r.all(`${DM}/managedDevices`, mine), []);
  await r.post(`/v1.0/groups/${inside.own}/members/$ref`, ref(inside.user));
  await r.get(`/v1.0/users/${inside.user}`, mine);
  await r.get(`/v1.0/users/${outside.user}`, { token: other.token });
});

testOnEngines('15 within reach everything is as without scope groups', async engine => {
  const r = await one(engine), { inside, desk } = worlds.get(engine), mine = { token: desk.token }, device = `${DM}/managedDevices/${inside.device}`, base = `/v1.0/users/${inside.user}`;
  for (const [method, where, body] of [['PATCH', base, { city: 'x' }], ['PATCH', device, { notes: 'x' }], ['POST', `${device}/syncDevice`], ['POST', `${DM}/enrollmentTokens`, { userId: inside.user, ownerType: 'personal' }],
    ['DELETE', `${DM}/enrollmentTokens/${inside.token}`], ['POST', `${DM}/ownershipChanges/${inside.change}/refuse`], ['POST', `${DM}/dataSubjectRequests`, { type: 'objection', userId: inside.user }],
    ['POST', `${DM}/dataSubjectRequests/${inside.request}/verify`, { method: 'document' }], ['POST', `${base}/restrictProcessing`, {}], ['POST', `${base}/unrestrictProcessing`, {}], ['POST', `${base}/exportPersonalData`, {}],
    ['POST', `${device}/retire`], ['POST', `/v1.0/directory/deletedItems/${inside.deleted}/restore`], ['DELETE', `/v1.0/users/${inside.deleted}`], ['POST', `${device}/cancelAction`]]) {
    const x = await r.api(method, where, { body, ...mine });
    if (where.endsWith('/refuse') && x.status === 409) continue; // of a change that needed nobody
    assert.ok(x.status >= 200 && x.status < 300, `${method} ${where}: ${x.status} ${x.text.slice(0, 300)}`);
  }
  const done = await r.post(`${DM}/managedDevices/executeAction`, { actionName: 'syncDevice', deviceIds: [inside.device] }, mine);
  assert.deepEqual([done.successfulDeviceIds, done.notFoundDeviceIds], [[inside.device], []]);
});

test('15 a bundle is read by whoever asked for it, or by officers', async () => {
  const r = await one(), { inside } = worlds.get('sqlite');
  const officer = await program(r, 'Officer', ['Privacy Officer']), second = await program(r, 'Second officer', ['Privacy Officer']);
  const make = async o => { const x = await r.post(`/v1.0/users/${inside.user}/exportPersonalData`, {}, o); await until('the export', async () => (await r.get(`/v1.0/dataPolicyOperations/${x.id}`, o)).status === 'complete'); return `/v1.0/dataPolicyOperations/${x.id}`; };
  const theirs = await make({ token: officer.token }), mine = await make();
  assert.match((await r.refused(403, 'GET', `${theirs}/content`)).message, /PrivacyBundles\.Read\.All/);
  await r.refused(403, 'POST', `${theirs}/createLink`);
  assert.equal((await r.get(theirs)).status, 'complete', 'that it is there is no secret');
  for (const o of [{ token: officer.token }, { token: second.token }]) for (const where of [theirs, mine]) assert.equal((await r.api('GET', `${where}/content`, o)).status, 200);
  assert.equal((await r.api('GET', `${mine}/content`)).status, 200);
  const link = await r.post(`${theirs}/createLink`, {}, { token: officer.token });
  assert.equal((await r.api('GET', link.url, { token: null })).status, 200, 'a link stands for whoever handed it out');
  assert.ok((await r.events("activityType eq 'download PersonalDataExport'")).some(e => e.activityResult === 'Failure'));
  // nor by sending the answer of a case elsewhere
  const cases = `${DM}/dataSubjectRequests`, by = { token: officer.token }, q = (await r.post(cases, { type: 'access', userId: inside.user, contact: 'inside@home.example' }, by)).id;
  await r.ok('PATCH', `${cases}/${q}`, { body: { contact: 'other@home.example' } });
  for (const [step, body] of [['verify', { method: 'document' }], ['discover', {}], ['decide', { decision: 'grant' }]]) await r.post(`${cases}/${q}/${step}`, body, by);
  for (const contact of ['mallory@evil.example', null]) assert.match((await r.refused(403, 'PATCH', `${cases}/${q}`, { body: { contact } })).message, /PrivacyBundles\.Read\.All/);
  await r.ok('PATCH', `${cases}/${q}`, { body: { statement: 'As she said.' } });
  assert.equal((await r.ok('PATCH', `${cases}/${q}`, { body: { contact: 'third@home.example' }, token: second.token })).contact, 'third@home.example');
});

test('15 exports go to addresses on the list and nowhere else', async () => {
  const r = await one(), { inside } = worlds.get('sqlite'), ask = storageLocation => r.api('POST', `/v1.0/users/${inside.user}/exportPersonalData`, { body: { storageLocation } });
  const none = await ask('https://store.example/exports/a.zip?sig=KEYKEY');
  assert.equal(none.status, 403, none.text);
  assert.match(none.json.error.message, /storageLocations/);
  assert.ok(!/KEYKEY/.test(none.text + JSON.stringify(await r.events("activityType eq 'exportPersonalData User'"))));
  assert.ok((await r.events("activityType eq 'exportPersonalData User'")).some(e => e.activityResult === 'Failure'));
  for (const urlPrefix of ['http://store.example/', 'https://user@store.example/', 'https://store.example/?x=1', 'https://store.example/a/../b', 'https://store.example/a%2fb', 'store.example', 'https://']) await r.refused(400, 'POST', `${DM}/storageLocations`, { body: { displayName: 'x', urlPrefix } });
  const place = await r.post(`${DM}/storageLocations`, { displayName: 'Store', urlPrefix: 'https://store.example/exports' });
  await r.refused(409, 'POST', `${DM}/storageLocations`, { body: { displayName: 'Again', urlPrefix: 'https://store.example/exports' } });
  for (const bad of ['https://store.example/other/a.zip', 'https://store.example/exportsx/a', 'https://store.example:8443/exports/a', 'https://store.example.evil.example/exports/a', 'https://store.example/exports/../other', 'https://store.example/exports/%2e%2e/other', 'https://store.example/exports%2fa', 'https://store.example?/exports/'])
    assert.equal((await ask(bad)).status, 403, bad);
  for (const good of ['https://store.example/exports/a.zip?sig=x', 'https://STORE.example:443/exports/a/b', 'https://store.example/exports']) assert.equal((await ask(good)).status, 202, good);
  assert.equal((await r.get(`${DM}/storageLocations/${place.id}`)).urlPrefix, 'https://store.example/exports');
  // the key to the store in such an address is of whoever gave it
  const kept = (await ask('https://store.example/exports/b.zip?sig=KEYKEY')).json, other = { token: (await program(r, 'Curious', ['Administrator'])).token };
  const seen = async o => [(await r.get(`/v1.0/dataPolicyOperations/${kept.id}`, o)).storageLocation, (await r.all('/v1.0/dataPolicyOperations', o)).find(x => x.id === kept.id).storageLocation];
  for (const [o, location] of [[undefined, 'https://store.example/exports/b.zip?sig=KEYKEY'], [other, 'https://store.example/exports/b.zip']]) for (const x of await seen(o)) assert.ok([location, ''].includes(x), x);
  await r.ok('DELETE', `${DM}/storageLocations/${place.id}`);
  assert.equal((await ask('https://store.example/exports/a.zip')).status, 403);
  for (const type of ['create StorageLocation', 'delete StorageLocation']) assert.ok((await r.events(`activityType eq '${type}'`)).length > 0, type);
});
