// The other providers as strict simulators: what each of them has of its own, over OpenAI's or another's rules.
import { createVerify, generateKeyPairSync } from 'node:crypto';
import http from 'node:http';
import { AnthropicSimulator } from './anthropic_sim.mjs';
import { GeminiSimulator } from './gemini_sim.mjs';
import { OpenAiSimulator } from './openai_sim.mjs';
import { refuse } from './rules.mjs';

const bearer = (key) => ['authorization', `Bearer ${key}`];
const apiKey = (key) => ['api-key', key];

// A provider of OpenAI's dialect. `base`: the path of its base URL; `chat`: of chat completions; `credential(key)`: the head
// field; `refuses`: fields that it does not take; `own(body)`: its own names, made OpenAI's; `error`: how it words one.
export class VendorSimulator extends OpenAiSimulator {
  constructor({ base, chat = '/chat/completions', query = '', credential = bearer, refuses = [], own = (body) => body, error, max = 'max_tokens', ...options }) {
    super({ compatible: true, ...options });
    Object.assign(this, { base, chat, query, credential, refuses, own, error, max });
  }

  get baseUrl() { return `http://127.0.0.1:${this.port}${this.base}`; }

  route(path, query) {
    return path === this.base + this.chat && query === this.query ? { kind: 'chat' } : undefined;
  }

  allowedHeaders() { return [...super.allowedHeaders(), ...(this.credential ? [this.credential('')[0]] : [])]; }

  checkHead(headers) {
    const [name, value] = this.credential ? this.credential(this.key) : ['authorization', undefined];
    if (headers[name] !== value) refuse(`wrong credential: ${headers[name]}`, { status: 401 });
  }

  checkBody(body, headers, record) {
    for (const name of this.refuses) if (name in body) refuse(`unknown field: ${name}`, { status: 422, param: name });
    for (const name of this.refuses.filter((each) => each.startsWith('messages.'))) {
      if (body.messages.some((message) => name.slice(9) in message)) refuse(`unknown field: ${name}`, { status: 422 });
    }
    for (const name of ['max_tokens', 'max_completion_tokens']) if (name !== this.max && name in body) refuse(`unknown field: ${name}`, { status: 422 });
    const { [this.max]: max, ...rest } = this.own(body);
    super.checkBody({ ...rest, ...(max && { max_tokens: max }) }, headers, record);
  }

  // Mistral's stream has its usage unasked.
  frames(answer, body, record) {
    return super.frames(answer, this.refuses.includes('stream_options') ? { ...body, stream_options: { include_usage: true } } : body, record);
  }

  errorBody(status, error) { return this.error ? this.error(status, error.message) : super.errorBody(status, error); }
}

const rename = (from, to) => ({ [from]: value, ...body }) => ({ ...body, ...(value !== undefined && { [to]: value }) });
const nineCharacters = (body) => {
  for (const { tool_calls: calls = [], tool_call_id: id } of body.messages) {
    for (const each of [...calls.map((call) => call.id), ...(id ? [id] : [])]) if (!/^[A-Za-z0-9]{9}$/.test(each)) refuse(`Tool call id was ${each} but must be a-z, A-Z, 0-9, with a length of 9.`);
  }
  return body;
};

