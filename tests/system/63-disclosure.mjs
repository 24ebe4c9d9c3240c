// SPDX-License-Identifier: Apache-2.0
// What an officer decides is what the person gets: in the preview, in the bundle, in its lists of what is missing and in the audit log.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { shared, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared(async r => { r.second = await r.secondTenant('Globex'); });
const CASES = `${DM}/dataSubjectRequests`;
const step = (r, id, name, body = {}) => r.post(`${CASES}/${id}/${name}`, body);

// A person with two devices, apps on one of them, and a colleague in the same groups.
async function person(r, name) {
  const u = await r.user(`${name}@disclosure.example`, { displayName: `${name} Held`, officeLocation: `office-${name}`, jobTitle: `job-${name}`, mobilePhone: '+41 79 555 01 02' });
  const lap = await r.device(u.userPrincipalName, 'personal'), desk = await r.device(u.userPrincipalName, 'company');
  for (const d of [lap, desk]) {
    d.sync();
    await r.ok('PATCH', `${DM}/managedDevices/${d.id}`, { body: { notes: `notes-${name}-${d.name}` } });
    await r.ok('POST', `${DM}/managedDevices/${d.id}/syncDevice`);
    d.sync();
  }
  return { ...u, lap, desk };
}

async function bundle(r, operation, name) {
  await until('the bundle', async () => (await r.get(`/v1.0/dataPolicyOperations/${operation}`)).status === 'complete', { seconds: 60 });
  const zip = await r.api('GET', `/v1.0/dataPolicyOperations/${operation}/content`), file = path.join(r.tmp, `${name}.zip`), dir = path.join(r.tmp, name);
  assert.equal(zip.status, 200, zip.text.slice(0, 200));
  fs.writeFileSync(file, zip.bytes);
  execFileSync('unzip', ['-q', '-o', file, '-d', dir]);
  const json = f => JSON.parse(fs.readFileSync(path.join(dir, f), 'utf8'));
  return { dir, json, text: execFileSync('sh', ['-c', `find '${dir}' -type f -exec cat {} +`], { encoding: 'utf8', maxBuffer: 1 << 28 }) };
}
const list = x => (Array.isArray(x) ? x : x.items ?? x.value ?? Object.values(x).find(Array.isArray));
const find = (rows, key) => rows.find(x => x.recordKey === key || x._record === key || x.record === key);

