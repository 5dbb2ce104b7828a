// What replies show of their quality while they pass, and what callers say of them: each kind of bad reply is counted as that
// signal, for the target that gave it, in every form of reply.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { Upstream } from './lib/upstream.mjs';
import { fetchRaw, test, until } from './lib/util.mjs';

const kKey = 'sk-client-quality-1f', kOther = 'sk-client-quality-2e';
const tools = [{ type: 'function', function: { name: 'weather', parameters: {
  type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false } } }];
const format = { type: 'json_schema', json_schema: { name: 'x', schema: {
  type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] } } };

// By the beginning of the model's name: what of a reply differs from an ordinary one.
const answers = {
  good: { text: 'An ordinary answer, of a sentence or two. Nothing is wrong with it.' },
  tool: { call: { name: 'weather', arguments: '{"town":"Oslo"}' }, finish: 'tool_calls' },
  name: { call: { name: 'wetter', arguments: '{"city":"Oslo"}' }, finish: 'tool_calls' },
  right: { call: { name: 'weather', arguments: '{"city":"Oslo"}' }, finish: 'tool_calls' },
  json: { text: '{"n":"one"}' },
  cut: { text: 'An answer that ends in the mid', finish: 'length' },
  refuse: { text: "I'm sorry, but I can't help with that." },
  loop: { text: 'Let me look at the file again and see what is in it. '.repeat(12) },
  script: { text: 'First open the file, then ขอบคุณมากครับ สวัสดี and then close it.' },
  fence: { text: 'Here it is:\n```js\nfunction f() {\n  return 1;\n' },
  usage: { text: 'An answer that is longer than what was counted of it. '.repeat(8), output: 1 },
};

let gateway, upstream;

function answerOf(model) {
  const [kind] = model.split('-');
  return { text: '', finish: 'stop', output: 400, ...answers[kind] };
}

function serve(call) {
  const { text, finish, output, call: toolCall } = answerOf(call.model);
  const usage = { prompt_tokens: 20, completion_tokens: output, total_tokens: 20 + output };
  const head = { id: 'chatcmpl-q', created: 1700000000, model: 'model-1' };
  if (!call.stream) {
    const calls = toolCall && [{ id: 'call_1', type: 'function', function: toolCall }];
    const message = { role: 'assistant', content: text || null, ...(calls && { tool_calls: calls }) };
    const body = JSON.stringify({ ...head, object: 'chat.completion', choices: [{ index: 0, message, finish_reason: finish }], usage });
    call.response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    return call.response.end(body);
  }
  const frame = (choices, more) => call.response.write(`data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices, ...more })}\n\n`);
  const delta = (content, reason = null) => frame([{ index: 0, delta: content, finish_reason: reason }]);
  call.response.writeHead(200, { 'content-type': 'text/event-stream' });
  delta({ role: 'assistant', content: '' });
  for (let i = 0; i < text.length; i += 9) delta({ content: text.slice(i, i + 9) });
  if (toolCall) {
    delta({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: toolCall.name, arguments: '' } }] });
    for (let i = 0; i < toolCall.arguments.length; i += 4) delta({ tool_calls: [{ index: 0, function: { arguments: toolCall.arguments.slice(i, i + 4) } }] });
  }
  delta({}, finish);
  frame([], { usage });
  call.response.end('data: [DONE]\n\n');
}

before(async () => {
  upstream = await new Upstream(serve).start();
  // Each test's models are their own targets, so that each has its evidence alone.
  const names = [...Object.keys(answers).flatMap((kind) => ['stream', 'whole', 'other'].map((form) => `${kind}-${form}`)),
    'good-feedback', 'good-again', 'good-deaf'];
  gateway = await Gateway.start({
    providers: { up: upstream.provider },
    models: Object.fromEntries(names.map((name) => [name, { targets: [{ provider: 'up', model: name }], ...(name === 'good-deaf' && { feedback: false }) }])),
    // A known rate: else nothing is said of feedback before much of it was heard.
    quality: { signals: { feedback: { rate: '10%' } } },
    keys: [{ name: 'one', secret: kKey }, { name: 'two', secret: kOther }],
    telemetry: { logs: 'warning' },
  }, { workers: 1 });
});

after(async () => {
  await gateway?.stop();
  await upstream?.stop();
});

const headers = { authorization: `Bearer ${kKey}` };

function ask(model, more = {}) {
  const body = { model, messages: [{ role: 'user', content: 'What should I do with this file?' }], ...more };
  return fetchRaw(`${gateway.url}/v1/chat/completions`, { method: 'POST', headers, body });
}

async function evidence(model, signal) {
  const report = (await fetchRaw(`${gateway.admin}/admin/providers`)).json;
  const target = report.targets.find((each) => each.model === model);
  return target.score.evidence.filter((each) => each.signal === signal)
    .reduce((sum, each) => ({ seen: sum.seen + each.seen, bad: sum.bad + each.bad }), { seen: 0, bad: 0 });
}

