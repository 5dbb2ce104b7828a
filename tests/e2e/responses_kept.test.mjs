// Responses that the gateway keeps: for whom, for how long, and what is not kept. The conversations that go on from
// them are in responses_store.test.mjs too.
import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before } from 'node:test';
import { AnthropicSimulator } from './lib/anthropic_sim.mjs';
import { openai } from './lib/clients.mjs';
import { Gateway, runBinary } from './lib/gateway.mjs';
import { GeminiSimulator } from './lib/gemini_sim.mjs';
import { OpenAiSimulator } from './lib/openai_sim.mjs';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kSchemas, lastBody } from './lib/stand.mjs';
import { fetchRaw, sum, test, until } from './lib/util.mjs';

const keys = { app: 'sk-client-app-21c7', other: 'sk-client-other-9f0b', openai: 'sk-provider-openai-5c1f', anthropic: 'sk-ant-provider-e8a2', gemini: 'AIza-provider-77c0' };
const sims = {};
let folder, ledger, gateway, client, other;

const config = (more = {}) => ({
  providers: {
    openai: { type: 'openai', api_key: keys.openai, base_url: sims.openai.baseUrl },
    anthropic: { type: 'anthropic', api_key: keys.anthropic, base_url: sims.anthropic.baseUrl },
    gemini: { type: 'gemini', api_key: keys.gemini, base_url: sims.gemini.baseUrl },
    here: { type: 'local', models: { mini: 'bundled' } },
  },
  models: {
    'gpt-*': { targets: [{ provider: 'openai' }] },
    'claude-*': { targets: [{ provider: 'anthropic' }] },
    'gemini-*': { targets: [{ provider: 'gemini' }] },
    both: { targets: [{ provider: 'anthropic', model: 'claude-both' }, { provider: 'openai', model: 'gpt-both' }] },
    local: { targets: [{ provider: 'here', model: 'mini' }] },
  },
  keys: [{ name: 'app', secret: keys.app }, { name: 'other', secret: keys.other }],
  store: { ledger },
  ...more,
});

async function start(more) {
  gateway = await Gateway.start(config(more));
  client = openai(gateway, keys.app);
  other = openai(gateway, keys.other);
}

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchyard-store-'));
  ledger = path.join(folder, 'ledger.db');
  const forbidden = (own) => Object.entries(keys).filter(([name]) => name !== own).map(([, value]) => value);
  sims.openai = await new OpenAiSimulator({ key: keys.openai, forbidden: forbidden('openai') }).start();
  sims.anthropic = await new AnthropicSimulator({ key: keys.anthropic, forbidden: forbidden('anthropic') }).start();
  sims.gemini = await new GeminiSimulator({ key: keys.gemini, forbidden: forbidden('gemini') }).start();
  await start();
});
afterEach(() => {
  for (const [name, sim] of Object.entries(sims)) assert.deepEqual(sim.takeViolations(), [], `violations at ${name}`);
});
after(async () => {
  await gateway?.stop();
  await Promise.all(Object.values(sims).map((sim) => sim.stop()));
  await rm(folder, { recursive: true, force: true });
});

const tool = { type: 'function', name: 'get_time', description: 'the time', parameters: kSchemas.get_time, strict: false };
const fails = (promise, status, code) => assert.rejects(promise, (error) => {
  assert.equal(error.status, status, error.message);
  if (code) assert.equal(error.code, code);
  return true;
});
const notFound = (promise) => fails(promise, 404);
const unknown = (promise) => fails(promise, 400, 'previous_response_not_found');

