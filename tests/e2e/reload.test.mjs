// Reloads under load, by file, by signal and by the admin API: no request fails, no connection closes, no stream notices,
// and what was replaced is freed. An invalid file in between changes nothing.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, StreamClient, chatBytes, messageBytes } from './lib/http_client.mjs';
import { descriptors, isSanitized, rss_KiB } from './lib/process.mjs';
import { Upstream } from './lib/upstream.mjs';
import { slow, sum, test, until } from './lib/util.mjs';

// A sanitizer's build sees no more in the later ones.
const kReloads = slow > 1 ? 40 : 100, kStreams = 50, kWorkers = 12;
// As many configurations that were kept would be far more than this.
const kGrowth_KiB = 12 * 1024;

let gateway, upstream;
const left = []; // Clients that a failed test leaves behind.
const streaming = new Set();

before(async () => {
  upstream = await new Upstream((call) => {
    if (call.model !== 'stream') return call.answer();
    call.begin();
    call.sent = 0;
    streaming.add(call);
  }).start();
  const tick = setInterval(() => { for (const call of streaming) call.text(`${call.sent++} `); }, 100);
  tick.unref();
  gateway = await Gateway.start(configuration(0), { limits: { idle: '60s' } });
});

after(async () => {
  for (const each of left) each.close();
  await gateway?.stop();
  await upstream.stop();
});

// Large, so that one that is not freed shows; each `turn` differs in what does not matter here.
function configuration(turn) {
  const models = { quick: { targets: [{ provider: 'up' }], timeouts: { total: `${100 + turn}s` } }, stream: { targets: [{ provider: 'up' }] } };
  for (let i = 0; i < 400; i++) {
    models[`filler-${i}-${'x'.repeat(40)}`] = { targets: [{ provider: 'up', model: `model-${i}-${'y'.repeat(100)}` }, { provider: 'spare' }], retry: { attempts: 1 + (turn % 3) } };
  }
  return { providers: { up: upstream.provider, spare: { ...upstream.provider, connections: 10 + turn } }, models, telemetry: { logs: 'info' } };
}

async function state() {
  const samples = await gateway.metrics();
  return {
    version: samples.filter(({ name, value }) => name === 'switchyard_config_info' && value === 1).map(({ labels }) => labels.hash).join(),
    accepted: sum(samples, 'switchyard_config_reloads_total', { result: 'accepted' }),
    refused: sum(samples, 'switchyard_config_reloads_total', { result: 'refused' }),
    isGood: sum(samples, 'switchyard_config_last_reload_successful'),
  };
}

const kInvalid = [
  // [text, line and column of the mistake, what is said of it]
  ['version: 1\nserver:\n  listen: ${LISTEN}\n  admin: ${ADMIN}\nproviders: { up: { type: nonsense } }\nmodels: { m: { targets: [ { provider: up } ] } }\n', 5, 26, /nonsense/],
  ['version: 1\nserver:\n  listen: ${LISTEN}\n  admin: ${ADMIN}\nproviders:\n  up: { type: local, models: { a: bundled } }\nmodels:\n  m:\n    tragets: [ { provider: up } ]\n', 9, 5, /targets/],
  ['version: 1\nserver: { listen: ${LISTEN}, admin: ${ADMIN}\nproviders: [', null, null, /./],
];

async function tryInvalid([text, line, column, says]) {
  const before = await state();
  const lines = gateway.log.length;
  await gateway.write(text);
  const reply = await gateway.reload();
  assert.ok(reply.status >= 400 && reply.status < 500, `${reply.status} ${reply.text}`);
  assert.match(reply.text, says);
  if (line) assert.match(reply.text, new RegExp(`:${line}:${column}: `));
  const now = await state();
  assert.equal(now.version, before.version);
  assert.equal(now.isGood, 0);
  assert.ok(now.refused > before.refused);
  // A mistake may have two effects, each named: one of them is the mistake itself.
  const isIt = (entry) => entry.event === 'reload_refused' && entry.line > 0 && entry.column > 0 && (!line || (entry.line === line && entry.column === column));
  const logged = await until('the log names it', () => gateway.log.slice(lines).find(isIt));
  assert.match(logged.message, says);
}

