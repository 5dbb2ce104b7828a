// What a provider can do wrong, and what the caller must see of it when there is no other target.
//
// `kind` is a row of `kinds` below. `phase`:
//   before      nothing of the answer has come: with a second target the fault is invisible
//   after       a stream's first content has come: the text so far, then an error frame, whatever other targets there are
//               (an answer that is not streamed is committed as a whole: there it is `before`)
//   caller      the caller's own fault in the provider's words: no other target is asked
// `does` is the simulator's behaviour (lib/provider_faults.mjs), or `provider` names one that cannot be reached.

const broken = (fault, more = {}) => ({ does: { fault, ...more }, phase: 'before', kind: 'failed' });
const late = (fault, more = {}) => ({ does: { fault, content: true, ...more }, phase: 'after', kind: 'failed' });
const says = (status, kind, more = {}, phase = 'before') => ({ does: { fault: 'status', status, ...more }, phase, kind });

export const faults = {
  // The connection.
  refused: { provider: 'refusing', phase: 'before', kind: 'failed' },
  tls_failure: { provider: 'not_tls', phase: 'before', kind: 'failed' },
  reset_before_reply: broken('reset'),
  closed_before_reply: broken('close'),

  // What the provider says.
  rate_limited_with_retry_after: { ...says(429, 'limited', { headers: { 'retry-after': '7' } }), retryAfter: 7 },
  rate_limited: says(429, 'limited'),
  // The operator's account, so no limit of the caller's own.
  quota_used_up: says(429, 'failed', { error: { code: 'insufficient_quota', details: { error_code: 'enforced_spend_limit_reached' } } }),
  error_500: says(500, 'failed'),
  error_503: says(503, 'overloaded'),
  overloaded_529: says(529, 'overloaded_529'),
  credential_401: says(401, 'failed', { error: { code: 'invalid_api_key' } }),
  credential_402: says(402, 'failed'),
  credential_403: says(403, 'failed'),
  bad_request_400: says(400, 'bad_request', { error: { param: 'messages' } }, 'caller'),
  no_model_404: says(404, 'not_found', { error: { code: 'model_not_found' } }, 'caller'),
  unprocessable_422: says(422, 'bad_request', {}, 'caller'),
  prompt_too_long: says(400, 'bad_request', { error: {
    message: 'prompt is too long: 250000 tokens > 200000 maximum', code: 'context_length_exceeded',
  } }),

  // Silence.
  stall_before_reply: { ...broken('silence'), kind: 'late' },
  stall_before_content: { ...broken('stall'), kind: 'late' },
  stall_in_stream: { ...late('stall'), kind: 'late' },

  // The head of the reply.
  bad_status_line: broken('bad_status_line'),
  oversized_header: broken('oversized_header'),
  endless_headers: broken('endless_headers'),
  endless_interim_replies: broken('endless_interim'),
  many_interim_replies: broken('many_interim'),
  two_lengths: broken('two_lengths'),
  redirect_302: broken('redirect'),
  redirect_307: broken('redirect', { status: 307 }),

  // The body of the reply.
  empty_200: broken('empty'),
  no_content_204: broken('no_content'),
  html_200: broken('html'),
  wrong_content_type: broken('wrong_type'),
  gzip_unasked: broken('gzip'),
  other_json: broken('other_json'),

  // It breaks, before and behind the first content.
  reset_before_content: broken('break'),
  reset_in_stream: late('break'),
  cut_before_content: broken('cut'),
  cut_in_stream: late('cut'),
  short_body_before_content: broken('short'),
  short_body_in_stream: late('short'),
  clean_end_before_content: broken('clean_end'),
  clean_end_in_stream: late('clean_end'),
  close_delimited_end_in_stream: late('close_delimited'),
  chunk_garbage_before_content: broken('chunk_garbage'),
  chunk_garbage_in_stream: late('chunk_garbage'),
  malformed_first_frame: broken('malformed'),
  malformed_frame_in_stream: late('malformed'),
  error_frame_first: broken('error_frame'),
  error_frame_in_stream: late('error_frame'),
  overloaded_frame_in_stream: { ...late('error_frame', { overloaded: true }), streamKind: 'overloaded' },
  error_frame_and_then_an_end: late('error_frame_ignored'),
};

// Rows that are said in words of one provider.
export const notOfAll = ['quota_used_up', 'overloaded_529', 'credential_402', 'unprocessable_422'];

// How each provider says that a prompt is too long.
export const tooLong = {
  responses: { message: 'Your input exceeds the context window of this model.', code: 'context_length_exceeded' },
  gemini: { message: 'The input token count (250000) exceeds the maximum number of tokens allowed (200000).' },
  bedrock: { message: 'The model returned the following errors: prompt is too long: 250000 tokens > 200000 maximum' },
  cohere: { message: 'too many tokens: total number of tokens in the prompt cannot exceed 200000 - received 250000. Try using a shorter prompt.' },
};

// Google's statuses, which go with the HTTP status alone.
const google = {
  failed: [502, 'INTERNAL'], late: [504, 'DEADLINE_EXCEEDED'], limited: [429, 'RESOURCE_EXHAUSTED'], overloaded: [503, 'UNAVAILABLE'],
  overloaded_529: [503, 'UNAVAILABLE'], bad_request: [400, 'INVALID_ARGUMENT'], not_found: [404, 'NOT_FOUND'],
};

// What a caller of `dialect` sees: [status, type].
export const seenOf = (kind, dialect) => (dialect === 'gemini' ? google[kind] : kinds[kind][dialect === 'responses' ? 'openai' : dialect]);

// For each caller's dialect: status, error type, and the SDK's class for an error reply. Within a stream there is no
// status: the SDKs throw APIError with the type.
export const kinds = {
  failed: { openai: [502, 'upstream_error', 'InternalServerError'], anthropic: [502, 'api_error', 'InternalServerError'] },
  late: { openai: [504, 'timeout', 'InternalServerError'], anthropic: [504, 'timeout_error', 'GatewayTimeoutError'] },
  limited: { openai: [429, 'rate_limit_exceeded', 'RateLimitError'], anthropic: [429, 'rate_limit_error', 'RateLimitError'], retryAfter: true },
  overloaded: { openai: [503, 'overloaded', 'InternalServerError'], anthropic: [503, 'overloaded_error', 'ServiceUnavailableError'], retryAfter: true },
  overloaded_529: { openai: [503, 'overloaded', 'InternalServerError'], anthropic: [529, 'overloaded_error', 'OverloadedError'], retryAfter: true },
  bad_request: { openai: [400, 'invalid_request_error', 'BadRequestError'], anthropic: [400, 'invalid_request_error', 'BadRequestError'] },
  not_found: { openai: [404, 'invalid_request_error', 'NotFoundError'], anthropic: [404, 'not_found_error', 'NotFoundError'] },
};
