// SPDX-License-Identifier: Apache-2.0
// Reading the audit log as investigators and their tools do: filters, the tail, directoryAudits, who read what, and what strangers leave in it.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { Reeve, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const q = encodeURIComponent;
const NOBODY = '01999999-9999-7999-8999-999999999999';
const sequenced = r => until('all is sequenced', () => /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending')));
const hex = (r, id) => (r.engine === 'sqlite' ? `x'${id.replaceAll('-', '')}'` : `'\\x${id.replaceAll('-', '')}'`);

// The log itself: ids in the order of their indexes.
function leaves(r, tenant = r.tenant) {
  const text = r.engine === 'sqlite' ? 'lower(hex(event_id))' : "encode(event_id, 'hex')";
  const out = r.sql(`SELECT ${text} AS e FROM audit_leaves WHERE tenant_id = ${hex(r, tenant)} ORDER BY leaf_index`);
  const list = r.engine === 'sqlite' ? JSON.parse(out || '[]').map(x => x.e) : out.trim().split('\n');
  return list.map(e => e.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, '$1-$2-$3-$4-$5'));
}

testOnEngines('54 every filter finds exactly what it says, in both versions', async engine => {
  const r = await one(engine), upn = 'filter.person@acme.example', correlation = randomUUID();
  const u = await r.user(upn), d = await r.device(upn, 'personal'), g = await r.group('Filter group', [u.id]);
  await r.api('PATCH', `/v1.0/users/${u.id}`, { body: { jobTitle: 'Smith' }, headers: { 'client-request-id': correlation } });
  await r.api('PATCH', `/v1.0/users/${NOBODY}`, { body: { jobTitle: 'x' } });
  await r.ok('POST', `${DM}/managedDevices/${d.id}/retire`);
  d.sync();
  const me = (await r.events("activityType eq 'create User'"))[0].actor;
  for (const version of ['v1.0', 'beta']) {
    const at = `/${version}/deviceManagement/auditEvents`, [actorType, resourceType] = version === 'beta' ? ['type', 'type'] : ['auditActorType', 'auditResourceType'];
    const all = await r.all(`${at}?$top=500`), about = e => e.resources[0], low = s => (s ?? '').toLowerCase();
    const mid = all[Math.floor(all.length / 2)].activityDateTime;
    const cases = [
      [`activityDateTime ge ${mid}`, e => e.activityDateTime >= mid], [`activityDateTime lt ${mid}`, e => e.activityDateTime < mid],
      ["category eq 'device'", e => e.category === 'Device'], ["category ne 'Device'", e => e.category !== 'Device'], ["category in ('ROLE','Enrollment')", e => /^(Role|Enrollment)$/.test(e.category)],
      ["category eq 'Nonsense'", () => false],
      ["activityType eq 'RETIRE manageddevice'", e => e.activityType === 'retire ManagedDevice'], ["startswith(activityType,'Create ')", e => low(e.activityType).startsWith('create ')],
      ["endswith(activityType,'user')", e => low(e.activityType).endsWith('user')], ["activityOperationType eq 'patch'", e => e.activityOperationType === 'Patch'],
      ["activityResult eq 'failure'", e => e.activityResult === 'Failure'], ["componentName eq 'manageddevice'", e => e.componentName === 'ManagedDevice'],
      [`correlationId eq ${correlation}`, e => e.correlationId === correlation], [`correlationId eq '${correlation.toUpperCase()}'`, e => e.correlationId === correlation],
      [`actor/applicationId eq '${me.applicationId}'`, e => e.actor.applicationId === me.applicationId], [`actor/userId eq '${me.applicationId}'`, () => false],
      ["actor/applicationDisplayName eq 'administrator'", e => low(e.actor.applicationDisplayName) === 'administrator'], ["contains(actor/applicationDisplayName,'agent')", e => low(e.actor.applicationDisplayName).includes('agent')],
      ["actor/servicePrincipalName eq 'Administrator'", e => e.actor.servicePrincipalName === 'Administrator'], ['actor/servicePrincipalName eq null', e => e.actor.servicePrincipalName === null],
      ["actor/ipAddress eq '127.0.0.1'", e => e.actor.ipAddress === '127.0.0.1'], ["actor/ipAddress ne '127.0.0.1'", e => e.actor.ipAddress !== '127.0.0.1'],
      [`actor/${actorType} eq 'device'`, e => e.actor[actorType] === 'Device'], [`actor/${actorType} in ('System','Device')`, e => /^(System|Device)$/.test(e.actor[actorType])],
      [`actor/userPrincipalName eq '${upn.toUpperCase()}'`, e => low(e.actor.userPrincipalName) === upn],
      [`resources/any(r:r/resourceId eq '${d.id}')`, e => about(e).resourceId === d.id], [`resources/resourceId eq '${d.id}'`, e => about(e).resourceId === d.id],
      [`resources/any(x: x/${resourceType} eq 'manageddevice' and contains(x/displayName,'${d.name.slice(0, 6).toUpperCase()}'))`, e => about(e)[resourceType] === 'ManagedDevice' && low(about(e).displayName).includes(d.name.slice(0, 6).toLowerCase())],
      [`not resources/any(r:r/displayName eq 'filter group')`, e => low(about(e).displayName) !== 'filter group'],
      [`category eq 'Device' and (activityResult eq 'Success' or startswith(activityType,'wipe')) and not (actor/${actorType} eq 'Device')`, e => e.category === 'Device' && e.activityResult === 'Success' && e.actor[actorType] !== 'Device'],
      [`resources/any(r:r/resourceId eq '${g.id}') and category eq 'Other'`, e => about(e).resourceId === g.id && e.category === 'Other'],
    ];
    for (const [filter, wanted] of cases) {
      const got = await r.all(`${at}?$top=500&$filter=${q(filter)}`), known = new Set(all.map(e => e.id));
      assert.deepEqual(got.filter(e => known.has(e.id)).map(e => e.id), all.filter(wanted).map(e => e.id), `${version} ${filter}`);
    }
    assert.ok(cases.filter(([, f]) => all.some(f)).length > cases.length - 5, 'the cases are not empty');
    const other = version === 'beta' ? 'actor/auditActorType' : 'actor/type';
    await r.refused(400, 'GET', `${at}?$filter=${q(`${other} eq 'Device'`)}`);
    const beta = all[0].actor;
    assert.deepEqual([beta.remoteTenantId, beta.remoteUserId, beta.userRoleScopeTags], version === 'beta' ? [null, null, []] : [undefined, undefined, undefined]);
    // both directions, in small pages, are one another's reverse
    const up = await r.all(`${at}?$top=7&$orderby=activityDateTime&$filter=${q(`activityDateTime le ${all[0].activityDateTime}`)}&$select=id`);
    const before = new Set(all.map(e => e.id)); // a job's events of one moment may be committed one after the other
    assert.deepEqual(up.map(e => e.id).filter(id => before.has(id)), all.map(e => e.id).reverse());
    for (const bad of ['$search=x', '$expand=actor']) await r.refused(501, 'GET', `${at}?${bad}`);
    for (const bad of ["resources/any(r:r/id eq 'x')", "resources/all(r:r/resourceId eq 'x')", 'bytes eq null', "actor/userId eq 'x'"]) await r.refused(400, 'GET', `${at}?$filter=${q(bad)}`);
    for (const name of ['getAuditCategories', 'getAuditCategories()', 'microsoft.graph.getAuditCategories', 'microsoft.graph.getAuditCategories()', 'getAuditCategories()?$top=99'])
      assert.equal((await r.get(`${at}/${name}`)).value.length, 16, name);
    assert.deepEqual((await r.get(`${at}/getAuditCategories?$skip=1&$top=2&$count=true`)), { '@odata.context': `${r.url}/${version}/$metadata#Collection(Edm.String)`, '@odata.count': 16, value: ['Enrollment', 'Compliance'] });
    for (const name of ["getAuditActivityTypes(category='Device')", "microsoft.graph.getAuditActivityTypes(category='device')", "getAuditActivityTypes(category=%27Device%27)"]) {
      const types = (await r.get(`${at}/${name}`)).value;
      assert.ok(types.includes('retire ManagedDevice') && !types.includes('create User'), name);
    }
    assert.deepEqual((await r.get(`${at}/getAuditActivityTypes(category='Nonsense')`)).value, []);
    await r.refused(501, 'GET', `${at}/getAuditCategories?$filter=x%20eq%201`);
  }
  // about whom, not only by whom
  const mine = await r.events(`subjectId eq '${u.id}'`), what = new Set(mine.map(e => e.activityType));
  for (const type of ['create User', 'patch User', 'enroll ManagedDevice', 'retire ManagedDevice', 'addMember Group', 'create EnrollmentToken']) assert.ok(what.has(type), type);
  // as Intune's: the directory's device, and how it was asked for
  const retire = (await r.events(`activityType eq 'retire ManagedDevice' and resources/any(r:r/resourceId eq '${d.id}')`))[0].resources[0].modifiedProperties;
  assert.match(retire.find(p => p.displayName === 'AzureADDeviceId').newValue, /^[0-9a-f-]{36}$/);
  assert.equal(retire.find(p => p.displayName === 'DeviceManagementAPIVersion').newValue, '1.0');
});

