// SPDX-License-Identifier: Apache-2.0
// `reeve export` from the command line: the forms of one person's data, Intune's files, reports of devices; bars, errors, and nothing left behind.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { REEVE, shared, test, testOnEngines } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared(async r => {
  r.upn = "Anna.O'Neil@cli.example";
  r.anna = await r.user(r.upn, { displayName: 'Anna =HYPERLINK("x")', jobTitle: '@SUM(1)' });
  r.bob = await r.user('bob@cli.example', { displayName: 'BOBCANARY' });
  const g = await r.group('Staff', [r.anna.id, r.bob.id]);
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'Settings', path: '/etc/cli.conf', content: 'x' });
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxDebianApp', displayName: 'Editor', package: 'editor', files: [{ path: '/usr/bin/editor', content: 'x', mode: '0755' }] });
  await r.post(`${DM}/termsAndConditions`, { displayName: 'Notice', title: 't', bodyText: 'b', acceptanceStatement: 'a' });
  r.laptop = await r.device(r.upn, 'company', { name: 'anna-laptop', serial: 'CLI1' });
  r.other = await r.device('bob@cli.example', 'company', { name: 'bobcanary-laptop', serial: 'BOBCANARY1' });
  for (const d of [r.laptop, r.other]) { d.sync(); d.sync(); }
});
const mode = f => (fs.statSync(f).mode & 0o777).toString(8);
const there = (r, name) => fs.readdirSync(r.tmp).filter(f => f.includes(name));
const unzip = (file, ...args) => execFileSync('unzip', [...args, file], { encoding: 'utf8', maxBuffer: 1 << 28 });
const list = file => unzip(file, '-Z1').trim().split('\n');

test('83 a bundle: variants, sections, a page; it is the caller\'s alone, and is whole or not there', async () => {
  const r = await one(), file = path.join(r.tmp, 'anna.zip');
  const done = r.cli('export', 'user', r.upn.toUpperCase(), '--out', file, '--json');
  assert.equal(done.code, 0, done.err);
  assert.equal(done.err, '', 'no bar where there is no terminal');
  assert.equal(done.json.file, file);
  assert.equal(mode(file), '600');
  const verified = spawnSync(REEVE, ['export', 'verify', file, '--json'], { encoding: 'utf8', env: r.env(0) });
  assert.equal(verified.status, 0, verified.stderr);
  const all = list(file).filter(f => /^data\/.*\.json$/.test(f));
  assert.ok(all.length > 10, `${all}`);
  // an older file with open permissions is replaced by one that nobody else may read
  fs.chmodSync(file, 0o644);
  assert.equal(r.cli('export', 'user', r.upn, '--out', file, '--section', 'account', '--section', 'devices').code, 0);
  assert.equal(mode(file), '600');
  assert.deepEqual(list(file).filter(f => /^data\/.*\.json$/.test(f)).sort(), ['data/account.json', 'data/devices.json']);
  for (const [flag, variant] of [['--full', 'full'], ['--redacted', 'redacted'], ['--portability', 'portability']]) {
    const x = r.cli('export', 'user', r.upn, '--out', file, flag, '--json');
    assert.equal(x.code, 0, x.err);
    const o = await r.get(`/v1.0/dataPolicyOperations/${x.json.operation}?$select=variant,form,sections`);
    assert.deepEqual([o.variant, o.form, o.sections], [variant, 'bundle', null]);
  }
  const page = path.join(r.tmp, 'anna.html');
  const p = r.cli('export', 'user', r.upn, '--out', page, '--page', '--section', 'account');
  assert.equal(p.code, 0, p.err);
  assert.match(fs.readFileSync(page, 'utf8'), /^<!doctype html>/i);

  for (const [code, text, ...args] of [
    [64, /--full and|exclude each other/, 'user', r.upn, '--out', file, '--full', '--redacted'],
    [64, /--out FILE/, 'user', r.upn],
    [64, /--layout intune/, 'user', r.upn, '--out', file, '--format', 'csv'],
    [64, /only layout/, 'user', r.upn, '--out', file, '--layout', 'word'],
    [64, /has no variants/, 'user', r.upn, '--out', file, '--layout', 'intune', '--full'],
    [64, /of 'reeve export devices'/, 'user', r.upn, '--out', file, '--filter', 'x'],
    [64, /of devices there are/, 'devices', '--out', file, '--full'],
    [64, /csv or json/, 'devices', '--out', file, '--format', 'xml'],
    [64, /usage/, 'user', r.upn, 'more', '--out', file],
    [64, /usage/, 'user', r.upn, '--out', file, '--fulll'],
    [64, /is no file/, 'user', r.upn, '--out', r.tmp],
    [66, /no such user/, 'user', 'nobody@cli.example', '--out', path.join(r.tmp, 'nobody.zip')],
    [66, /request/, 'user', r.upn, '--out', path.join(r.tmp, 'nobody.zip'), '--request', r.bob.id],
    [65, /section/, 'user', r.upn, '--out', path.join(r.tmp, 'nobody.zip'), '--section', 'nothing'],
    [66, /no such user/, 'user', 'nobody@cli.example', '--out', path.join(r.tmp, 'nobody'), '--layout', 'intune'],
  ]) {
    const x = r.cli('export', ...args);
    assert.equal(x.code, code, `${args.join(' ')}: ${x.code} ${x.err}`);
    assert.match(x.err, text);
    assert.equal(x.err.trim().split('\n').length, 1, x.err);
  }
  assert.deepEqual(there(r, 'nobody'), [], 'nothing is left of what failed');
  const gone = r.cli('export', 'user', r.upn, '--out', path.join(r.tmp, 'no', 'such', 'folder.zip'));
  assert.notEqual(gone.code, 0);
  assert.equal(there(r, '.new').length, 0);
});

