// Routing on evidence, as callers and operators see it: who serves and why, targets that are taken out by hand, a second
// attempt beside a slow one, load that is shed, other models that step in, and traffic that leaves a target whose answers
// became worse.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, chatBody, chatBytes } from './lib/http_client.mjs';
import { RawConnection } from './lib/raw.mjs';
import { Upstream } from './lib/upstream.mjs';
import { fetchRaw, slow, sum, test, until } from './lib/util.mjs';

// What an upstream does with a call, by the model that it is asked for.
const how = {
  quick: (call) => call.answer(call.server),
  // Silent for two seconds when it is the first one.
  late: (call) => (call.server === 'one' ? setTimeout(() => call.closed || call.answer('one'), 2000) : call.answer(call.server)),
  hang: (call) => { call.begin(); call.text('a'); },
  broken: (call) => refuse(call, 500, { message: 'out of order', type: 'server_error' }),
  short: (call) => refuse(call, 400, { message: 'maximum context length is 10 tokens', type: 'invalid_request_error', code: 'context_length_exceeded' }),
  filtered: (call) => filtered(call),
  // One that was good in JSON and is no more.
  json: (call) => call.answer(call.server === 'one' && isWorse ? 'no JSON at all' : '{"ok": true}'),
};
let isWorse = false;

function refuse(call, status, error) {
  call.response.writeHead(status, { 'content-type': 'application/json' });
  call.response.end(JSON.stringify({ error }));
}

function filtered(call) {
  const choice = { index: 0, finish_reason: 'content_filter' };
  if (call.stream) {
    call.begin();
    call.response.end(`data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: call.model, choices: [{ ...choice, delta: {} }] })}\n\ndata: [DONE]\n\n`);
    return;
  }
  const body = JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: call.model, choices: [{ ...choice, message: { role: 'assistant', content: '' } }], usage: { prompt_tokens: 3, completion_tokens: 0, total_tokens: 3 } });
  call.response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  call.response.end(body);
}

let one, two, gateway, folder;
const secrets = { batch: 'sk-batch', normal: 'sk-normal', interactive: 'sk-interactive' };

function configuration(ledger) {
  const both = (model) => [{ provider: 'one', model }, { provider: 'two', model }];
  const timeouts = { connect: '1s', first_token: '10s', between_tokens: '20s', total: '30s' };
  return {
    providers: { one: one.provider, two: two.provider },
    models: {
      quick: { targets: both('quick'), timeouts },
      hedged: { targets: both('late'), timeouts, hedge: { after: '200ms', budget: '100%' } },
      unhedged: { targets: both('late'), timeouts },
      'hedged-sick': { targets: [{ provider: 'one', model: 'late' }, { provider: 'two', model: 'broken' }], timeouts, hedge: { after: '200ms', budget: '100%' } },
      narrow: { targets: [{ provider: 'one', model: 'hang', concurrent: 10 }], timeouts },
      small: { targets: [{ provider: 'one', model: 'short' }], timeouts, fallbacks: { context_too_long: 'quick' } },
      tiny: { targets: [{ provider: 'one', model: 'quick', context_tokens: 16 }], timeouts, fallbacks: { context_too_long: 'quick' } },
      shy: { targets: [{ provider: 'one', model: 'filtered' }], timeouts, fallbacks: { refusal: 'quick' } },
      sick: { targets: [{ provider: 'one', model: 'broken' }], timeouts, fallbacks: { failure: 'quick' } },
      lost: { targets: [{ provider: 'one', model: 'broken' }], timeouts, fallbacks: { failure: 'sick' } },
      scored: {
        targets: both('json').map((target) => ({ ...target, prices: { input: 1, output: 2 } })), timeouts, strategy: 'score',
        objectives: { quality: 0.8, latency: 0.1, cost: 0.1 },
      },
    },
    keys: Object.entries(secrets).map(([name, secret]) => ({ name, secret, priority: name })),
    quality: { mode: 'act', rise: '1s', signals: { output_invalid: { rate: '1%' } } },
    store: { ledger },
    telemetry: { logs: 'info' },
  };
}

