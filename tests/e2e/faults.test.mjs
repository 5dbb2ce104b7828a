// Every fault of faults.mjs for each pair of dialects, streamed and not, by plain HTTP and through the SDK: alone the caller
// sees what the table says; with a healthy second target (of the other dialect; for the SDK of the same) it sees a
// complete answer, unless the first content had reached it.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before } from 'node:test';
import { faults, kinds } from './faults.mjs';
import { AnthropicSimulator } from './lib/anthropic_sim.mjs';
import { askRaw, askSdk } from './lib/clients.mjs';
import { Gateway } from './lib/gateway.mjs';
import { OpenAiSimulator } from './lib/openai_sim.mjs';
import { plainText } from './lib/simulator.mjs';
import { group, slow, sum, test } from './lib/util.mjs';

const dialects = ['openai', 'anthropic'];
const other = { openai: 'anthropic', anthropic: 'openai' };
const spareOf = ({ upstream, via }) => `spare-${via === 'http' ? other[upstream] : upstream}`;
const kSoFar = 'Hello, '; // What the simulators send before they break.

const sims = {}, notTls = net.createServer((socket) => { socket.on('error', () => {}); socket.end('not TLS\n'); });
let canary, canaryConnections = 0, gateway;

// Each cell has target models of its own, since a target's health is kept by provider and model.
const cells = [];
for (const [fault, row] of Object.entries(faults)) {
  for (const upstream of dialects) {
    for (const client of dialects) {
      for (const stream of [false, true]) {
        for (const via of ['http', 'sdk']) cells.push({ fault, row, upstream, client, stream, via, name: `${fault}.${upstream}.${client}.${stream ? 'stream' : 'whole'}.${via}` });
      }
    }
  }
}

before(async () => {
  canary = net.createServer((socket) => { canaryConnections++; socket.destroy(); });
  for (const server of [notTls, canary]) await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  sims.openai = await new OpenAiSimulator({ key: 'sk-openai' }).start();
  sims.anthropic = await new AnthropicSimulator({ key: 'sk-anthropic' }).start();
  const providers = {};
  for (const dialect of dialects) {
    const root = dialect === 'openai' ? '/v1' : '';
    const provider = (base_url) => ({ type: dialect, api_key: `sk-${dialect}`, base_url });
    providers[dialect] = provider(sims[dialect].baseUrl);
    providers[`spare-${dialect}`] = provider(sims[dialect].baseUrl);
    providers[`refusing-${dialect}`] = provider(`http://127.0.0.1:1${root}`);
    providers[`not_tls-${dialect}`] = provider(`https://127.0.0.1:${notTls.address().port}${root}`);
  }
  const models = {};
  const ms = (milliseconds) => `${milliseconds * slow}ms`;
  for (const cell of cells) {
    const { name, row, upstream, stream } = cell;
    // What is not streamed has the total only, in equal shares for the targets.
    const policy = {
      timeouts: { connect: ms(400), first_token: ms(400), between_tokens: ms(400), total: ms(stream ? 10_000 : 1000) },
      retry: { attempts: 3, budget: '100%' },
    };
    const provider = row.provider ? `${row.provider}-${upstream}` : upstream;
    models[name] = { targets: [{ provider, model: name }], ...policy };
    models[`${name}.two`] = { targets: [{ provider, model: `${name}.two` }, { provider: spareOf(cell), model: 'spare' }], ...policy };
    if (!row.does) continue;
    const location = `http://127.0.0.1:${canary.address().port}/v1/messages`;
    for (const model of [name, `${name}.two`]) sims[upstream].script(model, { location, ...row.does });
  }
  gateway = await Gateway.start({ providers, models });
});

after(async () => {
  await gateway?.stop();
  for (const sim of Object.values(sims)) await sim.stop();
  notTls.close();
  canary.close();
});

async function ask({ client, upstream, stream, via }, model) {
  // A fault behind the first content waits until the client has that.
  const onText = (text) => { if (text === kSoFar) sims[upstream].saw(model); };
  return (via === 'http' ? askRaw : askSdk)(client, gateway, model, { stream, onText });
}

