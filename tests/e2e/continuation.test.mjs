// Streams that break behind their first content and go on (docs/failover.md). The providers give the very text that the
// bundled model would give, so that the whole is known wherever they break: every client gets it once and in one stream.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { GoogleGenAI } from '@google/genai';
import { AnthropicSimulator } from './lib/anthropic_sim.mjs';
import { anthropic, anthropic0, askRaw, openai } from './lib/clients.mjs';
import { Gateway } from './lib/gateway.mjs';
import { GeminiSimulator } from './lib/gemini_sim.mjs';
import { OpenAiSimulator } from './lib/openai_sim.mjs';
import { anthropicTools, openAiTools } from './lib/stand.mjs';
import { fetchRaw, slow, sum, test, until } from './lib/util.mjs';

const kStreams = 1000, kAtOnce = 48, kMaxTokens = 80;
const upstreams = ['openai', 'anthropic', 'gemini'];
const clients = ['openai', 'anthropic', 'gemini', 'responses'];
const ways = ['reset', 'cut', 'clean_end', 'error_frame', 'stall'];
const questions = [
  'Tell me a short story.', 'Tell me a story about a fox.', 'What is the capital of France?', 'Who are you?', 'Hello!',
  'Give me a JSON object with name Ana and age 30.', 'Repeat exactly: it is  blue, river-stone 42', 'Sort these numbers: 9, 4, 7, 12, 3',
];
const story = questions[0];

