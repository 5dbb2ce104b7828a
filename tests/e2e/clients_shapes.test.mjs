// The requests of popular clients, as each of them sends them (docs/clients.md), to every kind of provider behind the
// gateway: fields that only tune must not break them. Claude Code and Codex themselves run in tests/clients.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { plainText } from './lib/simulator.mjs';
import { kPng, kSchemas, keys, lastBody, startStand } from './lib/stand.mjs';
import { fetchRaw, readEvents, test } from './lib/util.mjs';

let stand;
before(async () => { stand = await startStand(); });
afterEach(() => stand.assertClean());
after(() => stand?.stop());

// Of each kind of provider, and of those that refuse sampling parameters.
const upstreams = {
  openai: ['gpt-4o', 'gpt-5-mini'], anthropic: ['claude-sonnet-4-5', 'claude-sonnet-5'], gemini: ['gemini-2.5-flash', 'gemini-3-pro'], rack: ['rack-llama'],
};
const everywhere = Object.entries(upstreams).flatMap(([upstream, models]) => models.map((model) => ({ upstream, base: model })));

async function send(path, body, headers = {}, { method } = {}) {
  return fetchRaw(stand.gateway.url + path, { method, headers: { authorization: `Bearer ${keys.client}`, 'accept-encoding': 'gzip, deflate', ...headers }, body });
}

// The text of a reply in its own dialect, which must be complete.
function readText(reply) {
  assert.equal(reply.status, 200, reply.text);
  if (reply.json) {
    const { choices, content, output, candidates } = reply.json;
    return choices?.[0].message?.content ?? choices?.[0].text ?? candidates?.[0].content.parts.map((part) => part.text ?? '').join('') ??
      (content ?? output.flatMap((item) => item.content ?? [])).map((part) => part.text ?? '').join('');
  }
  const events = readEvents(reply.text.replaceAll('\r\n', '\n')).map(({ data }) => data);
  const last = events.at(-1);
  assert.ok(last === '[DONE]' || ['message_stop', 'response.completed'].includes(last.type) || last.candidates?.[0].finishReason, reply.text);
  return events.map((data) => data.choices?.[0]?.delta?.content ?? data.choices?.[0]?.text ?? (data.type === 'content_block_delta' ? data.delta.text : undefined) ??
    (data.type === 'response.output_text.delta' ? data.delta : undefined) ?? data.candidates?.[0].content?.parts.filter((part) => !part.thought).map((part) => part.text ?? '').join('') ?? '').join('');
}

const passesThrough = (path, upstream) =>
  ({ openai: /chat|responses/, rack: /chat/, anthropic: /messages/, gemini: /v1beta/ })[upstream].test(path);

const chatTool = { type: 'function', function: { name: 'get_time', description: 'The time', parameters: { $schema: 'http://json-schema.org/draft-07/schema#', ...kSchemas.get_time, additionalProperties: false } } };
const call = { id: 'call_9f8e7d', type: 'function', function: { name: 'get_time', arguments: '{"zone":"UTC"}' } };
const afterCall = (more = {}, result = {}) => [{ role: 'user', content: 'Time?' }, { role: 'assistant', content: '', tool_calls: [call], ...more }, { role: 'tool', tool_call_id: call.id, content: '12:00', ...result }];

