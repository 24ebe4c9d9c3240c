// SPDX-License-Identifier: Apache-2.0
// Microsoft's Export-IntuneData.ps1, call by call: what it asks in its order, what it assigns to the answers, what it keeps of them.
import assert from 'node:assert/strict';
import https from 'node:https';
import { Reeve, testOnEngines, until } from './lib.mjs';
import { DM, routes } from './world.mjs';

// ---- PowerShell's ways with what Invoke-RestMethod gives it: names in any case; an absent property cannot be assigned, an existing one not added

const named = (o, name) => Object.keys(o ?? {}).find(k => k.toLowerCase() === name.toLowerCase());
function get(o, name) {
  if (Array.isArray(o)) { const all = o.flatMap(x => get(x, name) ?? []); return all.length ? all : undefined; } // member enumeration
  const key = named(o, name);
  return key === undefined ? undefined : o[key];
}
function assign(o, name, value) {
  const key = named(o, name);
  assert.ok(key !== undefined, `the property '${name}' cannot be found on this object: ${JSON.stringify(o).slice(0, 300)}`);
  o[key] = value;
}
function addMember(o, name, value) {
  assert.ok(o !== null && typeof o === 'object', `nothing to add ${name} to`);
  assert.ok(named(o, name) === undefined, `cannot add a member with the name '${name}' because a member with that name already exists`);
  o[name] = value;
}
const ieq = (a, b) => String(a ?? '').toLowerCase() === String(b ?? '').toLowerCase();

// ---- the script

class Script {
  constructor(r, upn, { all = true, token = r.token, version = 'beta' } = {}) {
    Object.assign(this, { r, upn: upn.toLowerCase(), all, token, version, asked: [], files: {}, objects: {}, skipped: [] });
  }
  // One request as Invoke-RestMethod sends it: spaces escaped, quotes and dollars as they are, its three headers on every call.
  request(method, where, body, authorised = true) {
    return new Promise((resolve, reject) => {
      const url = where.startsWith('https:') ? new URL(where) : null;
      const at = (url ? url.pathname + url.search : `/${this.version}/${where}`).replaceAll(' ', '%20');
      this.asked.push(`${method} ${at}`);
      const headers = authorised ? { 'Content-Type': 'application/json', Authorization: `Bearer ${this.token}`, ExpiresOn: '11/22/2026 18:00:00 +00:00' } : {};
      if (body) headers['Content-Length'] = Buffer.byteLength(body);
      const q = https.request({ host: url?.hostname ?? '127.0.0.1', port: url?.port ?? this.r.port, path: at, method, agent: this.r.agent, headers }, res => {
        const parts = [];
        res.on('data', d => parts.push(d));
        res.on('end', () => resolve({ at, status: res.statusCode, headers: res.headers, bytes: Buffer.concat(parts) }));
      });
      q.on('error', reject);
      q.end(body);
    });
  }
  async json(method, where, body) {
    const a = await this.request(method, where, body), text = a.bytes.toString('utf8');
    assert.ok(a.status >= 200 && a.status < 300, `${method} ${a.at}: ${a.status} ${text.slice(0, 400)}`);
    assert.match(a.headers['content-type'], /^application\/json/);
    assert.ok(!this.foreign?.test(text), `${a.at}: ${text.match(this.foreign)}`);
    return JSON.parse(text);
  }
  object(where) { return this.json('GET', where); }
  async collection(where) {
    const all = [];
    for (let next = where; next != null;) {
      const page = await this.json('GET', next);
      assert.ok(Array.isArray(page.value), `${where}: no value`);
      all.push(...page.value);
      next = page['@odata.nextLink'];
      if (next != null) assert.ok(next.startsWith(`${this.r.url}/${this.version}/`), next);
    }
    return all;
  }
  // Whether the server has the endpoint: what is built beside this is skipped, loudly, until it is there.
  served(method, path) {
    if (routes().some(x => x.method === method && x.path === path)) return true;
    this.skipped.push(path);
    console.log(`     SKIPPED: this build has no ${method} ${path}`);
    return false;
  }
  exportCollection(name, list) { if (list.length > 0) this.files[name] = list; }
  exportObject(name, o) { assert.ok(o); this.objects[name] = o; }

