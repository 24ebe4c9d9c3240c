// SPDX-License-Identifier: Apache-2.0
// Time travel: the real server (and PostgreSQL) under libfaketime, day after day.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { MovedPostgres, REEVE, Reeve, makeRequest, sanitizers, testOnEngines, until } from './lib.mjs';
import { DM } from './world.mjs';

const hex = (r, id) => (r.engine === 'sqlite' ? `x'${id.replaceAll('-', '')}'` : `'\\x${id.replaceAll('-', '')}'`);
const count = (r, text) => Number(r.engine === 'sqlite' ? JSON.parse(r.sql(`SELECT count(*) n FROM ${text}`))[0].n : r.sql(`SELECT count(*) FROM ${text}`));
function files(r) {
  const list = execFileSync('find', [r.dir, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n');
  if (r.engine !== 'postgres') return list;
  r.sql('CHECKPOINT');
  return list.concat(execFileSync('find', [`${r.pg.host}/data/base/${r.sql(`SELECT oid FROM pg_database WHERE datname = '${r.pg.name}'`).trim()}`, '-type', 'f'], { encoding: 'utf8' }).trim().split('\n'));
}
const read = f => { try { return fs.readFileSync(f).toString('latin1').toLowerCase(); } catch (e) { if (e.code === 'ENOENT') return ''; throw e; } }; // PostgreSQL replaces files
const onDisk = (r, mark) => files(r).filter(f => read(f).includes(mark.toLowerCase()));

// In an event's bytes; PostgreSQL compresses long ones, so that its files do not show them.
const inLog = (r, mark) => count(r, r.engine === 'sqlite' ? `audit_events WHERE instr(bytes, CAST('${mark}' AS BLOB)) > 0` : `audit_events WHERE position('${mark}'::bytea in bytes) > 0`);

// What somebody needs who keeps one event: its stored bytes, its proof, the log's key.  Checked without the server, at the real time.
async function keepProof(r, id) {
  const at = name => path.join(r.tmp, name), text = r.engine === 'sqlite' ? JSON.parse(r.sql(`SELECT hex(bytes) b FROM audit_events WHERE event_id = ${hex(r, id)}`))[0].b
    : r.sql(`SELECT encode(bytes, 'hex') FROM audit_events WHERE event_id = ${hex(r, id)}`).trim();
  fs.writeFileSync(at('kept.event'), Buffer.from(text, 'hex'));
  const proof = await until('its proof', async () => { const x = await r.api('GET', `${DM}/auditEvents/${id}/proof`); return x.status === 200 && x.text; });
  fs.writeFileSync(at('kept.tlog-proof'), proof);
  const key = (await r.get(`${DM}/auditLog`)).verifierKey;
  return () => {
    const done = spawnSync(REEVE, ['audit', 'verify', '--event', at('kept.event'), '--proof', at('kept.tlog-proof'), '--key', key], { encoding: 'utf8', env: { ...process.env, ...sanitizers, HOME: r.tmp } });
    assert.equal(done.status, 0, done.stderr);
  };
}

testOnEngines('90 a year and a day: soft delete, tokens, exports, closed tenants, certificates, audit events', async engine => {
  const pg = engine === 'postgres' ? new MovedPostgres() : null;
  try {
    pg?.move(0);
    const r = await Reeve.make({ engine, database: pg?.database('moved') });
    if (pg) r.pg = { name: 'moved', host: pg.host };
    const travel = async days => {
      const end = await r.stop();
      assert.equal(end.code, 0, r.log.slice(-2000));
      pg?.move(days);
      await r.serve(days);
    };
    const op = { token: r.operatorToken }, tenantState = async id => (await r.get(`/v1.0/installation/tenants/${id}`, op)).state;

    // day 0: what is recorded under 730 days stays for them, though the setting is lowered
    const keep = days => r.ok('PATCH', `${DM}/tenantSettings`, { body: { auditRetentionDays: days } });
    await keep(730);
    await r.user('long@acme.example', { displayName: 'TIMELONGNAME' });
    await keep(365);
    const gone = await r.user('gone@acme.example', { givenName: 'TIMEGONEGIVEN', city: 'TIMEGONECITY', mobilePhone: 'TIMEGONEPHONE' });
    const back = await r.user('back@acme.example', { city: 'TIMEBACKCITY' });
    const stays = await r.user('stays@acme.example');
    const d = await r.device('stays@acme.example', 'company');
    const pair = d.pair, token = await r.enrollmentToken('stays@acme.example', 'personal'), long = await r.enrollmentToken('stays@acme.example', 'personal', { expiresInHours: 720 });
    const operation = (await r.api('POST', `/v1.0/users/${stays.id}/exportPersonalData`)).json.id, content = `/v1.0/dataPolicyOperations/${operation}/content`;
    await until('the export', async () => (await r.get(`/v1.0/dataPolicyOperations/${operation}`)).status === 'complete');
    assert.equal((await r.api('GET', content)).status, 200);
    const sealed = files(r).filter(f => /exports\//.test(f));
    assert.equal(sealed.length, 1);
    const made = (await r.events("activityType eq 'create User'")).find(e => e.resources[0].resourceId === gone.id);
    await r.ok('DELETE', `/v1.0/groups/${(await r.group('TIMEGROUPNAME')).id}`); // in events of this day alone
    const stillProved = await keepProof(r, made.id);
    // tenants: one with another subscription, one without
    const closing = {};
    for (const name of ['Alone', 'Together']) {
      const t = closing[name] = await r.secondTenant(name), o = { token: t.token };
      t.user = await r.user('closing@tenant.example', { city: `TIME${name}CITY` }, o);
      t.device = await r.device('closing@tenant.example', 'company', { token: t.token, serial: `TIME${name}SERIAL` });
      await r.ok('PATCH', `${DM}/managedDevices/${t.device.id}`, { body: { notes: `TIME${name}NOTES` }, ...o });
      if (name === 'Together') await r.ok('PUT', `/v1.0/installation/tenants/${t.id}/subscriptions/office`, { body: { status: 'Enabled' }, ...op });
      await r.closeTenant(t);
    }
    for (const u of [gone, back]) await r.ok('DELETE', `/v1.0/users/${u.id}`);
    await r.ok('POST', `/v1.0/directory/deletedItems/${back.id}/restore`);
    await r.ok('DELETE', `/v1.0/users/${back.id}`);

    await travel(2);
    assert.equal((await r.channel('terms', { token: token.token })).status, 401, 'an enrolment token of 24 hours is over');
    assert.equal((await r.channel('terms', { token: long.token })).status, 200, 'one of 30 days is not');
    assert.equal((await r.api('GET', content)).status, 200);

    await travel(29);
    assert.equal((await r.get(`/v1.0/directory/deletedItems/${gone.id}`)).id, gone.id, 'day 29: there');
    assert.equal((await r.ok('POST', `/v1.0/directory/deletedItems/${back.id}/restore`)).id, back.id, 'and can be restored');
    assert.ok([404, 410].includes((await r.api('GET', content)).status), 'the export is over');
    await until('its file is gone', () => files(r).filter(f => /exports\//.test(f)).length === 0, { seconds: 30 });
    assert.ok(onDisk(r, 'TIMEGONECITY').length > 0);

    await travel(31);
    await until('day 31: gone by itself', async () => (await r.api('GET', `/v1.0/directory/deletedItems/${gone.id}`)).status === 404, { seconds: 40 });
    await until('with its certificate', async () => (await r.all(`${DM}/erasureCertificates`)).some(c => c.certificate.subjectType === 'user'), { seconds: 60 });
    for (const m of ['TIMEGONECITY', 'TIMEGONEPHONE']) assert.deepEqual(onDisk(r, m), [], m);
    assert.equal((await r.get(`/v1.0/users/${back.id}?$select=city`)).city, 'TIMEBACKCITY', 'who was restored stays');
    assert.equal((await r.channel('terms', { token: long.token })).status, 401);

    await travel(119);
    for (const t of Object.values(closing)) {
      assert.equal(await tenantState(t.id), 'closing');
      assert.equal(count(r, `users WHERE tenant_id = ${hex(r, t.id)}`), 1, 'day 119: all is there');
      assert.equal(count(r, `managed_devices WHERE tenant_id = ${hex(r, t.id)}`), 1);
    }

    await travel(121);
    const alone = hex(r, closing.Alone.id), together = hex(r, closing.Together.id);
    await until('day 121: the tenant that was alone goes', () => count(r, `users WHERE tenant_id = ${alone}`) + count(r, `managed_devices WHERE tenant_id = ${alone}`) === 0, { seconds: 60 });
    await until('of the other one its devices', () => count(r, `managed_devices WHERE tenant_id = ${together}`) === 0, { seconds: 60 });
    assert.equal(count(r, `users WHERE tenant_id = ${together}`), 1, 'its directory stays');
    await until('the tenant itself is gone', async () => count(r, `tenants WHERE tenant_id = ${alone}`) === 0, { seconds: 60 });
    const certificates = await r.all('/v1.0/installation/erasureCertificates', op);
    assert.ok(certificates.some(c => c.certificate.trigger === 'tenantClose' && c.certificate.tenantId === closing.Alone.id), JSON.stringify(certificates).slice(0, 500));
    const archives = () => (fs.existsSync(`${r.dir}/archives`) ? fs.readdirSync(`${r.dir}/archives`) : []);
    assert.match(archives().join(), new RegExp(`^${closing.Alone.id}-\\d{4}-\\d\\d-\\d\\d\\.zip$`), 'its log is with the operator');
    await until('the other one is open again, for its directory', async () => await tenantState(closing.Together.id) === 'active', { seconds: 60 });
    assert.ok(!/audit_log_rolled_back|erasure_residue/.test(r.log), r.log.match(/.*(audit_log_rolled_back|erasure_residue).*/)?.[0]);
    for (const m of ['TIMEAloneCITY', 'TIMEAloneSERIAL', 'TIMEAloneNOTES', 'TIMETogetherNOTES']) assert.deepEqual(onDisk(r, m), [], m);
    assert.ok(onDisk(r, 'TIMETogetherCITY').length > 0);
    assert.equal(count(r, `users WHERE tenant_id = ${hex(r, r.tenant)}`), 3, 'the others are untouched');

    await travel(181);
    assert.equal(count(r, `audit_events WHERE tenant_id = ${alone}`), 0, 'a tenant\'s log goes with it');
    await until('the archive is gone with the deadline', () => archives().length === 0);
    const m = (await r.api('GET', '/metrics', op)).text;
    assert.match(m, /overdue\S* 0$/m, 'no duty is past its deadline');

    const { csr } = makeRequest(r.tmp);
    await travel(364);
    assert.equal((await r.get(`${DM}/auditEvents/${made.id}`)).id, made.id, 'day 364: the event is there');
    assert.ok(inLog(r, 'TIMEGONEGIVEN') > 0 && (engine === 'postgres' || onDisk(r, 'TIMEGONEGIVEN').length > 0));
    assert.equal((await r.channel('checkin', { items: [] }, pair)).status, 200, 'the device\'s certificate still works');
    const size = (await r.get(`${DM}/auditLog/verify`));
    assert.equal(size.verified, true);

    assert.ok(onDisk(r, 'TIMEGROUPNAME').length > 0);

    await travel(366);
    await until('day 366: the event is gone', async () => (await r.api('GET', `${DM}/auditEvents/${made.id}`)).status === 404, { seconds: 40 });
    await until('and its bytes', () => inLog(r, 'TIMEGONEGIVEN') === 0 && onDisk(r, 'TIMEGONEGIVEN').length === 0, { seconds: 40 });
    const after = await r.get(`${DM}/auditLog/verify`);
    assert.ok(after.verified && after.size >= size.size && after.expired > size.expired, JSON.stringify(after));
    const records = await r.events("activityType eq 'expire AuditEvents'"), told = Object.fromEntries(records[0].resources[0].modifiedProperties.map(p => [p.displayName, p.newValue]));
    assert.ok(told.indexes.split(/[,-]/).length > 2, `a range with a hole: ${told.indexes}`);
    assert.equal(told.policyDays, '365');
    assert.ok(inLog(r, 'TIMELONGNAME') > 0, 'what was recorded under 730 days is there');
    stillProved();
    const whole = r.cli('audit', 'verify');
    assert.equal(whole.code, 0, whole.err);
    assert.equal((await r.channel('checkin', { items: [] }, pair)).status, 401, 'a certificate that ran out is refused');
    assert.ok([401].includes((await r.channel('renew', { csr }, pair)).status), 'and cannot renew itself');
    await r.get('/v1.0/users'); // init's token works
    if (engine === 'postgres') {
      await travel(395); // the four weeks in which it expired have passed
      for (const sql of ['VACUUM FULL groups', 'ANALYZE groups', 'VACUUM FULL pg_statistic']) r.sql(sql); // the group's own row was nobody's: this server has no autovacuum
      await until('no byte is left in the files', () => onDisk(r, 'TIMEGROUPNAME').length === 0, { seconds: 40 });
      assert.ok(onDisk(r, 'TIMELONGNAME').length > 0 && inLog(r, 'TIMELONGNAME') > 0);
    } else { assert.deepEqual(onDisk(r, 'TIMEGROUPNAME'), []); }
    stillProved();
    await r.remove();
  } finally {
    for (const x of [...Reeve.all]) if (!x.kept) await x.stop('SIGKILL').catch(() => {});
    pg?.remove();
  }
});

testOnEngines('90 an agent renews its certificate in time', async engine => {
  if (engine === 'postgres') return; // the same code; a moved server is dear
  const r = await Reeve.make();
  await r.user('renew@acme.example');
  const d = await r.device('renew@acme.example', 'personal'), old = d.pair;
  d.sync();
  assert.equal(d.pair.cert, old.cert);
  await r.restart(250);
  d.sync();
  assert.notEqual(d.pair.cert, old.cert, 'after two thirds of its life');
  assert.equal((await r.channel('checkin', { items: [] }, d.pair)).status, 200);
  await r.restart(370);
  assert.equal((await r.channel('checkin', { items: [] }, d.pair)).status, 200, 'past the end of the first one');
  assert.equal((await r.channel('checkin', { items: [] }, old)).status, 401);
});
