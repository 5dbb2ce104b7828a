// OpenAI's Chat Completions, Completions and Embeddings as a strict simulator; Responses are in responses_sim.mjs.
import { checkResponsesBody, responseFrames, responsesErrorFrame, wholeResponse } from './responses_sim.mjs';
import { Simulator } from './simulator.mjs';
import { halves, odd } from './text_pieces.mjs';
import {
  fields, isBase64, isBoolean, isInteger, isList, isMediaUrl, isNumber, isObject, isSchema, isStrictSchema, isString, isText, oneOf, refuse,
} from './rules.mjs';

const kImageTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const unknownField = (name) => `Unrecognized request argument supplied: ${name}`;
const isReasoning = (model) => /^(o\d|gpt-[56])/.test(model);

export class OpenAiSimulator extends Simulator {
  path = '/v1/chat/completions';

  // `compatible`: a server such as vLLM or llama.cpp, which takes more fields and gives reasoning_content. `only`: the one
  // kind of request that it serves; `base64`: embeddings are given as asked for (else always as numbers).
  constructor({ compatible = false, only, base64 = true, ...options }) {
    super(options);
    Object.assign(this, { compatible, only, base64 });
  }

  route(path) {
    const kind = { '/v1/chat/completions': 'chat', '/v1/responses': 'responses', '/v1/completions': 'completions', '/v1/embeddings': 'embeddings' }[path];
    return kind && (!this.only || this.only === kind) ? { kind } : undefined;
  }

  get baseUrl() { return `http://127.0.0.1:${this.port}/v1`; }

  allowedHeaders() {
    return ['host', 'content-type', 'content-length', 'transfer-encoding', 'authorization', 'user-agent', 'accept', 'connection',
      'openai-organization', 'openai-project', 'openai-beta', 'idempotency-key', 'x-client-request-id'];
  }

  replyHeaders() { return { 'x-request-id': 'req_of_the_provider', 'openai-processing-ms': '3' }; }

  checkHead(headers) {
    if (headers.authorization !== `Bearer ${this.key}`) {
      refuse('Incorrect API key provided.', { status: 401, code: 'invalid_api_key' });
    }
  }

  checkBody(body, _, { kind }) {
    const reasoning = isObject(body) && isReasoning(String(body.model));
    if (kind === 'responses') return checkResponsesBody(body, { isReasoning: reasoning });
    if (kind === 'completions') return checkCompletions(body);
    if (kind === 'embeddings') return checkEmbeddings(body);
    fields(body, '', {
      model: [isText, 'required'],
      messages: [isList(1), 'required'],
      max_tokens: isInteger(1), max_completion_tokens: isInteger(1),
      temperature: isNumber(0, 2), top_p: isNumber(0, 1), frequency_penalty: isNumber(-2, 2), presence_penalty: isNumber(-2, 2),
      n: isInteger(1, 128), seed: isInteger(-Infinity), logit_bias: isObject,
      stop: (value) => isText(value) || isList(1, isText, 4)(value),
      stream: isBoolean,
      stream_options: (value, at) => fields(value, at, { include_usage: isBoolean, include_obfuscation: isBoolean }, unknownField),
      tools: isList(1, (tool) => checkTool(tool)), tool_choice: (value) => checkToolChoice(value, body), parallel_tool_calls: isBoolean,
      response_format: checkFormat,
      reasoning_effort: oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
      verbosity: oneOf('low', 'medium', 'high'), logprobs: isBoolean, top_logprobs: isInteger(0, 20),
      user: isString, safety_identifier: isString, prompt_cache_key: isString,
      metadata: (value) => isObject(value) && Object.keys(value).length <= 16 &&
        Object.entries(value).every(([key, text]) => key.length <= 64 && typeof text === 'string' && text.length <= 512),
      store: isBoolean, service_tier: oneOf('auto', 'default', 'flex', 'scale', 'priority', 'fast'),
      ...(this.compatible && { top_k: isInteger(-1), min_p: isNumber(0, 1) }),
    }, unknownField);
    if (body.stream_options && body.stream !== true) refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.", { param: 'stream_options' });
    if ('max_tokens' in body && 'max_completion_tokens' in body) refuse('Setting both max_tokens and max_completion_tokens is not supported.');
    for (const name of ['tool_choice', 'parallel_tool_calls']) {
      if (name in body && !body.tools) refuse(`'${name}' is only allowed when 'tools' are specified.`, { param: name });
    }
    if ('top_logprobs' in body && body.logprobs !== true) refuse("'top_logprobs' needs 'logprobs'.");
    if (reasoning && !this.compatible) {
      for (const name of ['max_tokens', 'stop', 'logprobs']) {
        if (name in body) refuse(`Unsupported parameter: '${name}' is not supported with this model.`, { param: name, code: 'unsupported_parameter' });
      }
      for (const name of ['temperature', 'top_p']) {
        if (name in body && body[name] !== 1) refuse(`Unsupported value: '${name}' does not support ${body[name]} with this model.`, { param: name, code: 'unsupported_value' });
      }
    } else if (!this.compatible && 'reasoning_effort' in body) {
      refuse('Unrecognized request argument supplied: reasoning_effort', { param: 'reasoning_effort' });
    }
    return this.#checkMessages(body.messages);
  }

