// The simulators of the other dialects: the providers' own SDKs, unmodified, understand them, and they refuse what their
// providers refuse. What the other files rely on.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { GoogleGenAI } from '@google/genai';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { CohereClientV2 } from 'cohere-ai';
import { signatureFault } from './lib/aws.mjs';
import { BedrockSimulator } from './lib/bedrock_sim.mjs';
import { openai } from './lib/clients.mjs';
import { CohereSimulator } from './lib/cohere_sim.mjs';
import { GeminiSimulator } from './lib/gemini_sim.mjs';
import { OpenAiSimulator } from './lib/openai_sim.mjs';
import { encrypted } from './lib/responses_sim.mjs';
import { plain, plainText } from './lib/simulator.mjs';
import { kCalls, kPng } from './lib/stand.mjs';
import { fetchRaw, test } from './lib/util.mjs';

const key = 'sk-of-the-provider';
const account = { accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', sessionToken: 'session-token', region: 'us-west-2' };
const sims = {};
let genai, bedrock, cohere;

before(async () => {
  sims.responses = await new OpenAiSimulator({ key }).start();
  sims.gemini = await new GeminiSimulator({ key }).start();
  sims.bedrock = await new BedrockSimulator({ key, account }).start();
  sims.cohere = await new CohereSimulator({ key }).start();
  genai = new GoogleGenAI({ apiKey: key, httpOptions: { baseUrl: sims.gemini.baseUrl } });
  bedrock = new BedrockRuntimeClient({
    region: account.region, endpoint: sims.bedrock.baseUrl, maxAttempts: 1, requestHandler: new NodeHttpHandler(),
    credentials: { accessKeyId: account.accessKey, secretAccessKey: account.secretKey, sessionToken: account.sessionToken },
  });
  cohere = new CohereClientV2({ token: key, environment: sims.cohere.baseUrl, maxRetries: 0 });
});
after(async () => {
  bedrock.destroy();
  await Promise.all(Object.values(sims).map((sim) => sim.stop()));
});

// The SDKs send heads of their own, which the gateway must not.
const violations = (sim) => sim.takeViolations().filter((text) => !/^header .* reached the provider/.test(text));
const rich = {
  text: ['Let me ', 'see.'], thinking: { text: 'Hm, weather.', signature: 'c2lnLW9mLXRoZS1wcm92aWRlcg==' }, tools: kCalls, chop: 7,
  usage: { input: 100, output: 20, cached: 60, written: 0, reasoning: 5 },
};
const args = kCalls.map((call) => JSON.parse(call.arguments));
const parameters = { type: 'object', properties: { city: { type: 'string' } } };

test('responses simulator and its SDK: text, calls at once, reasoning, error', async () => {
  const sim = sims.responses, client = openai({ url: `http://127.0.0.1:${sim.port}` }, key);
  const plainReply = await client.responses.create({ model: 'm', input: 'hi' });
  assert.equal(plainReply.output_text, plainText);
  sim.script('gpt-5', rich, rich, plain);
  const tools = kCalls.map(({ name }) => ({ type: 'function', name, parameters, strict: false }));
  const body = { model: 'gpt-5', tools, reasoning: { effort: 'low', summary: 'auto' }, store: false, include: ['reasoning.encrypted_content'] };
  const whole = await client.responses.create({ ...body, input: 'hi' });
  const streamed = await client.responses.stream({ ...body, input: 'hi' }).finalResponse();
  for (const reply of [whole, streamed]) {
    assert.deepEqual(reply.output.map((item) => item.type), ['reasoning', 'message', 'function_call', 'function_call']);
    assert.equal(reply.output_text, 'Let me see.');
    assert.deepEqual(reply.output.slice(2).map((item) => JSON.parse(item.arguments)), args);
    assert.equal(reply.usage.output_tokens_details.reasoning_tokens, 5);
  }
  const results = kCalls.map(({ id }) => ({ type: 'function_call_output', call_id: id, output: 'ok' }));
  assert.equal((await client.responses.create({ ...body, input: [{ role: 'user', content: 'hi' }, ...whole.output, ...results] })).output_text, plainText);
  assert.deepEqual(violations(sim), []);
  sim.script('broken', { fault: 'error_frame', content: true });
  await assert.rejects(client.responses.stream({ model: 'broken', input: 'hi' }).finalResponse(), /simulated failure/);
});

test('gemini simulator and its SDK: text, calls, thoughts with their signature, stream, tokens, embeddings, error', async () => {
  const sim = sims.gemini, model = 'gemini-3-pro';
  assert.equal((await genai.models.generateContent({ model, contents: 'hi' })).text, plainText);
  sim.script(model, rich, rich, plain);
  const config = { tools: [{ functionDeclarations: kCalls.map(({ name }) => ({ name, parametersJsonSchema: parameters })) }], thinkingConfig: { includeThoughts: true } };
  const whole = await genai.models.generateContent({ model, contents: 'hi', config });
  const parts = whole.candidates[0].content.parts;
  assert.deepEqual(parts.map((part) => [part.thought ?? false, part.text, part.functionCall?.name, part.thoughtSignature]), [
    [true, 'Hm, weather.', undefined, undefined], [false, 'Let me see.', undefined, undefined],
    [false, undefined, 'get_weather', rich.thinking.signature], [false, undefined, 'get_time', undefined]]);
  assert.deepEqual(whole.functionCalls.map((call) => call.args), args);
  assert.deepEqual([whole.usageMetadata.candidatesTokenCount, whole.usageMetadata.thoughtsTokenCount, whole.usageMetadata.totalTokenCount], [15, 5, 120]);
  const streamed = [];
  let last;
  for await (last of await genai.models.generateContentStream({ model, contents: 'hi', config })) streamed.push(...last.candidates[0].content.parts);
  assert.equal(streamed.filter((part) => !part.thought).map((part) => part.text ?? '').join(''), 'Let me see.');
  assert.deepEqual(streamed.filter((part) => part.functionCall).map((part) => part.functionCall.args), args);
  assert.equal(last.candidates[0].finishReason, 'STOP');
  const contents = [{ role: 'user', parts: [{ text: 'hi' }] }, whole.candidates[0].content,
    { role: 'user', parts: kCalls.map(({ name }) => ({ functionResponse: { name, response: { output: 'ok' } } })) }];
  assert.equal((await genai.models.generateContent({ model, contents, config })).text, plainText);
  assert.equal((await genai.models.countTokens({ model, contents })).totalTokens, 11);
  const { embeddings } = await genai.models.embedContent({ model: 'gemini-embedding-001', contents: ['a', 'b'] });
  assert.deepEqual(embeddings.map(({ values }) => values), [[0.25, -0.5, 0], [0.25, -0.5, 1]]);
  assert.deepEqual(violations(sim), []);
  sim.script('broken', { fault: 'error_frame', content: true });
  await assert.rejects(async () => { for await (const _ of await genai.models.generateContentStream({ model: 'broken', contents: 'hi' })); }, { name: 'ApiError', status: 500 });
});

test('bedrock simulator and the AWS SDK: signature, event stream, calls, reasoning, image, errors', async () => {
  const sim = sims.bedrock, modelId = 'anthropic.claude-sonnet-4-5-20250929-v1:0';
  const messages = [{ role: 'user', content: [{ text: 'hi' }, { image: { format: 'png', source: { bytes: Buffer.from(kPng, 'base64') } } }] }];
  const reply = await bedrock.send(new ConverseCommand({ modelId, messages, system: [{ text: 'Be brief.' }], inferenceConfig: { maxTokens: 50 } }));
  assert.equal(reply.output.message.content[0].text, plainText);
  sim.script(modelId, rich);
  const toolConfig = { tools: kCalls.map(({ name }) => ({ toolSpec: { name, description: name, inputSchema: { json: parameters } } })) };
  const blocks = [];
  let stop, usage;
  for await (const event of (await bedrock.send(new ConverseStreamCommand({ modelId, messages, toolConfig }))).stream) {
    const { contentBlockStart: start, contentBlockDelta: delta, messageStop, metadata } = event;
    const at = start?.contentBlockIndex ?? delta?.contentBlockIndex;
    if (start) blocks[at] = { name: start.start.toolUse.name, input: '' };
    if (delta?.delta.text) blocks[at] = { text: (blocks[at]?.text ?? '') + delta.delta.text };
    if (delta?.delta.toolUse) blocks[at].input += delta.delta.toolUse.input;
    if (delta?.delta.reasoningContent) blocks[at] = { ...blocks[at], ...delta.delta.reasoningContent, ...(delta.delta.reasoningContent.text && { text: (blocks[at]?.text ?? '') + delta.delta.reasoningContent.text }) };
    stop ??= messageStop?.stopReason;
    usage ??= metadata?.usage;
  }
  assert.deepEqual(blocks[0], { text: rich.thinking.text, signature: rich.thinking.signature });
  assert.deepEqual(blocks[1], { text: 'Let me see.' });
  assert.deepEqual(blocks.slice(2).map(({ name, input }) => [name, JSON.parse(input)]), kCalls.map(({ name }, i) => [name, args[i]]));
  assert.deepEqual([stop, usage.inputTokens, usage.cacheReadInputTokens, usage.outputTokens], ['tool_use', 40, 60, 20]);
  assert.deepEqual(violations(sim), []);
  sim.script('broken', { fault: 'error_frame', content: true });
  await assert.rejects(async () => { for await (const _ of (await bedrock.send(new ConverseStreamCommand({ modelId: 'broken', messages }))).stream); }, { name: 'ModelStreamErrorException' });
  sim.script('busy', { fault: 'status', status: 429 });
  await assert.rejects(bedrock.send(new ConverseCommand({ modelId: 'busy', messages })), { name: 'ThrottlingException' });
});

test('cohere simulator and its SDK: text, calls, thinking, error', async () => {
  const sim = sims.cohere, model = 'command-a-reasoning';
  const messages = [{ role: 'user', content: 'hi' }];
  assert.equal((await cohere.chat({ model, messages })).message.content[0].text, plainText);
  sim.script(model, rich, rich);
  const tools = kCalls.map(({ name }) => ({ type: 'function', function: { name, parameters } }));
  const whole = await cohere.chat({ model, messages, tools });
  assert.deepEqual([whole.finishReason, whole.message.toolPlan, whole.message.content[0].thinking], ['TOOL_CALL', 'Let me see.', rich.thinking.text]);
  assert.deepEqual(whole.message.toolCalls.map((call) => JSON.parse(call.function.arguments)), args);
  const calls = [];
  let plan = '', end;
  for await (const event of await cohere.chatStream({ model, messages, tools })) {
    if (event.type === 'tool-plan-delta') plan += event.delta.message.toolPlan;
    if (event.type === 'tool-call-start') calls.push(event.delta.message.toolCalls.function.arguments ?? '');
    if (event.type === 'tool-call-delta') calls[calls.length - 1] += event.delta.message.toolCalls.function.arguments;
    if (event.type === 'message-end') end = event.delta;
  }
  assert.equal(plan, 'Let me see.');
  assert.deepEqual(calls.map((text) => JSON.parse(text)), args);
  assert.deepEqual([end.finishReason, end.usage.tokens.inputTokens], ['TOOL_CALL', 100]);
  assert.deepEqual(violations(sim), []);
  await assert.rejects(new CohereClientV2({ token: 'wrong', environment: sim.baseUrl, maxRetries: 0 }).chat({ model, messages }), { name: 'UnauthorizedError' });
  violations(sim);
});

test('bedrock simulator: the published vector of the signature', () => {
  const record = {
    method: 'POST', url: '/model/anthropic.claude-x%3A0/converse', raw: '{"messages":[{"role":"user","content":[{"text":"hi"}]}]}',
    headers: {
      'content-type': 'application/json', host: 'bedrock-runtime.us-east-1.amazonaws.com', 'x-amz-date': '20260101T000000Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=content-type;host;x-amz-date, ' +
        'Signature=e2a9a1d41ea14e064cd2caaa21c12a21952c587a73b4cedd953f59e45c3c7cf2',
    },
  };
  const own = { accessKey: 'AKID', secretKey: account.secretKey, region: 'us-east-1', now: Date.UTC(2026, 0, 1) };
  assert.equal(signatureFault(record, own), undefined);
  for (const change of [{ raw: '{}' }, { url: '/model/anthropic.claude-x:0/converse' }, { method: 'PUT' }]) assert.match(signatureFault({ ...record, ...change }, own), /signature/);
  assert.match(signatureFault(record, { ...own, now: Date.UTC(2026, 0, 1, 0, 6) }), /expired/);
});

const user = (text) => ({ role: 'user', parts: [{ text }] });
const call = (more = {}) => ({ role: 'model', parts: [{ functionCall: { name: 'f', args: {} }, ...more }] });
const response = (value = { output: 1 }, name = 'f') => ({ role: 'user', parts: [{ functionResponse: { name, response: value } }] });
const use = (id) => ({ role: 'assistant', content: [{ toolUse: { toolUseId: id, name: 'f', input: {} } }] });
const result = (id) => ({ role: 'user', content: [{ toolResult: { toolUseId: id, content: [{ text: 'r' }] } }] });
const says = (text) => ({ role: 'user', content: [{ text }] });
const toolConfig = { tools: [{ toolSpec: { name: 'f', inputSchema: { json: { type: 'object' } } } }] };
const refusals = {
  responses: {
    'an unknown field': { input: 'x', seed: 1 },
    'too few output tokens': { input: 'x', max_output_tokens: 5 },
    'input_text of the assistant': { input: [{ role: 'assistant', content: [{ type: 'input_text', text: 'x' }] }] },
    'a call without its output': { input: [{ type: 'function_call', call_id: 'a', name: 'f', arguments: '{}' }] },
    'an output without its call': { input: [{ type: 'function_call_output', call_id: 'a', output: 'x' }] },
    'a nested tool': { input: 'x', tools: [{ type: 'function', function: { name: 'f' } }] },
    'an open schema of a strict tool': { input: 'x', tools: [{ type: 'function', name: 'f', parameters: { type: 'object', properties: { a: { type: 'string' } } } }] },
    'reasoning of someone else': { model: 'gpt-5', input: [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: encrypted('other') }, { role: 'assistant', content: 'x' }] },
    'an image as an object': { input: [{ role: 'user', content: [{ type: 'input_image', image_url: { url: 'https://a/b.png' } }] }] },
    'temperature of a reasoning model': { model: 'gpt-5', input: 'x', temperature: 1 },
  },
  gemini: {
    'an unknown field': { contents: [user('x')], max_tokens: 5 },
    'no contents': { contents: [] },
    'no parts': { contents: [{ role: 'user', parts: [] }] },
    'empty text': { contents: [user('')] },
    'a role of others': { contents: [{ role: 'assistant', parts: [{ text: 'x' }] }] },
    'a call without its signature': { contents: [user('x'), call(), response()] },
    'a signature of someone else': { contents: [user('x'), call({ thoughtSignature: 'Zm9yZWlnbg==' }), response()] },
    'a call without its response': { contents: [user('x'), call({ thoughtSignature: 'skip_thought_signature_validator' }), user('y')] },
    'a response under another name': { contents: [user('x'), call({ thoughtSignature: 'skip_thought_signature_validator' }), response({ output: 1 }, 'g')] },
    'a response that is a text': { contents: [user('x'), call({ thoughtSignature: 'skip_thought_signature_validator' }), response('r')] },
    'a schema with additionalProperties': { contents: [user('x')], tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: 'object', properties: { a: { type: 'string' } }, additionalProperties: false } }] }] },
    'an object without properties': { contents: [user('x')], tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: 'object', properties: {} } }] }] },
    'a level and a budget': { contents: [user('x')], generationConfig: { thinkingConfig: { thinkingLevel: 'LOW', thinkingBudget: 5 } } },
    'a level of an older model': { model: 'gemini-2.5-flash', contents: [user('x')], generationConfig: { thinkingConfig: { thinkingLevel: 'LOW' } } },
    'thinking of a model without': { model: 'gemini-2.0-flash', contents: [user('x')], generationConfig: { thinkingConfig: { thinkingBudget: 5 } } },
    'six stop sequences': { contents: [user('x')], generationConfig: { stopSequences: ['1', '2', '3', '4', '5', '6'] } },
    'a schema without its type': { contents: [user('x')], generationConfig: { responseJsonSchema: {} } },
  },
  bedrock: {
    'an unknown field': { messages: [says('x')], max_tokens: 5 },
    'blank text': { messages: [says(' ')] },
    'the same role twice': { messages: [says('x'), says('y')] },
    'the assistant first': { messages: [{ role: 'assistant', content: [{ text: 'x' }] }, says('y')] },
    'a union of two': { messages: [{ role: 'user', content: [{ text: 'x', image: { format: 'png', source: { bytes: 'QQ==' } } }] }] },
    'an image\'s address': { messages: [{ role: 'user', content: [{ image: { format: 'png', source: { url: 'https://a/b.png' } } }] }] },
    'a bad tool id': { messages: [says('x'), use('a.b'), result('a.b')], toolConfig },
    'tools not declared': { messages: [says('x'), use('a'), result('a')] },
    'a call without its result': { messages: [says('x'), use('a'), says('y')], toolConfig },
    'a result without its call': { messages: [says('x'), { role: 'assistant', content: [{ text: 'y' }] }, result('a')], toolConfig },
    'a signature of someone else': { messages: [says('x'), { role: 'assistant', content: [{ reasoningContent: { reasoningText: { text: 't', signature: 's' } } }, { text: 'y' }] }, says('z')] },
    'temperature over 1': { messages: [says('x')], inferenceConfig: { temperature: 1.5 } },
    'no tools': { messages: [says('x')], toolConfig: { tools: [] } },
  },
  cohere: {
    'an unknown field': { messages: [{ role: 'user', content: 'x' }], top_p: 0.5 },
    'temperature over 1': { messages: [{ role: 'user', content: 'x' }], temperature: 1.5 },
    'a role of others': { messages: [{ role: 'developer', content: 'x' }] },
    'an empty text': { messages: [{ role: 'user', content: '' }] },
    'tool_choice of others': { messages: [{ role: 'user', content: 'x' }], tools: [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }], tool_choice: 'auto' },
    'a result without its call': { messages: [{ role: 'user', content: 'x' }, { role: 'tool', tool_call_id: 'a', content: 'x' }] },
    'six stop sequences': { messages: [{ role: 'user', content: 'x' }], stop_sequences: ['1', '2', '3', '4', '5', '6'] },
  },
};
const paths = {
  responses: () => '/v1/responses', gemini: (model) => `/v1beta/models/${model}:generateContent`, bedrock: (model) => `/model/${model}/converse`, cohere: () => '/v2/chat',
};
for (const [name, cases] of Object.entries(refusals)) {
  for (const [what, { model = 'gemini-3-pro', ...body }] of Object.entries(cases)) {
    test(`${name} simulator refuses: ${what}`, async () => {
      const named = name === 'responses' || name === 'cohere' ? { model, ...body } : body;
      const headers = name === 'gemini' ? { 'x-goog-api-key': key } : { authorization: `Bearer ${key}` };
      const reply = await fetchRaw(`http://127.0.0.1:${sims[name].port}${paths[name](model)}`, { headers, body: named });
      assert.ok(reply.status === 400 || reply.status === 422, `${reply.status} ${reply.text}`);
      assert.notDeepEqual(sims[name].takeViolations(), []);
    });
  }
}
