// SPDX-License-Identifier: Apache-2.0
// Who may do what: roles of people, groups and programs; nobody rises above themselves; somebody stays; the operator by invitation; why.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { REEVE, shared, testOnEngines, until } from './lib.mjs';

const one = shared(), RM = '/v1.0/roleManagement/directory';
const roleId = async (r, name) => (await r.all(`${RM}/roleDefinitions`)).find(x => x.displayName === name).id;
const assign = (r, principal, role, scope = '/', o) => r.api('POST', `${RM}/roleAssignments`, { body: { principalId: principal, roleDefinitionId: role, directoryScopeId: scope }, ...o });
const made = x => { assert.equal(x.status, 201, x.text); return x.json; };
const member = id => ({ '@odata.id': `https://localhost/v1.0/directoryObjects/${id}` });
const soon = (hours = 1) => new Date(Date.now() + hours * 3600e3).toISOString();

testOnEngines('14 roles are data: built-in ones as they are, one\'s own within what one holds', async engine => {
  const r = await one(engine), list = await r.all(`${RM}/roleDefinitions`);
  const names = ['Administrator', 'Help Desk Operator', 'Read Only Operator', 'Policy and Profile Manager', 'Application Manager', 'Endpoint Security Manager', 'Privacy Officer', 'Auditor', 'Provisioning'];
  for (const n of names) assert.ok(list.some(x => x.displayName === n && x.isBuiltIn), n);
  const actions = n => list.find(x => x.displayName === n).rolePermissions[0].allowedResourceActions;
  assert.ok(actions('Auditor').every(p => !/ReadWrite|Privileged|DeleteRestore/.test(p)), 'the auditor changes nothing');
  assert.ok(actions('Privacy Officer').every(p => !/^DeviceManagement.*(ReadWrite|Privileged)/.test(p)), 'the privacy officer manages no device');
  assert.deepEqual(actions('Provisioning'), ['Provisioning.ReadWrite.All']);
  assert.ok(!actions('Administrator').includes('PrivacyBundles.Read.All') && actions('Privacy Officer').includes('PrivacyBundles.Read.All'));
  const auditor = list.find(x => x.displayName === 'Auditor').id;
  await r.refused(403, 'PATCH', `${RM}/roleDefinitions/${auditor}`, { body: { description: 'x' } });
  await r.refused(403, 'DELETE', `${RM}/roleDefinitions/${auditor}`);
  await r.refused(409, 'POST', `${RM}/roleDefinitions`, { body: { displayName: 'Auditor', rolePermissions: [{ allowedResourceActions: ['User.Read.All'] }] } });
  for (const p of [undefined, [], [{}], [{ allowedResourceActions: ['Nobody.Knows.This'] }], [{ allowedResourceActions: ['Installation.Tenants.ReadWrite.All'] }], [{ allowedResourceActions: ['User.Read.All Group.Read.All'] }], [{ allowedResourceActions: [7] }], 'x', [{ allowedResourceActions: ['User.Read.All'], condition: 'x' }]])
    await r.refused(400, 'POST', `${RM}/roleDefinitions`, { body: { displayName: 'Bad', rolePermissions: p } });
  await r.refused(403, 'POST', `${RM}/roleDefinitions`, { body: { displayName: 'Too much', rolePermissions: [{ allowedResourceActions: ['PrivacyBundles.Read.All'] }] } });
  const own = made(await r.api('POST', `${RM}/roleDefinitions`, { body: { displayName: 'Front desk', description: 'x', rolePermissions: [{ allowedResourceActions: ['User.Read.All', 'Group.Read.All'] }, { allowedResourceActions: ['User.Read.All'] }] } }));
  assert.deepEqual(own.rolePermissions, [{ allowedResourceActions: ['User.Read.All', 'Group.Read.All'] }]);
  assert.equal(own.isBuiltIn, false);
  await r.ok('PATCH', `${RM}/roleDefinitions/${own.id}`, { body: { rolePermissions: [{ allowedResourceActions: ['User.Read.All'] }] } });
  assert.deepEqual((await r.get(`${RM}/roleDefinitions/${own.id}`)).rolePermissions, [{ allowedResourceActions: ['User.Read.All'] }]);
  const desk = await r.holder('Front desk');
  await r.get('/v1.0/users', { token: desk.token });
  await r.refused(403, 'GET', '/v1.0/groups', { token: desk.token });
  await r.refused(409, 'DELETE', `${RM}/roleDefinitions/${own.id}`);
  await r.ok('PATCH', `${RM}/roleDefinitions/${own.id}`, { body: { rolePermissions: [{ allowedResourceActions: ['Group.Read.All'] }] } }); // holds at the next request
  await r.refused(403, 'GET', '/v1.0/users', { token: desk.token });
  await r.get('/v1.0/groups', { token: desk.token });
  await r.ok('DELETE', `/v1.0/applications/${desk.app}`);
  await r.ok('DELETE', `${RM}/roleDefinitions/${own.id}`);
});

