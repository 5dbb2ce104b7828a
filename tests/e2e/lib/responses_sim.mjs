// OpenAI's Responses as a strict simulator: what it takes, and its replies. openai_sim.mjs serves them.
import { createHash } from 'node:crypto';
import {
  fields, isBoolean, isInteger, isList, isMediaUrl, isNumber, isObject, isString, isStrictSchema, isText, oneOf, refuse,
} from './rules.mjs';
import { halves, odd } from './text_pieces.mjs';

const unknownField = (name) => `Unknown parameter: '${name}'.`;
const kImageTypes = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];
const isName = (name) => /^[A-Za-z0-9_-]{1,64}$/.test(name);
const orNull = (check) => (value, at) => value === null || check(value, at);
// A reasoning item's text is in its encrypted form too, so that a reply can be held against what went out.
export const encrypted = (text) => `enc-openai-${createHash('sha256').update(text).digest('base64url')}`;

export function checkResponsesBody(body, { isReasoning }) {
  fields(body, '', {
    model: [isText, 'required'], input: [(value) => isText(value) || isList(1)(value), 'required'],
    instructions: orNull(isString), max_output_tokens: orNull(isInteger(16)), temperature: orNull(isNumber(0, 2)), top_p: orNull(isNumber(0, 1)),
    top_logprobs: isInteger(0, 20), tools: isList(0, checkTool), tool_choice: (value) => checkToolChoice(value, body),
    parallel_tool_calls: isBoolean, max_tool_calls: isInteger(1),
    text: (value, at) => fields(value, at, { format: checkFormat, verbosity: oneOf('low', 'medium', 'high') }, unknownField),
    reasoning: orNull((value, at) => fields(value, at, {
      effort: orNull(oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max')), summary: orNull(oneOf('auto', 'concise', 'detailed')),
    }, unknownField)),
    include: orNull(isList(0, isText)), store: orNull(isBoolean), previous_response_id: orNull(isText), stream: orNull(isBoolean),
    stream_options: orNull(isObject), metadata: orNull(isObject), service_tier: orNull(isText), user: isString, safety_identifier: isString,
    prompt_cache_key: isString, truncation: orNull(oneOf('auto', 'disabled')), background: orNull(isBoolean), client_metadata: isObject,
  }, unknownField);
  if (body.stream_options && body.stream !== true) refuse("The 'stream_options' parameter is only allowed when 'stream' is enabled.");
  if (isReasoning) {
    for (const name of ['temperature', 'top_p', 'top_logprobs']) {
      if (body[name] !== undefined) refuse(`Unsupported parameter: '${name}' is not supported with this model.`, { param: name, code: 'unsupported_parameter' });
    }
  } else if (body.reasoning) {
    refuse("Unsupported parameter: 'reasoning.effort' is not supported with this model.", { param: 'reasoning.effort', code: 'unsupported_parameter' });
  }
  // The simulator keeps nothing.
  if (body.previous_response_id) refuse(`Previous response with id '${body.previous_response_id}' not found.`, { param: 'previous_response_id', code: 'previous_response_not_found' });
  if (Array.isArray(body.input)) checkItems(body.input);
}

function checkItems(items) {
  const calls = new Set(), results = new Set();
  items.forEach((item, i) => {
    const at = `input[${i}]`;
    const is = { type: isString, id: orNull(isText), status: orNull(oneOf('in_progress', 'completed', 'incomplete')) };
    switch (item?.type ?? 'message') {
      case 'message':
        return fields(item, at, {
          ...is, role: [oneOf('user', 'assistant', 'system', 'developer'), 'required'], phase: orNull(isString),
          content: [(value) => isString(value) || isList(1, (part) => checkPart(part, `${at}.content`, item.role))(value), 'required'],
        }, unknownField);
      case 'function_call':
        fields(item, at, { ...is, call_id: [(id) => isText(id) && id.length <= 64, 'required'], name: [isName, 'required'], arguments: [isJson, 'required'], namespace: isString }, unknownField);
        if (item.id && !item.id.startsWith('fc_')) refuse(`Invalid '${at}.id': '${item.id}'. Expected an ID that begins with 'fc'.`);
        if (calls.has(item.call_id)) refuse(`${at}: a call id twice`);
        return calls.add(item.call_id);
      case 'function_call_output':
        fields(item, at, { ...is, call_id: [isText, 'required'], output: [(value) => isString(value) || isList(1, (part) => checkPart(part, `${at}.output`, 'user'))(value), 'required'] }, unknownField);
        if (!calls.has(item.call_id)) refuse(`No tool call found for function call output with call_id ${item.call_id}.`, { param: 'input' });
        return results.add(item.call_id);
      case 'reasoning': {
        fields(item, at, {
          ...is, id: [isText, 'required'], summary: [isList(0, (part) => part?.type === 'summary_text' && isString(part.text)), 'required'],
          content: orNull(isList(0)), encrypted_content: orNull(isText),
        }, unknownField);
        if (!item.id.startsWith('rs_')) refuse(`Invalid '${at}.id': '${item.id}'. Expected an ID that begins with 'rs'.`);
        const text = item.summary.map((part) => part.text).join('');
        if (item.encrypted_content !== encrypted(text)) refuse('The encrypted content could not be verified.', { param: at, code: 'invalid_encrypted_content' });
        if (!['function_call', 'message', 'reasoning'].includes(items[i + 1]?.type ?? (items[i + 1] && 'message'))) {
          refuse(`Item '${item.id}' of type 'reasoning' was provided without its required following item.`);
        }
        return undefined;
      }
      default:
        return refuse(`Invalid value: '${item?.type}'. Supported values are: ...`, { param: `${at}.type` });
    }
  });
  const open = [...calls].filter((id) => !results.has(id));
  if (open.length > 0) refuse(`No tool output found for function call ${open}.`, { param: 'input' });
}

function checkPart(part, at, role) {
  const is = { type: isString };
  switch (part?.type) {
    case 'input_text': case 'input_image': case 'input_file':
      if (role === 'assistant') refuse(`Invalid value: '${part.type}'. Supported values are: 'output_text' and 'refusal'.`, { param: at });
      if (part.type === 'input_text') return fields(part, at, { ...is, text: [isString, 'required'] }, unknownField);
      if (part.type === 'input_file') return fields(part, at, { ...is, filename: isString, file_data: (url) => isMediaUrl(url, ['application/pdf']), file_url: isText, file_id: isText }, unknownField);
      return fields(part, at, { ...is, image_url: (url) => isMediaUrl(url, kImageTypes), file_id: orNull(isText), detail: oneOf('auto', 'low', 'high', 'original') }, unknownField);
    case 'output_text':
      if (role !== 'assistant') refuse(`Invalid value: 'output_text' in a message of role '${role}'.`, { param: at });
      return fields(part, at, { ...is, text: [isString, 'required'], annotations: isList(0), logprobs: isList(0) }, unknownField);
    case 'refusal':
      return fields(part, at, { ...is, refusal: [isString, 'required'] }, unknownField);
    default:
      return refuse(`Invalid value: '${part?.type}' in ${at}.`, { param: at });
  }
}

function isJson(text) {
  try {
    return isObject(JSON.parse(text));
  } catch {
    return false;
  }
}

function checkTool(tool) {
  if (tool?.type !== 'function') return ['web_search', 'custom', 'namespace'].includes(tool?.type);
  fields(tool, 'tools', {
    type: isString, name: [isName, 'required'], description: orNull(isString), strict: orNull(isBoolean),
    parameters: [orNull((schema) => isObject(schema) && schema.type === 'object'), 'required'],
  }, unknownField);
  // Absent means strict here.
  return tool.strict === false || tool.strict === null || isStrictSchema(tool.parameters);
}

function checkToolChoice(value, body) {
  if (['none', 'auto', 'required'].includes(value)) return true;
  return value?.type === 'function' && (body.tools ?? []).some((tool) => tool.name === value.name);
}

function checkFormat(value, at) {
  if (value?.type === 'text' || value?.type === 'json_object') return fields(value, at, { type: isString }, unknownField);
  if (value?.type !== 'json_schema') return false;
  fields(value, at, { type: isString, name: [isName, 'required'], schema: [isObject, 'required'], strict: orNull(isBoolean), description: isString }, unknownField);
  return value.strict !== true || isStrictSchema(value.schema);
}

const textPart = (text) => ({ type: 'output_text', text, annotations: [], logprobs: [] });

// The items of an answer, complete.
function items(answer) {
  const list = [];
  [answer.thinking ?? []].flat().forEach(({ text }, i) => {
    list.push({ id: `rs_e2e${i}`, type: 'reasoning', summary: [{ type: 'summary_text', text }], encrypted_content: encrypted(text) });
  });
  const text = [answer.text ?? []].flat().join('');
  if (text) list.push({ id: 'msg_e2e', type: 'message', status: 'completed', role: 'assistant', content: [textPart(text)] });
  for (const call of answer.tools ?? []) {
    list.push({ id: `fc_${call.id}`, type: 'function_call', status: 'completed', call_id: call.id, name: call.name, arguments: call.arguments });
  }
  return list;
}

export function wholeResponse(answer, body) {
  const reason = { length: 'max_output_tokens', refusal: 'content_filter' }[answer.stop];
  const { usage } = answer;
  return {
    id: 'resp_e2e', object: 'response', created_at: 1700000000, status: reason ? 'incomplete' : 'completed', error: null,
    incomplete_details: reason ? { reason } : null, instructions: body.instructions ?? null, max_output_tokens: body.max_output_tokens ?? null, model: body.model,
    output: items(answer), parallel_tool_calls: body.parallel_tool_calls ?? true, previous_response_id: null,
    reasoning: { effort: body.reasoning?.effort ?? null, summary: null }, store: body.store ?? true, temperature: 1, text: { format: body.text?.format ?? { type: 'text' } },
    tool_choice: body.tool_choice ?? 'auto', tools: body.tools ?? [], top_p: 1, truncation: 'disabled', user: null, metadata: {},
    usage: {
      input_tokens: usage.input, input_tokens_details: { cached_tokens: usage.cached, cache_write_tokens: usage.written },
      output_tokens: usage.output, output_tokens_details: { reasoning_tokens: usage.reasoning }, total_tokens: usage.input + usage.output,
    },
  };
}

export function responseFrames(answer, body) {
  let number = 0;
  const event = (type, data) => `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: number++, ...data })}\n\n`;
  const whole = wholeResponse(answer, body);
  const started = { ...whole, status: 'in_progress', incomplete_details: null, output: [], usage: null };
  const open = [event('response.created', { response: started }), event('response.in_progress', { response: started })];
  const content = [];
  whole.output.forEach((item, output_index) => {
    const at = { item_id: item.id, output_index };
    if (item.type === 'reasoning') {
      const { text } = item.summary[0], part = { ...at, summary_index: 0 };
      content.push(event('response.output_item.added', { output_index, item: { ...item, summary: [], encrypted_content: null } }));
      content.push(event('response.reasoning_summary_part.added', { ...part, part: { type: 'summary_text', text: '' } }));
      for (const delta of halves(text)) content.push(event('response.reasoning_summary_text.delta', { ...part, delta }));
      content.push(event('response.reasoning_summary_text.done', { ...part, text }));
      content.push(event('response.reasoning_summary_part.done', { ...part, part: item.summary[0] }));
    } else if (item.type === 'message') {
      const part = { ...at, content_index: 0 };
      open.push(...(output_index === 0 ? [event('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } }),
        event('response.content_part.added', { ...part, part: textPart('') })] : []));
      if (output_index > 0) {
        content.push(event('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', content: [] } }));
        content.push(event('response.content_part.added', { ...part, part: textPart('') }));
      }
      for (const delta of [answer.text].flat()) content.push(event('response.output_text.delta', { ...part, delta, logprobs: [] }));
      content.push(event('response.output_text.done', { ...part, text: item.content[0].text, logprobs: [] }));
      content.push(event('response.content_part.done', { ...part, part: item.content[0] }));
    }
    if (item.type !== 'function_call') content.push(event('response.output_item.done', { output_index, item }));
  });
  // Calls at once: their arguments come interleaved.
  const calls = whole.output.map((item, output_index) => ({ item, output_index })).filter(({ item }) => item.type === 'function_call');
  for (const { item, output_index } of calls) content.push(event('response.output_item.added', { output_index, item: { ...item, status: 'in_progress', arguments: '' } }));
  const pieces = calls.map(({ item }) => odd(item.arguments));
  for (let i = 0; pieces.some((list) => i < list.length); i++) {
    calls.forEach(({ item, output_index }, j) => {
      if (i < pieces[j].length) content.push(event('response.function_call_arguments.delta', { item_id: item.id, output_index, delta: pieces[j][i] }));
    });
  }
  for (const { item, output_index } of calls) {
    content.push(event('response.function_call_arguments.done', { item_id: item.id, output_index, name: item.name, arguments: item.arguments }));
    content.push(event('response.output_item.done', { output_index, item }));
  }
  return { open, content, close: [event(whole.status === 'completed' ? 'response.completed' : 'response.incomplete', { response: whole })] };
}

export const responsesErrorFrame = ({ message = 'simulated failure' }) =>
  `event: error\ndata: ${JSON.stringify({ type: 'error', code: 'server_error', message, param: null, sequence_number: 99 })}\n\n`;
