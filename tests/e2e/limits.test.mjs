// Limits on what comes in: descriptors, heads and bodies of requests, and requests that nobody can serve.
// Limits on what an upstream sends are in answer_limits.test.mjs.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, StreamClient, chatBytes, messageBytes, quantile } from './lib/http_client.mjs';
import { limitDescriptors, startLimited } from './lib/limited_gateway.mjs';
import { cpuShare, descriptors, isSanitized, peak_KiB, resetPeak, rss_KiB } from './lib/process.mjs';
import { RawConnection, requestBytes } from './lib/raw.mjs';
import { Upstream } from './lib/upstream.mjs';
import { freePorts, slow, sum, test, until } from './lib/util.mjs';

const kClients = 400, kDescriptors = 256;
let upstream;
before(async () => {
  upstream = await new Upstream((call) => {
    if (call.model !== 'stream') return call.answer();
    call.begin();
    let count = 0;
    const timer = setInterval(() => (call.closed ? clearInterval(timer) : call.text(`${count++} `)), 100);
    return undefined;
  }).start();
});
after(() => upstream.stop());

const configuration = () => ({
  providers: { up: upstream.provider }, telemetry: { logs: 'warning' },
  models: { quick: { targets: [{ provider: 'up' }] }, stream: { targets: [{ provider: 'up' }] } },
});
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function isServed(gateway) {
  const connection = new RawConnection(gateway.port);
  const reply = await connection.request(chatBytes('quick')).catch(() => undefined);
  connection.destroy();
  return reply?.status === 200;
}

async function goesOn(streams) {
  const before = streams.map((stream) => stream.text.length);
  await until('open streams go on', () => streams.every((stream, i) => stream.text.length > before[i]));
  assert.ok(streams.every((stream) => stream.outcome === 'open'));
}

// Many more clients than there is room for, with streams already open: nothing spins, they go on, and when the clients have
// gone everything is as before.
async function press(gateway, streams, { isFull }) {
  const clients = Array.from({ length: kClients }, () => new RawConnection(gateway.port));
  await Promise.all(clients.map((client) => client.connected));
  await until('no more fit', () => isFull(clients));
  const share = await cpuShare(gateway.pid, () => wait(2000));
  assert.ok(share < 0.2 * slow, `${Math.round(share * 100)} % of a core`);
  for (const reply of clients.flatMap((client) => client.replies)) {
    assert.equal(reply.status, 503);
    assert.ok(reply.closes);
    assert.match(reply.headers['retry-after'] ?? '', /^\d+$/);
  }
  await goesOn(streams);
  const began = performance.now();
  for (const client of clients) client.destroy();
  await until('a request is served again', () => isServed(gateway), 1000);
  assert.ok(performance.now() - began <= 1000 * slow);
  await goesOn(streams);
  assert.equal(gateway.exit, null);
}

async function openStreams(gateway, count) {
  const streams = Array.from({ length: count }, () => new StreamClient(gateway.port, 'stream'));
  await Promise.all(streams.map((stream) => stream.begun()));
  return streams;
}

test(`started with ${kDescriptors} descriptors, ${kClients} clients: connections over half of them are answered 503`, { timeout: 30_000 * slow }, async () => {
  const gateway = await startLimited(configuration(), kDescriptors);
  const streams = await openStreams(gateway, 20);
  try {
    assert.ok(gateway.log.some(({ event, in_force }) => event === 'connections_lowered' && in_force <= kDescriptors / 2), gateway.stderr);
    await press(gateway, streams, { isFull: (clients) => clients.filter((client) => client.replies.length).length >= kClients - kDescriptors / 2 });
    assert.ok(descriptors(gateway.pid) < kDescriptors);
  } finally {
    for (const stream of streams) stream.close();
    await gateway.stop();
  }
});

test(`${kDescriptors} descriptors are all there are, ${kClients} clients: accepting pauses or answers 503`, { timeout: 30_000 * slow }, async () => {
  const gateway = await Gateway.start(configuration());
  const streams = await openStreams(gateway, 20);
  try {
    limitDescriptors(gateway.pid, kDescriptors);
    await press(gateway, streams, { isFull: () => descriptors(gateway.pid) >= kDescriptors - 2 });
    // As many again: nothing was lost for good.
    await press(gateway, streams, { isFull: () => descriptors(gateway.pid) >= kDescriptors - 2 });
  } finally {
    for (const stream of streams) stream.close();
    await gateway.stop();
  }
});

test('limits.connections: one too many is answered 503, and one less is room again', async () => {
  const gateway = await Gateway.start(configuration(), { limits: { connections: 10 } });
  const held = Array.from({ length: 10 }, () => new RawConnection(gateway.port));
  await until('all are in', async () => sum(await gateway.metrics(), 'switchyard_client_connections') === 10);
  const extra = new RawConnection(gateway.port);
  assert.equal((await extra.reply())?.status, 503);
  assert.equal(await isServed(gateway), false);
  assert.equal((await held[0].request(chatBytes('quick'))).status, 200);
  held[1].destroy();
  await until('there is room', () => isServed(gateway), 1000);
  for (const connection of held) connection.destroy();
  await gateway.stop();
});