  async run() {
    if (this.all && this.served('POST', '/{v}/deviceManagement/reports/exportJobs')) await this.chromeOS();
    const user = await this.object(`users/${this.upn}`);
    this.id = user.id;
    await this.object(`users/${this.id}/managedDevices`);
    if (this.all) {
      this.exportObject('Azure AD User', user);
      this.exportCollection('Azure AD Groups', await this.collection(`users/${this.upn}/memberOf/microsoft.graph.group`));
      this.exportCollection('Azure AD Registered Devices', await this.collection(`users/${this.upn}/registeredDevices`));
    }
    const devices = await this.managedDevices();
    this.exportCollection('ManagedDevices', devices);
    this.exportCollection('AuditEvents', await this.collection(`deviceManagement/auditEvents?$filter=actor/userPrincipalName eq '${this.upn}'`));
    this.exportCollection('ManagedAppRegistrations', await this.collection(`users/${this.id}/managedAppRegistrations?$expand=appliedPolicies,intendedPolicies,operations`));
    this.exportCollection('AppleDEPSettings', await this.collection(`deviceManagement/depOnboardingSettings?$filter=appleIdentifier eq '${this.upn}'`));
    this.exportCollection('AppInstallStatuses', await this.appStatuses());
    this.exportCollection('EbookInstallStatuses', await this.eBooks(user.displayName));
    const health = [];
    for (const d of devices) health.push(...await this.collection(`deviceAppManagement/windowsManagementApp/healthStates?$filter=deviceName eq '${d.deviceName.replaceAll("'", "''")}'`));
    this.exportCollection('WindowsManagementAppHealthStates', health);
    for (const d of devices) assert.ok('windowsProtectionState' in await this.object(`deviceManagement/managedDevices/${d.id}?$expand=windowsProtectionState`));
    const actions = await this.collection(`deviceManagement/remoteActionAudits?$filter=initiatedByUserPrincipalName eq '${this.upn}'`);
    this.exportCollection('RemoteActionAudits', actions.filter(a => ieq(get(a, 'initiatedByUserPrincipalName'), this.upn) || ieq(get(a, 'userName'), this.upn)));
    this.exportCollection('DeviceManagementTroubleshootingEvents', await this.collection(`users/${this.id}/deviceManagementTroubleshootingEvents`));
    this.exportCollection('iOSUpdateStatus', (await this.collection('deviceManagement/iosUpdateStatuses')).filter(x => ieq(x.userPrincipalName, this.upn)));
    this.exportCollection('MobileAppConfigurationStatuses', await this.appConfigurations(devices));
    this.exportCollection('DeviceManagementScriptRunState', await this.scripts());
    this.exportObject('ManagedAppProtectionStatusReport', await this.object(`deviceAppManagement/managedAppStatuses('userstatus')?userId=${this.id}`));
    this.exportObject('WindowsProtectionSummary', this.filterReport(await this.object("deviceAppManagement/managedAppStatuses('windowsprotectionreport')")));
    this.exportObject('ManagedAppUsageSummary', await this.usage());
    this.exportObject('ManagedAppConfigurationStatusReport', await this.object(`deviceAppManagement/managedAppStatuses('userconfigstatus')?userId=${this.id}`));
    this.exportCollection('TermsAndConditionsAcceptanceStatus', await this.terms());
    if (this.served('GET', '/{v}/users/{user}/exportDeviceAndAppManagementData/content')) await this.remaining();
    return this;
  }

  async chromeOS() {
    const job = await this.json('POST', 'deviceManagement/reports/exportJobs', JSON.stringify({ reportName: 'ChromeOSDevices', localizationType: 'LocalizedValuesAsAdditionalColumn', filter: `(MostRecentUserEmail eq '${this.upn}')`, format: 'json' }));
    const id = get(job, 'Id');
    assert.ok(id.startsWith('ChromeOSDevices_'), id);
    let now;
    await until('the report is made', async () => {
      now = await this.object(`deviceManagement/reports/exportJobs('${id}')`);
      assert.notEqual(now.status, 'failed', JSON.stringify(now));
      return now.status === 'completed';
    }, { every: 100 });
    const file = await this.request('GET', now.url, undefined, false); // without Authorization
    assert.equal(file.status, 200);
    assert.equal(file.bytes.subarray(0, 2).toString(), 'PK');
    this.zip = file.bytes;
  }

