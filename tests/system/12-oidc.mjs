// SPDX-License-Identifier: Apache-2.0
// Single sign-on: a provider as others run it (the npm package oidc-provider), and one that lies.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { Reeve, freePorts, test, testOnEngines, until } from './lib.mjs';

const IDP = '/v1.0/identity/identityProviders', SECRET = 'secret/with+odd=characters &%:';
const b64 = x => Buffer.from(x).toString('base64url');

function certificates(dir) {
  const f = name => path.join(dir, name), run = (...args) => execFileSync('openssl', args, { stdio: 'ignore' });
  run('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('ca.key'), '-out', f('ca.pem'), '-subj', '/CN=Providers', '-days', '2');
  run('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('key.pem'), '-out', f('csr.pem'), '-subj', '/CN=provider');
  fs.writeFileSync(f('ext'), 'subjectAltName=IP:127.0.0.1\n');
  run('x509', '-req', '-in', f('csr.pem'), '-CA', f('ca.pem'), '-CAkey', f('ca.key'), '-CAcreateserial', '-out', f('cert.pem'), '-days', '2', '-extfile', f('ext'));
  return { ca: fs.readFileSync(f('ca.pem'), 'utf8'), cert: fs.readFileSync(f('cert.pem'), 'utf8'), key: fs.readFileSync(f('key.pem'), 'utf8') };
}

// What a browser does: cookies for each origin, redirects followed by hand.
class Visitor {
  jars = new Map();
  constructor(r, ca) { this.agent = new https.Agent({ ca: [r.ca, ca].map(String) }); this.r = r; }
  jar(origin) { if (!this.jars.has(origin)) this.jars.set(origin, new Map()); return this.jars.get(origin); }
  async go(url, { method = 'GET', form, headers = {} } = {}) {
    const u = new URL(url), jar = this.jar(u.origin), raw = form && new URLSearchParams(form).toString();
    const cookie = [...jar].map(([k, v]) => `${k}=${v}`).join('; ');
    const a = await this.r.api(method, u.href, { token: null, raw, agent: this.agent, headers: { ...(cookie && { Cookie: cookie }), ...(raw && { 'Content-Type': 'application/x-www-form-urlencoded' }), ...headers } });
    for (const line of a.headers['set-cookie'] ?? []) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      if (/max-age=0|expires=Thu, 01 Jan 1970/i.test(line) || value === '') jar.delete(name); else jar.set(name, value);
    }
    a.to = a.headers.location && new URL(a.headers.location, url).href;
    return a;
  }
  async follow(url, stop = () => false) {
    let a = await this.go(url);
    for (let n = 0; a.to && !stop(a.to); n++) { assert.ok(n < 12, a.to); url = a.to; a = await this.go(url); }
    a.url = url;
    return a;
  }
  session(url) { return this.jar(new URL(url).origin).get('__Host-reeve'); }
}

// ---- a provider of the test's own: it signs whatever it is told to ----

const KEYS = new Map();
const keyOf = kid => { if (!KEYS.has(kid)) KEYS.set(kid, { kid, ...crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }) }); return KEYS.get(kid); };

class Liar {
  calls = { keys: 0, token: 0 }; document = {}; status = 200; published = ['good'];
  async start(c) {
    this.port = await freePorts();
    this.issuer = `https://127.0.0.1:${this.port}`;
    this.server = https.createServer({ key: c.key, cert: c.cert }, (q, a) => {
      const parts = [];
      q.on('data', d => parts.push(d));
      q.on('end', async () => { if (q.url === '/token') await this.meanwhile?.(); const [status, body] = this.answer(q, Buffer.concat(parts).toString()); a.writeHead(status, { 'Content-Type': 'application/json' }); a.end(JSON.stringify(body)); });
    });
    await new Promise(r => this.server.listen(this.port, '127.0.0.1', r));
  }
  answer(q, body) {
    const i = this.issuer;
    if (q.url.endsWith('/.well-known/openid-configuration')) return [200, { issuer: i, authorization_endpoint: `${i}/auth`, token_endpoint: `${i}/token`, jwks_uri: `${i}/keys`, end_session_endpoint: `${i}/end`, ...this.document }];
    if (q.url === '/keys') { this.calls.keys++; return [200, { keys: [{ kty: 'oct', k: 'AAAA' }, { kty: 'odd' }, ...this.published.map(k => ({ ...keyOf(k).publicKey.export({ format: 'jwk' }), kid: k, use: 'sig' }))] }]; }
    if (q.url === '/token') { this.calls.token++; this.asked = { form: new URLSearchParams(body), authorization: q.headers.authorization }; return [this.status, this.tokens]; }
    return [404, {}];
  }
  // An ID token: `more` changes claims (undefined leaves one out), `header` the header; signed: how.
  sign(claims, { header = {}, kid = 'good', signed } = {}) {
    const head = { alg: 'RS256', typ: 'JWT', kid, ...header };
    const text = `${b64(JSON.stringify(head))}.${b64(JSON.stringify(claims))}`;
    if (signed) return `${text}.${signed(text)}`;
    return `${text}.${crypto.sign('sha256', Buffer.from(text), keyOf(kid).privateKey).toString('base64url')}`;
  }
  claims(client, nonce, more = {}) {
    const now = Math.floor(Date.now() / 1000);
    return { iss: this.issuer, sub: 'anna', aud: client, exp: now + 300, iat: now, nonce, ...more };
  }
  stop() { this.server.closeAllConnections(); return new Promise(r => this.server.close(r)); }
}

