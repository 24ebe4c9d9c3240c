// SPDX-License-Identifier: Apache-2.0
// Sinks of the audit log, each with a real receiver that fails: rsyslog over TLS, an HTTPS receiver, a file.  Nothing is missing, nothing is out of order.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { Reeve, freePorts, sleep, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const SECRET = 'the-webhook-secret-0001', ROTATED = 'the-webhook-secret-0002';
const freePort = () => new Promise(r => { const s = net.createServer(); s.listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => r(port)); }); });

// A certificate for 127.0.0.1 and the authority that made it.
function certificates(dir) {
  const f = name => path.join(dir, name), run = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('ca.key'), '-out', f('ca.pem'), '-subj', '/CN=Receivers', '-days', '2');
  run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('key.pem'), '-out', f('csr.pem'), '-subj', '/CN=receiver');
  fs.writeFileSync(f('ext'), 'subjectAltName=IP:127.0.0.1\n');
  run('x509', '-req', '-in', f('csr.pem'), '-CA', f('ca.pem'), '-CAkey', f('ca.key'), '-CAcreateserial', '-out', f('cert.pem'), '-days', '2', '-extfile', f('ext'));
  return { dir, ca: fs.readFileSync(f('ca.pem'), 'utf8'), cert: fs.readFileSync(f('cert.pem'), 'utf8'), key: fs.readFileSync(f('key.pem'), 'utf8') };
}