  async managedDevices() {
    const ids = (await this.collection(`users/${this.id}/managedDevices?$select=id`)).map(d => d.id), devices = [];
    for (const id of ids) {
      const d = await this.object(`deviceManagement/managedDevices/${id}?$expand=detectedApps`);
      assert.ok(Array.isArray(d.detectedApps));
      addMember(d, 'deviceCategory', await this.object(`deviceManagement/managedDevices/${d.id}/deviceCategory`));
      for (const kind of ['deviceConfigurationStates', 'deviceCompliancePolicyStates']) {
        const states = (await this.collection(`deviceManagement/managedDevices/${d.id}/${kind}`)).filter(s => s.state !== 'notApplicable');
        for (const s of states) assign(s, 'settingStates', await this.collection(`deviceManagement/managedDevices/${d.id}/${kind}/${s.id}/settingStates`));
        addMember(d, kind, states);
      }
      const with_ = await this.object(`deviceManagement/managedDevices/${d.id}/?$select=id,hardwareInformation`);
      assign(d, 'hardwareInformation', get(with_, 'hardwareInformation'));
      devices.push(d);
    }
    return devices;
  }

  async appStatuses() {
    const apps = await this.collection(`deviceAppManagement/mobileApps?$expand=installSummary${this.all ? '' : '&$select=id,displayName,publisher,privacyInformationUrl,informationUrl,owner,developer'}`), out = [];
    const has = s => ['installedUserCount', 'failedUserCount', 'notApplicableUserCount', 'notInstalledUserCount', 'pendingInstallUserCount'].some(n => get(s, n) > 0);
    for (const app of apps.filter(a => has(get(a, 'installSummary')))) {
      const users = (await this.collection(`deviceAppManagement/mobileApps/${app.id}/userStatuses`)).filter(x => ieq(x.userPrincipalName, this.upn));
      const devices = (await this.collection(`deviceAppManagement/mobileApps/${app.id}/deviceStatuses`)).filter(x => ieq(x.userPrincipalName, this.upn));
      if (!users.length && !devices.length) continue;
      addMember(app, 'deviceStatuses', devices);
      addMember(app, 'userStatuses', users);
      out.push(app);
    }
    return out;
  }

  async eBooks(displayName) {
    const out = [];
    for (const book of await this.collection('deviceAppManagement/managedEBooks?$expand=installSummary')) {
      const users = await this.collection(`deviceAppManagement/managedEBooks/${book.id}/userStateSummary`), devices = await this.collection(`deviceAppManagement/managedEBooks/${book.id}/deviceStates`);
      if ([...users, ...devices].some(x => ieq(x.userName, displayName))) { addMember(book, 'deviceStates', devices); addMember(book, 'userStateSummary', users); out.push(book); }
    }
    return out;
  }

  async appConfigurations(devices) {
    const out = [];
    for (const c of await this.collection('deviceAppManagement/mobileAppConfigurations')) {
      const on = (await this.collection(`deviceAppManagement/mobileAppConfigurations/${c.id}/deviceStatuses`)).filter(s => devices.some(d => s.id.includes(d.id)));
      const of = (await this.collection(`deviceAppManagement/mobileAppConfigurations/${c.id}/userStatuses`)).filter(s => ieq(s.userPrincipalName, this.upn));
      if (on.length || of.length) { addMember(c, 'deviceStatuses', on); addMember(c, 'userStatuses', of); out.push(c); }
    }
    return out;
  }

  async scripts() {
    const out = [];
    for (const s of await this.collection('deviceManagement/deviceManagementScripts')) {
      const runs = (await this.collection(`deviceManagement/deviceManagementScripts/${s.id}/userRunStates`)).filter(x => ieq(x.userPrincipalName, this.upn));
      if (runs.length) { addMember(s, 'userRunStates', runs); out.push(s); }
    }
    return out;
  }

