// The simulators themselves: they answer as the SDKs want it, and they refuse and notice what the suite relies on them to.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { AnthropicSimulator } from './lib/anthropic_sim.mjs';
import { anthropic, askRaw, askSdk, openai } from './lib/clients.mjs';
import { OpenAiSimulator } from './lib/openai_sim.mjs';
import { plainText } from './lib/simulator.mjs';
import { fetchRaw, test } from './lib/util.mjs';

const key = 'sk-of-the-provider';
let sims;

before(async () => {
  sims = {
    openai: await new OpenAiSimulator({ key, forbidden: ['sk-of-someone-else'] }).start(),
    anthropic: await new AnthropicSimulator({ key, forbidden: ['sk-of-someone-else'] }).start(),
  };
});
after(() => Promise.all(Object.values(sims).map((sim) => sim.stop())));

// A simulator in the place of the gateway.
const at = (sim) => ({ url: `http://127.0.0.1:${sim.port}` });
const user = (content) => ({ role: 'user', content });

async function post(dialect, body, { headers = {}, model = 'gpt-4o' } = {}) {
  const sim = sims[dialect];
  sim.takeViolations();
  const credential = dialect === 'openai' ? { authorization: `Bearer ${key}` } : { 'x-api-key': key, 'anthropic-version': '2023-06-01' };
  const head = Object.fromEntries(Object.entries({ ...credential, ...headers }).filter(([, value]) => value !== undefined));
  const reply = await fetchRaw(at(sim).url + sim.path, { headers: head, body: typeof body === 'string' ? body : { model, ...body } });
  return { ...reply, violations: sim.takeViolations() };
}

for (const dialect of ['openai', 'anthropic']) {
  for (const stream of [false, true]) {
    test(`${dialect} simulator answers its own SDK and plain HTTP, ${stream ? 'streamed' : 'whole'}`, async () => {
      for (const ask of [askRaw, askSdk]) {
        const outcome = await ask(dialect, at(sims[dialect]), 'm', { stream, key, generation: 0 });
        assert.equal(outcome.text, plainText);
        assert.equal(outcome.ended, 'complete');
      }
    });
  }

  test(`${dialect}: the suite's reader does not take a broken stream for a complete one`, async () => {
    for (const fault of ['clean_end', 'cut', 'close_delimited']) {
      sims[dialect].script(fault, { fault, content: true });
      const onText = (text) => { if (text === 'Hello, ') sims[dialect].saw(fault); };
      const outcome = await askRaw(dialect, at(sims[dialect]), fault, { stream: true, key, onText });
      assert.equal(outcome.text, 'Hello, ');
      assert.equal(outcome.ended, 'cut', fault);
    }
  });

  test(`${dialect} simulator notices a secret that is not its own`, async () => {
    const { violations } = await post(dialect, { max_tokens: 5, messages: [user('hi')] }, { headers: { cookie: 'sk-of-someone-else' } });
    assert.deepEqual(violations, ['a secret of someone else reached the provider: sk-of-someone-else', 'header cookie reached the provider']);
  });
}

test('simulators build tool calls, thinking and usage that the SDKs put together', async () => {
  const answer = {
    text: 'Let me see.', thinking: { text: 'Hm, weather.', signature: 'sig-anthropic-1' },
    tools: [{ id: 'toolu_1', name: 'a', arguments: '{"x":"é1"}' }, { id: 'toolu_2', name: 'b', arguments: '{}' }], chop: 7,
    usage: { input: 100, output: 20, cached: 60, written: 10, reasoning: 5 },
  };
  for (const sim of Object.values(sims)) sim.script('t', answer);
  const tools = [{ type: 'function', function: { name: 'a', parameters: { type: 'object' } } }, { type: 'function', function: { name: 'b' } }];
  const chat = await openai(at(sims.openai), key).chat.completions.stream({ model: 't', messages: [user('hi')], tools, stream_options: { include_usage: true } }).finalChatCompletion();
  assert.deepEqual(chat.choices[0].message.tool_calls.map((call) => call.function.arguments), ['{"x":"é1"}', '{}']);
  assert.equal(chat.usage.prompt_tokens_details.cached_tokens, 60);
  const message = await anthropic(at(sims.anthropic), null, { defaultHeaders: { 'x-api-key': key } }).messages.stream({ model: 't', max_tokens: 50, messages: [user('hi')] }).finalMessage();
  assert.deepEqual(message.content.map((block) => block.type), ['thinking', 'text', 'tool_use', 'tool_use']);
  assert.deepEqual(message.content[2].input, { x: 'é1' });
  assert.equal(message.content[0].signature, 'sig-anthropic-1');
  assert.equal(message.usage.input_tokens, 30);
});

