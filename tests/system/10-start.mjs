// SPDX-License-Identifier: Apache-2.0
// Start-up: init, serve, settings, schema, signals, certificates, health, the log.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import https from 'node:https';
import os from 'node:os';
import tls from 'node:tls';
import { Reeve, REEVE, test, testOnEngines, shared, until, sanitizers } from './lib.mjs';

const run = (...args) => { const d = spawnSync(REEVE, args, { encoding: 'utf8', env: { ...process.env, ...sanitizers } }); return { code: d.status, out: d.stdout, err: d.stderr }; };
const oneLine = text => assert.match(text, /^reeve [a-z]+: [^\n]+\n$/, `one line: ${text}`);
const tree = dir => execFileSync('sh', ['-c', 'cd "$1" && find . -type f -not -name "reeve.db-*" -print0 | sort -z | xargs -0 sha256sum', 's', dir], { encoding: 'utf8' });
async function inTemp(fn) {
  const tmp = fs.mkdtempSync(path.join(os.tmpdir(), 'reeve-sys-'));
  try { return await fn(tmp); } finally { fs.rmSync(tmp, { recursive: true, force: true }); }
}

test('10 init prints what scripts need; keys are the owner\'s alone; a second init is refused', () => inTemp(tmp => {
  const dir = path.join(tmp, 'data');
  const done = run('init', '--data', dir, '--url', 'https://127.0.0.1:9443', '--json');
  assert.equal(done.code, 0, done.err);
  const j = JSON.parse(done.out);
  for (const key of ['tenant', 'url', 'deviceUrl', 'caFile', 'token']) assert.equal(typeof j[key], 'string', key);
  assert.match(j.tenant, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.equal(j.url, 'https://127.0.0.1:9443');
  assert.equal(j.deviceUrl, 'https://127.0.0.1:9444');
  assert.equal(fs.readFileSync(j.caFile, 'utf8').startsWith('-----BEGIN CERTIFICATE-----'), true);
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700);
  const open = execFileSync('find', [dir, '-type', 'f', '-perm', '/077', '-not', '-name', '*.pem'], { encoding: 'utf8' });
  assert.equal(open, '', 'files that others may read');
  const secret = execFileSync('find', [path.join(dir, 'keeper'), path.join(dir, 'secrets'), path.join(dir, 'credentials'), path.join(dir, 'tls/server.key'), '-type', 'f', '-not', '-name', '*.pem'], { encoding: 'utf8' }).trim().split('\n');
  assert.ok(secret.length >= 4);
  for (const f of secret) assert.equal(fs.statSync(f).mode & 0o777, 0o600, f);
  // what names the key of a "…": no PEM holds a private key
  assert.equal(spawnSync('grep', ['-rl', 'PRIVATE KEY', dir, '--include=*.pem'], { encoding: 'utf8' }).stdout, '');
  execFileSync('openssl', ['verify', '-CAfile', j.caFile, path.join(dir, 'tls/server.pem')]);

  const before = tree(dir), again = run('init', '--data', dir, '--url', 'https://127.0.0.1:9443', '--json');
  assert.equal(again.code, 65);
  oneLine(again.err);
  assert.ok(again.err.includes(dir));
  assert.equal(tree(dir), before, 'the first installation is untouched');
}));

