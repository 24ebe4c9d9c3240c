// SPDX-License-Identifier: Apache-2.0
// What the system tests share: a Reeve of its own per test on either database, its API, its command line, its agent, its clock.
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const BUILD = path.resolve(ROOT, process.env.REEVE_TEST_BUILD ?? 'build-test');
export const REEVE = path.join(BUILD, 'reeve');
export const AGENT = path.join(BUILD, 'reeve-agent');
export const TORTURE = process.argv.includes('--torture');
export const ENGINES = process.env.REEVE_TEST_PG_HOST ? ['sqlite', 'postgres'] : ['sqlite'];
export const FAKETIME = ['/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1', '/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1']
  .find(f => fs.existsSync(f));

const tests = [];
let file = '';
export function inFile(name) { file = name; }
export function test(name, fn) { tests.push({ name, fn, file }); }
export function testOnEngines(name, fn) { for (const e of ENGINES) test(`${name} [${e}]`, () => fn(e)); }
export function registered() { return tests; }

// One Reeve for all tests of a file (per engine): made by the first that asks, removed after the file's last.
export function shared(prepare = () => {}) {
  const made = new Map();
  return (engine = 'sqlite') => {
    if (!made.has(engine)) made.set(engine, Reeve.make({ engine, kept: true }).then(async r => { await prepare(r); return r; }));
    return made.get(engine);
  };
}

export const sleep = ms => new Promise(r => setTimeout(r, ms));
export async function until(what, fn, { seconds = 30, every = 200 } = {}) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const v = await fn();
    if (v) return v;
    if (Date.now() > end) assert.fail(`${what}: not within ${seconds} s`);
    await sleep(every);
  }
}

// So many at a time: the answer is what counts, not the waiting.
export async function each(list, fn, width = 32) {
  let next = 0;
  await Promise.all(Array.from({ length: width }, async () => { while (next < list.length) await fn(list[next++]); }));
}

let nextPort = 20000 + (process.pid % 20000);
export async function freePorts() {
  const free = p => new Promise(r => { const s = net.createServer(); s.once('error', () => r(false)); s.listen(p, '127.0.0.1', () => s.close(() => r(true))); });
  for (;;) { nextPort += 2; if (nextPort > 60000) nextPort = 20000; if (await free(nextPort) && await free(nextPort + 1)) return nextPort; }
}

let databases = 0;
function newDatabase() {
  const name = `r${process.pid}_${++databases}`, host = process.env.REEVE_TEST_PG_HOST;
  execFileSync('psql', ['-h', host, '-U', 'postgres', '-qc', `CREATE DATABASE ${name}`, 'reeve_test']);
  return { name, url: `postgresql:///${name}?host=${host}&user=postgres` };
}

export const sanitizers = { ASAN_OPTIONS: 'verify_asan_link_order=0:detect_leaks=0', UBSAN_OPTIONS: 'halt_on_error=1:print_stacktrace=1' };

export class Reeve {
  static all = new Set();