const signals = {
  tool: ['tool_call_invalid', { tools }], name: ['tool_call_invalid', { tools }], json: ['output_invalid', { response_format: format }],
  cut: ['truncated', { max_tokens: 1000 }], refuse: ['refusal', {}], loop: ['loop', {}], script: ['script_mismatch', {}],
  fence: ['unbalanced', {}], usage: ['usage_mismatch', {}],
};
for (const [kind, [signal, more]] of Object.entries(signals)) {
  for (const stream of [true, false]) {
    test(`${kind}: counted as ${signal}, ${stream ? 'streamed' : 'whole'}`, async () => {
      const model = `${kind}-${stream ? 'stream' : 'whole'}`;
      for (let i = 0; i < 10; i++) assert.equal((await ask(model, { stream, ...more })).status, 200);
      await until(`${signal} of ${model}`, async () => (await evidence(model, signal)).bad >= 10);
      const { seen, bad } = await evidence(model, signal);
      assert.ok(bad <= seen && seen >= 10, `${bad} of ${seen}`);
    });
  }
}

test('a caller of another dialect: the same is seen of the translated reply', async () => {
  const body = { model: 'refuse-other', max_tokens: 100, messages: [{ role: 'user', content: 'What now?' }] };
  for (let i = 0; i < 10; i++) {
    const reply = await fetchRaw(`${gateway.url}/v1/messages`, { method: 'POST', headers: { 'x-api-key': kKey, 'anthropic-version': '2023-06-01' }, body });
    assert.equal(reply.status, 200);
  }
  await until('refusals', async () => (await evidence('refuse-other', 'refusal')).bad >= 10);
});

test('ordinary replies: nothing is held against them', async () => {
  for (let i = 0; i < 10; i++) {
    await ask('good-other', { stream: i % 2 === 0, messages: [{ role: 'user', content: `Question ${i}` }] });
    await ask('right-other', { stream: i % 2 === 0, tools, messages: [{ role: 'user', content: `Question ${i}` }] });
  }
  await until('evidence', async () => (await evidence('right-other', 'tool_call_invalid')).seen >= 10);
  const report = (await fetchRaw(`${gateway.admin}/admin/providers`)).json;
  for (const model of ['good-other', 'right-other']) {
    const { evidence: all } = report.targets.find((each) => each.model === model).score;
    assert.deepEqual(all.filter((each) => each.bad > 0), [], model);
  }
});

test('the same question again, soon: the target that answered is blamed', async () => {
  for (let i = 0; i < 10; i++) {
    const messages = [{ role: 'user', content: `A question, number ${i}` }];
    await ask('good-again', { messages });
    await ask('good-again', { messages });
  }
  await until('regenerated', async () => (await evidence('good-again', 'regenerated')).bad >= 10);
});

function judge(body, more = {}) {
  return fetchRaw(`${gateway.url}/v1/feedback`, { method: 'POST', headers: { ...headers, ...more }, body });
}

test('feedback: one judgement of a request, from its own caller, counts for its target', async () => {
  const { headers: { 'x-request-id': id } } = await ask('good-feedback');
  const stranger = await judge({ request_id: id, score: -1 }, { authorization: `Bearer ${kOther}` });
  assert.equal(stranger.status, 404, 'another key');
  assert.equal(stranger.json.error.code, 'request_not_found');
  const first = await judge({ request_id: id, score: -1 });
  assert.equal(first.status, 200, first.text);
  assert.deepEqual(first.json, { object: 'feedback', request_id: id, counted: true });
  const second = await judge({ request_id: id, name: 'thumb', value: true });
  assert.deepEqual(second.json, { object: 'feedback', request_id: id, counted: false, reason: 'same_session' });
  await until('feedback', async () => {
    const { seen, bad } = await evidence('good-feedback', 'feedback');
    return seen === 1 && bad === 1;
  });
});

test('feedback: nobody can talk a target down alone', async () => {
  const counted = [];
  for (let i = 0; i < 10; i++) {
    const { headers: { 'x-request-id': id } } = await ask('good-stream');
    counted.push((await judge({ request_id: id, score: -1 })).json.counted);
  }
  assert.equal(counted.filter(Boolean).length, 4);
});

test('feedback: errors, in the dialect of the caller', async () => {
  const unknown = await judge({ request_id: 'req_of_nobody', score: 1 });
  assert.equal(unknown.status, 404);
  assert.equal(unknown.json.error.type, 'invalid_request_error');
  const anthropic = await judge({ request_id: 'req_of_nobody', score: 1 }, { 'anthropic-version': '2023-06-01' });
  assert.equal(anthropic.status, 404);
  assert.equal(anthropic.json.error.type, 'not_found_error');
  for (const body of [{ score: 1 }, { request_id: 'r', score: 2 }, { request_id: 'r' }, 'no JSON']) {
    assert.equal((await judge(body)).status, 400, JSON.stringify(body));
  }
  assert.equal((await judge({ request_id: 'r', score: 1 }, { authorization: 'Bearer nobody' })).status, 401);
  assert.equal((await fetchRaw(`${gateway.url}/v1/feedback`, { headers })).status, 405);
  const { headers: { 'x-request-id': id } } = await ask('good-deaf');
  assert.equal((await judge({ request_id: id, score: 1 })).status, 404, 'its model takes no feedback');
});
