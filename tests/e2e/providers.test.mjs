// Every row of the table of providers: the address that is called, the credential and where it stands, what the body
// says, and what the caller hears of the provider's own kind of error. A row without a case here fails the test.
import assert from 'node:assert/strict';
import { createVerify, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, describe } from 'node:test';
import { signatureFault } from './lib/aws.mjs';
import { Gateway } from './lib/gateway.mjs';
import { RecordingServer } from './lib/recording_server.mjs';
import { fetchRaw, test } from './lib/util.mjs';

const kKey = 'sk-provider-4f1d88a2';
const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
const account = (token_uri) => JSON.stringify({
  type: 'service_account', project_id: 'the-project', private_key_id: 'key-1', private_key: pem,
  client_email: 'gateway@the-project.iam.gserviceaccount.com', token_uri,
});

// --- What providers answer ----------------------------------------------------------------------------------------

const replies = {
  openai_chat: {
    id: 'chatcmpl-1', object: 'chat.completion', created: 1, model: 'm', usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    choices: [{ index: 0, message: { role: 'assistant', content: 'hello' }, finish_reason: 'stop' }],
  },
  anthropic_messages: {
    id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [{ type: 'text', text: 'hello' }], stop_reason: 'end_turn',
    stop_sequence: null, usage: { input_tokens: 3, output_tokens: 2 },
  },
  gemini: {
    candidates: [{ content: { role: 'model', parts: [{ text: 'hello' }] }, finishReason: 'STOP', index: 0 }],
    usageMetadata: { promptTokenCount: 3, candidatesTokenCount: 2, totalTokenCount: 5 }, modelVersion: 'm', responseId: 'r',
  },
  bedrock_converse: {
    output: { message: { role: 'assistant', content: [{ text: 'hello' }] } }, stopReason: 'end_turn',
    usage: { inputTokens: 3, outputTokens: 2, totalTokens: 5 }, metrics: { latencyMs: 1 },
  },
  cohere_chat: {
    id: 'c', finish_reason: 'COMPLETE', message: { role: 'assistant', content: [{ type: 'text', text: 'hello' }] },
    usage: { tokens: { input_tokens: 3, output_tokens: 2 } },
  },
};
const kEmbeddings = { object: 'list', model: 'm', data: [{ object: 'embedding', index: 0, embedding: [0.5, 0.25] }], usage: { prompt_tokens: 1, total_tokens: 1 } };

const openAiError = { error: { message: 'the field is wrong', type: 'invalid_request_error', param: null, code: null } };
const googleError = { error: { code: 400, message: 'the field is wrong', status: 'INVALID_ARGUMENT' } };

// --- The rows -----------------------------------------------------------------------------------------------------

const bearer = (key) => ({ authorization: `Bearer ${key}` });
const openAiLike = (more = {}) => ({ base: '/v1', path: '/v1/chat/completions', headers: bearer(kKey), dialect: 'openai_chat', error: openAiError, embeddings: '/v1/embeddings', ...more });
const mayNotHold = (...names) => (body) => { for (const name of names) assert.ok(!(name in body), `${name} is refused there`); };
const all = (...checks) => (body) => { for (const check of checks) check(body); };

