// SPDX-License-Identifier: Apache-2.0
// Devices: the real agent on device trees, and on this machine for its inventory only.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { AGENT, Device, Reeve, makeRequest, sanitizers, shared, test, testOnEngines, until } from './lib.mjs';

const one = shared();
const DM = '/v1.0/deviceManagement';
const device = (name, serial) => ({ deviceName: name, manufacturer: 'm', model: 'm', serialNumber: serial, osName: 'Debian GNU/Linux', osVersion: '12' });
const gone = (r, d, seconds = 60) => until(`device ${d.name} is gone`, async () => (await r.api('GET', `${DM}/managedDevices/${d.id}`)).status === 404, { seconds });
const actionOf = async (r, d) => { const m = await r.managed(d.id); return [m.managementState, m.deviceActionResults.map(a => `${a.actionName} ${a.actionState}`).join(', ')]; };

test('30 terms are shown and accepted before enrolment, by version; a token works once', async () => {
  const r = await one(), upn = 'terms@acme.example';
  const user = await r.user(upn);
  const terms = await r.post(`${DM}/termsAndConditions`, { displayName: 'Notice', title: 'What we hold', bodyText: 'Hardware,\nand nothing personal.', acceptanceStatement: 'I have read this' });
  assert.equal(terms.version, 1);
  const t = await r.enrollmentToken(upn, 'personal'), { csr } = makeRequest(r.tmp);
  const shown = await r.channel('terms', { token: t.token });
  assert.equal(shown.status, 200);
  assert.equal(shown.json.ownership, 'personal');
  assert.ok(shown.json.never.some(n => /location/.test(n)) && shown.json.collects.length > 3);
  assert.ok(!shown.json.collects.some(c => /package/.test(c)), 'packages of a personal device are not collected');
  assert.deepEqual(shown.json.terms.map(x => [x.id, x.version, x.bodyText]), [[terms.id, 1, 'Hardware,\nand nothing personal.']]);
  const enroll = (acceptedTerms, token = t.token, more) => r.channel('enroll', { token, csr, acceptedTerms, device: device('raw', 'RAW1'), provisioning: true, ...more });
  for (const accepted of [[], [{ id: terms.id, version: 2 }], [{ id: user.id, version: 1 }]]) {
    const a = await enroll(accepted);
    assert.equal(a.status, 412, a.text);
    assert.equal(a.json.error.code, 'PreconditionFailed');
  }
  const accepted = [{ id: terms.id, version: 1 }];
  for (const [body, status] of [[{ token: 'x'.repeat(43) }, 401], [{ token: '' }, null], [{ csr: 'no request' }, 400], [{ csr: 7 }, 400], [{ nothing: 1 }, 400], [{ device: {} }, 400], [{ provisioning: 'yes' }, 400], [{ device: { ...device('x', 'y'), location: 'here' } }, 400]]) {
    const a = await enroll(accepted, t.token, body);
    assert.ok(status ? a.status === status : [400, 401].includes(a.status), `${JSON.stringify(body)}: ${a.status} ${a.text}`);
  }
  assert.equal((await r.all(`${DM}/managedDevices`)).length, 0, 'nothing is enrolled by a refusal');
  // eight at once with one token: one device
  const many = await Promise.all(Array.from({ length: 8 }, () => enroll(accepted)));
  assert.equal(many.filter(a => a.status === 201).length, 1, many.map(a => a.status).join(' '));
  assert.ok(many.every(a => a.status === 201 || a.status === 401));
  assert.equal((await r.all(`${DM}/managedDevices`)).length, 1);
  assert.equal((await enroll(accepted)).status, 401);
  const status = await r.all(`${DM}/termsAndConditions/${terms.id}/acceptanceStatuses`);
  assert.deepEqual(status.map(x => [x.userPrincipalName, x.acceptedVersion]), [[upn, 1]]);
  const winner = many.find(a => a.status === 201).json;
  await r.ok('DELETE', `${DM}/managedDevices/${winner.deviceId}`);

  // the agent: nobody to ask is a refusal, and it changes nothing
  const d = new Device(r, path.join(r.tmp, 'terms'), 'terms', 'T1').makeTree('personal'), before = d.sums();
  const t2 = await r.enrollmentToken(upn, 'personal');
  const refused = d.enroll(t2.token);
  assert.notEqual(refused.code, 0);
  assert.ok(refused.out.includes('Hardware,') || refused.err.includes('Hardware,'), 'the terms are shown');
  assert.equal(d.sums(), before);
  assert.equal(d.status().enrolled, false);
  // changed terms are asked again, as version 2
  await r.ok('PATCH', `${DM}/termsAndConditions/${terms.id}`, { body: { bodyText: 'Hardware, packages.', version: 2 } });
  assert.equal((await enroll(accepted, t2.token)).status, 412);
  assert.equal(d.enroll(t2.token, '--accept-terms').code, 0);
  assert.deepEqual((await r.all(`${DM}/termsAndConditions/${terms.id}/acceptanceStatuses`)).map(x => x.acceptedVersion).sort(), [1, 2]);
  // tokens that were taken back, or belong to a deleted person
  const t3 = await r.enrollmentToken(upn, 'personal');
  await r.ok('DELETE', `${DM}/enrollmentTokens/${t3.id}`);
  assert.equal((await enroll([{ id: terms.id, version: 2 }], t3.token)).status, 401);
  const other = await r.user('terms2@acme.example'), t4 = await r.enrollmentToken('terms2@acme.example', 'company');
  await r.ok('DELETE', `/v1.0/users/${other.id}`);
  assert.ok([401, 403].includes((await enroll([{ id: terms.id, version: 2 }], t4.token)).status));
  assert.ok(!JSON.stringify(await r.all(`${DM}/enrollmentTokens`)).includes(t2.token), 'a token is shown once');
  await r.ok('DELETE', `${DM}/termsAndConditions/${terms.id}`);
});

