// Questions of the gateway's own: they look like an application's, a target that answers them wrongly loses its quality and
// its traffic and comes back when it answers right again, and a target that cannot be asked loses neither. And a shadow's
// answers are compared by a judge that is watched itself.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { families, solve } from './lib/canary_solver.mjs';
import { Gateway } from './lib/gateway.mjs';
import { RequestLoop, chatBody, chatBytes } from './lib/http_client.mjs';
import { Upstream } from './lib/upstream.mjs';
import { fetchRaw, slow, sum, test, until } from './lib/util.mjs';

let good, turning, flaky, gateway;
let isWrong = false;
const long = 'The bridge of 1932 is 503 metres long, and its arches carry the roadway high over the harbour.';

before(async () => {
  good = await new Upstream((call) => call.answer(solve(call.body) ?? 'good')).start();
  turning = await new Upstream((call) => {
    const answer = solve(call.body);
    call.answer(answer === undefined || !isWrong ? answer ?? 'turning' : 'I would rather talk of something else.');
  }).start();
  flaky = await new Upstream((call) => {
    if (call.model === 'asked') return call.answer('flaky');
    call.response.writeHead(500, { 'content-type': 'application/json' });
    call.response.end('{"error":{"message":"out of order","type":"server_error"}}');
  }).start();
  gateway = await Gateway.start({
    providers: { good: good.provider, turning: turning.provider, flaky: flaky.provider },
    models: {
      shared: { targets: [{ provider: 'good', model: 'm' }, { provider: 'turning', model: 'm' }], strategy: 'score', objectives: { quality: 1 } },
      sick: { targets: [{ provider: 'flaky', model: 'm' }] },
      drained: { targets: [{ provider: 'flaky', model: 'asked' }] },
    },
    quality: { dwell: '1s', rise: '1s', signals: { canary: { rate: '5%' } }, probes: { enabled: true, tokens_per_hour: 2_000_000, families } },
    telemetry: { logs: 'info' },
  });
});

after(async () => {
  await gateway?.stop();
  await Promise.all([good.stop(), turning.stop(), flaky.stop()]);
});

const probes = async (labels) => sum(await gateway.metrics(), 'switchyard_quality_probes_total', labels);
const quality = async (labels) => (await gateway.metrics()).find((sample) => sample.name === 'switchyard_provider_score' && sample.labels.kind === 'quality' && Object.entries(labels).every(([name, value]) => sample.labels[name] === value)).value;

async function stateOf(model, provider) {
  const samples = await gateway.metrics();
  return samples.find(({ name, labels, value }) => name === 'switchyard_provider_state' && labels.model === model && labels.provider === provider && value === 1)?.labels.state;
}

// Another question each time: one that is asked again at once is a sign of a bad answer.
let asked = 0;
const fresh = () => ({ messages: [{ role: 'user', content: `How far is it to place ${++asked}?` }] });

// The providers that served `count` requests.
async function servedBy(count) {
  const served = {};
  for (let i = 0; i < count; i++) {
    const reply = await fetchRaw(`${gateway.url}/v1/chat/completions`, { body: chatBody('shared', fresh()) });
    assert.equal(reply.status, 200);
    const provider = reply.headers['x-switchyard-provider'];
    served[provider] = (served[provider] ?? 0) + 1;
  }
  return served;
}

