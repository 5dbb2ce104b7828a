// A provider on a raw socket that reads every byte the gateway sends it, strictly, and answers only what is flawless.
import net from 'node:net';
import { usage, wholeReply } from './upstream.mjs';

const kAllowed = {
  openai: ['host', 'content-type', 'content-length', 'authorization', 'user-agent', 'accept', 'connection', 'accept-encoding'],
  anthropic: ['host', 'content-type', 'content-length', 'x-api-key', 'anthropic-version', 'user-agent', 'accept', 'connection', 'accept-encoding'],
};
const kPaths = { openai: '/v1/chat/completions', anthropic: '/v1/messages' };
const decoder = new TextDecoder('utf-8', { fatal: true });

export class SpyUpstream {
  bodies = [];      // Of the requests it saw, parsed.
  violations = [];
  #sockets = new Set();

  constructor(dialect) { this.dialect = dialect; }

  async start() {
    this.server = net.createServer((socket) => this.#serve(socket));
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    return this;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  take() { return { bodies: this.bodies.splice(0), violations: this.violations.splice(0) }; }

  #serve(socket) {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    let pieces = [], size = 0, wanted = 0;
    socket.on('data', (bytes) => {
      pieces.push(bytes);
      size += bytes.length;
      if (size < wanted) return;
      let all = Buffer.concat(pieces);
      for (;;) {
        const request = this.#read(all);
        if (request === 'more' || typeof request === 'number') {
          wanted = request === 'more' ? 0 : request;
          break;
        }
        if (!request) return socket.destroy();
        all = all.subarray(request.end);
        this.#answer(socket, request.body);
      }
      pieces = [all];
      size = all.length;
    });
    socket.on('end', () => { if (size > 0) this.violations.push(`an unfinished request: ${JSON.stringify(Buffer.concat(pieces).toString('latin1').slice(0, 200))}`); });
  }

  #fault(what, bytes) {
    this.violations.push(`${what}: ${JSON.stringify(bytes.toString('latin1').slice(0, 300))}`);
    return null;
  }

  // One request at the front of `all`: { body, end }, null for a malformed one, or how many bytes it needs.
  #read(all) {
    if (all.length === 0) return 'more';
    const end = all.indexOf('\r\n\r\n');
    if (end < 0) return all.length > 65536 ? this.#fault('a head without an end', all) : 'more';
    const [line, ...fields] = all.subarray(0, end).toString('latin1').split('\r\n');
    if (line !== `POST ${kPaths[this.dialect]} HTTP/1.1`) return this.#fault('not the request line', all);
    const headers = {};
    for (const field of fields) {
      const parts = /^([a-z-]+): ([ -~]+)$/.exec(field);
      if (!parts || parts[1] in headers || !kAllowed[this.dialect].includes(parts[1])) return this.#fault(`the field ${JSON.stringify(field)}`, all);
      headers[parts[1]] = parts[2];
    }
    if (headers.host !== `127.0.0.1:${this.port}`) return this.#fault('the host', all);
    if (!/^[1-9]\d{0,9}$/.test(headers['content-length'] ?? '')) return this.#fault('the length', all);
    const bodyEnd = end + 4 + Number(headers['content-length']);
    if (all.length < bodyEnd) return bodyEnd;
    try {
      return { end: bodyEnd, body: JSON.parse(decoder.decode(all.subarray(end + 4, bodyEnd))) };
    } catch (error) {
      return this.#fault(error.message, all.subarray(end + 4));
    }
  }

  #answer(socket, body) {
    this.bodies.push(body);
    const text = this.dialect === 'openai' ? wholeReply(body.model, 'hello') : JSON.stringify({
      id: 'msg_up', type: 'message', role: 'assistant', model: body.model, content: [{ type: 'text', text: 'hello' }],
      stop_reason: 'end_turn', stop_sequence: null, usage: { input_tokens: usage.prompt_tokens, output_tokens: usage.completion_tokens },
    });
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
  }
}
