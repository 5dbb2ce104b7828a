// Configuration from outside: check, refusals with their places, the three ways to reload, keys, metrics, the access log.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { askRaw } from './lib/clients.mjs';
import { Gateway, runBinary } from './lib/gateway.mjs';
import { OpenAiSimulator } from './lib/openai_sim.mjs';
import { fetchRaw, readEvents, sum, test, until } from './lib/util.mjs';

const kGood = `version: 1
providers:
  far: { type: openai, api_key: "\${THE_KEY}", base_url: "http://127.0.0.1:9/v1" }
models:
  assistant:
    targets: [ { provider: far, model: gpt-4o } ]
`;

// What is wrong, where, and what is said: each replaces a text of the good file.
const kWrong = {
  'an unknown field': ['targets:', 'targts:', /:6:5: .*targts.*did you mean "targets"\?/],
  'an unknown provider type': ['type: openai', 'type: opnai', /:3:16: .*opnai.*did you mean "openai"\?/],
  'a target without provider': ['provider: far', 'provider: fra', /:6:28: .*fra.*did you mean "far"\?/],
  'a wrong type': ['version: 1', 'version: one', /:1:10: .*version/],
  'a field of the wrong kind': ['targets: [ { provider: far, model: gpt-4o } ]', 'targets: far', /:6:14: .*targets.* list/],
  'a missing variable': ['THE_KEY', 'NOT_SET', /:3:33: .*NOT_SET/],
  'a missing file': ['${THE_KEY}', '${file:none.txt}', /:3:33: .*none\.txt/],
  'no YAML': ['models:', 'models: [', /:\d+:\d+: /],
  'a feature of later': ['models:', 'telemetry: { otlp: x }\nmodels:', /:4:14: .*otlp.*not supported/],
  'a cycle of fallbacks': ['assistant:', 'assistant:\n    fallbacks: { failure: assistant }', /:6:27: a cycle of fallbacks/],
  'a signal that is none': ['models:', 'quality: { signals: { refusals: {} } }\nmodels:', /:4:23: .*refusals.*did you mean "refusal"\?/],
};

let folder, sim;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchyard-e2e-'));
  sim = await new OpenAiSimulator({ key: 'sk-provider' }).start();
});
after(async () => {
  await sim?.stop();
  await rm(folder, { recursive: true, force: true });
});

async function run(command, text, env = { THE_KEY: 'sk-secret-of-the-file' }) {
  const file = path.join(folder, 'config.yaml');
  await writeFile(file, text);
  const result = await runBinary([command, '--config', file], { env });
  return { ...result, output: result.stdout + result.stderr, file };
}

test('check takes a good file', async () => {
  const { code, output } = await run('check', kGood);
  assert.equal(code, 0, output);
});

test('check takes every example', async () => {
  const examples = new URL('../../config/examples/', import.meta.url).pathname;
  const env = { ANTHROPIC_API_KEY: 'a', OPENAI_API_KEY: 'b', TEAM_A_KEY: 'c' };
  for (const name of await readdir(examples)) {
    const { code, stdout, stderr } = await runBinary(['check', '--config', path.join(examples, name)], { env });
    assert.equal(code, 0, `${name}: ${stdout}${stderr}`);
  }
});

for (const [what, [from, to, expected]] of Object.entries(kWrong)) {
  test(`check and serve refuse ${what}, with its place`, async () => {
    assert.ok(kGood.includes(from));
    for (const command of ['check', 'serve']) {
      const { code, output, file } = await run(command, kGood.replace(from, to));
      assert.equal(code, 1, `${command}: ${output}`);
      const lines = output.split('\n').filter((line) => line.startsWith(`${file}:`)).map((line) => line.slice(file.length));
      assert.ok(lines.some((line) => expected.test(line)), `${command}: ${output}`);
      assert.ok(!output.includes('sk-secret-of-the-file'));
    }
  });
}

test('check shows every problem at once', async () => {
  const { output, file } = await run('check', kGood.replace('type: openai', 'type: opnai').replace('targets:', 'targts:').replace('version: 1', 'version: 2'));
  assert.ok(output.split('\n').filter((line) => line.startsWith(file)).length >= 3, output);
});

