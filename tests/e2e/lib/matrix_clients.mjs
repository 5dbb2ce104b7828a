// The client dialects in one form, each through its real SDK. A driver has:
//   user(text, image)        what the user says, as messages of the dialect
//   results(reply, texts)    the results of a reply's calls, by the call's name
//   ask(messages, options)   { text, thinking, calls: [{ id, name, args }], reason, usage, messages, pieces, headers }
// where `messages` of a reply is what a client puts into the history. Options: { model, stream, system, max, tools: names,
// schema, effort }.
import { GoogleGenAI } from '@google/genai';
import { anthropic, openai } from './clients.mjs';
import { kPng, kSchemas } from './stand.mjs';

export const kImageUrl = `data:image/png;base64,${kPng}`;
const wanted = (tools) => (tools ?? []).map((name) => [name, `${name} of a place`, kSchemas[name]]);
const parsed = (text) => JSON.parse(text);
const kReasons = {
  stop: 'stop', length: 'length', tool_calls: 'tools', end_turn: 'stop', max_tokens: 'length', tool_use: 'tools', STOP: 'stop', MAX_TOKENS: 'length',
};

class ChatClient {
  errors = { 400: 'BadRequestError', 429: 'RateLimitError', broken: 'APIError' };
  constructor(gateway, key) { this.sdk = openai(gateway, key); }

  user(text, image) { return [{ role: 'user', content: image ? [{ type: 'text', text }, { type: 'image_url', image_url: { url: kImageUrl } }] : text }]; }

  results(reply, texts) { return reply.calls.map(({ id, name }) => ({ role: 'tool', tool_call_id: id, content: texts[name] })); }

  async ask(messages, { model, stream, system, max, tools, schema, effort, signal }) {
    const body = {
      model, messages: [...(system ? [{ role: 'system', content: system }] : []), ...messages], ...(max && { max_completion_tokens: max }),
      ...(tools && { tools: wanted(tools).map(([name, description, parameters]) => ({ type: 'function', function: { name, description, parameters } })) }),
      ...(schema && { response_format: { type: 'json_schema', json_schema: { name: 'place', schema, strict: true } } }),
      ...(effort && { reasoning_effort: effort }),
    };
    const call = this.sdk.chat.completions;
    if (!stream) {
      const { data, response } = await call.create(body, { signal }).withResponse();
      return this.#reply(data.choices[0].message, data.choices[0].finish_reason, data.usage, 1, response);
    }
    const options = { ...body, stream: true, stream_options: { include_usage: true } };
    // The helper is the stricter reader, but what it does not know it does not put together.
    if (!effort) {
      const helper = call.stream(options, { signal });
      let pieces = 0, reasoning_content = '';
      helper.on('content', () => pieces++);
      helper.on('chunk', ({ choices }) => { reasoning_content += choices[0]?.delta.reasoning_content ?? ''; });
      const { choices, usage } = await helper.finalChatCompletion();
      return this.#reply({ ...choices[0].message, reasoning_content }, choices[0].finish_reason, usage, pieces);
    }
    const message = { role: 'assistant', content: '', reasoning_content: '', reasoning_details: [], tool_calls: [] };
    let reason, usage, pieces = 0;
    for await (const chunk of await call.create(options, { signal })) {
      usage = chunk.usage ?? usage;
      const { delta = {}, finish_reason: finish } = chunk.choices[0] ?? {};
      reason = finish ?? reason;
      if (delta.content) pieces++;
      message.content += delta.content ?? '';
      message.reasoning_content += delta.reasoning_content ?? '';
      for (const detail of delta.reasoning_details ?? []) mergeDetail(message.reasoning_details, detail);
      for (const { index, function: { arguments: text, ...named }, ...call_ } of delta.tool_calls ?? []) {
        message.tool_calls[index] ??= { ...call_, function: { ...named, arguments: '' } };
        message.tool_calls[index].function.arguments += text ?? '';
      }
    }
    if (message.tool_calls.length === 0) delete message.tool_calls;
    return this.#reply(message, reason, usage, pieces);
  }

  #reply(message, reason, usage, pieces, response) {
    const { role, content, tool_calls, reasoning_details } = message;
    return {
      text: content ?? '', thinking: message.reasoning_content ?? '', reason: kReasons[reason] ?? reason, pieces, headers: response?.headers,
      calls: (tool_calls ?? []).map(({ id, function: { name, arguments: text } }) => ({ id, name, args: parsed(text) })),
      usage: { input: usage.prompt_tokens, output: usage.completion_tokens, cached: usage.prompt_tokens_details?.cached_tokens },
      messages: [{ role, content: content || null, ...(tool_calls && { tool_calls }), ...(reasoning_details?.length > 0 && { reasoning_details }) }],
    };
  }
}