testOnEngines('14 nobody rises above themselves, by no way', async engine => {
  const r = await one(engine), admin = await roleId(r, 'Administrator'), help = await roleId(r, 'Help Desk Operator'), reader = await roleId(r, 'Read Only Operator');
  // somebody who may give roles, make programs and fill groups, and is no administrator
  const own = made(await r.api('POST', `${RM}/roleDefinitions`, { body: { displayName: 'Staff', rolePermissions: [{ allowedResourceActions: ['RoleManagement.ReadWrite.Directory', 'Application.ReadWrite.All', 'Group.ReadWrite.All', 'GroupMember.ReadWrite.All', 'User.ReadWrite.All', 'User.Read.All', 'UserAuthenticationMethod.ReadWrite.All'] }] } }));
  const staff = await r.holder('Staff'), o = { token: staff.token };
  const u = await r.user(`staff.${engine}@acme.example`), g = await r.group('Admins of staff'), app = (await r.post('/v1.0/applications', { displayName: 'Strong' })).id;
  const strong = made(await assign(r, app, admin)).id;
  made(await assign(r, g.id, admin));
  const no = (method, where, body) => r.refused(403, method, where, { body, ...o });
  assert.equal((await assign(r, u.id, admin, '/', o)).status, 403);
  assert.equal((await assign(r, staff.app, help, '/', o)).status, 403);
  assert.equal((await assign(r, u.id, reader, '/groups/' + g.id, o)).status, 403);
  await no('POST', `/v1.0/groups/${g.id}/members/$ref`, member(u.id));                                   // into a group that holds a role
  await no('POST', `/v1.0/applications/${app}/addPassword`, {});                                          // a stronger program's secret
  await no('POST', '/v1.0/applications', { displayName: 'x', roleDefinitionId: admin });                  // a program with a stronger role
  await no('PATCH', `/v1.0/applications/${staff.app}`, { roleDefinitionId: admin });
  await no('PATCH', `${RM}/roleDefinitions/${own.id}`, { rolePermissions: [{ allowedResourceActions: ['Organization.ReadWrite.All'] }] }); // one's own role
  await no('POST', `${RM}/roleDefinitions`, { displayName: 'More', rolePermissions: [{ allowedResourceActions: ['AuditLog.Export.All'] }] });
  await no('POST', `${RM}/operatorAccess`, { roleDefinitionId: admin, reason: 'x', expirationDateTime: soon() }); // by the operator's hands
  await r.ok('PATCH', `/v1.0/applications/${app}`, { body: { accountEnabled: false } });
  await no('PATCH', `/v1.0/applications/${app}`, { accountEnabled: true });                               // waking a stronger program
  await r.ok('PATCH', `/v1.0/applications/${app}`, { body: { accountEnabled: true } });
  const boss = (await bossOf(r, engine, admin)).id;
  await no('PUT', `/v1.0/users/${boss}/localAccount`, { password: 'a long enough passphrase 1' });        // a stronger person's password
  const fine = made(await assign(r, u.id, own.id, '/', o)).id; // what they have themselves
  assert.equal((await assign(r, u.id, own.id, '/', o)).status, 409);
  await r.ok('DELETE', `${RM}/roleAssignments/${fine}`, o);
  await r.refused(404, 'DELETE', `${RM}/roleAssignments/${fine}`, o);
  await r.ok('DELETE', `${RM}/roleAssignments/${strong}`);
  for (const body of [{}, { principalId: u.id }, { principalId: 'x', roleDefinitionId: own.id }, { principalId: own.id, roleDefinitionId: own.id }, { principalId: u.id, roleDefinitionId: u.id }, { principalId: u.id, roleDefinitionId: own.id, directoryScopeId: '/groups/x' }, { principalId: u.id, roleDefinitionId: own.id, directoryScopeId: `/groups/${u.id}` }, { principalId: u.id, roleDefinitionId: own.id, more: 1 }])
    await r.refused(400, 'POST', `${RM}/roleAssignments`, { body });
  // a scoped granter grants within the scope, to people of it
  const team = await r.group('Team'), inside = await r.user(`inside.${engine}@acme.example`), outside = await r.user(`outside.${engine}@acme.example`);
  await r.post(`/v1.0/groups/${team.id}/members/$ref`, member(inside.id));
  const lead = (await r.post('/v1.0/applications', { displayName: 'Lead' })).id, secret = (await r.post(`/v1.0/applications/${lead}/addPassword`, {})).secretText;
  made(await assign(r, lead, own.id, `/groups/${team.id}`));
  const leads = { token: await r.signIn(r.tenant, lead, secret) };
  assert.equal((await assign(r, inside.id, own.id, '/', leads)).status, 403);
  assert.equal((await assign(r, outside.id, own.id, `/groups/${team.id}`, leads)).status, 400);
  const y = made(await assign(r, inside.id, own.id, `/groups/${team.id}`, leads));
  assert.equal(y.directoryScopeId, `/groups/${team.id}`);
  await r.refused(404, 'POST', `/v1.0/groups/${team.id}/members/$ref`, { body: member(outside.id), ...leads }); // nobody widens their own reach
  const found = await r.all(`${RM}/roleAssignments?$filter=principalId eq '${inside.id}'`.replaceAll(' ', '%20'));
  assert.deepEqual(found.map(v => v.id), [y.id]);
  assert.ok((await r.all(`${RM}/roleAssignments?$filter=roleDefinitionId%20eq%20'${own.id}'`)).length >= 2);
  await r.ok('DELETE', `/v1.0/groups/${team.id}`); // and with the group the roles for its members: never for more
  assert.deepEqual(await r.all(`${RM}/roleAssignments?$filter=principalId%20eq%20'${lead}'`), []);
  const refusals = await r.events("activityResult eq 'Failure'");
  assert.ok(refusals.filter(e => e.actor.applicationDisplayName === 'Staff').length >= 12, 'each attempt is on record');
});