test('probes are asked of every target, and look like an application\'s requests', { timeout: 60_000 * slow }, async () => {
  await until('each family passes', async () => (await Promise.all(families.map((probe) => probes({ provider: 'good', probe, result: 'pass' })))).every((count) => count >= 12), 30_000);
  const bodies = good.calls.map(({ body }) => body).filter(Boolean);
  const canaries = bodies.filter((body) => solve(body) !== undefined);
  assert.ok(canaries.length >= 40, `${canaries.length}`);
  // No two are alike, and nothing in them or around them says what they are.
  assert.equal(new Set(canaries.map(({ messages }) => JSON.stringify(messages))).size, canaries.length);
  const reply = await fetchRaw(`${gateway.url}/v1/chat/completions`, { body: chatBody('shared') });
  const server = reply.headers['x-switchyard-provider'] === 'good' ? good : turning;
  const callers = server.calls.find(({ body }) => JSON.stringify(body?.messages) === JSON.stringify(chatBody('m').messages));
  const head = ({ request }) => JSON.stringify({ ...request.headers, host: '', accept: '', 'content-length': '' });
  for (const call of good.calls.filter((each) => each.body)) {
    const { request, body } = call;
    assert.equal(head(call), head(callers));
    assert.doesNotMatch(JSON.stringify(body), /probe|canary|switchyard|quality/i);
    assert.equal(request.url, '/v1/chat/completions');
    assert.equal(body.model, 'm');
  }
  assert.ok(canaries.some(({ stream }) => stream) && canaries.some(({ stream }) => !stream));
  assert.ok(new Set(canaries.map((body) => body.max_tokens ?? body.max_completion_tokens)).size > 5);
  // One-token samples, greedy replies and contracts too.
  for (const probe of ['sampling', 'greedy', 'usage', 'echo']) await until(`${probe} is asked`, async () => await probes({ provider: 'good', probe }) > 0, 20_000);
  assert.equal(await probes({ provider: 'good', result: 'fail' }), 0);
  assert.equal(await probes({ provider: 'good', result: 'error' }), 0);
});

test('a target that answers wrongly loses its quality and its traffic, and has both back when it is right again', { timeout: 120_000 * slow }, async () => {
  await until('the other target is known to be good', async () => (await probes({ provider: 'turning', result: 'pass' })) >= 60, 30_000);
  const before = await servedBy(60);
  assert.ok(before.turning >= 10, JSON.stringify(before));
  isWrong = true;
  await until('it is ejected', async () => (await stateOf('shared', 'turning')) === 'ejected', 30_000);
  assert.ok(await quality({ model: 'shared', provider: 'turning' }) < 0.5);
  assert.equal(await quality({ model: 'shared', provider: 'good' }), 1);
  const during = await servedBy(60);
  assert.equal(during.turning ?? 0, 0, JSON.stringify(during));
  const probed = await probes({ provider: 'turning' });
  isWrong = false;
  await until('it is probed while it is out', async () => (await probes({ provider: 'turning' })) > probed + 20, 20_000);
  await until('it is tried again', async () => (await stateOf('shared', 'turning')) !== 'ejected', 60_000);
  // Its answers to callers confirm it.
  const loop = new RequestLoop(gateway.port, () => chatBytes('shared', fresh()), { workers: 2, pause_ms: 5 });
  try {
    await until('it serves again', async () => ['serving', 'reduced'].includes(await stateOf('shared', 'turning')), 60_000);
    await until('it has its share back', async () => ((await servedBy(40)).turning ?? 0) >= 8, 60_000);
    assert.deepEqual(loop.failures, []);
  } finally {
    await loop.stop();
  }
});

test('a probe that fails counts as an error, not as a wrong answer', async () => {
  await until('it was asked', async () => (await probes({ provider: 'flaky', model: 'sick', result: 'error' })) >= 20, 30_000);
  assert.equal(await probes({ provider: 'flaky', model: 'sick', result: 'fail' }), 0);
  assert.equal(await probes({ provider: 'flaky', model: 'sick', result: 'pass' }), 0);
  assert.equal(await quality({ model: 'sick', provider: 'flaky' }), 1);
});

test('a drained target is not asked', async () => {
  await until('it is asked at first', async () => (await probes({ model: 'drained' })) > 0, 20_000);
  assert.equal((await fetchRaw(`${gateway.admin}/admin/providers/flaky/drain`, { method: 'POST' })).status, 200);
  await until('it is drained', async () => (await stateOf('drained', 'flaky')) === 'drained');
  const asked = () => flaky.calls.filter(({ body }) => body?.model === 'asked').length;
  await until('those under way have ended', () => flaky.open.size === 0);
  const before = asked();
  const others = await probes({ provider: 'good' });
  await until('the others are asked on', async () => (await probes({ provider: 'good' })) > others + 30, 30_000);
  assert.ok(asked() - before <= 1, `${asked() - before} more`);
});

