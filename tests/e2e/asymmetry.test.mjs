// No request of less than 1 MiB costs over 100 ms of CPU, or over four times its size in memory, on either endpoint: where
// the body passes through and where it is translated.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { cpu_ms, isSanitized, peak_KiB, resetPeak, rss_KiB } from './lib/process.mjs';
import { RawConnection, requestBytes } from './lib/raw.mjs';
import { Upstream } from './lib/upstream.mjs';
import { test } from './lib/util.mjs';

const kCpu_ms = isSanitized ? 2000 : 100, kMemoryFactor = 4, kMiB = 1 << 20;
// What is not of the request: pages of stacks, of a new connection, of the allocator's rounding.
const kSlack_KiB = 1024;

let gateway, upstream;
before(async () => {
  upstream = await new Upstream((call) => call.answer()).start();
  gateway = await Gateway.start({ providers: { up: upstream.provider }, models: { m: { targets: [{ provider: 'up' }] } }, telemetry: { logs: 'warning' } }, { workers: 1 });
  for (const path of ['/v1/chat/completions', '/v1/messages']) await cost(requestBytes(path, { body: small }));
});
after(async () => {
  await gateway?.stop();
  await upstream.stop();
});

const small = { model: 'm', max_tokens: 16, messages: [{ role: 'user', content: 'hi' }] };
const text = JSON.stringify(small).slice(0, -1);
const many = (count, make) => Array.from({ length: count }, (_, i) => make(i)).join(',');

