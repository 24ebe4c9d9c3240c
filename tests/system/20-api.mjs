// SPDX-License-Identifier: Apache-2.0
// The API in Graph's shapes: users, groups, deleted items, queries, paging, errors, bad input; and the command line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import tls from 'node:tls';
import { REEVE, test, testOnEngines, shared, sanitizers } from './lib.mjs';

const one = shared();
const q = text => encodeURI(text).replaceAll('+', '%2B');
const person = (upn, more) => ({ userPrincipalName: upn, displayName: upn.split('@')[0], mailNickname: upn.split('@')[0], accountEnabled: true, ...more });

testOnEngines('20 users: create, get, patch, delete, restore, delete for good', async engine => {
  const r = await one(engine);
  const made = await r.api('POST', '/v1.0/users', { body: person('Life.Cycle@Acme.example', { passwordProfile: { password: 'not kept Qw9', forceChangePasswordNextSignIn: true }, city: 'Bern', businessPhones: ['+41 31 1'] }) });
  assert.equal(made.status, 201);
  assert.equal(made.headers['content-type'].split(';')[0], 'application/json');
  const u = made.json;
  assert.equal(made.headers.location, `${r.url}/v1.0/users/${u.id}`);
  assert.equal(u['@odata.context'], `${r.url}/v1.0/$metadata#users/$entity`);
  assert.deepEqual(Object.keys(u).filter(k => !k.startsWith('@')), ['businessPhones', 'displayName', 'givenName', 'id', 'jobTitle', 'mail', 'mobilePhone', 'officeLocation', 'preferredLanguage', 'surname', 'userPrincipalName']);
  assert.equal(u.userPrincipalName, 'Life.Cycle@Acme.example', 'as it was written');
  assert.ok(!r.sql('SELECT * FROM users').includes('not kept'), 'no password is kept');

  // every way to name it
  for (const where of [`users/${u.id}`, `users/${u.id.toUpperCase()}`, `users/${u.id}/`, 'users/life.cycle@acme.EXAMPLE', "users('Life.Cycle@acme.example')", `users('${u.id}')`, `USERS/${u.id}`, 'users/Life.Cycle%40acme.example'])
    assert.equal((await r.get(`/v1.0/${where}`)).id, u.id, where);
  const more = await r.get(`/beta/users/${u.id}?$select=city,createdDateTime,accountEnabled`);
  assert.deepEqual(Object.keys(more).filter(k => !k.startsWith('@')).sort(), ['accountEnabled', 'city', 'createdDateTime']);
  assert.equal(more.city, 'Bern');

  const patched = await r.api('PATCH', `/v1.0/users/${u.id}`, { body: { jobTitle: 'Smith', city: null, '@odata.type': '#microsoft.graph.user' } });
  assert.equal(patched.status, 204);
  assert.equal(patched.text, '');
  const after = await r.get(`/v1.0/users/${u.id}?$select=jobTitle,city,displayName`);
  assert.deepEqual([after.jobTitle, after.city, after.displayName], ['Smith', null, 'Life.Cycle']);

  await r.refused(409, 'POST', '/v1.0/users', { body: person('LIFE.cycle@acme.example') });
  assert.equal((await r.api('DELETE', `/v1.0/users/${u.id}`)).status, 204);
  await r.refused(404, 'GET', `/v1.0/users/${u.id}`);
  await r.refused(404, 'GET', '/v1.0/users/life.cycle@acme.example');
  await r.refused(404, 'PATCH', `/v1.0/users/${u.id}`, { body: { city: 'x' } });
  await r.refused(404, 'DELETE', `/v1.0/users/${u.id}`);
  for (const cast of ['microsoft.graph.user', 'graph.user']) {
    const list = await r.all(`/v1.0/directory/deletedItems/${cast}?$filter=${q("userPrincipalName eq 'life.cycle@acme.example'")}`);
    assert.equal(list.length, 1);
    assert.ok(Date.parse(list[0].deletedDateTime) > Date.now() - 60000);
  }
  assert.equal((await r.get(`/v1.0/directory/deletedItems/${u.id}`)).id, u.id);

  // its name is free while it is deleted, and restore does not take it from its new owner
  const second = await r.user('life.cycle@acme.example');
  await r.refused(409, 'POST', `/v1.0/directory/deletedItems/${u.id}/restore`);
  await r.ok('DELETE', `/v1.0/users/${second.id}`);
  const back = await r.api('POST', `/v1.0/directory/deletedItems/${u.id}/restore`);
  assert.equal(back.status, 200);
  assert.equal(back.json.id, u.id);
  assert.equal((await r.get('/v1.0/users/life.cycle@acme.example')).jobTitle, 'Smith');
  await r.refused(404, 'POST', `/v1.0/directory/deletedItems/${u.id}/restore`);
  await r.refused(404, 'DELETE', `/v1.0/directory/deletedItems/${u.id}`);

  assert.equal((await r.api('DELETE', `/v1.0/directory/deletedItems/${second.id}`)).status, 204);
  await r.refused(404, 'GET', `/v1.0/directory/deletedItems/${second.id}`);
  await r.refused(404, 'POST', `/v1.0/directory/deletedItems/${second.id}/restore`);
});