before(async () => {
  const serve = (server) => (call) => how[call.model](Object.assign(call, { server }));
  [one, two] = await Promise.all([new Upstream(serve('one')).start(), new Upstream(serve('two')).start()]);
  folder = await mkdtemp(path.join(tmpdir(), 'switchyard-evidence-'));
  gateway = await Gateway.start(configuration(path.join(folder, 'ledger.db')));
});

after(async () => {
  await gateway?.stop();
  await Promise.all([one.stop(), two.stop()]);
  await rm(folder, { recursive: true, force: true });
});

const auth = (key = 'normal') => ({ authorization: `Bearer ${secrets[key]}` });
const ask = (model, more = {}, headers = auth()) => fetchRaw(`${gateway.url}/v1/chat/completions`, { body: chatBody(model, more), headers });
const admin = (at, options) => fetchRaw(`${gateway.admin}${at}`, options);
const post = (at) => fetchRaw(`${gateway.admin}${at}`, { method: 'POST' });
const provider = (reply) => reply.headers['x-switchyard-provider'];
const reason = (reply) => reply.headers['x-switchyard-reason'];
const textOf = (reply) => reply.json?.choices[0].message.content ?? [...reply.text.matchAll(/"content":"([^"]*)"/g)].map((match) => match[1]).join('');

async function decisionsOf(reply, query = '') {
  const found = await admin(`/admin/decisions?request_id=${reply.headers['x-request-id']}${query}`);
  assert.equal(found.status, 200, found.text);
  return query ? found.text : found.text.trimEnd().split('\n').map((line) => JSON.parse(line));
}

test('each request has a decision, found by its id and among the newest of its model', async () => {
  const reply = await ask('quick');
  assert.equal(provider(reply), 'one');
  const [decision] = await decisionsOf(reply);
  assert.equal(decision.model, 'quick');
  assert.equal(decision.key, 'normal');
  assert.equal(decision.config, reply.headers['x-switchyard-config']);
  assert.equal(decision.outcome, 'ok');
  assert.deepEqual(decision.attempts.map(({ ok, target }) => [ok, target]), [[true, 0]]);
  const text = await decisionsOf(reply, '&format=text');
  assert.match(text, /one/);
  const last = await ask('quick');
  const newest = await admin('/admin/decisions?model=quick&limit=1');
  assert.equal(JSON.parse(newest.text).request_id, last.headers['x-request-id']);
  assert.equal((await admin('/admin/decisions?request_id=nobody')).status, 404);
});

test('a provider that is drained by hand gets nothing until it is restored', async () => {
  const drained = await post('/admin/providers/one/drain');
  assert.equal(drained.status, 200, drained.text);
  for (let i = 0; i < 20; i++) assert.equal(provider(await ask('quick')), 'two');
  const { json } = await admin('/admin/providers');
  assert.ok(json.targets.filter((target) => target.provider === 'one').every(({ state }) => state === 'drained'));
  assert.ok(json.targets.some((target) => target.provider === 'two' && target.state === 'serving'));
  const samples = await gateway.metrics();
  assert.equal(sum(samples, 'switchyard_provider_state', { model: 'quick', provider: 'one', state: 'drained' }), 1);
  const routes = (await admin('/admin/routes')).json.models.find(({ model }) => model === 'quick');
  assert.equal(routes.targets[0].excluded, 'drained');
  assert.equal((await post('/admin/providers/one/restore')).status, 200);
  // Its share rises step by step; then it is the first again.
  await until('it serves', async () => provider(await ask('quick')) === 'one');
  await until('it has all of its traffic', async () => {
    const { json: now } = await admin('/admin/providers');
    return now.targets.filter((target) => target.provider === 'one').every(({ score }) => score.ramp === 1);
  }, 20_000);
  for (let i = 0; i < 5; i++) assert.equal(provider(await ask('quick')), 'one');
  assert.equal((await post('/admin/providers/nobody/drain')).status, 404);
  assert.equal((await admin('/admin/providers/one/drain')).status, 405);
});