// By type: the model that is asked for, and what differs. Errors are worded as each of them was seen to.
export const vendors = {
  azure_openai: { model: 'gpt-4o', base: '/openai/v1', credential: apiKey, max: 'max_completion_tokens', error: (_, message) => ({ error: { code: 'content_filter', message, innererror: { code: 'ResponsibleAIPolicyViolation' }, status: 400 } }) },
  mistral: {
    model: 'mistral-large-latest', base: '/v1', refuses: ['seed', 'user', 'logit_bias', 'stream_options', 'messages.name'], own: (body) => nineCharacters(rename('random_seed', 'seed')(body)),
    error: (status, message) => (status === 422 ? { detail: [{ type: 'extra_forbidden', loc: ['body'], msg: message }] } : { object: 'error', message, type: 'invalid_request_error', param: null, code: null }),
  },
  groq: { model: 'llama-3.3-70b-versatile', base: '/openai/v1', max: 'max_completion_tokens', refuses: ['logit_bias', 'messages.reasoning_content', 'messages.name'] },
  xai: { model: 'grok-4', base: '/v1', max: 'max_completion_tokens', refuses: ['stop', 'presence_penalty', 'frequency_penalty'], error: (_, message) => ({ code: 'Client specified an invalid argument', error: message }) },
  deepseek: { model: 'deepseek-chat', base: '', refuses: ['seed', 'logit_bias', 'parallel_tool_calls'] },
  together: { model: 'meta-llama/Llama-3.3-70B-Instruct-Turbo', base: '/v1' },
  fireworks: { model: 'accounts/fireworks/models/llama-v3p3-70b-instruct', base: '/inference/v1', error: (_, message) => ({ error: { object: 'error', type: 'invalid_request_error', message } }) },
  openrouter: { model: 'anthropic/claude-sonnet-4.5', base: '/api/v1', error: (status, message) => ({ error: { code: status, message, metadata: { provider_name: 'X' } } }) },
  nvidia_nim: { model: 'meta/llama-3.3-70b-instruct', base: '/v1', error: (status, message) => ({ status, title: 'Bad Request', detail: message }) },
  meta_llama: { model: 'Llama-4-Maverick-17B-128E-Instruct-FP8', base: '/compat/v1', max: 'max_completion_tokens', refuses: ['seed', 'logit_bias'], error: (status, message) => ({ title: 'Bad Request', detail: message, status }) },
  huggingface: { model: 'openai/gpt-oss-120b:cerebras', base: '/v1', error: (_, message) => ({ error: message }) },
  cerebras: { model: 'llama-3.3-70b', base: '/v1', max: 'max_completion_tokens', refuses: ['logit_bias', 'frequency_penalty', 'presence_penalty'], error: (_, message) => ({ message, type: 'invalid_request_error', param: 'x', code: 'wrong' }) },
  perplexity: { model: 'sonar', base: '', refuses: ['seed', 'user', 'tools', 'stream_options', 'logit_bias'], tools: false, error: (status, message) => ({ error: { message, type: 'invalid_message', code: status } }) },
  ollama: { model: 'llama3.2', base: '/v1', credential: null, refuses: ['tool_choice', 'user', 'logit_bias', 'parallel_tool_calls'], error: (_, message) => ({ error: { message, type: 'api_error', param: null, code: null } }) },
  vllm: { model: 'Qwen/Qwen3-8B', base: '/v1', credential: null, error: (status, message) => ({ object: 'error', message, type: 'BadRequestError', param: null, code: status }) },
  llama_cpp: { model: 'any', base: '/v1', credential: null, error: (status, message) => ({ error: { code: status, message, type: 'invalid_request_error' } }) },
  openai_compatible: { model: 'any', base: '/some/where/v1' },
};

// Azure's older addresses: the deployment in the path, and a version.
export class AzureDeployments extends VendorSimulator {
  constructor(options) { super({ base: '/openai', ...options }); }

  route(path, query) {
    const parts = /^\/openai\/deployments\/([^/]+)\/chat\/completions$/.exec(path);
    return parts && query === 'api-version=2024-10-21' ? { kind: 'chat', model: decodeURIComponent(parts[1]) } : undefined;
  }
}

const vertexPath = (publisher, verbs) => new RegExp(`^/v1/projects/my-project/locations/europe-west4/publishers/${publisher}/models/([^/:]+):(${verbs})$`);

// Vertex: a bearer token in the place of the key, and the model in the path.
export class VertexGemini extends GeminiSimulator {
  get baseUrl() { return `http://127.0.0.1:${this.port}/v1/projects/my-project/locations/europe-west4`; }
  allowedHeaders() { return [...super.allowedHeaders().filter((name) => name !== 'x-goog-api-key'), 'authorization']; }
  route(path, query) {
    const parts = vertexPath('google', 'generateContent|streamGenerateContent').exec(path);
    return parts ? { kind: 'chat', verb: parts[2], model: parts[1], stream: parts[2] === 'streamGenerateContent', sse: query === 'alt=sse' } : undefined;
  }
  checkHead(headers) { if (headers.authorization !== `Bearer ${this.key}`) refuse('Request had invalid authentication credentials.', { status: 401 }); }
}

