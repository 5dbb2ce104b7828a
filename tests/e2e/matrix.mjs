// Every client dialect through every kind of provider: what each cell of the table does. matrix.test.mjs runs them;
// `node matrix.mjs` prints the table as markdown, with the cells that cannot be and why.
import assert from 'node:assert/strict';
import { clientNames, clientTypes } from './lib/matrix_clients.mjs';
import { providers, providerSecrets } from './lib/matrix_providers.mjs';
import { Gateway } from './lib/gateway.mjs';
import { plainText } from './lib/simulator.mjs';
import { kCalls, kPng, kUsage } from './lib/stand.mjs';

const kKey = 'sk-client-of-the-matrix-91d2';
const schema = { type: 'object', properties: { city: { type: 'string' }, size: { type: 'integer' } }, required: ['city', 'size'], additionalProperties: false };
const results = { get_weather: 'sunny, 21 °C', get_time: '12:00' };
const tools = kCalls.map(({ name }) => name);
const args = kCalls.map((call) => JSON.parse(call.arguments));
const thinking = (provider, what) => ({ text: `Thought of ${what}: größer — "so".`, signature: providers[provider].signature(what) });
const failures = ['refused', 'limited', 'broken'];

export async function startMatrix(options = {}) {
  const sims = {};
  for (const [name, provider] of Object.entries(providers)) {
    const others = Object.entries(providerSecrets).filter(([other]) => other !== name).map(([, secret]) => secret);
    sims[name] = await provider.simulator([kKey, ...others]).start();
  }
  const stopSims = () => Promise.all(Object.values(sims).map((sim) => sim.stop()));
  const models = {};
  for (const provider of Object.keys(providers)) {
    // The name goes through without what says where to.
    models[`${provider}/*`] = { targets: [{ provider, model: '*' }] };
    // One target each, so that one's failures do not eject another.
    for (const client of Object.keys(clientTypes)) {
      for (const failure of failures) models[`${failure}/${client}/${provider}`] = { targets: [{ provider, model: `${failure}-${client}` }] };
    }
  }
  let gateway;
  try {
    gateway = await Gateway.start({
      provider_types: Object.fromEntries(Object.entries(providers).filter(([, { type }]) => type).map(([name, { type }]) => [`${name}_only`, type])),
      providers: Object.fromEntries(Object.entries(providers).map(([name, provider]) => [name, provider.config(sims[name])])),
      models, keys: [{ name: 'app', secret: kKey }],
    }, options);
  } catch (error) {
    await stopSims();
    throw error;
  }
  const clients = Object.fromEntries(Object.entries(clientTypes).map(([name, Client]) => [name, new Client(gateway, kKey)]));
  return {
    sims, gateway, clients,
    async stop() {
      try {
        await gateway.stop();
      } finally {
        await stopSims();
      }
    },
  };
}

// What a cell works with: a model of its own at the provider, and the requests that reached it.
function place(stand, client, provider, what, { thinks = false } = {}) {
  const { model, thinker } = providers[provider];
  const name = `${thinks ? thinker : model}-${client}-${what}`;
  const sim = stand.sims[provider];
  return {
    sim, name, model: `${provider}/${name}`, driver: stand.clients[client], traits: providers[provider],
    script: (...answers) => sim.script(name, ...answers),
    bodies: () => sim.of(name).map((record) => record.body),
    // What the provider refused of this model's requests.
    check() {
      const mine = sim.violations.filter((text) => text.startsWith(`${name}: `) || !text.includes(': '));
      assert.deepEqual(mine, [], `${provider} refused`);
    },
  };
}

