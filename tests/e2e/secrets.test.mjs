// No key ever shows, and no request ever goes where the configuration does not say.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before } from 'node:test';
import { AnthropicSimulator } from './lib/anthropic_sim.mjs';
import { askRaw, askSdk, bodies } from './lib/clients.mjs';
import { Gateway } from './lib/gateway.mjs';
import { OpenAiSimulator } from './lib/openai_sim.mjs';
import { plainText } from './lib/simulator.mjs';
import { exchangeRaw, fetchRaw, test } from './lib/util.mjs';

// Each is looked for whole and by its second half, so that a shortened form is found too.
const secrets = {
  client: 'swy-client-Qx7Vb2Lm9KzTPw4R', hashed: 'swy-hashed-Jd8Yn3Hc6FsGEu1A', wrong: 'swy-wrong-Mb5Ct0Xe2WqZIv9S',
  openai: 'sk-proj-Rk4Un8Fo1NaDLy6B', anthropic: 'tenant-4711-Gt9Wp5Zi7VhXQj3C', unused: 'sk-unused-Ew1Sm6Bd4KcRTf0U',
};
const needles = Object.values(secrets).flatMap((secret) => [secret, secret.slice(-12)]);

const dialects = ['openai', 'anthropic'];
const sims = {}, visible = [];
let gateway, canary, canaryPort;
const canaryHeard = [];

function configText(extra = '') {
  const policy = 'timeouts: { connect: 2s, first_token: 5s, between_tokens: 5s }, retry: { budget: 100% }';
  const targets = (...list) => `{ targets: [ ${list.map(([provider, model]) => `{ provider: ${provider}${model ? `, model: ${model}` : ''} }`).join(', ')} ], ${policy} }`;
  const models = { 'gpt-*': targets(['openai']), 'claude-*': targets(['anthropic']), local: targets(['here', 'mini']), '*': targets(['openai', 'star']) };
  for (const status of [400, 401, 403, 404, 429, 500]) {
    for (const dialect of dialects) {
      models[`echo-${status}-${dialect}`] = targets([dialect, `echo-${status}-alone`]);
      models[`echo-${status}-${dialect}-two`] = targets([dialect, `echo-${status}-two`], [dialect === 'openai' ? 'anthropic' : 'openai', 'second']);
    }
  }
  for (const dialect of dialects) {
    models[`frame-${dialect}`] = targets([dialect, 'echo-frame']);
    models[`late-frame-${dialect}`] = targets([dialect, 'echo-late-frame']);
    for (const status of [301, 302, 303, 307, 308]) models[`moved-${status}-${dialect}`] = targets([dialect, `moved-${status}`]);
  }
  return `version: 1
server: { listen: "\${LISTEN}", admin: "\${ADMIN}", workers: 2 }
telemetry: { logs: trace }
providers:
  openai: { type: openai, api_key: "\${OPENAI_SECRET}", base_url: "${sims.openai.baseUrl}" }
  anthropic: { type: anthropic, api_key: "\${file:anthropic.key}", base_url: "${sims.anthropic.baseUrl}" }
  unused: { type: openai, api_key: ${secrets.unused}, base_url: "http://127.0.0.1:1/v1" }
  here: { type: local, models: { mini: bundled } }
keys:
  - { name: app, secret: ${secrets.client} }
  - { name: hashed, secret: "\${HASHED_SECRET}", models: [ "gpt-*" ] }
models:
${Object.entries(models).map(([name, model]) => `  "${name}": ${model}\n`).join('')}${extra}`;
}

