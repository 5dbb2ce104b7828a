// Claude Code and Codex CLI do a task that needs tools, through the gateway, with each kind of provider behind it: two
// calls at once, their results, an answer. The providers are the strict simulators of the end-to-end tests.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { AnthropicSimulator } from '../e2e/lib/anthropic_sim.mjs';
import { GeminiSimulator } from '../e2e/lib/gemini_sim.mjs';
import { Gateway } from '../e2e/lib/gateway.mjs';
import { OpenAiSimulator } from '../e2e/lib/openai_sim.mjs';
import { slow, test } from '../e2e/lib/util.mjs';

const kKey = 'sk-client-of-the-cli-55aa';
const kWords = ['kiwi', 'quince'];
const key = (name) => `sk-provider-${name}`;
const arch = { x64: 'x64', arm64: 'arm64' }[process.arch];
const modules = path.join(import.meta.dirname, 'node_modules');
const triple = { x64: 'x86_64-unknown-linux-musl', arm64: 'aarch64-unknown-linux-musl' }[process.arch];
const programs = {
  claude: path.join(modules, `@anthropic-ai/claude-code-linux-${arch}/claude`),
  codex: path.join(modules, `@openai/codex-linux-${arch}/vendor/${triple}/bin/codex`),
};
// What is configured, and the model that both clients ask for. Thinking is signed where the provider signs it.
const upstreams = {
  openai: { model: 'gpt-5', Sim: OpenAiSimulator, type: 'openai', thinking: { text: 'I should look.' } },
  anthropic: { model: 'claude-sonnet-4-6', Sim: AnthropicSimulator, type: 'anthropic', thinking: { text: 'I should look.', signature: 'sig-anthropic-cli' } },
  gemini: { model: 'gemini-3-pro', Sim: GeminiSimulator, type: 'gemini', thinking: { text: 'I should look.', signature: 'c2lnLWdlbWluaS1jbGk=' } },
  rack: { model: 'rack-llama', Sim: OpenAiSimulator, type: 'openai_compatible', thinking: { text: 'I should look.' }, options: { compatible: true, only: 'chat' } },
};

let gateway, folder;
const sims = {};
before(async () => {
  for (const [name, { Sim, options }] of Object.entries(upstreams)) sims[name] = await new Sim({ key: key(name), forbidden: [kKey], ...options }).start();
  gateway = await Gateway.start({
    providers: Object.fromEntries(Object.entries(upstreams).map(([name, { type }]) => [name, { type, api_key: key(name), base_url: sims[name].baseUrl }])),
    models: Object.fromEntries(Object.entries(upstreams).map(([provider, { model }]) => [model, { targets: [{ provider }] }])),
    keys: [{ name: 'cli', secret: kKey }],
  });
  folder = await mkdtemp(path.join(tmpdir(), 'switchyard-clients-'));
});
after(async () => {
  await gateway?.stop();
  await Promise.all(Object.values(sims).map((sim) => sim.stop()));
  await rm(folder, { recursive: true, force: true });
});

// Runs a program to its end: { code, output, errors }.
async function run(program, args, { env, cwd, limit_ms = 60_000 }) {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, LANG: 'C.UTF-8', ...env } });
  const result = { output: '', errors: '' };
  child.stdout.on('data', (piece) => { result.output += piece; });
  child.stderr.on('data', (piece) => { result.errors += piece; });
  const timer = setTimeout(() => child.kill('SIGKILL'), limit_ms * slow);
  await new Promise((resolve, reject) => child.on('error', reject).on('close', (code, signal) => { result.code = code ?? signal; resolve(); }));
  clearTimeout(timer);
  return result;
}

const clients = {
  claude: {
    start: (home, cwd, model, prompt) => run(programs.claude, ['-p', prompt, '--allowedTools', 'Bash,Read', '--output-format', 'json'], { cwd, env: {
      HOME: home, ANTHROPIC_BASE_URL: gateway.url, ANTHROPIC_AUTH_TOKEN: kKey, ANTHROPIC_MODEL: model, ANTHROPIC_DEFAULT_HAIKU_MODEL: model,
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1', DISABLE_AUTOUPDATER: '1',
    } }),
    calls: (cwd) => [
      { id: 'toolu_first', name: 'Bash', arguments: JSON.stringify({ command: 'cat one.txt', description: 'Reads a file' }) },
      { id: 'toolu_second', name: 'Read', arguments: JSON.stringify({ file_path: path.join(cwd, 'two.txt') }) },
    ],
    answer: ({ output }) => JSON.parse(output).result,
  },
  codex: {
    async start(home, cwd, model, prompt) {
      await mkdir(path.join(home, '.codex'));
      await writeFile(path.join(home, '.codex/config.toml'), [
        `model = "${model}"`, 'model_provider = "switchyard"', '[model_providers.switchyard]', 'name = "Switchyard"', `base_url = "${gateway.url}/v1"`,
        'env_key = "SWITCHYARD_KEY"', 'wire_api = "responses"', 'request_max_retries = 0', 'stream_max_retries = 0',
        // Else it waits at its end for a server that it cannot reach.
        '[analytics]', 'enabled = false', ''].join('\n'));
      return run(programs.codex, ['exec', '--skip-git-repo-check', '--dangerously-bypass-approvals-and-sandbox', prompt], { cwd, env: { HOME: home, SWITCHYARD_KEY: kKey } });
    },
    calls: () => ['one', 'two'].map((name) => ({ id: `call_${name}`, name: 'exec_command', arguments: JSON.stringify({ cmd: `cat ${name}.txt` }) })),
    answer: ({ output }) => output,
  },
};

for (const [client, { start, calls, answer }] of Object.entries(clients)) {
  for (const [upstream, { model, thinking }] of Object.entries(upstreams)) {
    test(`${client} completes a session with tools on ${upstream}`, { timeout: 90_000 * slow }, async () => {
      const sim = sims[upstream];
      const home = await mkdtemp(path.join(folder, 'home-')), cwd = await mkdtemp(path.join(folder, 'work-'));
      await writeFile(path.join(cwd, 'one.txt'), `${kWords[0]}\n`);
      await writeFile(path.join(cwd, 'two.txt'), `${kWords[1]}\n`);
      const [first] = calls(cwd);
      let turns = 0;
      sim.script(model, ({ raw }) => {
        // Small side requests (a title, a summary) offer no tools.
        if (!raw.includes(`"${first.name}"`)) return { text: 'A title' };
        if (kWords.every((word) => raw.includes(word))) return { text: ['They say ', kWords.join(' and '), '.'], usage: { input: 900, output: 9, cached: 100, written: 0, reasoning: 0 } };
        turns++;
        return { thinking, text: ['I will ', 'read both.'], tools: calls(cwd), chop: 33 };
      });
      const result = await start(home, cwd, model, 'Which words are in one.txt and two.txt?');
      const told = `${result.output}\n${result.errors}\n${sim.violations.join('\n')}\n${gateway.stderr.slice(-2000)}`;
      assert.equal(result.code, 0, told);
      assert.match(answer(result), /They say kiwi and quince\./, told);
      assert.equal(turns, 1, 'the calls were asked for more than once');
      assert.deepEqual(sim.takeViolations(), []);
      assert.ok(sim.of(model).every((record) => !record.closedEarly));
    });
  }

  test(`${client} tells its user of an error in the gateway's words`, { timeout: 90_000 * slow }, async () => {
    const home = await mkdtemp(path.join(folder, 'home-'));
    const result = await start(home, home, 'no-such-model', 'Hello?');
    assert.notEqual(result.code, 0);
    assert.match(`${result.output}${result.errors}`, /no-such-model/);
  });
}
