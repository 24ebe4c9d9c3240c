// SPDX-License-Identifier: Apache-2.0
// users/delta: every user once, then what changed, in the log's order; removed people; tokens that grow old.
import assert from 'node:assert/strict';
import { shared, test, testOnEngines, until } from './lib.mjs';

const one = shared();
// Follows the links to the end of this round.
async function round(r, where, o) {
  const users = [];
  for (let next = where; ;) {
    const page = await r.get(next, o);
    users.push(...page.value);
    if (page['@odata.deltaLink']) { assert.ok(!page['@odata.nextLink']); return { users, link: page['@odata.deltaLink'] }; }
    next = page['@odata.nextLink'];
    assert.ok(next.startsWith(`${r.url}/v1.0/users/delta?`), next);
  }
}
const settled = r => until('all is sequenced', () => /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending')), { every: 50 });
const brief = list => Object.fromEntries(list.map(u => [u.id, u['@removed'] ? u['@removed'].reason : u.jobTitle]));

testOnEngines('24 users/delta: a first round of all, then created, changed, deleted, restored and erased ones', async engine => {
  const r = await one(engine), made = [];
  for (let i = 0; i < 7; i++) made.push((await r.user(`delta${i}@acme.example`, { jobTitle: 'first' })).id);
  await settled(r);
  const first = await round(r, '/v1.0/users/delta?$select=jobTitle&$top=3');
  const all = first.users.filter(u => made.includes(u.id));
  assert.deepEqual(all.map(u => u.id).sort(), [...made].sort());
  assert.deepEqual(Object.keys(all[0]).sort(), ['id', 'jobTitle']);
  await settled(r);
  assert.deepEqual((await round(r, first.link)).users, [], 'nothing happened');
  const latest = await round(r, '/v1.0/users/delta?$deltaToken=latest');
  assert.deepEqual(latest.users, []);
  const fresh = (await r.user('delta.new@acme.example', { jobTitle: 'new' })).id;
  await r.ok('PATCH', `/v1.0/users/${made[0]}`, { body: { jobTitle: 'second' } });
  await r.ok('PATCH', `/v1.0/users/${made[0]}`, { body: { jobTitle: 'third' } });
  await r.refused(400, 'PATCH', `/v1.0/users/${made[1]}`, { body: { jobTitle: 7 } });
  for (const i of [2, 3, 4]) await r.ok('DELETE', `/v1.0/users/${made[i]}`);
  await r.post(`/v1.0/directory/deletedItems/${made[3]}/restore`, {});
  await r.ok('DELETE', `/v1.0/directory/deletedItems/${made[4]}`);
  await settled(r);
  const expected = { [fresh]: 'new', [made[0]]: 'third', [made[2]]: 'changed', [made[3]]: 'first', [made[4]]: 'deleted' };
  const second = await round(r, first.link);
  assert.deepEqual(brief(second.users), expected);
  assert.deepEqual(brief((await round(r, first.link.replace('$top=3', '$top=1'))).users), expected, 'the same by pages of one');
  assert.deepEqual(brief((await round(r, latest.link)).users), expected, 'and of those who began at the end');
  assert.deepEqual((await round(r, second.link)).users, []);
  // after the erasure as before: the id, and nothing else
  await until('the erasure', async () => (await r.all('/v1.0/deviceManagement/erasureDuties')).some(d => d.trigger === 'permanentDelete' && ['scrubbed', 'copies_gone'].includes(d.state)), { seconds: 60 });
  const erased = (await round(r, first.link)).users.filter(u => u.id === made[4]);
  assert.ok(erased.length >= 1);
  for (const u of erased) assert.deepEqual(u, { id: made[4], '@removed': { reason: 'deleted' } });
});

testOnEngines('24 users/delta misses no commit, however they cross', async engine => {
  const r = await one(engine), seen = new Map();
  let { link } = await round(r, '/v1.0/users/delta?$deltatoken=latest&$select=id,jobTitle'), done = false;
  const follow = (async () => { while (!done) { const x = await round(r, link); link = x.link; for (const u of x.users) seen.set(u.id, u.jobTitle); } })();
  const ids = (await Promise.all(Array.from({ length: 120 }, async (_, i) => {
    const u = await r.user(`cross${i}@acme.example`, { jobTitle: 'a' });
    await r.ok('PATCH', `/v1.0/users/${u.id}`, { body: { jobTitle: 'b' } });
    return u.id;
  })));
  await settled(r);
  done = true;
  await follow;
  for (const u of (await round(r, link)).users) seen.set(u.id, u.jobTitle);
  assert.deepEqual(ids.filter(id => seen.get(id) !== 'b'), []);
});

test('24 users/delta refuses foreign and old tokens, and says where to begin again', async () => {
  const r = await one(), other = await r.secondTenant();
  const { link } = await round(r, '/v1.0/users/delta?$select=id');
  await r.refused(400, 'GET', link, { token: other.token });
  for (const q of ['$deltatoken=x', '$deltatoken=1.x', '$deltatoken=zz.x.y', '$filter=id eq \'x\'', '$orderby=id', '$top=0', '$skiptoken=a&$deltatoken=b', '$count=true'])
    await r.refused(400, 'GET', `/v1.0/users/delta?${q.replaceAll(' ', '%20')}`);
  await r.refused(501, 'GET', '/v1.0/users/delta?$expand=memberOf');
  assert.equal((await r.api('GET', '/v1.0/users/delta?$top=2', { headers: { Prefer: 'odata.maxpagesize=1' } })).json.value.length, 2);
  const preferred = await r.api('GET', '/v1.0/users/delta', { headers: { Prefer: 'return=minimal, odata.maxpagesize=1' } });
  assert.deepEqual([preferred.json.value.length, preferred.headers['preference-applied']], [1, 'odata.maxpagesize=1']);
  await r.restart(6);
  assert.equal((await r.api('GET', link)).status, 200);
  await r.restart(8);
  const old = await r.api('GET', link);
  assert.deepEqual([old.status, old.json.error.code, old.headers.location], [410, 'syncStateNotFound', `${r.url}/v1.0/users/delta?$select=id`]);
  // a token whose date was moved shows nothing that is older than a week
  const moved = link.replace(/deltatoken=[0-9a-f]+\./, `deltatoken=${Math.floor(Date.now() / 1000 + 8 * 86400).toString(16)}.`);
  assert.deepEqual((await round(r, moved)).users.filter(u => u['@removed']), []);
  await r.restart(0);
});