// Follows the log as a SIEM does, from where it stopped.
class Follower {
  constructor(r, link) { Object.assign(this, { r, link, seen: [] }); }
  async go(rounds = 1000) {
    for (let i = 0; i < rounds; i++) {
      const page = await this.r.get(this.link);
      assert.ok(!page['@odata.nextLink'] !== !page['@odata.deltaLink'], 'one of both links');
      this.seen.push(...page.value);
      this.link = page['@odata.nextLink'] ?? page['@odata.deltaLink'];
      if (page['@odata.deltaLink']) break;
    }
    return this.seen.map(e => e.id);
  }
}

testOnEngines('54 the tail of the log loses and repeats nothing: eight writers, small pages, a restart', async engine => {
  const r = await Reeve.make({ engine }), at = `${DM}/auditEvents/delta`;
  const all = new Follower(r, `${at}?$top=20`), groups = new Follower(r, `${at}?$filter=${q("activityType eq 'create Group'")}&$top=9`), late = new Follower(r, `${at}?$deltatoken=latest`);
  assert.deepEqual(await late.go(), []);
  let stop = false, made = 0;
  const writers = Array.from({ length: 8 }, async (_, w) => {
    while (!stop) {
      try { await (made % 3 ? r.user(`tail${w}.${made}.${Math.random()}@acme.example`) : r.group(`Tail ${w} ${made}`)); made++; } catch { await new Promise(x => setTimeout(x, 100)); }
    }
  });
  const watch = async () => { await all.go(3); await groups.go(2); };
  for (let i = 0; i < 25; i++) await watch();
  const restart = r.restart();
  for (const end = Date.now() + 3000; Date.now() < end;) { try { await watch(); } catch { /* it is away */ } await new Promise(x => setTimeout(x, 50)); }
  await restart;
  for (let i = 0; i < 25; i++) await watch();
  stop = true;
  await Promise.all(writers);
  assert.ok(made > 50, `${made} changes`);
  await sequenced(r);
  await all.go();
  const log = leaves(r), seen = all.seen.map(e => e.id), from = await late.go();
  assert.deepEqual(seen, log.slice(0, seen.length), 'what was seen is the log');
  assert.ok(seen.length > made && seen.length === log.length);
  assert.deepEqual(await groups.go(), all.seen.filter(e => e.activityType === 'create Group').map(e => e.id));
  assert.ok(from.length > 50);
  assert.deepEqual(from, log.slice(-from.length), 'from now on');
  const before = all.seen.length;
  await all.go();
  assert.equal(all.seen.length, before, 'nothing is new');
  const whole = new Follower(r, '/beta/deviceManagement/auditEvents/microsoft.graph.delta()?$select=id,activityType');
  assert.deepEqual(await whole.go(), log);
  assert.deepEqual(Object.keys(whole.seen[0]).sort(), ['activityType', 'id']);
  const small = await r.api('GET', `${DM}/auditEvents/delta`, { headers: { Prefer: 'odata.maxpagesize=3' } });
  assert.deepEqual([small.json.value.length, small.headers['preference-applied']], [3, 'odata.maxpagesize=3']);
  // a token belongs to its tenant, its filter and its log
  const token = new URL(all.link).searchParams.get('$deltatoken'), second = await r.secondTenant();
  await r.refused(400, 'GET', `${DM}/auditEvents/delta?$deltatoken=${token}`, { token: second.token });
  await r.refused(400, 'GET', `${DM}/auditEvents/delta?$deltatoken=${token}&$filter=${q("category eq 'Role'")}`);
  for (const bad of ['$orderby=activityDateTime', '$skip=1', '$count=true', '$top=0', '$deltatoken=xyz', `$deltatoken=${token}&$skiptoken=${token}`, '$select=nothing', '$filter=nothing%20eq%201'])
    await r.refused(400, 'GET', `${DM}/auditEvents/delta?${bad}`);
  await r.refused(400, 'GET', `${DM}/auditEvents?$deltatoken=${token}`);
  const parts = Buffer.from(token, 'base64url').toString().split('.');
  for (const [generation, index] of [['7', parts[2]], ['1', '999999999']]) {
    const gone = await r.api('GET', `${DM}/auditEvents/delta?$top=5&$deltatoken=${Buffer.from([parts[0], generation, index, parts[3]].join('.')).toString('base64url')}`);
    assert.deepEqual([gone.status, gone.json.error.code, gone.headers.location], [410, 'syncStateNotFound', `${r.url}${DM}/auditEvents/delta?$top=5`]);
    assert.equal((await r.get(gone.headers.location)).value.length, 5);
  }
});