// ---- a provider as others run it ----

class Real {
  people = new Map(); // login -> claims
  async start(c, r, redirect, logout) {
    const { default: Provider } = await import('oidc-provider');
    Object.assign(this, { Provider, r });
    this.server ??= https.createServer({ key: c.key, cert: c.cert }, (q, a) => this.handle(q, a));
    if (!this.port) { this.port = await freePorts(); await new Promise(y => this.server.listen(this.port, '127.0.0.1', y)); }
    this.issuer = `https://127.0.0.1:${this.port}`;
    this.make(redirect, logout);
  }
  make(redirect, logout) {
    const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    this.kid = crypto.randomUUID();
    const said = [console.warn, console.info];
    console.warn = console.info = () => {}; // that it is meant for trying out
    const provider = new this.Provider(this.issuer, {
      clients: [{ client_id: 'reeve', client_secret: SECRET, redirect_uris: [redirect], post_logout_redirect_uris: [`https://127.0.0.1:${this.r.port}/signin/${this.r.tenant}`],
        backchannel_logout_uri: logout, backchannel_logout_session_required: true, grant_types: ['authorization_code'], response_types: ['code'] }],
      jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: this.kid, use: 'sig', alg: 'RS256' }] },
      cookies: { keys: ['a key of the test'] },
      claims: { openid: ['sub'], profile: ['name', 'realm_access'] },
      conformIdTokenClaims: false,
      pkce: { required: () => true },
      ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 600, IdToken: 600, AuthorizationCode: 60 },
      features: { backchannelLogout: { enabled: true }, rpInitiatedLogout: { enabled: true, logoutSource: (ctx, form) => { ctx.body = form; } } },
      findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...this.people.get(id) }) }),
      loadExistingGrant: async ctx => {
        const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId });
        grant.addOIDCScope('openid profile email');
        await grant.save();
        return grant;
      },
      httpOptions: () => ({ agent: new https.Agent({ ca: this.r.ca }) }),
    });
    [console.warn, console.info] = said;
    provider.on('server_error', (ctx, e) => { this.problem = e; });
    provider.on('backchannel.error', (ctx, e) => { this.problem = e; });
    this.handle = provider.callback();
  }
  // From Reeve's sign-in page to the end of the redirects, as that person.
  async signIn(v, provider, login, more = '') {
    const asked = await v.follow(`https://127.0.0.1:${this.r.port}/signin/${this.r.tenant}/oidc/${provider}${more}`);
    if (!asked.url.startsWith(`${this.issuer}/interaction/`)) return asked;
    const given = await v.go(asked.url, { method: 'POST', form: { prompt: 'login', login, password: 'x' } });
    return v.follow(given.to);
  }
  stop() { this.server.closeAllConnections(); return new Promise(r => this.server.close(r)); }
}

// ---- one Reeve for both ----

const at = (r, provider, suffix = '') => `https://127.0.0.1:${r.port}/signin/${r.tenant}/oidc/${provider}${suffix}`;

async function prepared(engine) {
  const r = await Reeve.make({ engine, serve: false });
  const c = certificates(r.tmp), liar = new Liar(), real = new Real();
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `sink_targets = 127.0.0.1\nissuer_ca_file = ${r.tmp}/ca.pem\n`);
  await r.serve();
  await liar.start(c);
  real.port = await freePorts();
  real.server = https.createServer({ key: c.key, cert: c.cert }, (q, a) => real.handle(q, a));
  await new Promise(y => real.server.listen(real.port, '127.0.0.1', y));
  const bad = await r.post(IDP, { displayName: 'Liar', issuer: liar.issuer, clientId: 'reeve', clientSecret: SECRET });
  const good = await r.post(IDP, { displayName: 'Real', issuer: `https://127.0.0.1:${real.port}`, clientId: 'reeve', clientSecret: SECRET, roleClaim: 'realm_access.roles' });
  await real.start(c, r, good.redirectUri, good.backChannelLogoutUri);
  const anna = await r.user('anna@acme.example');
  return { r, c, liar, real, bad, good, anna, visitor: () => new Visitor(r, c.ca), end: async () => { await liar.stop(); await real.stop(); await r.remove(); } };
}

// The events of refused sign-ins, as the log has them: Graph's shape does not say why.
const hexOf = (r, c) => (r.engine === 'sqlite' ? `hex(${c})` : `encode(${c}, 'hex')`);
const refusals = r => r.sql(`SELECT ${hexOf(r, 'bytes')} AS b FROM audit_events WHERE activity_type = 'signIn IdentityProvider'`).match(/[0-9a-fA-F]{40,}/g)?.map(x => JSON.parse(Buffer.from(x, 'hex').toString('utf8'))) ?? [];
const role = async (r, name) => (await r.all('/v1.0/roleManagement/directory/roleDefinitions')).find(x => x.displayName === name).id;
// What the session's cookie opens.
const as = (v, r, where) => v.go(`https://127.0.0.1:${r.port}${where}`);

