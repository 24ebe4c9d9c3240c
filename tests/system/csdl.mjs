// SPDX-License-Identifier: Apache-2.0
// $metadata as a model, and where a route leads in it.
import assert from 'node:assert/strict';
import csdl from 'odata-csdl';

export const NS = 'microsoft.graph';

// A document as a model: types with all their members, operations by what they are bound to.
export async function model(r, version) {
  const a = await r.api('GET', `/${version}/$metadata`, { token: null });
  assert.equal(a.status, 200);
  assert.match(a.headers['content-type'], /^application\/xml/);
  const messages = [], document = csdl.xml2json(a.text, { strict: true, lineNumbers: false, messages });
  assert.deepEqual(messages, []);
  const s = document[NS], local = t => t?.replace(/^(graph|microsoft\.graph)\./, '');
  const type = name => {
    const t = s[local(name)];
    assert.ok(t, `the type ${name} is there`);
    return t;
  };
  const member = (name, m) => { for (let t = type(name); ; t = type(t.$BaseType)) { if (t[m]) return t[m]; if (!t.$BaseType) return undefined; } };
  const open = name => { for (let t = type(name); ; t = type(t.$BaseType)) { if (t.$OpenType) return true; if (!t.$BaseType) return false; } };
  const isA = (name, base) => { for (let t = local(name); t; t = local(type(t).$BaseType)) if (t === local(base)) return true; return false; };
  const operation = (name, bound, collection) => (s[name] ?? []).find?.(o => { const p = o.$Parameter[0]; return Boolean(p.$Collection) === collection && isA(bound, p.$Type); });
  return { text: a.text, schema: s, container: s[local(document.$EntityContainer)] ?? s.GraphService, type, member, open, operation, local };
}

// Where a route's path leads in the model; throws where a segment is not there.
export function walk(m, route) {
  const segments = route.path.split('/').slice(2);
  let at = m.container[segments[0]], name, collection;
  assert.ok(at, `${route.path}: ${segments[0]} in the container`);
  name = at.$Type; collection = Boolean(at.$Collection);
  for (const segment of segments.slice(1)) {
    if (segment.startsWith('{')) { assert.ok(collection, `${route.path}: ${segment} is a key of a collection`); collection = false; continue; }
    if (segment.startsWith('$') || segment.startsWith('graph.')) return;
    const bare = segment.replace(/\(.*/, ''), op = m.operation(bare, name, collection), nav = collection ? undefined : m.member(name, bare);
    assert.ok(op || nav, `${route.method} ${route.path}: '${bare}' of ${collection ? 'a collection of ' : ''}${name}`);
    if (nav) { name = nav.$Type; collection = Boolean(nav.$Collection); continue; }
    if (!op.$ReturnType?.$Type || op.$ReturnType.$Type.startsWith('Edm.')) return;
    name = op.$ReturnType.$Type; collection = Boolean(op.$ReturnType.$Collection);
    if (!m.schema[m.local(name)] || m.local(name) === 'Json') return;
  }
  return { name, collection };
}
