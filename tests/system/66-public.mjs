// SPDX-License-Identifier: Apache-2.0
// The pages that anybody may open: a former employee who cannot sign in asks, proves an address, sees how it stands and fetches the answer.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Reeve, test, testOnEngines, until } from './lib.mjs';
import { MailServer } from './smtp.mjs';
import { DM } from './world.mjs';

const CASES = `${DM}/dataSubjectRequests`;
const ME = 'former@outside.example';
const intake = { type: 'access', name: 'Anna Meier', mail: ME, statement: 'I worked there until May.' };

// As a browser sends a form of our page; more: other headers.
const send = (r, where, fields, more = {}) => r.api('POST', where, { token: null, raw: new URLSearchParams(fields).toString(), headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: `https://127.0.0.1:${r.port}`, ...more } });
const show = (r, where) => r.api('GET', where, { token: null });
const ofCase = id => `/privacy/requests/${id}`;
const tenantOf = async r => (await r.get('/v1.0/organization')).value[0].id;

async function make(engine) {
  const r = await Reeve.make({ engine, serve: false });
  const mail = await MailServer.make(r.tmp);
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), mail.settings());
  await mail.start();
  await r.serve();
  await r.ok('PATCH', `${DM}/tenantSettings`, { body: { requestIntake: true } });
  return { r, mail, page: `/privacy/${await tenantOf(r)}` };
}

testOnEngines('66 a former employee is served from intake to download', async engine => {
  const { r, mail, page } = await make(engine);
  const u = await r.user('anna@acme.example', { displayName: 'Anna Meier', jobTitle: 'Canary-of-Anna' });
  await r.ok('DELETE', `/v1.0/users/${u.id}`); // she left

  const form = await show(r, page);
  assert.equal(form.status, 200);
  assert.match(form.headers['content-security-policy'], /^default-src 'none'; style-src 'sha256-[A-Za-z0-9+/=]+'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'$/);
  const style = /<style>([\s\S]*)<\/style>/.exec(form.text)[1];
  assert.ok(form.headers['content-security-policy'].includes(crypto.createHash('sha256').update(style).digest('base64')), 'the style is the one that is allowed');
  assert.ok(!/<script|javascript:|\son\w+=|https?:\/\//i.test(form.text), 'no script, nothing from elsewhere');

  const got = await send(r, page, intake);
  assert.equal(got.status, 200, got.text);
  const id = /\/privacy\/requests\/([0-9a-f-]{36})/.exec(got.text)[1];
  let c = await r.get(`${CASES}/${id}`);
  assert.deepEqual([c.channel, c.state, c.contact, c.userId, c.contactVerifiedDateTime], ['portal', 'received', ME, null, null]);
  assert.equal(c.statement, 'Name: Anna Meier\n\nI worked there until May.');
  assert.equal(mail.mails.filter(m => /We received/.test(m.text)).length, 0, 'a stranger\'s address gets a code first');

  const first = await mail.code(ME);
  const wrong = await send(r, ofCase(id), { action: 'open', code: String((Number(first) + 1) % 1e8).padStart(8, '0') });
  assert.equal(wrong.status, 200);
  assert.match(wrong.text, /This code is wrong/);
  const status = await send(r, ofCase(id), { action: 'open', code: ` ${first.slice(0, 4)}-${first.slice(4)} ` });
  assert.match(status.text, /It was received/);
  assert.ok(status.text.includes('access to your data') && status.text.includes(id));
  assert.match((await send(r, ofCase(id), { action: 'open', code: first })).text, /This code is wrong/, 'once');
  await mail.letter(ME, /We received your request/);
  c = await r.get(`${CASES}/${id}`);
  assert.ok(c.contactVerifiedDateTime, 'the address is hers');
  assert.equal(c.state, 'received', 'that she is Anna, an officer checks');
  await until('the receipt is noted', async () => (await r.get(`${CASES}/${id}`)).acknowledgedDateTime);

  // the officer's part
  for (const [step, body] of [['setSubject', { userId: u.id }], ['verify', { method: 'document' }], ['discover', {}], ['decide', { decision: 'grant' }]])
    await r.post(`${CASES}/${id}/${step}`, body);
  const letter = await mail.letter(ME, /is ready/);
  assert.ok(letter.text.includes(`https://127.0.0.1:${r.port}${ofCase(id)}`));
  assert.ok(!letter.attachments.length && !letter.text.includes('Canary'), 'a letter carries no data');

  // hers
  assert.equal((await send(r, ofCase(id), { action: 'send' })).status, 200);
  const code = await mail.code(ME);
  const ready = await send(r, ofCase(id), { action: 'open', code });
  assert.match(ready.text, /The answer is ready/);
  const pass = /name="pass" value="([^"]+)"/.exec(ready.text)[1];
  assert.match((await send(r, ofCase(id), { action: 'download', pass: `${pass.slice(0, -2)}xx` })).text, /enter a new code/);
  assert.equal((await r.get(`${CASES}/${id}`)).state, 'decided');
  const zip = await send(r, ofCase(id), { action: 'download', pass });
  assert.equal(zip.headers['content-type'], 'application/zip');
  const file = path.join(r.tmp, 'answer.zip');
  fs.writeFileSync(file, zip.bytes);
  assert.match(execFileSync('unzip', ['-p', file, 'data/*.json'], { encoding: 'utf8', maxBuffer: 1 << 26 }), /Canary-of-Anna/);
  c = await r.get(`${CASES}/${id}`);
  assert.equal(c.state, 'delivered');
  assert.equal(c.deliveredSha256, crypto.createHash('sha256').update(zip.bytes).digest('base64'), 'what was delivered is on record');
  const said = (await r.events()).map(e => `${e.activityType} ${e.activityResult}`);
  for (const what of ['create DataSubjectRequest Success', 'sendCode DataSubjectRequest Success', 'sendCode DataSubjectRequest Failure', 'download PersonalDataExport Success', 'deliver DataSubjectRequest Success'])
    assert.ok(said.includes(what), `${what}: ${said}`);

  // no code, no address and no name in the log or in an event
  const events = JSON.stringify(await r.events());
  for (const secret of [first, code, ME, 'until May', pass])
    assert.ok(!r.log.includes(secret) && !events.includes(secret), secret);
  await mail.stop();
  await r.remove();
});

