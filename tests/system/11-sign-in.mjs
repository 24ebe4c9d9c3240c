// SPDX-License-Identifier: Apache-2.0
// People sign in with a password of this server: cookies, forms, second factor, locks, ends of sessions, and what is nowhere to be read.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { REEVE, Reeve, sanitizers, shared, test, testOnEngines } from './lib.mjs';

const PASSWORD = 'blue horse eats seven lamps', OTHER = 'a wholly other sentence', said = [];
const one = shared();
const dump = r => (r.engine === 'sqlite' ? execFileSync('sqlite3', [`file:${r.dir}/reeve.db?mode=ro`, '.dump'], { encoding: 'utf8', maxBuffer: 1 << 28 })
  : execFileSync('pg_dump', ['-h', process.env.REEVE_TEST_PG_HOST, '-U', 'postgres', '--data-only', r.pg.name], { encoding: 'utf8', maxBuffer: 1 << 28 }));
const type = { 'Content-Type': 'application/x-www-form-urlencoded' };

function account(r, verb, upn, args = [], password = PASSWORD) {
  const done = spawnSync(REEVE, ['account', verb, upn, ...args, '--data', r.dir], { encoding: 'utf8', input: `${password}\n`, env: r.env(r.days) });
  assert.equal(done.status, 0, done.stderr);
}
const page = (r, where, cookie) => r.api('GET', where, { token: null, headers: cookie ? { Cookie: cookie } : {} });
const form = (r, where, fields, { cookie, origin = r.url } = {}) =>
  r.api('POST', where, { token: null, raw: new URLSearchParams(fields).toString(), headers: { ...type, ...(origin && { Origin: origin }), ...(cookie && { Cookie: cookie }) } });
const call = (r, method, where, cookie, { body, csrf, origin = r.url, ...headers } = {}) =>
  r.api(method, where, { token: null, body, headers: { Cookie: cookie, ...(csrf && { 'X-Reeve-CSRF': csrf }), ...(origin && { Origin: origin }), ...headers } });
const field = (a, name) => a.text.match(new RegExp(`name="${name}" value="([^"]*)"`))?.[1];
const password = (r, name, text = PASSWORD, more = {}, o) => form(r, `/signin/${r.tenant}`, { action: 'password', name, password: text, next: '/account', ...more }, o);
const cookieOf = a => a.headers['set-cookie']?.[0].split(';')[0];
async function signIn(r, name, text = PASSWORD, o) {
  const a = await password(r, name, text, {}, o);
  assert.equal(a.status, 303, a.text);
  said.push(cookieOf(a).split('.')[1]);
  return cookieOf(a);
}
const csrfOf = async (r, cookie) => field(await page(r, '/account', cookie), 'csrf');
const me = async (r, cookie) => (await call(r, 'GET', '/v1.0/me', cookie)).status;

// RFC 6238 by other means than the server's.
function bytesOf(key) {
  const bits = [...key.replace(/ /g, '')].map(c => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(c).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/.{8}/g).map(b => parseInt(b, 2)));
}
function code(secret, step) {
  const key = bytesOf(secret), counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = crypto.createHmac('sha1', key).update(counter).digest(), at = mac[19] & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1e6).padStart(6, '0');
}
const step = () => Math.floor(Date.now() / 30000);
const keyOf = a => a.text.match(/class="key">([A-Z2-7 ]+)</)[1];