testOnEngines('54 directoryAudits are the directory\'s changes in Entra\'s words', async engine => {
  const r = await one(engine), correlation = randomUUID(), upn = 'entra.person@acme.example';
  const u = await r.user(upn), g = await r.group('Entra group', [u.id]);
  await r.ok('PATCH', `/v1.0/groups/${g.id}`, { body: { displayName: 'Entra team' }, headers: { 'client-request-id': correlation } });
  await r.get(`/v1.0/users/${u.id}`);
  await r.ok('DELETE', `/v1.0/groups/${g.id}/members/${u.id}/$ref`);
  await r.api('PATCH', `/v1.0/groups/${NOBODY}`, { body: { displayName: 'x' } });
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Auditor').id;
  const a = await r.post('/v1.0/applications', { displayName: 'Entra app', roleDefinitionId: role });
  const secret = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
  for (const version of ['v1.0', 'beta']) {
    const at = `/${version}/auditLogs/directoryAudits`, all = await r.all(`${at}?$top=50`);
    const events = await r.events("componentName eq 'Directory' and activityOperationType ne 'Get'");
    assert.deepEqual(all.map(e => e.id), events.map(e => e.id), 'the same events');
    for (const e of all) {
      assert.deepEqual(Object.keys(e), ['id', 'category', 'correlationId', 'result', 'resultReason', 'activityDisplayName', 'activityDateTime', 'loggedByService', 'operationType', 'initiatedBy', 'targetResources', 'additionalDetails']);
      assert.deepEqual(Object.keys(e.initiatedBy).sort(), ['app', 'user']);
      assert.ok(e.category && e.activityDisplayName && e.operationType, JSON.stringify(e));
    }
    const patch = all.find(e => e.correlationId === correlation);
    assert.deepEqual([patch.category, patch.activityDisplayName, patch.operationType, patch.result, patch.resultReason], ['GroupManagement', 'Update group', 'Update', 'success', '']);
    assert.deepEqual(patch.targetResources, [{ id: g.id, displayName: 'Entra team', type: 'Group', userPrincipalName: null, groupType: null, modifiedProperties: [{ displayName: 'displayName', oldValue: '["Entra group"]', newValue: '["Entra team"]' }] }]);
    assert.equal(patch.initiatedBy.user, null);
    assert.equal(patch.initiatedBy.app.displayName, 'Administrator');
    assert.deepEqual(patch.additionalDetails, [{ key: 'ipAddress', value: '127.0.0.1' }]);
    assert.ok(!JSON.stringify(all).includes(secret.secretText));
    const app = patch.initiatedBy.app.appId, mid = all[Math.floor(all.length / 2)].activityDateTime;
    for (const [filter, wanted] of [
      ["activityDisplayName eq 'add member to group'", e => e.activityDisplayName === 'Add member to group'], ["startswith(activityDisplayName,'Add')", e => e.activityDisplayName.startsWith('Add')],
      ["category eq 'usermanagement'", e => e.category === 'UserManagement'], ["result eq 'failure'", e => e.result === 'failure'], [`correlationId eq '${correlation}'`, e => e.correlationId === correlation],
      ["loggedByService eq 'Core Directory'", () => true], ["operationType eq 'Assign'", e => e.operationType === 'Assign'], [`activityDateTime le ${mid}`, e => e.activityDateTime <= mid],
      [`initiatedBy/app/appId eq '${app}'`, e => e.initiatedBy.app?.appId === app], ["initiatedBy/app/displayName eq 'Administrator'", e => e.initiatedBy.app?.displayName === 'Administrator'],
      [`initiatedBy/user/id eq '${app}'`, () => false], ["initiatedBy/user/userPrincipalName eq 'nobody@acme.example'", () => false],
      [`targetResources/any(t:t/id eq '${g.id}')`, e => e.targetResources.some(t => t.id === g.id)], [`targetResources/any(t: t/id eq '${u.id}')`, e => e.targetResources.some(t => t.id === u.id)],
      ["targetResources/any(t:startswith(t/displayName,'entra'))", e => /^entra/i.test(e.targetResources[0].displayName ?? '')],
    ]) assert.deepEqual((await r.all(`${at}?$top=50&$filter=${q(filter)}`)).map(e => e.id), all.filter(wanted).map(e => e.id), filter);
    assert.equal(all.filter(e => e.targetResources.some(t => t.id === u.id)).length, 3, 'made, added, removed');
    assert.deepEqual(await r.get(`${at}/${patch.id}?$select=result`), { '@odata.context': `${r.url}/${version}/$metadata#auditLogs/directoryAudits(result)/$entity`, result: 'success' });
    const retire = (await r.events("activityType eq 'read User'"))[0];
    await r.refused(404, 'GET', `${at}/${retire.id}`);
    await r.refused(405, 'POST', at, { body: {} });
    await r.refused(405, 'DELETE', `${at}/${patch.id}`);
  }
});