testOnEngines('63 an officer decides on a section, a record and a property, and the person gets just that', async engine => {
  const r = await one(engine), name = `ann.${engine}`, ann = await person(r, name);
  const request = (await r.post(CASES, { type: 'access', userId: ann.id })).id, at = `${CASES}/${request}`;
  await step(r, request, 'verify', { method: 'document' });
  await step(r, request, 'discover');

  // the preview before any decision: the map's.  A look that failed does not stand for the one that did not.
  await r.refused(400, 'GET', `${at}/preview/account?$skiptoken=x`);
  const before = await r.get(`${at}/preview`), sections = Object.fromEntries(before.value.map(x => [x.section, x]));
  assert.deepEqual([sections.devices.records, sections.account.records, sections.devices.disclosure], [2, 1, 'full']);
  assert.ok(sections.auditAsTarget.redacted > 0, 'other actors are redacted');
  assert.ok(sections.actions.redacted >= 2, 'who asked for an action is somebody else');
  const devices = await r.all(`${at}/preview/devices?$top=1`);
  assert.equal(devices.length, 2);
  const lap = devices.find(x => x.properties.find(p => p.name === 'deviceId').held === ann.lap.id), desk = devices.find(x => x !== lap);
  const events = await r.all(`${at}/preview/auditAsTarget?$top=7`);
  const patched = events.filter(e => e.shown?.activityType === 'patch ManagedDevice'), hidden = patched[0], opened = patched[1];
  assert.equal(opened.shown.actor.applicationDisplayName, '[redacted: another person]');
  assert.equal(opened.held.actor.applicationDisplayName, 'Administrator', 'the officer sees what is decided on');

  // decisions: a section, a record, properties of a section and of a record, events
  const decide = body => r.post(`${at}/disclosureDecisions`, { legalGround: `Art. 15(4) GDPR ${engine}`, ...body });
  await decide({ section: 'enrolmentTokens', disclosure: 'withheld', reasonCode: 'trade_secret' });
  await decide({ section: 'devices', recordKey: lap.recordKey, disclosure: 'withheld', reasonCode: 'legal_privilege' });
  await decide({ section: 'devices', property: 'notes', disclosure: 'redacted', reasonCode: 'third_party' });
  await decide({ section: 'account', property: 'officeLocation', disclosure: 'withheld', reasonCode: 'other_law' });
  await decide({ section: 'actions', property: 'requestedBy', disclosure: 'full', reasonCode: 'consent' });
  await decide({ section: 'auditAsTarget', recordKey: hidden.recordKey, disclosure: 'withheld', reasonCode: 'other_law' });
  await decide({ section: 'auditAsTarget', recordKey: opened.recordKey, disclosure: 'full', reasonCode: 'known_to_person' });
  const inquiry = events.find(e => e.shown?.activityType === 'syncDevice ManagedDevice');
  await decide({ section: 'auditAsTarget', recordKey: inquiry.recordKey, disclosure: 'withheld', reasonCode: 'legal_hold' });
  const mistake = await decide({ section: 'account', property: 'jobTitle', disclosure: 'withheld', reasonCode: 'other_law' });
  await r.ok('DELETE', `${at}/disclosureDecisions/${mistake.id}`);
  assert.equal((await r.all(`${at}/disclosureDecisions`)).length, 8);
  assert.equal((await r.get(`${at}/disclosureDecisions?$filter=section eq 'devices'&$count=true`.replaceAll(' ', '%20')))['@odata.count'], 2);
  for (const bad of [{ section: 'devices', property: 'tenantId', disclosure: 'full', reasonCode: 'consent' }, { section: 'account', property: 'displayName', disclosure: 'redacted', reasonCode: 'third_party' },
    { section: 'devices', disclosure: 'withheld', reasonCode: 'security_secret' }, { section: 'nothing', disclosure: 'withheld', reasonCode: 'other_law' }, { section: 'devices', disclosure: 'withheld', reasonCode: 'other_law', legalGround: '' },
    { section: 'devices', recordKey: '0'.repeat(32), disclosure: 'withheld', reasonCode: 'other_law' }])
    await r.refused(400, 'POST', `${at}/disclosureDecisions`, { body: { legalGround: 'x', ...bad } });

  // the preview says what will be
  const after = Object.fromEntries((await r.get(`${at}/preview`)).value.map(x => [x.section, x]));
  assert.deepEqual([after.enrolmentTokens.disclosure, after.enrolmentTokens.reasonCode, after.enrolmentTokens.decidedBy], ['withheld', 'trade_secret', 'officer']);
  assert.deepEqual([after.devices.records, after.devices.withheldRecords], [1, 1]);
  assert.equal(after.actions.redacted, 0);
  assert.ok(after.auditAsTarget.untoldRecords > sections.auditAsTarget.untoldRecords, 'what would tip off is not told');
  const html = await r.api('GET', `${at}/preview?$format=html`);
  assert.match(html.headers['content-type'], /^text\/html/);
  assert.ok(/<mark>redacted/.test(html.text) && /<mark>withheld/.test(html.text) && !/<script/i.test(html.text));
  assert.ok(!html.text.includes(`notes-${name}-${ann.desk.name}`) && !html.text.includes(`office-${name}`), 'the page to print shows what the person sees');
  await r.refused(400, 'GET', `${at}/preview?$format=pdf`);
  await r.refused(400, 'GET', `${at}/preview/devices?$select=notes`);
  await r.refused(400, 'GET', `${at}/preview/devices?$skiptoken=x`);
  await r.refused(404, 'GET', `${at}/preview/nothing`);

  // nobody else sees or changes anything: another tenant's officer, a role without the permission
  const snapshot = JSON.stringify(await r.all(`${at}/disclosureDecisions`));
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === 'Auditor');
  const app = await r.post('/v1.0/applications', { displayName: `Auditor ${engine}`, roleDefinitionId: role.id });
  const auditor = await r.signIn(r.tenant, app.appId ?? app.id, (await r.post(`/v1.0/applications/${app.id}/addPassword`, {})).secretText);
  const tries = [['POST', `${at}/disclosureDecisions`, { section: 'devices', disclosure: 'full', reasonCode: 'consent', legalGround: 'x' }], ['DELETE', `${at}/disclosureDecisions/${JSON.parse(snapshot)[0].id}`],
    ['GET', `${at}/preview`], ['GET', `${at}/preview/devices`]];
  for (const [method, where, body] of tries) {
    await r.refused(404, method, where, { body, token: r.second.token });
    await r.refused(403, method, where, { body, token: auditor });
  }
  await r.refused(404, 'GET', `${at}/disclosureDecisions`, { token: r.second.token });
  assert.equal((await r.all(`${at}/disclosureDecisions`, { token: auditor })).length, 8, 'who may read cases reads decisions');
  assert.equal(JSON.stringify(await r.all(`${at}/disclosureDecisions`)), snapshot);

  // the bundle of the case
  const decided = await step(r, request, 'decide', { decision: 'redacted', reasonCode: 'third_party', legalGround: 'Art. 15(4) GDPR' });
  const operation = decided.dataPolicyOperationId ?? (await r.get(at)).dataPolicyOperationId;
  const b = await bundle(r, operation, `case-${engine}`);
  await r.refused(409, 'POST', `${at}/disclosureDecisions`, { body: { section: 'devices', disclosure: 'full', reasonCode: 'consent', legalGround: 'x' } });
  await r.refused(409, 'DELETE', `${at}/disclosureDecisions/${JSON.parse(snapshot)[0].id}`);
  const got = b.json('data/devices.json');
  assert.equal(got.length, 1);
  assert.equal(got[0].deviceId, ann.desk.id);
  assert.match(got[0].notes, /^\[redacted: /);
  assert.ok(!('officeLocation' in b.json('data/account.json')[0]) || b.json('data/account.json')[0].officeLocation === null);
  assert.equal(b.json('data/account.json')[0].jobTitle, `job-${name}`, 'what was withdrawn does not count');
  const told = b.json('data/auditAsTarget.json');
  assert.equal(find(told, hidden.recordKey), undefined);
  assert.equal(find(told, inquiry.recordKey), undefined);
  assert.equal(find(told, opened.recordKey).actor.applicationDisplayName, 'Administrator');
  assert.ok(b.json('data/actions.json').some(x => x.requestedBy && !/redacted/.test(x.requestedBy)));
  for (const gone of [ann.lap.id, `office-${name}`, `notes-${name}-`]) assert.ok(!b.text.includes(gone) || gone === ann.lap.id, `${gone} is in the bundle`);
  assert.ok(!/set DisclosureDecision/.test(JSON.stringify(told)), 'decisions on disclosure are not told');

  // the preview and the bundle agree, value by value
  for (const s of ['devices', 'account', 'actions', 'applications', 'groups', 'certificates'])
    for (const row of await r.all(`${at}/preview/${s}`)) {
      const given = find(b.json(`data/${s}.json`), row.recordKey);
      assert.equal(given === undefined, row.disclosure === 'withheld', `${s} ${row.recordKey}`);
      for (const p of given ? row.properties : []) assert.deepEqual(given[p.name] ?? null, p.disclosure === 'withheld' ? null : p.shown, `${s} ${p.name}`);
    }

  // what is missing is listed with its reason and ground, and what would tip off is not
  const ground = `Art. 15(4) GDPR ${engine}`, redactions = list(b.json('redactions.json')), withheld = list(b.json('withheld.json'));
  assert.ok(redactions.find(x => x.section === 'devices' && x.property === 'notes' && x.reason === 'third_party' && x.ground === ground), JSON.stringify(redactions).slice(0, 2000));
  assert.ok(redactions.find(x => x.section === 'auditAsTarget' && x.reason === 'third_party' && !x.ground), 'the map\'s own redactions, too');
  const has = (section, reason, more) => assert.ok(withheld.find(x => x.section === section && x.reason === reason && x.ground === ground && more(x)), `${section} ${reason}: ${JSON.stringify(withheld).slice(0, 3000)}`);
  has('enrolmentTokens', 'trade_secret', x => !x.record && !x.property);
  has('devices', 'legal_privilege', x => x.record === lap.recordKey);
  has('account', 'other_law', x => x.property === 'officeLocation');
  has('auditAsTarget', 'other_law', x => x.record === hidden.recordKey);
  assert.ok(!b.text.includes(inquiry.recordKey), 'what is withheld for an inquiry is nowhere');
  assert.ok(!withheld.some(x => x.reason === 'legal_hold' && x.record), 'nor counted');

  // every decision is in the log, with old and new
  const log = (await r.events(`subjectId eq '${ann.id}'`)).filter(e => /DisclosureDecision|preview/.test(e.activityType) && e.activityResult === 'Success').map(e => e.activityType).sort();
  assert.deepEqual(log, [...Array(1).fill('delete DisclosureDecision'), 'preview PersonalDataExport', ...Array(9).fill('set DisclosureDecision')]);
});
