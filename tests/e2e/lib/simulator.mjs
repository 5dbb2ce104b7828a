// A provider on loopback: it refuses what the real one would refuse, answers as it is told to, and keeps what it saw.
import http from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { bytesOf, faults } from './provider_faults.mjs';
import { Refusal, hasDoubleMember } from './rules.mjs';

// An answer: { text (or a list of pieces), thinking: { text, signature } | [...], redacted, tools: [{ id, name,
// arguments, signature }], usage: { input, output, cached, written, reasoning }, stop: 'stop' | 'length' | 'refusal',
// stopSequence, chop: bytes a write, vectors: [[number]] }.
export const plain = {
  text: ['Hel', 'lo, ', 'wörld 🌍'],
  usage: { input: 11, output: 7, cached: 0, written: 0, reasoning: 0 },
};
export const plainText = plain.text.join('');

export class Simulator {
  requests = [];    // In order of arrival.
  violations = [];  // What a provider would refuse, and what must never reach one.
  connections = 0;
  #scripts = new Map();
  #sockets = new Set();
  #seen = new Map();

  // `key`: the credential it asks for. `forbidden`: texts that must not occur in a request.
  constructor({ key, forbidden = [] }) {
    this.key = key;
    this.forbidden = forbidden;
  }

  async start() {
    this.server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => this.#serve(request, response));
    this.server.on('connection', (socket) => {
      socket.number = ++this.connections;
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    this.server.on('clientError', (error, socket) => {
      if (error.code?.startsWith('HPE_')) this.violations.push(`malformed HTTP: ${error.message}`);
      socket.destroy();
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    return this;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  // What requests for `model` get, one after the other; the last behaviour stays. A behaviour is an answer,
  // { fault: NAME, ... } of provider_faults.mjs, or a function of the request's record that gives one.
  script(model, ...behaviours) {
    this.#scripts.set(model, behaviours);
  }

  // Requests for a model, as records.
  of(model) {
    return this.requests.filter((record) => record.model === model);
  }

  // What is asked for, by the request's path: { kind, model, stream }, the last two where the path says them and not the
  // body. Undefined: no such path.
  route(path) {
    return path === this.path ? { kind: 'chat' } : undefined;
  }

  // A fault behind the first content waits until the client says here that it has the content, or for a while.
  saw(model) {
    this.#seen.get(model)?.();
  }

  seen(model, patience_ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, patience_ms).unref();
      this.#seen.set(model, () => { clearTimeout(timer); resolve(); });
    });
  }

  takeViolations() {
    return this.violations.splice(0);
  }

  async #serve(request, response) {
    const record = {
      method: request.method, url: request.url, headers: { ...request.headers }, head: request.rawHeaders,
      connection: request.socket.number, answered: false, closedEarly: false,
    };
    this.requests.push(record);
    const { socket } = request;
    record.gone = new Promise((resolve) => {
      const note = () => {
        if (!record.answered) record.closedEarly = true;
        resolve();
      };
      socket.once('close', note);
      response.once('finish', () => socket.off('close', note));
    });
    const pieces = [];
    try {
      for await (const piece of request) pieces.push(piece);
    } catch {
      return;
    }
    record.raw = Buffer.concat(pieces).toString('utf8');
    try {
      this.#check(record, request);
    } catch (thrown) {
      // A check that stumbles over what it was given refuses it too.
      const error = thrown instanceof Refusal ? thrown : new Refusal(thrown.stack);
      this.violations.push(`${record.model ?? ''}: ${error.message}`);
      record.answered = true;
      this.reply(response, error.status, this.errorBody(error.status, error), this.errorHeaders(error.status));
      return;
    }
    const queue = this.#scripts.get(record.model);
    const next = (queue && (queue.length > 1 ? queue.shift() : queue[0])) ?? plain;
    const behaviour = typeof next === 'function' ? next(record) : next;
    const answer = behaviour.fault ? { ...plain, ...behaviour.answer } : { ...plain, ...behaviour };
    try {
      if (behaviour.fault) await faults[behaviour.fault](this.#context(record, response, socket, answer, behaviour));
      else await this.#answer(record, response, answer);
    } catch (error) {
      if (!socket.destroyed) throw error;
    }
  }

  #check(record, request) {
    const text = `${record.head.join('\n')}\n${record.url}\n${record.raw}`;
    for (const secret of this.forbidden) {
      if (text.includes(secret)) this.violations.push(`a secret of someone else reached the provider: ${secret}`);
    }
    const allowed = this.allowedHeaders();
    for (const name of Object.keys(record.headers)) {
      if (!allowed.includes(name)) this.violations.push(`header ${name} reached the provider`);
    }
    const names = record.head.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    if (new Set(names).size !== names.length) this.violations.push(`a header twice: ${names}`);
    if (record.headers.host !== `127.0.0.1:${this.port}`) this.violations.push(`host ${record.headers.host}`);
    const [path, query = ''] = record.url.split('?');
    const route = this.route(path, query);
    if (!route) throw new Refusal(`Unknown request URL: ${record.method} ${record.url}`, { status: 404 });
    if (record.method !== 'POST') throw new Refusal(`Not allowed: ${record.method}`, { status: 405 });
    Object.assign(record, route);
    this.checkHead(record.headers, record);
    if (!/^application\/json(;|$)/.test(record.headers['content-type'] ?? '')) throw new Refusal('Content-Type must be application/json');
    try {
      record.body = JSON.parse(record.raw);
    } catch (error) {
      throw new Refusal(`We could not parse the JSON body of your request: ${error.message}`);
    }
    const double = hasDoubleMember(record.raw);
    if (double) throw new Refusal(`member given twice: ${double}`);
    record.model ??= record.body?.model;
    record.stream ??= record.body?.stream === true;
    this.checkBody(record.body, record.headers, record);
  }

  reply(response, status, body, headers = {}) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...this.replyHeaders(), ...headers });
    response.end(text);
  }

  // More of the head of an error.
  errorHeaders() { return {}; }

  streamHeaders() {
    return { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache', ...this.replyHeaders() };
  }

  async #answer(record, response, answer) {
    if (!record.stream) {
      record.answered = true;
      return this.reply(response, 200, this.whole(answer, record.body, record));
    }
    const { open, content, close } = this.frames(answer, record.body, record);
    response.writeHead(200, this.streamHeaders(record));
    const bytes = bytesOf([...open, ...content, ...close]);
    const step = answer.chop ?? bytes.length;
    for (let at = 0; at < bytes.length; at += step) {
      response.write(bytes.subarray(at, at + step));
      if (answer.chop) await turn();
    }
    record.answered = true;
    response.end();
  }

  // What a fault works with. Its writes go past the HTTP server, so that they may be anything at all.
  #context(record, response, socket, answer, behaviour) {
    const { stream } = record;
    const frames = stream ? this.frames(answer, record.body, record) : null;
    return {
      ...behaviour, sim: this, record, response, socket, stream, frames, streamHeaders: this.streamHeaders(record),
      whole: () => JSON.stringify(this.whole(answer, { ...record.body, ...(stream && { stream: false }) }, record)),
      head: (headers, status = '200 OK') =>
        `HTTP/1.1 ${status}\r\n${Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join('')}connection: close\r\n\r\n`,
      write: (bytes) => new Promise((resolve) => (socket.destroyed ? resolve() : socket.write(bytes, () => resolve()))),
      end: () => { record.answered = true; socket.end(); },
      reset: () => { record.answered = true; socket.resetAndDestroy(); },
    };
  }
}
