// The unmodified SDKs against the bundled model, which runs in the gateway's process.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { kPng, anthropicTools, openAiTools, startStand } from './lib/stand.mjs';
import { sum, test, until } from './lib/util.mjs';

let stand;
const clients = {};
before(async () => {
  stand = await startStand({ workers: 1 });
  Object.assign(clients, { openai: stand.openai(), anthropic: stand.anthropic(), anthropic0: stand.anthropic0() });
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const user = (content) => ({ role: 'user', content });
const kStory = 'Tell me a story about a fox.';

// The three SDKs in one form: ask(body) gives { text, reason, usage }.
const asking = {
  openai: async ({ max, ...body }, streamed) => {
    const full = { model: 'local', max_completion_tokens: max, ...body };
    const completion = streamed
      ? await clients.openai.chat.completions.stream({ ...full, stream_options: { include_usage: true } }).finalChatCompletion()
      : await clients.openai.chat.completions.create(full);
    const { message, finish_reason: reason } = completion.choices[0];
    return { text: message.content, reason, input: completion.usage.prompt_tokens, output: completion.usage.completion_tokens };
  },
};
for (const name of ['anthropic', 'anthropic0']) {
  asking[name] = async ({ max, ...body }, streamed) => {
    const full = { model: 'local', max_tokens: max, ...body };
    const { content, stop_reason: reason, usage } = await (streamed
      ? clients[name].messages.stream(full).finalMessage() : clients[name].messages.create(full));
    return { text: content[0].text, reason, input: usage.input_tokens, output: usage.output_tokens };
  };
}
const reasons = { openai: { end: 'stop', length: 'length' } };
reasons.anthropic = reasons.anthropic0 = { end: 'end_turn', length: 'max_tokens' };

for (const [name, ask] of Object.entries(asking)) {
  for (const streamed of [false, true]) {
    const how = streamed ? 'streamed' : 'whole';

    test(`${name} SDK, local: an answer, ${how}`, async () => {
      // The newer generation of Anthropic's API knows no temperature, so there the answer is drawn.
      const body = { messages: [user('What is the capital of France?')], max: 60, ...(name !== 'anthropic' && { temperature: 0 }) };
      const { text, reason, input, output } = await ask(body, streamed);
      assert.match(text, name === 'anthropic' ? /\w/ : /Paris/);
      assert.equal(reason, reasons[name].end);
      assert.ok(input > 5 && input < 60 && output > 0 && output < 60, `usage ${input}, ${output}`);
    });

    test(`${name} SDK, local: max tokens, ${how}`, async () => {
      // Greedy for all: the SDK without a temperature sends what its caller adds to the body.
      const { text, reason, output } = await ask({ messages: [user(kStory)], max: 5, temperature: 0 }, streamed);
      assert.ok(text.length > 0);
      assert.deepEqual([reason, output], [reasons[name].length, 5]);
    });
  }

  test(`${name} SDK, local: tools are refused by name`, async () => {
    const tools = name === 'openai' ? openAiTools : anthropicTools;
    await assert.rejects(ask({ messages: [user('Hi')], max: 5, tools }), refusal('tools'));
  });

  test(`${name} SDK, local: an image is refused by name`, async () => {
    const image = name === 'openai'
      ? { type: 'image_url', image_url: { url: `data:image/png;base64,${kPng}` } }
      : { type: 'image', source: { type: 'base64', media_type: 'image/png', data: kPng } };
    await assert.rejects(ask({ messages: [user([{ type: 'text', text: 'What?' }, image])], max: 5 }), refusal('messages'));
  });

  test(`${name} SDK, local: a prompt that does not fit is the caller's error`, async () => {
    await assert.rejects(ask({ messages: [user('word '.repeat(3000))], max: 5 }), (error) => {
      assert.equal(error.constructor.name, 'BadRequestError');
      if (name === 'openai') assert.equal(error.code, 'context_length_exceeded');
      return true;
    });
  });
}

function refusal(field) {
  return (error) => {
    assert.equal(error.constructor.name, 'BadRequestError', error.message);
    assert.ok(`${error.param ?? ''} ${error.message}`.includes(field), `${field} is not named: ${error.message}`);
    return true;
  };
}

test('openai SDK, local: stop, seed and a system prompt', async () => {
  const body = { messages: [{ role: 'system', content: 'Answer briefly.' }, user(kStory)], max: 40, seed: 5, temperature: 1 };
  const first = await asking.openai(body);
  assert.deepEqual(await asking.openai(body), first, 'the same seed gives the same answer');
  const word = first.text.split(/\s+/).find((each, i) => i > 2 && each.length > 2);
  const cut = await asking.openai({ ...body, stop: [word] });
  assert.ok(!cut.text.includes(word) && first.text.startsWith(cut.text), `${cut.text} | ${first.text}`);
  assert.equal(cut.reason, 'stop');
});

test('openai SDK, local: eight at once get what one alone gets', async () => {
  const body = { messages: [user('What is 2 + 3?')], max: 20, temperature: 0 };
  const alone = await asking.openai(body);
  const together = await Promise.all(Array.from({ length: 8 }, (_, i) => asking.openai(body, i % 2 === 1)));
  for (const answer of together) assert.equal(answer.text, alone.text);
});

for (const streamed of [true, false]) {
  test(`openai SDK, local: a client that leaves frees the model, ${streamed ? 'streamed' : 'whole'}`, async () => {
    const count = async () => sum(await stand.gateway.metrics(), 'switchyard_requests_total', { provider: 'here', outcome: 'cancelled' });
    const counted = await count();
    const abort = new AbortController();
    const body = { model: 'local', messages: [user(kStory)], max_tokens: 450, temperature: 1.5, stream: streamed };
    // Many long answers, eight at a time: they cannot all be over before the first piece of one.
    const leaving = Array.from({ length: 24 }, async () => {
      try {
        const stream = await clients.openai.chat.completions.create(body, { signal: abort.signal });
        if (streamed) for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) abort.abort();
        return 'ended';
      } catch (error) {
        return error.constructor.name;
      }
    });
    if (!streamed) {
      await until('the model works', async () => sum(await stand.gateway.metrics(), 'switchyard_local_running') > 0);
      abort.abort();
    }
    const outcomes = await Promise.all(leaving);
    assert.ok(streamed || outcomes.includes('APIUserAbortError'), `${outcomes}`);
    await until('cancelled requests in the metrics', async () => (await count()) > counted);
    await until('nothing runs', async () => sum(await stand.gateway.metrics(), 'switchyard_local_running') === 0, 3000);
    const { text } = await asking.openai({ messages: [user('What is the capital of France?')], max: 20, temperature: 0 });
    assert.match(text, /Paris/);
  });
}