// A client puts the pieces of one index together: text grows, the rest is set.
function mergeDetail(details, { index, text, ...rest }) {
  const known = details.find((detail) => detail.index === index);
  if (!known) details.push({ index, ...(text !== undefined && { text }), ...rest });
  else Object.assign(known, rest, text !== undefined && { text: (known.text ?? '') + text });
}

class ResponsesClient {
  errors = { 400: 'BadRequestError', 429: 'RateLimitError', broken: 'APIError' };
  constructor(gateway, key) { this.sdk = openai(gateway, key); }

  user(text, image) {
    return [{ role: 'user', content: image ? [{ type: 'input_text', text }, { type: 'input_image', image_url: kImageUrl, detail: 'auto' }] : text }];
  }

  results(reply, texts) { return reply.calls.map(({ id, name }) => ({ type: 'function_call_output', call_id: id, output: texts[name] })); }

  async ask(input, { model, stream, system, max, tools, schema, effort, signal }) {
    const body = {
      model, input, store: false, include: ['reasoning.encrypted_content'], ...(system && { instructions: system }), ...(max && { max_output_tokens: max }),
      ...(tools && { tools: wanted(tools).map(([name, description, parameters]) => ({ type: 'function', name, description, parameters, strict: false })) }),
      ...(schema && { text: { format: { type: 'json_schema', name: 'place', schema, strict: true } } }),
      ...(effort && { reasoning: { effort, summary: 'auto' } }),
    };
    let pieces = 1, response, reply;
    if (stream) {
      const helper = this.sdk.responses.stream(body, { signal });
      pieces = 0;
      helper.on('response.output_text.delta', () => pieces++);
      reply = await helper.finalResponse();
    } else {
      ({ data: reply, response } = await this.sdk.responses.create(body, { signal }).withResponse());
    }
    const { output, usage, status, incomplete_details: details } = reply;
    const calls = output.filter(({ type }) => type === 'function_call').map((item) => ({ id: item.call_id, name: item.name, args: parsed(item.arguments) }));
    return {
      text: reply.output_text, calls, pieces, headers: response?.headers,
      thinking: output.filter(({ type }) => type === 'reasoning').map((item) => item.summary.map((part) => part.text).join('')).join(''),
      reason: status === 'completed' ? (calls.length > 0 ? 'tools' : 'stop') : details?.reason === 'max_output_tokens' ? 'length' : status,
      usage: { input: usage.input_tokens, output: usage.output_tokens, cached: usage.input_tokens_details.cached_tokens },
      // Without what the SDK has added of its own.
      messages: output.map(({ parsed_arguments: _, content, ...item }) => ({ ...item, ...(content && { content: content.map(({ parsed: _parsed, ...part }) => part) }) })),
    };
  }
}

class AnthropicClient {
  errors = { 400: 'BadRequestError', 429: 'RateLimitError', broken: 'APIError' };
  constructor(gateway, key) { this.sdk = anthropic(gateway, key); }

  user(text, image) {
    const block = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: kPng } };
    return [{ role: 'user', content: image ? [{ type: 'text', text }, block] : text }];
  }

  results(reply, texts) {
    return [{ role: 'user', content: reply.calls.map(({ id, name }) => ({ type: 'tool_result', tool_use_id: id, content: texts[name] })) }];
  }

  async ask(messages, { model, stream, system, max = 1000, tools, schema, effort, signal }) {
    const body = {
      model, messages, max_tokens: effort ? 16_000 : max, ...(system && { system }),
      ...(tools && { tools: wanted(tools).map(([name, description, input_schema]) => ({ name, description, input_schema })) }),
      ...(schema && { output_config: { format: { type: 'json_schema', schema } } }),
      ...(effort && { thinking: { type: 'enabled', budget_tokens: 12_000 } }),
    };
    let pieces = 1, response, reply;
    if (stream) {
      const helper = this.sdk.messages.stream(body, { signal });
      pieces = 0;
      helper.on('text', () => pieces++);
      reply = await helper.finalMessage();
    } else {
      ({ data: reply, response } = await this.sdk.messages.create(body, { signal }).withResponse());
    }
    const { content, usage, stop_reason: reason } = reply;
    const of = (type) => content.filter((block) => block.type === type);
    return {
      text: of('text').map((block) => block.text).join(''), thinking: of('thinking').map((block) => block.thinking).join(''), pieces, headers: response?.headers,
      calls: of('tool_use').map(({ id, name, input }) => ({ id, name, args: input })), reason: kReasons[reason] ?? reason,
      usage: { input: usage.input_tokens + usage.cache_read_input_tokens + (usage.cache_creation_input_tokens ?? 0), output: usage.output_tokens, cached: usage.cache_read_input_tokens },
      messages: [{ role: 'assistant', content: content.map(({ parsed_output: _, ...block }) => block) }],
    };
  }
}