// One function a client: [what it is, path, body of a model, headers].
const shapes = {
  'Cursor, its check of a key': (model) => ['/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Test prompt using gpt-3.5-turbo' }], max_tokens: 10, temperature: 1 }, { 'user-agent': 'undici' }],
  'Cursor, a chat with tools': (model) => ['/v1/chat/completions', {
    model, stream: true, stream_options: { include_usage: true }, temperature: 0, user: 'google-oauth2|112233', tool_choice: 'auto', tools: [chatTool],
    messages: [{ role: 'system', content: 'You are a coding assistant.' }, ...afterCall({ content: null })],
  }],
  'Open WebUI, a chat': (model) => ['/v1/chat/completions', {
    model, stream: true, temperature: 0.8, top_p: 0.9, seed: 42, stop: ['###'], max_tokens: 512,
    messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello!', reasoning_content: 'They greet.' },
      { role: 'user', content: [{ type: 'text', text: 'And this?' }, { type: 'image_url', image_url: { url: `data:image/png;base64,${kPng}` } }] }],
  }, { 'x-openwebui-user-name': 'Ada', 'x-openwebui-user-id': 'u-1', 'x-openwebui-user-email': 'ada@example.org', 'x-openwebui-user-role': 'user', 'x-openwebui-chat-id': 'c-1' }],
  'Open WebUI, a title': (model) => ['/v1/chat/completions', { model, stream: false, max_completion_tokens: 1000, messages: [{ role: 'user', content: '### Task:\nA title, please.' }] }],
  LibreChat: (model) => ['/v1/chat/completions', {
    model, stream: true, temperature: 1, top_p: 1, presence_penalty: 0, frequency_penalty: 0, user: '66f1c0ffee', stream_options: { include_usage: true },
    messages: [{ role: 'system', content: 'Instructions' }, { role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  }, { 'x-librechat-user': '66f1c0ffee', 'http-referer': 'https://librechat.ai', 'x-title': 'LibreChat' }],
  'LibreChat, a title': (model) => ['/v1/chat/completions', { model, temperature: 0.2, presence_penalty: 0, frequency_penalty: 0, max_tokens: 16, messages: [{ role: 'user', content: 'Title?' }] }],
  Continue: (model) => ['/v1/chat/completions', {
    model, stream: true, stream_options: { include_usage: true }, max_tokens: 4096, tools: [chatTool], parallel_tool_calls: false,
    messages: [{ role: 'system', content: '<important_rules/>' }, ...afterCall({ content: ' ' })],
  }, { 'x-api-key': keys.client, 'api-key': keys.client }],
  'Continue, an edit': (model) => ['/v1/chat/completions', { model, stream: true, max_tokens: 4096, stop: ['```', '\n```'], messages: [{ role: 'user', content: 'Rewrite.' }] }, { 'x-api-key': keys.client }],
  LangChain: (model) => ['/v1/chat/completions', {
    model, temperature: 0.5, n: 1, stream: false, tools: [chatTool], tool_choice: 'auto',
    messages: [{ role: 'developer', content: 'Use tools.' }, ...afterCall({ content: '' }, { name: 'get_time', content: [{ type: 'text', text: '12:00' }] })],
  }, { 'x-stainless-lang': 'js', 'x-stainless-retry-count': '0', 'x-stainless-timeout': '60', 'user-agent': 'langchainjs-openai/1.0.0' }],
  'LangChain, a structured answer': (model) => ['/v1/chat/completions', {
    model, stream: true, messages: [{ role: 'user', content: 'Where?' }],
    response_format: { type: 'json_schema', json_schema: { name: 'extract', strict: true, schema: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'], additionalProperties: false, $schema: 'http://json-schema.org/draft-07/schema#' } } },
  }],
  'LiteLLM\'s SDK, without /v1': (model) => ['/chat/completions', { model, stream: true, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 20 }, { 'x-stainless-read-timeout': '600', 'x-stainless-lang': 'python' }],
  'Cline, as Anthropic': (model) => ['/v1/messages', {
    model, stream: true, max_tokens: 8192, ...(!model.startsWith('claude-sonnet-5') && { temperature: 0 }), system: [{ type: 'text', text: 'You are Cline.', cache_control: { type: 'ephemeral' } }],
    messages: [{ role: 'user', content: [{ type: 'text', text: '<task>Hi</task>', cache_control: { type: 'ephemeral' } }, { type: 'text', text: '<environment_details/>' }] }],
  }, { 'x-api-key': keys.client, authorization: undefined, 'anthropic-version': '2023-06-01', 'anthropic-beta': 'prompt-caching-2024-07-31' }],
  'OpenCode, as AI SDK': (model) => ['/v1/responses', {
    model, stream: true, store: false, include: ['reasoning.encrypted_content'], ...(/gpt-5|gemini-[23]\.?[5]?|claude/.test(model) && { reasoning: { effort: 'low', summary: 'auto' } }),
    input: [{ role: 'developer', content: 'You are opencode.' }, { role: 'user', content: [{ type: 'input_text', text: 'Time?' }] },
      { type: 'function_call', call_id: 'call_1', name: 'get_time', arguments: '{"zone":"UTC"}' }, { type: 'function_call_output', call_id: 'call_1', output: '12:00' }],
    tools: [{ type: 'function', name: 'get_time', description: 'The time', parameters: kSchemas.get_time, strict: false }], tool_choice: 'auto', prompt_cache_key: 'ses_1',
  }],
  'Gemini CLI': (model) => [`/v1beta/models/${model}:streamGenerateContent?alt=sse`, {
    systemInstruction: { role: 'user', parts: [{ text: 'You are a CLI agent.' }] },
    contents: [{ role: 'user', parts: [{ text: 'This is the context.' }] }, { role: 'model', parts: [{ text: 'Got it.' }] }, { role: 'user', parts: [{ text: 'Hi' }] }],
    tools: [{ functionDeclarations: [{ name: 'read_file', description: 'Reads', parametersJsonSchema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] } }] }],
    generationConfig: { temperature: 0, topP: 1, ...(/gemini|gpt-5|claude/.test(model) && { thinkingConfig: { includeThoughts: true } }) },
  }, { 'x-goog-api-key': keys.client, authorization: undefined, 'user-agent': 'GeminiCLI/0.9.0 (linux; x64)' }],
};

for (const [client, shape] of Object.entries(shapes)) {
  for (const { upstream, base } of everywhere) {
    test(`${client}, ${upstream} (${base})`, async () => {
      const model = `${base}-${client.replace(/[^A-Za-z]+/g, '-').toLowerCase()}`;
      const sim = stand.sims[upstream];
      const isObject = client.includes('structured');
      sim.script(model, { chop: 40, ...(isObject && { text: '{"city":"Bern"}' }) });
      const [path, body, headers = {}] = shape(model);
      const known = Object.fromEntries(Object.entries({ authorization: `Bearer ${keys.client}`, ...headers }).filter(([, value]) => value !== undefined));
      const reply = await fetchRaw(stand.gateway.url + path, { headers: known, body });
      // Where the provider speaks the client's dialect it has the last word: it says what it would have said without us.
      if (passesThrough(path, upstream) && reply.status === 400) {
        const [refusal] = sim.takeViolations();
        assert.ok(refusal ? refusal.endsWith(reply.json.error.message) : /stop/.test(reply.json.error.message), reply.text);
        return;
      }
      assert.equal(readText(reply), isObject ? '{"city":"Bern"}' : plainText);
      assert.ok(!JSON.stringify(sim.of(model).at(-1).headers).includes('ada@example.org'), 'a head of the client reached the provider');
    });
  }
}

// Claude Code 2.1 and Codex 0.169, with everything of theirs that is unusual.
const kAgent = { type: 'object', properties: { command: { type: 'string', description: 'The command' } }, required: ['command'], additionalProperties: false, $schema: 'https://json-schema.org/draft/2020-12/schema' };
const claudeCode = (model) => ({
  model, max_tokens: 32_000, stream: true, thinking: { type: 'adaptive', display: 'omitted' }, output_config: { effort: 'high' },
  context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  metadata: { user_id: JSON.stringify({ device_id: 'd'.repeat(64), account_uuid: '', session_id: 'e2b8f76a-f10a-4f4c-a185-68a8113b3b07' }) },
  system: [{ type: 'text', text: 'x-anthropic-billing-header: cc_version=2.1.330;' }, { type: 'text', text: 'You are a Claude agent.', cache_control: { type: 'ephemeral' } }, { type: 'text', text: 'Work.', cache_control: { type: 'ephemeral' } }],
  tools: [{ name: 'Bash', description: 'Runs a command', input_schema: kAgent }, { name: 'DeferredToolPlaceholder', description: 'x', input_schema: { type: 'object', properties: {} }, defer_loading: true }],
  messages: [{ role: 'user', content: [{ type: 'text', text: '<system-reminder>\nNote\n</system-reminder>\n' }, { type: 'text', text: 'Read note.txt', cache_control: { type: 'ephemeral' } }] },
    { role: 'system', content: [{ type: 'text', text: '# Environment\nlinux' }] }],
});
const kBetas = 'claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,mid-conversation-tool-changes-2026-07-01,advanced-tool-use-2025-11-20,effort-2025-11-24';
for (const { upstream, base } of everywhere.filter(({ base: model }) => model !== 'claude-sonnet-4-5')) {
  test(`Claude Code, ${upstream} (${base})`, async () => {
    const model = `${base}-claude-code`, sim = stand.sims[upstream];
    const reply = await send('/v1/messages?beta=true', claudeCode(model), { 'anthropic-version': '2023-06-01', 'anthropic-beta': kBetas, 'x-app': 'cli', 'user-agent': 'claude-cli/2.1.330 (external, sdk-cli)', 'anthropic-dangerous-direct-browser-access': 'true' });
    assert.equal(readText(reply), plainText);
    const { headers, raw } = sim.of(model).at(-1);
    assert.equal(headers['anthropic-beta'], upstream === 'anthropic' ? kBetas : undefined);
    assert.match(raw, /# Environment/);
  });

  test(`Codex, ${upstream} (${base})`, async () => {
    const model = `${base}-codex`, sim = stand.sims[upstream];
    const message = (role, text) => ({ type: 'message', id: `msg_${role}`, role, content: [{ type: 'input_text', text }] });
    const body = {
      model, store: false, stream: true, include: ['reasoning.encrypted_content'], ...(base !== 'gpt-4o' && { reasoning: { summary: 'auto' } }), prompt_cache_key: '01a20dad', parallel_tool_calls: true, tool_choice: 'auto',
      client_metadata: { session_id: '01a20dad', 'x-codex-window-id': '01a20dad:0' },
      tools: [
        { type: 'function', name: 'exec_command', description: 'Runs a command', strict: false, parameters: { type: 'object', properties: { cmd: { type: 'string' } }, required: ['cmd'], additionalProperties: false } },
        { type: 'function', name: 'get_goal', description: 'Goal', strict: false, parameters: { type: 'object', properties: {}, required: [], additionalProperties: false } },
        { type: 'namespace', name: 'multi_agent_v1', description: 'Agents', tools: [{ type: 'function', name: 'close_agent', description: 'Closes', strict: false, parameters: { type: 'object', properties: {} } }] },
        { type: 'web_search', external_web_access: true },
      ],
      input: [message('developer', 'You are a coding agent.'), message('developer', '<skills/>'), message('user', '<environment_context/>'), message('user', 'Read note.txt'),
        { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'exec_command', arguments: '{"cmd":"cat note.txt"}' }, { type: 'function_call_output', id: 'fco_1', call_id: 'call_1', output: 'kiwi' }],
    };
    const reply = await send('/v1/responses', body, { accept: 'text/event-stream', originator: 'codex_exec', 'session-id': '01a20dad', 'x-codex-beta-features': 'remote_compaction_v2' });
    assert.equal(readText(reply), plainText);
    assert.match(JSON.stringify(lastBody(sim, model)), /kiwi/);
  });
}

test('Claude Code: its probes get an answer', async () => {
  for (const [method, path] of [['HEAD', '/'], ['HEAD', '/api/hello']]) {
    const { status } = await send(path, undefined, { authorization: 'none' }, { method });
    assert.ok(status < 500, `${method} ${path}: ${status}`);
  }
  const reply = await send('/v1/messages/count_tokens?beta=true', { model: 'gpt-4o', messages: [{ role: 'user', content: 'How many?' }] }, { 'anthropic-version': '2023-06-01' });
  assert.ok(reply.json.input_tokens > 0, reply.text);
});

test('the model lists that clients ask for first', async () => {
  const list = await send('/v1/models', undefined, { 'x-openwebui-user-id': 'u-1' });
  assert.ok(list.json.data.some(({ id, object }) => id === 'local' && object === 'model'), list.text);
  assert.deepEqual((await send('/models')).json, list.json);
});

test('Cursor: a request in the Responses form at the chat endpoint is refused in words that say so', async () => {
  const reply = await send('/v1/chat/completions', { model: 'gpt-4o', input: [{ role: 'user', content: 'Hi' }], stream: true });
  assert.equal(reply.status, 400);
  assert.match(reply.json.error.message, /messages|input/);
  stand.sims.openai.takeViolations();
});

test('Continue: an address that ends in a slash', async () => {
  const reply = await send('/v1//chat/completions'.replace('//', '/'), { model: 'gpt-4o', messages: [{ role: 'user', content: 'Hi' }] }, { 'x-api-key': keys.client });
  assert.equal(readText(reply), plainText);
});

test('Continue: completion of code', async () => {
  const reply = await send('/v1/completions', { model: 'rack-coder', prompt: 'def f(', suffix: '\n  return 1', max_tokens: 64, temperature: 0.01, stop: ['\n\n', '/src/'], stream: true }, { 'x-api-key': keys.client });
  assert.equal(readText(reply), plainText);
  assert.equal(lastBody(stand.sims.rack, 'rack-coder').suffix, '\n  return 1');
});
