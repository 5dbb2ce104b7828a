// Cohere's v2 chat as a strict simulator.
import { fields, isBoolean, isInteger, isList, isMediaUrl, isNumber, isObject, isSchema, isString, isText, oneOf, refuse } from './rules.mjs';
import { Simulator } from './simulator.mjs';
import { halves, odd } from './text_pieces.mjs';

const invalid = { status: 422 };
const unknownField = (name) => `invalid request: unknown field: parameter '${name}' is not a valid parameter`;
const kImageTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

export class CohereSimulator extends Simulator {
  path = '/v2/chat';

  get baseUrl() { return `http://127.0.0.1:${this.port}`; }

  allowedHeaders() {
    return ['host', 'content-type', 'content-length', 'transfer-encoding', 'authorization', 'user-agent', 'accept', 'connection'];
  }

  replyHeaders() { return { 'x-request-id': 'req-of-the-provider' }; }

  route(path) {
    return path === '/v2/embed' ? { kind: 'embeddings', stream: false } : super.route(path);
  }

  checkHead(headers) {
    if (headers.authorization !== `Bearer ${this.key}`) refuse('invalid api token', { status: 401 });
  }

  checkBody(body, _, { kind }) {
    if (kind === 'embeddings') return checkEmbed(body);
    fields(body, '', {
      model: [isText, 'required'], messages: [isList(1), 'required'], stream: isBoolean, max_tokens: isInteger(1), temperature: isNumber(0, 1), p: isNumber(0.01, 0.99),
      k: isInteger(0, 500), seed: isInteger(0), frequency_penalty: isNumber(0, 1), presence_penalty: isNumber(0, 1), stop_sequences: isList(0, isText, 5),
      tools: isList(1, checkTool), tool_choice: oneOf('REQUIRED', 'NONE'), strict_tools: isBoolean, documents: isList(1), citation_options: isObject,
      response_format: (value, at) => {
        fields(value, at, { type: [oneOf('text', 'json_object'), 'required'], json_schema: isSchema }, unknownField);
        if (value.json_schema && value.type !== 'json_object') refuse('json_schema needs the type json_object', invalid);
      },
      thinking: (value, at) => fields(value, at, { type: [oneOf('enabled', 'disabled'), 'required'], token_budget: isInteger(1) }, unknownField),
      safety_mode: oneOf('CONTEXTUAL', 'STRICT', 'OFF'), logprobs: isBoolean, priority: isInteger(0, 999),
    }, unknownField);
    if (body.tool_choice && !body.tools) refuse("tool_choice can only be specified when 'tools' is specified", invalid);
    return this.#checkMessages(body.messages);
  }