testOnEngines('66 codes: five attempts, fifteen minutes, five an hour; unknown looks like wrong', async engine => {
  const { r, mail, page } = await make(engine);
  const open = async address => /requests\/([0-9a-f-]{36})/.exec((await send(r, page, { ...intake, mail: address })).text)[1];
  const id = await open('five@outside.example');
  const code = await mail.code('five@outside.example');
  const bad = code === '00000000' ? '11111111' : '00000000';
  const unknown = '01234567-89ab-7def-8123-456789abcdef';
  const neutral = text => text.replaceAll(id, 'ID').replaceAll(unknown, 'ID');
  assert.equal(neutral((await show(r, ofCase(id))).text), neutral((await show(r, ofCase(unknown))).text));
  assert.equal(neutral((await show(r, ofCase(id))).text), neutral((await show(r, '/privacy/requests/nothing')).text));
  for (let i = 0; i < 5; i++)
    assert.equal(neutral((await send(r, ofCase(id), { action: 'open', code: bad })).text), neutral((await send(r, ofCase(unknown), { action: 'open', code: bad })).text));
  assert.match((await send(r, ofCase(id), { action: 'open', code })).text, /This code is wrong/, 'right, but too late');
  // a new one works; and a newer one ends it
  assert.equal(neutral((await send(r, ofCase(id), { action: 'send' })).text), neutral((await send(r, ofCase(unknown), { action: 'send' })).text));
  const second = await mail.code('five@outside.example');
  await send(r, ofCase(id), { action: 'send' });
  const third = await mail.code('five@outside.example');
  assert.match((await send(r, ofCase(id), { action: 'open', code: second })).text, second === third ? /received/ : /This code is wrong/);
  assert.match((await send(r, ofCase(id), { action: 'open', code: third })).text, /It was received/);
  for (let i = 0; i < 5; i++) await send(r, ofCase(id), { action: 'send' });
  await until('no more than five codes in all', () => mail.mails.filter(m => /Your code is/.test(m.text)).length === 5);
  // one case's code opens no other
  const [a, b] = [await open('a@outside.example'), await open('b@outside.example')];
  const codeA = await mail.code('a@outside.example');
  await mail.code('b@outside.example');
  assert.match((await send(r, ofCase(b), { action: 'open', code: codeA })).text, /This code is wrong/);
  assert.match((await send(r, ofCase(a), { action: 'open', code: codeA })).text, /It was received/);
  // time runs out: a day later
  if (engine === 'sqlite') {
    await send(r, ofCase(a), { action: 'send' });
    const late = await mail.code('a@outside.example');
    await r.restart(1);
    assert.match((await send(r, ofCase(a), { action: 'open', code: late })).text, /This code is wrong/);
  }
  await mail.stop();
  await r.remove();
});