  #checkMessages(messages) {
    let open = new Set(); // Calls that wait for their results.
    messages.forEach((message, i) => {
      const at = `messages[${i}]`;
      if (message?.role !== 'tool' && open.size > 0) {
        refuse(`An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. Missing: ${[...open]}`, { param: at });
      }
      const content = (...types) => (value) => isText(value) || value === '' || isList(1, (part) => this.#checkPart(part, at, types))(value);
      switch (message?.role) {
        case 'system': case 'developer':
          return fields(message, at, { role: isString, content: [content('text'), 'required'], name: isString }, unknownField);
        case 'user':
          return fields(message, at, { role: isString, content: [content('text', 'image_url', 'input_audio', 'file'), 'required'], name: isString }, unknownField);
        case 'assistant':
          fields(message, at, {
            role: isString, content: (value) => value === null || content('text', 'refusal')(value), name: isString,
            refusal: (value) => value === null || isString(value), tool_calls: isList(1, checkCall), audio: isObject,
            ...(this.compatible && { reasoning_content: isString }),
          }, unknownField);
          if (!message.tool_calls && (message.content === null || message.content === undefined) && !message.refusal) {
            refuse(`${at}: 'content' is required unless 'tool_calls' is specified.`, { param: at });
          }
          open = new Set((message.tool_calls ?? []).map((call) => call.id));
          if (open.size !== (message.tool_calls ?? []).length) refuse(`${at}: a tool call id twice`);
          return;
        case 'tool':
          fields(message, at, { role: isString, content: [content('text'), 'required'], tool_call_id: [isText, 'required'] }, unknownField);
          if (!open.delete(message.tool_call_id)) {
            refuse("messages with role 'tool' must be a response to a preceding message with 'tool_calls'.", { param: at });
          }
          return;
        default:
          refuse(`Invalid value: '${message?.role}'. Supported values are: 'system', 'assistant', 'user', 'tool', and 'developer'.`, { param: `${at}.role` });
      }
    });
    if (open.size > 0) refuse(`tool calls without results at the end: ${[...open]}`);
  }