// rsyslog with a configuration of its own.  Its queues are direct: what it has read is in the file before it reads on.
class Rsyslog {
  constructor(c, port) {
    Object.assign(this, { port, out: path.join(c.dir, 'rsyslog.out'), conf: path.join(c.dir, 'rsyslog.conf'), pid: path.join(c.dir, 'rsyslog.pid') });
    fs.writeFileSync(this.conf, `global(workDirectory="${c.dir}" maxMessageSize="1m" parser.escapeControlCharactersOnReceive="off" defaultNetstreamDriverCAFile="${c.dir}/ca.pem"
 defaultNetstreamDriverCertFile="${c.dir}/cert.pem" defaultNetstreamDriverKeyFile="${c.dir}/key.pem")
main_queue(queue.type="Direct")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="anon")
template(name="all" type="string" string="%pri%\\t%hostname%\\t%app-name%\\t%msgid%\\t%structured-data%\\t%msg%\\n")
ruleset(name="in" queue.type="Direct") { action(type="omfile" file="${this.out}" template="all" asyncWriting="off" flushOnTXEnd="on") }
input(type="imtcp" address="127.0.0.1" port="${port}" ruleset="in")
`);
  }
  async start() {
    this.process = spawn('rsyslogd', ['-n', '-f', this.conf, '-i', this.pid], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.log = '';
    this.process.stderr.on('data', d => { this.log += d; });
    this.ended = new Promise(r => this.process.on('exit', r));
    await until('rsyslog listens', () => new Promise(r => { const s = net.connect(this.port, '127.0.0.1', () => { s.destroy(); r(true); }); s.on('error', () => r(false)); }), { seconds: 10, every: 50 });
  }
  async stop(signal = 'SIGTERM') {
    this.process.kill(signal);
    await this.ended;
    fs.rmSync(this.pid, { force: true });
  }
  get messages() {
    if (!fs.existsSync(this.out)) return [];
    return fs.readFileSync(this.out, 'utf8').split('\n').filter(Boolean).map(l => {
      const [pri, host, app, id, data, ...text] = l.split('\t');
      const index = Number(/ index="(\d+)"/.exec(data)[1]);
      return { pri: Number(pri), host, app, id, index, event: / id="([^"]+)"/.exec(data)[1], origin: / origin="([^"]+)"/.exec(data)[1], text: text.join('\t') };
    });
  }
}

// An HTTPS receiver that does to each request what comes next in `plan`: a status, 'reset', 'lose' (takes it, never answers), 'slow'.
class Receiver {
  plan = []; batches = []; problems = []; secrets = [SECRET]; kills = 0;
  async start(c, port = 0) {
    this.server = https.createServer({ key: c.key, cert: c.cert }, (q, a) => {
      const parts = [];
      q.on('data', d => parts.push(d));
      q.on('error', () => {});
      q.on('end', () => this.take(q, Buffer.concat(parts), a));
    });
    this.raw = new Map(); // below TLS, for resets
    this.server.on('connection', s => this.raw.set(s.remotePort, s));
    await new Promise(r => this.server.listen(port, '127.0.0.1', r));
    this.port = this.server.address().port;
  }
  take(q, body, a) {
    const what = this.plan.shift() ?? 204;
    if (what === 'reset') { this.raw.get(q.socket.remotePort).resetAndDestroy(); return; }
    const [, t, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(q.headers['reeve-signature']) ?? [];
    const by = this.secrets.findIndex(s => crypto.createHmac('sha256', s).update(`${t}.`).update(body).digest('hex') === mac);
    if (by < 0 || Math.abs(Date.now() / 1000 - Number(t)) > 30) this.problems.push(`signature ${q.headers['reeve-signature']}`);
    if (!/^application\/cloudevents-batch\+json/.test(q.headers['content-type'])) this.problems.push(q.headers['content-type']);
    const text = body.toString('utf8'), list = JSON.parse(text);
    const batch = { first: Number(list[0].logindex), last: Number(list.at(-1).logindex), text, list, acked: false, kills: this.kills, by, what, path: q.url };
    this.batches.push(batch);
    if (what === 'lose') { q.socket.destroy(); return; }
    const answer = () => {
      const status = what === 'slow' ? 200 : Array.isArray(what) ? what[0] : what;
      batch.acked = status < 300;
      a.writeHead(status, Array.isArray(what) ? what[1] : {});
      a.end(status === 204 ? undefined : 'x'.repeat(100000)); // more than anybody reads
    };
    if (what === 'slow') setTimeout(answer, 1200); else answer();
  }
  async stop() { this.server.closeAllConnections(); await new Promise(r => this.server.close(r)); }
}

async function reeveFor(engine, targets) {
  const r = await Reeve.make({ engine, serve: false });
  if (targets) fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `sink_targets = ${targets}\n`);
  await r.serve();
  return r;
}

// What the log holds, in its order: {index, id, text, event}.
function logOf(r, tenant = r.tenant) {
  const hex = tenant.replaceAll('-', ''), lite = r.engine === 'sqlite';
  const rows = r.sql(`SELECT l.leaf_index AS i, ${lite ? 'hex' : "encode"}(e.bytes${lite ? '' : ", 'hex'"}) AS b FROM audit_leaves l JOIN audit_events e ON e.tenant_id = l.tenant_id AND e.event_id = l.event_id
    WHERE l.tenant_id = ${lite ? `x'${hex}'` : `'\\x${hex}'`} ORDER BY l.leaf_index`);
  const pairs = lite ? (rows.trim() ? JSON.parse(rows).map(x => [x.i, x.b]) : []) : rows.trim().split('\n').map(l => l.split('|'));
  return pairs.map(([i, b]) => { const text = Buffer.from(b, 'hex').toString('utf8'); return { index: Number(i), text, event: JSON.parse(text).event }; });
}

// Every index in the order of the log, from the first to the last; again only ever from further back.
function inOrder(what, indexes, expected) {
  let at = 0;
  for (const i of indexes) {
    const place = expected.indexOf(i);
    assert.ok(place >= 0, `${what}: ${i} was not to be sent`);
    assert.ok(place <= at, `${what}: ${i} came though ${expected[at]} had not`);
    at = Math.max(at, place + 1);
  }
  assert.equal(at, expected.length, `${what}: ${expected.length - at} of ${expected.length} missing, from ${expected[at]} on`);
}

// Batches follow one another; one that was not confirmed, or whose sender was lost, may come again as it was.
function inBatches(hook) {
  for (const [i, b] of hook.batches.entries()) {
    const before = hook.batches[i - 1];
    if (!before) continue;
    if (!before.acked) assert.equal(b.first, before.first, 'from the last confirmed event on');
    else if (before.kills === b.kills) assert.equal(b.first, before.last + 1, 'what was confirmed does not come again');
    else assert.ok([before.first, before.last + 1].includes(b.first), `${b.first} after ${before.first} to ${before.last}`);
  }
}

const SINKS = `${DM}/auditSinks`;
const sinkOf = (r, id, o) => r.get(`${SINKS}/${id}`, o);
const caughtUp = (r, sinks, seconds = 30) => until('the sinks have caught up', async () => {
  if (!/^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending'))) return false;
  for (const s of sinks) if ((await sinkOf(r, s.id)).lagEvents > 0) return false;
  return true;
}, { seconds, every: 300 });
const fileOf = (r, name) => path.join(r.dir, 'sinks', r.tenant, `${name}.ndjson`);
const linesOf = file => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) : []);