test('30 the inventory of this machine is what its own commands say', async () => {
  const r = await one(), upn = 'machine@acme.example';
  await r.user(upn);
  const state = path.join(r.tmp, 'this-machine');
  const agent = (...args) => spawnSync(AGENT, args, { encoding: 'utf8', env: { ...process.env, ...sanitizers } });
  const t = await r.enrollmentToken(upn, 'company');
  const e = agent('enroll', '--state', state, '--inventory-only', '--accept-terms', '--url', r.deviceUrl, '--ca', r.caFile, '--token', t.token);
  assert.equal(e.status, 0, e.stderr);
  const s = agent('sync', '--state', state);
  assert.equal(s.status, 0, s.stderr);
  const id = JSON.parse(agent('status', '--state', state, '--json').stdout).deviceId;
  const m = await r.managed(id, 'beta');
  const sh = text => execFileSync('sh', ['-c', text], { encoding: 'utf8' }).trim();
  const osRelease = Object.fromEntries(fs.readFileSync('/etc/os-release', 'utf8').split('\n').filter(l => l.includes('=')).map(l => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1).replace(/^"|"$/g, '')]));
  assert.equal(m.deviceName, sh('hostname'));
  assert.equal(m.physicalMemoryInBytes, Number(/MemTotal:\s+(\d+) kB/.exec(fs.readFileSync('/proc/meminfo', 'utf8'))[1]) * 1024);
  assert.equal(m.osVersion, osRelease.VERSION_ID);
  assert.equal(m.operatingSystem, 'Linux');
  const dmi = f => { try { return fs.readFileSync(`/sys/class/dmi/id/${f}`, 'utf8').trim() || null; } catch { return null; } };
  const known = v => (v && !/^(none|not specified|default string|to be filled.*|system.*|0+|unknown)$/i.test(v) ? v : null);
  assert.equal(m.manufacturer, known(dmi('sys_vendor')));
  assert.equal(m.model, known(dmi('product_name')));
  assert.equal(m.serialNumber, known(dmi('product_serial')));
  const macs = fs.readdirSync('/sys/class/net').filter(n => fs.existsSync(`/sys/class/net/${n}/device`)).map(n => fs.readFileSync(`/sys/class/net/${n}/address`, 'utf8').trim());
  if (m.ethernetMacAddress) assert.ok(macs.includes(m.ethernetMacAddress), `${m.ethernetMacAddress}: ${macs}`);
  // what the agent prints is what it sends
  const inv = JSON.parse(agent('inventory', '--state', state).stdout);
  assert.equal(inv.processorCount, Number(sh('nproc --all')));
  assert.equal(inv.kernel, sh('uname -r'));
  assert.equal(inv.architecture, sh('uname -m'));
  assert.equal(inv.osName, osRelease.NAME);
  assert.equal(inv.processor, sh("sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1") || inv.processor);
  const space = column => Number(sh(`df -B1 -x overlay --output=source,${column} 2>/dev/null | awk '/^\\/dev\\// && !seen[$1]++ {s+=$2} END {printf "%.0f", s}'`))
    || Number(sh(`df -B1 --output=${column} / | tail -1`)); // a container's root stands on no disk that it sees
  assert.equal(inv.totalStorageBytes, space('size'));
  assert.ok(Math.abs(inv.freeStorageBytes - space('avail')) < 2e9, `${inv.freeStorageBytes} ${space('avail')}`);
  assert.deepEqual(Object.keys(inv).filter(k => ['packages', 'disks'].includes(k)), [], 'what is optional is off');
  assert.ok(inv.networkInterfaces.every(n => !('addresses' in n)));
  // the tenant turns packages on: they are dpkg's
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true } });
  assert.equal(agent('sync', '--state', state).status, 0);
  assert.equal(agent('sync', '--state', state).status, 0);
  const apps = (await r.all(`${DM}/managedDevices/${id}/detectedApps?$top=1000`)).map(a => `${a.displayName} ${a.version}`);
  const dpkg = sh("dpkg-query -W -f='${db:Status-Abbrev}|${Package} ${Version}\\n' | grep '^ii' | cut -d'|' -f2").split('\n');
  assert.deepEqual(apps.sort(), [...new Set(dpkg)].sort());
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: false } });
  // never provisioned, never wiped
  await r.refused(400, 'POST', `${DM}/managedDevices/${id}/wipe`);
  await r.ok('DELETE', `${DM}/managedDevices/${id}`);
});

