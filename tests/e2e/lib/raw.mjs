// HTTP/1.1 by hand: connections on which a test decides every byte, and a strict reader of what comes back.
import net from 'node:net';
import { within } from './util.mjs';

// Reads replies out of bytes as they come. Throws for what a reply must not look like.
export class ReplyReader {
  replies = [];  // Complete ones: { status, headers, body, closes }.
  interim = 0;   // 1xx.
  #rest = Buffer.alloc(0);
  #head = null;
  #pieces = [];
  #left = 0;          // Of the body, or of a chunk.
  #inChunk = false;   // Behind a chunk's size line.
  #isLast = false;    // It is the last chunk.

  // `methods`: of the requests sent, in order; HEAD has replies without a body.
  constructor(methods = []) { this.methods = methods; }

  get isIdle() { return this.#head === null && this.#rest.length === 0; }

  // What has come so far of a reply that is not over: { status, headers, body }.
  get partial() { return this.#head && { ...this.#head, body: Buffer.concat(this.#pieces).toString('utf8') }; }

  feed(bytes) {
    this.#rest = this.#rest.length ? Buffer.concat([this.#rest, bytes]) : bytes;
    while (this.#step()) { /* the next part */ }
  }

  // The connection has ended: a reply without a length is complete then.
  finish() {
    if (this.#head && this.#head.framing === 'close') this.#complete();
  }

  #step() {
    if (!this.#head) return this.#readHead();
    const { framing } = this.#head;
    if (framing === 'chunked') return this.#readChunk();
    const count = Math.min(this.#left, this.#rest.length);
    this.#take(count);
    this.#left -= count;
    return this.#left === 0 && this.#complete();
  }

  #take(count) {
    if (count > 0) this.#pieces.push(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
  }

  #readHead() {
    const end = this.#rest.indexOf('\r\n\r\n');
    if (end < 0) return false;
    const [line, ...fields] = this.#rest.subarray(0, end).toString('latin1').split('\r\n');
    const status = Number(/^HTTP\/1\.1 ([1-5]\d\d) [ -~]*$/.exec(line)?.[1]);
    if (!status) throw new Error(`not a status line: ${JSON.stringify(line.slice(0, 80))}`);
    const headers = {};
    for (const field of fields) {
      const parts = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([ -~]*)$/.exec(field);
      if (!parts) throw new Error(`not a header field: ${JSON.stringify(field)}`);
      const name = parts[1].toLowerCase();
      if (name in headers) throw new Error(`header ${name} twice`);
      headers[name] = parts[2];
    }
    this.#rest = this.#rest.subarray(end + 4);
    if (status < 200) {
      this.interim++;
      return true;
    }
    const hasBody = this.methods[this.replies.length] !== 'HEAD' && status !== 204 && status !== 304;
    const length = 'content-length' in headers ? Number(headers['content-length']) : undefined;
    const framing = !hasBody ? 'length' : headers['transfer-encoding'] === 'chunked' ? 'chunked' : length === undefined ? 'close' : 'length';
    this.#head = { status, headers, framing };
    this.#pieces = [];
    this.#left = framing === 'close' ? Infinity : framing === 'length' && hasBody ? length : 0;
    this.#inChunk = false;
    return true;
  }

  // A part of a chunk's data, or the line before or behind it.
  #readChunk() {
    if (this.#left > 0) {
      if (this.#rest.length === 0) return false;
      const count = Math.min(this.#left, this.#rest.length);
      this.#take(count);
      this.#left -= count;
      return true;
    }
    const end = this.#rest.indexOf('\r\n');
    if (this.#inChunk) {
      if (this.#rest.length < 2) return false;
      if (end !== 0) throw new Error('a chunk does not end with CRLF');
      this.#rest = this.#rest.subarray(2);
      this.#inChunk = false;
      return !this.#isLast || this.#complete();
    }
    if (end < 0) return false;
    const text = this.#rest.subarray(0, end).toString('latin1');
    if (!/^[0-9a-fA-F]{1,8}$/.test(text)) throw new Error(`not a chunk size: ${JSON.stringify(text.slice(0, 40))}`);
    this.#rest = this.#rest.subarray(end + 2);
    this.#left = parseInt(text, 16);
    this.#isLast = this.#left === 0;
    this.#inChunk = true;
    return true;
  }

  #complete() {
    const { status, headers } = this.#head;
    this.replies.push({ status, headers, body: Buffer.concat(this.#pieces).toString('utf8'), closes: headers.connection === 'close' });
    this.#head = null;
    this.#pieces = [];
    return true;
  }
}

export class RawConnection {
  closed = false;     // By either side.
  error = null;       // What broke it: ECONNREFUSED, ECONNRESET, or a reply that is no HTTP.
  closedAt = 0;
  #waiters = new Set();

  constructor(port, { methods = [] } = {}) {
    this.reader = new ReplyReader(methods);
    this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    this.connected = new Promise((resolve) => {
      this.socket.once('connect', () => resolve(true));
      this.socket.once('close', () => resolve(false));
    });
    this.socket.on('data', (bytes) => {
      try {
        this.reader.feed(bytes);
      } catch (error) {
        this.error = error;
        this.socket.destroy();
      }
      this.#wake();
    });
    this.socket.on('error', (error) => { this.error ??= error; });
    this.socket.on('close', () => {
      this.closed = true;
      this.closedAt = performance.now();
      this.reader.finish();
      this.#wake();
    });
  }

  get replies() { return this.reader.replies; }

  #wake() {
    for (const waiter of this.#waiters) waiter();
  }

  write(bytes) { this.socket.write(bytes); }

  destroy() { this.socket.destroy(); }

  // Resolves when `condition` holds, looked at whenever something came; true if it does, false if the connection is over.
  when(what, condition, limit_ms = 8000) {
    const promise = new Promise((resolve) => {
      const look = () => {
        const holds = condition();
        if (!holds && !this.closed) return;
        this.#waiters.delete(look);
        resolve(Boolean(holds));
      };
      this.#waiters.add(look);
      look();
    });
    return within(what, promise, limit_ms);
  }

  // The next reply, or undefined when the connection ends without it.
  async reply(limit_ms = 8000) {
    const index = this.next ?? 0;
    await this.when('a reply', () => this.replies.length > index, limit_ms);
    if (this.replies.length > index) this.next = index + 1;
    return this.replies[index];
  }

  async request(bytes, limit_ms) {
    this.write(bytes);
    return this.reply(limit_ms);
  }
}

// A request's bytes. `body`: an object is sent as JSON.
export function requestBytes(path, { method, headers = {}, body, version = '1.1' } = {}) {
  const bytes = body === undefined ? '' : typeof body === 'object' ? JSON.stringify(body) : body;
  const fields = { host: 'gateway.test', ...(body !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(bytes) }), ...headers };
  const head = Object.entries(fields).filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return `${method ?? (body === undefined ? 'GET' : 'POST')} ${path} HTTP/${version}\r\n${head}\r\n${bytes}`;
}
