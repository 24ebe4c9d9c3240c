// SPDX-License-Identifier: Apache-2.0
// Backups that forget: sealed as they are made, opened with the key of their day, and by nobody once that is destroyed.  PostgreSQL's own tools
// go through the same seal, as docs/operating/backup.md says it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ENGINES, MovedPostgres, REEVE, Reeve, sanitizers, test, until } from './lib.mjs';

const KEYS = 'backup-keys', B = '/v1.0/installation/backups';

// A Reeve with backups on: N days, files in <tmp>/backups, a second place for keys and ledger.
async function withBackups(options, days, conf = '') {
  const r = await Reeve.make({ ...options, serve: false });
  r.backups = path.join(r.tmp, 'backups');
  r.second = path.join(r.tmp, 'second');
  for (const d of [r.backups, r.second]) fs.mkdirSync(d, { mode: 0o700 });
  fs.appendFileSync(path.join(r.dir, 'reeve.conf'), `backup_dir = ${r.backups}\nbackup_days = ${days}\nkeeper_copy = ${r.second}\n${conf}`);
  r.op = { token: r.operatorToken };
  return r;
}
const sealedFiles = r => fs.readdirSync(r.backups).filter(f => f.endsWith('.reeve')).map(f => path.join(r.backups, f)).sort();
const run = (r, args, input) => {
  const done = spawnSync(REEVE, args, { input, env: r.env(r.days), maxBuffer: 1 << 28 });
  return { code: done.status, out: done.stdout, err: done.stderr.toString() };
};
const metric = async (r, name) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec((await r.api('GET', '/metrics', r.op)).text)[1]);
const installationEvents = async (r, type) => (await r.events(`activityType eq '${type}'`, r.op));

