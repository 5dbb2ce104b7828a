// A gateway that was started with few file descriptors, or that gets few of them while it runs.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Gateway, binary } from './gateway.mjs';
import { fetchRaw, freePorts, until } from './util.mjs';

// Sets both limits of a running process.
export function limitDescriptors(pid, soft, hard = soft) { execFileSync('prlimit', ['--pid', String(pid), `--nofile=${soft}:${hard}`]); }

class LimitedGateway extends Gateway {
  spawn() {
    this.child = spawn('prlimit', [`--nofile=${this.descriptors}`, binary, 'serve', '--config', this.file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.pid = this.child.pid; // prlimit becomes what it starts.
    this.child.stdout.on('data', (piece) => { this.stdout += piece; });
    this.child.stderr.on('data', (piece) => { this.stderr += piece; });
    this.ended = new Promise((resolve) => this.child.on('close', (code, signal) => { this.exit = { code, signal }; resolve(); }));
  }
}

export async function startLimited(config, descriptors, limits = {}) {
  const gateway = new LimitedGateway();
  [gateway.port, gateway.adminPort] = await freePorts(2);
  gateway.folder = await mkdtemp(path.join(tmpdir(), 'switchyard-e2e-'));
  Object.assign(gateway, { descriptors, file: path.join(gateway.folder, 'switchyard.yaml'), url: `http://127.0.0.1:${gateway.port}`, admin: `http://127.0.0.1:${gateway.adminPort}` });
  gateway.server = { listen: `127.0.0.1:${gateway.port}`, admin: `127.0.0.1:${gateway.adminPort}`, workers: 2, limits };
  await gateway.write(config);
  gateway.spawn();
  await until('the gateway is ready', async () => {
    if (gateway.exit) throw new Error(`the gateway ended: ${JSON.stringify(gateway.exit)}\n${gateway.stderr}`);
    return (await fetchRaw(`${gateway.admin}/readyz`).catch(() => null))?.status === 200;
  }, 20_000);
  return gateway;
}