const call = (id) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });
const openAiCases = {
  'wrong key': [{ messages: [user('x')] }, 401, { headers: { authorization: 'Bearer wrong' } }],
  'no content type': [{ messages: [user('x')] }, 400, { headers: { 'content-type': 'text/plain' } }],
  'no JSON': ['{"model":', 400],
  'member twice': ['{"model":"m","model":"m","messages":[{"role":"user","content":"x"}]}', 400],
  'unknown field': [{ messages: [user('x')], top_k: 3 }, 400],
  'no messages': [{ messages: [] }, 400],
  'wrong role': [{ messages: [{ role: 'model', content: 'x' }] }, 400],
  'tool message without call': [{ messages: [user('x'), { role: 'tool', tool_call_id: 'a', content: 'x' }] }, 400],
  'call without tool message': [{ messages: [user('x'), { role: 'assistant', tool_calls: [call('a')] }, user('y')] }, 400],
  'empty tools': [{ messages: [user('x')], tools: [] }, 400],
  'tool_choice without tools': [{ messages: [user('x')], tool_choice: 'auto' }, 400],
  'stream_options without stream': [{ messages: [user('x')], stream_options: { include_usage: true } }, 400],
  'plain http image': [{ messages: [user([{ type: 'image_url', image_url: { url: 'http://a/b.png' } }])] }, 400],
  'max_tokens of a reasoning model': [{ messages: [user('x')], max_tokens: 5 }, 400, { model: 'gpt-5' }],
  'temperature of a reasoning model': [{ messages: [user('x')], temperature: 0.5 }, 400, { model: 'o3-mini' }],
  'reasoning_effort of another': [{ messages: [user('x')], reasoning_effort: 'low' }, 400],
  'five stop strings': [{ messages: [user('x')], stop: ['1', '2', '3', '4', '5'] }, 400],
};
const use = (id) => ({ role: 'assistant', content: [{ type: 'tool_use', id, name: 'f', input: {} }] });
const result = (id) => ({ type: 'tool_result', tool_use_id: id, content: 'r' });
const ask = (messages, more = {}) => ({ max_tokens: 50, messages, ...more });
const anthropicCases = {
  'wrong key': [ask([user('x')]), 401, { headers: { 'x-api-key': 'wrong' } }],
  'no version': [ask([user('x')]), 400, { headers: { 'anthropic-version': undefined } }],
  'no max_tokens': [{ messages: [user('x')] }, 400],
  'first message not user': [ask([{ role: 'assistant', content: 'x' }, user('y')]), 400],
  'system role': [ask([{ role: 'system', content: 'x' }, user('y')]), 400],
  'empty text block': [ask([user([{ type: 'text', text: '' }])]), 400],
  'blank text': [ask([user(' \n')]), 400],
  'unknown field': [ask([user('x')], { seed: 1 }), 400],
  'temperature over 1': [ask([user('x')], { temperature: 1.5 }), 400],
  'temperature in the new version': [ask([user('x')], { temperature: 0.5 }), 400, { headers: { 'anthropic-version': '2026-10-21' } }],
  'blank stop sequence': [ask([user('x')], { stop_sequences: ['\n'] }), 400],
  'bad tool id': [ask([user('x'), use('a.b'), user([result('a.b')])]), 400],
  'tool_use without result': [ask([user('x'), use('a'), user('y')]), 400],
  'tool_result not first': [ask([user('x'), use('a'), user([{ type: 'text', text: 'y' }, result('a')])]), 400],
  'tool_result without use': [ask([user([result('a')])]), 400],
  'results in two messages': [ask([user('x'), { role: 'assistant', content: [use('a').content[0], use('b').content[0]] }, user([result('a')]), user([result('b')])]), 400],
  'empty tools': [ask([user('x')], { tools: [] }), 400],
  'tool without schema': [ask([user('x')], { tools: [{ name: 'f' }] }), 400],
  'foreign signature': [ask([user('x'), { role: 'assistant', content: [{ type: 'thinking', thinking: 't', signature: 'other' }, { type: 'text', text: 'a' }] }, user('y')]), 400],
  'thinking budget over max_tokens': [ask([user('x')], { thinking: { type: 'enabled', budget_tokens: 2048 } }), 400],
  'plain http image': [ask([user([{ type: 'image', source: { type: 'url', url: 'http://a/b.png' } }])]), 400],
};
for (const [dialect, cases] of [['openai', openAiCases], ['anthropic', anthropicCases]]) {
  for (const [name, [body, status, options]] of Object.entries(cases)) {
    test(`${dialect} simulator refuses: ${name}`, async () => {
      const reply = await post(dialect, body, options);
      assert.equal(reply.status, status, reply.text);
      assert.ok(reply.json.error.message);
      assert.notDeepEqual(reply.violations, []);
    });
  }
}

test('simulators take what is right', async () => {
  const conversation = [user('x'), { role: 'assistant', content: null, tool_calls: [call('a'), call('b')] },
    { role: 'tool', tool_call_id: 'b', content: 'r' }, { role: 'tool', tool_call_id: 'a', content: 'r' }, user('y')];
  const first = await post('openai', { messages: conversation, tools: [{ type: 'function', function: { name: 'f' } }], tool_choice: 'auto' });
  assert.deepEqual([first.status, first.violations], [200, []], first.text);
  const blocks = [user('x'), { role: 'assistant', content: [use('a').content[0], use('b').content[0]] }, user([result('b'), result('a'), { type: 'text', text: 'y' }])];
  const second = await post('anthropic', ask(blocks, { temperature: 1, stop_sequences: ['END'] }));
  // The plain client's `connection: close` is fine; nothing else is sent.
  assert.deepEqual([second.status, second.violations], [200, []], second.text);
});