test('92 a backup is sealed, listed, verified, and gone with the key of its day', async () => {
  const r = await withBackups({}, 2);
  await r.serve();
  const gone = await r.user('before@acme.example', { city: 'BACKUPCANARYCITY' });
  await until('one by itself', () => sealedFiles(r).length === 1);
  const [asked] = await Promise.all([r.api('POST', B, r.op), ...Array.from({ length: 60 }, (_, i) => r.user(`meanwhile${i}@acme.example`))]); // writers go on
  assert.equal(asked.status, 202);
  await r.refused(403, 'POST', B);
  await r.refused(400, 'POST', B, { body: { a: 1 }, ...r.op });
  const file = await until('one that was asked for', () => sealedFiles(r)[1]);
  const bytes = fs.readFileSync(file), list = await r.all(B, r.op), keys = await r.all('/v1.0/installation/backupKeys', r.op);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.ok(!bytes.includes('BACKUPCANARYCITY') && r.bytesHave('BACKUPCANARYCITY'));
  assert.equal(list.length, 2);
  assert.deepEqual([list[0].kind, list[0].id, list[0].sizeBytes], ['database', path.basename(file), bytes.length]);
  assert.equal(keys.length, 2, 'of today and of tomorrow');
  const day = keys[0].id.slice(0, 10);
  assert.equal(list[0].keyDestructionDateTime, keys[0].destructionDateTime);
  assert.equal(Date.parse(keys[0].destructionDateTime) - Date.parse(keys[0].id), 3 * 86400e3, 'N days behind its day');
  assert.equal(await metric(r, 'reeve_backup_keys'), 2);
  assert.ok(await metric(r, 'reeve_backup_last_seconds') > Date.now() / 1000 - 60);
  assert.deepEqual([await metric(r, 'reeve_backup_failing'), await metric(r, 'reeve_keeper_copy_away')], [0, 0]);
  for (const words of [['create'], ['list'], ['keys']]) assert.equal(r.cli('backup', ...words).code, 0, words[0]);
  assert.match(r.cli('backup', 'list').out, new RegExp(path.basename(file)));

  // what is in it, with the keys of either place, beside the running server
  for (const place of [['--data', r.dir], ['--keeper', r.second]]) {
    const v = run(r, ['backup', 'verify', file, ...place]);
    assert.equal(v.code, 0, v.err);
    assert.match(v.out.toString(), /every table and index[^]*verified\s+yes/);
  }
  const opened = run(r, ['backup', 'open', '--keeper', r.second], bytes);
  assert.equal(opened.code, 0, opened.err);
  assert.equal(opened.out.subarray(0, 15).toString(), 'SQLite format 3');
  assert.ok(opened.out.includes('BACKUPCANARYCITY'));
  const bad = path.join(r.tmp, 'bad.reeve');
  fs.writeFileSync(bad, Buffer.concat([bytes.subarray(0, 5000), Buffer.from([bytes[5000] ^ 1]), bytes.subarray(5001)]));
  assert.match(run(r, ['backup', 'verify', bad, '--data', r.dir]).err, /damaged/);
  fs.writeFileSync(bad, bytes.subarray(0, bytes.length - 100));
  assert.equal(run(r, ['backup', 'verify', bad, '--data', r.dir]).code, 65);
  assert.match(run(r, ['backup', 'verify', path.join(r.dir, 'reeve.conf'), '--data', r.dir]).err, /no sealed copy/);

  // who is erased now is in it as long as the key lives
  const states = async () => (await r.all('/v1.0/deviceManagement/erasureDuties')).map(d => d.state);
  const certificates = async () => (await r.all('/v1.0/deviceManagement/erasureCertificates')).length;
  await r.ok('DELETE', `/v1.0/users/${gone.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${gone.id}`);
  await until('scrubbed, with its first certificate', async () => (await states()).includes('scrubbed') && await certificates() === 1, { seconds: 60 });
  const kept = path.join(r.tmp, 'kept.reeve'), inPlaces = () => [path.join(r.dir, 'keeper'), r.second].map(d => fs.readdirSync(path.join(d, KEYS)).filter(f => f.startsWith(day)));
  fs.copyFileSync(file, kept);
  const travel = async days => { assert.equal((await r.stop()).code, 0, r.log.slice(-2000)); await r.serve(days); };
  await travel(1); // N - 1
  assert.equal(run(r, ['backup', 'verify', kept, '--data', r.dir]).code, 0);
  assert.ok((await states()).includes('scrubbed') && await certificates() === 1);
  assert.ok(fs.existsSync(file) && inPlaces().every(l => l.some(f => f.endsWith('.key'))));
  await travel(3); // N + 1
  await until('its key is destroyed in both places', () => inPlaces().every(l => l.length === 0));
  for (const place of [['--data', r.dir], ['--keeper', r.second]]) {
    const v = run(r, ['backup', 'verify', kept, ...place]);
    assert.equal(v.code, 66, v.err);
    assert.match(v.err, new RegExp(`key of ${day} is destroyed`));
  }
  assert.equal(run(r, ['backup', 'open', '--data', r.dir], bytes).out.length, 0);
  await until('the files go, which nobody can open', () => !fs.existsSync(file));
  await until('all copies are gone, with the second certificate', async () => !(await states()).includes('scrubbed') && await certificates() === 2, { seconds: 60 });
  assert.ok((await installationEvents(r, 'destroy BackupKey')).some(e => e.resources[0].displayName === day));
  assert.ok((await installationEvents(r, 'create BackupKey')).length >= 4);
  assert.ok((await installationEvents(r, 'create Backup')).length >= 3);
  assert.equal((await installationEvents(r, 'delete Backup')).length, 1);
});

