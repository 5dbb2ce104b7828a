// Anthropic's Messages as a strict simulator.
import {
  fields, isBase64, isBoolean, isInteger, isList, isNumber, isObject, isSchema, isStrictSchema, isString, isText, oneOf, refuse,
} from './rules.mjs';
import { Simulator } from './simulator.mjs';
import { halves, odd } from './text_pieces.mjs';

const unknownField = (name) => `${name}: Extra inputs are not permitted`;
const kVersions = ['2023-06-01', '2026-10-21'];
// Claude 4.7 and later refuse sampling parameters.
const takesSampling = (model) => !/^claude-(sonnet-5|opus-(4-[789]|5)|haiku-5-5|fable|mythos)/.test(model);
// From 4.6 on, but for the small ones, it refuses to go on from the beginning of an answer.
const takesPrefill = (model) => takesSampling(model) && !/^claude-(sonnet|opus)-4-6/.test(model);
const isBlank = (text) => typeof text !== 'string' || text.trim() === '';
const cache = { cache_control: (value, at) => fields(value, at, { type: [oneOf('ephemeral'), 'required'], ttl: oneOf('5m', '1h') }, unknownField) };

export class AnthropicSimulator extends Simulator {
  path = '/v1/messages';
  #signed = new Map(); // What it has signed: signature to text.

  get baseUrl() { return `http://127.0.0.1:${this.port}`; }

  allowedHeaders() {
    return ['host', 'content-type', 'content-length', 'transfer-encoding', 'x-api-key', 'user-agent', 'accept', 'connection',
      'anthropic-version', 'anthropic-beta'];
  }

  replyHeaders() { return { 'request-id': 'req_of_the_provider' }; }

  route(path) {
    if (path === '/v1/messages/count_tokens') return { kind: 'count_tokens', stream: false };
    return super.route(path);
  }

  checkHead(headers) {
    if (headers['x-api-key'] !== this.key) refuse('invalid x-api-key', { status: 401 });
    if (!kVersions.includes(headers['anthropic-version'])) refuse('anthropic-version: header is required');
  }

  checkBody(body, headers, { kind }) {
    if (kind === 'count_tokens') {
      if ('max_tokens' in body || 'stream' in body) refuse('max_tokens: Extra inputs are not permitted');
      body = { max_tokens: 1 << 20, ...body };
    }
    // Fields of betas that the caller has asked for; Claude Code asks for all of these.
    const beta = (name) => (headers['anthropic-beta'] ?? '').split(',').includes(name);
    const deferred = beta('advanced-tool-use-2025-11-20') && { defer_loading: isBoolean };
    const sampling = takesSampling(String(body?.model)) && headers['anthropic-version'] === '2023-06-01';
    fields(body, '', {
      model: [isText, 'required'], max_tokens: [isInteger(1), 'required'], messages: [isList(1), 'required'],
      system: (value) => (isString(value) ? !isBlank(value) : isList(1, (block) => {
        fields(block, 'system', { type: [oneOf('text'), 'required'], text: [isString, 'required'], ...cache }, unknownField);
        return !isBlank(block.text);
      })(value)),
      ...(sampling && { temperature: isNumber(0, 1), top_p: isNumber(0, 1), top_k: isInteger(1) }),
      stop_sequences: isList(0, (text) => !isBlank(text)),
      stream: isBoolean, metadata: (value, at) => fields(value, at, { user_id: isString }, unknownField),
      service_tier: oneOf('auto', 'standard_only'), ...cache,
      tools: isList(1, (tool) => checkTool(tool, deferred)), tool_choice: (value) => checkToolChoice(value, body),
      thinking: (value, at) => checkThinking(value, at, body),
      output_config: (value, at) => fields(value, at, {
        effort: oneOf('low', 'medium', 'high', 'xhigh', 'max'),
        format: (format) => format?.type === 'json_schema' && isStrictSchema(format.schema),
      }, unknownField),
      ...(beta('context-management-2025-06-27') && { context_management: (value) => isList(0, (edit) => isText(edit?.type))(value?.edits) }),
    }, unknownField);
    if (body.tool_choice && !body.tools) refuse('tool_choice: only allowed with tools');
    const thinks = ['enabled', 'adaptive'].includes(body.thinking?.type);
    if (thinks && ((body.temperature ?? 1) !== 1 || 'top_k' in body)) refuse('`temperature` may only be set to 1 when thinking is enabled');
    if (thinks && ['any', 'tool'].includes(body.tool_choice?.type)) refuse('Thinking may not be enabled when tool_choice forces tool use.');
    this.#checkMessages(body.messages, body.model, body.thinking?.type === 'enabled', beta('mid-conversation-tool-changes-2026-07-01'));
    const marks = JSON.stringify(body).match(/"cache_control":/g)?.length ?? 0;
    if (marks > 4) refuse(`A maximum of 4 blocks with cache_control may be provided. Found ${marks}.`);
  }