test('10 init refuses what cannot work and leaves nothing behind', () => inTemp(tmp => {
  for (const url of ['http://127.0.0.1:9443', 'https://127.0.0.1:0', 'https://127.0.0.1:65535', 'https://127.0.0.1:99999', 'https://', '127.0.0.1:9443', 'https://127.0.0.1:12x', '']) {
    const d = run('init', '--data', path.join(tmp, 'bad'), '--url', url, '--json');
    assert.equal(d.code, 64, `${url}: ${d.out}${d.err}`);
    oneLine(d.err);
    assert.equal(d.out, '');
    assert.equal(fs.existsSync(path.join(tmp, 'bad')), false, url);
  }
  for (const args of [[], ['--data', path.join(tmp, 'bad')], ['--url', 'https://a:1'], ['--data', path.join(tmp, 'bad'), '--url', 'https://a:1', 'more'], ['--data', path.join(tmp, 'bad'), '--url', 'https://a:1', '--nonsense']]) {
    const d = run('init', ...args);
    assert.equal(d.code, 64, args.join(' '));
    oneLine(d.err);
  }
  // no directory can be made there
  fs.writeFileSync(path.join(tmp, 'file'), 'x');
  for (const dir of [path.join(tmp, 'file/data'), path.join(tmp, 'no/such/parent'), '/proc/data']) {
    const d = run('init', '--data', dir, '--url', 'https://127.0.0.1:9443');
    assert.equal(d.code, 74, `${dir}: ${d.err}`);
    oneLine(d.err);
  }
  // a directory that is there and cannot be written, and databases that cannot be opened: what was made is gone again
  const ro = path.join(tmp, 'ro');
  fs.mkdirSync(ro);
  if (process.getuid() === 0 && spawnSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'none', ro]).status === 0) {
    const d = run('init', '--data', ro, '--url', 'https://127.0.0.1:9443');
    spawnSync('umount', [ro]);
    assert.equal(d.code, 74, d.err);
    oneLine(d.err);
  } else if (process.getuid() !== 0) {
    fs.chmodSync(ro, 0o500);
    assert.equal(run('init', '--data', ro, '--url', 'https://127.0.0.1:9443').code, 74);
    fs.chmodSync(ro, 0o700);
  }
  for (const database of ['sqlite:/no/such/directory/x.db', 'postgresql:///nothing?host=/nowhere', 'mysql://x']) {
    const dir = path.join(tmp, 'half'), d = run('init', '--data', dir, '--url', 'https://127.0.0.1:9443', '--database', database);
    assert.ok(d.code > 0 && d.code < 80, `${database}: ${d.code}`);
    oneLine(d.err);
    assert.equal(fs.existsSync(dir), false, `${database}: everything is removed again`);
  }
}));

test('10 a directory that is none of ours, and a wrong line in its settings, are named', async () => {
  const r = await Reeve.make({ serve: false });
  const nothing = run('serve', '--data', path.join(r.tmp, 'nothing'));
  assert.equal(nothing.code, 78);
  assert.match(nothing.err, /nothing is no data directory/);
  const conf = path.join(r.dir, 'reeve.conf'), good = fs.readFileSync(conf, 'utf8'), line = good.split('\n').length;
  for (const [text, says] of [['nonsense = 1', /unknown setting 'nonsense'/], ['workers = many', /workers must be a number/], ['workers = 0', /workers must be a number/], ['no equals sign', /expected 'name = value'/]]) {
    fs.writeFileSync(conf, `${good}${text}\n`);
    const d = run('serve', '--data', r.dir);
    assert.equal(d.code, 78, text);
    oneLine(d.err);
    assert.match(d.err, says);
    assert.ok(d.err.includes(`reeve.conf:${line}:`), d.err);
  }
  fs.writeFileSync(conf, good.replace(/^database.*$/m, 'database = sqlite:/no/such/file.db'));
  const d = run('serve', '--data', r.dir);
  assert.ok(d.code > 0 && d.code < 80);
  oneLine(d.err);
  fs.writeFileSync(conf, good);
});

testOnEngines('10 a second serve on the same data is refused; the first goes on', async engine => {
  const r = await Reeve.make({ engine });
  const second = run('serve', '--data', r.dir);
  assert.equal(second.code, 75, second.err);
  oneLine(second.err);
  assert.match(second.err, /running|holds|use|lock/i);
  await r.user('still@acme.example');
  const user = r.cli('user', 'show', 'still@acme.example', '--json');
  assert.equal(user.code, 0, `its local socket is still there: ${user.err}`);
});

