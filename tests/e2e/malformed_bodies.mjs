// Bodies that are no JSON, or not the JSON of a chat request: rows of [name, body, expectation], each sent to both chat
// endpoints, for a target of the OpenAI dialect: it passes through for one of them, and is translated for the other.
// Bodies are Latin-1 text; expectations are those of malformed_cases.mjs.
import { utf8 } from './malformed_cases.mjs';

const kMessages = '"max_tokens":16,"messages":[{"role":"user","content":"hi"}]';
const good = `{"model":"m",${kMessages}}`;
// A member more, before and behind the others.
const member = (text) => `{"model":"m",${text},${kMessages}}`;
const last = (text) => `{"model":"m",${kMessages},${text}}`;
const content = (text) => `{"model":"m","max_tokens":16,"messages":[{"role":"user","content":"${text}"}]}`;
const many = (count, make) => Array.from({ length: count }, (_, i) => make(i)).join(',');
// Passed on as it came, it is the provider's to judge; translated, it is ours.
const ours = { openai: [200, 400], anthropic: 400 };

export const bodies = [
  ['as it should be', good, 200],
  ['white space around', ` \t\r\n${good} \t\r\n`, 200],
  ['1 MiB of white space', good.replace(',', `,${' '.repeat(1 << 20)}`), 200],
  ['empty', '', 400],
  ...[' ', '\r\n', 'null', 'true', '1', '"x"', '[]', '{}', '{', '}', '[', ']', ',', ':', '"', '\\', '{"model"', '{"model"}', '{"model":}', '{"model":"m"', '{"model":"m"]', '{"model":"m"}}',
    '[{"model":"m"}]', '{:}', '{,}', '{"model":"m",}', '{"model" "m"}', '{"model"::"m"}', '{model:"m"}', "{'model':'m'}", '{"model":m}', '\0', '{"model":"m',
    '{"model":"m\\', 'model=m&messages=hi', '<xml/>', '--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n--x--'].map((text) => [JSON.stringify(text), text, 400]),
  ['cut in the middle', good.slice(0, good.length >> 1), 400],
  ['cut before its last byte', good.slice(0, -1), 400],
  // RFC 8259 2: one value and white space.
  ['a letter behind', `${good}x`, 400],
  ['a brace behind', `${good}}`, 400],
  ['a second object behind', good + good, 400],
  ['a second object on the next line', `${good}\n${good}`, 400],
  ['a comma behind', `${good},`, 400],
  ['NUL behind', `${good}\0`, 400],
  ['NULs behind', good + '\0'.repeat(1000), 400],
  ['NUL before', `\0${good}`, 400],
  ['NUL between members', member('\0"a":1'), 400],
  ['a byte order mark', utf8('\ufeff') + good, [200, 400]],                // RFC 8259 8.1: MAY ignore
  ['UTF-16', Buffer.from(good, 'utf16le').toString('latin1'), 400],        // RFC 8259 8.1: MUST be UTF-8
  ['UTF-16 with its mark', `\xff\xfe${Buffer.from(good, 'utf16le').toString('latin1')}`, 400],
  ['UTF-32', [...good].map((sign) => `${sign}\0\0\0`).join(''), 400],
  ['compressed', '\x1f\x8b\x08\0\0\0\0\0\0\x03\xab\x56\xca\xcd\x4f\x49\xcd\x51\xb2\x52', 400],
  ['a comment', member('/* x */ "a":1'), 400],
  ['a line comment', good.replace('{', '{ // x\n'), 400],
  ['a trailing comma', good.replace(/}$/, ',}'), 400],
  ['two commas', good.replace(',', ',,'), 400],
  ['a name that is no string', member('1:2'), 400],
  ['a form feed as white space', member('\f"a":1'), 400],
  ['a no-break space as white space', member('\xa0"a":1'), 400],

  // Numbers: RFC 8259 6.
  ...['01', '-01', '+1', '1.', '.5', '-', '--1', '1e', '1e+', '1.e1', '0x10', '1_000', 'NaN', 'Infinity', '-Infinity', '1,5', '0b1', '1f', '٣', '1.2.3', '00'].map((number) =>
    [`the number ${number}`, member(`"temperature":${utf8(number)}`), 400]),
  ...['1e999', '-1e999', '1e-999', `1${'0'.repeat(400)}`, `0.${'1'.repeat(1000)}`, '9223372036854775808', '-9223372036854775809', '18446744073709551616', '1e99999999999'].map((number) =>
    [`the number ${number.slice(0, 24)}`, member(`"seed":${number}`), [200, 400]]),
  ...['-1', '1.5', '1e400', '1e18', '99999999999999999999', '"16"', 'null', '[]', '{}', 'true'].map((number) =>
    [`max_tokens ${number}`, `{"model":"m","max_tokens":${number},"messages":[{"role":"user","content":"hi"}]}`, [200, 400]]),

  // Literals and strings: RFC 8259 3 and 7.
  ...['True', 'tru', 'truee', 'nul', 'nulll', 'undefined', 'fals e'].map((text) => [`the literal ${text}`, member(`"stream":${text}`), 400]),
  ...['\n', '\r', '\t', '\0', '\x01', '\x1f'].map((sign) => [`${JSON.stringify(sign)} in a string`, content(`a${sign}b`), 400]),
  ['DEL in a string', content('a\x7fb'), 200],
  ['a string without an end', member('"a":"b'), 400],
  ...['\\x', '\\', '\\u', '\\u12', '\\u12g4', '\\U0041', "\\'", '\\0', '\\a'].map((escape) => [`the escape ${escape}`, content(`a${escape} b`), 400]),
  // Its end is escaped: the string goes on into what follows.
  ['an escaped quote at the end', content('a\\'), 400],
  ['every escape', content('\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\ud83c\\udf0d'), 200],
  ['an escaped NUL', content('a\\u0000b'), [200, 400]],
  ...['\\ud800', '\\udc00', '\\ud800x', '\\ud800\\ud800', '\\udc00\\ud800', '\\uD83C\\u0041'].map((text) => [`the lone surrogate ${text}`, content(text), [200, 400]]),
  // RFC 3629 3: MUST protect against the decoding of invalid sequences.
  ...['\xff', '\xfe', '\x80', '\xbf', '\xc0\xaf', '\xc1\x81', '\xe0\x80\xaf', '\xed\xa0\x80', '\xed\xbf\xbf', '\xf0\x80\x80\xaf', '\xf4\x90\x80\x80', '\xf8\x88\x80\x80\x80', '\xe2\x82', '\xf0\x9f\x8c',
    '\xc3'].map((bytes) => [`the bytes ${Buffer.from(bytes, 'latin1').toString('hex')}`, content(`a${bytes}b`), 400]),
  ['invalid UTF-8 in a name', member('"a\xff":1'), 400],
  ['invalid UTF-8 in the model', good.replace('"m"', '"m\xff"'), 400],
  ['UTF-8 at its borders', content(utf8('\u0080\u07ff\u0800\ud7ff\ue000\uffff\u{10000}\u{10ffff}')), 200],

  // Two readers would read two things.
  ['two models', member('"model":"smuggled"'), 400],
  ['two models, the other last', last('"model":"smuggled"'), 400],
  ['two models, one escaped', last('"mod\\u0065l":"smuggled"'), 400],
  ['a model by an escaped name', good.replace('"model"', '"\\u006dodel"'), [200, 400]],
  ['two streams', member('"stream":false,"stream":false'), 400],
  ['two messages', last('"messages":[]'), [200, 400]],
  ['a model in another object', member('"metadata":{"model":"smuggled"}'), [200, 400]],

  // Types.
  ...['null', '1', 'true', '[]', '{}', '["m"]', '{"model":"m"}', '""'].map((text) => [`the model ${text}`, good.replace('"m"', text), 400]),
  ['no model', `{${kMessages}}`, 400],
  ...['"nothing"', '" m"', '"m "', '"M"', '"m\\u0000"', '"m\\r\\nX-Evil: y"', '"../m"', '"*"', '"m*"', `"${'m'.repeat(1000)}"`].map((text) =>
    [`the model ${text.slice(0, 24)}`, good.replace('"m"', text), 404]),
  ['a model of 1 MiB', good.replace('"m"', `"${'m'.repeat(1 << 20)}"`), [400, 404]],
  ...['1', '"yes"', '{}', '[]', '"true"'].map((text) => [`stream ${text}`, member(`"stream":${text}`), 400]),
  ['stream null', member('"stream":null'), [200, 400]],
  ...['1', '"x"', '[]', 'true'].map((text) => [`stream_options ${text}`, member(`"stream_options":${text}`), 400]),
  ...['null', '1', '"hi"', '{}', '[]', '[1]', '[null]', '[[]]', '[{}]', '[{"role":"user"}]', '[{"role":1,"content":"hi"}]', '[{"role":"nobody","content":"hi"}]',
    '[{"role":"user","content":1}]', '[{"role":"user","content":{}}]', '[{"role":"user","content":[1]}]', '[{"role":"user","content":[{"type":"nothing"}]}]',
    '[{"role":"user","content":[{"type":"text"}]}]', '[{"role":"user","content":[{"type":"text","text":1}]}]'].map((text) =>
    [`messages ${text}`, `{"model":"m","max_tokens":16,"messages":${text}}`, ours]),
  ['no messages', '{"model":"m","max_tokens":16}', ours],
  ...['"tools":1', '"tools":[1]', '"tools":[{}]', '"tool_choice":[]', '"stop_sequences":"x"', '"temperature":"hot"', '"top_p":[]', '"metadata":1', '"system":1'].map((text) =>
    [text, last(text), [200, 400]]),

  // Shapes that cost.
  ['100000 arrays deep', '['.repeat(100_000), 400],
  ['100000 objects deep', '{"a":'.repeat(100_000), 400],
  ['100000 arrays deep and closed', '['.repeat(100_000) + ']'.repeat(100_000), 400],
  ['a member 100000 deep', member(`"a":${'['.repeat(100_000)}${']'.repeat(100_000)}`), 400],
  ['a member 100000 objects deep', last(`"a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`), 400],
  ['a content 100000 deep', `{"model":"m","max_tokens":16,"messages":[{"role":"user","content":${'['.repeat(100_000)}${']'.repeat(100_000)}}]}`, 400],
  ['100000 closing brackets', ']'.repeat(100_000), 400],
  ['100000 members', last(many(100_000, (i) => `"a${i}":1`)), [200, 400]],
  ['100000 members of one name', last(many(100_000, () => '"a":1')), [200, 400]],
  ['100000 models', `{${many(100_000, () => '"model":"m"')}}`, 400],
  ['a name of 1 MiB', last(`"${'n'.repeat(1 << 20)}":1`), [200, 400]],
  ['a content of 1 MiB of escapes', content('\\u0041'.repeat(170_000)), 200],
  ['a content of 1 MiB of quotes', content('\\"'.repeat(500_000)), 200],
  ['a number of 1 MiB', last(`"a":${'1'.repeat(1 << 20)}`), [200, 400]],
  ['20000 messages', `{"model":"m","max_tokens":16,"messages":[${many(20_000, () => '{"role":"user","content":"hi"}')}]}`, 200],
  ['200000 empty arrays', last(`"a":[${many(200_000, () => '[]')}]`), [200, 400]],
];