async function bossOf(r, engine, admin) {
  const boss = await r.user(`boss.${engine}@acme.example`);
  made(await assign(r, boss.id, admin));
  return boss;
}

testOnEngines('14 what administrators do not hold is given once, loudly; then by those who hold it', async engine => {
  const r = await one(engine), officer = await roleId(r, 'Privacy Officer'), anna = await r.user(`anna.${engine}@acme.example`), ben = await r.user(`ben.${engine}@acme.example`);
  const g = await r.group('Officers');
  const could = async (whom, o) => (await r.get(`${RM}/explain?principal=${whom}&permission=PrivacyBundles.Read.All`, o)).whoCouldGive.map(x => x.roleDisplayName);
  assert.ok((await could(anna.id)).includes('Administrator'), 'it is said beforehand');
  const first = made(await assign(r, anna.id, officer)).id;
  const alarm = (await r.events("activityType eq 'alarm RoleDefinition'"))[0];
  assert.ok(alarm.resources[0].modifiedProperties.some(p => p.newValue === 'PrivacyBundles.Read.All'), JSON.stringify(alarm));
  assert.deepEqual(await could(ben.id), []);
  assert.equal((await assign(r, ben.id, officer)).status, 403);
  assert.equal((await assign(r, g.id, officer)).status, 403);
  await r.refused(403, 'DELETE', `${RM}/roleAssignments/${first}`); // taking it away and giving it to oneself is the same
  await r.refused(403, 'POST', '/v1.0/applications', { body: { displayName: 'x', roleDefinitionId: officer } });
  // a program's own role is no other way, neither to have it nor to take it
  const t = await r.secondTenant(`Officers ${engine}`), prog = await r.holder('Privacy Officer', { token: t.token, tenant: t.id });
  await r.refused(403, 'PATCH', `/v1.0/applications/${prog.app}`, { body: { roleDefinitionId: null }, token: t.token });
  await r.refused(403, 'DELETE', `/v1.0/applications/${prog.app}`, { token: t.token });
  await r.refused(403, 'POST', `/v1.0/applications/${prog.app}/addPassword`, { body: {}, token: t.token });
  await r.ok('PATCH', `/v1.0/users/${anna.id}`, { body: { accountEnabled: false } }); // whoever is disabled has it still
  assert.equal((await assign(r, ben.id, officer)).status, 403);
  // the last holder is gone for good: what they had made is nobody's to read who names the next one
  const gone = await r.secondTenant(`Gone ${engine}`), o = { token: gone.token }, next = await r.user('next@gone.example', {}, o), role = (await r.all(`${RM}/roleDefinitions`, o)).find(x => x.displayName === 'Privacy Officer').id;
  const maker = await r.holder('Administrator', { token: gone.token, tenant: gone.id, name: 'Maker' }), by = { token: maker.token };
  const bundle = await r.post(`/v1.0/users/${next.id}/exportPersonalData`, {}, by);
  await r.ok('DELETE', `/v1.0/applications/${maker.app}`, o);
  assert.deepEqual(await could(next.id, o), []);
  assert.match((await assign(r, next.id, role, '/', o)).json.error.message, /bundles are left/);
  assert.equal((await r.api('GET', `/v1.0/dataPolicyOperations/${bundle.id}/content`, o)).status, 403);
});

