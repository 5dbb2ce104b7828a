// Embeddings with the unmodified openai SDK: from every kind of provider that has them, as numbers and as base64. And
// Mistral's SDK, whose dialect is OpenAI's.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { Mistral } from '@mistralai/mistralai';
import { CohereSimulator } from './lib/cohere_sim.mjs';
import { plainText } from './lib/simulator.mjs';
import { keys, lastBody, startStand } from './lib/stand.mjs';
import { fetchRaw, test } from './lib/util.mjs';

const kCohereKey = 'co-provider-2f7a';
let stand, cohere, client;
before(async () => {
  cohere = await new CohereSimulator({ key: kCohereKey, forbidden: Object.values(keys) }).start();
  stand = await startStand({
    providers: { cohere: { type: 'cohere', api_key: kCohereKey, base_url: cohere.baseUrl } },
    models: { 'text-embedding-*': { targets: [{ provider: 'openai' }] }, 'embed-*': { targets: [{ provider: 'cohere' }] } },
  });
  client = stand.openai();
});
afterEach(() => stand.assertClean());
after(async () => {
  await stand?.stop();
  await cohere.stop();
});

// No rounding: all of them are halves of halves.
const kVectors = [[0.5, -0.25, 3], [1, 2, -0.125]];

for (const [upstream, model] of Object.entries({ openai: 'text-embedding-3-small', gemini: 'gemini-embedding-001', rack: 'rack-embed', cohere: 'embed-v4.0' })) {
  const sim = () => (upstream === 'cohere' ? cohere : stand.sims[upstream]);

  test(`embeddings of ${upstream}: by default (base64 on the wire), as numbers, and as base64`, async () => {
    sim().script(model, { vectors: kVectors, usage: { input: 9, output: 0, cached: 0, written: 0, reasoning: 0 } });
    for (const encoding_format of [undefined, 'float']) {
      const reply = await client.embeddings.create({ model, input: ['one', 'two'], ...(encoding_format && { encoding_format }) });
      assert.deepEqual(reply.data.map(({ object, index, embedding }) => [object, index, [...embedding]]), kVectors.map((vector, index) => ['embedding', index, vector]));
      assert.equal(reply.object, 'list');
      assert.equal(typeof reply.usage.prompt_tokens, 'number');
    }
    const raw = await fetchRaw(`${stand.gateway.url}/v1/embeddings`, { headers: { authorization: `Bearer ${keys.client}` }, body: { model, input: ['one', 'two'], encoding_format: 'base64' } });
    const decoded = raw.json.data.map(({ embedding }) => [...new Float32Array(new Uint8Array(Buffer.from(embedding, 'base64')).buffer)]);
    assert.deepEqual(decoded, kVectors);
    assert.match(JSON.stringify(lastBody(sim(), model)), /one.*two/);
  });
}

test('embeddings of the bundled model have the length one', async () => {
  const { data } = await client.embeddings.create({ model: 'local', input: 'A fox.' });
  const norm = Math.hypot(...data[0].embedding);
  assert.ok(Math.abs(norm - 1) < 1e-3, `${norm}`);
});

test('embeddings: errors', async () => {
  const refuses = (body, status, name) => assert.rejects(client.embeddings.create(body), (error) => {
    assert.deepEqual([error.status, error.constructor.name], [status, name], error.message);
    return true;
  });
  await refuses({ model: 'no-such-model', input: 'x' }, 404, 'NotFoundError');
  await refuses({ model: 'text-embedding-3-small', input: {} }, 400, 'BadRequestError');
  await refuses({ model: 'claude-has-none', input: 'x' }, 400, 'BadRequestError');
});

test('mistral SDK: an answer, a stream, and models', async () => {
  const mistral = new Mistral({ apiKey: keys.client, serverURL: stand.gateway.url });
  const messages = [{ role: 'user', content: 'Hi' }];
  for (const model of ['gpt-4o-mistral', 'claude-sonnet-4-5-mistral', 'gemini-2.0-flash-mistral']) {
    const { choices } = await mistral.chat.complete({ model, messages });
    assert.equal(choices[0].message.content, plainText);
    // OpenAI's own stream, which passes through, has `usage: null`, and this SDK does not read that.
    if (model.startsWith('gpt')) continue;
    let text = '';
    for await (const { data } of await mistral.chat.stream({ model, messages })) text += data.choices[0]?.delta.content ?? '';
    assert.equal(text, plainText);
  }
});