  // `lateSystem`: messages of the role system are taken behind the first.
  #checkMessages(messages, model, thinks, lateSystem) {
    if (lateSystem) messages = messages.filter(({ role }, i) => i === 0 || role !== 'system');
    let open = new Set();
    const seen = new Set();
    // The server merges messages of the same role.
    const merged = [];
    messages.forEach((message, i) => {
      fields(message, `messages.${i}`, { role: [oneOf('user', 'assistant'), 'required'], content: [(value) => isString(value) || isList(1)(value), 'required'] }, unknownField);
      const blocks = isString(message.content) ? [{ type: 'text', text: message.content }] : message.content;
      const previous = Array.isArray(messages[i - 1]?.content) ? messages[i - 1].content : [];
      const calls = previous.filter((block) => block?.type === 'tool_use').map((block) => block.id);
      const results = blocks.filter((block) => block?.type === 'tool_result').map((block) => block.tool_use_id);
      if (calls.some((id) => !results.includes(id))) refuse(`messages.${i}: \`tool_use\` ids were found without \`tool_result\` blocks in the next message`);
      if (merged.at(-1)?.role === message.role) merged.at(-1).blocks.push(...blocks);
      else merged.push({ role: message.role, blocks: [...blocks] });
    });
    if (merged[0].role !== 'user') refuse('messages: first message must use the "user" role');
    // The running loop of calls and results is one turn of the assistant's, and it begins with its thinking.
    const loop = merged.findLastIndex(({ role, blocks }) => role === 'user' && blocks.some((block) => block.type !== 'tool_result')) + 1;
    merged.forEach(({ role, blocks }, i) => {
      const at = `messages.${i}`;
      if (role === 'user') {
        for (const block of blocks) {
          if (open.size === 0) break;
          if (block.type !== 'tool_result') refuse(`${at}: \`tool_use\` ids were found without \`tool_result\` blocks immediately after: ${[...open]}`);
          if (!open.delete(block.tool_use_id)) refuse(`${at}: unexpected \`tool_use_id\` ${block.tool_use_id}`);
          block.paired = true;
        }
        if (open.size > 0) refuse(`${at}: \`tool_use\` ids without \`tool_result\`: ${[...open]}`);
        for (const block of blocks) if (block.type === 'tool_result' && !block.paired) refuse(`${at}: unexpected \`tool_use_id\` ${block.tool_use_id}`);
        for (const block of blocks) delete block.paired;
      } else {
        const calls = blocks.filter((block) => block.type === 'tool_use');
        if (thinks && calls.length > 0 && i === loop && !['thinking', 'redacted_thinking'].includes(blocks[0].type)) {
          refuse(`${at}: Expected \`thinking\` or \`redacted_thinking\`, but found \`${blocks[0].type}\``);
        }
        open = new Set(calls.map((call) => call.id));
        for (const id of open) if (seen.has(id)) refuse(`${at}: \`tool_use\` ids must be unique`); else seen.add(id);
        if (open.size !== calls.length) refuse(`${at}: \`tool_use\` ids must be unique`);
      }
      blocks.forEach((block, j) => {
        checkBlock(block, `${at}.content.${j}`, role);
        // A signature verifies for the text that it came with.
        if (block.type === 'thinking' && this.#signed.get(block.signature) !== block.thinking) refuse(`${at}.content.${j}: Invalid \`signature\` in \`thinking\` block`);
      });
      if (i === merged.length - 1 && role === 'assistant' && /\s$/.test(blocks.at(-1).text ?? '')) {
        refuse('messages: final assistant content cannot end with trailing whitespace');
      }
    });
    if (open.size > 0) refuse('messages: tool_use without tool_result at the end');
    if (merged.at(-1).role === 'assistant' && (thinks || !takesPrefill(model))) {
      refuse('This model does not support assistant message prefill. The conversation must end with a user message.');
    }
  }

