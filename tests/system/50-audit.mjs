// SPDX-License-Identifier: Apache-2.0
// The audit log: one event per change in its transaction (I1), refusals, filters and pages, Graph's shape, nobody changes one (I2).
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Reeve, shared, test, testOnEngines, until } from './lib.mjs';
import { DM, bodyOf, fill, routes, selfSigned, signedIn, world } from './world.mjs';

const one = shared();
const q = encodeURIComponent;

// Makes a request and gives the events that carry its correlation id, oldest first.
async function eventsOf(r, method, where, o) {
  const a = await r.api(method, where, o);
  const id = a.headers['request-id'];
  const list = (await r.get(`${DM}/auditEvents?$top=60`)).value.filter(e => e.correlationId === id);
  return { ...a, events: list.reverse(), said: list.map(e => `${e.activityType}${e.activityResult === 'Success' ? '' : ` (${e.activityResult})`}`) };
}

testOnEngines('50 every change by the API is one event, and no change is none (I1)', async engine => {
  const r = await one(engine), covered = new Set();
  const table = routes().filter(x => x.listener === 'api' && x.activity !== 'NONE' && x.access === 'bearer');
  const does = async (template, where, o, status, expected) => {
    const [method] = template.split(' ');
    covered.add(template);
    const a = await eventsOf(r, method, where, o);
    assert.equal(a.status, status, `${template}: ${a.text}`);
    assert.deepEqual(a.said.sort(), expected.sort(), template);
    for (const e of a.events) {
      assert.equal(e.actor.ipAddress, '127.0.0.1');
      assert.equal(e.actor.applicationDisplayName, o?.operator ? 'Operator' : 'Administrator');
      assert.ok(e.resources.length >= 1 && (e.resources[0].resourceId || status === 405), template);
    }
    return a;
  };
  const u = (await does('POST /{v}/users', '/v1.0/users', { body: { userPrincipalName: 'audit@acme.example', displayName: 'Audit', mailNickname: 'audit', accountEnabled: true, city: 'Bern' } }, 201, ['create User'])).json.id;
  const p = await does('PATCH /{v}/users/{user}', `/v1.0/users/${u}`, { body: { city: 'Chur', jobTitle: 'Smith' } }, 204, ['patch User']);
  assert.deepEqual(p.events[0].resources[0].modifiedProperties.map(x => x.displayName).sort(), ['city', 'jobTitle']);
  assert.ok(!/Bern|Chur/.test(JSON.stringify(p.events)), 'where somebody lives is no business of the log');
  await does('PATCH /{v}/users/{user}', `/v1.0/users/${u}`, { body: { city: 'Chur' } }, 204, []);
  await does('PATCH /{v}/users/{user}', `/v1.0/users/${u}`, { body: {} }, 204, []);
  const g = (await does('POST /{v}/groups', '/v1.0/groups', { body: { displayName: 'Audit group', mailEnabled: false, mailNickname: 'x', securityEnabled: true } }, 201, ['create Group'])).json.id;
  await does('PATCH /{v}/groups/{group}', `/v1.0/groups/${g}`, { body: { displayName: 'Audit team' } }, 204, ['patch Group']).then(x => assert.deepEqual(x.events[0].resources[0].modifiedProperties, [{ displayName: 'displayName', oldValue: 'Audit group', newValue: 'Audit team' }]));
  await does('PATCH /{v}/groups/{group}', `/v1.0/groups/${g}`, { body: { displayName: 'Audit team' } }, 204, []);
  const member = { body: { '@odata.id': `https://localhost/v1.0/directoryObjects/${u}` } };
  await does('POST /{v}/groups/{group}/members/$ref', `/v1.0/groups/${g}/members/$ref`, member, 204, ['addMember Group']);
  await does('POST /{v}/groups/{group}/members/$ref', `/v1.0/groups/${g}/members/$ref`, member, 400, ['addMember Group (Failure)']);
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Auditor').id;
  const a = (await does('POST /{v}/applications', '/v1.0/applications', { body: { displayName: 'Audit app', roleDefinitionId: role } }, 201, ['create Application'])).json.id;
  await does('PATCH /{v}/applications/{application}', `/v1.0/applications/${a}`, { body: { displayName: 'Other name' } }, 204, ['patch Application']);
  const key = await does('POST /{v}/applications/{application}/addPassword', `/v1.0/applications/${a}/addPassword`, { body: {} }, 200, ['addPassword Application']);
  assert.ok(!JSON.stringify(key.events).includes(key.json.secretText), 'no secret in an event');
  await does('POST /{v}/applications/{application}/removePassword', `/v1.0/applications/${a}/removePassword`, { body: { keyId: key.json.keyId } }, 204, ['removePassword Application']);
  await does('POST /{v}/applications/{application}/addProvisioningToken', `/v1.0/applications/${a}/addProvisioningToken`, { body: {} }, 409, ['addProvisioningToken Application (Failure)']);
  const scim = `/v1.0/applications/${(await r.post('/v1.0/applications', { displayName: 'Audit directory', isProvisioningClient: true })).id}`;
  const bearer = await does('POST /{v}/applications/{application}/addProvisioningToken', `${scim}/addProvisioningToken`, { body: {} }, 200, ['addProvisioningToken Application']);
  assert.ok(!JSON.stringify(bearer.events).includes(bearer.json.secretText), 'no token in an event');
  await does('POST /{v}/applications/{application}/removeProvisioningToken', `${scim}/removeProvisioningToken`, { body: { keyId: bearer.json.keyId } }, 204, ['removeProvisioningToken Application']);
  const certificate = await does('POST /{v}/applications/{application}/addKey', `/v1.0/applications/${a}/addKey`, { body: { keyCredential: { key: selfSigned() } } }, 200, ['addKey Application']);
  await does('POST /{v}/applications/{application}/removeKey', `/v1.0/applications/${a}/removeKey`, { body: { keyId: certificate.json.keyId } }, 204, ['removeKey Application']);
  await does('DELETE /{v}/applications/{application}', `/v1.0/applications/${a}`, {}, 204, ['delete Application']);
  const RM = '/v1.0/roleManagement/directory', custom = { displayName: 'Reader', rolePermissions: [{ allowedResourceActions: ['User.Read.All'] }] };
  const reader = (await does('POST /{v}/roleManagement/directory/roleDefinitions', `${RM}/roleDefinitions`, { body: custom }, 201, ['create RoleDefinition'])).json.id;
  await does('PATCH /{v}/roleManagement/directory/roleDefinitions/{role}', `${RM}/roleDefinitions/${reader}`, { body: { description: 'reads' } }, 204, ['patch RoleDefinition']);
  await does('PATCH /{v}/roleManagement/directory/roleDefinitions/{role}', `${RM}/roleDefinitions/${reader}`, { body: { description: 'reads' } }, 204, []);
  const held = (await does('POST /{v}/roleManagement/directory/roleAssignments', `${RM}/roleAssignments`, { body: { principalId: u, roleDefinitionId: reader } }, 201, ['create RoleAssignment'])).json.id;
  await does('DELETE /{v}/roleManagement/directory/roleDefinitions/{role}', `${RM}/roleDefinitions/${reader}`, {}, 409, ['delete RoleDefinition (Failure)']);
  await does('DELETE /{v}/roleManagement/directory/roleAssignments/{roleassignment}', `${RM}/roleAssignments/${held}`, {}, 204, ['delete RoleAssignment']);
  await does('DELETE /{v}/roleManagement/directory/roleDefinitions/{role}', `${RM}/roleDefinitions/${reader}`, {}, 204, ['delete RoleDefinition']);
  const letIn = (await does('POST /{v}/roleManagement/directory/operatorAccess', `${RM}/operatorAccess`, { body: { roleDefinitionId: role, reason: 'help', expirationDateTime: new Date(Date.now() + 3600e3).toISOString() } }, 201, ['create OperatorAccess'])).json.id;
  await does('DELETE /{v}/roleManagement/directory/operatorAccess/{operatoraccess}', `${RM}/operatorAccess/${letIn}`, {}, 204, ['delete OperatorAccess']);
  await does('PUT /{v}/directory/subscriptions/{product}', '/v1.0/directory/subscriptions/office', { body: { status: 'Enabled' } }, 204, ['set Subscription']);
  await does('PUT /{v}/directory/subscriptions/{product}', '/v1.0/directory/subscriptions/office', { body: { status: 'Enabled' } }, 204, []);
  await does('PATCH /{v}/deviceManagement/tenantSettings', `${DM}/tenantSettings`, { body: { exportDays: 8 } }, 204, ['patch TenantSettings']);
  await does('PATCH /{v}/deviceManagement/tenantSettings', `${DM}/tenantSettings`, { body: { exportDays: 8 } }, 204, []);
  const configuration = { '@odata.type': '#microsoft.graph.linuxWiFiConfiguration', displayName: 'A', ssid: 'S', security: 'wpaPersonal', passphrase: 'very secret passphrase' };
  for (const [base, kind, entity, body] of [['deviceManagement/deviceConfigurations', 'assignments', 'DeviceConfiguration', configuration], ['deviceAppManagement/mobileApps', 'mobileAppAssignments', 'MobileApp', { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: 'A', package: 'aa' }]]) {
    const made = await does(`POST /{v}/${base}`, `/v1.0/${base}`, { body }, 201, [`create ${entity}`]);
    assert.ok(!JSON.stringify(made.events).includes('very secret'), 'no passphrase in an event');
    const id = made.json.id, assign = { body: { [kind]: [{ intent: 'required', target: { '@odata.type': '#microsoft.graph.groupAssignmentTarget', groupId: g } }] } };
    await does(`PATCH /{v}/${base}/{item}`, `/v1.0/${base}/${id}`, { body: { description: 'd' } }, 200, [`patch ${entity}`]);
    await does(`PATCH /{v}/${base}/{item}`, `/v1.0/${base}/${id}`, { body: { description: 'd' } }, 200, []);
    await does(`POST /{v}/${base}/{item}/assign`, `/v1.0/${base}/${id}/assign`, assign, entity === 'MobileApp' ? 204 : 200, [`assign ${entity}`]);
    await does(`POST /{v}/${base}/{item}/assign`, `/v1.0/${base}/${id}/assign`, assign, entity === 'MobileApp' ? 204 : 200, []);
    await does(`DELETE /{v}/${base}/{item}`, `/v1.0/${base}/${id}`, {}, 204, [`delete ${entity}`]);
  }
  const t = (await does('POST /{v}/deviceManagement/termsAndConditions', `${DM}/termsAndConditions`, { body: { displayName: 'T', title: 'T', bodyText: 'T', acceptanceStatement: 'T' } }, 201, ['create TermsAndConditions'])).json.id;
  await does('PATCH /{v}/deviceManagement/termsAndConditions/{terms}', `${DM}/termsAndConditions/${t}`, { body: { title: 'U' } }, 200, ['patch TermsAndConditions']);
  await does('DELETE /{v}/deviceManagement/termsAndConditions/{terms}', `${DM}/termsAndConditions/${t}`, {}, 204, ['delete TermsAndConditions']);
  const token = await does('POST /{v}/deviceManagement/enrollmentTokens', `${DM}/enrollmentTokens`, { body: { userId: u, ownerType: 'company' } }, 201, ['create EnrollmentToken']);
  assert.ok(!JSON.stringify(token.events).includes(token.json.token));
  await does('DELETE /{v}/deviceManagement/enrollmentTokens/{token}', `${DM}/enrollmentTokens/${token.json.id}`, {}, 204, ['delete EnrollmentToken']);

  const IDP = '/v1.0/identity/identityProviders', P = '/{v}/identity/identityProviders';
  const provider = await does(`POST ${P}`, IDP, { body: { displayName: 'P', issuer: 'https://idp.example.org', clientId: 'c', clientSecret: 'very secret of a client' } }, 201, ['create IdentityProvider']), idp = `${IDP}/${provider.json.id}`;
  assert.ok(!/very secret/.test(JSON.stringify(provider.events) + provider.text), 'no secret in an event');
  await does(`PATCH ${P}/{provider}`, idp, { body: { clientSecret: 'very secret too', domainHint: 'x' } }, 200, ['patch IdentityProvider']).then(x => assert.ok(!/very secret/.test(JSON.stringify(x.events) + x.text)));
  await does(`PATCH ${P}/{provider}`, idp, { body: { domainHint: 'x' } }, 200, []);
  const mapping = (await does(`POST ${P}/{provider}/roles`, `${idp}/roles`, { body: { claimValue: 'v', roleDefinitionId: role } }, 201, ['create IdentityProviderRole'])).json.id;
  await does(`DELETE ${P}/{provider}/roles/{mapping}`, `${idp}/roles/${mapping}`, {}, 204, ['delete IdentityProviderRole']);
  const bound = await does('POST /{v}/users/{user}/identities', `/v1.0/users/${u}/identities`, { body: { identityProviderId: provider.json.id, issuerAssignedId: 'subject-of-u' } }, 201, ['bind UserIdentity']);
  assert.ok(!/subject-of-u/.test(JSON.stringify(bound.events)), 'who somebody is elsewhere is no business of the log');
  await does('DELETE /{v}/users/{user}/identities/{identity}', `/v1.0/users/${u}/identities/${bound.json.id}`, {}, 204, ['unbind UserIdentity']);
  await does(`DELETE ${P}/{provider}`, idp, {}, 204, ['delete IdentityProvider']);
  const sink = await does('POST /{v}/deviceManagement/auditSinks', `${DM}/auditSinks`, { body: { displayName: 'Sink', kind: 'webhook', target: 'https://hook.example.org/', secret: 'very secret of a webhook', enabled: false } }, 201, ['create AuditSink']);
  assert.ok(!/very secret/.test(JSON.stringify(sink.events) + sink.text), 'no secret in an event');
  await does('PATCH /{v}/deviceManagement/auditSinks/{sink}', `${DM}/auditSinks/${sink.json.id}`, { body: { displayName: 'Drain' } }, 200, ['patch AuditSink']);
  await does('PATCH /{v}/deviceManagement/auditSinks/{sink}', `${DM}/auditSinks/${sink.json.id}`, { body: { displayName: 'Drain' } }, 200, []);
  await does('DELETE /{v}/deviceManagement/auditSinks/{sink}', `${DM}/auditSinks/${sink.json.id}`, {}, 204, ['delete AuditSink']);
  const location = await does('POST /{v}/deviceManagement/storageLocations', `${DM}/storageLocations`, { body: { displayName: 'Store', urlPrefix: 'https://store.example/box' } }, 201, ['create StorageLocation']);
  await does('DELETE /{v}/deviceManagement/storageLocations/{location}', `${DM}/storageLocations/${location.json.id}`, {}, 204, ['delete StorageLocation']);
  const recipient = await does('POST /{v}/deviceManagement/recipients', `${DM}/recipients`, { body: { displayName: 'Payroll', kind: 'webhook', target: 'https://hook.example.org/', secret: 'very secret of a webhook', receivesAlarms: true, enabled: false } }, 201, ['create Recipient']);
  assert.ok(!/very secret/.test(JSON.stringify(recipient.events) + recipient.text), 'no secret in an event');
  await does('PATCH /{v}/deviceManagement/recipients/{recipient}', `${DM}/recipients/${recipient.json.id}`, { body: { receivesErasures: true } }, 200, ['patch Recipient']);
  await does('PATCH /{v}/deviceManagement/recipients/{recipient}', `${DM}/recipients/${recipient.json.id}`, { body: { receivesErasures: true } }, 200, []);
  await does('DELETE /{v}/deviceManagement/recipients/{recipient}', `${DM}/recipients/${recipient.json.id}`, {}, 204, ['delete Recipient']);
  const holds = `${DM}/legalHolds`, h = (await does('POST /{v}/deviceManagement/legalHolds', holds, { body: { displayName: 'H', ground: 'G', owner: 'O', reviewDateTime: '2099-01-01T00:00:00Z' } }, 201, ['create LegalHold'])).json.id;
  await does('PATCH /{v}/deviceManagement/legalHolds/{hold}', `${holds}/${h}`, { body: { owner: 'P' } }, 200, ['patch LegalHold']);
  await does('PATCH /{v}/deviceManagement/legalHolds/{hold}', `${holds}/${h}`, { body: { owner: 'P' } }, 200, []);
  const kept = (await does('POST /{v}/deviceManagement/legalHolds/{hold}/members', `${holds}/${h}/members`, { body: { userId: u } }, 201, ['addMember LegalHold'])).json.id;
  await does('POST /{v}/deviceManagement/legalHolds/{hold}/evidence', `${holds}/${h}/evidence`, { body: {} }, 200, ['copy LegalHoldEvidence']);
  assert.deepEqual((await eventsOf(r, 'GET', `${holds}/${h}/evidence`)).said, ['read LegalHoldEvidence']);
  await does('DELETE /{v}/deviceManagement/legalHolds/{hold}/members/{part}', `${holds}/${h}/members/${kept}`, {}, 204, ['removeMember LegalHold']);
  await does('POST /{v}/deviceManagement/legalHolds/{hold}/release', `${holds}/${h}/release`, { body: { reason: 'over' } }, 200, ['release LegalHold']);
  const file = (await does('POST /{v}/deviceManagement/auditLog/exports', `${DM}/auditLog/exports`, { body: { format: 'csv' } }, 201, ['export AuditLog'])).json.id;
  await until('the export of the log', async () => (await r.get(`${DM}/auditLog/exports/${file}`)).status === 'completed');
  await does('GET /{v}/deviceManagement/auditLog/exports/{export}/content', `${DM}/auditLog/exports/${file}/content`, {}, 200, ['download AuditExport']);

  // devices, by both roads
  for (const [road, prefix] of [['/{v}/deviceManagement/managedDevices/{device}', DM], ['/{v}/users/{user}/managedDevices/{device}', `/v1.0/users/${u}`]]) {
    const d = await r.device('audit@acme.example', 'company'), w = await r.device('audit@acme.example', 'company'), x = await r.device('audit@acme.example', 'company');
    const at = y => `${prefix}/managedDevices/${y.id}`;
    await does(`PATCH ${road}`, at(d), { body: { notes: 'n' } }, 200, ['patch ManagedDevice']);
    await does(`PATCH ${road}`, at(d), { body: { notes: 'n' } }, 200, []);
    await does(`POST ${road}/syncDevice`, `${at(d)}/syncDevice`, {}, 204, ['syncDevice ManagedDevice']);
    await does(`POST ${road}/syncDevice`, `${at(d)}/syncDevice`, {}, 204, []);
    await does(`POST ${road}/retire`, `${at(d)}/retire`, {}, 204, ['cancel DeviceAction', 'create ErasureDuty', 'retire ManagedDevice']);
    await does(`POST ${road}/retire`, `${at(d)}/retire`, {}, 204, []);
    await does(`POST ${road}/wipe`, `${at(w)}/wipe`, {}, 204, ['create ErasureDuty', 'wipe ManagedDevice']);
    await does(`POST ${road}/cancelAction`, `${at(w)}/cancelAction`, {}, 204, ['cancel DeviceAction', 'cancel ErasureDuty']);
    await does(`POST ${road}/cancelAction`, `${at(w)}/cancelAction`, {}, 409, ['cancel DeviceAction (Failure)']);
    await does('POST /{v}/deviceManagement/managedDevices/executeAction', '/beta/deviceManagement/managedDevices/executeAction', { body: { actionName: 'retire', deviceIds: [w.id] } }, 200, ['create ErasureDuty', 'retire ManagedDevice']);
    await does(`DELETE ${road}`, at(x), {}, 204, ['create ErasureDuty', 'Delete ManagedDevice']);
    // what the devices do: retire is issued, then reported
    d.sync();
    const about = (await r.events(`resources/resourceId eq '${d.id}'`)).reverse().map(e => `${e.actor.auditActorType} ${e.activityType}`);
    assert.deepEqual(about.filter(y => /issued|result/.test(y)).map(y => y.replace(/^\S+ /, '')), ['issued DeviceAction', 'result DeviceAction']);
  }
  // records of devices: cleanup rules, ownership, assets
  const rules = '/{v}/deviceManagement/managedDeviceCleanupRules', settings = 'PATCH /{v}/deviceManagement/managedDeviceCleanupSettings';
  const rule = await does(`POST ${rules}`, `${DM}/managedDeviceCleanupRules`, { body: { displayName: 'R', deviceCleanupRulePlatformType: 'ios', deviceInactivityBeforeRetirementInDays: 90 } }, 201, ['create ManagedDeviceCleanupRule']);
  await does(`PATCH ${rules}/{rule}`, `${DM}/managedDeviceCleanupRules/${rule.json.id}`, { body: { displayName: 'S' } }, 200, ['patch ManagedDeviceCleanupRule']);
  await does(`PATCH ${rules}/{rule}`, `${DM}/managedDeviceCleanupRules/${rule.json.id}`, { body: { displayName: 'S' } }, 200, []);
  await does(`DELETE ${rules}/{rule}`, `${DM}/managedDeviceCleanupRules/${rule.json.id}`, {}, 204, ['delete ManagedDeviceCleanupRule']);
  for (const [days, expected] of [['90', ['create ManagedDeviceCleanupRule']], [90, []], ['100', ['patch ManagedDeviceCleanupRule']], [null, ['delete ManagedDeviceCleanupRule']], ['0', []]])
    await does(settings, `${DM}/managedDeviceCleanupSettings`, { body: { deviceInactivityBeforeRetirementInDays: days } }, 200, expected);
  const lap = await r.device('audit@acme.example', 'personal'), owns = '/{v}/deviceManagement/managedDevices/{device}', takes = { body: { managedDeviceOwnerType: 'company' } };
  await does(`PATCH ${owns}`, `${DM}/managedDevices/${lap.id}`, takes, 200, ['create OwnershipChange']);
  await does(`PATCH ${owns}`, `${DM}/managedDevices/${lap.id}`, takes, 200, []);
  const change = (await r.get(`${DM}/ownershipChanges`)).value[0].id, changes = '/{v}/deviceManagement/ownershipChanges/{change}';
  await does(`POST ${changes}/approve`, `${DM}/ownershipChanges/${change}/approve`, {}, 403, ['approve OwnershipChange (Failure)']);
  await does(`POST ${changes}/refuse`, `${DM}/ownershipChanges/${change}/refuse`, {}, 200, ['refuse OwnershipChange']);
  const desk = await r.device('audit@acme.example', 'company');
  await does(`PATCH ${owns}`, `${DM}/managedDevices/${desk.id}`, { body: { assetNote: 'A' } }, 200, ['patch ManagedDevice']);
  await r.ok('POST', `${DM}/managedDevices/${desk.id}/wipe`);
  desk.sync();
  const asset = await until('the asset', async () => (await r.get(`${DM}/deviceAssets`)).value.find(x => x.serialNumber === desk.serial), { seconds: 60 });
  await does('PATCH /{v}/deviceManagement/deviceAssets/{asset}', `${DM}/deviceAssets/${asset.id}`, { body: { assetNote: 'B' } }, 200, ['patch DeviceAsset']);
  await does('PATCH /{v}/deviceManagement/deviceAssets/{asset}', `${DM}/deviceAssets/${asset.id}`, { body: { assetNote: 'B' } }, 200, []);
  await does('DELETE /{v}/deviceManagement/deviceAssets/{asset}', `${DM}/deviceAssets/${asset.id}`, {}, 204, ['delete DeviceAsset']);
  // requests of people about their data
  const dsr = '/{v}/deviceManagement/dataSubjectRequests', requests = `${DM}/dataSubjectRequests`, opened = ['create DataSubjectRequest'];
  const asked = (await does(`POST ${dsr}`, requests, { body: { type: 'access', contact: 'asks@outside.example', statement: 'What do you know?' } }, 201, opened));
  const at = `${requests}/${asked.json.id}`, next = (step, body, expected) => does(`POST ${dsr}/{request}/${step}`, `${at}/${step}`, { body }, 200, expected);
  await does(`PATCH ${dsr}/{request}`, at, { body: { contact: 'writes@outside.example', onBehalf: true } }, 200, ['patch DataSubjectRequest']);
  await does(`PATCH ${dsr}/{request}`, at, { body: { onBehalf: true } }, 200, []);
  await next('setSubject', { userId: u }, ['setSubject DataSubjectRequest']);
  await next('setSubject', { userId: u }, []);
  await next('verify', { method: 'document' }, ['verify DataSubjectRequest']);
  await does(`POST ${dsr}/{request}/verify`, `${at}/verify`, { body: { method: 'document' } }, 409, ['verify DataSubjectRequest (Failure)']);
  const decides = `${dsr}/{request}/disclosureDecisions`, place = { section: 'account', property: 'officeLocation', disclosure: 'redacted', reasonCode: 'other_law', legalGround: 'A law' };
  const d1 = (await does(`POST ${decides}`, `${at}/disclosureDecisions`, { body: place }, 201, ['set DisclosureDecision'])).json;
  await does(`POST ${decides}`, `${at}/disclosureDecisions`, { body: place }, 201, []);
  await does(`POST ${decides}`, `${at}/disclosureDecisions`, { body: { ...place, disclosure: 'withheld' } }, 201, ['set DisclosureDecision']);
  await does(`POST ${decides}`, `${at}/disclosureDecisions`, { body: { ...place, reasonCode: 'security_secret' } }, 400, ['set DisclosureDecision (Failure)']);
  await does(`DELETE ${decides}/{decision}`, `${at}/disclosureDecisions/${d1.id}`, {}, 204, ['delete DisclosureDecision']);
  await does(`GET ${dsr}/{request}/preview`, `${at}/preview`, {}, 200, ['preview PersonalDataExport']);
  await does(`GET ${dsr}/{request}/preview/{section}`, `${at}/preview/account`, {}, 200, []);
  await next('discover', {}, ['discover DataSubjectRequest']);
  await next('extend', { reason: 'Much is held.' }, ['extend DataSubjectRequest']);
  const answer = await next('decide', { decision: 'grant' }, ['decide DataSubjectRequest', 'exportPersonalData User']);
  await until('its export', async () => (await r.get(`/v1.0/dataPolicyOperations/${answer.json.dataPolicyOperationId}`)).status === 'complete');
  await does('POST /{v}/dataPolicyOperations/{operation}/createLink', `/v1.0/dataPolicyOperations/${answer.json.dataPolicyOperationId}/createLink`, {}, 200, ['createLink PersonalDataExport']);
  await next('deliver', {}, ['deliver DataSubjectRequest']);
  await next('close', { outcome: 'Given.' }, ['close DataSubjectRequest']);
  const told = JSON.stringify(await r.events(`resources/resourceId eq '${asked.json.id}'`));
  assert.ok(told.length > 1000 && !/outside.example|What do you know|Much is held|Given/.test(told), 'what people wrote is no business of the log');
  // letters' words, and restriction of processing
  const words = 'PUT /{v}/deviceManagement/letterTemplates/{template}', receipt = `${DM}/letterTemplates/receipt`, own = { body: { subject: 'S {number}', body: 'Our own words' } };
  const worded = await does(words, receipt, own, 204, ['patch LetterTemplate']);
  assert.ok(!JSON.stringify(worded.events).includes('Our own words'));
  await does(words, receipt, own, 204, []);
  await does(words, receipt, { body: { subject: 'S', body: '{nothing}' } }, 400, ['patch LetterTemplate (Failure)']);
  await does('DELETE /{v}/deviceManagement/letterTemplates/{template}', receipt, {}, 204, ['patch LetterTemplate']);
  await does('DELETE /{v}/deviceManagement/letterTemplates/{template}', receipt, {}, 204, []);
  const restrict = (what, status, expected) => does(`POST /{v}/users/{user}/${what}`, `/v1.0/users/${u}/${what}`, {}, status, expected);
  await restrict('restrictProcessing', 204, ['restrict User']);
  await restrict('restrictProcessing', 409, ['restrict User (Failure)']);
  await does('PATCH /{v}/users/{user}', `/v1.0/users/${u}`, { body: { city: 'Basel' } }, 409, ['patch User (Failure)']);
  await restrict('unrestrictProcessing', 204, ['unrestrict User']);
  await restrict('unrestrictProcessing', 409, ['unrestrict User (Failure)']);
  await does('POST /{v}/deviceManagement/reports/exportJobs', `${DM}/reports/exportJobs`, { body: { reportName: 'Devices', filter: "(OwnerType eq '1')" } }, 201, ['create ReportExportJob']);
  const portions = `/v1.0/users/${u}/exportDeviceAndAppManagementData`, portionsOf = '/{v}/users/{user}/exportDeviceAndAppManagementData';
  await does(`GET ${portionsOf}/content`, `${portions}()/content`, {}, 200, ['exportPersonalData User']);
  await does(`GET ${portionsOf}({window})/content`, `${portions}(skip=0,top=2)/content`, {}, 200, ['exportPersonalData User']);
  await does('POST /{v}/users/{user}/exportPersonalData', `/v1.0/users/${u}/exportPersonalData`, { body: {} }, 202, ['exportPersonalData User']);
  // local accounts, and where people are signed in
  const account = `/v1.0/users/${u}/localAccount`, here = 'POST /{v}/users/{user}/revokeSignInSessions', ofMe = '/{v}/me';
  await signedIn(r, { id: u, userPrincipalName: 'audit@acme.example' });
  await signedIn(r, { id: u, userPrincipalName: 'audit@acme.example' }); // a new password ends the first
  const session = (await r.get(`/v1.0/users/${u}/sessions`)).value[0].id;
  await does('DELETE /{v}/users/{user}/sessions/{session}', `/v1.0/users/${u}/sessions/${session}`, {}, 204, ['revokeSession User']);
  await does('DELETE /{v}/users/{user}/sessions/{session}', `/v1.0/users/${u}/sessions/${session}`, {}, 404, ['revokeSession User (Failure)']);
  await does(here, `/v1.0/users/${u}/revokeSignInSessions`, {}, 200, []);
  await does(`DELETE ${ofMe}/sessions/{session}`, `/v1.0/me/sessions/${session}`, {}, 400, ['revokeSession User (Failure)']);
  await does(`POST ${ofMe}/revokeSignInSessions`, '/v1.0/me/revokeSignInSessions', {}, 400, ['revokeSession User (Failure)']);
  await does('PUT /{v}/users/{user}/localAccount', account, { body: { password: 'a wholly other sentence' } }, 403, ['setPassword LocalAccount (Failure)']);
  await does('POST /{v}/users/{user}/localAccount/resetSecondFactor', `${account}/resetSecondFactor`, {}, 403, ['resetSecondFactor LocalAccount (Failure)']);
  await does('POST /{v}/users/{user}/localAccount/unlock', `${account}/unlock`, {}, 204, []);
  await does('DELETE /{v}/users/{user}/localAccount', account, {}, 204, ['delete LocalAccount']);
  await does('DELETE /{v}/groups/{group}/members/{member}/$ref', `/v1.0/groups/${g}/members/${u}/$ref`, {}, 204, ['removeMember Group']);
  await does('DELETE /{v}/groups/{group}', `/v1.0/groups/${g}`, {}, 204, ['delete Group']);
  await does('DELETE /{v}/users/{user}', `/v1.0/users/${u}`, {}, 204, ['create ErasureDuty', 'delete User']);
  await does('POST /{v}/directory/deletedItems/{id}/restore', `/v1.0/directory/deletedItems/${u}/restore`, {}, 200, ['cancel ErasureDuty', 'restore User']);
  await r.ok('DELETE', `/v1.0/users/${u}`);
  const forever = await eventsOf(r, 'DELETE', `/v1.0/directory/deletedItems/${u}`);
  covered.add('DELETE /{v}/directory/deletedItems/{id}');
  assert.equal(forever.status, 204);
  assert.ok(forever.said.includes('hardDelete User') && forever.said.every(s => /^(hardDelete User|transition ErasureDuty|create ErasureDuty|retire ManagedDevice)$/.test(s)), `${forever.said}`);
  // approval by a second person: what one alone can do of it
  const policies = '/{v}/deviceManagement/operationApprovalPolicies', approvals = '/{v}/deviceManagement/operationApprovalRequests';
  const policy = (await does(`POST ${policies}`, `${DM}/operationApprovalPolicies`, { body: { displayName: 'P', policyType: 'operationApprovalPolicy' } }, 201, ['create OperationApprovalPolicy'])).json.id;
  const reason = { headers: { 'x-msft-approval-justification': Buffer.from('very secret reason').toString('base64') } };
  await does(`PATCH ${policies}/{policy}`, `${DM}/operationApprovalPolicies/${policy}`, { body: { displayName: 'Q' } }, 403, ['patch OperationApprovalPolicy (Failure)']);
  const waits = await does(`DELETE ${policies}/{policy}`, `${DM}/operationApprovalPolicies/${policy}`, reason, 403, ['create OperationApprovalRequest']);
  assert.ok(!/very secret/.test(JSON.stringify(waits.events)), 'what people write is no business of the log');
  for (const [action, status, verb] of [['approve', 403, 'approve'], ['reject', 403, 'reject'], ['cancelApproval', 403, 'cancel'], ['complete', 409, 'complete']])
    await does(`POST ${approvals}/{approval}/${action}`, `${DM}/operationApprovalRequests/${waits.headers['x-msft-approval-code']}/${action}`, {}, status, [`${verb} OperationApprovalRequest (Failure)`]);
  await does(`POST ${approvals}/{approval}/cancelMyRequest`, `${DM}/operationApprovalRequests/${waits.headers['x-msft-approval-code']}/cancelMyRequest`, {}, 204, ['cancel OperationApprovalRequest']);
  // the attempt to write the log is all that it leaves
  const before = JSON.stringify((await r.events()).slice(-5));
  const event = (await r.get(`${DM}/auditEvents?$top=1`)).value[0].id;
  for (const [m, where] of [['POST', ''], ['DELETE', ''], ['PUT', `/${event}`], ['PATCH', `/${event}`], ['DELETE', `/${event}`]])
    await does(`${m} /{v}/deviceManagement/auditEvents${where && '/{event}'}`, `${DM}/auditEvents${where}`, m === 'DELETE' ? {} : { body: { displayName: 'x' } }, 405, ['write AuditLog (Failure)']);
  assert.equal(JSON.stringify((await r.events()).slice(-5)), before);

  const missing = table.map(x => `${x.method} ${x.path}`).filter(k => !covered.has(k) && !/installation|dataPolicyOperations|erasureDuties/.test(k));
  assert.deepEqual(missing, [], 'a route that changes something has no case here');
  assert.equal((await r.get(`${DM}/auditLog/verify`)).verified, true);
});