test('a shadow is asked what a target was asked, the judge sees both orders, and nothing is asked of it when no key allows it', { timeout: 60_000 * slow }, async () => {
  const judged = [];
  const secret = 'sk-shadowed';
  const shadow = await new Upstream((call) => call.answer(`${long} The shadow says so.`)).start();
  const served = await new Upstream((call) => call.answer(long)).start();
  // The better one is the shadow's, or the one that is not spoilt.
  const judge = await new Upstream((call) => {
    const text = call.body.messages.at(-1).content;
    const [, a, b] = /<answer-A-\w+>\n([^]*?)\n<\/answer-A[^]*<answer-B-\w+>\n([^]*?)\n<\/answer-B/.exec(text);
    judged.push([a, b]);
    const rank = (answer) => (answer.includes('The shadow says so') ? 2 : answer === long ? 1 : 0);
    call.answer(rank(a) === rank(b) ? 'tie' : rank(a) > rank(b) ? 'A' : 'B');
  }).start();
  const one = await Gateway.start({
    providers: { served: served.provider, shadow: shadow.provider, judge: judge.provider },
    models: {
      watched: { targets: [{ provider: 'served', model: 'm' }], shadow: { provider: 'shadow', model: 's', share: '100%' } },
      referee: { targets: [{ provider: 'judge', model: 'j' }] },
    },
    keys: [{ name: 'open', secret, shadow: true }, { name: 'closed', secret: 'sk-closed' }],
    quality: { judge: { model: 'referee', sentinels: '30%' } },
  });
  try {
    const ask = (more, key = secret) => fetchRaw(`${one.url}/v1/chat/completions`, { body: chatBody('watched', more), headers: { authorization: `Bearer ${key}` } });
    const probed = async (labels) => sum(await one.metrics(), 'switchyard_quality_probes_total', labels);
    for (let i = 0; i < 30; i++) assert.equal((await ask(i % 2 ? { stream: true } : {})).status, 200);
    await until('all are compared', async () => (await probed({ probe: 'shadow' })) + (await probed({ probe: 'sentinel' })) === 30, 20_000);
    assert.ok(await probed({ probe: 'shadow', result: 'lost' }) >= 10);
    assert.equal(await probed({ probe: 'shadow', result: 'lost' }), shadow.requests);
    assert.ok(await probed({ probe: 'sentinel', result: 'pass' }) >= 2);
    assert.equal(await probed({ probe: 'sentinel', result: 'fail' }), 0);
    // Each pair in both orders.
    assert.equal(judged.length, 60);
    const orders = judged.filter(([a]) => a.includes('The shadow says so')).length;
    assert.equal(orders, shadow.requests);
    assert.ok(shadow.calls.every(({ body }) => body.model === 's' && !body.stream && JSON.stringify(body.messages) === JSON.stringify(chatBody('m').messages)));
    const before = [served.requests, shadow.requests, judge.requests];
    assert.equal((await ask({}, 'sk-closed')).status, 200);
    assert.equal((await ask({ tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }] })).status, 200);
    await ask();
    await until('the one that may be is', async () => shadow.requests + judge.requests > before[1] + before[2]);
    await until('it is over', async () => (await probed({ probe: 'shadow' })) + (await probed({ probe: 'sentinel' })) === 31);
    assert.deepEqual([served.requests, await probed({ probe: 'shadow' }) + await probed({ probe: 'sentinel' })], [before[0] + 3, 31]);
    assert.doesNotMatch(one.stdout + one.stderr, /bridge of 1932/);
  } finally {
    await one.stop();
    await Promise.all([shadow.stop(), served.stop(), judge.stop()]);
  }
});
