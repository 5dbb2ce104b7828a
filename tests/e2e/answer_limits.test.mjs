// Limits on what an upstream may send: over one of them the reply is a bad one, 502 alone and the next target's with a second;
// and the gateway's memory stays within the limit. Up to the limit it is passed on.
import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import { after, before } from 'node:test';
import { Gateway } from './lib/gateway.mjs';
import { chatBytes, messageBytes } from './lib/http_client.mjs';
import { isSanitized, peak_KiB, resetPeak, rss_KiB } from './lib/process.mjs';
import { RawConnection } from './lib/raw.mjs';
import { Upstream, frames, wholeReply } from './lib/upstream.mjs';
import { slow, test, until } from './lib/util.mjs';

const kMiB = 1 << 20;
const kSlack_KiB = 16 * 1024;

// Replies by name, written past the HTTP server. `memory_MiB`: how much of it the gateway may hold at a time.
// No connection is used twice: what is written here is nothing that the HTTP server knows of.
const json = (more = '') => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n${more}`;
const events = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n';
const good = wholeReply('m', 'fine');
const withLength = (body, more = '') => `${json(more)}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
const interim = (count) => 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(count);
const padded = (size) => good.replace('"fine"', `"${'x'.repeat(size)}"`);
const eventOf = (size) => frames.role('m') + frames.text('m', 'x'.repeat(size)) + frames.end('m');

const within = {
  'a head of 60 KiB': { bytes: () => withLength(good, `x-large: ${'x'.repeat(60_000)}\r\n`) },
  '16 interim replies': { bytes: () => interim(16) + withLength(good) },
  'a JSON reply of 60 MiB': { bytes: () => withLength(padded(60 * kMiB)), memory_MiB: 64 },
  'an event of 15 MiB': { bytes: () => events + eventOf(15 * kMiB), stream: true, memory_MiB: 16 },
};

const over = {
  'a head of 70 KiB': { bytes: () => withLength(good, `x-large: ${'x'.repeat(70_000)}\r\n`) },
  'a head of many fields': { bytes: () => withLength(good, 'x-more: y\r\n'.repeat(10_000)) },
  'a head without end': { bytes: () => json(), endless: 'x-more: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n' },
  'a status line without end': { bytes: () => 'HTTP/1.1 200 ', endless: 'O' },
  '17 interim replies': { bytes: () => interim(17) + withLength(good) },
  'interim replies without end': { bytes: () => '', endless: interim(1) },
  'a JSON reply of 65 MiB': { bytes: () => withLength(padded(65 * kMiB)), memory_MiB: 64 },
  'a JSON reply of 1 TiB, it says': { bytes: () => `${json()}content-length: ${2 ** 40}\r\n\r\n${good}`, closes: true },
  'a JSON reply without end': { bytes: () => `${json()}\r\n{"a":"`, endless: 'x', memory_MiB: 64 },
  'a JSON reply in chunks without end': { bytes: () => `${json()}transfer-encoding: chunked\r\n\r\n`, endless: `10000\r\n${'x'.repeat(65_536)}\r\n`, memory_MiB: 64 },
  'a chunk extension without end': { bytes: () => `${json()}transfer-encoding: chunked\r\n\r\n5;`, endless: 'x' },
  'trailers without end': { bytes: () => `${json()}transfer-encoding: chunked\r\n\r\n${good.length.toString(16)}\r\n${good}\r\n0\r\n`, endless: 'x-more: y\r\n' },
  'a bomb of gzip': { bytes: () => bomb },
  'an event of 17 MiB': { bytes: () => events + eventOf(17 * kMiB), stream: true, memory_MiB: 16 },
  'an event without end': { bytes: () => `${events}data: {"x":"`, endless: 'x', stream: true, memory_MiB: 16 },
  'an event of lines without end': { bytes: () => events, endless: 'data: x\n', stream: true, memory_MiB: 16 },
  'a line that is no field, without end': { bytes: () => events, endless: 'x', stream: true, memory_MiB: 16 },
  'a gzip bomb for a stream': { bytes: () => Buffer.concat([Buffer.from(`${events.slice(0, -2)}content-encoding: gzip\r\n\r\n`), bombBody]), stream: true },
};

const bombBody = gzipSync(Buffer.alloc(100 * kMiB, ' '));
const bomb = Buffer.concat([Buffer.from(`${json('content-encoding: gzip\r\n')}content-length: ${bombBody.length}\r\n\r\n`), bombBody]);