  // Filter-ManagedAppReport: with no rows and no columns their numbers are equal, and the script reads the first of none.
  filterReport(report) {
    const content = get(report, 'content');
    if (content == null) return report;
    const columns = get(content, 'header').length, rows = get(get(content, 'body'), 'values');
    if ((rows?.length ?? 0) === columns) assert.ok(rows, 'cannot index into a null array');
    return report;
  }
  async usage() {
    const columns = 'UserId,DisplayName,UserEmail,ApplicationName,ApplicationInstanceId,ApplicationVersion,DeviceName,DeviceType,DeviceManufacturer,DeviceModel,AndroidPatchVersion,AzureADDeviceId,MDMDeviceID,Platform,PlatformVersion,ManagementLevel,PolicyName,LastCheckInDate';
    const s = await this.object(`deviceAppManagement/managedAppStatuses('appregistrationsummary')?fetch=6000&policyMode=0&columns=${columns}`);
    assert.deepEqual(get(get(s, 'content'), 'header'), columns.split(','));
    assign(get(s, 'content'), 'body', get(get(s, 'content'), 'body').filter(row => ieq(row.values[0], this.id)));
    return s;
  }

  async terms() {
    const out = [];
    for (const t of await this.collection('deviceManagement/termsAndConditions'))
      out.push(...(await this.collection(`deviceManagement/termsAndConditions/${t.id}/acceptanceStatuses`)).filter(s => s.id.includes(this.id)));
    return out;
  }

  async remaining() {
    for (const item of await this.collection(`users/${this.upn}/exportDeviceAndAppManagementData()/content`)) {
      if (get(item, 'data') == null) continue;
      const name = ieq(get(item, 'displayName'), 'Users') ? 'Intune Users' : get(item, 'displayName');
      assert.ok(name && this.files[name] === undefined, `a file ${name} would be overwritten`);
      this.exportCollection(name, get(item, 'data'));
    }
  }
}

// ---- a tenant with two people, and another with the same names

const GROUPS = 100; // more than one, of one person: more than a page

// What furnish() writes for a mark, in words: the mark alone may stand in any link or key.
const wordsOf = mark => new RegExp(`(Staff|More|Settings|Wi-Fi|Editor|Unused|Notice|Bob) ${mark}|(laptop|phone|bob)${mark}|SN${mark}|${mark}(given|net|BOB)`, 'i');

async function furnish(r, o, mark, more) {
  const w = { mark, upn: 'Anna.Meier@acme.example' };
  w.anna = await r.user(w.upn, { displayName: 'Anna Meier', givenName: `${mark}given` }, o);
  w.bob = await r.user('bob@acme.example', { displayName: `Bob ${mark}BOB` }, o);
  w.group = await r.group(`Staff ${mark}`, [w.anna.id, w.bob.id], o);
  w.groups = [w.group, ...await Promise.all(Array.from({ length: more }, (_, i) => r.group(`More ${mark} ${i}`, [w.anna.id], o)))].map(g => g.id);
  w.settings = await r.provide(w.group, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: `Settings ${mark}`, path: '/etc/acme.conf', content: 'x' }, o);
  w.wifi = await r.provide(w.group, { '@odata.type': '#microsoft.graph.linuxWiFiConfiguration', displayName: `Wi-Fi ${mark}`, ssid: `${mark}net`, security: 'wpaPersonal', passphrase: 'not for export' }, o);
  w.app = await r.provide(w.group, { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: `Editor ${mark}`, publisher: 'Acme', package: 'editor', files: [{ path: '/usr/bin/editor', content: 'x', mode: '0755' }] }, o);
  w.unused = await r.provide(null, { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: `Unused ${mark}`, package: 'unused' }, o);
  w.terms = await r.post(`${DM}/termsAndConditions`, { displayName: `Notice ${mark}`, title: 't', bodyText: 'b', acceptanceStatement: 'a' }, o);
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true, collectAddresses: true }, ...o });
  w.laptop = await r.device(w.upn, 'company', { name: `laptop${mark.toLowerCase()}`, serial: `SN${mark}1`, ...o });
  w.phone = await r.device(w.upn, 'personal', { name: `phone${mark.toLowerCase()}`, serial: `SN${mark}2`, ...o });
  w.other = await r.device('bob@acme.example', 'company', { name: `bob${mark.toLowerCase()}`, serial: `SN${mark}BOB`, ...o });
  for (const d of [w.laptop, w.phone, w.other]) { d.sync(); d.sync(); }
  return w;
}

