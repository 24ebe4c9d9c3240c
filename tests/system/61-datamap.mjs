// SPDX-License-Identifier: Apache-2.0
// The data map and what is made from it: formats, a dataset for fides, the record of processing, and what a person is told is held.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { REEVE, ROOT, sanitizers, shared, test, testOnEngines } from './lib.mjs';
import { DM } from './world.mjs';

const one = shared();
const HOSTILE = '<script>alert(1)</script>"\'&=1+2\u202Eevil';
const datamap = (...args) => {
  const done = spawnSync(REEVE, ['datamap', ...args], { encoding: 'utf8', env: { ...process.env, ...sanitizers }, maxBuffer: 1 << 24 });
  return { code: done.status, out: done.stdout, err: done.stderr };
};
const map = () => JSON.parse(datamap('--format', 'json').out);
const csv = text => text.trimEnd().split('\r\n').map(line => [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(m => (m[1] === undefined ? m[2] : m[1].replaceAll('""', '"'))));

// Elements open and close in order, nothing runs, nothing is loaded.
function inert(page) {
  const open = [], empty = new Set(['meta', 'br', '!doctype']);
  for (const [, close, name] of page.matchAll(/<(\/?)([a-z0-9!]+)[^<>]*>/gi)) {
    const tag = name.toLowerCase();
    assert.ok(['!doctype', 'html', 'head', 'meta', 'title', 'style', 'body', 'h1', 'h2', 'h3', 'p', 'b', 'br', 'a', 'ul', 'li', 'table', 'thead', 'tr', 'th', 'td', 'bdi'].includes(tag), `<${tag}>`);
    if (empty.has(tag)) continue;
    if (close) assert.equal(open.pop(), tag); else open.push(tag);
  }
  assert.deepEqual(open, []);
  assert.ok(!/<[^>]*\s(on\w+|src)=|url\(|@import|https?:/i.test(page), 'it loads nothing and runs nothing');
  for (const [, to] of page.matchAll(/href="#([^"]+)"/g)) assert.ok(page.includes(`id="${to}"`), `#${to}`);
}

// The subset of YAML that the dataset is written in: block maps and lists, double-quoted or plain scalars.
function yaml(text) {
  const lines = text.trimEnd().split('\n').map(l => [l.search(/\S/), l.trim()]);
  let at = 0;
  const scalar = s => (s === 'true' ? true : s.startsWith('[') || s.startsWith('"') ? JSON.parse(s) : assert.fail(`scalar ${s}`));
  const block = indent => {
    if (lines[at][1].startsWith('- ')) {
      const list = [];
      while (at < lines.length && lines[at][0] === indent && lines[at][1].startsWith('- ')) {
        lines[at] = [indent + 2, lines[at][1].slice(2)];
        list.push(block(indent + 2));
      }
      return list;
    }
    const out = {};
    while (at < lines.length && lines[at][0] === indent && !lines[at][1].startsWith('- ')) {
      const [, key, value] = lines[at++][1].match(/^([a-z_]+):(?: (.*))?$/);
      assert.ok(!(key in out), `${key} twice`);
      out[key] = value !== undefined ? scalar(value) : block(lines[at][0]);
    }
    return out;
  };
  const out = block(0);
  assert.equal(at, lines.length, `line ${at + 1} belongs nowhere`);
  return out;
}

test('61 the map in every format says the same', async () => {
  const m = map(), columns = m.tables.flatMap(t => t.columns.map(c => [t.name, c.name]));
  assert.match(m.mapVersion, /^[0-9a-f]{64}$/);
  assert.ok(columns.length > 400 && m.stores.length > 10);
  const table = csv(datamap('--format', 'csv').out);
  assert.equal(table[0].length, 16);
  assert.deepEqual(table.slice(1).map(r => [r[0], r[1]]), columns);
  for (const r of table) assert.equal(r.length, 16, r.join());
  const text = datamap().out, page = datamap('--format', 'html').out;
  inert(page);
  for (const [t, c] of columns) {
    assert.match(text, new RegExp(`^${t} +${c} `, 'm'));
    assert.ok(page.includes(`<td>${c}</td>`));
  }
  for (const s of m.stores) assert.ok(text.includes(s.place) && s.holds && s.erase && s.until && s.protection);
  assert.deepEqual(JSON.parse(datamap('--json').out), m);
  for (const t of m.tables.filter(t => t.columns.some(c => c.kind === 'personal'))) assert.ok(t.paths.length && t.purpose && t.basis !== 'none' && t.erase, t.name);
  for (const bad of [['--format', 'xml'], ['nonsense'], ['ropa', '--format', 'fides', '--data', '/nonexistent']]) assert.notEqual(datamap(...bad).code, 0, bad.join(' '));
});

// By the rules of fideslang's Dataset model and of fides' traversal.
test('61 fides: keys of its taxonomy, references that exist, every person reached from a mail address', async () => {
  const { dataset: [set] } = yaml(datamap('--format', 'fides').out), known = new Set(fs.readFileSync(path.join(ROOT, 'tests/vectors/fideslang-categories.txt'), 'utf8').split('\n'));
  assert.match(set.fides_key, /^[a-zA-Z0-9_.<>-]+$/);
  const fields = new Map(set.collections.flatMap(c => c.fields.map(f => [`${c.name}.${f.name}`, f])));
  assert.equal(fields.size, map().tables.flatMap(t => t.columns).length, 'names are unique, and all are there');
  const reached = new Set(set.collections.filter(c => c.fields.some(f => f.fides_meta.identity === 'email')).map(c => c.name));
  assert.deepEqual([...reached], ['users']);
  for (const [name, f] of fields) {
    assert.ok(f.data_categories.length && f.data_categories.every(k => known.has(k)), name);
    assert.ok(['string', 'integer', 'boolean'].includes(f.fides_meta.data_type), name);
    for (const ref of f.fides_meta.references ?? []) assert.ok(ref.dataset === set.fides_key && fields.has(ref.field) && ref.direction === 'from', name);
  }
  for (let more = true; more;) {
    more = false;
    for (const c of set.collections)
      if (!reached.has(c.name) && c.fields.some(f => f.fides_meta.references?.some(x => reached.has(x.field.split('.')[0])))) more = reached.add(c.name);
  }
  for (const c of set.collections) {
    assert.notEqual(reached.has(c.name), c.fides_meta?.skip_processing === true, c.name);
    if (reached.has(c.name)) assert.ok(c.fields.some(f => f.fides_meta.primary_key && f.name !== 'tenant_id'), `${c.name} has a key`);
  }
});

testOnEngines('61 the record of processing names the organisation, its receivers and its retention', async engine => {
  const r = await one(engine), where = `${DM}/recordOfProcessing`, m = await r.get(`${DM}/dataMap`);
  assert.equal(m.mapVersion, map().mapVersion);
  const t = await r.secondTenant(`Acme ${HOSTILE}`), o = { token: t.token };
  await r.post(`${DM}/auditSinks`, { displayName: `Siem ${HOSTILE}`, kind: 'file', format: 'ndjson', target: 'siem' }, o);
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { auditRetentionDays: 400 }, ...o });
  const record = await r.get(where, o);
  assert.equal(record.controller.displayName, `Acme ${HOSTILE}`);
  assert.equal(record.controller.tenantId, t.id);
  assert.deepEqual(record.retentionSettings, { auditRetentionDays: 400, exportDays: 7, reportHours: 6 });
  assert.deepEqual(record.recipients, [{ displayName: `Siem ${HOSTILE}`, kind: 'file', enabled: true }]);
  const personal = m.tables.filter(x => x.columns.some(c => c.kind === 'personal'));
  assert.deepEqual(record.processingActivities.map(a => a.name), personal.map(x => x.name));
  for (const a of record.processingActivities) for (const k of ['purpose', 'legalBasis', 'dataSubjects', 'origin', 'timeLimit', 'atErasure']) assert.ok(a[k], `${a.name}: ${k}`);
  const audit = record.processingActivities.find(a => a.name === 'audit_events');
  assert.equal(audit.timeLimit, '400 days after the event');
  assert.ok(audit.recipients.includes('Siem'));
  assert.deepEqual(record.timeLimits.map(x => x.dataCategory).sort(), [...new Set(personal.flatMap(x => x.columns.filter(c => c.kind === 'personal').map(c => c.category)))].sort());
  assert.ok(record.securityMeasures.length > 5 && record.stores.length === m.stores.length);

  const page = await r.api('GET', `${where}?$format=html`, o), sheet = await r.api('GET', where, { ...o, headers: { Accept: 'text/csv' } });
  assert.match(page.headers['content-type'], /^text\/html/);
  assert.match(page.headers['content-security-policy'], /default-src 'none'/);
  inert(page.text);
  assert.ok(page.text.includes('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;'));
  assert.match(sheet.headers['content-type'], /^text\/csv/);
  const rows = csv(sheet.text);
  assert.deepEqual(rows.slice(1).map(x => x[0]), record.processingActivities.map(a => a.name));
  for (const x of rows) { assert.equal(x.length, 9); for (const cell of x) assert.ok(!/^[=+@-]/.test(cell), cell); }
  assert.match((await r.api('GET', where, { ...o, headers: { Accept: 'text/html,application/xhtml+xml,*/*;q=0.8' } })).text, /^<!DOCTYPE html>/);
  assert.match((await r.api('GET', where, { ...o, headers: { Accept: '*/*' } })).headers['content-type'], /json/);
  assert.match((await r.refused(400, 'GET', `${where}?$format=xml`, o)).message, /json, html or csv/);
  const cli = r.cli('datamap', 'ropa');
  assert.equal(cli.code, 0, cli.err);
  inert(cli.out);
  assert.ok(!cli.out.includes('Acme'), 'of this tenant, not of the other');
});