  errorBody(status, { message, type, details }) {
    const types = {
      400: 'invalid_request_error', 401: 'authentication_error', 402: 'billing_error', 403: 'permission_error', 404: 'not_found_error',
      413: 'request_too_large', 422: 'invalid_request_error', 429: 'rate_limit_error', 504: 'timeout_error', 529: 'overloaded_error',
    };
    return { type: 'error', error: { type: type ?? types[status] ?? 'api_error', message, ...(details && { details }) }, request_id: 'req_of_the_provider' };
  }

  #usage({ usage }) {
    return {
      input_tokens: usage.input - usage.cached - usage.written, cache_read_input_tokens: usage.cached, cache_creation_input_tokens: usage.written,
      output_tokens: usage.output, service_tier: 'standard',
    };
  }

  #stop(answer) {
    if (answer.tools) return { stop_reason: 'tool_use', stop_sequence: null };
    if (answer.stopSequence) return { stop_reason: 'stop_sequence', stop_sequence: answer.stopSequence };
    return { stop_reason: { length: 'max_tokens', refusal: 'refusal' }[answer.stop] ?? 'end_turn', stop_sequence: null };
  }

  #blocks(answer) {
    for (const { signature, text } of [answer.thinking ?? []].flat()) this.#signed.set(signature, text);
    return [
      ...[answer.thinking ?? []].flat().map((block) => ({ type: 'thinking', thinking: block.text, signature: block.signature })),
      ...[answer.redacted ?? []].flat().map((data) => ({ type: 'redacted_thinking', data })),
      ...([answer.text ?? []].flat().length > 0 ? [{ type: 'text', text: [answer.text].flat().join('') }] : []),
      ...(answer.tools ?? []).map((tool) => ({ type: 'tool_use', id: tool.id, name: tool.name, input: JSON.parse(tool.arguments) })),
    ];
  }

  whole(answer, body, { kind }) {
    if (kind === 'count_tokens') return { input_tokens: answer.usage.input };
    return { id: 'msg_e2e', type: 'message', role: 'assistant', model: body.model, content: this.#blocks(answer), ...this.#stop(answer), usage: this.#usage(answer) };
  }

  frames(answer, body) {
    const event = (type, data) => `event: ${type}\ndata: ${JSON.stringify({ type, ...data })}\n\n`;
    const delta = (index, value) => event('content_block_delta', { index, delta: value });
    const usage = this.#usage(answer);
    const open = [event('message_start', { message: {
      id: 'msg_e2e', type: 'message', role: 'assistant', model: body.model, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 },
    } })];
    const content = [];
    this.#blocks(answer).forEach((block, index) => {
      // The first block's start is no content yet.
      const into = index === 0 ? open : content;
      if (block.type === 'thinking') {
        into.push(event('content_block_start', { index, content_block: { type: 'thinking', thinking: '', signature: '' } }));
        for (const piece of halves(block.thinking)) content.push(delta(index, { type: 'thinking_delta', thinking: piece }));
        content.push(delta(index, { type: 'signature_delta', signature: block.signature }));
      } else if (block.type === 'redacted_thinking') {
        content.push(event('content_block_start', { index, content_block: block }));
      } else if (block.type === 'text') {
        into.push(event('content_block_start', { index, content_block: { type: 'text', text: '' } }), event('ping', {}));
        for (const piece of [answer.text].flat()) content.push(delta(index, { type: 'text_delta', text: piece }));
      } else {
        const { arguments: text } = answer.tools.find((tool) => tool.id === block.id);
        into.push(event('content_block_start', { index, content_block: { ...block, input: {} } }));
        for (const piece of ['', ...odd(text)]) content.push(delta(index, { type: 'input_json_delta', partial_json: piece }));
      }
      content.push(event('content_block_stop', { index }));
    });
    // The last block is closed with the message.
    const close = [content.pop(), event('message_delta', { delta: this.#stop(answer), usage }), event('message_stop', {})];
    return { open, content, close };
  }

  errorFrame({ overloaded, message = 'simulated failure' }) {
    const error = overloaded ? { type: 'overloaded_error', message: 'Overloaded' } : { type: 'api_error', message };
    return `event: error\ndata: ${JSON.stringify({ type: 'error', error, request_id: 'req_of_the_provider' })}\n\n`;
  }
}

function checkBlock(block, at, role) {
  const is = { type: isString };
  const only = (wanted) => { if (role !== wanted) refuse(`${at}: \`${block.type}\` blocks are not permitted in ${role} messages`); };
  switch (block?.type) {
    case 'text':
      fields(block, at, { ...is, text: [isString, 'required'], citations: isList(0), ...cache }, unknownField);
      if (isBlank(block.text)) refuse(`${at}: text content blocks must contain non-whitespace text`);
      return;
    case 'image':
      only('user');
      return fields(block, at, { ...is, source: [checkSource, 'required'], ...cache }, unknownField);
    case 'document':
      only('user');
      return fields(block, at, { ...is, source: [isObject, 'required'], title: isString, context: isString, citations: isObject, ...cache }, unknownField);
    case 'tool_use':
      only('assistant');
      return fields(block, at, {
        ...is, id: [(id) => /^[a-zA-Z0-9_-]+$/.test(id), 'required'], name: [(name) => /^[A-Za-z0-9_-]{1,128}$/.test(name), 'required'], input: [isObject, 'required'],
        caller: isObject, ...cache,
      }, unknownField);
    case 'tool_result':
      only('user');
      return fields(block, at, { ...is, tool_use_id: [isText, 'required'], is_error: isBoolean, ...cache,
        content: (value) => isString(value) || isList(0, (part) => {
          if (!['text', 'image', 'document', 'search_result'].includes(part?.type)) return false;
          checkBlock(part, `${at}.content`, 'user');
          return true;
        })(value) }, unknownField);
    case 'thinking':
      only('assistant');
      return fields(block, at, { ...is, thinking: [isString, 'required'], signature: [isText, 'required'] }, unknownField);
    case 'redacted_thinking':
      only('assistant');
      return fields(block, at, { ...is, data: [isText, 'required'] }, unknownField);
    default:
      return refuse(`${at}: Input tag '${block?.type}' found using 'type' does not match any of the expected tags`);
  }
}

function checkSource(source, at) {
  if (source?.type === 'url') return isText(source.url) && source.url.startsWith('https://');
  if (source?.type !== 'base64') return false;
  fields(source, at, { type: isString, media_type: [oneOf('image/jpeg', 'image/png', 'image/gif', 'image/webp'), 'required'], data: [isBase64, 'required'] }, unknownField);
  return true;
}

function checkTool(tool, more) {
  fields(tool, 'tools', {
    name: [(name) => /^[A-Za-z0-9_-]{1,128}$/.test(name), 'required'], description: isString, type: oneOf('custom'), strict: isBoolean, eager_input_streaming: isBoolean,
    input_schema: [isSchema, 'required'], ...cache, ...more,
  }, unknownField);
  return !tool.strict || isStrictSchema(tool.input_schema);
}

function checkToolChoice(value, body) {
  const is = { type: isString, disable_parallel_tool_use: isBoolean };
  if (value?.type === 'auto' || value?.type === 'any') return fields(value, 'tool_choice', is, unknownField);
  if (value?.type === 'none') return fields(value, 'tool_choice', { type: isString }, unknownField);
  return value?.type === 'tool' && (body.tools ?? []).some((tool) => tool.name === value.name);
}

function checkThinking(value, at, body) {
  switch (value?.type) {
    case 'enabled':
      return fields(value, at, { type: isString, budget_tokens: [isInteger(1024, body.max_tokens - 1), 'required'], display: oneOf('summarized', 'omitted') }, unknownField);
    case 'adaptive': return fields(value, at, { type: isString, display: oneOf('summarized', 'omitted') }, unknownField);
    case 'disabled': case 'between_tools': return fields(value, at, { type: isString }, unknownField);
    default: return false;
  }
}