let gateway, upstream, second;
const slug = (name) => name.replaceAll(/[ ,]+/g, '_');
const all = Object.fromEntries(Object.entries({ ...within, ...over }).map(([name, each]) => [slug(name), each]));

before(async () => {
  upstream = await new Upstream(async (call) => {
    const { bytes, endless, closes } = all[call.model.split('.')[0]];
    const write = (piece) => new Promise((resolve) => (call.socket.destroyed ? resolve() : call.socket.write(piece, resolve)));
    await write(bytes());
    if (closes) call.socket.end();
    if (!endless) return;
    const piece = endless.repeat(Math.ceil(65_536 / endless.length));
    // More than any limit, and then it waits: a gateway that wants all of it never answers.
    for (let sent = 0; sent < 100 * kMiB && !call.socket.destroyed; sent += piece.length) await write(piece);
  }).start();
  second = await new Upstream((call) => call.answer('second')).start();
  const models = {};
  const timeouts = { first_token: '10s', between_tokens: '10s', total: '20s' };
  for (const name of Object.keys(all)) {
    models[`${slug(name)}.alone`] = { targets: [{ provider: 'up' }], timeouts };
    models[`${slug(name)}.translated`] = { targets: [{ provider: 'up' }], timeouts };
    models[`${slug(name)}.two`] = { targets: [{ provider: 'up' }, { provider: 'second' }], timeouts, retry: { budget: '100%' } };
  }
  gateway = await Gateway.start({ providers: { up: upstream.provider, second: second.provider }, models, telemetry: { logs: 'warning' } });
});

after(async () => {
  await gateway?.stop();
  await upstream.stop();
  await second.stop();
});

// The reply, and what the gateway's memory grew by meanwhile.
async function ask(model, { stream }, bytes = chatBytes) {
  resetPeak(gateway.pid);
  const memory = rss_KiB(gateway.pid);
  const connection = new RawConnection(gateway.port);
  const reply = await connection.request(bytes(model, stream ? { stream: true } : {}), 15_000);
  const growth_KiB = peak_KiB(gateway.pid) - memory;
  connection.destroy();
  assert.ok(reply, `no reply: ${connection.error?.message}`);
  return { ...reply, growth_KiB };
}

function checkMemory({ growth_KiB }, { memory_MiB = 0 }) {
  if (!isSanitized) assert.ok(growth_KiB <= memory_MiB * 1024 + kSlack_KiB, `${growth_KiB} KiB`);
}

for (const [name, each] of Object.entries(within)) {
  test(`${name} is passed on`, { timeout: 40_000 * slow }, async () => {
    const reply = await ask(`${slug(name)}.alone`, each);
    assert.equal(reply.status, 200, reply.body.slice(0, 300));
    if (each.stream) assert.ok(reply.body.endsWith('data: [DONE]\n\n'));
    else assert.equal(reply.body.length, each.bytes().length - each.bytes().lastIndexOf('\r\n\r\n') - 4);
    checkMemory(reply, each);
  });
}

for (const [name, each] of Object.entries(over)) {
  test(`${name} is refused, and the second target serves`, { timeout: 40_000 * slow }, async () => {
    const [asked, began] = [second.requests, performance.now()];
    const alone = await ask(`${slug(name)}.alone`, each);
    assert.equal(alone.status, 502, alone.body.slice(0, 300));
    assert.equal(JSON.parse(alone.body).error.type, 'upstream_error');
    checkMemory(alone, each);
    await until('the upstream is released', () => [...upstream.open].every((call) => call.model !== `${slug(name)}.alone`), 1000);

    const translated = await ask(`${slug(name)}.translated`, each, messageBytes);
    assert.equal(translated.status, 502, translated.body.slice(0, 300));
    assert.equal(JSON.parse(translated.body).error.type, 'api_error');
    checkMemory(translated, each);

    const rescued = await ask(`${slug(name)}.two`, each);
    assert.equal(rescued.status, 200, rescued.body.slice(0, 300));
    assert.match(rescued.body, /second/);
    assert.equal(rescued.headers['x-switchyard-provider'], 'second');
    assert.equal(second.requests, asked + 1);
    assert.ok(performance.now() - began < 15_000 * slow, 'it waited for a timeout');
  });
}