testOnEngines('11 a password opens a session, and the session is its person', async engine => {
  const r = await one(engine);
  account(r, 'create', 'admin@acme.example', ['--role', 'Administrator', '--name', 'Ada Admin']);
  account(r, 'create', 'plain@acme.example');
  assert.equal((await page(r, '/account')).headers.location, '/signin');
  assert.equal((await page(r, '/signin?next=/account')).headers.location, `/signin/${r.tenant}`);
  const entry = await page(r, `/signin/${r.tenant}`), policy = entry.headers['content-security-policy'];
  assert.equal(entry.status, 200);
  assert.ok(/default-src 'none'/.test(policy) && /frame-ancestors 'none'/.test(policy) && !/<script/.test(entry.text) && entry.headers['cache-control'] === 'no-store');
  assert.equal((await page(r, `/signin/${crypto.randomUUID()}`)).status, 404);
  // wrong, unknown, disabled and empty look the same but for the name that was typed
  const strange = await Promise.all([password(r, 'admin@acme.example', OTHER), password(r, 'nobody@acme.example')]);
  assert.deepEqual(strange.map(a => [a.status, a.headers['set-cookie'], a.text.replaceAll('nobody@', 'admin@')]), Array(2).fill([401, undefined, strange[0].text]));
  const a = await password(r, 'ADMIN@acme.example', PASSWORD, { next: '/account?x=1' });
  assert.deepEqual([a.status, a.headers.location], [303, '/account?x=1']);
  assert.match(a.headers['set-cookie'][0], new RegExp(`^__Host-reeve=${r.tenant}\\.[A-Za-z0-9_-]{43}; Path=/; Secure; HttpOnly; SameSite=Lax$`));
  const cookie = cookieOf(a), mine = await page(r, '/account', cookie);
  said.push(cookie.split('.')[1]);
  assert.ok(/Ada Admin/.test(mine.text) && /Administrator/.test(mine.text) && mine.headers['cache-control'] === 'no-store');
  // as a token, and a person without a role may nothing
  assert.equal((await call(r, 'GET', '/v1.0/me', cookie)).json.userPrincipalName, 'admin@acme.example');
  assert.equal((await call(r, 'GET', '/v1.0/users', cookie)).status, 200);
  const plain = await signIn(r, 'plain@acme.example');
  assert.equal(await me(r, plain), 200);
  assert.equal((await call(r, 'GET', '/v1.0/users', plain)).status, 403);
  assert.equal((await r.api('GET', '/v1.0/me')).status, 400, 'a program is nobody');
  // a bad token is not healed by a good cookie; two cookies of the name are none
  assert.equal((await r.api('GET', '/v1.0/me', { token: 'x', headers: { Cookie: cookie } })).status, 401);
  assert.equal((await call(r, 'GET', '/v1.0/me', `${plain}; ${cookie}`)).status, 401);
  // no session is taken over: what the browser had before ends, what it made up is no session
  const fixed = `__Host-reeve=${r.tenant}.${'A'.repeat(43)}`;
  const fresh = await signIn(r, 'plain@acme.example', PASSWORD, { cookie: fixed });
  assert.ok(fresh !== fixed && await me(r, fixed) === 401);
  const again = await signIn(r, 'plain@acme.example', PASSWORD, { cookie: plain });
  assert.deepEqual([await me(r, plain), await me(r, fresh), await me(r, again)], [401, 200, 200]);
  // the cookie of one tenant is nothing in another
  const other = await r.secondTenant();
  assert.equal(await me(r, cookie.replace(r.tenant, other.id)), 401);
  assert.equal((await page(r, '/signin')).status, 200, 'no organisation is told');
  for (const next of ['//evil.example', '/\\evil.example', 'https://evil.example/']) {
    const to = (await form(r, `/signin/${r.tenant}`, { action: 'password', name: 'plain@acme.example', password: PASSWORD, next })).headers.location;
    assert.ok(to === undefined || to === '/account', `${next}: ${to}`);
  }
  const events = (await r.events("activityType eq 'signIn User'")).filter(e => e.actor.userPrincipalName === 'admin@acme.example');
  assert.deepEqual(events.map(e => [e.activityResult, e.actor.ipAddress]), [['Success', '127.0.0.1']]);
  assert.equal((await r.events("activityType eq 'signIn User' and activityResult eq 'Failure'")).length, 1);
});

testOnEngines('11 only our own pages change anything with a cookie', async engine => {
  const r = await one(engine), cookie = await signIn(r, 'admin@acme.example'), csrf = await csrfOf(r, cookie), body = { displayName: 'Made by a browser' };
  const create = o => call(r, 'POST', '/v1.0/groups', cookie, { body: { ...body, mailEnabled: false, mailNickname: 'x', securityEnabled: true }, ...o }).then(a => a.status);
  assert.equal(await create({}), 403);
  assert.equal(await create({ csrf: 'x'.repeat(43) }), 403);
  assert.equal(await create({ csrf, origin: 'https://evil.example' }), 403);
  assert.equal(await create({ csrf, origin: null }), 403);
  assert.equal(await create({ csrf: await csrfOf(r, await signIn(r, 'admin@acme.example')) }), 403, 'of another session');
  assert.equal(await create({ csrf, origin: null, 'Sec-Fetch-Site': 'cross-site' }), 403);
  assert.equal(await create({ csrf, origin: null, 'Sec-Fetch-Site': 'same-origin' }), 201);
  assert.equal(await create({ csrf }), 201);
  const steps = await call(r, 'POST', '/v1.0/$batch', cookie, { csrf, body: { requests: [{ id: '1', method: 'GET', url: '/me' }, { id: '2', method: 'POST', url: '/groups', headers: { 'Content-Type': 'application/json' }, body: { ...body, mailEnabled: false, mailNickname: 'x', securityEnabled: true } }] } });
  assert.deepEqual(steps.json.responses.map(s => s.status), [200, 201]);
  const made = (await r.events("activityType eq 'create Group' and activityResult eq 'Success'")).filter(e => e.actor.userPrincipalName === 'admin@acme.example');
  assert.equal(made.length, 3);
  // forms
  for (const [fields, o] of [[{ action: 'endOthers' }, {}], [{ action: 'endOthers', csrf: 'x' }, {}], [{ action: 'endOthers', csrf }, { origin: 'https://evil.example' }], [{ action: 'endOthers', csrf }, { origin: null }]])
    assert.equal((await form(r, '/account', fields, { cookie, ...o })).status, 403);
  assert.equal((await form(r, '/signout', {}, { cookie })).status, 403);
  assert.equal((await password(r, 'admin@acme.example', PASSWORD, {}, { origin: 'https://evil.example' })).status, 403);
  const out = await form(r, '/signout', { csrf }, { cookie });
  assert.match(out.headers['set-cookie'][0], /^__Host-reeve=; .*Max-Age=0$/);
  assert.equal(await me(r, cookie), 401);
  assert.equal((await r.events("activityType eq 'signOut User'")).length, 1);
});