testOnEngines('12 single sign-on with oidc-provider: roles by claims, rotated keys, sign-out, back-channel logout, and whoever is disabled is out', async engine => {
  const w = await prepared(engine), { r, real, good, anna } = w;
  try {
    assert.ok(!JSON.stringify(await r.get(`${IDP}/${good.id}`)).includes(SECRET) && !r.sql('SELECT * FROM identity_providers').includes(SECRET), 'the secret is never read back');
    real.people.set('anna-sub', { realm_access: { roles: ['helpdesk', 'nothing here'] } });
    const page = await w.visitor().go(`https://127.0.0.1:${r.port}/signin/${r.tenant}`);
    assert.ok(page.text.includes(`/oidc/${good.id}`) && page.text.includes('Real'), 'the sign-in page names the provider');
    // nobody is bound: known there, nobody here
    const stranger = await real.signIn(w.visitor(), good.id, 'anna-sub');
    assert.equal(stranger.status, 403, real.problem?.stack);
    assert.match(stranger.text, /there is no account for you here/);
    assert.ok(refusals(r).some(e => /nobody here is bound/.test(JSON.stringify(e))));
    // bound by the administrator, on the command line; a second binding of the same account is refused
    const bound = r.cli('provider', 'bind', good.id, 'anna@acme.example', 'anna-sub', '--json');
    assert.equal(bound.code, 0, bound.err);
    const berta = await r.user('berta@acme.example');
    await r.refused(409, 'POST', `/v1.0/users/${berta.id}/identities`, { body: { identityProviderId: good.id, issuerAssignedId: 'anna-sub' } });
    const helpdesk = await role(r, 'Help Desk Operator'), auditor = await role(r, 'Auditor');
    const mapped = await r.post(`${IDP}/${good.id}/roles`, { claimValue: 'helpdesk', roleDefinitionId: helpdesk });
    await r.post(`${IDP}/${good.id}/roles`, { claimValue: 'revision', roleDefinitionId: auditor });
    await r.refused(409, 'POST', `${IDP}/${good.id}/roles`, { body: { claimValue: 'helpdesk', roleDefinitionId: helpdesk } });
    // in, with the role of the claim and no other
    const v = w.visitor(), base = `https://127.0.0.1:${r.port}`;
    const home = await real.signIn(v, good.id, 'anna-sub');
    assert.equal(home.status, 200, home.text.slice(0, 300));
    const cookie = v.session(base);
    assert.ok(cookie && !v.jar(base).has('__Host-reeve-oidc'), 'a session, and the attempt is over');
    assert.equal((await as(v, r, '/v1.0/users')).status, 200);
    assert.equal((await as(v, r, '/v1.0/deviceManagement/legalHolds')).status, 403);
    assert.equal((await r.events("activityType eq 'signIn User'"))[0].actor.userPrincipalName, 'anna@acme.example');
    // keys are rotated: the next token's key is unknown, and is asked for once; other groups are other roles
    real.make(good.redirectUri, good.backChannelLogoutUri);
    real.people.set('anna-sub', { realm_access: { roles: ['revision'] } });
    const again = w.visitor();
    assert.equal((await real.signIn(again, good.id, 'anna-sub')).status, 200, real.problem?.stack);
    assert.equal((await as(again, r, '/v1.0/deviceManagement/legalHolds')).status, 200);
    assert.equal((await as(again, r, '/v1.0/groups')).status, 403, 'the role went with the claim');
    // signed out here is signed out there
    const account = await as(again, r, '/account');
    const csrf = /name="csrf" value="([^"]+)"/.exec(account.text)[1];
    const out = await again.go(`${base}/signout`, { method: 'POST', form: { csrf }, headers: { Origin: base } });
    assert.equal(out.status, 200, out.text.slice(0, 300));
    const onward = new URL(/^0;url=(.*)$/.exec(out.headers.refresh)[1]);
    assert.equal(onward.origin, real.issuer);
    assert.ok(onward.searchParams.get('id_token_hint'));
    assert.equal(onward.searchParams.get('post_logout_redirect_uri'), `${base}/signin/${r.tenant}`);
    assert.equal((await as(again, r, '/v1.0/users')).status, 401);
    const confirm = await again.go(onward.href);
    assert.equal(confirm.status, 200, `the provider takes the request: ${confirm.text.slice(0, 200)}`);
    // back-channel: the first visitor's session ends at the provider, and with it here
    real.people.set('anna-sub', { realm_access: { roles: ['helpdesk'] } });
    const third = w.visitor();
    assert.equal((await real.signIn(third, good.id, 'anna-sub')).status, 200);
    assert.equal((await as(third, r, '/v1.0/users')).status, 200);
    const ask = await third.go(`${real.issuer}/session/end`);
    const xsrf = /name="xsrf" value="([^"]+)"/.exec(ask.text)[1];
    await third.go(`${real.issuer}/session/end/confirm`, { method: 'POST', form: { xsrf, logout: 'yes' } });
    await until('the session here ends with the one there', async () => (await as(third, r, '/v1.0/users')).status === 401, { seconds: 8, every: 50 }).catch(e => assert.fail(`${e.message}: ${real.problem?.stack}`));
    assert.ok((await r.events("activityType eq 'revokeSession User'")).some(e => JSON.stringify(e).includes('backChannelLogout')));
    // a mapping that goes takes the role with it, at once
    const fourth = w.visitor();
    assert.equal((await real.signIn(fourth, good.id, 'anna-sub')).status, 200);
    assert.equal((await as(fourth, r, '/v1.0/users')).status, 200);
    await r.ok('DELETE', `${IDP}/${good.id}/roles/${mapped.id}`);
    assert.equal((await as(fourth, r, '/v1.0/users')).status, 403);
    // disabled in the middle of a session: the next request is refused, and so is the next sign-in
    await r.ok('PATCH', `/v1.0/users/${anna.id}`, { body: { accountEnabled: false } });
    assert.equal((await as(fourth, r, '/v1.0/users')).status, 401);
    assert.match((await real.signIn(w.visitor(), good.id, 'anna-sub')).text, /account here is disabled/);
    await r.ok('PATCH', `/v1.0/users/${anna.id}`, { body: { accountEnabled: true } });
    // switched off: its sessions end, and the page is gone
    const fifth = w.visitor();
    assert.equal((await real.signIn(fifth, good.id, 'anna-sub')).status, 200);
    await r.ok('PATCH', `${IDP}/${good.id}`, { body: { enabled: false } });
    assert.equal((await as(fifth, r, '/account')).url ?? (await as(fifth, r, '/v1.0/users')).status, 401);
    assert.equal((await w.visitor().go(at(r, good.id))).status, 404);
    await r.ok('DELETE', `${IDP}/${good.id}`);
    assert.deepEqual(await r.all(`/v1.0/users/${anna.id}/identities`), []);
  } finally { await w.end(); }
});