testOnEngines('20 groups and members', async engine => {
  const r = await one(engine);
  const [a, b] = [await r.user('grp.a@acme.example'), await r.user('grp.b@acme.example')];
  const g = await r.group('Grp One', [a.id, b.id]);
  assert.deepEqual([g.groupTypes, g.mailEnabled, g.securityEnabled], [[], false, true]);
  const members = await r.get(`/v1.0/groups/${g.id}/members`);
  assert.deepEqual(members.value.map(m => m.id).sort(), [a.id, b.id].sort());
  assert.equal(members.value[0]['@odata.type'], '#microsoft.graph.user');
  assert.equal((await r.api('GET', `/v1.0/groups/${g.id}/members/$count`, { headers: { ConsistencyLevel: 'eventual' } })).text, '2');
  await r.refused(400, 'POST', `/v1.0/groups/${g.id}/members/$ref`, { body: { '@odata.id': `${r.url}/v1.0/directoryObjects/${a.id}` } });
  await r.refused(404, 'POST', `/v1.0/groups/${g.id}/members/$ref`, { body: { '@odata.id': `${r.url}/v1.0/directoryObjects/${g.id}` } });
  for (const bad of ['x', '', 'https://evil.example/v1.0/nothing', 7, null]) {
    const e = await r.api('POST', `/v1.0/groups/${g.id}/members/$ref`, { body: { '@odata.id': bad } });
    assert.ok(e.status === 400 || e.status === 404, `${bad}: ${e.status}`);
  }
  assert.ok((await r.all(`/v1.0/users/${a.id}/memberOf`)).some(x => x.id === g.id && x['@odata.type'] === '#microsoft.graph.group'));
  await r.ok('PATCH', `/v1.0/groups/${g.id}`, { body: { description: 'line one\nline two' } });
  assert.equal((await r.get(`/v1.0/groups/${g.id}`)).description, 'line one\nline two');
  await r.ok('DELETE', `/v1.0/groups/${g.id}/members/${a.id}/$ref`);
  await r.refused(404, 'DELETE', `/v1.0/groups/${g.id}/members/${a.id}/$ref`);
  // a deleted user is no member to be seen; a restored one is again
  await r.ok('DELETE', `/v1.0/users/${b.id}`);
  assert.deepEqual(await r.all(`/v1.0/groups/${g.id}/members`), []);
  await r.ok('POST', `/v1.0/directory/deletedItems/${b.id}/restore`);
  assert.equal((await r.all(`/v1.0/groups/${g.id}/members`)).length, 1);
  await r.ok('DELETE', `/v1.0/groups/${g.id}`);
  await r.refused(404, 'GET', `/v1.0/groups/${g.id}/members`);
  await r.refused(400, 'POST', '/v1.0/groups', { body: { displayName: 'Mail', mailEnabled: true, mailNickname: 'm', securityEnabled: false } });
});

