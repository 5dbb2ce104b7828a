// The unmodified openai SDK with the Responses API, against each kind of provider.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kSchemas, kUsage, keys, lastBody, startStand } from './lib/stand.mjs';
import { fetchRaw, readEvents, test, within } from './lib/util.mjs';

let stand, client;
before(async () => {
  stand = await startStand({ models: { limited: { targets: [{ provider: 'openai', model: 'gpt-limited' }] }, broken: { targets: [{ provider: 'anthropic', model: 'claude-broken' }] } } });
  client = stand.openai();
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const upstreams = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5', gemini: 'gemini-2.0-flash', rack: 'rack-llama' };
const tool = (name) => ({ type: 'function', name, description: name, parameters: kSchemas[name], strict: false });

for (const [upstream, base] of Object.entries(upstreams)) {
  const sim = () => stand.sims[upstream];
  const name = (suffix) => `${base}-responses-${suffix}`;
  const title = `responses, ${upstream}:`;

  test(`${title} a text, with usage and ids`, async () => {
    const model = name('text');
    sim().script(model, { usage: kUsage });
    const { data, response } = await client.responses.create({ model, input: 'Hi', instructions: 'You are terse.', max_output_tokens: 77, store: false }).withResponse();
    assert.deepEqual([data.object, data.status, data.output_text, data.error, data.incomplete_details], ['response', 'completed', plainText, null, null]);
    assert.equal(data.output[0].role, 'assistant');
    assert.ok(data.output.every((item) => item.id), 'ids of items');
    const { usage } = data;
    assert.deepEqual([usage.input_tokens, usage.output_tokens, usage.total_tokens, usage.input_tokens_details.cached_tokens], [1000, 50, 1050, 600]);
    assert.equal(response.headers.get('x-switchyard-provider'), upstream);
    assert.ok(data._request_id);
  });

  test(`${title} events in their order`, async () => {
    const model = name('events');
    sim().script(model, { text: ['Hel', 'lo.'], tools: [kCalls[1]], usage: kUsage, chop: 9 });
    const reply = await fetchRaw(`${stand.gateway.url}/v1/responses`, {
      headers: { authorization: `Bearer ${keys.client}` }, body: { model, input: 'Hi', tools: [tool('get_time')], stream: true, store: false },
    });
    const events = readEvents(reply.text);
    assert.ok(events.every(({ event, data }) => event === data.type), 'every event is named');
    assert.deepEqual(events.map(({ data }) => data.sequence_number), events.map((_, i) => i));
    const names = events.map(({ event }) => event.slice('response.'.length)).filter((each, i, all) => each !== all[i - 1]);
    const message = ['output_item.added', 'content_part.added', 'output_text.delta', 'output_text.done', 'content_part.done', 'output_item.done'];
    const call = ['output_item.added', 'function_call_arguments.delta', 'function_call_arguments.done', 'output_item.done'];
    assert.deepEqual(names, ['created', 'in_progress', ...message, ...call, 'completed']);
    const { response } = events.at(-1).data;
    assert.equal(response.usage.input_tokens, 1000);
    assert.deepEqual(response.output.map((item) => item.type), ['message', 'function_call']);
    assert.deepEqual(events.filter(({ event }) => event === 'response.output_item.done').map(({ data }) => data.item), response.output);
    assert.equal(new Set(events.filter(({ data }) => data.response).map(({ data }) => data.response.id)).size, 1);
  });

  test(`${title} the stream() helper, and an answer that was cut`, async () => {
    const model = name('helper');
    sim().script(model, { stop: 'length', usage: kUsage });
    for (const streamed of [false, true]) {
      const body = { model, input: [{ role: 'user', content: 'Hi' }] };
      const reply = streamed ? await client.responses.stream(body).finalResponse() : await client.responses.create(body);
      assert.deepEqual([reply.status, reply.incomplete_details?.reason, reply.output_text], ['incomplete', 'max_output_tokens', plainText]);
    }
  });

  test(`${title} parse() with a JSON schema`, async () => {
    const model = name('parse');
    sim().script(model, { text: '{"city":"Bern"}' });
    const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
    const reply = await client.responses.parse({ model, input: 'Where?', text: { format: { type: 'json_schema', name: 'place', schema, strict: true } } });
    assert.equal(JSON.parse(reply.output_text).city, 'Bern');
  });

  test(`${title} a forced tool, one at a time`, async () => {
    const model = name('forced');
    sim().script(model, { text: [], tools: [kCalls[1]] });
    const reply = await client.responses.create({
      model, input: 'Time?', tools: [tool('get_weather'), tool('get_time')], tool_choice: { type: 'function', name: 'get_time' },
    });
    assert.deepEqual(reply.output.map((item) => [item.type, item.name]), [['function_call', 'get_time']]);
    assert.ok(reply.output[0].call_id);
    assert.match(JSON.stringify(lastBody(sim(), model)), /get_time/);
  });

  test(`${title} who leaves is left by the gateway too`, async () => {
    const model = name('leaves');
    sim().script(model, { fault: 'stall', content: true });
    const abort = new AbortController();
    let text = '';
    const running = (async () => {
      for await (const event of await client.responses.create({ model, input: 'Hi', stream: true }, { signal: abort.signal })) {
        if (event.type === 'response.output_text.delta') text += event.delta;
        if (text.startsWith('Hel')) { sim().saw(model); abort.abort(); }
      }
    })().catch((error) => error);
    await within('the SDK ends the call', running);
    await within('the gateway closes the connection to the provider', sim().of(model)[0].gone, 1000);
    assert.ok(sim().of(model)[0].closedEarly);
  });
}

for (const [upstream, base] of Object.entries(upstreams).filter(([each]) => each !== 'openai')) {
  test(`responses, ${upstream}: tools of OpenAI's own are named as dropped, and refused when they are forced`, async () => {
    const model = `${base}-responses-hosted`;
    const body = { model, input: 'News?', tools: [tool('get_time'), { type: 'web_search' }] };
    const { response } = await client.responses.create(body).withResponse();
    assert.match(response.headers.get('x-switchyard-dropped') ?? '', /web_search/);
    await assert.rejects(client.responses.create({ ...body, tool_choice: { type: 'web_search' } }), { name: 'Error', status: 400 });
  });
}

test('responses: error classes', async () => {
  const refuses = async (body, status, name, code) => assert.rejects(client.responses.create(body), (error) => {
    assert.deepEqual([error.status, error.constructor.name], [status, name], error.message);
    if (code) assert.equal(error.code, code);
    assert.ok(error.requestID);
    return true;
  });
  await refuses({ model: 'no-such-model', input: 'x' }, 404, 'NotFoundError', 'model_not_found');
  await refuses({ model: 'claude-x', input: 5 }, 400, 'BadRequestError');
  await refuses({ model: 'claude-x', input: [{ type: 'function_call_output', call_id: 'none', output: 'x' }] }, 400, 'BadRequestError');
  // Nothing is kept here of what another provider answered: never ignored.
  await refuses({ model: 'claude-x', input: 'x', previous_response_id: 'resp_unknown' }, 400, 'BadRequestError', 'previous_response_not_found');
  stand.sims.openai.script('gpt-limited', { fault: 'status', status: 429, headers: { 'retry-after': '7' } });
  await refuses({ model: 'limited', input: 'x' }, 429, 'RateLimitError');
});

test('responses: a stream that breaks ends with the dialect\'s error, and nothing behind it', async () => {
  stand.sims.anthropic.script('claude-broken', { fault: 'break', content: true, patience_ms: 100 });
  const reply = await fetchRaw(`${stand.gateway.url}/v1/responses`, { headers: { authorization: `Bearer ${keys.client}` }, body: { model: 'broken', input: 'Hi', stream: true } });
  const events = readEvents(reply.text);
  assert.ok(['error', 'response.failed'].includes(events.at(-1).event), reply.text);
  assert.ok(!events.some(({ event }) => event === 'response.completed'));
});