testOnEngines('82 Export-IntuneData.ps1 gets what it needs of one person, and nothing of anybody else', async engine => {
  const r = await Reeve.make({ engine }), second = await r.secondTenant('Globex');
  const w = await furnish(r, {}, 'AAA', GROUPS), b = await furnish(r, { token: second.token }, 'ZZZ', 0);
  // a device says that it could not; something was asked of both people's devices
  const failed = await r.channel('checkin', { items: [{ id: w.wifi.id, version: 1, state: 'failed', error: 'no radio' }] }, w.phone.pair);
  assert.equal(failed.status, 200, failed.text);
  for (const d of [w.laptop, w.other]) await r.ok('POST', `${DM}/managedDevices/${d.id}/syncDevice`);
  const left = await r.channel('leave', {}, w.phone.pair); // the person's own wish; the device has not said yet that it is done
  assert.equal(left.status, 200, left.text);
  await r.ok('POST', `${DM}/managedDevices/${w.laptop.id}/retire`);
  await r.ok('PATCH', `${DM}/managedDevices/${w.other.id}`, { body: { notes: 'Bob keeps it at home' } });

  for (const all of [true, false]) {
    const s = new Script(r, w.upn.toUpperCase(), { all });
    s.foreign = wordsOf('ZZZ'); // of the other tenant: not in any answer
    await s.run();
    check(s, w, all);
    // what the script would keep names nobody else
    const kept = JSON.stringify([s.files, s.objects]);
    for (const text of ['AAABOB', 'bob@acme.example', w.bob.id, w.other.id, w.other.name, 'at home']) assert.ok(!kept.toLowerCase().includes(text.toLowerCase()), `${text} is kept: ${kept.match(new RegExp(`.{200}${text}`, 'i'))}`);
    assert.ok(!kept.includes('not for export'));
  }
  // the same person's name in the other tenant
  const theirs = new Script(r, b.upn, { token: second.token });
  theirs.foreign = wordsOf('AAA');
  await theirs.run();
  assert.deepEqual(theirs.files.ManagedDevices.map(d => d.id).sort(), [b.laptop.id, b.phone.id].sort());

  // v1.0 answers the same questions, but for what only beta has
  const plain = new Script(r, w.upn, { version: 'v1.0' });
  const s = await new Script(r, w.upn).run();
  for (const line of s.asked.filter(x => x.startsWith('GET /beta/') && !/hardwareInformation|exportJobs|skiptoken/.test(x))) await plain.json('GET', decodeURIComponent(line.slice('GET /beta/'.length)));

  await better(r, w);
  // who is not there, and who is nobody of the organisation's
  for (const where of ['/beta/users/nobody@acme.example', '/beta/users/nobody@acme.example/managedDevices', `/beta/users/${b.anna.id}/managedDevices`, `/beta/users/${b.anna.id}/registeredDevices`, `/beta/users/${b.anna.id}/deviceManagementTroubleshootingEvents`,
    `/beta/users/${b.anna.id}/managedAppRegistrations`, `/beta/deviceManagement/managedDevices/${b.laptop.id}/deviceConfigurationStates`, `/beta/deviceManagement/managedDevices/${b.laptop.id}/deviceCategory`, `/beta/deviceAppManagement/mobileApps/${b.app.id}/userStatuses`,
    `/beta/users/${w.bob.id}/managedDevices/${w.laptop.id}/deviceConfigurationStates`, `/beta/deviceManagement/managedDevices/${w.laptop.id}/deviceConfigurationStates/${b.settings.id}/settingStates`]) await r.refused(404, 'GET', where);
});

