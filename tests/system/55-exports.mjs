// SPDX-License-Identifier: Apache-2.0
// Files and archives of the audit log: what is in them, who may have them, crashes, and their end.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { REEVE, Reeve, sanitizers, shared, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared(), EXPORTS = `${DM}/auditLog/exports`;
const sha256 = (...parts) => parts.reduce((h, p) => h.update(p), crypto.createHash('sha256')).digest();
const done = (r, id, o) => until('the export', async () => {
  const x = await r.get(`${EXPORTS}/${id}`, o);
  assert.notEqual(x.status, 'failed', x.error);
  return x.status === 'completed' && x;
}, { seconds: 60, every: 100 });
const make = async (r, body, o) => done(r, (await r.post(EXPORTS, body, o)).id, o);
const content = (r, id, o) => r.api('GET', `${EXPORTS}/${id}/content`, o);
const HOSTILE = ['=1+1', '+cmd', '-2', '@SUM(A1)', "'=already", 'quote " and ""', 'comma, semicolon;', '\u{1F600} emoji', '\u202E rtl \u05E9\u05DC\u05D5\u05DD', '\uFEFFmark', '</script>', ',"event":', '{"event":1}', '\\u0000 \\n', '%s%n', "O'Brien"];

const PYTHON = `
import csv, io, json, re, sys
rows = list(csv.reader(io.StringIO(sys.stdin.buffer.read().decode('utf-8'), newline=''), strict=True))
head = rows.pop(0)
assert all(len(r) == len(head) for r in rows)
assert not any(re.match('[=+@\\t\\r-]', v) for r in rows for v in r)
print(json.dumps([dict(zip(head, (v[1:] if re.match("''*[=+@\\t\\r-]", v) else v for v in r))) for r in rows]))`;
const parseCsv = bytes => JSON.parse(execFileSync('python3', ['-c', PYTHON], { input: bytes, maxBuffer: 1 << 28, encoding: 'utf8' }));

testOnEngines('55 NDJSON, CSV and OCSF hold the same events, whatever stands in their values', async engine => {
  const r = await one(engine);
  const groups = [];
  for (const [i, name] of HOSTILE.entries()) {
    const g = await r.group(`first ${i}`);
    await r.ok('PATCH', `/v1.0/groups/${g.id}`, { body: { displayName: name } });
    groups.push(g.id);
  }
  const body = { format: 'ndjson', filter: "activityType eq 'patch Group'" };
  const answer = await r.api('POST', EXPORTS, { body });
  assert.equal(answer.status, 201, answer.text);
  assert.equal(answer.headers.location, `${r.url}${EXPORTS}/${answer.json.id}`);
  assert.ok(['notStarted', 'inProgress', 'completed'].includes(answer.json.status) && answer.json.filter === body.filter);
  const x = await done(r, answer.json.id), file = await content(r, x.id);
  assert.equal(file.status, 200);
  assert.equal(file.headers['content-disposition'], `attachment; filename="audit-${x.id}.ndjson"`);
  assert.match(file.headers['content-type'], /^application\/x-ndjson/);
  assert.equal(Number(file.headers['content-length']), x.sizeBytes);
  assert.equal(sha256(file.bytes).toString('hex'), x.sha256);
  assert.ok(Math.abs(Date.parse(x.expirationDateTime) - Date.parse(x.completedDateTime) - 7 * 86400000) < 1000);
  const events = file.text.trimEnd().split('\n').map(l => JSON.parse(l).event);
  assert.equal(events.length, x.events);
  const shown = (await r.events(body.filter)).filter(e => groups.includes(e.resources[0].resourceId));
  assert.deepEqual(events.filter(e => groups.includes(e.resources[0].resourceId)).map(e => e.id), shown.map(e => e.id).reverse(), 'in the order of the log');
  assert.deepEqual(events.find(e => e.id === shown[0].id), shown[0]);

  const csv = await make(r, { ...body, format: 'csv' }), rows = parseCsv((await content(r, csv.id)).bytes);
  assert.equal(csv.events, x.events);
  for (const [i, name] of HOSTILE.entries()) {
    const row = rows.find(y => y['Target ID'] === groups[i] && y.Property === 'displayName');
    assert.deepEqual([row['Old value'], row['New value'], row['Initiated by (actor)'], row.Application, row['IP address']], [`first ${i}`, name, 'Administrator', 'Administrator', '127.0.0.1']);
    assert.ok(row['Target(s)'].includes(groups[i]));
  }
  const ocsf = await make(r, { ...body, format: 'OCSF' }), lines = (await content(r, ocsf.id)).text.trimEnd().split('\n').map(l => JSON.parse(l));
  assert.equal(lines.length, x.events);
  const raw = file.text.trimEnd().split('\n');
  lines.forEach((l, i) => {
    assert.equal(l.raw_data, raw[i], 'the stored bytes travel with it');
    assert.deepEqual([l.class_uid, l.type_uid, l.metadata.version, l.status_id], [3004, 300403, '1.8.0', 1]);
    assert.equal(l.time, Math.floor(Date.parse(events[i].activityDateTime)));
  });
  // a period: from one event to before another
  const some = await make(r, { format: 'ndjson', fromDateTime: events[2].activityDateTime, untilDateTime: events[5].activityDateTime });
  const ids = (await content(r, some.id)).text.trimEnd().split('\n').map(l => JSON.parse(l).event);
  assert.ok(ids.every(e => e.activityDateTime >= events[2].activityDateTime && e.activityDateTime < events[5].activityDateTime));
  assert.ok(ids.some(e => e.id === events[2].id) && !ids.some(e => e.id === events[5].id));
  const said = (await r.events(`resources/resourceId eq '${x.id}'`)).map(e => `${e.actor.auditActorType} ${e.activityType}`).sort();
  assert.deepEqual(said, ['Application download AuditExport', 'Application export AuditLog', 'System complete AuditExport']);
});

