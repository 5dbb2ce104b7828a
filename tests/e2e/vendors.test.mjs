// Requests as a caller writes them, to every provider with an OpenAI dialect of its own, which refuses what it is known to
// refuse: in its own dialect, in another, with calls and their results, and what becomes of its words of an error. Each
// row's address and credential are in providers.test.mjs; OpenAI, Anthropic, Gemini, Bedrock and Cohere in the matrix.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { openai } from './lib/clients.mjs';
import { Gateway } from './lib/gateway.mjs';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kUsage, openAiTools } from './lib/stand.mjs';
import { fetchRaw, test } from './lib/util.mjs';
import { AzureDeployments, TokenServer, VendorSimulator, VertexClaude, VertexGemini, vendors } from './lib/vendor_sims.mjs';

const kToken = 'ya29.token-of-the-server';
const sims = {}, config = { providers: {}, models: {} };
let gateway, client, tokens;

async function add(name, sim, provider) {
  sims[name] = await sim.start();
  config.providers[name] = { base_url: sim.baseUrl, ...provider };
  config.models[`${name}/*`] = { targets: [{ provider: name, model: '*' }] };
}

before(async () => {
  tokens = await new TokenServer(kToken).start();
  for (const [type, { model: _, ...options }] of Object.entries(vendors)) {
    const key = options.credential === null ? undefined : `key-of-${type}`;
    await add(type, new VendorSimulator({ key, ...options }), { type, ...(key && { api_key: key }) });
  }
  const azure = { credential: vendors.azure_openai.credential, max: 'max_completion_tokens' };
  await add('deployments', new AzureDeployments({ key: 'key-of-azure', ...azure }), { type: 'azure_openai', api_key: 'key-of-azure', deployment_urls: true });
  await add('entra', new VendorSimulator({ base: '/openai/v1', key: kToken, max: 'max_completion_tokens' }), {
    type: 'azure_openai', tenant_id: 'the-tenant', client_id: 'the-application', client_secret: 'its-secret+/=', token_url: tokens.url,
  });
  const vertex = { type: 'vertex', location: 'europe-west4', service_account: 'account.json', token_url: tokens.url };
  await add('vertex', new VertexGemini({ key: kToken }), vertex);
  await add('vertex-claude', new VertexClaude({ key: kToken }), vertex);
  config.provider_types = { lab: { extends: 'openai_compatible', auth: 'api_key', rewrite: true, own_fields: ['lab_mode'], quirks: { seed_field: 'lab_seed', refused: ['user', 'logit_bias'] } } };
  const own = ({ lab_mode: _, lab_seed: seed, ...body }) => ({ ...body, ...(seed && { seed }) });
  await add('lab', new VendorSimulator({ key: 'key-of-lab', base: '/v9', credential: azure.credential, refuses: ['user', 'logit_bias', 'seed'], own }), { type: 'lab', api_key: 'key-of-lab' });
  gateway = await Gateway.start(config, { files: { 'account.json': tokens.serviceAccount } });
  client = openai(gateway);
});
after(async () => {
  await gateway?.stop();
  await Promise.all(Object.values(sims).map((sim) => sim.stop()));
  await tokens.stop();
});

const clean = (name) => assert.deepEqual(sims[name].takeViolations(), []);
const droppedOf = (text) => (text ?? '').split(/,\s*/);

// `full`: with what some of them refuse, which passes through to those that do not.
async function ask(name, model, { full = false, more = {}, usage: wanted = true } = {}) {
  const sim = sims[name];
  sim.script(model, { usage: kUsage, chop: 9 });
  const body = {
    model: `${name}/${model}`, messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hi', ...(full && { name: 'ada' }) }],
    ...(full && { max_tokens: 50, seed: 7, user: 'u-1', stop: ['END'], frequency_penalty: 0.5, tools: openAiTools, parallel_tool_calls: true }), ...more,
  };
  const { data, response } = await client.chat.completions.create(body).withResponse();
  assert.equal(data.choices[0].message.content, plainText);
  assert.equal(response.headers.get('x-switchyard-provider'), name);
  let text = '', usage;
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true, ...(wanted && { stream_options: { include_usage: true } }) })) {
    text += chunk.choices[0]?.delta.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, plainText);
  if (wanted) assert.equal(usage?.prompt_tokens, 1000);
  return { sent: sim.of(model).at(-1), dropped: droppedOf(response.headers.get('x-switchyard-dropped')) };
}