const ownerSql = (r, text) => r.engine === 'sqlite' ? execFileSync('sqlite3', [path.join(r.dir, 'reeve.db'), text], { encoding: 'utf8' })
  : execFileSync('psql', ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '-qAtc', text, r.pg.name], { encoding: 'utf8' });

testOnEngines('10 a column that is not on the data map stops the start, by name (I5); a newer schema too', async engine => {
  const r = await Reeve.make({ engine, serve: false });
  ownerSql(r, 'ALTER TABLE users ADD COLUMN shoe_size TEXT');
  const unmapped = run('serve', '--data', r.dir);
  assert.equal(unmapped.code, 78, unmapped.err);
  oneLine(unmapped.err);
  assert.match(unmapped.err, /users\.shoe_size/);
  ownerSql(r, 'ALTER TABLE users DROP COLUMN shoe_size');
  ownerSql(r, engine === 'sqlite' ? 'CREATE TABLE diary (tenant_id BLOB, page TEXT) STRICT' : 'CREATE TABLE diary (tenant_id bytea, page text)');
  const table = run('serve', '--data', r.dir);
  assert.equal(table.code, 78, table.err);
  assert.match(table.err, /diary/);
  ownerSql(r, 'DROP TABLE diary');
  ownerSql(r, 'ALTER TABLE groups RENAME COLUMN description TO about');
  const renamed = run('serve', '--data', r.dir);
  assert.equal(renamed.code, 78, renamed.err);
  assert.match(renamed.err, /groups\.(about|description)/);
  ownerSql(r, 'ALTER TABLE groups RENAME COLUMN about TO description');
  await r.serve();
  await r.user('works@acme.example');
  await r.stop();
  ownerSql(r, `INSERT INTO schema_migrations (version, title, applied_at) VALUES (9999, 'from the future', 0)`);
  const newer = run('serve', '--data', r.dir);
  assert.equal(newer.code, 78, newer.err);
  oneLine(newer.err);
  assert.match(newer.err, /schema 9999/);
  ownerSql(r, 'DELETE FROM schema_migrations WHERE version = 9999');
  await r.serve();
  await r.get('/v1.0/users/works@acme.example');
});

test('10 SIGTERM lets a request under way finish and exits 0; a new connection is refused', async () => {
  const r = await Reeve.make();
  const body = JSON.stringify({ userPrincipalName: 'slow@acme.example', displayName: 'Slow', mailNickname: 'slow', accountEnabled: true });
  const answer = new Promise((resolve, reject) => {
    const q = https.request({ host: '127.0.0.1', port: r.port, path: '/v1.0/users', method: 'POST', ca: r.ca, headers: { Authorization: `Bearer ${r.token}`, 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) } },
      res => { res.resume(); res.on('end', () => resolve(res.statusCode)); });
    q.on('error', reject);
    q.write(body.slice(0, 10));
    setTimeout(() => r.process.kill('SIGTERM'), 300);
    setTimeout(() => q.end(body.slice(10)), 1300);
  });
  assert.equal(await answer, 201);
  assert.deepEqual(await r.ended, { code: 0, signal: null });
  await assert.rejects(r.api('GET', '/healthz'));
  await r.serve();
  assert.equal((await r.get('/v1.0/users/slow@acme.example')).displayName, 'Slow');
});

