// SPDX-License-Identifier: Apache-2.0
// Recipients (GDPR Art. 19): whoever was told of a person is told of the erasure, by webhook, by mail, by the log; whatever a receiver does first.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { Reeve, testOnEngines, until } from './lib.mjs';
import { MailServer } from './smtp.mjs';
import { DM } from './world.mjs';

const SECRET = 'the-recipient-secret-0001', ROUTE = `${DM}/recipients`;

function certificates(dir) {
  const f = name => path.join(dir, name), run = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('key.pem'), '-out', f('cert.pem'), '-subj', '/CN=recipient', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2');
  return { cert: fs.readFileSync(f('cert.pem'), 'utf8'), key: fs.readFileSync(f('key.pem'), 'utf8') };
}

// Answers with what comes next in `plan`, then with 204; keeps what it was sent, and whether the signature was right.
class Hook {
  plan = []; seen = [];
  async start(c) {
    this.server = https.createServer(c, (q, a) => {
      const parts = [];
      q.on('data', d => parts.push(d));
      q.on('end', () => {
        const body = Buffer.concat(parts), [, t, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(q.headers['reeve-signature']) ?? [];
        const signed = crypto.createHmac('sha256', SECRET).update(`${t}.`).update(body).digest('hex') === mac;
        const what = this.plan.shift() ?? 204;
        this.seen.push({ type: q.headers['content-type'], signed, what, event: JSON.parse(body.toString('utf8')) });
        a.writeHead(what, what === 302 ? { Location: '/elsewhere' } : {});
        a.end();
      });
    });
    await new Promise(r => this.server.listen(0, '127.0.0.1', r));
    this.url = `https://127.0.0.1:${this.server.address().port}/hook`;
    return this;
  }
  async stop() { this.server.closeAllConnections(); await new Promise(r => this.server.close(r)); }
}

testOnEngines('69 an erasure reaches every recipient, and the log says so', async engine => {
  const r = await Reeve.make({ engine, serve: false }), mail = await MailServer.make(r.tmp), c = certificates(r.tmp), hook = await new Hook().start(c);
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `${mail.settings()}sink_targets = 127.0.0.1\n`);
  await mail.start();
  await r.serve();
  try {
    const refused = async (body, what) => assert.match((await r.refused(400, 'POST', ROUTE, { body })).message, what);
    const webhook = { displayName: 'Payroll', kind: 'webhook', target: hook.url, receivesErasures: true, receivesAlarms: true, secret: SECRET, caCertificates: c.cert };
    await refused({ ...webhook, receivesErasures: false, receivesAlarms: false }, /receives something/);
    await refused({ ...webhook, secret: undefined }, /needs a 'secret'/);
    await refused({ ...webhook, target: 'http://127.0.0.1/' }, /https URL/);
    await refused({ ...webhook, target: 'https://192.0.2.1/' }, /may not be reached/);
    await refused({ displayName: 'x', kind: 'mail', target: 'not an address', receivesAlarms: true }, /mail address/);
    const made = await r.post(ROUTE, webhook);
    assert.ok(!JSON.stringify(made).includes(SECRET), 'never shown');
    assert.ok(!r.sql('SELECT * FROM recipients').includes(SECRET), 'nor stored');
    const box = await r.post(ROUTE, { displayName: 'Canteen', kind: 'mail', target: 'privacy@canteen.example', receivesErasures: true });
    await r.post(ROUTE, { displayName: 'Alarms only', kind: 'mail', target: 'alarms@acme.example', receivesAlarms: true });
    await r.post(ROUTE, { displayName: 'Off', kind: 'mail', target: 'off@acme.example', receivesErasures: true, enabled: false });
    const sink = await r.post(`${DM}/auditSinks`, { displayName: 'Archive', kind: 'file', target: 'archive' });
    // the installation's are told of alarms alone
    const op = { token: r.operatorToken };
    await r.refused(400, 'POST', '/v1.0/installation/recipients', { body: { displayName: 'Operator', kind: 'mail', target: 'op@host.example', receivesErasures: true }, ...op });
    await r.post('/v1.0/installation/recipients', { displayName: 'Operator', kind: 'mail', target: 'op@host.example', receivesAlarms: true }, op);
    assert.deepEqual((await r.all('/v1.0/installation/recipients', op)).map(x => x.displayName), ['Operator']);
    assert.equal((await r.all(ROUTE)).length, 4, "a tenant's own");

    const record = await r.get(`${DM}/recordOfProcessing`);
    assert.deepEqual(record.recipients.map(x => x.displayName).sort(), ['Alarms only', 'Archive', 'Canteen', 'Off', 'Payroll']);

    hook.plan = [302];
    const u = await r.user('leaver@acme.example', { displayName: 'Leaver' });
    await r.ok('DELETE', `/v1.0/users/${u.id}`);
    await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`);
    const letter = await mail.letter('privacy@canteen.example', /a person is erased/);
    assert.ok(letter.text.includes(u.id) && letter.text.includes('leaver@acme.example'), letter.text);
    await until('the webhook has it', () => hook.seen.length === 2, { seconds: 60 });
    assert.deepEqual(hook.seen.map(s => [s.what, s.signed]), [[302, true], [204, true]]);
    const [first, last] = hook.seen;
    assert.deepEqual(last.event, first.event, 'the same notice');
    assert.match(last.type, /^application\/cloudevents\+json/);
    assert.deepEqual([last.event.specversion, last.event.type, last.event.tenantid], ['1.0', 'org.reeve.erasure.v1', r.tenant]);
    assert.deepEqual([last.event.data.userId, last.event.data.userPrincipalName], [u.id, 'leaver@acme.example']);
    assert.ok(Date.parse(last.event.data.deadlineDateTime) - Date.now() > 29 * 86400e3);
    const duty = last.event.data.dutyId;
    const notices = await until('all have arrived', async () => { const l = (await r.all(`${DM}/notices`)).filter(n => n.kind === 'erasure'); return l.every(n => n.state === 'delivered') && l; }, { seconds: 60 });
    assert.deepEqual(notices.map(n => [n.recipientDisplayName, n.recipientKind, n.aboutId]).sort(), [['Archive', 'auditSink', duty], ['Canteen', 'mail', duty], ['Payroll', 'webhook', duty]]);
    assert.deepEqual(notices.map(n => n.recipientId).sort(), [made.id, box.id, sink.id].sort());
    assert.equal((await r.all(`${ROUTE}/${made.id}/notices`)).length, 1);
    // it names nobody once it has arrived and the person is gone
    await until('the person is erased', async () => ['scrubbed', 'copies_gone'].includes((await r.get(`${DM}/erasureDuties/${duty}`)).state), { seconds: 90 });
    assert.ok((await r.all(`${DM}/notices`)).every(n => n.userId === null));
    assert.match(r.sql('SELECT count(*) AS n FROM notices WHERE message IS NOT NULL'), /^(\[\{"n":0\}\]|0)\s*$/);
    const told = await r.events(`resources/resourceId eq '${duty}' and activityType eq 'notify ErasureDuty'`);
    assert.equal(told.length, 1);
    assert.deepEqual(told[0].resources[0].modifiedProperties.map(p => p.newValue), ['Payroll (webhook)', 'Canteen (mail)', 'Archive (auditSink)']);
    assert.equal((await r.events("activityType eq 'deliver Notice'")).length, 3);
    assert.ok(!mail.mails.some(m => ['alarms@acme.example', 'off@acme.example', 'op@host.example'].includes(m.envelope.rcptTo[0].address)));
    assert.ok(!r.sql('SELECT * FROM notices').includes('leaver'));

    // a recipient that is gone cannot be told: that is loud
    hook.plan = Array(50).fill(500);
    const v = await r.user('next@acme.example');
    await r.ok('DELETE', `/v1.0/users/${v.id}`);
    await r.ok('DELETE', `/v1.0/directory/deletedItems/${v.id}`);
    await until('it was tried', async () => (await r.all(`${ROUTE}/${made.id}/notices`)).some(n => n.attempts > 0 && /answered 500/.test(n.lastError)), { seconds: 60 });
    await r.ok('DELETE', `${ROUTE}/${made.id}`);
    const lost = await until('it has failed', async () => (await r.all(`${DM}/notices?$filter=state%20eq%20'failed'`))[0], { seconds: 60 });
    assert.match(lost.lastError, /deleted before it was told/);
    await mail.letter('alarms@acme.example', /alarm noticeFailed/);
    assert.equal((await r.events("activityType eq 'fail Notice'")).length, 1);
    assert.match((await r.api('GET', '/metrics', op)).text, /^reeve_notices_failed 1$/m);
    assert.ok(!/leaver|next@acme|canteen/.test(r.log), 'no name in the server\'s log');
  } finally {
    await hook.stop();
    await mail.stop();
    await r.remove();
  }
});
