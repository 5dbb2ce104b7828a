// What a provider can do wrong, by name. Each is given the context of simulator.mjs: most write raw bytes, past the HTTP
// server. One that stalls leaves the request open until its peer closes it.
import { gzipSync } from 'node:zlib';

const json = { 'content-type': 'application/json' };
const chunked = { 'transfer-encoding': 'chunked' };

// Frames are texts, or bytes where the framing is binary.
export const bytesOf = (frames) => Buffer.concat([frames].flat().map((frame) => Buffer.from(frame)));

const chunk = (body) => bytesOf([`${Buffer.byteLength(body).toString(16)}\r\n`, body, '\r\n']);
const kLastChunk = '0\r\n\r\n';
const kFar = 1_000_000; // More bytes than any reply here has.

// The head of a good reply and of its body as much as comes before the fault: in a stream the frames up to the content,
// and with `content` two pieces of that; else half of the JSON text.
async function begin(context, { content = false, framing = chunked, patience_ms = 2000 } = {}) {
  const part = context.stream
    ? bytesOf([...context.frames.open, ...(content ? context.frames.content.slice(0, 2) : [])])
    : context.whole().slice(0, context.whole().length >> 1);
  await context.write(context.head({ ...goodType(context), ...framing }));
  // A chunk of nothing would end the body.
  if (part.length > 0) await context.write(framing === chunked ? chunk(part) : part);
  // What comes next must not overtake it: a reset discards what the peer has not read yet.
  if (content && context.stream) await context.sim.seen(context.record.model, patience_ms);
}

// Ends a chunked body as HTTP wants it: only the dialect can tell that something is missing.
async function endCleanly(context) {
  await context.write(kLastChunk);
  context.end();
}

async function whole(context, headers, body) {
  await context.write(bytesOf([context.head({ 'content-length': Buffer.byteLength(body), ...headers }), body]));
  context.end();
}

const goodBody = ({ stream, frames, whole: text }) => (stream ? bytesOf([...frames.open, ...frames.content, ...frames.close]) : text());
const goodType = ({ stream, streamHeaders }) => (stream ? { 'content-type': streamHeaders['content-type'] } : json);
const stall = () => {};

async function forever(context, bytes) {
  // 32 MiB at most: a peer that reads them all has no limit.
  for (let sent = 0; sent < 32 << 20 && !context.socket.destroyed; sent += bytes.length) await context.write(bytes);
  context.record.answered = context.socket.destroyed;
}

const malformedFrame = ({ stream }) => (stream ? 'data: {"id": "chatcmpl-1", "choices": [{"delta": {"content": oops\n\n' : '{"id": oops}');
const errorBody = (context) => (context.stream
  ? context.sim.errorFrame(context) : JSON.stringify(context.sim.errorBody(500, { message: context.message ?? 'simulated failure' })));

