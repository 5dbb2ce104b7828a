// Clients that do not read, do not write, write too slowly or leave: what they hold is bounded, and others do not notice.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, StreamClient, chatBytes, messageBytes, quantile } from './lib/http_client.mjs';
import { isSanitized, peak_KiB, resetPeak, rss_KiB } from './lib/process.mjs';
import { RawConnection } from './lib/raw.mjs';
import { Upstream, frames } from './lib/upstream.mjs';
import { slow, sum, test, until } from './lib/util.mjs';

const kIdle_ms = 2000 * slow, kRead_ms = 1000 * slow, kLate_ms = 1000 * slow, kReleased_ms = 1000 * slow;
let gateway, upstream;

// `quick` answers, `endless` streams as fast as it is read, `silent` says nothing, `late` begins a stream and then says nothing.
before(async () => {
  upstream = await new Upstream(async (call) => {
    if (call.model === 'quick') return call.answer();
    if (call.model === 'silent') return undefined;
    call.begin();
    call.text('begin');
    if (call.model === 'late') return undefined;
    const piece = Buffer.from(frames.text('endless', 'x'.repeat(16_000)).repeat(4));
    while (!call.closed) await call.push(piece);
    return undefined;
  }).start();
  const models = Object.fromEntries(['quick', 'endless', 'silent', 'late'].map((name) => [name, { targets: [{ provider: 'up' }] }]));
  gateway = await Gateway.start({ providers: { up: upstream.provider }, models, telemetry: { logs: 'warning' } },
    { limits: { idle: `${kIdle_ms}ms`, request_read: `${kRead_ms}ms` } });
  const loop = new RequestLoop(gateway.port, chatBytes('quick'), { workers: 20 });
  await until('warm', () => loop.answered > 200);
  await loop.stop();
});

after(async () => {
  await gateway?.stop();
  await upstream.stop();
});

const of = (model) => upstream.calls.filter((call) => call.body?.model === model);
const open = (model) => of(model).filter((call) => !call.closed);
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const cancelled = async () => sum(await gateway.metrics(), 'switchyard_requests_total', { outcome: 'cancelled' });

async function quickOnce() {
  const connection = new RawConnection(gateway.port);
  const reply = await connection.request(chatBytes('quick'));
  connection.destroy();
  assert.equal(reply?.status, 200);
}

// A client that sends a request and never reads.
function stalled(bytes) {
  const socket = net.connect({ port: gateway.port, host: '127.0.0.1' });
  socket.pause();
  socket.on('error', () => {});
  socket.write(bytes);
  return socket;
}

for (const [dialect, bytes] of [['openai', chatBytes('endless', { stream: true })], ['anthropic, translated', messageBytes('endless', { stream: true })]]) {
  test(`20 stalled readers of an endless stream: ${dialect}`, { timeout: 40_000 * slow }, async () => {
    const kReaders = 20, kMost_KiB = kReaders * 128 + 16 * 1024;
    upstream.calls.length = 0;
    resetPeak(gateway.pid);
    const [memory, left] = [rss_KiB(gateway.pid), await cancelled()];
    const sockets = Array.from({ length: kReaders }, () => stalled(bytes));
    await until('all are served', () => open('endless').length === kReaders);
    // Held back: what the upstream has sent no longer grows, and it has more that does not go out.
    let sent = -1;
    await until('every upstream is held back', async () => {
      const now = open('endless').reduce((total, call) => total + call.bytes, 0);
      const isStill = now === sent;
      sent = now;
      await wait(300);
      return isStill;
    }, 20_000);
    for (const call of open('endless')) assert.ok(call.socket.writableLength > 0, 'an upstream that could send more');
    const loop = new RequestLoop(gateway.port, chatBytes('quick'), { workers: 4 });
    await until('others are served', () => loop.answered >= 200);
    await loop.stop();
    assert.deepEqual(loop.failures, []);
    assert.ok(quantile(loop.latencies, 0.99) < 100 * slow, `p99 ${quantile(loop.latencies, 0.99)} ms beside them`);
    const growth = peak_KiB(gateway.pid) - memory;
    if (!isSanitized) assert.ok(growth <= kMost_KiB, `${growth} KiB`);
    assert.equal(open('endless').length, kReaders);
    for (const socket of sockets) socket.destroy();
    await until('the upstreams are released', () => open('endless').length === 0, kReleased_ms / slow);
    await until('they are counted as cancelled', async () => (await cancelled()) === left + kReaders);
  });
}