async function text({ stand, client, provider, stream = false }) {
  const at = place(stand, client, provider, stream ? 'stream' : 'text');
  at.script({ usage: kUsage, chop: 5 });
  const reply = await at.driver.ask(at.driver.user('Say hello, Zoë.'), { model: at.model, stream, system: 'You are terse.', max: 77 });
  assert.equal(reply.text, plainText);
  assert.equal(reply.reason, 'stop');
  assert.ok(!stream || reply.pieces > 1, `${reply.pieces} pieces`);
  assert.deepEqual({ ...kUsage, ...reply.usage }, kUsage, 'usage');
  const [body] = at.bodies();
  assert.ok(JSON.stringify(body).includes('Say hello, Zoë.'));
  assert.equal(at.traits.max(body), 77);
  if (client !== 'completions') assert.equal(at.traits.system(body), 'You are terse.');
  at.check();
}

function assertCalls(calls, count, { named = true } = {}) {
  assert.deepEqual(calls.map(({ name, args: value }) => [name, value]), kCalls.slice(0, count).map(({ name }, i) => [name, args[i]]));
  if (named) assert.equal(new Set(calls.map(({ id }) => id)).size, count, 'ids of calls');
}

// A turn with calls, and their results back; `parallel`: two at once, streamed.
async function callTools({ stand, client, provider, parallel = false }) {
  const count = parallel ? 2 : 1;
  const at = place(stand, client, provider, `tools-${count}`);
  at.script({ text: ['Let me ', 'look.'], tools: kCalls.slice(0, count), chop: 11 }, { text: 'It is sunny.' });
  const question = at.driver.user('Weather and time in Zürich?');
  const options = { model: at.model, tools, stream: parallel };
  const first = await at.driver.ask(question, options);
  // Gemini gives none, which its own clients see as it is.
  assertCalls(first.calls, count, { named: client !== 'gemini' || provider !== 'gemini' });
  assert.equal(first.reason, 'tools');
  // Cohere calls that its plan, and it is shown as thinking, to Gemini's clients only when they ask for thoughts.
  const plan = client === 'gemini' ? '' : 'Let me look.';
  assert.deepEqual([first.text, first.thinking], at.traits.plans ? ['', plan] : ['Let me look.', '']);
  const second = await at.driver.ask([...question, ...first.messages, ...at.driver.results(first, results)], options);
  assert.equal(second.text, 'It is sunny.');
  const [, body] = at.bodies();
  const sent = JSON.stringify(body);
  for (const part of [...tools.slice(0, count).map((name) => results[name]), 'Zürich 🏔']) assert.ok(sent.includes(part), `${part} did not reach the provider`);
  // A provider's own ids come back to it as they were.
  if (provider !== 'gemini') for (const { id } of kCalls.slice(0, count)) assert.equal(sent.split(`"${id}"`).length, 3, `the id ${id}`);
  at.check();
}

async function image({ stand, client, provider }) {
  const at = place(stand, client, provider, 'image');
  const reply = await at.driver.ask(at.driver.user('What is this?', true), { model: at.model });
  assert.equal(reply.text, plainText);
  const sent = JSON.stringify(at.bodies()[0]);
  assert.ok(sent.includes(kPng) && sent.includes('What is this?'), 'the image did not reach the provider');
  at.check();
}

async function jsonSchema({ stand, client, provider }) {
  const at = place(stand, client, provider, 'schema');
  for (const stream of [false, true]) {
    at.script({ text: ['{"city":"Bern",', '"size":3}'] });
    const reply = await at.driver.ask(at.driver.user('Where, as JSON?'), { model: at.model, schema, stream });
    assert.deepEqual(JSON.parse(reply.text), { city: 'Bern', size: 3 });
    const sent = at.traits.schema(at.bodies().at(-1));
    assert.ok(sent, `no schema in ${JSON.stringify(at.bodies().at(-1))}`);
    assert.deepEqual(Object.entries(sent.properties).map(([name, { type }]) => [name, type.toLowerCase()]), [['city', 'string'], ['size', 'integer']]);
    assert.deepEqual(sent.required, ['city', 'size']);
  }
  at.check();
}