test('12 tokens and answers of a provider that lies are refused, each with its event', async () => {
  const w = await prepared('sqlite'), { r, liar, bad, good, anna } = w;
  try {
    await r.post(`/v1.0/users/${anna.id}/identities`, { identityProviderId: bad.id, issuerAssignedId: 'anna' });
    const begin = async (v, more = '') => new URL((await v.go(at(r, bad.id, more))).to).searchParams;
    const back = (v, query, provider = bad.id) => v.go(`${at(r, provider, '/callback')}?${new URLSearchParams(query)}`);
    const attempt = async (token, { more, tokens = {}, query = {} } = {}) => {
      const v = w.visitor(), q = await begin(v, more);
      liar.tokens = { access_token: 'access', token_type: 'Bearer', id_token: token(q.get('nonce')), ...tokens };
      return [await back(v, { code: 'c', state: q.get('state'), ...query }), v, q];
    };
    const signed = (more, how) => nonce => liar.sign(liar.claims('reeve', nonce, more), how);
    const now = Math.floor(Date.now() / 1000);
    // the right one is let in, with PKCE and the client's proof as RFC 6749 has it
    const [fine, v, q] = await attempt(signed());
    assert.equal(fine.status, 303, fine.text.slice(0, 300));
    assert.equal(fine.to, `https://127.0.0.1:${r.port}/account`);
    assert.deepEqual([q.get('response_type'), q.get('code_challenge_method'), q.get('redirect_uri')], ['code', 'S256', bad.redirectUri]);
    assert.equal(crypto.createHash('sha256').update(liar.asked.form.get('code_verifier')).digest('base64url'), q.get('code_challenge'));
    assert.equal(Buffer.from(liar.asked.authorization.slice(6), 'base64').toString(), `reeve:${encodeURIComponent(SECRET)}`);
    // every lie
    const pem = keyOf('good').publicKey.export({ type: 'spki', format: 'pem' });
    keyOf('stranger'); keyOf('new');
    const lies = {
      'forged signature': [nonce => `${liar.sign(liar.claims('reeve', nonce)).slice(0, -20)}AAAAAAAAAAAAAAAAAAAA`, /wrong signature|signature/],
      'signed by another key under our kid': [signed({}, { kid: 'good', signed: t => crypto.sign('sha256', Buffer.from(t), keyOf('stranger').privateKey).toString('base64url') }), /wrong signature/],
      'alg none': [signed({}, { header: { alg: 'none' }, signed: () => '' }), /no signature/],
      'alg none with something behind it': [signed({}, { header: { alg: 'none' }, signed: () => 'AAAA' }), /not signed with RS256/],
      'HS256 with the public key': [signed({}, { header: { alg: 'HS256' }, signed: t => crypto.createHmac('sha256', pem).update(t).digest('base64url') }), /not signed with RS256/],
      expired: [signed({ exp: now - 600, iat: now - 900 }), /expired/],
      'not yet valid': [signed({ nbf: now + 600 }), /not yet|nbf|future|ahead/],
      'wrong audience': [signed({ aud: 'somebody else' }), /audience/],
      'several audiences without azp': [signed({ aud: ['reeve', 'other'] }), /azp/],
      'wrong azp': [signed({ aud: ['reeve', 'other'], azp: 'other' }), /azp/],
      'wrong issuer': [signed({ iss: 'https://127.0.0.1:1' }), /another issuer/],
      'wrong nonce': [signed({ nonce: 'another' }), /nonce is another/],
      'no nonce': [signed({ nonce: undefined }), /no nonce/],
      'no sub': [signed({ sub: undefined }), /no usable sub/],
      'sub that is no text': [signed({ sub: 7 }), /no usable sub/],
      'wrong at_hash': [signed({ at_hash: b64('no such hash') }), /at_hash/],
      'no ID token': [() => undefined, /no ID token/],
      'no token': [() => 'rubbish', /token/],
      'a fresh sign-in without auth_time': [signed(), /auth_time/, { more: '?max_age=60' }],
      'a stale sign-in': [signed({ auth_time: now - 3600 }), /older than/, { more: '?max_age=60' }],
      "another issuer's answer": [signed(), /another issuer's \(iss\)/, { query: { iss: good.issuer } }],
      'an error': [signed(), /answered with access_denied/, { query: { error: 'access_denied', error_description: '<script>alert(1)</script>' } }],
      'an error of its own invention': [signed(), /answered with an error/, { query: { error: 'anything', code: '' } }],
    };
    for (const [what, [token, , more]] of Object.entries(lies)) {
      const [a, visitor] = await attempt(token, more);
      assert.equal(a.status, 403, `${what}: ${a.status} ${a.text.slice(0, 200)}`);
      assert.ok(!visitor.session(a.to ?? bad.redirectUri), what);
      assert.ok(!/<script|access_denied|anything/.test(a.text), `${what}: nothing of it is on the page`);
    }
    const events = refusals(r);
    for (const [what, [, why]] of Object.entries(lies)) assert.ok(events.some(e => why.test(e.failure)), `${what} has its event: ${JSON.stringify(events.map(e => e.failure))}`);
    // a key that nobody knows: one look, and not another within the minute
    const keys = liar.calls.keys;
    for (let i = 0; i < 3; i++) assert.equal((await attempt(signed({}, { kid: 'stranger' })))[0].status, 403);
    assert.equal(liar.calls.keys, keys + 1, 'exactly one look');
    assert.ok(refusals(r).some(e => /key that its issuer does not have/.test(JSON.stringify(e))));
    // answers that belong to nobody's attempt
    const replay = w.visitor(), asked = await begin(replay), jar = new Map(replay.jar(`https://127.0.0.1:${r.port}`));
    liar.tokens = { access_token: 'access', id_token: liar.sign(liar.claims('reeve', asked.get('nonce'))) };
    assert.equal((await back(replay, { code: 'c', state: asked.get('state') })).status, 303);
    const calls = liar.calls.token;
    for (const [k, value] of jar) replay.jar(`https://127.0.0.1:${r.port}`).set(k, value);
    replay.jar(`https://127.0.0.1:${r.port}`).delete('__Host-reeve');
    assert.equal((await back(replay, { code: 'c', state: asked.get('state') })).status, 403, 'once');
    const without = w.visitor();
    assert.equal((await back(without, { code: 'c', state: asked.get('state') })).status, 403);
    const other = w.visitor();
    await begin(other);
    assert.equal((await back(other, { code: 'c', state: asked.get('state') })).status, 403);
    const mixed = w.visitor(), mine = await begin(mixed);
    assert.equal((await back(mixed, { code: 'c', state: mine.get('state') }, good.id)).status, 403);
    const twice = w.visitor(), two = await begin(twice);
    assert.equal((await twice.go(`${at(r, bad.id, '/callback')}?code=c&state=${two.get('state')}&state=x`)).status, 403);
    assert.equal(liar.calls.token, calls, 'no code was redeemed');
    const said = JSON.stringify(refusals(r));
    for (const why of ['the state was used before', 'no sign-in is under way in this browser', "the state is not the one of this browser's sign-in", "the answer belongs to another provider's sign-in"]) assert.ok(said.includes(why), why);
    // the token endpoint says no
    liar.status = 400;
    assert.equal((await attempt(() => 'x', { tokens: { error: 'invalid_grant' } }))[0].status, 403);
    assert.ok(JSON.stringify(refusals(r)).includes('does not take the code: invalid_grant'));
    liar.status = 200;
    // logout tokens: what is none ends nothing
    const event = { 'http://schemas.openid.net/event/backchannel-logout': {} }, account = () => as(v, r, '/account');
    const logout = (more, how) => w.visitor().go(at(r, bad.id, '/logout'), { method: 'POST', form: { logout_token: liar.sign({ iss: liar.issuer, aud: 'reeve', iat: now, exp: now + 100, jti: crypto.randomUUID(), sub: 'anna', events: event, ...more }, how) } });
    for (const [what, more, how] of [['nonce', { nonce: 'x' }], ['no event', { events: {} }], ['events', { events: 7 }], ['nobody', { sub: undefined }], ['no jti', { jti: undefined }], ['audience', { aud: 'x' }], ['issuer', { iss: 'x' }],
      ['old', { iat: now - 900, exp: now - 600 }], ['none', {}, { header: { alg: 'none' }, signed: () => '' }], ['type', {}, { header: { typ: 'at+jwt' } }], ['for ever', { exp: now + 1e7 }], ['absurd', { exp: 1e300 }]]) {
      const a = await logout(more, how);
      assert.equal(a.status, 400, `${what}: ${a.text}`);
      assert.equal(a.json.error, 'invalid_request');
    }
    assert.equal((await account()).status, 200, 'still signed in');
    const jti = 'one';
    assert.equal((await logout({ jti })).status, 200);
    assert.notEqual((await account()).status, 200);
    assert.equal((await logout({ jti })).status, 400, 'once');
    // a provider that is disabled while it is asked for the tokens brings nobody in: it could take its time, and have always one under way
    liar.meanwhile = () => r.ok('PATCH', `${IDP}/${bad.id}`, { body: { enabled: false } });
    const [late, nobody] = await attempt(signed());
    assert.deepEqual([late.status, nobody.session(late.to ?? bad.redirectUri)], [403, undefined]);
    assert.ok(refusals(r).some(e => /disabled meanwhile/.test(e.failure)));
    liar.meanwhile = undefined;
    await r.ok('PATCH', `${IDP}/${bad.id}`, { body: { enabled: true } });
    assert.equal((await attempt(signed()))[0].status, 303);
    // one that takes its time holds up a few and nobody else
    const held = [], waiting = [];
    for (let i = 0; i < 13; i++) { const x = w.visitor(); waiting.push([x, await begin(x)]); }
    liar.meanwhile = () => new Promise(go => held.push(go));
    const answers = waiting.map(([x, s]) => back(x, { code: 'c', state: s.get('state') }));
    assert.equal((await Promise.race(answers)).status, 503);
    await until('twelve are asking', () => held.length === 12, { every: 10 });
    liar.meanwhile = undefined;
    for (const go of held) go();
    assert.deepEqual((await Promise.all(answers)).map(a => a.status).sort(), [...Array(12).fill(403), 503]);
    // a document that names another issuer, or an endpoint that is no https
    assert.equal((await w.visitor().go(at(r, crypto.randomUUID()))).status, 404);
    assert.equal((await w.visitor().go(at(r, bad.id).replace(r.tenant, crypto.randomUUID()))).status, 404);
  } finally { await w.end(); }
});

test('12 who may set up what: roles that one has, issuers that may be reached, accounts that one could be', async () => {
  const w = await prepared('sqlite'), { r, liar, bad, anna } = w;
  try {
    for (const [body, why] of [[{ issuer: 'http://127.0.0.1' }, /https/], [{ issuer: 'https://10.0.0.1' }, /reached/], [{ issuer: 'https://127.0.0.1:9/x?y' }, /query/], [{ scope: 'profile' }, /openid/], [{ clientSecret: undefined, clientAuthentication: 'client_secret_post' }, /clientSecret/],
      [{ apiAudiences: ['reeve'] }, /clientId/], [{ allowedTenantIds: ['x'] }, /ids/], [{ roleClaim: 'a b' }, /roleClaim/], [{ issuer: 'https://127.0.0.1/organizations/v2.0' }, /allowedTenantIds/], [{ unknown: 1 }, /unknown/]]) {
      const e = await r.refused(400, 'POST', IDP, { body: { displayName: 'x', issuer: 'https://127.0.0.1:9', clientId: 'reeve', clientSecret: 'x', ...body } });
      assert.match(e.message, why);
    }
    const byDocument = await r.post(IDP, { '@odata.type': '#microsoft.graph.openIdConnectIdentityProvider', displayName: 'x', metadataUrl: 'https://127.0.0.1:8/a/.well-known/openid-configuration', clientId: 'c', clientSecret: 'x', responseType: 'code', scope: 'openid' });
    assert.deepEqual([byDocument.issuer, byDocument.metadataUrl], ['https://127.0.0.1:8/a', 'https://127.0.0.1:8/a/.well-known/openid-configuration']);
    await r.refused(400, 'POST', IDP, { body: { displayName: 'x', metadataUrl: 'https://127.0.0.1:8/other', clientId: 'c', clientSecret: 'x' } });
    await r.refused(409, 'POST', IDP, { body: { displayName: 'x', issuer: liar.issuer, clientId: 'other', clientSecret: 'x' } });
    await r.refused(400, 'PATCH', `${IDP}/${bad.id}`, { body: { issuer: 'https://127.0.0.1:9' } });
    // a verified address binds only where the administrator said so, and never where the provider does not vouch for it
    const sign = async more => {
      const v = w.visitor(), q = new URL((await v.go(at(r, bad.id))).to).searchParams;
      liar.tokens = { access_token: 'a', id_token: liar.sign(liar.claims('reeve', q.get('nonce'), { sub: 'x-1', email: 'ANNA@acme.example', preferred_username: 'anna@acme.example', ...more })) };
      return v.go(`${at(r, bad.id, '/callback')}?code=c&state=${q.get('state')}`);
    };
    assert.equal((await sign({ email_verified: true })).status, 403);
    await r.ok('PATCH', `${IDP}/${bad.id}`, { body: { matchUserPrincipalName: true } });
    for (const more of [{}, { email_verified: 'true' }, { email_verified: false }]) assert.equal((await sign(more)).status, 403);
    assert.equal((await sign({ email_verified: true })).status, 303);
    assert.equal((await sign({ email_verified: false, email: 'changed@acme.example' })).status, 303, 'bound for good, whatever the address becomes');
    assert.equal((await sign({ sub: 'x-2', email_verified: true })).status, 403, 'nobody else becomes them');
    const bound = await r.events("activityType eq 'bind UserIdentity'");
    assert.equal(bound.length, 1);
    assert.ok(!JSON.stringify(bound).includes('x-1') && bound[0].actor.userPrincipalName === 'anna@acme.example');
    // an administrator of providers who is not one of everything: binds nobody who may do more
    const RM = '/v1.0/roleManagement/directory';
    const provided = await r.post(`${RM}/roleDefinitions`, { displayName: 'Providers', rolePermissions: [{ allowedResourceActions: ['IdentityProvider.ReadWrite.All', 'User.Read.All'] }] });
    const app = await r.post('/v1.0/applications', { displayName: 'Providers', roleDefinitionId: provided.id });
    const secret = await r.post(`/v1.0/applications/${app.id}/addPassword`, {});
    const token = await r.signIn(r.tenant, app.appId ?? app.id, secret.secretText);
    const boss = await r.user('boss@acme.example');
    await r.post(`${RM}/roleAssignments`, { principalId: boss.id, roleDefinitionId: await role(r, 'Administrator'), directoryScopeId: '/' });
    await r.refused(403, 'POST', `/v1.0/users/${boss.id}/identities`, { token, body: { identityProviderId: bad.id, issuerAssignedId: 'mine' } });
    await r.refused(403, 'POST', `${IDP}/${bad.id}/roles`, { token, body: { claimValue: 'x', roleDefinitionId: await role(r, 'Administrator') } });
    assert.equal((await r.get(`/v1.0/users/${anna.id}/identities`)).value[0].issuerAssignedId, 'x-1');
    // nor gives them a name that somebody else has at the provider
    await r.post(`${RM}/roleDefinitions`, { displayName: 'Names', rolePermissions: [{ allowedResourceActions: ['User.ReadWrite.All'] }] });
    const names = { token: (await r.holder('Names')).token }, client = (await r.post('/v1.0/applications', { displayName: 'Directory', isProvisioningClient: true })).id;
    const scim = { token: (await r.post(`/v1.0/applications/${client}/addProvisioningToken`, {})).secretText }, patch = value => ({ body: { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'replace', value }] }, ...scim });
    const rename = { body: { userPrincipalName: 'mine@acme.example' }, ...names }, user = `/v1.0/users/${boss.id}`;
    await r.refused(403, 'PATCH', user, rename);
    await r.ok('PATCH', user, { body: { city: 'Basel', userPrincipalName: 'boss@acme.example' }, ...names });
    for (const value of [{ userName: 'mine@acme.example' }, { externalId: 'mine' }]) assert.equal((await r.api('PATCH', `/scim/v2/Users/${boss.id}`, patch(value))).status, 403);
    assert.equal((await r.api('PATCH', `/scim/v2/Users/${boss.id}`, patch({ title: 'Boss' }))).status, 200);
    await r.ok('DELETE', user, names);
    await r.refused(403, 'POST', `/v1.0/directory/deletedItems/${boss.id}/restore`, { body: { newUserPrincipalName: 'mine@acme.example' }, ...names });
    await r.ok('POST', `/v1.0/directory/deletedItems/${boss.id}/restore`, { body: {}, ...names });
    await r.post(`${user}/identities`, { identityProviderId: bad.id, issuerAssignedId: 'bosses' });
    await r.ok('PATCH', user, rename); // bound: a name is a name
  } finally { await w.end(); }
});