const TOWNS = ['Aarau', 'Basel', 'Chur', 'Davos', 'Elm'];
testOnEngines('20 queries: $filter, $select, $orderby, $top, $count and paging', async engine => {
  const r = await one(engine), upns = [];
  for (let i = 0; i < 25; i++) {
    const upn = `qry${String(i).padStart(2, '0')}@query.example`;
    upns.push(upn);
    await r.user(upn, { displayName: `Qry ${String.fromCharCode(90 - i)}${i % 2 ? "'s" : ''}`, city: TOWNS[i % 5], jobTitle: i < 5 ? null : `Job ${i}` });
  }
  const find = async (filter, more = '') => (await r.all(`/v1.0/users?$filter=${q(filter)}${more}`)).map(u => u.userPrincipalName);
  const mine = "startsWith(userPrincipalName,'qry')";
  assert.deepEqual((await find(mine)).sort(), upns);
  assert.deepEqual(await find("userPrincipalName eq 'QRY03@query.example'"), ['qry03@query.example']);
  assert.equal((await find(`${mine} and city eq 'Basel'`)).length, 5);
  assert.equal((await find(`${mine} and (city eq 'Basel' or city eq 'Chur')`)).length, 10);
  assert.equal((await find(`${mine} and city in ('Basel','Elm')`)).length, 10);
  assert.equal((await find(`${mine} and not(city eq 'Basel')`)).length, 20);
  assert.equal((await find(`${mine} and city ne 'Basel'`)).length, 20);
  assert.equal((await find(`${mine} and jobTitle eq null`)).length, 5);
  assert.deepEqual(await find(`displayName eq 'Qry Y''s'`), ['qry01@query.example']);
  assert.equal((await find(`${mine} and accountEnabled eq true and createdDateTime le 2099-01-01T00:00:00Z`)).length, 25);
  assert.equal((await find(`${mine} and createdDateTime lt 2001-01-01T00:00:00Z`)).length, 0);
  assert.deepEqual(await find(`displayName eq 'x'' or 1 eq 1 --'`), [], 'a quote is a quote');
  for (const wild of ["startsWith(displayName,'%')", "startsWith(displayName,'Qry_')", "startsWith(displayName,'Qry *')", "startsWith(displayName,'\\')"])
    assert.deepEqual(await find(wild), [], `${wild}: no wildcards`);

  assert.deepEqual(await find(mine, '&$orderby=displayName'), [...upns].reverse());
  assert.deepEqual(await find(mine, '&$orderby=displayName%20desc'), upns);
  const byTown = await find(mine, '&$orderby=city%20desc,userPrincipalName%20asc&$select=userPrincipalName,city');
  assert.deepEqual(byTown.slice(0, 5), upns.filter((_, i) => i % 5 === 4));

  // paging: every row once, in order, whatever the page size; the link carries the query on
  for (const top of [1, 7, 24, 25, 26]) {
    let pages = 0, seen = [], next = `/v1.0/users?$filter=${q(mine)}&$orderby=displayName%20desc&$top=${top}&$count=true&$select=userPrincipalName`;
    if (top === 1) next = next.replace('$count=true', '$count=false');
    while (next) {
      const page = await r.get(next, { headers: { ConsistencyLevel: 'eventual' } });
      if (pages === 0 && top !== 1) assert.equal(page['@odata.count'], 25);
      for (const u of page.value) assert.deepEqual(Object.keys(u), ['userPrincipalName']);
      assert.ok(page.value.length <= top);
      seen.push(...page.value.map(u => u.userPrincipalName));
      next = page['@odata.nextLink'];
      if (next) assert.ok(next.startsWith(`${r.url}/v1.0/users?`));
      pages++;
    }
    assert.deepEqual(seen, upns);
    assert.equal(pages, Math.ceil(25 / top));
  }
  // a row that is deleted between two pages does not shift the rest
  const first = await r.get(`/v1.0/users?$filter=${q(mine)}&$orderby=userPrincipalName&$top=10`);
  await r.ok('DELETE', '/v1.0/users/qry03@query.example');
  const second = await r.get(first['@odata.nextLink']);
  assert.deepEqual(second.value.map(u => u.userPrincipalName), upns.slice(10, 20));
  // a link that was tampered with, or belongs to another query, is refused
  const link = new URL(first['@odata.nextLink']);
  const skip = link.searchParams.get('$skiptoken');
  for (const bad of [skip.slice(0, -4), 'AAAA', '%00', `${skip}x`, Buffer.from('["x",1,2]').toString('base64url')])
    await r.refused(400, 'GET', `/v1.0/users?$orderby=userPrincipalName&$top=10&$skiptoken=${encodeURIComponent(bad)}`);
  assert.equal((await r.api('GET', `/v1.0/users/$count?$filter=${q(mine)}`, { headers: { ConsistencyLevel: 'eventual' } })).text, '24');

  for (const bad of ['$filter=nothing eq 1', "$filter=displayName eq", "$filter=displayName eq 'x", "$filter=displayName gt 5", '$filter=accountEnabled eq 1', '$filter=createdDateTime ge yesterday', "$filter=contains(displayName", '$filter=', `$filter=${Array(200).fill("city eq 'x'").join(' or ')}`,
    '$top=-1', '$top=x', '$top=99999999999999999999', '$orderby=nothing', '$orderby=displayName sideways', '$orderby=mobilePhone', '$select=nothing', '$count=maybe', '$nothing=1', '$skiptoken=x', `$filter=${'('.repeat(300)}city eq null${')'.repeat(300)}`])
    await r.refused(400, 'GET', `/v1.0/users?${q(bad)}`);
  const long = await r.api('GET', `/v1.0/users?$filter=${"city%20eq%20'x'%20or%20".repeat(600)}true`);
  assert.ok([400, 414, 431].includes(long.status), `${long.status}`);
});