testOnEngines('55 what cannot be made is refused with its reason; who may not have it does not get it', async engine => {
  const r = await one(engine);
  const bad = [{}, { format: 'xml' }, { format: 7 }, { format: 'csv', filter: 'nothing eq 1' }, { format: 'csv', filter: 'category eq' }, { format: 'csv', filter: 7 }, { format: 'csv', fromDateTime: 'yesterday' },
    { format: 'csv', fromDateTime: '2026-02-01T00:00:00Z', untilDateTime: '2026-01-01T00:00:00Z' }, { format: 'archive', filter: "category eq 'Device'" }, { format: 'csv', path: '/etc/passwd' }, { format: 'csv', filter: 'x'.repeat(9000) }];
  for (const body of bad) await r.refused(400, 'POST', EXPORTS, { body });
  assert.ok((await r.events("activityType eq 'export AuditLog' and activityResult eq 'Failure'")).length >= bad.length);
  await r.refused(404, 'GET', `${EXPORTS}/01999999-9999-7999-8999-999999999999`);
  await r.refused(404, 'GET', `${EXPORTS}/nothing/content`);
  // another tenant
  const t = await r.secondTenant(), theirs = { token: t.token }, mine = await make(r, { format: 'ndjson' });
  for (const where of [`${EXPORTS}/${mine.id}`, `${EXPORTS}/${mine.id}/content`]) await r.refused(404, 'GET', where, theirs);
  assert.deepEqual((await r.get(EXPORTS, theirs)).value, []);
  const other = await make(r, { format: 'ndjson' }, theirs), text = (await content(r, other.id, theirs)).text;
  assert.ok(text.length > 0 && text.trimEnd().split('\n').every(l => JSON.parse(l).tenantId === t.id));
  // reading the log is not taking it away
  const roles = await r.all('/v1.0/roleManagement/directory/roleDefinitions'), role = roles.find(x => x.displayName === 'Read Only Operator').id;
  const a = await r.post('/v1.0/applications', { displayName: 'Reader', roleDefinitionId: role }), s = await r.post(`/v1.0/applications/${a.id}/addPassword`, {});
  const reader = { token: await r.signIn(r.tenant, a.id, s.secretText) };
  await r.refused(403, 'POST', EXPORTS, { body: { format: 'csv' }, ...reader });
  await r.refused(403, 'GET', `${EXPORTS}/${mine.id}/content`, reader);
  const tried = (await r.events("activityResult eq 'Failure'")).filter(e => e.actor.applicationDisplayName === 'Reader').map(e => e.activityType).sort();
  assert.deepEqual(tried, ['download AuditExport', 'export AuditLog']);
  // the operator has the installation's own
  const op = { token: r.operatorToken }, own = await make(r, { format: 'ndjson' }, op);
  assert.ok((await content(r, own.id, op)).text.trimEnd().split('\n').every(l => JSON.parse(l).tenantId === null));
  // many at once
  const asked = await Promise.all(Array.from({ length: 16 }, () => r.api('POST', EXPORTS, { body: { format: 'csv' } })));
  const full = asked.filter(x => x.status === 429);
  assert.ok(full.length > 0 && asked.every(x => [201, 429].includes(x.status)), `${asked.map(x => x.status)}`);
  assert.ok(full[0].headers['retry-after'] && /4 exports/.test(full[0].text), full[0].text);
  for (const x of asked.filter(y => y.status === 201)) await done(r, x.json.id);
});

