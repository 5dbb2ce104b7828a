// SIGTERM: what has been asked is answered, what cannot be in time ends with an error in its dialect, and the process is
// gone when it said it would.
import assert from 'node:assert/strict';
import { afterEach } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, StreamClient, chatBytes, messageBytes } from './lib/http_client.mjs';
import { RawConnection } from './lib/raw.mjs';
import { Upstream } from './lib/upstream.mjs';
import { fetchRaw, slow, test, until } from './lib/util.mjs';

const kStreams = 200, kDrain_ms = 3000 * slow;

const running = [];
afterEach(async () => {
  for (const each of running.splice(0).reverse()) await (each.kill ?? each.stop).call(each);
});

// `quick` answers at once; `stream` goes on until finish(), a piece every 100 ms; `silent` never says anything.
async function start() {
  const upstream = await new Upstream((call) => {
    if (call.model === 'quick') return call.answer();
    if (call.model === 'silent') return undefined;
    call.begin();
    call.text('begin ');
    call.timer = setInterval(() => (call.closed ? clearInterval(call.timer) : call.text('more ')), 100);
  }).start();
  upstream.finish = () => {
    for (const call of upstream.open) {
      clearInterval(call.timer);
      if (call.stream && call.model === 'stream') { call.text('end'); call.end(); }
    }
  };
  running.push(upstream);
  const models = Object.fromEntries(['quick', 'stream', 'silent'].map((name) => [name, { targets: [{ provider: 'up' }] }]));
  const gateway = await Gateway.start({ providers: { up: upstream.provider }, models, telemetry: { logs: 'warning' } }, { limits: { drain: `${kDrain_ms}ms`, idle: '30s' } });
  running.push(gateway);
  return { upstream, gateway };
}

async function openStreams(gateway, count) {
  const streams = Array.from({ length: count }, (_, i) => new StreamClient(gateway.port, 'stream', i % 2 ? 'openai' : 'anthropic'));
  await Promise.all(streams.map((stream) => stream.begun()));
  return streams;
}

function tally(streams) {
  const counts = {};
  for (const { outcome } of streams) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}

const readyz = (gateway) => fetchRaw(`${gateway.admin}/readyz`).then((reply) => reply.status, (error) => error.code);

async function ended(gateway, limit_ms) {
  await until('the process ends', () => gateway.exit, limit_ms / slow);
  assert.deepEqual(gateway.exit, { code: 0, signal: null }, gateway.stderr.slice(-2000));
}

test('with 200 open streams and hundreds of requests a second nothing is lost', { timeout: 60_000 * slow }, async () => {
  const { upstream, gateway } = await start();
  const streams = await openStreams(gateway, kStreams);
  const loops = [
    new RequestLoop(gateway.port, chatBytes('quick'), { workers: 6, pause_ms: 10 }),
    new RequestLoop(gateway.port, messageBytes('quick'), { workers: 4, pause_ms: 10 }),
    new RequestLoop(gateway.port, chatBytes('quick', {}, { connection: 'close' }), { workers: 4, pause_ms: 10 }),
  ];
  const answered = () => loops.reduce((total, loop) => total + loop.answered, 0);
  await until('the load runs', () => answered() >= 500, 10_000);
  const [before, began] = [answered(), performance.now()];
  gateway.child.kill('SIGTERM');
  await until('/readyz turns 503', async () => (await readyz(gateway)) === 503, 500);
  assert.equal((await fetchRaw(`${gateway.admin}/livez`)).status, 200);
  await Promise.all(loops.map((loop) => loop.done));
  for (const loop of loops) {
    assert.deepEqual(loop.failures, []);
    assert.ok(loop.refused > 0, 'the listener never closed');
  }
  // They go on meanwhile, and are asked for their end only when nobody else is served.
  assert.deepEqual(tally(streams), { open: kStreams });
  const length = streams[0].text.length;
  await until('the streams go on', () => streams[0].text.length > length);
  upstream.finish();
  await Promise.all(streams.map((stream) => stream.over()));
  assert.deepEqual(tally(streams), { complete: kStreams });
  assert.ok(streams.every((stream) => stream.text.startsWith('begin ') && stream.text.endsWith('end')));
  await ended(gateway, 1500);
  assert.ok(performance.now() - began < kDrain_ms + 1000);
  assert.ok(answered() >= before);
});

