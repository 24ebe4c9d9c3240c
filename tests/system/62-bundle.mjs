// SPDX-License-Identifier: Apache-2.0
// The export bundle as whoever gets it checks it: with node, with a JSON Schema validator, with `reeve export verify`, and in a browser.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { chromium } from 'playwright-core';
import { REEVE, sanitizers, shared, test, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const HOSTILE = '=HYPERLINK("http://evil.example") <img src=x onerror=alert(1)> \u202egnp.exe שלום 🌿';
const one = shared();

// A person with two devices, a history in which others acted, and a name that would do harm; somebody else who must not be seen.
async function story(r) {
  const upn = 'noor.bundle@bundle.example', other = 'hidden.other@bundle.example';
  const u = await r.post('/v1.0/users', { userPrincipalName: upn, displayName: 'نور Bundle', mailNickname: 'noor', accountEnabled: true, givenName: 'نور', surname: 'Bundle', mail: upn, jobTitle: HOSTILE, department: 'Logistics', mobilePhone: '+31 6 1234 5678', businessPhones: ['+31 20 555 0199'], streetAddress: 'Keizersgracht 1', city: 'Amsterdam', country: 'NL', preferredLanguage: 'ar' });
  const o = await r.post('/v1.0/users', { userPrincipalName: other, displayName: 'Hidden Other', mailNickname: 'hidden', accountEnabled: true });
  const lap = await r.device(upn, 'personal', { name: 'noor-home', serial: 'SN-HOME-1' }), desk = await r.device(upn, 'company', { name: 'noor-desk', serial: 'SN-DESK-1' });
  for (const d of [lap, desk]) { d.sync(); await r.ok('PATCH', `${DM}/managedDevices/${d.id}`, { body: { notes: 'lent\u0009until summer; a long word: '.concat('x'.repeat(180)) } }); }
  await r.group('Bundle group', [u.id, o.id]);
  for (let i = 0; i < 30; i++) await r.ok('PATCH', `/v1.0/users/${u.id}`, { body: { department: `Logistics ${i}` } });
  return { id: u.id, upn, other };
}

async function export_(r, user, body) {
  const asked = await r.api('POST', `/v1.0/users/${user}/exportPersonalData`, { body });
  assert.equal(asked.status, 202, asked.text);
  const where = new URL(asked.headers.location).pathname;
  let last = -1;
  await until('the export is complete', async () => {
    const o = await r.get(where);
    assert.ok(o.progress >= last, 'progress only grows');
    last = o.progress;
    return o.status === 'complete';
  }, { every: 50 });
  const extra = await r.get(`${where}?$select=id,variant,form,sections,sizeBytes,sha256,expirationDateTime,requestId`);
  const got = await r.api('GET', `${where}/content`);
  assert.equal(got.bytes.length, extra.sizeBytes);
  assert.equal(crypto.createHash('sha256').update(got.bytes).digest('base64'), extra.sha256);
  return { ...extra, bytes: got.bytes, type: got.headers['content-type'] };
}

const verify = (...args) => {
  const d = spawnSync(REEVE, ['export', 'verify', ...args], { encoding: 'utf8', env: { ...process.env, ...sanitizers } });
  return { code: d.status, out: d.stdout, err: d.stderr };
};

function unpack(r, bytes, name) {
  const file = path.join(r.tmp, `${name}-${r.engine}.zip`), dir = path.join(r.tmp, `${name}-${r.engine}`);
  fs.writeFileSync(file, bytes);
  execFileSync('unzip', ['-q', file, '-d', dir]);
  const there = execFileSync('find', [dir, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n').map(f => path.relative(dir, f));
  return { file, dir, there, read: f => fs.readFileSync(path.join(dir, f)), json: f => JSON.parse(fs.readFileSync(path.join(dir, f))) };
}

// What docs/formats/export-bundle.md says, with nothing of Reeve's.
function checkByHand(b, key) {
  const m = b.json('manifest.json'), sig = b.json('manifest.sig');
  assert.equal(m.format, 'reeve/export-bundle/v2');
  assert.deepEqual(b.there.sort(), [...m.files.map(f => f.name), 'manifest.json', 'manifest.sig'].sort());
  for (const f of m.files) {
    const bytes = b.read(f.name);
    assert.equal(bytes.length, f.bytes, f.name);
    assert.equal(crypto.createHash('sha256').update(bytes).digest('hex'), f.sha256, f.name);
    if (f.rows !== undefined && f.name.endsWith('.json')) assert.equal(JSON.parse(bytes).length, f.rows, f.name);
  }
  const raw = Buffer.from(key ?? sig.publicKey, 'base64');
  const publicKey = crypto.createPublicKey({ key: Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), raw]), format: 'der', type: 'spki' });
  const text = Buffer.concat([Buffer.from('reeve/export-bundle/v2\n'), b.read('manifest.json')]);
  assert.ok(crypto.verify(null, text, publicKey, Buffer.from(sig.signature, 'base64')), 'the signature is the key\'s');
  assert.equal(sig.keyId, crypto.createHash('sha256').update(raw).digest('hex').slice(0, 16));
  return m;
}