testOnEngines('54 who reads the log, and who looks at a person, is recorded once a day', async engine => {
  const r = await Reeve.make({ engine }), u = await r.user('looked.at@acme.example'), v = await r.user('not.looked.at@acme.example');
  const d = await r.device('looked.at@acme.example', 'personal');
  const looks = [`/v1.0/users/${u.id}`, '/v1.0/users/LOOKED.at@acme.example', `/v1.0/users/${u.id}/memberOf`, `/v1.0/users/${u.id}/managedDevices`, `/v1.0/users/${u.id}/managedDevices/${d.id}`,
    `/v1.0/users/${u.id}/managedDevices/${d.id}/detectedApps`, `/v1.0/users/${u.id}/managedDevices/$count`, `/v1.0/users/${u.id}/erasurePreview`];
  const where = `activityType eq 'read User'`;
  assert.deepEqual(await r.events(where), []);
  await r.get('/v1.0/users'); // a list is nobody's page
  assert.deepEqual(await r.events(where), []);
  await Promise.all(looks.map(w => r.api('GET', w)));
  for (const w of looks) assert.equal((await r.api('GET', w)).status, 200, w);
  const once = await r.events(where);
  assert.equal(once.length, 1);
  assert.deepEqual([once[0].resources[0].resourceId, once[0].activityOperationType, once[0].actor.applicationDisplayName], [u.id, 'Get', 'Administrator']);
  assert.deepEqual((await r.events(`${where} and subjectId eq '${u.id}'`)).map(e => e.id), [once[0].id]);
  // another reader, another person, another process
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Auditor').id;
  const a = await r.post('/v1.0/applications', { displayName: 'Other', roleDefinitionId: role }), s = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
  const token = await r.signIn(r.tenant, a.id, s.secretText);
  await r.restart();
  for (let i = 0; i < 3; i++) for (const w of looks.slice(0, 2)) await r.get(w);
  const other = await r.api('GET', looks[0], { token });
  await r.get(`/v1.0/users/${v.id}`);
  assert.equal((await r.events(where)).length, other.status === 200 ? 3 : 2);
  await r.ok('DELETE', `/v1.0/users/${v.id}`);
  await r.get(`/v1.0/directory/deletedItems/${v.id}`);
  await r.refused(404, 'GET', `/v1.0/directory/deletedItems/${NOBODY}`);
  assert.equal((await r.events(where)).length, other.status === 200 ? 3 : 2);
  for (let i = 0; i < 3; i++) { await r.events(); await r.get('/v1.0/auditLogs/directoryAudits'); await r.get(`${DM}/auditEvents/delta`); }
  await r.get(`${DM}/auditEvents/$count`).catch(() => {});
  const reads = await r.events("activityType eq 'read AuditLog'");
  assert.equal(new Set(reads.map(e => e.actor.applicationId)).size, reads.length, 'one of each reader');
});

