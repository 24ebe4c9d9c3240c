// SPDX-License-Identifier: Apache-2.0
// A small file system of a test's own, and filling it.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { Reeve } from './lib.mjs';

export const root = process.getuid() === 0;
export const mount = (where, size) => { assert.ok(root, 'not run: only root can mount a small file system'); execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', where]); };
export async function unmount(where) {
  for (const x of Reeve.all) await x.stop('SIGKILL').catch(() => {});
  spawnSync('umount', ['-l', where]);
  fs.rmSync(where, { recursive: true, force: true });
}
export const free = where => { const s = fs.statfsSync(where); return s.bavail * s.bsize; };
export function fill(where, leave) {
  for (let n = free(where) - leave; n > 0; n = free(where) - leave) {
    try { fs.appendFileSync(path.join(where, 'ballast'), Buffer.alloc(Math.min(n, 1 << 24))); } catch (e) { assert.equal(e.code, 'ENOSPC'); return; }
  }
}
export const drain = where => fs.rmSync(path.join(where, 'ballast'), { force: true });