testOnEngines('61 a person is told which kinds are held, what for, how long, and how much', async engine => {
  const r = await one(engine), upn = 'held@map.example';
  const u = await r.user(upn, { displayName: `Held ${HOSTILE}` }), other = await r.user('other@map.example');
  await r.group('Held group', [u.id, other.id]);
  const d = await r.device(upn, 'company', { name: 'heldone' }), mine = await r.device(upn, 'personal', { name: 'heldtwo' });
  d.sync(); mine.sync();
  const where = `/v1.0/users/${upn}/heldData`, held = await r.get(where), by = Object.fromEntries(held.sections.filter(s => s.section).map(s => [s.section, s]));
  assert.equal(held.userId, u.id);
  assert.deepEqual([by.account.rows, by.groups.rows, by.devices.rows, by.certificates.rows, by.erasureDuties.rows], [1, 1, 2, 2, 0]);
  const paths = map().tables.flatMap(t => t.paths.map(p => [t.name, p.section, p.role]));
  assert.deepEqual(held.sections.map(s => [s.table, s.section, s.role]), paths, 'every path of the map is there');
  for (const s of held.sections) for (const k of ['purpose', 'legalBasis', 'timeLimit', 'origin', 'atErasure']) assert.ok(s[k], `${s.table}: ${k}`);
  assert.ok(by.auditAsTarget.rows > 2);
  await r.get(`/v1.0/users/${u.id}/heldData`);
  assert.equal((await r.events(`subjectId eq '${u.id}'`)).filter(e => e.activityType === 'read User').length, 1, 'looking is an event, once a day');
  const page = await r.api('GET', where, { headers: { Accept: 'text/html' } });
  inert(page.text);
  assert.ok(page.text.includes('<bdi>Held &lt;script&gt;'));
  for (const s of held.sections.filter(x => x.section)) assert.ok(page.text.includes(`<h3 id="${s.section}">`), s.section);
  assert.ok(!page.text.includes('other@map.example'));
  await r.refused(400, 'GET', `${where}?$format=csv`);
  await r.refused(404, 'GET', '/v1.0/users/nobody@map.example/heldData');
  const t = await r.secondTenant('Held elsewhere');
  await r.refused(404, 'GET', `/v1.0/users/${u.id}/heldData`, { token: t.token });
});