test('92 a backup that fails is loud, a value that cannot keep the promise stops the start', async () => {
  const r = await withBackups({}, 14);
  await r.serve();
  await until('one by itself', () => sealedFiles(r).length === 1);
  fs.renameSync(r.backups, `${r.backups}.away`);
  assert.equal((await r.api('POST', B, r.op)).status, 202);
  await until('the failure', async () => await metric(r, 'reeve_backup_failing') === 1);
  assert.match(r.log, /event=job_failed job=backups/);
  const failed = (await installationEvents(r, 'create Backup')).filter(e => e.activityResult === 'Failure');
  assert.equal(failed.length, 1);
  fs.renameSync(`${r.backups}.away`, r.backups);
  fs.writeFileSync(path.join(r.backups, 'backup-cut.reeve.new'), 'what a crash left');
  await r.restart(); // the wish outlives the server
  await until('it is made', () => sealedFiles(r).length === 2);
  await until('the wish is granted', () => !fs.existsSync(path.join(r.dir, 'backup-wanted')));
  assert.equal(fs.readdirSync(r.backups).length, 2);
  await r.stop();
  for (const line of ['backup_days = 22', 'backup_days = 0', `backup_dir = ${r.tmp}/nowhere`, `keeper_copy = ${r.dir}/keeper`, 'keeper_copy =']) {
    const conf = fs.readFileSync(path.join(r.dir, 'reeve.conf'), 'utf8');
    fs.writeFileSync(path.join(r.dir, 'reeve.conf'), `${conf}${line}\n`);
    const done = spawnSync(REEVE, ['serve', '--data', r.dir], { encoding: 'utf8', env: r.env(0) });
    assert.equal(done.status, 78, `${line}: ${done.stderr}`);
    fs.writeFileSync(path.join(r.dir, 'reeve.conf'), conf);
  }
});