for (const stream of [false, true]) {
  test(`a conversation goes over three providers, ${stream ? 'streamed' : 'whole'}`, async () => {
    const ask = async (body) => (stream ? client.responses.stream(body).finalResponse() : client.responses.create(body));
    const names = ['claude-sonnet-4-5', 'gemini-2.0-flash', 'gpt-4o'].map((name) => `${name}-chain-${stream}`);
    sims.anthropic.script(names[0], { text: 'Let me see.', tools: [kCalls[1]] });
    sims.gemini.script(names[1], { text: 'It is noon.' });
    sims.openai.script(names[2], { text: 'You are welcome.' });

    const first = await ask({ model: names[0], instructions: 'Be terse.', input: 'What time is it?', tools: [tool] });
    assert.deepEqual([first.store, first.previous_response_id], [true, null]);
    const call = first.output.find((item) => item.type === 'function_call');
    assert.ok(call, 'a call');
    const result = { type: 'function_call_output', call_id: call.call_id, output: '12:00' };
    const second = await ask({ model: names[1], previous_response_id: first.id, input: [result], tools: [tool] });
    assert.deepEqual([second.output_text, second.previous_response_id], ['It is noon.', first.id]);
    const seen = lastBody(sims.gemini, names[1]);
    assert.deepEqual(seen.contents.map(({ role }) => role), ['user', 'model', 'user']);
    assert.match(JSON.stringify(seen.contents), /What time is it\?.*Let me see\..*functionCall.*functionResponse.*12:00/);
    assert.doesNotMatch(JSON.stringify(seen), /Be terse/, 'instructions are of one request');

    const third = await ask({ model: names[2], previous_response_id: second.id, input: 'Thanks.' });
    assert.deepEqual([third.output_text, third.previous_response_id], ['You are welcome.', second.id]);
    // It speaks the dialect itself, but knows nothing of what others answered.
    const items = lastBody(sims.openai, names[2]);
    assert.equal(items.previous_response_id ?? null, null);
    assert.deepEqual(items.input.map((item) => item.type ?? 'message'), ['message', 'message', 'function_call', 'function_call_output', 'message', 'message']);
    assert.match(JSON.stringify(items.input), /What time is it.*Let me see.*get_time.*12:00.*It is noon.*Thanks/);

    // The first may be continued in another way.
    const again = await ask({ model: names[1], previous_response_id: first.id, input: [{ ...result, output: '13:00' }], tools: [tool] });
    assert.equal(again.previous_response_id, first.id);
    const contents = JSON.stringify(lastBody(sims.gemini, names[1]).contents);
    assert.match(contents, /13:00/);
    assert.doesNotMatch(contents, /12:00|noon/);
  });
}

test('an item of an answer may be named by its id', async () => {
  sims.anthropic.script('claude-named', { text: 'A fox.' });
  const first = await client.responses.create({ model: 'claude-named', input: 'An animal.' });
  const reference = { type: 'item_reference', id: first.output[0].id };
  const say = (text) => ({ role: 'user', content: text });
  for (const model of ['gpt-4o-named', 'claude-named']) {
    const second = await client.responses.create({ model, input: [say('An animal.'), reference, say('Why?')] });
    const sent = lastBody(model.startsWith('gpt') ? sims.openai : sims.anthropic, model);
    assert.match(JSON.stringify(sent), /An animal\..*A fox\..*Why\?/);
    // What goes on from there has the item, not its name.
    await client.responses.delete(first.id).catch(() => {});
    if (!model.startsWith('gpt')) continue;
    await client.responses.create({ model: 'claude-named-on', previous_response_id: second.id, input: 'Go on.' });
    assert.match(JSON.stringify(lastBody(sims.anthropic, 'claude-named-on').messages), /An animal\..*A fox\..*Why\?.*Go on\./);
    break;
  }
  await fails(client.responses.create({ model: 'claude-named', input: [reference, say('Why?')] }), 400);
  await fails(other.responses.create({ model: 'claude-named', input: [reference, say('Why?')] }), 400);
  // One that is not known here is the provider's own.
  const own = { type: 'item_reference', id: 'msg_of_the_provider' };
  await client.responses.create({ model: 'gpt-4o-named', input: [own, say('Why?')] }).catch(() => {});
  assert.deepEqual(lastBody(sims.openai, 'gpt-4o-named').input[0], own);
  sims.openai.takeViolations();
});