// Checks an unpacked archive with nothing of Reeve's: signature, commitments, tree.
function checkArchive(dir) {
  const read = f => fs.readFileSync(path.join(dir, f)), manifest = JSON.parse(read('manifest.json'));
  const key = Buffer.from(manifest.verifierKey.split('+').slice(2).join('+'), 'base64').subarray(1);
  const spki = crypto.createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key]), format: 'der', type: 'spki' });
  assert.ok(crypto.verify(null, read('manifest.json'), spki, read('manifest.sig')), 'the manifest is signed');
  const [text, signature] = read('checkpoint').toString().split('\n\n');
  assert.ok(crypto.verify(null, Buffer.from(`${text}\n`), spki, Buffer.from(signature.trim().split(' ').at(-1), 'base64').subarray(4)), 'the checkpoint is signed');
  const [origin, size, root] = text.split('\n');
  assert.deepEqual([origin, Number(size), root], [manifest.origin, manifest.checkpoint.size, manifest.checkpoint.rootHash]);
  for (const f of manifest.files) assert.equal(sha256(read(f.name)).toString('hex'), f.sha256, f.name);
  const leaves = [], commitments = [], path3 = n => (n >= 1000 ? `x${String(Math.floor(n / 1000)).padStart(3, '0')}/` : '') + String(n % 1000).padStart(3, '0');
  for (let b = 0; b * 256 < Number(size); b++) {
    const w = Math.min(256, Number(size) - b * 256), bundle = read(`tile/entries/${path3(b)}${w < 256 ? `.p/${w}` : ''}`);
    assert.equal(bundle.length, w * 35);
    for (let i = 0; i < w; i++) {
      const entry = bundle.subarray(i * 35 + 2, i * 35 + 35);
      commitments.push(entry.subarray(1));
      leaves.push(sha256(Buffer.from([0]), entry));
    }
  }
  const tree = l => { if (l.length === 1) return l[0]; let k = 1; while (k * 2 < l.length) k *= 2; return sha256(Buffer.from([1]), tree(l.slice(0, k)), tree(l.slice(k))); };
  assert.equal(tree(leaves).toString('base64'), root);
  let events = 0;
  for (const f of manifest.files.filter(y => y.name.startsWith('events/')))
    for (const line of read(f.name).toString().trimEnd().split('\n')) {
      const { index, salt } = JSON.parse(line), bytes = line.slice(line.indexOf('"event":') + 8, -1);
      const h = crypto.createHmac('sha256', Buffer.from(salt, 'base64')).update('reeve/audit-event/v1\n').update(bytes).digest();
      assert.ok(h.equals(commitments[index]), `event ${index}`);
      events++;
    }
  assert.equal(events, manifest.events);
  return manifest;
}