testOnEngines('11 sessions are seen and ended, and die with their person', async engine => {
  const r = await one(engine), upn = 'leaver@acme.example';
  account(r, 'create', upn);
  const admin = await signIn(r, 'admin@acme.example'), csrf = await csrfOf(r, admin);
  const [a, b, c] = [await signIn(r, upn), await signIn(r, upn), await signIn(r, upn)], state = () => Promise.all([a, b, c].map(x => me(r, x)));
  const list = (await r.get(`/v1.0/users/${upn}/sessions`)).value;
  assert.deepEqual([list.length, list[0].kind, list[0].method, list[0].ipAddress, Object.keys(list[0]).some(k => /secret|hash/i.test(k))], [3, 'browser', 'password', '127.0.0.1', false]);
  assert.equal((await call(r, 'GET', '/v1.0/me/sessions', a)).json.value.length, 3);
  const mine = (await r.get(`/v1.0/users/admin@acme.example/sessions`)).value[0].id, token = await csrfOf(r, a);
  assert.equal((await call(r, 'DELETE', `/v1.0/me/sessions/${mine}`, a, { csrf: token })).status, 404, 'not theirs');
  assert.equal((await call(r, 'DELETE', `/v1.0/me/sessions/${list[0].id}`, a, { csrf: token })).status, 204);
  assert.deepEqual(await state(), [200, 200, 401]);
  assert.equal((await form(r, '/account', { action: 'endOthers', csrf: token }, { cookie: a })).status, 303);
  assert.deepEqual(await state(), [200, 401, 401]);
  const revoked = await call(r, 'POST', `/v1.0/users/${upn}/revokeSignInSessions`, admin, { csrf });
  assert.deepEqual([revoked.status, revoked.json.value], [200, true]);
  assert.deepEqual(await state(), [401, 401, 401]);
  // a password that changes ends all others; whoever only found the browser cannot change it
  const here = await signIn(r, upn), there = await signIn(r, upn), fields = { action: 'password', new: OTHER, again: OTHER, csrf: await csrfOf(r, here) };
  assert.equal((await form(r, '/account', { ...fields, password: 'not the password' }, { cookie: here })).status, 400);
  assert.equal((await form(r, '/account', { ...fields, password: PASSWORD }, { cookie: here })).status, 200);
  assert.deepEqual([await me(r, here), await me(r, there)], [200, 401]);
  account(r, 'password', upn);
  assert.equal(await me(r, here), 401);
  const last = await signIn(r, upn);
  await r.ok('PATCH', `/v1.0/users/${upn}`, { body: { accountEnabled: false } });
  assert.equal(await me(r, last), 401);
  assert.equal((await password(r, upn)).status, 401);
  await r.ok('PATCH', `/v1.0/users/${upn}`, { body: { accountEnabled: true } });
  assert.equal(await me(r, last), 401, 'it does not come back');
  const deleted = await signIn(r, upn);
  await r.ok('DELETE', `/v1.0/users/${upn}`);
  assert.equal(await me(r, deleted), 401);
  assert.deepEqual([...new Set((await r.events("activityType eq 'revokeSession User'")).flatMap(e => e.resources[0].modifiedProperties).filter(p => p.displayName === 'reason').map(p => p.newValue))].sort(),
    ['byAdministrator', 'byThemselves', 'passwordChanged', 'signedInAgain', 'userDeleted', 'userDisabled']);
});