const CERT = () => { const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'reeve-sys-')); execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', path.join(dir, 'k'), '-out', path.join(dir, 'c'), '-days', '30', '-subj', '/CN=Acme Root'], { stdio: 'ignore' }); const pem = fs.readFileSync(path.join(dir, 'c'), 'utf8'); fs.rmSync(dir, { recursive: true }); return pem; };

testOnEngines('30 provision every kind, change, take back by group, retire: personal bytes stay', async engine => {
  const r = await one(engine), upn = 'prov@acme.example';
  const u = await r.user(upn, { mail: 'prov.mail@acme.example', displayName: 'Prov Person' });
  const g = await r.group('Prov', [u.id]), g2 = await r.group('Prov Two');
  const d = await r.device(upn, 'personal', { name: 'prov-laptop' });
  d.sync();
  const before = d.sums();
  const replaced = '# edited by the owner\nmax = 99\n';
  assert.equal(d.read('etc/limits.conf'), replaced);
  const settings = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'Limits', path: '/etc/limits.conf', content: 'for {{userPrincipalName}}\n', mode: '0640' });
  const fresh = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'New file', path: '/etc/acme/deep/new.conf', content: 'one\n' });
  const wifi = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxWiFiConfiguration', displayName: 'Office', ssid: 'ACME', security: 'wpaPersonal', passphrase: 'correct horse battery' });
  const mail = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxEmailProfileConfiguration', displayName: 'Mail', accountName: 'Acme', incomingServer: 'imap.acme.example', outgoingServer: 'smtp.acme.example' });
  const ca = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxTrustedRootCertificate', displayName: 'Root', certificate: CERT() });
  const app = await r.provide(g, { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: 'Acme', package: 'acme-tool', dataPaths: ['/var/lib/acme', '~/.config/acme'], files: [{ path: '/usr/bin/acme', content: '#!/bin/sh\n', mode: '0755' }] });
  assert.equal((await r.get(wifi.where)).passphrase, null, 'a passphrase is not shown again');
  assert.ok(!r.sql('SELECT payload FROM device_configurations').includes('correct horse'), 'and is sealed at rest');
  d.sync();
  assert.equal(d.read('etc/limits.conf'), `for ${upn}\n`);
  assert.equal(fs.statSync(path.join(d.root, 'etc/limits.conf')).mode & 0o777, 0o640);
  assert.equal(d.read('etc/acme/deep/new.conf'), 'one\n');
  const nm = `etc/NetworkManager/system-connections/reeve-${wifi.id}.nmconnection`;
  assert.match(d.read(nm), /ssid=ACME[\s\S]*psk=correct horse battery/);
  assert.equal(fs.statSync(path.join(d.root, nm)).mode & 0o777, 0o600);
  assert.match(d.read(`etc/reeve/email/${mail.id}.conf`), /prov\.mail@acme\.example[\s\S]*Prov Person/);
  assert.match(d.read(`usr/local/share/ca-certificates/reeve-${ca.id}.crt`), /BEGIN CERTIFICATE/);
  assert.equal(d.read('usr/bin/acme'), '#!/bin/sh\n');
  fs.mkdirSync(path.join(d.root, 'var/lib/acme'), { recursive: true });
  fs.writeFileSync(path.join(d.root, 'var/lib/acme/data'), 'the organisation\'s');
  fs.mkdirSync(path.join(d.root, 'home/alice/.config/acme'), { recursive: true });
  fs.writeFileSync(path.join(d.root, 'home/alice/.config/acme/x'), 'x');
  assert.deepEqual(d.status().items.map(i => [i.kind, i.state]).sort(), [['app', 'installed'], ['caCertificate', 'installed'], ['email', 'installed'], ['settings', 'installed'], ['settings', 'installed'], ['wifi', 'installed']]);
  assert.equal(JSON.parse(JSON.stringify(await r.events("activityType eq 'reported ProvisionedItem'"))).filter(e => e.resources[0].resourceId === d.id).length, 6, 'a changed set of items is an event each');

  // a new version reaches the device; one that is the same does not
  await r.ok('PATCH', settings.where, { body: { content: 'second\n' } });
  assert.equal((await r.get(settings.where)).version, 2);
  d.sync();
  assert.equal(d.read('etc/limits.conf'), 'second\n');
  await r.ok('PATCH', settings.where, { body: { content: 'second\n' } });
  assert.equal((await r.get(settings.where)).version, 2, 'a change that changes nothing is none');
  // unassigned, deleted, out of the group: taken back
  await r.assign(fresh, []);
  await r.ok('DELETE', mail.where);
  d.sync();
  assert.ok(!d.has('etc/acme/deep/new.conf') && !d.has('etc/acme/deep'), 'and the folder that it made');
  assert.ok(!d.has(`etc/reeve/email/${mail.id}.conf`));
  assert.equal(d.read('etc/limits.conf'), 'second\n');
  await r.assign(fresh, [g, g2]);
  await r.ok('DELETE', `/v1.0/groups/${g.id}/members/${u.id}/$ref`);
  d.sync();
  assert.equal(d.sums(), before, 'leaving the group takes everything back, byte for byte');
  assert.deepEqual(d.status().items, []);
  await r.ok('POST', `/v1.0/groups/${g.id}/members/$ref`, { body: { '@odata.id': `${r.url}/v1.0/directoryObjects/${u.id}` } });
  d.sync();
  assert.equal(d.read('etc/limits.conf'), 'second\n');
  fs.mkdirSync(path.join(d.root, 'var/lib/acme'), { recursive: true });
  fs.writeFileSync(path.join(d.root, 'var/lib/acme/data'), 'again');

  // retire
  assert.deepEqual(await actionOf(r, d), ['managed', '']);
  const a = await r.api('POST', `${DM}/managedDevices/${d.id}/retire`);
  assert.deepEqual([a.status, a.text], [204, '']);
  assert.deepEqual(await actionOf(r, d), ['retirePending', 'retire pending']);
  assert.equal(d.read('etc/limits.conf'), 'second\n');
  const pair = d.pair;
  d.sync();
  assert.equal(d.sums(), before, 'what was provided is gone, every other byte is as it was');
  assert.ok(!d.has('var/lib/reeve-agent/key.pem'), 'its credentials are gone');
  assert.equal(d.status().enrolled, false);
  assert.equal((await r.channel('checkin', { items: [] }, pair)).status, 401, 'its certificate is revoked');
  await gone(r, d);
  const types = (await r.events()).filter(e => e.resources[0].resourceId === d.id).map(e => e.activityType);
  for (const t of ['enroll ManagedDevice', 'retire ManagedDevice', 'issued DeviceAction', 'result DeviceAction']) assert.ok(types.includes(t), `${t}: ${types}`);
});