test('92 the second place is away: nothing is erased until it is back', async () => {
  const r = await withBackups({}, 14), ledger = d => fs.readFileSync(path.join(d, 'ledger'), 'utf8'), first = path.join(r.dir, 'keeper');
  await r.serve();
  const u = await r.user('waits@acme.example', { city: 'SECONDPLACECITY' });
  fs.renameSync(r.second, `${r.second}.away`);
  await r.ok('DELETE', `/v1.0/users/${u.id}`);
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${u.id}`);
  await until('it is loud', () => /second place/.test(r.log));
  assert.equal(await metric(r, 'reeve_keeper_copy_away'), 1);
  assert.equal(ledger(first), '');
  assert.ok(r.bytesHave('SECONDPLACECITY'));
  await r.restart(); // which an absent place does not hinder
  assert.match(r.log, /event=keeper_copy_away/);
  await until('an alarm', async () => (await installationEvents(r, 'alarm KeeperCopy')).length === 1);
  assert.equal(ledger(first), '');
  fs.renameSync(`${r.second}.away`, r.second);
  await until('it is erased', () => JSON.parse(r.sql("SELECT count(*) n FROM users WHERE city = 'SECONDPLACECITY'"))[0].n === 0, { seconds: 60 });
  assert.ok(ledger(first) !== '');
  assert.equal(ledger(first), ledger(r.second));
});

// The documented way, word for word: sealed base backup, sealed write-ahead log, a new cluster from both.
if (ENGINES.includes('postgres')) test('92 PostgreSQL: pg_basebackup and the write-ahead log through the seal, and back into a new cluster', async () => {
  const pg = new MovedPostgres(false), root = process.getuid() === 0, restored = new MovedPostgres(false);
  try {
    pg.init([], 'archive_mode = on\n');
    pg.move(0);
    const r = await withBackups({ engine: 'postgres', database: pg.database('sealed') }, 14), wal = path.join(r.backups, 'wal');
    r.pg = { name: 'sealed', host: pg.host };
    fs.mkdirSync(wal, { mode: 0o700 });
    const psql = (host, text) => execFileSync('psql', ['-h', host, '-U', 'postgres', '-qAtc', text, 'sealed'], { encoding: 'utf8' }).trim();
    // The server and PostgreSQL run as one user here; docs/operating/backup.md does it with sudo.
    const program = root ? path.join(r.tmp, 'reeve') : REEVE; // that user need not see into the folder of the build
    if (root) { fs.copyFileSync(REEVE, program); fs.chmodSync(program, 0o755); fs.chmodSync(r.tmp, 0o755); execFileSync('chown', ['-R', 'postgres', r.dir, r.backups, r.second]); }
    const as = root ? ['runuser', '-u', 'postgres', '--'] : [];
    const sh = text => execFileSync(...(root ? ['runuser', ['-u', 'postgres', '--', 'bash', '-o', 'pipefail', '-c', text]] : ['bash', ['-o', 'pipefail', '-c', text]]), { encoding: 'utf8', cwd: '/', env: { ...process.env, ...sanitizers } });
    await r.serve(0, { prefix: as, program });
    const refused = await r.refused(501, 'POST', B, r.op);
    assert.match(refused.message, /docs\/operating\/backup\.md/);
    await until('keys', async () => (await r.all('/v1.0/installation/backupKeys', r.op)).length === 2);
    psql(pg.host, `ALTER SYSTEM SET archive_command = 'test ! -f ${wal}/%f.reeve && ${program} backup seal --data ${r.dir} < %p > ${wal}/%f.part && sync ${wal}/%f.part && mv ${wal}/%f.part ${wal}/%f.reeve'`);
    psql(pg.host, 'SELECT pg_reload_conf()');
    const gone = await r.user('base@acme.example', { city: 'PGBASECITY' });
    const base = path.join(r.backups, 'base-1.tar.reeve');
    sh(`${pg.bin}/pg_basebackup -h ${pg.host} -U postgres -c fast -Ft -X none -D - | ${program} backup seal --data ${r.dir} > ${base}`);
    await r.user('later@acme.example', { city: 'PGLATERCITY' });
    psql(pg.host, "SELECT pg_create_restore_point('before_the_erasure')");
    await r.ok('DELETE', `/v1.0/users/${gone.id}`);
    await r.ok('DELETE', `/v1.0/directory/deletedItems/${gone.id}`);
    await until('one of them is erased', () => psql(pg.host, `SELECT count(*) FROM users WHERE user_id = '\\x${gone.id.replaceAll('-', '')}'`) === '0');
    const segment = psql(pg.host, 'SELECT pg_walfile_name(pg_current_wal_lsn())');
    psql(pg.host, 'SELECT pg_switch_wal()');
    await until('the segment is archived', () => fs.existsSync(path.join(wal, `${segment}.reeve`)));
    const list = await r.all(B, r.op);
    assert.ok(list.some(f => f.id === 'base-1.tar.reeve' && f.kind === 'stream') && list.some(f => f.id === `wal/${segment}.reeve`));
    for (const f of list) assert.ok(!/PG(BASE|LATER)CITY/.test(fs.readFileSync(path.join(r.backups, f.id)).toString('latin1')), f.id);
    assert.equal(run(r, ['backup', 'verify', base, '--keeper', r.second]).code, 0);
    await r.stop();

    // another machine: the second place, the sealed files, an empty cluster
    sh(`mkdir -m 700 ${restored.host}/data && ${program} backup open --keeper ${r.second} < ${base} | tar -x -C ${restored.host}/data`);
    sh(`rm -f ${restored.host}/data/postgresql.auto.conf && sed -i "s#${pg.host}#${restored.host}#" ${restored.host}/data/postgresql.conf`);
    sh(`echo "restore_command = '${program} backup open --keeper ${r.second} < ${wal}/%f.reeve > %p'" >> ${restored.host}/data/postgresql.conf && touch ${restored.host}/data/recovery.signal`);
    sh(`printf "recovery_target_name = 'before_the_erasure'\nrecovery_target_action = promote\n" >> ${restored.host}/data/postgresql.conf`);
    restored.move(0);
    await until('the recovery has ended', () => psql(restored.host, 'SELECT pg_is_in_recovery()') === 'f');
    assert.equal(psql(restored.host, "SELECT string_agg(city, ',' ORDER BY city) FROM users WHERE city LIKE 'PG%CITY'"), 'PGBASECITY,PGLATERCITY');

    // whoever was erased since goes again before the first answer
    const secret = path.join(r.dir, 'secrets/database');
    fs.writeFileSync(secret, fs.readFileSync(secret, 'utf8').replaceAll(pg.host, restored.host));
    r.pg.host = restored.host;
    await r.serve(0, { prefix: as, program });
    assert.equal(psql(restored.host, "SELECT string_agg(city, ',') FROM users WHERE city LIKE 'PG%CITY'"), 'PGLATERCITY');
    assert.equal((await r.all('/v1.0/installation/restoreReports', r.op)).length, 1);
    await r.stop();
  } finally {
    restored.remove();
    pg.remove();
  }
});