testOnEngines('56 receivers that stop, reset, refuse and die miss nothing, also where the server itself is killed', async engine => {
  const r = await reeveFor(engine, '127.0.0.1'), c = certificates(fs.mkdtempSync(path.join(r.tmp, 'receivers-')));
  const rsyslog = new Rsyslog(c, await freePort()), hook = new Receiver(), answers = [];
  await rsyslog.start();
  await hook.start(c);
  try {
    const make = async body => { const a = await r.api('POST', SINKS, { body: { displayName: body.target, fromBeginning: true, ...body } }); assert.equal(a.status, 201, a.text); answers.push(a.text); return a.json; };
    const file = await make({ kind: 'file', target: 'all' });
    const filtered = await make({ kind: 'file', target: 'some', filter: "category eq 'Other' and not startswith(activityType,'create User')" });
    const syslog = await make({ kind: 'syslog', target: `127.0.0.1:${rsyslog.port}`, caCertificates: c.ca });
    const webhook = await make({ kind: 'webhook', target: `https://127.0.0.1:${hook.port}/hook?x=1`, caCertificates: c.ca, secret: SECRET });
    const dead = await make({ kind: 'webhook', target: `https://127.0.0.1:${await freePort()}/`, secret: SECRET });
    const ocsf = await make({ kind: 'file', target: 'ocsf', format: 'ocsf' });
    const live = [file, filtered, syslog, webhook, ocsf];
    assert.equal(webhook.lagEvents >= 0 && webhook.secret, undefined);
    // changes, all the while
    let stop = false, made = 0;
    const writer = (async () => { while (!stop) { await r.user(`person${made++}@acme.example`, { city: 'Zürich 🏔' }).catch(() => {}); await sleep(15); } })();
    hook.plan = [204, 500, 'reset', 204, 'lose', 'slow', [503, { 'Retry-After': '1' }], 301, 404];
    await sleep(1200);
    await rsyslog.stop('SIGTERM');
    await sleep(800);
    await rsyslog.start();
    await until('the receiver has had its failures', () => hook.plan.length === 0, { seconds: 40 });
    await rsyslog.stop('SIGKILL');
    hook.secrets.push(ROTATED);
    const patched = await r.api('PATCH', `${SINKS}/${webhook.id}`, { body: { secret: ROTATED } });
    assert.equal(patched.status, 200, patched.text);
    answers.push(patched.text);
    for (let i = 0; i < 2; i++) {
      await sleep(700);
      await r.stop('SIGKILL');
      hook.kills++;
      if (i === 0) fs.appendFileSync(fileOf(r, 'all'), '{"torn":'); // as a crash leaves it
      await r.serve();
    }
    await rsyslog.start();
    await sleep(500);
    stop = true;
    await writer;
    await r.user('last@acme.example');
    await caughtUp(r, live, 60);
    const log = logOf(r), all = log.map(e => e.index);
    assert.ok(log.length > 60, `${made} ${log.length}`);
    assert.equal(all.length, all.at(-1) + 1);

    const texts = new Map(log.map(e => [e.text, e.index]));
    inOrder('file', linesOf(fileOf(r, 'all')).map(l => { assert.ok(texts.has(l), `a line that is no event: ${l.slice(0, 100)}`); return texts.get(l); }), all);
    assert.equal(fs.statSync(fileOf(r, 'all')).mode & 0o777, 0o600);
    const some = log.filter(e => e.event.category === 'Other' && !e.event.activityType.startsWith('create User')).map(e => e.index);
    assert.ok(some.length > 0 && some.length < all.length);
    inOrder('filtered', linesOf(fileOf(r, 'some')).map(l => texts.get(l)), some);
    for (const l of linesOf(fileOf(r, 'ocsf'))) assert.equal(JSON.parse(l).metadata.version, '1.8.0');
    assert.ok(linesOf(fileOf(r, 'ocsf')).length >= all.length);

    const messages = rsyslog.messages, origin = `127.0.0.1/log/${r.tenant}`;
    inOrder('syslog', messages.map(m => m.index), all);
    for (const m of messages) {
      const e = log[m.index];
      assert.equal(m.text, e.text);
      assert.deepEqual([m.pri, m.host, m.app, m.id, m.event, m.origin], [e.event.activityResult === 'Success' ? 109 : 108, '127.0.0.1', 'reeve', e.event.activityType.replaceAll(' ', '-').slice(0, 32), e.event.id, origin]);
    }

    assert.deepEqual(hook.problems, []);
    inOrder('webhook', hook.batches.flatMap(b => b.list.map(e => Number(e.logindex))), all);
    for (const b of hook.batches) {
      assert.equal(b.path, '/hook?x=1');
      for (const e of b.list) {
        const at = log[Number(e.logindex)];
        assert.ok(b.text.includes(`"data":${at.text}}`), 'the bytes that the log holds');
        assert.deepEqual([e.specversion, e.id, e.source, e.type, e.time, e.datacontenttype], ['1.0', at.event.id, origin, 'org.reeve.auditEvent.v1', at.event.activityDateTime, 'application/json']);
        if (e.subject) assert.match(e.subject, /^\w+\/[0-9a-f-]{36}$/);
      }
    }
    inBatches(hook);
    assert.equal(hook.batches.at(-1).by, 1, 'signed with the new secret');

    // the dead one: behind, loud, and in nobody's way
    const state = await sinkOf(r, dead.id);
    assert.ok(state.failures > 0 && state.lagEvents === all.length && state.nextIndex === 0 && state.lastError && state.failingSinceDateTime && state.deliveredCount === 0, JSON.stringify(state));
    const good = await sinkOf(r, webhook.id);
    assert.deepEqual([good.failures, good.lastError, good.failingSinceDateTime, good.lagEvents, good.lagSeconds], [0, null, null, 0, 0]);
    assert.ok(good.deliveredCount >= all.length && good.deliveredDateTime);
    assert.match(r.log, /event=sink_failing/);
    const metrics = (await r.api('GET', '/metrics', { token: r.operatorToken })).text;
    assert.match(metrics, /^reeve_audit_sinks\{kind="file"\} 3$/m);
    assert.match(metrics, /^reeve_audit_sinks_failing\{kind="webhook"\} 1$/m);
    assert.match(metrics, new RegExp(`^reeve_audit_sink_lag_events_max\\{kind="webhook"\\} ${all.length}$`, 'm'));
    assert.ok(!metrics.includes(r.tenant) && !metrics.includes(dead.id));
    // a delivery reads the log and is no reading of it
    assert.deepEqual(await r.events("activityType eq 'read AuditLog' and actor/applicationId eq null"), []);
    for (const text of [...answers, r.log, JSON.stringify(log), (await r.api('GET', SINKS)).text, (await r.api('GET', `${SINKS}/${webhook.id}`)).text])
      for (const s of [SECRET, ROTATED]) assert.ok(!text.includes(s), 'the secret');
    assert.ok(!r.sql('SELECT * FROM audit_sinks').includes(SECRET));
    const said = log.filter(e => /AuditSink/.test(e.event.activityType)).map(e => e.event);
    assert.deepEqual(said.filter(e => e.activityType === 'patch AuditSink').map(e => e.resources[0].modifiedProperties), [[{ displayName: 'secret', oldValue: '[changed]', newValue: '[changed]' }]]);
  } finally {
    await hook.stop();
    if (rsyslog.process.exitCode === null && rsyslog.process.signalCode === null) await rsyslog.stop('SIGKILL');
  }
});