class GeminiClient {
  errors = { 400: 'ApiError', 429: 'ApiError', broken: 'ApiError' };
  constructor(gateway, apiKey) { this.sdk = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: gateway.url, timeout: 30_000 } }); }

  user(text, image) { return [{ role: 'user', parts: [{ text }, ...(image ? [{ inlineData: { mimeType: 'image/png', data: kPng } }] : [])] }]; }

  results(reply, texts) {
    return [{ role: 'user', parts: reply.calls.map(({ id, name }) => ({ functionResponse: { ...(id && { id }), name, response: { output: texts[name] } } })) }];
  }

  async ask(contents, { model, stream, system, max, tools, schema, effort, signal }) {
    const config = {
      abortSignal: signal, ...(system && { systemInstruction: system }), ...(max && { maxOutputTokens: max }),
      ...(tools && { tools: [{ functionDeclarations: wanted(tools).map(([name, description, parametersJsonSchema]) => ({ name, description, parametersJsonSchema })) }] }),
      // Its own kind of schema, as most callers write it.
      ...(schema && { responseMimeType: 'application/json', responseSchema: toGemini(schema) }),
      ...(effort && { thinkingConfig: { includeThoughts: true, thinkingLevel: effort.toUpperCase() } }),
    };
    const parts = [];
    let reason, usage, pieces = 0, role;
    const take = (reply) => {
      const [candidate] = reply.candidates ?? [];
      parts.push(...(candidate?.content?.parts ?? []));
      if (candidate?.content?.parts?.some((part) => part.text && !part.thought)) pieces++;
      [role, reason, usage] = [candidate?.content?.role ?? role, candidate?.finishReason ?? reason, reply.usageMetadata ?? usage];
    };
    if (stream) for await (const reply of await this.sdk.models.generateContentStream({ model, contents, config })) take(reply);
    else take(await this.sdk.models.generateContent({ model, contents, config }));
    const calls = parts.filter((part) => part.functionCall).map(({ functionCall: { id, name, args } }) => ({ id, name, args: args ?? {} }));
    const text = (thought) => parts.filter((part) => part.text && Boolean(part.thought) === thought).map((part) => part.text).join('');
    return {
      text: text(false), thinking: text(true), calls, pieces, reason: calls.length > 0 && reason === 'STOP' ? 'tools' : kReasons[reason] ?? reason,
      usage: { input: usage.promptTokenCount, output: usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0), cached: usage.cachedContentTokenCount ?? 0 },
      messages: [{ role, parts }],
    };
  }
}

function toGemini({ additionalProperties: _, properties, type, ...schema }) {
  return { ...schema, type: type.toUpperCase(), ...(properties && { properties: Object.fromEntries(Object.entries(properties).map(([name, value]) => [name, toGemini(value)])) }) };
}

class CompletionsClient {
  errors = { 400: 'BadRequestError', 429: 'RateLimitError', broken: 'APIError' };
  constructor(gateway, key) { this.sdk = openai(gateway, key); }

  user(text) { return text; }

  async ask(prompt, { model, stream, max, signal }) {
    const body = { model, prompt, ...(max && { max_tokens: max }) };
    if (!stream) {
      const { data, response } = await this.sdk.completions.create(body, { signal }).withResponse();
      return { text: data.choices[0].text, reason: data.choices[0].finish_reason, usage: { input: data.usage.prompt_tokens, output: data.usage.completion_tokens }, headers: response.headers, pieces: 1 };
    }
    let text = '', reason, usage, pieces = 0;
    for await (const chunk of await this.sdk.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }, { signal })) {
      const [choice] = chunk.choices;
      if (choice?.text) pieces++;
      text += choice?.text ?? '';
      reason = choice?.finish_reason ?? reason;
      usage = chunk.usage ?? usage;
    }
    return { text, reason, pieces, usage: { input: usage.prompt_tokens, output: usage.completion_tokens } };
  }
}

export const clientTypes = { chat: ChatClient, responses: ResponsesClient, anthropic: AnthropicClient, gemini: GeminiClient, completions: CompletionsClient };
export const clientNames = {
  chat: 'OpenAI chat completions', responses: 'OpenAI responses', anthropic: 'Anthropic messages', gemini: 'Gemini generateContent', completions: 'OpenAI completions',
};