// `base`: the path of base_url; `path`: of a chat request, and `embeddings` of one for vectors; `headers`: the credential's
// field; `body`: what the row says of it; `fields`: more of the provider's configuration; `error`: how it says that a
// request is wrong.
const cases = {
  openai: openAiLike({ body: (body) => assert.equal(body.max_tokens, 20, 'as the caller has it') }),
  azure_openai: openAiLike({ base: '/openai/v1', path: '/openai/v1/chat/completions', headers: { 'api-key': kKey }, embeddings: '/openai/v1/embeddings',
    error: { error: { message: 'the field is wrong', code: 'BadRequest', innererror: {} } } }),
  azure_openai_deployments: openAiLike({ base: '/openai', path: '/openai/deployments/the%2Fmodel/chat/completions?api-version=2024-10-21',
    headers: { 'api-key': kKey }, embeddings: '/openai/deployments/the%2Fmodel/embeddings?api-version=2024-10-21' }),
  anthropic: { base: '', path: '/v1/messages', headers: { 'x-api-key': kKey, 'anthropic-version': '2023-06-01' }, dialect: 'anthropic_messages',
    error: { type: 'error', error: { type: 'invalid_request_error', message: 'the field is wrong' } } },
  azure_anthropic: { base: '/anthropic', path: '/anthropic/v1/messages', headers: { 'api-key': kKey, 'anthropic-version': '2023-06-01' }, dialect: 'anthropic_messages',
    error: { type: 'error', error: { type: 'invalid_request_error', message: 'the field is wrong' } } },
  gemini: { base: '', path: '/v1beta/models/the%2Fmodel:generateContent', headers: { 'x-goog-api-key': kKey }, dialect: 'gemini', error: googleError },
  vertex: { base: '/v1/projects/{project}/locations/{location}', model: 'gemini-2.5-pro', dialect: 'gemini', error: googleError, key: false,
    path: '/v1/projects/the-project/locations/here/publishers/google/models/gemini-2.5-pro:generateContent', headers: bearer('google-token'),
    fields: { location: 'here', service_account: 'account.json' } },
  bedrock: { base: '', path: '/model/the%2Fmodel/converse', headers: bearer(kKey), dialect: 'bedrock_converse', fields: { region: 'eu-central-1' },
    error: { message: 'the field is wrong' } },
  mistral: openAiLike({ body: all(mayNotHold('user', 'seed', 'stream_options', 'max_completion_tokens'), (body) => {
    assert.equal(body.random_seed, 7);
    assert.match(body.messages[1].tool_calls[0].id, /^[A-Za-z0-9]{9}$/);
    assert.equal(body.messages[1].tool_calls[0].id, body.messages[2].tool_call_id);
  }), dropped: 'user', error: { object: 'error', message: 'the field is wrong', type: 'invalid_request_error', code: '3051' } }),
  groq: openAiLike({ embeddings: undefined, body: (body) => {
    assert.equal(body.max_completion_tokens, 20);
    assert.deepEqual(Object.keys(body.messages[1]).sort(), ['content', 'role', 'tool_calls'], 'what it does not know of a message is left out');
  } }),
  xai: openAiLike({ embeddings: undefined, error: { code: 'Client specified an invalid argument', error: 'the field is wrong' } }),
  deepseek: openAiLike({ base: '', path: '/chat/completions', embeddings: undefined }),
  cohere: { base: '', path: '/v2/chat', headers: bearer(kKey), dialect: 'cohere_chat', error: { id: 'e', message: 'the field is wrong' } },
  perplexity: openAiLike({ base: '', path: '/chat/completions', embeddings: undefined }),
  meta_llama: openAiLike({ base: '/compat/v1', path: '/compat/v1/chat/completions', embeddings: undefined,
    error: { title: 'Bad request', detail: 'the field is wrong', status: 400 } }),
  together: openAiLike(),
  fireworks: openAiLike({ base: '/inference/v1', path: '/inference/v1/chat/completions', embeddings: '/inference/v1/embeddings' }),
  openrouter: openAiLike({ base: '/api/v1', path: '/api/v1/chat/completions', embeddings: '/api/v1/embeddings', error: { error: { code: 400, message: 'the field is wrong' } } }),
  cerebras: openAiLike({ embeddings: undefined, error: { message: 'the field is wrong', type: 'invalid_request_error', param: 'n', code: 'wrong_api_format' } }),
  huggingface: openAiLike({ embeddings: undefined, error: { error: 'the field is wrong' } }),
  nvidia_nim: openAiLike({ error: { object: 'error', message: 'the field is wrong', detail: {}, type: 'invalid_request_error' } }),
  openai_compatible: openAiLike({ error: { detail: 'the field is wrong' } }),
  ollama: openAiLike({ headers: {}, key: false, error: { error: { message: 'the field is wrong', type: 'api_error', param: null, code: null } } }),
  vllm: openAiLike({ headers: {}, key: false, error: { object: 'error', message: 'the field is wrong', type: 'BadRequestError', code: 400 } }),
  llama_cpp: openAiLike({ headers: {}, key: false, error: { error: { code: 400, message: 'the field is wrong', type: 'invalid_request_error' } } }),
  // Not in the table: a row of the configuration.
  lab: openAiLike({ base: '/llm', path: '/llm/chat', headers: { 'api-key': kKey, 'x-title': 'My app' }, fields: { headers: { 'X-Title': 'My app' } }, embeddings: undefined,
    body: all(mayNotHold('user', 'seed', 'parallel_tool_calls'), (body) => {
      assert.equal(body.lab_mode, 'fast', 'its own field stays');
      assert.equal(body.max_completion_tokens, 20);
    }), more: { lab_mode: 'fast', something: 1 }, dropped: 'something' }),
};