for (const [name, vendor] of Object.entries(vendors)) {
  const { model } = vendor;

  test(`${name}: a request of its own dialect, whole and streamed`, async () => {
    // It passes through, and the provider has the last word; for these two, which refuse most, it is written anew.
    const { sent, dropped } = await ask(name, model, { full: ['mistral', 'groq'].includes(name), usage: name !== 'perplexity' });
    assert.equal(sent.body.model, model);
    if (name === 'mistral') assert.deepEqual([sent.body.random_seed, dropped.includes('user')], [7, true]);
    clean(name);
  });

  test(`${name}: a request of another dialect with what it refuses`, async () => {
    const sim = sims[name];
    sim.script(model, { usage: kUsage });
    const reply = await fetchRaw(`${gateway.url}/v1beta/models/${encodeURIComponent(`${name}/${model}`)}:generateContent`, { body: {
      systemInstruction: { parts: [{ text: 'Be brief.' }] }, contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
      // A stop sequence that is not obeyed would change the answer: what cannot take one refuses it.
      generationConfig: { maxOutputTokens: 50, seed: 7, ...(name !== 'xai' && { stopSequences: ['END'] }), frequencyPenalty: 0.5, temperature: 0.5 },
      ...(vendor.tools !== false && { tools: [{ functionDeclarations: [{ name: 'f', description: 'f', parametersJsonSchema: { type: 'object', properties: {} } }] }] }),
    } });
    assert.equal(reply.status, 200, reply.text);
    const { body } = sim.of(model).at(-1);
    assert.equal(body[vendor.max ?? 'max_tokens'], 50);
    const dropped = droppedOf(reply.headers['x-switchyard-dropped']);
    for (const [field, callers] of Object.entries({ seed: 'seed', ...(name !== 'xai' && { stop: 'stopSequences' }), frequency_penalty: 'frequencyPenalty' })) {
      const kept = field in body || (field === 'seed' && 'random_seed' in body);
      assert.ok(kept || dropped.some((text) => [field, callers, `generationConfig.${callers}`].includes(text)), `${field} is lost without a word: ${dropped}`);
    }
    clean(name);
  });

  if (vendor.tools !== false) {
    test(`${name}: calls and their results`, async () => {
      const sim = sims[name];
      sim.script(model, { text: [], tools: kCalls.map((call, i) => ({ ...call, id: `call0000${i}` })) }, { text: 'It is sunny.' });
      const body = { model: `${name}/${model}`, tools: openAiTools, ...(name !== 'ollama' && { tool_choice: 'auto' }) }, question = { role: 'user', content: 'Weather?' };
      const { message: { role, content, tool_calls } } = (await client.chat.completions.create({ ...body, messages: [question] })).choices[0];
      assert.deepEqual(tool_calls.map((call) => call.function.name), kCalls.map((call) => call.name));
      const results = tool_calls.map(({ id }) => ({ role: 'tool', tool_call_id: id, content: 'ok' }));
      const second = await client.chat.completions.create({ ...body, messages: [question, { role, content, tool_calls }, ...results] });
      assert.equal(second.choices[0].message.content, 'It is sunny.');
      clean(name);
    });
  }

  test(`${name}: its words of an error`, async () => {
    for (const status of name === 'mistral' ? [400, 422] : [400]) {
      sims[name].script(model, { fault: 'status', status, error: { message: 'the prompt is odd' } });
      await assert.rejects(client.chat.completions.create({ model: `${name}/${model}`, messages: [{ role: 'user', content: 'Hi' }] }), (error) => {
        assert.deepEqual([error.status, error.constructor.name], [400, 'BadRequestError'], error.message);
        assert.match(error.message, /the prompt is odd/);
        return true;
      });
    }
  });
}

test('mistral: ids of calls that were made elsewhere', async () => {
  const call = (id) => ({ id, type: 'function', function: { name: 'get_time', arguments: '{}' } });
  sims.mistral.script('mistral-small', {});
  const reply = await client.chat.completions.create({ model: 'mistral/mistral-small', tools: openAiTools, messages: [
    { role: 'user', content: 'Time?' }, { role: 'assistant', content: null, tool_calls: [call('toolu_01AbCdEf'), call('call_2')] },
    { role: 'tool', tool_call_id: 'call_2', content: '12:00' }, { role: 'tool', tool_call_id: 'toolu_01AbCdEf', content: '12:01' },
  ] });
  assert.equal(reply.choices[0].message.content, plainText);
  clean('mistral');
});

test('azure_openai with the deployment in the path', async () => {
  const { sent } = await ask('deployments', 'my-gpt-4o');
  assert.equal(sent.url, '/openai/deployments/my-gpt-4o/chat/completions?api-version=2024-10-21');
  clean('deployments');
});

test('azure_openai with an Entra application: one token a worker for many requests', async () => {
  await ask('entra', 'gpt-4o');
  const asked = tokens.requests.filter(({ form }) => form.grant_type === 'client_credentials').length;
  assert.ok(asked >= 1 && asked <= 2, `${asked} tokens`);
  clean('entra');
});

test('vertex: Gemini and Claude with a service account', async () => {
  await ask('vertex', 'gemini-2.0-flash', { full: true, more: { user: undefined } });
  clean('vertex');
  await ask('vertex-claude', 'claude-sonnet-4-5', { full: true });
  clean('vertex-claude');
  assert.deepEqual(tokens.violations, []);
});

test('a provider that the configuration alone describes', async () => {
  const { sent, dropped } = await ask('lab', 'lab-1', { full: true, more: { lab_mode: 'fast' } });
  assert.deepEqual([sent.body.lab_seed, sent.body.lab_mode], [7, 'fast']);
  assert.ok(dropped.includes('user'), `${dropped}`);
  clean('lab');
});