testOnEngines('20 bad bodies are refused with Graph\'s error object, and nothing changes', async engine => {
  const r = await one(engine);
  const u = await r.user('bad.body@acme.example');
  const dump = () => r.sql('SELECT * FROM users ORDER BY user_id') + r.sql('SELECT * FROM groups ORDER BY group_id') + r.sql('SELECT * FROM device_configurations') + r.sql('SELECT * FROM applications ORDER BY application_id');
  const before = dump();
  const good = person('never@acme.example');
  const bodies = [
    '', '{', '[]', 'null', '7', '"x"', '{}{}', '{"displayName":"a","displayName":"b"}', '{"displayName":}', 'not json', '\ufeff{}', '{"displayName":"\\ud800"}', '{"displayName":NaN}', '['.repeat(100) + ']'.repeat(100),
    `{"a":${'['.repeat(40)}${']'.repeat(40)}}`, Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]), '{"displayName":"a\u0000b"}', '{"displayName":"a\\u0000b"}',
    ...[{ displayName: 7 }, { displayName: null }, { displayName: '' }, { displayName: ['x'] }, { displayName: { a: 1 } }, { displayName: 'x'.repeat(1025) }, { displayName: 'new\nline' }, { displayName: 'bell\u0007' },
      { accountEnabled: 'true' }, { accountEnabled: 1 }, { accountEnabled: null }, { userPrincipalName: 'noat' }, { userPrincipalName: '@acme.example' }, { userPrincipalName: 'a b@acme.example' }, { userPrincipalName: `${'x'.repeat(500)}@acme.example` }, { userPrincipalName: "'@'" },
      { usageLocation: 'ch' }, { usageLocation: 'CHE' }, { userType: 'Robot' }, { businessPhones: 'x' }, { businessPhones: [1] }, { nothing: 1 }, { id: u.id }, { createdDateTime: '2020-01-01T00:00:00Z' }, { deletedDateTime: null }, { tenantId: r.tenant }].map(x => JSON.stringify({ ...good, ...x })),
  ];
  for (const raw of bodies) {
    const a = await r.api('POST', '/v1.0/users', { raw });
    assert.equal(a.status, 400, `${String(raw).slice(0, 100)}: ${a.status} ${a.text}`);
    assert.equal(typeof a.json.error.message, 'string');
    const p = await r.api('PATCH', `/v1.0/users/${u.id}`, { raw });
    const patchOf = { ...(() => { try { return JSON.parse(raw); } catch { return {}; } })() };
    if (!('userPrincipalName' in patchOf) || p.status !== 204) assert.equal(p.status, 400, `PATCH ${String(raw).slice(0, 100)}: ${p.status}`);
  }
  for (const missing of ['userPrincipalName', 'displayName', 'accountEnabled', 'mailNickname']) {
    const body = { ...good };
    delete body[missing];
    const e = await r.refused(400, 'POST', '/v1.0/users', { body });
    assert.ok(e.message.includes(missing), e.message);
  }
  await r.refused(400, 'PATCH', `/v1.0/users/${u.id}`, { body: { nothing: 1 } });
  await r.refused(413, 'POST', '/v1.0/users', { raw: `{"displayName":"${'x'.repeat(300000)}"}` });
  for (const type of ['text/plain', 'application/xml', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])
    await r.refused(415, 'POST', '/v1.0/users', { raw: JSON.stringify(good), headers: { 'Content-Type': type } });
  for (const bad of [{ '@odata.type': '#microsoft.graph.nothing', displayName: 'x' }, { displayName: 'x' }, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'x' },
    { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'x', path: '../etc/passwd', content: 'x' }, { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'x', path: '/etc/../root/x', content: 'x' },
    { '@odata.type': '#microsoft.graph.linuxWiFiConfiguration', displayName: 'x', ssid: 'x', security: 'wpaPersonal', passphrase: 'short' }, { '@odata.type': '#microsoft.graph.linuxTrustedRootCertificate', displayName: 'x', certificate: 'none' },
    { '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'x', path: '/etc/x', content: 'y', mode: '9999' }])
    await r.refused(400, 'POST', '/v1.0/deviceManagement/deviceConfigurations', { body: bad });
  assert.equal(dump(), before);
});

