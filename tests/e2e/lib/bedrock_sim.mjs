// Amazon Bedrock's Converse and ConverseStream as a strict simulator.
import { eventMessage, signatureFault } from './aws.mjs';
import { fields, isBase64, isInteger, isList, isNumber, isObject, isString, isText, oneOf, refuse } from './rules.mjs';
import { Simulator } from './simulator.mjs';
import { halves, odd } from './text_pieces.mjs';

const unknownField = (name) => `The request contains an unknown member: ${name}`;
const isBlank = (text) => typeof text !== 'string' || text.trim() === '';
const kErrors = {
  400: 'ValidationException', 403: 'AccessDeniedException', 404: 'ResourceNotFoundException', 408: 'ModelTimeoutException', 424: 'ModelErrorException',
  429: 'ThrottlingException', 500: 'InternalServerException', 503: 'ServiceUnavailableException',
};

export class BedrockSimulator extends Simulator {
  #signed = new Map(); // What it has signed: signature to text.

  // `account`: { accessKey, secretKey, sessionToken, region }; `key`: a Bedrock API key, taken instead of a signature.
  constructor({ account, ...options }) {
    super(options);
    this.account = account;
  }

  get baseUrl() { return `http://127.0.0.1:${this.port}`; }

  allowedHeaders() {
    return ['host', 'content-type', 'content-length', 'transfer-encoding', 'authorization', 'user-agent', 'accept', 'connection',
      'x-amz-date', 'x-amz-security-token', 'x-amz-content-sha256'];
  }

  replyHeaders() { return { 'x-amzn-requestid': 'req-of-the-provider' }; }

  errorHeaders(status) { return { 'x-amzn-errortype': `${kErrors[status] ?? 'InternalServerException'}:http://internal.amazon.com/` }; }

  route(path) {
    const parts = /^\/model\/([^/]+)\/(converse|converse-stream)$/.exec(path);
    if (!parts) return undefined;
    // The id may hold ':' and '/', encoded.
    if (parts[1].includes(':')) refuse('the model id is not encoded');
    return { kind: 'chat', model: decodeURIComponent(parts[1]), stream: parts[2] === 'converse-stream' };
  }

  checkHead(headers, record) {
    if (this.key && headers.authorization === `Bearer ${this.key}`) return;
    const fault = signatureFault(record, this.account);
    if (fault) refuse(fault, { status: 403 });
  }

  checkBody(body) {
    fields(body, '', {
      messages: [isList(1), 'required'], system: isList(1, (block) => checkSystem(block)),
      inferenceConfig: (value, at) => fields(value, at, {
        maxTokens: isInteger(1), temperature: isNumber(0, 1), topP: isNumber(0, 1), stopSequences: isList(0, (text) => !isBlank(text), 2500),
      }, unknownField),
      toolConfig: (value, at) => fields(value, at, { tools: [isList(1, checkTool), 'required'], toolChoice: (choice) => checkChoice(choice, value) }, unknownField),
      outputConfig: (value, at) => fields(value, at, { textFormat: checkFormat, effort: isText }, unknownField),
      additionalModelRequestFields: isObject, additionalModelResponseFieldPaths: isList(0, (path) => isText(path) && path.startsWith('/'), 10), guardrailConfig: isObject, performanceConfig: isObject, serviceTier: isObject,
      requestMetadata: (value) => isObject(value) && Object.values(value).every(isString),
    }, unknownField);
    this.#checkMessages(body.messages, body);
  }

