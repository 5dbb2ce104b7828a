// The same question asked by plain HTTP and by the official SDKs, with the outcome in one form:
// { status, text, type, code, message, class, ended, headers, usage }. `ended`: 'complete', 'error' (the dialect's own
// error, and nothing behind it) or 'cut' (neither: what no client may ever get).
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import Anthropic0 from 'anthropic-sdk-0';
import OpenAI from 'openai';
import { fetchRaw, readEvents, slow } from './util.mjs';

export { Anthropic, Anthropic0, OpenAI };

const options = { maxRetries: 0, timeout: 15_000 * slow };

export const openai = (gateway, apiKey = 'none', more = {}) => new OpenAI({ baseURL: `${gateway.url}/v1`, apiKey, ...options, ...more });
export const anthropic = (gateway, apiKey = 'none', more = {}) => new Anthropic({ baseURL: gateway.url, apiKey, ...options, ...more });
export const anthropic0 = (gateway, apiKey = 'none', more = {}) => new Anthropic0({ baseURL: gateway.url, apiKey, ...options, ...more });

const question = [{ role: 'user', content: 'Say hello.' }];
export const bodies = {
  openai: (model, more = {}) => ({ model, messages: question, ...more }),
  anthropic: (model, more = {}) => ({ model, max_tokens: 64, messages: question, ...more }),
  responses: (model, more = {}) => ({ model, input: question, ...more }),
  gemini: (_, { stream, ...more } = {}) => ({ contents: [{ role: 'user', parts: [{ text: 'Say hello.' }] }], ...more }),
};
const paths = {
  openai: () => '/v1/chat/completions', anthropic: () => '/v1/messages', responses: () => '/v1/responses',
  gemini: (model, stream) => `/v1beta/models/${model}:${stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
};
const heads = {
  openai: (key) => ({ authorization: `Bearer ${key}` }),
  anthropic: (key) => ({ 'x-api-key': key, 'anthropic-version': '2023-06-01' }),
  responses: (key) => ({ authorization: `Bearer ${key}` }),
  gemini: (key) => ({ 'x-goog-api-key': key }),
};
const partsText = (candidates) => (candidates?.[0]?.content?.parts ?? []).filter((part) => !part.thought).map((part) => part.text ?? '').join('');

// The text in a stream's events so far.
const streamText = {
  openai: (events) => events.map(({ data }) => data.choices?.[0]?.delta?.content ?? '').join(''),
  anthropic: (events) => events.map(({ data }) => (data.delta?.type === 'text_delta' ? data.delta.text : '')).join(''),
  responses: (events) => events.map(({ event, data }) => (event === 'response.output_text.delta' ? data.delta : '')).join(''),
  gemini: (events) => events.map(({ data }) => partsText(data.candidates)).join(''),
};

function textSoFar(dialect, raw) {
  const text = dialect === 'gemini' ? raw.replaceAll('\r\n', '\n') : raw;
  const end = text.lastIndexOf('\n\n');
  return end < 0 ? '' : streamText[dialect](readEvents(text.slice(0, end + 2)));
}

export async function askRaw(dialect, gateway, model, { stream = false, key = 'none', onText, more = {}, headers = {} } = {}) {
  const reply = await fetchRaw(gateway.url + paths[dialect](model, stream), {
    headers: { ...heads[dialect](key), ...headers },
    body: bodies[dialect](model, { ...(stream && { stream: true }), ...more }),
    onText: stream && onText ? (text) => onText(textSoFar(dialect, text)) : undefined,
  });
  const outcome = { status: reply.status, headers: reply.headers, text: '', ended: 'cut', raw: reply.text };
  if (reply.status !== 200) return Object.assign(outcome, readError(dialect, reply));
  if (!stream) return Object.assign(outcome, readWhole[dialect](reply));
  assert.match(reply.headers['content-type'], /^text\/event-stream/);
  assert.equal(reply.headers['content-length'], undefined);
  return Object.assign(outcome, readStream(dialect, reply));
}

// An error body must be the caller's dialect to the letter: SDKs look at nothing else.
function readError(dialect, { json, headers, text }) {
  assert.match(headers['content-type'] ?? '', /^application\/json/, text);
  const error = checkError(dialect, json);
  if (dialect === 'anthropic') assert.equal(json.request_id, headers['request-id']);
  return { ...error, ended: 'error' };
}

function checkError(dialect, value) {
  assert.equal(typeof value?.error?.message, 'string', `not an error of the ${dialect} dialect: ${JSON.stringify(value)}`);
  assert.ok(value.error.message.length > 0);
  if (dialect === 'anthropic') {
    assert.equal(value.type, 'error');
  } else if (dialect === 'gemini') {
    assert.equal(typeof value.error.code, 'number');
    return { type: value.error.status, code: value.error.code, message: value.error.message };
  } else {
    assert.deepEqual(Object.keys(value.error).sort(), ['code', 'message', 'param', 'type']);
  }
  const { type, code, message, param } = value.error;
  return { type, code, message, param };
}

const readWhole = {
  openai: ({ json, ended }) => {
    const choice = json?.choices?.[0];
    const good = ended && choice?.message?.role === 'assistant' && typeof choice.finish_reason === 'string' && json.usage;
    return { text: choice?.message?.content ?? '', ended: good ? 'complete' : 'cut', usage: json?.usage, json };
  },
  anthropic: ({ json, ended }) => {
    const good = ended && json?.type === 'message' && typeof json.stop_reason === 'string' && json.usage;
    const text = (json?.content ?? []).map((block) => block.text ?? '').join('');
    return { text, ended: good ? 'complete' : 'cut', usage: json?.usage, json };
  },
  responses: ({ json, ended }) => {
    const good = ended && json?.object === 'response' && json.status === 'completed' && json.usage;
    const text = (json?.output ?? []).flatMap((item) => item.content ?? []).map((part) => part.text ?? '').join('');
    return { text, ended: good ? 'complete' : 'cut', usage: json?.usage, json };
  },
  gemini: ({ json, ended }) => {
    const good = ended && json?.candidates?.[0]?.content?.role === 'model' && json.candidates[0].finishReason && json.usageMetadata;
    return { text: partsText(json?.candidates), ended: good ? 'complete' : 'cut', usage: json?.usageMetadata, json };
  },
};
const isError = {
  openai: ({ data }) => data.error !== undefined, gemini: ({ data }) => data.error !== undefined,
  anthropic: ({ event }) => event === 'error', responses: ({ event }) => event === 'error' || event === 'response.failed',
};
const isComplete = {
  openai: isCompleteChat, anthropic: isCompleteMessage,
  responses: (events) => events[0]?.event === 'response.created' && events.at(-1).event === 'response.completed' &&
    events.every(({ event, data }, i) => event === data.type && data.sequence_number === i) && events.at(-1).data.response.usage,
  gemini: (events) => events.every(({ event, data }) => event === undefined && data.candidates) && events.at(-1)?.data.candidates[0].finishReason &&
    events.at(-1).data.usageMetadata && events[0].data.candidates[0].content.role === 'model',
};

function readStream(dialect, { text, ended }) {
  const events = readEvents(dialect === 'gemini' ? text.replaceAll('\r\n', '\n') : text);
  const outcome = { text: streamText[dialect](events), events, ended: 'cut' };
  const broken = events.findIndex(isError[dialect]);
  if (broken >= 0) {
    // Responses say it twice: as an error, and as the response that failed.
    assert.ok(events.slice(broken).every(isError[dialect]) && events.length - broken <= (dialect === 'responses' ? 2 : 1), `the error is not the end: ${text}`);
    return { ...outcome, ...checkError(dialect, events[broken].data), ended: 'error' };
  }
  if (ended && isComplete[dialect](events)) outcome.ended = 'complete';
  return outcome;
}

function isCompleteChat(events) {
  const finished = events.filter(({ data }) => data.choices?.[0]?.finish_reason);
  const first = events[0]?.data;
  return events.at(-1)?.data === '[DONE]' && finished.length === 1 && first.choices?.[0]?.delta?.role === 'assistant' &&
    events.slice(0, -1).every(({ data }) => data.id === first.id && data.object === 'chat.completion.chunk' && data.model === first.model);
}

// Blocks one at a time, indices without gaps, everything closed, usage at the end.
function isCompleteMessage(events) {
  let open = null, next = 0;
  for (const { event, data } of events) {
    if (event !== data.type) return false;
    if (event === 'content_block_start') {
      if (open !== null || data.index !== next++) return false;
      open = data.index;
    } else if (event === 'content_block_delta' && data.index !== open) return false;
    else if (event === 'content_block_stop') {
      if (data.index !== open) return false;
      open = null;
    }
  }
  const names = events.map(({ event }) => event).filter((name) => name !== 'ping');
  const [beforeLast, last] = names.slice(-2);
  const final = events.find(({ event }) => event === 'message_delta')?.data;
  return open === null && names[0] === 'message_start' && beforeLast === 'message_delta' && last === 'message_stop' &&
    typeof final?.delta?.stop_reason === 'string' && typeof final.usage?.output_tokens === 'number';
}

// Through the SDK, streams by plain iteration. `class` is the error's.
export async function askSdk(dialect, gateway, model, { stream = false, key = 'none', onText, more = {}, generation = 1 } = {}) {
  const body = bodies[dialect](model, { ...(stream && { stream: true }), ...more });
  const outcome = { status: undefined, text: '', ended: 'cut' };
  try {
    const client = dialect === 'openai' ? openai(gateway, key) : generation === 1 ? anthropic(gateway, key) : anthropic0(gateway, key);
    const call = dialect === 'openai' ? client.chat.completions.create(body) : client.messages.create(body);
    const { data, response, request_id: id } = await call.withResponse();
    Object.assign(outcome, { status: response.status, headers: Object.fromEntries(response.headers), id });
    if (!stream) {
      outcome.text = dialect === 'openai' ? data.choices[0].message.content : data.content.map((block) => block.text ?? '').join('');
      outcome.ended = (dialect === 'openai' ? data.choices[0].finish_reason : data.stop_reason) ? 'complete' : 'cut';
      return outcome;
    }
    for await (const item of data) {
      outcome.text += streamText[dialect]([{ data: item }]);
      if (item.choices?.[0]?.finish_reason || item.type === 'message_stop') outcome.ended = 'complete';
      onText?.(outcome.text);
    }
  } catch (error) {
    const { status, message } = error;
    const type = dialect === 'openai' ? error.type : error.error?.error?.type ?? error.type;
    Object.assign(outcome, { type, message, class: error.constructor.name, ended: type ? 'error' : 'cut', error });
    if (status !== undefined) Object.assign(outcome, { status, headers: Object.fromEntries(error.headers), id: error.requestID });
  }
  return outcome;
}