// Mulberry32: the same streams in every run.
function random(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
const draw = random(20261124);
const pick = (list) => list[Math.floor(draw() * list.length)];

// Pieces of one to seven characters, whatever the model's tokens are.
function piecesOf(text) {
  const characters = [...text], pieces = [];
  while (characters.length > 0) pieces.push(characters.splice(0, 1 + Math.floor(draw() * 7)).join(''));
  return pieces;
}

const sims = {}, answers = new Map(); // What the bundled model says: question to { text, usage }.
let gateway;
const cells = Array.from({ length: kStreams }, (_, i) => {
  const client = clients[i % clients.length];
  return {
    name: `s${i}`, client, upstream: pick(upstreams), how: ways[i % ways.length], at: draw(), question: pick(questions),
    via: client !== 'responses' && i % 7 === 0 ? 'sdk' : 'http',
  };
});

before(async () => {
  for (const [name, Type] of Object.entries({ openai: OpenAiSimulator, anthropic: AnthropicSimulator, gemini: GeminiSimulator })) {
    sims[name] = await new Type({ key: `sk-${name}` }).start();
  }
  const providers = { here: { type: 'local', models: { mini: 'bundled' } } };
  for (const [name, sim] of Object.entries(sims)) providers[name] = { type: name, api_key: `sk-${name}`, base_url: sim.baseUrl };
  const policy = {
    timeouts: { connect: '2s', first_token: '20s', between_tokens: `${1000 * slow}ms`, total: '60s' },
    retry: { attempts: 3, budget: '100%' }, on_break: 'continue',
  };
  const here = { provider: 'here', model: 'mini' };
  const models = { local: { targets: [here] } };
  // Each stream has a target of its own, since a target's health is kept by provider and model.
  for (const { name, upstream } of cells) models[name] = { targets: [{ provider: upstream, model: name }, here], ...policy };
  const add = (name, targets, more = {}) => {
    const list = targets.map((target) => (target === 'here' ? here : { provider: target.split('/')[0], model: target.split('/')[1] ?? name }));
    models[name] = { targets: list, ...policy, ...more };
  };
  for (const name of ['tool', 'json', 'logprobs', 'choices']) add(name, ['openai', `anthropic/claude-3-5-haiku-${name}`, 'here']);
  add('thinking', ['anthropic', 'anthropic/claude-3-5-haiku-thinking', 'here']);
  add('error', ['openai', 'here'], { on_break: 'error' });
  add('twice', ['openai', 'anthropic/claude-3-5-haiku-twice', 'here']);
  add('newer', ['openai', 'anthropic/claude-sonnet-5', 'gemini/gemini-3-pro']);
  add('once', ['openai', 'here'], { retry: { attempts: 1, budget: '100%' } });
  add('marked', ['openai', 'here'], { mark_seam: true });
  for (const [name, first] of Object.entries({ usage: 'openai', stop: 'openai', own: 'openai', array: 'gemini', kept: 'anthropic' })) add(name, [first, 'here']);
  for (const name of ['restart', 'unsure', 'busy']) add(name, ['openai', `anthropic/claude-3-5-haiku-${name}`]);
  for (let i = 0; i < kPrefilled.length; i++) add(`prefill-${i}`, [upstreams[i % 3], `anthropic/claude-3-5-haiku-${i}`]);
  gateway = await Gateway.start({ providers, models, store: { ledger: 'kept.db' }, telemetry: { logs: 'info' } });
  for (const question of questions) answers.set(question, await whole('openai', 'local', question));
});

after(async () => {
  await gateway?.stop();
  for (const sim of Object.values(sims)) await sim.stop();
});

const requests = {
  openai: (question) => ({ messages: [{ role: 'user', content: question }], max_tokens: kMaxTokens, temperature: 0 }),
  anthropic: (question) => ({ messages: [{ role: 'user', content: question }], max_tokens: kMaxTokens, temperature: 0 }),
  gemini: (question) => ({ contents: [{ role: 'user', parts: [{ text: question }] }], generationConfig: { maxOutputTokens: kMaxTokens, temperature: 0 } }),
  responses: (question) => ({ input: question, max_output_tokens: kMaxTokens, temperature: 0, store: false }),
};

async function whole(dialect, model, question) {
  const { text, usage, ended } = await askRaw(dialect, gateway, model, { more: requests[dialect](question) });
  assert.equal(ended, 'complete');
  return { text, usage };
}

const stream = (dialect, model, question, { onText, more = {} } = {}) =>
  askRaw(dialect, gateway, model, { stream: true, onText, more: { ...requests[dialect](question), ...more } });

// Through the SDK's own reader of streams, which is strict about what comes once and in which order.
const sdk = {
  async openai(model, question, onText) {
    const helper = openai(gateway).chat.completions.stream({ model, ...requests.openai(question) });
    helper.on('content', (_, text) => onText(text));
    const { choices: [{ message, finish_reason: reason }] } = await helper.finalChatCompletion();
    return { text: message.content, ended: ['stop', 'length'].includes(reason) ? 'complete' : reason };
  },
  // Anthropic's newer version of the API, which the newer SDK asks for, refuses a temperature.
  async anthropic(model, question, onText, upstream) {
    const helper = (upstream === 'anthropic' ? anthropic0 : anthropic)(gateway).messages.stream({ model, ...requests.anthropic(question) });
    helper.on('text', (_, text) => onText(text));
    const { content, stop_reason: reason } = await helper.finalMessage();
    assert.equal(content.length, 1);
    return { text: content[0].text, ended: ['end_turn', 'max_tokens'].includes(reason) ? 'complete' : reason };
  },
  async gemini(model, question, onText) {
    const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: gateway.url, timeout: 30_000 * slow } });
    const { contents, generationConfig: config } = requests.gemini(question);
    let text = '', reason;
    for await (const reply of await client.models.generateContentStream({ model, contents, config })) {
      text += reply.text ?? '';
      reason = reply.candidates[0].finishReason ?? reason;
      onText(text);
    }
    return { text, ended: ['STOP', 'MAX_TOKENS'].includes(reason) ? 'complete' : reason };
  },
};

// A client of a killed stream tells the simulator that it has the beginning.
const tell = (sim, model) => (text) => { if (text) sim.saw(model); };
const failovers = async (labels) => sum(await gateway.metrics(), 'switchyard_failovers_total', { phase: 'mid_stream', ...labels });

const continued = () => gateway.log.filter(({ event }) => event === 'stream_continued');