test('a reader that reads again gets the rest', async () => {
  // The control of the test above: held back is not given up.
  upstream.calls.length = 0;
  const stream = new StreamClient(gateway.port, 'endless');
  await stream.begun();
  stream.connection.socket.pause();
  let sent = -1;
  await until('held back', async () => {
    const now = open('endless')[0].bytes;
    const isStill = now === sent;
    sent = now;
    await wait(200);
    return isStill;
  });
  stream.connection.socket.resume();
  await until('it goes on', () => open('endless')[0].bytes > sent + (1 << 20));
  stream.close();
  await until('released', () => open('endless').length === 0, kReleased_ms / slow);
});

test('1000 idle connections cost at most 8 KiB each and are closed when their time is over', { timeout: 40_000 * slow }, async () => {
  const kCount = 1000;
  const memory = rss_KiB(gateway.pid);
  const began = performance.now();
  const connections = Array.from({ length: kCount }, () => new RawConnection(gateway.port));
  assert.ok((await Promise.all(connections.map((connection) => connection.connected))).every(Boolean));
  const connected = performance.now();
  assert.ok(connected - began < 2000 * slow, `connected in ${connected - began} ms`);
  await until('all are accepted', async () => sum(await gateway.metrics(), 'switchyard_client_connections') >= kCount, 1500);
  const growth = rss_KiB(gateway.pid) - memory;
  if (!isSanitized) assert.ok(growth <= kCount * 8, `${growth} KiB for ${kCount} idle connections`);
  await quickOnce();
  await until('they are closed', () => connections.every((connection) => connection.closed), (kIdle_ms + kLate_ms * 2) / slow);
  const times = connections.map((connection) => connection.closedAt);
  assert.ok(Math.min(...times) - connected >= kIdle_ms - kLate_ms, `the first after ${Math.min(...times) - connected} ms`);
  assert.ok(Math.max(...times) - connected <= kIdle_ms + kLate_ms, `the last after ${Math.max(...times) - connected} ms`);
  for (const connection of connections) assert.deepEqual([connection.error, connection.replies.length], [null, 0]);
});

test('a connection that was used is closed when it was idle for long enough, and not before', async () => {
  const connection = new RawConnection(gateway.port);
  for (let i = 0; i < 3; i++) {
    assert.equal((await connection.request(chatBytes('quick')))?.status, 200);
    await wait(kIdle_ms / 2);
    assert.equal(connection.closed, false);
  }
  const began = performance.now() - kIdle_ms / 2;
  await connection.when('the close', () => connection.closed);
  const took = connection.closedAt - began;
  assert.ok(Math.abs(took - kIdle_ms) <= kLate_ms, `closed after ${took} ms`);
});

// Byte by byte, faster than any single wait could be too long.
function drip(connection, bytes) {
  let at = 0;
  const timer = setInterval(() => {
    if (connection.closed || at >= bytes.length) return clearInterval(timer);
    return connection.write(bytes[at++]);
  }, 50);
  connection.socket.on('close', () => clearInterval(timer));
}

const long = chatBytes('quick', { user: 'x'.repeat(20_000) });
const headOf = (bytes) => bytes.slice(0, bytes.indexOf('\r\n\r\n') + 4);
const slowClients = {
  'drips its head': [`GET /v1/models HTTP/1.1\r\nHost: a\r\nFoo: ${'x'.repeat(20_000)}`],
  'stops within its head': ['', 'GET /v1/models HTTP/1.1\r\nHost'],
  'drips its body': [long.slice(headOf(long).length), headOf(long)],
  'stops within its body': ['', long.slice(0, -1)],
  'drips its chunks': ['1\r\nx\r\n'.repeat(5000), 'POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'],
  'drips one chunk': ['x'.repeat(20_000), 'POST /v1/messages HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n'],
  'drips its second request': [`GET /v1/models HTTP/1.1\r\nHost: a\r\nFoo: ${'x'.repeat(20_000)}`, '', chatBytes('quick')],
};