testOnEngines('83 --layout intune: a file per entity by the script\'s names, nobody else\'s rows', async engine => {
  const r = await one(engine), dir = path.join(r.tmp, 'intune');
  const done = r.cli('export', 'user', r.upn, '--out', dir, '--layout', 'intune');
  assert.equal(done.code, 0, done.err);
  assert.match(done.out, /^\d+ rows in \d+ files written to /);
  assert.equal(mode(dir), '700');
  const files = fs.readdirSync(dir).sort(), read = name => JSON.parse(fs.readFileSync(path.join(dir, `${name}.json`), 'utf8'));
  for (const name of ['Azure AD User', 'Azure AD Groups', 'Azure AD Registered Devices', 'ManagedDevices', 'AuditEvents', 'AppInstallStatuses', 'TermsAndConditionsAcceptanceStatus', 'Devices', 'Intune Users']) assert.ok(files.includes(`${name}.json`), `${name}: ${files}`);
  for (const f of files) {
    assert.equal(mode(path.join(dir, f)), '600');
    const rows = read(f.replace('.json', ''));
    assert.ok(Array.isArray(rows) && rows.length > 0, `${f}: a single item is an array too, an empty set no file`);
    assert.ok(!/BOBCANARY/i.test(JSON.stringify(rows)) && !JSON.stringify(rows).includes(r.bob.id), `${f} names somebody else`);
  }
  const [device] = read('ManagedDevices');
  assert.deepEqual([device.id, device.deviceCategory.displayName, device.deviceConfigurationStates.map(s => [s.displayName, s.state, s.settingStates.length])], [r.laptop.id, 'Unknown', [['Settings', 'compliant', 3]]]);
  assert.ok(Array.isArray(device.detectedApps) && device.hardwareInformation.serialNumber === 'CLI1');
  const [app] = read('AppInstallStatuses');
  assert.deepEqual([app.displayName, app.deviceStatuses.map(s => s.deviceId), app.userStatuses.map(s => s.userPrincipalName)], ['Editor', [r.laptop.id], [r.upn]]);
  assert.deepEqual(read('TermsAndConditionsAcceptanceStatus').map(x => x.userPrincipalName), [r.upn]);

  // one person a folder
  const again = r.cli('export', 'user', 'bob@cli.example', '--out', dir, '--layout', 'intune');
  assert.equal(again.code, 65, again.err);
  assert.match(again.err, /not empty/);
  assert.deepEqual(fs.readdirSync(dir).sort(), files);

  // CSV: a header, a line for each row, formulas harmless; --json names the files
  const csv = path.join(r.tmp, 'csv'), x = r.cli('export', 'user', r.upn, '--out', csv, '--layout', 'intune', '--format', 'csv', '--json');
  assert.equal(x.code, 0, x.err);
  assert.ok(x.json.files.includes(`${csv}/Azure AD User.csv`) && x.json.rows > 5);
  const text = fs.readFileSync(`${csv}/Azure AD User.csv`, 'utf8'), [head, row] = text.split('\r\n');
  assert.ok(head.split(',').includes('userPrincipalName') && row.includes("'@SUM(1)"), text);
  for (const d of [dir, csv]) fs.rmSync(d, { recursive: true });

  // a caller who may not read all of it gets nothing of it
  const role = (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(y => y.displayName === 'Help Desk Operator').id;
  const a = await r.post('/v1.0/applications', { displayName: 'desk', roleDefinitionId: role }), s = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
  const token = await r.signIn(r.tenant, a.id, s.secretText);
  const refused = spawnSync(REEVE, ['export', 'user', r.upn, '--out', dir, '--layout', 'intune', '--url', r.url, '--ca', r.caFile, '--token', token], { encoding: 'utf8', env: r.env(0) });
  assert.equal(refused.status, 77, refused.stderr);
  assert.ok(!fs.existsSync(dir), 'files that were written before the refusal are gone');
});

test('83 devices as a table, by a report', async () => {
  const r = await one(), file = path.join(r.tmp, 'devices.csv');
  const done = r.cli('export', 'devices', '--out', file);
  assert.equal(done.code, 0, done.err);
  assert.equal(mode(file), '600');
  const csv = fs.readFileSync(file, 'utf8');
  assert.ok(csv.includes('anna-laptop') && csv.includes('bobcanary-laptop'));
  const json = path.join(r.tmp, 'devices.json'), x = r.cli('export', 'devices', '--out', json, '--report', 'DevicesWithInventory', '--format', 'json', '--select', 'DeviceName,SerialNumber');
  assert.equal(x.code, 0, x.err);
  assert.ok(/CLI1/.test(fs.readFileSync(json, 'utf8')));
  JSON.parse(fs.readFileSync(json, 'utf8'));
  const zip = path.join(r.tmp, 'devices.zip'), z = r.cli('export', 'devices', '--out', zip, '--filter', "(OwnerType eq '1')");
  assert.equal(z.code, 0, z.err);
  assert.equal(list(zip).length, 1);
  assert.deepEqual(there(r, '.part'), []);
  const bad = r.cli('export', 'devices', '--out', path.join(r.tmp, 'bad.csv'), '--report', 'NoSuchReport');
  assert.equal(bad.code, 65, bad.err);
  assert.deepEqual(there(r, 'bad.csv'), []);
});

test('83 on a terminal there is a bar, and it is gone at the end', async () => {
  const r = await one(), run = (...args) => spawnSync('script', ['-qec', [REEVE, 'export', ...args, '--data', r.dir].map(a => `'${a.replaceAll("'", "'\\''")}'`).join(' '), '/dev/null'], { encoding: 'utf8', env: { ...r.env(0), COLUMNS: '80' } });
  const bundle = run('user', r.upn, '--out', path.join(r.tmp, 'bar.zip'));
  assert.equal(bundle.status, 0, bundle.stdout);
  assert.match(bundle.stdout, /\rcollecting {2}\[[#-]+\] +\d+ %/);
  assert.match(bundle.stdout, /\r +\rexport \S+ written to \S+bar\.zip\r\n$/);
  const layout = run('user', r.upn, '--out', path.join(r.tmp, 'bar'), '--layout', 'intune');
  assert.match(layout.stdout, /\rcollecting {2}\[[#-]+\]/);
  const quiet = run('user', r.upn, '--out', path.join(r.tmp, 'bar2.zip'), '--json');
  assert.doesNotMatch(quiet.stdout, /\[[#-]/);
  JSON.parse(quiet.stdout);
});
