// The provider dialects in one form: a simulator each, and where in a request of that dialect things stand.
import { AnthropicSimulator } from './anthropic_sim.mjs';
import { BedrockSimulator } from './bedrock_sim.mjs';
import { CohereSimulator } from './cohere_sim.mjs';
import { GeminiSimulator } from './gemini_sim.mjs';
import { OpenAiSimulator } from './openai_sim.mjs';
import { encrypted } from './responses_sim.mjs';

const account = { accessKey: 'AKIDOFTHESTAND', secretKey: 'secret-of-the-stand', sessionToken: 'session-of-the-stand', region: 'eu-central-1' };
const key = (name) => `sk-provider-of-${name}-4c1e`;
export const providerSecrets = { ...Object.fromEntries(['chat', 'responses', 'anthropic', 'gemini', 'cohere'].map((name) => [name, key(name)])), bedrock: account.secretKey };

const texts = (blocks) => (blocks ?? []).map((block) => block.text).filter(Boolean).join('\n');
const flat = (list, member) => list.flatMap((message) => (Array.isArray(message[member]) ? message[member] : []));
const base64 = (text) => Buffer.from(text).toString('base64');

// Of each: simulator(forbidden), config(sim), model and the model that thinks, and what a request holds: system, max, schema,
// askedToThink, thinkingBack (the thinking of the reply before, whole). `signature`: as this provider makes them.
// `showsThinking`: its replies hold it.
export const providers = {
  chat: {
    name: 'OpenAI chat completions', model: 'gpt-4o', thinker: 'gpt-5', showsThinking: false,
    simulator: (forbidden) => new OpenAiSimulator({ key: key('chat'), forbidden, only: 'chat' }),
    // OpenAI has both of its APIs, and a request in either would go on as it is: types of the configuration's own.
    type: { extends: 'openai', surfaces: [{ dialect: 'openai_chat', path: '/chat/completions' }] },
    config: (sim) => ({ type: 'chat_only', api_key: key('chat'), base_url: sim.baseUrl }),
    system: (body) => texts(body.messages.filter(({ role }) => role === 'system' || role === 'developer').map(({ content }) => ({ text: typeof content === 'string' ? content : texts(content) }))),
    max: (body) => body.max_completion_tokens, schema: (body) => body.response_format?.json_schema?.schema,
    askedToThink: (body) => body.reasoning_effort === 'high', thinkingBack: () => true, signature: () => undefined,
  },
  responses: {
    name: 'OpenAI responses', model: 'gpt-4o', thinker: 'gpt-5', showsThinking: true,
    simulator: (forbidden) => new OpenAiSimulator({ key: key('responses'), forbidden, only: 'responses' }),
    type: { extends: 'openai', surfaces: [{ dialect: 'openai_responses', path: '/responses' }] },
    config: (sim) => ({ type: 'responses_only', api_key: key('responses'), base_url: sim.baseUrl }),
    system: (body) => [body.instructions, ...(Array.isArray(body.input) ? body.input : []).filter(({ role }) => role === 'system' || role === 'developer').map(({ content }) => (typeof content === 'string' ? content : texts(content)))].filter(Boolean).join('\n'),
    max: (body) => body.max_output_tokens, schema: (body) => body.text?.format?.schema,
    askedToThink: (body) => body.reasoning?.effort === 'high' && body.include?.includes('reasoning.encrypted_content'),
    thinkingBack: (body, { text }) => body.input.some((item) => item.type === 'reasoning' && item.encrypted_content === encrypted(text)),
    signature: () => undefined,
  },
  anthropic: {
    name: 'Anthropic messages', model: 'claude-sonnet-4-5', thinker: 'claude-sonnet-4-5-thinks', showsThinking: true,
    simulator: (forbidden) => new AnthropicSimulator({ key: key('anthropic'), forbidden }),
    config: (sim) => ({ type: 'anthropic', api_key: key('anthropic'), base_url: sim.baseUrl }),
    system: (body) => (typeof body.system === 'string' ? body.system : texts(body.system)), max: (body) => body.max_tokens,
    schema: (body) => body.output_config?.format?.schema, askedToThink: (body) => body.thinking?.type === 'enabled' && body.thinking.budget_tokens > 8192,
    thinkingBack: (body, { text, signature }) => flat(body.messages, 'content').some((block) => block.thinking === text && block.signature === signature),
    signature: (of) => `sig-anthropic-${base64(of)}`,
  },
  gemini: {
    name: 'Gemini generateContent', model: 'gemini-2.0-flash', thinker: 'gemini-3-pro', showsThinking: true,
    simulator: (forbidden) => new GeminiSimulator({ key: key('gemini'), forbidden }),
    config: (sim) => ({ type: 'gemini', api_key: key('gemini'), base_url: sim.baseUrl }),
    system: (body) => texts(body.systemInstruction?.parts), max: (body) => body.generationConfig?.maxOutputTokens,
    schema: (body) => body.generationConfig?.responseJsonSchema ?? body.generationConfig?.responseSchema,
    askedToThink: (body) => body.generationConfig?.thinkingConfig?.thinkingLevel === 'HIGH' && body.generationConfig.thinkingConfig.includeThoughts === true,
    thinkingBack: (body, { signature }) => flat(body.contents, 'parts').some((part) => part.functionCall && part.thoughtSignature === signature),
    signature: (of) => base64(`sig-gemini-${of}`),
  },
  bedrock: {
    name: 'Bedrock Converse', model: 'anthropic.claude-sonnet-4-5-20250929-v1:0', thinker: 'anthropic.claude-sonnet-4-5-20250929-v1:1', showsThinking: true,
    simulator: (forbidden) => new BedrockSimulator({ account, forbidden }),
    config: (sim) => ({
      type: 'bedrock', base_url: sim.baseUrl, region: account.region, access_key_id: account.accessKey, secret_access_key: account.secretKey, session_token: account.sessionToken,
    }),
    system: (body) => texts(body.system), max: (body) => body.inferenceConfig?.maxTokens,
    schema: (body) => { const text = body.outputConfig?.textFormat?.structure?.jsonSchema?.schema; return text && JSON.parse(text); },
    askedToThink: (body) => body.additionalModelRequestFields?.thinking?.budget_tokens > 8192,
    thinkingBack: (body, { text, signature }) => flat(body.messages, 'content').some(({ reasoningContent: { reasoningText } = {} }) => reasoningText?.text === text && reasoningText.signature === signature),
    signature: (of) => `sig-bedrock-${base64(of)}`,
  },
  cohere: {
    name: 'Cohere v2 chat', model: 'command-a', thinker: 'command-a-reasoning', showsThinking: true, plans: true,
    simulator: (forbidden) => new CohereSimulator({ key: key('cohere'), forbidden }),
    config: (sim) => ({ type: 'cohere', api_key: key('cohere'), base_url: sim.baseUrl }),
    system: (body) => texts(body.messages.filter(({ role }) => role === 'system').map(({ content }) => ({ text: typeof content === 'string' ? content : texts(content) }))),
    max: (body) => body.max_tokens, schema: (body) => body.response_format?.json_schema,
    askedToThink: (body) => body.thinking?.type === 'enabled', thinkingBack: () => true, signature: () => undefined,
  },
};