testOnEngines('14 the last administrator stays', async engine => {
  const r = await one(engine), t = await r.secondTenant(`Last ${engine}`), o = { token: t.token };
  const list = await r.all(`${RM}/roleDefinitions`, o), admin = list.find(x => x.displayName === 'Administrator').id, auditor = list.find(x => x.displayName === 'Auditor').id;
  const app = t.clientId, no = async (method, where, body) => assert.equal((await r.api(method, where, { body, ...o })).status, 409, `${method} ${where}`);
  await no('PATCH', `/v1.0/applications/${app}`, { accountEnabled: false });
  await no('DELETE', `/v1.0/applications/${app}`);
  await no('PATCH', `/v1.0/applications/${app}`, { roleDefinitionId: auditor });
  const carla = await r.user('carla@last.example', {}, o), g = await r.group('Admins', [], o);
  made(await assign(r, g.id, admin, '/', o));
  await no('DELETE', `/v1.0/applications/${app}`); // the group is empty
  await r.post(`/v1.0/groups/${g.id}/members/$ref`, member(carla.id), o);
  // a second program does the rest, for the first loses its role now
  const rest = await r.holder('Administrator', { token: t.token, tenant: t.id });
  await r.ok('PATCH', `/v1.0/applications/${app}`, { body: { roleDefinitionId: auditor }, token: rest.token });
  const keeper = made(await r.api('POST', `${RM}/roleDefinitions`, { body: { displayName: 'Everything but giving', rolePermissions: [{ allowedResourceActions: list.find(x => x.displayName === 'Administrator').rolePermissions[0].allowedResourceActions }] }, token: rest.token })).id;
  made(await assign(r, rest.app, keeper, '/', { token: rest.token }));
  await r.ok('PATCH', `/v1.0/applications/${rest.app}`, { body: { roleDefinitionId: keeper }, token: rest.token }); // Carla is the last one now
  o.token = rest.token;
  await no('PATCH', `/v1.0/users/${carla.id}`, { accountEnabled: false });
  await no('DELETE', `/v1.0/users/${carla.id}`);
  await no('DELETE', `/v1.0/groups/${g.id}/members/${carla.id}/$ref`);
  await no('DELETE', `/v1.0/groups/${g.id}`);
  const [held] = await r.all(`${RM}/roleAssignments?$filter=principalId%20eq%20'${g.id}'`, o);
  await no('DELETE', `${RM}/roleAssignments/${held.id}`);
  const scim = (await r.post('/v1.0/applications', { displayName: 'Directory', isProvisioningClient: true }, o)).id;
  const text = (await r.post(`/v1.0/applications/${scim}/addProvisioningToken`, {}, o)).secretText;
  for (const [method, body] of [['DELETE'], ['PATCH', { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'replace', path: 'active', value: false }] }]]) {
    const x = await r.api(method, `/scim/v2/Users/${carla.id}`, { token: text, body, headers: { 'Content-Type': 'application/scim+json' } });
    assert.equal(x.status, 409, `SCIM ${method}: ${x.text}`);
  }
  const dan = await r.user('dan@last.example', {}, o);
  made(await assign(r, dan.id, admin, '/', o));
  await r.ok('DELETE', `/v1.0/users/${carla.id}`, o);
});