testOnEngines('30 wipe brings a company device to its factory state; a personal one is never wiped', async engine => {
  const r = await one(engine), upn = 'wipe@acme.example';
  await r.user(upn);
  const desk = await r.device(upn, 'company', { name: 'wipe-desk' }), lap = await r.device(upn, 'personal', { name: 'wipe-lap' });
  const before = lap.sums();
  const e = await r.refused(400, 'POST', `${DM}/managedDevices/${lap.id}/wipe`, { body: { keepUserData: false } });
  assert.match(e.message, /retire/);
  lap.sync();
  assert.equal(lap.sums(), before);
  assert.deepEqual(await actionOf(r, lap), ['managed', '']);
  await r.refused(400, 'POST', `${DM}/managedDevices/${desk.id}/wipe`, { body: { keepEnrollmentData: true } });
  await r.refused(400, 'POST', `${DM}/managedDevices/${desk.id}/wipe`, { body: { nothing: true } });
  await r.refused(400, 'POST', `${DM}/managedDevices/${desk.id}/wipe`, { body: { keepUserData: 'no' } });
  assert.deepEqual(await actionOf(r, desk), ['managed', '']);

  // precedence: a wipe takes the place of a retire and of a sync; nothing takes the place of a wipe
  await r.ok('POST', `${DM}/managedDevices/${desk.id}/syncDevice`);
  assert.deepEqual(await actionOf(r, desk), ['managed', 'syncDevice pending']);
  await r.ok('POST', `${DM}/managedDevices/${desk.id}/retire`, { body: {} });
  assert.equal((await actionOf(r, desk))[0], 'retirePending');
  await r.ok('POST', `${DM}/managedDevices/${desk.id}/wipe`, { body: { keepUserData: false, macOsUnlockCode: '' } });
  assert.equal((await actionOf(r, desk))[0], 'wipePending');
  assert.match((await actionOf(r, desk))[1], /wipe pending.*retire canceled|retire canceled.*wipe pending/);
  await r.ok('POST', `${DM}/managedDevices/${desk.id}/retire`);
  await r.ok('POST', `${DM}/managedDevices/${desk.id}/syncDevice`);
  assert.equal((await actionOf(r, desk))[0], 'wipePending');
  assert.equal((await r.managed(desk.id)).deviceActionResults.filter(x => x.actionState === 'pending').length, 1);

  // a wipe that the device cannot do has failed on its word, and can be asked for again
  fs.renameSync(`${desk.root}.factory`, `${desk.root}.hidden`);
  desk.run('sync');
  assert.equal((await actionOf(r, desk))[0], 'wipeFailed');
  assert.ok(desk.has('home/alice/Documents/notes.txt'), 'nothing is half wiped');
  fs.renameSync(`${desk.root}.hidden`, `${desk.root}.factory`);
  await r.ok('POST', `${DM}/managedDevices/${desk.id}/wipe`);
  desk.sync();
  assert.equal(execFileSync('sh', ['-c', 'cd "$1" && find . -mindepth 1 | sort', 's', desk.root], { encoding: 'utf8' }).replace(/^\.\/var\/lib\/reeve-agent.*\n/gm, ''),
    execFileSync('sh', ['-c', 'cd "$1.factory/content" && find . -mindepth 1 | sort', 's', desk.root], { encoding: 'utf8' }).replace(/^\.\/var\/lib\/reeve-agent.*\n/gm, ''), 'every path as it left the factory');
  assert.equal(desk.sums(), new Device(r, `${desk.root}.factory/content`).sums());
  await gone(r, desk);
  assert.equal((await r.managed(lap.id)).managementState, 'managed');
});