test('1,000 streams killed at random points: every client gets the whole text once', { timeout: 240_000 * slow }, async () => {
  const failures = [];
  const queue = cells.values();
  const run = async () => {
    for (const cell of queue) {
      const { name, client, upstream, how, at, question, via } = cell;
      const { text } = answers.get(question);
      sims[upstream].script(name, { fault: 'killed', how, at, answer: { text: piecesOf(text) } });
      const onText = tell(sims[upstream], name);
      const outcome = await (via === 'sdk' ? sdk[client](name, question, onText, upstream) : stream(client, name, question, { onText }))
        .catch((error) => ({ text: '', ended: error.message }));
      const isIncomplete = client === 'responses' && outcome.events?.at(-1)?.event === 'response.incomplete';
      const ended = isIncomplete ? 'complete' : outcome.ended;
      if (ended === 'complete' && outcome.text === text && sims[upstream].of(name).length === 1) continue;
      failures.push(`${JSON.stringify(cell)}\n ${ended}: ${JSON.stringify(outcome.text)} for ${JSON.stringify(text)} ${outcome.message ?? ''}`);
    }
  };
  await Promise.all(Array.from({ length: kAtOnce }, run));
  assert.equal(failures.length, 0, `${failures.length} failed:\n${failures.slice(0, 5).join('\n')}`);
  assert.equal(await failovers({}), kStreams, 'each broke in the middle and was continued');
  assert.equal(sum(await gateway.metrics(), 'switchyard_requests_total', { outcome: 'broken_stream' }), 0);
  await until('the log lines', () => continued().length === kStreams);
  const seams = new Set(continued().map(({ characters }) => characters)), reasons = new Set(continued().map(({ reason }) => reason));
  assert.ok(seams.size > 100, `in ${seams.size} places`);
  assert.deepEqual([...reasons].sort(), ['bad_reply', 'between_tokens_timeout', 'provider_error']);
});

// Where one breaks that nobody may go on with: the text so far, and the error frame.
async function expectError(model, client, upstream, { answer, at = 0.5, how = 'reset', more, text: expected, asked } = {}) {
  const { text } = answers.get(story);
  sims[upstream].script(model, { fault: 'killed', how, at, answer: answer ?? { text: piecesOf(text) } });
  const outcome = await stream(client, model, story, { onText: () => sims[upstream].saw(model), more });
  assert.equal(outcome.status, 200);
  assert.equal(outcome.ended, 'error', outcome.raw);
  if (expected === undefined) assert.ok(text.startsWith(outcome.text) && outcome.text.length < text.length, outcome.text);
  else assert.match(outcome.text, expected);
  if (!asked) {
    assert.ok(!continued().some((line) => line.model === model));
    assert.equal(sims.anthropic.of(`claude-3-5-haiku-${model}`).length, 0, 'nobody else is asked');
  }
  return outcome;
}

const weather = { id: 'call_1', name: 'weather', arguments: '{"city":"Paris"}' };

test('a stream with a call, open or whole, ends with the error frame', async () => {
  for (const at of [0.3, 1]) {
    await expectError('tool', 'openai', 'openai', { at, how: 'clean_end', answer: { text: ['Let me see.'], tools: [weather] }, more: { tools: openAiTools }, text: /^Let me see\.$/ });
  }
});

test('a JSON mode, log probabilities, several choices: the error frame', async () => {
  await expectError('json', 'openai', 'openai', { more: { response_format: { type: 'json_object' } } });
  await expectError('logprobs', 'openai', 'openai', { more: { logprobs: true } });
  await expectError('choices', 'openai', 'openai', { more: { n: 2 } });
});

test('thinking that is signed: the error frame', async () => {
  await expectError('thinking', 'anthropic', 'anthropic', { at: 0.9, how: 'clean_end', answer: { thinking: { text: 'Hm.', signature: 'c2lnbmVk' }, text: piecesOf(answers.get(story).text) } });
});

test('on_break: error, and attempts: 1', async () => {
  const outcome = await expectError('error', 'openai', 'openai');
  assert.equal(outcome.headers['x-switchyard-on-break'], undefined);
  await expectError('once', 'openai', 'openai');
});

test('targets that take no beginning of an answer are not asked', async () => {
  await expectError('newer', 'anthropic', 'openai');
  assert.equal(sims.anthropic.of('claude-sonnet-5').length + sims.gemini.of('gemini-3-pro').length, 0);
});

const textOf = (content) => (typeof content === 'string' ? content : content.map((block) => block.text).join(''));
// What a provider says that goes on from the beginning it was given. The request must end with that beginning.
const goOn = (text, more = {}) => ({ body }) => {
  const last = body.messages.at(-1);
  assert.equal(last.role, 'assistant');
  const prefill = textOf(last.content);
  assert.ok(text.startsWith(prefill), prefill);
  return { text: piecesOf(text.slice(prefill.length)), usage: { input: 30, output: 5, cached: 0, written: 0, reasoning: 0 }, ...more };
};