testOnEngines('11 a second factor: its code is good once', async engine => {
  const r = await one(engine), upn = 'totp@acme.example';
  account(r, 'create', upn, ['--role', 'Help Desk Operator', '--must-change']);
  // somebody else chose the password: a new one first
  const change = await password(r, upn);
  assert.ok(change.status === 200 && !change.headers['set-cookie'] && /Choose a new password/.test(change.text));
  const ticket = field(change, 'ticket'), send = (fields, o) => form(r, `/signin/${r.tenant}`, { next: '/account', ...fields }, o);
  assert.equal((await send({ action: 'change', ticket: ticket.replace('.p', '.c'), new: OTHER, again: OTHER })).status, 400, 'a forged one');
  const cookie = cookieOf(await send({ action: 'change', ticket, new: OTHER, again: OTHER }));
  assert.equal(await me(r, cookie), 200);
  assert.equal((await send({ action: 'change', ticket, new: PASSWORD, again: PASSWORD })).status, 400, 'a ticket ends with its password');
  const key = keyOf(await page(r, '/account', cookie)), csrf = await csrfOf(r, cookie);
  said.push(key.replaceAll(' ', ''), bytesOf(key).toString('hex'));
  const first = step();
  assert.equal((await form(r, '/account', { action: 'setUp', csrf, password: OTHER, code: '000000' }, { cookie })).status, 400);
  assert.match((await form(r, '/account', { action: 'setUp', csrf, password: OTHER, code: code(key, first) }, { cookie })).text, /second factor is set up/);
  const asked = await password(r, upn, OTHER);
  assert.ok(!asked.headers['set-cookie'] && /Enter a code/.test(asked.text));
  const enter = text => send({ action: 'code', ticket: field(asked, 'ticket'), code: text });
  assert.equal((await enter(code(key, first))).status, 400, 'it was used to set it up');
  const right = await enter(`${code(key, first + 1).slice(0, 3)} ${code(key, first + 1).slice(3)}`);
  assert.equal(right.status, 303);
  assert.equal((await call(r, 'GET', '/v1.0/me/sessions', cookieOf(right))).json.value[0].method, 'password+totp');
  assert.equal((await enter(code(key, first + 1))).status, 400, 'a code is good once');
  assert.equal(r.cli('account', 'totp-reset', upn).code, 0);
  assert.equal(await me(r, cookieOf(right)), 401);
  // who may change things sets one up where the tenant asks for it
  await r.ok('PATCH', '/v1.0/deviceManagement/tenantSettings', { body: { secondFactorRequired: true } });
  const must = await password(r, upn, OTHER), anew = keyOf(must);
  assert.ok(anew !== key && !must.headers['set-cookie']);
  assert.equal((await send({ action: 'setUp', ticket: field(must, 'ticket'), code: code(anew, step()) })).status, 303);
  assert.equal((await password(r, 'plain@acme.example')).status, 303, 'who may nothing needs none');
  await r.ok('PATCH', '/v1.0/deviceManagement/tenantSettings', { body: { secondFactorRequired: false } });
});

