// SPDX-License-Identifier: Apache-2.0
// Export and erasure: everything about one person, nothing of another, and afterwards no byte of them but in the audit log.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { REEVE, Reeve, sanitizers, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const DAY = 86400000;

// A person with a marker in every property, a personal and a company device, a group, accepted terms, tokens.
async function person(r, name, mark) {
  let n = 0;
  const marks = [], m = kind => { marks.push(`${mark}${kind}${++n}`); return marks.at(-1); };
  const upn = `${name}@privacy.example`;
  const u = await r.post('/v1.0/users', { userPrincipalName: upn, displayName: `${name} Privacy`, mailNickname: m('nick'), accountEnabled: true, givenName: m('given'), surname: m('surname'), mail: `${m('mail')}@privacy.example`, jobTitle: m('job'), department: m('dep'),
    companyName: m('comp'), officeLocation: m('office'), employeeId: m('emp'), mobilePhone: m('phone'), businessPhones: [m('bphone')], streetAddress: m('street'), postalCode: m('zip'), city: m('city'), state: m('state'), country: m('country') });
  const lap = await r.device(upn, 'personal', { name: m('lap').toLowerCase(), serial: m('SN') }), desk = await r.device(upn, 'company', { name: m('desk').toLowerCase(), serial: m('SN') });
  for (const d of [lap, desk]) { d.sync(); await r.ok('PATCH', `${DM}/managedDevices/${d.id}`, { body: { notes: m('note') } }); }
  return { id: u.id, upn, name: `${name} Privacy`, marks, lap, desk };
}
const rows = (r, table) => (r.engine === 'sqlite' ? execFileSync('sqlite3', [`file:${r.dir}/reeve.db?mode=ro`, `.dump ${table}`], { encoding: 'utf8', maxBuffer: 1 << 28 }) : r.sql(`SELECT * FROM ${table}`));
const tables = r => (r.engine === 'sqlite' ? JSON.parse(r.sql("SELECT name AS t FROM sqlite_schema WHERE type = 'table'")).map(x => x.t) : r.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'").trim().split('\n'));
const has = (text, mark) => text.toLowerCase().includes(mark.toLowerCase());
// The bytes on disk, outside the log file: Reeve's directory, and PostgreSQL's files of this database.
function files(r) {
  const list = execFileSync('find', [r.dir, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n');
  if (r.engine === 'postgres') {
    r.sql('CHECKPOINT');
    list.push(...execFileSync('find', [`${process.env.REEVE_TEST_PG_HOST}/data/base/${r.sql(`SELECT oid FROM pg_database WHERE datname = '${r.pg.name}'`).trim()}`, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n'));
  }
  return list;
}

testOnEngines('60 export: everything about the person and nothing of another; sums, page, events', async engine => {
  const r = await one(engine);
  const terms = await r.post(`${DM}/termsAndConditions`, { displayName: 'Notice', title: 'T', bodyText: 'B', acceptanceStatement: 'A' });
  const a = await person(r, 'exp.anna', 'EXPA'), b = await person(r, 'exp.bert', 'EXPB');
  const g = await r.group('Exported group', [a.id, b.id]);
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'Exported', path: '/etc/exported.conf', content: 'x' });
  a.lap.sync(); b.lap.sync();
  const file = path.join(r.tmp, `export-${engine}.zip`), dir = path.join(r.tmp, `export-${engine}`);
  const done = r.cli('export', 'user', a.upn, '--out', file, '--json');
  assert.equal(done.code, 0, done.err);
  assert.equal(fs.statSync(file).mode & 0o077, 0, 'the file is its owner\'s');
  execFileSync('unzip', ['-q', file, '-d', dir]);
  const manifest = JSON.parse(fs.readFileSync(path.join(dir, 'manifest.json'), 'utf8')), page = fs.readFileSync(path.join(dir, 'README.html'), 'utf8');
  for (const f of manifest.files) {
    const bytes = fs.readFileSync(path.join(dir, f.name));
    assert.equal(crypto.createHash('sha256').update(bytes).digest('hex'), f.sha256, f.name);
    assert.equal(bytes.length, f.bytes);
    if (f.name.startsWith('data/') && f.name.endsWith('.json')) assert.equal(JSON.parse(bytes).length, f.rows, f.name);
  }
  const there = execFileSync('find', [dir, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n').map(f => path.relative(dir, f)).sort();
  assert.deepEqual(there, [...manifest.files.map(f => f.name), 'manifest.json', 'manifest.sig'].sort(), 'every file is in the manifest');
  const all = there.map(f => fs.readFileSync(path.join(dir, f), 'utf8')).join('\n');
  for (const m of [...a.marks, a.upn, a.name, a.id, a.lap.id, a.desk.id, 'Exported group']) assert.ok(has(all, m), `${m} is in the export`);
  for (const m of [...b.marks, b.upn, b.name, b.lap.id, b.desk.id]) assert.ok(!has(all, m), `${m}, of another person, is not`);
  for (const secret of ['PRIVATE KEY', r.token]) assert.ok(!all.includes(secret));
  const text = fs.readFileSync(path.join(dir, 'html/account.html'), 'utf8').replace(/<[^>]*>/g, ' ');
  for (const m of a.marks.slice(0, 12)) assert.ok(has(text, m), `a person finds ${m} on the page`);
  assert.ok(!/<script/i.test(page) && !/https?:\/\//.test(page.replace(/https:\/\/127\.0\.0\.1\S*/g, '')), 'the page loads nothing');
  assert.equal(JSON.parse(fs.readFileSync(path.join(dir, 'data/termsAccepted.json'))).length, 1);
  assert.ok(JSON.parse(fs.readFileSync(path.join(dir, 'data/auditAsTarget.json'))).length > 3);
  const verified = spawnSync(REEVE, ['export', 'verify', file], { encoding: 'utf8', env: { ...process.env, ...sanitizers } });
  assert.equal(verified.status, 0, verified.stderr);
  for (const f of files(r).filter(f => /exports/.test(f))) assert.ok(!fs.readFileSync(f).includes('EXPA') && !fs.readFileSync(f).subarray(0, 4).equals(Buffer.from('PK\x03\x04')), 'it lies sealed on disk');

  const events = (await r.events(`subjectId eq '${a.id}'`)).map(e => e.activityType);
  for (const t of ['exportPersonalData User', 'complete PersonalDataExport', 'download PersonalDataExport']) assert.equal(events.filter(e => e === t).length, 1, t);
  // by the API: 202, Location, status, content
  const asked = await r.api('POST', `/v1.0/users/${b.upn}/exportPersonalData`, { body: {} });
  assert.equal(asked.status, 202);
  assert.match(asked.headers.location, /dataPolicyOperations\/[0-9a-f-]{36}$/);
  const where = new URL(asked.headers.location).pathname;
  await until('the export is complete', async () => (await r.get(where)).status === 'complete');
  const zip = await r.api('GET', `${where}/content`);
  assert.equal(zip.headers['content-type'], 'application/zip');
  assert.equal(Number(zip.headers['content-length']), zip.bytes.length);
  assert.equal(zip.bytes.subarray(0, 2).toString(), 'PK');
  for (const bad of [{ storageLocation: 'http://x' }, { storageLocation: 7 }, { nothing: 1 }, { storageLocation: `https://x/${'x'.repeat(3000)}` }]) await r.refused(400, 'POST', `/v1.0/users/${b.upn}/exportPersonalData`, { body: bad });
  assert.equal(r.cli('export', 'user', 'nobody@privacy.example', '--out', file).code, 66);
  await r.ok('DELETE', `${DM}/termsAndConditions/${terms.id}`);
});

testOnEngines('60 erasure: restore cancels it; for good, no byte is left but in the audit log; the neighbour stays', async engine => {
  const r = await one(engine);
  const a = await person(r, 'era.anna', 'ERAA'), b = await person(r, 'era.bert', 'ERAB');
  const g = await r.group('Erased group', [a.id, b.id]);
  await r.provide(g, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'Era', path: '/etc/era.conf', content: 'for {{userPrincipalName}}' });
  const personalBefore = a.lap.sums();
  for (const d of [a.lap, a.desk, b.lap]) d.sync();
  assert.ok(a.lap.has('etc/era.conf'));
  assert.equal(r.cli('export', 'user', a.upn, '--out', path.join(r.tmp, 'era.zip')).code, 0);
  const others = () => JSON.stringify([r.sql(`SELECT user_id, upn, given_name, mobile_phone, city FROM users WHERE upn <> '${a.upn}' AND deleted_at IS NULL ORDER BY user_id`)]) + rows(r, 'group_members').split('\n').filter(l => has(l, b.id.replaceAll('-', ''))).join('\n');
  const dutyOf = async id => (await r.all(`${DM}/erasureDuties?$filter=subjectId%20eq%20'${id}'&$orderby=requestedDateTime%20desc`))[0];
  const preview = await r.get(`/v1.0/users/${a.upn}/erasurePreview`);
  assert.ok(preview.tables.some(t => t.table === 'users' && t.deleted === 1) && preview.tables.some(t => t.table === 'audit_events' && t.deleted === 0 && t.kept > 0));

  await r.ok('DELETE', `/v1.0/users/${a.id}`);
  const d1 = await dutyOf(a.id);
  assert.deepEqual([d1.trigger, d1.state, d1.subjectType], ['softDelete', 'scheduled', 'user']);
  assert.equal(Date.parse(d1.dueDateTime) - Date.parse(d1.requestedDateTime), 30 * DAY);
  await r.ok('POST', `/v1.0/directory/deletedItems/${a.id}/restore`);
  assert.equal((await dutyOf(a.id)).state, 'cancelled');
  assert.equal((await r.get(`/v1.0/users/${a.id}?$select=city,givenName`)).givenName, a.marks[1], 'restored whole');

  const before = others();
  await r.ok('DELETE', `/v1.0/users/${a.upn}`);
  const asked = Date.now();
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${a.id}`);
  await r.refused(404, 'GET', `/v1.0/directory/deletedItems/${a.id}`);
  const cert = await until('the certificate is signed', async () => (await r.all(`${DM}/erasureCertificates`)).find(c => c.kind === 'activeData' && c.logProof && c.certificate.trigger === 'permanentDelete' && c.certificate.subjectType === 'user' && Date.parse(c.certificate.requestedDateTime) > asked - 5000), { seconds: 60 });
  const duty = await r.get(`${DM}/erasureDuties/${cert.dutyId}`);
  assert.ok(['scrubbed', 'copies_gone'].includes(duty.state), duty.state);
  assert.ok(Math.abs(Date.parse(duty.copiesDeadlineDateTime) - asked - 30 * DAY) < 10000, 'the clock counts from the permanent delete');
  // the certificate: whole, signed, names nobody
  const file = path.join(r.tmp, `certificate-${engine}.json`);
  fs.writeFileSync(file, JSON.stringify(cert));
  const verify = (f, ...more) => spawnSync(REEVE, ['erase', 'verify', f, ...more], { encoding: 'utf8', cwd: '/', env: { PATH: process.env.PATH, ...sanitizers } }); // nothing but the file
  const good = verify(file, '--key', cert.publicKey);
  assert.equal(good.status, 0, good.stderr);
  assert.match(good.stdout, /log {10}.+, index \d+ of \d+\n/, 'with its place in the audit log');
  assert.notEqual(verify(file, '--key', Buffer.alloc(32, 7).toString('base64')).status, 0, 'another issuer\'s key');
  const second = await until('the second certificate', async () => (await r.all(`${DM}/erasureCertificates`)).find(c => c.kind === 'copies' && c.dutyId === cert.dutyId && c.logProof), { seconds: 60 });
  assert.equal(second.certificate.completes.certificateId, cert.id);
  fs.writeFileSync(`${file}.copies`, JSON.stringify(second));
  assert.match(verify(`${file}.copies`, '--key', cert.publicKey).stdout, /all copies gone/);
  const page = await r.api('GET', `${DM}/erasureCertificates/${cert.id}/page`);
  assert.equal(page.status, 200);
  assert.ok(page.text.includes(cert.id) && page.text.includes('active data gone'));
  assert.deepEqual(cert.certificate.tables.filter(t => t.table === 'users').map(t => [t.found, t.deleted]), [[1, 1]]);
  for (const [from, to] of [['permanentDelete', 'selfRemoval'], ['"found":1', '"found":2'], [cert.signature.slice(0, 8), 'AAAAAAAA'], [cert.logEvent.slice(8, 16), 'AAAAAAAA'], ['index ', 'index 1']]) {
    fs.writeFileSync(`${file}.bad`, JSON.stringify(cert).replace(from, to));
    assert.equal(verify(`${file}.bad`).status, 65, `${from}: ${JSON.stringify(cert.certificate.tables)}`);
  }
  const said = JSON.stringify(cert) + Buffer.from(cert.body, 'base64');
  for (const m of [...a.marks, a.upn, a.name, a.id]) assert.ok(!has(said, m), `the certificate names ${m}`);
  assert.ok((await r.events("activityType eq 'certify ErasureDuty'")).length >= 1);

  // what is left of the person: the personal device owes its retire (its record goes when it has), the company's stays without them
  const desk = await r.managed(a.desk.id);
  assert.equal(desk.userId, null);
  assert.ok(!has(JSON.stringify(desk), 'ERAA') || has(JSON.stringify(desk), a.desk.serial), 'the company device names nobody');
  a.desk.sync(); // it still calls itself after her
  assert.equal((await r.managed(a.desk.id)).deviceName, desk.deviceName, 'a late report brings no name back');
  a.lap.sync();
  assert.equal(a.lap.sums(), personalBefore, 'the personal device takes back what was provided, even now');
  await until('the personal device\'s record is gone', async () => (await r.api('GET', `${DM}/managedDevices/${a.lap.id}`)).status === 404, { seconds: 60 });
  await until('every duty that is due has run', async () => !(await r.all(`${DM}/erasureDuties`)).some(x => ['received', 'suppressed', 'deleting', 'deleted'].includes(x.state) && Date.parse(x.dueDateTime) < Date.now()), { seconds: 60 });

  // rows, then bytes.  A serial number of the company's device is the company's.
  const company = [a.desk.serial, a.desk.name, a.marks.at(-1)].map(m => m.toLowerCase());
  const marks = [...a.marks.filter(m => !company.includes(m.toLowerCase())), a.upn, a.name, a.id.replaceAll('-', ''), a.id];
  for (const t of tables(r)) {
    if (t.startsWith('audit_events')) continue; // PostgreSQL's partitions too
    const text = rows(r, t);
    for (const m of marks) assert.ok(!has(text, m), `${t} holds ${m}`);
  }
  const inLog = r.engine === 'sqlite' ? JSON.stringify((await r.events()).concat(await r.all('/beta/deviceManagement/auditEvents?$top=1000'))) : rows(r, 'audit_events') + JSON.stringify(await r.events());
  const strict = a.marks.filter(m => /phone|street|city|zip|emp/.test(m));
  assert.ok(strict.length >= 5);
  for (const m of strict) assert.ok(!has(inLog, m), `even the audit log does not hold ${m}`);
  for (const f of files(r)) {
    const bytes = fs.readFileSync(f).toString('latin1').toLowerCase();
    for (const m of marks.filter(x => !has(inLog, x))) assert.ok(!bytes.includes(m.toLowerCase()), `${f} holds bytes of ${m}`);
    const raw = Buffer.from(a.id.replaceAll('-', ''), 'hex').toString('latin1');
    if (!/reeve\.db|\/base\//.test(f)) assert.ok(!fs.readFileSync(f).toString('latin1').includes(raw), `${f} holds the id`);
  }
  // the neighbour
  assert.equal(others(), before);
  const bytes = files(r).map(f => fs.readFileSync(f).toString('latin1')).join('\n').toLowerCase();
  for (const m of b.marks) assert.ok(bytes.includes(m.toLowerCase()), `the neighbour's ${m}`);
  assert.equal((await r.managed(b.lap.id)).userPrincipalName, b.upn);
  b.lap.sync();
  // the story is still told, and a new person with the same name is a new person
  assert.ok((await r.events()).some(e => e.activityType === 'hardDelete User'));
  assert.equal(r.cli('audit', 'verify').code, 0);
  const again = await r.user(a.upn);
  assert.notEqual(again.id, a.id);
  assert.deepEqual(await r.all(`/v1.0/users/${a.upn}/managedDevices`), []);
  // hired again, with the same laptop: nothing suppresses them, and nothing of the first comes with them
  const laptop = await r.device(a.upn, 'personal', { serial: a.lap.serial });
  laptop.sync();
  const kept = await r.managed(laptop.id);
  assert.deepEqual([kept.userId, kept.serialNumber, kept.notes ?? ''], [again.id, a.lap.serial, '']);
  assert.notEqual(laptop.id, a.lap.id);
  assert.deepEqual((await r.all(`/v1.0/users/${again.id}/managedDevices`)).map(d => d.id), [laptop.id]);
});

test('60 every removal starts a duty at the request, with 30 days; leaving too', async () => {
  const r = await one(), upn = 'duties@privacy.example';
  await r.user(upn);
  for (const [trigger, owner, act] of [
    ['retire', 'personal', d => r.ok('POST', `${DM}/managedDevices/${d.id}/retire`)], ['wipe', 'company', d => r.ok('POST', `${DM}/managedDevices/${d.id}/wipe`)],
    ['deviceDelete', 'company', d => r.ok('DELETE', `${DM}/managedDevices/${d.id}`)], ['selfRemoval', 'personal', d => assert.equal(r.channel && d.run('leave').code, 0)]]) {
    const d = await r.device(upn, owner), at = Date.now();
    await act(d);
    const duty = (await r.all(`${DM}/erasureDuties`)).filter(x => x.trigger === trigger).sort((x, y) => x.requestedDateTime.localeCompare(y.requestedDateTime)).at(-1);
    assert.ok(Math.abs(Date.parse(duty.requestedDateTime) - at) < 20000, trigger);
    assert.equal(Date.parse(duty.copiesDeadlineDateTime) - Date.parse(duty.requestedDateTime), 30 * DAY, trigger);
    assert.equal(duty.subjectType, 'device');
    if (trigger !== 'selfRemoval') assert.equal(Math.round((Date.parse(duty.dueDateTime) - Date.parse(duty.requestedDateTime)) / DAY), 7, `${trigger}: without an answer after the grace`);
  }
});

test('60 closing a tenant: read and export for a while, nothing else; reopened, it is as it was', async () => {
  const r = await one(), t = await r.secondTenant('Closing'), o = { token: t.token }, op = { token: r.operatorToken };
  const u = await r.user('closing@acme.example', { city: 'Closingtown' }, o);
  const token = await r.enrollmentToken('closing@acme.example', 'personal', {}, o);
  await r.closeTenant(t);
  const shown = await r.get(`/v1.0/installation/tenants/${t.id}`, op);
  assert.equal(shown.state, 'closing');
  assert.equal(Math.round((Date.parse(shown.purgeStartsDateTime) - Date.parse(shown.closedDateTime)) / DAY), 120);
  assert.equal(Math.round((Date.parse(shown.purgeDeadlineDateTime) - Date.parse(shown.closedDateTime)) / DAY), 180);
  assert.equal((await r.get(`/v1.0/users/${u.id}?$select=city`, o)).city, 'Closingtown');
  await r.refused(403, 'PATCH', `/v1.0/users/${u.id}`, { ...o, body: { city: 'x' } });
  await r.refused(403, 'POST', '/v1.0/users', { ...o, body: {} });
  assert.equal((await r.api('POST', `/v1.0/users/${u.id}/exportPersonalData`, o)).status, 202);
  assert.ok((await r.channel('terms', { token: token.token })).status >= 400, 'nobody enrols any more');
  await r.refused(403, 'POST', `/v1.0/installation/tenants/${t.id}/close`, op); // it would need another approval
  await r.ok('POST', `/v1.0/installation/tenants/${t.id}/reopen`, op);
  await r.ok('PATCH', `/v1.0/users/${u.id}`, { ...o, body: { city: 'y' } });
  assert.equal((await r.channel('terms', { token: token.token })).status, 200);
  await r.refused(404, 'POST', '/v1.0/installation/tenants/01999999-9999-7999-8999-999999999999/close', op);
});

test('60 erasure on PostgreSQL is proved by a search of its files where they can be read', async () => {
  const r = await Reeve.make({ engine: 'postgres', serve: false });
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `postgres_data_dir = ${process.env.REEVE_TEST_PG_HOST}/data\n`);
  await r.serve();
  const [a, b] = await Promise.all(['scan.anna', 'scan.bert'].map(n => r.post('/v1.0/users', { userPrincipalName: `${n}@privacy.example`, displayName: 'Robin of Both Names', mailNickname: n, accountEnabled: true, city: `city-of-${n}` })));
  await r.ok('PATCH', `/v1.0/users/${a.id}`, { body: { mobilePhone: '+64 21 555 0199' } });
  await r.ok('DELETE', `/v1.0/users/${a.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${a.id}`);
  const [c] = await until('the certificate', async () => { const l = await r.all(`${DM}/erasureCertificates`); return l.length > 0 && l; }, { seconds: 60 });
  const store = c.certificate.stores.find(s => s.store === 'postgresql');
  assert.equal(store.method, 'rowDelete+rewrite+byteScan');
  assert.match(store.walPosition.position, /^[0-9A-F]+\/[0-9A-F]+$/);
  assert.ok(c.certificate.auditEvents.identifiersFoundInThem > 0);
  const count = text => files(r).reduce((n, f) => n + fs.readFileSync(f).toString('latin1').split(text).length - 1, 0);
  assert.equal(count('+64 21 555 0199') + count('city-of-scan.anna'), 0, 'of what no event says no byte is there');
  assert.ok(count('city-of-scan.bert') > 0);
});
