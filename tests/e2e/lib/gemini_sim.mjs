// Gemini's generateContent, streamGenerateContent, countTokens and embedContent as a strict simulator.
import {
  fields, isBase64, isBoolean, isInteger, isList, isNumber, isObject, isString, isText, oneOf, refuse,
} from './rules.mjs';
import { Simulator } from './simulator.mjs';
import { halves } from './text_pieces.mjs';

const unknownField = (name) => {
  const [, where, last] = /^(?:(.*)\.)?([^.]*)$/.exec(name);
  return `Invalid JSON payload received. Unknown name "${last}"${where ? ` at '${where}'` : ''}: Cannot find field.`;
};
const kDummySignature = 'skip_thought_signature_validator';
const kVerbs = { generateContent: 'chat', streamGenerateContent: 'chat', countTokens: 'count_tokens', embedContent: 'embeddings', batchEmbedContents: 'embeddings' };
const kMedia = /^(image\/(png|jpeg|webp|heic|heif|gif)|application\/pdf|audio\/|video\/|text\/)/;
const kStatus = { 400: 'INVALID_ARGUMENT', 401: 'UNAUTHENTICATED', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 500: 'INTERNAL', 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED' };
const generation = (model) => Number(/gemini-(\d)/.exec(model)?.[1] ?? 3);
const hasThoughts = (model) => /gemini-(2\.5|[3-9])/.test(model);

export class GeminiSimulator extends Simulator {
  #signed = new Map(); // What it has signed: signature to what it was on.

  get baseUrl() { return `http://127.0.0.1:${this.port}`; }

  allowedHeaders() {
    return ['host', 'content-type', 'content-length', 'transfer-encoding', 'x-goog-api-key', 'user-agent', 'accept', 'connection', 'x-goog-api-client'];
  }

  replyHeaders() { return { 'x-gemini-service-tier': 'standard' }; }

  route(path, query) {
    const parts = /^\/v1(?:beta)?\/models\/([^/:]+):(\w+)$/.exec(path);
    const kind = parts && Object.hasOwn(kVerbs, parts[2]) && kVerbs[parts[2]];
    if (!kind) return undefined;
    if (!['', 'alt=sse'].includes(query)) refuse(`unknown query: ${query}`);
    return { kind, verb: parts[2], model: decodeURIComponent(parts[1]), stream: parts[2] === 'streamGenerateContent', sse: query === 'alt=sse' };
  }

  checkHead(headers) {
    if (headers['x-goog-api-key'] !== this.key) refuse('API key not valid. Please pass a valid API key.');
  }

  checkBody(body, _, { kind, verb, model }) {
    if (kind === 'embeddings') return checkEmbeddings(body, verb, model);
    if (verb === 'countTokens') {
      fields(body, '', { contents: isList(1), generateContentRequest: isObject }, unknownField);
      const inner = body.generateContentRequest;
      if (!inner === !body.contents) refuse('contents or generateContentRequest');
      if (inner && inner.model !== `models/${model}`) refuse('generateContentRequest.model must match the path');
      const { model: _model, ...request } = inner ?? body;
      return this.#checkRequest(request, model);
    }
    return this.#checkRequest(body, model);
  }

  #checkRequest(body, model) {
    fields(body, '', {
      contents: [isList(1), 'required'],
      systemInstruction: (value, at) => fields(value, at, { role: isString, parts: [isList(1, (part) => isText(part?.text)), 'required'] }, unknownField),
      tools: isList(0, checkTool), toolConfig: (value, at) => fields(value, at, { functionCallingConfig: (config) => checkCalling(config, body) }, unknownField),
      safetySettings: isList(0, (value) => fields(value, 'safety_settings', { category: [isText, 'required'], threshold: [isText, 'required'] }, unknownField)),
      generationConfig: (value, at) => checkConfig(value, at, model), cachedContent: isText, labels: isObject, serviceTier: isText, store: isBoolean,
    }, unknownField);
    this.#checkContents(body.contents, model);
  }

  #checkContents(contents, model) {
    let open = null; // The calls of the turn before.
    const lastUser = contents.findLastIndex((turn) => turn.role !== 'model' && turn.parts?.some?.((part) => !part.functionResponse));
    contents.forEach((turn, i) => {
      const at = `contents[${i}]`;
      fields(turn, at, { role: oneOf('user', 'model', 'function'), parts: [isList(1), 'required'] }, unknownField);
      turn.parts.forEach((part, j) => this.#checkPart(part, `${at}.parts[${j}]`, turn.role));
      const calls = turn.parts.filter((part) => part.functionCall).map((part) => part.functionCall);
      const results = turn.parts.filter((part) => part.functionResponse).map((part) => part.functionResponse);
      if (open && results.length !== open.length) {
        refuse('Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.');
      }
      if (!open && results.length > 0) refuse('Please ensure that function response turn comes immediately after a function call turn.');
      results.forEach((result, j) => {
        if (result.name !== open[j].name || (result.id !== undefined && open[j].id !== undefined && result.id !== open[j].id)) {
          refuse(`function response ${result.name} ${result.id} in the place of ${open[j].name} ${open[j].id}`);
        }
      });
      if (calls.length > 0) {
        if (turn.role !== 'model') refuse(`${at}: a function call of the user`);
        if (i === 0 || contents[i - 1].role === 'model') refuse('Please ensure that function call turn comes immediately after a user turn or after a function response turn.');
        const first = turn.parts.find((part) => part.functionCall);
        if (generation(model) >= 3 && i > lastUser && !first.thoughtSignature) refuse(`Function call is missing a thought_signature in functionCall parts. function call \`default_api:${first.functionCall.name}\`, position ${i}.`);
      }
      open = calls.length > 0 ? calls : null;
    });
    if (open) refuse('Please ensure that function response turn comes immediately after a function call turn.');
  }

  #checkPart(part, at, role) {
    fields(part, at, {
      text: isString, thought: isBoolean, thoughtSignature: isText,
      inlineData: (value) => fields(value, `${at}.inline_data`, { mimeType: [(type) => kMedia.test(type), 'required'], data: [isBase64, 'required'], displayName: isString }, unknownField),
      fileData: (value) => fields(value, `${at}.file_data`, { mimeType: isText, fileUri: [(url) => /^(https|gs):\/\//.test(url), 'required'] }, unknownField),
      functionCall: (value) => fields(value, `${at}.function_call`, { name: [isText, 'required'], args: isObject, id: isText }, unknownField),
      functionResponse: (value) => fields(value, `${at}.function_response`, {
        name: [isText, 'required'], id: isText, response: [isObject, 'required'],
        parts: isList(1, (inner) => fields(inner, `${at}.parts`, { inlineData: [isObject, 'required'] }, unknownField)),
      }, unknownField),
    }, unknownField);
    const data = ['text', 'inlineData', 'fileData', 'functionCall', 'functionResponse'].filter((name) => name in part);
    if (data.length !== 1) refuse(`${at}.data: required oneof field 'data' must have one initialized field, not ${data.length}`);
    if (part.text === '' && !part.thoughtSignature) refuse(`${at}: empty text parameter`);
    if (part.thought && (role !== 'model' || data[0] !== 'text')) refuse(`${at}: thought`);
    if (part.thoughtSignature && part.thoughtSignature !== kDummySignature) {
      const on = this.#signed.get(part.thoughtSignature);
      if (role !== 'model' || !on || (part.functionCall && on !== part.functionCall.name)) refuse(`${at}: Thought signature is not valid: ${part.thoughtSignature}`);
    }
  }

  errorBody(status, { message, details, retryDelay }) {
    return { error: { code: status, message, status: kStatus[status] ?? 'INTERNAL',
      ...((details || retryDelay) && { details: details ?? [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay }] }) } };
  }

  #usage({ usage }) {
    return {
      promptTokenCount: usage.input, ...(usage.cached && { cachedContentTokenCount: usage.cached }), candidatesTokenCount: usage.output - usage.reasoning,
      ...(usage.reasoning && { thoughtsTokenCount: usage.reasoning }), totalTokenCount: usage.input + usage.output,
    };
  }

  // The parts of an answer, as they are streamed. Signatures sit on the first call, or on an empty text at the end.
  #parts(answer, { model, body }) {
    const blocks = [answer.thinking ?? []].flat();
    const parts = [];
    if (body.generationConfig?.thinkingConfig?.includeThoughts) {
      for (const { text } of blocks) parts.push(...halves(text).map((half) => ({ text: half, thought: true })));
    }
    for (const text of [answer.text ?? []].flat()) parts.push({ text });
    const signature = blocks.at(-1)?.signature ?? (generation(model) >= 3 && hasThoughts(model) ? Buffer.from(`sig-gemini-of-${model}`).toString('base64') : undefined);
    (answer.tools ?? []).forEach((call, i) => {
      const signed = call.signature ?? (i === 0 ? signature : undefined);
      if (signed) this.#signed.set(signed, call.name);
      // Ids are not given, as older models do; `ids` gives them.
      parts.push({ functionCall: { ...(answer.ids && { id: call.id }), name: call.name, args: JSON.parse(call.arguments) }, ...(signed && { thoughtSignature: signed }) });
    });
    if (!answer.tools && signature) {
      this.#signed.set(signature, 'text');
      parts.push({ text: '', thoughtSignature: signature });
    }
    return parts;
  }

  #finish(answer) {
    return { length: 'MAX_TOKENS', refusal: 'SAFETY' }[answer.stop] ?? 'STOP';
  }

  whole(answer, body, { kind, verb, model }) {
    if (kind === 'count_tokens') return { totalTokens: answer.usage.input };
    if (kind === 'embeddings') {
      const vector = (i) => ({ values: answer.vectors?.[i] ?? [0.25, -0.5, i] });
      return verb === 'embedContent' ? { embedding: vector(0) } : { embeddings: body.requests.map((_, i) => vector(i)) };
    }
    const parts = [];
    for (const part of this.#parts(answer, { model, body })) {
      const last = parts.at(-1);
      if (last && 'text' in last && part.text && last.thought === part.thought && !part.thoughtSignature) last.text += part.text;
      else parts.push({ ...part });
    }
    return {
      candidates: [{ content: { role: 'model', parts }, finishReason: this.#finish(answer), index: 0 }], usageMetadata: this.#usage(answer),
      modelVersion: model, responseId: 'gemini-e2e',
    };
  }

  streamHeaders({ sse }) {
    return { ...super.streamHeaders(), 'content-type': sse ? 'text/event-stream' : 'application/json; charset=UTF-8' };
  }

  frames(answer, body, { model, sse }) {
    const { promptTokenCount } = this.#usage(answer);
    const event = (parts, more = {}, usageMetadata = { promptTokenCount, totalTokenCount: promptTokenCount }) => {
      const value = { candidates: [{ content: { role: 'model', parts }, index: 0, ...more }], usageMetadata, modelVersion: model, responseId: 'gemini-e2e' };
      return sse ? `data: ${JSON.stringify(value)}\r\n\r\n` : JSON.stringify(value, null, 2);
    };
    const parts = this.#parts(answer, { model, body });
    const last = parts.length > 1 || parts[0]?.text === '' ? parts.pop() : undefined;
    const content = parts.map((part) => event([part]));
    const end = event(last ? [last] : [{ text: '' }], { finishReason: this.#finish(answer) }, this.#usage(answer));
    if (sse) return { open: [], content, close: [end] };
    return { open: ['['], content: content.map((text, i) => (i > 0 ? `,\r\n${text}\n` : `${text}\n`)), close: [content.length > 0 ? `,\r\n${end}\n]\n` : `${end}\n]\n`] };
  }

  errorFrame({ overloaded, message = 'simulated failure' }) {
    return `data: ${JSON.stringify(this.errorBody(overloaded ? 503 : 500, { message: overloaded ? 'The model is overloaded.' : message }))}\r\n\r\n`;
  }
}

function checkEmbeddings(body, verb, model) {
  const one = {
    model: (value) => value === `models/${model}`, content: [(value, at) => fields(value, at, { role: isString, parts: [isList(1, (part) => isText(part.text)), 'required'] }, unknownField), 'required'],
    taskType: isText, title: isText, outputDimensionality: isInteger(1),
  };
  if (verb === 'embedContent') return fields(body, '', one, unknownField);
  return fields(body, '', { requests: [isList(1, (request) => fields(request, 'requests', { ...one, model: [one.model, 'required'] }, unknownField)), 'required'] }, unknownField);
}

function checkTool(tool) {
  fields(tool, 'tools', { functionDeclarations: isList(1, (declared) => {
    fields(declared, 'function_declarations', {
      name: [(name) => /^[A-Za-z_][A-Za-z0-9_.:-]{0,127}$/.test(name), 'required'], description: isString,
      parameters: (schema) => checkSchema(schema, 'parameters'), parametersJsonSchema: isObject, response: isObject, behavior: isText,
    }, unknownField);
    if (declared.parameters && declared.parametersJsonSchema) refuse('parameters and parameters_json_schema are both set');
  }), googleSearch: isObject, codeExecution: isObject, urlContext: isObject }, unknownField);
}

const kTypes = ['STRING', 'NUMBER', 'INTEGER', 'BOOLEAN', 'ARRAY', 'OBJECT', 'NULL'];

// The subset of OpenAPI that it knows.
function checkSchema(schema, at) {
  const isCount = (value) => Number.isInteger(Number(value));
  fields(schema, at, {
    type: (type) => isText(type) && kTypes.includes(type.toUpperCase()), format: isString, title: isString, description: isString, nullable: isBoolean, default: () => true,
    enum: isList(1, isString), items: (value) => checkSchema(value, `${at}.items`), minItems: isCount, maxItems: isCount, minLength: isCount, maxLength: isCount,
    pattern: isString, minimum: isNumber(-Infinity, Infinity), maximum: isNumber(-Infinity, Infinity), minProperties: isCount, maxProperties: isCount,
    properties: (value) => isObject(value) && Object.entries(value).every(([name, entry]) => checkSchema(entry, `${at}.properties.${name}`) !== false),
    propertyOrdering: isList(0, isString), required: isList(0, isString), anyOf: isList(1, (entry) => checkSchema(entry, `${at}.any_of`)), example: () => true,
  }, unknownField);
  if (schema.type?.toUpperCase() === 'OBJECT' && Object.keys(schema.properties ?? {}).length === 0) refuse(`${at}.properties: should be non-empty for OBJECT type`);
}

function checkCalling(config, body) {
  fields(config, 'function_calling_config', { mode: oneOf('AUTO', 'ANY', 'NONE', 'VALIDATED'), allowedFunctionNames: isList(1, isText) }, unknownField);
  const names = (body.tools ?? []).flatMap((tool) => tool.functionDeclarations ?? []).map((declared) => declared.name);
  if (config.allowedFunctionNames && !['ANY', 'VALIDATED'].includes(config.mode)) refuse('Please set allowed_function_names only when function calling mode is ANY.');
  if (['ANY', 'VALIDATED'].includes(config.mode) && names.length === 0) refuse('Function calling mode is ANY but no function_declarations are provided.');
  return (config.allowedFunctionNames ?? []).every((name) => names.includes(name));
}

function checkConfig(config, at, model) {
  fields(config, at, {
    temperature: isNumber(0, 2), topP: isNumber(0, 1), topK: isInteger(1), candidateCount: isInteger(1, 8), maxOutputTokens: isInteger(1),
    stopSequences: isList(0, isText, 5), seed: isInteger(-Infinity), presencePenalty: isNumber(-2, 2), frequencyPenalty: isNumber(-2, 2),
    responseLogprobs: isBoolean, logprobs: isInteger(0, 20), responseMimeType: oneOf('text/plain', 'application/json', 'text/x.enum'),
    responseSchema: (schema) => checkSchema(schema, 'response_schema'), responseJsonSchema: isObject, responseModalities: isList(1, isText),
    thinkingConfig: (value) => {
      fields(value, 'thinking_config', { includeThoughts: isBoolean, thinkingBudget: isInteger(-1), thinkingLevel: oneOf('MINIMAL', 'LOW', 'MEDIUM', 'HIGH') }, unknownField);
      if (!hasThoughts(model)) refuse('Thinking is not supported by this model.');
      if ('thinkingBudget' in value && 'thinkingLevel' in value) refuse('You can only set only one of thinking budget and thinking level.');
      if ('thinkingLevel' in value && generation(model) < 3) refuse('Thinking level is not supported for this model.');
    },
    mediaResolution: isText, speechConfig: isObject, imageConfig: isObject,
  }, unknownField);
  if (config.responseSchema && config.responseJsonSchema) refuse('response_schema and response_json_schema are both set');
  if ((config.responseSchema || config.responseJsonSchema) && config.responseMimeType !== 'application/json') refuse('response_schema needs response_mime_type application/json');
  if ('logprobs' in config && !config.responseLogprobs) refuse('logprobs needs response_logprobs');
}
