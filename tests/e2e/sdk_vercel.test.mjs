// Vercel's AI SDK, unmodified, through each of its providers that can be pointed at a gateway.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogleGenerativeAI } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import { APICallError, Output, generateText, jsonSchema, stepCountIs, streamText, tool } from 'ai';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kSchemas, kUsage, keys, lastBody, startStand } from './lib/stand.mjs';
import { test, within } from './lib/util.mjs';

const clients = ['responses', 'chat', 'anthropic', 'google'];
let stand;
const models = {};
before(async () => {
  // One target each, so that one's failures do not cool another.
  stand = await startStand({ models: Object.fromEntries(clients.map((client) => [`limited-${client}`, { targets: [{ provider: 'openai', model: `gpt-limited-${client}` }] }])) });
  const options = { baseURL: `${stand.gateway.url}/v1`, apiKey: keys.client };
  const openai = createOpenAI(options);
  models.responses = (name) => openai(name);
  models.chat = (name) => openai.chat(name);
  models.anthropic = createAnthropic(options);
  models.google = createGoogleGenerativeAI({ ...options, baseURL: `${stand.gateway.url}/v1beta` });
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const upstreams = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5', gemini: 'gemini-2.0-flash' };
// Without `store` the SDK sends items back whole; with it, their ids only, which a provider without memory cannot know.
const rest = { maxRetries: 0, abortSignal: AbortSignal.timeout(120_000), providerOptions: { openai: { store: false } } };

for (const client of clients) {
  for (const [upstream, base] of Object.entries(upstreams)) {
    const name = (suffix) => `${base}-vercel-${client}-${suffix}`;
    const title = `ai SDK, ${client} to ${upstream}:`;

    test(`${title} text, whole and streamed`, async () => {
      const sim = stand.sims[upstream];
      sim.script(name('text'), { usage: kUsage, chop: 6 });
      const options = { ...rest, model: models[client](name('text')), system: 'You are terse.', prompt: 'Hi', maxOutputTokens: 77 };
      const whole = await generateText(options);
      const stream = streamText(options);
      let text = '';
      for await (const piece of stream.textStream) text += piece;
      assert.deepEqual([whole.text, text], [plainText, plainText]);
      for (const reply of [whole, { finishReason: await stream.finishReason, usage: await stream.usage }]) {
        assert.equal(reply.finishReason, 'stop');
        assert.deepEqual([reply.usage.inputTokens, reply.usage.outputTokens], [1000, 50]);
      }
      assert.match(JSON.stringify(lastBody(sim, name('text'))), /You are terse\./);
    });

    for (const streamed of [false, true]) {
      test(`${title} a tool loop, ${streamed ? 'streamed' : 'whole'}`, async () => {
        const sim = stand.sims[upstream], model = name(`loop-${streamed}`);
        sim.script(model, { text: 'Let me look.', tools: kCalls, chop: 10 }, { text: 'It is sunny.' });
        const used = [];
        const tools = Object.fromEntries(Object.entries(kSchemas).map(([called, schema]) => [called, tool({
          description: called, inputSchema: jsonSchema(schema), execute: async (input) => { used.push([called, input]); return { said: `result of ${called}` }; },
        })]));
        const options = { ...rest, model: models[client](model), prompt: 'Weather and time?', tools, stopWhen: stepCountIs(3) };
        const result = streamed ? streamText(options) : await generateText(options);
        if (streamed) await result.consumeStream();
        assert.equal(await result.text, 'It is sunny.');
        assert.equal((await result.steps).length, 2);
        assert.deepEqual(used.sort(([a], [b]) => (a < b ? 1 : -1)), kCalls.map((call) => [call.name, JSON.parse(call.arguments)]));
        const sent = JSON.stringify(lastBody(sim, model));
        for (const [called] of used) assert.ok(sent.includes(`result of ${called}`));
      });
    }

    test(`${title} an object by its schema`, async () => {
      const sim = stand.sims[upstream], model = name('object');
      // For an unknown Claude the SDK forces a tool called json instead; here it knows the model.
      sim.script(model, ({ raw }) => (/"tool_choice"/.test(raw) ? { text: [], tools: [{ id: 'toolu_json', name: 'json', arguments: '{"city":"Bern"}' }] } : { text: '{"city":"Bern"}' }));
      const schema = jsonSchema({ type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false });
      const { output } = await generateText({ ...rest, model: models[client](model), prompt: 'Where?', output: Output.object({ schema }) });
      assert.deepEqual(output, { city: 'Bern' });
    });
  }

  test(`ai SDK, ${client}: errors are APICallErrors with the status and the message`, async () => {
    const ask = (model) => generateText({ ...rest, model: models[client](model), prompt: 'Hi' });
    stand.sims.openai.script(`gpt-limited-${client}`, { fault: 'status', status: 429, headers: { 'retry-after': '1' } });
    for (const [model, status, words] of [['no-such-model', 404, /no such model/], [`limited-${client}`, 429, /./]]) {
      await assert.rejects(ask(model), (error) => {
        assert.ok(APICallError.isInstance(error), error.stack);
        assert.equal(error.statusCode, status);
        assert.match(error.message, words);
        return true;
      });
    }
  });

  test(`ai SDK, ${client}: who leaves is left by the gateway too`, async () => {
    const sim = stand.sims.anthropic, model = `claude-vercel-leaves-${client}`, abort = new AbortController();
    sim.script(model, { fault: 'stall', content: true });
    const result = streamText({ model: models[client](model), prompt: 'Hi', maxRetries: 0, abortSignal: abort.signal, onError: () => {} });
    await within('the stream ends', (async () => {
      for await (const piece of result.textStream) if (piece) { sim.saw(model); abort.abort(); }
    })().catch(() => {}));
    await within('the gateway closes the connection to the provider', sim.of(model)[0].gone, 1000);
    assert.ok(sim.of(model)[0].closedEarly);
  });
}
