// What is the same for every provider: error classes, request ids, base URLs, lists of models, clients that leave.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { bodies } from './lib/clients.mjs';
import { plainText } from './lib/simulator.mjs';
import { keys, startStand } from './lib/stand.mjs';
import { fetchRaw, sum, test, until, within } from './lib/util.mjs';

let stand;
const clients = {};
const slowly = { connect: '5s', first_token: '60s', between_tokens: '60s' };
before(async () => {
  stand = await startStand({ models: {
    'gpt-silent-*': { targets: [{ provider: 'openai' }], timeouts: slowly },
    'claude-silent-*': { targets: [{ provider: 'anthropic' }], timeouts: slowly },
    assistant: { targets: [{ provider: 'anthropic', model: 'claude-behind-a-name' }] },
    twice: { targets: [{ provider: 'openai', model: 'fails' }, { provider: 'anthropic', model: 'fails' }] },
    // One target each, so that one's failures do not eject the other's.
    ...Object.fromEntries(['failing', 'limited'].map((name) => [name, { targets: [{ provider: 'openai', model: name }] }])),
  } });
  Object.assign(clients, { openai: stand.openai(), anthropic: stand.anthropic(), anthropic0: stand.anthropic0() });
});
afterEach(() => stand.assertClean());
after(() => stand?.stop());

const names = ['openai', 'anthropic', 'anthropic0'];
const dialectOf = (name) => (name === 'openai' ? 'openai' : 'anthropic');
const call = (name, model, more = {}, options = {}, client = clients[name]) => {
  const body = bodies[dialectOf(name)](model, more);
  return name === 'openai' ? client.chat.completions.create(body, options) : client.messages.create(body, options);
};

async function rejection(promise) {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  return assert.fail('no error');
}

// What each SDK must throw. The type is where the SDK reads it from.
const typeOf = (name, error) => (name === 'openai' ? error.type : error.error.error.type);

for (const name of names) {
  const isOpenAi = name === 'openai';

  async function expectError(what, promise, status, className, openAiType, anthropicType, code) {
    const error = await rejection(promise);
    assert.ok(error.status, `${what}: ${error.stack}`);
    assert.equal(error.status, status, `${what}: ${error}`);
    assert.equal(error.constructor.name, className, what);
    assert.equal(typeOf(name, error), isOpenAi ? openAiType : anthropicType, what);
    if (isOpenAi && code) assert.equal(error.code, code, what);
    assert.ok(error.requestID, `${what}: no request id`);
    assert.ok(error.requestID === error.headers.get('x-request-id'), what);
    for (const secret of Object.values(keys)) assert.ok(!error.message.includes(secret), what);
    return error;
  }

  test(`${name} SDK: error classes`, async () => {
    const wrong = clients[name].withOptions({ apiKey: 'sk-wrong-key-000' });
    const limited = clients[name].withOptions({ apiKey: keys.limited });
    await expectError('a wrong key', call(name, 'gpt-x', {}, {}, wrong), 401, 'AuthenticationError', 'invalid_request_error', 'authentication_error', 'invalid_api_key');
    await expectError('a model that the key may not use', call(name, 'gpt-other', {}, {}, limited), 403, 'PermissionDeniedError', 'permission_error', 'permission_error');
    await expectError('an unknown model', call(name, 'no-such-model'), 404, 'NotFoundError', 'invalid_request_error', 'not_found_error', 'model_not_found');
    await expectError('a field of the wrong type', call(name, 'gpt-x', { stream: 'yes' }), 400, 'BadRequestError', 'invalid_request_error', 'invalid_request_error');
    const allowed = await call(name, 'gpt-allowed', {}, {}, limited);
    assert.ok(allowed.id);
  });

  test(`${name} SDK: error classes of what a provider does`, async () => {
    const { openai } = stand.sims;
    openai.script('failing', { fault: 'status', status: 500 });
    await expectError('500', call(name, 'failing'), 502, 'InternalServerError', 'upstream_error', 'api_error');
    openai.script('gpt-refuses', { fault: 'status', status: 400, error: { message: 'messages: too odd', param: 'messages', code: 'odd' } });
    const refusal = await expectError('400', call(name, 'gpt-refuses'), 400, 'BadRequestError', 'invalid_request_error', 'invalid_request_error');
    assert.match(refusal.message, /too odd/, 'the provider\'s own words');
    if (isOpenAi) assert.equal(refusal.param, 'messages');
  });

  test(`${name} SDK: a request id of the caller's own is kept`, async () => {
    const headers = { 'x-request-id': `mine-${name}.1` };
    const { response } = await call(name, 'gpt-id', {}, { headers }).withResponse();
    assert.equal(response.headers.get('x-request-id'), headers['x-request-id']);
    const line = await stand.gateway.logged(headers['x-request-id']);
    assert.equal(line.outcome, 'ok');
  });

  test(`${name} SDK: retries of its own succeed where the gateway had nothing left`, async () => {
    stand.sims.openai.script('limited', { fault: 'status', status: 429, headers: { 'retry-after': '1' } }, {});
    const client = clients[name].withOptions({ maxRetries: 2 });
    const reply = await within('the retried call', call(name, 'limited', {}, {}, client), 10_000);
    assert.ok(reply.id);
  });

  test(`${name} SDK: base URLs with and without their usual ends`, async () => {
    for (const end of ['', '/', '/v1', '/v1/', '/v1/v1', isOpenAi ? '/openai' : '/anthropic', isOpenAi ? '/openai/v1' : '/anthropic/v1']) {
      const client = clients[name].withOptions({ baseURL: stand.gateway.url + end });
      const reply = await call(name, 'gpt-base', {}, {}, client);
      assert.equal(isOpenAi ? reply.choices[0].message.content : reply.content[0].text, plainText, end);
      assert.ok((await client.models.list()).data.length > 0, end);
    }
    const error = await rejection(call(name, 'gpt-base', {}, {}, clients[name].withOptions({ baseURL: `${stand.gateway.url}/v2` })));
    assert.equal(error.constructor.name, 'NotFoundError');
  });

  test(`${name} SDK: the list of models holds what the key may use`, async () => {
    const ids = [];
    for await (const model of clients[name].models.list()) ids.push(model.id);
    // Patterns are no names that one could ask for.
    assert.deepEqual(ids.sort(), ['assistant', 'failing', 'limited', 'local', 'twice']);
    assert.equal((await clients[name].models.retrieve('local')).id, 'local');
    assert.equal((await rejection(clients[name].models.retrieve('no-such-model'))).constructor.name, 'NotFoundError');
    const limited = clients[name].withOptions({ apiKey: keys.limited });
    assert.deepEqual((await limited.models.list()).data, []);
    assert.equal((await limited.models.retrieve('gpt-allowed')).id, 'gpt-allowed');
    assert.equal((await rejection(limited.models.retrieve('local'))).constructor.name, 'NotFoundError');
  });

  for (const upstream of ['gpt', 'claude']) {
    for (const [what, fault, stream] of [
      ['before the provider says anything', 'silence', false], ['before the provider says anything, streaming', 'silence', true],
      ['before the first content of a stream', 'stall', true], ['within a whole reply', 'stall', false], ['within a stream', 'stall-later', true],
    ]) {
      test(`${name} SDK: who leaves ${what} is left by the gateway too (${upstream})`, async () => {
        const sim = upstream === 'gpt' ? stand.sims.openai : stand.sims.anthropic;
        const model = `${upstream}-silent-${name}-${fault}-${stream}`;
        sim.script(model, fault === 'stall-later' ? { fault: 'stall', content: true } : { fault });
        const abort = new AbortController();
        let text = '';
        const running = (async () => {
          const reply = await call(name, model, { ...(stream && { stream: true }) }, { signal: abort.signal });
          for await (const item of reply) {
            text += item.choices?.[0]?.delta?.content ?? item.delta?.text ?? '';
            if (text === 'Hello, ') { sim.saw(model); abort.abort(); }
          }
        })().catch((error) => error);
        const record = await until('the provider has the request', () => sim.of(model)[0]);
        if (fault !== 'stall-later') abort.abort();
        await within('the SDK ends the call', running);
        await within('the gateway closes the connection to the provider', record.gone, 1000);
        assert.ok(record.closedEarly);
        if (fault === 'stall-later') assert.equal(text, 'Hello, ');
      });
    }
  }
}