testOnEngines('11 no secret is to be read anywhere', async engine => {
  const r = await one(engine);
  const text = (dump(r) + r.log + JSON.stringify(await r.events())).toLowerCase();
  assert.ok(said.length > 10 && text.includes('admin@acme.example'));
  for (const secret of [PASSWORD, OTHER, encodeURIComponent(PASSWORD), new URLSearchParams({ '': PASSWORD }).toString().slice(1), ...said, ...said.map(x => Buffer.from(x).toString('hex'))])
    assert.ok(secret.length >= 20 && !text.includes(secret.toLowerCase()), 'a secret in the database, the log or an event');
  // passwords are set, and second factors taken away, on the server's machine alone
  const put = await r.api('PUT', '/v1.0/users/plain@acme.example/localAccount', { body: { password: OTHER } });
  assert.deepEqual([put.status, (await r.api('POST', '/v1.0/users/plain@acme.example/localAccount/resetSecondFactor')).status], [403, 403]);
  assert.match(put.json.error.message, /server's machine/);
});

test('11 locks end by themselves or by the command line; an address that fails waits longer and longer', async () => {
  const r = await one(), upn = 'locked@acme.example';
  await r.restart(); // failures of this address so far are forgotten
  account(r, 'create', upn);
  for (let i = 0; i < 5; i++) await password(r, upn, OTHER);
  assert.equal((await password(r, upn)).status, 401, 'locked');
  const shown = (await r.get('/v1.0/identity/localAccounts')).value.find(a => a.userPrincipalName === upn), left = Date.parse(shown.lockedUntilDateTime) - Date.now();
  assert.ok(shown.failedAttempts === 5 && left > 0 && left <= 30000);
  assert.equal(r.cli('account', 'unlock', upn).code, 0);
  await signIn(r, upn);
  const bad = spawnSync(REEVE, ['account', 'password', upn, '--data', r.dir], { encoding: 'utf8', input: 'password1234\n', env: { ...process.env, ...sanitizers } });
  assert.ok(bad.status === 65 && /tried first/.test(bad.stderr), bad.stderr);
  // many at once, of which the right one comes last: in before there is a lock (and then there is none), or not at all
  account(r, 'create', 'burst@acme.example');
  const burst = (await r.get('/v1.0/users/burst@acme.example')).id;
  for (let i = 0; i < 4; i++) await password(r, 'burst@acme.example', OTHER);
  const last = (await Promise.all([OTHER, OTHER, OTHER, PASSWORD].map(text => password(r, 'burst@acme.example', text)))).at(-1);
  const locked = (await r.events("activityType eq 'lock LocalAccount'")).some(e => e.resources[0].resourceId === burst);
  assert.equal(last.status !== 303, locked, `${last.status}`);
  let a;
  for (let i = 0; i < 12 && a?.status !== 429; i++) a = await password(r, `stranger${i}@acme.example`, OTHER);
  assert.equal(a.status, 429);
  assert.ok(Number(a.headers['retry-after']) >= 1);
});

test('11 idle and absolute limits are the tenant\'s', async () => {
  const r = await Reeve.make();
  account(r, 'create', 'a@acme.example');
  const under = async (sessionIdleMinutes, sessionHours) => {
    await r.ok('PATCH', '/v1.0/deviceManagement/tenantSettings', { body: { sessionIdleMinutes, sessionHours } });
    return signIn(r, 'a@acme.example');
  };
  const all = [await under(480, 24), await under(1440, 9), await under(1440, 24)], state = () => Promise.all(all.map(c => me(r, c)));
  assert.deepEqual(await state(), [200, 200, 200]);
  await r.restart(0.4);
  assert.deepEqual(await state(), [401, 401, 200], '9.6 hours later');
});

test('11 an account is made once, and not by half', async () => {
  const r = await Reeve.make(), upn = 'once@acme.example';
  const run = (verb, args, where = ['--data', r.dir], input = PASSWORD) => {
    const a = spawnSync(REEVE, ['account', verb, ...args, ...where], { encoding: 'utf8', input: `${input}\n`, env: r.env(r.days) });
    return [a.status, a.stdout + a.stderr];
  };
  const refused = (code, words, ...a) => { const [status, text] = run(...a); assert.equal(status, code, text); assert.match(text, words); };
  refused(66, /no role 'Help Desk'; see 'reeve role list'/, 'create', [upn, '--role', 'Help Desk']);
  refused(64, /unknown option '--rol'/, 'create', [upn, '--rol']);
  refused(64, /unknown argument 'Auditor'/, 'create', [upn, 'Auditor']);
  refused(77, /on the server's machine alone/, 'create', [upn], ['--url', r.url, '--ca', `${r.dir}/tls/ca.pem`, '--token', r.token]);
  await r.refused(404, 'GET', `/v1.0/users/${upn}`); // nobody was made by any of these
  refused(0, /can sign in/, 'create', [upn]);
  refused(65, /has a local account already; a new password: 'reeve account password'/, 'create', [upn, '--role', 'Auditor'], undefined, OTHER);
  await signIn(r, upn); // by the password of before
  // another tenant's first person, by what 'tenant create' printed
  const file = `${r.dir}/globex.json`, made = r.cli('tenant', 'create', 'Globex', '--json');
  fs.writeFileSync(file, made.out);
  refused(0, /can sign in/, 'create', ['ann@globex.example', '--role', 'Administrator', '--credentials', file]);
  refused(0, /^ann@globex\.example\t/, 'list', ['--credentials', file]);
  // whoever mistypes a tenant, or forgets the authority, reads so
  const login = (...args) => spawnSync(REEVE, ['login', '--url', r.url, ...args], { encoding: 'utf8', env: r.env(r.days) }).stderr;
  assert.match(login('--ca', `${r.dir}/tls/ca.pem`, '--tenant', crypto.randomUUID()), /nobody signs in to a tenant of this id/);
  assert.match(login('--tenant', r.tenant), /--ca FILE says which authority/);
  refused(0, /has a new password/, 'password', [upn], undefined, OTHER);
  await signIn(r, upn, OTHER);
});