// Raw bytes to a listener, and what it answers.
const raw = (r, bytes, port = r.port) => new Promise((resolve, reject) => {
  const s = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => s.write(bytes));
  let text = '';
  s.on('data', x => { text += x; });
  s.on('close', () => resolve(text));
  s.on('error', reject);
});
const refusals = async r => (await r.events("activityType eq 'refused Requests'", { token: r.operatorToken }))
  .map(e => ({ ...Object.fromEntries(e.resources[0].modifiedProperties.map(p => [p.displayName, p.newValue])), event: e }));

testOnEngines('54 five hundred refusals from one address are one event of the installation, in words of ours', async engine => {
  const r = await Reeve.make({ engine });
  const canary = 'canary-in-what-they-send';
  for (let i = 0; i < 25; i++)
    await Promise.all(Array.from({ length: 20 }, (_, k) => r.api('GET', `/v1.0/users/${canary}`, { token: k % 2 ? null : `${canary}.${i}.${k}` })));
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  for (let i = 0; i < 30; i++) await r.api('POST', `/${r.tenant}/oauth2/v2.0/token`, { token: null, headers: form, raw: `grant_type=client_credentials&client_id=${r.clientId ?? NOBODY}&client_secret=${canary}` });
  await r.api('GET', `/v1.0/${canary}`, { token: null });
  await r.channel('checkin', {});
  await raw(r, `GET / HTTP/1.1\r\nHost: a\r\nHost: ${canary}\r\n\r\n`);
  await r.restart(); // what is in memory is written at the end
  const list = await refusals(r);
  assert.equal(list.length, 1, JSON.stringify(list));
  const [e] = list;
  assert.equal(e.source, '127.0.0.1');
  assert.equal(e.event.actor.ipAddress, '127.0.0.1');
  assert.equal(e.event.activityResult, 'Failure');
  assert.equal(Number(e.count), 533);
  assert.match(e.kinds, /401 send an access token[^;]*: 250/);
  assert.match(e.kinds, /401 the (access )?token [^;]*: 250/);
  assert.match(e.kinds, /401 invalid_client: 30/);
  assert.ok(Date.parse(e.firstDateTime) <= Date.parse(e.lastDateTime));
  assert.ok(!JSON.stringify(e).includes('canary'));
  assert.ok((await r.events("activityType eq 'signIn Application' and activityResult eq 'Failure'")).length <= 2, 'at most one a minute');
  assert.deepEqual(await r.events("activityType eq 'refused Requests'"), [], 'the tenants do not see the installation\'s');
});