async function think({ stand, client, provider }) {
  for (const stream of [false, true]) {
    const what = `think-${stream}`;
    const at = place(stand, client, provider, what, { thinks: true });
    const thought = thinking(provider, `${client} ${what}`);
    at.script({ thinking: thought, text: [], tools: kCalls.slice(0, 1), usage: { ...kUsage, reasoning: 20 }, chop: 7 }, { text: 'Sunny.' });
    const question = at.driver.user('Weather?');
    const options = { model: at.model, tools, effort: 'high', max: 16_000, stream };
    const first = await at.driver.ask(question, options);
    assert.ok(at.traits.askedToThink(at.bodies()[0]), `not asked to think: ${JSON.stringify(at.bodies()[0])}`);
    assert.equal(first.thinking, at.traits.showsThinking ? thought.text : '');
    assertCalls(first.calls, 1);
    assert.equal(first.usage.output, 50, 'reasoning is part of the output, once');
    const second = await at.driver.ask([...question, ...first.messages, ...at.driver.results(first, results)], options);
    assert.equal(second.text, 'Sunny.');
    assert.ok(at.traits.thinkingBack(at.bodies()[1], thought), `the thinking did not come back: ${JSON.stringify(at.bodies()[1])}`);
    at.check();
  }
}

async function errors({ stand, client, provider }) {
  const { driver } = place(stand, client, provider, 'error'), sim = stand.sims[provider];
  const failing = async (failure, behaviour, stream) => {
    sim.script(`${failure}-${client}`, behaviour);
    const names = [];
    try {
      await driver.ask(driver.user('Hi'), { model: `${failure}/${client}/${provider}`, stream });
    } catch (error) {
      for (let type = error.constructor; type.name && type !== Object; type = Object.getPrototypeOf(type)) names.push(type.name);
      return { names, status: error.status, message: error.message };
    }
    return assert.fail(`${failure}: no error`);
  };
  for (const stream of [false, true]) {
    const refused = await failing('refused', { fault: 'status', status: 400, error: { message: 'messages: too odd' } }, stream);
    assert.deepEqual([refused.status, refused.names[0]], [400, driver.errors[400]], refused.message);
    assert.match(refused.message, /too odd/, 'the provider\'s own words');
  }
  const limited = await failing('limited', { fault: 'status', status: 429 }, false);
  assert.deepEqual([limited.status, limited.names[0]], [429, driver.errors[429]], limited.message);
  const broken = await failing('broken', { fault: 'error_frame', content: true, patience_ms: 50 }, true);
  assert.ok(broken.names.includes(driver.errors.broken), `${broken.names}: ${broken.message}`);
  assert.doesNotMatch(broken.message, /terminated|ECONNRESET|aborted/);
}

export const features = {
  text: (cell) => text(cell),
  stream: (cell) => text({ ...cell, stream: true }),
  tools: (cell) => callTools(cell),
  'parallel tools, streamed': (cell) => callTools({ ...cell, parallel: true }),
  image,
  'JSON schema': jsonSchema,
  thinking: think,
  error: errors,
};

// Why a cell cannot be, or a note on what it can.
export function impossible(client, feature) {
  if (client === 'completions' && !['text', 'stream', 'error'].includes(feature)) return 'the API takes and gives one text';
  return undefined;
}
export function note(client, provider, feature) {
  if (feature === 'thinking' && provider === 'chat') return 'the effort goes there; this API gives no reasoning back';
  if (feature === 'thinking' && provider === 'cohere') return 'its thinking carries no signature';
  return undefined;
}

export const cells = Object.keys(clientTypes).flatMap((client) => Object.keys(providers).flatMap((provider) =>
  Object.keys(features).map((feature) => ({ client, provider, feature, impossible: impossible(client, feature), note: note(client, provider, feature) }))));

export async function runCell(stand, { client, provider, feature }) {
  await features[feature]({ stand, client, provider });
}