test('66 the intake: only where it is on, only from our own page, nothing of what is sent is believed', async () => {
  const { r, mail, page } = await make();
  const other = await r.secondTenant();
  const off = await show(r, `/privacy/${other.id}`), none = await show(r, '/privacy/01234567-89ab-7def-8123-456789abcdef'), odd = await show(r, '/privacy/xx');
  assert.deepEqual([off.status, none.status, odd.status], [404, 404, 404]);
  assert.ok(off.text === none.text && none.text === odd.text, 'off and unknown look the same');
  assert.equal((await send(r, `/privacy/${other.id}`, intake)).status, 404);
  // from elsewhere
  for (const headers of [{ Origin: 'https://evil.example' }, { Origin: 'null' }, { Origin: '' }, { Origin: undefined }])
    assert.equal((await r.api('POST', page, { token: null, raw: new URLSearchParams(intake).toString(), headers: JSON.parse(JSON.stringify({ 'Content-Type': 'application/x-www-form-urlencoded', ...headers })) })).status, 403, JSON.stringify(headers));
  // what is wrong is said, and what was written stands in the form again, harmless
  const evil = '"><script>alert(1)</script>\u202e<b>';
  for (const [field, value] of [['type', 'everything'], ['name', ''], ['mail', 'nobody'], ['mail', 'a@b\r\nBcc: c@d'], ['mail', 'ä@b.example'], ['type', '']]) {
    const a = await send(r, page, { ...intake, name: evil, [field]: value });
    assert.equal(a.status, 400, `${field}=${value}`);
    assert.ok(!/<script>|<b>/.test(a.text));
  }
  for (const fields of [{ ...intake, name: 'x'.repeat(500) }, { ...intake, name: 'a\u0007b' }, { ...intake, statement: 'y'.repeat(7000) }])
    assert.equal((await send(r, page, fields)).status, 400);
  assert.equal((await send(r, page, { ...intake, statement: 'z'.repeat(40000) })).status, 413);
  for (const raw of ['type=access&type=erasure&name=a&mail=a@b.example', 'type=%zz', 'type=%00', 'type=%ff'])
    assert.equal((await r.api('POST', page, { token: null, raw, headers: { 'Content-Type': 'application/x-www-form-urlencoded', Origin: `https://127.0.0.1:${r.port}` } })).status, 400, raw);
  assert.equal((await r.api('POST', page, { token: null, body: intake, headers: { Origin: `https://127.0.0.1:${r.port}` } })).status, 400, 'a form, not JSON');
  assert.equal((await r.all(CASES)).length, 0);
  // whether the person exists is not said
  await r.user('known@acme.example', { mail: 'known@outside.example' });
  const neutral = a => a.text.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID');
  assert.equal(neutral(await send(r, page, { ...intake, mail: 'known@outside.example' })), neutral(await send(r, page, { ...intake, mail: 'nobody@outside.example' })));
  // nobody fills a stranger's mailbox
  const many = [];
  for (let i = 0; i < 5; i++) many.push((await send(r, page, { ...intake, mail: 'victim@outside.example' })).status);
  assert.deepEqual(many, [200, 200, 200, 429, 429]);
  const slow = await send(r, page, { ...intake, mail: 'victim@outside.example' });
  assert.ok(Number(slow.headers['retry-after']) > 0);
  // nor floods the officers from one address
  let last;
  for (let i = 0; i < 30 && last !== 429; i++) last = (await send(r, page, { ...intake, mail: `m${i}@outside.example` })).status;
  assert.equal(last, 429);
  assert.ok((await r.all(CASES)).length <= 20);
  // another tenant sees none of it
  assert.equal((await r.all(CASES, { token: other.token })).length, 0);
  await mail.stop();
  await r.remove();
});
