// SPDX-License-Identifier: Apache-2.0
// Letters about requests, by a real mail server over TLS: each of them once, unharmed by what people write, and late rather than never.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { Reeve, test, testOnEngines, until } from './lib.mjs';
import { MailServer } from './smtp.mjs';
import { DM } from './world.mjs';

const CASES = `${DM}/dataSubjectRequests`;

async function withMail(engine, work, more = '') {
  const r = await Reeve.make({ engine, serve: false });
  const mail = await MailServer.make(r.tmp);
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), mail.settings(more));
  await mail.start();
  await r.serve();
  try { await work(r, mail); } finally { await mail.stop(); await r.remove(); }
}
const open = (r, body) => r.post(CASES, { regime: 'gdpr', channel: 'email', ...body });
const step = (r, id, what, body = {}) => r.post(`${CASES}/${id}/${what}`, body);
const letters = (r, id) => r.all(`${CASES}/${id}/letters`);
const number = async (r, name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await r.api('GET', '/metrics', { token: r.operatorToken })).text)?.[1]);

testOnEngines('65 receipt, extension, refusal, delivery and the end of a case are told by letter', engine => withMail(engine, async (r, mail) => {
  const to = 'zoë.not.ascii@example.org', contact = 'zoe@outside.example';
  const u = await r.user('zoe@acme.example', { displayName: 'Zoë "Z" <x@y>', mail: contact });
  await r.refused(400, 'POST', CASES, { body: { type: 'access', contact: to } });
  const c = await open(r, { type: 'access', userId: u.id });
  const receipt = await mail.letter(contact, /We received your request/);
  assert.ok(receipt.secure, 'TLS, also on loopback where it is offered');
  assert.equal(receipt.user, 'reeve');
  assert.equal(receipt.envelope.mailFrom.address, 'privacy@acme.example');
  assert.deepEqual(receipt.to.value.map(x => x.address), [contact]);
  assert.ok(receipt.text.includes(c.id));
  assert.ok(receipt.text.includes(c.dueDateTime.slice(0, 10)) && receipt.text.includes('GDPR Art. 12(3)') && receipt.text.includes('access to your data'), receipt.text);
  assert.equal(receipt.headers.get('auto-submitted'), 'auto-generated');
  assert.match(receipt.messageId, /^<[0-9a-f]{32}@acme\.example>$/);
  const [row] = await until('it is noted as sent', async () => { const l = await letters(r, c.id); return l[0]?.state === 'sent' && l; });
  assert.equal(row.template, 'receipt');
  assert.equal(row.attempts, 1);
  assert.equal(row.messageSha256, receipt.sha256, 'what stays is the digest of what went');
  assert.match(r.sql("SELECT count(*) AS n FROM letters WHERE message IS NOT NULL AND state <> 'waiting'"), /(^|:)0/);
  assert.ok((await r.get(`${CASES}/${c.id}`)).acknowledgedDateTime);

  await step(r, c.id, 'extend', { reason: 'Wir brauchen länger\u2028weil es viel ist.' });
  const longer = await mail.letter(contact, /takes longer/);
  assert.match(longer.text, /länger\sweil es viel ist[\s\S]*complaint/);
  await step(r, c.id, 'verify', { method: 'document' });
  await step(r, c.id, 'discover');
  await step(r, c.id, 'decide', { decision: 'grant' });
  const ready = await mail.letter(contact, /is ready/);
  assert.ok(ready.text.includes(`https://127.0.0.1:${r.port}/privacy/requests/${c.id}`), ready.text);

  const refused = await open(r, { type: 'rectification', userId: u.id });
  await step(r, refused.id, 'decide', { decision: 'refused', reasonCode: 'unfounded', legalGround: 'GDPR Art. 12(5)(b)' });
  const no = await mail.letter(contact, /do not grant/);
  assert.match(no.text, /manifestly unfounded[\s\S]*Art\. 12\(5\)\(b\)[\s\S]*Art\. 77/);
  const fixed = await open(r, { type: 'rectification', userId: u.id });
  await step(r, fixed.id, 'verify', { method: 'knownInPerson' });
  await step(r, fixed.id, 'discover');
  await step(r, fixed.id, 'decide', { decision: 'grant', outcome: 'The name was corrected in the directory.' });
  await step(r, fixed.id, 'close');
  assert.match((await mail.letter(contact, /was carried out/)).text, /The name was corrected in the directory\./);

  // each letter is an event, and neither events nor the log say to whom or what
  const sent = await r.events("activityType eq 'send Letter'");
  assert.equal(sent.length, mail.mails.length);
  const events = JSON.stringify((await r.events()).filter(e => e.activityType !== 'create User'));
  for (const secret of [contact, 'Wir brauchen', 'corrected in the directory'])
    assert.ok(!r.log.includes(secret), `the log has ${secret}`);
  assert.ok(!events.includes(contact), 'an event has the address');
  assert.deepEqual(mail.mails.map(m => m.envelope.rcptTo.length), mail.mails.map(() => 1));
}));

