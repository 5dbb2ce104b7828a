// `switchyard explain` and `switchyard simulate`, as an operator calls them: no gateway runs.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { runBinary } from './lib/gateway.mjs';
import { test } from './lib/util.mjs';

const configuration = (weight) => `version: 1
providers:
  north: { type: openai_compatible, base_url: "http://127.0.0.1:1/v1" }
  south: { type: openai_compatible, base_url: "http://127.0.0.1:2/v1" }
models:
  assistant:
    targets:
      - { provider: north, model: chat, prices: { input: 1, output: 2 } }
      - { provider: south, model: chat, weight: ${weight}, prices: { input: 1, output: 2 }, context_tokens: 10000 }
      - { provider: south, model: vision, when: { images: true } }
    strategy: score
    hedge: {}
`;

const evidence = { signal: 'output_invalid', seen: 200, bad: 50, mean: 0.25, allowed: 0.02, baseline: 0.01, baseline_version: 2, odds: 50000, severity: 0.5, belief: 1, factor: 0.5, since_ms: 1763992931000 };
const scores = {
  config: '0', scores_version: 3, scores_at_ms: 1763993000000,
  targets: [{ model: 'assistant', provider: 'north', target_model: 'chat', state: 'reduced', score: { state: 'reduced', quality: 0.5, why: 'output_invalid 25 % bad', evidence: [evidence] } }],
};

const target = (provider, model, more = {}) => ({ type: 'target', provider, model, bad: { output_invalid: 0.01 }, ...more });
const world = (traffic) => [
  { type: 'traffic', seed: 2, rate: 50, ...traffic },
  target('north', 'chat'), target('south', 'chat', { failures: 0.02 }), target('south', 'vision'),
  { type: 'change', at: 20, provider: 'north', model: 'chat', failures: 0.5 },
];

let folder;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'switchyard-simulate-'));
  await writeFile(at('base.yaml'), configuration(1));
  await writeFile(at('heavier.yaml'), configuration(3));
  await writeFile(at('scores.json'), JSON.stringify(scores));
});
after(() => rm(folder, { recursive: true, force: true }));

const at = (name) => path.join(folder, name);
const writeLines = (name, lines) => writeFile(at(name), lines.map((line) => JSON.stringify(line)).join('\n'));
const readLines = async (name) => (await readFile(at(name), 'utf8')).trimEnd().split('\n').map((line) => JSON.parse(line));

async function run(...args) {
  const result = await runBinary(args, { limit_ms: 60_000 });
  return { ...result, output: result.stdout + result.stderr };
}

const explain = async (body, ...more) => {
  await writeFile(at('body.json'), JSON.stringify(body));
  return run('explain', '--config', at('base.yaml'), '--request', at('body.json'), ...more);
};
const chat = (content) => ({ model: 'assistant', messages: [{ role: 'user', content }] });

test('explain prints every target with its share, and what is out with the reason', async () => {
  const { code, stdout, stderr } = await explain(chat('Hello'));
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^`assistant`\n {2}strategy score \(objectives: quality 0\.60, latency 0\.30, cost 0\.10\)/);
  assert.match(stdout, /chat @ north: 50\.0 % of tier 0, serving/);
  assert.match(stdout, /vision @ south: out: its condition does not hold/);
  assert.match(stdout, /to be tried: chat @ (north|south) \(drawn by its share\), then chat @ /);
  assert.match(stdout, /hedge: no second attempt yet/);
});

test('explain with scores says in plain words what the evidence is', async () => {
  const { code, stdout, stderr } = await explain(chat('Hello'), '--scores', at('scores.json'));
  assert.equal(code, 0, stderr);
  assert.match(stdout, /chat @ north: [\d.]+ % of tier 0 \(would be 50\.0 %\), reduced/);
  assert.match(stdout, /output_invalid: 25\.0 % bad since 14:02:11 UTC \(50 of 200 bad\), at most 2\.0 % allowed \[baseline v2, 1\.0 %\]; odds 50,000:1 that it became worse/);
  const [, quality, share] = stdout.match(/ln share: .* quality (-[\d.]+) .* = ([\d.]+) %/);
  const factor = Math.exp(Number(quality));
  assert.ok(Math.abs((100 * factor) / (factor + 1) - Number(share)) < 0.1, stdout);
});

test('explain knows what does not fit', async () => {
  const { stdout } = await explain(chat('word '.repeat(20_000)));
  assert.match(stdout, /chat @ south: out: the prompt does not fit its context/);
});