test('20 paths and methods: 404, 405 with Allow, HEAD, versions, request ids', async () => {
  const r = await one();
  for (const p of ['/', '/v2.0/users', '/v1.0/nothing', '/v1.0/users/x/y/z', '/v1.0/users/microsoft.graph.group', "/v1.0/users('')", '/favicon.ico', '/v1.0/deviceManagement/nothing', '/linux/checkin', '/v1.0/users/00000000-0000-0000-0000-000000000000', '/v1.0/deviceManagement/managedDevices/x'])
    await r.refused(404, 'GET', p);
  for (const p of ["/v1.0/users('x", '/v1.0/users/%zz', '/v1.0/users/%ff', '/v1.0/users/%00', '/v1.0/users/a%2Fb%00'])
    { const a = await r.api('GET', p); assert.ok(a.status === 400 || a.status === 404, `${p}: ${a.status}`); assert.ok(a.json.error.code); }
  for (const [m, p, allow] of [['PUT', '/v1.0/users', /GET.*POST|POST.*GET/], ['DELETE', '/v1.0/users', /GET/], ['POST', '/v1.0/deviceManagement/managedDevices', /GET/], ['GET', '/v1.0/deviceManagement/managedDevices/x/retire', /POST/]]) {
    const a = await r.api(m, p);
    assert.equal(a.status, 405, `${m} ${p}: ${a.text}`);
    assert.equal(a.json.error.code, 'MethodNotAllowed');
    assert.match(a.headers.allow, allow);
  }
  const options = await r.api('OPTIONS', '/v1.0/users');
  assert.equal(options.status, 204);
  assert.match(options.headers.allow, /GET/);
  for (const m of ['TRACE', 'PROPFIND']) assert.ok([404, 405, 501].includes((await r.api(m, '/v1.0/users')).status), m);
  const [head, get] = [await r.api('HEAD', '/v1.0/users'), await r.api('GET', '/v1.0/users')];
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
  assert.equal(head.headers['content-type'], get.headers['content-type']);
  const id = 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee';
  const a = await r.api('GET', '/v1.0/nothing', { headers: { 'client-request-id': id } });
  assert.equal(a.json.error.innerError['client-request-id'], id);
  assert.match(a.headers['request-id'], /^[0-9a-f-]{36}$/);
  const beta = await r.get('/beta/users?$top=1');
  assert.equal(beta['@odata.context'], `${r.url}/beta/$metadata#users`);
  await r.refused(404, 'GET', '/v1.0/users', { port: r.port + 1 });
});