testOnEngines('65 the tenant\'s own words: placeholders are checked, and nothing in them makes a header', engine => withMail(engine, async (r, mail) => {
  const where = `${DM}/letterTemplates`;
  const all = await r.all(where);
  assert.deepEqual(all.map(t => t.id).sort(), ['code', 'delivery', 'done', 'extension', 'receipt', 'refusal']);
  assert.ok(all.every(t => t.isBuiltIn));
  const put = (id, body) => r.api('PUT', `${where}/${id}`, { body });
  for (const [id, body] of [['receipt', { subject: 'a', body: '{nobody}' }], ['receipt', { subject: '{', body: 'b' }], ['receipt', { subject: 'a\r\nBcc: x@y.example', body: 'b' }],
    ['receipt', { subject: 'a', body: '{code}' }], ['code', { subject: 'a', body: 'no code' }], ['receipt', { subject: 'a' }], ['receipt', { subject: 'x'.repeat(300), body: 'b' }]]) {
    const a = await put(id, body);
    assert.equal(a.status, 400, `${JSON.stringify(body)}: ${a.text}`);
  }
  assert.equal((await put('greeting', { subject: 'a', body: 'b' })).status, 404);
  await r.ok('PUT', `${where}/extension`, { body: { subject: 'Später: {reason} — {number}', body: '.\nFrom {organisation}: {reason}\n.\n{link}' } });
  assert.equal((await r.get(`${where}/extension`)).isBuiltIn, false);
  const u = await r.user('anna@acme.example', { mail: 'anna@outside.example' });
  const c = await open(r, { type: 'access', userId: u.id });
  await step(r, c.id, 'extend', { reason: 'viel\nBcc: eve@evil.example\n\nX {code} {link}' }).catch(() => step(r, c.id, 'extend', { reason: 'viel Bcc: eve@evil.example X {code} {link}' }));
  const got = await mail.letter('anna@outside.example', /Später/);
  assert.match(got.subject, /^Später: viel\s+Bcc: eve@evil\.example\s+X \{code\} \{link\} — /);
  assert.equal(got.bcc, undefined);
  assert.deepEqual(got.envelope.rcptTo.map(x => x.address), ['anna@outside.example']);
  assert.ok(got.text.startsWith('.\nFrom '), JSON.stringify(got.text));
  assert.ok(got.text.includes(`\n.\nhttps://127.0.0.1:${r.port}/privacy/requests/${c.id}`), got.text);
  await r.ok('DELETE', `${where}/extension`);
  assert.equal((await r.get(`${where}/extension`)).isBuiltIn, true);
  // one tenant's words are not another's
  const other = await r.secondTenant();
  await r.ok('PUT', `${where}/receipt`, { body: { subject: 'Globex', body: 'Globex' }, token: other.token });
  assert.equal((await r.get(`${where}/receipt`)).isBuiltIn, true);
}));