test('12 Microsoft Entra ID: an issuer of many tenants, people by tid and oid, and groups that are left out', async () => {
  const w = await prepared('sqlite'), { r, liar, anna } = w, TID = crypto.randomUUID(), OTHER = crypto.randomUUID(), oid = crypto.randomUUID();
  try {
    const issuer = `${liar.issuer}/organizations/v2.0`, of = tid => `${liar.issuer}/${tid}/v2.0`;
    await r.refused(400, 'POST', IDP, { body: { displayName: 'Entra', issuer, clientId: 'reeve', clientSecret: SECRET } });
    const entra = await r.post(IDP, { displayName: 'Entra', issuer, clientId: 'reeve', clientSecret: SECRET, roleClaim: 'groups', allowedTenantIds: [TID.toUpperCase()] });
    liar.document = { issuer: `${liar.issuer}/{tenantid}/v2.0` };
    await r.refused(400, 'POST', `/v1.0/users/${anna.id}/identities`, { body: { identityProviderId: entra.id, issuerAssignedId: 'pairwise' } });
    await r.post(`/v1.0/users/${anna.id}/identities`, { identityProviderId: entra.id, issuerAssignedId: `${TID}/${oid}` });
    const come = async (more, query = {}) => {
      const v = w.visitor(), q = new URL((await v.go(at(r, entra.id))).to).searchParams;
      liar.tokens = { access_token: 'a', id_token: liar.sign(liar.claims('reeve', q.get('nonce'), { iss: of(TID), tid: TID, oid, sub: crypto.randomUUID(), ...more })) };
      return v.go(`${at(r, entra.id, '/callback')}?${new URLSearchParams({ code: 'c', state: q.get('state'), ...query })}`);
    };
    assert.equal((await come({})).status, 303);
    assert.equal((await come({}, { iss: of(TID) })).status, 303);
    for (const [what, more, query] of [['another tenant', { iss: of(OTHER), tid: OTHER }], ['a tid that is not the issuer\'s', { iss: of(OTHER) }], ['no tid', { tid: undefined }], ['no oid', { oid: undefined }], ['another person', { oid: crypto.randomUUID() }],
      ['the template itself', { iss: `${liar.issuer}/{tenantid}/v2.0` }], ["another tenant's answer", {}, { iss: of(OTHER) }]]) {
      const a = await come(more, query);
      assert.equal(a.status, 403, `${what}: ${a.status}`);
    }
    const many = await come({ _claim_names: { groups: 'src1' }, _claim_sources: { src1: { endpoint: 'https://graph.example' } } });
    assert.equal(many.status, 403);
    assert.match(many.text, /app roles instead of groups/);
    assert.ok(refusals(r).some(e => /overage/.test(e.failure)) && refusals(r).some(e => /tenant of its issuer that is not accepted/.test(e.failure)));
    // changing who is allowed ends what was begun
    const v = w.visitor(), q = new URL((await v.go(at(r, entra.id))).to).searchParams;
    liar.tokens = { access_token: 'a', id_token: liar.sign(liar.claims('reeve', q.get('nonce'), { iss: of(TID), tid: TID, oid })) };
    assert.equal((await v.go(`${at(r, entra.id, '/callback')}?code=c&state=${q.get('state')}`)).status, 303);
    assert.equal((await as(v, r, '/account')).status, 200);
    await r.ok('PATCH', `${IDP}/${entra.id}`, { body: { allowedTenantIds: [OTHER] } });
    assert.notEqual((await as(v, r, '/account')).status, 200);
  } finally { await w.end(); }
});

