// Starts the gateway under test with a configuration of its own and watches what it says.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fetchRaw, freePorts, readMetrics, until, within } from './util.mjs';

export const binary = process.env.SWITCHYARD ?? new URL('../../../build/release/switchyard', import.meta.url).pathname;

// Variables that would add providers or change the loader's view are not inherited.
const environment = { PATH: process.env.PATH, HOME: tmpdir() };
for (const name of ['ASAN_OPTIONS', 'TSAN_OPTIONS', 'UBSAN_OPTIONS']) {
  if (process.env[name]) environment[name] = process.env[name];
}

// A test file that fails half way leaves nothing running.
const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); });

function spawnBinary(args, options) {
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  children.add(child);
  child.on('close', () => children.delete(child));
  return child;
}

// Runs the binary to its end: { code, stdout, stderr }.
export async function runBinary(args, { env = {}, limit_ms = 20_000, cwd } = {}) {
  const child = spawnBinary(args, { env: { ...environment, ...env }, cwd });
  const result = { code: null, stdout: '', stderr: '' };
  child.stdout.on('data', (piece) => { result.stdout += piece; });
  child.stderr.on('data', (piece) => { result.stderr += piece; });
  const ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => { result.code = code ?? signal; resolve(); });
  });
  try {
    await within(`switchyard ${args.join(' ')}`, ended, limit_ms);
  } finally {
    if (child.exitCode === null) child.kill('SIGKILL');
  }
  return result;
}

export class Gateway {
  stdout = '';
  stderr = '';
  exit = null; // { code, signal } after its end.

  // `config`: an object without `server`, which is filled in; or YAML text whose `server` takes its addresses from
  // ${LISTEN} and ${ADMIN}. `files`: others for its folder, by name.
  static async start(config, { env = {}, files = {}, workers = 2, limits } = {}) {
    for (let attempt = 1; ; attempt++) {
      const gateway = new Gateway();
      [gateway.port, gateway.adminPort] = await freePorts(2);
      gateway.folder = await mkdtemp(path.join(tmpdir(), 'switchyard-e2e-'));
      gateway.file = path.join(gateway.folder, 'switchyard.yaml');
      gateway.url = `http://127.0.0.1:${gateway.port}`;
      gateway.admin = `http://127.0.0.1:${gateway.adminPort}`;
      gateway.server = { listen: `127.0.0.1:${gateway.port}`, admin: `127.0.0.1:${gateway.adminPort}`, workers, ...(limits && { limits }) };
      for (const [name, text] of Object.entries(files)) await writeFile(path.join(gateway.folder, name), text);
      await gateway.write(config);
      gateway.spawn({ ...env, LISTEN: gateway.server.listen, ADMIN: gateway.server.admin });
      try {
        await until('the gateway is ready', async () => {
          if (gateway.exit) throw new Error(`the gateway ended: ${JSON.stringify(gateway.exit)}\n${gateway.stderr}`);
          return (await fetchRaw(`${gateway.admin}/readyz`).catch(() => null))?.status === 200;
        }, 20_000);
        return gateway;
      } catch (error) {
        await gateway.kill();
        // Another program may have taken the port in between.
        if (attempt === 3 || !/address already in use|in use/i.test(gateway.stderr)) throw error;
      }
    }
  }

  spawn(env) {
    this.child = spawnBinary(['serve', '--config', this.file], { env: { ...environment, ...env } });
    this.pid = this.child.pid;
    this.child.stdout.on('data', (piece) => { this.stdout += piece; });
    this.child.stderr.on('data', (piece) => { this.stderr += piece; });
    this.ended = new Promise((resolve) => {
      this.child.on('error', (error) => { this.exit = { code: null, error: error.message }; resolve(); });
      this.child.on('close', (code, signal) => { this.exit = { code, signal }; resolve(); });
    });
  }

  // Replaces the configuration file in one step, as an editor or a deployment does. JSON is YAML.
  async write(config) {
    const text = typeof config === 'string' ? config : JSON.stringify({ version: 1, server: this.server, ...config }, null, 1);
    await writeFile(`${this.file}.new`, text);
    await rename(`${this.file}.new`, this.file);
  }

  hangUp() { this.child.kill('SIGHUP'); }

  // The reload that answers: its status and body.
  reload() { return fetchRaw(`${this.admin}/admin/reload`, { method: 'POST' }); }

  async metrics() {
    const reply = await fetchRaw(`${this.admin}/metrics`);
    assert.equal(reply.status, 200);
    return readMetrics(reply.text);
  }

  // Whole lines of the logs, parsed: each must be one JSON object.
  get accessLog() { return lines(this.stdout); }

  get log() { return lines(this.stderr); }

  // The access log's line of a request, which is written a moment after the reply.
  logged(requestId) {
    return until(`an access log line for ${requestId}`, () => this.accessLog.find((line) => Object.values(line).includes(requestId)));
  }

  async stop() {
    if (!this.exit) this.child.kill('SIGTERM');
    try {
      await within('the gateway stops', this.ended, 15_000);
      assert.deepEqual(this.exit, { code: 0, signal: null }, `exit after SIGTERM; operational log:\n${this.stderr.slice(-3000)}`);
      // What a sanitizer prints is no log line.
      this.log;
    } finally {
      await this.kill();
    }
  }

  async kill() {
    if (!this.exit) this.child.kill('SIGKILL');
    await this.ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}

function lines(text) {
  return text.split('\n').slice(0, -1).map((line) => {
    try {
      return JSON.parse(line);
    } catch {
      return assert.fail(`not a line of JSON: ${line}`);
    }
  });
}