test('explain says what is wrong with what it was given', async () => {
  for (const [args, expected] of [
    [['--request', at('none.json')], /none\.json: cannot be read/],
    [['--request', at('scores.json')], /scores\.json: not a JSON object with a `model`/],
  ]) {
    const { code, stderr } = await run('explain', '--config', at('base.yaml'), ...args);
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
  const other = await explain({ model: 'nobody' });
  assert.equal(other.code, 1);
  assert.match(other.stderr, /no model is called `nobody`/);
  const bad = await explain(chat('Hello'), '--scores', at('body.json'));
  assert.equal(bad.code, 1);
  assert.match(bad.stderr, /body\.json: not what GET \/admin\/providers gives/);
  assert.equal((await run('explain', '--config', at('base.yaml'))).code, 2);
  assert.equal((await run('explain', '--request-id', 'x', '--ledger', at('none.db'))).code, 1);
});

test('synthetic traffic runs, writes its points and its decisions, and the same seed gives the same', async () => {
  await writeLines('world.jsonl', world({ requests: 3000 }));
  const args = ['simulate', '--config', at('base.yaml'), '--traffic', at('world.jsonl')];
  const first = await run(...args, '--series', at('series.jsonl'), '--every', '5', '--decisions', at('decisions.jsonl'));
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stdout, /^3000 requests in \d+ s of virtual time: 3000 served, 0 not/);
  assert.equal((await run(...args)).stdout, first.stdout);
  assert.notEqual((await run(...args, '--seed', '3')).stdout, first.stdout);
  const points = await readLines('series.jsonl');
  assert.ok(points.length >= 12 && points.length <= 20, String(points.length));
  assert.deepEqual(points[0].targets.map(({ provider, model, state }) => [provider, model, state]),
    [['north', 'chat', 'serving'], ['south', 'chat', 'serving'], ['south', 'vision', 'serving']]);
  const decisions = await readLines('decisions.jsonl');
  assert.equal(decisions.length, 3000);
  assert.ok(decisions.some(({ attempts }) => attempts.length === 2 && !attempts[0].ok && attempts[1].ok));
});

test('recorded decisions are made again, bit by bit', async () => {
  const args = ['simulate', '--config', at('base.yaml'), '--traffic'];
  const { code, stdout, stderr } = await run(...args, at('decisions.jsonl'));
  assert.equal(code, 0, stderr);
  assert.equal(stdout, '3000 decisions made again: 3000 identical, 0 not\n');
  const text = await readFile(at('decisions.jsonl'), 'utf8');
  await writeFile(at('changed.jsonl'), text.replace(/"seed":"[0-9a-f]+"/, '"seed":"1234"'));
  const changed = await run(...args, at('changed.jsonl'));
  assert.match(changed.stdout, /^3000 decisions made again: 2999 identical, 1 not\n {2}sim-\d+: /);
  assert.equal(changed.code, 1);
});

test('another configuration: exactly the requests that a changed weight moves', async () => {
  const { code, stdout, stderr } = await run('simulate', '--config', at('base.yaml'), '--traffic', at('decisions.jsonl'),
    '--against', at('heavier.yaml'), '--moves', at('moves.jsonl'));
  assert.equal(code, 0, stderr);
  const moves = await readLines('moves.jsonl');
  assert.ok(moves.length > 100 && moves.length < 1500, String(moves.length));
  assert.ok(moves.every(({ to }) => to === 'south/chat'));
  assert.match(stdout, new RegExp(`\\n${moves.length} of 3000 requests move\\n`));
  assert.match(stdout, /load of south\/chat: [\d.]+ % -> [\d.]+ %/);
  assert.match(stdout, /expected cost: \$[\d.]+ -> \$[\d.]+ a request/);
});

test('simulate says what is wrong with what it was given, with the line', async () => {
  const rows = [
    ['world', [{ type: 'traffic' }, { type: 'target', speed: 1 }], /world:2: unknown member `speed`/],
    ['few', [{ type: 'traffic' }, target('north', 'chat')], /few: `assistant` has 3 targets, and 1 are described/],
    ['cut', [{ input: {} }], /cut:1: `strategy` is missing/],
  ];
  for (const [name, lines, expected] of rows) {
    await writeLines(name, lines);
    const { code, stderr } = await run('simulate', '--config', at('base.yaml'), '--traffic', at(name));
    assert.equal(code, 1);
    assert.match(stderr, expected);
  }
  const none = await run('simulate', '--config', at('base.yaml'), '--traffic', at('none'));
  assert.equal(none.code, 1);
  assert.equal((await run('simulate', '--config', at('base.yaml'))).code, 2);
});
