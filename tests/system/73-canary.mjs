// SPDX-License-Identifier: Apache-2.0
// A marker in every column that the data map calls personal, in files, queues, exports and devices' reports, for three people.  One is erased: of
// their markers no byte is left under the data directory but in audit events, and all of the other two's are where they were.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { REEVE, Reeve, makeRequest, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const NAMES = ['anna', 'ben', 'cleo'];
const hex = (r, id) => (r.engine === 'sqlite' ? `x'${id.replaceAll('-', '')}'` : `'\\x${id.replaceAll('-', '')}'`);
// While the server is stopped: a column that a CHECK bounds refuses its marker, and is none that could name anybody.
function plant(r, sql) {
  try {
    if (r.engine === 'sqlite') execFileSync('sqlite3', [path.join(r.dir, 'reeve.db'), `PRAGMA secure_delete = ON; ${sql}`], { stdio: ['ignore', 'ignore', 'pipe'] });
    else execFileSync('psql', ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '-qv', 'ON_ERROR_STOP=1', '-c', sql, r.pg.name], { stdio: ['ignore', 'ignore', 'pipe'] });
    return true;
  } catch (e) {
    assert.match(String(e.stderr), /constraint/i, sql);
    return false;
  }
}
const dump = r => (r.engine === 'sqlite' ? execFileSync('sqlite3', [path.join(r.dir, 'reeve.db'), '.dump'], { encoding: 'latin1', maxBuffer: 1 << 28 })
  : execFileSync('pg_dump', ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '--inserts', r.pg.name], { encoding: 'latin1', maxBuffer: 1 << 28 }));
const isEvent = line => /^INSERT INTO (public\.)?"?audit_events/.test(line);
const outside = text => text.split('\n').filter(l => !isEvent(l)).join('\n').toLowerCase();

async function person(r, name, group, terms) {
  const mark = name.toUpperCase();
  let n = 0;
  const m = () => `${mark}-${String(++n).padStart(3, '0')}-q7`;
  const upn = `${m()}@canary.example`;
  const u = await r.post('/v1.0/users', { userPrincipalName: upn, displayName: m(), mailNickname: m(), accountEnabled: true, givenName: m(), surname: m(), mail: `${m()}@canary.example`, mobilePhone: m(), city: m(), jobTitle: m() });
  await r.post(`/v1.0/groups/${group.id}/members/$ref`, { '@odata.id': `https://localhost/v1.0/directoryObjects/${u.id}` });
  const devices = [];
  for (const owner of ['personal', 'company']) {
    const serial = owner === 'company' ? `THING-${name}` : m(); // a company's thing keeps its own
    const { key, csr } = makeRequest(r.tmp), t = await r.enrollmentToken(upn, owner);
    const e = await r.channel('enroll', { token: t.token, csr, acceptedTerms: [{ id: terms.id, version: 1 }], device: { deviceName: m().toLowerCase(), manufacturer: 'M', model: 'M', serialNumber: serial, osName: 'Linux', osVersion: '12' }, provisioning: true });
    assert.equal(e.status, 201, e.text);
    const pair = { key, cert: e.json.certificate };
    const inventory = { deviceName: m().toLowerCase(), manufacturer: 'M', model: 'M', serialNumber: serial, chassisType: 'laptop', osName: 'Debian', osVersion: '12', kernel: '6.1', architecture: 'x86_64', processor: 'P', processorCount: 2,
      disks: [{ name: m(), model: m(), sizeBytes: 5 }], networkInterfaces: [{ name: 'eth0', mac: '02:00:00:00:00:01', kind: 'ethernet', addresses: ['192.0.2.7'] }], ...(owner === 'company' ? { packages: [{ name: m().toLowerCase(), version: '1' }] } : {}) };
    const c = await r.channel('checkin', { inventory, items: [] }, pair);
    assert.equal(c.status, 200, c.text);
    devices.push({ id: e.json.deviceId, owner, pair });
    await r.ok('PATCH', `${DM}/managedDevices/${e.json.deviceId}`, { body: { notes: m() } });
  }
  // files and queues: an export, a case with sealed words and letters that wait for a mail server, a notice
  const asked = await r.api('POST', `/v1.0/users/${u.id}/exportPersonalData`, { body: {} });
  await until('the export', async () => (await r.get(new URL(asked.headers.location).pathname)).status === 'complete', { seconds: 60 });
  await r.post(`${DM}/dataSubjectRequests`, { type: 'objection', userId: u.id, channel: 'letter', contact: `${m()}@outside.example`, statement: m() });
  return { id: u.id, mark, devices };
}