test('12 who is provisioned signs in without being bound by hand, and is out with the directory', async () => {
  const w = await prepared('sqlite'), { r, real, good, bad } = w, CORE = 'urn:ietf:params:scim:schemas:core:2.0:User';
  try {
    await r.ok('PATCH', `${IDP}/${bad.id}`, { body: { matchExternalId: false } }); // on for the first of the tenant
    await r.ok('PATCH', `${IDP}/${good.id}`, { body: { matchExternalId: true } });
    const app = await r.post('/v1.0/applications', { displayName: 'Directory', isProvisioningClient: true });
    const token = (await r.post(`/v1.0/applications/${app.id}/addProvisioningToken`, { provisioningToken: { displayName: 'x' } })).secretText;
    const scim = (method, where, body) => r.api(method, `/scim/v2/Users${where}`, { token, body, headers: body ? { 'Content-Type': 'application/scim+json' } : {} });
    const person = { schemas: [CORE], userName: 'carla@acme.example', externalId: 'carla-sub', displayName: 'Carla', active: true };
    const made = (await scim('POST', '', person)).json;
    assert.equal(made.externalId, 'carla-sub');
    const v = w.visitor();
    assert.equal((await real.signIn(v, good.id, 'carla-sub')).status, 200);
    assert.equal((await as(v, r, '/account')).status, 200);
    assert.deepEqual((await r.all(`/v1.0/users/${made.id}/identities`)).map(x => x.issuerAssignedId), ['carla-sub']);
    const active = value => scim('PATCH', `/${made.id}`, { schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations: [{ op: 'replace', value: { active: value } }] });
    assert.equal((await active(false)).status, 200);
    assert.notEqual((await as(v, r, '/account')).status, 200, 'at the next request');
    assert.equal((await real.signIn(w.visitor(), good.id, 'carla-sub')).status, 403);
    assert.equal((await active(true)).status, 200);
    assert.equal((await real.signIn(w.visitor(), good.id, 'carla-sub')).status, 200);
    // deleted there, and hired again: the id of the directory is hers again
    assert.equal((await scim('DELETE', `/${made.id}`)).status, 204);
    assert.equal((await real.signIn(w.visitor(), good.id, 'carla-sub')).status, 403);
    const again = await scim('POST', '', person);
    assert.equal(again.status, 201, again.text);
    assert.equal((await real.signIn(w.visitor(), good.id, 'carla-sub')).status, 200);
    assert.equal((await r.all(`/v1.0/users/${again.json.id}/identities`)).length, 1);
  } finally { await w.end(); }
});

