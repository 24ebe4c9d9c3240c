// SPDX-License-Identifier: Apache-2.0
// Tokens at the API: Microsoft's own libraries sign in here unmodified (a secret, a certificate, a code in a browser); certificates and secrets rotate;
// access tokens of an issuer outside are accepted as configured and in no other way; the command line acts as a person.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { REEVE, shared, sleep, test, testOnEngines, until } from './lib.mjs';

const here = path.dirname(fileURLToPath(import.meta.url));
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const b64u = v => Buffer.from(typeof v === 'string' || Buffer.isBuffer(v) ? v : JSON.stringify(v)).toString('base64url');
const seconds = () => Math.floor(Date.now() / 1000);
const PASSWORD = 'a sentence is a good password';
const TID = '11111111-2222-4333-8444-555555555555', OTHER_TID = '99999999-2222-4333-8444-555555555555';

// ---- an issuer outside, as Microsoft Entra ID is one ----

class Issuer {
  constructor(dir) {
    const f = name => path.join(dir, name);
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', f('idp.key'), '-out', f('idp.pem'), '-subj', '/CN=idp', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '400'], { stdio: 'ignore' });
    this.caFile = f('idp.pem');
    this.hits = { keys: 0, document: 0 };
    this.keys = new Map();
    this.held = [];
    this.server = https.createServer({ key: fs.readFileSync(f('idp.key')), cert: fs.readFileSync(f('idp.pem')) }, (q, a) => this.answer(q, a));
  }
  async start() {
    await new Promise(r => this.server.listen(0, '127.0.0.1', r));
    this.base = `https://127.0.0.1:${this.server.address().port}`;
    this.rs = this.make('rs', 'rsa', { modulusLength: 2048 });
    this.ps = this.make('ps', 'rsa', { modulusLength: 2048 });
    this.es = this.make('es', 'ec', { namedCurve: 'P-256' });
    return this;
  }
  stop() { this.server.closeAllConnections(); return new Promise(r => this.server.close(r)); }
  make(kid, type, options, published = true) {
    const { publicKey, privateKey } = crypto.generateKeyPairSync(type, options);
    const key = { kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } };
    if (published) this.keys.set(kid, key);
    return key;
  }
  get issuer() { return `${this.base}/${TID}/v2.0`; }
  answer(q, a) {
    const odd = [{ kty: 'OKP', crv: 'Ed448', x: 'AA', kid: 'odd' }, { kty: 'RSA', n: 'AQAB', e: 'AQ', kid: 'weak' }, 7, { kid: 'nothing' }];
    const json = v => { a.setHeader('Content-Type', 'application/json'); a.end(JSON.stringify(v)); };
    if (this.down) { a.statusCode = 503; return a.end(); }
    if (q.url === `/${TID}/v2.0/.well-known/openid-configuration`) { this.hits.document++; return json({ issuer: this.wrong ?? this.issuer, jwks_uri: `${this.base}/keys`, authorization_endpoint: `${this.base}/a`, token_endpoint: `${this.base}/t` }); }
    if (q.url === '/organizations/v2.0/.well-known/openid-configuration') return json({ issuer: `${this.base}/{tenantid}/v2.0`, jwks_uri: `${this.base}/keys` });
    const [, who] = q.url.match(/^\/(liar|mover|slow)\/.well-known\/openid-configuration$/) ?? [];
    if (who === 'liar') return json({ issuer: `${this.base}/liar/`, jwks_uri: `${this.base}/keys` });
    if (who === 'mover') { a.writeHead(302, { Location: `${this.base}/${TID}/v2.0/.well-known/openid-configuration` }); return a.end(); }
    if (who === 'slow') { this.hits.slow = (this.hits.slow ?? 0) + 1; return this.held.push(() => { a.statusCode = 503; a.end(); }); }
    if (q.url === '/keys') { this.hits.keys++; return json({ keys: [...odd, ...[...this.keys.values()].map(k => k.jwk)] }); }
    a.statusCode = 404;
    a.end();
  }
  sign(claims, { key = this.rs, alg = 'RS256', header = {} } = {}) {
    const text = `${b64u({ alg, typ: 'JWT', kid: key.kid, ...header })}.${b64u(claims)}`, options = { key: key.privateKey };
    if (alg === 'PS256') Object.assign(options, { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    if (alg === 'ES256') options.dsaEncoding = 'ieee-p1363';
    return `${text}.${crypto.sign('sha256', Buffer.from(text), options).toString('base64url')}`;
  }
}

const API = 'api://reeve-acme', CLIENT = 'sign-in-client', APP = 'aaaaaaaa-0000-4000-8000-000000000001', OID = 'bbbbbbbb-0000-4000-8000-000000000002';

const prepared = shared(async r => {
  r.idp = await new Issuer(r.tmp).start();
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `issuer_ca_file = ${r.idp.caFile}\nsink_targets = 127.0.0.1\n`);
  await r.restart();
  const remove = r.remove.bind(r);
  r.remove = async () => { await r.idp.stop(); return remove(); };
  r.provider = await r.post('/v1.0/identity/identityProviders', { '@odata.type': '#microsoft.graph.openIdConnectIdentityProvider', displayName: 'Entra', issuer: r.idp.issuer, clientId: CLIENT, clientSecret: 's3cret-of-the-client', allowedTenantIds: [TID], apiAudiences: [API] });
  r.roles = Object.fromEntries((await r.all('/v1.0/roleManagement/directory/roleDefinitions')).map(d => [d.displayName, d.id]));
});