testOnEngines('14 the operator comes in when the tenant says so, and not longer', async engine => {
  const r = await one(engine), op = { token: r.operatorToken }, reader = await roleId(r, 'Read Only Operator');
  const enter = o => r.api('POST', `/v1.0/installation/tenants/${r.tenant}/token`, o);
  assert.equal((await enter(op)).status, 403);
  await r.refused(403, 'GET', '/v1.0/users', op);
  assert.equal((await enter()).status, 403); // a tenant's administrator is no operator
  for (const body of [{ roleDefinitionId: reader, reason: 'x' }, { roleDefinitionId: reader, expirationDateTime: soon() }, { roleDefinitionId: reader, reason: 'x', expirationDateTime: soon(-1) }, { roleDefinitionId: reader, reason: 'x', expirationDateTime: soon(24 * 31) }])
    await r.refused(400, 'POST', `${RM}/operatorAccess`, { body });
  const second = await r.post('/v1.0/installation/operators', { displayName: 'Second operator' }, op), mine = await r.signIn('00000000-0000-0000-0000-000000000000', second.clientId, second.clientSecret);
  const grant = await r.post(`${RM}/operatorAccess`, { roleDefinitionId: reader, operatorId: second.clientId, reason: 'Ticket 7', expirationDateTime: soon() });
  assert.equal((await enter(op)).status, 403, 'it is another operator\'s');
  const inside = (await enter({ token: mine })).json.access_token;
  await r.get('/v1.0/users', { token: inside });
  await r.refused(403, 'POST', '/v1.0/groups', { token: inside, body: { displayName: 'x', mailEnabled: false, mailNickname: 'x', securityEnabled: true } });
  await r.refused(403, 'GET', '/v1.0/installation/tenants', { token: inside });
  await r.refused(401, 'GET', '/v1.0/users', { token: `${inside.slice(0, -2)}AA` });
  const both = async type => {
    const here = await until('the event', async () => (await r.events(`activityType eq '${type}'`))[0]), there = (await r.events(`activityType eq '${type}'`, op))[0];
    assert.ok(here && there, type);
    return there;
  };
  const told = await both('create OperatorAccess');
  assert.ok(!/Administrator|@/.test(JSON.stringify([told.actor.applicationDisplayName, told.actor.userPrincipalName, told.resources[0].displayName])), 'nobody of the tenant is named there');
  assert.equal((await both('signIn OperatorAccess')).actor.applicationDisplayName, 'Second operator');
  await r.ok('DELETE', `${RM}/operatorAccess/${grant.id}`);
  await r.refused(401, 'GET', '/v1.0/users', { token: inside });
  await both('delete OperatorAccess');
  // it dies with the operator's own secret as well
  await r.post(`${RM}/operatorAccess`, { roleDefinitionId: reader, reason: 'Ticket 8', expirationDateTime: soon() });
  const again = (await enter({ token: mine })).json.access_token;
  await r.get('/v1.0/users', { token: again });
  await r.ok('DELETE', `/v1.0/installation/operators/${second.clientId}`, op);
  await r.refused(401, 'GET', '/v1.0/users', { token: again });
});