for (const stream of [false, true]) {
  test(`a second attempt serves when the first is slow to begin (${stream ? 'stream' : 'whole'})`, async () => {
    const lost = async () => sum(await gateway.metrics(), 'switchyard_attempts_total', { provider: 'one', result: 'hedge_lost' });
    const before = await lost();
    const began = performance.now();
    const reply = await ask('hedged', { stream });
    const took = performance.now() - began;
    assert.equal(reply.status, 200);
    assert.equal(textOf(reply), 'two');
    assert.equal(provider(reply), 'two');
    assert.equal(reason(reply), 'hedge');
    assert.equal(reply.headers['x-switchyard-attempts'], '2');
    assert.ok(took < 1500 * slow, `${took} ms`);
    // The control: without it the caller waits for the slow one.
    const control = await ask('unhedged', { stream });
    assert.equal(provider(control), 'one');
    await until('the slow one is closed', () => one.calls.filter((call) => call.model === 'late').every((call) => call.closed));
    assert.equal(await lost(), before + 1);
    const [decision] = await decisionsOf(reply);
    assert.deepEqual(decision.attempts.map(({ ok }) => ok).sort(), [false, true]);
  });
}

test('a second attempt that fails leaves the first alone', async () => {
  const reply = await ask('hedged-sick', { stream: true });
  assert.equal(reply.status, 200);
  assert.equal(textOf(reply), 'one');
  assert.equal(provider(reply), 'one');
});

test('a client that leaves a race closes both attempts', async () => {
  const stream = openStream('hedged', auth());
  await until('both are asked', () => [one, two].every((server) => [...server.open].some((call) => call.model === 'late')) || two.calls.at(-1)?.model === 'late');
  stream.destroy();
  await until('nothing is open', () => [one, two].every((server) => ![...server.open].some((call) => call.model === 'late')));
});

// A streamed request with a key.
function openStream(model, headers) {
  const connection = new RawConnection(gateway.port);
  connection.write(chatBytes(model, { stream: true }, headers));
  return connection;
}

test('what can wait is shed first when a target is full', async () => {
  const open = [];
  const fill = async (count) => {
    const wanted = [...one.open].filter((call) => call.model === 'hang').length + count;
    for (let i = 0; i < count; i++) open.push(openStream('narrow', auth('interactive')));
    await until('they run', () => [...one.open].filter((call) => call.model === 'hang').length === wanted);
  };
  const isShed = async (key) => {
    const connection = openStream('narrow', auth(key));
    open.push(connection);
    await until('an answer', () => (connection.replies[0] ?? connection.reader.partial)?.status);
    const reply = connection.replies[0] ?? connection.reader.partial;
    if (reply.status === 200) return false;
    assert.equal(reply.status, 503);
    assert.equal(reply.headers['retry-after'], '1');
    return true;
  };
  await fill(8);
  assert.equal(await isShed('batch'), true);
  assert.equal(await isShed('normal'), false);
  await fill(0);
  assert.equal(await isShed('normal'), true);
  assert.equal(await isShed('interactive'), false);
  assert.equal(await isShed('interactive'), true);
  const began = performance.now();
  await isShed('batch');
  assert.ok(performance.now() - began < 1000 * slow);
  for (const connection of open) connection.destroy();
  await until('all is over', () => ![...one.open].some((call) => call.model === 'hang'));
  await until('there is room again', async () => {
    const connection = openStream('narrow', auth('batch'));
    await until('an answer', () => (connection.replies[0] ?? connection.reader.partial)?.status);
    const { status } = connection.replies[0] ?? connection.reader.partial;
    connection.destroy();
    return status === 200;
  });
});