test('56 a sink starts where it is told, waits for nobody, follows its row, and goes with its tenant', async () => {
  const r = await reeveFor('sqlite', '127.0.0.1');
  const make = (body, o) => r.post(SINKS, { displayName: 'x', kind: 'file', ...body }, o);
  for (let i = 0; i < 3; i++) await r.user(`early${i}@acme.example`);
  await until('sequenced', () => r.sql('SELECT count(*) n FROM audit_pending').includes('"n":0'));
  const size = logOf(r).length;
  const end = await make({ target: 'end' }), three = await make({ target: 'three', startIndex: size - 3 });
  assert.deepEqual([end.nextIndex, three.nextIndex], [size, size - 3]);
  for (let i = 0; i < 3; i++) await make({ kind: 'syslog', target: `127.0.0.1:${await freePort()}` }); // dead ones
  await sleep(1500);
  const before = Date.now();
  const u = await r.user('now@acme.example');
  await until('the event is in the file', () => linesOf(fileOf(r, 'end')).some(l => l.includes(u.id)), { seconds: 5, every: 20 });
  assert.ok(Date.now() - before < 4000, 'dead sinks hold nothing up');
  await caughtUp(r, [end, three]);
  assert.equal(linesOf(fileOf(r, 'three')).length, linesOf(fileOf(r, 'end')).length + 3);
  // a file that was moved away is begun anew
  fs.renameSync(fileOf(r, 'end'), `${fileOf(r, 'end')}.1`);
  const v = await r.user('rotated@acme.example');
  await until('the new file', () => linesOf(fileOf(r, 'end')).some(l => l.includes(v.id)), { seconds: 5, every: 50 });
  // switched off, and on again where it was
  await r.ok('PATCH', `${SINKS}/${end.id}`, { body: { enabled: false } });
  const w = await r.user('off@acme.example');
  await sleep(1200);
  assert.ok(!linesOf(fileOf(r, 'end')).some(l => l.includes(w.id)));
  await r.ok('PATCH', `${SINKS}/${end.id}`, { body: { enabled: true, filter: "activityType eq 'create User'" } });
  await until('the rest', () => linesOf(fileOf(r, 'end')).some(l => l.includes(w.id)), { seconds: 5, every: 50 });
  await r.ok('DELETE', `${SINKS}/${end.id}`);
  await r.refused(404, 'GET', `${SINKS}/${end.id}`);
  await r.user('after@acme.example');
  await sleep(800);
  assert.ok(!linesOf(fileOf(r, 'end')).some(l => l.includes('after@')));
  // a receiver whose certificate nobody vouches for gets nothing
  const hook = new Receiver();
  await hook.start(certificates(fs.mkdtempSync(path.join(r.tmp, 'receivers-'))));
  const stranger = await make({ kind: 'webhook', target: `https://127.0.0.1:${hook.port}/`, secret: SECRET, fromBeginning: true });
  await until('the certificate is refused', async () => /certificate/.test((await sinkOf(r, stranger.id)).lastError ?? ''), { seconds: 10 });
  assert.equal(hook.batches.length, 0);
  await hook.stop();
  // the command line
  const cli = (...args) => { const x = r.cli('audit', ...args); assert.equal(x.code, 0, x.err); return x.out; };
  cli('create-sink', 'By hand', 'file', 'hand', 'fromBeginning=true');
  assert.match(cli('sinks'), /By hand\tfile\thand/);
  // the installation's own log has its own
  const own = await make({ target: 'own', fromBeginning: true }, { token: r.operatorToken });
  await until('the installation\'s file', () => linesOf(path.join(r.dir, 'sinks', '00000000-0000-0000-0000-000000000000', 'own.ndjson')).length > 0, { seconds: 5 });
  assert.ok(!(await r.all(SINKS)).some(s => s.id === own.id));
  assert.deepEqual((await r.all(SINKS, { token: r.operatorToken })).map(s => s.id), [own.id]);
  // directories of tenants that are no more go
  const left = path.join(r.dir, 'sinks', '01999999-9999-7999-8999-999999999999');
  fs.mkdirSync(left);
  fs.writeFileSync(path.join(left, 'a.ndjson'), '{}\n');
  await r.restart();
  await until('the sweep', () => !fs.existsSync(left), { seconds: 10 });
  assert.ok(linesOf(fileOf(r, 'three')).length > 0);
});

