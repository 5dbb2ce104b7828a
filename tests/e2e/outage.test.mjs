// An upstream that is killed under load and comes back: whoever has seen nothing yet is served by the second target, whoever
// is in the middle is told, nobody hangs; and afterwards the first target has its traffic again.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, StreamClient, chatBytes } from './lib/http_client.mjs';
import { RawConnection } from './lib/raw.mjs';
import { startStreamServer } from './lib/stream_server.mjs';
import { Upstream } from './lib/upstream.mjs';
import { slow, sum, test, until } from './lib/util.mjs';

const kStreams = 200;
let gateway, first, second;

before(async () => {
  first = await startStreamServer();
  second = await new Upstream((call) => call.answer('second')).start();
  const targets = [{ provider: 'first' }, { provider: 'second' }];
  const timeouts = { connect: '1s', first_token: '20s', between_tokens: '20s', total: '60s' };
  // Every rescue here is wanted, however many there are at once.
  const models = Object.fromEntries(['quick', 'stream', 'silent'].map((name) => [name, { targets, timeouts, retry: { attempts: 3, budget: '100%' } }]));
  models.alone = { targets: [{ provider: 'first', model: 'stream' }], timeouts };
  const provider = { type: 'openai_compatible', base_url: `http://127.0.0.1:${first.port}/v1` };
  gateway = await Gateway.start({ providers: { first: provider, second: second.provider }, models, telemetry: { logs: 'warning' } });
});

after(async () => {
  await first?.kill();
  await gateway?.stop();
  await second.stop();
});

// What the gateway thinks of a target: 'serving', 'ejected', ...
async function stateOf(model, provider) {
  const samples = await gateway.metrics();
  return samples.filter(({ name, labels, value }) => name === 'switchyard_provider_state' && labels.model === model && labels.provider === provider && value === 1)
    .map(({ labels }) => labels.state).join();
}

test('kill -9 under 200 streams: complete from the second target, or an error frame', { timeout: 60_000 * slow }, async () => {
  const streams = [];
  for (let i = 0; i < kStreams; i++) {
    const model = ['stream', 'silent', 'stream', 'silent', 'alone'][i % 5];
    streams.push(Object.assign(new StreamClient(gateway.port, model, i % 2 ? 'openai' : 'anthropic'), { model }));
  }
  const begun = streams.filter(({ model }) => model !== 'silent');
  const waiting = streams.filter(({ model }) => model === 'silent');
  await Promise.all(begun.map((stream) => stream.begun()));
  await until('all are open', async () => sum(await gateway.metrics(), 'switchyard_open_requests') === kStreams);
  // The control: before the kill everything runs.
  assert.ok(streams.every((stream) => stream.outcome === 'open'));
  assert.equal(second.requests, 0);
  const began = performance.now();
  await first.kill();
  await Promise.all(streams.map((stream) => stream.over(10_000)));
  assert.ok(performance.now() - began < 5000 * slow, `the last ended after ${performance.now() - began} ms`);
  for (const stream of begun) {
    assert.equal(stream.outcome, 'error', stream.body.slice(-300));
    assert.equal(stream.status, 200);
    assert.match(stream.text, /^first /);
    assert.equal(stream.errorEvent.type, stream.dialect === 'openai' ? 'upstream_error' : 'api_error');
  }
  for (const stream of waiting) {
    assert.equal(stream.outcome, 'complete', `${stream.status} ${stream.body.slice(-300)}`);
    assert.equal(stream.text, 'second');
    assert.equal(stream.headers['x-switchyard-provider'], 'second');
    assert.equal(stream.headers['x-switchyard-attempts'], '2');
  }
  const samples = await gateway.metrics();
  assert.equal(sum(samples, 'switchyard_requests_total', { outcome: 'broken_stream' }), begun.length);
  assert.equal(sum(samples, 'switchyard_failovers_total', { model: 'silent', from: 'first', to: 'second' }), waiting.length);
  assert.equal(sum(samples, 'switchyard_open_requests'), 0);
});

test('while it is down no client sees an error, and it is ejected', { timeout: 60_000 * slow }, async () => {
  // It has served this model before, so that the connections that were kept are dead ones.
  first = await startStreamServer(first.port);
  await until('the first target serves', async () => (await ask('quick')).headers['x-switchyard-provider'] === 'first');
  const loop = new RequestLoop(gateway.port, chatBytes('quick'), { workers: 8, pause_ms: 5 });
  await until('the load runs', () => loop.answered > 200);
  const asked = second.requests;
  await first.kill();
  const began = performance.now();
  await until('the target is ejected', async () => (await stateOf('quick', 'first')) === 'ejected', 1500);
  const before = sum(await gateway.metrics(), 'switchyard_attempts_total', { provider: 'first' });
  await until('the second serves', () => second.requests > asked + 500, 20_000);
  // Few look for the dead one meanwhile: a trial a second, not every request.
  const seconds = (performance.now() - began) / 1000;
  const tried = sum(await gateway.metrics(), 'switchyard_attempts_total', { provider: 'first' }) - before;
  assert.ok(tried <= 2 * seconds + 3, `${tried} attempts in ${seconds} s`);
  await loop.stop();
  assert.deepEqual(loop.failures, []);
  assert.deepEqual([...loop.statuses.keys()], [200]);
});

test('back again, it has its traffic within 5 s, and no client sees an error', { timeout: 60_000 * slow }, async () => {
  // Long enough for several failed trials: the wait between them has grown to its most.
  const providers = [];
  const loop = new RequestLoop(gateway.port, chatBytes('quick'), {
    workers: 4, pause_ms: 10, isGood: (reply) => { providers.push(reply.headers['x-switchyard-provider']); return reply.status === 200; },
  });
  await new Promise((resolve) => setTimeout(resolve, 4000));
  assert.ok(!providers.includes('first'));
  first = await startStreamServer(first.port);
  const began = performance.now();
  await until('the first request', () => providers.includes('first'), 5000);
  await until('all of it', () => providers.slice(-100).every((name) => name === 'first'), 5000);
  assert.ok(performance.now() - began < 10_000 * slow);
  await loop.stop();
  assert.deepEqual(loop.failures, []);
  // It serves; that it failed a moment ago its score still shows.
  assert.match(await stateOf('quick', 'first'), /^(serving|reduced)$/);
});

async function ask(model) {
  const connection = new RawConnection(gateway.port);
  const reply = await connection.request(chatBytes(model));
  connection.destroy();
  return reply;
}

// The tool that judges the streams sees each way in which one may end.
test('a stream that is cut, or ends clean but short, is not taken for a good one', async () => {
  const how = {
    cut: (call) => { call.begin(); call.text('a'); setTimeout(() => call.socket.destroy(), 20); },
    short: (call) => { call.begin(); call.text('a'); call.response.end(); },
    complete: (call) => call.answer('a'),
    error: (call) => { call.begin(); call.text('a'); call.response.end('data: {"error":{"message":"x","type":"upstream_error"}}\n\n'); },
  };
  const upstream = await new Upstream((call) => how[call.model](call)).start();
  for (const outcome of Object.keys(how)) {
    const stream = new StreamClient(upstream.port, outcome); // Straight to the upstream.
    await stream.connection.when('an end', () => stream.isOver || stream.connection.closed);
    assert.equal(stream.outcome, outcome);
    stream.close();
  }
  await upstream.stop();
});
