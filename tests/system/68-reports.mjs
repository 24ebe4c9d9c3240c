// SPDX-License-Identifier: Apache-2.0
// Report files: what Intune's clients ask for and what they get, hostile names, links, erasure, other tenants, the end.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Reeve, makeRequest, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const JOBS = `${DM}/reports/exportJobs`;
const HOSTILE = ['=cmd|\' /C calc\'!A0', '+1', '-2', '@SUM(A1)', "'=already", 'quote " and ""', 'comma, semicolon;', '<img src=x onerror=alert(1)>', '\u202Egnp.exe \u05E9\u05DC\u05D5\u05DD', '\u{1F600}', "O'Brien"];

// A device of its own words, without an agent.
async function enrol(r, upn, owner, name, serial, o) {
  const t = await r.enrollmentToken(upn, owner, {}, o), { key, csr } = makeRequest(r.tmp);
  const device = { deviceName: name, manufacturer: 'Maker', model: 'Model, "1"', serialNumber: serial, osName: 'Debian GNU/Linux', osVersion: '12' };
  const a = await r.channel('enroll', { token: t.token, csr, acceptedTerms: [], device, provisioning: true });
  return { status: a.status, id: a.json?.deviceId, key };
}

const one = shared(async r => {
  r.ada = await r.user('ada@acme.example', { displayName: 'Ada =1+1', mail: 'ada@acme.example' });
  r.devices = [];
  for (const [i, name] of HOSTILE.entries()) {
    const d = await enrol(r, 'ada@acme.example', i % 2 ? 'personal' : 'company', name, `S${i}`);
    assert.ok(d.id, `enrolled ${name}`);
    r.devices.push({ ...d, name });
  }
});
const waitFor = (r, id, o) => until('the report', async () => {
  const x = await r.get(`${JOBS}('${id}')`, o);
  return ['completed', 'failed'].includes(x.status) && x;
}, { seconds: 60, every: 100 });
const make = async (r, body, o) => waitFor(r, (await r.post(JOBS, body, o)).id, o);
const download = (r, url) => r.api('GET', url, { token: null });
// The one file of a zip, by other people's program, and its rows by another.
function unzip(r, bytes, id, format) {
  const file = path.join(r.tmp, 'report.zip');
  fs.writeFileSync(file, bytes);
  assert.equal(execFileSync('unzip', ['-Z1', file], { encoding: 'utf8' }), `${id}.${format}\n`);
  return execFileSync('unzip', ['-p', file], { maxBuffer: 1 << 28 });
}
const PYTHON = 'import csv,io,json,sys; print(json.dumps(list(csv.reader(io.StringIO(sys.stdin.buffer.read().decode("utf-8"), newline=""), strict=True))))';
const parseCsv = bytes => JSON.parse(execFileSync('python3', ['-c', PYTHON], { input: bytes, maxBuffer: 1 << 28, encoding: 'utf8' }));
async function rowsOf(r, body, o) {
  const x = await make(r, body, o);
  assert.equal(x.status, 'completed', x.error);
  const a = await download(r, x.url), bytes = unzip(r, a.bytes, x.id, x.format);
  assert.equal(a.status, 200);
  return x.format === 'json' ? JSON.parse(bytes).values : parseCsv(bytes);
}
const plain = v => (/^'+[=+@\t\r-]/.test(v) ? v.slice(1) : v);

testOnEngines('68 a report goes from asked to fetched, as Intune\'s clients do it', async engine => {
  const r = await one(engine);
  const body = { reportName: 'Devices', filter: "(OwnerType eq '1')", localizationType: 'LocalizedValuesAsAdditionalColumn', format: 'JSON', select: ['DeviceName', 'managementAgent', 'ownerType', 'complianceState', 'OS', 'OSVersion', 'LastContact', 'UPN', 'DeviceId'] };
  const a = await r.api('POST', JOBS, { body });
  assert.equal(a.status, 201, a.text);
  assert.match(a.json.id, /^Devices_[0-9a-f-]{36}$/);
  assert.equal(a.headers.location, `${r.url}${JOBS}('${a.json.id}')`);
  assert.equal(a.json['@odata.context'], `${r.url}/v1.0/$metadata#deviceManagement/reports/exportJobs/$entity`);
  const { status, url, expirationDateTime } = a.json;
  if (status !== 'completed') assert.deepEqual([url, expirationDateTime], [null, '0001-01-01T00:00:00Z']);
  assert.deepEqual([a.json.reportName, a.json.filter, a.json.format, a.json.localizationType, a.json.select, a.json.snapshotId], ['Devices', body.filter, 'json', 'localizedValuesAsAdditionalColumn', body.select, null]);
  const x = await waitFor(r, a.json.id);
  assert.equal(x.status, 'completed', x.error);
  for (const key of [`/${x.id}`, `('${x.id}')`, `/${x.id}/`]) assert.equal((await r.get(`${JOBS}${key}`)).id, x.id);
  assert.equal((await r.get(`/beta/deviceManagement/reports/exportJobs('${x.id}')`)).rowCount, 6);
  assert.ok((await r.all(JOBS)).some(j => j.id === x.id && j.url));
  assert.ok(Math.abs(Date.parse(x.expirationDateTime) - Date.parse(x.requestDateTime) - 6 * 3600000) < 60000);
  await r.refused(404, 'GET', `${JOBS}('DevicesWithInventory${x.id.slice(7)}')`);
  await r.refused(404, 'GET', `${JOBS}('Devices_${r.ada.id}')`);

  const file = await download(r, x.url);
  assert.equal(file.status, 200);
  assert.deepEqual([file.headers['content-type'], file.headers['cache-control'], file.headers['referrer-policy'], file.headers['content-disposition']], ['application/zip', 'no-store', 'no-referrer', `attachment; filename="${x.id}.zip"`]);
  const values = JSON.parse(unzip(r, file.bytes, x.id, 'json')).values;
  const company = r.devices.filter((_, i) => i % 2 === 0);
  assert.deepEqual(values.map(v => [v.DeviceId, v.DeviceName]), company.map(d => [d.id, d.name]), 'as they are, whatever stands in them');
  assert.deepEqual(Object.keys(values[0]), ['DeviceName', 'ManagedBy', 'OwnerType', 'CompliantState', 'OS', 'OSVersion', 'LastContact', 'UPN', 'DeviceId']);
  assert.deepEqual([values[0].OwnerType, values[0].OS, values[0].UPN], ['1', 'Linux', 'ada@acme.example']);
  const events = (await r.events(`resources/resourceId eq '${x.id.slice(8)}'`)).map(e => `${e.actor.auditActorType} ${e.actor.applicationDisplayName} ${e.activityType}`).sort();
  assert.deepEqual(events, ['Application Administrator create ReportExportJob', 'System Reeve complete ReportExportJob', 'Unknown Holder of a download link download ReportExportJob']);
  assert.ok(!r.log.includes(x.url.split('/').at(-1).slice(0, 40)), 'a link is in no log line');
});

testOnEngines('68 the list for the console is CSV that no spreadsheet runs', async engine => {
  const r = await one(engine);
  const rows = await rowsOf(r, { reportName: 'deviceswithinventory' });
  const head = rows.shift();
  assert.deepEqual(head.slice(0, 5), ['Device ID', 'Device name', 'Enrollment date', 'Last check-in', 'Microsoft Entra Device ID']);
  assert.ok(!head.includes('IsManaged'), 'only where it is selected');
  assert.deepEqual(rows.map(v => [v[0], plain(v[1])]), r.devices.map(d => [d.id, d.name]));
  for (const row of rows) {
    assert.equal(row.length, head.length);
    for (const v of row) assert.ok(!/^[=+@\t\r-]/.test(v), v);
  }
  const column = name => rows.map(v => v[head.indexOf(name)]);
  assert.deepEqual(column('Ownership'), r.devices.map((_, i) => (i % 2 ? 'Personal' : 'Corporate')));
  assert.deepEqual([...new Set(column('Primary user display name')), ...new Set(column('Model')), ...new Set(column('ProcessorArchitecture')), ...new Set(column('Phone number'))], ['Ada =1+1', 'Model, "1"', 'Unknown', '']);
  assert.match(column('Last check-in')[0], /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{7}$/);
  assert.equal((await enrol(r, 'ada@acme.example', 'company', 'x'.repeat(1 << 20), 'LONG')).status, 413, 'a name of a MiB');
});

testOnEngines('68 what cannot be is refused with its reason; what is empty is a file', async engine => {
  const r = await one(engine);
  for (const [body, why] of [
    [{}, /reportName/], [{ reportName: 'Nothing' }, /no report 'Nothing'/], [{ reportName: 'Devices', format: 'pdf' }, /csv or json/], [{ reportName: 'Devices', select: ['DeviceName', 'Nope'] }, /no column 'Nope'/],
    [{ reportName: 'Devices', select: 'DeviceName' }, /'select'/], [{ reportName: 'Devices', localizationType: 'x' }, /localizationType/], [{ reportName: 'Devices', more: 1 }, /more/],
    [{ reportName: 'Devices', filter: "(Nope eq '1')" }, /no column 'Nope'/], [{ reportName: 'Devices', filter: "(DeviceName eq 'x')" }, /cannot be filtered/], [{ reportName: 'Devices', filter: "(OwnerType eq '1'" }, /malformed/],
    [{ reportName: 'AppInvByDevice' }, /DeviceId eq/], [{ reportName: 'Devices', filter: 'x'.repeat(9000) }, /'filter'/], [{ reportName: 'Devices', snapshotId: 'x' }, /snapshotId/], [{ reportName: 'Devices', search: 'x' }, /search/],
  ]) assert.match((await r.refused(400, 'POST', JOBS, { body })).message, why);
  const chrome = await rowsOf(r, { reportName: 'ChromeOSDevices', localizationType: 'LocalizedValuesAsAdditionalColumn', filter: "(MostRecentUserEmail eq 'ada@acme.example')", format: 'json' });
  assert.deepEqual(chrome, []);
  assert.equal((await rowsOf(r, { reportName: 'DeviceEnrollmentFailures' })).length, 1, 'a head without rows');
  assert.equal((await rowsOf(r, { reportName: 'AllDeviceCertificates' })).length, HOSTILE.length + 1);
});

testOnEngines('68 a link is for one file of one tenant and cannot be made up', async engine => {
  const r = await one(engine), other = await r.secondTenant('Initech'), o = { token: other.token };
  const x = await make(r, { reportName: 'Devices' }), theirs = await make(r, { reportName: 'Devices' }, o);
  assert.equal((await rowsOf(r, { reportName: 'Devices' }, o)).length, 1, 'no device of another tenant');
  await r.refused(404, 'GET', `${JOBS}('${x.id}')`, o);
  assert.ok(!(await r.all(JOBS, o)).some(j => j.id === x.id));
  const text = x.url.split('/').at(-1), bytes = Buffer.from(text, 'base64url');
  assert.equal(bytes.length, 73);
  for (let i = 0; i < bytes.length; i++) {
    const forged = Buffer.from(bytes);
    forged[i] ^= 1 << (i % 8);
    assert.equal((await download(r, `${r.url}/downloads/${forged.toString('base64url')}`)).status, 404, `byte ${i}`);
  }
  for (const bad of ['x', text.slice(0, -1), `${text}A`, text.toUpperCase(), `${text.slice(0, 10)}%00${text.slice(10)}`]) assert.ok([400, 404].includes((await download(r, `${r.url}/downloads/${bad}`)).status), bad);
  const mixed = Buffer.concat([bytes.subarray(0, 17), Buffer.from(theirs.url.split('/').at(-1), 'base64url').subarray(17)]);
  assert.equal((await download(r, `${r.url}/downloads/${mixed.toString('base64url')}`)).status, 404);
  for (const method of ['POST', 'PUT', 'DELETE']) assert.equal((await r.api(method, x.url, { token: null })).status, 405);
  assert.equal((await r.api('GET', x.url, { token: 'nonsense' })).status, 200, 'the link is enough');
  // a file that was changed at rest does not arrive whole
  const sealed = path.join(r.dir, 'reports', `${x.id.slice(8)}.sealed`), was = fs.readFileSync(sealed);
  assert.ok(!was.includes('Device'), 'sealed');
  fs.writeFileSync(sealed, Buffer.concat([was.subarray(0, -1), Buffer.from([was.at(-1) ^ 1])]));
  await assert.rejects(download(r, x.url).then(a => { if (a.status !== 200) throw Error(String(a.status)); }));
});

testOnEngines('68 an erasure takes the files that may name the person', async engine => {
  const r = await one(engine);
  const eve = await r.user('eve@acme.example');
  const x = await make(r, { reportName: 'ChromeOSDevices', filter: "(MostRecentUserEmail eq 'eve@acme.example')" });
  assert.equal((await download(r, x.url)).status, 200);
  await r.ok('DELETE', `/v1.0/users/${eve.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${eve.id}`);
  const gone = await until('the report is removed', async () => { const j = await r.get(`${JOBS}('${x.id}')`); return j.status === 'failed' && j; }, { seconds: 60 });
  assert.deepEqual([gone.filter, gone.url], ['', null]);
  assert.match(gone.error, /erased/);
  assert.equal((await download(r, x.url)).status, 410);
  await until('the certificate', async () => (await r.all(`${DM}/erasureCertificates`))[0], { seconds: 60 });
  const left = fs.readdirSync(path.join(r.dir, 'reports'));
  for (const j of await r.all(JOBS)) assert.ok(!left.some(f => f.startsWith(j.id.split('_')[1])), 'no file of the tenant is left');
});

testOnEngines('68 a report that cannot be made fails with its reason and holds up no other', async engine => {
  const r = await one(engine), dir = path.join(r.dir, 'reports');
  fs.renameSync(dir, `${dir}.away`);
  fs.writeFileSync(dir, 'no folder');
  const bad = await make(r, { reportName: 'Devices' });
  assert.deepEqual([bad.status, bad.url, bad.expirationDateTime], ['failed', null, '0001-01-01T00:00:00Z']);
  assert.match(bad.error, /cannot be made/);
  const [e] = (await r.events(`resources/resourceId eq '${bad.id.slice(8)}'`)).filter(x => x.activityType === 'complete ReportExportJob');
  assert.notEqual(e.activityResult, 'Success');
  fs.rmSync(dir);
  fs.renameSync(`${dir}.away`, dir);
  assert.equal((await make(r, { reportName: 'Devices' })).status, 'completed');
});

testOnEngines('68 a stop in the middle starts the report again', async engine => {
  const r = await one(engine);
  const ids = [];
  for (let i = 0; i < 20; i++) ids.push((await r.post(JOBS, { reportName: 'Devices' })).id);
  await r.stop('SIGKILL');
  await r.serve();
  for (const id of ids) assert.equal((await waitFor(r, id)).status, 'completed');
});

test('68 after its hours a report is gone, its file first', async () => {
  const r = await Reeve.make();
  const x = await make(r, { reportName: 'Devices' });
  await r.restart(1);
  assert.equal((await download(r, x.url)).status, 410);
  await until('it is gone', async () => (await r.api('GET', `${JOBS}('${x.id}')`)).status === 404);
  assert.deepEqual(fs.readdirSync(path.join(r.dir, 'reports')), []);
  assert.ok((await r.events(`resources/resourceId eq '${x.id.slice(8)}'`)).some(e => e.activityType === 'expire ReportExportJob'));
  await r.remove();
});