export const faults = {
  // An error status: { status, headers, error }.
  status: ({ sim, response, record, status, headers, error }) => {
    record.answered = true;
    sim.reply(response, status, sim.errorBody(status, { message: `simulated ${status}`, ...error }), { ...sim.errorHeaders(status), ...headers });
  },

  // Before a byte of the reply.
  silence: stall,
  reset: (context) => context.reset(),
  close: (context) => context.end(),

  // The head.
  bad_status_line: async (context) => { await context.write('HTTP/9.9 banana\r\n\r\n'); context.end(); },
  oversized_header: (context) => whole(context, { ...goodType(context), 'x-large': 'x'.repeat(200 << 10) }, goodBody(context)),
  endless_headers: async (context) => {
    await context.write('HTTP/1.1 200 OK\r\n');
    await forever(context, `x-more: ${'y'.repeat(1000)}\r\n`.repeat(64));
  },
  endless_interim: (context) => forever(context, 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(64)),
  many_interim: async (context) => {
    await context.write('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(200));
    await whole(context, goodType(context), goodBody(context));
  },
  two_lengths: (context) => whole(context, { ...goodType(context), 'content-length': '5', 'Content-Length': '7' }, goodBody(context)),
  redirect: async (context) => {
    await context.write(context.head({ location: context.location, 'content-length': 0 }, `${context.status ?? 302} Found`));
    context.end();
  },

  // The body.
  empty: (context) => whole(context, goodType(context), ''),
  no_content: async (context) => { await context.write(context.head({}, '204 No Content')); context.end(); },
  html: (context) => whole(context, { 'content-type': 'text/html' }, '<html><body>It works!</body></html>'),
  wrong_type: (context) => (context.stream
    ? whole(context, json, context.whole()) : whole(context, { 'content-type': 'text/event-stream' }, context.sim.errorFrame({}))),
  gzip: (context) => {
    const bytes = gzipSync(goodBody(context));
    return context.write(Buffer.concat([Buffer.from(context.head({ ...goodType(context), 'content-encoding': 'gzip', 'content-length': bytes.length })), bytes]))
      .then(() => context.end());
  },
  other_json: (context) => whole(context, goodType(context), context.stream ? 'data: {"hello":"world"}\n\n' : '{"hello":"world"}'),

  // Begins well; with `content` the fault comes after the first content of a stream.
  stall: async (context) => { await begin(context, context); },
  break: async (context) => { await begin(context, context); context.reset(); },
  // The connection ends within the chunked body.
  cut: async (context) => { await begin(context, context); context.end(); },
  // It ends before the announced length.
  short: async (context) => { await begin(context, { ...context, framing: { 'content-length': kFar } }); context.end(); },
  // It ends as HTTP wants it, but the answer is not complete.
  clean_end: async (context) => { await begin(context, context); await endCleanly(context); },
  // The same where the connection's end is the framing.
  close_delimited: async (context) => { await begin(context, { ...context, framing: {} }); context.end(); },
  // No fault at all: a stream that goes on when the client has seen its beginning.
  wait_and_finish: async (context) => {
    if (!context.stream) return whole(context, json, context.whole());
    await begin(context, { ...context, content: true });
    await context.write(chunk(bytesOf([...context.frames.content.slice(2), ...context.frames.close])));
    return endCleanly(context);
  },
  chunk_garbage: async (context) => { await begin(context, context); await context.write('ZZZ\r\nnonsense\r\n'); context.end(); },
  malformed: async (context) => {
    if (!context.stream) return whole(context, json, malformedFrame(context));
    await begin(context, context);
    await context.write(chunk(malformedFrame(context)));
    return endCleanly(context);
  },
  error_frame: async (context) => {
    if (!context.stream) return whole(context, json, errorBody(context));
    await begin(context, context);
    await context.write(chunk(errorBody(context)));
    return endCleanly(context);
  },
  // Gives a stream's content as far as `at`, a share of its bytes behind the first frame, and breaks in the way that `how`
  // names. The client has the first frame by then.
  killed: async (context) => {
    const { open, content } = context.frames;
    await context.write(context.head({ ...goodType(context), ...chunked }));
    const seen = context.sim.seen(context.record.model, 2000);
    await context.write(chunk(bytesOf([...open, ...content.slice(0, 1)])));
    await seen;
    const rest = bytesOf(content.slice(1));
    const part = rest.subarray(0, Math.round(context.at * rest.length));
    if (part.length > 0) await context.write(chunk(part));
    if (context.how === 'reset') return context.reset();
    if (context.how === 'error_frame') await context.write(chunk(errorBody(context)));
    if (context.how === 'cut') return context.end();
    return context.how === 'stall' ? undefined : endCleanly(context);
  },
  // Goes on after an error, as if nothing had been.
  error_frame_ignored: async (context) => {
    if (!context.stream) return whole(context, json, errorBody(context));
    await begin(context, context);
    await context.write(chunk(bytesOf([errorBody(context), ...context.frames.close])));
    return endCleanly(context);
  },
};
