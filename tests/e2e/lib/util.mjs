// What all test files share: deadlines, polling, a plain HTTP client, readers of SSE and of Prometheus text.
import assert from 'node:assert/strict';
import http from 'node:http';
import net from 'node:net';
import { describe as nodeDescribe, test as nodeTest } from 'node:test';

// Sanitizer builds are slower: every deadline grows by this factor.
export const slow = Number(process.env.SWITCHYARD_SLOW ?? 1);

// A test with a deadline of its own.
export function test(name, options, body) {
  if (typeof options === 'function') [options, body] = [{}, options];
  return nodeTest(name, { timeout: 30_000 * slow, ...options }, body);
}

// A group whose tests run several at a time: most of their time is waiting.
export function group(name, concurrency, body) {
  return nodeDescribe(name, { concurrency }, body);
}

// Polls until `condition` gives something truthy, and returns that. `what` is for the failure's message.
export async function until(what, condition, limit_ms = 5000) {
  const end = Date.now() + limit_ms * slow;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) assert.fail(`not within ${limit_ms * slow} ms: ${typeof what === 'function' ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

// A promise that fails after a while instead of hanging.
export function within(what, promise, limit_ms = 5000) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${limit_ms * slow} ms: ${what}`)), limit_ms * slow);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

// Ports of which each was free a moment ago, all different.
export async function freePorts(count) {
  const servers = [];
  for (let i = 0; i < count; i++) {
    const server = net.createServer();
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
  }
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

// One HTTP request on its own connection. `body`: an object is sent as JSON. Returns { status, headers, text, json,
// ended }; `ended` is false when the connection broke before the reply's framing said that it was over. `onText` is
// called with the text so far whenever it grows.
export function fetchRaw(url, { method, headers = {}, body, path, onText, limit_ms = 15_000 } = {}) {
  const target = new URL(url);
  const bytes = body === undefined ? undefined : typeof body === 'object' ? JSON.stringify(body) : body;
  const exchange = new Promise((resolve, reject) => {
    const request = http.request({
      host: target.hostname, port: target.port, path: path ?? target.pathname + target.search, agent: false,
      method: method ?? (bytes === undefined ? 'GET' : 'POST'),
      headers: {
        ...(bytes === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }),
        ...headers,
      },
    });
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      const finish = (ended) => {
        let json;
        try { json = JSON.parse(text); } catch { /* no JSON: left undefined */ }
        resolve({ status: response.statusCode, headers: response.headers, text, json, ended });
      };
      response.setEncoding('utf8');
      response.on('data', (piece) => { text += piece; onText?.(text); });
      response.on('end', () => finish(response.complete));
      response.on('error', () => finish(false));
    });
    request.end(bytes);
  });
  return within(`${method ?? 'request'} ${url}`, exchange, limit_ms);
}

// Writes bytes to a port and returns all that comes back until the peer closes or `enough` says so.
export function exchangeRaw(port, bytes, enough = () => false, limit_ms = 5000) {
  const exchange = new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    let text = '';
    socket.on('connect', () => socket.write(bytes));
    socket.on('data', (piece) => {
      text += piece.toString('latin1');
      if (enough(text)) socket.destroy();
    });
    socket.on('error', (error) => (text ? resolve(text) : reject(error)));
    socket.on('close', () => resolve(text));
  });
  return within('raw exchange', exchange, limit_ms);
}

// The events of an SSE body as { event, data }; `data` is parsed unless it is no JSON. Comments are left out. Fails
// for what strict readers stumble over: an event without data, id:, retry:, a last event without its empty line.
export function readEvents(text) {
  const events = [];
  const records = text.split('\n\n');
  assert.equal(records.pop(), '', 'the stream ends within an event');
  for (const record of records) {
    let event, data;
    for (const line of record.split('\n')) {
      if (line.startsWith(':')) continue;
      if (line.startsWith('event: ')) event = line.slice(7);
      else if (line.startsWith('data: ')) data = data === undefined ? line.slice(6) : `${data}\n${line.slice(6)}`;
      else assert.fail(`not a line of an event stream: ${JSON.stringify(line)}`);
    }
    if (data === undefined) {
      assert.equal(event, undefined, 'an event without data');
      continue;
    }
    let value = data;
    try { value = JSON.parse(data); } catch { /* [DONE] */ }
    events.push({ event, data: value });
  }
  return events;
}

// Prometheus text as [{ name, labels, value }].
export function readMetrics(text) {
  const samples = [];
  for (const line of text.split('\n')) {
    const parts = /^([a-z_A-Z0-9:]+)(?:\{(.*)\})? (\S+)/.exec(line);
    if (!parts) continue;
    const labels = Object.fromEntries(
      [...(parts[2] ?? '').matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map((pair) => [pair[1], pair[2]]));
    samples.push({ name: parts[1], labels, value: Number(parts[3]) });
  }
  return samples;
}

// The sum of a metric's samples that carry all of these labels.
export function sum(samples, name, labels = {}) {
  return samples
    .filter((sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value))
    .reduce((total, sample) => total + sample.value, 0);
}