  // engine: 'sqlite' or 'postgres'.  days: how far ahead the server's clock is.  database: an URL of the test's own.
  // parent: where the data directory is made.  kept: it outlives its test (shared()).  throttle: as in reeve.conf; tests write fast.
  static async make({ engine = 'sqlite', days = 0, database, parent = os.tmpdir(), kept = false, serve = true, throttle = 'off' } = {}) {
    const r = new Reeve();
    Reeve.all.add(r);
    r.kept = kept;
    r.engine = engine;
    r.tmp = fs.mkdtempSync(path.join(parent, 'reeve-sys-'));
    r.dir = path.join(r.tmp, 'data');
    r.port = await freePorts();
    const args = ['init', '--data', r.dir, '--url', `https://127.0.0.1:${r.port}`, '--json'];
    if (database) args.push('--database', database);
    else if (engine === 'postgres') { r.pg = newDatabase(); args.push('--database', r.pg.url); }
    const done = spawnSync(REEVE, args, { encoding: 'utf8', env: r.env(days) });
    assert.equal(done.status, 0, `init: ${done.stderr}`);
    Object.assign(r, JSON.parse(done.stdout));
    fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `throttle = ${throttle}\n`);
    r.ca = fs.readFileSync(r.caFile);
    r.days = days;
    if (serve) await r.serve(days);
    return r;
  }

  env(days) {
    const env = { ...process.env, ...sanitizers, XDG_STATE_HOME: path.join(this.tmp, 'state') };
    if (days) {
      assert.ok(FAKETIME, 'libfaketime is installed');
      Object.assign(env, { LD_PRELOAD: FAKETIME, FAKETIME: `+${days}d`, FAKETIME_DONT_FAKE_MONOTONIC: '1' });
    }
    return env;
  }

  // doubt: what jumped forward in time is left in doubt, and destroys nothing; else the operator confirms the time at once.
  async serve(days = 0, { prefix = [], ready = true, doubt = false, program = REEVE } = {}) {
    const jumped = this.days !== undefined && days > this.days;
    this.days = days;
    this.log = '';
    const argv = [...prefix, program, 'serve', '--data', this.dir];
    this.process = spawn(argv[0], argv.slice(1), { env: this.env(days), stdio: ['ignore', 'ignore', 'pipe'] });
    this.process.stderr.on('data', d => { this.log += d; if (this.log.length > 4e6) this.log = this.log.slice(-2e6); });
    this.ended = new Promise(r => this.process.on('exit', (code, signal) => { this.exit = { code, signal }; r(this.exit); }));
    this.exit = undefined;
    this.agent?.destroy();
    this.trust = days ? { rejectUnauthorized: false } : { ca: this.ca }; // a renewed certificate is of a day that is not ours yet
    this.agent = new https.Agent({ keepAlive: true, ...this.trust, maxSockets: 64 });
    if (ready) await until('the server is ready', async () => {
      if (this.exit) assert.fail(`serve ended: ${JSON.stringify(this.exit)} ${this.log.slice(-2000)}`);
      return (await this.api('GET', '/readyz').catch(() => ({}))).status === 200;
    }, { seconds: 60, every: 50 });
    if (ready && jumped && !doubt) await this.confirmClock();
  }

  async confirmClock() {
    const done = await this.api('POST', '/v1.0/installation/clock/confirm', { token: this.operatorToken });
    assert.ok([204, 409].includes(done.status), done.text); // 409: nothing was in doubt
  }

  async stop(signal = 'SIGTERM') {
    if (!this.process || this.exit) return this.exit;
    this.process.kill(signal);
    let timer;
    await Promise.race([this.ended, new Promise(r => { timer = setTimeout(r, 40000); })]);
    clearTimeout(timer);
    if (!this.exit) { this.process.kill('SIGKILL'); await this.ended; assert.fail('the server did not stop'); }
    return this.exit;
  }
  async restart(days = this.days) { const end = await this.stop(); assert.equal(end.code, 0, this.log.slice(-3000)); await this.serve(days); }

  async remove() {
    Reeve.all.delete(this);
    const end = await this.stop().catch(e => e);
    this.agent?.destroy();
    fs.rmSync(this.tmp, { recursive: true, force: true });
    assert.ok(!/AddressSanitizer|runtime error:|broken invariant/.test(this.log ?? ''), this.log?.slice(-6000));
    return end;
  }

  // One request.  Resolves to {status, headers, text, json}.
  api(method, where, { token = this.token, body, headers = {}, raw, port = this.port, agent = this.agent, timeout = 60000 } = {}) {
    return new Promise((resolve, reject) => {
      const url = new URL(where.startsWith('https:') ? where : `https://127.0.0.1:${port}${where}`);
      const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
      const h = { ...headers };
      if (token) h.Authorization ??= `Bearer ${token}`;
      if (payload !== undefined) { h['Content-Type'] ??= 'application/json'; h['Content-Length'] = Buffer.byteLength(payload); }
      const q = https.request({ host: url.hostname, port: url.port, path: url.pathname + url.search, method, headers: h, agent, timeout }, res => {
        const parts = [];
        res.on('data', d => parts.push(d));
        res.on('end', () => {
          const bytes = Buffer.concat(parts), text = bytes.toString('utf8');
          let json;
          try { json = JSON.parse(text); } catch { /* not JSON */ }
          resolve({ status: res.statusCode, headers: res.headers, bytes, text, json });
        });
        res.on('error', reject);
      });
      q.on('error', reject);
      q.on('timeout', () => q.destroy(new Error(`${method} ${where}: timed out`)));
      q.end(payload);
    });
  }
  async ok(method, where, options = {}) {
    const a = await this.api(method, where, options);
    assert.ok(a.status >= 200 && a.status < 300, `${method} ${where}: ${a.status} ${a.text.slice(0, 500)}`);
    return a.json;
  }
  get(where, o) { return this.ok('GET', where, o); }
  post(where, body, o) { return this.ok('POST', where, { body, ...o }); }
  async all(where, o) {
    const out = [];
    for (let next = where; next;) { const page = await this.get(next, o); out.push(...page.value); next = page['@odata.nextLink']; }
    return out;
  }
  async refused(status, method, where, options) {
    const a = await this.api(method, where, options);
    assert.equal(a.status, status, `${method} ${where}: ${a.text.slice(0, 300)}`);
    assert.equal(typeof a.json?.error?.code, 'string', a.text.slice(0, 300));
    assert.ok(a.json.error.message && a.json.error.innerError['request-id'] && a.json.error.innerError.date);
    return a.json.error;
  }

  cli(...args) {
    const done = spawnSync(REEVE, [...args, '--data', this.dir], { encoding: 'utf8', env: this.env(this.days) });
    return { code: done.status, out: done.stdout, err: done.stderr, get json() { return JSON.parse(done.stdout); } };
  }

  user(upn, more = {}, o) {
    return this.post('/v1.0/users', { userPrincipalName: upn, displayName: upn.split('@')[0], mailNickname: upn.split('@')[0], accountEnabled: true, passwordProfile: { password: 'x' }, ...more }, o);
  }
  async group(name, members = [], o) {
    const g = await this.post('/v1.0/groups', { displayName: name, mailEnabled: false, mailNickname: name.replace(/\W/g, ''), securityEnabled: true }, o);
    for (const m of members) await this.post(`/v1.0/groups/${g.id}/members/$ref`, { '@odata.id': `https://localhost/v1.0/directoryObjects/${m}` }, o);
    return g;
  }
  events(filter, o) { return this.all(`/v1.0/deviceManagement/auditEvents?$top=500${filter ? `&$filter=${encodeURIComponent(filter)}` : ''}`, o); }
  async secondTenant(name = 'Globex') {
    const t = await this.post('/v1.0/installation/tenants', { displayName: name }, { token: this.operatorToken });
    const id = t.tenantId ?? t.id, clientId = t.clientId ?? t.administrator?.clientId, secret = t.clientSecret ?? t.administrator?.clientSecret;
    return { id, clientId, secret, token: await this.signIn(id, clientId, secret) };
  }
  // A call that needs a second person, with one: `by` is the token of somebody of the tenant, else the operator is it.
  async approved(method, where, { token = this.token, by, tenant = this.tenant, ...o } = {}) {
    const asked = await this.api(method, where, { token, ...o, headers: { 'x-msft-approval-justification': Buffer.from('for a test').toString('base64') } });
    const code = asked.headers['x-msft-approval-code'];
    if (!code) return asked;
    const request = `/v1.0/${by ? 'deviceManagement' : `installation/tenants/${tenant}`}/operationApprovalRequests/${code}`;
    await this.ok('POST', `${request}/approve`, { token: by ?? this.operatorToken, body: { justification: 'right' } });
    return this.api(method, where, { token, ...o, headers: { 'x-msft-approval-code': code } });
  }
  // By the operator, with the approval of the tenant's administrator.
  async closeTenant(t) {
    const a = await this.approved('POST', `/v1.0/installation/tenants/${t.id}/close`, { token: this.operatorToken, by: t.token });
    assert.equal(a.status, 204, a.text);
  }
  async signIn(tenant, clientId, secret) {
    const a = await this.api('POST', `/${tenant}/oauth2/v2.0/token`, {
      token: null, raw: `grant_type=client_credentials&client_id=${clientId}&client_secret=${encodeURIComponent(secret)}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default`,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
    assert.equal(a.status, 200, a.text);
    return a.json.access_token;
  }

  // A program that holds a built-in role, and its token.  The secret comes first: nobody makes one for a program that holds what they do not.
  async holder(role, { token = this.token, tenant = this.tenant, name = role } = {}) {
    const id = (await this.all('/v1.0/roleManagement/directory/roleDefinitions', { token })).find(x => x.displayName === role).id;
    const app = (await this.post('/v1.0/applications', { displayName: name }, { token })).id;
    const secret = (await this.post(`/v1.0/applications/${app}/addPassword`, {}, { token })).secretText;
    await this.ok('PATCH', `/v1.0/applications/${app}`, { body: { roleDefinitionId: id }, token });
    return { app, role: id, secret, token: await this.signIn(tenant, app, secret) };
  }

  // What an administrator prepares for an enrolment.
  enrollmentToken(upn, owner, more = {}, o) {
    return this.post('/v1.0/deviceManagement/enrollmentTokens', { userPrincipalName: upn, ownerType: owner, ...more }, o);
  }
  // One call on the device listener: pair is {key, cert} in PEM or nothing.
  channel(where, body, pair = {}) {
    return this.api('POST', `/linux/${where}`, { token: null, body, port: this.port + 1, agent: new https.Agent({ ...this.trust, ...pair }) });
  }
  // A configuration or app, assigned to a group.
  async provide(group, body, o) {
    const app = body['@odata.type'].endsWith('App'), base = app ? '/v1.0/deviceAppManagement/mobileApps' : '/v1.0/deviceManagement/deviceConfigurations';
    const item = await this.post(base, body, o);
    item.where = `${base}/${item.id}`;
    if (group) await this.assign(item, [group], o);
    return item;
  }
  assign(item, groups, o) {
    const list = groups.map(g => ({ target: { '@odata.type': '#microsoft.graph.groupAssignmentTarget', groupId: g.id } }));
    const app = item.where.includes('mobileApps');
    return this.ok('POST', `${item.where}/assign`, { body: app ? { mobileAppAssignments: list.map(a => ({ intent: 'required', ...a })) } : { assignments: list }, ...o });
  }
  managed(id, version = 'v1.0', o) { return this.get(`/${version}/deviceManagement/managedDevices/${id}`, o); }

  // A test device: a tree with personal files, enrolled.
  async device(upn, owner, { name = `${owner}-${Math.random().toString(36).slice(2, 8)}`, serial = `S${Math.random().toString(36).slice(2, 10).toUpperCase()}`, token } = {}) {
    const d = new Device(this, path.join(this.tmp, name), name, serial);
    d.makeTree(owner);
    const t = await this.enrollmentToken(upn, owner, {}, { token: token ?? this.token });
    const e = d.enroll(t.token, '--accept-terms');
    assert.equal(e.code, 0, e.err);
    d.id = d.status().deviceId;
    return d;
  }

  get files() { return ['reeve.db', 'reeve.db-wal'].map(f => path.join(this.dir, f)).filter(f => fs.existsSync(f)); }
  bytesHave(needle) { return this.files.some(f => fs.readFileSync(f).includes(needle)); }
  sql(text) {
    if (this.engine === 'sqlite') return execFileSync('sqlite3', ['-json', `file:${this.dir}/reeve.db?mode=ro`, text], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return execFileSync('psql', ['-h', this.pg.host ?? process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '-qAtc', text, this.pg.name], { encoding: 'utf8', maxBuffer: 1 << 28 });
  }
}

// A PostgreSQL server whose clock can be moved: for time travel, where Reeve's database must live in Reeve's time.
export class MovedPostgres {
  constructor(init = true) { // init false: its data directory comes from elsewhere
    this.bin = fs.readdirSync('/usr/lib/postgresql').map(v => `/usr/lib/postgresql/${v}/bin`).find(b => fs.existsSync(`${b}/initdb`));
    this.host = fs.mkdtempSync('/tmp/reeve-pg-moved-');
    if (process.getuid() === 0) execFileSync('chown', ['postgres', this.host]);
    if (init) this.init();
  }
  init(more = [], conf = '') {
    this.as('initdb', ['-D', `${this.host}/data`, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', ...more]);
    fs.appendFileSync(`${this.host}/data/postgresql.conf`, `listen_addresses = ''\nunix_socket_directories = '${this.host}'\nshared_buffers = 16MB\nmax_connections = 60\nautovacuum = off\n${conf}`);
  }
  as(program, args, env = {}) {
    const list = [...Object.entries(env).map(([k, v]) => `${k}=${v}`), `${this.bin}/${program}`, ...args];
    execFileSync(...(process.getuid() === 0 ? ['runuser', ['-u', 'postgres', '--', 'env', ...list]] : ['env', list]), { stdio: ['ignore', 'ignore', 'ignore'], cwd: '/' });
  }
  move(days) {
    this.stop();
    this.as('pg_ctl', ['-D', `${this.host}/data`, '-l', `${this.host}/log`, '-w', 'start'], days ? { LD_PRELOAD: FAKETIME, FAKETIME: `+${days}d`, FAKETIME_DONT_FAKE_MONOTONIC: '1' } : {});
    this.up = true;
  }
  database(name) { execFileSync('psql', ['-h', this.host, '-U', 'postgres', '-qc', `CREATE DATABASE ${name}`]); return `postgresql:///${name}?host=${this.host}&user=postgres`; }
  stop() { if (this.up) this.as('pg_ctl', ['-D', `${this.host}/data`, '-m', 'fast', '-w', 'stop']); this.up = false; }
  remove() { try { this.stop(); } finally { fs.rmSync(this.host, { recursive: true, force: true }); } }
}

// A key and a certificate request, as the agent makes them.
export function makeRequest(dir) {
  const key = path.join(dir, 'request.key'), csr = path.join(dir, 'request.csr');
  execFileSync('openssl', ['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', csr, '-subj', '/CN=device'], { stdio: 'ignore' });
  return { key: fs.readFileSync(key, 'utf8'), csr: fs.readFileSync(csr, 'utf8') };
}

export class Device {
  constructor(reeve, root, name, serial) { Object.assign(this, { reeve, root, name, serial }); }
  run(command, ...args) {
    const done = spawnSync(AGENT, [command, '--root', this.root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: this.reeve.env(this.reeve.days) });
    return { code: done.status, out: done.stdout, err: done.stderr };
  }
  makeTree(owner) { execFileSync(path.join(ROOT, 'agent/make-tree.sh'), [this.root, '--owner', owner, '--serial', this.serial, '--name', this.name]); return this; }
  enroll(token, ...more) { return this.run('enroll', '--url', this.reeve.deviceUrl, '--ca', this.reeve.caFile, '--token', token, ...more); }
  status() { return JSON.parse(this.run('status', '--json').out); }
  get pair() { return { key: this.read('var/lib/reeve-agent/key.pem'), cert: this.read('var/lib/reeve-agent/cert.pem') }; }
  remove() { for (const f of [this.root, `${this.root}.factory`]) fs.rmSync(f, { recursive: true, force: true }); }
  sync() { const s = this.run('sync'); assert.equal(s.code, 0, s.err); return s; }
  has(file) { return fs.existsSync(path.join(this.root, file)); }
  read(file) { return fs.readFileSync(path.join(this.root, file), 'utf8'); }
  // sha256 of every file below, as one text
  sums(below = '.') {
    return execFileSync('sh', ['-c', `cd "$1" && find ${below} -path ./var/lib/reeve-agent -prune -o -type f -print0 | sort -z | xargs -0 -r sha256sum`, 'sums', this.root], { encoding: 'utf8' });
  }
}