test('30 a personal device leaves by itself; a company device is told where it goes', async () => {
  const r = await one(), upn = 'leave@acme.example';
  const u = await r.user(upn), g = await r.group('Leave', [u.id]);
  const desk = await r.device(upn, 'company'), lap = await r.device(upn, 'personal'), before = lap.sums();
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'L', path: '/etc/leave.conf', content: 'x' });
  lap.sync(); desk.sync();
  assert.ok(lap.has('etc/leave.conf'));
  const no = desk.run('leave');
  assert.equal(no.code, 77);
  assert.match(no.err, /company device/);
  assert.ok(desk.has('etc/leave.conf'));
  assert.deepEqual(await actionOf(r, desk), ['managed', '']);
  const yes = lap.run('leave');
  assert.equal(yes.code, 0, yes.err);
  assert.equal(lap.sums(), before);
  await gone(r, lap);
  const e = (await r.events("activityType eq 'leave ManagedDevice'"));
  assert.ok(e.some(x => x.resources[0].resourceId === lap.id && x.actor.userPrincipalName === upn && x.activityResult === 'Success'), 'the person did it');
  assert.ok(e.some(x => x.resources.some(q => q.resourceId === desk.id || q.auditResourceType === 'Route') && x.activityResult !== 'Success'), 'the refusal is an event');
});