test('exit codes of the command line', async () => {
  assert.equal((await runBinary([])).code, 2);
  assert.equal((await runBinary(['no-such-command'])).code, 2);
  assert.equal((await runBinary(['check'])).code, 2);
  assert.equal((await runBinary(['serve', '--no-such-option'])).code, 2);
  assert.equal((await runBinary(['check', '--config', path.join(folder, 'none.yaml')])).code, 1);
  const { code, stdout } = await runBinary(['version']);
  assert.equal(code, 0);
  assert.match(stdout, /^switchyard \d+\.\d+/);
});

test('serve refuses an address that is taken', async () => {
  const text = `${kGood}server: { listen: "127.0.0.1:${sim.port}", admin: "127.0.0.1:0" }\n`;
  const { code, output } = await run('serve', text);
  assert.equal(code, 1, output);
  assert.match(output, new RegExp(`${sim.port}`));
});

// The model that a configuration sends `assistant` to tells which one serves.
const config = (target, more = '') => `version: 1
server: { listen: "\${LISTEN}", admin: "\${ADMIN}", workers: 2 }
providers:
  far: { type: openai, api_key: sk-provider, base_url: "${sim.baseUrl}" }
models:
  assistant: { targets: [ { provider: far, model: ${target} } ] }
${more}`;

async function served(gateway, expected) {
  const reply = await askRaw('openai', gateway, 'assistant');
  assert.equal(reply.status, 200, reply.raw);
  return reply.headers['x-switchyard-model'] === expected && reply.headers['x-switchyard-config'];
}

test('SIGHUP, a changed file and POST /admin/reload each swap the configuration; a bad one changes nothing', async () => {
  const gateway = await Gateway.start(config('one'));
  try {
    const counts = async (result) => sum(await gateway.metrics(), 'switchyard_config_reloads_total', { result });
    const ok = async () => sum(await gateway.metrics(), 'switchyard_config_last_reload_successful');
    const first = await served(gateway, 'one');
    assert.ok(first);

    // An open stream ends under the configuration that it began with.
    sim.script('one', { fault: 'wait_and_finish', patience_ms: 60_000 });
    let reached;
    const begun = new Promise((resolve) => { reached = resolve; });
    const streaming = askRaw('openai', gateway, 'assistant', { stream: true, onText: () => reached() });
    await begun;

    await gateway.write(config('two'));
    await until('the changed file serves', () => served(gateway, 'two'), 10_000);
    await gateway.write(config('three'));
    gateway.hangUp();
    await until('SIGHUP serves', () => served(gateway, 'three'), 10_000);
    await gateway.write(config('four'));
    const reply = await gateway.reload();
    assert.equal(reply.status, 200, reply.text);
    const fourth = await served(gateway, 'four');
    assert.ok(fourth && fourth !== first, 'POST /admin/reload answers when the new configuration serves');
    const accepted = await counts('accepted');
    assert.ok(accepted >= 3, `accepted ${accepted}`);
    assert.equal(await counts('refused'), 0);

    assert.equal(sim.of('one').at(-1).closedEarly, false, 'a reload closed an open stream');

    await gateway.write(config('five', 'keyz: []\n'));
    const refusal = await gateway.reload();
    assert.ok(refusal.status >= 400 && refusal.status < 500, `${refusal.status}`);
    assert.match(refusal.text, /:7:1: .*keyz.*did you mean/);
    assert.ok(await served(gateway, 'four') === fourth, 'the old configuration serves on');
    await until('the refusal is counted', async () => (await counts('refused')) >= 1);
    assert.equal(await ok(), 0);
    const line = await until('the refusal is logged', () => gateway.log.find((each) => each.line === 7 && each.column === 1));
    assert.ok(line.level === 'error' && line.file === gateway.file && line.message.includes('keyz'), JSON.stringify(line));

    const refused = await counts('refused');
    gateway.hangUp();
    await until('SIGHUP is refused as well', async () => (await counts('refused')) > refused);
    assert.ok(await served(gateway, 'four'));

    await gateway.write(config('six'));
    await until('a good file is taken again', () => served(gateway, 'six'), 10_000);
    assert.equal(await ok(), 1);
    // The file that is gone is a refusal too.
    await rm(gateway.file);
    assert.notEqual((await gateway.reload()).status, 200);
    assert.ok(await served(gateway, 'six'));
    await gateway.write(config('six'));

    sim.saw('one');
    assert.equal((await streaming).ended, 'complete');
    await gateway.stop();
  } finally {
    await gateway.kill();
  }
});

