// Clients for tests of load: streams whose end is judged, and loops of requests whose losses are counted.
import { RawConnection, requestBytes } from './raw.mjs';

const question = [{ role: 'user', content: 'Say hello.' }];
export const chatBody = (model, more = {}) => ({ model, messages: question, ...more });
export const messageBody = (model, more = {}) => ({ model, max_tokens: 64, messages: question, ...more });

export const chatBytes = (model, more = {}, headers = {}) => requestBytes('/v1/chat/completions', { body: chatBody(model, more), headers });
export const messageBytes = (model, more = {}, headers = {}) =>
  requestBytes('/v1/messages', { body: messageBody(model, more), headers: { 'anthropic-version': '2023-06-01', ...headers } });

// A streamed request on a connection of its own.
export class StreamClient {
  // `dialect`: 'openai' or 'anthropic'.
  constructor(port, model, dialect = 'openai') {
    this.dialect = dialect;
    this.connection = new RawConnection(port);
    this.connection.write((dialect === 'openai' ? chatBytes : messageBytes)(model, { stream: true }));
  }

  get body() { return (this.connection.replies[0] ?? this.connection.reader.partial)?.body ?? ''; }
  get status() { return (this.connection.replies[0] ?? this.connection.reader.partial)?.status; }
  get headers() { return (this.connection.replies[0] ?? this.connection.reader.partial)?.headers; }
  // The HTTP body has ended as it should, whatever it says.
  get isOver() { return this.connection.replies.length > 0; }

  get text() {
    const pattern = this.dialect === 'openai' ? /"delta":\{[^}]*"content":"([^"]*)"/g : /"type":"text_delta","text":"([^"]*)"/g;
    return [...this.body.matchAll(pattern)].map((match) => match[1]).join('');
  }

  begun(limit_ms = 10_000) { return this.connection.when('the first content of a stream', () => this.text !== '', limit_ms); }
  over(limit_ms = 30_000) { return this.connection.when('the end of a stream', () => this.isOver, limit_ms); }

  // 'complete', 'error' (an error reply, or an error event behind which the body ends properly), 'cut' (the connection
  // broke), 'short' (a clean end that is no end of the dialect), 'open'.
  get outcome() {
    if (!this.isOver) return this.connection.closed ? 'cut' : 'open';
    if (this.status !== 200) return 'error';
    const terminator = this.dialect === 'openai' ? this.body.endsWith('data: [DONE]\n\n') : /event: message_stop\ndata: [^\n]*\n\n$/.test(this.body);
    if (terminator) return this.errorEvent ? 'short' : 'complete';
    return this.errorEvent ? 'error' : 'short';
  }

  // The error of the last event, in the stream's dialect.
  get errorEvent() {
    const last = this.body.slice(0, -2).split('\n\n').at(-1);
    const pattern = this.dialect === 'openai' ? /^data: (\{"error":.*\})$/ : /^event: error\ndata: (\{.*\})$/;
    const match = pattern.exec(last);
    if (!match) return null;
    const value = JSON.parse(match[1]);
    return this.dialect === 'openai' || value.type === 'error' ? value.error : null;
  }

  close() { this.connection.destroy(); }
}

// Sends requests one after the other on connections that are kept, until stop().
export class RequestLoop {
  answered = 0;
  failures = [];      // What went wrong with requests that had been sent.
  refused = 0;        // Connections that were never made: the listener was gone.
  connections = 0;
  closedByGateway = 0;
  statuses = new Map();
  latencies = [];

  // `perConnection`: a new connection after so many requests. `pause_ms`: between requests of a worker.
  constructor(port, bytes, { workers = 16, perConnection = Infinity, pause_ms = 0, isGood = (reply) => reply.status === 200 } = {}) {
    Object.assign(this, { port, bytes, perConnection, pause_ms, isGood, running: true });
    this.done = Promise.all(Array.from({ length: workers }, () => this.#work()));
  }

  async #work() {
    while (this.running) {
      const connection = new RawConnection(this.port);
      if (!await connection.connected) {
        if (connection.error?.code === 'ECONNREFUSED') this.refused++;
        else if (this.running) this.failures.push(`connect: ${connection.error?.code}`);
        if (this.refused > 0) return;
        continue;
      }
      this.connections++;
      for (let count = 0; this.running && count < this.perConnection; count++) {
        const began = performance.now();
        const bytes = typeof this.bytes === 'function' ? this.bytes() : this.bytes;
        let reply;
        try {
          reply = await connection.request(bytes, 15_000);
        } catch (error) {
          this.failures.push(error.message);
        }
        if (!reply) {
          this.failures.push(`no reply to request ${count} of a connection: ${connection.error?.code ?? connection.error?.message ?? 'closed'}`);
          break;
        }
        this.latencies.push(performance.now() - began);
        this.answered++;
        this.statuses.set(reply.status, (this.statuses.get(reply.status) ?? 0) + 1);
        if (!this.isGood(reply)) this.failures.push(`${reply.status} ${reply.body.slice(0, 200)}`);
        if (reply.closes) {
          this.closedByGateway++;
          break;
        }
        if (this.pause_ms) await new Promise((resolve) => setTimeout(resolve, this.pause_ms));
      }
      if (connection.closed) this.closedByGateway += connection.replies.at(-1)?.closes ? 0 : 1;
      connection.destroy();
    }
  }

  close() { this.running = false; }

  async stop() {
    this.close();
    await this.done;
  }
}

export const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))];
