// What holds for streams of every client dialect, passed through and translated: their head, their silence, their end, and
// the time that a caller's SDK gives them.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { askRaw } from './lib/clients.mjs';
import { plainText } from './lib/simulator.mjs';
import { kUsage, keys, startStand } from './lib/stand.mjs';
import { group, slow, test } from './lib/util.mjs';

const slowly = { connect: '5s', first_token: '60s', between_tokens: '60s' };
let stand;
before(async () => {
  stand = await startStand({ limits: { heartbeat: `${slow}s` }, models: {
    'gpt-*': { targets: [{ provider: 'openai' }], timeouts: slowly }, 'claude-*': { targets: [{ provider: 'anthropic' }], timeouts: slowly },
    'gemini-*': { targets: [{ provider: 'gemini' }], timeouts: slowly },
  } });
});
after(() => stand?.stop());

const upstreams = { openai: 'gpt-4o', anthropic: 'claude-sonnet-4-5', gemini: 'gemini-2.0-flash' };
const comments = (raw) => raw.split('\n').filter((line) => line.startsWith(':')).length;
const limits = { openai: 'x-stainless-timeout', responses: 'x-stainless-timeout', anthropic: 'x-stainless-timeout', gemini: 'x-server-timeout' };

// Most of their time is waiting.
group('streams', 12, () => {
  for (const client of ['openai', 'responses', 'anthropic', 'gemini']) {
    for (const [upstream, base] of Object.entries(upstreams)) {
      const name = (what) => `${base}-streams-${client}-${what}`;
      const ask = (what, options = {}) => askRaw(client, stand.gateway, name(what), { stream: true, key: keys.client, ...options });

      test(`${client} client, ${upstream}: the head and the end of a stream`, async () => {
        stand.sims[upstream].script(name('head'), { usage: kUsage, chop: 3 });
        const { headers, raw, ended, text } = await ask('head');
        assert.deepEqual([ended, text], ['complete', plainText]);
        assert.match(headers['content-type'], /^text\/event-stream/);
        assert.deepEqual([headers['cache-control'], headers['x-accel-buffering'], headers['content-encoding']], ['no-cache', 'no', undefined]);
        // Each of these breaks a reader that is in use.
        assert.doesNotMatch(raw, /^(id|retry):/m);
        assert.equal(raw.includes('[DONE]'), client === 'openai');
        assert.ok(!JSON.stringify(raw).includes('usage') || client !== 'openai' || upstream === 'openai', 'usage that nobody asked for');
      });

      test(`${client} client, ${upstream}: a silence within a stream is filled with comments`, async () => {
        stand.sims[upstream].script(name('silent'), { fault: 'wait_and_finish', patience_ms: 2500 * slow });
        const { raw, ended, text } = await ask('silent');
        assert.deepEqual([ended, text], ['complete', plainText]);
        assert.ok(comments(raw) >= 1 && comments(raw) <= 3 * slow, `${comments(raw)} comments`);
      });

      test(`${client} client, ${upstream}: the caller's own limit ends the wait for an answer, and no stream that has begun`, async () => {
        const limited = (seconds) => ({ headers: { [limits[client]]: String(seconds * slow) } });
        stand.sims[upstream].script(name('late'), { fault: 'silence' });
        for (const stream of [false, true]) {
          const began = performance.now();
          const outcome = await askRaw(client, stand.gateway, name('late'), { stream, key: keys.client, ...limited(0.5) });
          assert.deepEqual([outcome.status, outcome.ended], [504, 'error'], outcome.raw);
          assert.ok(performance.now() - began < 3000 * slow);
        }
        if (client !== 'gemini') {
          // The SDKs for Python name what they wait for between two bytes.
          const { status } = await askRaw(client, stand.gateway, name('late'), { key: keys.client, headers: { 'x-stainless-read-timeout': String(0.5 * slow) } });
          assert.equal(status, 504);
        }
        // OpenAI's and Anthropic's SDKs wait that long for the head of a reply; Google's for all of it.
        if (client === 'gemini') return;
        stand.sims[upstream].script(name('long'), { fault: 'wait_and_finish', patience_ms: 2200 * slow });
        const { ended, text, raw } = await ask('long', limited(0.5));
        assert.deepEqual([ended, text], ['complete', plainText], raw);
      });
    }
  }
});