before(async () => {
  canary = net.createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => { canaryHeard.push(bytes.toString()); socket.destroy(); });
    canaryHeard.push('a connection');
  });
  await new Promise((resolve) => canary.listen(0, '127.0.0.1', resolve));
  canaryPort = canary.address().port;
  const others = (own) => Object.entries(secrets).filter(([name]) => name !== own).map(([, value]) => value);
  sims.openai = await new OpenAiSimulator({ key: secrets.openai, forbidden: others('openai') }).start();
  sims.anthropic = await new AnthropicSimulator({ key: secrets.anthropic, forbidden: others('anthropic') }).start();
  for (const dialect of dialects) {
    const message = `refused for ${secrets[dialect]} (Authorization: Bearer ${secrets[dialect]}), see http://host/?key=${secrets[dialect]}`;
    for (const status of [400, 401, 403, 404, 429, 500]) {
      // With the words that go with keys, and bare.
      const words = status === 404 ? `no such model for ${secrets[dialect]}` : message;
      const behaviour = { fault: 'status', status, error: { message: words, param: secrets[dialect], code: secrets[dialect] } };
      for (const end of ['alone', 'two']) sims[dialect].script(`echo-${status}-${end}`, behaviour);
    }
    sims[dialect].script('echo-frame', { fault: 'error_frame', message: `failed for ${secrets[dialect]}` });
    sims[dialect].script('echo-late-frame', { fault: 'error_frame', content: true, message });
    for (const status of [301, 302, 303, 307, 308]) {
      sims[dialect].script(`moved-${status}`, { fault: 'redirect', status, location: `http://127.0.0.1:${canaryPort}/v1/chat/completions` });
    }
  }
  const proxy = `http://127.0.0.1:${canaryPort}`;
  gateway = await Gateway.start(configText(), {
    files: { 'anthropic.key': `${secrets.anthropic}\n` },
    env: {
      OPENAI_SECRET: secrets.openai, HASHED_SECRET: secrets.hashed,
      http_proxy: proxy, HTTP_PROXY: proxy, https_proxy: proxy, HTTPS_PROXY: proxy, ALL_PROXY: proxy,
    },
  });
});

after(async () => {
  await gateway?.kill();
  for (const sim of Object.values(sims)) await sim.stop();
  canary.close();
});

function keep(outcome) {
  visible.push(JSON.stringify({ ...outcome, error: undefined }));
  return outcome;
}

const ask = async (dialect, model, options = {}) => keep(await askRaw(dialect, gateway, model, { key: secrets.client, ...options }));

test('varied traffic: right, wrong, refused, and refused with the key in the provider\'s words', async () => {
  for (const dialect of dialects) {
    for (const stream of [false, true]) {
      for (const model of ['gpt-a', 'claude-a', 'local']) assert.equal((await ask(dialect, model, { stream })).ended, 'complete', model);
      assert.equal((await ask(dialect, 'gpt-a', { stream, key: secrets.hashed })).status, 200);
      assert.equal((await ask(dialect, 'claude-a', { stream, key: secrets.hashed })).status, 403);
      assert.equal((await ask(dialect, 'gpt-a', { stream, key: secrets.wrong })).status, 401);
      for (const upstream of dialects) {
        for (const status of [400, 401, 403, 404, 429, 500]) {
          assert.notEqual((await ask(dialect, `echo-${status}-${upstream}`, { stream })).status, 200);
          const two = await ask(dialect, `echo-${status}-${upstream}-two`, { stream });
          assert.equal(two.status, [400, 404].includes(status) ? status : 200, `${status} ${upstream} ${two.raw}`);
        }
        assert.notEqual((await ask(dialect, `frame-${upstream}`, { stream })).ended, 'complete');
        const onText = (text) => { if (text === 'Hello, ') sims[upstream].saw('echo-late-frame'); };
        assert.equal((await ask(dialect, `late-frame-${upstream}`, { stream, onText })).ended, 'error');
      }
      keep(await askSdk(dialect, gateway, `echo-401-openai`, { stream, key: secrets.client }));
    }
  }
  // Keys in other places, and where they do not belong.
  const body = bodies.openai('gpt-a');
  for (const [target, headers] of [
    [`/v1/chat/completions?key=${secrets.client}`, {}], [`/v1/chat/completions?key=${secrets.wrong}`, {}],
    ['/v1/chat/completions', { 'x-api-key': secrets.client, 'api-key': secrets.wrong, cookie: `session=${secrets.wrong}` }],
    ['/v1/chat/completions', { authorization: `Bearer ${secrets.client}`, 'x-api-key': secrets.hashed, 'proxy-authorization': `Bearer ${secrets.wrong}` }],
    [`/v1/models/${secrets.wrong}`, { authorization: `Bearer ${secrets.wrong}` }],
    [`/no/${secrets.wrong}?key=${secrets.client}`, {}],
  ]) keep(await fetchRaw(gateway.url + target, { headers, ...(target.includes('chat') && { body }) }));
  for (const text of ['{"model":"gpt-a"', 'nonsense', `{"model":5,"key":"${secrets.client}"}`]) {
    keep(await fetchRaw(`${gateway.url}/v1/chat/completions`, { headers: { authorization: `Bearer ${secrets.client}` }, body: text }));
  }
});