// Every personal text of the map that is to go, in every row that a path of the map leads to.
function plantAll(r, map, p, silent) {
  let n = 0, planted = 0;
  for (const t of map.tables) {
    const owner = t.paths.find(x => x.role === 'owner');
    if (!owner || /^audit|^duties|^legal/.test(t.name)) continue;
    const whose = owner.through === 'person' ? `${owner.column} = ${hex(r, p.id)}` : `device_id IN (${p.devices.map(d => hex(r, d.id)).join(', ')})`;
    // of rows that stay (a company's device, that a request was answered) the map keeps what names nobody
    for (const c of t.columns.filter(x => x.kind === 'personal' && ['text', 'json'].includes(x.type) && x.erase !== 'keep')) {
      const marker = `${p.mark}-sql-${t.name}-${c.name}-${++n}-q7`.replaceAll('_', '-');
      const value = c.type === 'json' ? `'["${marker}"]'` : `'${marker}'`;
      if (c.audit !== 'value') silent.add(marker.toLowerCase());
      if (plant(r, `UPDATE ${t.name} SET ${c.name} = ${value} WHERE ${whose}`)) planted++;
    }
  }
  return planted;
}

testOnEngines('73 a marker in every personal column, file and queue: one person goes, byte by byte, two stay', async engine => {
  const r = await Reeve.make({ engine });
  try {
    await r.ok('PATCH', `${DM}/tenantSettings`, { body: { collectPackages: true, collectAddresses: true, collectDisks: true } });
    const terms = await r.post(`${DM}/termsAndConditions`, { displayName: 'N', title: 'T', bodyText: 'B', acceptanceStatement: 'A' });
    const group = await r.group('Canaries');
    const people = [];
    for (const name of NAMES) people.push(await person(r, name, group, terms));
    const report = (await r.post(`${DM}/reports/exportJobs`, { reportName: 'DevicesWithInventory' })).id;
    await until('the report', async () => (await r.get(`${DM}/reports/exportJobs/${report}`)).status === 'completed', { seconds: 60 });
    const map = JSON.parse(execFileSync(REEVE, ['datamap', '--format', 'json'], { encoding: 'utf8', env: r.env(0), maxBuffer: 1 << 26 }));
    await r.stop();
    const silent = new Set(); // markers of columns that no event may carry
    for (const p of people) assert.ok(plantAll(r, map, p, silent) > 30, 'markers were planted');
    const marks = text => [...new Set(text.match(/(anna|ben|cleo)-[a-z0-9-]*q7/gi) ?? [])].map(x => x.toLowerCase()).sort();
    const before = marks(outside(dump(r)));
    for (const p of people) assert.ok(before.filter(x => x.startsWith(p.mark.toLowerCase())).length > 35, `${p.mark}: ${before.filter(x => x.startsWith(p.mark.toLowerCase())).length} are seen`);

    await r.serve();
    const [anna] = people, asked = Date.now();
    await r.ok('DELETE', `/v1.0/users/${anna.id}`);
    await r.ok('DELETE', `/v1.0/directory/deletedItems/${anna.id}`);
    // her devices confirm, so that nothing is owed
    const personal = anna.devices.find(d => d.owner === 'personal');
    await until('the retire', async () => {
      const c = await r.channel('checkin', { items: [] }, personal.pair), told = c.json?.actions?.[0];
      return told && (await r.channel('report', { results: [{ id: told.id, state: 'done' }] }, personal.pair)).status === 200;
    }, { seconds: 60 });
    await until('every duty is certified', async () => {
      assert.ok(!/erasure_residue|erasure_step/.test(r.log), r.log.slice(-2000));
      const list = (await r.all(`${DM}/erasureDuties`)).filter(d => Date.parse(d.requestedDateTime) > asked - 5000);
      return list.length >= 2 && list.every(d => ['scrubbed', 'copies_gone'].includes(d.state));
    }, { seconds: 90 });
    await r.stop();

    const text = dump(r), left = outside(text), after = marks(left);
    assert.deepEqual(after.filter(x => x.startsWith('anna')), [], 'no row outside the audit log holds one of hers');
    assert.deepEqual(after.filter(x => !x.startsWith('anna')), before.filter(x => !x.startsWith('anna')), 'every marker of the two others is where it was');
    assert.ok(!left.includes(anna.id.replaceAll('-', '')) && !left.includes(anna.id), 'nor her id');
    // bytes: whatever is hers may stand in a file only where audit events say it
    const inLog = marks(text.split('\n').filter(isEvent).map(l => l + Buffer.from((l.match(/X'([0-9a-f]+)'|\\x([0-9a-f]+)/gi) ?? []).map(x => x.replace(/X'|\\x|'/gi, '')).join(''), 'hex').toString('latin1')).join('\n'));
    const files = execFileSync('find', [r.dir, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n');
    if (engine === 'postgres') {
      r.sql('CHECKPOINT');
      files.push(...execFileSync('find', [`${process.env.REEVE_TEST_PG_HOST}/data/base/${r.sql(`SELECT oid FROM pg_database WHERE datname = '${r.pg.name}'`).trim()}`, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n'));
    }
    for (const f of files)
      for (const x of marks(fs.readFileSync(f).toString('latin1'))) assert.ok(!x.startsWith('anna') || inLog.includes(x), `${f} holds bytes of ${x}`);
    assert.deepEqual(inLog.filter(x => silent.has(x)), [], 'and of what the map keeps out of events, nothing');
  } finally { await r.remove(); }
});
