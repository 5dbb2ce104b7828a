// Malformed and borderline HTTP/1.1, by section: rows of [name, bytes, expectation]. Bytes are Latin-1 text.
//
// Expectation: a status; a list of statuses of which any will do ('close': the connection ends without a reply); or
// inOrder(...): these replies in this order. Where a recipient MUST, the RFC's section stands beside it; elsewhere a choice
// is ours, and where RFC and choice differ both will do.
export const inOrder = (...replies) => ({ replies });
export const utf8 = (text) => Buffer.from(text, 'utf8').toString('latin1');

const kHost = 'Host: gateway.test\r\n';
const line = (text) => `${text}\r\n${kHost}\r\n`;
const target = (text) => line(`GET ${text} HTTP/1.1`);
const version = (text) => line(`GET /v1/models HTTP/${text}`);
const get = (fields = '') => `GET /v1/models HTTP/1.1\r\n${kHost}${fields}\r\n`;
const host = (fields, ver = '1.1') => `GET /v1/models HTTP/${ver}\r\n${fields}\r\n`;
const field = (text) => get(`${text}\r\n`);
export const kBody = '{"model":"m","messages":[{"role":"user","content":"hi"}]}';
const N = kBody.length;
export const post = (fields, body = kBody, path = '/v1/chat/completions') =>
  `POST ${path} HTTP/1.1\r\n${kHost}Content-Type: application/json\r\n${fields}\r\n${body}`;
const length = (value, body = kBody) => post(`Content-Length: ${value}\r\n`, body);
const coding = (value, body) => post(`Transfer-Encoding: ${value}\r\n`, body ?? whole);
const chunk = (text, size = text.length.toString(16)) => `${size}\r\n${text}\r\n`;
const whole = `${chunk(kBody)}0\r\n\r\n`;
const chunks = (bytes) => post('Transfer-Encoding: chunked\r\n', bytes);
const smuggled = length(kBody.length + 7, kBody.replace('"m"', '"smuggled"'));
const hex = N.toString(16);

const refused = [400, 501];         // A coding we do not know, or one that is wrong: RFC 9112 6.1.
const tooLarge = [400, 413, 414, 431];
const late = [408, 'close'];        // It stays incomplete: request_read ends it.