testOnEngines('14 why somebody may or may not', async engine => {
  const r = await one(engine), help = await roleId(r, 'Help Desk Operator'), u = await r.user(`why.${engine}@acme.example`), g = await r.group('Desk', [u.id]), whom = await r.group('Customers');
  made(await assign(r, g.id, help, `/groups/${whom.id}`));
  const ask = q => r.get(`${RM}/explain?${new URLSearchParams(q)}`);
  const may = await ask({ principal: u.userPrincipalName, method: 'POST', path: `/deviceManagement/managedDevices/${u.id}/wipe` });
  assert.equal(may.allowed, true);
  assert.deepEqual([may.through[0].groupDisplayName, may.through[0].directoryScopeId, may.through[0].roleDisplayName], ['Desk', `/groups/${whom.id}`, 'Help Desk Operator']);
  assert.match(may.explanation, /Help Desk Operator.*through the group Desk.*members of Customers/);
  const not = await ask({ principal: u.id, method: 'delete', path: `/v1.0/deviceManagement/managedDevices/${u.id}` });
  assert.equal(not.allowed, false);
  assert.ok(not.rolesThatAllow.includes('Endpoint Security Manager') && !not.rolesThatAllow.includes('Help Desk Operator'));
  assert.ok(not.whoCouldGive.some(x => x.displayName === 'Administrator' && x.roleDisplayName === 'Administrator'));
  assert.equal((await ask({ principal: u.id, permission: 'User.Read.All' })).allowed, true);
  for (const [q, status] of [[{}, 400], [{ principal: u.id }, 400], [{ principal: u.id, permission: 'No.Such' }, 400], [{ principal: u.id, method: 'GET', path: '/nothing' }, 400], [{ principal: help, permission: 'User.Read.All' }, 404], [{ principal: u.id, permission: 'User.Read.All', method: 'GET', path: '/users' }, 400]])
    await r.refused(status, 'GET', `${RM}/explain?${new URLSearchParams(q)}`);
});

