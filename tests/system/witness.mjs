// SPDX-License-Identifier: Apache-2.0
// A witness (C2SP tlog-witness) of the tests' own: it checks what it is shown by itself and remembers it in a file.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import { checkpointOf, consistent, cosign, noteOf, privateKey, publicKey, rawPublic, sha256, vkey, vkeyOf } from './tlog.mjs';
import { sleep } from './lib.mjs';

const SHA256_EMPTY = sha256();

export class Witness {
  constructor(name, file) {
    Object.assign(this, { name, file, delay: 0, requests: [], logs: new Map() });
    this.key = privateKey(crypto.randomBytes(32));
    this.vkey = vkeyOf(name, 4, rawPublic(this.key));
  }
  get state() { return fs.existsSync(this.file) ? JSON.parse(fs.readFileSync(this.file, 'utf8')) : {}; }
  set state(s) { fs.writeFileSync(`${this.file}.new`, JSON.stringify(s)); fs.renameSync(`${this.file}.new`, this.file); }
  last(origin) { return this.state[origin]; }
  trust(key) { this.logs.set(vkey(key).name, vkey(key)); return this; }

  async start() {
    this.server = http.createServer((q, a) => this.serve(q, a));
    await new Promise((ok, bad) => this.server.once('error', bad).listen(this.port ?? 0, '127.0.0.1', ok));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}/shown`;
    return this;
  }
  async stop() { this.server?.closeAllConnections(); await new Promise(r => (this.server ? this.server.close(r) : r())); this.server = undefined; }
  get line() { return `witness ${this.name} ${this.vkey} ${this.url}\n`; }
  statuses(from = 0) { return this.requests.slice(from).map(x => x.status); }

  async serve(q, a) {
    const parts = [];
    for await (const p of q) parts.push(p);
    if (this.delay) await sleep(this.delay);
    const monitor = /^\/seen\/([0-9a-f]{64})\/checkpoint$/.exec(q.url);
    let x = { status: 404, body: '' };
    if (q.method === 'POST' && q.url === '/shown/add-checkpoint') {
      try { x = this.add(Buffer.concat(parts).toString('utf8')); } catch (e) { x = { status: 400, body: `${e.message}\n` }; }
      this.requests.push({ at: Date.now(), ...x });
    } else if (monitor) {
      const found = Object.entries(this.state).find(([origin]) => sha256(Buffer.from(origin)).toString('hex') === monitor[1]);
      if (found) x = { status: 200, body: found[1].note };
    }
    a.writeHead(x.status, { 'Content-Type': x.type ?? 'text/plain; charset=utf-8' }).end(x.body);
  }

  // The whole decision, without a wait in it: what was checked is what is remembered.
  add(body) {
    const cut = body.indexOf('\n\n'), head = body.slice(0, cut).split('\n'), note = body.slice(cut + 2);
    const old = /^old (0|[1-9]\d*)$/.exec(head[0]);
    if (cut < 0 || !old || head.length > 64) return { status: 400, body: 'malformed\n' };
    const oldSize = Number(old[1]), proof = head.slice(1).map(h => Buffer.from(h, 'base64'));
    if (proof.some(h => h.length !== 32)) return { status: 400, body: 'a hash has 32 bytes\n' };
    const c = checkpointOf(note), key = this.logs.get(c.origin);
    const seen = { old: oldSize, size: c.size, origin: c.origin };
    if (!key) return { status: 404, body: 'unknown log\n', ...seen };
    const mine = noteOf(note).lines.filter(l => l.name === key.name && l.id === key.id);
    if (!mine.some(l => crypto.verify(null, Buffer.from(c.text), publicKey(key.raw), l.bytes))) return { status: 403, body: 'no valid signature of the log\n', ...seen };
    if (oldSize > c.size) return { status: 400, body: 'old is larger than new\n', ...seen };
    const last = this.last(c.origin) ?? { size: 0, root: SHA256_EMPTY.toString('base64') };
    if (oldSize !== last.size) return { status: 409, type: 'text/x.tlog.size', body: `${last.size}\n`, ...seen };
    const root = Buffer.from(last.root, 'base64');
    const good = c.size === 0 ? c.root.equals(SHA256_EMPTY) && !proof.length : consistent(oldSize, root, c.size, c.root, proof);
    if (!good) return { status: 422, body: 'it does not continue what was seen\n', ...seen };
    const line = cosign(c.text, this.name, this.key);
    this.state = { ...this.state, [c.origin]: { size: c.size, root: c.root.toString('base64'), note: note + line } };
    return { status: 200, body: line, ...seen };
  }
}