function checkSchemas(b, m) {
  const ajv = new Ajv({ allErrors: true });
  addFormats(ajv);
  let rows = 0;
  for (const s of m.sections.filter(s => s.included)) {
    const valid = ajv.compile(b.json(`schema/${s.section}.schema.json`)), data = b.json(`data/${s.section}.json`);
    assert.ok(valid(data), `${s.section}: ${ajv.errorsText(valid.errors)}`);
    assert.equal(data.length, s.rows);
    rows += data.length;
  }
  const account = b.json('data/account.json'), valid = ajv.compile(b.json('schema/account.schema.json'));
  assert.ok(!valid([{ ...account[0], createdAt: 'yesterday' }]) && !valid([{ ...account[0], more: 1 }]), 'a schema can say no');
  return rows;
}

testOnEngines('62 bundle: whoever gets it can check all of it, and finds what was changed', async engine => {
  const r = await one(engine), p = await story(r);
  const made = await export_(r, p.upn, {});
  assert.equal(made.type, 'application/zip');
  assert.deepEqual([made.variant, made.form, made.sections, made.requestId], ['redacted', 'bundle', null, null]);
  const b = unpack(r, made.bytes, 'bundle'), m = checkByHand(b), rows = checkSchemas(b, m);
  assert.equal(m.subject.userPrincipalName, p.upn);
  const everything = b.there.map(f => b.read(f).toString()).join('\n');
  assert.ok(!everything.includes('Hidden Other') && !everything.includes(p.other));
  assert.equal(b.json('data/account.json')[0].jobTitle, HOSTILE);
  for (const f of b.there.filter(f => f.endsWith('.csv'))) assert.ok(!/(^|,|\n)"?[=+@]/.test(b.read(f).toString()), `${f} has no formula`);
  assert.ok(b.json('redactions.json').length >= 30, 'who else acted is redacted, and listed');
  assert.ok(b.json('data/auditAsTarget.json').every(e => e._record.length === 32));
  assert.ok(m.auditCheckpoint.split('\n').length >= 4);
  for (const s of m.sections) for (const k of ['purpose', 'basis', 'retention', 'recipients', 'provenance']) assert.ok(s[k] !== undefined, `${s.section} ${k}`);
  for (const o of m.omitted) assert.ok(o.reason && o.text, JSON.stringify(o));

  let v = verify(b.file, '--json');
  assert.equal(v.code, 0, v.err);
  const sum = JSON.parse(v.out);
  assert.deepEqual([sum.verified, sum.rows, sum.files, sum.keyCompared, sum.operationId], [true, rows, m.files.length, false, made.id]);
  v = verify(b.file, '--key', sum.publicKey);
  assert.equal(v.code, 0, v.err);
  assert.match(v.out, /the given one/);
  const vkey = (await r.get(`${DM}/auditLog`).catch(() => ({}))).verifierKey;
  if (vkey) assert.equal(verify(b.file, '--key', vkey).code, 0, 'the key that the audit log is known by is the same');
  v = verify(b.file, '--key', Buffer.alloc(32, 7).toString('base64'));
  assert.equal(v.code, 65);
  assert.match(v.err, /not by the given one/);
  assert.equal(verify(b.file, '--key', 'x').code, 64);
  assert.equal(verify(path.join(r.tmp, 'none.zip')).code, 66);
  assert.equal(verify(b.dir).code === 0, false);

  const copy = path.join(r.tmp, `changed-${engine}.zip`), broken = path.join(b.dir, 'data/devices.json');
  fs.writeFileSync(broken, b.read('data/devices.json').toString().replace('noor-desk', 'nobodys-x'));
  fs.copyFileSync(b.file, copy);
  execFileSync('python3', ['-c', 'import sys, zipfile\na = zipfile.ZipFile(sys.argv[1])\nwith zipfile.ZipFile(sys.argv[2], "w", zipfile.ZIP_DEFLATED) as z:\n for i in a.infolist():\n  z.writestr(i.filename, open(sys.argv[3], "rb").read() if i.filename == "data/devices.json" else a.read(i))', b.file, copy, broken]);
  v = verify(copy);
  assert.equal(v.code, 65);
  assert.match(v.err, /data\/devices\.json/);
});

test('62 bundle: variants, one page of chosen sections, and what cannot be asked for', async () => {
  const r = await one('sqlite'), p = await story(r).catch(async () => ({ upn: 'noor.bundle@bundle.example', other: 'hidden.other@bundle.example' }));
  const take = unpack(r, (await export_(r, p.upn, { variant: 'portability' })).bytes, 'portability'), m = checkByHand(take);
  checkSchemas(take, m);
  assert.ok(!take.there.some(f => /audit/.test(f)) && m.omitted.some(o => o.reason === 'not_portable'));
  const full = unpack(r, (await export_(r, p.upn, { variant: 'full', sections: ['account', 'auditAsTarget'] })).bytes, 'full');
  checkByHand(full);
  assert.deepEqual(full.there.filter(f => /^data.*json$/.test(f)).sort(), ['data/account.json', 'data/auditAsTarget.json']);
  assert.ok(full.json('redactions.json').length === 0);
  const page = await export_(r, p.upn, { form: 'page', sections: ['account', 'devices'] });
  assert.match(page.type, /^text\/html/);
  assert.ok(page.bytes.toString().startsWith('<!DOCTYPE html>') && page.bytes.toString().includes('noor-desk'));
  assert.deepEqual(page.sections, ['account', 'devices']);
  for (const bad of [{ variant: 'all' }, { form: 'pdf' }, { sections: ['nothing'] }, { sections: [] }, { sections: 'account' }, { requestId: 'x' }, { other: 1 }, { variant: 7 }]) await r.refused(400, 'POST', `/v1.0/users/${p.upn}/exportPersonalData`, { body: bad });
  await r.refused(404, 'POST', `/v1.0/users/${p.upn}/exportPersonalData`, { body: { requestId: crypto.randomUUID() } });
  const said = (await r.events("activityType eq 'exportPersonalData User'")).flatMap(e => e.resources[0].modifiedProperties).filter(c => c.displayName === 'variant').map(c => c.newValue);
  for (const v of ['redacted', 'portability', 'full']) assert.ok(said.includes(v), `an event says ${v}`);
});

// ---- in a browser ----

const luminance = c => { const [r, g, b] = c.map(v => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; }); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };

