// Malformed and borderline input on raw sockets (malformed_cases.mjs, malformed_bodies.mjs): each case gets the answer that
// its row names, in time; never one that says the fault is the gateway's; and no provider sees anything of it.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before } from 'node:test';
import { bodies } from './malformed_bodies.mjs';
import { kBody, post, sections } from './malformed_cases.mjs';
import { Gateway } from './lib/gateway.mjs';
import { RawConnection, requestBytes } from './lib/raw.mjs';
import { SpyUpstream } from './lib/spy_upstream.mjs';
import { group, slow, test, until } from './lib/util.mjs';

const kHang_ms = 8000;
const kPaths = { openai: '/v1/chat/completions', anthropic: '/v1/messages' };
let gateway, spy, cases = 0, sentinels = 0;

before(async () => {
  spy = await new SpyUpstream('openai').start();
  const targets = [{ provider: 'spy' }];
  gateway = await Gateway.start({
    providers: { spy: { type: 'openai_compatible', base_url: `http://127.0.0.1:${spy.port}/v1`, api_key: 'sk-spy' } },
    models: { m: { targets }, smuggled: { targets } },
  }, { limits: { body: '2MiB', headers: '64KiB', request_read: slow > 1 ? '1500ms' : '1s', idle: '30s' } });
});

after(async () => {
  await gateway?.stop();
  await spy.stop();
});

const latin = (text) => Buffer.from(text, 'latin1');
const isOneOf = (expected, status) => [expected].flat().includes(status);

// Every reply up to the close, as [status or 'close', ...]. A connection that stays open gets one request more, of a path
// that nobody else asks for: its reply must be the next and the last.
async function converse(bytes, count) {
  const connection = new RawConnection(gateway.port, { methods: bytes.startsWith('HEAD ') ? ['HEAD'] : [] });
  connection.write(latin(bytes));
  await connection.when(`${count} replies`, () => connection.replies.length >= count && connection.reader.isIdle, kHang_ms);
  const last = connection.replies.at(-1);
  let isOpen = false;
  if (last && !last.closes && !connection.closed) {
    connection.write(requestBytes(`/sentinel/${++sentinels}`, { headers: { connection: 'close' } }));
    isOpen = true;
  }
  await connection.when('the connection closes', () => connection.closed, kHang_ms);
  if (connection.error && !['ECONNRESET', 'EPIPE'].includes(connection.error.code)) throw connection.error;
  return { replies: connection.replies, isOpen };
}

function checkReply({ status, headers, body }, dialect, method) {
  assert.ok(status < 500 || status === 501 || status === 505, `${status}: ${body}`);
  if (status < 400) return;
  if (body === '' && (status === 408 || method === 'HEAD')) return;
  assert.match(headers['content-type'] ?? '', /^application\/json/);
  const value = JSON.parse(body);
  assert.equal(typeof value.error?.message, 'string', body);
  assert.equal(typeof value.error.type, 'string', body);
  assert.doesNotMatch(body, /127\.0\.0\.1|sk-spy/);
  if (dialect === 'anthropic') assert.equal(value.type, 'error', body);
  else assert.equal(value.type, undefined, body);
}

// The replies of a row: one of its alternatives.
function alternatives(expected) {
  const list = Array.isArray(expected) ? expected : [expected];
  const whole = list.filter((each) => each.replies).map((each) => each.replies);
  const single = list.filter((each) => !each.replies);
  return single.length ? [...whole, [single]] : whole;
}

async function check(bytes, expected, dialect) {
  const options = alternatives(expected);
  const count = Math.max(...options.map((replies) => replies.length));
  const { replies, isOpen } = await converse(bytes, count);
  const { bodies: reached, violations } = spy.take();
  const statuses = replies.map((reply) => reply.status);
  if (isOpen && statuses.length > 1) assert.equal(statuses.pop(), 404, 'the reply to the last request');
  const seen = statuses.length ? statuses : ['close'];
  const fits = options.some((option) => option.length === seen.length && option.every((each, i) => isOneOf(each, seen[i])));
  assert.ok(fits, `got ${JSON.stringify(seen)}, expected ${JSON.stringify(expected)}; ${replies.map((reply) => reply.body.slice(0, 200))}`);
  for (const reply of replies.slice(0, statuses.length)) checkReply(reply, dialect, bytes.slice(0, bytes.indexOf(' ')));
  // What came of it upstream: nothing but what was answered, and never what hid in a body.
  assert.deepEqual(violations, []);
  assert.equal(reached.length, replies.filter((reply) => reply.status === 200 && 'x-switchyard-provider' in reply.headers).length);
  assert.ok(reached.every((body) => body.model === 'm'), 'a request that nobody sent');
}

async function checkAlive() {
  assert.equal(gateway.exit, null, gateway.stderr.slice(-2000));
  for (const [dialect, path] of Object.entries(kPaths)) {
    const body = { ...JSON.parse(kBody), max_tokens: 16 };
    const connection = new RawConnection(gateway.port);
    const reply = await connection.request(requestBytes(path, { body }), kHang_ms);
    assert.equal(reply?.status, 200, `${dialect}: ${reply?.body}`);
    assert.match(reply.body, /hello/);
    connection.destroy();
  }
  spy.take();
}