test('56 of two servers with one database one delivers, and the other takes over', async () => {
  if (!process.env.REEVE_TEST_PG_HOST) return;
  const a = await reeveFor('postgres', '127.0.0.1'), hook = new Receiver();
  await hook.start(certificates(fs.mkdtempSync(path.join(a.tmp, 'receivers-'))));
  await a.stop();
  const b = Object.assign(new Reeve(), { engine: a.engine, pg: a.pg, token: a.token, tenant: a.tenant, ca: a.ca, port: await freePorts() });
  Reeve.all.add(b);
  b.tmp = fs.mkdtempSync(path.join(a.tmp, 'copy-'));
  b.dir = path.join(b.tmp, 'data');
  fs.cpSync(a.dir, b.dir, { recursive: true, filter: f => !f.endsWith('.sock') });
  fs.appendFileSync(path.join(b.dir, 'reeve.conf'), `listen = 127.0.0.1:${b.port}\ndevice_listen = 127.0.0.1:${b.port + 1}\n`);
  await a.serve();
  await b.serve();
  try {
    const ca = fs.readFileSync(path.join(a.tmp, fs.readdirSync(a.tmp).find(f => f.startsWith('receivers-')), 'ca.pem'), 'utf8');
    const sink = await a.post(SINKS, { displayName: 'x', kind: 'webhook', target: `https://127.0.0.1:${hook.port}/`, secret: SECRET, caCertificates: ca, fromBeginning: true });
    let stop = false;
    const writers = [a, b].map(async (r, k) => { for (let i = 0; !stop; i++) { await r.user(`w${k}-${i}@acme.example`).catch(() => {}); await sleep(20); } });
    await sleep(3000);
    hook.kills++;
    await a.stop(); // it gives its lease back
    const at = hook.batches.length;
    await until('the other delivers', () => hook.batches.length > at + 1, { seconds: 12 });
    stop = true;
    await Promise.all(writers);
    await caughtUp(b, [sink]);
    inBatches(hook);
    inOrder('webhook', hook.batches.flatMap(x => x.list.map(e => Number(e.logindex))), logOf(b).map(e => e.index));
    assert.deepEqual(hook.problems, []);
  } finally { await hook.stop(); await b.remove(); }
});