  #checkMessages(messages, body) {
    let open = new Set();
    messages.forEach((message, i) => {
      const at = `messages.${i}`;
      fields(message, at, { role: [oneOf('user', 'assistant'), 'required'], content: [isList(1), 'required'] }, unknownField);
      if (message.role !== (i % 2 === 0 ? 'user' : 'assistant')) refuse('A conversation must alternate between user and assistant roles, and start with a user message.');
      const results = new Set();
      for (const block of message.content) this.#checkBlock(block, at, message.role, results);
      const uses = message.content.filter((block) => block.toolUse).map((block) => block.toolUse.toolUseId);
      if ((uses.length > 0 || results.size > 0) && !body.toolConfig) refuse('The toolConfig field must be defined when using toolUse and toolResult content blocks.');
      if ([...results].some((id) => !open.has(id))) refuse('The number of toolResult blocks exceeds the number of toolUse blocks of previous turn.');
      if ([...open].some((id) => !results.has(id))) refuse(`Expected toolResult blocks at ${at}.content for the following Ids: ${[...open]}`);
      if (new Set(uses).size !== uses.length) refuse('The toolUse blocks contain duplicate Ids.');
      open = new Set(uses);
    });
    if (open.size > 0) refuse('toolUse without toolResult at the end');
  }

  #checkBlock(block, at, role, results) {
    const source = (value) => fields(value, `${at}.source`, { bytes: [isBase64, 'required'] }, unknownField);
    const media = {
      image: (value) => fields(value, `${at}.image`, { format: [oneOf('png', 'jpeg', 'gif', 'webp'), 'required'], source: [source, 'required'] }, unknownField),
      document: (value) => fields(value, `${at}.document`, {
        format: [oneOf('pdf', 'txt', 'md', 'csv', 'html', 'doc', 'docx', 'xls', 'xlsx'), 'required'],
        name: [(name) => /^[A-Za-z0-9()[\]-]+( [A-Za-z0-9()[\]-]+)*$/.test(name), 'required'], source: [source, 'required'],
      }, unknownField),
    };
    const text = (value) => { if (isBlank(value)) refuse(`The text field in the ContentBlock object at ${at}.content is blank.`); };
    fields(block, at, {
      text, ...media, cachePoint: isObject,
      ...(role === 'assistant' && {
        toolUse: (value) => fields(value, `${at}.toolUse`, {
          toolUseId: [(id) => /^[a-zA-Z0-9_-]{1,64}$/.test(id), 'required'], name: [(name) => /^[a-zA-Z0-9_-]{1,64}$/.test(name), 'required'], input: [isObject, 'required'],
        }, unknownField),
        reasoningContent: (value) => fields(value, `${at}.reasoningContent`, {
          reasoningText: (reasoning) => {
            fields(reasoning, at, { text: [isString, 'required'], signature: [isText, 'required'] }, unknownField);
            if (this.#signed.get(reasoning.signature) !== reasoning.text) refuse(`${at}: Invalid signature in reasoningContent block`);
          },
          redactedContent: isBase64,
        }, unknownField),
      }),
      ...(role === 'user' && {
        toolResult: (value) => {
          fields(value, `${at}.toolResult`, {
            toolUseId: [isText, 'required'], status: oneOf('success', 'error'),
            content: [isList(1, (part) => one(part, `${at}.toolResult.content`) && fields(part, at, { text, json: isObject, ...media }, unknownField)), 'required'],
          }, unknownField);
          results.add(value.toolUseId);
        },
      }),
    }, unknownField);
    one(block, at);
  }

  errorBody(status, { message }) { return { message }; }

  #usage({ usage }) {
    return {
      inputTokens: usage.input - usage.cached - usage.written, outputTokens: usage.output, totalTokens: usage.input + usage.output,
      ...(usage.cached && { cacheReadInputTokens: usage.cached }), ...(usage.written && { cacheWriteInputTokens: usage.written }),
    };
  }

  #stop(answer) {
    if (answer.tools) return 'tool_use';
    if (answer.stopSequence) return 'stop_sequence';
    return { length: 'max_tokens', refusal: 'content_filtered' }[answer.stop] ?? 'end_turn';
  }

  #blocks(answer) {
    const thinking = [answer.thinking ?? []].flat();
    for (const { text, signature } of thinking) this.#signed.set(signature, text);
    const text = [answer.text ?? []].flat().join('');
    return [
      ...thinking.map((block) => ({ reasoningContent: { reasoningText: { text: block.text, signature: block.signature } } })),
      ...(text ? [{ text }] : []),
      ...(answer.tools ?? []).map((call) => ({ toolUse: { toolUseId: call.id, name: call.name, input: JSON.parse(call.arguments) } })),
    ];
  }

  whole(answer) {
    return {
      metrics: { latencyMs: 3 }, output: { message: { role: 'assistant', content: this.#blocks(answer) } }, stopReason: this.#stop(answer), usage: this.#usage(answer),
    };
  }

  streamHeaders() { return { ...super.streamHeaders(), 'content-type': 'application/vnd.amazon.eventstream' }; }

  frames(answer) {
    const event = (type, value) => eventMessage({ ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' },
      JSON.stringify({ ...value, p: 'abcdefghijklm'.slice(0, type.length % 13) }));
    const delta = (contentBlockIndex, value) => event('contentBlockDelta', { contentBlockIndex, delta: value });
    const content = [];
    this.#blocks(answer).forEach((block, index) => {
      if (block.reasoningContent) {
        const { text, signature } = block.reasoningContent.reasoningText;
        for (const half of halves(text)) content.push(delta(index, { reasoningContent: { text: half } }));
        content.push(delta(index, { reasoningContent: { signature } }));
      } else if (block.toolUse) {
        const { toolUseId, name } = block.toolUse;
        content.push(event('contentBlockStart', { contentBlockIndex: index, start: { toolUse: { toolUseId, name } } }));
        for (const input of odd(answer.tools.find((call) => call.id === toolUseId).arguments)) content.push(delta(index, { toolUse: { input } }));
      } else {
        // A text starts with its first delta.
        for (const text of [answer.text].flat()) content.push(delta(index, { text }));
      }
      content.push(event('contentBlockStop', { contentBlockIndex: index }));
    });
    return {
      open: [event('messageStart', { role: 'assistant' })], content,
      close: [event('messageStop', { stopReason: this.#stop(answer) }), event('metadata', { usage: this.#usage(answer), metrics: { latencyMs: 3 } })],
    };
  }

  errorFrame({ overloaded, message = 'simulated failure' }) {
    const type = overloaded ? 'serviceUnavailableException' : 'modelStreamErrorException';
    return eventMessage({ ':exception-type': type, ':content-type': 'application/json', ':message-type': 'exception' }, JSON.stringify({ message }));
  }
}

// A union has one member.
function one(block, at) {
  if (!isObject(block) || Object.keys(block).length !== 1) refuse(`The content field at ${at} must have one member: ${Object.keys(block ?? {})}`);
  return true;
}

function checkSystem(block) {
  one(block, 'system');
  fields(block, 'system', { text: (text) => !isBlank(text), cachePoint: isObject, guardContent: isObject }, unknownField);
}

function checkTool(tool) {
  one(tool, 'toolConfig.tools');
  fields(tool, 'toolConfig.tools', { cachePoint: isObject, toolSpec: (spec) => fields(spec, 'toolSpec', {
    name: [(name) => /^[a-zA-Z0-9_-]{1,64}$/.test(name), 'required'], description: isText, strict: (value) => typeof value === 'boolean',
    inputSchema: [(schema) => fields(schema, 'inputSchema', { json: [(json) => isObject(json) && json.type === 'object', 'required'] }, unknownField), 'required'],
  }, unknownField) }, unknownField);
}

function checkChoice(choice, { tools }) {
  one(choice, 'toolChoice');
  fields(choice, 'toolChoice', { auto: isObject, any: isObject, tool: ({ name }) => tools.some((tool) => tool.toolSpec?.name === name) }, unknownField);
}

function checkFormat(format, at) {
  fields(format, at, { type: [oneOf('json_schema'), 'required'], structure: [(value) => fields(value, at, {
    jsonSchema: [(inner) => fields(inner, at, { schema: [(text) => isObject(JSON.parse(text)), 'required'], name: isText, description: isString }, unknownField), 'required'],
  }, unknownField), 'required'] }, unknownField);
}