testOnEngines('30 a deleted device is out of sight and still owes its retire', async engine => {
  const r = await one(engine), upn = 'owe@acme.example';
  const u = await r.user(upn), g = await r.group('Owe', [u.id]);
  const d = await r.device(upn, 'personal'), before = d.sums();
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'O', path: '/etc/owe.conf', content: 'x' });
  d.sync();
  await r.ok('DELETE', `${DM}/managedDevices/${d.id}`);
  await r.refused(404, 'GET', `${DM}/managedDevices/${d.id}`);
  await r.refused(404, 'GET', `/v1.0/users/${upn}/managedDevices/${d.id}`);
  for (const action of ['retire', 'wipe', 'syncDevice']) await r.refused(404, 'POST', `${DM}/managedDevices/${d.id}/${action}`);
  await r.refused(404, 'DELETE', `${DM}/managedDevices/${d.id}`);
  assert.ok(!(await r.all(`${DM}/managedDevices`)).some(x => x.id === d.id));
  const peek = await r.channel('checkin', { items: [] }, d.pair);
  assert.equal(peek.status, 200);
  assert.deepEqual([peek.json.items, peek.json.actions.map(a => a.action)], [[], ['retire']]);
  d.sync();
  assert.equal(d.sums(), before);
  const duty = await until('the duty is done', async () => (await r.all(`${DM}/erasureDuties`)).find(x => x.trigger === 'deviceDelete' && ['scrubbed', 'copies_gone'].includes(x.state)), { seconds: 60 });
  assert.ok(duty.certificateId);
});

