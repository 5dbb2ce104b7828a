// The unmodified @google/genai SDK against each kind of provider.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kSchemas, kUsage, keys, lastBody, startStand } from './lib/stand.mjs';
import { fetchRaw, readEvents, test, within } from './lib/util.mjs';

let stand, ai;
const connect = (options = {}, apiKey = keys.client) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: stand.gateway.url, timeout: 30_000, ...options } });
before(async () => {
  stand = await startStand({ models: {
    limited: { targets: [{ provider: 'openai', model: 'gpt-limited' }] },
    'text-embedding-*': { targets: [{ provider: 'openai' }] },
  } });
  ai = connect();
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const upstreams = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5', gemini: 'gemini-2.0-flash', rack: 'rack-llama' };
const functionDeclarations = Object.entries(kSchemas).map(([name, parametersJsonSchema]) => ({ name, description: name, parametersJsonSchema }));

async function rejection(promise) {
  const error = await promise.then(() => assert.fail('no error'), (thrown) => thrown);
  assert.equal(error.name, 'ApiError', error.stack);
  return { status: error.status, ...JSON.parse(error.message).error };
}

for (const [upstream, base] of Object.entries(upstreams)) {
  const sim = () => stand.sims[upstream];
  const name = (suffix) => `${base}-genai-${suffix}`;
  const title = `genai SDK, ${upstream}:`;

  test(`${title} an answer, on both versions of the path`, async () => {
    for (const apiVersion of ['v1', 'v1beta']) {
      const model = name(apiVersion);
      sim().script(model, { usage: kUsage });
      const reply = await connect({ apiVersion }).models.generateContent({ model, contents: 'Hi', config: { systemInstruction: 'You are terse.', maxOutputTokens: 77, stopSequences: ['END'] } });
      assert.equal(reply.text, plainText);
      const [candidate] = reply.candidates;
      assert.deepEqual([candidate.content.role, candidate.finishReason, candidate.index ?? 0], ['model', 'STOP', 0]);
      const { promptTokenCount, candidatesTokenCount, totalTokenCount, cachedContentTokenCount } = reply.usageMetadata;
      assert.deepEqual([promptTokenCount, candidatesTokenCount, totalTokenCount, cachedContentTokenCount], [1000, 50, 1050, 600]);
      assert.ok(reply.responseId && reply.modelVersion);
      const sent = JSON.stringify(lastBody(sim(), model));
      for (const part of ['You are terse.', '77', 'END']) assert.ok(sent.includes(part), `${part} in ${sent}`);
    }
  });

  test(`${title} a stream, and no [DONE] in it`, async () => {
    const model = name('stream');
    sim().script(model, { usage: kUsage, chop: 5 });
    let text = '', last;
    for await (last of await ai.models.generateContentStream({ model, contents: 'Hi' })) text += last.text ?? '';
    assert.equal(text, plainText);
    assert.deepEqual([last.candidates[0].finishReason, last.usageMetadata.totalTokenCount], ['STOP', 1050]);
    const raw = await fetchRaw(`${stand.gateway.url}/v1beta/models/${model}:streamGenerateContent?alt=sse&key=${keys.client}`, { body: { contents: [{ parts: [{ text: 'Hi' }] }] } });
    assert.match(raw.headers['content-type'], /^text\/event-stream/);
    const events = readEvents(raw.text.replaceAll('\r\n', '\n'));
    assert.ok(events.every(({ event, data }) => event === undefined && Array.isArray(data.candidates)), raw.text);
    assert.ok(!stand.gateway.stdout.includes(keys.client), 'the key of a query in the log');
  });

  test(`${title} a stream as a JSON array`, async () => {
    const model = name('array');
    sim().script(model, { usage: kUsage, chop: 7 });
    const raw = await fetchRaw(`${stand.gateway.url}/v1beta/models/${model}:streamGenerateContent`, {
      headers: { 'x-goog-api-key': keys.client }, body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
    });
    assert.match(raw.headers['content-type'], /^application\/json/);
    assert.ok(Array.isArray(raw.json), raw.text);
    assert.equal(raw.json.flatMap(({ candidates }) => candidates[0].content?.parts ?? []).map((part) => part.text ?? '').join(''), plainText);
    assert.equal(raw.json.at(-1).candidates[0].finishReason, 'STOP');
  });

  test(`${title} a chat keeps its history, calls and results among it`, async () => {
    const model = name('chat');
    sim().script(model, { text: 'Let me look.', tools: kCalls }, { text: 'It is sunny.' }, { text: 'Bye.', chop: 4 });
    const chat = ai.chats.create({ model, config: { tools: [{ functionDeclarations }], systemInstruction: 'Be brief.' } });
    const first = await chat.sendMessage({ message: 'Weather and time?' });
    assert.deepEqual(first.functionCalls.map(({ name: called, args }) => [called, args]), kCalls.map((call) => [call.name, JSON.parse(call.arguments)]));
    // As most write it: without the ids.
    const second = await chat.sendMessage({ message: first.functionCalls.map(({ name: called }) => ({ functionResponse: { name: called, response: { output: `result of ${called}` } } })) });
    assert.equal(second.text, 'It is sunny.');
    let text = '';
    for await (const reply of await chat.sendMessageStream({ message: 'Thanks, bye.' })) text += reply.text ?? '';
    assert.equal(text, 'Bye.');
    const sent = JSON.stringify(lastBody(sim(), model));
    for (const part of ['result of get_weather', 'result of get_time', 'It is sunny.', 'Thanks, bye.']) assert.ok(sent.includes(part), part);
  });

  test(`${title} finish reasons`, async () => {
    const model = name('finish');
    for (const [stop, reasons] of [['length', ['MAX_TOKENS']], ['refusal', ['SAFETY', 'PROHIBITED_CONTENT']]]) {
      sim().script(model, { stop });
      const whole = await ai.models.generateContent({ model, contents: 'Hi' });
      assert.ok(reasons.includes(whole.candidates[0].finishReason), whole.candidates[0].finishReason);
      let last;
      for await (last of await ai.models.generateContentStream({ model, contents: 'Hi' }));
      assert.ok(reasons.includes(last.candidates[0].finishReason), last.candidates[0].finishReason);
    }
  });

  test(`${title} a forced function and its arguments`, async () => {
    const model = name('forced');
    sim().script(model, { text: [], tools: [kCalls[1]] });
    const reply = await ai.models.generateContent({ model, contents: 'Time?', config: { tools: [{ functionDeclarations }], toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['get_time'] } } } });
    assert.deepEqual(reply.functionCalls.map((call) => call.name), ['get_time']);
  });

  test(`${title} tokens are counted`, async () => {
    const { totalTokens } = await ai.models.countTokens({ model: name('count'), contents: 'How many tokens are in this sentence, more or less?' });
    assert.ok(totalTokens > 5 && totalTokens < 50, `${totalTokens}`);
  });

  test(`${title} who leaves is left by the gateway too`, async () => {
    const model = name('leaves');
    sim().script(model, { fault: 'stall', content: true });
    const abort = new AbortController();
    const running = (async () => {
      for await (const reply of await ai.models.generateContentStream({ model, contents: 'Hi', config: { abortSignal: abort.signal } })) {
        if (reply.text) { sim().saw(model); abort.abort(); }
      }
    })().catch((error) => error);
    await within('the SDK ends the call', running);
    await within('the gateway closes the connection to the provider', sim().of(model)[0].gone, 1000);
    assert.ok(sim().of(model)[0].closedEarly);
  });
}

