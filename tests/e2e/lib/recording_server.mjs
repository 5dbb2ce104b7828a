// A plain HTTP server that keeps every request and answers each by its path: for tests of what the gateway sends. The
// strict simulators of the dialects are elsewhere (simulator.mjs).
import http from 'node:http';

export class RecordingServer {
  requests = [];
  #answers = new Map();
  #sockets = new Set();

  async start() {
    this.server = http.createServer((request, response) => this.#take(request, response));
    this.server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}`;
    return this;
  }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  // What requests for a path (query included) get: { status, body, headers }, or a function of the record that gives it.
  answer(path, answer) { this.#answers.set(path, answer); }

  // The records since the last call: { method, url, headers, raw, body }.
  take() { return this.requests.splice(0); }

  #take(request, response) {
    const pieces = [];
    request.on('data', (piece) => pieces.push(piece)).on('end', () => {
      const record = { method: request.method, url: request.url, headers: request.headers, raw: Buffer.concat(pieces).toString() };
      try { record.body = JSON.parse(record.raw); } catch { /* a form */ }
      this.requests.push(record);
      const found = this.#answers.get(request.url);
      const answer = (typeof found === 'function' ? found(record) : found) ?? { status: 404, body: { error: { message: `no such path: ${request.url}` } } };
      const text = typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body);
      response.writeHead(answer.status ?? 200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), ...answer.headers });
      response.end(text);
    });
  }
}