test('30 certificates: forged, of another, revoked and renewed ones; no certificate', async () => {
  const r = await one(), upn = 'cert@acme.example';
  await r.user(upn);
  const d = await r.device(upn, 'personal'), other = await r.device(upn, 'personal');
  const checkin = pair => r.channel('checkin', { items: [] }, pair);
  assert.equal((await checkin()).status, 401);
  const own = path.join(r.tmp, 'forged');
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${own}.key`, '-out', `${own}.pem`, '-days', '30', '-subj', `/O=${r.tenant}/CN=${d.id}`], { stdio: 'ignore' });
  const forged = await checkin({ key: fs.readFileSync(`${own}.key`), cert: fs.readFileSync(`${own}.pem`) }).catch(e => ({ status: e.code }));
  assert.ok(forged.status === 401 || typeof forged.status === 'string', `a certificate of nobody: ${forged.status}`);
  const server = { key: fs.readFileSync(path.join(r.dir, 'tls/server.key')), cert: fs.readFileSync(path.join(r.dir, 'tls/server.pem')) };
  const asServer = await checkin(server).catch(e => ({ status: e.code }));
  assert.ok(asServer.status === 401 || typeof asServer.status === 'string', 'the server\'s own certificate is no device\'s');
  assert.equal((await r.api('GET', '/v1.0/users', { token: null, agent: undefined, headers: {} }).catch(() => ({ status: 401 }))).status, 401);

  // renewal: the old one works until the new one is first used
  const { key, csr } = makeRequest(r.tmp);
  const old = d.pair;
  const first = await r.channel('renew', { csr }, old);
  assert.equal(first.status, 200, first.text);
  const renewed = { key, cert: first.json.certificate };
  assert.notEqual(renewed.cert, old.cert);
  assert.equal((await checkin(old)).status, 200);
  assert.equal((await checkin(renewed)).status, 200);
  assert.equal((await checkin(old)).status, 401, 'superseded');
  for (const bad of [{ csr: 'x' }, {}, { csr, more: 1 }, { csr: '' }]) assert.equal((await r.channel('renew', bad, renewed)).status, 400, JSON.stringify(bad));
  // what a device says is about itself: the reports of an action that is another's are refused
  await r.ok('POST', `${DM}/managedDevices/${other.id}/retire`);
  const offered = await r.channel('checkin', { items: [] }, other.pair);
  const action = offered.json.actions[0].id;
  const stolen = await r.channel('report', { results: [{ id: action, state: 'done' }] }, renewed);
  assert.ok([400, 404].includes(stolen.status), stolen.text);
  assert.deepEqual(await actionOf(r, other), ['retireIssued', 'retire active']);
  for (const bad of [{ inventory: { nothing: 1 } }, { inventory: { packages: [] } }, { inventory: { deviceName: 7 } }, { items: 'x' }, { nothing: 1 }, { items: [{ id: 'x', version: 1, state: 'installed' }] }, { inventory: { deviceName: 'x', networkInterfaces: [{ name: 'eth0', addresses: ['10.0.0.1'] }] } }, { inventory: { deviceName: 'x', disks: [] } }])
    assert.equal((await r.channel('checkin', bad, renewed)).status, 400, JSON.stringify(bad));
  other.sync();
  assert.equal((await r.channel('checkin', { items: [] }, { key: fs.readFileSync(`${own}.key`), cert: fs.readFileSync(`${own}.pem`) }).catch(() => ({ status: 401 }))).status, 401);
});

test('30 listing, patching and asking devices, by device and by user', async () => {
  const r = await one(), upn = 'list@acme.example';
  await r.user(upn, { displayName: 'List Person' });
  const d = [];
  for (let i = 0; i < 3; i++) d.push(await r.device(upn, i ? 'company' : 'personal', { name: `list-${i}`, serial: `LIST-${i}` }));
  for (const x of d) x.sync();
  const find = async (f, more = '') => (await r.all(`${DM}/managedDevices?$filter=${encodeURIComponent(f)}${more}`)).map(x => x.deviceName).sort();
  assert.deepEqual(await find(`userPrincipalName eq '${upn.toUpperCase()}'`), ['list-0', 'list-1', 'list-2']);
  assert.deepEqual(await find(`userPrincipalName eq '${upn}' and managedDeviceOwnerType eq 'company'`), ['list-1', 'list-2']);
  assert.deepEqual(await find("serialNumber eq 'LIST-1'"), ['list-1']);
  assert.deepEqual(await find("startswith(deviceName,'list-') and physicalMemoryInBytes gt 1000 and operatingSystem eq 'linux'"), ['list-0', 'list-1', 'list-2']);
  assert.deepEqual((await r.all(`/v1.0/users/${upn}/managedDevices?$orderby=deviceName desc&$select=deviceName`.replaceAll(' ', '%20'))).map(x => x.deviceName), ['list-2', 'list-1', 'list-0']);
  assert.equal((await r.api('GET', `/v1.0/users/${upn}/managedDevices/$count`)).text, '3');
  const id = d[1].id, where = `${DM}/managedDevices/${id}`;
  const patched = await r.ok('PATCH', where, { body: { managedDeviceName: 'Ours', notes: 'line\nline', managedDeviceOwnerType: 'personal' } });
  assert.deepEqual([patched.managedDeviceName, patched.notes, patched.managedDeviceOwnerType], ['Ours', 'line\nline', 'personal']);
  for (const bad of [{ deviceName: 'x' }, { serialNumber: 'x' }, { managementState: 'managed' }, { managedDeviceOwnerType: 'nobody' }, { managedDeviceName: '' }, { managedDeviceName: null }, { userId: d[0].id }, {}, { notes: 'x'.repeat(20000) }])
    { const a = await r.api('PATCH', where, { body: bad }); if (JSON.stringify(bad) !== '{}') assert.equal(a.status, 400, JSON.stringify(bad)); }
  const beta = await r.managed(id, 'beta');
  assert.equal(beta.processorArchitecture, 'x64');
  assert.ok(!('hardwareInformation' in await r.managed(id)) && beta.hardwareInformation);
  await r.ok('POST', `/v1.0/users/${upn}/managedDevices/${id}/microsoft.graph.syncDevice`);
  assert.deepEqual(await actionOf(r, d[1]), ['managed', 'syncDevice pending']);
  d[1].sync();
  assert.deepEqual(await actionOf(r, d[1]), ['managed', 'syncDevice done']);
  await r.user('list.other@acme.example');
  await r.refused(404, 'GET', `/v1.0/users/list.other@acme.example/managedDevices/${id}`);
  await r.refused(404, 'POST', `/v1.0/users/list.other@acme.example/managedDevices/${id}/retire`);
  const effects = await r.get(`${DM}/deviceActionEffects?$filter=${encodeURIComponent("platform eq 'linux' and ownerType eq 'personal' and action eq 'retire'")}`);
  assert.ok(effects.value.some(e => e.what === 'personalFiles' && e.outcome === 'kept') && effects.value.every(e => e.action === 'retire'));
  // packages are a company's alone, and only where the tenant asks
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true, collectAddresses: true, collectDisks: true } });
  for (const x of d) { x.sync(); x.sync(); }
  assert.deepEqual((await r.all(`${DM}/managedDevices/${d[2].id}/detectedApps`)).map(a => `${a.displayName} ${a.version}`).sort(), ['base-files 12.4+deb12u5', 'bash 5.2.15-2+b2']);
  assert.deepEqual(await r.all(`${DM}/managedDevices/${d[0].id}/detectedApps`), []);
  const personal = await r.channel('checkin', { inventory: { deviceName: 'list-0', packages: [{ name: 'x', version: '1' }] }, items: [] }, d[0].pair);
  assert.equal(personal.status, 400, 'never of a personal device, even if it sends them');
  const size = t => Number((r.engine === 'sqlite' ? JSON.parse(r.sql(`SELECT count(*) n FROM ${t}`))[0].n : r.sql(`SELECT count(*) FROM ${t}`)));
  assert.ok(size('device_disks') > 0);
  assert.ok(/192\.0\.2\.17/.test(r.sql('SELECT addresses FROM network_interfaces')));
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: false, collectAddresses: false, collectDisks: false } });
  for (const x of d) { x.sync(); x.sync(); }
  assert.equal(size('device_disks'), 0, 'what is not asked for any more is not held any more');
  assert.ok(!/192\.0\.2\.17/.test(r.sql('SELECT addresses FROM network_interfaces')));
  assert.deepEqual(await r.all(`${DM}/managedDevices/${d[2].id}/detectedApps`), []);
});

test('30 who may do what with devices', async () => {
  const r = await one(), upn = 'roles@acme.example';
  await r.user(upn);
  const d = await r.device(upn, 'company');
  const roles = Object.fromEntries((await r.all('/v1.0/roleManagement/directory/roleDefinitions')).map(x => [x.displayName, x.id]));
  const as = async role => {
    const a = await r.post('/v1.0/applications', { displayName: role, roleDefinitionId: roles[role] });
    const p = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
    return { token: await r.signIn(r.tenant, a.id, p.secretText) };
  };
  const reader = await as('Read Only Operator'), desk = await as('Help Desk Operator'), auditor = await as('Auditor');
  await r.managed(d.id, 'v1.0', reader);
  for (const action of ['retire', 'wipe', 'syncDevice']) await r.refused(403, 'POST', `${DM}/managedDevices/${d.id}/${action}`, reader);
  await r.refused(403, 'DELETE', `${DM}/managedDevices/${d.id}`, reader);
  await r.refused(403, 'PATCH', `${DM}/managedDevices/${d.id}`, { ...reader, body: { notes: 'x' } });
  await r.refused(403, 'GET', `${DM}/managedDevices/${d.id}`, auditor);
  assert.deepEqual(await actionOf(r, d), ['managed', '']);
  await r.ok('POST', `${DM}/managedDevices/${d.id}/syncDevice`, desk);
  await r.refused(403, 'POST', '/v1.0/users', { ...desk, body: {} });
  const refused = await r.events("activityResult ne 'Success' and category eq 'Device'");
  for (const type of ['retire ManagedDevice', 'wipe ManagedDevice', 'syncDevice ManagedDevice', 'Delete ManagedDevice', 'patch ManagedDevice'])
    assert.ok(refused.some(e => e.activityType === type && e.resources[0].resourceId === d.id), `the refused '${type}' is an event about the device`);
});

test('30 the certificate authority rolls over: old devices go on, new ones are of the new one, both after a restart', async () => {
  const r = await Reeve.make(), upn = 'roll@acme.example', roll = '/v1.0/installation/certificateAuthority/roll';
  await r.user(upn);
  const issuer = d => execFileSync('openssl', ['x509', '-noout', '-issuer'], { input: d.read('var/lib/reeve-agent/cert.pem'), encoding: 'utf8' });
  const before = await r.device(upn, 'personal');
  await r.refused(403, 'POST', roll); // a tenant's administrator is not the operator
  await r.ok('POST', roll, { token: r.operatorToken });
  const after = await r.device(upn, 'personal');
  assert.notEqual(issuer(before), issuer(after));
  assert.equal((await r.events("activityType eq 'roll CertificateAuthority'", { token: r.operatorToken })).length, 1);
  for (let i = 0; i < 2; i++) {
    before.sync();
    after.sync();
    await r.restart();
  }
  assert.equal(fs.readFileSync(r.caFile, 'utf8').match(/BEGIN CERTIFICATE/g).length, 2, 'ca.pem has both');
});