test('54 a thousand forged addresses leave a bounded number of events', async () => {
  const r = await Reeve.make({ serve: false });
  const conf = path.join(r.dir, 'reeve.conf'), text = fs.readFileSync(conf, 'utf8');
  fs.writeFileSync(conf, `${text.replace(/^proxies.*$/m, '')}\nproxies = 127.0.0.1\n`);
  await r.serve();
  const from = a => r.api('GET', '/v1.0/users', { token: null, headers: { 'X-Forwarded-For': a } });
  for (let i = 0; i < 1000; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => from(`10.0.${(i + k) >> 8}.${(i + k) & 255}`)));
  for (let i = 0; i < 300; i += 50) await Promise.all(Array.from({ length: 50 }, (_, k) => from(`2001:db8::${(i + k).toString(16)}`)));
  for (let i = 0; i < 10; i++) await from('192.0.2.7');
  await r.restart();
  const list = await refusals(r);
  assert.ok(list.length <= 65, `${list.length}`);
  assert.equal(new Set(list.map(e => e.source)).size, list.length);
  assert.equal(list.reduce((n, e) => n + Number(e.count), 0), 1310, 'all are counted');
  const other = list.filter(e => e.source === 'other sources');
  assert.ok(other.length > 0 && other.every(e => e.event.actor.ipAddress === null));
});