function row(name, bytes, expected, dialect = 'openai') {
  const number = ++cases;
  test(name, async () => {
    await check(bytes, expected, dialect);
    if (number % 25 === 0) await checkAlive();
  });
}

for (const [section, rows] of Object.entries(sections)) {
  group(section, 1, () => {
    for (const each of rows) row(...each);
  });
}

for (const [dialect, path] of Object.entries(kPaths)) {
  group(`bodies of ${path}`, 1, () => {
    for (const [name, body, expected] of bodies) {
      row(name, post(`Content-Length: ${body.length}\r\n`, body, path), expected[dialect] ?? expected, dialect);
    }
  });
}

group('content types', 1, () => {
  // Some clients send none, or a wrong one: the body decides. A coding of the content is another matter.
  const types = { none: '', 'text/plain': 'Content-Type: text/plain\r\n', 'with a charset': 'Content-Type: application/json; charset=utf-8\r\n',
    multipart: 'Content-Type: multipart/form-data; boundary=x\r\n', 'no type at all': 'Content-Type: ;;;\r\n', 'a form': 'Content-Type: application/x-www-form-urlencoded\r\n' };
  const head = post(`Content-Length: ${kBody.length}\r\n`);
  for (const [name, field] of Object.entries(types)) row(name, head.replace('Content-Type: application/json\r\n', field), [200, 400, 415]);
  row('a coded body', post(`Content-Length: 20\r\nContent-Encoding: gzip\r\n`, '\x1f\x8b\x08' + '\0'.repeat(17)), [400, 415]);
});

group('a path and another method', 1, () => {
  for (const method of ['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD']) {
    for (const [dialect, path] of Object.entries(kPaths)) row(`${method} ${path}`, requestBytes(path, { method }), 405, dialect);
  }
  row('POST /v1/models', requestBytes('/v1/models', { method: 'POST', body: {} }), 405);
  // What is on the admin port is not here.
  for (const path of ['/', '/metrics', '/livez', '/readyz', '/healthz', '/admin/providers', '/admin/reload', '/v1', '/v1/', '/v1/chat', '/v1/chat/completions/x', '/v1/messages/x',
    '/v1/chat/completions%00', '/v1/chat//completions', '/v1/chat/../chat/completions', '/v1/chat%2fcompletions', '/v1/CHAT/completions', '/v1x/chat/completions']) {
    for (const method of ['GET', 'POST']) row(`${method} ${path}`, requestBytes(path, { method, body: method === 'POST' ? kBody : undefined }), [404, 405]);
  }
  for (const path of ['/chat/completions', '/v1/chat/completions/', '/v1/v1/chat/completions', '/openai/v1/chat/completions', '/v1/chat/completions?a=b', '/v1/chat/completions?key=%00']) {
    row(`POST ${path}`, requestBytes(path, { body: kBody }), 200);
  }
});

test('Expect: 100-continue is answered before the body, and not when the body would be too large', async () => {
  for (const [fields, body] of [[`Content-Length: ${kBody.length}`, kBody], ['Transfer-Encoding: chunked', `${kBody.length.toString(16)}\r\n${kBody}\r\n0\r\n\r\n`]]) {
    const connection = new RawConnection(gateway.port);
    connection.write(post(`${fields}\r\nExpect: 100-continue\r\n`, ''));
    await connection.when('100 Continue', () => connection.reader.interim === 1);
    assert.equal((await connection.request(body)).status, 200);
    connection.destroy();
  }
  spy.take();
  const connection = new RawConnection(gateway.port);
  assert.equal((await connection.request(post('Content-Length: 3000000\r\nExpect: 100-continue\r\n', ''))).status, 413);
  assert.equal(connection.reader.interim, 0);
});

test('every split of a request gives the same answer', async () => {
  const bytes = post('Transfer-Encoding: chunked\r\n', `9\r\n${kBody.slice(0, 9)}\r\n${(kBody.length - 9).toString(16)}\r\n${kBody.slice(9)}\r\n0\r\n\r\n`);
  const connection = new RawConnection(gateway.port);
  for (let at = 1; at < bytes.length; at++) {
    connection.write(bytes.slice(0, at));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal((await connection.request(bytes.slice(at)))?.status, 200, `split at ${at}`);
  }
  connection.destroy();
  assert.equal(spy.take().bodies.length, bytes.length - 1);
});

// The tools of this file notice what they are for.
test('the spy notices malformed bytes; the reader of replies does too', async () => {
  for (const bytes of [post(`Content-Length: ${kBody.length}\r\n`), 'POST /v1/chat/completions HTTP/1.1\r\nhost : x\r\n\r\n', 'GET / HTTP/1.1\r\n\r\n']) {
    const socket = net.connect(spy.port, '127.0.0.1', () => socket.end(bytes));
    socket.on('error', () => {});
    await until('a violation', () => spy.take().violations.length === 1);
  }
  const liar = net.createServer((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'));
  await new Promise((resolve) => liar.listen(0, '127.0.0.1', resolve));
  const connection = new RawConnection(liar.address().port);
  await connection.when('the end', () => connection.closed);
  assert.match(connection.error?.message ?? '', /twice/);
  liar.close();
});

test('at the end: at least 250 cases, the gateway lives, nobody saw what was not meant for it', async () => {
  assert.ok(cases >= 250, `${cases} cases`);
  await checkAlive();
  assert.deepEqual(spy.take().violations, []);
});