test(`${kReloads} reloads under load`, { timeout: 110_000 * slow }, async () => {
  const streams = Array.from({ length: kStreams }, (_, i) => new StreamClient(gateway.port, 'stream', i % 2 ? 'openai' : 'anthropic'));
  await Promise.all(streams.map((stream) => stream.begun()));
  const loops = [
    new RequestLoop(gateway.port, chatBytes('quick'), { workers: kWorkers / 2, pause_ms: 20 }),
    new RequestLoop(gateway.port, messageBytes('quick'), { workers: kWorkers / 2, pause_ms: 20 }),
  ];
  left.push(...streams, ...loops);
  const began = performance.now();
  const seen = new Set([(await state()).version]);
  let memory, open;
  for (let turn = 1; turn <= kReloads; turn++) {
    const before = await state();
    await gateway.write(configuration(turn));
    if (turn % 2) {
      gateway.hangUp();
      await until('the signal is obeyed', async () => (await state()).version !== before.version);
    } else {
      const reply = await gateway.reload();
      assert.equal(reply.status, 200, reply.text);
    }
    const now = await state();
    assert.notEqual(now.version, before.version);
    assert.ok(now.accepted > before.accepted && now.refused === before.refused && now.isGood === 1);
    seen.add(now.version);
    if (turn % 30 === 0) await tryInvalid(kInvalid[turn / 30 - 1]);
    if (turn === 20) [memory, open] = [rss_KiB(gateway.pid), descriptors(gateway.pid)];
  }
  assert.ok(performance.now() - began < 60_000 * slow, `${performance.now() - began} ms`);
  assert.equal(seen.size, kReloads + 1, 'each configuration has a version of its own');
  const growth = rss_KiB(gateway.pid) - memory;
  await Promise.all(loops.map((loop) => loop.stop()));
  for (const loop of loops) {
    assert.deepEqual(loop.failures, []);
    assert.equal(loop.closedByGateway, 0);
    assert.equal(loop.connections, kWorkers / 2, 'connections were closed and made again');
    assert.ok(loop.answered > 500, `${loop.answered} requests`);
  }
  for (const call of streaming) call.end();
  const sent = [...streaming].map((call) => call.sent).sort((a, b) => a - b);
  streaming.clear();
  await Promise.all(streams.map((stream) => stream.over()));
  for (const stream of streams) assert.equal(stream.outcome, 'complete');
  // Every piece arrived, in order.
  const lengths = streams.map((stream) => stream.text.trim().split(' ').length).sort((a, b) => a - b);
  assert.deepEqual(lengths, sent);
  for (const stream of streams) assert.deepEqual(stream.text.trim().split(' ').map(Number), [...Array(stream.text.trim().split(' ').length).keys()]);
  assert.ok(descriptors(gateway.pid) <= open + 4, `${open} descriptors became ${descriptors(gateway.pid)}`);
  if (!isSanitized) assert.ok(growth <= kGrowth_KiB, `${memory} KiB after 20 reloads, ${growth} KiB more after ${kReloads}`);
});

test('a reply names the configuration that served it; a file that does not change reloads to the same version', async () => {
  await gateway.write(configuration(1));
  assert.equal((await gateway.reload()).status, 200);
  const first = await state();
  const loop = new RequestLoop(gateway.port, chatBytes('quick'), { workers: 1, isGood: (reply) => reply.headers['x-switchyard-config'] === first.version });
  await until('requests', () => loop.answered >= 10);
  await loop.stop();
  assert.deepEqual(loop.failures, []);
  assert.equal((await gateway.reload()).status, 200);
  assert.equal((await state()).version, first.version);
});

test('a change of the file alone is seen', async () => {
  const before = await state();
  await gateway.write(configuration(2));
  await until('the new version', async () => (await state()).version !== before.version, 5000);
});

test('invalid files one after the other change nothing, and a valid one ends it', async () => {
  for (const each of kInvalid) await tryInvalid(each);
  await gateway.write(configuration(3));
  assert.equal((await gateway.reload()).status, 200);
  assert.equal((await state()).isGood, 1);
});