test('clients that are too slow with a request are cut off in time with 408', { timeout: 20_000 * slow }, async () => {
  upstream.calls.length = 0;
  const loop = new RequestLoop(gateway.port, chatBytes('quick'), { workers: 2, pause_ms: 5 });
  await Promise.all(Object.entries(slowClients).map(async ([name, [slowly, atOnce = '', before]]) => {
    const connection = new RawConnection(gateway.port);
    if (before) assert.equal((await connection.request(before)).status, 200);
    await connection.connected;
    const began = performance.now();
    if (atOnce) connection.write(atOnce);
    if (slowly) drip(connection, slowly);
    const reply = await connection.reply();
    const took = performance.now() - began;
    assert.equal(reply?.status, 408, `${name}: ${connection.error?.code ?? reply?.status} after ${took} ms`);
    assert.equal(reply.closes, true);
    assert.ok(Math.abs(took - kRead_ms) <= kLate_ms, `${name}: cut off after ${took} ms`);
    await connection.when('the close', () => connection.closed);
  }));
  await loop.stop();
  assert.deepEqual(loop.failures, []);
  assert.ok(quantile(loop.latencies, 0.99) < 100 * slow, `p99 ${quantile(loop.latencies, 0.99)} ms beside them`);
});

test('a request that takes its time, but not too much, is served', async () => {
  const connection = new RawConnection(gateway.port);
  const bytes = chatBytes('quick');
  for (let i = 0; i < 10; i++) {
    connection.write(bytes.slice(Math.floor(bytes.length * i / 10), Math.floor(bytes.length * (i + 1) / 10)));
    await wait(50);
  }
  assert.equal((await connection.reply())?.status, 200);
  connection.destroy();
});

// Leaves by a proper close as well as by a reset.
const leavers = {
  'before the first byte of a stream': ['silent', { stream: true }],
  'before the reply that is not streamed': ['silent', {}],
  'within a stream': ['late', { stream: true }],
  'within a stream that flows': ['endless', { stream: true }],
};
for (const [name, [model, more]] of Object.entries(leavers)) {
  for (const [dialect, bytes] of [['openai', chatBytes], ['anthropic', messageBytes]]) {
    for (const how of ['end', 'resetAndDestroy']) {
      test(`a client leaves ${name} (${dialect}, ${how}): the upstream is released`, async () => {
        upstream.calls.length = 0;
        const before = await cancelled();
        const connections = Array.from({ length: 10 }, () => new RawConnection(gateway.port));
        for (const connection of connections) connection.write(bytes(model, more));
        await until('all wait', () => open(model).length === 10);
        if (model !== 'silent') await Promise.all(connections.map((connection) => connection.when('content', () => connection.reader.partial?.body.includes('begin'))));
        else await wait(100); // Nobody is released before somebody leaves.
        assert.equal(open(model).length, 10);
        const began = performance.now();
        for (const connection of connections) connection.socket[how]();
        await until('the upstreams are released', () => open(model).length === 0, kReleased_ms / slow);
        assert.ok(Math.max(...of(model).map((call) => call.closedAt)) - began <= kReleased_ms);
        await until('they are counted as cancelled', async () => (await cancelled()) === before + 10);
        for (const connection of connections) connection.destroy();
      });
    }
  }
}

// Old clients send an empty line behind a body; pipelining ones send the next request.
for (const [name, behind] of [['an empty line', '\r\n'], ['another request', chatBytes('quick')]]) {
  for (const when of ['at once', 'later']) {
    test(`a client that sends ${name} behind its request ${when}, and leaves: the upstream is released`, async () => {
      upstream.calls.length = 0;
      const connection = new RawConnection(gateway.port);
      connection.write(chatBytes('silent') + (when === 'at once' ? behind : ''));
      await until('it waits', () => open('silent').length === 1);
      if (when === 'later') {
        connection.write(behind);
        await wait(100);
      }
      connection.socket.resetAndDestroy();
      await until('the upstream is released', () => open('silent').length === 0, kReleased_ms / slow);
    });
  }
}