// In the page: texts with their colours, whatever is wider than the page, what was asked of the network.
const look = () => {
  const rgb = s => s.match(/[\d.]+/g).map(Number), out = [];
  const ground = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c.slice(0, 3); } return [255, 255, 255]; };
  for (const e of document.querySelectorAll('h1,h2,p,li,th,td,dt,dd,a,code,.u')) if (e.textContent.trim()) out.push({ text: e.textContent.slice(0, 40), fore: rgb(getComputedStyle(e).color).slice(0, 3), back: ground(e) });
  return { colours: out, over: document.documentElement.scrollWidth - document.documentElement.clientWidth, scripts: document.scripts.length };
};

test('62 bundle: a browser shows it, on a screen, on paper and without colour', async () => {
  const r = await one('sqlite'), user = await r.get('/v1.0/users/noor.bundle@bundle.example').catch(() => null), p = user ?? await story(r);
  const b = unpack(r, (await export_(r, p.userPrincipalName ?? p.upn, {})).bytes, 'browser');
  const page1 = path.join(b.dir, 'page.html');
  fs.writeFileSync(page1, (await export_(r, p.userPrincipalName ?? p.upn, { form: 'page', sections: ['account', 'devices', 'auditAsTarget'] })).bytes);
  const shots = process.env.REEVE_TEST_SHOTS, browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox'] });
  try {
    for (const view of ['screen', 'phone', 'paper', 'grey']) {
      const context = await browser.newContext({ viewport: { width: view === 'phone' ? 390 : view === 'paper' ? 718 : 1100, height: 1000 } });
      const page = await context.newPage(), asked = [], said = [];
      page.on('request', q => asked.push(q.url()));
      page.on('dialog', d => { said.push(d.message()); d.dismiss(); });
      page.on('console', c => { if (c.type() === 'error') said.push(c.text()); });
      if (view === 'paper') await page.emulateMedia({ media: 'print' });
      if (view === 'grey') await (await context.newCDPSession(page)).send('Emulation.setEmulatedVisionDeficiency', { type: 'achromatopsia' });
      for (const name of ['README.html', 'html/account.html', 'html/devices.html', 'html/auditAsTarget.html', 'page.html']) {
        asked.length = 0;
        await page.goto(`file://${path.join(b.dir, name)}`);
        const seen = await page.evaluate(look);
        assert.deepEqual(said, [], `${name} runs nothing and has no error`);
        assert.equal(asked.length, 1, `${name} asks for nothing`);
        assert.equal(seen.scripts, 0);
        assert.ok(seen.over <= 0, `${name} is ${seen.over} px wider than the ${view}`);
        for (const c of seen.colours) assert.ok(contrast(c.fore, c.back) >= 4.5, `${name}: "${c.text}" can be read (${contrast(c.fore, c.back)})`);
        if (shots) await page.screenshot({ path: path.join(shots, `${view}-${name.replace('/', '-')}.png`), fullPage: view !== 'paper' || true });
        if (view === 'paper') {
          const pdf = await page.pdf({ preferCSSPageSize: true });
          assert.ok(pdf.subarray(0, 5).toString() === '%PDF-' && pdf.length > 5000, `${name} prints`);
          if (shots) fs.writeFileSync(path.join(shots, `${name.replace('/', '-')}.pdf`), pdf);
        }
      }
      await page.goto(`file://${path.join(b.dir, 'README.html')}`);
      await page.click('a[href="html/devices.html"]');
      assert.match(await page.textContent('body'), /noor-desk/, 'a link of the overview leads to the section');
      await context.close();
    }
  } finally {
    await browser.close();
  }
});