testOnEngines('55 a signed archive by the command line: checked without the server, and every change of it is found', async engine => {
  const r = await one(engine), file = path.join(r.tmp, 'log.zip'), dir = path.join(r.tmp, 'unpacked');
  for (let i = 0; i < 260; i++) await r.user(`archive${i}@acme.example`); // more than one bundle
  const said = r.cli('audit', 'export', '--out', path.join(r.tmp, 'said.ndjson'));
  assert.equal(said.code, 0, said.err);
  assert.match(said.out, /^\d+ events, \d+ bytes, written to .*said\.ndjson\nexport [0-9a-f-]{36}, SHA-256 [0-9a-f]{64}$/m);
  const x = r.cli('audit', 'export', '--format', 'archive', '--out', file, '--json');
  assert.equal(x.code, 0, x.err);
  assert.equal(x.json.sha256, sha256(fs.readFileSync(file)).toString('hex'));
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.ok(!fs.existsSync(`${file}.part`));
  execFileSync('unzip', ['-q', file, '-d', dir]);
  const manifest = checkArchive(dir);
  assert.equal(manifest.events, x.json.events);
  assert.ok(manifest.events > 256);
  const verify = f => spawnSync(REEVE, ['audit', 'verify', f], { encoding: 'utf8', env: { ...process.env, ...sanitizers, HOME: r.tmp } });
  assert.equal(verify(file).status, 0, verify(file).stderr);
  // a flipped byte anywhere
  for (const [name, at] of [['events/000', 200], ['tile/entries/000', 300], ['tile/0/000', 40], ['checkpoint', 90], ['manifest.json', 60]]) {
    const copy = `${dir}-changed`, zip = path.join(r.tmp, 'changed.zip');
    fs.rmSync(copy, { recursive: true, force: true });
    fs.rmSync(zip, { force: true });
    fs.cpSync(dir, copy, { recursive: true });
    const bytes = fs.readFileSync(path.join(copy, name));
    bytes[at] ^= 1;
    fs.writeFileSync(path.join(copy, name), bytes);
    execFileSync('python3', ['-c', 'import os, sys, zipfile\nz = zipfile.ZipFile(sys.argv[1], "w")\nfor d, _, f in os.walk(sys.argv[2]):\n  for n in f: z.write(os.path.join(d, n), os.path.relpath(os.path.join(d, n), sys.argv[2]))', zip, copy]);
    const v = verify(zip);
    assert.ok(v.status > 0, `${name}: ${v.stdout}`);
  }
  // a period
  const day = new Date(Date.now() + 86400000).toISOString();
  const none = r.cli('audit', 'export', '--format', 'archive', '--from', day, '--out', path.join(r.tmp, 'none.zip'), '--json');
  assert.equal(none.code, 0, none.err);
  assert.equal(none.json.events, 0);
  assert.equal(verify(path.join(r.tmp, 'none.zip')).status, 0);
  // what fails leaves no file
  for (const args of [['--format', 'xml'], ['--from', 'never'], ['--query', '$filter=nothing eq 1'], ['--id', '01999999-9999-7999-8999-999999999999']]) {
    const f = r.cli('audit', 'export', '--out', path.join(r.tmp, 'failed'), ...args);
    assert.ok(f.code > 0 && f.err, args.join(' '));
    assert.deepEqual(fs.readdirSync(r.tmp).filter(n => n.startsWith('failed')), []);
  }
  assert.match(r.cli('audit', 'exports').out, /archive\s+completed/);
});

testOnEngines('55 a server that is killed makes its files again; at their expiry they are gone', async engine => {
  const r = await Reeve.make({ engine });
  for (let i = 0; i < 60; i++) await r.user(`crash${i}@acme.example`);
  const made = [];
  for (let cycle = 0; cycle < 4; cycle++) {
    for (const format of ['ndjson', 'archive']) made.push((await r.post(EXPORTS, { format })).id);
    await new Promise(f => setTimeout(f, 40 * cycle));
    await r.stop('SIGKILL');
    // what a crash in the middle of a file leaves
    fs.mkdirSync(path.join(r.dir, 'exports'), { recursive: true });
    fs.writeFileSync(path.join(r.dir, 'exports', `${made.at(-1)}.part`), 'half');
    fs.writeFileSync(path.join(r.dir, 'exports', `${made.at(-2)}.sealed.new`), 'half');
    await r.serve();
    for (const id of made.slice(-2)) await done(r, id);
  }
  for (const id of made) {
    const x = await r.get(`${EXPORTS}/${id}`), f = await content(r, id);
    assert.equal(sha256(f.bytes).toString('hex'), x.sha256);
  }
  const files = () => fs.readdirSync(path.join(r.dir, 'exports')).sort();
  const wanted = made.map(id => `${id}.sealed`).sort();
  assert.deepEqual(files().filter(f => f.endsWith('.sealed')), wanted);
  for (const f of wanted) assert.ok(!fs.readFileSync(path.join(r.dir, 'exports', f)).includes('crash1@acme'), 'sealed');
  await r.restart(6);
  assert.equal((await content(r, made[0])).status, 200);
  await r.restart(8);
  await until('the files are gone', () => files().filter(f => f.endsWith('.sealed')).length === 0);
  await r.refused(410, 'GET', `${EXPORTS}/${made[0]}/content`);
  const x = await r.get(`${EXPORTS}/${made[0]}`);
  assert.deepEqual([x.status, x.sha256, x.sizeBytes], ['completed', null, null]);
  await until('the events', async () => (await r.events("activityType eq 'expire AuditExport'")).length === made.length);
});