test('20 what is no proper HTTP is refused by the guard', async () => {
  const r = await one();
  const raw = text => new Promise((resolve, reject) => {
    let out = '';
    const s = tls.connect({ host: '127.0.0.1', port: r.port, ca: r.ca, checkServerIdentity: () => undefined }, () => s.write(text));
    s.setTimeout(8000, () => s.destroy());
    s.on('data', d => { out += d; if (/\r\n\r\n/.test(out)) setTimeout(() => s.destroy(), 50); });
    s.on('close', () => resolve(out));
    s.on('error', reject);
  });
  const auth = `Authorization: Bearer ${r.token}\r\n`, host = 'Host: 127.0.0.1\r\n';
  const status = async text => Number(/^HTTP\/1\.1 (\d+)/.exec(await raw(text))?.[1] ?? 0);
  assert.equal(await status(`GET /v1.0/users HTTP/1.1\r\n${host}${auth}\r\n`), 200);
  for (const [name, text] of [
    ['two hosts', `GET /v1.0/users HTTP/1.1\r\n${host}Host: evil\r\n${auth}\r\n`],
    ['no host', `GET /v1.0/users HTTP/1.1\r\n${auth}\r\n`],
    ['length and chunked', `POST /v1.0/users HTTP/1.1\r\n${host}${auth}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    ['two lengths', `POST /v1.0/users HTTP/1.1\r\n${host}${auth}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x`],
    ['a space before the colon', `GET /v1.0/users HTTP/1.1\r\n${host}${auth}X-A : b\r\n\r\n`],
    ['a long header', `GET /v1.0/users HTTP/1.1\r\n${host}${auth}X-A: ${'x'.repeat(40000)}\r\n\r\n`],
  ]) { const s = await status(text); assert.ok(s === 0 || (s >= 400 && s < 500), `${name}: ${s}`); }
  await r.get('/v1.0/users?$top=1');
});

const cli = (args, env = {}, input) => { const d = spawnSync(REEVE, args, { encoding: 'utf8', input, env: { ...process.env, ...sanitizers, ...env } }); return { code: d.status, out: d.stdout, err: d.stderr }; };
test('20 the command line: help, exit codes, --json, both ways to the server', async () => {
  const r = await one();
  const help = cli(['--help']);
  assert.equal(help.code, 0);
  const commands = [...help.out.matchAll(/^ {2}([a-z]+) {2,}\S/gm)].map(m => m[1]);
  for (const c of ['init', 'serve', 'tenant', 'user', 'device', 'audit', 'export', 'erase', 'routes']) assert.ok(commands.includes(c), c);
  for (const c of commands) {
    const h = cli([c, '--help']);
    assert.equal(h.code, 0, c);
    assert.match(h.out, /^usage: reeve /, c);
    assert.equal(h.err, '', c);
    if (!['init', 'serve', 'routes', 'datamap', 'restore'].includes(c)) assert.equal(cli([c, 'nonsense', '--data', r.dir]).code, 64, `${c} nonsense`);
  }
  assert.equal(cli(['nonsense']).code, 64);
  assert.equal(cli([]).code, 64);

  const ways = { data: [['--data', r.dir], {}], url: [['--url', r.url, '--ca', r.caFile, '--token', r.token], {}], env: [[], { REEVE_URL: r.url, REEVE_CA: r.caFile, REEVE_TOKEN: r.token }] };
  for (const [name, [options, env]] of Object.entries(ways)) {
    const upn = `cli.${name}@acme.example`;
    const made = cli(['user', 'create', upn, 'displayName=Cli Person', 'mobilePhone=+41 1', '--json', ...options], env);
    assert.equal(made.code, 0, made.err);
    const u = JSON.parse(made.out);
    assert.equal(u.userPrincipalName, upn);
    assert.match(cli(['user', 'show', upn, ...options], env).out, /displayName +Cli Person/);
    assert.equal(cli(['user', 'set', upn, 'city=Chur', ...options], env).code, 0);
    assert.equal((await r.get(`/v1.0/users/${u.id}?$select=city`)).city, 'Chur');
    assert.ok(cli(['user', 'list', ...options], env).out.split('\n').some(l => l.startsWith(`${upn}\tCli Person\t${u.id}`)));
    const again = cli(['user', 'create', upn, ...options], env);
    assert.equal(again.code, 65);
    assert.match(again.err, /^reeve user: [^\n]+\n$/);
    assert.equal(cli(['user', 'delete', upn, ...options], env).code, 0);
    assert.equal(cli(['user', 'show', upn, ...options], env).code, 66);
    assert.equal(cli(['user', 'restore', u.id, ...options], env).code, 0);
    assert.equal(cli(['audit', 'verify', ...options], env).code, 0);
    assert.equal(JSON.parse(cli(['api', 'GET', `/v1.0/users/${u.id}`, ...options], env).out).id, u.id);
  }
  assert.equal(cli(['user', 'list']).code, 64);
  assert.equal(cli(['user', 'list', '--data', r.dir, '--url', r.url]).code, 64);
  assert.equal(cli(['user', 'list', '--data', path.join(r.tmp, 'none')]).code > 0, true);
  assert.equal(cli(['user', 'list', '--url', r.url, '--ca', r.caFile, '--token', 'forged']).code, 77);
  assert.equal(cli(['user', 'list', '--url', r.url, '--token', r.token]).code, 69, 'a server that the CA does not vouch for');
  assert.equal(cli(['user', 'list', '--url', 'https://127.0.0.1:1', '--ca', r.caFile, '--token', r.token]).code, 69);
  assert.equal(cli(['tenant', 'list', '--url', r.url, '--ca', r.caFile, '--token', r.token]).code, 77, 'an administrator is no operator');
  assert.match(cli(['tenant', 'list', '--data', r.dir]).out, /My organisation/);
  const file = path.join(r.tmp, 'item.json');
  fs.writeFileSync(file, JSON.stringify({ '@odata.type': '#microsoft.graph.linuxSettingsFileConfiguration', displayName: 'From a file', path: '/etc/x.conf', content: 'x' }));
  assert.equal(cli(['config', 'create', '--file', file, '--data', r.dir]).code, 0);
  assert.equal(cli(['config', 'create', '--file', '-', '--data', r.dir], {}, '{"broken').code, 65);
  assert.ok(cli(['config', 'list', '--data', r.dir]).out.includes('From a file'));
  assert.equal(fs.statSync(path.join(r.dir, 'reeve.sock')).mode & 0o077, 0, 'the local socket is the owner\'s');
  // a hostile name cannot move the cursor of the administrator's terminal
  await r.refused(400, 'POST', '/v1.0/users', { body: person('esc@acme.example', { displayName: '\u001b[2J' }) });
});
