// An upstream in a process of its own, so that it can be killed as a whole: node stream_server.mjs PORT (0: any).
// It prints the port it listens on. Models: `quick` answers at once, `stream` says its first content and then a piece every
// 100 ms for a while, `silent` sends a stream's head and nothing more.
import { fileURLToPath } from 'node:url';
import { spawn } from 'node:child_process';
import { Upstream } from './upstream.mjs';
import { within } from './util.mjs';

const kPieces = 100;

function serve(call) {
  if (call.model === 'quick') return call.answer('first');
  call.begin();
  if (call.model === 'silent') return undefined;
  call.text('first ');
  let count = 0;
  const timer = setInterval(() => {
    if (call.closed) return clearInterval(timer);
    call.text(`${count} `);
    if (++count < kPieces) return undefined;
    clearInterval(timer);
    return call.end();
  }, 100);
  return undefined;
}

// For tests: the running process, as { port, kill() }.
export async function startStreamServer(port = 0) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('close', resolve));
  const listens = new Promise((resolve, reject) => {
    child.stdout.once('data', (text) => resolve(Number(text)));
    ended.then(() => reject(new Error('the upstream ended')));
  });
  listens.catch(() => {});
  const server = { port: await within('the upstream listens', listens, 10_000), async kill() { child.kill('SIGKILL'); await ended; } };
  return server;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const upstream = await new Upstream(serve).start(Number(process.argv[2] ?? 0));
  console.log(upstream.port);
}