  #checkMessages(messages) {
    let open = new Set();
    messages.forEach((message, i) => {
      const at = `messages[${i}]`, role = { role: isString };
      if (message?.role !== 'tool' && open.size > 0) refuse(`${at}: tool calls without results: ${[...open]}`);
      const content = (...types) => (value) => isText(value) || isList(1, (part) => checkPart(part, at, types))(value);
      switch (message?.role) {
        case 'system': return fields(message, at, { ...role, content: [content('text'), 'required'] }, unknownField);
        case 'user': return fields(message, at, { ...role, content: [content('text', 'image_url'), 'required'] }, unknownField);
        case 'assistant':
          fields(message, at, { ...role, content: content('text', 'thinking'), tool_calls: isList(1, checkCall), tool_plan: isText, citations: isList(0) }, unknownField);
          if (!message.content && !message.tool_calls) refuse(`${at}: an assistant message needs content or tool_calls`);
          if (message.tool_plan && !message.tool_calls) refuse(`${at}: tool_plan without tool_calls`);
          open = new Set((message.tool_calls ?? []).map((call) => call.id));
          return undefined;
        case 'tool':
          fields(message, at, { ...role, tool_call_id: [isText, 'required'], content: [(value) => isText(value) || isList(1, (part) => checkPart(part, at, ['text', 'document']))(value), 'required'] }, unknownField);
          if (!open.delete(message.tool_call_id)) refuse(`${at}: tool call id ${message.tool_call_id} not found in the previous assistant message`);
          return undefined;
        default: return refuse(`${at}: role must be one of: 'system', 'user', 'assistant', 'tool'; got ${message?.role}`);
      }
    });
    if (open.size > 0) refuse('tool calls without results at the end');
  }

  errorBody(status, { message }) { return { id: 'cohere-error-e2e', message }; }

  #usage({ usage }) {
    return {
      billed_units: { input_tokens: usage.input, output_tokens: usage.output }, tokens: { input_tokens: usage.input, output_tokens: usage.output },
      ...(usage.cached && { cached_tokens: usage.cached }),
    };
  }

  #finish(answer) {
    if (answer.tools) return 'TOOL_CALL';
    if (answer.stopSequence) return 'STOP_SEQUENCE';
    return { length: 'MAX_TOKENS', refusal: 'ERROR' }[answer.stop] ?? 'COMPLETE';
  }

  whole(answer, body, { kind }) {
    if (kind === 'embeddings') {
      return { id: 'cohere-e2e', embeddings: { float: body.texts.map((_, i) => answer.vectors?.[i] ?? [0.25, -0.5, i]) }, texts: body.texts,
        meta: { api_version: { version: '2' }, billed_units: { input_tokens: answer.usage.input } } };
    }
    const text = [answer.text ?? []].flat().join('');
    const content = [
      ...[answer.thinking ?? []].flat().map((block) => ({ type: 'thinking', thinking: block.text })),
      ...(text && !answer.tools ? [{ type: 'text', text }] : []),
    ];
    return {
      id: 'cohere-e2e', finish_reason: this.#finish(answer), usage: this.#usage(answer),
      message: {
        role: 'assistant', ...(content.length > 0 && { content }), ...(text && answer.tools && { tool_plan: text }),
        ...(answer.tools && { tool_calls: answer.tools.map((call) => ({ id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } })) }),
      },
    };
  }

  frames(answer) {
    const event = (type, value) => `event: ${type}\ndata: ${JSON.stringify({ type, ...value })}\n\n`;
    const inMessage = (message) => ({ delta: { message } });
    const content = [], open = [event('message-start', { id: 'cohere-e2e', ...inMessage({ role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] }) })];
    let index = 0;
    const block = (start, deltas) => {
      // The first block's start is no content yet.
      (index === 0 ? open : content).push(event('content-start', { index, ...inMessage({ content: start }) }));
      for (const value of deltas) content.push(event('content-delta', { index, ...inMessage({ content: value }) }));
      content.push(event('content-end', { index }));
      index++;
    };
    for (const { text } of [answer.thinking ?? []].flat()) block({ type: 'thinking', thinking: '' }, halves(text).map((thinking) => ({ thinking })));
    const texts = [answer.text ?? []].flat();
    if (answer.tools) for (const tool_plan of texts) content.push(event('tool-plan-delta', inMessage({ tool_plan })));
    else if (texts.length > 0) block({ type: 'text', text: '' }, texts.map((text) => ({ text })));
    (answer.tools ?? []).forEach((call, i) => {
      content.push(event('tool-call-start', { index: i, ...inMessage({ tool_calls: { id: call.id, type: 'function', function: { name: call.name, arguments: '' } } }) }));
      for (const piece of odd(call.arguments)) content.push(event('tool-call-delta', { index: i, ...inMessage({ tool_calls: { function: { arguments: piece } } }) }));
      content.push(event('tool-call-end', { index: i }));
    });
    return {
      open, content,
      close: [event('message-end', { id: 'cohere-e2e', delta: { finish_reason: this.#finish(answer), usage: this.#usage(answer) } })],
    };
  }

  errorFrame({ message = 'simulated failure' }) {
    return `event: message-end\ndata: ${JSON.stringify({ type: 'message-end', id: 'cohere-e2e', delta: { finish_reason: 'ERROR', error: message } })}\n\n`;
  }
}

function checkPart(part, at, types) {
  if (!types.includes(part?.type)) refuse(`${at}: content type '${part?.type}' is not allowed here`);
  const is = { type: isString };
  switch (part.type) {
    case 'text': return fields(part, at, { ...is, text: [isText, 'required'] }, unknownField);
    case 'thinking': return fields(part, at, { ...is, thinking: [isText, 'required'] }, unknownField);
    case 'document': return fields(part, at, { ...is, document: [(value) => isObject(value?.data) || isText(value?.data), 'required'] }, unknownField);
    default: return fields(part, at, { ...is, image_url: [(value) => fields(value, at, { url: [(url) => isMediaUrl(url, kImageTypes), 'required'], detail: oneOf('auto', 'low', 'high') }, unknownField), 'required'] }, unknownField);
  }
}

function checkTool(tool) {
  fields(tool, 'tools', { type: [oneOf('function'), 'required'], function: [(value) => fields(value, 'tools.function', {
    name: [(name) => /^[A-Za-z0-9_-]{1,64}$/.test(name), 'required'], description: isString, parameters: [isSchema, 'required'],
  }, unknownField), 'required'] }, unknownField);
}

function checkCall(call) {
  fields(call, 'tool_calls', { id: [isText, 'required'], type: [oneOf('function'), 'required'], function: [(value) => fields(value, 'tool_calls.function', {
    name: [isText, 'required'], arguments: [(text) => isObject(JSON.parse(text)), 'required'],
  }, unknownField), 'required'] }, unknownField);
}

function checkEmbed(body) {
  fields(body, '', {
    model: [isText, 'required'], texts: [isList(1, isText, 96), 'required'], input_type: [oneOf('search_document', 'search_query', 'classification', 'clustering'), 'required'],
    embedding_types: isList(1, isText), output_dimension: isInteger(1), truncate: isText,
  }, unknownField);
}