test('what is left at the limit ends with an error in its dialect, and the process with it', { timeout: 60_000 * slow }, async () => {
  const { gateway } = await start();
  const streams = await openStreams(gateway, kStreams);
  const silent = [
    { dialect: 'openai', connection: new RawConnection(gateway.port), bytes: chatBytes('silent') },
    { dialect: 'anthropic', connection: new RawConnection(gateway.port), bytes: messageBytes('silent') },
    { dialect: 'openai', connection: new RawConnection(gateway.port), bytes: chatBytes('silent', { stream: true }) },
  ];
  for (const { connection, bytes } of silent) connection.write(bytes);
  const idle = new RawConnection(gateway.port);
  assert.ok(await idle.connected);
  await until('all of it is open', async () => (await gateway.metrics()).find(({ name }) => name === 'switchyard_open_requests')?.value >= kStreams + 3);
  const began = performance.now();
  gateway.child.kill('SIGTERM');
  await Promise.all(streams.map((stream) => stream.over()));
  const took = performance.now() - began;
  assert.ok(took >= kDrain_ms - 50, `the streams ended after ${took} ms`);
  assert.deepEqual(tally(streams), { error: kStreams });
  for (const stream of streams) {
    assert.ok(stream.text.startsWith('begin '));
    assert.equal(stream.errorEvent.type, stream.dialect === 'openai' ? 'overloaded' : 'overloaded_error');
    assert.equal(typeof stream.errorEvent.message, 'string');
  }
  for (const { dialect, connection } of silent) {
    const reply = await connection.reply();
    assert.equal(reply?.status, 503, reply?.body);
    assert.equal(JSON.parse(reply.body).error.type, dialect === 'openai' ? 'overloaded' : 'overloaded_error');
    assert.match(reply.headers['retry-after'] ?? '', /^([1-9]|[1-5]\d|60)$/);
  }
  await ended(gateway, kDrain_ms + 1000 * slow - took);
  assert.ok(performance.now() - began < kDrain_ms + 1000 * slow);
  assert.equal(idle.closed, true);
  assert.ok(idle.closedAt - began < 2000 * slow, 'an idle connection stays open while the gateway drains');
});

test('a second SIGTERM stops at once; a drain with nothing open does too', async () => {
  const { gateway } = await start();
  const streams = await openStreams(gateway, 20);
  gateway.child.kill('SIGTERM');
  await until('/readyz turns 503', async () => (await readyz(gateway)) === 503, 500);
  // The first alone does not stop it.
  const length = streams[0].text.length;
  await until('the streams go on', () => streams[0].text.length > length);
  const began = performance.now();
  gateway.child.kill('SIGTERM');
  await ended(gateway, 1000);
  assert.ok(performance.now() - began < 1000 * slow);
  await Promise.all(streams.map((stream) => stream.connection.when('the end', () => stream.connection.closed)));
  assert.deepEqual(tally(streams), { cut: 20 });

  const other = await start();
  const again = performance.now();
  other.gateway.child.kill('SIGINT');
  await ended(other.gateway, 1000);
  assert.ok(performance.now() - again < 1000 * slow);
});

test('requests on kept connections are served until the connection is told to close', async () => {
  const { gateway } = await start();
  const [kept, stream] = [new RawConnection(gateway.port), new StreamClient(gateway.port, 'stream')];
  await stream.begun();
  const first = await kept.request(chatBytes('quick'));
  assert.equal(first.closes, false);
  gateway.child.kill('SIGTERM');
  await until('/readyz turns 503', async () => (await readyz(gateway)) === 503, 500);
  const second = await kept.request(chatBytes('quick'));
  assert.equal(second?.status, 200);
  assert.equal(second.closes, true);
  assert.equal((await new RawConnection(gateway.port).connected), false, 'a new connection while it drains');
});