function check(s, w, all) {
  const f = s.files, by = (list, id) => list.find(x => x.id === id);
  assert.deepEqual(f.ManagedDevices.map(d => d.id).sort(), [w.laptop.id, w.phone.id].sort());
  const laptop = by(f.ManagedDevices, w.laptop.id), phone = by(f.ManagedDevices, w.phone.id);
  assert.equal(laptop.hardwareInformation.serialNumber, w.laptop.serial);
  assert.ok(laptop.detectedApps.length > 0 && laptop.detectedApps.every(a => a.displayName && a.id.startsWith(w.laptop.id)), 'packages of the company device');
  assert.deepEqual(phone.detectedApps, [], 'none of the personal one');
  assert.deepEqual(laptop.deviceActionResults.map(a => a.actionName).sort(), ['retire', 'syncDevice']);
  const states = d => Object.fromEntries(d.deviceConfigurationStates.map(x => [x.displayName, x.state]));
  assert.deepEqual(states(laptop), { 'Settings AAA': 'compliant', 'Wi-Fi AAA': 'compliant' });
  assert.deepEqual(states(phone), { 'Settings AAA': 'compliant', 'Wi-Fi AAA': 'error' });
  const wifi = phone.deviceConfigurationStates.find(x => x.displayName === 'Wi-Fi AAA');
  assert.equal(wifi.userPrincipalName, w.upn);
  assert.equal(wifi.settingStates.length, wifi.settingCount);
  assert.ok(wifi.settingStates.some(x => x.setting === 'ssid' && x.state === 'error' && x.errorDescription === 'no radio' && x.userPrincipalName === w.upn));
  assert.deepEqual(laptop.deviceCompliancePolicyStates, []);
  assert.equal(laptop.deviceCategory.displayName, 'Unknown');

  assert.deepEqual(f.AppInstallStatuses.map(a => a.displayName), ['Editor AAA']);
  const app = f.AppInstallStatuses[0];
  assert.deepEqual([app.installSummary.installedDeviceCount, app.installSummary.installedUserCount, app.installSummary.failedUserCount], [3, 2, 0]);
  assert.deepEqual(app.deviceStatuses.map(x => [x.deviceId, x.installState, x.userPrincipalName]).sort(), [[w.laptop.id, 'installed', w.upn], [w.phone.id, 'installed', w.upn]].sort());
  assert.deepEqual(app.userStatuses.map(x => [x.id, x.userName, x.installedDeviceCount, x.failedDeviceCount, x.notInstalledDeviceCount]), [[w.anna.id, 'Anna Meier', 2, 0, 0]]);

  assert.deepEqual(f.DeviceManagementTroubleshootingEvents.map(e => [e.correlationId, e.troubleshootingErrorDetails.failureDetails]), [[w.wifi.id, 'no radio']]);
  assert.deepEqual(f.RemoteActionAudits.map(a => [a.action, a.actionState, a.managedDeviceId, a.initiatedByUserPrincipalName]), [['removeCompanyData', 'active', w.phone.id, w.upn]]);
  assert.deepEqual(f.TermsAndConditionsAcceptanceStatus.map(x => [x.userPrincipalName, x.acceptedVersion]), [[w.upn, 1]]);
  for (const nothing of ['ManagedAppRegistrations', 'AppleDEPSettings', 'EbookInstallStatuses', 'WindowsManagementAppHealthStates', 'iOSUpdateStatus', 'MobileAppConfigurationStatuses', 'DeviceManagementScriptRunState']) assert.equal(f[nothing], undefined, nothing);
  if (all) {
    assert.equal(s.objects['Azure AD User'].userPrincipalName, w.upn);
    assert.deepEqual(f['Azure AD Groups'].map(g => g.id).sort(), [...w.groups].sort(), 'each page of the groups');
    assert.ok(s.asked.some(a => /memberOf.*skiptoken/.test(a)));
    assert.deepEqual(f['Azure AD Registered Devices'].map(d => [d.displayName, d['@odata.type'], d.trustType]).sort(), [w.laptop.name, w.phone.name].map(n => [n, '#microsoft.graph.device', 'Workplace']).sort());
  }
  if (!s.skipped.length) {
    assert.ok(s.files['Intune Users'].length === 1 && s.files.Devices.length === 2);
    assert.ok(s.files['Intune Users'].some(u => JSON.stringify(u).includes('AAAgiven')));
  }
}