test('56 events that expired before they were delivered are passed over, loudly', async () => {
  const r = await reeveFor('sqlite', '127.0.0.1');
  const sink = await r.post(SINKS, { displayName: 'x', kind: 'file', target: 'late', fromBeginning: true, enabled: false });
  for (let i = 0; i < 5; i++) await r.user(`old${i}@acme.example`);
  await until('sequenced', () => r.sql('SELECT count(*) n FROM audit_pending').includes('"n":0'));
  const early = logOf(r).length;
  await r.restart(366);
  const on = r.cli('audit', 'set-sink', sink.id, 'enabled=true', '--json'), get = () => JSON.parse(r.cli('audit', 'sink', sink.id, '--json').out);
  assert.equal(on.code, 0, on.err);
  await until('the rest is delivered', () => get().lagEvents === 0, { seconds: 10 });
  assert.equal(get().expiredCount, early);
  assert.ok(linesOf(fileOf(r, 'late')).length > 0 && !linesOf(fileOf(r, 'late')).some(l => /old\d@/.test(l)));
  assert.match(r.log, new RegExp(`event=sink_events_expired sink=${sink.id} kind=file events=${early} `));
});

test('56 what is no sink is refused, and what this machine alone can reach', async () => {
  const r = await reeveFor('sqlite'), hook = new Receiver(), c = certificates(fs.mkdtempSync(path.join(r.tmp, 'receivers-')));
  await hook.start(c);
  try {
    const no = async (body, words, status = 400) => assert.match((await r.refused(status, 'POST', SINKS, { body: { displayName: 'x', ...body } })).message, words);
    const web = { kind: 'webhook', secret: SECRET };
    for (const target of ['', '/etc/passwd', '../x', '.hidden', 'a b', 'x'.repeat(101)]) await no({ kind: 'file', target }, /target/);
    for (const target of ['a b', 'siem:0', 'siem:99999', 'u@siem', '::1']) await no({ kind: 'syslog', target }, /HOST:PORT/);
    for (const target of ['http://hook.example.org/', 'https://u:p@hook.example.org/', 'https://hook.example.org/#x', 'ftp://x', 'hook']) await no({ ...web, target }, /https URL/);
    for (const target of [`https://127.0.0.1:${hook.port}/`, 'https://localhost/', 'https://[::1]/', 'https://169.254.169.254/latest/meta-data', 'https://0.0.0.0/', 'https://[::ffff:127.0.0.1]/'])
      await no({ ...web, target }, /may not reach/);
    await no({ kind: 'syslog', target: '127.0.0.1:514' }, /may not reach/);
    await no({ kind: 'webhook', target: 'https://hook.example.org/' }, /needs a 'secret'/);
    await no({ kind: 'webhook', target: 'https://hook.example.org/', secret: 'short' }, /16 to 256/);
    await no({ kind: 'file', target: 'f', secret: SECRET }, /for webhooks/);
    await no({ kind: 'file', target: 'f', caCertificates: c.ca }, /over TLS/);
    await no({ ...web, target: 'https://hook.example.org/', caCertificates: c.key }, /PEM/);
    await no({ kind: 'file', target: 'f', filter: 'nothing eq 1' }, /nothing/);
    await no({ kind: 'file', target: 'f', filter: "category eq" }, /./);
    await no({ kind: 'pigeon', target: 'f' }, /file\|syslog\|webhook/);
    await no({ kind: 'file', target: 'f', format: 'csv' }, /ndjson\|ocsf/);
    await no({ kind: 'file', target: 'f', startIndex: 99999 }, /past the end/);
    await no({ kind: 'file', target: 'f', startIndex: -1 }, /startIndex/);
    await no({ kind: 'file', target: 'f', startIndex: 1, fromBeginning: true }, /not both/);
    await no({ kind: 'file', target: 'f', nextIndex: 0 }, /nextIndex/);
    await no({ kind: 'file' }, /target/);
    const made = await r.post(SINKS, { displayName: 'x', kind: 'file', target: 'f' });
    await no({ kind: 'file', target: 'f' }, /another sink/, 409);
    await r.refused(400, 'PATCH', `${SINKS}/${made.id}`, { body: { kind: 'syslog' } });
    await r.refused(400, 'PATCH', `${SINKS}/${made.id}`, { body: { target: '../f' } });
    await r.refused(400, 'PATCH', `${SINKS}/${made.id}`, { body: { fromBeginning: true } });
    // names are seen through when they are resolved: forms that only a resolver reads as this machine
    const hidden = [await r.post(SINKS, { displayName: 'x', ...web, target: `https://0x7f000001:${hook.port}/`, caCertificates: c.ca, fromBeginning: true }),
      await r.post(SINKS, { displayName: 'x', kind: 'syslog', target: `0x7f000001:${hook.port}`, caCertificates: c.ca, fromBeginning: true })];
    for (const s of hidden) await until('the connect is refused', async () => /sink_targets/.test((await sinkOf(r, s.id)).lastError ?? ''), { seconds: 10 });
    assert.deepEqual([hook.batches.length, hook.server.connections ?? 0], [0, 0]);
    for (let i = 0; i < 5; i++) await r.post(SINKS, { displayName: 'x', kind: 'file', target: `f${i}`, enabled: false });
    await no({ kind: 'file', target: 'ninth' }, /at most 8/, 409);
  } finally { await hook.stop(); }
});
