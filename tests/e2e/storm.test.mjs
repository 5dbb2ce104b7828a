// Retry storms: what fails is not asked more often for it. One of two targets that fails always, then both; quick failures, and
// such that hold a caller up.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, chatBytes } from './lib/http_client.mjs';
import { Upstream } from './lib/upstream.mjs';
import { fetchRaw, slow, sum, test, until } from './lib/util.mjs';

const kWorkers = 2;
// What a quiet gateway may retry, of which a busy one has it too (routing/retry.h): 100 in ten seconds.
const kReserve = 100;
const kPauseToBeOut = 5; // Failures until a target is ejected.

let gateway, sick, well;
let isSick = true;   // Of the one, whether it fails...
let isWell = true;   // ... and of the other, whether it serves.
let holds_ms = 0;    // How long a failure takes.

const fail = (call) => setTimeout(() => {
  if (call.closed) return;
  call.response.writeHead(500, { 'content-type': 'application/json' });
  call.response.end('{"error":{"message":"out of order","type":"server_error"}}');
}, holds_ms);

before(async () => {
  sick = await new Upstream((call) => (isSick ? fail(call) : call.answer('sick'))).start();
  well = await new Upstream((call) => (isWell ? call.answer('well') : fail(call))).start();
  // Each strategy has targets of its own: what one finds out the next must not know.
  const targets = (model) => [{ provider: 'sick', model }, { provider: 'well', model }];
  const timeouts = { connect: '1s', first_token: '5s', between_tokens: '5s', total: '10s' };
  const models = Object.fromEntries(['priority', 'weighted', 'least_busy', 'score'].map((strategy) => [strategy, { targets: targets(strategy), timeouts, strategy }]));
  gateway = await Gateway.start({ providers: { sick: sick.provider, well: well.provider }, models, telemetry: { logs: 'error' } }, { workers: kWorkers });
});

after(async () => {
  await gateway?.stop();
  await Promise.all([sick.stop(), well.stop()]);
});

async function load(model, count, { workers = 16, headers = {} } = {}) {
  const before = sick.requests + well.requests;
  const loop = new RequestLoop(gateway.port, chatBytes(model, {}, headers), { workers, isGood: () => true });
  await until(`${count} requests`, () => loop.answered >= count, 60_000);
  await loop.stop();
  assert.deepEqual(loop.failures, []);
  return { clients: loop.answered, upstreams: sick.requests + well.requests - before, statuses: loop.statuses, latencies: loop.latencies };
}

for (const strategy of ['priority', 'weighted', 'least_busy', 'score']) {
  test(`one of two fails always (${strategy}): no client sees it, and no more than 1.2 requests go out for one`, { timeout: 90_000 * slow }, async (t) => {
    [isSick, isWell, holds_ms] = [true, true, 0];
    const { clients, upstreams, statuses } = await load(strategy, 1000);
    t.diagnostic(`${upstreams} requests went out for ${clients}`);
    assert.deepEqual([...statuses.keys()], [200]);
    assert.ok(upstreams <= 1.2 * clients, `${upstreams} requests for ${clients}`);
    assert.ok(upstreams > clients, 'the control: the sick one was asked at all');
  });
}

test('both fail: clients hear of it at once, and the budget bounds what goes out', { timeout: 90_000 * slow }, async (t) => {
  [isSick, isWell, holds_ms] = [true, false, 0];
  // What the traffic of the tests before may still retry is forgotten by then.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  const { clients, upstreams, statuses, latencies } = await load('priority', 3000);
  t.diagnostic(`${upstreams} requests went out for ${clients}`);
  assert.ok([...statuses.keys()].every((status) => status === 502 || status === 503), `${[...statuses.keys()]}`);
  assert.ok((statuses.get(503) ?? 0) > clients / 2, `${statuses.get(503)} of ${clients}`);
  // 20 % of the traffic, the reserve, and what it took to find out.
  const most = 0.2 * clients + kReserve + 2 * kPauseToBeOut + 2 * 16;
  assert.ok(upstreams <= most, `${upstreams} requests for ${clients}: more than ${most}`);
  assert.ok(Math.max(...latencies) < 2000 * slow);
});

test('a 503 says when to come again, and that the gateway has done the retrying', async () => {
  [isSick, isWell, holds_ms] = [true, false, 0];
  const replies = [];
  for (let i = 0; i < 300; i++) {
    replies.push(await fetchRaw(`${gateway.url}/v1/chat/completions`, { body: { model: 'priority', messages: [{ role: 'user', content: 'hi' }] } }));
    if (replies.at(-1).status === 503) break;
  }
  const shed = replies.at(-1);
  assert.equal(shed.status, 503, shed.text);
  assert.ok(Number(shed.headers['retry-after']) >= 1);
  assert.equal(shed.json.error.type, 'overloaded');
});

test('both hang: no caller waits longer than its own deadline', { timeout: 60_000 * slow }, async () => {
  [isSick, isWell, holds_ms] = [true, false, 60_000];
  const { statuses, latencies } = await load('weighted', 40, { workers: 20, headers: { 'x-stainless-timeout': '1' } });
  assert.ok([...statuses.keys()].every((status) => [502, 503, 504].includes(status)), `${[...statuses.keys()]}`);
  assert.ok(Math.max(...latencies) < 2500 * slow, `${Math.max(...latencies)} ms`);
});

test('when they are well again, all is served again', { timeout: 60_000 * slow }, async () => {
  [isSick, isWell, holds_ms] = [false, true, 0];
  await until('it serves', async () => (await fetchRaw(`${gateway.url}/v1/chat/completions`, { body: { model: 'priority', messages: [{ role: 'user', content: 'hi' }] } })).status === 200, 10_000);
  await new Promise((resolve) => setTimeout(resolve, 5000));
  const { statuses } = await load('priority', 200);
  assert.deepEqual([...statuses.keys()], [200]);
  const samples = await gateway.metrics();
  assert.ok(sum(samples, 'switchyard_observations_dropped_total') === 0);
});
