// The stand of the SDK tests: a gateway with keys in front of an OpenAI, an Anthropic, a Gemini, an OpenAI-compatible
// simulator and the bundled model. A name's beginning says where it goes: gpt-*, claude-*, gemini-*, rack-*; `local` is the
// bundled model.
import assert from 'node:assert/strict';
import { AnthropicSimulator } from './anthropic_sim.mjs';
import { anthropic, anthropic0, openai } from './clients.mjs';
import { Gateway } from './gateway.mjs';
import { GeminiSimulator } from './gemini_sim.mjs';
import { OpenAiSimulator } from './openai_sim.mjs';

export const keys = {
  client: 'sk-client-7d0e3a', limited: 'sk-client-limited-91bb',
  openai: 'sk-provider-openai-5c1f', anthropic: 'sk-ant-provider-e8a2', gemini: 'AIza-provider-77c0', rack: 'rack-provider-44d9',
};

// `store`: that section of the configuration.
export async function startStand({ models = {}, providers = {}, store, ...options } = {}) {
  const others = (own) => Object.entries(keys).filter(([name]) => name !== own).map(([, value]) => value);
  const sims = {
    openai: await new OpenAiSimulator({ key: keys.openai, forbidden: others('openai') }).start(),
    anthropic: await new AnthropicSimulator({ key: keys.anthropic, forbidden: others('anthropic') }).start(),
    gemini: await new GeminiSimulator({ key: keys.gemini, forbidden: others('gemini') }).start(),
    rack: await new OpenAiSimulator({ key: keys.rack, forbidden: others('rack'), compatible: true, base64: false }).start(),
  };
  const stop = async () => { await Promise.all(Object.values(sims).map((sim) => sim.stop())); };
  let gateway;
  try {
    gateway = await Gateway.start({
      providers: {
        openai: { type: 'openai', api_key: keys.openai, base_url: sims.openai.baseUrl },
        anthropic: { type: 'anthropic', api_key: keys.anthropic, base_url: sims.anthropic.baseUrl },
        gemini: { type: 'gemini', api_key: keys.gemini, base_url: sims.gemini.baseUrl },
        rack: { type: 'openai_compatible', api_key: keys.rack, base_url: sims.rack.baseUrl },
        here: { type: 'local', models: { mini: 'bundled' } },
        ...providers,
      },
      models: {
        'gpt-*': { targets: [{ provider: 'openai' }] },
        'claude-*': { targets: [{ provider: 'anthropic' }] },
        'gemini-*': { targets: [{ provider: 'gemini' }] },
        'rack-*': { targets: [{ provider: 'rack' }] },
        local: { targets: [{ provider: 'here', model: 'mini' }] },
        ...models,
      },
      ...(store && { store }),
      keys: [{ name: 'app', secret: keys.client }, { name: 'limited', secret: keys.limited, models: ['gpt-allowed'] }],
    }, options);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    sims, gateway,
    openai: (more) => openai(gateway, keys.client, more),
    anthropic: (more) => anthropic(gateway, keys.client, more),
    anthropic0: (more) => anthropic0(gateway, keys.client, more),
    // After each test: what the providers have to complain about. For after() too, where it ends everything.
    assertClean() {
      for (const [name, sim] of Object.entries(sims)) assert.deepEqual(sim.takeViolations(), [], `violations at ${name}`);
    },
    async stop() {
      try {
        await gateway.stop();
      } finally {
        await stop();
      }
    },
  };
}

// The one request that a model's simulator saw, or the last of several.
export function lastBody(sim, model) {
  const records = sim.of(model);
  assert.ok(records.length > 0, `no request for ${model}; violations: ${sim.violations}`);
  return records.at(-1).body;
}

// What tests of several files speak about.
export const kPng = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export const kCalls = [
  { id: 'toolu_A1', name: 'get_weather', arguments: '{"city":"Zürich 🏔","days":[1,2,30],"deep":{"a":null,"b":[true,"\\"q\\""]}}' },
  { id: 'toolu_B2', name: 'get_time', arguments: '{"zone":"Europe/Zurich"}' },
];
export const kSchemas = {
  get_weather: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'array', items: { type: 'integer' } } }, required: ['city'] },
  get_time: { type: 'object', properties: { zone: { type: 'string' } } },
};
export const openAiTools = Object.entries(kSchemas).map(([name, parameters]) => ({ type: 'function', function: { name, description: `${name} of a place`, parameters } }));
export const anthropicTools = Object.entries(kSchemas).map(([name, input_schema]) => ({ name, description: `${name} of a place`, input_schema }));
export const kResults = { toolu_A1: 'sunny, 21 °C', toolu_B2: '12:00' };

// Cached and written tokens as no two numbers are alike.
export const kUsage = { input: 1000, output: 50, cached: 600, written: 0, reasoning: 0 };