test('limits.body and limits.headers: up to the limit it is served, over it 413 and 431 in the dialect', { timeout: 30_000 * slow }, async () => {
  const kBody = 100 << 10, kHeaders = 8 << 10;
  const gateway = await Gateway.start(configuration(), { limits: { body: '100KiB', headers: '8KiB' } });
  const paths = { '/v1/chat/completions': ['openai', 'invalid_request_error'], '/v1/messages': ['anthropic', 'request_too_large'] };
  const bodyOf = (size) => {
    const text = (fill) => JSON.stringify({ model: 'quick', max_tokens: 16, messages: [{ role: 'user', content: 'x'.repeat(fill) }] });
    return text(size - text(0).length);
  };
  const chunked = (body) => `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  for (const [path, [dialect, type]] of Object.entries(paths)) {
    const send = async (bytes) => {
      const connection = new RawConnection(gateway.port);
      const reply = await connection.request(bytes);
      if (reply.status !== 200) await connection.when('the close', () => connection.closed);
      connection.destroy();
      return reply;
    };
    const inChunks = (body) => `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunked(body)}`;
    for (const make of [(body) => requestBytes(path, { body }), inChunks]) {
      assert.equal((await send(make(bodyOf(kBody)))).status, 200);
      for (const size of [kBody + 1, 2 * kBody, 50 * kBody]) {
        const reply = await send(make(bodyOf(size)));
        assert.equal(reply.status, 413, `${size} bytes: ${reply.body}`);
        const value = JSON.parse(reply.body);
        assert.equal(value.error.type, type);
        assert.equal(value.type, dialect === 'anthropic' ? 'error' : undefined);
      }
    }
    const headed = (size) => requestBytes(path, { body: bodyOf(1000), headers: { foo: 'x'.repeat(size) } });
    assert.equal((await send(headed(kHeaders - 1000))).status, 200);
    for (const size of [kHeaders, 10 * kHeaders, 100 * kHeaders]) {
      const reply = await send(headed(size));
      assert.equal(reply.status, 431, `${size} bytes`);
      assert.equal(typeof JSON.parse(reply.body).error.message, 'string');
    }
  }
  await gateway.stop();
});

test('all targets down: an answer at once, and flat memory under thousands of requests', { timeout: 60_000 * slow }, async () => {
  const [one, two] = await freePorts(2);
  const provider = (port) => ({ type: 'openai_compatible', base_url: `http://127.0.0.1:${port}/v1` });
  const gateway = await Gateway.start({
    providers: { one: provider(one), two: provider(two) }, telemetry: { logs: 'error' },
    models: { m: { targets: [{ provider: 'one' }, { provider: 'two' }] } },
  });
  // For each dialect an error of its own, one that says when to come back if it is a 503.
  const isGood = (reply) => {
    const { error } = JSON.parse(reply.body);
    if (reply.status === 502) return ['upstream_error', 'api_error'].includes(error.type);
    return reply.status === 503 && ['overloaded', 'overloaded_error'].includes(error.type) && /^([1-9]|[1-5]\d|60)$/.test(reply.headers['retry-after']);
  };
  const run = async (count) => {
    const loops = [new RequestLoop(gateway.port, chatBytes('m'), { workers: 16, isGood }), new RequestLoop(gateway.port, messageBytes('m', { stream: true }), { workers: 16, isGood })];
    await until(`${count} answers`, () => loops[0].answered + loops[1].answered >= count, 30_000);
    await Promise.all(loops.map((loop) => loop.stop()));
    for (const loop of loops) assert.deepEqual(loop.failures.slice(0, 3), []);
    return loops.flatMap((loop) => loop.latencies);
  };
  await run(2000);
  resetPeak(gateway.pid);
  const memory = rss_KiB(gateway.pid);
  const latencies = await run(6000);
  assert.ok(quantile(latencies, 0.5) < 50 * slow, `median ${quantile(latencies, 0.5)} ms with 32 clients`);
  if (!isSanitized) assert.ok(peak_KiB(gateway.pid) - memory < 4096, `${peak_KiB(gateway.pid) - memory} KiB`);
  // Alone, it takes no time.
  const connection = new RawConnection(gateway.port);
  const alone = [];
  for (let i = 0; i < 50; i++) {
    const began = performance.now();
    assert.ok(isGood(await connection.request(chatBytes('m'))));
    alone.push(performance.now() - began);
  }
  connection.destroy();
  assert.ok(quantile(alone, 0.5) < 10 * slow, `median ${quantile(alone, 0.5)} ms alone`);
  await gateway.stop();
});