test('clients that left are counted as cancelled, and nothing of theirs stays open', async () => {
  await until('no open requests', async () => {
    const samples = await stand.gateway.metrics();
    return sum(samples, 'switchyard_open_requests') === 0 && sum(samples, 'switchyard_upstream_connections', { state: 'in_use' }) === 0;
  });
  assert.equal(sum(await stand.gateway.metrics(), 'switchyard_requests_total', { outcome: 'cancelled' }), 30);
});

test('a name of the configuration stands for the provider\'s', async () => {
  const chat = await clients.openai.chat.completions.create(bodies.openai('assistant'));
  assert.equal(stand.sims.anthropic.of('claude-behind-a-name').length, 1);
  assert.equal(chat.model, 'assistant');
});

test('an outage is not multiplied: when the gateway has tried all targets, the SDKs do not try again', async () => {
  const { openai, anthropic } = stand.sims;
  for (const sim of [openai, anthropic]) sim.script('fails', { fault: 'status', status: 500 });
  for (const name of names) {
    const seen = [openai.of('fails').length, anthropic.of('fails').length];
    const error = await rejection(call(name, 'twice', {}, {}, clients[name].withOptions({ maxRetries: 2 })));
    assert.deepEqual([error.status, error.headers.get('x-should-retry'), error.headers.get('x-switchyard-attempts')], [502, 'false', '2']);
    assert.deepEqual([openai.of('fails').length, anthropic.of('fails').length], [seen[0] + 1, seen[1] + 1]);
  }
});

test('a key is taken from any of its usual places', async () => {
  const ask = (headers, query = '') => fetchRaw(`${stand.gateway.url}/v1/chat/completions${query}`, { headers, body: bodies.openai('gpt-key') });
  for (const headers of [{ authorization: `Bearer ${keys.client}` }, { authorization: `bearer ${keys.client}` }, { 'x-api-key': keys.client }, { 'api-key': keys.client }]) {
    assert.equal((await ask(headers)).status, 200, JSON.stringify(headers));
  }
  for (const headers of [{}, { authorization: keys.client }, { authorization: `Basic ${keys.client}` }, { 'x-api-key': `${keys.client} ` + 'x' }, { authorization: `Bearer ${keys.openai}` }]) {
    const reply = await ask(headers);
    assert.equal(reply.status, 401, JSON.stringify(headers));
    assert.equal(reply.json.error.code, 'invalid_api_key');
  }
});
