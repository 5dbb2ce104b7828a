// Amazon's ways: signatures of version 4 checked, and messages of an event stream written.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

// What is wrong with a request's signature; undefined when it is right. `record`: { method, url, headers, raw }.
// `account`: { accessKey, secretKey, sessionToken, region, now } (now: milliseconds).
export function signatureFault({ method, url, headers, raw }, account, service = 'bedrock') {
  const parts = /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(headers.authorization ?? '');
  if (!parts) return 'Missing Authentication Token';
  const [, accessKey, date, region, scopeService, signedHeaders, signature] = parts;
  if (accessKey !== account.accessKey) return 'The security token included in the request is invalid.';
  if (region !== account.region || scopeService !== service) return `Credential should be scoped to a valid region and service, not ${region}/${scopeService}.`;
  if ((headers['x-amz-security-token'] ?? undefined) !== account.sessionToken) return 'The security token included in the request is invalid.';
  const at = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(headers['x-amz-date'] ?? '');
  if (!at) return 'x-amz-date is missing';
  const skew_ms = Math.abs(Date.parse(`${at[1]}-${at[2]}-${at[3]}T${at[4]}:${at[5]}:${at[6]}Z`) - (account.now ?? Date.now()));
  if (skew_ms > 300_000 || !headers['x-amz-date'].startsWith(date)) return 'Signature expired';
  const names = signedHeaders.split(';');
  for (const needed of ['host', 'x-amz-date', ...(headers['content-type'] ? ['content-type'] : []), ...(account.sessionToken ? ['x-amz-security-token'] : [])]) {
    if (!names.includes(needed)) return `${needed} is not signed`;
  }
  if ([...names].sort().join(';') !== signedHeaders) return 'signed headers are not in order';
  const hash = sha256(raw);
  if (headers['x-amz-content-sha256'] && headers['x-amz-content-sha256'] !== hash) return 'x-amz-content-sha256 is not the body\'s';
  const [path, query = ''] = url.split('?');
  // Each segment is encoded once more.
  const uri = path.split('/').map((segment) => encodeURIComponent(segment).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)).join('/');
  const canonical = [method, uri, query, ...names.map((name) => `${name}:${String(headers[name] ?? '').trim().replace(/ +/g, ' ')}`), '', signedHeaders, hash].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const text = ['AWS4-HMAC-SHA256', headers['x-amz-date'], scope, sha256(canonical)].join('\n');
  const key = [date, region, service, 'aws4_request'].reduce(hmac, `AWS4${account.secretKey}`);
  const expected = hmac(key, text);
  if (!timingSafeEqual(expected, Buffer.from(signature, 'hex'))) return 'The request signature we calculated does not match the signature you provided.';
  return undefined;
}

// One message of an event stream.
export function eventMessage(headers, payload) {
  const encoded = Buffer.concat(Object.entries(headers).map(([name, value]) => {
    const text = Buffer.from(value), label = Buffer.from(name), length = Buffer.alloc(2);
    length.writeUInt16BE(text.length);
    return Buffer.concat([Buffer.from([label.length]), label, Buffer.from([7]), length, text]);
  }));
  const body = Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + encoded.length + body.length, 0);
  prelude.writeUInt32BE(encoded.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const message = Buffer.concat([prelude, encoded, body]);
  const end = Buffer.alloc(4);
  end.writeUInt32BE(crc32(message));
  return Buffer.concat([message, end]);
}