test('10 SIGHUP reads the organisation\'s own certificate again, and keeps the old one where the new one is bad', async () => {
  const r = await Reeve.make({ serve: false });
  const cert = path.join(r.tmp, 'own.pem'), key = path.join(r.tmp, 'own.key');
  const make = name => execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert, '-days', '30', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'], { stdio: 'ignore' });
  const served = port => new Promise((resolve, reject) => {
    const s = tls.connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => { resolve(s.getPeerCertificate().subject.CN); s.destroy(); });
    s.on('error', reject);
  });
  make('first.example');
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `certificate_file = ${cert}\nkey_file = ${key}\n`);
  r.ca = [r.ca, fs.readFileSync(cert)];
  await r.serve();
  assert.equal(await served(r.port), 'first.example');
  make('second.example');
  r.process.kill('SIGHUP');
  await until('the new certificate is served', async () => await served(r.port) === 'second.example', { seconds: 10 });
  assert.notEqual(await served(r.port + 1), 'second.example', 'devices trust the CA that they enrolled with: theirs stays');
  fs.writeFileSync(cert, 'no certificate');
  r.process.kill('SIGHUP');
  await until('the refusal is logged', () => r.log.includes('event=certificate_kept'), { seconds: 10 });
  assert.equal(await served(r.port), 'second.example');
  assert.equal(r.exit, undefined);
});