const providerTypes = {
  lab: {
    extends: 'openai_compatible', auth: 'api_key', key_optional: false, rewrite: true, own_fields: ['lab_mode'],
    surfaces: [{ dialect: 'openai_chat', path: '/chat' }],
    quirks: { seed_field: 'none', max_completion_tokens: true, parallel_tool_calls: false, refused: ['user'] },
  },
};

const history = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: null, refusal: null, annotations: [], tool_calls: [{ id: 'call_0123456789abcdef', type: 'function', function: { name: 'f', arguments: '{}' } }] },
  { role: 'tool', tool_call_id: 'call_0123456789abcdef', content: 'done' },
];
const tools = [{ type: 'function', function: { name: 'f', parameters: { type: 'object', properties: {} } } }];

const names = (row) => row.model ?? 'the/model';

describe('Providers', () => {
  let server, gateway;
  const outputs = () => gateway.stdout + gateway.stderr;

  before(async () => {
    server = await new RecordingServer().start();
    const providers = {}, models = {};
    for (const [type, row] of Object.entries(cases)) {
      providers[type] = { type, base_url: server.url + row.base, ...(row.key === false ? {} : { api_key: kKey }), ...row.fields };
      if (type === 'vertex') providers[type].token_url = `${server.url}/google-token`;
      models[`${type}/*`] = { targets: [{ provider: type, model: '*' }] };
      // A refused key takes a target out for a while: one of its own.
      models[`${type}-refused`] = { targets: [{ provider: type, model: names(row) }] };
    }
    models['vertex-refused'] = { targets: [{ provider: 'vertex', model: 'gemini-refused' }] };
    models['signed-refused'] = { targets: [{ provider: 'signed', model: 'refused' }] };
    providers.signed = { type: 'bedrock', base_url: server.url, region: 'eu-central-1', access_key_id: 'AKIDEXAMPLE', secret_access_key: 'aws-secret-77', session_token: 'aws-session-88' };
    models['signed/*'] = { targets: [{ provider: 'signed', model: '*' }] };
    providers.entra = { type: 'azure_openai', base_url: `${server.url}/openai/v1`, tenant_id: 'tenant', client_id: 'client', client_secret: 'entra-secret-99', token_url: `${server.url}/entra-token` };
    providers.federated = { ...providers.entra, client_secret: undefined, token_file: 'federated.txt', token_url: `${server.url}/federated-token` };
    providers.no_token = { ...providers.entra, token_url: `${server.url}/no-token` };
    providers.classic = { type: 'azure_openai', base_url: `${server.url}/openai`, deployment_urls: true, api_version: '2026-01-01', api_key: kKey };
    for (const name of ['entra', 'federated', 'no_token', 'classic']) models[`${name}/*`] = { targets: [{ provider: name, model: '*' }] };
    models.either = { targets: [{ provider: 'no_token', model: 'm' }, { provider: 'openai', model: 'm' }] };
    gateway = await Gateway.start({ provider_types: providerTypes, providers, models }, {
      workers: 1, files: { 'account.json': account(`${server.url}/google-token`), 'federated.txt': 'federated-jwt-66\n' },
    });
    server.answer('/google-token', { body: { access_token: 'google-token', expires_in: 3600, token_type: 'Bearer' } });
    server.answer('/entra-token', { body: { access_token: 'entra-token', expires_in: 3600 } });
    server.answer('/federated-token', { body: { access_token: 'federated-token', expires_in: 3600 } });
    server.answer('/no-token', { status: 401, body: { error: 'invalid_client', error_description: 'entra-secret-99 is wrong' } });
  });
  after(async () => {
    try {
      await gateway.stop();
      for (const secret of [kKey, 'aws-secret-77', 'aws-session-88', 'entra-secret-99', 'federated-jwt-66', 'google-token', 'entra-token', 'PRIVATE KEY']) {
        assert.ok(!outputs().includes(secret) || (secret.endsWith('-token') && !outputs().includes(`Bearer ${secret}`)), `${secret} stands in a log`);
      }
    } finally {
      await server.stop();
    }
  });

  const post = (path, body) => fetchRaw(`${gateway.url}${path}`, { body, headers: { authorization: 'Bearer sk-of-the-caller' } });
  const chat = (model, more = {}) => post('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hi' }], max_tokens: 20, ...more });
  const lastOf = (path) => {
    const records = server.take().filter((record) => record.url === path);
    assert.equal(records.length, 1, `one request for ${path}`);
    return records[0];
  };
  const hasHeaders = (record, wanted) => {
    for (const [name, value] of Object.entries(wanted)) assert.equal(record.headers[name], value, name);
    const credentials = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'].filter((name) => name in record.headers);
    assert.deepEqual(credentials, Object.keys(wanted).filter((name) => credentials.includes(name)), 'no credential but its own');
    assert.ok(!JSON.stringify(record.headers).includes('sk-of-the-caller'));
  };

  test('every row of the table has a case', () => {
    const page = readFileSync(new URL('../../docs/providers.md', import.meta.url), 'utf8');
    const rows = [...page.matchAll(/^\| `([a-z0-9_]+)` \|/gm)].map((match) => match[1]);
    assert.ok(rows.length > 20);
    assert.deepEqual(rows.filter((row) => row !== 'local' && !(row in cases)), []);
  });

  for (const [type, row] of Object.entries(cases)) {
    test(`${type}: address, credential, body`, async () => {
      server.answer(row.path, { body: replies[row.dialect] });
      server.take();
      const noTools = type === 'perplexity';
      const reply = await chat(`${type}/${names(row)}`, {
        ...(noTools ? {} : { messages: history, tools, parallel_tool_calls: true }), ...(row.dialect === 'openai_chat' ? { user: 'u1', seed: 7 } : {}), ...row.more,
      });
      assert.equal(reply.status, 200, reply.text);
      assert.equal(reply.json.choices[0].message.content, 'hello');
      assert.deepEqual([reply.json.usage.prompt_tokens, reply.json.usage.completion_tokens], [3, 2]);
      assert.equal(reply.headers['x-switchyard-provider'], type);
      const record = lastOf(row.path);
      assert.equal(record.method, 'POST');
      assert.equal(record.headers['content-type'], 'application/json');
      hasHeaders(record, row.headers);
      if (row.dialect === 'openai_chat') assert.equal(record.body.model, names(row));
      row.body?.(record.body);
      if (row.dropped) assert.match(reply.headers['x-switchyard-dropped'] ?? '', new RegExp(`\\b${row.dropped}\\b`));
    });

    test(`${type}: its error`, async () => {
      server.answer(row.path, { status: 400, body: row.error });
      const reply = await chat(`${type}/${names(row)}`);
      assert.equal(reply.status, 400, reply.text);
      assert.match(reply.json.error.message, /the field is wrong/);
      assert.equal(reply.json.error.type, 'invalid_request_error');
      server.answer(row.path, { status: 401, body: row.error });
      if (type === 'vertex') return;
      const refused = await chat(`${type}-refused`);
      assert.ok(refused.status >= 500, `a wrong key of ours is not the caller's 401, but ${refused.status}`);
      server.take();
    });

    if (row.embeddings) {
      test(`${type}: embeddings`, async () => {
        server.answer(row.embeddings, { body: kEmbeddings });
        server.take();
        const reply = await post('/v1/embeddings', { model: `${type}/the/model`, input: 'a', encoding_format: 'float' });
        assert.equal(reply.status, 200, reply.text);
        assert.deepEqual(reply.json.data[0].embedding, [0.5, 0.25]);
        hasHeaders(lastOf(row.embeddings), row.headers);
      });
    }
  }

  test('vertex: a service account becomes a token, once', async () => {
    // The rows above have made it fetch one.
    const path = cases.vertex.path;
    server.answer(path, { body: replies.gemini });
    for (let i = 0; i < 3; i++) assert.equal((await chat('vertex/gemini-2.5-pro')).status, 200);
    const records = server.take();
    const tokens = records.filter((record) => record.url === '/google-token');
    assert.ok(tokens.length <= 1, `${tokens.length} tokens fetched`);
    assert.equal(records.filter((record) => record.url === path).length, 3);
    if (tokens.length === 0) return;
    checkGoogleForm(tokens[0]);
  });

  test('vertex: a token that is refused is fetched anew', async () => {
    const path = cases.vertex.path.replace('gemini-2.5-pro', 'gemini-refused');
    server.take();
    server.answer(path, { status: 401, body: { error: { code: 401, message: 'google-token is no longer good', status: 'UNAUTHENTICATED' } } });
    const refused = await chat('vertex-refused');
    assert.ok(refused.status >= 500);
    assert.ok(!refused.text.includes('google-token'));
    server.answer(cases.vertex.path, { body: replies.gemini });
    assert.equal((await chat('vertex/gemini-2.5-pro')).status, 200);
    const tokens = server.take().filter((record) => record.url === '/google-token');
    assert.equal(tokens.length, 1);
    checkGoogleForm(tokens[0]);
  });

  function checkGoogleForm(record) {
    assert.equal(record.headers['content-type'], 'application/x-www-form-urlencoded');
    const form = new URLSearchParams(record.raw);
    assert.equal(form.get('grant_type'), 'urn:ietf:params:oauth:grant-type:jwt-bearer');
    const [header, claims, signature] = form.get('assertion').split('.');
    const read = (part) => JSON.parse(Buffer.from(part, 'base64url').toString());
    assert.deepEqual(read(header), { alg: 'RS256', typ: 'JWT', kid: 'key-1' });
    const { iat, exp, ...rest } = read(claims);
    assert.deepEqual(rest, { iss: 'gateway@the-project.iam.gserviceaccount.com', scope: 'https://www.googleapis.com/auth/cloud-platform', aud: `${server.url}/google-token` });
    assert.ok(Math.abs(iat - Date.now() / 1000) < 60 && exp === iat + 3600);
    assert.ok(createVerify('RSA-SHA256').update(`${header}.${claims}`).verify(publicKey, signature, 'base64url'));
  }

  test('vertex: Claude has its model in the path and a version in the body', async () => {
    const path = '/v1/projects/the-project/locations/here/publishers/anthropic/models/claude-sonnet-5:rawPredict';
    server.answer(path, { body: replies.anthropic_messages });
    server.take();
    const translated = await chat('vertex/claude-sonnet-5');
    assert.equal(translated.status, 200, translated.text);
    const passed = await post('/v1/messages', { max_tokens: 5, model: 'vertex/claude-sonnet-5', messages: [{ role: 'user', content: 'Hi' }], extra: true });
    assert.equal(passed.status, 200, passed.text);
    const [first, second] = server.take().filter((record) => record.url === path);
    for (const record of [first, second]) {
      assert.ok(!('model' in record.body));
      assert.equal(record.body.anthropic_version, 'vertex-2023-10-16');
      hasHeaders(record, bearer('google-token'));
    }
    assert.deepEqual(second.body, { max_tokens: 5, anthropic_version: 'vertex-2023-10-16', messages: [{ role: 'user', content: 'Hi' }], extra: true });
    const stream = `${path.replace(':rawPredict', ':streamRawPredict')}`;
    server.answer(stream, { headers: { 'content-type': 'text/event-stream' }, body: [
      ['message_start', { message: { id: 'msg_1', type: 'message', role: 'assistant', model: 'm', content: [], stop_reason: null, usage: { input_tokens: 3, output_tokens: 0 } } }],
      ['content_block_start', { index: 0, content_block: { type: 'text', text: '' } }], ['content_block_delta', { index: 0, delta: { type: 'text_delta', text: 'hello' } }],
      ['content_block_stop', { index: 0 }], ['message_delta', { delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 2 } }], ['message_stop', {}],
    ].map(([event, data]) => `event: ${event}\ndata: ${JSON.stringify({ type: event, ...data })}\n\n`).join('') });
    const streamed = await post('/v1/messages', { max_tokens: 5, model: 'vertex/claude-sonnet-5', messages: [{ role: 'user', content: 'Hi' }], stream: true });
    assert.match(streamed.text, /hello/);
    assert.equal(server.take().at(-1).url, stream);
  });

  test('vertex: other models through the OpenAI layer', async () => {
    const path = '/v1/projects/the-project/locations/here/endpoints/openapi/chat/completions';
    server.answer(path, { body: replies.openai_chat });
    server.take();
    assert.equal((await chat('vertex/meta/llama-3.3-70b-instruct-maas')).status, 200);
    assert.equal(lastOf(path).body.model, 'meta/llama-3.3-70b-instruct-maas');
  });

  test('bedrock: a request is signed', async () => {
    const path = '/model/anthropic.claude-sonnet-5-v1%3A0/converse';
    server.answer(path, { body: replies.bedrock_converse });
    server.take();
    const reply = await chat('signed/anthropic.claude-sonnet-5-v1:0');
    assert.equal(reply.status, 200, reply.text);
    const record = lastOf(path);
    const keys = { accessKey: 'AKIDEXAMPLE', secretKey: 'aws-secret-77', sessionToken: 'aws-session-88', region: 'eu-central-1' };
    assert.equal(signatureFault(record, keys), undefined);
    server.answer('/model/refused/converse', { status: 403, headers: { 'x-amzn-errortype': 'InvalidSignatureException:' },
      body: { message: 'AKIDEXAMPLE: the canonical string was x-amz-security-token:aws-session-88' } });
    const refused = await chat('signed-refused');
    assert.ok(refused.status >= 500);
    for (const secret of ['AKIDEXAMPLE', 'aws-session-88']) assert.ok(!refused.text.includes(secret));
  });

  test('azure_openai: the older addresses, with a version of the configuration', async () => {
    const path = '/openai/deployments/dep-1/chat/completions?api-version=2026-01-01';
    server.answer(path, { body: replies.openai_chat });
    server.take();
    assert.equal((await chat('classic/dep-1')).status, 200);
    hasHeaders(lastOf(path), { 'api-key': kKey });
    const responses = '/openai/responses?api-version=2026-01-01';
    server.answer(responses, { body: { id: 'resp_1', object: 'response', created_at: 1, status: 'completed', model: 'dep-1', output: [], usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 } } });
    assert.equal((await post('/v1/responses', { model: 'classic/dep-1', input: 'Hi' })).status, 200);
    assert.equal(lastOf(responses).body.model, 'dep-1');
  });

  test('azure_openai: Entra tokens, by secret and federated', async () => {
    server.answer('/openai/v1/chat/completions', { body: replies.openai_chat });
    server.take();
    assert.equal((await chat('entra/m')).status, 200);
    assert.equal((await chat('federated/m')).status, 200);
    assert.equal((await chat('entra/m')).status, 200);
    const records = server.take();
    assert.deepEqual(records.map((record) => record.url), ['/entra-token', '/openai/v1/chat/completions', '/federated-token', '/openai/v1/chat/completions', '/openai/v1/chat/completions']);
    const form = Object.fromEntries(new URLSearchParams(records[0].raw));
    assert.deepEqual(form, { grant_type: 'client_credentials', client_id: 'client', client_secret: 'entra-secret-99', scope: 'https://cognitiveservices.azure.com/.default' });
    const federated = Object.fromEntries(new URLSearchParams(records[2].raw));
    assert.equal(federated.client_assertion, 'federated-jwt-66');
    assert.equal(federated.client_assertion_type, 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer');
    hasHeaders(records[1], bearer('entra-token'));
    hasHeaders(records[3], bearer('federated-token'));
  });

  test('no token: another target serves, and the caller hears nothing of it', async () => {
    server.answer('/v1/chat/completions', { body: replies.openai_chat });
    server.take();
    const reply = await chat('either');
    assert.equal(reply.status, 200, reply.text);
    assert.equal(reply.headers['x-switchyard-provider'], 'openai');
    const alone = await chat('no_token/m');
    assert.ok(alone.status >= 500 && !alone.text.includes('entra-secret-99'), alone.text);
    const records = server.take();
    assert.equal(records.filter((record) => record.url === '/no-token').length, 1, 'it is not asked again at once');
    assert.ok(!records.some((record) => record.url.startsWith('/openai/v1')), 'nothing is sent without a token');
  });
});