// A conversation that goes from provider A to B and back: both verify their own thinking, and each call keeps its id.
export async function roundTrip(stand, client, a, b, stream) {
  const what = `trip-${a}-${b}-${stream}`;
  const [first, second] = [a, b].map((provider) => place(stand, client, provider, what, { thinks: true }));
  const [thoughtA, thoughtB] = [a, b].map((provider) => thinking(provider, `${client} ${what} ${provider}`));
  const { driver } = first;
  first.script({ thinking: thoughtA, text: [], tools: [kCalls[0]], chop: 13 }, { text: 'Done.' });
  second.script({ thinking: thoughtB, text: 'And the time?', tools: [{ ...kCalls[1], id: 'call_of_b' }], chop: 13 });
  const options = { tools, effort: 'high', max: 16_000, stream };
  let history = driver.user('Weather and time?');
  const one = await driver.ask(history, { ...options, model: first.model });
  history = [...history, ...one.messages, ...driver.results(one, results)];
  const two = await driver.ask(history, { ...options, model: second.model });
  assert.deepEqual(two.calls.map(({ name, args: value }) => [name, value]), [['get_time', args[1]]]);
  history = [...history, ...two.messages, ...driver.results(two, results)];
  const three = await driver.ask(history, { ...options, model: first.model });
  assert.equal(three.text, 'Done.');
  const back = first.bodies()[1];
  assert.ok(first.traits.thinkingBack(back, thoughtA), `A's thinking did not come back to it: ${JSON.stringify(back)}`);
  if (a !== 'gemini') assert.equal(JSON.stringify(back).split('"toolu_A1"').length, 3, 'A\'s call kept its id');
  const foreign = JSON.stringify(second.bodies()[0]);
  assert.ok(!thoughtA.signature || !foreign.includes(thoughtA.signature), 'A\'s signature went to B');
  for (const at of [first, second]) at.check();
}

// The table as markdown: `outcomes` has the cells with { passed, error }.
export function markdown(outcomes) {
  const names = Object.keys(features);
  const notes = [];
  const mark = (cell) => {
    if (!cell.impossible && !cell.note) return cell.passed ? '✓' : '✗';
    const why = cell.impossible ?? cell.note;
    if (!notes.includes(why)) notes.push(why);
    return `${cell.impossible ? '-' : cell.passed ? '✓' : '✗'} (${notes.indexOf(why) + 1})`;
  };
  const rows = Object.keys(clientTypes).flatMap((client) => Object.keys(providers).map((provider) => {
    const found = names.map((feature) => outcomes.find((cell) => cell.client === client && cell.provider === provider && cell.feature === feature));
    return `| ${clientNames[client]} | ${providers[provider].name} | ${found.map(mark).join(' | ')} |`;
  }));
  return [`| client | provider | ${names.join(' | ')} |`, `|---|---|${names.map(() => ':-:').join('|')}|`, ...rows, '', ...notes.map((why, i) => `${i + 1}. ${why}`), ''].join('\n');
}

export async function runAll(stand, list = cells, width = 8) {
  const outcomes = [], waiting = [...list];
  await Promise.all(Array.from({ length: width }, async () => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift()) {
      const outcome = { ...cell, passed: false };
      outcomes.push(outcome);
      if (cell.impossible) continue;
      try {
        await runCell(stand, cell);
        outcome.passed = true;
      } catch (error) {
        outcome.error = error;
      }
    }
  }));
  return outcomes;
}

if (process.argv[1] === import.meta.filename) {
  const stand = await startMatrix();
  try {
    const outcomes = await runAll(stand);
    console.log(markdown(outcomes));
    for (const { client, provider, feature, error } of outcomes.filter((cell) => cell.error)) console.error(`${client} → ${provider}, ${feature}: ${error.message}`);
    process.exitCode = outcomes.some((cell) => cell.error) ? 1 : 0;
  } finally {
    await stand.stop();
  }
}
