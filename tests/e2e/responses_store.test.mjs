// The Responses API with a store: conversations that are continued by an id, whoever answers, and what is kept of them.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import { generateText, jsonSchema, stepCountIs, tool } from 'ai';
import { openai } from './lib/clients.mjs';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kSchemas, keys, lastBody, startStand } from './lib/stand.mjs';
import { test } from './lib/util.mjs';

let stand, client;
before(async () => {
  stand = await startStand({ store: { ledger: 'ledger.db' } });
  client = stand.openai();
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const tools = ['get_weather', 'get_time'].map((name) => ({ type: 'function', name, description: name, parameters: kSchemas[name], strict: false }));
const missing = { status: 404 };

for (const [upstream, base] of Object.entries({ anthropic: 'claude-sonnet-4-5', gemini: 'gemini-3-pro', rack: 'rack-llama' })) {
  for (const streamed of [false, true]) {
    const how = streamed ? 'streamed' : 'whole';

    test(`store, ${upstream}: a conversation goes on by the id of its last response, ${how}`, async () => {
      const model = `${base}-store-${streamed}`, sim = stand.sims[upstream];
      const thinking = { text: 'I look it up.', signature: upstream === 'gemini' ? 'c2lnLW9mLWdlbWluaQ==' : `sig-${upstream}` };
      sim.script(model, { thinking, text: 'Let me look.', tools: kCalls }, { text: 'It is sunny.' }, { text: 'Bye.' });
      const ask = (body) => (streamed ? client.responses.stream(body).finalResponse() : client.responses.create(body));
      const options = { model, tools, ...(upstream !== 'rack' && { reasoning: { effort: 'high', summary: 'auto' } }), max_output_tokens: 16_000 };
      const first = await ask({ ...options, instructions: 'Be terse.', input: 'Weather and time?' });
      const calls = first.output.filter((item) => item.type === 'function_call');
      assert.deepEqual(calls.map((call) => call.name), kCalls.map((call) => call.name));
      const results = calls.map(({ call_id, name }) => ({ type: 'function_call_output', call_id, output: `result of ${name}` }));
      const second = await ask({ ...options, input: results, previous_response_id: first.id });
      assert.equal(second.output_text, 'It is sunny.');
      assert.equal(second.previous_response_id, first.id);
      const third = await ask({ ...options, input: 'Thanks.', previous_response_id: second.id });
      assert.equal(third.output_text, 'Bye.');
      const sent = JSON.stringify(lastBody(sim, model));
      for (const part of ['Weather and time?', 'result of get_weather', 'result of get_time', 'It is sunny.', 'Thanks.']) assert.ok(sent.includes(part), `${part} in ${sent}`);
      assert.ok(!sent.includes('Be terse.'), 'instructions are not inherited');
    });
  }
}

test('store: a conversation goes from one provider to another', async () => {
  stand.sims.anthropic.script('claude-sonnet-4-5-first', { thinking: { text: 'Hm.', signature: 'sig-first' }, text: [], tools: [kCalls[1]] });
  stand.sims.gemini.script('gemini-3-pro-second', { text: 'Noon.' });
  const first = await client.responses.create({ model: 'claude-sonnet-4-5-first', input: 'Time?', tools, reasoning: { effort: 'low', summary: 'auto' }, max_output_tokens: 4000 });
  const { call_id } = first.output.find((item) => item.type === 'function_call');
  const second = await client.responses.create({ model: 'gemini-3-pro-second', input: [{ type: 'function_call_output', call_id, output: '12:00' }], tools, previous_response_id: first.id });
  assert.equal(second.output_text, 'Noon.');
  // And back to OpenAI itself, which knows nothing of either.
  const third = await client.responses.create({ model: 'gpt-4o-third', input: 'And now?', tools, previous_response_id: second.id });
  assert.equal(third.output_text, plainText);
  assert.match(JSON.stringify(lastBody(stand.sims.openai, 'gpt-4o-third')), /Noon\./);
});

test('store: responses are read and deleted, by whose they are only', async () => {
  const { id } = await client.responses.create({ model: 'claude-sonnet-4-5-kept', input: 'Hi', metadata: { a: 'b' } });
  const kept = await client.responses.retrieve(id);
  assert.deepEqual([kept.id, kept.status, kept.output_text ?? kept.output[0].content[0].text], [id, 'completed', plainText]);
  const other = openai(stand.gateway, keys.limited);
  await assert.rejects(other.responses.retrieve(id), missing);
  await assert.rejects(other.responses.create({ model: 'gpt-allowed', input: 'x', previous_response_id: id }), (error) => error.status === 404 || error.status === 400);
  stand.sims.openai.takeViolations(); // An id that is not its own may be the provider's, which was asked.
  await client.responses.delete(id);
  await assert.rejects(client.responses.retrieve(id), missing);
  await assert.rejects(client.responses.create({ model: 'claude-sonnet-4-5-kept', input: 'x', previous_response_id: id }), (error) => {
    assert.equal(error.code, 'previous_response_not_found');
    return true;
  });
});

test('store: what was to be kept by nobody is not', async () => {
  const { id } = await client.responses.create({ model: 'claude-sonnet-4-5-unkept', input: 'Hi', store: false });
  await assert.rejects(client.responses.retrieve(id), missing);
});

for (const [upstream, model] of Object.entries({ anthropic: 'claude-sonnet-4-5-ai', gemini: 'gemini-2.0-flash-ai' })) {
  test(`store, ${upstream}: the AI SDK as it comes, which sends items by their ids`, async () => {
    stand.sims[upstream].script(model, { text: 'Let me look.', tools: kCalls }, { text: 'It is sunny.' });
    const provider = createOpenAI({ baseURL: `${stand.gateway.url}/v1`, apiKey: keys.client });
    const used = Object.fromEntries(Object.entries(kSchemas).map(([name, schema]) => [name, tool({ description: name, inputSchema: jsonSchema(schema), execute: async () => ({ said: name }) })]));
    const { text } = await generateText({ model: provider(model), prompt: 'Weather and time?', tools: used, stopWhen: stepCountIs(3), maxRetries: 0 });
    assert.equal(text, 'It is sunny.');
  });
}
