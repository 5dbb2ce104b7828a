// The unmodified @anthropic-ai/sdk, both generations, against each kind of provider.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { plainText } from './lib/simulator.mjs';
import { anthropicTools, kCalls, kPng, kResults, kUsage, lastBody, startStand } from './lib/stand.mjs';
import { test } from './lib/util.mjs';

let stand;
const clients = {};
before(async () => {
  stand = await startStand();
  clients['1.x'] = stand.anthropic();
  clients['0.x'] = stand.anthropic0();
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const upstreams = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5', rack: 'rack-llama' };
const user = (content) => ({ role: 'user', content });
const usageOf = ({ input_tokens: input, cache_read_input_tokens: cached, output_tokens: output }) => ({ input, cached, output });
// Anthropic's input_tokens are without the cached ones.
const kExpectedUsage = { input: 400, cached: 600, output: 50 };

const seen = {
  anthropic: (body) => ({ system: body.system, stop: body.stop_sequences, max: body.max_tokens }),
  openai: (body) => ({
    system: body.messages.filter(({ role }) => role === 'system' || role === 'developer').map(({ content }) => content).join('\n\n'),
    stop: [body.stop].flat(), max: body.max_completion_tokens ?? body.max_tokens,
  }),
};
seen.rack = seen.openai;

for (const generation of ['1.x', '0.x']) {
  for (const [upstream, base] of Object.entries(upstreams)) {
    const sim = () => stand.sims[upstream];
    const client = () => clients[generation];
    const name = (suffix) => `${base}-${suffix}-${generation[0]}`;
    const title = `anthropic SDK ${generation}, ${upstream}:`;

    test(`${title} chat with a system prompt, stop sequences, limits and usage`, async () => {
      const model = name('chat');
      sim().script(model, { usage: kUsage, stopSequence: 'END' });
      const { data: message, response, request_id: id } = await client().messages.create({
        model, max_tokens: 77, system: 'You are terse.', messages: [user('Hi')], stop_sequences: ['END', '###'],
        ...(generation === '0.x' && { temperature: 0.7 }),
      }).withResponse();
      assert.deepEqual([message.type, message.role], ['message', 'assistant']);
      assert.deepEqual(message.content.map(({ type, text }) => [type, text]), [['text', plainText]]);
      // OpenAI does not say which stop string it was.
      assert.ok(['stop_sequence', ...(upstream === 'anthropic' ? [] : ['end_turn'])].includes(message.stop_reason), message.stop_reason);
      if (upstream === 'anthropic') assert.equal(message.stop_sequence, 'END');
      assert.deepEqual(usageOf(message.usage), kExpectedUsage);
      const body = lastBody(sim(), model);
      assert.deepEqual(seen[upstream](body), { system: 'You are terse.', stop: ['END', '###'], max: 77 });
      assert.equal(body.temperature, generation === '0.x' ? 0.7 : undefined);
      assert.ok(id && id === response.headers.get('request-id') && id === message._request_id, 'the request id');
      assert.equal(response.headers.get('x-request-id'), id);
      assert.equal(response.headers.get('x-switchyard-provider'), upstream);
      if (upstream === 'anthropic') {
        const { headers } = sim().of(model)[0];
        assert.equal(headers['anthropic-version'], generation === '0.x' ? '2023-06-01' : '2026-10-21');
      }
    });

    test(`${title} stop reasons`, async () => {
      const model = name('finish');
      for (const [stop, reason] of [['stop', 'end_turn'], ['length', 'max_tokens'], ['refusal', 'refusal']]) {
        sim().script(model, { stop });
        const whole = await client().messages.create({ model, max_tokens: 9, messages: [user('Hi')] });
        assert.equal(whole.stop_reason, reason);
        const streamed = await client().messages.stream({ model, max_tokens: 9, messages: [user('Hi')] }).finalMessage();
        assert.equal(streamed.stop_reason, reason);
      }
    });

    test(`${title} stream by iteration`, async () => {
      const model = name('stream');
      sim().script(model, { usage: kUsage, chop: 5 });
      const names = [];
      let text = '', final;
      for await (const event of await client().messages.create({ model, max_tokens: 50, messages: [user('Hi')], stream: true })) {
        names.push(event.type);
        if (event.delta?.type === 'text_delta') text += event.delta.text;
        if (event.type === 'message_delta') final = event;
      }
      assert.equal(text, plainText);
      assert.deepEqual(names.filter((each) => each !== 'content_block_delta' && each !== 'ping'),
        ['message_start', 'content_block_start', 'content_block_stop', 'message_delta', 'message_stop']);
      assert.deepEqual(usageOf(final.usage), kExpectedUsage);
    });

    test(`${title} the stream() helper`, async () => {
      const model = name('helper');
      sim().script(model, { usage: kUsage });
      const stream = client().messages.stream({ model, max_tokens: 50, messages: [user('Hi')] });
      const pieces = [];
      stream.on('text', (piece) => pieces.push(piece));
      const message = await stream.finalMessage();
      assert.equal(pieces.join(''), plainText);
      assert.equal(await stream.finalText(), plainText);
      assert.equal(message.stop_reason, 'end_turn');
      assert.deepEqual(usageOf(message.usage), kExpectedUsage);
      assert.ok(stream.request_id);
    });

    for (const streamed of [false, true]) {
      test(`${title} two calls at once and their results, ${streamed ? 'streamed' : 'whole'}`, async () => {
        const model = name(`tools-${streamed}`);
        sim().script(model, { text: 'Let me look.', tools: kCalls, chop: 11 }, { text: 'It is sunny.' });
        const ask = (messages) => {
          const body = { model, max_tokens: 500, messages, tools: anthropicTools, tool_choice: { type: 'any' } };
          return streamed ? client().messages.stream(body).finalMessage() : client().messages.create(body);
        };
        const question = user('Weather and time in Zürich?');
        const first = await ask([question]);
        assert.equal(first.stop_reason, 'tool_use');
        assert.deepEqual(first.content.map(({ type, text, id, name: tool, input }) => ({ type, text, id, name: tool, input })), [
          { type: 'text', text: 'Let me look.', id: undefined, name: undefined, input: undefined },
          ...kCalls.map((call) => ({ type: 'tool_use', text: undefined, id: call.id, name: call.name, input: JSON.parse(call.arguments) })),
        ]);
        const sent = lastBody(sim(), model);
        if (upstream === 'anthropic') assert.deepEqual(sent.tool_choice, { type: 'any' });
        else assert.equal(sent.tool_choice, 'required');
        const results = [...kCalls].reverse().map(({ id }) => ({ type: 'tool_result', tool_use_id: id, content: [{ type: 'text', text: kResults[id] }] }));
        const second = await ask([question, { role: 'assistant', content: first.content }, user([...results, { type: 'text', text: 'Quick, please.' }])]);
        assert.equal(second.content[0].text, 'It is sunny.');
        const text = JSON.stringify(lastBody(sim(), model).messages);
        for (const part of [...Object.values(kResults), 'Zürich 🏔', 'Quick, please.']) assert.ok(text.includes(part), `${part} did not reach the provider`);
      });
    }

    test(`${title} images arrive as they were, in a message and in a tool's result`, async () => {
      const model = name('image');
      const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: kPng } };
      const input = { zone: 'UTC' };
      const messages = [
        user([{ type: 'text', text: 'What is this?' }, image]),
        { role: 'assistant', content: [{ type: 'tool_use', id: 'toolu_1', name: 'get_time', input }] },
        user([{ type: 'tool_result', tool_use_id: 'toolu_1', content: [{ type: 'text', text: 'A clock:' }, image] }]),
      ];
      await client().messages.create({ model, max_tokens: 50, messages, tools: anthropicTools });
      const body = lastBody(sim(), model);
      if (upstream === 'anthropic') {
        assert.deepEqual(body.messages, messages);
      } else {
        const url = `data:image/png;base64,${kPng}`;
        assert.deepEqual(body.messages[0].content, [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url } }]);
        assert.equal(JSON.stringify(body.messages.slice(2)).split(url).length, 2, 'the image of the result');
      }
    });
  }

  for (const streamed of [false, true]) {
    test(`anthropic SDK ${generation}, anthropic: thinking passes through and back untouched, ${streamed ? 'streamed' : 'whole'}`, async () => {
      const model = `claude-sonnet-4-5-think-${streamed}-${generation[0]}`, sim = stand.sims.anthropic;
      const thinking = { text: 'Think "hard" — größer.', signature: 'sig-anthropic-Zm9v/+==' };
      sim.script(model, { thinking, redacted: 'b3BhcXVl', text: 'Looking.', tools: [kCalls[0]], chop: 3 }, { text: 'Sunny.' });
      const body = { model, max_tokens: 4000, thinking: { type: 'enabled', budget_tokens: 2000 }, tools: anthropicTools, metadata: { user_id: 'u' } };
      const ask = (messages) => (streamed ? clients[generation].messages.stream({ ...body, messages }).finalMessage() : clients[generation].messages.create({ ...body, messages }));
      const first = await ask([user('Weather?')]);
      assert.deepEqual(first.content.slice(0, 2), [{ type: 'thinking', thinking: thinking.text, signature: thinking.signature }, { type: 'redacted_thinking', data: 'b3BhcXVl' }]);
      const messages = [user('Weather?'), { role: 'assistant', content: first.content.map(({ parsed_output: _, ...block }) => block) },
        user([{ type: 'tool_result', tool_use_id: 'toolu_A1', content: 'sunny' }])];
      assert.equal((await ask(messages)).content[0].text, 'Sunny.');
      assert.deepEqual(lastBody(sim, model), { ...body, messages, ...(streamed && { stream: true }) });
    });

    test(`anthropic SDK ${generation}, rack: reasoning text becomes a thinking block, ${streamed ? 'streamed' : 'whole'}`, async () => {
      const model = `rack-think-${streamed}-${generation[0]}`, sim = stand.sims.rack;
      sim.script(model, { thinking: { text: 'Two and two.' }, text: 'Four.', usage: { ...kUsage, reasoning: 30 } }, { text: 'Yes.' });
      const body = { model, max_tokens: 4000, thinking: { type: 'enabled', budget_tokens: 2000 } };
      const ask = (messages) => (streamed ? clients[generation].messages.stream({ ...body, messages }).finalMessage() : clients[generation].messages.create({ ...body, messages }));
      const first = await ask([user('2+2?')]);
      assert.deepEqual(first.content.map((block) => [block.type, block.thinking ?? block.text]), [['thinking', 'Two and two.'], ['text', 'Four.']]);
      assert.equal(lastBody(sim, model).reasoning_effort, 'low');
      // Back again: the unsigned block must not break the next turn, here or at Anthropic.
      const messages = [user('2+2?'), { role: 'assistant', content: first.content }, user('Sure?')];
      assert.equal((await ask(messages)).content[0].text, 'Yes.');
      assert.ok(!JSON.stringify(lastBody(sim, model).messages.filter(({ role }) => role === 'user')).includes('Two and two'));
    });
  }

  test(`anthropic SDK ${generation}, openai: thinking becomes an effort, on a model that reasons only`, async () => {
    const sim = stand.sims.openai;
    for (const [model, effort] of [[`gpt-5-${generation[0]}`, 'medium'], [`gpt-4o-plain-${generation[0]}`, undefined]]) {
      await clients[generation].messages.create({ model, max_tokens: 9000, thinking: { type: 'enabled', budget_tokens: 5000 }, messages: [user('Hi')] });
      assert.equal(lastBody(sim, model).reasoning_effort, effort);
    }
  });
}