test('what is kept is what was sent, until it is deleted', async () => {
  const { data, response } = await client.responses.create({ model: 'claude-kept', input: 'Hi' }).withResponse();
  assert.equal(response.headers.get('x-switchyard-dropped'), null);
  const { _request_id: id1, output_text: text, ...kept } = await client.responses.retrieve(data.id);
  assert.ok(id1);
  assert.equal(text, plainText);
  const { _request_id: id2, output_text, ...sent } = data;
  assert.ok(id2 && output_text);
  assert.deepEqual(kept, sent);
  const streamed = await client.responses.stream({ model: 'claude-kept', input: 'Hi' }).finalResponse();
  assert.deepEqual((await client.responses.retrieve(streamed.id)).output, streamed.output.map(({ parsed, ...item }) => ({ ...item, content: item.content.map(({ parsed: gone, ...part }) => part) })));

  const head = { authorization: `Bearer ${keys.app}` };
  const deleted = await fetchRaw(`${gateway.url}/v1/responses/${data.id}`, { method: 'DELETE', headers: head });
  assert.deepEqual([deleted.status, JSON.parse(deleted.text)], [200, { id: data.id, object: 'response', deleted: true }]);
  await notFound(client.responses.retrieve(data.id));
  await notFound(client.responses.delete(data.id));
  await unknown(client.responses.create({ model: 'claude-kept', previous_response_id: data.id, input: 'On.' }));
  await client.responses.delete(streamed.id);
});

test('store: false keeps nothing', async () => {
  for (const stream of [false, true]) {
    const body = { model: 'claude-unkept', input: 'Hi', store: false };
    const reply = stream ? await client.responses.stream(body).finalResponse() : await client.responses.create(body);
    assert.equal(reply.store, false);
    await notFound(client.responses.retrieve(reply.id));
    await unknown(client.responses.create({ model: 'claude-unkept', previous_response_id: reply.id, input: 'On.' }));
  }
  // But it may continue what is kept.
  const first = await client.responses.create({ model: 'claude-unkept', input: 'One.' });
  const second = await client.responses.create({ model: 'claude-unkept', previous_response_id: first.id, input: 'Two.', store: false });
  assert.deepEqual([second.previous_response_id, second.store], [first.id, false]);
  assert.equal(lastBody(sims.anthropic, 'claude-unkept').messages.length, 3);
});

test('a response is its key\'s only', async () => {
  const { id } = await client.responses.create({ model: 'claude-own', input: 'Hi' });
  await notFound(other.responses.retrieve(id));
  await notFound(other.responses.delete(id));
  await unknown(other.responses.create({ model: 'claude-own', previous_response_id: id, input: 'On.' }));
  assert.equal((await client.responses.retrieve(id)).id, id);
  const unnamed = await fetchRaw(`${gateway.url}/v1/responses/${id}`);
  assert.equal(unnamed.status, 401);
});

test('one request id twice is two responses', async () => {
  const headers = { 'x-request-id': 'mine-every-time' };
  const first = await client.responses.create({ model: 'claude-twice', input: 'One.' }, { headers });
  const second = await client.responses.create({ model: 'claude-twice', previous_response_id: first.id, input: 'Two.' }, { headers });
  assert.notEqual(first.id, second.id);
  assert.equal(second._request_id, 'mine-every-time');
  await client.responses.create({ model: 'claude-twice', previous_response_id: second.id, input: 'Three.' }, { headers });
  assert.deepEqual(lastBody(sims.anthropic, 'claude-twice').messages.map(({ role }) => role), ['user', 'assistant', 'user', 'assistant', 'user']);
});

test('the local model goes on as well', async () => {
  const first = await client.responses.create({ model: 'local', input: 'Hello.', max_output_tokens: 16 });
  const second = await client.responses.create({ model: 'local', previous_response_id: first.id, input: 'And?', max_output_tokens: 16 });
  assert.ok(second.usage.input_tokens > first.usage.input_tokens);
});

test('an id that is not kept here is the provider\'s own', async () => {
  const body = { model: 'gpt-4o-own', input: 'Hi', previous_response_id: 'resp_of_the_provider' };
  await unknown(client.responses.create(body)); // So the simulator says.
  assert.equal(lastBody(sims.openai, 'gpt-4o-own').previous_response_id, 'resp_of_the_provider');
  // A target that could not know it is passed over.
  await unknown(client.responses.create({ ...body, model: 'both' }));
  assert.equal(sims.anthropic.of('claude-both').length, 0);
  assert.equal(sims.openai.of('gpt-both').length, 1);
  sims.openai.takeViolations();
  // What it answers itself is its own to keep.
  const reply = await client.responses.create({ model: 'gpt-4o-own', input: 'Hi' });
  await notFound(client.responses.retrieve(reply.id));
});

