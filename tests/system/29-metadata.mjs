// SPDX-License-Identifier: Apache-2.0
// $metadata: read by OASIS' own CSDL reader; every route and every property that is answered stands in it.
import assert from 'node:assert/strict';
import { NS, model, walk } from './csdl.mjs';
import { shared, test } from './lib.mjs';
import { DM, fill, routes, world } from './world.mjs';

let w;
const one = shared(async r => { w = await world(r, {}, r.tenant, 'META'); });
test('29 $metadata is read by a CSDL reader and holds every route', async () => {
  const r = await one();
  for (const version of ['v1.0', 'beta']) {
    const m = await model(r, version);
    for (const route of routes().filter(x => x.path.startsWith('/{v}/') && !/^\/\{v\}\/\$/.test(x.path))) walk(m, route);
    // what every name refers to is there
    for (const [name, t] of Object.entries(m.schema))
      if (t.$Kind === 'EntityType' || t.$Kind === 'ComplexType')
        for (const [p, v] of Object.entries(t)) if (v?.$Type && !v.$Type.startsWith('Edm.')) assert.ok(m.schema[m.local(v.$Type)], `${name}.${p}: ${v.$Type}`);
    const state = m.schema.complianceState;
    assert.deepEqual([state.$Kind, state.inGracePeriod, state.configManager, m.schema.managementState.retirePending], ['EnumType', 254, 255, 1]);
    assert.equal(m.member('managedDevice', 'managementAgent').$Type.replace(NS, 'graph'), 'graph.managementAgentType');
    assert.equal(Boolean(m.schema.managedDevice.hardwareInformation), version === 'beta');
    assert.equal(m.schema.linuxWiFiConfiguration.$BaseType.replace(NS, 'graph'), 'graph.deviceConfiguration');
    const service = await r.get(`/${version}/`, { token: null });
    assert.equal(service['@odata.context'], `${r.url}/${version}/$metadata`);
    assert.deepEqual(service.value.map(x => x.name).sort(), Object.keys(m.container).filter(k => !k.startsWith('$')).sort());
    assert.ok(service.value.some(x => x.name === 'users' && x.kind === 'EntitySet' && x.url === 'users') && service.value.some(x => x.name === 'deviceManagement' && x.kind === 'Singleton'));
  }
});

test('29 every property of every answer is in $metadata', async () => {
  const r = await one();
  let seen = 0;
  const wrong = new Set();
  for (const version of ['v1.0', 'beta']) {
    const m = await model(r, version);
    const check = (what, name, object) => {
      if (object['@odata.type']) name = object['@odata.type'].slice(1);
      if (!name || !m.schema[m.local(name)]) { wrong.add(`${what}: no type ${name}`); return; }
      if (m.open(name) || m.local(name) === 'Json') return;
      for (const [k, v] of Object.entries(object)) {
        if (k.includes('@')) continue;
        const p = m.member(name, k);
        seen++;
        if (!p) { wrong.add(`${name} has no ${k} (${what})`); continue; }
        if (v !== null && Array.isArray(v) !== Boolean(p.$Collection) && m.local(p.$Type) !== 'Json') wrong.add(`${name}.${k} is ${JSON.stringify(v)}`);
        const t = p.$Type ?? 'Edm.String', ok = { 'Edm.String': 'string', 'Edm.Boolean': 'boolean', 'Edm.Int64': 'number', 'Edm.Int32': 'number', 'Edm.DateTimeOffset': 'string' }[t];
        for (const x of [v].flat()) {
          if (x === null) continue;
          if (ok && typeof x !== ok) wrong.add(`${name}.${k} is ${t}, not ${JSON.stringify(x)}`);
          else if (m.schema[m.local(t)]?.$Kind === 'EnumType') { if (!(x in m.schema[m.local(t)])) wrong.add(`${x} is no ${t}`); }
          else if (typeof x === 'object') check(what, t, x);
        }
      }
    };
    for (const route of routes().filter(x => x.method === 'GET' && x.access === 'bearer' && x.path.startsWith('/{v}/') && !/installation/.test(x.path))) {
      let where;
      try { where = fill(route.path, w, version); } catch { continue; }
      const a = await r.api('GET', where), at = walk(m, route);
      if (a.status !== 200 || !a.json || !at) continue;
      if (!Array.isArray(a.json.value)) check(where, at.name, a.json);
      else for (const x of a.json.value) if (typeof x === 'object') check(where, at.name, x);
    }
  }
  assert.deepEqual([...wrong], []);
  assert.ok(seen > 1500, `${seen} values`);
});