// Text with much white space, cut behind every character but the last.
const kPoem = 'One  fox.\n\n- it ran,  far away,\n- and\tslept. \n\n\nTwo ';
const kPrefilled = [...kPoem].map((_, i) => i + 1).filter((i) => i < kPoem.length);

test('a provider goes on from the text as the beginning of its answer, wherever the stream broke', async () => {
  await Promise.all(kPrefilled.map(async (cut, i) => {
    const model = `prefill-${i}`, upstream = upstreams[i % 3], client = clients[i % 4];
    sims[upstream].script(model, { fault: 'killed', how: ways[i % 4], at: 1, answer: { text: [kPoem.slice(0, 1), kPoem.slice(1, cut)].filter(Boolean) } });
    sims.anthropic.script(`claude-3-5-haiku-${i}`, goOn(kPoem));
    const outcome = await stream(client, model, story, { onText: tell(sims[upstream], model) });
    assert.equal(outcome.ended, 'complete', outcome.raw);
    assert.equal(outcome.text, kPoem, `cut behind ${cut} characters`);
  }));
});

test('a provider that breaks as well: what both gave, and the error frame, and no third', async () => {
  const { text } = answers.get(story);
  sims.anthropic.script('claude-3-5-haiku-twice', (record) => ({ fault: 'killed', how: 'clean_end', at: 0.5, answer: goOn(text)(record) }));
  sims.openai.script('twice', { fault: 'killed', how: 'clean_end', at: 0.3, answer: { text: piecesOf(text) } });
  const onText = () => { sims.openai.saw('twice'); sims.anthropic.saw('claude-3-5-haiku-twice'); };
  const outcome = await stream('openai', 'twice', story, { onText });
  assert.equal(outcome.ended, 'error', outcome.raw);
  assert.ok(text.startsWith(outcome.text) && outcome.text.length < text.length, outcome.text);
  assert.equal(sims.anthropic.of('claude-3-5-haiku-twice').length, 1);
  assert.ok(outcome.text.length > text.length * 0.45, outcome.text);
  await until('a log line', () => continued().some((line) => line.model === 'twice'));
  assert.deepEqual(continued().filter((line) => line.model === 'twice').map(({ to }) => to), ['anthropic']);
});

test('a provider that starts over: what it repeats is taken out where that is certain, else the error frame', async () => {
  const given = 'Once upon a time there was a fox who lived in the', all = `${given} forest.`;
  sims.openai.script('restart', { fault: 'killed', how: 'cut', at: 1, answer: { text: [given.slice(0, 9), given.slice(9)] } });
  sims.anthropic.script('claude-3-5-haiku-restart', { text: piecesOf(all) });
  const outcome = await stream('openai', 'restart', story, { onText: tell(sims.openai, 'restart') });
  assert.deepEqual([outcome.ended, outcome.text], ['complete', all]);

  const line = 'Happy birthday to you,\n';
  sims.anthropic.script('claude-3-5-haiku-unsure', { text: [line, line] });
  await expectError('unsure', 'openai', 'openai', { at: 1, answer: { text: [line.slice(0, 4), line.slice(4)] }, text: /^Happy birthday to you,\n$/, asked: true });
});

test('a provider that refuses changes nothing: the error frame of the break', async () => {
  sims.anthropic.script('claude-3-5-haiku-busy', { fault: 'status', status: 529 });
  const outcome = await expectError('busy', 'anthropic', 'openai', { how: 'stall', asked: true });
  assert.equal(outcome.type, 'timeout_error');
});

