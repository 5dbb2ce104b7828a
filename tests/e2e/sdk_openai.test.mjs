// The unmodified openai SDK against each kind of provider.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kPng, kResults, kUsage, lastBody, openAiTools, startStand } from './lib/stand.mjs';
import { test } from './lib/util.mjs';

let stand, client;
before(async () => {
  stand = await startStand();
  client = stand.openai();
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const upstreams = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5', rack: 'rack-llama' };
const user = (content) => ({ role: 'user', content });

// What reached the provider, in one form.
const seen = {
  anthropic: (body) => ({
    system: typeof body.system === 'string' ? body.system : body.system?.map((block) => block.text).join('\n\n'),
    stop: body.stop_sequences, max: body.max_tokens, temperature: body.temperature,
  }),
  openai: (body) => ({
    system: body.messages.filter(({ role }) => role === 'system' || role === 'developer').map(({ content }) => content).join('\n\n'),
    stop: [body.stop].flat(), max: body.max_completion_tokens ?? body.max_tokens, temperature: body.temperature,
  }),
};
seen.rack = seen.openai;

for (const [upstream, base] of Object.entries(upstreams)) {
  const sim = () => stand.sims[upstream];
  const name = (suffix) => `${base}-${suffix}`;

  test(`openai SDK, ${upstream}: chat with a system prompt, stop, limits and usage`, async () => {
    const model = name('chat');
    sim().script(model, { usage: kUsage });
    const { data, response } = await client.chat.completions.create({
      model, messages: [{ role: 'system', content: 'You are terse.' }, user('Hi')], stop: ['END', '###'], temperature: 0.7,
      max_tokens: 77,
    }).withResponse();
    const { choices, usage, object, _request_id: id } = data;
    assert.equal(object, 'chat.completion');
    assert.equal(choices.length, 1);
    assert.deepEqual([choices[0].message.role, choices[0].message.content, choices[0].finish_reason], ['assistant', plainText, 'stop']);
    assert.deepEqual([usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.prompt_tokens_details.cached_tokens], [1000, 50, 1050, 600]);
    assert.deepEqual(seen[upstream](lastBody(sim(), model)), { system: 'You are terse.', stop: ['END', '###'], max: 77, temperature: 0.7 });
    assert.ok(id && id === response.headers.get('x-request-id'), 'the request id');
    assert.equal(response.headers.get('x-switchyard-provider'), upstream);
    assert.equal(response.headers.get('x-switchyard-model'), model);
    assert.equal(response.headers.get('x-switchyard-attempts'), '1');
    assert.equal(response.headers.get('x-switchyard-reason'), 'only_target');
    assert.match(response.headers.get('x-switchyard-config'), /^[0-9a-f]{12}$/);
  });

  test(`openai SDK, ${upstream}: finish reasons`, async () => {
    const model = name('finish');
    for (const [stop, reason] of [['length', 'length'], ['refusal', 'content_filter']]) {
      sim().script(model, { stop });
      const whole = await client.chat.completions.create({ model, messages: [user('Hi')] });
      assert.equal(whole.choices[0].finish_reason, reason);
      const reasons = [];
      for await (const chunk of await client.chat.completions.create({ model, messages: [user('Hi')], stream: true })) {
        if (chunk.choices[0]?.finish_reason) reasons.push(chunk.choices[0].finish_reason);
      }
      assert.deepEqual(reasons, [reason]);
    }
  });

  test(`openai SDK, ${upstream}: stream by iteration, without and with usage`, async () => {
    const model = name('stream');
    sim().script(model, { usage: kUsage, chop: 5 });
    for (const wanted of [false, true]) {
      const stream = await client.chat.completions.create({
        model, messages: [user('Hi')], stream: true, ...(wanted && { stream_options: { include_usage: true } }),
      });
      const chunks = [];
      for await (const chunk of stream) chunks.push(chunk);
      const deltas = chunks.filter(({ choices }) => choices.length > 0);
      assert.equal(deltas.map(({ choices }) => choices[0].delta.content ?? '').join(''), plainText);
      assert.deepEqual(deltas.map(({ choices }) => choices[0].finish_reason).filter(Boolean), ['stop']);
      assert.equal(deltas[0].choices[0].delta.role, 'assistant');
      assert.equal(new Set(chunks.map(({ id }) => id)).size, 1);
      const usages = chunks.map(({ usage }) => usage).filter(Boolean);
      if (wanted) {
        assert.equal(usages.length, 1);
        assert.deepEqual(chunks.at(-1).choices, []);
        assert.deepEqual([usages[0].prompt_tokens, usages[0].completion_tokens, usages[0].prompt_tokens_details.cached_tokens], [1000, 50, 600]);
      } else {
        assert.deepEqual([usages, chunks.length - deltas.length], [[], 0], 'usage that nobody asked for');
      }
    }
  });

  test(`openai SDK, ${upstream}: the stream() helper`, async () => {
    const model = name('helper');
    const stream = client.chat.completions.stream({ model, messages: [user('Hi')], stream_options: { include_usage: true } });
    const pieces = [];
    stream.on('content', (piece) => pieces.push(piece));
    const completion = await stream.finalChatCompletion();
    assert.equal(pieces.join(''), plainText);
    assert.equal(completion.choices[0].message.content, plainText);
    assert.equal((await stream.totalUsage()).prompt_tokens, 11);
  });

  for (const streamed of [false, true]) {
    test(`openai SDK, ${upstream}: two calls at once and their results, ${streamed ? 'streamed' : 'whole'}`, async () => {
      const model = name(`tools-${streamed}`);
      sim().script(model, { text: 'Let me look.', tools: kCalls, chop: 11 }, { text: 'It is sunny.' });
      const ask = async (messages) => {
        const body = { model, messages, tools: openAiTools, tool_choice: 'auto' };
        return streamed ? client.chat.completions.stream(body).finalChatCompletion() : client.chat.completions.create(body);
      };
      const first = await ask([user('Weather and time in Zürich?')]);
      const { message, finish_reason: reason } = first.choices[0];
      assert.equal(reason, 'tool_calls');
      assert.equal(message.content, 'Let me look.');
      assert.deepEqual(message.tool_calls.map((call) => [call.id, call.type, call.function.name]), kCalls.map((call) => [call.id, 'function', call.name]));
      message.tool_calls.forEach((call, i) => assert.deepEqual(JSON.parse(call.function.arguments), JSON.parse(kCalls[i].arguments)));
      // The second result first: no provider needs an order, but all of them need both.
      const results = [...message.tool_calls].reverse().map((call) => ({ role: 'tool', tool_call_id: call.id, content: kResults[call.id] }));
      const { role, content, tool_calls } = message;
      const second = await ask([user('Weather and time in Zürich?'), { role, content, tool_calls }, ...results]);
      assert.equal(second.choices[0].message.content, 'It is sunny.');
      const text = JSON.stringify(lastBody(sim(), model).messages);
      for (const part of [...Object.values(kResults), 'Zürich 🏔']) assert.ok(text.includes(part), `${part} did not reach the provider`);
    });
  }

  test(`openai SDK, ${upstream}: an image as data URL arrives as it was`, async () => {
    const model = name('image');
    const content = [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${kPng}` } }];
    await client.chat.completions.create({ model, messages: [user(content)] });
    const parts = lastBody(sim(), model).messages[0].content;
    const expected = upstream === 'anthropic' ? { type: 'image', source: { type: 'base64', media_type: 'image/png', data: kPng } } : content[1];
    assert.deepEqual(parts, [content[0], expected]);
  });

  test(`openai SDK, ${upstream}: a forced tool, one at a time`, async () => {
    const model = name('choice');
    await client.chat.completions.create({
      model, messages: [user('Time?')], tools: openAiTools, tool_choice: { type: 'function', function: { name: 'get_time' } }, parallel_tool_calls: false,
    });
    const body = lastBody(sim(), model);
    if (upstream === 'anthropic') {
      assert.deepEqual(body.tool_choice, { type: 'tool', name: 'get_time', disable_parallel_tool_use: true });
    } else {
      assert.deepEqual([body.tool_choice.function, body.parallel_tool_calls], [{ name: 'get_time' }, false]);
    }
  });

  test(`openai SDK, ${upstream}: parse() with a JSON schema`, async () => {
    const model = name('schema');
    const schema = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false };
    const format = { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } };
    sim().script(model, { text: '{"city":"Bern"}' });
    const { choices } = await client.chat.completions.parse({ model, messages: [user('Where, as JSON?')], response_format: format });
    assert.equal(JSON.parse(choices[0].message.content).city, 'Bern');
    const body = lastBody(sim(), model);
    if (upstream === 'anthropic') assert.deepEqual(body.output_config.format, { type: 'json_schema', schema });
    else assert.deepEqual(body.response_format, format);
  });
}

for (const streamed of [false, true]) {
  test(`openai SDK, anthropic: thinking comes with its signature and goes back with it, ${streamed ? 'streamed' : 'whole'}`, async () => {
    const model = `claude-sonnet-4-5-think-${streamed}`, sim = stand.sims.anthropic;
    const thinking = { text: 'The user wants the weather.', signature: 'sig-anthropic-abc' };
    sim.script(model, { thinking, redacted: 'b3BhcXVl', text: [], tools: [kCalls[1]] }, { text: 'Noon.' });
    const body = { model, tools: openAiTools, reasoning_effort: 'high', max_completion_tokens: 4000 };
    const question = user('What time is it?');
    let message;
    if (streamed) {
      message = { role: 'assistant', content: null, tool_calls: [], reasoning_content: '', reasoning_details: [] };
      for await (const { choices } of await client.chat.completions.create({ ...body, messages: [question], stream: true })) {
        const delta = choices[0]?.delta ?? {};
        message.reasoning_content += delta.reasoning_content ?? '';
        for (const detail of delta.reasoning_details ?? []) mergeDetail(message.reasoning_details, detail);
        for (const call of delta.tool_calls ?? []) {
          if (call.id) message.tool_calls[call.index] = { id: call.id, type: call.type, function: { name: call.function.name, arguments: '' } };
          message.tool_calls[call.index].function.arguments += call.function.arguments ?? '';
        }
      }
    } else {
      message = (await client.chat.completions.create({ ...body, messages: [question] })).choices[0].message;
    }
    assert.ok(['enabled', 'adaptive'].includes(lastBody(sim, model).thinking?.type), 'thinking was not asked for');
    assert.equal(message.reasoning_content, thinking.text);
    const details = message.reasoning_details;
    assert.deepEqual(details.map(({ type, format }) => [type, format]), [['reasoning.text', 'anthropic-claude-v1'], ['reasoning.encrypted', 'anthropic-claude-v1']]);
    // Whose they are stands before them: another provider must not be given them.
    const tag = 'switchyard/anthropic/';
    assert.deepEqual([details[0].text, details[0].signature, details[1].data], [thinking.text, tag + thinking.signature, `${tag}b3BhcXVl`]);
    const { role, content, tool_calls, reasoning_details } = message;
    const second = await client.chat.completions.create({ ...body, messages: [
      question, { role, content, tool_calls, reasoning_details }, { role: 'tool', tool_call_id: 'toolu_B2', content: '12:00' },
    ] });
    assert.equal(second.choices[0].message.content, 'Noon.');
    const blocks = lastBody(sim, model).messages[1].content;
    assert.deepEqual(blocks.slice(0, 2), [
      { type: 'thinking', thinking: thinking.text, signature: thinking.signature }, { type: 'redacted_thinking', data: 'b3BhcXVl' },
    ]);
    assert.equal(blocks[2].type, 'tool_use');
  });
}

// A client puts the pieces of one index together: text grows, the rest is set.
function mergeDetail(details, { index, text, ...rest }) {
  const known = details.find((detail) => detail.index === index);
  if (!known) details.push({ index, ...(text !== undefined && { text }), ...rest });
  else Object.assign(known, rest, text !== undefined && { text: (known.text ?? '') + text });
}

test('openai SDK, anthropic: history made elsewhere is made fit', async () => {
  const model = 'claude-sonnet-4-5-history';
  const call = { id: 'call.odd|1:x', type: 'function', function: { name: 'get_time', arguments: '' } };
  await client.chat.completions.create({ model, tools: openAiTools, messages: [
    { role: 'assistant', content: 'Hello, how can I help?' }, user('Time?'),
    { role: 'assistant', content: '', tool_calls: [call], reasoning_content: 'unsigned' },
    { role: 'tool', tool_call_id: call.id, content: '' }, user('And?'), user('Well?'),
  ] });
  const { messages } = lastBody(stand.sims.anthropic, model);
  const use = messages.flatMap(({ content }) => content).find(({ type }) => type === 'tool_use');
  assert.match(use.id, /^[A-Za-z0-9_-]{1,64}$/);
  assert.deepEqual(use.input, {});
});

test('openai SDK, anthropic: what tunes is dropped and named, what matters is refused and named', async () => {
  const model = 'claude-sonnet-4-5-losses';
  const { response } = await client.chat.completions.create({ model, messages: [user('Hi')], seed: 7, user: 'u', frequency_penalty: 0.5, temperature: 1.5, stop: '\n' }).withResponse();
  const dropped = response.headers.get('x-switchyard-dropped').split(/,\s*/);
  assert.ok(dropped.includes('seed') && dropped.includes('frequency_penalty'), `dropped: ${dropped}`);
  for (const [field, value] of [['n', 2], ['logprobs', true], ['logit_bias', { 50256: -100 }]]) {
    await assert.rejects(client.chat.completions.create({ model, messages: [user('Hi')], [field]: value }), (error) => {
      assert.equal(error.constructor.name, 'BadRequestError');
      assert.ok(error.param === field || error.message.includes(field), `${field}: ${error.message}`);
      return true;
    });
  }
});

test('openai SDK, openai: a reasoning model gets what it takes, and the body passes through', async () => {
  const model = 'gpt-5-mini';
  const body = { model, messages: [{ role: 'developer', content: 'Be brief.' }, user('Hi')], reasoning_effort: 'low', max_completion_tokens: 50, verbosity: 'low', seed: 3, metadata: { a: 'b' } };
  stand.sims.openai.script(model, { usage: { ...kUsage, reasoning: 30 } });
  const { usage } = await client.chat.completions.create(body);
  assert.equal(usage.completion_tokens_details.reasoning_tokens, 30);
  assert.deepEqual(lastBody(stand.sims.openai, model), body);
});