for (const stream of [false, true]) {
  for (const model of ['small', 'tiny', 'shy', 'sick']) {
    test(`another model steps in for ${model} (${stream ? 'stream' : 'whole'})`, async () => {
      const reply = await ask(model, { stream, messages: [{ role: 'user', content: 'word '.repeat(60) }] });
      assert.equal(reply.status, 200, reply.text);
      assert.equal(textOf(reply), 'one');
      assert.equal(reason(reply), 'fallback');
      assert.equal(reply.headers['x-switchyard-model'], 'quick');
      const decisions = await decisionsOf(reply);
      assert.equal(decisions.length, 2);
      const served = decisions.find((decision) => decision.fallback_from);
      assert.equal(served.fallback_from, model);
      assert.equal(served.model, 'quick');
      assert.equal(decisions.find((decision) => !decision.fallback_from).model, model);
    });
  }
}

test('a fallback is followed once', async () => {
  const before = one.requests + two.requests;
  const reply = await ask('lost');
  assert.ok(reply.status >= 500, `${reply.status}`);
  assert.ok(one.requests + two.requests - before <= 2);
});

test('what answers cost is counted by key where prices are known', async () => {
  const cost = async () => sum(await gateway.metrics(), 'switchyard_cost_usd_total', { model: 'scored', key: 'batch' });
  const before = await cost();
  await ask('scored', {}, auth('batch'));
  assert.ok(Math.abs((await cost()) - before - (3 * 1 + 5 * 2) / 1e6) < 1e-12);
});

test('traffic leaves a target whose answers became worse, although each has status 200', { timeout: 120_000 * slow }, async () => {
  const asked = [];
  const format = { response_format: { type: 'json_object' } };
  const run = async (count) => {
    const names = [];
    const loop = new RequestLoop(gateway.port, chatBytes('scored', format, auth()), {
      workers: 4, pause_ms: 10, isGood: (reply) => { names.push(reply.headers['x-switchyard-provider']); return reply.status === 200; },
    });
    await until(`${count} answers`, () => names.length >= count, 60_000);
    await loop.stop();
    assert.deepEqual(loop.failures, []);
    asked.push(names.filter((name) => name === 'one').length / names.length);
    return asked.at(-1);
  };
  const healthy = await run(200);
  assert.ok(healthy > 0.3 && healthy < 0.7, `${healthy} of the traffic while both are good`);
  isWorse = true;
  await run(400);
  const after = await run(200);
  assert.ok(after < 0.1, `${after} of the traffic is still there`);
  const target = (await admin('/admin/providers')).json.targets.find(({ model, provider: name }) => model === 'scored' && name === 'one');
  assert.ok(['reduced', 'ejected'].includes(target.state), target.state);
  const evidence = target.score.evidence.find(({ signal }) => signal === 'output_invalid');
  assert.ok(evidence.bad >= 3 && evidence.mean > 3 * evidence.allowed, JSON.stringify(evidence));
  assert.match(target.score.why, /output_invalid/);
  const samples = await gateway.metrics();
  assert.ok(sum(samples, 'switchyard_provider_score', { model: 'scored', provider: 'one', kind: 'quality' }) < 0.9);
  assert.ok(sum(samples, 'switchyard_provider_score', { model: 'scored', provider: 'two', kind: 'quality' }) > 0.99);
  assert.ok(gateway.log.some((line) => line.event === 'quality_state' && line.provider === 'one'));
  isWorse = false;
});

test('decisions and what was drained outlive the process', { timeout: 60_000 * slow }, async () => {
  const reply = await ask('quick');
  assert.equal((await post('/admin/providers/two/drain')).status, 200);
  await gateway.stop();
  gateway = await Gateway.start(configuration(path.join(folder, 'ledger.db')));
  const [decision] = await decisionsOf(reply);
  assert.equal(decision.request_id, reply.headers['x-request-id']);
  const text = await decisionsOf(reply, '&format=text');
  assert.match(text, /one/);
  const { json } = await admin('/admin/providers');
  assert.ok(json.targets.filter((target) => target.provider === 'two').every(({ state }) => state === 'drained'));
  assert.equal((await post('/admin/providers/two/restore')).status, 200);
});