test('headers of the caller stay here: no key, no cookie, nothing but what the dialect allows', async () => {
  const headers = {
    authorization: `Bearer ${secrets.client}`, 'x-api-key': secrets.client, 'api-key': secrets.client, 'x-goog-api-key': secrets.client,
    cookie: `a=${secrets.client}`, 'x-forwarded-for': '10.0.0.1', 'x-custom': 'kept here', traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    'accept-encoding': 'gzip, br', origin: 'https://example.com', referer: 'https://example.com/', te: 'trailers', range: 'bytes=0-10', 'x-stainless-lang': 'js',
    'proxy-authorization': 'Basic YTpi', 'if-none-match': '"x"',
  };
  for (const dialect of dialects) {
    for (const model of ['gpt-h', 'claude-h', 'echo-500-openai-two', 'echo-500-anthropic-two']) {
      const outcome = await ask(dialect, model, { headers });
      assert.equal(outcome.text, plainText);
    }
  }
  const named = await ask('openai', 'gpt-org', { headers: { 'openai-organization': 'org-1', 'idempotency-key': 'idem-1' } });
  assert.equal(named.status, 200);
  const { headers: upstream } = sims.openai.of('gpt-org')[0];
  assert.deepEqual([upstream['openai-organization'], upstream['idempotency-key']], ['org-1', 'idem-1']);
  for (const dialect of dialects) assert.deepEqual(sims[dialect].takeViolations(), []);
});

test('redirects are not followed', async () => {
  for (const dialect of dialects) {
    for (const upstream of dialects) {
      for (const status of [301, 302, 303, 307, 308]) assert.equal((await ask(dialect, `moved-${status}-${upstream}`)).ended, 'error');
    }
  }
  assert.deepEqual(canaryHeard, []);
});

test('nothing that a caller sends changes where the request goes', async () => {
  const away = `http://127.0.0.1:${canaryPort}/v1`;
  const host = `127.0.0.1:${canaryPort}`;
  for (const name of ['host', 'x-forwarded-host', 'x-portkey-custom-host', 'x-portkey-config', 'x-portkey-provider', 'x-litellm-api-base', 'helicone-target-url',
    'x-base-url', 'x-target-url', 'x-upstream', 'x-original-url', 'x-rewrite-url', 'x-envoy-original-dst-host', 'cf-aig-custom-host', 'forwarded']) {
    for (const [dialect, model] of [['openai', 'gpt-r'], ['anthropic', 'gpt-r'], ['openai', 'claude-r']]) {
      const outcome = await ask(dialect, model, { headers: { [name]: name === 'host' ? host : away } });
      assert.equal(outcome.text, plainText, name);
    }
  }
  const fields = ['api_base', 'base_url', 'apiBase', 'baseURL', 'custom_host', 'endpoint', 'provider', 'fallbacks', 'route', 'litellm_params', 'extra_headers'];
  for (const field of fields) {
    for (const [dialect, model] of [['openai', 'gpt-f'], ['openai', 'claude-f'], ['anthropic', 'gpt-f'], ['anthropic', 'claude-f'], ['openai', 'local']]) {
      const value = field === 'fallbacks' ? [{ model: 'gpt-f', api_base: away }] : field === 'litellm_params' || field === 'extra_headers' ? { host, api_base: away } : away;
      const { status } = await ask(dialect, model, { more: { [field]: value } });
      assert.ok(status === 200 || status === 400, `${field}: ${status}`);
    }
  }
  // A name that looks like an address is a name: the pattern "*" takes it.
  for (const model of [away, `//${host}/`, `@${host}`, `x\r\nHost: ${host}`, '../../admin']) assert.equal((await ask('openai', model)).status, 200, model);
  assert.deepEqual(canaryHeard, []);
});