test('an answer that broke is not kept', async () => {
  sims.anthropic.script('claude-broken', { fault: 'break', content: true, patience_ms: 100 });
  const ids = new Set();
  try {
    for await (const event of await client.responses.create({ model: 'claude-broken', input: 'Hi', stream: true })) {
      if (event.response?.id) ids.add(event.response.id);
    }
  } catch { /* It is thrown, or told of in the last event. */ }
  assert.equal(ids.size, 1, 'the id does not change');
  await notFound(client.responses.retrieve([...ids][0]));
});

test('what else the API has is refused by name', async () => {
  const { id } = await client.responses.create({ model: 'claude-else', input: 'Hi' });
  await fails(client.responses.cancel(id), 400);
  await fails(client.responses.retrieve(id, { stream: true }), 400);
  await notFound(client.responses.inputItems.list(id));
  await notFound(client.responses.compact({ model: 'claude-else', input: 'Hi' }));
  await fails(client.responses.create({ model: 'claude-else', input: 'Hi', conversation: 'conv_1' }), 400);
  await fails(client.responses.create({ model: 'claude-else', input: 'Hi', background: true }), 400);
  await fails(client.responses.create({ model: 'claude-else', input: 'Hi', previous_response_id: 7 }), 400);
  // A call without its result cannot be left behind.
  sims.anthropic.script('claude-open', { tools: [kCalls[1]] });
  const open = await client.responses.create({ model: 'claude-open', input: 'Time?', tools: [tool] });
  await fails(client.responses.create({ model: 'claude-open', previous_response_id: open.id, input: 'Well?', tools: [tool] }), 400);
});

test('a restart loses nothing; a smaller bound holds at once', async () => {
  const first = await client.responses.create({ model: 'claude-restart', input: 'Before.' });
  await gateway.stop();
  assert.equal((await stat(ledger)).mode & 0o777, 0o600);
  await start();
  assert.equal((await client.responses.retrieve(first.id)).id, first.id);
  const second = await client.responses.create({ model: 'claude-restart', previous_response_id: first.id, input: 'After.' });
  assert.match(JSON.stringify(lastBody(sims.anthropic, 'claude-restart').messages), /Before\..*After\./);
  const kept = async () => sum(await gateway.metrics(), 'switchyard_store_responses');
  await until('both are counted', async () => (await kept()) > 1);

  await gateway.write(config({ store: { ledger, responses: { max: 1 } } }));
  assert.equal((await gateway.reload()).status, 200);
  await until('one is left', async () => (await kept()) === 1);
  await notFound(client.responses.retrieve(first.id));
  assert.equal((await client.responses.retrieve(second.id)).id, second.id);
  // Its beginning is gone.
  await unknown(client.responses.create({ model: 'claude-restart', previous_response_id: second.id, input: 'On.' }));

  await gateway.write(config({ store: { ledger: path.join(folder, 'elsewhere.db') } }));
  assert.equal((await gateway.reload()).status, 200);
  await until('it says that another file needs a restart', () => gateway.log.some(({ event, field }) => event === 'restart_needed' && field === 'store.ledger'));
  assert.equal((await client.responses.retrieve(second.id)).id, second.id);
});

test('without a store nothing is kept, and it is said', async () => {
  await gateway.stop();
  await start({ store: undefined });
  const reply = await client.responses.create({ model: 'claude-off', input: 'Hi' });
  assert.equal(reply.store, false);
  await notFound(client.responses.retrieve(reply.id));
  await unknown(client.responses.create({ model: 'claude-off', previous_response_id: reply.id, input: 'On.' }));
});

test('a file that is no ledger ends the start, with its name', async () => {
  const file = path.join(folder, 'switchyard.yaml'), bad = path.join(folder, 'bad.db');
  await writeFile(bad, 'no database, whatever it is called. '.repeat(200));
  await writeFile(file, JSON.stringify({ version: 1, server: { listen: '127.0.0.1:0', admin: '127.0.0.1:0' }, ...config({ store: { ledger: bad } }) }));
  const result = await runBinary(['serve', '--config', file]);
  assert.equal(result.code, 1);
  assert.match(result.stderr, /store\.ledger: .*bad\.db: file is not a database/);
});