test('the seam shows in a comment where that is wanted, in the head, the log and the metrics', async () => {
  const { text } = answers.get(story);
  sims.openai.script('marked', { fault: 'killed', how: 'cut', at: 0.5, answer: { text: piecesOf(text) } });
  const outcome = await stream('openai', 'marked', story, { onText: tell(sims.openai, 'marked') });
  assert.deepEqual([outcome.ended, outcome.text], ['complete', text]);
  assert.equal(outcome.raw.split('\n\n').filter((record) => record === ': switchyard: continued by here').length, 1);
  assert.equal(outcome.headers['x-switchyard-on-break'], 'continue');
  assert.equal(outcome.headers['x-switchyard-provider'], 'openai');
  const line = await until('a log line', () => continued().find(({ model }) => model === 'marked'));
  assert.deepEqual([line.from, line.to, line.reason], ['openai', 'here', 'bad_reply']);
  assert.ok(line.characters > 0 && line.characters < text.length);
  const logged = await gateway.logged(outcome.headers['x-request-id']);
  assert.deepEqual([logged.provider, logged.reason, logged.outcome], ['here', 'continuation', 'ok']);
  assert.equal(await failovers({ model: 'marked', from: 'openai', to: 'here' }), 1);
  const { json: decision } = await fetchRaw(`${gateway.admin}/admin/decisions?request_id=${outcome.headers['x-request-id']}`);
  assert.equal(decision.seam_at, line.characters);
  assert.deepEqual(decision.attempts.map(({ ok, reason }) => [ok, reason]), [[false, 'priority'], [true, 'continuation']]);
});

test('input counts once, output in sum: the usage is that of one answer', async () => {
  const { text, usage } = answers.get(story);
  sims.openai.script('usage', { fault: 'killed', how: 'cut', at: 0.5, answer: { text: piecesOf(text) } });
  const outcome = await stream('openai', 'usage', story, { onText: tell(sims.openai, 'usage'), more: { stream_options: { include_usage: true } } });
  const { prompt_tokens: input, completion_tokens: output } = outcome.events.at(-2).data.usage;
  assert.deepEqual([input, output], [usage.prompt_tokens, usage.completion_tokens]);
});

test('a stop string across the seam ends the answer', async () => {
  const { text } = answers.get(story);
  const word = text.split(' ')[7];
  const end = text.indexOf(word);
  sims.openai.script('stop', { fault: 'killed', how: 'cut', at: 1, answer: { text: [text.slice(0, 3), text.slice(3, end + 1)] } });
  const outcome = await stream('openai', 'stop', story, { onText: tell(sims.openai, 'stop'), more: { stop: [word] } });
  assert.deepEqual([outcome.ended, outcome.text], ['complete', text.slice(0, end + 1)]);
});

test('a JSON array of Gemini goes on as one', async () => {
  const { text } = answers.get(story);
  sims.gemini.script('array', { fault: 'killed', how: 'cut', at: 0.5, answer: { text: piecesOf(text) } });
  const reply = await fetchRaw(`${gateway.url}/v1beta/models/array:streamGenerateContent`, { body: requests.gemini(story), onText: () => sims.gemini.saw('array') });
  const parts = reply.json.flatMap(({ candidates: [{ content }] }) => content.parts);
  assert.equal(parts.map((part) => part.text ?? '').join(''), text);
  assert.ok(reply.json.at(-1).candidates[0].finishReason);
});

test('a response that is kept here holds the whole text; one that its provider keeps is the provider\'s alone', async () => {
  const { text } = answers.get(story);
  sims.anthropic.script('kept', { fault: 'killed', how: 'cut', at: 0.5, answer: { text: piecesOf(text) } });
  const outcome = await stream('responses', 'kept', story, { onText: tell(sims.anthropic, 'kept'), more: { store: true } });
  assert.equal(outcome.text, text);
  const { id, output } = outcome.events.at(-1).data.response;
  assert.deepEqual(output.map((item) => item.content.map((part) => part.text)), [[text]]);
  const kept = await until('it is kept', async () => {
    const reply = await fetchRaw(`${gateway.url}/v1/responses/${id}`);
    return reply.status === 200 && reply.json;
  });
  assert.deepEqual(kept.output, output);
  await expectError('own', 'responses', 'openai', { more: { store: true } });
});

test('nothing is left behind', async () => {
  for (const [name, sim] of Object.entries(sims)) {
    assert.deepEqual(sim.takeViolations(), [], name);
    await until(`the calls at ${name} are over`, () => sim.requests.every((record) => record.answered || record.closedEarly));
  }
  await until('no request is open', async () => {
    const samples = await gateway.metrics();
    return sum(samples, 'switchyard_open_requests') === 0 && sum(samples, 'switchyard_local_running') === 0;
  });
});