test('anthropic SDK 0.x, openai: sampling parameters, cache marks and metadata are dropped where they have no place', async () => {
  const model = 'gpt-5-losses';
  const { response } = await clients['0.x'].messages.create({
    model, max_tokens: 50, temperature: 0.5, top_k: 5, metadata: { user_id: 'u-1' },
    system: [{ type: 'text', text: 'Be', cache_control: { type: 'ephemeral' } }, { type: 'text', text: 'brief.' }],
    messages: [user([{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } }])],
  }).withResponse();
  const dropped = response.headers.get('x-switchyard-dropped').split(/,\s*/);
  for (const field of ['temperature', 'top_k']) assert.ok(dropped.includes(field), `${field} is not in ${dropped}`);
  assert.ok(!JSON.stringify(lastBody(stand.sims.openai, model)).includes('cache_control'));
});

test('anthropic SDK 1.x: tokens are counted, by the provider where it can', async () => {
  const messages = [user('How many tokens are in this sentence, more or less?')];
  for (const [model, exact] of [['claude-sonnet-4-5-count', 1234], ['gemini-2.5-flash-count', 1234], ['gpt-4o-count'], ['rack-count'], ['local']]) {
    for (const sim of [stand.sims.anthropic, stand.sims.gemini]) sim.script(model, { usage: { ...kUsage, input: 1234 } });
    const { input_tokens: count } = await clients['1.x'].messages.countTokens({ model, messages, system: 'Be brief.', ...(model !== 'local' && { tools: anthropicTools }) });
    assert.ok(exact ? count === exact : count > 10 && count < 400, `${model}: ${count}`);
  }
});

test('anthropic SDK 1.x, anthropic: betas and cache marks pass through', async () => {
  const model = 'claude-sonnet-5-beta';
  const messages = [user([{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral', ttl: '1h' } }])];
  await clients['1.x'].beta.messages.create({ model, max_tokens: 50, messages, betas: ['context-1m-2025-08-07', 'other-2026-01-01'] });
  const record = stand.sims.anthropic.of(model)[0];
  assert.equal(record.headers['anthropic-beta'], 'context-1m-2025-08-07,other-2026-01-01');
  assert.deepEqual(record.body, { model, max_tokens: 50, messages });
});