test('genai SDK: embeddings, from a provider of the dialect and from another', async () => {
  for (const [model, upstream] of [['gemini-embedding-001', 'gemini'], ['text-embedding-3-small', 'openai'], ['rack-embed', 'rack']]) {
    stand.sims[upstream].script(model, { vectors: [[0.5, -0.25], [1, 2]] });
    const { embeddings } = await ai.models.embedContent({ model, contents: ['a', 'b'] });
    assert.deepEqual(embeddings.map(({ values }) => values), [[0.5, -0.25], [1, 2]], upstream);
  }
});

test('genai SDK: the list of models holds what the key may use', async () => {
  const names = [];
  for await (const model of await ai.models.list()) names.push(model.name);
  assert.deepEqual(names.sort(), ['models/limited', 'models/local']);
  assert.equal((await ai.models.get({ model: 'local' })).name, 'models/local');
  assert.equal((await rejection(ai.models.get({ model: 'no-such-model' }))).status, 'NOT_FOUND');
});

test('genai SDK: errors are ApiErrors with Google\'s status', async () => {
  const model = 'gpt-genai-errors', contents = 'Hi';
  const wrong = await rejection(connect({}, 'AIza-wrong').models.generateContent({ model, contents }));
  assert.deepEqual([wrong.code, wrong.status], [401, 'UNAUTHENTICATED']);
  const unknown = await rejection(ai.models.generateContent({ model: 'no-such-model', contents }));
  assert.deepEqual([unknown.code, unknown.status], [404, 'NOT_FOUND']);
  const streamed = await rejection(ai.models.generateContentStream({ model: 'no-such-model', contents }));
  assert.deepEqual([streamed.code, streamed.status], [404, 'NOT_FOUND']);
  const odd = await rejection(ai.models.generateContent({ model, contents, config: { temperature: 'hot' } }));
  assert.deepEqual([odd.code, odd.status], [400, 'INVALID_ARGUMENT']);
  stand.sims.openai.script('gpt-limited', { fault: 'status', status: 429, headers: { 'retry-after': '7' } });
  const limited = await rejection(ai.models.generateContent({ model: 'limited', contents }));
  assert.deepEqual([limited.code, limited.status], [429, 'RESOURCE_EXHAUSTED']);
  assert.match(JSON.stringify(limited.details), /RetryInfo.*"[0-9.]+s"/);
});
