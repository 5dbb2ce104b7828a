// The faults of faults.mjs in the other dialects: as Responses, Gemini, Bedrock and Cohere providers have them, seen by
// clients of all dialects in turn; and by clients of Responses and Gemini from OpenAI's and Anthropic's. By plain HTTP,
// streamed and not, alone and with a healthy second target.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before } from 'node:test';
import { faults, kinds, notOfAll, seenOf, tooLong } from './faults.mjs';
import { askRaw } from './lib/clients.mjs';
import { Gateway } from './lib/gateway.mjs';
import { providers } from './lib/matrix_providers.mjs';
import { plainText } from './lib/simulator.mjs';
import { group, slow, sum, test } from './lib/util.mjs';

const kSoFar = 'Hello, ';
const clients = ['openai', 'responses', 'anthropic', 'gemini'];
const spareOf = { responses: 'chat', gemini: 'anthropic', bedrock: 'gemini', cohere: 'bedrock', chat: 'gemini', anthropic: 'responses' };

// Pairs in turn: over all the faults each client meets each provider.
const cells = [];
let turn = 0;
for (const [fault, row] of Object.entries(faults)) {
  if (row.provider || notOfAll.includes(fault)) continue;
  for (const upstream of Object.keys(spareOf)) {
    const isNew = upstream !== 'chat' && upstream !== 'anthropic';
    const candidates = isNew ? clients : ['responses', 'gemini'];
    for (const stream of [false, true]) {
      for (const client of [candidates[turn++ % candidates.length], ...(isNew ? [candidates[(turn + 1) % candidates.length]] : [])]) {
        cells.push({ fault, row, upstream, client, stream, name: `${fault}.${upstream}.${client}.${stream ? 'stream' : 'whole'}` });
      }
    }
    turn++;
  }
}

const sims = {};
let canary, canaryConnections = 0, gateway;

before(async () => {
  canary = net.createServer((socket) => { canaryConnections++; socket.destroy(); });
  await new Promise((resolve) => canary.listen(0, '127.0.0.1', resolve));
  const config = { provider_types: {}, providers: {}, models: {} };
  for (const [name, provider] of Object.entries(providers)) {
    sims[name] = await provider.simulator([]).start();
    config.providers[name] = provider.config(sims[name]);
    config.providers[`spare-${name}`] = provider.config(sims[name]);
    if (provider.type) config.provider_types[`${name}_only`] = provider.type;
  }
  const ms = (milliseconds) => `${milliseconds * slow}ms`;
  for (const { name, fault, row, upstream, stream } of cells) {
    const policy = {
      timeouts: { connect: ms(400), first_token: ms(400), between_tokens: ms(400), total: ms(stream ? 10_000 : 1000) },
      retry: { attempts: 3, budget: '100%' },
    };
    config.models[name] = { targets: [{ provider: upstream, model: name }], ...policy };
    config.models[`${name}.two`] = { targets: [{ provider: upstream, model: `${name}.two` }, { provider: `spare-${spareOf[upstream]}`, model: 'spare' }], ...policy };
    const does = fault === 'prompt_too_long' && tooLong[upstream] ? { ...row.does, error: tooLong[upstream] } : row.does;
    for (const model of [name, `${name}.two`]) sims[upstream].script(model, { location: `http://127.0.0.1:${canary.address().port}/v1/messages`, ...does });
  }
  gateway = await Gateway.start(config);
});
after(async () => {
  await gateway?.stop();
  for (const sim of Object.values(sims)) await sim.stop();
  canary?.close();
});

function ask({ client, upstream, stream }, model) {
  const onText = (text) => { if (text === kSoFar) sims[upstream].saw(model); };
  return askRaw(client, gateway, model, { stream, onText });
}

const told = (outcome) => JSON.stringify({ ...outcome, headers: undefined, events: undefined });

function expectError({ client, upstream, stream, row }, outcome) {
  const isLate = row.phase === 'after' && stream;
  // These two have no words for it within a stream.
  const kind = (stream && !['responses', 'cohere'].includes(upstream) && row.streamKind) || row.kind;
  const [status, type] = seenOf(kind, client);
  const seen = told(outcome);
  assert.equal(outcome.ended, 'error', seen);
  assert.equal(outcome.status, isLate ? 200 : status, seen);
  assert.equal(outcome.text, isLate ? kSoFar : '', seen);
  assert.equal(outcome.type, type, seen);
  assert.ok(outcome.headers['x-request-id'], 'no request id');
  assert.equal(outcome.headers['x-switchyard-attempts'], '1', seen);
  if (isLate) return;
  if (kinds[kind].retryAfter) assert.ok(Number(outcome.headers['retry-after']) >= 1 && Number(outcome.headers['retry-after']) <= 60, seen);
  if (row.phase === 'caller') assert.match(outcome.message, /simulated/, 'the provider\'s words are lost');
}

function expectRescue({ upstream }, outcome) {
  const seen = told(outcome);
  assert.equal(outcome.ended, 'complete', seen);
  assert.equal(outcome.status, 200, seen);
  assert.equal(outcome.text, plainText);
  assert.equal(outcome.headers['x-switchyard-provider'], `spare-${spareOf[upstream]}`);
  assert.equal(outcome.headers['x-switchyard-reason'], 'fallback');
}

for (const fault of new Set(cells.map((cell) => cell.fault))) {
  group(fault, faults[fault].kind === 'late' ? 32 : 8, () => {
    for (const cell of cells.filter((each) => each.fault === fault)) {
      const { client, upstream, stream, row, name } = cell;
      const label = `${client} client, ${upstream} upstream, ${stream ? 'stream' : 'whole'}`;
      test(`${label}: alone`, async () => {
        expectError(cell, await ask(cell, name));
        assert.equal(sims[upstream].of(name).length, 1, 'asked once and no more');
      });
      test(`${label}: with a second target`, async () => {
        const isVisible = row.phase === 'caller' || (row.phase === 'after' && stream);
        const outcome = await ask(cell, `${name}.two`);
        if (isVisible) expectError(cell, outcome);
        else expectRescue(cell, outcome);
      });
    }
  });
}

test('what was left behind: providers were released, nothing improper reached them, no redirect was followed', async () => {
  for (const sim of Object.values(sims)) {
    assert.deepEqual(sim.violations, []);
    const stalled = sim.requests.filter((record) => !record.answered && !record.closedEarly);
    assert.deepEqual(stalled.map((record) => record.model), [], 'connections to stalled providers stay open');
  }
  assert.equal(canaryConnections, 0);
  const visible = cells.filter(({ row, stream }) => row.phase === 'after' && stream).length * 2;
  assert.equal(sum(await gateway.metrics(), 'switchyard_requests_total', { outcome: 'broken_stream' }), visible);
});