function expectError(cell, outcome, attempts) {
  const { client, stream, via, row } = cell;
  const isLate = row.phase === 'after' && stream;
  const kind = kinds[(stream && row.streamKind) || row.kind];
  const [status, type, className] = kind[client];
  const seen = JSON.stringify({ ...outcome, headers: undefined, error: undefined, events: undefined });
  assert.equal(outcome.ended, 'error', seen);
  assert.equal(outcome.status, isLate ? 200 : status, seen);
  assert.equal(outcome.text, isLate ? kSoFar : '', seen);
  assert.equal(outcome.type, type, seen);
  if (via === 'sdk') assert.equal(outcome.class, isLate ? 'APIError' : className, seen);
  assert.ok(outcome.headers['x-request-id'], 'no request id');
  assert.equal(outcome.headers['x-switchyard-attempts'], String(attempts), seen);
  if (isLate) return;
  if (kind.retryAfter) {
    const seconds = Number(outcome.headers['retry-after']);
    assert.ok(seconds >= 1 && seconds <= 60, `retry-after: ${outcome.headers['retry-after']}`);
    if (row.retryAfter) assert.ok(seconds <= row.retryAfter && seconds >= row.retryAfter - 1, `retry-after: ${seconds}`);
  }
  if (row.phase === 'caller') assert.match(outcome.message, /simulated/, 'the provider\'s words are lost');
}

function expectRescue(cell, outcome) {
  const seen = JSON.stringify({ ...outcome, headers: undefined, error: undefined, events: undefined });
  assert.equal(outcome.ended, 'complete', seen);
  assert.equal(outcome.status, 200, seen);
  assert.equal(outcome.text, plainText);
  assert.equal(outcome.headers['x-switchyard-attempts'], '2');
  assert.equal(outcome.headers['x-switchyard-provider'], spareOf(cell));
  assert.equal(outcome.headers['x-switchyard-model'], 'spare');
  assert.equal(outcome.headers['x-switchyard-reason'], 'fallback');
}

for (const fault of Object.keys(faults)) {
  // A late answer is waited for, and waiting costs nothing.
  group(fault, faults[fault].kind === 'late' ? 32 : 8, () => {
    for (const cell of cells.filter((each) => each.fault === fault)) {
      const { client, upstream, stream, via, row, name } = cell;
      const label = `${client} client, ${upstream} upstream, ${stream ? 'stream' : 'whole'}, ${via}`;
      test(`${label}: alone`, async () => {
        expectError(cell, await ask(cell, name), 1);
        if (row.does) assert.equal(sims[upstream].of(name).length, 1, 'asked once and no more');
      });
      test(`${label}: with a second target`, async () => {
        const isVisible = row.phase === 'caller' || (row.phase === 'after' && stream);
        const outcome = await ask(cell, `${name}.two`);
        if (isVisible) expectError(cell, outcome, 1);
        else expectRescue(cell, outcome);
      });
    }
  });
}

test('what was left behind: providers were released, nothing improper reached them, no redirect was followed', async () => {
  for (const dialect of dialects) {
    assert.deepEqual(sims[dialect].violations, []);
    const stalled = sims[dialect].requests.filter((record) => !record.answered && !record.closedEarly);
    assert.deepEqual(stalled.map((record) => record.body.model), [], 'connections to stalled providers stay open');
  }
  assert.equal(canaryConnections, 0);
  const samples = await gateway.metrics();
  const visible = cells.filter(({ row, stream }) => row.phase === 'after' && stream).length * 2;
  assert.equal(sum(samples, 'switchyard_requests_total', { outcome: 'broken_stream' }), visible);
  const rescued = cells.filter(({ row, stream }) => row.phase === 'before' || (row.phase === 'after' && !stream)).length;
  assert.equal(sum(samples, 'switchyard_failovers_total', { phase: 'before_first_token' }), rescued);
});