async function account(r, upn, role = 'Administrator') {
  const known = (await r.get(`/v1.0/users?$filter=${encodeURIComponent(`userPrincipalName eq '${upn}'`)}`)).value[0];
  if (known) return known.id;
  execFileSync(REEVE, ['account', 'create', upn, '--role', role, '--data', r.dir], { input: `${PASSWORD}\n`, env: r.env(r.days), stdio: ['pipe', 'pipe', 'pipe'] });
  return (await r.get(`/v1.0/users/${upn}`)).id;
}

// A browser: its cookie, and the CSRF token of the forms that it was shown.
class Browser {
  constructor(r) { this.r = r; }
  async open(where) { return this.r.api('GET', where, { token: null, headers: this.cookie ? { Cookie: this.cookie } : {} }); }
  async send(where, fields, more = {}) {
    const a = await this.r.api('POST', where, { token: null, raw: new URLSearchParams(fields).toString(), headers: { ...FORM, Origin: `https://127.0.0.1:${this.r.port}`, ...(this.cookie ? { Cookie: this.cookie } : {}), ...more } });
    const set = a.headers['set-cookie']?.[0];
    if (set) this.cookie = set.split(';')[0];
    return a;
  }
  async signIn(upn) {
    const a = await this.send(`/signin/${this.r.tenant}`, { action: 'password', name: upn, password: PASSWORD, next: '/account' });
    assert.equal(a.status, 303, a.text.slice(-1500));
    return this;
  }
  async enter(code, answer) {
    const where = `/signin/${this.r.tenant}/device`, page = await this.open(where);
    assert.equal(page.status, 200, page.text);
    const csrf = page.text.match(/name="csrf" value="([^"]+)"/)[1];
    const asked = await this.send(where, { action: 'find', code, csrf });
    if (asked.status !== 200) return asked;
    const request = asked.text.match(/name="request" value="([^"]+)"/)[1];
    assert.match(asked.text, /Reeve&#39;s command line|Reeve's command line/);
    assert.match(asked.text, /127\.0\.0\.1/);
    return answer ? this.send(where, { action: answer, request, csrf }) : asked;
  }
}
const post = (r, what, fields, o = {}) => r.api('POST', `/${r.tenant}/oauth2/v2.0/${what}`, { token: null, raw: new URLSearchParams(fields).toString(), headers: FORM, ...o });
const poll = (r, d) => post(r, 'token', { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'reeve', device_code: d.device_code });

// ---- certificates ----