const one = shared();
test('10 health, readiness and metrics', async () => {
  const r = await one();
  assert.deepEqual(Object.keys((await r.get('/healthz', { token: null }))).sort(), ['status', 'version']);
  assert.equal((await r.api('GET', '/readyz', { token: null })).status, 200);
  assert.equal((await r.api('GET', '/healthz', { token: null, port: r.port + 1 })).status, 200, 'on the device listener too');
  await r.refused(401, 'GET', '/metrics', { token: null });
  await r.refused(403, 'GET', '/metrics');
  const m = await r.api('GET', '/metrics', { token: r.operatorToken });
  assert.equal(m.status, 200);
  assert.match(m.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const names = new Set();
  for (const line of m.text.trimEnd().split('\n')) {
    if (line.startsWith('#')) { assert.match(line, /^# (HELP|TYPE) reeve_/); continue; }
    assert.match(line, /^reeve_[a-z_]+(\{[a-z]+="[^"]*"\})? -?[0-9.e+]+$/, line);
    names.add(line.split(/[ {]/)[0]);
  }
  assert.ok([...names].some(n => /overdue/.test(n)), `duties past their deadline are a metric (I7): ${[...names]}`);
  const count = t => Number(/reeve_http_requests_total\{class="4xx"\} (\d+)/.exec(t)[1]);
  await r.refused(404, 'GET', '/v1.0/nothing');
  assert.equal(count((await r.api('GET', '/metrics', { token: r.operatorToken })).text), count(m.text) + 1);
});

test('10 routes --json is the whole table', () => {
  const d = run('routes', '--json');
  assert.equal(d.code, 0);
  const routes = JSON.parse(d.out);
  assert.ok(routes.length > 80);
  // nothing else is served to everybody: health, signing in, enrolling with a token, what the API is, and pages and links that ask for a code or are one
  const forEverybody = ['/healthz', '/readyz', '/{tenant}/oauth2/v2.0/token', '/linux/terms', '/linux/enroll', '/{v}', '/{v}/$metadata', '/privacy/{tenant}',
    '/privacy/requests/{request}', '/downloads/{link}', '/signin/{tenant}/oidc/{provider}', '/signin/{tenant}/oidc/{provider}/callback', '/signin/{tenant}/oidc/{provider}/logout',
    '/{tenant}/oauth2/v2.0/devicecode', '/{tenant}/oauth2/v2.0/revoke', '/{tenant}/oauth2/v2.0/authorize', '/{tenant}/v2.0/.well-known/openid-configuration',
    '/{tenant}/discovery/v2.0/keys', '/common/discovery/instance', '/signin/{tenant}/device',
    '/signin', '/signin/{tenant}', '/account', '/signout', '/account/access'];
  for (const x of routes) {
    assert.match(x.method, /^(GET|POST|PUT|PATCH|DELETE)$/);
    assert.match(x.path, /^\//);
    assert.equal(typeof x.public, 'boolean');
    assert.ok(x.public || x.permission !== undefined);
    if (x.public) assert.ok(forEverybody.includes(x.path), x.path);
  }
  assert.equal(new Set(routes.map(x => `${x.listener} ${x.method} ${x.path}`)).size, routes.length, 'no row twice');
});

test('10 the server\'s log holds no secret and no personal data after a whole scenario', async () => {
  const r = await one(), marks = [];
  const mark = text => { marks.push(text); return text; };
  const upn = mark('logmark.person@acme.example');
  const u = await r.user(upn, { displayName: mark('Logmark Personname'), mobilePhone: mark('+49 170 777000111'), givenName: mark('Logmarkgiven'), city: mark('Logmarktown') });
  const g = await r.group(mark('Logmark Staff'), [u.id]);
  const wifi = await r.post('/v1.0/deviceManagement/deviceConfigurations', { '@odata.type': '#microsoft.graph.linuxWiFiConfiguration', displayName: mark('Logmark net'), ssid: mark('LOGMARKSSID'), security: 'wpaPersonal', passphrase: mark('logmark secret passphrase') });
  await r.post(`/v1.0/deviceManagement/deviceConfigurations/${wifi.id}/assign`, { assignments: [{ target: { '@odata.type': '#microsoft.graph.groupAssignmentTarget', groupId: g.id } }] });
  const d = await r.device(upn, 'personal', { name: mark('logmark-laptop'), serial: mark('LOGMARK-SERIAL') });
  d.sync();
  const ssid = path.join(d.root, 'etc/NetworkManager/system-connections');
  assert.match(fs.readFileSync(path.join(ssid, fs.readdirSync(ssid)[0]), 'utf8'), /LOGMARKSSID/, 'the scenario did happen');
  const secret = await r.post('/v1.0/applications', { displayName: mark('Logmark program'), roleDefinitionId: (await r.get('/v1.0/roleManagement/directory/roleDefinitions')).value[0].id });
  const password = await r.post(`/v1.0/applications/${secret.id}/addPassword`, { passwordCredential: { displayName: 'x' } });
  mark(password.secretText);
  mark(await r.signIn(r.tenant, secret.id, password.secretText));
  await r.api('POST', `/${r.tenant}/oauth2/v2.0/token`, { token: null, raw: `grant_type=client_credentials&client_id=${secret.id}&client_secret=${mark('logmarkwrongsecret')}`, headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  await r.api('GET', `/v1.0/users/${upn}?$filter=displayName eq '${mark('logmarkquery')}'`.replaceAll(' ', '%20'));
  await r.api('GET', `/v1.0/${mark('logmarkpath')}`);
  await r.api('GET', '/v1.0/users', { token: mark('logmark.bad.token') });
  await r.api('GET', '/v1.0/users', { headers: { 'client-request-id': mark('logmarkrequestid'), 'User-Agent': mark('logmarkagent') } });
  await r.api('POST', '/v1.0/users', { raw: `{"${mark('logmarkjson')}` });
  await r.api('PATCH', `/v1.0/users/${u.id}`, { body: { jobTitle: mark('Logmark job') } });
  await r.api('POST', `/v1.0/deviceManagement/managedDevices/${d.id}/retire`);
  d.sync();
  await r.api('DELETE', `/v1.0/users/${upn}`);
  mark(r.token); mark(r.operatorToken);
  for (const c of ['operator', 'administrator']) mark(JSON.parse(fs.readFileSync(path.join(r.dir, `credentials/${c}.json`), 'utf8')).clientSecret);
  const log = r.log.toLowerCase();
  assert.ok(log.includes('event=request') && log.split('\n').length > 15);
  for (const m of marks) for (const form of [m, encodeURIComponent(m)]) assert.ok(!log.includes(form.toLowerCase()), `the log holds "${m}"`);
  assert.ok(!/127\.0\.0\.1(?!:)/.test(log.replace(/url=\S+/g, '')), 'no client address');
  for (const line of r.log.trimEnd().split('\n')) assert.match(line, /^time=\S+ level=(info|warn|error) event=[a-z_]+/, line);
});