test('a secret in a file is read again when that changes', async () => {
  const secret = path.join(folder, 'team.key');
  await writeFile(secret, 'first-secret\n');
  const gateway = await Gateway.start(config('k', `keys: [ { name: team, secret: "\${file:${secret}}" } ]\n`));
  try {
    const status = async (key) => (await askRaw('openai', gateway, 'assistant', { key })).status;
    assert.deepEqual([await status('first-secret'), await status('second-secret')], [200, 401]);
    await writeFile(secret, 'second-secret\n');
    await until('the new secret is taken', async () => (await status('second-secret')) === 200, 10_000);
    assert.equal(await status('first-secret'), 401);
  } finally {
    await gateway.stop();
  }
});

test('keys by their hash, and the models of a key', async () => {
  const hash = createHash('sha256').update('the-secret').digest('hex');
  const gateway = await Gateway.start(config('k', `  other: { targets: [ { provider: far } ] }
  "gpt-*": { targets: [ { provider: far } ] }
keys:
  - { name: all, secret: "sha256:${hash}" }
  - { name: some, secret: plain-secret, models: [ other, "gpt-*" ] }
`));
  try {
    const ask = async (model, key, dialect = 'openai') => {
      const { status, type } = await askRaw(dialect, gateway, model, { key });
      return status === 200 ? 200 : `${status} ${type}`;
    };
    for (const model of ['assistant', 'other', 'gpt-4o']) assert.equal(await ask(model, 'the-secret'), 200, model);
    assert.equal(await ask('assistant', hash), '401 invalid_request_error', 'the hash is no key');
    assert.equal(await ask('assistant', `sha256:${hash}`, 'anthropic'), '401 authentication_error');
    for (const model of ['other', 'gpt-4o']) assert.equal(await ask(model, 'plain-secret'), 200, model);
    assert.equal(await ask('assistant', 'plain-secret'), '403 permission_error');
    assert.equal(await ask('assistant', 'plain-secret', 'anthropic'), '403 permission_error');
    const line = await until('a line with the key\'s name', () => gateway.accessLog.find((each) => each.key === 'some' && each.status === 200));
    assert.equal(line.provider, 'far');
  } finally {
    await gateway.stop();
  }
});

test('an open gateway says so when it starts', async () => {
  const gateway = await Gateway.start(config('k'));
  try {
    await until('a warning', () => gateway.log.find(({ level, event, message }) => level === 'warning' && /open|key/.test(`${event} ${message}`)));
  } finally {
    await gateway.stop();
  }
});