testOnEngines('50 every refused attempt of a change is an event; a refused read too', async engine => {
  const r = await one(engine), w = await world(r, {}, r.tenant, 'REF');
  const a = await r.post('/v1.0/applications', { displayName: 'Nobody', roleDefinitionId: w.role }), s = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
  const token = await r.signIn(r.tenant, a.id, s.secretText);
  for (const route of routes().filter(x => x.access === 'bearer' && x.activity !== 'NONE' && x.path.startsWith('/{v}/') && !/auditEvents|auditLog.exports|\/me\//.test(x.path))) { // an auditor may export the log: 55; /me is a person's: 11
    const e = await eventsOf(r, route.method, fill(route.path, w), { token, body: bodyOf(route, w) });
    assert.equal(e.status, 403, `${route.method} ${route.path}`);
    assert.equal(e.events.length, 1, `${route.method} ${route.path}: ${e.said}`);
    assert.equal(e.events[0].activityResult, 'Failure');
    assert.equal(e.events[0].actor.applicationDisplayName, 'Nobody');
  }
  const read = await eventsOf(r, 'GET', `/v1.0/users/${w.user}`, { token });
  assert.deepEqual([read.status, read.said], [403, ['refused Request (Failure)']]);
  const none = '01999999-9999-7999-8999-999999999999', unknown = Object.fromEntries(Object.keys(w).map(k => [k, none]));
  for (const route of routes().filter(x => x.access === 'bearer' && x.activity !== 'NONE' && !/installation/.test(x.path) && /^\/\{v\}\/.*\{(user|group|application|device|item|terms|token|id|operation|duty|sink|export|request|decision|recipient|hold)\}/.test(x.path))) {
    const e = await eventsOf(r, route.method, fill(route.path, unknown), { body: bodyOf(route, unknown) });
    assert.equal(e.status, 404, `${route.method} ${route.path}: ${e.text}`);
    assert.equal(e.said.length, 1, `${route.method} ${route.path}: ${e.said}`);
  }
  const bad = await eventsOf(r, 'POST', '/v1.0/users', { raw: '{' });
  assert.deepEqual(bad.said, ['create User (Failure)']);
  // signing in with a wrong secret is one as well
  await r.api('POST', `/${r.tenant}/oauth2/v2.0/token`, { token: null, raw: `grant_type=client_credentials&client_id=${a.id}&client_secret=wrong`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  assert.ok((await r.events("activityType eq 'signIn Application' and activityResult eq 'Failure'")).length >= 1);
  w.tree.remove();
});

testOnEngines('50 filters, newest first, and pages that miss nothing while events are written', async engine => {
  const r = await one(engine);
  for (let i = 0; i < 40; i++) await r.user(`page${i}@acme.example`);
  const all = await r.events();
  for (let i = 1; i < all.length; i++) assert.ok(all[i - 1].activityDateTime >= all[i].activityDateTime, 'newest first');
  assert.equal(new Set(all.map(e => e.id)).size, all.length);
  const mid = all[Math.floor(all.length / 2)].activityDateTime;
  const since = await r.events(`activityDateTime ge ${mid}`), until_ = await r.events(`activityDateTime lt ${mid}`);
  assert.ok(since.every(e => e.activityDateTime >= mid) && until_.every(e => e.activityDateTime < mid));
  assert.equal(until_.length, all.filter(e => e.activityDateTime < mid).length);
  assert.ok((await r.events("category eq 'Role'")).every(e => e.category === 'Role'));
  const creates = await r.events("activityType eq 'create User' and activityResult eq 'Success'");
  assert.equal(creates.length, all.filter(e => e.activityType === 'create User' && e.activityResult === 'Success').length);
  assert.ok(creates.length >= 40);
  const app = all.find(e => e.actor.applicationDisplayName === 'Administrator').actor.applicationId;
  assert.ok((await r.events(`actor/applicationId eq '${app}'`)).every(e => e.actor.applicationId === app));
  assert.deepEqual(await r.events("actor/userPrincipalName eq 'nobody@acme.example'"), []);
  const categories = await r.get(`${DM}/auditEvents/getAuditCategories`);
  assert.equal(categories.value.length, 16);
  assert.ok((await r.get(`${DM}/auditEvents/getAuditActivityTypes(category='Enrollment')`)).value.includes('enroll ManagedDevice'));
  for (const bad of ["category eq 7", 'nothing eq 1', "activityDateTime ge 'x'"]) await r.refused(400, 'GET', `${DM}/auditEvents?$filter=${q(bad)}`);
  assert.equal((await r.get(`${DM}/auditEvents/${all[0].id}`)).id, all[0].id);
  await r.refused(404, 'GET', `${DM}/auditEvents/01999999-9999-7999-8999-999999999999`);

  const known = new Set((await r.events()).map(e => e.id)), seen = [];
  let stop = false, made = 0;
  const writer = (async () => { while (!stop) { await r.user(`during${engine}${made++}@acme.example`); } })();
  for (let next = `${DM}/auditEvents?$top=5`; next;) { const page = await r.get(next); seen.push(...page.value); next = page['@odata.nextLink']; }
  stop = true;
  await writer;
  assert.ok(made > 3, 'events were written meanwhile');
  assert.equal(new Set(seen.map(e => e.id)).size, seen.length, 'none twice');
  for (const id of known) assert.ok(seen.some(e => e.id === id), 'none missed');
  for (let i = 1; i < seen.length; i++) assert.ok(seen[i - 1].activityDateTime >= seen[i].activityDateTime);
});

test('50 the members of an event are exactly Graph\'s, by version', async () => {
  const r = await one();
  await r.user('shape@acme.example');
  const EVENT = ['activity', 'activityDateTime', 'activityOperationType', 'activityResult', 'activityType', 'actor', 'category', 'componentName', 'correlationId', 'displayName', 'id', 'resources'];
  const ACTOR = ['applicationDisplayName', 'applicationId', 'ipAddress', 'servicePrincipalName', 'userId', 'userPermissions', 'userPrincipalName'], RESOURCE = ['displayName', 'modifiedProperties', 'resourceId'];
  for (const [version, actor, resource] of [['v1.0', 'auditActorType', 'auditResourceType'], ['beta', 'type', 'type']]) {
    const list = (await r.get(`/${version}/deviceManagement/auditEvents?$top=200`)).value;
    for (const e of list) {
      assert.deepEqual(Object.keys(e).sort(), EVENT);
      const extra = version === 'beta' ? ['remoteTenantId', 'remoteUserId', 'userRoleScopeTags'] : [];
      assert.deepEqual(Object.keys(e.actor).sort(), [...ACTOR, actor, ...extra].sort());
      for (const x of e.resources) {
        assert.deepEqual(Object.keys(x).sort(), [...RESOURCE, resource].sort());
        for (const p of x.modifiedProperties) assert.deepEqual(Object.keys(p).sort(), ['displayName', 'newValue', 'oldValue']);
      }
      assert.match(e.activityDateTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$/);
      assert.match(e.activityOperationType, /^(Create|Delete|Patch|Action|SetReference|RemoveReference|Get|Search)$/);
      assert.match(e.activityResult, /^(Success|Failure)$/);
    }
  }
  const only = await r.get(`${DM}/auditEvents?$top=3&$select=id,activityType`);
  for (const e of only.value) assert.deepEqual(Object.keys(e).sort(), ['activityType', 'id']);
});

testOnEngines('50 nobody changes an event: the database refuses, and tampering is found and named', async engine => {
  const r = await Reeve.make({ engine });
  for (let i = 0; i < 5; i++) await r.user(`tamper${i}@acme.example`);
  await until('all is sequenced', () => /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending')));
  assert.equal(r.cli('audit', 'verify').code, 0);
  const target = (await r.events("activityType eq 'create User'"))[2].id.replaceAll('-', '');
  await r.stop();
  const id = engine === 'sqlite' ? `x'${target}'` : `'\\x${target}'`;
  const owner = text => (engine === 'sqlite' ? spawnSync('sqlite3', [path.join(r.dir, 'reeve.db'), text], { encoding: 'utf8' })
    : spawnSync('psql', ['-v', 'ON_ERROR_STOP=1', '-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '-qAtc', text, r.pg.name], { encoding: 'utf8' }));
  const app = text => (engine === 'sqlite' ? owner(text) : spawnSync('psql', ['-v', 'ON_ERROR_STOP=1', '-qAtc', text, fs.readFileSync(path.join(r.dir, 'secrets/database'), 'utf8').trim()], { encoding: 'utf8' }));
  for (const text of [`UPDATE audit_events SET result = 'x' WHERE event_id = ${id}`, `DELETE FROM audit_events WHERE event_id = ${id}`, 'DELETE FROM audit_events',
    ...(engine === 'sqlite' ? [`INSERT OR REPLACE INTO audit_events SELECT * FROM audit_events WHERE event_id = ${id}`] : ['TRUNCATE audit_events'])]) {
    const done = app(text);
    assert.notEqual(done.status, 0, text);
    assert.match(done.stderr, /never changed|kept until|never replaced|permission denied/, text);
  }
  await r.serve();
  assert.equal(r.cli('audit', 'verify').code, 0, 'nothing was changed by what was refused');
  await r.stop();

  // whoever owns the file can drop the trigger: it is found, not refused
  const index = Number(owner(`SELECT leaf_index FROM audit_leaves WHERE event_id = ${id}`).stdout);
  const bytes = owner(engine === 'sqlite' ? `SELECT hex(bytes) FROM audit_events WHERE event_id = ${id}` : `SELECT encode(bytes, 'hex') FROM audit_events WHERE event_id = ${id}`).stdout.trim();
  const changed = Buffer.from(bytes, 'hex');
  changed[changed.indexOf('create User')] ^= 0x20;
  const drop = engine === 'sqlite' ? 'DROP TRIGGER audit_events_no_update;' : '', as = engine === 'sqlite' ? `x'${changed.toString('hex')}'` : `'\\x${changed.toString('hex')}'`;
  const done = owner(`${drop} UPDATE audit_events SET bytes = ${as} WHERE event_id = ${id}`);
  assert.equal(done.status, 0, done.stderr);
  await r.serve();
  const verify = r.cli('audit', 'verify');
  assert.notEqual(verify.code, 0, 'one changed bit is found');
  assert.ok(verify.err.includes(`index ${index} `), `${verify.err} (index ${index})`);
  await r.stop();

  // a log that lost its end goes on under a new origin, and says so, once
  const back = engine === 'sqlite' ? `x'${bytes}'` : `'\\x${bytes}'`;
  owner(`UPDATE audit_events SET bytes = ${back} WHERE event_id = ${id}`);
  const tenant = engine === 'sqlite' ? `x'${r.tenant.replaceAll('-', '')}'` : `'\\x${r.tenant.replaceAll('-', '')}'`;
  const [origin, size, root] = owner(`SELECT checkpoint FROM audit_heads WHERE tenant_id = ${tenant}`).stdout.split('\n');
  const end = `leaf_index = (SELECT max(leaf_index) FROM audit_leaves WHERE tenant_id = ${tenant})`;
  owner(`${engine === 'sqlite' ? 'DROP TRIGGER audit_events_no_delete;' : ''}
         DELETE FROM audit_events WHERE tenant_id = ${tenant} AND event_id = (SELECT event_id FROM audit_leaves WHERE tenant_id = ${tenant} AND ${end});
         DELETE FROM audit_leaves WHERE tenant_id = ${tenant} AND ${end};
         UPDATE audit_heads SET size = size - 1, signed_size = signed_size - 1 WHERE tenant_id = ${tenant}`);
  await r.serve();
  assert.match(r.log, /event=audit_log_restored/);
  await r.restart();
  const said = await r.events("activityType eq 'restore AuditLog'");
  assert.equal(said.length, 1);
  assert.deepEqual(said[0].resources[0].modifiedProperties.slice(0, 3).map(p => [p.displayName, p.oldValue, p.newValue]),
    [['origin', origin, `${origin}.2`], ['size', size, `${size - 1}`], ['rootHash', root, null]]);
  await until('the new origin is signed', async () => (await r.api('GET', `${DM}/auditLog/checkpoint`)).text.startsWith(`${origin}.2\n`));
  assert.equal((await r.get(`${DM}/auditLog/verify`)).origin, `${origin}.2`);
});