test('65 a mail server that is down, refuses, or is not there: letters wait, say why, and go in the end', async () => {
  const r = await Reeve.make({ serve: false });
  const mail = await MailServer.make(r.tmp);
  await r.serve();
  const u = await r.user('anna@acme.example', { mail: 'anna@outside.example' });
  const c = await open(r, { type: 'access', userId: u.id });
  const waiting = await until('it says why', async () => { const l = await letters(r, c.id); return l[0]?.lastError && l[0]; });
  assert.deepEqual([waiting.state, waiting.attempts], ['waiting', 0]);
  assert.match(waiting.lastError, /no mail server/);
  assert.equal((await r.get(`${CASES}/${c.id}`)).lettersNotSent, 1);
  assert.equal(await number(r, 'reeve_letters_waiting'), 1);

  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), mail.settings());
  await r.restart();
  await until('tried', async () => (await letters(r, c.id))[0].attempts === 1);
  assert.match((await letters(r, c.id))[0].lastError, /not reached/);
  // nothing else waits for it
  const before = Date.now();
  await r.get('/v1.0/users');
  assert.ok(Date.now() - before < 5000);

  mail.refuse = 451;
  await mail.start();
  await r.restart(1);
  await until('tried again', async () => (await letters(r, c.id))[0].attempts === 2);
  assert.equal((await letters(r, c.id))[0].lastError, 'the mail server answered 451', 'its number, not its words');
  mail.refuse = null;
  await r.restart(2);
  await mail.letter('anna@outside.example', /We received/);
  await until('sent', async () => (await letters(r, c.id))[0].state === 'sent');
  assert.equal((await r.get(`${CASES}/${c.id}`)).lettersNotSent, 0);
  assert.equal(await number(r, 'reeve_letters_waiting'), 0);

  // a month without success: failed, loudly
  mail.refuse = 550;
  const d = await open(r, { type: 'access', userId: u.id });
  await until('tried', async () => (await letters(r, d.id))[0].attempts === 1);
  await r.restart(40);
  await until('failed', async () => (await letters(r, d.id))[0].state === 'failed');
  assert.equal(await number(r, 'reeve_letters_failed'), 1);
  assert.equal((await r.events("activityType eq 'fail Letter'")).length, 1);
  assert.ok(!r.log.includes('anna@outside.example'));
  await r.stop();
  for (const [bad, why] of [['smtp_from = nobody', /smtp_from/], ['smtp_url = http://x', /smtp_url/]]) {
    fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `${bad}\n`);
    const end = r.cli('serve');
    assert.equal(end.code, 78);
    assert.match(end.err, why);
  }
  await mail.stop();
  await r.remove();
});

test('65 away from loopback there is no letter without TLS, but where the operator says so', async () => {
  const host = Object.values(os.networkInterfaces()).flat().find(a => !a.internal && a.family === 'IPv4')?.address;
  assert.ok(host, 'this machine has an address that is not loopback');
  const r = await Reeve.make({ serve: false });
  const mail = await MailServer.make(r.tmp), conf = path.join(r.dir, 'reeve.conf');
  fs.appendFileSync(conf, `\nsmtp_url = smtp://${host}:${mail.port}\nsmtp_from = privacy@acme.example\n`);
  await mail.start({ host, disabledCommands: ['STARTTLS', 'AUTH'], authOptional: true });
  await r.serve();
  const c = await open(r, { type: 'access', contact: 'tls@outside.example' });
  await until('tried', async () => (await letters(r, c.id))[0].attempts === 1);
  assert.match((await letters(r, c.id))[0].lastError, /offers no TLS/);
  assert.equal(mail.mails.length, 0);
  fs.appendFileSync(conf, 'smtp_plaintext = 1\n');
  await r.restart(1);
  await mail.letter('tls@outside.example', /We received/);
  // a certificate that nobody vouches for is no TLS
  await mail.stop();
  fs.writeFileSync(conf, fs.readFileSync(conf, 'utf8').replace('smtp_plaintext = 1', ''));
  await mail.start({ host, authOptional: true });
  await r.restart(1);
  const d = await open(r, { type: 'access', contact: 'cert@outside.example' });
  await until('tried', async () => (await letters(r, d.id))[0].attempts === 1);
  assert.match((await letters(r, d.id))[0].lastError, /certificate|SSL/);
  assert.ok(!mail.mails.some(m => m.envelope.rcptTo[0].address === 'cert@outside.example'));
  await mail.stop();
  await r.remove();
});