export const sections = {
  'request line': [
    ['as it should be', get(), 200],
    ['a method in lower case', line('get /v1/models HTTP/1.1'), [400, 405, 501]],          // RFC 9110 9.1: case-sensitive
    ['an unknown method', line('BREW /v1/models HTTP/1.1'), [405, 501]],
    ['a method of 100000 characters', line(`${'M'.repeat(100_000)} /v1/models HTTP/1.1`), [400, 414, 431, 501]],
    ['no method', line(' /v1/models HTTP/1.1'), 400],
    ['a space before the method', line(' GET /v1/models HTTP/1.1'), 400],
    ...['G(T', 'G\x00T', 'G\x01T', 'G\xc9T', 'G"T', 'G/T', 'G{T', 'G:T', 'GET,', 'G\x7fT'].map((method) =>
      [`method ${JSON.stringify(method)}`, line(`${method} /v1/models HTTP/1.1`), 400]),   // RFC 9110 9.1: a token
    ['two spaces before the target', line('GET  /v1/models HTTP/1.1'), 400],               // RFC 9112 3: one SP
    ['two spaces before the version', line('GET /v1/models  HTTP/1.1'), [400, 505]],
    ['a tab for a space', line('GET\t/v1/models\tHTTP/1.1'), 400],
    ['a form feed for a space', line('GET\f/v1/models HTTP/1.1'), 400],
    ['a space behind the version', line('GET /v1/models HTTP/1.1 '), [400, 505]],
    ['no target', line('GET HTTP/1.1'), 400],
    ['no target but its spaces', line('GET  HTTP/1.1'), 400],
    ['a method alone', line('GET'), 400],
    ['HTTP/0.9', 'GET /v1/models\r\n\r\n', [400, 505]],
    ['one empty line before', `\r\n${get()}`, 200],                                        // RFC 9112 2.2: SHOULD ignore one
    ['two empty lines before', `\r\n\r\n${get()}`, [200, 400]],
    ['100000 empty lines before', '\r\n'.repeat(100_000) + get(), [400, 408, 431, 'close']],
    ['a bare LF before', `\n${get()}`, [200, 400]],
    ['a bare CR before', `\r${get()}`, 400],
    ['an empty line and no more', '\r\n', late],
    ['two empty lines and no more', '\r\n\r\n', [400, 408, 'close']],
    ['one byte and no more', 'G', late],
    ['half a head and no more', 'GET /v1/models HTTP/1.1\r\nHost: a\r\n', late],
    ['bare LF line ends', 'GET /v1/models HTTP/1.1\nHost: a\n\n', [400, 505]],             // RFC 9112 2.2: MAY; we do not
    ['bare CR line ends', 'GET /v1/models HTTP/1.1\rHost: a\r\r', [400, 505]],
    ['a bare LF behind the request line', `GET /v1/models HTTP/1.1\n${kHost}\r\n`, [400, 505]],
    ['a line of text', 'hello\r\n\r\n', 400],
    ['an SSH client', 'SSH-2.0-OpenSSH_9.2\r\n', 400],
    ['a TLS client', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + 'r'.repeat(500), 400],
    ['1 MiB of A', 'A'.repeat(1 << 20), [400, 414, 431]],
    ['1 MiB of NUL', '\0'.repeat(1 << 20), [400, 431]],
    ['bytes at random', Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919 + (i >> 3) * 104729) & 255)).toString('latin1'), [400, 431]],
  ],

  version: [
    ['HTTP/1.0 without Host', 'GET /v1/models HTTP/1.0\r\n\r\n', 200],
    ...['0.9', '2.0', '3.0', '9.9'].map((text) => [`HTTP/${text}`, version(text), [400, 505]]), // RFC 9110 6.2
    ['HTTP/1.2', version('1.2'), [200, 400, 505]],
    ...['11', '1', '1.', '.1', '1.10', '1.1x', '01.1', '1,1', '-1.1', '+1.1', '1.-1', ' 1.1', '1 .1', '', 'a.b', '1.1\0', '١.١'].map((text) =>
      [`HTTP/${JSON.stringify(text)}`, version(utf8(text)), [400, 505]]),                  // RFC 9112 2.3: DIGIT "." DIGIT
    ...['http/1.1', 'Http/1.1', 'HTP/1.1', 'HTTPS/1.1', 'HTTP /1.1', 'HTTP\\1.1', 'XHTTP/1.1', '/1.1'].map((text) =>
      [`protocol ${text}`, line(`GET /v1/models ${text}`), [400, 505]]),                   // RFC 9112 2.3: case-sensitive
  ],

  target: [
    ['without a slash', target('v1/models'), 400],                                         // RFC 9112 3.2
    ['with a fragment', target('/v1/models#x'), 400],
    ['with a space', target('/v1/mo dels'), [400, 505]],
    ['with a NUL', target('/v1/models\0'), 400],
    ['with a control character', target('/v1/\x01models'), 400],
    ['with DEL', target('/v1/models\x7f'), 400],
    ['with a tab', target('/v1/models\t'), 400],
    ['with bytes over 127', target('/v1/models\xff\xfe'), [400, 404]],
    ['with UTF-8', target(utf8('/v1/mödels')), [400, 404]],
    ['with a bare CR', target('/v1/models\r'), 400],
    ...['"', '<', '>', '\\', '^', '`', '{', '}', '|', '[', ']'].map((sign) => [`with ${sign}`, target(`/v1/models${sign}`), [400, 404]]),
    ['absolute', target('http://gateway.test/v1/models'), 200],                            // RFC 9112 3.2.2: MUST accept
    ['absolute, https', target('https://gateway.test/v1/models'), 200],
    ['absolute, in capitals', target('HTTP://gateway.test/v1/models'), 200],               // RFC 9110 4.2.3
    ['absolute, of another host', target('http://elsewhere.test/v1/models'), [200, 400, 421]],
    ['absolute without a path', target('http://gateway.test'), 404],
    ['absolute with a query alone', target('http://gateway.test?x=1'), [400, 404]],
    ['absolute without a host', target('http:///v1/models'), 400],                         // RFC 9110 4.2.1: MUST reject
    ['a scheme alone', target('http://'), 400],
    ['another scheme', target('ftp://gateway.test/v1/models'), 400],
    ['a scheme without slashes', target('http:v1/models'), 400],
    ['asterisk for GET', target('*'), [400, 404, 405]],                                    // RFC 9112 3.2.4: OPTIONS only
    ['asterisk for OPTIONS', line('OPTIONS * HTTP/1.1'), [200, 204, 400, 404, 405]],
    ['authority for GET', target('gateway.test:80'), 400],                                 // RFC 9112 3.2.3: CONNECT only
    ['CONNECT', line('CONNECT elsewhere.test:443 HTTP/1.1'), [400, 404, 405, 501]],
    ['CONNECT to a path', line('CONNECT /v1/chat/completions HTTP/1.1'), [400, 405, 501]],
    ['TRACE', line('TRACE /v1/models HTTP/1.1'), [405, 501]],
    ...['/v1//models', '//v1/models', '/v1/./models', '/v1/../v1/models', '/v1/models/..', '/v1%2fmodels', '/v1/models%00', '/%2e%2e/v1/models',
      '/V1/MODELS', '/v1/models;x=1', '/v1/%', '/v1/%zz', '/v1/models%0d%0aX:%20y', '/..%2f..%2fetc/passwd', '/v1/models\\..'].map((path) =>
      [path, target(path), [400, 404]]),
    ['percent-encoded letters', target('/%761/models'), [200, 404]],                       // RFC 3986 6.2.2.2
    ['a slash at the end', target('/v1/models/'), 200],
    ['an empty query', target('/v1/models?'), 200],
    ['a query of signs', target('/v1/models?&&==&a=b&key=&%00=%ff'), 200],
    ['a query of 30000 characters', target(`/v1/models?${'q'.repeat(30_000)}`), 200],
    ['a query of 70000 characters', target(`/v1/models?${'q'.repeat(70_000)}`), tooLarge],
    ['a path of 30000 characters', target(`/v1/models/${'p'.repeat(30_000)}`), [404, 414]],
    ['a path of 8000 segments', target('/a'.repeat(8000)), [404, 414]],
    ['/v1 8000 times', target(`${'/v1'.repeat(8000)}/models`), [200, 404, 414]],
    ['a path of 1 MiB', target(`/${'p'.repeat(1 << 20)}`), tooLarge],
  ],

  fields: [
    ['no colon', field('Foo'), 400],                                                       // RFC 9112 5
    ['no colon, first', `GET /v1/models HTTP/1.1\r\nFoo\r\n${kHost}\r\n`, 400],
    ['a space before the colon', field('Foo : x'), 400],                                   // RFC 9112 5.1: MUST reject
    ['a tab before the colon', field('Foo\t: x'), 400],                                    // RFC 9112 5.1: MUST reject
    ['a space in the name', field('Foo Bar: x'), 400],
    ['an empty name', field(': x'), 400],
    ['a colon alone', field(':'), 400],
    ['a space before the first field', `GET /v1/models HTTP/1.1\r\n Foo: x\r\n${kHost}\r\n`, 400], // RFC 9112 2.2: MUST
    ['a folded value', field('Foo: a\r\n b'), 400],                                        // RFC 9112 5.2: reject or replace
    ['a value folded by a tab', field('Foo: a\r\n\tb'), 400],
    ['a value folded to nothing', field('Foo: a\r\n '), 400],
    ['a value that begins folded', field('Foo:\r\n b'), 400],
    ['a folded line of the Host', host('Host:\r\n a\r\n'), 400],
    ...['\0', '\r', '\n'].map((sign) => [`${JSON.stringify(sign)} in a value`, field(`Foo: a${sign}b`), 400]), // RFC 9110 5.5: MUST
    ...['\x01', '\b', '\v', '\f', '\x1b', '\x7f'].map((sign) => [`${JSON.stringify(sign)} in a value`, field(`Foo: a${sign}b`), 400]),
    ['a field line hidden behind LF', field('Foo: a\nBar: b'), 400],
    ['a field line hidden behind CR', field('Foo: a\rBar: b'), 400],
    ['CR CR LF', field('Foo: a\r'), 400],
    ['an end with CR CR LF', `GET /v1/models HTTP/1.1\r\n${kHost}\r\r\n`, 400],
    ['an end with LF', `GET /v1/models HTTP/1.1\r\n${kHost}\n`, [400, 408]],
    ...[...'()<>@,;\\"/[]?={}', '\0', '\x01', '\x7f', '\xe9'].map((sign) => [`${JSON.stringify(sign)} in a name`, field(`Fo${sign}o: x`), 400]), // RFC 9110 5.6.2
    ['every sign that a name may have', field("!#$%&'*+-.^_`|~09azAZ: x"), 200],
    ['no space behind the colon', field('Foo:x'), 200],
    ['white space around a value', field('Foo: \t x \t '), 200],                           // RFC 9112 5: OWS
    ['an empty value', field('Foo:'), 200],
    ['bytes over 127 in a value', field('Foo: \xe9\xff'), [200, 400]],                     // RFC 9110 5.5: obs-text
    ['a name of 1000 characters', field(`${'n'.repeat(1000)}: x`), 200],
    ['a name of 70000 characters', field(`${'n'.repeat(70_000)}: x`), [400, 431]],
    ['a value of 30000 characters', field(`Foo: ${'v'.repeat(30_000)}`), 200],
    ['a value of 70000 characters', field(`Foo: ${'v'.repeat(70_000)}`), 431],
    ['a value of 1 MiB', field(`Foo: ${'v'.repeat(1 << 20)}`), 431],
    ['100 fields', get('Foo: x\r\n'.repeat(100)), 200],
    ['5000 fields', get('Foo: x\r\n'.repeat(5000)), 431],
    ['200 fields of 1000 characters', get(`Foo: ${'v'.repeat(1000)}\r\n`.repeat(200)), 431],
    ['100000 empty fields', get('a:\r\n'.repeat(100_000)), 431],
    ['two Content-Types', post(`Content-Length: ${N}\r\nContent-Type: text/plain\r\n`), [200, 400, 415]],
    ['an Authorization of signs', field('Authorization: Bearer \xff\x80"\\'), 200],
    ['two Authorizations', field('Authorization: Bearer a\r\nAuthorization: Bearer b'), [200, 400]],
    ['a request id that would split a header', field('X-Request-Id: a%0d%0aSet-Cookie: x'), 200],
    ['a request id of 30000 characters', field(`X-Request-Id: ${'r'.repeat(30_000)}`), 200],
  ],

  Host: [
    ['missing', host(''), 400],                                                            // RFC 9112 3.2: MUST 400
    ['twice', host('Host: a\r\nHost: b\r\n'), 400],                                        // RFC 9112 3.2: MUST 400
    ['twice the same', host('Host: a\r\nHost: a\r\n'), 400],                               // RFC 9112 3.2: MUST 400
    ['missing with an absolute target', `GET http://gateway.test/v1/models HTTP/1.1\r\n\r\n`, 400], // RFC 9112 3.2
    ['with a space before the colon', host('Host : a\r\n'), 400],
    ...['a/b', 'a b', 'a\tb', 'http://a', 'u@a', 'a:b', 'a:-1', 'a:999999', 'a:80:80', '[::1', '::1]', '[::1]x', '[]', '[g::1]', ':80', '/', '?a', 'a?b', 'a#b',
      '<a>', 'a\\b', '"a"', '\xff', 'a\x01', '[::1]:x', 'a^b', 'a|b'].map((name) => [JSON.stringify(name), host(`Host: ${name}\r\n`), 400]), // RFC 9112 3.2
    ...['', 'a,b', 'a;b', 'a:', 'a%20b', '[v1.x]'].map((name) => [JSON.stringify(name), host(`Host: ${name}\r\n`), [200, 400]]),
    ...['a', 'A.B', 'a:80', '127.0.0.1:8080', '[::1]', '[::1]:8080', 'xn--a.b', ' a ', 'a_b'].map((name) => [JSON.stringify(name), host(`Host: ${name}\r\n`), 200]),
    ['malformed in HTTP/1.0', host('Host: a b\r\n', '1.0'), 400],
    ['twice in HTTP/1.0', host('Host: a\r\nHost: b\r\n', '1.0'), [200, 400]],
    ['of 60000 characters', host(`Host: ${'a'.repeat(60_000)}\r\n`), [200, 400]],
  ],

  'Content-Length': [
    ['as it should be', length(N), 200],
    ['white space around', length(` \t${N} \t`), 200],
    // RFC 9112 6.3 (5): what is no length MUST be refused.
    ...['', '-1', `-${N}`, `+${N}`, `0x${hex}`, `${N}x`, `${N}.0`, `${N} ${N}`, `${N};`, '1e2', `"${N}"`, `\v${N}`, `${N}\f`, `\xa0${N}`, `${N}, ${N + 1}`, `${N}, x`,
      '99999999999999999999999', 'NaN', `${N}\0`, '١'].map((value) => [JSON.stringify(value), length(utf8(value)), 400]),
    ...[`${2n ** 64n}`, `${2n ** 64n + BigInt(N)}`, `${2n ** 63n}`, `${2n ** 32n + BigInt(N)}`, '18446744073709551615'].map((value) => [value, length(value), [400, 413]]),
    ...[`${N}, ${N}`, `${N},`, `,${N}`, `0${N}`, `${'0'.repeat(100)}${N}`].map((value) => [JSON.stringify(value), length(value), [200, 400]]),
    ['twice, the same', post(`Content-Length: ${N}\r\nContent-Length: ${N}\r\n`), [200, 400]],
    ['twice, not the same', post(`Content-Length: ${N}\r\nContent-Length: ${N + 1}\r\n`), 400], // RFC 9112 6.3 (5): MUST
    ['twice, 0 first', post(`Content-Length: 0\r\nContent-Length: ${N}\r\n`), 400],        // RFC 9112 6.3 (5): MUST
    ['a space before the colon', post(`Content-Length : ${N}\r\n`), 400],                  // RFC 9112 5.1: MUST
    ['folded', post(`Content-Length:\r\n ${N}\r\n`), 400],
    ['a field of like name', post(`Content_Length: ${N}\r\n`), inOrder([400, 411], 400)],
    ['none', post(''), inOrder([400, 411], 400)],                                             // RFC 9112 6.3 (7): a body of no bytes
    ['0', length(0, ''), 400],
    ['more than comes', length(N + 10), late],
    ['less than comes', length(N - 5), inOrder(400, 400)],
    ['over the limit', length(3_000_000, ''), 413],
    ['of a GET', get('Content-Length: 5\r\n') + 'hello', 200],                             // RFC 9110 9.3.1: no meaning
    ['of a GET over the limit', get('Content-Length: 3000000\r\n'), 413],
    ['of a HEAD', `HEAD /v1/models HTTP/1.1\r\n${kHost}Content-Length: 5\r\n\r\nhello`, 200],
    ['of a GET of an unknown path', `GET /nothing HTTP/1.1\r\n${kHost}Content-Length: 5\r\n\r\nhello`, 404],
  ],

  'Transfer-Encoding': [
    ...['chunked', 'CHUNKED', 'Chunked', ' chunked', 'chunked ', '\tchunked\t'].map((value) => [JSON.stringify(value), coding(value), 200]), // RFC 9112 7: MUST parse
    // RFC 9112 6.1: an unknown coding SHOULD be 501; 6.3 (4): chunked that is not last MUST be 400.
    ...['identity', 'gzip', 'gzip, chunked', 'chunked, gzip', 'chunked, chunked', 'xchunked', 'chunkedx', 'chunk', '"chunked"', "'chunked'", ',chunked', 'chunked,',
      'chunked;q=1', 'chunked;', 'identity, chunked', 'chunked identity', 'cow', '', 'chunked\xa0', '\xa0chunked'].map((value) => [JSON.stringify(value), coding(value), refused]),
    ...['\vchunked', 'chunked\v', 'chunked\f', 'chun\0ked', '\rchunked', 'chunked\r', '\nchunked', 'chu\x08nked'].map((value) => [JSON.stringify(value), coding(value), refused]),
    ['folded', coding('\r\n chunked'), refused],
    ['folded behind another', coding('x,\r\n chunked'), refused],
    ['twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', whole), refused], // RFC 9112 7
    ['twice, identity first', post('Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n', whole), refused],
    ['twice, identity last', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', whole), refused],
    ['a space before the colon', post('Transfer-Encoding : chunked\r\n', whole), 400],     // RFC 9112 5.1: MUST
    ['a tab before the colon', post('Transfer-Encoding\t: chunked\r\n', whole), 400],      // RFC 9112 5.1: MUST
    ['behind a folded field', post('Foo: x\r\n Transfer-Encoding: chunked\r\n', whole), 400],
    ['behind a bare LF', post('Foo: x\nTransfer-Encoding: chunked\r\n', whole), 400],
    ['behind a bare CR', post('Foo: x\rTransfer-Encoding: chunked\r\n', whole), 400],
    ['a field of like name', post('Transfer_Encoding: chunked\r\n', whole), inOrder([400, 411], 400)],
    ['beside a length', post(`Content-Length: ${N}\r\nTransfer-Encoding: chunked\r\n`, whole), 400], // RFC 9112 6.3 (3)
    ['before a length', post(`Transfer-Encoding: chunked\r\nContent-Length: ${N}\r\n`, whole), 400],
    ['beside a length of 0', post('Content-Length: 0\r\nTransfer-Encoding: chunked\r\n', whole), 400],
    ['beside an empty length', post('Content-Length:\r\nTransfer-Encoding: chunked\r\n', whole), 400],
    ['identity beside a length', post(`Content-Length: ${N}\r\nTransfer-Encoding: identity\r\n`), refused],
    ['unknown beside a length', post(`Content-Length: ${N}\r\nTransfer-Encoding: x\r\n`), refused],
    ['in HTTP/1.0', chunks(whole).replace('HTTP/1.1', 'HTTP/1.0'), 400],                   // RFC 9112 6.1: faulty framing
    ['in HTTP/1.0 beside a length', post(`Content-Length: ${N}\r\nTransfer-Encoding: chunked\r\n`, whole).replace('HTTP/1.1', 'HTTP/1.0'), 400],
    ['of a GET', `${get('Transfer-Encoding: chunked\r\n')}5\r\nhello\r\n0\r\n\r\n`, 200],
    ['TE is another field', get('TE: chunked\r\n'), 200],
  ],

  chunks: [
    ['in two', chunks(`${chunk(kBody.slice(0, 9))}${chunk(kBody.slice(9))}0\r\n\r\n`), 200],
    ['of one byte each', chunks(`${[...kBody].map((byte) => chunk(byte)).join('')}0\r\n\r\n`), 200],
    ['a size in capitals', chunks(`${chunk(kBody, hex.toUpperCase())}0\r\n\r\n`), 200],
    ['none but the last', chunks('0\r\n\r\n'), 400],
    // RFC 9112 7.1: chunk-size is 1*HEXDIG. Refused, or it never ends.
    ...['', 'zz', 'g', '-1', `-${hex}`, `+${hex}`, `0x${hex}`, ` ${hex}`, `\t${hex}`, `${hex}g`, `${hex} ${hex}`, `${hex},`, `"${hex}"`, '\0', `${hex}\0`, `${hex}\v`, '-0', '.', '1.5'].map((size) =>
      [`size ${JSON.stringify(size)}`, chunks(`${chunk(kBody, size)}0\r\n\r\n`), 400]),
    // RFC 9112 7.1: MUST anticipate large sizes and prevent overflow.
    ...['ffffffffffffffff', '10000000000000000', `10000000000000${'0'.repeat(2)}${hex}`, 'f'.repeat(17), '7fffffffffffffff', '8000000000000000', 'fffffffffffffffe',
      'ffffffff', `100000000${hex.padStart(8, '0')}`, 'f'.repeat(1000)].map((size) => [`size ${size.slice(0, 20)}`, chunks(`${chunk(kBody, size)}0\r\n\r\n`), [400, 413]]),
    ['zeros before the size', chunks(`${chunk(kBody, `0000${hex}`)}0\r\n\r\n`), [200, 400]],
    ['100000 zeros before the size', chunks(`${chunk(kBody, '0'.repeat(100_000) + hex)}0\r\n\r\n`), tooLarge],
    ['zeros without end', chunks('0'.repeat(1 << 20)), tooLarge],
    ['white space behind the size', chunks(`${chunk(kBody, `${hex}  `)}0\r\n\r\n`), [200, 400]],
    ['an extension', chunks(`${chunk(kBody, `${hex};a=b`)}0\r\n\r\n`), [200, 400]],        // RFC 9112 7.1.1: MUST ignore; we refuse
    ['a quoted extension', chunks(`${chunk(kBody, `${hex};a="b;c"`)}0\r\n\r\n`), [200, 400]],
    ['an extension with CRLF in quotes', chunks(`${chunk(kBody, `${hex};a="b\r\nc"`)}0\r\n\r\n`), 400],
    ['an extension with LF', chunks(`${chunk(kBody, `${hex};a\nb`)}0\r\n\r\n`), 400],
    ['an extension with CR', chunks(`${chunk(kBody, `${hex};a\rb`)}0\r\n\r\n`), 400],
    ['an extension with NUL', chunks(`${chunk(kBody, `${hex};a\0b`)}0\r\n\r\n`), 400],
    ['a semicolon alone', chunks(`${chunk(kBody, `${hex};`)}0\r\n\r\n`), [200, 400]],
    ['an extension of 100000 characters', chunks(`${chunk(kBody, `${hex};${'e'.repeat(100_000)}`)}0\r\n\r\n`), tooLarge],
    ['an extension without end', chunks(`${hex};${'e'.repeat(1 << 20)}`), tooLarge],
    ['an extension of the last', chunks(`${chunk(kBody)}0;x\r\n\r\n`), [200, 400]],
    ['LF behind the size', chunks(`${hex}\n${kBody}\r\n0\r\n\r\n`), 400],                  // RFC 9112 7.1: CRLF
    ['CR behind the size', chunks(`${hex}\r${kBody}\r\n0\r\n\r\n`), 400],
    ['LF behind the data', chunks(`${hex}\r\n${kBody}\n0\r\n\r\n`), 400],
    ['CR behind the data', chunks(`${hex}\r\n${kBody}\r0\r\n\r\n`), 400],
    ['nothing behind the data', chunks(`${hex}\r\n${kBody}0\r\n\r\n`), 400],
    ['two bytes for the CRLF', chunks(`${hex}\r\n${kBody}XX0\r\n\r\n`), 400],
    ['more data than the size', chunks(`${chunk(kBody, (N - 4).toString(16))}0\r\n\r\n`), 400],
    ['less data than the size', chunks(`${chunk(kBody, (N + 1).toString(16))}0\r\n\r\n`), 400],
    ['an end with LF', chunks(`${chunk(kBody)}0\n\n`), [400, 408]],
    ['an end with LF behind its line', chunks(`${chunk(kBody)}0\r\n\n`), [400, 408]],
    ['a last chunk of many zeros', chunks(`${chunk(kBody)}00000\r\n\r\n`), [200, 400]],
    ['no end', chunks(chunk(kBody)), late],
    ['an end without its last CRLF', chunks(`${chunk(kBody)}0\r\n`), late],
    ['an announced chunk that does not come', chunks('10000\r\n'), late],
    ['a trailer', chunks(`${chunk(kBody)}0\r\nFoo: x\r\n\r\n`), [200, 400]],               // RFC 9112 7.1.2; we refuse
    ['a trailer of framing', chunks(`${chunk(kBody)}0\r\nContent-Length: 5\r\n\r\n`), [200, 400]], // RFC 9110 6.5.1: MUST NOT merge
    ['a trailer without a colon', chunks(`${chunk(kBody)}0\r\nFoo\r\n\r\n`), 400],
    ['a trailer with LF', chunks(`${chunk(kBody)}0\r\nFoo: x\n\r\n`), [400, 408]],
    ['trailers of 100000 characters', chunks(`${chunk(kBody)}0\r\n${'Foo: x\r\n'.repeat(12_500)}\r\n`), tooLarge],
    ['trailers without end', chunks(`${chunk(kBody)}0\r\n${'Foo: x\r\n'.repeat(131_072)}`), tooLarge],
    ['more than the limit in one', chunks(`${(3_000_000).toString(16)}\r\n`), 413],
    ['more than the limit in many', chunks(chunk('x'.repeat(60_000)).repeat(40)), 413],
    ['a length for a chunk', chunks(kBody), [400, 408]],
  ],

  Expect: [
    ['100-continue with the body at once', post(`Content-Length: ${N}\r\nExpect: 100-continue\r\n`), 200],
    ['in capitals', post(`Content-Length: ${N}\r\nExpect: 100-CONTINUE\r\n`), 200],
    ['with chunks', post('Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n', whole), 200],
    ['without a body', get('Expect: 100-continue\r\n'), 200],
    ['unknown', post(`Content-Length: ${N}\r\nExpect: 200-ok\r\n`), [200, 417]],           // RFC 9110 10.1.1: MAY 417
    ['a list', post(`Content-Length: ${N}\r\nExpect: 100-continue, x\r\n`), [200, 417]],
    ['empty', post(`Content-Length: ${N}\r\nExpect:\r\n`), [200, 400, 417]],
    ['in HTTP/1.0', post(`Content-Length: ${N}\r\nExpect: 100-continue\r\n`).replace('HTTP/1.1', 'HTTP/1.0'), 200], // RFC 9110 10.1.1: MUST ignore
    ['with a body over the limit', post('Content-Length: 3000000\r\nExpect: 100-continue\r\n', ''), 413],
  ],

  'several requests': [
    ['two in one packet', get() + get('Foo: x\r\n'), inOrder(200, 200)],
    ['20 in one packet', get().repeat(20), inOrder(...Array(20).fill(200))],
    ['answered in order', target('/nothing') + length(N) + line('DELETE /v1/models HTTP/1.1') + get(), inOrder(404, 200, 405, 200)],
    ['two chats', length(N) + length(N), inOrder(200, 200)],
    ['a chat in chunks and another', chunks(whole) + length(N), inOrder(200, 200)],
    ['an empty line between', `${length(N)}\r\n${get()}`, inOrder(200, [200, 400])],
    ['rubbish behind a chat', `${length(N)}rubbish\r\n\r\n`, inOrder(200, 400)],
    ['none behind a refused one', `${field('Foo : x')}${get()}`, 400],
    ['none behind Connection: close', get('Connection: close\r\n') + get(), 200],          // RFC 9112 9.6: MUST NOT process
    ['none behind keep-alive and close', get('Connection: keep-alive, close\r\n') + get(), 200],
    ['none behind HTTP/1.0', `GET /v1/models HTTP/1.0\r\n\r\n${get()}`, 200],              // RFC 9112 9.3
    ['HTTP/1.0 with keep-alive', `GET /v1/models HTTP/1.0\r\nConnection: keep-alive\r\n\r\n`.repeat(2), [200, inOrder(200, 200)]],
    ['a request in the body of a GET', get(`Content-Length: ${smuggled.length}\r\n`) + smuggled, 200],
    ['a request in the body of an unknown path', `POST /nothing HTTP/1.1\r\n${kHost}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`, 404],
    ['a request in the body of a method that is not taken', `DELETE /v1/models HTTP/1.1\r\n${kHost}Content-Length: ${smuggled.length}\r\n\r\n${smuggled}`, 405],
    ['a request in chunks', chunks(`${chunk(smuggled)}0\r\n\r\n`), 400],
    // What two readers of a request could disagree about: never is there a second request.
    ['CL.TE', post(`Content-Length: 5\r\nTransfer-Encoding: chunked\r\n`, `0\r\n\r\n${smuggled}`), 400],
    ['TE.CL', post(`Transfer-Encoding: chunked\r\nContent-Length: ${N}\r\n`, `${chunk(kBody)}0\r\n\r\n${smuggled}`), 400],
    ['CL.CL', post(`Content-Length: 0\r\nContent-Length: ${N}\r\n`, smuggled), 400],
    ...['xchunked', 'chunked, identity', 'identity', '\x0bchunked', 'chunked\x0b', '"chunked"', 'chunked, cow', ' , chunked', 'chunked ;x'].map((value) =>
      [`TE ${JSON.stringify(value)}`, coding(value, `0\r\n\r\n${smuggled}`), refused]),
    ...['Transfer-Encoding :', 'Transfer-Encoding\0:', 'Transfer Encoding:', ' Transfer-Encoding:', 'X: y\rTransfer-Encoding:', 'X: y\nTransfer-Encoding:'].map((name) =>
      [`name ${JSON.stringify(name)}`, post(`${name} chunked\r\n`, `0\r\n\r\n${smuggled}`), 400]),
    ['a size that overflows', chunks(`${chunk(kBody, `10000000000000000${hex}`)}0\r\n\r\n${smuggled}`), [400, 413]],
    ['a bare LF that ends a chunk', chunks(`2;\nxx\r\n${smuggled.length.toString(16)}\r\n0\r\n\r\n${smuggled}`), 400],
    ['Connection names a framing field', post(`Content-Length: ${N}\r\nConnection: Content-Length\r\n`), [200, 400]],
  ],

  'other protocols': [
    ['HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', [400, 505, 'close']],
    ['Upgrade: h2c', get('Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'), 200], // RFC 9110 7.8: MAY ignore
    ['Upgrade: websocket', get('Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n'), 200],
    ['Upgrade with a body', post(`Content-Length: ${N}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n`), 200],
    ['Upgrade without Connection', get('Upgrade: TLS/1.0\r\n'), 200],
    ['a proxy protocol line', `PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n${get()}`, [400, 505]],
    ['a memcached command', 'set x 0 0 5\r\nhello\r\n', [400, 505]],
    ['an RTSP request', line('OPTIONS rtsp://x/ RTSP/1.0'), [400, 505]],
  ],
};
