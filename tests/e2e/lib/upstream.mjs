// An OpenAI-compatible upstream for tests of load and of robustness: what it answers is the test's own function, and it
// keeps what the tests ask for. The strict simulators of the dialects are elsewhere (simulator.mjs).
import http from 'node:http';

const chunk = (model, choice, more) => `data: ${JSON.stringify({ id: 'chatcmpl-up', object: 'chat.completion.chunk', created: 1700000000, model, choices: choice ? [choice] : [], ...more })}\n\n`;
export const usage = { prompt_tokens: 3, completion_tokens: 5, total_tokens: 8 };

export const frames = {
  role: (model) => chunk(model, { index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }),
  text: (model, text) => chunk(model, { index: 0, delta: { content: text }, finish_reason: null }),
  end: (model) => chunk(model, { index: 0, delta: {}, finish_reason: 'stop' }) + chunk(model, null, { usage }) + 'data: [DONE]\n\n',
};

export const wholeReply = (model, text) => JSON.stringify({
  id: 'chatcmpl-up', object: 'chat.completion', created: 1700000000, model, usage,
  choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
});

export class Upstream {
  requests = 0;
  open = new Set();   // Calls that have not ended.
  calls = [];         // Every call, in order of arrival.
  connections = 0;
  #sockets = new Set();

  // `serve(call)`: call has { body, response, socket, stream, model, closed } and the methods below.
  constructor(serve) { this.serve = serve; }

  async start(port = 0) {
    this.server = http.createServer({ keepAliveTimeout: 0, requestTimeout: 0 }, (request, response) => this.#take(request, response));
    this.server.on('connection', (socket) => {
      this.connections++;
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
    });
    await new Promise((resolve, reject) => this.server.on('error', reject).listen(port, '127.0.0.1', 2048, resolve));
    this.port = this.server.address().port;
    return this;
  }

  get provider() { return { type: 'openai_compatible', base_url: `http://127.0.0.1:${this.port}/v1` }; }

  async stop() {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  async #take(request, response) {
    const call = new Call(request, response);
    this.requests++;
    this.calls.push(call);
    this.open.add(call);
    response.on('close', () => {
      call.closed = true;
      call.closedAt = performance.now();
      this.open.delete(call);
    });
    const pieces = [];
    try {
      for await (const piece of request) pieces.push(piece);
      call.body = JSON.parse(Buffer.concat(pieces).toString('utf8'));
      await this.serve(call);
    } catch (error) {
      if (!call.closed) response.destroy(error);
    }
  }
}

class Call {
  closed = false;
  closedAt = 0;
  bytes = 0;

  constructor(request, response) { Object.assign(this, { request, response, socket: request.socket }); }

  get model() { return this.body.model; }
  get stream() { return this.body.stream === true; }

  whole(text = 'hello') {
    const body = wholeReply(this.model, text);
    this.response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    this.response.end(body);
  }

  begin() {
    this.response.writeHead(200, { 'content-type': 'text/event-stream' });
    this.response.write(frames.role(this.model));
  }

  text(text) { this.response.write(frames.text(this.model, text)); }

  end() { this.response.end(frames.end(this.model)); }

  // Writes as much as the peer takes; resolves when it may go on, or the peer is gone.
  async push(bytes) {
    this.bytes += bytes.length;
    if (this.response.write(bytes)) return;
    await new Promise((resolve) => {
      const next = () => {
        this.response.off('drain', next);
        this.response.off('close', next);
        resolve();
      };
      this.response.on('drain', next);
      this.response.on('close', next);
    });
  }

  // A short answer, in the form that was asked for.
  answer(text = 'hello') {
    if (!this.stream) return this.whole(text);
    this.begin();
    this.text(text);
    this.end();
  }
}