test('metrics and the access log after traffic', async () => {
  const gateway = await Gateway.start(config('m', `  tries: { targets: [ { provider: far, model: fails }, { provider: far, model: m } ] }
keys: [ { name: app, secret: app-secret } ]
`));
  try {
    sim.script('fails', { fault: 'status', status: 500 });
    sim.script('m', { usage: { input: 100, output: 20, cached: 60, written: 0, reasoning: 5 } });
    const asked = [];
    const kWords = { messages: [{ role: 'user', content: 'unmistakable words of a prompt' }] };
    for (const [model, stream, dialect, key] of [
      ['assistant', false, 'openai', 'app-secret'], ['assistant', true, 'anthropic', 'app-secret'], ['tries', false, 'openai', 'app-secret'],
      ['no-such-model', false, 'openai', 'app-secret'], ['assistant', false, 'openai', 'wrong-secret'],
    ]) {
      const { headers, status } = await askRaw(dialect, gateway, model, { stream, key, more: kWords });
      asked.push({ id: headers['x-request-id'], status, model });
    }
    for (const { id, status } of asked) {
      const line = await gateway.logged(id);
      assert.equal(line.status, status, JSON.stringify(line));
      assert.ok(line.ts && typeof line.duration_ms === 'number' && line.outcome, JSON.stringify(line));
    }
    assert.equal(gateway.accessLog.length, asked.length, 'one line a request');
    assert.ok(!gateway.stdout.includes('unmistakable') && !gateway.stdout.includes('wörld'), 'content in the access log');

    const { text } = await fetchRaw(`${gateway.admin}/metrics`);
    const samples = await gateway.metrics();
    const far = { model: 'assistant', provider: 'far' };
    assert.equal(sum(samples, 'switchyard_requests_total', { ...far, outcome: 'ok' }), 2);
    assert.equal(sum(samples, 'switchyard_requests_total', { outcome: 'client_error' }), 2);
    assert.equal(sum(samples, 'switchyard_requests_total'), asked.length);
    for (const [direction, count] of [['input', 200], ['output', 40], ['cached', 120], ['reasoning', 10]]) {
      assert.equal(sum(samples, 'switchyard_tokens_total', { ...far, direction }), count, direction);
    }
    assert.equal(sum(samples, 'switchyard_attempts_total', { provider: 'far', result: 'ok' }), 3);
    assert.equal(sum(samples, 'switchyard_failovers_total', { model: 'tries', from: 'far', to: 'far', phase: 'before_first_token' }), 1);
    assert.equal(sum(samples, 'switchyard_request_duration_seconds_count', far), 2);
    assert.equal(sum(samples, 'switchyard_time_to_first_token_seconds_count', far), 1);
    assert.ok(sum(samples, 'switchyard_overhead_seconds_count') >= 3);
    for (const name of ['switchyard_inter_token_seconds_count', 'switchyard_provider_state', 'switchyard_upstream_connections', 'switchyard_config_info', 'switchyard_build_info', 'process_resident_memory_bytes']) {
      assert.ok(samples.some((sample) => sample.name === name), `${name} is missing`);
    }
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    if (checked.error?.code === 'ENOENT') return; // Not on every machine.
    assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  } finally {
    await gateway.stop();
  }
});

test('the admin port serves no applications, and the application port no admin pages', async () => {
  const gateway = await Gateway.start(config('k'));
  try {
    for (const page of ['/livez', '/readyz', '/healthz', '/metrics', '/admin/providers']) {
      assert.equal((await fetchRaw(gateway.admin + page)).status, 200, page);
      assert.equal((await fetchRaw(gateway.url + page)).status, 404, page);
    }
    assert.equal((await fetchRaw(`${gateway.admin}/v1/models`)).status, 404);
    const chat = await fetchRaw(`${gateway.admin}/v1/chat/completions`, { body: { model: 'assistant', messages: [] } });
    assert.ok([404, 405].includes(chat.status), `${chat.status}`);
    const { json } = await fetchRaw(`${gateway.admin}/admin/providers`);
    assert.ok(JSON.stringify(json).includes('far'));
  } finally {
    await gateway.stop();
  }
});

test('SIGTERM drains: not ready at once, and an open stream ends as it should', async () => {
  const gateway = await Gateway.start(config('slow'));
  try {
    sim.script('slow', { fault: 'wait_and_finish', patience_ms: 60_000 });
    let reached;
    const begun = new Promise((resolve) => { reached = resolve; });
    const streaming = askRaw('openai', gateway, 'assistant', { stream: true, onText: () => reached() });
    await begun;
    gateway.child.kill('SIGTERM');
    await until('readyz says no', async () => (await fetchRaw(`${gateway.admin}/readyz`)).status === 503);
    sim.saw('slow');
    const outcome = await streaming;
    assert.equal(outcome.ended, 'complete');
    assert.equal(readEvents(outcome.raw).at(-1).data, '[DONE]');
    await gateway.stop();
  } finally {
    await gateway.kill();
  }
});