// What the script does not ask, and Reeve answers beside: actions on a person's devices, whoever asked for them.
async function better(r, w) {
  const at = '/beta/deviceManagement/remoteActionAudits', actions = async f => (await r.all(`${at}?$filter=${encodeURIComponent(f)}`)).map(a => a.action).sort();
  assert.deepEqual(await actions(`deviceOwnerUserPrincipalName eq '${w.upn}'`), ['removeCompanyData', 'removeCompanyData', 'unknown']);
  assert.deepEqual(await actions(`managedDeviceId eq '${w.other.id}'`), ['unknown']);
  assert.deepEqual(await actions(`action eq 'removeCompanyData' and actionState eq 'pending'`), ['removeCompanyData']);
  assert.deepEqual(await actions("action eq 'factoryReset'"), []);
  const list = await r.get(`${at}?$top=2&$orderby=requestDateTime%20desc`), first = list.value[0];
  assert.equal(list.value.length, 2);
  assert.deepEqual([first.action, first.deviceDisplayName, first.deviceOwnerUserPrincipalName, first.initiatedByUserPrincipalName, first.userName, first.managedDeviceId], ['removeCompanyData', w.laptop.name, w.upn, null, 'Administrator', w.laptop.id]);
  assert.deepEqual(Object.keys(first).sort(), ['action', 'actionName', 'actionState', 'askedAs', 'deviceDisplayName', 'deviceIMEI', 'deviceOwnerUserPrincipalName', 'errorDescription', 'id', 'initiatedByUserPrincipalName', 'lastUpdatedDateTime', 'managedDeviceId', 'outcome', 'requestDateTime', 'userName']); // Graph's, and Reeve's own beside them
  assert.equal((await r.get(`${at}/${first.id}`)).action, 'removeCompanyData');
  // packages of all devices, cut to pages, and the devices that have one
  const packages = await r.all('/beta/deviceManagement/detectedApps?$top=1'), names = packages.map(p => `${p.displayName} ${p.version}`);
  const own = await r.all(`/beta/deviceManagement/managedDevices/${w.laptop.id}/detectedApps`);
  assert.deepEqual(names, own.map(p => `${p.displayName} ${p.version}`).sort());
  assert.ok(packages.length > 1 && packages.every(p => p.deviceCount === 2), JSON.stringify(packages));
  assert.deepEqual((await r.all(`/beta/deviceManagement/detectedApps?$filter=displayName%20eq%20'${packages[0].displayName}'`)).map(p => p.id), [packages[0].id]);
  assert.equal((await r.get(`/beta/deviceManagement/detectedApps('${packages[0].id}')`)).displayName, packages[0].displayName);
  assert.deepEqual((await r.all(`/beta/deviceManagement/detectedApps/${packages[0].id}/managedDevices`)).map(d => d.id).sort(), [w.laptop.id, w.other.id].sort());
  for (const id of ['x', 'AAAA', Buffer.from('no such\npackage').toString('base64url')]) await r.refused(404, 'GET', `/beta/deviceManagement/detectedApps/${id}`);
  assert.deepEqual((await r.all('/v1.0/deviceManagement/managedDevices')).find(d => d.id === w.laptop.id).deviceActionResults.map(a => a.actionName).sort(), ['retire', 'syncDevice'], 'in lists too');
  // the person who uses a device
  assert.deepEqual((await r.all(`/beta/deviceManagement/managedDevices/${w.laptop.id}/users`)).map(u => u.id), [w.anna.id]);
  // a device that an administrator deletes is out of every list at once; the action stays, without its name
  await r.ok('DELETE', `${DM}/managedDevices/${w.other.id}`);
  assert.deepEqual((await r.all(`/beta/deviceAppManagement/mobileApps/${w.app.id}/deviceStatuses`)).map(x => x.deviceId).sort(), [w.laptop.id, w.phone.id].sort());
  assert.equal((await r.get(`/beta/deviceAppManagement/mobileApps/${w.app.id}/installSummary`)).installedDeviceCount, 2);
  assert.deepEqual((await r.all(`/beta/deviceAppManagement/mobileApps/${w.app.id}/userStatuses`)).map(x => x.id), [w.anna.id]);
  assert.ok((await r.all('/beta/deviceManagement/detectedApps')).every(p => p.deviceCount === 1));
  assert.ok((await r.all(`${at}?$filter=${encodeURIComponent(`managedDeviceId eq '${w.other.id}'`)}`)).every(a => a.deviceDisplayName === null && a.deviceOwnerUserPrincipalName === null));
}