// CPU and memory that a request took, and its reply.
async function cost(bytes, pieces = 1) {
  // There is one worker: what an earlier request still costs is over when this one has its answer.
  const first = new RawConnection(gateway.port);
  assert.equal((await first.request(requestBytes('/v1/models'), 60_000)).status, 200);
  first.destroy();
  resetPeak(gateway.pid);
  const before = { cpu: cpu_ms(gateway.pid), rss: rss_KiB(gateway.pid) };
  const connection = new RawConnection(gateway.port);
  const began = performance.now();
  for (let i = 0; i < pieces; i++) {
    connection.write(Buffer.from(bytes.slice(Math.floor(bytes.length * i / pieces), Math.floor(bytes.length * (i + 1) / pieces)), 'latin1'));
    if (pieces > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  const reply = await connection.reply(20_000);
  const took = { cpu: cpu_ms(gateway.pid) - before.cpu, memory_KiB: Math.max(peak_KiB(gateway.pid) - before.rss, 0), wall: performance.now() - began };
  connection.destroy();
  return { reply, ...took };
}

const bodies = {
  'a string of 1 MB': `${text},"user":"${'x'.repeat(1_000_000)}"}`,
  'a string of 1 MB of escapes': `${text},"user":"${'\\u00e9'.repeat(160_000)}"}`,
  '1 MB of white space': `${text}${' '.repeat(1_000_000)}}`,
  '1 MB of brackets': '['.repeat(1_000_000),
  '1 MB of objects in objects': '{"a":'.repeat(200_000),
  'a member 500000 deep': `${text},"a":${'['.repeat(490_000)}${']'.repeat(490_000)}}`,
  'depth 1000, many times': `${text},"a":[${many(490, () => '['.repeat(1000) + ']'.repeat(1000))}]}`,
  '90000 members': `${text},${many(90_000, (i) => `"a${i}":1`)}}`,
  '90000 members of one name': `${text},${many(90_000, () => '"a":1')}}`,
  '25000 messages': `{"model":"m","max_tokens":16,"messages":[${many(25_000, () => '{"role":"user","content":"hi"}')}]}`,
  '30000 parts of a message': `{"model":"m","max_tokens":16,"messages":[{"role":"user","content":[${many(30_000, () => '{"type":"text","text":"hi"}')}]}]}`,
  '10000 tools': `${text},"tools":[${many(10_000, (i) => `{"name":"t${i}","input_schema":{"type":"object"}}`)}]}`,
  '300000 empty arrays': `${text},"a":[${many(300_000, () => '[]')}]}`,
  '90000 numbers': `${text},"a":[${many(90_000, () => '1.5e300')}]}`,
  'one number of 1 MB': `${text},"a":${'1'.repeat(1_000_000)}}`,
};

const kTranslated_KiB = 24 * 1024;
const cases = [];
for (const [name, body] of Object.entries(bodies)) {
  for (const path of ['/v1/chat/completions', '/v1/messages']) cases.push([`${name}, ${path}`, requestBytes(path, { body })]);
}
const kHead = 'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n';
const tiny = `${text},"user":"${'x'.repeat(20_000 - text.length)}"}`;
cases.push(
  ['20000 chunks of a byte', `${kHead}${[...tiny].map((sign) => `1\r\n${sign}\r\n`).join('')}0\r\n\r\n`],
  ['20000 chunks of a byte in 500 pieces', `${kHead}${[...tiny].map((sign) => `1\r\n${sign}\r\n`).join('')}0\r\n\r\n`, 500],
  ['20000 chunks of 40 bytes', `${kHead}${many(20_000, () => `28\r\n${' '.repeat(40)}\r\n`).replaceAll(',', '')}0\r\n\r\n`],
  ['a body of 1 MB in 500 pieces', requestBytes('/v1/chat/completions', { body: bodies['a string of 1 MB'] }), 500],
  ['a head of 60 KB in 1000 pieces', requestBytes('/v1/models', { headers: { foo: 'x'.repeat(60_000) } }), 1000],
  ['250 fields', requestBytes('/v1/models', { headers: Object.fromEntries(Array.from({ length: 250 }, (_, i) => [`a${i}`, 'x'.repeat(200)])) })],
  ['5000 fields', `GET /v1/models HTTP/1.1\r\nHost: a\r\n${'a: b\r\n'.repeat(5000)}\r\n`],
  ['1 MB of a head without an end', `GET /v1/models HTTP/1.1\r\nHost: a\r\nfoo: ${'x'.repeat(1_000_000)}`],
  ['1 MB of a trailer without an end', `${kHead}0\r\n${'a: b\r\n'.repeat(160_000)}`],
);

for (const [name, bytes, pieces] of cases) {
  test(name, { timeout: 120_000 }, async () => {
    assert.ok(bytes.length < kMiB, `${bytes.length} bytes`);
    // What else the machine does only ever adds: the cheapest of a few is what the request costs.
    let { reply, cpu, memory_KiB } = await cost(bytes, pieces);
    for (let more = 0; more < 2 && reply && cpu > kCpu_ms; more++) ({ reply, cpu, memory_KiB } = await cost(bytes, pieces));
    assert.ok(reply && reply.status < 500, `${reply?.status} ${reply?.body.slice(0, 200)}`);
    assert.ok(cpu <= kCpu_ms, `${cpu} ms of CPU for ${bytes.length} bytes (${reply.status})`);
    if (isSanitized) return;
    // A translated request is held as a tree and as canonical parts: more than its text where that is thousands of tiny
    // parts, and bounded by the number of values that a request may have.
    const isTranslated = name.endsWith('/v1/messages');
    const most = kMemoryFactor * bytes.length / 1024 + kSlack_KiB + (isTranslated ? kTranslated_KiB : 0);
    assert.ok(memory_KiB <= most, `${memory_KiB} KiB for ${bytes.length} bytes (${reply.status}), at most ${Math.round(most)}`);
    assert.ok(reply.body.length < 65_536, `an answer of ${reply.body.length} bytes`);
  });
}

// The measure sees what it is for: requests that together cost more than one may.
(isSanitized ? () => {} : test)('the measure of CPU and of memory moves', async () => {
  const before = cpu_ms(gateway.pid);
  resetPeak(gateway.pid);
  const rss = rss_KiB(gateway.pid);
  const connections = Array.from({ length: 60 }, () => new RawConnection(gateway.port));
  for (const connection of connections) connection.write(requestBytes('/v1/messages', { body: bodies['25000 messages'] }).slice(0, -1));
  await Promise.all(connections.map((connection) => connection.when('nothing', () => false, 700).catch(() => {})));
  assert.ok(peak_KiB(gateway.pid) - rss > 16 * 1024, `${peak_KiB(gateway.pid) - rss} KiB for 60 bodies that are held`);
  await Promise.all(connections.map((connection) => connection.request('}')));
  assert.ok(cpu_ms(gateway.pid) - before > 20, 'no CPU for 60 requests');
  for (const connection of connections) connection.destroy();
});