testOnEngines('14 the command line says the same', async engine => {
  const r = await one(engine), u = await r.user(`cli.${engine}@acme.example`), g = await r.group(`Branch ${engine}`, [u.id]);
  const role = (...args) => r.cli('role', ...args);
  assert.match(role('list').out, /Help Desk Operator/);
  assert.match(role('show', 'Auditor').out, /^AuditLog\.Read\.All$/m);
  assert.equal(role('assign', u.userPrincipalName, 'Help Desk Operator', '--for', g.displayName).code, 0);
  assert.match(role('holders').out, new RegExp(`^user\\t${u.userPrincipalName}\\tHelp Desk Operator\\tBranch ${engine}\\t`, 'm'));
  assert.equal(role('holders', '--query', `$filter=principalId eq '${u.id}'`).out.split('\n').length, 2);
  assert.match(role('explain', u.userPrincipalName, 'POST', `/deviceManagement/managedDevices/${u.id}/wipe`).out, new RegExp(`^yes: .*Help Desk Operator.*Branch ${engine}`));
  const no = role('explain', u.userPrincipalName, 'AuditLog.Read.All').out;
  assert.match(no, /^no: /);
  assert.match(no, /a role that allows it: Auditor\n[^]*who could give one: Administrator/);
  assert.equal(role('unassign', u.userPrincipalName, 'Help Desk Operator', '--for', g.displayName).code, 0);
  assert.equal(role('unassign', u.userPrincipalName, 'Help Desk Operator').code, 66);
  assert.match(role('explain', u.userPrincipalName, 'User.Read.All').out, /^no: /);
  assert.equal(role('assign', 'nobody@acme.example', 'Auditor').code, 66);
  assert.equal(role('assign', u.userPrincipalName, 'No such role').code, 66);
  assert.equal(role('admit', 'Read Only Operator', '2', 'Ticket 9').code, 0);
  assert.match(role('admitted').out, /\tRead Only Operator\t.*\tTicket 9\t/);
  const file = path.join(r.dir, 'role.json');
  fs.writeFileSync(file, JSON.stringify({ rolePermissions: [{ allowedResourceActions: ['User.Read.All'] }] }));
  assert.match(role('create', `Readers ${engine}`, '--file', file).out, new RegExp(`^displayName +Readers ${engine}$`, 'm'));
  assert.equal(role('show', `Readers ${engine}`).out, 'User.Read.All\n');
  const not = role('dismiss', u.id, '--file', file);
  assert.deepEqual([not.code, /'dismiss' takes no '--file'/.test(not.err)], [64, true]);
});

testOnEngines('14 a page tells whoever is signed in why', async engine => {
  const r = await one(engine), words = 'green tractor reads nine books', u = await r.user(`page.${engine}@acme.example`, { displayName: '<b>Paula</b>' }), g = await r.group('Readers <i>', [u.id]);
  const made = spawnSync(REEVE, ['account', 'create', u.userPrincipalName, '--data', r.dir], { encoding: 'utf8', input: `${words}\n`, env: r.env(r.days) });
  assert.equal(made.status, 0, made.stderr);
  const a = await r.api('POST', `/signin/${r.tenant}`, { token: null, raw: new URLSearchParams({ action: 'password', name: u.userPrincipalName, password: words, next: '/account' }).toString(), headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: r.url } });
  assert.equal(a.status, 303, a.text);
  const see = (q = '', cookie = a.headers['set-cookie'][0].split(';')[0]) => r.api('GET', `/account/access${q}`, { token: null, headers: cookie ? { Cookie: cookie } : {} });
  assert.equal((await see('', null)).headers.location, '/signin');
  assert.ok(!/<td>yes/.test((await see()).text));
  const none = (await see('?permission=User.Read.All')).text;
  assert.match(none, /You may not/);
  assert.match(none, /<li><bdi>Read Only Operator<\/bdi><\/li>[^]*Who could give you one[^]*Administrator<\/bdi> \(application\)/);
  const role = (await r.all(`${RM}/roleDefinitions`)).find(x => x.displayName === 'Read Only Operator').id;
  assert.equal((await r.api('POST', `${RM}/roleAssignments`, { body: { principalId: g.id, roleDefinitionId: role } })).status, 201);
  const now = (await see('?permission=User.Read.All')).text;
  assert.match(now, /You hold the role <strong><bdi>Read Only Operator<\/bdi><\/strong>, through the group <strong><bdi>Readers &lt;i&gt;<\/bdi><\/strong>, for everybody/);
  assert.match((await see()).text, /<td>yes/);
  for (const q of ['?permission=x', '?permission=Installation.Metrics.Read', '?permission=%00', '?permission=a&permission=b']) assert.equal((await see(q)).status, 404, q);
});