test('request targets of a proxy, and paths that climb, lead nowhere else', async () => {
  const body = JSON.stringify(bodies.openai('gpt-t'));
  const send = (line, extra = '') => exchangeRaw(gateway.port, `${line}\r\nHost: 127.0.0.1:${canaryPort}\r\nAuthorization: Bearer ${secrets.client}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n${extra}Connection: close\r\n\r\n${body}`);
  for (const target of [`http://127.0.0.1:${canaryPort}/v1/chat/completions`, `//127.0.0.1:${canaryPort}/v1/chat/completions`, '/v1/../v1/chat/completions',
    `/v1/chat/completions/../../http://127.0.0.1:${canaryPort}`, `http://127.0.0.1:${canaryPort}`, '*', `/v1/chat/completions@127.0.0.1:${canaryPort}`]) {
    const reply = await send(`POST ${target} HTTP/1.1`);
    visible.push(reply);
    assert.match(reply, /^HTTP\/1\.1 (200|400|404|405|421) /, target);
  }
  const tunnel = await send(`CONNECT 127.0.0.1:${canaryPort} HTTP/1.1`);
  assert.match(tunnel, /^HTTP\/1\.1 (400|404|405|501) /);
  assert.deepEqual(canaryHeard, []);
});

test('no address in a conversation is fetched', async () => {
  const url = `https://127.0.0.1:${canaryPort}/cat.png`;
  const openAiImage = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url } }, { type: 'text', text: 'x' }] }] };
  const anthropicImage = { messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'url', url } }, { type: 'text', text: 'x' }] }] };
  for (const model of ['gpt-i', 'claude-i', 'local']) {
    await ask('openai', model, { more: openAiImage });
    await ask('anthropic', model, { more: anthropicImage });
  }
  assert.deepEqual(canaryHeard, []);
});

test('a bad reload does not show the secrets that stand where something is wrong', async () => {
  for (const bad of [`keyz: [ ${secrets.client} ]\n`, `models_: ${secrets.openai}\n`, `telemetry: { logs: ${secrets.anthropic} }\n`, `server: ${secrets.client}\n`]) {
    await gateway.write(configText(bad));
    const reply = await gateway.reload();
    assert.notEqual(reply.status, 200);
    visible.push(reply.text);
  }
  await gateway.write(configText().replace(`api_key: ${secrets.unused}`, `api_key: [ ${secrets.unused} ]`));
  visible.push((await gateway.reload()).text);
  await gateway.write(configText());
  assert.equal((await gateway.reload()).status, 200);
});

test('no key in any log, metric, admin page or reply, nor at a provider that it is not for', async () => {
  for (const page of ['/metrics', '/admin/providers', '/livez', '/readyz', '/healthz', '/']) {
    const { text } = await fetchRaw(gateway.admin + page);
    visible.push(text);
  }
  await gateway.stop();
  assert.ok(gateway.accessLog.length > 100, 'the traffic has been logged');
  const places = { stdout: gateway.stdout, stderr: gateway.stderr, replies: visible.join('\n') };
  // The search finds what is there.
  assert.ok(`x ${secrets.client}`.includes(needles[0]) && places.replies.includes(plainText));
  const found = [];
  for (const [place, text] of Object.entries(places)) {
    for (const line of text.split('\n')) {
      const needle = needles.find((each) => line.includes(each));
      if (needle) found.push(`${place}: ${line.slice(Math.max(0, line.indexOf(needle) - 90), line.indexOf(needle) + 60)}`);
    }
  }
  assert.deepEqual([...new Set(found)], []);
  for (const dialect of dialects) {
    const violations = sims[dialect].takeViolations().filter((text) => !/Unrecognized request argument|Extra inputs/.test(text));
    assert.deepEqual(violations, []);
  }
  assert.deepEqual(canaryHeard, []);
});