  #checkPart(part, at, types) {
    if (!types.includes(part?.type)) refuse(`Invalid value: '${part?.type}' in ${at}.content.`, { param: at });
    const is = { type: isString };
    switch (part.type) {
      case 'text': return fields(part, at, { ...is, text: [isString, 'required'] }, unknownField);
      case 'refusal': return fields(part, at, { ...is, refusal: [isString, 'required'] }, unknownField);
      case 'image_url':
        return fields(part, at, { ...is, image_url: [(value) => fields(value, `${at}.image_url`, {
          url: [(url) => isMediaUrl(url, kImageTypes), 'required'], detail: oneOf('auto', 'low', 'high', 'original'),
        }, unknownField), 'required'] }, unknownField);
      case 'input_audio':
        return fields(part, at, { ...is, input_audio: [(value) => isBase64(value?.data) && ['wav', 'mp3'].includes(value?.format), 'required'] }, unknownField);
      default:
        return fields(part, at, { ...is, file: [(value) => isText(value?.file_id) || isMediaUrl(value?.file_data, ['application/pdf']), 'required'] }, unknownField);
    }
  }

  errorBody(status, { message, param = null, code = null, type }) {
    const types = { 429: 'rate_limit_error', 401: 'invalid_request_error', 400: 'invalid_request_error', 404: 'invalid_request_error' };
    return { error: { message, type: type ?? (code === 'insufficient_quota' ? code : types[status]) ?? (status >= 500 ? 'server_error' : 'invalid_request_error'), param, code } };
  }

  #usage({ usage }) {
    return {
      prompt_tokens: usage.input, completion_tokens: usage.output, total_tokens: usage.input + usage.output,
      prompt_tokens_details: { cached_tokens: usage.cached, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: usage.reasoning, audio_tokens: 0 },
    };
  }

  #finish(answer) {
    if (answer.tools) return 'tool_calls';
    return { length: 'length', refusal: 'content_filter' }[answer.stop] ?? 'stop';
  }

  whole(answer, body, { kind }) {
    if (kind === 'responses') return wholeResponse(answer, body);
    if (kind === 'embeddings') return this.#embeddings(answer, body);
    const text = [answer.text ?? []].flat().join('');
    const thinking = this.compatible && [answer.thinking ?? []].flat().map((block) => block.text).join('');
    if (kind === 'completions') {
      return {
        id: 'cmpl-e2e', object: 'text_completion', created: 1700000000, model: body.model,
        choices: [{ index: 0, text, logprobs: null, finish_reason: this.#finish(answer) }], usage: this.#usage(answer),
      };
    }
    return {
      id: 'chatcmpl-e2e', object: 'chat.completion', created: 1700000000, model: body.model,
      choices: [{
        index: 0, logprobs: null, finish_reason: this.#finish(answer),
        message: {
          role: 'assistant', content: text || null, refusal: null, ...(thinking && { reasoning_content: thinking }),
          ...(answer.tools && { tool_calls: answer.tools.map((tool) => ({ id: tool.id, type: 'function', function: { name: tool.name, arguments: tool.arguments } })) }),
        },
      }],
      usage: this.#usage(answer), system_fingerprint: 'fp_e2e',
    };
  }

  #embeddings(answer, body) {
    const inputs = typeof body.input === 'string' || typeof body.input[0] === 'number' ? [body.input] : body.input;
    const encode = (vector) => (body.encoding_format === 'base64' && this.base64 ? Buffer.from(new Float32Array(vector).buffer).toString('base64') : vector);
    return {
      object: 'list', model: body.model, usage: { prompt_tokens: answer.usage.input, total_tokens: answer.usage.input },
      data: inputs.map((_, index) => ({ object: 'embedding', index, embedding: encode(answer.vectors?.[index] ?? [0.25, -0.5, index]) })),
    };
  }

  #completionFrames(answer, body) {
    const chunk = (choices, extra) => `data: ${JSON.stringify({ id: 'cmpl-e2e', object: 'text_completion', created: 1700000000, model: body.model, choices, ...extra })}\n\n`;
    const piece = (text, finish_reason = null) => chunk([{ index: 0, text, logprobs: null, finish_reason }]);
    const usage = body.stream_options?.include_usage ? [chunk([], { usage: this.#usage(answer) })] : [];
    return { open: [], content: [answer.text ?? []].flat().map((text) => piece(text)), close: [piece('', this.#finish(answer)), ...usage, 'data: [DONE]\n\n'] };
  }

  // The frames before the content, of the content, and behind it.
  frames(answer, body, { kind }) {
    if (kind === 'responses') return responseFrames(answer, body);
    if (kind === 'completions') return this.#completionFrames(answer, body);
    const wantsUsage = body.stream_options?.include_usage === true;
    const chunk = (choices, extra) => `data: ${JSON.stringify({
      id: 'chatcmpl-e2e', object: 'chat.completion.chunk', created: 1700000000, model: body.model, choices,
      ...(wantsUsage && { usage: null }), ...extra,
    })}\n\n`;
    const delta = (value, finish = null) => chunk([{ index: 0, delta: value, logprobs: null, finish_reason: finish }]);
    const content = [];
    for (const { text } of this.compatible ? [answer.thinking ?? []].flat() : []) content.push(...halves(text).map((piece) => delta({ reasoning_content: piece })));
    for (const text of [answer.text ?? []].flat()) content.push(delta({ content: text }));
    const calls = answer.tools ?? [];
    calls.forEach((call, index) => content.push(delta({ tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: '' } }] })));
    // Arguments in odd pieces, those of parallel calls interleaved.
    const pieces = calls.map((call) => odd(call.arguments));
    for (let i = 0; pieces.some((list) => i < list.length); i++) {
      pieces.forEach((list, index) => { if (i < list.length) content.push(delta({ tool_calls: [{ index, function: { arguments: list[i] } }] })); });
    }
    const close = [delta({}, this.#finish(answer))];
    if (wantsUsage) close.push(chunk([], { usage: this.#usage(answer) }));
    close.push('data: [DONE]\n\n');
    return { open: [delta({ role: 'assistant', content: '', refusal: null })], content, close };
  }

  errorFrame({ overloaded, message = 'simulated failure', record }) {
    if (record?.kind === 'responses') return responsesErrorFrame({ message });
    return `data: ${JSON.stringify({ error: overloaded
      ? { message: 'The engine is currently overloaded', type: 'overloaded_error', param: null, code: 503 }
      : { message, type: 'server_error', param: null, code: null } })}\n\n`;
  }
}

function checkCompletions(body) {
  fields(body, '', {
    model: [isText, 'required'], prompt: [(value) => isString(value) || isList(1)(value), 'required'], max_tokens: isInteger(0), temperature: isNumber(0, 2),
    top_p: isNumber(0, 1), n: isInteger(1, 128), stream: isBoolean, stream_options: isObject, logprobs: isInteger(0, 5), echo: isBoolean, suffix: isString,
    stop: (value) => isText(value) || isList(1, isText, 4)(value), presence_penalty: isNumber(-2, 2), frequency_penalty: isNumber(-2, 2), best_of: isInteger(1),
    logit_bias: isObject, user: isString, seed: isInteger(-Infinity),
  }, unknownField);
}

function checkEmbeddings(body) {
  fields(body, '', {
    model: [isText, 'required'], input: [(value) => isText(value) || isList(1, (entry) => isText(entry) || Number.isInteger(entry) || isList(1, Number.isInteger)(entry), 2048)(value), 'required'],
    encoding_format: oneOf('float', 'base64'), dimensions: isInteger(1), user: isString,
  }, unknownField);
}

function checkTool(tool) {
  if (tool?.type !== 'function') refuse(`Invalid value: '${tool?.type}' in tools.`, { param: 'tools' });
  fields(tool, 'tools', { type: isString, function: [(value) => fields(value, 'tools.function', {
    name: [(name) => /^[A-Za-z0-9_-]{1,64}$/.test(name), 'required'], description: isString, strict: (flag) => flag === null || isBoolean(flag),
    parameters: isSchema,
  }, unknownField), 'required'] }, unknownField);
  if (tool.function.strict === true && !isStrictSchema(tool.function.parameters)) refuse(`Invalid schema for function '${tool.function.name}'`, { code: 'invalid_function_parameters' });
}

function checkToolChoice(value, body) {
  if (['none', 'auto', 'required'].includes(value)) return true;
  const name = value?.type === 'function' && value.function?.name;
  return isText(name) && (body.tools ?? []).some((tool) => tool.function?.name === name);
}

function checkFormat(value, at) {
  if (value?.type === 'text' || value?.type === 'json_object') return fields(value, at, { type: isString }, unknownField);
  if (value?.type !== 'json_schema') return false;
  return fields(value, at, { type: isString, json_schema: [(format) => fields(format, `${at}.json_schema`, {
    name: [(name) => /^[A-Za-z0-9_-]{1,64}$/.test(name), 'required'], schema: [isObject, 'required'], strict: isBoolean, description: isString,
  }, unknownField), 'required'] }, unknownField);
}

function checkCall(call) {
  fields(call, 'tool_calls', { id: [(id) => isText(id) && id.length <= 64, 'required'], type: [oneOf('function'), 'required'],
    function: [(value) => fields(value, 'tool_calls.function', { name: [(name) => /^[A-Za-z0-9_-]{1,64}$/.test(name), 'required'], arguments: [isString, 'required'] }, unknownField), 'required'] }, unknownField);
  try {
    if (!isObject(JSON.parse(call.function.arguments))) return false;
  } catch {
    return false;
  }
  return true;
}