export class VertexClaude extends AnthropicSimulator {
  get baseUrl() { return `http://127.0.0.1:${this.port}/v1/projects/my-project/locations/europe-west4`; }
  allowedHeaders() { return [...super.allowedHeaders().filter((name) => name !== 'x-api-key'), 'authorization']; }
  route(path) {
    const parts = vertexPath('anthropic', 'rawPredict|streamRawPredict').exec(path);
    return parts ? { kind: 'chat', model: parts[1] } : undefined;
  }
  checkHead(headers) { if (headers.authorization !== `Bearer ${this.key}`) refuse('Request had invalid authentication credentials.', { status: 401 }); }
  checkBody({ anthropic_version: version, ...body }, headers, record) {
    if (version !== 'vertex-2023-10-16') refuse('anthropic_version: Field required');
    if ('model' in body) refuse('model: Extra inputs are not permitted');
    super.checkBody({ model: record.model, ...body }, { 'anthropic-version': '2023-06-01', ...headers }, record);
  }
}

// Where access tokens are given: to a service account for its signed claim, or to an Entra application for its secret.
export class TokenServer {
  requests = [];
  violations = [];

  constructor(token) {
    this.token = token;
    this.keys = generateKeyPairSync('rsa', { modulusLength: 2048, publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
  }

  async start() {
    this.server = http.createServer(async (request, response) => {
      const pieces = [];
      for await (const piece of request) pieces.push(piece);
      const form = Object.fromEntries(new URLSearchParams(Buffer.concat(pieces).toString()));
      this.requests.push({ url: request.url, form });
      const fault = form.grant_type === 'client_credentials' ? this.#entraFault(form) : this.#googleFault(form);
      if (fault) this.violations.push(fault);
      response.writeHead(fault ? 400 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(fault ? { error: 'invalid_grant', error_description: fault } : { access_token: this.token, token_type: 'Bearer', expires_in: 3599 }));
    });
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    this.url = `http://127.0.0.1:${this.server.address().port}/token`;
    return this;
  }

  stop() { return new Promise((resolve) => { this.server.closeAllConnections(); this.server.close(resolve); }); }

  #entraFault({ client_id: id, client_secret: secret, scope }) {
    return id === 'the-application' && secret === 'its-secret+/=' && scope === 'https://cognitiveservices.azure.com/.default' ? undefined : `wrong application: ${id} ${secret} ${scope}`;
  }

  #googleFault({ grant_type: type, assertion = '' }) {
    if (type !== 'urn:ietf:params:oauth:grant-type:jwt-bearer') return `grant type ${type}`;
    const [head, claims, signature] = assertion.split('.');
    const read = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());
    if (read(head).alg !== 'RS256' || !createVerify('RSA-SHA256').update(`${head}.${claims}`).verify(this.keys.publicKey, signature, 'base64url')) return 'the claim is not signed as it says';
    const { iss, aud, scope, iat, exp } = read(claims);
    const now_s = Date.now() / 1000;
    if (iss !== 'gateway@my-project.iam.gserviceaccount.com' || aud !== this.url || !scope.includes('cloud-platform')) return `wrong claims: ${iss} ${aud} ${scope}`;
    return Math.abs(iat - now_s) < 60 && exp > now_s && exp <= iat + 3600 ? undefined : 'wrong times';
  }

  get serviceAccount() {
    return JSON.stringify({ type: 'service_account', project_id: 'my-project', private_key_id: 'k1', private_key: this.keys.privateKey, client_email: 'gateway@my-project.iam.gserviceaccount.com', client_id: '1', token_uri: this.url });
  }
}