function certificate(dir, name, days = 30) {
  const key = path.join(dir, `${name}.key`), cert = path.join(dir, `${name}.pem`);
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-subj', `/CN=${name}`, '-days', `${days}`], { stdio: 'ignore' });
  const pem = fs.readFileSync(cert, 'utf8'), keyPem = fs.readFileSync(key, 'utf8'), both = path.join(dir, `${name}-both.pem`);
  fs.writeFileSync(both, keyPem + pem, { mode: 0o600 });
  return { pem, both, key: keyPem, der: new crypto.X509Certificate(pem).raw };
}
const assertion = (r, app, c, { claims = {}, header = {}, alg = 'RS256' } = {}) => {
  const now = seconds();
  const text = `${b64u({ alg, typ: 'JWT', 'x5t#S256': crypto.createHash('sha256').update(c.der).digest('base64url'), ...header })}.${b64u({ iss: app, sub: app, aud: `https://127.0.0.1:${r.port}/${r.tenant}/oauth2/v2.0/token`, jti: crypto.randomUUID(), nbf: now, iat: now, exp: now + 600, ...claims })}`;
  const options = { key: c.key, ...(alg === 'PS256' ? { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {}) };
  return `${text}.${crypto.sign('sha256', Buffer.from(text), options).toString('base64url')}`;
};
const withAssertion = (r, text, more = {}) => post(r, 'token', { grant_type: 'client_credentials', client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer', client_assertion: text, scope: 'x/.default', ...more });
const application = async (r, name, role = 'Read Only Operator', more = {}) => r.post('/v1.0/applications', { displayName: name, roleDefinitionId: r.roles[role], ...more });

testOnEngines('13 certificates of an application sign in for it, overlap, and end their tokens when they are removed', async engine => {
  const r = await prepared(engine), app = await application(r, 'with certificates'), where = `/v1.0/applications/${app.id}`;
  const one = certificate(r.tmp, 'one'), two = certificate(r.tmp, 'two');
  const add = (c, more = {}) => r.post(`${where}/addKey`, { keyCredential: { type: 'AsymmetricX509Cert', usage: 'Verify', key: c.der.toString('base64'), ...more }, proof: 'x' });
  const a = await add(one, { displayName: 'first' });
  assert.equal(a.customKeyIdentifier, crypto.createHash('sha1').update(one.der).digest('base64'));
  await r.refused(409, 'POST', `${where}/addKey`, { body: { keyCredential: { key: one.der.toString('base64') } } });
  await r.refused(400, 'POST', `${where}/addKey`, { body: { keyCredential: { key: Buffer.from(fs.readFileSync(one.both)).toString('base64') } } }); // with its private key
  await r.refused(400, 'POST', `${where}/addKey`, { body: { keyCredential: { key: 'AAAA' } } });
  const b = await add(two);
  const tokens = {};
  for (const [name, c, o] of [['one', one, {}], ['two', two, { alg: 'PS256' }], ['sha1', one, { header: { 'x5t#S256': undefined, x5t: crypto.createHash('sha1').update(one.der).digest('base64url') } }]]) {
    const t = await withAssertion(r, assertion(r, app.id, c, o));
    assert.equal(t.status, 200, `${name}: ${t.text}`);
    tokens[name] = t.json.access_token;
    await r.get('/v1.0/deviceManagement/managedDevices', { token: tokens[name] });
  }
  // each is good once, and for what it says
  const used = assertion(r, app.id, one);
  assert.equal((await withAssertion(r, used)).status, 200);
  for (const [why, text] of Object.entries({
    replayed: used,
    'for another server': assertion(r, app.id, one, { claims: { aud: 'https://login.microsoftonline.com/x/oauth2/v2.0/token' } }),
    expired: assertion(r, app.id, one, { claims: { exp: seconds() - 600 } }),
    'too long': assertion(r, app.id, one, { claims: { exp: seconds() + 86400 } }),
    'no jti': assertion(r, app.id, one, { claims: { jti: undefined } }),
    'of another': assertion(r, app.id, one, { claims: { iss: crypto.randomUUID() } }),
    'wrong key': assertion(r, app.id, { der: one.der, key: two.key }),
  })) {
    const t = await withAssertion(r, text, { client_id: app.id });
    assert.equal(t.status, 401, `${why}: ${t.text}`);
    assert.equal(t.json.error, 'invalid_client', why);
  }
  assert.equal((await withAssertion(r, assertion(r, app.id, one), { client_secret: 'x', client_id: app.id })).status, 400);
  // the old one goes: its tokens at once, the new one's stay
  const listed = (await r.get(`${where}?$select=keyCredentials`)).keyCredentials;
  assert.deepEqual(listed.map(k => k.keyId).sort(), [a.keyId, b.keyId].sort());
  assert.equal(listed[0].key, one.der.toString('base64'));
  await r.ok('POST', `${where}/removeKey`, { body: { keyId: a.keyId, proof: 'x' } });
  await r.refused(401, 'GET', '/v1.0/deviceManagement/managedDevices', { token: tokens.one });
  await r.get('/v1.0/deviceManagement/managedDevices', { token: tokens.two });
  assert.equal((await withAssertion(r, assertion(r, app.id, one))).status, 401);
  // secrets overlap in the same way
  const old = await r.post(`${where}/addPassword`, {}), fresh = await r.post(`${where}/addPassword`, {});
  const t1 = await r.signIn(r.tenant, app.id, old.secretText), t2 = await r.signIn(r.tenant, app.id, fresh.secretText);
  await r.get('/v1.0/deviceManagement/managedDevices', { token: t1 });
  await r.ok('POST', `${where}/removePassword`, { body: { keyId: old.keyId } });
  await r.refused(401, 'GET', '/v1.0/deviceManagement/managedDevices', { token: t1 });
  await r.get('/v1.0/deviceManagement/managedDevices', { token: t2 });
  const all = (await r.events()).filter(e => e.resources?.some(x => x.resourceId === app.id)), events = all.map(e => e.activityType);
  for (const type of ['addKey Application', 'removeKey Application', 'signIn Application']) assert.ok(events.includes(type), `${type}: ${events}`);
  // which credential was used is on record, once a day each
  const used4 = all.filter(e => e.activityType === 'signIn Application' && e.activityResult === 'Success');
  assert.deepEqual(used4.map(e => e.resources[0].modifiedProperties[0].newValue).sort(), [a.keyId, b.keyId, old.keyId, fresh.keyId].sort());
  for (const e of used4) assert.deepEqual([e.actor.applicationId ?? e.actor.id, e.actor.ipAddress], [app.id, '127.0.0.1']);
});

// ---- tokens of an issuer outside ----

testOnEngines('13 access tokens of a configured issuer, in both forms, and every hostile kind refused', async engine => {
  const r = await prepared(engine), idp = r.idp, now = seconds();
  const user = await r.user('eve@acme.example', {});
  const app = await application(r, 'outside', 'Read Only Operator', { externalIssuer: idp.issuer, externalClientId: APP });
  const devices = token => r.api('GET', '/v1.0/deviceManagement/managedDevices', { token });
  const v2 = { iss: idp.issuer, aud: API, azp: APP, tid: TID, oid: OID, sub: 'x', ver: '2.0', iat: now, nbf: now, exp: now + 600 };
  const v1 = { ...v2, iss: `https://sts.windows.net/${TID}/`, azp: undefined, appid: APP, ver: '1.0' };
  const good = { 'v2 app-only': idp.sign({ ...v2, roles: ['Any'], idtyp: 'app' }), 'v1 app-only': idp.sign({ ...v1, roles: ['Any'] }), PS256: idp.sign(v2, { key: idp.ps, alg: 'PS256' }), ES256: idp.sign(v2, { key: idp.es, alg: 'ES256' }), 'at+jwt': idp.sign(v2, { header: { typ: 'at+jwt' } }), 'several audiences': idp.sign({ ...v2, aud: ['other', API] }) };
  for (const [what, token] of Object.entries(good)) { const a = await devices(token); assert.equal(a.status, 200, `${what}: ${a.text}`); }
  const write = await r.api('POST', '/v1.0/users', { token: good['v2 app-only'], body: {} });
  assert.equal(write.status, 403);
  assert.match(write.headers['www-authenticate'], /error="insufficient_scope", scope="User\.ReadWrite\.All"/);

  // a key that was rolled over is found with one more look; a kid that nobody has, with no second one within the minute
  const looks = idp.hits.keys, rolled = idp.make('rolled', 'rsa', { modulusLength: 2048 });
  assert.equal((await devices(idp.sign(v2, { key: rolled }))).status, 200);
  assert.equal(idp.hits.keys, looks + 1);
  const stranger = idp.make('stranger', 'rsa', { modulusLength: 2048 }, false), wrongKid = { ...stranger, kid: 'rs' };
  const n = Buffer.from(idp.rs.publicKey.export({ type: 'spki', format: 'pem' }));
  const hmac = `${b64u({ alg: 'HS256', typ: 'at+jwt', kid: 'rs' })}.${b64u(v2)}`;
  const none = (header, sig = '') => `${b64u({ ...header, typ: 'JWT' })}.${b64u(v2)}.${sig}`;
  const twice = `${b64u('{"alg":"RS256","kid":"rs","typ":"JWT"}')}.${b64u(JSON.stringify(v2).replace('{', '{"aud":"other",'))}`;
  const hostile = {
    'alg none': none({ alg: 'none' }), 'alg none with a signature': none({ alg: 'none' }, 'AAAA'), 'alg None': none({ alg: 'None' }, 'AAAA'),
    'key confusion': `${hmac}.${crypto.createHmac('sha256', n).update(hmac).digest('base64url')}`,
    'alg of another key': idp.sign(v2, { key: { ...idp.rs, kid: 'es' } }),
    'another key under a known kid': idp.sign(v2, { key: wrongKid }),
    'unknown kid': idp.sign(v2, { key: stranger }),
    'its own key': idp.sign(v2, { key: stranger, header: { kid: undefined, jwk: stranger.jwk } }),
    'its own key set': idp.sign(v2, { key: stranger, header: { jku: `${idp.base}/keys` } }),
    crit: idp.sign(v2, { header: { crit: ['x'], x: 1 } }), b64: idp.sign(v2, { header: { b64: false } }),
    'wrong issuer': idp.sign({ ...v2, iss: `${idp.base}/other/v2.0` }), 'no issuer': idp.sign({ ...v2, iss: undefined }),
    'wrong audience': idp.sign({ ...v2, aud: 'api://other' }), 'no audience': idp.sign({ ...v2, aud: undefined }),
    expired: idp.sign({ ...v2, exp: now - 600 }), 'no exp': idp.sign({ ...v2, exp: undefined }), 'exp a text': idp.sign({ ...v2, exp: `${now + 600}` }),
    'not yet': idp.sign({ ...v2, nbf: now + 3600 }), 'issued in the future': idp.sign({ ...v2, iat: now + 3600 }),
    'another tenant of the issuer': idp.sign({ ...v2, tid: OTHER_TID }), 'no tenant': idp.sign({ ...v2, tid: undefined }),
    'v1 of another tenant': idp.sign({ ...v1, iss: `https://sts.windows.net/${OTHER_TID}/`, tid: OTHER_TID }), 'v1 issuer of another': idp.sign({ ...v1, iss: `https://sts.windows.net/${OTHER_TID}/` }),
    'an ID token by its audience': idp.sign({ ...v2, aud: CLIENT }), 'an ID token with both audiences': idp.sign({ ...v2, aud: [API, CLIENT] }),
    'an ID token by its nonce': idp.sign({ ...v2, nonce: 'n' }), 'a logout token': idp.sign({ ...v2, events: {} }), 'a logout token by its type': idp.sign(v2, { header: { typ: 'logout+jwt' } }),
    'an unknown program': idp.sign({ ...v2, azp: crypto.randomUUID() }),
    'a member twice': `${twice}.${crypto.sign('sha256', Buffer.from(twice), idp.rs.privateKey).toString('base64url')}`,
    'a changed claim': (t => `${t[0]}.${b64u({ ...v2, roles: ['More'] })}.${t[2]}`)(idp.sign(v2).split('.')),
    'too long': idp.sign({ ...v2, more: 'x'.repeat(9000) }), 'no signature': idp.sign(v2).replace(/\.[^.]*$/, '.'), 'four parts': `${idp.sign(v2)}.AA`,
  };
  for (const [what, token] of Object.entries(hostile)) {
    const a = await devices(token);
    assert.equal(a.status, 401, `${what}: ${a.status} ${a.text}`);
    assert.equal(a.headers['www-authenticate'], 'Bearer realm="reeve", error="invalid_token"', what);
    const secret = token.split('.')[1].slice(0, 40);
    assert.ok(!a.text.includes(secret) && !r.log.includes(secret), what);
  }
  // what our own authorization server says of a person is no access token either
  const none_ = await r.api('GET', '/v1.0/users', { token: null });
  assert.equal(none_.headers['www-authenticate'], 'Bearer realm="reeve"');
  const empty = await r.api('GET', '/v1.0/users', { token: null, headers: { Authorization: 'Bearer ' } });
  assert.ok([400, 401].includes(empty.status), `${empty.status}`);

  assert.equal(idp.hits.keys, looks + 1, 'unknown kids are looked for once a minute');
  // while it is away, what is known stays good
  idp.down = true;
  assert.equal((await devices(good['v2 app-only'])).status, 200);
  idp.down = false;

  // a tenant that accepts nobody's tokens, and one that accepts the same: then nobody's are taken for another's
  const b = await r.secondTenant(`Other ${engine}`);
  assert.equal((await r.api('GET', `/v1.0/users/${user.id}`, { token: b.token })).status, 404);
  const same = await r.post('/v1.0/identity/identityProviders', { '@odata.type': '#microsoft.graph.openIdConnectIdentityProvider', displayName: 'Entra', issuer: idp.issuer, clientId: 'b', clientSecret: 's3cret-of-the-client', allowedTenantIds: [OTHER_TID], apiAudiences: ['api://reeve-b'] }, { token: b.token });
  assert.equal((await devices(good['v2 app-only'])).status, 200, 'another audience is another tenant');
  assert.equal((await devices(idp.sign({ ...v2, aud: 'api://reeve-b' }))).status, 401, 'tid of A at B');
  await r.ok('PATCH', `/v1.0/identity/identityProviders/${same.id}`, { token: b.token, body: { apiAudiences: [API] } });
  assert.equal((await devices(good['v2 app-only'])).status, 401, 'nobody can tell whose it is');
  await r.ok('DELETE', `/v1.0/identity/identityProviders/${same.id}`, { token: b.token });
  assert.equal((await devices(good['v2 app-only'])).status, 200);
  // one provider for several tenants of the issuer: its document says {tenantid}
  const many = await r.post('/v1.0/identity/identityProviders', { displayName: 'Many', issuer: `${idp.base}/organizations/v2.0`, clientId: 'many', clientSecret: 's3cret-of-the-client', allowedTenantIds: [TID], apiAudiences: ['api://many'] });
  await application(r, 'outside of many', 'Read Only Operator', { externalIssuer: `${idp.base}/organizations/v2.0`, externalClientId: APP });
  assert.equal((await devices(idp.sign({ ...v2, aud: 'api://many' }))).status, 200);
  assert.equal((await devices(idp.sign({ ...v1, aud: 'api://many' }))).status, 200);
  for (const more of [{ tid: OTHER_TID, iss: `${idp.base}/${OTHER_TID}/v2.0` }, { iss: `${idp.base}/${OTHER_TID}/v2.0` }, { iss: `${idp.base}/{tenantid}/v2.0` }, { iss: `${idp.base}/organizations/v2.0` }, { tid: undefined }]) assert.equal((await devices(idp.sign({ ...v2, aud: 'api://many', ...more }))).status, 401, JSON.stringify(more));
  // nor does another tenant get them by naming the issuer more exactly
  const lure = await r.post('/v1.0/identity/identityProviders', { displayName: 'Lure', issuer: idp.issuer, clientId: 'lure', clientSecret: 's3cret-of-the-client', allowedTenantIds: [TID], apiAudiences: ['api://many'] }, { token: b.token });
  const roleOfB = (await r.all('/v1.0/roleManagement/directory/roleDefinitions', { token: b.token })).find(d => d.displayName === 'Read Only Operator').id;
  const appOfB = await r.post('/v1.0/applications', { displayName: 'lured', roleDefinitionId: roleOfB, externalIssuer: idp.issuer, externalClientId: APP }, { token: b.token });
  for (const token of [idp.sign({ ...v2, aud: 'api://many' }), idp.sign({ ...v1, aud: 'api://many' })]) assert.equal((await devices(token)).status, 401, 'nobody can tell whose it is');
  await r.ok('DELETE', `/v1.0/identity/identityProviders/${lure.id}`, { token: b.token });
  await r.ok('DELETE', `/v1.0/applications/${appOfB.id}`, { token: b.token });
  assert.equal((await devices(idp.sign({ ...v2, aud: 'api://many' }))).status, 200);
  await r.ok('DELETE', `/v1.0/identity/identityProviders/${many.id}`);
  await r.ok('PATCH', `/v1.0/applications/${app.id}`, { body: { accountEnabled: false } });
  assert.equal((await devices(good['v2 app-only'])).status, 401, 'the application is disabled');
  const told = (await r.events()).filter(e => e.activityType === 'useToken IdentityProvider');
  assert.ok(told.length >= 1 && told.length <= 3, `one a minute: ${told.length}`);
  const entered = (await r.events("activityType eq 'signIn Application' and activityResult eq 'Success'")).filter(e => e.resources[0].resourceId === app.id);
  assert.deepEqual(entered.map(e => e.resources[0].modifiedProperties[0].newValue), [r.provider.id], 'once a day for each issuer');
});

testOnEngines('13 a delegated token gives what both the person and its scopes may do, and dies with the person', async engine => {
  const r = await prepared(engine), now = seconds(), oid = crypto.randomUUID();
  const user = await r.user('dora@acme.example');
  const claims = { iss: r.idp.issuer, aud: API, azp: crypto.randomUUID(), tid: TID, oid, sub: 'pairwise', iat: now, exp: now + 600, scp: 'DeviceManagementManagedDevices.Read.All User.ReadWrite.All' };
  const ask = (where, more = {}, o = {}) => r.api(o.method ?? 'GET', where, { token: r.idp.sign({ ...claims, ...more }), ...o });
  assert.equal((await ask('/v1.0/deviceManagement/managedDevices')).status, 401, 'bound to nobody');
  await r.post(`/v1.0/users/${user.id}/identities`, { identityProviderId: r.provider.id, issuerAssignedId: `${TID}/${oid}` });
  assert.equal((await ask('/v1.0/deviceManagement/managedDevices')).status, 403, 'no role');
  await r.post('/v1.0/roleManagement/directory/roleAssignments', { principalId: user.id, roleDefinitionId: r.roles['Read Only Operator'], directoryScopeId: '/' });
  assert.equal((await ask('/v1.0/deviceManagement/managedDevices')).status, 200);
  assert.equal((await ask('/v1.0/groups')).status, 403, 'the person may, the scopes do not');
  assert.equal((await ask('/v1.0/users')).status, 200, 'a scope to write is one to read');
  assert.equal((await ask('/v1.0/users', {}, { method: 'POST', body: {} })).status, 403, 'the scope does, the person may not');
  assert.equal((await ask('/v1.0/groups', { scp: undefined, scope: 'Group.Read.All' })).status, 200, 'RFC 9068 calls it scope');
  assert.equal((await ask('/v1.0/groups', { scp: 'Directory.Everything' })).status, 403, 'an unknown name is none');
  assert.equal((await ask('/v1.0/me')).json.id, user.id);
  assert.equal((await r.events("activityType eq 'signIn User'")).filter(e => e.resources[0].resourceId === user.id).length, 1);
  await r.ok('PATCH', `/v1.0/users/${user.id}`, { body: { accountEnabled: false } });
  assert.equal((await ask('/v1.0/deviceManagement/managedDevices')).status, 401, 'disabled');
});

test('13 an issuer that lies, sends elsewhere, or does not answer gets no token in, and holds up nobody else\'s', async () => {
  const r = await prepared(), now = seconds(), issuers = ['liar', 'mover', 'slow', 'nobody'].map(x => `${r.idp.base}/${x}`);
  for (const issuer of issuers) await r.post('/v1.0/identity/identityProviders', { displayName: issuer, issuer, clientId: CLIENT, clientSecret: 's3cret-of-the-client', apiAudiences: [API] });
  const claims = iss => ({ iss, aud: API, sub: 'x', client_id: 'x', iat: now, exp: now + 600 }), ask = iss => r.api('GET', '/v1.0/users', { token: r.idp.sign(claims(iss)) });
  for (const iss of [issuers[0], issuers[1], issuers[3]]) {
    const a = await ask(iss);
    assert.equal(a.status, 503, `${iss}: ${a.text}`);
    assert.ok(a.headers['retry-after'] && !a.text.includes(r.idp.base), a.text);
  }
  const before = (await r.api('GET', '/metrics', { token: r.operatorToken })).text.match(/reeve_issuer_failures_total (\d+)/)[1];
  await ask(issuers[0]);
  assert.equal((await r.api('GET', '/metrics', { token: r.operatorToken })).text.match(/reeve_issuer_failures_total (\d+)/)[1], before, 'a failure is remembered for a while');
  const waiting = Array.from({ length: 12 }, () => ask(issuers[2]));
  await until('the slow one is asked', () => r.idp.held.length > 0, { every: 10 });
  const first = await Promise.race(waiting);
  assert.equal(first.status, 503, 'only a few wait for it');
  const started = Date.now();
  assert.equal((await ask(r.idp.issuer)).status, 401, 'another issuer answers meanwhile: it knows no such program');
  await r.get('/v1.0/users');
  assert.ok(Date.now() - started < 2000);
  assert.equal(r.idp.hits.slow, 1, 'one call at a time');
  r.idp.held.forEach(release => release());
  for (const a of await Promise.all(waiting)) assert.equal(a.status, 503);
});

// ---- people through programs ----

testOnEngines('13 a code lets a program in: allowed, denied, polled too fast, expired; refresh tokens are good once', async engine => {
  const r = await prepared(engine), begin = async () => (await post(r, 'devicecode', { client_id: 'reeve', scope: 'openid offline_access https://graph.microsoft.com/.default' })).json;
  const ada = await account(r, 'ada@acme.example'), browser = await new Browser(r).signIn('ada@acme.example');
  const d = await begin();
  assert.match(d.user_code, /^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
  assert.equal(d.verification_uri, `https://127.0.0.1:${r.port}/signin/${r.tenant}/device`);
  assert.equal((await poll(r, d)).json.error, 'authorization_pending');
  assert.equal((await poll(r, d)).json.error, 'slow_down');
  const away = await new Browser(r).open(`/signin/${r.tenant}/device`);
  assert.equal(away.status, 303);
  assert.match(away.headers.location, new RegExp(`^/signin/${r.tenant}\\?next=`));
  assert.equal((await browser.send(`/signin/${r.tenant}/device`, { action: 'find', code: d.user_code, csrf: 'x' })).status, 403, 'no CSRF token');
  assert.equal((await browser.enter(d.user_code.toLowerCase().replace('-', ' '), 'allow')).status, 200);
  const first = await poll(r, d);
  assert.equal(first.status, 200, first.text);
  assert.equal((await poll(r, d)).json.error, 'expired_token', 'good once');
  const me = await r.get('/v1.0/me', { token: first.json.access_token });
  assert.equal(me.id, ada);
  await r.get('/v1.0/deviceManagement/managedDevices', { token: first.json.access_token });
  assert.equal((await r.api('GET', '/v1.0/me', { token: first.json.id_token })).status, 401, 'an ID token of ours opens nothing');
  const event = (await r.events()).find(e => e.activityType === 'allow DeviceCode');
  assert.equal(event.actor.userId, ada);

  const denied = await begin();
  await browser.enter(denied.user_code, 'deny');
  assert.equal((await poll(r, denied)).json.error, 'access_denied');
  assert.equal((await poll(r, { device_code: 'x'.repeat(43) })).json.error, 'expired_token');
  for (let i = 0; i < 3; i++) assert.equal((await browser.enter('BBBB-BBBB')).status, 400);
  assert.equal((await browser.enter('BBBB-BBBB')).status, 429, 'five tries');
  assert.equal((await post(r, 'devicecode', { client_id: crypto.randomUUID() })).json.error, 'invalid_client');
  assert.equal((await post(r, 'devicecode', { client_id: 'reeve', scope: 'Everything.All' })).json.error, 'invalid_scope');

  const refresh = token => post(r, 'token', { grant_type: 'refresh_token', client_id: 'reeve', refresh_token: token });
  const second = await refresh(first.json.refresh_token);
  assert.equal(second.status, 200, second.text);
  assert.notEqual(second.json.refresh_token, first.json.refresh_token);
  await r.get('/v1.0/me', { token: second.json.access_token });
  assert.equal((await refresh(first.json.refresh_token)).json.error, 'invalid_grant', 'used before');
  assert.equal((await refresh(second.json.refresh_token)).json.error, 'invalid_grant', 'so whoever has the next may be a thief');
  for (const t of [first, second]) await r.refused(401, 'GET', '/v1.0/me', { token: t.json.access_token });
});

test('13 a person signs in on the command line; their token is renewed, and dies when they are disabled', async () => {
  const r = await prepared(), user = await account(r, 'carl@acme.example'), browser = await new Browser(r).signIn('carl@acme.example');
  const config = path.join(r.tmp, 'config'), env = { ...r.env(r.days), XDG_CONFIG_HOME: config };
  const login = async (...args) => {
    const child = spawn(REEVE, ['login', ...args], { env });
    let err = '';
    child.stderr.on('data', d => { err += d; });
    const ended = new Promise(done => child.on('close', done));
    const code = await until('a code', () => err.match(/Enter ([A-Z]{4}-[A-Z]{4})/)?.[1], { every: 20 });
    await browser.enter(code, 'allow');
    assert.equal(await ended, 0, err);
  };
  const run = (...args) => { try { return { code: 0, out: execFileSync(REEVE, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }) }; } catch (e) { return { code: e.status, err: e.stderr }; } };
  await login('--url', `https://127.0.0.1:${r.port}`, '--ca', r.caFile, '--tenant', r.tenant);
  const file = path.join(config, 'reeve/login.json');
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.equal(JSON.parse(run('api', 'GET', '/v1.0/me').out).id, user, 'nothing else has to be said');
  const kept = JSON.parse(fs.readFileSync(file)), own = kept[kept.current];
  fs.writeFileSync(file, JSON.stringify({ ...kept, [kept.current]: { ...own, expiresAt: 1 } }));
  const four = await Promise.all([1, 2, 3, 4].map(() => new Promise(done => spawn(REEVE, ['api', 'GET', '/v1.0/me'], { env, stdio: 'ignore' }).on('close', done))));
  assert.deepEqual(four, [0, 0, 0, 0], 'several at once renew it once');
  assert.notEqual(JSON.parse(fs.readFileSync(file))[kept.current].refreshToken, own.refreshToken);
  const sessions = await r.all(`/v1.0/users/${user}/sessions`).catch(() => []);
  await r.ok('PATCH', `/v1.0/users/${user}`, { body: { accountEnabled: false } });
  assert.equal(run('api', 'GET', '/v1.0/me').code, 77);
  assert.equal(run('logout').code, 0);
  assert.notEqual(run('api', 'GET', '/v1.0/me').code, 0);
  assert.ok(sessions.every(s => s.kind !== 'x'));
});

// ---- Microsoft's libraries ----

const AZURE = `
import { ClientCertificateCredential, ClientSecretCredential, DeviceCodeCredential } from '@azure/identity';
import { Client } from '@microsoft/microsoft-graph-client';
import { TokenCredentialAuthenticationProvider } from '@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js';
const { BASE, TENANT, APP, SECRET, CERT } = process.env, options = { authorityHost: BASE, disableInstanceDiscovery: true };
const ways = {
  secret: new ClientSecretCredential(TENANT, APP, SECRET, options),
  certificate: new ClientCertificateCredential(TENANT, APP, CERT, options),
  code: new DeviceCodeCredential({ tenantId: TENANT, clientId: 'reeve', ...options, userPromptCallback: i => console.log(JSON.stringify({ code: i.userCode, uri: i.verificationUri })) }),
};
const out = {};
await Promise.all(Object.entries(ways).map(async ([way, credential]) => {
  const authProvider = new TokenCredentialAuthenticationProvider(credential, { scopes: [BASE + '/.default'] });
  const client = Client.initWithMiddleware({ authProvider, baseUrl: BASE + '/', defaultVersion: 'v1.0', customHosts: new Set([new URL(BASE).hostname]) });
  const list = await client.api('/deviceManagement/managedDevices').get();
  const again = await credential.getToken(BASE + '/.default'); // of the library's cache, or by the refresh token: nobody is asked twice
  out[way] = { devices: list.value.map(d => d.deviceName), again: again.token.length > 20, me: way === 'code' ? (await client.api('/me').get()).userPrincipalName : null };
}));
console.log(JSON.stringify(out));
`;

test('13 @azure/identity and the Graph SDK sign in unmodified: a secret, a certificate, a code in a browser', async () => {
  const r = await prepared(), app = await application(r, 'azure'), c = certificate(r.tmp, 'azure');
  await account(r, 'bea@acme.example');
  const device = await r.device('bea@acme.example', 'personal', { name: 'azure-laptop' }), browser = await new Browser(r).signIn('bea@acme.example');
  const secret = await r.post(`/v1.0/applications/${app.id}/addPassword`, {});
  await r.post(`/v1.0/applications/${app.id}/addKey`, { keyCredential: { key: c.der.toString('base64') } });
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: r.caFile, BASE: `https://127.0.0.1:${r.port}`, TENANT: r.tenant, APP: app.id, SECRET: secret.secretText, CERT: c.both };
  const child = spawn(process.execPath, ['--input-type=module', '-e', AZURE], { cwd: here, env });
  let out = '', err = '';
  child.stdout.on('data', d => { out += d; });
  child.stderr.on('data', d => { err += d; });
  const ended = new Promise(done => child.on('close', done));
  await browser.enter(await until('a code', () => { assert.equal(child.exitCode, null, err); return out.match(/"code":"([^"]+)"/)?.[1]; }, { every: 20 }), 'allow');
  assert.equal(await ended, 0, err.slice(-3000));
  const said = JSON.parse(out.trim().split('\n').at(-1));
  for (const way of ['secret', 'certificate', 'code']) assert.deepEqual(said[way], { devices: ['azure-laptop'], again: true, me: way === 'code' ? 'bea@acme.example' : null }, way);
  device.remove();
});
