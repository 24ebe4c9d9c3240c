// SPDX-License-Identifier: Apache-2.0
// A second implementation of what the log's files say, for the tests: RFC 6962, C2SP signed-note, tlog-checkpoint, tlog-tiles, tlog-cosignature.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';

export const sha256 = (...parts) => crypto.createHash('sha256').update(Buffer.concat(parts)).digest();
const node = (a, b) => sha256(Buffer.from([1]), a, b);

// ---- the tree

export const commitmentOf = (salt, bytes) => crypto.createHmac('sha256', salt).update('reeve/audit-event/v1\n').update(bytes).digest();
export const entryOf = commitment => Buffer.concat([Buffer.from([1]), commitment]);

export class Tree {
  constructor(commitments) { this.commitments = commitments; this.leaves = commitments.map(c => sha256(Buffer.from([0]), entryOf(c))); this.known = new Map(); }
  hash(from, to) {
    if (to === from) return sha256();
    if (to - from === 1) return this.leaves[from];
    const key = `${from} ${to}`;
    let k = 1;
    while (k * 2 < to - from) k *= 2;
    if (!this.known.has(key)) this.known.set(key, node(this.hash(from, from + k), this.hash(from + k, to)));
    return this.known.get(key);
  }
  root(size = this.leaves.length) { return this.hash(0, size); }
  // RFC 6962, section 2.1.2
  consistency(m, n = this.leaves.length) {
    const part = (m, from, to, whole) => {
      if (m === to - from) return whole ? [] : [this.hash(from, to)];
      let k = 1;
      while (k * 2 < to - from) k *= 2;
      return m <= k ? [...part(m, from, from + k, whole), this.hash(from + k, to)] : [...part(m - k, from + k, to, false), this.hash(from, from + k)];
    };
    return m === 0 || m === n ? [] : part(m, 0, n, true);
  }
  // Every file of the tree at that size: [path, bytes].
  files(size = this.leaves.length) {
    const out = [];
    for (let level = 0, below = 1; Math.floor(size / below) > 0; level++, below *= 256)
      for (let at = 0, n = Math.floor(size / below); at < n; at += 256) {
        const width = Math.min(256, n - at), name = `${group(at / 256)}${width < 256 ? `.p/${width}` : ''}`;
        out.push([`tile/${level}/${name}`, Buffer.concat(Array.from({ length: width }, (_, i) => this.hash((at + i) * below, (at + i + 1) * below)))]);
        if (level === 0) out.push([`tile/entries/${name}`, Buffer.concat(this.commitments.slice(at, at + width).map(c => Buffer.concat([Buffer.from([0, 33]), entryOf(c)])))]);
      }
    return out;
  }
}
export const group = n => (n < 1000 ? String(n).padStart(3, '0') : `${group(Math.floor(n / 1000)).replace(/(\d{3})$/, 'x$1')}/${String(n % 1000).padStart(3, '0')}`);

// RFC 9162, section 2.1.4.2
export function consistent(m, oldRoot, n, newRoot, proof) {
  if (m === n) return proof.length === 0 && oldRoot.equals(newRoot);
  if (m === 0) return proof.length === 0;
  const path = [...proof];
  if ((m & (m - 1)) === 0) path.unshift(oldRoot);
  let fn = m - 1, sn = n - 1;
  while (fn & 1) { fn >>= 1; sn >>= 1; }
  if (!path.length) return false;
  let fr = path[0], sr = path[0];
  for (const c of path.slice(1)) {
    if (sn === 0) return false;
    if (fn & 1 || fn === sn) {
      fr = node(c, fr);
      sr = node(c, sr);
      while (!(fn & 1) && fn !== 0) { fn >>= 1; sn >>= 1; }
    } else { sr = node(sr, c); }
    fn >>= 1;
    sn >>= 1;
  }
  return sn === 0 && fr.equals(oldRoot) && sr.equals(newRoot);
}

// ---- notes

const spki = Buffer.from('302a300506032b6570032100', 'hex'), pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');
export const publicKey = raw => crypto.createPublicKey({ key: Buffer.concat([spki, raw]), format: 'der', type: 'spki' });
export const privateKey = seed => crypto.createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
export const rawPublic = key => crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32);
export const keyId = (name, type, raw) => sha256(Buffer.from(`${name}\n`), Buffer.from([type]), raw).subarray(0, 4);
export const vkeyOf = (name, type, raw) => `${name}+${keyId(name, type, raw).toString('hex')}+${Buffer.concat([Buffer.from([type]), raw]).toString('base64')}`;
export function vkey(text) {
  const [, name, id, key] = /^([^ +]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text.trimEnd()), bytes = Buffer.from(key, 'base64');
  assert.equal(id, keyId(name, bytes[0], bytes.subarray(1)).toString('hex'));
  return { name, id, type: bytes[0], raw: bytes.subarray(1) };
}

// {text, lines: [{name, id, bytes}]}
export function noteOf(note) {
  const cut = note.lastIndexOf('\n\n');
  assert.ok(cut > 0 && note.endsWith('\n'), note);
  const lines = note.slice(cut + 2, -1).split('\n').map(l => {
    const [, name, sig] = /^— (\S+) (\S+)$/.exec(l) ?? assert.fail(`no signature line: ${l}`), bytes = Buffer.from(sig, 'base64');
    return { line: l, name, id: bytes.subarray(0, 4).toString('hex'), bytes: bytes.subarray(4) };
  });
  return { text: note.slice(0, cut + 1), lines };
}
// The line of that key, checked; undefined where it has none.
export function signedBy(note, key) {
  const { text, lines } = noteOf(note), k = typeof key === 'string' ? vkey(key) : key;
  const mine = lines.filter(l => l.name === k.name && l.id === k.id);
  for (const l of mine) {
    const time = k.type === 4 ? l.bytes.readBigUInt64BE() : 0n;
    const said = Buffer.from(k.type === 4 ? `cosignature/v1\ntime ${time}\n${text}` : text);
    assert.ok(crypto.verify(null, said, publicKey(k.raw), k.type === 4 ? l.bytes.subarray(8) : l.bytes), `the signature of ${k.name}`);
    l.time = Number(time);
  }
  return mine[0];
}
export function signNote(text, name, key) {
  const signature = Buffer.concat([keyId(name, 1, rawPublic(key)), crypto.sign(null, Buffer.from(text), key)]);
  return `${text}\n— ${name} ${signature.toString('base64')}\n`;
}
export function cosign(text, name, key, seconds = Math.floor(Date.now() / 1000)) {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(seconds));
  const signature = crypto.sign(null, Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`), key);
  return `— ${name} ${Buffer.concat([keyId(name, 4, rawPublic(key)), time, signature]).toString('base64')}\n`;
}
export function checkpointOf(note) {
  const { text } = noteOf(note), [origin, size, root, ...rest] = text.split('\n');
  assert.deepEqual(rest, [''], 'no extension lines');
  assert.match(size, /^(0|[1-9]\d*)$/);
  return { origin, size: Number(size), root: Buffer.from(root, 'base64'), text };
}