test('12 in a real browser: from the sign-in page to the account, and out again at both ends', async () => {
  const w = await prepared('sqlite'), { r, real, good, anna } = w, base = `https://127.0.0.1:${r.port}`;
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    await r.post(`/v1.0/users/${anna.id}/identities`, { identityProviderId: good.id, issuerAssignedId: 'anna-sub' });
    const page = await (await browser.newContext({ ignoreHTTPSErrors: true })).newPage(), problems = [];
    page.on('console', m => { if (m.type() === 'error' && page.url().startsWith(base)) problems.push(m.text()); });
    await page.goto(`${base}/signin/${r.tenant}`);
    await page.getByText('Sign in with Real').click();
    await page.locator('input[name=login]').fill('anna-sub');
    await page.locator('input[name=password]').fill('x');
    await page.locator('button[type=submit]').click();
    await page.waitForURL(`${base}/account`);
    assert.deepEqual((await page.context().cookies(base)).filter(c => /reeve/.test(c.name)).map(c => [c.name, c.httpOnly, c.secure, c.sameSite]).sort(),
      [['__Host-reeve', true, true, 'Lax'], ['__Host-reeve-hint', true, true, 'Lax']]);
    // at the width of a phone nothing is cut off, and no short word of a table is broken
    await page.setViewportSize({ width: 360, height: 700 });
    for (const where of ['/account/access', '/account/access?permission=DeviceManagementManagedDevices.PrivilegedOperations.All', '/account']) {
      await page.goto(base + where);
      await page.evaluate(() => document.querySelectorAll('details').forEach(d => { d.open = true; }));
      const seen = await page.evaluate(() => [document.documentElement.scrollWidth, [...document.querySelectorAll('td')].filter(d => {
        const text = document.createRange();
        text.selectNodeContents(d);
        return /^(yes|no|everybody)$/.test(d.innerText) && text.getClientRects().length > 1;
      }).length]);
      assert.deepEqual(seen, [360, 0], where);
    }
    await page.getByRole('button', { name: 'Sign out' }).first().click();
    await page.waitForURL(`${real.issuer}/session/end**`);
    await page.evaluate(() => { const f = document.forms[0], y = document.createElement('input'); y.name = 'logout'; y.value = 'yes'; f.append(y); f.submit(); });
    await page.waitForURL(`${base}/signin/${r.tenant}**`);
    await page.goto(`${base}/account`);
    assert.ok(!page.url().endsWith('/account'), 'signed out here');
    await page.goto(at(r, good.id));
    await page.locator('input[name=login]').waitFor(); // signed out there: it asks again
    assert.deepEqual(problems.filter(p => !/status of 40[0-9]/.test(p)), [], 'nothing is against the policy of our pages');
  } finally { await browser.close(); await w.end(); }
});
