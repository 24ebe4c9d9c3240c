// SPDX-License-Identifier: Apache-2.0
// Every checkpoint that a server ever showed: one root for a size (I3), and all of one tree.
import assert from 'node:assert/strict';
import { sleep, until } from './lib.mjs';
import { Tree, checkpointOf, sha256, signedBy, vkey } from './tlog.mjs';

const raw = id => id.replaceAll('-', '');
export const idIn = (r, id) => (r.engine === 'sqlite' ? `x'${raw(id)}'` : `'\\x${raw(id)}'`);
export const hexOf = (r, column) => (r.engine === 'sqlite' ? `lower(hex(${column}))` : `encode(${column}, 'hex')`);
export const values = (r, text) => (r.engine === 'sqlite' ? JSON.parse(r.sql(text) || '[]').map(x => String(x.v)) : r.sql(text).trim().split('\n').filter(Boolean));
export const checkpoint = (r, o) => r.api('GET', '/v1.0/deviceManagement/auditLog/checkpoint', { timeout: 5000, ...o });

// The tree over the commitments that the database holds.
export function treeIn(r, tenant = r.tenant) {
  const all = values(r, `SELECT ${hexOf(r, 'content')} AS v FROM audit_tiles WHERE tenant_id = ${idIn(r, tenant)} AND level = 0 ORDER BY tile`).join('');
  return new Tree(Array.from({ length: all.length / 64 }, (_, i) => Buffer.from(all.slice(i * 64, i * 64 + 64), 'hex')));
}

export class Heads {
  seen = new Map(); // origin -> size -> root
  stopped = false;
  workers = [];
  add(note) {
    const c = checkpointOf(note), sizes = this.seen.get(c.origin) ?? new Map(), root = c.root.toString('base64');
    if (this.key) assert.ok(signedBy(note, { ...this.key, name: c.origin, id: this.id(c.origin) }), `signed by the log's key: ${note}`);
    assert.equal(sizes.get(c.size) ?? root, root, `two roots for size ${c.size} of ${c.origin}`);
    sizes.set(c.size, root);
    this.seen.set(c.origin, sizes);
    return c;
  }
  id(name) { return sha256(Buffer.from(`${name}\n`), Buffer.from([1]), this.key.raw).subarray(0, 4).toString('hex'); }
  // Asks again and again until stop(); a server that is away is asked on.
  watch(r, every = 40) {
    this.workers.push((async () => {
      while (!this.stopped) {
        const a = await checkpoint(r).catch(() => null);
        if (a?.status === 200) { try { this.add(a.text); } catch (e) { this.wrong ??= e; } }
        await sleep(every);
      }
    })());
    return this;
  }
  async stop() {
    this.stopped = true;
    await Promise.all(this.workers);
    if (this.wrong) throw this.wrong;
  }
  async trust(r) { this.key = vkey((await r.get('/v1.0/deviceManagement/auditLog/verify')).verifierKey); }
  origins() { return [...this.seen.keys()]; }
  // All that was seen of an origin, up to a size, are roots of the tree.
  areOf(tree, origin, most = Infinity) {
    let n = 0;
    for (const [size, root] of this.seen.get(origin) ?? [])
      if (size <= most) { assert.equal(tree.root(size).toString('base64'), root, `${origin} at ${size}`); n++; }
    return n;
  }
}

export const pendingNone = r => /^(\[\{"n":0\}\]|0)\s*$/.test(r.sql('SELECT count(*) n FROM audit_pending'));
// Nothing waits, and what is signed is all that there is.
export async function settled(r, seconds = 30) {
  let c;
  await until('all is sequenced and signed', async () => {
    if (!pendingNone(r)) return false;
    const size = Number(values(r, `SELECT size AS v FROM audit_heads WHERE tenant_id = ${idIn(r, r.tenant)}`)[0]);
    const a = await checkpoint(r);
    c = a.status === 200 && checkpointOf(a.text);
    return c && c.size === size && a.text;
  }, { seconds });
  return c;
}
